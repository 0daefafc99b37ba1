//! `watch`: replays the events from a revision on, as an etcd server or an API server sends them to a watcher.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::Database;
use crate::cli::etcdctl::WriteOut;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::{Exclude, Where};
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::refusal::Refusal;
use crate::query::watch::{self, Seen, Watch, WatchRequest};
use crate::query::{NoAnswer, Question};
use crate::view::etcdctl::{WatchEvent, WatchWriter, write_watch_canceled};
use crate::view::json_rows::{Form, JsonRows, with_object};
use crate::view::kubectl_watch::ObjectEventWriter;
use crate::view::record::event_json;

/// Replay changes from a revision on, as `etcdctl watch` does
///
/// Without an ADDRESS all keys are watched. Two raw keys are a range: KEY and RANGE_END, which is excluded. A raw key
/// that ends in `/` is a prefix. Values are printed exactly; encrypted values are printed as stored, except with -o
/// k8s, which decrypts them. A file contains the revision of the response header, but not the ids and the raft term:
/// they are 0 or absent. Events are grouped into responses as a server does it for a watch that catches up.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    exclude: Exclude,
    /// Read ADDRESS as the start of keys
    #[arg(long, conflicts_with_all = ["namespace", "clusters", "labels"])]
    prefix: bool,
    /// Read ADDRESS as the first key of a range without an end
    #[arg(long, conflicts_with_all = ["namespace", "clusters", "labels"])]
    from_key: bool,
    /// Start at this main revision
    ///
    /// The default is the oldest revision whose events are all retained.
    #[arg(long, value_name = "REV", allow_negative_numbers = true)]
    rev: Option<i64>,
    /// Stop after this main revision
    #[arg(long, value_name = "REV", allow_negative_numbers = true)]
    to: Option<i64>,
    /// Start at this time: 21:05, 10m ago
    ///
    /// If events of that time are compacted, start at the oldest retained one. Forms: 2026-11-20T21:05:00Z; 21:05 on
    /// the day of the newest time in the file; 10m before that time.
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "rev"
    )]
    since: Option<String>,
    /// Stop after this time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "to"
    )]
    until: Option<String>,
    /// Print the key's value before the event too
    ///
    /// Formats of -o always have it.
    #[arg(long)]
    prev_kv: bool,
    /// Only these events
    #[arg(long)]
    op: Option<Op>,
    /// Print byte for byte as etcdctl 3.6 does
    ///
    /// The default is `simple`, unless -o is given.
    #[arg(short = 'w', long, value_name = "FORMAT", conflicts_with = "output")]
    write_out: Option<WriteOut>,
    /// Output format, instead of etcdctl's
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Output>,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Op {
    /// Creations and updates
    Put,
    /// Deletions
    Delete,
}

words!(Op);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One JSON array of events, as `log` prints it
    Json,
    /// One event per line
    Jsonl,
    /// Objects, as `kubectl get --watch --output-watch-events -o json` prints them
    K8s,
}

words!(Output);

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let question = run.question()?;
        let resolved = self.request().resolve(&question)?;
        let watch = match resolved.start() {
            Ok(watch) => watch,
            Err(refusal) => return Err(self.refuse(refusal, out)?),
        };
        watch.check_end()?;
        let seen = match self.output {
            None => self.print_as_etcdctl(&watch, question.store().current_revision(), out),
            Some(Output::Json) => print_json(&watch, &question, Form::array_if(true), out),
            Some(Output::Jsonl) => print_json(&watch, &question, Form::array_if(false), out),
            Some(Output::K8s) => print_objects(&watch, out),
        }?;
        if seen.has_events {
            return Ok(question.finish(Answer::Yes));
        }
        Err(watch.why_nothing(seen).into())
    }
}

impl Args {
    /// The arguments as a request to the query.
    fn request(&self) -> WatchRequest {
        WatchRequest {
            which: self.which.asked(),
            exclude: self.exclude.asked(),
            prefix: self.prefix,
            from_key: self.from_key,
            rev: self.rev,
            to: self.to,
            since: self.since.clone(),
            until: self.until.clone(),
            op: self.op.map(|op| match op {
                Op::Put => watch::Op::Put,
                Op::Delete => watch::Op::Delete,
            }),
        }
    }

    /// Prints what etcdctl prints when a server cancels the watch, unless -o is given. Returns the failure of the run;
    /// the error of this function is one of the output.
    fn refuse(&self, refusal: Refusal, out: &mut Out) -> Result<Failure, Failure> {
        if self.output.is_none() {
            let format = self.write_out.unwrap_or_default().into();
            write_watch_canceled(format, refusal.compacted_of_watch(), out)?;
            out.flush()?;
        }
        Ok(NoAnswer::from(refusal).into())
    }

    /// Prints the events byte for byte as etcdctl does. `current_revision` is that of the response headers.
    fn print_as_etcdctl(
        &self,
        watch: &Watch<'_, '_>,
        current_revision: i64,
        out: &mut Out,
    ) -> Result<Seen, Failure> {
        let format = self.write_out.unwrap_or_default().into();
        let mut writer = WatchWriter::new(out, format, current_revision);
        let seen = watch.events(self.prev_kv, |event| {
            let previous = watch.served_previous(event).filter(|_| self.prev_kv);
            writer.event(WatchEvent {
                record: &event.record,
                previous: previous.as_ref(),
            })
        })?;
        writer.finish()?;
        Ok(seen)
    }
}

/// Prints the events as rows of JSON, as `log` does.
fn print_json(
    watch: &Watch<'_, '_>,
    question: &Question<'_>,
    form: Form,
    out: &mut Out,
) -> Result<Seen, Failure> {
    let mut rows = JsonRows::new(form);
    let seen = watch.events(true, |event| {
        let row = event_json(event, &[]);
        rows.row(&with_object(row, event.record.key, question.catalog()), out)
    })?;
    rows.finish(out)?;
    Ok(seen)
}

/// Prints the events as `kubectl get --watch` does, with the object of each.
fn print_objects(watch: &Watch<'_, '_>, out: &mut Out) -> Result<Seen, Failure> {
    let mut writer = ObjectEventWriter::new(out);
    let seen = watch.objects(|event_type, object| writer.event(event_type.as_str(), object))?;
    writer.finish()?;
    Ok(seen)
}
