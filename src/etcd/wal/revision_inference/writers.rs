//! Which steps of a log write a key, and what they show about each other: the requests of an API server compare the key
//! with the newest revision of it that they know.

use std::collections::{HashMap, HashSet};

use crate::etcd::wal::writes::Change;

use super::step::Step;

/// How many deletions of ranges are looked at one by one. If there are more, each may have deleted any key.
const MOST_RANGES: usize = 1000;

/// A step as a writer of one key.
#[derive(Clone, Copy)]
struct Writer {
    place: usize,
    /// The revision that it compares the key with.
    guard: Option<i64>,
    deletes: bool,
    /// Whether a lease may delete what it puts.
    leased: bool,
    /// Whether it certainly did nothing.
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
    pub(super) fn new(steps: &[Step<'s>]) -> Self {
        let mut writers = Self {
            of_key: HashMap::new(),
            ranges: Vec::new(),
        };
        let mut newest: HashMap<&[u8], i64> = HashMap::new();
        for (place, step) in steps.iter().enumerate() {
            for change in &step.possible_changes {
                if matches!(change, Change::Delete(delete) if !delete.range_end.is_empty()) {
                    writers.ranges.push((place, *change));
                }
                let guard = step.compared_with(change.key());
                // A step before it knew the same revision of the key or a newer one. If that step was carried out, the
                // key has a newer revision since. If not, the key had a newer one already. So the comparison fails.
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

    /// The writers of a key before a step and after it.
    fn around(&self, key: &[u8], place: usize) -> (&[Writer], &[Writer]) {
        let all = self.of_key.get(key).map_or(&[][..], Vec::as_slice);
        let before = all.partition_point(|writer| writer.place < place);
        let after = all.partition_point(|writer| writer.place <= place);
        (
            all.get(..before).unwrap_or_default(),
            all.get(after..).unwrap_or_default(),
        )
    }

    fn is_in_range(&self, key: &[u8]) -> bool {
        self.ranges.len() > MOST_RANGES || self.ranges.iter().any(|(_, range)| range.covers(key))
    }

    /// Whether a step certainly did nothing: it compares a key with a revision that the key no longer had.
    pub(super) fn is_idle(&self, place: usize, step: &Step<'_>) -> bool {
        step.compares.iter().any(|(key, _)| {
            let all = self.of_key.get(key).map_or(&[][..], Vec::as_slice);
            let own = all.partition_point(|writer| writer.place < place);
            all.get(own)
                .is_some_and(|writer| writer.place == place && writer.idle)
        })
    }

    /// Whether only this step can have used a revision: a later step that was carried out compares a key with the
    /// revision, this step writes the key, and each writer of the key before this step knew an older revision of it than
    /// this step. If one of those had used the revision, this step would not have known a newer one than it did.
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
            let is_compared = own.is_some() && compared.contains(&(key, revision));
            // A step that creates the key may have used it, whatever this step knew about an earlier generation.
            let knew_less = |writer: &Writer| {
                let guard = writer.guard.unwrap_or_default();
                writer.idle || (guard > 0 && Some(guard) < own)
            };
            is_compared && !self.is_in_range(key) && self.around(key, place).0.iter().all(knew_less)
        })
    }

    /// The key that a step certainly deleted, and the revision that it says the key had: the key existed before it, does
    /// not exist after it, and no other step can have deleted it. `is_absent` says whether a key does not exist after the
    /// last step, `is_done` whether a later step was carried out.
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
        let (before, after) = self.around(key, place);
        let busy = |writer: &&Writer| !writer.idle;
        let is_gone = match after.iter().find(busy) {
            None => is_absent(key),
            Some(next) => !next.deletes && next.guard == Some(0) && is_done(next.place),
        };
        let put = before.iter().rev().find(busy);
        let alone = put.is_none_or(|writer| !writer.deletes && !writer.leased);
        (is_gone && alone).then_some((key, guard))
    }
}
