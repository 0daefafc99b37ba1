//! An entry of the log, as far as it matters for its revision.

use std::collections::HashSet;

use crate::etcd::wal::entry::Request;
use crate::etcd::wal::messages::{CompareResult, CompareTarget, TxnRequest};
use crate::etcd::wal::writes::{Branch, Change, changes};

/// How many operations and comparisons of one request are looked at; etcd itself accepts 128 unless configured
/// otherwise.
const MOST_OPERATIONS: usize = 1000;

/// An entry, as far as it matters for its revision.
pub(super) struct Step<'w> {
    /// What it changes if it changes anything; empty if that depends on what is not in it.
    pub(super) changes: Vec<Change<'w>>,
    /// What it may change, whichever branch is taken.
    pub(super) possible_changes: Vec<Change<'w>>,
    /// Whether it may use a revision.
    pub(super) may_use_revision: bool,
    /// The keys that it requires to be at a revision.
    pub(super) compares: Vec<(&'w [u8], i64)>,
    pub(super) offset: u64,
}

impl<'w> Step<'w> {
    pub(super) fn new(request: &Request<'w>, offset: u64) -> Self {
        let mut all = changes(request);
        let too_many = all.len() > MOST_OPERATIONS;
        if too_many {
            all.clear();
        }
        let branches: HashSet<_> = all.iter().map(|(branch, _)| branch.as_str()).collect();
        let internal = match request {
            Request::Internal(internal) => Some(internal),
            _ => None,
        };
        let revokes = internal.is_some_and(|internal| internal.lease_revoke.is_some());
        let txn = internal.and_then(|internal| internal.txn.as_deref());
        // With a change in the other branch it is unknown whether the comparisons held.
        let can_fail = all.iter().any(|(branch, _)| *branch == Branch::Failure);
        let is_nested = txn.is_some_and(|txn| txn.nested().next().is_some());
        Self {
            may_use_revision: too_many || !all.is_empty() || revokes,
            possible_changes: all.iter().map(|(_, change)| *change).collect(),
            compares: match txn {
                Some(txn) if !can_fail => compared_revisions(txn),
                _ => Vec::new(),
            },
            changes: if branches.len() == 1 && !is_nested {
                all.into_iter().map(|(_, change)| change).collect()
            } else {
                Vec::new()
            },
            offset,
        }
    }

    /// The revision that it requires a key to be at.
    pub(super) fn compared_with(&self, key: &[u8]) -> Option<i64> {
        self.compares
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, revision)| *revision)
    }
}

/// The comparisons `mod(KEY) = REVISION` of a transaction.
fn compared_revisions<'w>(txn: &TxnRequest<'w>) -> Vec<(&'w [u8], i64)> {
    let compares = txn.compare.iter().filter(|compare| {
        compare.result == CompareResult::EQUAL
            && compare.target == CompareTarget::MOD
            && compare.range_end.is_empty()
    });
    compares
        .map(|compare| (compare.key, compare.mod_revision()))
        .collect()
}
