//! The words of a command line: times, addresses with a revision, flags before the verb, the database from the
//! environment, and what is said of words in the wrong order.
//!
//! Most tests are tables of two lines that must give the same answer; `DB` is the database of a recorded cluster.

use crate::support::{Run, Scratch, program};

mod database;
mod filters;

const DB: &str = "testdata/healthy/k8s/after.db";
const BEFORE: &str = "testdata/healthy/k8s/before.db";

/// The words of a line, with `DB` and `BEFORE` in their places; words in quotes are one word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    for word in &mut words {
        *word = match word.as_str() {
            "DB" => DB.to_owned(),
            "BEFORE" => BEFORE.to_owned(),
            "--db=DB" => format!("--db={DB}"),
            other => other.to_owned(),
        };
    }
    words
}

fn run(line: &str) -> Run {
    program().args(words(line)).output().unwrap().into()
}

/// Runs a line with ETCDIVE_DB set.
fn run_with(db: &str, line: &str) -> Run {
    let mut command = program();
    command.env("ETCDIVE_DB", db).args(words(line));
    command.output().unwrap().into()
}

/// The answer of a line which has one.
#[track_caller]
fn answer(line: &str) -> Vec<u8> {
    let got = run(line);
    assert!(
        !got.stdout.is_empty() && got.code < 2,
        "{line}: exit {}, {} bytes: {}",
        got.code,
        got.stdout.len(),
        got.stderr
    );
    got.stdout
}

/// Whether the lines of each pair give the same answer, and any.
#[track_caller]
fn same_answers(pairs: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (line, same) in pairs {
        let expected = run(same);
        let got = run(line);
        if expected.stdout.is_empty() || expected.code > 1 {
            wrong.push(format!("{same}: no answer: {}", expected.stderr));
        } else if (got.code, &got.stdout) != (expected.code, &expected.stdout) {
            wrong.push(format!(
                "{line}: exit {} with {} bytes, {same}: exit {} with {} bytes; {}",
                got.code,
                got.stdout.len(),
                expected.code,
                expected.stdout.len(),
                got.stderr
            ));
        }
    }
    assert!(
        !pairs.is_empty() && wrong.is_empty(),
        "{}",
        wrong.join("\n")
    );
}

/// Whether each line is refused with exit code 2, no output, and a text that holds all of some parts.
#[track_caller]
fn refused(lines: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (line, parts) in lines {
        let got = run(line);
        let lacks = parts.iter().any(|part| !got.stderr.contains(part));
        if got.code != 2 || !got.stdout.is_empty() || lacks {
            wrong.push(format!("{line}: exit {}: {}", got.code, got.stderr));
        }
    }
    assert!(
        !lines.is_empty() && wrong.is_empty(),
        "{}",
        wrong.join("\n")
    );
}

// Times: the newest time in the store is 2026-11-20T21:16:41Z.

#[test]
fn a_bare_clock_time_is_of_the_newest_day_in_the_store() {
    same_answers(&[
        (
            "get DB pods -n prod --at-time 21:11",
            "get DB pods -n prod --at-time 2026-11-20T21:11:00Z",
        ),
        (
            "get DB pods -n prod --at-time 21:11:00",
            "get DB pods -n prod --at-time 2026-11-20T21:11:00Z",
        ),
        (
            "log DB --since 21:16:30",
            "log DB --since 2026-11-20T21:16:30Z",
        ),
        (
            "log DB --until 21:03:05",
            "log DB --until 2026-11-20T21:03:05Z",
        ),
        (
            "log DB --since 21:11 --until '21:11:30'",
            "log DB --since '2026-11-20 21:11' --until 2026-11-20T21:11:30Z",
        ),
        (
            "recover DB --since 21:11:10 --until 21:11:30 -o name",
            "recover DB --since 2026-11-20T21:11:10Z --until 2026-11-20T21:11:30Z -o name",
        ),
    ]);
    let note = run("get DB pods -A --at-time 21:11 -o name").stderr;
    assert!(note.contains("2026-11-20T21:11:00Z is revision"), "{note}");
}

#[test]
fn a_duration_is_counted_back_from_the_newest_time_with_or_without_ago() {
    same_answers(&[
        ("log DB --since 10m", "log DB --since 2026-11-20T21:06:41Z"),
        ("log DB --since '10m ago'", "log DB --since 10m"),
        ("log DB --since 1h30m", "log DB"),
        ("log DB --since '1d ago'", "log DB"),
        ("ls DB --at-time '5m ago'", "ls DB --at-time 21:11:41"),
    ]);
}

#[test]
fn what_is_neither_a_time_nor_a_duration_is_refused_on_every_flag_that_takes_one() {
    let said: &[&str] = &["is not a time"];
    refused(&[
        ("get DB pods --at-time 21:60", said),
        ("ls DB --at-time 24:00", said),
        ("blame DB ns/default --at-time noon", said),
        ("grep DB web --at-time 21", said),
        ("show DB --at-time -21:11", said),
        ("recover DB --at-time '21:11 ago'", said),
        ("extract DB --at-time 21:11ago", said),
        ("log DB --since 21:60", said),
        ("log DB --until 24:00", said),
        ("recover DB --since 21:60", said),
        ("recover DB --until 21:60", said),
        ("diff DB --since 21:60", said),
        ("diff DB --until 21:60", said),
        ("watch DB --since 21:60", said),
        ("watch DB --until 21:60", said),
        ("grep DB web --history --since 21:60", said),
        ("grep DB web --history --until 21:60", said),
    ]);
}

#[test]
fn every_verb_that_has_a_revision_or_a_range_takes_times_too() {
    same_answers(&[
        (
            "diff DB --since 21:11:00 --until 21:12:00 pods --name-only",
            "diff DB 2015..2372 pods --name-only",
        ),
        (
            "diff DB --until 21:11 --name-only",
            "diff DB ..2032 --name-only",
        ),
        (
            "diff DB --since 21:11 --name-only",
            "diff DB 2015.. --name-only",
        ),
        (
            "recover DB --at-time 21:11 -o name",
            "recover DB --at 2032 -o name",
        ),
        ("extract DB --at-time 21:11", "extract DB -r 2032"),
        (
            "extract DB -k /registry/namespaces/shop --at-time 21:11",
            "extract DB -k /registry/namespaces/shop -r 2032",
        ),
        ("show DB ns/shop --at-time 21:11", "show DB ns/shop@2032"),
        ("show DB ns/shop --at 2177", "show DB ns/shop@2177"),
        ("show DB ns/shop --at v1", "show DB ns/shop@v1"),
        ("show DB --at 2177", "show DB 2177"),
        ("watch DB pods --since 21:11", "watch DB pods --rev 2016"),
        ("watch DB pods --until 21:11", "watch DB pods --to 2032"),
        (
            "grep DB -F cart-1 --history --until 21:11",
            "grep DB -F cart-1 --history --at 2032",
        ),
    ]);
    since_and_until_include_their_seconds();
    refused(&[
        ("diff DB 5..9 --since 21:11", &["--since"]),
        ("diff BEFORE DB --since 21:11", &["--since"]),
        ("recover DB --at 9 --at-time 21:11", &["--at-time"]),
        ("extract DB -r 9 --at-time 21:11", &["--at-time"]),
        ("show DB 5 --at 9", &["--at"]),
        ("watch DB --rev 9 --since 21:11", &["--since"]),
        ("grep DB x --since 21:11", &["--history"]),
    ]);
}

/// The same period on several verbs: each answers about the same revisions.
fn since_and_until_include_their_seconds() {
    use std::collections::BTreeMap;
    let period = "--since 21:11:12 --until 21:11:12";
    let rows = |line: String| {
        let text = String::from_utf8(answer(&line)).unwrap();
        let rows = text.lines().map(|row| serde_json::from_str(row).unwrap());
        rows.collect::<Vec<serde_json::Value>>()
    };
    // What the first and the last event of each key in the period did.
    let mut events: BTreeMap<String, (String, String)> = BTreeMap::new();
    let log = rows(format!("log DB {period} --reverse -o jsonl"));
    for row in &log {
        let kind = row["type"].as_str().unwrap().to_owned();
        let key = row["key"].as_str().unwrap().to_owned();
        let entry = events.entry(key).or_insert((kind.clone(), kind.clone()));
        entry.1 = kind;
    }
    let frozen = "/registry/configmaps/prod/frozen";
    assert!(events.contains_key(frozen), "{events:?}");
    let changed = events.iter().filter(|(_, (first, last))| {
        // A key that was created and deleted in the period is in neither state.
        !(first == "create" && last == "delete")
    });
    let changed: Vec<String> = changed.map(|(key, _)| key.clone()).collect();
    let diff = rows(format!("diff DB {period} -o jsonl"));
    let mut differing: Vec<String> = diff
        .iter()
        .map(|row| row["key"].as_str().unwrap().to_owned())
        .collect();
    differing.sort();
    assert_eq!(differing, changed);
    let watched = rows(format!("watch DB {period} -o jsonl"));
    let main = |row: &serde_json::Value| row["main"].as_i64().unwrap();
    assert_eq!(watched.len(), log.len());
    assert_eq!(main(&watched[0]), main(&log[0]));
    let deleted = rows(format!("recover DB {period} -o jsonl"));
    assert!(
        deleted.iter().any(|row| row["key"] == frozen),
        "{deleted:?}"
    );
}

#[test]
fn a_line_that_was_removed_before_the_time_is_not_in_a_history_since_then() {
    let all = run("grep DB -F cart-1-5c95798d87-9w2ws --history -k")
        .text()
        .to_owned();
    let since = run("grep DB -F cart-1-5c95798d87-9w2ws --history -k --since 21:16")
        .text()
        .to_owned();
    let known: Vec<&str> = all.lines().collect();
    assert!(!known.is_empty() && since.lines().all(|line| known.contains(&line)));
    assert!(
        !since.contains("/registry/pods/shop/cart-1"),
        "the pod was deleted: {since}"
    );
}

// Before the verb.

#[test]
fn an_address_with_a_revision_is_the_address_as_of_then() {
    same_answers(&[
        ("get DB ns/shop@2177", "get DB ns/shop --at 2177"),
        ("get DB ns shop@2177", "get DB ns/shop --at 2177"),
        ("get DB pods@2177 -n shop", "get DB pods -n shop --at 2177"),
        ("get DB pods@@~5 -n prod", "get DB pods -n prod --at @~5"),
        ("get DB pods@@ -n prod", "get DB pods -n prod"),
        (
            "get DB ns/shop@v1 -o yaml",
            "get DB ns/shop --at v1 -o yaml",
        ),
        (
            "get DB /registry/namespaces/shop@2177",
            "get DB /registry/namespaces/shop --at 2177",
        ),
        (
            "get DB pods@2177 ns/shop@2177 -n shop",
            "get DB pods ns/shop -n shop --at 2177",
        ),
        (
            "get DB pods@2177 -n shop --at 2177",
            "get DB pods -n shop --at 2177",
        ),
        ("ls DB pods@2177 -n shop", "ls DB pods -n shop --at 2177"),
        (
            "ls DB pods@2177 -n shop --modified-since 1000",
            "ls DB pods -n shop --at 2177 --modified-since 1000",
        ),
        ("log DB ns/shop@2300", "log DB ns/shop ..2300"),
        ("blame DB ns/shop@2177", "blame DB ns/shop --at 2177"),
        ("grep DB cart pods@2177", "grep DB cart pods --at 2177"),
        (
            "grep DB -e cart pods@2177",
            "grep DB -e cart pods --at 2177",
        ),
        (
            "recover DB pods@2177 -n shop -o name --controlled",
            "recover DB pods -n shop --at 2177 -o name --controlled",
        ),
        (
            "extract DB -k /registry/namespaces/shop@2177",
            "extract DB -k /registry/namespaces/shop -r 2177",
        ),
        ("diff DB pods@2177 -n shop", "diff DB 2177.. pods -n shop"),
        ("diff DB ns/shop@v1 ns/shop@v2", "diff DB v1..v2 ns/shop"),
        ("watch DB pods@2177", "watch DB pods --rev 2177"),
        ("show DB ns/shop@v1", "show DB ns/shop --at v1"),
    ]);
    refused(&[
        ("get DB pods@2177 --at 2178", &["2177", "--at"]),
        ("get DB pods@2177 ns/shop@2178", &["2177", "2178"]),
        ("get DB pods@2177 --at-time 21:11", &["2177", "--at-time"]),
        ("log DB pods@2177 2000..2100", &["2177"]),
        ("recover DB pods@2177 --at 9", &["2177"]),
        ("watch DB pods@2177 --rev 9", &["2177"]),
        ("show DB ns/shop@v1 --at v2", &["v1"]),
    ]);
}

#[test]
fn a_key_with_an_at_sign_that_exists_as_it_is_wins() {
    use crate::support::synth::etcd::{Store, Version};
    let mut store = Store::new(Version::V3_6);
    store.put("/mail/a", "old");
    store.put("/mail/a@3", "as it is");
    store.put("/mail/a", "new");
    let scratch = Scratch::new("words-at");
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    let run = |words: &[&str]| -> Run { program().args(words).output().unwrap().into() };
    let first = ["/mail/a@2", "/mail/a@3"].map(|address| run(&["ls", db, address]));
    assert_eq!(first[0].text(), "/mail/a\n", "{}", first[0].stderr);
    assert_eq!(first[1].text(), "/mail/a@3\n", "{}", first[1].stderr);
    for line in [["get", db, "/mail/a@3"], ["show", db, "/mail/a@3"]] {
        let got = run(&line);
        assert_eq!(got.code, 0, "{line:?}: {}", got.stderr);
        assert!(
            got.text().contains("a@3") || got.text().contains("as it is"),
            "{line:?}: {}",
            got.text()
        );
    }
    let extracted = run(&["extract", db, "--raw", "-k", "/mail/a@3"]);
    assert_eq!(
        extracted.text().trim_end(),
        "as it is",
        "{}",
        extracted.stderr
    );
}

// Lists of namespaces, and globs.

#[test]
fn several_namespaces_and_globs_of_names_select_what_their_parts_do() {
    let sorted = |line: &str| {
        let mut lines: Vec<String> = String::from_utf8(answer(line))
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    let together = |parts: &[&str]| {
        let mut lines: Vec<String> = parts.iter().flat_map(|line| sorted(line)).collect();
        lines.sort();
        lines
    };
    for (line, parts) in [
        (
            "ls DB pods -n dev,prod",
            &["ls DB pods -n dev", "ls DB pods -n prod"][..],
        ),
        (
            "ls DB pods -n dev -n prod",
            &["ls DB pods -n dev", "ls DB pods -n prod"],
        ),
        ("ls DB -n dev,prod", &["ls DB -n dev", "ls DB -n prod"]),
        (
            "ls DB -n 'kube-*'",
            &[
                "ls DB -n kube-system",
                "ls DB -n kube-public",
                "ls DB -n kube-node-lease",
            ],
        ),
        (
            "ls DB cm -n 'kube-*'",
            &[
                "ls DB cm -n kube-system",
                "ls DB cm -n kube-public",
                "ls DB cm -n kube-node-lease",
            ],
        ),
        (
            "ls DB pods 'web-*'",
            &["ls DB pods web-5dfb8fd985-4z2zt web-5dfb8fd985-76kv5"],
        ),
        (
            "ls DB 'pods/web-*'",
            &["ls DB pods web-5dfb8fd985-4z2zt web-5dfb8fd985-76kv5"],
        ),
        ("ls DB pods 'db-?'", &["ls DB pods db-1"]),
        (
            "ls DB pods 'web-*' db-1",
            &["ls DB pods 'web-*'", "ls DB pods db-1"],
        ),
        ("ls DB pods '*' -n dev", &["ls DB pods -n dev"]),
        (
            "get DB pods 'web-*' -n 'p*' -o name",
            &["get DB pods web-5dfb8fd985-4z2zt web-5dfb8fd985-76kv5 -n prod -o name"],
        ),
        (
            "grep DB -F cart pods 'cart-*' --name-only --at 2177",
            &["grep DB -F cart pods --name-only --at 2177 -n shop"],
        ),
    ] {
        assert_eq!(sorted(line), together(parts), "{line}");
    }
    same_answers(&[
        ("log DB -n 3 -n prod", "log DB -n prod --limit 3"),
        ("log DB -n prod -n 3", "log DB -n prod --limit 3"),
        ("log DB -n3 -nprod", "log DB -n prod --limit 3"),
        (
            "log DB pods -n dev,prod --until 21:11",
            "log DB pods -n dev -n prod --until 21:11",
        ),
        (
            "diff DB 2177.. 'pods/cart-*' --name-only",
            "diff DB 2177.. pods 'cart-*' --name-only",
        ),
    ]);
    // A glob may name several, and a verb that needs one says so.
    refused(&[("blame DB 'pods/web-*'", &["2"])]);
    assert_eq!(run("ls DB pods 'nosuch-*'").code, 1);
}

#[test]
fn a_range_and_addresses_come_in_either_order() {
    same_answers(&[
        ("diff DB pods 2177..2435", "diff DB 2177..2435 pods"),
        (
            "diff DB pods,events ns/shop 2177..2435",
            "diff DB 2177..2435 pods,events ns/shop",
        ),
        (
            "diff DB pods 2177..2435 ns/shop",
            "diff DB 2177..2435 pods ns/shop",
        ),
        (
            "diff DB pod/db-1 -n prod v1..",
            "diff DB v1.. pod/db-1 -n prod",
        ),
        ("log DB 2177..2435 pods", "log DB pods 2177..2435"),
    ]);
    refused(&[
        ("diff DB pods", &["pods"]),
        ("diff DB 1..2 3..4", &["range"]),
    ]);
}

// Leaving out.

/// The rows of `-o jsonl`.
fn rows(line: &str) -> Vec<serde_json::Value> {
    let answer = answer(line);
    let text = std::str::from_utf8(&answer).unwrap();
    text.lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect()
}

/// The keys in the rows of `-o jsonl`.
fn keys(line: &str) -> Vec<String> {
    let key = |row: &serde_json::Value| row["key"].as_str().map(str::to_owned);
    rows(line).iter().filter_map(key).collect()
}

/// Lines that are refused, each with the line that was meant.
const MEANT: [(&str, &str); 28] = [
    ("get pods DB", "get DB pods"),
    ("get pods DB -n prod", "get DB pods -n prod"),
    ("-n prod get pods DB", "-n prod get DB pods"),
    ("DB get pods", "get DB pods"),
    ("DB get pods -n prod", "get DB pods -n prod"),
    ("DB log ns/shop -p", "log DB ns/shop -p"),
    ("DB", "status DB"),
    ("DB pods", "get DB pods"),
    ("grep 'a b' DB", "grep DB 'a b'"),
    ("log pods --limit 3 DB", "log DB pods --limit 3"),
    ("diff 5..9 DB", "diff DB 5..9"),
    ("diff pods BEFORE DB", "diff BEFORE DB pods"),
    ("check DB", "fsck DB"),
    ("undelete DB ns/shop", "recover DB ns/shop"),
    ("restore-objects DB -n shop", "recover DB -n shop"),
    ("search DB web", "grep DB web"),
    ("search web DB", "grep DB web"),
    ("find DB web", "grep DB web"),
    ("history DB ns/shop", "log DB ns/shop"),
    ("cat DB ns/shop", "get DB ns/shop -o yaml"),
    ("cat ns/shop DB", "get DB ns/shop -o yaml"),
    ("dump DB", "get DB / -o yaml"),
    ("-n shop undelete DB", "-n shop recover DB"),
    ("snapshot status DB", "status DB"),
    ("kubectl get pods DB", "get DB pods"),
    ("get pods", "get DB pods"),
    ("get pod/web-1 -n shop", "get DB pod/web-1 -n shop"),
    ("--db DB undelete pods", "--db DB recover pods"),
];

#[test]
fn the_hint_for_words_in_the_wrong_order_is_the_right_line() {
    let mut wrong = Vec::new();
    for (line, meant) in MEANT {
        let got = run(line);
        let names_one = words(line).iter().any(|word| word == DB);
        let meant = if names_one {
            meant.replace("DB", DB).replace("BEFORE", BEFORE)
        } else {
            meant.to_owned()
        };
        let hint = format!("hint: `etcdive {meant}`\n");
        if got.code != 2 || !got.stdout.is_empty() || !got.stderr.ends_with(&hint) {
            let (code, said) = (got.code, got.stderr);
            wrong.push(format!("{line}: exit {code}: {said}expected {hint}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_line_of_a_hint_runs_as_it_is() {
    for line in [
        "get pods DB -n prod",
        "DB get pods -n prod",
        "history DB ns/shop",
        "search web DB",
        "check DB",
    ] {
        let said = run(line).stderr;
        let hint = said.split("hint: `etcdive ").nth(1).unwrap().trim_end();
        let hint = hint.strip_suffix('`').unwrap();
        assert_eq!(run(hint).code, 0, "{hint}");
    }
}
