//! The keys of a store as of a revision, each with its newest record.

use std::sync::Arc;

use super::key_ids::{KeyId, KeyIds, KeyNumbers, KeySet, to_usize};
use super::key_texts::KeyTexts;
use super::passed_record::PassedRecord;
use super::record::Record;
use super::record_list::{Place, PlacedRecord, RecordList, RecordReader};
use super::store::{AtRevision, Store};
use super::succession::{Predecessor, compare};

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
        NewestOfKeys::fold(store, [at], &wanted, false, None).into_keyspace()
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

/// Keys in key order, each with its newest record, in little memory: a record is read again when it is asked for.
#[derive(Debug)]
pub struct KeyPlaces<'a> {
    /// All keys of the fold; other lists have them too.
    all: Arc<KeyTexts>,
    /// The newest record of each of them.
    records: Arc<RecordList<'a>>,
    /// The keys of this list, ascending, each by its index in `all`.
    indexes: Vec<u32>,
}

/// A key of such a list.
#[derive(Debug, Clone, Copy)]
pub struct PlacedKey<'k, 'a> {
    list: &'k KeyPlaces<'a>,
    index: usize,
}

impl<'k, 'a> PlacedKey<'k, 'a> {
    /// The key.
    pub fn key(&self) -> &'k [u8] {
        self.list.key(self.index)
    }

    /// Its newest version.
    pub fn newest(&self) -> Option<PlacedRecord<'a>> {
        self.list.version(self.index)
    }
}

/// The keyspace as of a revision, for a question that needs few of its records or none.
#[derive(Debug)]
pub struct PlacedKeyspace<'a> {
    /// The live keys, each with the put that is its value.
    pub live: KeyPlaces<'a>,
    /// The deleted keys whose tombstone is retained, each with that tombstone.
    pub deleted: KeyPlaces<'a>,
}

impl<'a> PlacedKeyspace<'a> {
    /// Folds the records up to a revision, as [`Keyspace::at`].
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
        NewestOfKeys::fold(store, at, &wanted, true, None).into_places()
    }

    /// As [`Self::at`], by a pass that reads records of all keys and revisions for something else as well.
    pub fn at_and(
        store: &Store<'a>,
        at: AtRevision,
        wanted: impl Fn(&[u8]) -> bool + Sync,
        also: Also<'_, 'a>,
    ) -> Self {
        let [keyspace] = NewestOfKeys::fold(store, [at], &wanted, true, Some(also)).into_places();
        keyspace
    }
}

impl<'a> KeyPlaces<'a> {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.indexes.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// The keys, ascending.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.indexes.iter().map(|index| self.key_at(*index))
    }

    fn key_at(&self, index: u32) -> &[u8] {
        self.all.get(to_usize(index))
    }

    /// Whether a key is in the list.
    pub fn has(&self, key: &[u8]) -> bool {
        self.place_of(key).is_some()
    }

    /// The newest version of a key. No page is read for it.
    pub fn find(&self, key: &[u8]) -> Option<PlacedRecord<'a>> {
        self.version(self.place_of(key)?)
    }

    fn place_of(&self, key: &[u8]) -> Option<usize> {
        let place = self
            .indexes
            .binary_search_by(|index| self.key_at(*index).cmp(key));
        place.ok()
    }

    /// The newest version of the key at an index. No page is read for it.
    pub fn version(&self, index: usize) -> Option<PlacedRecord<'a>> {
        self.records.placed(to_usize(*self.indexes.get(index)?))
    }

    /// The keys with their newest versions, ascending.
    pub fn placed(&self) -> impl Iterator<Item = PlacedKey<'_, 'a>> {
        (0..self.len()).map(|index| PlacedKey { list: self, index })
    }

    /// The key at an index with its newest record.
    pub fn entry(&self, index: usize) -> Option<KeyEntry<'a>> {
        Some(KeyEntry {
            record: self.record(index)?,
            key: self.key(index).into(),
        })
    }

    /// The newest record of the key at an index.
    pub fn record(&self, index: usize) -> Option<Record<'a>> {
        self.records.get(to_usize(*self.indexes.get(index)?))
    }

    /// The indexes of the keys, in the order in which their records are in the file.
    pub fn in_file_order(&self) -> Vec<usize> {
        let mut pages: Vec<(u64, usize)> = (0..self.len())
            .map(|index| {
                (
                    self.version(index).map_or(0, |version| version.page()),
                    index,
                )
            })
            .collect();
        pages.sort_unstable();
        pages.into_iter().map(|(_, index)| index).collect()
    }

    /// The key at an index.
    pub fn key(&self, index: usize) -> &[u8] {
        self.indexes
            .get(index)
            .map_or(&[], |index| self.key_at(*index))
    }

    /// All keys with their records.
    pub fn entries(&self) -> Vec<KeyEntry<'a>> {
        (0..self.len())
            .filter_map(|index| self.entry(index))
            .collect()
    }
}

/// What else reads the records of a pass.
pub struct Also<'f, 'a> {
    /// Chooses records, on all cores.
    pub needs: &'f (dyn Fn(&Record<'_>) -> bool + Sync),
    /// Is given each of them, in their order.
    pub add: &'f mut (dyn FnMut(Record<'a>) + Send),
}

/// Which keys were never deleted, and which were.
#[derive(Debug)]
pub struct KeyLives {
    /// The keys that were never deleted, in no order.
    pub never_deleted: KeyTexts,
    /// All other keys.
    pub deleted: KeySet,
}

impl KeyLives {
    /// Folds all records of the keys for which `wanted` is true. The pass may read records of all keys for something
    /// else as well.
    pub fn read<'a>(
        store: &Store<'a>,
        wanted: &(dyn Fn(&[u8]) -> bool + Sync),
        also: Option<Also<'_, 'a>>,
    ) -> Self {
        let newest = NewestOfKeys::fold(store, [AtRevision::HEAD], wanted, true, also);
        let mut lives = Self {
            never_deleted: KeyTexts::default(),
            deleted: KeySet::default(),
        };
        let keys = newest.keys.iter().zip(newest.has_one_life);
        for (key, has_one_life) in keys {
            match has_one_life {
                true => lives.never_deleted.push(key),
                false => lives.deleted.add(key),
            }
        }
        lives
    }
}

/// A record that counts for a keyspace, as of at least one of the revisions.
struct Chosen<'a, const N: usize> {
    record: Record<'a>,
    place: Option<Place>,
    id: KeyId,
    is_evidence: [bool; N],
}

/// The newest record of each key as of several revisions. The tables have ids and places, neither keys nor records, which
/// makes them small enough for the caches.
struct NewestOfKeys<'s, 'a, const N: usize> {
    store: &'s Store<'a>,
    numbers: KeyNumbers,
    /// The keys, by their numbers.
    keys: KeyTexts,
    /// The newest records of each key, by its number: the next record of the key is compared with them.
    newest: [RecordList<'a>; N],
    /// For each key, by its number, whether all its records are puts of one generation, in the order of revisions.
    has_one_life: Vec<bool>,
}

impl<'s, 'a, const N: usize> NewestOfKeys<'s, 'a, N> {
    /// The fold over all records, for keys for which `wanted` is true. It is compiled once and not for every closure, because
    /// work on all cores is much code. `as_places`: records are read again when they are asked for.
    fn fold(
        store: &'s Store<'a>,
        at: [AtRevision; N],
        wanted: &(dyn Fn(&[u8]) -> bool + Sync),
        as_places: bool,
        also: Option<Also<'_, 'a>>,
    ) -> Self {
        let reader = RecordReader::new(store);
        let ids = KeyIds::default();
        let choose = |record: &PassedRecord<'_, 'a>| {
            let is_evidence = at.map(|at| store.is_evidence_for(record, at));
            let is_chosen = is_evidence.contains(&true) && !record.is_bump_mark();
            let is_chosen = is_chosen && wanted(record.key);
            is_chosen.then(|| Chosen {
                record: record.in_map(),
                place: as_places.then(|| reader.place_of(record)).flatten(),
                id: ids.of(record.key),
                is_evidence,
            })
        };
        let mut newest = Self {
            store,
            numbers: KeyNumbers::default(),
            keys: KeyTexts::default(),
            has_one_life: Vec::new(),
            newest: [(); N].map(|()| RecordList::new(reader)),
        };
        let (needs, mut add) = also.map(|also| (also.needs, also.add)).unzip();
        // One closure for both: each further one is compiled with all work on all cores.
        store.visit_records(
            |record| {
                let is_needed = needs.is_some_and(|needs| needs(record));
                // Few records are.
                let needed = is_needed.then(|| Box::new(record.in_map()));
                let chosen = choose(record);
                (is_needed || chosen.is_some()).then_some((chosen, needed))
            },
            |(chosen, needed), key| {
                if let (Some(add), Some(needed)) = (&mut add, needed) {
                    add(*needed);
                }
                if let Some(chosen) = chosen {
                    newest.add(&chosen, key);
                }
            },
        );
        newest
    }

    /// Adds the next record.
    fn add(&mut self, chosen: &Chosen<'a, N>, key: &[u8]) {
        let record = &chosen.record;
        let number = self.numbers.add(chosen.id);
        if number == self.keys.len() {
            self.keys.push(key);
            self.has_one_life.push(!record.tombstone);
            self.newest.iter_mut().for_each(RecordList::push_none);
        }
        let of_each = self.newest.iter_mut().zip(chosen.is_evidence);
        let mut compared = None;
        for (newest, _) in of_each.filter(|(_, is_evidence)| *is_evidence) {
            let known = newest.placed(number);
            let before = known.map(|known| known.revision);
            if compared != Some(before) {
                let known = known.as_ref().map(Predecessor::from);
                compare(self.store, known.as_ref(), record);
                if let (Some(known), Some(has_one_life)) =
                    (known, self.has_one_life.get_mut(number))
                {
                    *has_one_life &= !record.tombstone && known.is_continued_by(record);
                    *has_one_life &= known.revision() < record.revision;
                }
                compared = Some(before);
            }
            // In a damaged file the walk may not follow the order of revisions.
            if before.is_none_or(|before| before <= record.revision) {
                newest.set(number, record, chosen.place);
            }
        }
    }

    /// The keyspaces with the places of records, after the last record.
    fn into_places(self) -> [PlacedKeyspace<'a>; N] {
        let Self { keys, newest, .. } = self.without_numbers();
        let order = keys.in_order();
        let all = Arc::new(keys);
        newest.map(|newest| {
            let records = Arc::new(newest);
            let list = |tombstone: bool| {
                let is_of_list = |number: &u32| records.is_tombstone(to_usize(*number));
                let indexes = order.iter().copied();
                let indexes = indexes.filter(|number| is_of_list(number) == Some(tombstone));
                KeyPlaces {
                    all: Arc::clone(&all),
                    records: Arc::clone(&records),
                    indexes: indexes.collect(),
                }
            };
            PlacedKeyspace {
                live: list(false),
                deleted: list(true),
            }
        })
    }

    /// The same without what only the next record needs.
    fn without_numbers(self) -> Self {
        Self {
            numbers: KeyNumbers::default(),
            ..self
        }
    }
}

impl<'a> NewestOfKeys<'_, 'a, 1> {
    /// The keyspace, after the last record.
    fn into_keyspace(self) -> Keyspace<'a> {
        let [PlacedKeyspace { live, deleted }] = self.into_places();
        Keyspace {
            live: live.entries(),
            deleted: deleted.entries(),
        }
    }
}

fn find<'r, 'a>(entries: &'r [KeyEntry<'a>], key: &[u8]) -> Option<&'r Record<'a>> {
    let at = entries
        .binary_search_by(|entry| (*entry.key).cmp(key))
        .ok()?;
    entries.get(at).map(|entry| &entry.record)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::diag::Diagnostics;
    use crate::etcd::Events;
    use crate::source::Source;
    use crate::source::testdata::databases;

    #[test]
    fn the_keys_with_a_tombstone_or_several_generations_were_deleted() {
        let (mut never_deleted, mut deleted) = (0, 0);
        for path in databases(&[".db"]) {
            let diagnostics = Diagnostics::new();
            let Ok(source) = Source::open(&path) else {
                continue;
            };
            let Ok(store) = Store::open(&source, &diagnostics) else {
                continue;
            };
            let lives = KeyLives::read(&store, &|_| true, None);
            let of_lives: BTreeSet<&[u8]> = lives.never_deleted.iter().collect();
            let events = Events::read_by_key(&store, |_| true);
            for (place, key) in events.keys().enumerate() {
                let generations: Vec<_> = events
                    .of_key(place)
                    .iter()
                    .map(|event| event.placed.generation())
                    .collect();
                let has_one = generations
                    .iter()
                    .all(|one| one.is_some() && *one == generations[0]);
                assert_eq!(of_lives.contains(key), has_one, "{path:?}");
                assert_eq!(lives.deleted.contains(key), !has_one, "{path:?}");
                never_deleted += usize::from(has_one);
                deleted += usize::from(!has_one);
            }
        }
        assert!(
            never_deleted > 500 && deleted > 50,
            "{never_deleted} {deleted}"
        );
    }
}
