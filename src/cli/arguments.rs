//! The command line as it was typed: brought into the order that clap expects, and parsed by it.
//!
//! An argument may come from a file name or from a script that reads the store: a terminal must not act on it.

pub(super) mod line;
mod order;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::Error;

use crate::view::command::Invocation;
use crate::view::sanitize::visible_bytes;

use super::failure::Failure;
use super::out::{ColorWhen, Out};
use super::{Cli, help, report};
use line::CommandLine;

/// Exit code of a command line that is not understood, if clap's does not fit one.
const USAGE: u8 = 2;

/// The variable that names the database if no word and no flag does.
pub const VARIABLE: &str = "ETCDIVE_DB";

/// Parses the command line of this process. clap's own output (help, the version, an error) is
/// printed.
///
/// # Errors
/// The exit code, if there is nothing to run.
pub fn parse() -> Result<Cli, ExitCode> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let variable = std::env::var_os(VARIABLE).filter(|db| !db.is_empty());
    let words = arrange(&words, variable)
        .map_err(|failure| report::failure(&failure, &Invocation::default()))?;
    from_words(&words).map_err(|error| {
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
    let root = help::command();
    let line = CommandLine::read(words, &root)?;
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

/// The command line in words that are in clap's order.
fn from_words<W: Into<OsString> + Clone>(words: impl IntoIterator<Item = W>) -> Result<Cli, Error> {
    let mut command = help::command();
    let matches = command.try_get_matches_from_mut(words)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn print(error: &Error, words: &[OsString]) {
    if !error.use_stderr() {
        print_help(error, words);
        return;
    }
    // The same words with everything hidden made visible give the same error: its colours are clap's own.
    let words = words.iter().map(visible_word);
    match from_words(words) {
        Err(same) if same.kind() == error.kind() => drop(same.print()),
        _ => report::usage(&error.render().to_string()),
    }
}

/// Prints help or the version, which quote no argument. A closed pipe has no reader to inform.
fn print_help(error: &Error, words: &[OsString]) {
    let pages = words.iter().all(|word| word != "--no-pager");
    let mut out = Out::stdout(ColorWhen::Auto, pages);
    let text = error.render();
    let text = if out.is_coloured() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let _ = out.styled().write_all(text.as_bytes());
    let _ = out.finish();
}

/// An argument on one line, with everything hidden made visible.
fn visible_word(word: &OsString) -> String {
    let text = visible_bytes(word.as_encoded_bytes());
    text.replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn arranged(line: &str, variable: Option<&str>) -> Result<String, String> {
        let words: Vec<OsString> = line.split(' ').map(Into::into).collect();
        match arrange(&words, variable.map(Into::into)) {
            Ok(words) => {
                let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
                Ok(words.join(" "))
            }
            Err(Failure::CannotAnswer { message, .. }) => Err(message),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn words_are_put_into_the_order_that_clap_expects() {
        for (line, expected) in [
            ("e get F pods -n shop", "e get F pods -n shop"),
            ("e -n shop get F pods", "e get -n shop F pods"),
            ("e -nshop -A get F pods", "e get -nshop -A F pods"),
            ("e --namespace=shop get F", "e get --namespace=shop F"),
            ("e --color never -n a get F", "e --color never get -n a F"),
            ("e --db F -n shop get pods", "e get F -n shop pods"),
            ("e get pods --db=F -n shop", "e get F pods -n shop"),
            ("e grep -e --db --db F", "e grep F -e --db"),
            ("e get --db -x pods", "e get ./-x pods"),
            ("e get -- --db F", "e get -- --db F"),
            ("e log -pS --db F", "e log -pS --db F"),
            ("e --db F dump-db hash", "e dump-db hash F"),
            ("e wal D -n 5", "e wal D -n 5"),
            ("e --help", "e --help"),
            ("e", "e"),
        ] {
            assert_eq!(arranged(line, None).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn the_variable_is_the_database_where_no_word_is_one() {
        // A test runs in the folder of the package.
        for (line, expected) in [
            ("e get pods", "e get V pods"),
            ("e get", "e get V"),
            ("e get Cargo.toml pods", "e get Cargo.toml pods"),
            ("e get src pods", "e get V src pods"),
            ("e analyze -f F", "e analyze -f F"),
            ("e extract --file=F", "e extract --file=F"),
            ("e explain page-twice", "e explain page-twice"),
            ("e get --db F pods", "e get F pods"),
            ("e dump-db", "e dump-db"),
        ] {
            let got = arranged(line, Some("V"));
            assert_eq!(got.as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn a_flag_without_its_verb_is_refused() {
        for (line, part) in [
            ("e -n shop status F", "status has no flag -n"),
            ("e -A wal D", "wal has no flag -A"),
            ("e -n a dump-db hash F", "dump-db hash has no flag -n"),
            ("e --db F help", "help has no flag --db"),
            ("e --db F get --db G", "--db is given twice"),
            ("e get --db", "--db: "),
        ] {
            let refused = arranged(line, None).unwrap_err();
            assert!(refused.contains(part), "{line}: {refused}");
        }
    }
}
