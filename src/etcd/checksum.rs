//! The checksum of the live keyspace that `auger checksum` computes (`pkg/data/data.go`, HashByRevision).
//!
//! CRC-32C over the name of bucket `key`, then key and value of every live key in key order. It does not include history,
//! so a compaction does not change it, unlike [`super::hash::hash_kv`].

use crate::parallel::read_each;
use crate::source::Source;

use super::hash::CrcPart;
use super::keyspace::PlacedKeyspace;
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

/// How many values are read before the pages are released from memory.
const BATCH: usize = 4096;

impl Checksum {
    /// The checksum at a revision, or at the newest.
    ///
    /// # Errors
    /// The revision is below the compaction or above the newest.
    pub fn at(store: &Store<'_>, asked: Option<i64>) -> Result<Self, RevisionUnavailable> {
        let at = store.at(asked)?;
        let hash = crc32c::crc32c(schema::KEY);
        let live = PlacedKeyspace::at(store, at, |_| true).live;
        // The values are read in the order of the file, and their checksums are combined in that of the keys.
        let order = live.in_file_order();
        let part = |index: usize| {
            let value = live.record(index).map_or(&[][..], |record| record.value);
            CrcPart::of_element(live.key(index), value)
        };
        let source = store.db().source();
        let parts = read_each(live.len(), &order, BATCH, part, &mut |_| {
            source.into_iter().for_each(Source::forget_resident);
        });
        let parts = parts.into_iter().flatten();
        let hash = parts.fold(hash, |hash, part| part.after(hash));
        Ok(Self {
            hash,
            compact_revision: store.compact_revision(),
            revision: asked.unwrap_or_else(|| store.current_revision()),
        })
    }
}
