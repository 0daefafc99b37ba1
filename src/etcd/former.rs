//! The state one commit before the newest: whether it can be used.
//!
//! The two meta pages name two states. bbolt writes a commit into pages that neither state uses, and then overwrites the
//! older meta page. So in a file that is not being written, both states are intact, and every number that only grows is
//! smaller in the older state. A copy taken while etcd was writing may have meta pages of one time and pages of another.
//!
//! Example: the copy has the meta pages of transactions 18 and 19, but pages of transaction 20, which reused pages of 18.
//! So meta page 0 (18) leads to revision 14, and meta page 1 (19) to revision 13. No page is damaged. Only the comparison
//! of both states shows the fault.

use std::fmt;

use crate::bbolt::{Db, Direction};
use crate::diag::{Diagnostics, Severity};

use super::schema::MetaBucket;
use super::state::State;

/// The contradiction which shows that the two states are not two consecutive commits. Of two numbers, the first is that
/// of the older meta page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfOrder {
    /// The transaction ids are not consecutive.
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

/// The numbers of a state that are compared.
struct Numbers {
    revision: i64,
    meta: MetaBucket,
}

impl Numbers {
    /// Reads them from the tree of this meta page. None if their pages are damaged, which is reported elsewhere.
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
    // A compaction may remove the newest record if it is a deletion.
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

/// The largest number of members that is considered possible.
const MOST_MEMBERS: u64 = 100;

/// Whether `etcdutl snapshot restore` may have written this state last. It sets the index to the number of members and the
/// term to 1. After an election the term is at least 2.
fn is_restored(meta: &MetaBucket) -> bool {
    meta.term.is_none_or(|term| term <= 1)
        && meta
            .consistent_index
            .is_none_or(|index| index <= MOST_MEMBERS)
}
