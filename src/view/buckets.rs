//! The buckets: their headers, and what their pages hold.

use serde_json::{Map, Value};

use crate::bbolt::page_use::BucketUse;
use crate::query::page_layout::BucketRow;

use super::record::{insert_text, key_text};
use super::rows::Rows;

/// The table, one row a bucket; pages of `page_size` bytes.
pub fn table(rows: &[BucketRow<'_>], page_size: usize) -> Rows {
    let heads = [
        "BUCKET",
        "ROOT",
        "SEQUENCE",
        "HEADER AT",
        "DEPTH",
        "ELEMENTS",
        "KEY BYTES",
        "VALUE BYTES",
        "BRANCH PAGES",
        "LEAF PAGES",
        "OVERFLOW",
        "PAGE BYTES",
    ];
    let mut table = Rows::new(&heads, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
        .drop_first(&[3, 2, 10, 8, 4, 9, 1, 6, 7, 11]);
    for BucketRow {
        path,
        bucket,
        walked,
    } in rows
    {
        let root = if bucket.inline {
            "inline".to_owned()
        } else {
            bucket.root.to_string()
        };
        let mut row = vec![
            key_text(path).into_owned(),
            root,
            bucket.sequence.to_string(),
            bucket.header_offset.to_string(),
        ];
        let counts = [
            bucket.depth as u64,
            bucket.elements,
            bucket.key_bytes,
            bucket.value_bytes,
            bucket.branch_pages,
            bucket.leaf_pages,
            overflow(bucket),
            page_bytes(bucket, page_size),
        ];
        row.extend(counts.iter().map(|count| match walked {
            true => count.to_string(),
            false => "-".to_owned(),
        }));
        table.add(&row);
    }
    table
}

fn overflow(bucket: &BucketUse<'_>) -> u64 {
    bucket.branch_overflow.saturating_add(bucket.leaf_overflow)
}

fn page_bytes(bucket: &BucketUse<'_>, page_size: usize) -> u64 {
    bucket
        .branch_pages
        .saturating_add(bucket.leaf_pages)
        .saturating_add(overflow(bucket))
        .saturating_mul(page_size as u64)
}

/// One bucket as JSON; pages of `page_size` bytes.
pub fn json(row: &BucketRow<'_>, page_size: usize) -> Value {
    let bucket = &row.bucket;
    let mut fields = Map::new();
    insert_text(&mut fields, "name", &row.path);
    fields.insert("root".to_owned(), bucket.root.0.into());
    fields.insert("inline".to_owned(), bucket.inline.into());
    fields.insert("sequence".to_owned(), bucket.sequence.into());
    fields.insert("header_offset".to_owned(), bucket.header_offset.into());
    if row.walked {
        let counts = [
            ("depth", bucket.depth as u64),
            ("elements", bucket.elements),
            ("key_bytes", bucket.key_bytes),
            ("value_bytes", bucket.value_bytes),
            ("branch_pages", bucket.branch_pages),
            ("branch_overflow", bucket.branch_overflow),
            ("leaf_pages", bucket.leaf_pages),
            ("leaf_overflow", bucket.leaf_overflow),
            ("page_bytes", page_bytes(bucket, page_size)),
        ];
        fields.extend(counts.map(|(name, count)| (name.to_owned(), count.into())));
    }
    Value::Object(fields)
}
