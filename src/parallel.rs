//! Work on all cores, compiled once for all types: each parallel iterator of its own makes the program tens of kilobytes
//! larger.

use std::sync::OnceLock;

use rayon::prelude::*;

/// What `read` returns for each of `count` items, by index. It is called for those in `order`, in about that order, on all
/// cores, so many times together. After each batch `after` is called with its size.
pub fn read_each<T: Send + Sync>(
    count: usize,
    order: &[usize],
    batch: usize,
    read: impl Fn(usize) -> T + Sync,
    after: &mut dyn FnMut(usize),
) -> Vec<Option<T>> {
    let slots: Vec<OnceLock<T>> = (0..count).map(|_| OnceLock::new()).collect();
    let read_one = |place: usize| {
        let index = order.get(place).copied();
        if let Some((index, slot)) = index.and_then(|index| Some((index, slots.get(index)?))) {
            slot.get_or_init(|| read(index));
        }
    };
    for_each(order.len(), batch, &read_one, after);
    slots.into_iter().map(OnceLock::into_inner).collect()
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

/// Reads every number below `count` on all cores, so many together, and passes the results of each batch to `take`, in order.
/// While this thread takes one batch, the others read the next one.
pub fn read_batches<T: Send + Sync, E>(
    count: usize,
    size: usize,
    read: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(Vec<T>) -> Result<(), E>,
) -> Result<(), E> {
    let batch = |from: usize| -> Vec<T> {
        let until = from.saturating_add(size.max(1)).min(count);
        let numbers: Vec<usize> = (from..until).collect();
        read_all(&numbers, |number| read(*number))
    };
    let mut ready = batch(0);
    let mut from = ready.len();
    while !ready.is_empty() {
        let taken = std::mem::take(&mut ready);
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| ready = batch(from));
            take(taken)
        })?;
        from = from.saturating_add(ready.len());
    }
    Ok(())
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
    fn results_are_in_the_order_of_the_items() {
        for (count, batch) in [(0, 1), (1, 1), (1000, 7), (1000, 0), (64, 64), (64, 1000)] {
            let indexes: Vec<usize> = (0..count).rev().collect();
            let mut sizes = Vec::new();
            let read = read_each(count + 1, &indexes, batch, |index| index * 2, &mut |size| {
                sizes.push(size);
            });
            let expected = (0..=count).map(|index| (index < count).then_some(index * 2));
            assert_eq!(read, expected.collect::<Vec<_>>());
            assert_eq!(sizes.iter().sum::<usize>(), count);
            assert!(sizes.iter().all(|size| *size <= batch.max(1)));
            let expected: Vec<usize> = indexes.iter().map(|index| index * 2).collect();
            assert_eq!(read_all(&indexes, |index| index * 2), expected);
        }
    }

    #[test]
    fn batches_are_taken_in_order_until_one_is_refused() {
        for (count, size) in [(0, 1), (1, 1), (10, 0), (1000, 7), (64, 64), (64, 1000)] {
            let mut taken = Vec::new();
            let mut take = |most: usize| {
                taken.clear();
                read_batches(
                    count,
                    size,
                    |number| number * 3,
                    |batch| {
                        assert!(!batch.is_empty() && batch.len() <= size.max(1));
                        taken.extend(batch);
                        if taken.len() < most {
                            Ok(())
                        } else {
                            Err(taken.len())
                        }
                    },
                )
            };
            assert_eq!(take(usize::MAX), Ok(()));
            let stopped = take(5);
            let most = (5_usize.div_ceil(size.max(1)) * size.max(1)).min(count);
            assert_eq!(stopped, if count < 5 { Ok(()) } else { Err(most) });
            assert_eq!(take(usize::MAX), Ok(()));
            assert_eq!(
                taken,
                (0..count).map(|number| number * 3).collect::<Vec<_>>()
            );
        }
    }
}
