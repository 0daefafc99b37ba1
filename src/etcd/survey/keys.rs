//! The newest record of each key at a revision, in little memory: 1.5 million keys need about 100 MB. The keys
//! themselves are only kept, borrowed from the source, if their newest record has a lease.

use crate::etcd::generation::Generation;
use crate::etcd::key_ids::{KeyIds, KeyTable};
use crate::etcd::record::Record;
use crate::etcd::revision::Revision;
use crate::etcd::succession::NewestRecord;

/// The newest record of a key, as it is kept.
#[derive(Debug, Clone, Copy)]
struct Newest {
    revision: Revision,
    /// 0 if it deletes the key.
    create_revision: i64,
    version: i64,
}

/// A key whose newest record has a lease.
#[derive(Debug, Clone, Copy)]
pub struct LeasedKey<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The id of the lease.
    pub lease: i64,
}

/// The keys of a survey.
#[derive(Debug, Default)]
pub struct SurveyedKeys<'a> {
    ids: KeyIds,
    newest: KeyTable<Newest>,
    leased: KeyTable<LeasedKey<'a>>,
}

impl From<Newest> for NewestRecord {
    fn from(newest: Newest) -> Self {
        let create_revision = newest.create_revision;
        Self {
            revision: newest.revision,
            generation: (create_revision != 0).then_some(Generation { create_revision }),
            version: newest.version,
        }
    }
}

impl<'a> SurveyedKeys<'a> {
    /// Sets the newest record of its key. Returns the one before it.
    pub fn follow(&mut self, record: &Record<'a>) -> Option<NewestRecord> {
        let id = self.ids.of(record.key);
        let newest = Newest {
            revision: record.revision,
            create_revision: match record.tombstone {
                true => 0,
                false => record.create_revision,
            },
            version: record.version,
        };
        if record.lease != 0 && !record.tombstone {
            let (key, lease) = (record.key, record.lease);
            self.leased.insert(id, LeasedKey { key, lease });
        } else if !self.leased.is_empty() {
            self.leased.remove(&id);
        }
        self.newest.insert(id, newest).map(NewestRecord::from)
    }

    /// The newest record of a key.
    pub fn get(&self, key: &[u8]) -> Option<NewestRecord> {
        self.newest
            .get(&self.ids.of(key))
            .copied()
            .map(NewestRecord::from)
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// Number of keys that exist.
    pub fn live_keys(&self) -> u64 {
        self.live().count() as u64
    }

    /// The revisions of the newest records of all keys that exist, ascending.
    pub fn live_revisions(&self) -> Vec<Revision> {
        let mut revisions: Vec<Revision> = self.live().map(|newest| newest.revision).collect();
        revisions.sort_unstable();
        revisions
    }

    /// Whether the newest record of a key is of this main revision.
    pub fn has_newest_of(&self, main: i64) -> bool {
        self.newest
            .values()
            .any(|newest| newest.revision.main == main)
    }

    /// The keys whose newest record has a lease, in no order.
    pub fn leased(&self) -> impl Iterator<Item = LeasedKey<'a>> {
        self.leased.values().copied()
    }

    fn live(&self) -> impl Iterator<Item = &Newest> {
        self.newest
            .values()
            .filter(|newest| newest.create_revision != 0)
    }
}
