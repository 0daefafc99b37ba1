//! `log`, `ls --at`, `diff A..B` and `show` against histories that were recorded from outside or read by other code.

mod flags;
mod reading;
mod times;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use etcdive::query::Answer;
use etcdive::query::key_list::KeyOrder;
use serde_json::Value;

use self::reading::{Case, cases, listed};
use crate::support::library::{Database, Listing};
use crate::support::random::Random;
use crate::support::{Scratch, assert_same};

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
        let db = Database::open(&case.db);
        let expected = case.events();
        let newest_first: Vec<&Value> = expected.iter().rev().collect();
        assert_rows(&newest_first, &db.log::<&str>(&[]).unwrap(), case.path());
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
            let got = db.log(&[OsStr::from_bytes(key)]).unwrap();
            assert_rows(&newest_first, &got, case.path());
            keys += 1;
        }
    }
    println!("{events} events, of them {types:?}; {keys} keys; {recorded} databases with a record");
    assert!(events > 5000 && keys > 50 && types.len() == 3 && recorded > 0);
}

/// All live keys as of a revision.
fn at_revision(at: &str) -> Listing<'_> {
    Listing {
        at,
        ..Listing::default()
    }
}

#[test]
fn ls_at_a_revision_is_the_state_that_the_history_gives() {
    let scratch = Scratch::new("history-ls");
    let (mut states, mut refused) = (0, 0);
    for case in cases(&scratch) {
        let db = Database::open(&case.db);
        let mut asked = revisions(&case);
        if case.newest() > 200 {
            let ends = [asked[0], case.newest()];
            asked = seeded(&asked, 40, 2);
            asked.extend(ends);
        }
        for at in asked {
            let text = at.to_string();
            let expected: Vec<Value> = case.state(at).values().map(|key| listed(key)).collect();
            let got = db.ls(&at_revision(&text), KeyOrder::Key).unwrap();
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
                let listing = db.ls(&at_revision(&at.to_string()), KeyOrder::Key);
                let why = listing.unwrap_err();
                assert_eq!(why.code, 2, "{}", case.path());
                let sentence = format!("{what} {sentence}: {at} is ");
                assert!(why.text.contains(&sentence), "{}", why.text);
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

fn assert_names(case: &Case, db: &Database, range: &str, (from, to): (i64, i64)) {
    let expected = names(case, from, to);
    let (names, answer) = db.diff::<&str>(range, &[]).unwrap();
    let what = format!("{} {range}", case.path());
    assert_same(&expected, &names, &what);
    assert_eq!(answer == Answer::Yes, expected.is_empty(), "{what}");
    assert_eq!(db.notes(), "", "{what}");
}

#[test]
fn diff_of_two_revisions_is_the_difference_of_the_two_states() {
    let scratch = Scratch::new("history-diff");
    let mut pairs = 0;
    for case in cases(&scratch) {
        let db = Database::open(&case.db);
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
            assert_names(&case, &db, &format!("{from}..{to}"), (from, to));
            pairs += 1;
        }
        let middle = asked[asked.len() / 2];
        assert_names(&case, &db, &format!("{middle}.."), (middle, newest));
        assert_names(&case, &db, &format!("..{middle}"), (oldest, middle));
        assert_names(&case, &db, "@~1..@", (newest - 1, newest));
        assert_names(&case, &db, &format!("{middle}..{middle}"), (middle, middle));
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
            let why = db.diff::<&str>(&range, &[]).unwrap_err();
            assert_eq!(why.code, 2, "{range}");
            assert!(why.text.contains(&sentence), "{}", why.text);
        }
        if case.compacted > 1 {
            let why = db.diff::<&str>(&format!("{}..", case.compacted - 1), &[]);
            let why = why.unwrap_err();
            assert_eq!(why.code, 2);
            assert!(why.text.contains("required revision has been compacted"));
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
        let db = Database::open(&case.db);
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
            let (names, _) = db.diff(&range, &[key]).unwrap();
            let what = format!("{} {range} {key:?}", case.path());
            assert_same(&[b"~ ", &new.key[..], b"\n"].concat(), &names, &what);
            let log = db.log(&[range.as_ref(), key]).unwrap();
            let mains: Vec<_> = log
                .iter()
                .map(|row| row["main"].as_i64().unwrap())
                .collect();
            assert_eq!(mains, [new.main], "{what}");
            ranges += 1;
        }
        let why = db.diff::<&str>("v1..v2", &[]).unwrap_err();
        assert_eq!(why.code, 2);
        assert!(why.text.contains("are revisions of one object"));
    }
    println!("{ranges} ranges of versions");
    assert!(ranges > 15);
}

#[test]
fn log_of_a_range_has_the_events_after_its_first_revision_up_to_its_last() {
    let scratch = Scratch::new("history-range");
    for case in cases(&scratch) {
        let db = Database::open(&case.db);
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
                let why = db.log(&[&range]).unwrap_err();
                let sentence = format!("none of {} candidates matches A..B", events.len());
                assert_eq!(why.code, 1, "{range}");
                assert!(why.text.contains(&sentence), "{}", why.text);
                continue;
            }
            assert_rows(
                &expected,
                &db.log(&[&range]).unwrap(),
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
        let db = Database::open(&case.db);
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
            let got = db.show(&[main.to_string()]).unwrap();
            assert_rows(expected, &got, &what);
            if main < case.compacted {
                let notes = db.notes();
                let note = "history is retained from revision";
                assert!(notes.contains(note), "{notes}");
                outlived += 1;
            }
            shown += 1;
            most = most.max(expected.len());
        }
        let last = *mains.last().unwrap();
        let head = db.show(&["@"]).unwrap();
        assert_rows(&by_main[&last], &head, case.path());
        // One record of a transaction.
        let (main, records) = by_main.iter().max_by_key(|(_, r)| r.len()).unwrap();
        let record = records.last().unwrap();
        let text = format!("{main}.{}", record["sub"]);
        let got = db.show(&[text]).unwrap();
        assert_rows(&[record], &got, case.path());
        let beyond = format!("{main}.{}", records.len());
        let none = db.show(&[&beyond]).unwrap_err();
        let (code, sentence) = if *main < case.compacted {
            (2, "required revision has been compacted".to_owned())
        } else {
            (1, format!("nothing is retained of revision {beyond}\n"))
        };
        assert!(
            none.code == code && none.text.contains(&sentence),
            "{}",
            none.text
        );
        if let Some(gone) = (2..case.compacted).find(|main| !by_main.contains_key(main)) {
            let why = db.show(&[gone.to_string()]).unwrap_err();
            assert_eq!(why.code, 2);
            assert!(why.text.contains("required revision has been compacted"));
            compacted += 1;
        }
        let future = db.show(&[(case.newest() + 1).to_string()]).unwrap_err();
        assert!(future.code == 2 && future.text.contains("is a future revision"));
    }
    println!("{shown} transactions, the largest of {most} keys; {outlived} below a compaction");
    assert!(shown > 120 && most >= 4 && outlived > 5 && compacted > 1);
}

#[test]
fn show_of_an_object_finds_its_versions_its_events_its_creation_and_its_deletion() {
    let scratch = Scratch::new("history-show-object");
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases(&scratch) {
        let db = Database::open(&case.db);
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
                // What is not UTF-8 has no revision after an @.
                if std::str::from_utf8(key).is_err() {
                    continue;
                }
                if let Some(expected) = expected {
                    let got = db.show(&[&address]).unwrap();
                    assert_rows(&[expected], &got, &what);
                    *found.entry(revision).or_default() += 1;
                } else {
                    let why = db.show(&[&address]).unwrap_err();
                    assert!(
                        why.code == 1 && why.text.contains("is retained\nhint: "),
                        "{what}: {}",
                        why.text
                    );
                }
            }
        }
    }
    println!("{found:?}");
    assert!(found.len() == 6 && found.values().all(|count| *count > 2));
}
