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

use super::anchors::{Anchor, CREDIBLE_SECONDS, Evidence};

/// How far an anchor may contradict the chain and still be accepted, in seconds: the default timeout of an admission
/// webhook, which an API server may call between reading its clock and writing.
pub const SKEW_SECONDS: i64 = 10;

/// An anchor and the revision whose time it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The main revision that was written at the anchor's time.
    pub main: i64,
    /// The time.
    pub anchor: Anchor,
    /// Main revision of the record that contains the time. It is later than `main` if the first version of a key is
    /// compacted and a later version gives the time of the key's creation.
    pub source: i64,
    /// Sub-revision of that record.
    pub source_sub: u32,
}

/// The anchors of a store, collected for a [`WallClock`]. A store has about as many anchors as revisions, so each is
/// packed into 16 bytes.
#[derive(Debug, Clone, Default)]
pub struct Points {
    packed: Vec<Packed>,
    /// The source records (main and sub-revision) of the points whose source is a record of another main revision.
    other_sources: Vec<(i64, u32)>,
}

/// The bits of [`Packed::rest`] that are the evidence.
const EVIDENCE: u32 = 7;

/// The bit that is set if the source is a record of another main revision.
const OTHER_SOURCE: u32 = 8;

/// The number of bits below the place in [`Packed::rest`].
const PLACE_SHIFT: u32 = 4;

/// A packed point; see [`Points`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packed {
    main: i64,
    time: u32,
    /// Bits 0 to 2: the evidence. Bit 3: whether the source has another main revision. The other bits: the source's
    /// sub-revision if it has the same main revision, else an index into `other_sources`.
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
    /// Adds a point. A point whose time is outside [`CREDIBLE_SECONDS`] is ignored.
    pub fn add(&mut self, point: Point) {
        let Point {
            main,
            anchor,
            source,
            source_sub,
        } = point;
        let time = u32::try_from(anchor.time).ok();
        let Some(time) = time.filter(|_| CREDIBLE_SECONDS.contains(&anchor.time)) else {
            return;
        };
        let is_own = source == main;
        let place = if is_own {
            source_sub
        } else {
            to_u32(self.other_sources.len())
        };
        // The limits of the packed form: 28 bits for `place`, 32 for an index. Real stores do not reach them.
        if place > u32::MAX >> PLACE_SHIFT || to_u32(self.packed.len()) == NONE {
            return;
        }
        if !is_own {
            self.other_sources.push((source, source_sub));
        }
        let evidence = match anchor.evidence {
            Evidence::Floor => 0,
            Evidence::Created => 1,
            Evidence::ManagedFields => 2,
            Evidence::DeletionRequested => 3,
            Evidence::Received => 4,
        };
        let other_source = if is_own { 0 } else { OTHER_SOURCE };
        let rest = place << PLACE_SHIFT | other_source | evidence;
        self.packed.push(Packed { main, time, rest });
    }

    /// The unpacked form of a point.
    fn unpack(&self, packed: Packed) -> Point {
        let Packed { main, rest, .. } = packed;
        let place = rest >> PLACE_SHIFT;
        let own = (main, place);
        let other = usize::try_from(place)
            .ok()
            .filter(|_| rest & OTHER_SOURCE != 0)
            .and_then(|place| self.other_sources.get(place).copied());
        let (source, source_sub) = other.unwrap_or(own);
        Point {
            main,
            anchor: Anchor {
                time: packed.seconds(),
                evidence: packed.evidence(),
            },
            source,
            source_sub,
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
    /// A time for a main revision, read from the record with the revision `source` (main, sub).
    #[must_use]
    pub fn new(main: i64, anchor: Anchor, (source, sub): (i64, i64)) -> Self {
        Self {
            main,
            anchor,
            source,
            source_sub: u32::try_from(sub).unwrap_or(u32::MAX),
        }
    }
}

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
    /// Sorted by main revision; within one revision, floors come first, then the newest time.
    points: Points,
    /// Whether each point is accepted.
    accepted: Vec<bool>,
    /// The indexes of the points on the heaviest chain.
    chain: Vec<u32>,
    /// For each point: the index of the point, up to and including it, that is the lower bound for later revisions.
    lower: Vec<u32>,
    /// For each point: the index of the point, from it on, that is the upper bound for earlier revisions.
    upper: Vec<u32>,
    /// The claims of the revisions that have several points, sorted by main revision. A transaction may write any
    /// number of objects, and its bounds are requested once for each of them, so they are computed in advance.
    claims: Vec<(i64, Claims)>,
    /// The oldest and the newest main revision of the store.
    revisions: (i64, i64),
}

/// The newest accepted and the newest rejected time of a revision's own points.
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

/// No index.
const NONE: u32 = u32::MAX;

fn to_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(NONE)
}

impl WallClock {
    /// Sorts the points and decides which are accepted. `revisions` are the oldest and the newest main revision of the
    /// store.
    #[must_use]
    pub fn new(mut points: Points, revisions: (i64, i64)) -> Self {
        sort(&mut points.packed);
        points.packed.shrink_to_fit();
        let on_chain = heaviest_chain(&points.packed);
        let accepted = accept(&points.packed, &on_chain);
        let chain = on_chain.iter().zip(0..);
        let chain: Vec<u32> = chain
            .filter_map(|(on, index)| on.then_some(index))
            .collect();
        drop(on_chain);
        let mut clock = Self {
            chain,
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

    /// Finds the bound before and after each point. A lower bound must not be newer than any accepted exact time that
    /// follows, and an upper bound must not be older than any accepted time that precedes it.
    fn find_bounds(&mut self) {
        let points = &self.points.packed;
        // First pass, from the end: the oldest accepted exact time at or after each point. It is kept in the place of the
        // lower bound, which the second pass computes from it.
        let mut extreme = u32::MAX;
        let accepted = points.iter().zip(&self.accepted);
        for ((point, accepted), oldest) in accepted.zip(&mut self.lower).rev() {
            if *accepted && point.is_exact() {
                extreme = extreme.min(point.time);
            }
            *oldest = extreme;
        }
        // Second pass, from the start: the lower bounds. The newest accepted time up to each point is kept in the place of
        // the upper bound.
        let mut best: Option<(u32, u32)> = None;
        extreme = 0;
        let accepted = points.iter().zip(&self.accepted).zip(0..);
        let slots = self.lower.iter_mut().zip(&mut self.upper);
        for (((point, accepted), index), (lower, newest)) in accepted.zip(slots) {
            let oldest = *lower;
            if *accepted {
                extreme = extreme.max(point.time);
                if point.time <= oldest && best.is_none_or(|(newest, _)| newest <= point.time) {
                    best = Some((point.time, index));
                }
            }
            *newest = extreme;
            *lower = best.map_or(NONE, |(_, at)| at);
        }
        // Third pass, from the end: the upper bounds.
        best = None;
        let accepted = points.iter().zip(&self.accepted).enumerate();
        for ((index, (point, accepted)), upper) in accepted.zip(&mut self.upper).rev() {
            let newest = *upper;
            let counts = *accepted && point.is_exact() && point.time >= newest;
            if counts && best.is_none_or(|(oldest, _)| point.time <= oldest) {
                best = Some((point.time, to_u32(index)));
            }
            *upper = best.map_or(NONE, |(_, at)| at);
        }
    }

    /// Computes the claims of the revisions that have more than one point.
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

    /// The claims of a revision whose points have the indexes `own`.
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

    /// The bounds of a main revision.
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

    /// The bounds from the points before the index `before` and from the index `from` on.
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

    /// The most likely time of a main revision: interpolated between the neighbouring anchors of the chain, as if
    /// revisions were written at an even rate, and then limited to its bounds. None if the store has no anchors.
    #[must_use]
    pub fn estimate(&self, main: i64) -> Option<i64> {
        let next = self
            .chain
            .partition_point(|at| self.point(Some(at)).is_some_and(|point| point.main <= main));
        let last = next.checked_sub(1).and_then(|last| self.chain.get(last));
        let (last, next) = (self.point(last), self.point(self.chain.get(next)));
        let even = match (last, next) {
            (Some(last), Some(next)) => interpolate(last, next, main),
            (last, next) => last.or(next)?.anchor.time,
        };
        let Bounds { lower, upper, .. } = self.bounds(main);
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
        let point = self.point(self.lower.last())?;
        Some(point.anchor.time)
    }

    /// The oldest and the newest main revision.
    #[must_use]
    pub fn revisions(&self) -> (i64, i64) {
        self.revisions
    }

    /// The points in the order of revisions, each with whether it is accepted.
    pub fn points(&self) -> impl Iterator<Item = (Point, bool)> {
        let points = self.points.packed.iter();
        let unpacked = points.map(|packed| self.points.unpack(*packed));
        unpacked.zip(self.accepted.iter().copied())
    }

    /// The number of rejected points.
    #[must_use]
    pub fn contradictions(&self) -> usize {
        self.accepted.iter().filter(|accepted| !**accepted).count()
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

/// What an anchor counts in the chain: twice as much if no client can set its time.
fn weight(evidence: Evidence) -> u32 {
    match evidence {
        Evidence::Created | Evidence::DeletionRequested => 4,
        Evidence::ManagedFields | Evidence::Floor => 2,
        Evidence::Received => 1,
    }
}

/// The order of the points. The newest time of a revision comes first. So different times within one revision count as a
/// clock that goes back, and none of them is a bound that excludes another one.
fn order(point: &Packed) -> impl Ord + use<> {
    let newest_first = std::cmp::Reverse(point.time);
    (point.main, point.is_exact(), newest_first, point.rest)
}

/// Sorts the points. Most are in the order of revisions already, so only the others are sorted and then merged with them.
fn sort(points: &mut Vec<Packed>) {
    let mut newest = i64::MIN;
    let mut late: Vec<Packed> = Vec::new();
    points.retain(|point| {
        let is_late = point.main < newest;
        if is_late {
            late.push(*point);
        } else {
            newest = point.main;
        }
        !is_late
    });
    late.sort_unstable_by_key(order);
    for points in points.chunk_by_mut(|a, b| a.main == b.main) {
        if points.len() > 1 {
            points.sort_unstable_by_key(order);
        }
    }
    // The merge is from the end, into the places that the late points had.
    let mut left = points.len();
    points.extend_from_slice(&late);
    let mut place = points.len();
    while let Some(last) = late.last() {
        let before = left.checked_sub(1).and_then(|at| points.get(at)).copied();
        let later = match before.filter(|before| order(before) > order(last)) {
            Some(before) => {
                left = left.saturating_sub(1);
                Some(before)
            }
            None => late.pop(),
        };
        place = place.saturating_sub(1);
        if let (Some(place), Some(later)) = (points.get_mut(place), later) {
            *place = later;
        }
    }
}

/// The heaviest subset of the points whose times never decrease, as one flag per point.
///
/// For each point in turn, the heaviest chain that ends with it is the heaviest chain before it that ends at the same
/// or an earlier time, plus its own weight. A Fenwick tree over the times finds that maximum in log n steps. Each entry
/// has the index of the point before it, and at the end these are followed back from the heaviest chain.
///
/// Of equally heavy chains, the newest time is preferred before each step and the oldest time at the end. So a single
/// wrong time between two right ones is not on the chain.
fn heaviest_chain(points: &[Packed]) -> Vec<bool> {
    let mut times: Vec<u32> = Vec::new();
    for point in points {
        // Most points have the time of the point before them.
        if times.last() != Some(&point.time) {
            times.push(point.time);
        }
    }
    times.sort_unstable();
    times.dedup();
    // For a range of times: the weight of the heaviest chain that ends in it, the time of its end, its last point.
    let mut tree: Vec<(u32, u32, u32)> = vec![(0, 0, NONE); times.len().saturating_add(1)];
    // For each point: the point before it on the heaviest chain that ends with it.
    let mut before: Vec<u32> = Vec::with_capacity(points.len());
    let mut best: Option<(u32, std::cmp::Reverse<u32>, u32)> = None;
    // The number of times up to that of the point.
    let mut rank = 1_usize;
    for (point, index) in points.iter().zip(0..) {
        // Most points have the time of the point before them or the next one.
        let near = |rank: usize| times.get(rank.saturating_sub(1)) == Some(&point.time);
        if !near(rank) {
            rank = rank.saturating_add(1);
        }
        if !near(rank) {
            rank = times.partition_point(|time| *time <= point.time);
        }
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

/// Accepts the points on the chain and those that contradict it by at most [`SKEW_SECONDS`]. A floor is only a lower
/// bound, so a floor that is much older than the chain is accepted too.
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
            let points = points(&times).packed;
            let weight_if_ascending = |on: &dyn Fn(usize) -> bool| {
                let picked = points.iter().enumerate().filter(|(index, _)| on(*index));
                let picked: Vec<&Packed> = picked.map(|(_, point)| point).collect();
                let ascends = picked.is_sorted_by_key(|point| point.time);
                ascends.then(|| picked.iter().map(|p| weight(p.evidence())).sum::<u32>())
            };
            let heaviest =
                (0..512_u32).filter_map(|set| weight_if_ascending(&|index| set >> index & 1 == 1));
            let chain = heaviest_chain(&points);
            let weight = weight_if_ascending(&|index| chain[index]);
            assert_eq!(weight, heaviest.max(), "{times:?}");
        }
    }

    #[test]
    fn points_are_sorted_whatever_their_order() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            u32::try_from((state >> 33) % below).unwrap()
        };
        for count in 0..200_u32 {
            let late = u64::from(count % 5) + 1;
            let point = |main: u32| Packed {
                main: i64::from(main / 2) - i64::from(random(late) * random(9)),
                time: random(3),
                rest: random(16),
            };
            let mut points: Vec<Packed> = (0..count).map(point).collect();
            let mut expected = points.clone();
            expected.sort_by_key(order);
            sort(&mut points);
            assert_eq!(points, expected);
        }
    }

    #[test]
    fn a_packed_point_is_unpacked_unchanged() {
        let sources = [(5, 0), (5, 3), (9, 2), (8, 1)];
        let evidence = [
            Evidence::Floor,
            Evidence::Created,
            Evidence::ManagedFields,
            Evidence::DeletionRequested,
            Evidence::Received,
        ];
        let sources = sources.iter().chain(&[(5, 1)]);
        let added = sources.zip(evidence).map(|((main, sub), evidence)| {
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
