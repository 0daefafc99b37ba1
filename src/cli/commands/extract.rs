//! `extract`: auger's verb, flags and output.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::failure::Failure;
use crate::cli::filter::Filter;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::{Answer, Run, Verb};
use crate::etcd::history::VersionCounts;
use crate::etcd::{AtRevision, EventType, KeyEntry, KeyHistory, KeyValue, Keyspace, Record, Store};
use crate::k8s::encrypt::Keyring;
use crate::k8s::{Order, Stored, decode};
use crate::query::Question;
use crate::query::address::Address;
use crate::query::objects::{Objects, Told};
use crate::query::resolve::only_one;
use crate::query::resolve::revision_of_store;
use crate::query::revision::RevisionExpr;
use crate::query::select::Which;
use crate::view::json::{JsonStyle, JsonWriter};
use crate::view::record::key_text;

use super::decode::{Output, bytes_of_hex, read_input, refusal, text_of};

/// Extract one object as it is stored, or list keys, with auger's flags
///
/// Without -k: the live keys. Where auger is wrong (deleted keys listed as alive, the wrong
/// incarnation of a re-created key, -r ignored with -k, --filter without --template) the right
/// answer is given. --template is refused: `get -o jsonpath=...` prints fields.
#[derive(Debug, clap::Args)]
#[command(
    disable_version_flag = true,
    group(clap::ArgGroup::new("record").args(["key", "leaf_item"])),
    override_usage = "etcdive extract [OPTIONS] <DB>\n       etcdive extract [OPTIONS] --file <DB>\n       etcdive extract [OPTIONS] --leaf-item [--file <ITEM>]"
)]
pub struct Args {
    /// A db file, a snapshot file, or a data directory
    #[arg(value_name = "DB", required_unless_present_any = ["file", "leaf_item", "template"])]
    db: Option<PathBuf>,
    /// The database, as auger has it
    #[arg(short, long, value_name = "DB", conflicts_with = "db")]
    file: Option<PathBuf>,
    /// The key of the object; KEY@REV is the same as -r REV
    #[arg(short, long, value_name = "KEY", conflicts_with = "keys_by_prefix")]
    key: Option<OsString>,
    /// How to print the object
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
    /// The put of this number since the key's creation, instead of the newest
    #[arg(short, long, value_name = "N", requires = "key", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    version: Option<i64>,
    /// Answer as of this main revision; 0 for the newest
    #[arg(short, long, value_name = "REV", default_value_t = 0, conflicts_with = "leaf_item", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    revision: i64,
    /// Answer as of this time: 2026-11-20T21:05:00Z, 21:05 on the newest day, or 10m before the newest time
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with_all = ["revision", "leaf_item"]
    )]
    at_time: Option<String>,
    /// List the versions of the key that are retained, oldest first; 0 is a deletion
    #[arg(long, requires = "key", conflicts_with_all = ["version", "raw"])]
    list_versions: bool,
    /// List the live keys that start so
    #[arg(long, value_name = "PREFIX", conflicts_with = "leaf_item")]
    keys_by_prefix: Option<OsString>,
    /// What to list of each key
    #[arg(
        long,
        value_name = "FIELDS",
        value_delimiter = ',',
        default_value = "key",
        conflicts_with = "record"
    )]
    fields: Vec<Field>,
    /// List the live keys of which this holds: FIELD=VALUE, with commas between several
    ///
    /// FIELD is a path in auger's names: .Key, .Version, .Value.metadata.namespace, .TypeMeta.Kind,
    /// .TypeMeta.APIVersion, .Stats.ValueSize (VersionCount, KeySize, AllVersionsKeySize,
    /// AllVersionsValueSize); for other names `index PATH "KEY"`. What is not there reads `<no value>`.
    #[arg(long, value_name = "FILTER", conflicts_with = "record", value_parser = Filter::parse)]
    filter: Option<Filter>,
    /// Print the stored bytes, undecoded
    #[arg(long, requires = "record", conflicts_with = "output")]
    raw: bool,
    /// Read one record instead: the value of an element of bucket `key`, from --file or standard input
    ///
    /// As `bbolt page-item --value-only DB PAGE ITEM` prints it, with --format bytes or as hexadecimal digits.
    #[arg(long)]
    leaf_item: bool,
    /// Print the key of the record; with -k too, where auger ignores it
    #[arg(long, requires = "record", conflicts_with_all = ["raw", "list_versions", "output"])]
    print_key: bool,
    /// Print key, version, revisions and lease of the record; with -k too, where auger ignores it
    #[arg(long, requires = "record", conflicts_with_all = ["raw", "list_versions", "output"])]
    meta_summary: bool,
    /// Go templates: refused.
    #[arg(long, value_name = "TEMPLATE", hide = true)]
    template: Option<OsString>,
    #[command(flatten)]
    keys: Keys,
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
        if self.template.is_some() {
            return Err(Failure::cannot("--template: Go templates are not supported")
                .hint("`get -o jsonpath=...` prints fields of objects, --filter and --fields choose what is listed"));
        }
        Ok(self.paths().filter(|_| !self.leaf_item).cloned().collect())
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if self.leaf_item {
            return self.leaf_item(run.keyring, out);
        }
        let question = run.question()?;
        let answer = match &self.key {
            Some(key) => {
                let which = Which::new(vec![key.clone()], Vec::new());
                let (which, own) = which.split_revision(question.store())?;
                let at = self.at(&question, own)?;
                let key = which.words().first().unwrap_or(key);
                self.extract((&question, at), key.as_encoded_bytes(), out)
            }
            None => self.list(&question, self.at(&question, None)?, out),
        };
        answer.map(|answer| question.finish(answer))
    }
}

impl Args {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.db.iter().chain(&self.file)
    }

    /// The revision to answer for.
    fn at(
        &self,
        question: &Question<'_>,
        own: Option<RevisionExpr>,
    ) -> Result<AtRevision, Failure> {
        match (own, &self.at_time) {
            (None, Some(time)) => Ok(question.revision_at(time)?),
            (Some(own), Some(time)) => Err(Failure::cannot(format!(
                "two revisions are named: {own}, and --at-time {time}"
            ))),
            (own, None) => {
                let given = (self.revision > 0).then_some(RevisionExpr::Main(self.revision));
                match only_one(own, given, "-r")? {
                    Some(revision) => Ok(revision_of_store(revision, question.store())?),
                    None => Ok(question.store().at(None)?),
                }
            }
        }
    }

    fn extract(
        &self,
        (question, at): (&Question<'_>, AtRevision),
        key: &[u8],
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let store = question.store();
        if self.version == Some(0) {
            return Err(Failure::cannot("version 0 is a deletion: it has no value"));
        }
        let mut history = KeyHistory::read(store, key);
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
                .at(store, at)
                .ok_or_else(|| question.missing(&Address::Key(key.to_vec()), None, at))?,
        };
        let item = KeyValue {
            key: record.key,
            create_revision: record.create_revision,
            mod_revision: record.mod_revision,
            version: record.version,
            value: record.value,
            lease: record.lease,
        };
        self.print(&item, question.keyring(), out)
    }

    fn leaf_item(&self, keyring: &Keyring, out: &mut Out) -> Result<Answer, Failure> {
        let input = read_input(self.paths().next().map(PathBuf::as_path), "one leaf item")?;
        // The bbolt command prints a newline behind it, and digits for what is not printable.
        let digits = bytes_of_hex(input.trim_ascii()).unwrap_or_default();
        let candidates = [
            &*input,
            input.strip_suffix(b"\n").unwrap_or(&input),
            &digits,
        ];
        let item = candidates
            .into_iter()
            .filter_map(|bytes| KeyValue::parse(bytes).ok())
            .find(|item| !item.key.is_empty());
        let item = item.ok_or_else(|| {
            Failure::cannot(
                "this is no leaf item of bucket key: no etcd record can be read from it",
            )
            .hint("expected what `bbolt page-item --value-only --format bytes DB PAGE ITEM` prints")
        })?;
        self.print(&item, keyring, out)
    }

    /// What was asked for of one record.
    fn print(
        &self,
        item: &KeyValue<'_>,
        keyring: &Keyring,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        // Copies: the bytes of the map may not be handed to the system.
        if self.meta_summary {
            out.write_all(&[b"Key: ", item.key, b"\n"].concat())?;
            writeln!(out, "Version: {}", item.version)?;
            writeln!(out, "CreateRevision: {}", item.create_revision)?;
            writeln!(out, "ModRevision: {}", item.mod_revision)?;
            writeln!(out, "Lease: {}", item.lease)?;
        } else if self.print_key {
            out.write_all(&[item.key, b"\n"].concat())?;
        } else if self.raw {
            let copy = item.value.to_vec();
            out.write_all(&copy)?;
        } else if item.version == 0 && item.value.is_empty() {
            return Err(Failure::cannot(format!(
                "{}: this record is a deletion: it has no value",
                key_text(item.key)
            )));
        } else {
            let told = keyring
                .open(item.key, item.value)
                .map_err(Into::into)
                .and_then(|value| text_of(&value, self.output));
            let refuse =
                |error| refusal(&key_text(item.key), &error, "--raw prints the stored bytes");
            out.write_all(&told.map_err(refuse)?)?;
        }
        Ok(Answer::Yes)
    }

    fn list(
        &self,
        question: &Question<'_>,
        at: AtRevision,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let (store, objects) = (question.store(), question.objects());
        let prefix = self
            .keys_by_prefix
            .as_ref()
            .map(|prefix| prefix.as_encoded_bytes())
            .unwrap_or_default();
        let keyspace = Keyspace::at(store, at, |key| key.starts_with(prefix));
        if keyspace.live.is_empty() && !prefix.is_empty() {
            let prefix = Address::Prefix(prefix.to_vec());
            return Err(question.missing(&prefix, None, at).into());
        }
        let versions = self.counts(store, at, &keyspace);
        let mut listed = false;
        for (index, entry) in keyspace.live.iter().enumerate() {
            let counts = versions.get(index).copied().unwrap_or_default();
            if let Some(filter) = &self.filter {
                let object = if filter.needs_value() {
                    object_of(&entry.record, objects)
                } else {
                    Value::Null
                };
                if !filter.accepts(&entry.record, counts, object) {
                    continue;
                }
            }
            self.list_one(entry, counts, objects, out)?;
            listed = true;
        }
        if !listed && self.filter.is_some() {
            return Err(Failure::not_found("the filter holds of no live key"));
        }
        Ok(Answer::Yes)
    }

    /// The versions of each live key, where the answer needs them.
    fn counts(
        &self,
        store: &Store<'_>,
        at: AtRevision,
        keyspace: &Keyspace<'_>,
    ) -> Vec<VersionCounts> {
        let counted =
            |field: &Field| matches!(field, Field::VersionCount | Field::AllVersionsValueSize);
        let filtered = self.filter.as_ref().is_some_and(Filter::needs_counts);
        if filtered || self.fields.iter().any(counted) {
            crate::etcd::history::version_counts(store, at, keyspace)
        } else {
            Vec::new()
        }
    }

    fn list_one(
        &self,
        KeyEntry { key, record }: &KeyEntry<'_>,
        counts: VersionCounts,
        objects: &Objects<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        for (place, field) in self.fields.iter().enumerate() {
            if place > 0 {
                out.write_all(b" ")?;
            }
            match field {
                Field::Key => out.write_all(key)?,
                Field::ValueSize => write!(out, "{}", record.value.len())?,
                Field::VersionCount => write!(out, "{}", counts.versions)?,
                Field::AllVersionsValueSize => write!(out, "{}", counts.value_bytes)?,
                Field::Value => {
                    let value = objects.open(record);
                    let json =
                        value.map_or_else(|_| b"null".to_vec(), |value| json_or_null(&value));
                    out.write_all(json.trim_ascii_end())?;
                }
            }
        }
        Ok(out.write_all(b"\n")?)
    }
}

/// The object in a value, for a filter; null for what is none.
fn object_of(record: &Record<'_>, objects: &Objects<'_>) -> Value {
    match objects.read(record, Order::Declared.into()) {
        Told::Object(object, _) => object,
        Told::Closed(error) => {
            objects.report_closed(record, &error);
            Value::Null
        }
        _ => Value::Null,
    }
}

/// The object as JSON with sorted keys; null for what is none.
fn json_or_null(value: &[u8]) -> Vec<u8> {
    let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
    let is_object = match Stored::detect(value) {
        Stored::Protobuf(_) | Stored::Cbor(_) => true,
        Stored::Json(json) => json.trim_ascii_start().starts_with(b"{"),
        _ => false,
    };
    match decode(value, Order::Sorted, &mut writer) {
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
