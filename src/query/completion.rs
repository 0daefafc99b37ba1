//! What a shell can complete from a database: resources, namespaces and names in its newest records.
//!
//! Completion must never take long, so it reads no more than [`MOST_RECORDS`] records, the newest first. A key's newest
//! record shows whether the key is live. So what was read is right, and in a larger file only incomplete.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::bbolt::Direction;
use crate::diag::Diagnostics;
use crate::etcd::Store;
use crate::k8s::catalog::{Catalog, Survey};
use crate::source::Source;

use super::glob::Globs;

/// The most records that are read: these take a few hundredths of a second.
pub const MOST_RECORDS: usize = 200_000;
/// The most candidates for one word: more help nobody to choose.
pub const MOST_CANDIDATES: usize = 2_000;

/// Which keys are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum States {
    /// Those that exist.
    Live,
    /// Those that were deleted.
    Deleted,
    /// Both.
    Any,
}

/// A candidate, with what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// The word.
    pub word: String,
    /// What it is, in a few words.
    pub about: String,
}

/// The newest records of a database, for completion.
#[derive(Debug)]
pub struct Known {
    catalog: Catalog,
    /// Every key that was read, and whether it is live.
    keys: BTreeMap<Vec<u8>, bool>,
}

impl Default for Known {
    /// What is known without a database: the built-in resources.
    fn default() -> Self {
        Self {
            catalog: Catalog::default(),
            keys: BTreeMap::new(),
        }
    }
}

impl Known {
    /// Reads the newest records of a database. None if the file is not a database.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        let source = Source::open(path).ok()?;
        let diagnostics = Diagnostics::new();
        let store = Store::open(&source, &diagnostics).ok()?;
        let mut keys = BTreeMap::new();
        let mut survey = Survey::default();
        let mut definitions = Vec::new();
        for record in store.records(Direction::Backward).take(MOST_RECORDS) {
            if record.is_bump_mark() || keys.contains_key(record.key) {
                continue;
            }
            keys.insert(record.key.to_vec(), !record.tombstone);
            if record.tombstone {
                continue;
            }
            survey.look(record.key, record.value);
            if Survey::is_definition(record.key) {
                definitions.push(record);
            }
        }
        let mut catalog = survey.into_catalog();
        for record in definitions {
            if let Ok((definition, _)) = crate::k8s::object::tree_of(record.value) {
                catalog.define(definition);
            }
        }
        Some(Self { catalog, keys })
    }

    /// The keys in a state.
    fn keys(&self, states: States) -> impl Iterator<Item = &[u8]> {
        let is_wanted = move |is_live: bool| match states {
            States::Live => is_live,
            States::Deleted => !is_live,
            States::Any => true,
        };
        let wanted = self.keys.iter().filter(move |(_, live)| is_wanted(**live));
        wanted.map(|(key, _)| key.as_slice())
    }

    /// The resources that have a key; without a database all that are built in.
    #[must_use]
    pub fn resources(&self, states: States) -> Vec<Candidate> {
        let found: BTreeSet<&str> = self
            .keys(states)
            .filter_map(|key| Some(&*self.catalog.locate(key)?.resource.folder))
            .collect();
        let resources = self.catalog.resources().iter();
        let used = resources.filter(|one| self.keys.is_empty() || found.contains(&*one.folder));
        let named = used.map(|resource| {
            let is_sure = self.catalog.resolve(&resource.plural) == [resource];
            let word = if is_sure {
                resource.plural.to_string()
            } else {
                resource.plural_with_group()
            };
            Candidate {
                word,
                about: resource.kind.to_string(),
            }
        });
        first_sorted(named)
    }

    /// The namespaces that have a key.
    #[must_use]
    pub fn namespaces(&self, states: States) -> Vec<Candidate> {
        let found = self.keys(states).filter_map(|key| {
            let location = self.catalog.locate(key)?;
            let is_one = location.resource.folder == "namespaces";
            let name = if is_one {
                Some(location.name)
            } else {
                location.namespace
            };
            Some(std::str::from_utf8(name?).ok()?.to_owned())
        });
        first_sorted(found.map(|word| Candidate {
            word,
            about: "namespace".to_owned(),
        }))
    }

    /// The names of the objects of resources, in these namespaces; in all if none is named.
    #[must_use]
    pub fn names(&self, types: &str, namespaces: &[String], states: States) -> Vec<Candidate> {
        let asked = types.split(',').flat_map(|word| self.catalog.resolve(word));
        let folders: BTreeSet<&str> = asked.map(|resource| &*resource.folder).collect();
        let only = Globs::parse(namespaces);
        let found = self.keys(states).filter_map(|key| {
            let location = self.catalog.locate(key)?;
            if !folders.contains(&*location.resource.folder) {
                return None;
            }
            let namespace = location.namespace.unwrap_or_default();
            if location.resource.namespaced
                && only.as_ref().is_some_and(|only| !only.matches(namespace))
            {
                return None;
            }
            Some(Candidate {
                word: std::str::from_utf8(location.name).ok()?.to_owned(),
                about: std::str::from_utf8(namespace).ok()?.to_owned(),
            })
        });
        first_sorted(found)
    }

    /// The keys that go on from a prefix, up to their next slash.
    #[must_use]
    pub fn keys_from(&self, prefix: &str, states: States) -> Vec<Candidate> {
        let found = self.keys(states).filter_map(|key| {
            let key = std::str::from_utf8(key).ok()?;
            let rest = key.strip_prefix(prefix)?;
            let (part, about) = match rest.split_once('/') {
                Some((part, _)) => (format!("{part}/"), "prefix"),
                None => (rest.to_owned(), "key"),
            };
            Some(Candidate {
                word: format!("{prefix}{part}"),
                about: about.to_owned(),
            })
        });
        first_sorted(found)
    }

    /// Whether a word names resources.
    #[must_use]
    pub fn is_resource(&self, word: &str) -> bool {
        word.split(',')
            .all(|word| !self.catalog.resolve(word).is_empty())
    }
}

/// The candidates in their order, each once, as many as are offered.
fn first_sorted(candidates: impl Iterator<Item = Candidate>) -> Vec<Candidate> {
    let sorted: BTreeSet<Candidate> = candidates.collect();
    sorted.into_iter().take(MOST_CANDIDATES).collect()
}
