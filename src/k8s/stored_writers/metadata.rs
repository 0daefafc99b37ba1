//! Reads the managedFields of an encoded object, and refuses metadata that an API server does not write.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::k8s::envelope::{PROTOBUF_MAGIC, Unknown};
use crate::k8s::schema::{self, Card, Target};
use crate::k8s::sink::Sink;
use crate::k8s::special::{is_zero_time, only_bytes, timestamp};
use crate::k8s::tree::TreeSink;
use crate::wire::{Content, Field, Reader};

/// The times that are certain to be read as times, from 1970 to 2100.
const USUAL_SECONDS: RangeInclusive<i64> = 0..=4_102_444_800;

/// An entry of managedFields. A text that is not stored is empty, as it is left out of the object if it is empty.
#[derive(Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) manager: &'a str,
    operation: &'a str,
    api_version: &'a str,
    pub(super) subresource: &'a str,
    /// In seconds since 1970.
    pub(super) time: Option<i64>,
    /// The set of fields as JSON.
    pub(super) fields: Option<&'a [u8]>,
}

impl Entry<'_> {
    /// Manager, operation, subresource and apiVersion: entries that agree in all four belong to the same writer.
    pub(super) fn identity(&self) -> [&str; 4] {
        [
            self.manager,
            self.operation,
            self.subresource,
            self.api_version,
        ]
    }
}

/// The managedFields of a protobuf value. None if the object has to be decoded to know.
pub(super) fn entries(value: &[u8]) -> Option<Vec<Entry<'_>>> {
    let metadata = metadata(value)?;
    let mut entries = Vec::new();
    let mut has_time = [false; 2];
    let mut reader = Reader::new(metadata);
    while let Some(field) = reader.field().ok()? {
        match (field.number, field.content) {
            (1..=6 | 14 | 15, Content::Bytes(_)) | (7 | 10, Content::Varint(_)) => {}
            (8 | 9, Content::Bytes(time)) => {
                let index = usize::from(field.number == 9);
                // Two of them are parts of one message.
                if std::mem::replace(has_time.get_mut(index)?, true) {
                    return None;
                }
                usual_time(time)?;
            }
            (11 | 12, Content::Bytes(pair)) => check_pair(pair)?,
            (13, Content::Bytes(owner)) => check_owner(owner)?,
            (17, Content::Bytes(bytes)) => entries.push(entry(bytes)?),
            _ => return None,
        }
    }
    Some(entries)
}

/// The bytes of an object's metadata. None if the kind is not in the table, if the fields cannot be read, or if a message
/// in it is split into several parts.
fn metadata(value: &[u8]) -> Option<&[u8]> {
    let unknown = Unknown::parse(value.strip_prefix(PROTOBUF_MAGIC)?).ok()?;
    let (api_version, kind) = (&*unknown.api_version, &*unknown.kind);
    if api_version.is_empty() || kind.is_empty() || !unknown.content_encoding.is_empty() {
        return None;
    }
    let message = schema::root(api_version, kind)?;
    let mut metadata = None;
    let mut seen = 0_u64;
    let mut reader = Reader::new(unknown.raw?);
    while let Some(Field {
        number, content, ..
    }) = reader.field().ok()?
    {
        let index = match message.find(number) {
            Some(Target::Slot(index)) => index,
            Some(Target::Block(_)) => return None,
            None => continue,
        };
        let slot = message.slots().get(index)?;
        if matches!(slot.card, Card::List | Card::Map) {
            continue;
        }
        let bit = 1_u64.wrapping_shl(u32::try_from(index).ok()?);
        if seen & bit != 0 {
            return None;
        }
        seen |= bit;
        if slot.message_type == schema::Type::MetaV1ObjectMeta as u16 && slot.name() == "metadata" {
            metadata = Some(content.bytes()?);
        }
    }
    metadata
}

/// The seconds of a time; an inner None for Go's zero time. None if the time is unusual.
fn usual_time(bytes: &[u8]) -> Option<Option<i64>> {
    let (seconds, _) = timestamp(bytes)?;
    if is_zero_time((seconds, 0)) {
        return Some(None);
    }
    USUAL_SECONDS.contains(&seconds).then_some(Some(seconds))
}

/// Checks that a label or an annotation is a key and a text.
fn check_pair(pair: &[u8]) -> Option<()> {
    let mut reader = Reader::new(pair);
    for number in [1, 2] {
        let field = reader.field().ok()??;
        field.content.bytes().filter(|_| field.number == number)?;
    }
    (reader.position() == pair.len()).then_some(())
}

/// Checks that all fields of an owner reference have their type.
fn check_owner(owner: &[u8]) -> Option<()> {
    let mut reader = Reader::new(owner);
    while let Some(field) = reader.field().ok()? {
        match (field.number, field.content) {
            (1 | 3 | 4 | 5, Content::Bytes(_)) | (6 | 7, Content::Varint(_)) => {}
            _ => return None,
        }
    }
    Some(())
}

fn entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let mut entry = Entry::default();
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let (mut has_time, mut has_fields) = (false, false);
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.field().ok()? {
        let bytes = field.content.bytes()?;
        match field.number {
            1 => entry.manager = text(bytes)?,
            2 => entry.operation = text(bytes)?,
            3 => entry.api_version = text(bytes)?,
            4 if !has_time => {
                has_time = true;
                entry.time = usual_time(bytes)?;
            }
            6 => {}
            7 if !has_fields => {
                has_fields = true;
                let set = only_bytes(bytes)?;
                // No bytes are `null` in the object, and so are those of `null`.
                if !set.starts_with(b"{") {
                    return None;
                }
                entry.fields = Some(set);
            }
            8 => entry.subresource = text(bytes)?,
            _ => return None,
        }
    }
    Some(entry)
}

/// Builds a tree of the type and the metadata of an object alone.
#[derive(Debug, Default)]
pub(super) struct HeadSink {
    tree: TreeSink,
    /// The number of open maps and lists.
    depth: usize,
    /// Whether the value of the current member of the root is left out.
    skips: bool,
}

impl HeadSink {
    pub(super) fn into_value(self) -> Value {
        self.tree.into_value()
    }

    fn open(&mut self, begin: impl FnOnce(&mut TreeSink)) {
        if !self.skips {
            begin(&mut self.tree);
        }
        self.depth = self.depth.saturating_add(1);
    }

    fn close(&mut self, end: impl FnOnce(&mut TreeSink)) {
        self.depth = self.depth.saturating_sub(1);
        // The root itself is never left out.
        self.skips &= self.depth > 0;
        if !self.skips {
            end(&mut self.tree);
        }
    }
}

/// Passes a value on unless it is left out.
macro_rules! values {
    ($($name:ident($type:ty);)*) => {$(
        fn $name(&mut self, value: $type) {
            if !self.skips {
                self.tree.$name(value);
            }
        }
    )*};
}

impl Sink for HeadSink {
    values! {
        bool(bool);
        int(i64);
        uint(u64);
        float(f64);
        string(&str);
        base64(&[u8]);
    }
    fn drops_value(&self) -> bool {
        self.skips
    }
    fn null(&mut self) {
        if !self.skips {
            self.tree.null();
        }
    }
    fn begin_map(&mut self) {
        self.open(TreeSink::begin_map);
    }
    fn key(&mut self, key: &str) {
        if self.depth == 1 {
            self.skips = !matches!(key, "apiVersion" | "kind" | "metadata");
        }
        if !self.skips {
            self.tree.key(key);
        }
    }
    fn end_map(&mut self) {
        self.close(TreeSink::end_map);
    }
    fn begin_list(&mut self) {
        self.open(TreeSink::begin_list);
    }
    fn end_list(&mut self) {
        self.close(TreeSink::end_list);
    }
}
