//! Rows 18 and 19: pages of one state among those of another, as a copy has them that was made while
//! etcd was writing.

use std::collections::BTreeSet;

use super::row::Row;
use super::three_hundred::real;
use super::whole::{Answer, Content, Whole, answer};
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::faults::mix_pages;
use crate::support::synth::mutate::{Kind, mutate_kind};
use crate::support::synth::{Bucket, Older, Rng};

/// Two states of one server's file: every state after the first has a page more or less, and its
/// pages are where the older one has others.
struct Pair {
    older: Whole,
    newer: Whole,
}

fn pair(seed: u64, records: usize, page_size: usize) -> Pair {
    let mut rng = Rng::new(seed);
    let mut store = Store::new(Version::V3_6);
    let mut write = |store: &mut Store, n: usize| {
        for _ in 0..n {
            let key = format!("/registry/things/{:02}", rng.below(12));
            if rng.percent(15) {
                store.delete(key);
            } else {
                let len = rng.log_size(10, 200) as usize;
                store.put(key, rng.bytes(len));
            }
        }
    };
    // The two buckets that no store is without: few pages give few patterns.
    let root = |store: &Store| {
        let key = store.key_bucket().never_inline();
        let root = Bucket::new().nest("key", key);
        root.nest("meta", store.meta_bucket())
    };
    write(&mut store, records);
    let mut states = Vec::new();
    for step in 0..2 {
        let before = root(&store);
        write(&mut store, 3);
        let builder = store.builder().root(root(&store)).page_size(page_size);
        let builder = builder.txid(10 + step);
        let builder = builder.older(Older::State(before)).scatter(seed + step);
        states.push(Whole::of(&format!("state {step}"), builder.build().bytes));
    }
    let newer = states.pop().unwrap();
    let older = states.pop().unwrap();
    Pair { older, newer }
}

fn set<'a>(records: impl Iterator<Item = &'a Content>) -> BTreeSet<&'a Content> {
    records.collect()
}

/// What is wrong with the answer about a mixture: a state that never was, without a word; a record
/// that neither state has.
fn wrong(pair: &Pair, answer: &Answer) -> Option<String> {
    let [older, newer] = [&pair.older, &pair.newer];
    let of = |whole: &Whole| -> BTreeSet<Content> {
        whole
            .records
            .iter()
            .map(|known| known.content.clone())
            .collect()
    };
    let (old, new) = (of(older), of(newer));
    let got = set(answer.records.iter().map(|one| &one.content));
    if answer.refused.is_some() || answer.told {
        // Of a value longer than a page each page may be of another state: nothing in it shows it.
        let is_known = |one: &Content| {
            let like = |known: &&Content| {
                (known.main, known.sub, &known.key, known.value.len())
                    == (one.main, one.sub, &one.key, one.value.len())
            };
            let is_long = |known: &Content| known.value.len() > 64;
            new.contains(one)
                || old.contains(one)
                || old.iter().chain(&new).find(like).is_some_and(is_long)
        };
        let strange = got.iter().find(|one| !is_known(one));
        return strange.map(|one| format!("never written: {}", one.name()));
    }
    // Each of the four metas names a true state of the store: the first records of the newest.
    let mut all: Vec<&Content> = new.iter().collect();
    all.truncate(got.len());
    let is_a_state = got.iter().copied().eq(all.iter().copied()) && got.len() + 8 >= new.len();
    (!is_a_state).then(|| format!("{} of {} records, called whole", got.len(), new.len()))
}

fn mixtures(row: &mut Row, pair: &Pair, name: &str, take_newer: impl Fn(u64) -> bool) {
    let bytes = mix_pages(&pair.older.image, &pair.newer.image, take_newer);
    let path = row.write(&bytes);
    let answer = answer(&path);
    let wrong = wrong(pair, &answer);
    row.expect(wrong.is_none(), || {
        format!("{name}: {}", wrong.unwrap_or_default())
    });
    let placed = answer.unplaced.is_empty();
    row.expect(placed, || format!("{name}: {:?}", answer.unplaced));
    row.count();
}

#[test]
fn row_18_swapped_and_doubled_pages_are_reported_and_cost_nothing_else() {
    let mut row = Row::of_many("18", 5);
    let whole = real();
    for kind in [Kind::SwapPages, Kind::DuplicatePage] {
        for seed in 0..60 {
            let (bytes, mutation) = mutate_kind(&whole.image, kind, seed).unwrap();
            row.fault(&whole, &format!("seed {seed}: {mutation}"), &bytes);
        }
    }
    row.conclude(120);
}

#[test]
fn row_18_no_mixture_of_two_states_by_pages_is_called_whole() {
    let mut row = Row::new("18-mixtures");
    for seed in 0..6 {
        let pair = pair(seed, 4, 1024);
        let pages = pair.newer.image.len().max(pair.older.image.len()) / 1024;
        assert!((5..=9).contains(&pages), "{pages} pages");
        for pattern in 0..1_u64 << pages {
            let name = format!("seed {seed}, pattern {pattern:0pages$b}");
            mixtures(&mut row, &pair, &name, |page| pattern >> page & 1 == 1);
        }
    }
    for seed in 10..16 {
        let pair = pair(seed, 150, 512);
        for pattern in 0..30 {
            let mut rng = Rng::new(pattern);
            let picks: Vec<bool> = (0..4096).map(|_| rng.percent(10 + pattern)).collect();
            let name = format!("seed {seed}, random pattern {pattern}");
            mixtures(&mut row, &pair, &name, |page| picks[page as usize % 4096]);
        }
    }
    row.conclude(360);
}

#[test]
fn row_19_no_copy_that_a_writer_overtook_is_called_whole() {
    let mut row = Row::new("19");
    for seed in 20..30 {
        let pair = pair(seed, 60, 512);
        let pages = (pair.newer.image.len() / 512) as u64;
        for cut in 0..=pages {
            let name = format!("seed {seed}, from page {cut}");
            mixtures(&mut row, &pair, &format!("{name} newer"), |page| {
                page >= cut
            });
        }
    }
    row.conclude(200);
}
