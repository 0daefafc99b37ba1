//! `log`: the retained events of objects and keys.

mod all_evidence;
mod print;

pub use print::changed;

use std::path::PathBuf;

use clap::ValueEnum;
use jiff::tz::TimeZone;

use crate::cli::args::{Database, RowFormat};
use crate::cli::by_manager::ManagerArg;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::{Exclude, Where};
use crate::cli::sources::Sources;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::Origins;
use crate::query::event_log::{EventFilters, EventLog, EventType};
use crate::view::time::Times;

/// Show the history of objects or keys, newest first
///
/// ADDRESS is an object, a resource or a prefix; without it the whole store is listed. A..B limits the list to events
/// after revision A up to B. FIELD MANAGERS are those whose managedFields entry is new, has another time, or owns more
/// fields than in the version before. TIME is exact if the object contains it, otherwise an interval between the
/// objects written before and after it: etcd stores no times.
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
    /// Leave out the status of objects
    ///
    /// Events that changed nothing but the status are left out.
    #[arg(long)]
    exclude_status: bool,
    /// Only the newest N events
    ///
    /// As in git, -n N works too, because no namespace is named by a number.
    #[arg(long, alias = "max-count", value_name = "N")]
    limit: Option<usize>,
    /// Print one short line per event
    #[arg(long, conflicts_with = "output")]
    oneline: bool,
    /// Show the changed fields of each event
    #[arg(short, long, conflicts_with = "output")]
    patch: bool,
    /// Show how many fields each event changed
    #[arg(long)]
    stat: bool,
    /// Print the oldest event first
    #[arg(long)]
    reverse: bool,
    /// Only these events
    #[arg(long, value_name = "OP", value_delimiter = ',')]
    op: Vec<Op>,
    /// Group the events by transaction
    #[arg(long)]
    by_txn: bool,
    /// Only events that change how often TEXT occurs in the object, as in git
    #[arg(short = 'S', value_name = "TEXT")]
    text: Option<String>,
    /// Only events that change a field which matches REGEX
    ///
    /// A field is matched as the line `path: value`: `-G '^spec.replicas: 0'`.
    #[arg(short = 'G', value_name = "REGEX")]
    regex: Option<String>,
    /// Only events at this time or later: 21:05, 10m ago
    ///
    /// Forms: 2026-11-20T21:05:00Z; 21:05 on the day of the newest time in the file; 10m before that time. See `etcdive
    /// help times`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Only events at this time or earlier
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Show the value that each event wrote, exactly as stored
    #[arg(long)]
    values: bool,
    /// List all evidence: database, freed pages and log
    ///
    /// Each row has its source and how certain it is. The write-ahead log is the one in the data directory, or that of
    /// --wal=DIR. Requests that failed or were never applied are listed too.
    #[arg(long, conflicts_with_all = ["oneline", "patch", "stat", "by_txn", "values", "why_time"])]
    timeline: bool,
    /// Show how long before the newest time in the file each event was
    ///
    /// Ages are counted from the newest time in the file, as the times of --since are, not from now: a file is looked
    /// at days later, and its answer stays the same. For an interval both ages are shown.
    /// Example: etcdive log DB deploy/web -n shop --ago
    #[arg(long)]
    ago: bool,
    /// Show times in the time zone of this machine, each with its offset
    ///
    /// The variable TZ names another zone. Without this flag all times are in UTC, as in logs of etcd and Kubernetes;
    /// JSON is always in UTC. Example: TZ=Europe/Berlin etcdive log DB --local
    #[arg(long)]
    local: bool,
    /// Show how each time was inferred
    #[arg(long, conflicts_with = "output")]
    why_time: bool,
    /// Show the values of Secrets in -p instead of masking them
    #[arg(long)]
    show_secrets: bool,
    /// Output format
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
    /// Creations and updates
    Put,
}

words!(Op);

impl Op {
    fn event_types(self) -> &'static [EventType] {
        match self {
            Self::Create => &[EventType::Create],
            Self::Update => &[EventType::Update],
            Self::Delete => &[EventType::Delete],
            Self::Put => &[EventType::Create, EventType::Update],
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

    fn is_wide(&self) -> bool {
        self.output == RowFormat::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        self.refuse_in_json()?;
        let question = run.question()?;
        let filters = self.filters();
        let log = Log {
            args: self,
            times: if self.local {
                Times::in_zone(TimeZone::system())
            } else {
                Times::default()
            },
            log: EventLog::read(&question, &filters)?,
            run,
        };
        if self.timeline {
            let answer = log.print_all_evidence(out)?;
            return Ok(question.finish(answer));
        }
        let mut events = log.log.newest()?;
        if self.reverse {
            events.reverse();
        }
        log.print(&events, out)?;
        Ok(question.finish(Answer::Yes))
    }
}

impl Args {
    /// Refuses what only a table has, if JSON is asked for.
    fn refuse_in_json(&self) -> Result<(), Failure> {
        let for_people = [
            ("--oneline", self.oneline),
            ("-p", self.patch),
            ("--stat", self.stat),
            ("--by-txn", self.by_txn),
            ("--why-time", self.why_time),
            ("--ago", self.ago),
            ("--local", self.local),
        ];
        match for_people.into_iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) if !self.output.is_table() => Err(Failure::cannot(format!(
                "{flag} cannot be used with -o json or jsonl"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether each event is printed as `--oneline` prints it: without columns, and without its time.
    fn is_oneline(&self) -> bool {
        self.oneline || self.by_txn
    }

    /// Whether the time or the age of each event is printed.
    fn shows_times(&self) -> bool {
        self.ago || !self.is_oneline()
    }

    fn filters(&self) -> EventFilters {
        let types = self.op.iter().flat_map(|op| op.event_types());
        EventFilters {
            which: self.which.asked(),
            exclude: self.exclude.asked(),
            types: types.copied().collect(),
            by_manager: self.by_manager.filter(),
            exclude_status: self.exclude_status,
            text: self.text.clone(),
            regex: self.regex.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            limit: self.limit,
            show_secrets: self.show_secrets,
            with_times: self.why_time || self.shows_times(),
        }
    }
}

/// One run of the verb.
struct Log<'g, 'a> {
    args: &'g Args,
    times: Times,
    log: EventLog<'g, 'a>,
    run: &'g Run<'g>,
}
