//! `hashkv`: etcdutl's verb, flags and text.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::hash::{self, HashKv};
use crate::query::no_answer::RevisionUnavailable;
use crate::query::{Evidence, NoAnswer};
use crate::view::etcdutl;

/// Print the hash that etcd compares between members
///
/// It covers keys and values, with the history of all keys up to a revision. Members at the same revision and with the
/// same compaction have the same hash, or they have diverged: `compare` then shows which keys differ. The output is
/// that of `etcdutl hashkv` of etcd 3.7: the hash, its revision, and the compacted revision, -1 for none.
///
/// If the file is damaged, the hash covers what could be read, and the exit code is 3.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Hash up to this revision; 0 is the newest
    ///
    /// It can be the compacted revision, or any newer one.
    #[arg(long, value_name = "REV", default_value_t = 0, allow_negative_numbers = true, value_parser = revision)]
    rev: i64,
    /// Print the hash at every revision, oldest first
    ///
    /// The first revision whose hash differs from that of another member is the one at which they diverged.
    #[arg(long, conflicts_with = "rev")]
    all: bool,
    /// Output format, as in etcdutl
    #[arg(short, long, value_name = "FORMAT", default_value = "simple")]
    write_out: WriteOut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WriteOut {
    /// One line, separated by commas
    Simple,
    /// One JSON object per line
    Json,
    /// A table
    Table,
    /// One field per line
    Fields,
}

words!(WriteOut);

/// Reads a revision.
fn revision(text: &str) -> Result<i64, String> {
    match text.parse() {
        Ok(revision) if revision >= 0 => Ok(revision),
        _ => Err("a revision is a whole number from 0 on, such as 2436".to_owned()),
    }
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        evidence.note_archive(run.notices);
        if !self.all {
            let asked = (self.rev > 0).then_some(self.rev);
            let hash = hash::at_revision(evidence, asked, run.notices).map_err(failure)?;
            out.write_all(self.text(&[hash]).as_bytes())?;
            return Ok(Answer::Yes);
        }
        // A table is as wide as its widest row, so all rows are needed first.
        let mut rows: Vec<HashKv> = Vec::new();
        hash::at_every_revision(evidence, run.notices, |hash| match self.write_out {
            WriteOut::Table => {
                rows.push(hash);
                Ok::<(), Failure>(())
            }
            _ => Ok(out.write_all(self.text(&[hash]).as_bytes())?),
        })?;
        if self.write_out == WriteOut::Table {
            out.write_all(self.text(&rows).as_bytes())?;
        }
        Ok(Answer::Yes)
    }
}

/// A failure that names the flag of this verb.
fn failure(no: NoAnswer) -> Failure {
    let NoAnswer::Unavailable(error) = no else {
        return no.into();
    };
    let hint = match error {
        RevisionUnavailable::Future { current, .. } => format!("the newest is `--rev {current}`"),
        RevisionUnavailable::Compacted { compacted, .. } => {
            format!("the oldest is `--rev {compacted}`")
        }
        RevisionUnavailable::BeforeDeltas { first, .. } => format!("the oldest is `--rev {first}`"),
    };
    Failure::cannot(error.to_string()).hint(hint)
}

impl Args {
    /// The text of some hashes.
    fn text(&self, hashes: &[HashKv]) -> String {
        let lines = |line: fn(&HashKv) -> String| hashes.iter().map(line).collect();
        match self.write_out {
            WriteOut::Simple => lines(etcdutl::hash_kv_simple),
            WriteOut::Json => lines(etcdutl::hash_kv_json),
            WriteOut::Fields => lines(etcdutl::hash_kv_fields),
            WriteOut::Table => etcdutl::hash_kv_table(hashes),
        }
    }
}
