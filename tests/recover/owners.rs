//! The deletion of an owner decides which version of an owned object comes back, whatever else was asked for.

use serde_json::{Value, json};

use super::synthetic::{object, rows, run};
use crate::support::Scratch;
use crate::support::synth::etcd::{Store, Version};

fn key(name: &str) -> String {
    format!("/registry/configmaps/a/{name}")
}

fn config_map(name: &str, data: &str, owners: &[&str]) -> Vec<u8> {
    let reference = |owner: &&str| json!({"uid": format!("uid-of-{owner}"), "kind": "ConfigMap", "name": owner});
    let owners: Vec<Value> = owners.iter().map(reference).collect();
    let more = json!({"metadata": {"ownerReferences": owners}, "data": {"k": data}});
    object("ConfigMap", "a", name, more)
}

/// Puts at revision 2 and on, in this order.
fn store(objects: &[(&str, &[&str])]) -> Store {
    let mut store = Store::new(Version::V3_6);
    for (name, owners) in objects {
        store.put(key(name), config_map(name, "full", owners));
    }
    store
}

/// Writes `owned` once more, empty, and deletes it.
fn empty_and_delete(store: &mut Store, owners: &[&str]) {
    store.put(key("owned"), config_map("owned", "empty", owners));
    store.delete(key("owned"));
}

/// Why and from when `owned` went, and as of when it comes back.
fn told(store: &Store, name: &str) -> (Value, Value, Value) {
    let scratch = Scratch::new(&format!("recover-owners-{name}"));
    let image = store.builder().build().bytes;
    let rows = rows(&run(
        &scratch,
        &image,
        "recover DB /registry/configmaps/a/owned -o jsonl",
    ));
    let row = |name: &str| rows[0].get(name).cloned().unwrap_or_default();
    (
        row("deletion_of"),
        row("deletion_began"),
        row("restored_revision"),
    )
}

#[test]
fn an_owner_that_was_not_asked_for_counts_as_well() {
    let mut store = store(&[("owner", &[]), ("owned", &["owner"])]);
    store.delete(key("owner"));
    empty_and_delete(&mut store, &["owner"]);
    assert_eq!(
        told(&store, "unasked"),
        (json!("owner"), json!(4), json!(3))
    );
}

#[test]
fn of_several_owners_the_last_to_go_counts() {
    let owners = ["first", "last"];
    let mut store = store(&[("first", &[]), ("last", &[]), ("owned", &owners)]);
    store.delete(key("first"));
    store.put(key("owned"), config_map("owned", "between", &owners));
    store.delete(key("last"));
    empty_and_delete(&mut store, &owners);
    assert_eq!(told(&store, "last"), (json!("owner"), json!(7), json!(6)));
}

#[test]
fn nothing_goes_with_its_owners_while_one_stays_or_is_not_known() {
    for (name, other) in [("stays", "there"), ("unknown", "never-seen")] {
        let owners = ["gone", other];
        let mut store = store(&[("gone", &[]), ("there", &[]), ("owned", &owners)]);
        store.delete(key("gone"));
        empty_and_delete(&mut store, &owners);
        assert_eq!(told(&store, name), (Value::Null, Value::Null, json!(6)));
    }
}

#[test]
fn an_owner_that_goes_later_has_nothing_to_do_with_it() {
    let mut store = store(&[("owner", &[]), ("owned", &["owner"])]);
    empty_and_delete(&mut store, &["owner"]);
    store.delete(key("owner"));
    assert_eq!(told(&store, "later"), (Value::Null, Value::Null, json!(4)));
}

#[test]
fn a_chain_of_owners_is_followed_to_its_beginning_however_long() {
    const LINKS: usize = 40;
    let names: Vec<String> = (0..LINKS).map(|link| format!("link-{link}")).collect();
    let mut store = store(&[("link-0", &[])]);
    for pair in names.windows(2) {
        store.put(key(&pair[1]), config_map(&pair[1], "full", &[&pair[0]]));
    }
    let last = [names[LINKS - 1].as_str()];
    let full = store.put(key("owned"), config_map("owned", "full", &last));
    let went = store.delete(key("link-0"));
    store.put(key("owned"), config_map("owned", "empty", &last));
    for name in &names[1..] {
        store.delete(key(name));
    }
    store.delete(key("owned"));
    assert_eq!(
        told(&store, "chain"),
        (json!("owner"), json!(went), json!(full))
    );
}

#[test]
fn owners_of_each_other_end() {
    let mut store = store(&[("other", &["owned"]), ("owned", &["other"])]);
    store.delete(key("other"));
    empty_and_delete(&mut store, &["other"]);
    assert_eq!(told(&store, "circle"), (json!("owner"), json!(4), json!(3)));
}

#[test]
fn a_reference_stays_only_to_an_owner_that_is_there_and_when_asked_for() {
    let owners = ["gone", "there"];
    let mut store = store(&[("gone", &[]), ("there", &[]), ("owned", &owners)]);
    store.delete(key("owned"));
    store.delete(key("gone"));
    let scratch = Scratch::new("recover-keep-owners");
    let image = store.builder().build().bytes;
    let line = "recover DB /registry/configmaps/a/owned -o yaml";
    let plain = run(&scratch, &image, line);
    assert!(!plain.text().contains("uid-of-"), "{}", plain.text());
    assert!(
        plain
            .stderr
            .contains("1 manifest lacks references to owners")
            && plain.stderr.contains("--keep-owners"),
        "{}",
        plain.stderr
    );
    let kept = run(&scratch, &image, &format!("{line} --keep-owners"));
    assert!(
        kept.text().contains("uid-of-there") && !kept.text().contains("uid-of-gone"),
        "{}",
        kept.text()
    );
    assert!(
        kept.stderr
            .contains("1 manifest lacks references to owners that do not exist"),
        "{}",
        kept.stderr
    );
}
