//! The parts of a data directory: the database, the log and the raft snapshots belong together, or each disagreement is
//! named.

use std::path::Path;

use serde_json::Value;

use crate::support::synth::etcd::{Store, Version, alarm_key, member_value};
use crate::support::synth::tree::Bucket;
use crate::support::synth::wal::{WalFile, crc32c};
use crate::support::synth::wire::Message;
use crate::support::{Scratch, etcdive, files_below, testdata};

const FIRST: &str = "0000000000000000-0000000000000000.wal";
const OWN: u64 = 0x11;
const OTHERS: [u64; 2] = [0x22, 0x33];
const CLUSTER: u64 = 0xc1;

/// A data directory in the making: three members, the database at entry 10 of term 2, the log up to entry 12.
struct Directory {
    scratch: Scratch,
}

impl Directory {
    fn new(name: &str) -> Self {
        let directory = Self {
            scratch: Scratch::new(&format!("directory-{name}")),
        };
        directory.database(10, Some(2), &[OWN, OTHERS[0], OTHERS[1]], &[]);
        directory.log(FIRST, &log(OWN, CLUSTER, 1..=12, 2));
        directory.snap(8, 2, &[OWN, OTHERS[0], OTHERS[1]], &[]);
        directory
    }

    fn file(&self, place: &str, bytes: &[u8]) {
        let path = self.scratch.path().join("member").join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn database_at(
        &self,
        place: &str,
        index: u64,
        term: Option<u64>,
        members: &[u64],
        removed: &[u64],
    ) {
        let mut store = Store::new(Version::V3_6);
        store.put("a", "1");
        let mut meta = Bucket::new().put("consistent_index", index.to_be_bytes());
        if let Some(term) = term {
            meta = meta.put("term", term.to_be_bytes());
        }
        store.set_bucket("meta", meta);
        let member = |id: &u64| {
            (
                format!("{id:x}"),
                member_value(*id, "m", "http://m:2380", "http://m:2379"),
            )
        };
        store.set_bucket("members", Bucket::of(members.iter().map(member)));
        let gone = removed.iter().map(|id| (format!("{id:x}"), "removed"));
        store.set_bucket("members_removed", Bucket::of(gone));
        self.file(place, &store.builder().build().bytes);
    }

    fn database(&self, index: u64, term: Option<u64>, members: &[u64], removed: &[u64]) {
        self.database_at("snap/db", index, term, members, removed);
    }

    fn log(&self, name: &str, file: &WalFile) {
        self.file(&format!("wal/{name}"), &file.bytes);
    }

    fn snap(&self, index: i64, term: i64, voters: &[u64], learners: &[u64]) {
        let mut state = Message::new();
        for voter in voters {
            state = state.set_int(1, *voter as i64);
        }
        for learner in learners {
            state = state.set_int(2, *learner as i64);
        }
        let metadata = Message::new()
            .nest(1, state)
            .set_int(2, index)
            .set_int(3, term);
        let data = Message::new().nest(2, metadata).finish();
        let crc = i64::from(crc32c(0, &data));
        let file = Message::new().set_int(1, crc).put(2, &data).finish();
        self.file(&format!("snap/{term:016x}-{index:016x}.snap"), &file);
    }

    /// The findings above info as code, file, and what was expected and found, of `fsck` and of `status`.
    #[track_caller]
    fn findings(&self) -> Vec<(String, String, String)> {
        findings(self.scratch.path())
    }

    #[track_caller]
    fn has_one(&self, code: &str, file: &str, text: &str) {
        let found = self.findings();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].0.as_str(), found[0].1.as_str()), (code, file));
        assert!(found[0].2.contains(text), "{text}: {}", found[0].2);
    }
}

/// A file of a log with these entries, all committed.
fn log(member: u64, cluster: u64, entries: std::ops::RangeInclusive<i64>, term: i64) -> WalFile {
    let mut file = WalFile::after(None);
    let last = *entries.end();
    file.metadata(member, cluster);
    file.snapshot(0, 0);
    for index in entries {
        file.entry(term, index, b"");
    }
    file.state(term, last);
    file
}

#[track_caller]
fn findings(directory: &Path) -> Vec<(String, String, String)> {
    let path = directory.to_str().unwrap();
    let run = etcdive(["fsck", path, "-o", "json"]);
    let fsck: Value =
        serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    let status = etcdive(["status", path, "-o", "json"]);
    assert_eq!(status.code, run.code, "{}", status.stderr);
    let of_status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(of_status["verdict"], fsck["verdict"]);
    let all = fsck["findings"].as_array().unwrap().iter();
    let all = all.filter(|finding| finding["severity"] != "info");
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let found: Vec<_> = all
        .map(|finding| {
            let said = format!(
                "expected {}, found {}",
                text(finding, "expected"),
                text(finding, "found")
            );
            (text(finding, "code"), text(finding, "file"), said)
        })
        .collect();
    assert_eq!(run.code, i32::from(!found.is_empty()), "{found:?}");
    found
}

#[test]
fn parts_of_one_member_give_nothing() {
    assert_eq!(Directory::new("healthy").findings(), []);
    // Real ones: with a removed member, and killed between two commits.
    for name in ["wal/requests", "wal/killed"] {
        assert_eq!(findings(&testdata(name)), [], "{name}");
    }
}

#[test]
fn a_directory_that_etcdutl_restored_gives_nothing() {
    let directory = Directory::new("restored");
    let restored = testdata("verdict/restored");
    let files = files_below(&restored);
    assert_eq!(files.len(), 2);
    std::fs::remove_dir_all(directory.scratch.path().join("member")).unwrap();
    for file in files {
        let place = file.strip_prefix(restored.join("member")).unwrap();
        directory.file(place.to_str().unwrap(), &std::fs::read(&file).unwrap());
    }
    let members = [
        0x4036_b1db_2477_5ea0,
        0x710a_7906_b60e_0340,
        0x945b_db73_32bc_af99,
    ];
    directory.database(3, Some(1), &members, &[]);
    assert_eq!(directory.findings(), []);
    // 3.4 wrote no members and no term before the first start.
    directory.database(3, None, &[], &[]);
    assert_eq!(directory.findings(), []);
}

#[test]
fn learners_and_removed_members_give_nothing() {
    let directory = Directory::new("learner");
    let learner = 0x44;
    directory.snap(8, 2, &[OWN, OTHERS[0]], &[learner]);
    directory.log(FIRST, &log(learner, CLUSTER, 1..=12, 2));
    directory.database(10, Some(2), &[OWN, learner], &[OTHERS[0]]);
    assert_eq!(directory.findings(), []);
    // The member itself was removed.
    directory.database(10, Some(2), &[OWN], &[learner, OTHERS[0]]);
    assert_eq!(directory.findings(), []);
}

#[test]
fn a_database_that_came_from_the_leader_gives_nothing() {
    let directory = Directory::new("leader");
    let members = [OWN, OTHERS[0], OTHERS[1]];
    let mut file = log(OWN, CLUSTER, 1..=12, 2);
    file.snapshot(100, 3);
    file.state(3, 100);
    directory.log(FIRST, &file);
    directory.snap(100, 3, &members, &[]);
    directory.database(100, Some(3), &members, &[]);
    assert_eq!(directory.findings(), []);
    // Received, and not yet put in the place of the database.
    directory.database(10, Some(2), &members, &[]);
    directory.database_at("snap/0000000000000064.snap.db", 100, Some(3), &members, &[]);
    assert_eq!(directory.findings(), []);
    // Older files of the log were removed since.
    directory.database(100, Some(3), &members, &[]);
    std::fs::remove_file(directory.scratch.path().join("member/wal").join(FIRST)).unwrap();
    directory.log(
        "0000000000000007-0000000000000065.wal",
        &log(OWN, CLUSTER, 101..=104, 3),
    );
    assert_eq!(directory.findings(), []);
}

#[test]
fn a_log_of_another_cluster_is_named() {
    let directory = Directory::new("cluster");
    directory.log(FIRST, &log(0x99, 0xc9, 1..=12, 2));
    directory.has_one(
        "directory-member",
        FIRST,
        "expected the log of a member of the database (11, 22, 33), found that of member 99 of cluster c9",
    );
    let fsck = etcdive(["fsck", directory.scratch.path().to_str().unwrap()]);
    assert!(
        fsck.text().contains("the database, the log and the raft snapshots of this data directory do not belong together"),
        "{}",
        fsck.text()
    );
    // The database alone is intact, and so is the directory for a verb that reads the database.
    let ls = etcdive(["ls", directory.scratch.path().to_str().unwrap()]);
    assert_eq!((ls.code, ls.text()), (0, "a\n"));
}

#[test]
fn log_files_of_two_members_and_a_snapshot_of_another_cluster_are_named() {
    let directory = Directory::new("two");
    let second = "0000000000000001-000000000000000b.wal";
    directory.log(FIRST, &log(OWN, CLUSTER, 1..=10, 2));
    directory.log(second, &log(OTHERS[0], CLUSTER, 11..=12, 2));
    directory.has_one(
        "directory-member",
        second,
        "expected the log of member 11 of cluster c1, found that of member 22",
    );
    let directory = Directory::new("snap");
    directory.snap(8, 2, &[OWN, 0x99], &[0x98]);
    directory.has_one(
        "directory-member",
        "0000000000000002-0000000000000008.snap",
        "found also 98, 99",
    );
}

#[test]
fn a_snapshot_that_is_newer_than_the_database_is_named() {
    let directory = Directory::new("newer-snap");
    directory.snap(11, 2, &[OWN, OTHERS[0], OTHERS[1]], &[]);
    directory.has_one(
        "directory-index",
        "0000000000000002-000000000000000b.snap",
        "expected no raft snapshot after entry 10, the last that the database applied, found one at entry 11",
    );
}

#[test]
fn a_log_of_another_member_of_the_cluster_is_named_if_it_does_not_cover_the_database() {
    let directory = Directory::new("member");
    // The database of this member goes on with the log of any member that has the entries.
    directory.log(FIRST, &log(OTHERS[0], CLUSTER, 1..=12, 2));
    assert_eq!(directory.findings(), []);
    directory.log(FIRST, &log(OTHERS[0], CLUSTER, 1..=9, 2));
    directory.has_one("directory-index", FIRST, "found one that ends at entry 9");
    std::fs::remove_file(directory.scratch.path().join("member/wal").join(FIRST)).unwrap();
    let later = "0000000000000003-000000000000000c.wal";
    directory.log(later, &log(OTHERS[0], CLUSTER, 12..=14, 2));
    directory.has_one(
        "directory-index",
        later,
        "found one that begins at entry 12",
    );
}

#[test]
fn a_log_of_another_history_is_named() {
    let directory = Directory::new("history");
    directory.log(FIRST, &log(OWN, CLUSTER, 1..=12, 4));
    directory.has_one(
        "directory-term",
        FIRST,
        "expected entry 10, the last that the database applied, in term 2, found term 4",
    );
    // Written again after a new leader was elected, in a later file.
    let mut first = log(OWN, CLUSTER, 1..=9, 2);
    first.entry(1, 10, b"");
    first.entry(1, 11, b"");
    directory.log(FIRST, &first);
    directory.log("0000000000000001-000000000000000c.wal", &{
        let mut file = WalFile::after(Some(&first));
        file.metadata(OWN, CLUSTER);
        file.entry(2, 10, b"");
        file.state(2, 10);
        file
    });
    assert_eq!(directory.findings(), []);
}

#[test]
fn each_code_of_a_directory_is_explained() {
    for code in [
        "directory-member",
        "directory-index",
        "directory-term",
        "directory-writes",
    ] {
        let run = etcdive(["explain", code]);
        assert_eq!(run.code, 0, "{code}");
        assert!(run.text().contains("data directory"), "{}", run.text());
    }
}

#[test]
fn status_names_alarms_and_members_that_were_removed() {
    let mut store = Store::new(Version::V3_6);
    store.set_bucket(
        "members_removed",
        Bucket::of([("8211f1d0f64f3269", "removed")]),
    );
    let alarms = [
        (alarm_key(0x8211_f1d0_f64f_3269, 1), ""),
        (alarm_key(0x22, 2), ""),
    ];
    store.set_bucket("alarm", Bucket::of(alarms));
    let scratch = Scratch::new("status-alarms");
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    let text = etcdive(["status", db]).text().to_owned();
    for part in [
        "NOSPACE raised by member 8211f1d0f64f3269",
        "CORRUPT raised by member 22",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let row = text
        .lines()
        .find(|line| line.starts_with("removed members"));
    assert!(
        row.is_some_and(|row| row.ends_with("8211f1d0f64f3269")),
        "{text}"
    );
    let json: Value = serde_json::from_str(etcdive(["status", db, "-o", "json"]).text()).unwrap();
    let expected = serde_json::json!([
        {"member": "22", "alarm": "CORRUPT"},
        {"member": "8211f1d0f64f3269", "alarm": "NOSPACE"},
    ]);
    assert_eq!(json["alarms"], expected);
    assert_eq!(
        json["removed_members"],
        serde_json::json!(["8211f1d0f64f3269"])
    );
}
