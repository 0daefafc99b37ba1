//! Why nothing is found at an address: an unknown name, a deletion, another namespace, a later revision.
//!
//! This takes passes over the store, so it is asked only if the answer is empty.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::RwLock;

use crate::bbolt::Direction;
use crate::etcd::{AtRevision, KeyEntry, Keyspace, Record, Store};
use crate::k8s::catalog::{Catalog, ClusterName, Location, Survey};
use crate::k8s::encrypt::Keyring;
use crate::k8s::wall_clock::Bounds;
use crate::named::key_text;
use crate::near::{self, SUGGESTED, near};

use super::address::{Address, ObjectSet};
use super::glob::Globs;
use super::scope::Scope;

/// What was asked for and is not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The address; none if all objects of a namespace were asked for.
    pub address: Option<Address>,
    /// Why nothing is found.
    pub why: Why,
}

/// Why nothing is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Damage may hide it.
    MayBeHidden,
    /// Names that no retained revision has, and similar known names.
    Unknown {
        /// What they should name.
        kind: NameKind,
        /// The names as typed.
        names: Vec<String>,
        /// Similar known names.
        near: Vec<String>,
    },
    /// A namespace that no retained revision has in the logical clusters that were asked for.
    NotInCluster {
        /// The namespace as typed.
        namespace: String,
        /// The logical clusters as typed.
        cluster: String,
        /// Similar namespaces in these clusters.
        near: Vec<String>,
    },
    /// It was deleted.
    Deleted(Deleted),
    /// It was first written after the revision that was asked for.
    Later {
        /// The revision that was asked for.
        at: i64,
        /// The first revision that has it.
        first: i64,
    },
    /// Keys start with it and a slash: how many, and the first.
    IsFolder {
        /// How many keys.
        keys: usize,
        /// The first of them.
        first: Box<[u8]>,
    },
    /// No readable definition has the resource, and this many definitions are encrypted.
    MayBeEncrypted(usize),
    /// The resource is known, and the store has no object of it.
    NoObjects,
    /// Objects of the resource exist, in other namespaces only: how many, and the first.
    Elsewhere {
        /// How many.
        count: usize,
        /// The first.
        first: Box<[u8]>,
    },
    /// An object of this name exists in other namespaces.
    SameName(Vec<Box<[u8]>>),
    /// `pods/web-1` is an object, and was typed as a prefix: the resource and the name.
    NameWithSlash {
        /// The resource as typed.
        types: String,
        /// What follows the slash.
        name: String,
    },
    /// The store has no objects of Kubernetes, and the word is a resource.
    NotKubernetes,
    /// No other reason is known; similar names or keys, if there are any.
    Nothing {
        /// Similar keys or names.
        near: Vec<String>,
    },
}

/// What an unknown name should name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A resource.
    Resource,
    /// A custom resource.
    CustomResource,
    /// A namespace.
    Namespace,
    /// A logical cluster.
    Cluster,
    /// A field manager.
    Manager,
}

/// A deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The namespace, if it was deleted and nothing in it of what was asked for is retained.
    pub namespace: Option<String>,
    /// The logical clusters that were asked for with the namespace.
    pub cluster: Option<String>,
    /// The main revision of the newest deletion.
    pub revision: i64,
    /// How many keys were deleted.
    pub keys: usize,
    /// The newest revision at which most of them existed.
    pub before: i64,
    /// When the newest was.
    pub time: Bounds,
    /// Whether the state before the deletion is compacted.
    pub is_before_compacted: bool,
    /// The compacted revision.
    pub compacted: i64,
}

impl Missing {
    /// Whether a name is unknown: then there is no answer, not even no.
    pub fn is_unknown(&self) -> bool {
        matches!(self.why, Why::Unknown { .. } | Why::NotInCluster { .. })
    }
}

/// What the store retains of keys if no key is live at a revision.
#[derive(Default)]
struct Retained {
    /// The newest deletion at or below the revision.
    deleted_at: Option<i64>,
    /// For each deleted key: the first and the last main revision of its last life.
    lives: BTreeMap<Box<[u8]>, (i64, i64)>,
    /// The first put above the revision.
    first_later: Option<i64>,
}

impl Retained {
    fn read(store: &Store<'_>, at: AtRevision, covers: impl Fn(&[u8]) -> bool + Sync) -> Self {
        let mut retained = Self::default();
        let mut created: BTreeMap<Box<[u8]>, i64> = BTreeMap::new();
        store.visit_chosen(&|record| covers(record.key), &mut |record| {
            let main = record.revision.main;
            if record.tombstone && main <= at.0 {
                retained.deleted_at = Some(main);
                let last = main.saturating_sub(1);
                let first = created.remove(record.key).unwrap_or(last);
                retained.lives.insert(record.key.into(), (first, last));
            } else if !record.tombstone && main > at.0 {
                retained.first_later = retained.first_later.or(Some(main));
            } else if !record.tombstone {
                created.insert(record.key.into(), record.create_revision);
            }
        });
        retained
    }

    /// The newest revision at which most of the deleted keys existed.
    fn fullest(&self) -> Option<i64> {
        // A life is counted from its first revision on, and no longer after its last one.
        let mut steps: BTreeMap<i64, i64> = BTreeMap::new();
        for (first, last) in self.lives.values() {
            let begins = steps.entry(*first).or_default();
            *begins = begins.saturating_add(1);
            let ends = steps.entry(last.saturating_add(1)).or_default();
            *ends = ends.saturating_sub(1);
        }
        let mut count = 0_i64;
        let mut best: Option<(i64, i64)> = None;
        let mut changes = steps.into_iter().peekable();
        while let Some((_, change)) = changes.next() {
            count = count.saturating_add(change);
            // This count is right up to the revision before the next change.
            if let Some((next, _)) = changes.peek()
                && best.is_none_or(|(most, _)| count >= most)
            {
                best = Some((count, next.saturating_sub(1)));
            }
        }
        best.map(|(_, revision)| revision)
    }
}

/// The search for the reason.
pub struct Search<'s, 'a> {
    /// The store.
    pub store: &'s Store<'a>,
    /// The revision that was asked for.
    pub at: AtRevision,
    /// All resources that any retained revision has; none if no word needed them.
    pub catalog: Option<&'s Catalog>,
    /// The keys of encrypted values.
    pub keyring: &'s Keyring,
    /// When a main revision was written.
    pub time_of: &'s dyn Fn(i64) -> Bounds,
}

impl Search<'_, '_> {
    /// Why an address matches nothing.
    pub fn address(&self, address: &Address) -> Missing {
        Missing {
            why: self.why(address),
            address: Some(address.clone()),
        }
    }

    /// Why namespaces and logical clusters have nothing; none if they exist.
    pub fn scope(&self, scope: &Scope) -> Option<Missing> {
        let may_hide = self.store.db().diagnostics().may_hide_records();
        let why = self.why_scope(scope)?;
        let is_unknown = matches!(why, Why::Unknown { .. } | Why::NotInCluster { .. });
        Some(Missing {
            address: None,
            why: if is_unknown && may_hide {
                Why::MayBeHidden
            } else {
                why
            },
        })
    }

    fn why(&self, address: &Address) -> Why {
        let retained = Retained::read(self.store, self.at, |key| address.covers(key));
        if self.store.db().diagnostics().may_hide_records() {
            return Why::MayBeHidden;
        }
        if let Some(revision) = retained.deleted_at {
            return Why::Deleted(self.deleted(revision, &retained));
        }
        if let Some(first) = retained.first_later {
            return Why::Later {
                at: self.at.0,
                first,
            };
        }
        match address {
            Address::Key(key) => self.why_key(key),
            Address::Prefix(prefix) => {
                let text = key_text(prefix);
                let near = self.near_keys(&text);
                self.why_word(prefix).unwrap_or(Why::Nothing { near })
            }
            Address::Objects(objects) => self.why_objects(objects),
        }
    }

    fn deleted(&self, revision: i64, retained: &Retained) -> Deleted {
        let compacted = self.store.compact_revision();
        let before = retained.fullest().unwrap_or(revision.saturating_sub(1));
        Deleted {
            namespace: None,
            cluster: None,
            revision,
            keys: retained.lives.len(),
            before,
            time: (self.time_of)(revision),
            is_before_compacted: before < compacted,
            compacted,
        }
    }

    fn live_keys(&self, wanted: impl Fn(&[u8]) -> bool + Sync) -> Vec<KeyEntry<'_>> {
        Keyspace::at(self.store, self.at, wanted).live
    }

    fn why_key(&self, key: &[u8]) -> Why {
        let inside = below(key);
        let keys = self.live_keys(|key| inside.covers(key));
        if let Some(first) = keys.first() {
            return Why::IsFolder {
                keys: keys.len(),
                first: first.key.clone(),
            };
        }
        let near = || self.near_keys(&key_text(key));
        self.why_word(key)
            .unwrap_or_else(|| Why::Nothing { near: near() })
    }

    /// Why a bare word that could have been a resource is no resource. None if the store could have such a key.
    fn why_word(&self, word: &[u8]) -> Option<Why> {
        let (word, catalog) = (std::str::from_utf8(word).ok()?, self.catalog?);
        let (types, name) = match word.split_once('/') {
            Some((types, name)) => (types, Some(name)),
            None => (word, None),
        };
        if word.starts_with('/') || types.is_empty() {
            return None;
        }
        let unknown: Vec<&str> = types
            .split(',')
            .filter(|name| catalog.resolve(name).is_empty())
            .collect();
        match (catalog.holds_objects(), unknown.is_empty(), name) {
            (false, true, _) => Some(Why::NotKubernetes),
            (false, false, _) => None,
            (true, true, Some(name)) => Some(Why::NameWithSlash {
                types: types.to_owned(),
                name: name.to_owned(),
            }),
            (true, true, None) => None,
            (true, false, _) if self.encrypted_definitions() > 0 => {
                Some(Why::MayBeEncrypted(self.encrypted_definitions()))
            }
            (true, false, _) => {
                let near: Vec<String> = unknown
                    .iter()
                    .flat_map(|name| catalog.near(name))
                    .take(SUGGESTED)
                    .collect();
                Some(Why::Unknown {
                    kind: NameKind::Resource,
                    names: unknown.into_iter().map(str::to_owned).collect(),
                    near,
                })
            }
        }
    }

    /// How many definitions of custom resources cannot be decrypted.
    fn encrypted_definitions(&self) -> usize {
        let keyring = self.keyring;
        let is_encrypted = |record: &Record<'_>| {
            !record.tombstone
                && Survey::is_definition(record.key)
                && keyring.decrypt(record.key, record.value).is_err()
        };
        let mut keys: BTreeSet<&[u8]> = BTreeSet::new();
        self.store.visit_chosen(&is_encrypted, &mut |record| {
            keys.insert(record.key);
        });
        keys.len()
    }

    /// Why objects are not found: the namespace, the resource or the name.
    fn why_objects(&self, objects: &ObjectSet) -> Why {
        let of_types = Address::Objects(objects.widened());
        let live = self.live_keys(|key| of_types.covers(key));
        if let Some(why) = self.why_scope(objects.scope()) {
            return why;
        }
        let Some(first) = live.first() else {
            return Why::NoObjects;
        };
        let Some(name) = &objects.name else {
            return Why::Elsewhere {
                count: live.len(),
                first: first.key.clone(),
            };
        };
        let named = Address::Objects(objects.widened().named(name));
        let same = live.iter().filter(|entry| named.covers(&entry.key));
        let same: Vec<Box<[u8]>> = same
            .map(|entry| entry.key.clone())
            .take(SUGGESTED)
            .collect();
        if !same.is_empty() {
            return Why::SameName(same);
        }
        // Keys are compared by their ends: the folder is the same for all.
        let first = key_text(&first.key);
        let folder = first.rsplit_once('/').map_or("", |(folder, _)| folder);
        let wanted = match &objects.namespace {
            Some(namespace) => {
                let above = folder.rsplit_once('/').map_or("", |(above, _)| above);
                format!("{above}/{namespace}/{name}")
            }
            None => format!("{folder}/{name}"),
        };
        let keys = live.iter().map(|entry| &*entry.key);
        Why::Nothing {
            near: nearest_keys(&wanted, keys),
        }
    }

    /// Why nothing is found in namespaces and logical clusters; none if they exist.
    fn why_scope(&self, scope: &Scope) -> Option<Why> {
        let names = |globs: &Option<Globs>| globs.as_ref().map(Globs::names).unwrap_or_default();
        let mut clusters = names(&scope.clusters).into_iter();
        let mut namespaces = names(&scope.namespaces).into_iter();
        let why_cluster = clusters.find_map(|name| self.why_cluster(&name));
        why_cluster.or_else(|| namespaces.find_map(|name| self.why_namespace(&name, scope)))
    }

    /// Why nothing is found in a logical cluster: no retained revision has it. None if one has.
    fn why_cluster(&self, name: &str) -> Option<Why> {
        let catalog = self.catalog?;
        let mut known: BTreeSet<&[u8]> = BTreeSet::new();
        for record in self.store.records(Direction::Forward) {
            let location = catalog.locate(record.key);
            known.extend(location.and_then(|location| location.cluster));
        }
        if known.contains(name.as_bytes()) {
            return None;
        }
        let names = known
            .iter()
            .filter_map(|name| std::str::from_utf8(name).ok());
        Some(Why::Unknown {
            kind: NameKind::Cluster,
            names: vec![name.to_owned()],
            near: near(name, names),
        })
    }

    /// Why nothing is found in a namespace: no retained revision has it, or it was deleted, in each logical cluster
    /// that was asked for. None if it exists.
    fn why_namespace(&self, name: &str, scope: &Scope) -> Option<Why> {
        let (catalog, at) = (self.catalog?, self.at);
        let others: RwLock<BTreeSet<Box<[u8]>>> = RwLock::default();
        let is_known = |namespace: &[u8]| others.read().is_ok_and(|all| all.contains(namespace));
        // The namespaces are read on all cores.
        let is_of_it = |record: &Record<'_>| {
            let location = catalog.locate(record.key);
            let location = location.filter(|location| scope.has_cluster(location.cluster));
            let Some(namespace) = location.and_then(|location| either_namespace(&location)) else {
                return false;
            };
            let is_of_it = namespace == name.as_bytes();
            if !is_of_it
                && !is_known(namespace)
                && let Ok(mut others) = others.write()
            {
                others.insert(namespace.into());
            }
            is_of_it
        };
        let mut deleted_at = None;
        let mut live: BTreeSet<ClusterName> = BTreeSet::new();
        let mut exists = false;
        self.store.visit_chosen(&is_of_it, &mut |record| {
            exists = true;
            let namespace = catalog.locate(record.key);
            let namespace = namespace.filter(Location::is_namespace);
            if let Some(namespace) = namespace.filter(|_| record.revision.main <= at.0) {
                let cluster = namespace.cluster.map(Into::into);
                if record.tombstone {
                    live.remove(&cluster);
                    deleted_at = Some(record.revision.main);
                } else {
                    live.insert(cluster);
                }
            }
        });
        let others = others.into_inner().unwrap_or_default();
        if !exists && !others.is_empty() {
            return Some(unknown_namespace(name, scope, &others));
        }
        let revision = deleted_at.filter(|_| live.is_empty())?;
        let in_namespace = Retained::read(self.store, self.at, |key| {
            let location = catalog.locate(key);
            location.is_some_and(|location| {
                location.namespace == Some(name.as_bytes()) && scope.has_cluster(location.cluster)
            })
        });
        Some(Why::Deleted(Deleted {
            namespace: Some(name.to_owned()),
            cluster: scope.clusters.as_ref().map(Globs::text),
            ..self.deleted(revision, &in_namespace)
        }))
    }

    fn near_keys(&self, text: &str) -> Vec<String> {
        let live = self.live_keys(|_| true);
        nearest_keys(text, live.iter().map(|entry| &*entry.key))
    }
}

/// The namespace that an object is in, or is.
fn either_namespace<'k>(location: &Location<'_, 'k>) -> Option<&'k [u8]> {
    if location.is_namespace() {
        Some(location.name)
    } else {
        location.namespace
    }
}

/// Why nothing is found in a namespace that no retained revision has. `others` are those that exist.
fn unknown_namespace(name: &str, scope: &Scope, others: &BTreeSet<Box<[u8]>>) -> Why {
    let names = others
        .iter()
        .filter_map(|name| std::str::from_utf8(name).ok());
    let near = near(name, names);
    match &scope.clusters {
        Some(clusters) => Why::NotInCluster {
            namespace: name.to_owned(),
            cluster: clusters.text(),
            near,
        },
        None => Why::Unknown {
            kind: NameKind::Namespace,
            names: vec![name.to_owned()],
            near,
        },
    }
}

/// The keys that would be in a key, if it were a folder.
pub fn below(key: &[u8]) -> Address {
    Address::Prefix([key, b"/"].concat())
}

/// The keys most similar to a text, the most similar one first.
fn nearest_keys<'k>(text: &str, keys: impl Iterator<Item = &'k [u8]>) -> Vec<String> {
    /// A key that is less similar than this is not suggested.
    const ALIKE: f64 = 0.6;
    let last_of = |text: &str| {
        text.trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let wanted_name = last_of(text);
    let rated = keys
        .filter_map(|key| std::str::from_utf8(key).ok())
        .map(|key| {
            // The right name in another place is a better suggestion than another name in the right place.
            let name = last_of(key);
            let bonus = if name == wanted_name {
                1.0
            } else {
                shared_start(&name, &wanted_name) / 2.0
            };
            let is_measured = key.len().max(text.len()) <= near::MEASURED_BYTES;
            let bonus = if is_measured { bonus } else { 0.0 };
            (near::likeness(text, key) + bonus, key.to_owned())
        });
    near::nearest(rated, ALIKE)
}

/// The common beginning of two names, as pods of one Deployment have it.
fn shared_start(name: &str, wanted: &str) -> f64 {
    let shared = name
        .bytes()
        .zip(wanted.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let of = |length: usize| f64::from(u16::try_from(length).unwrap_or(u16::MAX));
    of(shared) / of(wanted.len().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(lives: &[(i64, i64)]) -> Retained {
        let keyed = lives.iter().enumerate();
        let keyed = keyed.map(|(index, life)| (index.to_string().into_bytes().into(), *life));
        Retained {
            lives: keyed.collect(),
            ..Retained::default()
        }
    }

    #[test]
    fn the_command_in_a_hint_shows_as_many_of_the_deleted_objects_as_existed_together() {
        assert_eq!(lives(&[(5, 9)]).fullest(), Some(9));
        // The keys were deleted one after the other: the answer is the revision before the first deletion.
        assert_eq!(lives(&[(2, 20), (3, 21), (4, 22)]).fullest(), Some(20));
        // A key that was deleted long before the others were created does not count.
        assert_eq!(lives(&[(2, 3), (10, 20), (11, 21)]).fullest(), Some(20));
        assert_eq!(lives(&[(2, 3), (10, 20)]).fullest(), Some(20));
        assert_eq!(lives(&[]).fullest(), None);
    }

    #[test]
    fn the_right_name_in_another_namespace_comes_first() {
        let keys: [&[u8]; 4] = [
            b"/registry/pods/shop/web-1",
            b"/registry/pods/prod/web-2",
            b"/registry/pods/prod/db",
            b"/x",
        ];
        assert_eq!(
            nearest_keys("/registry/pods/prod/web-1", keys.into_iter())
                .first()
                .map(String::as_str),
            Some("/registry/pods/shop/web-1")
        );
        assert!(nearest_keys("completely else", keys.into_iter()).is_empty());
    }

    #[test]
    fn a_name_that_begins_alike_is_nearer_than_a_short_one() {
        let keys: [&[u8]; 2] = [
            b"/registry/pods/prod/db-1",
            b"/registry/pods/prod/web-5dfb8fd985-4z2zt",
        ];
        let near = nearest_keys("/registry/pods/prod/web-1", keys.into_iter());
        assert!(near.first().is_some_and(|key| key.contains("/web-")));
    }
}
