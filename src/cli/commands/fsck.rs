//! `fsck`: every check of every layer.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::bbolt::check;
use crate::cli::args::Database;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb, report};
use crate::diag::Severity;
use crate::etcd::check::{Checked, check as check_records, check_former};
use crate::etcd::{Store, schema};
use crate::k8s::encrypt::Keyring;
use crate::query::evidence::{Evidence, Verify};
use crate::query::object_check::{Definitions, ObjectCheck};
use crate::view;
use crate::view::fsck::{Report, Scope};

/// Check the file in every layer: pages, records, Kubernetes objects; one line a finding
///
/// Pages: ids, kinds, bounds, trees, order of keys, freelist, metas, length, SHA-256. Records: revisions without
/// a gap above the compaction, versions, tombstones, leases, the small buckets. Objects: each value decodes to its
/// end, and its key says what the object says. A copy that was taken while etcd was writing is told first.
///
/// Exit codes: 0 nothing above info; 1 findings, yet every record could be read; 3 findings that may hide
/// records. `etcdive explain CODE` tells what a code means and what to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Check this layer only; repeatable
    #[arg(long, value_name = "LAYER")]
    layer: Vec<Layer>,
    /// How to print the findings
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
    /// The objects in the values
    K8s,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// One JSON object: the verdict, the numbers, the findings
    Json,
    /// A JSON object a finding, one a line
    Jsonl,
}

impl Layer {
    /// As [`crate::diag::Code::layer`] has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Bbolt => "bbolt",
            Self::Etcd => "etcd",
            Self::K8s => "k8s",
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
        let store = evidence.store()?;
        let scope = self.check(evidence, &store, run.keyring);
        // After the last byte was read, and before the findings are printed.
        evidence.collect_read_errors();
        let (findings, others): (Vec<_>, Vec<_>) = evidence
            .diagnostics()
            .by_code()
            .into_iter()
            .partition(|(code, ..)| self.is_asked(code.layer()));
        let report = Report {
            torn: report::torn_verdict(evidence),
            scope,
            findings,
        };
        self.print(&report, out)?;
        let others = others
            .iter()
            .filter(|(code, ..)| code.severity() > Severity::Info);
        let others = others.fold(0_u64, |sum, (_, count, _)| sum.saturating_add(*count));
        if others > 0 {
            report::note(&format!(
                "{others} findings in the layers that were not asked for"
            ));
        }
        Ok(Answer::Findings)
    }
}

impl Args {
    fn is_asked(&self, layer: &str) -> bool {
        self.layer.is_empty() || self.layer.iter().any(|asked| asked.as_str() == layer)
    }

    fn wants(&self, layer: Layer) -> bool {
        self.is_asked(layer.as_str())
    }

    fn check<'a>(&self, evidence: &'a Evidence, store: &Store<'a>, keyring: &Keyring) -> Scope {
        let mut scope = Scope::default();
        let by_record = self.wants(Layer::Etcd) || self.wants(Layer::K8s);
        if self.wants(Layer::Bbolt) {
            // The records are walked only once.
            let walked_later = |name: &[u8]| name == schema::KEY && by_record;
            let now = store.buckets().iter();
            let now = now.filter(|bucket| !walked_later(bucket.name)).cloned();
            check::walk(store.db(), now);
        }
        if by_record {
            let mut definitions = Definitions::default();
            let checked = check_records(store, |record| {
                if self.wants(Layer::K8s) {
                    definitions.see(record);
                }
            });
            scope.records = store
                .bucket(schema::KEY)
                .map(|_| (checked.records, checked.keys.len() as u64));
            if self.wants(Layer::K8s) {
                scope.objects =
                    Some(self.check_objects(evidence, store, keyring, definitions, &checked));
            }
        }
        if self.wants(Layer::Etcd) {
            store.state().compare_tree_with_scan();
        }
        if self.wants(Layer::Bbolt) {
            scope.former_is_whole = check_former(store);
            scope.pages = Some(check::check(store.db(), evidence.source()));
        }
        scope
    }

    fn check_objects<'a>(
        &self,
        evidence: &'a Evidence,
        store: &Store<'a>,
        keyring: &Keyring,
        definitions: Definitions<'a>,
        checked: &Checked,
    ) -> u64 {
        let catalog = definitions.into_catalog(keyring);
        let mut objects = ObjectCheck::new(evidence.diagnostics(), keyring, &catalog, checked);
        objects.check(store, evidence.source());
        objects.finish()
    }

    fn print(&self, report: &Report, out: &mut Out) -> Result<(), Failure> {
        match self.output {
            Output::Table => out.write_all(view::fsck::text(report).as_bytes())?,
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
