//! What records are grouped by.

use crate::etcd::Record;
use crate::k8s::blame::is_manager_name;
use crate::k8s::catalog::Catalog;
use crate::k8s::encrypt::Keyring;
use crate::k8s::meta::Meta;

use crate::query::tally::{Named, Prefixes, resource_of};

/// What rows are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceBy {
    /// The resource; the prefix of keys in a store without Kubernetes.
    Resource,
    /// The namespace.
    Namespace,
    /// The API group.
    Group,
    /// The first parts of the key.
    Prefix,
    /// The key.
    Key,
    /// The field manager that wrote a version last.
    Manager,
    /// The bucket.
    Bucket,
}

/// What the records of a row have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// A resource: its plural with its API group.
    Resource(String),
    /// The folder of keys of no known resource, or the first parts of keys. It ends in a slash, unless it is a key.
    Prefix(Vec<u8>),
    /// A namespace.
    Namespace {
        /// Its logical cluster, in a store with more than one.
        cluster: Option<Vec<u8>>,
        /// Its name.
        name: Vec<u8>,
    },
    /// Objects that are in no namespace.
    ClusterScoped,
    /// An API group; empty for the core group.
    ApiGroup(String),
    /// Keys of no known resource.
    NoObject,
    /// A key.
    Key(Box<[u8]>),
    /// A field manager.
    Manager(String),
    /// Versions without managedFields.
    NoManager,
    /// Events whose writer is not known: without managedFields, or the version before is not retained.
    UnknownManager,
    /// Versions that are still encrypted.
    Encrypted,
    /// Tombstones. They have no managedFields.
    Deletions,
    /// Records that often fill a store; what they are called.
    Usual(&'static str),
    /// The rows that a limit left out; how many they are.
    Rest(usize),
    /// All rows.
    Total,
}

/// How keys are grouped.
#[derive(Debug)]
pub struct Grouping<'c> {
    by: SpaceBy,
    depth: usize,
    catalog: &'c Catalog,
    /// The prefixes of keys, in a store without Kubernetes.
    prefixes: Option<Prefixes>,
}

impl<'c> Grouping<'c> {
    /// A grouping of the keys of a store. `depth` is how many parts a prefix has with [`SpaceBy::Prefix`].
    pub fn new<'k>(
        by: SpaceBy,
        depth: usize,
        catalog: &'c Catalog,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> Self {
        let prefixes = || Prefixes::new(keys);
        Self {
            by,
            depth,
            catalog,
            prefixes: (!catalog.holds_objects()).then(prefixes),
        }
    }

    /// The group of a key. The manager and the bucket are not known from a key: the resource takes their place.
    pub fn group_of(&self, key: &[u8]) -> Group {
        match self.by {
            SpaceBy::Namespace => self.namespace_of(key),
            SpaceBy::Group => match self.catalog.locate(key) {
                Some(location) => Group::ApiGroup(location.resource.group().to_owned()),
                None => Group::NoObject,
            },
            SpaceBy::Prefix => Group::Prefix(first_parts(key, self.depth).to_vec()),
            SpaceBy::Key => Group::Key(key.into()),
            SpaceBy::Resource | SpaceBy::Manager | SpaceBy::Bucket => self.resource_of(key),
        }
    }

    /// The resource of a key; its prefix in a store without Kubernetes.
    fn resource_of(&self, key: &[u8]) -> Group {
        if let Some(prefixes) = &self.prefixes {
            return Group::Prefix(prefixes.prefix_of(key).to_vec());
        }
        match resource_of(key, self.catalog) {
            Named::Resource { name, .. } => Group::Resource(name),
            Named::Folder(folder) => Group::Prefix(folder),
            Named::Namespace { cluster, name } => Group::Namespace { cluster, name },
        }
    }

    /// The namespace of a key, with its logical cluster if the store has several.
    fn namespace_of(&self, key: &[u8]) -> Group {
        let Some(location) = self.catalog.locate(key) else {
            return Group::NoObject;
        };
        let cluster = location
            .cluster
            .filter(|_| self.catalog.has_several_clusters());
        match location.namespace {
            Some(name) => Group::Namespace {
                cluster: cluster.map(<[u8]>::to_vec),
                name: name.to_vec(),
            },
            None => Group::ClusterScoped,
        }
    }
}

/// The first parts of a key, each with the slash after it. A slash at the start begins no part. The whole key if it has
/// no more parts.
fn first_parts(key: &[u8], parts: usize) -> &[u8] {
    let start = usize::from(key.starts_with(b"/"));
    let slashes = key.iter().enumerate().skip(start);
    let slashes = slashes.filter(|(_, byte)| **byte == b'/');
    let last = slashes.map(|(at, _)| at).nth(parts.saturating_sub(1));
    let end = last.map_or(key.len(), |at| at.saturating_add(1));
    key.get(..end).unwrap_or(key)
}

/// The manager that wrote a version last: the one with the newest time in managedFields.
pub(super) fn manager_of(record: &Record<'_>, keyring: &Keyring) -> Group {
    if record.tombstone {
        return Group::Deletions;
    }
    let Ok(value) = keyring.decrypt(record.key, record.value) else {
        return Group::Encrypted;
    };
    let Some(meta) = Meta::read(&value) else {
        return Group::NoManager;
    };
    // If several entries have the newest time, the last one counts.
    let entries = meta.managed_fields.iter();
    let entries = entries.filter(|entry| is_manager_name(&entry.manager));
    match entries.max_by_key(|entry| entry.time) {
        Some(entry) => Group::Manager(entry.manager.clone().into_owned()),
        None => Group::NoManager,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_the_first_parts_of_a_key() {
        for (key, parts, expected) in [
            ("/registry/pods/shop/a", 1, "/registry/"),
            ("/registry/pods/shop/a", 2, "/registry/pods/"),
            ("/registry/pods/shop/a", 4, "/registry/pods/shop/a"),
            ("a/b", 1, "a/"),
            ("a", 3, "a"),
            ("", 1, ""),
            ("/", 1, "/"),
            ("//a", 1, "//"),
        ] {
            let found = first_parts(key.as_bytes(), parts);
            assert_eq!(found, expected.as_bytes(), "{key} {parts}");
        }
    }
}
