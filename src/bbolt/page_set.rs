//! A set of page ids.

use crate::fast_map::FastMap;

/// A set of page ids, 64 per word. Memory grows with the pages in it, not with the largest id.
#[derive(Debug, Default)]
pub struct PageSet {
    words: FastMap<u64, u64>,
}

impl PageSet {
    /// Whether no page is marked.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a page is marked.
    pub fn contains(&self, pgid: u64) -> bool {
        let bits = self.words.get(&(pgid / 64));
        bits.is_some_and(|bits| bits & (1 << (pgid % 64)) != 0)
    }

    /// The pages, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.words.iter().flat_map(|(word, bits)| {
            let first = word.saturating_mul(64);
            let marked = (0..64).filter(move |bit| bits & (1 << bit) != 0);
            marked.map(move |bit| first.saturating_add(bit))
        })
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
        let mut all: Vec<u64> = set.iter().collect();
        all.sort_unstable();
        assert_eq!(all, [0, 63, 64, u64::MAX]);
    }
}
