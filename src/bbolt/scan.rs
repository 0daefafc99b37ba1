//! Finds the pages of a file without meta page, root or branch: by the id in each page header. It also determines which
//! bytes of each page were overwritten by a later page.
//!
//! This is exact for every byte that bbolt wrote, for two reasons. bbolt writes a page with its whole overflow at once, and
//! never clears a page that it frees. So a page whose id is its own position was written there. If another such page is
//! inside its overflow, that page was written later: the bytes of the later page's run no longer belong to the earlier
//! page, and all other bytes still do.
//!
//! Example: page 10 states an overflow of 3, so its run is pages 10 to 13. Page 12 has the id 12 and an overflow of 0. Then
//! page 12 is a later page. Pages 10, 11 and 13 still have the bytes of page 10; its elements in page 12 are lost.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::bytes::Span;
use crate::source::Source;

use super::bucket::{inline_page, is_bucket};
use super::leaf::{Direction, Leaf};
use super::page::{Element, HEADER_BYTES, Kind, Page, Pgid};
use super::page_owners::WalkedPages;
use super::pages::Pages;

/// After this many bytes, the pages read are released from memory.
const RELEASE_BYTES: usize = 64 << 20;
/// How many headers one task reads at a time.
const TASK_PAGES: u64 = 2048;

/// A page whose id is its own position: a branch, leaf or freelist.
#[derive(Debug, Clone, Copy)]
struct Head {
    pgid: u64,
    kind: Kind,
    overflow: u32,
}

/// First and last page of a run.
type Run = (u64, u64);

/// A run, and its head if that is part of the scan.
type Found = (Run, Option<Head>);

/// The last page of the known run that begins at a page; `Some(None)` for a page in the middle of one.
type KnownRuns<'k> = &'k (dyn Fn(u64) -> Option<Option<u64>> + Sync);

/// Whether every element of a leaf is a bucket. Such a page is, or was, the root.
pub fn is_root(leaf: &Leaf<'_>) -> bool {
    let mut elements = leaf.elements(Direction::Forward).peekable();
    elements.peek().is_some() && elements.all(|element| is_bucket(&element))
}

/// The pages of a file that have a valid header.
#[derive(Debug)]
pub struct PageScan<'a> {
    pages: Pages<'a>,
    heads: Vec<Head>,
    /// See [`Self::runs_without_header`].
    headless: Vec<(Pgid, Pgid)>,
    /// The overwritten parts of each run, ascending, by its first page. Most runs have none.
    overwritten: BTreeMap<u64, Vec<Run>>,
}

impl<'a> PageScan<'a> {
    /// Reads the header of every page, also after the high-water mark: in a copy of a file that was growing, those pages may
    /// belong to the state. The work is linear in the file's pages, the memory in the pages with a valid header.
    pub fn read(pages: Pages<'a>, source: Option<&'a Source>) -> Self {
        Self::read_with(pages, source, None)
    }

    /// The same without the pages that the walk through an intact tree used. Their headers are not read again.
    pub fn read_outside(
        pages: Pages<'a>,
        source: Option<&'a Source>,
        walked: &WalkedPages,
    ) -> Self {
        let run_at = |pgid: u64| {
            let run = walked.is_head(pgid).then(|| walked.last_of(pgid));
            walked.contains(pgid).then_some(run)
        };
        Self::read_around(pages, source, &run_at)
    }

    /// The same without the leaves of an intact tree, whose headers are not read again. `leaf_at` returns the last page of a
    /// leaf of the tree that begins at a page, and `Some(None)` for a page in the middle of one.
    pub fn read_around(
        pages: Pages<'a>,
        source: Option<&'a Source>,
        leaf_at: &(dyn Fn(u64) -> Option<Option<u64>> + Sync),
    ) -> Self {
        Self::read_with(pages, source, Some(leaf_at))
    }

    fn read_with(
        pages: Pages<'a>,
        source: Option<&'a Source>,
        known: Option<KnownRuns<'_>>,
    ) -> Self {
        let mut scan = Self {
            pages,
            heads: Vec::new(),
            headless: Vec::new(),
            overwritten: BTreeMap::new(),
        };
        let end = pages.count();
        let page_size = pages.page_size().max(1);
        let a_release = (RELEASE_BYTES / page_size).max(1) as u64;
        // The runs that contain the current page, the outermost first.
        let mut open: Vec<Run> = Vec::new();
        let mut next = 2_u64;
        // The first page that is in no run so far.
        let mut free_from = next;
        let bytes = |count: u64| count.saturating_mul(page_size as u64);
        if let Some(source) = source {
            source.work().begin(bytes(end));
        }
        while next < end {
            let behind = next.saturating_add(a_release).min(end);
            for (run, head) in scan.runs_in(next, behind, known) {
                scan.add_headless(free_from, run.0);
                free_from = free_from.max(run.1.saturating_add(1));
                scan.overwrite_by(run, &mut open);
                scan.heads.extend(head);
            }
            if let Some(source) = source {
                source.work().add(bytes(behind.saturating_sub(next)));
            }
            next = behind;
            if let Some(source) = source.filter(|_| next < end) {
                source.forget_resident();
                // A hole has no pages: a sparse file may have a terabyte of holes.
                let data = source.next_data(pages.offset_of(Pgid(next)));
                next = data.map_or(end, |data| data / page_size as u64);
            }
        }
        scan.add_headless(free_from, end);
        scan
    }

    /// Adds the pages from one up to before another, if there are any, as a run without a header.
    fn add_headless(&mut self, from: u64, until: u64) {
        if let Some(last) = until.checked_sub(1).filter(|last| *last >= from) {
            self.headless.push((Pgid(from), Pgid(last)));
        }
    }

    /// The runs that begin at these positions, ascending.
    fn runs_in(&self, from: u64, until: u64, known: Option<KnownRuns<'_>>) -> Vec<Found> {
        let found_at = |pgid: u64| match known.and_then(|known| known(pgid)) {
            Some(last) => last.map(|last| ((pgid, last), None)),
            None => self.head_at(pgid).map(|(head, run)| (run, Some(head))),
        };
        let tasks = until.saturating_sub(from).div_ceil(TASK_PAGES);
        let of_task = |task: u64| {
            let start = from.saturating_add(task.saturating_mul(TASK_PAGES));
            let end = start.saturating_add(TASK_PAGES).min(until);
            (start..end).filter_map(found_at).collect()
        };
        let found: Vec<Vec<_>> = (0..tasks).into_par_iter().map(of_task).collect();
        found.into_iter().flatten().collect()
    }

    /// Notes which runs the next run overwrites, in the order of positions; `open` are the runs that may reach it.
    fn overwrite_by(&mut self, (pgid, last): Run, open: &mut Vec<Run>) {
        while open.last().is_some_and(|run| run.1 < pgid) {
            open.pop();
        }
        // A run that ends inside this one has lost its end, so nothing after this one belongs to it.
        while let Some(outer) = open.last().copied() {
            self.overwrite(outer.0, (pgid, last.min(outer.1)));
            if outer.1 > last {
                break;
            }
            open.pop();
        }
        if last > pgid {
            open.push((pgid, last));
        }
    }

    fn overwrite(&mut self, head: u64, run: Run) {
        self.overwritten.entry(head).or_default().push(run);
    }

    /// The head at a position, with its run.
    fn head_at(&self, pgid: u64) -> Option<(Head, Run)> {
        let page = self.pages.unchecked(Pgid(pgid))?;
        let kind = page.kind.filter(|kind| *kind != Kind::Meta)?;
        if page.stated_id != pgid {
            return None;
        }
        Some((
            Head {
                pgid,
                kind,
                overflow: page.overflow,
            },
            (pgid, pgid.saturating_add(u64::from(page.overflow))),
        ))
    }

    /// The positions of the leaf pages, ascending, each with its stated number of pages.
    pub fn leaf_runs(&self) -> impl Iterator<Item = (Pgid, u64)> + '_ {
        let heads = self.heads.iter().filter(|head| head.kind == Kind::Leaf);
        heads.map(|head| {
            let pages = u64::from(head.overflow).saturating_add(1);
            (Pgid(head.pgid), pages)
        })
    }

    /// The runs of pages (first and last) that have no header and are in no other page's run, without the metas. Each is the
    /// rest of a longer run whose first page was overwritten.
    ///
    /// Neighbouring pages without a header belong to one run, because a second run would begin with a header. This does not
    /// hold in a file that was copied while it was written.
    pub fn runs_without_header(&self) -> &[(Pgid, Pgid)] {
        &self.headless
    }

    /// The pages scanned.
    pub fn pages(&self) -> Pages<'a> {
        self.pages
    }

    /// The leaf pages in the order of their positions, each without its overwritten elements, and whether the page is whole
    /// and intact.
    pub fn leaves(&self) -> impl Iterator<Item = (Leaf<'a>, bool)> + '_ {
        self.leaf_runs().filter_map(|(pgid, _)| self.leaf(pgid))
    }

    /// The pages of inline buckets with this name, from every leaf page that may be a root, in the form of [`Self::leaves`].
    pub fn inline_leaves(&self, name: &[u8]) -> impl Iterator<Item = (Leaf<'a>, bool)> {
        self.roots().filter_map(move |(holder, sound)| {
            let (leaf, alone) = self.inline_leaf(&holder, name)?;
            Some((leaf, alone && sound))
        })
    }

    /// The page of the inline bucket with this name in a root page, and whether it is whole and intact.
    pub fn inline_leaf(&self, holder: &Leaf<'a>, name: &[u8]) -> Option<(Leaf<'a>, bool)> {
        let mut elements = holder.elements(Direction::Forward);
        let element = elements.find(|element| element.key == name)?;
        let root = Span::new(element.value, 0, self.pages.order()).u64(0, "bucket root");
        let inline = inline_page(&element, &holder.page, self.pages.order());
        Some(self.checked(inline.filter(|_| root == Ok(0))?, &[]))
    }

    /// The leaf pages whose elements are all buckets. Each is, or was, the root.
    pub fn roots(&self) -> impl Iterator<Item = (Leaf<'a>, bool)> {
        let runs = self.leaf_runs().map(|(pgid, _)| pgid);
        let candidates = runs.filter(|pgid| self.may_be_root(*pgid));
        let leaves = candidates.filter_map(|pgid| self.leaf(pgid));
        leaves.filter(|(leaf, _)| is_root(leaf))
    }

    /// Whether a leaf page may be a root, by its first element. It is not one if that is certainly an element of the page
    /// and no bucket. So almost all pages need no check of their other elements.
    fn may_be_root(&self, pgid: Pgid) -> bool {
        let Some(page) = self.pages.unchecked(pgid) else {
            return true;
        };
        let is_certain = !self.overwritten.contains_key(&pgid.0) && page.starts_after_its_table();
        let is_other = |element: Element<'_>| !is_bucket(&element);
        !(is_certain && page.leaf_element(0).is_ok_and(is_other))
    }

    /// The page at a position, if no part of it was overwritten.
    pub fn whole_page(&self, pgid: Pgid) -> Option<Page<'a>> {
        let page = self.pages.unchecked(pgid)?;
        let whole = !self.overwritten.contains_key(&pgid.0) && self.pages.bounds(&page).is_none();
        whole.then_some(page)
    }

    /// The leaf page at a position without its overwritten elements, and whether it is whole and intact.
    pub fn leaf(&self, pgid: Pgid) -> Option<(Leaf<'a>, bool)> {
        let page = self.pages.unchecked(pgid)?;
        let holes = self.overwritten.get(&pgid.0).map_or(&[][..], Vec::as_slice);
        let (leaf, mut sound) = self.checked(self.own_run(page, holes), holes);
        sound &= self.pages.bounds(&page).is_none();
        Some((leaf, sound))
    }

    fn checked(&self, mut page: Page<'a>, holes: &[Run]) -> (Leaf<'a>, bool) {
        let mut sound = holes.is_empty();
        match holes.first() {
            None => {
                if page.layout_fault().is_some() {
                    sound = false;
                    page = self.pages.repaired(&page).unwrap_or(page);
                }
            }
            // In a crafted file, nested runs could be read many times. So only the element table before the first overwritten
            // part is read.
            Some((first, _)) => {
                let pages = usize::try_from(first.saturating_sub(page.pgid.0)).unwrap_or(1);
                let bytes = pages.saturating_mul(self.pages.page_size());
                let count = page.count.min(bytes / HEADER_BYTES);
                page = page.with_count(count).unwrap_or(page);
            }
        }
        let (leaf, ..) = Leaf::check(page, |_| sound = false);
        let lost = if holes.is_empty() {
            0
        } else {
            page.usable_count()
        };
        let lost = (0..lost)
            .filter(|index| self.is_overwritten(&page, *index, holes))
            .collect();
        (leaf.scanned().without(lost), sound)
    }

    /// The page, cut after the last byte that still belongs to it.
    fn own_run(&self, page: Page<'a>, holes: &[Run]) -> Page<'a> {
        let last = page.pgid.0.saturating_add(u64::from(page.overflow));
        let end = match holes.last() {
            Some((first, end)) if *end >= last => *first,
            _ => last.saturating_add(1),
        };
        page.clipped(end.saturating_sub(page.pgid.0), self.pages.page_size())
    }

    /// Whether a part of the element's header, key or value was overwritten.
    fn is_overwritten(&self, page: &Page<'a>, index: usize, holes: &[Run]) -> bool {
        let Ok(element) = page.leaf_element(index) else {
            return true;
        };
        let page_size = (self.pages.page_size() as u64).max(1);
        let header_at = page
            .run()
            .offset()
            .saturating_add((HEADER_BYTES.saturating_mul(index.saturating_add(1))) as u64);
        let key_at = element
            .value_offset
            .saturating_sub(element.key.len() as u64);
        let end = element
            .value_offset
            .saturating_add(element.value.len() as u64);
        let hit = |from: u64, to: u64| {
            let (first, last) = (from / page_size, to.saturating_sub(1) / page_size);
            // The overwritten parts ascend and do not overlap, so the first one that ends at or after the bytes decides.
            let next = holes.partition_point(|hole| hole.1 < first);
            holes.get(next).is_some_and(|hole| hole.0 <= last)
        };
        hit(header_at, header_at.saturating_add(HEADER_BYTES as u64)) || hit(key_at, end)
    }
}
