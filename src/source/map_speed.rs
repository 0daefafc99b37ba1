//! Whether reading the map of a file takes less time than copying the file by system calls. That depends on the processor,
//! on the system, on the file system, and on the size of the pieces in which that part of the file is in the file cache. So
//! both ways are timed while the file is read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// A way to read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The map of the file.
    Map,
    /// System calls that copy its bytes.
    Copy,
}

/// So many calls at the start take the two ways in turn.
const FIRST_SAMPLES: u32 = 4;

/// After them, one of so many calls takes the slower way: it may have become the faster one.
const SAMPLED: u32 = 32;

/// The system unmaps the pages later. That is not in the times of the map, and takes this part of them, in percent.
const UNMAP_PERCENT: u64 = 5;

/// How fast the two ways were.
#[derive(Debug, Default)]
pub(super) struct MapSpeed {
    calls: AtomicU32,
    map: Pace,
    copy: Pace,
    /// Tests take one way only.
    #[cfg(test)]
    only: Option<Way>,
}

impl MapSpeed {
    /// The way for the next part of the file. A large part is a sample; its time is to be added.
    pub(super) fn next_way(&self, is_sample: bool) -> Way {
        #[cfg(test)]
        if let Some(only) = self.only {
            return only;
        }
        let (faster, slower) = match self.is_map_faster() {
            true => (Way::Map, Way::Copy),
            false => (Way::Copy, Way::Map),
        };
        if !is_sample {
            return faster;
        }
        match self.calls.fetch_add(1, Ordering::Relaxed) {
            call if call < FIRST_SAMPLES && call.is_multiple_of(2) => Way::Map,
            call if call < FIRST_SAMPLES => Way::Copy,
            call if call.is_multiple_of(SAMPLED) => slower,
            _ => faster,
        }
    }

    /// Adds the time that a part of the file took.
    pub(super) fn add(&self, way: Way, bytes: u64, time: Duration) {
        match way {
            Way::Map => self.map.add(bytes, time),
            Way::Copy => self.copy.add(bytes, time),
        }
    }

    /// The map is taken for the faster one until both were timed.
    fn is_map_faster(&self) -> bool {
        let (map, copy) = (self.map.get(), self.copy.get());
        map.zip(copy).is_none_or(|(map, copy)| {
            map.saturating_mul(100 + UNMAP_PERCENT) <= copy.saturating_mul(100)
        })
    }

    /// For a source that is read in one way only.
    #[cfg(test)]
    pub(super) fn only(way: Way) -> Self {
        Self {
            only: Some(way),
            ..Self::default()
        }
    }
}

/// How long a way takes. A shorter time counts at once. A longer one counts little, because another program may have had the
/// core.
#[derive(Debug, Default)]
struct Pace {
    /// Picoseconds for a byte; 0 if nothing was added.
    mean: AtomicU64,
}

impl Pace {
    fn add(&self, bytes: u64, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let Some(new) = time.saturating_mul(1000).checked_div(bytes) else {
            return;
        };
        let mean = match self.get() {
            Some(mean) if mean < new => mean.saturating_add((new - mean) / 8),
            _ => new,
        };
        self.mean.store(mean.max(1), Ordering::Relaxed);
    }

    fn get(&self) -> Option<u64> {
        Some(self.mean.load(Ordering::Relaxed)).filter(|mean| *mean > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ways of so many calls, if a byte takes so many nanoseconds.
    fn ways(speed: &MapSpeed, calls: usize, map: u64, copy: u64) -> Vec<Way> {
        let call = |_| {
            let way = speed.next_way(true);
            let nanoseconds = if way == Way::Map { map } else { copy };
            speed.add(way, 1000, Duration::from_nanos(nanoseconds * 1000));
            way
        };
        (0..calls).map(call).collect()
    }

    #[test]
    fn the_faster_way_is_taken_after_both_were_tried() {
        for (map, copy, faster, slower) in
            [(1, 2, Way::Map, Way::Copy), (3, 2, Way::Copy, Way::Map)]
        {
            let speed = MapSpeed::default();
            let taken = ways(&speed, 96, map, copy);
            assert_eq!(taken[..4], [Way::Map, Way::Copy, Way::Map, Way::Copy]);
            assert_eq!((taken[32], taken[64]), (slower, slower));
            let count = taken.iter().filter(|way| **way == faster).count();
            assert_eq!(count, 96 - 2 - 2);
            assert_eq!(speed.next_way(false), faster);
        }
    }

    #[test]
    fn a_way_that_becomes_faster_is_noticed() {
        let speed = MapSpeed::default();
        ways(&speed, 32, 1, 2);
        let taken = ways(&speed, 64, 4, 2);
        assert_eq!(taken[63], Way::Copy);
    }

    #[test]
    fn nothing_is_known_before_the_first_sample() {
        let speed = MapSpeed::default();
        assert_eq!(speed.next_way(false), Way::Map);
        speed.add(Way::Copy, 0, Duration::from_nanos(5));
        assert_eq!(speed.copy.get(), None);
    }
}
