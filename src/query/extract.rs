//! One record of a key, or the live keys, as auger asks for them.

use std::ffi::OsString;

use serde_json::Value;

use crate::etcd::history::version_counts;
use crate::etcd::{AtRevision, EventType, KeyHistory, Keyspace};
use crate::k8s::Order;

use super::address::Address;
use super::key_filter::KeyFilter;
use super::no_answer::NoAnswer;
use super::objects::{Objects, ReadValue};
use super::question::Question;
use super::resolve::{only_one, revision_of_store};
use super::revision::RevisionExpr;
use super::select::Which;

pub use crate::etcd::history::VersionCounts;
pub use crate::etcd::{KeyValue, Record};

/// The revision of the answer, as typed.
#[derive(Debug, Clone, Default)]
pub struct When {
    /// A main revision; 0 is the newest.
    pub revision: i64,
    /// A time.
    pub time: Option<String>,
}

impl When {
    /// The main revision; `own` is the revision after a key.
    ///
    /// # Errors
    /// If two revisions are named, or the named one is not retained.
    pub fn resolve(
        &self,
        question: &Question<'_>,
        own: Option<RevisionExpr>,
    ) -> Result<AtRevision, NoAnswer> {
        match (own, &self.time) {
            (None, Some(time)) => question.revision_at(time),
            (Some(own), Some(time)) => Err(NoAnswer::RevisionAndTime {
                own,
                time: time.clone(),
                flag: "--at-time",
            }),
            (own, None) => {
                let given = (self.revision > 0).then_some(RevisionExpr::Main(self.revision));
                match only_one(own, given, "-r")? {
                    Some(revision) => revision_of_store(revision, question.store()),
                    None => Ok(question.store().at(None)?),
                }
            }
        }
    }
}

/// One key whose record is asked for, as typed.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    /// The key, maybe with a revision.
    pub key: OsString,
    /// The revision of the answer.
    pub when: When,
    /// The number of the put since the creation of the key, instead of the newest.
    pub version: Option<i64>,
    /// Whether only the versions are asked for.
    pub versions_only: bool,
}

/// The answer about one key.
#[derive(Debug)]
pub enum Extracted<'a> {
    /// The retained versions, oldest first; 0 is a deletion.
    Versions(Vec<i64>),
    /// The record.
    Item(Record<'a>),
}

impl KeyRequest {
    /// The record that is asked for, or the versions.
    ///
    /// # Errors
    /// If there is no such record.
    pub fn answer<'a>(&self, question: &Question<'a>) -> Result<Extracted<'a>, NoAnswer> {
        let store = question.store();
        let which = Which::new(vec![self.key.clone()], Vec::new());
        let (which, own) = which.split_revision(store)?;
        let at = self.when.resolve(question, own)?;
        let key = which.words().first().unwrap_or(&self.key);
        let key = key.as_encoded_bytes();
        if self.version == Some(0) {
            return Err(NoAnswer::VersionOfDeletion);
        }
        let mut history = KeyHistory::read(store, key);
        history
            .events
            .retain(|event| event.record.revision.main <= at.0);
        let versions = || -> Vec<i64> {
            let events = history.events.iter();
            events.map(|event| event.record.version).collect()
        };
        if self.versions_only && !history.events.is_empty() {
            return Ok(Extracted::Versions(versions()));
        }
        let record = match self.version {
            Some(version) => {
                version_of(&history, version).ok_or_else(|| NoAnswer::VersionNotRetained {
                    key: key.into(),
                    version,
                    retained: versions(),
                })?
            }
            None => history
                .at(store, at)
                .ok_or_else(|| question.missing(&Address::Key(key.to_vec()), None, at))?,
        };
        Ok(Extracted::Item(record))
    }
}

/// The put of this number in the newest generation that has it.
fn version_of<'a>(history: &KeyHistory<'a>, version: i64) -> Option<Record<'a>> {
    let puts = history
        .events
        .iter()
        .rev()
        .filter(|event| event.event_type != EventType::Delete);
    puts.map(|event| event.record)
        .find(|record| record.version == version)
}

/// The live keys that are listed, as typed.
#[derive(Debug, Clone)]
pub struct ListRequest<'f> {
    /// The revision of the answer.
    pub when: When,
    /// The first bytes of the keys.
    pub prefix: &'f [u8],
    /// Conditions that their objects have to match.
    pub filter: Option<&'f KeyFilter>,
    /// Whether the versions of each key are counted.
    pub with_counts: bool,
}

/// A live key.
#[derive(Debug, Clone, Copy)]
pub struct ListedKey<'k, 'a> {
    /// The key.
    pub key: &'k [u8],
    /// Its record.
    pub record: &'k Record<'a>,
    /// Its retained versions; all are 0 unless they are counted.
    pub counts: VersionCounts,
}

impl ListRequest<'_> {
    /// Passes each key to `see`, in key order.
    ///
    /// # Errors
    /// Those of `see`; and if no key has this prefix or matches the conditions.
    pub fn keys<E: From<NoAnswer>>(
        &self,
        question: &Question<'_>,
        mut see: impl FnMut(ListedKey<'_, '_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let store = question.store();
        let at = self.when.resolve(question, None)?;
        let keyspace = Keyspace::at(store, at, |key| key.starts_with(self.prefix));
        if keyspace.live.is_empty() && !self.prefix.is_empty() {
            let prefix = Address::Prefix(self.prefix.to_vec());
            return Err(question.missing(&prefix, None, at).into());
        }
        let is_counted = self.with_counts || self.filter.is_some_and(KeyFilter::needs_counts);
        let counts = if is_counted {
            version_counts(store, at, &keyspace)
        } else {
            Vec::new()
        };
        let mut is_empty = true;
        for (index, entry) in keyspace.live.iter().enumerate() {
            let counts = counts.get(index).copied().unwrap_or_default();
            if self.accepts(question, &entry.record, counts) {
                is_empty = false;
                see(ListedKey {
                    key: &entry.key,
                    record: &entry.record,
                    counts,
                })?;
            }
        }
        if is_empty && self.filter.is_some() {
            return Err(NoAnswer::FilterHoldsOfNoKey.into());
        }
        Ok(())
    }

    fn accepts(&self, question: &Question<'_>, record: &Record<'_>, counts: VersionCounts) -> bool {
        let Some(filter) = self.filter else {
            return true;
        };
        let object = if filter.needs_value() {
            object_of(record, question.objects())
        } else {
            Value::Null
        };
        filter.accepts(record, counts, object)
    }
}

/// The object in a value, for a filter; null if it is not one.
fn object_of(record: &Record<'_>, objects: &Objects<'_>) -> Value {
    match objects.read(record, Order::Declared.into()) {
        ReadValue::Object(object, _) => object,
        ReadValue::Encrypted(error) => {
            objects.report_encrypted(record, &error);
            Value::Null
        }
        _ => Value::Null,
    }
}
