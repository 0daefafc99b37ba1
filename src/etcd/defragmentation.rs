//! How long a database would be after a defragmentation, and so how many bytes that gives back.
//!
//! etcd copies all elements in key order into a new file, and fills each leaf to 90% (`defragdb` in
//! `server/storage/backend/backend.go`). bbolt splits a node at the first element that goes beyond that, and puts at least
//! two elements into each page (`splitTwo` in `node.go`). A bucket whose leaf is at most a quarter of a page is stored in
//! the root page. The same rules give the number of pages from the lengths of keys and values alone.
//!
//! It is an estimate: within two pages of what etcdutl wrote from each file in `testdata/reference/defrag.tsv`. etcd copies
//! 10,000 elements per transaction, and each transaction leaves a few free pages. A page that ends the tree may be fuller
//! than 90%, and bbolt does not split a page of four or fewer elements.

use crate::bbolt::{Db, Element};

/// Length in bytes of a page header, and of the header of each element of a leaf or branch.
const HEADER_BYTES: u64 = 16;

/// bbolt puts at least so many elements into a page.
const LEAST_ELEMENTS: u64 = 2;

/// Two meta pages, one page for the root and one for the freelist, and one that the last commit freed.
const FIXED_PAGES: u64 = 5;

/// The size of a database before and after a defragmentation: the high-water mark times the page size. This is the size
/// that etcd compares with its quota. The file itself may be longer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DefragmentedSize {
    /// Before, in bytes.
    pub before_bytes: u64,
    /// After, in bytes. It is an estimate.
    pub after_bytes: u64,
}

impl DefragmentedSize {
    /// How many bytes the defragmentation gives back.
    pub fn freed_bytes(self) -> u64 {
        self.before_bytes.saturating_sub(self.after_bytes)
    }
}

/// Counts the pages of the new file. Elements are added in key order, bucket by bucket.
#[derive(Debug)]
pub(super) struct Defragmentation {
    /// The size of the database, in bytes.
    before_bytes: u64,
    page_bytes: u64,
    /// Pages of the buckets that are complete.
    pages: u64,
    /// Length of the current leaf with its header, in bytes.
    leaf_bytes: u64,
    /// How many elements the current leaf has.
    leaf_elements: u64,
    /// How many leaves of the current bucket are complete.
    leaves: u64,
    /// How many pages these leaves take. A leaf with a long element takes several.
    leaf_pages: u64,
    /// Length of the longest key of the current bucket, in bytes. A branch element repeats a key, so none is longer.
    longest_key: u64,
}

impl Defragmentation {
    /// The count for a database, before its first bucket.
    pub fn new(db: &Db<'_>) -> Self {
        Self::with(db.meta().used_bytes(), db.pages().page_size() as u64)
    }

    fn with(before_bytes: u64, page_bytes: u64) -> Self {
        Self {
            before_bytes,
            page_bytes: page_bytes.max(1),
            pages: FIXED_PAGES,
            leaf_bytes: HEADER_BYTES,
            leaf_elements: 0,
            leaves: 0,
            leaf_pages: 0,
            longest_key: 0,
        }
    }

    /// The length up to which a page is filled, in bytes.
    fn threshold(&self) -> u64 {
        self.page_bytes.saturating_mul(9).div_euclid(10)
    }

    /// Adds an element of the current bucket.
    pub fn add(&mut self, element: &Element<'_>) {
        self.add_lengths(element.key.len() as u64, element.value.len() as u64);
    }

    /// Adds an element by its lengths.
    pub fn add_lengths(&mut self, key_bytes: u64, value_bytes: u64) {
        let element = HEADER_BYTES
            .saturating_add(key_bytes)
            .saturating_add(value_bytes);
        let would_be = self.leaf_bytes.saturating_add(element);
        if self.leaf_elements >= LEAST_ELEMENTS && would_be > self.threshold() {
            self.end_leaf();
        }
        self.leaf_bytes = self.leaf_bytes.saturating_add(element);
        self.leaf_elements = self.leaf_elements.saturating_add(1);
        self.longest_key = self.longest_key.max(key_bytes);
    }

    /// Counts the current leaf as complete, and begins an empty one.
    fn end_leaf(&mut self) {
        self.leaves = self.leaves.saturating_add(1);
        let pages = self.leaf_bytes.div_ceil(self.page_bytes);
        self.leaf_pages = self.leaf_pages.saturating_add(pages);
        self.leaf_bytes = HEADER_BYTES;
        self.leaf_elements = 0;
    }

    /// Begins a bucket. Adds the pages of the one before it, unless that is stored in the root page.
    pub fn begin_bucket(&mut self) {
        let is_inline = self.leaves == 0 && self.leaf_bytes <= self.page_bytes.div_euclid(4);
        if !is_inline {
            self.end_leaf();
            self.pages = self
                .pages
                .saturating_add(self.leaf_pages)
                .saturating_add(self.branch_pages());
        }
        *self = Self {
            pages: self.pages,
            ..Self::with(self.before_bytes, self.page_bytes)
        };
    }

    /// Adds the elements of the current bucket that another count has. It must be a count of this bucket alone.
    pub fn add_bucket(&mut self, bucket: Self) {
        *self = Self {
            pages: self.pages,
            ..bucket
        };
    }

    /// How many pages the branches of the current bucket take: all levels above its leaves.
    fn branch_pages(&self) -> u64 {
        let element = HEADER_BYTES.saturating_add(self.longest_key);
        let room = self.threshold().saturating_sub(HEADER_BYTES);
        let children = room.checked_div(element).unwrap_or_default();
        let children = children.max(LEAST_ELEMENTS);
        let (mut level, mut pages) = (self.leaves, 0_u64);
        while level > 1 {
            level = level.div_ceil(children);
            pages = pages.saturating_add(level);
        }
        pages
    }

    /// The sizes, after the last element.
    pub fn finish(mut self) -> DefragmentedSize {
        self.begin_bucket();
        DefragmentedSize {
            before_bytes: self.before_bytes,
            after_bytes: self.pages.saturating_mul(self.page_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(elements: &[(u64, u64)]) -> u64 {
        let mut defragmentation = Defragmentation::with(0, 4096);
        for (key, value) in elements {
            defragmentation.add_lengths(*key, *value);
        }
        defragmentation.finish().after_bytes / 4096 - FIXED_PAGES
    }

    #[test]
    fn a_small_bucket_has_no_page_of_its_own() {
        assert_eq!(pages(&[]), 0);
        assert_eq!(pages(&[(16, 976)]), 0);
        assert_eq!(pages(&[(16, 977)]), 1);
    }

    #[test]
    fn leaves_are_filled_to_nine_tenths_and_have_two_elements_at_least() {
        // Two elements of 1,800 bytes are below 3,686 bytes, a third one is not.
        let half = (17, 1800 - 16 - 17);
        assert_eq!(pages(&[half; 2]), 1);
        assert_eq!(pages(&[half; 3]), 2 + 1, "two leaves and a branch");
        // Two elements of 10,000 bytes take five pages.
        assert_eq!(pages(&[(17, 10_000 - 33); 4]), 5 + 5 + 1);
    }
}
