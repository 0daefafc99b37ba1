//! `__complete`: the hidden verb that the scripts of `completions` call.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use crate::cli::arguments::VARIABLE;
use crate::cli::complete::complete;
use crate::cli::failure::Failure;
use crate::cli::help::command;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};

/// Print what can follow a command line, for a shell
///
/// The first line is `files` if names of files are offered too, else `words`. Each further line is a candidate, a tab,
/// and what it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The word that is being typed
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    current: String,
    /// The words before it, after the program's name
    #[arg(last = true)]
    words: Vec<OsString>,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn run(&self, _: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let variable = std::env::var_os(VARIABLE).filter(|db| !db.is_empty());
        let mut root = command();
        root.build();
        let completion = complete(&root, &self.words, &self.current, variable);
        let head = if completion.files { "files" } else { "words" };
        writeln!(out, "{head}")?;
        for candidate in &completion.candidates {
            let about = candidate.about.lines().next().unwrap_or_default();
            writeln!(out, "{}\t{about}", candidate.word)?;
        }
        Ok(Answer::Yes)
    }
}
