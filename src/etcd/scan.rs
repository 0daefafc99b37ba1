//! The records of every leaf page, found without a tree, as `etcd-dump-db scan-keys` does
//! (`tools/etcd-dump-db/scan.go`, etcd 3.6). So it also reads compacted and damaged files. It cannot show which records
//! are live.

use crate::Error;
use crate::bbolt::meta::{Geometry, find_metas};
use crate::bbolt::{Direction, Element, Kind, Leaf, Pages, Pgid};
use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::source::Source;

use super::revision::BucketKey;
use super::schema;

/// Iterator over the leaf pages of a file in the order of their positions.
#[derive(Debug)]
pub struct Scan<'a> {
    pages: Pages<'a>,
    diagnostics: &'a Diagnostics,
    next: u64,
    end: u64,
}

/// A position at which no page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPage;

impl<'a> Scan<'a> {
    /// Scans a file. As upstream does, it uses the high-water mark of meta 0 if that is valid. Without any valid meta page the
    /// page size is guessed and the whole file is scanned.
    ///
    /// # Errors
    /// [`Error::NotBbolt`] if the file has no page.
    pub fn open(source: &'a Source, diagnostics: &'a Diagnostics) -> Result<Self, Error> {
        let (geometry, metas) = find_metas(source.image(), Some(source));
        let Geometry { page_size, order } = geometry.ok_or(Error::NotBbolt)?;
        let pages = Pages::new(source.image(), page_size, order);
        for (index, meta) in (0_u64..).zip(&metas) {
            if let Err(error) = meta {
                diagnostics.report(
                    Diagnostic::new(
                        Code::MetaInvalid,
                        Locus::page(index, pages.offset_of(Pgid(index))),
                    )
                    .expected("a valid meta page", error.to_string())
                    .effect("the pages are scanned without it"),
                );
            }
        }
        let marked = metas
            .iter()
            .find_map(|meta| meta.ok())
            .map_or(u64::MAX, |meta| meta.high_water_mark);
        if marked != u64::MAX && marked > pages.count() {
            diagnostics.report(
                Diagnostic::new(Code::FileTruncated, Locus::at(source.image().len() as u64))
                    .expected(
                        format!("{marked} pages"),
                        format!("{}", source.image().len() / page_size),
                    )
                    .effect("the pages after the end of the file are missing from this answer"),
            );
        }
        Ok(Self {
            pages,
            diagnostics,
            next: 2,
            end: marked.min(pages.count()),
        })
    }
}

impl<'a> Iterator for Scan<'a> {
    type Item = Result<Leaf<'a>, NoPage>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.end {
            let pgid = Pgid(self.next);
            let page = self
                .pages
                .unchecked(pgid)
                .filter(|page| page.stated_id == pgid.0);
            let is_leaf = page.is_some_and(|page| page.kind == Some(Kind::Leaf));
            let step = page
                .filter(|_| is_leaf)
                .map_or(1, |page| u64::from(page.overflow).saturating_add(1));
            self.next = self.next.saturating_add(step);
            match page {
                None => return Some(Err(NoPage)),
                Some(page) if is_leaf => {
                    let diagnostics = self.diagnostics;
                    let (leaf, ..) = Leaf::check(page, |finding| diagnostics.report(finding));
                    return Some(Ok(leaf));
                }
                Some(_) => {}
            }
        }
        None
    }
}

/// An element with a revision key.
#[derive(Debug, Clone, Copy)]
pub struct Scanned<'a> {
    /// Its main revision.
    pub main: i64,
    /// The element.
    pub element: Element<'a>,
}

/// The elements of a leaf page whose keys are revisions. Like upstream, a page of the root tree is read up to its first
/// bucket. Leaf pages of other buckets have no such elements.
pub fn scanned_records<'a>(leaf: &Leaf<'a>) -> Vec<Scanned<'a>> {
    leaf.elements(Direction::Forward)
        .take_while(|element| !schema::BUCKETS.contains(&element.key))
        .filter_map(|element| {
            let key = BucketKey::parse(element.key).ok()?;
            Some(Scanned {
                main: key.revision.main,
                element,
            })
        })
        .collect()
}
