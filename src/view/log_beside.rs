//! The write-ahead log next to a database, as far as the database lacks its entries.

use serde_json::{Map, Value};

use crate::query::log_beside::LogBeside;

/// How far the log goes: `entry 16 (revision 18)`.
pub(super) fn end(log: &LogBeside) -> String {
    let revision = log
        .revision
        .map_or_else(String::new, |revision| format!(" (revision {revision})"));
    format!("entry {}{revision}", log.until)
}

/// The log as JSON.
pub(super) fn json(log: &LogBeside) -> Value {
    let mut fields = Map::new();
    fields.insert("entries".to_owned(), log.entries.into());
    fields.insert("last_index".to_owned(), log.until.into());
    if let Some(revision) = log.revision {
        fields.insert("last_revision".to_owned(), revision.into());
    }
    Value::Object(fields)
}
