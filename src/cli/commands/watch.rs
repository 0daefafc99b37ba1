//! `watch`: the events from a revision on, as they were sent to who watched.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use crate::bbolt::Direction;
use crate::cli::args::Database;
use crate::cli::etcdctl::range::{End, KeyRange};
use crate::cli::etcdctl::{WriteOut, unavailable};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::{Exclude, Where};
use crate::cli::{Answer, Run, Verb, report};
use crate::etcd::check::Successions;
use crate::etcd::store::RevisionUnavailable;
use crate::etcd::{AtRevision, Event, EventType, Record, Store};
use crate::k8s::object::as_kubectl_shows;
use crate::k8s::{Order, Sink};
use crate::query::address::Address;
use crate::query::filters::Filter;
use crate::query::objects::{Objects, Told};
use crate::query::resolve::only_one;
use crate::query::resolve::resolve;
use crate::query::revision::RevisionExpr;
use crate::query::select::Selection;
use crate::query::{NoAnswer, Question};
use crate::view::etcdctl::{WatchEvent, WatchWriter, write_watch_canceled};
use crate::view::json::{JsonStyle, JsonWriter, write_value};
use crate::view::json_rows::{Form, JsonRows, with_object};
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
    #[arg(long, conflicts_with_all = ["namespace", "labels"])]
    prefix: bool,
    /// All keys from the word on, which is a key then
    #[arg(long, conflicts_with_all = ["namespace", "labels"])]
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
        let store = question.store();
        let (wanted, rev) = self.wanted(&question)?;
        let (since, until) = self.period(&question)?;
        let from = match self.check(&wanted, first_revision(rev.or(since), store)) {
            Ok(from) => from,
            Err(refused) => return Err(self.refuse(refused, out)?),
        };
        if let Some(to) = self.to.filter(|to| *to < from) {
            return Err(Failure::cannot(format!(
                "the range is upside down: --to {to} is before revision {from}"
            )));
        }
        let watch = Watch {
            args: self,
            wanted: &wanted,
            question: &question,
            objects: question.objects(),
            from,
            to: self.to.unwrap_or(until),
            compacted: store.compact_revision(),
        };
        let seen = match self.output {
            None => watch.print_as_etcdctl(store, out),
            Some(form @ (Output::Json | Output::Jsonl)) => watch.print_json(store, form, out),
            Some(Output::K8s) => watch.print_k8s(store, out),
        }?;
        if seen.printed {
            return Ok(question.finish(Answer::Yes));
        }
        Err(watch.nothing(&seen, store))
    }
}

impl Args {
    /// What is watched, and from which revision on if one is named.
    fn wanted(&self, question: &Question<'_>) -> Result<(Wanted, Option<i64>), Failure> {
        let (store, keyring) = (question.store(), question.keyring());
        if self.prefix || self.from_key {
            let range = KeyRange::of(self.which.asked().words(), self.prefix, self.from_key)?;
            let stores = [(store, AtRevision::HEAD)];
            let wanted = Wanted {
                range: Some(range),
                selection: Selection::default().without(&self.exclude.asked(), &stores, keyring)?,
            };
            return Ok((wanted, self.rev));
        }
        let (which, own) = self.which.asked().split_revision(store)?;
        if let (Some(own), Some(time)) = (own, &self.since) {
            return Err(Failure::cannot(format!(
                "two revisions are named: {own}, and --since {time}"
            )));
        }
        only_one(own, self.rev.map(RevisionExpr::Main), "--rev")?;
        let own = own.map(|own| resolve(own, question, &which)).transpose()?;
        let stores = [(store, AtRevision::HEAD)];
        let selection = which.select(&stores, keyring)?;
        let selection = selection.without(&self.exclude.asked(), &stores, keyring)?;
        let range = match selection.addresses() {
            [
                Address::Key(start) | Address::Prefix(start),
                Address::Key(end) | Address::Prefix(end),
            ] => Some(KeyRange {
                start: start.clone(),
                end: End::of(end.clone()),
            }),
            _ => None,
        };
        let wanted = Wanted { range, selection };
        Ok((wanted, own.map(|own| own.0).or(self.rev)))
    }

    /// The revisions of --since and --until. Events before the compacted revision are not all retained: a watch begins
    /// there at the earliest.
    fn period(&self, question: &Question<'_>) -> Result<(Option<i64>, i64), Failure> {
        if self.since.is_none() && self.until.is_none() {
            return Ok((None, i64::MAX));
        }
        let timeline = question.timeline();
        let (since, until) = timeline.range(self.since.as_ref(), self.until.as_ref())?;
        let compacted = question.store().compact_revision();
        if self.since.is_some() && since < compacted {
            question.note_compacted(&|_| true, None);
        }
        Ok((self.since.as_ref().map(|_| since.max(compacted)), until))
    }

    /// What a server refuses: an answer that etcdctl prints, and a sentence.
    fn check(&self, wanted: &Wanted, from: Result<i64, Refused>) -> Result<i64, Refused> {
        let of_no_revision = matches!(
            &from,
            Err(Refused {
                compacted: None,
                ..
            })
        );
        if !of_no_revision && wanted.range.as_ref().is_some_and(KeyRange::is_upside_down) {
            return Err(Refused {
                compacted: None,
                failure: Failure::cannot("mvcc: watcher range is empty")
                    .hint("two keys are a range, and RANGE_END has to be after KEY"),
            });
        }
        from
    }

    /// Prints what a refusal is answered by.
    fn refuse(&self, refused: Refused, out: &mut Out) -> Result<Failure, Failure> {
        if self.output.is_none() {
            let format = self.write_out.unwrap_or_default().into();
            write_watch_canceled(format, refused.compacted, out)?;
            out.flush()?;
        }
        Ok(refused.failure)
    }
}

/// The revision to begin with. Of the compacted revision itself all events are retained.
fn first_revision(asked: Option<i64>, store: &Store<'_>) -> Result<i64, Refused> {
    let compacted = store.compact_revision();
    // In a request 0 is no revision.
    let Some(asked) = asked.filter(|revision| *revision != 0) else {
        return Ok(compacted);
    };
    if asked >= compacted && asked > 0 {
        return Ok(asked);
    }
    Err(Refused {
        compacted: (asked > 0).then_some(compacted),
        failure: unavailable(RevisionUnavailable::Compacted { asked, compacted }),
    })
}

/// A watch that a server cancels at once.
struct Refused {
    /// To which revision it is compacted, where that is why.
    compacted: Option<i64>,
    failure: Failure,
}

/// What is watched.
struct Wanted {
    /// Of keys, where they are named as etcd names them.
    range: Option<KeyRange>,
    selection: Selection,
}

impl Wanted {
    fn covers(&self, key: &[u8]) -> bool {
        match &self.range {
            Some(range) => range.covers(key) && !self.selection.leaves_out(key),
            None => self.selection.covers(key),
        }
    }

    /// The address that names it, where one does.
    fn address(&self) -> Option<Cow<'_, Address>> {
        match &self.range {
            Some(range) => range.address().map(Cow::Owned),
            None => self.selection.addresses().first().map(Cow::Borrowed),
        }
    }
}

/// Whether an object was there before an event, and is after it, for who watches objects with labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Change {
    before: bool,
    after: bool,
}

/// What a walk over the records came by.
#[derive(Debug, Default)]
struct Seen {
    /// An event was printed.
    printed: bool,
    /// There is a record of a key that is watched, at whichever revision.
    watched: bool,
    /// Deletions of an object that is not retained.
    without_object: usize,
    /// Events of what is no object.
    no_object: usize,
}

/// One run of the verb.
struct Watch<'w, 'a> {
    args: &'w Args,
    wanted: &'w Wanted,
    question: &'w Question<'a>,
    objects: &'w Objects<'a>,
    from: i64,
    to: i64,
    compacted: i64,
}

impl Watch<'_, '_> {
    /// Goes over the events in the order of writing. The record before an event is only looked for
    /// where somebody asks for it: it takes memory for each key.
    fn each<'a>(
        &self,
        store: &Store<'a>,
        with_previous: bool,
        mut tell: impl FnMut(&Event<'a>, &mut Seen) -> io::Result<()>,
    ) -> io::Result<Seen> {
        let mut seen = Seen::default();
        let mut values: HashMap<Box<[u8]>, Record<'a>> = HashMap::new();
        let mut successions = Successions::default();
        for record in store.records(Direction::Forward) {
            if record.revision.main > self.to {
                break;
            }
            if record.is_bump_mark() || !self.wanted.covers(record.key) {
                continue;
            }
            seen.watched = true;
            successions.see(store, &record);
            let previous = if !with_previous {
                None
            } else if record.tombstone {
                values.remove(record.key)
            } else if let Some(known) = values.get_mut(record.key) {
                Some(std::mem::replace(known, record))
            } else {
                values.insert(record.key.into(), record);
                None
            };
            if record.revision.main < self.from {
                continue;
            }
            let event_type = match (record.tombstone, record.version) {
                (true, _) => EventType::Delete,
                (false, 1) => EventType::Create,
                (false, _) => EventType::Update,
            };
            let event = Event {
                record,
                event_type,
                previous: previous.filter(|_| event_type != EventType::Create),
            };
            if self.is_selected(&event) {
                tell(&event, &mut seen)?;
            }
        }
        Ok(seen)
    }

    fn is_selected(&self, event: &Event<'_>) -> bool {
        let of_type = match self.args.op {
            Some(Op::Put) => event.event_type != EventType::Delete,
            Some(Op::Delete) => event.event_type == EventType::Delete,
            None => true,
        };
        let filters = self.question.filters();
        filters.test(Filter("--op"), of_type)
            && filters.test(Filter("-l"), self.change(event) != Change::default())
    }

    /// Whether the objects before and after an event have the labels that are asked for.
    fn change(&self, event: &Event<'_>) -> Change {
        let Some(labels) = self.wanted.selection.labels() else {
            return Change {
                before: event.event_type != EventType::Create,
                after: event.event_type != EventType::Delete,
            };
        };
        let has_them = |record: &Record<'_>| self.objects.has_labels(record, labels);
        Change {
            before: event.previous.as_ref().is_some_and(has_them),
            after: event.event_type != EventType::Delete && has_them(&event.record),
        }
    }

    fn print_as_etcdctl(&self, store: &Store<'_>, out: &mut Out) -> Result<Seen, Failure> {
        let format = self.args.write_out.unwrap_or_default().into();
        let mut writer = WatchWriter::new(out, format, store.current_revision());
        let prev_kv = self.args.prev_kv;
        let with_previous = prev_kv || self.wanted.selection.labels().is_some();
        let seen = self.each(store, with_previous, |event, seen| {
            seen.printed = true;
            // A server asks for the key at the revision before, which is compacted there.
            let is_known = event.record.revision.main > self.compacted;
            writer.event(WatchEvent {
                record: &event.record,
                previous: event.previous.as_ref().filter(|_| prev_kv && is_known),
            })
        })?;
        writer.finish()?;
        Ok(seen)
    }

    fn print_json(&self, store: &Store<'_>, form: Output, out: &mut Out) -> Result<Seen, Failure> {
        let mut rows = JsonRows::new(Form::array_if(form == Output::Json));
        let seen = self.each(store, true, |event, seen| {
            seen.printed = true;
            let row = event_json(event, &[]);
            let row = with_object(row, event.record.key, self.question.catalog());
            rows.row(&row, out)
        })?;
        rows.finish(out)?;
        Ok(seen)
    }

    /// kubectl takes an event as it comes from the API server, with managedFields, and prints it on
    /// one line (`k8s.io/cli-runtime/pkg/printers/json.go`). The object of a deletion is the last one,
    /// with the revision of the deletion.
    fn print_k8s(&self, store: &Store<'_>, out: &mut Out) -> Result<Seen, Failure> {
        let mut writer = JsonWriter::new(out, JsonStyle::Compact);
        let seen = self.each(store, true, |event, seen| {
            let change = self.change(event);
            let (kind, record) = match (change.before, change.after) {
                (false, true) => ("ADDED", Some(event.record)),
                (true, true) => ("MODIFIED", Some(event.record)),
                (_, false) => ("DELETED", event.previous),
            };
            let Some(record) = record else {
                seen.without_object = seen.without_object.saturating_add(1);
                return Ok(());
            };
            let told = self.objects.read(&record, Order::Declared.into());
            let Told::Object(mut object, _) = told else {
                seen.no_object = seen.no_object.saturating_add(1);
                return Ok(());
            };
            seen.printed = true;
            as_kubectl_shows(&mut object, event.record.revision.main, true);
            writer.begin_map();
            writer.key("type");
            writer.string(kind);
            writer.key("object");
            write_value(&object, Order::Sorted, &mut writer);
            writer.end_map();
            match writer.error() {
                Some(error) => Err(error.kind().into()),
                None => Ok(()),
            }
        })?;
        writer.finish()?;
        note_left_out(&seen);
        Ok(seen)
    }

    /// Why no event is left: an unknown namespace, or a filter.
    fn why_empty(&self) -> Option<NoAnswer> {
        let selection = &self.wanted.selection;
        selection.why_empty(self.question, AtRevision::HEAD, |_| true, true)
    }

    /// The failure for a watch without an event.
    fn nothing(&self, seen: &Seen, store: &Store<'_>) -> Failure {
        let current = store.current_revision();
        if self.from > current {
            return Failure::not_found(format!(
                "no event from revision {} on: the store's revision is {current}",
                self.from
            ));
        }
        match self.wanted.address() {
            Some(address) if !seen.watched => {
                let catalog = self.wanted.selection.catalog();
                let missing = self.question.missing(&address, catalog, AtRevision::HEAD);
                missing.into()
            }
            _ => match self.why_empty() {
                Some(why) => why.into(),
                None => Failure::not_found(format!(
                    "no such event from revision {} on",
                    self.from.max(1)
                )),
            },
        }
    }
}

/// Says which events kubectl's format has no place for.
fn note_left_out(seen: &Seen) {
    if seen.no_object > 0 {
        report::note(&format!(
            "events left out because their values are no objects that could be read: {}",
            seen.no_object
        ));
    }
    if seen.without_object > 0 {
        report::note(&format!(
            "deletions left out because what they deleted is compacted away: {}",
            seen.without_object
        ));
    }
}
