//! What `cargo metadata` says of the packages that the program is built from. No network is used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licences, as an SPDX expression; empty if it names none.
    pub license: String,
    /// The folder with its source.
    pub folder: PathBuf,
    /// Whether it is one of this workspace.
    pub is_own: bool,
    /// Whether it is part of the program itself; others are for builds and tests.
    pub is_in_program: bool,
}

/// All packages that Cargo.lock can bring in on `target`; on any if none is given.
///
/// # Errors
/// When cargo fails.
pub fn packages(target: Option<&str>) -> Result<Vec<Package>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked"]);
    if let Some(target) = target {
        command.args(["--filter-platform", target]);
    }
    let output = command
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let all: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let in_program = linked(&all);
    let read = list(&all, "packages").iter().map(|package| {
        let id = text(package, "id");
        Package {
            name: text(package, "name").to_owned(),
            version: text(package, "version").to_owned(),
            license: text(package, "license").to_owned(),
            folder: Path::new(text(package, "manifest_path"))
                .parent()
                .map(Path::to_path_buf)
                .unwrap_or_default(),
            is_own: package.get("source").is_none_or(Value::is_null),
            is_in_program: in_program.contains(id),
        }
    });
    let mut packages: Vec<Package> = read.collect();
    packages.sort();
    Ok(packages)
}

/// The ids of the packages that are linked into the program: those that it reaches through normal dependencies, without
/// what is compiled into the compiler (procedural macros).
fn linked(all: &Value) -> BTreeSet<String> {
    let mut macros = BTreeSet::new();
    let mut start = None;
    for package in list(all, "packages") {
        let kinds = list(package, "targets")
            .iter()
            .flat_map(|target| list(target, "kind"));
        if kinds
            .filter_map(Value::as_str)
            .any(|kind| kind == "proc-macro")
        {
            macros.insert(text(package, "id"));
        }
        if text(package, "name") == "etcdive" {
            start = Some(text(package, "id").to_owned());
        }
    }
    let mut needs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in all
        .get("resolve")
        .map_or(&[][..], |resolve| list(resolve, "nodes"))
    {
        let normal = list(node, "deps").iter().filter(|needed| {
            let kinds = list(needed, "dep_kinds");
            kinds
                .iter()
                .any(|kind| kind.get("kind").is_none_or(Value::is_null))
        });
        let ids = normal.map(|needed| text(needed, "pkg"));
        needs.insert(
            text(node, "id"),
            ids.filter(|id| !macros.contains(id)).collect(),
        );
    }
    let mut linked = BTreeSet::new();
    let mut open: Vec<String> = start.into_iter().collect();
    while let Some(id) = open.pop() {
        if linked.insert(id.clone()) {
            let next = needs.get(id.as_str()).into_iter().flatten();
            open.extend(next.map(|id| (*id).to_owned()));
        }
    }
    linked
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
