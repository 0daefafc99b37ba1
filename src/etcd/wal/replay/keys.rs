//! The live keys of a replay, and the comparisons of transactions.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::etcd::record::Record;
use crate::etcd::wal::messages::{Compare, CompareResult, CompareTarget, DeleteRangeRequest};

use super::ranges::Ranges;

/// The live keys, each with its newest put.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    live: BTreeMap<&'a [u8], Record<'a>>,
    /// An index for comparisons with ranges of keys, if transactions need it.
    ranges: Option<Ranges<'a>>,
}

impl<'a> Keys<'a> {
    /// Adds a put.
    pub(super) fn load(&mut self, record: Record<'a>) {
        if let Some(ranges) = &mut self.ranges
            && !ranges.load(&record)
        {
            self.ranges = None;
        }
        self.live.insert(record.key, record);
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Record<'a>> {
        self.live.get(key)
    }

    /// Removes a key. Returns whether it existed.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        if let Some(ranges) = &mut self.ranges {
            ranges.remove(key);
        }
        self.live.remove(key).is_some()
    }

    /// Whether comparisons with ranges are prepared.
    pub(super) fn has_ranges(&self) -> bool {
        self.ranges.is_some()
    }

    /// Prepares comparisons with ranges; `puts` are the keys and values that may be put from now on.
    pub(super) fn prepare_ranges(&mut self, puts: Vec<(&'a [u8], &'a [u8])>) {
        let live = self.live.values().map(|record| (record.key, record.value));
        let mut ranges = Ranges::new(live.chain(puts));
        let all_known = self.live.values().all(|record| ranges.load(record));
        self.ranges = all_known.then_some(ranges);
    }

    /// The keys that a deletion covers, ascending.
    pub(super) fn covered(&self, delete: &DeleteRangeRequest<'_>) -> Vec<&'a [u8]> {
        self.range(delete.key, delete.range_end)
            .map(|record| record.key)
            .collect()
    }

    fn range(&self, key: &[u8], end: &[u8]) -> impl Iterator<Item = &Record<'a>> {
        let (from, to) = match end {
            [] => (Bound::Included(key), Bound::Included(key)),
            [0] => (Bound::Included(key), Bound::Unbounded),
            // A range that ends before it begins covers nothing.
            end if end <= key => (Bound::Excluded(key), Bound::Included(key)),
            end => (Bound::Included(key), Bound::Excluded(end)),
        };
        let is_empty = matches!((from, to), (Bound::Excluded(_), Bound::Included(_)));
        let range = (!is_empty).then(|| self.live.range::<[u8], _>((from, to)));
        range.into_iter().flatten().map(|(_, record)| record)
    }

    /// Whether a comparison is true for each key in its range. If the range has no key, etcd compares with a key whose
    /// numbers are all 0 (`server/etcdserver/txn/txn.go`, `applyCompare`).
    pub(super) fn compare(&self, compare: &Compare<'_>) -> bool {
        if let Some(held) = self.compare_range(compare) {
            return held;
        }
        let mut found = false;
        for record in self.range(compare.key, compare.range_end) {
            found = true;
            if !holds(compare, Some(record)) {
                return false;
            }
        }
        found || holds(compare, None)
    }

    /// The same for a range, if the index is prepared.
    fn compare_range(&self, compare: &Compare<'_>) -> Option<bool> {
        let end = compare.range_end;
        let ranges = self.ranges.as_ref().filter(|_| !end.is_empty())?;
        let places = ranges.places(compare.key, Some(end).filter(|end| *end != [0]));
        let number = match compare.target {
            CompareTarget::VERSION => compare.version(),
            CompareTarget::CREATE => compare.create_revision(),
            CompareTarget::MOD => compare.mod_revision(),
            CompareTarget::VALUE => ranges.rank(compare.value()),
            CompareTarget::LEASE => compare.lease(),
            // An unknown target compares nothing.
            _ => return Some(holds(compare, None)),
        };
        let held = ranges.compare(places, compare.target, compare.result, number);
        Some(held.unwrap_or_else(|| holds(compare, None)))
    }
}

fn holds(compare: &Compare<'_>, record: Option<&Record<'_>>) -> bool {
    let number = |of: fn(&Record<'_>) -> i64| record.map_or(0, of);
    let order = match compare.target {
        CompareTarget::VERSION => number(|record| record.version).cmp(&compare.version()),
        CompareTarget::CREATE => {
            number(|record| record.create_revision).cmp(&compare.create_revision())
        }
        CompareTarget::MOD => number(|record| record.mod_revision).cmp(&compare.mod_revision()),
        CompareTarget::VALUE => match record {
            Some(record) => record.value.cmp(compare.value()),
            // An absent value equals no value.
            None => return false,
        },
        CompareTarget::LEASE => number(|record| record.lease).cmp(&compare.lease()),
        // An unknown target compares nothing.
        _ => Ordering::Equal,
    };
    match compare.result {
        CompareResult::EQUAL => order == Ordering::Equal,
        CompareResult::GREATER => order == Ordering::Greater,
        CompareResult::LESS => order == Ordering::Less,
        CompareResult::NOT_EQUAL => order != Ordering::Equal,
        _ => true,
    }
}
