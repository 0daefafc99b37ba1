//! The list of pages in three forms: byte for byte as `bbolt pages` prints it, a table with more columns, and JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::bbolt::Page;
use crate::bbolt::page_use::PageRow;
use crate::etcd::revision::BucketKey;

use super::record::{insert_text, key_text};
use super::rows::Rows;
use super::style::Paint;

/// The head of the table that `bbolt pages` prints (`cmd/bbolt/command_pages.go`).
pub const BBOLT_HEAD: &str =
    "ID       TYPE       ITEMS  OVRFLW\n======== ========== ====== ======\n";

/// The head of our table: bbolt's columns, then ours.
pub const HEAD: &str =
    "ID       TYPE       ITEMS  OVRFLW OFFSET       BUCKET           FIRST KEY\n";

/// A row, byte for byte as `bbolt pages` prints it.
pub fn bbolt_row(row: &PageRow<'_>) -> String {
    bbolt_columns(row) + "\n"
}

/// The cells of bbolt's four columns. A page that is not in use has no items and no overflow: its header is from an
/// earlier use.
fn bbolt_cells(row: &PageRow<'_>) -> [String; 4] {
    let header = row.page.filter(|_| row.is_in_use());
    let items = header.map_or_else(String::new, |page| page.count.to_string());
    let overflow = header
        .filter(|page| page.overflow > 0)
        .map_or_else(String::new, |page| page.overflow.to_string());
    let name = row.type_name().to_owned();
    [row.pgid.0.to_string(), name, items, overflow]
}

/// The first four columns as text, with the widths that bbolt uses.
fn bbolt_columns(row: &PageRow<'_>) -> String {
    let [id, name, items, overflow] = bbolt_cells(row);
    format!("{id:<8} {name:<10} {items:<6} {overflow:<6}")
}

/// The names of the columns of a table on a terminal.
const HEADS: [&str; 7] = [
    "ID",
    "TYPE",
    "ITEMS",
    "OVRFLW",
    "OFFSET",
    "BUCKET",
    "FIRST KEY",
];

/// Our table for a terminal, without rows.
#[must_use]
pub fn table() -> Rows {
    Rows::new(&HEADS, &[0, 2, 3, 4])
        .whole(&[1])
        .drop_first(&[4, 3, 5, 2])
        .painted(1, |style, name| match name {
            "damaged" => style.error,
            "free" => style.dim,
            _ => Paint::default(),
        })
}

/// The cells of a row of [`table`]. `bucket` is the path of the bucket that the page belongs to.
pub fn cells(row: &PageRow<'_>, bucket: Option<&[u8]>) -> Vec<String> {
    let mut cells = Vec::from(bbolt_cells(row));
    cells.push(row.offset.to_string());
    cells.push(bucket_text(bucket).into_owned());
    cells.push(last_text(row));
    cells
}

/// A row of our table in a pipe. `bucket` is the path of the bucket that the page belongs to.
pub fn row(row: &PageRow<'_>, bucket: Option<&[u8]>) -> String {
    let (bucket, last) = (bucket_text(bucket), last_text(row));
    let columns = bbolt_columns(row);
    let text = format!("{columns} {:<12} {bucket:<16} {last}", row.offset);
    text.trim_end().to_owned() + "\n"
}

/// The text of the column BUCKET: `-` for a page that belongs to none.
fn bucket_text(bucket: Option<&[u8]>) -> Cow<'_, str> {
    match bucket {
        None => "-".into(),
        Some(b"") => "(root)".into(),
        Some(path) => key_text(path),
    }
}

/// The text of the last column: the first key of a page in use. For a page that is not in use, what it still contains.
fn last_text(row: &PageRow<'_>) -> String {
    let first = row.first_key.map(element_key_text);
    match (row.is_in_use(), row.page, first) {
        (true, _, first) => first.unwrap_or_default(),
        (false, Some(page), Some(first)) => format!("{} from {first}", held(&page)),
        (false, Some(page), None) => held(&page),
        (false, None, _) => String::new(),
    }
}

/// What a page that is not in use still contains from its earlier use: `(held a leaf of 12)`.
fn held(page: &Page<'_>) -> String {
    let kind = page.kind.map_or("?", |kind| kind.as_str());
    format!("(held a {kind} of {})", page.count)
}

/// A row as a JSON object. The content of a page that is not in use is in its field `held`.
pub fn json(row: &PageRow<'_>, bucket: Option<&[u8]>) -> Value {
    let mut fields = Map::new();
    fields.insert("page".to_owned(), row.pgid.0.into());
    fields.insert("offset".to_owned(), row.offset.into());
    fields.insert("type".to_owned(), row.type_name().into());
    let mut content = Map::new();
    if let Some(page) = row.page {
        content.insert("items".to_owned(), page.count.into());
        content.insert("overflow".to_owned(), page.overflow.into());
    }
    if let Some(key) = row.first_key {
        insert_element_key(&mut content, "first_key", "first_revision", key);
    }
    if let Some(bucket) = bucket {
        insert_text(&mut fields, "bucket", bucket);
    }
    if row.is_in_use() {
        fields.extend(content);
    } else if let Some(page) = row.page {
        let kind = page.kind.map(|kind| kind.as_str());
        content.shift_insert(0, "type".to_owned(), kind.into());
        fields.insert("held".to_owned(), content.into());
    }
    Value::Object(fields)
}

/// The revision that a key of bucket `key` encodes. None if the key is no revision. The bucket of a page is not always
/// known, so a key of another bucket may have the same length. It is no revision if all its bytes are text: the first
/// byte of a revision is zero until there are 2^56 revisions.
fn revision_of(key: &[u8]) -> Option<BucketKey> {
    let is_text = key.iter().all(|byte| matches!(byte, b' '..=b'~'));
    BucketKey::parse(key).ok().filter(|_| !is_text)
}

/// `main.sub`, with a `t` at the end for a tombstone.
fn revision_text(key: &BucketKey) -> String {
    let mark = if key.tombstone { "t" } else { "" };
    format!("{}{mark}", key.revision)
}

/// The key of a page element for people. A revision is shown as `main.sub`, and as `main.subt` if it is a tombstone.
pub fn element_key_text(key: &[u8]) -> String {
    match revision_of(key) {
        Some(revision) => revision_text(&revision),
        None => key_text(key).into_owned(),
    }
}

/// Inserts the key of a page element as the field `name`. If the key is a revision, also inserts that as the field
/// `revision`.
pub fn insert_element_key(into: &mut Map<String, Value>, name: &str, revision: &str, key: &[u8]) {
    insert_text(into, name, key);
    if let Some(parsed) = revision_of(key) {
        into.insert(revision.to_owned(), revision_text(&parsed).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_revision_only_where_it_is_no_text() {
        let mut key = 7_i64.to_be_bytes().to_vec();
        key.push(b'_');
        key.extend(3_i64.to_be_bytes());
        assert_eq!(element_key_text(&key), "7.3");
        key.push(b't');
        assert_eq!(element_key_text(&key), "7.3t");
        assert_eq!(element_key_text(b"abcdefgh_ijklmnop"), "abcdefgh_ijklmnop");
        assert_eq!(element_key_text(b"\xff\x1b"), "\\xff\\x1b");
    }
}
