//! Work on all cores, compiled once for all types: each parallel iterator of its own makes the program tens of kilobytes
//! larger.

use std::sync::OnceLock;

use rayon::prelude::*;

/// What `read` returns for each of these indexes, in their order. It is called on all cores, so many times together. After
/// each batch `after` is called with its size.
pub fn read_each<T: Send + Sync>(
    indexes: &[usize],
    batch: usize,
    read: impl Fn(usize) -> T + Sync,
    after: &mut dyn FnMut(usize),
) -> Vec<T> {
    let slots: Vec<OnceLock<T>> = indexes.iter().map(|_| OnceLock::new()).collect();
    let read_one = |place: usize| {
        if let (Some(slot), Some(index)) = (slots.get(place), indexes.get(place)) {
            slot.get_or_init(|| read(*index));
        }
    };
    for_each(indexes.len(), batch, &read_one, after);
    slots.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// What `read` returns for each of some items, in their order. It is called on all cores.
pub fn read_all<I: Sync, T: Send + Sync>(items: &[I], read: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let slots: Vec<OnceLock<T>> = items.iter().map(|_| OnceLock::new()).collect();
    let read_one = |place: usize| {
        if let (Some(slot), Some(item)) = (slots.get(place), items.get(place)) {
            slot.get_or_init(|| read(item));
        }
    };
    for_each(items.len(), items.len(), &read_one, &mut |_| {});
    slots.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// Calls `each` with every number below `count`, on all cores.
fn for_each(
    count: usize,
    batch: usize,
    each: &(dyn Fn(usize) + Sync),
    after: &mut dyn FnMut(usize),
) {
    let mut from = 0_usize;
    while from < count {
        let until = from.saturating_add(batch.max(1)).min(count);
        (from..until).into_par_iter().for_each(each);
        after(until.saturating_sub(from));
        from = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_indexes() {
        for (count, batch) in [(0, 1), (1, 1), (1000, 7), (1000, 0), (64, 64), (64, 1000)] {
            let indexes: Vec<usize> = (0..count).rev().collect();
            let mut sizes = Vec::new();
            let read = read_each(&indexes, batch, |index| index * 2, &mut |size| {
                sizes.push(size);
            });
            let expected: Vec<usize> = indexes.iter().map(|index| index * 2).collect();
            assert_eq!(read, expected);
            assert_eq!(sizes.iter().sum::<usize>(), count);
            assert!(sizes.iter().all(|size| *size <= batch.max(1)));
            assert_eq!(read_all(&indexes, |index| index * 2), expected);
        }
    }
}
