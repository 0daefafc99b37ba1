//! The events of many keys in the order of revisions, each with the put before it.

use crate::fast_map::FastMap;

use super::check::compare;
use super::generation::Generation;
use super::history::{Event, EventType};
use super::record::Record;
use super::store::Store;

/// The retained events of the requested keys, oldest first. Memory grows with their number.
#[derive(Debug, Default)]
pub struct Events<'a> {
    records: Vec<Record<'a>>,
    /// For each event, the index of the put before it; [`NONE`] if that is not retained.
    previous: Vec<u32>,
}

/// The index that means: no put before it.
const NONE: u32 = u32::MAX;

impl<'a> Events<'a> {
    /// Collects the events of the keys for which `wanted` is true.
    pub fn read(store: &Store<'a>, wanted: impl Fn(&[u8]) -> bool + Sync) -> Self {
        Self::fold(store, &wanted)
    }

    /// The fold of [`Self::read`]. It is compiled once and not for every closure, because work on all cores is much code.
    fn fold(store: &Store<'a>, wanted: &(dyn Fn(&[u8]) -> bool + Sync)) -> Self {
        let mut events = Self::default();
        // The key is a copy: comparing keys in the map would touch pages all over the file.
        let mut newest: FastMap<Box<[u8]>, u32> = FastMap::default();
        let is_wanted = |record: &Record<'a>| !record.is_bump_mark() && wanted(record.key);
        let add = |record: Record<'a>| {
            let place = u32::try_from(events.records.len()).unwrap_or(NONE);
            let before = match newest.get_mut(record.key) {
                Some(newest) => std::mem::replace(newest, place),
                None => {
                    newest.insert(record.key.into(), place);
                    NONE
                }
            };
            let last = usize::try_from(before).ok();
            let last = last.and_then(|place| events.records.get(place));
            compare(store, last, &record);
            let is_followed = last.is_some_and(|last| Generation::continues(last, &record));
            let previous = if is_followed { before } else { NONE };
            events.previous.push(previous);
            events.records.push(record);
        };
        store.visit_records(|record| is_wanted(record).then_some(*record), add);
        events
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The event at an index; 0 is the oldest.
    pub fn get(&self, place: usize) -> Option<Event<'a>> {
        let record = *self.records.get(place)?;
        let before = self.previous.get(place).copied().unwrap_or(NONE);
        let previous = usize::try_from(before).ok();
        Some(Event {
            record,
            event_type: EventType::from_record(&record),
            previous: previous.and_then(|place| self.records.get(place).copied()),
        })
    }

    /// All events, oldest first. Reversed, newest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Event<'a>> + '_ {
        (0..self.records.len()).filter_map(|place| self.get(place))
    }
}
