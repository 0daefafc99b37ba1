//! Questions that a test asks the library, as the verbs do: without a run of the program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use etcdive::query::compare::Change;
use etcdive::query::diff::{Diff, DiffFilters, TwoStates};
use etcdive::query::event_log::{EventFilters, EventLog};
use etcdive::query::evidence::{Evidence, Verify};
use etcdive::query::key_list::{KeyFilters, KeyList, KeyOrder};
use etcdive::query::objects::Keyring;
use etcdive::query::resolve::{only_one, resolve};
use etcdive::query::select::Which;
use etcdive::query::transaction::{OneRevision, RevisionRequest};
use etcdive::query::{Answer, NoAnswer, Notices, Question, tally};
use etcdive::view::command::Invocation;
use etcdive::view::line::Line;
use etcdive::view::listing::json as count_json;
use etcdive::view::record::{event_json, key_json};
use etcdive::view::{no_answer, notice};
use serde_json::Value;

/// Objects or keys, as typed.
pub fn which<S: AsRef<OsStr>>(words: &[S]) -> Which {
    let words = words.iter().map(|word| word.as_ref().to_owned());
    Which::new(words.collect(), Vec::new())
}

/// The same in namespaces.
pub fn which_in<S: AsRef<OsStr>>(words: &[S], namespaces: &[&str]) -> Which {
    Which {
        namespace: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        ..which(words)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Refused {
    /// The exit code that the reason means.
    pub code: i32,
    /// The sentence and the hint, a line each, as on standard error.
    pub text: String,
}

/// What `ls` is asked.
#[derive(Debug, Default)]
pub struct Listing<'l> {
    pub which: Which,
    /// As of which revision; the newest if it is empty.
    pub at: &'l str,
    pub filters: KeyFilters,
}

/// An open database.
pub struct Database {
    path: PathBuf,
    evidence: Evidence,
    keyring: Keyring,
    notices: Notices,
}

impl Database {
    pub fn open(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_path_buf();
        let evidence = Evidence::open(&path, Verify::IfSmall);
        Self {
            evidence: evidence.unwrap_or_else(|why| panic!("{}: {why:?}", path.display())),
            path,
            keyring: Keyring::default(),
            notices: Notices::default(),
        }
    }

    /// One question. What the answer before had to admit is forgotten.
    pub fn ask<T>(
        &self,
        verb: &'static str,
        ask: impl FnOnce(&Question<'_>) -> Result<T, NoAnswer>,
    ) -> Result<T, Refused> {
        self.notices.take();
        let question = Question::open(&self.evidence, &self.keyring, &self.notices);
        question.and_then(|question| ask(&question)).map_err(|no| {
            let run = Invocation::new(verb, Some(&self.path));
            let (message, hint) = no_answer::text(&no, &run);
            let hint = hint.map_or_else(String::new, |hint| format!("hint: {hint}\n"));
            super::assert_commands_are_marked(&hint);
            Refused {
                code: if no.is_no() { 1 } else { 2 },
                text: format!("etcdive: {message}\n{hint}"),
            }
        })
    }

    /// What the last answer had to admit, a line each.
    pub fn notes(&self) -> String {
        let lines = notice::lines(&self.notices.take(), &Invocation::default()).into_iter();
        let lines = lines.map(|line| match line {
            Line::Note(text) => format!("note: {text}\n"),
            Line::Hint(text) => format!("hint: {text}\n"),
            Line::Table(rows) => rows.text(),
        });
        lines.collect()
    }

    /// The events of objects or keys, newest first, as JSON without times and managers.
    pub fn log<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<Vec<Value>, Refused> {
        self.log_of(&EventFilters {
            which: which(words),
            ..EventFilters::default()
        })
    }

    pub fn log_of(&self, filters: &EventFilters) -> Result<Vec<Value>, Refused> {
        self.ask("log", |question| {
            let log = EventLog::read(question, filters)?;
            let events = log.newest()?;
            let rows: Vec<Value> = events.iter().map(|event| event_json(&event, &[])).collect();
            question.finish(Answer::Yes);
            Ok(rows)
        })
    }

    /// The events of a revision, or that of one object at a revision, as JSON without times, managers and fields.
    pub fn show<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<Vec<Value>, Refused> {
        let request = RevisionRequest {
            which: which(words),
            ..RevisionRequest::default()
        };
        self.ask("show", |question| {
            let events = match request.answer(question, &request.comparison(question))? {
                OneRevision::Transaction(transaction) => transaction.events,
                OneRevision::Object(object) => vec![object.event],
            };
            let rows = events.iter().map(|event| event_json(event, &[])).collect();
            question.finish(Answer::Yes);
            Ok(rows)
        })
    }

    /// The keys as `diff A..B --name-only` prints them, and whether nothing differs.
    pub fn diff<S: AsRef<OsStr>>(
        &self,
        range: &str,
        words: &[S],
    ) -> Result<(Vec<u8>, Answer), Refused> {
        let states = TwoStates::Range(range.parse().unwrap());
        self.ask("diff", |question| {
            let (which, states) = states.resolve(which(words), question)?;
            let filters = DiffFilters::default();
            let diff = Diff::read(states, &which, &filters)?;
            let mut names = Vec::new();
            for changed in diff.changes() {
                let mark: &[u8] = match changed.change {
                    Change::Created => b"+ ",
                    Change::Deleted => b"- ",
                    Change::Recreated | Change::Changed => b"~ ",
                };
                names.extend_from_slice(&[mark, changed.key(), b"\n"].concat());
            }
            Ok((names, diff.finish()))
        })
    }

    /// Keys, each with its counters as JSON.
    pub fn ls(&self, listing: &Listing<'_>, order: KeyOrder) -> Result<Vec<Value>, Refused> {
        self.list(listing, |list| {
            let mut chosen = list.chosen();
            order.sort(&mut chosen, false);
            let rows = chosen
                .iter()
                .map(|entry| key_json(entry.key(), &entry.newest().unwrap()));
            rows.collect()
        })
    }

    /// The keys alone, in key order.
    pub fn keys(&self, listing: &Listing<'_>) -> Result<Vec<String>, Refused> {
        self.list(listing, |list| {
            let chosen = list.chosen().into_iter();
            let keys = chosen.map(|entry| String::from_utf8(entry.key().to_vec()).unwrap());
            keys.collect()
        })
    }

    /// How many keys each resource has, or each namespace, as JSON.
    pub fn counts(&self, listing: &Listing<'_>) -> Result<Vec<Value>, Refused> {
        assert!(listing.filters.counted);
        self.list(listing, |list| {
            let counts = if listing.filters.in_namespaces {
                tally::namespaces(&list.chosen(), list.catalog().unwrap())
            } else {
                tally::resources(&list.chosen(), list.catalog().unwrap())
            };
            counts.iter().map(count_json).collect()
        })
    }

    fn list<T>(
        &self,
        listing: &Listing<'_>,
        rows: impl FnOnce(&KeyList<'_, '_>) -> Vec<T>,
    ) -> Result<Vec<T>, Refused> {
        self.ask("ls", |question| {
            let (which, own) = listing.which.split_revision(question.store())?;
            let given = (!listing.at.is_empty()).then(|| listing.at.parse().unwrap());
            let at = match only_one(own, given, "--at")? {
                Some(revision) => resolve(revision, question, &which)?,
                None => question.store().at(None)?,
            };
            let list = KeyList::read(question, &which, at, &listing.filters)?;
            let rows = rows(&list);
            list.finish(!rows.is_empty())?;
            Ok(rows)
        })
    }
}
