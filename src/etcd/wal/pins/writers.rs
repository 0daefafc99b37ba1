//! Which steps of a log write a key, and what one of them tells of the others: an API server's requests say by a
//! comparison which revision of the key they know.

use std::collections::{HashMap, HashSet};

use crate::etcd::wal::writes::Change;

use super::Step;

/// How many deletions of ranges are looked at one by one; where there are more, any may have deleted any key.
const MOST_RANGES: usize = 1000;
/// A step as a writer of one key.
#[derive(Clone, Copy)]
struct Writer {
    place: usize,
    /// The revision that it compares the key with.
    guard: Option<i64>,
    deletes: bool,
    /// Whether what it puts may go with a lease.
    leased: bool,
    /// Whether it did nothing for sure.
    idle: bool,
}

/// Which steps write a key.
pub(super) struct Writers<'s> {
    /// By key, ascending.
    of_key: HashMap<&'s [u8], Vec<Writer>>,
    /// Deletions of ranges, each with its place.
    ranges: Vec<(usize, Change<'s>)>,
}

impl<'s> Writers<'s> {
    pub(super) fn of(steps: &[Step<'s>]) -> Self {
        let mut writers = Self {
            of_key: HashMap::new(),
            ranges: Vec::new(),
        };
        let mut newest: HashMap<&[u8], i64> = HashMap::new();
        for (place, step) in steps.iter().enumerate() {
            for change in &step.all {
                if matches!(change, Change::Delete(delete) if !delete.range_end.is_empty()) {
                    writers.ranges.push((place, *change));
                }
                let guard = step.compared_with(change.key());
                // Somebody before it knew as new a revision of the key, or a newer one: if that one was done the key
                // is newer still, and if not it was newer already.
                let newest = newest.entry(change.key()).or_default();
                let idle = guard.is_some_and(|guard| guard > 0 && guard <= *newest);
                *newest = guard.map_or(*newest, |guard| guard.max(*newest));
                let of_key = writers.of_key.entry(change.key()).or_default();
                of_key.push(Writer {
                    place,
                    guard,
                    deletes: matches!(change, Change::Delete(_)),
                    leased: matches!(change, Change::Put(put) if put.lease != 0),
                    idle,
                });
            }
        }
        writers
    }

    /// The writers of a key before a step and behind it.
    fn around(&self, key: &[u8], place: usize) -> (&[Writer], &[Writer]) {
        let all = self.of_key.get(key).map_or(&[][..], Vec::as_slice);
        let before = all.partition_point(|writer| writer.place < place);
        let behind = all.partition_point(|writer| writer.place <= place);
        (
            all.get(..before).unwrap_or_default(),
            all.get(behind..).unwrap_or_default(),
        )
    }

    fn is_in_range(&self, key: &[u8]) -> bool {
        self.ranges.len() > MOST_RANGES || self.ranges.iter().any(|(_, range)| range.covers(key))
    }

    /// Whether a step did nothing for sure: it compares a key with a revision that the key had no more.
    pub(super) fn is_idle(&self, place: usize, step: &Step<'_>) -> bool {
        step.compares.iter().any(|(key, _)| {
            let all = self.of_key.get(key).map_or(&[][..], Vec::as_slice);
            let own = all.partition_point(|writer| writer.place < place);
            all.get(own)
                .is_some_and(|writer| writer.place == place && writer.idle)
        })
    }

    /// Whether a step that puts, if it did anything at this revision, is the only one that can have: a later one, which
    /// is done, compares a key with the revision, this step writes the key, and each one before it knew an older
    /// revision of the key than this one. Had one of them done it, this one would have known of no more than it.
    pub(super) fn proves(
        &self,
        place: usize,
        step: &Step<'_>,
        revision: i64,
        compared: &HashSet<(&[u8], i64)>,
    ) -> bool {
        step.changes.iter().any(|change| {
            let key = change.key();
            let own = step.compared_with(key).filter(|own| *own < revision);
            let is_told = own.is_some() && compared.contains(&(key, revision));
            // One that made the key anew may have done it whatever this one knew of the key's life before.
            let knew_less = |writer: &Writer| {
                let guard = writer.guard.unwrap_or_default();
                writer.idle || (guard > 0 && Some(guard) < own)
            };
            is_told && !self.is_in_range(key) && self.around(key, place).0.iter().all(knew_less)
        })
    }

    /// Whether a step that deletes one key did so for sure: the key was there before, is not there behind, and no other
    /// step can have deleted it: then the key, and the revision that it says the key had. `is_absent` tells it of the end,
    /// `is_done` of later steps.
    pub(super) fn deletes(
        &self,
        place: usize,
        step: &Step<'s>,
        is_absent: &dyn Fn(&[u8]) -> bool,
        is_done: &dyn Fn(usize) -> bool,
    ) -> Option<(&'s [u8], i64)> {
        let [Change::Delete(delete)] = step.changes.as_slice() else {
            return None;
        };
        let key = delete.key;
        let guard = step.compared_with(key).filter(|guard| *guard > 0)?;
        if !delete.range_end.is_empty() || self.is_in_range(key) {
            return None;
        }
        let (before, behind) = self.around(key, place);
        let busy = |writer: &&Writer| !writer.idle;
        let is_gone = match behind.iter().find(busy) {
            None => is_absent(key),
            Some(next) => !next.deletes && next.guard == Some(0) && is_done(next.place),
        };
        let put = before.iter().rev().find(busy);
        let alone = put.is_none_or(|writer| !writer.deletes && !writer.leased);
        (is_gone && alone).then_some((key, guard))
    }
}
