//! A record in a pass over the store, which may be read from a copy of its leaf.

use std::ops::Deref;

use crate::bbolt::{Element, ReadLeaf};

use super::record::Record;

/// A record in a pass over the store. What is made of it may not borrow its bytes, because they may be a copy that is
/// dropped after the leaf; see [`Self::in_map`].
#[derive(Debug, Clone, Copy)]
pub struct PassedRecord<'r, 'a> {
    record: &'r Record<'r>,
    stored: Stored<'r, 'a>,
}

/// Where the record is.
#[derive(Debug, Clone, Copy)]
enum Stored<'r, 'a> {
    InLeaf(&'r Element<'r>, &'r ReadLeaf<'r, 'a>),
    /// In the write-ahead log, a delta snapshot or a freed page.
    Elsewhere(&'r Record<'a>),
}

impl<'r, 'a> PassedRecord<'r, 'a> {
    pub(super) fn of_leaf(
        record: &'r Record<'r>,
        element: &'r Element<'r>,
        leaf: &'r ReadLeaf<'r, 'a>,
    ) -> Self {
        let stored = Stored::InLeaf(element, leaf);
        Self { record, stored }
    }

    /// The element of the leaf that stores it.
    pub(super) fn element(&self) -> Option<&'r Element<'r>> {
        match self.stored {
            Stored::InLeaf(element, _) => Some(element),
            Stored::Elsewhere(_) => None,
        }
    }

    /// Whether the same record is found again at its page and element, as far as that is known without looking.
    pub(super) fn is_as_stored(&self) -> bool {
        match self.stored {
            Stored::InLeaf(_, leaf) => leaf.is_as_stored(),
            Stored::Elsewhere(_) => false,
        }
    }

    /// The same record in the map of the file. Its key and its value are not read for this, and each look at them may
    /// read a page.
    pub fn in_map(&self) -> Record<'a> {
        match self.stored {
            Stored::InLeaf(_, leaf) => {
                let part = |bytes| leaf.part_in_map(bytes);
                self.record
                    .with_bytes(part(self.record.key), part(self.record.value))
            }
            Stored::Elsewhere(record) => *record,
        }
    }
}

impl<'r, 'a> From<&'r Record<'a>> for PassedRecord<'r, 'a> {
    fn from(record: &'r Record<'a>) -> Self {
        let stored = Stored::Elsewhere(record);
        Self { record, stored }
    }
}

impl<'r> Deref for PassedRecord<'r, '_> {
    type Target = Record<'r>;

    fn deref(&self) -> &Record<'r> {
        self.record
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::diag::Diagnostics;
    use crate::etcd::State;
    use crate::source::testdata::databases;
    use crate::source::{Source, Way};

    /// What a pass shows of each record, and what it reports. The number is that of the records that were read from a copy.
    fn pass(source: &Source) -> Option<(Vec<String>, String, usize)> {
        let diagnostics = Diagnostics::new();
        let state = State::open(source, &diagnostics).ok()?;
        let (mut shown, mut copied) = (Vec::new(), 0);
        let walked = state.visit_records(
            |record| {
                let in_map = record.in_map();
                let is_copied = in_map.key.as_ptr() != record.key.as_ptr();
                let element = record.element().map(|element| element.value.len());
                Some((format!("{:?} {element:?}", **record), in_map, is_copied))
            },
            |(record, in_map, is_copied), key| {
                assert_eq!(in_map.key, key);
                assert!(record.starts_with(&format!("{in_map:?} ")));
                copied += usize::from(is_copied);
                shown.push(record);
            },
        );
        shown.push(format!("walked: {}", walked.is_some()));
        Some((shown, format!("{:?}", diagnostics.by_code()), copied))
    }

    #[test]
    fn records_are_the_same_from_a_copy_and_from_the_map() {
        let (mut records, mut copied) = (0, 0);
        for path in databases(&[".db"]) {
            let Ok(map) = Source::open(&path) else {
                continue;
            };
            let map = map.with_way(Way::Map);
            let slow = Source::open(&path).unwrap().with_way(Way::Copy);
            let (Some(one), Some(other)) = (pass(&map), pass(&slow)) else {
                continue;
            };
            assert_eq!((&one.0, &one.1), (&other.0, &other.1), "{}", path.display());
            assert_eq!(one.2, 0, "{}", path.display());
            records += one.0.len();
            copied += other.2;
        }
        assert!(
            copied * 2 > records && records > 5000,
            "{copied} of {records}"
        );
    }
}
