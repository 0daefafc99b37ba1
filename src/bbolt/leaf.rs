//! A leaf page with the elements that can be read.

use std::ops::Range;

use crate::bytes::Span;
use crate::diag::{Code, Damage, Diagnostic};

use super::page::{ELEMENT_IS_BUCKET, Element, Page};

/// The direction of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// A checked leaf page: the whole page, or the part that a salvage uses.
#[derive(Debug, Clone)]
pub struct Leaf<'a> {
    /// The page.
    pub page: Page<'a>,
    /// Whether the tree leads to it. If not, a scan of the pages found it.
    pub reached: bool,
    /// Indices of the elements that cannot be read, ascending; empty in an intact page.
    unusable: Vec<usize>,
    /// The elements that belong to this part.
    part: Range<usize>,
}

impl<'a> Leaf<'a> {
    /// Checks a leaf page without its tree: its elements, and that its keys ascend. Returns the first and the last
    /// key that can be read.
    pub fn check(
        page: Page<'a>,
        mut report: impl FnMut(Damage),
    ) -> (Self, Option<&'a [u8]>, Option<&'a [u8]>) {
        let mut first = None;
        let mut last: Option<&[u8]> = None;
        let mut of_elements = Vec::new();
        let (unusable, findings) = page.check_leaf_elements(|element| {
            if last.is_some_and(|last| last >= element.key) {
                of_elements.push(out_of_order(&page, element.index, "ascending keys"));
            }
            if element.flags & !ELEMENT_IS_BUCKET != 0 {
                of_elements.push(
                    Diagnostic::new(Code::ElementFlags, page.locus().element(element.index))
                        .expected("0 or 1", format!("0x{:x}", element.flags))
                        .effect("it is included as it is"),
                );
            }
            last = Some(element.key);
            if element.index == 0 {
                first = last;
            }
        });
        findings
            .into_iter()
            .chain(of_elements)
            .for_each(&mut report);
        let leaf = Self {
            page,
            reached: true,
            unusable,
            part: 0..page.usable_count(),
        };
        (leaf, first, last)
    }

    /// Checks a leaf in one pass over its table of elements. Returns what [`Self::check`] returns if the leaf is exactly as
    /// bbolt writes it and [`Self::check`] would report nothing; otherwise `None`.
    #[expect(clippy::type_complexity, reason = "as `check`")]
    pub(super) fn check_intact(
        page: Page<'a>,
    ) -> Option<(Self, Option<&'a [u8]>, Option<&'a [u8]>)> {
        let mut first = None;
        let mut last: Option<&[u8]> = None;
        let is_intact = page.visit_packed(|flags, key| {
            let ascends = last.is_none_or(|last| last < key);
            last = Some(key);
            first = first.or(last);
            ascends && flags & !ELEMENT_IS_BUCKET == 0
        });
        let leaf = Self {
            page,
            reached: true,
            unusable: Vec::new(),
            part: 0..page.count,
        };
        is_intact.then_some((leaf, first, last))
    }

    /// The same leaf, found by a scan.
    pub(super) fn scanned(mut self) -> Self {
        self.reached = false;
        self
    }

    /// The same leaf with another run of its page, which has the same bytes.
    pub(super) fn with_run(self, run: Span<'_>) -> Leaf<'_> {
        Leaf {
            page: self.page.with_run(run),
            reached: self.reached,
            unusable: self.unusable,
            part: self.part,
        }
    }

    /// The same leaf without the elements at these indices.
    #[must_use]
    pub fn without(mut self, mut indices: Vec<usize>) -> Self {
        self.unusable.append(&mut indices);
        self.unusable.sort_unstable();
        self.unusable.dedup();
        self
    }

    /// The same leaf with only the elements at these indices.
    #[must_use]
    pub fn part(&self, indices: Range<usize>) -> Self {
        Self {
            part: indices,
            ..self.clone()
        }
    }

    /// Whether it has all elements of its page, and all can be read.
    pub fn is_whole(&self) -> bool {
        self.unusable.is_empty() && self.part == (0..self.page.usable_count())
    }

    /// The element at an index, if it is in the part and can be read.
    #[inline]
    pub fn element(&self, index: usize) -> Option<Element<'a>> {
        // In an intact page there is nothing to search.
        let readable = self.unusable.is_empty() || self.unusable.binary_search(&index).is_err();
        (readable && self.part.contains(&index))
            .then(|| self.page.leaf_element(index).ok())
            .flatten()
    }

    /// The elements that can be read, in either direction. The walk has reported those that cannot. A
    /// nested bucket (etcd has none below the root) is an element with its header as the value.
    pub fn elements(&self, direction: Direction) -> impl Iterator<Item = Element<'a>> + use<'a> {
        let page = self.page;
        let unusable = self.unusable.clone();
        let Range { start, end } = self.part;
        (0..end.saturating_sub(start)).filter_map(move |step| {
            let index = match direction {
                Direction::Forward => start.saturating_add(step),
                Direction::Backward => end.saturating_sub(1).saturating_sub(step),
            };
            // In an intact page there is nothing to search.
            let readable = unusable.is_empty() || unusable.binary_search(&index).is_err();
            readable.then(|| page.leaf_element(index).ok()).flatten()
        })
    }
}

/// The finding about a key that is out of order.
pub(super) fn out_of_order(page: &Page<'_>, index: usize, expected: &str) -> Damage {
    Diagnostic::new(Code::KeyOrder, page.locus().element(index))
        .expected(expected, "a key out of order")
        .effect("both are included, in the order of the page")
}
