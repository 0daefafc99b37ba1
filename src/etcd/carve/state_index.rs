//! Looks up records of the state by revision, without a copy of all records.

use crate::bbolt::page_set::PageSet;
use crate::bbolt::{Direction, Element, Leaf, Page, Pages, Pgid};
use crate::etcd::record::Record;
use crate::etcd::revision::{BucketKey, Revision};
use crate::etcd::state::State;

/// A leaf of the state in 16 bytes: the first revision in it, and where it is.
#[derive(Debug)]
struct LeafPlace {
    main: i64,
    sub: u32,
    /// The page, if the leaf is a whole page of the tree. With [`OTHER`], an index in [`StateIndex::others`].
    page: u32,
}

/// The bit in [`LeafPlace::page`] of a leaf that is among the others.
const OTHER: u32 = 1 << 31;

/// A leaf whose numbers do not fit a [`LeafPlace`], or that is no whole page: an inline page, or the part of a page that a
/// salvage uses.
type OtherLeaf<'a> = (Revision, Box<Leaf<'a>>);

/// The leaves of the state by the first revision in each.
#[derive(Debug)]
pub(super) struct StateIndex<'a> {
    pages: Pages<'a>,
    /// Ascending.
    leaves: Vec<LeafPlace>,
    others: Vec<OtherLeaf<'a>>,
    heads: PageSet,
    /// The longer pages that the tree reaches, ascending: the first page, and how many follow. Bytes inside one that look
    /// like a page belong to a value.
    runs: Vec<(u32, u32)>,
    /// First and last page of those whose page id does not fit `runs`, ascending.
    far_runs: Vec<(u64, u64)>,
}

impl LeafPlace {
    /// A leaf that is a whole page. None if a number does not fit.
    fn of_page(first: Revision, pgid: u64) -> Option<Self> {
        let page = u32::try_from(pgid).ok().filter(|page| page & OTHER == 0)?;
        Some(Self {
            main: first.main,
            sub: u32::try_from(first.sub).ok()?,
            page,
        })
    }

    fn other<'o, 'a>(&self, others: &'o [OtherLeaf<'a>]) -> Option<&'o OtherLeaf<'a>> {
        let place = usize::try_from(self.page & !OTHER).ok()?;
        others.get(place).filter(|_| self.page & OTHER != 0)
    }

    /// The first revision in the leaf.
    fn first(&self, others: &[OtherLeaf<'_>]) -> Revision {
        let own = Revision {
            main: self.main,
            sub: self.sub.into(),
        };
        self.other(others).map_or(own, |(first, _)| *first)
    }
}

impl<'a> StateIndex<'a> {
    pub(super) fn new(state: &State<'a>) -> Self {
        let mut index = Self {
            pages: state.db().pages(),
            leaves: Vec::new(),
            others: Vec::new(),
            heads: PageSet::default(),
            runs: Vec::new(),
            far_runs: Vec::new(),
        };
        state.visit_leaves(
            |leaf| Some(first_revision(&leaf.leaf)),
            |leaf, first| index.add(leaf, first.unwrap_or_else(|| first_revision(leaf))),
        );
        // The leaves of a damaged tree may be out of order.
        let others = &index.others;
        index.leaves.sort_by_key(|leaf| leaf.first(others));
        index.runs.sort_unstable();
        index.far_runs.sort_unstable();
        index
    }

    /// Adds the next leaf, with the revision of its first element.
    fn add(&mut self, leaf: &Leaf<'a>, first: Option<Revision>) {
        let page = leaf.page;
        let is_page = leaf.reached && leaf.is_whole() && !page.inline;
        if is_page {
            self.heads.insert(page.pgid.0);
            if page.overflow > 0 {
                self.add_run(page.pgid.0, page.overflow);
            }
        }
        let Some(first) = first else { return };
        let whole = is_page.then(|| LeafPlace::of_page(first, page.pgid.0));
        let place = whole.flatten().unwrap_or_else(|| {
            let other = u32::try_from(self.others.len()).unwrap_or(u32::MAX);
            self.others.push((first, Box::new(leaf.clone())));
            LeafPlace {
                main: 0,
                sub: 0,
                page: other | OTHER,
            }
        });
        self.leaves.push(place);
    }

    /// Adds a page with overflow.
    fn add_run(&mut self, pgid: u64, overflow: u32) {
        match u32::try_from(pgid) {
            Ok(first) => self.runs.push((first, overflow)),
            Err(_) => {
                let last = pgid.saturating_add(overflow.into());
                self.far_runs.push((pgid, last));
            }
        }
    }

    /// First and last page of the last run that begins at a page or before it.
    fn run_before(&self, pgid: u64) -> Option<(u64, u64)> {
        let far = self.far_runs.partition_point(|run| run.0 <= pgid);
        if let Some(last) = far.checked_sub(1) {
            return self.far_runs.get(last).copied();
        }
        let near = self.runs.partition_point(|run| u64::from(run.0) <= pgid);
        let (first, overflow) = *self.runs.get(near.checked_sub(1)?)?;
        Some((
            first.into(),
            u64::from(first).saturating_add(overflow.into()),
        ))
    }

    /// Whether a page is a leaf of the state, or is in the run of one.
    pub(super) fn uses(&self, pgid: u64) -> bool {
        let run = self.run_before(pgid);
        self.heads.contains(pgid) || run.is_some_and(|run| run.1 >= pgid)
    }

    /// The last page of the leaf of the state that begins at a page; `Some(None)` for a page in the middle of one.
    pub(super) fn leaf_at(&self, pgid: u64) -> Option<Option<u64>> {
        match self.run_before(pgid).filter(|run| run.1 >= pgid) {
            Some((first, last)) => Some((first == pgid).then_some(last)),
            None => self.heads.contains(pgid).then_some(Some(pgid)),
        }
    }

    /// The record of a revision.
    pub(super) fn at(&self, revision: Revision) -> Option<Record<'a>> {
        let is_before = |leaf: &LeafPlace| leaf.first(&self.others) <= revision;
        let before = self.leaves.partition_point(is_before);
        let place = self.leaves.get(before.checked_sub(1)?)?;
        match place.other(&self.others) {
            None => {
                let page = self.pages.unchecked(Pgid(place.page.into()))?;
                let count = page.usable_count();
                let element = find(count, revision, |index| page.leaf_element(index).ok())?;
                record(&page, &element)
            }
            Some((_, leaf)) => {
                let mut elements = leaf.elements(Direction::Forward);
                let element = elements
                    .find(|element| BucketKey::revision_of(element.key) == Some(revision))?;
                record(&leaf.page, &element)
            }
        }
    }
}

fn first_revision(leaf: &Leaf<'_>) -> Option<Revision> {
    let first = leaf.elements(Direction::Forward).next()?;
    BucketKey::revision_of(first.key)
}

fn record<'a>(page: &Page<'a>, element: &Element<'a>) -> Option<Record<'a>> {
    Record::parse(page, element).ok().map(|(record, _)| record)
}

/// Finds the element of a revision among `count` ascending ones.
fn find<'a>(
    count: usize,
    revision: Revision,
    element: impl Fn(usize) -> Option<Element<'a>>,
) -> Option<Element<'a>> {
    let (mut from, mut until) = (0, count);
    while from < until {
        let middle = from.midpoint(until);
        let found = element(middle)?;
        let here = BucketKey::revision_of(found.key)?;
        if here == revision {
            return Some(found);
        }
        if here < revision {
            from = middle.saturating_add(1);
        } else {
            until = middle;
        }
    }
    None
}
