//! Faults of pages, of the metas, of the freelist and of the file's length.

use super::{Fault, assert_found, store};
use crate::support::synth::faults::with_meta;
use crate::support::synth::{Bucket, Freelist, Image, Older, Role, Trailer};

const PAGE: usize = 512;

fn image() -> Image {
    store().builder().page_size(PAGE).build()
}

/// The pages of bucket `key` at a level, in key order; 0 is a leaf.
fn pages(image: &Image, level: u32) -> Vec<u64> {
    let mut found: Vec<u64> = image
        .bucket_runs(b"key")
        .into_iter()
        .filter(|run| run.level == level)
        .map(|run| run.pgid)
        .collect();
    let first_key = |id: &u64| {
        let page = image.page(*id);
        let pos_at = if level == 0 { 20 } else { 16 };
        let pos = image.endian.get_u32(page, pos_at).unwrap() as usize;
        page[16 + pos..16 + pos + 17].to_vec()
    };
    found.sort_by_key(first_key);
    assert!(found.len() > 1 || level > 0);
    found
}

fn at(page: u64) -> u64 {
    page * PAGE as u64
}

/// The image with bytes of one page changed.
fn changed(image: &Image, page: u64, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut image = image.clone();
    image.page_mut(page)[at..at + bytes.len()].copy_from_slice(bytes);
    image.bytes
}

/// What follows from records that are missing in the middle.
const GAPS: &[&str] = &["records-lost", "version-gap"];
/// What follows where a page is intact and the way to it is not.
const SALVAGED: &[&str] = &["records-salvaged"];

#[test]
fn a_damaged_header_is_found_where_it_is() {
    let image = image();
    let leaf = pages(&image, 0)[3];
    let branch = pages(&image, 1)[0];
    let alone = |name, bytes, code, page| Fault::alone(name, bytes, code, page, at(page));
    assert_found(vec![
        alone(
            "page id",
            changed(&image, leaf, 0, &[0xEE]),
            "page-id-mismatch",
            leaf,
        ),
        alone("kind", changed(&image, leaf, 8, &[0x10]), "page-kind", leaf),
        alone(
            "a zeroed page",
            changed(&image, leaf, 0, &[0; PAGE]),
            "page-id-mismatch",
            leaf,
        )
        .with(GAPS),
        alone(
            "branch without elements",
            changed(&image, branch, 10, &[0; PAGE - 10]),
            "branch-empty",
            branch,
        )
        .with(SALVAGED),
        alone(
            "count",
            changed(&image, leaf, 10, &[0xFF, 0x7F]),
            "page-bounds",
            leaf,
        )
        .with(&["element-layout"]),
    ]);
}

#[test]
fn a_damaged_pointer_is_found_where_it_leads_to() {
    let image = image();
    let branch = pages(&image, 1)[0];
    let leaves = pages(&image, 0);
    let child =
        |index: usize, page: u64| changed(&image, branch, 16 + 16 * index + 8, &page.to_le_bytes());
    assert_found(vec![
        Fault::alone(
            "outside the file",
            child(2, 9999),
            "page-out-of-range",
            9999,
            at(9999),
        )
        .with(SALVAGED),
        Fault::alone(
            "a child twice",
            child(2, leaves[1]),
            "page-twice",
            leaves[1],
            at(leaves[1]),
        )
        .with(SALVAGED),
        Fault::alone(
            "its own child",
            child(2, branch),
            "page-twice",
            branch,
            at(branch),
        )
        .with(SALVAGED),
        Fault::alone(
            "another's child",
            child(2, leaves[3]),
            "separator-mismatch",
            leaves[3],
            at(leaves[3]),
        )
        .with(&["key-order", "page-twice", "records-salvaged"]),
    ]);
}

#[test]
fn a_damaged_element_is_found_by_its_number() {
    let image = image();
    let leaf = pages(&image, 0)[3];
    let alone = |name, bytes, code| Fault::alone(name, bytes, code, leaf, at(leaf));
    let element = |index: usize, field: usize, value: u32| {
        changed(&image, leaf, 16 + 16 * index + field, &value.to_le_bytes())
    };
    let page = image.page(leaf);
    let count = usize::from(u16::from_le_bytes(page[10..12].try_into().unwrap()));
    let word = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().unwrap()) as usize;
    let last = 16 + 16 * (count - 1);
    let end = last + word(last + 4) + word(last + 8) + word(last + 12);
    assert!(end + 2 < PAGE);
    let slack = changed(&image, leaf, end + 1, &[1]);
    let first = 16 + word(20);
    assert_found(vec![
        alone("position", element(1, 4, 0xFFFF), "element-bounds").with(&[
            "element-layout",
            "records-lost",
            "version-gap",
        ]),
        alone("flags", element(1, 0, 0x80), "element-flags"),
        // A key of two bytes less begins the value two bytes early.
        alone("key size", element(1, 8, 15), "element-layout").with(&[
            "revision-key",
            "records-lost",
            "version-gap",
        ]),
        Fault::alone(
            "slack",
            slack,
            "slack-not-zero",
            leaf,
            at(leaf) + end as u64 + 1,
        ),
        // The first revision of the page becomes a later one.
        alone(
            "key",
            changed(&image, leaf, first + 7, &[0xFE]),
            "key-order",
        )
        .with(&["separator-mismatch", "records-lost", "record-mismatch"]),
    ]);
}

#[test]
fn a_damaged_root_is_found() {
    // In pages of this size the root is one leaf.
    const PAGE: u64 = 4096;
    let root_of = |image: &Image| image.metas[image.current_meta].root;
    let of_root = |name, bucket: Bucket, code| {
        let image = store().builder().root(bucket).build();
        let root = root_of(&image);
        Fault::alone(name, image.bytes, code, root, root * PAGE)
    };
    let root = store().root();
    let mut renamed = store().builder().build();
    let page = root_of(&renamed);
    let bytes = renamed.page_mut(page);
    let name = bytes.windows(4).rposition(|window| window == b"meta");
    bytes[name.unwrap()] = b'n';
    assert_found(vec![
        of_root(
            "a value",
            root.clone().put("what", "value"),
            "root-not-buckets",
        ),
        of_root("a header", root.raw("zzz", 1, [1, 2, 3]), "bucket-header"),
        Fault::alone(
            "no bucket meta",
            renamed.bytes,
            "bucket-missing",
            page,
            page * PAGE,
        )
        .with(&["bucket-unknown"]),
    ]);
}

#[test]
fn faults_of_the_metas_are_found() {
    let image = image();
    let current = image.current_meta as u64;
    let other = 1 - current;
    let field =
        |at: usize, width: usize, value: u64| with_meta(&image.bytes, current, at, width, value);
    let mark = image.metas[0].high_water_mark;
    let alone =
        |name, bytes, code, offset| Fault::alone(name, bytes, code, current, at(current) + offset);
    let defragmented = store()
        .builder()
        .page_size(PAGE)
        .older(Older::Empty)
        .build();
    let of_empty = 1 - defragmented.current_meta as u64;
    let lost = changed(&defragmented, 1 - of_empty, 72, &[0, 0]);
    let mut zeroed = image.bytes.clone();
    zeroed[at(current) as usize..][..PAGE].fill(0);
    assert_found(vec![
        alone("destroyed", zeroed, "meta-invalid", 0),
        alone(
            "root outside the file",
            field(32, 8, 99_999),
            "meta-unusable",
            0,
        ),
        alone("flags", field(28, 4, 5), "meta-field", 28),
        alone("sequence", field(40, 8, 5), "meta-field", 40),
        alone(
            "freelist behind the mark",
            field(48, 8, mark),
            "meta-field",
            48,
        )
        .with(&["freelist-invalid"]),
        alone(
            "bytes behind it",
            changed(&image, current, 100, &[9]),
            "meta-field",
            80,
        ),
        Fault::alone(
            "another page over it",
            changed(&image, other, 0, &[9]),
            "page-id-mismatch",
            other,
            at(other),
        ),
        Fault::alone(
            "only the empty state",
            lost,
            "meta-initial",
            of_empty,
            at(of_empty),
        )
        .with(&[
            "meta-invalid",
            "bucket-missing",
            "file-tail",
            "records-salvaged",
        ]),
    ]);
    // A mark below the last page that is in use.
    let last = image
        .runs
        .iter()
        .filter(|run| run.role == Role::Tree)
        .max_by_key(|run| run.pgid)
        .unwrap()
        .pgid;
    let run = super::fsck(
        &with_meta(&field(56, 8, last), other, 56, 8, last),
        &["-o", "jsonl"],
    );
    let rows = crate::verbs::jsonl(&run);
    let found = rows
        .iter()
        .find(|row| row["code"] == "page-beyond-mark")
        .unwrap();
    assert_eq!(
        (found["page"].as_u64(), found["offset"].as_u64(), run.code),
        (Some(last), Some(at(last)), 3)
    );
}

#[test]
fn a_file_of_another_length_is_found() {
    let image = image();
    let mark = at(image.metas[0].high_water_mark);
    let longer = |tail: &[u8]| [&image.bytes[..], tail].concat();
    let mut appended = vec![0; 2 * PAGE];
    appended[700] = 1;
    let file = |name, bytes, code, offset| Fault {
        page: None,
        ..Fault::alone(name, bytes, code, 0, offset)
    };
    let snapshot = |trailer| {
        store()
            .builder()
            .page_size(PAGE)
            .trailer(trailer)
            .build()
            .bytes
    };
    assert_found(vec![
        file("something behind it", longer(&appended), "file-tail", mark),
        file(
            "half a page behind it",
            longer(&[0; 100]),
            "trailer-mismatch",
            mark,
        ),
        file(
            "a wrong SHA-256",
            snapshot(Trailer::Bad),
            "trailer-mismatch",
            mark,
        ),
    ]);
    assert_eq!(
        super::fsck(&longer(&[0; 4 * PAGE]), &["-o", "jsonl"]).text(),
        ""
    );
    assert_eq!(
        super::fsck(&snapshot(Trailer::Good), &["-o", "jsonl"]).text(),
        ""
    );
    let cut = image.bytes.len() - 3 * PAGE;
    let run = super::fsck(&image.bytes[..cut], &["-o", "jsonl"]);
    let rows = crate::verbs::jsonl(&run);
    let found = rows
        .iter()
        .find(|row| row["code"] == "file-truncated")
        .unwrap();
    assert_eq!((found["offset"].as_u64(), run.code), (Some(cut as u64), 3));
}

#[test]
fn a_freelist_is_compared_with_the_pages_in_use() {
    let builder = store().builder().page_size(PAGE).zero_pages(6);
    let right = builder.clone().freelist(Freelist::Persisted).build();
    assert_eq!(super::fsck(&right.bytes, &["-o", "jsonl"]).text(), "");
    let list = right.metas[right.current_meta].freelist;
    let free = right.free.clone();
    assert!(free.len() >= 6);
    let used = pages(&right, 0)[0];
    let with = |ids: Vec<u64>| builder.clone().freelist(Freelist::Ids(ids)).build().bytes;
    let id_at = |index: u64| at(list) + 16 + 8 * index;
    let (mut out, mut twice, mut in_use, mut leaking) =
        (free.clone(), free.clone(), free.clone(), free.clone());
    out.push(right.metas[0].high_water_mark);
    twice.push(free[0]);
    in_use.push(used);
    in_use.sort_unstable();
    let place = in_use.iter().position(|id| *id == used).unwrap() as u64;
    let gone = leaking.remove(2);
    let count = free.len() as u64;
    let mut cut = right.clone();
    cut.page_mut(list)[10..12].copy_from_slice(&200_u16.to_le_bytes());
    assert_found(vec![
        Fault::alone(
            "behind the mark",
            with(out),
            "freelist-id",
            list,
            id_at(count),
        ),
        Fault::alone("twice", with(twice), "freelist-id", list, id_at(count)),
        Fault::alone(
            "in use",
            with(in_use),
            "freelist-in-use",
            list,
            id_at(place),
        ),
        Fault::alone("not listed", with(leaking), "page-leaked", gone, at(gone)),
        Fault::alone(
            "another page",
            changed(&right, list, 0, &[0xEE]),
            "freelist-invalid",
            list,
            at(list),
        ),
        Fault::alone(
            "another kind",
            changed(&right, list, 8, &[2]),
            "freelist-invalid",
            list,
            at(list),
        ),
        Fault::alone(
            "more than there is room",
            cut.bytes,
            "freelist-invalid",
            list,
            at(list),
        )
        .with(&["freelist-id"]),
        Fault::alone(
            "a run over the tree",
            changed(&right, list, 12, &[0xFF, 0, 0, 0]),
            "freelist-invalid",
            list,
            at(list),
        ),
    ]);
}

#[test]
fn a_former_state_that_is_not_whole_is_worth_knowing_and_no_damage() {
    let mut newer = store();
    newer.put("key-00", "newest");
    let image = newer
        .builder()
        .page_size(PAGE)
        .older(Older::State(store().root()))
        .build();
    let run = super::fsck(&image.bytes, &["-o", "json"]);
    assert!(
        run.text().contains("\"former_state_is_whole\":true") && run.code == 0,
        "{}",
        run.text()
    );
    let older = image
        .runs
        .iter()
        .find(|run| run.role == Role::OlderTree)
        .unwrap()
        .pgid;
    let other = 1 - image.current_meta as u64;
    assert_found(vec![Fault::alone(
        "former",
        changed(&image, older, 0, &[0xEE]),
        "former-state",
        other,
        at(other),
    )]);
}

#[test]
fn pages_that_two_buckets_share_are_found() {
    let big = Bucket::of([("a", "v".repeat(3 * PAGE))]).never_inline();
    let root = store().root().nest("zzz", big);
    let image = store().builder().page_size(PAGE).root(root).build();
    let runs = image.bucket_runs(b"zzz");
    let (first, pages) = (runs[0].pgid, runs[0].pages);
    assert!(pages > 2 && runs.len() == 1);
    let key = image.bucket_runs(b"key");
    let next = key
        .iter()
        .map(|run| run.pgid)
        .find(|pgid| *pgid >= first + pages);
    let before = key
        .iter()
        .map(|run| run.pgid)
        .filter(|pgid| *pgid < first)
        .max();
    // Either run is made so long that it reaches into the other one.
    let (page, reached) = match (next, before) {
        (Some(next), _) => (first, next),
        (None, Some(before)) => (before, first),
        (None, None) => panic!("two buckets have pages"),
    };
    let overflow = u32::try_from(reached - page).unwrap();
    let grown = changed(&image, page, 12, &overflow.to_le_bytes());
    let run = super::fsck(&grown, &["-o", "jsonl"]);
    let rows = crate::verbs::jsonl(&run);
    let twice = rows.iter().filter(|row| row["code"] == "page-twice");
    let places: Vec<_> = twice.map(|row| row["page"].as_u64().unwrap()).collect();
    assert!(
        places.iter().any(|place| [page, reached].contains(place)),
        "{}",
        run.text()
    );
    assert_eq!(run.code, 3);
}
