//! `du`: where the space of a file goes, as tables and as JSON.

use serde_json::{Map, Value, json};

use crate::query::space::{
    BucketSpace, Group, MetadataShare, OtherBuckets, Part, Space, SpaceBy, SpaceRow,
};

use super::answer_part::AnswerPart;
use super::human::{bytes, counted};
use super::record::{insert_text, key_text};
use super::rows::Rows;

/// The name of a part in tables, its name in JSON, and what frees it.
fn names(part: Part) -> (&'static str, &'static str, &'static str) {
    const COMPACT: &str = "compact + defrag";
    const DEFRAG: &str = "defrag";
    match part {
        Part::LiveValues => ("live values", "live_values", ""),
        Part::LiveHeads => ("live keys and record heads", "live_heads", ""),
        Part::OldValues => ("history values", "history_values", COMPACT),
        Part::OldHeads => ("history keys and record heads", "history_heads", COMPACT),
        Part::Tables => ("page headers and element tables", "element_tables", ""),
        Part::Branches => ("branch pages", "branch_pages", ""),
        Part::Slack => ("unused bytes in pages", "slack", "defrag, some of it"),
        Part::OtherBuckets => ("other buckets", "other_buckets", ""),
        Part::Metas => ("meta pages", "meta_pages", ""),
        Part::Freelist => ("freelist", "freelist", ""),
        Part::Free => ("free pages", "free_pages", DEFRAG),
        Part::Unreached => ("unreachable pages", "unreachable_pages", DEFRAG),
        Part::Damaged => ("damaged bytes", "damaged", ""),
        Part::BeyondMark => ("never used, after the last page", "never_used", DEFRAG),
        Part::Trailer => ("SHA-256 of the snapshot", "trailer", ""),
        Part::AfterTrailer => ("bytes after the SHA-256", "after_trailer", ""),
    }
}

/// A share in percent with one decimal: `4.6%`.
fn share(bytes: u64, of: u64) -> String {
    // Tenths of a percent, rounded half up.
    let tenths = (u128::from(bytes) * 2000 + u128::from(of)).checked_div(u128::from(of) * 2);
    let tenths = tenths.unwrap_or(0);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// The answer for people.
#[must_use]
pub fn parts(space: &Space<'_>) -> Vec<AnswerPart> {
    let mut parts = vec![AnswerPart::Table(file_table(space)), AnswerPart::line("")];
    parts.push(AnswerPart::Table(match space.by {
        SpaceBy::Bucket => bucket_table(space),
        _ => row_table(space),
    }));
    if space.by == SpaceBy::Resource && !space.usual.is_empty() {
        parts.push(AnswerPart::line(""));
        parts.push(AnswerPart::Table(usual_table(space)));
    }
    if let Some(metadata) = &space.metadata {
        parts.push(AnswerPart::line(""));
        parts.push(AnswerPart::Table(metadata_table(metadata)));
    }
    parts
}

/// A row for each part of the file that has bytes.
fn file_table(space: &Space<'_>) -> Rows {
    let mut table =
        Rows::new(&["PART", "SIZE", "BYTES", "SHARE", "FREED BY"], &[1, 2, 3]).drop_first(&[2, 4]);
    let mut add = |name: &str, size: u64, freed_by: &str| {
        let share = share(size, space.file_bytes);
        table.add(&[name, &bytes(size), &size.to_string(), &share, freed_by]);
    };
    for part in Part::ALL {
        let size = space.parts.get(part);
        let (name, _, freed_by) = names(part);
        if size > 0 {
            add(name, size, freed_by);
        }
    }
    add("total", space.parts.total(), "");
    table
}

/// The columns of every table of records, without the first one, which names the group.
const COLUMNS: [&str; 7] = [
    "TOTAL",
    "SHARE",
    "LIVE",
    "HISTORY",
    "KEYS",
    "REVISIONS",
    "TOMBSTONES",
];

/// An empty table of records. `head` is the name of the first column.
fn records_table(head: &str) -> Rows {
    let mut heads = vec![head];
    heads.extend(COLUMNS);
    Rows::new(&heads, &[1, 2, 3, 4, 5, 6, 7])
        .names(&[0])
        .drop_first(&[7, 5, 6, 3, 4, 2])
}

/// Adds a row of records to a table.
fn add(table: &mut Rows, row: &SpaceRow, file_bytes: u64) {
    table.add(&[
        group_name(&row.group),
        bytes(row.total_bytes()),
        share(row.total_bytes(), file_bytes),
        bytes(row.live_bytes),
        bytes(row.history_bytes),
        row.keys.to_string(),
        row.revisions.to_string(),
        row.tombstones.to_string(),
    ]);
}

/// The rows of records, and their sum.
fn row_table(space: &Space<'_>) -> Rows {
    let is_prefix = |row: &SpaceRow| matches!(row.group, Group::Prefix(_) | Group::Rest(_));
    let head = match space.by {
        SpaceBy::Resource if space.rows.iter().all(is_prefix) => "PREFIX",
        SpaceBy::Resource => "RESOURCE",
        SpaceBy::Namespace => "NAMESPACE",
        SpaceBy::Group => "API GROUP",
        SpaceBy::Prefix => "PREFIX",
        SpaceBy::Key => "KEY",
        SpaceBy::Manager => "FIELD MANAGER",
        SpaceBy::Bucket => "BUCKET",
    };
    let mut table = records_table(head);
    for row in space.rows.iter().chain([&space.total]) {
        add(&mut table, row, space.file_bytes);
    }
    table
}

/// The rows of records that often fill a store.
fn usual_table(space: &Space<'_>) -> Rows {
    let mut table = records_table("OFTEN LARGE");
    for row in &space.usual {
        add(&mut table, row, space.file_bytes);
    }
    table
}

/// A row for each bucket, and the number of buckets that are not shown.
fn bucket_table(space: &Space<'_>) -> Rows {
    let heads = [
        "BUCKET",
        "PAGE BYTES",
        "SHARE",
        "KEYS",
        "KEY BYTES",
        "VALUE BYTES",
    ];
    let mut table = Rows::new(&heads, &[1, 2, 3, 4, 5])
        .names(&[0])
        .drop_first(&[4, 5, 3]);
    for BucketSpace {
        path,
        bucket,
        page_bytes,
    } in &space.buckets
    {
        let name = match bucket.parent {
            None => "(root)".into(),
            Some(_) => key_text(path),
        };
        table.add(&[
            &*name,
            &bytes(*page_bytes),
            &share(*page_bytes, space.file_bytes),
            &bucket.elements.to_string(),
            &bytes(bucket.key_bytes),
            &bytes(bucket.value_bytes),
        ]);
    }
    if let Some(others) = &space.other_buckets {
        table.add(&[
            group_name(&Group::Rest(others.count)),
            bytes(others.page_bytes),
            share(others.page_bytes, space.file_bytes),
            others.elements.to_string(),
            bytes(others.key_bytes),
            bytes(others.value_bytes),
        ]);
    }
    table
}

/// The share of metadata in live objects.
fn metadata_table(share_of: &MetadataShare) -> Rows {
    let heads = ["LIVE OBJECTS", "SIZE", "BYTES", "SHARE"];
    let mut table = Rows::new(&heads, &[1, 2, 3]).drop_first(&[2]);
    let metadata = share_of.metadata;
    for (name, size) in [
        ("managedFields", metadata.managed_fields),
        ("annotations", metadata.annotations),
        ("  last-applied-configuration", metadata.last_applied),
        ("all values", share_of.value_bytes),
    ] {
        let share = share(size, share_of.value_bytes);
        table.add(&[name, &bytes(size), &size.to_string(), &share]);
    }
    if share_of.not_measured > 0 {
        let values = counted(share_of.not_measured, "value", "values");
        table.add(&[format!("not measured: {values}")]);
    }
    table
}

/// The name of a group in a table.
pub(super) fn group_name(group: &Group) -> String {
    match group {
        Group::Resource(name) | Group::Manager(name) => key_text(name.as_bytes()).into_owned(),
        Group::Prefix(prefix) if prefix.is_empty() => "(no folder)".to_owned(),
        Group::Prefix(name) => key_text(name).into_owned(),
        Group::Key(key) => key_text(key).into_owned(),
        Group::Namespace { cluster, name } => match cluster {
            Some(cluster) => format!("{}/{}", key_text(cluster), key_text(name)),
            None => key_text(name).into_owned(),
        },
        Group::ClusterScoped => "(cluster-scoped)".to_owned(),
        Group::ApiGroup(group) if group.is_empty() => "(core)".to_owned(),
        Group::ApiGroup(group) => key_text(group.as_bytes()).into_owned(),
        Group::NoObject => "(not an object)".to_owned(),
        Group::NoManager => "(no managedFields)".to_owned(),
        Group::UnknownManager => "(not known)".to_owned(),
        Group::Encrypted => "(encrypted)".to_owned(),
        Group::Deletions => "(deletions)".to_owned(),
        Group::Usual(name) => (*name).to_owned(),
        Group::Rest(rows) => format!("({rows} more)"),
        Group::Total => "total".to_owned(),
    }
}

/// The whole answer as one JSON object.
#[must_use]
pub fn json(space: &Space<'_>) -> Value {
    let mut fields = Map::new();
    fields.insert("file_bytes".to_owned(), space.file_bytes.into());
    fields.insert("parts".to_owned(), part_rows(space).collect());
    fields.insert("by".to_owned(), by_name(space.by).into());
    fields.insert("rows".to_owned(), group_rows(space).collect());
    if space.by != SpaceBy::Bucket {
        fields.insert("total".to_owned(), row_json(&space.total));
    }
    let usual = space.usual.iter().map(row_json);
    fields.insert("often_large".to_owned(), usual.collect());
    if let Some(share) = &space.metadata {
        fields.insert("metadata".to_owned(), metadata_json(share));
    }
    if let Some(advice) = &space.advice {
        let advice = json!({
            "revision": advice.revision,
            "compaction_frees_bytes": advice.history_bytes,
            "defragmentation_frees_bytes": advice.defragmentation.freed_bytes(),
            "alarm_nospace": advice.has_alarm,
        });
        fields.insert("advice".to_owned(), advice);
    }
    Value::Object(fields)
}

/// The answer as rows: the parts of the file, then the groups.
pub fn json_rows(space: &Space<'_>) -> impl Iterator<Item = Value> {
    part_rows(space).chain(group_rows(space))
}

/// A JSON row for each part of the file.
fn part_rows(space: &Space<'_>) -> impl Iterator<Item = Value> {
    Part::ALL.into_iter().map(|part| {
        let (_, name, _) = names(part);
        json!({"part": name, "bytes": space.parts.get(part)})
    })
}

/// A JSON row for each group of records, or for each bucket if rows are by bucket.
fn group_rows(space: &Space<'_>) -> impl Iterator<Item = Value> {
    let is_by_bucket = space.by == SpaceBy::Bucket;
    let buckets = space.buckets.iter().filter(move |_| is_by_bucket);
    let others = space.other_buckets.iter().filter(move |_| is_by_bucket);
    space
        .rows
        .iter()
        .map(row_json)
        .chain(buckets.map(bucket_json))
        .chain(others.map(other_buckets_json))
}

fn by_name(by: SpaceBy) -> &'static str {
    match by {
        SpaceBy::Resource => "resource",
        SpaceBy::Namespace => "namespace",
        SpaceBy::Group => "group",
        SpaceBy::Prefix => "prefix",
        SpaceBy::Key => "key",
        SpaceBy::Manager => "manager",
        SpaceBy::Bucket => "bucket",
    }
}

/// Inserts the fields that name a group.
pub(super) fn insert_group(fields: &mut Map<String, Value>, group: &Group) {
    match group {
        Group::Resource(name) => insert_text(fields, "resource", name.as_bytes()),
        Group::Prefix(prefix) => insert_text(fields, "prefix", prefix),
        Group::Key(key) => insert_text(fields, "key", key),
        Group::Manager(name) => insert_text(fields, "manager", name.as_bytes()),
        Group::ApiGroup(group) => insert_text(fields, "group", group.as_bytes()),
        Group::Namespace { cluster, name } => {
            if let Some(cluster) = cluster {
                insert_text(fields, "cluster", cluster);
            }
            insert_text(fields, "namespace", name);
        }
        Group::ClusterScoped
        | Group::NoObject
        | Group::NoManager
        | Group::UnknownManager
        | Group::Encrypted
        | Group::Deletions
        | Group::Usual(_)
        | Group::Rest(_) => {
            fields.insert("other".to_owned(), group_name(group).into());
        }
        Group::Total => {}
    }
}

fn row_json(row: &SpaceRow) -> Value {
    let mut fields = Map::new();
    insert_group(&mut fields, &row.group);
    for (name, number) in [
        ("total_bytes", row.total_bytes()),
        ("live_bytes", row.live_bytes),
        ("history_bytes", row.history_bytes),
        ("keys", row.keys),
        ("revisions", row.revisions),
        ("tombstones", row.tombstones),
    ] {
        fields.insert(name.to_owned(), number.into());
    }
    Value::Object(fields)
}

fn bucket_json(row: &BucketSpace<'_>) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "bucket", &row.path);
    for (name, number) in [
        ("page_bytes", row.page_bytes),
        ("keys", row.bucket.elements),
        ("key_bytes", row.bucket.key_bytes),
        ("value_bytes", row.bucket.value_bytes),
    ] {
        fields.insert(name.to_owned(), number.into());
    }
    Value::Object(fields)
}

fn other_buckets_json(others: &OtherBuckets) -> Value {
    let mut fields = Map::new();
    insert_group(&mut fields, &Group::Rest(others.count));
    for (name, number) in [
        ("page_bytes", others.page_bytes),
        ("keys", others.elements),
        ("key_bytes", others.key_bytes),
        ("value_bytes", others.value_bytes),
    ] {
        fields.insert(name.to_owned(), number.into());
    }
    Value::Object(fields)
}

fn metadata_json(share: &MetadataShare) -> Value {
    json!({
        "objects": share.objects,
        "value_bytes": share.value_bytes,
        "managed_fields_bytes": share.metadata.managed_fields,
        "annotations_bytes": share.metadata.annotations,
        "last_applied_bytes": share.metadata.last_applied,
        "not_measured": share.not_measured,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_to_a_tenth_of_a_percent() {
        for (bytes, of, expected) in [
            (0, 0, "0.0%"),
            (0, 7, "0.0%"),
            (1, 3, "33.3%"),
            (2, 3, "66.7%"),
            (1, 2000, "0.1%"),
            (1, 2001, "0.0%"),
            (u64::MAX, u64::MAX, "100.0%"),
        ] {
            assert_eq!(share(bytes, of), expected, "{bytes} of {of}");
        }
    }
}
