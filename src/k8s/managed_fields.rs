//! Who wrote an object, by its managedFields. k8s-openapi has their types.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use crate::fast_map::FastMap;

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// A manager that wrote an object, and the time by the API server's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The name of the manager, for example `kubectl-client-side-apply`.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// `status`, `scale`, or empty.
    pub subresource: String,
    /// RFC 3339 in UTC, whole seconds; empty if the version has no new time for this manager.
    pub time: String,
}

/// The metadata of an object; None if it does not have the form of the API.
pub fn object_meta(tree: &Value) -> Option<ObjectMeta> {
    serde_json::from_value(tree.get("metadata")?.clone()).ok()
}

/// The managers that wrote the version `new` after the version `old`: those whose managedFields entry is new, has
/// another time, or owns more fields than before. An entry that only lost fields does not count: another manager took
/// the ownership of these fields. For the first version `old` is None, and all entries count.
pub fn writers(old: Option<&ObjectMeta>, new: &ObjectMeta) -> Vec<Writer> {
    let before = Entries::new(old);
    let entries = new.managed_fields.as_deref().unwrap_or_default();
    let wrote = entries.iter().filter_map(|entry| before.writer(entry));
    wrote.collect()
}

/// The managedFields entries of an object, indexed by manager. The number of entries is limited only by the object's
/// size, so a search per entry would take quadratic time.
#[derive(Debug, Default)]
pub struct Entries<'m>(FastMap<Identity<'m>, &'m ManagedFieldsEntry>);

/// Manager, operation, subresource and apiVersion: entries that agree in all four belong to the same writer.
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
    /// The entries of a version; empty for None.
    #[must_use]
    pub fn new(meta: Option<&'m ObjectMeta>) -> Self {
        let entries = meta.and_then(|meta| meta.managed_fields.as_deref());
        // Of two entries of one writer the first counts, so it is inserted last.
        let entries = entries.unwrap_or_default().iter().rev();
        Self(entries.map(|entry| (identity(entry), entry)).collect())
    }

    /// The writer behind an entry of the next version, or None if the entry wrote nothing; see [`writers`].
    #[must_use]
    pub fn writer(&self, entry: &ManagedFieldsEntry) -> Option<Writer> {
        let known = self.0.get(&identity(entry));
        let has_new_time = known.is_none_or(|known| known.time != entry.time);
        let wrote = has_new_time || known.is_none_or(|known| owns_more(entry, known));
        wrote.then(|| Writer::new(entry, has_new_time))
    }
}

fn owns_more(entry: &ManagedFieldsEntry, known: &ManagedFieldsEntry) -> bool {
    match (&entry.fields_v1, &known.fields_v1) {
        (Some(entry), Some(known)) => has_more(&entry.0, &known.0, 0),
        (entry, known) => entry.is_some() && known.is_none(),
    }
}

/// The depth to which field sets are compared. A field set is nested as deeply as its object; what is deeper than this
/// is hostile input and counts as equal.
const MAX_FIELD_DEPTH: usize = 128;

/// Whether a field set has a path that the other one does not have.
pub(super) fn has_more(set: &Value, other: &Value, depth: usize) -> bool {
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
    fn new(entry: &ManagedFieldsEntry, has_new_time: bool) -> Self {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let time = entry.time.as_ref().filter(|_| has_new_time);
        Self {
            manager: text(&entry.manager),
            operation: text(&entry.operation),
            subresource: text(&entry.subresource),
            time: time.map(|time| time.0.to_string()).unwrap_or_default(),
        }
    }
}

/// The time at which the API server wrote a version, as RFC 3339, if the object has it: the creation time for the first
/// version, else the newest time of its writers.
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
    fn a_manager_that_only_lost_a_field_wrote_nothing() {
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
            "dave's time is that of an earlier version"
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

    /// Compares with a naive search: each entry of `new` with the first entry of the same writer in `old`.
    #[test]
    fn the_index_finds_the_same_writers_as_a_naive_search() {
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
    fn thirty_thousand_writers_are_compared_without_quadratic_cost() {
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
