//! Who uses which page: what keeps a walk from entering a page twice, and two buckets from sharing one
//! unseen.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A set of pages, 64 to a word. Memory follows the pages in it: an id may be any number.
#[derive(Debug, Default)]
pub struct Bits {
    words: HashMap<u64, u64>,
}

impl Bits {
    /// Whether a page is marked.
    pub fn contains(&self, pgid: u64) -> bool {
        let bits = self.words.get(&(pgid / 64));
        bits.is_some_and(|bits| bits & (1 << (pgid % 64)) != 0)
    }

    /// Marks a page; false when it was marked before.
    pub fn insert(&mut self, pgid: u64) -> bool {
        let bit = 1_u64 << (pgid % 64);
        let bits = self.words.entry(pgid / 64).or_default();
        let fresh = *bits & bit == 0;
        *bits |= bit;
        fresh
    }
}

/// What one walk has used. A page is entered once, and used as a part of others' overflow once more
/// at most: where a page claims another's, either may be the damaged one, so both are read; but the bytes
/// delivered never exceed twice the file.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) entered: Bits,
    pub(super) once: Bits,
    pub(super) twice: Bits,
}

/// Which buckets' walks entered a page: in a sound file one. Where two claim it either may be the damaged
/// one, so both may have it; a third may not, or a small file could be made to look endless.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// By the page's number divided by [`PAGES_TOGETHER`]: in a file that is mostly a hole the only page may be the last.
    of_pages: Mutex<HashMap<u64, [[u16; 2]; PAGES_TOGETHER]>>,
}

/// How many neighbours are kept together.
const PAGES_TOGETHER: usize = 64;

/// What a walk is told that wants a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is this bucket's alone so far.
    Own,
    /// It is another's, too.
    Shared,
    /// It is two others'.
    Refused,
}

impl Owners {
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
