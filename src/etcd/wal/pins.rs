//! Revisions of entries that the database has already, told from the database backwards: what a compaction removed may
//! still stand in the log.
//!
//! Behind the last entry that the database has, the revision is that of the database. Each entry before it used one
//! revision or none. Which of both is told by a record of that revision that is known, by a later request that compares
//! with it (`mod(KEY) = REVISION`, as every write of an API server does), or, of several entries in a row, by
//! their number: where it is the number of revisions up to the next one that is told, each used one.
//!
//! **Invariant:** a record is given only where all of it is told: revision, version and revision of creation.

mod writers;
mod written;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::bbolt::Direction;
use crate::etcd::record::{Origin, Record};
use crate::etcd::revision::Revision;
use crate::etcd::store::Store;

use super::Wal;
use super::entry::{Request, State};
use super::messages::{CompareResult, CompareTarget};
use super::segment::Checksum;
use super::writes::{Branch, Change, changes};

use writers::Writers;
use written::Written;

/// How many operations and comparisons of one request are looked at; etcd itself takes 128 unless told otherwise.
const MOST_OPERATIONS: usize = 1000;

/// An entry, as far as it matters here.
struct Step<'w> {
    /// What it does where it does anything; empty where that depends on what is not in it.
    changes: Vec<Change<'w>>,
    /// What it does in either case.
    all: Vec<Change<'w>>,
    /// Whether it may use a revision.
    may: bool,
    /// The revisions of keys that it compares with.
    compares: Vec<(&'w [u8], i64)>,
    offset: u64,
}

/// What is known of one write of a key.
#[derive(Clone, Copy)]
struct Write<'w> {
    record: Record<'w>,
    /// The revision of the write before it; 0 where there is none.
    before: Option<i64>,
    /// Whether version and creation are told.
    told: bool,
    /// Whether it is known from elsewhere.
    known: bool,
}

/// The records of a log at or below the revision `current` of a database, beside those that are known.
pub fn pinned<'w, 'a: 'w>(store: &Store<'a>, wal: &Wal<'w>, current: i64) -> Vec<Record<'w>> {
    let Some(last) = store.meta().consistent_index else {
        return Vec::new();
    };
    let steps = steps(wal, last);
    if steps.is_empty() {
        return Vec::new();
    }
    let mut known: BTreeMap<i64, Vec<Record<'w>>> = BTreeMap::new();
    for record in store
        .records(Direction::Forward)
        .filter(|record| !record.is_bump_mark())
    {
        known.entry(record.revision.main).or_default().push(record);
    }
    let live: HashSet<&[u8]> = {
        let mut live = HashSet::new();
        for record in known
            .values()
            .flatten()
            .filter(|record| record.origin.is_of_state())
        {
            if record.tombstone {
                live.remove(record.key);
            } else {
                live.insert(record.key);
            }
        }
        live
    };
    let mains = revisions(&steps, &known, current, &|key| !live.contains(key));
    records(&steps, &mains, &known)
}

/// The entries without a gap up to the last one that the database has, oldest first.
fn steps<'w>(wal: &Wal<'w>, last: u64) -> Vec<Step<'w>> {
    let mut steps = Vec::new();
    let mut next = last;
    let effective: Vec<_> = wal
        .effective()
        .filter(|entry| entry.index <= last)
        .collect();
    for entry in effective.into_iter().rev() {
        let is_sound = entry.state == State::Committed && entry.checksum != Checksum::Wrong;
        if entry.index != next || !is_sound {
            break;
        }
        let request = entry.request();
        if matches!(request, Request::Unknown) {
            break;
        }
        steps.push(step(&request, entry.offset));
        next = next.saturating_sub(1);
    }
    steps.reverse();
    steps
}

fn step<'w>(request: &Request<'w>, offset: u64) -> Step<'w> {
    let mut all = changes(request);
    let too_many = all.len() > MOST_OPERATIONS;
    if too_many {
        all.clear();
    }
    let branches: HashSet<_> = all.iter().map(|(branch, _)| branch.as_str()).collect();
    let internal = match request {
        Request::Internal(internal) => Some(internal),
        _ => None,
    };
    let revokes = internal.is_some_and(|internal| internal.lease_revoke.is_some());
    let txn = internal.and_then(|internal| internal.txn.as_deref());
    let compares = txn
        .into_iter()
        .flat_map(|txn| &txn.compare)
        .filter_map(|compare| {
            let is_equal_mod =
                compare.result == CompareResult::EQUAL && compare.target == CompareTarget::MOD;
            let is_of_one_key = is_equal_mod && compare.range_end.is_empty();
            is_of_one_key.then(|| (compare.key, compare.mod_revision()))
        });
    // Of two branches it is not told which one was taken, and what compares with more than one revision may do either.
    let succeeds = all.iter().all(|(branch, _)| *branch != Branch::Failure);
    let nested = txn.is_some_and(|txn| txn.nested().next().is_some());
    Step {
        may: too_many || !all.is_empty() || revokes,
        all: all.iter().map(|(_, change)| *change).collect(),
        compares: if succeeds {
            compares.collect()
        } else {
            Vec::new()
        },
        changes: if branches.len() == 1 && !nested {
            all.into_iter().map(|(_, change)| change).collect()
        } else {
            Vec::new()
        },
        offset,
    }
}

/// The revision of each step; none where it used none or that is not told.
fn revisions(
    steps: &[Step<'_>],
    known: &BTreeMap<i64, Vec<Record<'_>>>,
    current: i64,
    is_absent: &dyn Fn(&[u8]) -> bool,
) -> Vec<Option<i64>> {
    let unique = unique_matches(steps, known);
    let writers = Writers::of(steps);
    let mut mains = vec![None; steps.len()];
    // Revisions that a later entry, which is done, compares with.
    let mut compared: HashSet<(&[u8], i64)> = HashSet::new();
    let mut revision = current;
    let mut open: Vec<usize> = Vec::new();
    // Deletions that were taken as done, and the revision that each says that its key had.
    let mut claims: Vec<(usize, &[u8], i64)> = Vec::new();
    // The oldest step that did what a known record says.
    let mut oldest = steps.len();
    // The records of the revision that is looked at, for as many steps as it takes.
    let mut written: Option<(i64, Written<'_, '_>)> = None;
    let settle = |place: usize, main: i64, mains: &mut Vec<Option<i64>>| {
        if let Some(slot) = mains.get_mut(place) {
            *slot = Some(main);
        }
    };
    for (place, step) in steps.iter().enumerate().rev().filter(|(_, step)| step.may) {
        if writers.is_idle(place, step) {
            continue;
        }
        let told = if open.is_empty() {
            let used = match known.get(&revision) {
                Some(records) => {
                    let known = written.take().filter(|(main, _)| *main == revision);
                    let of_revision = || (revision, Written::new(records));
                    written
                        .insert(known.unwrap_or_else(of_revision))
                        .1
                        .is_by(step)
                }
                None => {
                    let is_done = |place: usize| mains.get(place).is_some_and(Option::is_some);
                    let deleted = writers.deletes(place, step, is_absent, &is_done);
                    if let Some((key, guard)) = deleted {
                        claims.push((place, key, guard));
                    }
                    let told =
                        deleted.is_some() || writers.proves(place, step, revision, &compared);
                    told.then_some(true)
                }
            };
            match used {
                Some(true) => {
                    if known.contains_key(&revision) && !step.changes.is_empty() {
                        oldest = place;
                    }
                    Some(revision)
                }
                Some(false) => continue,
                None => None,
            }
        } else {
            let told = unique.get(&place).copied();
            let uses = told.and_then(|main| revision.checked_sub(main));
            let uses = uses.and_then(|uses| usize::try_from(uses).ok());
            let uses = uses.filter(|uses| *uses <= open.len());
            if uses.is_some() {
                oldest = place;
            }
            if uses == Some(open.len()) {
                for (place, main) in open.iter().zip((0..=revision).rev()) {
                    settle(*place, main, &mut mains);
                }
            }
            told.filter(|_| uses.is_some())
        };
        match told {
            Some(main) => {
                open.clear();
                settle(place, main, &mut mains);
                compared.extend(step.compares.iter().copied());
                revision = main.saturating_sub(1);
            }
            None => open.push(place),
        }
    }
    // The count of revisions must come to the very one at which the key was put: else a deletion was none.
    let done: HashMap<i64, &Step<'_>> = steps
        .iter()
        .zip(&mains)
        .filter_map(|(step, main)| Some(((*main)?, step)))
        .collect();
    let is_put = |key: &[u8], main: i64| {
        let of_step = done.get(&main).is_some_and(|step| {
            let mut changes = step.changes.iter();
            changes.any(|change| change.key() == key)
        });
        let mut of_known = known.get(&main).into_iter().flatten();
        of_step || of_known.any(|record| record.key == key && !record.tombstone)
    };
    let wrong = claims
        .iter()
        .filter(|(_, key, guard)| !is_put(key, *guard))
        .map(|claim| claim.0);
    let wrong = wrong.max().map_or(0, |place| place.saturating_add(1));
    mains.iter_mut().take(wrong).for_each(|main| *main = None);
    // Before the oldest one that is known nothing says that the steps did anything at all.
    mains.iter_mut().take(oldest).for_each(|main| *main = None);
    mains
}

impl Step<'_> {
    /// The revision that it compares a key with.
    fn compared_with(&self, key: &[u8]) -> Option<i64> {
        self.compares
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, revision)| *revision)
    }
}

/// The steps that put a value which no other step puts, and of which one known record holds it.
fn unique_matches(
    steps: &[Step<'_>],
    known: &BTreeMap<i64, Vec<Record<'_>>>,
) -> HashMap<usize, i64> {
    let mut of_value: HashMap<(&[u8], &[u8]), Option<i64>> = HashMap::new();
    for record in known.values().flatten().filter(|record| !record.tombstone) {
        let main = record.revision.main;
        of_value
            .entry((record.key, record.value))
            .and_modify(|known| *known = None)
            .or_insert(Some(main));
    }
    let mut places: HashMap<(&[u8], &[u8]), Option<usize>> = HashMap::new();
    for (place, step) in steps.iter().enumerate() {
        for change in &step.changes {
            if let Change::Put(put) = change {
                places
                    .entry((put.key, put.value))
                    .and_modify(|known| *known = None)
                    .or_insert(Some(place));
            }
        }
    }
    let found = places
        .into_iter()
        .filter_map(|(value, place)| Some((place?, (*of_value.get(&value)?)?)));
    found.collect()
}

/// The records of the steps whose revision is told, where their version and creation are told as well.
fn records<'w>(
    steps: &[Step<'w>],
    mains: &[Option<i64>],
    known: &BTreeMap<i64, Vec<Record<'w>>>,
) -> Vec<Record<'w>> {
    let told: HashSet<i64> = mains
        .iter()
        .flatten()
        .copied()
        .chain(known.keys().copied())
        .collect();
    let mut by_key: HashMap<&[u8], Vec<Write<'w>>> = HashMap::new();
    let done = steps
        .iter()
        .zip(mains)
        .filter_map(|(step, main)| Some((step, (*main)?)));
    let mut before_of: HashMap<(i64, &[u8]), i64> = HashMap::new();
    for (step, main) in done {
        for (key, revision) in &step.compares {
            before_of.insert((main, key), *revision);
        }
        if known.contains_key(&main) {
            continue;
        }
        for record in written(step, main) {
            by_key.entry(record.key).or_default().push(Write {
                record,
                before: None,
                told: record.tombstone,
                known: false,
            });
        }
    }
    for record in known.values().flatten() {
        if let Some(writes) = by_key.get_mut(record.key) {
            writes.push(Write {
                record: *record,
                before: None,
                told: true,
                known: true,
            });
        }
    }
    let mut records = Vec::new();
    for writes in by_key.values_mut() {
        writes.sort_by_key(|write| write.record.revision);
        for write in writes.iter_mut() {
            write.before = before_of
                .get(&(write.record.revision.main, write.record.key))
                .copied();
        }
        complete(writes, &told);
        let news = writes.iter().filter(|write| write.told && !write.known);
        records.extend(news.map(|write| write.record));
    }
    records.sort_by_key(|record| record.revision);
    records
}

/// What a step wrote: puts alone, or the deletion of one key. Of anything else it is not told which keys were there.
fn written<'w>(step: &Step<'w>, main: i64) -> Vec<Record<'w>> {
    let record = |sub: i64, key, value, lease, tombstone| Record {
        revision: Revision { main, sub },
        tombstone,
        key,
        create_revision: 0,
        mod_revision: if tombstone { 0 } else { main },
        version: 0,
        value,
        lease,
        origin: Origin::Wal,
        pgid: None,
        element: None,
        offset: step.offset,
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

/// Fills in version and creation of the writes of one key, in their order, from one to the next and back.
fn complete(writes: &mut [Write<'_>], told: &HashSet<i64>) {
    let all_between = |from: i64, to: i64| {
        let between = from.saturating_add(1)..to;
        // A long stretch is not gone through: it is hardly ever told whole.
        to.saturating_sub(from) <= MOST_BETWEEN && between.clone().all(|main| told.contains(&main))
    };
    let follows = |before: &Write<'_>, next: &Write<'_>| {
        let (from, to) = (before.record.revision.main, next.record.revision.main);
        next.before == Some(from) || all_between(from, to)
    };
    for place in 0..writes.len() {
        let before = place
            .checked_sub(1)
            .and_then(|before| writes.get(before))
            .copied();
        let Some(write) = writes.get_mut(place).filter(|write| !write.told) else {
            continue;
        };
        let main = write.record.revision.main;
        let numbers = match before {
            _ if write.before == Some(0) => Some((1, main)),
            Some(before) if before.told && follows(&before, write) => {
                if before.record.tombstone {
                    Some((1, main))
                } else {
                    let version = before.record.version.saturating_add(1);
                    Some((version, before.record.create_revision))
                }
            }
            _ => None,
        };
        write.tell(numbers);
    }
    for place in (0..writes.len()).rev() {
        let next = place
            .checked_add(1)
            .and_then(|next| writes.get(next))
            .copied();
        let Some(write) = writes.get_mut(place).filter(|write| !write.told) else {
            continue;
        };
        let numbers =
            next.filter(|next| next.told && !next.record.tombstone && follows(write, next));
        let numbers = numbers.filter(|next| next.record.version > 1);
        write.tell(numbers.map(|next| {
            (
                next.record.version.saturating_sub(1),
                next.record.create_revision,
            )
        }));
    }
}

/// How many revisions may lie between two writes that are looked at one by one.
const MOST_BETWEEN: i64 = 10_000;

impl Write<'_> {
    fn tell(&mut self, numbers: Option<(i64, i64)>) {
        let Some((version, create_revision)) = numbers else {
            return;
        };
        let is_first = create_revision == self.record.revision.main;
        // Numbers that contradict each other are not told.
        if create_revision > self.record.revision.main || (version == 1) != is_first {
            return;
        }
        self.record.version = version;
        self.record.create_revision = create_revision;
        self.told = true;
    }
}
