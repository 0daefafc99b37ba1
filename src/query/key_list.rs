//! The keys of a store, live or deleted: those that addresses, labels and patterns choose.

use std::cmp::Reverse;

use regex::bytes::Regex;

use crate::bbolt::Direction;
use crate::etcd::{AtRevision, KeyPlaces, PlacedKeyspace, PlacedRecord, Record, Revision};
use crate::fast_map::FastMap;
use crate::k8s::catalog::Catalog;
use crate::k8s::resource::Resource;
use crate::near::near;

use super::address::Address;
use super::catalog::read_beside;
use super::filters::Filter;
use super::no_answer::NoAnswer;
use super::not_found::{Missing, NameKind, Why};
use super::notice::Notice;
use super::question::{Answer, Question};
use super::resolve::resolve;
use super::revision::RevisionExpr;
use super::select::{Selection, Which};
use super::tally::is_custom;

pub use crate::etcd::PlacedKey;

/// Which custom resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Custom {
    /// All.
    Any,
    /// Those with this plural, singular, kind or short name.
    Named(String),
}

/// Which keys are listed, of those that the addresses cover.
#[derive(Debug, Clone, Default)]
pub struct KeyFilters {
    /// Only keys of custom resources.
    pub custom: Option<Custom>,
    /// Only keys that match this as a whole.
    pub glob: Option<Regex>,
    /// Only keys that contain a match of this.
    pub regex: Option<Regex>,
    /// Only keys written, or deleted, after this revision.
    pub modified_since: Option<RevisionExpr>,
    /// The deleted keys instead of the live ones.
    pub deleted: bool,
    /// Whether the keys are counted by resource or namespace.
    pub counted: bool,
    /// Whether only keys in namespaces are counted.
    pub in_namespaces: bool,
}

impl KeyFilters {
    fn needs_catalog(&self) -> bool {
        self.counted || self.custom.is_some()
    }

    /// Whether an empty list needs a reason.
    fn is_given(&self) -> bool {
        self.custom.is_some()
            || self.glob.is_some()
            || self.regex.is_some()
            || self.modified_since.is_some()
            || self.deleted
            || self.in_namespaces
    }
}

/// What keys are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrder {
    /// The key.
    Key,
    /// The last put, or the deletion; the newest first.
    Modified,
    /// The creation; the newest first.
    Created,
    /// The number of puts since the creation; the largest first.
    Version,
    /// The length of the value; the largest first.
    Size,
}

impl KeyOrder {
    /// Whether deleted keys can be sorted so: a deletion has no create_revision, no version and no value.
    fn is_of_deletions(self) -> bool {
        matches!(self, Self::Key | Self::Modified)
    }

    /// Checks that the keys can be sorted so.
    ///
    /// # Errors
    /// If they are deleted keys, and deletions have nothing to sort by.
    pub fn check(self, deleted: bool) -> Result<(), NoAnswer> {
        if deleted && !self.is_of_deletions() {
            return Err(NoAnswer::OrderOfDeletions);
        }
        Ok(())
    }

    /// Sorts keys that are in key order; equal ones stay in it, unless all is reversed.
    pub fn sort(self, keys: &mut [PlacedKey<'_, '_>], reverse: bool) {
        let rank_of = |newest: PlacedRecord<'_>| match self {
            Self::Key => (0, 0),
            Self::Modified => (newest.revision.main, newest.revision.sub),
            Self::Created => (newest.create_revision, 0),
            Self::Version => (newest.version, 0),
            Self::Size => (i64::try_from(newest.value_bytes).unwrap_or(i64::MAX), 0),
        };
        let rank = |key: &PlacedKey<'_, '_>| key.newest().map(rank_of);
        if self != Self::Key {
            keys.sort_by_key(|key| Reverse(rank(key)));
        }
        if reverse {
            keys.reverse();
        }
    }
}

/// The keys as of a revision that the addresses cover.
#[derive(Debug)]
pub struct KeyList<'q, 'a> {
    question: &'q Question<'a>,
    filters: &'q KeyFilters,
    at: AtRevision,
    selection: Selection,
    keyspace: PlacedKeyspace<'a>,
    /// The resources of the store, if a filter or the counts need them.
    catalog: Option<Catalog>,
    /// The newest record that is not after [`KeyFilters::modified_since`].
    since: Option<Revision>,
}

impl<'q, 'a> KeyList<'q, 'a> {
    /// Reads the keys.
    ///
    /// # Errors
    /// If an address cannot be understood, no custom resource has the name, or the revision is not of this store.
    pub fn read(
        question: &'q Question<'a>,
        which: &Which,
        at: AtRevision,
        filters: &'q KeyFilters,
    ) -> Result<Self, NoAnswer> {
        let store = question.store();
        let selection = which.select(&[(store, at)], question.keyring())?;
        let (keyspace, catalog) = keyspace_and_catalog(question, at, &selection, filters);
        if let (Some(Custom::Named(name)), Some(catalog)) = (&filters.custom, &catalog) {
            check_custom(name, catalog)?;
        }
        let since = filters.modified_since;
        let since = since.map(|revision| newest_not_after(revision, question, which));
        let since = since.transpose()?;
        Ok(Self {
            question,
            filters,
            at,
            keyspace,
            selection,
            catalog,
            since,
        })
    }

    /// The resources of the store, if the keys are counted.
    pub fn catalog(&self) -> Option<&Catalog> {
        self.catalog.as_ref().filter(|_| self.filters.counted)
    }

    fn keys(&self) -> &KeyPlaces<'a> {
        if self.filters.deleted {
            &self.keyspace.deleted
        } else {
            &self.keyspace.live
        }
    }

    /// The keys that pass the filters, in key order. Objects whose labels cannot be read are reported.
    pub fn chosen(&self) -> Vec<PlacedKey<'_, 'a>> {
        let (objects, filters) = (self.question.objects(), self.question.filters());
        let last_puts = self.last_puts();
        let (mut chosen, mut without_put) = (Vec::new(), 0_usize);
        for entry in self.keys().placed().filter(|entry| self.passes(entry)) {
            let Some(labels) = self.selection.labels() else {
                chosen.push(entry);
                continue;
            };
            let record = match &last_puts {
                None => entry.newest().and_then(|newest| newest.record()),
                Some(puts) => {
                    let put = puts.get(entry.key()).copied();
                    without_put = without_put.saturating_add(usize::from(put.is_none()));
                    put
                }
            };
            let Some(record) = record else { continue };
            if filters.test(Filter("-l"), objects.has_labels(&record, labels)) {
                chosen.push(entry);
            }
        }
        if without_put > 0 {
            let notices = self.question.notices();
            notices.add(Notice::WithoutPut(without_put));
        }
        chosen
    }

    /// Whether a key passes the filters that look at keys and revisions.
    fn passes(&self, entry: &PlacedKey<'_, '_>) -> bool {
        let filters = self.question.filters();
        let KeyFilters {
            glob,
            regex,
            custom,
            ..
        } = self.filters;
        let key = entry.key();
        self.since.is_none_or(|since| {
            let is_later = entry.newest().is_some_and(|newest| newest.revision > since);
            filters.test(Filter("--modified-since"), is_later)
        }) && glob
            .as_ref()
            .is_none_or(|glob| filters.test(Filter("--match"), glob.is_match(key)))
            && regex
                .as_ref()
                .is_none_or(|regex| filters.test(Filter("--regex"), regex.is_match(key)))
            && custom
                .as_ref()
                .is_none_or(|custom| filters.test(Filter("--custom"), self.is_of(custom, key)))
    }

    /// Whether a key is of a custom resource.
    fn is_of(&self, custom: &Custom, key: &[u8]) -> bool {
        let location = self.catalog.as_ref().and_then(|all| all.locate(key));
        location.is_some_and(|location| {
            is_custom(location.resource)
                && match custom {
                    Custom::Any => true,
                    Custom::Named(name) => is_named(location.resource, name),
                }
        })
    }

    /// The last put of each deleted key, if labels are asked for: a deletion has none.
    fn last_puts(&self) -> Option<FastMap<Box<[u8]>, Record<'a>>> {
        if !self.filters.deleted || self.selection.labels().is_none() {
            return None;
        }
        let keys = self.keys();
        let mut puts: FastMap<Box<[u8]>, Record<'a>> = FastMap::default();
        for record in self.question.store().records(Direction::Forward) {
            if record.revision.main <= self.at.0 && !record.tombstone && keys.has(record.key) {
                puts.insert(record.key.into(), record);
            }
        }
        Some(puts)
    }

    /// Ends the list, whose keys or counts were `any` or none.
    ///
    /// # Errors
    /// If an address matches nothing, or filters left nothing: why.
    pub fn finish(&self, any: bool) -> Result<Answer, NoAnswer> {
        let question = self.question;
        question.note_unproved_of(self.at, &self.keyspace.live);
        if self.filters.deleted {
            question.note_compacted(&|key| self.selection.covers(key), None);
        }
        let covers_one =
            |address: &Address, keys: &KeyPlaces<'_>| keys.keys().any(|key| address.covers(key));
        let is_there = |address: &Address| covers_one(address, self.keys());
        if self.filters.deleted
            && let Some(address) = self.selection.unanswered(is_there)
            && covers_one(address, &self.keyspace.live)
        {
            return Err(NoAnswer::NotDeleted(Box::new(address.clone())));
        }
        let is_empty = self.keys().is_empty();
        let why = self
            .selection
            .why_empty(question, self.at, is_there, is_empty);
        let is_narrowed = self.selection.labels().is_some() || self.filters.is_given();
        match why {
            Some(why) => Err(why),
            None if any || !is_narrowed => Ok(question.finish(Answer::Yes)),
            None => Err(self.why_none_passes()),
        }
    }

    /// Nothing is left of what the addresses cover: why.
    fn why_none_passes(&self) -> NoAnswer {
        self.question.emptied().unwrap_or(if self.filters.deleted {
            NoAnswer::NoDeletions
        } else {
            NoAnswer::NotInNamespaces
        })
    }
}

/// The keys that the addresses cover, and the resources of the store if they are needed, by one pass.
fn keyspace_and_catalog<'a>(
    question: &Question<'a>,
    at: AtRevision,
    selection: &Selection,
    filters: &KeyFilters,
) -> (PlacedKeyspace<'a>, Option<Catalog>) {
    let (store, covers) = (question.store(), |key: &[u8]| selection.covers(key));
    if !filters.needs_catalog() {
        return (PlacedKeyspace::at(store, at, covers), None);
    }
    let (keyspace, catalog) = read_beside(store, at, question.keyring(), |also| {
        PlacedKeyspace::at_and(store, at, covers, also)
    });
    (keyspace, Some(catalog))
}

/// The newest record that counts as not after a revision. Compaction does not matter: of a live key the last
/// record is always retained.
fn newest_not_after(
    revision: RevisionExpr,
    question: &Question<'_>,
    which: &Which,
) -> Result<Revision, NoAnswer> {
    let store = question.store();
    let current = store.current_revision();
    let (main, sub) = match revision {
        RevisionExpr::Main(main) => (main, i64::MAX),
        RevisionExpr::Record(main, sub) => (main, sub),
        RevisionExpr::Head(back) => (current.saturating_sub(back), i64::MAX),
        _ => (resolve(revision, question, which)?.0, i64::MAX),
    };
    if main > current {
        store.at(Some(main))?;
    }
    Ok(Revision { main, sub })
}

fn is_named(resource: &Resource, name: &str) -> bool {
    let (word, group) = name.split_once('.').unwrap_or((name, ""));
    resource.is_called(word) && (group.is_empty() || resource.group() == group)
}

/// Checks that a custom resource has this name.
fn check_custom(name: &str, catalog: &Catalog) -> Result<(), NoAnswer> {
    let custom = || catalog.resources().iter().filter(|known| is_custom(known));
    if custom().any(|resource| is_named(resource, name)) {
        return Ok(());
    }
    let names: Vec<String> = custom().map(Resource::plural_with_group).collect();
    let why = Why::Unknown {
        kind: NameKind::CustomResource,
        names: vec![name.to_owned()],
        near: near(name, names.iter().map(String::as_str)),
    };
    Err(Missing { address: None, why }.into())
}
