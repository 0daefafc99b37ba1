//! The databases of the folder `testdata`, for tests that read all of them.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

/// The files whose names end in one of `endings`, in the order of their paths.
pub fn databases(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    add(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata")),
        endings,
        &mut found,
    );
    found.sort();
    found
}

fn add(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy();
        if path.is_dir() {
            add(&path, endings, found);
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path.clone());
        }
    }
}
