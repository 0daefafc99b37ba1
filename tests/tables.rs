//! No table is larger than its cells: a long key, name or cell makes no panic and no blanks without end.

use serde_json::json;

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive, read_unpacked, testdata};

/// Runs a line of words on a file of `testdata/hostile`.
fn hostile(name: &str, line: &str) -> Run {
    // Tests run at the same time, each with a file of its own.
    let words: String = line.chars().filter(|c| c.is_alphanumeric()).collect();
    let scratch = Scratch::new(&format!("hostile-{words}"));
    let db = scratch.file(
        name,
        &read_unpacked(&testdata("hostile").join(format!("{name}.gz"))),
    );
    let db = db.to_str().unwrap();
    etcdive(
        line.split(' ')
            .map(|word| if word == "DB" { db } else { word }),
    )
}

fn config_map(name: &str) -> Vec<u8> {
    let metadata = json!({"name": name, "namespace": "a"});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        .to_string()
        .into_bytes()
}

/// A store of so many small keys and one that has a name, a namespace and a folder of `wide` characters. Half of
/// the keys are deleted.
fn wide_store(rows: usize, wide: usize) -> Vec<u8> {
    let wide = "w".repeat(wide);
    let mut store = Store::new(Version::V3_6);
    store.put(
        format!("/registry/configmaps/{wide}/{wide}"),
        config_map(&wide),
    );
    store.put(format!("/registry/{wide}/x"), "x");
    for row in 0..rows {
        store.put(format!("/registry/f{row}/x"), "x");
        for name in ["c", "d"] {
            store.put(
                format!("/registry/configmaps/n{row}/{name}"),
                config_map(name),
            );
        }
    }
    for row in 0..rows {
        store.delete(format!("/registry/configmaps/n{row}/d"));
    }
    store.delete(format!("/registry/configmaps/{wide}/{wide}"));
    store.put(
        format!("/registry/configmaps/{wide}/{wide}"),
        config_map(&wide),
    );
    store.builder().build().bytes
}

/// Verbs with a table that has a row for each key, version or folder.
const TABLES: [&str; 12] = [
    "recover DB",
    "log DB",
    "log DB --timeline",
    "log DB --oneline",
    "ls DB --kinds",
    "ls DB --namespaces",
    "get DB configmaps -A",
    "get DB configmaps -A -o wide --show-labels -L a,b",
    "get DB configmaps -A -o custom-columns=NS:.metadata.namespace,N:.metadata.name,K:.kind",
    "diff DB 1..@ --stat",
    "grep DB configmap -i",
    "status DB",
];

#[test]
fn one_wide_cell_pads_no_other_row_and_is_printed_in_full() {
    let (rows, wide) = (400, 20_000);
    let image = wide_store(rows, wide);
    let scratch = Scratch::new("wide-tables");
    let path = scratch.file("db", &image);
    let db = path.to_str().unwrap();
    let cell = "w".repeat(wide);
    let mut with_cell = 0;
    for line in TABLES {
        let run = etcdive(
            line.split(' ')
                .map(|word| if word == "DB" { db } else { word }),
        );
        assert!(run.stdout.len() > 200, "{line}: no table");
        // A row padded to the wide cell alone would be eight megabytes in all.
        let most = 8 * wide + rows * 4 * 200;
        assert!(
            run.stdout.len() < most,
            "{line}: {} bytes",
            run.stdout.len()
        );
        with_cell += usize::from(run.text().contains(&cell));
    }
    assert!(
        with_cell >= TABLES.len() - 2,
        "{with_cell} of {}",
        TABLES.len()
    );
}

#[test]
fn a_key_of_seventy_thousand_characters_has_a_row_in_a_stat() {
    let run = hostile("long-key.db", "diff DB 1..@ --stat");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let widest = run.text().lines().map(str::len).max().unwrap();
    assert!(widest > 65_535, "{widest}");
    assert!(run.text().contains("| created"), "the row is whole");
}

#[test]
fn a_manager_of_seventy_thousand_characters_is_shown_by_its_size() {
    for format in ["table", "jsonl"] {
        let line = format!("blame DB /registry/configmaps/a/c -o {format}");
        let run = hostile("long-manager.db", &line);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.text().lines().count() > 5, "{}", run.text());
        let named = run.text().lines();
        let named = named.filter(|line| line.contains("<70000 bytes, not a name>"));
        assert!(
            named.count() > 0,
            "the size of the name is shown: {}",
            run.text()
        );
        for line in run.text().lines() {
            assert!(line.len() < 1000, "{} bytes: {line}", line.len());
        }
    }
}

#[test]
fn columns_of_a_definition_that_multiply_give_up_with_a_note() {
    let run = hostile("crd-columns.db", "get DB foo0s");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let rows: Vec<&str> = run.text().lines().skip(1).collect();
    assert!(rows.len() > 5, "{}", run.text());
    for (index, row) in rows.iter().enumerate() {
        let words: Vec<&str> = row.split_whitespace().collect();
        assert!(words[1].starts_with('c'), "row {index} has no name: {row}");
        assert_eq!(words[2..4], ["<too", "expensive>"], "{row}");
    }
    let note = run
        .stderr
        .lines()
        .find(|line| line.contains("<too expensive>"));
    let note = note.unwrap();
    assert!(
        note.contains("foo0s.g.io") && note.contains("\"C0\""),
        "{note}"
    );
}

#[test]
fn a_typed_path_that_multiplies_is_an_error_and_never_a_part_of_the_answer() {
    for line in [
        "get DB foo0s -o jsonpath={..a..a..a..a}",
        "get DB foo0s -o custom-columns=N:.metadata.name,A:..a..a..a..a",
        "get DB foo0s --sort-by=..a..a..a..a",
    ] {
        let run = hostile("crd-columns.db", line);
        assert_eq!(run.code, 2, "{line}: {}", run.stderr);
        assert!(run.stdout.is_empty(), "{line}");
        assert!(
            run.stderr.contains("too many steps"),
            "{line}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_configuration_that_is_nested_too_deeply_is_refused_at_once() {
    let scratch = Scratch::new("deep-config");
    let config = read_unpacked(&testdata("hostile").join("deep-config.yaml.gz"));
    let config = scratch.file("config.yaml", &config.repeat(10));
    let db = scratch.file("db", &wide_store(1, 1));
    let run = etcdive([
        "get",
        db.to_str().unwrap(),
        "configmaps",
        "--encryption-config",
        config.to_str().unwrap(),
    ]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("nested too deeply"), "{}", run.stderr);
}
