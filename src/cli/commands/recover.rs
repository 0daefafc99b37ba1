//! `recover`: what is gone, and its way back.

mod print;
mod write;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::bbolt::Direction;
use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::sources::Sources;
use crate::cli::{Answer, Run, Verb};
use crate::etcd::AtRevision;
use crate::query::Origins;
use crate::query::Question;
use crate::query::address::Address;
use crate::query::catalog;
use crate::query::filters::Filter;
use crate::query::glob::Namespaces;
use crate::query::objects::Objects;
use crate::query::resolve::only_one;
use crate::query::resolve::{resolve, resolve_events};
use crate::query::revision::RevisionExpr;
use crate::query::select::Selection;
use crate::query::timeline::Timeline;

use crate::query::deletions::{Item, ObjectHistory, Request, namespace_name, plan, sort_for_apply};

/// List what was deleted, and write it as manifests that kubectl apply takes
///
/// Without --out: each object that is gone, when its deletion began and ended, and the version that comes back: the
/// last one before the deletion began (before the object, its namespace or its owner was told to go), for controllers
/// empty objects while they go. A..B are the deletions after revision A up to B. With --at: all that was there
/// at a revision, gone or not.
///
/// --out writes a file an object, named in the order of making, and -o yaml one stream: without what the server owns
/// (uid, resourceVersion, status, ...), cluster addresses, nodes and bound volumes. What controllers make anew
/// is left out and counted. Values of Secrets are exact.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    /// All that was there at this revision, instead of what is gone
    #[arg(long, value_name = "REV", allow_negative_numbers = true)]
    at: Option<RevisionExpr>,
    /// The same at this time: 2026-11-20T21:05:00Z, 21:05 on the newest day, or 10m before the newest time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "at"
    )]
    at_time: Option<String>,
    /// Only what was deleted at this time or later, in the same forms
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with_all = ["at", "at_time"]
    )]
    since: Option<String>,
    /// Only what was deleted at this time or earlier
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with_all = ["at", "at_time"]
    )]
    until: Option<String>,
    /// Bring back the last version of all, not the last before the deletion began
    #[arg(long, conflicts_with_all = ["at", "at_time"])]
    last: bool,
    /// Bring back what controllers make as well: replica sets and pods of deployments, endpoint slices, events, ...
    #[arg(long)]
    controlled: bool,
    /// Write objects whole, as they were stored
    #[arg(long)]
    exact: bool,
    /// Leave out finalizers
    #[arg(long, conflicts_with = "exact")]
    strip_finalizers: bool,
    /// Keep the references to owners that are there: for the cluster that the file is of. Anywhere else its garbage
    /// collector deletes what refers to an owner that it does not know
    #[arg(long, conflicts_with = "exact")]
    keep_owners: bool,
    /// Write each object into a file of its own in this folder, and print the files' names. Nothing that exists is
    /// overwritten
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    out: Option<PathBuf>,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// The keys alone
    Name,
    /// One JSON array
    Json,
    /// A JSON object a line
    Jsonl,
    /// The manifests, one behind the other
    Yaml,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn origins(&self) -> Origins {
        self.sources.origins()
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let question = run.question()?;
        let store = question.store();
        let (which, range) = self.which.asked().split_range()?;
        let (which, own) = which.split_revision(store)?;
        self.check(own)?;
        let at = match (only_one(own, self.at, "--at")?, &self.at_time) {
            (Some(at), _) => Some(resolve(at, &question, &which)?),
            (None, Some(time)) => Some(question.revision_at(time)?),
            (None, None) => None,
        };
        let head = store.at(None)?;
        let selection = which.select(&[(store, head)], run.keyring)?;
        let catalog = catalog::read_full(&[(store, head)], run.keyring);
        let objects = question.objects();
        let history = ObjectHistory::read(store, run.keyring, &catalog);
        let namespaces = which.namespaces().filter(|_| which.words().is_empty());
        let wanted = |key: &[u8]| {
            let is_one_of = |namespaces: &Namespaces| {
                let name = namespace_name(key, &catalog);
                name.is_some_and(|name| namespaces.matches(name))
            };
            selection.covers(key) || namespaces.as_ref().is_some_and(is_one_of)
        };
        let request = Request {
            wanted: &wanted,
            last: self.last,
            at,
        };
        let mut items = plan(store, &request, &catalog, objects, &history);
        let timeline = question.timeline();
        let (from, to) = resolve_events(range, None, &question, &which)?;
        let is_empty = items.is_empty();
        let namespace_only = which.words().is_empty() && which.namespaces().is_some();
        self.narrow(&mut items, at, (from.0, to.0), &selection, &question)?;
        sort_for_apply(&mut items);
        let recovery = Recovery {
            args: self,
            run,
            question: &question,
            objects,
            timeline,
            history: &history,
            at,
        };
        if from.0 < store.compact_revision() {
            question.note_compacted(&|key| wanted(key), None);
        }
        if items.is_empty() {
            // A name that exists, and was not deleted, is no reason.
            let is_known = |address: &Address| {
                let mut records = store.records(Direction::Forward);
                records.any(|record| address.covers(record.key))
            };
            let is_unknown = is_empty || namespace_only;
            let why = selection.why_empty(&question, head, is_known, is_unknown);
            return Err(match why {
                Some(why) => why.into(),
                None if at.is_some() => Failure::not_found("no objects match at that revision"),
                None => question.emptied().map_or_else(
                    || Failure::not_found("no deleted objects match"),
                    Failure::from,
                ),
            });
        }
        let any = match (&self.out, self.output) {
            (Some(folder), _) => recovery.write_files(&items, folder, out)?,
            (None, Output::Yaml) => recovery.write_stream(&items, out)?,
            _ => recovery.print(&items, out)?,
        };
        recovery.explain(&items);
        Ok(question.finish(if any { Answer::Yes } else { Answer::No }))
    }
}

/// One run of the verb.
struct Recovery<'r, 'a> {
    args: &'r Args,
    run: &'r Run<'r>,
    question: &'r Question<'a>,
    objects: &'r Objects<'r>,
    timeline: &'r Timeline,
    history: &'r ObjectHistory,
    at: Option<AtRevision>,
}

impl Recovery<'_, '_> {
    /// Whether an item is to be brought back.
    fn is_wanted(&self, item: &Item<'_>) -> bool {
        let reason = item.facts.as_ref().and_then(|facts| facts.reason);
        item.restored.is_some() && (self.args.controlled || reason.is_none())
    }

    /// Whether an item is brought back: what cannot be read is not.
    fn comes_back(&self, item: &Item<'_>) -> bool {
        self.is_wanted(item) && item.unreadable.is_none()
    }
}

impl Args {
    /// Refuses flags about deletions beside the revision of an address, as clap does beside --at.
    fn check(&self, own: Option<RevisionExpr>) -> Result<(), Failure> {
        let flags = [
            ("--at-time", self.at_time.is_some()),
            ("--since", self.since.is_some()),
            ("--until", self.until.is_some()),
            ("--last", self.last),
        ];
        match (own, flags.iter().find(|(_, is_given)| *is_given)) {
            (Some(own), Some((flag, _))) => Err(Failure::cannot(format!(
                "the revision of an address, {own}, cannot be used with {flag}"
            ))),
            _ => Ok(()),
        }
    }

    /// Leaves what was deleted in the range and the time.
    fn narrow(
        &self,
        items: &mut Vec<Item<'_>>,
        at: Option<AtRevision>,
        (after, to): (i64, i64),
        selection: &Selection,
        question: &Question<'_>,
    ) -> Result<(), Failure> {
        let (timeline, filters) = (question.timeline(), question.filters());
        let (since, until) = timeline.range(self.since.as_ref(), self.until.as_ref())?;
        let is_narrowed =
            after > 0 || to != i64::MAX || self.since.is_some() || self.until.is_some();
        if at.is_none() && is_narrowed {
            items.retain(|item| {
                let is = |test: &dyn Fn(i64) -> bool| item.deleted_at.is_some_and(test);
                filters.test(Filter("A..B"), is(&|main| main > after && main <= to))
                    && filters.test(Filter("--since"), is(&|main| main >= since))
                    && filters.test(Filter("--until"), is(&|main| main <= until))
            });
        }
        if let Some(labels) = selection.labels() {
            items.retain(|item| {
                let record = item.restored.map_or(item.last, |event| event.record);
                let has_labels = question.objects().has_labels(&record, labels);
                filters.test(Filter("-l"), has_labels)
            });
        }
        Ok(())
    }
}
