//! The scan of a file's pages, made on first use and only once.

use std::sync::OnceLock;

use crate::bbolt::{Db, PageScan, Pages};
use crate::source::Source;

/// A scan that may not have been made yet.
#[derive(Debug)]
pub(in crate::etcd) struct LazyScan<'a> {
    pages: Pages<'a>,
    source: Option<&'a Source>,
    scan: OnceLock<PageScan<'a>>,
}

impl<'a> LazyScan<'a> {
    /// A scan of the pages of a database, not yet made.
    pub(in crate::etcd) fn new(db: &Db<'a>) -> Self {
        Self {
            pages: db.pages(),
            source: db.source(),
            scan: OnceLock::new(),
        }
    }

    /// The pages of the file.
    pub(in crate::etcd) fn pages(&self) -> Pages<'a> {
        self.pages
    }

    /// The scan. The first call reads the pages; later calls return the same scan.
    ///
    /// The pages are read before the lock is taken: they are read on all cores, and a thread that waits for the others may
    /// begin another task of the pool that needs this scan too.
    pub(in crate::etcd) fn get(&self) -> &PageScan<'a> {
        if let Some(scan) = self.scan.get() {
            return scan;
        }
        let scan = PageScan::read(self.pages, self.source);
        self.scan.get_or_init(|| scan)
    }
}
