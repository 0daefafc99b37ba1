//! The tables of `kubectl get`, as kubectl and the API server's own printers made them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use etcdive::diag::Diagnostics;
use etcdive::etcd::{Keyspace, Store};
use etcdive::k8s::columns::{Clock, Column, builtin};
use etcdive::k8s::object::tree_of;
use etcdive::source::Source;
use etcdive::view::kubectl_table::{KubectlTable, Options};
use serde_json::{Value, json};

use crate::support::random::Random;
use crate::support::{case_roots, files_below, repository, testdata};

/// The tables were recorded within an hour from here: 2026-11-20T22:00:00Z.
const BEFORE: i64 = 1_795_212_000;

/// In seconds.
const SPAN: i64 = 3600;

/// The recorded resources: the name in the file, the group and the kind.
const RESOURCES: [(&str, &str, &str); 33] = [
    ("apiservices", "apiregistration.k8s.io", "APIService"),
    (
        "clusterrolebindings",
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
    ),
    ("clusterroles", "rbac.authorization.k8s.io", "ClusterRole"),
    ("configmaps", "", "ConfigMap"),
    ("crds", "apiextensions.k8s.io", "CustomResourceDefinition"),
    ("cronjobs", "batch", "CronJob"),
    ("daemonsets", "apps", "DaemonSet"),
    ("deployments", "apps", "Deployment"),
    ("endpoints", "", "Endpoints"),
    ("endpointslices", "discovery.k8s.io", "EndpointSlice"),
    ("events", "", "Event"),
    (
        "horizontalpodautoscalers",
        "autoscaling",
        "HorizontalPodAutoscaler",
    ),
    ("ingresses", "networking.k8s.io", "Ingress"),
    ("jobs", "batch", "Job"),
    ("leases", "coordination.k8s.io", "Lease"),
    ("namespaces", "", "Namespace"),
    ("networkpolicies", "networking.k8s.io", "NetworkPolicy"),
    ("nodes", "", "Node"),
    ("poddisruptionbudgets", "policy", "PodDisruptionBudget"),
    ("pods", "", "Pod"),
    ("priorityclasses", "scheduling.k8s.io", "PriorityClass"),
    ("pv", "", "PersistentVolume"),
    ("pvc", "", "PersistentVolumeClaim"),
    ("replicasets", "apps", "ReplicaSet"),
    ("replicationcontrollers", "", "ReplicationController"),
    ("resourcequotas", "", "ResourceQuota"),
    ("rolebindings", "rbac.authorization.k8s.io", "RoleBinding"),
    ("roles", "rbac.authorization.k8s.io", "Role"),
    ("secrets", "", "Secret"),
    ("serviceaccounts", "", "ServiceAccount"),
    ("services", "", "Service"),
    ("statefulsets", "apps", "StatefulSet"),
    ("storageclasses", "storage.k8s.io", "StorageClass"),
];

/// Recorded files that are no table of a built-in kind.
const OTHERS: [&str; 7] = [
    "get-books.library.example.com.txt",
    "get-pods.custom-columns.txt",
    "get-pods.field-selector.txt",
    "get-pods.jsonpath.txt",
    "get-pods.label-app.txt",
    "get-pods.name.txt",
    "get-shelves.library.example.com.txt",
];

/// The live objects of a database in key order, by group and kind.
fn objects_of(db: &Path) -> BTreeMap<(String, String), Vec<Value>> {
    let (source, diagnostics) = (Source::open(db).unwrap(), Diagnostics::new());
    let store = Store::open(&source, &diagnostics).unwrap();
    let keyspace = Keyspace::at(&store, store.at(None).unwrap(), |_| true);
    let mut objects: BTreeMap<_, Vec<Value>> = BTreeMap::new();
    for entry in keyspace.live {
        let Ok((tree, _)) = tree_of(entry.record.value) else {
            continue;
        };
        // The leases of API servers are Endpoints without a name.
        if tree["metadata"]["name"].as_str().is_none_or(str::is_empty) {
            continue;
        }
        let text = |name: &str| tree[name].as_str().unwrap_or_default().to_owned();
        let version = text("apiVersion");
        let group = version.rsplit_once('/').map_or("", |v| v.0).to_owned();
        objects.entry((group, text("kind"))).or_default().push(tree);
    }
    objects
}

fn table_of(group: &str, kind: &str, objects: &[Value], now: i64, options: Options<'_>) -> String {
    let table = builtin(group, kind);
    let mut out = KubectlTable::new(table.columns, options);
    for object in objects {
        let cells = (table.cells)(object, Clock { now: Some(now) });
        assert_eq!(cells.len(), table.columns.len(), "{kind}");
        out.push(object, &cells);
    }
    out.text()
}

/// The moments at which the ages of the first object are those of the first recorded row.
fn moments(group: &str, kind: &str, objects: &[Value], recorded: &str) -> Vec<i64> {
    let table = builtin(group, kind);
    let row: Vec<&str> = recorded
        .lines()
        .nth(1)
        .unwrap()
        .split("  ")
        .map(str::trim)
        .collect();
    let ages: Vec<usize> = (0..table.columns.len())
        .filter(|index| {
            let column = &table.columns[*index];
            ["Age", "Last Seen"].contains(&column.name.as_ref()) && !column.wide
        })
        .collect();
    if ages.is_empty() {
        return vec![BEFORE];
    }
    (BEFORE..BEFORE + SPAN)
        .filter(|now| {
            let cells = (table.cells)(&objects[0], Clock { now: Some(*now) });
            ages.iter()
                .all(|index| row.contains(&cells[*index].as_str()))
        })
        .collect()
}

/// Folders of recorded tables, each with its database.
fn recorded_folders() -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for root in case_roots() {
        let folder = root.join("reference/k8s-1.35/after/kubectl");
        let databases = files_below(&root);
        let mut databases = databases
            .iter()
            .filter(|path| path.ends_with("k8s/after.db"));
        let db = databases.next().unwrap().clone();
        assert!(folder.is_dir(), "{}", folder.display());
        found.push((folder, db));
    }
    found
}

/// Nothing is masked: for each recorded file there is a moment at which our text is the same, ages
/// and all.
#[test]
fn tables_are_those_that_kubectl_printed() {
    let mut compared = 0;
    for (folder, db) in recorded_folders() {
        let objects = objects_of(&db);
        let mut in_folder = 0;
        for path in files_below(&folder) {
            let file = path.file_name().unwrap().to_str().unwrap();
            if !file.starts_with("get-") || OTHERS.contains(&file) {
                continue;
            }
            let name = file.trim_start_matches("get-").trim_end_matches(".txt");
            let (resource, form) = name.split_once('.').unwrap_or((name, ""));
            let (_, group, kind) = RESOURCES
                .iter()
                .find(|(name, _, _)| *name == resource)
                .unwrap_or_else(|| panic!("{file}: which kind?"));
            let text = std::fs::read_to_string(&path).unwrap();
            // Standard error was recorded with the rest.
            let recorded: String = text
                .split_inclusive('\n')
                .filter(|line| !line.starts_with("Warning: "))
                .collect();
            let options = Options {
                namespace: recorded.starts_with("NAMESPACE"),
                wide: form == "wide",
                show_labels: form == "show-labels",
                ..Options::default()
            };
            assert!(["", "wide", "show-labels"].contains(&form), "{file}");
            let objects = &objects[&((*group).to_owned(), (*kind).to_owned())];
            let moments = moments(group, kind, objects, &recorded);
            let ours = |now| table_of(group, kind, objects, now, options);
            if !moments.iter().any(|now| ours(*now) == recorded) {
                let now = moments.first().copied().unwrap_or(BEFORE);
                panic!("{file}\n--- kubectl\n{recorded}--- ours\n{}", ours(now));
            }
            in_folder += 1;
        }
        assert!(in_folder >= 60, "{}: {in_folder} tables", folder.display());
        compared += in_folder;
    }
    assert!(compared > 0);
}

/// The moment at which the API server's printers were run: 2000-01-01T00:00:00Z.
const PRINTED_AT: i64 = 946_684_800;

/// ETCDIVE_COLUMNS names a bigger set, made in the same way.
#[test]
fn cells_are_those_of_the_api_servers_printers() {
    let path = std::env::var_os("ETCDIVE_COLUMNS").map_or_else(
        || testdata("k8s/columns.jsonl"),
        |path| repository().join(path),
    );
    let mut objects: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let key = line["key"].as_str().unwrap().to_owned();
        *objects.entry(key.clone()).or_default() += 1;
        let (version, kind) = key.split_once(' ').unwrap();
        let group = version.rsplit_once('/').map_or("", |v| v.0);
        let table = builtin(group, kind);
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("{}{}", column.name, if column.wide { "*" } else { "" }))
            .collect();
        let clock = Clock {
            now: Some(PRINTED_AT),
        };
        let cells = (table.cells)(&line["object"], clock);
        let (ours, theirs) = (Value::from(cells), &line["cells"]);
        if Value::from(columns.clone()) != line["columns"] || ours != *theirs {
            let entry = wrong.entry(key).or_insert_with(|| {
                (
                    0,
                    format!(
                        "{columns:?}\n  {}\nours   {ours}\ntheirs {theirs}",
                        line["object"]
                    ),
                )
            });
            entry.0 += 1;
        }
    }
    assert!(objects.len() > 100, "{} kinds", objects.len());
    let total: usize = objects.values().sum();
    println!("{total} objects of {} kinds", objects.len());
    for (key, (count, example)) in &wrong {
        println!("{key}: {count} of {}\n  {example}", objects[key]);
    }
    assert!(wrong.is_empty(), "{} kinds differ", wrong.len());
}

/// A tree with some of its parts replaced by something of another type, or left out.
fn spoilt(value: &Value, random: &mut Random) -> Value {
    if random.one_in(12) {
        let others = [
            json!(null),
            json!(true),
            json!(-1),
            json!(u64::MAX),
            json!(1e300),
            json!(""),
            json!("\t\n\u{1b}[31m\u{e9}"),
            json!("9999-99-99T99:99:99Z"),
            json!("2000-01-01T00:00:00.5+99:99"),
            json!([]),
            json!([null, {}, [], "x"]),
            json!({}),
            json!({"storage": [1], "": null}),
        ];
        return others[random.below(others.len())].clone();
    }
    match value {
        Value::Object(map) => {
            let mut out = serde_json::Map::new();
            for (key, value) in map {
                if !random.one_in(20) {
                    out.insert(key.clone(), spoilt(value, random));
                }
            }
            Value::Object(out)
        }
        Value::Array(items) => items.iter().map(|item| spoilt(item, random)).collect(),
        other => other.clone(),
    }
}

#[test]
fn hostile_objects_have_as_many_cells_as_columns_and_lines_as_rows() {
    let mut random = Random::new(4);
    let text = std::fs::read_to_string(testdata("k8s/columns.jsonl")).unwrap();
    let mut rows = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (version, kind) = line["key"].as_str().unwrap().split_once(' ').unwrap();
        let group = version.rsplit_once('/').map_or("", |v| v.0);
        let objects: Vec<Value> = (0..20)
            .map(|_| spoilt(&line["object"], &mut random))
            .collect();
        let clocks = [Some(PRINTED_AT), Some(i64::MAX), Some(i64::MIN), None];
        let table = builtin(group, kind);
        let options = Options {
            wide: true,
            namespace: true,
            show_labels: true,
            ..Options::default()
        };
        let mut out = KubectlTable::new(table.columns, options);
        for (object, now) in objects.iter().zip(clocks.iter().cycle()) {
            let cells = (table.cells)(object, Clock { now: *now });
            assert_eq!(cells.len(), table.columns.len(), "{kind}: {object}");
            out.push(object, &cells);
            rows += 1;
        }
        assert_eq!(out.text().lines().count(), objects.len() + 1);
    }
    assert!(rows > 5000);
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// Tabs, line breaks, escapes and characters of several bytes, with all combinations of flags.
#[test]
fn unusual_cells_are_laid_out_as_by_kubectls_own_table_printer() {
    let recorded = std::fs::read_to_string(testdata("k8s/kubectl_tables.jsonl")).unwrap();
    let mut tables = 0;
    for line in recorded.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let is = |flag: &str| case[flag].as_bool().unwrap();
        let wide = case["wide"].as_array().unwrap();
        let columns: Vec<Column> = texts(&case["columns"])
            .into_iter()
            .zip(wide)
            .map(|(name, wide)| Column {
                name: name.into(),
                wide: wide.as_bool().unwrap(),
            })
            .collect();
        let labels = texts(&case["label_columns"]);
        let options = Options {
            cluster: false,
            no_headers: is("no_headers"),
            wide: is("wide_output"),
            namespace: is("namespace"),
            show_labels: is("show_labels"),
            label_columns: &labels,
            kind: case["kind"].as_str(),
        };
        let mut table = KubectlTable::new(&columns, options);
        let objects = case["objects"].as_array().unwrap();
        for (row, object) in case["rows"].as_array().unwrap().iter().zip(objects) {
            table.push(object, &texts(row));
        }
        assert_eq!(table.text(), case["text"].as_str().unwrap(), "{line}");
        tables += 1;
    }
    assert!(tables > 50);
}
