//! Looks up records of the state by revision, without a copy of all records.

use crate::bbolt::page_set::PageSet;
use crate::bbolt::{Direction, Element, Leaf, Page, Pages, Pgid};
use crate::etcd::record::Record;
use crate::etcd::revision::{BucketKey, Revision};
use crate::etcd::state::State;

/// The place of some records of the state.
#[derive(Debug)]
enum Place<'a> {
    /// In a whole page of the tree.
    Page(Pgid),
    /// In an inline page, or in the part of a page that a salvage uses.
    Leaf(Box<Leaf<'a>>),
}

/// The leaves of the state by the first revision in each.
#[derive(Debug)]
pub(super) struct StateIndex<'a> {
    pages: Pages<'a>,
    /// Ascending.
    leaves: Vec<(Revision, Place<'a>)>,
    heads: PageSet,
    /// First and last page of the longer pages that the tree reaches, ascending. Bytes inside one that look like a page
    /// belong to a value.
    runs: Vec<(u64, u64)>,
}

impl<'a> StateIndex<'a> {
    pub(super) fn new(state: &State<'a>) -> Self {
        let mut index = Self {
            pages: state.db().pages(),
            leaves: Vec::new(),
            heads: PageSet::default(),
            runs: Vec::new(),
        };
        state.visit_leaves(
            |leaf| Some(first_revision(leaf)),
            |leaf, first| index.add(leaf, first.unwrap_or_else(|| first_revision(leaf))),
        );
        // The leaves of a damaged tree may be out of order.
        index.leaves.sort_by_key(|(first, _)| *first);
        index.runs.sort_unstable();
        index
    }

    /// Adds the next leaf, with the revision of its first element.
    fn add(&mut self, leaf: &Leaf<'a>, first: Option<Revision>) {
        let page = leaf.page;
        let is_page = leaf.reached && leaf.is_whole() && !page.inline;
        if is_page {
            self.heads.insert(page.pgid.0);
            if page.overflow > 0 {
                let last = page.pgid.0.saturating_add(u64::from(page.overflow));
                self.runs.push((page.pgid.0, last));
            }
        }
        let Some(first) = first else { return };
        let place = if is_page {
            Place::Page(page.pgid)
        } else {
            Place::Leaf(Box::new(leaf.clone()))
        };
        self.leaves.push((first, place));
    }

    /// Whether a page is a leaf of the state, or is in the run of one.
    pub(super) fn uses(&self, pgid: u64) -> bool {
        let before = self.runs.partition_point(|run| run.0 < pgid);
        let run = before.checked_sub(1).and_then(|last| self.runs.get(last));
        self.heads.contains(pgid) || run.is_some_and(|run| run.1 >= pgid)
    }

    /// The last page of the leaf of the state that begins at a page; `Some(None)` for a page in the middle of one.
    pub(super) fn leaf_at(&self, pgid: u64) -> Option<Option<u64>> {
        let before = self.runs.partition_point(|run| run.0 <= pgid);
        let run = before.checked_sub(1).and_then(|last| self.runs.get(last));
        match run.filter(|run| run.1 >= pgid) {
            Some((first, last)) => Some((*first == pgid).then_some(*last)),
            None => self.heads.contains(pgid).then_some(Some(pgid)),
        }
    }

    /// The record of a revision.
    pub(super) fn at(&self, revision: Revision) -> Option<Record<'a>> {
        let before = self.leaves.partition_point(|(first, _)| *first <= revision);
        let (_, place) = self.leaves.get(before.checked_sub(1)?)?;
        match place {
            Place::Page(pgid) => {
                let page = self.pages.unchecked(*pgid)?;
                let count = page.usable_count();
                let element = find(count, revision, |index| page.leaf_element(index).ok())?;
                record(&page, &element)
            }
            Place::Leaf(leaf) => {
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
