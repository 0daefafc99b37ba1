//! `man`: manual pages, of the same definitions as the help.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use clap::Command;
use clap_mangen::Man;

use crate::cli::failure::Failure;
use crate::cli::help::{self, pages};
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};

/// Print the manual page of the program or of a verb
///
/// The pages are in roff, for `man -l -`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A verb
    #[arg(value_name = "VERB", conflicts_with = "list")]
    verb: Vec<String>,
    /// List the names of all pages
    #[arg(long)]
    list: bool,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(Vec::new())
    }

    fn run(&self, _: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let mut root = help::command();
        root.build();
        if self.list {
            for path in paths(&root) {
                writeln!(
                    out,
                    "{}",
                    [&["etcdive".to_owned()], path.as_slice()]
                        .concat()
                        .join(" ")
                )?;
            }
            return Ok(Answer::Yes);
        }
        let mut command = &root;
        for name in &self.verb {
            command = command
                .find_subcommand(name)
                .ok_or_else(|| help::unknown_verb(name))?;
        }
        write_page(&self.verb, command, out)?;
        Ok(Answer::Yes)
    }
}

/// The words of every verb that has a page; none for the program.
fn paths(root: &Command) -> Vec<Vec<String>> {
    let mut paths = vec![Vec::new()];
    let shown = |command: &Command| -> Vec<String> {
        let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        verbs.map(|verb| verb.get_name().to_owned()).collect()
    };
    for verb in shown(root) {
        let below = root.find_subcommand(&verb).map(shown).unwrap_or_default();
        paths.push(vec![verb.clone()]);
        paths.extend(below.into_iter().map(|name| vec![verb.clone(), name]));
    }
    paths
}

fn write_page(path: &[String], command: &Command, out: &mut Out) -> Result<(), Failure> {
    // What clap prints at the end of its help is a section of its own here.
    let command = command
        .clone()
        .after_long_help(None::<&str>)
        .before_long_help(None::<&str>)
        .before_help(None::<&str>);
    let man = Man::new(command.clone()).source(format!("etcdive {}", env!("CARGO_PKG_VERSION")));
    man.render_title(out)?;
    man.render_name_section(out)?;
    out.write_all(synopsis(&command).as_bytes())?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    out.write_all(examples(&path.join(" ")).as_bytes())?;
    out.write_all(see_also(path).as_bytes())?;
    Ok(())
}

/// The usage as a section: clap_mangen's lists every option, which the section after it does too.
fn synopsis(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let lines = usage.trim_start_matches("Usage:").lines();
    let lines: Vec<String> = lines.map(|line| escaped(line.trim())).collect();
    format!(".SH SYNOPSIS\n.nf\n{}\n.fi\n", lines.join("\n"))
}

/// The examples of a verb as a section.
fn examples(verb: &str) -> String {
    let mut text = String::new();
    let page = pages::PAGES.iter().find(|page| page.verb == verb);
    let examples = page.map_or(&[][..], |page| page.examples);
    for (index, example) in examples.iter().enumerate() {
        if index == 0 {
            text.push_str(".SH EXAMPLES\n");
        }
        let (does, line) = (escaped(example.does), escaped(example.line));
        let _ = write!(text, ".PP\n{does}:\n.PP\n.RS 4\n.nf\n{line}\n.fi\n.RE\n");
    }
    text
}

/// The pages that explain more.
fn see_also(path: &[String]) -> String {
    let above = if path.is_empty() {
        ""
    } else {
        "\\fBetcdive\\fR(1)\n.PP\n"
    };
    format!(
        ".SH \"SEE ALSO\"\n{above}`etcdive help TOPIC` explains addresses, revisions, times, exit\\-codes and formats.\n"
    )
}

/// A line as roff prints it: hyphens stay what can be pasted, and no line is a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let is_request = text.starts_with(['.', '\'']);
    if is_request {
        format!("\\&{text}")
    } else {
        text
    }
}
