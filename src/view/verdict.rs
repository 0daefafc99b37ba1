//! The verdict on a file as a sentence.

use crate::query::verdict::{Soundness, Torn, Verdict};

/// The verdict in one sentence.
#[must_use]
pub fn sentence(verdict: &Verdict) -> &'static str {
    match (verdict.soundness, verdict.torn) {
        (Soundness::Damaged, _) if verdict.is_foreign && !verdict.has_changed => {
            "this bbolt file, which is not etcd's, is damaged or was copied while it was written: keys may be missing"
        }
        (_, Some(torn)) => torn_sentence(torn),
        (Soundness::Damaged, None) if verdict.has_changed => {
            "this file changed while it was read: the answer may mix two states"
        }
        (Soundness::Damaged, None) => {
            "this file is damaged: records may be missing, or not be what was written"
        }
        (Soundness::Followed, None) => {
            "every record could be read, but etcdutl does not restore the file as it is: bytes follow its SHA-256"
        }
        (Soundness::PartsDisagree, None) => {
            "every record could be read, but the database, the log and the raft snapshots of this data directory do not belong together"
        }
        (Soundness::Harmless, None) => {
            "something in this file is not as it should be, yet every record could be read"
        }
        (Soundness::Sound, None) => "nothing wrong was found",
    }
}

/// The sentence about a torn copy.
#[must_use]
pub fn torn_sentence(torn: Torn) -> &'static str {
    match torn {
        Torn::Foreign => {
            "this bbolt file, which is not etcd's, was copied while it was written, or is damaged: keys may be missing"
        }
        Torn::OrDamaged => {
            "this copy was taken while etcd was writing, or its pages are damaged: records may be missing"
        }
        // One page that was altered by something else looks the same.
        Torn::OrAltered => {
            "this copy was taken while etcd was writing, or a page of it was altered: records may be missing"
        }
        Torn::TwoStates => {
            "this copy was taken while etcd was writing: it mixes two states of the store, and records may be missing"
        }
        Torn::OutOfOrder => {
            "this copy was taken while etcd was writing: its pages and its meta pages are of different commits, and records may be missing"
        }
    }
}
