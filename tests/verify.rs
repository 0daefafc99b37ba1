//! `verify`: one line per file, what it requires, and that it never says OK where etcdutl and bbolt refuse.

mod others;
mod space;

use std::path::Path;

use serde_json::Value;

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive, fed, testdata};

const AFTER: &str = "healthy/k8s/after.db";
const BEFORE: &str = "healthy/k8s/before.db";
const WITHOUT_SHA: &str = "healthy/talk/3.6/01-talk.live.db";
const MIXED: &str = "healthy/k8s-encrypted/mixed.db";
/// 48 minutes after the newest write of [`AFTER`].
const NOW: &str = "--now=2026-11-20T22:00:00Z";

fn path(name: &str) -> String {
    testdata(name).to_str().unwrap().to_owned()
}

fn verify(words: &[&str]) -> Run {
    etcdive(["verify"].into_iter().chain(words.iter().copied()))
}

/// The one line about a file of the test data, with its exit code.
fn line(name: &str, flags: &[&str]) -> (i32, String) {
    let path = path(name);
    let run = verify(&[&[path.as_str(), NOW], flags].concat());
    let text = run.text();
    assert_eq!(text.lines().count(), 1, "{name}: {text}");
    let text = text.trim_end().strip_prefix(&format!("{path}: "));
    (
        run.code,
        text.unwrap_or_else(|| panic!("{name}: {}", run.text()))
            .to_owned(),
    )
}

/// The object about a file, with the exit code.
fn object(file: &Path, flags: &[&str]) -> (i32, Value) {
    let run = verify(&[&[file.to_str().unwrap(), NOW, "-o", "jsonl"], flags].concat());
    (run.code, serde_json::from_slice(&run.stdout).unwrap())
}

#[test]
fn an_intact_snapshot_is_ok_and_its_line_shows_that_it_is_not_empty() {
    let (code, text) = line(AFTER, &[]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with("OK: revision 3129, newest write 2026-11-20T21:"),
        "{text}"
    );
    assert!(
        text.ends_with("m ago), 618 keys, 4.4 MB, SHA-256 is correct"),
        "{text}"
    );
}

#[test]
fn a_file_with_and_without_sha_256_is_distinguished() {
    let (code, text) = line(WITHOUT_SHA, &[]);
    assert_eq!(code, 0);
    assert!(text.starts_with("OK: revision 6, "), "{text}");
    assert!(
        text.ends_with("; no SHA-256: `etcdutl snapshot restore` needs --skip-hash-check"),
        "{text}"
    );
    let (code, text) = line(WITHOUT_SHA, &["--require-sha"]);
    assert_eq!(code, 1);
    assert!(
        text.starts_with("FAILED: no SHA-256 at its end (--require-sha); revision 6"),
        "{text}"
    );
    assert_eq!(line(AFTER, &["--require-sha"]).0, 0);

    // The same bytes with and without their SHA-256.
    let scratch = Scratch::new("verify-sha");
    let bytes = std::fs::read(testdata(AFTER)).unwrap();
    let stripped = scratch.file("stripped.db", &bytes[..bytes.len() - 32]);
    let (_, with) = object(&testdata(AFTER), &[]);
    let (_, without) = object(&stripped, &[]);
    assert_eq!(
        (&with["restore"], &with["trailer"]),
        (&"accepts".into(), &"good".into())
    );
    assert_eq!(without["restore"], "needs-skip-hash-check");
    assert_eq!(without["trailer"], "absent");
    assert_eq!(with["hash_kv"], without["hash_kv"]);
}

#[test]
fn the_newest_write_may_be_as_old_as_is_allowed() {
    for (most, code) in [("25h", 0), ("2h", 0), ("10m", 1), ("1s", 1), ("2d", 0)] {
        assert_eq!(line(AFTER, &["--max-age", most]).0, code, "{most}");
    }
    let (_, text) = line(AFTER, &["--max-age", "10m"]);
    assert!(
        text.starts_with("FAILED: the newest write is ")
            && text.contains(" old (--max-age 10m); revision"),
        "{text}"
    );
    // The clock of the machine is after the file was written.
    let run = verify(&[&path(AFTER), "--max-age", "1s"]);
    assert_eq!(run.code, 1, "{}", run.text());
    let early = verify(&[
        &path(AFTER),
        "--max-age",
        "1h",
        "--now",
        "2026-11-20T00:00:00Z",
    ]);
    assert_eq!(early.code, 1);
    assert!(
        early.text().contains("in the future: a clock is wrong"),
        "{}",
        early.text()
    );
}

#[test]
fn a_file_without_times_has_no_age() {
    let mut store = Store::new(Version::V3_6);
    store.put("/app/one", "1");
    let scratch = Scratch::new("verify-times");
    let file = scratch.file("db", &store.builder().build().bytes);
    assert_eq!(object(&file, &[]).0, 0);
    let (code, object) = object(&file, &["--max-age", "25h"]);
    assert_eq!(
        (code, &object["unmet"][0]["requirement"]),
        (1, &"no-times".into())
    );
}

#[test]
fn a_file_has_to_reach_a_revision() {
    assert_eq!(line(AFTER, &["--min-revision", "3129"]).0, 0);
    let (code, text) = line(AFTER, &["--min-revision", "3130"]);
    assert_eq!(code, 1);
    assert!(
        text.starts_with("FAILED: readable to revision 3129 only (--min-revision 3130); "),
        "{text}"
    );
}

#[test]
fn an_empty_store_is_no_backup() {
    let scratch = Scratch::new("verify-empty");
    let empty = scratch.file(
        "empty.db",
        &Store::new(Version::V3_6).builder().build().bytes,
    );
    let (code, object) = object(&empty, &[]);
    assert_eq!((code, &object["outcome"]), (1, &"failed".into()));
    assert_eq!(object["unmet"][0]["requirement"], "empty");
    let mut store = Store::new(Version::V3_6);
    store.put("a", "1");
    store.delete("a");
    let deleted = scratch.file("deleted.db", &store.builder().build().bytes);
    let run = verify(&[deleted.to_str().unwrap()]);
    assert_eq!(run.code, 1);
    assert!(
        run.text()
            .contains(": FAILED: the store has no keys; revision 3"),
        "{}",
        run.text()
    );
}

#[test]
fn each_file_has_its_line_in_the_order_of_the_arguments_and_the_worst_makes_the_exit_code() {
    let names = [
        (AFTER, "OK", 0),
        ("trailer/newline.db", "DAMAGED", 1),
        ("foreign/raft.db", "FAILED", 2),
        (BEFORE, "OK", 0),
        ("damaged/cut-after-page-3.db", "DAMAGED", 3),
        ("no-such-file.db", "FAILED", 2),
        ("README.md", "FAILED", 2),
    ];
    let paths = names.map(|(name, ..)| path(name));
    for count in 1..=names.len() {
        let words: Vec<&str> = paths[..count].iter().map(String::as_str).collect();
        let run = verify(&words);
        let worst = names[..count].iter().map(|(_, _, code)| *code).max();
        assert_eq!(Some(run.code), worst, "{count}: {}", run.stderr);
        let lines: Vec<&str> = run.text().lines().collect();
        assert_eq!(lines.len(), count);
        for (line, (path, (_, word, _))) in lines.iter().zip(paths.iter().zip(names)) {
            assert!(line.starts_with(&format!("{path}: {word}: ")), "{line}");
        }
    }
    let words: Vec<&str> = paths.iter().map(String::as_str).collect();
    let all = verify(&[&words[..], &["-o", "json"]].concat());
    let array: Value = serde_json::from_slice(&all.stdout).unwrap();
    let outcomes: Vec<&str> = array
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(
        outcomes,
        [
            "ok",
            "failed",
            "unreadable",
            "ok",
            "damaged",
            "unreadable",
            "unreadable"
        ]
    );
}

#[test]
fn quiet_leaves_out_what_is_ok() {
    let run = verify(&[
        &path(AFTER),
        &path("foreign/raft.db"),
        &path(BEFORE),
        "--quiet",
    ]);
    assert_eq!((run.code, run.text().lines().count()), (2, 1));
    assert!(run.text().contains("raft.db: FAILED"), "{}", run.text());
    let run = verify(&[&path(AFTER), "-q"]);
    assert_eq!((run.code, run.text(), run.stderr.as_str()), (0, "", ""));
}

#[test]
fn the_keys_of_encrypted_values_are_named_and_tried() {
    let (code, text) = line(MIXED, &[]);
    assert_eq!(code, 0);
    assert!(
        text.contains("; values are encrypted, keep their keys: key1 (aescbc v1), key2 (aescbc v1), gcm1 (aesgcm v1)"),
        "{text}"
    );
    let config = path("healthy/k8s-encrypted/mixed.encryption-config.yaml");
    let (code, text) = line(MIXED, &["--encryption-config", &config]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("; every encrypted value was decrypted: key1 (aescbc v1), "),
        "{text}"
    );
    let scratch = Scratch::new("verify-keys");
    let wrong = scratch.file("key", &[7; 32]);
    let (code, text) = line(MIXED, &["--kms-key", wrong.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(text.contains("value-not-decrypted"), "{text}");
}

#[test]
fn damage_is_named_with_what_it_costs() {
    let bytes = std::fs::read(testdata(AFTER)).unwrap();
    let scratch = Scratch::new("verify-cut");
    let cut = scratch.file("cut.db", &bytes[..3_000_000 / 4096 * 4096]);
    let (code, object) = object(&cut, &[]);
    assert_eq!((code, &object["outcome"]), (3, &"damaged".into()));
    let complete = object["complete_revision"].as_i64().unwrap();
    assert!(complete > 100 && complete < 3129, "{complete}");
    let missing = object["missing_revisions"].as_i64().unwrap();
    assert!(missing > 0 && complete + missing < 3129 + 1, "{missing}");
    let keys = object["live_keys"].as_i64().unwrap();
    assert!(keys > 0 && keys < 618 + 200, "{keys}");
    let run = verify(&[
        cut.to_str().unwrap(),
        "--min-revision",
        &(complete + 1).to_string(),
    ]);
    let text = run.text();
    for part in [
        ": DAMAGED: ",
        &format!(
            "readable to revision {complete} (at least {missing} later revisions are missing), about 2026-11-20T2"
        ),
        &format!("; {keys} keys at that revision; "),
        "(--min-revision ",
        "do not restore it",
        "file-truncated",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        run.stderr.starts_with("hint: `etcdive fsck "),
        "{}",
        run.stderr
    );
}

#[test]
fn a_wrong_sha_256_is_refused_by_etcdutl() {
    for (name, code) in [("damaged/wrong-trailer.db", 3), ("trailer/newline.db", 1)] {
        let (got, text) = line(name, &[]);
        assert_eq!(got, code, "{text}");
        assert!(
            text.contains("`etcdutl snapshot restore` refuses it"),
            "{text}"
        );
    }
}

#[test]
fn packed_files_standard_input_folders_and_backups_are_verified() {
    let (code, text) = line("packed/snapshot.db.gz", &[]);
    assert_eq!(code, 0);
    assert!(text.contains("; unpack it before the restore"), "{text}");
    let (code, text) = line("packed/datadir.tar.gz", &[]);
    assert_eq!(code, 0, "{text}");
    let log = "; 1 file of a write-ahead log in the archive not checked";
    assert!(text.contains(log), "{text}");
    let bytes = std::fs::read(testdata(AFTER)).unwrap();
    let run = fed(&bytes, &["verify", "-", NOW]);
    assert_eq!(run.code, 0);
    assert!(
        run.text().starts_with("-: OK: revision 3129"),
        "{}",
        run.text()
    );
    assert!(!run.text().contains("unpack"), "{}", run.text());
    let packed = std::fs::read(testdata("packed/snapshot.db.gz")).unwrap();
    let run = fed(&packed, &["verify", "-", NOW]);
    assert!(
        run.text().contains("; unpack it before the restore"),
        "{}",
        run.text()
    );
    let twice = verify(&["-", "-"]);
    assert_eq!((twice.code, twice.text()), (2, ""));
    let (code, text) = line("guides/last-member", &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("needs --skip-hash-check"), "{text}");
    let (code, text) = line("backups/zlib", &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("OK: revision 17, "), "{text}");
    let alone = "; `etcdutl snapshot restore` restores revision 5, without the delta snapshots: ";
    assert!(text.contains(alone), "{text}");
    let (code, text) = line("backups/alone", &[]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.starts_with("FAILED: delta snapshots without a full snapshot cannot be restored"),
        "{text}"
    );
}

#[test]
fn a_write_ahead_log_that_goes_further_is_named() {
    let (code, text) = line("guides/last-member", &[]);
    assert_eq!(code, 0, "{text}");
    let log = "; its write-ahead log has 3 more entries, up to entry 16, which `etcdutl snapshot restore` does not read";
    assert!(text.contains(log), "{text}");
    let (_, object) = object(&testdata("guides/last-member"), &[]);
    assert_eq!(object["log_not_read"]["entries"], 3);
    assert!(!line("guides/disagree/m3", &[]).1.contains("does not read"));
    let status = etcdive(["status", &path("guides/last-member")]);
    let fact = "3 entries more than the database, up to entry 16; ";
    assert!(status.text().contains(fact), "{}", status.text());
    // A database that cannot be read: the log has everything.
    let run = verify(&[&path("wal/alone")]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("its write-ahead log has every write"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_wrong_length_or_time_is_a_usage_error() {
    for (flag, value) in [
        ("--max-age", "-1h"),
        ("--max-age", " -25h"),
        ("--max-age", " +25h"),
        ("--max-age", "1h ago"),
        ("--max-age", "21:05"),
        ("--max-age", "soon"),
        ("--now", "10m"),
        ("--now", "21:05"),
        ("--min-revision", "0"),
    ] {
        let run = verify(&[&path(AFTER), &format!("{flag}={value}")]);
        assert_eq!((run.code, run.text()), (2, ""), "{flag} {value}");
        assert!(run.stderr.contains(flag), "{}", run.stderr);
    }
}

#[test]
fn a_missing_file_fails_alone_wherever_it_is() {
    let scratch = Scratch::new("verify-missing");
    let folder = scratch.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    let folder = folder.to_str().unwrap();
    let after = path(AFTER);
    for missing in ["missing.db", "missing"] {
        for words in [[missing, &after], [&after, missing]] {
            let run = verify(&[&words[..], &[NOW]].concat());
            assert_eq!(run.code, 2);
            let line = format!("{missing}: FAILED: no such file or directory");
            assert_eq!(
                run.text().lines().filter(|one| *one == line).count(),
                1,
                "{}",
                run.text()
            );
            assert!(run.text().contains(": OK: revision 3129"), "{}", run.text());
            assert_eq!(run.stderr, "", "{words:?}");
        }
    }
    let run = verify(&[folder, &after, NOW]);
    assert_eq!(run.code, 2);
    let line = format!("{folder}: FAILED: a directory without an etcd database");
    assert!(run.text().starts_with(&line), "{}", run.text());
    // Of a verb with one database, the order of the words is wrong; the directory exists.
    let run = etcdive(["get", folder, &after]);
    let what = "a directory without an etcd database; the database is the first word";
    assert!(run.stderr.contains(what), "{}", run.stderr);
}

#[test]
fn a_member_that_skipped_entries_is_named_so_and_its_revision_is_called_its_own() {
    let (code, line) = line("guides/disagree/m3", &[]);
    assert_eq!(code, 3, "{line}");
    let start = "DAMAGED: this member skipped entries of its write-ahead log: its keys and revisions are not those of the cluster; by its own count it is at revision 10 with 8 keys; ";
    assert!(line.starts_with(start), "{line}");
    assert!(line.ends_with("directory-writes"), "{line}");
}

#[test]
fn the_first_hint_of_each_sort_is_given_for_several_files() {
    let [damaged, alone] = ["damaged/cut-after-page-3.db", "wal/alone"].map(path);
    let run = verify(&[&damaged, &alone, &damaged]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let hints: Vec<&str> = run.stderr.lines().collect();
    let [fsck, log, restore] = hints.as_slice() else {
        panic!("{}", run.stderr);
    };
    assert_eq!(
        *fsck,
        format!("hint: `etcdive fsck {damaged}` lists every finding")
    );
    assert!(
        log.ends_with(&format!("`etcdive ls {alone} --wal`")),
        "{log}"
    );
    assert!(
        restore.contains(&format!("`etcdive restore {damaged} ")),
        "{restore}"
    );
}
