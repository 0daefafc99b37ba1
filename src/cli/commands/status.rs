//! `status`: the state of the file and of the store, or etcdutl's text.

use std::borrow::Cow;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::bbolt::check::Tail;
use crate::cli::args::Database;
use crate::cli::evidence::{Evidence, Verify};
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb, report};
use crate::etcd::status::{SnapshotStatus, StoreStatus, Unreachable};
use crate::k8s::audit::{Audit, first_segments};
use crate::k8s::catalog::{Catalog, Survey};
use crate::view;

/// Show the state of the file: metas, revisions, keys, sizes, hashes, members, sound or not
///
/// -w prints what `etcdutl snapshot status -w` of etcd 3.6 prints, and nothing else.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    /// Print etcdutl's text instead
    #[arg(short, long, value_name = "FORMAT", conflicts_with = "output")]
    write_out: Option<WriteOut>,
    /// How to print our own
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WriteOut {
    /// One line, comma separated
    Simple,
    /// One JSON object
    Json,
    /// A table drawn in ASCII
    Table,
    /// One field a line
    Fields,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// One JSON object
    Json,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn verify(&self) -> Verify {
        Verify::Always
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        let store = evidence.store()?;
        if let Some(format) = self.write_out {
            Unreachable::check(&store).map_err(|why| {
                Failure::cannot(why.to_string())
                    .hint("no page holds records: `etcdive pages DB` lists what the pages say of themselves")
            })?;
            let status = SnapshotStatus::of(&store);
            out.write_all(
                match format {
                    WriteOut::Simple => view::etcdutl::simple(&status),
                    WriteOut::Json => view::etcdutl::json(&status),
                    WriteOut::Table => view::etcdutl::table(&status),
                    WriteOut::Fields => view::etcdutl::fields(&status),
                }
                .as_bytes(),
            )?;
            return Ok(Answer::Yes);
        }
        let mut audit = Audit::default();
        let mut survey = Survey::default();
        let mut secret_records = 0_u64;
        let (status, seen) = StoreStatus::with(&store, |record| {
            survey.look(record.key, record.value);
            let way = audit.way_of(record.value);
            let clear = way.is_secret_in_the_clear(record.key);
            secret_records = secret_records.saturating_add(u64::from(clear));
            way
        });
        let live = seen.iter().filter_map(|(key, way)| Some((&**key, (*way)?)));
        let catalog = survey.into_catalog();
        let mut encryption = audit.finish(live, |key| resource_of(key, &catalog));
        encryption.older_clear_secrets = secret_records.saturating_sub(encryption.clear_secrets);
        let tail = Tail::of(evidence.source(), store.db().meta());
        // After the last byte was read, and before the findings are printed.
        evidence.collect_read_errors();
        let file = view::status::File {
            encryption,
            path: &evidence.source().path().display().to_string(),
            size_bytes: evidence.source().len_bytes(),
            trailer: evidence.trailer(),
            tail,
            verdict: report::torn_verdict(evidence),
            findings: evidence.diagnostics().by_code(),
        };
        match self.output {
            Output::Table => out.write_all(view::status::table(&file, &status).as_bytes())?,
            Output::Json => {
                serde_json::to_writer(&mut *out, &view::status::json(&file, &status))
                    .map_err(std::io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        Ok(Answer::Yes)
    }
}

/// The folder in which a key lies, with its prefix.
fn resource_of<'k>(key: &'k [u8], catalog: &Catalog) -> Cow<'k, str> {
    let Some(location) = catalog.locate(key) else {
        return first_segments(key);
    };
    let namespace = location
        .namespace
        .map_or(0, |name| name.len().saturating_add(1));
    let inside = location
        .name
        .len()
        .saturating_add(namespace)
        .saturating_add(1);
    let folder = key.get(..key.len().saturating_sub(inside));
    String::from_utf8_lossy(folder.unwrap_or(key))
}
