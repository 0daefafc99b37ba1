//! The retained history of one live object, and the revision that last changed each part of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::bbolt::Direction;
use crate::etcd::succession::compare_all;
use crate::etcd::{AtRevision, Generation, KeyEntry, Keyspace, Record, Store};
use crate::k8s::blame::{Blame, Version, is_manager_name};
use crate::k8s::object::{is_object, is_secret_key};
use crate::k8s::redact::Masker;
use crate::named::NameField;

use super::filters::Filter;
use super::no_answer::NoAnswer;
use super::notice::Notice;
use super::objects::Objects;
use super::question::Question;
use super::select::Selection;
use super::unreadable::Unreadable;

pub use crate::k8s::blame::Blamed;

/// What of an object is attributed and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// metadata.managedFields too.
    pub managed_fields: bool,
    /// The values of Secrets too.
    pub show_secrets: bool,
}

/// One object with its history.
#[derive(Debug)]
pub struct ObjectBlame<'a> {
    /// Its retained versions since its creation, oldest first; never empty.
    history: Vec<Record<'a>>,
    /// How many of them cannot be read.
    unread: usize,
    /// The attribution of the newest version.
    pub blamed: Blamed,
    /// The object without its secrets, if it has some that are masked.
    masked: Option<Value>,
}

impl<'a> ObjectBlame<'a> {
    /// Reads the history of the one live object that is asked about; with the names of its managers.
    ///
    /// # Errors
    /// If no object or several are selected, or the newest version cannot be read.
    pub fn read(
        question: &Question<'a>,
        at: AtRevision,
        selection: &Selection,
        options: Options,
    ) -> Result<(Self, ManagerNames), NoAnswer> {
        let history = one_history(question, at, selection)?;
        let mut masker = Masker::new(options.show_secrets);
        let (blamed, unread) = blame(&history, question.objects(), &masker, options)?;
        let is_secret = history.iter().any(|record| is_secret_key(record.key));
        let masked = match masker.mask(blamed.tree(), is_secret) {
            Cow::Owned(masked) => Some(masked),
            Cow::Borrowed(_) => None,
        };
        let names = ManagerNames {
            masker: masked.is_some().then_some(masker),
        };
        let blame = Self {
            history,
            unread,
            blamed,
            masked,
        };
        Ok((blame, names))
    }

    /// Whether it is an object of Kubernetes.
    pub fn is_object(&self) -> bool {
        is_object(self.blamed.tree())
    }

    /// The object as it is shown.
    pub fn tree(&self) -> &Value {
        self.masked.as_ref().unwrap_or_else(|| self.blamed.tree())
    }

    /// Reports which parts may be older than the revision that is shown, if `has_boundaries` says that some may be.
    /// And whether the object may have been changed or deleted by that revision.
    pub fn note(&self, question: &Question<'_>, at: AtRevision, has_boundaries: bool) {
        if has_boundaries {
            question.notices().add(Notice::Boundaries {
                unread: self.unread,
            });
            let oldest = self.history.first();
            let missing = oldest.map(|oldest| oldest.version.saturating_sub(1));
            let key = oldest.map_or(&[][..], |record| record.key);
            question.note_compacted(&|other| other == key, missing);
        }
        if let Some(newest) = self.history.last() {
            let shown = KeyEntry {
                key: newest.key.into(),
                record: *newest,
            };
            question.note_unproved(at, &[shown]);
        }
    }
}

/// The names of managers as they are shown. In a damaged Secret a name may be a part of a secret.
#[derive(Debug)]
pub struct ManagerNames {
    /// Masks what cannot be a name; none if nothing is masked in the object.
    masker: Option<Masker>,
}

impl ManagerNames {
    /// A name as it is shown.
    pub fn shown(&mut self, name: &str) -> String {
        let masker = self.masker.as_mut().filter(|_| !is_manager_name(name));
        let mask = masker.and_then(|masker| masker.mask_bytes(name.as_bytes()));
        mask.unwrap_or_else(|| NameField::Manager.shown(name).into_owned())
    }
}

/// The attribution of the newest of these versions, and how many of them could not be read.
fn blame(
    history: &[Record<'_>],
    objects: &Objects<'_>,
    masker: &Masker,
    options: Options,
) -> Result<(Blamed, usize), NoAnswer> {
    let mut versions = history.iter().rev();
    let Some(shown) = versions.next() else {
        return Err(NoAnswer::NothingFound);
    };
    let stored = read(shown, objects, masker).map_err(|why| NoAnswer::Unreadable {
        key: shown.key.into(),
        revision: shown.revision,
        why: Box::new(why),
    })?;
    let is_text = stored.is_string();
    let version = |record: &Record<'_>, stored: Value| {
        let (revision, number) = (record.revision.main, record.version);
        if is_text {
            // Its value was just read.
            let value = objects.open(record).unwrap_or_default();
            return Version::text(revision, number, &value);
        }
        if is_object(&stored) {
            return Version::new(revision, number, stored, options.managed_fields);
        }
        Version::plain(revision, number, stored)
    };
    let mut blame = Blame::new(version(shown, stored));
    let mut unread = 0_usize;
    for record in versions {
        match read(record, objects, masker) {
            Ok(stored) => blame.older(version(record, stored)),
            Err(_) => unread = unread.saturating_add(1),
        }
    }
    Ok((blame.finish(), unread))
}

/// The stored value of a version.
fn read(record: &Record<'_>, objects: &Objects<'_>, masker: &Masker) -> Result<Value, Unreadable> {
    let value = objects.open(record).map_err(Unreadable::Encrypted)?;
    let decoded = masker.tree_of(&value, is_secret_key(record.key));
    decoded.map_err(|error| {
        objects.report_undecodable(record, &error);
        Unreadable::Undecodable(error)
    })
}

/// The retained versions of the one live object that is asked about, oldest first, since its creation.
fn one_history<'a>(
    question: &Question<'a>,
    at: AtRevision,
    selection: &Selection,
) -> Result<Vec<Record<'a>>, NoAnswer> {
    /// How many of several objects are named.
    const NAMED: usize = 5;
    let store = question.store();
    let mut histories = if selection.names_one() && selection.labels().is_none() {
        histories(store, at, |key| selection.covers(key))
    } else {
        // Several keys may be covered: which one is meant comes first.
        let meant = meant_keys(question, at, selection);
        if let ([], Some(why)) = (meant.as_slice(), question.emptied()) {
            return Err(why);
        }
        match meant.as_slice() {
            [key] => histories(store, at, |other| other == *key),
            several => several.iter().map(|key| (*key, Vec::new())).collect(),
        }
    };
    let named = histories.keys().take(NAMED);
    let keys: Vec<Box<[u8]>> = named.map(|key| (*key).into()).collect();
    match (histories.len(), histories.pop_first()) {
        (1, Some((_, history))) => Ok(history),
        (_, None) => Err(selection
            .why_empty(question, at, |_| false, true)
            .unwrap_or(NoAnswer::NothingFound)),
        (count, Some(_)) => Err(NoAnswer::SeveralObjects { count, keys }),
    }
}

/// The live keys that are selected, with the labels that are asked for.
fn meant_keys<'a>(question: &Question<'a>, at: AtRevision, selection: &Selection) -> Vec<&'a [u8]> {
    let keyspace = Keyspace::at(question.store(), at, |key| selection.covers(key));
    let is_meant = |record: &Record<'_>| match selection.labels() {
        Some(labels) => {
            let has_labels = question.objects().has_labels(record, labels);
            question.filters().test(Filter("-l"), has_labels)
        }
        None => true,
    };
    let live = keyspace.live.iter();
    live.filter(|entry| is_meant(&entry.record))
        .map(|entry| entry.record.key)
        .collect()
}

/// The versions of the live keys that are wanted, each since its creation, oldest first.
fn histories<'a>(
    store: &Store<'a>,
    at: AtRevision,
    wanted: impl Fn(&[u8]) -> bool,
) -> BTreeMap<&'a [u8], Vec<Record<'a>>> {
    let mut histories: BTreeMap<&[u8], Vec<Record<'_>>> = BTreeMap::new();
    for record in store.records(Direction::Forward) {
        if record.revision.main <= at.0
            && !store.is_newer_than_state(&record)
            && !record.is_bump_mark()
            && wanted(record.key)
        {
            histories.entry(record.key).or_default().push(record);
        }
    }
    for history in histories.values_mut() {
        // In a damaged file the walk need not go by revision.
        history.sort_by_key(|record| record.revision);
        compare_all(store, history);
        // The carved record of a deleted key may be a put.
        let evidence = history
            .iter()
            .rev()
            .find(|record| store.is_evidence_for(record, at));
        *history = match evidence.and_then(Generation::after) {
            Some(live) => live.last_puts(history).to_vec(),
            None => Vec::new(),
        };
    }
    histories.retain(|_, history| !history.is_empty());
    histories
}
