//! The names of the buckets of an etcd backend, and the content of bucket `meta`
//! (`server/storage/schema/bucket.go`, `schema.go`).

use crate::bbolt::Bucket;
use crate::bbolt::Direction;
use crate::bytes::u64_be;
use crate::diag::{Code, Diagnostic, Diagnostics};

use super::revision::BucketKey;

/// Every record of the store.
pub const KEY: &[u8] = b"key";
/// Raft position, compaction, versions.
pub const META: &[u8] = b"meta";
/// Leases.
pub const LEASE: &[u8] = b"lease";
/// Alarms.
pub const ALARM: &[u8] = b"alarm";
/// Members.
pub const MEMBERS: &[u8] = b"members";
/// Members that were removed.
pub const MEMBERS_REMOVED: &[u8] = b"members_removed";
/// Versions of the cluster.
pub const CLUSTER: &[u8] = b"cluster";
/// Whether authentication is on.
pub const AUTH: &[u8] = b"auth";
/// Users.
pub const AUTH_USERS: &[u8] = b"authUsers";
/// Roles.
pub const AUTH_ROLES: &[u8] = b"authRoles";

/// Every bucket that etcd creates, in key order.
pub const BUCKETS: [&[u8]; 10] = [
    ALARM,
    AUTH,
    AUTH_ROLES,
    AUTH_USERS,
    CLUSTER,
    KEY,
    LEASE,
    MEMBERS,
    MEMBERS_REMOVED,
    META,
];

/// Key of bucket `meta`: index of the last applied raft entry.
pub const CONSISTENT_INDEX: &[u8] = b"consistent_index";
/// Key of bucket `auth`: 1 if authentication is on.
pub const AUTH_ENABLED: &[u8] = b"authEnabled";
/// Key of bucket `meta`: raft term (3.5 and later).
pub const TERM: &[u8] = b"term";
/// Key of bucket `meta`: raft voters as JSON (3.5 and later).
pub const CONF_STATE: &[u8] = b"confState";
/// Key of bucket `meta`: version of the schema (3.6 and later).
pub const STORAGE_VERSION: &[u8] = b"storageVersion";
/// Key of bucket `meta`: the revision of the last requested compaction.
pub const SCHEDULED_COMPACT: &[u8] = b"scheduledCompactRev";
/// Key of bucket `meta`: the revision of the last finished compaction.
pub const FINISHED_COMPACT: &[u8] = b"finishedCompactRev";

/// The content of bucket `meta`. Every part may be absent, because older versions of etcd write fewer keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaBucket {
    /// Index of the last applied raft entry.
    pub consistent_index: Option<u64>,
    /// Raft term.
    pub term: Option<u64>,
    /// Raft voters as JSON.
    pub conf_state: Option<String>,
    /// Version of the schema, as `3.6.0`.
    pub storage_version: Option<String>,
    /// The main revision of the last requested compaction.
    pub scheduled_compact_revision: Option<i64>,
    /// The main revision of the last finished compaction.
    pub finished_compact_revision: Option<i64>,
}

/// The revisions up to which records may have been removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compaction {
    /// By the last finished compaction; 0 if there was none.
    pub finished: i64,
    /// By the last compaction that was started.
    pub begun: i64,
}

impl MetaBucket {
    /// Reads bucket `meta`. A value that cannot be read is reported and left out.
    pub fn read<'a>(bucket: &Bucket<'a>, diagnostics: &'a Diagnostics) -> Self {
        let mut meta = Self::default();
        for (page, element) in bucket.elements(diagnostics, Direction::Forward) {
            if element.flags != 0 {
                diagnostics.report(
                    Diagnostic::new(
                        Code::ElementFlags,
                        page.locus().element(element.index).bucket(META),
                    )
                    .expected("0, a value", format!("0x{:x}", element.flags))
                    .effect("the bucket may belong elsewhere"),
                );
            }
            let known = match element.key {
                CONSISTENT_INDEX => set(&mut meta.consistent_index, number(element.value)),
                TERM => set(&mut meta.term, number(element.value)),
                CONF_STATE => set(&mut meta.conf_state, text(element.value)),
                STORAGE_VERSION => set(&mut meta.storage_version, text(element.value)),
                SCHEDULED_COMPACT => set(
                    &mut meta.scheduled_compact_revision,
                    main_revision(element.value),
                ),
                FINISHED_COMPACT => set(
                    &mut meta.finished_compact_revision,
                    main_revision(element.value),
                ),
                _ => true,
            };
            if !known {
                diagnostics.report(
                    Diagnostic::new(
                        Code::BucketValue,
                        page.locus()
                            .element(element.index)
                            .bucket(META)
                            .key(element.key),
                    )
                    .found(format!(
                        "a value of {} bytes that is not valid for this key",
                        element.value.len()
                    ))
                    .effect("it is treated as absent"),
                );
            }
        }
        meta
    }

    /// The revisions up to which records may have been removed.
    pub(super) fn compaction(&self) -> Compaction {
        Compaction {
            finished: self.finished_compact_revision.unwrap_or_default(),
            begun: self.compact_revision(),
        }
    }

    /// The revision up to which history may have been removed: the larger of the two compactions; 0 if there was none.
    pub fn compact_revision(&self) -> i64 {
        self.finished_compact_revision
            .unwrap_or_default()
            .max(self.scheduled_compact_revision.unwrap_or_default())
    }
}

fn set<T>(field: &mut Option<T>, value: Option<T>) -> bool {
    *field = value;
    field.is_some()
}

fn number(value: &[u8]) -> Option<u64> {
    (value.len() == 8).then(|| u64_be(value, 0)).flatten()
}

fn text(value: &[u8]) -> Option<String> {
    std::str::from_utf8(value).ok().map(str::to_owned)
}

fn main_revision(value: &[u8]) -> Option<i64> {
    BucketKey::parse(value).ok().map(|key| key.revision.main)
}
