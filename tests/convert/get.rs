//! `get --for`: live objects in versions that a release serves.

use serde_json::{Value, json};

use super::object;
use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive};

const CRON_JOB: &str = "/registry/cronjobs/a/a";
const WEBHOOKS: &str = "/registry/validatingwebhookconfigurations/a";
const POLICY: &str = "/registry/podsecuritypolicy/a";
const BOOK: &str = "/registry/example.com/books/a";
const POEM: &str = "/registry/example.com/poems/a";

/// A definition whose `v1beta1` is not served, and `v1` is.
fn definition(plural: &str, kind: &str, strategy: &str) -> Value {
    let version = |name: &str, served: bool| json!({"name": name, "served": served, "storage": served, "schema": {}});
    let mut definition = object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        json!({"spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"plural": plural, "kind": kind},
            "versions": [version("v1", true), version("v1beta1", false)],
            "conversion": {"strategy": strategy},
        }}),
    );
    definition["metadata"]["name"] = format!("{plural}.example.com").into();
    definition
}

fn store(name: &str) -> Scratch {
    let mut store = Store::new(Version::V3_6);
    let crd = "/registry/apiextensions.k8s.io/customresourcedefinitions";
    for (key, object) in [
        (
            format!("{crd}/books.example.com"),
            definition("books", "Book", "None"),
        ),
        (
            format!("{crd}/poems.example.com"),
            definition("poems", "Poem", "Webhook"),
        ),
        (
            CRON_JOB.to_owned(),
            object(
                "batch/v1beta1",
                "CronJob",
                json!({"spec": {"schedule": "@daily"}}),
            ),
        ),
        (
            WEBHOOKS.to_owned(),
            object(
                "admissionregistration.k8s.io/v1beta1",
                "ValidatingWebhookConfiguration",
                json!({"webhooks": [{"name": "w", "sideEffects": "Unknown"}]}),
            ),
        ),
        (
            POLICY.to_owned(),
            object("policy/v1beta1", "PodSecurityPolicy", json!({})),
        ),
        (
            BOOK.to_owned(),
            object("example.com/v1beta1", "Book", json!({"pages": 3})),
        ),
        (
            POEM.to_owned(),
            object("example.com/v1beta1", "Poem", json!({"lines": 4})),
        ),
    ] {
        store.put(key, object.to_string());
    }
    let scratch = Scratch::new(&format!("get-for-{name}"));
    scratch.file("db", &store.builder().build().bytes);
    scratch
}

fn get(scratch: &Scratch, words: &[&str]) -> Run {
    let db = scratch.path().join("db");
    etcdive([&["get", db.to_str().unwrap()], words].concat())
}

#[test]
fn an_object_is_written_in_the_version_of_the_release_with_a_comment() {
    let scratch = store("yaml");
    let run = get(&scratch, &[CRON_JOB, "-o", "yaml", "--for", "1.35"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let comment = "# It was stored as batch/v1beta1, which is not served. The version here has the same fields.\n";
    let object = "apiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: a\n  resourceVersion: \"4\"\nspec:\n  schedule: '@daily'\n";
    assert_eq!(run.text(), format!("{comment}{object}"));
    let old = get(&scratch, &[CRON_JOB, "-o", "yaml", "--for", "1.24"]);
    assert_eq!(old.text(), object.replace("batch/v1", "batch/v1beta1"));
}

#[test]
fn in_json_the_object_is_the_same_and_has_no_comment() {
    let scratch = store("json");
    for format in ["json", "jsonl"] {
        let run = get(&scratch, &[CRON_JOB, "-o", format, "--for", "1.35"]);
        let written: Value = serde_json::from_str(run.text()).unwrap();
        let expected = object(
            "batch/v1",
            "CronJob",
            json!({"metadata": {"name": "a", "resourceVersion": "4"}, "spec": {"schedule": "@daily"}}),
        );
        assert_eq!(written, expected, "{format}");
    }
}

#[test]
fn what_cannot_be_converted_stays_and_a_note_says_what_to_do() {
    let scratch = store("by-hand");
    let comment = "# admissionregistration.k8s.io/v1beta1 is not served by that release: convert it to admissionregistration.k8s.io/v1 by hand. Its fields or their meaning differ.\n";
    let note = "note: 1 object stays as stored for Kubernetes 1.35 (/registry/validatingwebhookconfigurations/a): admissionregistration.k8s.io/v1beta1 is not served by that release: convert it to admissionregistration.k8s.io/v1 by hand. Its fields or their meaning differ\n";
    let yaml = get(&scratch, &[WEBHOOKS, "-o", "yaml", "--for", "1.35"]);
    assert_eq!((yaml.code, yaml.stderr.as_str()), (0, note));
    assert!(
        yaml.text().starts_with(&format!(
            "{comment}apiVersion: admissionregistration.k8s.io/v1beta1\n"
        )),
        "{}",
        yaml.text()
    );
    // JSON has no comments.
    let json = get(&scratch, &[WEBHOOKS, "-o", "jsonl", "--for", "1.35"]);
    assert_eq!((json.code, json.stderr.as_str()), (0, note));
    let removed = get(&scratch, &[POLICY, "-o", "yaml", "--for", "1.35"]);
    let part = "(/registry/podsecuritypolicy/a): policy/v1beta1 is not served by that release, which does not have the kind";
    assert!(removed.stderr.contains(part), "{}", removed.stderr);
}

#[test]
fn a_custom_resource_gets_the_version_that_its_definition_serves() {
    let scratch = store("custom");
    let books = get(&scratch, &["books", "a", "-o", "yaml", "--for", "1.35"]);
    assert_eq!((books.code, books.stderr.as_str()), (0, ""));
    assert!(
        books.text().contains("\napiVersion: example.com/v1\n"),
        "{}",
        books.text()
    );
    // By its key, too.
    let poem = get(&scratch, &[POEM, "-o", "yaml", "--for", "1.35"]);
    assert_eq!(poem.code, 0);
    let comment =
        "# example.com/v1beta1 is not served any more: convert it to v1 before you create it.\n";
    assert!(
        poem.text()
            .starts_with(&format!("{comment}apiVersion: example.com/v1beta1\n")),
        "{}",
        poem.text()
    );
    assert!(
        poem.stderr.contains("1 object stays as stored"),
        "{}",
        poem.stderr
    );
}

#[test]
fn a_list_and_the_files_of_out_have_the_comments_of_each_object() {
    let scratch = store("list");
    let list = get(&scratch, &["/registry/", "-o", "yaml", "--for", "1.35"]);
    assert_eq!(list.code, 0, "{}", list.stderr);
    let comments = list.text().matches("\n# ").count();
    assert_eq!(comments, 5, "{}", list.text());
    assert!(list.text().contains("\n- apiVersion: batch/v1\n"));
    assert_eq!(list.stderr.matches(" stays as stored").count(), 3);
    let folder = scratch.path().join("out");
    let words = ["all", "-A", "--for", "1.35", "--out"];
    let files = get(
        &scratch,
        &[&words[..], &[folder.to_str().unwrap()]].concat(),
    );
    assert_eq!(files.code, 0, "{}", files.stderr);
    let written = std::fs::read_to_string(folder.join("a/cronjobs.batch/a.yaml")).unwrap();
    assert!(
        written.starts_with("# It was stored as batch/v1beta1")
            && written.contains("apiVersion: batch/v1\n"),
        "{written}"
    );
}

#[test]
fn a_release_needs_a_format_with_whole_objects() {
    let scratch = store("format");
    for words in [
        &["cronjobs", "-A", "--for", "1.35"][..],
        &["cronjobs", "-A", "-o", "name", "--for", "1.35"],
        &[CRON_JOB, "-w", "json", "--for", "1.35"],
    ] {
        let run = get(&scratch, words);
        assert_eq!(run.code, 2, "{words:?}");
        assert!(
            run.stderr.contains("--for writes objects"),
            "{}",
            run.stderr
        );
    }
    let unknown = get(&scratch, &[CRON_JOB, "-o", "yaml", "--for", "1.9"]);
    assert_eq!(unknown.code, 2);
}
