//! The times of a store in little memory: while they are collected, and in the order of revisions.

use crate::k8s::anchors::{Anchor, CREDIBLE_SECONDS, Evidence};
use crate::wire::Reader;

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

/// The anchors of a store, collected for a [`WallClock`](super::WallClock). A store has about as many anchors as
/// revisions, and most are near to the one before. So each is stored as its differences to that one, in about 3 bytes.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// For each point the differences of its main revision and of its time, and [`Packed::rest`], as varints.
    stored: Vec<u8>,
    count: usize,
    /// The point that was added last.
    last: Packed,
    /// The source records (main and sub-revision) of the points whose source is a record of another main revision.
    other_sources: Vec<(i64, u32)>,
}

/// The points of a store in the order of revisions, 14 bytes for each.
#[derive(Debug, Clone, Default)]
pub(super) struct PointList {
    pub(super) packed: Vec<Packed>,
    other_sources: Vec<(i64, u32)>,
}

/// The bits of [`Packed::rest`] that are the evidence.
const EVIDENCE: u32 = 7;

/// The bit that is set if the source is a record of another main revision.
const OTHER_SOURCE: u32 = 8;

/// The number of bits below the place in [`Packed::rest`].
const PLACE_SHIFT: u32 = 4;

/// A packed point; see [`PointList`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Packed {
    /// The main revision, without its two highest bytes.
    main: [u8; 6],
    time: [u8; 4],
    /// Bits 0 to 2: the evidence. Bit 3: whether the source has another main revision. The other bits: the source's
    /// sub-revision if it has the same main revision, else an index into `other_sources`.
    rest: [u8; 4],
}

/// The main revisions that [`Packed`] has room for. etcd does not write a larger one in a thousand years.
const MAINS: std::ops::Range<i64> = 0..1 << 48;

impl Packed {
    /// `main` is one of [`MAINS`].
    fn new(main: i64, time: u32, rest: u32) -> Self {
        let [a, b, c, d, e, f, ..] = main.to_le_bytes();
        Self {
            main: [a, b, c, d, e, f],
            time: time.to_le_bytes(),
            rest: rest.to_le_bytes(),
        }
    }

    pub(super) fn main(self) -> i64 {
        let [a, b, c, d, e, f] = self.main;
        i64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    pub(super) fn time(self) -> u32 {
        u32::from_le_bytes(self.time)
    }

    fn rest(self) -> u32 {
        u32::from_le_bytes(self.rest)
    }

    pub(super) fn evidence(self) -> Evidence {
        match self.rest() & EVIDENCE {
            0 => Evidence::Floor,
            1 => Evidence::Created,
            2 => Evidence::ManagedFields,
            3 => Evidence::DeletionRequested,
            _ => Evidence::Received,
        }
    }

    pub(super) fn is_exact(self) -> bool {
        self.evidence() != Evidence::Floor
    }

    pub(super) fn seconds(self) -> i64 {
        i64::from(self.time())
    }
}

impl Points {
    /// Adds a point. It is ignored if its time is outside [`CREDIBLE_SECONDS`], or its revision is negative or at least 2^48.
    pub fn add(&mut self, point: Point) {
        let Point {
            main,
            anchor,
            source,
            source_sub,
        } = point;
        let time = u32::try_from(anchor.time).ok();
        let Some(time) =
            time.filter(|_| CREDIBLE_SECONDS.contains(&anchor.time) && MAINS.contains(&main))
        else {
            return;
        };
        let is_own = source == main;
        let place = if is_own {
            source_sub
        } else {
            to_u32(self.other_sources.len())
        };
        // The limits of the packed form: 28 bits for `place`, 32 for an index. Real stores do not reach them.
        if place > u32::MAX >> PLACE_SHIFT || to_u32(self.count) == u32::MAX {
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
        self.store(Packed::new(main, time, rest));
    }

    /// Adds a packed point.
    fn store(&mut self, point: Packed) {
        let main = point.main().wrapping_sub(self.last.main());
        let time = point.seconds().wrapping_sub(self.last.seconds());
        let numbers = [zigzag(main), zigzag(time), point.rest().into()];
        for number in numbers {
            prost::encoding::encode_varint(number, &mut self.stored);
        }
        self.count = self.count.saturating_add(1);
        self.last = point;
    }

    /// The packed points, in the order in which they were added.
    fn packed(&self) -> Vec<Packed> {
        let mut points = Vec::with_capacity(self.count);
        let mut reader = Reader::new(&self.stored);
        let mut last = Packed::default();
        while let (Ok(main), Ok(time), Ok(rest)) =
            (reader.varint(), reader.varint(), reader.varint())
        {
            let time = last.seconds().wrapping_add(unzigzag(time));
            last = Packed::new(
                last.main().wrapping_add(unzigzag(main)),
                u32::try_from(time).unwrap_or_default(),
                u32::try_from(rest).unwrap_or_default(),
            );
            points.push(last);
        }
        points
    }
}

/// A number with a sign as one without, small if it is near to 0.
fn zigzag(number: i64) -> u64 {
    (number.wrapping_shl(1) ^ (number >> 63)).cast_unsigned()
}

/// What [`zigzag`] was given.
fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ (number & 1).cast_signed().wrapping_neg()
}

fn to_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl From<Points> for PointList {
    fn from(points: Points) -> Self {
        let mut packed = points.packed();
        // Sorting needs memory too.
        drop(points.stored);
        sort(&mut packed);
        Self {
            packed,
            other_sources: points.other_sources,
        }
    }
}

impl PointList {
    /// The number of points.
    pub(super) fn len(&self) -> usize {
        self.packed.len()
    }

    /// The unpacked form of a point.
    pub(super) fn unpack(&self, packed: Packed) -> Point {
        let (main, rest) = (packed.main(), packed.rest());
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

/// The order of the points. The newest time of a revision comes first. So different times within one revision count as a
/// clock that goes back, and none of them is a bound that excludes another one.
fn order(point: &Packed) -> impl Ord + use<> {
    let newest_first = std::cmp::Reverse(point.time());
    (point.main(), point.is_exact(), newest_first, point.rest())
}

/// Sorts the points. Most are in the order of revisions already, so only the others are sorted and then merged with them.
fn sort(points: &mut Vec<Packed>) {
    let mut newest = i64::MIN;
    let mut late: Vec<Packed> = Vec::new();
    points.retain(|point| {
        let is_late = point.main() < newest;
        if is_late {
            late.push(*point);
        } else {
            newest = point.main();
        }
        !is_late
    });
    late.sort_unstable_by_key(order);
    for points in points.chunk_by_mut(|a, b| a.main() == b.main()) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let point = |main: u32| {
                let earlier = i64::from(random(late) * random(9));
                let main = (i64::from(main / 2) - earlier).max(0);
                Packed::new(main, random(3), random(16))
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
        let points = PointList {
            packed: points.packed(),
            other_sources: points.other_sources,
        };
        let unpacked = points.packed.iter().map(|packed| points.unpack(*packed));
        assert_eq!(unpacked.collect::<Vec<_>>(), added);
    }

    #[test]
    fn stored_points_are_read_as_they_were_added() {
        let last = MAINS.end - 1;
        let mains = [7, 8, 8, 1, last, 0, last - 1, last];
        let times = [0, 5, u32::MAX, 1, 0, u32::MAX, 4, 4];
        let added = mains.into_iter().zip(times).zip(0_u32..);
        let added: Vec<Packed> = added
            .map(|((main, time), place)| Packed::new(main, time, place << 29 | place))
            .collect();
        let mut points = Points::default();
        added.iter().for_each(|point| points.store(*point));
        assert_eq!(points.packed(), added);
        assert_eq!(added.iter().map(|point| point.main()).max(), Some(last));
    }

    #[test]
    fn points_of_impossible_revisions_are_ignored() {
        let anchor = Anchor {
            time: 4_000_000_000,
            evidence: Evidence::Created,
        };
        let mains = [-1, 0, MAINS.end - 1, MAINS.end, i64::MIN, i64::MAX];
        let added = mains.map(|main| Point::new(main, anchor, (main, 0)));
        let points = PointList::from(added.into_iter().collect::<Points>());
        let mains = points.packed.iter().map(|point| point.main());
        assert_eq!(mains.collect::<Vec<_>>(), [0, MAINS.end - 1]);
    }
}
