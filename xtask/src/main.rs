//! The one door to the project's checks: `cargo xtask NAME`. It uses cargo alone, so that a machine
//! with a Rust toolchain needs nothing else.

use std::process::{Command, ExitCode};

/// A name, what it does, and the cargo commands it runs.
const TASKS: [(&str, &str, &[&str]); 6] = [
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
        "test",
        "all tests, as the README has it",
        &["test --locked"],
    ),
    (
        "bench",
        "measure speed; not a part of ci",
        &["bench --locked"],
    ),
    (
        "bless",
        "write the golden files anew; read the diff before you commit it",
        &["test --locked --test all help"],
    ),
];

/// What `ci` runs, in this order; the tests last, so that their closing lines are the last.
const CI: [&str; 4] = ["fmt", "clippy", "doc", "test"];

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let names = if name == "ci" {
        CI.to_vec()
    } else {
        vec![name.as_str()]
    };
    for name in names {
        let Some((_, what, commands)) = TASKS.iter().find(|(task, ..)| *task == name) else {
            return usage();
        };
        eprintln!("xtask: {name}: {what}");
        for command in *commands {
            if !cargo(name, command) {
                eprintln!("xtask: {name} failed: cargo {command}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn cargo(name: &str, command: &str) -> bool {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(command.split(' '));
    match name {
        "doc" => cargo.env("RUSTDOCFLAGS", "--deny warnings"),
        "bless" => cargo.env("ETCDIVE_BLESS", "1"),
        _ => &mut cargo,
    };
    cargo.status().is_ok_and(|status| status.success())
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask NAME");
    eprintln!("  ci      {}", CI.join(", "));
    for (name, what, _) in TASKS {
        eprintln!("  {name:<7} {what}");
    }
    ExitCode::from(2)
}
