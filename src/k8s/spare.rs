//! Buffers that a thread keeps from one value to the next. For a small value it takes longer to allocate them than to use
//! them, and threads that allocate wait for each other.

use std::cell::RefCell;
use std::thread::LocalKey;

/// The most buffers that a thread keeps: a comparison uses two at once.
const MOST: usize = 4;

/// The buffers of one kind that a thread does not use at the moment.
pub(super) struct Spare<T>(RefCell<Vec<T>>);

impl<T> Spare<T> {
    /// None.
    pub(super) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }
}

/// Returns buffers to use: kept ones, or new ones.
pub(super) fn take<T: Default>(spare: &'static LocalKey<Spare<T>>) -> T {
    let kept = spare.with(|Spare(kept)| kept.borrow_mut().pop());
    kept.unwrap_or_default()
}

/// Keeps buffers, which are empty, for the next use on this thread.
pub(super) fn keep<T>(spare: &'static LocalKey<Spare<T>>, buffers: T) {
    spare.with(|Spare(kept)| {
        let mut kept = kept.borrow_mut();
        if kept.len() < MOST {
            kept.push(buffers);
        }
    });
}
