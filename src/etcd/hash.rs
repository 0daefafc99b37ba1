//! The hashes of etcd's programs over a backend: a running CRC-32C (Castagnoli). [`backend_hash`] covers all buckets,
//! [`hash_kv`] the records up to a revision.

mod crc;
mod kv;

use crate::bbolt::bucket::leaf_elements;
use crate::bbolt::{Bucket, Direction, Element};

use super::schema;
use super::store::Store;

use crc::append;

pub use kv::{
    HashKv, RunningHashKv, hash_kv, hash_kv_as_compacted, hash_kv_by_revision, hash_kv_continued,
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

/// What a hash over all buckets covers, in this order: the name of each bucket, then its elements.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hashed<'h, 'a> {
    /// A bucket begins.
    Bucket(&'h Bucket<'a>),
    /// An element of it.
    Element(&'h Element<'a>),
}

/// Both hashes over all buckets, in one walk.
pub fn backend_hashes(store: &Store<'_>) -> BackendHashes {
    backend_hashes_with(store, |_| ())
}

/// The same; `see` is given everything that is hashed.
///
/// The two hashes are equal up to the first key that one of them leaves out. Bucket `meta` has all such keys, and it
/// follows bucket `key` with the many records. So almost all bytes are hashed once only.
pub(super) fn backend_hashes_with<'a>(
    store: &Store<'a>,
    mut see: impl FnMut(Hashed<'_, 'a>),
) -> BackendHashes {
    let mut hashes = BackendHashes {
        everything: 0,
        without_per_member: 0,
        salvaged: 0,
    };
    for bucket in store.buckets() {
        see(Hashed::Bucket(bucket));
        hashes.everything = crc32c::crc32c_append(hashes.everything, bucket.name);
        hashes.without_per_member = crc32c::crc32c_append(hashes.without_per_member, bucket.name);
        let leaves = store.leaves_of(bucket, Direction::Forward);
        let elements = leaves.flat_map(|leaf| {
            let is_salvaged = !leaf.reached;
            let elements = leaf_elements(&leaf, Direction::Forward);
            elements.map(move |(_, element)| (element, is_salvaged))
        });
        for (element, is_salvaged) in elements {
            see(Hashed::Element(&element));
            hashes.salvaged = hashes.salvaged.saturating_add(is_salvaged.into());
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

/// How many records of bucket `key` were salvaged; see [`BackendHashes::salvaged`].
pub fn salvaged_records(store: &Store<'_>) -> u64 {
    let leaves = store.record_leaves(Direction::Forward);
    let salvaged = leaves.filter(|leaf| !leaf.reached);
    salvaged.fold(0, |count, leaf| {
        let elements = leaf.elements(Direction::Forward).count() as u64;
        count.saturating_add(elements)
    })
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
