//! The walk through a B+tree: its leaves in key order, forwards or backwards.
//!
//! The walk is lazy (a question about the newest records touches only the last pages) and checks
//! the tree as it goes: page ids and kinds, bounds, no page twice, depth, ascending keys, and that
//! each separator is the first key of its child. bbolt itself demands only that the separator is not
//! greater; every file that etcd writes has them equal, and a copy taken while it was writing has not.

use crate::diag::{Code, Damage, Diagnostic, Diagnostics};
use crate::source::Source;

use super::page::{Element, Kind, Page, Pages, Pgid};

/// A real tree of a hundred million pages is less than ten deep; deeper than this is hostile.
pub const MAX_TREE_DEPTH: usize = 64;

/// After how many bytes of leaves the pages behind the walk are given back to the system, so that
/// one pass over a file of any length keeps a flat resident size.
const RELEASE_BYTES: usize = 32 << 20;

/// Which way a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// A leaf page that the walk has checked.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    /// The page.
    pub page: Page<'a>,
}

impl<'a> Leaf<'a> {
    /// The elements that can be read, in key order. The walk has reported those that cannot.
    pub fn elements(&self) -> impl DoubleEndedIterator<Item = Element<'a>> + use<'a> {
        let page = self.page;
        (0..page.usable_count()).filter_map(move |index| page.leaf_element(index).ok())
    }
}

/// One bit a page, as long as the highest page set: memory follows the pages that exist.
#[derive(Debug, Default)]
struct Visited {
    words: Vec<u64>,
}

impl Visited {
    /// Marks a page; false when it was marked before.
    fn insert(&mut self, pgid: u64) -> bool {
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
    pages: Pages<'a>,
    diagnostics: &'a Diagnostics,
    source: Option<&'a Source>,
    bucket: Vec<u8>,
    direction: Direction,
    root: Option<Root<'a>>,
    stack: Vec<Frame<'a>>,
    visited: Visited,
    touched_bytes: usize,
}

/// Where a tree starts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Root<'a> {
    Page(Pgid),
    Inline(Page<'a>),
}

impl<'a> Leaves<'a> {
    pub(super) fn new(
        pages: Pages<'a>,
        diagnostics: &'a Diagnostics,
        source: Option<&'a Source>,
        bucket: &[u8],
        root: Root<'a>,
        direction: Direction,
    ) -> Self {
        Self {
            pages,
            diagnostics,
            source,
            bucket: bucket.to_vec(),
            direction,
            root: Some(root),
            stack: Vec::new(),
            visited: Visited::default(),
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
        let page = match self.pages.tree_page(pgid) {
            Ok(page) => page,
            Err(diagnostic) => {
                self.report(diagnostic);
                return None;
            }
        };
        if let Some(diagnostic) = self.pages.bounds(&page) {
            self.report(diagnostic);
        }
        if !self.visited.insert(pgid.0) {
            self.report(
                Diagnostic::new(Code::PageTwice, page.locus())
                    .found("this page was reached before")
                    .effect("it is not entered again"),
            );
            return None;
        }
        self.place(page, expected, upper)
    }

    fn place(
        &mut self,
        page: Page<'a>,
        expected: Option<&'a [u8]>,
        upper: Option<&'a [u8]>,
    ) -> Option<Leaf<'a>> {
        if page.kind == Some(Kind::Leaf) {
            self.check_leaf(&page, expected, upper);
            self.account(&page);
            return Some(Leaf { page });
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
            if let Some(source) = self.source {
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
                        format!("first key {}", expected.escape_ascii()),
                        first.map_or_else(
                            || "no key".to_owned(),
                            |first| first.escape_ascii().to_string(),
                        ),
                    )
                    .effect("this page may belong to another state of the store"),
            );
        }
    }

    fn check_leaf(&self, page: &Page<'a>, expected: Option<&'a [u8]>, upper: Option<&'a [u8]>) {
        let mut first = None;
        let mut last: Option<&[u8]> = None;
        for index in 0..page.usable_count() {
            match page.leaf_element(index) {
                Ok(element) => {
                    if last.is_some_and(|last| last >= element.key) {
                        self.report(Self::out_of_order(page, index, "ascending keys"));
                    }
                    last = Some(element.key);
                    if index == 0 {
                        first = last;
                    }
                }
                Err(diagnostic) => self.report(diagnostic),
            }
        }
        // A first element that cannot be read is damage of its own, already reported.
        if first.is_some() || page.usable_count() == 0 {
            self.check_separator(page, expected, first);
        }
        if let (Some(last), Some(upper)) = (last, upper)
            && last >= upper
        {
            let index = page.usable_count().saturating_sub(1);
            self.report(Self::out_of_order(
                page,
                index,
                "a last key before the next page's first",
            ));
        }
    }

    fn out_of_order(page: &Page<'a>, index: usize, expected: &str) -> Damage {
        Diagnostic::new(Code::KeyOrder, page.locus().element(index))
            .expected(expected, "a key out of order")
            .effect("both are delivered, in the order of the page")
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
                        self.report(Self::out_of_order(&page, index, "ascending separators"));
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
