//! Seeded, structure-aware damage to every healthy database and to random images: nothing panics,
//! every run ends, what the damage does not touch is delivered, and what it hides is reported.

pub mod oracle;
pub mod program;
mod trial;

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use etcdive::bbolt::{Db, Direction};
use etcdive::diag::Diagnostics;
use etcdive::etcd::Store;
use etcdive::source::Source;

use crate::support::synth::etcd::{Store as Model, Version};
use crate::support::synth::faults::{hostile_metas, singles};
use crate::support::synth::mutate::{KINDS, Kind, mutate, mutate_kind};
use crate::support::synth::{Builder, Endian, shapes};
use crate::support::{Scratch, files_below, full_or, testdata};
use oracle::{Changed, Entry, Oracle};
use trial::{Trial, elements_of};

/// A healthy image, and what is in it.
struct Case {
    name: String,
    image: Vec<u8>,
    /// Whether it is an etcd backend.
    etcd: bool,
    oracle: Oracle,
    /// The elements of the state before, where the other meta still knows it.
    older: Vec<Entry>,
}

impl Case {
    fn new(name: String, image: Vec<u8>, etcd: bool) -> Self {
        let oracle = Oracle::of(&image, true);
        let older = older_entries(&image);
        Self {
            name,
            image,
            etcd,
            oracle,
            older,
        }
    }
}

/// In a file that a server wrote, the pages of the state before may have been used again.
fn older_entries(image: &[u8]) -> Vec<Entry> {
    catch_unwind(|| Oracle::of(image, false).entries).unwrap_or_default()
}

/// Every healthy database in testdata, the small ones first.
fn healthy() -> Vec<Case> {
    let mut cases: Vec<Case> = files_below(&testdata("healthy"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .map(|path| {
            let name = path.strip_prefix(testdata("healthy")).unwrap();
            let image = std::fs::read(&path).unwrap();
            Case::new(name.display().to_string(), image, true)
        })
        .collect();
    cases.sort_by_key(|case| case.image.len());
    assert!(cases.len() >= 6);
    cases
}

/// What the trials of one test found.
#[derive(Default)]
struct Tally {
    cases: usize,
    kinds: BTreeSet<Kind>,
    excused: usize,
    failures: Vec<String>,
}

impl Tally {
    fn try_seeds(&mut self, case: &Case, seeds: Range<u64>, folder: &Path) {
        for seed in seeds {
            let (bytes, mutation) = mutate(&case.image, seed);
            self.cases += 1;
            self.kinds.insert(mutation.kind);
            let path = folder.join("db");
            std::fs::write(&path, &bytes).unwrap();
            let Ok(source) = Source::open(&path) else {
                assert!(bytes.is_empty(), "{}: seed {seed}: not opened", case.name);
                continue;
            };
            let mut trial = Trial {
                case,
                mutation: &mutation,
                changed: Changed::between(&case.image, &bytes),
                source: &source,
                problems: Vec::new(),
                excused: false,
            };
            if catch_unwind(AssertUnwindSafe(|| trial.run())).is_err() {
                trial.problem("a panic".into());
            }
            self.excused += usize::from(trial.excused);
            if let Some(first) = trial.problems.first() {
                self.failures.push(format!(
                    "{}, seed {seed}: {mutation}: {first} (and {} more)",
                    case.name,
                    trial.problems.len() - 1
                ));
            }
        }
    }

    #[track_caller]
    fn conclude(self, kinds: usize) {
        println!(
            "{} damaged images, {} kinds of damage",
            self.cases,
            self.kinds.len()
        );
        assert!(self.cases > 0 && self.kinds.len() >= kinds);
        assert!(self.excused * 200 <= self.cases, "{} excused", self.excused);
        assert!(
            self.failures.is_empty(),
            "{} of {} failed:\n{}",
            self.failures.len(),
            self.cases,
            self.failures
                .iter()
                .take(25)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
}

/// How many seeds an image of this length is worth.
fn seeds(len_bytes: usize) -> u64 {
    if len_bytes > 1_000_000 {
        2
    } else if len_bytes > 100_000 {
        full_or(50, 20)
    } else {
        full_or(200, 120)
    }
}

#[test]
fn damage_to_a_healthy_database_hides_nothing_else_and_is_reported() {
    let (scratch, mut tally) = (Scratch::new("mutate-healthy"), Tally::default());
    for case in healthy() {
        tally.try_seeds(&case, 0..seeds(case.image.len()), scratch.path());
    }
    // The kinds that are rare need the many seeds of a full run.
    tally.conclude(full_or(KINDS.len(), KINDS.len() - 2));
}

#[test]
fn damage_to_a_random_store_hides_nothing_else_and_is_reported() {
    let (scratch, mut tally) = (Scratch::new("mutate-stores"), Tally::default());
    for seed in 0..24_u64 {
        let page_size = [512, 1024, 4096, 16384][seed as usize % 4];
        let endian = [Endian::Little, Endian::Big][seed as usize / 4 % 2];
        let store = shapes::store(seed, 10 << (seed % 5));
        let mut builder = store.builder().page_size(page_size).endian(endian);
        if seed % 3 == 0 {
            builder = builder.scatter(seed);
        }
        let image = builder.build().bytes;
        let case = Case::new(format!("store {seed}"), image, true);
        tally.try_seeds(
            &case,
            seed * 1000..seed * 1000 + full_or(30, 15),
            scratch.path(),
        );
    }
    tally.conclude(full_or(KINDS.len(), KINDS.len() - 2));
}

#[test]
fn damage_to_a_random_bbolt_file_hides_nothing_else_and_is_reported() {
    let (scratch, mut tally) = (Scratch::new("mutate-shapes"), Tally::default());
    for seed in 0..24_u64 {
        let page_size = [512, 1024, 4096][seed as usize % 3];
        let endian = [Endian::Little, Endian::Big][seed as usize / 3 % 2];
        let builder: Builder = shapes::builder(seed, page_size, endian);
        let case = Case::new(format!("shape {seed}"), builder.build().bytes, false);
        let n = if case.image.len() > 1 << 20 {
            full_or(3, 1)
        } else {
            full_or(15, 8)
        };
        tally.try_seeds(&case, seed * 1000..seed * 1000 + n, scratch.path());
    }
    tally.conclude(KINDS.len() - 2);
}

#[test]
fn every_wrong_field_of_a_page_of_records_is_reported() {
    let kinds = [
        Kind::PageId,
        Kind::PageFlags,
        Kind::PageCount,
        Kind::PageOverflow,
        Kind::ElementPos,
        Kind::ElementKeySize,
        Kind::ElementValueSize,
        Kind::ElementFlags,
        Kind::ElementOrder,
        Kind::BranchChild,
    ];
    let (mut told, mut kinds_told, mut silent) = (0, BTreeSet::new(), Vec::new());
    for seed in 0..full_or(6, 3) {
        let image = shapes::store(seed + 40, 200)
            .builder()
            .page_size(1024)
            .build();
        let in_key_tree = |page: u64| {
            let runs = image.bucket_runs(b"key");
            runs.iter()
                .any(|run| (run.pgid..run.pgid + run.pages).contains(&page))
        };
        for (kind, n) in kinds
            .into_iter()
            .flat_map(|kind| (0..30).map(move |n| (kind, n)))
        {
            let Some((bytes, mutation)) = mutate_kind(&image.bytes, kind, seed * 1000 + n) else {
                continue;
            };
            if !in_key_tree(mutation.page) {
                continue;
            }
            let diagnostics = Diagnostics::new();
            let store = Store::from_db(Db::from_image(&bytes, None, &diagnostics).unwrap());
            let records = store.records(Direction::Forward).count();
            if diagnostics.found_damage() {
                told += 1;
                kinds_told.insert(kind);
            } else {
                silent.push(format!("store {seed}: {mutation}: {records} records"));
            }
        }
    }
    println!("{told} wrong fields told");
    assert!(
        silent.is_empty(),
        "{} without a word:\n{}",
        silent.len(),
        silent.join("\n")
    );
    assert!(told > full_or(500, 200) && kinds_told.len() == kinds.len());
}

/// A leaf of which each element claims the whole page as its value.
fn greedy(elements: usize, page_size: usize) -> Vec<u8> {
    let mut store = Model::new(Version::V3_6);
    for index in 0..elements {
        store.put(format!("{index:06}"), "x");
    }
    let mut image = store.builder().page_size(page_size).build();
    let leaves: Vec<u64> = image
        .bucket_runs(b"key")
        .iter()
        .map(|run| run.pgid)
        .collect();
    assert_eq!(leaves.len(), 1);
    let order = image.endian;
    let page = image.page_mut(leaves[0]);
    for index in 0..elements {
        let at = 16 + 16 * index;
        let value_at = at as u32 + order.get_u32(page, at + 4).unwrap() + 17;
        order.put_u32(page, at + 12, page_size as u32 - value_at);
    }
    image.bytes
}

#[test]
fn values_that_overlap_do_not_multiply_the_work() {
    let (elements, page_size) = (1000, 1 << 17);
    let image = greedy(elements, page_size);
    let diagnostics = Diagnostics::new();
    let db = Db::from_image(&image, None, &diagnostics).unwrap();
    let seen = elements_of(&db, &diagnostics, Direction::Forward);
    let work: usize = seen.iter().map(|one| one.key.len() + one.value.len()).sum();
    assert!(diagnostics.found_damage());
    assert!(
        work <= 2 * image.len(),
        "{work} bytes delivered of {}",
        image.len()
    );
}

#[test]
fn a_hostile_field_in_one_meta_leaves_the_records_to_the_other() {
    let (mut cases, mut failures) = (0, Vec::new());
    for page_size in [1024, 4096, 16384] {
        let store = shapes::store(7, 120);
        let image = store.builder().page_size(page_size).build().bytes;
        let expected = store.records().len();
        let both = hostile_metas(&image, true)
            .into_iter()
            .map(|fault| (fault, true));
        let one = hostile_metas(&image, false)
            .into_iter()
            .map(|fault| (fault, false));
        for ((name, bytes), both) in both.chain(one) {
            cases += 1;
            let diagnostics = Diagnostics::new();
            let Ok(db) = Db::from_image(&bytes, None, &diagnostics) else {
                if !both {
                    failures.push(format!("{page_size}: {name}: not opened"));
                }
                continue;
            };
            let records = Store::from_db(db).records(Direction::Forward).count();
            if records < expected && (!both || !diagnostics.found_damage()) {
                failures.push(format!(
                    "{page_size}: {name}: {records} of {expected} records"
                ));
            }
        }
    }
    println!("{cases} hostile metas");
    assert!(cases > 100);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_single_hostile_files_are_reported() {
    let mut cases = 0;
    for case in healthy().iter().filter(|case| case.image.len() > 100_000) {
        for (name, bytes) in singles(&case.image) {
            let diagnostics = Diagnostics::new();
            cases += 1;
            let Ok(db) = Db::from_image(&bytes, None, &diagnostics) else {
                assert_eq!(name, "both metas zeroed", "{}", case.name);
                continue;
            };
            let store = Store::from_db(db);
            let records = store.records(Direction::Forward).count();
            let whole = case
                .oracle
                .entries
                .iter()
                .filter(|entry| &*entry.bucket == b"key");
            assert!(records <= whole.count(), "{}: {name}", case.name);
            assert!(diagnostics.found_damage(), "{}: {name}", case.name);
        }
    }
    println!("{cases} hostile files");
    assert!(cases > 20);
}
