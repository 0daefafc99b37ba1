//! What a pass over the records of a new file gives, to compare it with what was written.

use crate::etcd::record_pass::{Hashes, RecordPass};
use crate::etcd::store::Store;

use super::records::Tally;

/// The records of a file that was written.
#[derive(Debug)]
pub struct ReadBack {
    /// Its records.
    pub tally: Tally,
    /// How many keys exist.
    pub live_keys: u64,
    /// `HashKV` at the newest revision.
    pub hash_kv: u32,
}

impl ReadBack {
    /// Reads all records of a store. A record that contradicts the one of its key before it becomes a finding. None if the
    /// store has records of other origins.
    pub fn read(store: &Store<'_>) -> Option<Self> {
        let pass = RecordPass::of_store(store, Hashes::Computed);
        let (hash_kv, sums) = pass.hashed?;
        let bytes = sums.key_bytes.saturating_add(sums.value_bytes);
        Some(Self {
            tally: Tally::new(sums.elements, bytes, sums.part.crc()),
            live_keys: pass.counts.live_keys,
            hash_kv,
        })
    }
}
