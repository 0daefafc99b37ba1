//! The records of bucket `key`, parsed on all cores: as an iterator, or visited in one pass.

use std::sync::Mutex;

use crate::bbolt::{Direction, Element, Leaf, ReadLeaf, WalkedPages};
use crate::diag::Diagnostics;

use super::leaves::{RecordLeaves, leaf_records_with_bytes};
use super::passed_record::PassedRecord;
use super::record::{Origin, Record};

/// Empty lists with memory of their own. A list is filled on one core and emptied on another. If its memory were given back
/// there, both cores would wait for each other in the allocator: a seventh of the time of a pass over a store.
pub(super) struct SpareLists<L>(Mutex<Vec<L>>);

impl<L: Default> SpareLists<L> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Returns an empty list. It is a new one if no list is kept, or if another core has locked the lists.
    pub(super) fn take(&self) -> L {
        let spare = self.0.try_lock().ok().and_then(|mut lists| lists.pop());
        spare.unwrap_or_default()
    }

    /// Keeps the memory of a list that was used, and is empty now.
    pub(super) fn keep(&self, list: L) {
        if let Ok(mut lists) = self.0.try_lock() {
            lists.push(list);
        }
    }
}

/// What was made of the records of a leaf, each with the key of its record.
pub(super) struct MadeOfRecords<T> {
    items: Vec<(T, usize)>,
    /// The keys, one after the other. An item has the length of its own.
    keys: Vec<u8>,
}

impl<T> Default for MadeOfRecords<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            keys: Vec::new(),
        }
    }
}

impl<T> MadeOfRecords<T> {
    fn push(&mut self, item: T, key: &[u8]) {
        self.keys.extend_from_slice(key);
        self.items.push((item, key.len()));
    }

    /// Visits the items in their order, and removes them.
    pub(super) fn drain(&mut self, mut visit: impl FnMut(T, &[u8])) {
        let mut keys = self.keys.as_slice();
        for (item, len) in self.items.drain(..) {
            let (key, rest) = keys.split_at_checked(len).unwrap_or_default();
            visit(item, key);
            keys = rest;
        }
        self.keys.clear();
    }
}

/// Parses the records of a leaf, and adds to `made`, which is empty, what `choose` makes of each. `None` if something
/// about a record has to be reported.
pub(super) fn passed_records<'a, T>(
    leaf: &ReadLeaf<'_, 'a>,
    mut made: MadeOfRecords<T>,
    choose: impl Fn(&PassedRecord<'_, 'a>) -> Option<T>,
) -> Option<MadeOfRecords<T>> {
    let origin = Origin::from_leaf(&leaf.leaf);
    for element in leaf.leaf.elements(Direction::Forward) {
        let (mut record, contradiction) = Record::parse(&leaf.leaf.page, &element).ok()?;
        if contradiction.is_some() {
            return None;
        }
        record.origin = origin;
        let passed = PassedRecord::of_leaf(&record, &element, leaf);
        if let Some(item) = choose(&passed) {
            made.push(item, record.key);
        }
    }
    Some(made)
}

/// Parses the records of a leaf, and adds to `chosen`, an empty list, what `choose` makes of each. `None` if something about
/// a record has to be reported.
pub(super) fn intact_records<'a, T>(
    leaf: &Leaf<'a>,
    direction: Direction,
    mut chosen: Vec<T>,
    choose: impl Fn(&Record<'a>, &Element<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let origin = Origin::from_leaf(leaf);
    for element in leaf.elements(direction) {
        let (record, contradiction) = Record::parse(&leaf.page, &element).ok()?;
        if contradiction.is_some() {
            return None;
        }
        chosen.extend(choose(&Record { origin, ..record }, &element));
    }
    Some(chosen)
}

/// Iterator over what `choose` makes of each record of some leaves. A leaf with damage is read record by record, and each
/// finding is reported when its record is reached.
pub struct Records<'a, T, F> {
    leaves: RecordLeaves<'a, Vec<T>>,
    choose: F,
    direction: Direction,
    diagnostics: &'a Diagnostics,
    /// What was made of an intact leaf; the next one is the last of the list.
    intact: Vec<T>,
    spare: SpareLists<Vec<T>>,
    damaged: Option<Box<dyn Iterator<Item = (Record<'a>, Element<'a>)> + Send + 'a>>,
}

impl<'a, T: Send, F: Fn(&Record<'a>, &Element<'a>) -> Option<T> + Sync> Records<'a, T, F> {
    pub(super) fn new(
        leaves: RecordLeaves<'a, Vec<T>>,
        choose: F,
        direction: Direction,
        diagnostics: &'a Diagnostics,
    ) -> Self {
        Self {
            leaves,
            choose,
            direction,
            diagnostics,
            intact: Vec::new(),
            spare: SpareLists::new(),
            damaged: None,
        }
    }

    /// Goes to the next leaf. False at the end.
    fn next_leaf(&mut self) -> bool {
        let (direction, choose) = (self.direction, &self.choose);
        self.spare.keep(std::mem::take(&mut self.intact));
        let spare = &self.spare;
        let next = self.leaves.next_made(|leaf| {
            let mut chosen = intact_records(leaf, direction, spare.take(), choose)?;
            chosen.reverse();
            Some(chosen)
        });
        match next {
            Some((_, Some(chosen))) => self.intact = chosen,
            Some((leaf, None)) => {
                let records = leaf_records_with_bytes(&leaf, direction, self.diagnostics);
                self.damaged = Some(Box::new(records));
            }
            None => return false,
        }
        true
    }

    /// The next record of a leaf with damage.
    fn next_damaged(&mut self) -> Option<T> {
        let damaged = self.damaged.as_mut()?;
        let choose = &self.choose;
        let next = damaged.find_map(|(record, element)| choose(&record, &element));
        if next.is_none() {
            self.damaged = None;
        }
        next
    }
}

impl<'a, T: Send, F: Fn(&Record<'a>, &Element<'a>) -> Option<T> + Sync> Iterator
    for Records<'a, T, F>
{
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        loop {
            if let Some(next) = self.intact.pop() {
                return Some(next);
            }
            if let Some(next) = self.next_damaged() {
                return Some(next);
            }
            if !self.next_leaf() {
                return None;
            }
        }
    }
}

/// Visits the records of some leaves, oldest first. `choose` is called with each record on all cores, `visit` with what it
/// returns and the key, in the order of the records. Returns the pages of the tree if nothing was found wrong on the way.
pub(super) fn visit_records<'a, T: Send>(
    leaves: RecordLeaves<'a, MadeOfRecords<T>>,
    diagnostics: &'a Diagnostics,
    choose: impl Fn(&PassedRecord<'_, 'a>) -> Option<T> + Sync,
    mut visit: impl FnMut(T, &[u8]) + Send,
) -> Option<WalkedPages> {
    let mut is_intact = true;
    let spare = SpareLists::new();
    let walked = leaves.visit(
        |leaf| passed_records(leaf, spare.take(), &choose),
        |leaf, made| match made {
            Some(mut made) => {
                made.drain(&mut visit);
                spare.keep(made);
            }
            None => {
                is_intact &= is_intact_leaf(leaf);
                let read = ReadLeaf::from(leaf);
                let records = leaf_records_with_bytes(leaf, Direction::Forward, diagnostics);
                for (record, element) in records {
                    let passed = PassedRecord::of_leaf(&record, &element, &read);
                    if let Some(item) = choose(&passed) {
                        visit(item, record.key);
                    }
                }
            }
        },
    );
    walked.filter(|_| is_intact)
}

/// Whether each element of a leaf is a record about which nothing is to be reported.
fn is_intact_leaf(leaf: &Leaf<'_>) -> bool {
    let records = || intact_records(leaf, Direction::Forward, Vec::new(), |_, _| None::<()>);
    leaf.is_whole() && records().is_some()
}
