//! What was deleted comes back: the objects as they were before their deletion began, as manifests.

mod cases;
mod controlled;
mod existing;
mod manifests;
mod owners;
mod plan;
mod synthetic;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Run, Scratch, etcdive, part, testdata};

fn after() -> String {
    testdata("healthy/k8s/after.db")
        .to_str()
        .unwrap()
        .to_owned()
}

fn run(line: &str) -> Run {
    let after = after();
    etcdive(
        line.split(' ')
            .map(|word| if word == "DB" { after.as_str() } else { word }),
    )
}

fn rows(run: &Run) -> Vec<Value> {
    let lines = run.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The objects that `get` shows of the namespace as of a revision, by key: what the store folds to.
fn fold(revision: i64) -> BTreeMap<String, Value> {
    let mut objects = BTreeMap::new();
    let listed = run(&format!("ls DB /registry/ --at {revision}"));
    let keys: Vec<&str> = listed.text().lines().collect();
    for key in keys {
        let inside = key.contains("/shop/") || key == "/registry/namespaces/shop";
        if inside && !key.contains("/events/") {
            let shown = run(&format!("extract DB -k {key} -o json -r {revision}"));
            objects.insert(key.to_owned(), serde_json::from_str(shown.text()).unwrap());
        }
    }
    objects
}

/// What the manifests of a folder hold, in the order of their names.
fn written(folder: &std::path::Path) -> Vec<(String, Value)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_norway::from_str(&text).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// Kinds that controllers make in that namespace.
const MADE: [&str; 5] = ["Pod", "ReplicaSet", "EndpointSlice", "Endpoints", "Event"];

/// The one Job of that namespace, which had ended.
const ENDED: &str = "import";

/// What a manifest leaves out of an object of that namespace, named one by one.
fn expected(mut object: Value) -> Value {
    object.as_object_mut().unwrap().remove("status");
    let kind = object["kind"].as_str().unwrap().to_owned();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for name in [
        "uid",
        "generation",
        "creationTimestamp",
        "managedFields",
        "deletionTimestamp",
    ] {
        metadata.remove(name);
    }
    if let Some(annotations) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove("deployment.kubernetes.io/revision");
        annotations.remove("volume.beta.kubernetes.io/storage-provisioner");
        annotations.remove("volume.kubernetes.io/storage-provisioner");
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    match kind.as_str() {
        "Namespace" => drop(object.as_object_mut().unwrap().remove("spec")),
        "Service" => {
            object["spec"].as_object_mut().unwrap().remove("clusterIP");
            object["spec"].as_object_mut().unwrap().remove("clusterIPs");
        }
        "Job" => {
            object["spec"].as_object_mut().unwrap().remove("selector");
            object["spec"]["template"]
                .as_object_mut()
                .unwrap()
                .remove("metadata");
            object["metadata"].as_object_mut().unwrap().remove("labels");
        }
        _ => {}
    }
    object
}

#[test]
fn a_deleted_namespace_comes_back_as_it_was_before_its_deletion_began() {
    let scratch = Scratch::new("recover-shop");
    let folder = scratch.path().join("restored");
    let out = folder.to_str().unwrap();
    let recovered = run(&format!("recover DB -n shop --out {out}"));
    assert_eq!(recovered.code, 0, "{}", recovered.stderr);
    let files = written(&folder);
    assert_eq!(recovered.text().lines().count(), files.len());
    // The revision that set deletionTimestamp and phase Terminating; and the one up to which only what controllers
    // own changed.
    for revision in [2222, 2272] {
        let objects = fold(revision).into_values();
        let is_made = |object: &Value| {
            let (kind, name) = (
                object["kind"].as_str().unwrap(),
                object["metadata"]["name"].as_str().unwrap(),
            );
            MADE.contains(&kind)
                || name == "kube-root-ca.crt"
                || name == ENDED
                || (kind == "ServiceAccount" && name == "default")
        };
        let name = |object: &Value| {
            format!(
                "{}/{}",
                object["kind"].as_str().unwrap(),
                object["metadata"]["name"].as_str().unwrap()
            )
        };
        let mut truth: BTreeMap<String, Value> = objects
            .filter(|object| !is_made(object))
            .map(|object| (name(&object), expected(object)))
            .collect();
        if revision == 2272 {
            // It is being deleted then, so it has a deletionTimestamp, which no manifest has.
            assert!(truth.contains_key("Namespace/shop"));
        }
        let got: BTreeMap<String, Value> = files
            .iter()
            .map(|(_, object)| (name(object), object.clone()))
            .collect();
        assert_eq!(
            got.keys().collect::<Vec<_>>(),
            truth.keys().collect::<Vec<_>>()
        );
        for (name, object) in got {
            let truth = truth.remove(&name).unwrap();
            assert_eq!(object, truth, "{name} at {revision}");
        }
    }
    assert_eq!(files.len(), 26);
    // What others need comes first.
    let kinds: Vec<&str> = files
        .iter()
        .map(|(_, object)| object["kind"].as_str().unwrap())
        .collect();
    let place = |kind: &str| kinds.iter().position(|one| *one == kind).unwrap();
    let order = [
        "Namespace",
        "ServiceAccount",
        "Secret",
        "ConfigMap",
        "PersistentVolumeClaim",
        "Role",
        "RoleBinding",
        "Service",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Book",
    ];
    assert!(order.map(place).is_sorted(), "{kinds:?}");
    assert!(files[0].0.starts_with("0001-namespace-shop."));
    // The deletion is explained.
    for told in [
        "namespace shop turned Terminating at revision 2223 (2026-11-20T21:11:20Z)",
        "the namespace itself at 2682",
        "26 come back (",
        "; 40 are left out:\n",
        "10  --controlled=owned         made by the controllers of their owners: 7 Pod, 3 ReplicaSet\n",
        "2  --controlled=of-namespace  made in every namespace: 1 ConfigMap, 1 ServiceAccount\n",
    ] {
        assert!(
            recovered.stderr.contains(told),
            "{told}: {}",
            recovered.stderr
        );
    }
    let again = run(&format!("recover DB -n shop --out {out}"));
    assert_eq!(again.code, 2, "nothing is overwritten");
}

#[test]
fn the_list_has_every_key_that_was_deleted_and_no_other() {
    let listed = rows(&run("recover DB -o jsonl"));
    let deleted = run("ls DB --deleted");
    let mut keys: Vec<&str> = listed
        .iter()
        .map(|row| row["key"].as_str().unwrap())
        .collect();
    keys.sort_unstable();
    assert_eq!(keys, deleted.text().lines().collect::<Vec<_>>());
    for row in part(&listed, 4) {
        let key = row["key"].as_str().unwrap();
        let history = rows(&run(&format!("log DB {key} -o jsonl")));
        assert_eq!(history[0]["type"], "delete", "{key}");
        assert_eq!(row["deleted_at"], history[0]["main"], "{key}");
        let began = row["deletion_began"].as_i64().unwrap_or(i64::MAX);
        let before = history
            .iter()
            .find(|event| event["type"] != "delete" && event["main"].as_i64().unwrap() < began);
        match before.filter(|event| event["create_revision"] == history[1]["create_revision"]) {
            Some(event) => assert_eq!(row["restored_revision"], event["main"], "{key}"),
            None => assert_eq!(row["comes_back"], false, "{key}"),
        }
    }
}

#[test]
fn every_flag_chooses_what_it_says() {
    let names = |line: &str| {
        let run = run(line);
        run.text().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // An object that had a deletion timestamp comes back as it was before it, and with --last as it was last.
    let one = "pods,deployments -n shop --controlled -o jsonl";
    let before = rows(&run(&format!("recover DB {one}")));
    let last = rows(&run(&format!("recover DB {one} --last")));
    let revision = |rows: &[Value], end: &str| {
        let row = rows
            .iter()
            .find(|row| row["key"].as_str().unwrap().ends_with(end))
            .unwrap();
        row["restored_revision"].as_i64().unwrap()
    };
    let history = rows(&run("log DB /registry/deployments/shop/cart-0 -o jsonl"));
    assert_eq!(
        revision(&last, "deployments/shop/cart-0"),
        history[1]["main"].as_i64().unwrap()
    );
    assert!(revision(&before, "deployments/shop/cart-0") < 2223);
    assert!(revision(&last, "deployments/shop/cart-0") > 2223);
    // What controllers make.
    let without = names("recover DB -n shop -o name");
    let with = names("recover DB -n shop -o name --controlled");
    assert_eq!((without.len(), with.len()), (26, 64));
    let owned = names("recover DB -n shop -o name --controlled=owned,of-namespace");
    assert_eq!(owned.len(), 26 + 9 + 2);
    // What had ended: the Job, and the pod that it made.
    let job = names("recover DB -n shop -o name --finished");
    assert_eq!(job.len(), 27);
    let all = names("recover DB -n shop -o name --controlled --finished");
    assert_eq!(all.len(), 66);
    // Deletions in a range of revisions, and in time.
    let all = rows(&run("recover DB -o jsonl"));
    let deleted = |row: &Value| row["deleted_at"].as_i64().unwrap();
    let expected = all
        .iter()
        .filter(|row| (2453..=2490).contains(&deleted(row)))
        .count();
    let ranged = rows(&run("recover DB 2452..2490 -o jsonl"));
    assert_eq!(ranged.len(), expected);
    assert!(
        expected > 5
            && ranged
                .iter()
                .all(|row| (2453..=2490).contains(&deleted(row)))
    );
    let since = rows(&run("recover DB -o jsonl --since 2026-11-20T21:13:00Z"));
    assert!(!since.is_empty() && since.len() < all.len());
    assert!(since.iter().all(|row| deleted(row) > 2517), "{since:?}");
    let until = rows(&run("recover DB -o jsonl --until 2026-11-20T21:11:20Z"));
    assert!(!until.is_empty() && until.iter().all(|row| deleted(row) < 2452));
    // As of a revision, what is there now included.
    let at = names("recover DB --at 2222 configmaps -A -o name");
    let listed = names("ls DB configmaps -A --at 2222");
    let servers = [
        "kube-root-ca.crt",
        "extension-apiserver-authentication",
        "kube-apiserver-legacy-service-account-token-tracking",
    ];
    let made = |key: &&String| !servers.iter().any(|name| key.ends_with(name));
    let mut at_sorted = at.clone();
    at_sorted.sort();
    assert_eq!(
        at_sorted,
        listed.iter().filter(made).cloned().collect::<Vec<_>>()
    );
    // Labels.
    let labelled = run("recover DB pods -n shop --controlled -o name -l app=cart-0");
    assert!(labelled.text().lines().all(|key| key.contains("cart-0")) && labelled.code == 0);
    // Nothing.
    let none = run("recover DB -n prod configmaps no-such-name");
    assert_eq!((none.code, none.text()), (1, ""));
    assert!(
        none.stderr
            .contains("\"no-such-name\" in namespace \"prod\" not found"),
        "{}",
        none.stderr
    );
    // What is after the end may have said that it was.
    let scratch = Scratch::new("recover-cut");
    let whole = std::fs::read(after()).unwrap();
    let cut = scratch.file("cut.db", &whole[..whole.len() / 3]);
    let line = ["recover", cut.to_str().unwrap(), "/registry/none/"];
    let none = etcdive(line);
    assert_eq!((none.code, none.text()), (3, ""));
    assert!(
        none.stderr
            .contains("no key starts with /registry/none/, and damage may hide it")
            && !none
                .stderr
                .contains("\"no-such-name\" in namespace \"prod\" not found"),
        "{}",
        none.stderr
    );
}

#[test]
fn exact_objects_are_whole_and_a_stream_is_what_the_files_are() {
    let exact = run("recover DB deployments -n shop --exact -o yaml --last");
    let stored = run("extract DB -k /registry/deployments/shop/cart-0 -r 2458");
    assert!(exact.text().contains(stored.text()), "{}", exact.text());
    let scratch = Scratch::new("recover-stream");
    let folder = scratch.path().join("restored");
    run(&format!(
        "recover DB -n shop --out {}",
        folder.to_str().unwrap()
    ));
    let stream = run("recover DB -n shop -o yaml");
    let documents: Vec<Value> = serde_norway::Deserializer::from_str(stream.text())
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect();
    let files: Vec<Value> = written(&folder)
        .into_iter()
        .map(|(_, object)| object)
        .collect();
    assert_eq!(documents, files);
    // A finalizer stays unless it is to go.
    let claim = "recover DB pvc -n shop -o yaml";
    assert!(run(claim).text().contains("pvc-protection"));
    assert!(
        !run(&format!("{claim} --strip-finalizers"))
            .text()
            .contains("pvc-protection")
    );
}
