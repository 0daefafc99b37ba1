//! The records of one revision, compared with what a step does. The deletions are sorted once, not for each step.

use std::collections::{BTreeMap, HashSet};

use crate::etcd::record::Record;
use crate::etcd::wal::messages::DeleteRangeRequest;
use crate::etcd::wal::writes::Change;

use super::step::Step;

/// The known records by main revision.
pub(super) type KnownRecords<'w> = BTreeMap<i64, Vec<Record<'w>>>;

/// The records of one revision.
pub(super) struct RevisionRecords<'r, 'w> {
    puts: Vec<&'r Record<'w>>,
    /// Ascending.
    deleted: Vec<&'w [u8]>,
}

impl<'r, 'w> RevisionRecords<'r, 'w> {
    pub(super) fn new(records: &'r [Record<'w>]) -> Self {
        let (deletions, puts): (Vec<&Record<'w>>, Vec<&Record<'w>>) =
            records.iter().partition(|record| record.tombstone);
        let mut seen = HashSet::new();
        let puts = puts.into_iter();
        let mut deleted: Vec<&[u8]> = deletions.into_iter().map(|record| record.key).collect();
        deleted.sort_unstable();
        Self {
            puts: puts
                .filter(|record| seen.insert((record.key, record.value)))
                .collect(),
            deleted,
        }
    }

    /// Whether a step wrote these records; `None` if its request does not say what it changes.
    pub(super) fn is_by(&self, step: &Step<'_>) -> Option<bool> {
        if step.possible_changes.is_empty() {
            return if self.puts.is_empty() {
                None
            } else {
                Some(false)
            };
        }
        Some(self.are_deleted_by(step) && self.puts.iter().all(|record| is_put_by(record, step)))
    }

    fn are_deleted_by(&self, step: &Step<'_>) -> bool {
        let mut deletes: Vec<&DeleteRangeRequest<'_>> = step
            .possible_changes
            .iter()
            .filter_map(|change| match change {
                Change::Delete(delete) => Some(delete),
                Change::Put(_) => None,
            })
            .collect();
        deletes.sort_unstable_by_key(|delete| delete.key);
        let mut left = self.deleted.as_slice();
        for delete in deletes {
            let Some(first) = left.first() else {
                break;
            };
            // No further deletion begins before it.
            if delete.key > *first {
                return false;
            }
            let covered = left.partition_point(|key| delete.covers(key));
            left = left.get(covered..).unwrap_or_default();
        }
        left.is_empty()
    }
}

fn is_put_by(record: &Record<'_>, step: &Step<'_>) -> bool {
    step.possible_changes.iter().any(|change| match change {
        Change::Put(put) => {
            put.key == record.key && (put.ignore_value || put.value == record.value)
        }
        Change::Delete(_) => false,
    })
}
