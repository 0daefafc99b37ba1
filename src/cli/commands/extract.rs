//! `extract`: auger's verb, flags and output.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::address::Address;
use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::missing::not_found;
use crate::cli::out::Out;
use crate::cli::{Answer, Verb};
use crate::etcd::{EventType, KeyEntry, KeyHistory, Keyspace, Record, Store};
use crate::k8s::{Order, decode};
use crate::view::json::{JsonStyle, JsonWriter};
use crate::view::record::key_text;

use super::decode::{Output, text_of, undecodable};

/// Extract one object as it is stored, or list keys, with auger's flags
///
/// Without -k: the live keys. Where auger is wrong (deleted keys listed as alive, the wrong
/// incarnation of a re-created key, -r ignored with -k) the right answer is given.
#[derive(Debug, clap::Args)]
#[command(
    disable_version_flag = true,
    override_usage = "etcdive extract [OPTIONS] <DB>\n       etcdive extract [OPTIONS] --file <DB>"
)]
pub struct Args {
    /// A db file, a snapshot file, or a data directory
    #[arg(value_name = "DB", required_unless_present = "file")]
    db: Option<PathBuf>,
    /// The database, as auger has it
    #[arg(short, long, value_name = "DB", conflicts_with = "db")]
    file: Option<PathBuf>,
    /// The key of the object
    #[arg(short, long, value_name = "KEY", conflicts_with = "keys_by_prefix")]
    key: Option<OsString>,
    /// How to print the object
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
    /// The put of this number since the key's creation, instead of the newest
    #[arg(short, long, value_name = "N", requires = "key", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    version: Option<i64>,
    /// Answer as of this main revision; 0 for the newest
    #[arg(short, long, value_name = "REV", default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    revision: i64,
    /// List the versions of the key that are retained, oldest first; 0 is a deletion
    #[arg(long, requires = "key", conflicts_with_all = ["version", "raw"])]
    list_versions: bool,
    /// List the live keys that start so
    #[arg(long, value_name = "PREFIX")]
    keys_by_prefix: Option<OsString>,
    /// What to list of each key
    #[arg(
        long,
        value_name = "FIELDS",
        value_delimiter = ',',
        default_value = "key",
        conflicts_with = "key"
    )]
    fields: Vec<Field>,
    /// Print the stored bytes, undecoded
    #[arg(long, requires = "key", conflicts_with = "output")]
    raw: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Field {
    /// The key
    Key,
    /// Length of the value in bytes
    ValueSize,
    /// Length of the values of all retained versions since its creation, in bytes
    AllVersionsValueSize,
    /// Number of retained versions since its creation
    VersionCount,
    /// The object as JSON; null for what is none
    Value,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(self.db.iter().chain(&self.file).cloned().collect())
    }

    fn run(&self, evidence: &[Evidence], out: &mut Out) -> Result<Answer, Failure> {
        let evidence = Evidence::only(evidence)?;
        let store = evidence.records()?;
        match &self.key {
            Some(key) => self.extract(&store, key.as_encoded_bytes(), out),
            None => self.list(&store, out),
        }
    }
}

impl Args {
    fn extract(&self, store: &Store<'_>, key: &[u8], out: &mut Out) -> Result<Answer, Failure> {
        if self.version == Some(0) {
            return Err(Failure::cannot("version 0 is a deletion: it has no value"));
        }
        let at = store.at((self.revision > 0).then_some(self.revision))?;
        let mut history = KeyHistory::of(store, key);
        history
            .events
            .retain(|event| event.record.revision.main <= at.0);
        if self.list_versions && !history.events.is_empty() {
            for event in &history.events {
                writeln!(out, "{}", event.record.version)?;
            }
            return Ok(Answer::Yes);
        }
        let record = match self.version {
            Some(version) => {
                version_of(&history, version).ok_or_else(|| no_version(key, version, &history))?
            }
            None => history
                .at(at)
                .ok_or_else(|| not_found(&Address::Key(key.to_vec()), store, at))?,
        };
        if self.raw {
            // A copy: the bytes of the map may not be handed to the system.
            let copy = record.value.to_vec();
            out.write_all(&copy)?;
        } else {
            out.write_all(&text_of(record.value, self.output).map_err(|error| {
                undecodable(&key_text(key), &error, "--raw prints the stored bytes")
            })?)?;
        }
        Ok(Answer::Yes)
    }

    fn list(&self, store: &Store<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let at = store.at((self.revision > 0).then_some(self.revision))?;
        let prefix = self
            .keys_by_prefix
            .as_ref()
            .map(|prefix| prefix.as_encoded_bytes())
            .unwrap_or_default();
        let counted = self
            .fields
            .iter()
            .any(|field| matches!(field, Field::VersionCount | Field::AllVersionsValueSize));
        let keyspace = Keyspace::at(store, at, |key| key.starts_with(prefix));
        let versions = if counted {
            crate::etcd::history::version_counts(store, at, &keyspace)
        } else {
            Vec::new()
        };
        for (index, KeyEntry { key, record }) in keyspace.live.iter().enumerate() {
            for (place, field) in self.fields.iter().enumerate() {
                if place > 0 {
                    out.write_all(b" ")?;
                }
                let counts = versions.get(index).copied().unwrap_or_default();
                match field {
                    Field::Key => out.write_all(key)?,
                    Field::ValueSize => write!(out, "{}", record.value.len())?,
                    Field::VersionCount => write!(out, "{}", counts.versions)?,
                    Field::AllVersionsValueSize => write!(out, "{}", counts.value_bytes)?,
                    Field::Value => out.write_all(json_or_null(record).trim_ascii_end())?,
                }
            }
            out.write_all(b"\n")?;
        }
        if keyspace.live.is_empty() && !prefix.is_empty() {
            return Err(not_found(&Address::Prefix(prefix.to_vec()), store, at));
        }
        Ok(Answer::Yes)
    }
}

fn json_or_null(record: &Record<'_>) -> Vec<u8> {
    let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
    let is_object = record.value.starts_with(b"{")
        || record
            .value
            .starts_with(crate::k8s::envelope::PROTOBUF_MAGIC);
    match decode(record.value, Order::Sorted, &mut writer) {
        Ok(_) if is_object => writer.finish().unwrap_or_default(),
        _ => b"null".to_vec(),
    }
}

/// The put of this number in the newest incarnation that has it.
fn version_of<'a>(history: &KeyHistory<'a>, version: i64) -> Option<Record<'a>> {
    let puts = history
        .events
        .iter()
        .rev()
        .filter(|event| event.event_type != EventType::Delete);
    puts.map(|event| event.record)
        .find(|record| record.version == version)
}

fn no_version(key: &[u8], version: i64, history: &KeyHistory<'_>) -> Failure {
    let failure = Failure::not_found(format!(
        "{}: no version {version} is retained",
        key_text(key)
    ));
    let versions: Vec<String> = history
        .events
        .iter()
        .map(|event| event.record.version.to_string())
        .collect();
    if versions.is_empty() {
        failure.hint("`ls` lists the keys")
    } else {
        failure.hint(format!("it has {} (0 is a deletion)", versions.join(", ")))
    }
}
