//! The space of the records of each key.

use super::key_ids::{KeyId, KeyNumbers, to_u32, to_usize};
use super::key_texts::KeyTexts;
use super::record::Record;
use super::record_list::{Place, PlacedRecord, RecordList, RecordReader};

/// The bytes of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecordBytes {
    /// Of the values.
    pub values: u64,
    /// Of everything else: the revision, the key, the other fields.
    pub heads: u64,
}

impl RecordBytes {
    /// Both together.
    pub fn total(self) -> u64 {
        self.values.saturating_add(self.heads)
    }

    fn add(&mut self, other: Self) {
        self.values = self.values.saturating_add(other.values);
        self.heads = self.heads.saturating_add(other.heads);
    }
}

/// The records of one key in numbers.
#[derive(Debug)]
struct Sizes {
    /// Bytes of its newest record. After [`KeySpaces::finish`], zero if the key is deleted.
    live: RecordBytes,
    /// Bytes of all other records.
    old: RecordBytes,
    revisions: u32,
    tombstones: u32,
    /// If its newest record is a tombstone: the index in [`KeySpaces::last_puts`] of its newest put. [`NO_PUT`] without a
    /// put.
    last_put: u32,
}

/// The index that means: no put is retained.
const NO_PUT: u32 = u32::MAX;

/// The retained records of each key of a file.
#[derive(Debug)]
pub struct KeySpaces<'a> {
    numbers: KeyNumbers,
    /// The keys, by their numbers. The lists that follow are in the same order.
    texts: KeyTexts,
    sizes: Vec<Sizes>,
    /// The newest record of each key.
    newest: RecordList<'a>,
    /// The newest puts of deleted keys.
    last_puts: RecordList<'a>,
}

/// The retained records of one key.
#[derive(Debug, Clone, Copy)]
pub struct KeySpace<'k, 'a> {
    keys: &'k KeySpaces<'a>,
    sizes: &'k Sizes,
    number: usize,
}

impl<'k, 'a> KeySpace<'k, 'a> {
    /// The key.
    pub fn key(&self) -> &'k [u8] {
        self.keys.texts.get(self.number)
    }

    /// Whether the key exists in the newest state.
    pub fn is_live(&self) -> bool {
        !self.keys.is_deleted(self.number)
    }

    /// Its newest record. None if another program has changed the file since.
    pub fn newest(&self) -> Option<Record<'a>> {
        self.keys.newest.get(self.number)
    }

    /// Its newest put, if one is retained. No page is read for it.
    pub fn newest_put(&self) -> Option<PlacedRecord<'a>> {
        match self.is_live() {
            true => self.keys.newest.placed(self.number),
            false => self.keys.last_puts.placed(to_usize(self.sizes.last_put)),
        }
    }

    /// Bytes of its current record; zero if the key is deleted.
    pub fn live(&self) -> RecordBytes {
        self.sizes.live
    }

    /// Bytes of all other records.
    pub fn old(&self) -> RecordBytes {
        self.sizes.old
    }

    /// How many records it has, tombstones included.
    pub fn revisions(&self) -> u64 {
        self.sizes.revisions.into()
    }

    /// How many of them are tombstones.
    pub fn tombstones(&self) -> u64 {
        self.sizes.tombstones.into()
    }
}

impl<'a> KeySpaces<'a> {
    pub(super) fn new(reader: RecordReader<'a>) -> Self {
        Self {
            numbers: KeyNumbers::default(),
            texts: KeyTexts::default(),
            sizes: Vec::new(),
            newest: RecordList::new(reader),
            last_puts: RecordList::new(reader),
        }
    }

    /// The keys, in the order of their first records.
    pub fn iter(&self) -> impl Iterator<Item = KeySpace<'_, 'a>> + Clone {
        let sizes = self.sizes.iter().enumerate();
        sizes.map(|(number, sizes)| KeySpace {
            keys: self,
            sizes,
            number,
        })
    }

    fn is_deleted(&self, number: usize) -> bool {
        self.newest.is_tombstone(number) == Some(true)
    }

    /// Adds a record of a key, which has this id. Until [`Self::finish`], `live` is the size of the newest record.
    pub(super) fn add(
        &mut self,
        record: &Record<'a>,
        (key, id): (&[u8], KeyId),
        place: Option<Place>,
        bytes: RecordBytes,
    ) {
        let number = self.numbers.add(id);
        let tombstones = u32::from(record.tombstone);
        let Some(sizes) = self.sizes.get_mut(number) else {
            self.texts.push(key);
            self.newest.push(record, place, false);
            self.sizes.push(Sizes {
                live: bytes,
                old: RecordBytes::default(),
                revisions: 1,
                tombstones,
                last_put: NO_PUT,
            });
            return;
        };
        sizes.revisions = sizes.revisions.saturating_add(1);
        sizes.tombstones = sizes.tombstones.saturating_add(tombstones);
        // In a damaged file the walk need not go by revision.
        let revision = self.newest.revision(number);
        let is_newest = revision.is_none_or(|known| known < record.revision);
        let replaced = if is_newest {
            std::mem::replace(&mut sizes.live, bytes)
        } else {
            bytes
        };
        sizes.old.add(replaced);
        match (record.tombstone, is_newest) {
            (true, true) if !self.is_deleted(number) => self.keep_newest_as_put(number),
            (false, false) if self.is_deleted(number) => self.add_put(number, record, place),
            _ => {}
        }
        if is_newest {
            self.newest.set(number, record, place);
        }
    }

    /// Keeps the newest record of a key, a put that is deleted now, as its newest put.
    fn keep_newest_as_put(&mut self, number: usize) {
        let slot = self.slot_of_put(number);
        self.last_puts.set_from(slot, &self.newest, number);
    }

    /// Notes a put of a key whose newest record is a tombstone.
    fn add_put(&mut self, number: usize, record: &Record<'a>, place: Option<Place>) {
        let known = self.sizes.get(number).map(|sizes| sizes.last_put);
        let known = known.filter(|slot| *slot != NO_PUT);
        let known = known.and_then(|slot| self.last_puts.revision(to_usize(slot)));
        if known.is_none_or(|known| known < record.revision) {
            let slot = self.slot_of_put(number);
            self.last_puts.set(slot, record, place);
        }
    }

    /// The index in `last_puts` for the newest put of a key. A key gets its index when it is first needed.
    fn slot_of_put(&mut self, number: usize) -> usize {
        let next = self.last_puts.len();
        let Some(sizes) = self.sizes.get_mut(number) else {
            return next;
        };
        if sizes.last_put == NO_PUT {
            sizes.last_put = to_u32(next);
            self.last_puts.push_none();
        }
        to_usize(sizes.last_put)
    }

    /// Counts the newest record of each deleted key as history. Called after the last record was added.
    pub(super) fn finish(&mut self) {
        self.numbers = KeyNumbers::default();
        for (number, sizes) in self.sizes.iter_mut().enumerate() {
            if self.newest.is_tombstone(number) == Some(true) {
                sizes.old.add(std::mem::take(&mut sizes.live));
            }
        }
    }
}
