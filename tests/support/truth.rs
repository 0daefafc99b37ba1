//! What an API server answered of whole databases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{case_roots, files_below, read_unpacked};

/// The folders of healthy databases of a root.
pub fn healthy(root: &Path) -> PathBuf {
    if root.join("corpus").is_dir() {
        root.join("corpus")
    } else {
        root.join("healthy")
    }
}

/// Whether values of a database are encrypted at rest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Encrypted {
    Yes,
    No,
}

/// Pairs of a database and the API server's objects of the same revision.
pub fn databases_with_truth(encrypted: Encrypted) -> Vec<(PathBuf, PathBuf)> {
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
            let is_kubernetes = db.with_extension("keys.tsv").is_file();
            let is_encrypted = config_of(&db).is_file();
            if db.is_file() && is_kubernetes && is_encrypted == (encrypted == Encrypted::Yes) {
                found.push((db, truth));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The EncryptionConfiguration beside a database.
pub fn config_of(db: &Path) -> PathBuf {
    db.with_extension("encryption-config.yaml")
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

/// Fails unless each object of a database is what the API server answered of it; returns how many.
pub fn assert_served(db: &str, truth: &Path, objects: impl Iterator<Item = Value>) -> usize {
    let mut truth = truth_of(truth);
    let (mut same, mut other_version, mut no_object) = (0, BTreeSet::new(), BTreeSet::new());
    for mut object in objects {
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
                assert_eq!(served, &object, "{db}: {who:?}");
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
        "{db}: {no_object:?}"
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
        "{db}: {same} objects equal, {} in another version, {} no objects of the API",
        other_version.len(),
        no_object.len()
    );
    same
}
