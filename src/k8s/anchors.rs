//! What one written value tells about the time of its writing, by the API server's clock.
//!
//! Three times in an object are set by the API server at the moment of a write, cut to whole seconds:
//! - `creationTimestamp`, by the creation alone (apiserver, `registry/rest/meta.go`,
//!   `FillObjectMetaSystemFields`); no client can set it.
//! - `deletionTimestamp` less `deletionGracePeriodSeconds`: when a graceful deletion was asked for
//!   (`registry/rest/delete.go`, `BeforeDelete`). A later request that shortens the grace moves the
//!   timestamp and the grace alike, so only the version in which it first appears was written then.
//! - the time of the managedFields entry of who wrote (`managedfields/internal/managedfieldsupdater.go`).
//!   A client may send entries of its own, with any time; and `ancient-changes` is an entry into which the
//!   oldest are merged, with their times (`capmanagers.go`).
//!
//! A Lease's `renewTime` is its holder's clock: a hint for display, and never an anchor.

use std::hash::{DefaultHasher, Hash, Hasher};

use k8s_openapi::api::coordination::v1::Lease;

use super::meta::{ManagedFields, Meta};
use super::object::tree_of;

/// What told a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// `creationTimestamp`, of the revision that created the key.
    Created,
    /// A managedFields time which the version before has not.
    ManagedFields,
    /// A `deletionTimestamp` which the version before has not, less the grace.
    DeletionRequested,
    /// The newest managedFields time where the version before is not known: it was written then or later.
    Floor,
    /// When a backup's watch received the event: the write was then or before it, usually in the same second.
    Received,
}

/// A time which an API server put into a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Seconds since 1970; the write was within this second, or a little later.
    pub time: i64,
    /// What told it.
    pub evidence: Evidence,
}

/// Who set the time of an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer<'m> {
    /// The manager.
    pub manager: &'m str,
    /// `status`, `scale`, or empty.
    pub subresource: &'m str,
}

/// Into this entry the API server merges the oldest of too many.
const MERGED: &str = "ancient-changes";

/// The years 1970 to 2106, 32 bits of seconds: what lies outside was not written by a clock.
pub const CREDIBLE: std::ops::RangeInclusive<i64> = 0..=4_294_967_295;

/// The times of one value, as [`Anchor::of`] compares them with the version before. Borrows nothing: a fold
/// over a whole store keeps a few bytes a key, and never looks at a value twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    created: Option<i64>,
    deletion_requested: Option<i64>,
    /// Of every managedFields entry with a time: the hash of who and when, and when.
    written: Vec<(u32, i64)>,
}

/// What is kept of a version to tell what the next one brought: hashes. Where two collide an anchor is
/// missed, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Which version it is of, then one for each time, sorted.
    hashes: Box<[u32]>,
}

/// What is known of the version before.
#[derive(Debug, Clone, Copy)]
pub enum Before<'d> {
    /// There is none: this one created the key.
    Nothing,
    /// It brought this.
    Version(&'d Digest),
    /// It is not retained.
    Unknown,
}

impl Times {
    /// The times in a value; none where it is no object. An encrypted one has to be opened before.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        Meta::read(value).as_ref().map(Self::of)
    }

    /// The times of an object.
    #[must_use]
    pub fn of(meta: &Meta<'_>) -> Self {
        let credible = |time: &i64| CREDIBLE.contains(time);
        let created = meta.creation_time.filter(credible);
        // What is older than the object came with it from elsewhere, as from a restored backup.
        let own = |time: &i64| credible(time) && created.is_none_or(|created| created <= *time);
        let grace = meta.deletion_grace_seconds.unwrap_or_default();
        let requested = meta.deletion_time.map(|time| time.saturating_sub(grace));
        let entries = meta.managed_fields.iter();
        Self {
            created,
            deletion_requested: requested.filter(own),
            written: entries
                .filter(|entry| entry.manager != MERGED)
                .filter_map(|entry| entry.time.filter(own).map(|time| (entry_hash(entry), time)))
                .collect(),
        }
    }

    /// When the object was created.
    #[must_use]
    pub fn created(&self) -> Option<Anchor> {
        self.created.map(|time| Anchor {
            time,
            evidence: Evidence::Created,
        })
    }

    /// What the version after this one is compared with; none where there are more times than an API server
    /// keeps.
    #[must_use]
    pub fn digest(&self, create_revision: i64, version: i64) -> Option<Digest> {
        /// An API server keeps ten who update, and those who apply.
        const MAX_ENTRIES: usize = 256;
        if self.written.len() > MAX_ENTRIES {
            return None;
        }
        let mut hashes = vec![hash((create_revision, version))];
        hashes.extend(self.written.iter().map(|(hash, _)| *hash));
        hashes.extend(self.deletion_requested.map(|_| hash(DELETING)));
        if let [_, times @ ..] = &mut *hashes {
            times.sort_unstable();
        }
        Some(Digest {
            hashes: hashes.into(),
        })
    }

    fn newest(&self, counts: impl Fn(u32) -> bool) -> Option<i64> {
        let counted = self.written.iter().filter(|(hash, _)| counts(*hash));
        counted.map(|(_, time)| *time).max()
    }
}

impl Digest {
    /// Whether it is of this version of this generation of its key.
    #[must_use]
    pub fn is_of(&self, create_revision: i64, version: i64) -> bool {
        self.hashes.first() == Some(&hash((create_revision, version)))
    }

    fn has(&self, hash: u32) -> bool {
        let times = self.hashes.get(1..).unwrap_or_default();
        times.binary_search(&hash).is_ok()
    }
}

impl Anchor {
    /// The time at which a version was written, by what it has and the version before has not. Of several
    /// the one that only the API server can have set, else the newest.
    #[must_use]
    pub fn of(times: &Times, before: Before<'_>) -> Option<Self> {
        let newest = |evidence, counts: &dyn Fn(u32) -> bool| {
            let time = times.newest(counts)?;
            Some(Self { time, evidence })
        };
        match before {
            Before::Nothing => times
                .created()
                .or_else(|| newest(Evidence::ManagedFields, &|_| true)),
            Before::Version(digest) => {
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
            Before::Unknown => newest(Evidence::Floor, &|_| true),
        }
    }

    /// Who set it, by the object that tells it.
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

/// Stands in a digest for a deletion that was requested.
const DELETING: &str = "deletionTimestamp";

/// Who and when.
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

/// 32 bits, the same in every run.
fn hash(of: impl Hash) -> u32 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// When the holder of a Lease says that it renewed it, in seconds since 1970, by the holder's clock. None:
/// the value is no Lease, or was never renewed.
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

    fn over(old: &Meta<'_>, new: &Meta<'_>) -> Option<(i64, Evidence)> {
        let digest = Times::of(old).digest(7, 1).unwrap();
        let anchor = Anchor::of(&Times::of(new), Before::Version(&digest));
        anchor.map(|anchor| (anchor.time, anchor.evidence))
    }

    #[test]
    fn a_first_version_was_written_at_its_creation_whatever_its_managers_say() {
        let times = Times::of(&object(100, &[("kubectl", 9000)]));
        let anchor = Anchor::of(&times, Before::Nothing).unwrap();
        assert_eq!((anchor.time, anchor.evidence), (100, Evidence::Created));
    }

    #[test]
    fn a_later_version_was_written_at_the_time_that_changed() {
        let old = object(100, &[("kubectl", 100), ("kubelet", 150)]);
        let new = object(100, &[("kubectl", 100), ("kubelet", 160)]);
        assert_eq!(over(&old, &new), Some((160, Evidence::ManagedFields)));
        assert_eq!(over(&old, &old), None, "nothing new");
        let back = object(100, &[("kubectl", 120), ("kubelet", 150)]);
        assert_eq!(
            over(&old, &back),
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
    fn a_digest_is_of_one_version_of_one_generation() {
        let digest = Times::of(&object(100, &[("kubectl", 100)]))
            .digest(7, 2)
            .unwrap();
        assert!(digest.is_of(7, 2));
        assert!(!digest.is_of(7, 1) && !digest.is_of(8, 2));
        let many = vec![("kubectl", 100); 1000];
        assert_eq!(Times::of(&object(100, &many)).digest(7, 2), None);
    }

    #[test]
    fn times_that_came_with_the_object_or_were_merged_tell_nothing() {
        let old = object(100, &[("kubectl", 100)]);
        for foreign in [("restorer", 50), ("ancient-changes", 110), ("who", -5)] {
            let new = object(100, &[("kubectl", 100), foreign]);
            assert_eq!(over(&old, &new), None, "{foreign:?}");
        }
    }

    #[test]
    fn a_deletion_was_requested_its_grace_before_it_takes_effect_and_once() {
        let old = object(100, &[("kubectl", 100)]);
        let mut new = object(100, &[("kubectl", 100)]);
        new.deletion_time = Some(230);
        new.deletion_grace_seconds = Some(30);
        assert_eq!(over(&old, &new), Some((200, Evidence::DeletionRequested)));
        let mut hurried = new.clone();
        hurried.deletion_time = Some(201);
        hurried.deletion_grace_seconds = Some(1);
        assert_eq!(over(&new, &hurried), None);
        hurried.deletion_grace_seconds = Some(i64::MIN);
        assert_eq!(over(&old, &hurried), None, "no credible time");
    }

    #[test]
    fn without_the_version_before_a_time_is_only_a_floor() {
        let times = Times::of(&object(100, &[("kubectl", 100), ("kubelet", 150)]));
        let anchor = Anchor::of(&times, Before::Unknown).unwrap();
        assert_eq!((anchor.time, anchor.evidence), (150, Evidence::Floor));
    }

    #[test]
    fn a_lease_hints_at_its_renewal_and_nothing_else_does() {
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
