//! What `etcdctl get` prints: keys and values as they are, as JSON, as fields; with --hex or without.
//!
//! Upstream: etcd `etcdctl/ctlv3/command/printer_simple.go`, `printer_json.go`, `printer_fields.go`.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::go::unquote::unescape;
use crate::k8s::Stored;
use crate::k8s::envelope::{ENCRYPTED_PREFIX, PROTOBUF_MAGIC};

use super::envelope_len;
use super::form::{Fault, Form, PastedValue};

/// The values in one or several answers of etcd as JSON; none if it is other JSON.
pub(super) fn json(text: &[u8]) -> Result<Option<(Form, Vec<PastedValue>)>, Fault> {
    let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let mut found = Vec::new();
    let mut is_answer = false;
    for document in &mut documents {
        let Some(kvs) = document.ok().as_ref().and_then(kvs_of) else {
            return Ok(None);
        };
        is_answer = true;
        for kv in kvs {
            found.extend(kv_of_json(&kv)?);
        }
    }
    Ok(is_answer.then_some((Form::EtcdctlJson, found)))
}

/// The entries of a range response, or of the events of a watch. An object of Kubernetes has a kind and is neither.
fn kvs_of(document: &Value) -> Option<Vec<Value>> {
    let fields = document.as_object()?;
    let field = |names: [&str; 2]| names.iter().find_map(|name| fields.get(*name));
    let header = field(["header", "Header"]);
    if fields.contains_key("kind") || !header.is_some_and(Value::is_object) {
        return None;
    }
    let list = |value: Option<&Value>| {
        let list = value.and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let events = list(field(["events", "Events"]));
    let events = events.iter().filter_map(|event| event.get("kv")).cloned();
    let mut kvs = list(field(["kvs", "Kvs"]));
    kvs.extend(events);
    Some(kvs)
}

/// One entry; none if it has no value, as those of deletions and of --keys-only.
fn kv_of_json(kv: &Value) -> Result<Option<PastedValue>, Fault> {
    let text = |name| kv.get(name).and_then(Value::as_str);
    let Some(value) = text("value").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let key = text("key").unwrap_or_default();
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    // With --hex; a key of Kubernetes in base64 begins with L.
    let decoded: fn(&str) -> Option<Vec<u8>> = if is_hex(key) && is_hex(value) {
        super::encoded::hex
    } else {
        super::encoded::base64
    };
    let (Some(key), Some(value)) = (
        decoded(key).or_else(|| key.is_empty().then(Vec::new)),
        decoded(value),
    ) else {
        return Err(Fault::Encoding(Form::EtcdctlJson));
    };
    Ok(Some(PastedValue {
        key: Some(key).filter(|key| !key.is_empty()),
        value,
    }))
}

/// The values in the lines `"Key" : "..."` and `"Value" : "..."`; none without a line of a value or of a header.
pub(super) fn fields(text: &str) -> Result<Option<Vec<PastedValue>>, Fault> {
    let mut found = Vec::new();
    let (mut key, mut is_fields) = (None, false);
    for line in text.lines() {
        let Some((name, value)) = line.trim().split_once("\" : ") else {
            continue;
        };
        match name {
            "\"Key" => {
                is_fields = true;
                key = Some(quoted_field(value)?);
            }
            "\"Value" => {
                is_fields = true;
                let value = quoted_field(value)?;
                // Without a value: --keys-only, and deletions.
                if !value.is_empty() {
                    found.push(PastedValue {
                        key: key.take(),
                        value,
                    });
                }
            }
            "\"ClusterID" => is_fields = true,
            _ => {}
        }
    }
    Ok(is_fields.then_some(found))
}

/// The bytes of a quoted text; with --hex etcdctl quotes a text of escapes.
fn quoted_field(text: &str) -> Result<Vec<u8>, Fault> {
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let bytes = inside.and_then(|inside| unescape(inside, Some('"')));
    let bytes = bytes.ok_or(Fault::Encoding(Form::EtcdctlFields))?;
    let escaped = std::str::from_utf8(&bytes).ok();
    let escaped = escaped.filter(|text| is_hex_escapes(text));
    Ok(escaped
        .and_then(|text| unescape(text, None))
        .unwrap_or(bytes))
}

/// Whether a text is `\x2f\x72...` throughout.
fn is_hex_escapes(text: &str) -> bool {
    let (escapes, rest) = text.as_bytes().as_chunks::<4>();
    !escapes.is_empty()
        && rest.is_empty()
        && escapes.iter().all(|escape| escape.starts_with(b"\\x"))
}

/// What an API server writes for its compactions; its value is a number.
const FIRST_KEY: &[u8] = b"compact_rev_key";

/// The values of keys, each key on a line of its own and a newline after each value.
///
/// A value of protobuf or JSON shows where it ends. Any other ends before the next key with an object after it.
pub(super) fn keys_and_values(input: &[u8]) -> Option<Vec<PastedValue>> {
    let mut found = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (key, after) = split_line(rest)?;
        // Among others a key may have a text as its value; the first of an API server always has.
        let is_another = !found.is_empty() && key.starts_with(b"/");
        if !is_another && key != FIRST_KEY && !is_key_before(key, after) {
            return None;
        }
        let len = value_len(after, Next::Key);
        let (value, next) = after.split_at_checked(len)?;
        found.push(PastedValue {
            key: Some(key.to_vec()),
            value: value.to_vec(),
        });
        rest = next.strip_prefix(b"\n").unwrap_or(next);
    }
    Some(found)
}

/// Several values with a newline after each. None if there is only one.
pub(super) fn values_alone(input: &[u8]) -> Option<(Form, Vec<PastedValue>)> {
    let mut found = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        if !is_object_start(rest) {
            return None;
        }
        let (value, next) = rest.split_at_checked(value_len(rest, Next::Value))?;
        found.push(PastedValue::without_key(value));
        rest = next.strip_prefix(b"\n").unwrap_or(next);
    }
    (found.len() > 1).then_some((Form::EtcdctlValues, found))
}

/// What follows a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Key,
    Value,
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((line, rest.get(1..)?))
}

/// Whether a line is a key and what follows it an object. JSON after any text may be of a log: its key begins with a
/// slash.
fn is_key_before(line: &[u8], after: &[u8]) -> bool {
    let is_printed = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    let is_named =
        line.starts_with(b"/") || !matches!(Stored::detect(start_of(after)), Stored::Json(_));
    is_object_start(after) && is_named && std::str::from_utf8(line).is_ok_and(is_printed)
}

/// Enough of a value to see how it is stored.
fn start_of(value: &[u8]) -> &[u8] {
    const LONGEST_MARK: usize = 64;
    value.get(..LONGEST_MARK).unwrap_or(value)
}

fn is_object_start(bytes: &[u8]) -> bool {
    // The newline of an empty value, and then JSON, are not its beginning.
    let is_blank = bytes.first().is_none_or(u8::is_ascii_whitespace);
    let detected = Stored::detect(start_of(bytes));
    let is_encrypted = bytes.starts_with(ENCRYPTED_PREFIX);
    !is_blank && (is_encrypted || !matches!(detected, Stored::Text(_) | Stored::Binary(_)))
}

/// The length of the value that begins the bytes.
fn value_len(bytes: &[u8], next: Next) -> usize {
    let ends = |len: usize| matches!(bytes.get(len), None | Some(b'\n'));
    let by_content = match Stored::detect(start_of(bytes)) {
        Stored::Protobuf(_) => {
            let mark = PROTOBUF_MAGIC.len();
            let body = bytes.get(mark..).and_then(envelope_len);
            body.map(|len| len.saturating_add(mark))
        }
        Stored::Json(_) => {
            let mut documents =
                serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
            let is_json = documents.next().is_some_and(|document| document.is_ok());
            // An API server stores JSON with a newline at its end.
            let end = documents.byte_offset();
            let is_after = bytes
                .get(end..)
                .is_some_and(|after| after.starts_with(b"\n\n"));
            is_json.then(|| end.saturating_add(usize::from(is_after)))
        }
        _ => None,
    };
    by_content
        .filter(|len| ends(*len))
        .unwrap_or_else(|| len_before_next(bytes, next))
}

/// The length up to the newline before the next entry; else to the end without its newline.
fn len_before_next(bytes: &[u8], next: Next) -> usize {
    let is_next = |at: &usize| {
        let after = bytes.get(at.saturating_add(1)..).unwrap_or_default();
        match next {
            Next::Key => split_line(after).is_some_and(|(line, after)| is_key_before(line, after)),
            // A brace may follow a newline in any bytes.
            Next::Value => after.starts_with(PROTOBUF_MAGIC) || after.starts_with(ENCRYPTED_PREFIX),
        }
    };
    let newline = memchr::memchr_iter(b'\n', bytes).find(is_next);
    newline.unwrap_or_else(|| bytes.strip_suffix(b"\n").unwrap_or(bytes).len())
}
