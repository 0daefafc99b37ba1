//! `grep`: which objects hold a text, and from when to when they did.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::args::{At, Database};
use crate::cli::by_manager::ManagerArg;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::sources::Sources;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::Origins;
use crate::query::address::Address;
use crate::query::resolve::AtRevision;
use crate::query::search::{
    LiveMatch, Looker, MatchedLine, Matcher, Pattern, Row, Search, Written,
};
use crate::query::select::Selection;
use crate::query::{NoAnswer, Question};
use crate::view::grep::{
    Match, Place, count_json, match_json, span_json, write_count, write_match, write_span,
};
use crate::view::json_rows::{Form, JsonRows, with_object};

/// Search the values of objects and keys
///
/// Prints one line per match: `KEY@MOD_REVISION:path: value`. Each field of an object is searched as the line `path:
/// value`, and its value alone, so that ^ and $ work. A text of several lines is searched line by line (`path:LINE:
/// text`). Other values are searched line by line. Binary data of Secrets and ConfigMaps is searched decoded and is
/// marked with `|base64d`; a literal of 8 characters or more is also searched in the base64. Values of Secrets are
/// searched too, and are masked in the output.
///
/// With --history every retained revision is searched, and each line is printed with the first and the last revision
/// that contained it. --manager limits the search to objects whose newest version this manager wrote or, with
/// --history, to lines that it wrote. The exit code is 1 if nothing is found.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// A regular expression or, with -F, a plain text
    #[arg(value_name = "PATTERN", required_unless_present = "regexp")]
    pattern: Option<OsString>,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// Search this pattern; can be repeated
    ///
    /// A line matches if one of the patterns does. PATTERN is then left out.
    #[arg(
        short = 'e',
        long = "regexp",
        value_name = "PATTERN",
        allow_hyphen_values = true
    )]
    regexp: Vec<String>,
    /// The pattern is plain text
    #[arg(short = 'F', long)]
    fixed_strings: bool,
    /// Ignore case
    #[arg(short, long)]
    ignore_case: bool,
    /// Match whole words only
    #[arg(short, long)]
    word_regexp: bool,
    /// Search all retained revisions, up to --at
    #[arg(long)]
    history: bool,
    /// With --history: only lines that existed at this time or later
    ///
    /// Forms: 2026-11-20T21:05:00Z; 21:05 on the day of the newest time in the file; 10m before that time. See `etcdive
    /// help times`.
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        requires = "history"
    )]
    since: Option<String>,
    /// With --history: only lines that existed at this time or earlier
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        requires = "history"
    )]
    until: Option<String>,
    #[command(flatten)]
    by_manager: ManagerArg,
    /// Search the keys too
    #[arg(short = 'k', long = "keys")]
    in_keys: bool,
    /// Print only the keys
    #[arg(long, alias = "keys-only")]
    name_only: bool,
    /// Print the number of matching lines of each key
    #[arg(short, long, conflicts_with = "name_only")]
    count: bool,
    /// Print at most N lines of each key
    #[arg(short, long, value_name = "N")]
    max_count: Option<usize>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    /// Search metadata.managedFields too
    #[arg(long)]
    show_managed_fields: bool,
    /// Show the values of Secrets instead of masking them
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    encryption: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One line per match
    Table,
    /// One JSON array
    Json,
    /// One JSON object per line
    Jsonl,
}

words!(Output);

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.encryption)
    }

    fn origins(&self) -> Origins {
        self.sources.origins()
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let matcher = self.matcher()?;
        let question = run.question()?;
        let store = question.store();
        let extra = self
            .pattern
            .clone()
            .filter(|_| !self.regexp.is_empty())
            .map(|word| self.which.asked().with_first(word));
        let which = extra.unwrap_or_else(|| self.which.asked());
        let (which, at) = self.at.resolve(&question, &which)?;
        let selection = which.select(&[(store, at)], run.keyring)?;
        let (since, until) = match (&self.since, &self.until) {
            (None, None) => (i64::MIN, i64::MAX),
            (since, until) => question.timeline().range(since.as_ref(), until.as_ref())?,
        };
        let at = AtRevision(at.0.min(until));
        let by_manager = self.by_manager.filter();
        let written = Written::read(&by_manager, &question, |key| selection.covers(key));
        let search = Search {
            question: &question,
            since,
            written: written.as_ref(),
            at,
            covers: &|key| selection.covers(key),
            looker: Looker {
                matcher: &matcher,
                keyring: run.keyring,
                labels: selection.labels(),
                reveal: self.show_secrets,
                in_keys: self.in_keys,
            },
        };
        let grep = Grep {
            args: self,
            search: &search,
            selection: &selection,
        };
        let answer = if self.history {
            grep.history(out)
        } else {
            grep.live(out)
        };
        answer.map(|answer| question.finish(answer))
    }
}

impl Args {
    fn matcher(&self) -> Result<Matcher, Failure> {
        let alternatives = match &self.pattern {
            Some(pattern) if self.regexp.is_empty() => {
                let text = pattern.to_str().ok_or_else(|| {
                    Failure::cannot("the pattern is not UTF-8").hint(r"`(?-u:\xff)` matches a byte")
                })?;
                vec![text.to_owned()]
            }
            _ => self.regexp.clone(),
        };
        let pattern = Pattern {
            alternatives,
            fixed: self.fixed_strings,
            ignore_case: self.ignore_case,
            word: self.word_regexp,
        };
        let matcher = Matcher::new(&pattern).map_err(|error| {
            Failure::cannot(error.to_string()).hint("`-F` looks for the text as it is written")
        })?;
        Ok(matcher.with_managed_fields(self.show_managed_fields))
    }
}

/// One run.
struct Grep<'r, 'a> {
    args: &'r Args,
    search: &'r Search<'r, 'a>,
    selection: &'r Selection,
}

impl Grep<'_, '_> {
    fn live(&self, out: &mut Out) -> Result<Answer, Failure> {
        let question = self.search.question;
        let mut printer = Printer::new(self.args, question, out);
        let live = self.search.live(&mut |batch| {
            let before = printer.printed;
            for found in batch {
                printer.matches(found)?;
            }
            if printer.printed > before {
                // A reader of a pipe gets it now, or has closed the pipe.
                printer.out.flush()?;
            }
            Ok::<(), Failure>(())
        })?;
        let found = printer.finish()?;
        self.conclude(found, live.is_empty(), |address| {
            live.keys().any(|key| address.covers(key))
        })
    }

    fn history(&self, out: &mut Out) -> Result<Answer, Failure> {
        let question = self.search.question;
        let mut printer = Printer::new(self.args, question, out);
        for (key, rows) in self.search.history() {
            printer.spans(&key, &rows)?;
        }
        let found = printer.finish()?;
        let has = |covers: &dyn Fn(&[u8]) -> bool| question.store().has_record(covers);
        let is_empty = !has(&|key| self.selection.covers(key));
        self.conclude(found, is_empty, |address| has(&|key| address.covers(key)))
    }

    /// Why nothing is of the manager that was named: no retained version names it.
    fn unknown_manager(&self) -> Option<NoAnswer> {
        let by_manager = self.args.by_manager.filter();
        self.search.question.missing_manager(by_manager.name()?)
    }

    /// Nothing found is no failure, but nothing that could be searched is.
    fn conclude(
        &self,
        found: bool,
        is_empty: bool,
        is_there: impl FnMut(&Address) -> bool,
    ) -> Result<Answer, Failure> {
        let why =
            self.selection
                .why_empty(self.search.question, self.search.at, is_there, is_empty);
        match why {
            Some(why) => Err(why.into()),
            None if found => Ok(Answer::Yes),
            None if let Some(unknown) = self.unknown_manager() => Err(unknown.into()),
            None if self.search.labels_left_nothing() => Err(self
                .search
                .question
                .emptied()
                .map_or_else(|| Failure::not_found("nothing found"), Failure::from)),
            None => Ok(Answer::No),
        }
    }
}

/// Prints what was found, in the form asked for.
struct Printer<'o, 'a> {
    args: &'o Args,
    out: &'o mut Out,
    question: &'o Question<'a>,
    rows: JsonRows,
    /// Lines, objects or keys.
    printed: usize,
}

impl<'o, 'a> Printer<'o, 'a> {
    fn new(args: &'o Args, question: &'o Question<'a>, out: &'o mut Out) -> Self {
        Self {
            args,
            question,
            rows: JsonRows::new(Form::array_if(args.output == Output::Json)),
            out,
            printed: 0,
        }
    }

    fn matches(&mut self, live: &LiveMatch<'_>) -> Result<(), Failure> {
        let LiveMatch {
            entry,
            in_key,
            found,
        } = live;
        let (key, mod_revision) = (&*entry.key, entry.record.mod_revision);
        let of_key = in_key.then(|| of_key(key));
        let of_value = found.iter().map(|found| of_value(key, found));
        let all: Vec<Match<'_>> = of_key.into_iter().chain(of_value).collect();
        if self.summary(key, all.len())? {
            return Ok(());
        }
        for one in all.iter().take(self.limit()) {
            if self.args.output == Output::Table {
                let style = self.out.style();
                write_match(&mut self.out.clipped(), one, mod_revision, &style)?;
            } else {
                self.json(key, match_json(one, mod_revision))?;
            }
            self.printed = self.printed.saturating_add(1);
        }
        Ok(())
    }

    fn spans(&mut self, key: &[u8], rows: &[Row]) -> Result<(), Failure> {
        if self.summary(key, rows.len())? {
            return Ok(());
        }
        for row in rows.iter().take(self.limit()) {
            let one = match &row.found {
                None => of_key(key),
                Some(found) => of_value(key, found),
            };
            if self.args.output == Output::Table {
                let style = self.out.style();
                write_span(&mut self.out.clipped(), &one, &row.span, &style)?;
            } else {
                self.json(key, span_json(&one, &row.span))?;
            }
            self.printed = self.printed.saturating_add(1);
        }
        Ok(())
    }

    fn limit(&self) -> usize {
        self.args.max_count.unwrap_or(usize::MAX)
    }

    /// Prints a key alone or with its number of lines; false where neither was asked for.
    fn summary(&mut self, key: &[u8], lines: usize) -> Result<bool, Failure> {
        if !(self.args.name_only || self.args.count) {
            return Ok(false);
        }
        let lines = lines.min(self.limit());
        if lines > 0 {
            let count = self.args.count.then_some(lines);
            if self.args.output == Output::Table {
                let style = self.out.style();
                write_count(&mut self.out.clipped(), key, count, &style)?;
            } else {
                self.json(key, count_json(key, count))?;
            }
            self.printed = self.printed.saturating_add(1);
        }
        Ok(true)
    }

    fn json(&mut self, key: &[u8], value: Value) -> Result<(), Failure> {
        let row = with_object(value, key, self.question.catalog());
        Ok(self.rows.row(&row, self.out)?)
    }

    /// Ends the output; whether there was any.
    fn finish(self) -> Result<bool, Failure> {
        if self.args.output != Output::Table {
            self.rows.finish(self.out)?;
        }
        Ok(self.printed > 0)
    }
}

fn of_key(key: &[u8]) -> Match<'_> {
    Match {
        key,
        place: Place::Key,
        line: None,
        text: b"",
        ranges: &[],
        decoded: false,
        masked: false,
    }
}

fn of_value<'f>(key: &'f [u8], found: &'f MatchedLine) -> Match<'f> {
    Match {
        key,
        place: Place::Field(&found.path),
        line: found.line,
        text: &found.text,
        ranges: &found.ranges,
        decoded: found.decoded,
        masked: found.masked,
    }
}
