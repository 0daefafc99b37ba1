//! `du`: each byte of a file is in exactly one part, whatever the file is; and the numbers are those of an independent
//! writer.

mod flags;

use std::collections::BTreeMap;
use std::path::Path;

use etcdive::query::evidence::{Evidence, Verify};
use etcdive::query::objects::Keyring;
use etcdive::query::space::{Group, Part, Space, SpaceBy, SpaceOrder, SpaceRequest};
use etcdive::query::{NoAnswer, Notices, Question};

use crate::support::synth::etcd::{Record, Store};
use crate::support::synth::mutate::mutate;
use crate::support::synth::{Endian, Freelist, Image, Role, Run, Trailer, shapes};
use crate::support::{Scratch, case_roots, files_below, part, testdata};

/// Everything by which records are grouped.
const RECORDS_BY: [SpaceBy; 6] = [
    SpaceBy::Resource,
    SpaceBy::Namespace,
    SpaceBy::Group,
    SpaceBy::Prefix,
    SpaceBy::Key,
    SpaceBy::Manager,
];

fn request(by: Option<SpaceBy>) -> SpaceRequest {
    SpaceRequest {
        by,
        depth: 2,
        order: SpaceOrder::Total,
        limit: usize::MAX,
        with_metadata: true,
    }
}

/// Asks about the space of a file.
fn ask<T>(
    path: &Path,
    by: Option<SpaceBy>,
    see: impl FnOnce(&Space<'_>, &Question<'_>) -> T,
) -> Result<T, NoAnswer> {
    let evidence = Evidence::open(path, Verify::IfSmall)?;
    let (keyring, notices) = (Keyring::default(), Notices::default());
    let question = Question::open_file(&evidence, &keyring, &notices)?;
    let space = Space::read(&question, &request(by))?;
    Ok(see(&space, &question))
}

/// The bytes of parts.
fn sum(space: &Space<'_>, parts: &[Part]) -> u64 {
    parts.iter().map(|part| space.parts.get(*part)).sum()
}

const LIVE: [Part; 2] = [Part::LiveValues, Part::LiveHeads];
const HISTORY: [Part; 2] = [Part::OldValues, Part::OldHeads];

/// What does not add up in a file; none if it cannot be opened.
fn problems(path: &Path) -> Option<Vec<String>> {
    let mut problems = Vec::new();
    let mut check = |what: &str, got: u64, expected: u64| {
        if got != expected {
            problems.push(format!("{what}: {got} instead of {expected}"));
        }
    };
    let is_foreign = ask(path, None, |space, question| {
        let file = question.evidence().source().bytes().len() as u64;
        check("parts", space.parts.total(), file);
        check("file", space.file_bytes, file);
        question.store().is_foreign()
    });
    let bys = match is_foreign.ok()? {
        true => &RECORDS_BY[..0],
        false => &RECORDS_BY[..],
    };
    for by in bys {
        let asked = ask(path, Some(*by), |space, _| {
            let rows = || space.rows.iter();
            let live = rows().map(|row| row.live_bytes).sum();
            check(&format!("live {by:?}"), live, sum(space, &LIVE));
            let history = rows().map(|row| row.history_bytes).sum();
            check(&format!("history {by:?}"), history, sum(space, &HISTORY));
            let revisions = rows().map(|row| row.revisions).sum();
            check(
                &format!("revisions {by:?}"),
                revisions,
                space.total.revisions,
            );
            let keys = rows().map(|row| row.keys).sum();
            check(&format!("keys {by:?}"), keys, space.total.keys);
            check("parts", space.parts.total(), space.file_bytes);
        });
        asked.unwrap();
    }
    Some(problems)
}

#[test]
fn the_parts_of_every_file_are_together_its_length() {
    let (mut opened, mut refused, mut failures) = (0, 0, Vec::new());
    let roots = case_roots();
    for path in roots.iter().flat_map(|root| files_below(root)) {
        match problems(&path) {
            None => refused += 1,
            Some(problems) => {
                opened += 1;
                failures.extend(
                    problems
                        .first()
                        .map(|it| format!("{}: {it}", path.display())),
                );
            }
        }
    }
    println!("{opened} files measured, {refused} are no database");
    assert!(opened >= 40, "{opened}");
    assert_eq!(failures, [""; 0]);
}

#[test]
fn the_parts_of_300_corruptions_are_together_the_length_of_the_file() {
    let whole = std::fs::read(testdata("healthy/k8s-encrypted/mixed.db")).unwrap();
    let scratch = Scratch::new("space-three-hundred");
    let (mut measured, mut failures) = (0, Vec::new());
    for seed in part(0..300, 3) {
        let (bytes, mutation) = mutate(&whole, seed);
        let found = problems(&scratch.file("db", &bytes));
        measured += usize::from(found.is_some());
        let first = found.unwrap_or_default().into_iter().next();
        failures.extend(first.map(|problem| format!("seed {seed}: {mutation}: {problem}")));
    }
    println!("{measured} files measured");
    assert!(measured > 90, "{measured}");
    assert_eq!(failures, [""; 0]);
}

/// The bytes of a stored record: of its value, and of the rest.
fn stored(record: &Record) -> [u64; 2] {
    let all = record.bucket_key().len() + record.bucket_value().len();
    let value = record.value.len();
    [value as u64, (all - value) as u64]
}

/// The sizes of live and of other records, each as values and heads.
fn expected_records(store: &Store) -> [[u64; 2]; 2] {
    let live = store.live_at(i64::MAX);
    let mut sums = [[0; 2]; 2];
    for record in store.records() {
        let newest = live.get(&record.key);
        let is_live = newest.is_some_and(|live| (live.main, live.sub) == (record.main, record.sub));
        let sum = &mut sums[usize::from(!is_live)];
        let [value, head] = stored(record);
        sum[0] += value;
        sum[1] += head;
    }
    sums
}

/// The pages of a role, and of a bucket if one is named, in bytes.
fn pages(image: &Image, is_counted: impl Fn(&Run) -> bool) -> u64 {
    let runs = image.runs.iter().filter(|run| is_counted(run));
    runs.map(|run| run.pages * image.page_size as u64).sum()
}

#[test]
fn the_numbers_are_those_of_the_writer() {
    let scratch = Scratch::new("space-writer");
    let mut compared = 0;
    for seed in 0..60_u64 {
        let page_size = [512, 1024, 4096][seed as usize % 3];
        let endian = [Endian::Little, Endian::Big][seed as usize / 3 % 2];
        let store = shapes::store(seed, 40 + 10 * seed as usize);
        let builder = store.builder().page_size(page_size).endian(endian);
        let builder = match seed % 4 {
            0 => builder.trailer(Trailer::Good),
            1 => builder.tail(vec![0; 7 * page_size]),
            2 => builder.freelist(Freelist::Persisted),
            _ => builder.zero_pages(5).scatter(seed),
        };
        let image = builder.build();
        let is_key = |run: &Run| run.path == [b"key"];
        if !image.runs.iter().any(is_key) {
            // Inline: it has no pages of its own.
            continue;
        }
        let path = scratch.file("db", &image.bytes);
        let [live, old] = expected_records(&store);
        ask(&path, None, |space, _| {
            let got = |part| space.parts.get(part);
            let records = [
                [got(Part::LiveValues), got(Part::LiveHeads)],
                [got(Part::OldValues), got(Part::OldHeads)],
            ];
            assert_eq!(records, [live, old], "seed {seed}");
            let tree = |run: &Run| run.role == Role::Tree;
            let branches = pages(&image, |run| tree(run) && is_key(run) && run.level > 0);
            assert_eq!(got(Part::Branches), branches, "seed {seed}");
            let leaves = pages(&image, |run| tree(run) && is_key(run) && run.level == 0);
            let in_leaves = live.iter().chain(&old).sum::<u64>();
            let structure = got(Part::Tables) + got(Part::Slack);
            assert_eq!(structure + in_leaves, leaves, "seed {seed}");
            let elements = store.records().len() as u64;
            let heads = image
                .runs
                .iter()
                .filter(|run| is_key(run) && run.level == 0);
            let tables = 16 * (elements + heads.count() as u64);
            assert_eq!(got(Part::Tables), tables, "seed {seed}");
            let others = pages(&image, |run| tree(run) && !is_key(run));
            assert_eq!(got(Part::OtherBuckets), others, "seed {seed}");
            let free = image.free.len() as u64 * page_size as u64;
            assert_eq!(got(Part::Free), free, "seed {seed}");
            assert_eq!(got(Part::Metas), 2 * page_size as u64, "seed {seed}");
            let freelist = pages(&image, |run| run.role == Role::Freelist);
            assert_eq!(got(Part::Freelist), freelist, "seed {seed}");
            let (tail, trailer) = match seed % 4 {
                0 => (0, 32),
                1 => (7 * page_size as u64, 0),
                _ => (0, 0),
            };
            assert_eq!(
                (got(Part::BeyondMark), got(Part::Trailer)),
                (tail, trailer),
                "seed {seed}"
            );
            let rest = [Part::Unreached, Part::Damaged];
            assert_eq!(sum(space, &rest), 0, "seed {seed}");
        })
        .unwrap();
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
}

#[test]
fn the_rows_of_keys_are_those_of_the_writer() {
    let scratch = Scratch::new("space-keys");
    let mut compared = 0;
    for seed in 0..20 {
        let store = shapes::store(seed, 200);
        let path = scratch.file("db", &store.builder().build().bytes);
        let live = store.live_at(i64::MAX);
        let mut expected: BTreeMap<Vec<u8>, [u64; 5]> = BTreeMap::new();
        for record in store.records() {
            let newest = live.get(&record.key);
            let is_live = newest.is_some_and(|live| live.main == record.main);
            let row = expected.entry(record.key.clone()).or_default();
            let bytes: u64 = stored(record).iter().sum();
            row[usize::from(!is_live)] += bytes;
            row[2] += u64::from(is_live);
            row[3] += 1;
            row[4] += u64::from(record.tombstone);
        }
        let got = ask(&path, Some(SpaceBy::Key), |space, _| {
            let row = |row: &etcdive::query::space::SpaceRow| {
                let Group::Key(key) = &row.group else {
                    panic!("{:?}", row.group)
                };
                let numbers = [
                    row.live_bytes,
                    row.history_bytes,
                    row.keys,
                    row.revisions,
                    row.tombstones,
                ];
                (key.to_vec(), numbers)
            };
            space.rows.iter().map(row).collect::<BTreeMap<_, _>>()
        });
        compared += expected.len();
        assert_eq!(got.unwrap(), expected, "seed {seed}");
    }
    assert!(compared > 100, "{compared}");
}
