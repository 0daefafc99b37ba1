//! Merges many leaves into one record per revision. [`super`] explains the rules with an example.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::ops::Range;

use crate::bbolt::{Direction, Element, Leaf};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::record::Record;
use crate::etcd::revision::Revision;
use crate::etcd::schema::Compaction;

use super::load::{RevisionRange, SalvageLeaf, is_certain};

/// Consecutive elements of one leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The number of the leaf.
    candidate: u32,
    start: u32,
    len: u32,
}

impl Part {
    pub fn len(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    pub fn indices(&self) -> Range<usize> {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        start..start.saturating_add(self.len())
    }
}

/// All records of the state, in the order of revisions.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    leaves: Vec<SalvageLeaf<'a>>,
    /// The result, in the order of revisions.
    pub parts: Vec<Part>,
    /// Number of records that the tree lacks.
    pub found: usize,
    /// Number of doubtful records: their current page is lost, and the old pages that have them may be outdated.
    pub left_out: usize,
    /// Number of records newer than the tree of the state.
    pub beyond: usize,
    /// Number of records that an intact part of that tree should have and lacks.
    pub unreached: usize,
}

impl<'a> Merged<'a> {
    fn candidate(&self, part: &Part) -> Option<&SalvageLeaf<'a>> {
        self.leaves.get(usize::try_from(part.candidate).ok()?)
    }

    /// The leaf of a part, with only the elements of the part.
    pub fn leaf(&self, part: &Part) -> Option<Leaf<'a>> {
        Some(self.candidate(part)?.leaf.part(part.indices()))
    }
}

/// An element that comes next in its leaf: its revision, the number of the leaf, its place in it.
type Next = Reverse<(Revision, u32, usize)>;

/// A record that may have been compacted: no intact page covers its revision.
struct Doubtful<'a> {
    part: usize,
    key: &'a [u8],
    revision: Revision,
    tombstone: bool,
    reached: bool,
}

struct Merge<'a, 'd> {
    leaves: Vec<SalvageLeaf<'a>>,
    compaction: Option<Compaction>,
    /// Whether the tree is that of the state, so that its end is the end of the store.
    current: bool,
    /// Whether a page was found that is newer than the tree.
    tree_is_old: bool,
    /// The newest revision in the tree.
    head: Option<Revision>,
    tree: Covers,
    scan: Covers,
    parts: Vec<Part>,
    found: usize,
    left_out: usize,
    beyond: usize,
    unreached: usize,
    doubtful: Vec<Doubtful<'a>>,
    /// The revisions of records of the tree that are misplaced.
    misplaced: HashSet<Revision>,
    /// The leaves that have a compacted record, so they are older than the state.
    outdated: HashSet<u32>,
    diagnostics: &'d Diagnostics,
}

/// The decision about a record that only the scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is part of the state.
    Deliver,
    /// It was compacted.
    Removed,
    /// It was written after the state.
    Beyond,
    /// It is at or below the compaction, and no intact page covers its revision.
    Doubtful,
}

/// Merges leaves. `current` is whether the tree is that of the state, so that its end is the end of the store.
pub(super) fn merge<'a>(
    leaves: Vec<SalvageLeaf<'a>>,
    compaction: Option<Compaction>,
    current: bool,
    diagnostics: &Diagnostics,
) -> Merged<'a> {
    let covers = |reached: bool| {
        let of = leaves
            .iter()
            .filter(|candidate| candidate.leaf.reached == reached);
        Covers::new(of.filter_map(|candidate| candidate.cover))
    };
    let (tree, scan) = (covers(true), covers(false));
    let mut merge = Merge {
        compaction,
        current,
        tree_is_old: false,
        head: None,
        tree,
        scan,
        parts: Vec::new(),
        found: 0,
        left_out: 0,
        beyond: 0,
        unreached: 0,
        doubtful: Vec::new(),
        misplaced: leaves
            .iter()
            .flat_map(SalvageLeaf::misplaced_revisions)
            .collect(),
        outdated: HashSet::new(),
        diagnostics,
        leaves,
    };
    merge.head = merge.newest_in_tree();
    merge.run();
    merge.settle_doubts();
    merge.parts.retain(|part| part.len > 0);
    Merged {
        leaves: merge.leaves,
        parts: merge.parts,
        found: merge.found,
        left_out: merge.left_out,
        beyond: merge.beyond,
        unreached: merge.unreached,
    }
}

impl<'a> Merge<'a, '_> {
    fn newest_in_tree(&self) -> Option<Revision> {
        let reached = self
            .leaves
            .iter()
            .filter(|candidate| candidate.leaf.reached);
        reached.filter_map(SalvageLeaf::last).max()
    }

    fn candidate(&self, candidate: u32) -> Option<&SalvageLeaf<'a>> {
        self.leaves.get(usize::try_from(candidate).ok()?)
    }

    fn element(&self, (candidate, index): (u32, usize)) -> Option<Element<'a>> {
        self.candidate(candidate)?.leaf.element(index)
    }

    fn next_of(&self, candidate: u32, place: usize) -> Option<Next> {
        let of = self.candidate(candidate)?;
        let place = of.readable(place);
        let (revision, _) = of.at(place)?;
        Some(Reverse((revision, candidate, place)))
    }

    fn run(&mut self) {
        let leaves = u32::try_from(self.leaves.len()).unwrap_or(u32::MAX);
        let mut heap: BinaryHeap<Next> = (0..leaves)
            .filter_map(|candidate| self.next_of(candidate, 0))
            .collect();
        let mut group: Vec<(u32, usize)> = Vec::new();
        while let Some(Reverse((revision, ..))) = heap.peek().copied() {
            group.clear();
            while let Some(Reverse((_, candidate, place))) =
                heap.peek().copied().filter(|next| next.0.0 == revision)
            {
                heap.pop();
                heap.extend(self.next_of(candidate, place.saturating_add(1)));
                let index = self.candidate(candidate).and_then(|of| of.at(place));
                group.extend(index.map(|(_, index)| (candidate, index)));
            }
            self.take(revision, &group);
        }
    }

    /// Decides about the elements of one revision. A misplaced element is listed with the elements before it.
    fn take(&mut self, revision: Revision, group: &[(u32, usize)]) {
        if group.iter().any(|at| !self.has_revision(*at)) {
            let all = group.iter().copied();
            let (group, others): (Vec<_>, Vec<_>) = all.partition(|at| self.has_revision(*at));
            // Only leaves of the tree have these.
            others.into_iter().for_each(|at| self.deliver(at));
            if !group.is_empty() {
                self.take(revision, &group);
            }
            return;
        }
        let first = self.best_of(group, true);
        let tree_lacks_it = self.tree.at(revision) > 0;
        let in_sound = group
            .iter()
            .filter(|(candidate, _)| {
                self.candidate(*candidate)
                    .is_some_and(|candidate| !candidate.leaf.reached && candidate.cover.is_some())
            })
            .count();
        let a_page_lacks_it = self.scan.at(revision) > in_sound;
        let first = first.filter(|_| self.current || !self.is_removed(revision, a_page_lacks_it));
        if let Some(first) = first {
            self.take_reached(first, group, revision, a_page_lacks_it);
            return;
        }
        let Some(best) = self.best_of(group, false) else {
            return;
        };
        if self.misplaced.contains(&revision) {
            return;
        }
        match self.verdict(revision, tree_lacks_it, a_page_lacks_it) {
            Verdict::Removed => self
                .outdated
                .extend(group.iter().map(|(candidate, _)| candidate)),
            Verdict::Beyond => self.beyond = self.beyond.saturating_add(1),
            Verdict::Deliver => {
                let unreached = self.current && tree_lacks_it;
                self.unreached = self.unreached.saturating_add(usize::from(unreached));
                self.report_contradiction(best, group, revision);
                self.deliver_found(best);
            }
            Verdict::Doubtful => self.deliver_doubtful(best, revision, false),
        }
    }

    /// Whether a record was compacted, by a page that is newer than the tree.
    fn is_removed(&mut self, revision: Revision, a_page_lacks_it: bool) -> bool {
        let begun = self.compaction.is_some_and(|of| revision.main <= of.begun);
        let removed = begun && a_page_lacks_it;
        self.tree_is_old |= removed;
        removed
    }

    /// Includes the elements of the tree.
    fn take_reached(
        &mut self,
        (candidate, index): (u32, usize),
        group: &[(u32, usize)],
        revision: Revision,
        a_page_lacks_it: bool,
    ) {
        self.report_contradiction((candidate, index), group, revision);
        if !self.current && self.verdict(revision, false, a_page_lacks_it) == Verdict::Doubtful {
            self.deliver_doubtful((candidate, index), revision, true);
            return;
        }
        self.deliver((candidate, index));
        // Different records of one revision in one leaf are all included.
        for (_, other) in group
            .iter()
            .filter(|other| other.0 == candidate && other.1 != index)
        {
            if self.differ((candidate, index), (candidate, *other)) {
                self.deliver((candidate, *other));
            }
        }
        if !self.is_record((candidate, index)) {
            let copy = group.iter().find(|(other, _)| {
                self.candidate(*other)
                    .is_some_and(|candidate| !candidate.leaf.reached)
            });
            copy.copied()
                .into_iter()
                .for_each(|copy| self.deliver_found(copy));
        }
    }

    fn verdict(&self, revision: Revision, tree_lacks_it: bool, a_page_lacks_it: bool) -> Verdict {
        let Some(compaction) = self.compaction else {
            // A page that covers the revision shows whether the record was compacted.
            let gone = a_page_lacks_it || (tree_lacks_it && self.current);
            return if gone {
                Verdict::Removed
            } else {
                Verdict::Deliver
            };
        };
        let is_below = revision.main <= compaction.begun;
        if tree_lacks_it {
            let beyond = self.current && self.head.is_some_and(|head| revision.main > head.main);
            return match (beyond, is_below) {
                (true, _) => Verdict::Beyond,
                (_, true) => Verdict::Removed,
                _ => Verdict::Deliver,
            };
        }
        match (is_below, a_page_lacks_it) {
            (false, _) => Verdict::Deliver,
            (true, true) => Verdict::Removed,
            (true, false) => Verdict::Doubtful,
        }
    }

    fn has_revision(&self, at: (u32, usize)) -> bool {
        self.candidate(at.0)
            .is_some_and(|candidate| !candidate.is_misplaced(at.1))
    }

    /// The best copy of a record among those in the tree, or among those found by the scan: one in an intact page, if any.
    fn best_of(&self, group: &[(u32, usize)], reached: bool) -> Option<(u32, usize)> {
        let candidate = |at: &&(u32, usize)| {
            self.candidate(at.0)
                .filter(|candidate| candidate.leaf.reached == reached)
        };
        let sound =
            |at: &&(u32, usize)| candidate(at).is_some_and(|candidate| candidate.cover.is_some());
        let any = |at: &&(u32, usize)| candidate(at).is_some();
        group
            .iter()
            .find(sound)
            .or_else(|| group.iter().find(any))
            .copied()
    }

    fn record(&self, at: (u32, usize)) -> Option<Record<'a>> {
        let element = self.element(at)?;
        let page = &self.candidate(at.0)?.leaf.page;
        Record::parse(page, &element).ok().map(|(record, _)| record)
    }

    fn is_record(&self, at: (u32, usize)) -> bool {
        let leaf = self.candidate(at.0).map(|candidate| &candidate.leaf);
        let element = self.element(at);
        leaf.zip(element).is_some_and(|(leaf, element)| {
            is_certain(leaf, &element) || Record::parse(&leaf.page, &element).is_ok()
        })
    }

    /// Reports two different records of one revision: one of them was altered.
    fn report_contradiction(
        &self,
        taken: (u32, usize),
        group: &[(u32, usize)],
        revision: Revision,
    ) {
        let Some((other, _)) = group.iter().find(|other| self.differ(taken, **other)) else {
            return;
        };
        let (Some(candidate), Some(other)) = (self.candidate(taken.0), self.candidate(*other))
        else {
            return;
        };
        self.diagnostics.report(
            Diagnostic::new(
                Code::RecordContradiction,
                candidate
                    .leaf
                    .page
                    .locus()
                    .element(taken.1)
                    .revision(revision.main, revision.sub),
            )
            .found(format!(
                "page {} has another record of this revision",
                other.leaf.page.pgid
            ))
            .effect("this one is shown"),
        );
    }

    fn differ(&self, one: (u32, usize), other: (u32, usize)) -> bool {
        let (Some(one), Some(other)) = (self.element(one), self.element(other)) else {
            return false;
        };
        one.key != other.key || one.value != other.value
    }

    fn deliver_found(&mut self, at: (u32, usize)) {
        self.found = self.found.saturating_add(1);
        self.deliver(at);
    }

    /// Includes a doubtful record as a part of its own, so that it can be removed later.
    fn deliver_doubtful(&mut self, at: (u32, usize), revision: Revision, reached: bool) {
        let (Some(record), Some(part)) = (self.record(at), part_of(at)) else {
            return;
        };
        self.doubtful.push(Doubtful {
            part: self.parts.len(),
            key: record.key,
            revision,
            tombstone: record.tombstone,
            reached,
        });
        self.parts.push(part);
        self.found = self.found.saturating_add(usize::from(!reached));
    }

    fn deliver(&mut self, at: (u32, usize)) {
        let Some(part) = part_of(at) else { return };
        let doubtful = self.doubtful.last().map(|doubtful| doubtful.part);
        let is_last = self.parts.len().checked_sub(1);
        match self.parts.last_mut() {
            Some(last)
                if doubtful != is_last
                    && last.candidate == part.candidate
                    && last.start.checked_add(last.len) == Some(part.start) =>
            {
                last.len = last.len.saturating_add(1);
            }
            _ => self.parts.push(part),
        }
    }

    /// Decides about the doubtful records: one stays if a compaction would keep it and its page may be the current one.
    fn settle_doubts(&mut self) {
        let doubtful = std::mem::take(&mut self.doubtful);
        let Some(compaction) = self.compaction.filter(|_| !doubtful.is_empty()) else {
            return;
        };
        let removed = self.superseded(&doubtful, compaction);
        let outdated: Vec<u32> = self
            .leaves_with(|revision| removed.contains(&revision))
            .collect();
        self.outdated.extend(outdated);
        let asked: HashSet<Revision> = doubtful.iter().map(|one| one.revision).collect();
        let mut present = HashSet::new();
        for candidate in self.possibly_current() {
            let revisions = candidate
                .revisions()
                .filter(|revision| asked.contains(revision));
            present.extend(revisions);
        }
        for one in doubtful {
            let is_removed = removed.contains(&one.revision);
            let stays = !is_removed && (one.reached || present.contains(&one.revision));
            if let Some(part) = self.parts.get_mut(one.part).filter(|_| !stays) {
                part.len = 0;
                self.found = self.found.saturating_sub(usize::from(!one.reached));
                self.left_out = self.left_out.saturating_add(usize::from(!is_removed));
            }
        }
    }

    /// The revisions that a compaction removes, because a later revision of the same key is at or below the compaction too.
    fn superseded(&self, doubtful: &[Doubtful<'a>], compaction: Compaction) -> HashSet<Revision> {
        // The last record of each key at or below each of the two revisions.
        let keys = doubtful
            .iter()
            .map(|one| (one.key, [Revision::default(); 2]));
        let mut last: HashMap<&[u8], [Revision; 2]> = keys.collect();
        let limits = [compaction.finished, compaction.begun];
        for candidate in &self.leaves {
            for element in candidate.leaf.elements(Direction::Forward) {
                let Ok((record, _)) = Record::parse(&candidate.leaf.page, &element) else {
                    continue;
                };
                let Some(known) = last.get_mut(record.key) else {
                    continue;
                };
                for (known, limit) in known.iter_mut().zip(limits) {
                    if record.revision.main <= limit {
                        *known = record.revision.max(*known);
                    }
                }
            }
        }
        let is_removed = |one: &&Doubtful<'a>| {
            let [finished, begun] = last.get(one.key).copied().unwrap_or_default();
            // While a compaction runs, the tree still has some of the records that it will remove.
            let (last, limit) = if one.reached && !self.tree_is_old {
                (finished, compaction.finished)
            } else {
                (begun, compaction.begun)
            };
            let superseded = last > one.revision;
            // Some versions keep a deletion if it is at the compacted revision itself.
            superseded || (one.tombstone && one.revision.main < limit)
        };
        let removed = doubtful.iter().filter(is_removed);
        removed.map(|one| one.revision).collect()
    }

    fn leaves_with(&self, wanted: impl Fn(Revision) -> bool) -> impl Iterator<Item = u32> {
        (0_u32..)
            .zip(&self.leaves)
            .filter_map(move |(index, candidate)| {
                candidate.revisions().any(&wanted).then_some(index)
            })
    }

    /// The leaves that may be as new as the state.
    fn possibly_current(&self) -> impl Iterator<Item = &SalvageLeaf<'a>> {
        let leaves = (0_u32..).zip(&self.leaves);
        leaves
            .filter(|(index, _)| !self.outdated.contains(index))
            .map(|(_, candidate)| candidate)
    }
}

fn part_of((candidate, index): (u32, usize)) -> Option<Part> {
    Some(Part {
        candidate,
        start: u32::try_from(index).ok()?,
        len: 1,
    })
}

/// How many pages cover a revision.
#[derive(Debug)]
struct Covers {
    from: Vec<Revision>,
    until: Vec<Revision>,
}

impl Covers {
    fn new(covers: impl Iterator<Item = RevisionRange>) -> Self {
        let (mut from, mut until): (Vec<_>, Vec<_>) =
            covers.map(|cover| (cover.from, cover.until)).unzip();
        from.sort_unstable();
        until.sort_unstable();
        Self { from, until }
    }

    fn at(&self, revision: Revision) -> usize {
        let begun = self.from.partition_point(|from| *from <= revision);
        let ended = self.until.partition_point(|until| *until <= revision);
        begun.saturating_sub(ended)
    }
}
