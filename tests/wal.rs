//! The write-ahead log: every entry, as etcd-dump-logs prints it; what it adds to a database; and damaged logs.

mod alone;
mod compares;
mod contradictions;
mod damage;
mod revision_inference;
mod source;
mod v2;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::support::{Run, assert_same, case_roots, corpus, etcdive, files_below, testdata};

/// A data directory whose log holds every kind of request.
fn requests() -> PathBuf {
    testdata("wal/requests")
}

fn wal(dir: &Path, arguments: &str) -> Run {
    let words = arguments.split_whitespace().map(str::to_owned);
    etcdive(
        ["wal".to_owned(), dir.to_str().unwrap().to_owned()]
            .into_iter()
            .chain(words),
    )
}

fn rows(run: &Run) -> Vec<Value> {
    let lines = run.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn entries(run: &Run) -> Vec<Value> {
    rows(run)
        .into_iter()
        .filter(|row| row["type"] == "entry")
        .collect()
}

#[test]
fn etcd_dump_logs_prints_the_same() {
    let mut ran = 0;
    for root in case_roots() {
        for path in files_below(&root) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let recorded = String::from_utf8(std::fs::read(&path).unwrap_or_default());
            let folder = path.parent().unwrap();
            let (dir, arguments, expected) = if folder.ends_with("wal/requests/dump-logs") {
                let recorded = recorded.unwrap();
                let (arguments, expected) = recorded.split_once('\n').unwrap();
                let arguments = format!(" {arguments}").replace(" -", " --");
                (
                    requests(),
                    format!("--style etcd-dump-logs{arguments}"),
                    expected.to_owned(),
                )
            } else if name.starts_with("dumplogs-") {
                // What the program logs of files that are none of the log was recorded with its output.
                let recorded = recorded.unwrap();
                let lines = recorded
                    .lines()
                    .filter(|line| !line.starts_with("{\"level\""));
                let expected: String = lines.map(|line| format!("{line}\n")).collect();
                let version = folder
                    .file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace('-', "/");
                let style = if name.contains("-v3.5") {
                    "etcd-dump-logs-3.5"
                } else {
                    "etcd-dump-logs"
                };
                let from = if name.contains(".all.") {
                    " --start-index 1"
                } else {
                    ""
                };
                (
                    root.join("corpus").join(version),
                    format!("--style {style}{from}"),
                    expected,
                )
            } else {
                continue;
            };
            let run = wal(&dir, &arguments);
            assert_eq!(run.code, 0, "{}: {}", path.display(), run.stderr);
            assert_same(
                expected.as_bytes(),
                &run.stdout,
                &path.display().to_string(),
            );
            ran += 1;
        }
    }
    println!("{ran} recorded outputs");
    assert!(ran >= 12);
    // Entries before an index: that program came to this flag later.
    let until = wal(
        &requests(),
        "--style etcd-dump-logs --start-index 0 --end-index 3",
    );
    assert!(
        until.text().contains("WAL entries: 2\nlastIndex=2\n"),
        "{}",
        until.text()
    );
}

/// Keys and values of all puts in a message.
fn puts(message: &Value, found: &mut HashSet<(Vec<u8>, Vec<u8>)>) {
    let bytes = |name: &str| match message.get(format!("{name}_base64")) {
        Some(base64) => STANDARD.decode(base64.as_str().unwrap()).unwrap(),
        None => message
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .into(),
    };
    match message {
        Value::Object(fields) => {
            found.insert((bytes("key"), bytes("value")));
            fields.values().for_each(|value| puts(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| puts(value, found)),
        _ => {}
    }
}

#[test]
fn every_put_that_a_client_saw_is_in_the_log() {
    let mut ran = 0;
    if let Some(corpus) = corpus() {
        for path in files_below(&corpus.join("corpus")) {
            let folder = path.parent().unwrap();
            if !path.ends_with("allrevs.jsonl") || !folder.join("member/wal").is_dir() {
                continue;
            }
            let mut found = HashSet::new();
            for entry in entries(&wal(folder, "-o jsonl --values --show-secrets")) {
                puts(&entry["message"], &mut found);
            }
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let event: Value = serde_json::from_str(line).unwrap();
                let bytes = |name: &str| {
                    STANDARD
                        .decode(event[name].as_str().unwrap_or_default())
                        .unwrap()
                };
                if event["type"] == "PUT" {
                    let put = (bytes("key_b64"), bytes("value_b64"));
                    assert!(found.contains(&put), "{}: {line}", path.display());
                    ran += 1;
                }
            }
        }
    }
    println!("{ran} puts");
    assert!(ran > 0 || corpus().is_none());
}

#[test]
fn every_request_has_its_line_its_revision_and_its_state() {
    let run = wal(&requests(), "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines: Vec<&str> = run.text().lines().collect();
    assert_eq!(
        lines[0],
        "member 8e9e05c52164694d of cluster cdf818194e3a8c32, term 2, vote 8e9e05c52164694d, commit 43"
    );
    assert_eq!(
        lines[1],
        "entries: 43 committed; the database beside it has all up to 43"
    );
    let line_of = |index: usize| {
        *lines
            .iter()
            .find(|line| line.trim_start().starts_with(&format!("{index} ")))
            .unwrap()
    };
    for (index, end) in [
        (2, "committed        none  noop"),
        (5, "       2  put plain (5 bytes)"),
        (7, "       4  put plain (its value)"),
        (
            12,
            "       8  txn if mod(plain) = 0 then put plain (3 bytes) else get plain; put other (4 bytes)  [else]",
        ),
        (17, "      13  delete d/*"),
        (18, "    none  delete nothing"),
        (19, "      14  delete leased/b and all after it"),
        (
            23,
            "    none  ConfChangeAddLearnerNode 571204938c503f78 {\"id\":6274082262641295224,\"peerURLs\":[\"http://127.0.0.1:29999\"],\"isLearner\":true}",
        ),
        (26, "    none  compaction to revision 6"),
        (42, "      18  put as/root (1 byte)  by root"),
    ] {
        assert!(line_of(index).ends_with(end), "{}", line_of(index));
    }
    let snap = lines
        .iter()
        .find(|line| line.starts_with("0000000000000002-000000000000002a.snap"))
        .unwrap();
    assert!(
        snap.contains(
            "up to entry 42 of term 2, voters 8e9e05c52164694d, member 8e9e05c52164694d default"
        ),
        "{snap}"
    );
    // Its revisions are those of the database that the log made.
    let events = etcdive(["log", requests().to_str().unwrap(), "-o", "jsonl"]);
    let known: HashSet<i64> = rows(&events)
        .iter()
        .map(|event| event["main"].as_i64().unwrap())
        .collect();
    let told: HashSet<i64> = entries(&wal(&requests(), "-o jsonl"))
        .iter()
        .filter_map(|row| row["revision"].as_i64())
        .collect();
    assert!(
        known.len() > 5 && known.is_subset(&told),
        "{known:?} {told:?}"
    );
}

#[test]
fn passwords_tokens_and_secrets_are_masked_unless_they_are_asked_for() {
    for arguments in ["", "--values", "-o jsonl", "-o jsonl --values"] {
        let run = wal(&requests(), arguments);
        for secret in [
            "JDJhJDEw",
            "NQiVTKXouyfQSAkM",
            "c2VjcmV0LXBhc3N3b3Jk",
            "secret-password",
        ] {
            assert!(!run.text().contains(secret), "{arguments}: {secret}");
        }
        assert!(run.text().contains("<masked #"), "{arguments}");
    }
    let shown = wal(&requests(), "--values --show-secrets");
    for secret in ["JDJhJDEw", "c2VjcmV0LXBhc3N3b3Jk", "color: green"] {
        assert!(shown.text().contains(secret), "{secret}");
    }
    // Evidence is exact.
    assert!(
        wal(&requests(), "--style etcd-dump-logs --start-index 0")
            .text()
            .contains("JDJhJDEw")
    );
}

#[test]
fn entries_are_chosen_by_index_key_type_and_number() {
    let indices = |arguments: &str| {
        let run = wal(&requests(), &format!("{arguments} -o jsonl"));
        let entries = entries(&run);
        entries
            .iter()
            .map(|entry| entry["index"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(indices("--start-index 41"), [41, 42, 43]);
    assert_eq!(indices("--end-index 3"), [1, 2]);
    assert_eq!(indices("-n 2"), [42, 43]);
    assert_eq!(indices("--entry-type ConfigChange"), [1, 23, 24, 25]);
    assert_eq!(indices("--entry-type IRRDeleteRange"), [17, 18, 19]);
    // A deletion of a range may change the key as well.
    assert_eq!(indices("--key d/b"), [15, 17]);
    assert_eq!(indices("--key d/"), [14, 15, 16, 17]);
    assert_eq!(indices("--key plain"), [5, 7, 12, 19]);
    assert_eq!(wal(&requests(), "--key a-key").code, 1);
    assert_eq!(wal(&requests(), "--entry-type Nonsense").code, 2);
}

#[test]
fn a_folder_a_file_and_a_snapshot_are_read_alone() {
    let dir = requests();
    let whole = entries(&wal(&dir, "-o jsonl")).len();
    for inside in [
        "member",
        "member/wal",
        "member/wal/0000000000000000-0000000000000000.wal",
    ] {
        assert_eq!(
            entries(&wal(&dir.join(inside), "-o jsonl")).len(),
            whole,
            "{inside}"
        );
    }
    let snap = wal(
        &dir.join("member/snap/0000000000000002-000000000000002a.snap"),
        "-o jsonl",
    );
    let rows = rows(&snap);
    assert_eq!(
        (rows.len(), &rows[0]["type"], &rows[0]["index"]),
        (1, &"snap".into(), &42.into())
    );
    assert_eq!(
        rows[0]["members"][0]["peer_urls"][0],
        "http://localhost:2380"
    );
    let none = wal(&testdata("golden"), "");
    assert_eq!(none.code, 2);
    assert!(
        none.stderr.contains("no file of a write-ahead log"),
        "{}",
        none.stderr
    );
}
