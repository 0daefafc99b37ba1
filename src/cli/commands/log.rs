//! `log`: the retained events of objects and keys.

mod print;
mod sources;

pub use print::{changed, without_previous};

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::address::Address;
use crate::cli::args::{Database, RowFormat, resolve_events};
use crate::cli::compare::Comparison;
use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::missing::not_found_among;
use crate::cli::objects::{Objects, Told};
use crate::cli::out::Out;
use crate::cli::select::{Exclude, Selection, Where};
use crate::cli::sources::Sources;
use crate::cli::timeline::Timeline;
use crate::cli::writers::ByManager;
use crate::cli::{Answer, Run, Verb, report};
use crate::etcd::{Event, EventType, Events, Record, Store};
use crate::k8s::Order;
use crate::k8s::search::{Matcher, PatternError, pickaxe_g, pickaxe_s};

/// List the retained revisions of objects or keys, newest first
///
/// ADDRESS may be one object, a resource, a prefix or nothing, which is the whole store; A..B are the
/// events after revision A up to B. MANAGERS are those whose managedFields entry is new, has another time
/// or owns more fields than in the version before. TIME is exact where the object tells it, else the
/// interval that the objects written before and after tell; etcd itself keeps no times.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    exclude: Exclude,
    #[command(flatten)]
    by_manager: ByManager,
    /// Leave out the status of objects, and events that changed nothing else
    #[arg(long)]
    exclude_status: bool,
    /// Only the newest N events; git's -n N is understood too
    #[arg(long, alias = "max-count", value_name = "N")]
    limit: Option<usize>,
    /// One short line an event
    #[arg(long, conflicts_with = "output")]
    oneline: bool,
    /// Show the changed fields of each event, values of Secrets masked
    #[arg(short, long, conflicts_with = "output")]
    patch: bool,
    /// Show how many fields each event changed
    #[arg(long, conflicts_with = "output")]
    stat: bool,
    /// The oldest first
    #[arg(long)]
    reverse: bool,
    /// Only these events
    #[arg(long, value_name = "OP", value_delimiter = ',')]
    op: Vec<Op>,
    /// Group the events by transaction
    #[arg(long, conflicts_with = "output")]
    by_txn: bool,
    /// Only events that change how often TEXT occurs in the object
    #[arg(short = 'S', value_name = "TEXT")]
    text: Option<String>,
    /// Only events that change a field whose line `path: value` matches REGEX: `^spec.replicas: 0`
    #[arg(short = 'G', value_name = "REGEX")]
    regex: Option<String>,
    /// Only events of this time or later: 2026-11-20T21:05:00Z, 21:05 on the newest day, or 10m before the newest time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Only events of this time or earlier
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Show the value that each event wrote, exactly
    #[arg(long)]
    values: bool,
    /// One list of all evidence: the database, freed pages, and the write-ahead log where it lies beside the database
    /// (or --wal=DIR), each row with its source and how certain it is; requests that failed or were never applied too
    #[arg(long, conflicts_with_all = ["oneline", "patch", "stat", "by_txn", "values", "why_time"])]
    timeline: bool,
    /// Show on what each time rests
    #[arg(long, conflicts_with = "output")]
    why_time: bool,
    /// Show the values of Secrets in -p
    #[arg(long)]
    show_secrets: bool,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Op {
    /// The first put of a key
    Create,
    /// A later put
    Update,
    /// A deletion
    Delete,
    /// Both kinds of put
    Put,
}

impl Op {
    fn is(self, event_type: EventType) -> bool {
        match self {
            Self::Create => event_type == EventType::Create,
            Self::Update => event_type == EventType::Update,
            Self::Delete => event_type == EventType::Delete,
            Self::Put => event_type != EventType::Delete,
        }
    }
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn sources(&self) -> Sources {
        if self.timeline {
            self.sources.clone().all()
        } else {
            self.sources.clone()
        }
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        let store = evidence.records()?;
        let (which, number) = self.which.split_number();
        let (which, range) = which.split_range()?;
        let (which, own) = which.split_revision(&store)?;
        let at = store.at(None)?;
        let selection = which.select(&[(&store, at)], run.keyring)?;
        let selection = selection.without(&self.exclude, &[(&store, at)], run.keyring)?;
        let events = Events::of(&store, |key| selection.covers(key));
        let there = |address: &Address| events.iter().any(|event| address.covers(event.record.key));
        if let Some(address) = selection.unanswered(there) {
            return Err(not_found_among(address, selection.catalog(), &store, at));
        }
        let (from, to) = resolve_events(range, own, &store, &which, run.keyring)?;
        let log = Log {
            args: self,
            objects: Objects::new(run.keyring, evidence),
            timeline: Timeline::of(&store, run.keyring),
            run,
            store: &store,
            evidence,
            single: selection.names_one(),
            text: matcher("-S", self.text.as_deref(), Matcher::text)?,
            regex: matcher("-G", self.regex.as_deref(), Matcher::regex)?
                .map(Matcher::with_whole_paths),
        };
        let period = log.period((from.0, to.0))?;
        let mut picked = log.pick(&events, &selection, period);
        let most = self.limit.or(number).unwrap_or(usize::MAX);
        if self.timeline {
            picked.reverse();
            let answer = log.print_sources(&picked, &events, (period, most), &selection, out);
            log.objects.conclude();
            return answer;
        }
        picked.truncate(most);
        if self.reverse {
            picked.reverse();
        }
        if picked.is_empty() {
            log.objects.conclude();
            let count = events.len();
            return Err(Failure::not_found(match count {
                0 => "there are no events".to_owned(),
                count => format!("none of {count} events is selected"),
            }));
        }
        log.print(&picked, out)?;
        log.objects.conclude();
        if self.output == RowFormat::Table && log.single {
            note_what_is_gone(&events, &store);
        }
        Ok(Answer::Yes)
    }
}

/// One run of the verb.
struct Log<'g, 'a> {
    args: &'g Args,
    objects: Objects<'g>,
    timeline: Timeline,
    run: &'g Run<'g>,
    store: &'g Store<'a>,
    evidence: &'g Evidence,
    /// One object or key was asked for.
    single: bool,
    text: Option<Matcher>,
    regex: Option<Matcher>,
}

/// What a flag looks for.
fn matcher(
    flag: &str,
    text: Option<&str>,
    read: impl Fn(&str) -> Result<Matcher, PatternError>,
) -> Result<Option<Matcher>, Failure> {
    let read = |text| read(text).map_err(|error| Failure::cannot(format!("{flag}: {error}")));
    text.map(read).transpose()
}

impl<'a> Log<'_, 'a> {
    /// The main revisions of the range and the times that were asked for, the first and the last.
    fn period(&self, (after, to): (i64, i64)) -> Result<(i64, i64), Failure> {
        let (since, until) = (self.args.since.as_ref(), self.args.until.as_ref());
        let (since, until) = self.timeline.range(since, until)?;
        Ok((after.saturating_add(1).max(since), to.min(until)))
    }

    /// The events that were asked for, newest first.
    fn pick(
        &self,
        events: &Events<'a>,
        selection: &Selection,
        (first, last): (i64, i64),
    ) -> Vec<Event<'a>> {
        let ops = &self.args.op;
        let mut filter = self.comparison();
        let picked = events.iter().rev().filter(|event| {
            let main = event.record.revision.main;
            first <= main
                && main <= last
                && (ops.is_empty() || ops.iter().any(|op| op.is(event.event_type)))
                && self.is_searched(event, selection)
                && self.args.by_manager.wrote(event, &self.objects)
                && !(self.args.exclude_status && changed_nothing(event, &mut filter))
        });
        picked.collect()
    }

    /// Whether an event's objects have the labels and the change that are asked for.
    fn is_searched(&self, event: &Event<'_>, selection: &Selection) -> bool {
        let (text, regex) = (&self.text, &self.regex);
        if selection.labels().is_none() && text.is_none() && regex.is_none() {
            return true;
        }
        let tree = |record: &Record<'_>| match self.objects.read(record, Order::Declared.into()) {
            Told::Object(tree, _) => Some(tree),
            Told::Plain => Some(String::from_utf8_lossy(record.value).into()),
            Told::Closed(error) => {
                // What is looked for may be in it.
                self.objects.report_closed(record, &error);
                None
            }
            Told::Undecodable(_) => None,
        };
        let new = (!event.record.tombstone)
            .then(|| tree(&event.record))
            .flatten();
        let old = event.previous.as_ref().and_then(tree);
        let labelled = selection.labels().is_none_or(|labels| {
            [&old, &new]
                .into_iter()
                .flatten()
                .any(|tree| labels.matches(tree))
        });
        labelled
            && text
                .as_ref()
                .is_none_or(|text| pickaxe_s(old.as_ref(), new.as_ref(), text))
            && regex
                .as_ref()
                .is_none_or(|regex| pickaxe_g(old.as_ref(), new.as_ref(), regex))
    }
}

/// Whether an event changed nothing of what is compared. What a creation or an update of a compacted version changed
/// is not known.
fn changed_nothing(event: &Event<'_>, filter: &mut Comparison<'_>) -> bool {
    let is_update = event.event_type == EventType::Update && event.previous.is_some();
    is_update && filter.fields(&changed(event)).is_empty()
}

/// Says how many versions compaction has taken: a history that starts at version 4 had three more.
fn note_what_is_gone(events: &Events<'_>, store: &Store<'_>) {
    if !store.beside().is_empty() {
        let missing = events.iter().map(|event| event.missing_versions());
        let missing = missing.fold(0, i64::saturating_add);
        if missing > 0 {
            report::note(&format!(
                "{missing} versions were compacted and are in no page of this file"
            ));
        }
        return;
    }
    if let Some(oldest) = events.get(0).map(|event| event.record)
        && !oldest.tombstone
        && oldest.version > 1
    {
        report::note(&format!(
            "{} earlier versions since it was created at revision {} were compacted (the store is compacted to {})",
            oldest.version.saturating_sub(1),
            oldest.create_revision,
            store.compact_revision()
        ));
        report::hint("--carve looks for them in freed pages");
    }
}
