//! What the command line still uses of `bbolt`, `etcd` and `k8s` past `query`: a list that only becomes shorter.
//!
//! `cli_uses.txt` has, for each file, how many paths of these layers it names, each member of a `use` tree counted.
//! ETCDIVE_BLESS=1 writes the list anew, but never one with a greater sum.

use std::collections::BTreeMap;

use super::uses::Modules;
use crate::support::repository;

const LAYERS: [&str; 3] = ["bbolt", "etcd", "k8s"];

type Counts = BTreeMap<String, usize>;

fn counts(modules: &Modules) -> Counts {
    let mut counts = Counts::new();
    let is_cli = |path: &[String]| path.first().is_some_and(|layer| layer == "cli");
    for (_, module) in modules.0.iter().filter(|(path, _)| is_cli(path)) {
        let is_counted = |used: &&Vec<String>| {
            let layer = used.first().map(String::as_str);
            layer.is_some_and(|layer| LAYERS.contains(&layer))
        };
        let count = module.uses.iter().filter(is_counted).count();
        if count > 0 {
            counts.insert(module.file.clone(), count);
        }
    }
    counts
}

fn parse(list: &str) -> Counts {
    let row = |line: &str| {
        let (count, file) = line.split_once(' ').unwrap();
        (file.to_owned(), count.parse().unwrap())
    };
    list.lines().map(row).collect()
}

#[test]
fn the_command_line_uses_the_layers_below_query_only_as_listed() {
    let path = repository().join("tests/layering/cli_uses.txt");
    let listed = parse(&std::fs::read_to_string(&path).unwrap());
    let modules = Modules::read();
    let files = modules
        .0
        .values()
        .filter(|module| module.file.starts_with("src/cli"));
    assert!(files.count() > 40, "the command line is compared");
    let counted = counts(modules);
    if counted == listed {
        return;
    }
    let (is, was) = (
        counted.values().sum::<usize>(),
        listed.values().sum::<usize>(),
    );
    if std::env::var_os("ETCDIVE_BLESS").is_some() && is <= was {
        let rows = counted
            .iter()
            .map(|(file, count)| format!("{count} {file}\n"));
        std::fs::write(&path, rows.collect::<String>()).unwrap();
        return;
    }
    let mut differences = String::new();
    let mut files: Vec<&String> = counted.keys().chain(listed.keys()).collect();
    files.sort();
    files.dedup();
    for file in files {
        let count = |counts: &Counts| counts.get(file).copied().unwrap_or(0);
        let (is, was) = (count(&counted), count(&listed));
        match is.cmp(&was) {
            std::cmp::Ordering::Less => {
                differences += &format!(
                    "\n{file}: {is} uses, {was} listed: ETCDIVE_BLESS=1 shortens the list"
                );
            }
            std::cmp::Ordering::Greater => {
                differences += &format!("\n{file}: {is} uses, {was} allowed: ask `query` instead");
            }
            std::cmp::Ordering::Equal => {}
        }
    }
    panic!("{is} uses, {was} listed{differences}");
}
