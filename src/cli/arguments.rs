//! The command line as it was typed: brought into the order that clap expects, and parsed by it.
//!
//! An argument may come from a file name or from a script that reads the store: a terminal must not act on it.

mod line;
mod order;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::Error;
use clap::{CommandFactory as _, Parser as _};

use crate::view::sanitize::visible_bytes;

use super::failure::Failure;
use super::{Cli, report};
use line::Line;

/// Exit code of a command line that is not understood, if clap's does not fit one.
const USAGE: u8 = 2;

/// The variable that names the database if no word and no flag does.
const VARIABLE: &str = "ETCDIVE_DB";

/// Parses the command line of this process. What clap has to say instead (help, the version, an error) is
/// printed.
///
/// # Errors
/// The exit code, if there is nothing to run.
pub fn parse() -> Result<Cli, ExitCode> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let variable = std::env::var_os(VARIABLE).filter(|db| !db.is_empty());
    let words = arrange(&words, variable).map_err(|failure| report::failure(&failure))?;
    Cli::try_parse_from(&words).map_err(|error| {
        print(&error, &words);
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
    })
}

/// Brings words into the order that clap expects: what may come before the verb, the database that a flag or
/// `variable` names.
///
/// # Errors
/// When the words are in another order than any that is understood; the hint is the line that was meant.
pub fn arrange(words: &[OsString], variable: Option<OsString>) -> Result<Vec<OsString>, Failure> {
    let root = Cli::command();
    let line = Line::read(words, &root)?;
    let failure = match line.command(&root) {
        None => order::unknown_verb(&line, &root),
        Some(_) if line.db.is_some() || variable.is_some() => None,
        Some(_) => order::no_database(&line, &root),
    };
    match failure {
        Some(failure) => Err(failure),
        None => line.into_words(&root, variable),
    }
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
