//! `compare`: equal members are equal, and one different record anywhere is found, with its key and revision.

use std::path::{Path, PathBuf};

use etcdive::query::Evidence;
use etcdive::query::divergence::{Comparison, Verdict, Version as KeyVersion};
use etcdive::query::evidence::Verify;
use serde_json::Value;

use crate::support::synth::etcd::{Store as Model, Version};
use crate::support::synth::shapes;
use crate::support::synth::{Bucket, Rng};
use crate::support::terminal::{Terminal, without_colours};
use crate::support::{Run, Scratch, etcdive, program, testdata};

fn path(name: &str) -> String {
    testdata("compare").join(name).to_str().unwrap().to_owned()
}

/// Runs `compare` on files of `testdata/compare`.
fn compare(names: &[&str], more: &[&str]) -> Run {
    let paths: Vec<String> = names.iter().map(|name| path(name)).collect();
    let mut words = vec!["compare"];
    words.extend(paths.iter().map(String::as_str));
    words.extend(more);
    etcdive(words)
}

fn json(names: &[&str], more: &[&str]) -> (i32, Value) {
    let run = compare(names, &[&["-o", "json"], more].concat());
    let value = serde_json::from_slice(&run.stdout);
    let value = value.unwrap_or_else(|error| panic!("{names:?}: {error}: {}", run.stderr));
    (run.code, value)
}

fn causes(value: &Value) -> Vec<&str> {
    let causes = value["causes"].as_array().unwrap();
    causes
        .iter()
        .map(|cause| cause["cause"].as_str().unwrap())
        .collect()
}

/// The keys that differ, each with its first revision.
fn keys(value: &Value) -> Vec<(&str, i64)> {
    let keys = value["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| {
            let text = key["key"].as_str().unwrap_or("?");
            (text, key["revision"].as_i64().unwrap())
        })
        .collect()
}

#[test]
fn members_of_one_cluster_are_equal() {
    let run = compare(&["m1.db", "m2.db", "m3.db"], &[]);
    assert_eq!(run.code, 0, "{}{}", run.text(), run.stderr);
    assert!(
        run.text().contains("equal at revision 16"),
        "{}",
        run.text()
    );
    let (_, value) = json(&["m1.db", "m2.db", "m3.db"], &[]);
    assert_eq!(value["verdict"], "equal");
    let hashkv = etcdive(["hashkv", &path("m1.db"), "-w", "json"]);
    let hashkv: Value = serde_json::from_slice(&hashkv.stdout).unwrap();
    for file in value["files"].as_array().unwrap() {
        assert_eq!(file["hash_kv"], hashkv["hash"]);
    }
}

/// Each case: the files, and what has to be found.
struct Case {
    files: &'static [&'static str],
    verdict: &'static str,
    causes: &'static [&'static str],
    keys: &'static [(&'static str, i64)],
    code: i32,
}

const CASES: &[Case] = &[
    Case {
        files: &["m1.db", "m2.db", "altered-live.db"],
        verdict: "different",
        causes: &["altered-value"],
        keys: &[("/app/leader", 16)],
        code: 1,
    },
    Case {
        files: &["m1.db", "altered-old.db"],
        verdict: "different",
        causes: &["altered-value"],
        keys: &[("/app/leader", 10)],
        code: 1,
    },
    Case {
        files: &["m1.db", "m2.db", "tail-lost.db"],
        verdict: "different",
        causes: &["lost-or-restored"],
        keys: &[],
        code: 1,
    },
    Case {
        files: &["m1.db", "base-m1.db"],
        verdict: "equal",
        causes: &["ends-earlier"],
        keys: &[],
        code: 0,
    },
    Case {
        files: &["m1.db", "m2.db", "extra.db"],
        verdict: "different",
        causes: &["lacks-records"],
        keys: &[("/app/config/item-9", 15)],
        code: 1,
    },
    Case {
        files: &["compacted-later.db", "kept-missing.db"],
        verdict: "different",
        causes: &["lacks-records"],
        keys: &[("/app/config/item-1", 2)],
        code: 1,
    },
    Case {
        files: &["m1.db", "compacted.db"],
        verdict: "equal",
        causes: &[],
        keys: &[],
        code: 0,
    },
    Case {
        files: &["m1.db", "compacted-later.db", "base-m1.db"],
        verdict: "equal",
        causes: &["ends-earlier", "ends-earlier"],
        keys: &[],
        code: 0,
    },
    Case {
        files: &["restored-m1.db", "restored-m2.db", "restored-m3.db"],
        verdict: "different",
        causes: &["restored-from-different-snapshots"],
        keys: &[
            ("/app/config/item-4", 15),
            ("/app/new-0", 15),
            ("/app/leader", 16),
            ("/app/new-1", 16),
            ("/app/new-2", 17),
            ("/app/new-3", 18),
        ],
        code: 1,
    },
    Case {
        files: &["m1.db", "restored-m1.db"],
        verdict: "equal",
        causes: &["ends-earlier", "other-members"],
        keys: &[],
        code: 0,
    },
    // The same key, altered at two revisions. The first and the third differ at both.
    Case {
        files: &["altered-old.db", "m1.db", "altered-live.db"],
        verdict: "different",
        causes: &["altered-value", "altered-value"],
        keys: &[("/app/leader", 10)],
        code: 1,
    },
    // The compaction removed the altered version from the first database of the first group, but not from the second.
    Case {
        files: &["compacted.db", "m1.db", "altered-old.db"],
        verdict: "different",
        causes: &["altered-value"],
        keys: &[("/app/leader", 10)],
        code: 1,
    },
    Case {
        files: &["m1.db", "m1.db"],
        verdict: "equal",
        causes: &["same-file"],
        keys: &[],
        code: 0,
    },
    Case {
        files: &["empty.db", "empty.db"],
        verdict: "equal",
        causes: &["empty", "empty", "same-file"],
        keys: &[],
        code: 0,
    },
];

#[test]
fn each_known_difference_is_named_with_its_keys_and_revision() {
    for case in CASES {
        let (code, value) = json(case.files, &[]);
        let what = format!("{:?}: {value:#}", case.files);
        assert_eq!(value["verdict"], case.verdict, "{what}");
        assert_eq!(causes(&value), case.causes, "{what}");
        assert_eq!(keys(&value), case.keys, "{what}");
        assert_eq!(code, case.code, "{what}");
    }
}

/// Ten writes, and what is done to the records of a copy.
fn copies(name: &str, changes: &[&dyn Fn(&mut Model)]) -> (Scratch, Vec<String>) {
    let mut model = Model::new(Version::V3_6);
    for index in 0..10 {
        model.put(format!("key-{index}"), "value");
    }
    let scratch = Scratch::new(name);
    let paths = changes.iter().enumerate().map(|(index, change)| {
        let mut copy = model.clone();
        change(&mut copy);
        let path = write(&scratch, &format!("{index}.db"), &copy, 4096);
        path.to_str().unwrap().to_owned()
    });
    let paths = paths.collect();
    (scratch, paths)
}

fn alter(model: &mut Model, index: usize) {
    model.alter(index, |record| record.value.push(b'!'));
}

/// Bucket `key` without one of its records.
fn lose(model: &mut Model, index: usize) {
    let records = model.records();
    let kept = records.iter().enumerate().filter(|(at, _)| *at != index);
    let pairs = kept.map(|(_, record)| (record.bucket_key(), record.bucket_value()));
    let bucket = Bucket::of(pairs.collect::<Vec<_>>());
    model.set_bucket("key", bucket);
}

#[test]
fn a_cause_is_looked_for_between_every_two_groups() {
    // The first differs from both others in two records or more, and these two in one.
    let changes: [&dyn Fn(&mut Model); 3] = [
        &|model| {
            alter(model, 2);
            alter(model, 4);
        },
        &|_| {},
        &|model| alter(model, 7),
    ];
    let (_scratch, paths) = copies("compare-groups", &changes);
    let run = etcdive(["compare", &paths[0], &paths[1], &paths[2], "-o", "json"]);
    let value: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(run.code, 1, "{value:#}");
    assert_eq!(causes(&value), ["altered-value"], "{value:#}");
    let text = value["causes"][0]["text"].as_str().unwrap();
    let expected = format!(
        "{} and {} differ only in the value of key-7",
        paths[1], paths[2]
    );
    assert!(text.starts_with(&expected), "{text}");
}

#[test]
fn two_databases_that_each_lack_records_get_one_sentence() {
    let changes: [&dyn Fn(&mut Model); 2] = [&|model| lose(model, 3), &|model| lose(model, 6)];
    let (_scratch, paths) = copies("compare-lacks", &changes);
    let run = etcdive(["compare", &paths[0], &paths[1]]);
    // A missing revision is damage, so a record may be in a page that cannot be found.
    assert_eq!(run.code, 3, "{}{}", run.text(), run.stderr);
    let lines = run.text().lines();
    let lacking: Vec<&str> = lines
        .filter(|line| line.contains("1 record that"))
        .collect();
    let [sentence] = lacking.as_slice() else {
        panic!("{}", run.text());
    };
    for (lacks, has) in [(0, 1), (1, 0)] {
        let part = format!(
            "{} is damaged, and 1 record that {} has cannot be read in it",
            paths[lacks], paths[has]
        );
        assert!(sentence.contains(&part), "{sentence}");
    }
    assert!(!sentence.contains("nothing else differs"), "{sentence}");
}

/// The deltas that one folder has are in the full snapshot of another, as etcd wrote them.
#[test]
fn delta_snapshots_continue_the_full_snapshot_of_their_folder() {
    let path = |name: &str| testdata("backups").join(name).to_str().unwrap().to_owned();
    let (gzip, lzw) = (path("gzip"), path("lzw"));
    let run = etcdive(["compare", &gzip, &lzw, "-o", "json"]);
    let value: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(run.code, 0, "{value:#}");
    assert_eq!(
        (&value["verdict"], &value["revision"]),
        (&"equal".into(), &17.into())
    );
    let files = value["files"].as_array().unwrap();
    assert!(files[0]["hash_kv"].is_u64(), "{value:#}");
    assert_eq!(files[0]["hash_kv"], files[1]["hash_kv"]);
    assert!(
        run.stderr.contains("continue it to revision 17"),
        "{}",
        run.stderr
    );

    // Its hash is that of the store that a restore of the folder writes.
    let scratch = Scratch::new("compare-deltas");
    let full = scratch.path().join("full.db");
    let full = full.to_str().unwrap();
    let restored = etcdive(["restore", &lzw, "--out", full]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    let hashkv = etcdive(["hashkv", full, "-w", "json"]);
    let hashkv: Value = serde_json::from_slice(&hashkv.stdout).unwrap();
    let run = etcdive(["compare", full, &lzw, "-o", "json"]);
    let value: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((run.code, &value["verdict"]), (0, &"equal".into()));
    for file in value["files"].as_array().unwrap() {
        assert_eq!(file["hash_kv"], hashkv["hash"], "{value:#}");
    }
    let compacted = etcdive(["compare", &gzip, &lzw, "--rev", "7"]);
    assert_eq!(compacted.code, 2);
    assert!(
        compacted.stderr.contains("`--rev 13`"),
        "{}",
        compacted.stderr
    );
}

#[test]
fn a_write_ahead_log_that_is_not_compared_is_named_with_its_end() {
    let member = testdata("guides/last-member");
    let member = member.to_str().unwrap();
    let db = format!("{member}/member/snap/db");
    let scratch = Scratch::new("compare-log");
    let copy = scratch.file("copy.db", &std::fs::read(&db).unwrap());
    let copy = copy.to_str().unwrap();
    let run = etcdive(["compare", member, copy]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let expected = format!(
        "{member}: its write-ahead log has 3 more entries, up to entry 16. They are not compared: `etcdive restore {member} --wal --out NEW.db` applies them"
    );
    assert!(
        run.text().lines().any(|line| line == expected),
        "{}",
        run.text()
    );
    assert_eq!(run.text().matches("write-ahead log").count(), 1);
    let run = etcdive(["compare", member, copy, "-o", "json"]);
    let value: Value = serde_json::from_slice(&run.stdout).unwrap();
    let log = &value["files"][0]["log_not_read"];
    assert_eq!(
        (&log["entries"], &log["last_index"]),
        (&3.into(), &16.into())
    );
    assert!(value["files"][1]["log_not_read"].is_null());
}

#[test]
fn two_clusters_are_not_equal() {
    let (code, value) = json(&["m1.db", "other.db"], &["-n", "0"]);
    assert_eq!((code, &value["verdict"]), (1, &"different".into()));
    assert_eq!(causes(&value), ["another-cluster"]);
    assert_eq!(value["first_difference"], 2);
    assert_eq!(keys(&value).len(), 8, "{value:#}");
}

#[test]
fn an_empty_store_has_no_revision_in_common_with_others() {
    let run = compare(&["m1.db", "empty.db"], &[]);
    assert_eq!(run.code, 2, "{}", run.text());
    assert!(run.text().contains("not comparable"), "{}", run.text());
    assert!(run.stderr.contains("no common revision"), "{}", run.stderr);
}

#[test]
fn the_one_that_differs_from_the_others_is_named() {
    let run = compare(&["m1.db", "altered-old.db", "m2.db"], &[]);
    let text = run.text();
    assert!(
        text.contains("altered-old.db differs from the other two since revision 10"),
        "{text}"
    );
    assert!(text.contains("1 key with a different history"), "{text}");
    assert!(text.contains("in one bit of 6 bytes"), "{text}");
}

/// The live value is the same again; only the history differs.
#[test]
fn a_key_says_whether_it_still_differs() {
    let (_, value) = json(&["m1.db", "altered-old.db"], &[]);
    assert_eq!(value["keys"][0]["differs_now"], false, "{value:#}");
    let (_, value) = json(&["m1.db", "altered-live.db"], &[]);
    assert_eq!(value["keys"][0]["differs_now"], true, "{value:#}");
}

/// The example of the guide: etcd 3.5.0 to 3.5.2 skipped writes after a crash.
#[test]
fn skipped_writes_are_recognised() {
    let file = |name: &str| {
        let path = testdata("guides/disagree").join(name);
        path.to_str().unwrap().to_owned()
    };
    let files = [file("m1.db"), file("m2.db"), file("m3.db")];
    let run = etcdive(["compare", &files[0], &files[1], &files[2]]);
    assert_eq!(run.code, 1);
    let text = run.text();
    assert!(
        text.contains("m3.db differs from the other two since revision 9"),
        "{text}"
    );
    assert!(
        text.contains("lacks the writes of revisions 9 to 10"),
        "{text}"
    );
    assert!(text.contains("13766"), "{text}");
}

#[test]
fn a_revision_limits_the_comparison() {
    let (code, value) = json(&["m1.db", "altered-old.db"], &["--rev", "9"]);
    assert_eq!((code, &value["verdict"]), (0, &"equal".into()));
    assert_eq!(value["revision"], 9);
    let run = compare(&["m1.db", "compacted.db"], &["--rev", "12"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("compacted.db: "), "{}", run.stderr);
    let run = compare(&["m1.db", "base-m1.db"], &["--rev", "16"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("base-m1.db: "), "{}", run.stderr);
}

#[test]
fn the_list_of_keys_is_limited() {
    let all = compare(&["m1.db", "other.db"], &["-n", "0"]);
    assert!(!all.text().contains("more; -n 0"), "{}", all.text());
    let two = compare(&["m1.db", "other.db"], &["--limit", "2"]);
    assert!(
        two.text().contains("and 6 more; -n 0 lists all"),
        "{}",
        two.text()
    );
    let (_, value) = json(&["m1.db", "other.db"], &["-n", "2"]);
    assert_eq!(keys(&value).len(), 2);
    assert_eq!(value["keys_total"], 8);
    let lines = compare(&["m1.db", "other.db"], &["-n", "3", "-o", "jsonl"]);
    assert_eq!(lines.text().lines().count(), 3);
}

#[test]
fn a_damaged_file_is_never_called_equal() {
    let scratch = Scratch::new("compare-damaged");
    let whole = std::fs::read(path("m3.db")).unwrap();
    // The SHA-256 at the end is right for the undamaged file only; a byte in a free page changes no record.
    let mut trailer = whole.clone();
    *trailer.last_mut().unwrap() ^= 1;
    let trailer = scratch.file("trailer.db", &trailer);
    let cut = scratch.file("cut.db", &whole[..12288]);
    for damaged in [trailer, cut] {
        let run = etcdive(["compare", &path("m1.db"), damaged.to_str().unwrap()]);
        let text = run.text();
        assert_eq!(run.code, 3, "{text}{}", run.stderr);
        assert!(text.contains("damaged"), "{text}");
        assert!(!text.contains("equal at revision"), "{text}");
        assert!(
            run.stderr.contains(damaged.to_str().unwrap()),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn values_are_never_printed() {
    for output in ["table", "wide", "json", "jsonl"] {
        let run = compare(&["m1.db", "other.db"], &["-n", "0", "-o", output]);
        assert!(run.text().contains("/app/config/item-1"), "{}", run.text());
        for value in ["password-one", "node-a", "other-1", "value-1"] {
            assert!(!run.text().contains(value), "{output}: {}", run.text());
        }
    }
}

#[test]
fn one_database_is_not_enough() {
    assert_ne!(etcdive(["compare", &path("m1.db")]).code, 0);
}

fn verdict_of(first: &Path, second: &Path) -> (Verdict, Vec<(Vec<u8>, i64)>) {
    let evidence = [first, second].map(|path| Evidence::open(path, Verify::IfSmall).unwrap());
    let comparison = Comparison::open(&evidence).unwrap();
    let divergence = comparison.compare(None).unwrap();
    let keys = divergence.keys.iter();
    let keys = keys.map(|key| {
        assert!(key.versions.iter().any(|one| *one != KeyVersion::Unknown));
        (key.key.unwrap().to_vec(), key.revision.main)
    });
    (divergence.verdict, keys.collect())
}

/// A random store twice: compacted at other revisions, with pages of another size.
fn twins(seed: u64) -> Option<(Model, Model)> {
    let model = shapes::uncompacted(&mut Rng::new(seed), 8 << (seed % 5));
    let (mut one, mut other) = (model.clone(), model.clone());
    let at = |part: i64| 1 + (model.revision() - 1) * part / 4;
    let parts = [(0, 0), (0, 2), (1, 3), (2, 2), (0, 4)][seed as usize % 5];
    for (model, part) in [(&mut one, parts.0), (&mut other, parts.1)] {
        if at(part) > 1 {
            model.compact(at(part));
        }
    }
    (model.revision() > 4).then_some((one, other))
}

fn write(scratch: &Scratch, name: &str, model: &Model, page_size: usize) -> PathBuf {
    let image = model.builder().page_size(page_size).build().bytes;
    scratch.file(name, &image)
}

#[test]
fn the_same_history_is_equal_whatever_the_compaction_and_the_pages() {
    let scratch = Scratch::new("compare-twins");
    let mut compared = 0;
    for seed in 0..60_u64 {
        let Some((one, other)) = twins(seed) else {
            continue;
        };
        let first = write(&scratch, "a.db", &one, 4096);
        let second = write(&scratch, "b.db", &other, 1024);
        let (verdict, keys) = verdict_of(&first, &second);
        assert_eq!((verdict, keys), (Verdict::Equal, Vec::new()), "seed {seed}");
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}

/// Each record in turn has another value. If both stores retain it, it is found with its key and revision.
#[test]
fn one_altered_record_is_found_wherever_it_is() {
    let scratch = Scratch::new("compare-altered");
    let (mut found, mut removed) = (0, 0);
    for seed in 0..25_u64 {
        let Some((one, other)) = twins(seed) else {
            continue;
        };
        let first = write(&scratch, "a.db", &one, 4096);
        let puts: Vec<usize> = (0..one.history().len())
            .filter(|index| !other.history()[*index].tombstone)
            .collect();
        for index in puts.iter().step_by(1 + puts.len() / 12) {
            let mut altered = other.clone();
            let record = other.history()[*index].clone();
            altered.alter(*index, |record| record.value.push(b'!'));
            let second = write(&scratch, "b.db", &altered, 4096);
            let place = (record.main, record.sub);
            let is_in = |model: &Model| {
                let mut records = model.records().into_iter();
                records.any(|one| (one.main, one.sub) == place)
            };
            let (verdict, keys) = verdict_of(&first, &second);
            let what = format!("seed {seed}, record {index} at {place:?}");
            if is_in(&one) && is_in(&other) {
                assert_eq!(verdict, Verdict::Different, "{what}");
                assert_eq!(keys, [(record.key, record.main)], "{what}");
                found += 1;
            } else {
                assert_eq!(verdict, Verdict::Equal, "{what}");
                removed += 1;
            }
        }
    }
    println!("{found} altered records found, {removed} removed by a compaction");
    assert!(found > 100 && removed > 10);
}

#[test]
fn rev_ends_the_comparison_also_for_causes_about_later_revisions() {
    let (code, value) = json(&["m1.db", "tail-lost.db"], &["--rev", "10"]);
    assert_eq!((code, &value["verdict"]), (0, &Value::from("equal")));
    assert_eq!(value["revision"], 10);
    assert_eq!(causes(&value), [""; 0]);
    let text = compare(&["m1.db", "tail-lost.db"], &["--rev", "10"]);
    assert!(!text.text().contains("was lost"), "{}", text.text());
    let members = ["m1.db", "m2.db", "m3.db"].map(|name| {
        let path = testdata("guides/disagree").join(name);
        path.to_str().unwrap().to_owned()
    });
    let [first, second, third] = &members;
    let run = etcdive(["compare", first, second, third, "--rev", "8"]);
    assert_eq!(run.code, 0, "{}", run.text());
    assert!(run.text().contains("equal at revision 8"), "{}", run.text());
    assert!(!run.text().contains("raft log"), "{}", run.text());
}

#[test]
fn a_database_restored_as_of_a_revision_is_not_said_to_have_lost_writes_for_certain() {
    let scratch = Scratch::new("compare-restored-at");
    let restored = scratch.path().join("restored.db");
    let restored = restored.to_str().unwrap();
    let source = path("m1.db");
    let run = etcdive(["restore", &source, "--at", "12", "--out", restored]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for file in [restored.to_owned(), path("tail-lost.db")] {
        let run = etcdive(["compare", &source, &file]);
        assert_eq!(run.code, 1, "{}", run.text());
        let text = run.text();
        for part in [
            "although its consistent index is not lower",
            "the end of its data was lost, or it was restored as of that revision",
            "equal, but ends at",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("lost these writes"), "{text}");
        assert!(!text.contains("lost writes after"), "{text}");
    }
}

#[test]
fn a_missing_database_is_named_without_a_hint_to_swap_the_words() {
    let m1 = path("m1.db");
    for (words, missing) in [
        (["missing.db", &m1], "missing.db"),
        ([&m1, "missing"], "missing"),
        (["a", "b"], "a"),
    ] {
        let run = etcdive(["compare"].into_iter().chain(words));
        assert_eq!(run.code, 2);
        let expected = format!("etcdive: {missing}: no such file or directory\n");
        assert_eq!(run.stderr, expected, "{words:?}");
    }
}

#[test]
fn a_narrow_terminal_keeps_the_heads_and_the_hashes_apart() {
    let path = |name: &str| {
        let path = testdata("guides/disagree").join(name);
        path.to_str().unwrap().to_owned()
    };
    let mut command = program();
    command.args(["compare", &path("m1.db"), &path("m2.db"), &path("m3.db")]);
    let shown = Terminal::wide(80).run(command);
    let run = without_colours(shown.text());
    let head = run
        .lines()
        .find(|line| line.starts_with("REVISION"))
        .unwrap();
    assert!(head.contains("m1.db and m2.db  "), "{head}");
    assert!(head.trim_end().ends_with("  m3.db"), "{head}");
    for hash in ["ab87d767", "93ef37c6", "bd88ee82"] {
        assert!(run.contains(hash), "{hash}: {run}");
    }
}

#[test]
fn a_revision_that_not_all_have_is_refused_with_one_that_all_have() {
    let hint = |names: &[&str], rev: &str| {
        let run = compare(names, &["--rev", rev]);
        assert_eq!(run.code, 2);
        run.stderr
            .lines()
            .find_map(|line| line.strip_prefix("hint: ").map(str::to_owned))
    };
    let newest = hint(&["m1.db", "tail-lost.db"], "99999");
    assert_eq!(
        newest.as_deref(),
        Some("the newest revision of all databases is `--rev 14`")
    );
    let oldest = hint(&["compacted.db", "compacted.db"], "2");
    assert_eq!(
        oldest.as_deref(),
        Some("the oldest revision of all databases is `--rev 13`")
    );
    for (rev, newest) in [("14", 0), ("15", 2)] {
        assert_eq!(
            compare(&["m1.db", "tail-lost.db"], &["--rev", rev]).code,
            newest
        );
    }
    for rev in ["abc", "0", "-3"] {
        let run = compare(&["m1.db", "m2.db"], &["--rev", rev]);
        assert_eq!(run.code, 2);
        let what = "a revision is a whole number from 1 on";
        assert!(run.stderr.contains(what), "{}", run.stderr);
    }
}
