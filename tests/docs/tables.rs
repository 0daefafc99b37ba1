//! Tables of the documentation against what they list: the schema table, the verbs, commands of other programs.

use std::collections::{BTreeMap, BTreeSet};

use super::Document;
use crate::support::{Scratch, etcdive_line};

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
        // Kubernetes' own kinds are merged from 1.16 on.
        let name = match kind.group {
            "" if kind.first_minor < 16 => "core, OpenShift 3",
            "" => "core",
            group => group,
        };
        let group = groups.entry(name).or_default();
        group.kinds.insert(kind.kind);
        let (first, last) = group
            .versions
            .entry(kind.version)
            .or_insert((kind.first_minor, kind.last_minor));
        *first = kind.first_minor.min(*first);
        *last = kind.last_minor.max(*last);
    }
    let row = |(name, group): (&str, Group)| {
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
    let page = Document::read("docs/reference/coverage.md").text;
    let rows = coverage_rows();
    assert!(rows.len() > 20);
    for row in &rows {
        assert!(page.contains(row), "not in the page:\n{}", rows.join("\n"));
    }
    let kinds = etcdive::k8s::schema::kinds().len();
    assert!(
        page.contains(&format!("{kinds} kinds and versions")),
        "{kinds}"
    );
}

/// Pages with a table whose last column is a command, and how many there are at least.
const TABLES: [(&str, usize); 4] = [
    ("README.md", 5),
    ("docs/guides/no-space.md", 4),
    ("docs/reference/from-etcdctl.md", 20),
    ("docs/reference/comparison.md", 15),
];

/// The commands of etcdive in a table's last column, on a database of the repository.
fn commands(page: &Document) -> Vec<String> {
    let rows = page.text.lines().filter(|line| line.starts_with("| "));
    let last = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let commands = last.filter_map(|cell| cell.strip_prefix("`etcdive ")?.strip_suffix('`'));
    let db = " testdata/healthy/k8s/after.db";
    let commands = commands.map(|command| command.replacen(" DB", db, 1));
    let before = " testdata/healthy/k8s/before.db";
    commands
        .map(|command| command.replacen(" OLD NEW", &[before, db].concat(), 1))
        .collect()
}

#[test]
fn every_command_in_a_table_gives_an_answer() {
    for (name, least) in TABLES {
        let scratch = Scratch::new("tables");
        let commands = commands(&Document::read(name));
        assert!(
            commands.len() >= least,
            "{name}: {} commands",
            commands.len()
        );
        for (index, command) in commands.iter().enumerate() {
            // What a command writes is written into a folder of its own.
            let new = scratch.path().join(format!("{index}-"));
            let command = command.replace(" NEW", &format!(" {}NEW", new.display()));
            let run = etcdive_line(&command.replace('\'', ""));
            // diff answers 1: something differs.
            assert!(
                run.code < 2 && !run.stdout.is_empty(),
                "{name}: {command}: {}",
                run.stderr
            );
        }
    }
}

#[test]
fn every_verb_is_in_the_list_of_verbs() {
    let page = Document::read("docs/reference/verbs.md").text;
    let listed = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', ' ']).next());
    let listed: BTreeSet<&str> = listed.filter(|word| !word.starts_with('-')).collect();
    let command = <etcdive::cli::Cli as clap::CommandFactory>::command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let verbs: BTreeSet<&str> = verbs.map(clap::Command::get_name).collect();
    assert!(verbs.len() > 15);
    assert_eq!(listed, verbs);
}
