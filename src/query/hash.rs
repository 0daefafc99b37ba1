//! etcd's hashes: over all buckets, and over the records up to a revision.

use crate::etcd::hash::{backend_hashes, hash_kv, hash_kv_by_revision};
use crate::etcd::status::Unreachable;
use crate::etcd::{AtRevision, Store};

use super::evidence::Evidence;
use super::no_answer::NoAnswer;

pub use crate::etcd::hash::{BackendHashes, HashKv};

/// The hashes over all buckets.
///
/// # Errors
/// If the file is not a bbolt database.
pub fn backend(evidence: &Evidence) -> Result<BackendHashes, NoAnswer> {
    Ok(backend_hashes(&evidence.store()?))
}

/// `HashKV` at a revision, or at the newest.
///
/// # Errors
/// If the file is not an etcd database, or the revision is compacted or was never written.
pub fn at_revision(evidence: &Evidence, asked: Option<i64>) -> Result<HashKv, NoAnswer> {
    let store = records(evidence)?;
    let compacted = store.compact_revision();
    let revision = match store.at(asked)? {
        AtRevision::HEAD => store.current_revision(),
        AtRevision(revision) => revision,
    };
    Ok(HashKv {
        hash: hash_kv(&store, revision),
        revision,
        compact_revision: (compacted > 0).then_some(compacted),
    })
}

/// `HashKV` at every revision that can be asked for, in their order.
///
/// # Errors
/// If the file is not an etcd database, and those of `visit`.
pub fn at_every_revision<E: From<NoAnswer>>(
    evidence: &Evidence,
    visit: impl FnMut(HashKv) -> Result<(), E>,
) -> Result<(), E> {
    hash_kv_by_revision(&records(evidence)?, visit)
}

/// The store of the database alone: the records of a log or of delta snapshots are not part of its hashes.
///
/// # Errors
/// If the file is not an etcd database, or its records cannot be reached.
pub(super) fn records(evidence: &Evidence) -> Result<Store<'_>, NoAnswer> {
    let store = evidence.store()?;
    if store.is_foreign() {
        return Err(evidence.foreign(&store));
    }
    Unreachable::check(&store).map_err(NoAnswer::Unreachable)?;
    Ok(store)
}
