//! Objects of unknown types: every verb says that their manifests are incomplete.

use serde_json::Value;

use super::{Case, object, put};
use crate::support::files_below;
use crate::support::synth::etcd::{Store, Version};

/// An object of a type that the table lacks, as an API server stores it.
fn of_unknown_type(kind: &str, namespace: &str, name: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let head = [number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        [&head, bytes].concat()
    };
    let metadata = [field(1, name.as_bytes()), field(3, namespace.as_bytes())].concat();
    let raw = [
        field(1, &metadata),
        field(2, &field(1, b"host.example.com")),
    ]
    .concat();
    let type_meta = [
        field(1, b"vendor.example.com/v1"),
        field(2, kind.as_bytes()),
    ]
    .concat();
    [b"k8s\0".to_vec(), field(1, &type_meta), field(2, &raw)].concat()
}

#[test]
fn an_incomplete_manifest_says_so_in_its_first_lines_and_ends_with_exit_3() {
    let mut store = Store::new(Version::V3_6);
    let keys = ["gizmos/shop/one", "gizmos/shop/two"];
    let keys = keys.map(|key| format!("/registry/vendor.example.com/{key}"));
    let whole = "/registry/configmaps/shop/whole";
    for key in &keys {
        let name = key.rsplit('/').next().unwrap();
        store.put(key.as_str(), of_unknown_type("Gizmo", "shop", name));
    }
    put(
        &mut store,
        whole,
        &object("v1", "ConfigMap", "shop", "whole"),
    );
    for key in keys.iter().map(String::as_str).chain([whole]) {
        store.delete(key);
    }
    let case = Case::new("incomplete", &store, 4096);
    let stream = case.run("recover DB -o yaml");
    assert_eq!(stream.code, 3, "{}", stream.stderr);
    let manifests: Vec<&str> = stream.text().split("---\n").skip(1).collect();
    let incomplete: Vec<bool> = manifests
        .iter()
        .map(|text| {
            let says = text.starts_with("# INCOMPLETE: ");
            assert_eq!(says, text.contains("$unknownFields"), "{text}");
            assert!(
                !says || text.contains("# No schema for vendor.example.com/v1 Gizmo"),
                "{text}"
            );
            says
        })
        .collect();
    assert_eq!(
        incomplete.iter().filter(|one| **one).count(),
        2,
        "{}",
        stream.text()
    );
    for said in [
        "2 of them incomplete",
        "2 manifests are incomplete",
        "manifest-incomplete",
    ] {
        assert!(stream.stderr.contains(said), "{said}: {}", stream.stderr);
    }
    // Written in any form, and as it was stored too.
    for flags in [
        "--exact -o yaml",
        "--plan",
        "-o jsonl",
        "--at 4 -o name",
        "gizmo/one",
    ] {
        let run = case.run(&format!("recover DB {flags}"));
        assert_eq!(run.code, 3, "{flags}: {}", run.stderr);
    }
    let summary = case.run("recover DB -o json");
    let rows: Value = serde_json::from_str(summary.text()).unwrap();
    assert_eq!(
        rows.as_array().unwrap().last().unwrap()["summary"]["incomplete"],
        2
    );
    let whole = case.run("recover DB configmaps -o yaml");
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    assert!(!whole.text().contains("INCOMPLETE"));
}

/// A pod with a field that the table lacks, as an API server stores it.
fn of_newer_pod(namespace: &str, name: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let head = [number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        [&head, bytes].concat()
    };
    let metadata = [field(1, name.as_bytes()), field(3, namespace.as_bytes())].concat();
    let raw = [field(1, &metadata), field(15, b"new")].concat();
    let type_meta = [field(1, b"v1"), field(2, b"Pod")].concat();
    [b"k8s\0".to_vec(), field(1, &type_meta), field(2, &raw)].concat()
}

/// Incomplete objects under their keys, and how they are addressed.
fn incomplete_objects() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    vec![
        (
            "/registry/vendor.example.com/gizmos/shop/one",
            of_unknown_type("Gizmo", "shop", "one"),
            "gizmos/one",
        ),
        (
            "/registry/pods/shop/new",
            of_newer_pod("shop", "new"),
            "pods/new",
        ),
        (
            "/kubernetes.io/acme.example.com/things/shop/x",
            of_unknown_type("Thing", "shop", "x"),
            "things/x",
        ),
    ]
}

#[test]
fn get_show_extract_and_recover_agree_that_an_object_is_incomplete() {
    for (key, value, address) in incomplete_objects() {
        let mut store = Store::new(Version::V3_6);
        store.put(key, value);
        let case = Case::new("incomplete-agree", &store, 4096);
        for line in [
            format!("get DB {address} -n shop -o yaml"),
            format!("get DB {key}"),
            format!("get DB {address} -n shop -o yaml --show-managed-fields"),
            format!("get DB {} -A -o yaml", address.split('/').next().unwrap()),
            format!("get DB {address} -n shop -o yaml --field-selector metadata.name!=zzz"),
            format!("show DB {address}@created -n shop"),
            format!("extract DB -k {key}"),
            format!("recover DB {address} -n shop --at 2 -o yaml"),
        ] {
            let run = case.run(&line);
            assert_eq!(run.code, 3, "{line}: {}", run.stderr);
            let text = run.text();
            assert_eq!(text.matches("# INCOMPLETE: ").count(), 1, "{line}: {text}");
            let before = text.split("# INCOMPLETE: ").next().unwrap();
            assert!(before.lines().count() <= 3, "{line}: {text}");
            assert!(
                run.stderr.contains("manifest-incomplete"),
                "{line}: {}",
                run.stderr
            );
            let remarks = text.to_lowercase();
            let has_remark = remarks.matches("no schema for").count()
                + remarks.matches("not in the schema").count();
            assert_eq!(has_remark, 1, "{line}: {text}");
        }
        // JSON has no comments: the note and the code are all.
        for line in [
            format!("get DB {address} -n shop -o json"),
            format!("get DB {address} -n shop -o jsonl"),
            format!("show DB {address}@created -n shop -o json"),
            format!("extract DB -k {key} -o json"),
        ] {
            let run = case.run(&line);
            assert_eq!(run.code, 3, "{line}: {}", run.stderr);
            let first = run.text().lines().next().unwrap_or_default();
            assert!(first.starts_with(['{', '[']), "{line}: {}", run.text());
            assert!(run.stderr.contains("manifest-incomplete"), "{line}");
        }
        // What prints no manifest ends as before.
        for line in [
            format!("get DB {address} -n shop"),
            format!("get DB {address} -n shop -o name"),
            format!("extract DB -k {key} --raw"),
            format!("extract DB -k {key} --meta-summary"),
            format!("ls DB {address} -n shop"),
        ] {
            let run = case.run(&line);
            assert_eq!(run.code, 0, "{line}: {}", run.stderr);
        }
    }
}

#[test]
fn a_list_marks_each_incomplete_object_and_loads_back() {
    let mut store = Store::new(Version::V3_6);
    for (key, value, _) in incomplete_objects() {
        store.put(key, value);
    }
    let whole = "/registry/configmaps/shop/whole";
    put(
        &mut store,
        whole,
        &object("v1", "ConfigMap", "shop", "whole"),
    );
    let case = Case::new("incomplete-list", &store, 4096);
    let run = case.run("get DB gizmos,pods,things,cm -A -o yaml");
    assert_eq!(run.code, 3, "{}", run.stderr);
    let text = run.text();
    assert_eq!(text.matches("# INCOMPLETE: ").count(), 3, "{text}");
    let list: Value = serde_norway::from_str(text).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 4);
    let folder = case.scratch.path().join("out");
    let run = case.run(&format!(
        "get DB gizmos,pods,things,cm -A --out {}",
        folder.display()
    ));
    assert_eq!(run.code, 3, "{}", run.stderr);
    let files = files_below(&folder);
    assert_eq!(files.len(), 4);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let is_whole = file.ends_with("whole.yaml");
        assert_eq!(text.starts_with("# INCOMPLETE: "), !is_whole, "{text}");
        serde_norway::from_str::<Value>(&text).unwrap();
    }
    for line in [
        "get DB cm -A -o yaml",
        "get DB cm -A -o json",
        "show DB cm/whole@created -n shop",
    ] {
        let run = case.run(line);
        assert!(
            run.code == 0 && !run.text().contains("INCOMPLETE"),
            "{line}"
        );
    }
}
