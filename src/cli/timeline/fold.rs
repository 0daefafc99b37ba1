//! One pass over a store for the times in its values.
//!
//! Reading the times of a value needs no other value, and is done in parallel over leaf pages, a batch at a
//! time; comparing them with the key's version before is done in the order of writing. Of each key there is
//! kept what the next version is compared with: hashes, not the value and not the key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};

use rayon::prelude::*;

use crate::bbolt::{Direction, Leaf};
use crate::diag::Diagnostics;
use crate::etcd::store::leaf_records;
use crate::etcd::{Revision, Store};
use crate::k8s::anchors::{Anchor, Before, Digest, Times};
use crate::k8s::encrypt::Keyring;
use crate::k8s::wall_clock::Point;

/// Bytes of leaf pages that are read at once, in all tasks together.
const BATCH_BYTES: usize = 8 << 20;

/// What the pass found.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) points: Vec<Point>,
    pub(super) closed: u64,
    pub(super) oldest: Option<i64>,
    pub(super) newest: Option<i64>,
}

/// A record, reduced to what tells times.
struct Seen {
    revision: Revision,
    /// Of the key.
    key: u64,
    content: Content,
}

enum Content {
    Deletion,
    /// A value that stays closed.
    Closed,
    Put {
        create_revision: i64,
        version: i64,
        times: Option<Times>,
    },
}

/// The newest version of a key so far.
struct Last {
    create_revision: i64,
    version: i64,
    /// None: nothing can be compared with it.
    digest: Option<Digest>,
}

pub(super) fn fold(store: &Store<'_>, keyring: &Keyring) -> Folded {
    let mut folded = Folded::default();
    let mut keys: HashMap<u64, Last> = HashMap::new();
    let diagnostics = store.db().diagnostics();
    let mut leaves = store.record_leaves(Direction::Forward);
    loop {
        let mut batch: Vec<Leaf<'_>> = Vec::new();
        let mut bytes = 0_usize;
        while bytes < BATCH_BYTES {
            let Some(leaf) = leaves.next() else { break };
            bytes = bytes.saturating_add(leaf.page.run().len_bytes());
            batch.push(leaf);
        }
        if batch.is_empty() {
            break;
        }
        let read: Vec<Vec<Seen>> = batch
            .par_iter()
            .map(|leaf| read_leaf(leaf, keyring, diagnostics))
            .collect();
        for seen in read.into_iter().flatten() {
            folded.add(seen, &mut keys);
        }
    }
    folded
}

fn read_leaf(leaf: &Leaf<'_>, keyring: &Keyring, diagnostics: &Diagnostics) -> Vec<Seen> {
    let records = leaf_records(leaf, Direction::Forward, diagnostics);
    let seen = records
        .filter(|record| !record.is_bump_mark())
        .map(|record| {
            let content = match keyring.open(record.key, record.value) {
                _ if record.tombstone => Content::Deletion,
                Err(_) => Content::Closed,
                Ok(value) => Content::Put {
                    create_revision: record.create_revision,
                    version: record.version,
                    times: Times::read(&value),
                },
            };
            Seen {
                revision: record.revision,
                key: hash_of(record.key),
                content,
            }
        });
    seen.collect()
}

/// Hashes of keys that collide cost an anchor: the versions of one do not follow those of the other.
fn hash_of(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

impl Folded {
    fn add(&mut self, seen: Seen, keys: &mut HashMap<u64, Last>) {
        let main = seen.revision.main;
        // In a damaged file the walk need not go by revision.
        self.oldest = Some(self.oldest.map_or(main, |oldest| oldest.min(main)));
        self.newest = self.newest.max(Some(main));
        let (create_revision, version, times) = match seen.content {
            Content::Closed | Content::Deletion => {
                if matches!(seen.content, Content::Closed) {
                    self.closed = self.closed.saturating_add(1);
                }
                keys.remove(&seen.key);
                return;
            }
            Content::Put {
                create_revision,
                version,
                times,
            } => (create_revision, version, times),
        };
        let times = times.unwrap_or_default();
        let entry = keys.entry(seen.key);
        let last = match &entry {
            Entry::Occupied(last) => Some(last.get()),
            Entry::Vacant(_) => None,
        };
        let last = last.filter(|last| last.create_revision == create_revision);
        let before = match last {
            _ if version == 1 => Before::Nothing,
            Some(last) if last.version.checked_add(1) == Some(version) => last
                .digest
                .as_ref()
                .map_or(Before::Unknown, Before::Version),
            _ => Before::Unknown,
        };
        let anchor = Anchor::of(&times, before);
        // The first that is retained of a key tells when its first version was written.
        let created = times
            .created()
            .filter(|_| last.is_none() && version > 1 && create_revision > 0);
        let told_by = seen.revision;
        self.points
            .extend(anchor.map(|anchor| Point::new(main, anchor, told_by)));
        self.points
            .extend(created.map(|anchor| Point::new(create_revision, anchor, told_by)));
        entry.insert_entry(Last {
            create_revision,
            version,
            digest: times.digest(),
        });
    }
}
