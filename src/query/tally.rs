//! How many keys each resource, or each namespace, has.

use std::collections::BTreeMap;

use crate::arrange::Arrange as _;
use crate::etcd::PlacedKey;
use crate::k8s::catalog::Catalog;
use crate::k8s::resource::Resource;

/// What keys are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A resource.
    Resource {
        /// Its plural with its group: `deployments.apps`.
        name: String,
        /// Its kind.
        kind: String,
        /// Whether it is a custom one.
        custom: bool,
    },
    /// The beginning of keys of no known resource, up to a slash; empty for keys without one.
    Folder(Vec<u8>),
    /// A namespace.
    Namespace {
        /// Its logical cluster, in a store with more than one.
        cluster: Option<Vec<u8>>,
        /// Its name.
        name: Vec<u8>,
    },
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What the keys have in common.
    pub named: Named,
    /// How many keys.
    pub keys: u64,
    /// Length of their values, in bytes.
    pub value_bytes: u64,
}

impl Row {
    /// A row without keys so far.
    pub fn new(named: Named) -> Self {
        Self {
            named,
            keys: 0,
            value_bytes: 0,
        }
    }
}

/// Whether a resource is a custom one: defined in the store, or left there when its definition was deleted.
pub fn is_custom(resource: &Resource) -> bool {
    // A resource that is known only from its objects may belong to an aggregated API server or to a newer Kubernetes.
    // Its folder then does not contain its group.
    let of_group = resource.folder.strip_suffix(&*resource.plural);
    !resource.versions.is_empty()
        && of_group.and_then(|folder| folder.strip_suffix('/')) == Some(resource.group())
}

/// The resources of keys, the one with the most keys first.
pub fn resources(keys: &[PlacedKey<'_, '_>], catalog: &Catalog) -> Vec<Row> {
    let mut rows = BTreeMap::new();
    let names = keys.iter().map(PlacedKey::key);
    let prefixes = (!catalog.holds_objects()).then(|| Prefixes::new(names));
    for entry in keys {
        if let Some(prefixes) = &prefixes {
            let prefix = prefixes.prefix_of(entry.key());
            count(&mut rows, Named::Folder(prefix.to_vec()), entry);
            continue;
        }
        count(&mut rows, resource_of(entry.key(), catalog), entry);
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    // The sort is stable: rows with equal counts stay in the order of their names.
    rows.arrange_by_key(|row| std::cmp::Reverse(row.keys));
    rows
}

/// The resource of a key, or the folder of a key of no known resource.
pub fn resource_of(key: &[u8], catalog: &Catalog) -> Named {
    match catalog.locate(key) {
        Some(location) => Named::Resource {
            name: location.resource.plural_with_group(),
            kind: location.resource.kind.clone().into_owned(),
            custom: is_custom(location.resource),
        },
        None => Named::Folder(folder_of(key, catalog).to_vec()),
    }
}

/// The namespaces of keys, and the namespaces whose own object is among the keys, by name.
pub fn namespaces(keys: &[PlacedKey<'_, '_>], catalog: &Catalog) -> Vec<Row> {
    let mut rows = BTreeMap::new();
    for entry in keys {
        let Some(location) = catalog.locate(entry.key()) else {
            continue;
        };
        let named = |name: &[u8]| Named::Namespace {
            cluster: location
                .cluster
                .filter(|_| catalog.has_several_clusters())
                .map(<[u8]>::to_vec),
            name: name.to_vec(),
        };
        if let Some(namespace) = location.namespace {
            count(&mut rows, named(namespace), entry);
        } else if location.is_namespace() {
            // It may be empty: its own object is not in it.
            let named = named(location.name);
            rows.entry(named.clone()).or_insert_with(|| Row::new(named));
        }
    }
    rows.into_values().collect()
}

fn count(rows: &mut BTreeMap<Named, Row>, named: Named, entry: &PlacedKey<'_, '_>) {
    let row = rows.entry(named.clone()).or_insert_with(|| Row::new(named));
    row.keys = row.keys.saturating_add(1);
    let value_bytes = entry.newest().map_or(0, |newest| newest.value_bytes);
    row.value_bytes = row.value_bytes.saturating_add(value_bytes);
}

/// The prefixes by which keys of a store without Kubernetes are grouped: up to the first slash after what all of them
/// have in common.
#[derive(Debug)]
pub struct Prefixes {
    /// Length of the folders that all keys are in, in bytes.
    common_bytes: usize,
}

impl Prefixes {
    /// The prefixes of some keys.
    pub fn new<'k>(mut keys: impl Iterator<Item = &'k [u8]>) -> Self {
        let folders = |key: &[u8]| {
            let slash = key.iter().rposition(|byte| *byte == b'/');
            slash.map_or(0, |slash| slash.saturating_add(1))
        };
        let first = keys.next().unwrap_or_default();
        let mut common = first.get(..folders(first)).unwrap_or_default();
        for key in keys {
            let equal = common.iter().zip(key).take_while(|(a, b)| a == b).count();
            let shared = common.get(..equal).unwrap_or_default();
            common = shared.get(..folders(shared)).unwrap_or_default();
        }
        Self {
            common_bytes: common.len(),
        }
    }

    /// The prefix of one of the keys, with the slash after it; empty for a key without a slash.
    pub fn prefix_of<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        // A slash at the beginning ends no folder.
        let start = self.common_bytes.max(usize::from(key.starts_with(b"/")));
        let rest = key.get(start..).unwrap_or_default();
        let slash = rest.iter().position(|byte| *byte == b'/');
        let end = slash.map_or(start, |slash| start.saturating_add(slash).saturating_add(1));
        key.get(..end).unwrap_or_default()
    }
}

/// The folder of a key of no known resource, with the slash at its end. After the prefix of an API server it is the
/// next segment, or the next two if the first of them is a group. Otherwise it is the first segment. Empty if the key
/// has no slash.
fn folder_of<'k>(key: &'k [u8], catalog: &Catalog) -> &'k [u8] {
    let begins = |prefix: &&[u8]| {
        let rest = key.strip_prefix(*prefix);
        rest.is_some_and(|rest| rest.starts_with(b"/"))
    };
    let start = match catalog.prefixes().find(begins) {
        Some(prefix) => prefix.len().saturating_add(1),
        None => usize::from(key.starts_with(b"/")),
    };
    let of_prefix = start > 1;
    // The end of the segment that begins at a place, its slash included.
    let end_of = |from: usize| {
        let slash = key.get(from..)?.iter().position(|byte| *byte == b'/')?;
        Some(from.saturating_add(slash).saturating_add(1))
    };
    let first = end_of(start);
    let is_group = |end: usize| key.get(start..end).is_some_and(|name| name.contains(&b'.'));
    let end = match first {
        Some(end) if of_prefix && is_group(end) => end_of(end).or(first),
        _ => first,
    };
    key.get(..end.unwrap_or(start)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_without_kubernetes_are_grouped_after_what_they_have_in_common() {
        for (keys, expected) in [
            (
                &["/conf/a", "/conf/b/c", "meta/x/y"][..],
                &["/conf/", "/conf/", "meta/"][..],
            ),
            (
                &[
                    "/apisix/routes/1",
                    "/apisix/routes/2",
                    "/apisix/ssl",
                    "/apisix/upstreams/1/2",
                ],
                &[
                    "/apisix/routes/",
                    "/apisix/routes/",
                    "/apisix/",
                    "/apisix/upstreams/",
                ],
            ),
            (&["/service/batman/leader"], &["/service/batman/"]),
            (&["a", "b/c", "/"], &["", "b/", "/"]),
            (&["a//b", "a//c"], &["a//", "a//"]),
            (&["", "a"], &["", ""]),
        ] {
            let prefixes = Prefixes::new(keys.iter().map(|key| key.as_bytes()));
            for (key, prefix) in keys.iter().zip(expected) {
                assert_eq!(
                    prefixes.prefix_of(key.as_bytes()),
                    prefix.as_bytes(),
                    "{key}"
                );
            }
        }
    }

    #[test]
    fn a_key_of_no_resource_has_a_folder() {
        let catalog = Catalog::default();
        for (key, folder) in [
            ("/registry/other/shop/a", "/registry/other/"),
            ("/registry/a.com/things/a", "/registry/a.com/things/"),
            ("/registry/a.com/things", "/registry/a.com/"),
            ("/registry/health", "/registry/"),
            ("/calico/ipam/v2", "/calico/"),
            ("/a.b/c/d", "/a.b/"),
            ("a/b", "a/"),
            ("/a", "/"),
            ("a", ""),
            ("", ""),
        ] {
            let found = folder_of(key.as_bytes(), &catalog);
            assert_eq!(found, folder.as_bytes(), "{key}");
        }
    }
}
