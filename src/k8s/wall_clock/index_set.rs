//! A set of indexes of a long list: a bit for each index, and half a bit to find the next and the last one in the set.

/// The number of indexes that share a word.
const TOGETHER: usize = 64;

/// A set of indexes.
#[derive(Debug, Clone, Default)]
pub(super) struct IndexSet {
    words: Vec<u64>,
    /// For each word, the last index of the set that is in an earlier word. [`NONE`] if the earlier words are empty.
    before: Vec<u32>,
    /// For each word, the first index in the set after its own.
    after: Vec<u32>,
}

/// No index.
const NONE: u32 = u32::MAX;

impl IndexSet {
    /// A set of indexes of a list of this length.
    pub(super) fn new(len: usize, indexes: &mut dyn Iterator<Item = usize>) -> Self {
        let mut words = vec![0_u64; len.div_ceil(TOGETHER)];
        for index in indexes {
            if let Some(word) = words.get_mut(index / TOGETHER) {
                *word |= 1 << (index % TOGETHER);
            }
        }
        let numbered = || words.iter().enumerate();
        let mut last = NONE;
        let before = numbered().map(|(place, word)| {
            let index = last_of(place, *word).map_or(last, to_u32);
            std::mem::replace(&mut last, index)
        });
        let before = before.collect();
        let mut first = NONE;
        let after = numbered().rev().map(|(place, word)| {
            let index = first_of(place, *word).map_or(first, to_u32);
            std::mem::replace(&mut first, index)
        });
        let mut after: Vec<u32> = after.collect();
        after.reverse();
        Self {
            words,
            before,
            after,
        }
    }

    /// Whether an index is in the set.
    pub(super) fn contains(&self, index: usize) -> bool {
        let word = self.words.get(index / TOGETHER);
        word.is_some_and(|word| word >> (index % TOGETHER) & 1 == 1)
    }

    /// The number of indexes.
    pub(super) fn len(&self) -> usize {
        let ones = self.words.iter().map(|word| word.count_ones());
        ones.fold(0, |sum, ones| {
            sum.saturating_add(usize::try_from(ones).unwrap_or_default())
        })
    }

    /// The last index in the set that is not after this one, an index of the list.
    pub(super) fn last_to(&self, index: usize) -> Option<usize> {
        let place = index / TOGETHER;
        let up_to = u64::MAX >> (TOGETHER - 1 - index % TOGETHER);
        let near = last_of(place, self.words.get(place)? & up_to);
        near.or_else(|| to_usize(*self.before.get(place)?))
    }

    /// The first index in the set that is not before this one.
    pub(super) fn first_from(&self, index: usize) -> Option<usize> {
        let place = index / TOGETHER;
        let from = u64::MAX << (index % TOGETHER);
        let near = first_of(place, self.words.get(place)? & from);
        near.or_else(|| to_usize(*self.after.get(place)?))
    }
}

/// The last index in a word.
fn last_of(place: usize, word: u64) -> Option<usize> {
    let bit = word.checked_ilog2()?;
    index_of(place, bit)
}

/// The first index in a word.
fn first_of(place: usize, word: u64) -> Option<usize> {
    (word != 0).then(|| index_of(place, word.trailing_zeros()))?
}

fn index_of(place: usize, bit: u32) -> Option<usize> {
    let bit = usize::try_from(bit).ok()?;
    Some(place.saturating_mul(TOGETHER).saturating_add(bit))
}

fn to_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}

fn to_usize(index: u32) -> Option<usize> {
    usize::try_from(index).ok().filter(|_| index != NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_indexes_are_found_whatever_the_distance() {
        for (len, indexes) in [
            (0, &[][..]),
            (1, &[0]),
            (64, &[63]),
            (65, &[64]),
            (1000, &[0, 1, 63, 64, 127, 500, 999]),
            (1000, &[]),
            (1000, &[640]),
        ] {
            let set = IndexSet::new(len, &mut indexes.iter().copied());
            assert_eq!(set.len(), indexes.len());
            for index in 0..len {
                assert_eq!(set.contains(index), indexes.contains(&index));
                let last = indexes.iter().rev().find(|known| **known <= index);
                assert_eq!(set.last_to(index), last.copied(), "{len} {index}");
                let first = indexes.iter().find(|known| **known >= index);
                assert_eq!(set.first_from(index), first.copied(), "{len} {index}");
            }
            assert_eq!(set.first_from(len), None);
        }
    }
}
