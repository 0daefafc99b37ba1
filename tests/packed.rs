//! Packed databases: compressed files and archives by their content, members by name, standard input.

mod limits;

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::backups::damaged::Folder;
use crate::support::{Run, etcdive, etcdive_line, fed, read_unpacked, testdata};

/// Files with the same snapshot in them, packed by the programs of their formats, and the layers from outside.
const SAME: [(&str, &str); 12] = [
    ("snapshot.db.gz", "gzip"),
    ("snapshot.db.xz", "xz"),
    ("snapshot.db.zst", "zstd"),
    ("two-frames.zst", "zstd"),
    ("snapshot.db.bz2", "bzip2"),
    ("k3s.zip", "zip member etcd-snapshot-node-1-1772359200"),
    (
        "openshift.tar.gz",
        "gzip, tar member backup/snapshot_2026-03-01_100000.db",
    ),
    (
        "openshift.tar.xz",
        "xz, tar member backup/snapshot_2026-03-01_100000.db",
    ),
    (
        "openshift.tar.zst",
        "zstd, tar member backup/snapshot_2026-03-01_100000.db",
    ),
    (
        "openshift.tar.bz2",
        "bzip2, tar member backup/snapshot_2026-03-01_100000.db",
    ),
    (
        "nested.zip",
        "zip member openshift.tar.gz, gzip, tar member backup/snapshot_2026-03-01_100000.db",
    ),
    ("inner-gz.tar.gz", "gzip, tar member snapshot.db.gz, gzip"),
];

fn packed(name: &str) -> String {
    testdata("packed").join(name).display().to_string()
}

/// The snapshot that is in the packed files.
fn snapshot() -> Vec<u8> {
    read_unpacked(&testdata("packed/snapshot.db.gz"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn evidence(run: &Run) -> Value {
    let status: Value = serde_json::from_str(run.text()).unwrap();
    status["evidence"].clone()
}

#[test]
fn every_packing_gives_the_same_database_with_its_provenance() {
    let sha256 = hex(&Sha256::digest(snapshot()));
    for (name, layers) in SAME {
        let run = etcdive(["status", &packed(name), "-o", "json", "--evidence"]);
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        let evidence = evidence(&run);
        assert_eq!(evidence["sha256"], sha256, "{name}");
        let archive = fs::read(packed(name)).unwrap();
        assert_eq!(
            evidence["archive"]["sha256"],
            hex(&Sha256::digest(&archive)),
            "{name}"
        );
        assert_eq!(evidence["archive"]["size"], archive.len(), "{name}");
        assert_eq!(evidence["archive"]["layers"], layers, "{name}");
    }
}

#[test]
fn the_evidence_table_names_archive_and_member() {
    let run = etcdive(["status", &packed("k3s.zip"), "--evidence"]);
    for part in [
        "packed as",
        "zip member etcd-snapshot-node-1-1772359200",
        "archive sha256",
    ] {
        assert!(run.text().contains(part), "{part}: {}", run.text());
    }
    let plain = etcdive([
        "status",
        &testdata("healthy/talk/3.6/01-talk.snapshot.db")
            .display()
            .to_string(),
        "--evidence",
    ]);
    assert!(!plain.text().contains("archive"), "{}", plain.text());
}

#[test]
fn every_verb_reads_a_packed_database() {
    let db = packed("openshift.tar.zst");
    let mut ran = 0;
    for line in [
        "status",
        "fsck",
        "ls",
        "get -A",
        "log",
        "show 4",
        "diff 2..5",
        "grep settings",
        "watch",
        "blame cm/settings -n shop",
        "recover -n shop",
        "analyze",
        "checksum",
        "pages",
        "buckets",
        "page 0",
        "hexdump --page 0",
        "extract -k app/config",
    ] {
        let mut words: Vec<&str> = line.split(' ').collect();
        words.insert(1, &db);
        let run = etcdive(&words);
        assert!(run.code < 2, "{line}: {} {}", run.code, run.stderr);
        ran += 1;
    }
    assert_eq!(ran, 18);
    let dumped = etcdive(["dump-db", "list-bucket", &db]);
    assert_eq!(dumped.code, 0, "{}", dumped.stderr);
}

#[test]
fn a_packed_file_is_recognised_by_content_not_by_name() {
    let folder = Folder::new("by-content");
    let gz = folder.file("db", &fs::read(packed("snapshot.db.gz")).unwrap());
    let plain = folder.file("plain.zip", &snapshot());
    for path in [gz, plain] {
        let run = etcdive(["ls", path.to_str().unwrap()]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.text().contains("app/config"), "{}", run.text());
    }
}

#[test]
fn two_packed_databases_are_compared() {
    let run = etcdive(["diff", &packed("snapshot.db.gz"), &packed("k3s.zip")]);
    assert_eq!(run.code, 0, "{}{}", run.text(), run.stderr);
    let two = packed("two.tgz");
    let members = [
        format!("{two}::a/snapshot.db"),
        format!("{two}::b/snapshot.db"),
    ];
    let run = etcdive(["diff", &members[0], &members[1], "--name-only"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(
        run.text().contains("app/leader") || run.text().contains("app/bytes"),
        "{}",
        run.text()
    );
}

#[test]
fn several_databases_are_listed_with_a_command_to_paste() {
    let two = packed("two.tgz");
    let run = etcdive(["ls", &two]);
    assert_eq!(run.code, 2);
    for part in [
        "2 databases in it",
        "\n  a/snapshot.db (",
        "\n  b/snapshot.db (",
    ] {
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
    let hint = run.stderr.split('`').nth(1).unwrap();
    let pasted = etcdive_line(hint.strip_prefix("etcdive ").unwrap());
    assert_eq!(pasted.code, 0, "{hint}: {}", pasted.stderr);
    assert_eq!(
        pasted.text(),
        etcdive(["ls", &packed("snapshot.db.gz")]).text()
    );
}

#[test]
fn a_member_is_chosen_by_its_path_through_all_layers() {
    let member = "backup/snapshot_2026-03-01_100000.db";
    let path = format!("{}::openshift.tar.gz::{member}", packed("nested.zip"));
    assert_eq!(etcdive(["ls", &path]).code, 0);
    let wrong = format!("{}::a/snapshot", packed("two.tgz"));
    let run = etcdive(["ls", &wrong]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no a/snapshot in it"), "{}", run.stderr);
    assert!(
        run.stderr.contains("two.tgz::a/snapshot.db`"),
        "{}",
        run.stderr
    );
    let none = format!("{}::x", packed("snapshot.db.gz"));
    let run = etcdive(["ls", &none]);
    assert!(
        run.stderr.contains("it is not an archive"),
        "{}",
        run.stderr
    );
}

#[test]
fn standard_input_is_a_database_packed_or_not() {
    let sha256 = hex(&Sha256::digest(snapshot()));
    for input in [snapshot(), fs::read(packed("openshift.tar.xz")).unwrap()] {
        let run = fed(&input, &["status", "-", "-o", "json", "--evidence"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let evidence = evidence(&run);
        assert_eq!(evidence["sha256"], sha256);
        assert_eq!(evidence["archive"]["sha256"], hex(&Sha256::digest(&input)));
    }
    let two = fs::read(packed("two.tgz")).unwrap();
    assert_eq!(fed(&two, &["ls", "-::b/snapshot.db"]).code, 0);
    assert_eq!(fed(&two, &["ls", "-"]).code, 2);
    let twice = etcdive(["diff", "-", "-"]);
    assert!(
        twice.stderr.contains("can be read once only"),
        "{}",
        twice.stderr
    );
}

#[test]
fn the_flag_and_the_variable_name_packed_databases() {
    let db = packed("k3s.zip");
    let by_flag = etcdive(["ls", "--db", &db, "app/"]);
    assert_eq!(by_flag.text(), "app/config\n", "{}", by_flag.stderr);
    let output = crate::support::program()
        .env("ETCDIVE_DB", &db)
        .args(["ls", "app/"])
        .output();
    assert_eq!(Run::from(output.unwrap()).text(), "app/config\n");
}

#[test]
fn a_data_directory_in_an_archive_is_read_and_its_log_is_named() {
    let run = etcdive(["ls", &packed("datadir.tar.gz")]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.text().contains("/registry/configmaps/shop/late"),
        "{}",
        run.text()
    );
    let part = "the archive also has 1 file of the write-ahead log: unpack it";
    assert!(run.stderr.contains(part), "{}", run.stderr);
    assert!(
        etcdive(["status", &packed("datadir.tar.gz")])
            .stderr
            .contains(part)
    );
}

#[test]
fn a_full_snapshot_of_a_backup_tool_is_a_database_by_itself() {
    for name in [
        "gzip/v2/Full-00000000-00000005-1772359202.gz",
        "lzw/v1/Backup-1772359202/Full-00000000-00000005-1772359202.Z",
        "zlib/Full-00000000-00000004-1772359197.zlib",
    ] {
        let path = testdata("backups").join(name);
        let run = etcdive(["status", path.to_str().unwrap(), "-o", "json", "--evidence"]);
        assert_eq!(
            evidence(&run)["sha256"],
            hex(&Sha256::digest(snapshot())),
            "{name}"
        );
    }
}

#[test]
fn what_is_not_unpacked_is_named_with_a_way_on() {
    for (name, parts) in [
        ("password.zip", ["protected by a password", "7z x"]),
        ("snapshot.db.lz4", ["is an lz4 archive", "unpack it"]),
        (
            "kine.db",
            ["an SQLite database, likely Kine of k3s", "--cluster-init"],
        ),
    ] {
        let run = etcdive(["ls", &packed(name)]);
        assert_eq!(run.code, 2, "{name}");
        for part in parts {
            assert!(run.stderr.contains(part), "{name}: {}", run.stderr);
        }
        assert_eq!(run.stderr.lines().count(), 2, "{name}: {}", run.stderr);
    }
}

#[test]
fn an_archive_without_a_database_lists_what_it_has() {
    let folder = Folder::new("no-database");
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in [("a.txt", &b"text"[..]), ("b/c.yaml", b"kind: Pod\n")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    let path = folder.file("a.tar", &tar.into_inner().unwrap());
    let run = etcdive(["ls", path.to_str().unwrap()]);
    assert_eq!(run.code, 2);
    for part in [
        "no etcd database in it",
        "\n  a.txt (4 B)",
        "\n  b/c.yaml (10 B)",
    ] {
        assert!(run.stderr.contains(part), "{}", run.stderr);
    }
}

#[test]
fn members_with_long_names_are_found_in_both_forms_of_tar() {
    let folder = Folder::new("long-names");
    let long = format!("{}/snapshot.db", "d".repeat(150));
    let (snapshot, mut gnu, mut pax) = (
        snapshot(),
        tar::Builder::new(Vec::new()),
        tar::Builder::new(Vec::new()),
    );
    let mut header = tar::Header::new_gnu();
    header.set_size(snapshot.len() as u64);
    header.set_cksum();
    gnu.append_data(&mut header.clone(), &long, &snapshot[..])
        .unwrap();
    pax.append_pax_extensions([("path", long.as_bytes())])
        .unwrap();
    pax.append_data(&mut header, "short", &snapshot[..])
        .unwrap();
    for (name, tar) in [("gnu.tar", gnu), ("pax.tar", pax)] {
        let path = folder.file(name, &tar.into_inner().unwrap());
        let run = etcdive(["status", path.to_str().unwrap(), "-o", "json", "--evidence"]);
        assert_eq!(
            evidence(&run)["archive"]["member"],
            long,
            "{name}: {}",
            run.stderr
        );
    }
}

#[test]
fn nothing_is_left_in_the_temporary_folder() {
    let folder = Folder::new("left");
    let output = crate::support::program()
        .env("TMPDIR", folder.path(""))
        .args(["ls", &packed("two.tgz::a/snapshot.db")])
        .output();
    assert_eq!(Run::from(output.unwrap()).code, 0);
    assert_eq!(fs::read_dir(folder.path("")).unwrap().count(), 0);
    assert!(Path::new(&packed("two.tgz")).exists());
}

#[test]
fn the_command_for_a_database_in_a_nested_archive_has_the_whole_path() {
    let folder = Folder::new("nested-two");
    let two = fs::read(packed("two.tgz")).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(two.len() as u64);
    header.set_cksum();
    tar.append_data(&mut header, "two.tgz", &two[..]).unwrap();
    let path = folder.file("outer.tar", &tar.into_inner().unwrap());
    let run = etcdive(["ls", path.to_str().unwrap()]);
    let command = format!("`etcdive ls {}::two.tgz::a/snapshot.db`", path.display());
    assert!(run.stderr.contains(&command), "{}", run.stderr);
    let pasted = etcdive_line(command.trim_matches('`').strip_prefix("etcdive ").unwrap());
    assert_eq!(pasted.code, 0, "{}", pasted.stderr);
}
