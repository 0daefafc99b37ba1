//! The write-ahead log as a source: every record of a whole log, what follows a database, and when it is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::restore_data as restore;
use crate::support::synth::wal::{WalFile, put};
use crate::support::synth::wire::Message;
use crate::support::{Scratch, bolt_reader, etcdive, testdata};

const SEGMENT: &str = "member/wal/0000000000000000-0000000000000000.wal";

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A data directory with this log and no database.
fn log_alone(name: &str, log: &[u8]) -> Scratch {
    let scratch = Scratch::new(&format!("member-log-{name}"));
    scratch.file(&format!("data/{SEGMENT}"), log);
    scratch
}

fn recorded_log(source: &str) -> Vec<u8> {
    std::fs::read(testdata(&format!("restore/{source}.wal"))).unwrap()
}

fn new_db(scratch: &Scratch) -> PathBuf {
    scratch.path().join("new.db")
}

fn bucket(db: &Path, name: &str) -> Pairs {
    let bytes = std::fs::read(db).unwrap();
    bolt_reader::read(&bytes, true).buckets[name].clone()
}

fn report(scratch: &Scratch) -> Value {
    let bytes = std::fs::read(scratch.path().join("new.db.restore.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn revision(key: &[u8]) -> i64 {
    i64::from_be_bytes(key[..8].try_into().unwrap())
}

/// mvccpb.KeyValue by prost: not the reader of the program.
#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
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

/// The live keys of the records up to a revision, in the form of the truth files.
fn live(pairs: &Pairs, at: i64) -> Vec<Value> {
    let mut keys = BTreeMap::new();
    for (key, value) in pairs.iter().filter(|(key, _)| revision(key) <= at) {
        let record: KeyValue = prost::Message::decode(value.as_slice()).unwrap();
        match key.len() {
            17 => drop(keys.insert(record.key.clone(), record)),
            _ => drop(keys.remove(&record.key)),
        }
    }
    let rows = keys.into_values().map(|record| {
        let hash = Sha256::digest(&record.value);
        let hash: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let lease = match record.lease {
            0 => String::new(),
            lease => format!("{lease:x}"),
        };
        serde_json::json!([
            String::from_utf8(record.key).unwrap(),
            record.create_revision,
            record.mod_revision,
            record.version,
            lease,
            hash
        ])
    });
    rows.collect()
}

#[test]
fn a_whole_log_alone_gives_every_record_that_the_server_had() {
    for source in ["src34", "src36"] {
        let scratch = log_alone(source, &recorded_log(source));
        let run = restore(&scratch, "--wal");
        assert_eq!(run.code, 0, "{}", run.stderr);
        let of_log = bucket(&new_db(&scratch), "key");
        let leases = bucket(&new_db(&scratch), "lease");
        // The snapshot of the same server, after a compaction.
        let snapshot = testdata(&format!("restore/{source}.snap.db"));
        let again = scratch.path().join("snapshot.db");
        let words = [
            "restore",
            snapshot.to_str().unwrap(),
            "--out",
            again.to_str().unwrap(),
        ];
        assert_eq!(etcdive(words).code, 0);
        let of_snapshot = bucket(&again, "key");
        let missing = of_snapshot.iter().filter(|pair| !of_log.contains(pair));
        assert_eq!(missing.count(), 0, "{source}");
        assert!(of_log.len() > of_snapshot.len() && of_snapshot.len() > 50);
        assert_eq!(leases, bucket(&again, "lease"), "{source}");
        assert!(!leases.is_empty());
        let truth = std::fs::read(testdata(&format!("restore/{source}.truth.json"))).unwrap();
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        let mut compared = 0;
        for (at, state) in truth["at"].as_object().unwrap() {
            let live = live(&of_log, at.parse().unwrap());
            assert_eq!(
                live.len() as u64,
                state["count"].as_u64().unwrap(),
                "{source} at {at}"
            );
            if let Some(expected) = state["kvs"].as_array() {
                assert_eq!(&live, expected, "{source} at {at}");
            }
            compared += 1;
        }
        assert_eq!(compared, 47);
    }
}

#[test]
fn a_whole_log_gives_revisions_below_the_compaction() {
    let scratch = log_alone("below", &recorded_log("src36"));
    assert_eq!(restore(&scratch, "--wal").code, 0);
    let all = bucket(&new_db(&scratch), "key");
    // With an intact database beside the log as well.
    let snapshot = std::fs::read(testdata("restore/src36.snap.db")).unwrap();
    let image = &snapshot[..snapshot.len() - 32];
    scratch.file("data/member/snap/db", image);
    for at in [2, 9, 17, 28] {
        let run = restore(&scratch, &format!("--at {at}"));
        assert_eq!(run.code, 2, "the database alone is compacted up to 29");
        let run = restore(&scratch, &format!("--wal --at {at}"));
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(
            run.text().contains("it is compacted up to 29"),
            "{}",
            run.text()
        );
        let pairs = bucket(&new_db(&scratch), "key");
        let expected: Pairs = all
            .iter()
            .filter(|pair| revision(&pair.0) <= at)
            .cloned()
            .collect();
        assert_eq!(pairs, expected, "at {at}");
        assert!(!pairs.is_empty());
    }
    // Above the compaction the database is used, and keeps its compaction.
    let run = restore(&scratch, "--wal --at 40");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(report(&scratch)["compact_revision"], 29);
}

#[test]
fn a_whole_log_replaces_a_damaged_database() {
    let scratch = log_alone("damaged", &recorded_log("src36"));
    assert_eq!(restore(&scratch, "--wal").code, 0);
    let all = bucket(&new_db(&scratch), "key");
    let snapshot = std::fs::read(testdata("restore/src36.snap.db")).unwrap();
    let mut image = snapshot[..snapshot.len() - 32].to_vec();
    // All pages but the metas.
    let used = image.len();
    image[4096 * 3..used].fill(0xff);
    scratch.file("data/member/snap/db", &image);
    assert_eq!(restore(&scratch, "").code, 2);
    let run = restore(&scratch, "--wal");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.text()
            .contains("the database is not used: it is damaged"),
        "{}",
        run.text()
    );
    assert_eq!(bucket(&new_db(&scratch), "key"), all);
}

#[test]
fn a_log_after_a_database_gives_what_the_server_had_acknowledged() {
    let killed = testdata("wal/killed");
    let scratch = Scratch::new("member-log-killed");
    let restored = |arguments: &[&str]| {
        let new = new_db(&scratch);
        for path in [new.clone(), scratch.path().join("new.db.restore.json")] {
            let _ = std::fs::remove_file(path);
        }
        let words = [
            "restore",
            killed.to_str().unwrap(),
            "--out",
            new.to_str().unwrap(),
        ];
        let run = etcdive(words.iter().chain(arguments));
        assert_eq!(run.code, 0, "{}", run.stderr);
        (run.text().to_owned(), bucket(&new, "key"), report(&scratch))
    };
    let (text, without, _) = restored(&[]);
    assert!(
        text.contains("36 entries of the write-ahead log in"),
        "{text}"
    );
    assert!(
        text.contains("are not in this database: --wal applies them"),
        "{text}"
    );
    let (text, with, json) = restored(&["--wal"]);
    assert!(
        text.contains("entries 64 to 99 applied, up to revision 62"),
        "{text}"
    );
    assert_eq!(json["log"]["voters"], 1);
    assert_eq!(json["log"]["entries_applied"], 36);
    // What the server itself had after its restart.
    let restarted = killed.join("restarted.db");
    let again = scratch.path().join("restarted.db");
    let words = [
        "restore",
        restarted.to_str().unwrap(),
        "--out",
        again.to_str().unwrap(),
    ];
    assert_eq!(etcdive(words).code, 0);
    assert_eq!(with, bucket(&again, "key"));
    assert!(with.len() > without.len());
    // The new file says which entry it goes up to: beside the old log, no entry is applied twice.
    let index = |db: &Path| {
        let meta = bucket(db, "meta");
        let found = meta.into_iter().find(|(key, _)| key == b"consistent_index");
        u64::from_be_bytes(found.unwrap().1.try_into().unwrap())
    };
    assert_eq!(index(&new_db(&scratch)), 99);
}

/// A log of four puts, of which three are known to be committed.
fn four_puts() -> WalFile {
    let mut file = WalFile::after(None);
    file.metadata(10_276_657_743_932_975_437, 9);
    for index in 1..=4 {
        file.entry(2, index, &put(&format!("/k{index}"), b"v"));
    }
    file.state(2, 3);
    file
}

#[test]
fn an_entry_that_may_not_have_been_acknowledged_is_applied_and_named_or_left_out() {
    let scratch = log_alone("tail", &four_puts().bytes);
    let run = restore(&scratch, "--wal");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.text()
            .contains("revision 5, /k4: may not have been acknowledged"),
        "{}",
        run.text()
    );
    assert_eq!(bucket(&new_db(&scratch), "key").len(), 4);
    let row = &report(&scratch)["log"]["may_not_be_acknowledged"][0];
    assert_eq!(
        (&row["index"], &row["revision"], &row["key"]),
        (&4.into(), &5.into(), &"/k4".into())
    );
    let run = restore(&scratch, "--wal --committed-only");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.text().contains("may not have been"), "{}", run.text());
    assert_eq!(bucket(&new_db(&scratch), "key").len(), 3);
    assert_eq!(report(&scratch)["log"]["entries_left_out"], 1);
    // A cluster of one member applies every entry of its log, so none is unsure.
    let mut file = WalFile::after(None);
    file.metadata(1, 9);
    let change = Message::new()
        .set_int(1, 0)
        .set_int(2, 0)
        .set_int(3, 1)
        .finish();
    let entry = Message::new()
        .set_int(1, 1)
        .set_int(2, 1)
        .set_int(3, 1)
        .put(4, &change);
    file.record(2, &entry.finish());
    file.entry(2, 2, &put("/k", b"v"));
    file.state(2, 1);
    let scratch = log_alone("one-voter", &file.bytes);
    let run = restore(&scratch, "--wal");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!run.text().contains("may not have been"), "{}", run.text());
    assert_eq!(bucket(&new_db(&scratch), "key").len(), 1);
}

#[test]
fn a_damaged_log_is_refused_and_the_revision_that_the_hint_names_can_be_restored() {
    let mut file = four_puts();
    file.state(2, 4);
    let third = file.frames[4];
    let mut damaged = file.bytes.clone();
    let at = damaged[third..]
        .windows(3)
        .position(|bytes| bytes == b"/k3")
        .unwrap();
    damaged[third + at + 2] ^= 1;
    let mut gap = WalFile::after(None);
    gap.metadata(10_276_657_743_932_975_437, 9);
    for index in [1, 2, 4] {
        gap.entry(2, index, &put(&format!("/k{index}"), b"v"));
    }
    gap.state(2, 4);
    let mut short = WalFile::after(None);
    short.metadata(10_276_657_743_932_975_437, 9);
    for index in [1, 2] {
        short.entry(2, index, &put(&format!("/k{index}"), b"v"));
    }
    short.state(2, 4);
    for (name, bytes, why) in [
        ("checksum", damaged, "an entry is damaged"),
        ("gap", gap.bytes, "entries are missing"),
        ("short", short.bytes, "entry 4 was committed"),
    ] {
        let scratch = log_alone(name, &bytes);
        let run = restore(&scratch, "--wal");
        assert_eq!(run.code, 2, "{name}: {}", run.stderr);
        assert!(run.stderr.contains(why), "{name}: {}", run.stderr);
        assert!(!new_db(&scratch).exists(), "{name}");
        let hint = run.stderr.split('`').nth(1).unwrap();
        assert!(hint.ends_with("--wal --at 3"), "{name}: {hint}");
        let run = restore(&scratch, "--wal --at 3");
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        assert_eq!(bucket(&new_db(&scratch), "key").len(), 2);
        let run = restore(&scratch, "--wal --allow-loss");
        assert_eq!(run.code, 3, "{name}: {}", run.stderr);
        assert!(run.text().contains(why), "{name}: {}", run.text());
        assert_eq!(bucket(&new_db(&scratch), "key").len(), 2);
    }
}

#[test]
fn changes_of_users_in_a_log_are_never_dropped_silently() {
    let scratch = Scratch::new("member-log-users");
    let log = std::fs::read(testdata("wal/requests").join(SEGMENT)).unwrap();
    scratch.file(&format!("data/{SEGMENT}"), &log);
    let run = restore(&scratch, "--wal");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("an entry changes users, roles or authentication"),
        "{}",
        run.stderr
    );
    let run = restore(&scratch, "--wal --allow-loss");
    assert_eq!(run.code, 3, "{}", run.stderr);
    let until = report(&scratch)["revision"].as_i64().unwrap();
    let run = restore(&scratch, "--wal --allow-loss --auth off");
    let further = report(&scratch)["revision"].as_i64().unwrap();
    assert!(further > until, "{} {further} {until}", run.stderr);
}

#[test]
fn a_log_of_another_cluster_is_refused() {
    let scratch = log_alone("stranger", &four_puts().bytes);
    let snapshot = std::fs::read(testdata("restore/src36.snap.db")).unwrap();
    scratch.file("data/member/snap/db", &snapshot[..snapshot.len() - 32]);
    let run = restore(&scratch, "--wal");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("is that of member 8e9e05c52164694d"),
        "{}",
        run.stderr
    );
    // A log that is given by its folder.
    let scratch = Scratch::new("member-log-given");
    let wal = scratch.file(
        "old/wal/0000000000000000-0000000000000000.wal",
        &recorded_log("src36"),
    );
    let db = scratch.file("data/member/snap/db", &snapshot[..snapshot.len() - 32]);
    assert!(db.exists());
    let run = restore(
        &scratch,
        &format!("--wal={}", wal.parent().unwrap().display()),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.text().contains("\nlog "), "{}", run.text());
}

#[test]
fn the_log_is_said_to_end_at_the_revision_that_was_asked_for() {
    let scratch = log_alone("src36", &recorded_log("src36"));
    let run = restore(&scratch, "--wal --at 7");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = run.text();
    assert!(text.contains("up to revision 7;"), "{text}");
}
