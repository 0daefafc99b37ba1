//! Tests of the writer of test images itself. Everything about it was also
//! checked with bbolt and etcdutl when it was written.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_possible_truncation
)]

#[path = "../benches/support/special.rs"]
mod special;
#[path = "../benches/support/store.rs"]
mod store;

use crate::support::{Scratch, etcdive, synth};
use std::collections::BTreeSet;
use synth::etcd::{Store, Version, delete, put};
use synth::faults;
use synth::mutate::{self, KINDS, Kind, Outline};
use synth::page::{BRANCH, BUCKET_ELEMENT, FREELIST, LEAF, fnv1a64};
use synth::{Bucket, Builder, Endian, Freelist, Image, Older, Rng, Role, Trailer, shapes};

const LITTLE: Endian = Endian::Little;
const BIG: Endian = Endian::Big;

/// Turns every number of the format in a little-endian image into a
/// big-endian one, by a walk of its own over the runs.
fn swapped(image: &Image) -> Vec<u8> {
    let mut bytes = image.bytes[..image.bytes.len()].to_vec();
    for meta in 0..2 {
        let at = meta * image.page_size;
        swap_header(&mut bytes, at);
        for field in [16, 20, 24, 28] {
            bytes[at + field..at + field + 4].reverse();
        }
        for field in [32, 40, 48, 56, 64] {
            bytes[at + field..at + field + 8].reverse();
        }
        let sum = fnv1a64(&bytes[at + 16..at + 72]);
        bytes[at + 72..at + 80].copy_from_slice(&sum.to_be_bytes());
    }
    for run in &image.runs {
        if run.role != Role::Free {
            swap_page(&mut bytes, run.pgid as usize * image.page_size);
        }
    }
    bytes
}

fn swap_header(bytes: &mut [u8], at: usize) {
    bytes[at..at + 8].reverse();
    bytes[at + 8..at + 10].reverse();
    bytes[at + 10..at + 12].reverse();
    bytes[at + 12..at + 16].reverse();
}

fn swap_page(bytes: &mut [u8], at: usize) {
    let flags = LITTLE.get_u16(bytes, at + 8).unwrap();
    let mut count = usize::from(LITTLE.get_u16(bytes, at + 10).unwrap());
    swap_header(bytes, at);
    if flags == FREELIST {
        if count == 0xFFFF {
            count = 1 + LITTLE.get_u64(bytes, at + 16).unwrap() as usize;
        }
        for i in 0..count {
            bytes[at + 16 + 8 * i..at + 24 + 8 * i].reverse();
        }
        return;
    }
    for i in 0..count {
        let element = at + 16 + 16 * i;
        let field = |bytes: &[u8], n: usize| LITTLE.get_u32(bytes, element + n).unwrap() as usize;
        if flags == LEAF && field(bytes, 0) == BUCKET_ELEMENT as usize {
            let value = element + field(bytes, 4) + field(bytes, 8);
            let inline = bytes[value..value + 8] == [0; 8];
            bytes[value..value + 8].reverse();
            bytes[value + 8..value + 16].reverse();
            if inline {
                swap_page(bytes, value + 16);
            }
        }
        bytes[element..element + 4].reverse();
        bytes[element + 4..element + 8].reverse();
        if flags == LEAF {
            bytes[element + 8..element + 12].reverse();
            bytes[element + 12..element + 16].reverse();
        } else {
            bytes[element + 8..element + 16].reverse();
        }
    }
}

#[test]
fn a_big_endian_image_is_the_little_endian_one_with_every_number_turned() {
    for seed in 0..40 {
        let size = [512, 4096, 16384, 65536][seed as usize % 4];
        let make = |order| {
            let builder = shapes::builder(seed, size, order);
            builder.trailer(Trailer::None).build()
        };
        let (little, big) = (make(LITTLE), make(BIG));
        assert!(swapped(&little) == big.bytes, "seed {seed}");
        assert!(little.bytes != big.bytes, "seed {seed}");
    }
}

#[test]
fn the_smallest_image_has_the_bytes_written_down_in_the_format() {
    let image = Builder::new()
        .txid(6)
        .bucket("b", Bucket::of([("k", "v")]).sequence(3))
        .build();
    assert_eq!(image.bytes.len(), 3 * 4096);
    let meta = &image.bytes[..80];
    let head = [0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(&meta[..16], &head);
    assert_eq!(&meta[16..24], &[0xED, 0xDA, 0x0C, 0xED, 2, 0, 0, 0]);
    assert_eq!(&meta[24..36], &[0, 16, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(
        &meta[48..64],
        &[
            255, 255, 255, 255, 255, 255, 255, 255, 3, 0, 0, 0, 0, 0, 0, 0
        ]
    );
    assert_eq!(meta[64], 6);
    let root = &image.bytes[8192..8192 + 16 + 16 + 1 + 16 + 16 + 16 + 2];
    let mut expected = vec![2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0];
    expected.extend([1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 50, 0, 0, 0, b'b']);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0]);
    expected.extend([0, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, b'k', b'v']);
    assert_eq!(root, expected);
    assert!(
        image.bytes[8192 + root.len()..]
            .iter()
            .all(|byte| *byte == 0)
    );
}

#[test]
fn the_checksum_is_fnv_1a_of_64_bits() {
    assert_eq!(fnv1a64(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fnv1a64(b"foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn random_shapes_have_branches_overflow_inline_and_nested_buckets() {
    let (mut level, mut overflow, mut inline, mut deep) = (0, false, false, 0);
    for seed in 0..30 {
        let image = shapes::builder(seed, 4096, LITTLE).build();
        for run in image.runs.iter().filter(|run| run.role == Role::Tree) {
            level = level.max(run.level);
            overflow |= run.pages > 1;
            deep = deep.max(run.path.len());
        }
        inline |= !Outline::of(&image.bytes).unwrap().inline.is_empty();
    }
    assert!(
        level >= 2 && overflow && inline && deep >= 3,
        "{level} {deep}"
    );
}

#[test]
fn the_outline_of_an_image_reaches_the_pages_of_its_current_tree() {
    for seed in 0..40 {
        let size = [512, 4096, 16384][seed as usize % 3];
        let order = if seed % 2 == 0 { LITTLE } else { BIG };
        let image = shapes::builder(seed, size, order).build();
        let outline = Outline::of(&image.bytes).unwrap();
        assert_eq!((outline.endian, outline.page_size), (order, size));
        assert_eq!(outline.meta, image.current_meta as u64);
        let reached: BTreeSet<u64> = outline.reached.iter().map(|page| page.id).collect();
        let runs = image.runs.iter().filter(|run| run.role == Role::Tree);
        assert_eq!(reached, runs.map(|run| run.pgid).collect(), "seed {seed}");
    }
}

#[test]
fn the_older_state_shares_the_pages_which_did_not_change() {
    let pairs = |n: u32| (0..n).map(|i| (i.to_be_bytes(), vec![1; 200]));
    let root = |n| Bucket::new().nest("key", Bucket::of(pairs(n)));
    let older = Older::State(root(2000));
    let image = Builder::new().root(root(2001)).older(older).build();
    let only = |role| image.runs.iter().filter(|run| run.role == role).count();
    // The last leaf, the branches above it and the root are written anew.
    assert!(only(Role::OlderTree) <= 4, "{}", only(Role::OlderTree));
    assert!(only(Role::Tree) > 100);
    assert_ne!(image.metas[0].root, image.metas[1].root);
    assert_eq!(image.metas[0].txid, 8);
    assert_eq!(image.metas[1].txid, 7);
}

#[test]
fn the_older_state_can_be_empty_as_after_a_defragmentation() {
    let image = Builder::new()
        .bucket("key", Bucket::of([("k", "v")]).never_inline())
        .older(Older::Empty)
        .build();
    let older = image.metas[1];
    assert_eq!((older.txid, older.root, older.freelist), (1, 3, 2));
    assert_eq!(older.high_water_mark, 4);
    assert_eq!(LITTLE.get_u16(image.page(2), 8), Some(FREELIST));
    assert_eq!(LITTLE.get_u16(image.page(3), 8), Some(LEAF));
    assert_eq!(image.free, [2, 3]);
}

#[test]
fn a_freelist_of_65535_ids_and_more_has_its_count_in_the_body() {
    for zeros in [65_534, 65_535, 65_536] {
        let builder = Builder::new().page_size(512).freelist(Freelist::Persisted);
        let image = builder.zero_pages(zeros).build();
        assert_eq!(image.free.len() as u64, zeros);
        let page = image.page(image.metas[0].freelist);
        let first = if zeros >= 0xFFFF {
            zeros
        } else {
            image.free[0]
        };
        let count = LITTLE.get_u16(page, 10).unwrap();
        assert_eq!(u64::from(count), zeros.min(0xFFFF));
        assert_eq!(LITTLE.get_u64(page, 16), Some(first));
    }
}

#[test]
fn tail_and_trailer_follow_the_last_page() {
    let builder = Builder::new().bucket("b", Bucket::new());
    let plain = builder.build().bytes;
    let good = builder.clone().trailer(Trailer::Good).build().bytes;
    let bad = builder.clone().trailer(Trailer::Bad).build().bytes;
    let half = builder.clone().trailer(Trailer::Half).build().bytes;
    let tail = builder.tail(vec![0; 8192]).build().bytes;
    assert_eq!(good.len(), plain.len() + 32);
    assert_eq!(good[..plain.len()], plain);
    let wrong: u32 = good
        .iter()
        .zip(&bad)
        .map(|(a, b)| (a ^ b).count_ones())
        .sum();
    assert_eq!(wrong, 1);
    assert_eq!(half, good[..plain.len() + 16]);
    assert_eq!(tail.len(), plain.len() + 8192);
    // SHA-256 itself: sha256sum of the 12,288 bytes of the plain image.
    let hex: String = good[plain.len()..]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex,
        "a44390fdc6ff0154bc0e52dd0534015891f5b4f1555e23fe3d548d9787840d78"
    );
}

#[test]
fn keys_can_be_left_unsorted_and_doubled_for_hostile_images() {
    let bucket = Bucket::of([("b", "1"), ("a", "2"), ("a", "3"), ("", "4")]).keep_order();
    let image = Builder::new().bucket("key", bucket.never_inline()).build();
    let run = image.bucket_runs(b"key")[0].pgid;
    let page = image.page(run);
    assert_eq!(&page[16 + 4 * 16..16 + 4 * 16 + 7], b"b1a2a34");
}

#[test]
fn a_thousand_nested_buckets_are_written() {
    // The writer recurses, and a test thread has a small stack.
    let write = || {
        let mut bucket = Bucket::of([("innermost", "x")]);
        for _ in 0..1000 {
            bucket = Bucket::new().nest("n", bucket);
        }
        let image = Builder::new().page_size(512).root(bucket).build();
        image.runs.iter().map(|run| run.path.len()).max()
    };
    let depth = std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(write)
        .unwrap()
        .join()
        .unwrap();
    assert_eq!(depth, Some(999));
}

#[test]
fn a_store_counts_revisions_and_versions_as_etcd_does() {
    let mut store = Store::new(Version::V3_6);
    assert_eq!(store.put("a", "1"), 2);
    assert_eq!(store.txn(&[put("a", "2"), put("b", "1")]), 3);
    assert_eq!(store.delete("zz"), 3);
    assert_eq!(store.txn(&[delete("a"), put("c", "1")]), 4);
    assert_eq!(store.put("a", "3"), 5);
    let facts: Vec<_> = store
        .records()
        .iter()
        .map(|r| (r.main, r.sub, r.tombstone, r.create_revision, r.version))
        .collect();
    let expected = [
        (2, 0, false, 2, 1),
        (3, 0, false, 2, 2),
        (3, 1, false, 3, 1),
        (4, 0, true, 0, 0),
        (4, 1, false, 4, 1),
        (5, 0, false, 5, 1),
    ];
    assert_eq!(facts, expected);
    let keys = |revision| -> Vec<Vec<u8>> { store.live_at(revision).into_keys().collect() };
    assert_eq!(keys(4), [b"b", b"c"]);
    assert_eq!(keys(5), [b"a", b"b", b"c"]);
}

#[test]
fn a_compaction_keeps_the_last_put_of_each_key() {
    for (version, kept) in [(Version::V3_4, 2), (Version::V3_6, 3)] {
        let mut store = Store::new(version);
        store.put("a", "1");
        store.put("b", "1");
        store.put("a", "2");
        store.delete("b");
        store.put("c", "1");
        store.compact(5);
        let mains: Vec<i64> = store.records().iter().map(|r| r.main).collect();
        let expected = if kept == 3 { vec![4, 5, 6] } else { vec![4, 6] };
        assert_eq!(mains, expected);
        assert_eq!(store.compacted().len() + mains.len(), 5);
        assert_eq!(store.live_at(6).len(), 2);
    }
}

#[test]
fn an_interrupted_compaction_has_removed_the_oldest_records_only() {
    let mut store = Store::new(Version::V3_5);
    for i in 0..10 {
        store.put("a", format!("{i}"));
    }
    store.compact_partly(9, 3);
    let mains: Vec<i64> = store.records().iter().map(|r| r.main).collect();
    assert_eq!(mains, [5, 6, 7, 8, 9, 10, 11]);
    let meta = store.meta_bucket();
    let has = |name: &str| meta.entries().iter().any(|e| e.0 == name.as_bytes());
    assert!(has("scheduledCompactRev") && !has("finishedCompactRev"));
}

#[test]
fn a_record_is_encoded_with_default_values_left_out() {
    let mut store = Store::new(Version::V3_6);
    store.put("k", "");
    store.put_leased("k", b"v", 300);
    store.delete("k");
    let values: Vec<_> = store.records().iter().map(|r| r.bucket_value()).collect();
    assert_eq!(values[0], [10, 1, b'k', 16, 2, 24, 2, 32, 1]);
    let second = [10, 1, b'k', 16, 2, 24, 3, 32, 2, 42, 1, b'v', 48, 0xAC, 2];
    assert_eq!(values[1], second);
    assert_eq!(values[2], [10, 1, b'k']);
    assert_eq!(store.records()[2].bucket_key()[16..], [0, b't']);
}

/// Images with everything in them, for the mutator.
fn rich_images() -> Vec<Image> {
    let mut images = Vec::new();
    for (size, order) in [(512, LITTLE), (4096, BIG), (4096, LITTLE), (16384, LITTLE)] {
        let store = shapes::store(size as u64, 300);
        let builder = store.builder().page_size(size).endian(order);
        images.push(builder.freelist(Freelist::Persisted).zero_pages(3).build());
    }
    images
}

#[test]
fn a_mutation_depends_on_its_seed_alone_and_changes_the_named_place() {
    for image in rich_images() {
        for seed in 0..300 {
            let (bytes, mutation) = mutate::mutate(&image.bytes, seed);
            assert_eq!(
                (bytes.clone(), mutation.clone()),
                mutate::mutate(&image.bytes, seed)
            );
            let at = mutation.offset as usize;
            assert_eq!(mutation.page as usize, at / image.page_size, "{mutation}");
            if bytes.len() < image.bytes.len() {
                assert_eq!(bytes, image.bytes[..at], "{mutation}");
                continue;
            }
            assert_eq!(bytes.len(), image.bytes.len());
            let first = (0..bytes.len())
                .find(|i| bytes[*i] != image.bytes[*i])
                .unwrap();
            let near = at.abs_diff(first) < 8 || matches!(mutation.kind, Kind::BitFlip);
            let page_wide = first / image.page_size == at / image.page_size;
            let swap = mutation.kind == Kind::SwapPages;
            assert!(
                near || page_wide || swap,
                "{mutation}: first change at {first}"
            );
        }
    }
}

#[test]
fn every_kind_of_mutation_finds_its_target() {
    for image in rich_images() {
        let missing: Vec<&Kind> = KINDS
            .iter()
            .filter(|kind| mutate::mutate_kind(&image.bytes, **kind, 5).is_none())
            .collect();
        assert!(
            missing.is_empty(),
            "{missing:?} at page size {}",
            image.page_size
        );
    }
}

#[test]
fn a_changed_meta_field_has_a_right_checksum() {
    for image in rich_images() {
        for seed in 0..100 {
            let found = mutate::mutate_kind(&image.bytes, Kind::MetaField, seed);
            let (bytes, mutation) = found.unwrap();
            let at = mutation.page as usize * image.page_size;
            let sum = fnv1a64(&bytes[at + 16..at + 72]);
            assert_eq!(
                image.endian.get_u64(&bytes, at + 72),
                Some(sum),
                "{mutation}"
            );
        }
    }
}

#[test]
fn a_mutated_image_can_be_mutated_again() {
    let mut mutated = 0;
    for image in rich_images() {
        let mut rng = Rng::new(9);
        let mut bytes = image.bytes.clone();
        for _ in 0..400 {
            if Outline::of(&bytes).is_none() || bytes.len() < 3 * image.page_size {
                bytes.clone_from(&image.bytes);
            }
            bytes = mutate::mutate(&bytes, rng.next_u64()).0;
            mutated += 1;
        }
    }
    assert_eq!(mutated, 1600);
}

#[test]
fn the_named_faults_differ_from_the_image_and_from_each_other() {
    let image = &rich_images()[2];
    let singles = faults::singles(&image.bytes);
    assert_eq!(singles.len(), 9);
    let mut all = singles;
    all.extend(faults::hostile_metas(&image.bytes, false));
    assert!(all.iter().all(|(_, bytes)| *bytes != image.bytes));
    let names: BTreeSet<&String> = all.iter().map(|fault| &fault.0).collect();
    assert!(names.len() > 35, "{}", names.len());
    let cuts: Vec<usize> = faults::cuts_at_pages(&image.bytes)
        .map(<[u8]>::len)
        .collect();
    assert_eq!(cuts.len(), image.bytes.len() / 4096);
    assert_eq!(cuts[..3], [0, 4096, 8192]);
    assert_eq!(faults::byte_changes(0x40).len(), 9);
    assert_eq!(faults::byte_changes(0x57).len(), 11);
}

#[test]
fn a_mix_of_two_copies_takes_each_page_from_the_named_one() {
    let older = Builder::new()
        .bucket("b", Bucket::of([("k", "1")]))
        .build()
        .bytes;
    let pairs = (0..900u32).map(|i| (i.to_be_bytes(), "x"));
    let newer = Builder::new().bucket("b", Bucket::of(pairs)).build().bytes;
    assert_eq!(faults::mix_pages(&older, &newer, |_| true), newer);
    let mix = faults::mix_pages(&older, &newer, |page| page != 2);
    assert_eq!(mix[8192..12288], older[8192..12288]);
    assert_eq!(mix[12288..], newer[12288..]);
    assert_eq!(mix[..8192], newer[..8192]);
}

#[test]
fn branch_pages_hold_the_first_key_of_each_child() {
    let pairs = (0..5000u32).map(|i| (i.to_be_bytes(), vec![0; 30]));
    let image = Builder::new()
        .page_size(512)
        .bucket("b", Bucket::of(pairs))
        .build();
    let (mut checked, mut at_level) = (0, BTreeSet::new());
    for run in image.bucket_runs(b"b") {
        at_level.insert(run.level);
        let page = image.page(run.pgid);
        if LITTLE.get_u16(page, 8) != Some(BRANCH) {
            continue;
        }
        for i in 0..usize::from(LITTLE.get_u16(page, 10).unwrap()) {
            let element = 16 + 16 * i;
            let key = element + LITTLE.get_u32(page, element).unwrap() as usize;
            let child = image.page(LITTLE.get_u64(page, element + 8).unwrap());
            let field = if LITTLE.get_u16(child, 8) == Some(LEAF) {
                20
            } else {
                16
            };
            let first = 16 + LITTLE.get_u32(child, field).unwrap() as usize;
            assert_eq!(page[key..key + 4], child[first..first + 4]);
            checked += 1;
        }
    }
    assert!(checked > 500 && at_level.len() >= 3);
}

#[test]
fn a_generated_store_holds_what_its_summary_says() {
    let folder = std::env::temp_dir().join(format!("generated-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let make = |name: &str, seed| {
        let path = folder.join(name);
        let summary = store::generate(&path, 3_000_000, seed).unwrap();
        (std::fs::read(path).unwrap(), summary)
    };
    let ((first, summary), (again, _)) = (make("first", 1), make("again", 1));
    let (other, _) = make("other", 2);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(first == again && first != other);
    assert_eq!(first.len() as u64, summary.bytes);
    assert!(summary.bytes.abs_diff(3_000_000) < 60_000, "{summary:?}");
    let outline = Outline::of(&first).unwrap();
    assert_eq!(outline.high_water_mark, outline.pages);
    let key = outline.bucket_headers.first().unwrap();
    let root = LITTLE.get_u64(&first, *key).unwrap();
    let in_key = |page: &&mutate::PageRef| page.bucket == root && page.flags == LEAF;
    let records: usize = outline
        .reached
        .iter()
        .filter(in_key)
        .map(|page| page.count)
        .sum();
    assert_eq!(records as u64, summary.records);
    let deleted = summary.keys - summary.live;
    assert!(summary.tombstones >= deleted && deleted > 0, "{summary:?}");
    assert_eq!(store::parse_size("200MB"), Some(200_000_000));
    assert_eq!(store::parse_size("2XB"), None);
}

/// 100,000 deletions of one transaction: the branches name records by their sub-revision too.
#[test]
fn a_store_of_a_special_shape_is_intact() {
    let scratch = Scratch::new("shapes");
    let mut checked = 0;
    for (name, lines) in [("tombstones", 0), ("one-key", 1)] {
        let path = scratch.path().join(name);
        let shape = special::Shape::named(name).unwrap();
        let summary = special::generate(&path, shape).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), summary.bytes);
        let fsck = etcdive(["fsck".as_ref(), path.as_os_str()]);
        assert_eq!(fsck.code, 0, "{name}: {}", fsck.text());
        let ls = etcdive(["ls".as_ref(), path.as_os_str()]);
        assert_eq!(ls.text().lines().count(), lines, "{name}");
        assert_eq!(summary.live, lines as u64, "{name}");
        checked += 1;
    }
    assert_eq!(checked, 2);
    assert_eq!(special::Shape::named("2GB"), None);
}
