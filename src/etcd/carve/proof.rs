//! What of a keyspace below the compaction is proved, when its records were carved: a freed page may hold one version
//! of a key, and the next one lie in no page any more.

use std::collections::{BTreeSet, HashMap};

use crate::bbolt::Direction;
use crate::diag::{Code, Damage, Diagnostic, Locus};
use crate::etcd::generation::Generation;
use crate::etcd::history::KeyEntry;
use crate::etcd::record::Record;
use crate::etcd::schema;
use crate::etcd::store::{AtRevision, Store};

/// Up to a revision below the compaction, the main revisions of which no record is known.
fn missing(store: &Store<'_>, at: AtRevision) -> Vec<(i64, i64)> {
    let mut runs = Vec::new();
    let mut last = 1_i64;
    let known = store
        .records(Direction::Forward)
        .map(|record| record.revision.main);
    let end = at.0.saturating_add(1);
    for main in known.take_while(|main| *main <= at.0).chain([end]) {
        if main > last.saturating_add(1) {
            runs.push((last.saturating_add(1), main.saturating_sub(1)));
        }
        last = last.max(main);
    }
    runs
}

/// The finding that a keyspace below the compaction may not be whole; none where a record of each revision is known.
pub fn incomplete(store: &Store<'_>, at: AtRevision) -> Option<Damage> {
    let runs = missing(store, at);
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
            "{count} of the {} revisions up to {} are in no page any more",
            at.0.saturating_sub(1),
            at.0
        ))
        .effect("objects may be missing from this answer, or be shown as they were before these")
    })
}

/// Which of these keys, live at a revision below the compaction, may have been changed or deleted by then: all but
/// those whose next known version is the very next one, and those after whose version each revision is known.
pub fn unproved(store: &Store<'_>, at: AtRevision, entries: &[KeyEntry<'_>]) -> BTreeSet<usize> {
    if at.0 >= store.compact_revision() {
        return BTreeSet::new();
    }
    let runs = missing(store, at);
    let is_gap_after = |main: i64| runs.last().is_some_and(|(_, to)| *to > main);
    let mut open: HashMap<&[u8], (usize, Record<'_>)> = entries
        .iter()
        .enumerate()
        // What is in the state was a key's value up to the compaction.
        .filter(|(_, entry)| !entry.record.origin.is_of_state())
        .filter(|(_, entry)| is_gap_after(entry.record.revision.main))
        .map(|(index, entry)| (&*entry.key, (index, entry.record)))
        .collect();
    let mut unproved: BTreeSet<usize> = BTreeSet::new();
    for next in store.records(Direction::Forward) {
        if open.is_empty() {
            break;
        }
        if next.revision.main <= at.0 {
            continue;
        }
        let Some((index, shown)) = open.remove(next.key) else {
            continue;
        };
        let is_next = Generation::after(&shown).is_some_and(|shown| shown.contains(&next))
            && Some(next.version) == shown.version.checked_add(1);
        if !is_next {
            unproved.insert(index);
        }
    }
    unproved.extend(open.into_values().map(|(index, _)| index));
    unproved
}
