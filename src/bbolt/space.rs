//! The bytes of a file, each in exactly one use.
//!
//! A reader of elements claims their bytes with [`Claims`]. [`Claims::rest`] then gives how many bytes of each page
//! were not claimed, with the use of the page. Claims and rests together are the length of the image, for a damaged
//! file too.
//!
//! **Invariant:** the claims of a page are never more than its length. In a damaged file two elements may have the same
//! bytes, and a page may be read twice. So a claim returns how many bytes were granted, and a caller counts only these.

use crate::fast_map::FastMap;

use super::db::Db;
use super::page::{ELEMENT_BYTES, HEADER_BYTES, Page, Pgid};
use super::page_use::{PageUse, Use};

/// What a page is in the chosen state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageClass {
    /// One of the two meta pages.
    Meta,
    /// A page of the freelist.
    Freelist,
    /// A branch page of the tree of a bucket.
    Branch {
        /// Index in [`PageUse::buckets`].
        bucket: usize,
    },
    /// A leaf page of the tree of a bucket.
    Leaf {
        /// Index in [`PageUse::buckets`].
        bucket: usize,
        /// Whether it is an overflow page.
        inside: bool,
    },
    /// A tree points to it, but it is not a tree page.
    Broken,
    /// No tree uses it; bbolt may reuse it.
    Free,
    /// No tree uses it, and the stored freelist does not list it.
    Unreached,
}

/// A page with the number of its bytes that were not claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRest {
    /// What the page is.
    pub class: PageClass,
    /// Its length in bytes.
    pub page_bytes: u64,
    /// How many of its bytes were not claimed.
    pub bytes: u64,
    /// Whether any of its bytes were claimed.
    pub is_claimed: bool,
    /// Whether its reader found damage in it.
    pub is_damaged: bool,
}

/// Set for a page in which a reader found damage.
const DAMAGED: u32 = 1 << 31;
/// Set for the first page of a run whose header and element table were claimed.
const HAS_TABLE: u32 = 1 << 30;

/// How many neighbouring pages share one entry.
const PAGES_TOGETHER: usize = 64;

/// The marks of neighbouring pages: for each page the number of claimed bytes, which is below 2^30, and two flags.
type Chunk = [u32; PAGES_TOGETHER];

/// How many bytes of each page were claimed. Memory grows with the pages that have claims, not with the file.
#[derive(Debug)]
pub struct Claims {
    page_size: u64,
    image_bytes: u64,
    /// The chunks in use, each with its number.
    chunks: Vec<(u64, Chunk)>,
    /// The index in `chunks` of a chunk with this number.
    places: FastMap<u64, usize>,
    /// The last chunk in use and its index: the next claim is often in the same one.
    last: Option<(u64, usize)>,
}

impl Claims {
    /// No claims on the pages of a file.
    pub fn new(db: &Db<'_>) -> Self {
        Self {
            page_size: db.pages().page_size() as u64,
            image_bytes: db.pages().image().len() as u64,
            chunks: Vec::new(),
            places: FastMap::default(),
            last: None,
        }
    }

    /// Claims the header and the element table of a page, once. Returns how many bytes were granted.
    pub fn claim_table(&mut self, page: &Page<'_>) -> u64 {
        let offset = page.run().offset();
        let pgid = offset / self.page_size;
        let mark = self.get(pgid);
        if mark & HAS_TABLE != 0 {
            return 0;
        }
        self.set(pgid, mark | HAS_TABLE);
        let elements = page.usable_count().saturating_mul(ELEMENT_BYTES);
        self.claim(offset, HEADER_BYTES.saturating_add(elements) as u64)
    }

    /// Claims bytes at an absolute offset; they may be in several pages. Returns how many were granted: at most those
    /// that are in the file, and of each page at most as many as were not claimed yet.
    pub fn claim(&mut self, offset: u64, bytes: u64) -> u64 {
        let end = offset.saturating_add(bytes).min(self.image_bytes);
        let (mut at, mut granted) = (offset, 0_u64);
        while at < end {
            let pgid = at / self.page_size;
            let page_bytes = self.page_bytes(pgid);
            let stop = pgid
                .saturating_add(1)
                .saturating_mul(self.page_size)
                .min(end);
            let mark = self.get(pgid);
            // Which bytes were claimed is not stored, only how many. So a page has room for what was not claimed.
            let room = page_bytes.saturating_sub(u64::from(claimed(mark)));
            let taken = stop.saturating_sub(at).min(room);
            // A page has less than 2^30 bytes, so the flags are not changed.
            let taken = u32::try_from(taken).unwrap_or(0);
            self.set(pgid, mark.saturating_add(taken));
            let taken = u64::from(taken);
            granted = granted.saturating_add(taken);
            at = stop;
        }
        granted
    }

    /// Notes that a reader found damage in a page.
    pub fn set_damaged(&mut self, page: &Page<'_>) {
        let pgid = page.run().offset() / self.page_size;
        self.set(pgid, self.get(pgid) | DAMAGED);
    }

    /// Gives each page below the high-water mark to `see`, in the order of the file. Returns how many bytes after the
    /// high-water mark were not claimed.
    pub fn rest(&self, page_use: &PageUse<'_>, mut see: impl FnMut(PageRest)) -> u64 {
        let end = page_use.page_count();
        for pgid in 0..end {
            let mark = self.get(pgid);
            let claimed = u64::from(claimed(mark));
            let page_bytes = self.page_bytes(pgid);
            see(PageRest {
                class: class_of(page_use, Pgid(pgid)),
                page_bytes,
                bytes: page_bytes.saturating_sub(claimed),
                is_claimed: claimed > 0,
                is_damaged: mark & DAMAGED != 0,
            });
        }
        let after = end.saturating_mul(self.page_size);
        let after = self.image_bytes.saturating_sub(after);
        after.saturating_sub(self.claimed_from(end))
    }

    /// How many bytes of the pages from this one on were claimed.
    fn claimed_from(&self, first: u64) -> u64 {
        let mut bytes = 0_u64;
        for (chunk, marks) in &self.chunks {
            let pgids = chunk.saturating_mul(PAGES_TOGETHER as u64)..;
            for (pgid, mark) in pgids.zip(marks) {
                if pgid >= first {
                    bytes = bytes.saturating_add(u64::from(claimed(*mark)));
                }
            }
        }
        bytes
    }

    /// Length of a page in bytes. The last page of a cut file is shorter than the others.
    fn page_bytes(&self, pgid: u64) -> u64 {
        let start = pgid.saturating_mul(self.page_size);
        self.image_bytes.saturating_sub(start).min(self.page_size)
    }

    /// The mark of a page.
    fn get(&self, pgid: u64) -> u32 {
        let chunk = pgid / PAGES_TOGETHER as u64;
        let place = match self.last {
            Some((last, place)) if last == chunk => Some(place),
            _ => self.places.get(&chunk).copied(),
        };
        let marks = place.and_then(|place| self.chunks.get(place));
        let mark = marks.and_then(|(_, marks)| marks.get(place_of(pgid)));
        mark.copied().unwrap_or_default()
    }

    /// Stores the mark of a page. Its chunk becomes the last one in use.
    fn set(&mut self, pgid: u64, mark: u32) {
        let chunk = pgid / PAGES_TOGETHER as u64;
        let place = match self.last {
            Some((last, place)) if last == chunk => place,
            _ => {
                let next = self.chunks.len();
                let place = *self.places.entry(chunk).or_insert(next);
                if place == next {
                    self.chunks.push((chunk, [0; PAGES_TOGETHER]));
                }
                place
            }
        };
        self.last = Some((chunk, place));
        let marks = self.chunks.get_mut(place);
        if let Some(stored) = marks.and_then(|(_, marks)| marks.get_mut(place_of(pgid))) {
            *stored = mark;
        }
    }
}

/// The index of a page in its chunk.
fn place_of(pgid: u64) -> usize {
    usize::try_from(pgid % PAGES_TOGETHER as u64).unwrap_or(0)
}

/// The number of claimed bytes in a mark.
fn claimed(mark: u32) -> u32 {
    mark & !(DAMAGED | HAS_TABLE)
}

/// The class of a page by its use.
fn class_of(page_use: &PageUse<'_>, pgid: Pgid) -> PageClass {
    match page_use.use_of(pgid) {
        Use::Meta => PageClass::Meta,
        Use::Freelist { .. } => PageClass::Freelist,
        Use::Tree { bucket, .. } if page_use.is_branch(pgid) => PageClass::Branch { bucket },
        Use::Tree { bucket, inside } => PageClass::Leaf { bucket, inside },
        Use::Broken { .. } => PageClass::Broken,
        Use::Free => PageClass::Free,
        Use::Unreached => PageClass::Unreached,
    }
}
