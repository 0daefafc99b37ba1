//! What a restore is asked for.

use crate::query::revision::RevisionExpr;

/// Which records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum History {
    /// All records up to the revision.
    #[default]
    All,
    /// Only the state at the revision, as after a compaction there.
    None,
}

/// What a restore is asked for.
#[derive(Debug, Clone, Default)]
pub struct RestoreRequest {
    /// The revision. None means the newest.
    pub at: Option<RevisionExpr>,
    /// The time whose state is restored, as typed. Used instead of `at`.
    pub at_time: Option<String>,
    /// Which records are written.
    pub history: History,
    /// Only keys with one of these prefixes; all keys if it is empty.
    pub prefixes: Vec<Vec<u8>>,
    /// No keys with these prefixes.
    pub excludes: Vec<Vec<u8>>,
    /// The time to live of leases whose own is not known, in seconds.
    pub lease_ttl: i64,
    /// Whether to write although records are missing.
    pub allow_loss: bool,
    /// Whether authentication is switched off if its buckets are damaged.
    pub auth_off: bool,
    /// Whether a CORRUPT alarm is dropped.
    pub drop_corrupt_alarm: bool,
    /// Whether records that the tree does not reach are used.
    pub carve: bool,
    /// Whether a wrong SHA-256 of a snapshot is accepted.
    pub skip_hash_check: bool,
    /// Whether the meta page was chosen by the user.
    pub meta_is_chosen: bool,
}

impl RestoreRequest {
    /// Whether only some keys are written.
    pub fn selects_keys(&self) -> bool {
        !self.prefixes.is_empty() || !self.excludes.is_empty()
    }

    /// Whether a key is written.
    pub fn covers(&self, key: &[u8]) -> bool {
        let is_of = |prefixes: &[Vec<u8>]| prefixes.iter().any(|prefix| key.starts_with(prefix));
        (self.prefixes.is_empty() || is_of(&self.prefixes)) && !is_of(&self.excludes)
    }
}
