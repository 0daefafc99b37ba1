//! What is left of a store whose pages are destroyed: the records of all pages that are not, one a revision, and
//! nothing that the store did not hold.

use std::collections::BTreeMap;

use etcdive::bbolt::{Db, Direction, Kind, Pgid};
use etcdive::diag::Diagnostics;
use etcdive::etcd::Store;

use crate::support::{case_roots, files_below, full_or};

/// Every record of an image, with the page that holds it.
type Records = BTreeMap<(i64, i64), (bool, Vec<u8>, Vec<u8>, u64)>;

fn records(image: &[u8], direction: Direction) -> Option<Records> {
    let diagnostics = Diagnostics::new();
    let store = Store::from_db(Db::from_image(image, None, &diagnostics).ok()?);
    let mut records = Records::new();
    let mut last = None;
    for record in store.records(direction) {
        let revision = (record.revision.main, record.revision.sub);
        let ordered = last.is_none_or(|last| match direction {
            Direction::Forward => last < revision,
            Direction::Backward => last > revision,
        });
        assert!(ordered, "{revision:?} after {last:?}");
        last = Some(revision);
        let (key, value) = (record.key.to_vec(), record.value.to_vec());
        records.insert(
            revision,
            (record.tombstone, key, value, record.pgid.unwrap()),
        );
    }
    Some(records)
}

/// The pages of the tree of bucket `key` of a healthy image: branches and leaves.
fn tree_pages(image: &[u8]) -> (Vec<u64>, Vec<u64>, u64) {
    let diagnostics = Diagnostics::new();
    let db = Db::from_image(image, None, &diagnostics).unwrap();
    let root = db.meta().root.0;
    let (mut branches, mut leaves) = (Vec::new(), Vec::new());
    let buckets = db.buckets();
    let key = buckets.iter().find(|bucket| bucket.name == b"key").unwrap();
    let mut todo: Vec<u64> = if key.is_inline() {
        vec![]
    } else {
        vec![key.root.0]
    };
    while let Some(pgid) = todo.pop() {
        let page = db.pages().unchecked(Pgid(pgid)).unwrap();
        if page.kind == Some(Kind::Branch) {
            branches.push(pgid);
            todo.extend((0..page.count).map(|index| page.branch_element(index).unwrap().1.0));
        } else {
            leaves.push(pgid);
        }
    }
    leaves.sort_unstable();
    (branches, leaves, root)
}

fn page_size(image: &[u8]) -> usize {
    u32::from_le_bytes(image[24..28].try_into().unwrap()) as usize
}

fn healthy() -> Vec<(String, Vec<u8>)> {
    let roots = case_roots().into_iter().flat_map(|root| {
        let inside = ["healthy", "corpus"].map(|name| root.join(name));
        inside.into_iter().filter(|path| path.is_dir())
    });
    let found: Vec<_> = roots
        .flat_map(|root| files_below(&root))
        .filter(|path| path.file_name().unwrap().to_str().unwrap().ends_with("db"))
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            let end = bytes.len() - bytes.len() % 4096;
            (path.display().to_string(), bytes[..end].to_vec())
        })
        .collect();
    assert!(found.len() >= 6, "{} databases", found.len());
    found
}

/// Zeroes pages.
fn zeroed(image: &[u8], pages: &[u64]) -> Vec<u8> {
    let size = page_size(image);
    let mut bytes = image.to_vec();
    for page in pages {
        let at = *page as usize * size;
        bytes[at..at + size].fill(0);
    }
    bytes
}

#[test]
fn every_record_whose_page_is_left_is_delivered_and_nothing_else() {
    let mut trials = 0;
    let mut wrong = Vec::new();
    for (name, image) in healthy() {
        let whole = records(&image, Direction::Forward).unwrap();
        let (branches, leaves, root) = tree_pages(&image);
        let some = |every: usize| leaves.iter().copied().step_by(every).collect::<Vec<_>>();
        let with_metas = |pages: &[u64]| [&[0, 1], pages].concat();
        let trials_of = [
            ("metas", with_metas(&[])),
            ("root", vec![root]),
            ("metas and root", with_metas(&[root])),
            ("branches", branches.clone()),
            ("metas and branches", with_metas(&branches)),
            (
                "metas, root and branches",
                with_metas(&[&[root], &branches[..]].concat()),
            ),
            ("one branch", branches.last().copied().into_iter().collect()),
            (
                "the top branch",
                branches.first().copied().into_iter().collect(),
            ),
            (
                "the last leaf",
                leaves.last().copied().into_iter().collect(),
            ),
            ("a leaf in ten", some(10)),
            ("metas and a leaf in seven", with_metas(&some(7))),
        ];
        for (what, pages) in trials_of {
            if pages.is_empty() {
                continue;
            }
            let image = zeroed(&image, &pages);
            let left = records(&image, Direction::Forward).unwrap_or_default();
            let same =
                Some(&left) == records(&image, Direction::Backward).as_ref() || left.is_empty();
            if !same {
                wrong.push(format!("{name}: {what}: not the same backwards"));
            }
            trials += 1;
            let missing: Vec<_> = whole
                .iter()
                .filter(|(revision, record)| {
                    !pages.contains(&record.3)
                        && left.get(revision).is_none_or(|found| {
                            (found.0, &found.1, &found.2) != (record.0, &record.1, &record.2)
                        })
                })
                .map(|(revision, _)| revision)
                .collect();
            let others: Vec<_> = left
                .keys()
                .filter(|revision| !whole.contains_key(revision))
                .collect();
            // Without any tree a freed page of records that nothing else speaks of may be taken for a present one.
            let no_tree = ["branches", "the top branch", "in seven"];
            let allowed = match no_tree.iter().any(|end| what.ends_with(end)) {
                true => whole.len() / 1000,
                false => 0,
            };
            if !missing.is_empty() || others.len() > allowed {
                wrong.push(format!(
                    "{name}: {what}: {} of {} records, {} missing {:?}, {} others {:?}",
                    left.len(),
                    whole.len(),
                    missing.len(),
                    &missing[..missing.len().min(4)],
                    others.len(),
                    &others[..others.len().min(4)],
                ));
            }
        }
    }
    println!("{trials} damaged images");
    assert!(trials > 50);
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// An image in which every page states that it is a long leaf of records, each inside all those before it, and
/// of which no meta page is left.
fn nested_runs(pages: usize) -> Vec<u8> {
    const SIZE: usize = 4096;
    let mut image = vec![0; pages * SIZE];
    for page in 2..pages {
        let bytes = &mut image[page * SIZE..(page + 1) * SIZE];
        bytes[..8].copy_from_slice(&(page as u64).to_le_bytes());
        bytes[8..10].copy_from_slice(&2_u16.to_le_bytes());
        bytes[10..12].copy_from_slice(&u16::MAX.to_le_bytes());
        let overflow = (pages - page).saturating_sub(page) as u32;
        bytes[12..16].copy_from_slice(&overflow.to_le_bytes());
        for element in 0..255 {
            let at = 16 + 16 * element;
            bytes[at + 4..at + 8].copy_from_slice(&4000_u32.to_le_bytes());
            bytes[at + 8..at + 12].copy_from_slice(&17_u32.to_le_bytes());
            bytes[at + 12..at + 16].copy_from_slice(&(1_u32 << 20).to_le_bytes());
        }
    }
    image
}

#[test]
fn runs_that_lie_in_each_other_are_not_read_over_and_over() {
    let image = nested_runs(full_or(8192, 4096));
    let left = records(&image, Direction::Forward);
    // Reading each page once for every run that it is in would not end: a page of 4096 bytes is in thousands.
    let delivered = left.map_or(0, |records| records.len());
    assert!(delivered * 64 <= image.len(), "{delivered} records");
}
