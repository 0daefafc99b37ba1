//! One stored object as a tree, for the verbs that look into it.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::decode::{DecodeError, Note, Options, decode};
use super::sink::Order;
use super::tree::TreeSink;

/// A stored value as a tree of values: an object as a map, a text as a string.
///
/// # Errors
/// The value is not what its first bytes say, or is encrypted.
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
    let outcome = decode(stored, options, &mut sink)?;
    let notes = outcome.notes;
    Ok((sink.into_value(), notes))
}

/// Whether a tree is a Kubernetes object: it says what it is.
pub fn is_object(tree: &Value) -> bool {
    let says = |name| tree.get(name).is_some_and(Value::is_string);
    says("apiVersion") && says("kind")
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

/// Whether a key is one under which an API server stores Secrets, whatever its prefix. In doubt a
/// value is secret.
pub fn is_secret_key(key: &[u8]) -> bool {
    let is_segment = |segment: &[u8]| segment == b"secrets";
    key.split(|byte| *byte == b'/').any(is_segment) || is_damaged_secret_key(key)
}

/// Whether a key begins as those of Secrets do but for one byte, which is what damage leaves of one.
fn is_damaged_secret_key(key: &[u8]) -> bool {
    let begins = b"/registry/secrets/";
    let Some(start) = key.get(..begins.len()) else {
        return false;
    };
    start.iter().zip(begins).filter(|(a, b)| a != b).count() <= 1
}

/// Puts a text under `name`, or bytes that are none under `name_base64`.
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

    #[test]
    fn a_key_of_secrets_is_known_by_its_segment() {
        assert!(is_secret_key(b"/registry/secrets/shop/db"));
        assert!(is_secret_key(b"/kubernetes.io/secrets/shop/db"));
        // A damaged byte of the key hides nothing of the value.
        assert!(is_secret_key(b"/registry/secrats/shop/db"));
        assert!(is_secret_key(b"/registry?secrets/shop/db"));
        assert!(!is_secret_key(b"/registry/sbcrats/shop/db"));
        assert!(!is_secret_key(
            b"/registry/bitnami.com/sealedsecrets/shop/db"
        ));
        assert!(!is_secret_key(
            b"/registry/configmaps/shop/secrets-of-success"
        ));
    }
}
