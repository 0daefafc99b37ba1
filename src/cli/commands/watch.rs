//! `watch`: the events from a revision on, as they were sent to who watched.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::Database;
use crate::cli::etcdctl::WriteOut;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::{Exclude, Where};
use crate::cli::{Answer, Run, Verb};
use crate::query::refusal::Refusal;
use crate::query::watch::{self, Seen, Watch, WatchRequest};
use crate::query::{NoAnswer, Question};
use crate::view::etcdctl::{WatchEvent, WatchWriter, write_watch_canceled};
use crate::view::json_rows::{Form, JsonRows, with_object};
use crate::view::kubectl_watch::ObjectEventWriter;
use crate::view::record::event_json;

/// Replay the events from a revision on, as `etcdctl watch` prints them
///
/// Two raw keys are a range, KEY and RANGE_END, which is not in it; one that ends in `/` is a prefix.
/// Without any word all keys are watched. Values are printed exactly, encrypted ones as they are stored
/// (with -o k8s: decrypted). Of the header a file knows the revision; the ids and the raft term are the
/// server's, and are 0 or absent. Events come as many in one response as a server sends to a watch that
/// has to catch up.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    exclude: Exclude,
    /// All keys that begin with the word, which is a key then
    #[arg(long, conflicts_with_all = ["namespace", "clusters", "labels"])]
    prefix: bool,
    /// All keys from the word on, which is a key then
    #[arg(long, conflicts_with_all = ["namespace", "clusters", "labels"])]
    from_key: bool,
    /// From this main revision on, instead of from the oldest whose events are all retained
    #[arg(long, value_name = "REV", allow_negative_numbers = true)]
    rev: Option<i64>,
    /// Up to this main revision
    #[arg(long, value_name = "REV", allow_negative_numbers = true)]
    to: Option<i64>,
    /// From this time on, or the oldest event that is retained: 2026-11-20T21:05:00Z, 21:05 on the newest day, or 10m
    /// before the newest time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "rev"
    )]
    since: Option<String>,
    /// Up to this time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "to"
    )]
    until: Option<String>,
    /// With the key's value before the event (-o has it always)
    #[arg(long)]
    prev_kv: bool,
    /// Only these events
    #[arg(long)]
    op: Option<Op>,
    /// How to print them, to the byte as etcdctl 3.6 does: simple unless -o is given
    #[arg(short = 'w', long, value_name = "FORMAT", conflicts_with = "output")]
    write_out: Option<WriteOut>,
    /// How to print them otherwise
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One JSON array of events, as log has it
    Json,
    /// The same, an event a line
    Jsonl,
    /// The objects, as `kubectl get --watch --output-watch-events -o json` prints them
    K8s,
}

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

    /// Prints what etcdctl prints of a watch that a server cancels.
    fn refuse(&self, refusal: Refusal, out: &mut Out) -> Result<Failure, Failure> {
        if self.output.is_none() {
            let format = self.write_out.unwrap_or_default().into();
            write_watch_canceled(format, refusal.compacted_of_watch(), out)?;
            out.flush()?;
        }
        Ok(NoAnswer::from(refusal).into())
    }

    fn print_as_etcdctl(
        &self,
        watch: &Watch<'_, '_>,
        current_revision: i64,
        out: &mut Out,
    ) -> Result<Seen, Failure> {
        let format = self.write_out.unwrap_or_default().into();
        let mut writer = WatchWriter::new(out, format, current_revision);
        let seen = watch.events(self.prev_kv, |event| {
            writer.event(WatchEvent {
                record: &event.record,
                previous: watch.served_previous(event).filter(|_| self.prev_kv),
            })
        })?;
        writer.finish()?;
        Ok(seen)
    }
}

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

fn print_objects(watch: &Watch<'_, '_>, out: &mut Out) -> Result<Seen, Failure> {
    let mut writer = ObjectEventWriter::new(out);
    let seen = watch.objects(|event_type, object| writer.event(event_type.as_str(), object))?;
    writer.finish()?;
    Ok(seen)
}
