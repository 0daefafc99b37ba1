//! `completions`: the script that makes a shell complete our command lines.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};

/// Print the completion script of a shell
///
/// Verbs, flags and their values are completed and, if the command line names a database, the resources, namespaces and
/// names in it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// bash 3.2 and later
    Bash,
    /// zsh, with compinit
    Zsh,
    /// fish 3.4 and later
    Fish,
    /// PowerShell 7
    Powershell,
}

words!(Shell);

impl Shell {
    fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("completions/etcdive.bash"),
            Self::Zsh => include_str!("completions/etcdive.zsh"),
            Self::Fish => include_str!("completions/etcdive.fish"),
            Self::Powershell => include_str!("completions/etcdive.ps1"),
        }
    }
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn run(&self, _: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        out.write_all(self.shell.script().as_bytes())?;
        Ok(Answer::Yes)
    }
}
