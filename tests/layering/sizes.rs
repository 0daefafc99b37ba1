//! How long files and functions may be.

use super::source::{Source, all_sources, crate_sources, item_end};

/// Lines of a file.
const MOST_LINES: usize = 800;

/// Lines of a function, from its name to its closing brace.
const MOST_FUNCTION_LINES: usize = 70;

/// Generated files.
const GENERATED: &[&str] = &["src/k8s/schema/table.rs"];

/// Functions that are still too long. The list only becomes shorter.
const LONG: &[(&str, &str)] = &[];

#[test]
fn no_file_is_too_long() {
    let mut long = Vec::new();
    for Source { path, text, .. } in all_sources() {
        let lines = text.lines().count();
        if lines > MOST_LINES && !GENERATED.contains(&path.as_str()) {
            long.push(format!("{path}: {lines} lines"));
        }
    }
    assert!(
        long.is_empty(),
        "split by subject, {MOST_LINES} lines at most: {long:#?}"
    );
}

#[test]
fn no_function_is_too_long() {
    let name = regex::Regex::new(r"\bfn (\w+)").unwrap();
    let (mut compared, mut long) = (0, Vec::new());
    for Source { path, code, .. } in crate_sources() {
        for found in name.captures_iter(code) {
            let start = found.get(0).unwrap().start();
            let lines = code[start..item_end(code, start)].lines().count();
            if lines > MOST_FUNCTION_LINES {
                long.push((path.as_str(), found.get(1).unwrap().as_str(), lines));
            }
            compared += 1;
        }
    }
    assert!(compared > 3000, "compared {compared} functions");
    let names: Vec<_> = long.iter().map(|(path, name, _)| (*path, *name)).collect();
    assert_eq!(
        names, LONG,
        "{MOST_FUNCTION_LINES} lines at most, and the list has only what is longer: {long:#?}"
    );
}
