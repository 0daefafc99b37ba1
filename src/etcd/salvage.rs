//! The records of a damaged file: those in the tree, and those that only a scan of the pages finds.
//!
//! bbolt does not clear freed pages, so a scan also finds records that were compacted long ago. [`merge`] decides which of
//! them are part of the state:
//!
//! - Above the compacted revision every record is part of the state, because etcd keeps all of them.
//! - At or below it, a record was compacted if an intact page covers its revision and does not have it. This is certain
//!   because records are only ever added at the end, and only a compaction removes them.
//! - At or below it, if no intact page covers its revision, the record is doubtful. It is left out, unless a compaction
//!   would have kept it and its page may be the current one.
//!
//! Example: history is compacted at 500. The leaf page for revisions 300 to 400 is destroyed. The scan finds revision 350
//! in a freed page, and revision 200 in another one. The intact leaf for 100 to 299 lacks 200, so 200 was compacted. No
//! intact page covers 350, so it is doubtful: it may be the live value of its key, or it may have been compacted.
//!
//! **Invariant:** one record per revision, in the order of revisions, each with its [`super::record::Origin`]. The file is
//! scanned at most once, at the first damage. An intact file is never scanned.

mod agreement;
mod lazy_scan;
mod load;
mod merge;
pub(super) mod root;

use std::sync::{Arc, OnceLock};

use crate::bbolt::meta::NO_FREELIST;
use crate::bbolt::page_set::PageSet;
use crate::bbolt::{Bucket, Db, Direction, Freelist, Leaf, Leaves, Pgid};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::plural::plural;
use crate::source::Source;

use super::gaps::{GapCheck, Place};
use super::schema::MetaBucket;

pub(super) use lazy_scan::LazyScan;
use merge::{Merged, Part};

/// The salvage of bucket `key`: its inputs and its result.
#[derive(Debug)]
pub(super) struct Salvage<'a> {
    bucket: Bucket<'a>,
    source: Option<&'a Source>,
    /// Bytes of the pages that the state uses; 0 if that is not known.
    bytes_in_use: u64,
    scan: Arc<LazyScan<'a>>,
    diagnostics: &'a Diagnostics,
    meta: MetaBucket,
    /// Whether bucket `meta` could be read at all.
    knows_compaction: bool,
    /// Whether the root is the one of the current state.
    current: bool,
    /// Whether the pages may be scanned.
    may_scan: bool,
    merged: OnceLock<Merged<'a>>,
}

/// How many bytes the pages have that the state uses, by its high-water mark and its freelist; 0 if that is not known.
fn bytes_in_use(db: &Db<'_>) -> u64 {
    let (meta, pages) = (db.meta(), db.pages());
    if meta.freelist == NO_FREELIST {
        return 0;
    }
    let free = Freelist::read(&pages, Pgid(meta.freelist));
    let free = free.map_or(0, |free| free.len() as u64);
    let used = meta.high_water_mark.saturating_sub(free).min(pages.count());
    used.saturating_mul(pages.page_size() as u64)
}

impl<'a> Salvage<'a> {
    /// A salvage of this bucket. `current` is whether its root is that of the requested state.
    pub(super) fn new(
        db: &Db<'a>,
        bucket: &Bucket<'a>,
        meta: Option<&MetaBucket>,
        current: bool,
        scan: Arc<LazyScan<'a>>,
    ) -> Self {
        Self {
            bucket: bucket.clone(),
            source: db.source(),
            bytes_in_use: bytes_in_use(db),
            scan,
            diagnostics: db.diagnostics(),
            meta: meta.cloned().unwrap_or_default(),
            knows_compaction: meta.is_some(),
            current: current && bucket.is_present(),
            may_scan: true,
            merged: OnceLock::new(),
        }
    }

    /// The same without a scan: only the tree.
    pub(super) fn without_scan(&self) -> Self {
        Self {
            bucket: self.bucket.clone(),
            meta: self.meta.clone(),
            scan: Arc::clone(&self.scan),
            may_scan: false,
            merged: OnceLock::new(),
            ..*self
        }
    }

    pub(super) fn diagnostics(&self) -> &'a Diagnostics {
        self.diagnostics
    }

    /// Starts the count of bytes read by a pass over the leaves.
    pub(super) fn begin_pass(&self) {
        if let Some(source) = self.source {
            source.work().begin(self.bytes_in_use);
        }
    }

    /// Adds a leaf to the count of bytes read.
    pub(super) fn pass_leaf(&self, leaf: &Leaf<'a>) {
        if let Some(source) = self.source {
            source.work().add(leaf.page.run().len_bytes() as u64);
        }
    }

    /// Whether the tree is that of the state. If not, the scan comes first.
    pub(super) fn has_tree(&self) -> bool {
        self.current
    }

    /// The bucket that is salvaged.
    pub(super) fn bucket(&self) -> &Bucket<'a> {
        &self.bucket
    }

    pub(super) fn leaves(&self, direction: Direction) -> Leaves<'a> {
        self.bucket.leaves(self.diagnostics, direction)
    }

    /// Whether revisions are missing before the first record of the tree or after its last one. A backward walk would notice
    /// this only at its end.
    pub(super) fn lacks_an_end(&self) -> bool {
        let Some(mut gaps) = self.gap_check(Direction::Forward) else {
            return false;
        };
        let first = self.place_at(Direction::Forward);
        let late = first.is_some_and(|first| gaps.next(first).is_some());
        let last = self.place_at(Direction::Backward);
        late || last.is_some_and(|last| {
            // The records between them do not matter here.
            gaps.next(last);
            !gaps.finish().is_empty()
        })
    }

    /// The first record of the tree in this direction.
    fn place_at(&self, direction: Direction) -> Option<Place> {
        let leaf = self.leaves(direction).next()?;
        let element = leaf.elements(direction).next()?;
        Place::from_element(&leaf.page, &element).ok()
    }

    /// `None` if the compacted revision is unknown.
    pub(super) fn gap_check(&self, direction: Direction) -> Option<GapCheck> {
        self.knows_compaction
            .then(|| GapCheck::new(&self.meta, self.bucket.locus.clone(), direction))
    }

    /// The result. As in [`LazyScan::get`], it is computed before the lock is taken.
    fn merged(&self) -> &Merged<'a> {
        if let Some(merged) = self.merged.get() {
            return merged;
        }
        let begun = self.knows_compaction.then(|| self.meta.compact_revision());
        let (leaves, one_state) =
            load::read_leaves(self.leaves(Direction::Forward), begun, self.scan.get());
        let compaction = self.knows_compaction.then(|| self.meta.compaction());
        let is_current = self.current && one_state;
        let merged = merge::merge(leaves, compaction, is_current, self.diagnostics);
        self.report(&merged);
        self.merged.get_or_init(|| merged)
    }

    fn report(&self, merged: &Merged<'a>) {
        let report = |code, records: usize, which: &str, effect| {
            if records > 0 {
                self.diagnostics.report(
                    Diagnostic::new(code, self.bucket.locus.clone())
                        .found(format!("{} {which}", plural(records, "record", "records")))
                        .effect(effect),
                );
            }
        };
        report(
            Code::RecordsUnreached,
            merged.unreached,
            "of this state in pages that its tree lacks, among revisions that it covers",
            "the tree has pages of two states",
        );
        report(
            Code::RecordsSalvaged,
            merged.found,
            "by a scan, in pages that the tree does not reach",
            "they are part of this answer; others may be lost",
        );
        report(
            Code::RecordsDoubtful,
            merged.left_out,
            "at or below the compaction, only in freed pages",
            "it is unknown whether they were compacted: they are left out",
        );
        report(
            Code::RecordsBeyond,
            merged.beyond,
            "above the newest revision of the tree, in pages that it does not reach",
            "a commit that was not finished when the file was copied, or its meta page is lost",
        );
    }

    /// Number of records, including those that the tree lacks.
    pub(super) fn salvaged_records(&self) -> usize {
        self.merged().parts.iter().map(Part::len).sum()
    }

    /// Whether there are records, including doubtful ones.
    pub(super) fn has_records(&self) -> bool {
        self.salvaged_records() > 0 || self.merged().left_out > 0
    }

    /// The leaves that the tree has not returned yet, in the given direction; `None` if scanning is not allowed.
    pub(super) fn remaining(
        self: &Arc<Self>,
        direction: Direction,
        delivered: &mut PageSet,
    ) -> Option<SalvagedLeaves<'a>> {
        let merged = self.may_scan.then(|| self.merged())?;
        Some(SalvagedLeaves {
            salvage: Arc::clone(self),
            direction,
            next: 0,
            left: merged.parts.len(),
            delivered: std::mem::take(delivered),
        })
    }
}

/// Iterator over the leaves of a salvage that the tree has not returned before.
pub(super) struct SalvagedLeaves<'a> {
    salvage: Arc<Salvage<'a>>,
    direction: Direction,
    /// The next part, in forward direction.
    next: usize,
    left: usize,
    /// The pages of the tree that were already returned in full.
    delivered: PageSet,
}

impl<'a> Iterator for SalvagedLeaves<'a> {
    type Item = Leaf<'a>;

    fn next(&mut self) -> Option<Leaf<'a>> {
        let merged = self.salvage.merged();
        loop {
            self.left = self.left.checked_sub(1)?;
            let place = match self.direction {
                Direction::Forward => self.next,
                Direction::Backward => self.left,
            };
            self.next = self.next.saturating_add(1);
            let leaf = merged.leaf(merged.parts.get(place)?)?;
            if !leaf.reached || !self.delivered.contains(leaf.page.pgid.0) {
                return Some(leaf);
            }
        }
    }
}
