//! The keys of a v2 store as text and as JSON.

use serde_json::{Value, json};

use crate::named::key_text;
use crate::query::v2_store::V2Key;

use super::rows::Rows;

/// The path of a key on one line. A directory has a slash at the end.
#[must_use]
pub fn name(key: &V2Key) -> String {
    let slash = if key.value.is_none() { "/" } else { "" };
    format!("{}{slash}", key_text(key.path.as_bytes()))
}

/// The keys with their values, indices and times.
#[must_use]
pub fn table(keys: &[&V2Key]) -> Rows {
    let mut rows = Rows::new(&["KEY", "VALUE", "CREATED", "MODIFIED", "EXPIRES"], &[2, 3])
        .names(&[0])
        .sentences(&[1])
        .drop_first(&[2, 3, 4]);
    for key in keys {
        rows.add(&[
            name(key),
            key.value.clone().unwrap_or_default(),
            key.created_index.to_string(),
            key.modified_index.to_string(),
            key.expires.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    rows
}

/// A key as a JSON object. `value` is the text to print for its value; if it is None, only the size is printed. A
/// directory has no value.
#[must_use]
pub fn json(key: &V2Key, value: Option<&str>) -> Value {
    let mut json = json!({
        "key": key.path,
        "created_index": key.created_index,
        "modified_index": key.modified_index,
    });
    if let Some(fields) = json.as_object_mut() {
        if let Some(expires) = &key.expires {
            fields.insert("expires".to_owned(), expires.clone().into());
        }
        match &key.value {
            None => drop(fields.insert("directory".to_owned(), true.into())),
            Some(stored) => drop(fields.insert("value_size".to_owned(), stored.len().into())),
        }
        if let Some(value) = value {
            fields.insert("value".to_owned(), value.into());
        }
    }
    json
}
