//! Writes the new store, and reads it back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use crate::bbolt::Direction;
use crate::bbolt::write::{Layout, Pairs, Plan, WriteError, WrittenFile};
use crate::diag::Code;
use crate::etcd::lease::lease_id;
use crate::etcd::record::Record;
use crate::etcd::write::{
    KeptRecords, NewStore, ReadBack, StoredBytes, StoredPair, Tallied, Tally,
};
use crate::etcd::{Store, schema};
use crate::query::NoAnswer;
use crate::query::evidence::{Evidence, Verify};
use crate::query::replayed::Replayed;

use super::leases::lease_message;
use super::small::DOWNGRADE;
use super::{MemberState, Restore};

/// What the new file is for, besides the records.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The members of a data directory; none for a snapshot file.
    pub members: Option<MemberState>,
    /// The raised revision: the main revision at which the mark of `--bump-revision` is written.
    pub bump: Option<i64>,
}

/// A new file whose layout is determined, before it is written.
#[derive(Debug)]
pub struct Prepared {
    target: Target,
    layout: Layout,
    plan: Plan,
}

impl Prepared {
    /// Length of the file in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.plan.len_bytes
    }
}

/// Why the new file is not what was meant to be written.
#[derive(Debug)]
pub enum Mismatch {
    /// It cannot be read.
    Unreadable(Box<NoAnswer>),
    /// Its bytes are not those that were written.
    Bytes,
    /// Its records are not those that were written.
    Records,
    /// The pairs of a small bucket are not those that were written.
    Bucket(String),
    /// The checks of the tool find something.
    Finding(Code),
}

/// What was read back from the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Its length in bytes.
    pub len_bytes: u64,
    /// The SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Its newest revision.
    pub revision: i64,
    /// Number of records.
    pub records: u64,
    /// Number of keys that exist.
    pub keys: u64,
    /// Its `HashKV` at the newest revision.
    pub hash_kv: u32,
}

impl Restore<'_, '_> {
    /// Determines the layout of the new file.
    ///
    /// # Errors
    /// As [`NewStore::plan`].
    pub fn prepare(&self, target: Target) -> Result<Prepared, WriteError> {
        let layout = self.layout(target.members.is_none());
        let plan = self.with_records(&target, |records| {
            self.new_store(&target, records).plan(&layout)
        })?;
        Ok(Prepared {
            target,
            layout,
            plan,
        })
    }

    /// Writes the new file.
    ///
    /// # Errors
    /// As [`NewStore::write`].
    pub fn write(
        &self,
        prepared: &Prepared,
        to: &mut dyn Write,
    ) -> Result<(WrittenFile, Tally), WriteError> {
        self.with_records(&prepared.target, |records| {
            let tallied = Tallied::new(records);
            let new = self.new_store(&prepared.target, &tallied);
            let written = new.write(to, &prepared.layout, &prepared.plan)?;
            Ok((written, tallied.tally()))
        })
    }

    /// Reads the new file back, and compares it with what was meant to be written.
    ///
    /// # Errors
    /// The first difference.
    pub fn verify(
        &self,
        prepared: &Prepared,
        path: &Path,
        written: &(WrittenFile, Tally),
    ) -> Result<Verified, Mismatch> {
        let (file, tally) = written;
        let unreadable = |no| Mismatch::Unreadable(Box::new(no));
        let evidence = Evidence::open(path, Verify::IfSmall).map_err(unreadable)?;
        if evidence.source().len_bytes() != file.len_bytes {
            return Err(Mismatch::Bytes);
        }
        let store = evidence.store().map_err(unreadable)?;
        let read = ReadBack::read(&store).filter(|read| read.tally == *tally);
        let read = read.ok_or(Mismatch::Records)?;
        let differs = self.with_records(&prepared.target, |records| {
            different_bucket(&self.new_store(&prepared.target, records), &store)
        });
        if let Some(bucket) = differs {
            return Err(Mismatch::Bucket(bucket));
        }
        self.check_findings(&evidence)?;
        Ok(Verified {
            len_bytes: file.len_bytes,
            sha256: file.sha256,
            revision: store.current_revision(),
            records: read.tally.pairs,
            keys: read.live_keys,
            hash_kv: read.hash_kv,
        })
    }

    /// Refuses a new file in which the checks find anything. If losses were accepted, findings are expected: missing
    /// records cause them.
    fn check_findings(&self, evidence: &Evidence) -> Result<(), Mismatch> {
        if !self.accepted.is_empty() {
            return Ok(());
        }
        evidence.collect_read_errors();
        let found = evidence.diagnostics().by_code();
        let mut codes = found.iter().map(|(code, ..)| *code);
        match codes.find(|code| code.severity() > crate::diag::Severity::Info) {
            Some(code) => Err(Mismatch::Finding(code)),
            None => Ok(()),
        }
    }

    /// Passes the records of the new store to `ask`. They borrow what decides which records are kept.
    fn with_records<T>(&self, target: &Target, ask: impl FnOnce(&dyn Pairs) -> T) -> T {
        let mut added = self.added.clone();
        added.extend(target.bump.map(StoredPair::bump_mark));
        let keeps = |record: &Record<'_>, stored: StoredBytes<'_>| self.keeps(record, stored);
        ask(&KeptRecords::new(self.store(), &keeps, &added))
    }

    /// The new store with these records.
    fn new_store<'s>(&'s self, target: &Target, records: &'s dyn Pairs) -> NewStore<'s, 's> {
        let mut new = NewStore::from_store(self.store(), records, &self.dropped.buckets);
        self.change_buckets(&mut new);
        if let Some(members) = &target.members {
            new.set_members(members);
        }
        if let Some(bump) = target.bump {
            new.set(
                schema::META,
                schema::SCHEDULED_COMPACT,
                crate::etcd::write::compact_mark(bump),
            );
        }
        new
    }

    /// Makes the changes of the small buckets that a snapshot file and a data directory have in common.
    fn change_buckets(&self, new: &mut NewStore<'_, '_>) {
        if self.new_compacted != self.compacted || self.damaged_buckets.contains(&"meta") {
            new.set_compaction(self.new_compacted);
        }
        if !self.dropped.no_space.is_empty() || !self.dropped.corrupt.is_empty() {
            new.clear(schema::ALARM);
        }
        if self.dropped.downgrade {
            new.remove(schema::CLUSTER, DOWNGRADE);
        }
        if self.dropped.storage_version {
            new.remove(schema::META, schema::STORAGE_VERSION);
        }
        if self.dropped.authentication {
            for bucket in [schema::AUTH, schema::AUTH_USERS, schema::AUTH_ROLES] {
                new.clear(bucket);
            }
            new.set(schema::AUTH, schema::AUTH_ENABLED, vec![0]);
        }
        if let Some(log) = self.log {
            follow_log(log, new);
        }
        for lease in &self.leases {
            let id = lease.id.to_be_bytes();
            new.set(schema::LEASE, &id, lease.message());
        }
    }
}

/// Changes the leases, and the position in bucket `meta` (consistent index and term), to what they are after the
/// entries of a log. A lease that both have keeps its stored value.
fn follow_log(log: &Replayed, new: &mut NewStore<'_, '_>) {
    let keys = new.pairs(schema::LEASE).map(|(key, _)| key.to_vec());
    let stored: BTreeSet<Vec<u8>> = keys.collect();
    for key in &stored {
        if lease_id(key).is_none_or(|id| !log.leases.contains_key(&id)) {
            new.remove(schema::LEASE, key);
        }
    }
    for (id, ttl) in &log.leases {
        let key = id.to_be_bytes();
        if !stored.contains(key.as_slice()) {
            new.set(schema::LEASE, &key, lease_message(*id, *ttl));
        }
    }
    let (index, term) = log.position;
    let index = index.to_be_bytes();
    let mut meta = new.pairs(schema::META);
    if meta.all(|(key, value)| key != schema::CONSISTENT_INDEX || value != index) {
        drop(meta);
        new.set(schema::META, schema::CONSISTENT_INDEX, index.into());
        new.set(schema::META, schema::TERM, term.to_be_bytes().into());
    }
}

/// The name of the first small bucket that is missing from the file read back, or whose pairs differ.
fn different_bucket(new: &NewStore<'_, '_>, read: &Store<'_>) -> Option<String> {
    let diagnostics = read.db().diagnostics();
    let mut names = schema::BUCKETS.iter().filter(|name| **name != schema::KEY);
    let name = names.find(|name| {
        let bucket = read.bucket(name);
        let pairs: BTreeMap<&[u8], &[u8]> = bucket
            .into_iter()
            .flat_map(|bucket| bucket.elements(diagnostics, Direction::Forward))
            .map(|(_, element)| (element.key, element.value))
            .collect();
        bucket.is_none() || !pairs.into_iter().eq(new.pairs(name))
    });
    name.map(|name| String::from_utf8_lossy(name).into_owned())
}
