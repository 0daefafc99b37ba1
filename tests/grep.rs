//! `grep` and the search behind `log -S` and `-G`: each answer is that of a naive scan of all events.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

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

use crate::support::random::Random;
use crate::support::synth::etcd::{Store, Version, put};
use crate::support::synth::k8s::{Meta, secret};
use crate::support::{Scratch, case_roots, etcdive, files_below, program, testdata};
use crate::verbs::jsonl;

mod naive;

use naive::{
    Event, Line, comparable, field_of, is_secret, naive_history, naive_lines, naive_lines_of,
    query, recorded, records_of, told,
};

/// How many seeded queries are asked: a hundred with the whole corpus, which takes a minute in a debug build.
fn queries() -> u64 {
    if std::env::var_os("ETCDIVE_CORPUS").is_some() {
        100
    } else {
        24
    }
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
    for root in case_roots() {
        let recording = root.join("corpus/k8s/allrevs.jsonl");
        if recording.is_file() {
            let db = recording.with_file_name("precompact.live.db");
            assert_searched(&db, recorded(&recording));
        }
    }
}

/// A version of a key; none where it is deleted.
type Stored = Option<Vec<u8>>;

/// How often a text stands in a line, behind the start of the field's own name.
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
fn s_and_g_tell_of_two_versions_what_a_naive_scan_of_both_tells() {
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
    for _ in 0..100 {
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
        "{} pairs, 100 texts: -S {by_number}, -G {by_line}",
        pairs.len()
    );
    assert!(pairs.len() > 300 && by_number > 1000 && by_line > by_number);
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
    let (filtered, passed_over): (usize, usize) = (0..300_u64)
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
        "{filtered} of 300 patterns have a filter, {passed_over} of {} values passed over",
        values.len() * 300
    );
    assert!(filtered > 40 && passed_over > values.len() * 40);
}

fn object(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
}

#[test]
fn s_is_a_change_of_the_number_and_g_a_change_of_a_line() {
    let old = object(json!({"a": "needle", "b": "hay"}));
    let moved = object(json!({"b": "needle", "a": "hay"}));
    let more = object(json!({"a": "needle needle", "b": "hay"}));
    let matcher = Matcher::text("needle").unwrap();
    assert_eq!((matcher.count(&old), matcher.count(&more)), (1, 2));
    let s = |a: Option<&Value>, b: Option<&Value>| pickaxe_s(a, b, &matcher);
    let g = |a: Option<&Value>, b: Option<&Value>| pickaxe_g(a, b, &matcher);
    assert!(!s(Some(&old), Some(&moved)) && g(Some(&old), Some(&moved)));
    assert!(s(Some(&old), Some(&more)) && g(Some(&old), Some(&more)));
    assert!(s(None, Some(&old)) && s(Some(&old), None) && g(None, Some(&old)));
    let other = object(json!({"a": "needle", "b": "straw"}));
    assert!(!s(Some(&old), Some(&other)) && !g(Some(&old), Some(&other)));
    // An item that is at another place in its list is the same line.
    let list =
        |items: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": items}});
    let (one, two) = (
        list(json!([{"image": "needle"}])),
        list(json!([{"image": "x"}, {"image": "needle"}])),
    );
    assert!(!g(Some(&one), Some(&two)));
    let regex = Matcher::regex("^need.e$").unwrap();
    assert!(
        !pickaxe_s(Some(&old), Some(&moved), &regex) && pickaxe_s(Some(&old), Some(&more), &regex)
    );
}

#[test]
fn names_count_for_their_own_line_only_and_managed_fields_when_asked_for() {
    let tree = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"managedFields": [{"manager": "kubelet"}]},
        "spec": {"volumes": [{"hostPath": {"path": "/var", "type": ""}}], "args": ["--x"]}});
    let paths = |matcher: &Matcher| -> Vec<String> {
        matcher
            .matches(&tree)
            .map(|found| found.path.to_string())
            .collect()
    };
    assert_eq!(
        paths(&Matcher::regex("hostPath").unwrap()),
        ["spec.volumes[0].hostPath"]
    );
    assert_eq!(
        paths(&Matcher::regex(r"hostPath\.path: /v").unwrap()),
        ["spec.volumes[0].hostPath.path"]
    );
    assert_eq!(
        paths(&Matcher::regex("^/var$").unwrap()),
        ["spec.volumes[0].hostPath.path"]
    );
    assert_eq!(
        paths(&Matcher::regex(r"^spec\.args\[0\]: --x$").unwrap()),
        ["spec.args[0]"]
    );
    assert_eq!(paths(&Matcher::regex("0").unwrap()), [""; 0]);
    assert_eq!(paths(&Matcher::text("kubelet").unwrap()), [""; 0]);
    let searched = Matcher::text("kubelet").unwrap().with_managed_fields(true);
    assert_eq!(paths(&searched), ["metadata.managedFields[0].manager"]);
    let ranges: Vec<_> = Matcher::text("a")
        .unwrap()
        .matches(&json!("xaya"))
        .map(|found| found.ranges)
        .collect();
    assert_eq!(ranges, [vec![1..2, 3..4]]);
}

/// A store with a text, objects and a deletion, as a file.
fn shop(scratch: &Scratch) -> String {
    let mut store = Store::new(Version::V3_6);
    let map = |data: Value, app: &str| {
        let mut map = object(data);
        map["metadata"]["labels"] = json!({"app": app});
        map["metadata"]["managedFields"] = json!([{"manager": "needle-manager"}]);
        map.to_string()
    };
    store.put(
        "/registry/configmaps/shop/a",
        map(
            json!({"x": "one needle\ntwo\nNEEDLE\n", "y": "needles"}),
            "web",
        ),
    );
    store.put(
        "/registry/configmaps/prod/b",
        map(json!({"x": "needle"}), "db"),
    );
    store.put(
        "/registry/configmaps/shop/a",
        map(json!({"x": "gone"}), "web"),
    );
    store.delete("/registry/configmaps/prod/b");
    store.put(
        "/registry/configmaps/prod/b",
        map(json!({"x": "needle"}), "db"),
    );
    store.put(
        "/registry/configmaps/shop/a",
        map(
            json!({"x": "one needle\ntwo\nNEEDLE\n", "y": "needles"}),
            "web",
        ),
    );
    store.put("/plain/needle", b"first\nneedle \xff\n".to_vec());
    scratch
        .file("shop.db", &store.builder().build().bytes)
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_match_is_a_line_of_key_revision_path_and_value() {
    let scratch = Scratch::new("grep-lines");
    let db = shop(&scratch);
    let run = etcdive(["grep", &db, "needle"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let expected = b"/plain/needle@8:2: needle \xff\n\
/registry/configmaps/prod/b@6:data.x: needle\n\
/registry/configmaps/shop/a@7:data.x:1: one needle\n\
/registry/configmaps/shop/a@7:data.y: needles\n";
    assert_eq!(
        run.stdout.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
    assert_eq!(etcdive(["grep", &db, "nowhere"]).code, 1);
    let rows = jsonl(&etcdive(["grep", &db, "needle", "-o", "jsonl"]));
    assert_eq!(
        rows[0],
        json!({"key": "/plain/needle", "mod_revision": 8, "path": "", "line": 2, "value_base64": "bmVlZGxlIP8=", "matches": [[0, 6]]})
    );
    let array: Value =
        serde_json::from_slice(&etcdive(["grep", &db, "needle", "-o", "json"]).stdout).unwrap();
    assert_eq!(array, Value::Array(rows));
    assert_eq!(
        etcdive(["grep", &db, "nowhere", "-o", "json"]).text(),
        "[]\n"
    );
}

#[test]
fn history_tells_from_when_to_when_a_line_was_there_in_each_life_of_its_key() {
    let scratch = Scratch::new("grep-history");
    let db = shop(&scratch);
    let run = etcdive(["grep", &db, "needle", "configmaps", "-A", "--history"]);
    assert_eq!(
        run.text(),
        "/registry/configmaps/prod/b  data.x: needle  first 3 .. last 3 (gone at 5)\n\
/registry/configmaps/prod/b  data.x: needle  first 6 .. last 6 (still there)\n\
/registry/configmaps/shop/a  data.x:1: one needle  first 2 .. last 7, 2 times (still there)\n\
/registry/configmaps/shop/a  data.y: needles  first 2 .. last 7, 2 times (still there)\n"
    );
    let then = etcdive(["grep", &db, "needles", "--history", "--at", "4"]);
    assert_eq!(
        then.text(),
        "/registry/configmaps/shop/a  data.y: needles  first 2 .. last 2 (gone at 4)\n"
    );
    assert_eq!(
        etcdive(["grep", &db, "^gone$", "--history", "-c"]).text(),
        "/registry/configmaps/shop/a:1\n"
    );
}

#[test]
fn what_compaction_took_may_have_held_a_line_before() {
    let scratch = Scratch::new("grep-compacted");
    let mut store = Store::new(Version::V3_6);
    for _ in 0..3 {
        store.put("/k", "needle");
    }
    store.compact(3);
    let db = scratch.file("c.db", &store.builder().build().bytes);
    let run = etcdive(["grep", db.to_str().unwrap(), "needle", "--history"]);
    assert_eq!(
        run.text(),
        "/k  needle  first 3 or before .. last 4 (still there)\n"
    );
}

/// The keys and paths that a query finds.
#[track_caller]
fn found(db: &str, arguments: &[&str]) -> Vec<String> {
    let run = etcdive([&["grep", db], arguments, &["-o", "jsonl"]].concat());
    assert!(run.code < 2, "{}", run.stderr);
    let name = |row: &Value| {
        let key = row["key"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        let line = row["line"]
            .as_u64()
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
        format!("{key} {}{line}", row["path"].as_str().unwrap_or("(key)"))
    };
    jsonl(&run).iter().map(name).collect()
}

#[test]
fn each_flag_of_grep_changes_what_is_found() {
    let scratch = Scratch::new("grep-flags");
    let db = shop(&scratch);
    let all = ["needle :2", "b data.x", "a data.x:1", "a data.y"];
    assert_eq!(found(&db, &["needle"]), all);
    assert_eq!(
        found(&db, &["-i", "needle"]),
        [
            "needle :2",
            "b data.x",
            "a data.x:1",
            "a data.x:3",
            "a data.y"
        ]
    );
    assert_eq!(
        found(&db, &["-w", "needle"]),
        ["needle :2", "b data.x", "a data.x:1"]
    );
    assert_eq!(found(&db, &["n..dles"]), ["a data.y"]);
    assert_eq!(found(&db, &["-F", "n..dles"]), [""; 0]);
    assert_eq!(found(&db, &["-F", "data.y: needles"]), ["a data.y"]);
    assert_eq!(
        found(&db, &["needle", "-k"])[..2],
        ["needle (key)", "needle :2"]
    );
    assert_eq!(
        found(&db, &["needle", "-n", "shop"]),
        ["a data.x:1", "a data.y"]
    );
    assert_eq!(found(&db, &["needle", "-l", "app=db"]), ["b data.x"]);
    assert_eq!(found(&db, &["needle", "-l", "app=db", "-k"]), ["b data.x"]);
    assert_eq!(
        found(&db, &["needle", "configmaps", "a"]),
        ["a data.x:1", "a data.y"]
    );
    assert_eq!(
        found(&db, &["-e", "two", "-e", "^first$", "/plain/"]),
        ["needle :1"]
    );
    assert_eq!(
        found(&db, &["-e", "two", "-e", "^first$"]),
        ["needle :1", "a data.x:2"]
    );
    assert_eq!(
        found(&db, &["-e", "(?i)NEEDLES", "-e", "TWO"]),
        ["a data.y"]
    );
    assert_eq!(
        found(&db, &["needle", "--at", "3"]),
        ["b data.x", "a data.x:1", "a data.y"]
    );
    assert_eq!(
        found(&db, &["needle", "-m", "1"]),
        ["needle :2", "b data.x", "a data.x:1"]
    );
    assert_eq!(found(&db, &["needle-manager"]), [""; 0]);
    assert_eq!(
        found(&db, &["needle-manager", "--show-managed-fields"]).len(),
        2
    );
    let text = |arguments: &[&str]| {
        etcdive([&["grep", &db, "needle"], arguments].concat())
            .text()
            .to_owned()
    };
    assert_eq!(
        text(&["-c", "-A", "configmaps"]),
        "/registry/configmaps/prod/b:1\n/registry/configmaps/shop/a:2\n"
    );
    assert_eq!(
        text(&["--name-only", "-n", "shop"]),
        "/registry/configmaps/shop/a\n"
    );
    assert_eq!(
        text(&["--name-only", "-n", "shop"]),
        text(&["--keys-only", "-n", "shop"])
    );
    assert_eq!(
        text(&["-c", "-n", "shop", "-o", "jsonl"]),
        "{\"key\":\"/registry/configmaps/shop/a\",\"resource\":\"configmaps\",\"namespace\":\"shop\",\"name\":\"a\",\"count\":2}\n"
    );
    let coloured = text(&["--color", "always", "-n", "shop"]);
    assert!(
        coloured.contains("one \u{1b}[33mneedle\u{1b}[0m\n"),
        "{coloured:?}"
    );
}

#[test]
fn a_pattern_that_is_none_is_refused_with_the_place_and_a_huge_one_with_its_limit() {
    let db = "testdata/healthy/k8s/after.db";
    let refused = |arguments: &[&str]| {
        let run = etcdive([&["grep", db], arguments].concat());
        assert_eq!((run.code, run.stdout.len()), (2, 0), "{arguments:?}");
        run.stderr
    };
    let place = refused(&["web(1"]);
    assert!(
        place.contains("    web(1\n       ^\nerror: unclosed group\n")
            && place.contains("hint: -F "),
        "{place}"
    );
    assert!(refused(&["-e", "fine", "-e", "a)"]).contains("unopened group"));
    let big = refused(&[r"(?:\w{1000}){1000}"]);
    assert!(
        big.contains("compiled it takes more than 10485760 bytes"),
        "{big}"
    );
    assert!(refused(&[&"(".repeat(2000)]).contains("regex parse error"));
    let deep = format!("{}a{}", "(".repeat(400), ")".repeat(400));
    assert!(refused(&[&deep]).contains("nest"));
    // Slow for engines that go back, no matter here.
    assert_eq!(
        etcdive(["grep", db, "(a*)*(a|a)*(x+x+)+y$", "pods"]).code,
        1
    );
    assert_eq!(etcdive(["grep", db]).code, 2);
    assert_eq!(etcdive(["grep", db, "a", "no-such-thing"]).code, 2);
    let future = etcdive(["grep", db, "a", "--at", "999999"]);
    assert!(future.code == 2 && future.stderr.contains("future revision"));
}

#[test]
fn deep_objects_and_odd_values_are_searched_to_their_ends() {
    let scratch = Scratch::new("grep-odd");
    let mut store = Store::new(Version::V3_6);
    let deep = format!(
        r#"{{"apiVersion":"v1","kind":"X","a":{}"needle"{}}}"#,
        "[".repeat(120),
        "]".repeat(120)
    );
    let too_deep = format!(
        r#"{{"apiVersion":"v1","kind":"X","a":{}"needle"{}}}"#,
        "[".repeat(4000),
        "]".repeat(4000)
    );
    store.put("/a/deep", deep);
    store.put("/b/too-deep", too_deep);
    store.put("/c/cut", b"k8s\0\x0a\xffneedle".to_vec());
    store.put("/d/empty", "");
    store.put(
        "/e/escaped",
        r#"{"apiVersion":"v1","kind":"X","a":"n\u0065edle","n\u0065edle":"b"}"#,
    );
    store.put("/f/long", "x".repeat(100_000) + "needle");
    let db = scratch.file("odd.db", &store.builder().build().bytes);
    let run = etcdive(["grep", db.to_str().unwrap(), "needle"]);
    let keys: Vec<&str> = run
        .text()
        .lines()
        .map(|line| line.split('@').next().unwrap())
        .collect();
    assert_eq!(
        keys,
        [
            "/a/deep",
            "/b/too-deep",
            "/c/cut",
            "/e/escaped",
            "/e/escaped",
            "/f/long"
        ]
    );
    // What cannot be decoded is damage, and nothing says that it is no secret.
    assert!(
        run.code == 3 && run.stderr.contains("value-undecodable"),
        "{}",
        run.stderr
    );
    assert!(
        run.text().contains("/c/cut@4: <masked #2, 12 bytes>\n"),
        "{}",
        run.text()
    );
    let shown = etcdive([
        "grep",
        db.to_str().unwrap(),
        "--show-secrets",
        "needle",
        "/c/cut",
    ]);
    assert!(shown.stdout.ends_with(b"\xffneedle\n"));
}

#[test]
fn the_values_of_secrets_are_searched_and_never_printed() {
    let scratch = Scratch::new("grep-secrets");
    let mut store = Store::new(Version::V3_6);
    let meta = Meta {
        name: "db".to_owned(),
        namespace: "shop".to_owned(),
        ..Meta::default()
    };
    let data = [("password".to_owned(), b"hunter2\nQZX-JKQ".to_vec())];
    let from_json = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "j", "annotations": {"last": "hunter2 QZX-JKQ"}},
        "data": {"password": STANDARD.encode("hunter2\nQZX-JKQ")}, "stringData": {"p": "hunter2"}});
    let inside =
        json!({"apiVersion": "x/v1", "kind": "Backup", "spec": {"copy": from_json.clone()}});
    store.txn(&[
        put("/registry/secrets/shop/db", secret(&meta, &data)),
        put("/registry/secrets/shop/j", from_json.to_string()),
        put("/registry/secrets/shop/text", "hunter2"),
        put(
            "/registry/secrets/shop/cut",
            b"k8s\0\x0a\xffhunter2".to_vec(),
        ),
        put("/registry/backups.x/shop/b", inside.to_string()),
    ]);
    store.put(
        "/registry/secrets/shop/db",
        secret(&meta, &[("password".to_owned(), b"QZX-JKQ".to_vec())]),
    );
    let db = scratch.file("s.db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    let needles = [
        "hunter2",
        "QZX-JKQ",
        &STANDARD.encode("hunter2\nQZX-JKQ"),
        "aHVudGVy",
        "UVpYLUpLUQ",
    ];
    let patterns = [
        "hunter2",
        "QZX-JKQ",
        "^hunter",
        "password",
        ".",
        "",
        "aHVudGVyMg",
        "shop|hun",
        "data.password: ",
    ];
    for pattern in patterns {
        for flags in [
            &[][..],
            &["--history"],
            &["-o", "jsonl"],
            &["-o", "json", "--history"],
            &["-k"],
            &["-c"],
            &["--color", "always"],
        ] {
            let run = etcdive([&["grep", db, "-e", pattern], flags].concat());
            assert!([0, 1, 3].contains(&run.code), "{}", run.stderr);
            for needle in needles {
                assert!(
                    !run.text().contains(needle) && !run.stderr.contains(needle),
                    "{pattern} {flags:?}: {} {}",
                    run.text(),
                    run.stderr
                );
            }
        }
    }
    let run = etcdive(["grep", db, "hunter2"]);
    let masked = |line: &str| line.contains("<masked #") || line.ends_with(':');
    assert!(run.text().lines().all(masked), "{}", run.text());
    for place in [
        "secrets/shop/j@2:metadata.annotations.last: ",
        "secrets/shop/j@2:data.password: ",
        "secrets/shop/j@2:stringData.p: ",
        "secrets/shop/text@2: ",
        "secrets/shop/cut@2: ",
        "backups.x/shop/b@2:spec.copy.data.password: ",
    ] {
        assert!(
            run.text().contains(&format!("/registry/{place}<masked #")),
            "{place}: {}",
            run.text()
        );
    }
    let rows = jsonl(&etcdive([
        "grep",
        db,
        "hunter2",
        "/registry/secrets/shop/j",
        "-o",
        "jsonl",
    ]));
    assert!(rows.iter().all(|row| row["masked"] == true
        && row.get("matches").is_none()
        && row.get("line").is_none()));
    // The base64 itself is found too, by who has it.
    let base64 = etcdive(["grep", db, "aHVudGVyMg", "--name-only"]);
    assert!(
        base64.text().contains("/registry/secrets/shop/j\n"),
        "{}",
        base64.text()
    );
    let history = etcdive([
        "grep",
        db,
        "hunter2",
        "/registry/secrets/shop/db",
        "--history",
    ]);
    assert!(
        history.text().contains("first 2 .. last 2 (gone at 3)\n"),
        "{}",
        history.text()
    );
    let shown = etcdive([
        "grep",
        db,
        "hunter2",
        "--show-secrets",
        "/registry/secrets/shop/j",
    ]);
    assert!(
        shown
            .text()
            .contains("/registry/secrets/shop/j@2:data.password|base64d:1: hunter2\n"),
        "{}",
        shown.text()
    );
}

#[test]
fn encrypted_values_are_searched_with_their_keys_and_said_without() {
    let db = "testdata/healthy/k8s-encrypted/mixed.db";
    let config = "testdata/healthy/k8s-encrypted/mixed.encryption-config.yaml";
    let without = etcdive(["grep", db, "vault-aescbc", "configmaps", "-A"]);
    assert!(
        without.stderr.contains("encrypted at rest by"),
        "{}",
        without.stderr
    );
    let with = etcdive([
        "grep",
        db,
        "vault-aescbc",
        "configmaps",
        "-A",
        "--encryption-config",
        config,
    ]);
    assert_eq!((with.code, with.stderr.as_str()), (0, ""));
    assert!(with.text().lines().count() > without.text().lines().count());
    assert!(
        with.text().contains("metadata.namespace: vault-aescbc\n"),
        "{}",
        with.text()
    );
}

#[test]
fn a_reader_that_goes_away_ends_the_search_quietly() {
    let mut child = program()
        .args(["grep", "testdata/healthy/k8s/after.db", "", "--history"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 64];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}
