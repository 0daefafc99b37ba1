//! The leaves of bucket `key` in the order of revisions. They come from the tree up to the first damage, and from a salvage
//! of the whole file after it.

use std::sync::Arc;

use crate::bbolt::page_set::PageSet as Pages;
use crate::bbolt::{
    Ahead, Bucket, Direction, Element, Leaf, Leaves, LookaheadTask, Prepare, Purpose, ReadLeaf,
    Slot, WalkedPages,
};
use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Severity};

use super::gaps::{GapCheck, Place};
use super::made::Made;
use super::record::{Origin, Record, not_a_revision};
use super::salvage::{Salvage, SalvagedLeaves};
use super::schema;

/// The records of one leaf. An invalid element is reported.
pub fn leaf_records<'a>(
    leaf: &Leaf<'a>,
    direction: Direction,
    diagnostics: &'a Diagnostics,
) -> impl Iterator<Item = Record<'a>> + use<'a> {
    leaf_records_with_bytes(leaf, direction, diagnostics).map(|(record, _)| record)
}

/// The records of one leaf, each with the element that stores it. An invalid element is reported.
pub(super) fn leaf_records_with_bytes<'a>(
    leaf: &Leaf<'a>,
    direction: Direction,
    diagnostics: &'a Diagnostics,
) -> impl Iterator<Item = (Record<'a>, Element<'a>)> + use<'a> {
    let page = leaf.page;
    let origin = Origin::from_leaf(leaf);
    leaf.elements(direction)
        .filter_map(move |element| match Record::parse(&page, &element) {
            Ok((record, contradiction)) => {
                contradiction
                    .into_iter()
                    .for_each(|finding| diagnostics.report(finding));
                Some((Record { origin, ..record }, element))
            }
            Err(finding) => {
                diagnostics.report(finding);
                None
            }
        })
}

/// The first and the last record of an intact leaf in the direction of the walk, if no revision is missing between them.
type Ends = Option<(Place, Place)>;

/// How the leaves of a bucket are checked ahead.
#[derive(Debug, Clone, Copy)]
struct AheadCheck {
    direction: Direction,
    /// The compacted revision, in bucket `key`.
    compacted: Option<i64>,
}

/// A leaf with more elements is not checked ahead: what is made of it would take more memory than it is worth.
const MOST_ELEMENTS: usize = 4096;

/// From so many leaves on a pass uses all cores.
const PASS_LEAVES: usize = 256;

impl AheadCheck {
    /// Checks a leaf, and makes of it what the user needs. `None` if something about it has to be reported.
    fn of_leaf<'c, 'a, C>(
        self,
        read: &ReadLeaf<'c, 'a>,
        make: impl Fn(&ReadLeaf<'c, 'a>) -> Option<C>,
    ) -> Option<(Ends, C)> {
        let leaf = &read.leaf;
        if leaf.page.usable_count() > MOST_ELEMENTS {
            return None;
        }
        let ends = match self.compacted {
            Some(compacted) => self.ends(leaf, compacted)?,
            None => None,
        };
        Some((ends, make(read)?))
    }

    /// See [`Ends`]. `None` if an element is not a record.
    fn ends(self, leaf: &Leaf<'_>, compacted: i64) -> Option<Ends> {
        let mut ends: Ends = None;
        let mut is_without_gap = true;
        for element in leaf.elements(self.direction) {
            let place = Place::from_element(&leaf.page, &element).ok()?;
            if element.flags != 0 {
                return None;
            }
            let (first, last) = ends.unwrap_or((place, place));
            let (older, newer) = match self.direction {
                Direction::Forward => (last, place),
                Direction::Backward => (place, last),
            };
            is_without_gap &= ends.is_none()
                || GapCheck::is_without_gap(compacted, older.revision, newer.revision);
            ends = Some((first, place));
        }
        Some(ends.filter(|_| is_without_gap))
    }
}

/// The source of the leaves.
enum LeafSource<'a> {
    /// The walk through a tree.
    Tree(Box<Leaves<'a>>),
    /// The rest of a salvage.
    Salvaged(SalvagedLeaves<'a>),
}

/// The walk through the leaves of a bucket. In bucket `key` it also checks for missing revisions, and changes to the salvage
/// before it returns a leaf at or after which records may be missing.
struct LeafWalk<'a> {
    from: LeafSource<'a>,
    direction: Direction,
    gaps: Option<GapCheck>,
    /// The salvage; only in bucket `key`.
    salvage: Option<Arc<Salvage<'a>>>,
    /// The pages of the tree that were already returned.
    delivered: Pages,
    ahead: AheadCheck,
    diagnostics: &'a Diagnostics,
}

impl<'a> LeafWalk<'a> {
    /// The leaves of a bucket other than `key`.
    fn from_bucket(
        bucket: &Bucket<'a>,
        direction: Direction,
        diagnostics: &'a Diagnostics,
    ) -> Self {
        Self {
            from: LeafSource::Tree(Box::new(bucket.leaves(diagnostics, direction))),
            direction,
            gaps: None,
            salvage: None,
            delivered: Pages::default(),
            ahead: AheadCheck {
                direction,
                compacted: None,
            },
            diagnostics,
        }
    }

    /// The leaves of bucket `key`.
    fn from_records(salvage: &Arc<Salvage<'a>>, direction: Direction) -> Self {
        let diagnostics = salvage.diagnostics();
        salvage.begin_pass();
        let mut leaves = Self::from_bucket(salvage.bucket(), direction, diagnostics);
        leaves.gaps = salvage.gap_check(direction);
        leaves.ahead.compacted = leaves.gaps.as_ref().map(GapCheck::compacted);
        leaves.salvage = Some(Arc::clone(salvage));
        if !salvage.has_tree() {
            leaves.switch_to_salvage();
        } else if direction == Direction::Backward && salvage.lacks_an_end() {
            salvage.leaves(Direction::Forward).for_each(drop);
            leaves.switch_to_salvage();
        }
        leaves
    }

    /// Continues with the salvage. False if that was done before, or if nothing has to be salvaged.
    fn switch_to_salvage(&mut self) -> bool {
        let (LeafSource::Tree(_), Some(salvage)) = (&self.from, &self.salvage) else {
            return false;
        };
        let Some(rest) = salvage.remaining(self.direction, &mut self.delivered) else {
            return false;
        };
        self.from = LeafSource::Salvaged(rest);
        true
    }

    /// The findings about a leaf of records, and about what is missing before it. `ends` is of an intact leaf.
    fn check(&mut self, leaf: &Leaf<'a>, ends: Ends) -> Vec<Damage> {
        let Some(gaps) = &mut self.gaps else {
            return Vec::new();
        };
        if let Some((first, last)) = ends {
            let found = gaps.next(first);
            gaps.pass_to(last);
            return found.into_iter().collect();
        }
        let mut findings = Vec::new();
        let page = &leaf.page;
        for element in leaf.elements(self.direction) {
            if element.flags != 0 {
                findings.push(
                    Diagnostic::new(
                        Code::ElementFlags,
                        page.locus().element(element.index).bucket(schema::KEY),
                    )
                    .expected("0, a record", format!("0x{:x}", element.flags))
                    .effect("it is read as a record"),
                );
            }
            match Place::from_element(page, &element) {
                Ok(place) => findings.extend(gaps.next(place)),
                Err(error) => findings.push(not_a_revision(page, &element, error)),
            }
        }
        findings
    }

    /// Ends the walk, and reports revisions that are missing after the last leaf.
    fn finish(&mut self) {
        let found = self.gaps.take().map(|mut gaps| gaps.finish());
        let found = found.into_iter().flatten();
        self.report(found.map(|finding| self.as_lost_after_salvage(finding)));
    }

    fn report(&self, findings: impl IntoIterator<Item = Damage>) {
        findings
            .into_iter()
            .for_each(|finding| self.diagnostics.report(finding));
    }

    /// Changes the code of a gap after a salvage: a gap in a tree shows a tree of two states, but records that are still
    /// missing after a salvage are lost.
    fn as_lost_after_salvage(&self, mut finding: Damage) -> Damage {
        if finding.code == Code::RevisionGap && matches!(self.from, LeafSource::Salvaged(_)) {
            finding.code = Code::RecordsLost;
        }
        finding
    }

    /// The next leaf, with its slot if it was checked ahead. `ends_of` returns the ends of such a leaf.
    fn next(
        &mut self,
        ends_of: &(dyn Fn(Slot) -> Option<Ends> + Sync),
    ) -> Option<(Leaf<'a>, Option<Slot>)> {
        loop {
            let (placed, damaged) = match &mut self.from {
                LeafSource::Tree(leaves) => {
                    let placed = leaves.next_of_walk();
                    let placed = placed.map(|placed| (placed.leaf.leaf, placed.slot));
                    (placed, leaves.is_damaged())
                }
                LeafSource::Salvaged(rest) => (rest.next().map(|leaf| (leaf, None)), false),
            };
            if damaged && self.switch_to_salvage() {
                continue;
            }
            let Some((leaf, slot)) = placed else {
                let missing = self.gaps.as_mut().map(GapCheck::at_the_end);
                let missing = missing.filter(|missing| !missing.is_empty());
                if let (Some(missing), LeafSource::Tree(_)) = (missing, &self.from) {
                    self.report(missing);
                    if self.switch_to_salvage() {
                        continue;
                    }
                }
                self.finish();
                return None;
            };
            let mark = self.gaps.as_ref().map(GapCheck::mark);
            let ends = slot.and_then(ends_of).flatten();
            let findings = self.check(&leaf, ends);
            let findings = findings
                .into_iter()
                .map(|finding| self.as_lost_after_salvage(finding));
            let findings: Vec<Damage> = findings.collect();
            let hides = |finding: &Damage| finding.code.severity() == Severity::Error;
            let hidden = findings.iter().any(hides);
            self.report(findings);
            if hidden && self.switch_to_salvage() {
                if let (Some(gaps), Some(mark)) = (&mut self.gaps, mark) {
                    gaps.rewind(mark);
                }
                continue;
            }
            if let Some(salvage) = &self.salvage {
                salvage.pass_leaf(&leaf);
                if leaf.reached {
                    self.delivered.insert(leaf.page.pgid.0);
                }
            }
            return Some((leaf, slot));
        }
    }

    /// A task that checks the next leaves of the tree ahead.
    fn look_ahead(&mut self, least: usize) -> Option<LookaheadTask<'a>> {
        match &mut self.from {
            LeafSource::Tree(leaves) => leaves.look_ahead(least),
            LeafSource::Salvaged(_) => None,
        }
    }

    fn add_ahead(&mut self, ready: Vec<Vec<Ahead<'a>>>) {
        if let LeafSource::Tree(leaves) = &mut self.from {
            leaves.add_ahead(ready);
        }
    }

    /// Whether the next leaf of the tree is not checked ahead.
    fn needs_lookahead(&self) -> bool {
        match &self.from {
            LeafSource::Tree(leaves) => leaves.needs_lookahead(),
            LeafSource::Salvaged(_) => false,
        }
    }

    /// Visits all leaves in their order. While they are visited, the next ones are checked on the other cores.
    fn visit(&mut self, user: &mut LeafUser<'_, 'a>) {
        // All of it runs on the threads of the pool, so that none has to be woken for each batch.
        rayon::scope(|_| {
            let prepare = user.prepare;
            let first = self.look_ahead(PASS_LEAVES);
            let mut ready = first.map(|task| task.run(Purpose::Passing, prepare));
            loop {
                self.add_ahead(ready.take().unwrap_or_default());
                let next = self.look_ahead(PASS_LEAVES);
                let has_more = next.is_some();
                let (made, has_ended) = rayon::join(
                    || next.map(|task| task.run(Purpose::Passing, prepare)),
                    || self.visit_ready(has_more, user),
                );
                if has_ended {
                    break;
                }
                ready = made;
            }
        });
    }

    /// Visits leaves up to the end of those that are ready, or if there are no more, up to the end of the walk. Returns
    /// whether it has ended.
    fn visit_ready(&mut self, has_more: bool, user: &mut LeafUser<'_, 'a>) -> bool {
        loop {
            if has_more && self.needs_lookahead() {
                return false;
            }
            match self.next(user.ends_of) {
                Some((leaf, slot)) => (user.visit)(&leaf, slot),
                None => return true,
            }
        }
    }
}

/// What is done with the leaves of a walk.
struct LeafUser<'u, 'a> {
    /// Called on all cores with each leaf that is checked ahead.
    prepare: &'u Prepare<'u, 'a>,
    /// The ends of a leaf that was checked ahead.
    ends_of: &'u (dyn Fn(Slot) -> Option<Ends> + Sync),
    /// Called with each leaf in their order.
    visit: &'u mut (dyn FnMut(&Leaf<'a>, Option<Slot>) + Send),
}

/// Iterator over the leaves of a bucket; in bucket `key` with the check for
/// missing revisions, and with the salvage after damage. `C` is what its user makes of each intact leaf.
pub struct RecordLeaves<'a, C = ()> {
    walk: LeafWalk<'a>,
    made: Made<(Ends, C)>,
}

impl<'a, C> RecordLeaves<'a, C> {
    /// The leaves of a bucket other than `key`.
    pub(super) fn from_bucket(
        bucket: &Bucket<'a>,
        direction: Direction,
        diagnostics: &'a Diagnostics,
    ) -> Self {
        Self {
            walk: LeafWalk::from_bucket(bucket, direction, diagnostics),
            made: Made::default(),
        }
    }

    /// The leaves of bucket `key`.
    pub(super) fn from_records(salvage: &Arc<Salvage<'a>>, direction: Direction) -> Self {
        Self {
            walk: LeafWalk::from_records(salvage, direction),
            made: Made::default(),
        }
    }
}

impl<'a, C: Send> RecordLeaves<'a, C> {
    /// The next leaf, with what was made of it. If none is ready, the next ones are checked on all cores.
    pub(super) fn next_made(
        &mut self,
        make: impl Fn(&Leaf<'a>) -> Option<C> + Sync,
    ) -> Option<(Leaf<'a>, Option<C>)> {
        let (made, ahead) = (&self.made, self.walk.ahead);
        if self.walk.needs_lookahead()
            && let Some(task) = self.walk.look_ahead(1)
        {
            let make = |read: &ReadLeaf<'_, 'a>| make(&read.in_map());
            let ready = task.run(Purpose::Keeping, &|slot, leaf| {
                made.make(slot, || ahead.of_leaf(leaf, make))
            });
            self.walk.add_ahead(ready);
        }
        let (leaf, slot) = self.walk.next(&|slot| made.get(slot, |(ends, _)| *ends))?;
        let content = slot.and_then(|slot| made.take(slot));
        Some((leaf, content.map(|(_, content)| content)))
    }

    /// Visits all leaves in their order. While they are visited, the next ones are read and checked, and `make` is called
    /// with them, on the other cores. Returns the pages of the tree if it has all leaves, so that nothing was salvaged.
    pub(super) fn visit(
        mut self,
        make: impl Fn(&ReadLeaf<'_, 'a>) -> Option<C> + Sync,
        mut visit: impl FnMut(&Leaf<'a>, Option<C>) + Send,
    ) -> Option<WalkedPages> {
        let (made, ahead) = (&self.made, self.walk.ahead);
        let mut user = LeafUser {
            prepare: &|slot, leaf| made.make(slot, || ahead.of_leaf(leaf, &make)),
            ends_of: &|slot| made.get(slot, |(ends, _)| *ends),
            visit: &mut |leaf, slot| {
                let content = slot.and_then(|slot| made.take(slot));
                visit(leaf, content.map(|(_, content)| content));
            },
        };
        self.walk.visit(&mut user);
        match self.walk.from {
            LeafSource::Tree(leaves) => Some(leaves.into_walked_pages()),
            LeafSource::Salvaged(_) => None,
        }
    }
}

impl<'a> Iterator for RecordLeaves<'a> {
    type Item = Leaf<'a>;

    fn next(&mut self) -> Option<Leaf<'a>> {
        self.next_made(|_| Some(())).map(|(leaf, _)| leaf)
    }
}
