//! The times of a store in the order of revisions.

use super::packed::Packed;
use super::packed_list::{Cursor, PackedList};
use super::points::{Point, Points};

/// The points of a store in the order of revisions.
#[derive(Debug, Clone, Default)]
pub(super) struct PointList {
    sorted: PackedList,
    /// See [`Points`].
    other_sources: PackedList,
}

impl From<Points> for PointList {
    /// Sorts the points. Most are in order already, so only the others are sorted, and then merged with them.
    fn from(points: Points) -> Self {
        let Points {
            stored: added,
            other_sources,
        } = points;
        let mut late: Vec<Packed> = Vec::new();
        let mut newest = 0;
        for point in added.iter() {
            let key = order(&point);
            if key < newest {
                late.push(point);
            }
            newest = newest.max(key);
        }
        late.sort_unstable_by_key(order);
        let mut late = late.into_iter().peekable();
        let mut sorted = PackedList::with_capacity(added.count, added.bytes.len());
        newest = 0;
        for point in added.iter() {
            let key = order(&point);
            if key < newest {
                continue;
            }
            newest = key;
            while let Some(late) = late.next_if(|late| order(late) < key) {
                sorted.push(late);
            }
            sorted.push(point);
        }
        late.for_each(|late| sorted.push(late));
        Self {
            sorted,
            other_sources,
        }
    }
}

impl PointList {
    /// The number of points.
    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Reads points by their indexes.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        self.sorted.cursor()
    }

    /// The points with their indexes.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, Packed)> {
        self.sorted.iter()
    }

    /// The unpacked form of a point.
    pub(super) fn unpack(&self, point: Packed) -> Point {
        Point::unpack(point, &self.other_sources)
    }
}

/// A number in the order of the points: by main revision; floors come first, then the newest time. So different times
/// within one revision count as a clock that goes back, and none of them is a bound that excludes another one.
fn order(point: &Packed) -> u128 {
    let newest_first = u32::MAX.abs_diff(point.time());
    u128::from(point.main().cast_unsigned()) << 65
        | u128::from(point.is_exact()) << 64
        | u128::from(newest_first) << 32
        | u128::from(point.rest())
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::super::packed_list::BLOCK;
    use super::*;
    use crate::k8s::anchors::{Anchor, Evidence};

    const EVIDENCE: [Evidence; 3] = [Evidence::Floor, Evidence::Created, Evidence::Received];

    /// Random points: up to 70 of one revision, late ones, and times from a record of another revision.
    fn random_points(count: i64, random: &mut dyn FnMut(i64) -> i64) -> Vec<Point> {
        let scale = [1, 300, 1 << 38][usize::try_from(count % 3).unwrap()];
        let point = |number: i64| {
            let late = random(2) * random(2) * random(1 + count % 5 * 20);
            let together = [2, 3, 70][usize::try_from(count / 3 % 3).unwrap()];
            let main = (number / together - late).max(0) * scale;
            let anchor = Anchor {
                time: random(3) * scale.min(1 << 30) + random(3),
                evidence: EVIDENCE[usize::try_from(random(3)).unwrap()],
            };
            let source = main + random(2) * random(2) * random(1000) * scale;
            Point::new(main, anchor, (source, random(200)))
        };
        (0..count).map(point).collect()
    }

    #[test]
    fn the_list_is_the_same_as_a_sorted_vector() {
        let mut state = 7_u64;
        let mut random = |below: i64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            i64::try_from(state >> 33).unwrap() % below
        };
        let (mut late, mut largest) = (0, 0);
        for count in (0..200).chain([1000, 1001, 1024, 1025]) {
            let added = random_points(count, &mut random);
            let points: Points = added.iter().copied().collect();
            late += usize::from(!added.is_sorted_by_key(|point| point.main));
            let mut expected: Vec<(Packed, Point)> = points.stored.iter().zip(added).collect();
            expected.sort_by_key(|(packed, _)| {
                let newest_first = Reverse(packed.time());
                let kind = packed.is_exact();
                (packed.main(), kind, newest_first, packed.rest())
            });
            let list = PointList::from(points);
            assert_eq!(list.len(), usize::try_from(count).unwrap());
            let numbered = || expected.iter().map(|(packed, _)| *packed).enumerate();
            assert!(list.iter().eq(numbered()), "{count}");
            assert!(list.iter().rev().eq(numbered().rev()), "{count}");
            let mut cursor = list.cursor();
            for _ in 0..count * 2 {
                let index = usize::try_from(random(count + 40)).unwrap();
                let point = expected.get(index).map(|(_, point)| *point);
                let found = cursor.get(index).map(|packed| list.unpack(packed));
                assert_eq!(found, point, "{count} {index}");
            }
            let own = expected.iter().map(|(packed, _)| packed.main());
            let mains = own.flat_map(|main| [main - 1, main, main + 1]);
            for main in mains.chain([i64::MIN, -1, 0, 1, 1 << 48, i64::MAX]) {
                let before = |end| expected.partition_point(|(packed, _)| packed.main() < end);
                let own = before(main)..before(main.saturating_add(1));
                largest = largest.max(own.len());
                assert_eq!(cursor.indexes_of(main), own, "{count} {main}");
            }
        }
        assert!(late > 50 && largest > BLOCK, "{late} {largest}");
    }
}
