//! The four texts of `etcdutl snapshot status` of etcd 3.6 (`etcdutl/etcdutl/printer_*.go`).

use crate::etcd::status::SnapshotStatus;

use super::human;
use super::pad::{self, ColumnWidth};

/// `-w simple`.
pub fn simple(status: &SnapshotStatus) -> String {
    let SnapshotStatus {
        hash,
        revision,
        total_key,
        total_size,
        version,
    } = status;
    format!(
        "{hash:x}, {revision}, {total_key}, {}, {version}\n",
        human::bytes(*total_size)
    )
}

/// `-w json`.
pub fn json(status: &SnapshotStatus) -> String {
    let SnapshotStatus {
        hash,
        revision,
        total_key,
        total_size,
        version,
    } = status;
    let version = serde_json::Value::from(version.as_str());
    format!(
        "{{\"hash\":{hash},\"revision\":{revision},\"totalKey\":{total_key},\"totalSize\":{total_size},\"version\":{version}}}\n"
    )
}

/// `-w fields`.
pub fn fields(status: &SnapshotStatus) -> String {
    let SnapshotStatus {
        hash,
        revision,
        total_key,
        total_size,
        version,
    } = status;
    format!(
        "\"Hash\" : {hash}\n\"Revision\" : {revision}\n\"Keys\" : {total_key}\n\"Size\" : {total_size}\n\"Version\" : {version}\n"
    )
}

/// `-w table`.
pub fn table(status: &SnapshotStatus) -> String {
    let SnapshotStatus {
        hash,
        revision,
        total_key,
        total_size,
        version,
    } = status;
    let cells = [
        ("HASH", format!("{hash:x}")),
        ("REVISION", revision.to_string()),
        ("TOTAL KEYS", total_key.to_string()),
        ("TOTAL SIZE", human::bytes(*total_size)),
        ("VERSION", version.clone()),
    ];
    let widths = cells
        .each_ref()
        .map(|(name, cell)| ColumnWidth::of([*name, cell]));
    let rule: String = widths
        .iter()
        .map(|width| format!("+{}", "-".repeat(width.get().saturating_add(2))))
        .collect();
    let mut heads = String::new();
    let mut row = String::new();
    for ((name, cell), width) in cells.iter().zip(widths) {
        heads.push_str(&format!("| {} ", pad::center(name, width)));
        // The hash and the version hold letters: they are set like numbers all the same.
        row.push_str(&format!("| {} ", pad::right(cell, width)));
    }
    format!("{rule}+\n{heads}|\n{rule}+\n{row}|\n{rule}+\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_any_length_fits_into_the_table() {
        let long = "v".repeat(100_000);
        let table = table(&SnapshotStatus {
            hash: 1,
            revision: 2,
            total_key: 3,
            total_size: 4096,
            version: long.clone(),
        });
        assert_eq!(table.lines().count(), 5);
        assert_eq!(table.matches(&long).count(), 1);
        assert!(table.len() < 101_000, "{} bytes", table.len());
    }
}
