//! A watch: its keys, the revision that it begins with, and the events that it selects.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use crate::bbolt::Direction;
use crate::etcd::store::RevisionUnavailable;
use crate::etcd::succession::Successions;
use crate::etcd::{AtRevision, PlacedRecord, Store};
use crate::k8s::Order;
use crate::k8s::object::as_kubectl_shows;

use super::address::Address;
use super::filters::Filter;
use super::key_range::{KeyRange, RangeEnd};
use super::no_answer::NoAnswer;
use super::notice::{EventsLeftOut, Notice};
use super::objects::ReadValue;
use super::question::Question;
use super::refusal::Refusal;
use super::resolve::{only_one, resolve};
use super::revision::RevisionExpr;
use super::select::{Exclude, Selection, Which};

pub use crate::etcd::{Event, EventType, Record};

/// Which events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Creations and updates.
    Put,
    /// Deletions.
    Delete,
}

/// A watch as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct WatchRequest {
    /// The words: objects, keys or a range of keys.
    pub which: Which,
    /// Resources that are left out.
    pub exclude: Exclude,
    /// All keys that begin with the word.
    pub prefix: bool,
    /// All keys from the word on.
    pub from_key: bool,
    /// The first main revision.
    pub rev: Option<i64>,
    /// The last main revision.
    pub to: Option<i64>,
    /// The time of the first event, as typed.
    pub since: Option<String>,
    /// The time of the last event, as typed.
    pub until: Option<String>,
    /// Only these events.
    pub op: Option<Op>,
}

/// What is watched.
#[derive(Debug)]
struct Wanted {
    /// The keys, if they are named as etcd names them.
    range: Option<KeyRange>,
    selection: Selection,
}

/// A watch whose words were understood, and which a server has not accepted yet.
#[derive(Debug)]
pub struct ResolvedWatch<'q, 'a> {
    question: &'q Question<'a>,
    wanted: Wanted,
    /// The first main revision that was asked for.
    first: Option<i64>,
    /// The last main revision.
    last: i64,
    /// `--to`, if it was given.
    to: Option<i64>,
    op: Option<Op>,
}

impl WatchRequest {
    /// Resolves the words and the times.
    ///
    /// # Errors
    /// If a word, a revision or a time has no meaning in this store.
    pub fn resolve<'q, 'a>(
        &self,
        question: &'q Question<'a>,
    ) -> Result<ResolvedWatch<'q, 'a>, NoAnswer> {
        let (wanted, rev) = self.wanted(question)?;
        let (since, until) = self.period(question)?;
        Ok(ResolvedWatch {
            question,
            wanted,
            first: rev.or(since),
            last: self.to.unwrap_or(until),
            to: self.to,
            op: self.op,
        })
    }

    /// What is watched, and the first revision if one is named.
    fn wanted(&self, question: &Question<'_>) -> Result<(Wanted, Option<i64>), NoAnswer> {
        let (store, keyring) = (question.store(), question.keyring());
        let stores = [(store, AtRevision::HEAD)];
        if self.prefix || self.from_key {
            let range = KeyRange::parse(self.which.words(), self.prefix, self.from_key)?;
            let wanted = Wanted {
                range: Some(range),
                selection: Selection::default().without(&self.exclude, &stores, keyring)?,
            };
            return Ok((wanted, self.rev));
        }
        let (which, own) = self.which.split_revision(store)?;
        if let (Some(own), Some(time)) = (own, &self.since) {
            return Err(NoAnswer::RevisionAndTime {
                own,
                time: time.clone(),
                flag: "--since",
            });
        }
        only_one(own, self.rev.map(RevisionExpr::Main), "--rev")?;
        let own = own.map(|own| resolve(own, question, &which)).transpose()?;
        let selection = which.select(&stores, keyring)?;
        let selection = selection.without(&self.exclude, &stores, keyring)?;
        let range = match selection.addresses() {
            [
                Address::Key(start) | Address::Prefix(start),
                Address::Key(end) | Address::Prefix(end),
            ] => Some(KeyRange {
                start: start.clone(),
                end: RangeEnd::from_bytes(end.clone()),
            }),
            _ => None,
        };
        let wanted = Wanted { range, selection };
        Ok((wanted, own.map(|own| own.0).or(self.rev)))
    }

    /// The revisions of the times. Events before the compacted revision are not all retained: a watch begins there at
    /// the earliest.
    fn period(&self, question: &Question<'_>) -> Result<(Option<i64>, i64), NoAnswer> {
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
}

impl Wanted {
    fn covers(&self, key: &[u8]) -> bool {
        match &self.range {
            Some(range) => range.covers(key) && !self.selection.leaves_out(key),
            None => self.selection.covers(key),
        }
    }

    /// The address that names it, if there is one.
    fn address(&self) -> Option<Cow<'_, Address>> {
        match &self.range {
            Some(range) => range.address().map(Cow::Owned),
            None => self.selection.addresses().first().map(Cow::Borrowed),
        }
    }
}

impl<'q, 'a> ResolvedWatch<'q, 'a> {
    /// Starts the watch as a server does.
    ///
    /// # Errors
    /// If a server cancels it at once: its first revision is compacted or no revision, or its range is empty.
    pub fn start(self) -> Result<Watch<'q, 'a>, Refusal> {
        let first = first_revision(self.first, self.question.store());
        let is_upside_down = |range: &KeyRange| range.is_upside_down();
        let is_no_revision = first.is_err() && self.first.is_some_and(|asked| asked < 0);
        if !is_no_revision && self.wanted.range.as_ref().is_some_and(is_upside_down) {
            return Err(Refusal::EmptyWatchRange);
        }
        Ok(Watch {
            from: first?,
            resolved: self,
        })
    }
}

/// The revision to begin with. All events of the compacted revision itself are retained.
fn first_revision(asked: Option<i64>, store: &Store<'_>) -> Result<i64, Refusal> {
    let compacted = store.compact_revision();
    // In a request 0 is no revision.
    let Some(asked) = asked.filter(|revision| *revision != 0) else {
        return Ok(compacted);
    };
    if asked >= compacted && asked > 0 {
        return Ok(asked);
    }
    Err(Refusal::Unavailable(RevisionUnavailable::Compacted {
        asked,
        compacted,
    }))
}

/// Whether an object was in the answer before an event, and is after it, for a watch of objects with labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Presence {
    before: bool,
    after: bool,
}

/// What the API server sends to kubectl for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectEventType {
    /// The object is new in the answer.
    Added,
    /// It was written again.
    Modified,
    /// It was deleted, or is no longer in the answer.
    Deleted,
}

impl ObjectEventType {
    /// The API server's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// What a pass over the records found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Whether an event was passed on.
    pub has_events: bool,
    /// Whether a watched key has a record, at whichever revision.
    pub is_watched: bool,
}

/// A watch that a server accepts.
#[derive(Debug)]
pub struct Watch<'q, 'a> {
    resolved: ResolvedWatch<'q, 'a>,
    from: i64,
}

impl<'a> Watch<'_, 'a> {
    /// Checks that the last revision is not before the first.
    ///
    /// # Errors
    /// If it is.
    pub fn check_end(&self) -> Result<(), NoAnswer> {
        match self.resolved.to.filter(|to| *to < self.from) {
            Some(to) => Err(NoAnswer::ToBeforeFirst {
                to,
                first: self.from,
            }),
            None => Ok(()),
        }
    }

    /// Passes the selected events to `see`, in the order of writing. The put before an event is kept only if
    /// `with_previous` asks for it, or the labels of objects need it: it takes memory for each key.
    ///
    /// # Errors
    /// Those of `see`.
    pub fn events<E>(
        &self,
        with_previous: bool,
        mut see: impl FnMut(&Event<'a>) -> Result<(), E>,
    ) -> Result<Seen, E> {
        let store = self.resolved.question.store();
        let with_previous = with_previous || self.resolved.wanted.selection.labels().is_some();
        let mut seen = Seen::default();
        let mut puts: HashMap<Box<[u8]>, Record<'a>> = HashMap::new();
        let mut successions = Successions::default();
        for record in store.records(Direction::Forward) {
            if record.revision.main > self.resolved.last {
                break;
            }
            if record.is_bump_mark() || !self.resolved.wanted.covers(record.key) {
                continue;
            }
            seen.is_watched = true;
            successions.see(store, &record);
            let previous = if !with_previous {
                None
            } else if record.tombstone {
                puts.remove(record.key)
            } else if let Some(known) = puts.get_mut(record.key) {
                Some(std::mem::replace(known, record))
            } else {
                puts.insert(record.key.into(), record);
                None
            };
            if record.revision.main < self.from {
                continue;
            }
            let event_type = EventType::from_record(&record);
            let event = Event {
                record,
                event_type,
                previous: previous
                    .filter(|_| event_type != EventType::Create)
                    .map(PlacedRecord::from),
            };
            if self.is_selected(&event) {
                see(&event)?;
                seen.has_events = true;
            }
        }
        Ok(seen)
    }

    /// Passes the selected events to `see` as the API server sends them to kubectl: with the object and its
    /// managedFields. The object of a deletion is the last one, with the revision of the deletion. Events without an
    /// object are left out, and counted in a notice.
    ///
    /// # Errors
    /// Those of `see`.
    pub fn objects<E>(
        &self,
        mut see: impl FnMut(ObjectEventType, &Value) -> Result<(), E>,
    ) -> Result<Seen, E> {
        let objects = self.resolved.question.objects();
        let mut has_events = false;
        let mut left_out = EventsLeftOut::default();
        let seen = self.events(true, |event| {
            let presence = self.presence(event);
            let (event_type, record) = match (presence.before, presence.after) {
                (false, true) => (ObjectEventType::Added, Some(event.record)),
                (true, true) => (ObjectEventType::Modified, Some(event.record)),
                (_, false) => (ObjectEventType::Deleted, event.previous_record()),
            };
            let Some(record) = record else {
                left_out.without_object = left_out.without_object.saturating_add(1);
                return Ok(());
            };
            let ReadValue::Object(mut object, _) = objects.read(&record, Order::Declared.into())
            else {
                left_out.no_object = left_out.no_object.saturating_add(1);
                return Ok(());
            };
            has_events = true;
            as_kubectl_shows(&mut object, event.record.revision.main, true);
            see(event_type, &object)
        })?;
        let notices = self.resolved.question.notices();
        notices.add(Notice::EventsLeftOut(left_out));
        Ok(Seen { has_events, ..seen })
    }

    /// The put before an event as a server sends it: a server does not send one at the compacted revision.
    pub fn served_previous(&self, event: &Event<'a>) -> Option<Record<'a>> {
        let compacted = self.resolved.question.store().compact_revision();
        let is_known = event.record.revision.main > compacted;
        event.previous_record().filter(|_| is_known)
    }

    fn is_selected(&self, event: &Event<'_>) -> bool {
        let is_of_type = match self.resolved.op {
            Some(Op::Put) => event.event_type != EventType::Delete,
            Some(Op::Delete) => event.event_type == EventType::Delete,
            None => true,
        };
        let filters = self.resolved.question.filters();
        filters.test(Filter("--op"), is_of_type)
            && filters.test(Filter("-l"), self.presence(event) != Presence::default())
    }

    /// Whether the objects before and after an event have the labels that are asked for.
    fn presence(&self, event: &Event<'_>) -> Presence {
        let Some(labels) = self.resolved.wanted.selection.labels() else {
            return Presence {
                before: event.event_type != EventType::Create,
                after: event.event_type != EventType::Delete,
            };
        };
        let objects = self.resolved.question.objects();
        let has_labels = |record: &Record<'_>| objects.has_labels(record, labels);
        Presence {
            before: event.previous_record().as_ref().is_some_and(has_labels),
            after: event.event_type != EventType::Delete && has_labels(&event.record),
        }
    }

    /// Why no event was passed on.
    pub fn why_nothing(&self, seen: Seen) -> NoAnswer {
        let (question, wanted) = (self.resolved.question, &self.resolved.wanted);
        let current = question.store().current_revision();
        let selection = &wanted.selection;
        let no_event = |current| NoAnswer::NoEvent {
            from: self.from,
            current,
        };
        if self.from > current {
            return no_event(Some(current));
        }
        match wanted.address() {
            Some(_) if !seen.is_watched && !selection.addresses().is_empty() => selection
                .why_empty(question, AtRevision::HEAD, |_| false, true)
                .unwrap_or_else(|| no_event(None)),
            Some(address) if !seen.is_watched => {
                question.missing(&address, selection.catalog(), AtRevision::HEAD)
            }
            _ => selection
                .why_empty(question, AtRevision::HEAD, |_| true, true)
                .unwrap_or_else(|| no_event(None)),
        }
    }
}
