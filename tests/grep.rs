//! `grep` and the search of `log -S` and `-G`: what a match is, how it is printed, what the flags change.

use std::io::Read as _;
use std::process::Stdio;

use etcdive::k8s::search::{Matcher, pickaxe_g, pickaxe_s};
use serde_json::{Value, json};

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Scratch, etcdive, program};
use crate::verbs::jsonl;

mod compared;
mod naive;
mod secrets;

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
fn history_shows_in_which_revisions_a_line_existed_in_each_life_of_its_key() {
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
        coloured.contains("one \u{1b}[35mneedle\u{1b}[0m\n"),
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
            && place.contains("hint: `-F` "),
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
fn deep_objects_and_unusual_values_are_searched_to_their_ends() {
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
