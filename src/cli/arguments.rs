//! The command line as it was typed: parsed by clap, whose errors quote it.
//!
//! An argument may come from a file name or from a script that reads the store: a terminal must not act on it.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::Error;

use crate::view::sanitize::visible_bytes;

use super::{Cli, report};

/// Exit code of a command line that is not understood, if clap's does not fit one.
const USAGE: u8 = 2;

/// Parses the command line of this process. What clap has to say instead (help, the version, an error) is
/// printed.
///
/// # Errors
/// The exit code, if there is nothing to run.
pub fn parse() -> Result<Cli, ExitCode> {
    let words: Vec<OsString> = std::env::args_os().collect();
    Cli::try_parse_from(&words).map_err(|error| {
        print(&error, &words);
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
    })
}

fn print(error: &Error, words: &[OsString]) {
    if !error.use_stderr() {
        // Help and the version quote no argument. A closed pipe has no reader to inform.
        let _ = error.print();
        return;
    }
    // The same words with everything hidden made visible give the same error: its colours are clap's own.
    let words = words.iter().map(visible_word);
    match Cli::try_parse_from(words) {
        Err(same) if same.kind() == error.kind() => drop(same.print()),
        _ => report::usage(&error.render().to_string()),
    }
}

/// An argument on one line, with everything hidden made visible.
fn visible_word(word: &OsString) -> String {
    let text = visible_bytes(word.as_encoded_bytes());
    text.replace('\n', "\\n").replace('\t', "\\t")
}
