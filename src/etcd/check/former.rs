//! The state of the other meta page: whether it can be fallen back to.

use crate::bbolt::check::walk;
use crate::bbolt::{Direction, Pgid};
use crate::diag::{Code, Diagnostic, Diagnostics, Locus, Severity};

use super::super::leaves::leaf_records;
use super::super::schema;
use super::super::state::State;
use super::super::store::Store;

/// Walks the state that the other meta page names, with all checks that tell a torn copy. That it is not
/// whole is no damage of the chosen state: a server reuses the pages of the former state as it goes on, and
/// a copy that was taken meanwhile has the newer pages. `None` where there is no former state.
pub fn check_former(store: &Store<'_>) -> Option<bool> {
    let findings = Diagnostics::new();
    let db = store.db();
    let former = State::from_tree(db.other_state(&findings)?);
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
        .effect("there is no former state to fall back to; the newest state is not touched by it"),
    );
    Some(false)
}
