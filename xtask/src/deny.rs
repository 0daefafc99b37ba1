//! Which licences and which duplicate versions the dependencies may have. What is not in these lists fails: a new one is
//! added here with its reason, or not at all.

use std::collections::BTreeMap;

use crate::metadata::{Package, packages};

/// The licences that may be linked into the program: all allow it without conditions but to keep their text, which the
/// archive of `cargo xtask dist` does.
const LICENSES: [(&str, &str); 9] = [
    ("MIT", "keep the text"),
    ("Apache-2.0", "the licence of this project"),
    (
        "Apache-2.0 WITH LLVM-exception",
        "no condition for linked code",
    ),
    ("0BSD", "no condition"),
    ("BSL-1.0", "no condition for binaries"),
    ("bzip2-1.0.6", "of bzip2, like BSD's; keep the text"),
    ("Unicode-3.0", "tables of Unicode; keep the text"),
    ("Unlicense", "public domain"),
    ("Zlib", "no condition for binaries"),
];

/// The crates that are in Cargo.lock in several versions.
const DUPLICATES: [(&str, &str); 2] = [
    (
        "base64",
        "k8s-openapi uses 0.22 for ByteString; the program itself uses the newest",
    ),
    (
        "syn",
        "derive macros are moving from 2 to 3; only the compiler runs them",
    ),
];

/// Checks all packages of Cargo.lock.
///
/// # Errors
/// The packages that are not allowed, one per line.
pub fn check() -> Result<(), String> {
    let packages = packages(None)?;
    let mut wrong = refused(&packages);
    wrong.extend(duplicates(&packages));
    if wrong.is_empty() {
        eprintln!(
            "{} packages, no other licence and no other duplicate",
            packages.len()
        );
        return Ok(());
    }
    Err(wrong.join("\n"))
}

/// The packages without an allowed licence.
fn refused(packages: &[Package]) -> Vec<String> {
    let others = packages.iter().filter(|package| !package.is_own);
    let refused = others.filter(|package| !is_allowed(&package.license));
    let line = |package: &Package| {
        let license = match package.license.as_str() {
            "" => "no licence",
            license => license,
        };
        format!(
            "{} {}: {license} is not in the list of xtask/src/deny.rs",
            package.name, package.version
        )
    };
    refused.map(line).collect()
}

/// Whether an SPDX expression can be met: of `A OR B` by one, of `A AND B` by both. Older crates write `A/B` for OR.
fn is_allowed(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let parts = expression
        .split(" AND ")
        .map(|part| part.trim_matches(['(', ')', ' ']).to_owned());
    let mut parts = parts.peekable();
    parts.peek().is_some()
        && parts.all(|part| {
            let mut any = part.split(" OR ");
            any.any(|license| {
                LICENSES
                    .iter()
                    .any(|(allowed, _)| *allowed == license.trim())
            })
        })
}

/// The crates with several versions that are not expected, and the expected ones that have only one.
fn duplicates(packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        versions
            .entry(&package.name)
            .or_default()
            .push(&package.version);
    }
    let is_expected = |name: &str| DUPLICATES.iter().any(|(known, _)| *known == name);
    let several = versions
        .iter()
        .filter(|(name, all)| all.len() > 1 && !is_expected(name));
    let mut wrong: Vec<String> = several
        .map(|(name, all)| {
            format!(
                "{name}: versions {}; one is enough, or xtask/src/deny.rs has the reason",
                all.join(", ")
            )
        })
        .collect();
    for (name, _) in DUPLICATES {
        if versions.get(name).is_none_or(|all| all.len() < 2) {
            wrong.push(format!(
                "{name}: no duplicate any more, take it out of xtask/src/deny.rs"
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, license: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: license.to_owned(),
            folder: Default::default(),
            is_own: false,
            is_in_program: true,
        }
    }

    #[test]
    fn a_licence_that_is_not_in_the_list_is_refused() {
        for (license, allowed) in [
            ("MIT", true),
            ("MIT/Apache-2.0", true),
            ("GPL-3.0 OR MIT", true),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
            ("MIT AND GPL-3.0", false),
            ("GPL-3.0", false),
            ("", false),
        ] {
            let refused = refused(&[package("a", "1.0.0", license)]);
            assert_eq!(refused.is_empty(), allowed, "{license}: {refused:?}");
        }
    }

    #[test]
    fn a_second_version_of_a_crate_is_refused() {
        let mut all = vec![
            package("base64", "1.0.0", "MIT"),
            package("base64", "2.0.0", "MIT"),
            package("syn", "1.0.0", "MIT"),
            package("syn", "2.0.0", "MIT"),
        ];
        assert_eq!(duplicates(&all), Vec::<String>::new());
        all.push(package("other", "1.0.0", "MIT"));
        all.push(package("other", "1.1.0", "MIT"));
        assert_eq!(duplicates(&all).len(), 1);
        assert_eq!(duplicates(&all[1..4]).len(), 1, "an expected one is gone");
    }
}
