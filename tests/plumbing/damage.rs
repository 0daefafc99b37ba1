//! Damaged files under the plumbing verbs: what is intact is shown, what is not is named with its place, and
//! nothing that a page claims makes the work grow.

use std::time::{Duration, Instant};

use super::{bytes_of, fields, ok, rows, run, written};
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::{Bucket, Builder, Image};
use crate::support::{Run, Scratch};

const PAGE: usize = 4096;

/// A store whose bucket `key` has branches and leaves.
fn image() -> Image {
    let mut store = Store::new(Version::V3_6);
    for index in 0..400 {
        store.put(format!("/key/{index:06}"), "x".repeat(300));
    }
    store.builder().build()
}

/// The first leaf of bucket `key`.
fn a_leaf(image: &Image) -> u64 {
    let runs = image.bucket_runs(b"key");
    runs.iter().find(|run| run.level == 0).unwrap().pgid
}

fn root_of_key(image: &Image) -> u64 {
    image.bucket_runs(b"key")[0].pgid
}

#[track_caller]
fn assert_damage(run: &Run, code: &str, pgid: u64) {
    assert_eq!(run.code, 3, "{}", run.stderr);
    let said = format!("error: {code}: page {pgid}, ");
    assert!(run.stderr.contains(&said), "{said}: {}", run.stderr);
}

#[test]
fn a_page_that_a_tree_names_but_is_none_is_listed_as_damaged() {
    let scratch = Scratch::new("plumbing-id");
    let mut image = image();
    let leaf = a_leaf(&image);
    image.page_mut(leaf)[0] ^= 0x40;
    let path = written(&scratch, &image);
    let listed = run("pages", &path, &["-o", "jsonl"]);
    assert_damage(&listed, "page-id-mismatch", leaf);
    let row = rows(&listed)
        .into_iter()
        .find(|row| row["page"] == leaf)
        .unwrap();
    assert_eq!(
        (&row["type"], &row["bucket"]),
        (&"damaged".into(), &"key".into())
    );
    let sound = rows(&listed)
        .iter()
        .filter(|row| row["type"] == "leaf")
        .count();
    assert!(sound > 20, "its siblings are listed");
    let page = run("page", &path, &[&leaf.to_string()]);
    assert_damage(&page, "page-id-mismatch", leaf);
    assert!(
        page.text()
            .contains("but it is no page of a tree\nDOES NOT FIT: it states that it is page ")
            && page.text().contains(&format!("WRONG: should be {leaf}\n")),
        "{}",
        page.text()
    );
    // Its elements are all there.
    assert!(page.text().lines().count() > 10, "{}", page.text());
    assert_eq!(run("buckets", &path, &[]).code, 3);
}

#[test]
fn an_element_that_does_not_fit_is_shown_raw_between_its_neighbours() {
    let scratch = Scratch::new("plumbing-element");
    for (what, at, field) in [
        ("pos", 16 + 16 + 4, [0xf0, 0xff, 0xff, 0xff]),
        ("ksize", 16 + 16 + 8, [0xff, 0xff, 0, 0]),
        ("vsize", 16 + 16 + 12, [0, 0, 0, 0x40]),
        ("flags", 16 + 16, [0x80, 0, 0, 0]),
    ] {
        let mut image = image();
        let leaf = a_leaf(&image);
        image.page_mut(leaf)[at..at + 4].copy_from_slice(&field);
        let path = written(&scratch, &image);
        let page = run(
            "page",
            &path,
            &[&leaf.to_string(), "-o", "jsonl", "--values"],
        );
        let told = rows(&page);
        let stated = u32::from_le_bytes(field);
        assert_eq!(told[2][what], stated, "{what}");
        let misfit = told[2]["does_not_fit"].as_str().unwrap();
        assert!(!misfit.is_empty());
        for neighbour in [&told[1], &told[3]] {
            assert!(neighbour.get("does_not_fit").is_none());
            assert!(!bytes_of(neighbour, "value").is_empty());
        }
        if what == "flags" {
            // What it holds can be read all the same.
            assert!(!bytes_of(&told[2], "value").is_empty());
            assert_eq!(run("pages", &path, &[]).code, 3);
            continue;
        }
        assert_damage(&page, "element-bounds", leaf);
        assert!(told[2].get("value").is_none() && told[2].get("value_base64").is_none());
        let text = run("page", &path, &[&leaf.to_string()]);
        let line = text
            .text()
            .lines()
            .find(|line| line.starts_with("1  "))
            .unwrap();
        assert!(
            line.contains(&stated.to_string()) && line.contains("DOES NOT FIT: expected "),
            "{line}"
        );
    }
}

#[test]
fn a_meta_page_shows_which_fields_are_wrong_and_what_they_should_be() {
    let scratch = Scratch::new("plumbing-meta");
    let mut image = image();
    let right = u64::from_le_bytes(image.bytes[72..80].try_into().unwrap());
    image.bytes[72] ^= 1;
    image.bytes[PAGE + 16] ^= 1;
    let path = written(&scratch, &image);
    let run = run("page", &path, &["0", "1", "-o", "jsonl"]);
    assert_damage(&run, "meta-invalid", 0);
    let told = rows(&run);
    let wrong = |page: usize, name: &str| {
        let fields = told[page]["fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["name"] == name).unwrap();
        field["expected"].clone()
    };
    assert_eq!(wrong(0, "checksum"), format!("{right:016x}"));
    assert_eq!(wrong(1, "magic"), 0xed0c_daed_u64);
    assert!(wrong(0, "magic").is_null() && wrong(0, "id").is_null());
    let text = super::run("page", &path, &["0"]);
    assert!(
        text.text()
            .contains(&format!("WRONG: should be {right:016x}\n")),
        "{}",
        text.text()
    );
}

#[test]
fn without_a_meta_page_every_page_is_what_its_header_says() {
    let scratch = Scratch::new("plumbing-no-meta");
    let mut image = image();
    let before = rows(&ok("pages", &written(&scratch, &image), &["-o", "jsonl"]));
    image.bytes[..2 * PAGE].fill(0);
    let path = written(&scratch, &image);
    let listed = run("pages", &path, &["-o", "jsonl"]);
    assert_damage(&listed, "meta-invalid", 0);
    assert!(
        listed
            .stderr
            .contains("the page size, 4096 bytes, was inferred from")
    );
    let listed = rows(&listed);
    assert_eq!(listed.len(), before.len());
    for (now, before) in listed.iter().zip(&before).skip(2) {
        let facts = [
            "page",
            "type",
            "items",
            "overflow",
            "first_key",
            "first_key_base64",
        ];
        for fact in facts {
            assert_eq!(now[fact], before[fact], "{now}");
        }
        assert!(now.get("bucket").is_none());
    }
    assert_eq!(listed[0]["type"], "unknown");
    let leaf = a_leaf(&image).to_string();
    let page = run("page", &path, &[&leaf, "-o", "jsonl"]);
    assert_damage(&page, "meta-invalid", 0);
    assert!(fields(&rows(&page)[0])["count"].as_u64().unwrap() > 5);
    assert_damage(
        &run("hexdump", &path, &["--page", &leaf]),
        "meta-invalid",
        0,
    );
    let buckets = run("buckets", &path, &[]);
    assert_damage(&buckets, "meta-invalid", 0);
    assert!(buckets.text().contains("key\n") && buckets.text().contains("meta\n"));
    let root = root_of_key(&image);
    let headers = rows(&run("buckets", &path, &["-o", "jsonl"]));
    let key = headers.iter().find(|row| row["name"] == "key").unwrap();
    assert!(
        key["root"] == root && key.get("elements").is_none(),
        "{key}"
    );
    assert!(
        run("buckets", &path, &["-o", "table"])
            .text()
            .contains("  -")
    );
}

#[test]
fn a_file_cut_in_the_middle_is_listed_up_to_its_end() {
    let scratch = Scratch::new("plumbing-cut");
    let mut image = image();
    let pages = image.bytes.len() / PAGE;
    image.bytes.truncate(pages / 2 * PAGE + 100);
    let path = written(&scratch, &image);
    let listed = run("pages", &path, &["-o", "jsonl"]);
    assert_eq!(listed.code, 3);
    assert!(
        listed.stderr.contains("error: file-truncated: "),
        "{}",
        listed.stderr
    );
    assert_eq!(rows(&listed).len(), pages / 2 + 1);
    let last = (pages / 2).to_string();
    let page = run("page", &path, &[&last]);
    assert_eq!(page.code, 3);
    assert!(
        page.text().contains("100 bytes from offset"),
        "{}",
        page.text()
    );
    assert!(
        page.text()
            .contains("DOES NOT FIT: it is 1 page long and ends after"),
        "{}",
        page.text()
    );
    let dump = run("hexdump", &path, &["--page", &last]);
    assert_eq!((dump.code, dump.text().lines().count()), (3, 8));
}

#[test]
fn a_freelist_that_says_more_than_it_holds_is_listed_as_far_as_it_goes() {
    let scratch = Scratch::new("plumbing-long-freelist");
    let mut image = Builder::new()
        .bucket("key", Bucket::new())
        .zero_pages(5)
        .freelist(crate::support::synth::Freelist::Persisted)
        .build();
    let id = image.metas[image.current_meta].freelist;
    let page = image.page_mut(id);
    page[10..12].copy_from_slice(&[0xff, 0xff]);
    page[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    let path = written(&scratch, &image);
    let run = run("page", &path, &[&id.to_string()]);
    assert!(
        run.text()
            .contains("DOES NOT FIT: it states 18446744073709551615 ids, 509 have room"),
        "{}",
        run.text()
    );
}

/// Buckets in each other, so many deep; each has a page of its own.
fn nested(deep: usize) -> Bucket {
    (0..deep).fold(
        Bucket::of([(b"k".to_vec(), b"v".to_vec())]).never_inline(),
        |inner, _| Bucket::new().nest("deep", inner).never_inline(),
    )
}

#[test]
fn buckets_in_buckets_are_followed_so_deep_and_no_deeper() {
    let scratch = Scratch::new("plumbing-deep");
    let image = Builder::new().bucket("few", nested(3)).build();
    let path = written(&scratch, &image);
    let names = ok("buckets", &path, &[]);
    assert_eq!(
        names.text(),
        "few\nfew/deep\nfew/deep/deep\nfew/deep/deep/deep\n"
    );
    // The writer of the test recurses.
    let writer = std::thread::Builder::new().stack_size(256 << 20);
    let build = || Builder::new().bucket("many", nested(1000)).build();
    let image = writer.spawn(build).unwrap().join().unwrap();
    let path = written(&scratch, &image);
    let names = run("buckets", &path, &[]);
    assert_eq!((names.code, names.text().lines().count()), (3, 64));
    assert!(
        names.stderr.contains("error: tree-too-deep: "),
        "{}",
        names.stderr
    );
    assert_eq!(run("pages", &path, &[]).code, 3);
}

#[test]
fn claims_do_not_make_the_work_grow() {
    let scratch = Scratch::new("plumbing-claims");
    let mut image = image();
    let (leaf, root) = (a_leaf(&image), root_of_key(&image));
    let mut cases: Vec<(&str, Image)> = Vec::new();
    // Every page claims all after it.
    let mut all = image.clone();
    for run in image.runs.clone() {
        all.page_mut(run.pgid)[12..16].copy_from_slice(&[0xff; 4]);
    }
    cases.push(("overflow", all));
    // A branch that is its own child.
    let mut own = image.clone();
    own.page_mut(root)[24..32].copy_from_slice(&root.to_le_bytes());
    cases.push(("cycle", own));
    // Every element claims the whole page.
    let mut claims = image.clone();
    let page = claims.page_mut(leaf);
    let count = u16::from_le_bytes(page[10..12].try_into().unwrap());
    for index in 0..u32::from(count) {
        let at = 16 + 16 * index as usize;
        let table = 16 * u32::from(count);
        page[at + 4..at + 8].copy_from_slice(&(table - 16 * index).to_le_bytes());
        page[at + 12..at + 16].copy_from_slice(&(4096 - 16 - table - 17).to_le_bytes());
    }
    cases.push(("claims", claims));
    image.page_mut(leaf)[10..12].copy_from_slice(&[0xff, 0xff]);
    cases.push(("count", image));
    for (name, image) in cases {
        let path = written(&scratch, &image);
        let start = Instant::now();
        let page = run("page", &path, &[&leaf.to_string(), "--values"]);
        assert!(
            page.stdout.len() < 64 * 8 * PAGE,
            "{name}: {}",
            page.stdout.len()
        );
        for verb in ["pages", "buckets"] {
            let run = run(verb, &path, &[]);
            assert_eq!(run.code, 3, "{name}: {verb}: {}", run.stderr);
            assert!(run.text().lines().count() > 5, "{name}: {verb}");
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{name}");
    }
}
