//! An index for comparisons with all keys of a range, without a loop over the keys.
//!
//! A transaction may compare a whole range of keys with a number, and a log may have any number of such transactions. A
//! loop over the keys would cost their product. All keys that a log ever puts are known before it is replayed, so each has
//! a fixed index. A tree over these indices has the smallest and largest number below each node, and a set has the
//! indices of each number. So a comparison or a write costs the logarithm of the number of keys.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::etcd::record::Record;
use crate::etcd::wal::messages::{CompareResult, CompareTarget};

/// How many numbers of a key can be compared.
const TARGETS: usize = 5;

/// The numbers of a key, by [`CompareTarget`]: version, create_revision, mod_revision, rank of the value, lease.
type Numbers = [i64; TARGETS];

/// The least and the greatest of each number.
#[derive(Debug, Clone, Copy)]
struct Extent {
    least: Numbers,
    greatest: Numbers,
}

impl Extent {
    fn merge(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let (Some(mut both), Some(b)) = (a, b) else {
            return a.or(b);
        };
        for (least, other) in both.least.iter_mut().zip(b.least) {
            *least = (*least).min(other);
        }
        for (greatest, other) in both.greatest.iter_mut().zip(b.greatest) {
            *greatest = (*greatest).max(other);
        }
        Some(both)
    }
}

/// The numbers of all live keys.
#[derive(Debug)]
pub(super) struct Ranges<'a> {
    /// All keys that may ever be put, ascending. The index is the place of a key.
    keys: Vec<&'a [u8]>,
    /// All values that may ever be put, ascending.
    values: Vec<&'a [u8]>,
    /// A binary tree in an array: the leaf of place `p` is at `keys.len() + p`, the parent of `n` at `n / 2`.
    tree: Vec<Option<Extent>>,
    /// The value of each live key, and its rank.
    ranked: Vec<Option<(&'a [u8], i64)>>,
    /// Target, number, place.
    places: BTreeSet<(usize, i64, usize)>,
}

impl<'a> Ranges<'a> {
    /// No live keys yet; `puts` are the keys and values that may ever be put.
    pub(super) fn new(puts: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let (mut keys, mut values): (Vec<_>, Vec<_>) = puts.unzip();
        for texts in [&mut keys, &mut values] {
            texts.sort_unstable();
            texts.dedup();
        }
        Self {
            tree: vec![None; keys.len().saturating_mul(2)],
            ranked: vec![None; keys.len()],
            keys,
            values,
            places: BTreeSet::new(),
        }
    }

    /// Adds a put. False if its key is not among those given at the start.
    #[must_use]
    pub(super) fn load(&mut self, record: &Record<'a>) -> bool {
        let Ok(place) = self.keys.binary_search(&record.key) else {
            return false;
        };
        let known = self.ranked.get(place).copied().flatten();
        let rank = match known {
            // A put of the same value keeps its rank, so long values are not compared again.
            Some((value, rank)) if std::ptr::eq(value, record.value) => rank,
            _ => self.rank(record.value),
        };
        if let Some(ranked) = self.ranked.get_mut(place) {
            *ranked = Some((record.value, rank));
        }
        let numbers = [
            record.version,
            record.create_revision,
            record.mod_revision,
            rank,
            record.lease,
        ];
        self.set(place, Some(numbers));
        true
    }

    pub(super) fn remove(&mut self, key: &[u8]) {
        if let Ok(place) = self.keys.binary_search(&key) {
            if let Some(ranked) = self.ranked.get_mut(place) {
                *ranked = None;
            }
            self.set(place, None);
        }
    }

    /// A number with the same order as the values: odd for a value that may be put, even for a value between two of them.
    pub(super) fn rank(&self, value: &[u8]) -> i64 {
        let rank = match self.values.binary_search(&value) {
            Ok(place) => place.saturating_mul(2).saturating_add(1),
            Err(place) => place.saturating_mul(2),
        };
        i64::try_from(rank).unwrap_or(i64::MAX)
    }

    fn set(&mut self, place: usize, numbers: Option<Numbers>) {
        let mut node = self.keys.len().saturating_add(place);
        let Some(leaf) = self.tree.get_mut(node) else {
            return;
        };
        let new = numbers.map(|numbers| Extent {
            least: numbers,
            greatest: numbers,
        });
        let old = std::mem::replace(leaf, new);
        for (target, number) in old.into_iter().flat_map(|old| old.least).enumerate() {
            self.places.remove(&(target, number, place));
        }
        for (target, number) in numbers.into_iter().flatten().enumerate() {
            self.places.insert((target, number, place));
        }
        while node > 1 {
            node /= 2;
            let child = |child| self.tree.get(child).copied().flatten();
            let left = node.saturating_mul(2);
            let both = Extent::merge(child(left), child(left.saturating_add(1)));
            if let Some(parent) = self.tree.get_mut(node) {
                *parent = both;
            }
        }
    }

    /// The places of the keys from `key` on, up to the first at or after `end`; to the last without an end.
    pub(super) fn places(&self, key: &[u8], end: Option<&[u8]>) -> Range<usize> {
        let before = |bound: &[u8]| self.keys.partition_point(|key| *key < bound);
        before(key)..end.map_or(self.keys.len(), before)
    }

    /// Whether a comparison with `number` holds for each live key at these places; `None` if no key is live there.
    pub(super) fn compare(
        &self,
        places: Range<usize>,
        target: CompareTarget,
        result: CompareResult,
        number: i64,
    ) -> Option<bool> {
        let target = usize::try_from(target.0).ok()?;
        let extent = self.extent(&places)?;
        let least = *extent.least.get(target)?;
        let greatest = *extent.greatest.get(target)?;
        Some(match result {
            CompareResult::EQUAL => least == number && greatest == number,
            CompareResult::GREATER => least > number,
            CompareResult::LESS => greatest < number,
            CompareResult::NOT_EQUAL => {
                let from = (target, number, places.start);
                let to = (target, number, places.end);
                self.places.range(from..to).next().is_none()
            }
            _ => true,
        })
    }

    fn extent(&self, places: &Range<usize>) -> Option<Extent> {
        if places.is_empty() {
            return None;
        }
        let node = |node: usize| self.tree.get(node).copied().flatten();
        let mut from = self.keys.len().saturating_add(places.start);
        let mut to = self.keys.len().saturating_add(places.end);
        let mut found = None;
        while from < to {
            if from % 2 == 1 {
                found = Extent::merge(found, node(from));
                from = from.saturating_add(1);
            }
            if to % 2 == 1 {
                to = to.saturating_sub(1);
                found = Extent::merge(found, node(to));
            }
            from /= 2;
            to /= 2;
        }
        found
    }
}
