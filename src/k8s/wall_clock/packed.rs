//! Points as numbers, 14 bytes for each, and a sequence of them in about 3 bytes for each.

use crate::k8s::anchors::Evidence;
use crate::wire::Reader;

/// The bits of [`Packed::rest`] that are the evidence.
const EVIDENCE: u32 = 7;

/// The bit that is set if the source is a record of another main revision.
pub(super) const OTHER_SOURCE: u32 = 8;

/// The number of bits below the place in [`Packed::rest`].
pub(super) const PLACE_SHIFT: u32 = 4;

/// A point in 14 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Packed {
    /// The main revision, without its two highest bytes.
    main: [u8; 6],
    time: [u8; 4],
    /// Bits 0 to 2: the evidence. Bit 3: whether the source has another main revision. The other bits: the source's
    /// sub-revision if it has the same main revision, else an index of [`Points::other_sources`](super::points::Points).
    rest: [u8; 4],
}

/// The main revisions that [`Packed`] has room for. etcd does not write a larger one in a thousand years.
pub(super) const MAINS: std::ops::Range<i64> = 0..1 << 48;

impl Packed {
    /// The two highest bytes of `main` are left out; they are 0 if it is one of [`MAINS`].
    pub(super) fn new(main: i64, time: u32, rest: u32) -> Self {
        let [a, b, c, d, e, f, ..] = main.to_le_bytes();
        Self {
            main: [a, b, c, d, e, f],
            time: time.to_le_bytes(),
            rest: rest.to_le_bytes(),
        }
    }

    /// The main and the sub-revision of a source record, as if it was a point. Any main revision has room: its two
    /// highest bytes are in the time.
    pub(super) fn from_source(main: i64, sub: u32) -> Self {
        let [.., low, high] = main.to_le_bytes();
        Self::new(main, u16::from_le_bytes([low, high]).into(), sub)
    }

    /// The main and the sub-revision that were given to [`Self::from_source`].
    pub(super) fn source(self) -> (i64, u32) {
        let ([a, b, c, d, e, f], [low, high, ..]) = (self.main, self.time);
        let main = i64::from_le_bytes([a, b, c, d, e, f, low, high]);
        (main, self.rest())
    }

    pub(super) fn main(self) -> i64 {
        let [a, b, c, d, e, f] = self.main;
        i64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    pub(super) fn time(self) -> u32 {
        u32::from_le_bytes(self.time)
    }

    pub(super) fn rest(self) -> u32 {
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
        Timed::from(self).is_exact()
    }

    pub(super) fn seconds(self) -> i64 {
        i64::from(self.time())
    }
}

/// The time of a point and its evidence, in 5 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    time: [u8; 4],
    evidence: Evidence,
}

impl From<Packed> for Timed {
    fn from(point: Packed) -> Self {
        Self {
            time: point.time,
            evidence: point.evidence(),
        }
    }
}

impl Timed {
    pub(super) fn time(self) -> u32 {
        u32::from_le_bytes(self.time)
    }

    pub(super) fn seconds(self) -> i64 {
        i64::from(self.time())
    }

    pub(super) fn evidence(self) -> Evidence {
        self.evidence
    }

    pub(super) fn is_exact(self) -> bool {
        self.evidence != Evidence::Floor
    }
}

/// A sequence of points. Most are near to the one before. So each is stored as its differences to that one, in about 3
/// bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct PointBytes {
    /// For each point the differences of its main revision and of its time, and [`Packed::rest`], as varints.
    pub(super) bytes: Vec<u8>,
    /// The number of points.
    pub(super) count: usize,
    /// The last point.
    pub(super) last: Packed,
}

/// Reads the points of [`PointBytes`].
#[derive(Debug)]
pub(super) struct PointReader<'a> {
    reader: Reader<'a>,
    last: Packed,
}

impl PointBytes {
    /// No points, and room for this number of bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Adds a point.
    pub(super) fn push(&mut self, point: Packed) {
        let main = point.main().wrapping_sub(self.last.main());
        let time = point.seconds().wrapping_sub(self.last.seconds());
        let numbers = [zigzag(main), zigzag(time), point.rest().into()];
        for number in numbers {
            prost::encoding::encode_varint(number, &mut self.bytes);
        }
        self.count = self.count.saturating_add(1);
        self.last = point;
    }

    /// A reader of all points.
    pub(super) fn iter(&self) -> PointReader<'_> {
        self.iter_from(0, Packed::default())
    }

    /// A reader of the points from a byte on, which follow the point `last`.
    pub(super) fn iter_from(&self, start: usize, last: Packed) -> PointReader<'_> {
        let reader = Reader::new_at(&self.bytes, start);
        PointReader { reader, last }
    }
}

impl PointReader<'_> {
    /// Reads the next points into `points`. None if there are fewer.
    #[inline(never)]
    pub(super) fn read(&mut self, points: &mut [Packed]) -> Option<()> {
        let Self {
            mut reader,
            mut last,
        } = *self;
        for point in points {
            let mut numbers = [0; 3];
            for number in &mut numbers {
                *number = reader.varint().ok()?;
            }
            let [main, time, rest] = numbers;
            let time = last.seconds().wrapping_add(unzigzag(time));
            last = Packed::new(
                last.main().wrapping_add(unzigzag(main)),
                u32::try_from(time).unwrap_or_default(),
                u32::try_from(rest).unwrap_or_default(),
            );
            *point = last;
        }
        *self = Self { reader, last };
        Some(())
    }
}

impl Iterator for PointReader<'_> {
    type Item = Packed;

    fn next(&mut self) -> Option<Packed> {
        let mut point = Packed::default();
        self.read(std::slice::from_mut(&mut point))?;
        Some(point)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_points_are_read_as_they_were_added() {
        let last = MAINS.end - 1;
        let mains = [7, 8, 8, 1, last, 0, last - 1, last];
        let times = [0, 5, u32::MAX, 1, 0, u32::MAX, 4, 4];
        let added = mains.into_iter().zip(times).zip(0_u32..);
        let added: Vec<Packed> = added
            .map(|((main, time), place)| Packed::new(main, time, place << 29 | place))
            .collect();
        let mut points = PointBytes::default();
        added.iter().for_each(|point| points.push(*point));
        assert_eq!(points.iter().collect::<Vec<_>>(), added);
        assert_eq!(added.iter().map(|point| point.main()).max(), Some(last));
    }
}
