//! Addresses: what words name, which keys answer to them, and what is said when none does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use etcdive::k8s::catalog::Catalog;
use etcdive::k8s::schema;
use etcdive::query::key_list::KeyOrder;
use serde_json::Value;

use crate::support::library::{Database, Listing, Refused, which, which_in};
use crate::support::synth::etcd::{Store, Version};
use crate::support::{Scratch, case_roots, etcdive, files_below, read_unpacked, testdata};

/// Kinds that travel but are never stored.
const NEVER_STORED: &[&str] = &[
    "Binding",
    "ComponentStatus",
    "ConversionReview",
    "DeploymentRollback",
    "EphemeralContainers",
    "JobTemplate",
    "LocalSubjectAccessReview",
    "PodStatusResult",
    "Scale",
    "SelfSubjectAccessReview",
    "SelfSubjectReview",
    "SelfSubjectRulesReview",
    "SerializedReference",
    "SubjectAccessReview",
    "TokenRequest",
    "TokenReview",
];

#[test]
fn every_stored_kind_of_the_schema_is_a_resource() {
    let catalog = Catalog::default();
    let mut kinds = 0;
    for kind in schema::kinds() {
        let subresource =
            kind.kind.ends_with("Options") || (kind.kind == "Eviction" && kind.group == "policy");
        // Only stores of OpenShift have its kinds: see the layouts.
        let is_openshift = kind.group.ends_with(".openshift.io") || kind.first_minor < 16;
        let is_stored = !kind.kind.ends_with("List") && !NEVER_STORED.contains(&kind.kind);
        if subresource || is_openshift || !is_stored {
            continue;
        }
        let word = format!("{}.{}.{}", kind.kind, kind.version, kind.group);
        let found = catalog.resolve(&word);
        assert!(
            found.iter().any(|resource| resource.kind == kind.kind),
            "{word}"
        );
        kinds += 1;
    }
    assert!(kinds > 150, "{kinds}");
}

/// What `kubectl api-resources` printed of a cluster.
fn recorded_lists() -> Vec<PathBuf> {
    let lists: Vec<_> = case_roots()
        .iter()
        .flat_map(|root| files_below(&root.join("reference")))
        .filter(|path| path.ends_with("kubectl/api-resources.txt"))
        .collect();
    assert!(!lists.is_empty());
    lists
}

#[test]
fn names_and_short_names_are_those_that_kubectl_lists() {
    for list in recorded_lists() {
        let text = String::from_utf8(read_unpacked(&list)).unwrap();
        let mut lines = text.lines();
        let head = lines.next().unwrap();
        let column = |line: &str, name: &str, next: &str| -> String {
            let from = head.find(name).unwrap();
            let to = head.find(next).unwrap_or(usize::MAX).min(line.len());
            line.get(from..to).unwrap_or_default().trim().to_owned()
        };
        let catalog = Catalog::default();
        let mut compared = 0;
        for line in lines {
            let plural = column(line, "NAME ", "SHORTNAMES");
            let short_names = column(line, "SHORTNAMES", "APIVERSION");
            let api_version = column(line, "APIVERSION", "NAMESPACED");
            let namespaced = column(line, "NAMESPACED", "KIND") == "true";
            let kind = column(line, "KIND", "no such column");
            let (group, version) = api_version
                .rsplit_once('/')
                .unwrap_or(("", api_version.as_str()));
            if NEVER_STORED.contains(&kind.as_str()) || group.ends_with("example.com") {
                continue;
            }
            let names = short_names.split(',').filter(|name| !name.is_empty());
            for name in names.chain([plural.as_str(), kind.as_str()]) {
                let found = catalog.resolve(&format!("{name}.{version}.{group}"));
                let [resource] = found.as_slice() else {
                    panic!("{name}: {found:?}")
                };
                assert_eq!(resource.kind, kind);
                assert_eq!(resource.plural, plural);
                assert_eq!(resource.namespaced, namespaced, "{plural}");
                compared += 1;
            }
        }
        assert!(compared > 100, "{}: {compared}", list.display());
    }
}

/// Databases with the objects that the API server listed at their revision.
fn databases_with_truth() -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for root in case_roots() {
        for truth in files_below(&root) {
            let name = truth.to_str().unwrap();
            let Some((stem, _)) = name.split_once(".truth.json") else {
                continue;
            };
            let db = PathBuf::from(format!("{stem}.db"));
            if db.is_file() && Path::new(stem).with_extension("keys.tsv").is_file() {
                found.push((db, truth));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn every_object_that_the_api_server_lists_is_found_by_its_address() {
    for (db, truth) in databases_with_truth() {
        let truth: Value = serde_json::from_slice(&read_unpacked(&truth)).unwrap();
        let (opened, mut listed) = (Database::open(&db), 0);
        for (resource, list) in truth["resources"].as_object().unwrap() {
            let items = list["items"].as_array().unwrap();
            let (api_version, plural) = resource.rsplit_once('/').unwrap();
            let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
            // Made up by the API server, not stored.
            if items.is_empty() || plural == "componentstatuses" {
                continue;
            }
            let word = format!("{plural}.{group}");
            let listing = Listing {
                which: which(&[&word]),
                ..Listing::default()
            };
            let rows = opened.ls(&listing, KeyOrder::Key).unwrap();
            let keys: BTreeMap<String, String> = rows
                .iter()
                .map(|row| {
                    let key = row["key"].as_str().unwrap().to_owned();
                    (row["mod_revision"].to_string(), key)
                })
                .collect();
            assert_eq!(keys.len(), items.len(), "{}: {word}", db.display());
            for item in items {
                let metadata = &item["metadata"];
                let key = &keys[metadata["resourceVersion"].as_str().unwrap()];
                let name = metadata["name"].as_str().unwrap();
                let end = match metadata["namespace"].as_str() {
                    Some(namespace) => format!("/{namespace}/{name}"),
                    None => format!("/{name}"),
                };
                assert!(key.ends_with(&end), "{key} {end}");
                listed += 1;
            }
        }
        println!("{}: {listed} objects found by their address", db.display());
        assert!(listed > 100);
    }
}

fn after() -> String {
    testdata("healthy/k8s/after.db")
        .to_str()
        .unwrap()
        .to_owned()
}

fn ls(arguments: &[&str]) -> (i32, String, String) {
    let after = after();
    let run = etcdive(["ls", &after].iter().chain(arguments));
    (run.code, run.text().to_owned(), run.stderr)
}

/// The live keys that words name, in namespaces.
fn keys(db: &str, words: &[&str], namespaces: &[&str]) -> Result<Vec<String>, Refused> {
    Database::open(db).keys(&Listing {
        which: which_in(words, namespaces),
        ..Listing::default()
    })
}

#[test]
fn one_object_is_named_as_kubectl_names_it() {
    let key = "/registry/deployments/prod/web\n";
    for words in [
        &["deployments", "web", "-n", "prod"][..],
        &["deploy", "web"],
        &["deploy/web"],
        &["deployment.apps/web", "-n", "prod"],
        &["deployments.v1.apps/web", "--namespace=prod"],
        &["Deployment", "web", "-A"],
        &["/registry/deployments/prod/web"],
        &["key:/registry/deployments/prod/web"],
        &[r"key:/registry/\x64eployments/prod/web"],
    ] {
        let (code, found, error) = ls(words);
        assert_eq!((code, found.as_str()), (0, key), "{words:?}: {error}");
    }
}

#[test]
fn several_types_and_several_names_are_asked_for_at_once() {
    let lines = |words: &[&str]| keys(&after(), words, &[]).unwrap().len();
    let (pods, services) = (lines(&["pods"]), lines(&["svc"]));
    assert_eq!(lines(&["pods,services"]), pods + services);
    assert_eq!(lines(&["po", "db-1", "gated"]), 2);
    assert_eq!(
        lines(&["po/db-1", "deploy/web", "/registry/ranges/servicenodeports"]),
        3
    );
    assert!(lines(&["all"]) > pods + services);
    // Custom resources by their plural, their short name and their group.
    assert_eq!(lines(&["books"]), 2);
    assert_eq!(lines(&["bk.library.example.com"]), 2);
    assert_eq!(lines(&["shelf/top"]), 1);
    // The folders with other names.
    assert_eq!(lines(&["no"]), 2);
    assert!(lines(&["endpoints"]) > 0);
    assert_eq!(lines(&["ranges"]), 1);
}

#[test]
fn a_namespace_alone_selects_all_that_is_in_it() {
    let found = keys(&after(), &[], &["dev"]).unwrap();
    assert!(found.len() > 5);
    assert!(
        found
            .iter()
            .all(|key| key.split('/').any(|part| part == "dev")),
        "{found:?}"
    );
    let (_, all, _) = ls(&["-A"]);
    assert_eq!(all, ls(&[]).1);
}

#[test]
fn what_would_not_narrow_the_answer_is_refused() {
    let after = after();
    for words in [
        &["ls", "/registry/pods/", "-n", "dev"][..],
        &["get", "key:/registry/pods/", "-n", "dev"],
        &["log", "/registry/deployments/prod/web", "-n", "dev"],
    ] {
        let (verb, rest) = words.split_first().unwrap();
        let run = etcdive([verb, &*after].iter().chain(rest));
        assert_eq!((run.code, run.text()), (2, ""), "{words:?}");
    }
}

#[test]
fn a_miss_names_what_is_near() {
    for (words, namespaces, message, hint) in [
        (
            &["podz"][..],
            &[][..],
            "unknown resource \"podz\"",
            "did you mean pods?",
        ),
        (&["deploymnts/web"], &[], "", "did you mean"),
        (
            &["po", "db-1"],
            &["dev"],
            "po \"db-1\" in namespace \"dev\" not found",
            "/registry/pods/prod/db-1",
        ),
        (
            &["po"],
            &["nowhere"],
            "unknown namespace \"nowhere\"",
            "lists them",
        ),
        (
            &["podpresets"],
            &[],
            "podpresets not found",
            "the store contains no podpresets",
        ),
        (
            &["ns/shop"],
            &[],
            "ns \"shop\" was deleted at revision",
            "hint: `etcdive ls ",
        ),
        (&[r"key:\q"], &[], r"key:\q: not an escape", "any byte"),
    ] {
        let why = keys(&after(), words, namespaces).unwrap_err();
        assert!([1, 2].contains(&why.code), "{words:?}");
        assert!(
            why.text.contains(message) && why.text.contains(hint),
            "{words:?}: {}",
            why.text
        );
    }
}

#[test]
fn a_store_without_kubernetes_has_only_keys() {
    let db = testdata("healthy/talk/3.6/01-talk.live.db");
    let db = db.to_str().unwrap();
    assert_eq!(keys(db, &["foo2"], &[]).unwrap(), ["foo2"]);
    let why = keys(db, &["pods"], &[]).unwrap_err();
    assert_eq!(why.code, 1);
    assert!(why.text.contains("no key pods"), "{}", why.text);
}

#[test]
fn log_and_diff_take_addresses_too() {
    let after = after();
    let before = testdata("healthy/k8s/before.db")
        .to_str()
        .unwrap()
        .to_owned();
    let by_key = etcdive(["log", &after, "/registry/configmaps/prod/frozen"]);
    let by_name = etcdive(["log", &after, "cm/frozen", "-n", "prod"]);
    assert_eq!(by_key.text(), by_name.text());
    let many = etcdive(["log", &after, "cm", "-n", "prod"]);
    assert_eq!(many.code, 0, "{}", many.stderr);
    assert!(many.text().lines().count() > by_key.text().lines().count());
    // A deleted object has a history too.
    assert_eq!(etcdive(["log", &after, "ns/shop"]).code, 0);
    let by_prefix = etcdive(["diff", &before, &after, "/registry/deployments/prod/"]);
    let by_name = etcdive(["diff", &before, &after, "deploy", "-n", "prod"]);
    assert!(!by_name.stdout.is_empty());
    assert_eq!(by_prefix.text(), by_name.text());
    let nowhere = etcdive(["diff", &before, &after, "deploy/nothing"]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("deploy \"nothing\" not found"));
}

#[test]
fn objects_that_nobody_defines_are_found_by_type_and_by_namespace() {
    let object = |version: &str, kind: &str| {
        format!(
            r#"{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"a","namespace":"shop"}}}}"#
        )
    };
    let mut store = Store::new(Version::V3_6);
    store.put("/registry/pods/shop/a", object("v1", "Pod"));
    store.put(
        "/registry/apiextensions.k8s.io/customresourcedefinitions/things.a.com",
        r#"{"kind":"CustomResourceDefinition","spec":{"group":"a.com","scope":"Namespaced","names":{"plural":"things","kind":"Thing"},"versions":[{"name":"v1"}]}}"#,
    );
    store.put("/registry/a.com/things/shop/a", object("a.com/v1", "Thing"));
    // The definition of these is missing.
    store.put("/registry/b.com/things/shop/a", object("b.com/v1", "Thing"));
    store.put("/registry/routes/shop/a", object("route.x/v1", "Route"));
    let scratch = Scratch::new("undefined");
    let db = scratch.file("db", &store.builder().build().bytes);
    let ask = |arguments: &[&str]| {
        let (verb, rest) = arguments.split_first().unwrap();
        let run = etcdive([verb, db.to_str().unwrap()].iter().chain(rest));
        assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
        run.text().to_owned()
    };
    let both = "/registry/a.com/things/shop/a\n/registry/b.com/things/shop/a\n";
    assert_eq!(ask(&["ls", "things"]), both);
    assert_eq!(
        ask(&["ls", "-n", "shop"]),
        format!("{both}/registry/pods/shop/a\n/registry/routes/shop/a\n")
    );
    for words in [&["routes"][..], &["route"], &["/registry/routes/"]] {
        let table = ask(&[&["get", "-o", "table"], words].concat());
        let row = "NAMESPACE   NAME   AGE\nshop        a      <unknown>\n";
        assert_eq!(table, row, "{words:?}");
        let name = ask(&[&["get", "-o", "name"], words].concat());
        assert_eq!(name, "route.route.x/a\n");
    }
}
