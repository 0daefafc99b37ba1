//! `checksum`: auger's verb, flags and lines.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::auger::DatabaseOrFile;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};
use crate::query::checksum::{Checksum, checksum};

/// Print the checksum of the live keys, as auger does
///
/// Two members have the same checksum at a revision if their live keys and values are equal; a compaction does not
/// change it. `revision` is the revision of the checksum: pass it with -r to check another database. auger prints the
/// highest revision of a live key instead, which is lower if deletions follow. etcd's own hash of the history (HashKV)
/// is in `status`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "etcdive checksum [OPTIONS] <DB>\n       etcdive checksum [OPTIONS] --file <DB>"
)]
pub struct Args {
    #[command(flatten)]
    database: DatabaseOrFile,
    /// Answer as of this main revision; 0 is the newest
    #[arg(short, long, value_name = "REV", default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    revision: i64,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(self.database.paths())
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let question = run.question()?;
        let asked = (self.revision > 0).then_some(self.revision);
        let Checksum {
            hash,
            compact_revision,
            revision,
        } = checksum(&question, asked)?;
        writeln!(out, "checksum: {hash}")?;
        writeln!(out, "compact-revision: {compact_revision}")?;
        writeln!(out, "revision: {revision}")?;
        Ok(Answer::Yes)
    }
}
