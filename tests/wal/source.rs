//! The log beside a database: what a killed server had acknowledged comes with its exact revisions.

use crate::support::Scratch;
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::wal::{WalFile, put};

use super::*;

/// An event without what says where it was found.
fn events(arguments: &[&str]) -> Vec<Value> {
    let run = etcdive(arguments);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut events = rows(&run);
    for event in &mut events {
        event.as_object_mut().unwrap().remove("origin");
    }
    events
}

#[test]
fn what_a_killed_server_had_acknowledged_is_what_it_has_after_its_restart() {
    let killed = testdata("wal/killed");
    let (killed, restarted) = (
        killed.to_str().unwrap(),
        testdata("wal/killed/restarted.db"),
    );
    let restarted = restarted.to_str().unwrap();
    let expected = events(&["log", restarted, "-o", "jsonl"]);
    let without = events(&["log", killed, "-o", "jsonl"]);
    assert!(without.len() < expected.len());
    assert_eq!(events(&["log", killed, "--wal", "-o", "jsonl"]), expected);
    let run = etcdive(["log", killed, "--wal", "-o", "jsonl"]);
    let of_log = rows(&run)
        .iter()
        .filter(|event| event["origin"] == "wal")
        .count();
    assert_eq!(of_log, expected.len() - without.len());
    assert!(
        run.stderr.contains(&format!(
            "the write-ahead log has {of_log} records after the database"
        )),
        "{}",
        run.stderr
    );
    // The state goes on as well.
    let live = |arguments: &[&str]| etcdive(arguments).text().to_owned();
    assert_eq!(live(&["ls", killed, "--wal"]), live(&["ls", restarted]));
    assert_ne!(live(&["ls", killed]), live(&["ls", restarted]));
    for key in live(&["ls", restarted]).lines() {
        let of = |db: &str, wal: &[&str]| {
            let mut arguments = vec!["get", db, key, "-o", "json"];
            arguments.extend(wal);
            etcdive(arguments).stdout
        };
        let (with, after) = (of(killed, &["--wal"]), of(restarted, &[]));
        let strip = |bytes: Vec<u8>| {
            String::from_utf8_lossy(&bytes)
                .replace("\"origin\": \"wal\"", "")
                .replace([' ', '\n', ','], "")
        };
        assert_eq!(strip(with), strip(after), "{key}");
    }
    // From the file alone, with its log elsewhere.
    let db = testdata("wal/killed/member/snap/db");
    let wal = format!("--wal={}", testdata("wal/killed/member/wal").display());
    assert_eq!(
        events(&["log", db.to_str().unwrap(), &wal, "-o", "jsonl"]),
        expected
    );
    let alone = etcdive(["log", restarted, "--wal"]);
    assert_eq!(alone.code, 2);
    assert!(alone.stderr.contains("--wal=DIR"), "{}", alone.stderr);
}

#[test]
fn versions_that_a_compaction_removed_come_from_a_log_that_has_all_from_the_first_entry_on() {
    let dir = requests();
    let dir = dir.to_str().unwrap();
    let plain = events(&["log", dir, "-o", "jsonl"]);
    let all = events(&["log", dir, "--wal", "-o", "jsonl"]);
    assert!(all.len() > plain.len());
    let key = events(&["log", dir, "plain", "--wal", "-o", "jsonl"]);
    let told: Vec<_> = key
        .iter()
        .map(|event| (event["main"].as_i64().unwrap(), event["version"].as_i64()))
        .collect();
    // Entry 19 deletes all keys after leased/b.
    assert_eq!(told, [(14, None), (4, Some(2)), (2, Some(1))]);
    let value = etcdive(["get", dir, "other", "--at", "8", "--wal", "-o", "json"]);
    assert!(value.text().contains("else"), "{}", value.stderr);
}

#[test]
fn a_log_of_another_cluster_adds_nothing() {
    let db = testdata("healthy/talk/3.6/06-after.snapshot.db");
    let wal = format!("--wal={}", testdata("wal/killed").display());
    let plain = etcdive(["log", db.to_str().unwrap(), "-o", "jsonl"]);
    let with = etcdive(["log", db.to_str().unwrap(), &wal, "-o", "jsonl"]);
    assert_eq!(plain.text(), with.text());
    assert!(
        with.stderr.contains("belongs to another cluster"),
        "{}",
        with.stderr
    );
}

#[test]
fn a_timeline_has_all_evidence_of_an_object_with_its_source_and_certainty() {
    let dir = requests();
    let dir = dir.to_str().unwrap();
    let listed = |key: &str| {
        let run = etcdive(["log", dir, key, "--timeline", "-o", "jsonl"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let told = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        rows(&run)
            .iter()
            .map(|row| {
                (
                    row["main"].as_i64(),
                    row["entry"].as_u64(),
                    told(row, "source"),
                    told(row, "certainty"),
                )
            })
            .collect::<Vec<_>>()
    };
    let plain = listed("plain");
    let (live, of_log) = (
        "certain".to_owned(),
        "certain, by replaying the log".to_owned(),
    );
    assert_eq!(plain.len(), 4);
    // A deletion of a range that covers the key.
    assert_eq!(
        (plain[0].0, plain[0].1, &plain[0].3),
        (Some(14), Some(19), &live)
    );
    assert!(plain[0].2.starts_with("live page ") && plain[2].2.starts_with("live page "));
    // Its comparisons failed: it did something else.
    assert_eq!(
        plain[1],
        (
            None,
            Some(12),
            "wal entry 12".to_owned(),
            "applied, not to this key".to_owned()
        )
    );
    assert_eq!((plain[2].0, plain[2].1), (Some(4), Some(7)));
    assert_eq!(
        plain[3],
        (Some(2), Some(5), "wal entry 5".to_owned(), of_log)
    );
    let table = etcdive(["log", dir, "plain", "--timeline"]);
    for told in [
        "REVISION",
        "SOURCE",
        "CERTAINTY",
        "request: txn if mod(plain) = 0",
        "VERSION",
    ] {
        assert!(table.text().contains(told), "{told}: {}", table.text());
    }
    let update = |line: &str| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        cells.get(2..5) == Some(&["update", "2", "5"])
    };
    assert!(table.text().lines().any(update), "{}", table.text());
    let reversed = etcdive([
        "log",
        dir,
        "plain",
        "--timeline",
        "--reverse",
        "-o",
        "jsonl",
    ]);
    assert_eq!(rows(&reversed)[0]["main"], 2);
    let array = etcdive(["log", dir, "plain", "--timeline", "-o", "json"]);
    let array: Value = serde_json::from_str(array.text()).unwrap();
    assert_eq!(array.as_array().unwrap().len(), 4);
    // Who asked.
    let by = etcdive(["log", dir, "as/root", "--timeline", "-o", "jsonl"]);
    assert_eq!(rows(&by)[0]["user"], "root");
}

#[test]
fn every_verb_that_takes_a_log_answers_as_of_after_the_database() {
    let killed = testdata("wal/killed");
    let (killed, restarted) = (
        killed.to_str().unwrap(),
        testdata("wal/killed/restarted.db"),
    );
    let restarted = restarted.to_str().unwrap();
    for line in [
        "ls DB",
        "ls DB --deleted",
        "log DB --oneline",
        "show DB @ -o jsonl",
        "diff DB 40..@ --name-only",
        "grep DB -e v -e txn",
        "grep DB -e v -e txn --history",
        "recover DB -o name",
        "get DB /k/ --prefix -w simple",
    ] {
        let of = |db: &str, wal: &[&str]| {
            let words = line
                .split(' ')
                .map(|word| if word == "DB" { db } else { word });
            let run = etcdive(words.chain(wal.iter().copied()));
            let text = run
                .text()
                .replace("\"origin\":\"wal\"", "\"origin\":\"live\"");
            (run.code, text.replace("  [wal]", ""))
        };
        let expected = of(restarted, &[]);
        assert_eq!(of(killed, &["--wal"]), expected, "{line}");
        assert_ne!(
            of(killed, &[]),
            expected,
            "{line}: the log makes no difference"
        );
    }
}

#[test]
fn blame_finds_in_the_log_since_when_a_line_has_been_so() {
    let object = |color: &str, size: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"a","namespace":"n"}},"data":{{"color":"{color}","size":"{size}"}}}}"#
        )
    };
    let key = "/registry/configmaps/n/a";
    let values = [object("red", "1"), object("red", "2"), object("red", "3")];
    let mut store = Store::new(Version::V3_6);
    let mut file = WalFile::after(None);
    file.metadata(10_276_657_743_932_975_437, 9);
    for (index, value) in (1_i64..).zip(&values) {
        store.put(key, value.as_str());
        file.entry(1, index, &put(key, value.as_bytes()));
    }
    file.state(1, 3);
    store.compact(3);
    let scratch = Scratch::new("wal-blame");
    let db = scratch.file(
        "db",
        &super::revision_inference::with_consistent_index(&store, 3),
    );
    scratch.file("wal/0000000000000000-0000000000000000.wal", &file.bytes);
    let wal = format!("--wal={}", scratch.path().join("wal").display());
    let revision_of = |arguments: &[&str]| {
        let run = etcdive([&["blame", db.to_str().unwrap(), key][..], arguments].concat());
        let line = run
            .text()
            .lines()
            .find(|line| line.contains("color"))
            .unwrap_or_default()
            .to_owned();
        line.split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        revision_of(&[]),
        "^3",
        "compacted: this revision or an earlier one"
    );
    assert_eq!(revision_of(&[&wal]), "2");
}

#[test]
fn a_timeline_of_a_log_without_its_beginning_gives_requests_the_revisions_that_they_used() {
    let mut store = Store::new(Version::V3_6);
    let mut file = WalFile::after(None);
    file.metadata(10_276_657_743_932_975_437, 9);
    file.snapshot(2, 1);
    for value in ["1", "2", "3"] {
        store.put("a", value);
    }
    // The database ends at entry 3; the log begins after entry 2 and goes on to entry 6.
    for (index, value) in (3_i64..).zip(["3", "4", "5", "6"]) {
        file.entry(1, index, &put("a", value.as_bytes()));
    }
    file.state(1, 6);
    let scratch = Scratch::new("wal-timeline-beyond");
    let db = scratch.file(
        "db",
        &super::revision_inference::with_consistent_index(&store, 3),
    );
    scratch.file("wal/0000000000000000-0000000000000000.wal", &file.bytes);
    let wal = format!("--wal={}", scratch.path().join("wal").display());
    let run = etcdive([
        "log",
        db.to_str().unwrap(),
        "a",
        "--timeline",
        &wal,
        "-o",
        "jsonl",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let told: Vec<_> = rows(&run)
        .iter()
        .map(|row| (row["main"].as_i64(), row["entry"].as_i64()))
        .collect();
    let expected = [
        (Some(7), Some(6)),
        (Some(6), Some(5)),
        (Some(5), Some(4)),
        (Some(4), None),
        (Some(3), None),
        (Some(2), None),
        // No entry before it shows which revision it follows.
        (None, Some(3)),
    ];
    assert_eq!(told, expected, "{}", run.stderr);
}
