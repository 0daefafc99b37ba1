//! `extract`: auger's verb, flags and output.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::out::Out;
use crate::cli::words::words;
use crate::cli::{Answer, Run, Verb};
use crate::query::extract::{Extracted, KeyRequest, KeyValue, ListRequest, ListedKey, When};
use crate::query::key_filter::KeyFilter;
use crate::query::stored_value::{decrypted, hex_bytes, printed_item};
use crate::query::{NoAnswer, Question};
use crate::view;
use crate::view::record::key_text;
use crate::view::stored_value::{NotPrinted, json_or_null, text_or_plain};

use super::decode::{Output, read_input, refusal};

/// Print one object as stored, or list keys, with auger's flags
///
/// Without -k the live keys are listed. Where auger is wrong, the output is right instead: auger lists deleted keys as
/// live, confuses the lives of a re-created key, ignores -r with -k, and ignores --filter without --template.
/// --template is not supported: use `get -o jsonpath=...`.
#[derive(Debug, clap::Args)]
#[command(
    disable_version_flag = true,
    group(clap::ArgGroup::new("record").args(["key", "leaf_item"])),
    override_usage = "etcdive extract [OPTIONS] <DB>\n       etcdive extract [OPTIONS] --file <DB>\n       etcdive extract [OPTIONS] --leaf-item [--file <ITEM>]"
)]
pub struct Args {
    /// A db file, snapshot, data directory or archive; - is stdin
    ///
    /// A copied member/snap/db, a file of `etcdctl snapshot save`, a data directory, or a folder of backups of
    /// etcd-backup-restore. Each may be compressed or in an archive; ARCHIVE::path names one of several in it.
    #[arg(value_name = "DB", required_unless_present_any = ["file", "leaf_item", "template"])]
    db: Option<PathBuf>,
    /// The database, as auger names it
    #[arg(short, long, value_name = "DB", conflicts_with = "db")]
    file: Option<PathBuf>,
    /// The key of the object; KEY@REV is the same as -r REV
    #[arg(short, long, value_name = "KEY", conflicts_with = "keys_by_prefix")]
    key: Option<OsString>,
    /// Output format of the object
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
    /// Print this version instead of the newest
    ///
    /// Versions count the puts of a key since its creation: 1, 2, 3, ...
    #[arg(short, long, value_name = "N", requires = "key", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    version: Option<i64>,
    /// Answer as of this main revision; 0 is the newest
    #[arg(short, long, value_name = "REV", default_value_t = 0, conflicts_with = "leaf_item", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    revision: i64,
    /// Answer as of this time: 21:05, 10m ago
    ///
    /// Forms: 2026-11-20T21:05:00Z; 21:05 on the day of the newest time in the file; 10m before that time. See `etcdive
    /// help times`.
    #[arg(
        long,
        value_name = "TIME",
        allow_hyphen_values = true,
        conflicts_with_all = ["revision", "leaf_item"]
    )]
    at_time: Option<String>,
    /// List the retained versions of the key, oldest first; 0 is a deletion
    #[arg(long, requires = "key", conflicts_with_all = ["version", "raw"])]
    list_versions: bool,
    /// List the live keys that start with PREFIX
    #[arg(long, value_name = "PREFIX", conflicts_with = "leaf_item")]
    keys_by_prefix: Option<OsString>,
    /// What to print for each key
    #[arg(
        long,
        value_name = "FIELDS",
        value_delimiter = ',',
        default_value = "key",
        conflicts_with = "record"
    )]
    fields: Vec<Field>,
    /// List the live keys that match FIELD=VALUE
    ///
    /// Several conditions are separated by commas. FIELD is a path in auger's names: .Key, .Version,
    /// .Value.metadata.namespace, .TypeMeta.Kind, .TypeMeta.APIVersion, .Stats.ValueSize (VersionCount, KeySize,
    /// AllVersionsKeySize, AllVersionsValueSize); for other names `index PATH "KEY"`. A field that does not exist is
    /// `<no value>`.
    #[arg(long, value_name = "FILTER", conflicts_with = "record", value_parser = parse_filter)]
    filter: Option<KeyFilter>,
    /// Print the stored bytes, not decoded
    #[arg(long, requires = "record", conflicts_with = "output")]
    raw: bool,
    /// Read one record from --file or standard input
    ///
    /// The record is the value of an element of the bucket `key`, as `bbolt page-item --value-only DB PAGE ITEM` prints
    /// it: with --format bytes, or as hexadecimal digits.
    #[arg(long)]
    leaf_item: bool,
    /// Print the key of the record; works with -k too, where auger ignores it
    #[arg(long, requires = "record", conflicts_with_all = ["raw", "list_versions", "output"])]
    print_key: bool,
    /// Print key, version, revisions and lease; works with -k too, where auger ignores it
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
    /// The size of the value in bytes
    ValueSize,
    /// The total size of all retained values since the creation, in bytes
    AllVersionsValueSize,
    /// The number of retained versions since the creation
    VersionCount,
    /// The object as JSON; null if the value is not an object
    Value,
}

words!(Field);

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        if self.template.is_some() {
            return Err(Failure::cannot("--template: Go templates are not supported")
                .hint("`get -o jsonpath=...` prints fields of objects, `--filter` and `--fields` choose what is listed"));
        }
        Ok(self.paths().filter(|_| !self.leaf_item).cloned().collect())
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn is_paged(&self) -> bool {
        // Stored bytes need not be text.
        !self.raw
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        if self.leaf_item {
            return self.leaf_item(run, out);
        }
        let question = run.question()?;
        let when = When {
            revision: self.revision,
            time: self.at_time.clone(),
        };
        match &self.key {
            Some(key) => {
                let request = KeyRequest {
                    key: key.clone(),
                    when,
                    version: self.version,
                    versions_only: self.list_versions,
                };
                match request.answer(&question)? {
                    Extracted::Item(record) => {
                        if self.prints_object() {
                            question.objects().report_if_incomplete(&record);
                        }
                        self.print(&record.key_value(), run, out)?;
                    }
                    Extracted::Versions(versions) => {
                        for version in versions {
                            writeln!(out, "{version}")?;
                        }
                    }
                }
            }
            None => self.list(&question, when, out)?,
        }
        Ok(question.finish(Answer::Yes))
    }
}

impl Args {
    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.db.iter().chain(&self.file)
    }

    fn leaf_item(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let input = read_input(self.paths().next().map(PathBuf::as_path), "one leaf item")?;
        // The bbolt command prints a newline after it, and digits for what is not printable.
        let hex = hex_bytes(input.trim_ascii()).unwrap_or_default();
        let item = printed_item(&input, &hex).ok_or(NoAnswer::NotAnItem)?;
        self.print(&item, run, out)?;
        Ok(Answer::Yes)
    }

    /// Whether what is printed of one record is its object.
    fn prints_object(&self) -> bool {
        !(self.meta_summary || self.print_key || self.raw) && self.output != Output::Proto
    }

    /// What was asked for of one record.
    fn print(&self, item: &KeyValue<'_>, run: &Run<'_>, out: &mut Out) -> Result<(), Failure> {
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
            return Err(NoAnswer::RecordOfDeletion(item.key.into()).into());
        } else {
            let value = decrypted(run.keyring, item.key, item.value);
            let text = value
                .map_err(NotPrinted::from)
                .and_then(|value| text_or_plain(&value, self.output.into()));
            let refuse =
                |error| refusal(&key_text(item.key), &error, "--raw prints the stored bytes");
            out.write_all(&text.map_err(refuse)?)?;
        }
        Ok(())
    }

    fn list(&self, question: &Question<'_>, when: When, out: &mut Out) -> Result<(), Failure> {
        let prefix = self
            .keys_by_prefix
            .as_ref()
            .map(|prefix| prefix.as_encoded_bytes());
        let is_count =
            |field: &Field| matches!(field, Field::VersionCount | Field::AllVersionsValueSize);
        let request = ListRequest {
            when,
            prefix: prefix.unwrap_or_default(),
            filter: self.filter.as_ref(),
            with_counts: self.fields.iter().any(is_count),
        };
        request.keys(question, |key| self.list_one(&key, question, out))
    }

    fn list_one(
        &self,
        ListedKey {
            key,
            record,
            counts,
        }: &ListedKey<'_, '_>,
        question: &Question<'_>,
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
                    let value = question.objects().open(record);
                    let json =
                        value.map_or_else(|_| b"null".to_vec(), |value| json_or_null(&value));
                    out.write_all(&json)?;
                }
            }
        }
        Ok(out.write_all(b"\n")?)
    }
}

fn parse_filter(text: &str) -> Result<KeyFilter, String> {
    KeyFilter::parse(text).map_err(|bad| view::key_filter::text(&bad))
}
