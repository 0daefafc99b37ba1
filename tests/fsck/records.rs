//! Faults of records and of the small buckets.

use super::{Fault, assert_found, fsck, store};
use crate::support::synth::etcd::{Record, Store, Version, revision_key, tombstone_key};
use crate::support::synth::{Bucket, Image};
use crate::verbs::jsonl;

fn put(main: i64, key: &str, create_revision: i64, version: i64) -> Record {
    Record {
        main,
        key: key.into(),
        create_revision,
        mod_revision: main,
        version,
        value: b"v".to_vec(),
        ..Record::default()
    }
}

fn tombstone(main: i64, key: &str) -> Record {
    Record {
        main,
        tombstone: true,
        key: key.into(),
        ..Record::default()
    }
}

/// A store with exactly these records, compacted to a revision.
fn with_records(records: &[Record], compacted: i64) -> Image {
    let pairs = records
        .iter()
        .map(|record| (record.bucket_key(), record.bucket_value()));
    let mut store = Store::new(Version::V3_5);
    store.set_bucket("key", Bucket::of(pairs));
    if compacted > 0 {
        let key = revision_key(compacted, 0);
        let meta = store.meta_bucket();
        let meta = meta
            .put("scheduledCompactRev", key.clone())
            .put("finishedCompactRev", key);
        store.set_bucket("meta", meta);
    }
    store.builder().build()
}

/// Where the value under a key of a bucket is: its page and its offset.
fn place(image: &Image, key: &[u8]) -> (u64, u64) {
    let bytes = &image.bytes;
    let found = bytes.windows(key.len()).position(|window| window == key);
    let offset = found.unwrap_or_else(|| panic!("{key:?} is not there")) + key.len();
    ((offset / image.page_size) as u64, offset as u64)
}

fn fault(
    name: &'static str,
    records: &[Record],
    compacted: i64,
    code: &'static str,
    at: usize,
) -> Fault {
    let image = with_records(records, compacted);
    let (page, offset) = place(&image, &records[at].bucket_key());
    Fault::alone(name, image.bytes, code, page, offset)
}

#[test]
fn records_that_contradict_each_other_are_found_at_the_later_one() {
    let twice = Record {
        sub: 1,
        ..put(2, "a", 2, 1)
    };
    assert_found(vec![
        fault(
            "a version is missing",
            &[put(2, "a", 2, 1), put(3, "a", 2, 3)],
            0,
            "version-gap",
            1,
        ),
        fault(
            "the first versions are missing",
            &[put(2, "b", 2, 1), put(3, "a", 2, 2)],
            0,
            "version-gap",
            1,
        ),
        fault(
            "the tombstone is missing",
            &[put(2, "a", 2, 1), put(3, "a", 3, 1)],
            0,
            "version-gap",
            1,
        ),
        fault(
            "what lived at the compaction is missing",
            &[put(2, "b", 2, 1), put(6, "a", 3, 2)],
            5,
            "version-gap",
            1,
        ),
        fault(
            "a version again",
            &[put(2, "a", 2, 1), put(3, "a", 2, 2), put(4, "a", 2, 2)],
            0,
            "generation-mismatch",
            2,
        ),
        fault(
            "a version below the compaction falls",
            &[put(3, "a", 2, 4), put(4, "a", 2, 3)],
            4,
            "generation-mismatch",
            1,
        ),
        fault(
            "a tombstone of nothing",
            &[put(2, "b", 2, 1), tombstone(3, "a")],
            0,
            "tombstone-unmatched",
            1,
        ),
        fault(
            "a tombstone of a tombstone",
            &[put(2, "a", 2, 1), tombstone(3, "a"), tombstone(4, "a")],
            0,
            "tombstone-unmatched",
            2,
        ),
        fault(
            "a key twice",
            &[put(2, "a", 2, 1), twice],
            0,
            "key-twice",
            1,
        ),
    ]);
}

#[test]
fn what_a_compaction_or_a_bumped_restore_leaves_is_no_fault() {
    let bump = Record {
        main: 1000,
        mod_revision: 0,
        ..Record::default()
    };
    let cases: [(&[Record], i64); 5] = [
        (
            &[put(2, "a", 2, 1), put(5, "b", 3, 2), put(6, "a", 2, 2)],
            5,
        ),
        (
            &[
                put(4, "a", 2, 3),
                tombstone(5, "b"),
                put(6, "b", 6, 1),
                tombstone(7, "a"),
            ],
            5,
        ),
        (
            &[
                put(4, "a", 2, 3),
                put(5, "a", 2, 4),
                tombstone(6, "a"),
                put(7, "a", 7, 1),
            ],
            5,
        ),
        (&[put(2, "a", 2, 1), put(3, "a", 2, 2), bump.clone()], 1000),
        (
            &[
                put(3, "a", 2, 2),
                bump,
                put(1001, "a", 2, 3),
                put(1002, "b", 1002, 1),
            ],
            1000,
        ),
    ];
    for (index, (records, compacted)) in cases.iter().enumerate() {
        let run = fsck(&with_records(records, *compacted).bytes, &["-o", "jsonl"]);
        assert_eq!((run.code, run.text()), (0, ""), "case {index}");
    }
}

#[test]
fn a_damaged_record_is_found() {
    let of_page = |name, pairs: Vec<(Vec<u8>, Vec<u8>)>, code, others| {
        let mut store = Store::new(Version::V3_5);
        store.set_bucket("key", Bucket::of(pairs).never_inline());
        let image = store.builder().build();
        let page = image.bucket_runs(b"key")[0].pgid;
        Fault::alone(name, image.bytes.clone(), code, page, page * 4096).with(others)
    };
    let value = |record: Record| record.bucket_value();
    let other = Record {
        mod_revision: 9,
        create_revision: 9,
        ..put(3, "a", 2, 1)
    };
    assert_found(vec![
        of_page(
            "a revision of 16 bytes",
            vec![
                (revision_key(2, 0), value(put(2, "a", 2, 1))),
                (vec![0x7F; 16], vec![]),
            ],
            "revision-key",
            &[],
        ),
        of_page(
            "half a record",
            vec![(revision_key(2, 0), b"\x0a\x09k".to_vec())],
            "record-parse",
            &[],
        ),
        of_page(
            "another mod_revision",
            vec![
                (revision_key(2, 0), value(put(2, "b", 2, 1))),
                (revision_key(3, 0), value(other)),
            ],
            "record-mismatch",
            &[],
        ),
        of_page(
            "a tombstone with a value",
            vec![
                (revision_key(2, 0), value(put(2, "a", 2, 1))),
                (tombstone_key(3, 0), value(put(3, "a", 2, 2))),
            ],
            "record-mismatch",
            &[],
        ),
        of_page(
            "a gap",
            vec![
                (revision_key(2, 0), value(put(2, "a", 2, 1))),
                (revision_key(4, 0), value(put(4, "b", 4, 1))),
            ],
            "revision-gap",
            &["records-lost"],
        ),
    ]);
}

#[test]
fn a_live_key_whose_lease_is_not_there_is_found_and_an_older_version_is_not() {
    let mut store = Store::new(Version::V3_6);
    store.grant(7, 60);
    store.put_leased("held", b"v", 7);
    store.put_leased("lost", b"v", 0xBEEF);
    store.put_leased("was", b"v", 0xBEEF);
    store.put("was", "v");
    store.put_leased("gone", b"v", 0xBEEF);
    store.delete("gone");
    let image = store.builder().build();
    let (page, offset) = place(&image, &revision_key(3, 0));
    let run = fsck(&image.bytes, &["-o", "jsonl"]);
    let rows = jsonl(&run);
    assert_eq!(rows.len(), 1, "{}", run.text());
    assert_eq!(rows[0]["key"], "lost");
    assert_eq!(
        rows[0]["expected"],
        "lease 000000000000beef in bucket lease"
    );
    assert_found(vec![Fault::alone(
        "lost lease",
        image.bytes,
        "lease-missing",
        page,
        offset,
    )]);
}

#[test]
fn a_value_of_a_small_bucket_that_is_none_is_found() {
    let with = |bucket: &'static str, key: &[u8], value: &[u8]| {
        let mut store = store();
        store.set_bucket(bucket, Bucket::new().put(key, value));
        let image = store.builder().build();
        let (page, offset) = place(&image, key);
        Fault::alone(bucket, image.bytes, "bucket-value", page, offset)
    };
    assert_found(vec![
        with("lease", &0x7777_7777_i64.to_be_bytes(), b"\x08\x01"),
        with("members", b"deadbeef", b"{"),
        with("members_removed", b"no hex", b"removed"),
        with("authUsers", b"somebody", b"\x0a\x04root"),
        with("authRoles", b"somerole", b"\xff"),
        with("auth", b"authEnabled", b"\x07"),
        with("cluster", b"clusterVersion", b"new"),
        with("cluster", b"downgrade", b"[]"),
        with("alarm", b"\x08\xff\xff\xff", b""),
    ]);
    let mut store = store();
    let meta = store
        .meta_bucket()
        .put("finishedCompactRev", revision_key(9, 0));
    store.set_bucket("meta", meta);
    let contradiction = store.builder().build();
    let root = contradiction.metas[contradiction.current_meta].root;
    assert_found(vec![Fault::alone(
        "finished, never scheduled",
        contradiction.bytes,
        "meta-contradiction",
        root,
        root * 4096,
    )]);
}

#[test]
fn a_number_of_bucket_meta_of_another_size_is_found() {
    let mut store = store();
    let meta = Bucket::new()
        .put("consistent_index", [1_u8; 7])
        .put("confState", "[");
    store.set_bucket("meta", meta);
    let run = fsck(&store.builder().build().bytes, &["-o", "jsonl"]);
    let rows = jsonl(&run);
    let keys: Vec<_> = rows
        .iter()
        .map(|row| (row["code"].as_str().unwrap(), row["key"].as_str().unwrap()))
        .collect();
    assert_eq!(keys.len(), 2, "{}", run.text());
    assert!(
        keys.contains(&("bucket-value", "consistent_index"))
            && keys.contains(&("bucket-value", "confState"))
    );
    assert_eq!(run.code, 1);
}

#[test]
fn an_unknown_bucket_and_an_interrupted_compaction_are_worth_knowing() {
    let mut unknown = store();
    unknown.set_bucket("test", Bucket::new().put("a", "b"));
    let image = unknown.builder().build();
    let root = image.metas[image.current_meta].root;
    assert_found(vec![Fault::alone(
        "unknown bucket",
        image.bytes,
        "bucket-unknown",
        root,
        root * 4096,
    )]);
    let mut partly = store();
    partly.compact_partly(80, 3);
    let bytes = partly.builder().build().bytes;
    assert_found(vec![Fault {
        page: None,
        offset: None,
        ..Fault::alone("interrupted", bytes, "compaction-interrupted", 0, 0)
    }]);
}
