//! Who wrote an object: what its managedFields say, typed by k8s-openapi.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::Value;

/// One who wrote an object, and when, by the API server's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The manager, as `kubectl-client-side-apply`.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// `status`, `scale`, or empty.
    pub subresource: String,
    /// RFC 3339 in UTC, whole seconds; empty where it is not stored.
    pub time: String,
}

/// The metadata of an object. None where it is not as the API has it.
pub fn object_meta(tree: &Value) -> Option<ObjectMeta> {
    serde_json::from_value(tree.get("metadata")?.clone()).ok()
}

/// Those who wrote the version `new`: the entries of its managedFields which `old`, the version before
/// it, has not. Without an older version at hand: all entries for a creation, else the newest by time.
pub fn writers(old: Option<&ObjectMeta>, new: &ObjectMeta, is_creation: bool) -> Vec<Writer> {
    let entries = new.managed_fields.as_deref().unwrap_or_default();
    let newest = entries.iter().filter_map(|entry| entry.time.as_ref()).max();
    let before = old
        .and_then(|old| old.managed_fields.as_deref())
        .unwrap_or_default();
    let wrote = |entry: &&ManagedFieldsEntry| match (old, is_creation) {
        (_, true) => true,
        (Some(_), false) => !before.contains(entry),
        (None, false) => entry.time.is_some() && entry.time.as_ref() == newest,
    };
    entries.iter().filter(wrote).map(Writer::of).collect()
}

impl Writer {
    fn of(entry: &ManagedFieldsEntry) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        Self {
            manager: text(&entry.manager),
            operation: text(&entry.operation),
            subresource: text(&entry.subresource),
            time: entry
                .time
                .as_ref()
                .map(|time| time.0.to_string())
                .unwrap_or_default(),
        }
    }
}

/// The time at which the API server wrote this version, as far as the object says: its creation
/// time for the first version, else the newest time of a writer. RFC 3339; none where nothing tells.
pub fn written_at(meta: &ObjectMeta, writers: &[Writer], is_creation: bool) -> Option<String> {
    let created = meta
        .creation_timestamp
        .as_ref()
        .map(|time| time.0.to_string());
    let newest = writers
        .iter()
        .map(|writer| writer.time.clone())
        .filter(|time| !time.is_empty())
        .max();
    if is_creation {
        created.or(newest)
    } else {
        newest
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn meta(entries: Value) -> ObjectMeta {
        object_meta(&json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": entries}})).unwrap()
    }

    fn entry(manager: &str, time: &str, subresource: &str) -> Value {
        json!({"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time, "subresource": subresource,
               "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}})
    }

    #[test]
    fn the_writers_of_an_update_are_the_entries_that_changed() {
        let old = meta(json!([
            entry("kubectl", "2026-01-01T00:00:00Z", ""),
            entry("kubelet", "2026-01-01T00:00:05Z", "status")
        ]));
        let new = meta(json!([
            entry("kubectl", "2026-01-01T00:00:00Z", ""),
            entry("kubelet", "2026-01-01T00:00:09Z", "status")
        ]));
        let who = writers(Some(&old), &new, false);
        assert_eq!(who.len(), 1);
        assert_eq!(
            (who[0].manager.as_str(), who[0].subresource.as_str()),
            ("kubelet", "status")
        );
        assert_eq!(
            written_at(&new, &who, false).as_deref(),
            Some("2026-01-01T00:00:09Z")
        );
    }

    #[test]
    fn without_the_version_before_it_is_the_newest_entry() {
        let new = meta(json!([
            entry("kubectl", "2026-01-01T00:00:00Z", ""),
            entry("kubelet", "2026-01-01T00:00:09Z", "status")
        ]));
        assert_eq!(writers(None, &new, false).len(), 1);
        assert_eq!(writers(None, &new, true).len(), 2);
        assert_eq!(
            written_at(&new, &writers(None, &new, true), true).as_deref(),
            Some("2026-01-01T00:00:00Z")
        );
    }
}
