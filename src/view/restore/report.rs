//! The report beside a restored store: where it comes from, and what it lacks. Fields are described in
//! `docs/reference/formats.md`.

use serde_json::{Map, Value, json};

use crate::diag::shown;
use crate::k8s::meta::time_text;
use crate::query::restore::{LostRange, MissingRecord, Restore, TtlSource};
use crate::view::evidence::{self, Custody, hex};
use crate::view::record::insert_text;

use super::{
    Written, directory, effect_text, likely_text, log, proposed_bump, reason_text, refusal,
};

/// The report as JSON.
#[must_use]
pub fn json(written: &Written<'_, '_>, custody: &Custody) -> Value {
    let restore = written.restore;
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| {
        if !value.is_null() {
            fields.insert(name.to_owned(), value);
        }
    };
    add("source", evidence::json(custody));
    add("meta", meta(restore));
    add("source_revision", restore.newest.into());
    add("source_compact_revision", restore.compacted.into());
    add("revision", restore.at.into());
    add("compact_revision", restore.new_compacted.into());
    add("time", time(restore));
    add("complete", restore.is_complete().into());
    add("records", written.verified.records.into());
    add("records_left_out", restore.survey.dropped.into());
    add("records_added", restore.survey.added.into());
    add("records_altered", restore.survey.altered.into());
    add("records_unreached", restore.survey.unused.into());
    add("keys", written.verified.keys.into());
    add("hashkv", written.verified.hash_kv.into());
    add("leases_written", leases(restore));
    add("dropped", dropped(restore));
    add("damaged_buckets", restore.damaged_buckets.clone().into());
    let reasons = restore.accepted.iter().map(refusal::sentence);
    add("overruled", reasons.collect::<Vec<_>>().into());
    let ranges = restore.survey.lost_up_to(restore.judged).map(range);
    add("lost", ranges.collect());
    let missing = restore.survey.missing.iter().map(missing_record);
    add("missing", missing.collect());
    let cut: Vec<i64> = restore.cut().iter().copied().collect();
    add("cut_transactions", cut.into());
    add(
        "log",
        restore
            .log
            .map(|read| log::json(read, restore.at, &written.log_files))
            .into(),
    );
    let not_read = written.beside.as_ref().map(|beside| beside.entries);
    add("log_entries_not_read", not_read.into());
    add("file", file(written));
    let members = written.directory;
    add(
        "cluster",
        members.map(|new| directory::json(new, written.file)).into(),
    );
    if written.is_kubernetes {
        add("proposed_bump", proposed_bump(restore).into());
    }
    Value::Object(fields)
}

/// The new file: for data directories, `path` is the directory, and the rest is about the database of a member.
fn file(written: &Written<'_, '_>) -> Value {
    let mut fields = Map::new();
    let path = written.file.as_os_str().as_encoded_bytes();
    insert_text(&mut fields, "path", path);
    fields.insert("size".to_owned(), written.verified.len_bytes.into());
    fields.insert("sha256".to_owned(), hex(&written.verified.sha256).into());
    fields.insert("revision".to_owned(), written.verified.revision.into());
    Value::Object(fields)
}

/// The meta page of the source that was used, and why.
fn meta(restore: &Restore<'_, '_>) -> Value {
    let db = restore.store().db();
    let (index, choice) = db.choice();
    json!({
        "index": index,
        "txid": db.meta().txid,
        "because": choice.reason(),
    })
}

/// The time that was asked for, and the revisions that fit it; null if no time was.
fn time(restore: &Restore<'_, '_>) -> Value {
    let Some(asked) = &restore.time else {
        return Value::Null;
    };
    json!({
        "asked": time_text(asked.time),
        "oldest_revision": asked.at.certain,
        "newest_revision": asked.at.possible,
        "not_before": asked.bounds.0.map(time_text),
        "not_after": asked.bounds.1.map(time_text),
    })
}

/// The leases that were written anew.
fn leases(restore: &Restore<'_, '_>) -> Value {
    let rows = restore.leases.iter().map(|lease| {
        let mut row = Map::new();
        row.insert("id".to_owned(), format!("{:016x}", lease.id).into());
        row.insert("ttl".to_owned(), lease.ttl.into());
        let source = match lease.source {
            TtlSource::Log => "log",
            TtlSource::FreedPage => "freed-page",
            TtlSource::MasterLease => "master-lease",
            TtlSource::Flag => "flag",
        };
        row.insert("ttl_from".to_owned(), source.into());
        row.insert("keys".to_owned(), lease.keys.into());
        insert_text(&mut row, "first_key", &lease.first_key);
        Value::Object(row)
    });
    rows.collect()
}

/// What was left out, besides records.
fn dropped(restore: &Restore<'_, '_>) -> Value {
    let dropped = &restore.dropped;
    let ids = |ids: &[u64]| -> Vec<String> { ids.iter().map(|id| format!("{id:x}")).collect() };
    json!({
        "nospace_alarms": ids(&dropped.no_space),
        "corrupt_alarms": ids(&dropped.corrupt),
        "downgrade": dropped.downgrade,
        "storage_version": dropped.storage_version,
        "authentication": dropped.authentication,
        "buckets": dropped.buckets.iter().map(|name| shown(name)).collect::<Vec<_>>(),
    })
}

/// A range of revisions in which records may be missing.
fn range(range: &LostRange) -> Value {
    json!({
        "bucket": "key",
        "from": range.from.to_string(),
        "until": range.until.map(|until| until.to_string()),
        "because": reason_text(range.reason),
        "effect": "any key may have an older value, be missing, or exist although it was deleted",
    })
}

/// A missing record of a known key.
fn missing_record(record: &MissingRecord) -> Value {
    let mut row = Map::new();
    insert_text(&mut row, "key", &record.key);
    row.insert("bucket".to_owned(), "key".into());
    row.insert("from".to_owned(), record.from.to_string().into());
    row.insert("until".to_owned(), record.until.to_string().into());
    row.insert("exact".to_owned(), record.is_exact.into());
    row.insert("likely".to_owned(), likely_text(record.likely).into());
    row.insert("effect".to_owned(), effect_text(record.effect).into());
    if let Some(tombstone) = record.tombstone {
        row.insert("tombstone".to_owned(), tombstone.to_string().into());
    }
    Value::Object(row)
}
