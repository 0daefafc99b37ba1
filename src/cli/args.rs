//! Arguments that several verbs share.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::words::words;
use crate::query::resolve::{AtRevision, only_one, resolve};
use crate::query::{NoAnswer, Question};

use super::failure::Failure;
use crate::query::revision::RevisionExpr;
use crate::query::select::Which;

/// The database to read.
#[derive(Debug, clap::Args)]
pub struct Database {
    /// A db file, snapshot, data directory or archive; - is stdin
    ///
    /// A copied member/snap/db, a file of `etcdctl snapshot save`, a data directory, or a folder of backups of
    /// etcd-backup-restore. Each may be compressed or in an archive; ARCHIVE::path names one of several in it.
    #[arg(value_name = "DB")]
    pub db: PathBuf,
}

/// How a list of rows is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// A table for people
    Table,
    /// The table with whole keys and all columns, even if the terminal is narrower
    Wide,
    /// One JSON array
    Json,
    /// One JSON object per line
    Jsonl,
}

words!(RowFormat);

impl RowFormat {
    /// Whether it is for people.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// The most rows that `--limit` allows: 0 allows all. The default is for a verb without the flag.
pub fn most_rows(asked: Option<usize>, default: usize) -> usize {
    match asked {
        Some(0) => usize::MAX,
        asked => asked.unwrap_or(default),
    }
}

/// The revision to answer for.
#[derive(Debug, clap::Args)]
pub struct At {
    /// Answer as of this revision: 123, @~5, v3
    ///
    /// Without it the answer is the newest state. @~5 is five revisions before the newest; v3 and ~1 are revisions of
    /// one object. `etcdive help revisions` has all forms.
    #[arg(long, aliases = ["rev", "revision"], value_name = "REV", allow_negative_numbers = true)]
    pub at: Option<RevisionExpr>,
    /// Answer as of this time: 21:05, 10m ago
    ///
    /// The newest revision that was written by then. etcd stores no times: they are inferred from the objects. Forms:
    /// 2026-11-20T21:05:00Z; 21:05 on the day of the newest time in the file; 10m before that time. See `etcdive help
    /// times`.
    #[arg(
        long,
        value_name = "TIME",
        conflicts_with = "at",
        allow_hyphen_values = true
    )]
    pub at_time: Option<String>,
}

impl At {
    /// The addresses without a revision of their own, and the main revision to answer for.
    ///
    /// # Errors
    /// When two revisions are named, and as [`Self::revision`].
    pub fn resolve(
        &self,
        question: &Question<'_>,
        which: &Which,
    ) -> Result<(Which, AtRevision), Failure> {
        let (which, own) = which.split_revision(question.store())?;
        if let (Some(own), Some(time)) = (own, &self.at_time) {
            return Err(NoAnswer::RevisionAndTime {
                own,
                time: time.clone(),
                flag: "--at-time",
            }
            .into());
        }
        let at = only_one(own, self.at, "--at")?;
        let at = match at {
            Some(revision) => resolve(revision, question, &which)?,
            None => self.revision(question, &which)?,
        };
        Ok((which, at))
    }

    /// The main revision that the flags name; `which` names the object of a revision such as `v3`.
    ///
    /// # Errors
    /// When it is below the compaction or above the newest, or no such event of the object is retained.
    pub fn revision(&self, question: &Question<'_>, which: &Which) -> Result<AtRevision, Failure> {
        if let Some(text) = &self.at_time {
            return Ok(question.revision_at(text)?);
        }
        match self.at {
            Some(revision) => Ok(resolve(revision, question, which)?),
            None => Ok(question.store().at(None)?),
        }
    }
}
