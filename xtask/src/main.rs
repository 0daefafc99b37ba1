//! The one door to the project's checks: `cargo xtask NAME`. It uses cargo alone, so that a machine
//! with a Rust toolchain needs nothing else.

mod bench_table;
mod deny;
mod dist;
mod language;
mod metadata;

use std::process::{Command, ExitCode};

/// A name, what it does, and the cargo commands it runs; none if it is code of this program.
const TASKS: [(&str, &str, &[&str]); 13] = [
    ("fmt", "is the code formatted", &["fmt --all --check"]),
    (
        "clippy",
        "no warning of the compiler or of clippy",
        &["clippy --workspace --all-targets --locked -- --deny warnings"],
    ),
    (
        "doc",
        "the documentation has no broken link",
        &["doc --no-deps --lib --document-private-items --locked"],
    ),
    (
        "language",
        "no text that a user sees has a phrase of xtask/src/language.rs",
        &[],
    ),
    (
        "deny",
        "no dependency has another licence, or a second version, than xtask/src/deny.rs allows",
        &["test --package xtask --locked"],
    ),
    (
        "package",
        "the package for crates.io builds by itself",
        &["package --package etcdive --locked --offline --allow-dirty"],
    ),
    (
        "test",
        "all tests, as the README has it",
        &["test --locked"],
    ),
    (
        "sweep",
        "no cost grows faster than n log n; sweep N FAMILIES: up to n = N (200000), families for each line (2)",
        &["test --locked --profile quick --test all sweep:: -- --nocapture"],
    ),
    (
        "bench",
        "measure speed; not a part of ci",
        &["bench --locked"],
    ),
    (
        "bench-table",
        "measure whole commands beside cat, and print the table of docs/performance.md; bench-table DB: of this store",
        &[],
    ),
    (
        "man",
        "write the manual pages to target/man; not a part of ci",
        &[],
    ),
    (
        "dist",
        "make the archive in target/dist: a static program, manual pages, completions, licences; not a part of ci",
        &[],
    ),
    (
        "bless",
        "write the help texts of testdata/golden and the output in README and docs anew; read the diff before you commit it",
        &["test --locked --test all -- help:: docs::blocks"],
    ),
];

/// What `ci` runs, in this order; the tests last, so that their closing lines are the last.
const CI: [&str; 8] = [
    "fmt", "clippy", "doc", "language", "deny", "package", "sweep", "test",
];

/// The largest store of a sweep, and for how many families of stores each command line is run.
const SWEEP: [&str; 2] = ["200000", "2"];
const CI_SWEEP: [&str; 2] = ["20000", "1"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (names, sweep) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ci"] => (CI.to_vec(), CI_SWEEP),
        ["bench-table", _] => (vec!["bench-table"], SWEEP),
        ["sweep", size] => (vec!["sweep"], [size, SWEEP[1]]),
        ["sweep", size, families] => (vec!["sweep"], [size, families]),
        [name] => (vec![name], SWEEP),
        _ => return usage(),
    };
    for name in names {
        let Some((_, what, commands)) = TASKS.iter().find(|(task, ..)| *task == name) else {
            return usage();
        };
        eprintln!("xtask: {name}: {what}");
        let done = match name {
            "bench-table" => bench_table::print(arguments.get(1).map(String::as_str)),
            "deny" => deny::check(),
            "language" => language::check(),
            "man" => dist::man_pages(),
            "dist" => dist::dist(),
            _ => Ok(()),
        };
        if let Err(error) = done {
            eprintln!("{error}\nxtask: {name} failed");
            return ExitCode::FAILURE;
        }
        for command in *commands {
            if !cargo(name, command, sweep) {
                eprintln!("xtask: {name} failed: cargo {command}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn cargo(name: &str, command: &str, sweep: [&str; 2]) -> bool {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(command.split(' '));
    match name {
        "doc" => cargo.env("RUSTDOCFLAGS", "--deny warnings"),
        // A build of its own, in which each region of the code counts how often it is executed.
        "sweep" => cargo
            .env("RUSTFLAGS", "-C instrument-coverage --cfg counted_steps")
            .env("LLVM_PROFILE_FILE", "/dev/null")
            .env("CARGO_TARGET_DIR", "target/sweep")
            .env("ETCDIVE_SWEEP", sweep[0])
            .env("ETCDIVE_SWEEP_FAMILIES", sweep[1]),
        "bless" => cargo.env("ETCDIVE_BLESS", "1"),
        _ => &mut cargo,
    };
    cargo.status().is_ok_and(|status| status.success())
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask NAME");
    eprintln!("  ci          {}", CI.join(", "));
    for (name, what, _) in TASKS {
        eprintln!("  {name:<11} {what}");
    }
    ExitCode::from(2)
}
