//! `diff`: what changed between two databases of one cluster.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::cli::by_manager::ManagerArg;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::{Exclude, Where};
use crate::cli::sources::Sources;
use crate::cli::unified;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::compare::Changed;
use crate::query::diff::{Diff, DiffFilters, State, TwoStates, around_last_commit, newest_of_two};
use crate::query::revision::split_revision;
use crate::query::select::Which;
use crate::query::updates::each_with_fields;
use crate::query::{Evidence, NoAnswer, Origins, Question};
use crate::source::is_database_path;
use crate::view::diff::{self, Change, StatRow};
use crate::view::json_rows::{Form, JsonRows};
use crate::view::record::key_text;
use crate::view::style::Style;

/// Show what changed between two files, revisions or times
///
/// `+` created, `-` deleted, `~` changed, `*` re-created (deleted and created again). List items are matched by their
/// key (name, port, type, uid, ...), not by their position. Values of Secrets are masked; equal values have the same
/// number. The exit code is 1 if something differs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The older database, or the only one
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The newer database, or two revisions A..B of OLD
    #[arg(value_name = "NEW|A..B", required_unless_present_any = ["metas", "since", "until"])]
    new: Option<OsString>,
    /// Compare with the state before this time: 21:05, 10m ago
    ///
    /// Changes at this time are included, as with `log --since`. Forms: 2026-11-20T21:05:00Z; 21:05 on the day of the
    /// newest time in the file; 10m before that time. See `etcdive help times`.
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "metas"
    )]
    since: Option<String>,
    /// Compare the state after this time, not the newest; changes at this time are included
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "metas"
    )]
    until: Option<String>,
    /// Show what the last commit changed: compare the states of both meta pages
    #[arg(long)]
    metas: bool,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    exclude: Exclude,
    #[command(flatten)]
    by_manager: ManagerArg,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "fields", conflicts_with_all = ["stat", "name_only"])]
    output: Output,
    /// Show how many fields of each object changed
    #[arg(long, conflicts_with = "name_only")]
    stat: bool,
    /// Print only `+ KEY`, `- KEY` or `~ KEY`
    #[arg(long)]
    name_only: bool,
    /// Show the old and the new YAML of each object beside each other
    ///
    /// For changes that are read best in their surroundings. `|` marks a line that changed, `<` one that was removed,
    /// `>` one that was added; long lines go on below. The width is the terminal's; in a pipe that of COLUMNS, or 80.
    /// Example: etcdive diff DB 120..@ deploy/web -n shop -y
    #[arg(short = 'y', long, conflicts_with_all = ["output", "stat", "name_only"])]
    side_by_side: bool,
    /// Columns of -y, instead of the terminal's
    ///
    /// Example: etcdive diff DB 120..@ -y --width 160 > changes.txt
    #[arg(long, value_name = "COLUMNS", requires = "side_by_side", value_parser = clap::value_parser!(u16).range(20..))]
    width: Option<u16>,
    /// Mark what changed within long texts: [-old-]{+new+}
    ///
    /// A command line, a certificate bundle or a script in which one word changed is shown once, with that word marked,
    /// as `git diff --word-diff` does. Values that are masked are not marked. Example: etcdive diff DB 120..@
    /// configmaps -A --word
    #[arg(long, conflicts_with_all = ["stat", "name_only"])]
    word: bool,
    /// Leave out the status of objects
    #[arg(long)]
    exclude_status: bool,
    /// Compare metadata.managedFields too
    #[arg(long)]
    show_managed_fields: bool,
    /// Show the values of Secrets instead of masking them
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The changed fields of each object
    Fields,
    /// The objects' YAML as a unified diff
    Unified,
    /// One JSON array
    Json,
    /// One JSON object per line
    Jsonl,
}

words!(Output);

/// What is compared.
enum Compared {
    /// The states before and after the last commit.
    Metas,
    /// Two states of one database.
    OneFile(TwoStates),
    /// Two databases. This is the path of the newer one.
    Files(PathBuf),
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        let old = self.old.clone();
        Ok(match self.compared()?.0 {
            Compared::Files(new) => vec![old, new],
            _ => vec![old],
        })
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn origins(&self) -> Origins {
        self.sources.origins()
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let (compared, which) = self.compared()?;
        match compared {
            Compared::Metas => {
                let only = Evidence::only(run.evidence)?;
                let former = Question::open_former(only, run.keyring, run.notices)?;
                let newest = run.question_to(only)?;
                self.answer(around_last_commit([&former, &newest])?, &which, out)
            }
            Compared::Files(_) => {
                let [old, new] = run.evidence else {
                    return Err(NoAnswer::DatabasesNeeded(2).into());
                };
                let (old, new) = (run.question_to(old)?, run.question_to(new)?);
                self.answer(newest_of_two([&old, &new])?, &which, out)
            }
            Compared::OneFile(two_states) => {
                let question = run.question()?;
                let (which, states) = two_states.resolve(which, &question)?;
                self.answer(states, &which, out)
            }
        }
    }
}

/// Prints only the keys, each with a mark for its change (`--name-only`).
fn print_names(changes: &[Changed<'_>], style: &Style, out: &mut Out) -> Result<(), Failure> {
    for changed in changes {
        // In a pipe a key is printed byte for byte, even if it is not UTF-8.
        if !out.is_terminal() && std::str::from_utf8(changed.key()).is_err() {
            out.write_all(&[name_marker(changed.change), b" ", changed.key(), b"\n"].concat())?;
            continue;
        }
        diff::write_name(&mut out.clipped(), changed.change, changed.key(), style)?;
    }
    Ok(())
}

/// The width of `--side-by-side` without a terminal: the environment variable COLUMNS, or 80.
fn columns_of_pipe() -> usize {
    let columns = std::env::var("COLUMNS").ok();
    let columns = columns.and_then(|text| text.trim().parse().ok());
    columns
        .filter(|columns| *columns >= NARROWEST)
        .unwrap_or(80)
}

/// The least width at which two versions fit beside each other.
const NARROWEST: usize = 20;

/// The mark of a change in `--name-only`, in a pipe.
fn name_marker(change: Change) -> &'static [u8] {
    match change {
        Change::Created => b"+",
        Change::Deleted => b"-",
        Change::Recreated | Change::Changed => b"~",
    }
}

impl Args {
    /// What is compared, and the addresses. The word after the first database is the second database if there is such a
    /// file. Otherwise it is an address or a range of revisions. If no word is a range, no address has a revision and
    /// no time is given, that word has to be a path that does not exist, or the user forgot the range.
    fn compared(&self) -> Result<(Compared, Which), Failure> {
        let new = self.new.clone();
        let which = match &new {
            Some(word) => self.which.asked().with_first(word.clone()),
            None => self.which.asked().clone(),
        };
        let has_times = self.since.is_some() || self.until.is_some();
        if self.metas {
            return Ok((Compared::Metas, which));
        }
        if let Some(word) = new.filter(|word| is_database_path(Path::new(word))) {
            if has_times {
                let word = Path::new(&word).display();
                return Err(Failure::cannot(format!(
                    "--since and --until are times in one database, and {word} is a second one"
                )));
            }
            if self.which.asked().split_range()?.1.is_some() {
                let word = Path::new(&word).display();
                return Err(Failure::cannot(format!(
                    "a range A..B is of one database, and {word} is a second one"
                )));
            }
            return Ok((Compared::Files(word.into()), self.which.asked().clone()));
        }
        let (addresses, range) = which.split_range()?;
        match (range, has_times) {
            (Some(_), true) => Err(Failure::cannot(
                "a range A..B and --since or --until: one of them is enough",
            )),
            (Some(range), false) => Ok((Compared::OneFile(TwoStates::Range(range)), addresses)),
            (None, true) => {
                let times = TwoStates::Times {
                    since: self.since.clone(),
                    until: self.until.clone(),
                };
                Ok((Compared::OneFile(times), addresses))
            }
            (None, false)
                if which
                    .words()
                    .iter()
                    .any(|word| split_revision(word).is_some()) =>
            {
                Ok((Compared::OneFile(TwoStates::Addresses), which))
            }
            (None, false) => {
                let new = PathBuf::from(self.new.clone().unwrap_or_default());
                let text = key_text(new.as_os_str().as_encoded_bytes());
                // It looks like a path: opening it reports what is wrong.
                if text.contains(['/', '.']) || new.is_symlink() {
                    return Ok((Compared::Files(new), self.which.asked().clone()));
                }
                Err(Failure::cannot(format!(
                    "{text}: no such file or directory, and no range of revisions A..B is given"
                ))
                .hint(format!("`etcdive diff {} A..B {text}`", self.old.display())))
            }
        }
    }

    /// Compares two states and prints the difference. If the reader of a pipe ends early, the exit
    /// code still shows whether they differ.
    fn answer(
        &self,
        states: [State<'_, '_>; 2],
        which: &Which,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let filters = DiffFilters {
            exclude: self.exclude.asked(),
            by_manager: self.by_manager.filter(),
            exclude_status: self.exclude_status,
            show_managed_fields: self.show_managed_fields,
            show_secrets: self.show_secrets,
        };
        let diff = Diff::read(states, which, &filters)?;
        let printed = self.print(&diff, out);
        printed.map_err(|failure| failure.with_answer(diff.answer()))?;
        Ok(diff.finish())
    }

    /// Prints both versions of each changed object as YAML, beside each other.
    fn print_sides(
        &self,
        diff: &Diff<'_, '_>,
        style: &Style,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let comparison = &mut diff.comparison();
        let width = self.width.map(usize::from).or(style.width);
        let width = width.unwrap_or_else(columns_of_pipe);
        for changed in diff.changes() {
            let fields = comparison.fields(changed);
            let object = comparison.object(changed, &fields);
            diff::write_header(&mut out.clipped(), &object, style)?;
            unified::write_sides(comparison, changed, style, width, out)?;
        }
        Ok(())
    }

    /// Prints the changes in the form that was asked for.
    fn print(&self, diff: &Diff<'_, '_>, out: &mut Out) -> Result<(), Failure> {
        let (comparison, changes) = (&mut diff.comparison(), diff.changes());
        let style = Style {
            words: self.word,
            ..out.style()
        };
        if self.word && matches!(self.output, Output::Json | Output::Jsonl) {
            return Err(Failure::cannot(
                "--word is for people: JSON has both values",
            ));
        }
        if self.side_by_side {
            return self.print_sides(diff, &style, out);
        }
        if self.name_only {
            return print_names(changes, &style, out);
        }
        if self.stat {
            let mut rows: Vec<StatRow> = Vec::with_capacity(changes.len());
            each_with_fields(
                changes,
                |_| true,
                comparison,
                |_, changed, fields| {
                    let key = key_text(changed.key());
                    rows.push(StatRow::new(changed.change, &key, &fields));
                    Ok::<_, Failure>(())
                },
            )?;
            diff::write_stat(&mut out.clipped(), &rows, &style)?;
            return Ok(());
        }
        let mut rows = JsonRows::new(Form::array_if(self.output == Output::Json));
        if self.output == Output::Unified {
            let mut changes = changes.iter();
            return changes
                .try_for_each(|changed| unified::write_change(comparison, changed, &style, out));
        }
        // An object that was created or deleted has only a line of its own, without its fields.
        let is_shown =
            |changed: &Changed<'_>| self.output != Output::Fields || changed.is_in_both();
        each_with_fields(
            changes,
            is_shown,
            comparison,
            |comparison, changed, fields| {
                let object = comparison.object(changed, &fields);
                if self.output == Output::Fields {
                    diff::write_object(&mut out.clipped(), &object, &style)?;
                } else {
                    let row = diff::json(&object, diff.question().catalog())?;
                    rows.text(&row, out)?;
                }
                Ok::<_, Failure>(())
            },
        )?;
        if self.output != Output::Fields {
            rows.finish(out)?;
        }
        Ok(())
    }
}
