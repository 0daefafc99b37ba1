//! `diff`: what changed between two databases of one cluster.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::address::Address;
use crate::cli::args::resolve_range;
use crate::cli::compare::{Changed, Comparison, changed_keys};
use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::missing::{below, folder_hint};
use crate::cli::objects::Objects;
use crate::cli::out::Out;
use crate::cli::revision::RangeExpr;
use crate::cli::select::Where;
use crate::cli::sources::{Sources, note_unproved};
use crate::cli::{Answer, Run, Verb, report};
use crate::etcd::cluster::member_ids;
use crate::etcd::store::AtRevision;
use crate::etcd::{Keyspace, Record, Store};
use crate::k8s::diff::Scope;
use crate::k8s::redact::Masker;
use crate::view::diff::{self, Change, StatRow};
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

    fn sources(&self) -> Sources {
        self.sources.clone()
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if self.metas {
            return self.last_commit(run, out);
        }
        if let (Some(range), [only]) = (self.range(), run.evidence) {
            let store = only.records()?;
            let (from, to) = resolve_range(range, &store, &self.which, run.keyring)?;
            let states = [(only, &store, from), (only, &store, to)];
            return self.compare(states, &self.which, run, out);
        }
        let [old, new] = run.evidence else {
            return Err(Failure::cannot("two databases are needed"));
        };
        let (old_store, new_store) = (old.records()?, new.records()?);
        note_what_is_odd([(old, &old_store), (new, &new_store)]);
        let (old_at, new_at) = (old_store.at(None)?, new_store.at(None)?);
        let states = [(old, &old_store, old_at), (new, &new_store, new_at)];
        self.compare(states, &self.which, run, out)
    }
}

/// A store in an evidence file as of a revision.
type State<'s, 'a> = (&'s Evidence, &'s Store<'a>, AtRevision);

/// Says what two databases should not be: in the wrong order, or of two clusters.
fn note_what_is_odd([(old, old_store), (new, new_store)]: [(&Evidence, &Store<'_>); 2]) {
    let (old_newest, new_newest) = (old_store.current_revision(), new_store.current_revision());
    if old_newest > new_newest {
        report::note(&format!(
            "{} is at revision {old_newest}, {} at {new_newest}: is the older one first?",
            old.given_path().display(),
            new.given_path().display(),
        ));
    }
    if are_strangers(old_store, new_store) {
        report::note("these look like two different clusters: no member in common");
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
        let (former, newest) = (only.former_store()?, only.records()?);
        let told = |store: &Store<'_>| {
            let txid = store.db().meta().txid;
            format!("txid {txid} (revision {})", store.current_revision())
        };
        report::note(&format!("from {} to {}", told(&former), told(&newest)));
        // Without a second database the word behind the first is an address.
        let which = self.new.clone().map(|word| self.which.with_first(word));
        let (from, to) = (former.at(None)?, newest.at(None)?);
        let states = [(only, &former, from), (only, &newest, to)];
        self.compare(states, which.as_ref().unwrap_or(&self.which), run, out)
    }

    fn compare(
        &self,
        [(old, old_store, old_at), (new, new_store, new_at)]: [State<'_, '_>; 2],
        which: &Where,
        run: &Run<'_>,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let selection = which.select(&[(old_store, old_at), (new_store, new_at)], run.keyring)?;
        let before = Keyspace::at(old_store, old_at, |key| selection.covers(key));
        let after = Keyspace::at(new_store, new_at, |key| selection.covers(key));
        let everywhere = || before.live.iter().chain(&after.live).chain(&after.deleted);
        if let Some(address) =
            selection.unanswered(|address| everywhere().any(|entry| address.covers(&entry.key)))
        {
            let stores = [(old_store, old_at), (new_store, new_at)];
            return Err(in_neither(address, &stores));
        }
        let mut changes = changed_keys(&before, &after);
        let old = Objects::new(run.keyring, old);
        let new = Objects::new(run.keyring, new);
        if let Some(labels) = selection.labels() {
            changes.retain(|changed| {
                let of = |record: Option<Record<'_>>, objects: &Objects<'_>| {
                    record.is_some_and(|record| objects.has_labels(&record, labels))
                };
                of(changed.old, &old) || of(changed.new, &new)
            });
        }
        let comparison = || Comparison {
            scope: self.scope(),
            masker: Masker::new(self.show_secrets),
            old: &old,
            new: &new,
        };
        if self.exclude_status {
            // What changed in nothing but its status did not change, then.
            let mut filter = comparison();
            changes.retain(|changed| {
                changed.change != Change::Changed || !filter.fields(changed).is_empty()
            });
        }
        self.print(&mut comparison(), &changes, out)?;
        note_unproved(old_store, old_at, &before.live);
        note_unproved(new_store, new_at, &after.live);
        old.conclude();
        new.conclude();
        Ok(if changes.is_empty() {
            Answer::Yes
        } else {
            Answer::No
        })
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

/// The failure for an address which no key answers to, before or after. Exit code 1 would say that something
/// differs.
fn in_neither(address: &Address, stores: &[(&Store<'_>, AtRevision)]) -> Failure {
    let text = address.text();
    let failure = Failure::cannot(format!("{text}: in neither database"));
    let Address::Key(key) = address else {
        return failure;
    };
    let below = below(key);
    let mut inside = BTreeSet::new();
    for (store, at) in stores {
        let keyspace = Keyspace::at(store, *at, |key| below.covers(key));
        inside.extend(keyspace.live.into_iter().map(|entry| entry.key));
    }
    match folder_hint(&text, inside.iter().map(|key| &**key)) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

impl Args {
    /// Prints the changes in the form that was asked for.
    fn print(
        &self,
        comparison: &mut Comparison<'_>,
        changes: &[Changed<'_>],
        out: &mut Out,
    ) -> Result<(), Failure> {
        let style = out.style();
        if self.name_only {
            for changed in changes {
                // In a pipe a key is exact, whatever its bytes.
                if !out.is_terminal() && std::str::from_utf8(changed.key()).is_err() {
                    out.write_all(&[changed.name_marker(), b" ", changed.key(), b"\n"].concat())?;
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
        if self.output == Output::Json {
            out.write_all(b"[")?;
        }
        for (index, changed) in changes.iter().enumerate() {
            match self.output {
                Output::Unified => comparison.unified(changed, out)?,
                Output::Fields => {
                    let fields = if changed.is_in_both() {
                        comparison.fields(changed)
                    } else {
                        Vec::new()
                    };
                    diff::write_object(out.styled(), &comparison.object(changed, &fields), &style)?;
                }
                Output::Json | Output::Jsonl => {
                    if index > 0 && self.output == Output::Json {
                        out.write_all(b",")?;
                    }
                    let fields = comparison.fields(changed);
                    diff::write_json_line(out, &comparison.object(changed, &fields))?;
                }
            }
        }
        if self.output == Output::Json {
            out.write_all(b"]\n")?;
        }
        Ok(())
    }
}
