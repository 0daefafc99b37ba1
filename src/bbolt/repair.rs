//! Reads pages with a damaged header from their elements.
//!
//! bbolt writes keys and values directly after the element table, without a gap, and zeros after them. So the position of
//! the first key gives the element count, and the end of the last value gives the length of the page. Example: if the
//! first key is 64 bytes after the page header, the table has 64 / 16 = 4 elements. In a tree, the separators of the
//! branch above show which keys belong to the page.

use super::page::{HEADER_BYTES, Kind, Page, Pgid};
use super::pages::Pages;

impl<'a> Pages<'a> {
    /// The page with a count and overflow that fit its elements, if the stated ones do not. None if nothing fits.
    pub(super) fn repaired(&self, page: &Page<'a>) -> Option<Page<'a>> {
        // `pos` of the first element: the second field of a leaf element, the first of a branch element.
        let pos_at = HEADER_BYTES.saturating_add(if page.kind == Some(Kind::Branch) {
            0
        } else {
            4
        });
        let first = page.run().u32(pos_at, "element pos").ok()?;
        // An element is as long as a page header, 16 bytes.
        let count = usize::try_from(first).ok()? / HEADER_BYTES;
        let recounted = page.with_count(count).filter(|_| count > 0)?;
        if recounted.layout_fault().is_none() {
            return Some(recounted);
        }
        // An inline page is as long as the value that contains it. It has no overflow that could be wrong.
        if page.inline {
            return None;
        }
        let pages = recounted.end_bytes()?.div_ceil(self.page_size());
        let longer = self.run_of(page.pgid, pages)?.with_count(count)?;
        // `run_of` read the stated flags again, and the caller may have set another kind.
        let longer = longer.with_kind(page.kind?);
        longer.layout_fault().is_none().then_some(longer)
    }

    /// The page at a position, whatever its header states, if its keys match the tree: its first key is `separator`, and its
    /// last key is before `upper`. None if they do not match.
    pub(super) fn page_with_keys(
        &self,
        pgid: Pgid,
        separator: &[u8],
        upper: Option<&[u8]>,
    ) -> Option<Page<'a>> {
        let found = self.unchecked(pgid)?;
        [Kind::Leaf, Kind::Branch].into_iter().find_map(|kind| {
            let page = found.with_kind(kind);
            let page = match page.layout_fault() {
                None => page,
                Some(_) => self.repaired(&page)?,
            };
            let mut last: Option<&[u8]> = None;
            for index in 0..page.usable_count() {
                let key = match kind {
                    Kind::Leaf => page.leaf_element(index).ok()?.key,
                    _ => page.branch_element(index).ok()?.0,
                };
                // The first key is the separator, and each further key is larger than the one before it.
                let ascends = last.map_or(key == separator, |last| last < key);
                if !ascends || upper.is_some_and(|upper| upper <= key) {
                    return None;
                }
                last = Some(key);
            }
            // A page without elements has no key that could match.
            last.map(|_| page)
        })
    }
}
