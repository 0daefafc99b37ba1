//! What `diff` and each of its flags do, on the shipped databases.

use serde_json::Value;

use crate::support::synth::Bucket;
use crate::support::synth::etcd::{Store, Version, member_value, put};
use crate::support::{Scratch, etcdive, etcdive_line};
use crate::verbs::{AFTER, BEFORE, FROZEN, jsonl};

#[test]
fn diff_shows_fields_unified_json_names_or_counts() {
    let key = "/registry/configmaps/prod/app-config";
    let run = etcdive_line(&format!("diff {BEFORE} {AFTER} {key}"));
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert!(
        run.text()
            .starts_with(&format!("~ {key}  (mod 1821 -> 2197, version 7 -> 9)\n")),
        "{}",
        run.text()
    );
    assert!(
        run.text()
            .contains("    data.mode: \"mode-5\" -> \"after\"\n")
            && run.text().contains("  - data.counter: \"5\"\n")
    );
    let unified = etcdive_line(&format!("diff {BEFORE} {AFTER} {key} -o unified"));
    assert!(
        unified.text().starts_with(&format!(
            "--- a{key} (mod 1821)\n+++ b{key} (mod 2197)\n@@ "
        )),
        "{}",
        unified.text()
    );
    assert!(
        unified
            .text()
            .contains("\n-  mode: mode-5\n+  franks: key\n+  mode: after\n")
    );
    let names = etcdive_line(&format!(
        "diff {BEFORE} {AFTER} /registry/configmaps/prod/ --name-only"
    ));
    assert_eq!(names.text(), format!("~ {key}\n~ {FROZEN}\n"));
    let stat = etcdive_line(&format!("diff {BEFORE} {AFTER} {key} --stat"));
    assert!(
        stat.text().contains("1 changed") && stat.text().lines().count() == 2,
        "{}",
        stat.text()
    );
    let row = jsonl(&etcdive_line(&format!(
        "diff {BEFORE} {AFTER} {FROZEN} -o jsonl"
    )));
    assert_eq!(
        (
            &row[0]["change"],
            &row[0]["old_mod_revision"],
            &row[0]["new_mod_revision"]
        ),
        (&"recreated".into(), &507.into(), &2186.into())
    );
    let array: Value = serde_json::from_slice(
        &etcdive_line(&format!("diff {BEFORE} {AFTER} {FROZEN} -o json")).stdout,
    )
    .unwrap();
    assert_eq!(array, Value::Array(row));
}

#[test]
fn diff_can_leave_out_status_and_show_managed_fields() {
    let key = "/registry/deployments/prod/web";
    let plain = etcdive_line(&format!("diff {BEFORE} {AFTER} {key}"));
    assert!(
        plain.text().contains("status.replicas: 5 -> 2") && !plain.text().contains("managedFields")
    );
    let without = etcdive_line(&format!("diff {BEFORE} {AFTER} {key} --exclude-status"));
    assert!(
        !without.text().contains("status.") && without.text().contains("spec.replicas: 5 -> 2"),
        "{}",
        without.text()
    );
    assert!(
        etcdive_line(&format!(
            "diff {BEFORE} {AFTER} {key} --show-managed-fields"
        ))
        .text()
        .contains("managedFields")
    );
    // A daemon set of which nothing but the status changed.
    let only_status = etcdive_line(&format!(
        "diff {BEFORE} {AFTER} /registry/daemonsets/dev/agent --exclude-status"
    ));
    assert_eq!(
        (only_status.code, only_status.stdout.len()),
        (0, 0),
        "{}",
        only_status.text()
    );
}

#[test]
fn diff_masks_secrets_unless_asked() {
    let secret = |data: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s"}},"data":{{"password":"{data}"}}}}"#
        )
    };
    let scratch = Scratch::new("diff-secrets");
    let mut store = Store::new(Version::V3_6);
    store.txn(&[
        put("/registry/secrets/a/s", secret("aHVudGVyMg==")),
        put("/registry/secrets/a/t", secret("aHVudGVyMg==")),
    ]);
    let old = scratch.file("old.db", &store.builder().build().bytes);
    store.put("/registry/secrets/a/s", secret("Y29ycmVjdCBob3JzZQ=="));
    store.put(
        "/registry/secrets/a/enc",
        b"k8s:enc:aescbc:v1:key1:SEALED".to_vec(),
    );
    store.delete("/registry/secrets/a/t");
    let new = scratch.file("new.db", &store.builder().build().bytes);
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    for format in ["fields", "unified", "json", "jsonl"] {
        let masked = etcdive(["diff", old, new, "-o", format]);
        let everything = format!("{}{}", masked.text(), masked.stderr);
        for secret in [
            "aHVudGVyMg",
            "hunter2",
            "Y29ycmVjdCBob3JzZQ",
            "correct horse",
            "SEALED",
            "U0VBTEVE",
        ] {
            assert!(
                !everything.contains(secret),
                "{format} shows {secret}: {everything}"
            );
        }
        assert!(everything.contains("<masked #"), "{format}: {everything}");
        let shown = etcdive(["diff", old, new, "-o", format, "--show-secrets"]);
        assert!(shown.text().contains("Y29ycmVjdCBob3JzZQ=="), "{format}");
    }
    let fields = etcdive(["diff", old, new, "/registry/secrets/a/s"]);
    assert!(
        fields
            .text()
            .contains("data.password: <masked #1, 7 bytes> -> <masked #2, 13 bytes>"),
        "{}",
        fields.text()
    );
}

#[test]
fn diff_says_when_the_order_looks_wrong_and_when_nothing_has_the_key() {
    let run = etcdive_line(&format!("diff {AFTER} {BEFORE} --name-only"));
    assert!(
        run.code == 1 && run.stderr.contains("is the older one first?"),
        "{}",
        run.stderr
    );
    assert_eq!(
        etcdive_line(&format!("diff {BEFORE} {AFTER} /registry/nothing/x")).code,
        2
    );
    let folder = etcdive_line(&format!("diff {BEFORE} {AFTER} /registry/configmaps/prod"));
    assert!(
        folder.code == 2
            && folder
                .stderr
                .contains("keys start with /registry/configmaps/prod/, the first is /registry/configmaps/prod/")
            && folder
                .stderr
                .contains("with the slash at the end it is a prefix"),
        "{}",
        folder.stderr
    );
    assert_eq!(etcdive_line(&format!("diff {BEFORE} no/such.db")).code, 2);
}

#[test]
fn diff_notes_databases_that_have_no_member_in_common() {
    let scratch = Scratch::new("diff-clusters");
    let save = |store: &Store, name| scratch.file(name, &store.builder().build().bytes);
    let mut store = Store::new(Version::V3_6);
    store.put("k", "v");
    let old = save(&store, "old.db");
    store.set_bucket("members", Bucket::new());
    let nobody = save(&store, "nobody.db");
    let member = member_value(7, "m", "http://127.0.0.1:2380", "http://127.0.0.1:2379");
    store.set_bucket("members", Bucket::of([("7", member)]));
    let other = save(&store, "other.db");
    let noted = |new: &std::path::Path| {
        let run = etcdive(["diff".as_ref(), old.as_os_str(), new.as_os_str()]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stderr
    };
    assert_eq!(
        (noted(&old), noted(&nobody)),
        (String::new(), String::new())
    );
    assert_eq!(
        noted(&other),
        "note: these look like two different clusters: no member in common\n"
    );
}
