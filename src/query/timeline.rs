//! Revisions and times: the fold over all records that finds the anchors, and the questions by time.

mod fold;
mod when;
pub mod why;

use crate::etcd::Store;
use crate::k8s::anchors::{Anchor, Evidence};
use crate::k8s::encrypt::Keyring;
use crate::k8s::wall_clock::{AtTime, Point, WallClock};

use super::no_answer::NoAnswer;

pub use crate::k8s::wall_clock::Bounds;
pub(super) use fold::{Seen, StillEncrypted, TimesFold};
pub use when::{When, parse_time};

/// When the revisions of a store were written, as far as its objects show.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    clock: WallClock,
    /// Values that are encrypted, and that no key at hand opens.
    closed: u64,
}

impl Timeline {
    /// Reads the times in all values of a store, by one pass. Findings go where the store's go.
    #[must_use]
    pub fn read(store: &Store<'_>, keyring: &Keyring) -> Self {
        Self::from_times(store, fold::fold(store, keyring))
    }

    /// The same from the times of all records of a store.
    pub(super) fn from_times(store: &Store<'_>, folded: TimesFold) -> Self {
        // Only the fold needs the digests of the keys.
        let TimesFold {
            mut points,
            closed,
            oldest,
            newest,
            ..
        } = folded.without_keys();
        for (main, time) in store.times() {
            let anchor = Anchor {
                time: *time,
                evidence: Evidence::Received,
            };
            points.add(Point::new(*main, anchor, (*main, 0)));
        }
        // Later revisions than the newest record's were compacted away whole.
        let oldest = oldest.unwrap_or(1);
        let newest = newest
            .unwrap_or_default()
            .max(store.compact_revision())
            .max(1);
        Self {
            clock: WallClock::new(points, (oldest.min(newest), newest)),
            closed,
        }
    }

    /// The revisions on the wall clock.
    #[must_use]
    pub fn clock(&self) -> &WallClock {
        &self.clock
    }

    /// When a main revision was written.
    #[must_use]
    pub fn bounds(&self, main: i64) -> Bounds {
        self.clock.bounds(main)
    }

    /// A time as typed, in seconds since 1970. A duration is counted back from the newest time of the store and a clock
    /// time is one of its day: the clock of this machine is never read.
    ///
    /// # Errors
    /// When it is no time, or depends on the newest time of a store that has none.
    pub fn time(&self, text: &str) -> Result<i64, NoAnswer> {
        self.resolve(text.parse()?)
    }

    /// The same, of a time that was parsed before the store was open.
    ///
    /// # Errors
    /// As [`Self::time`].
    pub fn resolve(&self, when: When) -> Result<i64, NoAnswer> {
        match (when, self.clock.newest()) {
            (When::BeforeNewest(_) | When::Clock(_), None) => Err(self.no_time()),
            (when, newest) => when.resolve(newest),
        }
    }

    /// The revisions that may have been written between two times as typed, both included; a time that is not given
    /// bounds nothing.
    ///
    /// # Errors
    /// As [`Self::time`], and when the store has no times.
    pub fn range(
        &self,
        since: Option<&String>,
        until: Option<&String>,
    ) -> Result<(i64, i64), NoAnswer> {
        let since = since.map(|text| self.since(self.time(text)?)).transpose()?;
        let until = until.map(|text| self.until(self.time(text)?)).transpose()?;
        Ok((since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX)))
    }

    /// The newest revision that was written by a time.
    ///
    /// # Errors
    /// When the store has no times, or is all younger.
    pub fn at_time(&self, time: i64) -> Result<AtTime, NoAnswer> {
        self.known()?;
        self.clock.at_time(time).ok_or_else(|| {
            let oldest = self.clock.revisions().0;
            NoAnswer::OlderThanAll {
                asked: time,
                oldest: (oldest, self.clock.estimate(oldest)),
            }
        })
    }

    /// The oldest revision that may have been written at or after a time; one above the newest
    /// where none may.
    ///
    /// # Errors
    /// When the store has no times.
    pub fn since(&self, time: i64) -> Result<i64, NoAnswer> {
        self.known()?;
        let above = self.clock.revisions().1.saturating_add(1);
        Ok(self.clock.since(time).unwrap_or(above))
    }

    /// The newest revision that may have been written at or before a time; 0 where none may.
    ///
    /// # Errors
    /// When the store has no times.
    pub fn until(&self, time: i64) -> Result<i64, NoAnswer> {
        self.known()?;
        Ok(self.clock.until(time).unwrap_or(0))
    }

    fn known(&self) -> Result<(), NoAnswer> {
        self.clock
            .newest()
            .map(|_| ())
            .ok_or_else(|| self.no_time())
    }

    /// Why there are no times.
    #[must_use]
    pub fn no_time(&self) -> NoAnswer {
        NoAnswer::NoTimes {
            encrypted: self.closed,
        }
    }
}
