//! Transactions that compare whole ranges of keys: what each comes to is what a naive replay has.

use std::collections::BTreeMap;

use etcdive::diag::Diagnostics;
use etcdive::etcd::wal::{File, Wal, replay};

use crate::support::random::Random;
use crate::support::synth::wal::{WalFile, put};
use crate::support::synth::wire::Message;

/// A live key of the naive replay.
#[derive(Clone)]
struct Live {
    version: i64,
    create: i64,
    modified: i64,
    value: Vec<u8>,
}

/// A comparison with all keys from `key` to `end`.
struct Compare {
    target: i64,
    result: i64,
    key: String,
    end: Vec<u8>,
    number: i64,
    value: Vec<u8>,
}

impl Compare {
    fn random(random: &mut Random, revision: i64) -> Self {
        let key = key(random.below(12));
        let end = match random.below(4) {
            0 => vec![0],
            1 => Vec::new(),
            _ => self::key(random.below(14)).into_bytes(),
        };
        Self {
            // One more than there are, of both.
            target: random.below(6) as i64,
            result: random.below(5) as i64,
            key,
            end,
            number: [0, 1, 2, revision / 2, revision][random.below(5)],
            value: value(random.below(6)),
        }
    }

    fn message(&self) -> Message {
        let compare = Message::new()
            .set_int(1, self.result)
            .set_int(2, self.target)
            .put(3, &self.key);
        let compare = match self.target {
            0 => compare.set_int(4, self.number),
            1 => compare.set_int(5, self.number),
            2 => compare.set_int(6, self.number),
            3 => compare.put(7, &self.value),
            _ => compare.set_int(8, self.number),
        };
        compare.put(64, &self.end)
    }

    fn covers(&self, key: &[u8]) -> bool {
        let from = self.key.as_bytes();
        match self.end.as_slice() {
            [] => key == from,
            [0] => key >= from,
            end => key >= from && key < end,
        }
    }

    fn holds(&self, keys: &BTreeMap<Vec<u8>, Live>) -> bool {
        let in_range: Vec<&Live> = keys
            .iter()
            .filter(|(key, _)| self.covers(key))
            .map(|(_, live)| live)
            .collect();
        if in_range.is_empty() {
            let order = match self.target {
                // A value that does not exist compares with none.
                3 => return false,
                0..=4 => 0.cmp(&self.number),
                _ => std::cmp::Ordering::Equal,
            };
            return self.is(order);
        }
        in_range.iter().all(|live| {
            self.is(match self.target {
                0 => live.version.cmp(&self.number),
                1 => live.create.cmp(&self.number),
                2 => live.modified.cmp(&self.number),
                3 => live.value.cmp(&self.value),
                4 => 0.cmp(&self.number),
                _ => std::cmp::Ordering::Equal,
            })
        })
    }

    fn is(&self, order: std::cmp::Ordering) -> bool {
        match self.result {
            0 => order.is_eq(),
            1 => order.is_gt(),
            2 => order.is_lt(),
            3 => order.is_ne(),
            _ => true,
        }
    }
}

fn key(number: usize) -> String {
    format!("k{number:02}")
}

fn value(number: usize) -> Vec<u8> {
    // One is a prefix of another, one is empty.
    [&b""[..], b"a", b"aa", b"b", b"c", b"zz"][number].to_vec()
}

fn put_message(key: &str, value: &[u8]) -> Message {
    Message::new().put(1, key).put(2, value)
}

/// The naive replay.
#[derive(Default)]
struct Naive {
    keys: BTreeMap<Vec<u8>, Live>,
    revision: i64,
}

impl Naive {
    fn put(&mut self, key: &str, value: &[u8]) {
        self.revision += 1;
        let main = self.revision;
        let live = self.keys.entry(key.into()).or_insert(Live {
            version: 0,
            create: main,
            modified: main,
            value: Vec::new(),
        });
        live.version += 1;
        live.modified = main;
        live.value = value.to_vec();
    }

    fn delete(&mut self, key: &str) {
        self.revision += i64::from(self.keys.remove(key.as_bytes()).is_some());
    }
}

/// A log of random requests, and what each transaction comes to; none for the others.
fn log(seed: u64) -> (WalFile, Vec<Option<bool>>, i64) {
    let mut random = Random::new(seed);
    let mut naive = Naive {
        revision: 1,
        ..Naive::default()
    };
    let mut file = WalFile::after(None);
    file.metadata(1, 2);
    let mut expected = Vec::new();
    let entries = 60;
    for index in 1..=entries {
        let key = key(random.below(12));
        let value = value(random.below(5));
        let request = match random.below(4) {
            0 => {
                naive.put(&key, &value);
                expected.push(None);
                put(&key, &value)
            }
            1 => {
                naive.delete(&key);
                expected.push(None);
                Message::new().nest(5, Message::new().put(1, &key)).finish()
            }
            _ => {
                let compares: Vec<Compare> = (0..=random.below(2))
                    .map(|_| Compare::random(&mut random, naive.revision))
                    .collect();
                let held = compares.iter().all(|compare| compare.holds(&naive.keys));
                expected.push(Some(held));
                let mut txn = Message::new();
                for compare in &compares {
                    txn = txn.nest(1, compare.message());
                }
                let put = Message::new().nest(2, put_message(&key, &value));
                let delete = Message::new().nest(3, Message::new().put(1, &key));
                if held {
                    naive.put(&key, &value);
                } else {
                    naive.delete(&key);
                }
                let txn = txn.nest(2, put).nest(3, delete);
                Message::new().nest(6, txn).finish()
            }
        };
        file.entry(1, index, &request);
    }
    file.state(1, entries);
    (file, expected, naive.revision)
}

fn read(bytes: &[u8]) -> Wal<'_> {
    let file = File {
        name: "0000000000000000-0000000000000000.wal".to_owned(),
        sequence: Some(0),
        first_index: Some(0),
        bytes,
        source: None,
    };
    Wal::read(vec![file], &Diagnostics::new())
}

#[test]
fn a_comparison_with_a_range_holds_where_it_holds_for_each_key() {
    let (mut held, mut failed) = (0, 0);
    for seed in 0..300 {
        let (file, expected, revision) = log(seed);
        let wal = read(&file.bytes);
        let replay = replay::whole_log(&wal).unwrap();
        assert_eq!(replay.stopped, None);
        let came: Vec<Option<bool>> = replay.applied.iter().map(|one| one.succeeded).collect();
        assert_eq!(came, expected, "seed {seed}");
        assert_eq!(replay.revision, revision, "seed {seed}");
        held += expected.iter().filter(|one| **one == Some(true)).count();
        failed += expected.iter().filter(|one| **one == Some(false)).count();
    }
    assert!(
        held > 1000 && failed > 1000,
        "{held} held, {failed} did not"
    );
}

/// Key by key it would be the product of both numbers.
#[test]
fn many_comparisons_with_many_keys_end_soon() {
    let count = 20_000;
    let mut file = WalFile::after(None);
    file.metadata(1, 2);
    for index in 1..=count {
        file.entry(1, index, &put(&format!("{index:06}"), b""));
    }
    for index in count + 1..=2 * count {
        // It holds for all keys but the last one.
        let compare = Message::new()
            .set_int(1, 2)
            .set_int(2, 2)
            .put(3, "0")
            .set_int(6, count + 1)
            .put(64, [0]);
        file.entry(
            1,
            index,
            &Message::new()
                .nest(6, Message::new().nest(1, compare))
                .finish(),
        );
    }
    file.state(1, 2 * count);
    let succeeded = crate::support::ends_soon("20,000 comparisons", move || {
        let wal = read(&file.bytes);
        let replay = replay::whole_log(&wal).unwrap();
        let succeeded = replay.applied.iter().filter_map(|one| one.succeeded);
        succeeded.collect::<Vec<bool>>()
    });
    assert_eq!(succeeded, vec![false; count as usize]);
}
