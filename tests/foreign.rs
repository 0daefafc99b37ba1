//! bbolt files of other programs: what bbolt read of them is the expected result (`testdata/foreign/gen`).

use std::collections::BTreeMap;

use crate::support::{Scratch, etcdive, testdata};

const CASES: [&str; 5] = ["containerd", "raft", "names-of-etcd", "odd-names", "deep"];

fn path(name: &str) -> String {
    let path = testdata("foreign").join(format!("{name}.db"));
    path.to_str().unwrap().to_owned()
}

type Names = Vec<Vec<u8>>;

/// A key, and the length of its value; none of a bucket.
type Key = (Vec<u8>, Option<usize>);

/// What bbolt read: each bucket by the names that lead to it, with its keys.
fn truth(name: &str) -> BTreeMap<Names, Vec<Key>> {
    let text = std::fs::read_to_string(testdata("foreign").join(format!("{name}.tsv"))).unwrap();
    let mut buckets: BTreeMap<Names, Vec<_>> = BTreeMap::new();
    for line in text.lines() {
        let (names, what) = line.split_once('\t').unwrap();
        let mut names: Names = names.split('/').map(unhex).collect();
        let length = what.parse().ok();
        if length.is_none() {
            buckets.insert(names.clone(), Vec::new());
        }
        let key = names.pop().unwrap();
        if let Some(keys) = buckets.get_mut(&names) {
            keys.push((key, length));
        }
    }
    assert!(!buckets.is_empty());
    buckets
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

/// A path with every byte of every name escaped.
fn typed(names: &Names) -> String {
    let name = |name: &Vec<u8>| name.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    let names: Vec<String> = names.iter().map(name).collect();
    format!("key:{}", names.join("/"))
}

#[test]
fn status_and_fsck_say_that_a_file_is_not_etcds() {
    for name in CASES {
        let status = etcdive(["status", &path(name)]);
        assert!(
            status
                .text()
                .contains("kind       a bbolt file, not etcd's\n"),
            "{name}"
        );
        assert!(
            status
                .text()
                .contains("verdict    OK: nothing wrong was found"),
            "{name}"
        );
        assert!(
            !status.text().contains("revision"),
            "{name}: {}",
            status.text()
        );
        assert_eq!((status.code, status.stderr.as_str()), (0, ""), "{name}");
        let fsck = etcdive(["fsck", &path(name)]);
        let begin = "OK: a bbolt file, not etcd's: nothing wrong in ";
        assert!(fsck.text().starts_with(begin), "{name}: {}", fsck.text());
        assert_eq!(fsck.code, 0, "{name}");
        for (verb, field) in [("status", "\"kind\":\"bbolt\""), ("fsck", "\"sound\":true")] {
            let json = etcdive([verb, &path(name), "-o", "json"]);
            assert!(json.text().contains(field), "{name}: {}", json.text());
            assert!(
                json.text().contains("\"kind\":\"bbolt\""),
                "{name}: {}",
                json.text()
            );
        }
    }
}

#[test]
fn a_verb_about_records_says_that_there_are_none() {
    for name in CASES {
        for words in [
            &["ls"][..],
            &["get", "pods"],
            &["log"],
            &["status", "-w", "simple"],
        ] {
            let mut line = vec![words[0].to_owned(), path(name)];
            line.extend(words[1..].iter().map(ToString::to_string));
            let run = etcdive(&line);
            assert_eq!(
                (run.code, run.stdout.len()),
                (2, 0),
                "{line:?}: {}",
                run.stderr
            );
            assert!(
                run.stderr.contains("a bbolt file, not etcd's"),
                "{line:?}: {}",
                run.stderr
            );
            assert!(
                run.stderr.contains("hint: `etcdive buckets"),
                "{line:?}: {}",
                run.stderr
            );
        }
    }
}

/// A file as bbolt makes it, before anybody writes to it.
#[test]
fn a_file_without_buckets_is_no_damaged_store_of_etcd() {
    let empty = path("empty");
    let fsck = etcdive(["fsck", &empty]);
    assert!(
        fsck.text()
            .starts_with("OK: a bbolt file, not etcd's: nothing wrong in 4 pages"),
        "{}",
        fsck.text()
    );
    assert_eq!(fsck.code, 0);
    let status = etcdive(["status", &empty]);
    assert!(
        status
            .text()
            .contains("kind       a bbolt file, not etcd's\n"),
        "{}",
        status.text()
    );
    assert_eq!((status.code, status.stderr.as_str()), (0, ""));
    let ls = etcdive(["ls", &empty]);
    assert_eq!(ls.code, 2);
    assert!(
        ls.stderr.contains("a bbolt file without buckets"),
        "{}",
        ls.stderr
    );
    // With further pages something is lost.
    let scratch = Scratch::new("foreign-grown");
    let mut bytes = std::fs::read(&empty).unwrap();
    bytes.extend_from_within(12288..);
    let grown = scratch.file("grown.db", &bytes);
    assert_eq!(etcdive(["fsck", grown.to_str().unwrap()]).code, 3);
}

#[test]
fn every_bucket_and_key_is_listed_as_bbolt_reads_it() {
    for name in CASES.iter().filter(|name| **name != "containerd") {
        let truth = truth(name);
        let mut paths: Vec<Vec<u8>> = truth.keys().map(|names| names.join(&b'/')).collect();
        paths.dedup();
        let buckets = etcdive(["buckets", &path(name)]).stdout;
        for path in &paths {
            let line = [b"\n", &path[..], b"\n"].concat();
            let listed = [b"\n", &buckets[..]].concat();
            assert!(
                listed.windows(line.len()).any(|part| part == line),
                "{name}: {path:?}"
            );
        }
        for (names, keys) in &truth {
            // Few of those that are alike.
            if keys.len() == 1 && names.len() == 4 && names[3] != b"image-007" && *name == "deep" {
                continue;
            }
            let run = etcdive(["ls", &path(name), "--bucket", &typed(names)]);
            let line = |(key, length): &Key| {
                let end: &[u8] = if length.is_none() { b"/\n" } else { b"\n" };
                [key, end].concat()
            };
            let expected: Vec<u8> = keys.iter().flat_map(line).collect();
            assert_eq!(run.stdout, expected, "{name}: {names:?}: {}", run.stderr);
            let dump = etcdive(["dump-db", "iterate-bucket", &path(name), &typed(names)]);
            let lines = dump.text().matches("key=\"").count();
            assert_eq!((dump.code, lines), (0, keys.len()), "{name}: {names:?}");
        }
    }
}

#[test]
fn a_path_is_typed_as_buckets_lists_it() {
    let container = "v1/k8s.io/containers/container-0001";
    let dump = etcdive(["dump-db", "iterate-bucket", &path("containerd"), container]);
    assert!(
        dump.text()
            .starts_with("key=\"image\", value=\"docker.io/library/web:1\"\nkey=\"createdat\", ")
    );
    let listed = etcdive(["ls", &path("containerd"), "--bucket", container]);
    assert_eq!(listed.text(), "createdat\nimage\n");
    let missing = etcdive([
        "dump-db",
        "iterate-bucket",
        &path("containerd"),
        "v1/k8s.io/none",
    ]);
    assert_eq!(missing.code, 1);
    assert!(
        missing.stderr.contains("hint: v1/k8s.io has containers"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_path_of_two_buckets_is_refused_with_the_words_for_each() {
    let odd = path("odd-names");
    let run = etcdive(["ls", &odd, "--bucket", "a/b/c"]);
    assert_eq!((run.code, run.stdout.len()), (2, 0));
    assert!(
        run.stderr.contains(r"typed as key:a/b/c, key:a\/b/c"),
        "{}",
        run.stderr
    );
    assert_eq!(
        etcdive(["ls", &odd, "--bucket", "key:a/b/c"]).text(),
        "plain\n"
    );
    assert_eq!(
        etcdive(["ls", &odd, "--bucket", r"key:a\/b/c"]).text(),
        "slash\n"
    );
    let escape = etcdive(["ls", &odd, "--bucket", r"key:a\q"]);
    assert!(escape.stderr.contains("not an escape"), "{}", escape.stderr);
}

#[test]
fn keys_of_a_bucket_are_narrowed_by_their_first_bytes() {
    let list = |words: &[&str]| {
        let raft = path("raft");
        let line = [&["ls", &raft, "--bucket", "logs", "-o", "jsonl"], words].concat();
        etcdive(line)
    };
    let run = list(&[r"key:\0\0\0\0\0\0\x01", "--limit", "2"]);
    assert_eq!(run.text().lines().count(), 2, "{}", run.stderr);
    assert_eq!(
        list(&[r"key:\0\0\0\0\0\0\x01"]).text().lines().count(),
        450 - 256
    );
    assert!(
        run.text().contains("\"bucket\":false,\"value_size\":48}"),
        "{}",
        run.text()
    );
    assert_eq!(list(&["none"]).code, 1);
    assert_eq!(list(&["--deleted"]).code, 2);
    let etcd = etcdive(["ls", "testdata/healthy/k8s/after.db", "--bucket", "cluster"]);
    assert_eq!(etcd.text(), "clusterVersion\n");
}

/// What bbolt can check is checked in nested buckets as well.
#[test]
fn damage_in_a_nested_bucket_is_found() {
    let bytes = std::fs::read(path("deep")).unwrap();
    let mut damaged = bytes.clone();
    let mut pages = 0;
    for page in damaged.chunks_mut(4096) {
        if page.windows(9).any(|part| part == b"image-150") {
            // The page says that it is another.
            page[0] ^= 0x40;
            pages += 1;
        }
    }
    assert!(pages > 0);
    let scratch = Scratch::new("foreign-damaged");
    let file = scratch.file("deep.db", &damaged);
    let file = file.to_str().unwrap();
    let fsck = etcdive(["fsck", file]);
    assert_eq!(fsck.code, 3, "{}", fsck.text());
    assert!(
        fsck.text()
            .starts_with("DAMAGED: this bbolt file, which is not etcd's, is damaged"),
        "{}",
        fsck.text()
    );
    assert!(fsck.text().contains("page-id-mismatch"), "{}", fsck.text());
    let status = etcdive(["status", file]);
    assert!(
        status.text().contains("verdict    DAMAGED"),
        "{}",
        status.text()
    );
    assert!(
        !status.text().contains("while etcd was writing")
            && !status.stderr.contains("while etcd was writing")
    );
    assert_eq!(status.code, 3);
}

/// A bucket that claims the pages of the one it is in leads nowhere: the path ends.
#[test]
fn a_bucket_within_itself_is_not_entered_again() {
    let mut bytes = std::fs::read(path("deep")).unwrap();
    let roots = |name: &[u8], bytes: &[u8]| -> Vec<usize> {
        let places = (0..bytes.len() - name.len()).filter(|at| bytes[*at..].starts_with(name));
        places.map(|at| at + name.len()).collect()
    };
    let of_moby = roots(b"moby", &bytes);
    let of_images = roots(b"images", &bytes);
    assert!(!of_moby.is_empty() && !of_images.is_empty());
    let newest = *of_moby.iter().max_by_key(|at| bytes[**at]).unwrap();
    let root = bytes[newest..newest + 8].to_vec();
    for at in of_images {
        bytes[at..at + 8].copy_from_slice(&root);
    }
    let scratch = Scratch::new("foreign-loop");
    let file = scratch.file("loop.db", &bytes);
    let file = file.to_str().unwrap();
    let long = format!("v1/moby{}", "/images".repeat(2000));
    let run = etcdive(["ls", file, "--bucket", &long]);
    assert!(matches!(run.code, 1 | 3), "{}", run.stderr);
    assert!(
        run.stdout.is_empty() && run.stderr.contains("no bucket v1/moby/images"),
        "{}",
        run.stderr
    );
    let fsck = etcdive(["fsck", file]);
    assert_eq!(fsck.code, 3, "{}", fsck.text());
    assert!(fsck.text().contains("page-twice"), "{}", fsck.text());
}
