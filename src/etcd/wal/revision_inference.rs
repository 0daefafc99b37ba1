//! Infers the revisions of log entries that the database has already applied. A compaction may have removed from the
//! database what these entries wrote, and the log may still have it.
//!
//! No entry stores its revision. But the last entry that the database has (its consistent_index) ends at the database's
//! revision, and each entry before it used one revision or none. So the entries are read backwards, and for
//! each one the question is whether it used the next lower revision. There are four ways to know:
//!
//! 1. A record of that revision is known, and the entry writes it (or does not).
//! 2. A later request that was carried out compares a key with that revision, and only this entry can have written it.
//! 3. The entry deletes a key that existed before it and does not exist after it, and no other entry can have deleted it.
//! 4. Several undecided entries follow each other up to a known revision, and there are as many of them as there are
//!    revisions between. Then each used one.
//!
//! # Example
//!
//! An API server puts with a condition, `if mod(KEY) = REVISION`, where REVISION is the newest one that it knows of the
//! key. The database is at revision 39 and compacted there. It has two records: 36 creates `/c`, and 39 is version 5 of
//! `/a`, which was created at 12. Its consistent_index is 10, and the log has these entries:
//!
//! | entry | request | revision |
//! |---|---|---|
//! | 7 | if mod(/c) = 0 then put /c | 36 |
//! | 8 | if mod(/b) = 20 then put /b | 37 |
//! | 9 | if mod(/a) = 30 then put /a | 38 |
//! | 10 | if mod(/a) = 38 then put /a | 39 |
//!
//! Entry 10 writes what record 39 says, so its revision is 39 (way 1). The next lower revision is 38, of which no record
//! is known. Entry 10 was carried out, so `/a` was written at revision 38. Only entry 9 can have done that: it writes
//! `/a`, and it knew an older revision of it. So the revision of entry 9 is 38 (way 2). Entry 8 may have used revision 37
//! or failed, so it stays undecided at first. Entry 7 puts a value that no other entry puts and that record 36 has, so
//! its revision is 36. One entry is undecided and one revision is between, so the revision of entry 8 is 37 (way 4).
//!
//! For entry 9 the whole record is certain: entry 10 says that 38 is the write of `/a` right before version 5, so it is
//! version 4, created at 12. It is returned. For entry 8 nothing shows the version of `/b`, so it is not returned. Entries
//! before 7 are not looked at: no known record confirms that any of them was carried out.
//!
//! **Invariant:** a record is returned only if all of it is certain: revision, version and create_revision.

mod revision_records;
mod revisions;
mod step;
mod versions;
mod writers;

use std::collections::HashSet;

use crate::bbolt::Direction;
use crate::etcd::record::Record;
use crate::etcd::store::Store;

use super::Wal;
use super::entry::{Request, State};
use super::segment::Checksum;

use revision_records::KnownRecords;
use revisions::Inference;
use step::Step;

/// The records of a log up to the revision `current` of a database that are certain, and that the store does not have.
pub fn infer_records<'w, 'a: 'w>(
    store: &Store<'a>,
    wal: &Wal<'w>,
    current: i64,
) -> Vec<Record<'w>> {
    let Some(last) = store.meta().consistent_index else {
        return Vec::new();
    };
    let steps = steps(wal, last);
    if steps.is_empty() {
        return Vec::new();
    }
    let mut known = KnownRecords::new();
    for record in store
        .records(Direction::Forward)
        .filter(|record| !record.is_bump_mark())
    {
        known.entry(record.revision.main).or_default().push(record);
    }
    let live = live_keys(&known);
    let is_absent = |key: &[u8]| !live.contains(key);
    let mains = Inference::new(&steps, &known, current, &is_absent).run();
    versions::records(&steps, &mains, &known)
}

/// The keys that are live in the state.
fn live_keys<'w>(known: &KnownRecords<'w>) -> HashSet<&'w [u8]> {
    let mut live = HashSet::new();
    let records = known.values().flatten();
    for record in records.filter(|record| record.origin.is_of_state()) {
        if record.tombstone {
            live.remove(record.key);
        } else {
            live.insert(record.key);
        }
    }
    live
}

/// The entries up to the last one that the database has, as far back as there is no gap, oldest first.
fn steps<'w>(wal: &Wal<'w>, last: u64) -> Vec<Step<'w>> {
    let mut steps = Vec::new();
    let mut next = last;
    let effective: Vec<_> = wal
        .effective()
        .filter(|entry| entry.index <= last)
        .collect();
    for entry in effective.into_iter().rev() {
        let is_intact = entry.state == State::Committed && entry.checksum != Checksum::Wrong;
        if entry.index != next || !is_intact {
            break;
        }
        let request = entry.request();
        if matches!(request, Request::Unknown) {
            break;
        }
        steps.push(Step::new(&request, entry.offset));
        next = next.saturating_sub(1);
    }
    steps.reverse();
    steps
}
