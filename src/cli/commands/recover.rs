//! `recover`: lists deleted objects and writes them as manifests.

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
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb, report};
use crate::query::left_out::Kept;
use crate::query::recovery::{ManifestOptions, Recovery, RecoveryFilters, Release};
use crate::query::recovery_notice::RecoveryNotice;
use crate::query::revision::RevisionExpr;
use crate::query::{Notice, Origins};

/// List what was deleted, and write it as manifests
///
/// Without --out each deleted object is listed: when its deletion started and ended, and which version would be
/// written. That is the last version before the deletion started: before the object, its namespace or its owner got a
/// deletion timestamp, or before its Helm release was uninstalled. Later versions are often empty, because controllers
/// change objects while these are deleted. A..B limits the list to deletions after revision A up to B. With --at,
/// everything that existed at a revision is written, deleted since or not.
///
/// --out writes one file per object, named in the order of creation; -o yaml writes one stream. Fields that the server
/// owns (uid, resourceVersion, status, ...), addresses that it assigned, nodes, bound volumes, owner references and the
/// last applied configuration are removed. Objects that controllers create, that had finished, or that were deleted
/// before their namespace are left out and counted by reason. Values of Secrets are exact.
///
/// To go back to an earlier state of the whole cluster, see `etcdive restore`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    /// Everything that existed at this revision
    #[arg(long, value_name = "REV", allow_negative_numbers = true)]
    at: Option<RevisionExpr>,
    /// Everything that existed at this time: 21:05, 10m ago
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with = "at"
    )]
    at_time: Option<String>,
    /// Only deletions since this time: 21:05, 10m ago
    ///
    /// Forms: 2026-11-20T21:05:00Z; 21:05 on the day of the newest time in the file; 10m before that time. See `etcdive
    /// help times`.
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with_all = ["at", "at_time"]
    )]
    since: Option<String>,
    /// Only deletions at this time or earlier
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with_all = ["at", "at_time"]
    )]
    until: Option<String>,
    /// Write the very last version, not the one before the deletion started
    #[arg(long, conflicts_with_all = ["at", "at_time"])]
    last: bool,
    /// Write objects that the server or controllers create too
    ///
    /// All of them, or those with these reasons: `--controlled=token,event`.
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
    /// Write finished Jobs and pods too; Jobs are suspended
    #[arg(long)]
    finished: bool,
    /// Write objects that were deleted earlier too
    ///
    /// That is: before their namespace or Helm release was deleted, or by an upgrade of the release.
    #[arg(long, conflicts_with_all = ["at", "at_time"])]
    before: bool,
    /// Write objects completely, as they were stored
    #[arg(long)]
    exact: bool,
    /// Remove finalizers
    #[arg(long, conflicts_with = "exact")]
    strip_finalizers: bool,
    /// Keep references to owners that still exist
    ///
    /// Only for the cluster that the file is from. In another cluster the garbage collector deletes an object whose
    /// owner it cannot find.
    #[arg(long, conflicts_with = "exact")]
    keep_owners: bool,
    /// Keep the volumes of claims
    ///
    /// Only for the cluster that the file is from. --out also writes volumes.sh, which makes the volumes available
    /// again.
    #[arg(long, conflicts_with = "exact")]
    keep_volumes: bool,
    /// Keep the cluster addresses and node ports of Services
    #[arg(long, conflicts_with = "exact")]
    keep_addresses: bool,
    /// Write API versions that this release serves: 1.35
    ///
    /// The release is that of Kubernetes.
    #[arg(long = "for", value_name = "RELEASE", conflicts_with = "exact")]
    release: Option<Release>,
    /// Show what --out would write, and what is left out
    ///
    /// In the order of creation, with the reasons. No values are printed.
    #[arg(long, conflicts_with = "out")]
    plan: bool,
    /// Write one file per object into this folder
    ///
    /// The names of the files are printed. Existing files are never overwritten.
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    out: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table for people
    Table,
    /// The table with whole keys and all columns, even if the terminal is narrower
    Wide,
    /// Only the keys
    Name,
    /// One JSON array
    Json,
    /// One JSON object per line
    Jsonl,
    /// The manifests, as one stream
    Yaml,
}

words!(Output);

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
        // Some notices are about manifests: they matter only if manifests are written or planned.
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
        // The notices with the next steps come last, where the user sees them.
        notices.extend(written.next);
        let notices: Vec<Notice> = notices.into_iter().map(Notice::Recovery).collect();
        report::notices(&notices, run.invocation);
        let answer = if written.any { Answer::Yes } else { Answer::No };
        Ok(question.finish(answer))
    }
}

impl Args {
    /// The flags that select objects.
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

    /// The flags for the content of a manifest.
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
    /// What the user has to know about it.
    notices: Vec<RecoveryNotice>,
    /// The next steps, such as the command that applies the files.
    next: Vec<RecoveryNotice>,
}

impl Written {
    /// The result of output without notices.
    fn any(any: bool) -> Self {
        Self {
            any,
            ..Self::default()
        }
    }
}
