//! No circles: neither between the folders of a folder, nor between its files.
//!
//! In each folder a unit is a file with all that is below it (`diff.rs` and `diff/`). Unit A uses unit B if any file
//! of A uses any file of B. A file may use its parent (`diff/lists.rs` uses `diff.rs`) and the parent its files.

use std::collections::{BTreeMap, BTreeSet};

use super::uses::{Modules, modules_of};

/// Circles that are still there, as a folder and its units. The list only becomes shorter.
const ALLOWED: &[(&str, &[&str])] = &[];

/// For each unit of a folder the units that it uses, with the files of each use.
type Graph = BTreeMap<String, BTreeMap<String, Vec<(String, String)>>>;

/// The graphs of all folders by the folder's module path; the crate's own is "".
fn graphs(modules: &Modules) -> BTreeMap<String, Graph> {
    let mut graphs: BTreeMap<String, Graph> = BTreeMap::new();
    for (path, module) in &modules.0 {
        for used in modules.used_by(path) {
            let shared = path.iter().zip(used).take_while(|(a, b)| a == b).count();
            // Where the paths part is the one folder that has them in two units.
            let (Some(own), Some(other)) = (path.get(shared), used.get(shared)) else {
                continue;
            };
            let graph = graphs.entry(path[..shared].join("::")).or_default();
            let units = graph.entry(own.clone()).or_default();
            let files = (module.file.clone(), modules.0[used].file.clone());
            units.entry(other.clone()).or_default().push(files);
        }
    }
    graphs
}

/// The units that are reached from a unit.
fn reached<'g>(graph: &'g Graph, from: &str) -> BTreeSet<&'g str> {
    let mut found = BTreeSet::new();
    let mut left = vec![from];
    while let Some(unit) = left.pop() {
        for used in graph.get(unit).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(used.as_str()) {
                left.push(used);
            }
        }
    }
    found
}

/// The circles of a graph: units that all reach each other.
fn circles(graph: &Graph) -> BTreeSet<Vec<&str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = graph
        .keys()
        .map(|unit| (unit.as_str(), reached(graph, unit)))
        .collect();
    let circle = |unit: &&str| -> Option<Vec<&str>> {
        let there = reached[unit].iter().copied();
        let circle: Vec<&str> = there
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(unit)))
            .collect();
        (circle.len() > 1).then_some(circle)
    };
    reached.keys().filter_map(circle).collect()
}

/// The uses that make a circle, one per line.
fn edges(graph: &Graph, circle: &[&str]) -> String {
    let mut lines = String::new();
    for unit in circle {
        for (used, files) in &graph[*unit] {
            if circle.contains(&used.as_str()) {
                for (from, to) in files {
                    lines += &format!("\n    {unit} -> {used}: {from} uses {to}");
                }
            }
        }
    }
    lines
}

#[test]
fn no_circles_between_the_files_and_folders_of_a_folder() {
    let modules = Modules::read();
    let graphs = graphs(modules);
    let edges_of = |graph: &Graph| graph.values().map(BTreeMap::len).sum::<usize>();
    let compared: usize = graphs.values().map(edges_of).sum();
    assert!(
        graphs.len() > 20 && compared > 300,
        "compared {} folders with {compared} uses between their files: too few",
        graphs.len()
    );
    let mut found = String::new();
    let mut allowed = ALLOWED.to_vec();
    for (folder, graph) in &graphs {
        for circle in circles(graph) {
            let before = allowed.len();
            allowed.retain(|listed| *listed != (folder.as_str(), circle.as_slice()));
            if allowed.len() == before {
                let edges = edges(graph, &circle);
                found += &format!("\ncircle in src/{folder}: {}{edges}", circle.join(", "));
            }
        }
    }
    assert!(found.is_empty(), "{found}");
    assert!(
        allowed.is_empty(),
        "remove from the list, there is no such circle: {allowed:?}"
    );
}

#[test]
fn a_circle_is_found_with_its_uses() {
    let modules = modules_of(&[
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", "mod x; mod y; mod z; mod free;"),
        ("src/a/x.rs", "use super::y::Y;"),
        ("src/a/y.rs", "fn f() { super::z::inner::run() }"),
        ("src/a/z.rs", "mod inner; use super::free::F;"),
        ("src/a/z/inner.rs", "use crate::a::x::X; use super::Z;"),
        ("src/a/free.rs", "use crate::b::B;"),
        ("src/b.rs", ""),
    ]);
    let graphs = graphs(&modules);
    let found: Vec<_> = graphs.values().flat_map(circles).collect();
    assert_eq!(found, [["x", "y", "z"]]);
    assert_eq!(
        edges(&graphs["a"], &found[0]),
        "\n    x -> y: src/a/x.rs uses src/a/y.rs\
         \n    y -> z: src/a/y.rs uses src/a/z/inner.rs\
         \n    z -> x: src/a/z/inner.rs uses src/a/x.rs"
    );
}
