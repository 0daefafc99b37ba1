//! The state of a store in numbers: what etcdutl's `snapshot status` tells, and the rest.

use std::collections::HashMap;

use crate::bbolt::Direction;

use super::cluster::{AlarmMember, Member, alarms, members};
use super::hash::{Leave, backend_hash, hash_kv};
use super::schema;
use super::store::Store;

/// What `etcdutl snapshot status` of etcd 3.6 tells (`etcdutl/snapshot/v3_snapshot.go`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotStatus {
    /// Hash over all buckets.
    pub hash: u32,
    /// Main revision of the newest record; 0 without one.
    pub revision: i64,
    /// Keys that are alive.
    pub total_key: u64,
    /// High-water mark times page size, in bytes.
    pub total_size: u64,
    /// Version of the schema; empty before 3.6.
    pub version: String,
}

/// The records of bucket `key` in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// All records.
    pub records: u64,
    /// Those that delete a key.
    pub tombstones: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Distinct keys whose newest record is a put.
    pub live_keys: u64,
    /// Oldest main revision of a record.
    pub oldest: Option<i64>,
    /// Newest main revision of a record.
    pub newest: Option<i64>,
}

/// One bucket in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketCounts {
    /// Its name.
    pub name: Vec<u8>,
    /// Its root page; 0 for an inline bucket.
    pub root: u64,
    /// Number of elements.
    pub elements: u64,
    /// Length of all keys, in bytes.
    pub key_bytes: u64,
    /// Length of all values, in bytes.
    pub value_bytes: u64,
}

/// Everything that `status` tells of the store.
#[derive(Debug, Clone)]
pub struct StoreStatus {
    /// What etcdutl tells.
    pub snapshot: SnapshotStatus,
    /// The records in numbers.
    pub counts: RecordCounts,
    /// `HashKV` at the current revision.
    pub hash_kv: u32,
    /// The buckets in key order.
    pub buckets: Vec<BucketCounts>,
    /// The members.
    pub members: Vec<Member>,
    /// The alarms.
    pub alarms: Vec<AlarmMember>,
    /// The cluster's version, as `3.6.0`.
    pub cluster_version: Option<String>,
    /// Whether authentication is on.
    pub auth_enabled: bool,
}

impl RecordCounts {
    /// Counts the records of a store.
    pub fn of(store: &Store<'_>) -> Self {
        let mut counts = Self::default();
        let mut alive: HashMap<Box<[u8]>, bool> = HashMap::new();
        for record in store.records(Direction::Forward) {
            counts.records = counts.records.saturating_add(1);
            counts.tombstones = counts
                .tombstones
                .saturating_add(u64::from(record.tombstone));
            counts.oldest = counts.oldest.or(Some(record.revision.main));
            counts.newest = Some(record.revision.main);
            match alive.get_mut(record.key) {
                Some(known) => *known = !record.tombstone,
                None => drop(alive.insert(record.key.into(), !record.tombstone)),
            }
        }
        counts.keys = alive.len() as u64;
        counts.live_keys = alive.values().filter(|alive| **alive).count() as u64;
        counts
    }
}

impl SnapshotStatus {
    /// What etcdutl 3.6 would tell of the store.
    pub fn of(store: &Store<'_>) -> Self {
        Self::with(store, &RecordCounts::of(store))
    }

    fn with(store: &Store<'_>, counts: &RecordCounts) -> Self {
        let meta = store.db().meta();
        Self {
            hash: backend_hash(store, Leave::Nothing),
            revision: counts.newest.unwrap_or_default(),
            total_key: counts.live_keys,
            total_size: meta
                .high_water_mark
                .saturating_mul(u64::from(meta.page_size)),
            version: store.meta().storage_version.clone().unwrap_or_default(),
        }
    }
}

impl StoreStatus {
    /// Reads the whole store.
    pub fn of(store: &Store<'_>) -> Self {
        let counts = RecordCounts::of(store);
        let diagnostics = store.db().diagnostics();
        let value_of = |bucket: &[u8], key: &[u8]| {
            let mut elements = store
                .bucket(bucket)?
                .elements(diagnostics, Direction::Forward);
            elements.find_map(|(_, element)| (element.key == key).then(|| element.value.to_vec()))
        };
        Self {
            snapshot: SnapshotStatus::with(store, &counts),
            counts,
            hash_kv: hash_kv(store, store.current_revision()),
            buckets: bucket_counts(store),
            members: store
                .bucket(schema::MEMBERS)
                .map(|bucket| members(bucket, diagnostics))
                .unwrap_or_default(),
            alarms: store
                .bucket(schema::ALARM)
                .map(|bucket| alarms(bucket, diagnostics))
                .unwrap_or_default(),
            cluster_version: value_of(schema::CLUSTER, b"clusterVersion")
                .and_then(|text| String::from_utf8(text).ok()),
            auth_enabled: value_of(schema::AUTH, b"authEnabled").is_some_and(|value| value == [1]),
        }
    }
}

fn bucket_counts(store: &Store<'_>) -> Vec<BucketCounts> {
    let count = |bucket: &crate::bbolt::Bucket<'_>| {
        let mut counts = BucketCounts {
            name: bucket.name.to_vec(),
            root: bucket.root.0,
            elements: 0,
            key_bytes: 0,
            value_bytes: 0,
        };
        for (_, element) in bucket.elements(store.db().diagnostics(), Direction::Forward) {
            counts.elements = counts.elements.saturating_add(1);
            counts.key_bytes = counts.key_bytes.saturating_add(element.key.len() as u64);
            counts.value_bytes = counts
                .value_bytes
                .saturating_add(element.value.len() as u64);
        }
        counts
    };
    store.buckets().iter().map(count).collect()
}
