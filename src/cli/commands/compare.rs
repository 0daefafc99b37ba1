//! `compare`: whether members of one cluster are equal.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::most_rows;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::NoAnswer;
use crate::query::divergence::{CannotCompare, Comparison, Divergence, RevisionsOfAll, Verdict};
use crate::query::no_answer::RevisionUnavailable;
use crate::view::divergence::{self as view, Shown};
use crate::view::json_rows::{Form, JsonRows};
use crate::view::key_names::KeyNames;

/// Compare members: which keys differ, and since when
///
/// Compares the history of two or more databases record by record: members of one cluster, or a backup and a live copy. It
/// prints a row per database, the known cause if there is one, and the keys that differ with the revision at which they
/// started to differ. With three or more databases it names the one that differs from the others.
///
/// HASHKV is the hash that etcd compares between members, at the highest revision that all databases have. If some are
/// compacted further than others, it is the hash after the highest of these compactions. Below a compaction only the keys
/// that were live at it are compared, because their older versions were removed. Values are never printed: a version is
/// shown by its size and the start of its SHA-256.
///
/// Exit codes: 0 equal; 1 different; 2 no common revision, or not a database; 3 a damaged file may hide a difference.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The databases: two or more
    ///
    /// Each is a copied member/snap/db, a file of `etcdctl snapshot save`, a data directory, an archive, or a folder of
    /// backups of etcd-backup-restore. Delta snapshots continue the full snapshot of their folder, up to their first gap.
    /// The write-ahead log of a data directory is not compared; if it has writes that the database lacks, the answer says so.
    #[arg(value_name = "DB", required = true, num_args = 2..)]
    databases: Vec<PathBuf>,
    /// Compare up to this revision only
    ///
    /// Every database must have it: it is not below a compaction, and not above the newest revision.
    #[arg(long, value_name = "REV", allow_negative_numbers = true, value_parser = revision)]
    rev: Option<i64>,
    /// List at most N keys; 0 is no limit
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Tables for people
    Table,
    /// The tables with whole keys and all columns, even if the terminal is narrower
    Wide,
    /// One JSON object
    Json,
    /// The keys that differ, one JSON object per line
    Jsonl,
}

words!(Output);

/// Reads a revision.
fn revision(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(revision) if revision >= 1 => Ok(revision),
        _ => Err("a revision is a whole number from 1 on, such as 2436".to_owned()),
    }
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        for path in &self.databases {
            // What is in an archive, standard input and a broken link have sentences of their own.
            let is_file = path.as_os_str() != "-" && !path.to_string_lossy().contains("::");
            let found = path.symlink_metadata();
            if is_file && found.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                let path = path.display();
                return Err(Failure::cannot(format!(
                    "{path}: no such file or directory"
                )));
            }
        }
        Ok(self.databases.clone())
    }

    fn is_wide(&self) -> bool {
        self.output == Output::Wide
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        for evidence in run.evidence {
            evidence.note_archive(run.notices);
        }
        let comparison = Comparison::open(run.evidence).map_err(|error| self.failure(error))?;
        let divergence = comparison
            .compare(self.rev)
            .map_err(|error| self.failure(error))?;
        comparison.note_deltas(run.notices);
        let answer = match divergence.verdict {
            Verdict::Different => Answer::No,
            Verdict::Equal | Verdict::Unknown | Verdict::NotComparable => Answer::Yes,
        };
        self.print(&comparison, &divergence, out)
            .map_err(|failure| failure.with_answer(answer))?;
        match divergence.verdict {
            Verdict::NotComparable => Err(Failure::cannot(
                "the databases have no common revision to compare",
            )),
            _ => Ok(answer),
        }
    }
}

impl Args {
    /// The failure for an error, with the name of the database as it was typed.
    fn failure(&self, error: CannotCompare) -> Failure {
        match error {
            CannotCompare::Database(_, error) => Failure::from(*error),
            CannotCompare::Revision(index, error, of_all) => {
                let name = self.databases.get(index).map(|path| path.display());
                let failure = match name {
                    Some(name) => Failure::cannot(format!("{name}: {error}")),
                    None => return NoAnswer::from(error).into(),
                };
                let RevisionsOfAll { oldest, newest } = of_all;
                match error {
                    _ if oldest > newest => failure,
                    RevisionUnavailable::Future { .. } => failure.hint(format!(
                        "the newest revision of all databases is `--rev {newest}`"
                    )),
                    _ => failure.hint(format!(
                        "the oldest revision of all databases is `--rev {oldest}`"
                    )),
                }
            }
        }
    }

    /// Prints the comparison in the chosen format.
    fn print(
        &self,
        comparison: &Comparison<'_>,
        divergence: &Divergence<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let names: Vec<String> = self
            .databases
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let catalog = (!divergence.keys.is_empty()).then(|| comparison.catalog());
        let catalog = catalog.unwrap_or_default();
        let is_short = out.is_cut() && self.output == Output::Table;
        let shown = Shown {
            divergence,
            names: &names,
            keys: if is_short {
                KeyNames::short(&catalog)
            } else {
                KeyNames::whole()
            },
            limit: most_rows(Some(self.limit), usize::MAX),
        };
        match self.output {
            Output::Table | Output::Wide => out.parts(&view::parts(&shown))?,
            Output::Json => writeln!(out, "{}", view::json(&shown, &catalog))?,
            Output::Jsonl => {
                let mut rows = JsonRows::new(Form::Lines);
                for row in view::key_rows(&shown, &catalog) {
                    rows.row(&row, out)?;
                }
                rows.finish(out)?;
            }
        }
        Ok(())
    }
}
