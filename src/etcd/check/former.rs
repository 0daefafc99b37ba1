//! Checks the state of the other meta page: whether it can replace the newest one.

use crate::bbolt::check::walk;
use crate::bbolt::{Db, Direction, Pgid};
use crate::diag::{Code, Diagnostic, Diagnostics, Locus, Severity};

use super::super::former::out_of_order;
use super::super::leaves::leaf_records;
use super::super::schema;
use super::super::state::State;
use super::super::store::Store;

/// Walks the state of the other meta page, with all checks that find a torn copy. Returns whether it is intact. If it is
/// not, the chosen state is still undamaged: a running server reuses pages of the former state. `None` if there is no
/// former state, or it is the chosen one.
pub fn check_former(store: &Store<'_>) -> Option<bool> {
    let db = store.db();
    if report_out_of_order(db) {
        return Some(false);
    }
    let findings = Diagnostics::new();
    let former = db.other_state(&findings)?;
    if former.meta().txid > db.meta().txid {
        return None;
    }
    let former = State::from_tree(former);
    for leaf in former.record_leaves(Direction::Forward) {
        leaf_records(&leaf, Direction::Forward, &findings).for_each(drop);
    }
    let small = former.buckets().iter();
    let small = small.filter(|bucket| bucket.name != schema::KEY).cloned();
    walk(former.db(), small);
    let wrong = |code: &Code| code.severity() > Severity::Info;
    let found = findings.by_code();
    let count = found
        .iter()
        .filter(|(code, ..)| wrong(code))
        .fold(0_u64, |sum, (_, count, _)| sum.saturating_add(*count));
    let first = found
        .iter()
        .filter(|(code, ..)| wrong(code))
        .find_map(|(_, _, kept)| kept.first());
    let Some(first) = first else {
        return Some(true);
    };
    let (index, _) = former.db().choice();
    let page = Pgid(index.unwrap_or_default() as u64);
    db.diagnostics().report(
        Diagnostic::new(
            Code::FormerState,
            Locus::page(page.0, db.pages().offset_of(page)),
        )
        .found(format!(
            "{count} findings in the state of transaction {}, the first: {}: {}",
            former.db().meta().txid,
            first.code,
            first.locus
        ))
        .effect("there is no former state to fall back to; the newest state is not affected"),
    );
    Some(false)
}

/// Reports that the states of the two meta pages contradict each other. Returns whether they do.
pub fn report_out_of_order(db: &Db<'_>) -> bool {
    let Some(order) = out_of_order(db) else {
        return false;
    };
    let [former, _] = db.last_two_states().unwrap_or_default();
    let page = Pgid(former as u64);
    db.diagnostics().report(
        Diagnostic::new(
            Code::FormerNewer,
            Locus::page(page.0, db.pages().offset_of(page)),
        )
        .expected("the state one commit before the newest", order.to_string())
        .effect("pages of another commit are in this file: there is no former state, and records may be missing from the newest"),
    );
    true
}
