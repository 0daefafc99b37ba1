//! A time whose state is restored, and the revisions that it may mean.

use crate::k8s::wall_clock::AtTime;

use super::no_answer::NoAnswer;
use super::timeline::Timeline;

/// A time that was asked for, and the revisions that it may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeAsked {
    /// The time, in seconds since 1970.
    pub time: i64,
    /// The revision that is used, the most likely one, and the range of revisions that fit the time.
    pub at: AtTime,
    /// The bounds of the time of that revision, in seconds since 1970.
    pub bounds: (Option<i64>, Option<i64>),
}

impl TimeAsked {
    /// The revisions at a time as typed.
    ///
    /// # Errors
    /// If it is no time, the store has no times, or all of its revisions are newer.
    pub fn read(timeline: &Timeline, text: &str) -> Result<Self, NoAnswer> {
        let time = timeline.time(text)?;
        let at = timeline.at_time(time)?;
        let bounds = timeline.bounds(at.revision);
        Ok(Self {
            time,
            at,
            bounds: (bounds.not_before, bounds.not_after),
        })
    }
}
