//! Events of Kubernetes as JSON rows.

use serde_json::{Map, Value, json};

use crate::k8s::columns::EventFacts;

/// The row of an Event; the fields that it does not have are absent.
#[must_use]
pub fn json(event: &Value) -> Value {
    let facts = EventFacts::read(event);
    let mut row = Map::new();
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
