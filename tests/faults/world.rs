//! Rows 28, 29 and 32, as far as `evidence` and `source` do not have them: files of any length, and
//! what is no file.

use std::os::unix::fs::{FileExt as _, symlink};
use std::time::{Duration, Instant};

use super::run::bounded;
use super::three_hundred::real;
use crate::support::Scratch;

const TERABYTE: u64 = 1 << 40;

#[test]
fn row_29_a_sparse_terabyte_with_a_small_store_is_answered_at_once() {
    let scratch = Scratch::new("fault-29");
    let image = real().image;
    let path = scratch.file("db", &image);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    if file.set_len(TERABYTE).is_err() {
        println!("no file system for a file of a terabyte");
        return;
    }
    let small = scratch.file("small", &image);
    // The address space holds the map, too.
    let run = |words: &[&str], path: &std::path::Path| {
        let words = words.iter().map(|word| {
            if *word == "DB" {
                path.to_str().unwrap()
            } else {
                word
            }
        });
        let started = Instant::now();
        let limits = "ulimit -t 20; exec \"$0\" \"$@\"";
        let output = std::process::Command::new("sh")
            .args(["-c", limits, env!("CARGO_BIN_EXE_etcdive")])
            .args(words)
            .output()
            .unwrap();
        (output, started.elapsed())
    };
    let verbs: [&[&str]; 4] = [
        &["ls", "DB"],
        &["log", "-o", "jsonl", "DB"],
        &["dump-db", "iterate-bucket", "DB", "key"],
        &["status", "-o", "json", "DB"],
    ];
    for verb in verbs {
        let ((got, time), (expected, _)) = (run(verb, &path), run(verb, &small));
        assert_eq!(
            got.status.code(),
            Some(0),
            "{verb:?}: {}",
            String::from_utf8_lossy(&got.stderr)
        );
        assert!(
            verb[0] == "status" || got.stdout == expected.stdout,
            "{verb:?}"
        );
        assert!(time < Duration::from_secs(20), "{verb:?}: {time:?}");
    }
}

#[test]
fn row_29_a_damaged_page_of_a_sparse_file_does_not_lead_to_a_search_of_all_of_it() {
    let scratch = Scratch::new("fault-29-damaged");
    let mut image = real().image;
    let root = crate::support::synth::mutate::Outline::of(&image)
        .unwrap()
        .root as usize
        * 4096;
    image[root..root + 4096].fill(0);
    let path = scratch.file("db", &image);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    // Far more than can be read in the time.
    if file.set_len(TERABYTE / 4).is_err() {
        return;
    }
    file.write_all_at(b"end", TERABYTE / 4 - 3).unwrap();
    let started = Instant::now();
    let status = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -t 30; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_etcdive"),
            "ls",
        ])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(
        status.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
    assert!(!status.stdout.is_empty() && started.elapsed() < Duration::from_secs(30));
}

#[test]
fn row_29_a_folder_a_loop_of_links_and_a_device_are_refused_by_every_verb() {
    let scratch = Scratch::new("fault-29-kinds");
    let (a, b) = (scratch.path().join("a"), scratch.path().join("b"));
    symlink(&a, &b).unwrap();
    symlink(&b, &a).unwrap();
    let zero = std::path::Path::new("/dev/zero").to_owned();
    let verbs: [&[&str]; 4] = [
        &["ls", "DB"],
        &["status", "DB"],
        &["dump-db", "scan-keys", "DB"],
        &["diff", "DB", "DB"],
    ];
    for path in [scratch.path().to_owned(), a, zero] {
        for verb in verbs {
            let ended = bounded(verb, &path);
            assert!(ended.crash().is_none(), "{verb:?}: {:?}", ended.crash());
            assert_eq!(
                ended.code,
                Some(2),
                "{}: {verb:?}: {}",
                path.display(),
                ended.stderr
            );
            assert!(ended.stdout.is_empty() && ended.stderr.contains(path.to_str().unwrap()));
        }
    }
}
