//! Every console block of the README is run: what it shows is what the program prints.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{assert_same, etcdive_line, repository};

/// The commands of the console blocks, each with what it is shown to print.
fn shown_commands(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines() {
            match (line.strip_prefix("$ etcdive "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => output.push_str(&format!("{line}\n")),
                (None, None) => panic!("a console block starts with $ etcdive: {line}"),
            }
        }
    }
    commands
}

#[test]
fn every_console_block_shows_what_is_printed() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let commands = shown_commands(&readme);
    assert!(commands.len() > 5);
    for (command, output) in commands {
        let run = etcdive_line(&command);
        assert_same(output.as_bytes(), &run.stdout, &command);
        assert!(run.code < 2, "{command}: {}", run.stderr);
    }
}

#[test]
fn the_two_commands_of_the_readme_are_the_right_ones() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let block = readme
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let lines: Vec<&str> = block.lines().collect();
    let [run, test] = lines[..] else {
        panic!("two commands do all the set-up: {block}")
    };
    assert_eq!(test, "cargo test");
    let ours = etcdive_line(run.strip_prefix("cargo run --release -- ").unwrap());
    assert_eq!((ours.code, ours.text().lines().count()), (0, 5));
}

#[test]
fn the_figures_of_the_readme_are_those_of_the_table() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    assert!(readme.contains(&format!("{} in all", etcdive::k8s::schema::kinds().len())));
}

#[test]
fn every_file_the_readme_names_is_there() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let mut named = 0;
    for link in readme.split("](").skip(1) {
        let path = link.split(')').next().unwrap();
        assert!(repository().join(path).exists(), "{path}");
        named += 1;
    }
    assert!(named > 0);
}

#[derive(Default)]
struct Group {
    kinds: BTreeSet<&'static str>,
    versions: BTreeMap<&'static str, (u8, u8)>,
}

/// One row a group: its versions, each with the first and the last release of the merged types.
fn coverage_rows() -> Vec<String> {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for kind in etcdive::k8s::schema::kinds() {
        if kind.kind.ends_with("List") {
            continue;
        }
        let group = groups.entry(kind.group).or_default();
        group.kinds.insert(kind.kind);
        let (first, last) = group
            .versions
            .entry(kind.version)
            .or_insert((kind.first_minor, kind.last_minor));
        *first = kind.first_minor.min(*first);
        *last = kind.last_minor.max(*last);
    }
    let row = |(name, group): (&str, Group)| {
        let name = if name.is_empty() { "core" } else { name };
        let versions: Vec<String> = group
            .versions
            .into_iter()
            .map(|(version, (first, last))| format!("{version} (1.{first} to 1.{last})"))
            .collect();
        format!(
            "| {name} | {} | {} |",
            group.kinds.len(),
            versions.join(", ")
        )
    };
    groups.into_iter().map(row).collect()
}

#[test]
fn the_table_of_what_is_covered_is_that_of_the_schema() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let rows = coverage_rows();
    assert!(rows.len() > 20);
    for row in &rows {
        assert!(
            readme.contains(row),
            "not in the README:\n{}",
            rows.join("\n")
        );
    }
}

#[test]
fn every_row_of_the_table_from_etcdctl_is_answered() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let table = std::fs::read_to_string(repository().join("docs/from-etcdctl.md")).unwrap();
    assert!(
        readme.contains(table.trim_end()),
        "the README has the table of docs/from-etcdctl.md"
    );
    let mut rows = 0;
    for line in table.lines().skip(2) {
        let command = line.split('`').rev().nth(1).unwrap();
        let command = command.strip_prefix("etcdive ").unwrap();
        let command = command.replacen(" DB", " testdata/healthy/k8s/after.db", 1);
        let run = etcdive_line(&command);
        // diff answers 1: something differs.
        assert!(
            run.code < 2 && !run.stdout.is_empty(),
            "{command}: {}",
            run.stderr
        );
        rows += 1;
    }
    assert!(rows > 20);
}
