//! How far a long pass over a file is. Only `cli` prints: the caller that opens a file may pass in a counter, and read
//! it from another thread.
//!
//! The thread that reads the file adds to the counter once for each leaf of the tree, or for each megabyte that is
//! hashed. The cost is too small to be measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the bytes that a pass over a file has read. Clones share one counter.
#[derive(Debug, Clone, Default)]
pub struct Work(Arc<Counters>);

/// The numbers of [`Progress`], shared between threads.
#[derive(Debug, Default)]
struct Counters {
    passes: AtomicU64,
    total: AtomicU64,
    done: AtomicU64,
}

/// How far the current pass is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Which pass it is; 0: none has begun.
    pub pass: u64,
    /// How many bytes it will read; 0 if that is not known.
    pub total: u64,
    /// How many of them were read; never more than `total`, if that is known.
    pub done: u64,
}

impl Work {
    /// Begins a pass over `total` bytes; 0 if the number is not known.
    pub fn begin(&self, total: u64) {
        let Counters {
            passes,
            total: total_counter,
            done,
        } = &*self.0;
        total_counter.store(total, Ordering::Relaxed);
        done.store(0, Ordering::Relaxed);
        passes.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds bytes that the pass has read.
    pub fn add(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How far the current pass is. A pass may add more bytes than it announced; `done` does not show them.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (pass, total, done) = (
            load(&self.0.passes),
            load(&self.0.total),
            load(&self.0.done),
        );
        Progress {
            pass,
            total,
            done: if total > 0 { done.min(total) } else { done },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_counted_from_its_beginning_and_never_beyond_its_end() {
        let work = Work::default();
        assert_eq!(work.progress(), Progress::default());
        let seen = |work: &Work| {
            let Progress { pass, total, done } = work.progress();
            (pass, total, done)
        };
        work.begin(100);
        work.add(40);
        assert_eq!(seen(&work), (1, 100, 40));
        work.add(70);
        assert_eq!(seen(&work.clone()), (1, 100, 100));
        work.begin(0);
        work.add(7);
        assert_eq!(seen(&work), (2, 0, 7));
    }
}
