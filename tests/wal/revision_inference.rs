//! A log that lacks its beginning: what a compaction removed from the database comes back where its revision, version
//! and creation are proved, and never anything that was not written.

use std::collections::BTreeMap;

use etcdive::bbolt::Db;
use etcdive::diag::Diagnostics;
use etcdive::etcd::Store;
use etcdive::etcd::wal::revision_inference::infer_records;
use etcdive::etcd::wal::{File, Wal};

use crate::support::synth::etcd::{self, Version};
use crate::support::synth::wal::WalFile;
use crate::support::synth::wire::Message;
use crate::support::synth::{Bucket, Rng, Value};

/// A request, and what it does to a store if it does anything.
struct Asked {
    request: Vec<u8>,
    ops: Vec<etcd::Op>,
}

fn put_message(key: &str, value: &[u8]) -> Message {
    Message::new().put(1, key).put(2, value)
}

/// A transaction as an API server asks for it: if the key is still at this revision, then the change, else a read.
fn guarded(key: &str, revision: i64, change: Message) -> Vec<u8> {
    let compare = Message::new()
        .put_int(2, 2)
        .put(3, key)
        .set_int(6, revision);
    let read = Message::new().nest(1, Message::new().put(1, key));
    let txn = Message::new()
        .nest(1, compare)
        .nest(2, change)
        .nest(3, read);
    Message::new().nest(6, txn).finish()
}

/// One of many clients' requests; some come too late and change nothing.
fn asked(
    rng: &mut Rng,
    store: &etcd::Store,
    number: u64,
    kubernetes: bool,
    stale: u64,
    (keys, deletions): (u64, u64),
) -> Asked {
    // Some objects are written over and over, most hardly ever.
    let hot = rng.percent(50);
    let key = format!("/k/{:02}", rng.below(if hot { 6 } else { keys }));
    let live = store.live_at(store.revision());
    let newest = live
        .get(key.as_bytes())
        .map_or(0, |record| record.mod_revision);
    // Values repeat now and then.
    let value = format!(
        "value-{}",
        if rng.percent(15) {
            rng.below(4)
        } else {
            number
        }
    )
    .into_bytes();
    let deletes = rng.percent(deletions);
    let op = if deletes {
        etcd::delete(key.clone())
    } else {
        etcd::put(key.clone(), value.clone())
    };
    if !kubernetes && rng.percent(50) {
        let delete = Message::new().put(1, &key);
        let (field, message) = if deletes {
            (5, delete)
        } else {
            (4, put_message(&key, &value))
        };
        return Asked {
            request: Message::new().nest(field, message).finish(),
            ops: vec![op],
        };
    }
    let change = if deletes {
        Message::new().nest(3, Message::new().put(1, &key))
    } else {
        Message::new().nest(2, put_message(&key, &value))
    };
    // Somebody who has read an older state.
    let stale = rng.percent(stale);
    let of_key: Vec<i64> = store
        .history()
        .iter()
        .filter(|record| record.key == key.as_bytes() && !record.tombstone)
        .map(|record| record.main)
        .collect();
    let revision = match of_key.len() {
        0 => 0,
        count if stale => of_key[rng.index(count)],
        _ => newest,
    };
    let holds = revision == newest && !(deletes && newest == 0);
    Asked {
        request: guarded(&key, revision, change),
        ops: if holds { vec![op] } else { Vec::new() },
    }
}

#[test]
fn what_comes_back_is_what_was_written_and_of_an_api_servers_log_a_good_part_does() {
    let (mut removed, mut back) = (0, 0);
    for seed in 0..160_u64 {
        let mut rng = Rng::new(seed);
        let kubernetes = seed % 2 == 0;
        // Of an API server hardly any request comes too late; of some clients many do.
        let stale = if seed % 4 < 2 { 2 } else { 25 };
        let shape = if stale == 2 {
            (80, 15)
        } else {
            (rng.between(2, 30), rng.between(5, 45))
        };
        let mut store = etcd::Store::new(Version::V3_6);
        let mut requests = Vec::new();
        for number in 0..120 {
            let asked = asked(&mut rng, &store, number, kubernetes, stale, shape);
            if !asked.ops.is_empty() {
                store.txn(&asked.ops);
            }
            requests.push((asked.request, store.revision()));
        }
        let truth: BTreeMap<(i64, i64), etcd::Record> = store
            .history()
            .iter()
            .map(|record| ((record.main, record.sub), record.clone()))
            .collect();
        // The log begins somewhere after its first entry, and the store is compacted somewhere after that.
        let first = rng.index(40);
        let compacted = requests[60 + rng.index(50)].1;
        store.compact(compacted);
        let mut file = WalFile::after(None);
        let index = |place: usize| i64::try_from(place).unwrap() + 1;
        file.snapshot(index(first) - 1, 1);
        for (place, (request, _)) in requests.iter().enumerate().skip(first) {
            file.entry(1, index(place), request);
        }
        file.state(1, index(requests.len() - 1));
        let diagnostics = Diagnostics::new();
        let db = with_consistent_index(&store, index(requests.len() - 1));
        let opened = Store::from_db(Db::from_image(&db, None, &diagnostics).unwrap());
        let files = vec![File {
            name: "log".to_owned(),
            sequence: Some(0),
            first_index: None,
            bytes: &file.bytes,
            source: None,
        }];
        let wal = Wal::read(files, &diagnostics);
        let records = infer_records(&opened, &wal, opened.current_revision());
        for record in &records {
            let place = (record.revision.main, record.revision.sub);
            let known = truth
                .get(&place)
                .unwrap_or_else(|| panic!("seed {seed}: {record:?}"));
            let said = (
                record.key,
                record.value,
                record.tombstone,
                record.create_revision,
                record.version,
            );
            let right = (
                known.key.as_slice(),
                known.value.as_slice(),
                known.tombstone,
                known.create_revision,
                known.version,
            );
            assert_eq!(said, right, "seed {seed}: {place:?}");
        }
        if kubernetes && stale == 2 {
            let in_log = |record: &&etcd::Record| record.main > requests[first].1;
            let gone: Vec<_> = store.compacted().into_iter().filter(in_log).collect();
            removed += gone.len();
            back += records.len().min(gone.len());
        }
    }
    println!("{back} of {removed} compacted records");
    assert!(back * 5 > removed, "{back} of {removed}");
}

/// The database with this consistent index.
pub fn with_consistent_index(store: &etcd::Store, index: i64) -> Vec<u8> {
    let mut store = store.clone();
    let meta = store.meta_bucket();
    let entries = meta
        .entries()
        .into_iter()
        .filter_map(|(key, value)| match value {
            Value::Plain(bytes) if key.as_slice() != b"consistent_index" => {
                Some((key.clone(), bytes.clone()))
            }
            _ => None,
        });
    let number = (b"consistent_index".to_vec(), index.to_be_bytes().to_vec());
    let meta = Bucket::of(entries.chain([number]).collect::<Vec<_>>());
    store.set_bucket("meta", meta);
    store.builder().build().bytes
}
