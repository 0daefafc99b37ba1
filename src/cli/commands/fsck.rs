//! `fsck`: every check of every layer.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb, outlook, report};
use crate::query::Notice;
use crate::query::check::{self, Check};
use crate::query::evidence::{Evidence, Verify};
use crate::view;
use crate::view::fsck::Report;

/// Check pages, records and Kubernetes objects
///
/// Pages: ids, types, bounds, trees, order of keys, freelist, metas, length, SHA-256. Records: gaps between revisions
/// above the compaction, versions, tombstones, leases, the small buckets. Objects: each value decodes completely, and
/// its key matches its name. A copy that was taken while etcd was writing is reported first. `etcdive explain CODE`
/// says what a finding means and what to do. In a data directory it also checks that the database, the log and the
/// raft snapshots belong together: `etcdive fsck /var/lib/etcd`.
///
/// Exit codes: 0 intact; 1 findings, but every record could be read; 3 findings that may hide records, or no state can
/// be read.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Check this layer only; can be repeated
    #[arg(long, value_name = "LAYER")]
    layer: Vec<Layer>,
    /// Output format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Layer {
    /// Pages, trees, metas, the freelist, the file itself
    Bbolt,
    /// Records, revisions, leases, the small buckets
    Etcd,
    /// The Kubernetes objects in the values
    K8s,
}

words!(Layer);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// One line per finding
    Table,
    /// One JSON object: the verdict, the numbers, the findings
    Json,
    /// One finding per line, as JSON
    Jsonl,
}

words!(Output);

impl From<Layer> for check::Layer {
    fn from(layer: Layer) -> Self {
        match layer {
            Layer::Bbolt => Self::Bbolt,
            Layer::Etcd => Self::Etcd,
            Layer::K8s => Self::K8s,
        }
    }
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn verify(&self) -> Verify {
        Verify::Always
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        let layers: Vec<check::Layer> = self.layer.iter().map(|layer| (*layer).into()).collect();
        let check = Check {
            evidence,
            keyring: run.keyring,
            layers: &layers,
        };
        let found = check.run()?;
        let report = Report {
            verdict: found.verdict,
            scope: found.scope,
            findings: found.findings,
        };
        self.print(&report, out)?;
        if found.in_other_layers > 0 {
            report::notices(
                &[Notice::OtherLayers(found.in_other_layers)],
                run.invocation,
            );
        }
        out.flush()?;
        outlook::say(evidence, run.invocation);
        Ok(Answer::Findings)
    }
}

impl Args {
    fn print(&self, report: &Report, out: &mut Out) -> Result<(), Failure> {
        match self.output {
            Output::Table => out.parts(&view::fsck::parts(report))?,
            Output::Json => {
                write_json(out, &view::fsck::json(report))?;
            }
            Output::Jsonl => {
                for row in view::fsck::rows(report) {
                    write_json(out, &row)?;
                }
                for (code, more) in report.not_kept() {
                    report::note(&format!("{code}: {more} more"));
                }
            }
        }
        Ok(())
    }
}

fn write_json(out: &mut Out, value: &serde_json::Value) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}
