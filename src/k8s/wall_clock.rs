//! Main revisions on the wall clock, from the times which API servers wrote into values.
//!
//! etcd keeps no time. But revisions are in the order of writing, so an [`Anchor`] at one revision bounds
//! all others: a revision was written not before any anchor at or below it, and not after any anchor at
//! or above it. Everything here is an estimate by the clocks of the API servers:
//! - Times are cut to seconds: `not_after` is the end of its second.
//! - A server takes the time before etcd writes, and several servers' clocks differ a little. So an anchor may
//!   be older than one before it. Up to [`SKEW_SECONDS`] both are believed: the bounds of the revisions
//!   between then reach from the older to the newer.
//! - What contradicts the others by more was set by a client, or by a clock that was wrong, and is left
//!   out. Which those are is decided by the heaviest chain: of all ways to pick anchors whose times
//!   never decrease with the revision, the one with the most weight. What no client can set (creations, requested
//!   deletions) weighs twice as much as a managedFields time. One wrong time is never worth the right ones
//!   that it would exclude, wherever it stands, except as the very last or very first of the store, where nothing
//!   contradicts it; then it spoils the bounds of its own revision only.
//! - Where a clock was stepped back for good, two stretches of revisions claim the same time of day. The
//!   one with the most anchors is believed there; the step itself cannot be told from wrong times.
//! - Two servers whose clocks differ by more than the limit for long: the busier one is believed.

use super::anchors::{Anchor, Evidence};
use crate::etcd::Revision;

/// How far a time may contradict the chain before it is left out, in seconds: the default time limit of an
/// admission webhook, which an API server may wait for between taking the time and writing.
pub const SKEW_SECONDS: i64 = 10;

/// An anchor and the revision for which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The main revision that was written then.
    pub main: i64,
    /// When.
    pub anchor: Anchor,
    /// Main revision of the record that tells it: a later one for the creation of a key whose first version
    /// is compacted.
    pub told_by: i64,
    /// Its sub revision.
    pub told_by_sub: u32,
}

impl Point {
    /// A time told by a record about a main revision.
    #[must_use]
    pub fn new(main: i64, anchor: Anchor, told_by: Revision) -> Self {
        Self {
            main,
            anchor,
            told_by: told_by.main,
            told_by_sub: u32::try_from(told_by.sub).unwrap_or(u32::MAX),
        }
    }
}

/// When a main revision was written, in seconds since 1970, as far as is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Not before the begin of this second.
    pub not_before: Option<i64>,
    /// Not after the begin of this second.
    pub not_after: Option<i64>,
    /// The second at which an API server says it wrote this very revision.
    pub exact: Option<i64>,
    /// A time which this very revision claims, and which the others contradict.
    pub contradicted: Option<i64>,
    /// The newest time at or before this revision.
    pub lower: Option<Point>,
    /// The oldest time at or after it.
    pub upper: Option<Point>,
}

/// Whether a revision is known to be the newest at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// By all that is known.
    Surely,
    /// Others may be it as well; it is the likeliest.
    Probably,
}

/// The newest revision at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtTime {
    /// The newest main revision that was written by then.
    pub revision: i64,
    /// Whether that is sure.
    pub certainty: Certainty,
    /// The newest that surely was; none where none surely was.
    pub surely: Option<i64>,
    /// The newest that may have been.
    pub possibly: i64,
}

/// The revisions of a store with their anchors.
#[derive(Debug, Clone, Default)]
pub struct WallClock {
    /// By main revision, then time.
    points: Vec<Point>,
    accepted: Vec<bool>,
    /// Of the points up to and including this one, the accepted one with the newest time.
    newest_before: Vec<u32>,
    /// Of the exact points from this one on, the accepted one with the oldest time.
    oldest_after: Vec<u32>,
    /// The oldest and the newest main revision there is.
    revisions: (i64, i64),
}

const NONE: u32 = u32::MAX;

fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}

impl WallClock {
    /// Puts points in order and decides which are believed. `revisions`: the oldest and the newest main
    /// revision of the store.
    #[must_use]
    pub fn new(mut points: Vec<Point>, revisions: (i64, i64)) -> Self {
        // Indexes are 32 bits wide.
        points.truncate(
            usize::try_from(NONE)
                .unwrap_or(usize::MAX)
                .saturating_sub(1),
        );
        points.sort_by_key(|point| (point.main, point.anchor.time));
        let on_chain = heaviest_chain(&points);
        let accepted = accept(&points, &on_chain);
        let mut clock = Self {
            newest_before: Vec::with_capacity(points.len()),
            oldest_after: vec![NONE; points.len()],
            points,
            accepted,
            revisions,
        };
        clock.run_extremes();
        clock
    }

    fn run_extremes(&mut self) {
        let mut best: Option<(i64, u32)> = None;
        for (index, (point, accepted)) in self.points.iter().zip(&self.accepted).enumerate() {
            let time = point.anchor.time;
            if *accepted && best.is_none_or(|(newest, _)| newest <= time) {
                best = Some((time, small(index)));
            }
            self.newest_before.push(best.map_or(NONE, |(_, at)| at));
        }
        best = None;
        let points = self.points.iter().zip(&self.accepted).enumerate();
        for ((index, (point, accepted)), oldest) in points.zip(&mut self.oldest_after).rev() {
            let time = point.anchor.time;
            let counts = *accepted && point.anchor.evidence != Evidence::Floor;
            if counts && best.is_none_or(|(oldest, _)| time <= oldest) {
                best = Some((time, small(index)));
            }
            *oldest = best.map_or(NONE, |(_, at)| at);
        }
    }

    fn point(&self, index: Option<&u32>) -> Option<Point> {
        let index = usize::try_from(*index?).ok()?;
        self.points.get(index).copied()
    }

    /// When a main revision was written.
    #[must_use]
    pub fn bounds(&self, main: i64) -> Bounds {
        let from = self.points.partition_point(|point| point.main < main);
        let to = self.points.partition_point(|point| point.main <= main);
        let mut bounds = self.between(to, from);
        for index in from..to {
            let (Some(point), Some(accepted)) = (self.points.get(index), self.accepted.get(index))
            else {
                break;
            };
            let time = Some(point.anchor.time);
            match point.anchor.evidence {
                Evidence::Floor => {}
                _ if *accepted => bounds.exact = time,
                _ => bounds.contradicted = time,
            }
        }
        bounds
    }

    /// The same by all anchors but its own.
    #[must_use]
    pub fn bounds_by_others(&self, main: i64) -> Bounds {
        let from = self.points.partition_point(|point| point.main < main);
        let to = self.points.partition_point(|point| point.main <= main);
        self.between(from, to)
    }

    /// Bounds by the points before the index `before` and those from the index `from` on.
    fn between(&self, before: usize, from: usize) -> Bounds {
        let last = before.checked_sub(1);
        let lower = self.point(last.and_then(|last| self.newest_before.get(last)));
        let upper = self.point(self.oldest_after.get(from));
        let old = lower.map(|point| point.anchor.time);
        let new = upper.map(|point| point.anchor.time);
        Bounds {
            not_before: old.map(|old| new.map_or(old, |new| old.min(new))),
            not_after: new.map(|new| old.map_or(new, |old| old.max(new)).saturating_add(1)),
            lower,
            upper,
            ..Bounds::default()
        }
    }

    /// The likeliest time of a main revision: between two anchors as if revisions came evenly.
    #[must_use]
    pub fn estimate(&self, main: i64) -> Option<i64> {
        let Bounds { lower, upper, .. } = self.bounds(main);
        let (Some(lower), Some(upper)) = (lower, upper) else {
            return lower.or(upper).map(|point| point.anchor.time);
        };
        let seconds = i128::from(upper.anchor.time) - i128::from(lower.anchor.time);
        let (done, all) = (
            i128::from(main) - i128::from(lower.main),
            i128::from(upper.main) - i128::from(lower.main),
        );
        if seconds <= 0 || all <= 0 {
            return Some(lower.anchor.time);
        }
        let part = seconds.saturating_mul(done).checked_div(all)?;
        let part = i64::try_from(part).unwrap_or_default();
        Some(lower.anchor.time.saturating_add(part))
    }

    /// The newest revision that was written by a time, in seconds since 1970; what was written within that
    /// second counts. None: by all that is known, none was.
    #[must_use]
    pub fn at_time(&self, time: i64) -> Option<AtTime> {
        let end = time.saturating_add(1);
        let surely = self.last(|main| self.bounds(main).not_after.is_some_and(|at| at <= end));
        let probably = self.last(|main| self.estimate(main).is_some_and(|at| at <= time))?;
        let possibly = self.until(time)?;
        Some(AtTime {
            revision: probably,
            certainty: if surely == Some(possibly) {
                Certainty::Surely
            } else {
                Certainty::Probably
            },
            surely,
            possibly,
        })
    }

    /// The oldest revision that may have been written at or after a time; none if all were surely before.
    #[must_use]
    pub fn since(&self, time: i64) -> Option<i64> {
        let before = |main| self.bounds(main).not_after.is_some_and(|at| at <= time);
        match self.last(before) {
            None => Some(self.revisions.0),
            Some(last) => last
                .checked_add(1)
                .filter(|first| *first <= self.revisions.1),
        }
    }

    /// The newest revision that may have been written at or before a time; none if all were surely after.
    #[must_use]
    pub fn until(&self, time: i64) -> Option<i64> {
        self.last(|main| self.bounds(main).not_before.is_none_or(|at| at <= time))
    }

    /// The last revision of the store for which something holds that holds for all before it.
    fn last(&self, holds: impl Fn(i64) -> bool) -> Option<i64> {
        let (mut low, mut high) = self.revisions;
        if low > high || !holds(low) {
            return None;
        }
        while low < high {
            let middle = high.saturating_sub(high.saturating_sub(low) / 2);
            if holds(middle) {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
        }
        Some(low)
    }

    /// The newest time that is believed: what `10m` is counted back from.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        let point = self.point(self.newest_before.last())?;
        Some(point.anchor.time)
    }

    /// The oldest and the newest main revision.
    #[must_use]
    pub fn revisions(&self) -> (i64, i64) {
        self.revisions
    }

    /// The anchors in the order of revisions, each with whether it is believed.
    pub fn points(&self) -> impl Iterator<Item = (&Point, bool)> {
        self.points.iter().zip(self.accepted.iter().copied())
    }

    /// How many anchors are left out because they contradict the others.
    #[must_use]
    pub fn contradictions(&self) -> usize {
        self.accepted.iter().filter(|accepted| !**accepted).count()
    }
}

fn weight(evidence: Evidence) -> u32 {
    match evidence {
        Evidence::Created | Evidence::DeletionRequested => 2,
        Evidence::ManagedFields | Evidence::Floor => 1,
    }
}

/// The heaviest subset of the points whose times never decrease, by a Fenwick tree over the times: n log n.
/// Of equally heavy chains it is the one with the newest time before each step, and the oldest at the end: one
/// wrong time between two right ones is not on it.
fn heaviest_chain(points: &[Point]) -> Vec<bool> {
    let mut times: Vec<i64> = points.iter().map(|point| point.anchor.time).collect();
    times.sort_unstable();
    times.dedup();
    // Of a stretch of times: weight of the heaviest chain that ends there, rank of its end, its last point.
    let mut tree: Vec<(u32, u32, u32)> = vec![(0, 0, NONE); times.len().saturating_add(1)];
    let mut before: Vec<u32> = Vec::with_capacity(points.len());
    let mut best: Option<(u32, std::cmp::Reverse<i64>, u32)> = None;
    for (index, point) in points.iter().enumerate() {
        let rank = times
            .partition_point(|time| *time < point.anchor.time)
            .saturating_add(1);
        let (mut heaviest, mut at) = ((0, 0, NONE), rank);
        while at > 0 {
            heaviest = heaviest.max(tree.get(at).copied().unwrap_or_default());
            at &= at.saturating_sub(1);
        }
        before.push(if heaviest.0 == 0 { NONE } else { heaviest.2 });
        let weight = heaviest.0.saturating_add(weight(point.anchor.evidence));
        let (entry, mut at) = ((weight, small(rank), small(index)), rank);
        while let Some(known) = tree.get_mut(at) {
            *known = (*known).max(entry);
            at = at.saturating_add(at & at.wrapping_neg());
        }
        let end = (weight, std::cmp::Reverse(point.anchor.time), small(index));
        best = best.max(Some(end));
    }
    let mut on_chain = vec![false; points.len()];
    let mut at = best.map_or(NONE, |(_, _, index)| index);
    while let Some(index) = usize::try_from(at).ok().filter(|_| at != NONE) {
        match (on_chain.get_mut(index), before.get(index)) {
            (Some(mark), Some(previous)) => {
                *mark = true;
                at = *previous;
            }
            _ => break,
        }
    }
    on_chain
}

/// What is on the chain, and what contradicts it by no more than the limit. A floor that is too old
/// contradicts nothing.
fn accept(points: &[Point], on_chain: &[bool]) -> Vec<bool> {
    let chain = |index: usize| {
        let point = points.get(index)?;
        on_chain.get(index)?.then_some(point.anchor.time)
    };
    let mut next: Option<i64> = None;
    let mut accepted: Vec<bool> = Vec::with_capacity(points.len());
    for (index, point) in points.iter().enumerate().rev() {
        next = chain(index).or(next);
        let limit = next.map(|next| next.saturating_add(SKEW_SECONDS));
        accepted.push(limit.is_none_or(|limit| point.anchor.time <= limit));
    }
    accepted.reverse();
    let mut previous: Option<i64> = None;
    for (index, (point, accepted)) in points.iter().zip(&mut accepted).enumerate() {
        previous = chain(index).or(previous);
        let limit = previous.map(|previous| previous.saturating_sub(SKEW_SECONDS));
        let too_old = limit.is_some_and(|limit| point.anchor.time < limit);
        *accepted &= !too_old || point.anchor.evidence == Evidence::Floor;
    }
    accepted
}
