//! Rows 3 to 7: the two meta pages.

use super::row::{Given, Row};
use super::three_hundred::real;
use super::whole::Whole;
use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::faults::hostile_metas;
use crate::support::synth::{Older, Rng};
use crate::support::testdata;

const PAGE_SIZES: [usize; 3] = [4096, 16384, 65536];

/// A store whose meta `current` has the newer state: the other has one with two records less, or that
/// of a new file.
fn two_states(current: u64, page_size: usize, older_is_empty: bool) -> Whole {
    let mut store = Store::new(Version::V3_6);
    for n in 0..60 {
        store.put(format!("/registry/things/{:03}", n % 25), vec![b'x'; 700]);
    }
    let before = store.root();
    store.put("/registry/things/newest", "1");
    store.delete("/registry/things/003");
    let older = if older_is_empty {
        Older::Empty
    } else {
        Older::State(before)
    };
    let builder = store.builder().page_size(page_size).txid(8 + current);
    let image = builder.older(older).build();
    assert_eq!(image.current_meta as u64, current);
    Whole::of(&format!("meta {current} is current"), image.bytes)
}

/// Ways to destroy a meta page.
fn destroyed(whole: &Whole, meta: usize) -> Vec<(String, Vec<u8>)> {
    let size = whole.outline.page_size;
    let mut changes: Vec<(&str, Vec<u8>)> = Vec::new();
    for (name, page) in [
        ("zeroed", vec![0; size]),
        ("random", Rng::new(3).bytes(size)),
    ] {
        let mut bytes = whole.image.clone();
        bytes[meta * size..(meta + 1) * size].copy_from_slice(&page);
        changes.push((name, bytes));
    }
    let mut bytes = whole.image.clone();
    bytes[meta * size + 72] ^= 1;
    changes.push(("checksum", bytes));
    let named = |(name, bytes): (&str, Vec<u8>)| (format!("meta {meta} {name}"), bytes);
    changes.into_iter().map(named).collect()
}

/// All records, or all of the state before.
fn is_a_state(whole: &Whole, given: &Given) -> bool {
    let n = given.answer.records.len();
    n == whole.records.len() || n == whole.records.len() - 2
}

#[test]
fn row_3_and_4_without_one_meta_page_the_state_of_the_other_is_delivered_and_named() {
    let mut row = Row::new("3");
    for (page_size, current) in PAGE_SIZES
        .into_iter()
        .flat_map(|size| [(size, 0), (size, 1)])
    {
        let whole = two_states(current, page_size, false);
        for meta in [0, 1] {
            for (name, bytes) in destroyed(&whole, meta) {
                let given = row.told(&whole, &name, &bytes);
                row.expect(is_a_state(&whole, &given), || {
                    format!(
                        "{page_size}: {name}: {} records",
                        given.answer.records.len()
                    )
                });
                let full = given.answer.records.len() == whole.records.len();
                row.expect(meta as u64 == current || full, || {
                    format!("{page_size}: {name}: the current state is not delivered")
                });
                let run = row.run(&["status", "-o", "json", "DB"], &bytes).run();
                let status: serde_json::Value =
                    serde_json::from_slice(&run.stdout).unwrap_or_default();
                row.expect(status["chosen_meta"] == 1 - meta && run.code == 3, || {
                    format!(
                        "{name}: chosen {}, exit {}",
                        status["chosen_meta"], run.code
                    )
                });
            }
        }
    }
    row.conclude(60);
}

#[test]
fn row_3_the_empty_state_that_a_defragmentation_leaves_is_not_taken_for_the_store() {
    let mut row = Row::new("3-empty");
    for (page_size, current) in PAGE_SIZES
        .into_iter()
        .flat_map(|size| [(size, 0), (size, 1)])
    {
        let whole = two_states(current, page_size, true);
        for (name, bytes) in destroyed(&whole, current as usize) {
            let given = row.told(&whole, &name, &bytes);
            row.expect(given.answer.records.len() == whole.records.len(), || {
                format!("{name}: {} records", given.answer.records.len())
            });
        }
    }
    row.conclude(18);
}

#[test]
fn row_5_without_both_meta_pages_every_record_is_delivered() {
    let mut row = Row::new("5");
    let mut wholes = vec![real()];
    wholes.extend([512, 1024, 4096, 16384, 65536].map(|size| two_states(0, size, true)));
    let talk = testdata("healthy/talk/3.6/06-after.snapshot.db");
    wholes.push(Whole::read(&talk));
    for whole in &wholes {
        let size = whole.outline.page_size;
        for (name, metas) in [
            ("zeroed", vec![0; 2 * size]),
            ("random", Rng::new(5).bytes(2 * size)),
        ] {
            let bytes = [&metas[..], &whole.image[2 * size..]].concat();
            let given = row.told(whole, &format!("both metas {name}"), &bytes);
            row.expect(given.answer.records.len() == whole.records.len(), || {
                let n = given.answer.records.len();
                format!("{}: {n} of {} records", whole.name, whole.records.len())
            });
            let verbs: [&[&str]; 3] = [&["ls", "DB"], &["log", "DB"], &["status", "DB"]];
            for verb in verbs {
                let ended = row.run(verb, &bytes);
                row.expect(ended.code == Some(3) && !ended.stdout.is_empty(), || {
                    format!(
                        "{}: {verb:?}: exit {:?}: {}",
                        whole.name, ended.code, ended.stderr
                    )
                });
            }
        }
    }
    row.conclude(14);
}

#[test]
fn row_6_of_a_snapshot_no_former_state_is_offered() {
    let mut row = Row::new("6");
    let whole = real();
    assert_eq!(whole.outline.meta, 0);
    let status = row.run(&["status", "DB"], &whole.image).run();
    let says = status.text().contains("names the same root");
    row.expect(says, || status.text().to_owned());
    for meta in [0, 1] {
        for (name, bytes) in destroyed(&whole, meta) {
            let given = row.told(&whole, &name, &bytes);
            row.expect(given.answer.records.len() == whole.records.len(), || {
                format!("{name}: {} records", given.answer.records.len())
            });
        }
    }
    row.conclude(6);
}

#[test]
fn row_7_a_hostile_field_under_a_right_checksum_leads_to_the_other_meta_or_to_the_scan() {
    let mut row = Row::of_many("7", 3);
    for whole in [
        real(),
        two_states(1, 1024, false),
        two_states(0, 4096, true),
    ] {
        let faults = [true, false].map(|both| hostile_metas(&whole.image, both));
        for (name, bytes) in faults.into_iter().flatten() {
            if bytes == whole.image {
                continue;
            }
            let given = row.fault(&whole, &name, &bytes);
            // The freelist is not needed, so it is not trusted; a transaction's number can be any.
            let is_needed = !name.starts_with("freelist") && !name.starts_with("txid");
            let told = given.answer.told || given.answer.refused.is_some();
            row.expect(!is_needed || told || given.excused, || {
                format!("{name}: not told")
            });
        }
    }
    row.conclude(150);
}
