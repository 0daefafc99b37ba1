//! Each answer of a search is that of a naive scan of all events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdive::bbolt::Direction;
use etcdive::diag::Diagnostics;
use etcdive::etcd;
use etcdive::k8s::object::tree_of;
use etcdive::k8s::search::{Document, Matcher, Pattern, pickaxe_g, pickaxe_s};
use etcdive::source::Source;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::naive::{
    Event, Line, comparable, field_of, is_secret, naive_history, naive_lines, naive_lines_of,
    query, recorded, records_of, told,
};
use crate::support::random::Random;
use crate::support::{corpus, etcdive, files_below, full_or, testdata};
use crate::verbs::jsonl;

/// How many seeded queries are asked: a hundred of them take a minute in a debug build.
fn queries() -> u64 {
    full_or(100, 6)
}

fn assert_searched(db: &Path, events: Vec<Event>) {
    let events: Vec<(Event, Vec<Line>)> = events
        .into_par_iter()
        .map(|event| {
            let lines = event.value.as_deref().map(naive_lines).unwrap_or_default();
            (event, lines)
        })
        .collect();
    // Each text once, however many versions have it: else all queries would be about leases.
    let texts: BTreeSet<&[u8]> = events
        .iter()
        .flat_map(|(_, lines)| lines)
        .map(|line| &line.text[..])
        .collect();
    let texts: Vec<Vec<u8>> = texts
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    assert!(texts.len() > 1000);
    let found: usize =
        (0..queries())
            .into_par_iter()
            .map(|seed| {
                let query = query(seed, &texts);
                let mut arguments = vec!["grep".to_owned(), db.to_str().unwrap().to_owned()];
                arguments.extend(query.arguments.clone());
                let run = etcdive(arguments.iter().map(String::as_str).chain([
                    "--history",
                    "-o",
                    "jsonl",
                ]));
                let rows = naive_history(&events, &query);
                assert_eq!(comparable(&rows), told(&run), "{:?}", query.arguments);
                assert_eq!(
                    (run.code, run.stderr.as_str()),
                    (i32::from(rows.is_empty()), "")
                );
                // The state now is what is still there.
                let live = etcdive(arguments.iter().map(String::as_str).chain(["-o", "jsonl"]));
                let now: BTreeSet<String> = jsonl(&live)
                    .iter()
                    .map(|row| format!("{} {}", row["key"], field_of(row)))
                    .collect();
                let there = rows.iter().filter(|(_, span)| span.2.is_none());
                let there: BTreeSet<String> = there
                    .map(|((key, _, field, _), _)| format!("{} {field}", json!(key)))
                    .collect();
                assert_eq!(there, now, "{:?}", query.arguments);
                rows.len()
            })
            .sum();
    println!(
        "{}: {} queries, {found} rows equal",
        db.display(),
        queries()
    );
    assert!(found > 1000);
}

#[test]
fn every_query_is_answered_as_by_a_naive_scan_of_the_records() {
    let db = testdata("healthy/k8s/after.db");
    assert_searched(&db, records_of(&db));
}

#[test]
fn every_query_is_answered_as_by_a_naive_scan_of_all_recorded_events() {
    if let Some(corpus) = corpus() {
        let recording = corpus.join("corpus/k8s/allrevs.jsonl");
        let db = recording.with_file_name("precompact.live.db");
        assert_searched(&db, recorded(&recording));
    }
}

/// A version of a key; none where it is deleted.
type Stored = Option<Vec<u8>>;

/// How often a line contains a text, after the start of the field's own name.
fn occurrences(text: &str, line: &Line) -> usize {
    let colon = if line.text.is_empty() { ":" } else { ": " };
    let mut searched = String::from_utf8_lossy(&line.text).into_owned();
    let mut own = 0;
    if line.joined && !line.path.is_empty() {
        searched = format!("{}{colon}{searched}", line.path);
        own = line.own;
    }
    let (mut count, mut from) = (0, 0);
    while let Some(at) = searched.get(from..).and_then(|rest| rest.find(text)) {
        let reaches = from + at + text.len() > own;
        count += usize::from(reaches);
        from += at + if reaches { text.len() } else { 1 };
    }
    count
}

#[test]
fn s_and_g_find_in_two_versions_what_a_naive_scan_of_both_finds() {
    let db = testdata("healthy/k8s/after.db");
    let mut versions: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
    for event in records_of(&db) {
        if !is_secret(&event.key) && !event.key.contains("/leases/") {
            versions.entry(event.key).or_default().push(event.value);
        }
    }
    let mut random = Random::new(5);
    let mut pairs: Vec<(Stored, Stored)> = Vec::new();
    for versions in versions.into_values() {
        let before = std::iter::once(None).chain(versions.clone());
        let mut of_key: Vec<_> = before.zip(versions).collect();
        pairs.push(of_key.swap_remove(random.below(of_key.len())));
    }
    let none = std::collections::HashSet::new();
    let lines = |value: &Stored| -> Vec<Line> {
        value
            .as_deref()
            .map(|value| naive_lines_of(value, &none))
            .unwrap_or_default()
    };
    let tree = |value: &Stored| value.as_deref().map(|value| tree_of(value).unwrap().0);
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(old, new)| ([tree(old), tree(new)], [lines(old), lines(new)]))
        .collect();
    let words: Vec<String> = pairs
        .iter()
        .flat_map(|(_, lines)| lines.iter().flatten())
        .filter_map(|line| String::from_utf8(line.text.clone()).ok())
        .filter(|text| text.is_ascii() && !text.is_empty())
        .collect();
    let (mut by_number, mut by_line) = (0, 0);
    let texts = full_or(100, 20);
    for _ in 0..texts {
        let word = &words[random.below(words.len())];
        let from = random.below(word.len());
        let text = &word[from..(from + 1 + random.below(9)).min(word.len())];
        let matcher = Matcher::text(text).unwrap();
        for ([old, new], [old_lines, new_lines]) in &pairs {
            let count = |lines: &[Line]| {
                lines
                    .iter()
                    .map(|line| occurrences(text, line))
                    .sum::<usize>()
            };
            let with = |lines: &[Line]| {
                let lines = lines.iter().filter(|line| occurrences(text, line) > 0);
                let mut lines: Vec<_> = lines
                    .map(|line| (line.field.clone(), line.text.clone()))
                    .collect();
                lines.sort();
                lines
            };
            let s = count(old_lines) != count(new_lines);
            let g = with(old_lines) != with(new_lines);
            assert_eq!(
                pickaxe_s(old.as_ref(), new.as_ref(), &matcher),
                s,
                "{text:?} {old:?} {new:?}"
            );
            assert_eq!(
                pickaxe_g(old.as_ref(), new.as_ref(), &matcher),
                g,
                "{text:?} {old:?} {new:?}"
            );
            by_number += usize::from(s);
            by_line += usize::from(g);
        }
    }
    println!(
        "{} pairs, {texts} texts: -S {by_number}, -G {by_line}",
        pairs.len()
    );
    assert!(pairs.len() > 300 && by_number > 10 * texts && by_line > by_number);
}

/// All stored values of the healthy databases, and the coded values of testdata.
fn stored_values() -> Vec<Vec<u8>> {
    let databases: Vec<PathBuf> = files_below(&testdata("healthy"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "db"))
        .collect();
    let mut values = BTreeSet::new();
    for db in databases.iter().filter(|db| !db.ends_with("mixed.db")) {
        let source = Source::open(db).unwrap();
        let diagnostics = Diagnostics::new();
        let store = etcd::Store::open(&source, &diagnostics).unwrap();
        values.extend(
            store
                .records(Direction::Forward)
                .map(|record| record.value.to_vec()),
        );
    }
    for line in std::fs::read_to_string(testdata("k8s/values.jsonl"))
        .unwrap()
        .lines()
    {
        let row: Value = serde_json::from_str(line).unwrap();
        let fields = row.as_object().unwrap().values().filter_map(Value::as_str);
        values.extend(fields.filter_map(|text| STANDARD.decode(text).ok()));
    }
    assert!(values.len() > 1000, "{} values", values.len());
    values.into_iter().collect()
}

#[test]
fn no_value_that_matches_is_passed_over_by_the_look_at_its_bytes() {
    let values = stored_values();
    assert!(values.len() > 2000, "{}", values.len());
    let documents: Vec<_> = values
        .par_iter()
        .map(|value| Document::read(value).ok())
        .collect();
    let all = Matcher::regex("").unwrap();
    let mut lines = BTreeSet::new();
    for document in documents.iter().flatten() {
        for found in all.search(document, &document.tree) {
            lines.insert(format!("{}: ", found.path).into_bytes());
            lines.insert([format!("{}: ", found.path).as_bytes(), &found.text].concat());
            lines.insert(found.text);
        }
        lines.extend(document.bytes.iter().map(|text| text.clone().into_bytes()));
    }
    let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let patterns = full_or(300, 50);
    let (filtered, passed_over): (usize, usize) = (0..patterns as u64)
        .into_par_iter()
        .map(|seed| {
            let query = query(1000 + seed, &lines);
            let written =
                |pattern: &str| query.arguments.iter().any(|argument| argument == pattern);
            let text = query
                .arguments
                .last()
                .unwrap()
                .strip_prefix("--regexp=")
                .unwrap();
            let pattern = Pattern {
                alternatives: vec![text.to_owned()],
                fixed: written("-F"),
                ignore_case: written("-i"),
                word: written("-w"),
            };
            let matcher = Matcher::new(&pattern).unwrap();
            let mut passed_over = 0;
            for (value, document) in values.iter().zip(&documents) {
                if matcher.may_match(value) {
                    continue;
                }
                passed_over += 1;
                assert!(matcher.lines(value).is_empty(), "{pattern:?}");
                if let Some(document) = document {
                    assert!(!matcher.is_in(document), "{pattern:?} in {}", document.tree);
                }
            }
            (usize::from(matcher.has_filter()), passed_over)
        })
        .reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    println!(
        "{filtered} of {patterns} patterns have a filter, {passed_over} of {} values passed over",
        values.len() * patterns
    );
    assert!(filtered > patterns / 8 && passed_over > values.len() * patterns / 8);
}
