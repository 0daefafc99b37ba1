//! `recover`: what is gone, and its way back.

mod print;
mod write;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::sources::Sources;
use crate::cli::{Answer, Run, Verb, report};
use crate::query::Origins;
use crate::query::recovery::{ManifestOptions, Recovery, RecoveryFilters};
use crate::query::revision::RevisionExpr;

/// List what was deleted, and write it as manifests that kubectl apply takes
///
/// Without --out: each object that is gone, when its deletion began and ended, and the version that comes back: the
/// last one before the deletion began (before the object, its namespace or its owner was told to go), for controllers
/// empty objects while they go. A..B are the deletions after revision A up to B. With --at: all that was there
/// at a revision, gone or not.
///
/// --out writes a file an object, named in the order of making, and -o yaml one stream: without what the server owns
/// (uid, resourceVersion, status, ...), cluster addresses, nodes and bound volumes. What controllers make anew
/// is left out and counted. Values of Secrets are exact.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    /// All that was there at this revision, instead of what is gone
    #[arg(long, value_name = "REV", allow_negative_numbers = true)]
    at: Option<RevisionExpr>,
    /// The same at this time: 2026-11-20T21:05:00Z, 21:05 on the newest day, or 10m before the newest time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "at"
    )]
    at_time: Option<String>,
    /// Only what was deleted at this time or later, in the same forms
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with_all = ["at", "at_time"]
    )]
    since: Option<String>,
    /// Only what was deleted at this time or earlier
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with_all = ["at", "at_time"]
    )]
    until: Option<String>,
    /// Bring back the last version of all, not the last before the deletion began
    #[arg(long, conflicts_with_all = ["at", "at_time"])]
    last: bool,
    /// Bring back what controllers make as well: replica sets and pods of deployments, endpoint slices, events, ...
    #[arg(long)]
    controlled: bool,
    /// Write objects whole, as they were stored
    #[arg(long)]
    exact: bool,
    /// Leave out finalizers
    #[arg(long, conflicts_with = "exact")]
    strip_finalizers: bool,
    /// Keep the references to owners that are there: for the cluster that the file is of. Anywhere else its garbage
    /// collector deletes what refers to an owner that it does not know
    #[arg(long, conflicts_with = "exact")]
    keep_owners: bool,
    /// Write each object into a file of its own in this folder, and print the files' names. Nothing that exists is
    /// overwritten
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    out: Option<PathBuf>,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// The keys alone
    Name,
    /// One JSON array
    Json,
    /// A JSON object a line
    Jsonl,
    /// The manifests, one behind the other
    Yaml,
}

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

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let question = run.question()?;
        let filters = self.filters();
        let printer = Printer {
            args: self,
            run,
            recovery: Recovery::read(&question, &filters)?,
        };
        let any = match (&self.out, self.output) {
            (Some(folder), _) => printer.write_files(folder, out)?,
            (None, Output::Yaml) => printer.write_stream(out)?,
            _ => printer.print(out)?,
        };
        let has_manifests = self.out.is_some() || self.output == Output::Yaml;
        for notice in printer.recovery.notices(has_manifests) {
            report::notices(&[notice]);
        }
        Ok(question.finish(if any { Answer::Yes } else { Answer::No }))
    }
}

impl Args {
    fn filters(&self) -> RecoveryFilters {
        RecoveryFilters {
            which: self.which.asked(),
            at: self.at,
            at_time: self.at_time.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            last: self.last,
            controlled: self.controlled,
            is_carved: self.sources.carve,
        }
    }

    fn manifest_options(&self) -> ManifestOptions {
        ManifestOptions {
            exact: self.exact,
            strip_finalizers: self.strip_finalizers,
            keep_owners: self.keep_owners,
        }
    }
}

/// Prints what comes back, in the form asked for.
struct Printer<'r, 'a> {
    args: &'r Args,
    run: &'r Run<'r>,
    recovery: Recovery<'r, 'a>,
}
