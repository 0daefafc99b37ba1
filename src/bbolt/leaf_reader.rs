//! Reads the leaves of a walk by system calls: leaves that follow each other in the file with one call.
//!
//! A pass that looks at each leaf once needs its bytes only for a moment. With the map, the system maps each page of the
//! file and unmaps it later, and each first look waits for memory. A copy takes the same time, and its bytes are in the
//! cache of the core that looks at them.

use crate::bytes::{Span, same_part};
use crate::source::Source;

use super::leaf::Leaf;
use super::page::{HEADER_BYTES, Page, Pgid};
use super::pages::Pages;

/// The most bytes that one call reads. A longer leaf is read from the map, so that its pages are only read if they are
/// needed.
const MOST_BYTES: usize = 128 << 10;

/// The copy begins at an address that is a multiple of this many bytes. The kernel copies from the start of a page. If the
/// copy begins a few bytes after the start of a page, some processors copy at a quarter of the speed.
const ALIGNMENT: usize = 64;

/// A page belongs to a call if at most this many pages are between it and the page before it. A leaf of etcd has about
/// 3 pages.
const MOST_PAGES_BETWEEN: u64 = 16;

/// A leaf that is checked ahead. Its bytes are those of the map, or a copy that is dropped soon.
#[derive(Debug)]
pub struct ReadLeaf<'c, 'a> {
    /// The leaf.
    pub leaf: Leaf<'c>,
    /// The same bytes in the map.
    mapped: Span<'a>,
    is_as_stored: bool,
}

impl<'c, 'a> ReadLeaf<'c, 'a> {
    /// A leaf of an intact page. Its run is as long as the header of the page states.
    pub(super) fn as_stored(leaf: Leaf<'c>, mapped: Span<'a>) -> Self {
        Self {
            leaf,
            mapped,
            is_as_stored: true,
        }
    }

    /// Whether its page is intact, so that the page alone gives the same elements.
    pub fn is_as_stored(&self) -> bool {
        self.is_as_stored
    }

    /// The same leaf in the map. None of its bytes is read.
    pub fn in_map(&self) -> Leaf<'a> {
        self.leaf.clone().with_run(self.mapped)
    }

    /// A part of the leaf in the map. None of its bytes is read.
    pub fn part_in_map(&self, part: &'c [u8]) -> &'a [u8] {
        let copy = self.leaf.page.run().bytes();
        let mapped = same_part(part, copy, self.mapped.bytes());
        debug_assert!(mapped.is_some() || part.is_empty(), "a part of this leaf");
        mapped.unwrap_or_default()
    }
}

impl<'a> From<&Leaf<'a>> for ReadLeaf<'a, 'a> {
    fn from(leaf: &Leaf<'a>) -> Self {
        Self {
            leaf: leaf.clone(),
            mapped: leaf.page.run(),
            is_as_stored: false,
        }
    }
}

/// Reads pages one after the other.
pub(super) struct LeafReader<'b, 'a> {
    pages: Pages<'a>,
    source: &'a Source,
    /// Where its bytes may be.
    buffer: &'b mut [u8],
    /// Where these bytes are in the file image.
    start: usize,
    /// How many there are.
    len: usize,
    /// The length of the last run. It is expected of the next one.
    run_bytes: usize,
}

impl<'b, 'a> LeafReader<'b, 'a> {
    /// `memory` is used for the bytes that are read, and grows if it is too small.
    pub(super) fn new(pages: Pages<'a>, source: &'a Source, memory: &'b mut Vec<u8>) -> Self {
        let needed = MOST_BYTES.min(pages.image().len());
        let needed = needed.saturating_add(ALIGNMENT);
        if memory.len() < needed {
            // Memory that is zero from the start: what is not used is not touched.
            *memory = vec![0; needed];
        }
        let unaligned = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let (_, buffer) = memory.split_at_mut(unaligned);
        Self {
            pages,
            source,
            buffer,
            start: 0,
            len: 0,
            run_bytes: pages.page_size(),
        }
    }

    /// A copy of a page with its run, and the same run in the map. The pages of `following` are expected next. None if the
    /// page has to be read from the map: it is long, or it cannot be read.
    pub(super) fn page(&mut self, pgid: Pgid, following: &[Pgid]) -> Option<(Page<'_>, Span<'a>)> {
        let tail = self.pages.tail(pgid)?;
        let start = self.pages.image().len().checked_sub(tail.len())?;
        if !self.has(start, HEADER_BYTES) {
            self.read(start, tail, self.expected_bytes(pgid, following))?;
        }
        let run_bytes = self
            .pages
            .run_in(tail, &self.parse(pgid, start, HEADER_BYTES)?)
            .len();
        if run_bytes > MOST_BYTES {
            return None;
        }
        self.run_bytes = run_bytes;
        if !self.has(start, run_bytes) {
            self.read(start, tail, self.expected_bytes(pgid, following))?;
        }
        let mapped = Span::new(
            tail.get(..run_bytes)?,
            self.pages.offset_of(pgid),
            self.pages.order(),
        );
        Some((self.parse(pgid, start, run_bytes)?, mapped))
    }

    /// Whether these bytes of the image are in the buffer.
    fn has(&self, start: usize, len: usize) -> bool {
        let skipped = start.checked_sub(self.start);
        skipped.is_some_and(|skipped| skipped.saturating_add(len) <= self.len)
    }

    /// The page at a position in the image, with a run of so many bytes. They have to be in the buffer.
    fn parse(&self, pgid: Pgid, start: usize, len: usize) -> Option<Page<'_>> {
        let at = start.checked_sub(self.start)?;
        let bytes = self.buffer.get(at..at.checked_add(len)?)?;
        let span = Span::new(bytes, self.pages.offset_of(pgid), self.pages.order());
        Page::parse(pgid, span, false)
    }

    /// How many bytes the next call should read: those of the page, and of the pages that follow it closely.
    fn expected_bytes(&self, pgid: Pgid, following: &[Pgid]) -> usize {
        let page_size = self.pages.page_size();
        let most_pages = (MOST_BYTES / page_size) as u64;
        let mut last = pgid.0;
        for next in following {
            let is_near = next.0 > last && next.0 - last <= MOST_PAGES_BETWEEN;
            if !is_near || next.0 - pgid.0 >= most_pages {
                break;
            }
            last = next.0;
        }
        let pages = usize::try_from(last - pgid.0).unwrap_or_default();
        let bytes = pages.saturating_mul(page_size);
        bytes.saturating_add(self.run_bytes).min(MOST_BYTES)
    }

    /// Reads bytes from the start of `tail`, which begins at `start` in the image.
    fn read(&mut self, start: usize, tail: &[u8], len: usize) -> Option<()> {
        let part = tail.get(..len).unwrap_or(tail);
        self.len = 0;
        let copy = self.buffer.get_mut(..part.len())?;
        self.source.read_again(part, copy)?;
        (self.start, self.len) = (start, part.len());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;
    use crate::bytes::ByteOrder;

    /// A file of empty leaves. The leaf at page 4 has three pages, and the one at page 60 is too long for a copy.
    fn leaves() -> Vec<u8> {
        let mut image = vec![0; 200 * 4096];
        for (pgid, page) in image.chunks_mut(4096).enumerate() {
            let overflow = match pgid {
                4 => 2,
                60 => 100,
                _ => 0_u32,
            };
            page[..8].copy_from_slice(&(pgid as u64).to_le_bytes());
            page[8] = 2;
            page[12..16].copy_from_slice(&overflow.to_le_bytes());
            page[100] = u8::try_from(pgid).unwrap();
        }
        image
    }

    #[test]
    fn a_page_is_copied_if_its_bytes_can_be_read() {
        let path = std::env::temp_dir().join(format!("etcdive-{}-leaves", std::process::id()));
        fs::write(&path, leaves()).unwrap();
        let source = Source::open(&path).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let pages = Pages::new(source.bytes(), 4096, ByteOrder::Little);
        let mut memory = Vec::new();
        let mut reader = LeafReader::new(pages, &source, &mut memory);
        let mut copy = |pgid: u64, following: &[u64]| {
            let following: Vec<Pgid> = following.iter().copied().map(Pgid).collect();
            let (page, mapped) = reader.page(Pgid(pgid), &following)?;
            let is_copy = page.run().bytes().as_ptr() != mapped.bytes().as_ptr();
            assert!(is_copy && page.run().bytes() == mapped.bytes());
            assert_eq!((page.pgid, page.stated_id), (Pgid(pgid), pgid));
            Some(page.run().len_bytes() / 4096)
        };
        // Together, then one of them again, then at another place, and back.
        assert_eq!(copy(3, &[4, 7, 8]), Some(1));
        assert_eq!(copy(4, &[7, 8]), Some(3));
        assert_eq!(copy(8, &[150, 2]), Some(1));
        assert_eq!(copy(150, &[2]), Some(1));
        assert_eq!(copy(2, &[]), Some(1));
        assert_eq!(copy(60, &[]), None, "it is too long");
        assert_eq!(copy(200, &[]), None, "it is after the end");
        file.set_len(20 * 4096).unwrap();
        assert_eq!(copy(10, &[14, 18]), Some(1));
        assert_eq!(copy(5, &[]), Some(1));
        assert_eq!(copy(15, &[19, 21, 23]), None, "the call is too long");
        assert_eq!(copy(15, &[19]), Some(1));
        assert_eq!(copy(25, &[]), None);
    }
}
