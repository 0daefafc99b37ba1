//! `ls --kinds` and `ls --namespaces`: how many keys there are of what, as a table, as names, as JSON.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::query::bucket_dump::BucketEntry;
use crate::query::tally::{Named, Row};

use super::record::{insert_text, key_text};
use super::rows::Rows;
use super::table::cell;

fn text(named: &Named) -> String {
    match named {
        Named::Resource { name, .. } => name.clone(),
        Named::Folder(folder) if folder.is_empty() => "(no folder)".to_owned(),
        Named::Folder(name) | Named::Namespace { name, .. } => key_text(name).into_owned(),
    }
}

fn kind(named: &Named) -> String {
    match named {
        Named::Resource { kind, .. } => kind.clone(),
        Named::Folder(_) | Named::Namespace { .. } => "-".to_owned(),
    }
}

/// The table of resources; of prefixes, if no key is of a resource.
pub fn resources(rows: &[Row]) -> Rows {
    if rows.iter().all(|row| matches!(row.named, Named::Folder(_))) {
        return named_rows("PREFIX", rows);
    }
    let mut table =
        Rows::new(&["RESOURCE", "KIND", "KEYS", "VALUE BYTES"], &[2, 3]).drop_first(&[1, 3]);
    for row in rows {
        table.add(&[
            text(&row.named),
            kind(&row.named),
            row.keys.to_string(),
            row.value_bytes.to_string(),
        ]);
    }
    table
}

/// The table of namespaces.
pub fn namespaces(rows: &[Row]) -> Rows {
    let cluster = |row: &Row| match &row.named {
        Named::Namespace { cluster, .. } => cluster.as_deref().map(key_text).map(Cow::into_owned),
        _ => None,
    };
    if rows.iter().all(|row| cluster(row).is_none()) {
        return named_rows("NAMESPACE", rows);
    }
    let mut table = Rows::new(&["CLUSTER", "NAMESPACE", "KEYS", "VALUE BYTES"], &[2, 3]);
    for row in rows {
        table.add(&[
            cluster(row).unwrap_or_else(|| "-".to_owned()),
            text(&row.named),
            row.keys.to_string(),
            row.value_bytes.to_string(),
        ]);
    }
    table
}

fn named_rows(head: &'static str, rows: &[Row]) -> Rows {
    let mut table = Rows::new(&[head, "KEYS", "VALUE BYTES"], &[1, 2]).drop_first(&[2]);
    for row in rows {
        table.add(&[
            text(&row.named),
            row.keys.to_string(),
            row.value_bytes.to_string(),
        ]);
    }
    table
}

/// The names alone, one a line; once, if several logical clusters have it.
pub fn names(rows: &[Row]) -> String {
    let mut seen = BTreeSet::new();
    rows.iter()
        .map(|row| text(&row.named))
        .filter(|name| seen.insert(name.clone()))
        .map(|name| cell(&name) + "\n")
        .collect()
}

/// A row of the machine formats.
pub fn json(row: &Row) -> Value {
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
        Named::Namespace { cluster, name } => {
            if let Some(cluster) = cluster {
                insert_text(&mut fields, "cluster", cluster);
            }
            insert_text(&mut fields, "namespace", name);
        }
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

/// A key of any bucket as JSON.
#[must_use]
pub fn bucket_entry_json(entry: &BucketEntry<'_>) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "key", entry.key);
    fields.insert("bucket".to_owned(), entry.value_bytes.is_none().into());
    if let Some(bytes) = entry.value_bytes {
        fields.insert("value_size".to_owned(), bytes.into());
    }
    Value::Object(fields)
}
