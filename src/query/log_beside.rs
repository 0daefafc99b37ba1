//! Entries of a write-ahead log next to a database that a run does not apply, because `--wal` was not given.

use std::path::PathBuf;

use crate::etcd::Store;
use crate::etcd::wal::messages::EntryType;
use crate::etcd::wal::replay::after_database;
use crate::source::log_place;

use super::evidence::Evidence;
use super::logs::Logs;
use super::origins::stranger;

/// A log next to a database that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogBeside {
    /// The folder with the log.
    pub place: PathBuf,
    /// How many of its requests are not in the database.
    pub entries: usize,
    /// The index of the last of these.
    pub until: u64,
    /// The newest revision after them, if all of them are certain to be applied.
    pub revision: Option<i64>,
}

/// The log next to a database, if it has requests that the database does not have. None if the run reads a log
/// anyway, or if the log is that of a member of another cluster.
pub fn log_beside(evidence: &Evidence, store: &Store<'_>) -> Option<LogBeside> {
    if evidence.logs().is_some() {
        return None;
    }
    let place = log_place(evidence.source().path(), evidence.given_path())?;
    let logs = Logs::open(&place).ok()?;
    let wal = logs.wal_again();
    let from = store.meta().consistent_index?;
    if stranger(store, &wal).is_some() {
        return None;
    }
    let after = wal.effective().filter(|entry| entry.index > from);
    let requests =
        after.filter(|entry| entry.entry_type == EntryType::NORMAL && !entry.data.is_empty());
    let (entries, until) = requests.fold((0_usize, 0), |(count, _), entry| {
        (count.saturating_add(1), entry.index)
    });
    if entries == 0 {
        return None;
    }
    let is_damaged = store.db().diagnostics().found_damage();
    let replay = (!is_damaged)
        .then(|| after_database(store, &wal))
        .flatten()
        .filter(|replay| replay.stopped.is_none() && replay.until >= until);
    Some(LogBeside {
        place,
        entries,
        until,
        revision: replay.map(|replay| replay.revision),
    })
}
