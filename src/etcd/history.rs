//! Folds over the records: one key's history, one transaction, the keyspace as of a revision.

use std::collections::HashMap;

use crate::bbolt::Direction;

use super::record::Record;
use super::store::{AtRevision, Store};

/// What an event did to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// The first put of a generation.
    Create,
    /// A later put.
    Update,
    /// A tombstone.
    Delete,
}

impl EventType {
    /// `create`, `update` or `delete`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One retained event of a key, with the retained record before it.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The record.
    pub record: Record<'a>,
    /// What it did.
    pub event_type: EventType,
    /// The put before it in the same generation, where it is retained.
    pub previous: Option<Record<'a>>,
}

/// The retained history of one key, oldest first.
#[derive(Debug, Clone, Default)]
pub struct KeyHistory<'a> {
    /// Its events in the order of writing.
    pub events: Vec<Event<'a>>,
}

impl<'a> KeyHistory<'a> {
    /// Collects the events of `key`.
    pub fn of(store: &Store<'a>, key: &[u8]) -> Self {
        let mut history = Self::default();
        for record in store
            .records(Direction::Forward)
            .filter(|record| record.key == key)
        {
            history.push(record);
        }
        history
    }

    fn push(&mut self, record: Record<'a>) {
        let event_type = match record {
            Record {
                tombstone: true, ..
            } => EventType::Delete,
            Record { version: 1, .. } => EventType::Create,
            _ => EventType::Update,
        };
        // A create starts a generation: what stands before it belongs to another incarnation.
        let previous = self
            .events
            .last()
            .filter(|last| event_type != EventType::Create && last.event_type != EventType::Delete)
            .map(|last| last.record);
        self.events.push(Event {
            record,
            event_type,
            previous,
        });
    }

    /// The record which is the key's value at a revision: none before it was made, and none while it is deleted.
    pub fn at(&self, at: AtRevision) -> Option<Record<'a>> {
        self.events
            .iter()
            .rev()
            .map(|event| event.record)
            .find(|record| record.revision.main <= at.0)
            .filter(|record| !record.tombstone)
    }
}

/// A key that is alive at a revision, with the put that is its value there.
pub type LiveKey<'a> = Record<'a>;

/// The keyspace as of a revision, in key order.
#[derive(Debug, Clone, Default)]
pub struct Keyspace<'a> {
    /// The live keys, ascending.
    pub live: Vec<LiveKey<'a>>,
}

impl<'a> Keyspace<'a> {
    /// Folds the records up to a revision over the keys that `wanted` names.
    pub fn at(store: &Store<'a>, at: AtRevision, wanted: impl Fn(&[u8]) -> bool) -> Self {
        let mut live: HashMap<&'a [u8], Record<'a>> = HashMap::new();
        for record in store.records(Direction::Forward) {
            if record.revision.main > at.0 || !wanted(record.key) {
                continue;
            }
            if record.tombstone {
                live.remove(record.key);
            } else {
                live.insert(record.key, record);
            }
        }
        let mut live: Vec<_> = live.into_values().collect();
        live.sort_unstable_by_key(|record| record.key);
        Self { live }
    }

    /// The live key of this name.
    pub fn get(&self, key: &[u8]) -> Option<&LiveKey<'a>> {
        let at = self
            .live
            .binary_search_by_key(&key, |record| record.key)
            .ok()?;
        self.live.get(at)
    }
}
