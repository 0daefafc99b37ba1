//! Main revisions on the wall clock, from the times which API servers wrote into values.
//!
//! etcd keeps no time. But revisions are in the order of writing, so an [`Anchor`] at one revision bounds
//! all others: a revision was written not before any anchor at or below it, and not after any anchor at
//! or above it. Everything here is an estimate by the clocks of the API servers:
//! - Times are cut to seconds: `not_after` is the end of one.
//! - A server takes the time before etcd writes, and several servers' clocks differ a little. So an anchor may
//!   be older than one before it. Up to [`SKEW_SECONDS`] both are believed: what a later anchor contradicts
//!   is no lower bound, and what an earlier one contradicts is no upper bound. So between two clocks the
//!   bounds reach from the slow one's to the fast one's.
//! - What contradicts the others by more was set by a client, or by a clock that was wrong, and is left
//!   out. Which those are is decided by the heaviest chain: of all ways to pick anchors whose times
//!   never decrease with the revision, the one with the most weight. What no client can set (creations, requested
//!   deletions) weighs twice as much as a managedFields time. One wrong time is never worth the right ones
//!   that it would exclude, wherever it stands, except as the very last or very first of the store, where nothing
//!   contradicts it; then it spoils the bounds of its own revision only.
//! - When a backup received an event ([`Evidence::Received`]) is as good as the time of the write, unless it received old
//!   events at once after a restart. Then it is much later than the objects say. So it weighs half as much as a
//!   managedFields time: objects that agree with each other are believed.
//! - Where a clock was stepped back for good, two stretches of revisions claim the same time of day. The
//!   one with the most anchors is believed there; the step itself cannot be told from wrong times.
//! - Two servers whose clocks differ by more than the limit for long: the busier one is believed.

use super::anchors::{Anchor, CREDIBLE, Evidence};

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

/// Anchors of a store on their way to a [`WallClock`]. A store has about as many as revisions, so each takes
/// 16 bytes.
#[derive(Debug, Clone, Default)]
pub struct Points {
    packed: Vec<Packed>,
    /// Which records tell of other revisions than their own.
    elsewhere: Vec<(i64, u32)>,
}

/// The bits of [`Packed::rest`] that are the evidence.
const EVIDENCE: u32 = 7;

/// The bit that is set if another record tells the point.
const ELSEWHERE: u32 = 8;

/// How far the rest is shifted.
const PLACE_SHIFT: u32 = 4;

/// A point; see [`Points`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packed {
    main: i64,
    time: u32,
    /// From the lowest bit: three of evidence, one whether the record is another one; then the sub revision of
    /// the point's own main, or the place in `elsewhere`.
    rest: u32,
}

impl Packed {
    fn evidence(self) -> Evidence {
        match self.rest & EVIDENCE {
            0 => Evidence::Floor,
            1 => Evidence::Created,
            2 => Evidence::ManagedFields,
            3 => Evidence::DeletionRequested,
            _ => Evidence::Received,
        }
    }

    fn is_exact(self) -> bool {
        self.evidence() != Evidence::Floor
    }

    fn seconds(self) -> i64 {
        i64::from(self.time)
    }
}

impl Points {
    /// Takes a point. One whose time no clock can have told is left out.
    pub fn add(&mut self, point: Point) {
        let Point {
            main,
            anchor,
            told_by,
            told_by_sub,
        } = point;
        let time = u32::try_from(anchor.time).ok();
        let Some(time) = time.filter(|_| CREDIBLE.contains(&anchor.time)) else {
            return;
        };
        let is_own = told_by == main;
        let place = if is_own {
            told_by_sub
        } else {
            small(self.elsewhere.len())
        };
        // No transaction is that long, and no index reaches further.
        if place > u32::MAX >> PLACE_SHIFT || small(self.packed.len()) == NONE {
            return;
        }
        if !is_own {
            self.elsewhere.push((told_by, told_by_sub));
        }
        let evidence = match anchor.evidence {
            Evidence::Floor => 0,
            Evidence::Created => 1,
            Evidence::ManagedFields => 2,
            Evidence::DeletionRequested => 3,
            Evidence::Received => 4,
        };
        let elsewhere = if is_own { 0 } else { ELSEWHERE };
        let rest = place << PLACE_SHIFT | elsewhere | evidence;
        self.packed.push(Packed { main, time, rest });
    }

    fn unpack(&self, packed: Packed) -> Point {
        let Packed { main, rest, .. } = packed;
        let place = rest >> PLACE_SHIFT;
        let own = (main, place);
        let elsewhere = usize::try_from(place)
            .ok()
            .filter(|_| rest & ELSEWHERE != 0)
            .and_then(|place| self.elsewhere.get(place).copied());
        let (told_by, told_by_sub) = elsewhere.unwrap_or(own);
        Point {
            main,
            anchor: Anchor {
                time: packed.seconds(),
                evidence: packed.evidence(),
            },
            told_by,
            told_by_sub,
        }
    }
}

impl FromIterator<Point> for Points {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let mut collected = Self::default();
        points.into_iter().for_each(|point| collected.add(point));
        collected
    }
}

impl Point {
    /// A time told about a main revision by the record of main and sub revision `told_by`.
    #[must_use]
    pub fn new(main: i64, anchor: Anchor, (told_by, sub): (i64, i64)) -> Self {
        Self {
            main,
            anchor,
            told_by,
            told_by_sub: u32::try_from(sub).unwrap_or(u32::MAX),
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
    /// The newest believed time at or before this revision: `not_before`.
    pub lower: Option<Point>,
    /// The oldest believed time at or after it: in this second, `not_after` is its end.
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
    /// By main revision; of one revision floors first, then the newest time first.
    points: Points,
    accepted: Vec<bool>,
    /// The points of the heaviest chain.
    chain: Vec<u32>,
    /// Of the points up to and including this one, the one that is the lower bound of what follows.
    lower: Vec<u32>,
    /// Of the points from this one on, the one that is the upper bound of what comes before.
    upper: Vec<u32>,
    /// What the revisions with several points claim for themselves, by main revision: a transaction may write any
    /// number of objects, and is asked about once for each.
    claims: Vec<(i64, Claims)>,
    /// The oldest and the newest main revision there is.
    revisions: (i64, i64),
}

/// The newest times that a revision claims for itself: the believed ones, and those left out.
#[derive(Debug, Clone, Copy, Default)]
struct Claims {
    exact: Option<i64>,
    contradicted: Option<i64>,
}

impl Claims {
    fn add(&mut self, point: Packed, accepted: bool) {
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

const NONE: u32 = u32::MAX;

fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}

impl WallClock {
    /// Puts points in order and decides which are believed. `revisions`: the oldest and the newest main
    /// revision of the store.
    #[must_use]
    pub fn new(mut points: Points, revisions: (i64, i64)) -> Self {
        // Of one revision the newest time first: where several differ, none is a lower or upper bound
        // that leaves out another.
        points.packed.sort_unstable_by_key(|point| {
            let newest_first = std::cmp::Reverse(point.time);
            (point.main, point.is_exact(), newest_first, point.rest)
        });
        points.packed.shrink_to_fit();
        let on_chain = heaviest_chain(&points.packed);
        let accepted = accept(&points.packed, &on_chain);
        let chain = on_chain.iter().zip(0..);
        let chain = chain.filter_map(|(on, index)| on.then_some(index));
        let mut clock = Self {
            chain: chain.collect(),
            lower: vec![NONE; accepted.len()],
            upper: vec![NONE; accepted.len()],
            points,
            accepted,
            claims: Vec::new(),
            revisions,
        };
        clock.find_bounds();
        clock.find_claims();
        clock
    }

    /// The oldest exact time from each point on is what a lower bound must not exceed, and the newest time
    /// up to each point what an upper bound must not fall below.
    fn find_bounds(&mut self) {
        let points = &self.points.packed;
        let mut oldest = vec![u32::MAX; points.len()];
        let mut extreme = u32::MAX;
        let accepted = points.iter().zip(&self.accepted);
        for ((point, accepted), oldest) in accepted.zip(&mut oldest).rev() {
            if *accepted && point.is_exact() {
                extreme = extreme.min(point.time);
            }
            *oldest = extreme;
        }
        let mut newest = vec![0; points.len()];
        let mut best: Option<(u32, u32)> = None;
        extreme = 0;
        let accepted = points.iter().zip(&self.accepted).zip(0..);
        let slots = oldest.iter().zip(&mut newest).zip(&mut self.lower);
        for (((point, accepted), index), ((oldest, newest), lower)) in accepted.zip(slots) {
            if *accepted {
                extreme = extreme.max(point.time);
                if point.time <= *oldest && best.is_none_or(|(newest, _)| newest <= point.time) {
                    best = Some((point.time, index));
                }
            }
            *newest = extreme;
            *lower = best.map_or(NONE, |(_, at)| at);
        }
        best = None;
        let accepted = points.iter().zip(&self.accepted).enumerate();
        let slots = newest.iter().zip(&mut self.upper);
        for ((index, (point, accepted)), (newest, upper)) in accepted.zip(slots).rev() {
            let counts = *accepted && point.is_exact() && point.time >= *newest;
            if counts && best.is_none_or(|(oldest, _)| point.time <= oldest) {
                best = Some((point.time, small(index)));
            }
            *upper = best.map_or(NONE, |(_, at)| at);
        }
    }

    /// The claims of the revisions that have more than one point.
    fn find_claims(&mut self) {
        let mut points = self.points.packed.iter().zip(&self.accepted).peekable();
        while let Some((first, accepted)) = points.next() {
            let mut claims = Claims::default();
            claims.add(*first, *accepted);
            let mut count = 1_usize;
            while let Some((point, accepted)) = points.next_if(|(next, _)| next.main == first.main)
            {
                claims.add(*point, *accepted);
                count = count.saturating_add(1);
            }
            if count > 1 {
                self.claims.push((first.main, claims));
            }
        }
    }

    /// What a revision claims for itself; its points are those of these indexes.
    fn claims_of(&self, main: i64, own: std::ops::Range<usize>) -> Claims {
        let mut claims = Claims::default();
        match own.len() {
            0 => {}
            1 => {
                let point = self.points.packed.get(own.start);
                let accepted = self.accepted.get(own.start);
                if let (Some(point), Some(accepted)) = (point, accepted) {
                    claims.add(*point, *accepted);
                }
            }
            _ => {
                let place = self.claims.binary_search_by_key(&main, |(main, _)| *main);
                let known = place.ok().and_then(|place| self.claims.get(place));
                claims = known.map(|(_, claims)| *claims).unwrap_or_default();
            }
        }
        claims
    }

    fn point(&self, index: Option<&u32>) -> Option<Point> {
        let index = usize::try_from(*index?).ok()?;
        let packed = self.points.packed.get(index)?;
        Some(self.points.unpack(*packed))
    }

    /// When a main revision was written.
    #[must_use]
    pub fn bounds(&self, main: i64) -> Bounds {
        let points = &self.points.packed;
        let from = points.partition_point(|point| point.main < main);
        let to = points.partition_point(|point| point.main <= main);
        let Claims {
            exact,
            contradicted,
        } = self.claims_of(main, from..to);
        Bounds {
            exact,
            contradicted,
            ..self.between(to, from)
        }
    }

    /// Bounds by the points before the index `before` and those from the index `from` on.
    fn between(&self, before: usize, from: usize) -> Bounds {
        let last = before.checked_sub(1);
        let lower = self.point(last.and_then(|last| self.lower.get(last)));
        let upper = self.point(self.upper.get(from));
        Bounds {
            not_before: lower.map(|point| point.anchor.time),
            not_after: upper.map(|point| point.anchor.time.saturating_add(1)),
            lower,
            upper,
            ..Bounds::default()
        }
    }

    /// The likeliest time of a main revision: between two anchors of the chain as if revisions came evenly,
    /// and within its bounds. None in a store without anchors.
    #[must_use]
    pub fn estimate(&self, main: i64) -> Option<i64> {
        let behind = self
            .chain
            .partition_point(|at| self.point(Some(at)).is_some_and(|point| point.main <= main));
        let last = behind.checked_sub(1).and_then(|last| self.chain.get(last));
        let (last, next) = (self.point(last), self.point(self.chain.get(behind)));
        let even = match (last, next) {
            (Some(last), Some(next)) => interpolate(last, next, main),
            (last, next) => last.or(next)?.anchor.time,
        };
        let Bounds { lower, upper, .. } = self.bounds(main);
        let even = lower.map_or(even, |lower| even.max(lower.anchor.time));
        Some(upper.map_or(even, |upper| even.min(upper.anchor.time)))
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
        let point = self.point(self.lower.last())?;
        Some(point.anchor.time)
    }

    /// The oldest and the newest main revision.
    #[must_use]
    pub fn revisions(&self) -> (i64, i64) {
        self.revisions
    }

    /// The anchors in the order of revisions, each with whether it is believed.
    pub fn points(&self) -> impl Iterator<Item = (Point, bool)> {
        let points = self.points.packed.iter();
        let unpacked = points.map(|packed| self.points.unpack(*packed));
        unpacked.zip(self.accepted.iter().copied())
    }

    /// How many anchors are left out because they contradict the others.
    #[must_use]
    pub fn contradictions(&self) -> usize {
        self.accepted.iter().filter(|accepted| !**accepted).count()
    }
}

fn interpolate(last: Point, next: Point, main: i64) -> i64 {
    let of = |to: i64, from: i64| i128::from(to).saturating_sub(i128::from(from));
    let seconds = of(next.anchor.time, last.anchor.time);
    let part = seconds
        .saturating_mul(of(main, last.main))
        .checked_div(of(next.main, last.main));
    let part = part.and_then(|part| i64::try_from(part).ok());
    last.anchor.time.saturating_add(part.unwrap_or_default())
}

fn weight(evidence: Evidence) -> u32 {
    match evidence {
        Evidence::Created | Evidence::DeletionRequested => 4,
        Evidence::ManagedFields | Evidence::Floor => 2,
        Evidence::Received => 1,
    }
}

/// The heaviest subset of the points whose times never decrease, by a Fenwick tree over the times: n log n.
/// Of equally heavy chains it is the one with the newest time before each step, and the oldest at the end: one
/// wrong time between two right ones is not on it.
fn heaviest_chain(points: &[Packed]) -> Vec<bool> {
    let mut times: Vec<u32> = points.iter().map(|point| point.time).collect();
    times.sort_unstable();
    times.dedup();
    // Of a stretch of times: weight of the heaviest chain that ends there, time of its end, its last point.
    let mut tree: Vec<(u32, u32, u32)> = vec![(0, 0, NONE); times.len().saturating_add(1)];
    let mut before: Vec<u32> = Vec::with_capacity(points.len());
    let mut best: Option<(u32, std::cmp::Reverse<u32>, u32)> = None;
    for (point, index) in points.iter().zip(0..) {
        let rank = times.partition_point(|time| *time <= point.time);
        let (mut heaviest, mut at) = ((0, 0, NONE), rank);
        while at > 0 {
            heaviest = heaviest.max(tree.get(at).copied().unwrap_or_default());
            at &= at.saturating_sub(1);
        }
        before.push(if heaviest.0 == 0 { NONE } else { heaviest.2 });
        let weight = heaviest.0.saturating_add(weight(point.evidence()));
        let (entry, mut at) = ((weight, point.time, index), rank);
        while let Some(known) = tree.get_mut(at) {
            *known = (*known).max(entry);
            at = at.saturating_add(at & at.wrapping_neg());
        }
        best = best.max(Some((weight, std::cmp::Reverse(point.time), index)));
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
fn accept(points: &[Packed], on_chain: &[bool]) -> Vec<bool> {
    let mut next: Option<i64> = None;
    let mut accepted: Vec<bool> = Vec::with_capacity(points.len());
    for (point, on_chain) in points.iter().zip(on_chain).rev() {
        let time = point.seconds();
        next = on_chain.then_some(time).or(next);
        accepted.push(next.is_none_or(|next| time <= next.saturating_add(SKEW_SECONDS)));
    }
    accepted.reverse();
    let mut last: Option<i64> = None;
    for ((point, on_chain), accepted) in points.iter().zip(on_chain).zip(&mut accepted) {
        let time = point.seconds();
        last = on_chain.then_some(time).or(last);
        let too_old = last.is_some_and(|last| time < last.saturating_sub(SKEW_SECONDS));
        *accepted &= !(too_old && point.is_exact());
    }
    accepted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(times: &[(i64, Evidence)]) -> Points {
        let numbered = times.iter().zip(1..);
        let point = |((time, evidence), main): (&(i64, Evidence), i64)| {
            let (time, evidence) = (*time, *evidence);
            Point::new(main, Anchor { time, evidence }, (main, 0))
        };
        numbered.map(point).collect()
    }

    #[test]
    fn no_chain_is_heavier_than_the_heaviest() {
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
            let points = points(&times).packed;
            let weigh = |on: &dyn Fn(usize) -> bool| {
                let picked = points.iter().enumerate().filter(|(index, _)| on(*index));
                let picked: Vec<&Packed> = picked.map(|(_, point)| point).collect();
                let ascends = picked.is_sorted_by_key(|point| point.time);
                ascends.then(|| picked.iter().map(|p| weight(p.evidence())).sum::<u32>())
            };
            let heaviest = (0..512_u32).filter_map(|set| weigh(&|index| set >> index & 1 == 1));
            let chain = heaviest_chain(&points);
            assert_eq!(weigh(&|index| chain[index]), heaviest.max(), "{times:?}");
        }
    }

    #[test]
    fn a_point_comes_back_as_it_was_added() {
        let told_by = [(5, 0), (5, 3), (9, 2), (8, 1)];
        let evidence = [
            Evidence::Floor,
            Evidence::Created,
            Evidence::ManagedFields,
            Evidence::DeletionRequested,
            Evidence::Received,
        ];
        let told_by = told_by.iter().chain(&[(5, 1)]);
        let added = told_by.zip(evidence).map(|((main, sub), evidence)| {
            let anchor = Anchor {
                time: 4_000_000_000,
                evidence,
            };
            Point::new(5, anchor, (*main, *sub))
        });
        let added: Vec<Point> = added.collect();
        let points: Points = added.iter().copied().collect();
        let unpacked = points.packed.iter().map(|packed| points.unpack(*packed));
        assert_eq!(unpacked.collect::<Vec<_>>(), added);
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
}
