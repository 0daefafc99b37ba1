//! The records of the state and those of other origins as one sequence, in the order of revisions.

use std::sync::Arc;

use crate::bbolt::Direction;
use crate::source::Source;

use crate::etcd::record::Record;

/// After this many additional records, the pages read are released from memory.
const RELEASE_RECORDS: usize = 8192;

/// Iterator over the records of two sources in the order of revisions. If both have a revision, the record of the state
/// comes first.
pub(super) struct Interleaved<'a, I> {
    state: I,
    /// The next record of the state, if it was already read.
    waiting: Option<Record<'a>>,
    /// Ascending.
    additional: Arc<Vec<Record<'a>>>,
    source: Option<&'a Source>,
    direction: Direction,
    /// Number of additional records that remain.
    left: usize,
}

impl<'a, I: Iterator<Item = Record<'a>>> Interleaved<'a, I> {
    pub(super) fn new(
        state: I,
        additional: Arc<Vec<Record<'a>>>,
        source: Option<&'a Source>,
        direction: Direction,
    ) -> Self {
        Self {
            source,
            state,
            waiting: None,
            left: additional.len(),
            additional,
            direction,
        }
    }

    fn next_additional(&self) -> Option<Record<'a>> {
        let back = self.left.checked_sub(1)?;
        let place = match self.direction {
            Direction::Forward => self.additional.len().saturating_sub(self.left),
            Direction::Backward => back,
        };
        self.additional.get(place).copied()
    }
}

impl<'a, I: Iterator<Item = Record<'a>>> Iterator for Interleaved<'a, I> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        if self.left == 0 {
            return self.waiting.take().or_else(|| self.state.next());
        }
        let additional = self.next_additional()?;
        let waiting = self.waiting.take().or_else(|| self.state.next());
        let is_first = waiting.is_none_or(|state| match self.direction {
            Direction::Forward => additional.revision < state.revision,
            Direction::Backward => additional.revision > state.revision,
        });
        if is_first {
            self.waiting = waiting;
            self.left = self.left.saturating_sub(1);
            // Each additional record may have loaded another page of the file into memory.
            if self.left.is_multiple_of(RELEASE_RECORDS)
                && let Some(source) = self.source
            {
                source.forget_resident();
            }
            return Some(additional);
        }
        waiting
    }
}
