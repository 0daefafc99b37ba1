//! One pass over the records of a store: how many there are, the newest one of each key, and the hashes.
//!
//! **Invariant:** each record is compared with the one of its key before it, and a contradiction is reported.

use crate::bbolt::bucket::leaf_elements;
use crate::bbolt::{Bucket, Direction, Element, WalkedPages};

use super::completeness::Completeness;
use super::defragmentation::Defragmentation;
use super::hash::{CrcPart, HashedRecord, RunningHashKv, salvaged_in};
use super::key_ids::{KeyId, KeyIds, KeyTable};
use super::record::Record;
use super::record_list::to_u32;
use super::store::Store;
use super::succession::{NewestRecord, compare_with_newest};

/// Counts of the records of bucket `key`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// All records.
    pub records: u64,
    /// Records that delete a key.
    pub tombstones: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Distinct keys whose newest record is a put.
    pub live_keys: u64,
    /// Oldest main revision of a record.
    pub oldest: Option<i64>,
    /// Newest main revision of a record.
    pub newest: Option<i64>,
    /// The newest main revision up to which no record above the compaction is missing; the compaction if all are missing.
    pub complete: i64,
    /// How many main revisions above the compaction are missing or incomplete, up to the newest record.
    pub missing_revisions: u64,
    /// Whether one of the records is the mark of a bumped restore, which has no key.
    pub bump_mark: bool,
}

/// The newest record of a key.
#[derive(Debug, Clone)]
pub struct SeenKey<T> {
    /// The key.
    pub key: Box<[u8]>,
    /// The result of `see` for the record.
    pub value: Option<T>,
    is_live: bool,
    newest: NewestRecord,
}

/// The keys of a store, each with its newest record.
#[derive(Debug)]
pub struct SeenKeys<T> {
    ids: KeyIds,
    /// The index of each key. A table of whole rows would be larger: a part of a table is always empty.
    indexes: KeyTable<u32>,
    keys: Vec<SeenKey<T>>,
}

impl<T> Default for SeenKeys<T> {
    fn default() -> Self {
        Self {
            ids: KeyIds::default(),
            indexes: KeyTable::default(),
            keys: Vec::new(),
        }
    }
}

impl<T> SeenKeys<T> {
    /// How many keys there are.
    pub fn count(&self) -> u64 {
        self.keys.len() as u64
    }

    /// The keys, in the order of their first records.
    pub fn iter(&self) -> impl Iterator<Item = &SeenKey<T>> + Clone {
        self.keys.iter()
    }

    /// The row of a key; none if it was not seen.
    fn get_mut(&mut self, id: KeyId) -> Option<&mut SeenKey<T>> {
        let index = self.indexes.get(&id)?;
        self.keys.get_mut(usize::try_from(*index).ok()?)
    }

    fn insert(&mut self, id: KeyId, seen: SeenKey<T>) {
        self.indexes.insert(id, to_u32(self.keys.len()));
        self.keys.push(seen);
    }

    /// Whether a record is the current value of its key.
    pub fn is_live(&self, record: &Record<'_>) -> bool {
        let index = self.indexes.get(&self.ids.of(record.key));
        let index = index.and_then(|index| usize::try_from(*index).ok());
        let newest = index.and_then(|index| self.keys.get(index));
        newest.is_some_and(|newest| newest.is_live && newest.newest.revision == record.revision)
    }
}

impl RecordCounts {
    /// Counts the records of a store.
    pub fn read(store: &Store<'_>) -> Self {
        let mut fold = CountFold::<()>::new(store);
        let ids = fold.keys.ids.clone();
        store.visit_records(
            |record| Some((*record, ids.of(record.key))),
            |(record, id)| fold.add(&record, id, &mut |_| None),
        );
        fold.finish().0
    }
}

/// Counts records in the order of revisions.
struct CountFold<'s, 'a, T> {
    store: &'s Store<'a>,
    counts: RecordCounts,
    keys: SeenKeys<T>,
    completeness: Completeness,
}

impl<'s, 'a, T> CountFold<'s, 'a, T> {
    fn new(store: &'s Store<'a>) -> Self {
        Self {
            store,
            counts: RecordCounts::default(),
            keys: SeenKeys::default(),
            completeness: Completeness::new(store.compact_revision()),
        }
    }

    /// Adds the next record. One that contradicts the record of its key before it is reported.
    fn add(
        &mut self,
        record: &Record<'a>,
        id: KeyId,
        see: &mut impl FnMut(&Record<'a>) -> Option<T>,
    ) {
        let counts = &mut self.counts;
        counts.records = counts.records.saturating_add(1);
        counts.tombstones = counts
            .tombstones
            .saturating_add(u64::from(record.tombstone));
        counts.oldest = counts.oldest.or(Some(record.revision.main));
        counts.newest = Some(record.revision.main);
        self.completeness.add(record.revision);
        if record.is_bump_mark() {
            counts.bump_mark = true;
            return;
        }
        let value = see(record);
        let is_live = !record.tombstone;
        let newest = NewestRecord::from(record);
        match self.keys.get_mut(id) {
            Some(known) => {
                compare_with_newest(self.store, Some(&known.newest), record);
                (known.value, known.is_live, known.newest) = (value, is_live, newest);
            }
            None => {
                compare_with_newest(self.store, None, record);
                let seen = SeenKey {
                    key: record.key.into(),
                    value,
                    is_live,
                    newest,
                };
                self.keys.insert(id, seen);
            }
        }
    }

    fn finish(self) -> (RecordCounts, SeenKeys<T>) {
        let (mut counts, keys) = (self.counts, self.keys);
        counts.complete = self.completeness.complete();
        counts.missing_revisions = self.completeness.missing;
        counts.keys = keys.count();
        counts.live_keys = keys.iter().filter(|seen| seen.is_live).count() as u64;
        (counts, keys)
    }
}

/// The elements of one bucket, in numbers.
#[derive(Debug)]
pub(super) struct BucketSums {
    pub(super) part: CrcPart,
    pub(super) elements: u64,
    pub(super) key_bytes: u64,
    pub(super) value_bytes: u64,
    pub(super) salvaged: u64,
    pub(super) defragmentation: Defragmentation,
}

impl BucketSums {
    fn new(store: &Store<'_>) -> Self {
        Self {
            part: CrcPart::EMPTY,
            elements: 0,
            key_bytes: 0,
            value_bytes: 0,
            salvaged: 0,
            defragmentation: Defragmentation::new(store.db()),
        }
    }

    /// Adds up the elements of a bucket, those that were salvaged too.
    pub(super) fn read<'a>(store: &Store<'a>, bucket: &Bucket<'a>) -> Self {
        let mut sums = Self::new(store);
        for leaf in store.leaves_of(bucket, Direction::Forward) {
            sums.salvaged = sums.salvaged.saturating_add(salvaged_in(&leaf));
            for (_, element) in leaf_elements(&leaf, Direction::Forward) {
                let part = CrcPart::of_element(element.key, element.value);
                sums.add(part, element.key.len() as u64, element.value.len() as u64);
            }
        }
        sums
    }

    /// Adds the next element: its key and value as one text, and their lengths.
    fn add(&mut self, part: CrcPart, key_bytes: u64, value_bytes: u64) {
        self.part = self.part.then(part);
        self.elements = self.elements.saturating_add(1);
        self.key_bytes = self.key_bytes.saturating_add(key_bytes);
        self.value_bytes = self.value_bytes.saturating_add(value_bytes);
        self.defragmentation.add_lengths(key_bytes, value_bytes);
    }
}

/// Whether a pass also computes the hashes. They need all bytes of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashes {
    /// It does.
    Computed,
    /// It does not.
    Omitted,
}

/// The hashes of the records of bucket `key`, and its elements in numbers.
struct HashFold {
    hash: RunningHashKv,
    sums: BucketSums,
}

impl HashFold {
    fn new(store: &Store<'_>) -> Self {
        Self {
            hash: RunningHashKv::new(store),
            sums: BucketSums::new(store),
        }
    }

    fn add(&mut self, record: &HashedRecord, [key_bytes, value_bytes]: [usize; 2]) {
        self.hash.add(record);
        self.sums
            .add(record.part, key_bytes as u64, value_bytes as u64);
    }
}

/// What one pass over the records gives.
#[derive(Debug)]
pub struct RecordPass<T> {
    /// The records in numbers.
    pub counts: RecordCounts,
    /// The keys.
    pub keys: SeenKeys<T>,
    /// `HashKV` at the newest revision, and the elements of the bucket. `None` if the hashes were omitted, the file is
    /// damaged, or other records are added to those of the bucket: then a pass over its tree alone gives other numbers.
    pub(super) exact: Option<(u32, BucketSums)>,
    /// The pages of the tree of bucket `key`, if it has all records and nothing was found in it.
    pub walked: Option<WalkedPages>,
}

impl<T: Send> RecordPass<T> {
    /// Reads all records of a store. `see` is called with each record that has a key; its result for the newest record of
    /// each key is kept.
    pub(super) fn read<'a>(
        store: &Store<'a>,
        mut see: impl FnMut(&Record<'a>) -> Option<T> + Send,
    ) -> Self {
        if store.additional().is_empty() {
            return Self::read_state(store, Hashes::Computed, see);
        }
        let mut fold = CountFold::new(store);
        for record in store.records(Direction::Forward) {
            let id = fold.keys.ids.of(record.key);
            fold.add(&record, id, &mut see);
        }
        let (counts, keys) = fold.finish();
        Self {
            counts,
            keys,
            exact: None,
            walked: None,
        }
    }

    /// The same for the records of the state alone.
    pub(super) fn read_state<'a>(
        store: &Store<'a>,
        hashes: Hashes,
        mut see: impl FnMut(&Record<'a>) -> Option<T> + Send,
    ) -> Self {
        let mut fold = CountFold::new(store);
        let ids = fold.keys.ids.clone();
        let mut hash = (hashes == Hashes::Computed).then(|| HashFold::new(store));
        let has_hashes = hash.is_some();
        let walked = store.state().visit_records(
            |record, element| {
                let id = ids.of(record.key);
                let hashed = has_hashes.then(|| hashed(record, id, element));
                Some((*record, id, hashed))
            },
            |(record, id, hashed)| {
                fold.add(&record, id, &mut see);
                if let (Some(hash), Some((hashed, lengths))) = (&mut hash, hashed) {
                    hash.add(&hashed, lengths);
                }
            },
        );
        let (counts, keys) = fold.finish();
        let hash = hash.filter(|_| walked.is_some());
        Self {
            counts,
            keys,
            exact: hash.map(|HashFold { hash, sums }| (hash.hash(), sums)),
            walked,
        }
    }
}

/// A record with the hash of its element, and the lengths of the element's key and value.
fn hashed(record: &Record<'_>, id: KeyId, element: &Element<'_>) -> (HashedRecord, [usize; 2]) {
    let hashed = HashedRecord::new(record, id, element.key, element.value);
    (hashed, [element.key.len(), element.value.len()])
}
