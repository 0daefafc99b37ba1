//! The recovery of deleted objects: which of them come back, as what, and what that leaves out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bbolt::Direction;
use crate::etcd::KeyEntry;
use crate::etcd::record::Origin;
use crate::k8s::Order;
use crate::k8s::controlled::Reason;
use crate::k8s::manifest::{Options, manifest};

use super::address::Address;
use super::catalog;
use super::deletions::{Facts, Item, ObjectHistory, Request, namespace_name, plan, sort_for_apply};
use super::filters::Filter;
use super::glob::Namespaces;
use super::no_answer::NoAnswer;
use super::notice::Notice;
use super::objects::ReadValue;
use super::question::Question;
use super::recovery_notice::{Keys, Kinds, RecoveryNotice};
use super::resolve::{only_one, resolve, resolve_events};
use super::revision::RevisionExpr;
use super::select::{Selection, Which};

pub use crate::etcd::AtRevision;
pub use crate::k8s::manifest::Note;

/// Which deleted objects are asked for.
#[derive(Debug, Clone, Default)]
pub struct RecoveryFilters {
    /// Which objects or keys, with a range of revisions among the words.
    pub which: Which,
    /// All objects that existed at this revision, instead of the deleted ones.
    pub at: Option<RevisionExpr>,
    /// The same at this time, as typed.
    pub at_time: Option<String>,
    /// Only what was deleted at this time, as typed, or later.
    pub since: Option<String>,
    /// Only what was deleted at this time, as typed, or earlier.
    pub until: Option<String>,
    /// The last version of all, instead of the last before the deletion began.
    pub last: bool,
    /// What controllers create again comes back too.
    pub controlled: bool,
    /// Whether freed pages were searched.
    pub is_carved: bool,
}

impl RecoveryFilters {
    /// Refuses flags about deletions together with the revision of an address.
    fn check(&self, own: Option<RevisionExpr>) -> Result<(), NoAnswer> {
        let flags = [
            ("--at-time", self.at_time.is_some()),
            ("--since", self.since.is_some()),
            ("--until", self.until.is_some()),
            ("--last", self.last),
        ];
        match (own, flags.iter().find(|(_, is_given)| *is_given)) {
            (Some(own), Some((flag, _))) => Err(NoAnswer::RevisionWithFlag { own, flag }),
            _ => Ok(()),
        }
    }
}

/// How manifests are made of objects.
#[derive(Debug, Clone, Copy, Default)]
pub struct ManifestOptions {
    /// Objects stay as they were stored.
    pub exact: bool,
    /// Leave out finalizers.
    pub strip_finalizers: bool,
    /// Keep the references to owners that exist.
    pub keep_owners: bool,
}

/// What an item comes back as.
#[derive(Debug)]
pub enum Content {
    /// An object, and what its manifest lacks.
    Object(Value, Vec<Note>),
    /// Anything else, as it was stored.
    Plain(Vec<u8>),
}

/// The deleted objects that were asked for.
#[derive(Debug)]
pub struct Recovery<'q, 'a> {
    question: &'q Question<'a>,
    filters: &'q RecoveryFilters,
    history: ObjectHistory,
    at: Option<AtRevision>,
    items: Vec<Item<'a>>,
}

impl<'q, 'a> Recovery<'q, 'a> {
    /// Finds the objects, in the order in which they are created again.
    ///
    /// # Errors
    /// If a revision, a time or an address cannot be understood, or no object matches: why.
    pub fn read(
        question: &'q Question<'a>,
        filters: &'q RecoveryFilters,
    ) -> Result<Self, NoAnswer> {
        let store = question.store();
        let (which, range) = filters.which.split_range()?;
        let (which, own) = which.split_revision(store)?;
        filters.check(own)?;
        let at = match (only_one(own, filters.at, "--at")?, &filters.at_time) {
            (Some(at), _) => Some(resolve(at, question, &which)?),
            (None, Some(time)) => Some(question.revision_at(time)?),
            (None, None) => None,
        };
        let head = store.at(None)?;
        let selection = which.select(&[(store, head)], question.keyring())?;
        let catalog = catalog::read_full(&[(store, head)], question.keyring());
        let history = ObjectHistory::read(store, question.keyring(), &catalog);
        let namespaces = which.namespaces().filter(|_| which.words().is_empty());
        let wanted = |key: &[u8]| {
            let is_one_of = |namespaces: &Namespaces| {
                let name = namespace_name(key, &catalog);
                name.is_some_and(|name| namespaces.matches(name))
            };
            selection.covers(key) || namespaces.as_ref().is_some_and(is_one_of)
        };
        let request = Request {
            wanted: &wanted,
            last: filters.last,
            at,
        };
        let items = plan(store, &request, &catalog, question.objects(), &history);
        let (from, to) = resolve_events(range, None, question, &which)?;
        let is_unknown =
            items.is_empty() || (which.words().is_empty() && which.namespaces().is_some());
        let mut recovery = Self {
            question,
            filters,
            history,
            at,
            items,
        };
        recovery.narrow((from.0, to.0), &selection)?;
        sort_for_apply(&mut recovery.items);
        if from.0 < store.compact_revision() {
            question.note_compacted(&|key| wanted(key), None);
        }
        if recovery.items.is_empty() {
            return Err(recovery.why_none(&selection, head, is_unknown));
        }
        Ok(recovery)
    }

    /// Leaves what was deleted in the range and the time, and has the labels.
    fn narrow(&mut self, (after, to): (i64, i64), selection: &Selection) -> Result<(), NoAnswer> {
        let (question, asked) = (self.question, self.filters);
        let filters = question.filters();
        let timeline = question.timeline();
        let (since, until) = timeline.range(asked.since.as_ref(), asked.until.as_ref())?;
        let has_times = asked.since.is_some() || asked.until.is_some();
        let is_narrowed = after > 0 || to != i64::MAX || has_times;
        if self.at.is_none() && is_narrowed {
            self.items.retain(|item| {
                let is = |test: &dyn Fn(i64) -> bool| item.deleted_at.is_some_and(test);
                filters.test(Filter("A..B"), is(&|main| main > after && main <= to))
                    && filters.test(Filter("--since"), is(&|main| main >= since))
                    && filters.test(Filter("--until"), is(&|main| main <= until))
            });
        }
        if let Some(labels) = selection.labels() {
            self.items.retain(|item| {
                let record = item.restored.map_or(item.last, |event| event.record);
                let has_labels = question.objects().has_labels(&record, labels);
                filters.test(Filter("-l"), has_labels)
            });
        }
        Ok(())
    }

    fn why_none(&self, selection: &Selection, head: AtRevision, is_unknown: bool) -> NoAnswer {
        // A name that exists, and was not deleted, is no reason.
        let is_known = |address: &Address| {
            let mut records = self.question.store().records(Direction::Forward);
            records.any(|record| address.covers(record.key))
        };
        let why = selection.why_empty(self.question, head, is_known, is_unknown);
        why.or_else(|| self.question.emptied())
            .unwrap_or(if self.at.is_some() {
                NoAnswer::NoObjectsAtRevision
            } else {
                NoAnswer::NoDeletedObjects
            })
    }

    /// The question.
    pub fn question(&self) -> &'q Question<'a> {
        self.question
    }

    /// The objects, in the order in which they are created again.
    pub fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    /// The revision whose objects come back, instead of the deleted ones.
    pub fn at(&self) -> Option<AtRevision> {
        self.at
    }

    /// Whether an item is to be brought back.
    pub fn is_wanted(&self, item: &Item<'_>) -> bool {
        let reason = item.facts.as_ref().and_then(|facts| facts.reason);
        item.restored.is_some() && (self.filters.controlled || reason.is_none())
    }

    /// Whether an item is brought back: what cannot be read is not.
    pub fn comes_back(&self, item: &Item<'_>) -> bool {
        self.is_wanted(item) && item.unreadable.is_none()
    }

    /// What an item comes back as. None if its value is still encrypted or cannot be decoded.
    pub fn content(&self, item: &Item<'_>, options: ManifestOptions) -> Option<Content> {
        let record = item.restored?.record;
        let objects = self.question.objects();
        match objects.read(&record, Order::Declared.into()) {
            ReadValue::Object(tree, _) if options.exact => Some(Content::Object(tree, Vec::new())),
            ReadValue::Object(tree, _) => {
                let options = Options {
                    strip_finalizers: options.strip_finalizers,
                    keeps_status: item.facts.as_ref().is_some_and(|facts| facts.keeps_status),
                    keeps_owner: &|uid| options.keep_owners && self.history.lives(uid),
                };
                let (tree, notes) = manifest(tree, options);
                Some(Content::Object(tree, notes))
            }
            ReadValue::Plain => Some(Content::Plain(self.stored(item)?)),
            ReadValue::Encrypted(error) => {
                objects.report_closed(&record, &error);
                None
            }
            ReadValue::Undecodable(_) => None,
        }
    }

    /// Reports an item whose manifest would not load back; its value as it was stored, decrypted.
    pub fn not_loadable(&self, item: &Item<'_>, error: &impl ToString) -> Option<Vec<u8>> {
        let record = item.restored?.record;
        self.question.objects().report_unreadable(&record, error);
        self.stored(item)
    }

    /// The value of an item as it was stored, decrypted.
    fn stored(&self, item: &Item<'_>) -> Option<Vec<u8>> {
        let record = item.restored?.record;
        let value = self.question.objects().open(&record).ok()?;
        Some(value.into_owned())
    }

    /// What happened, what is left out and why, and what is not certain. `has_manifests` if manifests are written.
    pub fn notices(&self, has_manifests: bool) -> Vec<Notice> {
        let mut notices = self.namespaces();
        notices.extend(self.left_out());
        if has_manifests && self.needs_two_runs() {
            notices.push(RecoveryNotice::TwoRuns);
        }
        let items = &self.items;
        let late: Vec<_> = items
            .iter()
            .filter(|item| item.restored.is_none())
            .collect();
        if !late.is_empty() {
            notices.push(RecoveryNotice::CreatedLate(kinds(&late)));
        }
        let unreadable = keys(items, |item| item.unreadable.is_some());
        notices.extend(unreadable.map(RecoveryNotice::Unreadable));
        notices.extend(self.older());
        notices.into_iter().map(Notice::Recovery).collect()
    }

    /// Which objects may have been, or were, something else when their deletion began.
    fn older(&self) -> Vec<RecoveryNotice> {
        let back: Vec<&Item<'_>> = self
            .items
            .iter()
            .filter(|item| self.comes_back(item))
            .collect();
        let keys_if = |is_older: fn(&Item<'_>) -> bool| keys(back.iter().copied(), is_older);
        let mut notices = Vec::new();
        let carved = keys_if(|item| {
            let origin = item.restored.map(|event| event.record.origin);
            matches!(origin, Some(Origin::Carved(_)))
        });
        if let Some(carved) = carved.filter(|_| self.at.is_none()) {
            notices.push(RecoveryNotice::FromFreedPages {
                count: carved.count,
                of: back.len(),
            });
        }
        let is_carved = self.filters.is_carved;
        let late = keys_if(|item| item.is_late);
        notices.extend(late.map(|keys| RecoveryNotice::AfterDeletionBegan { keys, is_carved }));
        let older = keys_if(|item| item.missing_behind > 0);
        notices.extend(older.map(RecoveryNotice::Older));
        if let Some(at) = self.at {
            let entry = |item: &&Item<'a>| {
                Some(KeyEntry {
                    key: item.key.into(),
                    record: item.restored?.record,
                })
            };
            let comes_back = |item: &&Item<'a>| self.comes_back(item);
            let entries: Vec<KeyEntry<'_>> = self
                .items
                .iter()
                .filter(comes_back)
                .filter_map(|item| entry(&item))
                .collect();
            self.question.note_unproved(at, &entries);
        }
        notices
    }

    /// Whether `kubectl apply` has to run twice: it looks for all kinds before it creates the first object.
    fn needs_two_runs(&self) -> bool {
        let any = |is_such: fn(&Facts) -> bool| {
            let mut back = self.items.iter().filter(|item| self.comes_back(item));
            back.any(|item| item.facts.as_ref().is_some_and(is_such))
        };
        any(|facts| facts.kind == "CustomResourceDefinition") && any(|facts| facts.is_custom)
    }

    fn namespaces(&self) -> Vec<RecoveryNotice> {
        let notices = self.items.iter().filter_map(|item| {
            let facts = item.facts.as_ref()?;
            let is_namespace = facts.kind == "Namespace" && facts.group.is_empty();
            let (began, _) = item.began.filter(|_| is_namespace)?;
            let is_inside = |other: &&Item<'_>| {
                let other = other.facts.as_ref();
                other.is_some_and(|other| other.namespace == facts.name)
            };
            let inside = || self.items.iter().filter(is_inside);
            let deleted = || inside().filter_map(|other| other.deleted_at);
            let ends = deleted().min().zip(deleted().max());
            Some(RecoveryNotice::NamespaceDeleted {
                name: facts.name.clone(),
                began,
                time: self.question.timeline().bounds(began),
                objects: ends.map(|(first, last)| (inside().count(), first, last)),
                deleted_at: item.deleted_at,
                is_before: !self.filters.last,
            })
        });
        notices.collect()
    }

    fn left_out(&self) -> Option<RecoveryNotice> {
        let mut by_reason: BTreeMap<Reason, Vec<&Item<'_>>> = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.restored.is_some()) {
            if let Some(reason) = item.facts.as_ref().and_then(|facts| facts.reason) {
                by_reason.entry(reason).or_default().push(item);
            }
        }
        if self.filters.controlled || by_reason.is_empty() {
            return None;
        }
        let by_reason = by_reason.into_iter();
        let by_reason = by_reason.map(|(reason, items)| (reason, kinds(&items)));
        Some(RecoveryNotice::LeftOut(by_reason.collect()))
    }
}

/// The keys of the items for which a claim holds; none if there are no such items.
fn keys<'i, 'a: 'i>(
    items: impl IntoIterator<Item = &'i Item<'a>>,
    is_such: impl Fn(&Item<'_>) -> bool,
) -> Option<Keys> {
    let items = items.into_iter().filter(|item| is_such(item));
    let keys: Vec<&[u8]> = items.map(|item| item.key).collect();
    (!keys.is_empty()).then(|| Keys::new(&keys))
}

fn kinds(items: &[&Item<'_>]) -> Kinds {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        let facts = item.facts.as_ref();
        let kind = facts.map_or("keys", |facts| facts.kind.as_str());
        let count = counts.entry(kind).or_default();
        *count = count.saturating_add(1);
    }
    let counts = counts.into_iter();
    let mut counts: Vec<(String, usize)> = counts.map(|(kind, n)| (kind.to_owned(), n)).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Kinds(counts)
}
