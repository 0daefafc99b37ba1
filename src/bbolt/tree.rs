//! The walk through a B+tree: its leaves in key order, forwards or backwards.
//!
//! The walk is lazy (a question about the newest records touches only the last pages) and checks
//! the tree as it goes: page ids and kinds, bounds, no page twice, depth, ascending keys, and that
//! each separator is the first key of its child. bbolt itself demands only that the separator is not
//! greater; every file that etcd writes has them equal, and a copy taken while it was writing has not.

use std::sync::{Arc, Mutex, PoisonError};

use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Locus, shown};
use crate::source::Source;

use super::page::{ELEMENT_IS_BUCKET, Element, Kind, Page, Pages, Pgid, Unpacked};

/// A real tree of a hundred million pages is less than ten deep; deeper than this is hostile.
pub const MAX_TREE_DEPTH: usize = 64;

/// After how many bytes of leaves the pages behind the walk are given back to the system, so that
/// one pass over a file of any length keeps a flat resident size.
pub(super) const RELEASE_BYTES: usize = 32 << 20;

/// Which way a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// A leaf page that the walk has checked.
#[derive(Debug, Clone)]
pub struct Leaf<'a> {
    /// The page.
    pub page: Page<'a>,
    /// Indices of the elements that cannot be read, ascending; empty in a sound page.
    unusable: Vec<usize>,
}

impl<'a> Leaf<'a> {
    /// Checks a leaf page by itself: its elements, and that its keys ascend. Gives the first and the
    /// last key that can be read.
    pub fn check(
        page: Page<'a>,
        mut report: impl FnMut(Damage),
    ) -> (Self, Option<&'a [u8]>, Option<&'a [u8]>) {
        let mut first = None;
        let mut last: Option<&[u8]> = None;
        let mut odd = Vec::new();
        let (unusable, findings) = page.check_leaf_elements(|element| {
            if last.is_some_and(|last| last >= element.key) {
                odd.push(out_of_order(&page, element.index, "ascending keys"));
            }
            if element.flags & !ELEMENT_IS_BUCKET != 0 {
                odd.push(
                    Diagnostic::new(Code::ElementFlags, page.locus().element(element.index))
                        .expected("0 or 1", format!("0x{:x}", element.flags))
                        .effect("it is delivered as it stands"),
                );
            }
            last = Some(element.key);
            if element.index == 0 {
                first = last;
            }
        });
        findings.into_iter().chain(odd).for_each(&mut report);
        (Self { page, unusable }, first, last)
    }

    /// The elements that can be read, in either direction. The walk has reported those that cannot. A
    /// nested bucket (etcd has none below the root) is an element with its header as the value.
    pub fn elements(&self, direction: Direction) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let page = self.page;
        let unusable = self.unusable.clone();
        let count = page.usable_count();
        (0..count).filter_map(move |step| {
            let index = match direction {
                Direction::Forward => step,
                Direction::Backward => count.saturating_sub(1).saturating_sub(step),
            };
            // In a sound page there is nothing to search.
            let readable = unusable.is_empty() || unusable.binary_search(&index).is_err();
            readable.then(|| page.leaf_element(index).ok()).flatten()
        })
    }
}

fn out_of_order(page: &Page<'_>, index: usize, expected: &str) -> Damage {
    Diagnostic::new(Code::KeyOrder, page.locus().element(index))
        .expected(expected, "a key out of order")
        .effect("both are delivered, in the order of the page")
}

fn not_packed(page: &Page<'_>, unpacked: Unpacked) -> Damage {
    let effect = "elements of this page may be missing or not what was written";
    match unpacked {
        Unpacked::Element(index) => {
            Diagnostic::new(Code::ElementLayout, page.locus().element(index))
                .expected("a key right behind the element before it", "another place")
                .effect(effect)
        }
        Unpacked::Slack { offset } => {
            Diagnostic::new(Code::SlackNotZero, Locus::page(page.pgid.0, offset))
                .expected("zeros behind the last element", "other bytes")
                .effect(effect)
        }
    }
}

/// One bit a page, as long as the highest page set: memory follows the pages that exist.
#[derive(Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Whether a page is marked.
    pub(super) fn contains(&self, pgid: u64) -> bool {
        let word = usize::try_from(pgid / 64).ok();
        let bits = word.and_then(|word| self.words.get(word));
        bits.is_some_and(|bits| bits & (1 << (pgid % 64)) != 0)
    }

    /// Marks a page; false when it was marked before.
    pub(super) fn insert(&mut self, pgid: u64) -> bool {
        let Ok(word) = usize::try_from(pgid / 64) else {
            return false;
        };
        let bit = 1_u64 << (pgid % 64);
        if self.words.len() <= word {
            self.words.resize(word.saturating_add(1), 0);
        }
        self.words.get_mut(word).is_some_and(|bits| {
            let fresh = *bits & bit == 0;
            *bits |= bit;
            fresh
        })
    }
}

/// What one walk has used. A page is entered once, and used as a part of others' overflow once more
/// at most: where a page claims another's, either may be the damaged one, so both are read; but the bytes
/// delivered never exceed twice the file.
#[derive(Debug, Default)]
struct Used {
    entered: Bits,
    once: Bits,
    twice: Bits,
}

/// Which buckets' walks entered a page: in a sound file one. Where two claim it either may be the damaged
/// one, so both may have it; a third may not, or a small file could be made to look endless.
#[derive(Debug, Default)]
pub(super) struct Owners {
    of_page: Mutex<Vec<[u16; 2]>>,
}

/// What a walk is told that wants a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// It is this bucket's alone so far.
    Own,
    /// It is another's, too.
    Shared,
    /// It is two others'.
    Refused,
}

impl Owners {
    /// Claims a page for the bucket with this number (from 1).
    fn claim(&self, pgid: u64, bucket: u16) -> Claim {
        let Ok(page) = usize::try_from(pgid) else {
            return Claim::Refused;
        };
        let mut of_page = self.of_page.lock().unwrap_or_else(PoisonError::into_inner);
        if of_page.len() <= page {
            of_page.resize(page.saturating_add(1), [0; 2]);
        }
        let Some([first, second]) = of_page.get_mut(page) else {
            return Claim::Refused;
        };
        if *first == 0 || *first == bucket {
            *first = bucket;
            // The first owner hears of the second as well.
            return if *second == 0 {
                Claim::Own
            } else {
                Claim::Shared
            };
        }
        if *second == 0 || *second == bucket {
            *second = bucket;
            return Claim::Shared;
        }
        Claim::Refused
    }
}

/// What all walks through one file share.
#[derive(Debug, Clone)]
pub(super) struct Ground<'a> {
    pub(super) pages: Pages<'a>,
    pub(super) source: Option<&'a Source>,
    pub(super) owners: Arc<Owners>,
}

/// A page to enter, and what the branch above says of its keys.
struct Child<'a> {
    pgid: Pgid,
    /// Its first key.
    separator: Option<&'a [u8]>,
    /// First key behind everything under it.
    upper: Option<&'a [u8]>,
}

/// A branch page on the way down.
struct Frame<'a> {
    page: Page<'a>,
    /// How many of its children the walk has entered.
    entered: usize,
    /// First key behind everything under this page.
    upper: Option<&'a [u8]>,
}

/// Iterator over the leaves of one tree.
pub struct Leaves<'a> {
    ground: Ground<'a>,
    diagnostics: &'a Diagnostics,
    bucket: Vec<u8>,
    number: u16,
    direction: Direction,
    root: Option<Root<'a>>,
    stack: Vec<Frame<'a>>,
    used: Used,
    touched_bytes: usize,
}

/// Where a tree starts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Root<'a> {
    Page(Pgid),
    Inline(Page<'a>),
}

impl<'a> Leaves<'a> {
    /// `number` tells the bucket from the others of the file; 1 is the root.
    pub(super) fn new(
        ground: Ground<'a>,
        diagnostics: &'a Diagnostics,
        (bucket, number): (&[u8], u16),
        root: Root<'a>,
        direction: Direction,
    ) -> Self {
        Self {
            ground,
            diagnostics,
            bucket: bucket.to_vec(),
            number,
            direction,
            root: Some(root),
            stack: Vec::new(),
            used: Used::default(),
            touched_bytes: 0,
        }
    }

    fn report(&self, mut damage: Damage) {
        if !self.bucket.is_empty() {
            damage.locus = damage.locus.bucket(&self.bucket);
        }
        self.diagnostics.report(damage);
    }

    /// Enters a page: a leaf is the next item, a branch goes on the stack, damage is reported.
    fn enter(
        &mut self,
        pgid: Pgid,
        expected: Option<&'a [u8]>,
        upper: Option<&'a [u8]>,
    ) -> Option<Leaf<'a>> {
        let page = match self.ground.pages.tree_page(pgid) {
            Ok(page) => page,
            Err(diagnostic) => {
                self.report(diagnostic);
                return None;
            }
        };
        if let Some(diagnostic) = self.ground.pages.bounds(&page) {
            self.report(diagnostic);
        }
        let again = |found: &str| {
            Diagnostic::new(Code::PageTwice, page.locus())
                .found(found)
                .effect("it is not entered again")
        };
        if !self.used.entered.insert(pgid.0) {
            self.report(again("this page was reached before"));
            return None;
        }
        match self.ground.owners.claim(pgid.0, self.number) {
            Claim::Own => {}
            Claim::Shared => self.report(
                Diagnostic::new(Code::PageTwice, page.locus())
                    .found("this page is another bucket's too")
                    .effect("both are read; one of them is not what it was"),
            ),
            Claim::Refused => {
                self.report(again("this page is two other buckets' already"));
                return None;
            }
        }
        let page = self.use_run(page);
        self.place(page, expected, upper)
    }

    /// Marks the pages of a run as used; the run ends before a page that two others use already.
    fn use_run(&mut self, page: Page<'a>) -> Page<'a> {
        let present = self.ground.pages.count().saturating_sub(page.pgid.0);
        let pages = u64::from(page.overflow).saturating_add(1).min(present);
        let mut shared = None;
        let mut usable = 0;
        for pgid in page.pgid.0..page.pgid.0.saturating_add(pages) {
            if !self.used.once.insert(pgid) {
                shared = shared.or(Some(pgid));
                if !self.used.twice.insert(pgid) {
                    break;
                }
            }
            usable += 1;
        }
        if let Some(pgid) = shared {
            self.report(
                Diagnostic::new(Code::PageTwice, page.locus())
                    .found(format!("page {pgid} of its {pages} is another's too"))
                    .effect("both are read; one of them is not what it was"),
            );
        }
        page.clipped(usable, self.ground.pages.page_size())
    }

    fn place(
        &mut self,
        page: Page<'a>,
        expected: Option<&'a [u8]>,
        upper: Option<&'a [u8]>,
    ) -> Option<Leaf<'a>> {
        if let Some(unpacked) = page.unpacked() {
            self.report(not_packed(&page, unpacked));
        }
        if page.kind == Some(Kind::Leaf) {
            self.account(&page);
            return Some(self.check_leaf(page, expected, upper));
        }
        if page.usable_count() == 0 {
            self.report(
                Diagnostic::new(Code::BranchEmpty, page.locus())
                    .effect("what lies under it is missing from this answer"),
            );
            return None;
        }
        if self.stack.len() >= MAX_TREE_DEPTH {
            self.report(
                Diagnostic::new(Code::TreeTooDeep, page.locus())
                    .expected(format!("at most {MAX_TREE_DEPTH} levels"), "more")
                    .effect("what lies under it is missing from this answer"),
            );
            return None;
        }
        if let Ok((first, _)) = page.branch_element(0) {
            self.check_separator(&page, expected, Some(first));
        }
        self.stack.push(Frame {
            page,
            entered: 0,
            upper,
        });
        None
    }

    fn account(&mut self, page: &Page<'a>) {
        self.touched_bytes = self.touched_bytes.saturating_add(page.run().len_bytes());
        if self.touched_bytes >= RELEASE_BYTES {
            self.touched_bytes = 0;
            if let Some(source) = self.ground.source {
                source.forget_resident();
            }
        }
    }

    fn check_separator(
        &self,
        page: &Page<'a>,
        expected: Option<&'a [u8]>,
        first: Option<&'a [u8]>,
    ) {
        if let Some(expected) = expected
            && first != Some(expected)
        {
            self.report(
                Diagnostic::new(Code::SeparatorMismatch, page.locus())
                    .expected(
                        format!("first key {}", shown(expected)),
                        first.map_or_else(|| "no key".to_owned(), shown),
                    )
                    .effect("this page may belong to another state of the store"),
            );
        }
    }

    fn check_leaf(
        &self,
        page: Page<'a>,
        expected: Option<&'a [u8]>,
        upper: Option<&'a [u8]>,
    ) -> Leaf<'a> {
        let (leaf, first, last) = Leaf::check(page, |finding| self.report(finding));
        // A first element that cannot be read is damage of its own, already reported.
        if first.is_some() || page.usable_count() == 0 {
            self.check_separator(&page, expected, first);
        }
        if let (Some(last), Some(upper)) = (last, upper)
            && last >= upper
        {
            let index = page.usable_count().saturating_sub(1);
            self.report(out_of_order(
                &page,
                index,
                "a last key before the next page's first",
            ));
        }
        leaf
    }

    /// The next child of the innermost branch: its page, its separator, the first key behind it.
    fn next_child(&mut self) -> Option<Child<'a>> {
        loop {
            let frame = self.stack.last_mut()?;
            let count = frame.page.usable_count();
            if frame.entered >= count {
                self.stack.pop();
                continue;
            }
            let index = match self.direction {
                Direction::Forward => frame.entered,
                Direction::Backward => count.saturating_sub(1).saturating_sub(frame.entered),
            };
            frame.entered = frame.entered.saturating_add(1);
            let page = frame.page;
            let upper = match index.checked_add(1) {
                Some(next) if next < count => page.branch_element(next).ok().map(|(key, _)| key),
                _ => frame.upper,
            };
            let separator = match page.branch_element(index) {
                Ok((key, _)) => {
                    if upper.is_some_and(|upper| upper <= key) {
                        self.report(out_of_order(&page, index, "ascending separators"));
                    }
                    Some(key)
                }
                Err(diagnostic) => {
                    self.report(diagnostic);
                    None
                }
            };
            if let Some(child) = page.branch_child(index) {
                return Some(Child {
                    pgid: child,
                    separator,
                    upper,
                });
            }
        }
    }
}

impl<'a> Iterator for Leaves<'a> {
    type Item = Leaf<'a>;

    fn next(&mut self) -> Option<Leaf<'a>> {
        let started = match self.root.take() {
            Some(Root::Page(pgid)) => self.enter(pgid, None, None),
            Some(Root::Inline(page)) => self.place(page, None, None),
            None => None,
        };
        if started.is_some() {
            return started;
        }
        loop {
            let child = self.next_child()?;
            if let Some(leaf) = self.enter(child.pgid, child.separator, child.upper) {
                return Some(leaf);
            }
        }
    }
}
