//! The parts of one page: every field and element with its offset, as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::bbolt::anatomy::{BucketParts, ElementParts, Field, RawElement};
use crate::bbolt::meta::NO_FREELIST;
use crate::bbolt::{Freelist, Kind, Page, Pgid};

use super::hexdump::Hexdump;
use super::pages::{element_key_text, insert_element_key};
use super::record::{insert_text, key_text};

/// How many ids of a freelist a line of text has.
const IDS_A_LINE: usize = 8;

/// How many ids of a freelist a JSON object has.
const IDS_AN_OBJECT: usize = 1024;

/// What is shown of a page before its elements.
#[derive(Debug)]
pub struct Head<'a> {
    /// The page.
    pub page: Page<'a>,
    /// The name of the bucket that contains this inline page.
    pub in_bucket: Option<&'a [u8]>,
    /// What the page is used for in the chosen state, as a sentence.
    pub used: Option<String>,
    /// The fields of its header. For a meta page, also the fields of the meta.
    pub fields: Vec<Field>,
    /// What contradicts the format, as sentences.
    pub misfits: Vec<String>,
}

impl Head<'_> {
    fn indent(&self) -> &'static str {
        indent(self.in_bucket)
    }
}

fn indent(in_bucket: Option<&[u8]>) -> &'static str {
    in_bucket.map_or("", |_| "  ")
}

fn kind_text(page: &Page<'_>) -> &'static str {
    page.kind.map_or("of no kind", |kind| kind.as_str())
}

/// The head as text.
pub fn head(head: &Head<'_>) -> String {
    let (page, indent) = (&head.page, head.indent());
    let (start, len_bytes) = (page.run().offset(), page.run().len_bytes());
    let kind = kind_text(page);
    let place = format!("{len_bytes} bytes from offset {start}");
    let mut text = match head.in_bucket {
        None => format!("page {}: {kind}, {place}\n", page.pgid),
        Some(name) => format!(
            "\n{indent}inline bucket {}: {kind}, {place}\n",
            key_text(name)
        ),
    };
    if let Some(used) = &head.used {
        let _ = writeln!(text, "{indent}used: {used}");
    }
    for misfit in &head.misfits {
        let _ = writeln!(text, "{indent}DOES NOT FIT: {misfit}");
    }
    let _ = writeln!(
        text,
        "{indent}{:<12} {:<5} {:<16} VALUE",
        "OFFSET", "BYTES", "FIELD"
    );
    for field in &head.fields {
        let value = field_text(field, page);
        let Field {
            offset,
            len_bytes,
            name,
            ..
        } = field;
        let _ = write!(
            text,
            "{indent}{offset:<12} {len_bytes:<5} {name:<16} {value}"
        );
        if let Some(expected) = field.expected {
            let right = Field {
                value: expected,
                expected: None,
                ..field.clone()
            };
            let _ = write!(text, "  WRONG: should be {}", field_text(&right, page));
        } else if field.name == "checksum" {
            text.push_str(" (right)");
        }
        text.push('\n');
    }
    text
}

fn field_text(field: &Field, page: &Page<'_>) -> String {
    let value = field.value;
    match (field.name, field.len_bytes) {
        ("flags", 2) => format!("0x{value:04x} {}", kind_text(page)),
        ("flags", _) => format!("0x{value:08x}"),
        ("magic", _) => format!("0x{value:08x}"),
        ("checksum", _) => format!("{value:016x}"),
        ("freelist", _) if value == NO_FREELIST => format!("{value} (not written)"),
        _ => value.to_string(),
    }
}

/// The headings of the columns for elements; empty for a page without elements.
pub fn element_columns(page: &Page<'_>, in_bucket: Option<&[u8]>) -> String {
    let indent = indent(in_bucket);
    if page.usable_count() == 0 {
        return String::new();
    }
    match page.kind {
        Some(Kind::Leaf) => format!(
            "{indent}{:<7} {:<12} {:<5} {:<8} {:<6} {:<10} {:<12} KEY\n",
            "ELEMENT", "OFFSET", "FLAGS", "POS", "KSIZE", "VSIZE", "VALUE AT"
        ),
        Some(Kind::Branch) => format!(
            "{indent}{:<7} {:<12} {:<8} {:<6} {:<10} {:<12} KEY\n",
            "ELEMENT", "OFFSET", "POS", "KSIZE", "PGID", "KEY AT"
        ),
        _ => String::new(),
    }
}

/// An element as one line of text. If it is a bucket, the fields of the bucket header follow its name.
pub fn element(
    element: &ElementParts<'_>,
    bucket: Option<&BucketParts<'_>>,
    in_bucket: Option<&[u8]>,
) -> String {
    let indent = indent(in_bucket);
    let ElementParts { index, offset, .. } = element;
    let at = |offset: Option<u64>| offset.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let mut text = match element.raw {
        RawElement::Leaf {
            flags,
            pos,
            ksize,
            vsize,
        } => {
            let value_at = at(element.value.map(|piece| piece.offset));
            let flags = format!("0x{flags:x}");
            format!(
                "{indent}{index:<7} {offset:<12} {flags:<5} {pos:<8} {ksize:<6} {vsize:<10} {value_at:<12} "
            )
        }
        RawElement::Branch { pos, ksize, pgid } => {
            let key_at = at(element.key.map(|piece| piece.offset));
            let pgid = pgid.0;
            format!("{indent}{index:<7} {offset:<12} {pos:<8} {ksize:<6} {pgid:<10} {key_at:<12} ")
        }
    };
    match element.key {
        Some(key) => text.push_str(&element_key_text(key.bytes)),
        None => text.push('-'),
    }
    if let Some(bucket) = bucket {
        let root = match bucket.root {
            0 => "inline".to_owned(),
            root => format!("root {root}"),
        };
        let _ = write!(text, "  (bucket: {root}, sequence {})", bucket.sequence);
    }
    if let Some(misfit) = &element.misfit {
        let _ = write!(text, "  DOES NOT FIT: {misfit}");
    }
    text.push('\n');
    text
}

/// The bytes of the value of an element, as a hexdump.
pub fn value(element: &ElementParts<'_>) -> String {
    element.value.map_or_else(String::new, |value| {
        Hexdump::at(value.offset, "        ").lines(value.bytes)
    })
}

/// The ids of a freelist as text, with the offset of the first of each line.
pub fn ids<'a>(freelist: &Freelist<'a>) -> impl Iterator<Item = String> + use<'a> {
    let freelist = *freelist;
    let mut ids = freelist.ids();
    let mut index = 0_usize;
    std::iter::from_fn(move || {
        let line: Vec<String> = ids
            .by_ref()
            .take(IDS_A_LINE)
            .map(|id| id.to_string())
            .collect();
        if line.is_empty() {
            return None;
        }
        let head = match index {
            0 => format!("{:<12} IDS, {} of them\n", "OFFSET", freelist.stated_count),
            _ => String::new(),
        };
        let offset = freelist.offset_of(index);
        index = index.saturating_add(line.len());
        Some(format!("{head}{offset:<12} {}\n", line.join(" ")))
    })
}

/// The head as JSON.
pub fn head_json(head: &Head<'_>) -> Value {
    let page = &head.page;
    let mut object = place(page.pgid, head.in_bucket);
    object.insert("offset".to_owned(), page.run().offset().into());
    object.insert("len_bytes".to_owned(), page.run().len_bytes().into());
    object.insert("type".to_owned(), page.kind.map(Kind::as_str).into());
    if let Some(used) = &head.used {
        object.insert("used".to_owned(), used.as_str().into());
    }
    let fields = head.fields.iter().map(|field| {
        let mut object = Map::new();
        object.insert("name".to_owned(), field.name.into());
        object.insert("offset".to_owned(), field.offset.into());
        object.insert("len_bytes".to_owned(), field.len_bytes.into());
        object.insert("value".to_owned(), field_json(field, field.value));
        if let Some(expected) = field.expected {
            object.insert("expected".to_owned(), field_json(field, expected));
        }
        Value::Object(object)
    });
    object.insert("fields".to_owned(), fields.collect());
    if !head.misfits.is_empty() {
        object.insert("does_not_fit".to_owned(), json!(head.misfits));
    }
    without_nulls(object)
}

/// The value of a field as JSON. A checksum is a string of hexadecimal digits, as in all our JSON.
fn field_json(field: &Field, value: u64) -> Value {
    match field.name {
        "checksum" => format!("{value:016x}").into(),
        _ => value.into(),
    }
}

fn place(pgid: Pgid, in_bucket: Option<&[u8]>) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("page".to_owned(), pgid.0.into());
    if let Some(name) = in_bucket {
        insert_text(&mut object, "inline_bucket", name);
    }
    object
}

fn without_nulls(object: Map<String, Value>) -> Value {
    Value::Object(object.into_iter().filter(|(_, v)| !v.is_null()).collect())
}

/// An element as JSON; `with_value`: with the bytes of its value.
pub fn element_json(
    pgid: Pgid,
    element: &ElementParts<'_>,
    bucket: Option<&BucketParts<'_>>,
    in_bucket: Option<&[u8]>,
    with_value: bool,
) -> Value {
    let mut object = place(pgid, in_bucket);
    object.insert("element".to_owned(), element.index.into());
    object.insert("offset".to_owned(), element.offset.into());
    let raw = match element.raw {
        RawElement::Leaf {
            flags,
            pos,
            ksize,
            vsize,
        } => json!({ "flags": flags, "pos": pos, "ksize": ksize, "vsize": vsize }),
        RawElement::Branch { pos, ksize, pgid } => {
            json!({ "pos": pos, "ksize": ksize, "pgid": pgid.0 })
        }
    };
    if let Value::Object(raw) = raw {
        object.extend(raw);
    }
    if let Some(key) = element.key {
        object.insert("key_offset".to_owned(), key.offset.into());
        insert_element_key(&mut object, "key", "revision", key.bytes);
    }
    if let Some(value) = element.value {
        object.insert("value_offset".to_owned(), value.offset.into());
        if with_value {
            insert_text(&mut object, "value", value.bytes);
        }
    }
    if let Some(bucket) = bucket {
        let (root, sequence) = (bucket.root, bucket.sequence);
        object.insert(
            "bucket".to_owned(),
            json!({ "root": root, "sequence": sequence }),
        );
    }
    object.insert("does_not_fit".to_owned(), json!(element.misfit));
    without_nulls(object)
}

/// The ids of a freelist as JSON, a part of them at a time.
pub fn ids_json<'a>(freelist: &Freelist<'a>) -> impl Iterator<Item = Value> + use<'a> {
    let freelist = *freelist;
    let mut ids = freelist.ids();
    let mut index = 0_usize;
    std::iter::from_fn(move || {
        let part: Vec<u64> = ids.by_ref().take(IDS_AN_OBJECT).map(|id| id.0).collect();
        if part.is_empty() {
            return None;
        }
        let first = index;
        index = index.saturating_add(part.len());
        Some(json!({
            "page": freelist.page.pgid.0,
            "index": first,
            "offset": freelist.offset_of(first),
            "ids": part,
        }))
    })
}
