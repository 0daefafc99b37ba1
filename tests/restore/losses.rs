//! What is refused, and what is listed when it is written all the same.

use std::path::PathBuf;

use etcdive::query::restore::{Refusal, RestoreRequest};

use super::corrupt::busy_store;
use super::{hashing, main_of, newest, request_at, restore};
use crate::support::synth::etcd::{Store, Version, alarm_key, user_value};
use crate::support::synth::{Bucket, Image};
use crate::support::{Scratch, testdata};

/// An image whose leaf with the record in the middle is zeroed; its first and last main revision.
fn without_a_leaf(store: &Store) -> (Vec<u8>, Vec<Vec<u8>>) {
    let image = store.builder().page_size(1024).build();
    let keys: Vec<Vec<u8>> = store.records().iter().map(|r| r.bucket_key()).collect();
    let middle = &keys[keys.len() * 3 / 4];
    let page = leaf_with(&image, middle);
    let at = page * 1024;
    let lost: Vec<Vec<u8>> = keys
        .iter()
        .filter(|key| {
            let bytes = &image.bytes[at..at + 1024];
            bytes
                .windows(key.len())
                .any(|window| window == key.as_slice())
        })
        .cloned()
        .collect();
    let mut bytes = image.bytes;
    bytes[at..at + 1024].fill(0);
    (bytes, lost)
}

/// The leaf page that has a key.
fn leaf_with(image: &Image, key: &[u8]) -> usize {
    let pages = image.bytes.len() / 1024;
    let is_leaf = |page: &usize| {
        let bytes = &image.bytes[page * 1024..(page + 1) * 1024];
        bytes[8] == 2 && bytes.windows(key.len()).any(|window| window == key)
    };
    (2..pages).find(is_leaf).unwrap()
}

#[test]
fn a_lost_leaf_is_refused_and_the_revision_before_it_is_offered() {
    let mut compared = 0;
    for seed in 1..12 {
        let store = busy_store(seed);
        let (bytes, lost) = without_a_leaf(&store);
        let scratch = Scratch::new(&format!("lost-leaf-{seed}"));
        let path = scratch.file("lost.db", &bytes);
        let refused = restore(&path, newest()).err().unwrap();
        let first = main_of(&lost[0]);
        assert_eq!(refused.details.complete, Some(first - 1), "{refused:?}");
        let Refusal::Lost { ranges, .. } = &refused.reasons[0] else {
            panic!("{refused:?}");
        };
        assert_eq!(ranges[0].from.main, first);
        assert!(ranges[0].until.unwrap().main >= main_of(lost.last().unwrap()));

        let outcome = restore(&path, request_at(first - 1)).unwrap();
        let state = hashing::state(&outcome.buckets()["key"], first - 1);
        let live = store.live_at(first - 1);
        assert_eq!(state.len(), live.len());
        for (key, (_, value)) in &state {
            assert_eq!(
                (value.version, value.modified),
                (live[key].version, live[key].mod_revision)
            );
        }
        let later = restore(&path, request_at(first));
        assert!(later.is_err(), "revision {first} is not complete");
        compared += 1;
    }
    assert!(compared > 10);
}

#[test]
fn allowed_loss_writes_the_rest_and_closes_broken_generations() {
    let (mut tombstones, mut listed) = (0, 0);
    for seed in 1..12 {
        let store = busy_store(seed);
        let (bytes, lost) = without_a_leaf(&store);
        let scratch = Scratch::new(&format!("allowed-{seed}"));
        let path = scratch.file("lost.db", &bytes);
        let request = RestoreRequest {
            allow_loss: true,
            ..newest()
        };
        let outcome = restore(&path, request).unwrap();
        assert!(!outcome.is_complete);
        listed += usize::from(outcome.losses.contains("MissingRecord"));
        let pairs = &outcome.buckets()["key"];
        let known: Vec<Vec<u8>> = store.records().iter().map(|r| r.bucket_key()).collect();
        for (key, stored) in pairs {
            if !known.contains(key) {
                assert_eq!(key.len(), 18, "only tombstones are added");
                tombstones += 1;
                continue;
            }
            assert!(!lost.contains(key), "a lost record");
            let original = store.records().into_iter().find(|r| r.bucket_key() == *key);
            assert_eq!(*stored, original.unwrap().bucket_value());
        }
        // No transaction is there in part.
        for record in store.records() {
            let of_main = |main: i64| {
                let pairs = pairs.iter().filter(move |(key, _)| main_of(key) == main);
                pairs.filter(|(key, _)| known.contains(key)).count()
            };
            let whole = store
                .records()
                .iter()
                .filter(|r| r.main == record.main)
                .count();
            let there = of_main(record.main);
            let is_compacted = record.main <= 90;
            assert!(
                is_compacted || there == 0 || there == whole,
                "revision {}",
                record.main
            );
        }
    }
    assert!(
        tombstones > 0 && listed > 5,
        "{tombstones} tombstones, {listed} lists"
    );
}

#[test]
fn the_last_leaf_is_missed_although_no_number_is() {
    let store = busy_store(3);
    let image = store.builder().page_size(1024).build();
    let last = store.records().last().unwrap().bucket_key();
    let page = leaf_with(&image, &last);
    let mut bytes = image.bytes;
    bytes[page * 1024..(page + 1) * 1024].fill(0);
    let scratch = Scratch::new("last-leaf");
    let path = scratch.file("lost.db", &bytes);
    let refused = restore(&path, newest()).err().unwrap();
    let complete = refused.details.complete.unwrap();
    assert!(complete < store.revision());
    let outcome = restore(&path, request_at(complete)).unwrap();
    let state = hashing::state(&outcome.buckets()["key"], complete);
    assert_eq!(state.len(), store.live_at(complete).len());
}

fn written(store: &Store, scratch: &Scratch) -> PathBuf {
    scratch.file("store.db", &store.builder().build().bytes)
}

#[test]
fn authentication_is_never_off_by_silence() {
    // A login that is on, whose users cannot be read.
    let mut store = busy_store(2);
    let auth = Bucket::of([("authEnabled", vec![1]), ("authRevision", vec![0; 8])]);
    store.set_bucket("auth", auth);
    store.set_bucket(
        "authUsers",
        Bucket::of([("root", user_value("root", "x", &["root"]))]),
    );
    let scratch = Scratch::new("auth");
    let path = written(&store, &scratch);
    let outcome = restore(&path, newest()).unwrap();
    assert_eq!(outcome.buckets()["auth"][0].1, [1]);
    assert_eq!(outcome.buckets()["authUsers"].len(), 1);

    store.set_bucket("auth", Bucket::of([("authEnabled", vec![7])]));
    let path = written(&store, &scratch);
    let allow = || RestoreRequest {
        allow_loss: true,
        ..newest()
    };
    for request in [newest(), allow()] {
        let refused = restore(&path, request).err().unwrap();
        assert_eq!(refused.reasons[0], Refusal::Auth { is_on: false });
        assert_eq!(refused.details.complete, None);
    }
    let off = RestoreRequest {
        auth_off: true,
        ..allow()
    };
    let outcome = restore(&path, off).unwrap();
    assert_eq!(
        outcome.buckets()["auth"],
        [(b"authEnabled".to_vec(), vec![0])]
    );
    assert!(outcome.buckets()["authUsers"].is_empty() && !outcome.is_complete);
    // The real store with authentication on.
    let outcome = restore(&testdata("restore/srcauth.snap.db"), newest()).unwrap();
    let auth = &outcome.buckets()["auth"];
    assert!(
        auth.contains(&(b"authEnabled".to_vec(), vec![1])),
        "{auth:?}"
    );
}

#[test]
fn a_nospace_alarm_is_dropped_and_a_corrupt_one_refused() {
    let outcome = restore(&testdata("restore/srcalarm.snap.db"), newest()).unwrap();
    assert!(outcome.buckets()["alarm"].is_empty());
    let mut store = busy_store(2);
    store.set_bucket("alarm", Bucket::of([(alarm_key(7, 2), Vec::new())]));
    let scratch = Scratch::new("alarm");
    let path = written(&store, &scratch);
    let allowed = RestoreRequest {
        allow_loss: true,
        ..newest()
    };
    for request in [newest(), allowed] {
        let refused = restore(&path, request).err().unwrap();
        assert_eq!(refused.reasons, [Refusal::CorruptAlarm]);
    }
    let request = RestoreRequest {
        drop_corrupt_alarm: true,
        ..newest()
    };
    assert!(restore(&path, request).unwrap().buckets()["alarm"].is_empty());
}

#[test]
fn revisions_that_cannot_be_are_refused() {
    let path = testdata("restore/src36.snap.db");
    let refused = |at| restore(&path, request_at(at)).err().unwrap().reasons;
    assert_eq!(
        refused(76),
        [Refusal::Future {
            asked: 76,
            current: 75
        }]
    );
    assert_eq!(
        refused(28),
        [Refusal::Compacted {
            asked: 28,
            compacted: 29
        }]
    );
    let allow = |at| RestoreRequest {
        allow_loss: true,
        ..request_at(at)
    };
    assert!(
        restore(&path, allow(76)).is_err(),
        "not even with --allow-loss"
    );
    assert!(restore(&path, allow(28)).is_err(), "only with --carve too");
}

#[test]
fn leases_of_api_servers_end_soon() {
    let mut store = Store::new(Version::V3_6);
    store.put_leased("/registry/masterleases/10.0.0.1", b"x", 0x77);
    store.put_leased("/registry/events/default/e", b"x", 0x88);
    store.put_leased("/registry/gone", b"x", 0x99);
    store.delete("/registry/gone");
    let scratch = Scratch::new("leases");
    let path = written(&store, &scratch);
    let request = RestoreRequest {
        lease_ttl: 600,
        ..newest()
    };
    let outcome = restore(&path, request).unwrap();
    assert_eq!(outcome.leases, [(0x77, 15), (0x88, 600)]);
}

#[test]
fn a_damaged_meta_bucket_is_refused() {
    let mut store = busy_store(2);
    let meta = Bucket::of([("finishedCompactRev", vec![1, 2, 3])]);
    store.set_bucket("meta", meta);
    let scratch = Scratch::new("meta");
    let path = written(&store, &scratch);
    let refused = restore(&path, newest()).err().unwrap();
    assert!(refused.reasons.contains(&Refusal::Meta), "{refused:?}");
    let request = RestoreRequest {
        allow_loss: true,
        ..newest()
    };
    let outcome = restore(&path, request).unwrap();
    let meta = &outcome.buckets()["meta"];
    let (_, mark) = meta
        .iter()
        .find(|(key, _)| key == b"finishedCompactRev")
        .unwrap();
    let first_whole = main_of(mark);
    let live = store.live_at(first_whole);
    let state = hashing::state(&outcome.buckets()["key"], first_whole);
    assert_eq!(
        state.len(),
        live.len(),
        "from {first_whole} on the store is whole"
    );
    assert_eq!(
        outcome.verified.keys,
        store.live_at(store.revision()).len() as u64
    );
}

#[test]
fn an_unknown_bucket_that_bbolt_would_refuse_is_left_out_and_named() {
    let mut store = busy_store(4);
    store.set_bucket("other", Bucket::of([("key-a", "1"), ("key-b", "2")]));
    let scratch = Scratch::new("unknown-bucket");
    let path = written(&store, &scratch);
    let outcome = restore(&path, newest()).unwrap();
    assert!(outcome.is_complete);
    assert_eq!(outcome.buckets()["other"].len(), 2);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(5).position(|part| part == b"key-a").unwrap();
    bytes[at + 4] = b'z';
    let path = scratch.file("unordered.db", &bytes);
    let new = scratch.path().join("new.db");
    let words = [
        "restore".as_ref(),
        path.as_os_str(),
        "--out".as_ref(),
        new.as_os_str(),
    ];
    let run = crate::support::etcdive(words);
    assert_eq!(run.code, 3, "{}{}", run.text(), run.stderr);
    assert!(
        run.text().contains("bucket other: it is damaged"),
        "{}",
        run.text()
    );
    let buckets = crate::support::bolt_reader::read(&std::fs::read(&new).unwrap(), true).buckets;
    assert!(!buckets.contains_key("other"));
    let records = store.records().len();
    assert_eq!(buckets["key"].len(), records);
}

/// An image whose leaf is zeroed, and an older copy of its records is in freed pages.
fn with_stale_copy(store: &Store) -> Vec<u8> {
    let keys: Vec<_> = store
        .records()
        .iter()
        .map(|r| (r.bucket_key(), r.bucket_value()))
        .collect();
    let stale = Bucket::of(keys[keys.len() / 2..].to_vec());
    let image = store.builder().page_size(1024).stale(stale).build();
    let middle = &keys[keys.len() * 3 / 4].0;
    let runs = image.bucket_runs(b"key");
    let has_middle = |at: &usize| {
        let page = &image.bytes[*at..*at + 1024];
        page[8] == 2
            && page
                .windows(middle.len())
                .any(|part| part == middle.as_slice())
    };
    let mut leaves = runs.iter().map(|run| run.pgid as usize * 1024);
    let at = leaves.find(has_middle).unwrap();
    let mut bytes = image.bytes.clone();
    bytes[at..at + 1024].fill(0);
    bytes
}

#[test]
fn a_prefix_without_keys_is_named_also_if_records_are_out_of_reach() {
    let scratch = Scratch::new("prefix-unreached");
    let path = scratch.file("lost.db", &with_stale_copy(&busy_store(6)));
    let request = RestoreRequest {
        prefixes: vec![b"/nothing/".to_vec()],
        history: etcdive::query::restore::History::None,
        ..newest()
    };
    let refused = restore(&path, request).err().unwrap();
    assert!(refused.reasons.contains(&Refusal::NoKeys), "{refused:?}");
    let is_unreached = |reason: &Refusal| matches!(reason, Refusal::Unreached(_));
    assert!(!refused.reasons.iter().any(is_unreached), "{refused:?}");
}

#[test]
fn only_the_last_missing_record_of_a_key_changes_its_state() {
    let (mut listed, mut histories) = (0, 0);
    for seed in [6, 8, 9] {
        let scratch = Scratch::new(&format!("missing-effects-{seed}"));
        let path = scratch.file("lost.db", &with_stale_copy(&busy_store(seed)));
        let new = scratch.path().join("new.db");
        let words = [
            "restore",
            path.to_str().unwrap(),
            "--allow-loss",
            "--out",
            new.to_str().unwrap(),
            "-o",
            "json",
        ];
        let run = crate::support::etcdive(words);
        assert_eq!(run.code, 3, "{}", run.stderr);
        let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        let missing = report["missing"].as_array().unwrap();
        let place = |row: &serde_json::Value| {
            let from = row["from"].as_str().unwrap().split_once('.').unwrap();
            (
                from.0.parse::<i64>().unwrap(),
                from.1.parse::<i64>().unwrap(),
            )
        };
        let places: Vec<(i64, i64)> = missing.iter().map(place).collect();
        assert!(places.is_sorted(), "{places:?}");
        for (index, row) in missing.iter().enumerate() {
            let later = missing[index + 1..].iter();
            let is_last = later.filter(|other| other["key"] == row["key"]).count() == 0;
            let is_history = row["effect"] == "only the history of the key is incomplete";
            assert!(is_last || is_history, "{row}");
            listed += 1;
            histories += usize::from(is_history);
        }
    }
    assert!(listed > 20 && histories > 5, "{listed}, {histories}");
}

#[test]
fn a_state_before_the_compaction_may_lack_any_key_and_says_so() {
    let store = busy_store(7);
    let stale = Bucket::of(
        store
            .compacted()
            .iter()
            .step_by(2)
            .map(|record| (record.bucket_key(), record.bucket_value())),
    );
    let image = store.builder().page_size(1024).stale(stale).build();
    let scratch = Scratch::new("carve-below");
    let path = scratch.file("compacted.db", &image.bytes);
    let new = scratch.path().join("new.db");
    let words = [
        "restore",
        path.to_str().unwrap(),
        "--at",
        "60",
        "--allow-loss",
        "--carve",
        "--out",
        new.to_str().unwrap(),
    ];
    let run = crate::support::etcdive(words);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.text().contains("any key may be missing"),
        "{}",
        run.text()
    );
    let report = std::fs::read(format!("{}.restore.json", new.display())).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    // Each number that no record has is in a lost range.
    let number = |value: &serde_json::Value| -> i64 {
        let text = value.as_str().unwrap();
        text.split_once('.').unwrap().0.parse().unwrap()
    };
    let ranges: Vec<(i64, i64)> = report["lost"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (number(&row["from"]), number(&row["until"])))
        .collect();
    let buckets = crate::support::bolt_reader::read(&std::fs::read(&new).unwrap(), true).buckets;
    assert!(!buckets["key"].is_empty());
    let known: Vec<i64> = store
        .compacted()
        .iter()
        .step_by(2)
        .chain(&store.records())
        .map(|record| record.main)
        .collect();
    let mut lost = 0;
    for main in 2..=60 {
        if !known.contains(&main) {
            let is_named = |range: &&(i64, i64)| range.0 <= main && main < range.1;
            assert!(
                ranges.iter().any(|range| is_named(&range)),
                "{main}: {ranges:?}"
            );
            lost += 1;
        }
    }
    assert!(lost > 5, "{lost}");
}
