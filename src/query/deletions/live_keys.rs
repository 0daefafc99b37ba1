//! What exists of what was asked for, as far as a recovery reports it.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::etcd::Record;
use crate::k8s::catalog::{Location, Namespace};

/// The keys that exist at the newest revision.
#[derive(Debug, Default)]
pub struct LiveKeys<'a> {
    /// How many objects each namespace has.
    inside: HashMap<Namespace, usize>,
    /// The namespaces whose own objects are among the keys.
    namespaces: HashSet<Namespace>,
    /// The newest puts of the keys whose object has a deletion timestamp.
    pub terminating: MarkedRecords<'a>,
}

/// The newest record of each key whose object has a deletion timestamp.
pub type MarkedRecords<'a> = BTreeMap<Box<[u8]>, Record<'a>>;

impl<'a> LiveKeys<'a> {
    /// Adds a key, which has this location. The newest put of a terminating one is added to `terminating`.
    pub fn add(&mut self, location: Option<&Location<'_, '_>>) {
        let Some(location) = location else {
            return;
        };
        if let Some(namespace) = location.namespace_of() {
            let count = self.inside.entry(namespace).or_default();
            *count = count.saturating_add(1);
        } else {
            self.namespaces.extend(location.as_namespace());
        }
    }

    /// The number of keys in a namespace. 0 if only its Namespace object is one of the keys. None if neither is.
    pub fn count_in(&self, namespace: &Namespace) -> Option<usize> {
        let count = self.inside.get(namespace).copied();
        count.or_else(|| self.namespaces.contains(namespace).then_some(0))
    }
}
