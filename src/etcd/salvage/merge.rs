//! One record a revision out of many leaves.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::ops::Range;

use crate::bbolt::{Direction, Element, Leaf};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::record::Record;
use crate::etcd::revision::Revision;
use crate::etcd::schema::Compaction;

use super::load::{Bed, Cover, is_certain};

/// Elements of one leaf that stand beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    bed: u32,
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
    beds: Vec<Bed<'a>>,
    /// What is delivered, in the order of revisions.
    pub parts: Vec<Part>,
    /// How many records the tree does not lead to.
    pub found: usize,
    /// How many stand in old pages alone, whose present page is gone: they may have been compacted.
    pub left_out: usize,
    /// How many are newer than a tree that is that of the state.
    pub beyond: usize,
    /// How many a sound part of that tree should have and has not.
    pub unreached: usize,
}

impl<'a> Merged<'a> {
    fn bed(&self, part: &Part) -> Option<&Bed<'a>> {
        self.beds.get(usize::try_from(part.bed).ok()?)
    }

    /// The leaf of a part, with its elements alone.
    pub fn leaf(&self, part: &Part) -> Option<Leaf<'a>> {
        Some(self.bed(part)?.leaf.part(part.indices()))
    }
}

/// An element that comes next in its leaf.
type Next = Reverse<(Revision, u32, usize)>;

/// A record that may have been compacted: nothing covers its place.
struct Doubtful<'a> {
    part: usize,
    key: &'a [u8],
    revision: Revision,
    tombstone: bool,
    reached: bool,
}

struct Merge<'a, 'd> {
    beds: Vec<Bed<'a>>,
    compaction: Option<Compaction>,
    /// Whether the tree is that of the state, and its end the end of the store.
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
    /// The revisions of records of the tree that do not stand in their order.
    odd: HashSet<Revision>,
    /// The leaves that hold a record which was compacted: they are older than the state.
    old: HashSet<u32>,
    diagnostics: &'d Diagnostics,
}

/// What is to be done with a record that only the scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It is part of the state.
    Deliver,
    /// It was compacted.
    Removed,
    /// It was written after the state.
    Beyond,
    /// Nothing covers its place, and it lies at or below the compaction.
    Doubtful,
}

/// Merges leaves. `current` says whether the tree is that of the state, and its end the end of the store.
pub(super) fn merge<'a>(
    beds: Vec<Bed<'a>>,
    compaction: Option<Compaction>,
    current: bool,
    diagnostics: &Diagnostics,
) -> Merged<'a> {
    let covers = |reached: bool| {
        let of = beds.iter().filter(|bed| bed.leaf.reached == reached);
        Covers::of(of.filter_map(|bed| bed.cover))
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
        odd: beds.iter().flat_map(Bed::odd_revisions).collect(),
        old: HashSet::new(),
        diagnostics,
        beds,
    };
    merge.head = merge.newest_in_tree();
    merge.run();
    merge.settle_doubts();
    merge.parts.retain(|part| part.len > 0);
    Merged {
        beds: merge.beds,
        parts: merge.parts,
        found: merge.found,
        left_out: merge.left_out,
        beyond: merge.beyond,
        unreached: merge.unreached,
    }
}

impl<'a> Merge<'a, '_> {
    fn newest_in_tree(&self) -> Option<Revision> {
        let reached = self.beds.iter().filter(|bed| bed.leaf.reached);
        reached.filter_map(Bed::last).max()
    }

    fn bed(&self, bed: u32) -> Option<&Bed<'a>> {
        self.beds.get(usize::try_from(bed).ok()?)
    }

    fn element(&self, (bed, index): (u32, usize)) -> Option<Element<'a>> {
        self.bed(bed)?.leaf.element(index)
    }

    fn next_of(&self, bed: u32, place: usize) -> Option<Next> {
        let of = self.bed(bed)?;
        let place = of.readable(place);
        let (revision, _) = of.at(place)?;
        Some(Reverse((revision, bed, place)))
    }

    fn run(&mut self) {
        let beds = u32::try_from(self.beds.len()).unwrap_or(u32::MAX);
        let mut heap: BinaryHeap<Next> = (0..beds).filter_map(|bed| self.next_of(bed, 0)).collect();
        let mut group: Vec<(u32, usize)> = Vec::new();
        while let Some(Reverse((revision, ..))) = heap.peek().copied() {
            group.clear();
            while let Some(Reverse((_, bed, place))) =
                heap.peek().copied().filter(|next| next.0.0 == revision)
            {
                heap.pop();
                heap.extend(self.next_of(bed, place.saturating_add(1)));
                let index = self.bed(bed).and_then(|of| of.at(place));
                group.extend(index.map(|(_, index)| (bed, index)));
            }
            self.take(revision, &group);
        }
    }

    /// Decides about the elements of one revision. Elements whose key is none stand with those before them.
    fn take(&mut self, revision: Revision, group: &[(u32, usize)]) {
        if group.iter().any(|at| !self.has_revision(*at)) {
            let all = group.iter().copied();
            let (group, odd): (Vec<_>, Vec<_>) = all.partition(|at| self.has_revision(*at));
            // Only leaves of the tree have such.
            odd.into_iter().for_each(|at| self.deliver(at));
            if !group.is_empty() {
                self.take(revision, &group);
            }
            return;
        }
        let first = self.best_of(group, true);
        let tree_lacks_it = self.tree.at(revision) > 0;
        let in_sound = group
            .iter()
            .filter(|(bed, _)| {
                self.bed(*bed)
                    .is_some_and(|bed| !bed.leaf.reached && bed.cover.is_some())
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
        if self.odd.contains(&revision) {
            return;
        }
        match self.verdict(revision, tree_lacks_it, a_page_lacks_it) {
            Verdict::Removed => self.old.extend(group.iter().map(|(bed, _)| bed)),
            Verdict::Beyond => self.beyond = self.beyond.saturating_add(1),
            Verdict::Deliver => {
                let unreached = self.current && tree_lacks_it;
                self.unreached = self.unreached.saturating_add(usize::from(unreached));
                self.tell_contradiction(best, group, revision);
                self.find(best);
            }
            Verdict::Doubtful => self.find_doubtful(best, revision, false),
        }
    }

    /// Whether a page that is newer than a tree which is not that of the state shows that a record was compacted.
    fn is_removed(&mut self, revision: Revision, a_page_lacks_it: bool) -> bool {
        let begun = self.compaction.is_some_and(|of| revision.main <= of.begun);
        let removed = begun && a_page_lacks_it;
        self.tree_is_old |= removed;
        removed
    }

    /// Delivers what the tree leads to.
    fn take_reached(
        &mut self,
        (bed, index): (u32, usize),
        group: &[(u32, usize)],
        revision: Revision,
        a_page_lacks_it: bool,
    ) {
        self.tell_contradiction((bed, index), group, revision);
        if !self.current && self.verdict(revision, false, a_page_lacks_it) == Verdict::Doubtful {
            self.find_doubtful((bed, index), revision, true);
            return;
        }
        self.deliver((bed, index));
        // Of one leaf all are delivered that say something else.
        for (_, other) in group
            .iter()
            .filter(|other| other.0 == bed && other.1 != index)
        {
            if self.differ((bed, index), (bed, *other)) {
                self.deliver((bed, *other));
            }
        }
        if !self.is_record((bed, index)) {
            let copy = group
                .iter()
                .find(|(other, _)| self.bed(*other).is_some_and(|bed| !bed.leaf.reached));
            copy.copied().into_iter().for_each(|copy| self.find(copy));
        }
    }

    fn verdict(&self, revision: Revision, tree_lacks_it: bool, a_page_lacks_it: bool) -> Verdict {
        let Some(compaction) = self.compaction else {
            // Nothing tells what was compacted but the pages themselves.
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
        self.bed(at.0).is_some_and(|bed| !bed.is_odd(at.1))
    }

    /// Of copies of one record to which the tree leads, or does not, the one in a sound page.
    fn best_of(&self, group: &[(u32, usize)], reached: bool) -> Option<(u32, usize)> {
        let bed = |at: &&(u32, usize)| self.bed(at.0).filter(|bed| bed.leaf.reached == reached);
        let sound = |at: &&(u32, usize)| bed(at).is_some_and(|bed| bed.cover.is_some());
        let any = |at: &&(u32, usize)| bed(at).is_some();
        group
            .iter()
            .find(sound)
            .or_else(|| group.iter().find(any))
            .copied()
    }

    fn record(&self, at: (u32, usize)) -> Option<Record<'a>> {
        let element = self.element(at)?;
        let page = &self.bed(at.0)?.leaf.page;
        Record::parse(page, &element).ok().map(|(record, _)| record)
    }

    fn is_record(&self, at: (u32, usize)) -> bool {
        let leaf = self.bed(at.0).map(|bed| &bed.leaf);
        let element = self.element(at);
        leaf.zip(element).is_some_and(|(leaf, element)| {
            is_certain(leaf, &element) || Record::parse(&leaf.page, &element).is_ok()
        })
    }

    /// Two records of one revision that say something else: one of them is not what was written.
    fn tell_contradiction(&self, taken: (u32, usize), group: &[(u32, usize)], revision: Revision) {
        let Some((other, _)) = group.iter().find(|other| self.differ(taken, **other)) else {
            return;
        };
        let (Some(bed), Some(other)) = (self.bed(taken.0), self.bed(*other)) else {
            return;
        };
        self.diagnostics.report(
            Diagnostic::new(
                Code::RecordContradiction,
                bed.leaf
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

    fn find(&mut self, at: (u32, usize)) {
        self.found = self.found.saturating_add(1);
        self.deliver(at);
    }

    /// Delivers a record that may be taken back: a part of its own.
    fn find_doubtful(&mut self, at: (u32, usize), revision: Revision, reached: bool) {
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
                    && last.bed == part.bed
                    && last.start.checked_add(last.len) == Some(part.start) =>
            {
                last.len = last.len.saturating_add(1);
            }
            _ => self.parts.push(part),
        }
    }

    /// Of the records at or below the compaction that nothing covers, those stay that a compaction would keep and
    /// that stand in a page which may be the present one.
    fn settle_doubts(&mut self) {
        let doubtful = std::mem::take(&mut self.doubtful);
        let Some(compaction) = self.compaction.filter(|_| !doubtful.is_empty()) else {
            return;
        };
        let removed = self.superseded(&doubtful, compaction);
        let old: Vec<u32> = self
            .beds_with(|revision| removed.contains(&revision))
            .collect();
        self.old.extend(old);
        let asked: HashSet<Revision> = doubtful.iter().map(|one| one.revision).collect();
        let mut present = HashSet::new();
        for bed in self.young() {
            let revisions = bed.revisions().filter(|revision| asked.contains(revision));
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

    /// Those of which a compaction keeps no record: a later one of the key lies at or below it as well.
    fn superseded(&self, doubtful: &[Doubtful<'a>], compaction: Compaction) -> HashSet<Revision> {
        // Of each key the last record at or below each of the two revisions.
        let keys = doubtful
            .iter()
            .map(|one| (one.key, [Revision::default(); 2]));
        let mut last: HashMap<&[u8], [Revision; 2]> = keys.collect();
        let limits = [compaction.finished, compaction.begun];
        for bed in &self.beds {
            for element in bed.leaf.elements(Direction::Forward) {
                let Ok((record, _)) = Record::parse(&bed.leaf.page, &element) else {
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
            // While a compaction runs, the tree still has some of what it will remove.
            let (last, limit) = if one.reached && !self.tree_is_old {
                (finished, compaction.finished)
            } else {
                (begun, compaction.begun)
            };
            let superseded = last > one.revision;
            // A deletion is kept by some versions where it is that of the compaction itself.
            superseded || (one.tombstone && one.revision.main < limit)
        };
        let removed = doubtful.iter().filter(is_removed);
        removed.map(|one| one.revision).collect()
    }

    fn beds_with(&self, wanted: impl Fn(Revision) -> bool) -> impl Iterator<Item = u32> {
        (0_u32..)
            .zip(&self.beds)
            .filter_map(move |(index, bed)| bed.revisions().any(&wanted).then_some(index))
    }

    /// The leaves of which nothing tells that they are older than the state.
    fn young(&self) -> impl Iterator<Item = &Bed<'a>> {
        let beds = (0_u32..).zip(&self.beds);
        beds.filter(|(index, _)| !self.old.contains(index))
            .map(|(_, bed)| bed)
    }
}

fn part_of((bed, index): (u32, usize)) -> Option<Part> {
    Some(Part {
        bed,
        start: u32::try_from(index).ok()?,
        len: 1,
    })
}

/// How many pages have a say over a revision; asked for ascending revisions.
#[derive(Debug)]
struct Covers {
    from: Vec<Revision>,
    until: Vec<Revision>,
}

impl Covers {
    fn of(covers: impl Iterator<Item = Cover>) -> Self {
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
