//! The state of a file and its store, for people and as JSON.

use serde_json::{Map, Value, json};

use crate::bbolt::check::Tail;
use crate::bbolt::meta::{Meta, MetaError, NO_FREELIST};
use crate::bytes::ByteOrder;
use crate::diag::{Code, Damage};
use crate::etcd::release::Release;
use crate::etcd::schema::MetaBucket;
use crate::etcd::status::{BucketCounts, RecordStatus, StoreStatus, sum_of_elements};
use crate::k8s::audit::Encryption;
use crate::query::check::Layer;
use crate::query::check::PageCounts;
use crate::query::file_status::STATUS_LAYERS;
use crate::query::verdict::Verdict;
use crate::source::TrailerCheck;

use super::answer_part::AnswerPart;
use super::encryption;
use super::evidence::following;
use super::human::{self, first_of, plural};
use super::record::{insert_text, key_text};
use super::rows::Rows;
use super::style::Paint;
use super::verdict;

/// What is known of the file itself.
pub struct File<'a> {
    /// Which of its values are encrypted at rest.
    pub encryption: Encryption,
    /// Its path.
    pub path: &'a str,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// The result for the SHA-256 at its end; none if it was not checked.
    pub trailer: Option<&'a TrailerCheck>,
    /// What follows its high-water mark.
    pub tail: Option<Tail>,
    /// Its pages in numbers.
    pub pages: Option<PageCounts>,
    /// How intact it is.
    pub verdict: Verdict,
    /// What was found wrong.
    pub findings: Vec<(Code, u64, Vec<Damage>)>,
}

/// Which kind of file it is.
fn kind_text(file: &File<'_>, status: &StoreStatus) -> String {
    if status.is_foreign() {
        "a bbolt file, not etcd's".to_owned()
    } else {
        trailer_text(file.trailer)
    }
}

/// The kind of an etcd file, by the SHA-256 at its end.
fn trailer_text(trailer: Option<&TrailerCheck>) -> String {
    let text = match trailer {
        None => "not verified",
        Some(TrailerCheck::Absent) => "a db file without SHA-256",
        Some(TrailerCheck::Good) => "a snapshot file, its SHA-256 is right",
        Some(TrailerCheck::Followed { bytes, by, .. }) => {
            let following = following(*bytes, *by);
            return format!("a snapshot file, its SHA-256 is right, but {following} it");
        }
        Some(TrailerCheck::Bad { .. }) => "a snapshot file, its SHA-256 is WRONG",
    };
    text.to_owned()
}

fn order_text(order: ByteOrder) -> &'static str {
    match order {
        ByteOrder::Little => "little endian",
        ByteOrder::Big => "big endian",
    }
}

/// The state: a warning first if the copy is torn, then facts, one per line, with the verdict as the last one; then the
/// metas, buckets and members as tables, and the encryption.
pub fn parts(file: &File<'_>, status: &StoreStatus) -> Vec<AnswerPart> {
    let mut parts = Vec::new();
    if let Some(torn) = file.verdict.torn {
        let (mark, sentence) = ("WARNING", verdict::torn_sentence(torn));
        let text = format!("{mark}: {sentence}");
        parts.push(AnswerPart::painted(text, mark.len(), |style| style.error));
        parts.push(AnswerPart::line(""));
    }
    let mut facts = Rows::facts().painted(1, |style, fact| {
        if fact.starts_with("DAMAGED: ") {
            style.error
        } else {
            Paint::default()
        }
    });
    for (name, value) in facts_of(file, status) {
        facts.add(&[name, &value]);
    }
    parts.push(AnswerPart::Table(facts));
    let tables = [
        Some(metas_table(status)),
        Some(buckets_table(status)).filter(|_| !status.buckets.is_empty()),
        Some(members_table(status)).filter(|_| !status.members.is_empty()),
    ];
    for table in tables.into_iter().flatten() {
        parts.push(AnswerPart::line(""));
        parts.push(AnswerPart::Table(table));
    }
    if let Some(encryption) = encryption::parts(&file.encryption) {
        parts.push(AnswerPart::line(""));
        parts.extend(encryption);
    }
    parts
}

/// What the verdict of `status` is not about.
pub const OBJECTS_NOT_CHECKED: &str = " in pages and records (`fsck` also decodes all objects)";

/// How many users are named in the text, and how many roles.
const NAMED: usize = 5;

/// A line of text: what it is about, and its value.
type Fact = (&'static str, String);

fn facts_of(file: &File<'_>, status: &StoreStatus) -> Vec<Fact> {
    let mut facts = file_facts(file, status);
    if !status.is_foreign() {
        facts.extend(record_facts(status));
        facts.extend(store_facts(status));
    }
    let sentence = verdict::sentence(&file.verdict);
    let verdict = match file.verdict.is_intact() {
        true if status.is_foreign() => format!("OK: {sentence}"),
        true => format!("OK: {sentence}{OBJECTS_NOT_CHECKED}"),
        false => format!("DAMAGED: {sentence}"),
    };
    facts.push(("verdict", verdict));
    facts
}

/// What is known of the file, whatever program wrote it.
fn file_facts(file: &File<'_>, status: &StoreStatus) -> Vec<Fact> {
    let size = human::bytes(file.size_bytes);
    let mut facts = vec![
        ("file", file.path.to_owned()),
        ("size", format!("{size} ({} bytes)", file.size_bytes)),
        ("kind", kind_text(file, status)),
        (
            "page size",
            format!("{} bytes, {}", status.page_size, order_text(status.order)),
        ),
    ];
    facts.extend(space_facts(file, status));
    if let Some(Tail { bytes, is_zero }) = file.tail {
        let what = if is_zero {
            "all zero"
        } else {
            "NOT zero: bytes of something else"
        };
        facts.push((
            "tail",
            format!("{bytes} bytes after the high-water mark, {what}"),
        ));
    }
    facts
}

/// How many bytes the pages in use have, how many are free, and how many a defragmentation gives back.
fn space_facts(file: &File<'_>, status: &StoreStatus) -> Vec<Fact> {
    let end = human::bytes(status.total_size);
    let Some(free) = free_bytes(file, status) else {
        return vec![("in use", format!("{end} up to the high-water mark"))];
    };
    let used = human::bytes(status.total_size.saturating_sub(free));
    let pages = file.pages.map_or(0, |pages| pages.free);
    let pages = usize::try_from(pages).unwrap_or(usize::MAX);
    let pages = plural(pages, "page", "pages");
    let given_back = status.total_size.saturating_sub(status.defragmented_size);
    let defragmentation = match given_back {
        0 => "a defragmentation gives nothing back".to_owned(),
        bytes => format!("a defragmentation gives back about {}", human::bytes(bytes)),
    };
    vec![
        (
            "in use",
            format!("{used} of {end} up to the high-water mark"),
        ),
        (
            "free",
            format!("{} in {pages}; {defragmentation}", human::bytes(free)),
        ),
    ]
}

/// The bytes of the pages that bbolt may reuse; none if the pages were not counted.
fn free_bytes(file: &File<'_>, status: &StoreStatus) -> Option<u64> {
    let page_bytes = status.page_size as u64;
    file.pages
        .map(|pages| pages.free.saturating_mul(page_bytes))
}

/// The revisions, the records in numbers, and the hashes. If the records cannot be reached, the reason.
fn record_facts(status: &StoreStatus) -> Vec<Fact> {
    let compaction = compaction_text(status.meta.as_ref());
    let RecordStatus {
        current_revision,
        counts,
        hash,
        hash_kv,
    } = match &status.records {
        Ok(records) => records,
        Err(why) => {
            let mut facts = vec![("revision", format!("unknown: {why}; {compaction}"))];
            let others = ["keys", "records", "etcdutl", "hash", "hashkv"];
            facts.extend(others.map(|name| (name, "-".to_owned())));
            return facts;
        }
    };
    let (records, tombstones) = (counts.records, counts.tombstones);
    vec![
        ("revision", format!("{current_revision}, {compaction}")),
        (
            "keys",
            format!("{} live of {} retained", counts.live_keys, counts.keys),
        ),
        (
            "records",
            format!("{records}, {tombstones} of them tombstones"),
        ),
        (
            "etcdutl",
            format!(
                "{} keys as release 3.6 counts them, {} as 3.5",
                counts.live_keys.saturating_add(u64::from(counts.bump_mark)),
                sum_of_elements(&status.buckets)
            ),
        ),
        ("hash", format!("{hash:x} ({hash})")),
        (
            "hashkv",
            format!("{hash_kv} at revision {current_revision}"),
        ),
    ]
}

/// Up to which revision the store is compacted, as the end of a sentence.
fn compaction_text(meta: Option<&MetaBucket>) -> String {
    let Some(meta) = meta else {
        return "compaction unknown: no bucket meta in the root".to_owned();
    };
    match (
        meta.finished_compact_revision,
        meta.scheduled_compact_revision,
    ) {
        (None, None) => "never compacted".to_owned(),
        (Some(finished), Some(scheduled)) if scheduled > finished => {
            format!(
                "compacted to {finished}; a compaction to {scheduled} was interrupted or running"
            )
        }
        (None, Some(scheduled)) => {
            format!("never compacted; a compaction to {scheduled} was interrupted or running")
        }
        (Some(finished), _) => format!("compacted to {finished}"),
    }
}

/// What the other buckets show: raft, versions, users, leases, removed members and alarms.
fn store_facts(status: &StoreStatus) -> Vec<Fact> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let meta = status.meta.as_ref();
    let term = meta.and_then(|meta| meta.term);
    let index = meta.and_then(|meta| meta.consistent_index);
    let storage = meta.and_then(|meta| meta.storage_version.clone());
    let auth = match status.auth_enabled {
        None => "-",
        Some(true) => "enabled",
        Some(false) => "not enabled",
    };
    let mut facts = vec![
        (
            "raft",
            format!(
                "term {}, consistent index {}{}",
                or_dash(term.map(|n| n.to_string())),
                or_dash(index.map(|n| n.to_string())),
                conf_state_text(meta).map_or_else(String::new, |text| format!(", {text}"))
            ),
        ),
        (
            "versions",
            format!(
                "storage {}, cluster {}{}",
                or_dash(storage),
                or_dash(status.cluster_version.clone()),
                release_text(status).map_or_else(String::new, |text| format!("; {text}"))
            ),
        ),
        ("auth", format!("{auth}{}", users_text(status))),
        (
            "leases",
            or_dash(status.leases.map(|count| count.to_string())),
        ),
    ];
    if !status.removed_members.is_empty() {
        facts.push(("removed members", status.removed_members.join(", ")));
    }
    facts.extend(status.alarms.iter().map(|alarm| {
        let (name, member) = (alarm.alarm_name(), alarm.member_id);
        ("ALARM", format!("{name} raised by member {member:x}"))
    }));
    facts
}

/// The raft voters and learners. Their ids are in hex, as in the table of members.
fn conf_state_text(meta: Option<&MetaBucket>) -> Option<String> {
    let state = conf_state(meta)?;
    let list = |name: &str| -> Option<String> {
        let ids: Vec<String> = state.get(name)?.as_array()?.iter().map(id_text).collect();
        (!ids.is_empty()).then(|| format!("{} {}", name.replace('_', " "), ids.join(", ")))
    };
    let lists = ["voters", "learners", "voters_outgoing", "learners_next"];
    let known: Vec<String> = lists.into_iter().filter_map(list).collect();
    (!known.is_empty()).then(|| known.join(", "))
}

/// A raft id in hex. It is a decimal number in the file.
fn id_text(id: &Value) -> String {
    id.as_u64()
        .map_or_else(|| id.to_string(), |id| format!("{id:x}"))
}

/// The raft voters as etcd stores them; none if that is not JSON.
fn conf_state(meta: Option<&MetaBucket>) -> Option<Value> {
    let text = meta?.conf_state.as_deref()?;
    serde_json::from_str(text).ok()
}

/// The release of etcd that wrote the database.
fn release_text(status: &StoreStatus) -> Option<String> {
    let text = match status.release.as_ref()? {
        Release::Storage(minor) => format!("written by etcd {minor} or later"),
        Release::Term => {
            "written by etcd 3.5, or by 3.6 in a cluster that is not fully upgraded".to_owned()
        }
        Release::Index => "written by etcd 3.4 or earlier".to_owned(),
    };
    Some(text)
}

/// The users and roles as the end of a sentence. Empty without users and roles.
fn users_text(status: &StoreStatus) -> String {
    let named = |names: Option<&Vec<Vec<u8>>>, one: &str, many: &str| {
        let names: Vec<_> = names?.iter().map(|name| key_text(name)).collect();
        let count = plural(names.len(), one, many);
        Some(match names.is_empty() {
            true => count,
            false => format!("{count} ({})", first_of(&names, NAMED)),
        })
    };
    let users = named(status.users.as_ref(), "user", "users");
    let roles = named(status.roles.as_ref(), "role", "roles");
    let is_empty = |names: Option<&Vec<Vec<u8>>>| names.is_none_or(Vec::is_empty);
    if is_empty(status.users.as_ref()) && is_empty(status.roles.as_ref()) {
        return String::new();
    }
    [users, roles]
        .into_iter()
        .flatten()
        .map(|text| format!(", {text}"))
        .collect()
}

/// A row for each meta page.
fn metas_table(status: &StoreStatus) -> Rows {
    let heads = [
        "META",
        "TXID",
        "ROOT",
        "HIGH-WATER MARK",
        "FREELIST",
        "STATE",
    ];
    let mut table = Rows::new(&heads, &[1, 2, 3])
        .wrapped()
        .drop_first(&[4, 3, 2])
        .painted(5, |style, state| {
            if state.starts_with("NOT VALID") {
                style.error
            } else {
                Paint::default()
            }
        });
    for (index, meta) in status.metas.iter().enumerate() {
        let row = match meta {
            Ok(meta) => [
                index.to_string(),
                meta.txid.to_string(),
                meta.root.to_string(),
                meta.high_water_mark.to_string(),
                freelist_text(meta),
                if status.chosen == Some(index) {
                    format!("chosen: {}", status.reason)
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
        table.add(&row);
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

fn buckets_table(status: &StoreStatus) -> Rows {
    let heads = ["BUCKET", "ROOT", "ELEMENTS", "KEYS", "VALUES"];
    let mut table = Rows::new(&heads, &[1, 2, 3, 4]).drop_first(&[1, 3, 4]);
    for bucket in &status.buckets {
        let root = if bucket.root == 0 {
            "inline".to_owned()
        } else {
            bucket.root.to_string()
        };
        table.add(&[
            bucket.name.escape_ascii().to_string(),
            root,
            bucket.elements.to_string(),
            human::bytes(bucket.key_bytes),
            human::bytes(bucket.value_bytes),
        ]);
    }
    table
}

fn members_table(status: &StoreStatus) -> Rows {
    let heads = ["MEMBER", "NAME", "PEER URLS", "CLIENT URLS", "LEARNER"];
    let mut table = Rows::new(&heads, &[]).whole(&[0]).drop_first(&[4, 2, 3]);
    for member in &status.members {
        table.add(&[
            member.id.clone(),
            member.name.clone(),
            member.peer_urls.join(","),
            member.client_urls.join(","),
            member.is_learner.to_string(),
        ]);
    }
    table
}

/// The state as one JSON object; what is not known is absent.
pub fn json(file: &File<'_>, status: &StoreStatus) -> Value {
    let parts = [
        file_json(file, status),
        record_json(status),
        store_json(file, status),
        lists_json(status),
        json!({ "encryption": encryption::json(&file.encryption) }),
        findings_json(file),
    ];
    let fields = parts.into_iter().filter_map(|part| match part {
        Value::Object(fields) => Some(fields),
        _ => None,
    });
    let known = fields.flatten().filter(|(_, field)| !field.is_null());
    Value::Object(known.collect())
}

fn file_json(file: &File<'_>, status: &StoreStatus) -> Value {
    let kind = match file.trailer {
        _ if status.is_foreign() => "bbolt",
        Some(TrailerCheck::Absent) => "db",
        _ => "snapshot",
    };
    json!({
        "path": file.path,
        "file_size": file.size_bytes,
        "kind": kind,
        "trailer": verdict::trailer_word(file.trailer),
        "page_size": status.page_size,
        "byte_order": order_text(status.order),
        "tail_bytes": file.tail.map(|tail| tail.bytes),
        "tail_is_zero": file.tail.map(|tail| tail.is_zero),
        "metas": status.metas.iter().map(meta_json).collect::<Vec<_>>(),
        "chosen_meta": status.chosen,
        "chosen_because": status.reason,
    })
}

fn record_json(status: &StoreStatus) -> Value {
    let records = status.records.as_ref().ok();
    let counts = records.map(|records| &records.counts);
    let meta = status.meta.as_ref();
    json!({
        "revision": records.map(|records| records.current_revision),
        "compact_revision": meta.map(MetaBucket::compact_revision),
        "scheduled_compact_revision": meta.and_then(|meta| meta.scheduled_compact_revision),
        "finished_compact_revision": meta.and_then(|meta| meta.finished_compact_revision),
        "oldest_record_revision": counts.and_then(|counts| counts.oldest),
        "records": counts.map(|counts| counts.records),
        "tombstones": counts.map(|counts| counts.tombstones),
        "keys": counts.map(|counts| counts.keys),
        "live_keys": counts.map(|counts| counts.live_keys),
        "hash": records.map(|records| records.hash),
        "hash_kv": records.map(|records| records.hash_kv),
        "total_keys": records.map(|records| json!({
            "3.5": sum_of_elements(&status.buckets),
            "3.6": records.counts.live_keys.saturating_add(u64::from(records.counts.bump_mark)),
        })),
        "hash_kv_revision": records.map(|records| records.current_revision),
    })
}

/// The release as one word of JSON: the oldest one that may have written the database, except for 3.4 and earlier.
fn release_word(release: &Release) -> &str {
    match release {
        Release::Storage(minor) => minor,
        Release::Term => "3.5",
        Release::Index => "3.4",
    }
}

/// Names as JSON. Bytes that are not UTF-8 are escaped.
fn names_json(names: &[Vec<u8>]) -> Value {
    names.iter().map(|name| key_text(name)).collect()
}

fn store_json(file: &File<'_>, status: &StoreStatus) -> Value {
    let free = free_bytes(file, status);
    let meta = status.meta.as_ref();
    json!({
        "total_size": status.total_size,
        "in_use_size": free.map(|free| status.total_size.saturating_sub(free)),
        "free_pages": file.pages.map(|pages| pages.free),
        "free_size": free,
        "defragmented_size": status.defragmented_size,
        "consistent_index": meta.and_then(|meta| meta.consistent_index),
        "term": meta.and_then(|meta| meta.term),
        "storage_version": meta.and_then(|meta| meta.storage_version.as_deref()),
        "cluster_version": status.cluster_version,
        "release": status.release.as_ref().map(release_word),
        "conf_state": conf_state(meta),
        "auth_enabled": status.auth_enabled,
        "users": status.users.as_deref().map(names_json),
        "roles": status.roles.as_deref().map(names_json),
        "leases": status.leases,
    })
}

fn lists_json(status: &StoreStatus) -> Value {
    json!({
        "buckets": status.buckets.iter().map(bucket_json).collect::<Vec<_>>(),
        "members": status.members.iter().map(|member| json!({
            "id": member.id,
            "name": member.name,
            "peer_urls": member.peer_urls,
            "client_urls": member.client_urls,
            "is_learner": member.is_learner,
        })).collect::<Vec<_>>(),
        "removed_members": status.removed_members,
        "alarms": status.alarms.iter().map(|alarm| json!({
            "member": format!("{:x}", alarm.member_id),
            "alarm": alarm.alarm_name(),
        })).collect::<Vec<_>>(),
    })
}

fn bucket_json(bucket: &BucketCounts) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "name", &bucket.name);
    fields.insert("root".to_owned(), bucket.root.into());
    fields.insert("inline".to_owned(), (bucket.root == 0).into());
    fields.insert("elements".to_owned(), bucket.elements.into());
    fields.insert("key_bytes".to_owned(), bucket.key_bytes.into());
    fields.insert("value_bytes".to_owned(), bucket.value_bytes.into());
    Value::Object(fields)
}

fn findings_json(file: &File<'_>) -> Value {
    json!({
        "sound": file.verdict.is_intact(),
        "verdict": verdict::sentence(&file.verdict),
        "torn": file.verdict.torn.is_some(),
        "checked_layers": STATUS_LAYERS.map(Layer::as_str),
        "findings": verdict::findings_json(&file.findings),
    })
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
