//! `diff`: what changed between two databases of one cluster.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::by_manager::ManagerArg;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::{Exclude, Where};
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
use crate::query::resolve::resolve_range;
use crate::query::revision::{RangeExpr, split_revision};
use crate::query::select::Selection;
use crate::query::select::Which;
use crate::query::{NoAnswer, Notice, Question};
use crate::source::is_database_path;
use crate::view::diff::{self, Change, StatRow};
use crate::view::json_rows::{Form, JsonRows};
use crate::view::record::key_text;

/// Show what changed between two databases, or two revisions or times of one
///
/// `+` created, `-` deleted, `*` re-created (deleted and made again), `~` changed. List items are
/// matched by their key (name, port, type, uid, ...), not by their place. Values of Secrets are
/// masked; equal values share a number. Exit code 1 when something differs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The older database, or the only one
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The newer database; or two revisions of the one: A..B, before or after the addresses
    #[arg(value_name = "NEW|A..B", required_unless_present_any = ["metas", "since", "until"])]
    new: Option<OsString>,
    /// Compare with the state at this time: 2026-11-20T21:05:00Z, 21:05 on the newest day, or 10m before the newest time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "metas"
    )]
    since: Option<String>,
    /// Compare the state at this time instead of the newest
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "metas"
    )]
    until: Option<String>,
    /// Compare the two states that the meta pages of the one database name: what its last commit changed
    #[arg(long)]
    metas: bool,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    exclude: Exclude,
    #[command(flatten)]
    by_manager: ManagerArg,
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

/// What is compared.
enum Compared {
    /// The states before and after the last commit.
    Metas,
    /// The states of one database at two revisions.
    Revisions(RangeExpr),
    /// The same, at the revision after an address and the newest, or at those after two times the same address.
    Addresses,
    /// The states of one database at two times.
    Times,
    /// Two databases, this the newer.
    Files(PathBuf),
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        let old = self.old.clone();
        Ok(match self.compared()?.0 {
            Compared::Files(new) => vec![old, new],
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
        let (compared, which) = self.compared()?;
        match compared {
            Compared::Metas => self.last_commit(&which, run, out),
            Compared::Files(_) => self.two_files(&which, run, out),
            one => self.one_file(&one, which, run, out),
        }
    }
}

/// The addresses, and the range between the revisions after them: from the one to the newest, or of one address
/// given twice from the first to the second.
fn own_range(which: &Which, store: &Store<'_>) -> Result<(Which, RangeExpr), Failure> {
    let splits: Vec<_> = which.words().iter().map(split_revision).collect();
    if let [Some((first, from)), Some((second, to))] = splits.as_slice()
        && first == second
    {
        let range = RangeExpr {
            from: Some(*from),
            to: Some(*to),
        };
        return Ok((which.with_words(vec![first.clone()]), range));
    }
    let (which, from) = which.split_revision(store)?;
    if from.is_none() {
        return Err(
            Failure::cannot("two databases, or two revisions of one, are needed")
                .hint("`diff DB A..B ADDRESS` compares two revisions"),
        );
    }
    Ok((which, RangeExpr { from, to: None }))
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
    /// What is compared, and the addresses. What comes after the first database is a second one if there is such a
    /// file; else it is an address, or the range of revisions.
    fn compared(&self) -> Result<(Compared, Which), Failure> {
        let new = self.new.clone();
        let which = match &new {
            Some(word) => self.which.asked().with_first(word.clone()),
            None => self.which.asked().clone(),
        };
        let has_times = self.since.is_some() || self.until.is_some();
        if self.metas {
            return Ok((Compared::Metas, which));
        }
        if let Some(word) = new.filter(|word| is_database_path(Path::new(word))) {
            if has_times {
                let word = Path::new(&word).display();
                return Err(Failure::cannot(format!(
                    "--since and --until are times in one database, and {word} is a second one"
                )));
            }
            if self.which.asked().split_range()?.1.is_some() {
                let word = Path::new(&word).display();
                return Err(Failure::cannot(format!(
                    "a range A..B is of one database, and {word} is a second one"
                )));
            }
            return Ok((Compared::Files(word.into()), self.which.asked().clone()));
        }
        let (addresses, range) = which.split_range()?;
        match (range, has_times) {
            (Some(_), true) => Err(Failure::cannot(
                "a range A..B and --since or --until: one of them is enough",
            )),
            (Some(range), false) => Ok((Compared::Revisions(range), addresses)),
            (None, true) => Ok((Compared::Times, addresses)),
            (None, false)
                if which
                    .words()
                    .iter()
                    .any(|word| split_revision(word).is_some()) =>
            {
                Ok((Compared::Addresses, which))
            }
            (None, false) => {
                let new = PathBuf::from(self.new.clone().unwrap_or_default());
                let text = key_text(new.as_os_str().as_encoded_bytes());
                if text.contains(['/', '.']) || new.is_symlink() {
                    return Ok((Compared::Files(new), self.which.asked().clone()));
                }
                Err(Failure::cannot(format!(
                    "{text}: no such file or directory, and no range of revisions A..B is given"
                ))
                .hint(format!("etcdive diff {} A..B {text}", self.old.display())))
            }
        }
    }

    /// The two states at --since and --until: without the first the oldest that is whole, without the second the
    /// newest.
    fn times(&self, question: &Question<'_>) -> Result<(AtRevision, AtRevision), Failure> {
        let store = question.store();
        let from = match &self.since {
            Some(time) => question.revision_at(time)?,
            None => AtRevision(store.compact_revision()),
        };
        let to = match &self.until {
            Some(time) => question.revision_at(time)?,
            None => store.at(None)?,
        };
        if from.0 > to.0 {
            return Err(Failure::cannot(
                "the times are reversed: --since is after --until",
            ));
        }
        Ok((from, to))
    }

    /// Compares two states of one database: the ends of a range, or those at two times.
    fn one_file(
        &self,
        compared: &Compared,
        which: Which,
        run: &Run<'_>,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let question = run.question()?;
        let (which, range) = match compared {
            Compared::Revisions(range) => (which, Some(*range)),
            Compared::Addresses => {
                let (which, range) = own_range(&which, question.store())?;
                (which, Some(range))
            }
            _ => (which, None),
        };
        let (from, to) = match range {
            Some(range) => resolve_range(range, &question, &which)?,
            None => self.times(&question)?,
        };
        self.compare([(&question, from), (&question, to)], &which, run, out)
    }

    fn two_files(&self, which: &Which, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let [old, new] = run.evidence else {
            return Err(NoAnswer::DatabasesNeeded(2).into());
        };
        let (old, new) = (run.question_to(old)?, run.question_to(new)?);
        note_order_and_cluster([&old, &new]);
        let (old_at, new_at) = (old.store().at(None)?, new.store().at(None)?);
        self.compare([(&old, old_at), (&new, new_at)], which, run, out)
    }

    /// Reports which filter left nothing of the changes, or that no change is of the manager because no retained
    /// version names it.
    fn note_empty(&self, question: &Question<'_>) {
        if let Some(left) = question.filters().left_nothing() {
            question.notices().add(Notice::Emptied(left));
        }
    }

    /// What the last commit changed: bbolt keeps the state before it until the next one.
    fn last_commit(&self, which: &Which, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let only = Evidence::only(run.evidence)?;
        let former = Question::open_former(only, run.keyring, run.notices)?;
        let newest = run.question_to(only)?;
        let state = |question: &Question<'_>| {
            let store = question.store();
            (store.db().meta().txid, store.current_revision())
        };
        run.notices
            .add(Notice::LastCommit([state(&former), state(&newest)]));
        let (from, to) = (former.store().at(None)?, newest.store().at(None)?);
        let states = [(&former, from), (&newest, to)];
        self.compare(states, which, run, out)
    }

    fn compare(
        &self,
        [(old, old_at), (new, new_at)]: [State<'_, '_>; 2],
        which: &Which,
        run: &Run<'_>,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let (old_store, new_store) = (old.store(), new.store());
        let stores = [(old_store, old_at), (new_store, new_at)];
        let selection = which.select(&stores, run.keyring)?;
        let selection = selection.without(&self.exclude.asked(), &stores, run.keyring)?;
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
        let by_manager = self.by_manager.filter();
        if let Some(name) = by_manager.name()
            && let Some(unknown) = new.missing_manager(name)
        {
            return Err(unknown.into());
        }
        changes.retain(|changed| {
            let before = changed.old.as_ref().map(|record| (record, old.objects()));
            let before = before.filter(|_| changed.change != Change::Recreated);
            let after = changed.new.as_ref().map(|record| (record, new.objects()));
            let wrote = by_manager.wrote_between(before, after);
            new.filters().test(Filter("--manager"), wrote)
        });
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
        if changes.is_empty() {
            self.note_empty(new);
        }
        let answer = if changes.is_empty() {
            Answer::Yes
        } else {
            Answer::No
        };
        let printed = self.print(&mut comparison(), &changes, new, out);
        printed.map_err(|failure| failure.with_answer(answer))?;
        old.note_unproved(old_at, &before.live);
        new.note_unproved(new_at, &after.live);
        old.finish(answer);
        Ok(new.finish(answer))
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
