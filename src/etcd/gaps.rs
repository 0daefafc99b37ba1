//! Checks that no main revision is missing above the compaction. This finds torn copies and lost pages even if every
//! page is intact.

use crate::bbolt::{Direction, Element, Page};
use crate::diag::{Code, Damage, Diagnostic, Locus};

use super::revision::{BucketKey, Revision, RevisionError};
use super::schema::{self, MetaBucket};

/// A revision and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) revision: Revision,
    pub(super) pgid: u64,
    pub(super) page_offset: u64,
    pub(super) element: usize,
}

impl Place {
    /// Of an element of bucket `key`.
    pub(super) fn from_element(
        page: &Page<'_>,
        element: &Element<'_>,
    ) -> Result<Self, RevisionError> {
        BucketKey::parse(element.key).map(|key| Self {
            revision: key.revision,
            pgid: page.pgid.0,
            page_offset: page.run().offset(),
            element: element.index,
        })
    }
}

/// A position in a walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(Option<Place>, Option<Place>);

/// Every transaction has exactly one main revision and numbers its changes from 0. So above the compaction there is no gap
/// in an intact store. A gap is reported at the revision after it, in both directions of the walk.
#[derive(Debug)]
pub(super) struct GapCheck {
    compacted: i64,
    /// Whether a compaction keeps the records of its own revision, including deletions. etcd 3.6 does, and it is the first
    /// version that writes a storage version. Then there is a record at that revision or above.
    keeps_head: bool,
    /// The place of the bucket's header, for a finding that is not about a record.
    bucket: Locus,
    previous: Option<Place>,
    newest: Option<Place>,
    direction: Direction,
}

impl GapCheck {
    /// A check for a store with this bucket `meta`. `bucket` is the place of the header of bucket `key`.
    pub(super) fn new(meta: &MetaBucket, bucket: Locus, direction: Direction) -> Self {
        Self {
            compacted: meta.compact_revision(),
            keeps_head: meta.storage_version.is_some(),
            bucket,
            previous: None,
            newest: None,
            direction,
        }
    }

    /// The compacted revision.
    pub(super) fn compacted(&self) -> i64 {
        self.compacted
    }

    /// What is missing after the last record if the walk ends here.
    pub(super) fn at_the_end(&mut self) -> Vec<Damage> {
        let mark = self.mark();
        let missing = self.finish();
        self.rewind(mark);
        missing
    }

    /// The current position of the walk.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.previous, self.newest)
    }

    /// Returns to an earlier position.
    pub(super) fn rewind(&mut self, mark: Mark) {
        Mark(self.previous, self.newest) = mark;
    }

    pub(super) fn next(&mut self, place: Place) -> Option<Damage> {
        if self
            .newest
            .is_none_or(|newest| newest.revision < place.revision)
        {
            self.newest = Some(place);
        }
        let previous = self.previous.replace(place);
        match (self.direction, previous) {
            (Direction::Forward, previous) => self.between(previous, place),
            (Direction::Backward, Some(newer)) => self.between(Some(place), newer),
            (Direction::Backward, None) => None,
        }
    }

    /// Skips to the last of several records in the direction of the walk. No revision is missing between them, and the
    /// first of them was added.
    pub(super) fn pass_to(&mut self, last: Place) {
        if self
            .newest
            .is_none_or(|newest| newest.revision < last.revision)
        {
            self.newest = Some(last);
        }
        self.previous = Some(last);
    }

    /// The findings that only the end of a walk shows: revisions missing before the oldest record after a backward walk, and a
    /// missing record at the compacted revision.
    pub(super) fn finish(&mut self) -> Vec<Damage> {
        let oldest = self
            .previous
            .take()
            .filter(|_| self.direction == Direction::Backward);
        let before_all = oldest.and_then(|oldest| self.between(None, oldest));
        let newest = self.newest.take();
        let head = newest.map_or(0, |newest| newest.revision.main);
        let no_head = (self.keeps_head && head < self.compacted).then(|| {
            let locus = newest.map_or_else(
                || self.bucket.clone(),
                |newest| Locus::page(newest.pgid, newest.page_offset).element(newest.element),
            );
            Diagnostic::new(Code::RevisionGap, locus.bucket(schema::KEY))
                .expected(
                    format!(
                        "a record at the compacted revision {} or above",
                        self.compacted
                    ),
                    format!("none above {head}"),
                )
                .effect("records are missing from this answer")
        });
        before_all.into_iter().chain(no_head).collect()
    }

    /// Whether nothing is missing between two revisions that follow each other in a leaf, above a compaction.
    pub(super) fn is_without_gap(compacted: i64, older: Revision, newer: Revision) -> bool {
        let is_next = newer.main == older.main.saturating_add(1) && newer.sub == 0;
        let is_same = newer.main == older.main && newer.sub == older.sub.saturating_add(1);
        newer.main <= compacted || is_next || is_same
    }

    fn between(&self, older: Option<Place>, newer: Place) -> Option<Damage> {
        let (older, place) = (older.map(|older| older.revision), newer);
        let newer = place.revision;
        if newer.main <= self.compacted {
            return None;
        }
        // Revision 1 is the empty store; the first write is revision 2.
        let older_main = older
            .map_or(0, |older| older.main)
            .max(self.compacted)
            .max(1);
        let older_sub = older
            .filter(|older| older.main == newer.main)
            .map(|older| older.sub);
        let missing = newer.main.saturating_sub(older_main);
        let expected_sub = older_sub.map_or(0, |sub| sub.saturating_add(1));
        let found = if missing > 1 {
            format!("nothing between revision {older_main} and {newer}")
        } else if newer.sub != expected_sub && (missing > 0 || older_sub.is_some()) {
            format!("{newer} where {}.{expected_sub} should be", newer.main)
        } else {
            return None;
        };
        Some(
            Diagnostic::new(
                Code::RevisionGap,
                Locus::page(place.pgid, place.page_offset)
                    .element(place.element)
                    .bucket(schema::KEY)
                    .revision(newer.main, newer.sub),
            )
            .expected("no gap in the revisions above the compaction", found)
            .effect("records are missing from this answer"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(compacted: i64, revisions: &[(i64, i64)]) -> usize {
        let count = |direction, list: &[(i64, i64)]| {
            let mut check = GapCheck {
                compacted,
                keeps_head: true,
                bucket: Locus::default(),
                previous: None,
                newest: None,
                direction,
            };
            let found = list
                .iter()
                .filter_map(|(main, sub)| {
                    check.next(Place {
                        revision: Revision {
                            main: *main,
                            sub: *sub,
                        },
                        pgid: 0,
                        page_offset: 0,
                        element: 0,
                    })
                })
                .count();
            found + check.finish().len()
        };
        let backward: Vec<_> = revisions.iter().rev().copied().collect();
        let forward = count(Direction::Forward, revisions);
        assert_eq!(
            forward,
            count(Direction::Backward, &backward),
            "both directions see the same"
        );
        forward
    }

    #[test]
    fn a_whole_store_has_no_gap() {
        assert_eq!(gaps(0, &[(2, 0), (3, 0), (3, 1), (4, 0)]), 0);
        assert_eq!(gaps(0, &[]), 0);
        assert_eq!(gaps(24, &[(3, 0), (24, 0)]), 0);
        assert_eq!(gaps(24, &[(3, 0), (9, 2), (24, 0), (25, 0), (26, 0)]), 0);
        assert_eq!(gaps(24, &[(3, 0), (9, 2), (25, 0)]), 0);
    }

    #[test]
    fn a_missing_transaction_or_change_is_a_gap() {
        assert_eq!(gaps(0, &[(2, 0), (4, 0)]), 1);
        assert_eq!(gaps(0, &[(3, 0)]), 1);
        assert_eq!(gaps(0, &[(2, 0), (3, 1)]), 1);
        assert_eq!(gaps(0, &[(2, 0), (2, 2)]), 1);
        assert_eq!(gaps(24, &[(3, 0), (26, 0)]), 1);
        assert_eq!(
            gaps(24, &[(3, 0), (20, 0)]),
            1,
            "nothing is left of the compacted revision"
        );
        assert_eq!(gaps(24, &[]), 1);
    }
}
