//! Writes a store that etcd accepts: the buckets of a source, with changes, as a new database file.
//!
//! "Small" are all buckets of etcd but `key`, which has the records: they fit into memory. A snapshot file keeps
//! everything that they have. The database of a data directory gets new members, see [`NewStore::set_members`], which
//! changes the same as `etcdutl snapshot restore` (`etcdutl/snapshot/v3_snapshot.go`).
//!
//! Example: `NewStore::from_store(&store, &records)`, then `set`, `remove` and `clear` as needed, then `plan` and
//! `write`.

mod read_back;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use crate::arrange::Arrange as _;
use crate::bbolt::bucket::is_bucket;
use crate::bbolt::write::{self, Layout, NewBucket, Pairs, Plan, WriteError, WrittenFile};
use crate::bbolt::{Bucket, Direction};
use crate::diag::Diagnostics;

use super::revision::{BucketKey, Revision};
use super::schema;
use super::store::Store;

pub use read_back::ReadBack;
pub use records::{KeptRecords, StoredBytes, StoredPair, Tallied, Tally, for_each_record};

/// A bucket in memory.
type SmallBucket = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store that is to be written.
pub struct NewStore<'s, 'a> {
    /// Every bucket of etcd but `key`.
    small: BTreeMap<Vec<u8>, SmallBucket>,
    /// Buckets that no version of etcd uses; they are copied.
    unknown: Vec<CopiedBucket<'s, 'a>>,
    /// The pairs of bucket `key`.
    records: &'s dyn Pairs,
}

/// The pairs of a bucket of the source, without buckets inside it, which etcd does not have.
struct CopiedBucket<'s, 'a> {
    bucket: &'s Bucket<'a>,
    diagnostics: &'a Diagnostics,
}

impl Pairs for CopiedBucket<'_, '_> {
    fn walk(
        &self,
        each: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let mut elements = self.bucket.elements(self.diagnostics, Direction::Forward);
        elements.try_for_each(|(_, element)| match is_bucket(&element) {
            true => Ok(()),
            false => each(element.key, element.value),
        })
    }
}

/// The parts of a data directory's database that belong to its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberState {
    /// The pairs of bucket `members`: the id in hex without leading zeros, and the member as JSON.
    pub members: Vec<(Vec<u8>, Vec<u8>)>,
    /// Index of the last entry of the new log, which has one entry for each member.
    pub consistent_index: u64,
    /// Term of that entry.
    pub term: u64,
    /// The ids of the voting members as JSON, for the key `confState`; if none, the key is left out.
    pub conf_state: Option<Vec<u8>>,
}

impl<'s, 'a> NewStore<'s, 'a> {
    /// A copy of the buckets of a store, with these records. Each bucket that etcd creates exists, also if the source
    /// lacks it. Unknown buckets with the names in `left_out` are not copied.
    pub fn from_store(store: &'s Store<'a>, records: &'s dyn Pairs, left_out: &[Vec<u8>]) -> Self {
        let mut small: BTreeMap<Vec<u8>, SmallBucket> = BTreeMap::new();
        for name in schema::BUCKETS.iter().filter(|name| **name != schema::KEY) {
            small.insert(name.to_vec(), SmallBucket::new());
        }
        let diagnostics = store.db().diagnostics();
        let mut unknown = Vec::new();
        for bucket in store.buckets() {
            match small.get_mut(bucket.name) {
                Some(pairs) => {
                    let elements = bucket.elements(diagnostics, Direction::Forward);
                    // If a page of bucket `key` took the place of a page of this one, its records are not copied:
                    // a reader that looks for lost records would find them here.
                    let elements = elements.filter(|(_, element)| {
                        !is_bucket(element) && !BucketKey::is_surely_revision(element.key)
                    });
                    pairs.extend(
                        elements.map(|(_, element)| (element.key.to_vec(), element.value.to_vec())),
                    );
                }
                None if bucket.name == schema::KEY => {}
                None if left_out.iter().any(|name| name == bucket.name) => {}
                None => unknown.push(CopiedBucket {
                    bucket,
                    diagnostics,
                }),
            }
        }
        Self {
            small,
            unknown,
            records,
        }
    }

    /// Sets a value of a small bucket.
    pub fn set(&mut self, bucket: &[u8], key: &[u8], value: Vec<u8>) {
        let pairs = self.small.entry(bucket.to_vec()).or_default();
        pairs.insert(key.to_vec(), value);
    }

    /// Removes a key of a small bucket.
    pub fn remove(&mut self, bucket: &[u8], key: &[u8]) {
        if let Some(pairs) = self.small.get_mut(bucket) {
            pairs.remove(key);
        }
    }

    /// Removes all pairs of a small bucket. The empty bucket remains.
    pub fn clear(&mut self, bucket: &[u8]) {
        self.small.entry(bucket.to_vec()).or_default().clear();
    }

    /// The pairs of a small bucket, in ascending order.
    pub fn pairs(&self, bucket: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        let pairs = self.small.get(bucket).into_iter().flatten();
        pairs.map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Records a finished compaction at this main revision: sets both of its keys in bucket `meta`. 0 removes them.
    pub fn set_compaction(&mut self, main: i64) {
        for key in [schema::SCHEDULED_COMPACT, schema::FINISHED_COMPACT] {
            match main {
                0 => self.remove(schema::META, key),
                main => self.set(schema::META, key, compact_mark(main)),
            }
        }
    }

    /// Makes it the database of a new data directory: replaces the members and the position in the log, and removes
    /// the versions of the cluster and of the schema. etcd writes its own versions when it starts. If those of etcd
    /// 3.7 remained, etcd 3.6 would refuse to start.
    pub fn set_members(&mut self, state: &MemberState) {
        self.clear(schema::MEMBERS);
        for (id, member) in &state.members {
            self.set(schema::MEMBERS, id, member.clone());
        }
        self.clear(schema::MEMBERS_REMOVED);
        self.clear(schema::CLUSTER);
        self.remove(schema::META, schema::STORAGE_VERSION);
        let index = state.consistent_index.to_be_bytes();
        self.set(schema::META, schema::CONSISTENT_INDEX, index.to_vec());
        self.set(schema::META, schema::TERM, state.term.to_be_bytes().into());
        match &state.conf_state {
            Some(voters) => self.set(schema::META, schema::CONF_STATE, voters.clone()),
            None => self.remove(schema::META, schema::CONF_STATE),
        }
    }

    /// The buckets in ascending order of names.
    fn buckets(&self) -> Vec<NewBucket<'_>> {
        let small = self.small.iter().map(|(name, pairs)| NewBucket {
            name,
            pairs: pairs as &dyn Pairs,
        });
        let unknown = self.unknown.iter().map(|copied| NewBucket {
            name: copied.bucket.name,
            pairs: copied as &dyn Pairs,
        });
        let records = NewBucket {
            name: schema::KEY,
            pairs: self.records,
        };
        let mut buckets: Vec<NewBucket<'_>> = small.chain(unknown).chain([records]).collect();
        buckets.arrange_by_key(|bucket| bucket.name);
        buckets
    }

    /// Walks over everything once, and determines the layout of the file.
    ///
    /// # Errors
    /// As [`write::plan`].
    pub fn plan(&self, layout: &Layout) -> Result<Plan, WriteError> {
        write::plan(layout, &self.buckets())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// As [`write::write`].
    pub fn write(
        &self,
        to: &mut dyn Write,
        layout: &Layout,
        plan: &Plan,
    ) -> Result<WrittenFile, WriteError> {
        write::write(to, layout, plan, &self.buckets())
    }
}

/// The names of the unknown buckets that cannot be copied: bbolt refuses keys that do not ascend, and two buckets of one
/// name. Both are damage.
pub fn unwritable_buckets(store: &Store<'_>) -> Vec<Vec<u8>> {
    let diagnostics = store.db().diagnostics();
    let is_known = |name: &[u8]| schema::BUCKETS.contains(&name);
    let unknown = store
        .buckets()
        .iter()
        .filter(|bucket| !is_known(bucket.name));
    let mut seen = BTreeSet::new();
    let mut unwritable = BTreeSet::new();
    for bucket in unknown {
        let elements = bucket.elements(diagnostics, Direction::Forward);
        let mut keys = elements.filter(|(_, element)| !is_bucket(element));
        let mut last = None;
        let ascends = keys.all(|(_, element)| last.replace(element.key) < Some(element.key));
        if !ascends || !seen.insert(bucket.name) {
            unwritable.insert(bucket.name.to_vec());
        }
    }
    unwritable.into_iter().collect()
}

/// The value of a compaction mark: the revision with sub 0, as 17 bytes.
pub fn compact_mark(main: i64) -> Vec<u8> {
    BucketKey {
        revision: Revision { main, sub: 0 },
        tombstone: false,
    }
    .encode()
}
