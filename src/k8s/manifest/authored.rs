//! Which fields somebody wrote, and which the server filled in.
//!
//! The server fills in an address of a service after it has recorded who wrote which field. So a field that is in
//! `managedFields`, or in the manifest that `kubectl apply` keeps, was written by somebody.

use serde_json::Value;

use super::super::controlled::LAST_APPLIED;
use super::super::object::text;

/// The fields that somebody wrote.
#[derive(Debug, Default)]
pub struct Authored {
    /// The sets of fields of the managers; the status aside.
    managed: Vec<Value>,
    /// The manifest that was applied last.
    applied: Option<Value>,
}

impl Authored {
    /// Reads them from an object as it was stored.
    pub fn of(object: &Value) -> Self {
        let entries = object.pointer("/metadata/managedFields");
        let entries = entries.and_then(Value::as_array).into_iter().flatten();
        let is_of_spec = |entry: &&Value| text(entry, &["subresource"]).is_empty();
        let fields = |entry: &Value| entry.get("fieldsV1").cloned();
        let applied = text(object, &["metadata", "annotations", LAST_APPLIED]);
        Self {
            managed: entries.filter(is_of_spec).filter_map(fields).collect(),
            applied: serde_json::from_str(applied).ok(),
        }
    }

    /// Whether somebody wrote the field of `spec`.
    pub fn has(&self, field: &str) -> bool {
        let managed = format!("/f:spec/f:{field}");
        let applied = self.applied.as_ref().and_then(|applied| {
            let value = applied.get("spec")?.get(field)?;
            // An empty text asks for an address.
            (!value.is_null() && value != "").then_some(())
        });
        applied.is_some()
            || self
                .managed
                .iter()
                .any(|set| set.pointer(&managed).is_some())
    }
}
