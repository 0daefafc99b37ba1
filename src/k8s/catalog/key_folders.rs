//! The folders of the keys of a store, collected on all cores while its records are read.
//!
//! They determine whether another pass over the records can add a resource to a catalog, see [`Catalog::learn`]. What a
//! catalog infers from a key does not depend on the last segment, only on whether it is empty. So one key represents all
//! keys of its folder. Example: `/registry/shop.example.com/carts/eu/` for all carts in the namespace `eu`.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use foldhash::fast::RandomState;

use super::{Catalog, DEFAULT_PREFIX};

/// The number of sets. A core seldom waits for another one if they use different sets.
const SETS: usize = 16;
/// The most memory that the folders use, roughly.
const MOST_BYTES: usize = 8 << 20;
/// The memory that a folder uses in addition to its text, roughly.
const BYTES_OF_EACH: usize = 48;

/// The folders whose objects are not certainly those of a built-in resource.
#[derive(Debug)]
pub struct KeyFolders {
    builtin: Catalog,
    hasher: RandomState,
    /// The folders with their final slash, in the set that is chosen by their hash.
    sets: [Mutex<HashSet<Box<[u8]>, RandomState>>; SETS],
    bytes: AtomicUsize,
    /// Whether a folder is missing: there were too many, or a key ends with a slash.
    is_incomplete: AtomicBool,
}

impl Default for KeyFolders {
    fn default() -> Self {
        Self {
            builtin: Catalog::default(),
            hasher: RandomState::default(),
            sets: Default::default(),
            bytes: AtomicUsize::new(0),
            is_incomplete: AtomicBool::new(false),
        }
    }
}

impl KeyFolders {
    /// Adds the folder of the key of a put.
    pub fn add(&self, key: &[u8]) {
        // No resource that is added later takes these keys away from the built-in one. Only a longer prefix does.
        if self.is_incomplete() || self.builtin.locates_usual_name(key) {
            return;
        }
        let Some(slash) = memchr::memrchr(b'/', key) else {
            // The key is under no prefix.
            return;
        };
        let (folder, name) = key.split_at(slash.saturating_add(1));
        if name.is_empty() {
            self.is_incomplete.store(true, Ordering::Relaxed);
            return;
        }
        let hash = self.hasher.hash_one(folder);
        let chosen = usize::try_from(hash % SETS as u64).unwrap_or_default();
        let set = self.sets.get(chosen).map(Mutex::lock);
        let Some(Ok(mut set)) = set else {
            self.is_incomplete.store(true, Ordering::Relaxed);
            return;
        };
        if !set.contains(folder) {
            let added = folder.len().saturating_add(BYTES_OF_EACH);
            if self.bytes.fetch_add(added, Ordering::Relaxed) > MOST_BYTES {
                self.is_incomplete.store(true, Ordering::Relaxed);
            } else {
                set.insert(folder.into());
            }
        }
    }

    /// Whether an object in one of the folders may add something to a catalog. The catalog has all resources that are
    /// built in or defined.
    pub fn may_show_more(&self, catalog: &Catalog) -> bool {
        // A prefix that continues the usual one divides keys in another way.
        let is_longer = |prefix: &[u8]| {
            let rest = prefix.strip_prefix(DEFAULT_PREFIX);
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        };
        self.is_incomplete()
            || catalog.has_clusters()
            || catalog.prefixes().any(is_longer)
            || self.sets.iter().any(|set| {
                let may_learn = |folder: &[u8]| catalog.may_learn(&[folder, b"a"].concat());
                set.lock()
                    .map_or(true, |set| set.iter().any(|folder| may_learn(folder)))
            })
    }

    fn is_incomplete(&self) -> bool {
        self.is_incomplete.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_show_more(catalog: &Catalog, keys: &[&str]) -> bool {
        let folders = KeyFolders::default();
        for key in keys {
            folders.add(key.as_bytes());
        }
        folders.may_show_more(catalog)
    }

    #[test]
    fn only_a_folder_without_a_known_resource_may_show_more() {
        let mut catalog = Catalog::default();
        let known = [
            "/registry/pods/shop/a",
            "/registry/minions/a",
            "/other/carts/a",
            "compact_rev_key",
        ];
        assert!(!may_show_more(&catalog, &known));
        for key in [
            "/registry/shop.example.com/carts/eu/a",
            "/registry/pods/shop/a/b",
            "/registry/pods/a",
            "/registry/pods/shop/a/",
            "/registry/carts/",
        ] {
            assert!(
                may_show_more(&catalog, &[&known[..], &[key]].concat()),
                "{key}"
            );
        }
        catalog.define(
            serde_json::json!({"spec": {"group": "shop.example.com", "scope": "Namespaced",
            "names": {"plural": "carts", "kind": "Cart"}, "versions": [{"name": "v1"}]}}),
        );
        assert!(!may_show_more(
            &catalog,
            &["/registry/shop.example.com/carts/eu/a"]
        ));
        assert!(may_show_more(
            &catalog,
            &["/registry/shop.example.com/carts/a"]
        ));
        catalog.add_prefix(b"/registry/pods".to_vec());
        assert!(may_show_more(&catalog, &["/registry/pods/shop/a"]));
    }

    #[test]
    fn folders_beyond_the_memory_for_them_may_show_more() {
        let folders = KeyFolders::default();
        let text = "x".repeat(1 << 20);
        for number in 0..16 {
            folders.add(format!("/other/{text}/{number}/a").as_bytes());
        }
        assert!(folders.may_show_more(&Catalog::default()));
        let sets = folders.sets.iter();
        let count: usize = sets.map(|set| set.lock().map_or(0, |set| set.len())).sum();
        assert!((1..=9).contains(&count), "{count}");
    }
}
