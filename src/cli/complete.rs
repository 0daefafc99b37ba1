//! Completion of a command line in a shell: verbs, flags, their values, and what a database contains.
//!
//! The scripts of `completions SHELL` call the hidden verb `__complete` with the words before the cursor. Nothing is
//! printed on standard error, and a file that cannot be read has no names: a shell is no place for messages.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use clap::{Arg, Command};

use crate::diag::Code;
use crate::query::completion::{Candidate, Known, States};

use super::arguments::line::{CommandLine, takes_database};
use super::help::topics;

/// How long a database is read. On a slow disk or in a damaged file even the newest records can take longer; then only
/// what is known without the database is offered.
const PATIENCE: Duration = Duration::from_millis(800);

/// The buckets of etcd.
const BUCKETS: [&str; 10] = [
    "alarm",
    "auth",
    "authRoles",
    "authUsers",
    "cluster",
    "key",
    "lease",
    "members",
    "members_removed",
    "meta",
];

/// The formats of `get -o`. clap does not list them.
const GET_FORMATS: [&str; 9] = [
    "custom-columns=",
    "json",
    "jsonl",
    "jsonpath=",
    "jsonpath-as-json=",
    "name",
    "table",
    "wide",
    "yaml",
];

/// What a shell offers for a word.
#[derive(Debug, Default)]
pub struct Completion {
    /// The candidates.
    pub candidates: Vec<Candidate>,
    /// Whether the names of files are offered as well.
    pub files: bool,
}

impl Completion {
    fn files() -> Self {
        Self {
            candidates: Vec::new(),
            files: true,
        }
    }

    fn of(candidates: Vec<Candidate>) -> Self {
        Self {
            candidates,
            files: false,
        }
    }

    fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        let candidate = |word: &str| Candidate {
            word: word.to_owned(),
            about: String::new(),
        };
        Self::of(words.into_iter().map(candidate).collect())
    }

    /// The same with a text before each candidate.
    fn after(mut self, before: &str) -> Self {
        for candidate in &mut self.candidates {
            candidate.word.insert_str(0, before);
        }
        self
    }
}

/// What can follow `words`, those of a command line after the program's name, in the place of `current`. `variable` is
/// the database that the environment names.
pub fn complete(
    root: &Command,
    words: &[OsString],
    current: &str,
    variable: Option<OsString>,
) -> Completion {
    let mut completion = Request::read(root, words, variable).answer(current);
    completion
        .candidates
        .retain(|candidate| candidate.word.starts_with(current) && is_harmless(&candidate.word));
    completion
}

/// Whether a word means itself in every shell. Names come from the file, and a shell may evaluate what it inserts.
fn is_harmless(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:@=%+,-".contains(c);
    word.chars().all(is_plain)
}

/// A command line that is being typed.
struct Request<'c> {
    root: &'c Command,
    line: CommandLine,
    /// The flag whose value is being typed.
    flag: Option<OsString>,
    variable: Option<OsString>,
}

impl<'c> Request<'c> {
    fn read(root: &'c Command, words: &[OsString], variable: Option<OsString>) -> Self {
        let read = |words: &[OsString]| {
            let with_program = std::iter::once(OsString::from("etcdive")).chain(words.to_vec());
            let all: Vec<OsString> = with_program.collect();
            CommandLine::read(&all, root).unwrap_or_default()
        };
        let (last, before) = match words.split_last() {
            Some((last, before)) => (last, before),
            None => {
                return Self {
                    root,
                    line: read(words),
                    flag: None,
                    variable,
                };
            }
        };
        let line = read(before);
        if line.takes_value(last, root) {
            let flag = Some(last.clone());
            return Self {
                root,
                line,
                flag,
                variable,
            };
        }
        Self {
            root,
            line: read(words),
            flag: None,
            variable,
        }
    }

    fn verb(&self) -> Option<&'c Command> {
        self.line.command(self.root)
    }

    fn answer(&self, current: &str) -> Completion {
        if let Some(flag) = &self.flag {
            return self.value(flag, current);
        }
        if let Some((flag, value)) = current
            .split_once('=')
            .filter(|_| current.starts_with("--"))
        {
            return self
                .value(OsStr::new(flag), value)
                .after(&format!("{flag}="));
        }
        if current.starts_with('-') {
            return Completion::of(self.flags());
        }
        let Some(verb) = self.verb() else {
            if self.line.verb.is_empty() {
                return Completion::of(verbs_of(self.root));
            }
            return Completion::default();
        };
        if verb.has_subcommands() {
            return Completion::of(verbs_of(verb));
        }
        self.positional(verb, current)
    }

    /// The flags of the verb and of the program.
    fn flags(&self) -> Vec<Candidate> {
        let of_verb = self.verb().into_iter().flat_map(Command::get_arguments);
        let of_program = self.root.get_arguments();
        let shown = of_verb.chain(of_program).filter(|arg| !arg.is_hide_set());
        let mut flags: Vec<Candidate> = shown
            .filter_map(|arg| {
                Some(Candidate {
                    word: format!("--{}", arg.get_long()?),
                    about: arg.get_help().map(ToString::to_string).unwrap_or_default(),
                })
            })
            .collect();
        flags.push(Candidate {
            word: "--help".to_owned(),
            about: "Print help".to_owned(),
        });
        flags
    }

    /// What the value of a flag can be.
    fn value(&self, flag: &OsStr, current: &str) -> Completion {
        let text = flag.to_string_lossy();
        if ["--db", "--file", "-f"].contains(&&*text) {
            return Completion::files();
        }
        if ["-n", "--namespace"].contains(&&*text) && !self.is_count() {
            let before = list_before(current);
            let known = self.known();
            return Completion::of(known.namespaces(self.states())).after(before);
        }
        let Some(arg) = self.line.argument(flag, self.root) else {
            return Completion::default();
        };
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            let shown = possible.iter().filter(|value| !value.is_hide_set());
            let candidate = |value: &clap::builder::PossibleValue| Candidate {
                word: value.get_name().to_owned(),
                about: value
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            };
            return Completion::of(shown.map(candidate).collect());
        }
        match arg.get_id().as_str() {
            "output" => Completion::words(GET_FORMATS),
            "meta" => Completion::words(["0", "1", "older"]),
            "exclude" | "custom" => {
                let before = list_before(current);
                Completion::of(self.known().resources(States::Any)).after(before)
            }
            "about" => self.type_and_name(current, &self.known(), States::Any),
            _ if value_names(arg).any(|name| ["FILE", "DIR", "DB"].contains(&name)) => {
                Completion::files()
            }
            _ => Completion::default(),
        }
    }

    /// Whether `-n` is a number here, not a namespace.
    fn is_count(&self) -> bool {
        self.line.verb.first().is_some_and(|verb| verb == "wal")
    }

    /// What the next word that is no flag can be.
    fn positional(&self, verb: &Command, current: &str) -> Completion {
        let count = self.line.words().count();
        let is_named_before = takes_database(verb) && self.is_database_elsewhere();
        let place = count.saturating_add(usize::from(is_named_before));
        let positionals: Vec<&Arg> = verb.get_positionals().collect();
        let is_list = |arg: &&&Arg| arg.get_num_args().is_some_and(|num| num.max_values() > 1);
        let last = positionals.last().filter(is_list);
        let Some(arg) = positionals.get(place).or(last) else {
            return Completion::default();
        };
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            return Completion::words(possible.iter().map(clap::builder::PossibleValue::get_name));
        }
        match value_names(arg).next().unwrap_or_default() {
            "DB" | "OLD" | "FILE" | "DIR" => Completion::files(),
            "NEW|A..B" => Completion {
                files: true,
                ..self.address(current)
            },
            "ADDRESS" | "REV|ADDRESS[@REV]" => self.address(current),
            "BUCKET" => Completion::words(BUCKETS),
            "CODE" => Completion::words(Code::ALL.iter().map(|code| code.as_str())),
            "VERB" => Completion::of(verbs_of(self.root)),
            "VERB|TOPIC" => {
                let mut all = Completion::words(topics::names());
                all.candidates.extend(verbs_of(self.root));
                all
            }
            _ => Completion::default(),
        }
    }

    /// Whether a flag or the environment names the database.
    fn is_database_elsewhere(&self) -> bool {
        self.line.db.is_some() || (self.variable.is_some() && !self.line.names_database())
    }

    /// The database that is named.
    fn database(&self) -> Option<PathBuf> {
        let word = || self.line.words().next().map(OsStr::to_owned);
        let named = self.line.db.clone();
        let elsewhere = named.or_else(|| {
            let variable = self.variable.clone();
            variable.filter(|_| !self.line.names_database())
        });
        let db = elsewhere.or_else(word)?;
        Some(home_expanded(Path::new(&db)))
    }

    /// Which keys the verb is about.
    fn states(&self) -> States {
        let verb = self.line.verb.first().and_then(|verb| verb.to_str());
        match verb.unwrap_or_default() {
            "recover" if !self.line.has_flag(&["--at", "--at-time"]) => States::Deleted,
            "recover" | "log" | "show" | "blame" | "grep" | "watch" | "diff" => States::Any,
            "ls" if self.line.has_flag(&["--deleted"]) => States::Deleted,
            _ if self.line.has_flag(&["--at", "--at-time", "--rev"]) => States::Any,
            _ => States::Live,
        }
    }

    /// What the database contains, as far as it can be read soon.
    fn known(&self) -> Known {
        let Some(path) = self.database() else {
            return Known::default();
        };
        let (done, read) = mpsc::channel();
        // The end of the program ends this thread too.
        std::thread::spawn(move || drop(done.send(Known::read(&path))));
        let known = read.recv_timeout(PATIENCE).ok().flatten();
        known.unwrap_or_default()
    }

    /// A part of an address.
    fn address(&self, current: &str) -> Completion {
        let known = self.known();
        let states = self.states();
        if current.starts_with('/') {
            return Completion::of(known.keys_from(current, states));
        }
        let skipped = usize::from(!self.is_database_elsewhere()).saturating_add(usize::from(
            self.line
                .verb
                .first()
                .is_some_and(|verb| verb == "grep" && !self.line.has_flag(&["-e", "--regexp"])),
        ));
        let mut addresses = self.line.words().skip(skipped).filter_map(OsStr::to_str);
        let is_type = |word: &&str| !word.contains(['/', '@']) && known.is_resource(word);
        if let Some(types) = addresses.find(is_type) {
            return Completion::of(known.names(types, &self.namespaces(), states));
        }
        self.type_and_name(current, &known, states)
    }

    /// A resource, or `TYPE/NAME`.
    fn type_and_name(&self, current: &str, known: &Known, states: States) -> Completion {
        match current.split_once('/') {
            Some((types, _)) => {
                let names = known.names(types, &self.namespaces(), states);
                Completion::of(names).after(&format!("{types}/"))
            }
            None => Completion::of(known.resources(states)).after(list_before(current)),
        }
    }

    /// The namespaces that are named on the line.
    fn namespaces(&self) -> Vec<String> {
        self.line.values_of(&["-n", "--namespace"])
    }
}

/// The visible verbs of a command, each with its first line.
fn verbs_of(command: &Command) -> Vec<Candidate> {
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let candidate = |verb: &Command| Candidate {
        word: verb.get_name().to_owned(),
        about: verb
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default(),
    };
    shown.map(candidate).collect()
}

fn value_names(arg: &Arg) -> impl Iterator<Item = &str> {
    let names = arg.get_value_names().unwrap_or_default();
    names.iter().map(|name| name.as_str())
}

/// What is before the last item of a list with commas.
fn list_before(text: &str) -> &str {
    let items = text
        .rsplit_once(',')
        .map_or(0, |(before, _)| before.len().saturating_add(1));
    text.get(..items).unwrap_or_default()
}

/// A path whose `~/` is the home folder: a shell hands it over as it was typed.
fn home_expanded(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}
