//! Which objects a question is about: words as typed, and the keys that they select.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;

use super::catalog;
use super::filters::{Filter, LeftNothing};
use super::no_answer::NoAnswer;
use super::not_found::{Missing, NameKind, Why};
use super::question::Question;
use crate::bbolt::Direction;
use crate::etcd::{AtRevision, Store};
use crate::k8s::catalog::{Catalog, KeyFolders};
use crate::k8s::encrypt::Keyring;

use super::address::{Address, ObjectSet};
use super::glob::Globs;
use super::revision::{RangeExpr, RevisionExpr, split_revision};
use super::scope::Scope;

pub use crate::k8s::selector::LabelSelector;

/// Which objects or keys, as typed.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// `pods`, `pods web-1`, `pod/web-1`; or a key, a prefix; each may end in a revision.
    pub addresses: Vec<OsString>,
    /// Names and patterns of namespaces.
    pub namespace: Vec<String>,
    /// Whether all namespaces were asked for, whatever was named.
    pub all_namespaces: bool,
    /// Names and patterns of logical clusters.
    pub clusters: Vec<String>,
    /// The labels that objects must have.
    pub labels: Option<LabelSelector>,
}

/// The names of resources that are left out.
#[derive(Debug, Clone, Default)]
pub struct Exclude {
    /// As typed.
    pub exclude: Vec<String>,
}

impl Exclude {
    /// The objects that are left out; none if no resource is named.
    ///
    /// # Errors
    /// When a word is the name of no resource.
    fn objects(
        &self,
        stores: &[(&Store<'_>, AtRevision)],
        keyring: &Keyring,
    ) -> Result<Option<ObjectSet>, NoAnswer> {
        if self.exclude.is_empty() {
            return Ok(None);
        }
        let catalog = catalog::read_full(stores, keyring);
        let mut resources = Vec::new();
        for name in &self.exclude {
            let found = catalog.resolve(name);
            if found.is_empty() {
                let why = Why::Unknown {
                    kind: NameKind::Resource,
                    names: vec![name.clone()],
                    near: catalog.near(name),
                };
                return Err(Missing { address: None, why }.into());
            }
            resources.extend(found);
        }
        let types = self.exclude.join(",");
        let scope = Scope::default();
        Ok(Some(ObjectSet::new(&types, &resources, &catalog, &scope)))
    }
}

impl Which {
    /// The addresses of a verb that has arguments of its own for them.
    pub fn new(addresses: Vec<OsString>, namespace: Vec<String>) -> Self {
        Self {
            addresses,
            namespace,
            all_namespaces: false,
            clusters: Vec::new(),
            labels: None,
        }
    }

    /// The same in these logical clusters only.
    #[must_use]
    pub fn in_clusters(self, clusters: Vec<String>) -> Self {
        Self { clusters, ..self }
    }

    /// The same with one word more in front, of a verb whose own word turned out to be an address.
    #[must_use]
    pub fn with_first(&self, word: OsString) -> Self {
        let mut which = self.clone();
        which.addresses.insert(0, word);
        which
    }

    /// The same with other words.
    #[must_use]
    pub fn with_words(&self, words: Vec<OsString>) -> Self {
        Self {
            addresses: words,
            ..self.clone()
        }
    }

    /// The words as they were typed.
    pub fn words(&self) -> &[OsString] {
        &self.addresses
    }

    /// Whether anything narrows the answer.
    pub fn is_given(&self) -> bool {
        !self.addresses.is_empty()
            || !self.namespace.is_empty()
            || self.all_namespaces
            || !self.clusters.is_empty()
            || self.labels.is_some()
    }

    /// The addresses without the range of revisions among them, and that range.
    ///
    /// # Errors
    /// When there are several ranges.
    pub fn split_range(&self) -> Result<(Self, Option<RangeExpr>), NoAnswer> {
        let is_range = |word: &OsString| word.to_str().is_some_and(RangeExpr::looks_like_one);
        let (ranges, addresses): (Vec<_>, Vec<_>) =
            self.addresses.iter().cloned().partition(is_range);
        let rest = self.with_words(addresses);
        match ranges.as_slice() {
            [] => Ok((rest, None)),
            [range] => {
                let range = range.to_string_lossy().parse();
                let range = range.map_err(NoAnswer::NotARange)?;
                Ok((rest, Some(range)))
            }
            _ => Err(NoAnswer::SeveralRanges),
        }
    }

    /// The number after `-n`, if it is one: git's number of events. Nobody has a namespace whose name is a number.
    pub fn split_number(&self) -> (Self, Option<usize>) {
        let number = |text: &String| text.parse::<usize>().ok();
        let mut rest = self.clone();
        rest.namespace.retain(|text| number(text).is_none());
        (rest, self.namespace.iter().rev().find_map(number))
    }

    /// The addresses without the revision after their `@`, and that revision. An address that exists as it was typed,
    /// the `@` included, keeps it.
    ///
    /// # Errors
    /// When two addresses have different revisions.
    pub fn split_revision(
        &self,
        store: &Store<'_>,
    ) -> Result<(Self, Option<RevisionExpr>), NoAnswer> {
        let mut splits: Vec<Option<(OsString, RevisionExpr)>> =
            self.addresses.iter().map(split_revision).collect();
        if splits.iter().all(Option::is_none) {
            return Ok((self.clone(), None));
        }
        for record in store.records(Direction::Forward) {
            for (word, split) in self.addresses.iter().zip(&mut splits) {
                if split.is_some() && is_named_by(record.key, word) {
                    *split = None;
                }
            }
        }
        let mut which = self.clone();
        let mut revision = None;
        for (word, split) in which.addresses.iter_mut().zip(splits) {
            let Some((address, own)) = split else {
                continue;
            };
            if let Some(other) = revision.filter(|other| *other != own) {
                return Err(NoAnswer::TwoAddressRevisions(other, own));
            }
            *word = address;
            revision = Some(own);
        }
        Ok((which, revision))
    }

    /// The namespaces and logical clusters that were asked for.
    pub fn scope(&self) -> Scope {
        Scope {
            namespaces: Globs::parse(&self.namespace).filter(|_| !self.all_namespaces),
            clusters: Globs::parse(&self.clusters),
        }
    }

    /// Understands the words, by what is in the stores.
    ///
    /// # Errors
    /// When a word cannot be an address.
    pub fn select(
        &self,
        stores: &[(&Store<'_>, AtRevision)],
        keyring: &Keyring,
    ) -> Result<Selection, NoAnswer> {
        let raw: Vec<Option<Address>> = self
            .addresses
            .iter()
            .map(|word| Address::surely_raw(word))
            .collect::<Result<_, _>>()?;
        let scope = self.scope();
        if let (Some((flag, names)), Some(address)) = (scope.flag(), raw.iter().flatten().next()) {
            return Err(NoAnswer::ScopeWithKey {
                flag,
                names,
                address: Box::new(address.clone()),
            });
        }
        let raw_too = raw.iter().any(Option::is_some);
        if let (Some(addresses), true) = (raw.into_iter().collect(), scope.is_all()) {
            // The quick way: nothing in the store can make a difference.
            return Ok(Selection {
                addresses,
                scope,
                labels: self.labels.clone(),
                catalog: None,
                excluded: None,
            });
        }
        let (catalog, folders) = catalog::read(stores, keyring);
        let mut words = Words {
            catalog,
            folders,
            keyring,
            is_learnt: false,
            scope: &scope,
            stores,
        };
        if raw_too || self.addresses.is_empty() || scope.clusters.is_some() {
            words.learn();
        }
        let addresses = words.understand(&self.addresses)?;
        let catalog = words.catalog;
        let is_of_all = addresses.is_empty();
        Ok(Selection {
            scope: if is_of_all { scope } else { Scope::default() },
            addresses,
            labels: self.labels.clone(),
            catalog: Some(catalog),
            excluded: None,
        })
    }
}

/// Whether a word is the whole of a key, or as the name of an object the end of one.
fn is_named_by(key: &[u8], word: &OsString) -> bool {
    if let Ok(Some(address)) = Address::surely_raw(word) {
        return address == Address::Key(key.to_vec());
    }
    let word = word.as_encoded_bytes();
    let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or(word);
    let before = key.strip_suffix(name);
    key == word || before.is_some_and(|before| before.ends_with(b"/"))
}

/// The words of a command line on their way to addresses.
struct Words<'w, 's> {
    catalog: Catalog,
    /// The folders of the keys of each store.
    folders: Vec<Arc<KeyFolders>>,
    keyring: &'w Keyring,
    is_learnt: bool,
    scope: &'w Scope,
    stores: &'w [(&'w Store<'s>, AtRevision)],
}

impl Words<'_, '_> {
    fn understand(&mut self, words: &[OsString]) -> Result<Vec<Address>, NoAnswer> {
        if !self.catalog.holds_objects() {
            let raw = |word: &OsString| {
                let surely = Address::surely_raw(word)?;
                Ok(surely.unwrap_or_else(|| Address::raw(word.as_encoded_bytes().to_vec())))
            };
            return words.iter().map(raw).collect();
        }
        let mut addresses = Vec::new();
        // What the names after a type are names of.
        let mut of_type: Option<ObjectSet> = None;
        let mut named = false;
        for word in words {
            if let Some(raw) = Address::surely_raw(word)? {
                addresses.push(raw);
                continue;
            }
            let text = word.to_string_lossy();
            if let Some((types, name)) = text.split_once('/')
                && let Some(objects) = self.objects(types)
                && !name.is_empty()
            {
                let in_namespace = name.split_once('/');
                let in_namespace = in_namespace.filter(|_| self.scope.namespaces.is_none());
                let objects = match in_namespace {
                    // As a table on a terminal has it: `secret/shop/a`.
                    Some((namespace, name)) if objects.is_namespaced() && !name.is_empty() => {
                        objects.in_namespace(namespace).named(name)
                    }
                    _ => objects.named(name),
                };
                addresses.push(Address::Objects(objects));
            } else if let Some(objects) = &of_type {
                addresses.push(Address::Objects(objects.named(&text)));
                named = true;
            } else if let Some(objects) = self.objects(&text) {
                of_type = Some(objects);
            } else {
                addresses.push(Address::raw(word.as_encoded_bytes().to_vec()));
            }
        }
        if let Some(objects) = of_type.filter(|_| !named) {
            addresses.push(Address::Objects(objects));
        }
        Ok(addresses)
    }

    fn learn(&mut self) {
        if !std::mem::replace(&mut self.is_learnt, true) {
            catalog::learn(&mut self.catalog, &self.folders, self.stores, self.keyring);
        }
    }

    /// The objects of types with commas between; none where one of them is no type.
    fn objects(&mut self, types: &str) -> Option<ObjectSet> {
        // A custom resource may share its name with one that is known only from its objects.
        let is_builtin = |name: &str| {
            let found = self.catalog.resolve(name);
            !found.is_empty() && found.iter().all(|resource| resource.versions.is_empty())
        };
        if self.catalog.has_other_layout() || !types.split(',').all(is_builtin) {
            self.learn();
        }
        let mut resources = Vec::new();
        for name in types.split(',') {
            let found = self.catalog.resolve(name);
            if found.is_empty() {
                return None;
            }
            resources.extend(found);
        }
        Some(ObjectSet::new(types, &resources, &self.catalog, self.scope))
    }
}

/// The keys that a verb is asked about; none named means all.
#[derive(Debug, Default)]
pub struct Selection {
    addresses: Vec<Address>,
    /// Where all objects have to be, if no address is named.
    scope: Scope,
    labels: Option<LabelSelector>,
    catalog: Option<Catalog>,
    /// What is left out of them.
    excluded: Option<ObjectSet>,
}

impl Selection {
    /// The same without some resources.
    ///
    /// # Errors
    /// When a word is the name of no resource.
    pub fn without(
        mut self,
        exclude: &Exclude,
        stores: &[(&Store<'_>, AtRevision)],
        keyring: &Keyring,
    ) -> Result<Self, NoAnswer> {
        self.excluded = exclude.objects(stores, keyring)?;
        Ok(self)
    }

    /// Whether a key is of a resource that is left out.
    pub fn leaves_out(&self, key: &[u8]) -> bool {
        let covers = |excluded: &ObjectSet| excluded.place_of(key).is_some();
        self.excluded.as_ref().is_some_and(covers)
    }

    /// Whether a key is asked about.
    pub fn covers(&self, key: &[u8]) -> bool {
        if self.leaves_out(key) {
            return false;
        }
        if self.addresses.is_empty() {
            if self.scope.is_all() {
                return true;
            }
            let catalog = self.catalog.as_ref();
            let location = catalog.and_then(|catalog| catalog.locate(key));
            return location
                .is_some_and(|location| self.scope.covers(location.cluster, location.namespace));
        }
        self.addresses.iter().any(|address| address.covers(key))
    }

    /// Whether one key or object is asked about, and nothing beside it.
    pub fn names_one(&self) -> bool {
        matches!(self.addresses.as_slice(), [address] if address.names_one())
    }

    /// Whether namespaces are asked about by the name that they have in OpenShift, and nothing beside them.
    pub fn names_projects(&self) -> bool {
        let are_projects = |address: &Address| match address {
            Address::Objects(objects) => matches!(objects.types.as_str(), "project" | "projects"),
            _ => false,
        };
        !self.addresses.is_empty() && self.addresses.iter().all(are_projects)
    }

    /// Whether nothing but raw keys and prefixes is asked about.
    pub fn is_raw(&self) -> bool {
        let raw = |address: &Address| !matches!(address, Address::Objects(_));
        !self.addresses.is_empty() && self.addresses.iter().all(raw)
    }

    /// Which objects, by their labels; [`Self::covers`] does not look at them.
    pub fn labels(&self) -> Option<&LabelSelector> {
        self.labels.as_ref()
    }

    /// The place of a key in the order in which types and keys were asked for.
    pub fn place_of(&self, key: &[u8]) -> (usize, usize) {
        let mut places = self.addresses.iter().enumerate();
        places
            .find_map(|(index, address)| Some((index, address.place_of(key)?)))
            .unwrap_or_default()
    }

    /// The addresses.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The resources of the store. None if no address needed them.
    pub fn catalog(&self) -> Option<&Catalog> {
        self.catalog.as_ref()
    }

    /// The first address that matches no key.
    pub fn unanswered(&self, mut is_there: impl FnMut(&Address) -> bool) -> Option<&Address> {
        self.addresses.iter().find(|address| !is_there(address))
    }

    /// Why nothing, or nothing of one address, is in the answer: an unknown name, a deletion, a filter that left
    /// nothing. None if every address matches something, and no filter left nothing.
    pub fn why_empty(
        &self,
        question: &Question<'_>,
        at: AtRevision,
        mut is_there: impl FnMut(&Address) -> bool,
        is_empty: bool,
    ) -> Option<NoAnswer> {
        if let Some(address) = self.unanswered(&mut is_there) {
            let excluded = self.excluded_keys(address, question);
            if excluded > 0 {
                return Some(NoAnswer::Emptied(LeftNothing {
                    filter: Filter("--exclude"),
                    of: excluded,
                }));
            }
            return Some(question.missing(address, self.catalog(), at));
        }
        if !is_empty {
            return None;
        }
        let missing = question.missing_scope(&self.scope, self.catalog(), at);
        missing.or_else(|| question.emptied())
    }

    /// How many keys of an address are left out because their resource is excluded.
    fn excluded_keys(&self, address: &Address, question: &Question<'_>) -> usize {
        if self.excluded.is_none() {
            return 0;
        }
        let records = question.store().records(Direction::Forward);
        let is_excluded = |key: &[u8]| address.covers(key) && self.leaves_out(key);
        let keys: BTreeSet<&[u8]> = records
            .map(|record| record.key)
            .filter(|key| is_excluded(key))
            .collect();
        keys.len()
    }

    /// The only key, live or deleted, that is asked about.
    ///
    /// # Errors
    /// When several keys are; the message names them. When none is: why.
    pub fn one_key(&self, question: &Question<'_>, at: AtRevision) -> Result<Vec<u8>, NoAnswer> {
        /// How many are named.
        const NAMED: usize = 6;
        let [address] = self.addresses.as_slice() else {
            return Err(NoAnswer::OneNeeded);
        };
        if let Address::Key(key) = address {
            return Ok(key.clone());
        }
        let mut keys = BTreeSet::new();
        for record in question.store().records(Direction::Forward) {
            if address.covers(record.key) && !keys.contains(record.key) {
                keys.insert(record.key);
            }
        }
        match (keys.len(), keys.first()) {
            (_, None) => Err(question.missing(address, self.catalog(), at)),
            (1, Some(key)) => Ok(key.to_vec()),
            (count, _) => Err(NoAnswer::SeveralKeys {
                address: Box::new(address.clone()),
                count,
                keys: keys.iter().take(NAMED).map(|key| (*key).into()).collect(),
            }),
        }
    }
}
