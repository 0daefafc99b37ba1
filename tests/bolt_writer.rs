//! `bbolt::write`: what is written is read back by an independent reader.

use std::collections::BTreeMap;

use etcdive::bbolt::write::{Layout, NewBucket, Pairs, WriteError, WrittenFile, plan, write};
use etcdive::bytes::ByteOrder;
use sha2::{Digest as _, Sha256};

use crate::support::bolt_reader::{self, Buckets};
use crate::support::random::Random;

const PAGE_SIZES: [u32; 7] = [1024, 2048, 4096, 8192, 16384, 32768, 65536];

fn layout(page_size: u32, has_trailer: bool) -> Layout {
    Layout {
        page_size,
        order: ByteOrder::Little,
        has_trailer,
    }
}

fn written(layout: &Layout, buckets: &Buckets) -> (Vec<u8>, WrittenFile) {
    let new: Vec<NewBucket<'_>> = buckets
        .iter()
        .map(|(name, pairs)| NewBucket {
            name: name.as_bytes(),
            pairs: PairsOf::leaked(pairs),
        })
        .collect();
    let plan = plan(layout, &new).unwrap();
    let mut bytes = Vec::new();
    let file = write(&mut bytes, layout, &plan, &new).unwrap();
    assert_eq!(file.len_bytes, bytes.len() as u64);
    assert_eq!(file.len_bytes, plan.len_bytes);
    assert_eq!(file.sha256.as_slice(), Sha256::digest(&bytes).as_slice());
    (bytes, file)
}

struct PairsOf<'p>(&'p [(Vec<u8>, Vec<u8>)]);

impl<'p> PairsOf<'p> {
    fn leaked(pairs: &'p [(Vec<u8>, Vec<u8>)]) -> &'p dyn Pairs {
        Box::leak(Box::new(Self(pairs)))
    }
}

impl Pairs for PairsOf<'_> {
    fn walk(
        &self,
        each: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.0.walk(each)
    }
}

/// So many pairs with keys and values of lengths up to these.
fn pairs(random: &mut Random, count: usize, key: usize, value: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = BTreeMap::new();
    for number in 0..count {
        let mut name = format!("{number:08}").into_bytes();
        name.resize(8 + random.below(key + 1), b'k');
        // Most values are short, as in a store.
        let most = if random.below(10) == 0 {
            value
        } else {
            value / 20
        };
        pairs.insert(name, vec![number as u8; random.below(most + 1)]);
    }
    pairs.into_iter().collect()
}

#[test]
fn an_independent_reader_reads_what_was_written() {
    let mut random = Random::new(1);
    let mut compared = 0;
    let mut depth = 0;
    for page_size in PAGE_SIZES {
        for (count, key, value) in [
            (0, 0, 0),
            (1, 0, 0),
            (1, 0, 300_000),
            (7, 9, 20),
            (500, 20, 3000),
            (3000, 300, 100),
            (300, 20, 200_000),
            (60, 9000, 9000),
        ] {
            let buckets = Buckets::from([
                ("empty".to_owned(), Vec::new()),
                ("key".to_owned(), pairs(&mut random, count, key, value)),
                ("lease".to_owned(), pairs(&mut random, 3, 1, 20)),
            ]);
            let has_trailer = compared % 2 == 0;
            let (bytes, _) = written(&layout(page_size, has_trailer), &buckets);
            let read = bolt_reader::read(&bytes, has_trailer);
            assert_eq!(read.page_size, page_size as usize);
            assert!(read.buckets == buckets, "{page_size} {count} {key} {value}");
            assert!(read.inline.contains("empty") && read.inline.contains("lease"));
            depth = depth.max(read.depth);
            compared += 1;
        }
    }
    assert!(
        compared > 50 && depth >= 4,
        "{compared} files, {depth} levels"
    );
}

/// For each number of pairs up to several hundred: the last pages of each level are as bbolt expects them.
#[test]
fn every_number_of_pairs_has_an_end() {
    let mut compared = 0;
    let mut random = Random::new(2);
    for keys in [0, 200, 480] {
        let all = pairs(&mut random, 700, keys, 100);
        for count in (0..all.len()).step_by(if keys == 0 { 7 } else { 1 }) {
            let buckets = Buckets::from([("key".to_owned(), all[..count].to_vec())]);
            let (bytes, _) = written(&layout(1024, false), &buckets);
            let read = bolt_reader::read(&bytes, false);
            assert_eq!(read.buckets["key"].len(), count);
            compared += 1;
        }
    }
    assert!(compared > 1000);
}

#[test]
fn many_buckets_have_a_root_of_several_pages() {
    let mut random = Random::new(3);
    let buckets: Buckets = (0..60)
        .map(|number| (format!("bucket{number:03}"), pairs(&mut random, 5, 10, 20)))
        .collect();
    let (bytes, _) = written(&layout(1024, true), &buckets);
    assert!(bolt_reader::read(&bytes, true).buckets == buckets);
}

#[test]
fn two_runs_write_the_same_bytes() {
    let buckets = Buckets::from([("key".to_owned(), pairs(&mut Random::new(4), 400, 30, 2000))]);
    let one = written(&layout(4096, true), &buckets);
    assert_eq!(one, written(&layout(4096, true), &buckets));
}

#[test]
fn what_bbolt_refuses_is_not_written() {
    let refused = |pairs: &[(Vec<u8>, Vec<u8>)]| {
        let new = [NewBucket {
            name: b"key",
            pairs: PairsOf::leaked(pairs),
        }];
        plan(&layout(4096, false), &new).map(drop)
    };
    let pair = |key: &[u8]| (key.to_vec(), Vec::new());
    assert!(matches!(
        refused(&[pair(b"b"), pair(b"a")]),
        Err(WriteError::Order)
    ));
    assert!(matches!(
        refused(&[pair(b"a"), pair(b"a")]),
        Err(WriteError::Order)
    ));
    assert!(matches!(
        refused(&[pair(b"")]),
        Err(WriteError::Length { key: 0, .. })
    ));
    assert!(matches!(
        refused(&[pair(&[b'k'; 32_769])]),
        Err(WriteError::Length { key: 32_769, .. })
    ));
    assert!(refused(&[pair(&[b'k'; 32_768])]).is_ok());
}

/// A source that changes between the two walks.
#[test]
fn a_changed_source_is_an_error() {
    struct Growing(std::cell::Cell<u8>);
    impl Pairs for Growing {
        fn walk(
            &self,
            each: &mut dyn FnMut(&[u8], &[u8]) -> Result<(), WriteError>,
        ) -> Result<(), WriteError> {
            self.0.set(self.0.get() + 1);
            (0..self.0.get()).try_for_each(|key| each(&[key], b"value"))
        }
    }
    let growing = Growing(std::cell::Cell::new(0));
    let new = [NewBucket {
        name: b"key",
        pairs: &growing,
    }];
    let layout = layout(4096, false);
    let plan = plan(&layout, &new).unwrap();
    let written = write(&mut Vec::new(), &layout, &plan, &new);
    assert!(matches!(written, Err(WriteError::Changed)), "{written:?}");
}
