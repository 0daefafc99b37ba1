//! The hashes of etcd's programs over a backend: a running CRC-32C (Castagnoli).

use std::collections::{HashMap, HashSet};

use crate::bbolt::Direction;
use crate::bbolt::bucket::leaf_elements;

use super::record::Record;
use super::revision::Revision;
use super::schema;
use super::store::Store;

/// Which keys of bucket `meta` a hash leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Omit {
    /// None, as `etcdutl snapshot status` (`etcdutl/snapshot/v3_snapshot.go`).
    Nothing,
    /// The keys that differ between members at the same revision, as the server's `Hash` and `etcd-dump-db hash`
    /// (`schema.DefaultIgnores` of 3.6).
    PerMember,
}

/// The hash over all buckets: name, then each key and value, in key order.
pub fn backend_hash(store: &Store<'_>, omit: Omit) -> u32 {
    let mut hash = 0;
    for bucket in store.buckets() {
        hash = crc32c::crc32c_append(hash, bucket.name);
        let leaves = store.leaves_of(bucket, Direction::Forward);
        for (_, element) in leaves.flat_map(|leaf| leaf_elements(&leaf, Direction::Forward)) {
            let ignored = omit == Omit::PerMember
                && bucket.name == schema::META
                && matches!(
                    element.key,
                    schema::CONSISTENT_INDEX | schema::TERM | schema::STORAGE_VERSION
                );
            if !ignored {
                hash = crc32c::crc32c_append(hash, element.key);
                hash = crc32c::crc32c_append(hash, element.value);
            }
        }
    }
    hash
}

/// `HashKV` at a revision (`server/storage/mvcc/hash.go`). Members at the same revision and compaction have the same one.
pub fn hash_kv(store: &Store<'_>, at: i64) -> u32 {
    let compacted = store.compact_revision();
    let kept = if compacted > 0 {
        kept_by_compaction(store, at)
    } else {
        HashSet::new()
    };
    let mut hash = crc32c::crc32c(schema::KEY);
    for leaf in store.record_leaves(Direction::Forward) {
        for element in leaf.elements(Direction::Forward) {
            let Ok((record, _)) = Record::parse(&leaf.page, &element) else {
                continue;
            };
            let old = record.revision.main <= compacted;
            let skipped = record.revision.main > at
                || (old && !kept.is_empty() && !kept.contains(&record.revision))
                || (record.revision.main == compacted && record.tombstone);
            if !skipped {
                hash = crc32c::crc32c_append(hash, element.key);
                hash = crc32c::crc32c_append(hash, element.value);
            }
        }
    }
    hash
}

/// The revisions at or below `at` that a compaction at `at` would keep: the last put of each key, unless a tombstone at
/// or below `at` follows it (`keyIndex.keep`).
fn kept_by_compaction(store: &Store<'_>, at: i64) -> HashSet<Revision> {
    #[derive(Default)]
    struct OfKey {
        candidate: Option<Revision>,
        /// Whether a generation that ends at or above `at` was seen. Later generations do not count.
        closed: bool,
    }
    let mut keys: HashMap<Box<[u8]>, OfKey> = HashMap::new();
    for record in store.records(Direction::Forward) {
        if !keys.contains_key(record.key) {
            keys.insert(record.key.into(), OfKey::default());
        }
        let Some(of_key) = keys.get_mut(record.key) else {
            continue;
        };
        if of_key.closed {
            continue;
        }
        if record.tombstone {
            of_key.closed = record.revision.main >= at;
            if record.revision.main <= at {
                of_key.candidate = None;
            }
        } else if record.revision.main <= at {
            of_key.candidate = Some(record.revision);
        }
    }
    keys.into_values()
        .filter_map(|of_key| of_key.candidate)
        .collect()
}
