//! `hash` and `hashkv` print the numbers and the texts of etcd's programs.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;

use etcdive::bbolt::Db;
use etcdive::diag::Diagnostics;
use etcdive::etcd::Store;
use etcdive::etcd::hash::{hash_kv, hash_kv_as_compacted, hash_kv_by_revision};

use serde_json::Value;

use crate::reference::{database_of, folders};
use crate::support::synth::Rng;
use crate::support::synth::etcd::{Record, Store as Model};
use crate::support::synth::shapes;
use crate::support::{Scratch, case_roots, corpus, etcdive, testdata};

#[test]
fn the_hashes_of_a_folder_of_backups_are_those_of_its_full_snapshot() {
    let folder = testdata("backups/lzw");
    let folder = folder.to_str().unwrap();
    let note = "this is the full snapshot Full-00000000-00000005-1772359202.Z alone, without 3 delta snapshots of the folder";
    for words in [
        &["hash", folder][..],
        &["hashkv", folder],
        &["hashkv", folder, "--all"],
        &["du", folder],
    ] {
        let run = etcdive(words);
        assert_eq!(run.code, 0, "{words:?}: {}", run.stderr);
        assert!(run.stderr.contains(note), "{words:?}: {}", run.stderr);
    }
}

/// `status` and `hash` hash the same records of a damaged file, and both say if some are outside of its tree.
#[test]
fn a_damaged_file_has_one_hash() {
    let scratch = Scratch::new("hash-damaged");
    let bytes = std::fs::read(testdata("healthy/k8s/after.db")).unwrap();
    let mut files = vec![scratch.file("cut.db", &bytes[..3_000_000 / 4096 * 4096])];
    for entry in std::fs::read_dir(testdata("damaged")).unwrap() {
        let path = entry.unwrap().path();
        files.extend(Some(path).filter(|path| path.extension().is_some_and(|end| end == "db")));
    }
    let object = |words: &[&str]| -> (Value, String) {
        let run = etcdive(words);
        let object = serde_json::from_slice(&run.stdout).unwrap_or_default();
        (object, run.stderr)
    };
    let (mut compared, mut salvaged) = (0, 0);
    for file in &files {
        let path = file.to_str().unwrap();
        let (status, _) = object(&["status", path, "-o", "json"]);
        let (hash, notes) = object(&["hash", path, "-o", "json"]);
        let (verify, _) = object(&["verify", path, "-o", "jsonl"]);
        if status["hash"].is_null() {
            continue;
        }
        assert_eq!(status["hash"], hash["snapshot_status"], "{path}");
        assert_eq!(status["hash"], verify["hash"], "{path}");
        for other in [&hash, &verify] {
            assert_eq!(
                status["salvaged_records"], other["salvaged_records"],
                "{path}"
            );
        }
        let text = etcdive(["status", path]);
        let is_salvaged = !status["salvaged_records"].is_null();
        let says = text
            .text()
            .contains("outside of the damaged tree: etcdutl computes another");
        assert_eq!(says, is_salvaged, "{path}: {}", text.text());
        let note = "outside of the damaged tree: etcd and etcdutl do not read";
        assert_eq!(notes.contains(note), is_salvaged, "{path}: {notes}");
        let hashkv = etcdive(["hashkv", path]);
        assert_eq!(
            hashkv.stderr.contains(note),
            is_salvaged,
            "{path}: {}",
            hashkv.stderr
        );
        compared += 1;
        salvaged += usize::from(is_salvaged);
    }
    println!("{compared} damaged files compared, {salvaged} with salvaged records");
    assert!(compared > 8 && salvaged > 0, "{compared} {salvaged}");
}

/// The lines of `hashkv -w json`.
fn printed_hashes(db: &str, more: &[&str]) -> Vec<String> {
    let run = etcdive([&["hashkv", db, "-w", "json"], more].concat());
    assert_eq!(run.code, 0, "{db} {more:?}: {}", run.stderr);
    let text = String::from_utf8(run.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The recorded files of etcdutl's hashes at every revision, each with its database.
fn recorded_by_revision() -> Vec<(PathBuf, PathBuf)> {
    let mut cases = vec![(
        testdata("compare/hashkv.db"),
        testdata("compare/hashkv.by-rev.jsonl"),
    )];
    for root in case_roots() {
        for cluster in folders(&root.join("reference")) {
            for db in folders(&root.join("reference").join(&cluster)) {
                let folder = root.join("reference").join(&cluster).join(&db);
                let recorded = folder.join("etcdutl-3.7.hashkv.by-rev.jsonl");
                if recorded.is_file() {
                    cases.push((database_of(&root, &cluster, &db), recorded));
                }
            }
        }
    }
    cases
}

/// The store of `compare/hashkv.db` is compacted, and at one of its revisions no key is live.
#[test]
fn hashkv_is_etcdutls_at_every_revision() {
    let mut compared = 0;
    for (db, recorded) in recorded_by_revision() {
        let text = std::fs::read_to_string(&recorded).unwrap();
        let expected: Vec<&str> = text.lines().collect();
        let db = db.to_str().unwrap();
        assert_eq!(printed_hashes(db, &["--all"]), expected, "{db} --all");
        for line in &expected {
            let fields: serde_json::Value = serde_json::from_str(line).unwrap();
            let revision = fields["hashRevision"].to_string();
            assert_eq!(printed_hashes(db, &["--rev", &revision]), [*line], "{db}");
            compared += 1;
        }
        assert_eq!(
            printed_hashes(db, &[]).first().unwrap(),
            expected.last().unwrap()
        );
    }
    println!("{compared} revisions compared");
    assert!(compared >= 52);
}

/// The hashes that running servers of etcd 3.4 and 3.6 gave for each revision, with leases.
#[test]
fn hashkv_is_that_of_the_server_at_every_revision() {
    let Some(corpus) = corpus() else { return };
    let mut compared = 0;
    for version in ["34", "36"] {
        let folder = corpus.join("corpus/restore");
        let text = std::fs::read_to_string(folder.join(format!("src{version}.truth.json")));
        let truth: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
        let db = folder.join(format!("src{version}.snap.db"));
        let lines = printed_hashes(db.to_str().unwrap(), &["--all"]);
        for line in lines {
            let fields: serde_json::Value = serde_json::from_str(&line).unwrap();
            let at = &truth["at"][fields["hashRevision"].to_string()];
            // A running server answers for its compacted revision with the hash from before the compaction.
            if at["compact_revision"] != fields["compactRevision"] {
                continue;
            }
            assert_eq!(at["hashkv"], fields["hash"], "{version}: {line}");
            compared += 1;
        }
    }
    println!("{compared} hashes compared");
    assert!(compared > 80);
}

#[test]
fn hashkv_refuses_revisions_as_etcd_does() {
    let db = testdata("compare/hashkv.db");
    let db = db.to_str().unwrap();
    let before = etcdive(["hashkv", db, "--rev", "55"]);
    assert_eq!(before.code, 2);
    assert!(
        before.stderr.contains("has been compacted"),
        "{}",
        before.stderr
    );
    let after = etcdive(["hashkv", db, "--rev", "108"]);
    assert_eq!(after.code, 2);
    assert!(after.stderr.contains("future revision"), "{}", after.stderr);
    assert_ne!(etcdive(["hashkv", db, "--rev", "-1"]).code, 0);
    assert_ne!(etcdive(["hashkv", db, "--rev", "60", "--all"]).code, 0);
}

#[test]
fn hashkv_all_prints_each_format() {
    let db = testdata("compare/hashkv.db");
    let db = db.to_str().unwrap();
    let lines = |format: &str| {
        let run = etcdive(["hashkv", db, "--all", "-w", format]);
        assert_eq!(run.code, 0, "{format}: {}", run.stderr);
        String::from_utf8(run.stdout).unwrap().lines().count()
    };
    let revisions = 107 - 56 + 1;
    assert_eq!(lines("simple"), revisions);
    assert_eq!(lines("json"), revisions);
    assert_eq!(lines("fields"), revisions * 3);
    assert_eq!(lines("table"), revisions + 4);
}

#[test]
fn hash_has_the_number_of_etcdutl_and_that_of_etcd_dump_db() {
    let mut compared = 0;
    for root in case_roots() {
        for cluster in folders(&root.join("reference")) {
            for db in folders(&root.join("reference").join(&cluster)) {
                let folder = root.join("reference").join(&cluster).join(&db);
                let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
                let (Some(status), Some(dumped)) =
                    (read("etcdutl-3.6.status.json.txt"), read("dumpdb.hash.txt"))
                else {
                    continue;
                };
                let status: serde_json::Value = serde_json::from_str(&status).unwrap();
                let server = dumped.trim().rsplit(' ').next().unwrap().to_owned();
                let path = database_of(&root, &cluster, &db);
                let run = etcdive(["hash", path.to_str().unwrap(), "-o", "json"]);
                assert_eq!(run.code, 0, "{cluster}/{db}: {}", run.stderr);
                let got: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
                assert_eq!(got["snapshot_status"], status["hash"], "{cluster}/{db}");
                assert_eq!(got["server"].to_string(), server, "{cluster}/{db}");
                compared += 1;
            }
        }
    }
    println!("{compared} databases compared");
    assert!(compared > 0);
}

#[test]
fn hash_prints_a_table_for_people() {
    let db = testdata("compare/hashkv.db");
    let run = etcdive(["hash", db.to_str().unwrap()]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(
        text.contains("snapshot-status") && text.contains("server"),
        "{text}"
    );
}

/// The numbers cover what could be read, and the exit code says that something is missing.
#[test]
fn a_damaged_file_has_a_hash_and_exit_code_3() {
    let scratch = Scratch::new("hash-damaged");
    let mut bytes = std::fs::read(testdata("compare/hashkv.db")).unwrap();
    // The SHA-256 at the end is of the undamaged file.
    let value = b"last";
    let at = bytes.windows(value.len()).position(|part| part == value);
    bytes[at.unwrap()] ^= 1;
    let db = scratch.path().join("flipped.db");
    std::fs::write(&db, bytes).unwrap();
    for verb in ["hash", "hashkv"] {
        let run = etcdive([verb, db.to_str().unwrap()]);
        assert_eq!(run.code, 3, "{verb}: {}", run.stderr);
        assert!(!run.stdout.is_empty(), "{verb}");
        assert!(run.stderr.contains("SHA-256"), "{verb}: {}", run.stderr);
    }
}

/// HashKV by its definition: the records that a compaction at `at` keeps are computed anew for each revision.
fn naive_hash_kv(records: &[&Record], compacted: i64, at: i64) -> u32 {
    let mut kept: BTreeMap<&[u8], (i64, i64)> = BTreeMap::new();
    for record in records.iter().filter(|record| record.main <= at) {
        if record.tombstone {
            kept.remove(record.key.as_slice());
        } else {
            kept.insert(&record.key, (record.main, record.sub));
        }
    }
    let kept: BTreeSet<(i64, i64)> = kept.into_values().collect();
    let mut text = b"key".to_vec();
    for record in records.iter().filter(|record| record.main <= at) {
        let is_removed = !kept.is_empty() && !kept.contains(&(record.main, record.sub));
        let is_old = record.main <= compacted;
        if !(is_old && is_removed || record.main == compacted && record.tombstone) {
            text.extend(record.bucket_key());
            text.extend(record.bucket_value());
        }
    }
    crc32c::crc32c(&text)
}

/// A random store, compacted somewhere; some compactions were interrupted.
fn compacted_model(seed: u64) -> (Model, i64) {
    let mut model = shapes::uncompacted(&mut Rng::new(seed), 8 << (seed % 5));
    let compacted = 1 + (model.revision() - 1) * (seed as i64 % 4) / 4;
    match seed % 8 {
        _ if compacted <= 1 => return (model, 0),
        7 => model.compact_partly(compacted, 3),
        _ => model.compact(compacted),
    }
    (model, compacted)
}

#[test]
fn one_pass_gives_the_hash_of_every_revision() {
    let mut compared = 0;
    for seed in 0..40_u64 {
        let (model, compacted) = compacted_model(seed);
        let image = model.builder().build().bytes;
        let diagnostics = Diagnostics::new();
        let store = Store::from_db(Db::from_image(&image, None, &diagnostics).unwrap());
        assert_eq!(store.compact_revision(), compacted, "seed {seed}");
        let records = model.records();
        let mut by_revision = Vec::new();
        let Ok(()) = hash_kv_by_revision(&store, |hash| {
            by_revision.push((hash.revision, hash.hash));
            Ok::<(), Infallible>(())
        });
        let revisions = compacted.max(2)..=model.revision();
        let naive: Vec<(i64, u32)> = revisions
            .map(|at| (at, naive_hash_kv(&records, compacted, at)))
            .collect();
        if model.revision() > 1 {
            assert_eq!(by_revision, naive, "seed {seed}, compacted at {compacted}");
        }
        for (at, hash) in naive {
            assert_eq!(hash_kv(&store, at), hash, "seed {seed} at {at}");
            compared += 1;
        }
    }
    println!("{compared} hashes compared");
    assert!(compared > 500);
}

#[test]
fn the_hash_after_a_later_compaction_is_known_before_it() {
    let mut compared = 0;
    for seed in 0..40_u64 {
        let (before, first) = compacted_model(seed);
        if seed % 8 == 7 {
            continue;
        }
        let mut after = before.clone();
        let second = first.max(2) + (before.revision() - first.max(2)) / 2;
        if second > before.revision() {
            continue;
        }
        after.compact(second);
        let images = [before, after].map(|model| model.builder().build().bytes);
        let diagnostics = Diagnostics::new();
        let [before, after] = images
            .each_ref()
            .map(|image| Store::from_db(Db::from_image(image, None, &diagnostics).unwrap()));
        for at in second..=after.current_revision() {
            assert_eq!(
                hash_kv_as_compacted(&before, at, second),
                hash_kv(&after, at),
                "seed {seed}, compacted at {first}, then at {second}, hash at {at}"
            );
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn a_revision_that_is_not_retained_is_refused_with_the_flag_of_hashkv() {
    let db = testdata("compare/compacted.db");
    let db = db.to_str().unwrap();
    let newest = format!("the newest is `--rev {}`", newest_of(db));
    for (rev, expected) in [
        ("99999", newest.as_str()),
        ("2", "the oldest is `--rev 13`"),
    ] {
        let run = etcdive(["hashkv", db, "--rev", rev]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains(expected), "{rev}: {}", run.stderr);
        assert!(!run.stderr.contains("--at"), "{}", run.stderr);
        assert!(!run.stderr.contains("--carve"), "{}", run.stderr);
    }
    assert_eq!(etcdive(["hashkv", db, "--rev", "13"]).code, 0);
    for rev in ["abc", "-3"] {
        let run = etcdive(["hashkv", db, "--rev", rev]);
        assert_eq!(run.code, 2);
        let what = "a revision is a whole number from 0 on";
        assert!(run.stderr.contains(what), "{}", run.stderr);
    }
}

/// The newest revision of a database, as `hashkv` prints it.
fn newest_of(db: &str) -> i64 {
    let lines = printed_hashes(db, &[]);
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    line["hashRevision"]
        .as_i64()
        .or(line["hash_revision"].as_i64())
        .unwrap()
}
