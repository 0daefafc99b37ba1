//! Where the database of a member contradicts its write-ahead log.
//!
//! A member that has applied the log up to an entry has each write of the log at the revision that the log gives it. A
//! member that skipped an entry, or applied it otherwise, does not: every later write then has another revision. For
//! example, the log writes `/app/leader` at revision 9, and the database has another key at revision 9.

use std::collections::{BTreeSet, HashMap};

use crate::bbolt::Direction;
use crate::diag::{Code, Diagnostics, Severity};
use crate::etcd::wal::replay::AppliedEntries;
use crate::etcd::wal::writes::{Change, changes};
use crate::etcd::wal::{Entry, State, Wal};
use crate::etcd::{Record, Store};

use super::logs::Logs;
use super::notice::Notice;

/// The entries of a log whose writes are missing in the database, or differ in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogContradictions {
    /// The indices of the entries.
    entries: BTreeSet<u64>,
    /// The first of them, with the main revision that the log gives it.
    first: Option<(u64, i64)>,
}

impl LogContradictions {
    /// Compares the writes of the log with the records of the database. `known` has the revisions of the entries.
    ///
    /// Only entries that the database claims to have (up to its consistent_index), and only revisions after the
    /// compaction are compared: of others no record has to exist. A database that may lack records for another reason is
    /// not compared.
    #[must_use]
    pub fn read(wal: &Wal<'_>, known: &AppliedEntries, store: &Store<'_>) -> Self {
        let last = store.meta().consistent_index.unwrap_or_default();
        let compacted = store.compact_revision();
        // The entries for which no record was found up to now, by main revision.
        let mut unproved: HashMap<i64, &Entry<'_>> = HashMap::new();
        for entry in wal.effective() {
            let is_applied = entry.state == State::Committed && entry.index <= last;
            let applied = known.applied(entry).filter(|_| is_applied);
            if let Some(main) = applied.and_then(|applied| applied.main)
                && main > compacted
            {
                unproved.insert(main, entry);
            }
        }
        if unproved.is_empty() {
            return Self::default();
        }
        for record in store.records(Direction::Forward) {
            if record.origin.is_of_state()
                && let Some(entry) = unproved.get(&record.revision.main)
                && may_have_written(entry, &record)
            {
                unproved.remove(&record.revision.main);
            }
        }
        // All damage is known only after the records were read.
        if explains_missing_records(store.db().diagnostics()) {
            return Self::default();
        }
        let found = unproved.iter().map(|(main, entry)| (entry.index, *main));
        Self {
            entries: found.clone().map(|(index, _)| index).collect(),
            first: found.min(),
        }
    }

    /// The same for the log of a data directory and its database. Only a log that begins with the first entry of its
    /// cluster gives the revisions of entries that the database has.
    #[must_use]
    pub fn of_directory(logs: &Logs, store: &Store<'_>) -> Self {
        let wal = logs.wal_again();
        let known = AppliedEntries::from_wal(&wal, None);
        Self::read(&wal, &known, store)
    }

    /// How many entries the database contradicts.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The first of them: its index, and the main revision that the log gives it.
    #[must_use]
    pub fn first(&self) -> Option<(u64, i64)> {
        self.first
    }

    /// Whether the database contradicts an entry.
    #[must_use]
    pub fn contains(&self, entry: &Entry<'_>) -> bool {
        entry.state == State::Committed && self.entries.contains(&entry.index)
    }

    /// What is to be reported, if there is a contradiction.
    #[must_use]
    pub fn notice(&self) -> Option<Notice> {
        let (index, main) = self.first?;
        Some(Notice::LogContradicts {
            count: self.entries.len(),
            index,
            main,
        })
    }
}

/// Whether a finding about a database explains that records are missing from it, or that its log has other ones: pages or
/// records are damaged, or the log is of another member or time.
fn explains_missing_records(diagnostics: &Diagnostics) -> bool {
    let explains = |code: Code| {
        let may_hide = code.severity() == Severity::Error && code.layer() != "k8s";
        code.is_about_directory() || (may_hide && code != Code::DirectoryWrites)
    };
    let found = diagnostics.by_code();
    found.iter().any(|(code, ..)| explains(*code))
}

/// Whether an entry may have written a record: it puts this key with this value, or deletes this key. A put with
/// ignore_value names no value. A request that names no key, such as the end of a lease, may have deleted any key.
fn may_have_written(entry: &Entry<'_>, record: &Record<'_>) -> bool {
    let request = entry.request();
    let changes = changes(&request);
    let wrote = |change: &Change<'_>| match change {
        Change::Put(put) => {
            let is_value = put.ignore_value || put.value == record.value;
            !record.tombstone && put.key == record.key && is_value
        }
        Change::Delete(_) => record.tombstone && change.covers(record.key),
    };
    changes.is_empty() || changes.iter().any(|(_, change)| wrote(change))
}
