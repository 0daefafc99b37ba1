//! etcd's hashes: over all buckets, and over the records up to a revision.

use crate::etcd::hash::{backend_hashes, hash_kv, hash_kv_by_revision, salvaged_records};
use crate::etcd::status::Unreachable;
use crate::etcd::{AtRevision, Store};

use super::evidence::Evidence;
use super::no_answer::NoAnswer;
use super::notice::{Notice, Notices};

pub use crate::etcd::hash::{BackendHashes, HashKv};

/// The hashes over all buckets.
///
/// # Errors
/// If the file is not a bbolt database.
pub fn backend(evidence: &Evidence, notices: &Notices) -> Result<BackendHashes, NoAnswer> {
    let hashes = backend_hashes(&evidence.store()?);
    evidence.note_deltas_left_out(notices);
    note_salvaged(hashes.salvaged, notices);
    Ok(hashes)
}

/// Reports that salvaged records are hashed.
fn note_salvaged(records: u64, notices: &Notices) {
    if records > 0 {
        notices.add(Notice::SalvagedHashed(records));
    }
}

/// `HashKV` at a revision, or at the newest.
///
/// # Errors
/// If the file is not an etcd database, or the revision is compacted or was never written.
pub fn at_revision(
    evidence: &Evidence,
    asked: Option<i64>,
    notices: &Notices,
) -> Result<HashKv, NoAnswer> {
    let store = records(evidence)?;
    let compacted = store.compact_revision();
    let revision = match store.at(asked)? {
        AtRevision::HEAD => store.current_revision(),
        AtRevision(revision) => revision,
    };
    let hash = HashKv {
        hash: hash_kv(&store, revision),
        revision,
        compact_revision: (compacted > 0).then_some(compacted),
    };
    evidence.note_deltas_left_out(notices);
    note_salvaged_of(&store, notices);
    Ok(hash)
}

/// Reports that salvaged records are hashed. Called after the store was read: until then damage is not known.
fn note_salvaged_of(store: &Store<'_>, notices: &Notices) {
    if store.db().diagnostics().found_damage() {
        note_salvaged(salvaged_records(store), notices);
    }
}

/// `HashKV` at every revision that can be asked for, in their order.
///
/// # Errors
/// If the file is not an etcd database, and those of `visit`.
pub fn at_every_revision<E: From<NoAnswer>>(
    evidence: &Evidence,
    notices: &Notices,
    visit: impl FnMut(HashKv) -> Result<(), E>,
) -> Result<(), E> {
    let store = records(evidence)?;
    hash_kv_by_revision(&store, visit)?;
    evidence.note_deltas_left_out(notices);
    note_salvaged_of(&store, notices);
    Ok(())
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
