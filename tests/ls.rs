//! `ls`: what it counts, leaves out and sorts equals what plain scans of the recorded keys and of the records give.

use std::collections::BTreeMap;
use std::path::Path;

use etcdive::bbolt::Direction;
use etcdive::diag::Diagnostics;
use etcdive::etcd::Store as Opened;
use etcdive::query::glob;
use etcdive::query::key_list::{Custom, KeyFilters};
use etcdive::query::select::{LabelSelector, Which};
use etcdive::source::Source;
use regex::bytes::Regex;
use serde_json::{Value, json};

use crate::support::library::{Database, Listing, Refused, which, which_in};
use crate::support::synth::etcd::{Store, Version};
use crate::support::{Scratch, etcdive, testdata, without_object};

fn after() -> String {
    let path = testdata("healthy/k8s/after.db");
    path.to_str().unwrap().to_owned()
}

/// Standard output of a run that answers.
#[track_caller]
fn ls_of(db: &str, arguments: &[&str]) -> String {
    let run = etcdive(["ls", db].iter().chain(arguments));
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
    run.text().to_owned()
}

#[track_caller]
fn ls(arguments: &[&str]) -> String {
    ls_of(&after(), arguments)
}

/// The keys that addresses and filters choose, as of a revision or the newest.
fn keys_at(db: &str, which: Which, at: &str, filters: KeyFilters) -> Result<Vec<String>, Refused> {
    Database::open(db).keys(&Listing { which, at, filters })
}

/// The live keys that filters choose.
fn filtered(filters: KeyFilters) -> Result<Vec<String>, Refused> {
    keys_at(&after(), Which::default(), "", filters)
}

/// How many keys each resource has, or each namespace.
fn counted(db: &str, which: Which, in_namespaces: bool) -> Result<Vec<Value>, Refused> {
    let filters = KeyFilters {
        counted: true,
        in_namespaces,
        ..KeyFilters::default()
    };
    Database::open(db).counts(&Listing {
        which,
        at: "",
        filters,
    })
}

fn modified_since(revision: &str) -> KeyFilters {
    KeyFilters {
        modified_since: Some(revision.parse().unwrap()),
        ..KeyFilters::default()
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn json_lines(text: &str) -> Vec<Value> {
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
    rows.collect()
}

/// A live key, as etcd listed it.
struct Listed {
    key: String,
    create_revision: i64,
    mod_revision: i64,
    version: i64,
    size: u64,
}

fn listed() -> Vec<Listed> {
    let text = std::fs::read_to_string(testdata("healthy/k8s/after.keys.tsv")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let cells: Vec<_> = line.split('\t').collect();
        Listed {
            key: cells[0].to_owned(),
            create_revision: cells[1].parse().unwrap(),
            mod_revision: cells[2].parse().unwrap(),
            version: cells[3].parse().unwrap(),
            size: cells[5].parse().unwrap(),
        }
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    assert!(rows.len() > 500);
    rows
}

fn keys_where(wanted: impl Fn(&Listed) -> bool) -> Vec<String> {
    let rows = listed().into_iter().filter(wanted);
    rows.map(|row| row.key).collect()
}

/// Of each key the last record at or below a revision: its revision, and whether it is a deletion.
fn last_records(db: &str, at: i64) -> BTreeMap<String, (i64, bool)> {
    let (source, diagnostics) = (Source::open(Path::new(db)).unwrap(), Diagnostics::new());
    let store = Opened::open(&source, &diagnostics).unwrap();
    let mut last = BTreeMap::new();
    for record in store.records(Direction::Forward) {
        if record.revision.main <= at {
            let key = String::from_utf8(record.key.to_vec()).unwrap();
            last.insert(key, (record.revision.main, record.tombstone));
        }
    }
    last
}

fn deleted(db: &str, at: i64) -> Vec<(String, i64)> {
    let last = last_records(db, at).into_iter();
    let deleted = last.filter(|(_, (_, tombstone))| *tombstone);
    deleted.map(|(key, (main, _))| (key, main)).collect()
}

#[test]
fn the_kinds_are_counted_as_the_folders_are() {
    let mut folders: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let rows = listed();
    for row in &rows {
        let parts: Vec<_> = row.key.split('/').collect();
        let grouped = parts[2].contains('.') || ["services", "leases"].contains(&parts[2]);
        let folder = if grouped && parts.len() > 4 && parts[2] != "leases" {
            parts[2..4].join("/")
        } else {
            parts[2].to_owned()
        };
        let (keys, bytes) = folders.entry(folder).or_default();
        *keys += 1;
        *bytes += row.size;
    }
    let counts = counted(&after(), Which::default(), false).unwrap();
    let order: Vec<_> = counts
        .iter()
        .map(|row| {
            let keys = row["keys"].as_u64().unwrap();
            (std::cmp::Reverse(keys), row["resource"].as_str().unwrap())
        })
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    let total = |name: &str| -> u64 { counts.iter().map(|row| row[name].as_u64().unwrap()).sum() };
    assert_eq!(total("keys"), rows.len() as u64);
    assert_eq!(
        total("value_bytes"),
        rows.iter().map(|row| row.size).sum::<u64>()
    );
    for (resource, kind, folder) in [
        ("events", "Event", "events"),
        (
            "clusterroles.rbac.authorization.k8s.io",
            "ClusterRole",
            "clusterroles",
        ),
        ("deployments.apps", "Deployment", "deployments"),
        ("nodes", "Node", "minions"),
        ("services", "Service", "services/specs"),
        ("endpoints", "Endpoints", "services/endpoints"),
        (
            "apiservices.apiregistration.k8s.io",
            "APIService",
            "apiregistration.k8s.io/apiservices",
        ),
        (
            "books.library.example.com",
            "Book",
            "library.example.com/books",
        ),
    ] {
        let row = counts.iter().find(|row| row["resource"] == resource);
        let row = row.unwrap_or_else(|| panic!("{resource}"));
        let (keys, bytes) = folders[folder];
        let custom = resource
            .contains("example.com")
            .then_some(Value::Bool(true));
        assert_eq!(row["kind"], kind);
        assert_eq!(row["keys"], keys, "{resource}");
        assert_eq!(row["value_bytes"], bytes, "{resource}");
        assert_eq!(row.get("custom"), custom.as_ref(), "{resource}");
    }
    // Narrowed.
    let rows = counted(&after(), which_in(&["pods,deploy"], &["prod"]), false).unwrap();
    let pods = keys_where(|row| row.key.starts_with("/registry/pods/prod/")).len();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["resource"], "pods");
    assert_eq!(rows[0]["keys"], pods);
}

#[test]
fn the_counts_of_kinds_are_printed_as_json_as_a_table_and_as_names() {
    let counted = counted(&after(), Which::default(), false).unwrap();
    assert!(counted.len() > 20);
    assert_eq!(json_lines(&ls(&["--kinds", "-o", "jsonl"])), counted);
    let table = lines(&ls(&["--kinds"]));
    let cells: Vec<Vec<_>> = table
        .iter()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(cells[0], ["RESOURCE", "KIND", "KEYS", "VALUE", "BYTES"]);
    assert_eq!(table.len(), counted.len() + 1);
    for (cells, row) in cells[1..].iter().zip(&counted) {
        let number = |name: &str| row[name].to_string();
        assert_eq!(cells[0], row["resource"]);
        assert_eq!(cells[1], row["kind"]);
        assert_eq!(cells[2..], [number("keys"), number("value_bytes")]);
    }
    let names: Vec<_> = cells[1..].iter().map(|cells| cells[0]).collect();
    assert_eq!(lines(&ls(&["--kinds", "-o", "name"])), names);
    // Limited and turned round.
    let last = ls(&["--kinds", "--reverse", "--limit", "1", "-o", "name"]);
    assert_eq!(last.trim_end(), *names.last().unwrap());
}

#[test]
fn what_is_of_no_known_resource_is_counted_by_its_folder() {
    let mut store = Store::new(Version::V3_6);
    store.put(
        "/registry/configmaps/a/b",
        r#"{"apiVersion":"v1","kind":"ConfigMap"}"#,
    );
    store.put("/registry/mystery/a/b", "12");
    store.put("/registry/mystery/c", "345");
    store.put("/calico/ipam/x", "6");
    store.put("compact_rev_key", "7");
    store.put(b"\xff/x".to_vec(), "8");
    let scratch = Scratch::new("ls-folders");
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    assert_eq!(
        json_lines(&ls_of(db, &["--kinds", "-o", "jsonl"])),
        [
            json!({"folder": "/registry/mystery/", "keys": 2, "value_bytes": 5}),
            json!({"resource": "configmaps", "kind": "ConfigMap", "keys": 1, "value_bytes": 38}),
            json!({"folder": "", "keys": 1, "value_bytes": 1}),
            json!({"folder": "/calico/", "keys": 1, "value_bytes": 1}),
            json!({"folder_base64": "/y8=", "keys": 1, "value_bytes": 1}),
        ]
    );
    assert_eq!(
        ls_of(db, &["--kinds"]),
        "RESOURCE            KIND       KEYS  VALUE BYTES\n\
         /registry/mystery/  -             2            5\n\
         configmaps          ConfigMap     1           38\n\
         (no folder)         -             1            1\n\
         /calico/            -             1            1\n\
         \\xff/               -             1            1\n"
    );
}

#[test]
fn the_keys_in_every_namespace_are_counted() {
    let truth = listed();
    let in_namespace = |name: &str| {
        let is_in = |row: &&Listed| {
            let parts: Vec<_> = row.key.split('/').collect();
            let end = parts.len() - 2;
            // A Namespace and an IP address are in none.
            end > 2 && parts[2..].len() > 2 && parts[end] == name
        };
        let rows: Vec<_> = truth.iter().filter(is_in).collect();
        let bytes: u64 = rows.iter().map(|row| row.size).sum();
        json!({"namespace": name, "keys": rows.len(), "value_bytes": bytes})
    };
    let mut expected = Vec::new();
    for row in &truth {
        if let Some(name) = row.key.strip_prefix("/registry/namespaces/") {
            expected.push(in_namespace(name));
        }
    }
    let counts = counted(&after(), Which::default(), true).unwrap();
    assert_eq!(counts, expected);
    let of_prod = counted(&after(), which_in(&["pods"], &["prod"]), true).unwrap();
    let pods = keys_where(|row| row.key.starts_with("/registry/pods/prod/")).len();
    assert_eq!(of_prod.len(), 1);
    assert_eq!(of_prod[0]["keys"], pods);
    let none = counted(&after(), which(&["nodes"]), true).unwrap_err();
    assert_eq!(none.code, 1);
}

#[test]
fn the_counts_of_namespaces_are_printed_as_json_and_as_a_table() {
    let expected = counted(&after(), Which::default(), true).unwrap();
    assert!(expected.len() > 5);
    let counted = json_lines(&ls(&["--namespaces", "-o", "jsonl"]));
    assert_eq!(counted, expected);
    let table = lines(&ls(&["--namespaces"]));
    assert_eq!(
        table[0].split_whitespace().collect::<Vec<_>>(),
        ["NAMESPACE", "KEYS", "VALUE", "BYTES"]
    );
    assert_eq!(table.len(), expected.len() + 1);
    let none = etcdive(["ls", &after(), "nodes", "--namespaces"]);
    assert_eq!((none.code, none.text()), (1, ""));
}

#[test]
fn custom_resources_are_distinguished_from_built_in_ones() {
    let of = |folder: &str| {
        let prefix = format!("/registry/library.example.com/{folder}");
        keys_where(|row| row.key.starts_with(&prefix))
    };
    assert!(of("").len() > of("books/").len());
    let custom = |custom: Custom| {
        filtered(KeyFilters {
            custom: Some(custom),
            ..KeyFilters::default()
        })
    };
    let named = |name: &str| custom(Custom::Named(name.to_owned()));
    assert_eq!(custom(Custom::Any).unwrap(), of(""));
    for name in ["books", "Book", "bk", "books.library.example.com"] {
        assert_eq!(named(name).unwrap(), of("books/"), "{name}");
    }
    let unknown = named("pods").unwrap_err();
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.text.contains("unknown custom resource \"pods\""),
        "{}",
        unknown.text
    );
}

#[test]
fn the_name_of_a_custom_resource_comes_after_an_equals_sign() {
    let all = lines(&ls(&["--custom"]));
    let books = lines(&ls(&["--custom=books"]));
    assert!(!books.is_empty() && all.len() > books.len());
    assert_eq!(lines(&ls(&["--custom", "books"])), books);
    let built_in = etcdive(["ls", &after(), "--custom", "pods"]);
    assert_eq!((built_in.code, built_in.text()), (1, ""));
    assert!(
        built_in.stderr.contains("--custom=NAME"),
        "{}",
        built_in.stderr
    );
}

#[test]
fn keys_are_searched_by_glob_and_by_regular_expression() {
    let filters = |glob: Option<&str>, regex: Option<&str>| KeyFilters {
        glob: glob.map(|glob| glob::compile(glob).unwrap()),
        regex: regex.map(|regex| Regex::new(regex).unwrap()),
        ..KeyFilters::default()
    };
    let glob = filtered(filters(Some("/registry/*/prod/web*"), None)).unwrap();
    let expected = keys_where(|row| row.key.contains("/prod/web"));
    assert_eq!(glob, expected);
    assert!(!expected.is_empty());
    let one = filtered(filters(Some("/registry/pods/prod/db-?"), None)).unwrap();
    let expected = keys_where(|row| {
        let rest = row.key.strip_prefix("/registry/pods/prod/db-");
        rest.is_some_and(|rest| rest.len() == 1)
    });
    assert_eq!(one, expected);
    assert!(!expected.is_empty());
    let regex = filtered(filters(None, Some("/web-[0-9a-z]+-[0-9a-z]{5}$"))).unwrap();
    let expected = keys_where(|row| {
        let name = row.key.rsplit('/').next().unwrap();
        let parts: Vec<_> = name.split('-').collect();
        parts.len() == 3 && parts[0] == "web" && parts[2].len() == 5
    });
    assert_eq!(regex, expected);
    assert!(!expected.is_empty());
    // Both, and an address.
    let both = filters(Some("*/prod/*"), Some("/db-"));
    let both = keys_at(&after(), which(&["pods"]), "", both).unwrap();
    let expected = keys_where(|row| row.key.starts_with("/registry/pods/prod/db-"));
    assert_eq!(both, expected);
    let nothing = filtered(filters(Some("registry"), None)).unwrap_err();
    assert_eq!(nothing.code, 1);
}

#[test]
fn a_glob_and_a_regular_expression_are_taken_with_an_address() {
    let both = ls(&["pods", "--match", "*/prod/*", "--regex", "/db-"]);
    let expected = keys_where(|row| row.key.starts_with("/registry/pods/prod/db-"));
    assert!(!expected.is_empty());
    assert_eq!(lines(&both), expected);
    let nothing = etcdive(["ls", &after(), "--match", "registry"]);
    assert_eq!((nothing.code, nothing.text()), (1, ""));
    let wrong = etcdive(["ls", &after(), "--regex", "("]);
    assert_eq!((wrong.code, wrong.text()), (2, ""));
}

#[test]
fn keys_are_sorted_and_limited() {
    type By = fn(&Listed) -> i64;
    let orders: [(&str, By); 4] = [
        ("mod", |row| row.mod_revision),
        ("create", |row| row.create_revision),
        ("version", |row| row.version),
        ("size", |row| row.size as i64),
    ];
    let all = keys_where(|_| true);
    assert_eq!(lines(&ls(&["--sort", "key"])), all);
    assert_eq!(lines(&ls(&["--limit", "7"])), all[..7]);
    assert_eq!(ls(&["--limit", "0"]), "");
    let backward: Vec<_> = all.iter().rev().cloned().collect();
    assert_eq!(lines(&ls(&["--reverse"])), backward);
    for (name, by) in orders {
        let truth = listed();
        let of = |key: &String| by(truth.iter().find(|row| row.key == *key).unwrap());
        let sorted = lines(&ls(&["--sort", name]));
        assert_ne!(sorted, all);
        // Falling, and where it is equal by key.
        let pairs: Vec<_> = sorted.iter().map(|key| (-of(key), key)).collect();
        assert!(pairs.is_sorted(), "{name}");
        assert_eq!(pairs.len(), all.len());
        let newest = lines(&ls(&["--sort", name, "--limit", "5"]));
        assert_eq!(newest, sorted[..5], "{name}");
        let last = lines(&ls(&["--sort", name, "--reverse", "--limit", "5"]));
        let backward: Vec<_> = sorted.iter().rev().take(5).cloned().collect();
        assert_eq!(last, backward, "{name}");
    }
}

#[test]
fn keys_modified_since_a_revision_are_those_with_a_later_record() {
    let newest = listed().iter().map(|row| row.mod_revision).max().unwrap();
    let before = newest - 40;
    let since = |revision: i64| keys_where(|row| row.mod_revision > revision);
    assert!(!since(before).is_empty() && since(before).len() < since(0).len());
    let text = before.to_string();
    assert_eq!(filtered(modified_since(&text)).unwrap(), since(before));
    // By the flag.
    assert_eq!(lines(&ls(&["--modified-since", &text])), since(before));
    let head: i64 = last_records(&after(), i64::MAX)
        .values()
        .map(|(main, _)| *main)
        .max()
        .unwrap();
    let (back, revision) = (format!("@~{}", head - before), before.to_string());
    assert_eq!(
        filtered(modified_since(&back)).unwrap(),
        filtered(modified_since(&revision)).unwrap()
    );
    // As of an older revision.
    let at = (head - 20).to_string();
    let live = last_records(&after(), head - 20).into_iter();
    let expected: Vec<_> = live
        .filter(|(_, (main, tombstone))| *main > before && !tombstone)
        .map(|(key, _)| key)
        .collect();
    assert_eq!(
        keys_at(&after(), Which::default(), &at, modified_since(&revision)).unwrap(),
        expected
    );
    // What was deleted since.
    let expected = deleted(&after(), i64::MAX).into_iter();
    let expected: Vec<_> = expected.filter(|(_, main)| *main > 700).collect();
    assert!(!expected.is_empty() && expected.len() < deleted(&after(), i64::MAX).len());
    let keys: Vec<_> = expected.into_iter().map(|(key, _)| key).collect();
    let deleted = KeyFilters {
        deleted: true,
        ..modified_since("700")
    };
    assert_eq!(filtered(deleted).unwrap(), keys);
    assert_eq!(filtered(modified_since("@")).unwrap_err().code, 1);
    let future = filtered(modified_since("999999")).unwrap_err();
    assert_eq!(future.code, 2);
    assert!(future.text.contains("future revision"), "{}", future.text);
}

#[test]
fn a_part_of_a_transaction_can_be_since_when() {
    use crate::support::synth::etcd::put;
    let mut store = Store::new(Version::V3_6);
    let main = store.txn(&[put("a", "1"), put("b", "2"), put("c", "3")]);
    let scratch = Scratch::new("ls-since");
    let db = scratch.file("db", &store.builder().build().bytes);
    let since = format!("{main}.1");
    let db = db.to_str().unwrap();
    assert_eq!(
        keys_at(db, Which::default(), "", modified_since(&since)).unwrap(),
        ["c"]
    );
}

#[test]
fn keys_modified_since_a_compacted_revision_are_known_all_the_same() {
    let mut store = Store::new(Version::V3_6);
    let old = store.put("old", "1");
    let new = store.put("new", "1");
    store.put("other", "1");
    store.compact(new + 1);
    let scratch = Scratch::new("ls-compacted");
    let db = scratch.file("db", &store.builder().build().bytes);
    let since = modified_since(&old.to_string());
    assert_eq!(
        keys_at(db.to_str().unwrap(), Which::default(), "", since).unwrap(),
        ["new", "other"]
    );
}

#[test]
fn deleted_keys_are_those_whose_last_record_is_a_deletion() {
    let all = deleted(&after(), i64::MAX);
    assert!(all.len() > 3);
    let keys: Vec<_> = all.iter().map(|(key, _)| key.clone()).collect();
    let gone = |which: Which, at: &str| {
        let filters = KeyFilters {
            deleted: true,
            ..KeyFilters::default()
        };
        keys_at(&after(), which, at, filters)
    };
    assert_eq!(gone(Which::default(), "").unwrap(), keys);
    // As of the revision before the newest of these deletions.
    let newest = all.iter().map(|(_, main)| *main).max().unwrap();
    let earlier: Vec<_> = deleted(&after(), newest - 1)
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_ne!(earlier, keys);
    let at = (newest - 1).to_string();
    assert_eq!(gone(Which::default(), &at).unwrap(), earlier);
    let folder: Vec<_> = keys.iter().filter(|key| key.contains("/pods/")).collect();
    assert!(!folder.is_empty());
    let pods = gone(which(&["pods"]), "").unwrap();
    assert_eq!(pods.iter().collect::<Vec<_>>(), folder);
    let live = gone(which(&["deploy/web"]), "").unwrap_err();
    assert_eq!(live.code, 1);
    assert!(
        live.text
            .contains("no retained deletion: deploy/web exists"),
        "{}",
        live.text
    );
}

#[test]
fn deleted_keys_are_printed_with_their_deletions() {
    let all = deleted(&after(), i64::MAX);
    let json: Vec<_> = all
        .iter()
        .map(|(key, main)| json!({"key": key, "deleted_at": main}))
        .collect();
    let listed = without_object(&ls(&["--deleted", "-o", "jsonl"]));
    assert_eq!(json_lines(&listed), json);
    let newest = all.iter().map(|(_, main)| *main).max().unwrap();
    let last = ls(&["--deleted", "--sort", "mod", "--limit", "1", "-o", "jsonl"]);
    assert_eq!(json_lines(&last)[0]["deleted_at"], newest);
    let by_size = etcdive(["ls", &after(), "--deleted", "--sort", "size"]);
    assert_eq!((by_size.code, by_size.text()), (2, ""));
}

#[test]
fn labels_of_a_deleted_object_are_those_of_its_last_put() {
    let object = |app: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"x","labels":{{"app":"{app}"}}}}}}"#
        )
    };
    let mut store = Store::new(Version::V3_6);
    for name in ["a", "b", "c"] {
        store.put(format!("/registry/configmaps/shop/{name}"), object("web"));
    }
    store.put("/registry/configmaps/shop/b", object("db"));
    for name in ["a", "b"] {
        store.delete(format!("/registry/configmaps/shop/{name}"));
    }
    let scratch = Scratch::new("ls-deleted-labels");
    let db = Database::open(scratch.file("db", &store.builder().build().bytes));
    let deleted_with = |db: &Database, labels: &str| {
        db.keys(&Listing {
            which: Which {
                labels: Some(LabelSelector::parse(labels).unwrap()),
                ..which(&["cm"])
            },
            at: "",
            filters: KeyFilters {
                deleted: true,
                ..KeyFilters::default()
            },
        })
    };
    for (app, key) in [("web", "a"), ("db", "b")] {
        let found = deleted_with(&db, &format!("app={app}")).unwrap();
        assert_eq!(found, [format!("/registry/configmaps/shop/{key}")]);
    }
    // Of a deletion at the compacted revision nothing is left but itself.
    store.compact(store.revision());
    let db = scratch.file("db2", &store.builder().build().bytes);
    // By the flag too.
    let run = etcdive(["ls", db.to_str().unwrap(), "--deleted", "-l", "app=db"]);
    assert_eq!((run.code, run.text()), (1, ""));
    assert!(
        run.stderr.contains("no put of 1 deleted key is retained"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_namespace_with_nothing_in_it_is_named_too() {
    let mut store = Store::new(Version::V3_6);
    store.put(
        "/registry/namespaces/empty",
        r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"empty"}}"#,
    );
    let scratch = Scratch::new("ls-empty-namespace");
    let db = scratch.file("db", &store.builder().build().bytes);
    let counts = counted(db.to_str().unwrap(), Which::default(), true).unwrap();
    let expected = json!({"namespace": "empty", "keys": 0, "value_bytes": 0});
    assert_eq!(counts, [expected]);
}
