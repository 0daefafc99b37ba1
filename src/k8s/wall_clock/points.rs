//! The times of a store while they are collected.

use crate::k8s::anchors::{Anchor, CREDIBLE_SECONDS, Evidence};

use super::packed::{MAINS, OTHER_SOURCE, PLACE_SHIFT, Packed, PointBytes};
use super::packed_list::PackedList;

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
/// revisions.
#[derive(Debug, Clone, Default)]
pub struct Points {
    /// In the order in which they were added.
    pub(super) stored: PointBytes,
    /// The source records of the points whose source is a record of another main revision: see [`Packed::from_source`].
    pub(super) other_sources: PackedList,
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
        if place > u32::MAX >> PLACE_SHIFT || to_u32(self.stored.count) == u32::MAX {
            return;
        }
        if !is_own {
            self.other_sources
                .push(Packed::from_source(source, source_sub));
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
        self.stored.push(Packed::new(main, time, rest));
    }
}

fn to_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl FromIterator<Point> for Points {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        let mut collected = Self::default();
        points.into_iter().for_each(|point| collected.add(point));
        collected
    }
}

impl Point {
    /// The unpacked form of a point; `other_sources` are those of its [`Points`].
    pub(super) fn unpack(packed: Packed, other_sources: &PackedList) -> Self {
        let (main, rest) = (packed.main(), packed.rest());
        let place = rest >> PLACE_SHIFT;
        let own = (main, place);
        let other = usize::try_from(place)
            .ok()
            .filter(|_| rest & OTHER_SOURCE != 0)
            .and_then(|place| other_sources.cursor().get(place));
        let (source, source_sub) = other.map_or(own, Packed::source);
        Self {
            main,
            anchor: Anchor {
                time: packed.seconds(),
                evidence: packed.evidence(),
            },
            source,
            source_sub,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_point_is_unpacked_unchanged() {
        let sources = [
            (5, 0),
            (5, 3),
            (9, 2),
            (i64::MAX, 1),
            (i64::MIN, u32::MAX.into()),
        ];
        let evidence = [
            Evidence::Floor,
            Evidence::Created,
            Evidence::ManagedFields,
            Evidence::DeletionRequested,
            Evidence::Received,
        ];
        let added = sources.iter().zip(evidence).map(|((main, sub), evidence)| {
            let anchor = Anchor {
                time: 4_000_000_000,
                evidence,
            };
            Point::new(5, anchor, (*main, *sub))
        });
        let added: Vec<Point> = added.collect();
        let points: Points = added.iter().copied().collect();
        let packed = points.stored.iter();
        let unpacked = packed.map(|packed| Point::unpack(packed, &points.other_sources));
        assert_eq!(unpacked.collect::<Vec<_>>(), added);
    }

    #[test]
    fn points_of_impossible_revisions_are_ignored() {
        let anchor = Anchor {
            time: 4_000_000_000,
            evidence: Evidence::Created,
        };
        let mains = [-1, 0, MAINS.end - 1, MAINS.end, i64::MIN, i64::MAX];
        let added = mains.map(|main| Point::new(main, anchor, (main, 0)));
        let points = added.into_iter().collect::<Points>();
        let mains = points.stored.iter().map(Packed::main);
        assert_eq!(mains.collect::<Vec<_>>(), [0, MAINS.end - 1]);
    }
}
