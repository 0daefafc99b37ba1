//! `ls`: the live keys.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::args::{At, Database};
use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::missing::not_found_among;
use crate::cli::objects::{Objects, Told};
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::{Answer, Run, Verb};
use crate::etcd::{KeyEntry, Keyspace};
use crate::k8s::Order;
use crate::view::record::key_json;

/// List the live keys, one a line, in key order
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "name")]
    output: Output,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The key alone
    Name,
    /// A JSON object a line: key, create_revision, mod_revision, version, lease, value_size
    Jsonl,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(run.evidence)?;
        let store = evidence.records()?;
        let at = self.at.resolve(&store, &self.which, run.keyring)?;
        let selection = self.which.select(&[(&store, at)], run.keyring)?;
        let keyspace = Keyspace::at(&store, at, |key| selection.covers(key));
        let objects = Objects::new(run.keyring, evidence);
        let (mut any, mut untested) = (false, 0_usize);
        for KeyEntry { key, record } in &keyspace.live {
            if let Some(labels) = selection.labels() {
                match objects.read(record, Order::Declared.into()) {
                    Told::Object(object, _) if labels.matches(&object) => {}
                    Told::Closed(_) | Told::Undecodable(_) => {
                        untested = untested.saturating_add(1);
                        continue;
                    }
                    _ => continue,
                }
            }
            any = true;
            match self.output {
                Output::Name => out.write_all(key)?,
                Output::Jsonl => out.write_all(key_json(key, record).to_string().as_bytes())?,
            }
            out.write_all(b"\n")?;
        }
        objects.conclude();
        if untested > 0 {
            objects.report_untested(untested);
        }
        match selection
            .unanswered(|address| keyspace.live.iter().any(|entry| address.covers(&entry.key)))
        {
            None if !any && selection.labels().is_some() => {
                Err(Failure::not_found("no object has such labels"))
            }
            None => Ok(Answer::Yes),
            Some(address) => Err(not_found_among(address, selection.catalog(), &store, at)),
        }
    }
}
