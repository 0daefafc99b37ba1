//! `churn`: who writes how much.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::{Database, most_rows};
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::{Exclude, Where};
use crate::cli::sources::Sources;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::churn::Churn;
use crate::query::event_log::EventFilters;
use crate::query::{NoAnswer, Origins};
use crate::view;
use crate::view::churn::ChurnList;
use crate::view::json_rows::{Form, JsonRows};

/// Show who writes how much, by manager, resource and key
///
/// Counts the retained writes of the addresses, or of the whole store; A..B limits them to those after revision A up to
/// B. An event with several field managers counts for each. A fight is a field in which two managers restore each
/// other's value at least twice. A write without a change differs from the version before in managedFields at most.
/// OVER TIME has 16 equal parts of the period, by estimated times, or by revisions in a store without times.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    exclude: Exclude,
    /// Only writes at this time or later: 21:05, 10m ago
    ///
    /// Forms: 2026-11-20T21:05:00Z; 21:05 on the day of the newest time in the file; 10m before that time. See `etcdive
    /// help times`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Only writes at this time or earlier
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
    /// Show this list only
    ///
    /// The default is all lists. The flag can be repeated.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    by: Vec<List>,
    /// At most N rows in each list
    ///
    /// The default is 10 in tables and all rows in JSON. 0 prints all.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum List {
    /// Field managers
    Manager,
    /// Resources
    Resource,
    /// Namespaces
    Namespace,
    /// Keys
    Key,
    /// Fields that two managers flip
    Fights,
    /// Writes without a change
    NoChange,
    /// Lease objects that were written more than once
    Leases,
}

words!(List);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Tables for people
    Table,
    /// The tables with whole keys and all columns, even if the terminal is narrower
    Wide,
    /// One JSON object
    Json,
    /// One JSON object per line, for each row
    Jsonl,
}

words!(Output);

/// How many rows a table has at most, unless --limit says otherwise.
const ROWS: usize = 10;

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn origins(&self) -> Origins {
        self.sources.origins()
    }

    fn is_wide(&self) -> bool {
        self.output == Output::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let question = run.question()?;
        if let (Some(since), Some(until)) = (&self.since, &self.until) {
            let timeline = question.timeline();
            if timeline.time(since)? > timeline.time(until)? {
                return Err(NoAnswer::TimesUpsideDown.into());
            }
        }
        let filters = EventFilters {
            which: self.which.asked(),
            exclude: self.exclude.asked(),
            since: self.since.clone(),
            until: self.until.clone(),
            with_times: true,
            ..EventFilters::default()
        };
        let churn = Churn::read(&question, &filters, self.most_rows())?;
        self.print(&churn, out)?;
        Ok(question.finish(Answer::Yes))
    }
}

impl Args {
    /// How many rows a list has at most.
    fn most_rows(&self) -> usize {
        let default = match self.output {
            Output::Table | Output::Wide => ROWS,
            Output::Json | Output::Jsonl => usize::MAX,
        };
        most_rows(self.limit, default)
    }

    fn print(&self, churn: &Churn, out: &mut Out) -> Result<(), Failure> {
        let mut lists: Vec<ChurnList> = self.by.iter().map(|list| list.what()).collect();
        if lists.is_empty() {
            lists = ChurnList::ALL.to_vec();
        }
        let most = self.most_rows();
        let mut rows = JsonRows::new(Form::Lines);
        match self.output {
            Output::Table | Output::Wide => {
                return Ok(out.parts(&view::churn::parts(churn, &lists, most))?);
            }
            Output::Json => rows.row(&view::churn::json(churn, &lists, most), out)?,
            Output::Jsonl => {
                for row in view::churn::json_rows(churn, &lists, most) {
                    rows.row(&row, out)?;
                }
            }
        }
        Ok(rows.finish(out)?)
    }
}

impl List {
    /// The list that the word names.
    fn what(self) -> ChurnList {
        match self {
            Self::Manager => ChurnList::Managers,
            Self::Resource => ChurnList::Resources,
            Self::Namespace => ChurnList::Namespaces,
            Self::Key => ChurnList::Keys,
            Self::Fights => ChurnList::Fights,
            Self::NoChange => ChurnList::NoChanges,
            Self::Leases => ChurnList::Leases,
        }
    }
}
