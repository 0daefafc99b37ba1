//! What many events changed and who wrote them, on all cores.
//!
//! Events are independent of each other, given the version before each. So a batch of them is looked at in parallel,
//! in values as they are stored. What has to be done in order (a value that cannot be read is reported, masks are
//! numbered as they are printed) is done after that, one event after the other, for the events that need it.

use crate::etcd::{Event, EventType, Events, Record};
use crate::k8s::diff::{FieldChange, Scope};
use crate::k8s::object::is_secret_key;
use crate::k8s::redact::SealedChanges;
use crate::k8s::stored_diff::{decoded_diff, secret_diff, stored_diff};
use crate::k8s::stored_writers::{decoded_writers, stored_writers};
use crate::parallel::{read_all, read_batches};

use super::compare::{Changed, Comparison};
use super::event_list::EventList;
use super::manager_text::manager_text;
use super::objects::Objects;
use super::value_reader::{ValueReader, with_buffers};
use super::writers::{each_once, managers_of};

/// How many events are looked at together: enough work for all cores, and little memory.
pub const BATCH: usize = 512;

/// The managers of each event, as [`managers_of`] returns them. Callers pass [`BATCH`] events at a time.
pub fn managers_of_each(events: &[Event<'_>], objects: &Objects<'_>) -> Vec<Vec<String>> {
    let reader = objects.values();
    let quick = read_all(events, |event| {
        with_buffers(|buffer, other_buffer| {
            let record = reader.copy(&event.record, buffer);
            let event = Event { record, ..*event };
            managers(&event, reader.previous(&event, other_buffer), reader)
        })
    });
    objects.forget_read(events.len().saturating_mul(2));
    let events = events.iter().zip(quick);
    let each = events.map(|(event, quick)| quick.unwrap_or_else(|| managers_of(event, objects)));
    each.collect()
}

/// The same of the events at some indexes of a list, which are read by system calls; nothing of what has no index.
pub fn managers_of_indexes(
    all: &Events<'_>,
    indexes: &[Option<usize>],
    objects: &Objects<'_>,
) -> Vec<Vec<String>> {
    let reader = objects.values();
    let quick = read_all(indexes, |index| {
        with_buffers(|buffer, other_buffer| {
            let event = all.copy((*index)?, reader.source, buffer)?;
            managers(&event, reader.previous(&event, other_buffer), reader)
        })
    });
    objects.forget_read(indexes.len().saturating_mul(2));
    let unknown = |index: Option<usize>| Some(managers_of(&all.get(index?)?, objects));
    let each = indexes.iter().zip(quick);
    let each = each.map(|(index, quick)| quick.or_else(|| unknown(*index)).unwrap_or_default());
    each.collect()
}

/// The managers of an event, with the record before it. None if that has to be found out in order.
fn managers(
    event: &Event<'_>,
    previous: Option<Record<'_>>,
    reader: ValueReader<'_>,
) -> Option<Vec<String>> {
    if let (EventType::Delete, _) | (EventType::Update, None) = (event.event_type, event.previous) {
        return Some(Vec::new());
    }
    let new = reader.decrypt(&event.record).ok()?;
    let old = match previous {
        Some(old) => Some(reader.decrypt(&old).ok()?),
        None => None,
    };
    let old = old.as_deref();
    let writers = stored_writers(old, &new).or_else(|| decoded_writers(old, &new))?;
    let names = writers.iter().map(|writer| {
        let (manager, subresource) = (&writer.manager, &writer.subresource);
        manager_text(event.record.key, manager, subresource)
    });
    Some(each_once(names))
}

/// An event, who wrote it, and what it changed.
#[derive(Debug)]
pub struct Update {
    /// Its key.
    pub key: Box<[u8]>,
    /// Its main revision.
    pub main: i64,
    /// Its type.
    pub event_type: EventType,
    /// Length of its value, in bytes.
    pub value_bytes: u64,
    /// The managers, as [`managers_of`] returns them.
    pub managers: Vec<String>,
    /// The changed fields, as [`Comparison::fields`] returns them. None if the event is no update, or the version
    /// before it is not retained.
    pub fields: Option<Vec<FieldChange>>,
}

/// Calls `take` with each event in order. The next events are looked at meanwhile.
///
/// # Errors
/// The first error of `take`.
pub fn each_update<E>(
    events: &EventList<'_, '_>,
    comparison: &mut Comparison<'_>,
    mut take: impl FnMut(Update) -> Result<(), E>,
) -> Result<(), E> {
    let objects = comparison.new;
    let looker = Looker::new(comparison);
    let look = |place: usize| {
        with_buffers(|buffer, other_buffer| {
            let event = events.copy(place, looker.new.source, buffer)?;
            let previous = looker.new.previous(&event, other_buffer);
            let is_update = is_update(&event);
            let update = previous.filter(|_| is_update);
            let fields = update.and_then(|old| looker.fields_of_event(&event, &old));
            let managers = managers(&event, previous, looker.new);
            let update = Update {
                key: event.record.key.into(),
                main: event.record.revision.main,
                event_type: event.event_type,
                value_bytes: event.record.value.len() as u64,
                managers: Vec::new(),
                fields: None,
            };
            Some((place, update, managers, is_update.then_some(fields)))
        })
    };
    read_batches(events.len(), BATCH, look, |batch| {
        objects.forget_read(batch.len().saturating_mul(2));
        for (place, mut update, managers, fields) in batch.into_iter().flatten() {
            // What was not found out is found out now.
            let event = || events.get(place);
            let managers_of = |event| managers_of(&event, objects);
            let managers = managers.or_else(|| event().map(managers_of));
            update.managers = managers.unwrap_or_default();
            update.fields = fields.and_then(|fields| match fields {
                Some(sealed) => Some(comparison.masker.number_changes(sealed)),
                None => event().map(|event| comparison.fields(&Changed::from_event(&event))),
            });
            take(update)?;
        }
        Ok(())
    })
}

/// Whether an event is an update of a version that is retained.
fn is_update(event: &Event<'_>) -> bool {
    event.event_type == EventType::Update && event.previous.is_some()
}

/// Calls `take` with each change in order, and with its changed fields as [`Comparison::fields`] returns them; without fields
/// if they are not asked for. The fields of the next changes are found meanwhile.
///
/// # Errors
/// The first error of `take`.
pub fn each_with_fields<E>(
    changes: &[Changed<'_>],
    is_asked: impl Fn(&Changed<'_>) -> bool + Sync,
    comparison: &mut Comparison<'_>,
    mut take: impl FnMut(&Comparison<'_>, &Changed<'_>, Vec<FieldChange>) -> Result<(), E>,
) -> Result<(), E> {
    let looker = Looker::new(comparison);
    let look = |place: usize| {
        let changed = changes.get(place)?;
        let is_asked = is_asked(changed);
        let fields = is_asked.then(|| looker.fields(changed)).flatten();
        Some((changed, is_asked, fields))
    };
    read_batches(changes.len(), BATCH, look, |batch| {
        // Both may be of one file, and count apart.
        comparison.old.forget_read(batch.len().saturating_mul(2));
        comparison.new.forget_read(batch.len().saturating_mul(2));
        for (changed, is_asked, fields) in batch.into_iter().flatten() {
            let fields = match fields {
                Some(sealed) => comparison.masker.number_changes(sealed),
                None if is_asked => comparison.fields(changed),
                None => Vec::new(),
            };
            take(comparison, changed, fields)?;
        }
        Ok(())
    })
}

/// Looks into the objects of changes, from any thread.
struct Looker<'k> {
    old: ValueReader<'k>,
    new: ValueReader<'k>,
    scope: Scope,
    reveal: bool,
}

impl<'k> Looker<'k> {
    fn new(comparison: &Comparison<'k>) -> Self {
        Self {
            old: comparison.old.values(),
            new: comparison.new.values(),
            scope: comparison.scope,
            reveal: comparison.masker.reveals(),
        }
    }

    /// The changed fields of an object that is in both states. None if they have to be found out in order.
    fn fields(&self, changed: &Changed<'_>) -> Option<SealedChanges> {
        let (old, new) = (changed.old?, changed.new?);
        with_buffers(|buffer, other_buffer| {
            let old = self.old.copy(&old, buffer);
            let new = self.new.copy(&new, other_buffer);
            let (old, new) = (self.old.decrypt(&old).ok()?, self.new.decrypt(&new).ok()?);
            self.changes(changed.key(), &old, &new)
        })
    }

    /// As [`Self::fields`], of an update of a record.
    fn fields_of_event(&self, event: &Event<'_>, old: &Record<'_>) -> Option<SealedChanges> {
        let old = self.new.decrypt(old).ok()?;
        let new = self.new.decrypt(&event.record).ok()?;
        self.changes(event.record.key, &old, &new)
    }

    /// The changes from one decrypted value to another.
    fn changes(&self, key: &[u8], old: &[u8], new: &[u8]) -> Option<SealedChanges> {
        let (scope, reveal) = (self.scope, self.reveal);
        if is_secret_key(key) {
            return secret_diff(old, new, scope, reveal);
        }
        let fields = stored_diff(old, new, scope, reveal);
        let fields = fields.or_else(|| decoded_diff(old, new, scope, reveal));
        fields.map(SealedChanges::without_secrets)
    }
}
