//! Reads the time at which a value was written from the value itself, by the API server's clock.
//!
//! The API server sets three times in an object at the moment of a write, cut to whole seconds:
//! - `creationTimestamp`, only when the object is created (apiserver, `registry/rest/meta.go`,
//!   `FillObjectMetaSystemFields`). No client can set it.
//! - `deletionTimestamp`, when a graceful deletion is requested (`registry/rest/delete.go`, `BeforeDelete`). The time of
//!   the request is `deletionTimestamp` minus `deletionGracePeriodSeconds`. A later request that shortens the grace
//!   period changes both fields, so only the first version with a `deletionTimestamp` was written at that time.
//! - the time of the managedFields entry of the manager that wrote
//!   (`managedfields/internal/managedfieldsupdater.go`). A client may send entries with any time. The entry
//!   `ancient-changes` merges the oldest entries and keeps their times (`capmanagers.go`).
//!
//! A time belongs to a version only if the version before it does not have it. Example: version 1 of a Deployment has
//! the entries `kubectl` 12:00 and `kube-controller-manager` 12:05; version 2 has `kubectl` 12:00 and
//! `kube-controller-manager` 12:09. So version 2 was written at 12:09. If version 1 is compacted, 12:09 is only a lower
//! bound: version 2 was written then or later ([`Evidence::Floor`]).
//!
//! A Lease's `renewTime` comes from its holder's clock. It is only shown and never used as an anchor.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use k8s_openapi::api::coordination::v1::Lease;

use super::meta::{ManagedFields, Meta};
use super::object::tree_of;

/// The field that an anchor's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// `creationTimestamp`, for the revision that created the key.
    Created,
    /// A managedFields time that the previous version does not have.
    ManagedFields,
    /// A `deletionTimestamp` that the previous version does not have, minus the grace period.
    DeletionRequested,
    /// The newest managedFields time if the previous version is not known: the value was written then or later.
    Floor,
    /// The time at which a backup received the event. The write was then or before, usually in the same second.
    Received,
}

/// A time that an API server wrote into a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Seconds since 1970. The write happened within this second or a little later.
    pub time: i64,
    /// The field that the time comes from.
    pub evidence: Evidence,
}

/// The manager whose managedFields entry has an anchor's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer<'m> {
    /// The manager.
    pub manager: &'m str,
    /// `status`, `scale`, or empty.
    pub subresource: &'m str,
}

/// The API server merges the oldest managedFields entries into an entry with this manager.
const MERGED: &str = "ancient-changes";

/// The seconds since 1970 that fit 32 bits: the years 1970 to 2106. A time outside was not set by a clock.
pub const CREDIBLE_SECONDS: std::ops::RangeInclusive<i64> = 0..=4_294_967_295;

/// The times in one value, which [`Anchor::from_times`] compares with the previous version. It does not borrow the
/// value, so a pass over a whole store keeps a few bytes per key and reads each value once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    created: Option<i64>,
    deletion_requested: Option<i64>,
    /// For each managedFields entry with a time: a hash of the manager and the time, and the time.
    written: Vec<(u32, i64)>,
}

/// Hashes of the times in a version, to find the times that are new in the next version. If two hashes collide, an
/// anchor is missed; nothing else goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// The hash of the version's identity, then one hash per time, sorted.
    hashes: Box<[u32]>,
}

/// What is known about the previous version of an object.
#[derive(Debug, Clone, Copy)]
pub enum Previous<'d> {
    /// There is no previous version: this version created the key.
    Absent,
    /// The previous version's times.
    Version(&'d Digest),
    /// The previous version is not retained.
    Unknown,
}

impl Times {
    /// Reads the times of a value; None if it is not an object. An encrypted value must be decrypted first.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        Self::read_with_meta(value).map(|(times, _)| times)
    }

    /// The same with the metadata that is read on the way. It has no managedFields.
    #[must_use]
    pub fn read_with_meta(value: &[u8]) -> Option<(Self, Meta<'_>)> {
        let mut written = Vec::new();
        let meta = Meta::read_with(value, &mut |entry| written.extend(written_at(&entry)))?;
        Some((Self::new(&meta, written), meta))
    }

    /// The times of an object.
    #[must_use]
    pub fn from_meta(meta: &Meta<'_>) -> Self {
        let written = meta.managed_fields.iter().filter_map(written_at).collect();
        Self::new(meta, written)
    }

    /// The times of an object, with those of all its managedFields entries.
    fn new(meta: &Meta<'_>, mut written: Vec<(u32, i64)>) -> Self {
        let credible = |time: &i64| CREDIBLE_SECONDS.contains(time);
        let created = meta.creation_time.filter(credible);
        // A time before the object's creation was copied with it, for example from a restored backup.
        let own = |time: &i64| credible(time) && created.is_none_or(|created| created <= *time);
        let grace = meta.deletion_grace_seconds.unwrap_or_default();
        let requested = meta.deletion_time.map(|time| time.saturating_sub(grace));
        written.retain(|(_, time)| own(time));
        Self {
            created,
            deletion_requested: requested.filter(own),
            written,
        }
    }

    /// The anchor for the object's creation.
    #[must_use]
    pub fn created(&self) -> Option<Anchor> {
        self.created.map(|time| Anchor {
            time,
            evidence: Evidence::Created,
        })
    }

    /// The digest that the next version is compared with. None if there are more times than an API server keeps.
    #[must_use]
    pub fn digest(&self, create_revision: i64, version: i64) -> Option<Digest> {
        /// An API server keeps at most ten entries with operation Update. Entries with operation Apply have no limit.
        const MAX_ENTRIES: usize = 256;
        if self.written.len() > MAX_ENTRIES {
            return None;
        }
        let requested = usize::from(self.deletion_requested.is_some());
        let times = self.written.len().saturating_add(requested);
        let mut hashes = Vec::with_capacity(times.saturating_add(1));
        hashes.push(hash((create_revision, version)));
        hashes.extend(self.written.iter().map(|(hash, _)| *hash));
        hashes.extend(self.deletion_requested.map(|_| hash(DELETING)));
        if let [_, times @ ..] = &mut *hashes {
            times.sort_unstable();
        }
        Some(Digest {
            hashes: hashes.into(),
        })
    }

    /// The newest of the managedFields times whose hash fulfils `counts`.
    fn newest(&self, counts: impl Fn(u32) -> bool) -> Option<i64> {
        let counted = self.written.iter().filter(|(hash, _)| counts(*hash));
        counted.map(|(_, time)| *time).max()
    }
}

impl Digest {
    /// Whether the digest belongs to this version of this generation of its key.
    #[must_use]
    pub fn is_for(&self, create_revision: i64, version: i64) -> bool {
        self.hashes.first() == Some(&hash((create_revision, version)))
    }

    fn has(&self, hash: u32) -> bool {
        let times = self.hashes.get(1..).unwrap_or_default();
        times.binary_search(&hash).is_ok()
    }
}

impl Anchor {
    /// The time at which a version was written, from the times that the previous version does not have. A time that only
    /// the API server can set is preferred; else it is the newest.
    #[must_use]
    pub fn from_times(times: &Times, previous: Previous<'_>) -> Option<Self> {
        let newest = |evidence, counts: &dyn Fn(u32) -> bool| {
            let time = times.newest(counts)?;
            Some(Self { time, evidence })
        };
        match previous {
            Previous::Absent => times
                .created()
                .or_else(|| newest(Evidence::ManagedFields, &|_| true)),
            Previous::Version(digest) => {
                let requested = times
                    .deletion_requested
                    .filter(|_| !digest.has(hash(DELETING)));
                let requested = requested.map(|time| Self {
                    time,
                    evidence: Evidence::DeletionRequested,
                });
                let is_new = |hash: u32| !digest.has(hash);
                requested.or_else(|| newest(Evidence::ManagedFields, &is_new))
            }
            Previous::Unknown => newest(Evidence::Floor, &|_| true),
        }
    }

    /// The manager that set the time, if the time comes from managedFields. `meta` is from the same object.
    #[must_use]
    pub fn writer<'m>(&self, meta: &'m Meta<'_>) -> Option<Writer<'m>> {
        let entries = meta.managed_fields.iter();
        let mut wrote =
            entries.filter(|entry| entry.time == Some(self.time) && entry.manager != MERGED);
        let by_entry = matches!(self.evidence, Evidence::ManagedFields | Evidence::Floor);
        wrote.next().filter(|_| by_entry).map(|entry| Writer {
            manager: &entry.manager,
            subresource: &entry.subresource,
        })
    }
}

/// Represents a requested deletion in a digest.
const DELETING: &str = "deletionTimestamp";

/// The hash and the time of an entry that has a time of its own.
fn written_at(entry: &ManagedFields<'_>) -> Option<(u32, i64)> {
    let time = entry.time.filter(|_| entry.manager != MERGED)?;
    Some((entry_hash(entry), time))
}

/// The hash of an entry's manager and time.
fn entry_hash(entry: &ManagedFields<'_>) -> u32 {
    let ManagedFields {
        manager,
        operation,
        subresource,
        time,
        ..
    } = entry;
    hash((manager, operation, subresource, time))
}

/// A 32-bit hash. It is the same in every run, so that a collision does not make the output of two runs differ.
fn hash(value: impl Hash) -> u32 {
    let hash = FixedState::default().hash_one(value);
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The `renewTime` of a Lease in seconds since 1970, by the clock of its holder. None if the value is not a Lease or was
/// never renewed.
#[must_use]
pub fn lease_renewed(value: &[u8]) -> Option<i64> {
    let meta = Meta::read(value)?;
    if meta.kind != "Lease" || !meta.api_version.starts_with("coordination.k8s.io/") {
        return None;
    }
    let (tree, _) = tree_of(value).ok()?;
    let lease: Lease = serde_json::from_value(tree).ok()?;
    Some(lease.spec?.renew_time?.0.as_second())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::borrow::Cow;

    use super::*;

    fn entry(manager: &'static str, time: i64) -> ManagedFields<'static> {
        ManagedFields {
            manager: Cow::Borrowed(manager),
            time: Some(time),
            ..ManagedFields::default()
        }
    }

    fn object(created: i64, entries: &[(&'static str, i64)]) -> Meta<'static> {
        Meta {
            creation_time: Some(created),
            managed_fields: entries
                .iter()
                .map(|(manager, time)| entry(manager, *time))
                .collect(),
            ..Meta::default()
        }
    }

    fn anchor_after(old: &Meta<'_>, new: &Meta<'_>) -> Option<(i64, Evidence)> {
        let digest = Times::from_meta(old).digest(7, 1).unwrap();
        let anchor = Anchor::from_times(&Times::from_meta(new), Previous::Version(&digest));
        anchor.map(|anchor| (anchor.time, anchor.evidence))
    }

    #[test]
    fn a_first_version_was_written_at_its_creation_whatever_its_managers_say() {
        let times = Times::from_meta(&object(100, &[("kubectl", 9000)]));
        let anchor = Anchor::from_times(&times, Previous::Absent).unwrap();
        assert_eq!((anchor.time, anchor.evidence), (100, Evidence::Created));
    }

    #[test]
    fn a_later_version_was_written_at_the_time_that_changed() {
        let old = object(100, &[("kubectl", 100), ("kubelet", 150)]);
        let new = object(100, &[("kubectl", 100), ("kubelet", 160)]);
        assert_eq!(
            anchor_after(&old, &new),
            Some((160, Evidence::ManagedFields))
        );
        assert_eq!(anchor_after(&old, &old), None, "nothing new");
        let back = object(100, &[("kubectl", 120), ("kubelet", 150)]);
        assert_eq!(
            anchor_after(&old, &back),
            Some((120, Evidence::ManagedFields)),
            "the changed one, not the newest"
        );
        let who = Anchor {
            time: 160,
            evidence: Evidence::ManagedFields,
        };
        assert_eq!(who.writer(&new).unwrap().manager, "kubelet");
    }

    #[test]
    fn a_digest_belongs_to_one_version_of_one_generation() {
        let digest = Times::from_meta(&object(100, &[("kubectl", 100)]))
            .digest(7, 2)
            .unwrap();
        assert!(digest.is_for(7, 2));
        assert!(!digest.is_for(7, 1) && !digest.is_for(8, 2));
        let many = vec![("kubectl", 100); 1000];
        assert_eq!(Times::from_meta(&object(100, &many)).digest(7, 2), None);
    }

    #[test]
    fn copied_and_merged_times_give_no_anchor() {
        let old = object(100, &[("kubectl", 100)]);
        for foreign in [("restorer", 50), ("ancient-changes", 110), ("who", -5)] {
            let new = object(100, &[("kubectl", 100), foreign]);
            assert_eq!(anchor_after(&old, &new), None, "{foreign:?}");
        }
    }

    #[test]
    fn the_deletion_time_minus_its_grace_is_an_anchor_once() {
        let old = object(100, &[("kubectl", 100)]);
        let mut new = object(100, &[("kubectl", 100)]);
        new.deletion_time = Some(230);
        new.deletion_grace_seconds = Some(30);
        assert_eq!(
            anchor_after(&old, &new),
            Some((200, Evidence::DeletionRequested))
        );
        let mut hurried = new.clone();
        hurried.deletion_time = Some(201);
        hurried.deletion_grace_seconds = Some(1);
        assert_eq!(anchor_after(&new, &hurried), None);
        hurried.deletion_grace_seconds = Some(i64::MIN);
        assert_eq!(anchor_after(&old, &hurried), None, "no credible time");
    }

    #[test]
    fn without_the_previous_version_a_time_is_only_a_floor() {
        let times = Times::from_meta(&object(100, &[("kubectl", 100), ("kubelet", 150)]));
        let anchor = Anchor::from_times(&times, Previous::Unknown).unwrap();
        assert_eq!((anchor.time, anchor.evidence), (150, Evidence::Floor));
    }

    #[test]
    fn only_a_lease_has_a_renew_time() {
        let lease =
            br#"{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"n"},
            "spec":{"renewTime":"2025-11-20T08:14:56.123456Z"}}"#;
        assert_eq!(lease_renewed(lease), Some(1_763_626_496));
        let other = br#"{"apiVersion":"example.com/v1","kind":"Lease","metadata":{"name":"n"},
            "spec":{"renewTime":"2025-11-20T08:14:56.123456Z"}}"#;
        assert_eq!(lease_renewed(other), None);
        assert_eq!(lease_renewed(b"k8s\0"), None);
    }
}
