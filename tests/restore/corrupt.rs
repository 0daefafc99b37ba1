//! 300 seeded corruptions: either nothing is written, or what is written is exactly the records that were there. If a
//! refusal names a revision, that revision can be restored, and is right.

use etcdive::query::restore::{Refused, RestoreRequest};

use super::{Outcome, main_of, newest, request_at, restore};
use crate::support::synth::Rng;
use crate::support::synth::etcd::{Op, Store, Version, delete, put};
use crate::support::synth::mutate::{Kind, Mutation, Outline, mutate};
use crate::support::{Scratch, bolt_reader, full_or, testdata};

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Damage that no check can see: bbolt has no checksum over keys and values, over the names of buckets and over what refers
/// to another whole tree.
const UNSEEN: [Kind; 6] = [
    Kind::BitFlip,
    Kind::KeyByte,
    Kind::BucketRoot,
    Kind::BranchChild,
    Kind::InlinePage,
    Kind::MetaField,
];

/// A store of many small pages, with transactions, deletions, leases and a compaction.
pub fn busy_store(seed: u64) -> Store {
    let mut random = Rng::new(seed);
    let mut store = Store::new(Version::V3_6);
    store.grant(0x1234, 60);
    for round in 0..260_u64 {
        let key = format!("/registry/pods/ns/pod-{}", random.below(40));
        match random.below(8) {
            0 => drop(store.delete(key)),
            1 => {
                let ops: Vec<Op> = (0..5)
                    .map(|number| match (number + round) % 3 {
                        0 => delete(format!("/t/{number}")),
                        _ => put(format!("/t/{number}"), format!("value {round}")),
                    })
                    .collect();
                store.txn(&ops);
            }
            2 => drop(store.put_leased("/leased", format!("{round}").as_bytes(), 0x1234)),
            _ => {
                let len = random.below(300) as usize;
                let value = vec![b'v'; len];
                store.put(key, value);
            }
        }
        if round == 90 {
            store.compact(store.revision() - 5);
        }
    }
    store
}

/// Images without a trailer: with one, every change is seen at once.
fn images() -> Vec<(&'static str, Vec<u8>)> {
    let mut images = Vec::new();
    for name in ["src34", "src36"] {
        let bytes = std::fs::read(testdata("restore").join(format!("{name}.snap.db"))).unwrap();
        images.push((name, bytes[..bytes.len() - 32].to_vec()));
    }
    let image = busy_store(7).builder().page_size(1024).build();
    images.push(("small pages", image.bytes));
    images
}

/// The other page of a swap.
fn swapped_with(mutation: &Mutation) -> Option<u64> {
    mutation
        .detail
        .strip_prefix("page swapped with page ")?
        .parse()
        .ok()
}

struct Trial<'t> {
    scratch: &'t Scratch,
    original: &'t Pairs,
    mutation: Mutation,
    what: String,
    is_inside_value: bool,
    problems: &'t mut Vec<(Kind, String)>,
}

impl Trial<'_> {
    fn problem(&mut self, text: String) {
        // The pages of a long value have no header, and nothing shows that one of them was replaced.
        if self.is_inside_value {
            return;
        }
        let text = format!("{}, {}: {text}", self.what, self.mutation);
        self.problems.push((self.mutation.kind, text));
    }

    /// The records that the original has up to a revision.
    fn up_to(&self, at: i64) -> Pairs {
        let pairs = self.original.iter();
        pairs
            .filter(|(key, _)| main_of(key) <= at)
            .cloned()
            .collect()
    }

    fn check_complete(&mut self, outcome: &Outcome, at: i64) {
        let pairs = &outcome.buckets()["key"];
        if *pairs != self.up_to(at) {
            let lost = self
                .up_to(at)
                .iter()
                .filter(|pair| !pairs.contains(pair))
                .count();
            let more = pairs
                .iter()
                .filter(|pair| !self.original.contains(pair))
                .count();
            self.problem(format!(
                "at {at}: {lost} records lost, {more} altered, and nothing said"
            ));
        }
    }

    fn restore(&self, request: RestoreRequest) -> Result<Outcome, Refused> {
        restore(&self.scratch.path().join("damaged.db"), request)
    }
}

/// The first number is of complete restores, then of refusals, of refusals that name a revision, and of restores with losses.
fn try_all(seeds: u64) -> ([usize; 4], Vec<(Kind, String)>) {
    let mut problems = Vec::new();
    let mut counts = [0; 4];
    for (name, image) in images() {
        let scratch = Scratch::new(&format!("corrupt-{}", name.replace(' ', "-")));
        let intact = scratch.file("intact.db", &image);
        let outcome = restore(&intact, newest()).unwrap();
        let original = bolt_reader::read(&outcome.bytes, true).buckets["key"].clone();
        let last = outcome.at;
        let outline = Outline::of(&image).unwrap();
        let is_inside = |page: u64| {
            let mut runs = outline.reached.iter();
            runs.any(|run| run.id < page && page <= run.id + run.overflow)
        };
        for seed in 0..seeds {
            let (bytes, mutation) = mutate(&image, seed);
            scratch.file("damaged.db", &bytes);
            let mut trial = Trial {
                scratch: &scratch,
                original: &original,
                is_inside_value: is_inside(mutation.page)
                    || swapped_with(&mutation).is_some_and(is_inside),
                mutation,
                what: format!("{name}, seed {seed}"),
                problems: &mut problems,
            };
            match trial.restore(newest()) {
                Ok(outcome) => {
                    counts[0] += 1;
                    trial.check_complete(&outcome, last);
                }
                Err(refused) => {
                    counts[1] += 1;
                    if let Some(at) = refused.details.complete {
                        counts[2] += 1;
                        match trial.restore(request_at(at)) {
                            Ok(outcome) => trial.check_complete(&outcome, at),
                            Err(no) => trial.problem(format!("--at {at} is refused: {no:?}")),
                        }
                    }
                    let lossy = trial.restore(RestoreRequest {
                        allow_loss: true,
                        auth_off: true,
                        ..newest()
                    });
                    if let Ok(outcome) = lossy {
                        counts[3] += 1;
                        let buckets = outcome.buckets();
                        let is_new = |pair: &&(Vec<u8>, Vec<u8>)| !original.contains(pair);
                        let new = buckets["key"].iter().filter(is_new);
                        let altered = new.filter(|(key, _)| key.len() == 17).count();
                        // A former state has records that a later compaction removed.
                        if altered > 0 && !outcome.losses.contains("OlderMeta") {
                            trial.problem(format!("--allow-loss: {altered} altered records"));
                        }
                    }
                }
            }
        }
    }
    (counts, problems)
}

#[test]
fn a_damaged_file_is_restored_exactly_or_not_at_all() {
    let (counts, problems) = try_all(full_or(1000, 100));
    println!("complete, refused, named, lossy: {counts:?}");
    let seen: Vec<&String> = problems
        .iter()
        .filter(|(kind, _)| !UNSEEN.contains(kind))
        .map(|(_, text)| text)
        .collect();
    assert!(seen.is_empty(), "{} problems: {seen:#?}", seen.len());
    let total = counts[0] + counts[1];
    // Changes of single bytes of keys and values.
    println!("unseen: {problems:#?}");
    assert!(problems.len() * 8 < total, "{} of {total}", problems.len());
    assert!(
        total >= 300 && counts.iter().all(|count| *count > 10),
        "{counts:?}"
    );
}

#[test]
fn the_page_of_a_small_bucket_with_records_in_it_is_not_copied() {
    // The root of bucket meta is changed to a page of bucket key. A reader of the new file would add its records to the
    // state.
    let image = busy_store(7).builder().page_size(1024).build().bytes;
    let (bytes, mutation) = mutate(&image, 429);
    assert_eq!(mutation.kind, Kind::BucketRoot, "{mutation}");
    let scratch = Scratch::new("records-in-meta");
    let damaged = scratch.file("damaged.db", &bytes);
    let request = RestoreRequest {
        allow_loss: true,
        ..newest()
    };
    let outcome = restore(&damaged, request).unwrap();
    let buckets = outcome.buckets();
    assert!(buckets["key"].len() > 100);
    assert!(!buckets["meta"].is_empty());
    assert!(
        buckets["meta"]
            .iter()
            .all(|(key, _)| key.first() != Some(&0))
    );
}

#[test]
fn a_record_without_its_value_is_no_mark_of_a_bumped_restore() {
    let image = busy_store(7).builder().page_size(1024).build().bytes;
    let (bytes, mutation) = mutate(&image, 195);
    assert_eq!(mutation.kind, Kind::ElementValueSize, "{mutation}");
    let scratch = Scratch::new("emptied-record");
    let damaged = scratch.file("damaged.db", &bytes);
    assert!(restore(&damaged, newest()).is_err());
    let request = RestoreRequest {
        allow_loss: true,
        ..newest()
    };
    let outcome = restore(&damaged, request).unwrap();
    let records = &outcome.buckets()["key"];
    assert!(records.len() > 100);
    assert!(records.iter().all(|(_, value)| !value.is_empty()));
}

#[test]
fn no_state_is_complete_if_all_of_its_records_are_out_of_reach() {
    // The root page of bucket key is overwritten with one of its leaves.
    let image = busy_store(7).builder().page_size(1024).build().bytes;
    let (bytes, mutation) = mutate(&image, 311);
    assert_eq!(mutation.kind, Kind::DuplicatePage, "{mutation}");
    let scratch = Scratch::new("root-overwritten");
    let damaged = scratch.file("damaged.db", &bytes);
    let refused = restore(&damaged, newest()).unwrap_err();
    assert_eq!(refused.details.complete, None, "{refused:?}");
}
