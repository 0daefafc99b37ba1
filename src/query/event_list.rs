//! Some events of a history, in an order: 4 bytes for each, or none if they follow each other. An event is read when it is
//! asked for.

use crate::etcd::key_ids::{to_u32, to_usize};
use crate::etcd::{Event, Events};
use crate::source::Source;

/// Some of the events of a history.
#[derive(Debug, Clone)]
pub struct EventList<'e, 'a> {
    all: &'e Events<'a>,
    /// The indexes of the chosen events.
    chosen: Indexes,
    is_reversed: bool,
}

/// Indexes in an order.
#[derive(Debug, Clone)]
enum Indexes {
    /// Each is the one before it less 1: the first, and how many.
    Descending(usize, usize),
    Any(Vec<u32>),
}

impl Indexes {
    fn len(&self) -> usize {
        match self {
            Self::Descending(_, len) => *len,
            Self::Any(indexes) => indexes.len(),
        }
    }

    fn get(&self, place: usize) -> Option<usize> {
        match self {
            Self::Descending(first, len) => first.checked_sub(place).filter(|_| place < *len),
            Self::Any(indexes) => indexes.get(place).map(|index| to_usize(*index)),
        }
    }

    fn add(&mut self, index: usize) {
        match self {
            Self::Descending(first, len @ 0) => (*first, *len) = (index, 1),
            Self::Descending(first, len) if first.checked_sub(*len) == Some(index) => {
                *len = len.saturating_add(1);
            }
            Self::Descending(_, len) => {
                let before = (0..*len).filter_map(|place| self.get(place));
                *self = Self::Any(before.chain([index]).map(to_u32).collect());
            }
            Self::Any(indexes) => indexes.push(to_u32(index)),
        }
    }

    fn truncate(&mut self, most: usize) {
        match self {
            Self::Descending(_, len) => *len = most.min(*len),
            Self::Any(indexes) => indexes.truncate(most),
        }
    }
}

impl<'e, 'a> EventList<'e, 'a> {
    /// The events at these indexes, in their order.
    pub(super) fn new(all: &'e Events<'a>, indexes: impl Iterator<Item = usize>) -> Self {
        let mut chosen = Indexes::Descending(0, 0);
        indexes.for_each(|index| chosen.add(index));
        Self {
            all,
            chosen,
            is_reversed: false,
        }
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Leaves out all chosen events after the first `most`, before they are reversed.
    pub fn truncate(&mut self, most: usize) {
        self.chosen.truncate(most);
    }

    /// Reverses the order.
    pub fn reverse(&mut self) {
        self.is_reversed = !self.is_reversed;
    }

    /// The same events key by key, those of a key in the order of revisions.
    pub fn by_key(&self) -> Self {
        let mut is_chosen = vec![false; self.all.len()];
        for index in self.indexes() {
            if let Some(is_chosen) = is_chosen.get_mut(index) {
                *is_chosen = true;
            }
        }
        let chosen = |index: &usize| is_chosen.get(*index) == Some(&true);
        Self::new(self.all, self.all.by_key().filter(chosen))
    }

    /// The index of the event at a place of this list.
    fn index(&self, place: usize) -> Option<usize> {
        let from_end = || self.len().checked_sub(place)?.checked_sub(1);
        self.chosen.get(match self.is_reversed {
            true => from_end()?,
            false => place,
        })
    }

    fn indexes(&self) -> impl Iterator<Item = usize> + use<'_, 'e, 'a> {
        (0..self.len()).filter_map(|place| self.index(place))
    }

    /// The event at a place of this list.
    pub fn get(&self, place: usize) -> Option<Event<'a>> {
        self.all.get(self.index(place)?)
    }

    /// The same with its record in a buffer, as [`Events::copy`].
    pub(super) fn copy<'b>(
        &self,
        place: usize,
        source: &Source,
        buffer: &'b mut Vec<u8>,
    ) -> Option<Event<'b>>
    where
        'a: 'b,
    {
        self.all.copy(self.index(place)?, source, buffer)
    }

    /// For each event, whether it is the put before an update, which may be in no list. No page is read for it.
    pub fn are_updated(&self) -> Vec<bool> {
        let all = self.all.are_updated();
        let updated = |index: usize| all.get(index).copied().unwrap_or(true);
        self.indexes().map(updated).collect()
    }

    /// The events, in order.
    pub fn iter(&self) -> impl Iterator<Item = Event<'a>> + use<'_, 'e, 'a> {
        self.indexes().filter_map(|index| self.all.get(index))
    }

    /// The main revisions of the events, in order. No page is read for them.
    pub fn mains(&self) -> impl Iterator<Item = i64> + use<'_, 'e, 'a> {
        let revisions = self.indexes();
        let revisions = revisions.filter_map(|index| self.all.revision(index));
        revisions.map(|revision| revision.main)
    }

    /// The events, in order, so many at a time.
    pub fn batches(&self, size: usize) -> impl Iterator<Item = Vec<Event<'a>>> + use<'_, 'e, 'a> {
        let size = size.max(1);
        let firsts = (0..self.len()).step_by(size);
        firsts.map(move |first| {
            let places = first..first.saturating_add(size).min(self.len());
            places.filter_map(|place| self.get(place)).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_returned_in_the_order_in_which_they_were_added() {
        for added in [
            &[][..],
            &[0],
            &[7, 6, 5],
            &[2, 1, 0],
            &[7, 6, 4, 3],
            &[1, 2, 3],
        ] {
            let mut indexes = Indexes::Descending(0, 0);
            added.iter().for_each(|index| indexes.add(*index));
            for len in (0..=added.len()).rev() {
                indexes.truncate(len);
                let got: Vec<usize> = (0..9).filter_map(|place| indexes.get(place)).collect();
                assert_eq!((indexes.len(), &*got), (len, &added[..len]));
            }
        }
    }
}
