//! Logs with one thing wrong: all records before it, and those after it, are read, and what is wrong is said
//! (rows 26 and 27 of the fault matrix).

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::Scratch;
use crate::support::synth::Rng;
use crate::support::synth::wal::{WalFile, put};

use super::*;

const NAME: &str = "0000000000000000-0000000000000000.wal";

/// A folder of its own for each log: the tests run side by side.
fn scratch() -> Scratch {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    Scratch::new(&format!(
        "wal-damage-{}",
        NUMBER.fetch_add(1, Ordering::Relaxed)
    ))
}

/// A log of this many puts, each committed.
fn log(entries: i64) -> WalFile {
    let mut file = WalFile::after(None);
    file.metadata(7, 9);
    file.snapshot(0, 0);
    for index in 1..=entries {
        file.entry(1, index, &put(&format!("key-{index}"), &[b'v'; 60]));
        file.state(1, index);
    }
    file
}

fn read(files: &[(&str, &[u8])]) -> (Vec<u64>, Run) {
    let scratch = scratch();
    for (name, bytes) in files {
        scratch.file(name, bytes);
    }
    let run = wal(scratch.path(), "-o jsonl");
    let entries = entries(&run);
    let indices = entries
        .iter()
        .map(|entry| entry["index"].as_u64().unwrap())
        .collect();
    (indices, run)
}

/// The entries that are read of a log of ten with its bytes changed, and what is said.
fn changed(change: impl Fn(&mut WalFile)) -> (Vec<u64>, Run) {
    let mut file = log(10);
    change(&mut file);
    read(&[(NAME, &file.bytes)])
}

/// The frame of an entry, from 1.
fn frame(file: &WalFile, index: usize) -> usize {
    file.frames[3 + 2 * (index - 1)]
}

fn without(gone: &[u64]) -> Vec<u64> {
    (1..=10).filter(|index| !gone.contains(index)).collect()
}

#[test]
fn an_intact_log_is_read_to_its_end_whatever_was_made_in_advance() {
    let (indices, run) = changed(|file| file.bytes.extend(vec![0; 4096]));
    assert_eq!(
        (indices, run.code, run.stderr.as_str()),
        (without(&[]), 0, "")
    );
}

#[test]
fn a_cut_in_the_length_or_in_the_record_is_reported_as_the_end() {
    for cut in [3, 8, 20, 90] {
        let (indices, run) = changed(|file| {
            let at = frame(file, 8);
            file.bytes.truncate(at + cut);
        });
        assert_eq!(indices, (1..8).collect::<Vec<_>>(), "{cut}");
        assert_eq!(run.code, 3);
        assert!(run.stderr.contains("wal-torn"), "{cut}: {}", run.stderr);
    }
}

#[test]
fn a_changed_byte_in_the_data_is_reported_and_the_chain_continues_after_it() {
    let scratch = Scratch::new("wal-flip");
    let mut file = log(10);
    let at = frame(&file, 4);
    file.bytes[at + 60] ^= 0xff;
    scratch.file(NAME, &file.bytes);
    let run = wal(scratch.path(), "-o jsonl");
    let entries = entries(&run);
    let wrong: Vec<_> = entries
        .iter()
        .filter(|entry| entry["checksum"] != "right")
        .collect();
    assert_eq!((entries.len(), wrong.len()), (10, 1));
    assert_eq!(
        (&wrong[0]["index"], &wrong[0]["checksum"]),
        (&4.into(), &"wrong".into())
    );
    assert!(
        run.code == 3 && run.stderr.contains("wal-checksum"),
        "{}",
        run.stderr
    );
    // A record that states a wrong checksum itself is right, and so is the next one.
    let mut file = log(10);
    let at = frame(&file, 4);
    // After the length: type, then the checksum as a number of five bytes at most.
    file.bytes[at + 11] ^= 0x01;
    scratch.file(NAME, &file.bytes);
    let run = wal(scratch.path(), "-o jsonl");
    let checksums: HashSet<String> = super::entries(&run)
        .iter()
        .map(|entry| entry["checksum"].to_string())
        .collect();
    assert_eq!(
        checksums,
        HashSet::from(["\"right\"".to_owned()]),
        "the data of all entries is right"
    );
    assert!(run.stderr.contains("wal-checksum"));
}

#[test]
fn an_impossible_length_costs_one_record() {
    for length in [(1_u64 << 56) - 1, u64::MAX, 1 << 63, 5, 1 << 20] {
        let (indices, run) = changed(|file| {
            let at = frame(file, 4);
            file.bytes[at..at + 8].copy_from_slice(&length.to_le_bytes());
        });
        assert_eq!(indices, without(&[4]), "{length:x}: {}", run.stderr);
        assert!(
            run.stderr.contains("wal-frame"),
            "{length:x}: {}",
            run.stderr
        );
        assert!(run.stderr.contains("wal-entry-gap"), "{length:x}");
        assert_eq!(run.code, 3);
    }
}

#[test]
fn records_after_a_gap_of_zeros_are_found() {
    let (indices, run) = changed(|file| {
        let (from, to) = (frame(file, 4), frame(file, 7));
        file.bytes[from..to].fill(0);
    });
    assert_eq!(indices, without(&[4, 5, 6]), "{}", run.stderr);
    assert!(
        run.stderr.contains("zeros, then other bytes"),
        "{}",
        run.stderr
    );
}

#[test]
fn files_are_read_by_their_numbers_and_a_missing_one_is_reported() {
    let first = log(4);
    let mut second = WalFile::after(Some(&first));
    second.metadata(7, 9);
    (5..=7).for_each(|index| second.entry(1, index, &put("k", b"v")));
    let mut third = WalFile::after(Some(&second));
    third.metadata(7, 9);
    (8..=10).for_each(|index| third.entry(1, index, &put("k", b"v")));
    third.state(1, 10);
    let (two, three) = (
        "0000000000000001-0000000000000005.wal",
        "0000000000000002-0000000000000008.wal",
    );
    let (indices, run) = read(&[
        (three, &third.bytes),
        (NAME, &first.bytes),
        (two, &second.bytes),
        ("3.tmp", &[0; 64]),
    ]);
    assert_eq!(
        (indices, run.code, run.stderr.as_str()),
        (without(&[]), 0, "")
    );
    let (indices, run) = read(&[(NAME, &first.bytes), (three, &third.bytes)]);
    assert_eq!(indices, without(&[5, 6, 7]));
    for code in ["wal-segment-missing", "wal-entry-gap"] {
        assert!(run.stderr.contains(code), "{code}: {}", run.stderr);
    }
    // The record with which a file goes on states another checksum.
    let mut other = WalFile::default();
    other.frame(4, 12345, &[]);
    other.entry(1, 5, &put("k", b"v"));
    let (indices, run) = read(&[(NAME, &first.bytes), (two, &other.bytes)]);
    assert_eq!(indices, [1, 2, 3, 4, 5]);
    assert!(run.stderr.contains("wal-checksum"), "{}", run.stderr);
    // Files of two members.
    let mut stranger = WalFile::after(Some(&first));
    stranger.metadata(8, 9);
    let (_, run) = read(&[(NAME, &first.bytes), (two, &stranger.bytes)]);
    assert!(run.stderr.contains("wal-contradiction"), "{}", run.stderr);
}

#[test]
fn an_entry_that_another_leader_replaced_is_reported_as_such_and_one_without_a_majority_too() {
    let scratch = Scratch::new("wal-replaced");
    let mut file = log(3);
    file.entry(1, 4, &put("old", b"4"));
    file.entry(1, 5, &put("old", b"5"));
    file.entry(2, 4, &put("new", b"4"));
    file.state(2, 4);
    file.entry(2, 5, &put("new", b"5"));
    scratch.file(NAME, &file.bytes);
    let run = wal(scratch.path(), "-o jsonl");
    let states: Vec<_> = entries(&run)
        .iter()
        .map(|entry| {
            (
                entry["index"].as_u64().unwrap(),
                entry["term"].as_u64().unwrap(),
                entry["state"].as_str().unwrap().to_owned(),
                entry["revision"].as_i64(),
            )
        })
        .collect();
    let expected = [
        (3, 1, "committed", Some(4)),
        (4, 1, "replaced", None),
        (5, 1, "replaced", None),
        (4, 2, "committed", Some(5)),
        (5, 2, "uncommitted", None),
    ];
    let expected: Vec<_> = expected
        .map(|(index, term, state, revision)| (index, term, state.to_owned(), revision))
        .into();
    assert_eq!(states[2..], expected);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = wal(scratch.path(), "");
    assert!(
        text.text()
            .contains("entries: 4 committed, 1 uncommitted, 2 replaced"),
        "{}",
        text.text()
    );
}

#[test]
fn a_record_of_a_type_that_there_is_none_of_is_passed_over() {
    let mut file = log(3);
    file.record(7, b"something");
    file.entry(1, 4, &put("k", b"v"));
    let (indices, run) = read(&[(NAME, &file.bytes)]);
    assert_eq!(indices, [1, 2, 3, 4]);
    assert!(run.stderr.contains("a record of type 7"), "{}", run.stderr);
    // A request that nobody knows.
    let mut file = log(1);
    file.entry(1, 2, b"\x0b\x0c nothing");
    file.state(1, 2);
    let (indices, run) = read(&[(NAME, &file.bytes)]);
    assert_eq!(indices, [1, 2]);
    assert!(run.stderr.contains("wal-request"), "{}", run.stderr);
}

#[test]
fn raft_snapshots_that_cannot_be_trusted_are_reported() {
    let good = std::fs::read(requests().join("member/snap/0000000000000002-000000000000002a.snap"))
        .unwrap();
    let name = "0000000000000002-000000000000002a.snap";
    let told = |name: &str, bytes: &[u8]| {
        let scratch = scratch();
        scratch.file(name, bytes);
        wal(&scratch.path().join(name), "")
    };
    let sound = told(name, &good);
    assert_eq!((sound.code, sound.stderr.as_str()), (0, ""));
    let mut flipped = good.clone();
    flipped[300] ^= 1;
    let cut = &good[..good.len() / 2];
    for (bytes, why) in [
        (flipped.as_slice(), "stored checksum"),
        (cut, "it is not a snappb.Snapshot"),
        (b"".as_slice(), "it is empty"),
        (b"\xff\xff\xff".as_slice(), "it is not a snappb.Snapshot"),
    ] {
        let run = told(name, bytes);
        assert_eq!(run.code, 3, "{why}");
        assert!(
            run.stderr.contains("snap-invalid") && run.stderr.contains(why),
            "{why}: {}",
            run.stderr
        );
    }
    // The v2 store in it is cut, under a right checksum.
    let mut data = good[good.iter().position(|byte| *byte == b'{').unwrap()..][..500].to_vec();
    data = crate::support::synth::wire::Message::new()
        .put(1, data)
        .finish();
    let crc = crate::support::synth::wal::crc32c(0, &data);
    let snap = crate::support::synth::wire::Message::new()
        .put_int(1, i64::from(crc))
        .put(2, data)
        .finish();
    let run = told(name, &snap);
    assert!(
        run.stderr.contains("the v2 store in it cannot be read"),
        "{}",
        run.stderr
    );
    // What etcd itself has put aside is no news.
    let broken = told(&format!("{name}.broken"), cut);
    assert_eq!(broken.code, 0, "{}", broken.stderr);
    assert!(broken.text().contains("cannot be read"));
}

#[test]
fn whatever_is_changed_the_records_before_and_after_it_are_read() {
    let sound = log(40);
    let mut rng = Rng::new(3);
    for trial in 0..400 {
        let mut bytes = sound.bytes.clone();
        let (from, len) = (rng.index(bytes.len()), 1 + rng.index(40));
        for byte in bytes.iter_mut().skip(from).take(len) {
            *byte = rng.below(256) as u8;
        }
        let to = (from + len).min(bytes.len());
        let diagnostics = etcdive::diag::Diagnostics::new();
        let file = etcdive::etcd::wal::File {
            name: NAME.to_owned(),
            sequence: Some(0),
            first_index: Some(0),
            bytes: &bytes,
            source: None,
        };
        let wal = etcdive::etcd::wal::Wal::read(vec![file], &diagnostics);
        let read: HashSet<u64> = wal.entries.iter().map(|entry| entry.index).collect();
        for index in 1..=40_u64 {
            let start = frame(&sound, index as usize);
            let end = sound
                .frames
                .iter()
                .find(|at| **at > start)
                .copied()
                .unwrap_or(sound.bytes.len());
            // The record right after a damaged one may be needed to find the way again.
            let untouched = end <= from || start >= to + 8;
            assert!(
                !untouched || read.contains(&index),
                "trial {trial}: entry {index} at {start}..{end}, changed {from}..{to}"
            );
        }
        let _ = etcdive::etcd::wal::replay::whole_log(&wal);
        wal.entries
            .iter()
            .for_each(|entry| drop(etcdive::etcd::wal::writes::changes(&entry.request())));
    }
}
