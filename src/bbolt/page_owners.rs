//! The owners of pages: which walk has used which page. With it, no walk enters a page twice, and a page that two
//! buckets share is reported.

use std::sync::{Mutex, PoisonError};

use crate::compact_map::CompactMap;
use crate::fast_map::FastMap;

use super::page_set::PageSet;

/// The pages that one walk has used. A page is entered once, and may be in the overflow of one other page: if two pages
/// claim the same bytes, either may be damaged, so both are read. So a walk never returns more than twice the file.
#[derive(Debug, Default)]
pub struct WalkedPages {
    /// Pages at which the walk read a header.
    pub(super) entered: PageSet,
    /// Pages in the run of one page: its first page, or its overflow.
    pub(super) once: PageSet,
    /// Pages in the runs of two pages.
    pub(super) twice: PageSet,
}

impl WalkedPages {
    /// The pages in the runs of the walk, in no order, each with whether a run begins at it. None if two runs overlap.
    pub(super) fn pages(&self) -> Option<impl Iterator<Item = (u64, bool)>> {
        let pages = self.once.iter().map(|pgid| (pgid, self.is_head(pgid)));
        self.twice.is_empty().then_some(pages)
    }

    /// Whether a run of the walk begins at a page.
    pub(super) fn is_head(&self, pgid: u64) -> bool {
        self.entered.contains(pgid)
    }

    /// Whether a page is in a run of the walk.
    pub fn contains(&self, pgid: u64) -> bool {
        self.once.contains(pgid)
    }

    /// The last page of the run that begins at a page.
    pub(super) fn last_of(&self, head: u64) -> u64 {
        let is_inside = |pgid: &u64| self.contains(*pgid) && !self.is_head(*pgid);
        let next = head.saturating_add(1);
        (next..).take_while(is_inside).last().unwrap_or(head)
    }
}

/// Which buckets' walks entered a page. In an intact file it is one. If two claim it, either may be damaged, so both may
/// read it. A third is refused, because a small crafted file could otherwise appear endless.
#[derive(Debug, Default)]
pub(super) struct PageOwners(Mutex<Owners>);

#[derive(Debug, Default)]
struct Owners {
    /// The first owners of groups of pages, by page id divided by [`PAGES_TOGETHER`]. A map and not a list, because the
    /// only page of a sparse file may be its last.
    first: CompactMap<u64, Group>,
    /// The first owners of the few pages that belong to another bucket than the others of their group.
    apart: FastMap<u64, u16>,
    /// The second owners of the few pages that have two.
    second: FastMap<u64, u16>,
}

/// The pages of a group that one bucket has claimed first.
#[derive(Debug)]
struct Group {
    bucket: u16,
    /// A bit for each page, the lowest for the first.
    pages: u64,
}

/// How many neighbouring pages share one entry.
const PAGES_TOGETHER: u64 = 64;

/// The result of claiming a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Only this bucket has claimed it so far.
    Own,
    /// One other bucket has claimed it too.
    Shared,
    /// Two other buckets have claimed it.
    Refused,
}

impl PageOwners {
    /// Claims a page for the bucket with this number (from 1).
    pub(super) fn claim(&self, pgid: u64, bucket: u16) -> Claim {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Owners {
            first,
            apart,
            second,
        } = &mut *owners;
        let group = first.get_or_insert(pgid / PAGES_TOGETHER, || Group { bucket, pages: 0 });
        let Some(group) = group else {
            return Claim::Refused;
        };
        let page = 1 << (pgid % PAGES_TOGETHER);
        let first = if group.bucket == bucket && !apart.contains_key(&pgid) {
            group.pages |= page;
            bucket
        } else if group.pages & page != 0 {
            group.bucket
        } else {
            *apart.entry(pgid).or_insert(bucket)
        };
        if first == bucket {
            // The first owner also learns that the page is shared.
            return match second.contains_key(&pgid) {
                true => Claim::Shared,
                false => Claim::Own,
            };
        }
        match *second.entry(pgid).or_insert(bucket) == bucket {
            true => Claim::Shared,
            false => Claim::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_page_belongs_to_the_two_buckets_that_claim_it_first() {
        let owners = PageOwners::default();
        let mut known: HashMap<u64, Vec<u16>> = HashMap::new();
        let (mut state, mut shared, mut refused) = (1_u64, 0, 0);
        for _ in 0..20_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let pgid = (state >> 33) % 300;
            let bucket = u16::try_from((state >> 50) % 5 + 1).unwrap();
            let claimed = known.entry(pgid).or_default();
            if !claimed.contains(&bucket) && claimed.len() < 2 {
                claimed.push(bucket);
            }
            let expected = match claimed.as_slice() {
                [_] => Claim::Own,
                both if both.contains(&bucket) => Claim::Shared,
                _ => Claim::Refused,
            };
            assert_eq!(owners.claim(pgid, bucket), expected, "{pgid} {bucket}");
            shared += usize::from(expected == Claim::Shared);
            refused += usize::from(expected == Claim::Refused);
        }
        assert!(shared > 100 && refused > 100, "{shared} {refused}");
    }
}
