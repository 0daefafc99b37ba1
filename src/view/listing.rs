//! `ls --kinds` and `ls --namespaces`: how many keys there are of what, as a table, as names, as JSON.

use serde_json::{Map, Value};

use super::record::{insert_text, key_text};
use super::rows::Rows;
use super::table::cell;

/// What keys are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A resource.
    Resource {
        /// Its plural with its group: `deployments.apps`.
        name: String,
        /// Its kind.
        kind: String,
        /// Whether it is a custom one.
        custom: bool,
    },
    /// The beginning of keys of no known resource, up to a slash; empty for keys without one.
    Folder(Vec<u8>),
    /// A namespace.
    Namespace(Vec<u8>),
}

impl Named {
    fn text(&self) -> String {
        match self {
            Self::Resource { name, .. } => name.clone(),
            Self::Folder(folder) if folder.is_empty() => "(no folder)".to_owned(),
            Self::Folder(name) | Self::Namespace(name) => key_text(name).into_owned(),
        }
    }

    fn kind(&self) -> String {
        match self {
            Self::Resource { kind, .. } => kind.clone(),
            Self::Folder(_) | Self::Namespace(_) => "-".to_owned(),
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What the keys have in common.
    pub named: Named,
    /// How many keys.
    pub keys: u64,
    /// Length of their values, in bytes.
    pub value_bytes: u64,
}

impl Row {
    /// A row without keys so far.
    pub fn of(named: Named) -> Self {
        Self {
            named,
            keys: 0,
            value_bytes: 0,
        }
    }
}

/// The table of resources.
pub fn resources(rows: &[Row]) -> Rows {
    let mut table = Rows::new(&["RESOURCE", "KIND", "KEYS", "VALUE BYTES"], &[2, 3]);
    for row in rows {
        table.add(&[
            row.named.text(),
            row.named.kind(),
            row.keys.to_string(),
            row.value_bytes.to_string(),
        ]);
    }
    table
}

/// The table of namespaces.
pub fn namespaces(rows: &[Row]) -> Rows {
    let mut table = Rows::new(&["NAMESPACE", "KEYS", "VALUE BYTES"], &[1, 2]);
    for row in rows {
        table.add(&[
            row.named.text(),
            row.keys.to_string(),
            row.value_bytes.to_string(),
        ]);
    }
    table
}

/// The names alone, one a line.
pub fn names(rows: &[Row]) -> String {
    rows.iter()
        .map(|row| cell(&row.named.text()) + "\n")
        .collect()
}

/// A JSON object a line.
pub fn jsonl(rows: &[Row]) -> String {
    rows.iter()
        .map(|row| json(row).to_string() + "\n")
        .collect()
}

fn json(row: &Row) -> Value {
    let mut fields = Map::new();
    match &row.named {
        Named::Resource { name, kind, custom } => {
            fields.insert("resource".to_owned(), name.as_str().into());
            fields.insert("kind".to_owned(), kind.as_str().into());
            if *custom {
                fields.insert("custom".to_owned(), true.into());
            }
        }
        Named::Folder(folder) => insert_text(&mut fields, "folder", folder),
        Named::Namespace(name) => insert_text(&mut fields, "namespace", name),
    }
    fields.insert("keys".to_owned(), row.keys.into());
    fields.insert("value_bytes".to_owned(), row.value_bytes.into());
    Value::Object(fields)
}

/// A deleted key whose deletion is retained, as `ls --deleted -o jsonl` has it.
pub fn deleted_json(key: &[u8], deleted_at: i64) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "key", key);
    fields.insert("deleted_at".to_owned(), deleted_at.into());
    Value::Object(fields)
}
