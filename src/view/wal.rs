//! Entries of a write-ahead log for people, on one line each, and as JSON.

use serde_json::{Map, Value as Json, json};

use crate::etcd::wal::Request;
use crate::etcd::wal::messages::{
    Compare, CompareResult, CompareTarget, ConfChangeType, Operation, PutRequest, RequestOp,
    TxnRequest,
};
use crate::etcd::wal::wire::{Field, Label, Message, Value};

use super::human::plural;
use super::record::{insert_text, key_text};

/// Returns the text in place of a secret. None if secrets are shown.
pub type Mask<'m> = dyn FnMut(&[u8]) -> Option<String> + 'm;

/// The name of what an entry asks for: the field of the request, `noop` for nothing.
pub fn kind(request: &Request<'_>) -> &'static str {
    match request {
        Request::Empty => "noop",
        Request::Internal(internal) => {
            let fields = internal.fields().into_iter().map(|field| field.name);
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
fn body<'n, 'a>(request: &'n Request<'a>) -> Option<&'n dyn Message<'a>> {
    match request {
        Request::Internal(internal) => {
            let kind = kind(request);
            let field = internal
                .fields()
                .into_iter()
                .find(|field| field.name == kind);
            match field?.values.first() {
                Some(Value::Message(message)) => Some(*message),
                _ => None,
            }
        }
        Request::V2(request) => Some(&**request),
        Request::ConfChange(change) => Some(change),
        Request::ConfChangeV2(change) => Some(change),
        Request::Empty | Request::Unknown => None,
    }
}

/// The user that sent the request. None without authentication.
pub fn user(request: &Request<'_>) -> Option<String> {
    let Request::Internal(internal) = request else {
        return None;
    };
    let name = internal.header.as_ref()?.username;
    (!name.is_empty()).then(|| key_text(name).into_owned())
}

/// What an entry asks for, on one line: keys, lengths of values, comparisons.
pub fn sentence(request: &Request<'_>, mask: &mut Mask<'_>) -> String {
    let kind = kind(request);
    if let Request::ConfChange(change) = request {
        let method = enum_text(change.change_type.0, ConfChangeType::NAMES);
        let text = format!("{method} {:x} {}", change.node_id, key_text(change.context));
        return text.trim_end().to_owned();
    }
    if let Some(text) = operation_text(request, kind) {
        return text;
    }
    match body(request) {
        Some(message) => format!("{kind} {}", fields_text(message, mask))
            .trim_end()
            .to_owned(),
        None => kind.to_owned(),
    }
}

/// The operation in a request, if its text is more than its fields.
fn operation_text(request: &Request<'_>, kind: &str) -> Option<String> {
    let Request::Internal(internal) = request else {
        return None;
    };
    Some(match kind {
        "put" => put_text(internal.put.as_deref()?),
        "delete_range" => {
            let delete = internal.delete_range.as_deref()?;
            format!("delete {}", range_text(delete.key, delete.range_end))
        }
        "txn" => txn_text(internal.txn.as_deref()?),
        "compaction" => {
            let compaction = internal.compaction.as_deref()?;
            format!("compaction to revision {}", compaction.revision)
        }
        "lease_grant" => {
            let grant = internal.lease_grant.as_deref()?;
            format!("lease_grant {:016x} for {} s", grant.id, grant.ttl)
        }
        "lease_revoke" => {
            let revoke = internal.lease_revoke.as_deref()?;
            format!("lease_revoke {:016x}", revoke.id)
        }
        _ => return None,
    })
}

fn put_text(put: &PutRequest<'_>) -> String {
    let lease = match put.lease {
        0 => String::new(),
        lease => format!(", lease {lease:016x}"),
    };
    let value = if put.ignore_value {
        "its value".to_owned()
    } else {
        plural(put.value.len(), "byte", "bytes")
    };
    format!("put {} ({value}{lease})", key_text(put.key))
}

/// A key, or a range of keys; as a prefix if it is one.
fn range_text(key: &[u8], end: &[u8]) -> String {
    match end {
        [] => key_text(key).into_owned(),
        [0] => format!("{} and all after it", key_text(key)),
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

fn enum_text(number: u64, names: &[&str]) -> String {
    let named = usize::try_from(number)
        .ok()
        .and_then(|number| names.get(number));
    named.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

fn txn_text(txn: &TxnRequest<'_>) -> String {
    let compares: Vec<String> = txn.compare.iter().map(compare_text).collect();
    let branch = |ops: &[RequestOp<'_>]| {
        let ops: Vec<String> = ops.iter().map(op_text).collect();
        ops.join("; ")
    };
    let mut text = "txn".to_owned();
    if !compares.is_empty() {
        text.push_str(" if ");
        text.push_str(&compares.join(" and "));
        text.push_str(" then");
    }
    for (word, ops) in [("", branch(&txn.success)), (" else", branch(&txn.failure))] {
        if !ops.is_empty() {
            text.push_str(word);
            text.push(' ');
            text.push_str(&ops);
        }
    }
    text
}

fn op_text(op: &RequestOp<'_>) -> String {
    match &op.operation {
        Some(Operation::Put(put)) => put_text(put),
        Some(Operation::DeleteRange(delete)) => {
            format!("delete {}", range_text(delete.key, delete.range_end))
        }
        Some(Operation::Range(range)) => {
            format!("get {}", range_text(range.key, range.range_end))
        }
        // As deep as the message, which has a limit.
        Some(Operation::Txn(txn)) => format!("({})", txn_text(txn)),
        None => "nothing".to_owned(),
    }
}

fn compare_text(compare: &Compare<'_>) -> String {
    let sign = match compare.result {
        CompareResult::EQUAL => "=",
        CompareResult::GREATER => ">",
        CompareResult::LESS => "<",
        _ => "!=",
    };
    let target = enum_text(compare.target.0, CompareTarget::NAMES).to_lowercase();
    let than = match compare.target {
        CompareTarget::VERSION => compare.version().to_string(),
        CompareTarget::CREATE => compare.create_revision().to_string(),
        CompareTarget::MOD => compare.mod_revision().to_string(),
        CompareTarget::VALUE => format!("({})", plural(compare.value().len(), "byte", "bytes")),
        _ => format!("{:016x}", compare.lease()),
    };
    let range = range_text(compare.key, compare.range_end);
    format!("{target}({range}) {sign} {than}")
}

/// The fields of a message, without values of keys and without secrets.
fn fields_text(message: &dyn Message<'_>, mask: &mut Mask<'_>) -> String {
    let mut parts = Vec::new();
    for field in message.fields() {
        for value in &field.values {
            let text = match value {
                Value::Uint(number) if matches!(field.name, "member_ID" | "memberID") => {
                    format!("{number:x}")
                }
                Value::Bytes(bytes) => bytes_text(&field, bytes, mask),
                Value::Message(inner) => format!("({})", fields_text(*inner, mask)),
                number => number_json(number).to_string(),
            };
            parts.push(format!("{}={text}", field.name));
        }
    }
    parts.join(" ")
}

fn bytes_text(field: &Field<'_, '_>, bytes: &[u8], mask: &mut Mask<'_>) -> String {
    let masked = (field.is_secret && !bytes.is_empty())
        .then(|| mask(bytes))
        .flatten();
    masked.unwrap_or_else(|| key_text(bytes).into_owned())
}

/// A number, a boolean or the name in an enum; null for anything else.
fn number_json(value: &Value<'_, '_>) -> Json {
    match value {
        Value::Bool(is_set) => (*is_set).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Enum(number, names) => {
            let named = usize::try_from(*number)
                .ok()
                .and_then(|number| names.get(number));
            named.map_or_else(|| (*number).into(), |name| Json::from(*name))
        }
        Value::Bytes(_) | Value::Message(_) => Json::Null,
    }
}

/// The bits of a number that is an id: ids are texts in hex.
fn id_of(message: &str, field: &str, value: &Value<'_, '_>) -> Option<u64> {
    let is_lease = field == "lease" || (field == "ID" && message.starts_with("Lease"));
    let is_member = matches!(field, "member_ID" | "memberID" | "node_id");
    let is_request = field == "ID" && message == "RequestHeader";
    let bits = match value {
        Value::Int(number) => number.cast_unsigned(),
        Value::Uint(number) => *number,
        _ => return None,
    };
    (is_lease || is_member || is_request).then_some(bits)
}

/// A request as JSON: the message as it is declared, with its field names. Values of keys are their lengths, and
/// what `values` adds. `values` gets whether the value is that of a put.
pub fn request_json(
    request: &Request<'_>,
    mask: &mut Mask<'_>,
    values: &mut dyn FnMut(bool, &mut Map<String, Json>),
) -> Json {
    match body(request) {
        Some(message) => message_json(message, mask, values),
        None => Json::Null,
    }
}

fn message_json(
    message: &dyn Message<'_>,
    mask: &mut Mask<'_>,
    values: &mut dyn FnMut(bool, &mut Map<String, Json>),
) -> Json {
    let mut fields = Map::new();
    for field in message.fields() {
        let mut list = Vec::new();
        for value in &field.values {
            match value {
                Value::Bytes(bytes) if field.name == "value" => {
                    fields.insert("value_size".to_owned(), bytes.len().into());
                    values(message.name() == "PutRequest", &mut fields);
                }
                Value::Bytes(bytes) if field.label == Label::Repeated => {
                    list.push(String::from_utf8_lossy(bytes).into());
                }
                Value::Bytes(bytes) => match field.is_secret.then(|| mask(bytes)).flatten() {
                    Some(masked) => drop(fields.insert(field.name.to_owned(), masked.into())),
                    None => insert_text(&mut fields, field.name, bytes),
                },
                Value::Message(inner) => list.push(message_json(*inner, mask, values)),
                number => list.push(match id_of(message.name(), field.name, number) {
                    Some(bits) => json!(format!("{bits:016x}")),
                    None => number_json(number),
                }),
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
