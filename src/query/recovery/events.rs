//! What a recovery has to know of objects that were not asked for: volumes and their classes, webhook configurations, and
//! definitions of custom resources. Their events and those of deleted objects are read in the pass that reads the history of
//! all objects.

use crate::etcd::{AtRevision, EventChooser, EventFold, KeyEntry, KeyedEvents, Keyspace};
use crate::k8s::catalog::{Catalog, Location, Survey};
use crate::query::deletions::{LiveKeys, ObjectHistory, live};
use crate::query::question::Question;

/// Whether a key is wanted; called on all cores.
pub type Wanted<'w> = &'w (dyn Fn(&[u8]) -> bool + Sync);

/// The events of objects that were asked for and deleted, and of those that a recovery has to know besides.
#[derive(Debug)]
pub struct RecoveryEvents<'a>(Option<KeyedEvents<'a>>);

/// What one pass reads for a recovery, and another one before it.
pub struct Read<'a> {
    /// All objects.
    pub history: ObjectHistory,
    /// The events.
    pub events: RecoveryEvents<'a>,
    /// The keys that exist and have no events here, because they were never deleted.
    pub live: LiveKeys<'a>,
}

impl<'a> RecoveryEvents<'a> {
    /// Reads them and the history of all objects. For `wanted` keys a first pass finds out which of them were deleted: only
    /// their events are kept. It also finds the resources, unless they are `known`, as `wanted` may need them. The second
    /// pass collects the times of the timeline as well, if they are not known yet.
    pub fn read(
        question: &Question<'a>,
        known: Option<&Catalog>,
        wanted: Option<Wanted<'_>>,
    ) -> Read<'a> {
        let (store, keyring) = (question.store(), question.keyring());
        // A fold over the state alone finds other contradictions than one over the records of all origins.
        let is_state = store.additional().is_empty();
        let lives = wanted.filter(|_| is_state).map(|wanted| {
            let is_read =
                |key: &[u8]| wanted(key) || known.is_some_and(|known| is_other(known, key));
            question.key_lives(&is_read)
        });
        let catalog = question.catalog();
        let is_wanted = |key: &[u8]| wanted.is_some_and(|wanted| wanted(key));
        let mut live = LiveKeys::default();
        let deleted = lives.map(|lives| {
            for key in lives.never_deleted.iter().filter(|key| is_wanted(key)) {
                let location = catalog.locate(key);
                if !is_other_at(key, location.as_ref()) {
                    live.add(location.as_ref());
                }
            }
            lives.deleted
        });
        let is_deleted = |key: &[u8]| {
            let deleted = deleted.as_ref();
            deleted.is_none_or(|deleted| deleted.contains(key))
        };
        let is_read = |key: &[u8]| is_wanted(key) && is_deleted(key) || is_other(catalog, key);
        let chooser = EventChooser::new(store, &is_read);
        let mut fold = match deleted {
            Some(_) => EventFold::compared_by_key(store),
            None => EventFold::by_key(store),
        };
        let events = is_state.then_some((&chooser, &mut fold));
        let mut times = question.times_to_collect();
        let (history, marked) =
            ObjectHistory::read(store, keyring, catalog, times.as_mut(), events);
        if let Some(times) = times {
            question.use_times(times);
        }
        let marked = marked.into_iter();
        let marked = marked.filter(|(key, _)| is_wanted(key) && !is_read(key));
        live.terminating = marked.collect();
        let events = Self(is_state.then(|| fold.into_keyed()));
        Read {
            history,
            events,
            live,
        }
    }

    /// The events, if they were read in that pass.
    pub fn all(&self) -> Option<&KeyedEvents<'a>> {
        self.0.as_ref()
    }

    /// The live keys for which `is_of` is true. It is only true for objects of this list.
    pub fn live(
        &self,
        question: &Question<'a>,
        is_of: &(dyn Fn(&[u8]) -> bool + Sync),
    ) -> Vec<KeyEntry<'a>> {
        let store = question.store();
        let Some(events) = &self.0 else {
            return Keyspace::at(store, AtRevision::HEAD, is_of).live;
        };
        let keys = events.keys().enumerate().filter(|(_, key)| is_of(key));
        let live = keys.filter_map(|(place, key)| {
            let event = live(store, &events.of_key(place))?;
            let (record, key) = (events.read(&event)?.record, key.into());
            Some(KeyEntry { key, record })
        });
        live.collect()
    }
}

/// Whether a recovery has to know an object, whether it was asked for or not.
fn is_other(catalog: &Catalog, key: &[u8]) -> bool {
    is_other_at(key, catalog.locate(key).as_ref())
}

/// The same of a key with this location.
fn is_other_at(key: &[u8], location: Option<&Location<'_, '_>>) -> bool {
    let is_such = |location| is_storage_at(location) || is_configuration_at(location);
    Survey::is_definition(key) || location.is_some_and(is_such)
}

/// Whether a key is that of a PersistentVolume or a StorageClass.
pub fn is_storage(catalog: &Catalog, key: &[u8]) -> bool {
    let location = catalog.locate(key);
    location.is_some_and(|location| is_storage_at(&location))
}

fn is_storage_at(location: &Location<'_, '_>) -> bool {
    let plural = &*location.resource.plural;
    matches!(plural, "persistentvolumes" | "storageclasses")
}

/// Whether a key is that of a configuration of webhooks.
pub fn is_configuration(catalog: &Catalog, key: &[u8]) -> bool {
    let location = catalog.locate(key);
    location.is_some_and(|location| is_configuration_at(&location))
}

fn is_configuration_at(location: &Location<'_, '_>) -> bool {
    location.resource.plural.ends_with("webhookconfigurations")
}
