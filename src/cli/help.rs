//! The help of the program and of its verbs, and the texts of `help TOPIC`.
//!
//! What a flag does is the doc comment of its field, in the file of its verb. Here is the rest: which flags are on the
//! one screen of `-h`, the examples at the end of `--help`, the groups of verbs, the topics. A new flag is in `--help`
//! only, until [`pages`] names it.

pub mod groups;
pub mod pages;
pub mod topics;

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::Cli;
use super::failure::Failure;
use crate::near;
use groups::GROUPS;
use pages::{PAGES, Page};

/// The command line as clap knows it, with all of its help.
#[must_use]
pub fn command() -> Command {
    with_lists(with_page(Cli::command(), ""))
}

/// The program's help: its verbs in groups. clap has one list of subcommands, without groups.
///
/// `-h` has no list of options: with all verbs it would be longer than a screen of 24 lines.
fn with_lists(root: Command) -> Command {
    let (short, long) = (short_list(&root), long_list(&root));
    root.before_help(short)
        .before_long_help(format!("{long}\n\nOptions:"))
        .override_usage("etcdive VERB DB [ADDRESS]... [OPTIONS]")
        .help_template(
            "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}{options}{after-help}",
        )
}

/// Every verb with its first line, below the name of its group.
///
/// Without colours: clap wraps a text with escape sequences as if it were one long line.
fn long_list(root: &Command) -> String {
    let mut text = "Verbs:".to_owned();
    for group in &GROUPS {
        let _ = write!(text, "\n\n {}", group.long_name);
        for verb in group.verbs {
            let _ = write!(text, "\n  {verb:<12} {}", first_line(root, verb));
        }
    }
    text
}

/// The same on one screen: verbs that few people type are only named.
fn short_list(root: &Command) -> String {
    let mut lines = Vec::new();
    for group in &GROUPS {
        let name = group.name;
        if group.is_named_only {
            lines.push(format!("{name:<11} {}", group.verbs.join(", ")));
            continue;
        }
        for (index, verb) in group.verbs.iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            let first = first_line(root, verb);
            lines.push(format!("{name:<11} {verb:<8} {first}"));
        }
    }
    lines.push(format!(
        "{:<11} etcdive VERB -h; examples: etcdive --help",
        "Options"
    ));
    lines.join("\n")
}

/// What a verb does, in one line.
fn first_line(root: &Command, verb: &str) -> String {
    let about = root.find_subcommand(verb).and_then(Command::get_about);
    about.map_or_else(String::new, ToString::to_string)
}

/// A command and those below it, each with its page. `path` is its words, without the program's name.
fn with_page(command: Command, path: &str) -> Command {
    let page = PAGES.iter().find(|page| page.verb == path);
    let command = command.disable_help_flag(true).disable_version_flag(true);
    let command = match path {
        "" => command
            .arg(help_flag().hide_short_help(true))
            .arg(version_flag()),
        _ => command.arg(help_flag()),
    };
    let command = match page {
        Some(page) => command
            .mut_args(|arg| in_short_help(arg, page))
            .after_long_help(examples(page)),
        None => command,
    };
    command.mut_subcommands(|below| {
        let path = format!("{path} {}", below.get_name());
        with_page(below, path.trim_start())
    })
}

/// `-h`, as clap adds it. The screen of the program's own `-h` has no room for it.
fn help_flag() -> Arg {
    Arg::new("help")
        .short('h')
        .long("help")
        .action(ArgAction::Help)
        .help("Print help (see more with '--help')")
        .long_help("Print help (see a summary with '-h')")
        .help_heading(None)
        .display_order(usize::MAX - 1)
}

/// `-V`, on the program only.
fn version_flag() -> Arg {
    Arg::new("version")
        .short('V')
        .long("version")
        .action(ArgAction::Version)
        .help("Print version")
        .hide_short_help(true)
        .help_heading(None)
        .display_order(usize::MAX)
}

/// An argument, which is left out of `-h` unless the page names it.
fn in_short_help(arg: Arg, page: &Page) -> Arg {
    let id = arg.get_id().as_str();
    let names = [arg.get_long().unwrap_or(id), id];
    let is_common = arg.is_positional()
        || id == "help" && !page.verb.is_empty()
        || names.iter().any(|name| page.common.contains(name));
    arg.hide_short_help(!is_common)
}

/// The examples at the end of `--help`.
fn examples(page: &Page) -> String {
    let mut text = String::new();
    for (index, example) in page.examples.iter().enumerate() {
        let head = if index == 0 { "Examples:\n" } else { "\n" };
        let _ = write!(text, "{head}  {}:\n    {}", example.does, example.line);
    }
    text
}

/// The failure for a word that is neither a verb nor a topic.
pub(crate) fn unknown_verb(name: &str) -> Failure {
    let failure = Failure::cannot(format!("no verb and no topic is named \"{name}\""));
    let root = command();
    let shown = root.get_subcommands().filter(|verb| !verb.is_hide_set());
    let near = near::near(name, shown.map(Command::get_name).chain(topics::names()));
    if near.is_empty() {
        let names: Vec<&str> = topics::names().collect();
        return failure.hint(format!("the topics are {}", names.join(", ")));
    }
    failure.hint(format!("did you mean {}?", near.join(", ")))
}
