//! A fold over items that are read on all cores.

use crate::parallel::read_all;

/// How many items are read together: enough work for all cores, and little memory.
const BATCH: usize = 1024;

/// Passes all items to `fold` in their order, each with what `read` returns for it. `read` may run in any thread and in
/// any order. While one batch is read, the one before it is folded, and the next one is collected.
pub(super) fn read_ahead<I: Send + Sync, T: Send + Sync>(
    mut items: impl Iterator<Item = I> + Send,
    read: impl Fn(&I) -> T + Sync,
    mut fold: impl FnMut(I, T) + Send,
) {
    let mut batch: Vec<I> = items.by_ref().take(BATCH).collect();
    let mut before: Vec<(I, T)> = Vec::new();
    while !batch.is_empty() {
        let last = std::mem::take(&mut before);
        let fold_and_collect = || {
            last.into_iter().for_each(|(item, read)| fold(item, read));
            items.by_ref().take(BATCH).collect()
        };
        let read = || read_all(&batch, &read);
        let (next, read) = rayon::join(fold_and_collect, read);
        let items = std::mem::replace(&mut batch, next);
        before = items.into_iter().zip(read).collect();
    }
    before.into_iter().for_each(|(item, read)| fold(item, read));
}
