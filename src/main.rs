//! Parse arguments, run, turn the outcome into an exit code; nothing else.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    etcdive::cli::run(&etcdive::cli::Cli::parse())
}
