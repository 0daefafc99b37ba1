//! Every answer says how far it reaches: unknown names, deletions, filters that leave nothing, compacted history. Each
//! rule is tried on every verb that takes addresses; `--help` lists them.

use serde_json::{Value, json};

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive, etcdive_line};

/// A store with a namespace that was deleted, a pod that was deleted, a deleted CRD, and two managers.
fn store() -> Store {
    let mut store = Store::new(Version::V3_6);
    let object = |api: &str, kind: &str, namespace: &str, name: &str, minute: u32, more: Value| {
        let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {
            "name": name, "uid": format!("uid-{name}"), "labels": {"app": name},
            "creationTimestamp": format!("2026-11-20T21:{minute:02}:00Z"),
            "managedFields": [{"manager": "kubectl", "operation": "Update", "apiVersion": api,
                "time": format!("2026-11-20T21:{minute:02}:00Z"), "fieldsType": "FieldsV1",
                "fieldsV1": {"f:data": {}}}],
        }});
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = namespace.into();
        }
        for (field, value) in more.as_object().unwrap() {
            object[field] = value.clone();
        }
        object.to_string().into_bytes()
    };
    store.put(
        "/registry/namespaces/prod",
        object("v1", "Namespace", "", "prod", 1, json!({})),
    );
    store.put(
        "/registry/namespaces/shop",
        object("v1", "Namespace", "", "shop", 2, json!({})),
    );
    store.put(
        "/registry/pods/prod/web-1",
        object("v1", "Pod", "prod", "web-1", 3, json!({"spec": {}})),
    );
    store.put(
        "/registry/pods/prod/db-0",
        object(
            "v1",
            "Pod",
            "prod",
            "db-0",
            4,
            json!({"spec": {"nodeName": "n1"}}),
        ),
    );
    store.put(
        "/registry/configmaps/shop/settings",
        object(
            "v1",
            "ConfigMap",
            "shop",
            "settings",
            5,
            json!({"data": {"k": "v"}}),
        ),
    );
    store.put(
        "/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com",
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "",
            "widgets.example.com",
            6,
            json!({"spec": {"group": "example.com", "scope": "Namespaced",
                "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
                "versions": [{"name": "v1", "served": true, "storage": true}]}}),
        ),
    );
    store.put(
        "/registry/example.com/widgets/prod/w1",
        object("example.com/v1", "Widget", "prod", "w1", 7, json!({})),
    );
    store.delete("/registry/pods/prod/db-0");
    store.delete("/registry/configmaps/shop/settings");
    store.delete("/registry/namespaces/shop");
    store.delete("/registry/example.com/widgets/prod/w1");
    store.delete("/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com");
    store.put(
        "/registry/pods/prod/web-1",
        object(
            "v1",
            "Pod",
            "prod",
            "web-1",
            9,
            json!({"spec": {"nodeName": "n1"}}),
        ),
    );
    store
}

/// The verbs that take addresses, by their own help.
fn verbs() -> Vec<String> {
    let verbs: Vec<String> = crate::support::verbs()
        .into_iter()
        .filter(|verb| {
            let help = etcdive_line(&format!("{verb} --help"));
            let mut lines = help.text().lines();
            lines.any(|line| line.starts_with("Usage:") && line.contains("ADDRESS"))
        })
        .collect();
    for verb in [
        "ls", "get", "log", "show", "diff", "blame", "grep", "recover", "watch",
    ] {
        assert!(verbs.iter().any(|known| known == verb), "{verb}: {verbs:?}");
    }
    verbs
}

/// The words of a verb that come between it and the address.
fn line(verb: &str, db: &str, address: &str) -> String {
    match verb {
        "grep" => format!("grep {db} . {address}"),
        "diff" => format!("diff {db} 2..@ {address}"),
        _ => format!("{verb} {db} {address}"),
    }
}

struct Case {
    #[expect(dead_code, reason = "removes the folder when it is dropped")]
    scratch: Scratch,
    db: String,
}

impl Case {
    fn new(name: &str, store: &Store) -> Self {
        Self::from_bytes(name, &store.builder().build().bytes)
    }

    fn from_bytes(name: &str, database: &[u8]) -> Self {
        let scratch = Scratch::new(name);
        let db = scratch.file("db", database);
        Self {
            db: db.to_str().unwrap().to_owned(),
            scratch,
        }
    }

    fn run(&self, verb: &str, address: &str) -> Run {
        etcdive(line(verb, &self.db, address).split_whitespace())
    }
}

#[track_caller]
fn assert_says(run: &Run, verb: &str, code: i32, parts: &[&str]) {
    assert_eq!(run.code, code, "{verb}: {}", run.stderr);
    for part in parts {
        assert!(
            run.stderr.contains(part),
            "{verb}: no {part:?} in {}",
            run.stderr
        );
    }
}

#[test]
fn an_unknown_resource_is_exit_2_with_near_names() {
    let case = Case::new("answers-resource", &store());
    for verb in verbs() {
        let run = case.run(&verb, "deploymnets");
        let parts = [
            "unknown resource \"deploymnets\"",
            "did you mean deployments.apps",
        ];
        assert_says(&run, &verb, 2, &parts);
        let run = case.run(&verb, "widgetz");
        assert_says(
            &run,
            &verb,
            2,
            &["unknown resource \"widgetz\"", "widgets.example.com"],
        );
    }
}

#[test]
fn an_unknown_namespace_is_exit_2_with_near_names() {
    let case = Case::new("answers-namespace", &store());
    for verb in verbs() {
        for address in [
            "pods -n shopp",
            "pods/web-1 -n shopp",
            "configmaps -n shopp",
        ] {
            let run = case.run(&verb, address);
            let parts = ["unknown namespace \"shopp\"", "did you mean shop"];
            assert_says(&run, &format!("{verb} {address}"), 2, &parts);
        }
        if !["show", "blame"].contains(&verb.as_str()) {
            let run = case.run(&verb, "-n shopp");
            assert_says(&run, &verb, 2, &["unknown namespace \"shopp\""]);
        }
    }
}

#[test]
fn a_built_in_resource_without_objects_is_known() {
    let case = Case::new("answers-built-in", &store());
    for verb in verbs() {
        let run = case.run(&verb, "statefulsets");
        let code = if verb == "diff" { 2 } else { 1 };
        assert_says(&run, &verb, code, &["no statefulsets"]);
        assert!(!run.stderr.contains("unknown"), "{verb}: {}", run.stderr);
    }
}

#[test]
fn an_unknown_field_manager_is_exit_2_with_near_names() {
    let case = Case::new("answers-manager", &store());
    let mut verbs_with_it = 0;
    for verb in verbs() {
        let help = etcdive_line(&format!("{verb} --help"));
        if !help.text().contains("--manager") {
            continue;
        }
        verbs_with_it += 1;
        let address = match verb.as_str() {
            "show" => "14 --manager kubctl",
            _ => "pods --manager kubctl",
        };
        let run = case.run(&verb, address);
        let parts = ["unknown field manager \"kubctl\"", "did you mean kubectl"];
        assert_says(&run, &verb, 2, &parts);
    }
    assert_eq!(verbs_with_it, 4, "log, show, diff, grep");
}

#[test]
fn an_unknown_name_after_exclude_is_exit_2_and_a_known_one_is_named_if_it_leaves_nothing() {
    let case = Case::new("answers-exclude", &store());
    for verb in ["log", "diff", "watch"] {
        let run = case.run(verb, "pods --exclude podz");
        assert_says(
            &run,
            verb,
            2,
            &["unknown resource \"podz\"", "did you mean pods"],
        );
    }
    for verb in ["log", "watch"] {
        let run = case.run(verb, "pods --exclude pods");
        assert_says(&run, verb, 1, &["none of 2 candidates matches --exclude"]);
    }
}

#[test]
fn equal_live_states_with_different_histories_are_reported() {
    let scratch = Scratch::new("answers-histories");
    let store = |middle: &str| {
        let mut store = Store::new(Version::V3_6);
        store.put("/a", "1");
        store.put("/a", middle);
        store.put("/a", "3");
        store.builder().build().bytes
    };
    let one = scratch.file("one.db", &store("2"));
    let other = scratch.file("other.db", &store("x"));
    let run = etcdive(["diff".as_ref(), one.as_os_str(), other.as_os_str()]);
    assert_says(
        &run,
        "diff",
        0,
        &["the histories differ: 1 record, the oldest at revision 3"],
    );
    let run = etcdive(["diff".as_ref(), one.as_os_str(), one.as_os_str()]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn who_made_a_change_is_reported_as_unknown_once_where_managers_are_shown() {
    let case = Case::new("answers-who", &store());
    for line in [
        "log DB pods",
        "show DB 4",
        "show DB pods/web-1",
        "blame DB pods/web-1",
        "recover DB",
    ] {
        let run = etcdive(
            line.split(' ')
                .map(|word| if word == "DB" { &case.db } else { word }),
        );
        let said = run.stderr.matches("etcd does not record who").count();
        assert_eq!(said, 1, "{line}: {}", run.stderr);
        let mut lines = run.stderr.lines();
        let note = lines.find(|line| line.contains("etcd does not record who"));
        let sentences = note.unwrap_or_default().split(". ");
        let longest = sentences.clone().map(str::len).max();
        assert!(sentences.count() <= 2 && longest < Some(80), "{note:?}");
        assert!(
            !run.text().contains("LAST WRITERS"),
            "{line}: {}",
            run.text()
        );
    }
    let log = case.run("log", "pods");
    assert!(log.text().starts_with("REVISION") && log.text().contains("  FIELD MANAGERS\n"));
    let recover = case.run("recover", "");
    assert!(recover.text().contains("FIELD MANAGERS OF LAST WRITE"));
}

/// Verbs that answer for live objects alone: for the others a deletion is an answer.
const LIVE: [&str; 4] = ["ls", "get", "blame", "grep"];

#[test]
fn a_deleted_object_is_exit_1_with_its_deletion_and_a_command_that_shows_it() {
    let case = Case::new("answers-deleted", &store());
    for verb in LIVE {
        for (address, revision) in [
            ("pods/db-0 -n prod", 9),
            ("/registry/pods/prod/db-0", 9),
            ("configmaps -n shop", 10),
            ("widgets", 12),
        ] {
            let run = case.run(verb, address);
            let what = format!("{verb} {address}");
            let deleted = format!("deleted at revision {revision}");
            let last = format!("deleted, the last at revision {revision}");
            assert_eq!(run.code, 1, "{what}: {}", run.stderr);
            let said = run.stderr.contains(&deleted) || run.stderr.contains(&last);
            assert!(
                said && run.stderr.contains("2026-11-20T21:"),
                "{what}: {}",
                run.stderr
            );
            if verb == "grep" {
                continue;
            }
            let hint = run
                .stderr
                .lines()
                .find_map(|line| line.strip_prefix("hint: `etcdive ")?.strip_suffix('`'));
            let hint = hint.unwrap_or_else(|| panic!("{what}: {}", run.stderr));
            let shown = etcdive(hint.split_whitespace());
            let is_one = verb != "blame" || address != "configmaps";
            assert!(
                shown.code == 0 || !is_one,
                "{what}: {hint}: {}",
                shown.stderr
            );
        }
    }
}

#[test]
fn a_deleted_namespace_is_exit_1_with_its_deletion() {
    let case = Case::new("answers-deleted-namespace", &store());
    for verb in verbs().iter().filter(|verb| *verb != "diff") {
        let run = case.run(verb, "pods -n shop");
        let parts = [
            "namespace \"shop\" was deleted at revision 11",
            "-n shop --at 9",
        ];
        assert_says(&run, verb, 1, &parts);
    }
}

#[test]
fn a_filter_that_leaves_nothing_is_named() {
    let case = Case::new("answers-filter", &store());
    for (line, filter) in [
        ("ls DB pods -l app=nothing", "-l"),
        ("ls DB pods --match *nothing*", "--match"),
        ("ls DB pods --regex nothing", "--regex"),
        ("ls DB pods --modified-since @", "--modified-since"),
        ("ls DB --deleted --match *nothing*", "--match"),
        ("get DB pods -l app=nothing", "-l"),
        (
            "get DB pods --field-selector metadata.name=nothing",
            "--field-selector",
        ),
        ("log DB pods -l app=nothing", "-l"),
        ("log DB pods/web-1 --op delete", "--op"),
        ("log DB pods -S nothing", "-S"),
        ("log DB pods -G nothing", "-G"),
        ("log DB pods --since 2027-01-01", "--since"),
        ("log DB pods --until 2026-01-01", "--until"),
        ("log DB pods 14..@", "A..B"),
        ("log DB -l app=nothing", "-l"),
        ("watch DB pods -l app=nothing", "-l"),
        ("watch DB pods/web-1 -n prod --op delete", "--op"),
        ("blame DB pods -l app=nothing", "-l"),
        ("grep DB . pods -l app=nothing", "-l"),
        ("recover DB pods -l app=nothing", "-l"),
        ("recover DB pods --since 2027-01-01", "--since"),
        ("recover DB pods --until 2026-01-01", "--until"),
        ("recover DB pods 12..@", "A..B"),
    ] {
        let run = etcdive(
            line.split(' ')
                .map(|word| if word == "DB" { &case.db } else { word }),
        );
        let text = format!("matches {filter}\n");
        let only = format!("does not match {filter}\n");
        assert_eq!(run.code, 1, "{line}: {}", run.stderr);
        assert!(
            run.stderr.contains(&text) || run.stderr.contains(&only),
            "{line}: {}",
            run.stderr
        );
    }
}

/// A compacted store whose freed pages hold two older versions of a pod, and its deleted neighbour.
fn compacted(name: &str) -> Case {
    let mut store = Store::new(Version::V3_6);
    let pod = |name: &str, node: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "prod"},
            "spec": {"nodeName": node}})
        .to_string()
        .into_bytes()
    };
    for node in ["n1", "n2", "n3"] {
        store.put("/registry/pods/prod/web-1", pod("web-1", node));
    }
    store.put("/registry/pods/prod/db-0", pod("db-0", "n1"));
    let before = store.key_bucket();
    store.delete("/registry/pods/prod/db-0");
    store.put("/registry/pods/prod/web-1", pod("web-1", "n4"));
    store.compact(7);
    store.put("/registry/pods/prod/web-1", pod("web-1", "n5"));
    Case::from_bytes(name, &store.builder().stale(before).build().bytes)
}

#[test]
fn an_answer_that_needs_compacted_history_says_so_once() {
    let case = compacted("answers-compacted");
    for line in [
        "log DB",
        "log DB pods/web-1 -n prod",
        "log DB pods",
        "log DB --timeline",
        "log DB pods/db-0 -n prod",
        "grep DB n1 --history",
        "show DB 7",
        "blame DB pods/web-1 -n prod",
        "recover DB",
        "recover DB pods",
        "get DB pods --at 3",
        "ls DB --at 3",
        "diff DB 3..@",
        "get DB pods/db-0 -n prod",
        "ls DB --deleted",
    ] {
        let run = etcdive(
            line.split(' ')
                .map(|word| if word == "DB" { &case.db } else { word }),
        );
        let notes = run
            .stderr
            .matches("history is retained from revision 7 on")
            .count();
        assert_eq!(notes, 1, "{line}: {}", run.stderr);
        let counts = run.stderr.contains("--carve finds") || line.contains("--timeline");
        assert!(counts, "{line}: {}", run.stderr);
    }
    // What needs no older history says nothing of it.
    for line in [
        "get DB pods",
        "ls DB",
        "log DB 7..@",
        "diff DB 7..@",
        "grep DB n5",
        "log DB -n 1",
    ] {
        let run = etcdive(
            line.split(' ')
                .map(|word| if word == "DB" { &case.db } else { word }),
        );
        assert!(
            !run.stderr.contains("history is retained"),
            "{line}: {}",
            run.stderr
        );
    }
}

#[test]
fn what_carving_would_add_is_counted() {
    let case = compacted("answers-counted");
    let run = etcdive(["log", &case.db, "pods/web-1", "-n", "prod"]);
    assert_says(
        &run,
        "log",
        0,
        &["--carve finds 3 more records", "3 earlier versions were"],
    );
    let run = etcdive(["log", &case.db, "pods/db-0", "-n", "prod"]);
    assert_says(&run, "log", 1, &["--carve finds 1 more record\n"]);
    let run = etcdive(["log", &case.db, "pods/web-1", "-n", "prod", "--carve"]);
    assert!(!run.stderr.contains("--carve finds"), "{}", run.stderr);
}

#[test]
fn a_change_whose_previous_version_is_compacted_is_unknown() {
    let case = compacted("answers-previous");
    for line in ["show DB 7", "log DB pods/web-1 -n prod -p"] {
        let run = etcdive(
            line.split(' ')
                .map(|word| if word == "DB" { &case.db } else { word }),
        );
        let text = run.text();
        assert!(
            text.contains("previous version is compacted; what changed is unknown"),
            "{line}: {text}"
        );
        assert!(!text.contains("no field differs"), "{line}: {text}");
        let carved = format!("{line} --carve");
        let run = etcdive(
            carved
                .split(' ')
                .map(|word| if word == "DB" { &case.db } else { word }),
        );
        let is_unknown = run.text().contains("what changed is unknown");
        assert!(
            run.text().contains("spec.nodeName") || !is_unknown,
            "{carved}: {}",
            run.text()
        );
    }
}

/// A compacted store whose freed pages have the first version of a pod, and no page the second.
fn unproved(name: &str) -> Case {
    let mut store = Store::new(Version::V3_6);
    let pod = |node: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "prod"},
            "spec": {"nodeName": node}})
        .to_string()
        .into_bytes()
    };
    store.put("/registry/pods/prod/web-1", pod("n1"));
    store.put("/registry/configmaps/prod/other", pod("n1"));
    let before = store.key_bucket();
    store.put("/registry/pods/prod/web-1", pod("n2"));
    store.put("/registry/pods/prod/web-1", pod("n3"));
    store.compact(5);
    Case::from_bytes(name, &store.builder().stale(before).build().bytes)
}

#[test]
fn an_object_whose_state_is_not_proved_is_named_by_every_verb_that_shows_it() {
    let case = unproved("answers-unproved");
    for line in [
        "get DB pods -o name --at 4 --carve",
        "ls DB pods --at 4 --carve",
        "blame DB pods/web-1 -n prod --at 4 --carve",
        "grep DB n1 pods --at 4 --carve",
        "recover DB pods --at 4 --carve",
        "show DB pods/web-1@4 -n prod --carve",
        "diff DB 4..@ pods --carve",
    ] {
        let run = etcdive(
            line.split(' ')
                .map(|word| if word == "DB" { &case.db } else { word }),
        );
        let said = "this object may have been changed or deleted by revision 4";
        assert_eq!(
            run.stderr.matches(said).count(),
            1,
            "{line}: {}",
            run.stderr
        );
    }
    // Up to revision 3 every record is known.
    let run = etcdive(["ls", &case.db, "pods", "--at", "3", "--carve"]);
    assert!(
        !run.stderr.contains("may have been changed"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_selector_that_needs_values_that_stay_encrypted_says_so_on_every_verb() {
    let db = "testdata/healthy/k8s-encrypted/mixed.db";
    for line in [
        "ls DB secrets -l app=nothing",
        "get DB secrets -l app=nothing",
        "get DB secrets --field-selector type=nothing",
        "log DB secrets -l app=nothing",
        "grep DB . secrets -l app=nothing",
        "blame DB secrets -l app=nothing",
        "watch DB secrets -l app=nothing",
        "recover DB secrets -l app=nothing",
        "diff DB 100..@ secrets -l app=nothing",
    ] {
        let run = etcdive(
            line.split(' ')
                .map(|word| if word == "DB" { db } else { word }),
        );
        let untested = "could not be read; whether they match the selector is unknown";
        assert_eq!(run.code, 3, "{line}: {}", run.stderr);
        assert_eq!(
            run.stderr.matches(untested).count(),
            1,
            "{line}: {}",
            run.stderr
        );
        assert!(
            run.stderr.contains("encrypted at rest by"),
            "{line}: {}",
            run.stderr
        );
    }
}
