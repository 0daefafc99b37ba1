//! An etcd record and its key as JSON, by the output contract: what is not UTF-8 appears as base64
//! in a sibling field with the suffix `_base64`, never lossy.

use serde_json::{Map, Value, json};

use crate::etcd::record::Origin;
use crate::etcd::{Event, EventType, PlacedRecord, Record};

pub use crate::k8s::object::insert_text;
pub use crate::named::key_text;

fn insert_lease(into: &mut Map<String, Value>, lease: i64) {
    if lease != 0 {
        into.insert("lease".to_owned(), format!("{lease:016x}").into());
    }
}

/// One live key, as `ls -o jsonl` has it.
pub fn key_json(key: &[u8], newest: &PlacedRecord<'_>) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "key", key);
    fields.insert("create_revision".to_owned(), newest.create_revision.into());
    fields.insert("mod_revision".to_owned(), newest.mod_revision.into());
    fields.insert("version".to_owned(), newest.version.into());
    insert_lease(&mut fields, newest.lease());
    fields.insert("value_size".to_owned(), newest.value_bytes.into());
    // In an intact store every key would have the same origin.
    if newest.origin() != Origin::Live {
        fields.insert("origin".to_owned(), newest.origin().as_str().into());
    }
    Value::Object(fields)
}

/// A record with its value, for what is no Kubernetes object.
pub fn record_json(record: &Record<'_>) -> Value {
    let mut value = key_json(record.key, &PlacedRecord::from(*record));
    if let Some(fields) = value.as_object_mut() {
        insert_text(fields, "value", record.value);
    }
    value
}

/// One event, as `log -o jsonl` has it, without its time. `managers` are those that wrote it.
pub fn event_json(event: &Event<'_>, managers: &[String]) -> Value {
    let record = &event.record;
    let mut fields = Map::new();
    fields.insert("main".to_owned(), record.revision.main.into());
    fields.insert("sub".to_owned(), record.revision.sub.into());
    fields.insert("type".to_owned(), event.event_type.as_str().into());
    insert_text(&mut fields, "key", record.key);
    if event.event_type != EventType::Delete {
        fields.insert("create_revision".to_owned(), record.create_revision.into());
        fields.insert("mod_revision".to_owned(), record.mod_revision.into());
        fields.insert("version".to_owned(), record.version.into());
        insert_lease(&mut fields, record.lease);
        fields.insert("value_size".to_owned(), record.value.len().into());
    }
    if let Some(previous) = event.previous {
        fields.insert("prev_mod_revision".to_owned(), previous.mod_revision.into());
        fields.insert("prev_version".to_owned(), previous.version.into());
        fields.insert("prev_value_size".to_owned(), previous.value_bytes.into());
    }
    let missing = event.missing_versions();
    // The version of a key's oldest retained event already shows how many versions were compacted.
    if missing > 0 && (event.previous.is_some() || !record.origin.is_of_state()) {
        fields.insert("versions_missing_before".to_owned(), missing.into());
    }
    fields.insert("origin".to_owned(), record.origin.as_str().into());
    if !managers.is_empty() {
        fields.insert("managers".to_owned(), json!(managers));
    }
    Value::Object(fields)
}

/// Where a record was found that the tree does not contain.
pub fn origin_text(record: &Record<'_>) -> Option<String> {
    let origin = record.origin.as_str();
    match (record.origin, record.pgid) {
        (Origin::Live, _) => None,
        (_, Some(pgid)) => Some(format!("{origin}, page {pgid}")),
        (_, None) => Some(format!("{origin}, offset {}", record.offset)),
    }
}
