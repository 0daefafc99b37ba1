//! Rows 1, 2, 8, 9, 10: what is no database, or is too short, or too long.

use super::row::Row;
use super::three_hundred::real;
use super::whole::Whole;
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::faults::cuts_at_pages;
use crate::support::synth::{Bucket, Rng, Trailer, shapes};
use crate::support::{Run, testdata};

/// Verbs that read a database.
const VERBS: [&[&str]; 4] = [
    &["status", "DB"],
    &["ls", "DB"],
    &["log", "DB"],
    &["dump-db", "iterate-bucket", "DB", "key"],
];

/// A file that no verb can answer about: exit 2, a sentence, nothing on standard output.
fn refused(row: &mut Row, name: &str, bytes: &[u8], says: &str) {
    refused_with(row, name, bytes, says, |_| 2);
}

/// The same with the exit code of each line.
fn refused_with(row: &mut Row, name: &str, bytes: &[u8], says: &str, code: impl Fn(&str) -> i32) {
    for verb in VERBS {
        let run: Run = row.run(verb, bytes).run();
        let right = run.code == code(verb[0]) && run.stdout.is_empty() && run.stderr.contains(says);
        row.expect(right, || {
            format!("{name}: {verb:?}: exit {}: {}", run.code, run.stderr)
        });
    }
}

#[test]
fn row_1_a_file_too_short_to_be_a_database_is_refused() {
    let mut row = Row::new("1");
    let image = real().image;
    for len in [0, 1, 100, 4096, 8192] {
        // A file that is cut after its first meta page is a damaged database: that is a verdict.
        let has_meta = len >= 100;
        let code = |verb: &str| match has_meta && matches!(verb, "status" | "fsck") {
            true => 3,
            false => 2,
        };
        let name = format!("{len} bytes");
        refused_with(&mut row, &name, &image[..len], "", code);
        refused(&mut row, &format!("{len} zeros"), &vec![0; len], "");
    }
    row.conclude(40);
}

#[test]
fn row_2_a_file_of_another_kind_is_refused_and_named() {
    let mut row = Row::new("2");
    let random = Rng::new(2).bytes(1 << 20);
    let tail = &random[..9000];
    // The frame of a crc record with four bytes of padding, which begins every segment of the log.
    let frame = (0x84_u64 << 56 | 4).to_le_bytes();
    let wal = [&frame[..], b"\x08\x04\x10\0\0\0\0\0", tail].concat();
    let text = "kind: Pod\nmetadata: {name: web-1}\n".repeat(300);
    refused(&mut row, "random", &random, "not a bbolt database");
    refused(&mut row, "text", text.as_bytes(), "text");
    refused(
        &mut row,
        "gzip",
        &[b"\x1f\x8b\x08\0", tail].concat(),
        "gzip",
    );
    refused(
        &mut row,
        "SQLite",
        &[b"SQLite format 3\0", tail].concat(),
        "SQLite",
    );
    refused(&mut row, "WAL", &wal, "WAL");
    row.conclude(20);
}

/// Both trees of this one are whole.
fn small() -> Whole {
    let image = shapes::store(8, 40).builder().page_size(1024).build();
    Whole::of("small store", image.bytes)
}

#[test]
fn row_8_a_cut_file_delivers_what_is_left_and_says_what_is_lost() {
    let mut row = Row::of_many("8", 8);
    for whole in [real(), small()] {
        let cuts = cuts_at_pages(&whole.image).map(<[u8]>::to_vec);
        let mut rng = Rng::new(8);
        let anywhere: Vec<Vec<u8>> = (0..100)
            .map(|_| whole.image[..rng.index(whole.image.len())].to_vec())
            .collect();
        for bytes in cuts.chain(anywhere).filter(|bytes| !bytes.is_empty()) {
            let name = format!("cut to {} bytes", bytes.len());
            let given = row.told(&whole, &name, &bytes);
            let is_told = given.answer.refused.is_some() || given.has("file-truncated");
            row.expect(is_told, || format!("{name}: {:?}", given.answer.codes));
        }
    }
    row.conclude(250);
}

#[test]
fn row_9_what_is_after_the_high_water_mark_is_no_part_of_the_store() {
    let mut row = Row::new("9");
    for whole in [real(), small()] {
        let mut other = Store::new(Version::V3_6);
        for n in 0..50 {
            other.put(format!("/registry/pods/other/{n}"), "x");
        }
        let page_size = whole.outline.page_size;
        let other = other.builder().page_size(page_size).build().bytes;
        let random = Rng::new(9).bytes(16 * page_size);
        for (name, tail) in [
            ("zeros", vec![0; 16 * page_size]),
            ("random bytes", random),
            ("another database", other),
        ] {
            let bytes = [&whole.image[..], &tail].concat();
            let given = row.fault(&whole, name, &bytes);
            row.expect(
                given.answer.records.len() == whole.records.len() && !given.answer.told,
                || format!("{name}: {:?}", given.answer.findings),
            );
            let status = row.run(&["status", "-o", "json", "DB"], &bytes).run();
            let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
            let told = status["tail_bytes"].as_u64();
            row.expect(told == Some(tail.len() as u64), || {
                format!("{name}: {told:?} bytes behind the mark")
            });
        }
        // A damaged tree does not let the tail in.
        let mut bytes = whole.image.clone();
        let root = whole.outline.root as usize * page_size;
        bytes[root..root + page_size].fill(0);
        bytes.extend_from_slice(&whole.image);
        row.told(&whole, "itself appended, and its root zeroed", &bytes);
    }
    row.conclude(14);
}

#[test]
fn row_10_a_snapshot_with_a_wrong_trailer_is_delivered_and_reported() {
    let mut row = Row::new("10");
    for (trailer, says) in [
        (Trailer::Good, false),
        (Trailer::None, false),
        (Trailer::Bad, true),
        (Trailer::Half, true),
    ] {
        let store = shapes::store(10, 40);
        let whole = Whole::of("store", store.builder().build().bytes);
        let bytes = store.builder().trailer(trailer).build().bytes;
        let given = row.fault(&whole, &format!("{trailer:?}"), &bytes);
        row.expect(given.answer.told == says, || {
            format!("{trailer:?}: {:?}", given.answer.findings)
        });
        row.expect(!says || given.has("trailer-mismatch"), || {
            format!("{trailer:?}: {:?}", given.answer.codes)
        });
    }
    let snapshot = testdata("healthy/talk/3.6/06-after.snapshot.db");
    let (whole, mut bytes) = (Whole::read(&snapshot), std::fs::read(&snapshot).unwrap());
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    let given = row.told(&whole, "a bit of the trailer", &bytes);
    row.expect(given.has("trailer-mismatch"), || {
        "another finding".to_owned()
    });
    row.conclude(5);
}

#[test]
fn a_bucket_that_is_unknown_is_listed_and_no_damage() {
    let mut row = Row::new("unknown-bucket");
    let mut store = Store::new(Version::V3_6);
    store.put("/a", "1");
    store.set_bucket("zoo", Bucket::of([("k", "v")]));
    let bytes = store.builder().build().bytes;
    let run = row.run(&["dump-db", "list-bucket", "DB"], &bytes).run();
    row.expect(
        run.code == 0 && run.text().lines().any(|line| line == "zoo"),
        || run.stderr.clone(),
    );
    row.conclude(1);
}
