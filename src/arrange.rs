//! Stable sorting of short lists.
//!
//! `slice::sort_by` is compiled for every type and every comparison, and each takes 8 kB of the program. Lists of a few
//! findings, buckets or rows do not need that speed. So here positions are sorted, by one function for all types, and then
//! the elements are moved to their places. Long lists (records, keys, events) use `slice::sort_by`.

use std::cmp::Ordering;

/// Stable sorting of short lists.
pub trait Arrange {
    /// The type of the elements.
    type Element;

    /// As `slice::sort_by`.
    fn arrange_by(&mut self, compare: impl FnMut(&Self::Element, &Self::Element) -> Ordering);

    /// As `slice::sort_by_key`.
    fn arrange_by_key<K: Ord>(&mut self, key: impl Fn(&Self::Element) -> K);
}

impl<T> Arrange for [T] {
    type Element = T;

    fn arrange_by(&mut self, mut compare: impl FnMut(&T, &T) -> Ordering) {
        let places = places(self.len(), &mut |a, b| match (self.get(a), self.get(b)) {
            (Some(a), Some(b)) => compare(a, b),
            _ => Ordering::Equal,
        });
        move_to(self, places);
    }

    fn arrange_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        self.arrange_by(|a, b| key(a).cmp(&key(b)));
    }
}

/// For each position of a list: the place that its element has in the sorted list.
fn places(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..len).collect();
    sorted.sort_by(|a, b| compare(*a, *b));
    let mut places = vec![0; len];
    for (place, from) in sorted.into_iter().enumerate() {
        if let Some(of_element) = places.get_mut(from) {
            *of_element = place;
        }
    }
    places
}

/// Moves each element to its place. Every swap moves one element to its final place, so there are at most as many swaps
/// as elements.
fn move_to<T>(items: &mut [T], mut places: Vec<usize>) {
    for at in 0..items.len() {
        while let Some(place) = places.get(at).copied().filter(|place| *place != at) {
            items.swap(at, place);
            places.swap(at, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_as_the_standard_library_sorts_it() {
        let mut state = 1_u32;
        for len in 0..40_usize {
            let random = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 28
            };
            let mut list: Vec<(u32, usize)> = std::iter::repeat_with(random).zip(0..len).collect();
            let mut expected = list.clone();
            expected.sort_by_key(|(key, _)| *key);
            list.arrange_by_key(|(key, _)| *key);
            assert_eq!(list, expected);
        }
    }
}
