//! The events of many keys in the order of revisions, each with the put before it.

use crate::fast_map::FastMap;

use super::generation::Generation;
use super::history::{Event, EventType, in_order};
use super::record::Record;
use super::store::Store;
use super::succession::compare;

/// The retained events of the requested keys, oldest first. Memory grows with their number.
#[derive(Debug, Default)]
pub struct Events<'a> {
    records: Vec<Record<'a>>,
    /// For each event, the index of the previous event of its key; [`NONE`] for the first event of a key.
    before: Vec<u32>,
}

/// The index that means: no event before it.
const NONE: u32 = u32::MAX;

/// The events of many keys, and which of them each key has.
#[derive(Debug, Default)]
pub struct KeyedEvents<'a> {
    events: Events<'a>,
    /// The keys, ascending, each with the index of its last event. The keys are copies.
    keys: Vec<(Box<[u8]>, usize)>,
}

impl<'a> KeyedEvents<'a> {
    /// The keys, ascending.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.keys.iter().map(|(key, _)| &**key)
    }

    /// The events of the key at a place among the keys, oldest first.
    pub fn of_key(&self, place: usize) -> Vec<Event<'a>> {
        let last = self.keys.get(place).map(|(_, last)| *last);
        let places = std::iter::successors(last, |place| self.events.before(*place));
        let mut events: Vec<Event<'a>> = places.filter_map(|at| self.events.get(at)).collect();
        events.reverse();
        events
    }
}

/// The events so far of a pass over the records.
struct Fold<'s, 'a> {
    store: &'s Store<'a>,
    events: Events<'a>,
    /// The index of the last event of each key. The key is a copy: comparing keys in the map would touch pages all over the
    /// file.
    newest: FastMap<Box<[u8]>, u32>,
}

impl<'s, 'a> Fold<'s, 'a> {
    fn new(store: &'s Store<'a>) -> Self {
        Self {
            store,
            events: Events::default(),
            newest: FastMap::default(),
        }
    }

    fn add(&mut self, record: Record<'a>) {
        let Self {
            store,
            events,
            newest,
        } = self;
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
        events.before.push(before);
        events.records.push(record);
    }
}

impl<'a> Events<'a> {
    /// Collects the events of the keys for which `wanted` is true.
    pub fn read(store: &Store<'a>, wanted: impl Fn(&[u8]) -> bool + Sync) -> Self {
        Self::fold(store, &wanted).0
    }

    /// The same, with what `also` makes of every record of the store, in the order of the records. It is called on all
    /// cores.
    pub fn read_and<T: Send>(
        store: &Store<'a>,
        wanted: impl Fn(&[u8]) -> bool + Sync,
        also: impl Fn(&Record<'a>) -> T + Sync,
        mut see: impl FnMut(T) + Send,
    ) -> Self {
        let mut fold = Fold::new(store);
        store.visit_records(
            |record| {
                let is_counted = !record.is_bump_mark();
                let chosen = || (wanted(record.key).then_some(*record), also(record));
                is_counted.then(chosen)
            },
            |(record, made)| {
                if let Some(record) = record {
                    fold.add(record);
                }
                see(made);
            },
        );
        fold.events
    }

    /// The same with the keys.
    pub fn read_by_key(
        store: &Store<'a>,
        wanted: impl Fn(&[u8]) -> bool + Sync,
    ) -> KeyedEvents<'a> {
        let (events, newest) = Self::fold(store, &wanted);
        let keys = newest.into_iter();
        let keys = keys.filter_map(|(key, last)| Some((key, usize::try_from(last).ok()?)));
        KeyedEvents {
            events,
            keys: in_order(keys.collect()),
        }
    }

    /// The events, and the index of the last event of each key. It is compiled once and not for every closure, because work
    /// on all cores is much code.
    fn fold(
        store: &Store<'a>,
        wanted: &(dyn Fn(&[u8]) -> bool + Sync),
    ) -> (Self, FastMap<Box<[u8]>, u32>) {
        let mut fold = Fold::new(store);
        let is_wanted = |record: &Record<'a>| !record.is_bump_mark() && wanted(record.key);
        store.visit_records(
            |record| is_wanted(record).then_some(*record),
            |record| fold.add(record),
        );
        (fold.events, fold.newest)
    }

    /// The index of the event before one of the same key.
    fn before(&self, place: usize) -> Option<usize> {
        let before = *self.before.get(place)?;
        usize::try_from(before).ok().filter(|_| before != NONE)
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
        let before = self.before(place).and_then(|place| self.records.get(place));
        let previous = before.filter(|before| Generation::continues(before, &record));
        Some(Event {
            record,
            event_type: EventType::from_record(&record),
            previous: previous.copied(),
        })
    }

    /// All events, oldest first. Reversed, newest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Event<'a>> + '_ {
        (0..self.records.len()).filter_map(|place| self.get(place))
    }
}
