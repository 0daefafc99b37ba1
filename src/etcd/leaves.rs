//! The leaves of bucket `key` in the order of revisions, by the tree as long as it is sound, and from the first
//! damage on by what a salvage made of the whole file.

use std::sync::Arc;

use crate::bbolt::page_set::PageSet as Pages;
use crate::bbolt::{Direction, Leaf, Leaves};
use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Severity};

use super::gaps::{GapCheck, Place};
use super::record::{Origin, Record, not_a_revision};
use super::salvage::{Ground, Rest};
use super::schema;

/// The records of one leaf; what is no record is reported.
pub fn leaf_records<'a>(
    leaf: &Leaf<'a>,
    direction: Direction,
    diagnostics: &'a Diagnostics,
) -> impl Iterator<Item = Record<'a>> + use<'a> {
    let page = leaf.page;
    let origin = Origin::of(leaf);
    leaf.elements(direction)
        .filter_map(move |element| match Record::parse(&page, &element) {
            Ok((record, contradiction)) => {
                contradiction
                    .into_iter()
                    .for_each(|finding| diagnostics.report(finding));
                Some(Record { origin, ..record })
            }
            Err(finding) => {
                diagnostics.report(finding);
                None
            }
        })
}

/// Where the leaves come from.
enum Way<'a> {
    /// The walk through a tree.
    Tree(Box<Leaves<'a>>),
    /// What a salvage has from here on.
    Salvaged(Rest<'a>),
}

/// Iterator over the leaves of a bucket. Over those of bucket `key` it looks for missing revisions, and goes over
/// to the salvage before it delivers the first leaf at or behind which something may be missing.
pub struct RecordLeaves<'a> {
    way: Way<'a>,
    direction: Direction,
    gaps: Option<GapCheck>,
    /// Of bucket `key`.
    salvage: Option<Arc<Ground<'a>>>,
    /// The pages of the tree that were delivered.
    delivered: Pages,
    diagnostics: &'a Diagnostics,
}

impl<'a> RecordLeaves<'a> {
    /// Over the leaves of a bucket that is not `key`.
    pub(super) fn of_bucket(
        leaves: Leaves<'a>,
        direction: Direction,
        diagnostics: &'a Diagnostics,
    ) -> Self {
        Self {
            way: Way::Tree(Box::new(leaves)),
            direction,
            gaps: None,
            salvage: None,
            delivered: Pages::default(),
            diagnostics,
        }
    }

    /// Over those of bucket `key`.
    pub(super) fn of_records(ground: &Arc<Ground<'a>>, direction: Direction) -> Self {
        let diagnostics = ground.diagnostics();
        let mut leaves = Self::of_bucket(ground.leaves(direction), direction, diagnostics);
        leaves.gaps = ground.gap_check(direction);
        leaves.salvage = Some(Arc::clone(ground));
        if !ground.has_tree() {
            leaves.go_over();
        } else if direction == Direction::Backward && ground.lacks_an_end() {
            ground.leaves(Direction::Forward).for_each(drop);
            leaves.go_over();
        }
        leaves
    }

    /// From here on by the salvage; false where that was done before, or there is none.
    fn go_over(&mut self) -> bool {
        let (Way::Tree(_), Some(ground)) = (&self.way, &self.salvage) else {
            return false;
        };
        let Some(rest) = ground.rest(self.direction, &mut self.delivered) else {
            return false;
        };
        self.way = Way::Salvaged(rest);
        true
    }

    /// What is wrong with a leaf of records, or missing before it.
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
                    .effect("it is taken for a record"),
                );
            }
            match Place::of(page, &element) {
                Ok(place) => findings.extend(gaps.next(place)),
                Err(error) => findings.push(not_a_revision(page, &element, error)),
            }
        }
        findings
    }

    /// The end of the walk: what is missing behind the last leaf shows only now.
    fn finish(&mut self) {
        let found = self.gaps.take().map(|mut gaps| gaps.finish());
        let found = found.into_iter().flatten();
        self.report(found.map(|finding| self.told(finding)));
    }

    fn report(&self, findings: impl IntoIterator<Item = Damage>) {
        findings
            .into_iter()
            .for_each(|finding| self.diagnostics.report(finding));
    }

    /// A gap in a tree tells that it is not one state. What is missing after a salvage is lost.
    fn told(&self, mut finding: Damage) -> Damage {
        if finding.code == Code::RevisionGap && matches!(self.way, Way::Salvaged(_)) {
            finding.code = Code::RecordsLost;
        }
        finding
    }
}

impl<'a> Iterator for RecordLeaves<'a> {
    type Item = Leaf<'a>;

    fn next(&mut self) -> Option<Leaf<'a>> {
        loop {
            let (leaf, damaged) = match &mut self.way {
                Way::Tree(leaves) => (leaves.next(), leaves.is_damaged()),
                Way::Salvaged(rest) => (rest.next(), false),
            };
            if damaged && self.go_over() {
                continue;
            }
            let Some(leaf) = leaf else {
                let missing = self.gaps.as_mut().map(GapCheck::at_the_end);
                let missing = missing.filter(|missing| !missing.is_empty());
                if let (Some(missing), Way::Tree(_)) = (missing, &self.way) {
                    self.report(missing);
                    if self.go_over() {
                        continue;
                    }
                }
                self.finish();
                return None;
            };
            let mark = self.gaps.as_ref().map(GapCheck::mark);
            let findings = self.check(&leaf);
            let findings = findings.into_iter().map(|finding| self.told(finding));
            let findings: Vec<Damage> = findings.collect();
            let hides = |finding: &Damage| finding.code.severity() == Severity::Error;
            let hidden = findings.iter().any(hides);
            self.report(findings);
            if hidden && self.go_over() {
                if let (Some(gaps), Some(mark)) = (&mut self.gaps, mark) {
                    gaps.rewind(mark);
                }
                continue;
            }
            if self.salvage.is_some() && leaf.reached {
                self.delivered.insert(leaf.page.pgid.0);
            }
            return Some(leaf);
        }
    }
}
