//! `restore --data-dir`: what is in the directory, and what each flag changes.

use std::path::{Path, PathBuf};

use etcdive::etcd::membership::InitialCluster;
use etcdive::etcd::wal::write;
use serde_json::Value;

use crate::support::bolt_reader::{self, Buckets};
use crate::support::{Run, Scratch, etcdive, testdata};

const WAL: &str = "member/wal/0000000000000000-0000000000000000.wal";

fn restore(source: &Path, target: &Path, arguments: &str) -> Run {
    let words = [
        "restore",
        source.to_str().unwrap(),
        "--data-dir",
        target.to_str().unwrap(),
    ];
    etcdive(words.into_iter().chain(arguments.split_whitespace()))
}

fn source() -> PathBuf {
    testdata("restore/src36.snap.db")
}

/// A new directory of the recorded snapshot.
fn written(name: &str, arguments: &str) -> (Scratch, PathBuf) {
    let scratch = Scratch::new(&format!("member-dir-{name}"));
    let target = scratch.path().join("new.etcd");
    let run = restore(&source(), &target, arguments);
    assert_eq!(run.code, 0, "{name}: {}", run.stderr);
    (scratch, target)
}

fn buckets(directory: &Path) -> Buckets {
    let bytes = std::fs::read(directory.join("member/snap/db")).unwrap();
    bolt_reader::read(&bytes, false).buckets
}

fn value(buckets: &Buckets, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let mut pairs = buckets[bucket].iter();
    let found = pairs.find(|(name, _)| name == key.as_bytes());
    found.map(|(_, value)| value.clone())
}

fn text(buckets: &Buckets, bucket: &str, key: &str) -> String {
    String::from_utf8(value(buckets, bucket, key).unwrap()).unwrap()
}

/// The log of a directory is that of this member, and zeros up to the length that etcd gives it.
fn assert_log(wal: &Path, cluster: &InitialCluster, name: &str) {
    let bytes = std::fs::read(wal).unwrap();
    assert_eq!(bytes.len(), 64_000_000);
    let member = cluster.members.iter().find(|member| member.name == name);
    let expected = write::log(cluster, member.unwrap());
    assert!(bytes.starts_with(&expected), "{name}");
    assert!(bytes[expected.len()..].iter().all(|byte| *byte == 0));
}

#[test]
fn without_flags_it_is_the_member_that_etcdutl_writes_without_flags() {
    let (_scratch, target) = written("default", "");
    let buckets = buckets(&target);
    // The ids that etcd gives to its default member and cluster.
    assert_eq!(
        text(&buckets, "members", "8e9e05c52164694d"),
        r#"{"id":10276657743932975437,"peerURLs":["http://localhost:2380"],"name":"default"}"#
    );
    assert_eq!(buckets["members"].len(), 1);
    assert!(buckets["members_removed"].is_empty() && buckets["cluster"].is_empty());
    let number =
        |key| u64::from_be_bytes(value(&buckets, "meta", key).unwrap().try_into().unwrap());
    assert_eq!((number("consistent_index"), number("term")), (1, 1));
    assert_eq!(value(&buckets, "meta", "storageVersion"), None);
    assert_eq!(
        text(&buckets, "meta", "confState"),
        r#"{"voters":[10276657743932975437],"auto_leave":false}"#
    );
    let cluster = InitialCluster::parse("default=http://localhost:2380", "etcd-cluster").unwrap();
    assert_eq!(format!("{:x}", cluster.id), "cdf818194e3a8c32");
    assert_log(&target.join(WAL), &cluster, "default");
    let snap = target.join("member/snap/0000000000000001-0000000000000001.snap");
    assert_eq!(std::fs::read(snap).unwrap(), write::snap(&cluster));
    // All records, without the 32 bytes of a snapshot file at the end.
    assert_eq!(buckets["key"].len(), 75);
}

#[cfg(unix)]
#[test]
fn the_modes_are_those_of_etcd() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_scratch, target) = written("modes", "");
    let snap = "member/snap/0000000000000001-0000000000000001.snap";
    for (name, mode) in [
        ("", 0o700),
        ("member", 0o700),
        ("member/snap", 0o700),
        ("member/wal", 0o700),
        ("member/snap/db", 0o600),
        (WAL, 0o600),
        (snap, 0o644),
    ] {
        let found = std::fs::metadata(target.join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
}

const THREE: &str = "m1=http://127.0.0.1:23801,m2=http://127.0.0.1:23811,m3=http://127.0.0.1:23821";

#[test]
fn one_member_of_a_cluster_is_written_with_the_name_token_and_addresses_of_the_flags() {
    let flags = format!(
        "--name m2 --initial-cluster {THREE} --initial-cluster-token tok --initial-advertise-peer-urls http://127.0.0.1:23811"
    );
    let (_scratch, target) = written("three", &flags);
    let cluster = InitialCluster::parse(THREE, "tok").unwrap();
    assert_log(&target.join(WAL), &cluster, "m2");
    let recorded = std::fs::read(testdata("restore/upstream-3.6/three-members.snap")).unwrap();
    let snap = target.join("member/snap/0000000000000001-0000000000000003.snap");
    assert_eq!(std::fs::read(snap).unwrap(), recorded);
    let buckets = buckets(&target);
    assert_eq!(buckets["members"], cluster.bucket());
    // Without one of the flags it is another member.
    let (_other, other) = written(
        "three-token",
        &flags.replace(" --initial-cluster-token tok", ""),
    );
    assert_log(
        &other.join(WAL),
        &InitialCluster::parse(THREE, "etcd-cluster").unwrap(),
        "m2",
    );
    let (_own, own) = written(
        "own",
        "--name x --initial-advertise-peer-urls http://h:1,http://g:1",
    );
    let own_cluster = InitialCluster::parse("x=http://g:1,x=http://h:1", "etcd-cluster").unwrap();
    assert_log(&own.join(WAL), &own_cluster, "x");
}

#[test]
fn all_members_have_the_same_database_and_each_its_own_log() {
    let flags = format!("--all-members --initial-cluster {THREE} --initial-cluster-token tok");
    let (_scratch, target) = written("all", &flags);
    let cluster = InitialCluster::parse(THREE, "tok").unwrap();
    let first = std::fs::read(target.join("m1/member/snap/db")).unwrap();
    for name in ["m1", "m2", "m3"] {
        let directory = target.join(name);
        assert_log(&directory.join(WAL), &cluster, name);
        assert_eq!(
            std::fs::read(directory.join("member/snap/db")).unwrap(),
            first
        );
    }
    assert_eq!(std::fs::read_dir(&target).unwrap().count(), 3);
    let report = std::fs::read(target.with_file_name("new.etcd.restore.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["cluster"]["written"].as_array().unwrap().len(), 3);
}

#[test]
fn a_raised_revision_is_one_empty_record_and_a_compaction() {
    let (_scratch, plain) = written("not-raised", "--at 60");
    let (_other, raised) = written("raised", "--at 60 --bump-revision 1000 --mark-compacted");
    let (plain, raised) = (buckets(&plain), buckets(&raised));
    let mut expected = plain["key"].clone();
    let mut key = 1060_i64.to_be_bytes().to_vec();
    key.extend(b"_\0\0\0\0\0\0\0\0");
    expected.push((key.clone(), Vec::new()));
    assert_eq!(raised["key"], expected);
    assert_eq!(value(&raised, "meta", "scheduledCompactRev"), Some(key));
    assert_eq!(
        value(&raised, "meta", "finishedCompactRev"),
        value(&plain, "meta", "finishedCompactRev")
    );
}

#[test]
fn the_log_can_be_in_a_folder_of_its_own() {
    let scratch = Scratch::new("member-dir-wal");
    let (target, wal) = (scratch.path().join("new.etcd"), scratch.path().join("log"));
    let run = restore(&source(), &target, &format!("--wal-dir {}", wal.display()));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(!target.join("member/wal").exists());
    let cluster = InitialCluster::parse("default=http://localhost:2380", "etcd-cluster").unwrap();
    assert_log(
        &wal.join("0000000000000000-0000000000000000.wal"),
        &cluster,
        "default",
    );
    assert!(run.text().contains(&format!("--wal-dir {}", wal.display())));
    let again = restore(
        &source(),
        &scratch.path().join("other.etcd"),
        &format!("--wal-dir {}", wal.display()),
    );
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("exists, and nothing is overwritten"));
    assert!(!scratch.path().join("other.etcd").exists());
}

#[test]
fn a_wrong_sha256_is_refused_unless_the_hash_check_is_skipped() {
    let scratch = Scratch::new("member-dir-hash");
    let mut bytes = std::fs::read(source()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let wrong = scratch.file("wrong.db", &bytes);
    let target = scratch.path().join("new.etcd");
    let run = restore(&wrong, &target, "");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("SHA-256 of the snapshot is wrong"),
        "{}",
        run.stderr
    );
    let run = restore(&wrong, &target, "--skip-hash-check");
    assert_ne!(run.code, 2, "{}", run.stderr);
    assert_eq!(buckets(&target)["key"].len(), 75);
}

#[test]
fn what_etcd_would_refuse_is_refused_before_anything_is_written() {
    let scratch = Scratch::new("member-dir-refused");
    let target = scratch.path().join("new.etcd");
    for (flags, expected) in [
        (
            "--name m9 --initial-cluster m1=http://a:1",
            "no member \"m9\" in the initial cluster",
        ),
        (
            "--name m1 --initial-cluster m1=http://a:1",
            "and the member advertises http://localhost:2380",
        ),
        (
            "--initial-cluster m1=http://a:1,m2=http://a:1",
            "the initial cluster has http://a:1 twice",
        ),
        (
            "--initial-advertise-peer-urls http://a",
            "\"http://a\" is not a peer URL",
        ),
        ("--bump-revision 5", "--mark-compacted"),
        ("--mark-compacted", "--bump-revision"),
        ("--all-members", "--initial-cluster"),
        ("--bump-revision 0 --mark-compacted", "0"),
        (
            "--bump-revision 9223372036854775807 --mark-compacted",
            "too large",
        ),
        (
            "--all-members --initial-cluster ../m=http://a:1",
            "cannot be the name of a folder",
        ),
        ("--out x.db", "cannot be used with"),
    ] {
        let run = restore(&source(), &target, flags);
        assert_eq!(run.code, 2, "{flags}");
        assert!(run.stderr.contains(expected), "{flags}: {}", run.stderr);
        assert!(!target.exists(), "{flags}");
    }
    let left = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is left behind");
}

#[test]
fn a_directory_with_something_in_it_is_never_touched() {
    let scratch = Scratch::new("member-dir-taken");
    let kept = scratch.file("new.etcd/kept", b"x");
    let target = kept.parent().unwrap();
    let run = restore(&source(), target, "");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr
            .contains("is not empty, and nothing is overwritten"),
        "{}",
        run.stderr
    );
    assert_eq!(std::fs::read(&kept).unwrap(), b"x");
    // An empty one is used.
    std::fs::remove_file(&kept).unwrap();
    let run = restore(&source(), target, "");
    assert_eq!(run.code, 0, "{}", run.stderr);
    // The data directory of the source, and a place in it.
    let data = scratch.file("data/member/snap/db", &std::fs::read(source()).unwrap());
    let data = data.ancestors().nth(3).unwrap();
    for inside in [data.to_path_buf(), data.join("member/new")] {
        let run = restore(data, &inside, "");
        assert_eq!(run.code, 2, "{}", inside.display());
    }
    assert_eq!(std::fs::read_dir(data.join("member")).unwrap().count(), 1);
}

#[test]
fn an_existing_empty_folder_is_filled_however_it_is_typed() {
    let scratch = Scratch::new("member-dir-typed");
    for (name, typed) in [("a", "a/"), ("b", "b/."), ("c", "./c//"), ("d", "d/../d/")] {
        let folder = scratch.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let run = restore(&source(), &scratch.path().join(typed), "");
        assert_eq!(run.code, 0, "{typed}: {}", run.stderr);
        assert!(folder.join("member/snap/db").is_file(), "{typed}");
        let report = scratch.path().join(format!("{name}.restore.json"));
        assert!(report.is_file(), "{typed}");
    }
    let new = restore(&source(), &scratch.path().join("new/"), "");
    assert_eq!(new.code, 0, "{}", new.stderr);
    assert!(scratch.path().join("new.restore.json").is_file());
    // A path that has no name of its own, as `.`.
    let inner = scratch.path().join("e/inner");
    std::fs::create_dir_all(&inner).unwrap();
    let outer = scratch.path().join("f");
    std::fs::create_dir(&outer).unwrap();
    let typed = inner.join("../../f/x/..");
    std::fs::create_dir(outer.join("x")).unwrap();
    let full = restore(&source(), &typed, "");
    assert!(full.stderr.contains("is not empty"), "{}", full.stderr);
    let empty = restore(&source(), &outer.join("x/../x/../../f/x/."), "");
    assert_eq!(empty.code, 0, "{}", empty.stderr);
}

#[test]
fn the_current_folder_can_be_filled() {
    let scratch = Scratch::new("member-dir-current");
    let folder = scratch.path().join("here");
    std::fs::create_dir(&folder).unwrap();
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_etcdive"))
        .args(["restore", source().to_str().unwrap(), "--data-dir", "."])
        .current_dir(&folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{stderr}");
    assert!(folder.join("member/snap/db").is_file());
    assert!(scratch.path().join("here.restore.json").is_file());
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(text.contains("here.restore.json"), "{text}");
}

#[test]
fn a_file_is_not_an_empty_folder() {
    let scratch = Scratch::new("member-dir-file");
    let file = scratch.file("taken", b"");
    let run = restore(&source(), &file, "");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("is a file"), "{}", run.stderr);
}
