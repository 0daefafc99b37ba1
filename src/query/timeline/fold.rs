//! One pass over a store for the times in its values.
//!
//! Reading the times of a value needs no other value, and is done in parallel over leaf pages, a batch at a
//! time; comparing them with the key's version before is done in the order of writing. Of each key there is
//! kept what the next version is compared with: hashes, not the value and not the key.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rayon::prelude::*;

use crate::bbolt::{Direction, Leaf};
use crate::diag::Diagnostics;
use crate::etcd::leaves::leaf_records;
use crate::etcd::{Record, Revision, Store};
use crate::k8s::anchors::{Anchor, Digest, Evidence, Previous, Times};
use crate::k8s::encrypt::Keyring;
use crate::k8s::wall_clock::{Point, Points};

/// Bytes of leaf pages that are read at once, in all tasks together.
const BATCH_BYTES: usize = 4 << 20;

/// What the pass found.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) points: Points,
    pub(super) closed: u64,
    pub(super) oldest: Option<i64>,
    pub(super) newest: Option<i64>,
}

/// The parts of a record from which times are read.
struct Seen {
    revision: Revision,
    /// Of the key.
    key: u64,
    content: Content,
}

enum Content {
    Deletion,
    /// A value that is still encrypted.
    Closed,
    Put {
        create_revision: i64,
        version: i64,
        times: Option<Times>,
    },
}

pub(super) fn fold(store: &Store<'_>, keyring: &Keyring) -> Folded {
    let mut folded = Folded::default();
    let mut keys: HashMap<u64, Digest> = HashMap::new();
    let diagnostics = store.db().diagnostics();
    let beside: Vec<Seen> = store
        .additional()
        .par_iter()
        .map(|record| read(record, keyring))
        .collect();
    let mut beside = beside.into_iter().peekable();
    let mut leaves = store.record_leaves(Direction::Forward);
    let mut add = |seen: Vec<Vec<Seen>>| {
        for seen in seen.into_iter().flatten() {
            while let Some(before) = beside.next_if(|before| before.revision < seen.revision) {
                folded.add(before, &mut keys);
            }
            folded.add(seen, &mut keys);
        }
    };
    // While one batch is read, the one before it is added, and the leaves of the next one are found.
    let mut batch = next_batch(&mut leaves);
    let mut seen = Vec::new();
    while !batch.is_empty() {
        let before = std::mem::take(&mut seen);
        let read = || -> Vec<Vec<Seen>> {
            let leaves = batch.par_iter();
            leaves
                .map(|leaf| read_leaf(leaf, keyring, diagnostics))
                .collect()
        };
        let find_and_add = || {
            let next = next_batch(&mut leaves);
            add(before);
            next
        };
        let (next, read) = rayon::join(find_and_add, read);
        (batch, seen) = (next, read);
    }
    add(seen);
    for seen in beside {
        folded.add(seen, &mut keys);
    }
    for (main, time) in store.times() {
        let anchor = Anchor {
            time: *time,
            evidence: Evidence::Received,
        };
        folded.points.add(Point::new(*main, anchor, (*main, 0)));
    }
    folded
}

/// The next leaves, as many as are read at once.
fn next_batch<'a>(leaves: &mut impl Iterator<Item = Leaf<'a>>) -> Vec<Leaf<'a>> {
    let mut batch = Vec::new();
    let mut bytes = 0_usize;
    while bytes < BATCH_BYTES {
        let Some(leaf) = leaves.next() else { break };
        bytes = bytes.saturating_add(leaf.page.run().len_bytes());
        batch.push(leaf);
    }
    batch
}

fn read_leaf(leaf: &Leaf<'_>, keyring: &Keyring, diagnostics: &Diagnostics) -> Vec<Seen> {
    leaf_records(leaf, Direction::Forward, diagnostics)
        .filter(|record| !record.is_bump_mark())
        .map(|record| read(&record, keyring))
        .collect()
}

fn read(record: &Record<'_>, keyring: &Keyring) -> Seen {
    let content = match keyring.decrypt(record.key, record.value) {
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
}

/// If the hashes of two keys are equal, some times are lost and none is wrong: the versions of one key do not continue
/// those of the other.
fn hash_of(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

impl Folded {
    fn add(&mut self, seen: Seen, keys: &mut HashMap<u64, Digest>) {
        let main = seen.revision.main;
        // In a damaged file records may come in another order than that of revisions.
        self.oldest = Some(self.oldest.map_or(main, |oldest| oldest.min(main)));
        self.newest = self.newest.max(Some(main));
        let last = keys.remove(&seen.key);
        let (create_revision, version, times) = match seen.content {
            Content::Deletion => return,
            Content::Closed => {
                self.closed = self.closed.saturating_add(1);
                return;
            }
            Content::Put {
                create_revision,
                version,
                times,
            } => (create_revision, version, times.unwrap_or_default()),
        };
        let follows =
            |last: &&Digest| last.is_for(create_revision, version.saturating_sub(1)) && version > 1;
        let before = match last.as_ref().filter(follows) {
            _ if version == 1 => Previous::Absent,
            Some(last) => Previous::Version(last),
            None => Previous::Unknown,
        };
        let source = (main, seen.revision.sub);
        if let Some(anchor) = Anchor::from_times(&times, before) {
            self.points.add(Point::new(main, anchor, source));
        }
        // The oldest retained version of a key has the creation time, which is the time of its first version.
        if let (Previous::Unknown, Some(anchor)) = (before, times.created())
            && (1..main).contains(&create_revision)
        {
            self.points.add(Point::new(create_revision, anchor, source));
        }
        if let Some(digest) = times.digest(create_revision, version) {
            keys.insert(seen.key, digest);
        }
    }
}
