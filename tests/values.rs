//! Values of programs that are not Kubernetes: texts, JSON and bytes as they are, whatever they begin like.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive, read_unpacked, testdata};

/// The store of `testdata/values`: an INI text, a Go template, JSON lines, protobuf that begins like JSON.
fn case(name: &str) -> (Scratch, String) {
    let scratch = Scratch::new(name);
    let image = read_unpacked(&testdata("values/foreign-values.db.gz"));
    let db = scratch.file("db", &image).to_str().unwrap().to_owned();
    (scratch, db)
}

/// Runs a line, in which `DB` is the database.
fn run(db: &str, line: &str) -> Run {
    etcdive(
        line.split(' ')
            .map(|word| if word == "DB" { db } else { word }),
    )
}

/// Runs a line that has to end with a code, and without a word about damage.
fn ends_with(code: i32, db: &str, line: &str) -> String {
    let run = run(db, line);
    assert_eq!(run.code, code, "{line}: {}", run.stderr);
    assert!(!run.stderr.contains("error:"), "{line}: {}", run.stderr);
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(!text.contains("<masked"), "{line}: {text}");
    assert!(!text.contains("undecodable"), "{line}: {text}");
    text
}

/// The files that `recover --out` writes, without the number before and the extension.
fn recovered(db: &str, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let line = format!("recover DB --out {}", folder.display());
    let printed = ends_with(0, db, &line);
    let paths = printed.lines().map(Path::new);
    paths
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = name.strip_suffix(".value").unwrap();
            let (_, name) = name.split_once("-key-").unwrap();
            (name.to_owned(), std::fs::read(path).unwrap())
        })
        .collect()
}

#[test]
fn recover_writes_the_values_of_other_programs_exactly() {
    let (scratch, db) = case("values-recover");
    let files = recovered(&db, &scratch.path().join("rec"));
    assert_eq!(files.len(), 3, "{:?}", files.keys());
    assert_eq!(files["%2Fconf%2Fdb.ini"], b"[db]\nhost=b\nport=1\n");
    assert_eq!(files["%2Fconf%2Fplain"], b"host=a\n");
    let message = &files["meta%2Fwatch%2Fchan-a"];
    assert_eq!(message.len(), 131);
    assert!(message.starts_with(b"\n{"));
    let folder = scratch.path().join("hint");
    let hint = run(&db, &format!("recover DB --out {}", folder.display())).stderr;
    assert!(
        hint.contains("hint: `etcdctl put /conf/db.ini < ")
            || hint.contains("`etcdctl put /conf/plain < "),
        "{hint}"
    );
}

#[test]
fn changes_of_a_text_are_shown_by_line() {
    let (_scratch, db) = case("values-lines");
    for (code, line) in [(0, "log DB -p"), (0, "show DB 6"), (1, "diff DB 5..6")] {
        let text = ends_with(code, &db, line);
        let has = |wanted: &str| text.lines().any(|line| line.trim() == wanted);
        assert!(
            has("-host=a") && has("+host=b") && has("port=1"),
            "{line}: {text}"
        );
    }
    let unified = ends_with(1, &db, "diff DB 5..6 -o unified");
    assert!(
        unified.ends_with("@@ -1,3 +1,3 @@\n [db]\n-host=a\n+host=b\n port=1\n"),
        "{unified}"
    );
    let found = ends_with(0, &db, "grep DB host --history");
    for wanted in [
        "/conf/db.ini  2: host=a  first 5 .. last 5",
        "/conf/db.ini  2: host=b  first 6 .. last 6",
    ] {
        assert!(found.contains(wanted), "{found}");
    }
    let blame = ends_with(0, &db, "blame DB /conf/db.ini --at 6");
    let rows: Vec<Vec<&str>> = blame
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let expected = [
        ["REV", "MANAGER", "TIME", "TEXT"],
        ["5", "-", "-", "[db]"],
        ["6", "-", "-", "host=b"],
        ["5", "-", "-", "port=1"],
    ];
    assert_eq!(rows, expected);
    let extracted = ends_with(0, &db, "extract DB -k /conf/app.tmpl -o json");
    assert_eq!(
        extracted,
        "\"{{range gets \\\"/app/*\\\"}}{{.Value}}{{end}}\\n\"\n"
    );
}

#[test]
fn a_store_without_kubernetes_is_counted_by_prefix() {
    let (_scratch, db) = case("values-prefix");
    assert_eq!(
        ends_with(0, &db, "ls DB --kinds"),
        "PREFIX  KEYS  VALUE BYTES\n/conf/     2           57\nmeta/      2          197\n"
    );
    assert_eq!(
        ends_with(0, &db, "ls DB --kinds -o jsonl"),
        "{\"folder\":\"/conf/\",\"keys\":2,\"value_bytes\":57}\n{\"folder\":\"meta/\",\"keys\":2,\"value_bytes\":197}\n"
    );
    let report = ends_with(0, &db, "analyze DB");
    assert!(report.starts_with("Total keys: 4\n"), "{report}");
    for wanted in [
        "Current (latest revision) storage used by keys: 313\n",
        "Most common prefixes:\n\t2\t/conf/\n\t2\tmeta/\n",
        "Largest keys (byte size sum of all revisions):\n\t99\tmeta/watch/chan-b\n",
    ] {
        assert!(report.contains(wanted), "{report}");
    }
    let mut store = Store::new(Version::V3_6);
    for key in [
        "/apisix/routes/1",
        "/apisix/routes/2",
        "/apisix/upstreams/1",
    ] {
        store.put(key, r#"{"uri":"/a"}"#);
    }
    let scratch = Scratch::new("values-apisix");
    let db = scratch.file("db", &store.builder().build().bytes);
    let text = ends_with(0, db.to_str().unwrap(), "ls DB --kinds -o name");
    assert_eq!(text, "/apisix/routes/\n/apisix/upstreams/\n");
}

/// The lines whose text must not speak of Kubernetes.
const LINES: &[&str] = &[
    "status DB",
    "fsck DB",
    "ls DB",
    "ls DB --kinds",
    "ls DB --namespaces",
    "ls DB nosuch",
    "ls DB pods",
    "ls DB --custom",
    "ls DB -n shop",
    "ls DB --deleted",
    "get DB /",
    "get DB pods",
    "get DB pods -n shop",
    "get DB deploy/web",
    "get DB /nosuch",
    "log DB",
    "log DB -p",
    "log DB pods",
    "log DB --stat",
    "log DB --timeline",
    "log DB --manager m",
    "show DB 6",
    "show DB @",
    "show DB pods/a",
    "diff DB 1..@",
    "diff DB 5..6",
    "blame DB /conf/lines",
    "blame DB pods/x",
    "grep DB host --history",
    "grep DB nothere",
    "recover DB",
    "recover DB --plan",
    "recover DB -o yaml",
    "recover DB -o json",
    "recover DB pods",
    "recover DB -n shop",
    "recover DB --out OUT",
    "analyze DB",
    "checksum DB",
    "watch DB --rev 1",
    "buckets DB",
    "pages DB",
    "extract DB -k /conf/db.ini",
    "extract DB -k /conf/lines",
    "extract DB -k /conf/app.tmpl -o proto",
];

#[test]
fn without_keys_of_kubernetes_no_message_speaks_of_it() {
    let (scratch, db) = case("values-words");
    let out = scratch.path().join("out");
    let mut printed = 0;
    for line in LINES {
        let run = run(&db, &line.replace("OUT", out.to_str().unwrap()));
        let text = String::from_utf8_lossy(&run.stdout).to_lowercase() + &run.stderr.to_lowercase();
        printed += usize::from(!text.is_empty());
        for word in ["kubernetes", "kubectl", "api server"] {
            assert!(!text.contains(word), "{line}: {text}");
        }
    }
    assert!(printed + 3 > LINES.len(), "{printed}");
}

/// A protobuf message as Milvus stores them: field 1 is a text of so many bytes, field 2 bytes.
fn message(first: u8, last: &[u8]) -> Vec<u8> {
    let name = vec![b'c'; usize::from(first)];
    [&[0x0a, first], &name[..], &[0x12, last.len() as u8], last].concat()
}

/// Two versions of values that begin like JSON, YAML, protobuf or CBOR of Kubernetes, and are not.
fn variants() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let text = |name, a: &str, b: &str| (name, bytes(a), bytes(b));
    vec![
        text("ini", "[server]\r\nport=1\r\n", "[server]\r\nport=2\r\n"),
        text("template", "{{ if .A }}a{{ end }}", "{{ if .B }}b{{ end }}"),
        text(
            "json-lines",
            "{\"a\":1}\n{\"a\":2}\n",
            "{\"a\":1}\n{\"a\":3}\n",
        ),
        text("flow", "{a: 1, b: [x]}", "{a: 2, b: [x]}"),
        text("list", "[a, b", "[a, c"),
        text("spacing", "{\"a\": 1}", "{\"a\":1}"),
        text("order", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"),
        text("digits", "{\"a\":1.0}", "{\"a\":1.00}"),
        text("twice", "{\"a\":1,\"a\":2}", "{\"a\":3,\"a\":2}"),
        text("status", "{\"status\":\"a\"}", "{\"status\":\"b\"}"),
        text("kind", "{\"kind\":\"Pod\",", "{\"kind\":\"Pod\",\"a\""),
        text(
            "inner",
            "{\"a\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\"},",
            "[{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}",
        ),
        text("almost", "k8s: yes", "k8s:en"),
        text("yaml", "---\na: 1\n", "---\na: 2\n"),
        (
            "proto-123",
            message(123, b"\x08\xff\x01"),
            message(123, b"\x08\xfe\x01"),
        ),
        ("proto-91", message(91, b"\xff"), message(91, b"\xfe")),
        (
            "not-utf-8",
            b"{\"a\":\"\xff\"}".to_vec(),
            b"{\"a\":\"\xfe\"}".to_vec(),
        ),
        (
            "cbor",
            b"\xd9\xd9\xf7\x9f".to_vec(),
            b"\xd9\xd9\xf7\xa1\x44kind\x43Pod".to_vec(),
        ),
        ("deep", vec![b'['; 4000], vec![b'{'; 4000]),
    ]
}

#[test]
fn a_value_that_only_begins_like_an_object_is_a_text_or_bytes_to_every_verb() {
    for page_size in [512, 4096, 16384] {
        let scratch = Scratch::new(&format!("values-variants-{page_size}"));
        let mut store = Store::new(Version::V3_6);
        let mut ranges = Vec::new();
        for (name, old, new) in variants() {
            store.put(format!("/deleted/{name}"), old.clone());
            store.put(format!("/deleted/{name}"), new.clone());
            let first = store.put(format!("/kept/{name}"), old);
            let second = store.put(format!("/kept/{name}"), new);
            ranges.push(format!("{first}..{second}"));
            store.delete(format!("/deleted/{name}"));
        }
        let image = store.builder().page_size(page_size).build().bytes;
        let db = scratch.file("db", &image).to_str().unwrap().to_owned();
        let files = recovered(&db, &scratch.path().join("rec"));
        assert_eq!(files.len(), variants().len());
        for ((name, _, new), range) in variants().into_iter().zip(ranges) {
            assert_eq!(files[&format!("%2Fdeleted%2F{name}")], new, "{name}");
            let key = format!("/kept/{name}");
            let log = ends_with(0, &db, &format!("log DB {key} -p"));
            assert!(!log.contains("no field differs"), "{name}: {log}");
            let change = ends_with(1, &db, &format!("diff DB {key} {range} -o unified"));
            assert!(
                change.contains("\n+") && change.contains("\n-"),
                "{name}: {change}"
            );
            ends_with(0, &db, &format!("blame DB {key}"));
            ends_with(0, &db, &format!("get DB {key}"));
            ends_with(0, &db, &format!("extract DB -k {key}"));
        }
        ends_with(0, &db, "log DB -p");
        ends_with(1, &db, "diff DB 1..@");
        ends_with(0, &db, "grep DB [a-z{\\[] --history");
        ends_with(0, &db, "fsck DB");
    }
}

/// A store with one key that has two values.
fn of_two(name: &str, key: &str, values: [&[u8]; 2]) -> (Scratch, String) {
    let mut store = Store::new(Version::V3_6);
    for value in values {
        store.put(key, value.to_vec());
    }
    let scratch = Scratch::new(name);
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.to_str().unwrap().to_owned();
    (scratch, db)
}

#[test]
fn a_value_that_breaks_after_the_mark_of_kubernetes_is_damaged() {
    for value in [
        &b"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{"[..],
        b"{\"kind\":\"ConfigMap\",\"data\":{\"a\":\"b\"},\"apiVersion\":\"v1\"}x",
        b"k8s\0\x0a\xff",
        b"\xd9\xd9\xf7\xa2\x44kind\x43Pod\x01\x4aapiVersion\x42v1",
    ] {
        let (_scratch, db) = of_two("values-marked", "/a/b", [b"{}", value]);
        let run = run(&db, "log DB -p");
        assert_eq!(run.code, 3, "{}: {}", value.escape_ascii(), run.stderr);
        assert!(run.stderr.contains("value-undecodable"), "{}", run.stderr);
    }
}

#[test]
fn what_could_be_a_broken_secret_by_its_key_is_masked() {
    for value in [
        &b"{\"data\":{\"password\":\"aHVudGVyMg==\""[..],
        b"[hunter2]\naHVudGVyMg==\n",
        b"\n{\xffaHVudGVyMg==",
    ] {
        let (_scratch, db) = of_two(
            "values-secret",
            "/registry/secrets/a/b",
            [b"aHVudGVyMg==", value],
        );
        for line in [
            "log DB -p",
            "show DB @",
            "diff DB 2..3",
            "diff DB 2..3 -o unified",
            "blame DB key:/registry/secrets/a/b",
            "grep DB aHVudGVyMg --history",
        ] {
            let run = run(&db, line);
            let text = String::from_utf8_lossy(&run.stdout).into_owned() + &run.stderr;
            assert!(text.contains("<masked #"), "{line}: {text}");
            assert!(
                !text.contains("hunter2") && !text.contains("aHVudGVyMg=="),
                "{line}: {text}"
            );
        }
    }
}

#[test]
fn lines_that_changed_places_are_blamed_on_the_change() {
    let (_scratch, db) = of_two(
        "values-moved",
        "/a",
        [b"one\ntwo\nthree\n", b"two\none\nthree\nfour"],
    );
    let blame = ends_with(0, &db, "blame DB /a -o jsonl");
    let rows: Vec<serde_json::Value> = blame
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let text: Vec<_> = rows
        .iter()
        .map(|row| row["text"].as_str().unwrap())
        .collect();
    assert_eq!(text, ["two", "one", "three", "four"]);
    let revisions: Vec<_> = rows
        .iter()
        .map(|row| row["revision"].as_i64().unwrap())
        .collect();
    assert_eq!(
        revisions.iter().filter(|revision| **revision == 3).count(),
        2,
        "{revisions:?}"
    );
    assert_eq!((revisions[2], revisions[3]), (2, 3));
    let (_scratch, db) = of_two(
        "values-tree",
        "/a",
        [b"{\"a\":1,\"b\":[1,2]}", b"{\"a\":2,\"b\":[1,2]}"],
    );
    let blame = ends_with(0, &db, "blame DB /a");
    assert!(
        blame.contains("3  -        -     a: 2\n") && blame.contains("2  -        -     b:\n"),
        "{blame}"
    );
}

#[test]
fn secrets_in_a_list_of_another_program_stay_masked() {
    let list = |space: &str| {
        let secret = r#"{"apiVersion":"v1","kind":"Secret","data":{"password":"aHVudGVyMg=="}}"#;
        format!("[{space}{secret}]").into_bytes()
    };
    let (_scratch, db) = of_two("values-list", "/a", [&list(""), &list(" ")]);
    for line in [
        "log DB -p",
        "diff DB 2..3",
        "diff DB 2..3 -o unified",
        "grep DB aHVudGVyMg --history",
        "blame DB /a",
    ] {
        let run = run(&db, line);
        let text = String::from_utf8_lossy(&run.stdout).into_owned() + &run.stderr;
        assert!(text.contains("<masked #"), "{line}: {text}");
        assert!(!text.contains("aHVudGVyMg=="), "{line}: {text}");
    }
}
