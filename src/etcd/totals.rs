//! The space that each key uses: all retained records, and the live part.

use crate::fast_map::FastMap;

use super::generation::{Generation, Transition};
use super::record::Record;
use super::revision::Revision;
use super::store::Store;
use super::succession::{Predecessor, compare};

/// The sizes of the retained records of one key.
#[derive(Debug, Clone, Copy)]
pub struct KeyTotals<'a> {
    /// Its newest put: the value of a live key, the last one of a deleted key.
    pub newest_put: Record<'a>,
    /// Whether that put is the key's current value, and was not deleted later.
    pub live: bool,
    /// Length of the values of all puts since its creation, in bytes.
    pub version_bytes: u64,
    /// Length of key and value of every retained record, including deletions and earlier lives, in bytes.
    pub record_bytes: u64,
}

/// The totals of every key with a retained put, in key order.
pub fn key_totals<'a>(store: &Store<'a>) -> Vec<(Box<[u8]>, KeyTotals<'a>)> {
    let mut keys: FastMap<Box<[u8]>, Fold<'a>> = FastMap::default();
    store.visit_records(
        |record| (!record.is_bump_mark()).then(|| record.in_map()),
        |record, key| match keys.get_mut(key) {
            Some(fold) => {
                compare(store, fold.newest.as_ref(), &record);
                fold.add(record);
            }
            None => {
                compare(store, None, &record);
                let mut fold = Fold::default();
                fold.add(record);
                keys.insert(key.into(), fold);
            }
        },
    );
    let mut totals: Vec<_> = keys
        .into_iter()
        .filter_map(|(key, fold)| Some((key, fold.totals()?)))
        .collect();
    totals.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    totals
}

/// The records of one key, added one after the other.
#[derive(Default)]
struct Fold<'a> {
    /// The key's generation after the record that was added last; none after a deletion.
    generation: Option<Generation>,
    /// The record with the highest revision, put or deletion.
    newest: Option<Predecessor>,
    /// The put with the highest revision.
    newest_put: Option<Record<'a>>,
    version_bytes: u64,
    record_bytes: u64,
}

impl<'a> Fold<'a> {
    fn add(&mut self, record: Record<'a>) {
        let is_newer = |known: Option<Revision>| known.is_none_or(|known| known < record.revision);
        let value_bytes = record.value.len() as u64;
        self.record_bytes = self
            .record_bytes
            .saturating_add(record.key.len() as u64)
            .saturating_add(value_bytes);
        let before = std::mem::replace(&mut self.generation, Generation::after(&record));
        if Transition::between(before, self.generation) != Transition::Continues {
            self.version_bytes = 0;
        }
        if !record.tombstone {
            self.version_bytes = self.version_bytes.saturating_add(value_bytes);
            // In a damaged file the walk need not go by revision.
            if is_newer(self.newest_put.map(|put| put.revision)) {
                self.newest_put = Some(record);
            }
        }
        if is_newer(self.newest.map(|newest| newest.revision())) {
            self.newest = Some(Predecessor::from(&record));
        }
    }

    fn totals(self) -> Option<KeyTotals<'a>> {
        Some(KeyTotals {
            newest_put: self.newest_put?,
            live: !self.newest?.is_deletion(),
            version_bytes: self.version_bytes,
            record_bytes: self.record_bytes,
        })
    }
}
