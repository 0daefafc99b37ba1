//! Which objects a verb is asked about: the arguments that all verbs share, and what they select.

use std::ffi::OsString;

use crate::bbolt::Direction;
use crate::etcd::{AtRevision, Store};
use crate::k8s::catalog::Catalog;
use crate::k8s::encrypt::Keyring;
use crate::k8s::selector::LabelSelector;
use crate::query::{NoAnswer, Question, catalog};
use crate::view::human::first_of;
use crate::view::record::key_text;

use super::failure::Failure;
use crate::query::address::{Address, ObjectSet};
use crate::query::revision::RangeExpr;

/// Which objects or keys.
#[derive(Debug, Clone, clap::Args)]
pub struct Where {
    /// `pods`, `pods web-1`, `pod/web-1`, `deploy.apps`, `pods,services`; or a key `/registry/...`, a
    /// prefix ending in `/`
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<OsString>,
    /// Only objects in this namespace
    #[arg(short, long, value_name = "NS")]
    namespace: Option<String>,
    /// Objects in all namespaces, which is so unless one is named; it comes before -n
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only objects with these labels: `app=web,tier!=db,env in (a,b),!canary`
    #[arg(short = 'l', long = "selector", value_name = "SELECTOR", value_parser = LabelSelector::parse)]
    labels: Option<LabelSelector>,
}

impl Where {
    /// The addresses of a verb that has arguments of its own for them.
    pub fn of(addresses: Vec<OsString>, namespace: Option<String>) -> Self {
        Self {
            addresses,
            namespace,
            all_namespaces: false,
            labels: None,
        }
    }

    /// The same with one word more in front, of a verb whose own word turned out to be an address.
    #[must_use]
    pub fn with_first(&self, word: OsString) -> Self {
        let mut which = self.clone();
        which.addresses.insert(0, word);
        which
    }

    /// The words as they were typed.
    pub fn words(&self) -> &[OsString] {
        &self.addresses
    }

    /// Whether anything narrows the answer.
    pub fn is_given(&self) -> bool {
        !self.addresses.is_empty()
            || self.namespace.is_some()
            || self.all_namespaces
            || self.labels.is_some()
    }

    /// The addresses without the range of revisions among them, and that range.
    ///
    /// # Errors
    /// When there are several ranges.
    pub fn split_range(&self) -> Result<(Self, Option<RangeExpr>), Failure> {
        let is_range = |word: &OsString| word.to_str().is_some_and(RangeExpr::looks_like_one);
        let (ranges, addresses): (Vec<_>, Vec<_>) =
            self.addresses.iter().cloned().partition(is_range);
        let rest = Self {
            addresses,
            ..self.clone()
        };
        match ranges.as_slice() {
            [] => Ok((rest, None)),
            [range] => {
                let range = range.to_string_lossy().parse().map_err(Failure::cannot)?;
                Ok((rest, Some(range)))
            }
            _ => Err(Failure::cannot("one range of revisions, A..B, is enough")),
        }
    }

    /// The number behind `-n`, where it is one: git's number of events, and no name of a namespace that
    /// anybody has.
    pub fn split_number(&self) -> (Self, Option<usize>) {
        let number = self.namespace.as_ref().and_then(|text| text.parse().ok());
        let rest = Self {
            namespace: self.namespace.clone().filter(|_| number.is_none()),
            ..self.clone()
        };
        (rest, number)
    }

    /// Whether one namespace was asked for.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|_| !self.all_namespaces)
    }

    /// Understands the words, by what is in the stores.
    ///
    /// # Errors
    /// When a word cannot be an address.
    pub fn select(
        &self,
        stores: &[(&Store<'_>, AtRevision)],
        keyring: &Keyring,
    ) -> Result<Selection, Failure> {
        let raw: Vec<Option<Address>> = self
            .addresses
            .iter()
            .map(|word| Address::surely_raw(word))
            .collect::<Result<_, _>>()?;
        if let (Some(namespace), Some(address)) = (self.namespace(), raw.iter().flatten().next()) {
            return Err(Failure::cannot(format!(
                "-n {} narrows resources, and {} is a key or a prefix of keys",
                key_text(namespace.as_bytes()),
                address.text()
            ))
            .hint("a prefix can end in the namespace: /registry/pods/NS/"));
        }
        let raw_too = raw.iter().any(Option::is_some);
        if let (Some(addresses), None) = (raw.into_iter().collect(), self.namespace()) {
            // The quick way: nothing in the store can make a difference.
            return Ok(Selection {
                addresses,
                namespace: None,
                labels: self.labels.clone(),
                catalog: None,
            });
        }
        let mut words = Words {
            catalog: catalog::read(stores, keyring),
            keyring,
            is_learnt: false,
            namespace: self.namespace(),
            stores,
        };
        if raw_too || self.addresses.is_empty() {
            words.learn();
        }
        let addresses = words.understand(&self.addresses)?;
        let namespace = self.namespace().map(str::to_owned);
        Ok(Selection {
            namespace: namespace.filter(|_| addresses.is_empty()),
            addresses,
            labels: self.labels.clone(),
            catalog: Some(words.catalog),
        })
    }
}

/// The words of a command line on their way to addresses.
struct Words<'w, 's> {
    catalog: Catalog,
    keyring: &'w Keyring,
    is_learnt: bool,
    namespace: Option<&'w str>,
    stores: &'w [(&'w Store<'s>, AtRevision)],
}

impl Words<'_, '_> {
    fn understand(&mut self, words: &[OsString]) -> Result<Vec<Address>, Failure> {
        if !self.catalog.holds_objects() {
            let raw = |word: &OsString| {
                let surely = Address::surely_raw(word)?;
                Ok(surely.unwrap_or_else(|| Address::raw(word.as_encoded_bytes().to_vec())))
            };
            return words.iter().map(raw).collect();
        }
        let mut addresses = Vec::new();
        // What the names behind a type are names of.
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
                addresses.push(Address::Objects(objects.named(name)));
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
            catalog::learn(&mut self.catalog, self.stores, self.keyring);
        }
    }

    /// The objects of types with commas between; none where one of them is no type.
    fn objects(&mut self, types: &str) -> Option<ObjectSet> {
        // A custom resource may share its name with one that only its objects tell.
        let is_builtin = |name: &str| {
            let found = self.catalog.resolve(name);
            !found.is_empty() && found.iter().all(|resource| resource.versions.is_empty())
        };
        if !types.split(',').all(is_builtin) {
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
        Some(ObjectSet::of(
            types,
            &resources,
            &self.catalog,
            self.namespace,
        ))
    }
}

/// The keys that a verb is asked about; none named means all.
#[derive(Debug, Default)]
pub struct Selection {
    addresses: Vec<Address>,
    /// Of all objects, where no address is named.
    namespace: Option<String>,
    labels: Option<LabelSelector>,
    catalog: Option<Catalog>,
}

impl Selection {
    /// Whether a key is asked about.
    pub fn covers(&self, key: &[u8]) -> bool {
        if self.addresses.is_empty() {
            return self.namespace.as_ref().is_none_or(|wanted| {
                let location = self
                    .catalog
                    .as_ref()
                    .and_then(|catalog| catalog.locate(key));
                location.is_some_and(|location| location.namespace == Some(wanted.as_bytes()))
            });
        }
        self.addresses.iter().any(|address| address.covers(key))
    }

    /// Whether one key or object is asked about, and nothing beside it.
    pub fn names_one(&self) -> bool {
        matches!(self.addresses.as_slice(), [address] if address.names_one())
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

    /// The resources of the store, where a word made it necessary to know them.
    pub fn catalog(&self) -> Option<&Catalog> {
        self.catalog.as_ref()
    }

    /// The first address that no key answers to.
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
            return Some(question.missing(address, self.catalog(), at));
        }
        if !is_empty {
            return None;
        }
        let of_namespace = || {
            let namespace = self.namespace.as_deref()?;
            question.missing_namespace(namespace, self.catalog(), at)
        };
        of_namespace().or_else(|| question.emptied())
    }

    /// The only key, live or deleted, that is asked about.
    ///
    /// # Errors
    /// When several keys are; the message names them. When none is: why.
    pub fn one_key(&self, question: &Question<'_>, at: AtRevision) -> Result<Vec<u8>, Failure> {
        /// How many are named.
        const NAMED: usize = 5;
        let [address] = self.addresses.as_slice() else {
            return Err(Failure::cannot("one object or key is needed"));
        };
        if let Address::Key(key) = address {
            return Ok(key.clone());
        }
        let mut keys = std::collections::BTreeSet::new();
        for record in question.store().records(Direction::Forward) {
            if address.covers(record.key) && !keys.contains(record.key) {
                keys.insert(record.key);
            }
        }
        match (keys.len(), keys.first()) {
            (_, None) => Err(question.missing(address, self.catalog(), at).into()),
            (1, Some(key)) => Ok(key.to_vec()),
            (count, _) => {
                let named: Vec<_> = keys.iter().map(|key| key_text(key)).collect();
                Err(Failure::cannot(format!(
                    "{} names {count} keys, and one is needed",
                    address.text()
                ))
                .hint(first_of(&named, NAMED)))
            }
        }
    }
}
