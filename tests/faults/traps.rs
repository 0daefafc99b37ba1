//! Rows 24 and 25: wrong freelists, and bytes that look like records to a scan.

use super::row::Row;
use super::whole::{Whole, answer};
use crate::support::synth::etcd::{Store, Version, revision_key};
use crate::support::synth::faults::with_meta;
use crate::support::synth::page::{self, LeafElement};
use crate::support::synth::{Builder, Endian, Freelist, Rng};

fn store() -> Store {
    let mut store = Store::new(Version::V3_6);
    let mut rng = Rng::new(24);
    for n in 0..80 {
        store.put(format!("/registry/things/{:02}", n % 30), rng.bytes(90));
    }
    store
}

#[test]
fn row_24_a_freelist_that_is_wrong_hides_nothing() {
    let mut row = Row::new("24");
    let builder = store().builder().page_size(1024).zero_pages(4);
    let lists: Vec<(&str, Vec<u64>)> = vec![
        ("empty", vec![]),
        ("ids above the mark", vec![1 << 40, u64::MAX]),
        ("an id twice", vec![5, 5, 5]),
        ("descending", vec![9, 8, 7]),
        ("pages in use", (2..30).collect()),
        ("meta pages", vec![0, 1]),
    ];
    for (name, ids) in lists {
        let image = builder.clone().freelist(Freelist::Ids(ids)).build();
        let whole = Whole::of(name, image.bytes.clone());
        let given = row.fault(&whole, name, &image.bytes);
        row.expect(given.answer.records.len() == 80, || {
            format!("{name}: {} records", given.answer.records.len())
        });
        row.run(&["status", "DB"], &image.bytes);
    }
    let image = builder.freelist(Freelist::Persisted).build();
    let whole = Whole::of("a freelist", image.bytes.clone());
    let at = whole.outline.freelist as usize * 1024;
    let count = |count: u16, first: u64| {
        let mut bytes = image.bytes.clone();
        bytes[at + 10..at + 12].copy_from_slice(&count.to_le_bytes());
        bytes[at + 16..at + 24].copy_from_slice(&first.to_le_bytes());
        bytes
    };
    let in_tree = whole
        .outline
        .reached
        .iter()
        .find(|page| page.overflow == 0)
        .unwrap()
        .id;
    for (name, bytes) in [
        ("count 0xFFFF of 2^40", count(0xFFFF, 1 << 40)),
        ("count 0xFFFF of 2^64-1", count(0xFFFF, u64::MAX)),
        ("count 0xFFFF of 5", count(0xFFFF, 5)),
        ("count 0xFFFE", count(0xFFFE, 3)),
        (
            "in a page of the tree",
            with_meta(&image.bytes, whole.outline.meta, 48, 8, in_tree),
        ),
        (
            "at a meta page",
            with_meta(&image.bytes, whole.outline.meta, 48, 8, 1),
        ),
        (
            "beyond the file",
            with_meta(&image.bytes, whole.outline.meta, 48, 8, 1 << 50),
        ),
    ] {
        let given = row.fault(&whole, name, &bytes);
        row.expect(given.answer.records.len() == 80, || {
            format!("{name}: {} records", given.answer.records.len())
        });
        for verb in [["status", "DB"], ["ls", "DB"]] {
            row.run(&verb, &bytes);
        }
    }
    row.conclude(13);
}

/// The records of a builder's image, and of it without its metas and its root.
fn with_and_without_a_tree(row: &mut Row, name: &str, builder: &Builder) {
    let image = builder.build();
    let whole = Whole::of(name, image.bytes.clone());
    let sound = row.fault(&whole, "undamaged", &image.bytes);
    row.expect(sound.answer.records.len() == whole.records.len(), || {
        format!("{name}: {} records", sound.answer.records.len())
    });
    row.expect(!sound.answer.told, || {
        format!("{name}: {:?}", sound.answer.findings)
    });
    let size = image.page_size;
    let root = whole.outline.root as usize * size;
    for (fault, zeroed) in [("no metas", 0..2 * size), ("no root", root..root + size)] {
        let mut bytes = image.bytes.clone();
        bytes[zeroed].fill(0);
        let given = row.told(&whole, fault, &bytes);
        let n = given.answer.records.len();
        row.expect(n == whole.records.len(), || {
            format!("{name}, {fault}: {n} of {} records", whole.records.len())
        });
    }
}

/// Another store's file, with other records at the same revisions.
fn another_file() -> Vec<u8> {
    let mut other = Store::new(Version::V3_6);
    for n in 0..40 {
        other.put(format!("/registry/elsewhere/{n}"), vec![b'y'; 80]);
    }
    other.builder().page_size(1024).build().bytes
}

#[test]
fn row_25_a_database_stored_as_a_value_is_no_part_of_the_store() {
    let mut row = Row::new("25-value");
    let inner = another_file();
    // Whatever is before it: its pages are on pages of the outer file once in 1024.
    for pad in (0..1024).step_by(32) {
        let mut store = store();
        store.put("/registry/files/a", [vec![0; pad], inner.clone()].concat());
        with_and_without_a_tree(
            &mut row,
            &format!("at {pad}"),
            &store.builder().page_size(1024),
        );
    }
    row.conclude(96);
}

#[test]
fn row_25_bytes_of_a_record_in_a_value_are_no_record() {
    let mut row = Row::new("25-bytes");
    let mut store = store();
    let record = store.records()[3].clone();
    let bytes = [record.bucket_key(), record.bucket_value()].concat();
    store.put("/registry/files/a", bytes.repeat(40));
    let forged = [revision_key(9000, 0), record.bucket_value()].concat();
    store.put("/registry/files/b", forged.repeat(40));
    with_and_without_a_tree(
        &mut row,
        "records in a value",
        &store.builder().page_size(1024),
    );
    row.conclude(3);
}

#[test]
fn row_25_the_stale_head_of_an_overwritten_run_gives_no_record_of_two() {
    let mut row = Row::new("25-head");
    let mut store = store();
    let mut rng = Rng::new(25);
    let value: Vec<u8> = rng.bytes(5000);
    let main = store.put("/registry/files/big", value);
    let big = store.records().last().copied().unwrap().clone();
    assert_eq!(big.main, main);
    // The same record in a free run, whose last pages were then given to another leaf.
    let element = |record: &crate::support::synth::etcd::Record| LeafElement {
        flags: 0,
        key: record.bucket_key(),
        value: record.bucket_value(),
    };
    let head = page::leaf_image(Endian::Little, 0, 5, &[element(&big)]);
    let other = store.records()[7].clone();
    let tail = page::leaf_image(Endian::Little, 0, 0, &[element(&other)]);
    let mut stale = head[..3 * 1024].to_vec();
    stale.extend(&tail);
    stale.resize(6 * 1024, 0);
    let mut image = store
        .builder()
        .page_size(1024)
        .stale_bytes(stale, true)
        .build();
    let run = image
        .runs
        .iter()
        .find(|run| run.role == crate::support::synth::Role::Stale);
    let at = run.unwrap().pgid;
    image
        .endian
        .put_u64(&mut image.bytes, (at as usize + 3) * 1024, at + 3);
    let whole = Whole::of("a stale head", image.bytes.clone());
    let sound = row.fault(&whole, "undamaged", &image.bytes);
    row.expect(!sound.answer.told, || {
        format!("{:?}", sound.answer.findings)
    });
    let mut bytes = image.bytes.clone();
    bytes[..2048].fill(0);
    row.told(&whole, "no metas", &bytes);
    row.conclude(2);
}

#[test]
fn row_25_a_record_beyond_the_current_revision_is_not_taken_into_an_intact_store() {
    let mut row = Row::new("25-beyond");
    let mut later = store();
    for n in 0..10 {
        later.put(format!("/registry/later/{n}"), "z");
    }
    let stale = later.key_bucket();
    let builder = store()
        .builder()
        .page_size(1024)
        .stale(stale.never_inline());
    let bytes = builder.build().bytes;
    let path = row.write(&bytes);
    let answer = answer(&path);
    row.expect(answer.records.len() == 80, || {
        format!("{} records", answer.records.len())
    });
    row.run(&["ls", "DB"], &bytes);
    row.conclude(1);
}
