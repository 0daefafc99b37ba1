//! The records that a restored store gets from a write-ahead log: those after its database, or all of them.
//!
//! Other verbs add every record that is certain ([`super::origins`]). A restore needs more: every entry that etcd
//! would apply at its next start, in order and without a gap, and the leases that the log grants and revokes. A
//! cluster of one member applies all entries of its log, also those after the last commit that the log records: the
//! last acknowledged write is usually among them.
//!
//! The log alone is used if the database cannot be read or is damaged, or if a revision below its compaction is asked
//! for. This needs a log that begins with the first entry of its cluster.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::bbolt::Direction;
use crate::diag::Diagnostics;
use crate::etcd::state::State;
use crate::etcd::wal::Entry;
use crate::etcd::wal::messages::EntryType;
use crate::etcd::wal::replay::{self, AppliedEntries, Replay, ReplayLimits};
use crate::etcd::wal::voters::voters;
use crate::etcd::wal::writes::changes;
use crate::etcd::{Store, empty};
use crate::k8s::encrypt::Keyring;
use crate::source::Source;

use super::log_alone;
use super::log_contradictions::LogContradictions;
use super::logs::{Logs, Wal};
use super::no_answer::NoAnswer;
use super::notice::Notice;
use super::origins::{ReplayRequest, agrees, stranger};
use super::revision::RevisionExpr;
use super::time_asked::TimeAsked;
use super::timeline::Timeline;

/// Why all records come from the log, and the database is not used.
#[derive(Debug, Clone)]
pub enum WhyLogAlone {
    /// The database cannot be used.
    Unusable(Arc<NoAnswer>),
    /// The database is damaged.
    Damaged,
    /// The database has no consistent_index, the index of the last entry it has: etcd was stopped before its first
    /// commit.
    NoPosition,
    /// The revision is below the compaction of the database.
    BelowCompaction(i64),
}

/// Why a log cannot be applied, or not up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFault {
    /// The replay ended before the end of the log, for this reason.
    Stopped(&'static str),
    /// The replay reached the end of the log, but this later entry was committed: the end of the log is missing.
    EndsBefore(u64),
    /// The log is of another cluster. This is the id of the member that wrote it.
    OtherCluster(u64),
    /// The database is damaged, and the revisions of the entries after it depend on all of its records.
    DamagedDatabase,
    /// The database has no consistent_index, so it is not known which entries it already has.
    NoPosition,
    /// The log and the database have different records of the same revisions.
    Contradiction,
    /// The database does not have writes of entries that it claims to have applied: the member skipped them.
    Skipped {
        /// The first of the entries.
        index: u64,
        /// The revision that the log gives it.
        main: i64,
    },
}

impl LogFault {
    /// Whether the log cannot be applied to this database at all. The other faults only end the replay early.
    pub fn is_about_database(self) -> bool {
        !matches!(self, Self::Stopped(_) | Self::EndsBefore(_))
    }

    /// Whether the database has the right records up to a revision all the same.
    pub fn is_after(self, at: i64) -> bool {
        matches!(self, Self::Skipped { main, .. } if at < main)
    }
}

/// A request that may not have been acknowledged: the log does not show that a majority has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unacknowledged {
    /// The index of its log entry.
    pub index: u64,
    /// The main revision that it wrote; none if it changed nothing.
    pub revision: Option<i64>,
    /// The keys that it writes or deletes.
    pub keys: Vec<Vec<u8>>,
}

/// The result of a replay of a log, for a restore.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// Why the database is not used; none if it is used.
    pub alone: Option<WhyLogAlone>,
    /// The newest revision of a database that is not used; 0 if it is used, or is not known.
    pub unused_revision: i64,
    /// The index of the last entry that the database has; 0 if the database is not used.
    pub from: u64,
    /// The index of the last entry that was applied.
    pub until: u64,
    /// The main revision after that entry.
    pub revision: i64,
    /// Index and term of the last entry up to the revision asked for.
    pub position: (u64, u64),
    /// The index of the last entry that the log shows to be committed.
    pub commit: u64,
    /// Number of voting members; 0 if not known.
    pub voters: usize,
    /// Number of entries after the last committed one that were not applied.
    pub left_out: usize,
    /// Requests after the last committed entry that were applied. None are listed for a cluster of one member, which
    /// commits whatever is in its log.
    pub unacknowledged: Vec<Unacknowledged>,
    /// The leases as of the revision asked for, with their times to live in seconds. If the log does not go back that
    /// far, those of the database.
    pub leases: BTreeMap<i64, i64>,
    /// Whether these are exactly the leases of that revision.
    pub leases_are_exact: bool,
    /// The times to live of all leases that the log grants.
    pub granted: BTreeMap<i64, i64>,
    /// Whether a CORRUPT alarm is active.
    pub has_corrupt_alarm: bool,
    /// Why the log was not applied, or not up to its end; none if it was.
    pub fault: Option<LogFault>,
    /// The revision that was asked for; none for the newest.
    pub asked: Option<Asked>,
}

/// A database and its log, which a restore can choose from.
pub(super) struct Parts<'a> {
    /// The file of the database.
    pub source: &'a Source,
    /// Its meta page, if one was chosen.
    pub meta: Option<usize>,
    /// Its path as typed.
    pub given: &'a Path,
    /// Why it cannot be used; none if it can be opened.
    pub unusable: Option<&'a Arc<NoAnswer>>,
    /// Whether something is wrong with the file, apart from its pages.
    pub is_suspect: bool,
    /// The findings of a store whose records are those of the log alone.
    pub diagnostics: &'a Diagnostics,
    /// The files of the log.
    pub logs: &'a Logs,
    /// The log.
    pub wal: Wal<'a>,
    /// How the log is to be replayed.
    pub request: ReplayRequest,
    /// The revision that was asked for; none before [`Self::resolve`], and for the newest.
    pub asked: Option<Asked>,
}

/// A revision that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The main revision.
    pub revision: i64,
    /// The time that was asked for, if it was a time.
    pub time: Option<TimeAsked>,
}

/// The source of the records of a restore.
pub(super) enum Chosen<'a> {
    /// The database, and the log after it; or why the log cannot be applied to it.
    Database(Option<LogFault>),
    /// The log alone: the store with all of its records.
    Log(Box<(Store<'a>, Replayed)>),
}

impl<'a> Parts<'a> {
    /// The limits of a replay, from what was asked for.
    fn limits(&self) -> ReplayLimits {
        ReplayLimits {
            includes_uncommitted: !self.request.committed_only,
            leases_at: self.asked.map(|asked| asked.revision),
            ends_at_authentication: !self.request.skips_authentication,
        }
    }

    /// Determines the revision that was asked for from all records of the database and of the log. Revisions such as
    /// `@~5` are counted back from the last entry of the log, and times are inferred from the values in it too.
    ///
    /// # Errors
    /// If it is a time that cannot be resolved.
    pub(super) fn resolve(&mut self) -> Result<(), NoAnswer> {
        if let Some(RevisionExpr::Main(revision)) = self.request.at {
            let time = None;
            self.asked = Some(Asked { revision, time });
            return Ok(());
        }
        let quiet = Diagnostics::new();
        let asked = match (&self.request.at_time, self.request.at) {
            (Some(text), _) => match self.all_records(&quiet) {
                Some(store) => {
                    let timeline = Timeline::read(&store, &Keyring::default());
                    Some(TimeAsked::read(&timeline, text)?)
                        .map(|time| (time.at.revision, Some(time)))
                }
                None => None,
            },
            (None, Some(RevisionExpr::Head(back))) => self.all_records(&quiet).map(|store| {
                let newest = store.current_revision().max(store.compact_revision());
                (newest.saturating_sub(back).max(1), None)
            }),
            // A restore refuses a revision of one object.
            _ => None,
        };
        self.asked = asked.map(|(revision, time)| Asked { revision, time });
        Ok(())
    }

    /// The records of the database with those of the log that continue it. None if nothing can be read.
    fn all_records<'q>(&self, quiet: &'q Diagnostics) -> Option<Store<'q>>
    where
        'a: 'q,
    {
        let whole = replay::whole_log_within(&self.wal, &self.limits());
        let state = match self.unusable {
            None => State::open_by_meta(self.source, self.meta, quiet).ok(),
            Some(_) => None,
        };
        let Some(store) = state.map(Store::new) else {
            let records = whole?.records;
            return Some(empty::store(quiet).ok()?.with(records));
        };
        if stranger(&store, &self.wal).is_some() {
            return Some(store);
        }
        let after = replay::after_database_within(&store, &self.wal, &self.limits());
        let whole = whole.filter(|whole| agrees(&store, whole));
        let records = [whole, after].into_iter().flatten();
        Some(store.with(records.flat_map(|replay| replay.records).collect()))
    }

    /// Chooses between the database with the log after it, and the log alone. The log alone is used if the database
    /// cannot be opened, is damaged, has no consistent_index, or is compacted above the revision asked for. It must
    /// then go back to the first entry of its cluster. The findings of this first look at the database are dropped,
    /// because it may not be used.
    ///
    /// # Errors
    /// If the database cannot be used, and the log does not have all records.
    pub(super) fn choose(&self) -> Result<Chosen<'a>, NoAnswer> {
        let whole = || replay::whole_log_within(&self.wal, &self.limits());
        if let Some(why) = self.unusable {
            return match whole() {
                Some(whole) => self.alone(whole, WhyLogAlone::Unusable(Arc::clone(why)), 0),
                None => Err(log_alone::not_whole(self.logs, self.given, why)),
            };
        }
        let quiet = Diagnostics::new();
        let state = State::open_by_meta(self.source, self.meta, &quiet);
        let state = state.map_err(|error| log_alone::not_a_database(self.source, error))?;
        let store = Store::new(state);
        if let Some(member) = stranger(&store, &self.wal) {
            return Ok(Chosen::Database(Some(LogFault::OtherCluster(member))));
        }
        // A log that stops early is no better source, unless it reaches the last record of the database, or the
        // revision that was asked for.
        let last = store.state().records(Direction::Forward).last();
        let revision = last.map_or(1, |last| last.revision.main);
        let is_damaged = self.is_suspect || quiet.found_damage();
        let compacted = store.compact_revision();
        let is_below = self.asked.is_some_and(|asked| asked.revision < compacted);
        let is_new = store.meta().consistent_index.unwrap_or_default() == 0;
        if !is_damaged && !is_below && !is_new {
            return Ok(Chosen::Database(skipped(&store, &self.wal)));
        }
        let reaches = |whole: &Replay<'_>| {
            let is_asked = |asked: Asked| asked.revision <= whole.revision;
            let has_asked = is_below && self.asked.is_some_and(is_asked);
            has_asked || whole.revision >= revision || whole.stopped.is_none()
        };
        let whole = whole().filter(reaches);
        match whole {
            Some(whole) if is_damaged => self.alone(whole, WhyLogAlone::Damaged, revision),
            None if is_damaged => Ok(Chosen::Database(Some(LogFault::DamagedDatabase))),
            Some(whole) if !agrees(&store, &whole) => {
                Ok(Chosen::Database(Some(LogFault::Contradiction)))
            }
            Some(whole) if is_new => self.alone(whole, WhyLogAlone::NoPosition, revision),
            Some(whole) => self.alone(whole, WhyLogAlone::BelowCompaction(compacted), revision),
            None => Ok(Chosen::Database(None)),
        }
    }

    /// The store with the records of the log alone. `newest` is the newest revision of the database.
    ///
    /// # Errors
    /// If the empty store that it begins with cannot be made.
    fn alone(
        &self,
        whole: Replay<'a>,
        why: WhyLogAlone,
        newest: i64,
    ) -> Result<Chosen<'a>, NoAnswer> {
        let store = empty::store(self.diagnostics).map_err(|error| NoAnswer::NoState {
            path: self.given.to_path_buf(),
            error: Box::new(error),
            is_verdict: false,
        })?;
        let voters = voters(&self.wal, None).len();
        let mut replayed = Replayed::new(&self.wal, &whole, 0, voters);
        replayed.alone = Some(why);
        replayed.unused_revision = newest;
        replayed.asked = self.asked;
        replayed.fault = self.fault_of(&whole);
        Ok(Chosen::Log(Box::new((store.with(whole.records), replayed))))
    }

    /// The store of the database with the records of the log after it. If the log cannot be applied, the store of the
    /// database as it is, and the fault.
    pub(super) fn continued(
        &self,
        store: Store<'a>,
        fault: Option<LogFault>,
    ) -> (Store<'a>, Replayed) {
        let after = match fault {
            None => replay::after_database_within(&store, &self.wal, &self.limits()),
            Some(_) => None,
        };
        let fault = fault.or_else(|| after.is_none().then_some(LogFault::NoPosition));
        let from = store.meta().consistent_index.unwrap_or_default();
        let after = after.unwrap_or_else(|| Replay {
            until: from,
            leases_until: from,
            revision: store.state().revision(),
            ..Replay::default()
        });
        let voters = voters(&self.wal, Some(&store)).len();
        let mut replayed = Replayed::new(&self.wal, &after, from, voters);
        if replayed.position.1 == 0 {
            replayed.position.1 = store.meta().term.unwrap_or_default();
        }
        replayed.fault = fault.or_else(|| self.fault_of(&after));
        replayed.asked = self.asked;
        let is_before = |asked: Asked| asked.revision < store.state().revision();
        if self.asked.is_some_and(is_before) {
            let leases = self.leases_before(&store);
            replayed.leases_are_exact = leases.is_some();
            replayed.leases = leases.unwrap_or(replayed.leases);
        }
        (store.with(after.records), replayed)
    }

    /// The leases at the revision asked for, if that is before the last entry of the database. The database has only the
    /// leases of its end, and only a log that begins with the first entry of its cluster has those of an earlier revision.
    fn leases_before(&self, store: &Store<'_>) -> Option<BTreeMap<i64, i64>> {
        let at = self.asked?.revision;
        let whole = replay::whole_log_within(&self.wal, &self.limits())?;
        let is_right = whole.revision >= at && agrees(store, &whole);
        is_right.then_some(whole.leases)
    }

    /// Why a replay is incomplete: it stopped before the end of the log, or the log lacks committed entries. The last
    /// committed entry is the one in the hard state of the log, or that of the newest raft snapshot.
    fn fault_of(&self, replay: &Replay<'_>) -> Option<LogFault> {
        if let Some(why) = replay.stopped {
            return Some(LogFault::Stopped(why));
        }
        let newest = self.logs.newest_snap().map_or(0, |(_, snap)| snap.index);
        let last = self.wal.hard_state.commit.max(newest);
        (last > replay.until).then_some(LogFault::EndsBefore(last))
    }
}

impl Replayed {
    /// The result of a replay of the entries after `from`. The caller sets `alone` and `fault`.
    fn new(wal: &Wal<'_>, replay: &Replay<'_>, from: u64, voters: usize) -> Self {
        let commit = wal.hard_state.commit;
        let is_after_commit = |index: u64| index > commit;
        let is_applied_unsure =
            |entry: &&Entry<'_>| is_after_commit(entry.index) && entry.index <= replay.until;
        let revision_of = |index: u64| {
            let found = replay.applied.binary_search_by_key(&index, |one| one.index);
            found.ok().and_then(|at| replay.applied.get(at)?.main)
        };
        let unsure = wal.effective().filter(is_applied_unsure);
        let unsure = unsure.filter(|entry| voters != 1 && entry.entry_type == EntryType::NORMAL);
        let unacknowledged = unsure.filter(|entry| !entry.data.is_empty()).map(|entry| {
            let keys = changes(&entry.request()).into_iter();
            Unacknowledged {
                index: entry.index,
                revision: revision_of(entry.index),
                keys: keys.map(|(_, change)| change.key().to_vec()).collect(),
            }
        });
        let position = replay.leases_until;
        Self {
            alone: None,
            unused_revision: 0,
            from,
            until: replay.until,
            revision: replay.revision,
            position: (position, term_of(wal, position).unwrap_or_default()),
            commit,
            voters,
            left_out: wal
                .effective()
                .filter(|entry| is_after_commit(entry.index) && entry.index > replay.until)
                .count(),
            unacknowledged: unacknowledged.collect(),
            leases: replay.leases.clone(),
            leases_are_exact: true,
            granted: replay::granted_leases(wal),
            has_corrupt_alarm: replay.has_corrupt_alarm,
            fault: None,
            asked: None,
        }
    }

    /// Whether the entries of the log were applied, all of them or up to where the replay stopped.
    pub fn is_applied(&self) -> bool {
        self.fault.is_none_or(|fault| !fault.is_about_database())
    }

    /// The requests up to a revision that may not have been acknowledged.
    pub fn unacknowledged_up_to(&self, at: i64) -> impl Iterator<Item = &Unacknowledged> {
        self.unacknowledged
            .iter()
            .filter(move |one| one.revision.is_some_and(|revision| revision <= at))
    }
}

/// The first entry whose writes the database does not have, although it claims to have applied it.
fn skipped(store: &Store<'_>, wal: &Wal<'_>) -> Option<LogFault> {
    let known = AppliedEntries::from_wal(wal, Some(store));
    match LogContradictions::read(wal, &known, store).notice()? {
        Notice::LogContradicts { index, main, .. } => Some(LogFault::Skipped { index, main }),
        _ => None,
    }
}

/// The term of the entry with this index.
fn term_of(wal: &Wal<'_>, index: u64) -> Option<u64> {
    let mut entries = wal.effective();
    entries
        .find(|entry| entry.index == index)
        .map(|entry| entry.term)
}
