//! What a run costs, counted and not timed: bytes allocated, and steps where the build counts them.
//!
//! The allocator of the test program counts what it is asked for. Steps are the executions of code regions: a build
//! with `-C instrument-coverage` has a counter for each region, and their sum is the same in every run of the same
//! work. `cargo xtask sweep` builds so.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static TOTAL: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The system's allocator with a count.
pub struct Counting;

impl Counting {
    fn add(bytes: usize) {
        TOTAL.fetch_add(bytes, Relaxed);
        let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
        PEAK.fetch_max(live, Relaxed);
        if live > MOST.load(Relaxed) {
            // A message would allocate.
            std::process::abort();
        }
    }
}

// SAFETY: every request goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_sub(layout.size(), Relaxed);
        Self::add(size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What was counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The most bytes that were allocated at one time.
    pub peak: u64,
    /// All bytes that were ever allocated.
    pub total: u64,
    /// Executions of code regions; 0 in a build that does not count them.
    pub steps: u64,
}

/// Counts from here: the peak begins at what is allocated now.
pub fn start() -> Counts {
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    Counts {
        peak: live as u64,
        total: TOTAL.load(Relaxed) as u64,
        steps: steps(),
    }
}

/// What was counted since then.
pub fn since(start: Counts) -> Counts {
    Counts {
        peak: (PEAK.load(Relaxed) as u64).saturating_sub(start.peak),
        total: (TOTAL.load(Relaxed) as u64).saturating_sub(start.total),
        steps: steps().saturating_sub(start.steps),
    }
}

/// From now on, more than this many allocated bytes end the process.
pub fn limit(bytes: usize) {
    MOST.store(bytes, Relaxed);
}

#[cfg(counted_steps)]
fn steps() -> u64 {
    unsafe extern "C" {
        fn __llvm_profile_begin_counters() -> *const u64;
        fn __llvm_profile_end_counters() -> *const u64;
    }
    // SAFETY: the two functions of the profiling runtime give the bounds of one array of counters.
    let counters = unsafe {
        let (begin, end) = (
            __llvm_profile_begin_counters(),
            __llvm_profile_end_counters(),
        );
        std::slice::from_raw_parts(begin, end.offset_from(begin) as usize)
    };
    counters
        .iter()
        .fold(0, |sum, counter| sum.wrapping_add(*counter))
}

#[cfg(not(counted_steps))]
fn steps() -> u64 {
    0
}
