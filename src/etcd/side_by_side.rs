//! The stored records of several stores in the order of revisions: each step gives the record that each store has at
//! one revision. Values are not decoded.

use std::fmt;

use crate::bbolt::{Direction, Leaf};

use super::key_value::KeyValue;
use super::revision::{BucketKey, Revision};
use super::store::Store;

/// A record with its value as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredRecord<'a> {
    /// Its revision, and whether it is a tombstone.
    pub place: BucketKey,
    /// The message that etcd stores, as bytes.
    pub stored: &'a [u8],
}

impl<'a> StoredRecord<'a> {
    /// The record of a key and a value of bucket `key`; none if the key is not a revision.
    pub fn parse(key: &[u8], stored: &'a [u8]) -> Option<Self> {
        let place = BucketKey::parse(key).ok()?;
        Some(Self { place, stored })
    }

    /// Its content; none if the message is damaged.
    pub fn content(&self) -> Option<KeyValue<'a>> {
        KeyValue::parse(self.stored).ok()
    }
}

/// The records of one store, from the oldest on.
struct Cursor<'a> {
    /// The leaves after the current one.
    leaves: Box<dyn Iterator<Item = Leaf<'a>> + 'a>,
    /// The leaf of the current record.
    leaf: Option<Leaf<'a>>,
    /// Index in the leaf of the element after the current one.
    next: usize,
    /// The records after the last leaf.
    added: std::vec::IntoIter<StoredRecord<'a>>,
    current: Option<StoredRecord<'a>>,
}

impl<'a> Cursor<'a> {
    #[expect(
        clippy::map_identity,
        reason = "it shortens the lifetime of the leaves"
    )]
    fn new<'e: 'a>(store: &Store<'e>, added: Vec<StoredRecord<'a>>) -> Self {
        let leaves = store.record_leaves(Direction::Forward);
        let mut cursor = Self {
            leaves: Box::new(leaves.map(|leaf| -> Leaf<'a> { leaf })),
            leaf: None,
            next: 0,
            added: added.into_iter(),
            current: None,
        };
        cursor.advance();
        cursor
    }

    /// Goes to the next record. An element whose key is not a revision was reported by the walk.
    fn advance(&mut self) {
        loop {
            let Some(leaf) = &self.leaf else {
                if !self.next_leaf() {
                    self.current = self.added.next();
                    return;
                }
                continue;
            };
            let count = leaf.page.usable_count();
            while self.next < count {
                let element = leaf.element(self.next);
                self.next = self.next.saturating_add(1);
                let record =
                    element.and_then(|element| StoredRecord::parse(element.key, element.value));
                if record.is_some() {
                    self.current = record;
                    return;
                }
            }
            self.leaf = None;
        }
    }

    /// Goes to the start of the next leaf. Returns whether there is one.
    fn next_leaf(&mut self) -> bool {
        self.leaf = self.leaves.next();
        self.next = 0;
        self.leaf.is_some()
    }

    /// Goes to the first record after the current leaf.
    fn skip_leaf(&mut self) {
        self.leaf = None;
        self.advance();
    }

    /// The current leaf, if the current record is its first element and every element can be read. Only such a leaf can
    /// be skipped as a whole.
    fn leaf_at_start(&self) -> Option<&Leaf<'a>> {
        self.leaf
            .as_ref()
            .filter(|leaf| self.next == 1 && leaf.is_whole())
    }
}

/// Iterates over the records of several stores. Each step is one revision.
pub struct SideBySide<'a> {
    cursors: Vec<Cursor<'a>>,
    /// The records of the last step, one for each store. It is a field so that its memory is used again.
    row: Vec<Option<StoredRecord<'a>>>,
}

impl fmt::Debug for SideBySide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SideBySide")
            .field("row", &self.row)
            .finish_non_exhaustive()
    }
}

/// Length in bytes of the id at the start of a page. Pages with the same records have other ids in other files.
const PAGE_ID_BYTES: usize = 8;

impl<'a> SideBySide<'a> {
    /// The records of the states of these stores, each with those that follow them, in the order of revisions.
    pub fn new<'e, 's>(stores: impl Iterator<Item = (&'s Store<'e>, Vec<StoredRecord<'a>>)>) -> Self
    where
        'e: 'a + 's,
    {
        Self {
            cursors: stores
                .map(|(store, added)| Cursor::new(store, added))
                .collect(),
            row: Vec::new(),
        }
    }

    /// The revision of the next row; none at the end.
    pub fn next_revision(&self) -> Option<Revision> {
        let current = self.cursors.iter().filter_map(|cursor| cursor.current);
        current.map(|record| record.place.revision).min()
    }

    /// The records of the next revision, one for each store; none for a store that lacks the revision.
    pub fn next_row(&mut self) -> Option<(Revision, &[Option<StoredRecord<'a>>])> {
        let revision = self.next_revision()?;
        self.row.clear();
        for cursor in &mut self.cursors {
            let record = cursor
                .current
                .filter(|record| record.place.revision == revision);
            if record.is_some() {
                cursor.advance();
            }
            self.row.push(record);
        }
        Some((revision, &self.row))
    }

    /// Skips leaves that are equal in all stores, up to a main revision. Members often have the same leaves, although at
    /// other places in their files. Returns how many records were skipped.
    pub fn skip_equal_leaves(&mut self, up_to: i64) -> u64 {
        let mut skipped = 0_u64;
        while let Some(records) = self.records_of_equal_leaves(up_to) {
            skipped = skipped.saturating_add(records);
            self.cursors.iter_mut().for_each(Cursor::skip_leaf);
        }
        skipped
    }

    /// How many records each of the current leaves has. None if they differ, or if they have records after a main
    /// revision.
    fn records_of_equal_leaves(&self, up_to: i64) -> Option<u64> {
        let (first, others) = self.cursors.split_first()?;
        let leaf = first.leaf_at_start()?;
        let bytes = leaf.page.run().bytes().get(PAGE_ID_BYTES..)?;
        for other in others {
            let page = other.leaf_at_start()?.page;
            if page.run().bytes().get(PAGE_ID_BYTES..)? != bytes {
                return None;
            }
        }
        let count = leaf.page.usable_count();
        let last = leaf.element(count.checked_sub(1)?)?;
        let ends_in_time = BucketKey::parse(last.key).ok()?.revision.main <= up_to;
        ends_in_time.then_some(count as u64)
    }
}
