//! `grep`: which objects hold a text, and from when to when they did.

use std::io::Write;
use std::path::PathBuf;
use std::{ffi::OsString, iter};

use clap::ValueEnum;
use rayon::prelude::*;
use serde_json::Value;

use crate::bbolt::Direction;
use crate::cli::address::Address;
use crate::cli::args::{At, Database};
use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::missing::not_found_among;
use crate::cli::objects::Objects;
use crate::cli::out::Out;
use crate::cli::select::{Selection, Where};
use crate::cli::sources::Sources;
use crate::cli::timeline::Timeline;
use crate::cli::writers::ByManager;
use crate::cli::{Answer, Run, Verb};
use crate::etcd::store::AtRevision;
use crate::etcd::{KeyEntry, Keyspace, Store};
use crate::k8s::encrypt::Keyring;
use crate::k8s::search::{Found, Matcher, Pattern};
use crate::view::grep::{
    Match, Place, count_json, match_json, span_json, write_count, write_match, write_span,
};

mod history;
mod look;
mod written;

use history::History;
use look::{Looker, Reader};
use written::Written;

/// Search the values of objects and keys for a text or regular expression
///
/// One line a match: `KEY@MOD_REVISION:path: value`. Of an object each field is searched as that line, a text of
/// several lines line by line (`path:LINE: text`), and the value by itself, so that ^ and $ hold for it; what
/// lies in the path above belongs to the field above. Any other value is searched line by line. Bytes (data
/// of Secrets, binaryData) are searched as what they are and shown behind `|base64d`; a literal of 8
/// characters or more is looked for in the base64 too. Values of Secrets are searched and shown masked.
///
/// --history tells of every retained revision: the first and the last that held a line, in each life of
/// its key. With --manager only objects are searched whose newest version it wrote, or with --history only lines
/// are shown that it brought. Exit code 1 when nothing is found.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// What to look for: a regular expression, or with -F a text
    #[arg(value_name = "PATTERN", required_unless_present = "regexp")]
    pattern: Option<OsString>,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// Look for this; repeatable: one of them has to match. Then there is no PATTERN before the addresses
    #[arg(
        short = 'e',
        long = "regexp",
        value_name = "PATTERN",
        allow_hyphen_values = true
    )]
    regexp: Vec<String>,
    /// Patterns are texts, not regular expressions
    #[arg(short = 'F', long)]
    fixed_strings: bool,
    /// Letters match whatever their case
    #[arg(short, long)]
    ignore_case: bool,
    /// A match begins and ends where a word does
    #[arg(short, long)]
    word_regexp: bool,
    /// Search all retained revisions (those up to --at)
    #[arg(long)]
    history: bool,
    /// With --history: only lines that were there at this time or later: 2026-11-20T21:05:00Z, 21:05 on the newest day,
    /// or 10m before the newest time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        requires = "history"
    )]
    since: Option<String>,
    /// With --history: only lines that were there at this time or earlier
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        requires = "history"
    )]
    until: Option<String>,
    #[command(flatten)]
    by_manager: ByManager,
    /// Search the keys too
    #[arg(short = 'k', long = "keys")]
    in_keys: bool,
    /// Print the keys alone
    #[arg(long, alias = "keys-only")]
    name_only: bool,
    /// Print how many lines match, of each key
    #[arg(short, long, conflicts_with = "name_only")]
    count: bool,
    /// Print at most so many lines of each key
    #[arg(short, long, value_name = "N")]
    max_count: Option<usize>,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    /// Search metadata.managedFields too
    #[arg(long)]
    show_managed_fields: bool,
    /// Print the values of Secrets
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    encryption: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line a match
    Table,
    /// One JSON array
    Json,
    /// A JSON object a line
    Jsonl,
}

/// Values are looked at in batches of this size: enough for all cores, little enough to be held.
const BATCH_BYTES: usize = 4 << 20;

/// And of this many, for small ones: with each some pages around it become resident.
const BATCH_VALUES: usize = 1024;

/// And of this many that lie all over the file.
const SCATTERED_VALUES: usize = 256;

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.encryption)
    }

    fn sources(&self) -> Sources {
        self.sources.clone()
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let matcher = self.matcher()?;
        let evidence = Evidence::only(run.evidence)?;
        let store = evidence.records()?;
        let extra = self
            .pattern
            .clone()
            .filter(|_| !self.regexp.is_empty())
            .map(|word| self.which.with_first(word));
        let which = extra.as_ref().unwrap_or(&self.which);
        let (which, at) = self.at.resolve(&store, which, run.keyring)?;
        let selection = which.select(&[(&store, at)], run.keyring)?;
        let (since, until) = self.period(&store, run.keyring)?;
        let at = AtRevision(at.0.min(until));
        let objects = Objects::new(run.keyring, evidence);
        let written = Written::new(&self.by_manager, &store, &selection, &objects);
        let grep = Grep {
            args: self,
            written: written.as_ref(),
            evidence,
            store: &store,
            at,
            since,
            selection: &selection,
            looker: Looker {
                matcher: &matcher,
                keyring: run.keyring,
                labels: selection.labels(),
                reveal: self.show_secrets,
                in_keys: self.in_keys,
            },
        };
        let reader = Reader::new(&grep.looker, &objects);
        let answer = if self.history {
            grep.history(reader, out)
        } else {
            grep.live(reader, out)
        };
        objects.conclude();
        answer
    }
}

impl Args {
    /// The revisions of --since and --until.
    fn period(&self, store: &Store<'_>, keyring: &Keyring) -> Result<(i64, i64), Failure> {
        if self.since.is_none() && self.until.is_none() {
            return Ok((i64::MIN, i64::MAX));
        }
        let timeline = Timeline::of(store, keyring);
        timeline.range(self.since.as_ref(), self.until.as_ref())
    }

    fn matcher(&self) -> Result<Matcher, Failure> {
        let alternatives = match &self.pattern {
            Some(pattern) if self.regexp.is_empty() => {
                let text = pattern.to_str().ok_or_else(|| {
                    Failure::cannot("the pattern is not UTF-8").hint(r"(?-u:\xff) matches a byte")
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
            Failure::cannot(error.to_string()).hint("-F looks for the text as it is written")
        })?;
        Ok(matcher.with_managed_fields(self.show_managed_fields))
    }
}

/// One run.
struct Grep<'r, 'a> {
    args: &'r Args,
    evidence: &'r Evidence,
    store: &'r Store<'a>,
    at: AtRevision,
    /// What the manager wrote whose changes are asked for.
    written: Option<&'r Written>,
    /// Lines that were gone before this main revision are left out.
    since: i64,
    selection: &'r Selection,
    looker: Looker<'r>,
}

impl Grep<'_, '_> {
    fn live(&self, mut reader: Reader<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let keyspace = Keyspace::at(self.store, self.at, |key| self.selection.covers(key));
        let mut printer = Printer::new(self.args, out);
        let worth = self.worth_a_look(&keyspace);
        let mut entries = worth.into_iter().peekable();
        while entries.peek().is_some() {
            let batch = next_batch(&mut entries, SCATTERED_VALUES, |entry| {
                entry.record.value.len()
            });
            let seen: Vec<_> = batch
                .par_iter()
                .map(|entry| self.looker.look(&entry.record))
                .collect();
            let before = printer.printed;
            for (entry, seen) in batch.iter().zip(seen) {
                let record = &entry.record;
                let in_key = seen.in_key;
                let found = reader.lines(record, seen.value);
                printer.matches(&entry.key, record.mod_revision, in_key, &found)?;
            }
            if printer.printed > before {
                // Whoever reads a pipe sees it now, and may have gone.
                printer.out.flush()?;
            }
            self.evidence.source().forget_resident();
        }
        let found = printer.finish()?;
        self.conclude(found, |address| {
            keyspace.live.iter().any(|entry| address.covers(&entry.key))
        })
    }

    /// The live values that may match, in key order. They are looked at where they lie, front to back: in key
    /// order most of the time would go into reading pages again.
    fn worth_a_look<'k, 'a>(&self, keyspace: &'k Keyspace<'a>) -> Vec<&'k KeyEntry<'a>> {
        let live = keyspace.live.iter();
        let is_written =
            |entry: &&KeyEntry<'_>| self.is_written(&entry.key, entry.record.revision.main);
        let mut by_place: Vec<&KeyEntry<'a>> = live.filter(is_written).collect();
        if !self.looker.matcher.has_filter() {
            return by_place;
        }
        by_place.sort_unstable_by_key(|entry| entry.record.offset);
        let mut worth = Vec::new();
        let mut entries = by_place.into_iter().peekable();
        while entries.peek().is_some() {
            let batch = next_batch(&mut entries, BATCH_VALUES, |entry| entry.record.value.len());
            let may_match = |entry: &&KeyEntry<'_>| self.looker.may_match(&entry.record);
            let kept: Vec<_> = batch.into_par_iter().filter(may_match).collect();
            worth.extend(kept);
            self.evidence.source().forget_resident();
        }
        worth.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        worth
    }

    fn history(&self, mut reader: Reader<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let mut history = History::new(self.store.compact_revision());
        history.fold(self, &mut reader);
        let mut printer = Printer::new(self.args, out);
        for (key, mut rows) in history.into_rows() {
            rows.retain(|row| {
                let was_there = row.span.gone_at.is_none_or(|gone| gone >= self.since);
                was_there && self.is_written(&key, row.span.first)
            });
            printer.spans(&key, &rows)?;
        }
        let found = printer.finish()?;
        self.conclude(found, |address| {
            let mut records = self.store.records(Direction::Forward);
            records.any(|record| address.covers(record.key))
        })
    }

    /// Whether a revision of a key is one of the manager whose changes are asked for.
    fn is_written(&self, key: &[u8], main: i64) -> bool {
        self.written.is_none_or(|written| written.has(key, main))
    }

    /// Nothing found is no failure, but nothing that could be searched is.
    fn conclude(
        &self,
        found: bool,
        is_there: impl FnMut(&Address) -> bool,
    ) -> Result<Answer, Failure> {
        let catalog = self.selection.catalog();
        match self.selection.unanswered(is_there) {
            Some(address) => Err(not_found_among(address, catalog, self.store, self.at)),
            None if found => Ok(Answer::Yes),
            None => Ok(Answer::No),
        }
    }
}

/// The next items, as many as are looked at together.
fn next_batch<T>(
    items: &mut iter::Peekable<impl Iterator<Item = T>>,
    most: usize,
    size: impl Fn(&T) -> usize,
) -> Vec<T> {
    let mut batch = Vec::new();
    let mut bytes = 0_usize;
    while batch.len() < most
        && let Some(item) = items.next_if(|_| bytes < BATCH_BYTES)
    {
        bytes = bytes.saturating_add(size(&item));
        batch.push(item);
    }
    batch
}

/// Prints what was found, in the form asked for.
struct Printer<'o> {
    args: &'o Args,
    out: &'o mut Out,
    /// Lines, objects or keys.
    printed: usize,
}

impl<'o> Printer<'o> {
    fn new(args: &'o Args, out: &'o mut Out) -> Self {
        Self {
            args,
            out,
            printed: 0,
        }
    }

    fn matches(
        &mut self,
        key: &[u8],
        mod_revision: i64,
        in_key: bool,
        found: &[Found],
    ) -> Result<(), Failure> {
        let of_key = in_key.then(|| of_key(key));
        let of_value = found.iter().map(|found| of_value(key, found));
        let all: Vec<Match<'_>> = of_key.into_iter().chain(of_value).collect();
        if self.summary(key, all.len())? {
            return Ok(());
        }
        for one in all.iter().take(self.limit()) {
            if self.args.output == Output::Table {
                let style = self.out.style();
                write_match(self.out.styled(), one, mod_revision, &style)?;
            } else {
                self.json(&match_json(one, mod_revision))?;
            }
            self.printed = self.printed.saturating_add(1);
        }
        Ok(())
    }

    fn spans(&mut self, key: &[u8], rows: &[history::Row]) -> Result<(), Failure> {
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
                write_span(self.out.styled(), &one, &row.span, &style)?;
            } else {
                self.json(&span_json(&one, &row.span))?;
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
                write_count(self.out.styled(), key, count, &style)?;
            } else {
                self.json(&count_json(key, count))?;
            }
            self.printed = self.printed.saturating_add(1);
        }
        Ok(true)
    }

    fn json(&mut self, value: &Value) -> Result<(), Failure> {
        if self.args.output == Output::Json {
            self.out
                .write_all(if self.printed == 0 { b"[" } else { b"," })?;
            write!(self.out, "{value}")?;
        } else {
            writeln!(self.out, "{value}")?;
        }
        Ok(())
    }

    /// Ends the output; whether there was any.
    fn finish(self) -> Result<bool, Failure> {
        if self.args.output == Output::Json {
            self.out
                .write_all(if self.printed == 0 { b"[]\n" } else { b"]\n" })?;
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

fn of_value<'f>(key: &'f [u8], found: &'f Found) -> Match<'f> {
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
