//! A record in a pass over the store, which may be read from a copy of its leaf.

use std::ops::Deref;

use crate::bbolt::{Element, ReadLeaf};

use super::record::Record;

/// A record in a pass over the store. What is made of it may not borrow its bytes, because they may be a copy that is
/// dropped after the leaf; see [`Self::in_map`].
#[derive(Debug)]
pub struct PassedRecord<'r, 'a> {
    record: Record<'r>,
    stored: Stored<'r, 'a>,
}

/// Where the record is.
#[derive(Debug)]
enum Stored<'r, 'a> {
    InLeaf(Element<'r>, &'r ReadLeaf<'r, 'a>),
    /// In the write-ahead log, a delta snapshot or a freed page.
    Elsewhere(Record<'a>),
}

impl<'r, 'a> PassedRecord<'r, 'a> {
    pub(super) fn of_leaf(
        record: Record<'r>,
        element: Element<'r>,
        leaf: &'r ReadLeaf<'r, 'a>,
    ) -> Self {
        let stored = Stored::InLeaf(element, leaf);
        Self { record, stored }
    }

    /// The element of the leaf that stores it.
    pub(super) fn element(&self) -> Option<&Element<'r>> {
        match &self.stored {
            Stored::InLeaf(element, _) => Some(element),
            Stored::Elsewhere(_) => None,
        }
    }

    /// Whether the same record is found again at its page and element, as far as that is known without looking.
    pub(super) fn is_as_stored(&self) -> bool {
        match &self.stored {
            Stored::InLeaf(_, leaf) => leaf.is_as_stored(),
            Stored::Elsewhere(_) => false,
        }
    }

    /// The same record in the map of the file. Its key and its value are not read for this, and each look at them may
    /// read a page.
    pub fn in_map(&self) -> Record<'a> {
        match &self.stored {
            Stored::InLeaf(_, leaf) => {
                let part = |bytes| leaf.part_in_map(bytes);
                self.record
                    .with_bytes(part(self.record.key), part(self.record.value))
            }
            Stored::Elsewhere(record) => *record,
        }
    }
}

impl<'a> From<&Record<'a>> for PassedRecord<'a, 'a> {
    fn from(record: &Record<'a>) -> Self {
        Self {
            record: *record,
            stored: Stored::Elsewhere(*record),
        }
    }
}

impl<'r> Deref for PassedRecord<'r, '_> {
    type Target = Record<'r>;

    fn deref(&self) -> &Record<'r> {
        &self.record
    }
}
