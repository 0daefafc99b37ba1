//! `get`: what kubectl printed of the same store, and each of its flags.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Scratch, assert_same, case_roots, etcdive, files_below, testdata};

fn after() -> String {
    testdata("healthy/k8s/after.db")
        .to_str()
        .unwrap()
        .to_owned()
}

fn mixed(name: &str) -> String {
    let file = testdata("healthy/k8s-encrypted").join(format!("mixed.{name}"));
    file.to_str().unwrap().to_owned()
}

fn get(arguments: &[&str]) -> (i32, String, String) {
    let after = after();
    let run = etcdive(["get", &after].iter().chain(arguments));
    (run.code, run.text().to_owned(), run.stderr)
}

/// The answer of a run that must have one.
fn ok(arguments: &[&str]) -> String {
    let (code, text, error) = get(arguments);
    assert_eq!(code, 0, "{arguments:?}: {error}");
    text
}

/// What kubectl was asked for, by the name of the recorded file; where the name does not show it, the
/// arguments are those that give this answer.
fn arguments_of(file: &str) -> Vec<String> {
    let name = file
        .strip_prefix("get-")
        .unwrap()
        .strip_suffix(".txt")
        .unwrap();
    let arguments: &[&str] = match name {
        "pods.name" => &["pods", "-o", "name"],
        "pods.label-app" => &["pods", "-l", "app"],
        "pods.field-selector" => &["pods", "--field-selector", "status.phase=Running"],
        "pods.show-labels" => &["pods", "--show-labels"],
        "pods.jsonpath" => &[
            "pods",
            "-o",
            r#"jsonpath={range .items[*]}{.metadata.name}{"\t"}{.status.phase}{"\n"}{end}"#,
        ],
        "pods.custom-columns" => &[
            "pods",
            "-o",
            "custom-columns=NS:.metadata.namespace,NAME:.metadata.name,IMG:.spec.containers[*].image",
        ],
        _ => match name.strip_suffix(".wide") {
            Some(resource) => &[resource, "-o", "wide"],
            None => &[name],
        },
    };
    arguments
        .iter()
        .map(|&argument| argument.to_owned())
        .collect()
}

/// Columns that show an age, which is against another moment here.
const AGES: [&str; 5] = [
    "AGE",
    "LAST SEEN",
    "FIRST SEEN",
    "LAST SCHEDULE",
    "DURATION",
];

/// The cells of a table's lines without those that show an age: a column begins where its name does.
fn cells(table: &str) -> Vec<Vec<String>> {
    let mut lines = table.lines();
    let head: Vec<char> = lines.next().unwrap_or_default().chars().collect();
    let mut starts = Vec::new();
    for (at, _) in head.iter().enumerate() {
        let gap = head
            .get(at.wrapping_sub(3)..at)
            .is_some_and(|before| before == [' '; 3]);
        if at == 0 || (gap && head[at] != ' ') {
            starts.push(at);
        }
    }
    let cut = |line: &[char]| -> Vec<String> {
        let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
        let cell = |(start, end): (&usize, usize)| {
            let end = end.min(line.len());
            line.get(*start..end)
                .unwrap_or_default()
                .iter()
                .collect::<String>()
                .trim()
                .to_owned()
        };
        starts.iter().zip(ends).map(cell).collect()
    };
    let names = cut(&head);
    let line = |line: &str| {
        let cells = cut(&line.chars().collect::<Vec<_>>());
        let named = names.iter().zip(cells);
        named
            .filter(|(name, _)| !AGES.contains(&name.as_str()))
            .map(|(_, cell)| cell)
            .collect()
    };
    std::iter::once(names.clone())
        .chain(lines.map(line))
        .collect()
}

/// The recorded texts, each with its database.
fn recorded() -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for root in case_roots() {
        for file in files_below(&root.join("reference")) {
            let folder = file.parent().unwrap();
            let is_get = file
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("get-");
            if folder.ends_with("kubectl") && is_get {
                let db = folder
                    .parent()
                    .unwrap()
                    .file_name()
                    .unwrap()
                    .to_str()
                    .unwrap();
                let healthy = ["corpus/k8s", "healthy/k8s"].map(|part| root.join(part));
                let db = healthy
                    .iter()
                    .map(|part| part.join(format!("{db}.db")))
                    .find(|db| db.is_file());
                found.push((file.clone(), db.unwrap()));
            }
        }
    }
    found
}

/// Without what kubectl said on standard error.
fn standard_output(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("Warning: "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_recorded_answer_of_kubectl_is_ours_but_for_the_ages() {
    let recorded = recorded();
    assert!(recorded.len() > 60, "{}", recorded.len());
    for (file, db) in &recorded {
        let arguments = arguments_of(file.file_name().unwrap().to_str().unwrap());
        let run = etcdive(
            ["get", db.to_str().unwrap()]
                .into_iter()
                .chain(arguments.iter().map(String::as_str)),
        );
        assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
        let expected = standard_output(file);
        if expected.starts_with("NAME") {
            assert_eq!(cells(&expected), cells(run.text()), "{}", file.display());
            let head = expected.lines().next().unwrap();
            let is_ours = !file.ends_with("get-pods.custom-columns.txt");
            let named = |age: &&str| head.split("   ").any(|name| name.trim() == *age);
            let has_ages = AGES.iter().any(named) && is_ours;
            let said = run.stderr.contains("ages are as of 2026-11-20T");
            assert_eq!(said, has_ages, "{}: {}", file.display(), run.stderr);
        } else {
            assert_same(
                expected.as_bytes(),
                &run.stdout,
                &file.display().to_string(),
            );
        }
    }
    println!("{} recorded answers of kubectl compared", recorded.len());
}

#[test]
fn one_named_object_is_itself_and_several_are_a_list() {
    let one: Value = serde_json::from_str(&ok(&["deploy/web", "-o", "json"])).unwrap();
    assert_eq!(one["kind"], "Deployment");
    assert!(one["metadata"].get("managedFields").is_none());
    let list: Value = serde_json::from_str(&ok(&["deploy", "-n", "prod", "-o", "json"])).unwrap();
    assert_eq!(list["kind"], "List");
    assert_eq!(list["items"][0], one);
    let yaml = ok(&["deploy/web", "-o", "yaml"]);
    assert_eq!(serde_norway::from_str::<Value>(&yaml).unwrap(), one);
    let lines = ok(&["po,svc", "-o", "jsonl"]);
    assert_eq!(
        lines.lines().count(),
        ok(&["po,svc", "-o", "name"]).lines().count()
    );
    // Raw keys are printed as YAML without being asked.
    assert_eq!(ok(&["/registry/deployments/prod/web"]), yaml);
    let managed = ok(&["deploy/web", "-o", "yaml", "--show-managed-fields"]);
    assert!(managed.contains("  managedFields:\n"));
}

#[test]
fn names_are_those_that_kubectl_takes_back() {
    assert_eq!(ok(&["deploy/web", "-o", "name"]), "deployment.apps/web\n");
    assert_eq!(ok(&["no", "-o", "name"]), "node/worker-1\nnode/worker-3\n");
    assert_eq!(
        ok(&["bk", "-o", "name"]),
        "book.library.example.com/fiasco\nbook.library.example.com/solaris\n"
    );
    for name in ok(&["po,deploy,bk", "-o", "name"]).lines() {
        assert_eq!(ok(&[name, "-o", "name"]).lines().next(), Some(name));
    }
}

#[test]
fn several_resources_have_a_table_each_in_the_order_of_asking() {
    let text = ok(&["svc,po", "-n", "prod"]);
    let (services, pods) = text.split_once("\n\n").unwrap();
    assert!(
        services.starts_with("NAME ") && services.contains("\nservice/web "),
        "{text}"
    );
    assert!(
        pods.starts_with("NAME ") && pods.contains("\npod/web-"),
        "{text}"
    );
    let only = ok(&["svc", "-n", "prod"]);
    assert!(only.contains("\nweb "), "{only}");
}

#[test]
fn labels_and_headers_are_shown_as_asked_for() {
    let text = ok(&[
        "po",
        "-n",
        "prod",
        "-l",
        "app=web",
        "-L",
        "app,pod-template-hash",
    ]);
    let head = text.lines().next().unwrap();
    assert!(head.ends_with("APP   POD-TEMPLATE-HASH"), "{head}");
    assert!(
        text.lines().nth(1).unwrap().ends_with("web   5dfb8fd985"),
        "{text}"
    );
    let (_, bare, error) = get(&["po", "-n", "prod", "-l", "app=web", "--no-headers"]);
    assert_eq!(bare.lines().count() + 1, text.lines().count());
    assert!(
        bare.starts_with("web-") && error.is_empty(),
        "{bare}{error}"
    );
}

#[test]
fn selectors_select_and_say_what_is_wrong_with_them() {
    assert_eq!(
        ok(&["po", "-l", "app in (web,db),!nothing", "-o", "name"])
            .lines()
            .count(),
        3
    );
    assert_eq!(
        ok(&[
            "po",
            "--field-selector",
            "spec.nodeName=worker-1,status.phase!=Pending",
            "-o",
            "name"
        ])
        .lines()
        .count(),
        4
    );
    let (code, text, error) = get(&["po", "-l", "app=nothing"]);
    assert_eq!((code, text.as_str()), (1, ""));
    assert!(
        error.contains("none of 11 candidates matches -l"),
        "{error}"
    );
    for (arguments, message) in [
        (["-l", "app=="], ""),
        (["-l", "app in (a"], "label selector: "),
        (["--field-selector", "spec"], "--field-selector"),
        (["--field-selector", "spec=x"], "--field-selector"),
    ] {
        let (code, _, error) = get(&[&["po"][..], &arguments].concat());
        let valid = arguments[1] == "app==";
        assert_eq!(code, if valid { 1 } else { 2 }, "{arguments:?}: {error}");
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
}

#[test]
fn an_older_revision_is_shown_as_it_was() {
    let at = |revision: &str| {
        ok(&[
            "deploy/web",
            "--at",
            revision,
            "-o",
            "jsonpath={.metadata.resourceVersion} {.spec.replicas}",
        ])
    };
    assert_eq!(at("1863"), "1863 5");
    assert_eq!(at("1500").split(' ').nth(1), Some("3"));
    assert!(ok(&["po", "-n", "shop", "--at", "1900"]).lines().count() > 3);
    assert_eq!(get(&["po", "-n", "shop"]).0, 1);
}

#[test]
fn templates_and_columns_may_stand_in_files() {
    let scratch = Scratch::new("get-files");
    let template = scratch.path().join("template");
    std::fs::write(&template, "{.kind}/{.metadata.name}\n").unwrap();
    let file = format!("jsonpath-file={}", template.display());
    assert_eq!(ok(&["deploy/web", "-o", &file]), "Deployment/web\n");
    let columns = scratch.path().join("columns");
    std::fs::write(&columns, "NAME  UID\nmetadata.name metadata.uid\n").unwrap();
    let file = format!("custom-columns-file={}", columns.display());
    assert!(ok(&["deploy", "-o", &file]).starts_with("NAME   UID\nweb    "));
    let json: Value = serde_json::from_str(&ok(&[
        "deploy/web",
        "-o",
        "jsonpath-as-json={.spec.replicas}",
    ]))
    .unwrap();
    assert_eq!(json, serde_json::json!([2]));
}

#[test]
fn a_record_that_is_no_object_has_its_fields_in_the_documented_order() {
    let db = testdata("guides/revisions/history.db");
    let name = regex::Regex::new(r#"(?m)["{ ,\n]([a-z_]+)"?: ?"#).unwrap();
    for format in ["jsonl", "json", "yaml"] {
        let run = etcdive([
            "get",
            db.to_str().unwrap(),
            "foo2",
            "--at",
            "7",
            "-o",
            format,
        ]);
        let text = format!("\n{}", run.text());
        let names: Vec<&str> = name
            .captures_iter(&text)
            .map(|found| found.get(1).unwrap().as_str())
            .collect();
        let documented = [
            "key",
            "create_revision",
            "mod_revision",
            "version",
            "value_size",
            "value",
        ];
        assert_eq!(names, documented, "{format}: {text}");
    }
}

#[test]
fn a_format_that_is_none_is_refused_with_what_there_is() {
    for (format, message) in [
        ("xml", "there are table, wide, name, yaml"),
        ("jsonpath", "needs a template"),
        ("jsonpath={.a", "no closing brace"),
        ("jsonpath-file=no/such/file", "cannot be read"),
        ("custom-columns", "needs columns"),
        ("custom-columns=NAME", "HEADER:PATH"),
        ("go-template={{.kind}}", "-o jsonpath"),
    ] {
        let (code, text, error) = get(&["deploy/web", "-o", format]);
        assert_eq!((code, text.as_str()), (2, ""), "{format}");
        assert!(
            error.to_lowercase().contains(&message.to_lowercase()),
            "{format}: {error}"
        );
    }
    let (code, _, error) = get(&[]);
    assert_eq!(code, 2);
    assert!(
        error.contains("nothing to get: name a resource or a key"),
        "{error}"
    );
}

#[test]
fn what_a_server_of_today_would_add_is_added_only_when_asked_for() {
    // The status of a CSINode is newer than the cluster, and so is not written.
    let written = ok(&["csinodes", "-o", "jsonl"]);
    let served = ok(&["csinodes", "-o", "jsonl", "--as-served"]);
    assert!(!written.contains(r#""status":{}"#), "{written}");
    assert!(served.contains(r#""status":{}"#), "{served}");
}

#[test]
fn what_is_no_object_is_shown_as_its_record() {
    let db = testdata("healthy/talk/3.6/01-talk.live.db");
    let db = db.to_str().unwrap();
    let table = etcdive(["get", db, "foo2", "-o", "table"]);
    assert_eq!(
        table.text(),
        "KEY    CREATE REVISION   MOD REVISION   VERSION   SIZE\nfoo2   3                 5              2         8\n"
    );
    assert_eq!(etcdive(["get", db, "foo2", "-o", "name"]).text(), "foo2\n");
    let record: Value =
        serde_json::from_str(etcdive(["get", db, "foo2", "-o", "jsonl"]).text()).unwrap();
    assert_eq!(
        (&record["value"], &record["version"]),
        (&"bar2-new".into(), &2.into())
    );
}

#[test]
fn encrypted_objects_are_named_with_provider_and_key_until_the_keys_are_given() {
    let (db, config) = (mixed("db"), mixed("encryption-config.yaml"));
    let closed = etcdive(["get", &db, "secrets"]);
    assert_eq!(closed.code, 0, "{}", closed.stderr);
    for (name, by) in [
        ("k1-written", "aescbc key1"),
        ("k2-written", "aescbc key2"),
        ("gcm-written", "aesgcm gcm1"),
    ] {
        let line = closed
            .text()
            .lines()
            .find(|line| line.contains(name))
            .unwrap();
        assert!(line.ends_with(&format!("<encrypted: {by}>")), "{line}");
    }
    assert!(closed.text().contains("plain-written   Opaque"));
    assert!(
        closed.stderr.contains("4 values, ")
            && closed.stderr.contains("hint: `--encryption-config"),
        "{}",
        closed.stderr
    );
    let record = etcdive(["get", &db, "secret/gcm-written", "-o", "jsonl"]);
    let record: Value = serde_json::from_str(record.text()).unwrap();
    assert_eq!(record["encrypted"]["provider"], "aesgcm");
    assert_eq!(record["encrypted"]["key_name"], "gcm1");
    assert!(
        record["reason"]
            .as_str()
            .unwrap()
            .contains("no EncryptionConfiguration")
    );
    assert!(record["value_base64"].is_string());
    let open = etcdive(["get", &db, "secrets", "--encryption-config", &config]);
    assert_eq!(
        (open.code, open.text().contains("encrypted")),
        (0, false),
        "{}",
        open.stderr
    );
    let secret = etcdive([
        "get",
        &db,
        "secret/gcm-written",
        "-o",
        "json",
        "--encryption-config",
        &config,
    ]);
    assert_eq!(
        serde_json::from_str::<Value>(secret.text()).unwrap()["kind"],
        "Secret"
    );
}

#[test]
fn every_verb_that_looks_into_values_takes_the_keys() {
    let (db, config) = (mixed("db"), mixed("encryption-config.yaml"));
    let with = |arguments: &[&str]| {
        let run = etcdive(
            arguments
                .iter()
                .copied()
                .chain(["--encryption-config", &config]),
        );
        assert!(run.code < 2, "{arguments:?}: {}", run.stderr);
        (run.text().to_owned(), run.stderr)
    };
    let key = "/registry/secrets/vault-aescbc/s-1";
    let (text, error) = with(&["extract", &db, "-k", key]);
    assert!(text.contains("kind: Secret") && error.is_empty(), "{error}");
    let (listed, _) = with(&["extract", &db, "--filter", ".Value.kind=Secret"]);
    assert_eq!(listed.lines().count(), 7);
    let (log, error) = with(&["log", &db, "secret/s-1"]);
    assert!(
        log.contains("create") && log.contains("2026-11-20T") && !error.contains("encrypted"),
        "{log}{error}"
    );
    let (labelled, _) = with(&["ls", &db, "secrets", "-l", "!none"]);
    assert_eq!(labelled.lines().count(), 7);
    let (analysis, _) = with(&["analyze", &db]);
    assert!(analysis.contains("v1/Secret"), "{analysis}");
    // One value by itself needs its etcd key.
    let raw = etcdive(["extract", &db, "-k", key, "--raw"]);
    let scratch = Scratch::new("get-decode");
    let file = scratch.path().join("value");
    std::fs::write(&file, &raw.stdout).unwrap();
    let file = file.to_str().unwrap();
    let (decoded, _) = with(&["decode", file, "--key", key]);
    assert_eq!(decoded, text);
    let closed = etcdive(["decode", file]);
    assert_eq!(closed.code, 2);
    assert!(
        closed
            .stderr
            .contains("no EncryptionConfiguration was given")
            && closed.stderr.contains("hint: `--encryption-config"),
        "{}",
        closed.stderr
    );
    // Values of Secrets stay masked where somebody looks over the shoulder.
    let (diff, _) = with(&["diff", &db, &db, "secrets"]);
    assert!(diff.is_empty());
}

#[test]
fn a_key_that_does_not_fit_is_reported_for_each_object_and_the_run_goes_on() {
    let (db, scratch) = (mixed("db"), Scratch::new("get-wrong-key"));
    let config = std::fs::read_to_string(mixed("encryption-config.yaml")).unwrap();
    // Another key under the same name, and one key less.
    let wrong = config
        .replace("mzsZq5G4", "AAAAAAAA")
        .lines()
        .filter(|line| !line.contains("key2"))
        .collect::<Vec<_>>()
        .join("\n");
    assert_ne!(wrong, config);
    let file = scratch.path().join("config.yaml");
    std::fs::write(&file, &wrong).unwrap();
    let run = etcdive([
        "get",
        &db,
        "secrets",
        "--encryption-config",
        file.to_str().unwrap(),
    ]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        run.stderr
            .contains("a wrong key of that name, or an altered value"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("has no such key: it has aesgcm"),
        "{}",
        run.stderr
    );
    assert!(
        run.text().contains("gcm-written     Opaque"),
        "{}",
        run.text()
    );
    assert!(!run.stderr.contains("AAAAAAAA"), "a key is quoted");
}
