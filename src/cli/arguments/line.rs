//! A command line before clap parses it: its words sorted into flags, values and words, by what clap knows of the verb.
//!
//! clap has no flags that may stand before a verb and belong to it, and no positional argument that a flag or a variable
//! replaces. So the words are put into the order that clap expects: `-n shop --db F get pods` becomes
//! `get F -n shop pods`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{Arg, Command};

use crate::cli::failure::Failure;
use crate::source::is_database_path;

/// What a word of a command line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A flag, with or without its value.
    Flag,
    /// The value of the flag before it.
    Value,
    /// Anything else: a database, an address, a pattern.
    Word,
}

/// A word with its role.
#[derive(Debug, Clone)]
pub struct Token {
    /// As it was typed.
    pub word: OsString,
    /// What it is.
    pub role: Role,
}

/// A command line in its parts.
#[derive(Debug, Clone, Default)]
pub struct CommandLine {
    /// The program's name.
    pub program: OsString,
    /// The flags before the verb, of the program and of the verb.
    pub before: Vec<Token>,
    /// The verb, with a verb below it if it has such.
    pub verb: Vec<OsString>,
    /// What follows the verb, without `--db`.
    pub after: Vec<Token>,
    /// The value of `--db`.
    pub db: Option<OsString>,
}

impl CommandLine {
    /// Sorts the words of a command line. A verb that does not exist is still the verb.
    ///
    /// # Errors
    /// When `--db` has no value, or is given twice.
    pub fn read(words: &[OsString], root: &Command) -> Result<Self, Failure> {
        let mut words = words.iter().cloned();
        let mut line = Self {
            program: words.next().unwrap_or_default(),
            ..Self::default()
        };
        let mut known = vec![root];
        // The value of the flag before comes next.
        let mut expects: Option<Expects> = None;
        let mut only_words = false;
        for word in words.map(member_of_input) {
            let has_verb = !line.verb.is_empty();
            if let Some(expected) = expects.take() {
                match expected {
                    Expects::Database => line.set_database(word)?,
                    Expects::Value => line.push(word, Role::Value),
                }
                continue;
            }
            let bytes = word.as_encoded_bytes();
            if only_words || !bytes.starts_with(b"-") || bytes == b"-" {
                // Below a verb that does not exist there are no others.
                let above = known.last().filter(|_| !has_verb || known.len() > 1);
                match above.and_then(|above| above.find_subcommand(&word)) {
                    Some(below) if !only_words => {
                        known.push(below);
                        line.verb.push(word);
                    }
                    _ if !has_verb => line.verb.push(word),
                    _ => line.push(word, Role::Word),
                }
            } else if bytes == b"--" {
                only_words = true;
                line.push(word, Role::Flag);
            } else if bytes == b"--db" {
                expects = Some(Expects::Database);
            } else if let Some(db) = word.to_str().and_then(|text| text.strip_prefix("--db=")) {
                line.set_database(db.into())?;
            } else {
                if takes_next(&word, &known) {
                    expects = Some(Expects::Value);
                }
                line.push(word, Role::Flag);
            }
        }
        match expects {
            Some(Expects::Database) => Err(Failure::cannot("--db: a database file has to follow")),
            _ => Ok(line),
        }
    }

    fn push(&mut self, word: OsString, role: Role) {
        let token = Token { word, role };
        if self.verb.is_empty() {
            self.before.push(token);
        } else {
            self.after.push(token);
        }
    }

    fn set_database(&mut self, db: OsString) -> Result<(), Failure> {
        match self.db.replace(db) {
            None => Ok(()),
            Some(_) => Err(Failure::cannot("--db is given twice")),
        }
    }

    /// What clap knows of the verb; none if there is no such verb.
    pub fn command<'c>(&self, root: &'c Command) -> Option<&'c Command> {
        let mut names = self.verb.iter();
        let first = root.find_subcommand(names.next()?)?;
        names.try_fold(first, |above, name| above.find_subcommand(name))
    }

    /// The verb as text.
    pub fn verb_text(&self) -> String {
        let names = self.verb.iter().map(|name| name.to_string_lossy());
        names.collect::<Vec<_>>().join(" ")
    }

    /// The words after the verb that are neither flags nor their values.
    pub fn words(&self) -> impl Iterator<Item = &OsStr> {
        let words = self.after.iter().filter(|token| token.role == Role::Word);
        words.map(|token| token.word.as_os_str())
    }

    /// Whether the first word after the verb is a database.
    pub fn names_database(&self) -> bool {
        self.words().next().is_some_and(is_database)
    }

    /// Whether a flag is given, under one of its names.
    pub fn has_flag(&self, names: &[&str]) -> bool {
        let flags = self.after.iter().filter(|token| token.role == Role::Flag);
        flags
            .filter_map(|token| token.word.to_str())
            .any(|flag| names.contains(&flag.split('=').next().unwrap_or(flag)))
    }

    /// The values of a flag that has these names, in its own word or in the next.
    pub fn values_of(&self, names: &[&str]) -> Vec<String> {
        let mut values = Vec::new();
        let mut is_mine = false;
        for token in self.before.iter().chain(&self.after) {
            let text = token.word.to_string_lossy();
            match token.role {
                Role::Value if is_mine => values.extend(text.split(',').map(str::to_owned)),
                Role::Flag => {
                    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                    is_mine = names.contains(&name);
                    if is_mine && !value.is_empty() {
                        values.extend(value.split(',').map(str::to_owned));
                    }
                }
                Role::Value | Role::Word => {}
            }
        }
        values
    }

    /// The program, the verb and the verb below it, as far as they are known.
    fn known<'c>(&self, root: &'c Command) -> Vec<&'c Command> {
        let mut known = vec![root];
        for name in &self.verb {
            let below = known.last().and_then(|above| above.find_subcommand(name));
            known.extend(below);
        }
        known
    }

    /// Whether the word after `flag` at the end of this line is its value.
    pub fn takes_value(&self, flag: &OsStr, root: &Command) -> bool {
        let is_flag = flag.as_encoded_bytes().starts_with(b"-") && flag != "-" && flag != "--";
        is_flag && (flag == "--db" || takes_next(flag, &self.known(root)))
    }

    /// The argument of a flag that takes a value, here or after `=`.
    pub fn argument<'c>(&self, flag: &OsStr, root: &'c Command) -> Option<&'c Arg> {
        let (text, known) = (flag.to_string_lossy(), self.known(root));
        let long = text.strip_prefix("--");
        let with_equals = long.and_then(|long| find(&known, |arg| has_long(arg, long)));
        value_argument(&text, &known).or(with_equals)
    }

    /// Takes the flags out of what is before the verb that belong to the verb: `-n`, `-A`.
    ///
    /// # Errors
    /// When the verb has no such flag.
    fn take_flags_of(&mut self, verb: &Command) -> Result<Vec<OsString>, Failure> {
        let (mut of_program, mut of_verb) = (Vec::new(), Vec::new());
        let mut is_mine = false;
        for token in std::mem::take(&mut self.before) {
            if token.role == Role::Flag {
                let flag = namespace_flag(&token.word);
                is_mine = flag.is_some();
                if let Some((name, id)) = flag
                    && !verb.get_arguments().any(|arg| arg.get_id() == id)
                {
                    return Err(Failure::cannot(format!(
                        "{} has no flag {name}",
                        self.verb_text()
                    )));
                }
            }
            if is_mine {
                of_verb.push(token.word);
            } else {
                of_program.push(token);
            }
        }
        self.before = of_program;
        Ok(of_verb)
    }

    /// The words in the order that clap expects. `variable` is the database that the environment names.
    ///
    /// # Errors
    /// When the verb does not have a flag that is before it, or `--db` is given to a verb that reads no database.
    pub fn into_words(
        mut self,
        root: &Command,
        variable: Option<OsString>,
    ) -> Result<Vec<OsString>, Failure> {
        let mut words = vec![std::mem::take(&mut self.program)];
        let mut of_verb = Vec::new();
        let mut db = None;
        if let Some(verb) = self.command(root) {
            of_verb = self.take_flags_of(verb)?;
            let takes_one = takes_database(verb);
            if self.db.is_some() && !takes_one {
                return Err(Failure::cannot(format!(
                    "{} has no flag --db: it does not read a database",
                    self.verb_text()
                )));
            }
            db = self.db.take().or_else(|| {
                let is_named = self.names_database() || self.has_flag(&INSTEAD);
                variable.filter(|_| takes_one && !is_named)
            });
        }
        words.extend(self.before.into_iter().map(|token| token.word));
        words.extend(self.verb);
        words.extend(db.map(as_word));
        words.extend(of_verb);
        words.extend(self.after.into_iter().map(|token| token.word));
        Ok(words)
    }
}

/// What the next word is.
enum Expects {
    /// The value of `--db`.
    Database,
    /// The value of another flag.
    Value,
}

/// Flags that name a database themselves, or with which none is read.
const INSTEAD: [&str; 4] = ["-f", "--file", "--leaf-item", "--template"];

/// Whether a word is a database: a file, or a folder with one in it.
pub fn is_database(word: &OsStr) -> bool {
    is_database_path(Path::new(word))
}

/// Whether a verb reads a database that a word names.
pub fn takes_database(verb: &Command) -> bool {
    let first = verb.get_positionals().next();
    let names = first.and_then(Arg::get_value_names).unwrap_or_default();
    names.iter().any(|name| name == "DB" || name == "OLD")
}

/// A member of standard input, `-::path`, as a word: clap takes what begins with `-` for a flag.
fn member_of_input(word: OsString) -> OsString {
    match word.as_encoded_bytes().starts_with(b"-::") {
        true => Path::new(".").join(word).into_os_string(),
        false => word,
    }
}

/// A database as a word of its own: a path that begins with `-` is no flag.
fn as_word(db: OsString) -> OsString {
    let bytes = db.as_encoded_bytes();
    if bytes.starts_with(b"-") && bytes != b"-" {
        return Path::new(".").join(db).into_os_string();
    }
    db
}

/// The name and clap's id of a flag about namespaces.
fn namespace_flag(word: &OsStr) -> Option<(&'static str, &'static str)> {
    let text = word.to_string_lossy();
    if text == "-A" || text == "--all-namespaces" {
        return Some(("-A", "all_namespaces"));
    }
    let name = text.split('=').next().unwrap_or_default();
    let is_short = text.starts_with("-n") && !text.starts_with("--");
    (is_short || name == "--namespace").then_some(("-n", "namespace"))
}

/// Whether the word after a flag is its value. `known` are the program, its verb, and the verb below that.
fn takes_next(flag: &OsStr, known: &[&Command]) -> bool {
    let text = flag.to_string_lossy();
    // `-n` may come before the verb, which is not known then. What follows it in the same word is its value.
    let is_short = text
        .split_once('n')
        .is_some_and(|(_, rest)| rest.is_empty());
    let is_namespace = text == "--namespace" || (is_short && !text.starts_with("--"));
    (known.len() == 1 && is_namespace) || value_argument(&text, known).is_some()
}

/// The argument whose value is the word after a flag.
fn value_argument<'c>(text: &str, known: &[&'c Command]) -> Option<&'c Arg> {
    let takes_value = |arg: &&Arg| {
        // An optional value is written with `=`.
        arg.get_action().takes_values() && !arg.is_require_equals_set()
    };
    if let Some(long) = text.strip_prefix("--") {
        return find(known, |arg| has_long(arg, long)).filter(takes_value);
    }
    // Several short flags may be one word; the first that takes a value has the rest of the word, or the next word.
    let mut shorts = text.chars().skip(1).peekable();
    while let Some(short) = shorts.next() {
        let found = find(known, |arg| arg.get_short() == Some(short));
        if let Some(arg) = found.filter(takes_value) {
            return shorts.peek().is_none().then_some(arg);
        }
    }
    None
}

/// Whether this is the long name of an argument, or an alias of it.
fn has_long(arg: &Arg, long: &str) -> bool {
    let aliases = arg.get_all_aliases().unwrap_or_default();
    arg.get_long() == Some(long) || aliases.contains(&long)
}

/// An argument of the verb, or one of the program that all verbs have.
fn find<'c>(known: &[&'c Command], is_it: impl Fn(&&Arg) -> bool) -> Option<&'c Arg> {
    let (program, verbs) = known.split_first()?;
    let of_verbs = verbs.iter().rev().flat_map(|verb| verb.get_arguments());
    of_verbs.chain(program.get_arguments()).find(is_it)
}
