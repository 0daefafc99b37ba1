//! The events of many keys in the order of revisions, each with the put before it.

use crate::source::Source;

use super::history::{Event, EventType};
use super::key_ids::{KeyId, KeyIds, KeyNumbers, to_u32, to_usize};
use super::key_texts::KeyTexts;
use super::passed_record::PassedRecord;
use super::record::Record;
use super::record_list::{Place, PlacedRecord, RecordList, RecordReader};
use super::revision::Revision;
use super::store::Store;
use super::succession::{Predecessor, compare};

/// The retained events of the requested keys, oldest first. Memory grows with their number: 28 bytes for each.
#[derive(Debug)]
pub struct Events<'a> {
    records: RecordList<'a>,
    /// For each event, the index of the previous event of its key; [`NONE`] for the first event of a key.
    before: Vec<u32>,
}

/// The index that means: no event before it.
const NONE: u32 = u32::MAX;

/// The events of many keys, and which of them each key has.
#[derive(Debug)]
pub struct KeyedEvents<'a> {
    events: Events<'a>,
    texts: KeyTexts,
    /// For each of the texts, the index of the last event of the key.
    last: Vec<u32>,
    /// The keys, ascending, each by its index in `texts`.
    order: Vec<u32>,
}

impl<'a> KeyedEvents<'a> {
    /// The keys, ascending.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let order = self.order.iter();
        order.map(|index| self.texts.get(to_usize(*index)))
    }

    /// The index of the last event of the key at a place among the keys.
    fn last_event(&self, place: usize) -> Option<usize> {
        let index = *self.order.get(place)?;
        self.last.get(to_usize(index)).map(|last| to_usize(*last))
    }

    /// The events of the key at a place among the keys, oldest first. No page is read for them.
    pub fn of_key(&self, place: usize) -> Vec<PlacedEvent<'a>> {
        let indexes = self.events.of_key_to(self.last_event(place));
        let placed = |index| {
            let placed = self.events.placed(index)?;
            Some(PlacedEvent { index, placed })
        };
        indexes.into_iter().filter_map(placed).collect()
    }

    /// The events of all keys, in the order of revisions.
    pub fn events(&self) -> &Events<'a> {
        &self.events
    }

    /// An event with its record. None if another program has changed the file since.
    pub fn read(&self, event: &PlacedEvent<'a>) -> Option<Event<'a>> {
        self.events.get(event.index)
    }
}

/// An event whose record is not read yet.
#[derive(Debug, Clone, Copy)]
pub struct PlacedEvent<'a> {
    /// Its index among the events.
    pub index: usize,
    /// Its record, by its place.
    pub placed: PlacedRecord<'a>,
}

/// The events so far of a pass over the records. The pass may read the records for something else as well.
#[derive(Debug)]
pub struct EventFold<'s, 'a> {
    store: &'s Store<'a>,
    events: Events<'a>,
    numbers: KeyNumbers,
    /// For each key, by its number, the index of its last event. The next event is compared with it.
    last: Vec<u32>,
    /// The keys, if they are asked for.
    keys: Option<KeyTexts>,
    /// Whether each record is compared with the one of its key before it.
    compares: bool,
}

/// A record of a requested key.
#[derive(Debug)]
pub struct ChosenRecord<'a> {
    record: Record<'a>,
    place: Option<Place>,
    id: KeyId,
}

/// Chooses the records of the requested keys, on all cores.
pub struct EventChooser<'w, 'a> {
    reader: RecordReader<'a>,
    ids: KeyIds,
    wanted: &'w (dyn Fn(&[u8]) -> bool + Sync),
}

impl<'w, 'a> EventChooser<'w, 'a> {
    /// For the keys for which `wanted` is true.
    pub fn new(store: &Store<'a>, wanted: &'w (dyn Fn(&[u8]) -> bool + Sync)) -> Self {
        Self {
            reader: RecordReader::new(store),
            ids: KeyIds::default(),
            wanted,
        }
    }

    /// What [`EventFold::add`] needs of a record. None if it is no event, or not of a requested key.
    pub fn choose(&self, record: &PassedRecord<'_, 'a>) -> Option<ChosenRecord<'a>> {
        let is_chosen = !record.is_bump_mark() && (self.wanted)(record.key);
        is_chosen.then(|| ChosenRecord {
            record: record.in_map(),
            place: self.reader.place_of(record),
            id: self.ids.of(record.key),
        })
    }
}

impl<'s, 'a> EventFold<'s, 'a> {
    /// No events yet. The keys are kept for [`Self::into_keyed`].
    pub fn by_key(store: &'s Store<'a>) -> Self {
        Self {
            keys: Some(KeyTexts::default()),
            ..Self::new(store)
        }
    }

    /// The same for keys whose records another fold has compared with each other.
    pub fn compared_by_key(store: &'s Store<'a>) -> Self {
        Self {
            compares: false,
            ..Self::by_key(store)
        }
    }

    fn new(store: &'s Store<'a>) -> Self {
        Self {
            store,
            events: Events::none(store),
            numbers: KeyNumbers::default(),
            last: Vec::new(),
            keys: None,
            compares: true,
        }
    }

    /// Adds the next record, which has this key.
    pub fn add(&mut self, chosen: &ChosenRecord<'a>, key: &[u8]) {
        let ChosenRecord { record, place, id } = chosen;
        let event = to_u32(self.events.before.len());
        let number = self.numbers.add(*id);
        let last = self.last.get(number).copied();
        let before = last.and_then(|last| self.events.records.placed(to_usize(last)));
        let before = before.as_ref().map(Predecessor::from);
        if self.compares {
            compare(self.store, before.as_ref(), record);
        }
        let continues = before.is_some_and(|before| before.is_continued_by(record));
        match self.last.get_mut(number) {
            Some(last) => *last = event,
            None => {
                self.last.push(event);
                if let Some(keys) = &mut self.keys {
                    keys.push(key);
                }
            }
        }
        self.events.before.push(last.unwrap_or(NONE));
        self.events.records.push(record, *place, continues);
    }

    /// Adds all records of the store. It is compiled once and not for every closure, because work on all cores is much code.
    fn read(&mut self, wanted: &(dyn Fn(&[u8]) -> bool + Sync)) {
        let chooser = EventChooser::new(self.store, wanted);
        self.store.visit_records(
            |record| chooser.choose(record),
            |chosen, key| self.add(&chosen, key),
        );
    }

    /// The events by key, after the last record.
    pub fn into_keyed(self) -> KeyedEvents<'a> {
        let Self {
            events, last, keys, ..
        } = self.without_numbers();
        let texts = keys.unwrap_or_default();
        let order = texts.in_order();
        KeyedEvents {
            events,
            texts,
            last,
            order,
        }
    }

    /// The same without what only the next record needs.
    fn without_numbers(self) -> Self {
        Self {
            numbers: KeyNumbers::default(),
            ..self
        }
    }
}

impl<'a> Events<'a> {
    /// No events.
    pub fn none(store: &Store<'a>) -> Self {
        Self {
            records: RecordList::new(RecordReader::new(store)),
            before: Vec::new(),
        }
    }

    /// Adds a record as an event that has no event before it. Returns its index.
    pub fn add(&mut self, record: &Record<'a>) -> usize {
        let place = self.records.reader.place_of(&PassedRecord::from(record));
        self.records.push(record, place, false);
        self.before.push(NONE);
        self.before.len().saturating_sub(1)
    }

    /// Adds the event at an index of other events, and its previous one. Returns its index here.
    pub fn add_from(&mut self, other: &Self, index: usize) -> usize {
        let before = other.before(index).map(|before| {
            self.records.push_from(&other.records, before);
            self.before.push(NONE);
            to_u32(self.before.len().saturating_sub(1))
        });
        self.records.push_from(&other.records, index);
        self.before.push(before.unwrap_or(NONE));
        self.before.len().saturating_sub(1)
    }

    /// Collects the events of the keys for which `wanted` is true.
    pub fn read(store: &Store<'a>, wanted: impl Fn(&[u8]) -> bool + Sync) -> Self {
        let mut fold = EventFold::new(store);
        fold.read(&wanted);
        fold.events
    }

    /// The same, with what `also` makes of every record of the store, in the order of the records. It is called on all
    /// cores.
    pub fn read_and<T: Send>(
        store: &Store<'a>,
        wanted: impl Fn(&[u8]) -> bool + Sync,
        also: impl Fn(&Record<'_>) -> T + Sync,
        mut see: impl FnMut(T) + Send,
    ) -> Self {
        let chooser = EventChooser::new(store, &wanted);
        let mut fold = EventFold::new(store);
        store.visit_records(
            |record| {
                let is_counted = !record.is_bump_mark();
                is_counted.then(|| (chooser.choose(record), also(record)))
            },
            |(chosen, made), key| {
                if let Some(chosen) = chosen {
                    fold.add(&chosen, key);
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
        let mut fold = EventFold::by_key(store);
        fold.read(&wanted);
        fold.into_keyed()
    }

    /// The index of the event before one of the same key.
    fn before(&self, place: usize) -> Option<usize> {
        let before = *self.before.get(place)?;
        (before != NONE).then(|| to_usize(before))
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.before.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    /// The event at an index; 0 is the oldest.
    pub fn get(&self, index: usize) -> Option<Event<'a>> {
        let record = self.records.get(index)?;
        Some(self.event(index, record))
    }

    /// The same with its record in a buffer, as [`PlacedRecord::copy`].
    pub fn copy<'b>(
        &self,
        index: usize,
        source: &Source,
        buffer: &'b mut Vec<u8>,
    ) -> Option<Event<'b>>
    where
        'a: 'b,
    {
        let record = self.placed(index)?.copy(source, buffer)?;
        Some(self.event(index, record))
    }

    /// The event at an index, which has this record.
    fn event<'b>(&self, index: usize, record: Record<'b>) -> Event<'b>
    where
        'a: 'b,
    {
        let before = self.before(index);
        let previous = before.filter(|_| self.records.continues(index));
        Event {
            record,
            event_type: EventType::from_record(&record),
            previous: previous.and_then(|index| self.records.placed(index)),
        }
    }

    /// The record of the event at an index, by its place. No page is read for it.
    pub fn placed(&self, index: usize) -> Option<PlacedRecord<'a>> {
        self.records.placed(index)
    }

    /// The revision of the event at an index. No page is read for it.
    pub fn revision(&self, index: usize) -> Option<Revision> {
        self.records.revision(index)
    }

    /// For each event, whether it is the put before an update. No page is read for it.
    pub fn are_updated(&self) -> Vec<bool> {
        let mut updated = vec![false; self.len()];
        for index in 0..self.len() {
            let is_put = self.records.is_tombstone(index) == Some(false);
            let before = self.before(index);
            let before = before.filter(|_| is_put && self.records.continues(index));
            if let Some(slot) = before.and_then(|before| updated.get_mut(before)) {
                *slot = true;
            }
        }
        updated
    }

    /// The indexes of all events key by key, those of a key oldest first. No page is read for it.
    pub fn by_key(&self) -> impl Iterator<Item = usize> + use<'_, 'a> {
        let mut is_last = vec![true; self.len()];
        for before in (0..self.len()).filter_map(|index| self.before(index)) {
            if let Some(is_last) = is_last.get_mut(before) {
                *is_last = false;
            }
        }
        let keys = is_last.into_iter().enumerate();
        let keys = keys.filter(|(_, is_last)| *is_last);
        keys.flat_map(|(last, _)| self.of_key_to(Some(last)))
    }

    /// The indexes of the events of a key up to one of them, oldest first.
    fn of_key_to(&self, last: Option<usize>) -> Vec<usize> {
        let newest_first = std::iter::successors(last, |index| self.before(*index));
        let mut of_key: Vec<usize> = newest_first.collect();
        of_key.reverse();
        of_key
    }

    /// All events, oldest first. Reversed, newest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Event<'a>> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }
}
