//! Empty records: the mark of a restore with a raised revision, or a record whose value is lost.

use etcdive::query::restore::RestoreRequest;

use super::corrupt::busy_store;
use super::{main_of, newest, restore};
use crate::support::synth::etcd::{Store, Version, revision_key};
use crate::support::synth::{Bucket, Image};
use crate::support::{Scratch, bolt_reader};

/// A store that was bumped to a revision, and written to afterwards. Each key is put once before the bump.
fn bumped(mark: i64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut store = Store::new(Version::V3_6);
    for number in 0..40 {
        store.put(format!("/k/{number}"), format!("value {number}"));
    }
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = store
        .records()
        .iter()
        .map(|record| (record.bucket_key(), record.bucket_value()))
        .collect();
    assert!(store.revision() < mark);
    pairs.push((revision_key(mark, 0), Vec::new()));
    pairs
}

fn image(pairs: &[(Vec<u8>, Vec<u8>)], compacted: i64) -> Image {
    let mut store = Store::new(Version::V3_6);
    store.set_bucket("key", Bucket::of(pairs.to_vec()));
    let marks = [
        ("consistent_index", 50_u64.to_be_bytes().to_vec()),
        ("finishedCompactRev", revision_key(compacted, 0)),
        ("scheduledCompactRev", revision_key(compacted, 0)),
        ("term", 2_u64.to_be_bytes().to_vec()),
    ];
    store.set_bucket("meta", Bucket::of(marks));
    store.builder().page_size(1024).build()
}

#[test]
fn the_mark_of_a_raised_revision_is_copied() {
    let pairs = bumped(1000);
    let scratch = Scratch::new("bump-mark");
    // As etcd left it, and after a later compaction.
    for compacted in [1000, 1000 + 7] {
        let db = scratch.file("bumped.db", &image(&pairs, compacted).bytes);
        let outcome = restore(&db, newest()).unwrap();
        assert!(outcome.is_complete);
        assert_eq!(outcome.buckets()["key"], pairs, "compacted at {compacted}");
    }
}

#[test]
fn a_record_at_or_below_the_compaction_whose_value_is_lost_is_no_mark() {
    let store = busy_store(7);
    let image = store.builder().page_size(1024).build();
    let buckets = bolt_reader::read(&image.bytes, false).buckets;
    let original = buckets["key"].clone();
    let mut meta = buckets["meta"].iter();
    let (_, mark) = meta.find(|(key, _)| key == b"finishedCompactRev").unwrap();
    let compacted = main_of(mark);
    let scratch = Scratch::new("emptied-below");
    let (mut below, mut at) = (0, 0);
    for run in image.bucket_runs(b"key") {
        let page = run.pgid as usize * 1024;
        if image.bytes[page + 8] != 2 {
            continue;
        }
        let count = usize::from(u16::from_le_bytes([
            image.bytes[page + 10],
            image.bytes[page + 11],
        ]));
        for index in 0..count {
            let element = page + 16 + index * 16;
            let field = |offset: usize| {
                let bytes = &image.bytes[element + offset..element + offset + 4];
                u32::from_le_bytes(bytes.try_into().unwrap()) as usize
            };
            let key = element + field(4);
            let key = &image.bytes[key..key + field(8)];
            let main = main_of(key);
            // Only puts look like the mark.
            if main > compacted || key.len() != 17 || index % 4 != 0 {
                continue;
            }
            let mut bytes = image.bytes.clone();
            bytes[element + 12..element + 16].fill(0);
            let db = scratch.file("emptied.db", &bytes);
            assert!(restore(&db, newest()).is_err(), "revision {main}");
            let request = RestoreRequest {
                allow_loss: true,
                ..newest()
            };
            let outcome = restore(&db, request).unwrap();
            let written = outcome.buckets()["key"].clone();
            assert!(written.len() > 100);
            for pair in &written {
                assert!(
                    pair.0.len() == 18 || original.contains(pair),
                    "revision {main}"
                );
            }
            below += 1;
            at += usize::from(main == compacted);
        }
    }
    assert!(below > 3, "{below} below, {at} at the compaction");
}
