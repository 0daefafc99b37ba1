//! A revision counted back from the newest, or a time, together with a log; and the leases of such a revision.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::restore_data;
use crate::support::synth::Bucket;
use crate::support::synth::etcd::{Store, Version, lease_value};
use crate::support::synth::wal::{WalFile, put};
use crate::support::synth::wire::Message;
use crate::support::{Run, Scratch, bolt_reader, testdata};

const SEGMENT: &str = "data/member/wal/0000000000000000-0000000000000000.wal";

/// Restores the data directory of a scratch folder. Returns the path of the new file too.
fn restore(scratch: &Scratch, flags: &str) -> (Run, PathBuf) {
    (restore_data(scratch, flags), scratch.path().join("new.db"))
}

fn pairs(db: &Path, bucket: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = std::fs::read(db).unwrap();
    bolt_reader::read(&bytes, true).buckets[bucket].clone()
}

fn leases(db: &Path) -> Vec<i64> {
    let ids = pairs(db, "lease").into_iter();
    ids.map(|(key, _)| i64::from_be_bytes(key.try_into().unwrap()))
        .collect()
}

fn report(db: &Path) -> Value {
    let path = format!("{}.restore.json", db.display());
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn grant(id: i64, ttl: i64) -> Vec<u8> {
    let grant = Message::new().set_int(1, ttl).set_int(2, id);
    Message::new().nest(8, grant).finish()
}

fn revoke(id: i64) -> Vec<u8> {
    let revoke = Message::new().set_int(1, id);
    Message::new().nest(9, revoke).finish()
}

fn leased(key: &str, lease: i64) -> Vec<u8> {
    let put = Message::new().put(1, key).put(2, "v").set_int(3, lease);
    Message::new().nest(4, put).finish()
}

/// A whole log with these requests, all of them committed.
fn log(requests: &[Vec<u8>]) -> WalFile {
    let mut file = WalFile::after(None);
    file.metadata(10_276_657_743_932_975_437, 9);
    for (place, request) in requests.iter().enumerate() {
        file.entry(2, place as i64 + 1, request);
    }
    file.state(2, requests.len() as i64);
    file
}

#[test]
fn a_revision_counted_back_reaches_below_the_compaction_of_the_database() {
    let scratch = Scratch::new("member-log-back");
    scratch.file(
        SEGMENT,
        &std::fs::read(testdata("restore/src36.wal")).unwrap(),
    );
    let snapshot = std::fs::read(testdata("restore/src36.snap.db")).unwrap();
    scratch.file("data/member/snap/db", &snapshot[..snapshot.len() - 32]);
    let (run, new) = restore(&scratch, "--wal");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let newest = report(&new)["revision"].as_i64().unwrap();
    let mut compared = 0;
    for back in [newest - 28, newest - 9, 3, 0] {
        let (run, new) = restore(&scratch, &format!("--wal --at @~{back}"));
        assert_eq!(run.code, 0, "{back}: {}", run.stderr);
        let counted = std::fs::read(&new).unwrap();
        let (run, new) = restore(&scratch, &format!("--wal --at {}", newest - back));
        assert_eq!(run.code, 0, "{back}: {}", run.stderr);
        assert_eq!(counted, std::fs::read(&new).unwrap(), "@~{back}");
        assert_eq!(report(&new)["revision"], newest - back);
        compared += 1;
    }
    assert_eq!(compared, 4);
    // The report has the files of the log with their SHA-256.
    let (_, new) = restore(&scratch, "--wal --at @~3");
    let files = report(&new)["log"]["files"].clone();
    assert_eq!(files.as_array().unwrap().len(), 1, "{files}");
    let summed = std::process::Command::new("sha256sum")
        .arg(scratch.path().join(SEGMENT))
        .output()
        .unwrap();
    let sum = String::from_utf8(summed.stdout).unwrap();
    assert_eq!(files[0]["sha256"], sum.split(' ').next().unwrap());
}

#[test]
fn a_time_before_the_compaction_is_restored_from_the_log() {
    let object = |second: u32| {
        format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"c{second}","namespace":"a","creationTimestamp":"2026-11-20T21:00:{second:02}Z"}}}}"#
        )
    };
    let mut store = Store::new(Version::V3_6);
    let mut requests = Vec::new();
    for second in [10, 11, 20, 30, 40] {
        let key = format!("/registry/configmaps/a/c{second}");
        store.put(key.as_str(), object(second));
        requests.push(put(&key, object(second).as_bytes()));
    }
    store.compact(5);
    let mut log = log(&requests);
    log.entry(2, 6, &[]);
    let scratch = Scratch::new("member-log-time");
    scratch.file(SEGMENT, &log.bytes);
    scratch.file("data/member/snap/db", &store.builder().build().bytes);
    let (run, _) = restore(&scratch, "--at-time 21:00:11");
    assert_eq!(run.code, 2, "the database alone is compacted up to 5");
    let (run, new) = restore(&scratch, "--wal --at-time 21:00:11");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report = report(&new);
    assert_eq!(report["revision"], 3, "{report}");
    assert_eq!(report["log"]["database_used"], false);
    assert_eq!(pairs(&new, "key").len(), 2);
}

#[test]
fn a_log_that_stops_early_still_has_the_revisions_before() {
    let user = Message::new().put(1, "u").put(2, "p");
    let requests = [
        put("/a", b"1"),
        put("/b", b"2"),
        Message::new().nest(1100, user).finish(),
        put("/c", b"3"),
        put("/d", b"4"),
    ];
    let mut store = Store::new(Version::V3_6);
    for (key, value) in [("/a", "1"), ("/b", "2"), ("/c", "3"), ("/d", "4")] {
        store.put(key, value);
    }
    store.compact(4);
    let mut log = log(&requests);
    log.entry(2, 6, &[]);
    log.entry(2, 7, &[]);
    log.entry(2, 8, &[]);
    let scratch = Scratch::new("member-log-stops");
    scratch.file(SEGMENT, &log.bytes);
    scratch.file("data/member/snap/db", &store.builder().build().bytes);
    for flags in ["--wal --at 3", "--wal --at @~2"] {
        let (run, new) = restore(&scratch, flags);
        assert_eq!(run.code, 0, "{flags}: {}", run.stderr);
        assert_eq!(pairs(&new, "key").len(), 2, "{flags}");
        assert_eq!(report(&new)["log"]["database_used"], false, "{flags}");
        // What clients have seen is known from the database.
        assert_eq!(report(&new)["source_revision"], 5, "{flags}");
    }
}

#[test]
fn the_leases_of_a_revision_are_those_that_were_alive_at_it() {
    let requests = [
        grant(0x11, 60),
        leased("/a", 0x11),
        grant(0x22, 70),
        leased("/b", 0x22),
        revoke(0x11),
        grant(0x33, 80),
        leased("/c", 0x33),
        revoke(0x22),
        grant(0x44, 90),
    ];
    let scratch = Scratch::new("member-log-leases");
    scratch.file(SEGMENT, &log(&requests).bytes);
    let cases: [(&str, &[i64]); 8] = [
        // A grant uses no revision: it belongs to the revision before it.
        ("--at 1", &[0x11]),
        ("--at 2", &[0x11, 0x22]),
        ("--at 3", &[0x11, 0x22]),
        ("--at 4", &[0x22, 0x33]),
        ("--at 5", &[0x22, 0x33]),
        ("--at @~1", &[0x22, 0x33]),
        ("--at @", &[0x33, 0x44]),
        ("", &[0x33, 0x44]),
    ];
    for (flags, expected) in cases {
        let (run, new) = restore(&scratch, &format!("--wal {flags}"));
        assert_eq!(run.code, 0, "{flags}: {}", run.stderr);
        assert_eq!(leases(&new), expected, "{flags}");
    }
    // The same with a database that is later than the revision.
    let mut store = Store::new(Version::V3_6);
    store.put_leased("/a", b"v", 0x11);
    store.put_leased("/b", b"v", 0x22);
    store.delete("/a");
    store.put_leased("/c", b"v", 0x33);
    store.grant(0x22, 70);
    store.grant(0x33, 80);
    store.set_bucket(
        "meta",
        Bucket::of([
            ("consistent_index", 7_u64.to_be_bytes().to_vec()),
            ("term", 2_u64.to_be_bytes().to_vec()),
        ]),
    );
    scratch.file("data/member/snap/db", &store.builder().build().bytes);
    for (flags, expected) in cases.iter().filter(|(flags, _)| *flags != "--at 1") {
        let (run, new) = restore(&scratch, &format!("--wal {flags}"));
        assert_eq!(run.code, 0, "{flags}: {}", run.stderr);
        assert_eq!(leases(&new), *expected, "{flags} with a database");
        assert_eq!(report(&new)["log"]["database_used"], true, "{flags}");
    }
}

#[test]
fn the_time_to_live_of_a_lease_is_looked_for_in_freed_pages() {
    let mut store = Store::new(Version::V3_6);
    store.put_leased("/a", b"v", 0x77);
    store.put_leased("/b", b"v", 0x88);
    let stale = Bucket::of([(0x77_i64.to_be_bytes(), lease_value(0x77, 123, 0))]);
    let image = store.builder().stale(stale).build();
    let scratch = Scratch::new("member-freed-lease");
    scratch.file("data/member/snap/db", &image.bytes);
    let ttls = |flags: &str| {
        let (run, new) = restore(&scratch, flags);
        assert!(run.code != 2, "{flags}: {}", run.stderr);
        let written = report(&new)["leases_written"].clone();
        let rows = written.as_array().unwrap().iter();
        rows.map(|row| format!("{} {}", row["ttl"], row["ttl_from"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(ttls(""), ["3600 flag", "3600 flag"]);
    assert_eq!(ttls("--carve"), ["123 freed-page", "3600 flag"]);
}
