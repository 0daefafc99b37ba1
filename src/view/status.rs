//! The state of a file and its store, for people and as JSON.

use comfy_table::Table;
use serde_json::{Value, json};

use crate::bbolt::meta::{Meta, MetaError, NO_FREELIST};
use crate::bytes::ByteOrder;
use crate::diag::{Code, Damage};
use crate::etcd::Store;
use crate::etcd::status::StoreStatus;
use crate::source::TrailerCheck;

use super::human;
use super::table::{self, cell, plain};

/// What is known of the file itself.
pub struct File<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Its trailer, where it was looked at.
    pub trailer: Option<&'a TrailerCheck>,
    /// The sentence about a torn copy.
    pub verdict: Option<&'static str>,
    /// What was found wrong.
    pub findings: Vec<(Code, u64, Vec<Damage>)>,
}

fn trailer_text(trailer: Option<&TrailerCheck>) -> &'static str {
    match trailer {
        None => "not verified",
        Some(TrailerCheck::Absent) => "a db file, no SHA-256 behind it",
        Some(TrailerCheck::Good) => "a snapshot file, its SHA-256 is right",
        Some(TrailerCheck::Bad { .. }) => "a snapshot file, its SHA-256 is WRONG",
    }
}

fn order_text(order: ByteOrder) -> &'static str {
    match order {
        ByteOrder::Little => "little endian",
        ByteOrder::Big => "big endian",
    }
}

/// The state as text: the verdict first, then facts one a line, then the metas, buckets and members as tables.
pub fn table(file: &File<'_>, store: &Store<'_>, status: &StoreStatus) -> String {
    let mut text = String::new();
    if let Some(verdict) = file.verdict {
        text.push_str(&format!("WARNING: {verdict}\n\n"));
    }
    let mut facts = plain(&[]);
    for (name, value) in facts_of(file, store, status) {
        facts.add_row([name, &cell(&value)]);
    }
    let parts = [
        (facts, [].as_slice()),
        (metas_table(store), &[1, 2, 3]),
        (buckets_table(status), &[1, 2, 3, 4]),
        (members_table(status), &[]),
    ];
    let shown = parts.into_iter().filter(|(table, _)| !table.is_empty());
    let parts: Vec<String> = shown
        .map(|(table, numbers)| table::text(table, numbers))
        .collect();
    text + &parts.join("\n")
}

fn facts_of(
    file: &File<'_>,
    store: &Store<'_>,
    status: &StoreStatus,
) -> Vec<(&'static str, String)> {
    let (snapshot, counts, meta) = (&status.snapshot, &status.counts, store.meta());
    let compaction = match (
        meta.finished_compact_revision,
        meta.scheduled_compact_revision,
    ) {
        (None, None) => "never compacted".to_owned(),
        (Some(finished), Some(scheduled)) if scheduled > finished => {
            format!(
                "compacted to {finished}; a compaction to {scheduled} was interrupted or running"
            )
        }
        (finished, scheduled) => format!(
            "compacted to {}",
            finished.or(scheduled).unwrap_or_default()
        ),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut facts = vec![
        ("file", file.path.to_owned()),
        (
            "size",
            format!(
                "{} ({} bytes)",
                human::bytes(file.size_bytes),
                file.size_bytes
            ),
        ),
        ("kind", trailer_text(file.trailer).to_owned()),
        (
            "page size",
            format!(
                "{} bytes, {}",
                store.db().pages().page_size(),
                order_text(store.db().meta().order)
            ),
        ),
        (
            "in use",
            format!(
                "{} up to the high-water mark",
                human::bytes(snapshot.total_size)
            ),
        ),
        (
            "revision",
            format!("{}, {compaction}", store.current_revision()),
        ),
        (
            "keys",
            format!("{} live of {} retained", counts.live_keys, counts.keys),
        ),
        (
            "records",
            format!(
                "{}, {} of them tombstones",
                counts.records, counts.tombstones
            ),
        ),
        ("hash", format!("{:x} ({})", snapshot.hash, snapshot.hash)),
        (
            "hashkv",
            format!(
                "{} at revision {}",
                status.hash_kv,
                store.current_revision()
            ),
        ),
        (
            "raft",
            format!(
                "term {}, consistent index {}",
                or_dash(meta.term.map(|n| n.to_string())),
                or_dash(meta.consistent_index.map(|n| n.to_string()))
            ),
        ),
        (
            "versions",
            format!(
                "storage {}, cluster {}",
                or_dash(meta.storage_version.clone()),
                or_dash(status.cluster_version.clone())
            ),
        ),
        (
            "auth",
            if status.auth_enabled {
                "enabled"
            } else {
                "not enabled"
            }
            .to_owned(),
        ),
    ];
    for alarm in &status.alarms {
        facts.push((
            "ALARM",
            format!(
                "{} raised by member {:x}",
                alarm.alarm_name(),
                alarm.member_id
            ),
        ));
    }
    let worst = file.findings.iter().map(|(code, ..)| code.severity()).max();
    facts.push((
        "sound",
        match worst {
            None | Some(crate::diag::Severity::Info) => "yes: nothing wrong was found".to_owned(),
            Some(_) => "NO: see the messages".to_owned(),
        },
    ));
    facts
}

fn metas_table(store: &Store<'_>) -> Table {
    let (chosen, choice) = store.db().choice();
    let mut table = plain(&[
        "META",
        "TXID",
        "ROOT",
        "HIGH-WATER MARK",
        "FREELIST",
        "STATE",
    ]);
    for (index, meta) in store.db().metas().iter().enumerate() {
        let row = match meta {
            Ok(meta) => [
                index.to_string(),
                meta.txid.to_string(),
                meta.root.to_string(),
                meta.high_water_mark.to_string(),
                freelist_text(meta),
                if index == chosen {
                    format!("chosen: {}", choice.reason())
                } else {
                    "valid".to_owned()
                },
            ],
            Err(error) => {
                let dash = || "-".to_owned();
                [
                    index.to_string(),
                    dash(),
                    dash(),
                    dash(),
                    dash(),
                    format!("NOT VALID: {error}"),
                ]
            }
        };
        table.add_row(row);
    }
    table
}

fn freelist_text(meta: &Meta) -> String {
    if meta.freelist == NO_FREELIST {
        "not written".to_owned()
    } else {
        format!("page {}", meta.freelist)
    }
}

fn buckets_table(status: &StoreStatus) -> Table {
    let mut table = plain(&["BUCKET", "ROOT", "ELEMENTS", "KEYS", "VALUES"]);
    for bucket in &status.buckets {
        let root = if bucket.root == 0 {
            "inline".to_owned()
        } else {
            bucket.root.to_string()
        };
        table.add_row([
            bucket.name.escape_ascii().to_string(),
            root,
            bucket.elements.to_string(),
            human::bytes(bucket.key_bytes),
            human::bytes(bucket.value_bytes),
        ]);
    }
    table
}

fn members_table(status: &StoreStatus) -> Table {
    if status.members.is_empty() {
        return plain(&[]);
    }
    let mut table = plain(&["MEMBER", "NAME", "PEER URLS", "CLIENT URLS", "LEARNER"]);
    for member in &status.members {
        table.add_row([
            member.id.clone(),
            cell(&member.name),
            cell(&member.peer_urls.join(",")),
            cell(&member.client_urls.join(",")),
            member.is_learner.to_string(),
        ]);
    }
    table
}

/// The state as one JSON object; what is not known is absent.
pub fn json(file: &File<'_>, store: &Store<'_>, status: &StoreStatus) -> Value {
    let (chosen, choice) = store.db().choice();
    let (snapshot, counts, meta) = (&status.snapshot, &status.counts, store.meta());
    let mut value = json!({
        "path": file.path,
        "file_size": file.size_bytes,
        "kind": if matches!(file.trailer, Some(TrailerCheck::Absent)) { "db" } else { "snapshot" },
        "trailer": match file.trailer {
            Some(TrailerCheck::Good) => "good",
            Some(TrailerCheck::Bad { .. }) => "bad",
            Some(TrailerCheck::Absent) => "absent",
            None => "not verified",
        },
        "page_size": store.db().pages().page_size(),
        "byte_order": order_text(store.db().meta().order),
        "metas": store.db().metas().iter().map(meta_json).collect::<Vec<_>>(),
        "chosen_meta": chosen,
        "chosen_because": choice.reason(),
        "revision": store.current_revision(),
        "compact_revision": store.compact_revision(),
        "scheduled_compact_revision": meta.scheduled_compact_revision,
        "finished_compact_revision": meta.finished_compact_revision,
        "oldest_record_revision": counts.oldest,
        "records": counts.records,
        "tombstones": counts.tombstones,
        "keys": counts.keys,
        "live_keys": counts.live_keys,
        "hash": snapshot.hash,
        "hash_kv": status.hash_kv,
        "hash_kv_revision": store.current_revision(),
        "total_size": snapshot.total_size,
        "consistent_index": meta.consistent_index,
        "term": meta.term,
        "storage_version": meta.storage_version,
        "cluster_version": status.cluster_version,
        "auth_enabled": status.auth_enabled,
        "buckets": status.buckets.iter().map(|bucket| json!({
            "name": bucket.name.escape_ascii().to_string(),
            "root": bucket.root,
            "inline": bucket.root == 0,
            "elements": bucket.elements,
            "key_bytes": bucket.key_bytes,
            "value_bytes": bucket.value_bytes,
        })).collect::<Vec<_>>(),
        "members": status.members.iter().map(|member| json!({
            "id": member.id,
            "name": member.name,
            "peer_urls": member.peer_urls,
            "client_urls": member.client_urls,
            "is_learner": member.is_learner,
        })).collect::<Vec<_>>(),
        "alarms": status.alarms.iter().map(|alarm| json!({
            "member": format!("{:x}", alarm.member_id),
            "alarm": alarm.alarm_name(),
        })).collect::<Vec<_>>(),
        "verdict": file.verdict,
        "findings": file.findings.iter().map(|(code, count, kept)| json!({
            "code": code.as_str(),
            "severity": code.severity().as_str(),
            "layer": code.layer(),
            "count": count,
            "first": kept.first().map(ToString::to_string),
        })).collect::<Vec<_>>(),
    });
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
    value
}

fn meta_json(meta: &Result<Meta, MetaError>) -> Value {
    match meta {
        Ok(meta) => json!({
            "valid": true,
            "txid": meta.txid,
            "root": meta.root.0,
            "high_water_mark": meta.high_water_mark,
            "freelist": (meta.freelist != NO_FREELIST).then_some(meta.freelist),
            "checksum": format!("{:016x}", meta.checksum),
        }),
        Err(error) => json!({ "valid": false, "reason": error.to_string() }),
    }
}
