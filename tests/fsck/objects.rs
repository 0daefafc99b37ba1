//! Faults of Kubernetes objects.

use super::{Fault, assert_found, fsck};
use crate::support::synth::etcd::{Store, Version, revision_key};
use crate::support::synth::k8s::{self, Meta};
use crate::support::synth::wire::Message;
use crate::verbs::jsonl;

const UID: &str = "9f2c0a3e-2b7c-4c1e-8d57-0f6f1f7a1b2";

fn config_map(namespace: &str, name: &str, uid: u8) -> Vec<u8> {
    let meta = Meta {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        uid: format!("{UID}{uid:x}"),
        created: 1_763_626_496,
        ..Meta::default()
    };
    k8s::config_map(&meta, &[("k".to_owned(), "v".to_owned())])
}

/// A store whose first object is right; what follows is at revision 3 and later.
fn store() -> Store {
    let mut store = Store::new(Version::V3_6);
    store.put(
        "/registry/configmaps/shop/first",
        config_map("shop", "first", 0),
    );
    store
}

/// A store in which `value` is at revision 3.
fn fault(name: &'static str, key: &str, value: Vec<u8>, code: &'static str) -> Fault {
    let mut store = store();
    store.put(key, value);
    let image = store.builder().build();
    let at = revision_key(3, 0);
    let found = image
        .bytes
        .windows(at.len())
        .position(|window| window == at);
    let offset = found.unwrap() + at.len();
    Fault::alone(
        name,
        image.bytes,
        code,
        (offset / 4096) as u64,
        offset as u64,
    )
}

#[test]
fn a_value_that_is_no_whole_object_is_found() {
    let whole = config_map("shop", "a", 1);
    let cut = whole[..whole.len() - 9].to_vec();
    let mut broken = whole.clone();
    let at = broken
        .windows(1)
        .rposition(|window| window == b"k")
        .unwrap();
    broken[at - 1] = 0x7F;
    let key = "/registry/configmaps/shop/a";
    assert_found(vec![
        fault("cut", key, cut, "value-undecodable"),
        fault("a length too long", key, broken, "value-undecodable"),
        fault(
            "no object at all",
            key,
            b"hello".to_vec(),
            "value-undecodable",
        ),
        fault(
            "half of JSON",
            key,
            b"{\"apiVersion\":".to_vec(),
            "value-undecodable",
        ),
        fault(
            "an envelope elsewhere",
            "/else/where",
            b"k8s\0\x0a\x7f".to_vec(),
            "value-undecodable",
        ),
    ]);
}

#[test]
fn a_key_that_says_something_else_than_its_object_is_found() {
    let object = || config_map("shop", "a", 1);
    assert_found(vec![
        fault(
            "another name",
            "/registry/configmaps/shop/b",
            object(),
            "object-key-mismatch",
        ),
        fault(
            "another namespace",
            "/registry/configmaps/prod/a",
            object(),
            "object-key-mismatch",
        ),
        fault(
            "another kind",
            "/registry/pods/shop/a",
            object(),
            "object-key-mismatch",
        ),
    ]);
    let mut store = store();
    store.put("/registry/pods/shop/a", object());
    let rows = jsonl(&fsck(&store.builder().build().bytes, &["-o", "jsonl"]));
    assert_eq!(
        rows[0]["expected"],
        "kind \"Pod\", namespace \"shop\", name \"a\""
    );
    assert_eq!(
        rows[0]["found"],
        "kind \"ConfigMap\", namespace \"shop\", name \"a\""
    );
    assert_eq!(
        (&rows[0]["key"], &rows[0]["revision"]),
        (&"/registry/pods/shop/a".into(), &3.into())
    );
}

#[test]
fn a_uid_that_two_live_objects_have_is_found_and_that_of_a_deleted_one_is_not() {
    assert_found(vec![fault(
        "uid",
        "/registry/configmaps/shop/b",
        config_map("shop", "b", 0),
        "uid-twice",
    )]);
    let mut moved = store();
    moved.put(
        "/registry/configmaps/shop/first",
        config_map("shop", "first", 0),
    );
    moved.delete("/registry/configmaps/shop/first");
    moved.put("/registry/configmaps/shop/b", config_map("shop", "b", 0));
    let run = fsck(&moved.builder().build().bytes, &["-o", "jsonl"]);
    assert_eq!((run.code, run.text()), (0, ""));
}

#[test]
fn a_type_or_a_field_that_the_table_does_not_have_is_reported_once() {
    let thing = |field: u32| {
        let meta = Meta {
            name: "a".to_owned(),
            uid: String::new(),
            ..Meta::default()
        };
        Message::new().nest(1, meta.message("v1")).set(field, "x")
    };
    let unknown = k8s::envelope("example.com/v1", "Thing", thing(2));
    let newer = k8s::envelope("v1", "ConfigMap", thing(99));
    assert_found(vec![
        fault(
            "type",
            "/registry/things/a",
            unknown.clone(),
            "type-unknown",
        ),
        fault("field", "/registry/else/a", newer, "field-unknown"),
    ]);
    let mut store = store();
    for n in 0..3 {
        store.put(format!("/registry/things/{n}"), unknown.clone());
    }
    let rows = jsonl(&fsck(&store.builder().build().bytes, &["-o", "jsonl"]));
    assert_eq!(rows.len(), 1);
    assert_eq!(
        rows[0]["found"],
        "3 values of kind \"Thing\" of \"example.com/v1\""
    );
}

#[test]
fn what_is_not_kubernetes_gives_nothing() {
    let mut store = store();
    for (key, value) in [
        ("compact_rev_key", "1234"),
        ("/registry/ranges/other", "text"),
        ("/registry/unknown/a", "{no json"),
        ("/else/pods/shop/a", "{no json"),
        ("plain", "\u{1}"),
        ("/registry/health", ""),
    ] {
        store.put(key, value);
    }
    let run = fsck(&store.builder().build().bytes, &["-o", "jsonl"]);
    assert_eq!((run.code, run.text()), (0, ""));
}

#[test]
fn no_finding_quotes_a_value() {
    let mut store = store();
    let mut value = b"k8s\0\x0a\x09hunter2-hunter2".to_vec();
    store.put("/registry/secrets/shop/a", value.clone());
    value.extend([0xFF; 4]);
    store.put("/registry/secrets/shop/b", value);
    store.put("/registry/secrets/shop/c", "hunter2");
    store.put("/registry/secrets/shop/d", "{\"hunter2");
    for format in ["table", "json", "jsonl"] {
        let run = fsck(&store.builder().build().bytes, &["-o", format]);
        assert_eq!(run.code, 3);
        assert!(run.text().contains("value-undecodable"));
        assert!(
            !run.text().contains("hunter2") && !run.stderr.contains("hunter2"),
            "{}",
            run.text()
        );
    }
}
