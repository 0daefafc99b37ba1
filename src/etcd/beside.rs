//! The records of the state with others among them, in the order of revisions.

use std::sync::Arc;

use crate::bbolt::Direction;
use crate::source::Source;

use super::record::Record;

/// After how many carved records the pages are given back to the system.
const RELEASE_RECORDS: usize = 8192;

/// Iterator over the records of two sources. Both go by revision; of one revision that of the state comes first.
pub(super) struct Interleaved<'a, I> {
    state: I,
    /// The record of the state to come next, where it was looked at.
    waiting: Option<Record<'a>>,
    /// Ascending.
    beside: Arc<Vec<Record<'a>>>,
    source: Option<&'a Source>,
    direction: Direction,
    /// How many of them are still to come.
    left: usize,
}

impl<'a, I: Iterator<Item = Record<'a>>> Interleaved<'a, I> {
    pub(super) fn new(
        state: I,
        beside: Arc<Vec<Record<'a>>>,
        source: Option<&'a Source>,
        direction: Direction,
    ) -> Self {
        Self {
            source,
            state,
            waiting: None,
            left: beside.len(),
            beside,
            direction,
        }
    }

    fn next_beside(&self) -> Option<Record<'a>> {
        let back = self.left.checked_sub(1)?;
        let place = match self.direction {
            Direction::Forward => self.beside.len().saturating_sub(self.left),
            Direction::Backward => back,
        };
        self.beside.get(place).copied()
    }
}

impl<'a, I: Iterator<Item = Record<'a>>> Iterator for Interleaved<'a, I> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        if self.left == 0 {
            return self.waiting.take().or_else(|| self.state.next());
        }
        let beside = self.next_beside()?;
        let waiting = self.waiting.take().or_else(|| self.state.next());
        let is_first = waiting.is_none_or(|state| match self.direction {
            Direction::Forward => beside.revision < state.revision,
            Direction::Backward => beside.revision > state.revision,
        });
        if is_first {
            self.waiting = waiting;
            self.left = self.left.saturating_sub(1);
            // Each may have made another page of the file resident.
            if self.left.is_multiple_of(RELEASE_RECORDS)
                && let Some(source) = self.source
            {
                source.forget_resident();
            }
            return Some(beside);
        }
        waiting
    }
}
