//! Writes the values of one field: scalars, lists, maps, and the values that Go prints for absent fields.

use crate::k8s::generic;
use crate::k8s::order::sort_entries;
use crate::k8s::schema::{self, Card, Kind, Slot};
use crate::k8s::sink::Sink;
use crate::wire::{Content, Reader};

use super::super::{MALFORMED, Span, UNKNOWN_FIELDS, Walker};
use super::entries::{Entry, entries, entry_before};
use super::shapes::{
    accepts, are_bytes_left_out, first_error, is_message, is_number, is_number_left_out,
};

impl<S: Sink> Walker<'_, S> {
    pub(super) fn key(&mut self, slot: &Slot) {
        self.field = slot.key();
        self.sink.name(self.field);
    }

    /// Writes what Go prints for a field that is not on the wire.
    pub(super) fn absent(&mut self, slot: &Slot, depth: u16) {
        if slot.is_removed() {
            return;
        }
        if slot.has_nil() {
            if !slot.omit_empty() {
                self.key(slot);
                self.sink.null();
            }
        } else if self.options.as_served
            && !slot.omit_zero()
            && (is_message(slot.kind) || !slot.omit_empty())
        {
            self.key(slot);
            self.zero(slot, depth);
        }
    }

    /// Writes the zero value of a field.
    pub(super) fn zero(&mut self, slot: &Slot, depth: u16) {
        let content = match slot.kind {
            Kind::Bool | Kind::Int | Kind::Uint => Content::Varint(0),
            Kind::Float => Content::Fixed64(0),
            _ => Content::Bytes(b""),
        };
        self.value(slot, content, depth);
    }

    /// Writes a field that is on the wire.
    pub(super) fn present(&mut self, slot: &Slot, buf: &[u8], span: Span, depth: u16) {
        match slot.card {
            Card::List => self.list(slot, buf, span, depth),
            Card::Map => self.map(slot, buf, span, depth),
            Card::Pointer | Card::One => {
                let (start, end) = (span.start as usize, span.end as usize);
                let is_one = slot.card == Card::One;
                if is_number(slot.kind) {
                    let Ok(Some(field)) = Reader::new_at(buf, start).field() else {
                        return;
                    };
                    if !is_one || !is_number_left_out(slot, field.content) {
                        self.key(slot);
                        self.number(slot, field.content);
                    }
                } else {
                    let bytes = buf.get(start..end).unwrap_or_default();
                    if !is_one || !are_bytes_left_out(slot, bytes) {
                        self.key(slot);
                        self.bytes(slot, bytes, depth);
                    }
                }
            }
        }
    }

    /// Writes a list. Its items may be single fields or packed.
    pub(super) fn list(&mut self, slot: &Slot, buf: &[u8], span: Span, depth: u16) {
        self.key(slot);
        self.sink.begin_list();
        let mut reader = Reader::new_at(buf, span.start as usize);
        while reader.position() < span.end as usize {
            let Ok(Some(field)) = reader.field() else {
                break;
            };
            if field.number != u32::from(slot.number) || !accepts(slot, field.content) {
                continue;
            }
            match field.content {
                Content::Bytes(packed) if is_number(slot.kind) => self.packed(slot, packed),
                Content::Bytes(bytes) => self.bytes(slot, bytes, depth),
                content => self.number(slot, content),
            }
        }
        self.sink.end_list();
    }

    /// Writes the numbers of a packed list.
    pub(super) fn packed(&mut self, slot: &Slot, packed: &[u8]) {
        let mut reader = Reader::new(packed);
        while reader.position() < packed.len() {
            let item = match slot.kind {
                Kind::Float => reader.fixed64().map(Content::Fixed64),
                _ => reader.varint().map(Content::Varint),
            };
            match item {
                Ok(content) => self.number(slot, content),
                Err(reason) => {
                    self.note_malformed(reason);
                    let rest = packed.get(reader.position()..).unwrap_or_default();
                    return self.sink.base64(rest);
                }
            }
        }
    }

    pub(super) fn map(&mut self, slot: &Slot, buf: &[u8], span: Span, depth: u16) {
        self.key(slot);
        self.map_entries(slot, buf, span, depth);
    }

    /// Writes the entries of a map, sorted; the last of equal keys counts. Malformed entries are written under
    /// [`MALFORMED`].
    pub(super) fn map_entries(&mut self, slot: &Slot, buf: &[u8], span: Span, depth: u16) {
        let order = self.options.order;
        self.sink.begin_map();
        if entries(slot, buf, span).are_in_order(order) {
            for entry in entries(slot, buf, span).flatten() {
                self.entry(slot, entry, depth);
            }
        } else {
            self.unordered_map(slot, buf, span, depth);
        }
        self.sink.end_map();
    }

    /// Sorts the entries of a map and writes them.
    pub(super) fn unordered_map(&mut self, slot: &Slot, buf: &[u8], span: Span, depth: u16) {
        let mut good = Vec::new();
        let mut bad = Vec::new();
        for entry in entries(slot, buf, span) {
            match entry {
                Ok(entry) => good.push(entry),
                Err(bytes) => bad.push(bytes),
            }
        }
        let order = self.options.order;
        sort_entries(&mut good, order, |entry| entry.key, &mut |a, b| {
            entry_before(order, a.key, b.key)
        });
        if !bad.is_empty() {
            self.sink.key(MALFORMED);
            self.sink.begin_list();
            for bytes in bad {
                self.note_malformed(first_error(bytes));
                self.sink.base64(bytes);
            }
            self.sink.end_list();
        }
        for entry in good {
            self.entry(slot, entry, depth);
        }
    }

    /// Writes one entry of a map.
    pub(super) fn entry(&mut self, slot: &Slot, entry: Entry<'_>, depth: u16) {
        self.field = slot.key();
        self.sink.text_key(entry.key);
        match entry.value {
            Some(content) => self.value(slot, content, depth),
            None => self.zero(slot, depth),
        }
    }

    /// Writes one value of a field.
    pub(super) fn value(&mut self, slot: &Slot, content: Content<'_>, depth: u16) {
        match content {
            Content::Bytes(bytes) if !is_number(slot.kind) => self.bytes(slot, bytes, depth),
            content => self.number(slot, content),
        }
    }

    /// Writes a number or a boolean, or null if the content is not of the field's kind.
    fn number(&mut self, slot: &Slot, content: Content<'_>) {
        match (slot.kind, content) {
            (Kind::Bool, Content::Varint(v)) => self.sink.bool(v != 0),
            (Kind::Int, Content::Varint(v)) => self.sink.int(v.cast_signed()),
            (Kind::Uint, Content::Varint(v)) => match i64::try_from(v) {
                Ok(v) => self.sink.int(v),
                Err(_) => self.sink.uint(v),
            },
            (Kind::Float, Content::Fixed64(v)) => self.sink.float(f64::from_bits(v)),
            _ => self.sink.null(),
        }
    }

    /// Writes a value that is no number.
    fn bytes(&mut self, slot: &Slot, bytes: &[u8], depth: u16) {
        match slot.kind {
            Kind::Str => self.sink.text(bytes),
            Kind::Bytes => self.sink.base64(bytes),
            Kind::Message => match schema::message(slot.message_type) {
                Some(ty) => self.message(ty, bytes, depth),
                None => self.unusual(bytes, depth),
            },
            _ => {
                if self.special(slot, bytes, depth).is_none() {
                    self.unusual(bytes, depth);
                }
            }
        }
    }

    /// Writes a message that should have a special type but has other fields than that type: its fields by number, or
    /// its bytes if it is malformed.
    pub(super) fn unusual(&mut self, payload: &[u8], depth: u16) {
        self.sink.begin_map();
        if generic::is_message(payload) {
            self.unknown_fields = self.unknown_fields.saturating_add(1);
            self.sink.key(UNKNOWN_FIELDS);
            generic::fields(payload, self.options.order, self.sink, depth);
        } else {
            let reason = first_error(payload);
            self.note_malformed(reason);
            self.sink.key(MALFORMED);
            self.sink.base64(payload);
        }
        self.sink.end_map();
    }
}
