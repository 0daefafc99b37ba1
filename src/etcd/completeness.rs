//! Up to which revision no record is missing.
//!
//! Each transaction has the next main revision and numbers its changes from 0. So above the compaction the revisions
//! have no gap, and a lost page of records leaves one. Two losses leave none: the last page of all, and the last
//! changes of a transaction, because the number of its changes is not stored. Example: 3.0, 3.1, 4.0 and 5.0 were
//! written. The loss of 3.1 or 5.0 leaves no gap; that of 3.0 or 4.0 does.

use super::revision::Revision;

/// Follows the revisions of a store in their order.
#[derive(Debug)]
pub(super) struct Completeness {
    /// Revisions up to here are not checked: a compaction removes most of them.
    compacted: i64,
    /// The last revision that was added.
    last: Revision,
    /// The newest complete revision before the first gap.
    before_gap: Option<i64>,
    /// The last main revision that was counted as missing. One with several gaps is counted once.
    counted: i64,
    /// How many main revisions are missing or incomplete.
    pub missing: u64,
}

impl Completeness {
    /// For a store that is compacted to a revision; 0 if it is not.
    pub fn new(compacted: i64) -> Self {
        // An empty store is at revision 1, so the first record has revision 2.
        let main = compacted.max(1);
        Self {
            compacted: main,
            last: Revision { main, sub: 0 },
            before_gap: None,
            counted: main,
            missing: 0,
        }
    }

    /// Adds the next revision. One that is not after the last one is ignored.
    pub fn add(&mut self, next: Revision) {
        if next.main <= self.compacted || next <= self.last {
            return;
        }
        let last = self.last;
        self.last = next;
        let is_same = next.main == last.main;
        // Which change of its transaction the next one has to be.
        let sub = if is_same {
            last.sub.saturating_add(1)
        } else {
            0
        };
        // The first main revision that is missing or incomplete.
        let first = if next.main > last.main.saturating_add(1) {
            last.main.saturating_add(1)
        } else if next.sub != sub {
            next.main
        } else {
            return;
        };
        // The main revision after the last one that is missing or incomplete.
        let end = if next.sub == sub {
            next.main
        } else {
            next.main.saturating_add(1)
        };
        self.before_gap = self.before_gap.or(Some(first.saturating_sub(1)));
        let first = first.max(self.counted.saturating_add(1));
        let count = end.saturating_sub(first).max(0);
        self.missing = self.missing.saturating_add(count.unsigned_abs());
        self.counted = self.counted.max(end.saturating_sub(1));
    }

    /// The newest main revision up to which nothing is missing.
    pub fn complete(&self) -> i64 {
        self.before_gap.unwrap_or(self.last.main)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(compacted: i64, revisions: &[(i64, i64)]) -> (i64, u64) {
        let mut completeness = Completeness::new(compacted);
        for (main, sub) in revisions {
            completeness.add(Revision {
                main: *main,
                sub: *sub,
            });
        }
        (completeness.complete(), completeness.missing)
    }

    #[test]
    fn a_store_without_a_gap_is_complete_to_its_newest_record() {
        assert_eq!(of(0, &[]), (1, 0));
        assert_eq!(of(0, &[(2, 0), (3, 0), (3, 1), (4, 0)]), (4, 0));
        assert_eq!(of(9, &[(3, 0), (7, 2), (10, 0), (11, 0)]), (11, 0));
        assert_eq!(of(9, &[(3, 0)]), (9, 0));
    }

    #[test]
    fn the_first_gap_ends_what_is_complete_and_all_gaps_are_counted() {
        assert_eq!(of(0, &[(2, 0), (5, 0), (8, 0)]), (2, 4));
        assert_eq!(of(0, &[(4, 0)]), (1, 2));
        assert_eq!(of(9, &[(12, 0)]), (9, 2));
        assert_eq!(
            of(0, &[(2, 0), (3, 1), (3, 3), (4, 0)]),
            (2, 1),
            "part of 3"
        );
        assert_eq!(of(0, &[(2, 0), (2, 2), (4, 0)]), (1, 2), "part of 2, and 3");
        assert_eq!(of(0, &[(2, 0), (5, 1)]), (2, 3), "3, 4, and part of 5");
    }
}
