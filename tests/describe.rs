//! `show ADDRESS`: one object in short, with its owners, its last changes and its Events.

use crate::support::{etcdive, etcdive_line};

const DB: &str = "testdata/healthy/k8s/after.db";

fn described(line: &str) -> String {
    let run = etcdive_line(&format!("show {DB} {line}"));
    assert_eq!(run.code, 0, "{line}: {}", run.stderr);
    run.text().to_owned()
}

/// The name of a pod of the deployment web.
fn pod() -> String {
    let run = etcdive([
        "get", DB, "pods", "-n", "prod", "-l", "app=web", "-o", "name",
    ]);
    run.text().lines().next().unwrap().to_owned()
}

#[test]
fn an_object_without_a_revision_is_described() {
    let text = described("deploy/web -n prod");
    for part in [
        "Name:         web\n",
        "Namespace:    prod\n",
        "Kind:         Deployment (apps/v1)\n",
        "Key:          /registry/deployments/prod/web\n",
        "retained changes:\nREVISION  TYPE",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // The last changes are those of log.
    let log = etcdive(["log", DB, "deploy/web", "-n", "prod", "--limit", "5"]);
    for line in log.text().lines().skip(1) {
        let revision = line.split_whitespace().next().unwrap();
        assert!(text.contains(revision), "{revision}\n{text}");
    }
    // As two words it is the same.
    assert_eq!(described("deploy web -n prod"), text);
}

#[test]
fn owners_are_followed_to_the_last() {
    let text = described(&format!("{} -n prod", pod()));
    let owned = text
        .lines()
        .find(|line| line.starts_with("Owned by:"))
        .unwrap();
    let (replica_set, deployment) = owned.split_once(" <- ").unwrap();
    assert!(
        replica_set.contains("ReplicaSet/web-") && deployment == "Deployment/web",
        "{owned}"
    );
    assert!(text.contains("Status:       Running"), "{text}");
}

#[test]
fn the_events_of_an_object_are_those_of_the_verb_events() {
    let name = etcdive_line(&format!("events {DB} -n prod -o jsonl"));
    let row: serde_json::Value = serde_json::from_str(name.text().lines().last().unwrap()).unwrap();
    let kind = row["object_kind"].as_str().unwrap().to_lowercase();
    let about = format!("{kind}/{}", row["object_name"].as_str().unwrap());
    let text = described(&format!("{about} -n prod"));
    let events = text.split("ubernetes events").nth(1).unwrap();
    assert!(events.contains(row["reason"].as_str().unwrap()), "{text}");
    let all = etcdive_line(&format!("events {DB} -n prod --for {about} --no-headers"));
    assert_eq!(
        events.lines().count().saturating_sub(2),
        all.text().lines().count().min(10),
        "{text}"
    );
}

#[test]
fn a_deleted_object_is_described_with_its_deletion() {
    let text = described("deploy/cart-0 -n shop");
    assert!(
        text.contains("DELETED:      at revision 2459, 2026-11-20T21:12:07Z"),
        "{text}"
    );
}

#[test]
fn a_secret_is_described_without_its_values() {
    let list = etcdive_line(&format!("get {DB} secrets -n prod -o name"));
    let name = list.text().lines().next().unwrap();
    let text = described(&format!("{name} -n prod"));
    assert!(text.contains("Kind:         Secret"), "{text}");
    let yaml = etcdive_line(&format!("get {DB} {name} -n prod -o jsonpath={{.data.*}}"));
    for value in yaml.text().split_whitespace() {
        assert!(!text.contains(value), "{text}");
    }
}

#[test]
fn forms_with_a_revision_and_json_are_as_they_were() {
    for line in [
        "cm/frozen@507 -n prod",
        "cm/frozen -n prod --at 507",
        "cm/frozen@@ -n prod",
    ] {
        assert!(
            described(line).starts_with("# /registry/configmaps/prod/frozen  revision "),
            "{line}"
        );
    }
    let json = described("cm/frozen -n prod -o jsonl");
    assert!(json.starts_with("{\"main\":2186,"), "{json}");
    assert!(described("2185").starts_with("revision 2185  "));
    assert!(described("/registry/configmaps/prod/frozen").starts_with("# /registry/"));
}
