//! `analyze`: auger's verb and report.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::auger::DatabaseOrFile;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};
use crate::query::analysis::contents;
use crate::view;

/// Show the number and the size of objects by kind, as auger does
///
/// The total number, the current storage, the kinds and the largest objects count live objects. "All revisions" counts
/// every retained record, of deleted objects too. Storage is the length of keys and values in bytes. The sum of an
/// object's revisions covers its values since its creation. Values that are not Kubernetes objects are not counted. A
/// store without Kubernetes objects is reported by keys and prefixes, except with --file, which reports objects only,
/// as auger does.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "etcdive analyze [OPTIONS] <DB>\n       etcdive analyze [OPTIONS] --file <DB>"
)]
pub struct Args {
    #[command(flatten)]
    database: DatabaseOrFile,
    #[command(flatten)]
    keys: Keys,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(self.database.paths())
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let question = run.question()?;
        let contents = contents(&question, self.database.is_file());
        if out.is_terminal() {
            out.parts(&view::analysis::parts(&contents))?;
        } else {
            out.write_all(view::analysis::text(&contents).as_bytes())?;
        }
        Ok(Answer::Yes)
    }
}
