//! The leaves of bucket `key` in the order of revisions. They come from the tree up to the first damage, and from a salvage
//! of the whole file after it.

use std::sync::Arc;

use crate::bbolt::page_set::PageSet as Pages;
use crate::bbolt::{Direction, Element, Leaf, Leaves};
use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Severity};

use super::gaps::{GapCheck, Place};
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

/// The source of the leaves.
enum LeafSource<'a> {
    /// The walk through a tree.
    Tree(Box<Leaves<'a>>),
    /// The rest of a salvage.
    Salvaged(SalvagedLeaves<'a>),
}

/// Iterator over the leaves of a bucket. In bucket `key` it also checks for missing revisions, and changes to the salvage
/// before it returns a leaf at or after which records may be missing.
pub struct RecordLeaves<'a> {
    from: LeafSource<'a>,
    direction: Direction,
    gaps: Option<GapCheck>,
    /// The salvage; only in bucket `key`.
    salvage: Option<Arc<Salvage<'a>>>,
    /// The pages of the tree that were already returned.
    delivered: Pages,
    diagnostics: &'a Diagnostics,
}

impl<'a> RecordLeaves<'a> {
    /// The leaves of a bucket other than `key`.
    pub(super) fn from_bucket(
        leaves: Leaves<'a>,
        direction: Direction,
        diagnostics: &'a Diagnostics,
    ) -> Self {
        Self {
            from: LeafSource::Tree(Box::new(leaves)),
            direction,
            gaps: None,
            salvage: None,
            delivered: Pages::default(),
            diagnostics,
        }
    }

    /// The leaves of bucket `key`.
    pub(super) fn from_records(salvage: &Arc<Salvage<'a>>, direction: Direction) -> Self {
        let diagnostics = salvage.diagnostics();
        salvage.begin_pass();
        let mut leaves = Self::from_bucket(salvage.leaves(direction), direction, diagnostics);
        leaves.gaps = salvage.gap_check(direction);
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

    /// The findings about a leaf of records, and about what is missing before it.
    fn check(&mut self, leaf: &Leaf<'a>) -> Vec<Damage> {
        let Some(gaps) = &mut self.gaps else {
            return Vec::new();
        };
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
}

impl<'a> Iterator for RecordLeaves<'a> {
    type Item = Leaf<'a>;

    fn next(&mut self) -> Option<Leaf<'a>> {
        loop {
            let (leaf, damaged) = match &mut self.from {
                LeafSource::Tree(leaves) => (leaves.next(), leaves.is_damaged()),
                LeafSource::Salvaged(rest) => (rest.next(), false),
            };
            if damaged && self.switch_to_salvage() {
                continue;
            }
            let Some(leaf) = leaf else {
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
            let findings = self.check(&leaf);
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
            return Some(leaf);
        }
    }
}
