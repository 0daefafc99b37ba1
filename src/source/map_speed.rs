//! Whether the map of a file is fast. Linux maps 64 KiB of a file with one page fault; that takes more time than copying
//! them by a system call. But it maps up to 2 MiB with one fault if the file is in its memory in such large pieces. That
//! depends on the file system, and on how that part of the file came there. So it is found out while the file is read.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::guard;

/// If the system maps this many bytes with one page fault, the map is fast.
const FAST_BYTES: u64 = 256 << 10;

/// The first calls are samples, because the start of a file often is in small pieces.
const FIRST_SAMPLES: u32 = 4;

/// After them, one of so many calls is a sample.
const SAMPLED: u32 = 16;

/// What the last sample has shown.
#[derive(Debug, Default)]
pub(super) struct MapSpeed {
    calls: AtomicU32,
    is_slow: AtomicBool,
}

impl MapSpeed {
    /// Whether the map is fast; so it is taken for until the first sample. `sample` reads pages, and returns how many bytes
    /// they stand for.
    pub(super) fn is_fast(&self, sample: Option<&dyn Fn() -> u64>) -> bool {
        let Some(sample) = sample else {
            return !self.is_slow.load(Ordering::Relaxed);
        };
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        if calls < FIRST_SAMPLES || calls.is_multiple_of(SAMPLED) {
            let before = guard::page_faults();
            let bytes = sample();
            let faults = guard::page_faults().zip(before);
            let faults = faults.map(|(after, before)| after.saturating_sub(before));
            let is_fast = faults.is_some_and(|faults| is_fast(bytes, faults));
            self.is_slow.store(!is_fast, Ordering::Relaxed);
        }
        !self.is_slow.load(Ordering::Relaxed)
    }

    /// The state after a sample. The next calls take no sample.
    #[cfg(test)]
    pub(super) fn sampled(is_slow: bool) -> Self {
        Self {
            calls: AtomicU32::new(FIRST_SAMPLES + 1),
            is_slow: AtomicBool::new(is_slow),
        }
    }
}

fn is_fast(bytes: u64, faults: u64) -> bool {
    faults.saturating_mul(FAST_BYTES) <= bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_fast_if_the_system_maps_large_pieces() {
        assert!(is_fast(10 << 20, 5) && is_fast(10 << 20, 0));
        assert!(!is_fast(10 << 20, 160));
    }

    #[test]
    fn only_some_calls_are_samples() {
        let speed = MapSpeed::default();
        let samples = AtomicU32::new(0);
        let sample = || {
            samples.fetch_add(1, Ordering::Relaxed);
            u64::MAX
        };
        for _ in 0..SAMPLED * 2 + 1 {
            speed.is_fast(Some(&sample));
        }
        assert_eq!(samples.into_inner(), FIRST_SAMPLES + 2);
    }
}
