//! Records in pages whose leaf has lost its head.

use crate::support::synth::page::{Endian, LeafElement, leaf_image};
use crate::support::synth::wire::Message;

use super::*;

/// A leaf page with all compacted records of a store.
fn run_of(store: &etcd::Store) -> Vec<u8> {
    let elements: Vec<LeafElement> = store
        .compacted()
        .into_iter()
        .map(|record| LeafElement {
            flags: 0,
            key: record.bucket_key(),
            value: record.bucket_value(),
        })
        .collect();
    let bytes = leaf_image(Endian::Little, 0, 0, &elements);
    let overflow = bytes.len().div_ceil(4096) as u32 - 1;
    leaf_image(Endian::Little, 0, overflow, &elements)
}

#[test]
fn without_its_first_page_a_run_gives_the_records_that_are_completely_after_it() {
    let mut boundaries = 0;
    for seed in 100..112 {
        let mut store = compacted_store(seed);
        let at = store.revision() - 20;
        store.compact(at);
        let run = run_of(&store);
        let rest = run[4096..].to_vec();
        let held = held(
            &store
                .builder()
                .stale_bytes(rest.clone(), false)
                .build()
                .bytes,
        );
        let mut expected = BTreeMap::new();
        for record in store.compacted() {
            let bytes = [record.bucket_key(), record.bucket_value()].concat();
            let at = memchr::memmem::find(&rest, &bytes);
            if let Some(at) = at {
                let crosses = at / 4096 != (at + bytes.len() - 1) / 4096;
                boundaries += usize::from(crosses);
                let grade = if crosses { "carved-c" } else { "carved-b" };
                let (revision, said) = of_synth(record);
                expected.insert(revision, (said, grade));
            }
        }
        let carved: BTreeMap<_, _> = held
            .carved
            .iter()
            .map(|(revision, (said, origin))| (*revision, (said.clone(), origin.as_str())))
            .collect();
        assert!(!expected.is_empty());
        assert_eq!(carved, expected, "seed {seed}");
        assert!(!held.damaged);
    }
    assert!(boundaries > 10);
}

#[test]
fn of_a_record_that_is_whole_elsewhere_the_fragment_is_no_news() {
    let mut store = compacted_store(200);
    let at = store.revision() - 20;
    let (before, _) = before_and_after(&mut store, at);
    let rest = run_of(&store)[4096..].to_vec();
    let image = store
        .builder()
        .stale_bytes(rest, false)
        .stale(before)
        .build();
    let held = held(&image.bytes);
    assert_eq!(held.carved.len(), store.compacted().len());
    assert!(
        held.carved
            .values()
            .all(|(_, origin)| origin.as_str() == "carved-a")
    );
}

#[test]
fn what_is_not_written_as_etcd_writes_it_is_no_record() {
    let key = |main: i64| etcd::revision_key(main, 0);
    let put = |main: i64, mod_revision: i64| {
        Message::new()
            .put(1, "k")
            .put_int(2, 2)
            .put_int(3, mod_revision)
            .put_int(4, 2)
            .put(5, "value")
            .finish()
            .into_iter()
            .fold(key(main), |mut bytes, byte| {
                bytes.push(byte);
                bytes
            })
    };
    let mut store = etcd::Store::new(Version::V3_6);
    for round in 0..20_u8 {
        store.put("k", vec![round; 10]);
    }
    store.compact(20);
    let carved = |bytes: Vec<u8>| {
        let image = store.builder().stale_bytes(bytes, false).build();
        held(&image.bytes).carved.len()
    };
    assert_eq!(carved([vec![0; 16], put(3, 3)].concat()), 1);
    // The revision of its key is not its mod_revision.
    assert_eq!(carved([vec![0; 16], put(4, 3)].concat()), 0);
    // The value is longer than what is left.
    let cut = [vec![0; 4096 - 30], put(3, 3)].concat();
    assert_eq!(carved(cut[..4096].to_vec()), 0);
    // A length written in more bytes than it needs.
    let padded = [key(3), b"\x0a\x81\x00k\x10\x02\x18\x03\x20\x02".to_vec()].concat();
    assert_eq!(carved([vec![0; 16], padded].concat()), 0);
    // A negative revision, and revision 0.
    assert_eq!(carved([vec![0; 16], put(-3, -3)].concat()), 0);
    assert_eq!(carved([vec![0; 16], put(0, 0)].concat()), 0);
    // A tombstone with a value.
    let mut tombstone = key(3);
    tombstone.extend(b"t\x0a\x01k\x10\x02");
    assert_eq!(carved([vec![0; 16], tombstone].concat()), 0);
    let mut tombstone = key(3);
    tombstone.extend(b"t\x0a\x01k");
    assert_eq!(carved([vec![0; 16], tombstone].concat()), 1);
    // What is in a value is no record.
    let outer = Message::new()
        .put(1, "k")
        .put_int(2, 2)
        .put_int(3, 5)
        .put_int(4, 2)
        .put(5, put(3, 3))
        .finish();
    assert_eq!(carved([vec![0; 16], key(5), outer].concat()), 1);
}
