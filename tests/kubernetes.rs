//! Objects as an API server and auger printed them, of whole databases.

use etcdive::bbolt::Direction;
use etcdive::diag::Diagnostics;
use etcdive::etcd::{Keyspace, Store};
use etcdive::k8s::object::{is_object, tree_of};
use etcdive::source::Source;
use etcdive::view::stored_value::{Format, text};
use serde_json::Value;

use crate::support::truth::{Encrypted, assert_served, databases_with_truth, healthy};
use crate::support::{case_roots, etcdive, files_below, read_unpacked};

#[test]
fn every_live_object_is_what_the_api_server_answers() {
    for (db, truth) in databases_with_truth(Encrypted::No) {
        let run = etcdive([
            "get",
            db.to_str().unwrap(),
            "/registry/",
            "-o",
            "jsonl",
            "--show-managed-fields",
        ]);
        assert_eq!(run.code, 0, "{}: {}", db.display(), run.stderr);
        let lines = run.text().lines();
        let objects = lines.map(|line| serde_json::from_str(line).unwrap());
        let same = assert_served(&db.display().to_string(), &truth, objects);
        assert!(same > 100);
    }
}

#[test]
fn every_value_ever_stored_is_decoded_without_a_note() {
    let mut decoded = 0;
    for (db, _) in databases_with_truth(Encrypted::No) {
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
    let history = etcdive::etcd::KeyHistory::read(store, key);
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
                let ours = |value| String::from_utf8(text(value, Format::Yaml).unwrap()).unwrap();
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
