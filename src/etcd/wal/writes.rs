//! The puts and deletions in a request of the write-ahead log.

use super::entry::Request;
use super::messages::{DeleteRangeRequest, Operation, PutRequest, TxnRequest};

/// The condition under which an operation is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// Always.
    Always,
    /// If all comparisons of its transaction are true.
    Success,
    /// If any of them is false.
    Failure,
}

impl Branch {
    /// The word for it in output; none for an operation that is always applied.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Always => None,
            Self::Success => Some("success"),
            Self::Failure => Some("failure"),
        }
    }
}

/// A change in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A put.
    Put(PutRequest<'a>),
    /// A deletion.
    Delete(DeleteRangeRequest<'a>),
}

impl<'a> Change<'a> {
    /// Its key, or its first one.
    pub fn key(&self) -> &'a [u8] {
        match self {
            Self::Put(put) => put.key,
            Self::Delete(delete) => delete.key,
        }
    }

    /// Whether the key is the one that is put, or is in the range that is deleted.
    pub fn covers(&self, key: &[u8]) -> bool {
        match self {
            Self::Put(put) => put.key == key,
            Self::Delete(delete) => delete.covers(key),
        }
    }
}

/// The changes in a request, in the order of the request. Of a transaction, those of both branches. A change in a
/// nested transaction has the branch of the outermost one.
pub fn changes<'a>(request: &Request<'a>) -> Vec<(Branch, Change<'a>)> {
    let mut changes = Vec::new();
    let Request::Internal(request) = request else {
        return changes;
    };
    if let Some(put) = &request.put {
        changes.push((Branch::Always, Change::Put(**put)));
    }
    if let Some(delete) = &request.delete_range {
        changes.push((Branch::Always, Change::Delete(**delete)));
    }
    if let Some(txn) = &request.txn {
        add_changes_of(txn, None, &mut changes);
    }
    changes
}

/// Adds the changes of a transaction. `outer` is the branch of the outermost transaction; none if this is the
/// outermost one. The recursion is bounded by the depth limit of messages.
fn add_changes_of<'a>(
    txn: &TxnRequest<'a>,
    outer: Option<Branch>,
    changes: &mut Vec<(Branch, Change<'a>)>,
) {
    for (ops, branch) in [
        (&txn.success, Branch::Success),
        (&txn.failure, Branch::Failure),
    ] {
        let branch = outer.unwrap_or(branch);
        for op in ops {
            match &op.operation {
                Some(Operation::Put(put)) => changes.push((branch, Change::Put(**put))),
                Some(Operation::DeleteRange(delete)) => {
                    changes.push((branch, Change::Delete(**delete)));
                }
                Some(Operation::Txn(txn)) => add_changes_of(txn, Some(branch), changes),
                Some(Operation::Range(_)) | None => {}
            }
        }
    }
}
