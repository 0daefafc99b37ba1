//! What holds of every store: folds agree with a naive fold, damage stays where it is, health is
//! silent, and a diff is what makes the new state of the old one.

mod differences;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use etcdive::bbolt::{Db, Direction};
use etcdive::diag::Diagnostics;
use etcdive::etcd::status::StoreStatus;
use etcdive::etcd::store::RevisionUnavailable;
use etcdive::etcd::{AtRevision, KeyHistory, Keyspace, PlacedKeyspace, Record, Store};
use etcdive::source::Source;

use crate::support::synth::etcd::{Record as Written, Store as Model};
use crate::support::synth::{Endian, shapes};
use crate::support::{files_below, testdata};

/// Every healthy database in testdata.
fn healthy() -> Vec<PathBuf> {
    let mut files = files_below(&testdata("healthy"));
    files.retain(|path| path.extension().is_some_and(|extension| extension == "db"));
    assert!(files.len() >= 6);
    files
}

/// Random stores in every page size and byte order.
fn random_images() -> impl Iterator<Item = (u64, Model, Vec<u8>)> {
    (0..24_u64).map(|seed| {
        let model = shapes::store(seed + 100, 8 << (seed % 5));
        let page_size = [512, 1024, 4096, 16384][seed as usize % 4];
        let endian = [Endian::Little, Endian::Big][seed as usize / 4 % 2];
        let mut builder = model.builder().page_size(page_size).endian(endian);
        if seed % 3 == 0 {
            builder = builder.scatter(seed);
        }
        let image = builder.build().bytes;
        (seed, model, image)
    })
}

/// Both sides of a comparison: what was written, and what was read.
type Row = (i64, i64, bool, Vec<u8>, i64, i64, i64, Vec<u8>, i64);

fn written(record: &Written) -> Row {
    let r = record.clone();
    let (created, modified) = (r.create_revision, r.mod_revision);
    (
        r.main,
        r.sub,
        r.tombstone,
        r.key,
        created,
        modified,
        r.version,
        r.value,
        r.lease,
    )
}

fn read(record: &Record<'_>) -> Row {
    let (main, sub) = (record.revision.main, record.revision.sub);
    let (created, modified) = (record.create_revision, record.mod_revision);
    let (key, value) = (record.key.to_vec(), record.value.to_vec());
    (
        main,
        sub,
        record.tombstone,
        key,
        created,
        modified,
        record.version,
        value,
        record.lease,
    )
}

/// The revision up to which a model was compacted, as its bucket says; 0 for none.
fn compacted(store: &Store<'_>) -> i64 {
    store.compact_revision()
}

/// The live and the deleted keys of a keyspace.
fn rows_of(keyspace: &Keyspace<'_>) -> [Vec<(Vec<u8>, Row)>; 2] {
    [&keyspace.live, &keyspace.deleted].map(|entries| {
        let rows = entries.iter();
        rows.map(|entry| (entry.key.to_vec(), read(&entry.record)))
            .collect()
    })
}

#[test]
fn the_keyspaces_of_one_pass_are_those_of_a_pass_for_each() {
    let damaged = files_below(&testdata("damaged")).into_iter();
    let damaged = damaged.filter(|path| path.extension().is_some_and(|it| it == "db"));
    let damaged: Vec<PathBuf> = damaged.collect();
    let random = random_images().map(|(_, _, image)| image);
    let images = random.chain(damaged.iter().map(|path| std::fs::read(path).unwrap()));
    let mut compared = 0;
    for image in images {
        let found = [(); 2].map(|()| Diagnostics::new());
        let [one_pass, each] = &found;
        let (Ok(one), Ok(other)) = (
            Db::from_image(&image, None, one_pass),
            Db::from_image(&image, None, each),
        ) else {
            continue;
        };
        let (one, other) = (Store::from_db(one), Store::from_db(other));
        let newest = one.current_revision();
        let at = [newest - newest / 3, newest].map(AtRevision);
        let both = PlacedKeyspace::at_each(&one, at, |_| true);
        let both = both.map(|PlacedKeyspace { live, deleted }| {
            let (live, deleted) = (live.entries(), deleted.entries());
            rows_of(&Keyspace { live, deleted })
        });
        let expected = at.map(|at| rows_of(&Keyspace::at(&other, at, |_| true)));
        assert_eq!(both, expected);
        assert_eq!(one_pass.by_code(), each.by_code());
        compared += both.iter().flatten().map(Vec::len).sum::<usize>();
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn the_keyspace_at_every_retained_revision_is_the_history_folded_forward() {
    let (mut revisions, mut compactions) = (0, 0);
    for (seed, model, image) in random_images() {
        let diagnostics = Diagnostics::new();
        let store = Store::from_db(Db::from_image(&image, None, &diagnostics).unwrap());
        assert_eq!(store.current_revision(), model.revision(), "store {seed}");
        let oldest = compacted(&store).max(1);
        compactions += usize::from(oldest > 1);
        for revision in oldest..=model.revision() {
            let at = store.at(Some(revision)).unwrap();
            let keyspace = Keyspace::at(&store, at, |_| true);
            let expected = model.live_at(revision);
            let live: Vec<Row> = keyspace
                .live
                .iter()
                .map(|entry| read(&entry.record))
                .collect();
            let folded: Vec<Row> = expected.values().map(|record| written(record)).collect();
            assert_eq!(live, folded, "store {seed} at revision {revision}");
            for key in expected.keys() {
                assert_eq!(
                    keyspace.get(key).map(read),
                    expected.get(key).map(|r| written(r))
                );
                assert!(keyspace.tombstone(key).is_none());
            }
            revisions += 1;
        }
        let head = Keyspace::at(&store, store.at(None).unwrap(), |_| true);
        assert_eq!(
            head.live.len(),
            model.live_at(i64::MAX).len(),
            "store {seed}"
        );
        assert!(
            !diagnostics.found_damage(),
            "store {seed}: {:?}",
            diagnostics.by_code()
        );
    }
    println!("{revisions} revisions, {compactions} compacted stores");
    assert!(revisions > 500 && compactions > 3);
}

#[test]
fn the_history_of_a_key_is_its_records() {
    let (mut keys, mut events) = (0, 0);
    for (seed, model, image) in random_images() {
        let diagnostics = Diagnostics::new();
        let store = Store::from_db(Db::from_image(&image, None, &diagnostics).unwrap());
        let mut of_key: BTreeMap<&[u8], Vec<Row>> = BTreeMap::new();
        for record in model.records() {
            of_key.entry(&record.key).or_default().push(written(record));
        }
        for (key, expected) in &of_key {
            let history = KeyHistory::read(&store, key);
            let got: Vec<Row> = history
                .events
                .iter()
                .map(|event| read(&event.record))
                .collect();
            assert_eq!(&got, expected, "store {seed}");
            for revision in compacted(&store).max(1)..=model.revision() {
                let at = history
                    .at(&store, AtRevision(revision))
                    .map(|record| read(&record));
                let folded = model
                    .live_at(revision)
                    .get(*key)
                    .map(|record| written(record));
                assert_eq!(at, folded, "store {seed} at revision {revision}");
            }
            keys += 1;
            events += expected.len();
        }
        assert!(
            KeyHistory::read(&store, b"/registry/things/none")
                .events
                .is_empty()
        );
    }
    println!("{keys} keys, {events} events");
    assert!(keys > 100 && events > keys);
}

#[test]
fn a_compacted_and_a_future_revision_are_refused_as_etcd_refuses_them() {
    let mut refused = 0;
    for (seed, model, image) in random_images() {
        let diagnostics = Diagnostics::new();
        let store = Store::from_db(Db::from_image(&image, None, &diagnostics).unwrap());
        let (current, compacted) = (model.revision(), compacted(&store));
        for asked in current + 1..current + 3 {
            let future = RevisionUnavailable::Future { asked, current };
            assert_eq!(store.at(Some(asked)), Err(future), "store {seed}");
        }
        for asked in (compacted - 2).max(0)..compacted {
            let gone = RevisionUnavailable::Compacted { asked, compacted };
            assert_eq!(store.at(Some(asked)), Err(gone), "store {seed}");
            refused += 1;
        }
        for asked in [compacted.max(1), current] {
            assert_eq!(store.at(Some(asked)), Ok(AtRevision(asked)), "store {seed}");
        }
        assert_eq!(store.at(None), Ok(AtRevision::HEAD), "store {seed}");
        assert_eq!(store.current_revision(), current, "store {seed}");
    }
    assert!(refused > 10);
}

/// Bucket, key and value of everything but the records.
fn other_buckets(store: &Store<'_>) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let diagnostics = Diagnostics::new();
    let mut all = Vec::new();
    for bucket in store
        .buckets()
        .iter()
        .filter(|bucket| bucket.name != b"key")
    {
        let elements = bucket.leaves(&diagnostics, Direction::Forward);
        for element in elements.flat_map(|leaf| leaf.elements(Direction::Forward)) {
            let (key, value) = (element.key.to_vec(), element.value.to_vec());
            all.push((bucket.name.to_vec(), key, value));
        }
    }
    assert!(!all.is_empty());
    all
}

#[test]
fn a_destroyed_leaf_hides_its_own_records_and_no_other() {
    let mut destroyed = 0;
    for (seed, model, image) in random_images() {
        let diagnostics = Diagnostics::new();
        let store = Store::from_db(Db::from_image(&image, None, &diagnostics).unwrap());
        let whole: Vec<(u64, Row)> = store
            .records(Direction::Forward)
            .map(|record| (record.pgid.unwrap(), read(&record)))
            .collect();
        assert_eq!(whole.len(), model.records().len());
        let key = store.bucket(b"key").unwrap();
        if key.is_inline() {
            continue;
        }
        let others = other_buckets(&store);
        let page_size = store.db().pages().page_size();
        let leaves: BTreeSet<u64> = whole.iter().map(|(pgid, _)| *pgid).collect();
        for leaf in leaves {
            let mut bytes = image.clone();
            let at = leaf as usize * page_size;
            bytes[at..at + page_size].fill(0);
            let diagnostics = Diagnostics::new();
            let store = Store::from_db(Db::from_image(&bytes, None, &diagnostics).unwrap());
            let expected: Vec<&Row> = whole
                .iter()
                .filter(|(pgid, _)| *pgid != leaf)
                .map(|(_, row)| row)
                .collect();
            let got: Vec<Row> = store
                .records(Direction::Forward)
                .map(|r| read(&r))
                .collect();
            assert_eq!(
                got.iter().collect::<Vec<_>>(),
                expected,
                "store {seed}, leaf {leaf}"
            );
            assert!(diagnostics.found_damage(), "store {seed}, leaf {leaf}");
            assert_eq!(other_buckets(&store), others, "store {seed}, leaf {leaf}");
            destroyed += 1;
        }
    }
    println!("{destroyed} leaves destroyed");
    assert!(destroyed > 50);
}

#[test]
fn health_is_silent_and_both_directions_agree() {
    let (mut images, mut records) = (0, 0);
    let mut check = |name: &str, image: &[u8]| {
        let diagnostics = Diagnostics::new();
        let store = Store::from_db(Db::from_image(image, None, &diagnostics).unwrap());
        let forward: Vec<Row> = store
            .records(Direction::Forward)
            .map(|r| read(&r))
            .collect();
        let mut backward: Vec<Row> = store
            .records(Direction::Backward)
            .map(|r| read(&r))
            .collect();
        backward.reverse();
        assert!(forward == backward, "{name}");
        StoreStatus::read(&store);
        for bucket in store.buckets() {
            bucket
                .elements(&diagnostics, Direction::Forward)
                .for_each(drop);
            bucket
                .elements(&diagnostics, Direction::Backward)
                .for_each(drop);
        }
        assert!(
            !diagnostics.found_damage(),
            "{name}: {:?}",
            diagnostics.by_code()
        );
        images += 1;
        records += forward.len();
    };
    for path in healthy() {
        let source = Source::open(&path).unwrap();
        assert_ne!(
            std::mem::discriminant(&source.verify_trailer()),
            bad_trailer()
        );
        check(&path.display().to_string(), source.image());
    }
    for (seed, _, image) in random_images() {
        check(&format!("store {seed}"), &image);
    }
    println!("{images} images, {records} records");
    assert!(images > 20 && records > 1000);
}

fn bad_trailer() -> std::mem::Discriminant<etcdive::source::TrailerCheck> {
    std::mem::discriminant(&etcdive::source::TrailerCheck::Bad {
        computed: [0; 32],
        stored: [0; 32],
    })
}

#[test]
fn a_healthy_bbolt_file_of_any_shape_is_walked_without_a_finding() {
    let (mut images, mut elements) = (0, 0);
    for seed in 200..230_u64 {
        let page_size = [512, 1024, 4096, 16384, 65536][seed as usize % 5];
        let endian = [Endian::Little, Endian::Big][seed as usize / 5 % 2];
        let bytes = shapes::builder(seed, page_size, endian).build().bytes;
        let diagnostics = Diagnostics::new();
        // A snapshot's trailer is no part of the pages.
        let image = &bytes[..bytes.len() / page_size * page_size];
        let db = Db::from_image(image, None, &diagnostics).unwrap();
        for bucket in db.buckets() {
            elements += bucket.elements(&diagnostics, Direction::Forward).count();
        }
        assert!(
            diagnostics.by_code().is_empty(),
            "{seed}: {:?}",
            diagnostics.by_code()
        );
        images += 1;
    }
    println!("{images} images, {elements} elements");
    assert!(images > 0 && elements > 1000);
}
