//! What the program says when it is asked wrongly, of what is no database, and of damage.

use std::io::Read;
use std::process::Stdio;

use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::{Builder, Endian, Image, Trailer};
use crate::support::{Scratch, etcdive, etcdive_line, program, testdata};

fn talk() -> Vec<u8> {
    std::fs::read(testdata("healthy/talk/3.6/01-talk.live.db")).unwrap()
}

/// A store of some records over several leaf pages.
fn stored(records: usize) -> Store {
    let mut store = Store::new(Version::V3_6);
    for index in 0..records {
        store.put(
            format!("/key/{:04}", index % 100),
            format!("value {index} {}", "x".repeat(100)),
        );
    }
    store
}

fn run_on(name: &str, bytes: &[u8], arguments: &[&str]) -> crate::support::Run {
    let scratch = Scratch::new(name);
    let path = scratch.file("db", bytes);
    let arguments: Vec<&str> = arguments
        .iter()
        .map(|argument| {
            if *argument == "DB" {
                path.to_str().unwrap()
            } else {
                argument
            }
        })
        .collect();
    etcdive(arguments)
}

fn iterate(name: &str, bytes: &[u8]) -> crate::support::Run {
    run_on(
        name,
        bytes,
        &["dump-db", "iterate-bucket", "DB", "key", "--decode"],
    )
}

#[test]
fn what_is_no_database_is_named_with_exit_2() {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03 and more".to_vec();
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("empty", Vec::new(), "empty file"),
        ("text", b"hello, this is a text file\n".repeat(20), "text"),
        ("gzip", gzip.repeat(40), "gzip"),
        ("zeros", vec![0; 40960], "zero"),
    ];
    for (name, bytes, said) in cases {
        let run = run_on(&format!("no-db-{name}"), &bytes, &["status", "DB"]);
        assert_eq!(run.code, 2, "{name}: {}", run.stderr);
        assert!(
            run.stdout.is_empty() && run.stderr.contains(said),
            "{name}: {}",
            run.stderr
        );
    }
    assert_eq!(etcdive_line("status no/such/file").code, 2);
    assert_eq!(etcdive_line("status testdata/golden").code, 2);
    assert!(etcdive_line("status -").stderr.contains("standard input"));
    assert_eq!(etcdive_line("no-such-verb").code, 2);
}

#[test]
fn a_bucket_that_is_not_there_is_exit_1_and_the_others_are_named() {
    let run = etcdive_line("dump-db iterate-bucket testdata/healthy/talk/3.6/01-talk.live.db keys");
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("no bucket keys") && run.stderr.contains("members_removed"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_data_directory_is_a_database() {
    let scratch = Scratch::new("data-directory");
    scratch.file("member/snap/db", &talk());
    let run = etcdive(["dump-db", "hash", scratch.path().to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.text().starts_with(&format!(
        "db path: {}/member/snap/db\nHash: ",
        scratch.path().display()
    )));
}

#[test]
fn a_wrong_trailer_is_reported_and_the_content_delivered() {
    let image = stored(300).builder().trailer(Trailer::Bad).build();
    let run = iterate("bad-trailer", &image.bytes);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("trailer-mismatch"), "{}", run.stderr);
    assert_eq!(run.text().lines().count(), 300);
    let good = stored(300).builder().trailer(Trailer::Good).build();
    assert_eq!(iterate("good-trailer", &good.bytes).code, 0);
}

#[test]
fn a_large_snapshot_is_verified_only_when_asked_or_by_status() {
    // A hole makes it large: beyond 64 MiB the SHA-256 costs time.
    let mut builder = stored(10).builder();
    builder = builder.tail(vec![0; 65 << 20]).trailer(Trailer::Bad);
    let bytes = builder.build().bytes;
    let list = ["dump-db", "list-bucket", "DB"];
    assert_eq!(run_on("large-snapshot", &bytes, &list).code, 0);
    let verified = run_on(
        "large-snapshot-verified",
        &bytes,
        &["--verify", "dump-db", "list-bucket", "DB"],
    );
    assert!(
        verified.code == 3 && verified.stderr.contains("trailer-mismatch"),
        "{}",
        verified.stderr
    );
    assert_eq!(
        run_on("large-snapshot-status", &bytes, &["status", "DB"]).code,
        3
    );
}

#[test]
fn a_page_that_is_another_page_is_reported_and_its_siblings_delivered() {
    let mut image = stored(300).builder().build();
    let leaves: Vec<u64> = leaf_pages(&image);
    assert!(leaves.len() > 3);
    let (page_size, page) = (image.page_size, leaves[1]);
    let at = usize::try_from(page).unwrap() * page_size;
    image.bytes[at] ^= 0x40;
    let mut lines = Vec::new();
    // Its elements are those that belong there; then they are destroyed as well.
    for _ in 0..2 {
        let run = iterate("page-id", &image.bytes);
        assert_eq!(run.code, 3);
        assert!(
            run.stderr.contains("page-id-mismatch") && run.stderr.contains(&format!("page {page}")),
            "{}",
            run.stderr
        );
        lines.push(run.text().lines().count());
        image.bytes[at + 16..at + page_size].fill(0);
    }
    assert_eq!(lines[0], 300);
    assert!((200..300).contains(&lines[1]), "{lines:?}");
}

fn leaf_pages(image: &Image) -> Vec<u64> {
    image
        .bucket_runs(b"key")
        .into_iter()
        .filter(|run| run.level == 0)
        .map(|run| run.pgid)
        .collect()
}

#[test]
fn a_torn_copy_is_called_one_and_exits_3() {
    // A leaf of an older state where the newer tree points: right id, right kind, other records.
    let image = stored(300).builder().build();
    let leaves = leaf_pages(&image);
    let page_size = image.page_size;
    let mut bytes = image.bytes.clone();
    let (from, to) = (
        usize::try_from(leaves[0]).unwrap() * page_size,
        usize::try_from(leaves[1]).unwrap() * page_size,
    );
    let copied = bytes[from..from + page_size].to_vec();
    bytes[to..to + page_size].copy_from_slice(&copied);
    bytes[to..to + 8].copy_from_slice(&leaves[1].to_le_bytes());
    for arguments in [
        &["dump-db", "iterate-bucket", "DB", "key"][..],
        &["status", "DB"],
    ] {
        let run = run_on("torn", &bytes, arguments);
        assert_eq!(run.code, 3);
        assert!(
            run.stderr
                .contains("this copy was taken while etcd was writing"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains("separator-mismatch"), "{}", run.stderr);
    }
}

#[test]
fn a_gap_in_the_revisions_is_a_torn_copy() {
    let mut store = stored(10);
    let whole = store.builder().build();
    assert_eq!(iterate("no-gap", &whole.bytes).code, 0);
    let pairs: Vec<_> = store
        .records()
        .iter()
        .filter(|record| record.main != 7)
        .map(|record| (record.bucket_key(), record.bucket_value()))
        .collect();
    assert_eq!(pairs.len(), 9);
    store.set_bucket("key", crate::support::synth::Bucket::of(pairs));
    let bytes = store.builder().build().bytes;
    let run = iterate("gap", &bytes);
    assert!(
        run.code == 3 && run.stderr.contains("revision-gap"),
        "{}",
        run.stderr
    );
}

#[test]
fn any_page_size_and_either_byte_order_is_read() {
    let expected = iterate("plain", &stored(300).builder().build().bytes);
    for page_size in [1024, 4096, 16384, 65536] {
        for endian in [Endian::Little, Endian::Big] {
            let image = stored(300)
                .builder()
                .page_size(page_size)
                .endian(endian)
                .build();
            let run = iterate("geometry", &image.bytes);
            assert_eq!(run.code, 0, "{page_size} {endian:?}: {}", run.stderr);
            assert_eq!(run.text(), expected.text(), "{page_size} {endian:?}");
        }
    }
}

#[test]
fn the_page_size_is_found_where_meta_0_is_destroyed() {
    for page_size in [1024, 4096, 16384, 65536] {
        let mut image = stored(300).builder().page_size(page_size).build();
        image.bytes[..page_size].fill(0xff);
        let run = iterate("meta-0", &image.bytes);
        assert_eq!(run.code, 3, "{page_size}");
        assert!(
            run.stderr.contains("meta-invalid: page 0"),
            "{}",
            run.stderr
        );
        assert_eq!(run.text().lines().count(), 300);
    }
}

#[test]
fn without_any_meta_page_every_record_is_delivered() {
    let mut image = stored(300).builder().build();
    let size = image.page_size;
    let whole = iterate("with-meta", &image.bytes);
    image.bytes[..2 * size].fill(0);
    let run = iterate("no-meta", &image.bytes);
    assert_eq!(run.code, 3);
    assert_eq!(run.stdout, whole.stdout);
    for said in ["meta-invalid: page 0", "root-searched: page "] {
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
    let scan = run_on(
        "no-meta-scan",
        &image.bytes,
        &["dump-db", "scan-keys", "DB", "200"],
    );
    assert_eq!(scan.code, 3);
    assert_eq!(scan.text().lines().count(), 102, "revisions 200 to 301");
}

#[test]
fn a_meta_page_can_be_chosen_by_hand() {
    let mut image = stored(50)
        .builder()
        .older(crate::support::synth::Older::State(stored(40).root()))
        .build();
    let (newer, older) = (image.current_meta, 1 - image.current_meta);
    let count = |bytes: &[u8], meta: usize| {
        let meta = meta.to_string();
        let run = run_on("by-hand", bytes, &["--meta", &meta, "ls", "DB"]);
        (run.code, run.text().lines().count())
    };
    assert_eq!(count(&image.bytes, newer), (0, 50));
    assert_eq!(count(&image.bytes, older), (0, 40));
    let size = image.page_size;
    // A wrong checksum is tried, and said.
    image.bytes[older * size + 72] ^= 1;
    assert_eq!(count(&image.bytes, older), (3, 40));
    image.bytes[older * size + 16] ^= 1;
    let refused = run_on(
        "by-hand",
        &image.bytes,
        &["--meta", &older.to_string(), "ls", "DB"],
    );
    assert_eq!((refused.code, refused.stdout.len()), (2, 0));
    assert!(
        refused
            .stderr
            .contains(&format!("meta {older} cannot be used: no magic")),
        "{}",
        refused.stderr
    );
    let empty = stored(50)
        .builder()
        .older(crate::support::synth::Older::Empty)
        .build();
    let older = (1 - empty.current_meta).to_string();
    let run = run_on("by-hand", &empty.bytes, &["ls", "DB", "--meta", &older]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("defragmentation"), "{}", run.stderr);
}

#[test]
fn the_empty_state_of_a_defragmentation_is_not_taken_for_the_store() {
    let mut image = stored(50)
        .builder()
        .older(crate::support::synth::Older::Empty)
        .build();
    assert_eq!(iterate("defragmented", &image.bytes).code, 0);
    let size = image.page_size;
    image.bytes[image.current_meta * size + 40] ^= 1;
    let run = run_on("defragmented-damaged", &image.bytes, &["status", "DB"]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("meta-initial"), "{}", run.stderr);
    let ls = run_on("defragmented-damaged", &image.bytes, &["ls", "DB"]);
    assert_eq!((ls.code, ls.text().lines().count()), (3, 50));
}

#[test]
fn a_cut_file_says_what_is_lost_and_delivers_the_rest() {
    let image = stored(300).builder().build();
    let size = image.page_size;
    for pages in 3..image.bytes.len() / image.page_size {
        let run = iterate("cut", &image.bytes[..pages * size]);
        assert_eq!(run.code, 3, "{pages} pages: {}", run.stderr);
        assert!(run.stderr.contains("file-truncated"), "{}", run.stderr);
    }
}

#[test]
fn a_file_longer_than_the_high_water_mark_is_intact() {
    let image = stored(100).builder().tail(vec![0; 1 << 20]).build();
    assert_eq!(iterate("tail", &image.bytes).code, 0);
}

#[test]
fn an_empty_store_is_answered() {
    let image = Builder::new().build();
    let run = run_on(
        "no-buckets",
        &image.bytes,
        &["dump-db", "list-bucket", "DB"],
    );
    assert_eq!((run.code, run.stdout.len()), (3, 0), "{}", run.stderr);
    assert!(run.stderr.contains("bucket-missing"), "{}", run.stderr);
    let store = Store::new(Version::V3_6).builder().build();
    let run = iterate("empty-store", &store.bytes);
    assert_eq!((run.code, run.stdout.len()), (0, 0), "{}", run.stderr);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = program()
        .args([
            "dump-db",
            "iterate-bucket",
            "testdata/healthy/k8s/after.db",
            "key",
            "--decode",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn the_file_is_not_touched() {
    let scratch = Scratch::new("untouched");
    let path = scratch.file("db", &talk());
    let before = std::fs::metadata(&path).unwrap();
    for line in [
        "status DB",
        "dump-db list-bucket DB",
        "dump-db hash DB",
        "dump-db scan-keys DB",
    ] {
        let line = line.replace("DB", path.to_str().unwrap());
        assert_eq!(etcdive_line(&line).code, 0, "{line}");
    }
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    assert_eq!(before.accessed().unwrap(), after.accessed().unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), talk());
}

#[test]
fn another_programs_bbolt_database_is_named_and_still_listed() {
    let buckets = Builder::new()
        .bucket("v1", crate::support::synth::Bucket::of([("a", "1")]))
        .bucket("version", crate::support::synth::Bucket::of([("b", "2")]));
    let image = buckets.build();
    let run = run_on("foreign", &image.bytes, &["ls", "DB"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("not etcd's: its buckets are v1, version")
            && !run.stderr.contains("writing"),
        "{}",
        run.stderr
    );
    let list = run_on("foreign", &image.bytes, &["dump-db", "list-bucket", "DB"]);
    assert_eq!((list.code, list.text()), (0, "v1\nversion\n"));
}

#[test]
fn without_a_record_in_the_file_there_is_no_answer() {
    let store = stored(50);
    let mut buckets = Builder::new();
    for (name, bucket) in store.buckets() {
        if name != b"key" {
            buckets = buckets.bucket(name, bucket);
        }
    }
    let run = run_on(
        "no-key-bucket",
        &buckets.build().bytes,
        &["get", "DB", "/key/0001"],
    );
    assert_eq!((run.code, run.stdout.len()), (2, 0));
    assert!(run.stderr.contains("cannot be reached"), "{}", run.stderr);
}

#[test]
fn half_a_trailer_is_reported() {
    let image = stored(50).builder().trailer(Trailer::Half).build();
    let run = iterate("half-trailer", &image.bytes);
    assert!(
        run.code == 3 && run.stderr.contains("trailer-mismatch") && run.stderr.contains("16 bytes"),
        "{}",
        run.stderr
    );
    assert_eq!(run.text().lines().count(), 50);
}

#[test]
fn a_scan_of_destroyed_pages_does_not_call_them_leftovers() {
    let mut image = stored(300).builder().build();
    let leaves = leaf_pages(&image);
    let (size, at) = (image.page_size, usize::try_from(leaves[1]).unwrap());
    image.bytes[at * size..(at + 1) * size].fill(0);
    let run = run_on(
        "scan-destroyed",
        &image.bytes,
        &["dump-db", "scan-keys", "DB"],
    );
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("page {at}")) && run.stderr.contains("destroyed"),
        "{}",
        run.stderr
    );
}
