//! The managers of all events of a long history, by one pass over the records in the order of the file.
//!
//! An event is compared with the version before it, which may be anywhere in the file. In a long history most of the
//! time would go into reading those pages again. So the pass keeps of each key that is updated later what its next
//! version is compared with: hashes of the managedFields.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::compact_map::CompactMap;
use crate::etcd::{Event, EventType, Revision};
use crate::k8s::encrypt::Keyring;
use crate::k8s::stored_writers::{Stored, StoredDigest, StoredWriter};

use super::event_list::EventList;
use super::manager_text::manager_text;
use super::objects::Objects;
use super::read_ahead::read_ahead;
use super::updates::managers_of_each;
use super::writers::each_once;

/// A shorter history is read event by event.
const LEAST_EVENTS: usize = 4096;

/// How many bytes of values are read before the pages of the file are given back.
const READ_BYTES: usize = 32 << 20;

/// The managers of an event are not known from the pass.
const UNKNOWN: u16 = u16::MAX;

/// The managers of the events of a history.
#[derive(Debug, Default)]
pub struct ManagerHistory {
    /// The different lists of managers.
    lists: Vec<Vec<String>>,
    /// For each event, the index of its list.
    of_event: Vec<u16>,
}

/// What is read of the value of an event.
enum Read<'v> {
    /// Its managers do not depend on its value.
    NoManagers,
    /// The managedFields, and what the next version is compared with, if there is one.
    Stored(Stored<'v>, Option<StoredDigest>),
    /// The value has to be decoded.
    Unknown,
}

impl ManagerHistory {
    /// The managers of events, which are in the order of revisions or in the reverse order. Nothing is read yet if they
    /// are few.
    pub fn new(events: &EventList<'_, '_>, objects: &Objects<'_>) -> Self {
        if events.len() < LEAST_EVENTS {
            return Self::default();
        }
        Self::read(events, objects)
    }

    /// The same by the pass, however few the events are.
    pub fn read(events: &EventList<'_, '_>, objects: &Objects<'_>) -> Self {
        let count = events.len();
        let revision = |event: Option<Event<'_>>| event.map(|event| event.record.revision);
        let last = events.get(count.saturating_sub(1));
        let is_reversed = revision(events.get(0)) > revision(last);
        let places = (0..count).map(|place| match is_reversed {
            true => count.saturating_sub(place).saturating_sub(1),
            false => place,
        });
        let in_order = places.filter_map(|place| Some((place, events.get(place)?)));
        let are_updated = events.are_updated();
        let is_updated = |place: usize| are_updated.get(place) != Some(&false);
        let keyring = objects.keyring();
        let mut fold = Fold {
            history: Self {
                lists: Vec::new(),
                of_event: vec![UNKNOWN; count],
            },
            numbers: HashMap::new(),
            digests: CompactMap::default(),
        };
        let source = objects.source();
        let mut bytes = 0_usize;
        read_ahead(
            in_order,
            |(place, event)| read(event, is_updated(*place), keyring),
            |(place, event), read| {
                fold.add(place, &event, read);
                bytes = bytes.saturating_add(event.record.value.len());
                if bytes > READ_BYTES {
                    bytes = 0;
                    source.forget_resident();
                }
            },
        );
        fold.history
    }

    /// The managers of a batch of the events. `first` events come before the batch. Managers that the pass could not find
    /// are found as in a short history.
    pub fn managers_of_each(
        &self,
        first: usize,
        batch: &[Event<'_>],
        objects: &Objects<'_>,
    ) -> Vec<Vec<String>> {
        let known = |index: usize| {
            let number = *self.of_event.get(first.saturating_add(index))?;
            self.lists.get(usize::from(number))
        };
        let unknown = batch.iter().enumerate();
        let unknown = unknown.filter(|(index, _)| known(*index).is_none());
        let unknown: Vec<Event<'_>> = unknown.map(|(_, event)| *event).collect();
        for event in batch {
            // Its key is printed.
            objects.forget_passed(&event.record);
        }
        let mut unknown = managers_of_each(&unknown, objects).into_iter();
        let each = (0..batch.len()).map(|index| match known(index) {
            Some(managers) => managers.clone(),
            None => unknown.next().unwrap_or_default(),
        });
        each.collect()
    }
}

/// Reads the value of an event, in any thread.
fn read<'v>(event: &Event<'v>, is_updated: bool, keyring: &Keyring) -> Read<'v> {
    if event.event_type == EventType::Delete {
        return Read::NoManagers;
    }
    let record = &event.record;
    let Ok(Cow::Borrowed(value)) = keyring.decrypt(record.key, record.value) else {
        return Read::Unknown;
    };
    match Stored::read(value) {
        Some(stored) => {
            let digest = is_updated.then(|| stored.digest());
            Read::Stored(stored, digest)
        }
        None => Read::Unknown,
    }
}

/// The state of a pass.
struct Fold {
    history: ManagerHistory,
    /// The index of each list.
    numbers: HashMap<Vec<String>, u16>,
    /// By the revision of a version, what the next one is compared with.
    digests: CompactMap<Revision, StoredDigest>,
}

impl Fold {
    fn add(&mut self, place: usize, event: &Event<'_>, read: Read<'_>) {
        let before = event.previous.map(|old| self.digests.remove(&old.revision));
        let is_unknown_update = event.event_type == EventType::Update && before.is_none();
        let writers = match (&read, before) {
            (Read::NoManagers, _) => Some(Vec::new()),
            _ if is_unknown_update => Some(Vec::new()),
            (Read::Stored(stored, _), None) => stored.writers(None),
            (Read::Stored(stored, _), Some(Some(before))) => stored.writers(Some(&before)),
            (Read::Stored(..), Some(None)) | (Read::Unknown, _) => None,
        };
        if let Read::Stored(_, Some(digest)) = read {
            self.digests.insert(event.record.revision, digest);
        }
        let number = writers.and_then(|writers| self.number_of(event.record.key, &writers));
        if let (Some(slot), Some(number)) = (self.history.of_event.get_mut(place), number) {
            *slot = number;
        }
    }

    /// The index of a list of managers.
    fn number_of(&mut self, key: &[u8], writers: &[StoredWriter]) -> Option<u16> {
        let names = writers
            .iter()
            .map(|writer| manager_text(key, &writer.manager, &writer.subresource));
        let names = each_once(names);
        if let Some(number) = self.numbers.get(&names) {
            return Some(*number);
        }
        let next = u16::try_from(self.history.lists.len());
        let number = next.ok().filter(|number| *number != UNKNOWN)?;
        self.history.lists.push(names.clone());
        self.numbers.insert(names, number);
        Some(number)
    }
}
