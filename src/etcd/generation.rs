//! One life of a key, from the put that creates it to its tombstone: etcd's generation
//! (`server/storage/mvcc/key_index.go`).
//!
//! A put stores the revision at which its key was created. This create_revision identifies the generation: two puts of a
//! key with the same create_revision belong to one generation. A tombstone stores only the key, and ends the generation
//! before it.
//!
//! This works even if records are missing. Example: a key was created at revision 10, deleted at 20, and created again at
//! 30. If a compaction removed the tombstone at 20, the put at 30 still has create_revision 30, so it starts a new
//! generation. The same holds for carved records, where any record between two puts may be missing.

use super::record::Record;

/// A generation of a key, identified by the main revision of the put that created the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation {
    /// Main revision of the put that created the key.
    pub create_revision: i64,
}

/// The effect of a record on the generation of its key that was open before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// A put in the open generation.
    Continues,
    /// A put that starts a generation; none was open.
    Begins,
    /// A put of another generation than the open one. The tombstone of the open one is not among the records.
    Replaces,
    /// The tombstone of the open generation.
    Ends,
    /// A tombstone, and no generation was open.
    EndsNothing,
}

impl Generation {
    /// The generation that is open after a record; `None` after a tombstone.
    #[inline]
    pub fn after(record: &Record<'_>) -> Option<Self> {
        (!record.tombstone).then_some(Self {
            create_revision: record.create_revision,
        })
    }

    /// Whether a record is a put of this generation.
    #[inline]
    pub fn contains(self, record: &Record<'_>) -> bool {
        Self::after(record) == Some(self)
    }

    /// Whether a record of a key belongs to the generation of the one before it, as its next put or as its tombstone.
    #[inline]
    pub fn continues(before: &Record<'_>, record: &Record<'_>) -> bool {
        matches!(
            Transition::between(Self::after(before), Self::after(record)),
            Transition::Continues | Transition::Ends
        )
    }

    /// The puts of this generation at the end of a key's records, which are in the order of revisions.
    pub fn last_puts<'r, 'a>(self, records: &'r [Record<'a>]) -> &'r [Record<'a>] {
        let other = records.iter().rposition(|record| !self.contains(record));
        let start = other.map_or(0, |place| place.saturating_add(1));
        records.get(start..).unwrap_or_default()
    }
}

impl Transition {
    /// The transition from the generation open before a record to the one open after it.
    #[inline]
    pub fn between(before: Option<Generation>, after: Option<Generation>) -> Self {
        match (before, after) {
            (None, Some(_)) => Self::Begins,
            (None, None) => Self::EndsNothing,
            (Some(_), None) => Self::Ends,
            (Some(before), Some(after)) if before == after => Self::Continues,
            (Some(_), Some(_)) => Self::Replaces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::record::{Grade, Origin};
    use crate::etcd::revision::Revision;

    fn put(main: i64, create_revision: i64, version: i64) -> Record<'static> {
        Record {
            create_revision,
            mod_revision: main,
            version,
            ..Record::empty(Revision { main, sub: 0 }, b"key", Origin::Live)
        }
    }

    fn tombstone(main: i64) -> Record<'static> {
        Record {
            tombstone: true,
            mod_revision: 0,
            ..put(main, 0, 0)
        }
    }

    fn carved(record: Record<'static>) -> Record<'static> {
        Record {
            origin: Origin::Carved(Grade::A),
            ..record
        }
    }

    fn transitions(records: &[Record<'_>]) -> Vec<Transition> {
        let mut open = None;
        let mut transitions = Vec::new();
        for record in records {
            let after = Generation::after(record);
            transitions.push(Transition::between(open, after));
            open = after;
        }
        transitions
    }

    fn mains(records: &[Record<'_>]) -> Vec<i64> {
        records.iter().map(|record| record.revision.main).collect()
    }

    #[test]
    fn a_key_that_is_created_updated_deleted_and_created_again_has_two_generations() {
        let records = [
            put(2, 2, 1),
            put(3, 2, 2),
            tombstone(4),
            put(6, 6, 1),
            put(7, 6, 2),
        ];
        use Transition::{Begins, Continues, Ends};
        assert_eq!(
            transitions(&records),
            [Begins, Continues, Ends, Begins, Continues]
        );
        let continued: Vec<bool> = records
            .windows(2)
            .map(|pair| Generation::continues(&pair[0], &pair[1]))
            .collect();
        assert_eq!(continued, [true, true, false, true]);
        let second = Generation { create_revision: 6 };
        assert_eq!(mains(second.last_puts(&records)), [6, 7]);
    }

    #[test]
    fn a_put_of_version_1_begins_a_generation_if_the_tombstone_before_it_was_compacted() {
        let records = [put(3, 2, 2), put(6, 6, 1)];
        assert_eq!(
            transitions(&records),
            [Transition::Begins, Transition::Replaces]
        );
        assert!(!Generation::continues(&records[0], &records[1]));
    }

    #[test]
    fn another_create_revision_begins_a_generation_if_its_first_versions_are_missing_as_well() {
        let records = [put(3, 2, 2), put(9, 6, 4), put(10, 6, 5)];
        assert_eq!(
            transitions(&records),
            [
                Transition::Begins,
                Transition::Replaces,
                Transition::Continues
            ]
        );
        let second = Generation { create_revision: 6 };
        assert_eq!(mains(second.last_puts(&records)), [9, 10]);
    }

    #[test]
    fn carved_records_without_the_deletion_between_them_are_of_two_generations() {
        let records = [carved(put(3, 2, 2)), carved(put(8, 7, 2)), put(12, 7, 6)];
        assert_eq!(
            transitions(&records),
            [
                Transition::Begins,
                Transition::Replaces,
                Transition::Continues
            ]
        );
        let live = Generation::after(&records[2]).unwrap();
        assert_eq!(mains(live.last_puts(&records)), [8, 12]);
    }

    #[test]
    fn versions_that_are_missing_within_a_generation_do_not_end_it() {
        assert!(Generation::continues(&put(3, 2, 2), &put(9, 2, 7)));
    }

    #[test]
    fn a_tombstone_ends_what_is_open_and_nothing_else() {
        assert_eq!(transitions(&[tombstone(9)]), [Transition::EndsNothing]);
        assert!(!Generation::continues(&tombstone(8), &tombstone(9)));
        assert_eq!(Generation::after(&tombstone(9)), None);
        assert!(!Generation { create_revision: 0 }.contains(&tombstone(9)));
    }

    #[test]
    fn records_that_end_with_another_generation_have_no_last_puts_of_the_first() {
        let first = Generation { create_revision: 2 };
        assert!(first.last_puts(&[put(2, 2, 1), put(6, 6, 1)]).is_empty());
        assert!(first.last_puts(&[put(2, 2, 1), tombstone(3)]).is_empty());
    }
}
