//! `log`, `ls --at`, `diff A..B` and `show` against histories that were recorded from outside or read by other code.

mod flags;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;

use self::reading::{Case, cases, listed};
use crate::support::random::Random;
use crate::support::{Run, Scratch, assert_same, etcdive};
use crate::verbs::jsonl;

fn run(verb: &str, case: &Case, arguments: &[&str]) -> Run {
    etcdive([&[verb, case.path()], arguments].concat())
}

/// The rows of a successful run, without what other tests prove: who wrote it and when.
#[track_caller]
fn rows(verb: &str, case: &Case, arguments: &[&OsStr]) -> Vec<Value> {
    let words = [&[OsStr::new(verb), case.db.as_os_str()], arguments].concat();
    let run = etcdive(
        words
            .iter()
            .chain([&OsStr::new("-o"), &OsStr::new("jsonl")]),
    );
    assert_eq!(run.code, 0, "{words:?}: {}", run.stderr);
    let mut rows = jsonl(&run);
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        for name in [
            "time_not_before",
            "time_not_after",
            "managers",
            "fields",
            "resource",
            "namespace",
            "name",
        ] {
            row.shift_remove(name);
        }
    }
    rows
}

#[track_caller]
fn assert_rows(expected: &[&Value], got: &[Value], what: &str) {
    let lines = |rows: &mut dyn Iterator<Item = &Value>| {
        rows.map(Value::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_same(
        lines(&mut expected.iter().copied()).as_bytes(),
        lines(&mut got.iter()).as_bytes(),
        what,
    );
}

/// So many of these, the same in every run, or all where they are fewer.
fn seeded<T: Copy>(of: &[T], count: usize, seed: u64) -> Vec<T> {
    if of.len() <= count {
        return of.to_vec();
    }
    let mut random = Random::new(seed);
    (0..count).map(|_| of[random.below(of.len())]).collect()
}

/// The revisions that can be asked for.
fn revisions(case: &Case) -> Vec<i64> {
    (case.compacted.max(1)..=case.newest()).collect()
}

#[test]
fn log_of_the_store_and_of_each_key_is_the_list_of_retained_events() {
    let scratch = Scratch::new("history-log");
    let (mut events, mut keys, mut types, mut recorded) = (0, 0, BTreeMap::new(), 0);
    for case in cases(&scratch) {
        let expected = case.events();
        let newest_first: Vec<&Value> = expected.iter().rev().collect();
        assert_rows(&newest_first, &rows("log", &case, &[]), case.path());
        events += expected.len();
        recorded += usize::from(case.recorded);
        for event in &expected {
            *types.entry(event["type"].to_string()).or_insert(0) += 1;
        }
        let mut by_key: BTreeMap<&[u8], Vec<&Value>> = BTreeMap::new();
        for (record, event) in case.retained.iter().zip(&expected) {
            by_key.entry(&record.key).or_default().push(event);
        }
        // No argument of a program holds a NUL.
        let keys_typed = by_key.keys().copied().filter(|key| !key.contains(&0));
        let all: Vec<&[u8]> = keys_typed.collect();
        for key in seeded(&all, 16, 1) {
            let newest_first: Vec<&Value> = by_key[key].iter().rev().copied().collect();
            let got = rows("log", &case, &[OsStr::from_bytes(key)]);
            assert_rows(&newest_first, &got, case.path());
            keys += 1;
        }
    }
    println!("{events} events, of them {types:?}; {keys} keys; {recorded} databases with a record");
    assert!(events > 5000 && keys > 50 && types.len() == 3 && recorded > 0);
}

#[test]
fn ls_at_a_revision_is_the_state_that_the_history_gives() {
    let scratch = Scratch::new("history-ls");
    let (mut states, mut refused) = (0, 0);
    for case in cases(&scratch) {
        let mut asked = revisions(&case);
        if case.newest() > 200 {
            let ends = [asked[0], case.newest()];
            asked = seeded(&asked, 40, 2);
            asked.extend(ends);
        }
        for at in asked {
            let text = at.to_string();
            let expected: Vec<Value> = case.state(at).values().map(|key| listed(key)).collect();
            let got = rows("ls", &case, &["--at".as_ref(), text.as_ref()]);
            assert_rows(
                &expected.iter().collect::<Vec<_>>(),
                &got,
                &format!("{} at {at}", case.path()),
            );
            states += 1;
        }
        let what = "required revision";
        for (at, sentence) in [
            (case.compacted - 1, "has been compacted"),
            (case.newest() + 1, "is a future revision"),
        ] {
            if at > 0 {
                let run = run("ls", &case, &["--at", &at.to_string()]);
                assert_eq!((run.code, run.stdout.len()), (2, 0), "{}", case.path());
                let sentence = format!("{what} {sentence}: {at} is ");
                assert!(run.stderr.contains(&sentence), "{}", run.stderr);
                refused += 1;
            }
        }
    }
    println!("{states} states equal, {refused} refused");
    assert!(states > 150 && refused > 8);
}

/// What `diff --name-only` has to print of two states.
fn names(case: &Case, from: i64, to: i64) -> Vec<u8> {
    let (old, new) = (case.state(from), case.state(to));
    let keys: BTreeSet<&[u8]> = old.keys().chain(new.keys()).copied().collect();
    let mut out = Vec::new();
    for key in keys {
        let mark = match (old.get(key), new.get(key)) {
            (None, _) => b"+ ",
            (_, None) => b"- ",
            (Some(old), Some(new)) if old.main == new.main => continue,
            _ => b"~ ",
        };
        out.extend_from_slice(&[mark, key, b"\n"].concat());
    }
    out
}

fn assert_names(case: &Case, range: &str, (from, to): (i64, i64)) {
    let expected = names(case, from, to);
    let run = run("diff", case, &[range, "--name-only"]);
    let what = format!("{} {range}", case.path());
    assert_same(&expected, &run.stdout, &what);
    let code = i32::from(!expected.is_empty());
    assert_eq!((run.code, run.stderr.as_str()), (code, ""), "{what}");
}

#[test]
fn diff_of_two_revisions_is_the_difference_of_the_two_states() {
    let scratch = Scratch::new("history-diff");
    let mut pairs = 0;
    for case in cases(&scratch) {
        let asked = revisions(&case);
        let (oldest, newest) = (asked[0], case.newest());
        let count = if case.path().ends_with("/after.db") {
            50
        } else {
            8
        };
        let mut random = Random::new(3);
        for _ in 0..count {
            let (a, b) = (
                asked[random.below(asked.len())],
                asked[random.below(asked.len())],
            );
            let (from, to) = (a.min(b), a.max(b));
            assert_names(&case, &format!("{from}..{to}"), (from, to));
            pairs += 1;
        }
        let middle = asked[asked.len() / 2];
        assert_names(&case, &format!("{middle}.."), (middle, newest));
        assert_names(&case, &format!("..{middle}"), (oldest, middle));
        assert_names(&case, "@~1..@", (newest - 1, newest));
        assert_names(&case, &format!("{middle}..{middle}"), (middle, middle));
        for (range, sentence) in [
            (
                format!("{newest}..{oldest}"),
                "the range is reversed".to_owned(),
            ),
            (
                format!("{oldest}..{}", newest + 1),
                format!("required revision is a future revision: {}", newest + 1),
            ),
        ] {
            let run = run("diff", &case, &[&range]);
            assert_eq!((run.code, run.stdout.len()), (2, 0), "{range}");
            assert!(run.stderr.contains(&sentence), "{}", run.stderr);
        }
        if case.compacted > 1 {
            let run = run("diff", &case, &[&format!("{}..", case.compacted - 1)]);
            assert_eq!((run.code, run.stdout.len()), (2, 0));
            assert!(run.stderr.contains("required revision has been compacted"));
        }
    }
    println!("{pairs} pairs equal");
    assert!(pairs >= 90);
}

#[test]
fn diff_and_log_take_the_revisions_of_one_object() {
    let scratch = Scratch::new("history-object");
    let mut ranges = 0;
    for case in cases(&scratch) {
        let versions = case.retained.iter().filter(|record| record.version > 1);
        let changed: Vec<_> = versions.collect();
        for new in seeded(&changed, 6, 4) {
            let events: Vec<_> = case.retained.iter().filter(|r| r.key == new.key).collect();
            // v3 is of the newest incarnation that has such a version.
            let version = |number| {
                let mut newest_first = events.iter().rev();
                newest_first.find(|r| !r.tombstone && r.version == number)
            };
            let (Some(old), Some(new)) = (version(new.version - 1), version(new.version)) else {
                continue;
            };
            if old.main < case.compacted || old.create_revision != new.create_revision {
                continue;
            }
            let range = format!("v{}..v{}", old.version, new.version);
            let key = OsStr::from_bytes(&new.key);
            let diff = ["diff".as_ref(), case.db.as_os_str(), range.as_ref(), key];
            let run = etcdive(diff.iter().chain([&OsStr::new("--name-only")]));
            let what = format!("{} {range} {key:?}", case.path());
            assert_same(&[b"~ ", &new.key[..], b"\n"].concat(), &run.stdout, &what);
            let log = rows("log", &case, &[range.as_ref(), key]);
            let mains: Vec<_> = log
                .iter()
                .map(|row| row["main"].as_i64().unwrap())
                .collect();
            assert_eq!(mains, [new.main], "{what}");
            ranges += 1;
        }
        let run = run("diff", &case, &["v1..v2"]);
        assert_eq!(run.code, 2);
        assert!(run.stderr.contains("are revisions of one object"));
    }
    println!("{ranges} ranges of versions");
    assert!(ranges > 15);
}

#[test]
fn log_of_a_range_has_the_events_after_its_first_revision_up_to_its_last() {
    let scratch = Scratch::new("history-range");
    for case in cases(&scratch) {
        let events = case.events();
        let asked = revisions(&case);
        let mut random = Random::new(6);
        for _ in 0..5 {
            let (a, b) = (
                asked[random.below(asked.len())],
                asked[random.below(asked.len())],
            );
            let (from, to) = (a.min(b), a.max(b));
            let inside = |event: &&Value| {
                let main = event["main"].as_i64().unwrap();
                main > from && main <= to
            };
            let expected: Vec<&Value> = events.iter().filter(inside).rev().collect();
            let range = format!("{from}..{to}");
            if expected.is_empty() {
                let run = run("log", &case, &[&range]);
                let sentence = format!("none of {} candidates matches A..B", events.len());
                assert_eq!((run.code, run.stdout.len()), (1, 0), "{range}");
                assert!(run.stderr.contains(&sentence), "{}", run.stderr);
                continue;
            }
            assert_rows(
                &expected,
                &rows("log", &case, &[range.as_ref()]),
                &format!("{} {range}", case.path()),
            );
        }
    }
}

#[test]
fn show_of_a_revision_is_all_that_it_wrote_in_the_order_of_writing() {
    let scratch = Scratch::new("history-show");
    let (mut shown, mut most, mut outlived, mut compacted) = (0, 0, 0, 0);
    for case in cases(&scratch) {
        let events = case.events();
        let mut by_main: BTreeMap<i64, Vec<&Value>> = BTreeMap::new();
        for event in &events {
            let main = event["main"].as_i64().unwrap();
            by_main.entry(main).or_default().push(event);
        }
        let mains: Vec<i64> = by_main.keys().copied().collect();
        let count = if case.path().ends_with("/after.db") {
            60
        } else {
            12
        };
        let mut asked = seeded(&mains, count, 7);
        asked.extend(mains.iter().filter(|main| by_main[main].len() > 2).take(6));
        for main in asked {
            let what = format!("{} {main}", case.path());
            let expected = &by_main[&main];
            let got = rows("show", &case, &[main.to_string().as_ref()]);
            assert_rows(expected, &got, &what);
            if main < case.compacted {
                let run = run("show", &case, &[&main.to_string()]);
                let note = "history is retained from revision";
                assert!(run.stderr.contains(note), "{}", run.stderr);
                outlived += 1;
            }
            shown += 1;
            most = most.max(expected.len());
        }
        let last = *mains.last().unwrap();
        let head = rows("show", &case, &["@".as_ref()]);
        assert_rows(&by_main[&last], &head, case.path());
        // One record of a transaction.
        let (main, records) = by_main.iter().max_by_key(|(_, r)| r.len()).unwrap();
        let record = records.last().unwrap();
        let text = format!("{main}.{}", record["sub"]);
        let got = rows("show", &case, &[text.as_ref()]);
        assert_rows(&[record], &got, case.path());
        let beyond = format!("{main}.{}", records.len());
        let none = run("show", &case, &[&beyond]);
        let (code, sentence) = if *main < case.compacted {
            (2, "required revision has been compacted".to_owned())
        } else {
            (1, format!("nothing is retained of revision {beyond}\n"))
        };
        assert!(
            none.code == code && none.stderr.contains(&sentence),
            "{}",
            none.stderr
        );
        if let Some(gone) = (2..case.compacted).find(|main| !by_main.contains_key(main)) {
            let run = run("show", &case, &[&gone.to_string()]);
            assert_eq!((run.code, run.stdout.len()), (2, 0));
            assert!(run.stderr.contains("required revision has been compacted"));
            compacted += 1;
        }
        let future = run("show", &case, &[&(case.newest() + 1).to_string()]);
        assert!(future.code == 2 && future.stderr.contains("is a future revision"));
    }
    println!("{shown} transactions, the largest of {most} keys; {outlived} below a compaction");
    assert!(shown > 120 && most >= 4 && outlived > 5 && compacted > 1);
}

#[test]
fn show_of_an_object_finds_its_versions_its_events_its_creation_and_its_deletion() {
    let scratch = Scratch::new("history-show-object");
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases(&scratch) {
        let events = case.events();
        let mut by_key: BTreeMap<&[u8], Vec<&Value>> = BTreeMap::new();
        for (record, event) in case.retained.iter().zip(&events) {
            by_key.entry(&record.key).or_default().push(event);
        }
        let keys: Vec<&[u8]> = by_key.keys().copied().collect();
        for key in seeded(&keys, 5, 8) {
            let of_key = &by_key[key];
            let newest = |is: &dyn Fn(&Value) -> bool| of_key.iter().rev().find(|e| is(e));
            let questions = [
                ("v2", newest(&|event| event["version"] == 2)),
                ("v3", newest(&|event| event["version"] == 3)),
                ("~0", of_key.iter().next_back()),
                ("~1", of_key.iter().rev().nth(1)),
                ("created", newest(&|event| event["type"] == "create")),
                ("deleted", newest(&|event| event["type"] == "delete")),
            ];
            for (revision, expected) in questions {
                let address: OsString =
                    OsStr::from_bytes(&[key, b"@", revision.as_bytes()].concat()).into();
                let what = format!("{} {address:?}", case.path());
                // What is not UTF-8 has no revision behind an @.
                if std::str::from_utf8(key).is_err() {
                    continue;
                }
                if let Some(expected) = expected {
                    let got = rows("show", &case, &[&address]);
                    assert_rows(&[expected], &got, &what);
                    *found.entry(revision).or_default() += 1;
                } else {
                    let words = ["show".as_ref(), case.db.as_os_str(), &address];
                    let run = etcdive(words);
                    assert!(
                        run.code == 1 && run.stderr.contains("is retained\nhint: "),
                        "{what}: {}",
                        run.stderr
                    );
                }
            }
        }
    }
    println!("{found:?}");
    assert!(found.len() == 6 && found.values().all(|count| *count > 2));
}
