//! The notices of a recovery: what happened, what is left out and why, and what is not certain.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::arrange::Arrange as _;
use crate::etcd::record::Origin;
use crate::etcd::{KeyEntry, Record};
use crate::k8s::catalog::{ClusterName, Survey};
use crate::k8s::object::text;
use crate::named::key_text;

use super::super::deletions::{Facts, Item, asked_services};
use super::super::left_out::LeftOut;
use super::super::recovery_notice::{Keys, Kinds, RecoveryNotice, Summary};
use super::super::served_version::VersionChange;
use super::events::is_configuration;
use super::{Recovery, is_default_account};

impl Recovery<'_, '_> {
    /// All of it. `has_manifests` if manifests are written.
    pub fn notices(&self, has_manifests: bool) -> Vec<RecoveryNotice> {
        let mut notices = self.namespaces();
        if has_manifests {
            notices.extend(self.before_use());
        }
        let unreadable = self.keys_if(|item| item.left_out == Some(LeftOut::Unreadable));
        notices.extend(unreadable.map(RecoveryNotice::Unreadable));
        notices.extend(self.older());
        let incomplete = keys(self.back(), is_incomplete);
        notices.extend(incomplete.map(RecoveryNotice::Incomplete));
        notices
    }

    /// What comes back and what does not.
    pub fn summary(&self) -> Summary {
        let mut by_reason: BTreeMap<LeftOut, Vec<&Item>> = BTreeMap::new();
        let mut back = Vec::new();
        for item in &self.items {
            match item.left_out {
                Some(reason) => by_reason.entry(reason).or_default().push(item),
                None => back.push(item),
            }
        }
        let by_reason = by_reason.into_iter();
        Summary {
            incomplete: back.iter().filter(|item| is_incomplete(item)).count(),
            back: kinds(&back),
            left_out: by_reason
                .map(|(reason, items)| (reason, kinds(&items)))
                .collect(),
        }
    }

    fn back(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| self.comes_back(item))
    }

    /// The keys of the items for which a claim holds; none if there are no such items.
    fn keys_if(&self, is_such: impl Fn(&Item) -> bool) -> Option<Keys> {
        keys(self.items.iter(), is_such)
    }

    /// The keys of what comes back for which a claim holds.
    fn back_if(&self, is_such: impl Fn(&Facts) -> bool) -> Option<Keys> {
        keys(self.back(), |item| {
            item.facts.as_deref().is_some_and(&is_such)
        })
    }

    /// What a user has to know before using the manifests.
    fn before_use(&self) -> Vec<RecoveryNotice> {
        let mut notices = Vec::new();
        if self.needs_two_runs() {
            notices.push(RecoveryNotice::TwoRuns);
        }
        notices.extend(self.without_definition());
        let webhooks = self.back_if(|facts| facts.is_strict_webhook);
        notices.extend(webhooks.map(RecoveryNotice::StrictWebhooks));
        notices.extend(self.asked_services());
        let claims = self.back_if(|facts| facts.common.kind == "PersistentVolumeClaim");
        let limits = self.back_if(|facts| facts.common.kind == "LimitRange");
        notices.extend(
            limits
                .filter(|_| claims.is_some())
                .map(RecoveryNotice::Limits),
        );
        let accounts = self.back_if(is_default_account);
        notices.extend(accounts.map(RecoveryNotice::DefaultAccounts));
        let not_served = self.back_if(|facts| {
            let version = facts.version.as_deref();
            matches!(
                version,
                Some(VersionChange::ByProgram(_) | VersionChange::NotServed)
            )
        });
        notices.extend(not_served.map(RecoveryNotice::NotServed));
        notices
    }

    /// Whether kubectl has to run twice: it looks for all kinds before it creates the first object.
    fn needs_two_runs(&self) -> bool {
        let any = |is_such: fn(&Facts) -> bool| self.back_if(is_such).is_some();
        any(|facts| facts.common.kind == "CustomResourceDefinition") && any(|facts| facts.is_custom)
    }

    /// Configurations of webhooks that exist and ask a service that comes back.
    fn asked_services(&self) -> Option<RecoveryNotice> {
        let services: BTreeSet<(Option<&[u8]>, &str, &str)> = self
            .back()
            .filter_map(|item| item.facts.as_deref())
            .filter(|facts| facts.common.kind == "Service" && facts.common.group.is_empty())
            .map(|facts| {
                let cluster = facts.common.cluster.as_deref();
                (cluster, facts.common.namespace.as_str(), &*facts.name)
            })
            .collect();
        if services.is_empty() {
            return None;
        }
        let (catalog, question) = (self.question.catalog(), self.question);
        let is_configuration = |key: &[u8]| is_configuration(catalog, key);
        let live = self.events.live(question, &is_configuration);
        let asks = |entry: &&KeyEntry<'_>| {
            let object = question.objects().object(&entry.record);
            let location = catalog.locate(&entry.key);
            let cluster = location.and_then(|location| location.cluster);
            let asks_one =
                |(namespace, name): (&str, &str)| services.contains(&(cluster, namespace, name));
            object.is_some_and(|object| asked_services(&object).any(asks_one))
        };
        let keys: Vec<&[u8]> = live.iter().filter(asks).map(|entry| &*entry.key).collect();
        (!keys.is_empty()).then(|| RecoveryNotice::AskedServices(Keys::new(&keys)))
    }

    /// Custom resources that come back without their definition, which was deleted.
    fn without_definition(&self) -> Option<RecoveryNotice> {
        let catalog = self.question.catalog();
        let live = self.events.live(self.question, &Survey::is_definition);
        let mut defined: BTreeSet<(ClusterName, Vec<u8>)> = live
            .iter()
            .filter_map(|entry| self.defined_by(&entry.record))
            .collect();
        let is_definition = |facts: &Facts| facts.common.kind == "CustomResourceDefinition";
        let back = self
            .back()
            .filter(|item| item.facts.as_deref().is_some_and(is_definition))
            .filter_map(|item| self.restored(item));
        defined.extend(back.filter_map(|event| self.defined_by(&event.record)));
        let definitions = RefCell::new(BTreeSet::new());
        let lacks = keys(self.back(), |item| {
            let is_custom = item.facts.as_ref().is_some_and(|facts| facts.is_custom);
            let Some(location) = catalog.locate(&item.key).filter(|_| is_custom) else {
                return false;
            };
            // Without a definition the resource is one of an aggregated API server.
            if catalog.definition_of(&location).is_none() {
                return false;
            }
            let name = location.resource.plural_with_group();
            let is_defined = |cluster: Option<&[u8]>| {
                let definition = (cluster.map(Into::into), name.clone().into_bytes());
                defined.contains(&definition)
            };
            let is_missing = !location.defining_clusters().into_iter().any(is_defined);
            if is_missing {
                definitions.borrow_mut().insert(name);
            }
            is_missing
        });
        let names = definitions.into_inner().into_iter().collect();
        lacks.map(|keys| RecoveryNotice::WithoutDefinition(names, keys))
    }

    /// The logical cluster of a definition, and the name of the resource that it defines, with its group. That of a
    /// type which is bound to an export has another name.
    fn defined_by(&self, record: &Record<'_>) -> Option<(ClusterName, Vec<u8>)> {
        let location = self.question.catalog().locate(record.key)?;
        let Some(cluster) = location.cluster else {
            return Some((None, location.name.to_vec()));
        };
        let object = self.question.objects().object(record)?;
        let plural = text(&object, &["spec", "names", "plural"]);
        let name = format!("{plural}.{}", text(&object, &["spec", "group"]));
        Some((Some(cluster.into()), name.into_bytes()))
    }

    /// Which objects may have been, or were, something else when their deletion began.
    fn older(&self) -> Vec<RecoveryNotice> {
        let mut notices = Vec::new();
        let carved = keys(self.back(), |item| {
            let origin = self.restored_place(item).map(|placed| placed.origin());
            matches!(origin, Some(Origin::Carved(_)))
        });
        if let Some(carved) = carved.filter(|_| self.at.is_none()) {
            notices.push(RecoveryNotice::FromFreedPages {
                count: carved.count,
                of: self.back().count(),
            });
        }
        let is_carved = self.filters.is_carved;
        let late = keys(self.back(), |item| item.is_late);
        notices.extend(late.map(|keys| RecoveryNotice::AfterDeletionBegan { keys, is_carved }));
        let older = keys(self.back(), |item| item.missing_after > 0);
        notices.extend(older.map(|keys| RecoveryNotice::Older { keys, is_carved }));
        if let Some(at) = self.at {
            let mut entries = Vec::new();
            for item in self.back() {
                let Some(event) = self.restored(item) else {
                    continue;
                };
                entries.push(KeyEntry {
                    key: (*item.key).into(),
                    record: event.record,
                });
            }
            self.question.note_unproved(at, &entries);
        }
        notices
    }

    fn namespaces(&self) -> Vec<RecoveryNotice> {
        let mut deletions: HashMap<(Option<&[u8]>, &str), Vec<i64>> = HashMap::new();
        for item in &self.items {
            if let (Some(facts), Some(main)) = (&item.facts, item.deleted_at) {
                let namespace = (
                    facts.common.cluster.as_deref(),
                    facts.common.namespace.as_str(),
                );
                deletions.entry(namespace).or_default().push(main);
            }
        }
        let has_several_clusters = self.question.catalog().has_several_clusters();
        let notices = self.items.iter().filter_map(|item| {
            let facts = item.facts.as_ref()?;
            let is_namespace = facts.common.kind == "Namespace" && facts.common.group.is_empty();
            let (began, _) = item.began.filter(|_| is_namespace)?;
            let last = item.deleted_at.unwrap_or(i64::MAX);
            let cluster = facts.common.cluster.as_deref();
            let inside = deletions.get(&(cluster, &*facts.name));
            let inside = inside.into_iter().flatten().copied();
            let with_it: Vec<i64> = inside
                .filter(|main| began <= *main && *main <= last)
                .collect();
            let ends = with_it.iter().min().zip(with_it.iter().max());
            Some(RecoveryNotice::NamespaceDeleted {
                cluster: cluster
                    .filter(|_| has_several_clusters)
                    .map(|cluster| key_text(cluster).into_owned()),
                name: facts.name.to_string(),
                began,
                time: self.question.timeline().bounds(began),
                objects: ends.map(|(first, last)| (with_it.len(), *first, *last)),
                deleted_at: item.deleted_at,
                is_before: !self.filters.last,
            })
        });
        notices.collect()
    }
}

/// Whether the manifest of an item lacks the names of fields.
fn is_incomplete(item: &Item) -> bool {
    !item.nameless.is_empty()
}

/// The keys of the items for which a claim holds; none if there are no such items.
fn keys<'i, 'a: 'i>(
    items: impl IntoIterator<Item = &'i Item>,
    is_such: impl Fn(&Item) -> bool,
) -> Option<Keys> {
    let items = items.into_iter().filter(|item| is_such(item));
    let keys: Vec<&[u8]> = items.map(|item| &*item.key).collect();
    (!keys.is_empty()).then(|| Keys::new(&keys))
}

fn kinds(items: &[&Item]) -> Kinds {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        let facts = item.facts.as_ref();
        let kind = facts.map_or("keys", |facts| facts.common.kind.as_str());
        let count = counts.entry(kind).or_default();
        *count = count.saturating_add(1);
    }
    let counts = counts.into_iter();
    let mut counts: Vec<(String, usize)> = counts.map(|(kind, n)| (kind.to_owned(), n)).collect();
    counts.arrange_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Kinds(counts)
}
