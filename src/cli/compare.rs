//! What changed between two states of keys: which keys, and which fields of their objects, secrets masked.

use serde_json::Value;

use crate::etcd::{Keyspace, Record};
use crate::k8s::Order;
use crate::k8s::diff::{FieldChange, Scope, diff as differences};
use crate::k8s::object::is_secret_key;
use crate::k8s::redact::Masker;
use crate::view::diff::{self, Change, ObjectChange, Side, TextSide};
use crate::view::json::write_value;
use crate::view::record::{insert_text, key_text};
use crate::view::yaml::YamlWriter;

use super::failure::Failure;
use super::objects::Objects;
use super::out::Out;

/// A key that is not the same in two states.
#[derive(Debug, Clone, Copy)]
pub struct Changed<'a> {
    /// What happened to it.
    pub change: Change,
    /// Its record before.
    pub old: Option<Record<'a>>,
    /// Its record after.
    pub new: Option<Record<'a>>,
    /// The revision of its deletion, where it is known.
    pub deleted_at: Option<i64>,
}

/// Merges two keyspaces, which are in key order, into what is not the same.
pub fn changed_keys<'a>(before: &Keyspace<'a>, after: &Keyspace<'a>) -> Vec<Changed<'a>> {
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
            (Some(a), Some(b)) if a.mod_revision != b.mod_revision || other_value(a, b) => {
                Change::Changed
            }
            (Some(_), Some(_)) => continue,
            (None, _) => Change::Created,
            (Some(_), None) => Change::Deleted,
        };
        let changed = Changed {
            change,
            old: a,
            new: b,
            deleted_at: None,
        };
        changes.push(Changed {
            deleted_at: after
                .tombstone(changed.key())
                .map(|tombstone| tombstone.revision.main),
            ..changed
        });
    }
}

/// Whether two values differ. Of one and the same record not a byte is read.
fn other_value(a: &Record<'_>, b: &Record<'_>) -> bool {
    !std::ptr::eq(a.value, b.value) && a.value != b.value
}

/// A record's value: a tree, its secrets not masked yet, or why it is none.
type Decoded = Result<Value, String>;

/// Looks into the objects of changes. One for a whole run: equal secrets share a number.
#[derive(Debug)]
pub struct Comparison<'r> {
    /// What of an object is compared.
    pub scope: Scope,
    /// Masks secrets.
    pub masker: Masker,
    /// Reads the records before.
    pub old: &'r Objects<'r>,
    /// Reads the records after.
    pub new: &'r Objects<'r>,
}

impl Comparison<'_> {
    /// Another one that compares the same, for changes that are looked at and not printed.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            masker: Masker::new(false),
            ..*self
        }
    }

    /// The change as the views take it.
    pub fn object<'a>(
        &self,
        changed: &'a Changed<'_>,
        fields: &'a [FieldChange],
    ) -> ObjectChange<'a> {
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
            deleted_at: changed.deleted_at,
            fields,
        }
    }

    /// The changed fields, secrets masked. An object on one side only is one field: the whole of it.
    pub fn fields(&mut self, changed: &Changed<'_>) -> Vec<FieldChange> {
        let scope = self.scope;
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
            error.text_of(record.key)
        })
    }

    /// The tree with its secrets masked and without what is out of scope. A value that could not be decoded
    /// becomes a text that stands for its bytes; nothing says what they hold, so they are masked as a secret.
    fn masked(&mut self, record: &Record<'_>, decoded: Decoded) -> Value {
        match decoded {
            Ok(tree) => self
                .masker
                .mask(&self.scope.narrowed(tree), is_secret_key(record.key))
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
    pub fn yaml(&mut self, record: &Record<'_>, objects: &Objects<'_>) -> String {
        let decoded = self.decoded(record, objects);
        let tree = self.masked(record, decoded);
        let mut writer = YamlWriter::new(Vec::new());
        write_value(&tree, Order::Natural, &mut writer);
        String::from_utf8_lossy(&writer.finish().unwrap_or_default()).into_owned()
    }

    /// Writes the change as a unified diff of the objects' YAML.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn unified(&mut self, changed: &Changed<'_>, out: &mut Out) -> Result<(), Failure> {
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
    /// Its key.
    pub fn key(&self) -> &[u8] {
        self.new.or(self.old).map_or(&[], |record| record.key)
    }

    /// The first column of `--name-only`.
    pub fn name_marker(&self) -> &'static [u8] {
        match self.change {
            Change::Created => b"+",
            Change::Deleted => b"-",
            Change::Recreated | Change::Changed => b"~",
        }
    }

    /// Whether it is there before and after.
    pub fn is_in_both(&self) -> bool {
        self.old.is_some() && self.new.is_some()
    }
}
