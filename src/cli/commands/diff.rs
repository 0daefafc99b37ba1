//! `diff`: what changed between two databases of one cluster.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::address::Address;
use crate::cli::failure::Failure;
use crate::cli::keys::Keys;
use crate::cli::missing::{below, folder_hint};
use crate::cli::objects::{Objects, Told};
use crate::cli::out::Out;
use crate::cli::select::Where;
use crate::cli::{Answer, Run, Verb, report};
use crate::diag::Diagnostics;
use crate::etcd::cluster::members;
use crate::etcd::store::AtRevision;
use crate::etcd::{Keyspace, Record, Store, schema};
use crate::k8s::Order;
use crate::k8s::diff::{FieldChange, Scope, diff as differences};
use crate::k8s::object::is_secret_key;
use crate::k8s::redact::Masker;
use crate::view::diff::{self, Change, ObjectChange, Side, StatRow, TextSide};
use crate::view::json::write_value;
use crate::view::record::{insert_text, key_text};
use crate::view::yaml::YamlWriter;

/// Show what changed between two databases of one cluster, object by object, field by field
///
/// `+` created, `-` deleted, `*` re-created (deleted and made again), `~` changed. List items are
/// matched by their key (name, port, type, uid, ...), not by their place. Values of Secrets are
/// masked; equal values share a number. Exit code 1 when something differs.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The older database
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The newer database
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    which: Where,
    /// How to print the changes
    #[arg(short, long, value_name = "FORMAT", default_value = "fields", conflicts_with_all = ["stat", "name_only"])]
    output: Output,
    /// Print how many fields changed in each object instead
    #[arg(long, conflicts_with = "name_only")]
    stat: bool,
    /// Print the keys alone: `+ KEY`, `- KEY`, `~ KEY` (changed or re-created)
    #[arg(long)]
    name_only: bool,
    /// Leave out the status of objects
    #[arg(long)]
    exclude_status: bool,
    /// Compare metadata.managedFields too
    #[arg(long)]
    show_managed_fields: bool,
    /// Print the values of Secrets
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    keys: Keys,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The changed fields of each object
    Fields,
    /// The objects' YAML as a unified diff
    Unified,
    /// One JSON array
    Json,
    /// A JSON object a line
    Jsonl,
}

/// A key that is not the same in both databases.
struct Changed<'a> {
    change: Change,
    old: Option<Record<'a>>,
    new: Option<Record<'a>>,
}

impl Verb for Args {
    fn databases(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(vec![self.old.clone(), self.new.clone()])
    }

    fn keys(&self) -> Option<&Keys> {
        Some(&self.keys)
    }

    fn run(&self, run: &Run<'_>, out: &mut Out) -> Result<Answer, Failure> {
        let [old, new] = run.evidence else {
            return Err(Failure::cannot("two databases are needed"));
        };
        let (old_store, new_store) = (old.records()?, new.records()?);
        let (old_at, new_at) = (old_store.at(None)?, new_store.at(None)?);
        let (old_newest, new_newest) = (old_store.current_revision(), new_store.current_revision());
        if old_newest > new_newest {
            report::note(&format!(
                "{} is at revision {old_newest}, {} at {new_newest}: is the older one first?",
                old.given_path().display(),
                new.given_path().display(),
            ));
        }
        if are_strangers(&old_store, &new_store) {
            report::note("these look like two different clusters: no member in common");
        }
        let selection = self
            .which
            .select(&[(&old_store, old_at), (&new_store, new_at)])?;
        let before = Keyspace::at(&old_store, old_at, |key| selection.covers(key));
        let after = Keyspace::at(&new_store, new_at, |key| selection.covers(key));
        let everywhere = || before.live.iter().chain(&after.live).chain(&after.deleted);
        if let Some(address) =
            selection.unanswered(|address| everywhere().any(|entry| address.covers(&entry.key)))
        {
            let stores = [(&old_store, old_at), (&new_store, new_at)];
            return Err(in_neither(address, &stores));
        }
        let mut changes = changed_keys(&before, &after);
        let old = Objects::new(run.keyring, old.diagnostics());
        let new = Objects::new(run.keyring, new.diagnostics());
        if let Some(labels) = selection.labels() {
            changes.retain(|changed| {
                let is_labelled = |record: &Record<'_>, objects: &Objects<'_>| {
                    matches!(objects.read(record, Order::Declared.into()), Told::Object(tree, _) if labels.matches(&tree))
                };
                changed.old.is_some_and(|record| is_labelled(&record, &old))
                    || changed.new.is_some_and(|record| is_labelled(&record, &new))
            });
        }
        let comparison = || Comparison {
            args: self,
            masker: Masker::new(self.show_secrets),
            old: &old,
            new: &new,
            after: &after,
        };
        if self.exclude_status {
            // What changed in nothing but its status did not change, then.
            let mut filter = comparison();
            changes.retain(|changed| {
                changed.change != Change::Changed || !filter.fields(changed).is_empty()
            });
        }
        comparison().print(&changes, out)?;
        old.conclude();
        new.conclude();
        Ok(if changes.is_empty() {
            Answer::Yes
        } else {
            Answer::No
        })
    }
}

impl Args {
    fn scope(&self) -> Scope {
        Scope {
            status: !self.exclude_status,
            managed_fields: self.show_managed_fields,
        }
    }
}

/// Whether both databases name members, and no member is in both.
fn are_strangers(old: &Store<'_>, new: &Store<'_>) -> bool {
    // What is wrong with the members is nothing that this question would suffer from.
    let diagnostics = Diagnostics::new();
    let ids = |store: &Store<'_>| -> BTreeSet<String> {
        let bucket = store.bucket(schema::MEMBERS);
        bucket
            .map(|bucket| members(bucket, &diagnostics))
            .unwrap_or_default()
            .into_iter()
            .map(|member| member.id)
            .collect()
    };
    let (old, new) = (ids(old), ids(new));
    !old.is_empty() && !new.is_empty() && old.is_disjoint(&new)
}

/// The failure for an address which no key answers to, before or after. Exit code 1 would say that something
/// differs.
fn in_neither(address: &Address, stores: &[(&Store<'_>, AtRevision)]) -> Failure {
    let text = address.text();
    let failure = Failure::cannot(format!("{text}: in neither database"));
    let Address::Key(key) = address else {
        return failure;
    };
    let below = below(key);
    let mut inside = BTreeSet::new();
    for (store, at) in stores {
        let keyspace = Keyspace::at(store, *at, |key| below.covers(key));
        inside.extend(keyspace.live.into_iter().map(|entry| entry.key));
    }
    match folder_hint(&text, inside.iter().map(|key| &**key)) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Merges two keyspaces, which are in key order, into what is not the same.
fn changed_keys<'a>(before: &Keyspace<'a>, after: &Keyspace<'a>) -> Vec<Changed<'a>> {
    let mut changes = Vec::new();
    let (mut old, mut new) = (before.live.iter().peekable(), after.live.iter().peekable());
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(a), Some(b)) => a.key.cmp(&b.key),
        };
        let a = if order.is_le() {
            old.next().map(|entry| entry.record)
        } else {
            None
        };
        let b = if order.is_ge() {
            new.next().map(|entry| entry.record)
        } else {
            None
        };
        let change = match (&a, &b) {
            (Some(a), Some(b)) if a.create_revision != b.create_revision => Change::Recreated,
            (Some(a), Some(b)) if a.mod_revision != b.mod_revision || a.value != b.value => {
                Change::Changed
            }
            (Some(_), Some(_)) => continue,
            (None, _) => Change::Created,
            (Some(_), None) => Change::Deleted,
        };
        changes.push(Changed {
            change,
            old: a,
            new: b,
        });
    }
}

/// A record's value: a tree, its secrets not masked yet, or why it is none.
type Decoded = Result<Value, String>;

/// What one run of the verb shares between the objects.
struct Comparison<'r> {
    args: &'r Args,
    masker: Masker,
    old: &'r Objects<'r>,
    new: &'r Objects<'r>,
    after: &'r Keyspace<'r>,
}

impl Comparison<'_> {
    fn print(&mut self, changes: &[Changed<'_>], out: &mut Out) -> Result<(), Failure> {
        let style = out.style();
        if self.args.name_only {
            for changed in changes {
                // In a pipe a key is exact, whatever its bytes.
                if !out.is_terminal() && std::str::from_utf8(changed.key()).is_err() {
                    out.write_all(&[changed.name_marker(), b" ", changed.key(), b"\n"].concat())?;
                    continue;
                }
                diff::write_name(out.styled(), changed.change, changed.key(), &style)?;
            }
            return Ok(());
        }
        if self.args.stat {
            let rows: Vec<StatRow> = changes
                .iter()
                .map(|changed| {
                    StatRow::new(
                        changed.change,
                        &key_text(changed.key()),
                        &self.fields(changed),
                    )
                })
                .collect();
            diff::write_stat(out.styled(), &rows, &style)?;
            return Ok(());
        }
        if self.args.output == Output::Json {
            out.write_all(b"[")?;
        }
        for (index, changed) in changes.iter().enumerate() {
            match self.args.output {
                Output::Unified => self.unified(changed, out)?,
                Output::Fields => {
                    let fields = if changed.is_in_both() {
                        self.fields(changed)
                    } else {
                        Vec::new()
                    };
                    diff::write_object(out.styled(), &self.object(changed, &fields), &style)?;
                }
                Output::Json | Output::Jsonl => {
                    if index > 0 && self.args.output == Output::Json {
                        out.write_all(b",")?;
                    }
                    let fields = self.fields(changed);
                    diff::write_json_line(out, &self.object(changed, &fields))?;
                }
            }
        }
        if self.args.output == Output::Json {
            out.write_all(b"]\n")?;
        }
        Ok(())
    }

    fn object<'a>(&self, changed: &'a Changed<'_>, fields: &'a [FieldChange]) -> ObjectChange<'a> {
        let side = |record: &Record<'_>| Side {
            create_revision: record.create_revision,
            mod_revision: record.mod_revision,
            version: record.version,
        };
        ObjectChange {
            change: changed.change,
            key: changed.key(),
            old: changed.old.as_ref().map(side),
            new: changed.new.as_ref().map(side),
            deleted_at: self
                .after
                .tombstone(changed.key())
                .map(|tombstone| tombstone.revision.main),
            fields,
        }
    }

    /// The changed fields, secrets masked. An object on one side only is one field: the whole of it.
    fn fields(&mut self, changed: &Changed<'_>) -> Vec<FieldChange> {
        let scope = self.args.scope();
        let secret = is_secret_key(changed.key());
        let old = changed
            .old
            .map(|record| (record, self.decoded(&record, self.old)));
        let new = changed
            .new
            .map(|record| (record, self.decoded(&record, self.new)));
        match (old, new) {
            (Some((_, Ok(old))), Some((_, Ok(new)))) => self.masker.diff(&old, &new, scope, secret),
            (Some((old_record, old)), Some((new_record, new))) => {
                let old = self.masked(&old_record, old);
                let new = self.masked(&new_record, new);
                differences(&old, &new, scope)
            }
            (old, new) => {
                let mut whole = |side: Option<(Record<'_>, Decoded)>| {
                    side.map(|(record, decoded)| self.masked(&record, decoded))
                };
                vec![FieldChange::whole(whole(old), whole(new))]
            }
        }
    }

    /// A record's value as a tree; one that stays encrypted or cannot be decoded is reported.
    fn decoded(&self, record: &Record<'_>, objects: &Objects<'_>) -> Decoded {
        let value = objects.open(record).map_err(|error| error.to_string())?;
        let decoded = self.masker.tree_of(&value, is_secret_key(record.key));
        decoded.map_err(|error| {
            objects.report_undecodable(record, &error);
            error.to_string()
        })
    }

    /// The tree with its secrets masked and without what is out of scope. A value that could not be decoded
    /// becomes a text that stands for its bytes; nothing says what they hold, so they are masked as a secret.
    fn masked(&mut self, record: &Record<'_>, decoded: Decoded) -> Value {
        match decoded {
            Ok(tree) => self
                .masker
                .mask(&self.args.scope().narrowed(tree), is_secret_key(record.key))
                .into_owned(),
            Err(reason) => {
                let mut map = serde_json::Map::new();
                match self.masker.mask_bytes(record.value) {
                    Some(mask) => drop(map.insert("value".to_owned(), mask.into())),
                    None => insert_text(&mut map, "value", record.value),
                }
                map.insert("undecodable".to_owned(), reason.into());
                Value::Object(map)
            }
        }
    }

    /// The whole object as YAML, secrets masked.
    fn yaml(&mut self, record: &Record<'_>, objects: &Objects<'_>) -> String {
        let decoded = self.decoded(record, objects);
        let tree = self.masked(record, decoded);
        let mut writer = YamlWriter::new(Vec::new());
        write_value(&tree, Order::Natural, &mut writer);
        String::from_utf8_lossy(&writer.finish().unwrap_or_default()).into_owned()
    }

    fn unified(&mut self, changed: &Changed<'_>, out: &mut Out) -> Result<(), Failure> {
        let key = changed.key();
        let old = changed
            .old
            .map(|record| (record.mod_revision, self.yaml(&record, self.old)));
        let new = changed
            .new
            .map(|record| (record.mod_revision, self.yaml(&record, self.new)));
        let style = out.style();
        diff::write_unified(
            out.styled(),
            &key_text(key),
            text_side(old.as_ref()),
            text_side(new.as_ref()),
            &style,
        )?;
        Ok(())
    }
}

fn text_side(side: Option<&(i64, String)>) -> Option<TextSide<'_>> {
    side.map(|(mod_revision, text)| TextSide {
        mod_revision: *mod_revision,
        text,
    })
}

impl Changed<'_> {
    fn key(&self) -> &[u8] {
        self.new.or(self.old).map_or(&[], |record| record.key)
    }

    fn name_marker(&self) -> &'static [u8] {
        match self.change {
            Change::Created => b"+",
            Change::Deleted => b"-",
            Change::Recreated | Change::Changed => b"~",
        }
    }

    fn is_in_both(&self) -> bool {
        self.old.is_some() && self.new.is_some()
    }
}
