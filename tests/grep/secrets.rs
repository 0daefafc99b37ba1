//! Searching in values that are secret or encrypted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::synth::etcd::{Store, Version, put};
use crate::support::synth::k8s::{Meta, secret};
use crate::support::{Scratch, etcdive};
use crate::verbs::jsonl;

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
    assert!(rows.len() > 1);
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
fn encrypted_values_are_searched_with_their_keys_and_reported_without() {
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
