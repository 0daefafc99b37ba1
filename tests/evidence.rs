//! What is reported of the file itself: that it changed while it was read, that its records cannot be
//! reached, and what is after its high-water mark.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use etcdive::diag::Code;
use etcdive::query::Notices;
use etcdive::query::evidence::{Evidence, Verify};
use serde_json::Value;

use crate::support::synth::etcd::{Store, Version, revision_key};
use crate::support::synth::{Bucket, Builder, Image, Older, Role, Run as PageRun};
use crate::support::{Run, Scratch, etcdive, program};

const PAGE: u64 = 4096;

/// A store of some records of some size.
fn stored(records: usize, value_bytes: usize) -> Store {
    let mut store = Store::new(Version::V3_6);
    for index in 0..records {
        store.put(format!("/key/{index:06}"), "x".repeat(value_bytes));
    }
    store
}

fn run_on(name: &str, bytes: &[u8], line: &str) -> Run {
    let scratch = Scratch::new(name);
    let path = scratch.file("db", bytes);
    let path = path.to_str().unwrap();
    etcdive(
        line.split(' ')
            .map(|word| if word == "DB" { path } else { word }),
    )
}

fn status_json(name: &str, bytes: &[u8]) -> (Run, Value) {
    let run = run_on(name, bytes, "status -o json DB");
    let json = serde_json::from_slice(&run.stdout).unwrap();
    (run, json)
}

/// Runs `dump-db iterate-bucket` on a large file, and changes the file when the program has written
/// its first byte: it cannot go on to the end, for nobody reads the pipe meanwhile.
fn changed_while_read(name: &str, change: impl FnOnce(&Path)) -> Run {
    let scratch = Scratch::new(name);
    let path = scratch.file("db", &stored(4000, 1500).builder().build().bytes);
    assert!(std::fs::metadata(&path).unwrap().len() > 4 << 20);
    let mut child = program()
        .args(["dump-db", "iterate-bucket"])
        .arg(&path)
        .arg("key")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    change(&path);
    child.wait_with_output().unwrap().into()
}

fn writable(path: &Path) -> File {
    OpenOptions::new().append(true).open(path).unwrap()
}

/// The line on standard error that starts so.
#[track_caller]
fn line<'a>(run: &'a Run, start: &str) -> &'a str {
    let mut lines = run.stderr.lines();
    lines
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no line {start}: {}", run.stderr))
}

#[test]
fn a_file_that_is_cut_while_it_is_read_gives_the_rest_and_names_the_lost_pages() {
    let run = changed_while_read("cut", |path| writable(path).set_len(2 * PAGE).unwrap());
    assert_eq!(run.code, 3, "{}", run.stderr);
    let error = line(&run, "error: read-error: page ");
    let numbers: Vec<u64> = error
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    let (page, offset) = (numbers[0], numbers[1]);
    assert!(page >= 2 && offset == page * PAGE, "{error}");
    let warning = line(&run, "warning: ");
    assert!(
        warning.contains("db changed while it was read (became shorter)"),
        "{warning}"
    );
    assert!(
        !run.stderr.contains("this copy was taken"),
        "{}",
        run.stderr
    );
}

/// An image in which some leaves are after the last branch page, and the offset after which all pages are leaves.
fn with_leaves_at_the_end() -> (Image, u64) {
    for seed in 0..200 {
        let image = stored(400, 300).builder().scatter(seed).build();
        let in_tree = |run: &&PageRun| run.role == Role::Tree;
        let last_branch = image
            .runs
            .iter()
            .filter(in_tree)
            .filter(|run| run.level > 0 || run.path.is_empty())
            .map(|run| run.pgid)
            .max()
            .unwrap();
        let behind = image.runs.iter().filter(in_tree);
        if behind.filter(|run| run.pgid > last_branch).count() > 5 {
            return (image, (last_branch + 1) * PAGE);
        }
    }
    panic!("no such seed");
}

/// The main revisions in a leaf page of bucket `key`, read by hand.
fn revisions_in(page: &[u8]) -> Vec<i64> {
    let count = u16::from_le_bytes(page[10..12].try_into().unwrap());
    let elements = (0..usize::from(count)).map(|index| 16 + 16 * index);
    elements
        .map(|at| {
            let pos = u32::from_le_bytes(page[at + 4..at + 8].try_into().unwrap()) as usize;
            i64::from_be_bytes(page[at + pos..at + pos + 8].try_into().unwrap())
        })
        .collect()
}

#[test]
#[cfg(unix)]
fn the_records_outside_the_pages_that_cannot_be_read_are_delivered_exactly() {
    let (image, cut) = with_leaves_at_the_end();
    let scratch = Scratch::new("read-around");
    let path = scratch.file("db", &image.bytes);
    let evidence = Evidence::open(&path, Verify::IfSmall).unwrap();
    // From here on reading after the cut raises SIGBUS, as it does on a bad sector.
    writable(&path).set_len(cut).unwrap();
    let store = evidence.records(&Notices::default()).unwrap();
    let records = store.records(etcdive::bbolt::Direction::Forward);
    let delivered: Vec<i64> = records.map(|record| record.revision.main).collect();
    let leaves = image.bucket_runs(b"key").into_iter();
    let mut expected: Vec<i64> = leaves
        .filter(|run| run.level == 0 && run.pgid * PAGE < cut)
        .flat_map(|run| revisions_in(image.page(run.pgid)))
        .collect();
    expected.sort_unstable();
    println!("{} of 400 records, cut at {cut}", expected.len());
    assert!(expected.len() > 20 && expected.len() < 400);
    assert_eq!(delivered, expected);
    evidence.collect_read_errors();
    assert!(evidence.diagnostics().count(Code::ReadError) > 5);
    assert!(evidence.diagnostics().may_hide_records());
}

#[test]
fn a_file_that_is_written_or_replaced_while_it_is_read_is_reported_with_exit_3() {
    let written = changed_while_read("written", |path| {
        // Not left to the clock: a write within its resolution would leave the time as it is.
        let later = SystemTime::now() + Duration::from_secs(10);
        writable(path).set_modified(later).unwrap();
    });
    let replaced = changed_while_read("replaced", |path| {
        let other = path.with_file_name("other");
        std::fs::copy(path, &other).unwrap();
        std::fs::rename(other, path).unwrap();
    });
    for (run, said) in [(written, "(was written)"), (replaced, "(was replaced)")] {
        assert_eq!(run.code, 3, "{}", run.stderr);
        let warning = line(&run, "warning: ");
        assert!(
            warning.contains(said) && warning.ends_with("the answer may mix two states"),
            "{warning}"
        );
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}

#[test]
fn a_file_that_grows_while_it_is_read_is_a_note() {
    let run = changed_while_read("grown", |path| writable(path).write_all(&[0; 100]).unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(line(&run, "note: ").contains("became longer"));
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

#[test]
#[cfg(unix)]
fn pages_that_cannot_be_read_count_once_however_often_they_are_collected() {
    let scratch = Scratch::new("collected");
    let path = scratch.file("db", &stored(2000, 1000).builder().build().bytes);
    let evidence = Evidence::open(&path, Verify::IfSmall).unwrap();
    writable(&path).set_len(PAGE).unwrap();
    let bytes = evidence.source().bytes();
    let read = |pages: usize| {
        let firsts = bytes.iter().step_by(etcdive::source::os_page_len());
        let sum: u64 = firsts.take(pages).map(|byte| u64::from(*byte)).sum();
        std::hint::black_box(sum);
        evidence.collect_read_errors();
        evidence.collect_read_errors();
        let errors = evidence.source().read_error_count() as u64;
        assert_eq!(evidence.diagnostics().count(Code::ReadError), errors);
        errors
    };
    let some = read(200);
    assert!(some > 150, "more than are kept: {some}");
    assert!(read(usize::MAX) > some);
}

/// A store whose newest meta, root and records are destroyed; the other meta is that of the empty database
/// which a defragmentation leaves.
fn without_its_meta() -> Image {
    let mut image = stored(50, 100).builder().older(Older::Empty).build();
    let (size, meta_at) = (image.page_size, image.current_meta * image.page_size);
    let root = image.endian.get_u64(&image.bytes, meta_at + 32).unwrap() as usize;
    image.bytes[meta_at + 40] ^= 1;
    image.bytes[root * size..(root + 1) * size].fill(0);
    zero_records(&mut image);
    image
}

/// A store of which no page of bucket `key` is left.
fn without_its_records() -> Image {
    let mut image = stored(300, 100).builder().build();
    zero_records(&mut image);
    image
}

/// Zeroes the pages of bucket `key`.
fn zero_records(image: &mut Image) {
    let runs = image.bucket_runs(b"key").into_iter();
    let runs: Vec<_> = runs.map(|run| (run.pgid, run.pages)).collect();
    for (pgid, pages) in runs {
        let (size, at) = (image.page_size, pgid as usize);
        image.bytes[at * size..(at + pages as usize) * size].fill(0);
    }
}

/// What only the records show.
const OF_THE_RECORDS: [&str; 9] = [
    "revision",
    "oldest_record_revision",
    "records",
    "tombstones",
    "keys",
    "live_keys",
    "hash",
    "hash_kv",
    "hash_kv_revision",
];

#[test]
fn status_shows_nothing_of_records_that_it_cannot_reach() {
    let cases = [
        (without_its_meta(), "no bucket key in the root", false),
        (
            without_its_records(),
            "the root page of bucket key cannot be read",
            true,
        ),
    ];
    for (image, why, has_meta) in cases {
        let why = format!("the records cannot be reached: {why}");
        let table = run_on("unreachable", &image.bytes, "status DB");
        assert_eq!(table.code, 3);
        let row = |name: &str| {
            let mut lines = table.text().lines();
            let line = lines.find(|line| line.split(' ').next() == Some(name));
            line.unwrap_or_else(|| panic!("{name}: {}", table.text()))
                .split_once(' ')
                .unwrap()
                .1
                .trim()
                .to_owned()
        };
        let compaction = if has_meta {
            "never compacted"
        } else {
            "compaction unknown: no bucket meta in the root"
        };
        assert_eq!(row("revision"), format!("unknown: {why}; {compaction}"));
        for name in ["keys", "records", "hash", "hashkv"] {
            assert_eq!(row(name), "-", "{name}");
        }
        assert_eq!(row("auth") == "-", !has_meta);

        let (run, json) = status_json("unreachable-json", &image.bytes);
        assert_eq!(run.code, 3);
        for name in OF_THE_RECORDS {
            assert_eq!(json.get(name), None, "{name}");
        }
        assert_eq!(json.get("compact_revision").is_some(), has_meta);
        assert!(json["total_size"].as_u64().unwrap() > 0);

        for format in ["simple", "json", "table", "fields"] {
            let line = format!("status -w {format} DB");
            let run = run_on("unreachable-w", &image.bytes, &line);
            assert_eq!((run.code, run.stdout.len()), (3, 0), "{}", run.stderr);
            assert!(run.stderr.contains(&why), "{}", run.stderr);
            assert_eq!(run.stderr.matches("hint: ").count(), 1, "{}", run.stderr);
        }
    }
    let (run, json) = status_json("reachable", &stored(300, 100).builder().build().bytes);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for name in OF_THE_RECORDS {
        assert!(json[name].is_number(), "{name}");
    }
}

#[test]
fn status_shows_the_hash_that_etcdutl_prints() {
    let bytes = stored(300, 100).builder().build().bytes;
    let (_, ours) = status_json("hash-ours", &bytes);
    let theirs = run_on("hash-theirs", &bytes, "status -w json DB");
    let theirs: Value = serde_json::from_slice(&theirs.stdout).unwrap();
    assert_eq!(ours["hash"], theirs["hash"]);
    assert_eq!(
        (&ours["live_keys"], &ours["total_size"]),
        (&theirs["totalKey"], &theirs["totalSize"])
    );
}

#[test]
fn where_the_tree_is_damaged_fsck_is_named_once() {
    let mut image = stored(300, 100).builder().build();
    let leaf = image
        .bucket_runs(b"key")
        .iter()
        .find(|run| run.level == 0)
        .unwrap()
        .pgid;
    image.bytes[leaf as usize * image.page_size] ^= 0x40;
    let scratch = Scratch::new("hint");
    let path = scratch.file("my db", &image.bytes);
    let path = path.to_str().unwrap();
    // The other file comes first, and is intact: the hint names the damaged one.
    let intact = scratch.file("intact", &stored(300, 100).builder().build().bytes);
    let intact = intact.to_str().unwrap();
    for words in [
        &["status", path][..],
        &["status", "-w", "json", path],
        &["dump-db", "iterate-bucket", path, "key"],
        &["dump-db", "hash", path],
        &["diff", intact, path],
    ] {
        let run = etcdive(words);
        assert_eq!(run.code, 3);
        let last = run.stderr.lines().last().unwrap();
        let (line, code) = last
            .split_once("` lists every finding, `etcdive explain ")
            .unwrap();
        assert_eq!(line, format!("hint: `etcdive fsck '{path}'"));
        let code = code.strip_suffix("` says what to do").unwrap();
        let findings = run
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "));
        assert!(
            findings.into_iter().any(|line| line.contains(code)),
            "{}",
            run.stderr
        );
        let fsck_hints = run.stderr.matches("hint: `etcdive fsck").count();
        assert_eq!(fsck_hints, 1, "{}", run.stderr);
    }
    for quiet in ["fsck DB", "dump-db scan-keys DB 2"] {
        let run = run_on("no-hint", &image.bytes, quiet);
        assert!(
            !run.stderr.contains("hint: `etcdive fsck"),
            "{}",
            run.stderr
        );
    }
}

/// A store without the records of some revisions.
fn with_gaps(missing: &[i64]) -> Image {
    let mut store = stored(20, 100);
    let pairs: Vec<_> = store
        .records()
        .iter()
        .filter(|record| !missing.contains(&record.main))
        .map(|record| (record.bucket_key(), record.bucket_value()))
        .collect();
    store.set_bucket("key", Bucket::of(pairs));
    store.builder().build()
}

#[test]
fn one_lone_finding_is_no_proof_of_a_torn_copy() {
    let lone = "this copy was taken while etcd was writing, or a page of it was altered: records may be missing";
    let torn = "this copy was taken while etcd was writing: it mixes two states of the store, and records may be missing";
    for (missing, verdict) in [(&[7][..], lone), (&[7, 12], torn)] {
        let (run, json) = status_json("verdict", &with_gaps(missing).bytes);
        assert_eq!(json["verdict"], verdict);
        assert_eq!(line(&run, "warning: "), format!("warning: {verdict}"));
        assert_eq!(json["findings"][0]["count"], missing.len());
    }
    // Of another program: that it lacks etcd's buckets says nothing of how it was copied.
    let other = Builder::new()
        .bucket("other", Bucket::of([(b"a".to_vec(), b"b".to_vec())]))
        .build();
    let (_, json) = status_json("verdict-other", &other.bytes);
    let said = (&json["sound"], &json["torn"], &json["verdict"]);
    let expected = (
        &true.into(),
        &false.into(),
        &"nothing wrong was found".into(),
    );
    assert_eq!(said, expected, "{json}");
}

#[test]
fn status_shows_what_is_after_the_high_water_mark() {
    let with_tail = |tail: Vec<u8>| -> Builder { stored(10, 100).builder().tail(tail) };
    let mut dirty = vec![0; 3 * PAGE as usize];
    *dirty.last_mut().unwrap() = 1;
    let cases = [
        (Vec::new(), None, ""),
        (
            vec![0; 3 * PAGE as usize],
            Some(true),
            "12288 bytes after the high-water mark, all zero",
        ),
        (
            dirty,
            Some(false),
            "12288 bytes after the high-water mark, not all zero: left from an earlier state, or added by another program",
        ),
    ];
    for (tail, is_zero, said) in cases {
        let length = tail.len();
        let bytes = with_tail(tail).build().bytes;
        let (run, json) = status_json("tail", &bytes);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(json.get("tail_is_zero").and_then(Value::as_bool), is_zero);
        let bytes_behind = json.get("tail_bytes").and_then(Value::as_u64);
        assert_eq!(bytes_behind, is_zero.map(|_| length as u64));
        let table = run_on("tail-table", &bytes, "status DB");
        let has_row = table.text().contains("\ntail ");
        assert_eq!(has_row, is_zero.is_some(), "{}", table.text());
        assert!(table.text().contains(said), "{}", table.text());
    }
}

#[test]
fn etcdutl_takes_the_mark_of_a_bumped_restore_for_a_key_and_status_does_not() {
    let mut store = stored(3, 10);
    let mut pairs: Vec<_> = store
        .records()
        .iter()
        .map(|record| (record.bucket_key(), record.bucket_value()))
        .collect();
    pairs.push((revision_key(1000, 0), Vec::new()));
    store.set_bucket("key", Bucket::of(pairs));
    let bytes = store.builder().build().bytes;
    let theirs = run_on("mark-theirs", &bytes, "status -w json DB");
    let theirs: Value = serde_json::from_slice(&theirs.stdout).unwrap();
    assert_eq!(
        (&theirs["totalKey"], &theirs["revision"]),
        (&4.into(), &1000.into())
    );
    let (_, ours) = status_json("mark-ours", &bytes);
    assert_eq!((&ours["live_keys"], &ours["keys"]), (&3.into(), &3.into()));
    assert_eq!(
        (&ours["records"], &ours["revision"]),
        (&4.into(), &1000.into())
    );
}
