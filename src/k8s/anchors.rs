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

mod few;

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::FixedState;
use k8s_openapi::api::coordination::v1::Lease;

use super::envelope::PROTOBUF_MAGIC;
use super::meta::{ManagedFields, Meta, StoredEntry, TimeFields};
use super::object::tree_of;
use super::special::go_text;
use few::Few;

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
    created: Option<u32>,
    deletion_requested: Option<u32>,
    written: AllWritten,
}

/// For each managedFields entry with a time: a hash of the manager and the time, and the time.
type AllWritten = Few<(u32, u32), 6>;

/// Hashes of the times in a version, to find the times that are new in the next version. If two hashes collide, an
/// anchor is missed; nothing else goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(Hashes);

/// The hash of a version's identity, and one hash per time. A store has a digest for each key, and most objects have few
/// times: their digests need no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hashes {
    /// The places of `times` after the first `count` are 0.
    Few {
        version: u32,
        count: u8,
        times: [u32; 4],
    },
    /// The times are sorted.
    Many { version: u32, times: Box<[u32]> },
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
        let Some(body) = value.strip_prefix(PROTOBUF_MAGIC) else {
            return Self::read_with_meta(value).map(|(times, _)| times);
        };
        let mut written = AllWritten::default();
        let fields = TimeFields::read(body, &mut |entry| add_stored(&mut written, &entry))?;
        Some(Self::new(fields, written))
    }

    /// The same with the metadata that is read on the way. It has no managedFields.
    #[must_use]
    pub fn read_with_meta(value: &[u8]) -> Option<(Self, Meta<'_>)> {
        let mut written = AllWritten::default();
        let meta = Meta::read_with(value, &mut |entry| add(&mut written, &entry))?;
        Some((Self::new((&meta).into(), written), meta))
    }

    /// The times of an object.
    #[must_use]
    pub fn from_meta(meta: &Meta<'_>) -> Self {
        let mut written = AllWritten::default();
        for entry in &meta.managed_fields {
            add(&mut written, entry);
        }
        Self::new(meta.into(), written)
    }

    /// The times of an object, with those of all its managedFields entries.
    fn new(fields: TimeFields, mut written: AllWritten) -> Self {
        let created = fields.creation.and_then(credible);
        // A time before the object's creation was copied with it, for example from a restored backup.
        let own = |time: &u32| created.is_none_or(|created| created <= *time);
        let grace = fields.deletion_grace.unwrap_or_default();
        let requested = fields.deletion.map(|time| time.saturating_sub(grace));
        written.retain(|(_, time)| own(time));
        Self {
            created,
            deletion_requested: requested.and_then(credible).filter(own),
            written,
        }
    }

    /// The anchor for the object's creation.
    #[must_use]
    pub fn created(&self) -> Option<Anchor> {
        self.created.map(|time| Anchor {
            time: time.into(),
            evidence: Evidence::Created,
        })
    }

    /// The digest that the next version is compared with. None if there are more times than an API server keeps.
    #[must_use]
    pub fn digest(&self, create_revision: i64, version: i64) -> Option<Digest> {
        /// An API server keeps at most ten entries with operation Update. Entries with operation Apply have no limit.
        const MAX_ENTRIES: usize = 256;
        let written = self.written.as_slice();
        if written.len() > MAX_ENTRIES {
            return None;
        }
        let requested = self.deletion_requested.map(|_| hash(DELETING));
        let hashes = written.iter().map(|(hash, _)| *hash).chain(requested);
        let version = hash((create_revision, version));
        Some(Digest(Hashes::new(version, hashes)))
    }

    /// The newest of the managedFields times whose hash fulfils `counts`.
    fn newest(&self, counts: impl Fn(u32) -> bool) -> Option<i64> {
        let counted = self.written.as_slice().iter();
        let counted = counted.filter(|(hash, _)| counts(*hash));
        counted.map(|(_, time)| i64::from(*time)).max()
    }
}

impl Digest {
    /// Whether the digest belongs to this version of this generation of its key.
    #[must_use]
    pub fn is_for(&self, create_revision: i64, version: i64) -> bool {
        let (Hashes::Few { version: known, .. } | Hashes::Many { version: known, .. }) = &self.0;
        *known == hash((create_revision, version))
    }

    fn has(&self, hash: u32) -> bool {
        match &self.0 {
            Hashes::Few { count, times, .. } => {
                let times = times.get(..usize::from(*count)).unwrap_or_default();
                times.contains(&hash)
            }
            Hashes::Many { times, .. } => times.binary_search(&hash).is_ok(),
        }
    }
}

impl Hashes {
    fn new(version: u32, mut hashes: impl Iterator<Item = u32>) -> Self {
        let (mut count, mut times) = (0_u8, [0; 4]);
        for (place, hash) in times.iter_mut().zip(&mut hashes) {
            *place = hash;
            count = count.saturating_add(1);
        }
        let Some(next) = hashes.next() else {
            return Self::Few {
                version,
                count,
                times,
            };
        };
        let times = times.into_iter().chain([next]).chain(hashes);
        let mut times: Box<[u32]> = times.collect();
        times.sort_unstable();
        Self::Many { version, times }
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
                    time: time.into(),
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

/// A time in [`CREDIBLE_SECONDS`], which is the range of 32 bits.
fn credible(time: i64) -> Option<u32> {
    u32::try_from(time).ok()
}

/// Adds the hash and the time of an entry that has a time of its own.
fn add(written: &mut AllWritten, entry: &ManagedFields<'_>) {
    let texts = [&entry.manager, &entry.operation, &entry.subresource];
    add_written(written, texts.map(|text| text.as_bytes()), entry.time);
}

/// The same of an entry whose texts are as they are stored.
fn add_stored(written: &mut AllWritten, entry: &StoredEntry<'_>) {
    let texts = [entry.manager, entry.operation, entry.subresource];
    if texts.iter().all(|text| text.is_ascii()) {
        add_written(written, texts, entry.time);
    } else {
        // Bytes that are not UTF-8 are hashed as the text that they are read as.
        let texts = texts.map(go_text);
        add_written(written, texts.each_ref().map(|t| t.as_bytes()), entry.time);
    }
}

/// The same of an entry with the texts manager, operation and subresource.
fn add_written(written: &mut AllWritten, texts: [&[u8]; 3], time: Option<i64>) {
    let [manager, operation, subresource] = texts;
    let time = time.and_then(credible);
    if let Some(time) = time.filter(|_| manager != MERGED.as_bytes()) {
        let texts = (Text(manager), Text(operation), Text(subresource));
        written.push((hash((texts, Some(i64::from(time)))), time));
    }
}

/// A text that is hashed as a `str`, without a check that it is one.
struct Text<'t>(&'t [u8]);

impl Hash for Text<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
        state.write_u8(0xff);
    }
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
    use std::path::Path;

    use super::*;
    use crate::bbolt::{Db, Direction};
    use crate::diag::Diagnostics;
    use crate::etcd::State;
    use crate::wire::put_bytes;

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

    /// The values of the databases in a folder.
    fn values(folder: &Path, found: &mut Vec<Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                values(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "db") {
                let image = std::fs::read(path).unwrap();
                let diagnostics = Diagnostics::new();
                if let Ok(db) = Db::from_image(&image, None, &diagnostics) {
                    let records = State::from_db(db).records(Direction::Forward);
                    found.extend(records.map(|record| record.value.to_vec()));
                }
            }
        }
    }

    /// The times of a value by its metadata, with all texts checked.
    fn times_by_meta(value: &[u8]) -> Option<Times> {
        Meta::read(value).map(|meta| Times::from_meta(&meta))
    }

    #[test]
    fn the_times_of_any_value_are_those_of_its_metadata() {
        let mut all = Vec::new();
        values(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")),
            &mut all,
        );
        all.sort();
        all.dedup();
        let (mut with_times, mut altered, mut state) = (0, 0, 1_u64);
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(state >> 33).unwrap() % below.max(1)
        };
        for value in &all {
            let times = Times::read(value);
            assert_eq!(times, times_by_meta(value), "{}", value.escape_ascii());
            let has_times = times
                .as_ref()
                .is_some_and(|times| !times.written.as_slice().is_empty());
            with_times += usize::from(has_times);
            if !value.starts_with(PROTOBUF_MAGIC) {
                continue;
            }
            // The metadata is at the start of a value.
            for _ in 0..40 {
                let mut value = value.clone();
                let at = random(value.len().min(1000));
                match random(4) {
                    0 => value.truncate(at),
                    1 => value[at] = 0xff,
                    _ => value[at] ^= 1 << random(8),
                }
                let mutated = Times::read(&value);
                assert_eq!(mutated, times_by_meta(&value), "{}", value.escape_ascii());
                altered += usize::from(mutated != times);
            }
        }
        assert!(with_times > 500 && altered > 2000, "{with_times} {altered}");
    }

    /// A Pod with these fields in its metadata, and then an entry of managedFields by `kubelet` at 150.
    fn pod(fields: &[(u32, &[u8])]) -> Vec<u8> {
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, b"kubelet");
        put_bytes(&mut entry, 4, b"\x08\x96\x01\x10\x00");
        let (mut meta, mut raw) = (Vec::new(), Vec::new());
        for (number, bytes) in fields.iter().copied().chain([(17, &*entry)]) {
            put_bytes(&mut meta, number, bytes);
        }
        put_bytes(&mut raw, 1, &meta);
        let mut value = b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod".to_vec();
        put_bytes(&mut value, 2, &raw);
        value
    }

    #[test]
    fn damage_ends_the_times_where_it_ends_the_metadata() {
        let count = |fields: &[(u32, &[u8])]| {
            let times = Times::read(&pod(fields)).unwrap();
            assert_eq!(Some(&times), times_by_meta(&pod(fields)).as_ref());
            times.written.as_slice().len()
        };
        assert_eq!(count(&[]), 1);
        assert_eq!(count(&[(13, b"\x22\x01u")]), 1, "an owner");
        assert_eq!(count(&[(13, b"\x0a\x7f")]), 0, "a damaged owner");
        assert_eq!(count(&[(11, b"\x0a\x7f")]), 1, "a damaged label");
        assert_eq!(count(&[(17, b"\x3a\x02\x0a\x7f")]), 0, "damaged fieldsV1");
        let kind = b"\x12\x03Pod";
        let list = pod(&[]);
        let at = list.windows(5).position(|bytes| bytes == kind).unwrap();
        let list = [&list[..at - 6], b"\x0a\x0d\x0a\x02v1\x12\x07PodList"].concat();
        let list = [&*list, &pod(&[])[at + 5..]].concat();
        assert_eq!(Times::read(&list), Some(Times::default()), "a list");
    }

    #[test]
    fn managers_that_are_read_as_the_same_text_have_the_same_hash() {
        let manager = |manager: &[u8]| {
            let mut entry = Vec::new();
            put_bytes(&mut entry, 1, manager);
            put_bytes(&mut entry, 4, b"\x08\x96\x01\x10\x00");
            Times::read(&pod(&[(17, &entry)])).unwrap()
        };
        assert_eq!(manager(b"a\xff"), manager(b"a\xfe"));
        assert_eq!(manager(b"a\xff"), manager("a\u{fffd}".as_bytes()));
        assert_ne!(manager(b"a\xff"), manager(b"a"));
    }

    #[test]
    fn a_digest_has_all_times_of_its_version_whatever_their_number() {
        for count in 0..12 {
            let entries: Vec<(&'static str, i64)> = (0..count).map(|at| ("m", 100 + at)).collect();
            let mut meta = object(100, &entries);
            meta.deletion_time = (count % 2 == 1).then_some(200);
            let times = Times::from_meta(&meta);
            let digest = times.digest(7, 1).unwrap();
            assert!(digest.is_for(7, 1) && !digest.is_for(7, 2));
            let has = |(hash, _): &(u32, u32)| digest.has(*hash);
            assert!(times.written.as_slice().iter().all(has));
            assert_eq!(digest.has(hash(DELETING)), count % 2 == 1);
            let other = Times::from_meta(&object(100, &[("m", 99), ("other", 100)]));
            assert!(!other.written.as_slice().iter().any(has));
        }
        assert_eq!(size_of::<Digest>(), 24);
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
