//! Events of Kubernetes as JSON rows.

use serde_json::{Map, Value, json};

use crate::k8s::columns::EventFacts;

use super::record::insert_text;

/// The row of an Event under its key; the fields that it does not have are absent.
#[must_use]
pub fn json(key: &[u8], event: &Value) -> Value {
    let facts = EventFacts::read(event);
    let mut row = Map::new();
    insert_text(&mut row, "key", key);
    let mut insert = |name: &str, text: &str| {
        if !text.is_empty() {
            row.insert(name.to_owned(), text.into());
        }
    };
    insert("last_seen", facts.last_seen.unwrap_or_default());
    insert("first_seen", facts.first_seen.unwrap_or_default());
    insert("type", facts.event_type);
    insert("reason", facts.reason);
    insert("object_kind", facts.of_object("kind"));
    insert("object_namespace", facts.of_object("namespace"));
    insert("object_name", facts.of_object("name"));
    insert("message", facts.message);
    row.insert("count".to_owned(), json!(facts.count));
    Value::Object(row)
}
