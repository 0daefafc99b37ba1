//! The list of pages, as `bbolt pages` prints it.

use super::super::page::{Kind, Page, Pgid};
use super::super::pages::Pages;
use super::{PageUse, Use};

/// One page of the listing, or one run of pages.
#[derive(Debug, Clone, Copy)]
pub struct PageRow<'a> {
    /// Its position.
    pub pgid: Pgid,
    /// Absolute offset in bytes.
    pub offset: u64,
    /// Its use; none if no meta page is valid.
    pub usage: Option<Use>,
    /// The page, if its header has its own id and a kind. A free page still has the header of its former use.
    pub page: Option<Page<'a>>,
    /// The key of its first element, if it can be read.
    pub first_key: Option<&'a [u8]>,
}

impl PageRow<'_> {
    /// bbolt's word for the page. `damaged` and `unknown` are ours, for pages on which bbolt fails.
    pub fn type_name(&self) -> &'static str {
        match (self.usage, self.page.and_then(|page| page.kind)) {
            (Some(Use::Free), _) => "free",
            (Some(Use::Broken { .. }), _) => "damaged",
            (Some(Use::Meta), _) => Kind::Meta.as_str(),
            (_, Some(kind)) => kind.as_str(),
            (_, None) => "unknown",
        }
    }

    /// Whether its header is in use. The header of a free page describes its former content.
    pub fn is_in_use(&self) -> bool {
        !matches!(self.usage, Some(Use::Free | Use::Broken { .. }))
    }
}

impl<'a> PageUse<'a> {
    /// Every page below the high-water mark, without overflow pages, as bbolt lists them.
    pub fn rows(&self) -> impl Iterator<Item = PageRow<'a>> + use<'a, '_> {
        rows(self.pages, self.end, |pgid| Some(self.use_of(pgid)))
    }
}

/// Every page of a file without a usable meta page, by its own header.
pub fn rows_by_header<'a>(pages: Pages<'a>) -> impl Iterator<Item = PageRow<'a>> + use<'a> {
    rows(pages, pages.count(), |_| None)
}

/// A row for each page up to `end`, without overflow pages. An overflow page is known by its use. In a run that no tree
/// uses, and in a file without a usable meta page, it is known by the length that the header of the first page states.
fn rows<'a, F: Fn(Pgid) -> Option<Use>>(
    pages: Pages<'a>,
    end: u64,
    use_of: F,
) -> impl Iterator<Item = PageRow<'a>> + use<'a, F> {
    let mut next = 0;
    std::iter::from_fn(move || {
        while next < end {
            let pgid = Pgid(next);
            next = next.saturating_add(1);
            let usage = use_of(pgid);
            if usage.is_some_and(Use::is_inside) {
                continue;
            }
            let page = stated_page(&pages, pgid);
            if let (None | Some(Use::Unreached), Some(page)) = (usage, page) {
                next = end_of_stated_run(&pages, &page, end, &use_of);
            }
            return Some(PageRow {
                pgid,
                offset: pages.offset_of(pgid),
                usage,
                page,
                first_key: page.and_then(first_key),
            });
        }
        None
    })
}

/// The page, if its header has this position as id, and a kind.
fn stated_page<'a>(pages: &Pages<'a>, pgid: Pgid) -> Option<Page<'a>> {
    pages
        .unchecked(pgid)
        .filter(|page| page.stated_id == pgid.0 && page.kind.is_some())
}

/// The key of the first element of a tree page, if it can be read.
fn first_key<'a>(page: Page<'a>) -> Option<&'a [u8]> {
    if page.usable_count() == 0 {
        return None;
    }
    match page.kind? {
        Kind::Leaf => page.leaf_element(0).ok().map(|element| element.key),
        Kind::Branch => page.branch_element(0).ok().map(|(key, _)| key),
        Kind::Meta | Kind::Freelist => None,
    }
}

/// The end of the run of a page that no tree uses: its stated end, or earlier if a page in between has a use or a header
/// of its own.
fn end_of_stated_run(
    pages: &Pages<'_>,
    page: &Page<'_>,
    end: u64,
    use_of: &impl Fn(Pgid) -> Option<Use>,
) -> u64 {
    let first = page.pgid.0.saturating_add(1);
    let stated = first.saturating_add(u64::from(page.overflow)).min(end);
    (first..stated)
        .find(|further| {
            let is_others = !matches!(use_of(Pgid(*further)), None | Some(Use::Unreached));
            is_others || stated_page(pages, Pgid(*further)).is_some()
        })
        .unwrap_or(stated)
}
