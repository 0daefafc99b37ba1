//! The pages of a file, with a state if one can be chosen: what uses them, and their buckets.

use crate::bbolt::page_use::{BucketUse, rows_by_header, stated_buckets};
use crate::bbolt::{Db, MetaChoice, Pages};

use super::evidence::Evidence;
use super::no_answer::NoAnswer;

pub use crate::bbolt::page_use::PageRow;

/// The pages of a layout, and their parts.
pub use crate::bbolt::page_use::Use;
pub use crate::bbolt::{Freelist, Kind, Page, PageUse, Pgid, anatomy};

/// After this many rows the pages that were read for them are given back: the system may make 64 KiB resident around
/// each.
const ROWS_PER_RELEASE: usize = 512;

/// The pages of a file.
#[derive(Debug)]
pub struct PageLayout<'e> {
    /// The pages.
    pub pages: Pages<'e>,
    /// The chosen state; none if neither meta page is valid.
    pub db: Option<Db<'e>>,
    evidence: &'e Evidence,
}

/// One bucket with the path of its names.
#[derive(Debug)]
pub struct BucketRow<'a> {
    /// The names, joined by slashes.
    pub path: Vec<u8>,
    /// The bucket. Its counts are known only if its tree was walked.
    pub bucket: BucketUse<'a>,
    /// Whether its tree was walked.
    pub walked: bool,
}

impl<'e> PageLayout<'e> {
    /// The pages of a database. Without a valid meta page their size is guessed from the pages, which is a
    /// finding and no failure.
    ///
    /// # Errors
    /// If the file has no page.
    pub fn read(evidence: &'e Evidence) -> Result<Self, NoAnswer> {
        let db = evidence.db()?;
        Ok(Self {
            pages: db.pages(),
            db: (db.choice().1 != MetaChoice::Neither).then_some(db),
            evidence,
        })
    }

    /// The page size in bytes, if it is guessed from the pages.
    pub fn guessed_page_size(&self) -> Option<usize> {
        self.db.is_none().then(|| self.pages.page_size())
    }

    /// Gives each page to `see`, with the path of the bucket whose tree has it. Without a state each page is what its
    /// own header says.
    ///
    /// # Errors
    /// Those of `see`.
    pub fn each_page<E>(
        &self,
        mut see: impl FnMut(&PageRow<'e>, Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(db) = &self.db else {
            return self.each_row(rows_by_header(self.pages), |row| see(&row, None));
        };
        db.check();
        let page_use = PageUse::read(db);
        self.each_row(page_use.rows(), |row| {
            let bucket = match row.usage {
                Some(Use::Tree { bucket, .. } | Use::Broken { bucket }) => {
                    Some(page_use.path_of(bucket))
                }
                _ => None,
            };
            see(&row, bucket.as_deref())
        })
    }

    fn each_row<E>(
        &self,
        rows: impl Iterator<Item = PageRow<'e>>,
        mut see: impl FnMut(PageRow<'e>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (index, row) in rows.enumerate() {
            if index % ROWS_PER_RELEASE == 0 {
                self.evidence.source().forget_resident();
            }
            see(row)?;
        }
        Ok(())
    }

    /// The buckets of the chosen state in key order. Without a state those whose headers are in any leaf page, by name
    /// and then by position.
    pub fn buckets(&self) -> Vec<BucketRow<'e>> {
        let Some(db) = &self.db else {
            return self.stated_buckets();
        };
        db.check();
        let page_use = PageUse::read(db);
        // The first one is the root of all, which has no name.
        let named = page_use.buckets().iter().enumerate().skip(1);
        let row = |(index, bucket): (usize, &BucketUse<'e>)| BucketRow {
            path: page_use.path_of(index),
            bucket: bucket.clone(),
            walked: true,
        };
        named.map(row).collect()
    }

    fn stated_buckets(&self) -> Vec<BucketRow<'e>> {
        let row = |bucket: BucketUse<'e>| BucketRow {
            path: bucket.name.to_vec(),
            bucket,
            walked: false,
        };
        let mut rows: Vec<_> = stated_buckets(self.pages).map(row).collect();
        let place = |row: &BucketRow<'_>| (row.path.clone(), row.bucket.header_offset);
        rows.sort_by_cached_key(place);
        rows
    }

    /// The bytes of a page with all that its header claims, and their offset in the file.
    ///
    /// # Errors
    /// If the file ends before it.
    pub fn page_bytes(&self, id: u64) -> Result<(u64, &'e [u8]), NoAnswer> {
        let page = self.pages.unchecked(Pgid(id));
        let page = page.ok_or_else(|| self.no_pages(vec![id]))?;
        Ok((page.run().offset(), page.run().bytes()))
    }

    /// Bytes of the file from an offset on, to its end or up to a length; and the offset.
    ///
    /// # Errors
    /// If the file ends before it.
    pub fn bytes(&self, offset: u64, length: Option<u64>) -> Result<(u64, &'e [u8]), NoAnswer> {
        // The trailer of a snapshot is a part of the file, too.
        let file = self.evidence.source().bytes();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let tail = file.get(start..).filter(|tail| !tail.is_empty());
        let tail = tail.ok_or(NoAnswer::NoBytesAt {
            offset,
            length: file.len(),
        })?;
        let length = length.map(usize::try_from);
        let length = length.map_or(usize::MAX, |length| length.unwrap_or(usize::MAX));
        Ok((offset, tail.get(..length).unwrap_or(tail)))
    }

    /// Why pages cannot be shown: the file ends before them.
    pub fn no_pages(&self, ids: Vec<u64>) -> NoAnswer {
        let count = self.pages.count();
        NoAnswer::NoPages { ids, count }
    }
}
