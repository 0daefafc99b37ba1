//! Distinguishes fields that a client wrote from fields that the server filled in.
//!
//! The server assigns the addresses of a service after it has recorded the managers of all fields. So if a field is in
//! `managedFields`, or in the manifest that `kubectl apply` stored, then a client wrote it.

use serde_json::Value;

use super::super::controlled::LAST_APPLIED;
use super::super::object::text;

/// The fields of an object that a client wrote.
#[derive(Debug, Default)]
pub struct AuthoredFields {
    /// The field sets of the managers, without those of the status.
    managed: Vec<Value>,
    /// The manifest that `kubectl apply` applied last.
    applied: Option<Value>,
}

impl AuthoredFields {
    /// Reads them from a stored object.
    pub fn from_object(object: &Value) -> Self {
        let entries = object.pointer("/metadata/managedFields");
        let entries = entries.and_then(Value::as_array).into_iter().flatten();
        let is_main_resource = |entry: &&Value| text(entry, &["subresource"]).is_empty();
        let fields = |entry: &Value| entry.get("fieldsV1").cloned();
        let applied = text(object, &["metadata", "annotations", LAST_APPLIED]);
        Self {
            managed: entries
                .filter(is_main_resource)
                .filter_map(fields)
                .collect(),
            applied: serde_json::from_str(applied).ok(),
        }
    }

    /// Whether a client wrote this field of `spec`.
    pub fn has(&self, field: &str) -> bool {
        let managed = format!("/f:spec/f:{field}");
        let applied = self.applied.as_ref().and_then(|applied| {
            let value = applied.get("spec")?.get(field)?;
            // An empty text means that the server should assign an address.
            (!value.is_null() && value != "").then_some(())
        });
        applied.is_some()
            || self
                .managed
                .iter()
                .any(|set| set.pointer(&managed).is_some())
    }
}
