//! Writes a new file from pairs in ascending order, in constant memory.
//!
//! The sizes of all pages depend only on the lengths of keys and values. So a first walk over the pairs ([`plan`])
//! can count the pages without writing them. The count gives the root page and the high-water mark. Both are in the
//! meta pages, at the beginning of the file. A second walk ([`write()`]) writes each page once, from the beginning to
//! the end of the file. A second thread computes the SHA-256 of the file on the way. Memory holds at most two open pages
//! per level of the tree, and two megabytes that are written or hashed next.
//!
//! bbolt itself could have written the same file. Where bbolt allows several forms, this is the one:
//!
//! - Leaves are filled completely, because etcd adds records only at the end of the bucket.
//! - The freelist is not written, as etcd on Linux does. No page is free.
//! - Both meta pages name the same root page, as in a snapshot.
//! - A bucket whose only leaf has at most a quarter of a page is inline: its leaf is part of the page that names it.
//!
//! **Invariant:** the bytes follow from the pairs and the layout alone. Two runs write the same file.

mod hashing;
mod page;
mod tree;

use std::io::Write;

use crate::bytes::ByteOrder;

use super::page::{ELEMENT_IS_BUCKET, Pgid};

use page::{File, NewMeta, PageWriter};
use tree::{Tree, TreeBuilder};

pub use page::WriteError;

/// The transaction id in the newer meta page. It is even, so that is meta page 0. A file that bbolt has just created
/// has the ids 0 and 1, and readers could conclude from them that nothing was written yet.
const TXID: u64 = 4;

/// The keys and values of a bucket. They are walked over twice: to count the pages, and to write them.
pub trait Pairs {
    /// Calls `each` with every key and its value, in ascending order of keys. Each walk must give the same pairs.
    ///
    /// # Errors
    /// Those of `each`, and [`WriteError::Changed`] if the source can no longer be read.
    // A type with a name would need a second lifetime in each implementation.
    #[allow(clippy::type_complexity)]
    fn walk(
        &self,
        each: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError>;
}

/// Pairs in memory, in ascending order.
impl<K: AsRef<[u8]>, V: AsRef<[u8]>> Pairs for [(K, V)] {
    fn walk(
        &self,
        each: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.iter()
            .try_for_each(|(key, value)| each(key.as_ref(), value.as_ref()))
    }
}

/// Pairs in memory.
impl<K: AsRef<[u8]>, V: AsRef<[u8]>> Pairs for std::collections::BTreeMap<K, V> {
    fn walk(
        &self,
        each: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.iter()
            .try_for_each(|(key, value)| each(key.as_ref(), value.as_ref()))
    }
}

/// A bucket of the new file.
#[derive(Clone, Copy)]
pub struct NewBucket<'s> {
    /// Its name.
    pub name: &'s [u8],
    /// Its pairs.
    pub pairs: &'s dyn Pairs,
}

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Page size in bytes: a power of two. bbolt accepts 1024 to 65536 on any machine.
    pub page_size: u32,
    /// Byte order of the machine that will read it.
    pub order: ByteOrder,
    /// Whether the SHA-256 of the file follows its last page, as in a snapshot file.
    pub has_trailer: bool,
}

/// Page sizes that a new file may have, in bytes.
pub const WRITTEN_PAGE_SIZES: std::ops::RangeInclusive<u32> = 1024..=65536;

impl Layout {
    /// The page size of a new file, given that of its source: the same, or 4096 if bbolt does not accept that one.
    pub fn page_size_for(source: u32) -> u32 {
        match WRITTEN_PAGE_SIZES.contains(&source) && source.is_power_of_two() {
            true => source,
            false => 4096,
        }
    }

    /// The page size as a length in memory.
    fn page_bytes(&self) -> Result<usize, WriteError> {
        usize::try_from(self.page_size).map_err(|_| WriteError::TooLarge)
    }
}

/// What the first walk determines, for the meta pages and for a check of the second walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    root: Pgid,
    high_water_mark: u64,
    /// Length of the file in bytes.
    pub len_bytes: u64,
    /// Number of pairs of all buckets.
    pub pairs: u64,
}

/// A file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its length in bytes, with the trailer.
    pub len_bytes: u64,
    /// The SHA-256 of the whole file.
    pub sha256: [u8; 32],
}

/// Walks over the pairs once, and counts the pages of the file. The buckets are in ascending order of names.
///
/// # Errors
/// [`WriteError`], if bbolt could not have written such a file.
pub fn plan(layout: &Layout, buckets: &[NewBucket<'_>]) -> Result<Plan, WriteError> {
    let mut pages = PageWriter::counting(layout.page_bytes()?, layout.order);
    let (root, pairs) = write_buckets(&mut pages, buckets)?;
    let bytes = pages.next().checked_mul(u64::from(layout.page_size));
    let trailer = if layout.has_trailer { 32 } else { 0 };
    let len_bytes = bytes.and_then(|bytes| bytes.checked_add(trailer));
    Ok(Plan {
        root,
        high_water_mark: pages.next(),
        len_bytes: len_bytes.ok_or(WriteError::TooLarge)?,
        pairs,
    })
}

/// Writes the file, by a walk over the same pairs.
///
/// # Errors
/// As [`plan`], the errors of `to`, and [`WriteError::Changed`] if the pairs are not those of the plan.
pub fn write(
    to: &mut dyn Write,
    layout: &Layout,
    plan: &Plan,
    buckets: &[NewBucket<'_>],
) -> Result<WrittenFile, WriteError> {
    let meta = NewMeta {
        page_size: layout.page_size,
        root: plan.root,
        high_water_mark: plan.high_water_mark,
        txid: TXID,
    };
    let page_size = layout.page_bytes()?;
    let mut pages = PageWriter::writing(File::new(to), page_size, layout.order, &meta)?;
    let (root, pairs) = write_buckets(&mut pages, buckets)?;
    if (root, pages.next(), pairs) != (plan.root, plan.high_water_mark, plan.pairs) {
        return Err(WriteError::Changed);
    }
    let file = pages.into_file().ok_or(WriteError::Changed)?;
    let (len_bytes, sha256) = file.finish(layout.has_trailer)?;
    Ok(WrittenFile { len_bytes, sha256 })
}

/// Writes the trees of all buckets, and then the root tree, whose elements name them. If `pages` only counts, nothing
/// is written. Returns the root page and the number of pairs.
fn write_buckets(
    pages: &mut PageWriter<'_>,
    buckets: &[NewBucket<'_>],
) -> Result<(Pgid, u64), WriteError> {
    let inline_bytes = pages.page_size() / 4;
    let mut root = TreeBuilder::new();
    let mut pairs = 0_u64;
    for bucket in buckets {
        let mut tree = TreeBuilder::new();
        bucket
            .pairs
            .walk(&mut |key, value| tree.add(pages, 0, key, value))?;
        pairs = pairs.saturating_add(tree.elements());
        let header = match tree.finish(pages, inline_bytes)? {
            Tree::Page(pgid) => bucket_header(pgid, pages.order()),
            Tree::Inline(page) => {
                let mut header = bucket_header(0, pages.order());
                // While pages are only counted, the image lacks keys and values. Zeros give it the right length.
                let mut image = page.image(0, 0, pages.order())?;
                image.resize(page.len_bytes(), 0);
                header.extend(image);
                header
            }
        };
        root.add(pages, ELEMENT_IS_BUCKET, bucket.name, &header)?;
    }
    match root.finish(pages, 0)? {
        Tree::Page(pgid) => Ok((Pgid(pgid), pairs)),
        // The limit of 0 bytes above excludes it: a page has at least its header.
        Tree::Inline(_) => Err(WriteError::TooLarge),
    }
}

/// The value of a bucket in the root tree: its root page (0 if it is inline), and its sequence, which etcd never uses.
fn bucket_header(root: u64, order: ByteOrder) -> Vec<u8> {
    let root = match order {
        ByteOrder::Little => root.to_le_bytes(),
        ByteOrder::Big => root.to_be_bytes(),
    };
    [root, [0; 8]].concat()
}
