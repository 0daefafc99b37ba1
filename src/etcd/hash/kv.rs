//! `HashKV` (`server/storage/mvcc/hash.go`): the hash that etcd compares between members.
//!
//! HashKV at revision R is the CRC-32C of the word `key` and of some records up to R, in the order of revisions:
//!
//! - of records above the compaction: all;
//! - of the old ones, which are those up to the compaction: the ones that a compaction at R would keep. That is the
//!   last put of each key, if the key was not written or deleted again up to R. If no key is live at R, all old records
//!   are hashed, because etcd then skips none.
//! - never a tombstone at the compacted revision, because etcd before 3.4.34 and 3.5.16 removes it.
//!
//! Example: compacted at 5, with `a` put at 3 and `b` put at 4. HashKV at 5 has the records of 3 and 4. If `a` is put
//! again at 6, HashKV at 6 has those of 4 and 6.
//!
//! So from R to R + 1 the hash of the records above the compaction continues, and each write removes at most one of the
//! old records. That is why one pass gives the hash at every revision: the old records are in a [`CrcTree`].

use crate::bbolt::Direction;
use crate::etcd::key_ids::{KeyIds, KeyNumbers, to_u32, to_usize};
use crate::etcd::record::Record;
use crate::etcd::revision::{BucketKey, Revision};
use crate::etcd::schema;
use crate::etcd::side_by_side::StoredRecord;
use crate::etcd::store::Store;

use super::crc::{CrcPart, CrcTree};

/// `HashKV` at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashKv {
    /// The hash.
    pub hash: u32,
    /// The revision.
    pub revision: i64,
    /// The compacted revision; none if nothing was compacted.
    pub compact_revision: Option<i64>,
}

/// What is known of a key after the records that were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyState {
    /// Its newest record is a tombstone.
    Deleted,
    /// Its newest record is a put above the compaction.
    Live,
    /// Its newest record is a put up to the compaction; its index in [`RunningHashKv::old`].
    Kept(u32),
}

/// A record up to the compaction.
#[derive(Debug, Clone, Copy)]
struct OldRecord {
    /// Its key and value as they are stored.
    part: CrcPart,
    /// Whether it is the last put of its key, and the key was not deleted.
    is_kept: bool,
}

/// The hash of the records that were added up to now, in the order of revisions.
#[derive(Debug)]
pub struct RunningHashKv {
    compacted: i64,
    /// Whether the store has records that the compaction at `compacted` would remove, because the store itself is not
    /// compacted that far. False after [`Self::compact`].
    is_not_compacted_yet: bool,
    /// The records up to the compaction.
    old: Vec<OldRecord>,
    /// The kept ones of `old`. Built after the last of them was added, and only if the hash is needed at every
    /// revision.
    kept: Option<CrcTree>,
    /// All of `old` that a compacted store has: what is hashed if no key is live.
    all: CrcPart,
    /// Every key, by its number in the pass. Only filled if something was compacted.
    keys: Vec<KeyState>,
    /// The state of the empty key, which only a bump mark has.
    bump_mark: KeyState,
    /// How many of the keys are live.
    live_keys: usize,
    /// The records above the compaction.
    new: CrcPart,
}

/// The parts of a record that are hashed. They are computed on all cores.
#[derive(Debug, Clone, Copy)]
pub struct HashedRecord {
    revision: Revision,
    tombstone: bool,
    /// Its key and value as they are stored.
    pub part: CrcPart,
}

impl HashedRecord {
    /// Hashes a record with its key and value as they are stored.
    pub fn new(record: &Record<'_>, key: &[u8], value: &[u8]) -> Self {
        Self {
            revision: record.revision,
            tombstone: record.tombstone,
            part: CrcPart::of_element(key, value),
        }
    }
}

impl RunningHashKv {
    /// The hash of a store before its first record is added.
    pub fn new(store: &Store<'_>) -> Self {
        Self::as_compacted(store, store.compact_revision())
    }

    /// The hash that the store would have after a compaction at this revision, before its first record is added. With
    /// it members can be compared if one is compacted further than the other.
    pub fn as_compacted(store: &Store<'_>, compacted: i64) -> Self {
        Self {
            compacted,
            is_not_compacted_yet: compacted > store.compact_revision(),
            old: Vec::new(),
            kept: None,
            all: CrcPart::EMPTY,
            keys: Vec::new(),
            bump_mark: KeyState::Deleted,
            live_keys: 0,
            new: CrcPart::EMPTY,
        }
    }

    /// Adds the next record. `number` is that of its key in the pass; none for a bump mark.
    pub fn add(&mut self, record: &HashedRecord, number: Option<usize>) {
        let part = record.part;
        let is_old = record.revision.main <= self.compacted;
        let mut state = match record.tombstone {
            true => KeyState::Deleted,
            false => KeyState::Live,
        };
        if is_old {
            if !(record.tombstone && record.revision.main == self.compacted) {
                self.all = self.all.then(part);
            }
            if !record.tombstone {
                state = KeyState::Kept(to_u32(self.old.len()));
            }
            self.old.push(OldRecord {
                part,
                is_kept: !record.tombstone,
            });
        } else {
            self.new = self.new.then(part);
        }
        if self.compacted > 0 {
            self.follow_key(number, state);
        }
    }

    /// Notes the state of a key after a record. The record that the key had before is no longer kept.
    fn follow_key(&mut self, number: Option<usize>, state: KeyState) {
        if number == Some(self.keys.len()) {
            self.keys.push(KeyState::Deleted);
        }
        let known = match number {
            Some(number) => self.keys.get_mut(number),
            None => Some(&mut self.bump_mark),
        };
        let before = known.map_or(state, |known| std::mem::replace(known, state));
        self.live_keys = match (before, state) {
            (KeyState::Deleted, KeyState::Deleted) => self.live_keys,
            (KeyState::Deleted, _) => self.live_keys.saturating_add(1),
            (_, KeyState::Deleted) => self.live_keys.saturating_sub(1),
            _ => self.live_keys,
        };
        if let KeyState::Kept(before) = before {
            let before = to_usize(before);
            if let Some(old) = self.old.get_mut(before) {
                old.is_kept = false;
            }
            if let Some(tree) = &mut self.kept {
                tree.remove(before);
            }
        }
    }

    /// The records up to the compaction; those that are not kept are empty, so that the indices are those of `old`.
    fn kept_parts(&self) -> impl ExactSizeIterator<Item = CrcPart> {
        self.old.iter().map(|old| match old.is_kept {
            true => old.part,
            false => CrcPart::EMPTY,
        })
    }

    /// Builds the tree of the kept records, so that the hash at every further revision takes few steps. All records up
    /// to the compaction have to be added before.
    fn index_kept(&mut self) {
        if self.kept.is_none() {
            self.kept = Some(CrcTree::new(self.kept_parts()));
        }
    }

    /// Removes what a compaction at `compacted` would remove, if the store is not compacted that far. All records up to
    /// the compaction have to be added before, and none after it.
    fn compact(&mut self) {
        if std::mem::take(&mut self.is_not_compacted_yet) {
            self.all = self.kept_parts().fold(CrcPart::EMPTY, CrcPart::then);
        }
    }

    /// The hash of the records that were added.
    pub fn hash(&self) -> u32 {
        // The name of the bucket is hashed first.
        let word = CrcPart::new(crc32c::crc32c(schema::KEY), schema::KEY.len() as u64);
        let old = match &self.kept {
            _ if self.live_keys == 0 => self.all,
            Some(tree) => tree.whole(),
            None => self.kept_parts().fold(CrcPart::EMPTY, CrcPart::then),
        };
        word.then(old).then(self.new).crc()
    }
}

/// `HashKV` at a revision. Members at the same revision and compaction have the same one.
pub fn hash_kv(store: &Store<'_>, at: i64) -> u32 {
    hash_kv_as_compacted(store, at, store.compact_revision())
}

/// `HashKV` at a revision, as it would be after a compaction at `compacted`, or after the store's own compaction if
/// that is higher.
pub fn hash_kv_as_compacted(store: &Store<'_>, at: i64, compacted: i64) -> u32 {
    hash_kv_continued(store, &[], at, compacted)
}

/// The same of a store that is continued by records, which are in the order of revisions.
pub fn hash_kv_continued(
    store: &Store<'_>,
    added: &[StoredRecord<'_>],
    at: i64,
    compacted: i64,
) -> u32 {
    let compacted = compacted.max(store.compact_revision());
    let mut hash = RunningHashKv::as_compacted(store, compacted);
    let (ids, mut numbers) = (KeyIds::default(), KeyNumbers::default());
    store.state().visit_records(
        |record| {
            let element = record.element().filter(|_| record.revision.main <= at)?;
            let hashed = HashedRecord::new(record, element.key, element.value);
            Some((hashed, ids.of(record.key)))
        },
        |(record, id), _| {
            if record.revision.main > compacted {
                hash.compact();
            }
            hash.add(&record, Some(numbers.add(id)));
        },
    );
    for next in added {
        let BucketKey {
            revision,
            tombstone,
        } = next.place;
        let Some(content) = next.content().filter(|_| revision.main <= at) else {
            continue;
        };
        if revision.main > compacted {
            hash.compact();
        }
        let hashed = HashedRecord {
            revision,
            tombstone,
            part: CrcPart::of_element(&next.place.encode(), next.stored),
        };
        hash.add(&hashed, Some(numbers.add(ids.of(content.key))));
    }
    hash.compact();
    hash.hash()
}

/// `HashKV` at every revision that can be asked for, in one pass: at the compacted revision, at each one with a record
/// above it, and at the newest.
///
/// # Errors
/// Those of `visit`, which end the pass.
pub fn hash_kv_by_revision<E>(
    store: &Store<'_>,
    mut visit: impl FnMut(HashKv) -> Result<(), E>,
) -> Result<(), E> {
    let compacted = store.compact_revision();
    let at_revision = |hash: &RunningHashKv, revision| HashKv {
        hash: hash.hash(),
        revision,
        compact_revision: (compacted > 0).then_some(compacted),
    };
    let mut hash = RunningHashKv::new(store);
    let (ids, mut numbers) = (KeyIds::default(), KeyNumbers::default());
    // The revision whose records are being added; 0 before the first one.
    let mut revision = compacted;
    let records = store
        .state()
        .chosen_records(Direction::Forward, |record, element| {
            let hashed = HashedRecord::new(record, element.key, element.value);
            Some((hashed, ids.of(record.key)))
        });
    for (record, id) in records {
        let main = record.revision.main;
        if main > revision {
            if revision > 0 {
                hash.index_kept();
                visit(at_revision(&hash, revision))?;
            }
            revision = main;
        }
        hash.add(&record, Some(numbers.add(id)));
    }
    if revision > 0 {
        visit(at_revision(&hash, revision))?;
    }
    let newest = store.state().revision();
    if newest > revision {
        visit(at_revision(&hash, newest))?;
    }
    Ok(())
}
