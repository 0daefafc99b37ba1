//! Delta snapshots that are damaged, missing or hostile.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use etcdive::diag::{Code, Diagnostics};
use etcdive::etcd::delta::{Delta, DeltaChecksum};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use super::{delivered, rows, run};
use crate::support::random::Random;
use crate::support::{ends_soon, testdata};

/// A folder that is removed again.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("etcdive-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A copy of the lzw folder without the files whose names contain one of these texts.
fn without(name: &str, left_out: &[&str]) -> Folder {
    let folder = Folder::new(name);
    let from = testdata("backups/lzw/v1/Backup-1772359202");
    let mut copied = 0;
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name().into_string().unwrap();
        if !left_out.iter().any(|text| file.contains(text)) {
            fs::copy(entry.path(), folder.path(&file)).unwrap();
            copied += 1;
        }
    }
    assert_eq!(copied, 4 - left_out.len());
    folder
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn with_checksum(json: &str) -> Vec<u8> {
    [json.as_bytes(), &Sha256::digest(json)].concat()
}

/// The first delta snapshot, not compressed.
fn plain() -> Vec<u8> {
    fs::read(testdata("backups/alone/Incr-00000006-00000009-1772359222")).unwrap()
}

fn event(main: i64, key: &str) -> String {
    format!(
        r#"{{"etcdEvent":{{"kv":{{"key":"{key}","create_revision":{main},"mod_revision":{main},"version":1,"value":"dg=="}}}},"time":"2026-03-01T10:00:00Z"}}"#
    )
}

/// Main and sub revision, and the key.
type Place = (i64, i64, Vec<u8>);

/// What a file has: its records as main, sub and key, and the codes that were found.
fn read(file: &[u8]) -> (Vec<Place>, Vec<Code>) {
    let diagnostics = Diagnostics::new();
    let delta = Delta::read(file, "Incr", &diagnostics);
    let records = delta.records();
    let records = records.map(|record| {
        (
            record.revision.main,
            record.revision.sub,
            record.key.to_vec(),
        )
    });
    let records = records.collect();
    (
        records,
        diagnostics
            .by_code()
            .iter()
            .map(|(code, ..)| *code)
            .collect(),
    )
}

#[test]
fn a_missing_file_is_a_gap_that_is_named_with_the_newest_complete_state() {
    let folder = without("gap", &["Incr-00000010"]);
    let run = run("log -o jsonl", &folder.0);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let gap = "delta-gap: revision 15.0: found no delta snapshot with revisions 10 to 14, between Incr-00000006-00000009-1772359222.Z and Incr-00000015";
    let found = run.stderr.lines().find(|line| line.contains("delta-gap"));
    let found = found.unwrap_or_else(|| panic!("{}", run.stderr));
    assert!(
        found.contains("no delta snapshot with revisions 10 to 14"),
        "{found}\n{gap}"
    );
    assert!(
        run.stderr.contains("--at 9 is the newest complete state"),
        "{}",
        run.stderr
    );
    assert_eq!(
        rows(&run).len(),
        delivered().len() - 6,
        "the others are still read"
    );
    for verb in ["status", "fsck"] {
        let run = self::run(verb, &folder.0);
        assert_eq!(run.code, 3, "{verb}: {}", run.text());
        assert!(
            format!("{}{}", run.text(), run.stderr).contains("delta-gap"),
            "{verb}"
        );
    }
}

/// What `verify` says of a folder, and how many keys the undamaged folder has at the revision up to which it is complete.
fn verified(folder: &Folder) -> (serde_json::Value, String, usize) {
    let json = run("verify -o jsonl", &folder.0);
    assert_eq!(json.code, 3, "{}", json.text());
    let object = rows(&json).remove(0);
    let at = format!("ls --at {}", object["complete_revision"]);
    let keys = run(&at, &testdata("backups/lzw")).text().lines().count();
    let line = run("verify", &folder.0).text().to_owned();
    (object, line, keys)
}

#[test]
fn verify_counts_only_what_comes_before_a_gap() {
    let folder = without("verify-gap", &["Incr-00000010"]);
    let (object, line, keys) = verified(&folder);
    assert_eq!(object["revision"], 17);
    assert_eq!(object["complete_revision"], 9);
    assert_eq!(object["missing_revisions"], 5);
    assert!(keys > 0);
    assert_eq!(object["live_keys"], keys);
    let part = "readable to revision 9 (at least 5 later revisions are missing), about ";
    assert!(line.contains(part), "{line}");
    assert!(
        line.contains(&format!("; {keys} keys at that revision; ")),
        "{line}"
    );
}

#[test]
fn verify_counts_only_what_comes_before_an_event_that_cannot_be_read() {
    let folder = without("verify-event", &["Incr-00000006"]);
    let file = plain();
    let mut events: Vec<serde_json::Value> =
        serde_json::from_slice(&file[..file.len() - 32]).unwrap();
    let last_of_8 = events
        .iter()
        .rposition(|event| event["etcdEvent"]["kv"]["mod_revision"] == 8)
        .unwrap();
    events[last_of_8] = 7.into();
    let json = serde_json::to_string(&events).unwrap();
    folder.file("Incr-00000006-00000009-1772359222", &with_checksum(&json));
    let (object, line, keys) = verified(&folder);
    assert_eq!(object["complete_revision"], 7, "{object:#}");
    assert_eq!(object["live_keys"], keys);
    let part = "readable to revision 7 (later revisions may be incomplete)";
    assert!(line.contains(part), "{line}");
    let ls = run("ls", &folder.0);
    assert!(
        ls.stderr.contains("--at 7 is the newest complete state"),
        "{}",
        ls.stderr
    );
}

#[test]
fn verify_counts_the_keys_of_deltas_without_a_gap() {
    let path = testdata("backups/lzw");
    let object = rows(&run("verify -o jsonl", &path)).remove(0);
    let keys = run("ls", &path).text().lines().count();
    assert!(keys > 0);
    assert_eq!(object["live_keys"], keys);
    assert_eq!(object["records"], delivered().len());
}

#[test]
fn a_gap_after_the_full_snapshot_is_named() {
    let folder = without("first-gap", &["Incr-00000006"]);
    let run = run("ls", &folder.0);
    assert_eq!(run.code, 3);
    let part = "no delta snapshot with revisions 6 to 9, between the full snapshot and";
    assert!(run.stderr.contains(part), "{}", run.stderr);
}

#[test]
fn the_state_up_to_a_gap_is_complete() {
    let whole = run("ls --at 9", &testdata("backups/lzw"));
    let cut = run("ls --at 9", &without("up-to-gap", &["Incr-00000010"]).0);
    assert_eq!(whole.text(), cut.text());
    assert!(!whole.text().is_empty());
}

#[test]
fn a_wrong_checksum_is_a_finding_and_the_events_are_read() {
    let mut file = plain();
    *file.last_mut().unwrap() ^= 1;
    let (records, codes) = read(&file);
    assert_eq!((records.len(), codes), (6, vec![Code::DeltaChecksum]));
    let folder = Folder::new("checksum");
    let path = folder.file("Incr-00000006-00000009-1772359222", &file);
    let run = run("log -o jsonl", &path);
    assert_eq!((run.code, rows(&run).len()), (3, 6));
    assert!(run.stderr.contains("delta-checksum"), "{}", run.stderr);
}

#[test]
fn a_missing_checksum_is_distinguished_from_a_wrong_one() {
    let file = plain();
    for (cut, expected) in [
        (0, DeltaChecksum::Right),
        (32, DeltaChecksum::Absent),
        (20, DeltaChecksum::Absent),
    ] {
        let diagnostics = Diagnostics::new();
        let delta = Delta::read(&file[..file.len() - cut], "Incr", &diagnostics);
        assert_eq!(
            (delta.checksum, delta.len()),
            (expected, 6),
            "{cut} bytes cut"
        );
    }
}

#[test]
fn a_file_cut_anywhere_gives_the_events_before_the_cut() {
    let file = plain();
    let (whole, _) = read(&file);
    let mut last = 0;
    for len in 0..file.len() {
        let (records, codes) = read(&file[..len]);
        assert!(whole.starts_with(&records), "cut at {len}");
        assert!(records.len() >= last, "cut at {len}");
        assert!(
            codes.contains(&Code::DeltaChecksum),
            "cut at {len}: {codes:?}"
        );
        last = records.len();
    }
    assert_eq!(last, 6);
}

#[test]
fn an_event_that_cannot_be_read_is_left_out_and_the_others_are_not() {
    let good = event(2, "YQ==");
    for bad in [
        r#"{"etcdEvent":{"kv":{"key":"Y*==","mod_revision":3,"value":"dg=="}}}"#,
        r#"{"etcdEvent":{"kv":{"key":"YQ==","mod_revision":3,"value":"dg="}}}"#,
        r#"{"etcdEvent":{"kv":{"key":"YQ==","mod_revision":"3"}}}"#,
        r#"{"etcdEvent":{"kv":{"key":"YQ==","mod_revision":-3}}}"#,
        r#"{"etcdEvent":{"kv":{"mod_revision":3}}}"#,
        r#"{"etcdEvent":{"type":7,"kv":{"key":"YQ==","mod_revision":3}}}"#,
        r#"{"etcdEvent":{}}"#,
        r#"{"etcdEvent":null}"#,
        r#"{}"#,
        "7",
        r#"{"etcdEvent":{"kv":{"key":"YQ==","mod_revision":99999999999999999999}}}"#,
    ] {
        let json = format!("[{bad},{good}]");
        let (records, codes) = read(&with_checksum(&json));
        assert_eq!(records, [(2, 0, b"a".to_vec())], "{bad}");
        assert_eq!(codes, [Code::DeltaEvent], "{bad}");
    }
}

#[test]
fn json_that_ends_early_or_is_none_is_a_finding() {
    let good = event(2, "YQ==");
    for (json, events) in [
        (format!("[{good}"), 1),
        (format!("[{good},"), 1),
        (format!("[{good} {good}]"), 1),
        (format!("[{good}] rest"), 1),
        (good.clone(), 0),
        (String::new(), 0),
        ("[".to_owned(), 0),
        ("[".repeat(100_000), 0),
        (format!("[{}]", "{\"a\":".repeat(100_000)), 0),
    ] {
        let (records, codes) = read(&with_checksum(&json));
        assert_eq!(records.len(), events, "{json:.60}");
        assert_eq!(codes, [Code::DeltaEvent], "{json:.60}");
    }
    let (records, codes) = read(&with_checksum("[]"));
    assert!(records.is_empty() && codes.is_empty());
}

#[test]
fn events_out_of_order_or_twice_are_put_in_order_and_reported() {
    let (three, two) = (event(3, "YQ=="), event(2, "Yg=="));
    let (records, codes) = read(&with_checksum(&format!("[{three},{two}]")));
    assert_eq!(records, [(2, 0, b"b".to_vec()), (3, 0, b"a".to_vec())]);
    assert_eq!(codes, [Code::DeltaOrder]);
    let other = event(3, "Yw==");
    let (records, codes) = read(&with_checksum(&format!("[{three},{other},{three}]")));
    assert_eq!(records, [(3, 0, b"a".to_vec()), (3, 1, b"c".to_vec())]);
    assert_eq!(codes, [Code::DeltaOrder]);
}

#[test]
fn the_other_events_of_a_changed_file_are_read_whatever_was_changed() {
    let file = plain();
    let (whole, _) = read(&file);
    let changed = ends_soon("2000 changed files", move || {
        let mut random = Random::new(7);
        let mut most = 0;
        for _ in 0..2000 {
            let mut file = file.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(file.len());
                file[at] = u8::try_from(random.below(256)).unwrap();
            }
            let (records, _) = read(&file);
            let kept = records
                .iter()
                .filter(|record| whole.contains(record))
                .count();
            most = most.max(kept);
        }
        most
    });
    assert_eq!(changed, 6);
}

#[test]
fn a_delta_that_unpacks_to_more_than_the_limit_is_named_and_not_read() {
    let folder = without("bomb", &["Incr-00000015"]);
    let bomb = format!("[{}", " ".repeat(4 << 20));
    folder.file("Incr-00000015-00000017-1772359262.gz", &gz(bomb.as_bytes()));
    let path = folder.0.display().to_string();
    let run = crate::support::etcdive(["log", &path, "--unpack-limit", "1MiB"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.stderr.contains("a file that unpacks to more than 10"),
        "{}",
        run.stderr
    );
    assert_eq!(
        run.text().matches("app/bytes").count(),
        1,
        "the other deltas are read"
    );
}

#[test]
fn a_newest_full_snapshot_that_is_damaged_is_passed_over() {
    let folder = without("damaged-full", &[]);
    folder.file("Full-00000000-00000014-1772359247.gz", &gz(&[0; 8192]));
    let run = run("log -o jsonl", &folder.0);
    assert_eq!(
        (run.code, rows(&run).len()),
        (0, delivered().len()),
        "{}",
        run.stderr
    );
    let skipped = "the full snapshot Full-00000000-00000014-1772359247.gz is not used";
    assert!(run.stderr.contains(skipped), "{}", run.stderr);
}

#[test]
fn a_file_that_is_only_named_like_a_delta_is_a_finding() {
    let folder = without("not-a-delta", &[]);
    folder.file("Incr-00000018-00000019-1772359300", b"hello");
    let run = run("ls", &folder.0);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("delta-event"), "{}", run.stderr);
    assert!(run.stderr.contains("Incr-00000018"), "{}", run.stderr);
}

#[test]
fn two_deltas_with_the_same_revisions_count_once() {
    let folder = without("overlap", &[]);
    let plain: &Path = &testdata("backups/alone/Incr-00000006-00000009-1772359222");
    fs::copy(plain, folder.path("Incr-00000006-00000009-1772359299")).unwrap();
    let run = run("log -o jsonl", &folder.0);
    assert_eq!(
        (run.code, rows(&run).len()),
        (0, delivered().len()),
        "{}",
        run.stderr
    );
}
