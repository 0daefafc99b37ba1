//! The verb: its flags, its exit codes, its files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::corrupt::busy_store;
use crate::support::synth::Bucket;
use crate::support::synth::etcd::{Store, Version, alarm_key};
use crate::support::{Run, Scratch, bolt_reader, etcdive, names_in, testdata};

fn source() -> String {
    testdata("restore/src36.snap.db")
        .to_str()
        .unwrap()
        .to_owned()
}

/// Runs `restore` with these flags; the new file is `new.db` of the folder.
fn run(scratch: &Scratch, db: &str, flags: &str) -> (Run, PathBuf) {
    let out = scratch.path().join("new.db");
    let mut words = vec!["restore", db, "--out", out.to_str().unwrap()];
    words.extend(flags.split_whitespace());
    (etcdive(words), out)
}

fn report(out: &Path) -> Value {
    let path = format!("{}.restore.json", out.display());
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn it_writes_a_file_and_a_report() {
    let scratch = Scratch::new("restore-writes");
    let (run, out) = run(&scratch, &source(), "--at 60");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let bytes = std::fs::read(&out).unwrap();
    let read = bolt_reader::read(&bytes, true);
    assert_eq!(bytes.len() % 512, 32, "a snapshot file");
    assert_eq!(
        std::fs::metadata(&out).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(names_in(scratch.path()), ["new.db", "new.db.restore.json"]);
    let report = report(&out);
    for (field, value) in [
        ("revision", 60),
        ("source_revision", 75),
        ("compact_revision", 29),
    ] {
        assert_eq!(report[field], value, "{field}");
    }
    assert_eq!(report["complete"], true);
    assert_eq!(report["records"], read.buckets["key"].len());
    assert_eq!(report["source"]["unchanged"], true);
    let sum = etcdive(["status", out.to_str().unwrap(), "--evidence", "-o", "json"]);
    assert_eq!(sum.code, 0, "{}{}", sum.text(), sum.stderr);
    let status: Value = serde_json::from_slice(&sum.stdout).unwrap();
    assert_eq!(report["file"]["sha256"], status["evidence"]["sha256"]);
    let text = run.text();
    for part in [
        "hashkv",
        "revision",
        "etcdutl snapshot restore",
        "--bump-revision 1000015",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn json_is_the_report() {
    let scratch = Scratch::new("restore-json");
    let (run, out) = run(&scratch, &source(), "-o json");
    let printed: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(printed, report(&out));
    assert_eq!(printed["revision"], 75);
}

#[test]
fn each_flag_changes_what_is_written() {
    let buckets = |flags: &str| {
        let scratch = Scratch::new("restore-flags");
        let (run, out) = run(&scratch, &source(), flags);
        assert_eq!(run.code, 0, "{flags}: {}", run.stderr);
        bolt_reader::read(&std::fs::read(out).unwrap(), true).buckets
    };
    let all = buckets("");
    assert!(buckets("--history none")["key"].len() < all["key"].len());
    assert_eq!(buckets("--history all"), all);
    assert!(buckets("--at @~10")["key"].len() < all["key"].len());
    let some = buckets("--prefix t/");
    let rest = buckets("--exclude t/");
    let state = buckets("--history none");
    assert!(!some["key"].is_empty() && !rest["key"].is_empty());
    assert_eq!(some["key"].len() + rest["key"].len(), state["key"].len());
    let ttl = |flags: &str| {
        let leases = buckets(flags)["lease"].clone();
        leases
            .into_iter()
            .map(|(_, lease)| lease)
            .collect::<Vec<_>>()
    };
    assert_ne!(ttl("--at 40"), ttl("--at 40 --lease-ttl 77"));
}

#[test]
fn a_prefix_does_not_take_the_whole_history() {
    let scratch = Scratch::new("restore-prefix-all");
    let (run, out) = run(&scratch, &source(), "--prefix t/ --history all");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("--prefix and --exclude write the state only")
    );
    assert!(!out.exists());
    let (run, _) = self::run(&scratch, &source(), "--prefix nothing/");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no key matches"), "{}", run.stderr);
}

#[test]
fn a_time_means_an_interval_and_is_refused_if_keys_differ_in_it() {
    let db = testdata("healthy/k8s/after.db");
    let scratch = Scratch::new("restore-time");
    let (run, out) = run(&scratch, db.to_str().unwrap(), "--at-time 21:11:19");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.text().contains("revisions 2221 to 2222 fit"),
        "{}",
        run.text()
    );
    let report = report(&out);
    assert_eq!(report["revision"], 2222);
    assert_eq!(report["time"]["oldest_revision"], 2221);
    assert_eq!(report["time"]["newest_revision"], 2222);

    // Keys without a time were created between two objects with one.
    let mut store = Store::new(Version::V3_6);
    let object = |second: u32| {
        format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"c{second}","namespace":"a","creationTimestamp":"2026-11-20T21:00:{second:02}Z"}}}}"#
        )
    };
    store.put("/registry/configmaps/a/c10", object(10));
    store.put("/x/one", "1");
    store.put("/x/two", "2");
    store.put("/registry/configmaps/a/c30", object(30));
    let scratch = Scratch::new("restore-time-several");
    let db = scratch.file("store.db", &store.builder().build().bytes);
    let (refused, out) = self::run(&scratch, db.to_str().unwrap(), "--at-time 21:00:20");
    assert_eq!(refused.code, 2);
    let why = "revisions 2 to 4 fit that time, and 2 keys were created or deleted between them (/x/one, /x/two)";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    assert!(!out.exists());
    let (chosen, _) = self::run(&scratch, db.to_str().unwrap(), "--at 3");
    assert_eq!(chosen.code, 0, "{}", chosen.stderr);
}

#[test]
fn a_place_that_is_taken_or_is_evidence_is_refused() {
    let scratch = Scratch::new("restore-places");
    let data = scratch.file("data/member/snap/db", &std::fs::read(source()).unwrap());
    let taken = scratch.file("taken.db", b"something");
    let data = data.to_str().unwrap();
    let inside = scratch.path().join("data/member/new.db");
    let report = scratch.file("other.db.restore.json", b"{}");
    let other = report.with_file_name("other.db");
    let below_file = taken.join("new.db");
    let deep_below_file = taken.join("folder/new.db");
    for (out, why) in [
        (taken.as_path(), "exists, and nothing is overwritten"),
        (Path::new(data), "never written to"),
        (inside.as_path(), "never written to"),
        (other.as_path(), "exists, and nothing is overwritten"),
        (
            Path::new("/nonexistent-folder/new.db"),
            "`mkdir -p /nonexistent-folder` makes it",
        ),
        (below_file.as_path(), "taken.db is not a folder"),
        (deep_below_file.as_path(), "taken.db is not a folder"),
    ] {
        let run = etcdive(["restore", data, "--out", out.to_str().unwrap()]);
        assert_eq!(run.code, 2, "{}", out.display());
        assert!(
            run.stderr.contains(why),
            "{}: {}",
            out.display(),
            run.stderr
        );
        assert!(run.stderr.contains("etcdive: "), "{}", run.stderr);
    }
    assert_eq!(std::fs::read(&taken).unwrap(), b"something");
    let link = scratch.path().join("link.db");
    std::os::unix::fs::symlink(scratch.path().join("target.db"), &link).unwrap();
    let run = etcdive(["restore", data, "--out", link.to_str().unwrap()]);
    assert_eq!(run.code, 2, "through a link");
    assert!(!scratch.path().join("target.db").exists());
}

#[test]
fn a_refusal_leaves_no_file_and_offers_a_line_that_works() {
    let store = busy_store(5);
    let image = store.builder().page_size(1024).build();
    let mut bytes = image.bytes.clone();
    let runs = image.bucket_runs(b"key");
    let leaf = runs
        .iter()
        .rev()
        .find(|run| bytes[run.pgid as usize * 1024 + 8] == 2)
        .unwrap();
    let at = leaf.pgid as usize * 1024;
    bytes[at..at + 1024].fill(0);
    let scratch = Scratch::new("restore-refusal");
    let db = scratch.file("broken.db", &bytes);
    let db = db.to_str().unwrap();
    let (refused, out) = run(&scratch, db, "");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert_eq!(names_in(scratch.path()), ["broken.db"]);
    let hint = refused
        .stderr
        .lines()
        .find(|line| line.starts_with("hint: "))
        .unwrap();
    let line = hint.split('`').nth(1).unwrap();
    let words = line.split_whitespace().skip(1);
    let run_again = etcdive(words);
    assert_eq!(run_again.code, 0, "{line}: {}", run_again.stderr);
    assert!(out.exists());

    std::fs::remove_file(&out).unwrap();
    std::fs::remove_file(format!("{}.restore.json", out.display())).unwrap();
    let (lossy, out) = run(&scratch, db, "--allow-loss");
    assert_eq!(lossy.code, 3, "{}", lossy.stderr);
    assert!(lossy.text().contains("MISSING"), "{}", lossy.text());
    let report = report(&out);
    assert_eq!(report["complete"], false);
    assert!(!report["lost"].as_array().unwrap().is_empty());
}

#[test]
fn carve_uses_records_that_the_tree_does_not_reach() {
    // The last leaf is lost, and an older copy of it is in a freed page.
    let store = busy_store(6);
    let keys: Vec<_> = store
        .records()
        .iter()
        .map(|r| (r.bucket_key(), r.bucket_value()))
        .collect();
    let stale = Bucket::of(keys[keys.len() / 2..].to_vec());
    let image = store.builder().page_size(1024).stale(stale).build();
    let mut bytes = image.bytes.clone();
    let middle = &keys[keys.len() * 3 / 4].0;
    let runs = image.bucket_runs(b"key");
    let leaf = runs
        .iter()
        .find(|run| {
            let at = run.pgid as usize * 1024;
            let page = &bytes[at..at + 1024];
            page[8] == 2
                && page
                    .windows(middle.len())
                    .any(|window| window == middle.as_slice())
        })
        .unwrap();
    let at = leaf.pgid as usize * 1024;
    bytes[at..at + 1024].fill(0);
    let scratch = Scratch::new("restore-carve");
    let db = scratch.file("broken.db", &bytes);
    let (refused, _) = run(&scratch, db.to_str().unwrap(), "");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--carve"), "{}", refused.stderr);
    let (carved, out) = run(&scratch, db.to_str().unwrap(), "--carve");
    assert_eq!(carved.code, 3, "{}", carved.stderr);
    let read = bolt_reader::read(&std::fs::read(&out).unwrap(), true);
    assert_eq!(read.buckets["key"], keys, "every record is back");
    assert!(report(&out)["records_added"].as_u64().unwrap() > 0);
}

#[test]
fn alarms_and_authentication_need_their_flags() {
    let mut store = busy_store(2);
    store.set_bucket("alarm", Bucket::of([(alarm_key(7, 2), Vec::new())]));
    let scratch = Scratch::new("restore-flags-of-buckets");
    let db = scratch.file("corrupt.db", &store.builder().build().bytes);
    let (refused, _) = run(&scratch, db.to_str().unwrap(), "");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("CORRUPT"));
    let (restored, out) = run(&scratch, db.to_str().unwrap(), "--drop-corrupt-alarm");
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    assert_eq!(report(&out)["dropped"]["corrupt_alarms"][0], "7");

    let scratch = Scratch::new("restore-auth-off");
    store.set_bucket("alarm", Bucket::new());
    store.set_bucket("auth", Bucket::of([("authEnabled", vec![9])]));
    let db = scratch.file("auth.db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    assert_eq!(run(&scratch, db, "--allow-loss").0.code, 2);
    assert_eq!(
        run(&scratch, db, "--auth off").0.code,
        2,
        "not without --allow-loss"
    );
    let (off, _) = run(&scratch, db, "--allow-loss --auth off");
    assert_eq!(off.code, 3, "{}", off.stderr);
    assert!(
        off.text().contains("AUTHENTICATION IS OFF"),
        "{}",
        off.text()
    );
}

#[test]
fn a_wrong_trailer_is_refused() {
    let scratch = Scratch::new("restore-trailer");
    let mut bytes = std::fs::read(source()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let db = scratch.file("wrong.db", &bytes);
    let (refused, out) = run(&scratch, db.to_str().unwrap(), "");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("SHA-256"), "{}", refused.stderr);
    let (written, _) = run(&scratch, db.to_str().unwrap(), "--allow-loss");
    assert_eq!(written.code, 3);
    assert!(out.exists());
    assert_eq!(std::fs::metadata(&out).unwrap().mode() & 0o777, 0o600);
}

/// A folder of a full snapshot and deltas becomes one snapshot, which etcdutl can restore.
#[test]
fn incremental_backups_become_one_snapshot() {
    let truth: Value =
        serde_json::from_slice(&std::fs::read(testdata("backups/state.json")).unwrap()).unwrap();
    for folder in ["gzip", "lzw", "zlib"] {
        let scratch = Scratch::new("restore-backups");
        let db = testdata("backups").join(folder);
        let (run, out) = run(&scratch, db.to_str().unwrap(), "");
        assert_eq!(run.code, 0, "{folder}: {}", run.stderr);
        let revision = truth["revision"].as_i64().unwrap();
        assert_eq!(report(&out)["revision"], revision, "{folder}");
        let buckets = bolt_reader::read(&std::fs::read(&out).unwrap(), true).buckets;
        let state = super::hashing::state(&buckets["key"], revision);
        let kvs = truth["kvs"].as_array().unwrap();
        assert_eq!(state.len(), kvs.len(), "{folder}");
        assert!(!kvs.is_empty());
        for row in kvs {
            let bytes = |field: &str| STANDARD.decode(row[field].as_str().unwrap()).unwrap();
            let (_, value) = &state[&bytes("key")];
            assert_eq!(row["mod_revision"], value.modified, "{folder}");
            assert_eq!(row["create_revision"], value.create, "{folder}");
            assert_eq!(row["version"], value.version, "{folder}");
            assert_eq!(bytes("value"), value.value, "{folder}");
        }
    }
    let scratch = Scratch::new("restore-deltas-alone");
    let db = testdata("backups/alone");
    let (run, _) = run(&scratch, db.to_str().unwrap(), "");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("without a full snapshot"),
        "{}",
        run.stderr
    );
}
