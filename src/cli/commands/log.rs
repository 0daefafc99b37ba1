//! `log`: the retained revisions of a key.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::address::Address;
use crate::cli::args::Database;
use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::missing::not_found_among;
use crate::cli::objects::{Objects, Told};
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::{Answer, Run, Verb, report};
use crate::etcd::{Event, EventType, KeyHistory, Record, Store};
use crate::k8s::Order;
use crate::k8s::managed_fields::{object_meta, writers, written_at};
use crate::view::history::{Line, table};
use crate::view::record::event_json;

/// List the retained revisions of an object or key, newest first
///
/// MANAGERS are those whose managedFields entry is new, has another time or owns more fields than in
/// the version before; TIME is the newest time among these. etcd itself keeps neither: `-` is
/// unknown, as where the version before is compacted.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    which: Where,
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// One JSON array
    Json,
    /// A JSON object a line
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
        let at = store.at(None)?;
        let selection = self.which.select(&[(&store, at)])?;
        let catalog = selection.catalog();
        if let [address @ Address::Prefix(_)] = selection.addresses() {
            return Err(Failure::cannot(format!(
                "log takes one object or key, and {} is a prefix",
                address.text()
            ))
            .hint("`ls` lists its keys"));
        }
        let missing = |address: &Address| not_found_among(address, catalog, &store, at);
        let key = selection.one_key(&store, missing)?;
        let history = KeyHistory::of(&store, &key);
        if history.events.is_empty() {
            return Err(missing(&Address::Key(key)));
        }
        let objects = Objects::new(run.keyring, evidence);
        let lines: Vec<Line<'_>> = history
            .events
            .iter()
            .rev()
            .map(|event| line_of(event, &objects))
            .collect();
        match self.output {
            Output::Table => out.write_all(table(&lines).as_bytes())?,
            Output::Json => {
                let events: Vec<_> = lines.iter().map(json_of).collect();
                writeln!(out, "{}", serde_json::Value::Array(events))?;
            }
            Output::Jsonl => {
                for line in &lines {
                    writeln!(out, "{}", json_of(line))?;
                }
            }
        }
        if self.output == Output::Table {
            note_what_is_gone(&history, &store);
        }
        objects.conclude();
        Ok(Answer::Yes)
    }
}

fn json_of(line: &Line<'_>) -> serde_json::Value {
    event_json(&line.event, &line.managers, line.time.as_deref())
}

/// Who wrote an event and when: what the object says of itself.
fn line_of<'a>(event: &Event<'a>, objects: &Objects<'_>) -> Line<'a> {
    let meta_of = |record: &Record<'_>| match objects.read(record, Order::Declared.into()) {
        Told::Object(tree, _) => object_meta(&tree),
        _ => None,
    };
    let meta = (event.event_type != EventType::Delete)
        .then(|| meta_of(&event.record))
        .flatten();
    let Some(meta) = meta else {
        return Line {
            event: *event,
            managers: Vec::new(),
            time: None,
        };
    };
    let is_creation = event.event_type == EventType::Create;
    let previous = event.previous.as_ref().and_then(meta_of);
    // Without the version before it nobody can tell who wrote this one.
    let who = if is_creation || previous.is_some() {
        writers(previous.as_ref(), &meta)
    } else {
        Vec::new()
    };
    let time = written_at(&meta, &who, is_creation);
    let mut managers: Vec<String> = Vec::new();
    for writer in who {
        let name = if writer.subresource.is_empty() {
            writer.manager
        } else {
            format!("{} ({})", writer.manager, writer.subresource)
        };
        if !managers.contains(&name) {
            managers.push(name);
        }
    }
    Line {
        event: *event,
        managers,
        time,
    }
}

/// Says how many versions compaction has taken: a history that starts at version 4 had three more.
fn note_what_is_gone(history: &KeyHistory<'_>, store: &Store<'_>) {
    if let Some(oldest) = history.events.first().map(|event| event.record)
        && !oldest.tombstone
        && oldest.version > 1
    {
        report::note(&format!(
            "{} earlier versions since it was created at revision {} were compacted (the store is compacted to {})",
            oldest.version.saturating_sub(1),
            oldest.create_revision,
            store.compact_revision()
        ));
    }
}
