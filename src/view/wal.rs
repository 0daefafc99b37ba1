//! Entries of a write-ahead log for people, on one line each, and as JSON.

use serde_json::{Map, Value as Json, json};

use crate::etcd::wal::Request;
use crate::etcd::wal::wire::{Field, Kind, Label, Node, Value};

use super::record::{insert_text, key_text};

/// Stands for a secret; none where secrets are shown.
pub type Mask<'m> = dyn FnMut(&[u8]) -> Option<String> + 'm;

/// The name of what an entry asks for: the field of the request, `noop` for nothing.
pub fn kind(request: &Request<'_>) -> &'static str {
    match request {
        Request::Empty => "noop",
        Request::Internal(node) => {
            let fields = node.fields().map(|(field, _)| field.name);
            fields
                .filter(|name| !matches!(*name, "header" | "ID"))
                .last()
                .unwrap_or("noop")
        }
        Request::V2(_) => "v2",
        Request::ConfChange(_) => "conf_change",
        Request::ConfChangeV2(_) => "conf_change_v2",
        Request::Unknown => "unknown",
    }
}

/// The message that says what is asked for.
fn body<'n, 'a>(request: &'n Request<'a>) -> Option<&'n Node<'a>> {
    match request {
        Request::Internal(node) => node.node(kind(request)),
        Request::V2(node) | Request::ConfChange(node) | Request::ConfChangeV2(node) => Some(node),
        Request::Empty | Request::Unknown => None,
    }
}

/// Who asked; none where nobody logged in.
pub fn user(request: &Request<'_>) -> Option<String> {
    let Request::Internal(node) = request else {
        return None;
    };
    let name = node.node("header")?.bytes("username");
    (!name.is_empty()).then(|| key_text(name).into_owned())
}

/// What an entry asks for, on one line: keys, lengths of values, comparisons.
pub fn sentence(request: &Request<'_>, mask: &mut Mask<'_>) -> String {
    match (kind(request), body(request)) {
        ("put", Some(put)) => put_text(put),
        ("delete_range", Some(delete)) => delete_text(delete),
        ("txn", Some(txn)) => txn_text(txn),
        ("compaction", Some(node)) => format!("compaction to revision {}", node.int("revision")),
        ("lease_grant", Some(node)) => {
            format!(
                "lease_grant {:016x} for {} s",
                node.int("ID"),
                node.int("TTL")
            )
        }
        ("lease_revoke", Some(node)) => format!("lease_revoke {:016x}", node.int("ID")),
        ("conf_change", Some(node)) => {
            let method = enum_name(node, "type");
            let context = node.bytes("context");
            let id = node.uint("node_id");
            format!("{method} {id:x} {}", key_text(context))
                .trim_end()
                .to_owned()
        }
        (kind, Some(node)) => format!("{kind} {}", fields_text(node, mask))
            .trim_end()
            .to_owned(),
        (kind, None) => kind.to_owned(),
    }
}

fn put_text(put: &Node<'_>) -> String {
    let lease = match put.int("lease") {
        0 => String::new(),
        lease => format!(", lease {lease:016x}"),
    };
    let value = if put.flag("ignore_value") {
        "its value".to_owned()
    } else {
        format!("{} bytes", put.bytes("value").len())
    };
    format!("put {} ({value}{lease})", key_text(put.bytes("key")))
}

fn delete_text(delete: &Node<'_>) -> String {
    format!("delete {}", range_text(delete))
}

/// A key, or a range of keys: as a prefix where it is one.
fn range_text(node: &Node<'_>) -> String {
    let (key, end) = (node.bytes("key"), node.bytes("range_end"));
    match end {
        [] => key_text(key).into_owned(),
        [0] => format!("{} and all behind", key_text(key)),
        end if is_prefix(key, end) => format!("{}*", key_text(key)),
        end => format!("{} up to {}", key_text(key), key_text(end)),
    }
}

/// Whether a range is all keys with a prefix: its end is the prefix with its last byte one higher.
fn is_prefix(key: &[u8], end: &[u8]) -> bool {
    match (key.split_last(), end.split_last()) {
        (Some((last, key)), Some((end_last, end))) => {
            key == end && last.checked_add(1) == Some(*end_last)
        }
        _ => false,
    }
}

fn enum_name(node: &Node<'_>, name: &str) -> String {
    let number = node.uint(name);
    let fields = node.message().fields.iter();
    let names = fields
        .filter(|field| field.name == name)
        .find_map(|field| match field.kind {
            Kind::Enum(names) => Some(names),
            _ => None,
        });
    let named = usize::try_from(number)
        .ok()
        .and_then(|number| names?.get(number));
    named.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

fn txn_text(txn: &Node<'_>) -> String {
    let compares: Vec<String> = txn.nodes("compare").map(compare_text).collect();
    let branch = |name| {
        let ops: Vec<String> = txn.nodes(name).map(op_text).collect();
        ops.join("; ")
    };
    let mut text = "txn".to_owned();
    if !compares.is_empty() {
        text.push_str(" if ");
        text.push_str(&compares.join(" and "));
        text.push_str(" then");
    }
    for (word, ops) in [("", branch("success")), (" else", branch("failure"))] {
        if !ops.is_empty() {
            text.push_str(word);
            text.push(' ');
            text.push_str(&ops);
        }
    }
    text
}

fn op_text(op: &Node<'_>) -> String {
    if let Some(put) = op.node("request_put") {
        put_text(put)
    } else if let Some(delete) = op.node("request_delete_range") {
        delete_text(delete)
    } else if let Some(range) = op.node("request_range") {
        format!("get {}", range_text(range))
    } else if let Some(txn) = op.node("request_txn") {
        // As deep as the message, which has a limit.
        format!("({})", txn_text(txn))
    } else {
        "nothing".to_owned()
    }
}

fn compare_text(compare: &Node<'_>) -> String {
    let sign = match compare.uint("result") {
        0 => "=",
        1 => ">",
        2 => "<",
        _ => "!=",
    };
    let target = enum_name(compare, "target").to_lowercase();
    let than = match compare.uint("target") {
        0 => compare.int("version").to_string(),
        1 => compare.int("create_revision").to_string(),
        2 => compare.int("mod_revision").to_string(),
        3 => format!("({} bytes)", compare.bytes("value").len()),
        _ => format!("{:016x}", compare.int("lease")),
    };
    format!("{target}({}) {sign} {than}", range_text(compare))
}

/// The fields of a message, without values of keys and without secrets.
fn fields_text(node: &Node<'_>, mask: &mut Mask<'_>) -> String {
    let mut parts = Vec::new();
    for (field, values) in node.fields() {
        for value in values {
            parts.push(match value {
                Value::Number(_) if field.name == "member_ID" || field.name == "memberID" => {
                    format!("{}={:x}", field.name, node.uint(field.name))
                }
                Value::Number(number) => format!("{}={}", field.name, number_json(*number, field)),
                Value::Bytes(bytes) => format!("{}={}", field.name, bytes_text(field, bytes, mask)),
                Value::Node(inner) => format!("{}=({})", field.name, fields_text(inner, mask)),
            });
        }
    }
    parts.join(" ")
}

fn bytes_text(field: &Field, bytes: &[u8], mask: &mut Mask<'_>) -> String {
    let masked = (field.secret && !bytes.is_empty())
        .then(|| mask(bytes))
        .flatten();
    masked.unwrap_or_else(|| key_text(bytes).into_owned())
}

fn number_json(number: u64, field: &Field) -> Json {
    match field.kind {
        Kind::Bool => (number != 0).into(),
        Kind::Int => number.cast_signed().into(),
        Kind::Enum(names) => {
            let named = usize::try_from(number)
                .ok()
                .and_then(|number| names.get(number));
            named.map_or_else(|| number.into(), |name| Json::from(*name))
        }
        _ => number.into(),
    }
}

/// Whether a field holds an id: ids are texts in hex.
fn is_id(of: &Node<'_>, field: &Field) -> bool {
    let name = field.name;
    let is_lease = name == "lease" || (name == "ID" && of.message().name.starts_with("Lease"));
    let is_member = matches!(name, "member_ID" | "memberID" | "node_id");
    is_lease || is_member || (name == "ID" && of.message().name == "RequestHeader")
}

/// A request as JSON: the message as it is declared, with its field names. Values of keys are their lengths, and
/// what `values` adds; it is told whether it is the value of a put.
pub fn request_json(
    request: &Request<'_>,
    mask: &mut Mask<'_>,
    values: &mut dyn FnMut(bool, &mut Map<String, Json>),
) -> Json {
    match body(request) {
        Some(node) => node_json(node, mask, values),
        None => Json::Null,
    }
}

fn node_json(
    node: &Node<'_>,
    mask: &mut Mask<'_>,
    values: &mut dyn FnMut(bool, &mut Map<String, Json>),
) -> Json {
    let mut fields = Map::new();
    for (field, all) in node.fields() {
        let is_value = field.name == "value" && matches!(field.kind, Kind::Bytes);
        let mut list = Vec::new();
        for value in all {
            match value {
                Value::Bytes(bytes) if is_value => {
                    fields.insert("value_size".to_owned(), bytes.len().into());
                    values(node.message().name == "PutRequest", &mut fields);
                }
                Value::Bytes(bytes) if field.label == Label::Repeated => {
                    list.push(String::from_utf8_lossy(bytes).into());
                }
                Value::Bytes(bytes) => match field.secret.then(|| mask(bytes)).flatten() {
                    Some(masked) => drop(fields.insert(field.name.to_owned(), masked.into())),
                    None => insert_text(&mut fields, field.name, bytes),
                },
                Value::Number(number) if is_id(node, field) => {
                    list.push(json!(format!("{number:016x}")));
                }
                Value::Number(number) => list.push(number_json(*number, field)),
                Value::Node(inner) => list.push(node_json(inner, mask, values)),
            }
        }
        match (field.label, list.len()) {
            (_, 0) => {}
            (Label::Repeated, _) => drop(fields.insert(field.name.to_owned(), list.into())),
            _ => drop(fields.insert(field.name.to_owned(), list.swap_remove(0))),
        }
    }
    Json::Object(fields)
}
