//! What etcd keeps in its buckets, and a store which is simulated by the
//! plainest means: a list of all changes ever made.
//!
//! Formats: etcd `server/storage/mvcc/revision.go`, `server/storage/schema/`,
//! `api/mvccpb/kv.proto`, `server/lease/leasepb/lease.proto`,
//! `api/authpb/auth.proto`.

use super::Builder;
use super::tree::Bucket;
use super::wire::Message;
use std::collections::{BTreeMap, BTreeSet};

/// A record's key in the bucket `key`.
pub fn revision_key(main: i64, sub: i64) -> Vec<u8> {
    let mut key = main.to_be_bytes().to_vec();
    key.push(b'_');
    key.extend_from_slice(&sub.to_be_bytes());
    key
}

/// A deletion's key in the bucket `key`.
pub fn tombstone_key(main: i64, sub: i64) -> Vec<u8> {
    let mut key = revision_key(main, sub);
    key.push(b't');
    key
}

/// One change of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Revision of the transaction.
    pub main: i64,
    /// Position in the transaction.
    pub sub: i64,
    /// The key's deletion; then all below `key` is empty.
    pub tombstone: bool,
    /// User key.
    pub key: Vec<u8>,
    /// Main revision of the key's creation.
    pub create_revision: i64,
    /// Main revision of this change.
    pub mod_revision: i64,
    /// Changes since the creation, from 1.
    pub version: i64,
    /// User value.
    pub value: Vec<u8>,
    /// Attached lease, or 0.
    pub lease: i64,
}

impl Record {
    /// Its key in the bucket `key`.
    pub fn bucket_key(&self) -> Vec<u8> {
        if self.tombstone {
            tombstone_key(self.main, self.sub)
        } else {
            revision_key(self.main, self.sub)
        }
    }

    /// Its value in the bucket `key`: an mvccpb.KeyValue.
    pub fn bucket_value(&self) -> Vec<u8> {
        Message::new()
            .put(1, &self.key)
            .put_int(2, self.create_revision)
            .put_int(3, self.mod_revision)
            .put_int(4, self.version)
            .put(5, &self.value)
            .put_int(6, self.lease)
            .finish()
    }
}

/// A value of the bucket `lease`: leasepb.Lease, times in seconds.
pub fn lease_value(id: i64, ttl: i64, remaining_ttl: i64) -> Vec<u8> {
    let lease = Message::new().put_int(1, id).put_int(2, ttl);
    lease.put_int(3, remaining_ttl).finish()
}

/// A value of the bucket `members`.
pub fn member_value(id: u64, name: &str, peer_url: &str, client_url: &str) -> Vec<u8> {
    let urls = format!("\"peerURLs\":[\"{peer_url}\"],\"name\":\"{name}\"");
    format!("{{\"id\":{id},{urls},\"clientURLs\":[\"{client_url}\"]}}").into_bytes()
}

/// A value of the bucket `authUsers`: authpb.User.
pub fn user_value(name: &str, password_hash: &str, roles: &[&str]) -> Vec<u8> {
    let mut user = Message::new().put(1, name).put(2, password_hash);
    for role in roles {
        user = user.set(3, role);
    }
    user.finish()
}

/// A value of the bucket `authRoles`: authpb.Role; a permission is its type
/// (0 read, 1 write, 2 both), key and range end.
pub fn role_value(name: &str, permissions: &[(i64, &str, &[u8])]) -> Vec<u8> {
    let mut role = Message::new().put(1, name);
    for (kind, key, range_end) in permissions {
        let permission = Message::new().put_int(1, *kind).put(2, key);
        role = role.nest(2, permission.put(3, range_end));
    }
    role.finish()
}

/// A key of the bucket `alarm` (alarm: 1 NOSPACE, 2 CORRUPT).
pub fn alarm_key(member: u64, alarm: i64) -> Vec<u8> {
    let key = Message::new().put_int(1, member as i64);
    key.put_int(2, alarm).finish()
}

/// The generation of etcd which wrote the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// 3.4: no term, no storageVersion; a compaction at a tombstone's very
    /// revision removes it (as before 3.4.34).
    V3_4,
    /// 3.5: with term; such a tombstone is kept (3.5.16 and later).
    V3_5,
    /// 3.6: with storageVersion.
    V3_6,
}

/// One operation of a transaction.
#[derive(Clone, Debug)]
pub enum Op {
    /// Key, value, lease (0: none).
    Put(Vec<u8>, Vec<u8>, i64),
    /// Key; without effect where it does not exist.
    Delete(Vec<u8>),
}

/// A put without a lease.
pub fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Op {
    Op::Put(key.into(), value.into(), 0)
}

/// A deletion.
pub fn delete(key: impl Into<Vec<u8>>) -> Op {
    Op::Delete(key.into())
}

/// A store: what was ever written, and what compactions have left.
#[derive(Clone, Debug)]
pub struct Store {
    version: Version,
    revision: i64,
    /// Every change ever made, in order.
    history: Vec<Record>,
    /// Revisions (main, sub) which compactions have removed.
    removed: BTreeSet<(i64, i64)>,
    scheduled: Option<i64>,
    finished: Option<i64>,
    leases: BTreeMap<i64, i64>,
    extra: BTreeMap<Vec<u8>, Bucket>,
}

impl Store {
    /// An empty store, at revision 1.
    pub fn new(version: Version) -> Self {
        Self {
            version,
            revision: 1,
            history: Vec::new(),
            removed: BTreeSet::new(),
            scheduled: None,
            finished: None,
            leases: BTreeMap::new(),
            extra: BTreeMap::new(),
        }
    }

    /// Puts one key; returns the revision.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> i64 {
        self.txn(&[put(key, value)])
    }

    /// Puts one key with a lease; returns the revision.
    pub fn put_leased(&mut self, key: &str, value: &[u8], lease: i64) -> i64 {
        self.txn(&[Op::Put(key.into(), value.into(), lease)])
    }

    /// Deletes one key; returns the revision, the current one if there was no
    /// such key.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> i64 {
        self.txn(&[delete(key)])
    }

    /// Grants a lease of `ttl` seconds.
    pub fn grant(&mut self, lease: i64, ttl: i64) {
        self.leases.insert(lease, ttl);
    }

    /// Does all operations in one revision; without any effect it uses none.
    /// As in etcd, a key may occur only once.
    pub fn txn(&mut self, ops: &[Op]) -> i64 {
        let main = self.revision + 1;
        let from = self.history.len();
        for op in ops {
            let (key, deletes) = match op {
                Op::Put(key, ..) => (key, false),
                Op::Delete(key) => (key, true),
            };
            let before = self.history.iter().rev().find(|r| r.key == *key);
            assert!(before.is_none_or(|r| r.main < main), "key twice in one txn");
            let alive = before.filter(|record| !record.tombstone);
            if deletes && alive.is_none() {
                continue;
            }
            let mut record = Record {
                main,
                sub: (self.history.len() - from) as i64,
                tombstone: deletes,
                key: key.clone(),
                ..Record::default()
            };
            if let Op::Put(_, value, lease) = op {
                record.create_revision = alive.map_or(main, |r| r.create_revision);
                record.mod_revision = main;
                record.version = alive.map_or(0, |r| r.version) + 1;
                record.value.clone_from(value);
                record.lease = *lease;
            }
            self.history.push(record);
        }
        if self.history.len() > from {
            self.revision = main;
        }
        self.revision
    }

    /// The current revision.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Compacts at `revision`, to the end.
    pub fn compact(&mut self, revision: i64) {
        self.compact_partly(revision, usize::MAX);
        self.finished = Some(revision);
    }

    /// Begins a compaction at `revision` and stops it after `records` removed
    /// records: scheduled, not finished.
    pub fn compact_partly(&mut self, revision: i64, records: usize) {
        assert!(revision <= self.revision);
        self.scheduled = Some(revision);
        let gone: Vec<(i64, i64)> = self
            .records()
            .iter()
            .filter(|record| self.is_compacted(record, revision))
            .map(|record| (record.main, record.sub))
            .take(records)
            .collect();
        self.removed.extend(gone);
    }

    /// Of the records up to `at`, only each key's last one stays, and that
    /// only if it is a put, or a deletion at `at` itself.
    fn is_compacted(&self, record: &Record, at: i64) -> bool {
        if record.main > at {
            return false;
        }
        let next = |r: &&Record| r.key == record.key && r.main > record.main && r.main <= at;
        if self.history.iter().any(|r| next(&r)) {
            return true;
        }
        let kept = record.main == at && self.version >= Version::V3_5;
        record.tombstone && !kept
    }

    /// Every change ever made, compacted or not, in order.
    pub fn history(&self) -> &[Record] {
        &self.history
    }

    /// Alters a record of the history, as a fault would.
    pub fn alter(&mut self, index: usize, change: impl FnOnce(&mut Record)) {
        change(&mut self.history[index]);
    }

    /// The records which are still there, in the order of the file.
    pub fn records(&self) -> Vec<&Record> {
        let there = |r: &&Record| !self.removed.contains(&(r.main, r.sub));
        self.history.iter().filter(there).collect()
    }

    /// The records which compactions have removed, in order.
    pub fn compacted(&self) -> Vec<&Record> {
        let gone = |r: &&Record| self.removed.contains(&(r.main, r.sub));
        self.history.iter().filter(gone).collect()
    }

    /// The keyspace as of a revision, by a plain fold over all history.
    pub fn live_at(&self, revision: i64) -> BTreeMap<Vec<u8>, &Record> {
        let mut live = BTreeMap::new();
        for record in self.history.iter().filter(|r| r.main <= revision) {
            if record.tombstone {
                live.remove(&record.key);
            } else {
                live.insert(record.key.clone(), record);
            }
        }
        live
    }

    /// Adds or replaces a bucket besides `key`, `meta` and `lease`.
    pub fn set_bucket(&mut self, name: impl Into<Vec<u8>>, bucket: Bucket) {
        self.extra.insert(name.into(), bucket);
    }

    /// The bucket `key`.
    pub fn key_bucket(&self) -> Bucket {
        let pair = |record: &&Record| (record.bucket_key(), record.bucket_value());
        Bucket::of(self.records().iter().map(pair))
    }

    /// The bucket `meta`.
    pub fn meta_bucket(&self) -> Bucket {
        let index = self.history.len() as u64 + 4;
        let mut meta = Bucket::new().put("consistent_index", index.to_be_bytes());
        if self.version >= Version::V3_5 {
            meta = meta.put("term", 2u64.to_be_bytes()).put(
                "confState",
                "{\"voters\":[10276657743932975437],\"auto_leave\":false}",
            );
        }
        if self.version >= Version::V3_6 {
            meta = meta.put("storageVersion", "3.6.0");
        }
        if let Some(revision) = self.scheduled {
            meta = meta.put("scheduledCompactRev", revision_key(revision, 0));
        }
        if let Some(revision) = self.finished {
            meta = meta.put("finishedCompactRev", revision_key(revision, 0));
        }
        meta
    }

    /// The bucket `lease`.
    pub fn lease_bucket(&self) -> Bucket {
        let pair = |(id, ttl): (&i64, &i64)| (id.to_be_bytes(), lease_value(*id, *ttl, 0));
        Bucket::of(self.leases.iter().map(pair))
    }

    /// All buckets of the backend, as one member's server has them.
    pub fn buckets(&self) -> BTreeMap<Vec<u8>, Bucket> {
        let version = match self.version {
            Version::V3_4 => "3.4.0",
            Version::V3_5 => "3.5.0",
            Version::V3_6 => "3.6.0",
        };
        let id = 10_276_657_743_932_975_437_u64;
        let member = member_value(id, "m1", "http://127.0.0.1:2380", "http://127.0.0.1:2379");
        let mut all: BTreeMap<Vec<u8>, Bucket> = [
            ("alarm", Bucket::new()),
            ("auth", Bucket::of([("authRevision", 1u64.to_be_bytes())])),
            ("authRoles", Bucket::new()),
            ("authUsers", Bucket::new()),
            ("cluster", Bucket::of([("clusterVersion", version)])),
            ("key", self.key_bucket()),
            ("lease", self.lease_bucket()),
            ("members", Bucket::of([(format!("{id:x}"), member)])),
            ("members_removed", Bucket::new()),
            ("meta", self.meta_bucket()),
        ]
        .map(|(name, bucket)| (name.into(), bucket))
        .into();
        all.extend(self.extra.clone());
        all
    }

    /// The root bucket with all buckets in it.
    pub fn root(&self) -> Bucket {
        let nest = |root: Bucket, (name, bucket)| root.nest(name, bucket);
        self.buckets().into_iter().fold(Bucket::new(), nest)
    }

    /// A builder with all buckets in it.
    pub fn builder(&self) -> Builder {
        Builder::new().root(self.root())
    }
}
