//! The four texts of `etcdutl snapshot status` of etcd 3.5 and 3.6 (`etcdutl/etcdutl/printer_*.go`).
//!
//! The releases count keys differently: 3.5 counts the elements of all buckets, 3.6 the live keys. 3.5 prints no version.

use crate::etcd::status::SnapshotStatus;

use super::human;
use super::pad::{self, ColumnWidth};

/// The release whose text is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// 3.5 and earlier.
    V3_5,
    /// 3.6 and later.
    V3_6,
}

/// The total of keys, as a release counts it.
#[must_use]
pub fn total_key(status: &SnapshotStatus, style: Style) -> u64 {
    match style {
        Style::V3_5 => status.elements,
        Style::V3_6 => status.total_key,
    }
}

/// The version of the schema, which 3.5 does not print.
fn version(status: &SnapshotStatus, style: Style) -> Option<&str> {
    (style == Style::V3_6).then_some(status.version.as_str())
}

/// `-w simple`.
#[must_use]
pub fn simple(status: &SnapshotStatus, style: Style) -> String {
    let version = version(status, style).map_or_else(String::new, |text| format!(", {text}"));
    format!(
        "{:x}, {}, {}, {}{version}\n",
        status.hash,
        status.revision,
        total_key(status, style),
        human::bytes(status.total_size)
    )
}

/// `-w json`.
#[must_use]
pub fn json(status: &SnapshotStatus, style: Style) -> String {
    let version = version(status, style).map_or_else(String::new, |text| {
        format!(",\"version\":{}", serde_json::Value::from(text))
    });
    format!(
        "{{\"hash\":{},\"revision\":{},\"totalKey\":{},\"totalSize\":{}{version}}}\n",
        status.hash,
        status.revision,
        total_key(status, style),
        status.total_size
    )
}

/// `-w fields`.
#[must_use]
pub fn fields(status: &SnapshotStatus, style: Style) -> String {
    let version =
        version(status, style).map_or_else(String::new, |text| format!("\"Version\" : {text}\n"));
    format!(
        "\"Hash\" : {}\n\"Revision\" : {}\n\"Keys\" : {}\n\"Size\" : {}\n{version}",
        status.hash,
        status.revision,
        total_key(status, style),
        status.total_size
    )
}

/// `-w table`.
#[must_use]
pub fn table(status: &SnapshotStatus, style: Style) -> String {
    let mut cells = vec![
        ("HASH", format!("{:x}", status.hash)),
        ("REVISION", status.revision.to_string()),
        ("TOTAL KEYS", total_key(status, style).to_string()),
        ("TOTAL SIZE", human::bytes(status.total_size)),
    ];
    cells.extend(version(status, style).map(|text| ("VERSION", text.to_owned())));
    let cells: Vec<_> = cells
        .into_iter()
        .map(|(name, cell)| {
            let width = ColumnWidth::of([name, &cell]);
            (name, cell, width)
        })
        .collect();
    let mut rule = String::new();
    let mut heads = String::new();
    let mut row = String::new();
    for (name, cell, width) in cells {
        rule.push_str(&format!("+{}", "-".repeat(width.get().saturating_add(2))));
        heads.push_str(&format!("| {} ", pad::center(name, width)));
        // The hash and the version have letters, but etcdutl aligns them like numbers.
        row.push_str(&format!("| {} ", pad::right(&cell, width)));
    }
    format!("{rule}+\n{heads}|\n{rule}+\n{row}|\n{rule}+\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_any_length_fits_into_the_table() {
        let long = "v".repeat(100_000);
        let status = SnapshotStatus {
            hash: 1,
            revision: 2,
            total_key: 3,
            elements: 3,
            total_size: 4096,
            version: long.clone(),
        };
        let table = table(&status, Style::V3_6);
        assert_eq!(table.lines().count(), 5);
        assert_eq!(table.matches(&long).count(), 1);
        assert!(table.len() < 101_000, "{} bytes", table.len());
    }
}
