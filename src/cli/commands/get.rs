//! `get`: live objects as kubectl shows them.

use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::address::Address;
use crate::cli::args::{At, Database};
use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::missing::not_found_among;
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::{Answer, Verb, report};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::{Keyspace, Record};
use crate::k8s::object::{as_kubectl_shows, is_object, tree_of};
use crate::k8s::{DecodeError, Order, Sink};
use crate::view::json::{JsonStyle, JsonWriter, write_value};
use crate::view::record::{key_text, record_json};
use crate::view::yaml::YamlWriter;

/// Print live objects as kubectl shows them
///
/// metadata.resourceVersion is etcd's mod_revision, which the stored value does not hold;
/// managedFields are left out unless asked for. `extract` prints an object as it is stored.
/// What is no Kubernetes object is printed as its etcd record.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    #[command(flatten)]
    at: At,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
    /// Print metadata.managedFields too
    #[arg(long)]
    show_managed_fields: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// As `kubectl get -o yaml`
    Yaml,
    /// As `kubectl get -o json`
    Json,
    /// One object a line
    Jsonl,
}

/// kubectl indents its JSON by four.
const JSON_INDENT: usize = 4;

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.database.db.clone()])
    }

    fn run(&self, evidence: &[Evidence], out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(evidence)?;
        let store = evidence.records()?;
        let at = store.at(self.at.at)?;
        let selection = self.which.select(&[(&store, at)])?;
        let keyspace = Keyspace::at(&store, at, |key| selection.covers(key));
        let there =
            |address: &Address| keyspace.live.iter().any(|entry| address.covers(&entry.key));
        let missing = selection
            .unanswered(there)
            .map(|address| not_found_among(address, selection.catalog(), &store, at));
        if !keyspace.live.is_empty() {
            let objects = keyspace
                .live
                .iter()
                .map(|entry| self.shown(&entry.record, evidence.diagnostics()));
            let single = selection.names_one() && keyspace.live.len() == 1;
            let done = match self.output {
                Output::Yaml => {
                    let mut writer = YamlWriter::new(out);
                    tell(&mut writer, Order::Natural, objects, single, |writer| {
                        writer.error().is_some()
                    });
                    writer.finish()
                }
                Output::Json => {
                    let mut writer = JsonWriter::new(out, JsonStyle::Indent(JSON_INDENT));
                    tell(&mut writer, Order::Sorted, objects, single, |writer| {
                        writer.error().is_some()
                    });
                    writer.finish()
                }
                Output::Jsonl => {
                    let mut writer = JsonWriter::new(out, JsonStyle::Compact);
                    tell_each(&mut writer, Order::Sorted, objects, |writer| {
                        writer.error().is_some()
                    });
                    writer.finish()
                }
            };
            done?;
        }
        missing.map_or(Ok(Answer::Yes), Err)
    }
}

impl Args {
    /// An object as kubectl shows it, or the record of what is none.
    fn shown(&self, record: &Record<'_>, diagnostics: &Diagnostics) -> Value {
        let key = key_text(record.key);
        match tree_of(record.value) {
            Ok((mut tree, notes)) if is_object(&tree) => {
                as_kubectl_shows(&mut tree, record.mod_revision, self.show_managed_fields);
                notes
                    .iter()
                    .for_each(|note| report::note(&format!("{key}: {note}")));
                tree
            }
            Ok(_) => record_json(record),
            Err(error) => {
                report_undecodable(record, &error, diagnostics);
                record_json(record)
            }
        }
    }
}

/// Turns a value that cannot be decoded into a finding; one that is encrypted is no damage.
pub fn report_undecodable(record: &Record<'_>, error: &DecodeError, diagnostics: &Diagnostics) {
    if matches!(error, DecodeError::Encrypted { .. }) {
        return report::note(&format!(
            "{}: {error}: shown as its etcd record",
            key_text(record.key)
        ));
    }
    diagnostics.report(
        Diagnostic::new(Code::ValueUndecodable, record.locus())
            .found(error.to_string())
            .effect("it is shown as it is stored"),
    );
}

/// Tells one object as it is, or all in a List, one after the other.
fn tell<S: Sink>(
    sink: &mut S,
    order: Order,
    objects: impl Iterator<Item = Value>,
    single: bool,
    failed: impl Fn(&S) -> bool,
) {
    if single {
        return tell_each(sink, order, objects.take(1), failed);
    }
    sink.begin_map();
    sink.key("apiVersion");
    sink.string("v1");
    sink.key("items");
    sink.begin_list();
    tell_each(sink, order, objects, failed);
    sink.end_list();
    sink.key("kind");
    sink.string("List");
    sink.key("metadata");
    sink.begin_map();
    sink.key("resourceVersion");
    sink.string("");
    sink.end_map();
    sink.end_map();
}

/// Tells the objects, until nobody reads them any more.
fn tell_each<S: Sink>(
    sink: &mut S,
    order: Order,
    objects: impl Iterator<Item = Value>,
    failed: impl Fn(&S) -> bool,
) {
    for object in objects {
        write_value(&object, order, sink);
        if failed(sink) {
            return;
        }
    }
}
