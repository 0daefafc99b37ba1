//! One stored object as a tree of JSON values, for the verbs that inspect single fields.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::decode::{DecodeError, Note, Options, decode_any, raw};
pub use super::secret_key::is_secret_key;
use super::sink::Order;
use super::tree::TreeSink;

/// Decodes a stored value into a tree: an object as a map, a text as a string, other bytes as base64.
///
/// # Errors
/// The value starts with the Kubernetes magic bytes but cannot be decoded, or it is encrypted.
pub fn tree_of(stored: &[u8]) -> Result<(Value, Vec<Note>), DecodeError> {
    tree_with(stored, Order::Declared)
}

/// Like [`tree_of`], with decoding options: the order of fields, or the object as the API server would serve it.
///
/// # Errors
/// The same as for [`tree_of`].
pub fn tree_with(
    stored: &[u8],
    options: impl Into<Options>,
) -> Result<(Value, Vec<Note>), DecodeError> {
    into_tree(stored, options.into(), TreeSink::new())
}

/// The same without the lists of fields in managedFields, which are a large part of most objects: each `fieldsV1` is
/// `null`.
///
/// # Errors
/// The same as for [`tree_of`].
pub fn tree_without_field_lists(
    stored: &[u8],
    options: impl Into<Options>,
) -> Result<(Value, Vec<Note>), DecodeError> {
    into_tree(stored, options.into(), TreeSink::without("fieldsV1"))
}

fn into_tree(
    stored: &[u8],
    options: Options,
    mut sink: TreeSink,
) -> Result<(Value, Vec<Note>), DecodeError> {
    let notes = decode_any(stored, options, &mut sink)?.notes;
    Ok((sink.into_value(), notes))
}

/// A stored value as one string, without decoding: UTF-8 as it is, other bytes as base64.
pub fn as_text(stored: &[u8]) -> Value {
    let mut sink = TreeSink::new();
    raw(stored, &mut sink);
    sink.into_value()
}

/// Whether a tree is a Kubernetes object: a map whose `apiVersion` and `kind` are strings.
pub fn is_object(tree: &Value) -> bool {
    let has_text = |name| tree.get(name).is_some_and(Value::is_string);
    has_text("apiVersion") && has_text("kind")
}

/// The string at a path of map keys, or an empty string.
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

/// The entries of `metadata.ownerReferences`.
pub fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    let owners = object.pointer("/metadata/ownerReferences");
    owners.and_then(Value::as_array).into_iter().flatten()
}

/// Changes an object to the form that kubectl shows: sets `metadata.resourceVersion` to the mod_revision (a stored
/// value does not contain it) and removes managedFields unless `managed_fields` is true.
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

/// Inserts a text under `name`, or base64 under `name_base64` if the bytes are not UTF-8.
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
