//! A layer knows only the ones before it.

use crate::support::{files_below, repository};

/// The layers from the bytes up; what stands in one line may use all before it and itself.
const LAYERS: [&str; 13] = [
    "bytes", "named", "near", "wire", "diag", "sniff", "go", "source", "bbolt", "etcd", "k8s",
    "query", "view",
];

#[test]
fn a_layer_uses_only_the_ones_before_it() {
    let source = repository().join("src");
    let mut uses = 0;
    for path in files_below(&source) {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let relative = path
            .strip_prefix(&source)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let layer = relative.split(['/', '.']).next().unwrap().to_owned();
        let Some(own) = LAYERS.iter().position(|name| *name == layer) else {
            assert!(
                ["main", "lib", "cli", "error"].contains(&layer.as_str()),
                "src/{relative} is in no layer"
            );
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        for used in text.split("crate::").skip(1) {
            let name: String = used
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            assert_ne!(name, "cli", "src/{relative} uses the command line");
            if let Some(other) = LAYERS.iter().position(|layer| *layer == name) {
                assert!(
                    other <= own,
                    "src/{relative} uses {name}, which lies above {layer}"
                );
                uses += 1;
            }
        }
        for forbidden in [
            "println!",
            "eprintln!",
            "std::env::",
            "SystemTime::now",
            "process::exit",
        ] {
            let outside_tests = text
                .split("#[cfg(test)]")
                .next()
                .unwrap()
                .split("#[cfg(all(test")
                .next()
                .unwrap();
            assert!(
                !outside_tests.contains(forbidden),
                "src/{relative}: only the command line may {forbidden}"
            );
        }
    }
    assert!(uses > 20, "the rule is checked on something");
}

#[test]
fn unsafe_is_only_in_the_guard_of_the_map() {
    for path in files_below(&repository().join("src")) {
        let is_guard = path.ends_with("src/source/guard.rs");
        if path.extension().is_some_and(|extension| extension == "rs") && !is_guard {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            assert!(
                !code.into_iter().any(|line| line.contains("unsafe ")),
                "{}",
                path.display()
            );
        }
    }
}

/// Each source file's path below `src`, and its text without the tests.
fn code() -> impl Iterator<Item = (String, String)> {
    let root = repository().join("src");
    files_below(&root).into_iter().filter_map(move |path| {
        let relative = path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let text = relative
            .ends_with(".rs")
            .then(|| std::fs::read_to_string(&path).unwrap())?;
        let tests = text
            .find("#[cfg(test)]")
            .into_iter()
            .chain(text.find("#[cfg(all(test"));
        let end = tests.min().unwrap_or(text.len());
        Some((relative, text[..end].to_owned()))
    })
}

/// The two streams and the exported files have one place each: what passes it by is not made harmless.
#[test]
fn nothing_is_printed_or_written_but_in_the_places_for_it() {
    let places = [
        ("io::stdout", &["cli/out.rs"][..]),
        ("io::stderr", &["cli/report.rs", "cli/progress.rs"]),
        ("print!(", &[]),
        ("println!(", &[]),
        ("DirBuilder", &["cli/export.rs"]),
        ("create_dir", &["cli/export.rs"]),
        ("create_new", &["cli/export.rs"]),
        ("File::create", &["cli/export.rs"]),
        ("fs::write(", &[]),
        (".write(true)", &[]),
        ("remove_file", &["cli/export.rs"]),
    ];
    let mut found = 0;
    for (relative, text) in code() {
        for (what, allowed) in &places {
            if text.contains(what) {
                assert!(allowed.contains(&&*relative), "src/{relative}: {what}");
                found += 1;
            }
        }
    }
    assert!(found > 5, "the rule is checked on something");
}

/// A width or a precision in a format that is known at run time only: Rust's own formatting panics above 65,535,
/// and pads without end below that. [`etcdive::view::pad`] bounds it.
#[test]
fn a_width_from_a_file_goes_through_pad_only() {
    let widths = regex::Regex::new(r#"\{[A-Za-z0-9_]*:[^{}\s"]*(\$|\*)[^{}\s"]*\}"#).unwrap();
    for width in [
        "{:width$}",
        "{a:>w$}",
        "{:.*}",
        "{:1$}",
        "{x:.p$}",
        "{n:0w$}",
        "{a:^w$.p$}",
    ] {
        assert!(widths.is_match(width), "{width}");
    }
    assert!(!widths.is_match("{:>8} {name:<12} {size:02x} ${NAME}"));
    let places: [(&str, &[&str]); 5] = [
        // The blanks of columns, and zeros of a number.
        ("a width of run time", &["view/pad.rs"]),
        // The tables of few rows of our own, and the width of the terminal.
        ("comfy_table", &["view/table.rs", "cli/out.rs"]),
        ("table::plain(", &["view/evidence.rs"]),
        (
            "table::{self, plain}",
            &["view/explain.rs", "view/status.rs"],
        ),
        ("\" \".repeat(", &[]),
    ];
    let mut found = [0; 5];
    for (relative, text) in code() {
        for ((what, allowed), found) in places.iter().zip(&mut found) {
            let is_there = match *what {
                "a width of run time" => widths.is_match(&text),
                other => text.contains(other),
            };
            if is_there {
                assert!(allowed.contains(&&*relative), "src/{relative}: {what}");
                *found += 1;
            }
        }
    }
    assert_eq!(found[..2], [1, 2], "the rule is checked on something");
}

#[test]
fn sources_are_ascii_and_name_no_corpus_file() {
    for path in files_below(&repository().join("src")) {
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.is_ascii(), "{} is not ASCII", path.display());
        let text = String::from_utf8(bytes).unwrap();
        for name in [
            "01-talk",
            "02-full",
            "after.db",
            "before.db",
            "compacted.db",
            "allrevs",
        ] {
            assert!(!text.contains(name), "{} names {name}", path.display());
        }
    }
}
