//! The keys of a store as of a revision, each with its newest record.

use std::sync::Arc;

use rayon::prelude::*;

use super::key_ids::{KeyId, KeyIds, KeyTable};
use super::record::Record;
use super::record_list::{Place, PlacedRecord, RecordList, RecordReader, to_u32};
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
        NewestOfKeys::fold(store, [at], &wanted, false).into_keyspace()
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
    /// All keys of the fold, ascending; other lists have them too.
    all: Arc<Vec<Box<[u8]>>>,
    /// For each key of this list, its index in `all`.
    indexes: Vec<u32>,
    records: RecordList<'a>,
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
        NewestOfKeys::fold(store, at, &wanted, true).into_places()
    }
}

impl<'a> KeyPlaces<'a> {
    fn new(all: &Arc<Vec<Box<[u8]>>>, reader: RecordReader<'a>) -> Self {
        Self {
            all: Arc::clone(all),
            indexes: Vec::new(),
            records: RecordList::new(reader),
        }
    }

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
        let index = usize::try_from(index).ok();
        index
            .and_then(|index| self.all.get(index))
            .map_or(&[], |key| key)
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
        self.records.placed(index)
    }

    /// The keys with their newest versions, ascending.
    pub fn placed(&self) -> impl Iterator<Item = PlacedKey<'_, 'a>> {
        (0..self.len()).map(|index| PlacedKey { list: self, index })
    }

    /// The newest record of the key at an index.
    pub fn record(&self, index: usize) -> Option<Record<'a>> {
        self.records.get(index)
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
        let keys = self.keys().enumerate();
        let entries = keys.filter_map(|(index, key)| {
            let (key, record) = (key.into(), self.record(index)?);
            Some(KeyEntry { key, record })
        });
        entries.collect()
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
    /// The index of each key.
    indexes: KeyTable<u32>,
    /// The keys, each with its index.
    keys: Vec<(Box<[u8]>, usize)>,
    /// For each key, what its next record is compared with.
    before: Vec<[Option<Predecessor>; N]>,
    /// For each key, its newest records.
    newest: [RecordList<'a>; N],
}

impl<'s, 'a, const N: usize> NewestOfKeys<'s, 'a, N> {
    /// The fold over all records, for keys for which `wanted` is true. It is compiled once and not for every closure, because
    /// work on all cores is much code. `as_places`: records are read again when they are asked for.
    fn fold(
        store: &'s Store<'a>,
        at: [AtRevision; N],
        wanted: &(dyn Fn(&[u8]) -> bool + Sync),
        as_places: bool,
    ) -> Self {
        let reader = RecordReader::new(store);
        let ids = KeyIds::default();
        let choose = |record: &Record<'a>| {
            let is_evidence = at.map(|at| store.is_evidence_for(record, at));
            let is_chosen = is_evidence.contains(&true) && !record.is_bump_mark();
            let is_chosen = is_chosen && wanted(record.key);
            is_chosen.then(|| Chosen {
                record: *record,
                place: as_places.then(|| reader.place_of(record)).flatten(),
                id: ids.of(record.key),
                is_evidence,
            })
        };
        let mut newest = Self {
            store,
            indexes: KeyTable::default(),
            keys: Vec::new(),
            before: Vec::new(),
            newest: [(); N].map(|()| RecordList::new(reader)),
        };
        store.visit_records(choose, |chosen| newest.add(&chosen));
        newest
    }

    /// Adds the next record.
    fn add(&mut self, chosen: &Chosen<'a, N>) {
        let record = &chosen.record;
        let next = self.keys.len();
        let index = *self.indexes.entry(chosen.id).or_insert(to_u32(next));
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        if index == next {
            self.keys.push((record.key.into(), index));
            self.before.push([None; N]);
            self.newest.iter_mut().for_each(RecordList::push_none);
        }
        let before = self.before.get_mut(index).into_iter().flatten();
        let of_each = before.zip(&mut self.newest).zip(chosen.is_evidence);
        let mut compared = None;
        for ((known, newest), _) in of_each.filter(|(_, is_evidence)| *is_evidence) {
            let before = known.map(|known| known.revision());
            if compared != Some(before) {
                compare(self.store, known.as_ref(), record);
                compared = Some(before);
            }
            // In a damaged file the walk may not follow the order of revisions.
            if before.is_none_or(|before| before <= record.revision) {
                *known = Some(record.into());
                newest.set(index, record, chosen.place);
            }
        }
    }

    /// The same without what only the next record needs.
    fn without_tables(self) -> Self {
        Self {
            indexes: KeyTable::default(),
            before: Vec::new(),
            ..self
        }
    }

    /// The keyspaces with the places of records, after the last record.
    fn into_places(self) -> [PlacedKeyspace<'a>; N] {
        let Self { keys, newest, .. } = self.without_tables();
        let (keys, places): (Vec<Box<[u8]>>, Vec<usize>) = in_order(keys).into_iter().unzip();
        let all = Arc::new(keys);
        newest.map(|newest| {
            let list = || KeyPlaces::new(&all, newest.reader());
            let (mut live, mut deleted) = (list(), list());
            for (index, place) in places.iter().enumerate() {
                let list = match newest.is_tombstone(*place) {
                    Some(true) => &mut deleted,
                    Some(false) => &mut live,
                    None => continue,
                };
                list.indexes.push(to_u32(index));
                list.records.push_from(&newest, *place);
            }
            PlacedKeyspace { live, deleted }
        })
    }
}

impl<'a> NewestOfKeys<'_, 'a, 1> {
    /// The keyspace, after the last record.
    fn into_keyspace(self) -> Keyspace<'a> {
        let Self { keys, newest, .. } = self.without_tables();
        let [newest] = newest;
        let mut keyspace = Keyspace::default();
        for (key, index) in in_order(keys) {
            let Some(record) = newest.get(index) else {
                continue;
            };
            if record.tombstone {
                keyspace.deleted.push(KeyEntry { key, record });
            } else {
                keyspace.live.push(KeyEntry { key, record });
            }
        }
        keyspace
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
