//! What etcd's client or its server refuses, as data: the sentences are etcd's own.

use crate::etcd::store::RevisionUnavailable;

/// A request that etcd's client or its server refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// `--prefix` and `--from-key` together.
    PrefixAndFromKey,
    /// A RANGE_END together with one of those flags.
    EndWithFlag,
    /// No key, or more words than KEY and RANGE_END.
    OneOrTwoKeys,
    /// The empty key without one of those flags.
    EmptyKey,
    /// A watch of a range whose end is not after its start.
    EmptyWatchRange,
    /// A revision that is compacted or was never written.
    Unavailable(RevisionUnavailable),
}

impl Refusal {
    /// The compacted revision that a canceled watch names: only if the revision that was asked for is below it.
    pub fn compacted_of_watch(&self) -> Option<i64> {
        match self {
            Self::Unavailable(RevisionUnavailable::Compacted { asked, compacted }) => {
                (*asked > 0).then_some(*compacted)
            }
            _ => None,
        }
    }
}

/// Why a range of keys has no key to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NothingInRange {
    /// RANGE_END is not after KEY.
    UpsideDown,
    /// So many keys are in the range, and flags left all of them out.
    NoneSelected(usize),
    /// No key is in it.
    NoKey,
}
