//! What a request puts and deletes.

use super::entry::Request;
use super::messages::{DeleteRangeRequest, Operation, PutRequest, TxnRequest};

/// When an operation is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// In any case.
    Always,
    /// Where all comparisons of its transaction hold.
    Success,
    /// Where not all do.
    Failure,
}

impl Branch {
    /// The word for it in output; none where it is done in any case.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Always => None,
            Self::Success => Some("success"),
            Self::Failure => Some("failure"),
        }
    }
}

/// A change that a request asks for.
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

    /// Whether it can change a key.
    pub fn covers(&self, key: &[u8]) -> bool {
        match self {
            Self::Put(put) => put.key == key,
            Self::Delete(delete) => delete.covers(key),
        }
    }
}

/// The changes that a request asks for, in its order. Those of nested transactions have the branch of the outermost one.
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

/// The depth is that of the message, which has a limit.
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
