//! Where a data directory may be written, and that nothing is left if it cannot be.

use std::path::Path;

use crate::support::{Run, Scratch, etcdive, names_in, testdata};

fn restore(target: &Path, flags: &str) -> Run {
    let source = testdata("restore/src36.snap.db");
    let words = [
        "restore",
        source.to_str().unwrap(),
        "--data-dir",
        target.to_str().unwrap(),
    ];
    etcdive(words.into_iter().chain(flags.split_whitespace()))
}

#[test]
fn a_folder_for_the_log_inside_the_directory_is_refused_before_anything_is_written() {
    let scratch = Scratch::new("member-place-wal-inside");
    let (new, empty) = (
        scratch.path().join("new.etcd"),
        scratch.path().join("empty"),
    );
    std::fs::create_dir(&empty).unwrap();
    let link = scratch.path().join("link");
    std::os::unix::fs::symlink(&empty, &link).unwrap();
    for (target, wal) in [
        (&new, new.join("wal")),
        (&new, new.clone()),
        (&empty, empty.join("wal")),
        (&empty, link.join("wal")),
        (&link, empty.join("wal")),
    ] {
        let run = restore(target, &format!("--wal-dir {}", wal.display()));
        assert_eq!(run.code, 2, "{}: {}", wal.display(), run.stderr);
        let why = "is in the data directory";
        assert!(
            run.stderr.contains(why),
            "{}: {}",
            wal.display(),
            run.stderr
        );
        assert_eq!(names_in(scratch.path()), ["empty", "link"]);
        assert_eq!(names_in(&empty), [""; 0]);
    }
}

#[test]
fn a_link_to_an_empty_folder_is_followed() {
    let scratch = Scratch::new("member-place-link");
    let folder = scratch.path().join("disk/data");
    std::fs::create_dir_all(&folder).unwrap();
    let link = scratch.path().join("link");
    std::os::unix::fs::symlink("disk/data", &link).unwrap();
    let run = restore(&link, "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(link.is_symlink());
    assert_eq!(names_in(&folder), ["member"]);
    assert!(folder.join("member/snap/db").is_file());
    assert_eq!(
        names_in(scratch.path()),
        ["disk", "link", "link.restore.json"]
    );
    assert_eq!(names_in(&scratch.path().join("disk")), ["data"]);
    // A link that leads nowhere.
    let nowhere = scratch.path().join("nowhere");
    std::os::unix::fs::symlink("missing/data", &nowhere).unwrap();
    let run = restore(&nowhere, "");
    assert_eq!(run.code, 2);
    let why = "is a link to something that does not exist";
    assert!(run.stderr.contains(why), "{}", run.stderr);
}

/// Everything is written in the folder itself, because the folder may be the root of a disk, and a rename between two
/// disks fails.
#[test]
fn an_empty_folder_is_filled_without_a_temporary_folder_next_to_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new("member-place-mount");
    let outer = scratch.path().join("outer");
    let folder = outer.join("data");
    std::fs::create_dir_all(&folder).unwrap();
    // A report is next to the directory, so the check of the temporary folder needs another place for it.
    let run = restore(&folder.join("."), "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(names_in(&folder), ["member"]);
    assert_eq!(names_in(&outer), ["data", "data.restore.json"]);
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
