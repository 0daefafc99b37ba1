//! A list of packed points in blocks: it takes little memory, and any point of it is found quickly.

use std::ops::Range;

use super::packed::{Packed, PointBytes, PointReader};

/// The number of points in a block.
pub(super) const BLOCK: usize = 32;

/// A list of points, about 4 bytes for each. They are read from the start of a block on, so a point is found without
/// reading all that precede it.
#[derive(Debug, Clone, Default)]
pub(super) struct PackedList {
    stored: PointBytes,
    blocks: Vec<Block>,
}

/// Where a block of points is.
#[derive(Debug, Clone, Copy)]
struct Block {
    /// The point before the block.
    before: Packed,
    /// The block's first byte.
    start: usize,
}

/// Reads points by their indexes. It keeps the points of the block that was read last, so it is fast if the indexes are
/// near to each other.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    list: &'a PackedList,
    /// The number of the block.
    block: Option<usize>,
    /// The points of the block, as far as they are read.
    points: [Packed; BLOCK],
    /// The number of points that are read.
    count: usize,
    /// Reads the next one.
    reader: PointReader<'a>,
}

impl PackedList {
    /// An empty list, with room for the given numbers of points and of their bytes.
    pub(super) fn with_capacity(count: usize, bytes: usize) -> Self {
        Self {
            stored: PointBytes::with_capacity(bytes),
            blocks: Vec::with_capacity(count.div_ceil(BLOCK)),
        }
    }

    /// Adds a point.
    pub(super) fn push(&mut self, point: Packed) {
        if self.stored.count.is_multiple_of(BLOCK) {
            self.blocks.push(Block {
                before: self.stored.last,
                start: self.stored.bytes.len(),
            });
        }
        self.stored.push(point);
    }

    /// The number of points.
    pub(super) fn len(&self) -> usize {
        self.stored.count
    }

    /// Reads points by their indexes.
    pub(super) fn cursor(&self) -> Cursor<'_> {
        Cursor {
            list: self,
            block: None,
            points: [Packed::default(); BLOCK],
            count: 0,
            reader: self.stored.iter(),
        }
    }

    /// The points with their indexes.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, Packed)> {
        let mut points = self.cursor();
        (0..self.len()).filter_map(move |index| Some((index, points.get(index)?)))
    }
}

impl Cursor<'_> {
    /// The point with an index.
    // Inlined into its many callers, it would be 1 KB of code.
    #[inline(never)]
    pub(super) fn get(&mut self, index: usize) -> Option<Packed> {
        if index >= self.list.len() {
            return None;
        }
        let (block, place) = (index / BLOCK, index % BLOCK);
        if self.block != Some(block) {
            let Block { before, start } = self.list.blocks.get(block)?;
            self.block = Some(block);
            self.count = 0;
            self.reader = self.list.stored.iter_from(*start, *before);
        }
        if self.count <= place {
            // Eight at a time is faster. The last block may have fewer.
            let last = place | 7;
            let missing = self.points.get_mut(self.count..=last);
            missing.and_then(|points| self.reader.read(points));
            self.count = last.saturating_add(1);
        }
        self.points.get(place).copied()
    }

    /// The indexes of the points of a main revision, in a list that is sorted by main revisions.
    pub(super) fn indexes_of(&mut self, main: i64) -> Range<usize> {
        let from = self.first_from(main);
        let mut is_own = |index| self.get(index).is_some_and(|point| point.main() == main);
        let next = from.saturating_add(1);
        // Most revisions have one point.
        match (is_own(from), is_own(next)) {
            (false, _) => from..from,
            (true, false) => from..next,
            (true, true) => from..self.first_from(main.saturating_add(1)),
        }
    }

    /// The index of the first point whose main revision is not less than this one.
    fn first_from(&mut self, main: i64) -> usize {
        // The point is in the last block that follows a point of an earlier revision, or in the first block.
        let blocks = &self.list.blocks;
        let follow = blocks.partition_point(|block| block.before.main() < main);
        let mut index = follow.saturating_sub(1).saturating_mul(BLOCK);
        while self.get(index).is_some_and(|point| point.main() < main) {
            index = index.saturating_add(1);
        }
        index
    }
}
