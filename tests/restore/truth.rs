//! Each revision of recorded clusters: keys, revisions, versions, leases, values and `HashKV` as the running server gave
//! them.

use std::path::PathBuf;

use etcdive::query::restore::{History, RestoreRequest};
use serde_json::Value;

use super::{hashing, main_of, newest, request_at, restore};
use crate::support::bolt_reader;
use crate::support::{corpus, testdata};

/// The recorded clusters: name, snapshot, truth.
fn clusters() -> Vec<(String, PathBuf, Value)> {
    let mut folders = vec![testdata("restore")];
    folders.extend(corpus().map(|corpus| corpus.join("corpus/restore")));
    let mut clusters = Vec::new();
    for folder in folders {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap();
            if let Some(name) = file.strip_suffix(".truth.json") {
                let truth = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                let snapshot = folder.join(format!("{name}.snap.db"));
                clusters.push((name.to_owned(), snapshot, truth));
            }
        }
    }
    assert!(clusters.len() >= 2);
    clusters
}

/// The revisions whose keys are recorded.
fn with_states(truth: &Value) -> Vec<(&String, &Value)> {
    let all = truth["at"].as_object().unwrap().iter();
    all.filter(|(_, at)| at.get("kvs").is_some()).collect()
}

#[test]
fn every_revision_is_as_the_running_cluster_had_it() {
    let (mut compared, mut states) = (0, 0);
    for (name, path, truth) in clusters() {
        let compacted = truth["compact_revision"].as_i64().unwrap();
        for (revision, expected) in truth["at"].as_object().unwrap() {
            let at: i64 = revision.parse().unwrap();
            let what = format!("{name} at {at}");
            let outcome =
                restore(&path, request_at(at)).unwrap_or_else(|no| panic!("{what}: {no:?}"));
            assert!(outcome.is_complete, "{what}: {}", outcome.losses);
            assert_eq!(outcome.verified.revision, at, "{what}");
            let pairs = &outcome.buckets()["key"];
            assert!(pairs.iter().all(|(key, _)| main_of(key) <= at), "{what}");
            let state = hashing::state(pairs, at);
            let rows: Vec<Value> = state
                .into_values()
                .map(|(_, value)| {
                    let lease = match value.lease {
                        0 => String::new(),
                        lease => format!("{lease:016x}"),
                    };
                    serde_json::json!([
                        String::from_utf8(value.key).unwrap(),
                        value.create,
                        value.modified,
                        value.version,
                        lease,
                        hashing::short_sha(&value.value)
                    ])
                })
                .collect();
            // Of some revisions only the count and the hash are recorded.
            if expected.get("kvs").is_some() {
                assert_eq!(Value::Array(rows), expected["kvs"], "{what}");
                states += 1;
            }
            assert_eq!(outcome.verified.keys, expected["count"].as_u64().unwrap());
            // A running server gives an older hash for exactly the compacted revision, from before the compaction.
            if at > compacted {
                let hash = expected["hashkv"].as_u64().unwrap();
                assert_eq!(u64::from(outcome.verified.hash_kv), hash, "{what}");
                assert_eq!(
                    u64::from(hashing::hash_kv(pairs, at, compacted)),
                    hash,
                    "{what}"
                );
            }
            compared += 1;
        }
    }
    assert!(
        compared >= 90 && states >= 50,
        "compared {compared}, {states}"
    );
}

#[test]
fn without_history_it_equals_a_source_compacted_there() {
    let mut compared = 0;
    for (name, path, truth) in clusters() {
        let source = bolt_reader_of_snapshot(&path);
        let compacted = truth["compact_revision"].as_i64().unwrap();
        let newest = truth["revision"].as_i64().unwrap();
        for at in compacted + 1..=newest {
            let request = RestoreRequest {
                history: History::None,
                ..request_at(at)
            };
            let outcome = restore(&path, request).unwrap();
            let buckets = outcome.buckets();
            let expected = hashing::hash_kv(&source, at, at);
            assert_eq!(outcome.verified.hash_kv, expected, "{name} at {at}");
            assert_eq!(hashing::hash_kv(&buckets["key"], at, at), expected);
            assert_eq!(outcome.verified.revision, at);
            for mark in ["finishedCompactRev", "scheduledCompactRev"] {
                let meta = &buckets["meta"];
                let (_, value) = meta.iter().find(|(key, _)| key == mark.as_bytes()).unwrap();
                assert_eq!((main_of(value), value.len()), (at, 17));
            }
            compared += 1;
        }
    }
    assert!(compared >= 80, "compared {compared}");
}

/// The records of a snapshot that etcd wrote, read by the code under test only to get the pairs: their hash is compared
/// with the recorded one first.
fn bolt_reader_of_snapshot(path: &std::path::Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let outcome = restore(path, newest()).unwrap();
    bolt_reader::read(&outcome.bytes, true).buckets["key"].clone()
}

#[test]
fn the_small_buckets_are_kept() {
    let mut compared = 0;
    for (name, path, truth) in clusters() {
        let at = truth["compact_revision"].as_i64().unwrap() + 3;
        let outcome = restore(&path, request_at(at)).unwrap();
        let buckets = outcome.buckets();
        let all = restore(&path, newest()).unwrap().buckets();
        for bucket in [
            "members",
            "members_removed",
            "meta",
            "cluster",
            "auth",
            "alarm",
        ] {
            assert_eq!(buckets[bucket], all[bucket], "{name}: {bucket}");
        }
        let meta: Vec<&[u8]> = all["meta"].iter().map(|(key, _)| key.as_slice()).collect();
        assert!(meta.contains(&&b"consistent_index"[..]), "{name}");
        assert!(all["members"].len() == 1, "{name}");
        compared += 1;
    }
    assert!(compared >= 2);
}

/// The recorded clusters revoked leases that keys had at earlier revisions.
#[test]
fn leases_that_the_source_lacks_are_written_anew() {
    let mut written = 0;
    for (name, path, truth) in clusters() {
        for (revision, expected) in with_states(&truth) {
            let outcome = restore(&path, request_at(revision.parse().unwrap())).unwrap();
            let buckets = outcome.buckets();
            let leases: Vec<String> = buckets["lease"]
                .iter()
                .map(|(id, _)| id.iter().map(|byte| format!("{byte:02x}")).collect())
                .collect();
            for row in expected["kvs"].as_array().unwrap() {
                let lease = row[4].as_str().unwrap();
                let exists = lease.is_empty() || leases.iter().any(|id| id == lease);
                assert!(exists, "{name} at {revision}: {lease} of {row}");
            }
            for (id, ttl) in &outcome.leases {
                assert_eq!(*ttl, 3600);
                assert!(leases.contains(&format!("{id:016x}")));
                written += 1;
            }
        }
    }
    assert!(written > 10, "{written} leases");
}

#[test]
fn two_runs_write_the_same_bytes() {
    let mut compared = 0;
    for (name, path, _) in clusters() {
        let one = restore(&path, newest()).unwrap();
        let other = restore(&path, newest()).unwrap();
        assert!(one.bytes == other.bytes, "{name}");
        compared += 1;
    }
    assert!(compared >= 2);
}

/// Only some keys: their records are as they were, and the history is compacted.
#[test]
fn a_prefix_keeps_revisions_and_no_history() {
    let mut compared = 0;
    for (name, path, truth) in clusters() {
        for (revision, expected) in with_states(&truth) {
            let at: i64 = revision.parse().unwrap();
            let request = RestoreRequest {
                history: History::None,
                prefixes: vec![b"/registry/".to_vec()],
                excludes: vec![b"/registry/configmaps/ns/cm-1".to_vec()],
                ..request_at(at)
            };
            let outcome =
                restore(&path, request).unwrap_or_else(|no| panic!("{name} {at}: {no:?}"));
            let is_kept = |row: &&Value| {
                let key = row[0].as_str().unwrap();
                key.starts_with("/registry/") && !key.starts_with("/registry/configmaps/ns/cm-1")
            };
            let expected: Vec<&Value> = expected["kvs"]
                .as_array()
                .unwrap()
                .iter()
                .filter(is_kept)
                .collect();
            let buckets = outcome.buckets();
            let state = hashing::state(&buckets["key"], at);
            let got: Vec<_> = state
                .values()
                .map(|(_, v)| (v.create, v.modified, v.version))
                .collect();
            let numbers: Vec<_> = expected
                .iter()
                .map(|row| {
                    let number = |place: usize| row[place].as_i64().unwrap();
                    (number(1), number(2), number(3))
                })
                .collect();
            assert_eq!(got, numbers, "{name} at {at}");
            assert_eq!(outcome.verified.revision, at, "the revision goes on");
            compared += 1;
        }
    }
    assert!(compared >= 50);
}
