//! Words in the wrong order, and verbs that other programs have: the command line that was meant.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Command;

use crate::arrange::Arrange as _;
use crate::cli::failure::Failure;
use crate::near::near;
use crate::query::catalog::Catalog;
use crate::view::sanitize::visible_bytes;

use super::line::{CommandLine, Role, Token, is_database, takes_database, takes_several};

/// Verbs of other programs and of people, each with ours and the words that follow at the end.
const VERBS: [(&[&str], &[&str], &[&str]); 16] = [
    (&["check", "verify", "validate"], &["fsck"], &[]),
    (
        &[
            "undelete",
            "restore-objects",
            "restore",
            "rescue",
            "deleted",
        ],
        &["recover"],
        &[],
    ),
    (&["search", "find", "rg", "ack"], &["grep"], &[]),
    (&["history", "versions", "reflog"], &["log"], &[]),
    (&["cat", "view"], &["get"], &["-o", "yaml"]),
    (&["describe", "desc"], &["show"], &[]),
    (&["list", "keys", "tree"], &["ls"], &[]),
    (&["info", "stat"], &["status"], &[]),
    (&["cmp"], &["compare"], &[]),
    (&["changes"], &["diff"], &[]),
    (&["annotate", "who"], &["blame"], &[]),
    (&["size", "du"], &["analyze"], &[]),
    (&["xxd"], &["hexdump"], &[]),
    (&["list-bucket"], &["dump-db", "list-bucket"], &[]),
    (&["iterate-bucket"], &["dump-db", "iterate-bucket"], &[]),
    (&["scan-keys"], &["dump-db", "scan-keys"], &[]),
];

/// Words of other programs before a verb that is ours too.
const PROGRAMS: [&str; 4] = ["kubectl", "etcdctl", "etcdutl", "snapshot"];

/// The failure for a verb that does not exist, if it is known what was meant.
pub fn unknown_verb(line: &CommandLine, root: &Command) -> Option<Failure> {
    let verb = line.verb.first()?;
    let text = verb.to_str().unwrap_or_default();
    let next = line.words().next();
    let next_is_verb = next.is_some_and(|word| root.find_subcommand(word).is_some());
    let meant = if is_database(verb) && !next_is_verb {
        // A database alone, or with addresses.
        let ours = if next.is_none() { "status" } else { "get" };
        with_verb(line, &[ours], &[], Some(verb))
    } else if next_is_verb && PROGRAMS.contains(&text) {
        verb_first(line, None)
    } else if next_is_verb {
        verb_first(line, Some(verb))
    } else if text == "dump" {
        let all: &[&str] = if line.words().count() < 2 {
            &["/"]
        } else {
            &[]
        };
        with_verb(line, &["get"], &[all, &["-o", "yaml"]].concat(), None)
    } else {
        match VERBS.iter().find(|(names, ..)| names.contains(&text)) {
            Some((_, ours, end)) => with_verb(line, ours, end, None),
            None => return misspelt(line, text, root),
        }
    };
    let meant = database_first(&meant).unwrap_or(meant);
    let shown = quoted(verb);
    let what = if next_is_verb {
        format!("{shown} is not a verb, and the verb comes first")
    } else {
        format!("{shown} is not a verb")
    };
    Some(Failure::cannot(what).hint(text_of(&meant)))
}

/// The failure for a verb that is near to one of ours: the line with it, or the words if there are several.
fn misspelt(line: &CommandLine, text: &str, root: &Command) -> Option<Failure> {
    let verbs = root.get_subcommands().filter(|verb| !verb.is_hide_set());
    let verbs: Vec<&str> = verbs.map(Command::get_name).collect();
    // A verb that was cut short is meant rather than one with other letters.
    let longer = verbs.iter().filter(|verb| verb.starts_with(text));
    let mut longer: Vec<String> = longer.map(|verb| (*verb).to_owned()).collect();
    longer.arrange_by_key(String::len);
    let near = match longer.is_empty() || text.len() < 3 {
        true => near(text, verbs.into_iter()),
        false => longer,
    };
    let failure = Failure::cannot(format!("{} is not a verb", quoted(OsStr::new(text))));
    match near.as_slice() {
        [] => None,
        [one] => Some(failure.hint(text_of(&with_verb(line, &[one], &[], None)))),
        several => Some(failure.hint(format!("did you mean {}?", several.join(", ")))),
    }
}

/// The failure for a verb whose database is not its first word.
pub fn no_database(line: &CommandLine, root: &Command) -> Option<Failure> {
    let first = line.words().next()?;
    let reads_one = line
        .command(root)
        .is_some_and(|verb| takes_database(verb) && !takes_several(verb));
    // A link that leads nowhere and standard input have sentences of their own.
    let has_its_own = first == "-" || Path::new(first).is_symlink();
    if !reads_one || has_its_own || is_database(first) {
        return None;
    }
    let shown = quoted(first);
    let what = if Path::new(first).is_dir() {
        "a directory without an etcd database"
    } else {
        "no such file or directory"
    };
    if let Some(meant) = database_first(line) {
        let failure = Failure::cannot(format!(
            "{shown}: {what}; the database is the first word after the verb"
        ));
        return Some(failure.hint(text_of(&meant)));
    }
    // The word of an address, where only the database was forgotten.
    let types = first.to_str()?.split('/').next()?;
    let takes_addresses = line.command(root)?.get_positionals().nth(1).is_some();
    if !takes_addresses || Catalog::default().resolve(types).is_empty() {
        return None;
    }
    let mut meant = line.clone();
    meant.after.insert(0, word("DB"));
    let failure = Failure::cannot(format!(
        "{shown}: {what}; a database comes before it, or --db FILE, or the variable ETCDIVE_DB"
    ));
    Some(failure.hint(text_of(&meant)))
}

/// The same line with another verb, a word first, and more words at the end.
fn with_verb(
    line: &CommandLine,
    verb: &[&str],
    end: &[&str],
    first: Option<&OsString>,
) -> CommandLine {
    let mut meant = line.clone();
    meant.verb = verb.iter().map(OsString::from).collect();
    if let Some(first) = first {
        meant.after.insert(0, word(first));
    }
    meant.after.extend(end.iter().map(word));
    meant
}

/// The same line with its first word as the verb, and another word in the place of that.
fn verb_first(line: &CommandLine, instead: Option<&OsString>) -> CommandLine {
    let mut meant = line.clone();
    if let Some(at) = meant
        .after
        .iter()
        .position(|token| token.role == Role::Word)
    {
        let verb = meant.after.remove(at);
        meant.verb = vec![verb.word];
        if let Some(instead) = instead {
            meant.after.insert(at, word(instead));
        }
    }
    meant
}

/// The same line with its databases first. None if they are first already, or if the line has no database.
fn database_first(line: &CommandLine) -> Option<CommandLine> {
    if line.words().next().is_none_or(is_database) {
        return None;
    }
    let is_one = |token: &Token| token.role == Role::Word && is_database(&token.word);
    let (databases, others): (Vec<_>, Vec<_>) = line.after.iter().cloned().partition(is_one);
    if databases.is_empty() {
        return None;
    }
    let mut meant = line.clone();
    meant.after = databases.into_iter().chain(others).collect();
    Some(meant)
}

fn word(text: impl Into<OsString>) -> Token {
    Token {
        word: text.into(),
        role: Role::Word,
    }
}

/// A line that can be pasted, in backticks.
fn text_of(line: &CommandLine) -> String {
    let before = line.before.iter().map(|token| &token.word);
    let after = line.after.iter().map(|token| &token.word);
    let words = before.chain(&line.verb).chain(after);
    let mut text = "`etcdive".to_owned();
    if let Some(db) = &line.db {
        text.push_str(" --db ");
        text.push_str(&quoted(db));
    }
    for word in words {
        text.push(' ');
        text.push_str(&quoted(word));
    }
    text.push('`');
    text
}

/// A word as a shell reads it, with everything hidden made visible.
fn quoted(word: &OsStr) -> String {
    let text = visible_bytes(word.as_encoded_bytes());
    let text = text.replace('\n', "\\n").replace('\t', "\\t");
    let is_plain = |c: char| c.is_alphanumeric() || "_./:@=,+%~^-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
