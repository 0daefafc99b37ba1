//! The verb: its flags, its formats, and what it does not print.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdive::k8s::blame::{Blame, Version};
use etcdive::view::blame::{lines, write_table};
use etcdive::view::style::Style;
use serde_json::{Value, json};

use crate::support::synth::etcd as synth;
use crate::support::synth::k8s::{Manager, Meta, secret as synth_secret};
use crate::support::{Run, Scratch, etcdive, testdata};

fn after() -> String {
    testdata("healthy/k8s/after.db")
        .to_str()
        .unwrap()
        .to_owned()
}

fn run(arguments: &[&str]) -> Run {
    etcdive(["blame"].iter().chain(arguments))
}

fn ok(arguments: &[&str]) -> String {
    let run = run(arguments);
    assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
    run.text().to_owned()
}

fn rows(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn yaml_of(rows: &[Value]) -> String {
    rows.iter()
        .map(|row| format!("{}\n", row["text"].as_str().unwrap()))
        .collect()
}

#[test]
fn the_lines_are_those_of_get_and_the_formats_show_the_same() {
    let db = after();
    let get = |arguments: &[&str]| {
        let run = etcdive(
            ["get", &db, "deploy/web", "-o", "yaml"]
                .iter()
                .chain(arguments),
        );
        run.text().to_owned()
    };
    let jsonl = rows(&ok(&[&db, "deploy/web", "-o", "jsonl"]));
    assert_eq!(yaml_of(&jsonl), get(&[]));
    let with = rows(&ok(&[
        &db,
        "deploy/web",
        "-o",
        "jsonl",
        "--show-managed-fields",
    ]));
    assert_eq!(yaml_of(&with), get(&["--show-managed-fields"]));
    assert!(with.len() > jsonl.len());
    let array: Value = serde_json::from_str(&ok(&[&db, "deploy/web", "-o", "json"])).unwrap();
    assert_eq!(array, Value::Array(jsonl.clone()));
    let replicas = jsonl
        .iter()
        .find(|row| row["path"] == "spec.replicas")
        .unwrap();
    assert_eq!(
        replicas.to_string(),
        r#"{"line":18,"path":"spec.replicas","revision":2069,"boundary":false,"manager":"kubectl","subresource":"scale","text":"  replicas: 2"}"#
    );
    // The table, line by line; in a pipe nothing is cut.
    let table = ok(&[&db, "deploy/web", "-n", "prod"]);
    let mut lines = table.lines();
    let head = lines.next().unwrap();
    assert_eq!(
        head.split_whitespace().collect::<Vec<_>>(),
        ["REV", "MANAGER", "TIME", "YAML"]
    );
    let yaml_at = head.find("YAML").unwrap();
    assert_eq!(lines.clone().count(), jsonl.len());
    for (line, row) in lines.zip(&jsonl) {
        assert_eq!(&line[yaml_at..], row["text"].as_str().unwrap());
        let manager = match (row["manager"].as_str(), row["subresource"].as_str()) {
            (Some(manager), Some(subresource)) => format!("{manager} ({subresource})"),
            (Some(manager), None) => manager.to_owned(),
            _ => "-".to_owned(),
        };
        let time = row["time"].as_str().unwrap_or("-");
        let cells: Vec<&str> = line[..yaml_at]
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect();
        assert_eq!(
            cells,
            [row["revision"].to_string().as_str(), manager.as_str(), time]
        );
    }
}

#[test]
fn an_earlier_revision_and_a_deleted_object_are_asked_for_by_at() {
    let mut store = synth::Store::new(synth::Version::V3_6);
    let object = |value: i64| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "data": {"k": value, "o": 1}}).to_string()
    };
    let key = "/registry/configmaps/n/a";
    let first = store.put(key, object(1));
    let second = store.put(key, object(2));
    let deleted = store.delete(key);
    let again = store.put(key, object(2));
    let gone = store.delete(key);
    let scratch = Scratch::new("blame-at");
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    let at = |revision: i64| {
        let rows = rows(&ok(&[
            db,
            "cm/a",
            "-o",
            "jsonl",
            "--at",
            &revision.to_string(),
        ]));
        let of = |path: &str| {
            rows.iter().find(|row| row["path"] == path).unwrap()["revision"]
                .as_i64()
                .unwrap()
        };
        (of("data.k"), of("data.o"))
    };
    assert_eq!(at(first), (first, first));
    assert_eq!(at(second), (second, first));
    assert_eq!(at(again), (again, again), "another incarnation");
    for address in ["cm/a", key] {
        let run = run(&[db, address]);
        assert_eq!((run.code, run.text()), (1, ""));
        assert!(
            run.stderr
                .contains(&format!("was deleted at revision {gone}")),
            "{}",
            run.stderr
        );
        assert!(
            run.stderr.contains(&format!("--at {again}")),
            "{}",
            run.stderr
        );
    }
    let run = run(&[db, "cm/a", "--at", &deleted.to_string()]);
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains(&format!("--at {second}")),
        "{}",
        run.stderr
    );
}

#[test]
fn one_object_is_blamed_and_others_are_named() {
    let db = after();
    let several = run(&[&db, "cm/kube-root-ca.crt"]);
    assert_eq!(several.code, 2);
    assert!(
        several.stderr.contains("blame takes one object")
            && several
                .stderr
                .contains("/registry/configmaps/dev/kube-root-ca.crt")
    );
    assert_eq!(
        ok(&[&db, "cm/kube-root-ca.crt", "-n", "dev"]),
        ok(&[&db, "/registry/configmaps/dev/kube-root-ca.crt"])
    );
    assert_eq!(
        ok(&[&db, "deploy", "-n", "prod", "-l", "app=web"]),
        ok(&[&db, "deploy/web"])
    );
    assert_eq!(run(&[&db, "pods", "-l", "app=web"]).code, 2);
    let none = run(&[&db, "deploy", "-l", "app=nothing"]);
    assert!(
        none.code == 1 && none.stderr.contains("does not match -l"),
        "{}",
        none.stderr
    );
    assert_eq!(run(&[&db]).code, 2);
    assert_eq!(run(&[&db, "deploy/wob"]).code, 1);
    let plain = testdata("healthy/talk");
    let plain = crate::support::files_below(&plain)
        .into_iter()
        .find(|file| file.extension().is_some_and(|end| end == "db"));
    if let Some(db) = plain {
        let db = db.to_str().unwrap();
        let keys = etcdive(["ls", db]);
        let key = keys.text().lines().next().unwrap();
        let run = run(&[db, key]);
        assert_eq!(run.code, 0, "a text has lines, too: {}", run.stderr);
        assert!(run.text().starts_with("REV"), "{}", run.text());
    }
}

#[test]
fn encrypted_versions_are_read_with_the_keys_and_refused_without() {
    let file = |name: &str| {
        let file = testdata("healthy/k8s-encrypted").join(format!("mixed.{name}"));
        file.to_str().unwrap().to_owned()
    };
    let (db, config) = (file("db"), file("encryption-config.yaml"));
    let listed = etcdive(["ls", &db, "secrets"]);
    let (mut read, mut refused) = (0, 0);
    for key in listed.text().lines() {
        let with = rows(&ok(&[
            &db,
            key,
            "-o",
            "jsonl",
            "--show-secrets",
            "--encryption-config",
            &config,
        ]));
        let get = etcdive([
            "get",
            &db,
            key,
            "-o",
            "yaml",
            "--encryption-config",
            &config,
        ]);
        assert_eq!(yaml_of(&with), get.text());
        read += 1;
        let without = run(&[&db, key]);
        if without.code == 2 {
            assert!(
                without.text().is_empty() && without.stderr.contains("--encryption-config"),
                "{}",
                without.stderr
            );
            refused += 1;
        }
    }
    assert!(read > 3 && refused > 0, "{read} {refused}");
}

#[test]
fn a_compacted_history_is_marked_and_explained() {
    let mut store = synth::Store::new(synth::Version::V3_6);
    let object = |value: i64| {
        let entry = json!({"manager": "alice", "operation": "Update", "apiVersion": "v1", "time": format!("2026-01-01T00:00:0{value}Z"), "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:k": {}}}});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n", "managedFields": [entry]}, "data": {"k": value / 2, "o": 1}}).to_string()
    };
    let key = "/registry/configmaps/n/a";
    let revisions: Vec<i64> = (1..=5).map(|value| store.put(key, object(value))).collect();
    store.compact(revisions[2]);
    let scratch = Scratch::new("blame-compacted");
    let db = scratch.file("db", &store.builder().build().bytes);
    let run = run(&[db.to_str().unwrap(), "cm/a"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let line = |text: &str| {
        run.text()
            .lines()
            .find(|line| line.ends_with(text))
            .unwrap()
            .trim_start()
            .to_owned()
    };
    assert!(
        line("  k: 2").starts_with(&format!("{}  alice    2026-01-01T00:00:04Z", revisions[3])),
        "{}",
        run.text()
    );
    assert!(
        line("  o: 1").starts_with(&format!("^{}  -  ", revisions[2])),
        "{}",
        run.text()
    );
    assert!(
        run.stderr.contains("2 earlier versions")
            && run.stderr.contains(&format!(
                "history is retained from revision {}",
                revisions[2]
            )),
        "{}",
        run.stderr
    );
    let early = ok(&[
        db.to_str().unwrap(),
        "cm/a",
        "--at",
        &revisions[2].to_string(),
    ]);
    let marked = early.lines().find(|line| line.ends_with("  k: 1")).unwrap();
    assert!(
        marked.contains(&format!("^{}  alice    2026-01-01T00:00:03Z", revisions[2])),
        "{early}"
    );
}

const PASSWORDS: [&str; 2] = ["QX7-JKZQ-9QXZ-AAA", "KQ0-ZXJQ-3JKQ-Q44"];

fn secret(password: &str, manager: &str) -> Vec<u8> {
    let meta = Meta {
        name: "db".to_owned(),
        namespace: "shop".to_owned(),
        uid: "0a1b2c3d-0000-4000-8000-0123456789ab".to_owned(),
        created: 1_790_000_000,
        managed: vec![Manager {
            name: manager.to_owned(),
            operation: "Update".to_owned(),
            time: 1_790_000_000,
            fields: r#"{"f:data":{".":{},"f:password":{},"f:user":{}}}"#.to_owned(),
            ..Manager::default()
        }],
        ..Meta::default()
    };
    let data = [("password", password), ("user", "ZZ9JQK/XJ0QKZ8JQX")];
    let data = data.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    synth_secret(&meta, &data)
}

fn secret_store(values: &[Vec<u8>]) -> Vec<u8> {
    let mut store = synth::Store::new(synth::Version::V3_6);
    for value in values {
        store.put("/registry/secrets/shop/db", value.clone());
    }
    store.builder().build().bytes
}

/// Whether any eight characters of a secret, plain or base64, are in a text.
fn leaks(text: &str) -> bool {
    let plain = PASSWORDS.iter().copied().chain(["ZZ9JQK/XJ0QKZ8JQX"]);
    let both = plain.flat_map(|text| [text.to_owned(), STANDARD.encode(text)]);
    both.into_iter().any(|secret| {
        secret
            .as_bytes()
            .windows(8)
            .any(|window| text.contains(std::str::from_utf8(window).unwrap()))
    })
}

#[test]
fn secrets_are_distinguished_and_masked_unless_asked_for() {
    let scratch = Scratch::new("blame-secret");
    let values = [
        PASSWORDS[0],
        PASSWORDS[1],
        PASSWORDS[1],
        PASSWORDS[0],
        PASSWORDS[0],
    ]
    .map(|password| secret(password, "kubectl"));
    let db = scratch.file("db", &secret_store(&values));
    let db = db.to_str().unwrap();
    for output in ["table", "json", "jsonl"] {
        let run = run(&[db, "secret/db", "-o", output, "--show-managed-fields"]);
        assert!(
            run.code == 0 && run.text().contains("<masked #1, 17 bytes>"),
            "{}",
            run.text()
        );
        assert!(!leaks(run.text()) && !leaks(&run.stderr), "{}", run.text());
    }
    let revision = |rows: &[Value], path: &str| {
        rows.iter().find(|row| row["path"] == path).unwrap()["revision"].clone()
    };
    let masked = rows(&ok(&[db, "secret/db", "-o", "jsonl"]));
    assert_eq!(revision(&masked, "data.password"), 5);
    assert_eq!(revision(&masked, "data.user"), 2);
    let shown = rows(&ok(&[db, "secret/db", "-o", "jsonl", "--show-secrets"]));
    assert_eq!(revision(&shown, "data.password"), 5);
    assert!(yaml_of(&shown).contains(&format!("  password: {}\n", STANDARD.encode(PASSWORDS[0]))));
}

#[test]
fn a_damaged_secret_shows_nothing_either() {
    let scratch = Scratch::new("blame-damaged-secret");
    let (old, new) = (
        secret(PASSWORDS[0], "kubectl"),
        secret(PASSWORDS[1], "kubectl"),
    );
    let mut answered = 0;
    for (turn, at) in (0..new.len()).step_by(5).enumerate() {
        let (mut old, mut new) = (old.clone(), new.clone());
        let flip = 1 << (turn % 8);
        old[at] ^= flip;
        new[at] ^= flip;
        let db = scratch.file("db", &secret_store(&[old, new]));
        let run = run(&[
            db.to_str().unwrap(),
            "/registry/secrets/shop/db",
            "-o",
            "jsonl",
            "--show-managed-fields",
        ]);
        assert!(
            !leaks(run.text()) && !leaks(&run.stderr),
            "byte {at}: {}{}",
            run.text(),
            run.stderr
        );
        answered += usize::from(!run.stdout.is_empty());
    }
    // A manager's name that is none may be a part of a secret.
    let db = scratch.file(
        "db",
        &secret_store(&[secret(PASSWORDS[0], "name with QX7-JKZQ-9QXZ-AAA")]),
    );
    let run = run(&[db.to_str().unwrap(), "/registry/secrets/shop/db"]);
    assert!(
        run.code == 0 && run.text().contains("<masked #") && !leaks(run.text()),
        "{}",
        run.text()
    );
    println!("{answered} damaged Secrets answered for");
    assert!(answered > 30);
}

#[test]
fn a_terminal_cuts_values_and_managers_and_a_pipe_nothing() {
    let tree = json!({"apiVersion": "v1", "kind": "X", "metadata": {"managedFields": [
        {"manager": "a-manager-with-a-very-long-name", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]},
        "spec": {"short": 1, "long": "x".repeat(70), "k".repeat(100): "y".repeat(9)}});
    let blamed = Blame::new(Version::new(5, 1, tree, false)).finish();
    let lines = lines(blamed.tree(), &blamed);
    let table = |width: Option<usize>| {
        let mut out = Vec::new();
        let style = Style {
            width,
            ..Style::default()
        };
        write_table(&mut out, &lines, &style, &mut |name: &str| name.to_owned()).unwrap();
        String::from_utf8(out).unwrap()
    };
    let pipe = table(None);
    assert!(
        pipe.contains(&"x".repeat(70))
            && pipe.contains("a-manager-with-a-very-long-name")
            && !pipe.contains("...")
    );
    let terminal = table(Some(60));
    assert!(
        terminal.contains("    long: xxxx") || terminal.contains("  long: xxxx"),
        "{terminal}"
    );
    assert!(
        terminal.contains("xxx\u{2026}\n") && terminal.contains("a-manager\u{2026}long-name  "),
        "{terminal}"
    );
    for line in terminal.lines() {
        assert!(line.chars().count() <= 60, "{line}");
    }
    assert_eq!(terminal.lines().count(), pipe.lines().count());
}
