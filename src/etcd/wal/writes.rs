//! What a request puts and deletes.

use super::entry::Request;
use super::wire::Node;

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

/// A put, as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// The lease; 0 for none.
    pub lease: i64,
    /// Whether the key keeps its value.
    pub ignore_value: bool,
    /// Whether the key keeps its lease.
    pub ignore_lease: bool,
}

/// A deletion, as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delete<'a> {
    /// The key, or the first one.
    pub key: &'a [u8],
    /// The first key behind; empty for one key alone, a single 0 for all behind.
    pub range_end: &'a [u8],
}

/// A change that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A put.
    Put(Put<'a>),
    /// A deletion.
    Delete(Delete<'a>),
}

impl<'a> Put<'a> {
    pub(super) fn of(node: &Node<'a>) -> Self {
        Self {
            key: node.bytes("key"),
            value: node.bytes("value"),
            lease: node.int("lease"),
            ignore_value: node.flag("ignore_value"),
            ignore_lease: node.flag("ignore_lease"),
        }
    }
}

impl<'a> Delete<'a> {
    pub(super) fn of(node: &Node<'a>) -> Self {
        Self {
            key: node.bytes("key"),
            range_end: node.bytes("range_end"),
        }
    }

    /// Whether a key is among those to be deleted.
    pub fn covers(&self, key: &[u8]) -> bool {
        match self.range_end {
            [] => key == self.key,
            [0] => key >= self.key,
            end => key >= self.key && key < end,
        }
    }
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

/// The changes that a request asks for, in its order; those of transactions in transactions with the branch of the
/// outermost.
pub fn changes<'a>(request: &Request<'a>) -> Vec<(Branch, Change<'a>)> {
    let mut changes = Vec::new();
    let Request::Internal(request) = request else {
        return changes;
    };
    if let Some(put) = request.node("put") {
        changes.push((Branch::Always, Change::Put(Put::of(put))));
    }
    if let Some(delete) = request.node("delete_range") {
        changes.push((Branch::Always, Change::Delete(Delete::of(delete))));
    }
    if let Some(txn) = request.node("txn") {
        of_txn(txn, None, &mut changes);
    }
    changes
}

/// The depth is that of the message, which has a limit.
fn of_txn<'a>(txn: &Node<'a>, outer: Option<Branch>, changes: &mut Vec<(Branch, Change<'a>)>) {
    for (name, branch) in [("success", Branch::Success), ("failure", Branch::Failure)] {
        let branch = outer.unwrap_or(branch);
        for op in txn.nodes(name) {
            if let Some(put) = op.node("request_put") {
                changes.push((branch, Change::Put(Put::of(put))));
            }
            if let Some(delete) = op.node("request_delete_range") {
                changes.push((branch, Change::Delete(Delete::of(delete))));
            }
            if let Some(txn) = op.node("request_txn") {
                of_txn(txn, Some(branch), changes);
            }
        }
    }
}
