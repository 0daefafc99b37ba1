//! The state one commit before the newest: whether it can be used.
//!
//! bbolt writes a commit into pages that neither of the two states needs which the meta pages name, and its meta page
//! last, over the older one. So in a file that no one writes to, both states are whole, and the older one is older in
//! every number that only grows. A copy that is taken while etcd writes may have the meta pages of one time and pages
//! of another. Example: the meta pages are those of transactions 18 and 19, the pages were copied one commit later.
//! Transaction 20 has reused the pages of 18, so meta page 0 (18) leads to revision 14, and meta page 1 (19) to 13.
//! Nothing in the pages is damaged; only the comparison of both states shows it.

use std::fmt;

use crate::bbolt::{Db, Direction};
use crate::diag::{Diagnostics, Severity};

use super::schema::MetaBucket;
use super::state::State;

/// What shows that the two states are not those of two commits, one after the other. Of two numbers the first is that
/// of the older meta page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfOrder {
    /// bbolt numbers transactions without a gap.
    Transactions([u64; 2]),
    /// The newest revision.
    Revisions([i64; 2]),
    /// The revision to which history is compacted.
    Compactions([i64; 2]),
    /// The index of the last raft entry that was applied.
    Indices([u64; 2]),
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transactions([former, newest]) => write!(
                f,
                "its meta page is of transaction {former}, the newest of {newest}"
            ),
            Self::Revisions([former, newest]) => {
                write!(
                    f,
                    "it is at revision {former}, the newest state at {newest}"
                )
            }
            Self::Compactions([former, newest]) => write!(
                f,
                "it is compacted to revision {former}, the newest state to {newest}"
            ),
            Self::Indices([former, newest]) => write!(
                f,
                "its consistent index is {former}, that of the newest state {newest}"
            ),
        }
    }
}

/// What is compared of a state.
struct Numbers {
    revision: i64,
    meta: MetaBucket,
}

impl Numbers {
    /// By the tree of this meta page alone; none if it is damaged where the numbers are: that is reported elsewhere.
    fn read(db: &Db<'_>, index: usize) -> Option<Self> {
        let findings = Diagnostics::new();
        let state = State::from_tree(db.by_meta_page(index, &findings)?);
        let newest = state.records(Direction::Backward).next();
        let numbers = Self {
            revision: newest.map_or(0, |record| record.revision.main),
            meta: state.meta().clone(),
        };
        let is_whole = |found: &[_]| {
            let mut codes = found
                .iter()
                .map(|(code, ..): &(crate::diag::Code, _, _)| *code);
            codes.all(|code| code.severity() == Severity::Info)
        };
        is_whole(&findings.by_code()).then_some(numbers)
    }
}

/// Compares the states of both meta pages; none if there is no former state, or nothing contradicts it.
pub fn out_of_order(db: &Db<'_>) -> Option<OutOfOrder> {
    let [former, newest] = db.last_two_states()?;
    let txid = |index: usize| Some(db.metas().get(index)?.as_ref().ok()?.txid);
    let txids = [txid(former)?, txid(newest)?];
    if txids[0].checked_add(1) != Some(txids[1]) {
        return Some(OutOfOrder::Transactions(txids));
    }
    let [former, newest] = [Numbers::read(db, former)?, Numbers::read(db, newest)?];
    let revisions = [former.revision, newest.revision];
    let compactions = [&former, &newest].map(|numbers| numbers.meta.compact_revision());
    // A compaction may remove the newest record: a deletion.
    let is_later = revisions[0] > revisions[1].max(compactions[1]);
    if is_later {
        return Some(OutOfOrder::Revisions(revisions));
    }
    if compactions[0] > compactions[1] {
        return Some(OutOfOrder::Compactions(compactions));
    }
    let indices = [former.meta.consistent_index?, newest.meta.consistent_index?];
    (indices[0] > indices[1] && !is_restored(&newest.meta)).then_some(OutOfOrder::Indices(indices))
}

/// The most members that a cluster is taken to have.
const MOST_MEMBERS: u64 = 100;

/// Whether `etcdutl snapshot restore` may have been the last to write: it sets the index to the number of members and
/// the term to 1. A server that was elected has a term of 2 at least.
fn is_restored(meta: &MetaBucket) -> bool {
    meta.term.is_none_or(|term| term <= 1)
        && meta
            .consistent_index
            .is_none_or(|index| index <= MOST_MEMBERS)
}
