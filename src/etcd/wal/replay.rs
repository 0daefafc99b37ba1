//! Applies log entries to a keyspace as etcd does. This gives the revisions, which entries do not store.
//!
//! The rules are those of `server/etcdserver/apply/` and `txn/`, and `storage/mvcc/kvstore_txn.go`. A put uses one revision.
//! A deletion or transaction uses one if it changes anything. The changes of one transaction share its main revision, each
//! with its own sub. The deletion of a key ends its generation.
//!
//! **Invariant:** exact or not at all. If the result depends on something that the log does not contain (a missing or
//! damaged entry, permissions of a user, a full disk), the replay ends and gives the reason.

mod keys;
mod ranges;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use prost::Message as _;

use crate::bbolt::Direction;
use crate::etcd::cluster::AlarmMember;
use crate::etcd::lease::{Lease, lease_id};
use crate::etcd::record::{Origin, Record};
use crate::etcd::revision::Revision;
use crate::etcd::store::{AtRevision, Store};
use crate::etcd::{Keyspace, schema};

use super::Wal;
use super::entry::{Entry, Request, State};
use super::messages::{
    AlarmAction, AlarmType, DeleteRangeRequest, EntryType, InternalRaftRequest, Operation,
    PutRequest, TxnRequest,
};
use super::segment::Checksum;
use super::writes::{Change, changes};

use keys::Keys;

/// The result of an applied entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The entry.
    pub index: u64,
    /// The revision that it used; none if it changed nothing.
    pub main: Option<i64>,
    /// For a transaction: whether its comparisons were true.
    pub succeeded: Option<bool>,
}

/// How far a replay goes, and what ends it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReplayLimits {
    /// Whether entries are applied that are not known to be committed. A cluster of one member applies all of them.
    pub includes_uncommitted: bool,
    /// The leases are those at this revision. None means the newest revision.
    pub leases_at: Option<i64>,
    /// Whether an entry ends the replay that changes users, roles or authentication, which a replay does not write.
    pub ends_at_authentication: bool,
}

/// The result of a replay.
#[derive(Debug, Clone, Default)]
pub struct Replay<'a> {
    /// The records written, in the order of revisions.
    pub records: Vec<Record<'a>>,
    /// The result of each entry, by index.
    pub applied: Vec<Applied>,
    /// The revision at its end.
    pub revision: i64,
    /// The last index that was applied.
    pub until: u64,
    /// Why it ended before the last entry that it should reach; none if it reached it.
    pub stopped: Option<&'static str>,
    /// The leases as of the revision in the limits, or at its end, with their time to live in seconds.
    pub leases: BTreeMap<i64, i64>,
    /// The last entry before the first one after that revision.
    pub leases_until: u64,
    /// Whether a CORRUPT alarm is active at its end.
    pub has_corrupt_alarm: bool,
}

/// The results of the entries of a log, as far as they are certain.
#[derive(Debug, Clone, Default)]
pub struct AppliedEntries {
    /// By index.
    applied: Vec<Applied>,
    /// The last entry with a certain result, and why the later committed ones are not certain.
    pub stopped: Option<(u64, &'static str)>,
}

impl AppliedEntries {
    /// Uses the log alone if it begins with the first entry of its cluster, otherwise the database beside it as a start. A
    /// damaged database cannot be a start.
    pub fn from_wal(wal: &Wal<'_>, store: Option<&Store<'_>>) -> Self {
        let whole = match whole_log(wal).map(Self::from) {
            Some(whole) if whole.stopped.is_none() => return whole,
            whole => whole,
        };
        let after = store
            .and_then(|store| after_database(store, wal))
            .map(Self::from);
        // All damage is known only after the state was read.
        let is_damaged = store.is_some_and(|store| store.db().diagnostics().found_damage());
        match (whole, after.filter(|_| !is_damaged)) {
            (Some(whole), Some(after)) => whole.followed_by(after),
            (whole, after) => whole.or(after).unwrap_or_default(),
        }
    }

    fn followed_by(mut self, other: Self) -> Self {
        let from = self.applied.last().map_or(0, |last| last.index);
        let behind = other.applied.into_iter().filter(|one| one.index > from);
        let before = self.applied.len();
        self.applied.extend(behind);
        if self.applied.len() > before {
            self.stopped = other.stopped;
        }
        self
    }

    /// The result of an entry; none if it was not applied or its result is not certain.
    pub fn applied(&self, entry: &Entry<'_>) -> Option<Applied> {
        let place = self
            .applied
            .binary_search_by_key(&entry.index, |applied| applied.index);
        let found = self.applied.get(place.ok()?).copied();
        found.filter(|_| entry.state == State::Committed)
    }
}

impl From<Replay<'_>> for AppliedEntries {
    fn from(replay: Replay<'_>) -> Self {
        Self {
            stopped: replay.stopped.map(|why| (replay.until, why)),
            applied: replay.applied,
        }
    }
}

/// Applies the entries after a database's consistent_index: writes that were acknowledged and are not in the file yet.
/// None if the database has no consistent_index.
pub fn after_database<'w, 'a: 'w>(store: &Store<'a>, wal: &Wal<'w>) -> Option<Replay<'w>> {
    after_database_within(store, wal, &ReplayLimits::default())
}

/// The same within limits.
pub fn after_database_within<'w, 'a: 'w>(
    store: &Store<'a>,
    wal: &Wal<'w>,
    limits: &ReplayLimits,
) -> Option<Replay<'w>> {
    let from = store.meta().consistent_index?;
    // The revision of the state only: records of the log may already be part of the store.
    let state = store.state().revision();
    let mut machine = Machine {
        revision: state,
        compacted: store.compact_revision(),
        ..Machine::default()
    };
    for entry in Keyspace::at(store, AtRevision(state), |_| true).live {
        machine.load(entry.record);
    }
    let leases = keys_of(store, schema::LEASE).filter_map(|(key, value)| {
        let ttl = Lease::decode(value).map_or(0, |lease| lease.ttl);
        lease_id(key).map(|id| (id, ttl))
    });
    machine.leases.extend(leases);
    machine.auth_on = keys_of(store, schema::AUTH)
        .any(|(key, value)| key == schema::AUTH_ENABLED && value == [1]);
    machine.is_full = keys_of(store, schema::ALARM).next().is_some();
    machine.is_corrupt = keys_of(store, schema::ALARM)
        .filter_map(|(key, _)| AlarmMember::decode(key).ok())
        .any(|alarm| u64::try_from(alarm.alarm) == Ok(AlarmType::CORRUPT.0));
    Some(machine.run(wal, from, limits))
}

/// The keys of a small bucket, with their values.
fn keys_of<'a>(
    store: &Store<'a>,
    name: &[u8],
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
    let diagnostics = store.db().diagnostics();
    let leaves = store
        .bucket(name)
        .map(|bucket| bucket.leaves(diagnostics, Direction::Forward));
    let elements = leaves
        .into_iter()
        .flatten()
        .flat_map(|leaf| leaf.elements(Direction::Forward));
    elements.map(|element| (element.key, element.value))
}

/// Applies all entries of a log that begins with the first entry of its cluster. None for any other log.
pub fn whole_log<'a>(wal: &Wal<'a>) -> Option<Replay<'a>> {
    whole_log_within(wal, &ReplayLimits::default())
}

/// The same within limits.
pub fn whole_log_within<'a>(wal: &Wal<'a>, limits: &ReplayLimits) -> Option<Replay<'a>> {
    let first = wal.effective().next()?;
    let is_first = first.index == 1 && wal.snapshots.first().is_none_or(|mark| mark.index == 0);
    let is_first = is_first && restored_at(wal).is_none();
    let machine = Machine {
        revision: 1,
        ..Machine::default()
    };
    is_first.then(|| machine.run(wal, 0, limits))
}

/// The times to live in seconds of all leases that a log grants, by their ids.
pub fn granted_leases(wal: &Wal<'_>) -> BTreeMap<i64, i64> {
    let grants = wal.effective().filter_map(|entry| match entry.request() {
        Request::Internal(request) => request.lease_grant.map(|grant| (grant.id, grant.ttl)),
        _ => None,
    });
    grants.collect()
}

/// The last entry written by `etcdutl snapshot restore`, if it made this log. Such a log also begins with entry 1: it has
/// one entry for each member and the mark of a raft snapshot. The records of the snapshot are only in the database
/// (`etcdutl/snapshot/v3_snapshot.go`, `saveWALAndSnap`).
pub fn restored_at(wal: &Wal<'_>) -> Option<u64> {
    let marks = wal.snapshots.iter().map(|mark| mark.index);
    let mark = marks.filter(|index| *index > 0).min()?;
    let mut before = wal.effective().take_while(|entry| entry.index <= mark);
    before
        .all(|entry| entry.entry_type != EntryType::NORMAL)
        .then_some(mark)
}

/// The state of a store, as far as requests depend on it.
#[derive(Default)]
struct Machine<'a> {
    keys: Keys<'a>,
    /// Their times to live.
    leases: BTreeMap<i64, i64>,
    /// The keys that were ever attached to each lease.
    attached: HashMap<i64, BTreeSet<&'a [u8]>>,
    revision: i64,
    compacted: i64,
    auth_on: bool,
    is_full: bool,
    is_corrupt: bool,
    records: Vec<Record<'a>>,
}

/// The outcome of one request.
enum Outcome {
    /// It was applied. For a transaction: whether its comparisons were true.
    Done(Option<bool>),
    /// It failed and changed nothing.
    Failed,
    /// Its outcome cannot be determined, for this reason.
    Stop(&'static str),
}

impl<'a> Machine<'a> {
    fn load(&mut self, record: Record<'a>) {
        if record.lease != 0 {
            let attached = self.attached.entry(record.lease).or_default();
            attached.insert(record.key);
        }
        self.keys.load(record);
    }

    fn run(mut self, wal: &Wal<'a>, from: u64, limits: &ReplayLimits) -> Replay<'a> {
        let mut replay = Replay {
            until: from,
            ..Replay::default()
        };
        // Those of the database are the best that is known, if it is later than the revision already.
        let is_later = |revision: i64| limits.leases_at.is_some_and(|at| revision > at);
        let mut leases = is_later(self.revision).then(|| (self.leases.clone(), from));
        for entry in wal.effective().filter(|entry| entry.index > from) {
            if !limits.includes_uncommitted && entry.state != State::Committed {
                break;
            }
            let request = entry.request();
            replay.stopped = fault_of(entry, &request, replay.until, limits);
            if replay.stopped.is_some() {
                break;
            }
            let before = self.records.len();
            let revoked = self.revoked_by(&request);
            if !self.keys.has_ranges() && compares_range(&request) {
                self.keys.prepare_ranges(puts_from(wal, entry.index));
            }
            match self.apply(entry, &request) {
                Outcome::Stop(why) => {
                    self.records.truncate(before);
                    replay.stopped = Some(why);
                    break;
                }
                outcome => {
                    let changed = self.records.len() > before;
                    self.revision = self.revision.saturating_add(i64::from(changed));
                    if leases.is_none() && is_later(self.revision) {
                        let mut before = self.leases.clone();
                        before.extend(revoked);
                        leases = Some((before, replay.until));
                    }
                    replay.applied.push(Applied {
                        index: entry.index,
                        main: changed.then_some(self.revision),
                        succeeded: match outcome {
                            Outcome::Done(succeeded) => succeeded,
                            _ => None,
                        },
                    });
                    replay.until = entry.index;
                }
            }
        }
        replay.records = self.records;
        replay.revision = self.revision;
        (replay.leases, replay.leases_until) = leases.unwrap_or((self.leases, replay.until));
        replay.has_corrupt_alarm = self.is_corrupt;
        replay
    }

    /// The lease that a request ends, with its time to live. Of the requests that use a revision, only this one changes the
    /// leases.
    fn revoked_by(&self, request: &Request<'a>) -> Option<(i64, i64)> {
        let Request::Internal(request) = request else {
            return None;
        };
        let id = request.lease_revoke.as_ref()?.id;
        self.leases.get(&id).map(|ttl| (id, *ttl))
    }

    fn apply(&mut self, entry: &Entry<'a>, request: &Request<'a>) -> Outcome {
        let request = match request {
            Request::Internal(request) => request,
            Request::Unknown => return Outcome::Stop("an entry cannot be read"),
            _ => return Outcome::Done(None),
        };
        let user = request
            .header
            .as_ref()
            .map_or(&[][..], |header| header.username);
        let has_writes =
            request.put.is_some() || request.delete_range.is_some() || request.txn.is_some();
        if has_writes && self.auth_on && user != b"root" {
            return Outcome::Stop(
                "the outcome depends on permissions of a user, which are not evaluated",
            );
        }
        // A request has one operation. If it has more, the first write counts.
        let refuses = "an alarm is active and refuses this write";
        if let Some(put) = &request.put {
            if self.is_full {
                return Outcome::Stop(refuses);
            }
            return Writing::new(self, entry).put(put);
        }
        if let Some(delete) = &request.delete_range {
            return Writing::new(self, entry).delete(delete);
        }
        if let Some(txn) = &request.txn {
            if self.is_full {
                return Outcome::Stop(refuses);
            }
            return Writing::new(self, entry).txn(txn);
        }
        if let Some(compaction) = &request.compaction
            && compaction.revision <= self.revision
        {
            self.compacted = self.compacted.max(compaction.revision);
        }
        if let Some(grant) = &request.lease_grant {
            // A grant of an id that exists fails.
            self.leases.entry(grant.id).or_insert(grant.ttl);
        }
        if let Some(revoke) = &request.lease_revoke {
            return Writing::new(self, entry).revoke(revoke.id);
        }
        self.apply_settings(request);
        Outcome::Done(None)
    }

    /// Alarms and authentication.
    fn apply_settings(&mut self, request: &InternalRaftRequest<'a>) {
        if let Some(alarm) = &request.alarm {
            let is_active = match alarm.action {
                AlarmAction::ACTIVATE => Some(true),
                AlarmAction::DEACTIVATE => Some(false),
                _ => None,
            };
            self.is_full = is_active.unwrap_or(self.is_full);
            if alarm.alarm == AlarmType::CORRUPT {
                self.is_corrupt = is_active.unwrap_or(self.is_corrupt);
            }
        }
        if request.auth_enable.is_some() {
            self.auth_on = true;
        }
        if request.auth_disable.is_some() {
            self.auth_on = false;
        }
    }
}

/// Why an entry cannot be applied after entry `until`, before its request is looked at.
fn fault_of(
    entry: &Entry<'_>,
    request: &Request<'_>,
    until: u64,
    limits: &ReplayLimits,
) -> Option<&'static str> {
    if Some(entry.index) != until.checked_add(1) {
        return Some("entries are missing");
    }
    if entry.checksum == Checksum::Wrong {
        return Some("an entry is damaged");
    }
    (limits.ends_at_authentication && changes_authentication(request))
        .then_some("an entry changes users, roles or authentication, which a replay does not write")
}

/// Whether a request changes users, roles or whether authentication is on.
fn changes_authentication(request: &Request<'_>) -> bool {
    let Request::Internal(request) = request else {
        return false;
    };
    request.auth_enable.is_some()
        || request.auth_disable.is_some()
        || request.auth_user_add.is_some()
        || request.auth_user_delete.is_some()
        || request.auth_user_change_password.is_some()
        || request.auth_user_grant_role.is_some()
        || request.auth_user_revoke_role.is_some()
        || request.auth_role_add.is_some()
        || request.auth_role_delete.is_some()
        || request.auth_role_grant_permission.is_some()
        || request.auth_role_revoke_permission.is_some()
}

/// Whether a request compares all keys of a range with something.
fn compares_range(request: &Request<'_>) -> bool {
    let Request::Internal(request) = request else {
        return false;
    };
    let mut txns: Vec<&TxnRequest<'_>> = request.txn.as_deref().into_iter().collect();
    while let Some(txn) = txns.pop() {
        if txn.compare.iter().any(|one| !one.range_end.is_empty()) {
            return true;
        }
        txns.extend(txn.nested());
    }
    false
}

/// The keys and values of all puts in the entries from an index on, applied or not.
fn puts_from<'a>(wal: &Wal<'a>, from: u64) -> Vec<(&'a [u8], &'a [u8])> {
    let entries = wal.effective().filter(|entry| entry.index >= from);
    let changes = entries.flat_map(|entry| changes(&entry.request()));
    let put = |change| match change {
        Change::Put(put) => Some((put.key, put.value)),
        Change::Delete(_) => None,
    };
    changes.filter_map(|(_, change)| put(change)).collect()
}

/// A transaction that is being applied.
struct Writing<'m, 'a> {
    machine: &'m mut Machine<'a>,
    main: i64,
    sub: i64,
    offset: u64,
}

impl<'m, 'a> Writing<'m, 'a> {
    fn new(machine: &'m mut Machine<'a>, entry: &Entry<'a>) -> Self {
        Self {
            main: machine.revision.saturating_add(1),
            machine,
            sub: 0,
            offset: entry.offset,
        }
    }

    /// Whether a put is possible.
    fn can_put(&self, put: &PutRequest<'a>) -> bool {
        let lease = put.lease == 0 || self.machine.leases.contains_key(&put.lease);
        let keeps = put.ignore_value || put.ignore_lease;
        lease && (!keeps || self.machine.keys.get(put.key).is_some())
    }

    fn put(&mut self, put: &PutRequest<'a>) -> Outcome {
        if !self.can_put(put) {
            return Outcome::Failed;
        }
        let before = self.machine.keys.get(put.key);
        let mut record = self.record(put.key);
        record.create_revision = before.map_or(self.main, |before| before.create_revision);
        record.mod_revision = self.main;
        record.version = before.map_or(1, |before| before.version.saturating_add(1));
        record.value = match before {
            Some(before) if put.ignore_value => before.value,
            _ => put.value,
        };
        record.lease = match before {
            Some(before) if put.ignore_lease => before.lease,
            _ => put.lease,
        };
        self.machine.load(record);
        self.write(record);
        Outcome::Done(None)
    }

    fn delete(&mut self, delete: &DeleteRangeRequest<'a>) -> Outcome {
        for key in self.machine.keys.covered(delete) {
            self.delete_key(key);
        }
        Outcome::Done(None)
    }

    fn delete_key(&mut self, key: &'a [u8]) {
        if self.machine.keys.remove(key) {
            let tombstone = Record {
                tombstone: true,
                ..self.record(key)
            };
            self.write(tombstone);
        }
    }

    fn revoke(&mut self, lease: i64) -> Outcome {
        if self.machine.leases.remove(&lease).is_none() {
            return Outcome::Failed;
        }
        let attached = self.machine.attached.remove(&lease).unwrap_or_default();
        for key in attached {
            // A later put may have detached it from the lease.
            let record = self.machine.keys.get(key);
            if record.is_some_and(|record| record.lease == lease) {
                self.delete_key(key);
            }
        }
        Outcome::Done(None)
    }

    /// Applies a transaction. As in etcd, the comparisons of all nested transactions are evaluated before anything is written.
    fn txn(&mut self, txn: &TxnRequest<'a>) -> Outcome {
        let mut plan = Vec::new();
        let succeeded = self.plan(txn, &mut plan);
        let Some(succeeded) = succeeded else {
            return Outcome::Failed;
        };
        let puts = plan.iter().filter_map(|change| match change {
            Change::Put(put) => Some(put),
            Change::Delete(_) => None,
        });
        if !puts.into_iter().all(|put| self.can_put(put)) {
            return Outcome::Failed;
        }
        for change in &plan {
            match change {
                Change::Put(put) => drop(self.put(put)),
                Change::Delete(delete) => drop(self.delete(delete)),
            }
        }
        Outcome::Done(Some(succeeded))
    }

    /// Whether the comparisons are true. The changes to make are added to `plan`. None if the transaction fails as a whole.
    fn plan(&self, txn: &TxnRequest<'a>, plan: &mut Vec<Change<'a>>) -> Option<bool> {
        let keys = &self.machine.keys;
        let holds = txn.compare.iter().all(|compare| keys.compare(compare));
        let branch = if holds { &txn.success } else { &txn.failure };
        for op in branch {
            match &op.operation {
                Some(Operation::Put(put)) => plan.push(Change::Put(**put)),
                Some(Operation::DeleteRange(delete)) => plan.push(Change::Delete(**delete)),
                Some(Operation::Range(range)) => {
                    let at = range.revision;
                    if at > self.machine.revision || (at > 0 && at < self.machine.compacted) {
                        return None;
                    }
                }
                Some(Operation::Txn(txn)) => drop(self.plan(txn, plan)?),
                None => {}
            }
        }
        Some(holds)
    }

    /// An empty record of this revision.
    fn record(&self, key: &'a [u8]) -> Record<'a> {
        let revision = Revision {
            main: self.main,
            sub: self.sub,
        };
        Record {
            offset: self.offset,
            ..Record::empty(revision, key, Origin::Wal)
        }
    }

    fn write(&mut self, record: Record<'a>) {
        self.sub = self.sub.saturating_add(1);
        self.machine.records.push(record);
    }
}
