//! What freed pages give back: every record that is whole in the file, and none that was not written.

mod fragments;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdive::bbolt::{Db, Direction};
use etcdive::diag::{Code, Diagnostics};
use etcdive::etcd::carve::Carved;
use etcdive::etcd::record::Origin;
use etcdive::etcd::{Record, Store};
use serde_json::Value;

use crate::support::synth::etcd::{self, Version};
use crate::support::synth::{Bucket, Rng};
use crate::support::{case_roots, files_below, read_unpacked, testdata};

/// What a record says: tombstone, key, create_revision, mod_revision, version, value, lease.
type Said = (bool, Vec<u8>, i64, i64, i64, Vec<u8>, i64);
type Records = BTreeMap<(i64, i64), Said>;

fn said(record: &Record<'_>) -> Said {
    (
        record.tombstone,
        record.key.to_vec(),
        record.create_revision,
        record.mod_revision,
        record.version,
        record.value.to_vec(),
        record.lease,
    )
}

fn of_synth(record: &etcd::Record) -> ((i64, i64), Said) {
    let said = (
        record.tombstone,
        record.key.clone(),
        record.create_revision,
        record.mod_revision,
        record.version,
        record.value.clone(),
        record.lease,
    );
    ((record.main, record.sub), said)
}

/// What an image holds: the records of the state, and those that are carved with their origin.
struct Held {
    state: Records,
    carved: BTreeMap<(i64, i64), (Said, Origin)>,
    contradictions: u64,
    damaged: bool,
}

fn held(image: &[u8]) -> Held {
    let diagnostics = Diagnostics::new();
    let state = Store::from_db(Db::from_image(image, None, &diagnostics).unwrap());
    let carved = Carved::from_state(state.state());
    let store = state.with_carved(carved.records);
    let mut held = Held {
        state: Records::new(),
        carved: BTreeMap::new(),
        contradictions: 0,
        damaged: false,
    };
    let mut last = None;
    for record in store.records(Direction::Forward) {
        let revision = (record.revision.main, record.revision.sub);
        assert!(last < Some(revision), "{revision:?} after {last:?}");
        last = Some(revision);
        if record.origin.is_of_state() {
            held.state.insert(revision, said(&record));
        } else {
            held.carved.insert(revision, (said(&record), record.origin));
        }
    }
    let backward: Vec<_> = store
        .records(Direction::Backward)
        .map(|r| r.revision)
        .collect();
    assert!(backward.is_sorted_by(|a, b| a > b));
    assert_eq!(backward.len(), held.state.len() + held.carved.len());
    held.contradictions = diagnostics.count(Code::RecordContradiction);
    held.damaged = diagnostics.found_damage();
    held
}

/// The events that a client saw, of a file of JSON lines.
fn seen(path: &Path) -> Records {
    let text = String::from_utf8(read_unpacked(path)).unwrap();
    let events = text.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| event[name].as_i64().unwrap_or_default();
        let bytes = |name: &str| {
            STANDARD
                .decode(event[name].as_str().unwrap_or_default())
                .unwrap()
        };
        let main = number("rev");
        let tombstone = event["type"] == "DELETE";
        let if_put = |number: i64| if tombstone { 0 } else { number };
        let value = if tombstone {
            Vec::new()
        } else {
            bytes("value_b64")
        };
        let said = (
            tombstone,
            bytes("key_b64"),
            if_put(number("create_revision")),
            if_put(main),
            if_put(number("version")),
            value,
            if_put(number("lease")),
        );
        ((main, number("sub")), said)
    });
    events.collect()
}

/// The revisions that a list of `rev, sub, type, key, whole` marks as whole in the file.
fn marked(path: &Path) -> BTreeSet<(i64, i64)> {
    let text = String::from_utf8(read_unpacked(path)).unwrap();
    let rows = text
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row.last() == Some(&"1"))
        .map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap()))
        .collect()
}

/// The databases that come with a list of what is whole in them.
fn listed() -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for root in case_roots() {
        for path in files_below(&root) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if let Some((of, end)) = name.split_once("-whole.tsv") {
                found.push((path.with_file_name(format!("{of}.db{end}")), path.clone()));
            }
        }
    }
    found
}

/// What was written in the cluster of a database, as far as is known beside it.
fn truth_beside(db: &Path) -> Records {
    let folder = db.parent().unwrap();
    let mut truth = Records::new();
    for path in files_below(folder) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.parent() == Some(folder) && name.contains("revs.jsonl") {
            truth.extend(seen(&path));
        }
    }
    if truth.is_empty() {
        // Of the same cluster, before the compaction.
        truth = held(&std::fs::read(testdata("healthy/k8s/after.db")).unwrap()).state;
    }
    truth
}

#[test]
fn a_compacted_store_gives_back_every_record_that_is_whole_in_it_and_none_that_was_not_written() {
    let cases = listed();
    assert!(!cases.is_empty());
    for (db, list) in &cases {
        let truth = truth_beside(db);
        let newest = truth.last_key_value().unwrap().0.0;
        let held = held(&read_unpacked(db));
        for (revision, (said, _)) in &held.carved {
            assert_eq!(
                truth.get(revision),
                Some(said),
                "{}: {revision:?}",
                db.display()
            );
        }
        for (revision, said) in held
            .state
            .iter()
            .filter(|(revision, _)| revision.0 <= newest)
        {
            assert_eq!(
                truth.get(revision),
                Some(said),
                "{}: {revision:?}",
                db.display()
            );
        }
        let marked = marked(list);
        let is_there = |revision: &&(i64, i64)| {
            held.carved.contains_key(revision) || held.state.contains_key(revision)
        };
        let found = marked.iter().filter(is_there).count();
        assert_eq!(found, marked.len(), "{}", db.display());
        assert!(marked.len() > 1000 && !held.damaged);
        println!(
            "{}: {found} of {} whole records",
            db.display(),
            marked.len()
        );
    }
    println!("{} databases", cases.len());
}

/// A store with a long history, the older versions of which a compaction removed.
fn compacted_store(seed: u64) -> etcd::Store {
    let mut rng = Rng::new(seed);
    let mut store = etcd::Store::new(Version::V3_6);
    for _ in 0..400 {
        let key = format!("/registry/configmaps/shop/{}", rng.below(40));
        if rng.percent(10) {
            store.delete(key);
        } else {
            let len = rng.log_size(1, 9000) as usize;
            store.put(key, rng.bytes(len));
        }
    }
    store
}

/// The bucket `key` before and after a compaction to `at`.
fn before_and_after(store: &mut etcd::Store, at: i64) -> (Bucket, Bucket) {
    let before = store.key_bucket();
    store.compact(at);
    (before, store.key_bucket())
}

#[test]
fn what_a_compaction_removed_is_carved_from_the_pages_of_the_tree_before_it() {
    let mut compared = 0;
    for seed in 0..12 {
        let mut store = compacted_store(seed);
        let at = store.revision() - 20;
        let (before, _) = before_and_after(&mut store, at);
        let builder = store.builder().stale(before).scatter(seed);
        let image = builder.build();
        let held = held(&image.bytes);
        let expected: Records = store.compacted().into_iter().map(of_synth).collect();
        let carved: Records = held
            .carved
            .iter()
            .map(|(revision, (said, _))| (*revision, said.clone()))
            .collect();
        assert_eq!(carved, expected, "seed {seed}");
        compared += carved.len();
        assert!(
            held.carved
                .values()
                .all(|(_, origin)| origin.as_str() == "carved-a")
        );
        assert!(!held.damaged, "seed {seed}");
        // The same with a page of the freed tree written over by something else: what was in its run is missing, and
        // nothing else.
        for page in image.runs.iter().filter(|run| run.pages > 1).take(3) {
            let mut image = image.clone();
            image.page_mut(page.pgid + 1).fill(0xaa);
            let held = self::held(&image.bytes);
            for (revision, (said, _)) in &held.carved {
                let (_, truth) = of_synth(
                    store
                        .history()
                        .iter()
                        .find(|r| (r.main, r.sub) == *revision)
                        .unwrap(),
                );
                let (said, truth) = ((&said.1, said.4), (&truth.1, truth.4));
                assert_eq!(said, truth, "seed {seed}");
            }
        }
    }
    assert!(compared > 100, "compared {compared} records");
}

#[test]
fn a_stale_copy_that_says_something_else_is_reported_and_not_delivered() {
    let mut store = etcd::Store::new(Version::V3_6);
    for round in 0xa0..0xa8_u8 {
        store.put("a", vec![round; 40]);
        store.put("b", vec![round; 50]);
    }
    let other = |bucket: Bucket, from: u8| {
        let entries = bucket.entries().into_iter().map(|(key, value)| {
            let crate::support::synth::Value::Plain(bytes) = value else {
                panic!("a record is a plain value");
            };
            let change = |byte: &u8| if *byte == from { 0xee } else { *byte };
            (key.clone(), bytes.iter().map(change).collect::<Vec<u8>>())
        });
        Bucket::of(entries.collect::<Vec<_>>())
    };
    let (before, after) = before_and_after(&mut store, 14);
    // One record of the state, with another value in a freed page: the state's is right.
    let live = store.builder().stale(other(after, 0xa7)).build();
    let held = held(&live.bytes);
    assert_eq!((held.carved.len(), held.contradictions), (0, 2));
    assert!(held.damaged);
    // Two freed pages that differ: neither.
    let twice = store
        .builder()
        .stale(before.clone())
        .stale(other(before, 0xa2))
        .build();
    let held = self::held(&twice.bytes);
    assert_eq!(held.contradictions, 2, "two puts of one round");
    let compacted = store.compacted().len();
    assert_eq!(held.carved.len(), compacted - 2);
    assert!(
        held.carved
            .values()
            .all(|(said, _)| !said.5.contains(&0xa2))
    );
}

#[test]
fn what_looks_like_a_freed_page_inside_a_value_of_the_state_is_a_value() {
    // A value that holds pages, each stating the position at which it is.
    let mut former = etcd::Store::new(Version::V3_6);
    for round in 0..30_u8 {
        former.put("ghost", vec![round; 300]);
    }
    let mut store = etcd::Store::new(Version::V3_6);
    store.put("a", "1");
    store.put("b", vec![b'x'; 40 << 12]);
    store.put("c", "2");
    let mut image = store.builder().build();
    let run = image
        .runs
        .iter()
        .find(|run| run.pages > 20)
        .unwrap()
        .clone();
    let ghosts = former.key_bucket();
    let ghosts = crate::support::synth::Builder::new()
        .bucket("key", ghosts.never_inline())
        .build();
    let leaf = ghosts
        .runs
        .iter()
        .find(|run| {
            run.pages == 1 && ghosts.page(run.pgid)[8] == 2 && ghosts.page(run.pgid)[10] > 5
        })
        .unwrap();
    let mut page = ghosts.page(leaf.pgid).to_vec();
    let place = run.pgid + 10;
    page[..8].copy_from_slice(&place.to_le_bytes());
    image.page_mut(place).copy_from_slice(&page);
    let held = held(&image.bytes);
    assert_eq!(held.carved.len(), 0);
    assert_eq!(held.state.len(), 3);
}

#[test]
fn bytes_changed_in_any_place_never_give_a_record_that_no_changed_byte_is_in() {
    let mut store = compacted_store(77);
    let at = store.revision() - 20;
    let (before, _) = before_and_after(&mut store, at);
    let image = store.builder().stale(before).scatter(7).build().bytes;
    let all: Records = store.history().iter().map(of_synth).collect();
    let mut rng = Rng::new(5);
    for trial in 0..300 {
        let mut changed = image.clone();
        let hits: Vec<usize> = (0..1 + rng.below(6))
            .map(|_| rng.index(image.len()))
            .collect();
        for hit in &hits {
            changed[*hit] = changed[*hit].wrapping_add(1 + rng.below(255) as u8);
        }
        let diagnostics = Diagnostics::new();
        let Ok(db) = Db::from_image(&changed, None, &diagnostics) else {
            continue;
        };
        let state = Store::from_db(db);
        for record in &Carved::from_state(state.state()).records {
            let revision = (record.revision.main, record.revision.sub);
            if all.get(&revision) == Some(&said(record)) {
                continue;
            }
            // From its key to the end of its value.
            let from = record.offset as usize - if record.tombstone { 18 } else { 17 };
            let to = record.offset as usize + record.key.len() + record.value.len() + 40;
            assert!(
                hits.iter().any(|hit| (from..to).contains(hit)),
                "trial {trial}: {revision:?} at {}, changed {hits:?}",
                record.offset
            );
        }
    }
}
