//! One damaged store has one verdict: a verb that answers from what is damaged says so with the exit code of `fsck`.

use crate::support::synth::etcd::{Record, Store, Version};
use crate::support::synth::{Bucket, Builder};
use crate::support::{Scratch, etcdive, read_unpacked, testdata};

/// Lines that read the history of all keys, or of the key.
const HISTORY: &[&str] = &[
    "ls DB",
    "ls DB --deleted",
    "get DB /registry/ -o jsonl",
    "get DB key:/registry/a -o json",
    "log DB",
    "log DB key:/registry/a",
    "log DB --timeline",
    "show DB 3",
    "diff DB 2..@",
    "watch DB /registry/ --rev 2",
    "grep DB value",
    "grep DB value --history",
    "recover DB",
    "status DB",
    "status DB -w json",
    "analyze DB",
    "fsck DB",
];

fn run(line: &str, db: &str) -> (i32, String) {
    let words = line
        .split(' ')
        .map(|word| if word == "DB" { db } else { word });
    let run = etcdive(words);
    (run.code, run.stderr)
}

fn record(key: &str, main: i64, version: i64) -> Record {
    Record {
        main,
        key: key.as_bytes().to_vec(),
        create_revision: if version == 1 { main } else { 2 },
        mod_revision: main,
        version,
        value: b"value".to_vec(),
        ..Record::default()
    }
}

fn tombstone(key: &str, main: i64) -> Record {
    Record {
        main,
        tombstone: true,
        key: key.as_bytes().to_vec(),
        ..Record::default()
    }
}

/// A store of these records, compacted to a revision.
fn store_of(scratch: &Scratch, name: &str, records: &[Record], compacted: i64) -> String {
    let mut store = Store::new(Version::V3_6);
    for _ in 2..=records.len() + 1 {
        store.put("/registry/b", "value");
    }
    if compacted > 0 {
        store.compact(compacted);
    }
    let pairs = records
        .iter()
        .map(|record| (record.bucket_key(), record.bucket_value()));
    let image = with_records(&store, Bucket::of(pairs)).build();
    let path = scratch.file(name, &image.bytes);
    path.to_str().unwrap().to_owned()
}

/// A store with another bucket `key`.
fn with_records(store: &Store, records: Bucket) -> Builder {
    let mut buckets = store.buckets();
    buckets.insert(b"key".to_vec(), records);
    let nest = |root: Bucket, (name, bucket)| root.nest(name, bucket);
    store
        .builder()
        .root(buckets.into_iter().fold(Bucket::new(), nest))
}

#[test]
fn a_history_that_lacks_a_record_is_damaged_for_every_verb_that_reads_it() {
    let scratch = Scratch::new("consistent-history");
    let (a, b) = ("/registry/a", "/registry/b");
    for (name, records) in [
        (
            "first",
            vec![record(b, 2, 1), tombstone(a, 3), record(b, 4, 2)],
        ),
        (
            "twice",
            vec![record(a, 2, 1), tombstone(a, 3), tombstone(a, 4)],
        ),
        ("version", vec![record(a, 2, 1), record(a, 3, 3)]),
    ] {
        let db = store_of(&scratch, name, &records, 0);
        for line in HISTORY {
            if name == "version" && line.contains("--deleted") {
                continue;
            }
            let (code, stderr) = run(line, &db);
            assert_eq!(code, 3, "{name}: {line}: {stderr}");
            let found = if name == "version" {
                "version-gap"
            } else {
                "tombstone-unmatched"
            };
            let is_told = line.starts_with("fsck") || stderr.contains(&format!("error: {found}: "));
            assert!(is_told, "{name}: {line}: {stderr}");
        }
        if name == "first" {
            // Of another key's history it says nothing.
            let (code, stderr) = run("log DB key:/registry/b", &db);
            assert_eq!((code, stderr.as_str()), (0, ""));
        }
    }
}

#[test]
fn a_tombstone_that_a_compaction_kept_is_no_damage() {
    let scratch = Scratch::new("consistent-compacted");
    let records = [tombstone("/registry/a", 3), record("/registry/b", 4, 1)];
    let db = store_of(&scratch, "db", &records, 3);
    let mut answered = 0;
    for line in HISTORY
        .iter()
        .filter(|line| !line.contains("2..@") && !line.contains("--rev 2"))
    {
        let (code, stderr) = run(line, &db);
        assert!(code < 2, "{line}: {code}: {stderr}");
        answered += usize::from(code == 0);
    }
    assert!(answered > 5, "{answered}");
}

/// Buckets in each other, so many deep below the root.
fn nested(deep: usize) -> Bucket {
    let inner = Bucket::of([(b"k".to_vec(), b"v".to_vec())]).never_inline();
    (1..deep).fold(inner, |inner, _| {
        Bucket::new().nest("deep", inner).never_inline()
    })
}

#[test]
fn buckets_that_are_too_deep_are_one_finding_for_all_that_walk_them() {
    let scratch = Scratch::new("consistent-buckets");
    for (deep, is_too_deep) in [(3, false), (63, false), (64, false), (65, true), (66, true)] {
        let mut store = Store::new(Version::V3_6);
        store.put("/registry/a", "value");
        store.set_bucket("many", nested(deep));
        let path = scratch.file(&format!("db-{deep}"), &store.builder().build().bytes);
        let db = path.to_str().unwrap();
        for line in ["fsck DB", "buckets DB", "pages DB"] {
            let (code, stderr) = run(line, db);
            assert_eq!(
                code == 3,
                is_too_deep,
                "{deep} deep: {line}: {code}: {stderr}"
            );
        }
        let fsck = etcdive(["fsck", db, "-o", "json"]);
        assert_eq!(
            fsck.text().contains("tree-too-deep"),
            is_too_deep,
            "{}",
            fsck.text()
        );
    }
    let alone = Builder::new().bucket("few", nested(3)).build();
    let path = scratch.file("alone", &alone.bytes);
    assert_eq!(etcdive(["buckets", path.to_str().unwrap()]).code, 0);
}

#[test]
fn what_is_encrypted_may_be_what_was_looked_for() {
    let scratch = Scratch::new("consistent-encrypted");
    let mut store = Store::new(Version::V3_6);
    for key in ["/registry/secrets/shop/a", "/registry/secrets/shop/b"] {
        store.put(
            key,
            &b"k8s:enc:aescbc:v1:key1:0123456789abcdef0123456789abcdef"[..],
        );
    }
    let path = scratch.file("db", &store.builder().build().bytes);
    let db = path.to_str().unwrap();
    for line in [
        "grep DB password",
        "grep DB password --history",
        "grep DB password -o json",
        "log DB -S password",
        "log DB -G password",
        "ls DB -l app=shop",
        "get DB secrets -A -l app=shop",
        "diff DB 2..@ -l app=shop",
        "watch DB /registry/ --rev 2 -l app=shop",
    ] {
        let (code, stderr) = run(line, db);
        assert_eq!(code, 3, "{line}: {stderr}");
        let said = "encrypted at rest by aescbc v1, key \"key1\", and no EncryptionConfiguration was given";
        assert!(stderr.contains(said), "{line}: {stderr}");
    }
    // What is asked of the keys alone is answered.
    assert_eq!(run("ls DB", db).0, 0);
    store.put(
        "/registry/configmaps/shop/c",
        r#"{"apiVersion":"v1","kind":"ConfigMap"}"#,
    );
    let path = scratch.file("mixed", &store.builder().build().bytes);
    let none = run("grep DB password configmaps -A", path.to_str().unwrap());
    assert_eq!(none.0, 1, "{}", none.1);
}

#[test]
fn a_note_on_carving_counts_the_leaf_pages_that_are_out_of_use() {
    let scratch = Scratch::new("consistent-carve");
    let bytes = read_unpacked(&testdata("hostile/carve-note.db.gz"));
    let path = scratch.file("db", &bytes);
    let db = path.to_str().unwrap();
    let rows = etcdive(["pages", db, "-o", "jsonl"]);
    let is_free_leaf = |line: &&str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        row["type"] == "free" && line.contains("leaf")
    };
    let free = rows.text().lines().filter(is_free_leaf).count();
    assert!(free > 0, "{}", rows.text());
    let run = etcdive(["ls", db, "--carve"]);
    let said = format!(": {free} of its 17 pages are leaf pages not in use, ");
    assert!(run.stderr.contains(&said), "{}", run.stderr);
}
