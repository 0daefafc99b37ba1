//! One stored object as a tree, for the verbs that look into it.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::decode::{DecodeError, Note, Options, decode_any, raw};
pub use super::secret_key::is_secret_key;
use super::sink::Order;
use super::tree::TreeSink;

/// A stored value as a tree of values: an object as a map, a text as a string, other bytes as base64.
///
/// # Errors
/// The value carries Kubernetes' mark and breaks after it, or is encrypted.
pub fn tree_of(stored: &[u8]) -> Result<(Value, Vec<Note>), DecodeError> {
    tree_with(stored, Order::Declared)
}

/// The same, in an order or as it would be served.
///
/// # Errors
/// As [`tree_of`].
pub fn tree_with(
    stored: &[u8],
    options: impl Into<Options>,
) -> Result<(Value, Vec<Note>), DecodeError> {
    let mut sink = TreeSink::new();
    let outcome = decode_any(stored, options, &mut sink)?;
    let notes = outcome.notes;
    Ok((sink.into_value(), notes))
}

/// A stored value as one text: other bytes as base64.
pub fn as_text(stored: &[u8]) -> Value {
    let mut sink = TreeSink::new();
    raw(stored, &mut sink);
    sink.into_value()
}

/// Whether a tree is a Kubernetes object: it says what it is.
pub fn is_object(tree: &Value) -> bool {
    let says = |name| tree.get(name).is_some_and(Value::is_string);
    says("apiVersion") && says("kind")
}

/// The text at a path of names; empty if there is no text.
pub fn text<'v>(object: &'v Value, path: &[&str]) -> &'v str {
    let found = path.iter().try_fold(object, |value, name| value.get(name));
    found.and_then(Value::as_str).unwrap_or_default()
}

/// The API group of an object; empty for the core group.
pub fn group(object: &Value) -> &str {
    let version = text(object, &["apiVersion"]);
    version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// The version of an object, without its group.
pub fn version(object: &Value) -> &str {
    let version = text(object, &["apiVersion"]);
    version.rsplit('/').next().unwrap_or_default()
}

/// The references of an object to its owners.
pub fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    let owners = object.pointer("/metadata/ownerReferences");
    owners.and_then(Value::as_array).into_iter().flatten()
}

/// The object as kubectl shows it: `metadata.resourceVersion` is the mod_revision, which is not in
/// the stored value, and managedFields are left out unless asked for.
pub fn as_kubectl_shows(tree: &mut Value, mod_revision: i64, managed_fields: bool) {
    let Some(object) = tree.as_object_mut() else {
        return;
    };
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    metadata.insert(
        "resourceVersion".to_owned(),
        Value::String(mod_revision.to_string()),
    );
    if !managed_fields {
        metadata.shift_remove("managedFields");
    }
}

/// Puts a text under `name`; bytes that are not UTF-8 under `name_base64`.
pub fn insert_text(into: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => into.insert(name.to_owned(), text.into()),
        Err(_) => into.insert(
            format!("{name}_base64"),
            base64::engine::general_purpose::STANDARD
                .encode(bytes)
                .into(),
        ),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kubectl_shows_the_mod_revision_and_no_managed_fields() {
        let stored =
            json!({"kind": "Pod", "metadata": {"name": "a", "managedFields": [{}], "uid": "u"}});
        let mut shown = stored.clone();
        as_kubectl_shows(&mut shown, 7, false);
        assert_eq!(
            shown,
            json!({"kind": "Pod", "metadata": {"name": "a", "uid": "u", "resourceVersion": "7"}})
        );
        let mut whole = stored;
        as_kubectl_shows(&mut whole, 7, true);
        assert!(whole["metadata"]["managedFields"].is_array());
    }
}
