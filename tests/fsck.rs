//! `fsck`: every check finds what it is for at its place, and nothing in a healthy file; `explain`.

mod objects;
mod pages;
mod records;

use std::collections::BTreeSet;

use etcdive::diag::{Code, Severity};
use serde_json::Value;

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, case_roots, etcdive, files_below, truth};
use crate::verbs::{AFTER, TALK, jsonl};

const MIXED: &str = "testdata/healthy/k8s-encrypted/mixed.db";

/// What is expected of a file: what is to be found where, besides what follows from it.
struct Fault {
    /// What was done to it.
    name: &'static str,
    bytes: Vec<u8>,
    code: &'static str,
    page: Option<u64>,
    offset: Option<u64>,
    /// Further codes that follow from it.
    others: &'static [&'static str],
    exit: i32,
}

impl Fault {
    /// A fault that gives one finding and nothing else.
    fn alone(
        name: &'static str,
        bytes: Vec<u8>,
        code: &'static str,
        page: u64,
        offset: u64,
    ) -> Self {
        let severity = severity_of(code);
        Self {
            name,
            bytes,
            code,
            page: Some(page),
            offset: Some(offset),
            others: &[],
            exit: match severity {
                Severity::Error => 3,
                Severity::Warning => 1,
                Severity::Info => 0,
            },
        }
    }

    /// The same fault with what follows from it.
    fn with(mut self, others: &'static [&'static str]) -> Self {
        self.others = others;
        self.exit = others.iter().fold(self.exit, |exit, other| {
            exit.max(if severity_of(other) == Severity::Error {
                3
            } else {
                exit
            })
        });
        self
    }
}

fn severity_of(code: &str) -> Severity {
    let found = Code::ALL.iter().find(|known| known.as_str() == code);
    found.unwrap_or_else(|| panic!("no code {code}")).severity()
}

fn fsck(bytes: &[u8], flags: &[&str]) -> Run {
    let scratch = Scratch::new(&format!("fsck-{:?}", std::thread::current().id()));
    let path = scratch.file("store.db", bytes);
    let path = path.to_str().unwrap();
    etcdive(["fsck", path].iter().chain(flags))
}

fn codes(rows: &[Value]) -> BTreeSet<String> {
    let code = |row: &Value| row["code"].as_str().unwrap().to_owned();
    rows.iter().map(code).collect()
}

#[track_caller]
fn assert_found(faults: Vec<Fault>) {
    assert!(!faults.is_empty());
    for fault in faults {
        let run = fsck(&fault.bytes, &["-o", "jsonl"]);
        let rows = jsonl(&run);
        let name = fault.name;
        let told = run.text();
        let mut expected: BTreeSet<String> =
            fault.others.iter().map(|code| code.to_string()).collect();
        expected.insert(fault.code.to_owned());
        assert_eq!(codes(&rows), expected, "{name}: {told}{}", run.stderr);
        let findings: Vec<_> = rows
            .iter()
            .filter(|row| row["code"] == fault.code)
            .collect();
        let place = |row: &&Value| (row["page"].as_u64(), row["offset"].as_u64());
        let is_there = findings
            .iter()
            .any(|row| place(row) == (fault.page, fault.offset));
        assert!(
            is_there,
            "{name}: not at {:?}: {told}",
            (fault.page, fault.offset)
        );
        assert_eq!(run.code, fault.exit, "{name}: {told}{}", run.stderr);
    }
}

/// A store of 40 keys, each put three times, in small pages: a tree of three levels.
fn store() -> Store {
    let mut store = Store::new(Version::V3_6);
    for version in 0..3 {
        for key in 0..40 {
            store.put(format!("key-{key:02}"), format!("value {version}"));
        }
    }
    store
}

#[test]
fn a_healthy_file_has_nothing_above_info_and_says_what_was_looked_at() {
    let mut checked = 0;
    for root in case_roots() {
        for path in files_below(&truth::healthy(&root)) {
            let is_db = path.extension().is_some_and(|extension| extension == "db");
            if !is_db && !path.ends_with("snap/db") {
                continue;
            }
            let path = path.to_str().unwrap();
            let run = etcdive(["fsck", path]);
            assert_eq!(
                (run.code, run.stderr.as_str()),
                (0, ""),
                "{path}: {}",
                run.text()
            );
            let mut lines = run.text().lines();
            let first = lines.next().unwrap();
            assert!(
                first.starts_with("OK: nothing wrong in "),
                "{path}: {first}"
            );
            assert!(
                lines.all(|line| line.starts_with("info: value-encrypted: ")),
                "{path}: {}",
                run.text()
            );
            checked += 1;
        }
    }
    println!("{checked} healthy files are sound");
    assert!(checked >= 7);
}

#[test]
fn stores_of_every_version_and_state_are_intact() {
    for version in [Version::V3_4, Version::V3_5, Version::V3_6] {
        let mut store = Store::new(version);
        store.grant(7, 60);
        for round in 0..4 {
            for key in 0..10 {
                store.put(format!("k{key}"), format!("{round}"));
            }
            store.put_leased("leased", b"v", 7);
            store.delete("k3");
            store.delete("leased");
        }
        let revision = store.revision();
        let states: [fn(&mut Store, i64); 4] = [
            |_, _| {},
            |store, at| store.compact(at),
            |store, at| store.compact(at - 7),
            |store, at| store.compact_partly(at - 3, 9),
        ];
        for (index, change) in states.iter().enumerate() {
            let mut store = store.clone();
            change(&mut store, revision);
            let run = fsck(&store.builder().build().bytes, &["-o", "jsonl"]);
            let interrupted = index == 3;
            assert_eq!(run.code, 0, "{version:?}, state {index}: {}", run.text());
            assert_eq!(run.text().contains("compaction-interrupted"), interrupted);
            assert_eq!(
                run.text().lines().count(),
                usize::from(interrupted),
                "{}",
                run.text()
            );
        }
    }
}

#[test]
fn the_text_has_the_verdict_first_then_a_line_a_finding_the_worst_first() {
    let run = etcdive(["fsck", "testdata/damaged/wrong-trailer.db"]);
    let lines: Vec<&str> = run.text().lines().collect();
    assert_eq!(run.code, 3);
    assert_eq!(
        lines[0],
        "DAMAGED: this file is damaged: records may be missing, or not be what was written"
    );
    assert!(
        lines[1].starts_with("error: trailer-mismatch: offset 20480: "),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].starts_with("warning: meta-field: page 0, offset 80: "),
        "{}",
        lines[2]
    );
    assert_eq!(
        lines[3..],
        ["1 error, 1 warning, 0 infos; `etcdive explain CODE` shows what to do"]
    );
    assert_eq!(
        run.stderr,
        "hint: `etcdive restore testdata/damaged/wrong-trailer.db --out NEW.db --allow-loss` writes what is left, and lists what is missing\n"
    );
    // What fsck prints it does not say a second time.
    let torn = etcdive(["fsck", "testdata/damaged/torn-page.db"]);
    assert!(
        torn.text()
            .starts_with("DAMAGED: this copy was taken while etcd was writing")
    );
    assert!(!torn.stderr.contains("error: "), "{}", torn.stderr);
}

#[test]
fn json_is_one_object_with_verdict_numbers_and_findings() {
    let run = etcdive(["fsck", TALK, "-o", "json"]);
    let said: Value = serde_json::from_slice(&run.stdout).unwrap();
    let expected = serde_json::json!({
        "sound": true, "verdict": "nothing wrong was found", "torn": false, "pages": 5, "pages_in_use": 1,
        "former_state_is_whole": true, "records": 5, "keys": 2, "objects": 0, "counts": [], "findings": [],
    });
    assert_eq!(said, expected);
    let torn = etcdive(["fsck", "testdata/damaged/torn-page.db", "-o", "json"]);
    let said: Value = serde_json::from_slice(&torn.stdout).unwrap();
    assert_eq!(
        (torn.code, &said["sound"], &said["torn"]),
        (3, &false.into(), &true.into())
    );
    assert!(
        said["verdict"]
            .as_str()
            .unwrap()
            .starts_with("this copy was taken while")
    );
    let counted = said["counts"].as_array().unwrap().iter();
    let counted: u64 = counted.map(|count| count["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, said["findings"].as_array().unwrap().len() as u64);
    assert!(counted > 10);
}

#[test]
fn a_flood_of_one_code_is_counted_and_reported() {
    let mut store = Store::new(Version::V3_6);
    for key in 0..150 {
        store.put_leased(&format!("key-{key:03}"), b"v", 9);
    }
    let bytes = store.builder().build().bytes;
    let table = fsck(&bytes, &[]);
    assert_eq!(table.code, 1, "{}", table.text());
    assert!(
        table.text().contains("\nwarning: lease-missing: 50 more\n"),
        "{}",
        table.text()
    );
    let rows = fsck(&bytes, &["-o", "jsonl"]);
    assert_eq!(jsonl(&rows).len(), 100);
    assert!(
        rows.stderr.contains("note: lease-missing: 50 more"),
        "{}",
        rows.stderr
    );
    let json = fsck(&bytes, &["-o", "json"]);
    let said: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(said["counts"][0]["count"], 150);
}

#[test]
fn a_layer_is_checked_alone_and_the_others_still_make_the_exit_code() {
    let whole = etcdive(["fsck", "testdata/damaged/torn-page.db", "-o", "jsonl"]);
    let all = jsonl(&whole);
    for layer in ["bbolt", "etcd", "k8s"] {
        let run = etcdive([
            "fsck",
            "testdata/damaged/torn-page.db",
            "-o",
            "jsonl",
            "--layer",
            layer,
        ]);
        let expected: BTreeSet<String> = codes(
            &all.iter()
                .filter(|row| row["layer"] == layer)
                .cloned()
                .collect::<Vec<_>>(),
        );
        // Gaps come with the walk over the records, which the pages alone do not need.
        assert_eq!(codes(&jsonl(&run)), expected, "{layer}");
        assert!(jsonl(&run).iter().all(|row| row["layer"] == layer));
        assert_eq!(run.code, 3, "{layer}");
        assert!(
            run.stderr
                .contains(" in the layers that were not asked for"),
            "{}",
            run.stderr
        );
    }
    let two = etcdive([
        "fsck", AFTER, "--layer", "bbolt", "--layer", "etcd", "-o", "json",
    ]);
    let said: Value = serde_json::from_slice(&two.stdout).unwrap();
    assert!(
        said.get("pages").is_some()
            && said.get("records").is_some()
            && said.get("objects").is_none()
    );
    let pages = etcdive(["fsck", AFTER, "--layer", "bbolt"]);
    assert_eq!(
        pages.text(),
        "OK: nothing wrong in 1080 pages (1074 in use)\n"
    );
    let objects = etcdive(["fsck", AFTER, "--layer", "k8s"]);
    assert_eq!(
        objects.text(),
        "OK: nothing wrong in 3128 records of 732 keys, 3008 values of Kubernetes\n"
    );
}

#[test]
fn another_programs_database_is_intact_and_reported_as_no_etcd_database() {
    use crate::support::synth::{Bucket, Builder, Freelist};
    let inner = Bucket::of((0..50).map(|n| (format!("k{n}"), "v".repeat(60))));
    let outer = Bucket::new().nest("inner", inner).put("a", "b");
    let image = Builder::new()
        .page_size(512)
        .bucket("things", outer)
        .freelist(Freelist::Persisted)
        .build();
    let run = fsck(&image.bytes, &["-o", "jsonl"]);
    assert_eq!(run.code, 0, "{}{}", run.text(), run.stderr);
    assert_eq!(
        codes(&jsonl(&run)),
        BTreeSet::from(["bucket-unknown".to_owned()])
    );
}

#[test]
fn keys_open_encrypted_values_to_the_check() {
    let config = "testdata/healthy/k8s-encrypted/mixed.encryption-config.yaml";
    let closed = etcdive(["fsck", MIXED, "-o", "jsonl"]);
    assert_eq!(
        codes(&jsonl(&closed)),
        BTreeSet::from(["value-encrypted".to_owned()])
    );
    let found: Vec<_> = jsonl(&closed)
        .iter()
        .map(|row| row["found"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        found,
        [
            "10 values encrypted by aescbc v1",
            "1 value encrypted by aesgcm v1"
        ]
    );
    let open = etcdive(["fsck", MIXED, "-o", "jsonl", "--encryption-config", config]);
    assert_eq!((open.code, open.text()), (0, ""));
    let scratch = Scratch::new("fsck-kms");
    let key = scratch.file("key", &[7; 32]);
    let wrong = etcdive([
        "fsck",
        MIXED,
        "-o",
        "jsonl",
        "--kms-key",
        key.to_str().unwrap(),
    ]);
    assert_eq!(wrong.code, 1, "{}", wrong.text());
    assert_eq!(
        codes(&jsonl(&wrong)),
        BTreeSet::from(["value-not-decrypted".to_owned()])
    );
}

#[test]
fn explain_has_a_text_for_every_code_and_names_near_ones() {
    let list = etcdive(["explain"]);
    assert_eq!(list.code, 0);
    for code in Code::ALL {
        let name = code.as_str();
        let run = etcdive(["explain", name]);
        let first = format!("{name}: {} (", code.severity().as_str());
        assert!(
            run.code == 0 && run.text().starts_with(&first),
            "{}",
            run.text()
        );
        assert!(
            run.text().contains("\nLost: ") && run.text().contains("\nDo: "),
            "{}",
            run.text()
        );
        assert!(
            list.text()
                .lines()
                .any(|line| line.starts_with(&format!("{name} "))),
            "{name}"
        );
    }
    assert_eq!(list.text().lines().count(), Code::ALL.len() + 1);
    let near = etcdive(["explain", "page-id-missmatch"]);
    assert_eq!((near.code, near.text()), (2, ""));
    assert!(
        near.stderr.contains("hint: did you mean page-id-mismatch"),
        "{}",
        near.stderr
    );
    let far = etcdive(["explain", "xyz"]);
    assert!(
        far.code == 2 && far.stderr.contains("lists all codes"),
        "{}",
        far.stderr
    );
}
