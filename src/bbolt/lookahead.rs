//! Leaves that are checked before the walk reaches them, so that all cores can check.
//!
//! What a walk finds out about a leaf depends on its page alone (id, kind, bounds, layout, elements) or on the walk so far
//! (a page reached twice, order between leaves, separators). The first part is done here, for the pages that the walk
//! will probably enter next. Everything else stays in [`super::tree`], in the order of the walk.
//!
//! **Invariant:** a page with a finding is not kept here. The walk reads it itself and reports. A page that the walk
//! enters without expecting it ends the lookahead. So the findings are those of a walk that reads each page by itself.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::bytes::Span;
use crate::source::{Source, Way};

use super::leaf::{Direction, Leaf};
use super::leaf_reader::{LeafReader, ReadLeaf};
use super::page::{Kind, Page, Pgid};
use super::pages::{MAX_TREE_DEPTH, Pages};

/// How many leaves are checked at once at most: about 10 MB of a store with values of 5 KB.
pub const MOST_LEAVES: usize = 1024;

/// From this many leaves on, several cores are worth their start.
const PARALLEL_LEAVES: usize = 32;

/// So many leaves are checked by one core, one after the other.
pub const LEAVES_OF_A_CORE: usize = 32;

/// So many leaves show how fast the file is read.
const SAMPLED_LEAVES: usize = 256;

/// The longest key that is kept in [`EndKey`]. A revision has at most 18 bytes.
const SHORT_KEY: usize = 23;

thread_local! {
    /// The memory for the leaves that a core reads.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A leaf without any finding about its page alone.
#[derive(Debug)]
pub struct CheckedLeaf<'a> {
    /// The leaf.
    pub leaf: Leaf<'a>,
    /// Its first key; none if it has no elements.
    first: Option<EndKey<'a>>,
    /// Its last key.
    last: Option<EndKey<'a>>,
}

impl CheckedLeaf<'_> {
    /// Its first and its last key.
    pub(super) fn ends(&self) -> (Option<&[u8]>, Option<&[u8]>) {
        let [first, last] = [&self.first, &self.last];
        let first = first.as_ref().map(EndKey::bytes);
        (first, last.as_ref().map(EndKey::bytes))
    }
}

/// The first or the last key of a leaf. The walk compares it on another core, and a short one is not read again for it.
#[derive(Debug)]
enum EndKey<'a> {
    Short(u8, [u8; SHORT_KEY]),
    Mapped(&'a [u8]),
}

impl<'a> EndKey<'a> {
    fn new<'c>(key: &'c [u8], read: &ReadLeaf<'c, 'a>) -> Self {
        let mut short = [0; SHORT_KEY];
        match (short.get_mut(..key.len()), u8::try_from(key.len())) {
            (Some(start), Ok(len)) => {
                start.copy_from_slice(key);
                Self::Short(len, short)
            }
            _ => Self::Mapped(read.part_in_map(key)),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Mapped(key) => key,
        }
    }
}

/// A page that the walk will probably enter next. Its leaf is `None` if the walk has to read it itself.
#[derive(Debug)]
pub struct Ahead<'a> {
    pgid: Pgid,
    leaf: Option<(CheckedLeaf<'a>, Slot)>,
}

/// The position of a page among all that a walk has checked ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(pub usize);

/// What is called with each leaf that is checked ahead. It returns false for a leaf that the walk has to read itself.
pub type Prepare<'p, 'a> = dyn Fn(Slot, &ReadLeaf<'_, 'a>) -> bool + Sync + 'p;

/// What the bytes of a leaf are needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// They are only read in the call of [`Prepare`]. So they may be a copy.
    Passing,
    /// They are read after it too, in the map.
    Keeping,
}

/// The leaves of a walk that are checked ahead.
#[derive(Debug)]
pub(super) struct Lookahead<'a> {
    scout: Option<Scout<'a>>,
    /// The leaves that follow, in the order of the walk.
    ready: VecDeque<Ahead<'a>>,
    /// How many pages were asked for.
    asked: usize,
    /// How many leaves are asked for next: few at first, because a question about the newest records ends soon.
    leaves: usize,
    budget: Budget,
}

/// How many bytes of leaves may still be checked ahead. In an intact tree no two pages overlap, so this is the length of
/// the file. In a crafted one all leaves may claim all of it.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<AtomicU64>);

impl Budget {
    /// Takes the bytes of a leaf. False if too few are left.
    fn take(&self, bytes: usize) -> bool {
        let less = |left: u64| left.checked_sub(bytes as u64);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.fetch_update(set, fetch, less).is_ok()
    }
}

impl<'a> Lookahead<'a> {
    /// For a walk from a root page; `None` is a tree without pages of its own.
    pub(super) fn new(pages: Pages<'a>, root: Option<Pgid>, direction: Direction) -> Self {
        Self {
            scout: root.map(|root| Scout::new(pages, root, direction)),
            ready: VecDeque::new(),
            asked: 0,
            leaves: 1,
            budget: Budget(Arc::new(AtomicU64::new(pages.image().len() as u64))),
        }
    }

    /// Whether no leaf is ready.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// A task for the pages of the leaves that follow those that were asked for before; `None` if there are no more. Their
    /// number doubles with each call, and is at least `least`.
    pub(super) fn next_task(
        &mut self,
        (pages, source): (Pages<'a>, Option<&'a Source>),
        least: usize,
    ) -> Option<LookaheadTask<'a>> {
        let scout = self.scout.as_mut()?;
        let leaves = self.leaves.max(least);
        self.leaves = leaves.saturating_mul(2).min(MOST_LEAVES);
        let next: Vec<Pgid> = (0..leaves).map_while(|_| scout.next_leaf()).collect();
        let first = self.asked;
        self.asked = first.saturating_add(next.len());
        (!next.is_empty()).then(|| LookaheadTask {
            pages,
            source,
            next,
            budget: self.budget.clone(),
            first,
        })
    }

    /// Adds the next leaves, in the order of the tasks.
    pub(super) fn add(&mut self, leaves: Vec<Vec<Ahead<'a>>>) {
        if self.scout.is_some() {
            self.ready.extend(leaves.into_iter().flatten());
        }
    }

    /// The leaf of a page that the walk enters `depth` branches below the root, if it was checked.
    pub(super) fn take(&mut self, pgid: Pgid, depth: usize) -> Option<(CheckedLeaf<'a>, Slot)> {
        let scout = self.scout.as_ref()?;
        if !scout.is_leaf_depth(depth) {
            return None;
        }
        let next = self.ready.pop_front()?;
        if next.pgid == pgid {
            return next.leaf;
        }
        self.stop();
        None
    }

    /// Ends the lookahead: the walk is not where it was expected.
    pub(super) fn stop(&mut self) {
        self.scout = None;
        self.ready.clear();
    }
}

/// The pages that a walk will probably enter next. They can be checked while the walk goes on.
#[derive(Debug)]
pub struct LookaheadTask<'a> {
    pages: Pages<'a>,
    source: Option<&'a Source>,
    next: Vec<Pgid>,
    budget: Budget,
    /// The slot of the first page.
    first: usize,
}

impl<'a> LookaheadTask<'a> {
    /// Checks the leaves on all cores. Returns them in their order, some of them together.
    pub fn run(self, purpose: Purpose, prepare: &Prepare<'_, 'a>) -> Vec<Vec<Ahead<'a>>> {
        let source = self.source.filter(|_| purpose == Purpose::Passing);
        let is_sample = source.is_some() && self.next.len() >= SAMPLED_LEAVES;
        let way = source.map_or(Way::Map, |source| source.next_way(is_sample));
        // The sums over all cores: bytes of leaves, and nanoseconds.
        let (bytes, nanoseconds) = (AtomicU64::new(0), AtomicU64::new(0));
        let check = |(at, pgids): (usize, &[Pgid])| {
            let first = self
                .first
                .saturating_add(at.saturating_mul(LEAVES_OF_A_CORE));
            let copied = source.filter(|_| way == Way::Copy);
            let start = is_sample.then(Instant::now);
            let checked = self.check(first, pgids, copied, prepare);
            if let Some(start) = start {
                bytes.fetch_add(run_bytes(&checked), Ordering::Relaxed);
                let time = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
                nanoseconds.fetch_add(time, Ordering::Relaxed);
            }
            checked
        };
        let parts = LEAVES_OF_A_CORE;
        let checked = match self.next.len() < PARALLEL_LEAVES {
            true => vec![check((0, &self.next))],
            false => self.next.par_chunks(parts).enumerate().map(check).collect(),
        };
        if let Some(source) = source.filter(|_| is_sample) {
            let time = Duration::from_nanos(nanoseconds.into_inner());
            source.add_time(way, bytes.into_inner(), time);
        }
        checked
    }

    /// Checks leaves one after the other. `first` is the slot of the first one. With a source they are read from it by
    /// system calls.
    fn check(
        &self,
        first: usize,
        pgids: &[Pgid],
        source: Option<&'a Source>,
        prepare: &Prepare<'_, 'a>,
    ) -> Vec<Ahead<'a>> {
        // While a core waits in `prepare`, it may check other leaves. They are read to another buffer.
        let mut buffer = BUFFER.take();
        let mut reader = source.map(|source| LeafReader::new(self.pages, source, &mut buffer));
        let check = |(at, pgid): (usize, &Pgid)| {
            let slot = Slot(first.saturating_add(at));
            let following = pgids.get(at.saturating_add(1)..).unwrap_or_default();
            let copied = reader
                .as_mut()
                .and_then(|reader| reader.page(*pgid, following));
            let checked = match copied {
                Some((page, mapped)) => self.check_alone(*pgid, page, mapped, slot, prepare),
                None => self
                    .pages
                    .unchecked(*pgid)
                    .and_then(|page| self.check_alone(*pgid, page, page.run(), slot, prepare)),
            };
            Ahead {
                pgid: *pgid,
                leaf: checked.map(|checked| (checked, slot)),
            }
        };
        let checked = pgids.iter().enumerate().map(check).collect();
        BUFFER.set(buffer);
        checked
    }

    /// A leaf about whose page alone nothing is to be reported. `mapped` is its run in the map.
    fn check_alone<'c>(
        &self,
        pgid: Pgid,
        page: Page<'c>,
        mapped: Span<'a>,
        slot: Slot,
        prepare: &Prepare<'_, 'a>,
    ) -> Option<CheckedLeaf<'a>> {
        let page = self.pages.as_tree_page(pgid, Some(page)).ok()?;
        let is_bounded = page.kind == Some(Kind::Leaf) && self.pages.bounds(&page).is_none();
        if !is_bounded || !self.budget.take(page.run().len_bytes()) {
            return None;
        }
        let (leaf, first, last) = Leaf::check_intact(page)?;
        let read = ReadLeaf::as_stored(leaf, mapped);
        prepare(slot, &read).then(|| {
            let end = |key: Option<&'c [u8]>| key.map(|key| EndKey::new(key, &read));
            CheckedLeaf {
                leaf: read.in_map(),
                first: end(first),
                last: end(last),
            }
        })
    }
}

/// How many bytes the leaves have.
fn run_bytes(checked: &[Ahead<'_>]) -> u64 {
    let leaves = checked.iter().filter_map(|ahead| ahead.leaf.as_ref());
    let bytes = leaves.map(|(checked, _)| checked.leaf.page.run().len_bytes());
    bytes.fold(0, usize::saturating_add) as u64
}

/// Finds the pages of leaves by the branches alone. It has no checks of its own: the walk has them.
#[derive(Debug)]
struct Scout<'a> {
    pages: Pages<'a>,
    direction: Direction,
    root: Pgid,
    /// The branches from the root to the current leaf, each with how many children were used.
    stack: Vec<(Page<'a>, usize)>,
    /// How many branches are above each leaf. bbolt's trees have all leaves at one depth.
    depth: Option<usize>,
    has_ended: bool,
}

impl<'a> Scout<'a> {
    fn new(pages: Pages<'a>, root: Pgid, direction: Direction) -> Self {
        Self {
            pages,
            direction,
            root,
            stack: Vec::new(),
            depth: None,
            has_ended: false,
        }
    }

    /// Whether pages below so many branches are leaves, as far as that is known.
    fn is_leaf_depth(&self, depth: usize) -> bool {
        self.depth == Some(depth)
    }

    fn branch(&self, pgid: Pgid) -> Option<Page<'a>> {
        let page = self.pages.tree_page(pgid).ok()?;
        (page.kind == Some(Kind::Branch)).then_some(page)
    }

    /// The next child of the innermost branch that has one.
    fn next_child(&mut self) -> Option<Pgid> {
        loop {
            let (page, used) = self.stack.last_mut()?;
            let count = page.usable_count();
            if *used >= count {
                self.stack.pop();
                continue;
            }
            let index = match self.direction {
                Direction::Forward => *used,
                Direction::Backward => count.saturating_sub(1).saturating_sub(*used),
            };
            *used = used.saturating_add(1);
            return page.branch_child(index);
        }
    }

    /// Goes down to the first leaf, and notes how deep it is. Returns its page, if it is not the root.
    fn first_leaf(&mut self) -> Option<Pgid> {
        let mut pgid = self.root;
        while let Some(branch) = self.branch(pgid) {
            if self.stack.len() >= MAX_TREE_DEPTH {
                return None;
            }
            self.stack.push((branch, 0));
            pgid = self.next_child()?;
        }
        self.depth = Some(self.stack.len());
        (!self.stack.is_empty()).then_some(pgid)
    }

    /// The page of the next leaf. `None` after the last one, and after a branch that cannot be read.
    fn next_leaf(&mut self) -> Option<Pgid> {
        if self.has_ended {
            return None;
        }
        let next = match self.depth {
            None => self.first_leaf(),
            Some(depth) => self.leaf_after(depth),
        };
        self.has_ended = next.is_none();
        next
    }

    fn leaf_after(&mut self, depth: usize) -> Option<Pgid> {
        let mut pgid = self.next_child()?;
        while self.stack.len() < depth {
            let branch = self.branch(pgid)?;
            self.stack.push((branch, 0));
            pgid = self.next_child()?;
        }
        Some(pgid)
    }
}
