//! Finds out quickly whether one of many ranges of revisions touches a given one. A damaged file may have as many lost
//! pages as gaps, so each range is not compared with each other one.

use crate::etcd::revision::Revision;

use super::LostRange;

/// Ranges by their first revision. A range without an end ends after all revisions.
pub(super) struct RangeIndex {
    /// The first revision of each range, ascending, with the last end of all ranges up to this one.
    ranges: Vec<(Revision, Revision)>,
}

/// The end of a range without one.
const OPEN: Revision = Revision {
    main: i64::MAX,
    sub: i64::MAX,
};

impl RangeIndex {
    /// An index of these ranges.
    pub(super) fn new<'l>(ranges: impl Iterator<Item = &'l LostRange>) -> Self {
        let ends = ranges.map(|range| (range.from, range.until.unwrap_or(OPEN)));
        let mut ranges: Vec<(Revision, Revision)> = ends.collect();
        ranges.sort_unstable();
        let mut last = Revision::default();
        for (_, end) in &mut ranges {
            last = last.max(*end);
            *end = last;
        }
        Self { ranges }
    }

    /// Whether a range begins before `before` and ends at or after `from`.
    pub(super) fn overlaps(&self, from: Revision, before: Revision) -> bool {
        let count = self.ranges.partition_point(|(start, _)| *start < before);
        self.reaches(count, from)
    }

    /// Whether a range overlaps another one, or one of both begins where the other ends.
    pub(super) fn touches(&self, range: &LostRange) -> bool {
        let latest = range.until.unwrap_or(OPEN);
        let count = self.ranges.partition_point(|(start, _)| *start <= latest);
        self.reaches(count, range.from)
    }

    /// Whether a range begins at a revision or earlier, and ends where another one ends or later.
    pub(super) fn covers_end_of(&self, range: &LostRange, latest: Revision) -> bool {
        let count = self.ranges.partition_point(|(start, _)| *start <= latest);
        self.reaches(count, range.until.unwrap_or(OPEN))
    }

    /// Whether one of the first ranges ends at or after a revision.
    fn reaches(&self, count: usize, from: Revision) -> bool {
        let last = count.checked_sub(1).and_then(|last| self.ranges.get(last));
        last.is_some_and(|(_, end)| *end >= from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::survey::LossReason;

    fn range(from: i64, until: Option<i64>) -> LostRange {
        let revision = |main| Revision { main, sub: 0 };
        LostRange {
            from: revision(from),
            until: until.map(revision),
            reason: LossReason::Numbers,
        }
    }

    #[test]
    fn an_index_answers_as_a_comparison_with_each_range() {
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            i64::try_from((random >> 33) % below).unwrap_or_default()
        };
        let mut found = [0, 0];
        for _ in 0..300 {
            let mut make = || {
                let from = next(60);
                let until = (next(10) > 0).then(|| from + next(6));
                range(from, until)
            };
            let ranges: Vec<LostRange> = (0..7).map(|_| make()).collect();
            let one = make();
            let index = RangeIndex::new(ranges.iter());
            let touches = ranges.iter().any(|range| range.touches(&one));
            assert_eq!(index.touches(&one), touches, "{one:?} {ranges:?}");
            let before = one.until.unwrap_or(OPEN);
            let overlaps = ranges
                .iter()
                .any(|gap| gap.from < before && gap.until.is_none_or(|end| end >= one.from));
            assert_eq!(index.overlaps(one.from, before), overlaps);
            found[usize::from(touches)] += 1;
        }
        assert!(found.iter().all(|count| *count > 20), "{found:?}");
    }
}
