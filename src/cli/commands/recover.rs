//! `recover`: what is gone, and its way back.

mod plan;
mod print;
mod write;

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;

use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::sources::Sources;
use crate::cli::{Answer, Run, Verb, report};
use crate::query::left_out::Kept;
use crate::query::recovery::{ManifestOptions, Recovery, RecoveryFilters, Release};
use crate::query::recovery_notice::RecoveryNotice;
use crate::query::revision::RevisionExpr;
use crate::query::{Notice, Origins};

/// List what was deleted, and write it as manifests that kubectl create takes
///
/// Without --out: each deleted object, when its deletion began and ended, and the version that comes back. That is the
/// last one before the deletion began: before the object, its namespace or its owner got a deletion timestamp, or its
/// Helm release was uninstalled. Controllers empty objects while they are deleted. A..B are all deletions after revision
/// A up to B. With --at: everything that existed at a revision, deleted since or not.
///
/// --out writes one file for each object, named in the order of creation; -o yaml writes one stream. Manifests lack what
/// the server owns (uid, resourceVersion, status, ...), the addresses that it gave, nodes, bound volumes, references to
/// owners and the last applied configuration. What controllers make, what had ended, and what was deleted before its
/// namespace is left out and counted by reason. Values of Secrets are exact.
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
    /// Bring back what the server or controllers make as well: all of it, or what has these reasons
    #[arg(
        long,
        value_name = "REASON",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Kept::words())
    )]
    controlled: Vec<String>,
    /// Bring back Jobs and pods that had ended, Jobs suspended
    #[arg(long)]
    finished: bool,
    /// Bring back what was deleted before its namespace or its Helm release, or by an upgrade of the release
    #[arg(long, conflicts_with_all = ["at", "at_time"])]
    before: bool,
    /// Write objects whole, as they were stored
    #[arg(long)]
    exact: bool,
    /// Leave out finalizers
    #[arg(long, conflicts_with = "exact")]
    strip_finalizers: bool,
    /// Keep the references to owners that exist: for the cluster that the file is of. Anywhere else its garbage
    /// collector deletes what refers to an owner that it does not know
    #[arg(long, conflicts_with = "exact")]
    keep_owners: bool,
    /// Claims keep their volumes: for the cluster that the file is of. --out also writes volumes.sh, which frees them
    #[arg(long, conflicts_with = "exact")]
    keep_volumes: bool,
    /// Services keep the cluster addresses and ports that the server gave them
    #[arg(long, conflicts_with = "exact")]
    keep_addresses: bool,
    /// Write objects in versions that this release of Kubernetes serves, such as 1.35
    #[arg(long = "for", value_name = "RELEASE", conflicts_with = "exact")]
    release: Option<Release>,
    /// Print what --out would write, in the order of creation, and what is left out and why; no values
    #[arg(long, conflicts_with = "out")]
    plan: bool,
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
    /// The table with whole keys and all columns, even if the terminal is narrower
    Wide,
    /// The keys alone
    Name,
    /// One JSON array
    Json,
    /// A JSON object a line
    Jsonl,
    /// The manifests, one after the other
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

    fn is_wide(&self) -> bool {
        self.output == Output::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let question = run.question()?;
        let filters = self.filters();
        let printer = Printer {
            args: self,
            run,
            recovery: Recovery::read(&question, &filters)?,
        };
        let has_manifests = self.out.is_some() || self.output == Output::Yaml || self.plan;
        let written = match (&self.out, self.output) {
            _ if self.plan => printer.print_plan(out)?,
            (Some(folder), _) => printer.write_files(folder, out)?,
            (None, Output::Yaml) => printer.write_stream(out)?,
            _ => printer.print(out)?,
        };
        let mut notices = printer.recovery.notices(has_manifests);
        notices.extend(written.notices);
        if !self.plan {
            notices.push(RecoveryNotice::Summary(printer.recovery.summary()));
        }
        // What to do comes last.
        notices.extend(written.next);
        let notices: Vec<Notice> = notices.into_iter().map(Notice::Recovery).collect();
        report::notices(&notices, run.invocation);
        let answer = if written.any { Answer::Yes } else { Answer::No };
        Ok(question.finish(answer))
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
            kept: Kept {
                controlled: self.controlled.iter().cloned().collect(),
                finished: self.finished,
                before: self.before,
            },
            is_carved: self.sources.carve,
        }
    }

    fn manifest_options(&self) -> ManifestOptions {
        ManifestOptions {
            exact: self.exact,
            strip_finalizers: self.strip_finalizers,
            keep_owners: self.keep_owners,
            keep_volumes: self.keep_volumes,
            keep_addresses: self.keep_addresses,
            release: self.release,
        }
    }
}

/// Prints what comes back, in the form asked for.
struct Printer<'r, 'a> {
    args: &'r Args,
    run: &'r Run<'r>,
    recovery: Recovery<'r, 'a>,
}

/// What was printed or written.
#[derive(Default)]
struct Written {
    /// Whether anything comes back.
    any: bool,
    /// What there is to know of it.
    notices: Vec<RecoveryNotice>,
    /// What to do with it.
    next: Vec<RecoveryNotice>,
}

impl Written {
    fn any(any: bool) -> Self {
        Self {
            any,
            ..Self::default()
        }
    }
}
