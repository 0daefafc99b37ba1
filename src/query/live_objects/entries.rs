//! The records of live objects in the order in which they are shown. Each is read again when its turn comes.

use crate::etcd::{KeyEntry, KeyPlaces, PlacedRecord};

/// Records are read in batches of this size: enough work for all cores, and little memory.
const BATCH_BYTES: u64 = 4 << 20;

/// The most records in a batch. Reading each of them makes some pages around it resident.
const BATCH_RECORDS: usize = 512;

/// The live records of a question.
#[derive(Debug)]
pub struct LiveEntries<'a> {
    keys: KeyPlaces<'a>,
    /// The indexes of the keys, in the order in which they are shown.
    order: Vec<u32>,
}

impl<'a> LiveEntries<'a> {
    /// The records of keys, in key order.
    pub(super) fn new(keys: KeyPlaces<'a>) -> Self {
        let order = (0_u32..).take(keys.len()).collect();
        Self { keys, order }
    }

    /// Sorts them by what their keys show. Equal ones stay in order.
    pub(super) fn sort_by_key<R: Ord>(&mut self, rank: impl Fn(&[u8]) -> R) {
        let keys = &self.keys;
        self.order
            .sort_by_key(|index| rank(keys.key(to_usize(*index))));
    }

    /// The same by what their records show.
    pub(super) fn sort_by_record<R: Ord>(&mut self, rank: impl FnMut(Option<KeyEntry<'a>>) -> R) {
        let (keys, mut rank) = (&self.keys, rank);
        let entry = |index: &u32| keys.entry(to_usize(*index));
        self.order.sort_by_cached_key(|index| rank(entry(index)));
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The keys, in the order in which they are shown.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let order = self.order.iter();
        order.map(|index| self.keys.key(to_usize(*index)))
    }

    /// The keys with their records.
    pub fn iter(&self) -> impl Iterator<Item = KeyEntry<'a>> + '_ {
        let order = self.order.iter();
        order.filter_map(|index| self.keys.entry(to_usize(*index)))
    }

    /// The records in batches, for work on all cores. No page is read for them.
    pub fn batches(&self) -> impl Iterator<Item = Vec<PlacedRecord<'a>>> + '_ {
        let order = self.order.iter();
        let mut records = order.filter_map(|index| self.keys.version(to_usize(*index)));
        std::iter::from_fn(move || {
            let mut bytes = 0_u64;
            let mut batch = Vec::new();
            while bytes < BATCH_BYTES && batch.len() < BATCH_RECORDS {
                let Some(record) = records.next() else { break };
                bytes = bytes.saturating_add(record.value_bytes);
                batch.push(record);
            }
            (!batch.is_empty()).then_some(batch)
        })
    }
}

fn to_usize(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
