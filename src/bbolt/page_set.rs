//! A set of page ids.

use crate::fast_map::FastMap;

/// A set of page ids, 64 per word. Memory grows with the pages in it, not with the largest id.
#[derive(Debug, Default)]
pub struct PageSet {
    words: FastMap<u64, u64>,
}

impl PageSet {
    /// Whether a page is marked.
    pub fn contains(&self, pgid: u64) -> bool {
        let bits = self.words.get(&(pgid / 64));
        bits.is_some_and(|bits| bits & (1 << (pgid % 64)) != 0)
    }

    /// Marks a page; false if it was marked before.
    pub fn insert(&mut self, pgid: u64) -> bool {
        let bit = 1_u64 << (pgid % 64);
        let bits = self.words.entry(pgid / 64).or_default();
        let fresh = *bits & bit == 0;
        *bits |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_new_once_whatever_its_id() {
        let mut set = PageSet::default();
        for pgid in [0, 63, 64, u64::MAX] {
            assert!(!set.contains(pgid));
            assert!(set.insert(pgid));
            assert!(!set.insert(pgid));
            assert!(set.contains(pgid));
        }
        assert!(!set.contains(1) && !set.contains(65));
    }
}
