//! The small buckets of a source, all but `key`: which of them are damaged, and which of their contents influence a
//! restore.

use std::collections::HashSet;

use prost::Message;

use crate::bbolt::{Bucket, Direction};
use crate::diag::{Code, Diagnostics};
use crate::etcd::cluster::{AlarmMember, alarms};
use crate::etcd::lease::{Lease, lease_id};
use crate::etcd::revision::BucketKey;
use crate::etcd::schema::{self, MetaBucket};
use crate::etcd::{Store, write::compact_mark};

/// Whether clients need a user to read the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// It is off.
    Off,
    /// It is on.
    On,
    /// It is on, and a bucket that it needs is damaged.
    OnDamaged,
    /// It is not known.
    Unknown,
}

/// What a restore must know about the small buckets.
#[derive(Debug)]
pub struct SmallBuckets {
    /// The names of the damaged ones.
    pub damaged: Vec<&'static str>,
    /// Whether authentication is on.
    pub authentication: Authentication,
    /// The alarms.
    pub alarms: Vec<AlarmMember>,
    /// The ids of the leases.
    pub leases: HashSet<i64>,
    /// Whether a downgrade of the cluster was requested.
    pub has_downgrade: bool,
}

/// The key of bucket `cluster` for a requested downgrade.
pub const DOWNGRADE: &[u8] = b"downgrade";

impl SmallBuckets {
    /// Reads the small buckets. Their damage is not reported again.
    pub fn read(store: &Store<'_>) -> Self {
        let mut damaged = Vec::new();
        for name in schema::BUCKETS {
            if name != schema::KEY && is_damaged(store, name) {
                damaged.push(std::str::from_utf8(name).unwrap_or_default());
            }
        }
        let quiet = Diagnostics::new();
        let pairs = |name: &[u8]| pairs_of(store, name);
        let alarm = store.bucket(schema::ALARM).cloned();
        let alarms = alarm.map_or_else(Vec::new, |bucket| read_alarms(&bucket, &quiet));
        Self {
            authentication: authentication(store, &damaged),
            alarms,
            leases: pairs(schema::LEASE)
                .iter()
                .filter_map(|(key, _)| lease_id(key))
                .collect(),
            has_downgrade: pairs(schema::CLUSTER)
                .iter()
                .any(|(key, _)| key == DOWNGRADE),
            damaged,
        }
    }

    /// Whether a bucket is damaged.
    pub fn is_damaged(&self, name: &[u8]) -> bool {
        self.damaged.iter().any(|bucket| bucket.as_bytes() == name)
    }
}

/// The alarms in a bucket. Like [`read_pairs`] and [`read_meta`] a function of its own, because `quiet` does not live
/// as long as the file: the call shortens the lifetime of the bucket.
fn read_alarms<'b>(bucket: &Bucket<'b>, quiet: &'b Diagnostics) -> Vec<AlarmMember> {
    alarms(bucket, quiet)
}

/// The pairs of a bucket of the store, as far as they can be read; no pairs if the bucket is missing.
fn pairs_of(store: &Store<'_>, name: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let quiet = Diagnostics::new();
    let bucket = store.bucket(name).cloned();
    bucket.map_or_else(Vec::new, |bucket| read_pairs(&bucket, &quiet))
}

/// The pairs of a bucket, as far as they can be read.
fn read_pairs<'b>(bucket: &Bucket<'b>, quiet: &'b Diagnostics) -> Vec<(Vec<u8>, Vec<u8>)> {
    let elements = bucket.elements(quiet, Direction::Forward);
    elements
        .map(|(_, element)| (element.key.to_vec(), element.value.to_vec()))
        .collect()
}

/// Whether a bucket is missing from a damaged root, or has pages, keys or values that etcd does not write.
fn is_damaged(store: &Store<'_>, name: &[u8]) -> bool {
    let quiet = Diagnostics::new();
    let Some(bucket) = store.bucket(name).cloned() else {
        return root_is_suspect(store);
    };
    let pairs = read_pairs(&bucket, &quiet);
    let is_wrong = |(key, value): &(Vec<u8>, Vec<u8>)| match name {
        schema::LEASE => {
            lease_id(key).is_none()
                || Lease::decode(value.as_slice()).map(|lease| lease.id).ok() != lease_id(key)
        }
        schema::ALARM => AlarmMember::decode(key.as_slice()).is_err(),
        schema::AUTH => match key.as_slice() {
            schema::AUTH_ENABLED => !matches!(value.as_slice(), [0 | 1]),
            b"authRevision" => value.len() != 8,
            _ => true,
        },
        schema::META => match key.as_slice() {
            schema::SCHEDULED_COMPACT | schema::FINISHED_COMPACT => !is_mark(value),
            _ => false,
        },
        _ => false,
    };
    if name == schema::META {
        read_meta(&bucket, &quiet);
    }
    let is_record = |(key, _): &(Vec<u8>, Vec<u8>)| BucketKey::is_surely_revision(key);
    quiet.found_any() || pairs.iter().any(is_wrong) || pairs.iter().any(is_record)
}

/// Reads bucket `meta` for its findings.
fn read_meta<'b>(bucket: &Bucket<'b>, quiet: &'b Diagnostics) {
    MetaBucket::read(bucket, quiet);
}

/// Whether a value is a revision with sub 0, as both marks of a compaction are.
fn is_mark(value: &[u8]) -> bool {
    let main = value
        .first_chunk::<8>()
        .map(|main| i64::from_be_bytes(*main));
    main.is_some_and(|main| main >= 0 && compact_mark(main) == value)
}

/// Whether the root may have lost the name of a bucket.
fn root_is_suspect(store: &Store<'_>) -> bool {
    let diagnostics = store.db().diagnostics();
    let is_known = |name: &[u8]| schema::BUCKETS.contains(&name);
    let has_unknown = store.buckets().iter().any(|bucket| !is_known(bucket.name));
    let codes = [
        Code::RootNotBuckets,
        Code::BucketHeader,
        Code::BucketMissing,
        Code::RootSearched,
        Code::MetaUnusable,
    ];
    has_unknown || codes.iter().any(|code| diagnostics.count(*code) > 0)
}

/// Whether authentication is on. That it is on is known only if bucket `auth` says so; that it is off, only if that
/// bucket is intact too.
fn authentication(store: &Store<'_>, damaged: &[&str]) -> Authentication {
    let is_hurt = |name: &[u8]| damaged.iter().any(|bucket| bucket.as_bytes() == name);
    let auth = pairs_of(store, schema::AUTH);
    let enabled = auth.iter().find(|(key, _)| key == schema::AUTH_ENABLED);
    let is_on = match enabled.map(|(_, value)| value.as_slice()) {
        Some([1]) => Some(true),
        Some([0]) => Some(false),
        Some(_) => None,
        // etcd writes the key when authentication is switched on for the first time.
        None => Some(false),
    };
    let are_users_hurt = is_hurt(schema::AUTH_USERS) || is_hurt(schema::AUTH_ROLES);
    match is_on {
        Some(false) if !is_hurt(schema::AUTH) => Authentication::Off,
        Some(true) if !is_hurt(schema::AUTH) && !are_users_hurt => Authentication::On,
        Some(true) => Authentication::OnDamaged,
        _ => Authentication::Unknown,
    }
}
