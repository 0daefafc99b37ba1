//! What differs between databases: which keys, which pairs of databases, and since which revision.

use std::collections::HashMap;

use crate::arrange::Arrange as _;
use crate::etcd::side_by_side::StoredRecord;
use crate::etcd::{KeyValue, Revision};

/// How many records after the first difference are kept of each database. They show whether a database skipped writes.
const KEPT_AFTER: usize = 256;

/// What a database has of a key at the revision of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version<'a> {
    /// A record.
    Record(StoredRecord<'a>),
    /// No record, although the database retains this revision.
    NoRecord,
    /// The database cannot show it: it was compacted, or ends before this revision.
    Unknown,
}

impl<'a> Version<'a> {
    /// The record.
    pub fn record(&self) -> Option<StoredRecord<'a>> {
        match self {
            Version::Record(record) => Some(*record),
            Version::NoRecord | Version::Unknown => None,
        }
    }
}

/// A key whose history is not the same in all databases.
#[derive(Debug, Clone)]
pub struct KeyDifference<'a> {
    /// The key; none if no record of the revision can be decoded.
    pub key: Option<&'a [u8]>,
    /// The first revision that differs.
    pub revision: Revision,
    /// What each database has there.
    pub versions: Vec<Version<'a>>,
    /// Whether the key also differs at the revision of the comparison.
    pub differs_now: bool,
    /// The newest record of the key in each database, from that revision up to the revision of the comparison.
    last: Vec<Option<StoredRecord<'a>>>,
}

/// Records that are the same.
#[derive(Debug, Clone, Copy, Default)]
pub struct Same {
    /// How many they are.
    pub records: u64,
    /// The main revision of the first one; none without records.
    pub first: Option<i64>,
}

impl Same {
    /// Adds records; the first of them has this main revision.
    pub fn add(&mut self, main: i64, records: u64) {
        self.records = self.records.saturating_add(records);
        if records > 0 {
            self.first = Some(self.first.map_or(main, |first| first.min(main)));
        }
    }
}

/// How two databases differ.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pair<'a> {
    /// The first main revision at which they differ.
    pub first: Option<i64>,
    /// How many revisions have two different records.
    pub conflicts: u64,
    /// The two records of one of these revisions.
    pub conflict: Option<[StoredRecord<'a>; 2]>,
    /// How many records the first has and the second does not.
    pub only_first: u64,
    /// How many records the second has and the first does not.
    pub only_second: u64,
    /// The records that are the same in both, and not in all databases.
    pub same: Same,
}

impl<'a> Pair<'a> {
    /// Whether they differ.
    pub fn differs(&self) -> bool {
        self.first.is_some()
    }

    /// The same, seen from the second database.
    fn reversed(self) -> Self {
        Self {
            only_first: self.only_second,
            only_second: self.only_first,
            conflict: self.conflict.map(|[first, second]| [second, first]),
            ..self
        }
    }

    /// Adds a revision at which the two differ, with the record of each.
    fn add(&mut self, main: i64, records: [Option<StoredRecord<'a>>; 2]) {
        let count = match records {
            [Some(first), Some(second)] => {
                self.conflict = Some([first, second]);
                &mut self.conflicts
            }
            [Some(_), None] => &mut self.only_first,
            [None, _] => &mut self.only_second,
        };
        *count = count.saturating_add(1);
        self.first = Some(self.first.map_or(main, |first| first.min(main)));
    }
}

/// The differences that were found up to now.
#[derive(Debug)]
pub struct Differences<'a> {
    databases: usize,
    /// The revision of the comparison.
    common: i64,
    /// The keys that differ. `None` is for records whose key cannot be decoded.
    keys: HashMap<Option<&'a [u8]>, KeyDifference<'a>>,
    /// The pair of databases i < j is at i * databases + j.
    pairs: Vec<Pair<'a>>,
    /// The records from the first difference on, of each database; none as long as there is no difference.
    after: Option<Vec<Vec<StoredRecord<'a>>>>,
}

impl<'a> Differences<'a> {
    /// No differences between so many databases.
    pub fn new(databases: usize, common: i64) -> Self {
        Self {
            databases,
            common,
            keys: HashMap::new(),
            pairs: vec![Pair::default(); databases.saturating_mul(databases)],
            after: None,
        }
    }

    /// Whether something differs.
    pub fn found_any(&self) -> bool {
        !self.keys.is_empty()
    }

    /// How two databases differ.
    pub fn pair(&self, one: usize, other: usize) -> Pair<'a> {
        let (low, high) = (one.min(other), one.max(other));
        let at = low.saturating_mul(self.databases).saturating_add(high);
        let pair = self.pairs.get(at).copied().unwrap_or_default();
        if one > other { pair.reversed() } else { pair }
    }

    /// The records of a database from the first difference of any pair on, at most `KEPT_AFTER`.
    pub fn after(&self, database: usize) -> &[StoredRecord<'a>] {
        let after = self.after.as_ref().and_then(|after| after.get(database));
        after.map_or(&[], Vec::as_slice)
    }

    /// Compares the records of the pairs of databases for which `is_compared` is true. `can_compare` has for each
    /// database whether it takes part. Returns whether some differ.
    fn compare_pairs(
        &mut self,
        main: i64,
        records: &[Option<StoredRecord<'a>>],
        can_compare: &[bool],
        is_compared: impl Fn(usize, usize) -> bool,
    ) -> bool {
        let mut some_differ = false;
        let compared = || records.iter().zip(can_compare).enumerate();
        for (one, (first, _)) in compared().filter(|(_, (_, can))| **can) {
            let others = compared().skip(one.saturating_add(1));
            let others = others.filter(|(other, (_, can))| **can && is_compared(one, *other));
            for (other, (second, _)) in others {
                let at = one.saturating_mul(self.databases).saturating_add(other);
                let Some(pair) = self.pairs.get_mut(at) else {
                    continue;
                };
                if first != second {
                    pair.add(main, [*first, *second]);
                    some_differ = true;
                } else if first.is_some() {
                    pair.same.add(main, 1);
                }
            }
        }
        some_differ
    }

    /// Compares the records of one revision. `can_compare` has for each database whether it retains the revision.
    pub fn compare_revision(
        &mut self,
        revision: Revision,
        records: &[Option<StoredRecord<'a>>],
        can_compare: &[bool],
    ) {
        if !self.compare_pairs(revision.main, records, can_compare, |_, _| true) {
            return;
        }
        self.after
            .get_or_insert_with(|| vec![Vec::new(); self.databases]);
        let contents: Vec<Option<KeyValue<'a>>> = records
            .iter()
            .map(|record| record.and_then(|record| record.content()))
            .collect();
        // Databases may have different keys at one revision. Then each of these keys differs.
        let mut keys: Vec<Option<&'a [u8]>> = Vec::new();
        for (content, _) in contents.iter().zip(can_compare).filter(|(_, can)| **can) {
            if let Some(content) = content
                && !keys.contains(&Some(content.key))
            {
                keys.push(Some(content.key));
            }
        }
        if keys.is_empty() {
            keys.push(None);
        }
        for key in keys {
            let versions = records.iter().zip(&contents).zip(can_compare);
            let versions = versions.map(|((record, content), can)| match record {
                _ if !can => Version::Unknown,
                // A record that cannot be decoded may be of any key.
                Some(record) if content.is_none_or(|content| Some(content.key) == key) => {
                    Version::Record(*record)
                }
                _ => Version::NoRecord,
            });
            self.add_key(key, revision, versions.collect());
        }
    }

    /// Compares the newest record of a key up to a compaction in each database. `can_compare` has for each database
    /// whether it can show the state at that compaction. A pair is compared if `is_compared` is true.
    pub fn compare_candidates(
        &mut self,
        key: &'a [u8],
        candidates: &[Option<StoredRecord<'a>>],
        can_compare: &[bool],
        is_compared: impl Fn(usize, usize) -> bool,
    ) {
        let compared = candidates.iter().zip(can_compare);
        let compared = compared.filter(|(_, can)| **can);
        let revisions = compared.filter_map(|(record, _)| Some(record.as_ref()?.place.revision));
        let Some(revision) = revisions.max() else {
            return;
        };
        // A deleted key has no record after a compaction.
        let kept: Vec<_> = candidates
            .iter()
            .map(|record| record.filter(|record| !record.place.tombstone))
            .collect();
        if !self.compare_pairs(revision.main, &kept, can_compare, is_compared) {
            return;
        }
        let versions = candidates.iter().zip(can_compare);
        let versions = versions.map(|(record, can)| match record {
            _ if !can => Version::Unknown,
            Some(record) if record.place.revision == revision => Version::Record(*record),
            _ => Version::NoRecord,
        });
        self.add_key(Some(key), revision, versions.collect());
    }

    /// Adds a key that differs at a revision. Of a key that is known the lower revision counts.
    fn add_key(&mut self, key: Option<&'a [u8]>, revision: Revision, versions: Vec<Version<'a>>) {
        let common = self.common;
        let known = self.keys.entry(key).or_insert_with(|| KeyDifference {
            key,
            revision,
            last: versions
                .iter()
                .map(|version| version.record().filter(|_| revision.main <= common))
                .collect(),
            versions: versions.clone(),
            differs_now: true,
        });
        if revision < known.revision {
            (known.revision, known.versions) = (revision, versions);
        }
    }

    /// Keeps what is needed of the records from the first difference on: the first ones of each database, and the
    /// newest one of each key that differs.
    pub fn follow(&mut self, revision: Revision, records: &[Option<StoredRecord<'a>>]) {
        for (database, record) in records.iter().enumerate() {
            let Some(record) = record else { continue };
            let after = self.after.as_mut();
            if let Some(after) = after.and_then(|after| after.get_mut(database))
                && after.len() < KEPT_AFTER
            {
                after.push(*record);
            }
            if revision.main > self.common {
                continue;
            }
            let key = record.content().map(|content| content.key);
            if let Some(difference) = self.keys.get_mut(&key)
                && let Some(last) = difference.last.get_mut(database)
            {
                *last = Some(*record);
            }
        }
    }

    /// The differences, by revision and key.
    pub fn finish(self) -> Vec<KeyDifference<'a>> {
        let mut keys: Vec<_> = self.keys.into_values().collect();
        for difference in &mut keys {
            let known = difference.versions.iter().zip(&difference.last);
            // A database without any record of the key, and whose history of it is not known, may have had the same.
            let mut known = known
                .filter(|(version, last)| **version != Version::Unknown || last.is_some())
                .map(|(_, last)| last);
            let first = known.next();
            difference.differs_now =
                difference.revision.main > self.common || known.any(|last| Some(last) != first);
        }
        keys.arrange_by(|a, b| (a.revision, a.key).cmp(&(b.revision, b.key)));
        keys
    }
}
