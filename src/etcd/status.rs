//! The numbers of a store: those of etcdutl's `snapshot status`, and more.

use crate::bbolt::{Bucket, Direction, Kind, Meta, MetaError, WalkedPages};
use crate::bytes::ByteOrder;

use super::cluster::{AlarmMember, Member, alarms, members, removed_members};
use super::defragmentation::Defragmentation;
use super::hash::hash_kv;
use super::record::Record;
use super::record_pass::{BucketSums, Hashes, RecordCounts, RecordPass, SeenKeys};
use super::release::Release;
use super::schema::{self, MetaBucket};
use super::store::Store;

pub use super::defragmentation::DefragmentedSize;

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
    /// How many of the records in these hashes were salvaged; see [`super::hash::BackendHashes::salvaged`].
    pub salvaged: u64,
}

impl RecordStatus {
    /// How many of the hashed records were salvaged; none if the tree has all of them.
    pub fn salvaged_if_any(&self) -> Option<u64> {
        Some(self.salvaged).filter(|records| *records > 0)
    }
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
    /// The size before and after a defragmentation.
    pub defragmentation: DefragmentedSize,
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

impl SnapshotStatus {
    /// The numbers that etcdutl 3.6 prints for the store. They are 0 if there is no bucket `key`, see [`Unreachable::check`].
    pub fn read(store: &Store<'_>) -> Self {
        Self::read_with_pages(store).0
    }

    /// The same with the pages of the tree of bucket `key`, if nothing was found in it.
    pub fn read_with_pages(store: &Store<'_>) -> (Self, Option<WalkedPages>) {
        let mut pass = RecordPass::of_store(store, Hashes::Computed);
        let sums = pass.exact().map(|(_, sums)| sums);
        let counts = pass.counts;
        let Backend { hash, buckets, .. } = Backend::read(store, sums);
        let status = Self {
            hash,
            revision: counts.newest.unwrap_or_default(),
            // etcdutl counts the mark of a bumped restore as an empty key.
            total_key: counts.live_keys.saturating_add(u64::from(counts.bump_mark)),
            elements: sum_of_elements(&buckets),
            total_size: store.db().meta().used_bytes(),
            version: store.meta().storage_version.clone().unwrap_or_default(),
        };
        (status, pass.walked)
    }
}

impl StoreStatus {
    /// Reads the whole store.
    pub fn read(store: &Store<'_>) -> Self {
        Self::read_with(store, |_| (), |_, _, ()| None::<()>).0
    }

    /// Reads the whole store, and keeps the result of `see` for the newest record of each key. `look` is called with each
    /// record on all cores, `see` with each record that has a key, with its key and what `look` returned. Its results should
    /// be small, because a store has many keys.
    pub fn read_with<'a, L: Send, T: Send>(
        store: &Store<'a>,
        look: impl Fn(&Record<'_>) -> L + Sync,
        see: impl FnMut(&Record<'a>, &[u8], L) -> Option<T> + Send,
    ) -> (Self, SeenKeys<T>) {
        // The records first: their walk finds most of the damage, with the most exact places.
        let pass = Unreachable::check(store)
            .map(|()| RecordPass::read(store, Hashes::Computed, look, see));
        Self::from_pass(store, pass)
    }

    /// The same by a pass over all records that was already made.
    pub fn from_pass<T>(
        store: &Store<'_>,
        pass: Result<RecordPass<T>, Unreachable>,
    ) -> (Self, SeenKeys<T>) {
        let db = store.db();
        let (chosen, choice) = db.choice();
        let (counts, seen, exact) = match pass {
            Ok(mut pass) => {
                let exact = pass.exact();
                (Ok(pass.counts), pass.keys, exact)
            }
            Err(why) => (Err(why), SeenKeys::default(), None),
        };
        let (hash_of_records, sums) = exact.unzip();
        let Backend {
            hash,
            salvaged,
            buckets,
            defragmentation,
        } = Backend::read(store, sums);
        let records = counts.map(|counts| {
            let current_revision = store.current_revision();
            RecordStatus {
                current_revision,
                counts,
                hash,
                hash_kv: hash_of_records.unwrap_or_else(|| hash_kv(store, current_revision)),
                salvaged,
            }
        });
        let status = Self {
            page_size: db.pages().page_size(),
            order: db.meta().order,
            metas: *db.metas(),
            chosen,
            reason: choice.reason(),
            total_size: db.meta().used_bytes(),
            defragmentation,
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
            cluster_version: cluster_version(store),
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

/// The version of the cluster, as `3.6.0`.
fn cluster_version(store: &Store<'_>) -> Option<String> {
    let bucket = store.bucket(schema::CLUSTER)?;
    String::from_utf8(value_of(store, bucket, b"clusterVersion")?).ok()
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

/// What all buckets give.
struct Backend {
    /// The backend's hash with nothing left out. It covers salvaged records too.
    hash: u32,
    /// How many of the hashed records were salvaged.
    salvaged: u64,
    buckets: Vec<BucketCounts>,
    defragmentation: DefragmentedSize,
}

impl Backend {
    /// Reads all buckets. `records` are the elements of bucket `key`, if they were added up before.
    fn read(store: &Store<'_>, mut records: Option<BucketSums>) -> Self {
        let mut hash = 0;
        let mut salvaged = 0_u64;
        let mut buckets = Vec::new();
        let mut defragmentation = Defragmentation::new(store.db());
        for bucket in store.buckets() {
            let known = records.take_if(|_| bucket.name == schema::KEY);
            let sums = known.unwrap_or_else(|| BucketSums::read(store, bucket));
            hash = sums.part.after(crc32c::crc32c_append(hash, bucket.name));
            salvaged = salvaged.saturating_add(sums.salvaged);
            defragmentation.begin_bucket();
            defragmentation.add_bucket(sums.defragmentation);
            buckets.push(BucketCounts {
                name: bucket.name.to_vec(),
                root: bucket.root.0,
                elements: sums.elements,
                key_bytes: sums.key_bytes,
                value_bytes: sums.value_bytes,
            });
        }
        Self {
            hash,
            salvaged,
            buckets,
            defragmentation: defragmentation.finish(),
        }
    }
}
