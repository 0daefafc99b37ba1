//! Some events of a history, in an order: 4 bytes for each. An event is read when it is asked for.

use crate::etcd::{Event, Events};

/// Some of the events of a history.
#[derive(Debug, Clone)]
pub struct EventList<'e, 'a> {
    all: &'e Events<'a>,
    /// The indexes of the chosen events.
    chosen: Vec<u32>,
}

impl<'e, 'a> EventList<'e, 'a> {
    /// The events at these indexes, in their order.
    pub(super) fn new(all: &'e Events<'a>, indexes: impl Iterator<Item = usize>) -> Self {
        let chosen = indexes.filter_map(|index| u32::try_from(index).ok());
        Self {
            all,
            chosen: chosen.collect(),
        }
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.chosen.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty()
    }

    /// Leaves out all events after the first `most`.
    pub fn truncate(&mut self, most: usize) {
        self.chosen.truncate(most);
    }

    /// Reverses the order.
    pub fn reverse(&mut self) {
        self.chosen.reverse();
    }

    /// The event at a place of this list.
    pub fn get(&self, place: usize) -> Option<Event<'a>> {
        self.all.get(index(*self.chosen.get(place)?))
    }

    /// For each event, whether it is the put before an update, which may be in no list. No page is read for it.
    pub fn are_updated(&self) -> Vec<bool> {
        let all = self.all.are_updated();
        let updated = |chosen: &u32| all.get(index(*chosen)).copied().unwrap_or(true);
        self.chosen.iter().map(updated).collect()
    }

    /// The events, in order.
    pub fn iter(&self) -> impl Iterator<Item = Event<'a>> + use<'_, 'e, 'a> {
        self.chosen
            .iter()
            .filter_map(|chosen| self.all.get(index(*chosen)))
    }

    /// The main revisions of the events, in order. No page is read for them.
    pub fn mains(&self) -> impl Iterator<Item = i64> + use<'_, 'e, 'a> {
        let revisions = self.chosen.iter();
        let revisions = revisions.filter_map(|chosen| self.all.revision(index(*chosen)));
        revisions.map(|revision| revision.main)
    }

    /// The events, in order, so many at a time.
    pub fn batches(&self, size: usize) -> impl Iterator<Item = Vec<Event<'a>>> + use<'_, 'e, 'a> {
        let batches = self.chosen.chunks(size.max(1));
        batches.map(|batch| {
            let events = batch.iter();
            events
                .filter_map(|chosen| self.all.get(index(*chosen)))
                .collect()
        })
    }
}

fn index(chosen: u32) -> usize {
    usize::try_from(chosen).unwrap_or(usize::MAX)
}
