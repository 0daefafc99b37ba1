//! What each flag of `log` and `show` does, and what they say where there is nothing to say.

use serde_json::Value;

use crate::support::synth::etcd::{Store, Version, delete, put};
use crate::support::{Run, Scratch, etcdive, etcdive_line};
use crate::verbs::{AFTER, TALK, jsonl, ok};

const CONFIG: &str = "configmaps/app-config -n prod";
const CONFIG_KEY: &str = "/registry/configmaps/prod/app-config";

/// The revisions that a run of `log --oneline` lists.
#[track_caller]
fn mains(line: &str) -> Vec<i64> {
    let run = ok(&format!("log {AFTER} {line} --oneline"));
    let first = |line: &str| line.split_once('.').unwrap().0.parse().unwrap();
    run.text().lines().map(first).collect()
}

#[track_caller]
fn refused(run: &Run, code: i32, sentence: &str) {
    assert_eq!((run.code, run.stdout.len()), (code, 0), "{}", run.stderr);
    assert!(run.stderr.contains(sentence), "{}", run.stderr);
}

fn object(kind: &str, name: &str, rest: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"{kind}","metadata":{{"name":"{name}","namespace":"a","labels":{{"app":"{name}"}}}},{rest}}}"#
    )
}

/// Runs on a store of transactions: a secret and a config map that change, and a key that is no object.
fn on_made(name: &str, lines: &[&str]) -> Vec<Run> {
    let secret = |data: &str| object("Secret", "s", &format!(r#""data":{{"password":"{data}"}}"#));
    let config = |data: &str| object("ConfigMap", "c", &format!(r#""data":{{{data}}}"#));
    let (s, c) = ("/registry/secrets/a/s", "/registry/configmaps/a/c");
    let mut store = Store::new(Version::V3_6);
    store.txn(&[
        put(s, secret("aHVudGVyMg==")),
        put(c, config(r#""x":"1","y":"1""#)),
    ]);
    store.put(c, config(r#""x":"2","z":"needle needle""#));
    store.txn(&[put(s, secret("Y29ycmVjdA==")), put("plain", "first")]);
    store.txn(&[put("plain", "second"), delete(s)]);
    let scratch = Scratch::new(name);
    let path = scratch.file("made.db", &store.builder().build().bytes);
    let run = |line: &&str| {
        let words = line.split_whitespace().map(|word| match word {
            "DB" => path.to_str().unwrap().to_owned(),
            word => word.to_owned(),
        });
        etcdive(words)
    };
    lines.iter().map(run).collect()
}

#[test]
fn oneline_is_one_line_an_event_newest_first_and_reverse_turns_it() {
    let run = ok(&format!("log {AFTER} {CONFIG} --oneline"));
    let lines: Vec<&str> = run.text().lines().collect();
    assert_eq!(lines[0], format!("2197.0 update {CONFIG_KEY}  (frank)"));
    assert_eq!(lines[6], format!("1675.0 update {CONFIG_KEY}"));
    assert_eq!(lines[8], format!("506.0 create {CONFIG_KEY}  (alice)"));
    let newest_first = [2197, 2196, 1821, 1792, 1752, 1711, 1675, 1667, 506];
    assert_eq!(mains(CONFIG), newest_first);
    let mut turned = newest_first;
    turned.reverse();
    assert_eq!(mains(&format!("{CONFIG} --reverse")), turned);
}

#[test]
fn limit_and_gits_n_take_the_newest_before_they_are_turned() {
    assert_eq!(mains(&format!("{CONFIG} --limit 2")), [2197, 2196]);
    assert_eq!(
        mains(&format!("{CONFIG} --limit 2 --reverse")),
        [2196, 2197]
    );
    assert_eq!(mains(&format!("{CONFIG} --max-count 1")), [2197]);
    assert_eq!(mains(&format!("{CONFIG_KEY} -n 3")), [2197, 2196, 1821]);
    assert_eq!(mains("-n 2"), [3129, 3128]);
    // More than there are is all of them.
    assert_eq!(mains(&format!("{CONFIG} --limit 99")).len(), 9);
}

#[test]
fn op_selects_by_what_an_event_did() {
    let count = |op: &str| mains(&format!("/registry/configmaps/prod/ --op {op}")).len();
    let rows = jsonl(&ok(&format!(
        "log {AFTER} /registry/configmaps/prod/ -o jsonl"
    )));
    let of = |what: &str| rows.iter().filter(|row| row["type"] == what).count();
    let (create, update, delete) = (of("create"), of("update"), of("delete"));
    assert!(create > 1 && update > 1 && delete > 0);
    assert_eq!(
        ["create", "update", "delete"].map(count),
        [create, update, delete]
    );
    assert_eq!(count("put"), create + update);
    assert_eq!(count("create,delete"), create + delete);
    assert_eq!(count("create --op update"), create + update);
    assert_eq!(etcdive_line(&format!("log {AFTER} --op patch")).code, 2);
}

#[test]
fn stat_counts_the_fields_that_each_event_changed() {
    let run = ok(&format!("log {AFTER} {CONFIG} --stat --limit 2"));
    let lines: Vec<&str> = run.text().lines().collect();
    assert_eq!(lines.len(), 5, "{}", run.text());
    assert!(lines[0].starts_with("REVISION") && lines[1].contains("2197.0"));
    assert_eq!(lines[2], "    2 added, 0 changed, 0 removed");
    assert_eq!(lines[4], "    1 added, 1 changed, 1 removed");
    // A first put is no change of fields.
    let first = ok(&format!("log {AFTER} {CONFIG} --stat --op create"));
    assert_eq!(first.text().lines().count(), 2);
}

#[test]
fn patch_shows_the_changed_fields_and_masks_secrets_unless_asked() {
    let run = ok(&format!("log {AFTER} {CONFIG} -p 2195..2196 --oneline"));
    let expected = format!(
        "2196.0 update {CONFIG_KEY}  (kubectl-edit)\n  - data.counter: \"5\"\n    data.mode: \"mode-5\" -> \"after\"\n  + data.new: \"1\"\n"
    );
    assert_eq!(run.text(), expected);
    let made = on_made(
        "log-patch",
        &[
            "log DB -p",
            "log DB --patch --show-secrets",
            "show DB 4",
            "show DB 4 -o jsonl",
            "show DB 4 --show-secrets",
            "show DB secrets/s@created -n a",
            "show DB secrets/s@created -n a --show-secrets",
        ],
    );
    for (index, run) in made.iter().enumerate() {
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{index}");
        let shows = ["aHVudGVyMg", "hunter2", "Y29ycmVjdA"]
            .iter()
            .any(|secret| run.text().contains(secret));
        let is_asked = [1, 4, 6].contains(&index);
        assert_eq!(shows, is_asked, "{index}: {}", run.text());
        assert_eq!(run.text().contains("<masked #1"), !is_asked, "{index}");
    }
    assert!(
        made[0]
            .text()
            .contains("data.password: <masked #1, 7 bytes> -> <masked #2, 7 bytes>"),
        "{}",
        made[0].text()
    );
}

#[test]
fn patch_says_where_the_version_before_is_compacted() {
    let mut store = Store::new(Version::V3_6);
    for value in 0..4 {
        store.put("k", value.to_string());
    }
    store.compact(3);
    let scratch = Scratch::new("log-patch-compacted");
    let path = scratch.file("db", &store.builder().build().bytes);
    for words in [["log", "-p"], ["show", "3"]] {
        let run = etcdive([words[0], path.to_str().unwrap(), words[1]]);
        let said = run
            .text()
            .matches("(previous version is compacted; what changed is unknown)");
        assert_eq!((run.code, said.count()), (0, 1), "{}", run.text());
    }
    let show = etcdive(["show", path.to_str().unwrap(), "k@v9"]);
    refused(
        &show,
        1,
        "k: no version 9 is retained\nhint: 3 events are retained, revisions 3 to 5\n",
    );
}

#[test]
fn by_txn_groups_the_events_of_a_revision() {
    let made = on_made(
        "log-txn",
        &["log DB --by-txn", "log DB --by-txn --op delete"],
    );
    assert_eq!(
        made[0].text(),
        "revision 5  -  2 keys\n    5.1 delete /registry/secrets/a/s\n    5.0 update plain\n\n\
         revision 4  -  2 keys\n    4.1 create plain\n    4.0 update /registry/secrets/a/s\n\n\
         revision 3  -  1 key\n    3.0 update /registry/configmaps/a/c\n\n\
         revision 2  -  2 keys\n    2.1 create /registry/configmaps/a/c\n    2.0 create /registry/secrets/a/s\n"
    );
    assert_eq!(
        made[1].text(),
        "revision 5  -  1 key\n    5.1 delete /registry/secrets/a/s\n"
    );
}

#[test]
fn s_finds_where_a_text_came_or_went_and_g_where_a_matching_line_changed() {
    assert_eq!(mains(&format!("{CONFIG} -S mode-5")), [2196, 1792]);
    assert_eq!(mains(&format!("{CONFIG} -G mode-[45]")), [2196, 1792, 1752]);
    assert_eq!(
        mains(&format!(
            "{CONFIG} -G mode-[45] --limit 1 -S mode-5 1000..2000"
        )),
        [1792]
    );
    let made = on_made(
        "log-pickaxe",
        &[
            "log DB -S needle --oneline",
            "log DB -S first --oneline",
            "log DB -G ^sec --oneline",
            "log DB -S hunter2 --oneline",
        ],
    );
    let lines = |index: usize| made[index].text().lines().collect::<Vec<_>>();
    assert_eq!(lines(0), ["3.0 update /registry/configmaps/a/c"]);
    assert_eq!(lines(1), ["5.0 update plain", "4.1 create plain"]);
    assert_eq!(lines(2), ["5.0 update plain"]);
    // Secrets are searched as what their base64 means, and not shown.
    assert_eq!(
        lines(3),
        [
            "4.0 update /registry/secrets/a/s",
            "2.0 create /registry/secrets/a/s"
        ]
    );
}

#[test]
fn since_and_until_go_by_the_times_of_the_revisions() {
    let at = "2026-11-20T21:09:58Z";
    assert_eq!(
        mains(&format!("{CONFIG} --since {at}")),
        [2197, 2196, 1821, 1792]
    );
    assert_eq!(
        mains(&format!("{CONFIG} --until {at}")),
        [1792, 1752, 1711, 1675, 1667, 506]
    );
    assert_eq!(
        mains(&format!("{CONFIG} --since {at} --until {at}")),
        [1792]
    );
    // A length of time counts back from the newest time of the store: 21:16:41.
    assert_eq!(mains(&format!("{CONFIG} --since 6m")), [2197, 2196]);
    refused(
        &etcdive_line(&format!("log {AFTER} --since soon")),
        2,
        "soon",
    );
    refused(
        &etcdive_line(&format!("log {TALK} --since 10m")),
        2,
        "no time is known: etcd does not store times",
    );
}

#[test]
fn values_are_what_each_event_wrote_exactly_and_nothing_is_masked() {
    let made = on_made(
        "log-values",
        &[
            "log DB plain --values",
            "log DB plain --values -o jsonl",
            "log DB secrets/s -n a --values -o json",
            "log DB secrets/s -n a --values --op create",
            "log DB plain -o jsonl",
        ],
    );
    let lines: Vec<&str> = made[0].text().lines().collect();
    assert_eq!(
        (lines.len(), lines[2], lines[4]),
        (5, "    second", "    first")
    );
    let rows = jsonl(&made[1]);
    assert_eq!(
        [&rows[0]["value"], &rows[1]["value"]],
        [&Value::from("second"), &Value::from("first")]
    );
    let rows: Value = serde_json::from_slice(&made[2].stdout).unwrap();
    let password = |row: &Value| row["object"]["data"]["password"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    assert!(rows[0]["type"] == "delete" && rows[0].get("object").is_none());
    assert_eq!(
        (password(&rows[1]), password(&rows[2])),
        ("Y29ycmVjdA==".into(), "aHVudGVyMg==".into())
    );
    assert!(made[3].text().contains("\n      password: aHVudGVyMg==\n"));
    assert!(!made[4].text().contains("\"value\""));
}

#[test]
fn why_time_names_the_objects_on_which_a_time_rests() {
    let run = ok(&format!("log {AFTER} {CONFIG} --why-time 1667..1711"));
    let lines: Vec<&str> = run.text().lines().collect();
    assert_eq!(lines.len(), 8, "{}", run.text());
    assert_eq!(lines[2], "    revision 1711: 2026-11-20T21:09:53Z");
    assert_eq!(
        lines[3],
        format!(
            "      at 2026-11-20T21:09:53Z: managedFields time of kubectl-edit 2026-11-20T21:09:53Z in {CONFIG_KEY} at revision 1711"
        )
    );
    assert_eq!(
        lines[5],
        "    revision 1675: 2026-11-20T21:09:50Z..21:09:52Z"
    );
    assert!(
        lines[6].starts_with("      not before 2026-11-20T21:09:50Z: ")
            && lines[7].starts_with("      not after 2026-11-20T21:09:52Z: "),
        "{}",
        run.text()
    );
}

#[test]
fn labels_select_by_the_version_before_or_after() {
    let made = on_made(
        "log-labels",
        &[
            "log DB -l app=s --oneline",
            "log DB secrets -A -l app=c",
            "log DB -l app=",
        ],
    );
    let lines: Vec<&str> = made[0].text().lines().collect();
    assert_eq!(
        lines,
        [
            "5.1 delete /registry/secrets/a/s",
            "4.0 update /registry/secrets/a/s",
            "2.0 create /registry/secrets/a/s"
        ]
    );
    refused(&made[1], 1, "none of 3 candidates matches -l");
    assert_eq!(made[2].code, 1, "{}", made[2].stderr);
}

#[test]
fn log_says_what_it_did_not_find_and_what_it_did_not_understand() {
    let log = |rest: &str| etcdive_line(&format!("log {AFTER} {rest}"));
    refused(
        &log("-S nowhereatall"),
        1,
        "none of 3128 candidates matches -S",
    );
    refused(
        &log(&format!("{CONFIG} --op delete")),
        1,
        "none of 9 candidates matches --op",
    );
    refused(
        &log("--limit 0"),
        1,
        "none of 3128 candidates matches --limit",
    );
    refused(&log("-G ("), 2, "etcdive: -G: ");
    refused(&log("9..3"), 2, "the range is reversed: 9 is after 3");
    refused(
        &log("9..99999"),
        2,
        "required revision is a future revision: 99999 is above the store's revision 3129",
    );
    refused(&log("v1..v2"), 2, "are revisions of one object");
    refused(
        &etcdive_line(&format!("restore {AFTER} --out never-written.db --at v3")),
        2,
        "are revisions of one object\nhint: revisions of the store are 123, @, @~5",
    );
    refused(
        &log(&format!("{CONFIG} v1..v99")),
        1,
        "no version 99 is retained\nhint: 9 events are retained, revisions 506 to 2197",
    );
    refused(&log("pods/nobody -n prod"), 1, "nobody");
    for two in [
        "--oneline -o json",
        "-p -o jsonl",
        "--stat -o json",
        "--by-txn -o json",
    ] {
        assert_eq!(log(two).code, 2, "{two}");
    }
    let empty = Scratch::new("log-empty");
    let store = Store::new(Version::V3_6);
    let path = empty.file("db", &store.builder().build().bytes);
    refused(
        &etcdive(["log", path.to_str().unwrap()]),
        1,
        "no events are retained",
    );
}

#[test]
fn show_prints_a_transaction_change_by_change() {
    let made = on_made(
        "show-text",
        &[
            "show DB 5",
            "show DB 4.1",
            "show DB 3",
            "show DB @~2 -o json",
            "show DB plain@~1",
            "show DB secrets/s@deleted -n a",
        ],
    );
    assert_eq!(
        made[0].text(),
        "revision 5  -  2 keys\n~ plain  (mod 4 -> 5, version 1 -> 2)\n    (the whole object): \"first\" -> \"second\"\n- /registry/secrets/a/s  deleted at 5  (was mod 4, version 2)\n"
    );
    assert!(
        made[1].text().starts_with("revision 4  -  1 key\n")
            && made[1].text().contains("\n+first\n"),
        "{}",
        made[1].text()
    );
    assert!(
        made[2].text().contains(
            "~ /registry/configmaps/a/c  (mod 2 -> 3, version 1 -> 2)\n    data.x: \"1\" -> \"2\"\n"
        ),
        "{}",
        made[2].text()
    );
    let array: Value = serde_json::from_slice(&made[3].stdout).unwrap();
    let paths = array[0]["fields"].as_array().unwrap().iter();
    let paths: Vec<String> = paths.map(|field| field["path"].to_string()).collect();
    assert_eq!(array.as_array().unwrap().len(), 1);
    assert_eq!(paths.len(), 3, "{paths:?}");
    assert_eq!(
        made[4].text(),
        "# plain  revision 4.1  create  -\n# version 1, created at 4\nfirst\n"
    );
    assert_eq!(
        made[5].text(),
        "# /registry/secrets/a/s  revision 5.1  delete  -\n"
    );
}

#[test]
fn show_can_leave_out_status_and_show_managed_fields() {
    let web = "show testdata/healthy/k8s/after.db deployments/web -n prod";
    let plain = ok(&format!("{web} --at @"));
    assert!(plain.text().contains("\nstatus:\n") && !plain.text().contains("managedFields"));
    let without = ok(&format!("{web} --exclude-status"));
    assert!(!without.text().contains("\nstatus:\n") && without.text().contains("\nspec:\n"));
    let managed = ok(&format!("{web} --show-managed-fields"));
    assert!(managed.text().contains("\n  managedFields:\n"));
}

#[test]
fn show_says_what_is_not_there() {
    let show = |rest: &str| etcdive_line(&format!("show {rest}"));
    refused(
        &show(&format!("{TALK} 1")),
        1,
        "nothing is retained of revision 1\n",
    );
    refused(
        &show(&format!("{TALK} 4.1")),
        1,
        "nothing is retained of revision 4.1\n",
    );
    refused(
        &show(&format!("{TALK} 7")),
        2,
        "required revision is a future revision: 7 is above the store's revision 6",
    );
    refused(
        &show(&format!("{TALK} @~99")),
        2,
        "there is no revision before revision 1\nhint: the oldest complete state is `--at 1`",
    );
    refused(
        &show(&format!("{TALK} v3")),
        2,
        "v3, ~1, created and deleted are revisions of one object",
    );
    refused(&show(&format!("{TALK} nope@v1")), 1, "no key nope");
    refused(
        &show(&format!("{TALK} foo1@~9")),
        1,
        "foo1: no event 9 before the newest is retained",
    );
    refused(
        &show(&format!("{TALK} foo2@deleted")),
        1,
        "foo2: no deletion is retained",
    );
    refused(
        &show(&format!("{TALK} foo2@2")),
        1,
        "foo2: no event that old is retained",
    );
    refused(
        &show(&format!("{AFTER} /registry/configmaps/")),
        2,
        "/registry/configmaps/ names 18 keys, and one is needed",
    );
}
