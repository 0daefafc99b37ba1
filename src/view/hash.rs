//! The hashes over all buckets as text.

use serde_json::{Map, Value};

use crate::query::hash::BackendHashes;

use super::rows::Rows;

/// A table of both hashes: decimal as the API and JSON have them, hexadecimal as `etcdutl snapshot status` prints one.
#[must_use]
pub fn table(hashes: &BackendHashes) -> Rows {
    let mut rows = Rows::new(&["NAME", "HASH", "HEX", "COVERS"], &[1]).wrapped();
    let mut add = |name: &str, hash: u32, covers: &str| {
        rows.add(&[name, &hash.to_string(), &format!("{hash:x}"), covers]);
    };
    add("snapshot-status", hashes.everything, "everything");
    add(
        "server",
        hashes.without_per_member,
        "everything except consistent_index, term and storageVersion",
    );
    rows
}

/// Both hashes as JSON.
#[must_use]
pub fn json(hashes: &BackendHashes) -> Value {
    let mut fields = Map::new();
    fields.insert("snapshot_status".to_owned(), hashes.everything.into());
    fields.insert("server".to_owned(), hashes.without_per_member.into());
    if hashes.salvaged > 0 {
        fields.insert("salvaged_records".to_owned(), hashes.salvaged.into());
    }
    Value::Object(fields)
}
