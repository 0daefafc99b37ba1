//! What was deleted and exists all the same: written again, hanging on a finalizer, in a namespace that is Terminating.

use serde_json::{Value, json};

use super::synthetic::{object, rows, run};
use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch};

const MARK: &str = "2026-01-01T00:00:00Z";

fn config_map(name: &str, data: &str, metadata: Value) -> Vec<u8> {
    let more = json!({"metadata": metadata, "data": {"k": data}});
    object("ConfigMap", "a", name, more)
}

fn key(name: &str) -> String {
    format!("/registry/configmaps/a/{name}")
}

fn namespace(metadata: Value) -> Vec<u8> {
    object("Namespace", "", "a", json!({ "metadata": metadata }))
}

fn ask(store: &Store, name: &str, line: &str) -> Run {
    let scratch = Scratch::new(&format!("recover-existing-{name}"));
    let image = store.builder().build().bytes;
    run(&scratch, &image, line)
}

#[track_caller]
fn has(run: &Run, part: &str) {
    assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
}

/// `one` is created at 2, written at 3, deleted at 4, made again at 5, deleted at 6, made again at 7.
fn made_again() -> Store {
    let mut store = Store::new(Version::V3_6);
    for data in ["first", "second"] {
        store.put(key("one"), config_map("one", data, json!({})));
    }
    store.delete(key("one"));
    store.put(key("one"), config_map("one", "third", json!({})));
    store.delete(key("one"));
    store.put(key("one"), config_map("one", "fourth", json!({})));
    store
}

#[test]
fn an_object_that_was_made_again_is_shown_with_each_earlier_deletion_and_its_command() {
    let store = made_again();
    let asked = ask(&store, "again", "recover DB cm/one -n a");
    assert_eq!((asked.code, asked.text()), (1, ""));
    let exists = "note: /registry/configmaps/a/one exists; an earlier object of this key was deleted at revision";
    for (deleted, last) in [(4, 3), (6, 5)] {
        has(
            &asked,
            &format!("{exists} {deleted}\nhint: `etcdive recover "),
        );
        has(
            &asked,
            &format!(" /registry/configmaps/a/one --at {last} -o yaml` shows it\n"),
        );
    }
    // The command is right.
    let shown = ask(
        &store,
        "again-at",
        "recover DB /registry/configmaps/a/one --at 3 -o yaml",
    );
    assert!(shown.text().contains("k: second"), "{}", shown.text());
    // Nothing is said of it if it was not asked for by name.
    let all = ask(&store, "again-all", "recover DB -n a");
    assert!(!all.stderr.contains("an earlier object"), "{}", all.stderr);
}

#[test]
fn a_range_lists_every_deletion_in_it() {
    let store = made_again();
    let listed = rows(&ask(&store, "range", "recover DB 1..7 -o jsonl"));
    let told: Vec<_> = listed
        .iter()
        .map(|row| {
            (
                row["deleted_at"].clone(),
                row["restored_revision"].clone(),
                row["left_out"].clone(),
            )
        })
        .collect();
    let again = json!("made-again");
    let expected =
        [(4, 3), (6, 5)].map(|(deleted, last)| (json!(deleted), json!(last), again.clone()));
    assert_eq!(told, expected);
    let one = rows(&ask(&store, "range-one", "recover DB 4..6 -o jsonl"));
    assert_eq!(one.len(), 1);
    assert_eq!(one[0]["deleted_at"], 6);
    // It is listed, and no manifest is written of it: the object exists.
    let table = ask(&store, "range-table", "recover DB 1..7");
    assert_eq!(
        table.text().matches("(made-again)").count(),
        2,
        "{}",
        table.text()
    );
    has(
        &table,
        "2  -                deleted, and created again later: 2 ConfigMap",
    );
}

#[test]
fn an_object_that_hangs_on_a_finalizer_is_reported_with_the_version_before() {
    let mut store = Store::new(Version::V3_6);
    let finalizers = json!({"finalizers": ["acme.io/cleanup"]});
    store.put(key("one"), config_map("one", "full", finalizers));
    let going = json!({"finalizers": ["acme.io/cleanup"], "deletionTimestamp": MARK});
    store.put(key("one"), config_map("one", "full", going.clone()));
    store.put(key("one"), config_map("one", "empty", going));
    for line in ["recover DB cm/one -n a", "recover DB -n a"] {
        let asked = ask(&store, "finalizer", line);
        assert_eq!(asked.code, 1, "{}", asked.stderr);
        has(
            &asked,
            "/registry/configmaps/a/one is being deleted since revision 3: it is deleted when these finalizers are removed: acme.io/cleanup",
        );
        has(
            &asked,
            " /registry/configmaps/a/one --at 2 -o yaml` is the version before\n",
        );
    }
}

#[test]
fn a_namespace_that_is_terminating_says_what_is_left_and_which_revision_has_all() {
    let mut store = Store::new(Version::V3_6);
    store.put("/registry/namespaces/a", namespace(json!({})));
    for name in ["one", "two", "three"] {
        store.put(key(name), config_map(name, "full", json!({})));
    }
    let mark = namespace(json!({"deletionTimestamp": MARK}));
    store.put("/registry/namespaces/a", mark);
    store.delete(key("one"));
    let asked = ask(&store, "terminating", "recover DB -n a");
    has(
        &asked,
        "note: namespace a is Terminating since revision 6 (",
    );
    has(
        &asked,
        "2 objects are still in it and will be deleted; nothing can be created in it until it is removed",
    );
    has(&asked, " -n a --at 5` has all of it");
    assert!(
        asked.text().contains("/configmaps/a/one"),
        "{}",
        asked.text()
    );
    let all = ask(&store, "terminating-at", "recover DB -n a --at 5 -o name");
    assert_eq!(all.text().lines().count(), 4, "{}", all.text());
}

#[test]
fn a_namespace_that_was_deleted_twice_comes_back_as_it_was_the_second_time() {
    let mut store = Store::new(Version::V3_6);
    let mark = namespace(json!({"deletionTimestamp": MARK}));
    for round in ["first", "second"] {
        store.put("/registry/namespaces/a", namespace(json!({})));
        store.put(key(round), config_map(round, round, json!({})));
        store.put(key("both"), config_map("both", round, json!({})));
        store.put("/registry/namespaces/a", mark.clone());
        store.delete(key(round));
        store.delete(key("both"));
        store.delete("/registry/namespaces/a");
    }
    let names = ask(&store, "twice", "recover DB -n a -o name");
    let expected = ["/registry/namespaces/a", &key("both"), &key("second")];
    assert_eq!(names.text().lines().collect::<Vec<_>>(), expected);
    let all = rows(&ask(&store, "twice-rows", "recover DB -n a -o jsonl"));
    let first = all.iter().find(|row| row["name"] == "first").unwrap();
    assert_eq!(first["left_out"], "before");
    let yaml = ask(&store, "twice-yaml", "recover DB -n a -o yaml --before");
    assert!(yaml.text().contains("k: first") && yaml.text().contains("k: second"));
    // A namespace that exists again says nothing of what was deleted before.
    store.put("/registry/namespaces/a", namespace(json!({})));
    let names = ask(&store, "thrice", "recover DB -n a -o name");
    let expected = [key("both"), key("first"), key("second")];
    assert_eq!(names.text().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_an_upgrade_of_its_release_removed_stays_away() {
    let release = |version: i64, status: &str| {
        let labels = json!({"owner": "helm", "name": "rel", "status": status});
        let name = format!("sh.helm.release.v1.rel.v{version}");
        object(
            "Secret",
            "a",
            &name,
            json!({"metadata": {"labels": labels}}),
        )
    };
    let release_key =
        |version: i64| format!("/registry/secrets/a/sh.helm.release.v1.rel.v{version}");
    let made = |name: &str| {
        let annotations =
            json!({"meta.helm.sh/release-name": "rel", "meta.helm.sh/release-namespace": "a"});
        config_map(name, "full", json!({ "annotations": annotations }))
    };
    let mut store = Store::new(Version::V3_6);
    store.put(release_key(1), release(1, "deployed"));
    for name in ["dropped", "kept", "later"] {
        store.put(key(name), made(name));
    }
    // Helm writes the state twice.
    store.put(release_key(2), release(2, "pending-upgrade"));
    store.put(release_key(2), release(2, "pending-upgrade"));
    store.delete(key("dropped"));
    store.put(release_key(1), release(1, "superseded"));
    store.put(release_key(2), release(2, "deployed"));
    // An upgrade that never ended removed nothing that is known.
    store.put(release_key(3), release(3, "pending-upgrade"));
    store.delete(key("later"));
    store.delete(key("kept"));
    let names = ask(&store, "upgrade", "recover DB -n a -o name");
    let expected = [key("kept"), key("later")];
    assert_eq!(
        names.text().lines().collect::<Vec<_>>(),
        expected,
        "{}",
        names.stderr
    );
    let before = ask(&store, "upgrade-before", "recover DB -n a -o name --before");
    assert_eq!(before.text().lines().count(), 3, "{}", before.stderr);
}

#[test]
fn objects_that_were_made_again_are_counted_if_nobody_named_one() {
    let all = ask(&made_again(), "count", "recover DB -n a");
    has(
        &all,
        "note: 1 object was deleted and created again (/registry/configmaps/a/one)",
    );
    has(&all, " 1..@` lists every retained deletion");
}

#[test]
fn a_webhook_that_exists_and_asks_a_service_that_comes_back_is_reported() {
    let mut store = Store::new(Version::V3_6);
    let service = json!({"namespace": "a", "name": "hook"});
    let webhooks =
        json!([{"name": "h", "failurePolicy": "Fail", "clientConfig": {"service": service}}]);
    let kind = "ValidatingWebhookConfiguration";
    let configuration = object(kind, "", "guard", json!({ "webhooks": webhooks }));
    store.put(
        "/registry/validatingwebhookconfigurations/guard",
        configuration,
    );
    store.put(
        "/registry/services/specs/a/hook",
        object("Service", "a", "hook", json!({"spec": {}})),
    );
    store.delete("/registry/services/specs/a/hook");
    let yaml = ask(&store, "webhook", "recover DB -n a -o yaml");
    has(
        &yaml,
        "1 webhook configuration exists (/registry/validatingwebhookconfigurations/guard), and its service comes back without a running pod",
    );
}

#[test]
fn an_earlier_life_that_nobody_asked_for_is_not_read() {
    let mut store = Store::new(Version::V3_6);
    store.put(key("one"), b"k8s\0 damaged after its mark");
    store.delete(key("one"));
    store.put(key("one"), config_map("one", "second", json!({})));
    store.delete(key("one"));
    store.put(key("one"), config_map("one", "third", json!({})));
    // The last one is counted, and nothing is wrong with it.
    let all = ask(&store, "unread", "recover DB -n a");
    assert_eq!(all.code, 1, "{}", all.stderr);
    has(&all, "1 object was deleted and created again");
    // A range asks for both.
    let range = ask(&store, "unread-range", "recover DB 1..@");
    assert_eq!(range.code, 3, "{}", range.stderr);
}
