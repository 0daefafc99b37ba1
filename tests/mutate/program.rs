//! The program itself on damaged files: how it ends, and whether it says where the damage is.

use std::collections::BTreeMap;
use std::path::Path;

use super::oracle::Changed;
use super::{Case, Tally, healthy};
use crate::support::synth::mutate::{KINDS, mutate};
use crate::support::synth::shapes;
use crate::support::{Run, Scratch, etcdive, full_or};

/// The questions asked of the program.
const QUESTIONS: [&[&str]; 3] = [
    &["dump-db", "iterate-bucket", "DB", "key", "--decode"],
    &["ls", "DB"],
    &["status", "-o", "json", "DB"],
];

fn ask(question: &[&str], path: &Path) -> Run {
    let path = path.to_str().unwrap();
    etcdive(
        question
            .iter()
            .map(|word| if *word == "DB" { path } else { word }),
    )
}

/// The part of an answer about the store: `status` also describes the file itself, whatever it contains.
pub fn answer(run: &Run) -> Vec<u8> {
    let Ok(mut status) = serde_json::from_slice::<serde_json::Value>(&run.stdout) else {
        return run.stdout.clone();
    };
    let of_the_file = [
        "file_size",
        "kind",
        "trailer",
        "metas",
        "chosen_meta",
        "chosen_because",
    ];
    for of_the_file in of_the_file {
        status.as_object_mut().unwrap().remove(of_the_file).unwrap();
    }
    status.to_string().into_bytes()
}

/// The findings on standard error, one a line.
pub fn findings(stderr: &str) -> impl Iterator<Item = &str> {
    let is_finding = |line: &&str| line.starts_with("error: ") || line.starts_with("warning: ");
    let is_verdict = |line: &&str| line.contains(": this copy was taken while");
    stderr
        .lines()
        .filter(move |line| is_finding(line) && !is_verdict(line))
}

/// Each finding on standard error names its place.
pub fn unplaced(stderr: &str) -> Option<&str> {
    let of_file = |line: &str| line.contains("file-truncated") || line.contains("trailer-mismatch");
    findings(stderr)
        .find(|line| !line.contains("offset ") || (!line.contains("page ") && !of_file(line)))
}

/// Whether this is a `status` that is not intact, by warnings alone: it ends as `fsck` does.
pub fn is_harmless(run: &Run) -> bool {
    let status = serde_json::from_slice::<serde_json::Value>(&run.stdout).unwrap_or_default();
    let mut findings = findings(&run.stderr).peekable();
    let is_found = findings.peek().is_some();
    status["sound"] == false && is_found && findings.all(|line| line.starts_with("warning: "))
}

/// What is wrong with the program's way to end, if anything.
fn wrong_end(case: &Case, whole: &Run, run: &Run, bytes: &[u8]) -> Option<String> {
    let changed = Changed::between(&case.image, bytes);
    let structure = &case.oracle.structure;
    match run.code {
        0 if answer(run) == answer(whole) => None,
        0 if bytes.len() == case.image.len() && !changed.bytes().any(|at| structure[at]) => None,
        0 => Some("exit 0 with another answer".into()),
        2 if case.oracle.references[..2]
            .iter()
            .any(|meta| changed.touches(meta)) =>
        {
            None
        }
        // No way to the bucket of records: no answer, but the finding and the way that is left.
        2 if ["cannot be reached", "no page has records"]
            .iter()
            .any(|said| run.stderr.contains(said)) =>
        {
            let told = run.stdout.is_empty() && run.stderr.contains("hint: ");
            (!told || findings(&run.stderr).next().is_none()).then(|| run.stderr.clone())
        }
        1 if is_harmless(run) => unplaced(&run.stderr).map(str::to_owned),
        3 if findings(&run.stderr).next().is_none() => Some("exit 3 without a reason".into()),
        3 => unplaced(&run.stderr).map(|line| format!("without page or offset: {line}")),
        code => Some(format!("exit {code}: {}", run.stderr)),
    }
}

#[test]
fn the_program_ends_as_it_should_on_a_damaged_file_and_says_where_the_damage_is() {
    let scratch = Scratch::new("mutate-program");
    let stores = (0..4).map(|seed| {
        let image = shapes::store(seed, 20 << seed)
            .builder()
            .page_size(1024)
            .build();
        Case::new(format!("store {seed}"), image.bytes, true)
    });
    let small = healthy()
        .into_iter()
        .filter(|case| case.image.len() < 1 << 20);
    let mut tally = Tally::default();
    let mut codes = BTreeMap::new();
    for (index, case) in small.chain(stores).enumerate() {
        let path = scratch.file("db", &case.image);
        let whole = QUESTIONS.map(|question| ask(question, &path));
        assert!(whole.iter().all(|run| run.code == 0), "{}", case.name);
        for seed in (0..full_or(20, 10)).map(|seed| 7000 + index as u64 * 1000 + seed) {
            let (bytes, mutation) = mutate(&case.image, seed);
            tally.cases += 1;
            tally.kinds.insert(mutation.kind);
            std::fs::write(&path, &bytes).unwrap();
            for (question, whole) in QUESTIONS.iter().zip(&whole) {
                let run = ask(question, &path);
                *codes.entry(run.code).or_insert(0) += 1;
                if let Some(wrong) = wrong_end(&case, whole, &run, &bytes) {
                    let name = &case.name;
                    let text = format!("{name}, seed {seed}: {mutation}: {question:?}: {wrong}");
                    tally.failures.push(text);
                }
            }
        }
    }
    println!("exit codes {codes:?}");
    assert!(codes[&0] > 0 && codes[&2] > 0 && codes[&3] > 0);
    tally.conclude(KINDS.len() - 2);
}
