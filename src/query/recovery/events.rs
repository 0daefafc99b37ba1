//! What a recovery has to know of objects that were not asked for: volumes and their classes, webhook configurations, and
//! definitions of custom resources. Their events are read in the pass that reads the history of all objects.

use crate::etcd::{AtRevision, EventChooser, EventFold, KeyEntry, KeyedEvents, Keyspace};
use crate::k8s::catalog::{Catalog, Survey};
use crate::query::deletions::{ObjectHistory, live};
use crate::query::question::Question;

/// Whether a key is wanted; called on all cores.
pub type Wanted<'w> = &'w (dyn Fn(&[u8]) -> bool + Sync);

/// The events of objects that were asked for, and of those that a recovery has to know besides.
#[derive(Debug)]
pub struct RecoveryEvents<'a>(Option<KeyedEvents<'a>>);

impl<'a> RecoveryEvents<'a> {
    /// Reads them and the history of all objects. The events of the keys for which `wanted` is true are read as well, and
    /// the times of the timeline are collected, if they are not known yet: all in one pass.
    pub fn read_with_history(
        question: &Question<'a>,
        catalog: &Catalog,
        wanted: Option<Wanted<'_>>,
    ) -> (ObjectHistory, Self) {
        let mut times = question.times_to_collect();
        let (store, keyring) = (question.store(), question.keyring());
        let is_read = |key: &[u8]| {
            wanted.is_some_and(|wanted| wanted(key))
                || Survey::is_definition(key)
                || is_storage(catalog, key)
                || is_configuration(catalog, key)
        };
        let chooser = EventChooser::new(store, &is_read);
        let mut fold = EventFold::by_key(store);
        // A fold over the state alone finds other contradictions than one over the records of all origins.
        let is_state = store.additional().is_empty();
        let events = is_state.then_some((&chooser, &mut fold));
        let history = ObjectHistory::read(store, keyring, catalog, times.as_mut(), events);
        if let Some(times) = times {
            question.use_times(times);
        }
        (history, Self(is_state.then(|| fold.into_keyed())))
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

/// Whether a key is that of a PersistentVolume or a StorageClass.
pub fn is_storage(catalog: &Catalog, key: &[u8]) -> bool {
    let location = catalog.locate(key);
    location.is_some_and(|location| {
        let plural = &*location.resource.plural;
        matches!(plural, "persistentvolumes" | "storageclasses")
    })
}

/// Whether a key is that of a configuration of webhooks.
pub fn is_configuration(catalog: &Catalog, key: &[u8]) -> bool {
    let location = catalog.locate(key);
    location.is_some_and(|location| location.resource.plural.ends_with("webhookconfigurations"))
}
