//! Which values of a carved keyspace are proved.
//!
//! A freed page may have one version of a key while its next version is in no page any more. So below the compaction, the
//! newest known version of a key need not be its value at that time.
//!
//! Example: records 100 (version 1) and 140 (version 3) of a key were carved. At revision 100 the value is proved. At 120 it
//! is not: version 2 may have been written at any revision from 101 to 139. At 120 the value is proved again if every
//! revision from 101 to 120 has a known record, because then version 2 is not among them.

use std::collections::{BTreeSet, HashMap};

use crate::bbolt::Direction;
use crate::etcd::generation::Generation;
use crate::etcd::keyspace::KeyEntry;
use crate::etcd::record::Record;
use crate::etcd::store::{AtRevision, Store, missing_revisions};

/// The indices of the keys whose value at a revision below the compaction is not proved. A value is proved if the next
/// known version of the key is the next number, or if every revision from the value's own up to `at` has a known record.
pub fn unproved(store: &Store<'_>, at: AtRevision, entries: &[KeyEntry<'_>]) -> BTreeSet<usize> {
    if at.0 >= store.compact_revision() {
        return BTreeSet::new();
    }
    let runs = missing_revisions(store, at);
    // Whether a revision after `main`, up to `at`, has no known record. The last run is the newest one.
    let is_gap_after = |main: i64| runs.last().is_some_and(|(_, to)| *to > main);
    // By key: the shown records whose next version may be in a gap, until the next known record of the key is found.
    let mut open: HashMap<&[u8], (usize, Record<'_>)> = entries
        .iter()
        .enumerate()
        // A record of the state was the key's value at the compaction, and so at every revision since it was written.
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
        // A tombstone stores no version, so it proves nothing about the version before it.
        let is_next = Generation::after(&shown).is_some_and(|shown| shown.contains(&next))
            && Some(next.version) == shown.version.checked_add(1);
        if !is_next {
            unproved.insert(index);
        }
    }
    // No later record of these keys is known.
    unproved.extend(open.into_values().map(|(index, _)| index));
    unproved
}
