//! The printed changes between two databases, applied to the old one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use etcdive::diag::Diagnostics;
use etcdive::etcd::{Keyspace, Store};
use etcdive::k8s::diff::{FieldChange, apply, tree};
use etcdive::k8s::object::tree_of;
use etcdive::source::Source;
use serde_json::Value;

use super::healthy;
use crate::support::{etcdive, testdata};

/// Of each live key its counters: create_revision, mod_revision.
fn keys_of(name: &str) -> BTreeMap<String, (i64, i64)> {
    let text = std::fs::read_to_string(testdata(name)).unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let number = |index: usize| columns[index].parse().unwrap();
            (columns[0].to_owned(), (number(1), number(2)))
        })
        .collect()
}

/// What changed between the two clusters, by the lists that etcd itself gave of their keys.
fn expected_changes() -> BTreeMap<String, &'static str> {
    let old = keys_of("healthy/k8s/before.keys.tsv");
    let new = keys_of("healthy/k8s/after.keys.tsv");
    let mut changes = BTreeMap::new();
    for key in old.keys().chain(new.keys()) {
        let change = match (old.get(key), new.get(key)) {
            (None, _) => "created",
            (_, None) => "deleted",
            (Some((before, _)), Some((after, _))) if before != after => "recreated",
            (Some((_, before)), Some((_, after))) if before != after => "changed",
            _ => continue,
        };
        changes.insert(key.clone(), change);
    }
    changes
}

/// The live objects of a database, as stored.
fn objects_of(name: &str) -> BTreeMap<String, Value> {
    let (source, diagnostics) = (Source::open(testdata(name)).unwrap(), Diagnostics::new());
    let store = Store::open(&source, &diagnostics).unwrap();
    let keyspace = Keyspace::at(&store, store.at(None).unwrap(), |_| true);
    keyspace
        .live
        .iter()
        .map(|entry| {
            let record = entry.record;
            let key = String::from_utf8(record.key.to_vec()).unwrap();
            (key, tree_of(record.value).unwrap().0)
        })
        .collect()
}

/// Applies one line of `diff -o jsonl` to the objects.
fn apply_line(line: &Value, objects: &mut BTreeMap<String, Value>) {
    let key = line["key"].as_str().unwrap();
    let fields: Vec<FieldChange> = line["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| FieldChange::from_value(field).unwrap())
        .collect();
    match line["change"].as_str().unwrap() {
        "created" => {
            assert!(
                fields.len() == 1 && fields[0].path.to_string().is_empty(),
                "{key}"
            );
            let known = objects.insert(key.to_owned(), fields[0].new.clone().unwrap());
            assert!(known.is_none(), "{key}");
        }
        "deleted" => {
            assert!(
                fields.len() == 1 && fields[0].path.to_string().is_empty(),
                "{key}"
            );
            let known = objects.remove(key).unwrap();
            assert!(
                tree::equal(&known, fields[0].old.as_ref().unwrap()),
                "{key}"
            );
        }
        "recreated" | "changed" => {
            let applied = apply(&objects[key], &fields).unwrap();
            objects.insert(key.to_owned(), applied);
        }
        other => panic!("{key}: {other}"),
    }
}

#[test]
fn the_printed_changes_make_the_new_cluster_of_the_old_one() {
    let run = etcdive([
        "diff",
        "-o",
        "jsonl",
        "--show-managed-fields",
        "--show-secrets",
        "testdata/healthy/k8s/before.db",
        "testdata/healthy/k8s/after.db",
    ]);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let lines: Vec<Value> = run
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let expected = expected_changes();
    let printed: BTreeMap<String, &str> = lines
        .iter()
        .map(|line| {
            (
                line["key"].as_str().unwrap().to_owned(),
                line["change"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!((printed.len(), &printed), (lines.len(), &expected));
    let of = |kinds: &[&str]| {
        expected
            .values()
            .filter(|kind| kinds.contains(kind))
            .count()
    };
    let counts = (
        of(&["created"]),
        of(&["deleted"]),
        of(&["changed", "recreated"]),
    );
    assert_eq!(counts, (58, 91, 38));
    let recreated: Vec<&str> = expected
        .iter()
        .filter(|(_, kind)| **kind == "recreated")
        .map(|(key, _)| &**key)
        .collect();
    assert_eq!(
        recreated,
        [
            "/registry/configmaps/prod/frozen",
            "/registry/pods/prod/db-1"
        ]
    );
    let mut objects = objects_of("healthy/k8s/before.db");
    lines.iter().for_each(|line| apply_line(line, &mut objects));
    let new = objects_of("healthy/k8s/after.db");
    assert_eq!(
        objects.keys().collect::<Vec<_>>(),
        new.keys().collect::<Vec<_>>()
    );
    for (key, object) in &new {
        assert!(tree::equal(&objects[key], object), "{key}");
    }
    println!("{} changes, {} objects equal", lines.len(), new.len());
    assert!(new.len() > 100);
}

#[test]
fn a_database_does_not_differ_from_itself_nor_from_its_snapshot() {
    let mut pairs: Vec<(PathBuf, PathBuf)> = healthy()
        .into_iter()
        .map(|path| (path.clone(), path))
        .collect();
    pairs.push((
        testdata("healthy/talk/3.6/01-talk.live.db"),
        testdata("healthy/talk/3.6/01-talk.snapshot.db"),
    ));
    for (old, new) in &pairs {
        for format in [
            &[][..],
            &["-o", "unified"],
            &["-o", "jsonl"],
            &["--name-only"],
        ] {
            let mut arguments = vec!["diff", old.to_str().unwrap(), new.to_str().unwrap()];
            arguments.extend(format);
            let run = etcdive(&arguments);
            let nothing = (0, 0, "");
            let got = (run.code, run.stdout.len(), run.stderr.as_str());
            assert_eq!(got, nothing, "{arguments:?}");
        }
    }
    assert!(pairs.len() > 6);
}
