//! Maps whose keys come from the file: keys of etcd, ids of pages.
//!
//! The standard hasher takes a tenth of a pass over a store. This one takes a fraction of that. Its seed differs in each
//! run, so a file cannot be written to make its keys collide.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::LazyLock;

use foldhash::fast::RandomState;

/// A map with a fast, seeded hasher.
pub type FastMap<K, V> = HashMap<K, V, RandomState>;

/// A hash of 64 bits that is the same for equal values in this run only.
pub fn hash_in_this_run(value: impl Hash) -> u64 {
    static HASHER: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);
    HASHER.hash_one(value)
}
