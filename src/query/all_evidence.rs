//! All that the database, freed pages and the write-ahead log contain of the objects asked for, in one list; each row
//! with its certainty.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use crate::arrange::Arrange as _;
use crate::etcd::wal::replay::AppliedEntries;
use crate::etcd::wal::writes::Change;
use crate::etcd::wal::{Checksum, State};

use super::event_log::{Event, EventLog, EventType};
use super::log_contradictions::LogContradictions;
use super::logs::Logs;

pub use crate::etcd::record::{Grade, Origin};
pub use crate::etcd::wal::replay::Applied;
pub use crate::etcd::wal::{Entry, Request, Wal, writes};

/// An event, a request of the write-ahead log, or both.
#[derive(Debug)]
pub struct EvidenceRow<'r, 'a> {
    /// The event.
    pub event: Option<Event<'a>>,
    /// The request with its entry. The events of one transaction share it.
    pub request: Option<(&'r Entry<'r>, Rc<Request<'r>>)>,
    applied: Option<Applied>,
    is_contradicted: bool,
}

/// How certain it is that a row is a part of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// The record of an event has this origin.
    Record(Origin),
    /// The entry of a request is damaged.
    Damaged,
    /// Another leader replaced the entry.
    Replaced,
    /// Nothing proves that the entry was committed.
    Uncommitted,
    /// It was applied, and changed nothing.
    ChangedNothing,
    /// It was applied, and changed other keys.
    ChangedOthers,
    /// It was applied, at an unknown revision.
    UnknownRevision,
    /// The database claims to have applied the entry, and does not have its write.
    Contradicted,
}

impl EvidenceRow<'_, '_> {
    /// How certain the row is.
    pub fn certainty(&self) -> Certainty {
        if let Some(event) = &self.event {
            return Certainty::Record(event.record.origin);
        }
        match (&self.request, self.applied) {
            (Some((entry, _)), _) if entry.checksum == Checksum::Wrong => Certainty::Damaged,
            (Some((entry, _)), _) if entry.state == State::Replaced => Certainty::Replaced,
            (Some((entry, _)), _) if entry.state == State::Uncommitted => Certainty::Uncommitted,
            _ if self.is_contradicted => Certainty::Contradicted,
            (_, Some(Applied { main: None, .. })) => Certainty::ChangedNothing,
            (_, Some(_)) => Certainty::ChangedOthers,
            _ => Certainty::UnknownRevision,
        }
    }
}

/// The rows of all evidence.
#[derive(Debug)]
pub struct AllEvidence<'r, 'a> {
    /// The rows, oldest first.
    pub rows: Vec<EvidenceRow<'r, 'a>>,
    /// How many requests were left out because a filter asks what events changed.
    pub left_out: usize,
}

/// The write-ahead log next to the database of an event log. Empty without such a log.
pub fn wal_of<'a>(log: &EventLog<'_, 'a>) -> Wal<'a> {
    let logs = log.question.evidence().logs();
    logs.map(Logs::wal).unwrap_or_default()
}

impl<'r, 'a> AllEvidence<'r, 'a> {
    /// The events that pass the filters, and the requests for the selected keys that became no event: the newest rows,
    /// at most as many as were asked for.
    pub fn read(log: &EventLog<'_, 'a>, wal: &'r Wal<'r>) -> Self {
        let mut events = log.matching();
        events.reverse();
        let events: Vec<Event<'a>> = events.iter().collect();
        log.note_history(events.is_empty());
        let known = AppliedEntries::from_wal(wal, Some(log.question.store()));
        let contradictions = LogContradictions::read(wal, &known, log.question.store());
        if let Some(notice) = contradictions.notice() {
            log.question.notices().add(notice);
        }
        let known = Known {
            applied: &known,
            contradictions: &contradictions,
        };
        let mains = (0..log.all.len()).filter_map(|index| log.all.revision(index));
        let mains: HashSet<i64> = mains.map(|revision| revision.main).collect();
        let asks_of_objects = asks_of_objects(log);
        let mut left_out = 0_usize;
        let mut rows = rows(&events, &mains, wal, known, &mut |request, after| {
            let period = &log.period;
            let is_in_time = period.first() <= after.saturating_add(1) && after <= period.last();
            let selection = &log.selection;
            if !is_in_time || !may_change(request, &|key| selection.covers(key)) {
                return false;
            }
            left_out = left_out.saturating_add(usize::from(asks_of_objects));
            !asks_of_objects && is_of_type(request, &log.filters.types)
        });
        rows.drain(..rows.len().saturating_sub(log.limit));
        Self { rows, left_out }
    }
}

/// Whether a filter looks at the objects of an event.
fn asks_of_objects(log: &EventLog<'_, '_>) -> bool {
    let filters = log.filters;
    log.selection.labels().is_some()
        || filters.text.is_some()
        || filters.regex.is_some()
        || filters.by_manager.name().is_some()
        || filters.exclude_status
}

/// Whether a request names a key that is wanted, to put or to delete it.
fn may_change(request: &Request<'_>, wanted: &(dyn Fn(&[u8]) -> bool + Sync)) -> bool {
    let changes = writes::changes(request);
    changes.iter().any(|(_, change)| wanted(change.key()))
}

/// Whether a request asks for an event of one of the types. A put may create a key or update it.
fn is_of_type(request: &Request<'_>, types: &[EventType]) -> bool {
    let is_asked_for = |change: &Change<'_>| match change {
        Change::Put(_) => types.iter().any(|wanted| *wanted != EventType::Delete),
        Change::Delete(_) => types.contains(&EventType::Delete),
    };
    let changes = writes::changes(request);
    types.is_empty() || changes.iter().any(|(_, change)| is_asked_for(change))
}

/// What is known of the entries of the log.
#[derive(Debug, Clone, Copy)]
struct Known<'k> {
    /// Their results.
    applied: &'k AppliedEntries,
    /// Which of them the database contradicts.
    contradictions: &'k LogContradictions,
}

/// The events, each with its request, and the wanted requests that became no event, oldest first. `wanted` gets a
/// request and the revision that it follows. `all_mains` are the revisions of all events, left out or not.
fn rows<'r, 'a>(
    events: &[Event<'a>],
    all_mains: &HashSet<i64>,
    wal: &'r Wal<'r>,
    known: Known<'_>,
    wanted: &mut dyn FnMut(&Request<'_>, i64) -> bool,
) -> Vec<EvidenceRow<'r, 'a>> {
    let mains = events.iter().map(|event| event.record.revision.main);
    let mains: HashSet<i64> = mains.collect();
    let mut by_main: BTreeMap<i64, (&Entry<'_>, Rc<Request<'_>>)> = BTreeMap::new();
    // A request without a revision follows the revision of the entry before it.
    let mut without_event: Vec<(i64, EvidenceRow<'_, '_>)> = Vec::new();
    let mut newest = 0_i64;
    for entry in &wal.entries {
        let applied = known.applied.applied(entry);
        let is_contradicted = known.contradictions.contains(entry);
        let main = applied.and_then(|applied| applied.main);
        newest = main.unwrap_or(newest).max(newest);
        // The database has another event at the revision of a contradicted entry.
        let main = main.filter(|_| !is_contradicted);
        let request = entry.request();
        if let Some(main) = main.filter(|main| mains.contains(main)) {
            // A request need not name the key of its event: it may delete a range.
            by_main.insert(main, (entry, Rc::new(request)));
        } else if main.is_none_or(|main| !all_mains.contains(&main)) && wanted(&request, newest) {
            let row = EvidenceRow {
                event: None,
                request: Some((entry, Rc::new(request))),
                applied,
                is_contradicted,
            };
            without_event.push((newest, row));
        }
    }
    let of_event = |event: &Event<'a>| {
        let main = event.record.revision.main;
        let row = EvidenceRow {
            event: Some(*event),
            request: by_main.get(&main).cloned(),
            applied: None,
            is_contradicted: false,
        };
        ((main, 0), row)
    };
    let mut rows: Vec<((i64, u8), EvidenceRow<'_, '_>)> = events.iter().map(of_event).collect();
    let without_event = without_event.into_iter();
    rows.extend(without_event.map(|(main, row)| ((main, 1), row)));
    rows.arrange_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}
