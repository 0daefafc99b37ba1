//! Which revisions below the compaction are in no page any more.

use crate::bbolt::Direction;
use crate::diag::{Code, Damage, Diagnostic, Locus};
use crate::etcd::schema;

use super::{AtRevision, Store};

/// The main revisions up to `at` that have no known record: first and last of each run, ascending.
pub(in crate::etcd) fn missing_revisions(store: &Store<'_>, at: AtRevision) -> Vec<(i64, i64)> {
    let mut runs = Vec::new();
    // An empty etcd is at revision 1, so the first record has revision 2.
    let mut last = 1_i64;
    let known = store
        .records(Direction::Forward)
        .map(|record| record.revision.main);
    // An end mark after `at`, so that a run up to `at` is found as well.
    let end = at.0.saturating_add(1);
    for main in known.take_while(|main| *main <= at.0).chain([end]) {
        if main > last.saturating_add(1) {
            runs.push((last.saturating_add(1), main.saturating_sub(1)));
        }
        last = last.max(main);
    }
    runs
}

/// The finding that a keyspace below the compaction may be incomplete; `None` if a record of each revision is known.
pub(super) fn finding(store: &Store<'_>, at: AtRevision) -> Option<Damage> {
    let runs = missing_revisions(store, at);
    let lengths = runs
        .iter()
        .map(|(from, to)| to.saturating_sub(*from).saturating_add(1));
    let count: i64 = lengths.fold(0, i64::saturating_add);
    (count > 0).then(|| {
        Diagnostic::new(
            Code::HistoryIncomplete,
            Locus::default().bucket(schema::KEY),
        )
        .found(format!(
            "{count} of the {} revisions up to {} are no longer in any page",
            at.0.saturating_sub(1),
            at.0
        ))
        .effect("objects may be missing from this answer, or be older than they were at that time")
    })
}
