//! Maps whose keys come from the file: keys of etcd, ids of pages.
//!
//! The standard hasher takes a tenth of a pass over a store. This one takes a fraction of that. Its seed differs in each
//! run, so a file cannot be written to make its keys collide.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// A map with a fast, seeded hasher.
pub type FastMap<K, V> = HashMap<K, V, RandomState>;
