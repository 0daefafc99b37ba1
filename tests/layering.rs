//! A layer knows only the ones before it.

mod circles;
mod cli_uses;
mod sizes;
mod source;
mod uses;

use source::{Source, crate_sources};
use uses::Modules;

/// The layers from the bytes up; what is in one line may use all before it and itself.
const LAYERS: [&str; 18] = [
    "arrange",
    "bytes",
    "compact_map",
    "fast_map",
    "named",
    "near",
    "parallel",
    "plural",
    "wire",
    "diag",
    "sniff",
    "go",
    "source",
    "bbolt",
    "etcd",
    "k8s",
    "query",
    "view",
];

#[test]
fn a_layer_uses_only_the_ones_before_it() {
    let modules = Modules::read();
    let mut uses = 0;
    for (path, module) in &modules.0 {
        let Some(layer) = path.first().filter(|layer| *layer != "cli") else {
            continue;
        };
        let Some(own) = LAYERS.iter().position(|name| name == layer) else {
            panic!("{} is in no layer", module.file);
        };
        for used in modules.used_by(path) {
            // What the root of the crate has itself is its documentation.
            let other = used.first().expect("no layer uses the root of the crate");
            let other = LAYERS.iter().position(|name| name == other);
            assert!(
                other.is_some_and(|other| other <= own),
                "{} uses {}, which is above {layer}",
                module.file,
                used.join("::")
            );
            uses += 1;
        }
    }
    assert!(uses > 1000, "compared {uses} uses");
}

#[test]
fn only_the_command_line_prints_exits_and_reads_environment_or_clock() {
    let forbidden = [
        "println!",
        "eprintln!",
        "std::env::",
        "SystemTime::now",
        "process::exit",
    ];
    let mut compared = 0;
    let is_below =
        |source: &&Source| !source.path.starts_with("src/cli") && source.path != "src/main.rs";
    for source in crate_sources().filter(is_below) {
        for what in forbidden {
            let path = &source.path;
            assert!(
                !source.code.contains(what),
                "{path}: only the command line may {what}"
            );
        }
        compared += 1;
    }
    assert!(compared > 150, "compared {compared} files");
}

#[test]
fn unsafe_is_only_in_the_guard_of_the_map() {
    let has_unsafe = |source: &&Source| source.code.contains("unsafe ");
    let files = crate_sources()
        .filter(has_unsafe)
        .map(|source| &source.path);
    assert!(files.eq(["src/source/guard.rs"]));
}

/// The two streams and the exported files have one place each: what passes it by is not made harmless.
#[test]
fn nothing_is_printed_or_written_but_in_the_places_for_it() {
    let places = [
        ("io::stdout", &["src/cli/out.rs"][..]),
        ("io::stderr", &["src/cli/report.rs", "src/cli/progress.rs"]),
        ("print!(", &[]),
        ("println!(", &[]),
        (
            "DirBuilder",
            &["src/cli/export.rs", "src/cli/export/member_dir.rs"],
        ),
        ("create_dir", &["src/cli/export.rs"]),
        (
            "create_new",
            &[
                "src/cli/export.rs",
                "src/cli/export/member_dir.rs",
                "src/cli/export/new_file.rs",
            ],
        ),
        ("File::create", &["src/cli/export.rs"]),
        ("fs::write(", &[]),
        (
            ".write(true)",
            &["src/cli/export/member_dir.rs", "src/cli/export/new_file.rs"],
        ),
        ("remove_dir_all", &["src/cli/export/member_dir.rs"]),
        (
            "remove_file",
            &["src/cli/export.rs", "src/cli/export/new_file.rs"],
        ),
    ];
    let mut found = 0;
    for Source { path, untested, .. } in crate_sources() {
        for (what, allowed) in &places {
            if untested.contains(what) {
                assert!(allowed.contains(&path.as_str()), "{path}: {what}");
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
        ("a width of run time", &["src/view/pad.rs"]),
        // The tables of few rows of our own.
        ("comfy_table", &["src/view/table.rs"]),
        ("table::plain(", &[]),
        ("table::{self, plain}", &["src/view/explain.rs"]),
        ("\" \".repeat(", &[]),
    ];
    let mut found = [0; 5];
    for Source { path, untested, .. } in crate_sources() {
        for ((what, allowed), found) in places.iter().zip(&mut found) {
            let is_there = match *what {
                "a width of run time" => widths.is_match(untested),
                other => untested.contains(other),
            };
            if is_there {
                assert!(allowed.contains(&path.as_str()), "{path}: {what}");
                *found += 1;
            }
        }
    }
    assert_eq!(found[..2], [1, 1], "the rule is checked on something");
}

#[test]
fn sources_are_ascii_and_name_no_corpus_file() {
    for Source { path, text, .. } in crate_sources() {
        assert!(text.is_ascii(), "{path} is not ASCII");
        for name in [
            "01-talk",
            "02-full",
            "after.db",
            "before.db",
            "compacted.db",
            "allrevs",
        ] {
            assert!(!text.contains(name), "{path} names {name}");
        }
    }
}
