//! The buckets of a file without a usable meta page: those that the leaf pages state.

use super::super::anatomy;
use super::super::bucket::MAX_BUCKETS;
use super::super::page::{Kind, Pgid};
use super::super::pages::Pages;
use super::buckets::BucketUse;
use super::rows::rows_by_header;

/// The bucket headers in all leaf pages of a file, of the newest or any former state. Their trees are not walked.
pub fn stated_buckets<'a>(pages: Pages<'a>) -> impl Iterator<Item = BucketUse<'a>> + use<'a> {
    rows_by_header(pages)
        .filter_map(|row| row.page)
        .filter(|page| page.kind == Some(Kind::Leaf))
        .flat_map(|page| {
            anatomy::elements(page).filter_map(move |element| {
                let header = anatomy::bucket(&page, &element)?;
                Some(BucketUse {
                    root: Pgid(header.root),
                    sequence: header.sequence,
                    inline: header.inline.is_some(),
                    header_offset: element.value?.offset,
                    ..BucketUse::named(element.key?.bytes)
                })
            })
        })
        .take(MAX_BUCKETS)
}
