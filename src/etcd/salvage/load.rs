//! The leaves that may have records, each with the range of revisions for which its page is authoritative.

use std::collections::BTreeSet;

use crate::bbolt::{Direction, Element, Leaf, Leaves, PageScan, PlacedLeaf};
use crate::etcd::record::Record;
use crate::etcd::revision::{BucketKey, Revision};
use crate::etcd::schema;

/// The revisions for which a page is authoritative: a record in this range that is not in the page was not in the store
/// when the page was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RevisionRange {
    pub from: Revision,
    /// The first one after it.
    pub until: Revision,
}

/// A leaf of records.
#[derive(Debug)]
pub(super) struct SalvageLeaf<'a> {
    pub leaf: Leaf<'a>,
    /// The range of revisions for which it is authoritative; only if the page is intact.
    pub cover: Option<RevisionRange>,
    /// The indices of its elements by revision, if they are not in that order.
    order: Option<Vec<usize>>,
    /// The indices of misplaced elements, each with the revision of a neighbour; ascending. The key of a misplaced element is
    /// not a revision, or cannot be right at its place.
    misplaced: Vec<(usize, Revision)>,
}

/// After every revision.
const END: Revision = Revision {
    main: i64::MAX,
    sub: i64::MAX,
};

impl<'a> SalvageLeaf<'a> {
    /// The revision and index of the element at a position in the order of revisions.
    pub fn at(&self, place: usize) -> Option<(Revision, usize)> {
        let index = self.index(place)?;
        Some((self.revision(index)?, index))
    }

    /// The revision of the element at an index: that of a neighbour if its own cannot be right.
    pub fn revision(&self, index: usize) -> Option<Revision> {
        if let Some(neighbour) = self.neighbour_of(index) {
            return Some(neighbour);
        }
        BucketKey::revision_of(self.leaf.element(index)?.key)
    }

    /// Whether the element at an index has no revision that can be right.
    pub fn is_misplaced(&self, index: usize) -> bool {
        self.neighbour_of(index).is_some()
    }

    /// The revisions of intact records that are misplaced.
    pub fn misplaced_revisions(&self) -> impl Iterator<Item = Revision> {
        self.misplaced.iter().filter_map(|(index, _)| {
            let element = self.leaf.element(*index)?;
            let certain = is_certain(&self.leaf, &element);
            BucketKey::revision_of(element.key).filter(|_| certain)
        })
    }

    fn neighbour_of(&self, index: usize) -> Option<Revision> {
        let place = self
            .misplaced
            .binary_search_by_key(&index, |misplaced| misplaced.0)
            .ok()?;
        self.misplaced.get(place).map(|misplaced| misplaced.1)
    }

    /// The revisions in it.
    pub fn revisions(&self) -> impl Iterator<Item = Revision> {
        let elements = self.leaf.elements(Direction::Forward);
        elements.filter_map(|element| BucketKey::revision_of(element.key))
    }

    /// The newest revision in it.
    pub fn last(&self) -> Option<Revision> {
        self.revisions().max()
    }

    /// The position of the first readable element at or after `place`.
    pub fn readable(&self, mut place: usize) -> usize {
        while self
            .index(place)
            .is_some_and(|index| self.leaf.element(index).is_none())
        {
            place = place.saturating_add(1);
        }
        place
    }

    fn index(&self, place: usize) -> Option<usize> {
        match &self.order {
            Some(order) => order.get(place).copied(),
            None => self.leaf.page.usable_count().gt(&place).then_some(place),
        }
    }

    /// `place` is the range that the tree has there, if any.
    fn new(
        leaf: Leaf<'a>,
        place: Option<RevisionRange>,
        cover: impl FnOnce(Revision, Revision) -> Option<RevisionRange>,
    ) -> Self {
        let elements = leaf.elements(Direction::Forward);
        let keys: Vec<(usize, Option<Revision>)> = elements
            .map(|element| (element.index, BucketKey::revision_of(element.key)))
            .collect();
        let misplaced = misplaced_elements(&keys, place);
        let is_right =
            |(index, _): &&(usize, Option<Revision>)| misplaced.binary_search(index).is_err();
        let right: Vec<(Revision, usize)> = keys
            .iter()
            .filter(is_right)
            .filter_map(|(index, revision)| Some(((*revision)?, *index)))
            .collect();
        let ascending = right.is_sorted_by_key(|(revision, _)| *revision);
        let misplaced = with_neighbours(misplaced, &right);
        let cover = match (right.first(), right.last()) {
            (Some((first, _)), Some((last, _))) if ascending && misplaced.is_empty() => {
                cover(*first, *last)
            }
            _ => None,
        };
        if ascending {
            return Self {
                leaf,
                cover,
                order: None,
                misplaced,
            };
        }
        let mut keys: Vec<_> = keys.into_iter().map(|(index, key)| (key, index)).collect();
        keys.sort_unstable();
        let none = keys.iter().filter(|(key, _)| key.is_none());
        let mut misplaced: Vec<_> = none
            .map(|(_, index)| (*index, Revision::default()))
            .collect();
        misplaced.sort_unstable();
        Self {
            leaf,
            cover,
            order: Some(keys.into_iter().map(|(_, index)| index).collect()),
            misplaced,
        }
    }

    /// A leaf of the tree. If it is intact, it covers the range that the tree states for it; in a tree with pages of two states,
    /// only the range of its own records.
    fn reached(placed: PlacedLeaf<'a>, one_state: bool) -> Self {
        let PlacedLeaf {
            leaf,
            lower,
            upper,
            sound,
        } = placed;
        let bound = |key: Option<&[u8]>, none| match key {
            None => Some(none),
            Some(key) => BucketKey::parse(key).ok().map(|key| key.revision),
        };
        let place = bound(lower, Revision::default()).zip(bound(upper, END));
        let place = place.map(|(from, until)| RevisionRange { from, until });
        Self::new(leaf, place, |from, last| {
            let own = || {
                Some(RevisionRange {
                    from,
                    until: next_revision(last),
                })
            };
            let cover = if one_state { place } else { own() };
            cover.filter(|_| sound)
        })
    }

    /// A leaf that only the scan found. Only its intact records count, and it covers the range of its own records.
    fn scanned(leaf: Leaf<'a>, mut sound: bool) -> Option<Self> {
        let mut others = Vec::new();
        let mut records = 0_usize;
        for element in leaf.elements(Direction::Forward) {
            if is_certain(&leaf, &element) {
                records = records.saturating_add(1);
            } else {
                sound = false;
                others.push(element.index);
            }
        }
        (records > 0).then(|| {
            Self::new(leaf.without(others), None, |from, last| {
                let until = next_revision(last);
                sound.then_some(RevisionRange { from, until })
            })
        })
    }
}

/// The smallest revision after `last`.
fn next_revision(last: Revision) -> Revision {
    Revision {
        sub: last.sub.saturating_add(1),
        ..last
    }
}

/// Gives each misplaced element the revision of the last correct element before it, or of the first after it.
fn with_neighbours(misplaced: Vec<usize>, right: &[(Revision, usize)]) -> Vec<(usize, Revision)> {
    let neighbour = |index: usize| {
        let next = right.partition_point(|one| one.1 < index);
        let before = next.checked_sub(1).and_then(|last| right.get(last));
        before
            .or_else(|| right.get(next))
            .map_or_else(Revision::default, |one| one.0)
    };
    misplaced
        .into_iter()
        .map(|index| (index, neighbour(index)))
        .collect()
}

/// The misplaced elements: their key is not a revision, is out of order, or is outside the range of most others.
fn misplaced_elements(
    keys: &[(usize, Option<Revision>)],
    place: Option<RevisionRange>,
) -> Vec<usize> {
    let belongs = |revision: Revision| {
        place.is_none_or(|place| place.from <= revision && revision < place.until)
    };
    let belonging = keys
        .iter()
        .filter_map(|key| key.1)
        .filter(|key| belongs(*key))
        .count();
    // If most elements are outside the range, the page itself does not belong here.
    let most_belong = belonging > 0 && belonging.saturating_mul(2) >= keys.len();
    let mut misplaced = Vec::new();
    let mut last: Option<Revision> = None;
    for (place, (index, revision)) in keys.iter().enumerate() {
        let Some(revision) = *revision else {
            misplaced.push(*index);
            continue;
        };
        let next = keys
            .iter()
            .skip(place.saturating_add(1))
            .find_map(|key| key.1);
        let too_low = last.is_some_and(|last| revision < last);
        let too_high =
            next.is_some_and(|next| next < revision && last.is_none_or(|last| last < next));
        // An equal revision is a duplicate, which a later comparison finds.
        if too_low || too_high || (most_belong && !belongs(revision)) {
            misplaced.push(*index);
        } else {
            last = Some(revision);
        }
    }
    misplaced
}

/// Whether the bytes of an element are exactly a record that etcd writes.
pub(super) fn is_certain<'a>(leaf: &Leaf<'a>, element: &Element<'a>) -> bool {
    Record::certain(&leaf.page, element).is_some()
}

/// Checks whether the leaves of a tree belong to one state: no revision above the compaction is missing between
/// neighbouring leaves.
struct OneState<'a> {
    begun: Option<i64>,
    /// First key after the leaf before, and its last revision.
    before: Option<(Option<&'a [u8]>, Revision)>,
    /// The newest revision so far.
    newest: i64,
    holds: bool,
}

impl<'a> OneState<'a> {
    fn next(&mut self, placed: &PlacedLeaf<'a>) {
        let (Some(begun), true) = (self.begun, placed.sound) else {
            self.before = None;
            return;
        };
        let mut last = match &self.before {
            Some((upper, last)) if *upper == placed.lower => Some(*last),
            // Nothing can be before the first leaf.
            _ if placed.lower.is_none() => Some(Revision { main: 1, sub: 0 }),
            _ => None,
        };
        for element in placed.leaf.elements(Direction::Forward) {
            let Some(revision) = BucketKey::revision_of(element.key) else {
                last = None;
                continue;
            };
            let known = last.map(|last| last.main.max(begun).max(1));
            let gap = known.is_some_and(|known| revision.main > known.saturating_add(1));
            self.holds &= !gap;
            self.newest = self.newest.max(revision.main);
            last = Some(revision);
        }
        self.before = last.map(|last| (placed.upper, last));
    }
}

/// The leaves of a tree and the other leaves that a scan found, and whether the readable part of the tree belongs to one
/// state. `begun` is the compacted revision, if it is known.
pub(super) fn read_leaves<'a>(
    mut tree: Leaves<'a>,
    begun: Option<i64>,
    scan: &PageScan<'a>,
) -> (Vec<SalvageLeaf<'a>>, bool) {
    let mut placed = Vec::new();
    let mut one_state = OneState {
        begun,
        before: None,
        newest: 0,
        holds: true,
    };
    while let Some(next) = tree.next_placed() {
        one_state.next(&next);
        placed.push(next);
    }
    // A store has a record at the compacted revision or above, unless that was a deletion, which older versions remove.
    let ends_early = begun.is_some_and(|begun| one_state.newest < begun);
    let one_state = one_state.holds && (placed.is_empty() || !ends_early);
    let mut heads = BTreeSet::new();
    // First and last page of the runs that the tree certainly uses. Bytes inside one that look like a page belong to a value.
    let mut used: Vec<(u64, u64)> = Vec::new();
    let mut leaves = Vec::new();
    for next in placed {
        let page = next.leaf.page;
        heads.insert(page.pgid.0);
        if next.sound && page.overflow > 0 && !page.inline {
            used.push((
                page.pgid.0,
                page.pgid.0.saturating_add(u64::from(page.overflow)),
            ));
        }
        leaves.push(SalvageLeaf::reached(next, one_state));
    }
    used.sort_unstable();
    let in_use = |pgid: u64| {
        let before = used.partition_point(|run| run.0 < pgid);
        let run = before.checked_sub(1).and_then(|last| used.get(last));
        run.is_some_and(|run| run.1 >= pgid)
    };
    let is_new = |pgid: u64| !heads.contains(&pgid) && !in_use(pgid);
    // The pages of the tree are left out before they are checked: they are almost all pages.
    let runs = scan.leaf_runs().map(|(pgid, _)| pgid);
    let outside = runs.filter(|pgid| is_new(pgid.0));
    let outside = outside.filter_map(|pgid| scan.leaf(pgid));
    let inline = scan.inline_leaves(schema::KEY);
    let inline = inline.filter(|(leaf, _)| is_new(leaf.page.pgid.0));
    let found = outside.chain(inline);
    leaves.extend(found.filter_map(|(leaf, sound)| SalvageLeaf::scanned(leaf, sound)));
    (leaves, one_state)
}
