//! One pass over the records of a store: how many there are, the newest one of each key, and the hashes.
//!
//! **Invariant:** each record is compared with the one of its key before it, and a contradiction is reported.

use crate::bbolt::bucket::leaf_elements;
use crate::bbolt::{Bucket, Direction, Element, WalkedPages};

use super::completeness::Completeness;
use super::defragmentation::Defragmentation;
use super::hash::{CrcPart, HashedRecord, RunningHashKv, salvaged_in};
use super::key_ids::{KeyId, KeyIds, KeyNumbers, to_usize};
use super::key_texts::KeyTexts;
use super::packed_newest::PackedNewest;
use super::record::Record;
use super::revision::Revision;
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
#[derive(Debug)]
struct SeenKey<T> {
    /// The result of `see` for the record.
    value: Option<T>,
    newest: PackedNewest,
}

/// The keys of a store, each with its newest record.
#[derive(Debug)]
pub struct SeenKeys<T> {
    ids: KeyIds,
    numbers: KeyNumbers,
    /// The keys, by their numbers.
    texts: KeyTexts,
    /// The newest record of each key, by its number.
    newest: Vec<SeenKey<T>>,
}

impl<T> Default for SeenKeys<T> {
    fn default() -> Self {
        Self {
            ids: KeyIds::default(),
            numbers: KeyNumbers::default(),
            texts: KeyTexts::default(),
            newest: Vec::new(),
        }
    }
}

impl<T> SeenKeys<T> {
    /// How many keys there are.
    pub fn count(&self) -> u64 {
        self.newest.len() as u64
    }

    /// How many of them are live.
    fn live_count(&self) -> u64 {
        let live = self.newest.iter().filter(|seen| !seen.newest.is_deletion());
        live.count() as u64
    }

    /// The keys with the result of `see` for their newest records, in the order of their first records. Keys without a
    /// result are left out.
    pub fn values(&self) -> impl Iterator<Item = (&[u8], &T)> + Clone {
        let seen = self.texts.iter().zip(&self.newest);
        seen.filter_map(|(key, seen)| Some((key, seen.value.as_ref()?)))
    }

    /// The current values, for a pass over the records.
    pub fn live(&self) -> LiveRecords<'_, T> {
        let seen = self.newest.iter().zip(0_u32..);
        let live = seen.filter(|(seen, _)| !seen.newest.is_deletion());
        let mut by_revision: Vec<u32> = live.map(|(_, number)| number).collect();
        by_revision.sort_unstable_by_key(|number| self.revision(*number));
        let mut live = LiveRecords {
            keys: self,
            by_revision,
            next: 0,
            around: [None; 2],
        };
        live.go_to(0);
        live
    }

    /// The revision of the newest record of the key with a number.
    fn revision(&self, number: u32) -> Option<Revision> {
        let seen = self.newest.get(to_usize(number))?;
        Some(seen.newest.unpack().revision)
    }

    /// Whether a record is the current value of its key.
    fn is_live(&self, record: &Record<'_>) -> bool {
        let number = self.numbers.get(self.ids.of(record.key));
        let seen = number.and_then(|number| self.newest.get(number));
        seen.is_some_and(|SeenKey { newest, .. }| {
            !newest.is_deletion() && newest.unpack().revision == record.revision
        })
    }
}

/// The current values of the keys of a store, by their revisions. In the order of revisions the next one is always at
/// hand, so that keys are only compared for a record that has its revision.
#[derive(Debug)]
pub struct LiveRecords<'k, T> {
    keys: &'k SeenKeys<T>,
    /// The numbers of the keys that have one, ascending by its revision.
    by_revision: Vec<u32>,
    /// The index of the first one after the last record.
    next: usize,
    /// The revisions of the one before it, and of itself.
    around: [Option<Revision>; 2],
}

impl<T> LiveRecords<'_, T> {
    /// Whether a record is the current value of its key.
    pub fn has(&mut self, record: &Record<'_>) -> bool {
        let revision = Some(record.revision);
        let [before, next] = self.around;
        if !(before < revision && (next.is_none() || revision <= next)) {
            let is_before = |number: &u32| self.keys.revision(*number) < revision;
            self.go_to(self.by_revision.partition_point(is_before));
        }
        let has_revision = self.around[1] == revision;
        if has_revision {
            self.go_to(self.next.saturating_add(1));
        }
        has_revision && self.keys.is_live(record)
    }

    fn go_to(&mut self, next: usize) {
        let at = |index: usize| self.keys.revision(*self.by_revision.get(index)?);
        self.around = [next.checked_sub(1).and_then(at), at(next)];
        self.next = next;
    }
}

impl RecordCounts {
    /// Counts the records of a store.
    pub fn read(store: &Store<'_>) -> Self {
        RecordPass::of_store(store, Hashes::Omitted).counts
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

    /// Adds the next record with its key and a value for it, and returns the number of the key; none for a bump mark. A
    /// record that contradicts the one of its key before it is reported.
    fn add(
        &mut self,
        record: &Record<'_>,
        (key, id): (&[u8], KeyId),
        value: Option<T>,
    ) -> Option<usize> {
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
            return None;
        }
        let newest = NewestRecord::from(record).into();
        let seen = SeenKey { value, newest };
        let number = self.keys.numbers.add(id);
        match self.keys.newest.get_mut(number) {
            Some(known) => {
                let before = known.newest.unpack();
                compare_with_newest(self.store, Some(&before), record);
                *known = seen;
            }
            None => {
                compare_with_newest(self.store, None, record);
                self.keys.texts.push(key);
                self.keys.newest.push(seen);
            }
        }
        Some(number)
    }

    fn finish(self) -> (RecordCounts, SeenKeys<T>) {
        let (mut counts, keys) = (self.counts, self.keys);
        counts.complete = self.completeness.complete();
        counts.missing_revisions = self.completeness.missing;
        counts.keys = keys.count();
        counts.live_keys = keys.live_count();
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

    /// Adds the next record. `number` is that of its key; none for a bump mark.
    fn add(
        &mut self,
        record: &HashedRecord,
        [key_bytes, value_bytes]: [usize; 2],
        number: Option<usize>,
    ) {
        self.hash.add(record, number);
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
    /// `HashKV` at the newest revision, and the sums of the records. `None` if the hashes were omitted, or records of
    /// other origins are added to those of the bucket.
    pub(super) hashed: Option<(u32, BucketSums)>,
    /// The pages of the tree of bucket `key`, if it has all records and nothing was found in it.
    pub walked: Option<WalkedPages>,
}

impl<T: Send> RecordPass<T> {
    /// Reads all records of a store. `look` is called with each record on all cores, `see` with each record that has a key,
    /// with its key and what `look` returned. Its result for the newest record of each key is kept.
    pub(super) fn read<'a, L: Send>(
        store: &Store<'a>,
        hashes: Hashes,
        look: impl Fn(&Record<'_>) -> L + Sync,
        mut see: impl FnMut(&Record<'a>, &[u8], L) -> Option<T> + Send,
    ) -> Self {
        if store.additional().is_empty() {
            return Self::read_state(store, hashes, look, see);
        }
        let mut fold = CountFold::new(store);
        for record in store.records(Direction::Forward) {
            let key = (record.key, fold.keys.ids.of(record.key));
            let value = match record.is_bump_mark() {
                true => None,
                false => see(&record, record.key, look(&record)),
            };
            fold.add(&record, key, value);
        }
        let (counts, keys) = fold.finish();
        Self {
            counts,
            keys,
            hashed: None,
            walked: None,
        }
    }

    /// The same for the records of the state alone.
    pub(super) fn read_state<'a, L: Send>(
        store: &Store<'a>,
        hashes: Hashes,
        look: impl Fn(&Record<'_>) -> L + Sync,
        mut see: impl FnMut(&Record<'a>, &[u8], L) -> Option<T> + Send,
    ) -> Self {
        let mut fold = CountFold::new(store);
        let ids = fold.keys.ids.clone();
        let mut hash = (hashes == Hashes::Computed).then(|| HashFold::new(store));
        let has_hashes = hash.is_some();
        let walked = store.state().visit_records(
            |record| {
                let element = record.element().filter(|_| has_hashes);
                let hashed = element.map(|element| hashed(record, element));
                let looked = (!record.is_bump_mark()).then(|| look(record));
                Some((record.in_map(), ids.of(record.key), looked, hashed))
            },
            |(record, id, looked, hashed), key| {
                let value = looked.and_then(|looked| see(&record, key, looked));
                let number = fold.add(&record, (key, id), value);
                if let (Some(hash), Some((hashed, lengths))) = (&mut hash, hashed) {
                    hash.add(&hashed, lengths, number);
                }
            },
        );
        let (counts, keys) = fold.finish();
        Self {
            counts,
            keys,
            hashed: hash.map(|HashFold { hash, sums }| (hash.hash(), sums)),
            walked,
        }
    }
}

impl<T> RecordPass<T> {
    /// `HashKV` at the newest revision, and the sums of the elements of the bucket. `None` also if the file is damaged:
    /// then a pass over the tree alone gives other numbers.
    pub(super) fn exact(&mut self) -> Option<(u32, BucketSums)> {
        self.hashed.take().filter(|_| self.walked.is_some())
    }
}

impl RecordPass<()> {
    /// Reads all records of a store, and nothing of them besides.
    pub(super) fn of_store(store: &Store<'_>, hashes: Hashes) -> Self {
        Self::read(store, hashes, |_| (), |_, _, ()| None)
    }
}

/// A record with the hash of its element, and the lengths of the element's key and value.
fn hashed(record: &Record<'_>, element: &Element<'_>) -> (HashedRecord, [usize; 2]) {
    let hashed = HashedRecord::new(record, element.key, element.value);
    (hashed, [element.key.len(), element.value.len()])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::diag::Diagnostics;
    use crate::source::Source;
    use crate::source::testdata::databases;

    #[test]
    fn a_record_is_live_by_its_revision_as_by_its_key_in_any_order() {
        let (mut live, mut others) = (0, 0);
        for path in databases(&[".db"]) {
            let Ok(source) = Source::open(&path) else {
                continue;
            };
            let diagnostics = Diagnostics::new();
            let Ok(store) = Store::open(&source, &diagnostics) else {
                continue;
            };
            let keys = RecordPass::of_store(&store, Hashes::Omitted).keys;
            let records: Vec<Record<'_>> = store.records(Direction::Forward).collect();
            let mut known = keys.live();
            // The last ones jump back and forth.
            let jumps = records.iter().zip(records.iter().rev());
            let jumps = jumps.flat_map(|(one, other)| [one, other]);
            for record in records.iter().chain(records.iter().rev()).chain(jumps) {
                let expected = keys.is_live(record);
                assert_eq!(known.has(record), expected, "{}", path.display());
                live += usize::from(expected);
                others += usize::from(!expected);
            }
        }
        assert!(live > 1000 && others > 1000, "{live} {others}");
    }
}
