//! Folds over the records: one key's history, one transaction, the keyspace as of a revision.

use rayon::prelude::*;

use crate::bbolt::Direction;

use super::generation::{Generation, Transition};
use super::key_ids::{KeyId, KeyIds, KeyTable};
use super::record::Record;
use super::store::{AtRevision, Store};
use super::succession::compare;

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
    pub previous: Option<Record<'a>>,
}

impl Event<'_> {
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
        let is_of_key = |record: &Record<'a>| record.key == key && !record.is_bump_mark();
        store.visit_records(
            |record| is_of_key(record).then_some(*record),
            |record| history.push(store, record),
        );
        history
    }

    fn push(&mut self, store: &Store<'_>, record: Record<'a>) {
        let event_type = EventType::from_record(&record);
        let last = self.events.last().map(|last| last.record);
        compare(store, last.as_ref(), &record);
        let previous = last.filter(|last| Generation::continues(last, &record));
        self.events.push(Event {
            record,
            event_type,
            previous,
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

/// A key with its newest record at a revision. The key is a copy, because comparing borrowed keys would touch pages all
/// over the file.
#[derive(Debug, Clone)]
pub struct KeyEntry<'a> {
    /// The key.
    pub key: Box<[u8]>,
    /// Its newest record.
    pub record: Record<'a>,
}

/// The keyspace as of a revision, in key order.
#[derive(Debug, Clone, Default)]
pub struct Keyspace<'a> {
    /// The live keys, ascending, each with the put that is its value.
    pub live: Vec<KeyEntry<'a>>,
    /// The deleted keys whose tombstone is retained, ascending, each with that tombstone.
    pub deleted: Vec<KeyEntry<'a>>,
}

impl<'a> Keyspace<'a> {
    /// Folds the records up to a revision, for the keys for which `wanted` is true.
    pub fn at(store: &Store<'a>, at: AtRevision, wanted: impl Fn(&[u8]) -> bool + Sync) -> Self {
        let [keyspace] = Self::at_each(store, [at], wanted);
        keyspace
    }

    /// The same as of several revisions, by one pass.
    pub fn at_each<const N: usize>(
        store: &Store<'a>,
        at: [AtRevision; N],
        wanted: impl Fn(&[u8]) -> bool + Sync,
    ) -> [Self; N] {
        Self::fold(store, at, &wanted)
    }

    /// The fold of [`Self::at_each`]. It is compiled once and not for every closure, because work on all cores is much
    /// code.
    fn fold<const N: usize>(
        store: &Store<'a>,
        at: [AtRevision; N],
        wanted: &(dyn Fn(&[u8]) -> bool + Sync),
    ) -> [Self; N] {
        // The table has ids and places, neither keys nor records, which makes it small enough for the caches.
        let ids = KeyIds::default();
        let mut places: KeyTable<usize> = KeyTable::default();
        let mut keys: Vec<(Box<[u8]>, usize)> = Vec::new();
        let mut newest: Vec<[Option<Record<'a>>; N]> = Vec::new();
        let choose = |record: &Record<'a>| {
            let is_evidence = at.map(|at| store.is_evidence_for(record, at));
            let is_chosen = is_evidence.contains(&true) && !record.is_bump_mark();
            let is_chosen = is_chosen && wanted(record.key);
            is_chosen.then(|| (*record, ids.of(record.key), is_evidence))
        };
        let add = |(record, id, is_evidence): (Record<'a>, KeyId, [bool; N])| {
            let place = *places.entry(id).or_insert(newest.len());
            if place == newest.len() {
                keys.push((record.key.into(), place));
                newest.push([None; N]);
            }
            let of_key = newest.get_mut(place).into_iter().flatten();
            let mut compared = None;
            for (known, _) in of_key.zip(is_evidence).filter(|(_, is)| *is) {
                let before = known.map(|known| known.revision);
                if compared != Some(before) {
                    compare(store, known.as_ref(), &record);
                    compared = Some(before);
                }
                // In a damaged file the walk may not follow the order of revisions.
                if before.is_none_or(|before| before <= record.revision) {
                    *known = Some(record);
                }
            }
        };
        store.visit_records(choose, add);
        let mut keyspaces = [(); N].map(|()| Self::default());
        for (key, place) in in_order(keys) {
            let of_key = newest.get(place).into_iter().flatten();
            // The last one is not a copy.
            let mut copies = std::iter::repeat_n(key, of_key.clone().flatten().count());
            for (keyspace, record) in keyspaces.iter_mut().zip(of_key) {
                let Some((record, key)) = record.and_then(|record| Some((record, copies.next()?)))
                else {
                    continue;
                };
                if record.tombstone {
                    keyspace.deleted.push(KeyEntry { key, record });
                } else {
                    keyspace.live.push(KeyEntry { key, record });
                }
            }
        }
        keyspaces
    }

    /// The put that is the value of a live key.
    pub fn get(&self, key: &[u8]) -> Option<&Record<'a>> {
        find(&self.live, key)
    }

    /// The tombstone of a deleted key.
    pub fn tombstone(&self, key: &[u8]) -> Option<&Record<'a>> {
        find(&self.deleted, key)
    }
}

/// Sorts keys on all cores. Most keys begin alike (`/registry/pods/`), so what follows is compared first, as a number.
pub(super) fn in_order(mut keys: Vec<(Box<[u8]>, usize)>) -> Vec<(Box<[u8]>, usize)> {
    let first = keys.first().map(|(key, _)| key.clone()).unwrap_or_default();
    let common = keys.iter().fold(first.len(), |common, (key, _)| {
        let pairs = first.iter().zip(key).take(common);
        pairs.take_while(|(a, b)| a == b).count()
    });
    let number = |key: &[u8]| {
        let mut bytes = [0; 16];
        let rest = key.get(common..).unwrap_or_default();
        bytes
            .iter_mut()
            .zip(rest)
            .for_each(|(to, from)| *to = *from);
        u128::from_be_bytes(bytes)
    };
    let mut order: Vec<(u128, usize)> = keys
        .iter()
        .enumerate()
        .map(|(place, (key, _))| (number(key), place))
        .collect();
    let key_at = |place: usize| keys.get(place).map(|(key, _)| key);
    // A shorter key is filled up with zeros, so equal numbers are no proof of equal keys.
    order.par_sort_unstable_by(|a, b| {
        let numbers = a.0.cmp(&b.0);
        numbers.then_with(|| key_at(a.1).cmp(&key_at(b.1)))
    });
    order
        .into_iter()
        .filter_map(|(_, place)| keys.get_mut(place).map(std::mem::take))
        .collect()
}

fn find<'r, 'a>(entries: &'r [KeyEntry<'a>], key: &[u8]) -> Option<&'r Record<'a>> {
    let at = entries
        .binary_search_by(|entry| (*entry.key).cmp(key))
        .ok()?;
    entries.get(at).map(|entry| &entry.record)
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
    fn keys_are_sorted_by_all_their_bytes() {
        let mut texts: Vec<Vec<u8>> = [&b"/a"[..], b"/", b"", b"/a\0", b"/a\0\0", b"/b"]
            .map(<[u8]>::to_vec)
            .to_vec();
        for number in 0..500_u32 {
            texts.push(format!("/registry/pods/{}/a-long-name-{number}", number % 7).into_bytes());
        }
        for begins in [&b"/registry/pods/"[..], b""] {
            let mut expected: Vec<Vec<u8>> = texts.clone();
            expected.retain(|text| text.starts_with(begins));
            let keys = expected.iter().rev().cloned().enumerate();
            let keys = keys.map(|(place, key)| (key.into_boxed_slice(), place));
            let sorted = in_order(keys.collect());
            expected.sort();
            let sorted: Vec<Vec<u8>> = sorted.into_iter().map(|(key, _)| key.into_vec()).collect();
            assert_eq!(sorted, expected);
        }
        assert!(in_order(Vec::new()).is_empty());
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
