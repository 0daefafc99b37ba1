//! The hashes of etcd's programs over a backend: a running CRC-32C (Castagnoli). [`backend_hash`] covers all buckets,
//! [`hash_kv`] the records up to a revision.

mod crc;
mod kv;

use crate::bbolt::Direction;
use crate::bbolt::bucket::leaf_elements;

use super::schema;
use super::store::Store;

use crc::append;

pub use kv::{HashKv, RunningHashKv, hash_kv, hash_kv_as_compacted, hash_kv_by_revision};

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
}

/// Both hashes over all buckets, in one walk. They are equal up to the first key that one of them leaves out. Bucket
/// `meta` has all such keys, and it follows bucket `key` with the many records. So almost all bytes are hashed once
/// only.
pub fn backend_hashes(store: &Store<'_>) -> BackendHashes {
    let mut hashes = BackendHashes {
        everything: 0,
        without_per_member: 0,
    };
    for bucket in store.buckets() {
        hashes.everything = crc32c::crc32c_append(hashes.everything, bucket.name);
        hashes.without_per_member = crc32c::crc32c_append(hashes.without_per_member, bucket.name);
        let leaves = store.leaves_of(bucket, Direction::Forward);
        for (_, element) in leaves.flat_map(|leaf| leaf_elements(&leaf, Direction::Forward)) {
            // Then the next value is the same too, and is not computed again.
            let is_same_so_far = hashes.everything == hashes.without_per_member;
            hashes.everything = append(hashes.everything, element.key, element.value);
            if !is_per_member(bucket.name, element.key) {
                hashes.without_per_member = if is_same_so_far {
                    hashes.everything
                } else {
                    append(hashes.without_per_member, element.key, element.value)
                };
            }
        }
    }
    hashes
}

/// Whether members at the same revision may have other values for this key.
fn is_per_member(bucket: &[u8], key: &[u8]) -> bool {
    bucket == schema::META
        && matches!(
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
