//! The records that a write-ahead log gives to a restored store: those after its database, or all of them.
//!
//! Other verbs add whatever is certain ([`super::origins`]). A restore needs more: every entry that etcd would apply at its
//! next start, in order and without a gap, and the leases that the log grants and revokes. A cluster of one member applies
//! all entries of its log, also those after the last commit that the log records: the last acknowledged write is usually
//! among them.
//!
//! The log alone is used if the database cannot be read or is damaged, or if a revision below its compaction is asked for.
//! This needs a log that begins with the first entry of its cluster.

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
use crate::source::Source;

use super::log_alone;
use super::log_contradictions::LogContradictions;
use super::logs::{Logs, Wal};
use super::no_answer::NoAnswer;
use super::notice::Notice;
use super::origins::{ReplayRequest, agrees, stranger};

/// Why the records are those of the log alone.
#[derive(Debug, Clone)]
pub enum WhyLogAlone {
    /// The database cannot be used.
    Unusable(Arc<NoAnswer>),
    /// The database is damaged.
    Damaged,
    /// The database does not say which entry it was written after: etcd was stopped before its first commit.
    NoPosition,
    /// The revision is below the compaction of the database.
    BelowCompaction(i64),
}

/// Why a log does not give all that it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFault {
    /// The replay ended before the end of the log, for this reason.
    Stopped(&'static str),
    /// The log ends with entry `until` of the replay, and this one was committed.
    EndsBefore(u64),
    /// The log is of another cluster: the id of its member.
    OtherCluster(u64),
    /// The database is damaged, and the revisions of the entries after it depend on all of its records.
    DamagedDatabase,
    /// The database does not say which entry it was written after.
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
    /// Whether the log cannot be applied at all, so that no revision is reached by it.
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
    /// The index of its entry.
    pub index: u64,
    /// The revision that it got; none if it changed nothing.
    pub revision: Option<i64>,
    /// The keys that it writes or deletes.
    pub keys: Vec<Vec<u8>>,
}

/// What a log gave.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// Why the database is not used; none if it is.
    pub alone: Option<WhyLogAlone>,
    /// The last entry that the database has.
    pub from: u64,
    /// The last entry that was applied.
    pub until: u64,
    /// The newest revision.
    pub revision: i64,
    /// Index and term of the last entry up to the revision asked for.
    pub position: (u64, u64),
    /// The last entry that the log shows to be committed.
    pub commit: u64,
    /// Number of voting members; 0 if not known.
    pub voters: usize,
    /// Entries after the last commit that were left out.
    pub left_out: usize,
    /// Requests after the last commit that were applied, if the cluster has more than one member.
    pub unacknowledged: Vec<Unacknowledged>,
    /// The leases as of the revision asked for, with their times to live in seconds.
    pub leases: BTreeMap<i64, i64>,
    /// The times to live of all leases that the log grants.
    pub granted: BTreeMap<i64, i64>,
    /// Whether a CORRUPT alarm is active.
    pub has_corrupt_alarm: bool,
    /// Why it is not all.
    pub fault: Option<LogFault>,
}

/// A database and its log, for a restore.
pub(super) struct Parts<'a> {
    /// The file of the database.
    pub source: &'a Source,
    /// Its meta page, if one was chosen.
    pub meta: Option<usize>,
    /// Its path as typed.
    pub given: &'a Path,
    /// Why it cannot be used.
    pub unusable: Option<&'a Arc<NoAnswer>>,
    /// Whether something is wrong with the file, apart from its pages.
    pub is_suspect: bool,
    /// The findings of a store whose records are those of the log alone.
    pub diagnostics: &'a Diagnostics,
    /// The files of the log.
    pub logs: &'a Logs,
    /// The log.
    pub wal: Wal<'a>,
    /// What is asked of it.
    pub request: ReplayRequest,
}

/// Where a restore takes records from.
pub(super) enum Chosen<'a> {
    /// The database, and the log after it; or why the log cannot be applied to it.
    Database(Option<LogFault>),
    /// The log alone.
    Log(Box<(Store<'a>, Replayed)>),
}

impl<'a> Parts<'a> {
    fn limits(&self) -> ReplayLimits {
        ReplayLimits {
            includes_uncommitted: !self.request.committed_only,
            leases_at: self.request.at,
            ends_at_authentication: !self.request.skips_authentication,
        }
    }

    /// Looks at the database: whether it is intact, and whether the log alone is a better source. Its findings are not
    /// those of the run, because it may not be used.
    ///
    /// # Errors
    /// If the database cannot be used, and the log does not have all records.
    pub(super) fn choose(&self) -> Result<Chosen<'a>, NoAnswer> {
        let whole = || replay::whole_log_within(&self.wal, &self.limits());
        if let Some(why) = self.unusable {
            return match whole() {
                Some(whole) => self.alone(whole, WhyLogAlone::Unusable(Arc::clone(why))),
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
        let last = store.state().records(Direction::Forward).last();
        let revision = last.map_or(1, |last| last.revision.main);
        let is_damaged = self.is_suspect || quiet.found_damage();
        let compacted = store.compact_revision();
        let is_below = self.request.at.is_some_and(|at| at < compacted);
        let is_new = store.meta().consistent_index.unwrap_or_default() == 0;
        if !is_damaged && !is_below && !is_new {
            return Ok(Chosen::Database(skipped(&store, &self.wal)));
        }
        let whole = whole().filter(|whole| whole.revision >= revision || whole.stopped.is_none());
        match whole {
            Some(whole) if is_damaged => self.alone(whole, WhyLogAlone::Damaged),
            None if is_damaged => Ok(Chosen::Database(Some(LogFault::DamagedDatabase))),
            Some(whole) if !agrees(&store, &whole) => {
                Ok(Chosen::Database(Some(LogFault::Contradiction)))
            }
            Some(whole) if is_new => self.alone(whole, WhyLogAlone::NoPosition),
            Some(whole) => self.alone(whole, WhyLogAlone::BelowCompaction(compacted)),
            None => Ok(Chosen::Database(None)),
        }
    }

    /// The store that a whole log gives.
    fn alone(&self, whole: Replay<'a>, why: WhyLogAlone) -> Result<Chosen<'a>, NoAnswer> {
        let store = empty::store(self.diagnostics).map_err(|error| NoAnswer::NoState {
            path: self.given.to_path_buf(),
            error: Box::new(error),
            is_verdict: false,
        })?;
        let voters = voters(&self.wal, None).len();
        let mut replayed = Replayed::new(&self.wal, &whole, 0, voters);
        replayed.alone = Some(why);
        replayed.fault = self.fault_of(&whole);
        Ok(Chosen::Log(Box::new((store.with(whole.records), replayed))))
    }

    /// The store of the database with the records of the log after it.
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
        (store.with(after.records), replayed)
    }

    /// Why a replay is not all that the log should have.
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
    fn new(wal: &Wal<'_>, replay: &Replay<'_>, from: u64, voters: usize) -> Self {
        let commit = wal.hard_state.commit;
        let is_after = |index: u64| index > commit;
        let applied = |entry: &&Entry<'_>| is_after(entry.index) && entry.index <= replay.until;
        let revision_of = |index: u64| {
            let found = replay.applied.binary_search_by_key(&index, |one| one.index);
            found.ok().and_then(|at| replay.applied.get(at)?.main)
        };
        let named = wal.effective().filter(applied);
        let named = named.filter(|entry| voters != 1 && entry.entry_type == EntryType::NORMAL);
        let unacknowledged = named.filter(|entry| !entry.data.is_empty()).map(|entry| {
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
            from,
            until: replay.until,
            revision: replay.revision,
            position: (position, term_of(wal, position).unwrap_or_default()),
            commit,
            voters,
            left_out: wal
                .effective()
                .filter(|entry| is_after(entry.index) && entry.index > replay.until)
                .count(),
            unacknowledged: unacknowledged.collect(),
            leases: replay.leases.clone(),
            granted: replay::granted_leases(wal),
            has_corrupt_alarm: replay.has_corrupt_alarm,
            fault: None,
        }
    }

    /// Whether requests of the log were applied, as far as it reaches.
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
