//! Writes values of types whose JSON form differs from their protobuf fields.

use crate::k8s::schema::{self, Kind, Slot};
use crate::k8s::sink::Sink;
use crate::k8s::special::{
    bytes, first_three, int, only_bytes, time_len, timestamp, write_duration, write_time,
};
use crate::wire::{Content, Reader};

use super::super::{Span, Walker};

impl<S: Sink> Walker<'_, S> {
    /// Writes a value of such a type. Returns None, and writes nothing, if the payload is not of that type.
    pub(super) fn special(&mut self, slot: &Slot, payload: &[u8], depth: u16) -> Option<()> {
        match slot.kind {
            Kind::Time | Kind::MicroTime => {
                let time = timestamp(payload)?;
                if self.sink.drops_value() {
                    self.sink.null();
                    return Some(());
                }
                let text = &mut self.work.text;
                text.clear();
                let micro = slot.kind == Kind::MicroTime;
                if !write_time(time, micro, text) {
                    self.sink.null();
                } else if text.len() == time_len(micro) {
                    self.sink.time(text);
                } else {
                    self.sink.string(text);
                }
            }
            Kind::Duration => {
                let [nanos, None, None] = first_three(payload)? else {
                    return None;
                };
                let text = &mut self.work.text;
                text.clear();
                write_duration(int(nanos)?, text);
                self.sink.string(text);
            }
            Kind::Quantity => {
                let text = only_bytes(payload)?;
                self.sink.text(if text.is_empty() { b"0" } else { text });
            }
            Kind::IntOrString => {
                let [kind, number, text] = first_three(payload)?;
                match (int(kind)?, int(number)?, bytes(text)?) {
                    (0, number, _) => self.sink.int(number),
                    (1, _, text) => self.sink.text(text),
                    _ => return None,
                }
            }
            Kind::Embedded => {
                self.embedded(only_bytes(payload)?, depth);
            }
            Kind::Strings => self.strings(1, payload)?,
            Kind::Messages => self.messages(slot, payload, depth)?,
            Kind::TextMap => self.text_map(slot, payload, depth)?,
            _ => return self.schema_or(slot, payload, depth),
        }
        Some(())
    }

    /// Writes a list of messages, which are in field 1. None if the message has another field.
    fn messages(&mut self, slot: &Slot, payload: &[u8], depth: u16) -> Option<()> {
        let ty = schema::message(slot.message_type)?;
        let mut reader = Reader::new(payload);
        while let Some(field) = reader.field().ok()? {
            field.content.bytes().filter(|_| field.number == 1)?;
        }
        self.sink.begin_list();
        let mut reader = Reader::new(payload);
        while let Ok(Some(field)) = reader.field() {
            self.message(ty, field.content.bytes().unwrap_or_default(), depth);
        }
        self.sink.end_list();
        Some(())
    }

    /// Writes a map of texts, whose entries are in field 1. None if the message has another field.
    fn text_map(&mut self, slot: &Slot, payload: &[u8], depth: u16) -> Option<()> {
        let mut reader = Reader::new(payload);
        while let Some(field) = reader.field().ok()? {
            field.content.bytes().filter(|_| field.number == 1)?;
        }
        let span = Span {
            start: 0,
            end: u32::try_from(payload.len()).ok()?,
        };
        self.map_entries(&slot.inner_map(), payload, span, depth);
        Some(())
    }

    /// Writes a list of texts, which are in field `number`. None if the message has another field.
    pub(super) fn strings(&mut self, number: u32, payload: &[u8]) -> Option<()> {
        let mut reader = Reader::new(payload);
        while let Some(field) = reader.field().ok()? {
            field.content.bytes().filter(|_| field.number == number)?;
        }
        self.sink.begin_list();
        let mut reader = Reader::new(payload);
        while let Ok(Some(field)) = reader.field() {
            self.sink.text(field.content.bytes().unwrap_or_default());
        }
        self.sink.end_list();
        Some(())
    }

    /// Writes one of apiextensions' unions of a schema with something else: `{1 allows, 2 schema}`, or
    /// `{1 schema, 2 list}`.
    pub(super) fn schema_or(&mut self, slot: &Slot, payload: &[u8], depth: u16) -> Option<()> {
        let ty = schema::message(slot.message_type)?;
        if slot.kind == Kind::SchemaOrBool {
            let [allows, schema, None] = first_three(payload)? else {
                return None;
            };
            match schema {
                Some(schema) => self.message(ty, schema.bytes()?, depth),
                None => self.sink.bool(int(allows)? != 0),
            }
            return Some(());
        }
        let (mut schema, mut items) = (None, Vec::new());
        let mut reader = Reader::new(payload);
        while let Some(field) = reader.field().ok()? {
            match (field.number, field.content) {
                (1, Content::Bytes(b)) => schema = Some(b),
                (2, Content::Bytes(b)) => items.push(b),
                _ => return None,
            }
        }
        match schema {
            _ if !items.is_empty() => {
                self.sink.begin_list();
                for item in items {
                    match slot.kind {
                        Kind::SchemaOrArray => self.message(ty, item, depth),
                        _ => self.sink.text(item),
                    }
                }
                self.sink.end_list();
            }
            Some(schema) => self.message(ty, schema, depth),
            None => self.sink.null(),
        }
        Some(())
    }
}
