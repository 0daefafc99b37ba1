//! The history of one key, and the versions of keys.

use crate::bbolt::Direction;

use super::generation::{Generation, Transition};
use super::keyspace::Keyspace;
use super::record::Record;
use super::record_list::PlacedRecord;
use super::store::{AtRevision, Store};
use super::succession::{Predecessor, compare};

/// The effect of an event on its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// The first put of a generation.
    Create,
    /// A later put.
    Update,
    /// A tombstone.
    Delete,
}

impl EventType {
    /// The type of the event that a record is.
    pub fn from_record(record: &Record<'_>) -> Self {
        match record {
            Record {
                tombstone: true, ..
            } => Self::Delete,
            Record { version: 1, .. } => Self::Create,
            _ => Self::Update,
        }
    }

    /// `create`, `update` or `delete`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One retained event of a key, with the retained record before it.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The record.
    pub record: Record<'a>,
    /// Its type.
    pub event_type: EventType,
    /// The put before it in the same generation, if it is retained.
    pub previous: Option<PlacedRecord<'a>>,
}

impl<'a> Event<'a> {
    /// The record of the put before it.
    pub fn previous_record(&self) -> Option<Record<'a>> {
        self.previous.and_then(|previous| previous.record())
    }

    /// How many puts of its generation are missing between it and the put before it. 0 for a deletion, which stores no version.
    pub fn missing_versions(&self) -> i64 {
        let before = self.previous.map_or(0, |previous| previous.version);
        let put = self.event_type != EventType::Delete;
        let missing = self.record.version.saturating_sub(before).saturating_sub(1);
        if put { missing.max(0) } else { 0 }
    }
}

/// The retained history of one key, oldest first.
#[derive(Debug, Clone, Default)]
pub struct KeyHistory<'a> {
    /// Its events in the order of writing.
    pub events: Vec<Event<'a>>,
}

impl<'a> KeyHistory<'a> {
    /// Collects the events of `key`.
    pub fn read(store: &Store<'a>, key: &[u8]) -> Self {
        let mut history = Self::default();
        let is_of_key = |record: &Record<'_>| record.key == key && !record.is_bump_mark();
        store.visit_chosen(&is_of_key, &mut |record| history.push(store, record));
        history
    }

    fn push(&mut self, store: &Store<'_>, record: Record<'a>) {
        let event_type = EventType::from_record(&record);
        let last = self.events.last().map(|last| last.record);
        compare(
            store,
            last.as_ref().map(Predecessor::from).as_ref(),
            &record,
        );
        let previous = last.filter(|last| Generation::continues(last, &record));
        self.events.push(Event {
            record,
            event_type,
            previous: previous.map(PlacedRecord::from),
        });
    }

    /// The record that is the key's value at a revision of the store; none while the key does not exist.
    pub fn at(&self, store: &Store<'_>, at: AtRevision) -> Option<Record<'a>> {
        self.events
            .iter()
            .rev()
            .map(|event| event.record)
            .find(|record| store.is_evidence_for(record, at))
            .filter(|record| !record.tombstone)
    }
}

/// The retained versions of a live key since its creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VersionCounts {
    /// Number of versions.
    pub versions: u64,
    /// Length of all their values, in bytes.
    pub value_bytes: u64,
}

/// The versions of each live key of a keyspace, in its order.
pub fn version_counts(
    store: &Store<'_>,
    at: AtRevision,
    keyspace: &Keyspace<'_>,
) -> Vec<VersionCounts> {
    let mut folds = vec![VersionFold::default(); keyspace.live.len()];
    for record in store.records(Direction::Forward) {
        let place = keyspace
            .live
            .binary_search_by(|live| (*live.key).cmp(record.key));
        let Some(fold) = place.ok().and_then(|place| folds.get_mut(place)) else {
            continue;
        };
        if record.revision.main <= at.0 {
            fold.add(&record);
        }
    }
    folds.into_iter().map(|fold| fold.counts).collect()
}

/// Counts the versions of the newest generation of one key.
#[derive(Debug, Clone, Copy, Default)]
struct VersionFold {
    open: Option<Generation>,
    counts: VersionCounts,
}

impl VersionFold {
    fn add(&mut self, record: &Record<'_>) {
        let before = std::mem::replace(&mut self.open, Generation::after(record));
        if Transition::between(before, self.open) != Transition::Continues {
            self.counts = VersionCounts::default();
        }
        if !record.tombstone {
            let counts = &mut self.counts;
            counts.versions = counts.versions.saturating_add(1);
            counts.value_bytes = counts.value_bytes.saturating_add(record.value.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::record::Origin;
    use crate::etcd::revision::Revision;

    fn put(main: i64, create_revision: i64, version: i64) -> Record<'static> {
        Record {
            create_revision,
            mod_revision: main,
            version,
            value: b"value",
            ..Record::empty(Revision { main, sub: 0 }, b"key", Origin::Live)
        }
    }

    fn counts(records: &[Record<'_>]) -> (u64, u64) {
        let mut fold = VersionFold::default();
        records.iter().for_each(|record| fold.add(record));
        (fold.counts.versions, fold.counts.value_bytes)
    }

    #[test]
    fn versions_are_counted_since_the_last_creation() {
        let tombstone = Record {
            tombstone: true,
            value: b"",
            ..put(4, 0, 0)
        };
        assert_eq!(counts(&[put(2, 2, 1), put(3, 2, 2)]), (2, 10));
        assert_eq!(counts(&[put(2, 2, 1), tombstone, put(6, 6, 1)]), (1, 5));
        assert_eq!(counts(&[put(2, 2, 1), put(6, 6, 1), put(7, 6, 2)]), (2, 10));
        assert_eq!(counts(&[put(2, 2, 1), tombstone]), (0, 0));
    }

    /// A compaction removed the tombstone and the first put of the second life.
    #[test]
    fn versions_of_an_earlier_life_are_not_counted_if_the_first_version_is_missing() {
        assert_eq!(
            counts(&[put(3, 2, 2), put(9, 6, 4), put(10, 6, 5)]),
            (2, 10)
        );
    }
}
