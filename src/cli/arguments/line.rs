//! A command line before clap parses it. Its words are sorted into flags, values and other words, by the clap
//! definition of the verb.
//!
//! clap does not support a flag of a verb before that verb, or a positional argument that a flag or an environment
//! variable replaces. So the words are put into the order that clap expects: `-n shop --db F get pods` becomes
//! `get F -n shop pods`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{Arg, ArgAction, Command};

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
    /// The flags before the verb, with their values: those of the program, and those that belong to the verb
    /// (`-n shop`).
    pub before: Vec<Token>,
    /// The verb, and its subcommand if it has one. Empty if there is no verb.
    pub verb: Vec<OsString>,
    /// What follows the verb, without `--db`.
    pub after: Vec<Token>,
    /// The value of `--db`.
    pub db: Option<OsString>,
}

impl CommandLine {
    /// Sorts the words of a command line. The first word that is no flag and no value is the verb, even if there is no
    /// such verb: clap then reports it.
    ///
    /// # Errors
    /// When `--db` has no value, or is given twice.
    pub fn read(words: &[OsString], root: &Command) -> Result<Self, Failure> {
        let mut words = words.iter().cloned();
        let mut line = Self {
            program: words.next().unwrap_or_default(),
            ..Self::default()
        };
        // The program, then the verb and its subcommand as soon as they are read.
        let mut known = vec![root];
        // What the next word is, if a flag before it needs a value.
        let mut expects: Option<Expects> = None;
        // Set after `--`: no later word is a flag.
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
                // Without a known verb only the first word can be one: after an unknown verb, `get` is a plain word.
                let parent = known.last().filter(|_| !has_verb || known.len() > 1);
                match parent.and_then(|parent| parent.find_subcommand(&word)) {
                    Some(subcommand) if !only_words => {
                        known.push(subcommand);
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

    /// Adds a word before or after the verb, depending on whether the verb has been read.
    fn push(&mut self, word: OsString, role: Role) {
        let token = Token { word, role };
        if self.verb.is_empty() {
            self.before.push(token);
        } else {
            self.after.push(token);
        }
    }

    /// Sets the value of `--db`, which may be given once.
    fn set_database(&mut self, db: OsString) -> Result<(), Failure> {
        match self.db.replace(db) {
            None => Ok(()),
            Some(_) => Err(Failure::cannot("--db is given twice")),
        }
    }

    /// The clap definition of the verb, or of its subcommand. None if there is no such verb.
    pub fn command<'c>(&self, root: &'c Command) -> Option<&'c Command> {
        let mut names = self.verb.iter();
        let first = root.find_subcommand(names.next()?)?;
        names.try_fold(first, |above, name| above.find_subcommand(name))
    }

    /// The verb as text, with its subcommand.
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

    /// Whether a flag is given after the verb, under one of these names.
    pub fn has_flag(&self, names: &[&str]) -> bool {
        let flags = self.after.iter().filter(|token| token.role == Role::Flag);
        flags
            .filter_map(|token| token.word.to_str())
            .any(|flag| names.contains(&flag.split('=').next().unwrap_or(flag)))
    }

    /// The values of the flag that has these names: after `=`, or in the next word. A list with commas is several
    /// values.
    pub fn values_of(&self, names: &[&str]) -> Vec<String> {
        let mut values = Vec::new();
        // Whether the last flag was the one with these names: then the value after it is one of them.
        let mut is_of_flag = false;
        for token in self.before.iter().chain(&self.after) {
            let text = token.word.to_string_lossy();
            match token.role {
                Role::Value if is_of_flag => values.extend(text.split(',').map(str::to_owned)),
                Role::Flag => {
                    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                    is_of_flag = names.contains(&name);
                    if is_of_flag && !value.is_empty() {
                        values.extend(value.split(',').map(str::to_owned));
                    }
                }
                Role::Value | Role::Word => {}
            }
        }
        values
    }

    /// The clap definitions of the program, the verb and its subcommand, as far as they exist.
    fn known<'c>(&self, root: &'c Command) -> Vec<&'c Command> {
        let mut known = vec![root];
        for name in &self.verb {
            let subcommand = known.last().and_then(|parent| parent.find_subcommand(name));
            known.extend(subcommand);
        }
        known
    }

    /// Whether `flag`, which comes after this line, takes the next word as its value. The completion of shells uses it.
    pub fn takes_value(&self, flag: &OsStr, root: &Command) -> bool {
        let is_flag = flag.as_encoded_bytes().starts_with(b"-") && flag != "-" && flag != "--";
        is_flag && (flag == "--db" || takes_next(flag, &self.known(root)))
    }

    /// The clap definition of a flag, if that takes a value: in the next word, or for `--long` also after `=`.
    pub fn argument<'c>(&self, flag: &OsStr, root: &'c Command) -> Option<&'c Arg> {
        let (text, known) = (flag.to_string_lossy(), self.known(root));
        let long = text.strip_prefix("--");
        let with_equals = long.and_then(|long| find(&known, |arg| has_long(arg, long)));
        value_argument(&text, &known).or(with_equals)
    }

    /// Removes the flags `-n` and `-A`, which belong to the verb, from the words before the verb. Returns them with
    /// their values.
    ///
    /// # Errors
    /// When the verb has no such flag.
    fn take_flags_of(&mut self, verb: &Command) -> Result<Vec<OsString>, Failure> {
        let (mut of_program, mut of_verb) = (Vec::new(), Vec::new());
        // Whether the last flag belongs to the verb: then its value does too.
        let mut is_of_verb = false;
        for token in std::mem::take(&mut self.before) {
            if token.role == Role::Flag {
                let flag = namespace_flag(&token.word);
                is_of_verb = flag.is_some();
                if let Some((name, id)) = flag
                    && !verb.get_arguments().any(|arg| arg.get_id() == id)
                {
                    return Err(Failure::cannot(format!(
                        "{} has no flag {name}",
                        self.verb_text()
                    )));
                }
            }
            if is_of_verb {
                of_verb.push(token.word);
            } else {
                of_program.push(token);
            }
        }
        self.before = of_program;
        Ok(of_verb)
    }

    /// The words in the order that clap expects: flags of the program, verb, database, flags of the verb, the other
    /// words. `variable` is the database that the environment variable names. It is used only if the command line names
    /// none.
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
            let has_database = takes_database(verb);
            if self.db.is_some() && !has_database {
                return Err(Failure::cannot(format!(
                    "{} has no flag --db: it does not read a database",
                    self.verb_text()
                )));
            }
            db = self.db.take().or_else(|| {
                let is_named = self.names_database() || self.has_flag(&INSTEAD);
                variable.filter(|_| has_database && !is_named)
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

/// Flags that name a database themselves, or with which the verb reads no database. The environment variable is then
/// ignored.
const INSTEAD: [&str; 4] = ["-f", "--file", "--leaf-item", "--template"];

/// Whether a word is a database: a file, or a folder with one in it.
pub fn is_database(word: &OsStr) -> bool {
    is_database_path(Path::new(word))
}

/// Whether a verb has a database as its first positional argument.
pub fn takes_database(verb: &Command) -> bool {
    let first = verb.get_positionals().next();
    let names = first.and_then(Arg::get_value_names).unwrap_or_default();
    names.iter().any(|name| name == "DB" || name == "OLD")
}

/// Whether every word of a verb is a database. Then no order of the words is wrong.
pub fn takes_several(verb: &Command) -> bool {
    let first = verb.get_positionals().next();
    first.is_some_and(|first| matches!(first.get_action(), ArgAction::Append))
}

/// Puts `./` before a member of standard input (`-::path`, a file in an archive), because clap reads a word that begins
/// with `-` as a flag. Any other word stays as it is.
fn member_of_input(word: OsString) -> OsString {
    match word.as_encoded_bytes().starts_with(b"-::") {
        true => Path::new(".").join(word).into_os_string(),
        false => word,
    }
}

/// A database as a positional word: a path that begins with `-` gets `./` before it, so that clap does not read it as a
/// flag. `-` alone is standard input.
fn as_word(db: OsString) -> OsString {
    let bytes = db.as_encoded_bytes();
    if bytes.starts_with(b"-") && bytes != b"-" {
        return Path::new(".").join(db).into_os_string();
    }
    db
}

/// The short name and clap's id of a flag about namespaces. None for any other flag. Only these may be before the verb,
/// as with kubectl.
fn namespace_flag(word: &OsStr) -> Option<(&'static str, &'static str)> {
    let text = word.to_string_lossy();
    if text == "-A" || text == "--all-namespaces" {
        return Some(("-A", "all_namespaces"));
    }
    let name = text.split('=').next().unwrap_or_default();
    let is_short = text.starts_with("-n") && !text.starts_with("--");
    (is_short || name == "--namespace").then_some(("-n", "namespace"))
}

/// Whether the word after a flag is its value. `known` are the clap definitions of the program, its verb, and the
/// verb's subcommand.
fn takes_next(flag: &OsStr, known: &[&Command]) -> bool {
    let text = flag.to_string_lossy();
    // `-n` may be before the verb, which is not yet read then. In `-nshop` the value is in the same word; `-n` and
    // `-An` need the next word.
    let is_short = text
        .split_once('n')
        .is_some_and(|(_, rest)| rest.is_empty());
    let is_namespace = text == "--namespace" || (is_short && !text.starts_with("--"));
    (known.len() == 1 && is_namespace) || value_argument(&text, known).is_some()
}

/// The clap definition of the argument whose value is the word after a flag. None if the flag takes no value, or has it
/// in its own word.
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

/// The first argument for which a test is true: among those of the subcommand, the verb, and then the program.
fn find<'c>(known: &[&'c Command], is_wanted: impl Fn(&&Arg) -> bool) -> Option<&'c Arg> {
    let (program, verbs) = known.split_first()?;
    let of_verbs = verbs.iter().rev().flat_map(|verb| verb.get_arguments());
    of_verbs.chain(program.get_arguments()).find(is_wanted)
}
