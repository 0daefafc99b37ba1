//! What each page is used for in the chosen state: the tree of a bucket, the freelist, or nothing.
//!
//! `walk` determines it once for `fsck`, `pages`, `buckets`, `page` and carving. bbolt finds the free pages of a file
//! without a freelist in the same way (`Bucket.forEachPage` and `freepages` of `db.go`): a page is free if no tree uses it.
//!
//! **Invariant:** a page is entered once over all buckets, and a run ends where the run of another tree page begins. So
//! the work is linear in the length of the file.

mod buckets;
mod marks;
mod rows;
mod stated;
mod walk;

pub use buckets::BucketUse;
pub use rows::{PageRow, rows_by_header};
pub use stated::stated_buckets;
pub use walk::WalkedTree;

use super::db::Db;
use super::meta::NO_FREELIST;
use super::page::Pgid;
use super::pages::Pages;
use marks::{Marks, User};

/// What a page is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// One of the two meta pages.
    Meta,
    /// The freelist, or a further page of it.
    Freelist {
        /// Whether it is a further page.
        inside: bool,
    },
    /// A page of a tree, or a further page of one.
    Tree {
        /// Index in [`PageUse::buckets`].
        bucket: usize,
        /// Whether it is a further page: it continues the bytes of the page before it.
        inside: bool,
    },
    /// A tree points to it, but it is not a tree page.
    Broken {
        /// Index in [`PageUse::buckets`].
        bucket: usize,
    },
    /// No tree uses it; bbolt may reuse it.
    Free,
    /// No tree uses it, and the stored freelist does not list it.
    Unreached,
}

impl Use {
    /// Whether the page is a further page of a longer one.
    pub(super) fn is_inside(self) -> bool {
        matches!(
            self,
            Self::Tree { inside: true, .. } | Self::Freelist { inside: true }
        )
    }
}

/// The pages of a file by use.
#[derive(Debug)]
pub struct PageUse<'a> {
    pages: Pages<'a>,
    marks: Marks,
    buckets: Vec<BucketUse<'a>>,
    /// The first page id that is at or above the high-water mark, or after the end of the file.
    end: u64,
    /// Whether a freelist is stored and could be read. Otherwise every page without a use counts as free.
    freelist_is_stored: bool,
    /// How many pages are in the run of a tree page.
    tree_pages: u64,
}

impl<'a> PageUse<'a> {
    /// An empty result, before the walk.
    fn new(db: &Db<'a>) -> Self {
        let meta = db.meta();
        Self {
            pages: db.pages(),
            marks: Marks::default(),
            buckets: Vec::new(),
            end: meta.high_water_mark.min(db.pages().count()),
            freelist_is_stored: meta.freelist != NO_FREELIST,
            tree_pages: 0,
        }
    }

    /// The root, then every bucket in key order. A bucket comes before the buckets in it.
    pub fn buckets(&self) -> &[BucketUse<'a>] {
        &self.buckets
    }

    /// How many pages are below the high-water mark and in the file.
    pub(super) fn page_count(&self) -> u64 {
        self.end
    }

    /// How many pages the trees use.
    pub(super) fn tree_page_count(&self) -> u64 {
        self.tree_pages
    }

    /// How many pages are neither meta pages nor used by a tree or the freelist.
    pub(super) fn free_page_count(&self) -> u64 {
        let is_free = |pgid: &u64| matches!(self.use_of(Pgid(*pgid)), Use::Free | Use::Unreached);
        (0..self.end).filter(is_free).count() as u64
    }

    /// Whether a tree uses the page. It may also be a page of the freelist.
    pub(super) fn is_in_tree(&self, pgid: u64) -> bool {
        self.marks.get(Pgid(pgid)).is_in_tree()
    }

    /// The path of a bucket, joined by slashes; empty for the root.
    pub fn path_of(&self, bucket: usize) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = self.buckets.get(bucket);
        while let Some(bucket) = at {
            let Some(parent) = bucket.parent else { break };
            names.push(bucket.name);
            at = self.buckets.get(parent);
        }
        names.reverse();
        names.join(&b'/')
    }

    /// What a page is used for.
    pub fn use_of(&self, pgid: Pgid) -> Use {
        if pgid.0 < 2 {
            return Use::Meta;
        }
        let mark = self.marks.get(pgid);
        let inside = mark.is_inside();
        match mark.user() {
            User::None if self.freelist_is_stored => Use::Unreached,
            User::None | User::ListedFree => Use::Free,
            User::Freelist => Use::Freelist { inside },
            User::Bucket(bucket) if mark.is_broken() => Use::Broken { bucket },
            User::Bucket(bucket) => Use::Tree { bucket, inside },
        }
    }

    /// Whether a page is in the run of a branch page.
    pub(super) fn is_branch(&self, pgid: Pgid) -> bool {
        self.marks.get(pgid).is_branch()
    }

    /// The first page of the run that a page belongs to; the page itself if it is not a further page.
    pub fn head_of(&self, pgid: Pgid) -> Pgid {
        let mut head = pgid.0;
        while head > 2 && self.use_of(Pgid(head)).is_inside() {
            head = head.saturating_sub(1);
        }
        Pgid(head)
    }
}
