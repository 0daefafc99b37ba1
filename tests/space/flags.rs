//! Every flag of `du` changes what it says.

use serde_json::Value;

use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::k8s::{Manager, Meta, config_map};
use crate::support::{Run, Scratch, etcdive, testdata};

const FULL: &str = "testdata/guides/no-space/full.db";

fn run(line: &str) -> Run {
    let run = etcdive(line.split_whitespace());
    assert_eq!(run.code, 0, "{line}: {}", run.stderr);
    run
}

fn json(line: &str) -> Value {
    serde_json::from_slice(&run(line).stdout).unwrap()
}

/// The names of rows with their total bytes.
fn rows(answer: &Value, field: &str) -> Vec<(String, u64)> {
    let rows = answer["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        let name = row.get(field).or(row.get("other")).unwrap();
        let total = row["total_bytes"].as_u64().unwrap();
        (name.as_str().unwrap().to_owned(), total)
    })
    .collect()
}

fn names(line: &str, field: &str) -> Vec<String> {
    let rows = rows(&json(line), field).into_iter();
    rows.map(|(name, _)| name).collect()
}

#[test]
fn by_names_what_rows_are_grouped_by() {
    let of = |by: &str, field: &str| names(&format!("du {FULL} -o json --by {by}"), field);
    assert_eq!(
        of("resource", "resource"),
        [
            "builds.ci.example.com",
            "configmaps",
            "customresourcedefinitions.apiextensions.k8s.io",
            "namespaces"
        ]
    );
    assert_eq!(
        of("namespace", "namespace"),
        ["ci", "(cluster-scoped)", "shop"]
    );
    assert_eq!(
        of("group", "group"),
        ["ci.example.com", "", "apiextensions.k8s.io"]
    );
    assert_eq!(
        of("prefix", "prefix"),
        [
            "/registry/ci.example.com/",
            "/registry/configmaps/",
            "/registry/apiextensions.k8s.io/",
            "/registry/namespaces/"
        ]
    );
    assert_eq!(
        of("key", "key")[0],
        "/registry/ci.example.com/builds/ci/main"
    );
    assert_eq!(of("manager", "manager")[0], "build-controller");
    assert_eq!(bucket_names("--by bucket")[..2], ["key", ""]);
}

/// The paths of buckets.
fn bucket_names(more: &str) -> Vec<String> {
    let answer = json(&format!("du {FULL} -o json {more}"));
    let rows = answer["rows"].as_array().unwrap().iter();
    let name = |row: &Value| {
        row.get("bucket")
            .or(row.get("other"))?
            .as_str()
            .map(str::to_owned)
    };
    rows.map(|row| name(row).unwrap()).collect()
}

#[test]
fn depth_is_the_number_of_parts_of_a_prefix() {
    let of = |depth: &str| {
        names(
            &format!("du {FULL} -o json --by prefix --depth {depth}"),
            "prefix",
        )
    };
    assert_eq!(of("1"), ["/registry/"]);
    assert_eq!(of("3")[0], "/registry/ci.example.com/builds/");
    assert!(of("9").len() == 10, "the keys themselves");
}

#[test]
fn sort_names_the_order() {
    let answer = json(&format!("du {FULL} -o json --by key"));
    let all = answer["rows"].as_array().unwrap();
    let mut compared = 0;
    for (sort, field) in [
        ("total", "total_bytes"),
        ("live", "live_bytes"),
        ("history", "history_bytes"),
        ("revisions", "revisions"),
        ("tombstones", "tombstones"),
        ("keys", "keys"),
    ] {
        let mut expected: Vec<&Value> = all.iter().collect();
        expected.sort_by_key(|row| row["key"].as_str().unwrap());
        expected.sort_by_key(|row| std::cmp::Reverse(row[field].as_u64().unwrap()));
        let keys = expected.iter().map(|row| row["key"].as_str().unwrap());
        let got = names(&format!("du {FULL} -o json --by key --sort {sort}"), "key");
        assert_eq!(got, keys.collect::<Vec<_>>(), "{sort}");
        compared += 1;
    }
    let by_name = names(&format!("du {FULL} -o json --by key --sort name"), "key");
    assert!(by_name.is_sorted() && by_name.len() == 10 && compared == 6);
}

#[test]
fn limit_puts_the_other_rows_into_one() {
    let all = rows(&json(&format!("du {FULL} -o json --by key")), "key");
    let some = rows(
        &json(&format!("du {FULL} -o json --by key --limit 3")),
        "key",
    );
    let rest = all[3..].iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(some[..3], all[..3]);
    assert_eq!(some[3..], [("(7 more)".to_owned(), rest)]);
    let none = rows(
        &json(&format!("du {FULL} -o json --by key --limit 0")),
        "key",
    );
    assert_eq!(none, all);
    assert_eq!(bucket_names("--by bucket --limit 1"), ["key", "(10 more)"]);
    let table = run(&format!("du {FULL} --by bucket --limit 1"));
    assert!(table.text().contains("(10 more)"), "{}", table.text());
}

#[test]
fn a_table_has_twenty_rows_unless_limit_asks_for_others() {
    let mut store = Store::new(Version::V3_6);
    for n in 0..30 {
        store.put(format!("/app/{n:02}/a"), "x");
    }
    let scratch = Scratch::new("space-limit");
    let path = scratch.file("db", &store.builder().build().bytes);
    let text = |more: &str| {
        run(&format!("du {} {more}", path.display()))
            .text()
            .to_owned()
    };
    let of = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("/app/"))
            .count()
    };
    assert_eq!(of(&text("")), 20);
    assert!(text("").contains("(10 more)"));
    assert_eq!(of(&text("--limit 0")), 30);
    assert_eq!(of(&text("--limit 5 -o wide")), 5);
}

#[test]
fn metadata_is_measured_if_it_is_asked_for() {
    let object = |fields: &str, annotation: &str| {
        let meta = Meta {
            name: "a".to_owned(),
            namespace: "shop".to_owned(),
            annotations: vec![(
                "kubectl.kubernetes.io/last-applied-configuration".to_owned(),
                annotation.to_owned(),
            )],
            managed: vec![Manager {
                name: "kubectl".to_owned(),
                operation: "Update".to_owned(),
                fields: fields.to_owned(),
                time: 1_700_000_000,
                ..Manager::default()
            }],
            ..Meta::default()
        };
        config_map(&meta, &[])
    };
    let measured = |fields: usize, annotation: usize| {
        let fields = format!("{{\"f:{}\":{{}}}}", "x".repeat(fields));
        let value = object(&fields, &"y".repeat(annotation));
        let mut store = Store::new(Version::V3_6);
        // Only the live value counts.
        store.put("/registry/configmaps/shop/a", object("{}", ""));
        store.put("/registry/configmaps/shop/a", value.clone());
        store.put("/registry/other", "text");
        let scratch = Scratch::new("space-metadata");
        let path = scratch.file("db", &store.builder().build().bytes);
        let answer = json(&format!("du {} -o json --metadata", path.display()));
        let plain = json(&format!("du {} -o json", path.display()));
        assert_eq!(plain.get("metadata"), None);
        let share = answer["metadata"].clone();
        assert_eq!(share["objects"], 1);
        assert_eq!(share["not_measured"], 1);
        assert_eq!(share["value_bytes"], value.len());
        let table = run(&format!("du {} --metadata", path.display()));
        assert!(table.text().contains("last-applied-configuration"));
        let of = |name: &str| share[name].as_u64().unwrap();
        [
            of("managed_fields_bytes"),
            of("annotations_bytes"),
            of("last_applied_bytes"),
        ]
    };
    let (small, large) = (measured(200, 200), measured(300, 250));
    assert_eq!(large[0] - small[0], 100);
    assert_eq!(large[1] - small[1], 50);
    assert_eq!(large[2] - small[2], 50);
}

#[test]
fn every_format_has_the_same_numbers() {
    let answer = json(&format!("du {FULL} -o json"));
    let lines = run(&format!("du {FULL} -o jsonl"));
    let lines: Vec<Value> = lines
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let parts = answer["parts"].as_array().unwrap();
    let all = parts.iter().chain(answer["rows"].as_array().unwrap());
    assert_eq!(lines, all.cloned().collect::<Vec<_>>());
    let table = run(&format!("du {FULL}"));
    let file = std::fs::metadata(testdata("guides/no-space/full.db"))
        .unwrap()
        .len();
    let total = table.text().lines().find(|line| line.starts_with("total"));
    assert!(total.unwrap().contains(&file.to_string()));
    for part in parts.iter().filter(|part| part["bytes"] != 0) {
        let bytes = format!(" {} ", part["bytes"]);
        assert!(table.text().contains(&bytes), "{part}");
    }
    assert_eq!(answer["file_bytes"], file);
}

#[test]
fn encrypted_values_are_decrypted_for_managers() {
    let db = "testdata/healthy/k8s-encrypted/mixed.db";
    let of = |more: &str| names(&format!("du {db} -o json --by manager {more}"), "manager");
    assert!(of("").contains(&"(encrypted)".to_owned()), "{:?}", of(""));
    let config = crate::support::truth::config_of(&testdata("healthy/k8s-encrypted/mixed.db"));
    let with_keys = of(&format!("--encryption-config {}", config.display()));
    assert!(
        !with_keys.contains(&"(encrypted)".to_owned()),
        "{with_keys:?}"
    );
}

#[test]
fn hints_say_what_compaction_and_defragmentation_give_back() {
    let run = run(&format!("du {FULL}"));
    let expected = [
        "`etcdctl compact 39`, then `etcdctl defrag` on each member: this frees 135 kB of history",
        "`etcdctl alarm disarm`",
    ];
    for text in expected {
        assert!(run.stderr.contains(text), "{}", run.stderr);
    }
    let after = etcdive(["du", "testdata/guides/no-space/compacted.db"]);
    assert!(
        !after.stderr.contains("etcdctl compact"),
        "{}",
        after.stderr
    );
    let freed = "`etcdctl defrag` on each member frees about ";
    assert!(after.stderr.contains(freed), "{}", after.stderr);
}

#[test]
fn a_limit_adds_up_the_buckets_that_it_leaves_out() {
    let whole = json(&format!("du {FULL} --by bucket -o json"));
    let short = json(&format!("du {FULL} --by bucket --limit 2 -o json"));
    let (whole, short) = (
        whole["rows"].as_array().unwrap(),
        short["rows"].as_array().unwrap(),
    );
    assert!(whole.len() > 4 && short.len() == 3, "{short:?}");
    assert_eq!(short[..2], whole[..2]);
    let rest = whole.len() - 2;
    assert_eq!(short[2]["other"], format!("({rest} more)"));
    for field in ["page_bytes", "keys", "key_bytes", "value_bytes"] {
        let sum = |rows: &[Value]| -> u64 {
            let values = rows.iter().map(|row| row[field].as_u64().unwrap());
            values.sum()
        };
        assert_eq!(sum(short), sum(whole), "{field}");
    }
    let table = run(&format!("du {FULL} --by bucket --limit 2 -o wide"));
    let row = table.text().lines().find(|line| line.contains(" more)"));
    assert!(row.unwrap().contains('%'), "{}", table.text());
}

#[test]
fn buckets_are_sorted_by_name_or_keys() {
    let rows = |sort: &str| -> Vec<(String, u64)> {
        let answer = json(&format!("du {FULL} --by bucket --sort {sort} -o json"));
        let rows = answer["rows"].as_array().unwrap().iter();
        rows.map(|row| {
            let name = row["bucket"].as_str().unwrap().to_owned();
            (name, row["keys"].as_u64().unwrap())
        })
        .collect()
    };
    let (names, keys) = (rows("name"), rows("keys"));
    assert!(names.is_sorted_by_key(|row| row.0.clone()), "{names:?}");
    assert!(
        keys.is_sorted_by_key(|row| std::cmp::Reverse(row.1)),
        "{keys:?}"
    );
    assert_ne!(names, keys);
}

#[test]
fn bytes_after_the_sha_256_have_a_row_of_their_own() {
    let after = std::fs::read(testdata("trailer/newline.db")).unwrap();
    let run = etcdive(["du", "testdata/trailer/newline.db", "-o", "json"]);
    let answer: Value = serde_json::from_slice(&run.stdout).unwrap();
    let bytes = |part: &str| {
        let mut parts = answer["parts"].as_array().unwrap().iter();
        let found = parts.find(|row| row["part"] == part);
        found.unwrap()["bytes"].as_u64().unwrap()
    };
    assert_eq!((bytes("trailer"), bytes("after_trailer")), (32, 1));
    assert_eq!(after.len() as u64 % 512, 33);
    let table = etcdive(["du", "testdata/trailer/newline.db"]);
    assert!(
        table.text().contains("bytes after the SHA-256"),
        "{}",
        table.text()
    );
}

#[test]
fn a_file_of_another_program_is_shown_by_bucket() {
    let run = run("du testdata/foreign/containerd.db");
    assert!(run.text().contains("BUCKET"), "{}", run.text());
    assert!(
        run.text().contains("v1/k8s.io/containers "),
        "{}",
        run.text()
    );
    let refused = etcdive(["du", "testdata/foreign/containerd.db", "--by", "key"]);
    assert_eq!(refused.code, 2);
}

#[test]
fn an_empty_store_has_no_rows_and_adds_up() {
    let scratch = Scratch::new("space-empty");
    let path = scratch.file("db", &Store::new(Version::V3_6).builder().build().bytes);
    let answer = json(&format!("du {} -o json", path.display()));
    assert_eq!(answer["rows"], serde_json::json!([]));
    let parts = answer["parts"].as_array().unwrap().iter();
    let sum: u64 = parts.map(|part| part["bytes"].as_u64().unwrap()).sum();
    assert_eq!(sum, std::fs::metadata(&path).unwrap().len());
}
