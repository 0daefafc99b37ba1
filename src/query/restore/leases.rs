//! Leases that keys of the new store name and the source does not have.
//!
//! etcd serves a key whose lease is missing. But one `put --ignore-lease` on it crashes the server, and crashes it
//! again at each start. So the new store gets such leases again.

use std::collections::{BTreeMap, HashSet};

use crate::etcd::lease::Lease;
use crate::etcd::survey::{LeasedKey, SurveyedKeys};

/// The time to live of the leases of API servers, in seconds, as Kubernetes sets it
/// (`pkg/controlplane/reconcilers/lease.go`). Such a lease keeps the address of an API server in the endpoints of the
/// service `kubernetes`. With this time, the address of a server that does not run any more disappears soon after the
/// restore.
pub const MASTER_LEASE_TTL: i64 = 15;

/// A part of each key that has the address of an API server.
const MASTER_LEASES: &[u8] = b"/masterleases/";

/// Where the time to live of a lease comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtlSource {
    /// The write-ahead log.
    Log,
    /// A freed page that still has the lease.
    FreedPage,
    /// All its keys have addresses of API servers, so the time of API servers is used.
    MasterLease,
    /// `--lease-ttl`.
    Flag,
}

/// A lease that is written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseWritten {
    /// Its id.
    pub id: i64,
    /// Its time to live, in seconds.
    pub ttl: i64,
    /// Where the time to live comes from.
    pub source: TtlSource,
    /// How many keys are attached to it.
    pub keys: u64,
    /// The first of these keys.
    pub first_key: Vec<u8>,
}

impl LeaseWritten {
    /// Its value in bucket `lease`.
    pub fn message(&self) -> Vec<u8> {
        lease_message(self.id, self.ttl)
    }
}

/// The value in bucket `lease` of a lease whose whole time to live remains: a message `leasepb.Lease`.
pub(super) fn lease_message(id: i64, ttl: i64) -> Vec<u8> {
    let lease = Lease {
        id,
        ttl,
        remaining_ttl: 0,
    };
    prost::Message::encode_to_vec(&lease)
}

/// The leases that live keys name and that are not in `present`, in the order of ids. `known` has the times to live
/// of the leases that a write-ahead log granted.
pub(super) fn missing(
    keys: &SurveyedKeys<'_>,
    present: &HashSet<i64>,
    known: &BTreeMap<i64, i64>,
    default_ttl: i64,
) -> Vec<LeaseWritten> {
    // With each lease: whether all of its keys have addresses of API servers.
    let mut missing: BTreeMap<i64, (LeaseWritten, bool)> = BTreeMap::new();
    let lacks_lease = |leased: &LeasedKey<'_>| !present.contains(&leased.lease);
    for LeasedKey { key, lease: id } in keys.leased().filter(lacks_lease) {
        let is_master = memchr::memmem::find(key, MASTER_LEASES).is_some();
        let (lease, all_master) = missing.entry(id).or_insert_with(|| {
            let lease = LeaseWritten {
                id,
                ttl: default_ttl,
                source: TtlSource::Flag,
                keys: 0,
                first_key: key.to_vec(),
            };
            (lease, true)
        });
        lease.keys = lease.keys.saturating_add(1);
        if *key < *lease.first_key {
            lease.first_key = key.to_vec();
        }
        *all_master &= is_master;
    }
    let leases = missing.into_values().map(|(mut lease, all_master)| {
        if let Some(ttl) = known.get(&lease.id) {
            (lease.ttl, lease.source) = (*ttl, TtlSource::Log);
        } else if all_master {
            (lease.ttl, lease.source) = (MASTER_LEASE_TTL, TtlSource::MasterLease);
        }
        lease
    });
    leases.collect()
}
