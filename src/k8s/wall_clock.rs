//! Assigns times to main revisions, from the times that API servers wrote into objects.
//!
//! etcd stores no times. But revisions are in the order of writing, so a known time at one revision (an [`Anchor`])
//! bounds all others: a revision was not written before the time of an earlier anchor, and not after the time of a
//! later one.
//!
//! **Example.** A pod was created at revision 10 with `creationTimestamp` 12:00:05, and a ConfigMap at revision 20 with
//! 12:00:09. Revision 15 has no time of its own. It was written not before 12:00:05 and before 12:00:10 (times are cut
//! to whole seconds, so the anchor at 20 was written at some point within 12:00:09). The estimate is 12:00:07, half way.
//!
//! **Clocks differ.** An API server reads its clock before etcd writes, and the clocks of several servers differ a
//! little. So a later revision may have an earlier time. Example: revisions 1 to 4 have the seconds 100, 109, 103, 112.
//! Contradictions of up to [`SKEW_SECONDS`] are accepted, but such anchors bound in one direction only:
//! - 109 is not a lower bound for later revisions, because a later anchor has 103.
//! - 103 is not an upper bound for earlier revisions, because an earlier anchor has 109.
//! - So revision 2 has the lower bound 100 and the upper bound 109, and revision 3 has 103 and 112. Between two clocks,
//!   the slow clock gives the lower bound and the fast clock the upper bound.
//!
//! **Wrong times.** An anchor that contradicts the others by more was set by a client or by a wrong clock, and is not
//! used. To decide which anchors are wrong, `heaviest_chain` picks the subset of anchors whose times never decrease
//! with the revision and whose total weight is the largest. Example: the seconds 100, 900, 110, 120 at revisions 1 to 4.
//! The chain is 100, 110, 120; 900 is left out. A time that no client can set (a creation, a requested deletion) weighs
//! 4, a managedFields time weighs 2.
//!
//! **Received events.** The time at which a backup received an event ([`Evidence::Received`]) is usually the time of the
//! write. But after a restart a backup receives old events at once, much later than they were written. So such a time
//! weighs 1: objects that agree with each other are believed first.
//!
//! **Limits of the method:**
//! - A single wrong time at the first or last anchor of the store contradicts nothing. It is believed, and makes the
//!   bounds of its own revision wrong.
//! - If a clock was set back permanently, two ranges of revisions have the same times of day. The range with the larger
//!   weight is believed; a clock that was set back cannot be distinguished from wrong times.
//! - If the clocks of two servers differ by more than the limit for a long time, the busier server is believed.
//!
//! [`Anchor`]: super::anchors::Anchor
//! [`Evidence::Received`]: super::anchors::Evidence::Received

mod chain;
mod index_set;
mod packed;
mod packed_list;
mod point_list;
mod points;

use std::ops::Range;

use chain::heaviest_chain;
use index_set::IndexSet;
use packed::Timed;
use packed_list::Cursor;
use point_list::PointList;

pub use points::{Point, Points};

/// How far an anchor may contradict the chain and still be accepted, in seconds: the default timeout of an admission
/// webhook, which an API server may call between reading its clock and writing.
pub const SKEW_SECONDS: i64 = 10;

/// The bounds for the time at which a main revision was written, in seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Not before the start of this second.
    pub not_before: Option<i64>,
    /// Not after the start of this second.
    pub not_after: Option<i64>,
    /// The second at which an API server wrote this revision, by an accepted anchor of the revision itself.
    pub exact: Option<i64>,
    /// A time that an anchor of this revision has, and that was rejected because other anchors contradict it.
    pub contradicted: Option<i64>,
    /// The point with the newest accepted time at or before this revision; its time is `not_before`.
    pub lower: Option<Point>,
    /// The point with the oldest accepted time at or after this revision; `not_after` is the end of its second.
    pub upper: Option<Point>,
}

/// Whether a revision is certain to be the newest one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeCertainty {
    /// The bounds allow no other revision.
    Certain,
    /// The bounds allow other revisions; this one is the most likely.
    Probable,
}

/// The newest revision at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtTime {
    /// The newest main revision that was written by this time.
    pub revision: i64,
    /// Whether the bounds allow no other revision.
    pub certainty: TimeCertainty,
    /// The newest revision that was certainly written by then; None if no revision was.
    pub certain: Option<i64>,
    /// The newest revision that may have been written by then.
    pub possible: i64,
}

/// The revisions of a store with their anchors.
#[derive(Debug, Clone, Default)]
pub struct WallClock {
    /// Sorted by main revision; within one revision, floors come first, then the newest time. The sets that follow have
    /// indexes of points.
    points: PointList,
    /// The accepted points.
    accepted: IndexSet,
    /// The points on the heaviest chain.
    chain: IndexSet,
    /// The points that are a lower bound for later revisions, up to the next one in the set.
    lower: IndexSet,
    /// The points that are an upper bound for earlier revisions, back to the one before in the set.
    upper: IndexSet,
    /// The claims of the revisions that have more than [`FEW`] points, sorted by main revision. A transaction may write
    /// any number of objects, and its bounds are requested once for each of them, so they are computed in advance.
    claims: Vec<(i64, Claims)>,
    /// The oldest and the newest main revision of the store.
    revisions: (i64, i64),
}

/// The claims of a revision with at most this number of points are computed when they are requested.
const FEW: usize = 32;

/// The newest accepted and the newest rejected time of a revision's own points.
#[derive(Debug, Clone, Copy, Default)]
struct Claims {
    exact: Option<i64>,
    contradicted: Option<i64>,
}

impl Claims {
    fn add(&mut self, point: Timed, accepted: bool) {
        if !point.is_exact() {
            return;
        }
        let newest = if accepted {
            &mut self.exact
        } else {
            &mut self.contradicted
        };
        *newest = (*newest).max(Some(point.seconds()));
    }
}

impl WallClock {
    /// Sorts the points and decides which are accepted. `revisions` are the oldest and the newest main revision of the
    /// store.
    #[must_use]
    pub fn new(points: Points, revisions: (i64, i64)) -> Self {
        let points = PointList::from(points);
        // Each point is unpacked once for all that follows, because that takes longer than to look at it.
        let mut timed: Vec<Timed> = Vec::with_capacity(points.len());
        let mut crowded: Vec<(i64, Range<usize>)> = Vec::new();
        let (mut main, mut first) = (i64::MIN, 0);
        for (index, point) in points.iter() {
            if point.main() != main {
                (main, first) = (point.main(), index);
            }
            if index.saturating_sub(first) >= FEW {
                crowded.pop_if(|(known, _)| *known == main);
                crowded.push((main, first..index.saturating_add(1)));
            }
            timed.push(point.into());
        }
        let chain = heaviest_chain(&timed);
        let accepted = accept(&timed, &chain);
        let (lower, upper) = bounds(&timed, &accepted);
        let claims = |(main, own): (i64, Range<usize>)| {
            let mut claims = Claims::default();
            for index in own {
                if let Some(point) = timed.get(index) {
                    claims.add(*point, accepted.contains(index));
                }
            }
            (main, claims)
        };
        Self {
            claims: crowded.into_iter().map(claims).collect(),
            points,
            accepted,
            chain,
            lower,
            upper,
            revisions,
        }
    }

    /// The claims of a revision whose points have the indexes `own`.
    fn claims_of(&self, points: &mut Cursor<'_>, main: i64, own: Range<usize>) -> Claims {
        if own.len() > FEW {
            let place = self.claims.binary_search_by_key(&main, |(main, _)| *main);
            let known = place.ok().and_then(|place| self.claims.get(place));
            return known.map(|(_, claims)| *claims).unwrap_or_default();
        }
        let mut claims = Claims::default();
        for index in own {
            if let Some(point) = points.get(index) {
                claims.add(point.into(), self.accepted.contains(index));
            }
        }
        claims
    }

    #[inline(never)]
    fn point(&self, points: &mut Cursor<'_>, index: Option<usize>) -> Option<Point> {
        Some(self.points.unpack(points.get(index?)?))
    }

    /// The bounds of a main revision.
    #[must_use]
    pub fn bounds(&self, main: i64) -> Bounds {
        let mut points = self.points.cursor();
        let own = points.indexes_of(main);
        let Claims {
            exact,
            contradicted,
        } = self.claims_of(&mut points, main, own.clone());
        Bounds {
            exact,
            contradicted,
            ..self.around(&mut points, own)
        }
    }

    /// The bounds of a revision whose points have the indexes `own`, without its claims.
    fn around(&self, points: &mut Cursor<'_>, own: Range<usize>) -> Bounds {
        let lower = self.point(points, last_before(&self.lower, own.end));
        let upper = self.point(points, self.upper.first_from(own.start));
        Bounds {
            not_before: lower.map(|point| point.anchor.time),
            not_after: upper.map(|point| point.anchor.time.saturating_add(1)),
            lower,
            upper,
            ..Bounds::default()
        }
    }

    /// The most likely time of a main revision: interpolated between the neighbouring anchors of the chain, as if
    /// revisions were written at an even rate, and then limited to its bounds. None if the store has no anchors.
    #[must_use]
    pub fn estimate(&self, main: i64) -> Option<i64> {
        let mut points = self.points.cursor();
        let own = points.indexes_of(main);
        let last = self.point(&mut points, last_before(&self.chain, own.end));
        let next = self.point(&mut points, self.chain.first_from(own.end));
        let even = match (last, next) {
            (Some(last), Some(next)) => interpolate(last, next, main),
            (last, next) => last.or(next)?.anchor.time,
        };
        let Bounds { lower, upper, .. } = self.around(&mut points, own);
        let even = lower.map_or(even, |lower| even.max(lower.anchor.time));
        Some(upper.map_or(even, |upper| even.min(upper.anchor.time)))
    }

    /// The newest revision that was written by a time, in seconds since 1970. Writes within that second count. None if
    /// all revisions were written later.
    #[must_use]
    pub fn at_time(&self, time: i64) -> Option<AtTime> {
        let end = time.saturating_add(1);
        let certain = self.last(|main| self.bounds(main).not_after.is_some_and(|at| at <= end));
        let probable = self.last(|main| self.estimate(main).is_some_and(|at| at <= time))?;
        let possible = self.until(time)?;
        Some(AtTime {
            revision: probable,
            certainty: if certain == Some(possible) {
                TimeCertainty::Certain
            } else {
                TimeCertainty::Probable
            },
            certain,
            possible,
        })
    }

    /// The oldest revision that may have been written at or after a time. None if all were certainly written before.
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

    /// The newest revision that may have been written at or before a time. None if all were certainly written after.
    #[must_use]
    pub fn until(&self, time: i64) -> Option<i64> {
        self.last(|main| self.bounds(main).not_before.is_none_or(|at| at <= time))
    }

    /// The last revision of the store for which `holds` is true. `holds` must be true for all revisions before it.
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

    /// The newest accepted time. Durations such as `10m` are counted back from it.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        let last = last_before(&self.lower, self.points.len());
        let point = self.point(&mut self.points.cursor(), last)?;
        Some(point.anchor.time)
    }

    /// The oldest and the newest main revision.
    #[must_use]
    pub fn revisions(&self) -> (i64, i64) {
        self.revisions
    }

    /// The points in the order of revisions, each with whether it is accepted.
    pub fn points(&self) -> impl Iterator<Item = (Point, bool)> {
        let points = self.points.iter();
        points.map(|(index, point)| (self.points.unpack(point), self.accepted.contains(index)))
    }

    /// The number of rejected points.
    #[must_use]
    pub fn contradictions(&self) -> usize {
        self.points.len().saturating_sub(self.accepted.len())
    }
}

/// The time of `main` on the line between two points.
fn interpolate(last: Point, next: Point, main: i64) -> i64 {
    let distance = |to: i64, from: i64| i128::from(to).saturating_sub(i128::from(from));
    let seconds = distance(next.anchor.time, last.anchor.time);
    let part = seconds
        .saturating_mul(distance(main, last.main))
        .checked_div(distance(next.main, last.main));
    let part = part.and_then(|part| i64::try_from(part).ok());
    last.anchor.time.saturating_add(part.unwrap_or_default())
}

/// The last index of a set that is less than another one.
fn last_before(set: &IndexSet, end: usize) -> Option<usize> {
    set.last_to(end.checked_sub(1)?)
}

/// The points with their indexes.
fn numbered(points: &[Timed]) -> impl DoubleEndedIterator<Item = (usize, Timed)> {
    points.iter().copied().enumerate()
}

/// Accepts the points on the chain and those that contradict it by at most [`SKEW_SECONDS`]. A floor is only a lower
/// bound, so a floor that is much older than the chain is accepted too.
fn accept(points: &[Timed], chain: &IndexSet) -> IndexSet {
    let mut next: Option<i64> = None;
    let mut not_too_new = numbered(points).rev().filter_map(|(index, point)| {
        let time = point.seconds();
        next = chain.contains(index).then_some(time).or(next);
        let limit = next.map(|next| next.saturating_add(SKEW_SECONDS));
        limit.is_none_or(|limit| time <= limit).then_some(index)
    });
    let not_too_new = IndexSet::new(points.len(), &mut not_too_new);
    let mut last: Option<i64> = None;
    let mut accepted = numbered(points).filter_map(|(index, point)| {
        let time = point.seconds();
        last = chain.contains(index).then_some(time).or(last);
        let too_old = last.is_some_and(|last| time < last.saturating_sub(SKEW_SECONDS));
        (not_too_new.contains(index) && !(too_old && point.is_exact())).then_some(index)
    });
    IndexSet::new(points.len(), &mut accepted)
}

/// The points that are a lower bound for later revisions, and those that are an upper bound for earlier ones. A lower
/// bound must not be newer than any accepted exact time that follows, and an upper bound must not be older than any
/// accepted time that precedes it.
fn bounds(points: &[Timed], accepted: &IndexSet) -> (IndexSet, IndexSet) {
    let accepted = || numbered(points).filter(|(index, _)| accepted.contains(*index));
    // First pass, from the end: the accepted exact points that are older than all that follow.
    let mut oldest: Vec<(usize, u32)> = Vec::new();
    for (index, point) in accepted().rev().filter(|(_, point)| point.is_exact()) {
        if oldest
            .last()
            .is_none_or(|(_, oldest)| point.time() < *oldest)
        {
            oldest.push((index, point.time()));
        }
    }
    // Second pass, from the start: the lower bounds, and the accepted points that are newer than all before.
    let mut newest: Vec<(usize, u32)> = Vec::new();
    let mut best = 0;
    let mut lower = accepted().filter_map(|(index, point)| {
        if newest
            .last()
            .is_none_or(|(_, newest)| point.time() > *newest)
        {
            newest.push((index, point.time()));
        }
        // The oldest one at or after this point is last.
        while oldest.pop_if(|(at, _)| *at < index).is_some() {}
        let counts = oldest
            .last()
            .is_none_or(|(_, oldest)| point.time() <= *oldest);
        (counts && best <= point.time()).then(|| {
            best = point.time();
            index
        })
    });
    let lower = IndexSet::new(points.len(), &mut lower);
    // Third pass, from the end: the upper bounds.
    let mut best = u32::MAX;
    let mut upper = accepted().rev().filter_map(|(index, point)| {
        // The newest one at or before this point is last.
        while newest.pop_if(|(at, _)| *at > index).is_some() {}
        let counts = newest
            .last()
            .is_none_or(|(_, newest)| point.time() >= *newest);
        (counts && point.is_exact() && point.time() <= best).then(|| {
            best = point.time();
            index
        })
    });
    let upper = IndexSet::new(points.len(), &mut upper);
    (lower, upper)
}

#[cfg(test)]
mod tests {
    use super::chain::weight;
    use super::*;
    use crate::k8s::anchors::{Anchor, Evidence};

    fn points(times: &[(i64, Evidence)]) -> Points {
        let numbered = times.iter().zip(1..);
        let point = |((time, evidence), main): (&(i64, Evidence), i64)| {
            let (time, evidence) = (*time, *evidence);
            Point::new(main, Anchor { time, evidence }, (main, 0))
        };
        numbered.map(point).collect()
    }

    #[test]
    fn no_other_chain_is_heavier_than_the_heaviest_chain() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            i64::try_from((state >> 33) % below).unwrap()
        };
        for _ in 0..200 {
            let times: Vec<(i64, Evidence)> = (0..9)
                .map(|_| {
                    let evidence = [Evidence::Created, Evidence::ManagedFields];
                    (random(8), evidence[usize::try_from(random(2)).unwrap()])
                })
                .collect();
            let list = PointList::from(points(&times));
            let points: Vec<Timed> = list.iter().map(|(_, point)| point.into()).collect();
            let weight_if_ascending = |on: &dyn Fn(usize) -> bool| {
                let picked = numbered(&points).filter(|(index, _)| on(*index));
                let picked: Vec<Timed> = picked.map(|(_, point)| point).collect();
                let ascends = picked.is_sorted_by_key(|point| point.time());
                ascends.then(|| picked.iter().map(|p| weight(p.evidence())).sum::<u32>())
            };
            let heaviest =
                (0..512_u32).filter_map(|set| weight_if_ascending(&|index| set >> index & 1 == 1));
            let chain = heaviest_chain(&points);
            let weight = weight_if_ascending(&|index| chain.contains(index));
            assert_eq!(weight, heaviest.max(), "{times:?}");
        }
    }

    #[test]
    fn between_two_clocks_the_slow_one_bounds_below_and_the_fast_one_above() {
        let times = [
            (100, Evidence::Created),
            (109, Evidence::Created),
            (103, Evidence::Created),
            (112, Evidence::Created),
        ];
        let clock = WallClock::new(points(&times), (1, 4));
        let bounds = |main| {
            let Bounds {
                not_before,
                not_after,
                exact,
                ..
            } = clock.bounds(main);
            (not_before, not_after, exact)
        };
        assert_eq!(bounds(1), (Some(100), Some(101), Some(100)));
        assert_eq!(bounds(2), (Some(100), Some(110), Some(109)));
        assert_eq!(bounds(3), (Some(103), Some(113), Some(103)));
        assert_eq!(bounds(4), (Some(112), Some(113), Some(112)));
    }

    #[test]
    fn the_newest_times_of_a_revision_are_found_whatever_the_number_of_its_points() {
        for count in [1, 2, FEW - 1, FEW, FEW + 1, 100].map(|count| i64::try_from(count).unwrap()) {
            let point = |main, time| {
                let evidence = Evidence::Created;
                Point::new(main, Anchor { time, evidence }, (main, 0))
            };
            let right = (0..count).map(|sub| point(2, 100 + sub % 7));
            let wrong = (0..count / 2).map(|sub| point(2, 900 + sub));
            let next = (3..200).map(|main| point(main, 106));
            let points = right.chain(wrong).chain(next).collect();
            let bounds = WallClock::new(points, (1, 200)).bounds(2);
            let (exact, contradicted) = (100 + (count - 1).min(6), 899 + count / 2);
            assert_eq!(bounds.exact, Some(exact), "{count}");
            let contradicted = (count > 1).then_some(contradicted);
            assert_eq!(bounds.contradicted, contradicted, "{count}");
        }
    }
}
