//! Which walk uses which page: no walk enters a page twice, and a page that two buckets share is found.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::page_set::PageSet;

/// The pages that one walk has used. A page is entered once, and is a part of others' overflow once more
/// at most: if a page claims another's, either may be damaged, so both are read. The bytes delivered
/// never exceed twice the file.
#[derive(Debug, Default)]
pub(super) struct WalkedPages {
    pub(super) entered: PageSet,
    pub(super) once: PageSet,
    pub(super) twice: PageSet,
}

/// Which buckets' walks entered a page: one in an intact file. If two claim it, either may be damaged, so
/// both may have it. A third may not, or a small file could be made to look endless.
#[derive(Debug, Default)]
pub(super) struct PageOwners {
    /// By the page's number divided by [`PAGES_TOGETHER`]: in a file that is mostly a hole the only page may be the last.
    of_pages: Mutex<HashMap<u64, [[u16; 2]; PAGES_TOGETHER]>>,
}

/// How many neighbours are kept together.
const PAGES_TOGETHER: usize = 64;

/// The answer to a walk that claims a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is this bucket's alone so far.
    Own,
    /// It is another's, too.
    Shared,
    /// It is two others'.
    Refused,
}

impl PageOwners {
    /// Claims a page for the bucket with this number (from 1).
    pub(super) fn claim(&self, pgid: u64, bucket: u16) -> Claim {
        let together = PAGES_TOGETHER as u64;
        let Ok(place) = usize::try_from(pgid % together) else {
            return Claim::Refused;
        };
        let mut of_pages = self.of_pages.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = of_pages
            .entry(pgid / together)
            .or_insert([[0; 2]; PAGES_TOGETHER]);
        let Some([first, second]) = pages.get_mut(place) else {
            return Claim::Refused;
        };
        if *first == 0 || *first == bucket {
            *first = bucket;
            // The first owner hears of the second as well.
            return if *second == 0 {
                Claim::Own
            } else {
                Claim::Shared
            };
        }
        if *second == 0 || *second == bucket {
            *second = bucket;
            return Claim::Shared;
        }
        Claim::Refused
    }
}
