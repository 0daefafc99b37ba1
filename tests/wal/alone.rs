//! A data directory whose database cannot be used: its log has the records all the same.

use std::fs;

use crate::support::Scratch;
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::wal::{WalFile, put};
use crate::support::synth::wire::Message;

use super::*;

const SEGMENT: &str = "wal/0000000000000000-0000000000000000.wal";

/// A real data directory of etcd 3.4.23, its database overwritten with zeros.
fn alone() -> PathBuf {
    testdata("wal/alone")
}

fn run_on(db: &Path, line: &str) -> Run {
    let db = db.to_str().unwrap();
    let words = line.split(' ');
    etcdive(words.map(|word| if word == "DB" { db } else { word }))
}

/// A data directory with the log of the fixture, and these bytes as its database.
fn with_database(name: &str, database: Option<&[u8]>) -> Scratch {
    let scratch = Scratch::new(&format!("wal-alone-{name}"));
    let log = fs::read(alone().join("member").join(SEGMENT)).unwrap();
    scratch.file(&format!("member/{SEGMENT}"), &log);
    if let Some(bytes) = database {
        scratch.file("member/snap/db", bytes);
    }
    scratch
}

/// A data directory of a synthetic log without a database.
fn of_log(name: &str, file: &WalFile) -> Scratch {
    let scratch = Scratch::new(&format!("wal-alone-{name}"));
    scratch.file(&format!("member/{SEGMENT}"), &file.bytes);
    scratch
}

fn log_file() -> WalFile {
    let mut file = WalFile::after(None);
    file.metadata(10_276_657_743_932_975_437, 9);
    file
}

#[test]
fn every_verb_with_wal_answers_from_the_log_of_a_zeroed_database() {
    let dir = alone();
    let cases = [
        ("ls DB --wal", "/registry/a/1\n/registry/a/3\n"),
        ("ls DB --deleted --wal", "/registry/a/2"),
        ("log DB --oneline --wal", "/registry/a/2"),
        ("get DB /registry/a/1 -w simple --wal", "v1b"),
        (
            "get DB /registry/a/1 --rev 2 -w simple --wal",
            "/registry/a/1",
        ),
        ("show DB @ --wal", "/registry/a/2"),
        ("diff DB 2..@ --name-only --wal", "/registry/a/3"),
        ("grep DB v1b --wal", "/registry/a/1"),
        ("recover DB --wal -o name", "/registry/a/2"),
    ];
    for (line, expected) in cases {
        let run = run_on(&dir, line);
        let text = format!("{}{}", run.text(), run.stderr);
        assert!(run.code <= 1, "{line}: {} {text}", run.code);
        assert!(run.text().contains(expected), "{line}: {text}");
        for told in ["member/snap/db", "zero bytes", "write-ahead log alone"] {
            assert!(run.stderr.contains(told), "{line}: {told}: {text}");
        }
    }
    let revisions: Vec<_> = rows(&run_on(&dir, "log DB -o jsonl --wal"))
        .iter()
        .map(|row| row["main"].as_i64().unwrap())
        .collect();
    assert_eq!(revisions, [6, 5, 4, 3, 2]);
}

#[test]
fn a_database_that_is_missing_empty_or_unreadable_is_replaced_by_its_log() {
    let never_written = {
        let mut image = fs::read(testdata("wal/killed/restarted.db")).unwrap();
        image.truncate(4096);
        image
    };
    let random: Vec<u8> = (0..40_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let databases: [(&str, Option<&[u8]>); 6] = [
        ("missing", None),
        ("empty", Some(b"")),
        ("zeros", Some(&[0; 70_000])),
        ("random", Some(&random)),
        ("text", Some(b"<html>503 Service Unavailable</html>\n")),
        ("first-page", Some(&never_written)),
    ];
    let expected = run_on(&alone(), "log DB -o jsonl --wal").text().to_owned();
    assert_eq!(expected.lines().count(), 5);
    for (name, database) in databases {
        let scratch = with_database(name, database);
        let with = run_on(scratch.path(), "log DB -o jsonl --wal");
        assert_eq!(
            (with.code, with.text()),
            (0, &*expected),
            "{name}: {}",
            with.stderr
        );
        // Without the flag the message names a line that can be pasted.
        for verb in ["log DB", "get DB pods", "status DB", "fsck DB"] {
            let run = run_on(scratch.path(), verb);
            // Who asks whether it is intact has the answer.
            let is_judged = verb.starts_with("status") || verb.starts_with("fsck");
            let is_lost = run.stderr.contains("no state can be read");
            let code = if is_judged && is_lost { 3 } else { 2 };
            assert_eq!(run.code, code, "{name} {verb}: {}", run.stderr);
            let hint = run.stderr.split('`').nth(1).unwrap_or_default().to_owned();
            assert!(
                run.stderr.contains("up to revision 6") && hint.ends_with(" --wal"),
                "{name} {verb}: {}",
                run.stderr
            );
            let pasted = etcdive(hint.split(' ').skip(1));
            assert_eq!(pasted.code, 0, "{name} {verb}: {}", pasted.stderr);
        }
    }
}

#[test]
fn the_log_is_found_from_every_part_of_the_data_directory() {
    let expected = "/registry/a/1\n/registry/a/3\n";
    let scratch = with_database("parts", Some(b""));
    for part in ["", "member", "member/snap", "member/wal", "member/snap/db"] {
        let run = run_on(&scratch.path().join(part), "ls DB --wal");
        assert_eq!(
            (run.code, run.text()),
            (0, expected),
            "{part}: {}",
            run.stderr
        );
    }
    let segment = scratch.path().join("member").join(SEGMENT);
    assert_eq!(run_on(&segment, "ls DB --wal").text(), expected);
    let missing = scratch.path().join("no/such/file");
    let run = run_on(&missing, "ls DB --wal");
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("no such file"), "{}", run.stderr);
}

#[test]
fn a_log_that_begins_later_is_no_keyspace() {
    let mut file = log_file();
    file.snapshot(40, 1);
    file.entry(1, 41, &put("a", b"1"));
    file.state(1, 41);
    let scratch = of_log("later", &file);
    for line in ["ls DB --wal", "ls DB"] {
        let run = run_on(scratch.path(), line);
        assert_eq!((run.code, run.text()), (2, ""), "{line}");
        assert!(
            run.stderr.contains("begins with entry 41"),
            "{line}: {}",
            run.stderr
        );
        assert!(
            run.stderr.contains("`etcdive wal "),
            "{line}: {}",
            run.stderr
        );
    }
}

/// `etcdutl snapshot restore` writes a log that begins with entry 1: its revisions follow those of the snapshot.
#[test]
fn the_log_of_a_restored_snapshot_is_no_keyspace() {
    let mut file = log_file();
    file.snapshot(0, 0);
    let member = Message::new()
        .set_int(1, 1)
        .set_int(2, 1)
        .set_int(3, 1)
        .finish();
    file.record(
        2,
        &Message::new()
            .set_int(1, 1)
            .set_int(2, 1)
            .set_int(3, 1)
            .put(4, member)
            .finish(),
    );
    file.snapshot(1, 1);
    file.entry(2, 2, b"");
    file.entry(2, 3, &put("a", b"1"));
    file.state(2, 3);
    let scratch = of_log("restored", &file);
    let run = run_on(scratch.path(), "ls DB --wal");
    assert_eq!((run.code, run.text()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.contains("restored snapshot"), "{}", run.stderr);
    // The revisions of its requests are not those of a new cluster either.
    let listed = run_on(scratch.path(), "wal DB -o jsonl");
    let put = entries(&listed).pop().unwrap();
    assert_eq!(
        (put["index"].as_i64(), put["revision"].as_i64()),
        (Some(3), None)
    );
}

#[test]
fn a_log_whose_revisions_end_early_gives_what_is_certain_and_exit_3() {
    let mut file = log_file();
    file.entry(1, 1, &put("a", b"1"));
    file.entry(1, 2, &put("b", b"2"));
    file.entry(1, 4, &put("c", b"4"));
    file.state(1, 4);
    let scratch = of_log("gap", &file);
    let run = run_on(scratch.path(), "ls DB --wal");
    assert_eq!((run.code, run.text()), (3, "a\nb\n"), "{}", run.stderr);
    assert!(
        run.stderr
            .contains("up to entry 2: after it entries are missing"),
        "{}",
        run.stderr
    );
}

#[test]
fn another_database_of_the_folder_is_the_state_that_a_later_log_continues() {
    let mut store = Store::new(Version::V3_6);
    for value in ["1", "2", "3"] {
        store.put("a", value);
    }
    let image = super::revision_inference::with_consistent_index(&store, 3);
    let mut file = log_file();
    file.snapshot(2, 1);
    for (index, value) in (3_i64..).zip(["3", "4", "5"]) {
        file.entry(1, index, &put("a", value.as_bytes()));
    }
    file.state(1, 5);
    let scratch = of_log("continues", &file);
    scratch.file("member/snap/db", &[0; 8192]);
    scratch.file("member/snap/0000000000000001.snap.db", b"not this one");
    let used = scratch.file("member/snap/0000000000000003.snap.db", &image);
    let run = run_on(scratch.path(), "get DB a -w simple --wal");
    assert_eq!((run.code, run.text()), (0, "a\n5\n"), "{}", run.stderr);
    assert!(
        run.stderr.contains(used.to_str().unwrap()),
        "{}",
        run.stderr
    );
    let hint = run_on(scratch.path(), "ls DB").stderr;
    assert!(
        hint.contains("0000000000000003.snap.db") && hint.contains("--wal`"),
        "{hint}"
    );
}

#[test]
fn a_log_that_ends_before_its_raft_snapshot_lacks_writes() {
    let scratch = with_database("behind-snap", None);
    let name = "member/snap/0000000000000002-000000000000000c.snap";
    let snap = fs::read(testdata("wal/v2/0000000000000002-000000000000000c.snap")).unwrap();
    scratch.file(name, &snap);
    let run = run_on(scratch.path(), "ls DB --wal");
    assert_eq!(
        (run.code, run.text().lines().count()),
        (3, 2),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("follows entry 12"), "{}", run.stderr);
}
