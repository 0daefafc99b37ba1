//! The four texts of `etcdutl snapshot status` of etcd 3.6, and of `etcdutl hashkv` of etcd 3.7
//! (`etcdutl/etcdutl/printer_*.go`).

use crate::etcd::status::SnapshotStatus;
use crate::query::hash::HashKv;

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
    ASCII.table(
        &cells.each_ref().map(|(name, _)| *name),
        &[cells.map(|(_, cell)| cell)],
    )
}

/// What a table is drawn with: the ends, the fill and the joint of each of its three rules, and the bar between cells.
struct Frame {
    top: [&'static str; 3],
    middle: [&'static str; 3],
    bottom: [&'static str; 3],
    fill: &'static str,
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
    /// A table: the names are centred, the cells are on the right.
    fn table<const COLUMNS: usize>(
        &self,
        names: &[&str; COLUMNS],
        rows: &[[String; COLUMNS]],
    ) -> String {
        let mut widths = names.map(|name| ColumnWidth::of([name]));
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                width.fit(pad::width_of(cell));
            }
        }
        let rule = |[first, joint, last]: [&str; 3]| {
            let parts = widths.map(|width| self.fill.repeat(width.get().saturating_add(2)));
            format!("{first}{}{last}\n", parts.join(joint))
        };
        let line = |cells: Vec<String>| {
            let bar = self.bar;
            format!("{bar} {} {bar}\n", cells.join(&format!(" {bar} ")))
        };
        let cells = |row: &[String; COLUMNS]| {
            let cells = row.iter().zip(widths);
            cells
                .map(|(cell, width)| pad::right(cell, width).to_string())
                .collect()
        };
        let heads = names.iter().zip(widths);
        let heads = heads.map(|(name, width)| pad::center(name, width).to_string());
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

/// The compacted revision as etcdutl prints it.
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
        [
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
