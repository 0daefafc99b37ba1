//! `diff`: what changed between two databases of one cluster.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::evidence::Evidence;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::select::Selection;
use crate::cli::{Answer, Verb, report};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::{Keyspace, Record};
use crate::k8s::diff::{FieldChange, Scope};
use crate::k8s::object::{is_secret_key, tree_of};
use crate::k8s::redact::Masker;
use crate::k8s::{DecodeError, Order};
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
    /// Only this key, or the keys below a prefix ending in `/`
    #[arg(value_name = "KEY|PREFIX/")]
    keys: Vec<OsString>,
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

    fn run(&self, evidence: &[Evidence], out: &mut Out) -> Result<Answer, Failure> {
        let [old, new] = evidence else {
            return Err(Failure::cannot("two databases are needed"));
        };
        let (old_store, new_store) = (old.records()?, new.records()?);
        let (old_at, new_at) = (old_store.at(None)?, new_store.at(None)?);
        let (old_revision, new_revision) =
            (old_store.current_revision(), new_store.current_revision());
        if old_revision > new_revision {
            report::note(&format!(
                "{} is at revision {}, {} at {}: is the older one first?",
                old.given_path().display(),
                old_revision,
                new.given_path().display(),
                new_revision
            ));
        }
        let selection = Selection::parse(&self.keys);
        let before = Keyspace::at(&old_store, old_at, |key| selection.covers(key));
        let after = Keyspace::at(&new_store, new_at, |key| selection.covers(key));
        let everywhere = || before.live.iter().chain(&after.live).chain(&after.deleted);
        if let Some(address) =
            selection.unanswered(|address| everywhere().any(|entry| address.covers(&entry.key)))
        {
            return Err(Failure::not_found(format!(
                "{}: in neither database",
                address.text()
            )));
        }
        let mut changes = changed_keys(&before, &after);
        let run = || Run {
            args: self,
            masker: Masker::new(self.show_secrets),
            old: old.diagnostics(),
            new: new.diagnostics(),
            after: &after,
        };
        if self.exclude_status {
            // What changed in nothing but its status did not change, then.
            let mut filter = run();
            changes.retain(|changed| {
                changed.change != Change::Changed || !filter.fields(changed).is_empty()
            });
        }
        run().print(&changes, out)?;
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

/// What one run of the verb shares between the objects.
struct Run<'r> {
    args: &'r Args,
    masker: Masker,
    old: &'r Diagnostics,
    new: &'r Diagnostics,
    after: &'r Keyspace<'r>,
}

impl Run<'_> {
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
            .as_ref()
            .map(|record| self.tree(record, self.old));
        let new = changed
            .new
            .as_ref()
            .map(|record| self.tree(record, self.new));
        match (old, new) {
            (Some(old), Some(new)) => self.masker.diff(&old, &new, scope, secret),
            (old, new) => {
                let mut whole = |tree: Option<Value>| {
                    tree.map(|tree| self.masker.mask(&scope.narrowed(tree), secret).into_owned())
                };
                vec![FieldChange::whole(whole(old), whole(new))]
            }
        }
    }

    /// A record's value as a tree; what cannot be decoded as one text that stands for its bytes.
    fn tree(&mut self, record: &Record<'_>, diagnostics: &Diagnostics) -> Value {
        match tree_of(record.value) {
            Ok((tree, _)) => tree,
            Err(error) => {
                if !matches!(error, DecodeError::Encrypted { .. }) {
                    diagnostics.report(
                        Diagnostic::new(Code::ValueUndecodable, record.locus())
                            .found(error.to_string())
                            .effect("its bytes are compared, not its fields"),
                    );
                }
                // Nothing says what the bytes hold: they are masked as a secret is.
                let mut map = serde_json::Map::new();
                match self.masker.mask_bytes(record.value) {
                    Some(mask) => drop(map.insert("value".to_owned(), mask.into())),
                    None => insert_text(&mut map, "value", record.value),
                }
                map.insert("undecodable".to_owned(), error.to_string().into());
                Value::Object(map)
            }
        }
    }

    /// The whole object as YAML, secrets masked.
    fn yaml(&mut self, key: &[u8], record: &Record<'_>, diagnostics: &Diagnostics) -> String {
        let tree = self.args.scope().narrowed(self.tree(record, diagnostics));
        let mut writer = YamlWriter::new(Vec::new());
        write_value(
            &self.masker.mask(&tree, is_secret_key(key)),
            Order::Natural,
            &mut writer,
        );
        String::from_utf8_lossy(&writer.finish().unwrap_or_default()).into_owned()
    }

    fn unified(&mut self, changed: &Changed<'_>, out: &mut Out) -> Result<(), Failure> {
        let key = changed.key();
        let old = changed
            .old
            .map(|record| (record.mod_revision, self.yaml(key, &record, self.old)));
        let new = changed
            .new
            .map(|record| (record.mod_revision, self.yaml(key, &record, self.new)));
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
