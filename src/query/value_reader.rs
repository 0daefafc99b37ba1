//! Reads values that are all over the file, from any thread.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::Value;

use crate::bytes::{from_to, same_part};
use crate::etcd::{Event, EventType, PlacedRecord, Record};
use crate::k8s::Order;
use crate::k8s::decode::Note;
use crate::k8s::encrypt::{DecryptError, Keyring};
use crate::k8s::object::tree_without_field_lists;
use crate::source::Source;

thread_local! {
    /// Buffers of [`with_buffers`] that are not in use.
    static BUFFERS: Cell<(Vec<u8>, Vec<u8>)> = const { Cell::new((Vec::new(), Vec::new())) };
}

/// Calls `read` with two buffers for copies. Each thread keeps its own: to allocate them for each value takes longer than
/// to copy it.
pub(super) fn with_buffers<T>(read: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>) -> T) -> T {
    let (mut one, mut other) = BUFFERS.take();
    let made = read(&mut one, &mut other);
    BUFFERS.set((one, other));
    made
}

/// Reads and decrypts the values of one store. Nothing is reported.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValueReader<'k> {
    pub(super) keyring: &'k Keyring,
    pub(super) source: &'k Source,
}

impl<'k> ValueReader<'k> {
    /// The record with its key and its value copied to a buffer: see [`Source::copy`].
    pub(super) fn copy<'b>(&self, record: &'b Record<'_>, buffer: &'b mut Vec<u8>) -> Record<'b>
    where
        'k: 'b,
    {
        let source: &'k Source = self.source;
        // The value follows the key. A record of the write-ahead log is not in the file.
        let Some(both) = from_to(record.key, record.value, source.bytes()) else {
            return *record;
        };
        let copy = source.copy(both, buffer);
        let part = |part| same_part(part, both, copy);
        match (part(record.key), part(record.value)) {
            (Some(key), Some(value)) => Record {
                key,
                value,
                ..*record
            },
            _ => *record,
        }
    }

    /// The record before an event, copied to a buffer: it is far from that of the event. None for a deletion, which is not
    /// compared with it.
    pub(super) fn previous<'b>(
        &self,
        event: &'b Event<'_>,
        buffer: &'b mut Vec<u8>,
    ) -> Option<Record<'b>> {
        let is_compared = event.event_type != EventType::Delete;
        let previous = event.previous.as_ref().filter(|_| is_compared)?;
        previous.copy(self.source, buffer)
    }

    /// The value of a record as a tree without the lists of fields in managedFields, and what could not be decoded in it.
    /// None if it is still encrypted, or cannot be decoded.
    pub(super) fn tree_without_field_lists(
        &self,
        placed: &PlacedRecord<'_>,
    ) -> Option<(Value, Vec<Note>)> {
        with_buffers(|buffer, _| {
            let record = placed.copy(self.source, buffer)?;
            let value = self.decrypt(&record).ok()?;
            tree_without_field_lists(&value, Order::Declared).ok()
        })
    }

    /// The decrypted value of a record.
    ///
    /// # Errors
    /// Why it is still encrypted.
    pub(super) fn decrypt<'v>(&self, record: &Record<'v>) -> Result<Cow<'v, [u8]>, DecryptError> {
        self.keyring.decrypt(record.key, record.value)
    }
}
