//! Rows 11 to 17: headers, elements, branches, order, buckets, single bytes, whole pages.

use super::row::Row;
use super::three_hundred::real;
use super::whole::Whole;
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::faults::byte_changes;
use crate::support::synth::mutate::PageRef;
use crate::support::synth::page::{self, BRANCH, HEADER_LEN, LEAF, LeafElement};
use crate::support::synth::{Bucket, Endian, Freelist, Rng};
use crate::support::testdata;

/// A store with branches above branches, a freelist, and values longer than a page.
fn deep() -> Whole {
    let mut store = Store::new(Version::V3_6);
    let mut rng = Rng::new(11);
    for n in 0..220 {
        let len = if n % 40 == 7 { 1900 } else { 60 };
        store.put(format!("/registry/things/{:03}", n % 90), rng.bytes(len));
    }
    let builder = store.builder().page_size(512).zero_pages(3);
    Whole::of(
        "deep store",
        builder.freelist(Freelist::Persisted).build().bytes,
    )
}

/// The pages of the tree of records, the root first.
fn key_tree(whole: &Whole) -> Vec<PageRef> {
    let reached = &whole.outline.reached;
    let size_of = |root: u64| reached.iter().filter(|page| page.bucket == root).count();
    let roots = reached.iter().map(|page| page.bucket);
    let root = roots.max_by_key(|root| size_of(*root)).unwrap();
    let mut pages: Vec<PageRef> = reached
        .iter()
        .filter(|p| p.bucket == root)
        .cloned()
        .collect();
    pages.sort_by_key(|page| page.id != root);
    pages
}

/// A page of each kind: a leaf, a branch above it, the root of the records, the root of the file.
fn samples(whole: &Whole) -> Vec<(&'static str, PageRef)> {
    let pages = key_tree(whole);
    let leaf = pages
        .iter()
        .find(|page| page.flags == LEAF && page.count > 2);
    let leaf = leaf.unwrap().clone();
    let above = pages.iter().find(|page| page.id == leaf.parent).unwrap();
    let root = whole
        .outline
        .reached
        .iter()
        .find(|page| page.id == whole.outline.root);
    vec![
        ("leaf", leaf.clone()),
        ("branch", above.clone()),
        ("root of the records", pages[0].clone()),
        ("root of the file", root.unwrap().clone()),
    ]
}

/// The image with a few bytes replaced.
fn patched(whole: &Whole, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = whole.image.clone();
    image[at..at + bytes.len()].copy_from_slice(bytes);
    image
}

/// A number in the file's byte order, in 2, 4 or 8 bytes.
fn number(value: u64, width: usize) -> Vec<u8> {
    value.to_le_bytes()[..width].to_vec()
}

#[test]
fn row_11_a_wrong_page_header_is_reported_and_the_rest_delivered() {
    let mut row = Row::new("11");
    for whole in [real(), deep()] {
        let size = whole.outline.page_size;
        for (kind, page) in samples(&whole) {
            let at = page.id as usize * size;
            let count = page.count as u64;
            let overflow = page.overflow;
            for (field, offset, width, values) in [
                ("id", 0, 8, vec![0, page.id + 1, 1 << 40, u64::MAX]),
                ("flags", 8, 2, vec![0, 3, 0x10, 0xFFFF]),
                ("count", 10, 2, vec![0, count + 1, 0xFFFF]),
                ("overflow", 12, 4, vec![overflow + 1, 1 << 31, 0xFFFF_FFFF]),
            ] {
                for value in values {
                    let bytes = patched(&whole, at + offset, &number(value, width));
                    row.told(&whole, &format!("{field} {value:#x} of the {kind}"), &bytes);
                }
            }
        }
    }
    row.conclude(100);
}

#[test]
fn row_12_a_wrong_leaf_element_is_reported_and_its_neighbours_delivered() {
    let mut row = Row::of_many("12", 2);
    for whole in [real(), deep()] {
        let size = whole.outline.page_size;
        let (_, leaf) = samples(&whole).remove(0);
        for index in [0, leaf.count / 2, leaf.count - 1] {
            let element = leaf.id as usize * size + HEADER_LEN * (1 + index);
            let order = whole.outline.endian;
            let pos = u64::from(order.get_u32(&whole.image, element + 4).unwrap());
            let neighbour = if index == 0 { pos + 20 } else { pos - 40 };
            let huge = [0, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 20];
            for (field, offset, values) in [
                (
                    "pos",
                    4,
                    vec![0, 8, 0xFFFF_FFF0, 1 << 20, pos + 1, neighbour],
                ),
                ("ksize", 8, huge.to_vec()),
                ("vsize", 12, huge[1..].to_vec()),
                ("flags", 0, vec![0x80, 1, 0xFFFF_FFFF]),
            ] {
                for value in values {
                    let bytes = patched(&whole, element + offset, &number(value, 4));
                    let name = format!("{field} {value:#x} of element {index}");
                    row.told(&whole, &name, &bytes);
                }
            }
        }
    }
    row.conclude(90);
}

/// Hostile children of a branch, each with its name.
fn children(whole: &Whole) -> Vec<(String, Vec<u8>)> {
    let size = whole.outline.page_size;
    let pages = key_tree(whole);
    let (_, branch) = samples(whole).remove(1);
    let other = whole
        .outline
        .reached
        .iter()
        .find(|page| page.bucket != pages[0].bucket);
    let run = pages.iter().find(|page| page.overflow > 1).unwrap();
    let at = |index: usize| branch.id as usize * size + HEADER_LEN * (1 + index) + 8;
    let child = |index: usize| {
        whole
            .outline
            .endian
            .get_u64(&whole.image, at(index))
            .unwrap()
    };
    let named = [
        ("itself", branch.id),
        ("its parent", branch.parent),
        ("the root of the records", pages[0].id),
        ("the root of the file", whole.outline.root),
        ("meta page 0", 0),
        ("meta page 1", 1),
        ("the high-water mark", whole.outline.high_water_mark),
        ("far away", 1 << 40),
        ("the largest number", u64::MAX),
        ("the freelist", whole.outline.freelist),
        ("a page of another bucket", other.unwrap().id),
        ("the middle of a run", run.id + 1),
        ("its sibling", child(0)),
    ];
    let mut faults: Vec<(String, Vec<u8>)> = named
        .into_iter()
        .map(|(name, id)| (name.to_owned(), patched(whole, at(1), &number(id, 8))))
        .collect();
    // Three branches, each the child of another.
    let branches: Vec<&PageRef> = pages.iter().filter(|page| page.flags == BRANCH).collect();
    if let [first, second, third, ..] = branches[..] {
        let mut image = whole.image.clone();
        for (from, to) in [(first, second), (second, third), (third, first)] {
            let at = from.id as usize * size + HEADER_LEN + 8;
            image[at..at + 8].copy_from_slice(&number(to.id, 8));
        }
        faults.push(("a cycle of three".to_owned(), image));
    }
    faults
}

#[test]
fn row_13_a_wrong_child_is_reported_once_and_the_walk_ends() {
    let mut row = Row::new("13");
    let whole = deep();
    let faults = children(&whole);
    assert!(faults.iter().any(|(name, _)| name == "a cycle of three"));
    for (name, bytes) in faults {
        let given = row.told(&whole, &name, &bytes);
        let mut findings = given.answer.findings;
        let all = findings.len();
        findings.sort();
        findings.dedup();
        row.expect(findings.len() == all, || format!("{name}: a finding twice"));
    }
    row.conclude(14);
}

#[test]
fn row_14_keys_out_of_order_twice_or_empty_are_reported_and_delivered() {
    let mut row = Row::new("14");
    let mut store = Store::new(Version::V3_6);
    for n in 0..9 {
        store.put(format!("/registry/things/{n}"), "x");
    }
    let pairs: Vec<(Vec<u8>, Vec<u8>)> = store
        .records()
        .iter()
        .map(|record| (record.bucket_key(), record.bucket_value()))
        .collect();
    let with = |pairs: &[(Vec<u8>, Vec<u8>)]| {
        let mut buckets = store.buckets();
        let key = Bucket::of(pairs.to_vec()).keep_order().never_inline();
        buckets.insert(b"key".to_vec(), key);
        let nest = |root: Bucket, (name, bucket)| root.nest(name, bucket);
        let root = buckets.into_iter().fold(Bucket::new(), nest);
        store.builder().root(root).build().bytes
    };
    let mut swapped = pairs.clone();
    swapped.swap(3, 4);
    let mut doubled = pairs.clone();
    let mut other = store.records()[5].clone();
    other.value = b"another value".to_vec();
    doubled.insert(6, (other.bucket_key(), other.bucket_value()));
    let mut empty = pairs.clone();
    empty.insert(0, (Vec::new(), b"value of no key".to_vec()));
    for (name, pairs, records) in [
        ("two keys exchanged", swapped, 9),
        ("a key twice, with two values", doubled, 10),
        ("an empty key", empty, 9),
    ] {
        let bytes = with(&pairs);
        let path = row.write(&bytes);
        let answer = super::whole::answer(&path);
        row.expect(answer.told && answer.records.len() == records, || {
            let n = answer.records.len();
            format!("{name}: {n} of {records} records, {:?}", answer.findings)
        });
        row.run(&["log", "-o", "jsonl", "DB"], &bytes);
    }
    // A separator that is not the first key of its child.
    for whole in [real(), deep()] {
        let (_, branch) = samples(&whole).remove(1);
        let element = branch.id as usize * whole.outline.page_size + 2 * HEADER_LEN;
        let pos = whole.outline.endian.get_u32(&whole.image, element).unwrap();
        let last_byte_of_main = element + pos as usize + 7;
        let byte = whole.image[last_byte_of_main] ^ 1;
        let bytes = patched(&whole, last_byte_of_main, &[byte]);
        let given = row.told(&whole, "a separator that is no first key", &bytes);
        row.expect(given.has("separator-mismatch"), || {
            format!("{:?}", given.answer.codes)
        });
    }
    row.conclude(5);
}

/// A store whose bucket `lease` is given as it is in the root.
fn with_lease(flags: u32, value: Vec<u8>) -> Vec<u8> {
    let mut store = Store::new(Version::V3_6);
    for n in 0..40 {
        store.put(format!("/registry/things/{n}"), vec![b'x'; 100]);
    }
    let mut buckets = store.buckets();
    buckets.remove(&b"lease"[..]);
    let nest = |root: Bucket, (name, bucket)| root.nest(name, bucket);
    let root = buckets.into_iter().fold(Bucket::new(), nest);
    let root = root.raw("lease", flags, value);
    store.builder().root(root).build().bytes
}

/// A store with an unknown bucket, which holds a bucket, and so on for a thousand.
fn deeply_nested() -> Vec<u8> {
    let mut nested = Bucket::of([("k", "v")]);
    for _ in 0..1000 {
        nested = Bucket::new().nest("b", nested);
    }
    let mut store = Store::new(Version::V3_6);
    store.put("/a", "1");
    store.set_bucket("deep", nested);
    store.builder().build().bytes
}

#[test]
fn row_15_a_wrong_bucket_is_reported_and_a_strange_one_listed() {
    let mut row = Row::new("15");
    let inline = page::leaf_image(
        Endian::Little,
        0,
        0,
        &[LeafElement {
            flags: 0,
            key: 7_i64.to_be_bytes().to_vec(),
            value: vec![8, 7],
        }],
    );
    let mut crowded = inline.clone();
    crowded[10..12].copy_from_slice(&[0xFF, 0xFF]);
    let header = page::bucket_header(Endian::Little, 0, 0);
    for (name, value) in [
        ("a header of 0 bytes", vec![]),
        ("a header of 8 bytes", vec![0; 8]),
        ("a header of 15 bytes", vec![0; 15]),
        ("an inline page of no bytes", header.clone()),
        (
            "an inline page with a bad count",
            [header.clone(), crowded].concat(),
        ),
    ] {
        let bytes = with_lease(1, value);
        let path = row.write(&bytes);
        let answer = super::whole::answer(&path);
        row.expect(answer.records.len() == 40, || {
            format!("{name}: records are missing")
        });
        let run = row.run(&["status", "DB"], &bytes);
        row.expect(run.code == Some(3), || format!("{name}: {:?}", run.code));
    }
    // The writer goes down by calling itself; the reader must not.
    let writer = std::thread::Builder::new().stack_size(256 << 20);
    let bytes = writer.spawn(deeply_nested).unwrap().join().unwrap();
    for verb in [
        ["dump-db", "list-bucket", "DB"].as_slice(),
        &["status", "DB"],
    ] {
        let run = row.run(verb, &bytes);
        let listed = String::from_utf8_lossy(&run.stdout).contains("deep");
        // `status` looks into nested buckets, up to a limit.
        let is_named = run.stderr.contains("error: tree-too-deep: ");
        let code = if verb[0] == "status" { 3 } else { 0 };
        row.expect(
            listed && run.code == Some(code) && is_named == (code == 3),
            || format!("{:?}", run.stderr),
        );
    }
    row.conclude(7);
}

/// Bytes of a page that are tried: each, or every so many.
fn stride() -> usize {
    if std::env::var_os("ETCDIVE_EXHAUSTIVE").is_some() {
        1
    } else {
        67
    }
}

#[test]
fn row_16_every_byte_of_a_root_a_branch_a_leaf_and_an_inline_bucket_may_be_any_other() {
    let whole = deep();
    let size = whole.outline.page_size;
    let mut starts: Vec<usize> = samples(&whole)
        .iter()
        .map(|(_, page)| page.id as usize * size)
        .collect();
    starts.sort_unstable();
    starts.dedup();
    // The inline buckets are in the root of the file: a small store has its records there.
    let talk = Whole::read(&testdata("healthy/talk/3.6/01-talk.live.db"));
    let root = talk.outline.root as usize * talk.outline.page_size;
    let pages = starts.iter().map(|start| (&whole, *start..*start + size));
    let inline = [(&talk, root..root + talk.outline.page_size)];
    let mut row = Row::of_many("16", usize::MAX);
    let mut step = 0;
    for (whole, page) in pages.chain(inline) {
        for at in page {
            let old = whole.image[at];
            for value in byte_changes(old) {
                step += 1;
                if step % stride() == 0 {
                    let bytes = patched(whole, at, &[value]);
                    row.fault(whole, &format!("byte {at}: {old:#x} -> {value:#x}"), &bytes);
                }
            }
        }
    }
    row.conclude(700);
}

#[test]
fn row_17_zeroed_pages_cost_their_own_records_and_no_others() {
    let mut row = Row::of_many("17", 3);
    for whole in [real(), deep()] {
        let size = whole.outline.page_size;
        let zeroed = |ids: &[u64]| {
            let mut image = whole.image.clone();
            for id in ids {
                let at = *id as usize * size;
                image[at..at + size].fill(0);
            }
            image
        };
        let pages = key_tree(&whole);
        let branches: Vec<u64> = whole
            .outline
            .reached
            .iter()
            .filter(|page| page.flags == BRANCH)
            .map(|page| page.id)
            .collect();
        let tenth: Vec<u64> = (0..whole.outline.pages / 10).collect();
        for (name, ids) in [
            ("the root", vec![whole.outline.root]),
            ("the root of the records", vec![pages[0].id]),
            ("all branches", branches),
            ("the first tenth of the file", tenth),
        ] {
            row.told(&whole, name, &zeroed(&ids));
        }
        let mut rng = Rng::new(17);
        let occupied = whole.outline.occupied();
        for k in [1, 2, 5, 10, 20].into_iter().cycle().take(30) {
            let ids: Vec<u64> = (0..k)
                .filter_map(|_| rng.pick(&occupied).copied())
                .collect();
            let bytes = zeroed(&ids);
            // The one freelist page, and tails of values, may be all that is hit.
            row.fault(&whole, &format!("pages {ids:?}"), &bytes);
        }
    }
    row.conclude(60);
}
