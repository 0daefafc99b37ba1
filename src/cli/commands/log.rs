//! `log`: the retained events of objects and keys.

mod print;
mod sources;

pub use print::changed;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::{Database, RowFormat};
use crate::cli::by_manager::ManagerArg;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::{Exclude, Where};
use crate::cli::sources::Sources;
use crate::cli::{Answer, Run, Verb};
use crate::etcd::{Event, EventType, Events, Record, Store};
use crate::k8s::Order;
use crate::k8s::search::{Matcher, PatternError, pickaxe_g, pickaxe_s};
use crate::query::address::Address;
use crate::query::compare::Comparison;
use crate::query::filters::Filter;
use crate::query::objects::{Objects, Told};
use crate::query::resolve::resolve_events;
use crate::query::select::Selection;
use crate::query::timeline::Timeline;
use crate::query::{Origins, Question};

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
    by_manager: ManagerArg,
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

    fn origins(&self) -> Origins {
        let origins = self.sources.origins();
        if self.timeline {
            origins.all()
        } else {
            origins
        }
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let question = run.question()?;
        let store = question.store();
        let (which, number) = self.which.asked().split_number();
        let (which, range) = which.split_range()?;
        let (which, own) = which.split_revision(store)?;
        let at = store.at(None)?;
        let selection = which.select(&[(store, at)], run.keyring)?;
        let selection = selection.without(&self.exclude.asked(), &[(store, at)], run.keyring)?;
        let events = Events::read(store, |key| selection.covers(key));
        let there = |address: &Address| events.iter().any(|event| address.covers(event.record.key));
        if let Some(why) = selection.why_empty(&question, at, there, events.is_empty()) {
            return Err(why.into());
        }
        let (from, to) = resolve_events(range, own, &question, &which)?;
        let log = Log {
            args: self,
            question: &question,
            objects: question.objects(),
            timeline: question.timeline(),
            run,
            store,
            single: selection.names_one(),
            text: matcher("-S", self.text.as_deref(), Matcher::text)?,
            regex: matcher("-G", self.regex.as_deref(), Matcher::regex)?
                .map(Matcher::with_whole_paths),
        };
        let period = log.period((from.0, to.0))?;
        let mut picked = log.pick(&events, &selection, &period);
        let most = self.limit.or(number).unwrap_or(usize::MAX);
        if self.timeline {
            picked.reverse();
            log.note_history(&events, &selection, &picked, &period);
            let answer = log.print_sources(&picked, &events, (&period, most), &selection, out)?;
            return Ok(question.finish(answer));
        }
        let is_cut = picked.len() > most;
        picked.truncate(most);
        if self.reverse {
            picked.reverse();
        }
        if !is_cut {
            log.note_history(&events, &selection, &picked, &period);
        }
        if picked.is_empty() {
            let manager = self.by_manager.filter();
            let unknown = manager
                .name()
                .and_then(|name| question.missing_manager(name));
            return Err(unknown.or_else(|| question.emptied()).map_or_else(
                || Failure::not_found("no events are retained"),
                Failure::from,
            ));
        }
        log.print(&picked, out)?;
        Ok(question.finish(Answer::Yes))
    }
}

/// Whether an event changed nothing of what is compared. What a creation or an update of a compacted version changed
/// is not known.
fn changed_nothing(event: &Event<'_>, filter: &mut Comparison<'_>) -> bool {
    let is_update = event.event_type == EventType::Update && event.previous.is_some();
    is_update && filter.fields(&changed(event)).is_empty()
}

/// Main revisions, both ends included.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    /// Those of `A..B`.
    range: (i64, i64),
    /// Those of `--since` and `--until`.
    time: (i64, i64),
}

impl Period {
    /// The first revision of both.
    pub fn first(&self) -> i64 {
        self.range.0.max(self.time.0)
    }

    /// The last revision of both.
    pub fn last(&self) -> i64 {
        self.range.1.min(self.time.1)
    }
}

/// One run of the verb.
struct Log<'g, 'a> {
    args: &'g Args,
    question: &'g Question<'a>,
    objects: &'g Objects<'a>,
    timeline: &'g Timeline,
    run: &'g Run<'g>,
    store: &'g Store<'a>,
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
    /// The revisions of the range, and those of --since and --until.
    fn period(&self, (after, to): (i64, i64)) -> Result<Period, Failure> {
        let (since, until) = (self.args.since.as_ref(), self.args.until.as_ref());
        Ok(Period {
            range: (after.saturating_add(1), to),
            time: self.timeline.range(since, until)?,
        })
    }

    /// The events that were asked for, newest first.
    fn pick(&self, events: &Events<'a>, selection: &Selection, period: &Period) -> Vec<Event<'a>> {
        let ops = &self.args.op;
        let mut filter = self.comparison();
        let by_manager = self.args.by_manager.filter();
        let picked = events.iter().rev().filter(|event| {
            let main = event.record.revision.main;
            let of_op = ops.is_empty() || ops.iter().any(|op| op.is(event.event_type));
            let is_of = |(first, last): (i64, i64)| first <= main && main <= last;
            let filters = self.question.filters();
            filters.test(Filter("A..B"), is_of(period.range))
                && filters.test(Filter("--since"), period.time.0 <= main)
                && filters.test(Filter("--until"), main <= period.time.1)
                && filters.test(Filter("--op"), of_op)
                && self.is_searched(event, selection)
                && filters.test(Filter("--manager"), by_manager.wrote(event, self.objects))
                && filters.test(
                    Filter("--exclude-status"),
                    !(self.args.exclude_status && changed_nothing(event, &mut filter)),
                )
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
        let filters = self.question.filters();
        filters.test(Filter("-l"), labelled)
            && text.as_ref().is_none_or(|text| {
                filters.test(Filter("-S"), pickaxe_s(old.as_ref(), new.as_ref(), text))
            })
            && regex.as_ref().is_none_or(|regex| {
                filters.test(Filter("-G"), pickaxe_g(old.as_ref(), new.as_ref(), regex))
            })
    }

    /// Reports from which revision on history is retained, unless the range or the time that was asked for begins
    /// later.
    fn note_history(
        &self,
        events: &Events<'_>,
        selection: &Selection,
        picked: &[Event<'_>],
        period: &Period,
    ) {
        if period.first() > self.store.compact_revision() && !picked.is_empty() {
            return;
        }
        let missing = self.single.then(|| {
            let missing = events.iter().map(|event| event.missing_versions());
            missing.fold(0, i64::saturating_add)
        });
        self.question
            .note_compacted(&|key| selection.covers(key), missing);
    }
}
