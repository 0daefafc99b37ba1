//! A snapshot whose SHA-256 is right but not the last of the file: it is found, and its records are whole.

use std::path::Path;
use std::process::Command;

use crate::support::synth::{Bucket, Builder, Trailer};
use crate::support::{Run, Scratch, etcdive, testdata};

const TALK: &str = "healthy/talk/3.6/01-talk.snapshot.db";
const AFTER: &str = "healthy/talk/3.6/06-after.snapshot.db";

fn snapshot(name: &str) -> Vec<u8> {
    std::fs::read(testdata(name)).unwrap()
}

fn run(verb: &str, file: &Path) -> Run {
    etcdive([verb, file.to_str().unwrap()])
}

/// A snapshot with something added: the records are those of the snapshot, the exit code is as if nothing were added, and
/// the added bytes are named.
fn is_found(scratch: &Scratch, snapshot: &[u8], added: &[u8], what: &str) {
    let whole = scratch.file("whole.db", snapshot);
    let file = scratch.file("added.db", &[snapshot, added].concat());
    let fsck = run("fsck", &file);
    let at = snapshot.len();
    assert_eq!(fsck.code, 1, "{what}: {}", fsck.text());
    let count = match added.len() {
        1 => "1 byte".to_owned(),
        bytes => format!("{bytes} bytes"),
    };
    let finding = format!(
        "warning: trailer-followed: offset {at}: expected the file to end after the SHA-256, which is right, found {count} more: {what};"
    );
    assert!(fsck.text().contains(&finding), "{finding}\n{}", fsck.text());
    assert!(
        fsck.text().contains("0 errors, 1 warning"),
        "{}",
        fsck.text()
    );
    let command = format!("head -c {at} {} > mended.db", file.display());
    assert!(fsck.stderr.contains(&command), "{command}\n{}", fsck.stderr);
    let (listed, expected) = (run("ls", &file), run("ls", &whole));
    assert_eq!(listed.stdout, expected.stdout, "{what}");
    assert_eq!(listed.code, expected.code, "{what}: {}", listed.stderr);
    let status = run("status", &file);
    assert!(
        status.text().contains("with a correct SHA-256, but"),
        "{}",
        status.text()
    );
    assert!(
        status.text().contains(
            "verdict    DAMAGED: every record could be read, but etcdutl does not restore"
        ),
        "{}",
        status.text()
    );
    assert_eq!(status.code, fsck.code, "{what}: {}", status.stderr);
}

#[test]
fn a_line_end_after_the_sha_256_is_named() {
    let newline = snapshot("trailer/newline.db");
    let (sound, added) = newline.split_at(newline.len() - 1);
    is_found(&Scratch::new("trailer-newline"), sound, added, "line ends");
}

#[test]
fn padding_texts_and_another_database_are_named() {
    let scratch = Scratch::new("trailer-added");
    let zeros = |count: usize| vec![0; count];
    for (added, what) in [
        (b"\r\n".to_vec(), "line ends"),
        (zeros(1), "zeros"),
        // As long as a file with a trailer, and as long as one without.
        (zeros(512), "zeros"),
        (zeros(480), "zeros"),
        (zeros(1 << 20), "zeros"),
        (b"upload complete\n".to_vec(), "something else"),
        (snapshot(AFTER), "another database"),
        (snapshot(TALK), "another database"),
    ] {
        is_found(&scratch, &snapshot(TALK), &added, what);
    }
}

#[test]
fn it_is_found_with_every_page_size() {
    let scratch = Scratch::new("trailer-page-sizes");
    for page_size in [512, 1024, 4096, 16384, 65536] {
        let things = Bucket::of((0..200).map(|n| (format!("k{n:03}"), "v".repeat(90))));
        // Longer than its high-water mark, as bbolt grows files in advance.
        let builder = Builder::new().page_size(page_size).bucket("things", things);
        let builder = builder.tail(vec![0; 3 * page_size]);
        let mut bytes = builder.trailer(Trailer::Good).build().bytes;
        let at = bytes.len();
        bytes.push(b'\n');
        let file = scratch.file("added.db", &bytes);
        let fsck = run("fsck", &file);
        assert_eq!(fsck.code, 1, "{page_size}: {}", fsck.text());
        let finding = format!("trailer-followed: offset {at}: ");
        assert!(
            fsck.text().contains(&finding),
            "{page_size}: {}",
            fsck.text()
        );
    }
}

#[test]
fn the_commands_of_the_hint_make_intact_copies() {
    let scratch = Scratch::new("trailer-mended");
    let joined = [snapshot(TALK), snapshot(AFTER)].concat();
    let file = scratch.file("two files.db", &joined);
    let fsck = run("fsck", &file);
    let hint = fsck
        .stderr
        .lines()
        .find(|line| line.starts_with("hint: `head"))
        .unwrap();
    let commands: Vec<&str> = hint.split('`').skip(1).step_by(2).collect();
    assert_eq!(commands.len(), 2, "{hint}");
    for command in commands {
        let mut shell = Command::new("sh");
        let status = shell
            .args(["-c", command])
            .current_dir(scratch.path())
            .status();
        assert!(status.unwrap().success(), "{command}");
    }
    for (copy, original) in [("mended.db", TALK), ("second.db", AFTER)] {
        let copy = scratch.path().join(copy);
        assert_eq!(std::fs::read(&copy).unwrap(), snapshot(original));
        assert_eq!(run("fsck", &copy).code, 0);
    }
}

/// Where no SHA-256 is right, nothing is said of one.
#[test]
fn an_altered_page_before_the_added_bytes_is_still_damage() {
    let scratch = Scratch::new("trailer-altered");
    let mut bytes = snapshot("trailer/newline.db");
    let last_page = bytes.len() - 33 - 4096;
    bytes[last_page + 100] ^= 1;
    let fsck = run("fsck", &scratch.file("altered.db", &bytes));
    assert_eq!(fsck.code, 3, "{}", fsck.text());
    assert!(fsck.text().contains("trailer-mismatch"), "{}", fsck.text());
    assert!(!fsck.text().contains("trailer-followed"), "{}", fsck.text());
}
