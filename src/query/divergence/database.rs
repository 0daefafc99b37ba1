//! A database of a comparison: its store, continued by the delta snapshots of its folder.

use crate::etcd::Store;
use crate::etcd::side_by_side::StoredRecord;
use crate::etcd::store::RevisionUnavailable;
use crate::etcd::write::StoredPair;
use crate::query::evidence::Evidence;
use crate::query::hash::records;
use crate::query::log_beside::{LogBeside, log_beside};
use crate::query::no_answer::NoAnswer;

/// Which revisions a database retains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retained {
    /// The compacted revision; 0 if nothing was compacted.
    pub(super) compacted: i64,
    /// The newest revision.
    pub(super) newest: i64,
}

impl Retained {
    /// Whether it has every record of a main revision.
    pub(super) fn has(&self, main: i64) -> bool {
        self.compacted < main && main <= self.newest
    }
}

/// One of the databases.
#[derive(Debug)]
pub(super) struct Database<'e> {
    /// Its store, with the events of its delta snapshots.
    pub(super) store: Store<'e>,
    /// The records after its newest one, from delta snapshots, in the order of revisions and without a gap.
    added: Vec<StoredPair>,
    /// Which revisions it retains, with those of the delta snapshots.
    pub(super) retained: Retained,
    /// The write-ahead log next to it, which is not compared, if that has requests that the database lacks.
    pub(super) log: Option<LogBeside>,
}

impl<'e> Database<'e> {
    /// Opens a database. The delta snapshots of its folder continue it up to their first gap.
    ///
    /// # Errors
    /// If it is not an etcd database.
    pub(super) fn open(evidence: &'e Evidence) -> Result<Self, NoAnswer> {
        let store = records(evidence)?;
        let log = log_beside(evidence, &store);
        let mut retained = Retained {
            compacted: store.compact_revision(),
            newest: store.state().revision(),
        };
        let Some(deltas) = evidence.deltas() else {
            return Ok(Self {
                store,
                added: Vec::new(),
                retained,
                log,
            });
        };
        let end_of_full = retained.newest;
        let complete = deltas.complete(Some(&store));
        retained.newest = end_of_full.max(complete.unwrap_or_default());
        let store = deltas.add_to(store);
        let after_full = store.additional().iter().filter(|record| {
            let main = record.revision.main;
            end_of_full < main && main <= retained.newest
        });
        Ok(Self {
            added: after_full.map(StoredPair::from_record).collect(),
            store,
            retained,
            log,
        })
    }

    /// Whether delta snapshots continue it.
    pub(super) fn has_deltas(&self) -> bool {
        !self.added.is_empty()
    }

    /// The records of delta snapshots that continue it.
    pub(super) fn added(&self) -> Vec<StoredRecord<'_>> {
        let pairs = self.added.iter();
        pairs
            .filter_map(|pair| StoredRecord::parse(&pair.key, &pair.value))
            .collect()
    }

    /// Checks that it retains a revision.
    ///
    /// # Errors
    /// If the revision is compacted, or above its newest one.
    pub(super) fn require(&self, asked: i64) -> Result<(), RevisionUnavailable> {
        let Retained { compacted, newest } = self.retained;
        if asked > newest {
            let current = newest;
            return Err(RevisionUnavailable::Future { asked, current });
        }
        if asked < compacted {
            return Err(RevisionUnavailable::Compacted { asked, compacted });
        }
        Ok(())
    }
}
