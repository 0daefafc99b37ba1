//! Who wrote an object: what its managedFields say, typed by k8s-openapi.

use std::collections::HashMap;

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
    /// RFC 3339 in UTC, whole seconds; empty where this version brought no new one.
    pub time: String,
}

/// The metadata of an object. None where it is not as the API has it.
pub fn object_meta(tree: &Value) -> Option<ObjectMeta> {
    serde_json::from_value(tree.get("metadata")?.clone()).ok()
}

/// Those who wrote the version `new` over the version `old`: the entries of its managedFields which `old` has
/// not, or which have another time or own more fields than there. An entry that only lost fields lost
/// them to somebody else: its manager wrote nothing. For the first version `old` is none: all entries.
pub fn writers(old: Option<&ObjectMeta>, new: &ObjectMeta) -> Vec<Writer> {
    let before = Entries::of(old);
    let entries = new.managed_fields.as_deref().unwrap_or_default();
    let wrote = entries.iter().filter_map(|entry| before.writer(entry));
    wrote.collect()
}

/// The entries of an object's managedFields, so that each is found at once: an object may have as many as
/// it has bytes for.
#[derive(Debug, Default)]
pub struct Entries<'m>(HashMap<Identity<'m>, &'m ManagedFieldsEntry>);

/// Manager, operation, subresource and apiVersion: what makes two entries one writer.
type Identity<'m> = [Option<&'m str>; 4];

fn identity(entry: &ManagedFieldsEntry) -> Identity<'_> {
    [
        entry.manager.as_deref(),
        entry.operation.as_deref(),
        entry.subresource.as_deref(),
        entry.api_version.as_deref(),
    ]
}

impl<'m> Entries<'m> {
    /// The entries of a version; none of no version.
    #[must_use]
    pub fn of(meta: Option<&'m ObjectMeta>) -> Self {
        let entries = meta.and_then(|meta| meta.managed_fields.as_deref());
        // Of two of one writer the first counts.
        let entries = entries.unwrap_or_default().iter().rev();
        Self(entries.map(|entry| (identity(entry), entry)).collect())
    }

    /// The writer of a later version, by this entry of it; `None` if the entry wrote nothing. See [`writers`].
    #[must_use]
    pub fn writer(&self, entry: &ManagedFieldsEntry) -> Option<Writer> {
        let known = self.0.get(&identity(entry));
        let newly_timed = known.is_none_or(|known| known.time != entry.time);
        let wrote = newly_timed || known.is_none_or(|known| owns_more(entry, known));
        wrote.then(|| Writer::of(entry, newly_timed))
    }
}

fn owns_more(entry: &ManagedFieldsEntry, known: &ManagedFieldsEntry) -> bool {
    match (&entry.fields_v1, &known.fields_v1) {
        (Some(entry), Some(known)) => has_more(&entry.0, &known.0, 0),
        (entry, known) => entry.is_some() && known.is_none(),
    }
}

/// A field set is nested as the object is; deeper than this is hostile, and taken as the same.
const MAX_FIELD_DEPTH: usize = 128;

/// Whether a field set has a path which the other has not.
fn has_more(set: &Value, other: &Value, depth: usize) -> bool {
    let Some(members) = set.as_object() else {
        return false;
    };
    depth < MAX_FIELD_DEPTH
        && members.iter().any(|(name, below)| {
            other
                .get(name)
                .is_none_or(|known| has_more(below, known, depth.saturating_add(1)))
        })
}

impl Writer {
    fn of(entry: &ManagedFieldsEntry, newly_timed: bool) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let time = entry.time.as_ref().filter(|_| newly_timed);
        Self {
            manager: text(&entry.manager),
            operation: text(&entry.operation),
            subresource: text(&entry.subresource),
            time: time.map(|time| time.0.to_string()).unwrap_or_default(),
        }
    }
}

/// The time at which the API server wrote this version, as far as the object says: its creation
/// time for the first version, else the newest time that a writer got with it. RFC 3339.
pub fn written_at(meta: &ObjectMeta, writers: &[Writer], is_creation: bool) -> Option<String> {
    if is_creation && let Some(created) = &meta.creation_timestamp {
        return Some(created.0.to_string());
    }
    writers
        .iter()
        .map(|writer| writer.time.clone())
        .filter(|time| !time.is_empty())
        .max()
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
        let who = writers(Some(&old), &new);
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
    fn who_only_lost_a_field_wrote_nothing() {
        let owning = |fields: Value| {
            json!({"manager": "dave", "operation": "Update", "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
        };
        let scale = json!({"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "subresource": "scale",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        let old = meta(json!([owning(
            json!({"f:spec": {"f:replicas": {}, "f:paused": {}}})
        )]));
        let new = meta(json!([owning(json!({"f:spec": {"f:paused": {}}})), scale]));
        let who = writers(Some(&old), &new);
        assert_eq!(
            who.iter()
                .map(|writer| writer.manager.as_str())
                .collect::<Vec<_>>(),
            ["kubectl"]
        );
        assert_eq!(written_at(&new, &who, false), None, "its entry has no time");
        let back = writers(Some(&new), &old);
        assert_eq!(back.len(), 1, "dave owns a field more than before");
        assert_eq!(
            written_at(&old, &back, false),
            None,
            "his time is that of an earlier version"
        );
    }

    #[test]
    fn all_entries_wrote_the_first_version() {
        let new = meta(json!([
            entry("kubectl", "2026-01-01T00:00:00Z", ""),
            entry("kubelet", "2026-01-01T00:00:09Z", "status")
        ]));
        let who = writers(None, &new);
        assert_eq!(who.len(), 2);
        assert_eq!(
            written_at(&new, &who, true).as_deref(),
            Some("2026-01-01T00:00:00Z")
        );
    }

    /// The entry of each writer of `new` is compared with the first entry of the same writer in `old`.
    #[test]
    fn writers_are_those_that_a_search_for_each_entry_finds() {
        let mut seed = 1_u32;
        let mut below = |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % n
        };
        let mut found = 0;
        for _ in 0..300 {
            let mut entries = || -> Value {
                let count = below(6);
                let one = |_| {
                    let manager = format!("m{}", below(3));
                    let time = format!("2026-01-01T00:00:0{}Z", below(2));
                    let subresource = ["", "status"][usize::from(below(2) == 0)];
                    entry(&manager, &time, subresource)
                };
                (0..count).map(one).collect()
            };
            let (old, new) = (meta(entries()), meta(entries()));
            let same = |a: &ManagedFieldsEntry, b: &ManagedFieldsEntry| {
                (&a.manager, &a.subresource) == (&b.manager, &b.subresource)
            };
            let naive = new.managed_fields.iter().flatten().filter(|entry| {
                let mut old = old.managed_fields.iter().flatten();
                let known = old.find(|known| same(known, entry));
                known.is_none_or(|known| known.time != entry.time)
            });
            let naive: Vec<_> = naive.map(|entry| entry.manager.clone().unwrap()).collect();
            let ours = writers(Some(&old), &new);
            let ours: Vec<_> = ours.into_iter().map(|writer| writer.manager).collect();
            found += ours.len();
            assert_eq!(ours, naive);
        }
        assert!(found > 100, "{found}");
    }

    #[test]
    fn as_many_writers_as_an_object_has_room_for_are_found_at_once() {
        let count = 30_000;
        let entries = |time: &str| -> Value {
            (0..count)
                .map(|n| entry(&format!("m{n}"), time, ""))
                .collect()
        };
        let (old, new) = (
            meta(entries("2026-01-01T00:00:00Z")),
            meta(entries("2026-01-01T00:00:01Z")),
        );
        assert_eq!(writers(Some(&old), &new).len(), count);
        assert_eq!(writers(Some(&new), &new).len(), 0);
    }
}
