//! What of a keyspace below the compaction is proved, when its records were carved: a freed page may hold one version
//! of a key, and the next one lie in no page any more.

use std::collections::{BTreeSet, HashMap};

use crate::bbolt::Direction;
use crate::etcd::generation::Generation;
use crate::etcd::history::KeyEntry;
use crate::etcd::record::Record;
use crate::etcd::store::{AtRevision, Store, missing_revisions};

/// Which of these keys, live at a revision below the compaction, may have been changed or deleted by then: all but
/// those whose next known version is the very next one, and those after whose version each revision is known.
pub fn unproved(store: &Store<'_>, at: AtRevision, entries: &[KeyEntry<'_>]) -> BTreeSet<usize> {
    if at.0 >= store.compact_revision() {
        return BTreeSet::new();
    }
    let runs = missing_revisions(store, at);
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
