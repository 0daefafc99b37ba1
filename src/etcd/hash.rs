//! The hashes of etcd's programs over a backend: a running CRC-32C (Castagnoli). [`backend_hash`] covers all buckets,
//! [`hash_kv`] the records up to a revision.

mod crc;
mod kv;

use crate::bbolt::bucket::leaf_elements;
use crate::bbolt::{Bucket, Direction, Leaf};

use super::schema;
use super::store::Store;

use crc::append;

pub(super) use crc::CrcPart;
pub use kv::{
    HashKv, HashedRecord, RunningHashKv, hash_kv, hash_kv_as_compacted, hash_kv_by_revision,
    hash_kv_continued,
};

/// Which keys of bucket `meta` a hash leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Omit {
    /// None, as `etcdutl snapshot status` (`etcdutl/snapshot/v3_snapshot.go`).
    Nothing,
    /// The keys that differ between members at the same revision, as the server's `Hash` and `etcd-dump-db hash`
    /// (`schema.DefaultIgnores` of 3.6).
    PerMember,
}

/// Both hashes over all buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackendHashes {
    /// With [`Omit::Nothing`].
    pub everything: u32,
    /// With [`Omit::PerMember`].
    pub without_per_member: u32,
    /// How many of the hashed records were salvaged: a scan of the pages found them, because the tree is damaged. etcd
    /// and its tools follow the tree alone, so they would compute another hash.
    pub salvaged: u64,
}

impl BackendHashes {
    /// Continues the hashes with bucket `meta`.
    fn add_bucket_with_per_member<'a>(&mut self, store: &Store<'a>, bucket: &Bucket<'a>) {
        let leaves = store.leaves_of(bucket, Direction::Forward);
        for (_, element) in leaves.flat_map(|leaf| leaf_elements(&leaf, Direction::Forward)) {
            self.everything = append(self.everything, element.key, element.value);
            if !is_per_member(element.key) {
                let hash = self.without_per_member;
                self.without_per_member = append(hash, element.key, element.value);
            }
        }
    }
}

impl CrcPart {
    /// The keys and values of a leaf.
    pub(super) fn of_leaf(leaf: &Leaf<'_>) -> Self {
        let (mut crc, mut bytes) = (0, 0_u64);
        for (_, element) in leaf_elements(leaf, Direction::Forward) {
            crc = append(crc, element.key, element.value);
            bytes = bytes
                .saturating_add(element.key.len() as u64)
                .saturating_add(element.value.len() as u64);
        }
        Self::new(crc, bytes)
    }
}

/// Both hashes over all buckets, in one walk on all cores. They are equal up to the first key that one of them leaves out. Bucket
/// `meta` has all such keys, and it follows bucket `key` with the many records. So almost all bytes are hashed once
/// only.
pub fn backend_hashes(store: &Store<'_>) -> BackendHashes {
    let mut hashes = BackendHashes {
        everything: 0,
        without_per_member: 0,
        salvaged: 0,
    };
    for bucket in store.buckets() {
        hashes.everything = crc32c::crc32c_append(hashes.everything, bucket.name);
        hashes.without_per_member = crc32c::crc32c_append(hashes.without_per_member, bucket.name);
        if bucket.name == schema::META {
            hashes.add_bucket_with_per_member(store, bucket);
            continue;
        }
        let is_same = hashes.everything == hashes.without_per_member;
        store.leaves_of_with(bucket, Direction::Forward).visit(
            |read| Some(CrcPart::of_leaf(&read.leaf)),
            |leaf, part| {
                let part = part.unwrap_or_else(|| CrcPart::of_leaf(leaf));
                hashes.salvaged = hashes.salvaged.saturating_add(salvaged_in(leaf));
                hashes.everything = part.after(hashes.everything);
                hashes.without_per_member = if is_same {
                    hashes.everything
                } else {
                    part.after(hashes.without_per_member)
                };
            },
        );
    }
    hashes
}

/// How many records of bucket `key` were salvaged; see [`BackendHashes::salvaged`].
pub fn salvaged_records(store: &Store<'_>) -> u64 {
    let leaves = store.record_leaves(Direction::Forward);
    leaves.fold(0, |count, leaf| count.saturating_add(salvaged_in(&leaf)))
}

/// How many elements of a leaf were salvaged.
pub(super) fn salvaged_in(leaf: &Leaf<'_>) -> u64 {
    match leaf.reached {
        true => 0,
        false => leaf.elements(Direction::Forward).count() as u64,
    }
}

/// Whether members at the same revision may have other values for this key of bucket `meta`.
fn is_per_member(key: &[u8]) -> bool {
    matches!(
        key,
        schema::CONSISTENT_INDEX | schema::TERM | schema::STORAGE_VERSION
    )
}

/// The hash over all buckets: name, then each key and value, in key order.
pub fn backend_hash(store: &Store<'_>, omit: Omit) -> u32 {
    let hashes = backend_hashes(store);
    match omit {
        Omit::Nothing => hashes.everything,
        Omit::PerMember => hashes.without_per_member,
    }
}
