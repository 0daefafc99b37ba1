//! The last hint of `fsck`, `status` and `verify` on a damaged file: what `restore` could write.

use std::path::Path;

use super::corrupt::busy_store;
use super::main_of;
use crate::support::{Run, Scratch, etcdive, testdata};

/// The command in the hint about `restore`, with the new file in a scratch folder.
fn hinted(run: &Run, new: &Path) -> Vec<String> {
    let commands = run.stderr.split('`').skip(1).step_by(2);
    let mut restores = commands.filter(|command| command.starts_with("etcdive restore "));
    let line = restores.next().unwrap_or_else(|| panic!("{}", run.stderr));
    let words = line.split_whitespace().skip(1);
    words
        .map(|word| match word {
            "NEW.db" => new.to_str().unwrap().to_owned(),
            word => word.to_owned(),
        })
        .collect()
}

/// An image without the leaf of the middle record, and the first main revision that is lost.
fn without_a_leaf() -> (Vec<u8>, i64, i64, usize) {
    let store = busy_store(5);
    let image = store.builder().page_size(1024).build();
    let mut bytes = image.bytes.clone();
    let runs = image.bucket_runs(b"key");
    let leaves: Vec<usize> = runs
        .iter()
        .map(|run| run.pgid as usize * 1024)
        .filter(|at| bytes[at + 8] == 2)
        .collect();
    let records = store.records();
    let keys: Vec<Vec<u8>> = records.iter().map(|record| record.bucket_key()).collect();
    let middle = &keys[keys.len() * 3 / 4];
    let has_middle = |at: &&usize| {
        bytes[**at..**at + 1024]
            .windows(middle.len())
            .any(|window| window == middle.as_slice())
    };
    let at = *leaves.iter().find(has_middle).unwrap();
    let is_lost = |key: &&Vec<u8>| {
        bytes[at..at + 1024]
            .windows(key.len())
            .any(|window| window == key.as_slice())
    };
    let lost: Vec<&Vec<u8>> = keys.iter().filter(is_lost).collect();
    let first = main_of(lost[0]);
    let later = keys.iter().filter(|key| main_of(key) >= first);
    let readable = later.filter(|key| !lost.contains(key)).count();
    bytes[at..at + 1024].fill(0);
    (bytes, first, store.revision(), readable)
}

#[test]
fn a_damaged_file_ends_with_the_revision_that_can_be_restored_and_what_it_lacks() {
    let (bytes, first, newest, readable) = without_a_leaf();
    let scratch = Scratch::new("outlook-lost");
    let db = scratch.file("lost.db", &bytes);
    let expected = format!(
        "writes the newest revision that is complete, without {} revisions after it, whose {readable} records can still be read",
        newest - first + 1
    );
    assert!(readable > 10);
    for verb in ["fsck", "status", "verify"] {
        let run = etcdive([verb, db.to_str().unwrap()]);
        assert_eq!(run.code, 3, "{verb}");
        assert!(run.stderr.contains(&expected), "{verb}: {}", run.stderr);
        let new = scratch.path().join(format!("{verb}.db"));
        let restored = etcdive(hinted(&run, &new));
        assert_eq!(restored.code, 0, "{verb}: {}", restored.stderr);
    }
    // Only the first damaged file of several.
    let db = db.to_str().unwrap();
    let intact = testdata("restore/src36.snap.db");
    let run = etcdive(["verify", intact.to_str().unwrap(), db, db]);
    assert_eq!(run.stderr.matches("etcdive restore").count(), 1);
    let run = etcdive(["verify", intact.to_str().unwrap()]);
    assert_eq!(run.stderr.matches("etcdive restore").count(), 0);
}

#[test]
fn a_log_that_has_what_is_missing_is_proposed() {
    let scratch = Scratch::new("outlook-log");
    let log = std::fs::read(testdata("restore/src36.wal")).unwrap();
    scratch.file(
        "data/member/wal/0000000000000000-0000000000000000.wal",
        &log,
    );
    let snapshot = std::fs::read(testdata("restore/src36.snap.db")).unwrap();
    let mut image = snapshot[..snapshot.len() - 32].to_vec();
    let records = image
        .windows(17)
        .position(|bytes| bytes[..8] == 60_i64.to_be_bytes() && bytes[8] == b'_')
        .unwrap();
    let page = records / 4096 * 4096;
    image[page..page + 4096].fill(0);
    scratch.file("data/member/snap/db", &image);
    let data = scratch.path().join("data");
    for verb in ["fsck", "status", "verify"] {
        let run = etcdive([verb, data.to_str().unwrap()]);
        assert_eq!(run.code, 3, "{verb}: {}", run.stderr);
        let why = "the write-ahead log has what is missing";
        assert!(run.stderr.contains(why), "{verb}: {}", run.stderr);
        let new = scratch.path().join(format!("{verb}.db"));
        let restored = etcdive(hinted(&run, &new));
        assert_eq!(restored.code, 0, "{verb}: {}", restored.stderr);
    }
}

#[test]
fn a_member_that_skipped_entries_is_damaged_for_every_verb_that_reads_its_directory() {
    let member = testdata("guides/disagree/m3");
    let member = member.to_str().unwrap();
    let scratch = Scratch::new("outlook-skipped");
    for verb in ["fsck", "status", "verify"] {
        let run = etcdive([verb, member]);
        assert_eq!(run.code, 3, "{verb}: {}", run.stderr);
        let said = format!("{}{}", run.text(), run.stderr);
        assert!(said.contains("directory-writes"), "{verb}: {said}");
        assert!(
            run.stderr.contains("restore from another member"),
            "{}",
            run.stderr
        );
        let new = scratch.path().join(format!("{verb}.db"));
        let restored = etcdive(hinted(&run, &new));
        assert_eq!(restored.code, 0, "{verb}: {}", restored.stderr);
    }
    let run = etcdive(["fsck", member, "-o", "json"]);
    assert!(
        run.text().contains("\"directory-writes\""),
        "{}",
        run.text()
    );
    assert!(
        run.text().contains("the writes of entry 19"),
        "{}",
        run.text()
    );
    // Without --wal it is refused too, and the revision before the difference is offered.
    let new = scratch.path().join("new.db");
    let refused = etcdive(["restore", member, "--out", new.to_str().unwrap()]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let why = "lacks writes of its write-ahead log";
    assert!(refused.stderr.contains(why), "{}", refused.stderr);
    assert!(!new.exists());
    let offered = etcdive(hinted(&refused, &new));
    assert_eq!(offered.code, 0, "{}", offered.stderr);
    let lossy = scratch.path().join("lossy.db");
    let words = [
        "restore",
        member,
        "--allow-loss",
        "--out",
        lossy.to_str().unwrap(),
    ];
    let run = etcdive(words);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.text().contains(why), "{}", run.text());
    // Its database as a file has no log beside it.
    let file = testdata("guides/disagree/m3.db");
    let run = etcdive(["verify", file.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn a_member_that_applied_its_log_has_no_such_finding() {
    let mut compared = 0;
    for name in ["wal/requests", "wal/killed", "guides/last-member"] {
        let run = etcdive(["fsck", testdata(name).to_str().unwrap()]);
        let said = format!("{}{}", run.text(), run.stderr);
        assert!(!said.contains("directory-writes"), "{name}: {said}");
        compared += 1;
    }
    assert_eq!(compared, 3);
}
