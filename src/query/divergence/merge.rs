//! Compares the records of databases in one pass.
//!
//! Two databases have to agree in two ways:
//!
//! - Above the compactions of both, each revision has the same record, byte for byte.
//! - At the higher of their compactions, each key has the same newest record, or none if it was deleted. The other
//!   records up to there are not compared: one of the two has lost them.
//!
//! A database with the lower compaction has every record between the two compactions, so its newest record of each key
//! at the higher one is known. With more than two databases the first rule applies to those that retain a revision, and
//! the second at each compacted revision to those that are not compacted further.

use std::collections::HashMap;

use crate::etcd::Revision;
use crate::etcd::side_by_side::{SideBySide, StoredRecord};

use super::database::{Database, Retained};
use super::differences::{Differences, Same};

/// The newest record of a key up to a revision, in each database.
#[derive(Debug)]
enum Candidates<'a> {
    /// All databases have the same one.
    Same(StoredRecord<'a>),
    /// They differ, or some have none.
    Each(Vec<Option<StoredRecord<'a>>>),
}

/// A comparison on its way through the records.
struct Merge<'a> {
    retained: Vec<Retained>,
    /// The compacted revisions at which keys are still to be compared, in descending order.
    levels: Vec<i64>,
    /// The highest compacted revision; 0 if nothing was compacted.
    highest_level: i64,
    /// The newest record of each key up to now. Empty above the highest compacted revision.
    candidates: HashMap<&'a [u8], Candidates<'a>>,
    found: Differences<'a>,
    /// For each database, whether it retains the current revision. It is a field so that its memory is used again.
    can_compare: Vec<bool>,
    /// The records that are the same in all databases.
    same: Same,
}

/// What a comparison of all records gives.
#[derive(Debug)]
pub struct Merged<'a> {
    /// The differences.
    pub found: Differences<'a>,
    /// The records that are the same in all databases.
    pub same: Same,
}

/// Compares the records of databases up to a main revision. `common` is the revision at which keys may be equal again.
pub(super) fn merge<'a>(databases: &'a [Database<'_>], common: i64, limit: i64) -> Merged<'a> {
    let retained: Vec<Retained> = databases.iter().map(|one| one.retained).collect();
    let mut levels: Vec<i64> = retained.iter().map(|one| one.compacted).collect();
    levels.retain(|level| 0 < *level && *level <= limit);
    levels.sort_unstable_by(|a, b| b.cmp(a));
    levels.dedup();
    let mut merge = Merge {
        retained,
        highest_level: levels.first().copied().unwrap_or_default(),
        levels,
        candidates: HashMap::new(),
        found: Differences::new(databases.len(), common),
        can_compare: Vec::new(),
        same: Same::default(),
    };
    let mut rows = SideBySide::new(databases.iter().map(|one| (&one.store, one.added())));
    loop {
        // Above the last compaction and before the first difference, only differences matter. So leaves that are equal
        // in all databases are skipped.
        let next = rows.next_revision().map(|next| next.main);
        let is_plain = next.is_some_and(|next| next > merge.highest_level);
        if is_plain && !merge.found.found_any() {
            merge.pass_levels(merge.highest_level.saturating_add(1));
            // The levels may have the first difference: from there on each record is followed.
            if !merge.found.found_any() {
                let skipped = rows.skip_equal_leaves(limit);
                merge.same.add(next.unwrap_or_default(), skipped);
            }
        }
        match rows.next_row() {
            Some((revision, records)) if revision.main <= limit => merge.step(revision, records),
            _ => break,
        }
    }
    merge.pass_levels(i64::MAX);
    Merged {
        found: merge.found,
        same: merge.same,
    }
}

/// Whether all databases have the same record, byte for byte.
fn all_same(records: &[Option<StoredRecord<'_>>]) -> bool {
    match records.split_first() {
        Some((Some(first), others)) => others.iter().all(|other| other.as_ref() == Some(first)),
        _ => false,
    }
}

impl<'a> Merge<'a> {
    /// Compares the records of one revision.
    fn step(&mut self, revision: Revision, records: &[Option<StoredRecord<'a>>]) {
        self.pass_levels(revision.main);
        if all_same(records) {
            self.same.add(revision.main, 1);
        } else {
            self.can_compare.clear();
            self.can_compare
                .extend(self.retained.iter().map(|one| one.has(revision.main)));
            self.found
                .compare_revision(revision, records, &self.can_compare);
        }
        if revision.main <= self.highest_level {
            self.add_candidates(records);
        }
        if self.found.found_any() {
            self.found.follow(revision, records);
        }
    }

    /// Notes the records of one revision as the newest ones of their keys.
    fn add_candidates(&mut self, records: &[Option<StoredRecord<'a>>]) {
        if all_same(records) {
            let first = records.first().copied().flatten();
            if let Some(content) = first.and_then(|first| first.content())
                && let Some(first) = first
            {
                self.candidates.insert(content.key, Candidates::Same(first));
            }
            return;
        }
        for (database, record) in records.iter().enumerate() {
            let Some(record) = record else { continue };
            let Some(content) = record.content() else {
                continue;
            };
            let each = self
                .candidates
                .entry(content.key)
                .or_insert_with(|| Candidates::Each(vec![None; records.len()]));
            if let Candidates::Same(same) = each {
                *each = Candidates::Each(vec![Some(*same); records.len()]);
            }
            if let Candidates::Each(each) = each
                && let Some(place) = each.get_mut(database)
            {
                *place = Some(*record);
            }
        }
    }

    /// Compares the newest record of each key at every compacted revision below a main revision that was not compared
    /// yet. The records up to there have to be added before.
    fn pass_levels(&mut self, main: i64) {
        while let Some(level) = self.levels.pop_if(|level| *level < main) {
            let can_compare: Vec<bool> = self
                .retained
                .iter()
                .map(|one| one.compacted <= level && level <= one.newest)
                .collect();
            if can_compare.iter().filter(|can| **can).count() < 2 {
                continue;
            }
            // Two databases are compared once, at the higher of their compactions. At a further level the same difference
            // would be counted again.
            let compacted = |database: usize| self.retained.get(database).map(|one| one.compacted);
            let is_own_level = |one, other| compacted(one).max(compacted(other)) == Some(level);
            for (key, candidates) in &self.candidates {
                if let Candidates::Each(each) = candidates {
                    self.found
                        .compare_candidates(key, each, &can_compare, is_own_level);
                }
            }
        }
        if self.levels.is_empty() && main > self.highest_level {
            self.candidates = HashMap::new();
        }
    }
}
