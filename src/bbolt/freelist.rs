//! The freelist: the ids of the pages that a transaction left free.
//!
//! After the page header (`internal/common/page.go`, `FreelistPageCount` and `FreelistPageIds`):
//!
//! | offset in page | bytes | field |
//! |---|---|---|
//! | 16 | 8 | only if the header's count is 0xFFFF: the real count |
//! | 16 or 24 | count * 8 | page ids, ascending: free pages, and pages that only the former state still uses |
//!
//! The freelist's own pages are not in it. etcd on Linux does not write a freelist: its meta page then has
//! [`super::meta::NO_FREELIST`].
//!
//! **Invariant:** no other module trusts a freelist. The trees alone determine which pages are in use.

use crate::diag::{Code, Damage, Diagnostic, Locus};
use crate::plural::counted;

use super::page::{HEADER_BYTES, Kind, Page, Pgid};
use super::pages::Pages;

/// Length in bytes of a page id, and of the count before the ids.
const ID_BYTES: usize = 8;

/// This count in a header means that the real count is in the 8 bytes after the header.
const COUNT_FOLLOWS: usize = 0xFFFF;

/// A freelist page with its overflow.
#[derive(Debug, Clone, Copy)]
pub struct Freelist<'a> {
    /// The page.
    pub page: Page<'a>,
    /// The stated number of ids. A hostile file may state any number, see [`Self::len`].
    pub stated_count: u64,
    /// Where the ids start in the page, in bytes.
    ids_at: usize,
}

impl<'a> Freelist<'a> {
    /// Reads the freelist page `pgid`.
    ///
    /// # Errors
    /// [`Code::FreelistInvalid`] if the page does not exist, has another id, or is of another kind.
    pub fn read(pages: &Pages<'a>, pgid: Pgid) -> Result<Self, Damage> {
        let damage = |found: String| {
            Diagnostic::new(
                Code::FreelistInvalid,
                Locus::page(pgid.0, pages.offset_of(pgid)),
            )
            .expected(format!("the freelist as page {pgid}"), found)
            .effect("free pages cannot be compared with pages in use; the list has no records")
        };
        let page = (pgid.0 >= 2)
            .then(|| pages.unchecked(pgid))
            .flatten()
            .ok_or_else(|| {
                damage(format!(
                    "a file of {}",
                    counted(pages.count(), "page", "pages")
                ))
            })?;
        if page.stated_id != pgid.0 {
            return Err(damage(format!("page id {}", page.stated_id)));
        }
        Self::from_page(page).ok_or_else(|| {
            damage(page.kind.map_or_else(
                || format!("flags 0x{:04x}", page.flags),
                |kind| format!("a {} page", kind.as_str()),
            ))
        })
    }

    /// Reads a page as a freelist; `None` if its flags name another kind.
    pub fn from_page(page: Page<'a>) -> Option<Self> {
        if page.kind != Some(Kind::Freelist) {
            return None;
        }
        let follows = page.count == COUNT_FOLLOWS;
        let (stated_count, ids_at) = if follows {
            let count = page.run().u64(HEADER_BYTES, "freelist count").unwrap_or(0);
            (count, HEADER_BYTES.saturating_add(ID_BYTES))
        } else {
            (page.count as u64, HEADER_BYTES)
        };
        Some(Self {
            page,
            stated_count,
            ids_at,
        })
    }

    /// How many ids can be read: the stated count, or fewer if its pages have no room for them.
    pub fn len(&self) -> usize {
        let room = self.page.run().len_bytes().saturating_sub(self.ids_at) / ID_BYTES;
        usize::try_from(self.stated_count).map_or(room, |stated| stated.min(room))
    }

    /// Whether no id can be read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it states more ids than its pages have room for.
    pub fn is_cut(&self) -> bool {
        (self.len() as u64) < self.stated_count
    }

    /// The ids that can be read, in the order of the page. Nothing is checked.
    pub fn ids(&self) -> impl Iterator<Item = Pgid> + use<'a> {
        let (run, ids_at) = (self.page.run(), self.ids_at);
        (0..self.len()).map_while(move |index| {
            let at = ids_at.saturating_add(index.saturating_mul(ID_BYTES));
            run.u64(at, "freelist id").ok().map(Pgid)
        })
    }

    /// Absolute offset of the id `index`, in bytes.
    pub fn offset_of(&self, index: usize) -> u64 {
        let at = self.ids_at.saturating_add(index.saturating_mul(ID_BYTES));
        self.page.run().offset().saturating_add(at as u64)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::bytes::ByteOrder;

    const PAGE_BYTES: usize = 512;

    /// An image of pages in which the freelist is page 2.
    fn image(page_count: usize, flags: u16, count: u16, overflow: u32, words: &[u64]) -> Vec<u8> {
        let mut page = Vec::new();
        page.extend(2_u64.to_le_bytes());
        page.extend(flags.to_le_bytes());
        page.extend(count.to_le_bytes());
        page.extend(overflow.to_le_bytes());
        for word in words {
            page.extend(word.to_le_bytes());
        }
        let mut image = vec![0; 2 * PAGE_BYTES];
        image.extend(page);
        image.resize(page_count * PAGE_BYTES, 0);
        image
    }

    fn read(image: &[u8]) -> Result<Freelist<'_>, Damage> {
        Freelist::read(&Pages::new(image, PAGE_BYTES, ByteOrder::Little), Pgid(2))
    }

    fn ids(freelist: &Freelist<'_>) -> Vec<u64> {
        freelist.ids().map(|id| id.0).collect()
    }

    #[test]
    fn a_short_freelist_has_its_count_in_the_header() {
        let image = image(3, 0x10, 3, 0, &[4, 7, 9, 11]);
        let freelist = read(&image).unwrap();
        assert_eq!((freelist.stated_count, freelist.is_cut()), (3, false));
        assert_eq!(ids(&freelist), [4, 7, 9]);
        assert_eq!(freelist.offset_of(1), 1024 + 24);
    }

    #[test]
    fn a_long_freelist_has_its_count_behind_the_header_and_runs_over_its_overflow() {
        let many: Vec<u64> = std::iter::once(100).chain(50..150).collect();
        let image = image(4, 0x10, 0xFFFF, 1, &many);
        let freelist = read(&image).unwrap();
        assert_eq!((freelist.len(), freelist.is_cut()), (100, false));
        assert_eq!(ids(&freelist), (50..150).collect::<Vec<_>>());
        assert_eq!(freelist.offset_of(0), 1024 + 24);
    }

    #[test]
    fn a_declared_count_gives_no_more_ids_than_the_pages_hold() {
        for (count, words) in [
            (0xFFFF, vec![u64::MAX, 5]),
            (0xFFFF, vec![1 << 40, 5]),
            (500, vec![5]),
        ] {
            let image = image(3, 0x10, count, u32::MAX, &words);
            let freelist = read(&image).unwrap();
            assert!(freelist.is_cut());
            assert!(freelist.len() <= PAGE_BYTES / 8);
            assert_eq!(ids(&freelist).first(), Some(&5));
        }
    }

    #[test]
    fn another_page_or_kind_is_no_freelist() {
        for (image, found) in [
            (image(3, 0x02, 0, 0, &[]), "a leaf page"),
            (image(3, 0x30, 0, 0, &[]), "flags 0x0030"),
            (image(2, 0x10, 0, 0, &[]), "page id 0"),
        ] {
            let image = if found == "page id 0" {
                vec![0; 3 * PAGE_BYTES]
            } else {
                image
            };
            let damage = read(&image).unwrap_err();
            assert_eq!(
                (damage.code, damage.found.as_str()),
                (Code::FreelistInvalid, found)
            );
            assert_eq!(damage.locus.offset, Some(1024));
        }
        let pages = Pages::new(&[0; 1024], PAGE_BYTES, ByteOrder::Little);
        for pgid in [0, 1, 2, u64::MAX] {
            assert!(Freelist::read(&pages, Pgid(pgid)).is_err());
        }
    }
}
