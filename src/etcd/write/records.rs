//! The records of a store as pairs of bucket `key`. Records of the state are copied byte for byte. Records of other
//! origins, such as the write-ahead log, are encoded as etcd encodes them.

use std::cell::Cell;
use std::convert::Infallible;

use crate::bbolt::Direction;
use crate::bbolt::write::{Pairs, WriteError};
use crate::etcd::key_value::KeyValue;
use crate::etcd::leaves::leaf_records_with_bytes;
use crate::etcd::record::{Origin, Record};
use crate::etcd::revision::{BucketKey, Revision};
use crate::etcd::store::Store;

/// After this many records of other origins, the parts of the source that were read are released from memory.
const RELEASE_RECORDS: usize = 8192;

/// The key and the value of a record in bucket `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPair {
    /// The revision.
    pub revision: Revision,
    /// The key: 17 bytes, or 18 of a tombstone.
    pub key: Vec<u8>,
    /// The value: a message `mvccpb.KeyValue`.
    pub value: Vec<u8>,
}

impl StoredPair {
    /// The pair as etcd encodes this record. A tombstone stores the key alone.
    pub fn from_record(record: &Record<'_>) -> Self {
        let content = match record.tombstone {
            true => KeyValue {
                key: record.key,
                ..KeyValue::default()
            },
            false => record.key_value(),
        };
        let key = BucketKey {
            revision: record.revision,
            tombstone: record.tombstone,
        };
        Self {
            revision: record.revision,
            key: key.encode(),
            value: content.encode(),
        }
    }

    /// The deletion of a key at a revision.
    pub fn tombstone(revision: Revision, key: &[u8]) -> Self {
        let content = KeyValue {
            key,
            ..KeyValue::default()
        };
        let stored = BucketKey {
            revision,
            tombstone: true,
        };
        Self {
            revision,
            key: stored.encode(),
            value: content.encode(),
        }
    }

    /// Its bytes. Records that this program encodes are never marks.
    fn as_stored(&self) -> StoredBytes<'_> {
        StoredBytes {
            key: &self.key,
            value: &self.value,
            is_mark: false,
        }
    }

    /// The mark of a restore with a bumped revision: an empty value at a revision far above the newest.
    pub fn bump_mark(main: i64) -> Self {
        let revision = Revision { main, sub: 0 };
        let key = BucketKey {
            revision,
            tombstone: false,
        };
        Self {
            revision,
            key: key.encode(),
            value: Vec::new(),
        }
    }
}

/// The key and the value of a record as they are stored.
#[derive(Debug, Clone, Copy)]
pub struct StoredBytes<'r> {
    /// The key: 17 bytes, or 18 of a tombstone.
    pub key: &'r [u8],
    /// The value: a message `mvccpb.KeyValue`. It is empty in the mark of a bumped restore.
    pub value: &'r [u8],
    /// Whether the record can be the mark of a bumped restore: it is empty, and is the only one of its main revision; the
    /// bytes of its page follow each other as bbolt writes them. If the size of another record's value is lost, a gap
    /// remains in its page.
    pub is_mark: bool,
}

/// Calls `each` with every record of a store in the order of revisions, and with its stored bytes.
/// Records of other origins are merged in by revision. The records of a page that states the id of another page are
/// passed with origin salvaged.
///
/// # Errors
/// Those of `each`.
fn each_record<'a, E>(
    store: &Store<'a>,
    mut each: impl FnMut(&Record<'a>, StoredBytes<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut passed = 0_usize;
    // The records of other origins are scattered over the source: each may have loaded another page of it into memory.
    let mut encoded = |record: &Record<'_>| {
        passed = passed.saturating_add(1);
        if passed.is_multiple_of(RELEASE_RECORDS)
            && let Some(source) = store.db().source()
        {
            source.forget_resident();
        }
        StoredPair::from_record(record)
    };
    let mut additional = store.additional().iter().peekable();
    let diagnostics = store.db().diagnostics();
    for leaf in store.record_leaves(Direction::Forward) {
        let is_other_page = !leaf.page.inline && leaf.page.stated_id != leaf.page.pgid.0;
        let records = leaf_records_with_bytes(&leaf, Direction::Forward, diagnostics);
        let mut records = records.peekable();
        // Determined at the first empty record.
        let mut is_laid_out = None;
        while let Some((record, element)) = records.next() {
            // The keys of such a page fit its place in the tree, but it may be an older copy of the page that belongs
            // here.
            let record = match (is_other_page, record.origin) {
                (true, Origin::Live) => Record {
                    origin: Origin::Salvaged,
                    ..record
                },
                _ => record,
            };
            while let Some(next) = additional.next_if(|next| next.revision < record.revision) {
                let pair = encoded(next);
                each(next, pair.as_stored())?;
            }
            let is_alone = |(next, _): &(Record<'_>, _)| next.revision.main != record.revision.main;
            let may_be_mark =
                element.value.is_empty() && record.is_bump_mark() && record.revision.sub == 0;
            let stored = StoredBytes {
                key: element.key,
                value: element.value,
                is_mark: may_be_mark
                    && records.peek().is_none_or(is_alone)
                    && *is_laid_out.get_or_insert_with(|| leaf.page.layout_fault().is_none()),
            };
            each(&record, stored)?;
        }
    }
    additional.try_for_each(|next| {
        let pair = encoded(next);
        each(next, pair.as_stored())
    })
}

/// The same for a call that cannot fail.
pub fn for_each_record<'a>(store: &Store<'a>, mut each: impl FnMut(&Record<'a>, StoredBytes<'_>)) {
    let passed: Result<(), Infallible> = each_record(store, |record, stored| {
        each(record, stored);
        Ok(())
    });
    let Ok(()) = passed;
}

/// Selected records of a store, merged with additional pairs. In a damaged file the records may not be in the order of
/// revisions: one that is not after the last one kept is left out.
pub struct KeptRecords<'s, 'a> {
    store: &'s Store<'a>,
    /// Whether a record, with its stored bytes, is selected.
    keeps: &'s dyn Fn(&Record<'a>, StoredBytes<'_>) -> bool,
    /// The additional pairs, in ascending order.
    added: &'s [StoredPair],
}

impl<'s, 'a> KeptRecords<'s, 'a> {
    /// The records for which `keeps` returns true, merged with `added`, which must be in ascending order. `keeps`
    /// gets the record and its stored bytes, and must return the same in each walk.
    pub fn new(
        store: &'s Store<'a>,
        keeps: &'s dyn Fn(&Record<'a>, StoredBytes<'_>) -> bool,
        added: &'s [StoredPair],
    ) -> Self {
        Self {
            store,
            keeps,
            added,
        }
    }
}

impl Pairs for KeptRecords<'_, '_> {
    fn walk(
        &self,
        each: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let mut added = self.added.iter().peekable();
        let mut last: Option<Revision> = None;
        each_record(self.store, |record, stored| {
            let is_ordered = last.is_none_or(|last| last < record.revision);
            if !is_ordered || !(self.keeps)(record, stored) {
                return Ok(());
            }
            last = Some(record.revision);
            while let Some(next) = added.next_if(|next| next.revision < record.revision) {
                each(&next.key, &next.value)?;
            }
            each(stored.key, stored.value)
        })?;
        added.try_for_each(|next| each(&next.key, &next.value))
    }
}

/// The number, the length and a checksum of pairs, to compare what was written with what is read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of pairs.
    pub pairs: u64,
    /// Length of all keys and values, in bytes.
    pub bytes: u64,
    /// The CRC-32C of all keys and values, one after another.
    crc: u32,
}

impl Tally {
    /// A number of pairs, with the length and the CRC-32C of their keys and values, one after another.
    pub(super) fn new(pairs: u64, bytes: u64, crc: u32) -> Self {
        Self { pairs, bytes, crc }
    }

    /// Adds a pair.
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.pairs = self.pairs.saturating_add(1);
        for part in [key, value] {
            self.bytes = self.bytes.saturating_add(part.len() as u64);
            self.crc = crc32c::crc32c_append(self.crc, part);
        }
    }
}

/// Pairs, with the tally of the last walk over them.
pub struct Tallied<'p> {
    pairs: &'p dyn Pairs,
    tally: Cell<Tally>,
}

impl<'p> Tallied<'p> {
    /// Pairs that were not walked over yet.
    pub fn new(pairs: &'p dyn Pairs) -> Self {
        Self {
            pairs,
            tally: Cell::default(),
        }
    }

    /// The tally of the last complete walk; zero before the first one.
    pub fn tally(&self) -> Tally {
        self.tally.get()
    }
}

impl Pairs for Tallied<'_> {
    fn walk(
        &self,
        each: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let mut tally = Tally::default();
        self.pairs.walk(&mut |key, value| {
            tally.add(key, value);
            each(key, value)
        })?;
        self.tally.set(tally);
        Ok(())
    }
}
