//! The checksum of the live keyspace that `auger checksum` computes (`pkg/data/data.go`, HashByRevision).
//!
//! CRC-32C over the name of bucket `key`, then key and value of every live key in key order. It does not include history,
//! so a compaction does not change it, unlike [`super::hash::hash_kv`].

use super::keyspace::Keyspace;
use super::schema;
use super::store::{RevisionUnavailable, Store};

/// The result of `checksum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// The checksum of the live keyspace at `revision`.
    pub hash: u32,
    /// The compaction; 0 for none.
    pub compact_revision: i64,
    /// The revision of the checksum: the requested one, or the store's newest.
    pub revision: i64,
}

impl Checksum {
    /// The checksum at a revision, or at the newest.
    ///
    /// # Errors
    /// The revision is below the compaction or above the newest.
    pub fn at(store: &Store<'_>, asked: Option<i64>) -> Result<Self, RevisionUnavailable> {
        let at = store.at(asked)?;
        let mut hash = crc32c::crc32c(schema::KEY);
        for entry in Keyspace::at(store, at, |_| true).live {
            hash = crc32c::crc32c_append(hash, &entry.key);
            hash = crc32c::crc32c_append(hash, entry.record.value);
        }
        Ok(Self {
            hash,
            compact_revision: store.compact_revision(),
            revision: asked.unwrap_or_else(|| store.current_revision()),
        })
    }
}
