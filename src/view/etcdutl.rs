//! The four texts of `etcdutl snapshot status` of etcd 3.5 and 3.6, and of `etcdutl hashkv` of etcd 3.7
//! (`etcdutl/etcdutl/printer_*.go`).
//!
//! The releases count keys differently: 3.5 counts the elements of all buckets, 3.6 the live keys. 3.5 prints no version.

use crate::etcd::status::SnapshotStatus;
use crate::query::hash::HashKv;

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
    let (names, row): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
    ASCII.table(&names, &[row])
}

/// The characters that a table is drawn with.
struct Frame {
    /// The left end, the joint between columns and the right end of the line above the names; then those of the line
    /// below the names, and of the last line.
    top: [&'static str; 3],
    middle: [&'static str; 3],
    bottom: [&'static str; 3],
    /// What these lines are made of.
    fill: &'static str,
    /// What is between cells.
    bar: &'static str,
}

/// The frame of etcdutl 3.6.
const ASCII: Frame = Frame {
    top: ["+", "+", "+"],
    middle: ["+", "+", "+"],
    bottom: ["+", "+", "+"],
    fill: "-",
    bar: "|",
};

/// The frame of etcdutl 3.7.
const BOX: Frame = Frame {
    top: ["\u{250c}", "\u{252c}", "\u{2510}"],
    middle: ["\u{251c}", "\u{253c}", "\u{2524}"],
    bottom: ["\u{2514}", "\u{2534}", "\u{2518}"],
    fill: "\u{2500}",
    bar: "\u{2502}",
};

impl Frame {
    /// A table: the names are centred, the cells are aligned to the right.
    fn table(&self, names: &[&str], rows: &[Vec<String>]) -> String {
        let mut widths: Vec<_> = names.iter().map(|name| ColumnWidth::of([*name])).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                width.fit(pad::width_of(cell));
            }
        }
        let rule = |[first, joint, last]: [&str; 3]| {
            let parts = widths.iter();
            let parts = parts.map(|width| self.fill.repeat(width.get().saturating_add(2)));
            let parts: Vec<_> = parts.collect();
            format!("{first}{}{last}\n", parts.join(joint))
        };
        let line = |cells: Vec<String>| {
            let bar = self.bar;
            format!("{bar} {} {bar}\n", cells.join(&format!(" {bar} ")))
        };
        let cells = |row: &[String]| {
            let cells = row.iter().zip(&widths);
            cells
                .map(|(cell, width)| pad::right(cell, *width).to_string())
                .collect()
        };
        let heads = names.iter().zip(&widths);
        let heads = heads.map(|(name, width)| pad::center(name, *width).to_string());
        let mut table = rule(self.top);
        table.push_str(&line(heads.collect()));
        table.push_str(&rule(self.middle));
        for row in rows {
            // A hash and a version contain letters, but are aligned like numbers.
            table.push_str(&line(cells(row)));
        }
        table.push_str(&rule(self.bottom));
        table
    }
}

/// The compacted revision as etcdutl prints it: -1 if nothing was compacted.
fn compact_revision(hash: &HashKv) -> i64 {
    hash.compact_revision.unwrap_or(-1)
}

/// `hashkv -w simple`.
#[must_use]
pub fn hash_kv_simple(hash: &HashKv) -> String {
    let compacted = compact_revision(hash);
    format!("{}, {}, {compacted}\n", hash.hash, hash.revision)
}

/// `hashkv -w json`.
#[must_use]
pub fn hash_kv_json(hash: &HashKv) -> String {
    let compacted = compact_revision(hash);
    format!(
        "{{\"hash\":{},\"hashRevision\":{},\"compactRevision\":{compacted}}}\n",
        hash.hash, hash.revision
    )
}

/// `hashkv -w fields`.
#[must_use]
pub fn hash_kv_fields(hash: &HashKv) -> String {
    let compacted = compact_revision(hash);
    format!(
        "\"Hash\" : {}\n\"Hash revision\" : {}\n\"Compact revision\" : {compacted}\n",
        hash.hash, hash.revision
    )
}

/// `hashkv -w table`, with a row for each hash.
#[must_use]
pub fn hash_kv_table(hashes: &[HashKv]) -> String {
    let row = |hash: &HashKv| {
        vec![
            hash.hash.to_string(),
            hash.revision.to_string(),
            compact_revision(hash).to_string(),
        ]
    };
    let rows: Vec<_> = hashes.iter().map(row).collect();
    BOX.table(&["HASH", "HASH REVISION", "COMPACT REVISION"], &rows)
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
