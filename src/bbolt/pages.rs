//! The pages of a file by page id.

use crate::bytes::{ByteOrder, Span, room};
use crate::diag::{Code, Damage, Diagnostic, Locus};
use crate::plural::{counted, plural};

use super::page::{HEADER_BYTES, Kind, Page, Pgid};

/// A tree of a hundred million pages has fewer than ten levels. A deeper one is hostile.
pub const MAX_TREE_DEPTH: usize = 64;

/// The effect of a page of a tree that cannot be read.
pub(super) const SUBTREE_MISSING: &str = "its subtree is missing from this answer";

/// Copies a part of the image to a buffer. None if it cannot.
pub type Copying<'c> = &'c dyn Fn(&[u8], &mut [u8]) -> Option<()>;

/// The pages of a file image.
#[derive(Debug, Clone, Copy)]
pub struct Pages<'a> {
    image: &'a [u8],
    page_size: usize,
    order: ByteOrder,
    high_water_mark: u64,
}

impl<'a> Pages<'a> {
    /// `image` is the file without a snapshot's trailer; `page_size` in bytes.
    pub fn new(image: &'a [u8], page_size: usize, order: ByteOrder) -> Self {
        Self {
            image,
            page_size: page_size.max(HEADER_BYTES),
            order,
            high_water_mark: u64::MAX,
        }
    }

    /// The same pages with a high-water mark: pages from `mark` on were never allocated.
    #[must_use]
    pub fn below(mut self, mark: u64) -> Self {
        self.high_water_mark = mark;
        self
    }

    /// The whole image.
    pub fn image(&self) -> &'a [u8] {
        self.image
    }

    /// Page size in bytes.
    pub fn page_size(&self) -> usize {
        self.page_size
    }

    /// Byte order of the structures.
    pub fn order(&self) -> ByteOrder {
        self.order
    }

    /// Number of pages in the file, including a cut page at its end.
    pub fn count(&self) -> u64 {
        self.image.len().div_ceil(self.page_size) as u64
    }

    /// Absolute offset of a page, in bytes.
    pub fn offset_of(&self, pgid: Pgid) -> u64 {
        pgid.0.saturating_mul(self.page_size as u64)
    }

    /// Where a page starts in the image; none if that is after the end of the file.
    fn start_of(&self, pgid: Pgid) -> Option<usize> {
        let start = usize::try_from(pgid.0).ok()?.checked_mul(self.page_size)?;
        (start < self.image.len()).then_some(start)
    }

    /// The image from the start of a page on.
    pub(super) fn tail(&self, pgid: Pgid) -> Option<&'a [u8]> {
        self.image.get(self.start_of(pgid)?..)
    }

    /// The page at a position. Its run is as long as its header states and the file allows. Nothing is checked.
    pub fn unchecked(&self, pgid: Pgid) -> Option<Page<'a>> {
        let tail = self.tail(pgid)?;
        // The length of the run is only known from the header.
        let header = Page::parse(
            pgid,
            Span::new(tail, self.offset_of(pgid), self.order),
            false,
        )?;
        let run = self.run_in(tail, &header);
        Some(header.with_run(Span::new(run, self.offset_of(pgid), self.order)))
    }

    /// As [`Self::unchecked`], from a copy.
    pub fn copied<'b>(
        &self,
        pgid: Pgid,
        copy: Copying<'_>,
        buffer: &'b mut Vec<u8>,
    ) -> Option<Page<'b>> {
        let tail = self.tail(pgid)?;
        let offset = self.offset_of(pgid);
        let mut header = [0; HEADER_BYTES];
        copy(tail.get(..HEADER_BYTES)?, &mut header)?;
        let header = Page::parse(pgid, Span::new(&header, offset, self.order), false)?;
        let run = self.run_in(tail, &header);
        let copied = room(buffer, run.len());
        copy(run, copied)?;
        Page::parse(pgid, Span::new(copied, offset, self.order), false)
    }

    /// The run of a page at the start of `tail`, as long as its header states and the file allows.
    pub(super) fn run_in<'t>(&self, tail: &'t [u8], header: &Page<'_>) -> &'t [u8] {
        let run_bytes = usize::try_from(header.overflow)
            .ok()
            .and_then(|overflow| overflow.checked_add(1))
            .and_then(|pages| pages.checked_mul(self.page_size))
            .unwrap_or(usize::MAX);
        tail.get(..run_bytes).unwrap_or(tail)
    }

    /// The page at a position with a run of `pages` pages; none if the file ends before that.
    pub(super) fn run_of(&self, pgid: Pgid, pages: usize) -> Option<Page<'a>> {
        let bytes = pages.checked_mul(self.page_size)?;
        let run = self.tail(pgid)?.get(..bytes)?;
        let span = Span::new(run, self.offset_of(pgid), self.order);
        Page::parse(pgid, span, false)
    }

    /// The tree page at a position: inside the file, with its own id, a branch or a leaf.
    ///
    /// # Errors
    /// The finding that names the reason. An overflow beyond the end of the file is not an error here: the part inside the
    /// file is returned, and [`Self::bounds`] reports the rest.
    pub fn tree_page(&self, pgid: Pgid) -> Result<Page<'a>, Damage> {
        self.as_tree_page(pgid, self.unchecked(pgid))
    }

    /// As [`Self::tree_page`] for a page that was read already.
    pub(super) fn as_tree_page<'p>(
        &self,
        pgid: Pgid,
        page: Option<Page<'p>>,
    ) -> Result<Page<'p>, Damage> {
        let locus = || Locus::page(pgid.0, self.offset_of(pgid));
        let effect = SUBTREE_MISSING;
        let page = page.filter(|_| pgid.0 >= 2).ok_or_else(|| {
            Diagnostic::new(Code::PageOutOfRange, locus())
                .expected(
                    format!("a page among the file's {}", self.count()),
                    format!("page {pgid}"),
                )
                .effect(effect)
        })?;
        if page.stated_id != pgid.0 {
            return Err(Diagnostic::new(Code::PageIdMismatch, locus())
                .expected(
                    format!("page id {pgid}"),
                    format!("page id {}", page.stated_id),
                )
                .effect(effect));
        }
        match page.kind {
            Some(Kind::Branch | Kind::Leaf) => Ok(page),
            kind => Err(Diagnostic::new(Code::PageKind, locus())
                .expected(
                    "a branch or a leaf",
                    kind.map_or_else(
                        || format!("flags 0x{:04x}", page.flags),
                        |kind| format!("a {} page", kind.as_str()),
                    ),
                )
                .effect(effect)),
        }
    }

    /// The finding about a page that is too long: its overflow goes beyond the high-water mark or the end of the file, or
    /// its elements go beyond the page.
    pub fn bounds(&self, page: &Page<'_>) -> Option<Damage> {
        let pages = u64::from(page.overflow).saturating_add(1);
        let end = page.pgid.0.saturating_add(pages);
        if !page.inline && end > self.high_water_mark {
            return Some(
                Diagnostic::new(Code::PageBeyondMark, page.locus())
                    .expected(
                        format!("pages below the high-water mark {}", self.high_water_mark),
                        format!("pages up to {}", end.saturating_sub(1)),
                    )
                    .effect("this page may belong to another state of the store"),
            );
        }
        if !page.inline && end > self.image.len() as u64 / self.page_size as u64 {
            return Some(
                Diagnostic::new(Code::PageBounds, page.locus())
                    .expected(
                        format!("its {} inside the file", counted(pages, "page", "pages")),
                        format!("the file ends before page {end}"),
                    )
                    .effect("elements after the end of the file are missing from this answer"),
            );
        }
        (page.usable_count() < page.count).then(|| {
            Diagnostic::new(Code::PageBounds, page.locus())
                .expected(
                    format!(
                        "at most {} in {} bytes",
                        plural(page.usable_count(), "element", "elements"),
                        page.run().len_bytes()
                    ),
                    format!("count {}", page.count),
                )
                .effect("elements past its end do not exist")
        })
    }
}
