//! Deletions as they rarely are: carved, of owners, of plain keys, encrypted, while the namespace goes.

use serde_json::{Value, json};

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive};

fn object(kind: &str, namespace: &str, name: &str, more: Value) -> Vec<u8> {
    let group = if kind == "Book" {
        "example.com/v1"
    } else {
        "v1"
    };
    let mut object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": name, "uid": format!("uid-of-{name}")}});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    for (field, value) in more.as_object().unwrap() {
        if field == "metadata" {
            let more = value.as_object().unwrap().clone();
            object["metadata"].as_object_mut().unwrap().extend(more);
        } else {
            object[field] = value.clone();
        }
    }
    object.to_string().into_bytes()
}

fn run(scratch: &Scratch, image: &[u8], line: &str) -> Run {
    let db = scratch.file("db", image);
    etcdive(line.split(' ').map(|word| {
        if word == "DB" {
            db.to_str().unwrap()
        } else {
            word
        }
    }))
}

fn rows(run: &Run) -> Vec<Value> {
    let lines = run.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_was_emptied_while_it_went_comes_back_full() {
    let mut store = Store::new(Version::V3_6);
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    let key = |name: &str| format!("/registry/configmaps/a/{name}");
    store.put(
        "/registry/namespaces/a",
        object("Namespace", "", "a", json!({})),
    );
    store.put(
        key("by-itself"),
        object(
            "ConfigMap",
            "a",
            "by-itself",
            json!({"data": {"k": "full"}}),
        ),
    );
    store.put(
        key("by-namespace"),
        object(
            "ConfigMap",
            "a",
            "by-namespace",
            json!({"data": {"k": "full"}}),
        ),
    );
    // Told to go itself, then emptied.
    store.put(
        key("by-itself"),
        object("ConfigMap", "a", "by-itself", going.clone()),
    );
    store.put(
        key("by-itself"),
        object(
            "ConfigMap",
            "a",
            "by-itself",
            json!({"metadata": going["metadata"], "data": {"k": "empty"}}),
        ),
    );
    store.delete(key("by-itself"));
    store.put(
        "/registry/namespaces/a",
        object("Namespace", "", "a", going.clone()),
    );
    store.put(
        key("by-namespace"),
        object(
            "ConfigMap",
            "a",
            "by-namespace",
            json!({"data": {"k": "empty"}}),
        ),
    );
    store.put(key("late"), object("ConfigMap", "a", "late", json!({})));
    store.delete(key("by-namespace"));
    store.delete(key("late"));
    store.delete("/registry/namespaces/a");
    // A second life of the namespace has nothing to do with it.
    store.put(
        "/registry/namespaces/a",
        object("Namespace", "", "a", json!({})),
    );
    store.put(
        key("later"),
        object("ConfigMap", "a", "later", json!({"data": {"k": "full"}})),
    );
    store.delete(key("later"));
    let scratch = Scratch::new("recover-emptied");
    let image = store.builder().build().bytes;
    let listed = run(&scratch, &image, "recover DB -o jsonl");
    let got: Vec<_> = rows(&listed)
        .iter()
        .map(|row| {
            let key = row["key"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned();
            (
                key,
                row["deletion_of"].as_str().map(str::to_owned),
                row["restored_revision"].as_i64(),
            )
        })
        .collect();
    let expected = [
        ("by-itself", Some("object"), Some(3)),
        ("by-namespace", Some("namespace"), Some(4)),
        ("late", Some("namespace"), None),
        ("later", None, Some(15)),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(key, of, main)| ((*key).to_owned(), of.map(str::to_owned), *main))
        .collect();
    assert_eq!(got, expected, "{}", listed.stderr);
    let yaml = run(&scratch, &image, "recover DB -o yaml");
    assert_eq!(yaml.text().matches("k: full").count(), 3, "{}", yaml.text());
    assert!(!yaml.text().contains("empty"));
    assert!(
        yaml.stderr
            .contains("1 were made while the deletion went on"),
        "{}",
        yaml.stderr
    );
    let last = run(&scratch, &image, "recover DB -o yaml --last");
    assert_eq!(last.text().matches("k: empty").count(), 2);
}

#[test]
fn what_went_with_its_owner_comes_back_as_of_before_the_owner_went_and_behind_it() {
    let mut store = Store::new(Version::V3_6);
    let owner = json!({"metadata": {"ownerReferences": [{"uid": "uid-of-z-owner", "kind": "ConfigMap", "name": "z-owner"}]}});
    store.put(
        "/registry/configmaps/a/z-owner",
        object("ConfigMap", "a", "z-owner", json!({})),
    );
    let with = |data: &str| json!({"metadata": owner["metadata"], "data": {"k": data}});
    store.put(
        "/registry/configmaps/a/owned",
        object("ConfigMap", "a", "owned", with("full")),
    );
    store.delete("/registry/configmaps/a/z-owner");
    store.put(
        "/registry/configmaps/a/owned",
        object("ConfigMap", "a", "owned", with("empty")),
    );
    store.delete("/registry/configmaps/a/owned");
    let scratch = Scratch::new("recover-owner");
    let image = store.builder().build().bytes;
    let listed = rows(&run(&scratch, &image, "recover DB -o jsonl"));
    let keys: Vec<_> = listed
        .iter()
        .map(|row| row["key"].as_str().unwrap())
        .collect();
    assert_eq!(
        keys,
        [
            "/registry/configmaps/a/z-owner",
            "/registry/configmaps/a/owned"
        ],
        "the owner first"
    );
    assert_eq!(
        (&listed[1]["deletion_of"], &listed[1]["restored_revision"]),
        (&json!("owner"), &json!(3))
    );
    let yaml = run(&scratch, &image, "recover DB -o yaml");
    assert!(
        yaml.text().contains("k: full") && !yaml.text().contains("ownerReferences"),
        "{}",
        yaml.text()
    );
}

#[test]
fn deletions_that_were_compacted_come_back_from_freed_pages() {
    let mut store = Store::new(Version::V3_6);
    let key = |name: &str| format!("/registry/configmaps/a/{name}");
    for name in ["told", "untold", "stays"] {
        store.put(
            key(name),
            object("ConfigMap", "a", name, json!({"data": {"k": "full"}})),
        );
    }
    store.delete(key("told"));
    let before = store.key_bucket();
    store.delete(key("untold"));
    store.put(
        key("stays"),
        object("ConfigMap", "a", "stays", json!({"data": {"k": "2"}})),
    );
    store.put(
        key("stays"),
        object("ConfigMap", "a", "stays", json!({"data": {"k": "3"}})),
    );
    store.compact(8);
    let scratch = Scratch::new("recover-carved");
    let image = store.builder().stale(before).build().bytes;
    let plain = run(&scratch, &image, "recover DB");
    assert_eq!(plain.code, 1);
    assert!(plain.stderr.contains("--carve"), "{}", plain.stderr);
    let carved = run(&scratch, &image, "recover DB --carve -o jsonl");
    let listed = rows(&carved);
    assert_eq!(listed.len(), 2, "{}", carved.text());
    assert_eq!(
        (&listed[0]["key"], &listed[0]["deleted_at"]),
        (&json!(key("told")), &json!(5))
    );
    assert_eq!(
        (&listed[1]["key"], &listed[1]["deleted_at_or_before"]),
        (&json!(key("untold")), &json!(8))
    );
    assert!(listed.iter().all(|row| row["origin"] == "carved-a"));
    let table = run(&scratch, &image, "recover DB --carve");
    assert!(table.text().contains("<=8"), "{}", table.text());
    assert!(
        table.stderr.contains("2 of 2 come from freed pages"),
        "{}",
        table.stderr
    );
}

#[test]
fn keys_that_are_no_objects_are_listed_and_written_as_they_are() {
    let mut store = Store::new(Version::V3_6);
    store.put("plain\x00key", b"\xff\x00bytes".to_vec());
    store.put("text", "words");
    store.delete("plain\x00key");
    store.delete("text");
    let scratch = Scratch::new("recover-plain");
    let image = store.builder().build().bytes;
    let folder = scratch.path().join("out");
    let written = run(
        &scratch,
        &image,
        &format!("recover DB --out {}", folder.to_str().unwrap()),
    );
    assert_eq!(written.code, 0, "{}", written.stderr);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let contents: Vec<_> = files
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    assert_eq!(contents, [b"\xff\x00bytes".to_vec(), b"words".to_vec()]);
    assert!(
        files
            .iter()
            .all(|path| path.extension().unwrap() == "value"),
        "kubectl leaves them alone"
    );
    let stream = run(&scratch, &image, "recover DB -o yaml");
    assert_eq!((stream.code, stream.text()), (1, ""));
    assert!(
        stream
            .stderr
            .contains("2 are no objects (plain\\x00key, ...): --out writes their values")
    );
}

#[test]
fn two_runs_of_kubectl_are_asked_for_where_definitions_and_their_objects_come_back_together() {
    let mut store = Store::new(Version::V3_6);
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "books.example.com"},
        "spec": {"group": "example.com", "names": {"plural": "books", "kind": "Book"}, "scope": "Namespaced", "version": "v1"},
    });
    let crd = "/registry/apiextensions.k8s.io/customresourcedefinitions/books.example.com";
    store.put(crd, definition.to_string());
    store.put(
        "/registry/example.com/books/a/b",
        object("Book", "a", "b", json!({"spec": {}})),
    );
    store.delete("/registry/example.com/books/a/b");
    store.delete(crd);
    let scratch = Scratch::new("recover-crd");
    let image = store.builder().build().bytes;
    let yaml = run(&scratch, &image, "recover DB -o yaml");
    let kinds: Vec<_> = yaml
        .text()
        .lines()
        .filter(|line| line.starts_with("kind:"))
        .collect();
    assert_eq!(
        kinds,
        ["kind: CustomResourceDefinition", "kind: Book"],
        "{}",
        yaml.stderr
    );
    assert!(
        yaml.text()
            .contains("apiVersion: apiextensions.k8s.io/v1\n")
    );
    assert!(
        yaml.stderr.contains("run `kubectl apply` twice"),
        "{}",
        yaml.stderr
    );
}
