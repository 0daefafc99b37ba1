//! The store: its buckets, its revisions, and all its records in either direction.

use crate::Error;
use crate::bbolt::{Bucket, Db, Direction, Leaf, Leaves};
use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Locus};
use crate::source::Source;

use super::record::{Record, not_a_revision};
use super::revision::{BucketKey, Revision};
use super::schema::{self, MetaBucket};

/// An etcd backend in an open file.
#[derive(Debug)]
pub struct Store<'a> {
    db: Db<'a>,
    buckets: Vec<Bucket<'a>>,
    meta: MetaBucket,
}

/// A revision that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtRevision(pub i64);

impl AtRevision {
    /// As of all that is there. In a torn copy the newest record need not be the last.
    pub const HEAD: Self = Self(i64::MAX);
}

/// Why a revision cannot be asked for. The texts are etcd's own (`server/storage/mvcc/kvstore.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RevisionUnavailable {
    /// It lies below the compaction.
    #[error(
        "required revision has been compacted: {asked} is below the compacted revision {compacted}"
    )]
    Compacted {
        /// What was asked for.
        asked: i64,
        /// The oldest revision that can be.
        compacted: i64,
    },
    /// It lies above the newest.
    #[error(
        "required revision is a future revision: {asked} is above the store's revision {current}"
    )]
    Future {
        /// What was asked for.
        asked: i64,
        /// The newest revision.
        current: i64,
    },
}

impl<'a> Store<'a> {
    /// Opens the backend in an evidence file.
    ///
    /// # Errors
    /// When the file holds no usable meta page.
    pub fn open(source: &'a Source, diagnostics: &'a Diagnostics) -> Result<Self, Error> {
        Ok(Self::of_db(Db::open(source, diagnostics)?))
    }

    /// The backend in an open database.
    pub fn of_db(db: Db<'a>) -> Self {
        let buckets = db.buckets();
        let diagnostics = db.diagnostics();
        let root = Locus::page(db.meta().root.0, db.pages().offset_of(db.meta().root));
        let find = |name: &[u8]| buckets.iter().find(|bucket| bucket.name == name);
        let meta = find(schema::META)
            .map(|bucket| MetaBucket::read(bucket, diagnostics))
            .unwrap_or_default();
        let foreign = is_foreign(&buckets);
        for name in [schema::KEY, schema::META] {
            if find(name).is_none() && !foreign {
                diagnostics.report(
                    Diagnostic::new(Code::BucketMissing, root.clone().bucket(name))
                        .found("no such bucket in the root")
                        .effect("either this is no etcd database, or its root page belongs to another state"),
                );
            }
        }
        let (scheduled, finished) = (
            meta.scheduled_compact_revision,
            meta.finished_compact_revision,
        );
        if scheduled.unwrap_or_default() > finished.unwrap_or_default() {
            diagnostics.report(
                Diagnostic::new(
                    Code::CompactionInterrupted,
                    Locus::default().bucket(schema::META),
                )
                .found(format!(
                    "scheduled to revision {}, finished to {}",
                    scheduled.unwrap_or_default(),
                    finished.unwrap_or_default()
                )),
            );
        }
        Self { db, buckets, meta }
    }

    /// The database file.
    pub fn db(&self) -> &Db<'a> {
        &self.db
    }

    /// Whether this is another program's bbolt database: it has buckets, and none is etcd's.
    pub fn is_foreign(&self) -> bool {
        is_foreign(&self.buckets)
    }

    /// All buckets, in key order.
    pub fn buckets(&self) -> &[Bucket<'a>] {
        &self.buckets
    }

    /// The bucket of this name.
    pub fn bucket(&self, name: &[u8]) -> Option<&Bucket<'a>> {
        self.buckets.iter().find(|bucket| bucket.name == name)
    }

    /// What bucket `meta` says.
    pub fn meta(&self) -> &MetaBucket {
        &self.meta
    }

    /// The revision up to which history may be gone; 0 for none.
    pub fn compact_revision(&self) -> i64 {
        self.meta.compact_revision()
    }

    /// The newest revision: the largest main of a record, or the compacted revision where nothing
    /// was written since; 1 for an empty store.
    pub fn current_revision(&self) -> i64 {
        let newest = self
            .records(Direction::Backward)
            .next()
            .map_or(0, |record| record.revision.main);
        newest.max(self.compact_revision()).max(1)
    }

    /// The revision to answer for: `asked`, or the current one.
    ///
    /// # Errors
    /// As etcd: a revision below the compaction, or above the newest.
    pub fn at(&self, asked: Option<i64>) -> Result<AtRevision, RevisionUnavailable> {
        let Some(asked) = asked else {
            return Ok(AtRevision::HEAD);
        };
        let current = self.current_revision();
        let compacted = self.compact_revision();
        if asked > current {
            return Err(RevisionUnavailable::Future { asked, current });
        }
        if asked < compacted {
            return Err(RevisionUnavailable::Compacted { asked, compacted });
        }
        Ok(AtRevision(asked))
    }

    /// The leaves of bucket `key`, with the check that no main revision is missing. Leaves are
    /// independent of each other: what is asked of their records can be asked in parallel.
    pub fn record_leaves(&self, direction: Direction) -> RecordLeaves<'a> {
        let leaves = self
            .bucket(schema::KEY)
            .map(|bucket| bucket.leaves(self.db.diagnostics(), direction));
        self.checked(leaves, true, direction)
    }

    /// The leaves of a bucket; those of bucket `key` with that check.
    pub fn leaves_of(&self, bucket: &Bucket<'a>, direction: Direction) -> RecordLeaves<'a> {
        let leaves = bucket.leaves(self.db.diagnostics(), direction);
        self.checked(Some(leaves), bucket.name == schema::KEY, direction)
    }

    fn checked(
        &self,
        leaves: Option<Leaves<'a>>,
        gaps: bool,
        direction: Direction,
    ) -> RecordLeaves<'a> {
        // A bucket that is not there has been reported.
        let gaps = gaps && leaves.is_some();
        RecordLeaves {
            leaves,
            direction,
            gaps: gaps.then_some(GapCheck {
                compacted: self.compact_revision(),
                keeps_head: self.meta.storage_version.is_some(),
                bucket: self
                    .bucket(schema::KEY)
                    .map(|bucket| bucket.locus.clone())
                    .unwrap_or_default(),
                previous: None,
                newest: None,
                direction,
            }),
            diagnostics: self.db.diagnostics(),
        }
    }

    /// Every record of bucket `key`, oldest or newest first.
    pub fn records(&self, direction: Direction) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let diagnostics = self.db.diagnostics();
        self.record_leaves(direction)
            .flat_map(move |leaf| leaf_records(&leaf, direction, diagnostics))
    }
}

fn is_foreign(buckets: &[Bucket<'_>]) -> bool {
    !buckets.is_empty()
        && !buckets
            .iter()
            .any(|bucket| schema::BUCKETS.contains(&bucket.name))
}

/// The records of one leaf; what is no record is reported.
pub fn leaf_records<'a>(
    leaf: &Leaf<'a>,
    direction: Direction,
    diagnostics: &'a Diagnostics,
) -> impl Iterator<Item = Record<'a>> + use<'a> {
    let page = leaf.page;
    leaf.elements(direction)
        .filter_map(move |element| match Record::parse(&page, &element) {
            Ok((record, contradiction)) => {
                contradiction
                    .into_iter()
                    .for_each(|finding| diagnostics.report(finding));
                Some(record)
            }
            Err(finding) => {
                diagnostics.report(finding);
                None
            }
        })
}

/// Iterator over the leaves of a bucket; over those of bucket `key` it looks for missing revisions.
pub struct RecordLeaves<'a> {
    leaves: Option<Leaves<'a>>,
    direction: Direction,
    gaps: Option<GapCheck>,
    diagnostics: &'a Diagnostics,
}

impl<'a> Iterator for RecordLeaves<'a> {
    type Item = Leaf<'a>;

    fn next(&mut self) -> Option<Leaf<'a>> {
        let Some(leaf) = self.leaves.as_mut().and_then(Iterator::next) else {
            // Backwards, the oldest record comes last: what is missing before it shows only now.
            let found = self.gaps.take().map(|mut gaps| gaps.finish());
            found
                .into_iter()
                .flatten()
                .for_each(|finding| self.diagnostics.report(finding));
            return None;
        };
        let Some(gaps) = &mut self.gaps else {
            return Some(leaf);
        };
        for element in leaf.elements(self.direction) {
            if element.flags != 0 {
                self.diagnostics.report(
                    Diagnostic::new(
                        Code::ElementFlags,
                        leaf.page.locus().element(element.index).bucket(schema::KEY),
                    )
                    .expected("0, a record", format!("0x{:x}", element.flags))
                    .effect("it is taken for a record"),
                );
            }
            let finding = match BucketKey::parse(element.key) {
                Ok(key) => gaps.next(Place {
                    revision: key.revision,
                    pgid: leaf.page.pgid.0,
                    page_offset: leaf.page.run().offset(),
                    element: element.index,
                }),
                Err(error) => Some(not_a_revision(&leaf.page, &element, error)),
            };
            finding
                .into_iter()
                .for_each(|finding| self.diagnostics.report(finding));
        }
        Some(leaf)
    }
}

/// A revision and where it stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    revision: Revision,
    pgid: u64,
    page_offset: u64,
    element: usize,
}

/// Every transaction takes exactly one main revision and numbers its changes from 0, so above the
/// compaction nothing can be missing: a gap tells a torn copy or lost pages. A gap is placed at the
/// revision behind it, whichever way the walk goes.
struct GapCheck {
    compacted: i64,
    /// Whether a compaction keeps what was written at its own revision, deletions included: so does 3.6,
    /// which is the first to write its storage version. Then something stands at that revision or above.
    keeps_head: bool,
    /// Where the bucket is named: the place of a finding about no record at all.
    bucket: Locus,
    previous: Option<Place>,
    newest: Option<Place>,
    direction: Direction,
}

impl GapCheck {
    fn next(&mut self, place: Place) -> Option<Damage> {
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

    /// What shows only at the end of a walk: what is missing before the oldest record where the walk
    /// went backwards, and that nothing is left at the revision of the last compaction.
    fn finish(&mut self) -> Vec<Damage> {
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
