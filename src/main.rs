//! Parse arguments, run, turn the outcome into an exit code; nothing else.

use std::process::ExitCode;

use etcdive::cli;

fn main() -> ExitCode {
    match cli::arguments::parse() {
        Ok(parsed) => cli::run(&parsed),
        Err(code) => code,
    }
}
