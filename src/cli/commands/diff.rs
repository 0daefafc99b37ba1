//! `diff`: what changed between two databases of one cluster.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::args::resolve_range;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::{Selection, Where};
use crate::cli::sources::Sources;
use crate::cli::unified;
use crate::cli::{Answer, Run, Verb};
use crate::etcd::cluster::member_ids;
use crate::etcd::store::AtRevision;
use crate::etcd::{Keyspace, Record, Store};
use crate::k8s::diff::Scope;
use crate::k8s::redact::Masker;
use crate::query::Evidence;
use crate::query::Origins;
use crate::query::address::Address;
use crate::query::compare::{Changed, Comparison, changed_keys};
use crate::query::filters::Filter;
use crate::query::revision::RangeExpr;
use crate::query::{NoAnswer, Notice, Question};
use crate::view::diff::{self, Change, StatRow};
use crate::view::json_rows::{Form, JsonRows};
use crate::view::record::key_text;

/// Show what changed between two databases of one cluster, or two revisions of one
///
/// `+` created, `-` deleted, `*` re-created (deleted and made again), `~` changed. List items are
/// matched by their key (name, port, type, uid, ...), not by their place. Values of Secrets are
/// masked; equal values share a number. Exit code 1 when something differs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The older database, or the only one
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The newer database; or two revisions of the one: A..B
    #[arg(value_name = "NEW|A..B", required_unless_present = "metas")]
    new: Option<OsString>,
    /// Compare the two states that the meta pages of the one database name: what its last commit changed
    #[arg(long)]
    metas: bool,
    #[command(flatten)]
    which: Where,
    /// How to print the changes
    #[arg(short, long, value_name = "FORMAT", default_value = "fields", conflicts_with_all = ["stat", "name_only"])]
    output: Output,
    /// Print how many fields changed in each object instead
    #[arg(long, conflicts_with = "name_only")]
    stat: bool,
    /// Print the keys alone: `+ KEY`, `- KEY`, `~ KEY` (changed or re-created)
    #[arg(long)]
    name_only: bool,
    /// Leave out the status of objects
    #[arg(long)]
    exclude_status: bool,
    /// Compare metadata.managedFields too
    #[arg(long)]
    show_managed_fields: bool,
    /// Print the values of Secrets
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The changed fields of each object
    Fields,
    /// The objects' YAML as a unified diff
    Unified,
    /// One JSON array
    Json,
    /// A JSON object a line
    Jsonl,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        let old = self.old.clone();
        Ok(match &self.new {
            Some(new) if !self.metas && self.range().is_none() => vec![old, PathBuf::from(new)],
            _ => vec![old],
        })
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn origins(&self) -> Origins {
        self.sources.origins()
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if self.metas {
            return self.last_commit(run, out);
        }
        if let (Some(range), [only]) = (self.range(), run.evidence) {
            let question = run.question_to(only)?;
            let (from, to) = resolve_range(range, &question, &self.which)?;
            return self.compare([(&question, from), (&question, to)], &self.which, run, out);
        }
        let [old, new] = run.evidence else {
            return Err(Failure::cannot("two databases are needed"));
        };
        let (old, new) = (run.question_to(old)?, run.question_to(new)?);
        note_order_and_cluster([&old, &new]);
        let (old_at, new_at) = (old.store().at(None)?, new.store().at(None)?);
        self.compare([(&old, old_at), (&new, new_at)], &self.which, run, out)
    }
}

/// A store as of a revision.
type State<'s, 'a> = (&'s Question<'a>, AtRevision);

/// Reports two databases in the wrong order, or of two clusters.
fn note_order_and_cluster([old, new]: [&Question<'_>; 2]) {
    let state = |question: &Question<'_>| {
        let path = question.evidence().given_path().to_path_buf();
        (path, question.store().current_revision())
    };
    let (older, newer) = (state(old), state(new));
    if older.1 > newer.1 {
        new.notices().add(Notice::OlderIsNewer([older, newer]));
    }
    if are_strangers(old.store(), new.store()) {
        new.notices().add(Notice::AnotherCluster);
    }
}

/// The first column of `--name-only` in a pipe.
fn name_marker(change: Change) -> &'static [u8] {
    match change {
        Change::Created => b"+",
        Change::Deleted => b"-",
        Change::Recreated | Change::Changed => b"~",
    }
}

impl Args {
    /// The two revisions of one database, where such are asked for. A file of that name comes first.
    fn range(&self) -> Option<RangeExpr> {
        let text = self.new.as_ref()?.to_str()?;
        let is_range = RangeExpr::looks_like_one(text) && !Path::new(text).exists();
        is_range.then(|| text.parse().ok()).flatten()
    }

    /// What the last commit changed: bbolt keeps the state before it until the next one.
    fn last_commit(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let only = Evidence::only(run.evidence)?;
        let former = Question::open_former(only, run.keyring, run.notices)?;
        let newest = run.question_to(only)?;
        let state = |question: &Question<'_>| {
            let store = question.store();
            (store.db().meta().txid, store.current_revision())
        };
        run.notices
            .add(Notice::LastCommit([state(&former), state(&newest)]));
        // Without a second database the word behind the first is an address.
        let which = self.new.clone().map(|word| self.which.with_first(word));
        let (from, to) = (former.store().at(None)?, newest.store().at(None)?);
        let states = [(&former, from), (&newest, to)];
        self.compare(states, which.as_ref().unwrap_or(&self.which), run, out)
    }

    fn compare(
        &self,
        [(old, old_at), (new, new_at)]: [State<'_, '_>; 2],
        which: &Where,
        run: &Run<'_>,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let (old_store, new_store) = (old.store(), new.store());
        let selection = which.select(&[(old_store, old_at), (new_store, new_at)], run.keyring)?;
        let before = Keyspace::at(old_store, old_at, |key| selection.covers(key));
        let after = Keyspace::at(new_store, new_at, |key| selection.covers(key));
        let everywhere = || before.live.iter().chain(&after.live).chain(&after.deleted);
        if let Some(address) =
            selection.unanswered(|address| everywhere().any(|entry| address.covers(&entry.key)))
        {
            let states = [(old, old_at), (new, new_at)];
            return Err(in_neither(address, &selection, states));
        }
        let is_empty = before.live.is_empty() && after.live.is_empty();
        if let Some(why) = selection.why_empty(new, new_at, |_| true, is_empty) {
            return Err(match why {
                NoAnswer::Missing(missing) => NoAnswer::InNeither(missing).into(),
                why => why.into(),
            });
        }
        let mut changes = changed_keys(&before, &after);
        if changes.is_empty() && old_at == AtRevision::HEAD && new_at == AtRevision::HEAD {
            new.note_histories(old);
        }
        if let Some(labels) = selection.labels() {
            changes.retain(|changed| {
                let of = |record: Option<Record<'_>>, question: &Question<'_>| {
                    record.is_some_and(|record| question.objects().has_labels(&record, labels))
                };
                let has_labels = of(changed.old, old) || of(changed.new, new);
                new.filters().test(Filter("-l"), has_labels)
            });
        }
        let comparison = || Comparison {
            scope: self.scope(),
            masker: Masker::new(self.show_secrets),
            old: old.objects(),
            new: new.objects(),
        };
        if self.exclude_status {
            // What changed in nothing but its status did not change, then.
            let mut filter = comparison();
            changes.retain(|changed| {
                let is_kept =
                    changed.change != Change::Changed || !filter.fields(changed).is_empty();
                new.filters().test(Filter("--exclude-status"), is_kept)
            });
        }
        self.print(&mut comparison(), &changes, new, out)?;
        old.note_unproved(old_at, &before.live);
        new.note_unproved(new_at, &after.live);
        if let (true, Some(left)) = (changes.is_empty(), new.filters().left_nothing()) {
            new.notices().add(Notice::Emptied(left));
        }
        old.finish(Answer::Yes);
        Ok(new.finish(if changes.is_empty() {
            Answer::Yes
        } else {
            Answer::No
        }))
    }
}

impl Args {
    fn scope(&self) -> Scope {
        Scope {
            status: !self.exclude_status,
            managed_fields: self.show_managed_fields,
        }
    }
}

/// Whether both databases name members, and no member is in both.
fn are_strangers(old: &Store<'_>, new: &Store<'_>) -> bool {
    let (old, new) = (member_ids(old), member_ids(new));
    !old.is_empty() && !new.is_empty() && old.is_disjoint(&new)
}

/// Why an address matches nothing, before and after. Exit code 1 would say that something differs.
fn in_neither(address: &Address, selection: &Selection, [_, new]: [State<'_, '_>; 2]) -> Failure {
    let (question, at) = new;
    match question.missing(address, selection.catalog(), at) {
        NoAnswer::Missing(missing) => NoAnswer::InNeither(missing).into(),
        other => other.into(),
    }
}

impl Args {
    /// Prints the changes in the form that was asked for.
    fn print(
        &self,
        comparison: &mut Comparison<'_>,
        changes: &[Changed<'_>],
        question: &Question<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let style = out.style();
        if self.name_only {
            for changed in changes {
                // In a pipe a key is exact, whatever its bytes.
                if !out.is_terminal() && std::str::from_utf8(changed.key()).is_err() {
                    out.write_all(
                        &[name_marker(changed.change), b" ", changed.key(), b"\n"].concat(),
                    )?;
                    continue;
                }
                diff::write_name(out.styled(), changed.change, changed.key(), &style)?;
            }
            return Ok(());
        }
        if self.stat {
            let rows: Vec<StatRow> = changes
                .iter()
                .map(|changed| {
                    StatRow::new(
                        changed.change,
                        &key_text(changed.key()),
                        &comparison.fields(changed),
                    )
                })
                .collect();
            diff::write_stat(out.styled(), &rows, &style)?;
            return Ok(());
        }
        let mut rows = JsonRows::new(Form::array_if(self.output == Output::Json));
        for changed in changes {
            match self.output {
                Output::Unified => unified::write_change(comparison, changed, out)?,
                Output::Fields => {
                    let fields = if changed.is_in_both() {
                        comparison.fields(changed)
                    } else {
                        Vec::new()
                    };
                    diff::write_object(out.styled(), &comparison.object(changed, &fields), &style)?;
                }
                Output::Json | Output::Jsonl => {
                    let fields = comparison.fields(changed);
                    let row = diff::json(&comparison.object(changed, &fields), question.catalog())?;
                    rows.text(&row, out)?;
                }
            }
        }
        if matches!(self.output, Output::Json | Output::Jsonl) {
            rows.finish(out)?;
        }
        Ok(())
    }
}
