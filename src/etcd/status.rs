//! The numbers of a store: those of etcdutl's `snapshot status`, and more.

use crate::bbolt::{Bucket, Direction, Kind, Meta, MetaError};
use crate::bytes::ByteOrder;
use crate::fast_map::FastMap;

use super::check::{NewestRecord, compare_with_newest};
use super::cluster::{AlarmMember, Member, alarms, members, removed_members};
use super::completeness::Completeness;
use super::defragmentation::Defragmentation;
use super::hash::{CrcPart, RunningHashKv, StoredRecord, hash_kv};
use super::record::Record;
use super::release::Release;
use super::schema::{self, MetaBucket};
use super::store::Store;

/// The fields of `etcdutl snapshot status` of etcd 3.6 (`etcdutl/snapshot/v3_snapshot.go`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotStatus {
    /// Hash over all buckets.
    pub hash: u32,
    /// Main revision of the newest record; 0 if there is none.
    pub revision: i64,
    /// Number of live keys.
    pub total_key: u64,
    /// Number of elements of all buckets: what etcdutl 3.5 and earlier call the total of keys.
    pub elements: u64,
    /// High-water mark times page size, in bytes.
    pub total_size: u64,
    /// Version of the schema; empty before 3.6.
    pub version: String,
}

/// Counts of the records of bucket `key`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// All records.
    pub records: u64,
    /// Records that delete a key.
    pub tombstones: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Distinct keys whose newest record is a put.
    pub live_keys: u64,
    /// Oldest main revision of a record.
    pub oldest: Option<i64>,
    /// Newest main revision of a record.
    pub newest: Option<i64>,
    /// The newest main revision up to which no record above the compaction is missing; the compaction if all are missing.
    pub complete: i64,
    /// How many main revisions above the compaction are missing or incomplete, up to the newest record.
    pub missing_revisions: u64,
    /// Whether one of the records is the mark of a bumped restore, which has no key.
    pub bump_mark: bool,
}

/// The sizes of one bucket.
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

/// Why the records cannot be counted. The numbers of an empty store would then be a wrong answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// Another program wrote the file.
    #[error("a bbolt file, not etcd's")]
    Foreign,
    /// The root does not name the bucket.
    #[error("the records cannot be reached: no bucket key in the root")]
    NoBucket,
    /// Its root page is damaged or missing.
    #[error("the records cannot be reached: the root page of bucket key cannot be read")]
    NoRootPage,
}

/// The numbers and hashes of the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordStatus {
    /// The newest revision, as [`Store::current_revision`].
    pub current_revision: i64,
    /// The records in numbers.
    pub counts: RecordCounts,
    /// Hash over all buckets.
    pub hash: u32,
    /// `HashKV` at the current revision.
    pub hash_kv: u32,
}

/// Everything that `status` shows about the store.
#[derive(Debug, Clone)]
pub struct StoreStatus {
    /// Page size in bytes.
    pub page_size: usize,
    /// Byte order of the machine that wrote it.
    pub order: ByteOrder,
    /// Both meta pages as found.
    pub metas: [Result<Meta, MetaError>; 2],
    /// Index of the chosen meta page.
    pub chosen: Option<usize>,
    /// Why it was chosen, as part of a sentence.
    pub reason: &'static str,
    /// High-water mark times page size, in bytes.
    pub total_size: u64,
    /// About how long the file would be after a defragmentation, in bytes.
    pub defragmented_size: u64,
    /// The records.
    pub records: Result<RecordStatus, Unreachable>,
    /// The content of bucket `meta`; none without it.
    pub meta: Option<MetaBucket>,
    /// The buckets in key order.
    pub buckets: Vec<BucketCounts>,
    /// The members.
    pub members: Vec<Member>,
    /// The ids of the members that were removed.
    pub removed_members: Vec<String>,
    /// The alarms.
    pub alarms: Vec<AlarmMember>,
    /// The cluster's version, as `3.6.0`.
    pub cluster_version: Option<String>,
    /// The release of etcd, as far as the database shows it.
    pub release: Option<Release>,
    /// Whether authentication is on; none without bucket `auth`.
    pub auth_enabled: Option<bool>,
    /// The names of the users; none without bucket `authUsers`.
    pub users: Option<Vec<Vec<u8>>>,
    /// The names of the roles; none without bucket `authRoles`.
    pub roles: Option<Vec<Vec<u8>>>,
    /// Number of leases; none without bucket `lease`.
    pub leases: Option<u64>,
}

impl StoreStatus {
    /// Whether another program wrote the file.
    pub fn is_foreign(&self) -> bool {
        self.records == Err(Unreachable::Foreign)
    }
}

impl Unreachable {
    /// Checks that the records can be reached. A readable tree without records is fine.
    ///
    /// # Errors
    /// The reason why they cannot be reached.
    pub fn check(store: &Store<'_>) -> Result<(), Self> {
        if store.is_foreign() {
            return Err(Self::Foreign);
        }
        let bucket = store.bucket(schema::KEY).ok_or(Self::NoBucket)?;
        if bucket.is_inline() {
            return Ok(());
        }
        let page = store.db().pages().tree_page(bucket.root);
        let walkable =
            page.is_ok_and(|page| page.kind == Some(Kind::Leaf) || page.usable_count() > 0);
        if walkable || store.records(Direction::Forward).next().is_some() {
            return Ok(());
        }
        Err(if bucket.is_present() {
            Self::NoRootPage
        } else {
            Self::NoBucket
        })
    }
}

/// The result of `see` for the newest record of each key, by key.
pub type Seen<T> = FastMap<Box<[u8]>, SeenKey<T>>;

/// The newest record of a key.
#[derive(Debug, Clone, Copy)]
pub struct SeenKey<T> {
    /// The result of `see` for it.
    pub value: Option<T>,
    is_live: bool,
    newest: NewestRecord,
}

impl RecordCounts {
    /// Counts the records of a store.
    pub fn read(store: &Store<'_>) -> Self {
        let mut fold = CountFold::<()>::new(store);
        let see = &mut |_: &Record<'_>| None;
        store.visit_records(|record| Some(*record), |record| fold.add(&record, see));
        fold.finish().0
    }
}

/// Counts records in the order of revisions.
struct CountFold<'s, 'a, T> {
    store: &'s Store<'a>,
    counts: RecordCounts,
    keys: Seen<T>,
    completeness: Completeness,
}

impl<'s, 'a, T> CountFold<'s, 'a, T> {
    fn new(store: &'s Store<'a>) -> Self {
        Self {
            store,
            counts: RecordCounts::default(),
            keys: Seen::default(),
            completeness: Completeness::new(store.compact_revision()),
        }
    }

    /// Adds the next record. One that contradicts the record of its key before it is reported.
    fn add(&mut self, record: &Record<'a>, see: &mut impl FnMut(&Record<'a>) -> Option<T>) {
        let counts = &mut self.counts;
        counts.records = counts.records.saturating_add(1);
        counts.tombstones = counts
            .tombstones
            .saturating_add(u64::from(record.tombstone));
        counts.oldest = counts.oldest.or(Some(record.revision.main));
        counts.newest = Some(record.revision.main);
        self.completeness.add(record.revision);
        if record.is_bump_mark() {
            counts.bump_mark = true;
            return;
        }
        let seen = SeenKey {
            value: see(record),
            is_live: !record.tombstone,
            newest: NewestRecord::from(record),
        };
        match self.keys.get_mut(record.key) {
            Some(known) => {
                compare_with_newest(self.store, Some(&known.newest), record);
                *known = seen;
            }
            None => {
                compare_with_newest(self.store, None, record);
                self.keys.insert(record.key.into(), seen);
            }
        }
    }

    fn finish(self) -> (RecordCounts, Seen<T>) {
        let (mut counts, keys) = (self.counts, self.keys);
        counts.complete = self.completeness.complete();
        counts.missing_revisions = self.completeness.missing;
        counts.keys = keys.len() as u64;
        counts.live_keys = keys.values().filter(|seen| seen.is_live).count() as u64;
        (counts, keys)
    }
}

/// The elements of one bucket, in numbers.
#[derive(Debug)]
struct BucketSums {
    part: CrcPart,
    elements: u64,
    key_bytes: u64,
    value_bytes: u64,
    defragmentation: Defragmentation,
}

impl BucketSums {
    fn new(store: &Store<'_>) -> Self {
        Self {
            part: CrcPart::EMPTY,
            elements: 0,
            key_bytes: 0,
            value_bytes: 0,
            defragmentation: Defragmentation::new(store.db().pages().page_size()),
        }
    }

    /// Adds the next element: its key and value as one text, and their lengths.
    fn add(&mut self, part: CrcPart, key_bytes: u64, value_bytes: u64) {
        self.part = self.part.then(part);
        self.elements = self.elements.saturating_add(1);
        self.key_bytes = self.key_bytes.saturating_add(key_bytes);
        self.value_bytes = self.value_bytes.saturating_add(value_bytes);
        self.defragmentation.add(key_bytes, value_bytes);
    }
}

/// What one pass over bucket `key` gives.
struct RecordPass<T> {
    counts: RecordCounts,
    keys: Seen<T>,
    /// `HashKV` at the newest revision, and the elements of the bucket. `None` if the file is damaged or other records
    /// are added to those of the bucket: then a pass over its tree alone gives other numbers.
    exact: Option<(u32, BucketSums)>,
}

impl<T: Send> RecordPass<T> {
    fn read<'a>(store: &Store<'a>, mut see: impl FnMut(&Record<'a>) -> Option<T> + Send) -> Self {
        let mut fold = CountFold::new(store);
        if !store.additional().is_empty() {
            for record in store.records(Direction::Forward) {
                fold.add(&record, &mut see);
            }
            let (counts, keys) = fold.finish();
            return Self {
                counts,
                keys,
                exact: None,
            };
        }
        let mut hash = RunningHashKv::new(store);
        let mut sums = BucketSums::new(store);
        let is_exact = store.state().visit_records(
            |record, element| {
                let lengths = [element.key.len(), element.value.len()];
                Some((*record, StoredRecord::new(record, element), lengths))
            },
            |(record, stored, [key_bytes, value_bytes])| {
                fold.add(&record, &mut see);
                hash.add(&stored);
                sums.add(stored.part, key_bytes as u64, value_bytes as u64);
            },
        );
        let (counts, keys) = fold.finish();
        Self {
            counts,
            keys,
            exact: is_exact.then(|| (hash.hash(), sums)),
        }
    }
}

impl SnapshotStatus {
    /// The numbers that etcdutl 3.6 prints for the store. They are 0 if there is no bucket `key`, see [`Unreachable::check`].
    pub fn read(store: &Store<'_>) -> Self {
        let pass = RecordPass::<()>::read(store, |_| None);
        let counts = pass.counts;
        let (hash, buckets, _) = hash_and_counts(store, pass.exact.map(|(_, sums)| sums));
        Self {
            hash,
            revision: counts.newest.unwrap_or_default(),
            // etcdutl counts the mark of a bumped restore as an empty key.
            total_key: counts.live_keys.saturating_add(u64::from(counts.bump_mark)),
            elements: sum_of_elements(&buckets),
            total_size: store.db().meta().used_bytes(),
            version: store.meta().storage_version.clone().unwrap_or_default(),
        }
    }
}

impl StoreStatus {
    /// Reads the whole store.
    pub fn read(store: &Store<'_>) -> Self {
        Self::read_with(store, |_| None::<()>).0
    }

    /// Reads the whole store, and keeps the result of `see` for the newest record of each key. `see` is called with each
    /// record that has a key. Its results should be small, because a store has many keys.
    pub fn read_with<'a, T: Send>(
        store: &Store<'a>,
        see: impl FnMut(&Record<'a>) -> Option<T> + Send,
    ) -> (Self, Seen<T>) {
        let db = store.db();
        let (chosen, choice) = db.choice();
        // The records first: their walk finds most of the damage, with the most exact places.
        let (counts, seen, exact) = match Unreachable::check(store) {
            Ok(()) => {
                let pass = RecordPass::read(store, see);
                (Ok(pass.counts), pass.keys, pass.exact)
            }
            Err(why) => (Err(why), Seen::default(), None),
        };
        let (hash_of_records, sums) = exact.unzip();
        let (hash, buckets, defragmented_size) = hash_and_counts(store, sums);
        let records = counts.map(|counts| {
            let current_revision = store.current_revision();
            RecordStatus {
                current_revision,
                counts,
                hash,
                hash_kv: hash_of_records.unwrap_or_else(|| hash_kv(store, current_revision)),
            }
        });
        let cluster_version = store
            .bucket(schema::CLUSTER)
            .and_then(|bucket| value_of(store, bucket, b"clusterVersion"));
        let status = Self {
            page_size: db.pages().page_size(),
            order: db.meta().order,
            metas: *db.metas(),
            chosen,
            reason: choice.reason(),
            total_size: db.meta().used_bytes(),
            defragmented_size,
            records,
            meta: store.bucket(schema::META).map(|_| store.meta().clone()),
            members: store
                .bucket(schema::MEMBERS)
                .map(|bucket| members(bucket, db.diagnostics()))
                .unwrap_or_default(),
            removed_members: store
                .bucket(schema::MEMBERS_REMOVED)
                .map(|bucket| removed_members(bucket, db.diagnostics()))
                .unwrap_or_default(),
            alarms: store
                .bucket(schema::ALARM)
                .map(|bucket| alarms(bucket, db.diagnostics()))
                .unwrap_or_default(),
            cluster_version: cluster_version.and_then(|text| String::from_utf8(text).ok()),
            release: Release::infer(store.meta()),
            auth_enabled: store.bucket(schema::AUTH).map(|bucket| {
                value_of(store, bucket, schema::AUTH_ENABLED).is_some_and(|v| v == [1])
            }),
            users: names_in(store, schema::AUTH_USERS),
            roles: names_in(store, schema::AUTH_ROLES),
            leases: store.bucket(schema::LEASE).map(|lease| {
                let mut buckets = buckets.iter();
                buckets
                    .find(|bucket| bucket.name == lease.name)
                    .map_or(0, |bucket| bucket.elements)
            }),
            buckets,
        };
        (status, seen)
    }
}

fn value_of(store: &Store<'_>, bucket: &Bucket<'_>, key: &[u8]) -> Option<Vec<u8>> {
    bucket
        .elements(store.db().diagnostics(), Direction::Forward)
        .find_map(|(_, element)| (element.key == key).then(|| element.value.to_vec()))
}

/// The keys of a bucket, which are names; none without the bucket.
fn names_in(store: &Store<'_>, name: &[u8]) -> Option<Vec<Vec<u8>>> {
    let elements = store
        .bucket(name)?
        .elements(store.db().diagnostics(), Direction::Forward);
    Some(elements.map(|(_, element)| element.key.to_vec()).collect())
}

/// The number of elements of all buckets.
pub fn sum_of_elements(buckets: &[BucketCounts]) -> u64 {
    let elements = buckets.iter().map(|bucket| bucket.elements);
    elements.fold(0, u64::saturating_add)
}

/// The backend's hash with nothing left out, the sizes of the buckets, and about how long the file would be after a
/// defragmentation in bytes. `records` are the elements of bucket `key`, if they were added up before.
fn hash_and_counts(
    store: &Store<'_>,
    mut records: Option<BucketSums>,
) -> (u32, Vec<BucketCounts>, u64) {
    let mut hash = 0;
    let mut buckets = Vec::new();
    let mut defragmentation = Defragmentation::new(store.db().pages().page_size());
    for bucket in store.buckets() {
        let known = records.take_if(|_| bucket.name == schema::KEY);
        let sums = known.unwrap_or_else(|| sums_of(store, bucket));
        hash = sums.part.after(crc32c::crc32c_append(hash, bucket.name));
        defragmentation.add_bucket(sums.defragmentation);
        defragmentation.end_bucket();
        buckets.push(BucketCounts {
            name: bucket.name.to_vec(),
            root: bucket.root.0,
            elements: sums.elements,
            key_bytes: sums.key_bytes,
            value_bytes: sums.value_bytes,
        });
    }
    (hash, buckets, defragmentation.total_bytes())
}

/// Adds up the elements of a bucket.
fn sums_of<'a>(store: &Store<'a>, bucket: &Bucket<'a>) -> BucketSums {
    let mut sums = BucketSums::new(store);
    for (_, element) in bucket.elements(store.db().diagnostics(), Direction::Forward) {
        let part = CrcPart::of_element(element.key, element.value);
        sums.add(part, element.key.len() as u64, element.value.len() as u64);
    }
    sums
}
