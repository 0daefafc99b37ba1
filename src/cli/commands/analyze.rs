//! `analyze`: auger's verb and report.

use std::io::Write;
use std::path::PathBuf;

use crate::cli::auger::DatabaseOrFile;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};
use crate::etcd::totals::{KeyTotals, key_totals};
use crate::k8s::analysis::{Analysis, Usage, kind_under};
use crate::view;

/// Report the Kubernetes objects by kind and size, as auger does
///
/// The first number, the current storage, the kinds and the largest objects are of live objects; all
/// revisions are every retained record, of deleted objects too. Storage is the length of keys and values
/// in bytes. The sum of an object's revisions is that of its values since its creation. What is no
/// Kubernetes object counts nowhere.
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
        let store = question.store();
        let mut analysis = Analysis::default();
        for (key, totals) in key_totals(store) {
            // Where a value cannot be opened, its own first bytes tell that it is encrypted.
            let kind = match run.keyring.open(&key, totals.newest_put.value) {
                Ok(value) => kind_under(&key, &value),
                Err(_) => kind_under(&key, totals.newest_put.value),
            };
            if let Some(kind) = kind {
                analysis.add(&key, kind, usage_of(&key, &totals));
            }
        }
        out.write_all(view::analysis::text(&analysis).as_bytes())?;
        Ok(Answer::Yes)
    }
}

fn usage_of(key: &[u8], totals: &KeyTotals<'_>) -> Usage {
    let current = (key.len() as u64).saturating_add(totals.newest_put.value.len() as u64);
    Usage {
        current_bytes: totals.live.then_some(current),
        version_bytes: totals.version_bytes,
        record_bytes: totals.record_bytes,
    }
}
