//! Version and create_revision of the entries whose revision is known, from one write of a key to the next and back.

use std::collections::{HashMap, HashSet};

use crate::etcd::record::{Origin, Record};
use crate::etcd::revision::Revision;
use crate::etcd::wal::writes::Change;

use super::revision_records::KnownRecords;
use super::step::Step;

/// How many revisions between two writes are looked at one by one. A longer stretch is hardly ever known completely.
const MOST_BETWEEN: i64 = 10_000;

/// What is known about one write of a key.
#[derive(Clone, Copy)]
struct Write<'w> {
    record: Record<'w>,
    /// The revision of the write before it, if its request has it; else 0.
    before: Option<i64>,
    /// Whether version and create_revision are certain.
    is_certain: bool,
    /// Whether the store has the record.
    is_known: bool,
}

/// The records of the steps whose revision, version and create_revision are certain, without those that are known.
pub(super) fn records<'w>(
    steps: &[Step<'w>],
    mains: &[Option<i64>],
    known: &KnownRecords<'w>,
) -> Vec<Record<'w>> {
    let certain: HashSet<i64> = mains
        .iter()
        .flatten()
        .copied()
        .chain(known.keys().copied())
        .collect();
    let mut writes_by_key = writes_by_key(steps, mains, known);
    let mut records = Vec::new();
    for writes in writes_by_key.values_mut() {
        complete_forward(writes, &certain);
        complete_backward(writes, &certain);
        let news = writes
            .iter()
            .filter(|write| write.is_certain && !write.is_known);
        records.extend(news.map(|write| write.record));
    }
    records.sort_by_key(|record| record.revision);
    records
}

/// The writes of each key that a step of a known revision writes, ascending, the known records among them.
fn writes_by_key<'w>(
    steps: &[Step<'w>],
    mains: &[Option<i64>],
    known: &KnownRecords<'w>,
) -> HashMap<&'w [u8], Vec<Write<'w>>> {
    let mut by_key: HashMap<&[u8], Vec<Write<'w>>> = HashMap::new();
    let mut before_of: HashMap<(i64, &[u8]), i64> = HashMap::new();
    let done = steps
        .iter()
        .zip(mains)
        .filter_map(|(step, main)| Some((step, (*main)?)));
    for (step, main) in done {
        for (key, revision) in &step.compares {
            before_of.insert((main, key), *revision);
        }
        if known.contains_key(&main) {
            continue;
        }
        for record in records_of_step(step, main) {
            by_key.entry(record.key).or_default().push(Write {
                record,
                before: None,
                is_certain: record.tombstone,
                is_known: false,
            });
        }
    }
    for record in known.values().flatten() {
        if let Some(writes) = by_key.get_mut(record.key) {
            writes.push(Write {
                record: *record,
                before: None,
                is_certain: true,
                is_known: true,
            });
        }
    }
    for writes in by_key.values_mut() {
        writes.sort_by_key(|write| write.record.revision);
        for write in writes.iter_mut() {
            write.before = before_of
                .get(&(write.record.revision.main, write.record.key))
                .copied();
        }
    }
    by_key
}

/// What a step wrote, if it has only puts or deletes one key. For anything else it is unknown which keys existed.
fn records_of_step<'w>(step: &Step<'w>, main: i64) -> Vec<Record<'w>> {
    let record = |sub: i64, key, value, lease, tombstone| Record {
        tombstone,
        mod_revision: if tombstone { 0 } else { main },
        value,
        lease,
        offset: step.offset,
        ..Record::empty(Revision { main, sub }, key, Origin::Wal)
    };
    if let [Change::Delete(delete)] = step.changes.as_slice() {
        let alone = delete.range_end.is_empty();
        return Vec::from_iter(alone.then(|| record(0, delete.key, &[][..], 0, true)));
    }
    let puts = (0_i64..)
        .zip(&step.changes)
        .map(|(sub, change)| match change {
            Change::Put(put) if !put.ignore_value && !put.ignore_lease => {
                Some(record(sub, put.key, put.value, put.lease, false))
            }
            _ => None,
        });
    puts.collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// Whether no write of the key is between two of its writes: the request of the later one says so, or each revision
/// between is known.
fn is_next(before: &Write<'_>, next: &Write<'_>, certain: &HashSet<i64>) -> bool {
    let (from, to) = (before.record.revision.main, next.record.revision.main);
    let mut between = from.saturating_add(1)..to;
    next.before == Some(from)
        || (to.saturating_sub(from) <= MOST_BETWEEN && between.all(|main| certain.contains(&main)))
}

/// Fills in the writes of one key, each from the one before it.
fn complete_forward(writes: &mut [Write<'_>], certain: &HashSet<i64>) {
    let mut last: Option<Write<'_>> = None;
    for write in writes.iter_mut() {
        let before = last.filter(|before| before.is_certain);
        if !write.is_certain {
            let main = write.record.revision.main;
            let numbers = match before {
                _ if write.before == Some(0) => Some((1, main)),
                Some(before) if is_next(&before, write, certain) => {
                    Some(if before.record.tombstone {
                        (1, main)
                    } else {
                        let version = before.record.version.saturating_add(1);
                        (version, before.record.create_revision)
                    })
                }
                _ => None,
            };
            write.complete(numbers);
        }
        last = Some(*write);
    }
}

/// Fills in the writes of one key, each from the one after it.
fn complete_backward(writes: &mut [Write<'_>], certain: &HashSet<i64>) {
    let mut last: Option<Write<'_>> = None;
    for write in writes.iter_mut().rev() {
        if !write.is_certain {
            let next = last.filter(|next| next.is_certain && !next.record.tombstone);
            let next = next.filter(|next| next.record.version > 1 && is_next(write, next, certain));
            write.complete(next.map(|next| {
                let version = next.record.version.saturating_sub(1);
                (version, next.record.create_revision)
            }));
        }
        last = Some(*write);
    }
}

impl Write<'_> {
    /// Takes over version and create_revision, unless they contradict each other.
    fn complete(&mut self, numbers: Option<(i64, i64)>) {
        let Some((version, create_revision)) = numbers else {
            return;
        };
        let is_first = create_revision == self.record.revision.main;
        if create_revision > self.record.revision.main || (version == 1) != is_first {
            return;
        }
        self.record.version = version;
        self.record.create_revision = create_revision;
        self.is_certain = true;
    }
}
