//! Deletions as they rarely are: carved, of owners, of plain keys, encrypted, while the namespace goes.

use serde_json::{Value, json};

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive};

pub fn object(kind: &str, namespace: &str, name: &str, more: Value) -> Vec<u8> {
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

pub fn run(scratch: &Scratch, image: &[u8], line: &str) -> Run {
    let db = scratch.file("db", image);
    etcdive(line.split(' ').map(|word| {
        if word == "DB" {
            db.to_str().unwrap()
        } else {
            word
        }
    }))
}

/// The rows, oldest of the order of creation first.
pub fn rows(run: &Run) -> Vec<Value> {
    let lines = run.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_was_before_a_deletion_began_may_be_compacted() {
    let mut store = Store::new(Version::V3_6);
    let key = "/registry/configmaps/a/one";
    let going =
        json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "data": {"k": "going"}});
    store.put(
        key,
        object("ConfigMap", "a", "one", json!({"data": {"k": "full"}})),
    );
    store.put(key, object("ConfigMap", "a", "one", going));
    store.compact(3);
    store.delete(key);
    let scratch = Scratch::new("recover-late");
    let image = store.builder().build().bytes;
    let listed = run(&scratch, &image, "recover DB -o jsonl");
    let row = &rows(&listed)[0];
    assert_eq!(
        (
            &row["comes_back"],
            &row["restored_revision"],
            &row["after_deletion_began"]
        ),
        (&json!(true), &json!(3), &json!(true))
    );
    assert!(
        listed
            .stderr
            .contains("1 of them are as they were after their deletion began")
            && listed.stderr.contains("--carve"),
        "{}",
        listed.stderr
    );
    let yaml = run(&scratch, &image, "recover DB -o yaml");
    assert!(
        yaml.text().contains("k: going") && !yaml.text().contains("deletionTimestamp"),
        "{}",
        yaml.text()
    );
}

#[test]
fn a_namespace_that_was_deleted_after_the_compaction_shows_nothing_of_earlier_deletions() {
    let mut store = Store::new(Version::V3_6);
    let key = "/registry/configmaps/a/one";
    store.put(
        "/registry/namespaces/a",
        object("Namespace", "", "a", json!({})),
    );
    store.put(key, object("ConfigMap", "a", "one", json!({})));
    let before = store.key_bucket();
    store.delete(key);
    store.put("plain", "x");
    store.compact(5);
    store.delete("/registry/namespaces/a");
    let scratch = Scratch::new("recover-namespace-later");
    let image = store.builder().stale(before).build().bytes;
    let listed = rows(&run(
        &scratch,
        &image,
        &format!("recover DB {key} --carve -o jsonl"),
    ));
    assert_eq!(
        (
            &listed[0]["deleted_at_or_before"],
            listed[0].get("deletion_began")
        ),
        (&json!(5), None),
        "{listed:?}"
    );
}

#[test]
fn what_stays_encrypted_is_listed_and_does_not_come_back() {
    let mut store = Store::new(Version::V3_6);
    let key = "/registry/secrets/a/one";
    store.put(
        key,
        b"k8s:enc:aescbc:v1:k:sixteen bytes and more bytes".to_vec(),
    );
    store.put(
        "/registry/configmaps/a/two",
        object("ConfigMap", "a", "two", json!({})),
    );
    store.delete(key);
    store.delete("/registry/configmaps/a/two");
    let scratch = Scratch::new("recover-encrypted");
    let image = store.builder().build().bytes;
    let listed = run(&scratch, &image, "recover DB -o jsonl");
    let row = rows(&listed)
        .into_iter()
        .find(|row| row["key"] == key)
        .unwrap();
    assert_eq!(
        (&row["comes_back"], &row["unreadable"]),
        (&json!(false), &json!("encrypted"))
    );
    let table = run(&scratch, &image, "recover DB");
    assert!(
        table.text().contains("encrypted") && table.text().contains(key),
        "{}",
        table.text()
    );
    assert!(
        table
            .stderr
            .contains("1 cannot be read and does not come back (/registry/secrets/a/one)"),
        "{}",
        table.stderr
    );
    let names = run(&scratch, &image, "recover DB -o name");
    assert_eq!(names.text(), "/registry/configmaps/a/two\n");
    let yaml = run(&scratch, &image, "recover DB -o yaml");
    assert_eq!(
        yaml.code, 3,
        "it is not all that was asked for: {}",
        yaml.stderr
    );
    assert_eq!(yaml.text().matches("---").count(), 1);
}

#[test]
fn a_claim_says_in_its_first_lines_which_volume_it_had() {
    let mut store = Store::new(Version::V3_6);
    let hostile = "pv\nkind: Pod";
    for (name, volume) in [("one", "pv-1"), ("two", hostile)] {
        let key = format!("/registry/persistentvolumeclaims/a/{name}");
        let bound = json!({"annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}});
        let spec =
            json!({"metadata": bound, "spec": {"volumeName": volume, "volumeMode": "Block"}});
        store.put(
            key.clone(),
            object("PersistentVolumeClaim", "a", name, spec),
        );
        store.delete(key);
    }
    let scratch = Scratch::new("recover-claims");
    let image = store.builder().build().bytes;
    let yaml = run(&scratch, &image, "recover DB -o yaml");
    assert!(
        yaml.text()
            .contains("---\n# It was bound to volume pv-1, which is not in the file."),
        "{}",
        yaml.text()
    );
    let kinds: Vec<&str> = yaml
        .text()
        .lines()
        .filter(|line| line.starts_with("kind:"))
        .collect();
    assert_eq!(kinds, ["kind: PersistentVolumeClaim"; 2]);
    assert!(
        yaml.stderr.contains("2 claims were bound to volumes"),
        "{}",
        yaml.stderr
    );
}

#[test]
fn the_status_of_a_custom_resource_stays_unless_its_definition_takes_it_away() {
    let definition = |plural: &str, subresources: Value| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.example.com")},
            "spec": {"group": "example.com", "names": {"plural": plural, "kind": "Book"}, "scope": "Namespaced",
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": subresources}]},
        })
    };
    let mut store = Store::new(Version::V3_6);
    for (plural, subresources) in [("books", json!({})), ("tomes", json!({"status": {}}))] {
        let crd = format!(
            "/registry/apiextensions.k8s.io/customresourcedefinitions/{plural}.example.com"
        );
        store.put(crd, definition(plural, subresources).to_string());
        let key = format!("/registry/example.com/{plural}/a/one");
        let status = json!({"spec": {}, "status": {"of": plural}});
        store.put(key.clone(), object("Book", "a", "one", status));
        store.delete(key);
    }
    let scratch = Scratch::new("recover-status");
    let image = store.builder().build().bytes;
    let yaml = run(&scratch, &image, "recover DB -o yaml");
    assert!(
        yaml.text().contains("of: books") && !yaml.text().contains("of: tomes"),
        "{}",
        yaml.text()
    );
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
    // ReadValue to go itself, then emptied.
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
            .contains("1  --last           created during the deletion"),
        "{}",
        yaml.stderr
    );
    let last = run(&scratch, &image, "recover DB -o yaml --last");
    assert_eq!(last.text().matches("k: empty").count(), 2);
}

#[test]
fn what_was_deleted_with_its_owner_comes_back_as_of_before_the_owner_was_deleted_and_after_it() {
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
    assert!(stream.stderr.contains(
        "2 values are left out of the stream (plain\\x00key, ...): --out writes the values"
    ));
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
        yaml.stderr.contains("run `kubectl create` twice"),
        "{}",
        yaml.stderr
    );
}
