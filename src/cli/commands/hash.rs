//! `hash`: etcd's hashes over all buckets.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::{Evidence, hash};
use crate::view;

/// Print the hashes over all buckets
///
/// `snapshot-status` is the hash of `etcdutl snapshot status`, over everything in the file. `server` is the hash of etcd's
/// API Maintenance.Hash and of etcd-dump-db: it leaves out consistent_index, term and storageVersion, which differ
/// between members. Both change with a lease, a user or an alarm. `hashkv` covers only keys and values, so it is the one
/// to compare members by.
///
/// If the file is damaged, the hashes cover what could be read, and the exit code is 3. A note says if
/// they include records outside of the damaged tree: etcd and etcdutl do not read these, and compute other hashes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table for people
    Table,
    /// One JSON object
    Json,
}

words!(Output);

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        evidence.note_archive(run.notices);
        let hashes = hash::backend(evidence, run.notices)?;
        match self.output {
            Output::Table => out.table(&view::hash::table(&hashes))?,
            Output::Json => writeln!(out, "{}", view::hash::json(&hashes))?,
        }
        Ok(Answer::Yes)
    }
}
