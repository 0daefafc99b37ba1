//! 300 structured corruptions and nine hostile files, the count on which the standard checkers were
//! measured: three quarters of those end them by a panic or a signal.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use super::run::Questions;
use super::whole::{Whole, answer};
use crate::support::synth::faults::singles;
use crate::support::synth::mutate::{KINDS, Kind, mutate};
use crate::support::synth::{Endian, shapes};
use crate::support::{Scratch, case_roots, files_below, full_or, part, testdata, truth};

/// A real database of etcd 3.6 with a tree of two levels: 65 pages, 237 records.
pub fn real() -> Whole {
    Whole::read(&testdata("healthy/k8s-encrypted/mixed.db"))
}

/// What came out of many corruptions.
#[derive(Default)]
struct Sum {
    cases: usize,
    kinds: BTreeSet<Kind>,
    excused: usize,
    failures: Vec<String>,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.kinds.extend(other.kinds);
        self.excused += other.excused;
        self.failures.extend(other.failures);
    }

    #[track_caller]
    fn conclude(self, what: &str) {
        println!(
            "{what}: {} corruptions of {} kinds, {} lead to a whole former state",
            self.cases,
            self.kinds.len(),
            self.excused
        );
        // A meta page that is right in itself may name the state before: nothing shows it.
        assert!(self.excused * 25 <= self.cases, "{} excused", self.excused);
        let shown: Vec<&str> = self.failures.iter().take(25).map(String::as_str).collect();
        assert!(
            shown.is_empty(),
            "{} of {} failed:\n{}",
            self.failures.len(),
            self.cases,
            shown.join("\n")
        );
    }
}

/// Damages a file by seed, reads it as the verbs do, and judges what is delivered.
fn by_library(whole: &Whole, seeds: impl Iterator<Item = u64>, scratch: &Scratch) -> Sum {
    let mut sum = Sum::default();
    for seed in seeds {
        let (bytes, mutation) = mutate(&whole.image, seed);
        let path = scratch.file("db", &bytes);
        sum.cases += 1;
        sum.kinds.insert(mutation.kind);
        let judged = catch_unwind(AssertUnwindSafe(|| whole.judge(&bytes, &answer(&path))));
        let problems = match judged {
            Ok(judged) => {
                sum.excused += usize::from(judged.excused);
                judged.problems
            }
            Err(_) => vec!["a panic".to_owned()],
        };
        if let Some(first) = problems.first() {
            sum.failures.push(format!(
                "{}, seed {seed}: {mutation}: {first} (and {} more)",
                whole.name,
                problems.len() - 1
            ));
        }
    }
    sum
}

/// The same work in two threads.
fn in_two<T: Send>(work: impl Fn(u64) -> T + Sync) -> [T; 2] {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| work(1));
        [work(0), other.join().unwrap()]
    })
}

#[test]
fn of_300_corruptions_of_a_real_database_each_gives_exactly_what_is_intact() {
    let whole = real();
    assert!(whole.records.len() > 200);
    let seeds = part(0..300, 3);
    let [mut sum, other] = in_two(|half| {
        let scratch = Scratch::new(&format!("three-hundred-{half}"));
        let mine = seeds.iter().copied().enumerate();
        let mine = mine.filter(|(at, _)| *at as u64 % 2 == half);
        by_library(&whole, mine.map(|(_, seed)| seed), &scratch)
    });
    sum.add(other);
    assert!(sum.cases == seeds.len() && sum.kinds.len() >= full_or(KINDS.len(), 20));
    sum.conclude("a real database");
}

#[test]
fn of_300_corruptions_of_small_stores_each_gives_exactly_what_is_intact() {
    let [mut sum, other] = in_two(|half| {
        let scratch = Scratch::new(&format!("three-hundred-small-{half}"));
        let mut sum = Sum::default();
        for seed in (0..30).filter(|seed| seed % 2 == half) {
            let page_size = [512, 1024, 4096][seed as usize % 3];
            let endian = [Endian::Little, Endian::Big][seed as usize / 3 % 2];
            let store = shapes::store(seed, 60).builder();
            let image = store.page_size(page_size).endian(endian).build().bytes;
            let whole = Whole::of(&format!("store {seed}"), image);
            sum.add(by_library(&whole, seed * 1000..seed * 1000 + 10, &scratch));
        }
        sum
    });
    sum.add(other);
    assert_eq!(sum.cases, 300);
    sum.conclude("small stores");
}

/// Every healthy database of testdata and, where it is named, of the corpus.
fn healthy_files() -> Vec<PathBuf> {
    let roots = case_roots().into_iter();
    let files = roots.flat_map(|root| files_below(&truth::healthy(&root)));
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|end| end == "db"))
        .collect();
    files.sort_by_key(|path| path.metadata().unwrap().len());
    files
}

#[test]
fn corruptions_of_every_healthy_database_give_exactly_what_is_intact() {
    let files = healthy_files();
    println!("{} databases", files.len());
    assert!(files.len() >= 7);
    let [mut sum, other] = in_two(|half| {
        let scratch = Scratch::new(&format!("corruptions-healthy-{half}"));
        let mut sum = Sum::default();
        for (index, path) in files.iter().enumerate() {
            let whole = Whole::read(path);
            let seeds = match whole.image.len() {
                0..100_000 => 30,
                100_000..1_000_000 => 10,
                _ => 2,
            };
            let from = 50_000 + index as u64 * 100;
            let mine = (from..from + seeds).filter(|seed| seed % 2 == half);
            sum.add(by_library(&whole, mine, &scratch));
        }
        sum
    });
    sum.add(other);
    sum.conclude("every healthy database");
}

#[test]
fn the_program_survives_300_corruptions_and_nine_hostile_files_and_ends_right() {
    let whole = real();
    let scratch = Scratch::new("three-hundred-program");
    let undamaged = scratch.file("undamaged.db", &whole.image);
    let questions = Questions::of(&whole, &undamaged);
    let nine: Vec<(String, Vec<u8>)> = singles(&whole.image);
    assert_eq!(nine.len(), 9);
    let seeds = part(0..300, 4);
    let [mut failures, other] = in_two(|half| {
        let scratch = Scratch::new(&format!("three-hundred-program-{half}"));
        let seeded = seeds.iter().map(|seed| {
            let (bytes, mutation) = mutate(&whole.image, *seed);
            (format!("seed {seed}: {mutation}"), bytes)
        });
        let mut failures = Vec::new();
        let all = seeded.chain(nine.iter().cloned()).enumerate();
        for (at, (name, bytes)) in all.filter(|(at, _)| *at as u64 % 2 == half) {
            let path = scratch.file("db", &bytes);
            let excused = whole.judge(&bytes, &answer(&path)).excused;
            let problems = questions.judge(&bytes, &path, at / 2, excused);
            failures.extend(problems.first().map(|first| format!("{name}: {first}")));
            assert!(
                std::fs::read(&path).unwrap() == bytes,
                "{name}: the file changed"
            );
        }
        failures
    });
    failures.extend(other);
    let shown: Vec<&str> = failures.iter().take(25).map(String::as_str).collect();
    assert!(
        shown.is_empty(),
        "{} of {} failed:\n{}",
        failures.len(),
        seeds.len() + nine.len(),
        shown.join("\n")
    );
}
