//! Objects as an API server and auger printed them, of whole databases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use etcdive::bbolt::Direction;
use etcdive::cli::commands::decode::{Output, text_of};
use etcdive::diag::Diagnostics;
use etcdive::etcd::{Keyspace, Store};
use etcdive::k8s::object::{is_object, tree_of};
use etcdive::source::Source;
use serde_json::Value;

use crate::support::{case_roots, etcdive, files_below, read_unpacked};

/// The folders of healthy databases of a root.
fn healthy(root: &Path) -> PathBuf {
    if root.join("corpus").is_dir() {
        root.join("corpus")
    } else {
        root.join("healthy")
    }
}

/// Pairs of a database and the API server's objects of the same revision, where nothing is encrypted.
fn databases_with_truth() -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for root in case_roots() {
        for truth in files_below(&healthy(&root)) {
            let name = truth.file_name().unwrap().to_str().unwrap().to_owned();
            let Some(stem) = name
                .strip_suffix(".truth.json")
                .or_else(|| name.strip_suffix(".truth.json.gz"))
            else {
                continue;
            };
            let db = truth.with_file_name(format!("{stem}.db"));
            let is_kubernetes = db.with_extension("keys.tsv").is_file()
                && !truth
                    .components()
                    .any(|part| part.as_os_str() == "encrypted");
            if db.is_file() && is_kubernetes {
                found.push((db, truth));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

type Identity = (String, String, String, String);

fn identity(object: &Value) -> Identity {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    (
        text(&object["apiVersion"]),
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"]),
    )
}

/// The API server's objects by what they are.
fn truth_of(path: &Path) -> BTreeMap<Identity, Value> {
    let truth: Value = serde_json::from_slice(&read_unpacked(path)).unwrap();
    let mut objects = BTreeMap::new();
    for (resource, list) in truth["resources"].as_object().unwrap() {
        let (version, _) = resource.rsplit_once('/').unwrap();
        for item in list["items"].as_array().unwrap() {
            let mut item = item.clone();
            item["apiVersion"] = version.into();
            item["kind"] = list["kind"].clone();
            objects.insert(identity(&item), item);
        }
    }
    objects
}

#[test]
fn every_live_object_is_what_the_api_server_answers() {
    for (db, truth) in databases_with_truth() {
        let mut truth = truth_of(&truth);
        let run = etcdive([
            "get",
            db.to_str().unwrap(),
            "/registry/",
            "-o",
            "jsonl",
            "--show-managed-fields",
        ]);
        assert_eq!(run.code, 0, "{}: {}", db.display(), run.stderr);
        let (mut same, mut other_version, mut no_object) = (0, BTreeSet::new(), BTreeSet::new());
        for line in run.text().lines() {
            let mut object: Value = serde_json::from_str(line).unwrap();
            let who = identity(&object);
            if who.1 == "PodCertificateRequest" {
                // A field newer than the cluster, which the served object has as null.
                truth.get_mut(&who).unwrap()["spec"]
                    .as_object_mut()
                    .unwrap()
                    .remove("stubPKCS10Request");
                object["spec"]
                    .as_object_mut()
                    .unwrap()
                    .remove("stubPKCS10Request");
            }
            match truth.get(&who) {
                Some(served) => {
                    assert_eq!(served, &object, "{}: {who:?}", db.display());
                    same += 1;
                }
                None if ["CustomResourceDefinition", "VolumeAttributesClass"]
                    .contains(&who.1.as_str()) =>
                {
                    // Stored in another version than the API server prefers to serve.
                    assert!(
                        truth
                            .keys()
                            .any(|other| (&other.1, &other.3) == (&who.1, &who.3)),
                        "{who:?}"
                    );
                    other_version.insert((who.1, who.3));
                }
                None => drop(no_object.insert((
                    who.1,
                    who.2,
                    who.3,
                    object["metadata"]["resourceVersion"].to_string(),
                ))),
            }
        }
        // Neither allocators nor the endpoints of the API servers themselves are objects of the API.
        assert!(
            no_object
                .iter()
                .all(|(kind, namespace, name, _)| kind == "RangeAllocation"
                    || (kind == "Endpoints" && namespace.is_empty() && name.is_empty())),
            "{}: {no_object:?}",
            db.display()
        );
        assert!(
            no_object.len() <= 3
                && other_version
                    .iter()
                    .filter(|(kind, _)| kind == "VolumeAttributesClass")
                    .count()
                    <= 1
        );
        println!(
            "{}: {same} objects equal, {} in another version, {} no objects of the API",
            db.display(),
            other_version.len(),
            no_object.len()
        );
        assert!(same > 100);
    }
}

#[test]
fn every_value_ever_stored_is_decoded_without_a_note() {
    let mut decoded = 0;
    for (db, _) in databases_with_truth() {
        let (source, diagnostics) = (Source::open(&db).unwrap(), Diagnostics::new());
        let store = Store::open(&source, &diagnostics).unwrap();
        for record in store
            .records(Direction::Forward)
            .filter(|record| !record.tombstone)
        {
            let (tree, notes) = tree_of(record.value).unwrap();
            let what = String::from_utf8_lossy(record.key);
            assert!(is_object(&tree) && notes.is_empty(), "{what}: {notes:?}");
            decoded += 1;
        }
        assert!(!diagnostics.found_damage());
    }
    println!("{decoded} values decoded");
    assert!(decoded > 1000);
}

/// Resources of kinds that auger does not know: it printed an error.
const NOT_KNOWN_TO_AUGER: [&str; 7] = [
    "/registry/deviceclasses/",
    "/registry/podcertificaterequests/",
    "/registry/resourceclaims/",
    "/registry/resourceclaimtemplates/",
    "/registry/resourceslices/",
    "/registry/storageversionmigrations/",
    "/registry/workloads/",
];
/// Of this one auger dropped the status.
const DROPPED_BY_AUGER: &str = "/registry/devicetaintrules/";

/// The put with the highest version: what auger takes for the newest. Of a key that was deleted and
/// created again it may be an older incarnation.
fn highest_version<'a>(store: &Store<'a>, key: &[u8]) -> etcdive::etcd::Record<'a> {
    let history = etcdive::etcd::KeyHistory::of(store, key);
    history
        .events
        .iter()
        .rev()
        .map(|event| event.record)
        .max_by_key(|record| record.version)
        .unwrap()
}

#[test]
fn extract_prints_what_auger_printed() {
    let (mut same, mut databases) = (0, 0);
    for root in case_roots() {
        for recorded in files_below(&root.join("reference")) {
            if !recorded.ends_with("auger.objects.jsonl.gz") {
                continue;
            }
            databases += 1;
            let db = recorded
                .parent()
                .unwrap()
                .file_name()
                .unwrap()
                .to_str()
                .unwrap();
            let path = files_below(&healthy(&root))
                .into_iter()
                .find(|path| path.ends_with(format!("k8s/{db}.db")))
                .unwrap();
            let (source, diagnostics) = (Source::open(&path).unwrap(), Diagnostics::new());
            let store = Store::open(&source, &diagnostics).unwrap();
            let keyspace = Keyspace::at(&store, store.at(None).unwrap(), |_| true);
            for line in String::from_utf8(read_unpacked(&recorded)).unwrap().lines() {
                let row: Value = serde_json::from_str(line).unwrap();
                let key = row["key"].as_str().unwrap();
                let live = keyspace.get(key.as_bytes()).unwrap();
                let ours =
                    |value| String::from_utf8(text_of(value, Output::Yaml).unwrap()).unwrap();
                if NOT_KNOWN_TO_AUGER
                    .iter()
                    .any(|resource| key.starts_with(resource))
                {
                    assert!(row["yaml"].is_null() && row["rc"] != 0, "{key}");
                    assert!(ours(live.value).starts_with("apiVersion: "), "{key}");
                    continue;
                }
                let auger = row["yaml"].as_str().unwrap();
                let its_choice = highest_version(&store, key.as_bytes());
                if its_choice.revision != live.revision {
                    println!("{key}: auger printed an older incarnation");
                    assert!(its_choice.create_revision < live.create_revision, "{key}");
                    assert_eq!(auger, ours(its_choice.value), "{key}");
                    assert_ne!(auger, ours(live.value), "{key}");
                } else if key.starts_with(DROPPED_BY_AUGER) {
                    assert!(
                        ours(live.value).contains("\nstatus:\n") && !auger.contains("\nstatus:\n"),
                        "{key}"
                    );
                } else {
                    assert_eq!(auger, ours(live.value), "{key}");
                    same += 1;
                }
            }
        }
    }
    println!("{same} texts of {databases} databases equal");
    assert!(same > 0);
}
