//! One function a target: it takes any bytes, must return, and panics where a promise is broken.
//!
//! `tests/fuzz.rs` includes this file and runs every kept input through it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::LazyLock;

use etcdive::bbolt::check::walk;
use etcdive::bbolt::{Db, Direction, Kind, Leaf, Pages, Pgid};
use etcdive::bytes::ByteOrder;
use etcdive::diag::Diagnostics;
use etcdive::etcd::carve::Carved;
use etcdive::etcd::check::{check as check_records, check_former};
use etcdive::etcd::delta::Delta;
use etcdive::etcd::hash::hash_kv;
use etcdive::etcd::record_pass::Hashes;
use etcdive::etcd::status::{SnapshotStatus, StoreStatus};
use etcdive::etcd::wal::snap::Snap;
use etcdive::etcd::wal::{File, Wal, replay, writes};
use etcdive::etcd::{AtRevision, BucketKey, Events, KeyHistory, KeyValue, Keyspace, Store};
use etcdive::k8s::catalog::Catalog;
use etcdive::k8s::custom_columns::CustomColumns;
use etcdive::k8s::encrypt::value::EncryptedValue;
use etcdive::k8s::jsonpath::JsonPath;
use etcdive::k8s::meta::Meta;
use etcdive::k8s::redact::Masker;
use etcdive::k8s::selector::{FieldSelector, LabelSelector};
use etcdive::k8s::{Decoder, Options, Order};
use etcdive::query::address::Address;
use etcdive::query::pasted::Pasted;
use etcdive::query::revision::{RangeExpr, RevisionExpr};
use etcdive::query::select::Which;
use etcdive::view::json::{JsonStyle, JsonWriter};
use etcdive::view::sanitize::Sanitizer;
use etcdive::view::yaml::YamlWriter;
use serde::de::IgnoredAny;

#[path = "verbs.rs"]
mod verbs;

/// A target.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 12] = [
    ("whole_file", whole_file),
    ("page", page),
    ("record", record),
    ("protobuf", protobuf),
    ("json", json),
    ("cbor", cbor),
    ("address", address),
    ("languages", languages),
    ("pasted", pasted),
    ("terminal", terminal),
    ("wal", wal),
    ("delta", delta),
];

/// The resources that are built in: made once, for to make them takes longer than most inputs do.
static BUILT_IN: LazyLock<Catalog> = LazyLock::new(Catalog::default);

/// Longest file that is worth its time, in bytes.
const MAX_FILE_BYTES: usize = 1 << 17;

/// A database: its state, its records in either direction, the folds over them, the hashes.
///
/// Promised: the work follows the length of the file, so the bytes delivered are at most twice those
/// that are there, in each direction.
pub fn whole_file(data: &[u8]) {
    if data.len() > MAX_FILE_BYTES {
        return;
    }
    let diagnostics = Diagnostics::new();
    let Ok(db) = Db::from_image(data, None, &diagnostics) else {
        return;
    };
    let store = Store::from_db(db);
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for direction in [Direction::Forward, Direction::Backward] {
        let mut delivered = 0;
        for record in store.records(direction) {
            delivered += record.key.len() + record.value.len();
            if keys.len() < 2 {
                keys.push(record.key.to_vec());
            }
        }
        assert!(
            delivered <= 2 * data.len(),
            "{delivered} bytes of a file of {}",
            data.len()
        );
    }
    for key in keys {
        let _ = KeyHistory::read(&store, &key).at(&store, AtRevision::HEAD);
    }
    let store = with_carved(store, data.len());
    let keyspace = Keyspace::at(&store, AtRevision::HEAD, |_| true);
    let in_order = |pair: &[etcdive::etcd::KeyEntry<'_>]| pair[0].key < pair[1].key;
    assert!(keyspace.live.windows(2).all(in_order));
    assert!(keyspace.deleted.windows(2).all(in_order));
    let events = Events::read(&store, |_| true);
    assert_eq!(events.iter().count(), events.len());
    let _ = hash_kv(&store, store.current_revision());
    SnapshotStatus::read(&store);
    StoreStatus::read(&store);
    // What fsck looks at.
    walk(store.db(), store.buckets().iter().cloned());
    let pass = check_records(&store, Hashes::Omitted, |_| (), |_, _, ()| None::<()>);
    let _ = check_former(&store);
    store.state().compare_tree_with_scan(pass.walked.as_ref());
    store.state().compare_tree_with_scan(None);
    for (_, count, kept) in diagnostics.by_code() {
        assert!(kept.len() as u64 <= count);
        kept.iter().for_each(|finding| drop(finding.to_string()));
    }
    verbs::database(data);
}

/// Adds what freed pages hold: one record per revision, ascending, none that the state has, and no more bytes than the
/// file can be read as.
fn with_carved(store: Store<'_>, file_bytes: usize) -> Store<'_> {
    let state: HashSet<_> = store
        .records(Direction::Forward)
        .map(|record| record.revision)
        .collect();
    let carved = Carved::from_state(store.state());
    let store = store.with_carved(carved.records);
    let carved = store.additional();
    assert!(
        carved
            .windows(2)
            .all(|pair| pair[0].revision < pair[1].revision)
    );
    let bytes: usize = carved
        .iter()
        .map(|record| record.key.len() + record.value.len())
        .sum();
    assert!(
        bytes <= 8 * file_bytes,
        "{bytes} bytes of a file of {file_bytes}"
    );
    // A damaged tree may give a revision later, when all of it was looked at.
    let news = carved
        .iter()
        .filter(|record| !state.contains(&record.revision))
        .count();
    assert!(news == carved.len() || store.db().diagnostics().found_damage());
    store
}

/// A small database for the logs to lie beside.
static SMALL: &[u8] = include_bytes!("../regressions/whole_file/seed-store-00");

/// A file of a write-ahead log, and a raft snapshot.
///
/// Promised: what is read lies in the file, no entry twice, and a replay gives ascending revisions.
pub fn wal(data: &[u8]) {
    if data.len() > MAX_FILE_BYTES {
        return;
    }
    let _ = Snap::read(data);
    let diagnostics = Diagnostics::new();
    let half = data.len() / 2;
    let file = |sequence: u64, bytes| File {
        name: format!("{sequence}.wal"),
        sequence: Some(sequence),
        first_index: None,
        bytes,
        source: None,
    };
    for files in [
        vec![file(0, data)],
        vec![file(0, &data[..half]), file(1, &data[half..])],
    ] {
        let wal = Wal::read(files, &diagnostics);
        let bytes: usize = wal.entries.iter().map(|entry| entry.data.len()).sum();
        assert!(bytes <= data.len());
        let effective: Vec<u64> = wal.effective().map(|entry| entry.index).collect();
        assert!(effective.windows(2).all(|pair| pair[0] < pair[1]));
        for entry in &wal.entries {
            let request = entry.request();
            writes::changes(&request);
            etcdive::view::wal::sentence(&request, &mut |_| None);
            etcdive::view::wal::request_json(&request, &mut |_| None, &mut |_, _| {});
            etcdive::view::dump_logs::entry(
                entry,
                &request,
                etcdive::view::dump_logs::Release::V3_6,
            );
        }
        if let Some(whole) = replay::whole_log(&wal) {
            assert!(
                whole
                    .records
                    .windows(2)
                    .all(|pair| pair[0].revision < pair[1].revision)
            );
        }
    }
    verbs::log(data, SMALL);
}

/// Pages of 512 bytes from page 2 on; the first byte tells the byte order.
///
/// Promised: elements lie inside the page's run, and both directions give the same ones.
pub fn page(data: &[u8]) {
    const SIZE: usize = 512;
    let Some((first, body)) = data.split_first() else {
        return;
    };
    let order = if first & 1 == 0 {
        ByteOrder::Little
    } else {
        ByteOrder::Big
    };
    let mut image = vec![0; 2 * SIZE];
    image.extend_from_slice(body);
    let pages = Pages::new(&image, SIZE, order);
    for pgid in 2..pages.count() {
        let Ok(page) = pages.tree_page(Pgid(pgid)) else {
            continue;
        };
        let _ = (pages.bounds(&page), page.layout_fault());
        if page.kind == Some(Kind::Branch) {
            for index in 0..page.usable_count() {
                let _ = page.branch_element(index);
            }
            continue;
        }
        let (leaf, ..) = Leaf::check(page, drop);
        let run = page.run().offset()..page.run().offset() + page.run().len_bytes() as u64;
        let mut backward: Vec<_> = leaf.elements(Direction::Backward).collect();
        backward.reverse();
        for (forward, backward) in leaf.elements(Direction::Forward).zip(&backward) {
            let end = forward.value_offset + forward.value.len() as u64;
            assert!(run.contains(&forward.value_offset) || forward.value.is_empty());
            assert!(end <= run.end);
            assert_eq!(
                (forward.index, forward.key, forward.value),
                (backward.index, backward.key, backward.value)
            );
        }
        assert_eq!(leaf.elements(Direction::Forward).count(), backward.len());
    }
}

/// mvccpb.KeyValue as another reader has it (`api/mvccpb/kv.proto`).
#[derive(Clone, PartialEq, prost::Message)]
struct OtherKeyValue {
    #[prost(bytes, tag = "1")]
    key: Vec<u8>,
    #[prost(int64, tag = "2")]
    create_revision: i64,
    #[prost(int64, tag = "3")]
    mod_revision: i64,
    #[prost(int64, tag = "4")]
    version: i64,
    #[prost(bytes, tag = "5")]
    value: Vec<u8>,
    #[prost(int64, tag = "6")]
    lease: i64,
}

/// A key and a value of bucket `key`: the first byte is the length of the key.
///
/// Promised: where two readers take a value for a mvccpb.KeyValue, they read the same.
pub fn record(data: &[u8]) {
    let Some((key_len, rest)) = data.split_first() else {
        return;
    };
    let (key, value) = rest.split_at(usize::from(*key_len).min(rest.len()));
    let _ = BucketKey::parse(key);
    let ours = KeyValue::parse(value);
    let others = <OtherKeyValue as prost::Message>::decode(value);
    if let (Ok(ours), Ok(others)) = (ours, others) {
        assert_eq!(
            (ours.key, ours.create_revision, ours.mod_revision),
            (&others.key[..], others.create_revision, others.mod_revision)
        );
        assert_eq!(
            (ours.version, ours.value, ours.lease),
            (others.version, &others.value[..], others.lease)
        );
    }
}

/// A stored value in every form that the tool prints.
///
/// Promised: an error comes before any output, and what is printed as JSON is JSON.
fn value(stored: &[u8]) {
    // One of the six ways an input, so that there is time for more inputs.
    let order = [Order::Declared, Order::Sorted, Order::Natural][stored.len() % 3];
    let as_served = stored.len() / 3 % 2 == 1;
    let options = Options { order, as_served };
    let mut decoder = Decoder::new();
    let mut json = JsonWriter::new(Vec::new(), JsonStyle::Compact);
    let told = decoder.decode(stored, options, &mut json).is_ok();
    let text = json.finish().unwrap_or_default();
    if told {
        // Not a tree: its parser has a limit of depth of its own.
        let parsed = serde_json::from_slice::<IgnoredAny>(&text);
        assert!(parsed.is_ok(), "{}", text.escape_ascii());
    } else {
        assert!(text.is_empty(), "an error after output");
    }
    let mut yaml = YamlWriter::new(Vec::new());
    let told_again = decoder.decode(stored, options, &mut yaml).is_ok();
    let text = yaml.finish().unwrap_or_default();
    assert_eq!((told, told), (told_again, !text.is_empty()));
    assert!(std::str::from_utf8(&text).is_ok());
    let meta = Meta::read(stored);
    let mut masker = Masker::new(false);
    if let Ok(tree) = masker.tree_of(stored, true) {
        let _ = masker.mask(&tree, true);
    }
    // Nothing is learnt from a value of no kind.
    if meta.is_some_and(|meta| !meta.kind.is_empty()) {
        let mut catalog = BUILT_IN.clone();
        catalog.learn(b"/registry/example.com/things/shop/a", stored);
    }
}

/// What stands behind `k8s\0`: a runtime.Unknown and the object in it. The first byte may say that the
/// value is encrypted instead.
pub fn protobuf(data: &[u8]) {
    let (first, body) = data.split_first().unwrap_or((&0, data));
    let prefix: &[u8] = match first {
        0xFE => b"k8s:enc:kms:v2:p:",
        0xFF => b"k8s:enc:aescbc:v1:k:",
        _ => b"k8s\0",
    };
    let stored = [prefix, body].concat();
    if let Some(sealed) = EncryptedValue::parse(&stored) {
        let _ = (
            sealed.key_id(),
            etcdive::view::encryption::sealed_json(&sealed),
        );
    }
    value(&stored);
}

/// A value that begins like a JSON object.
pub fn json(data: &[u8]) {
    value(&[b"{", data].concat());
    value(&[b"[", data].concat());
}

/// What stands behind CBOR's tag 55799.
pub fn cbor(data: &[u8]) {
    value(&[b"\xd9\xd9\xf7", data].concat());
}

/// Words of a command line: addresses, revisions, ranges.
///
/// Promised: a key that can be told can be typed.
pub fn address(data: &[u8]) {
    let word = OsStr::from_bytes(data);
    if let Ok(Some(address)) = Address::surely_raw(word) {
        let (Address::Key(bytes) | Address::Prefix(bytes)) = &address else {
            panic!("a raw address is a key or a prefix");
        };
        let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        let typed = Address::surely_raw(OsStr::new(&format!("key:{escaped}")));
        assert_eq!(typed.ok().flatten().as_ref(), Some(&address));
        assert!(address.covers(bytes));
        let _ = (address.text(), address.names_one());
    }
    let which = Which::new(vec![word.to_owned(), word.to_owned()], Vec::new());
    let _ = (which.split_range().is_ok(), which.split_number().1);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = (text.parse::<RevisionExpr>(), text.parse::<RangeExpr>());
    let range = RangeExpr::looks_like_one(text);
    assert!(!range || text.parse::<RangeExpr>().is_ok());
    let _ = BUILT_IN.locate(data);
    if data.len() < 64 {
        let _ = BUILT_IN.resolve(text);
    }
}

/// What is pasted where a stored value is wanted.
///
/// Promised: values have at most twice the bytes of the input (UTF-16 grows), and 8 MiB of lines that a dump leaves out.
pub fn pasted(data: &[u8]) {
    let Ok(pasted) = Pasted::read(data) else {
        return;
    };
    assert!(!pasted.values.is_empty());
    let bytes: usize = pasted.values.iter().map(|value| value.value.len()).sum();
    assert!(bytes <= 2 * data.len() + 6 * (8 << 20));
}

/// kubectl's little languages: JSONPath, custom columns, selectors.
pub fn languages(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let object = serde_json::json!({
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web", "n": "3"}},
        "spec": {"containers": [{"name": "a", "ports": [80, 443]}, {"name": "b"}], "x": null},
        "status": {"phase": "Running", "ratio": 0.5}
    });
    for parsed in [JsonPath::parse(text), JsonPath::parse_relaxed(text)] {
        if let Ok(path) = parsed
            && let Ok(found) = path.allow_missing_keys(true).find(&object)
        {
            let _ = found.print(&mut Vec::new());
        }
    }
    if let Ok(columns) = CustomColumns::parse(text) {
        let _ = columns.cells(&object);
    }
    if let Ok(labels) = LabelSelector::parse(text) {
        labels.matches(&object);
    }
    if let Ok(fields) = FieldSelector::parse(text) {
        let _ = fields.matches(&object);
    }
}

/// Bytes on their way to a terminal, cut in two at a place that the first byte tells.
///
/// Promised: no control character but line feed and tab gets through, and the cut changes nothing.
pub fn terminal(data: &[u8]) {
    let (first, text) = data.split_first().unwrap_or((&0, data));
    let cut = usize::from(*first).min(text.len());
    let shown = |parts: [&[u8]; 2]| {
        let (mut sanitizer, mut out) = (Sanitizer::default(), Vec::new());
        for part in parts {
            let _ = sanitizer.write(part, &mut out);
        }
        let _ = sanitizer.finish(&mut out);
        out
    };
    let whole = shown([text, b""]);
    assert_eq!(whole, shown([&text[..cut], &text[cut..]]));
    let text = std::str::from_utf8(&whole).unwrap_or("\0");
    assert!(
        text.chars()
            .all(|c| !c.is_control() || c == '\n' || c == '\t')
    );
}

/// A delta snapshot of etcd-backup-restore: its records are in order, each of another revision.
pub fn delta(data: &[u8]) {
    let diagnostics = Diagnostics::new();
    let delta = Delta::read(data, "Incr", &diagnostics);
    let revisions: Vec<_> = delta.records().map(|record| record.revision).collect();
    assert!(revisions.is_sorted_by(|one, next| one < next));
    assert_eq!(revisions.len(), delta.len());
}
