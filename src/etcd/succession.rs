//! How the records of one key follow each other, and what contradicts that.
//!
//! Above the compaction every record is retained, so the records of a key must be consistent: versions without a gap, one
//! create_revision from the first put to the tombstone, and no tombstone without a put. The put that was live at the
//! compaction is retained too, so this holds from there on. Of older records only the last put of each key is left, and
//! a few more while a compaction runs or after it was interrupted.

use crate::diag::{Code, Damage, Diagnostic};
use crate::fast_map::FastMap;

use super::generation::{Generation, Transition};
use super::record::Record;
use super::record_list::PlacedRecord;
use super::revision::Revision;
use super::schema;
use super::store::Store;

/// The newest record of a key.
#[derive(Debug, Clone, Copy)]
pub struct NewestRecord {
    /// When it was written.
    pub revision: Revision,
    /// The generation of the key after it; `None` if it deletes the key.
    pub generation: Option<Generation>,
    /// Its version; 0 of a tombstone.
    pub version: i64,
}

/// What a fold keeps of the newest record of a key, for [`compare`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Predecessor {
    newest: NewestRecord,
    /// Carved records and records of the log are not compared: the state may lack the records between them.
    is_compared: bool,
}

impl Predecessor {
    /// The revision of the record.
    pub(super) fn revision(&self) -> Revision {
        self.newest.revision
    }

    /// Whether it is a put, and another record belongs to its generation.
    pub(super) fn is_continued_by(&self, record: &Record<'_>) -> bool {
        let (before, after) = (self.newest.generation, Generation::after(record));
        matches!(
            Transition::between(before, after),
            Transition::Continues | Transition::Ends
        )
    }

    /// Whether it deletes its key.
    pub(super) fn is_deletion(&self) -> bool {
        self.newest.generation.is_none()
    }
}

impl From<&Record<'_>> for Predecessor {
    fn from(record: &Record<'_>) -> Self {
        Self {
            newest: NewestRecord::from(record),
            is_compared: record.origin.is_of_state() && !record.is_bump_mark(),
        }
    }
}

/// A record that is no bump mark, by its place.
impl From<&PlacedRecord<'_>> for Predecessor {
    fn from(placed: &PlacedRecord<'_>) -> Self {
        Self {
            newest: NewestRecord {
                revision: placed.revision,
                generation: placed.generation(),
                version: placed.version,
            },
            is_compared: placed.origin().is_of_state(),
        }
    }
}

/// Compares a record of the state with the record of its key before it, and reports a contradiction, as [`super::check`] does.
/// Every fold over the records of a key calls this, because its answer is only as certain as these records.
pub(super) fn compare(store: &Store<'_>, before: Option<&Predecessor>, record: &Record<'_>) {
    let is_compared = Predecessor::from(record).is_compared;
    if is_compared && before.is_none_or(|before| before.is_compared) {
        compare_with_newest(store, before.map(|before| &before.newest), record);
    }
}

/// The same for all records of one key, in the order of revisions.
pub fn compare_all(store: &Store<'_>, history: &[Record<'_>]) {
    let mut before = None;
    for record in history {
        compare(store, before.as_ref(), record);
        before = Some(Predecessor::from(record));
    }
}

/// The newest record of each key so far, for a fold that does not keep earlier records.
#[derive(Debug, Default)]
pub struct Successions {
    newest: FastMap<Box<[u8]>, NewestRecord>,
}

impl Successions {
    /// Adds the next record, and reports a contradiction with the record of its key before it.
    pub fn see(&mut self, store: &Store<'_>, record: &Record<'_>) {
        if !record.origin.is_of_state() || record.is_bump_mark() {
            return;
        }
        let now = NewestRecord::from(record);
        match self.newest.get_mut(record.key) {
            Some(known) => {
                compare_with_newest(store, Some(known), record);
                *known = now;
            }
            None => {
                compare_with_newest(store, None, record);
                self.newest.insert(record.key.into(), now);
            }
        }
    }
}

/// As [`compare`], for a fold that keeps only some fields of the record before. The caller has to leave out records
/// that are not of the state.
pub(super) fn compare_with_newest(
    store: &Store<'_>,
    before: Option<&NewestRecord>,
    record: &Record<'_>,
) {
    let now = NewestRecord::from(record);
    if before.is_some_and(|before| before.revision >= now.revision) {
        return;
    }
    if let Some(found) = contradiction(before, &now, store.compact_revision()) {
        store.db().diagnostics().report(found.about(record));
    }
}

/// How a record contradicts the record of its key before it, as [`super::check`] reports it. None if it does not, or if the
/// records are not in the order of revisions.
pub fn contradicts(
    before: Option<&NewestRecord>,
    record: &Record<'_>,
    compacted: i64,
) -> Option<Code> {
    let now = NewestRecord::from(record);
    if before.is_some_and(|before| before.revision >= now.revision) {
        return None;
    }
    contradiction(before, &now, compacted).map(|found| found.code)
}

impl From<&Record<'_>> for NewestRecord {
    fn from(record: &Record<'_>) -> Self {
        Self {
            revision: record.revision,
            generation: Generation::after(record),
            version: record.version,
        }
    }
}

impl NewestRecord {
    /// Its create_revision; 0 for a tombstone, which stores none.
    fn created(&self) -> i64 {
        self.generation
            .map_or(0, |generation| generation.create_revision)
    }
}

/// What is wrong with a record, without its place.
struct Contradiction {
    code: Code,
    expected: String,
    found: String,
}

impl Contradiction {
    /// Always `Some`: the result of a check that failed.
    fn new(code: Code, expected: impl Into<String>, found: impl Into<String>) -> Option<Self> {
        Some(Self {
            code,
            expected: expected.into(),
            found: found.into(),
        })
    }

    /// The finding that a record has this contradiction.
    fn about(self, record: &Record<'_>) -> Damage {
        let effect = match self.code {
            Code::VersionGap | Code::TombstoneUnmatched => {
                "records of this key are missing, or this record was altered"
            }
            _ => "one of the two records was altered",
        };
        Diagnostic::new(self.code, record.locus().bucket(schema::KEY))
            .expected(self.expected, self.found)
            .effect(effect)
    }
}

/// The contradiction between a record and the record of its key before it, if any. Up to the compaction only what no
/// compaction explains is one; after it every record needs its predecessor.
fn contradiction(
    before: Option<&NewestRecord>,
    now: &NewestRecord,
    compacted: i64,
) -> Option<Contradiction> {
    if let Some(before) = before
        && before.revision.main == now.revision.main
    {
        // etcd refuses a transaction that changes a key twice.
        return Contradiction::new(
            Code::KeyTwice,
            format!("a key once in revision {}", now.revision.main),
            format!("it in {} and {}", before.revision, now.revision),
        );
    }
    let former = before.and_then(|before| before.generation);
    let transition = Transition::between(former, now.generation);
    if now.revision.main <= compacted {
        return match transition {
            Transition::Continues | Transition::Replaces => {
                before.and_then(|before| across_compaction(before, now))
            }
            Transition::Begins | Transition::Ends | Transition::EndsNothing => None,
        };
    }
    match transition {
        Transition::Begins | Transition::EndsNothing => without_predecessor(before, now),
        Transition::Ends => None,
        Transition::Continues => before.and_then(|before| not_the_next_version(before, now)),
        // Its tombstone is missing.
        Transition::Replaces => before.and_then(|before| {
            Contradiction::new(
                Code::VersionGap,
                format!("the key as created at revision {}", before.created()),
                format!(
                    "create_revision {}, and no tombstone after {}",
                    now.created(),
                    before.revision
                ),
            )
        }),
    }
}

/// A put above the compaction whose version is not the next one.
fn not_the_next_version(before: &NewestRecord, now: &NewestRecord) -> Option<Contradiction> {
    let next = before.version.saturating_add(1);
    if now.version == next {
        return None;
    }
    let code = if now.version > next {
        Code::VersionGap
    } else {
        Code::GenerationMismatch
    };
    Contradiction::new(
        code,
        format!("version {next} after {}", before.revision),
        format!("version {}", now.version),
    )
}

/// A record above the compaction whose key has no earlier record, although this one needs it.
fn without_predecessor(before: Option<&NewestRecord>, now: &NewestRecord) -> Option<Contradiction> {
    let found_before = || {
        before.map_or_else(
            || "no record of this key".to_owned(),
            |before| format!("its tombstone {}", before.revision),
        )
    };
    if now.generation.is_none() {
        return Contradiction::new(
            Code::TombstoneUnmatched,
            "a put of the key before its tombstone",
            found_before(),
        );
    }
    // The first put of a generation.
    if now.version <= 1 {
        return None;
    }
    Contradiction::new(
        Code::VersionGap,
        format!(
            "version {} before version {}",
            now.version.saturating_sub(1),
            now.version
        ),
        found_before(),
    )
}

/// The contradiction between two puts of a key between which a compaction may have removed records. In one generation
/// the version grows. A later generation is created after the earlier put.
fn across_compaction(before: &NewestRecord, now: &NewestRecord) -> Option<Contradiction> {
    let can_be = if now.generation == before.generation {
        now.version > before.version
    } else {
        now.created() > before.revision.main
    };
    if can_be {
        return None;
    }
    Contradiction::new(
        Code::GenerationMismatch,
        format!(
            "a later version, or a create_revision after {}",
            before.revision.main
        ),
        format!("version {} created at {}", now.version, now.created()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(main: i64, create_revision: i64, version: i64) -> NewestRecord {
        NewestRecord {
            revision: Revision { main, sub: 0 },
            generation: Some(Generation { create_revision }),
            version,
        }
    }

    fn tombstone(main: i64) -> NewestRecord {
        NewestRecord {
            generation: None,
            ..put(main, 0, 0)
        }
    }

    fn code(before: Option<NewestRecord>, now: NewestRecord, compacted: i64) -> Option<Code> {
        contradiction(before.as_ref(), &now, compacted).map(|found| found.code)
    }

    #[test]
    fn above_the_compaction_every_record_has_its_predecessor() {
        assert_eq!(code(None, put(7, 7, 1), 0), None);
        assert_eq!(code(Some(put(7, 7, 1)), put(9, 7, 2), 0), None);
        assert_eq!(code(Some(put(7, 3, 4)), put(9, 3, 5), 8), None);
        assert_eq!(code(Some(put(7, 7, 1)), tombstone(8), 0), None);
        assert_eq!(code(Some(tombstone(8)), put(9, 9, 1), 0), None);
        assert_eq!(code(None, put(9, 3, 2), 8), Some(Code::VersionGap));
        assert_eq!(
            code(Some(put(7, 7, 1)), put(9, 7, 3), 0),
            Some(Code::VersionGap)
        );
        assert_eq!(
            code(Some(put(7, 7, 1)), put(9, 9, 1), 0),
            Some(Code::VersionGap)
        );
        assert_eq!(
            code(Some(tombstone(8)), put(9, 7, 2), 0),
            Some(Code::VersionGap)
        );
        assert_eq!(
            code(Some(put(7, 7, 4)), put(9, 7, 4), 0),
            Some(Code::GenerationMismatch)
        );
        assert_eq!(code(None, tombstone(9), 8), Some(Code::TombstoneUnmatched));
        assert_eq!(
            code(Some(tombstone(8)), tombstone(9), 0),
            Some(Code::TombstoneUnmatched)
        );
    }

    #[test]
    fn below_the_compaction_only_what_no_compaction_explains_is_wrong() {
        assert_eq!(code(None, put(7, 3, 4), 8), None);
        assert_eq!(code(None, tombstone(8), 8), None);
        assert_eq!(code(Some(put(3, 3, 1)), put(7, 3, 4), 8), None);
        assert_eq!(code(Some(put(3, 3, 1)), put(7, 5, 2), 8), None);
        assert_eq!(
            code(Some(put(3, 3, 2)), put(7, 3, 2), 8),
            Some(Code::GenerationMismatch)
        );
        assert_eq!(
            code(Some(put(6, 3, 2)), put(7, 5, 2), 8),
            Some(Code::GenerationMismatch)
        );
    }

    #[test]
    fn a_key_twice_in_one_revision_is_told_wherever_it_is() {
        let mut second = put(7, 7, 1);
        second.revision.sub = 1;
        assert_eq!(code(Some(put(7, 7, 1)), second, 0), Some(Code::KeyTwice));
        assert_eq!(code(Some(put(7, 7, 1)), second, 9), Some(Code::KeyTwice));
    }
}
