//! The sizes of a bucket: pages, elements, keys and values.

use super::super::page::Pgid;

/// A bucket with the sizes of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUse<'a> {
    /// Its name; empty for the root.
    pub name: &'a [u8],
    /// The bucket that contains it; none for the root.
    pub parent: Option<usize>,
    /// How many buckets contain it, including the root.
    pub nesting: usize,
    /// Its root page; 0 for an inline bucket.
    pub root: Pgid,
    /// Its sequence; 0 in etcd.
    pub sequence: u64,
    /// Whether it is stored inside the element that names it.
    pub inline: bool,
    /// Absolute offset of its header, in bytes.
    pub header_offset: u64,
    /// Elements of its leaves, including buckets.
    pub elements: u64,
    /// Length of its keys, in bytes.
    pub key_bytes: u64,
    /// Length of its values, in bytes. A nested bucket counts with its header and inline page.
    pub value_bytes: u64,
    /// Branch pages, without their overflow.
    pub branch_pages: u64,
    /// Overflow pages of branch pages.
    pub branch_overflow: u64,
    /// Leaf pages, without their overflow; 0 for an inline bucket.
    pub leaf_pages: u64,
    /// Overflow pages of leaf pages.
    pub leaf_overflow: u64,
    /// Levels of its tree; 1 for a single leaf.
    pub depth: usize,
}

impl<'a> BucketUse<'a> {
    /// A bucket with a known name and unknown sizes.
    pub(super) fn named(name: &'a [u8]) -> Self {
        Self {
            name,
            parent: None,
            nesting: 0,
            root: Pgid(0),
            sequence: 0,
            inline: false,
            header_offset: 0,
            elements: 0,
            key_bytes: 0,
            value_bytes: 0,
            branch_pages: 0,
            branch_overflow: 0,
            leaf_pages: 0,
            leaf_overflow: 0,
            depth: 0,
        }
    }
}
