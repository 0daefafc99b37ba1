//! Many records in little memory: of each the list has its place in the file, from which it is read again.
//!
//! A [`Record`] has 136 bytes, a place has 24. Reading a record again takes less time than reading its page from memory
//! for the first time. A record that is not found again in the same way (in a page with damage, in an inline bucket, in
//! the write-ahead log) is kept as it is.

use crate::bbolt::{Page, Pages, Pgid};
use crate::source::Source;

use super::generation::Generation;
use super::passed_record::PassedRecord;
use super::record::{Origin, Record};
use super::revision::Revision;
use super::store::Store;

/// The place of a record of the tree, with what most questions about a version need. A record whose numbers do not fit
/// has no place: etcd does not write a larger main revision in a thousand years, nor such a long value.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The page; or with [`OTHER`], the index among the other records.
    page: u32,
    /// How many revisions before its own its key was created; 0 for a tombstone, which stores no creation.
    since_creation: u32,
    /// The main revision.
    main: Bytes<5>,
    value_bytes: Bytes<3>,
    version: Bytes<3>,
    flags: u8,
    sub: u16,
    element: u16,
}

/// An unsigned number in so many bytes, the lowest first.
#[derive(Debug, Clone, Copy)]
struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Bytes<N> {
    const ZERO: Self = Self([0; N]);

    /// None if the number does not fit.
    fn new(number: u64) -> Option<Self> {
        let bytes = number.to_le_bytes();
        let (low, high) = bytes.split_first_chunk()?;
        high.iter().all(|byte| *byte == 0).then_some(Self(*low))
    }

    fn get(self) -> u64 {
        let mut bytes = [0; 8];
        bytes
            .iter_mut()
            .zip(self.0)
            .for_each(|(to, from)| *to = from);
        u64::from_le_bytes(bytes)
    }

    fn signed(self) -> i64 {
        self.get().cast_signed()
    }
}

/// The bit in [`Place::flags`] of a place among the other records.
const OTHER: u8 = 1;
/// The bit of a tombstone.
const TOMBSTONE: u8 = 2;
/// The bit of a record whose key is attached to a lease.
const LEASE: u8 = 4;
/// The bit of a record that belongs to the generation of the put before it, of the same key.
const CONTINUES: u8 = 8;

impl Place {
    /// No place.
    const NONE: Self = Self {
        page: u32::MAX,
        since_creation: 0,
        main: Bytes::ZERO,
        value_bytes: Bytes::ZERO,
        version: Bytes::ZERO,
        sub: 0,
        element: u16::MAX,
        flags: OTHER,
    };

    /// The place of a record of the tree. None if one of its numbers does not fit.
    fn new(record: &Record<'_>) -> Option<Self> {
        let is_usual = record.tombstone || record.mod_revision == record.revision.main;
        (record.origin == Origin::Live && is_usual).then_some(())?;
        let since_creation = match record.tombstone {
            true => 0,
            false => record.revision.main.checked_sub(record.create_revision)?,
        };
        let place = Self {
            page: u32::try_from(record.pgid?).ok()?,
            since_creation: u32::try_from(since_creation).ok()?,
            main: Bytes::new(u64::try_from(record.revision.main).ok()?)?,
            value_bytes: Bytes::new(record.value.len() as u64)?,
            version: Bytes::new(u64::try_from(record.version).ok()?)?,
            sub: u16::try_from(record.revision.sub).ok()?,
            element: u16::try_from(record.element?).ok()?,
            flags: 0,
        };
        let place = place.with(TOMBSTONE, record.tombstone);
        Some(place.with(LEASE, record.lease != 0))
    }

    fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn with(self, flag: u8, is_set: bool) -> Self {
        let flags = if is_set { flag } else { 0 };
        Self {
            flags: self.flags & !flag | flags,
            ..self
        }
    }
}

/// Finds the places of records, and reads records at places. It can be used on all cores.
#[derive(Debug, Clone, Copy)]
pub struct RecordReader<'a>(Pages<'a>);

impl<'a> RecordReader<'a> {
    pub(super) fn new(store: &Store<'a>) -> Self {
        Self::of_pages(store.db().pages())
    }

    pub(super) fn of_pages(pages: Pages<'a>) -> Self {
        Self(pages)
    }

    /// The place of a record. None if what is read there is not the same record.
    pub(super) fn place_of(&self, record: &PassedRecord<'_, 'a>) -> Option<Place> {
        let is_same = record.is_as_stored() || self.has(record);
        is_same.then(|| Place::new(record)).flatten()
    }

    /// Whether a record is read again from its page and element. The same bytes give the same record.
    fn has(&self, record: &Record<'_>) -> bool {
        let page = record.pgid.and_then(|page| self.page(page));
        let element = record.element.zip(page);
        let element = element.and_then(|(index, page)| page.leaf_element(index).ok());
        element.is_some_and(|element| element.value_offset == record.offset)
    }

    fn page(&self, pgid: u64) -> Option<Page<'a>> {
        self.0.unchecked(Pgid(pgid))
    }

    /// The record at a place. None if another program has changed the file since.
    fn read(&self, place: Place) -> Option<Record<'a>> {
        record_in(&self.page(place.page.into())?, place)
    }

    /// As [`Self::read`], from a copy of its page.
    fn copy<'b>(
        &self,
        place: Place,
        source: &Source,
        buffer: &'b mut Vec<u8>,
    ) -> Option<Record<'b>> {
        let copy = |part: &[u8], copy: &mut [u8]| source.copy_to(part, copy);
        let page = self.0.copied(Pgid(place.page.into()), &copy, buffer)?;
        record_in(&page, place)
    }
}

/// The record at a place, of its page.
fn record_in<'p>(page: &Page<'p>, place: Place) -> Option<Record<'p>> {
    let element = page.leaf_element(place.element.into()).ok()?;
    let (record, _) = Record::parse(page, &element).ok()?;
    Some(record)
}

/// A list of records.
#[derive(Debug)]
pub(super) struct RecordList<'a> {
    pub(super) reader: RecordReader<'a>,
    places: Vec<Place>,
    others: Vec<Record<'a>>,
}

impl<'a> RecordList<'a> {
    pub(super) fn new(reader: RecordReader<'a>) -> Self {
        Self {
            reader,
            places: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Adds a record. `place` is what [`RecordReader::place_of`] returns for it; see [`Self::continues`].
    pub(super) fn push(&mut self, record: &Record<'a>, place: Option<Place>, continues: bool) {
        let place = place.unwrap_or_else(|| self.add_other(record));
        self.places.push(place.with(CONTINUES, continues));
    }

    /// Adds the record at an index of another list.
    pub(super) fn push_from(&mut self, other: &Self, from: usize) {
        let place = other.places.get(from).copied().unwrap_or(Place::NONE);
        match other.other(place).filter(|_| place.has(OTHER)) {
            None => self.places.push(place),
            Some(record) => self.push(record, None, place.has(CONTINUES)),
        }
    }

    /// Adds the place of a record that is not known yet.
    pub(super) fn push_none(&mut self) {
        self.places.push(Place::NONE);
    }

    /// Replaces the record at an index.
    pub(super) fn set(&mut self, index: usize, record: &Record<'a>, place: Option<Place>) {
        let known = self.places.get(index).copied().unwrap_or(Place::NONE);
        let place = place.unwrap_or_else(|| self.add_other_at(known, record));
        if let Some(slot) = self.places.get_mut(index) {
            *slot = place;
        }
    }

    /// Replaces the record at an index by one of another list.
    pub(super) fn set_from(&mut self, index: usize, other: &Self, from: usize) {
        let place = other.places.get(from).copied();
        match place.filter(|place| place.has(OTHER)) {
            None => {
                if let (Some(slot), Some(place)) = (self.places.get_mut(index), place) {
                    *slot = place;
                }
            }
            Some(place) => {
                if let Some(record) = other.other(place) {
                    self.set(index, record, None);
                }
            }
        }
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether the record at an index deletes its key; none without a record there. No page is read for it.
    pub(super) fn is_tombstone(&self, index: usize) -> Option<bool> {
        let place = self.places.get(index)?;
        let is_there = !place.has(OTHER) || self.other(*place).is_some();
        is_there.then_some(place.has(TOMBSTONE))
    }

    /// As [`Self::add_other`]. If the known place has another record, it is replaced.
    fn add_other_at(&mut self, known: Place, record: &Record<'a>) -> Place {
        let page = usize::try_from(known.page).unwrap_or(usize::MAX);
        match self.others.get_mut(page).filter(|_| known.has(OTHER)) {
            Some(other) => {
                *other = *record;
                known.with(TOMBSTONE, record.tombstone)
            }
            None => self.add_other(record),
        }
    }

    fn add_other(&mut self, record: &Record<'a>) -> Place {
        let index = u32::try_from(self.others.len()).unwrap_or(u32::MAX);
        self.others.push(*record);
        let place = Place {
            page: index,
            ..Place::NONE
        };
        place.with(TOMBSTONE, record.tombstone)
    }

    /// The record at an index.
    pub(super) fn get(&self, index: usize) -> Option<Record<'a>> {
        let place = *self.places.get(index)?;
        match place.has(OTHER) {
            true => self.other(place).copied(),
            false => self.reader.read(place),
        }
    }

    /// The revision of the record at an index. No page is read for it.
    pub(super) fn revision(&self, index: usize) -> Option<Revision> {
        self.placed(index).map(|placed| placed.revision)
    }

    /// The record at an index, by its place. No page is read for it.
    pub(super) fn placed(&self, index: usize) -> Option<PlacedRecord<'a>> {
        let place = *self.places.get(index)?;
        if place.has(OTHER) {
            return self.other(place).map(|other| PlacedRecord::from(*other));
        }
        let main = place.main.signed();
        Some(PlacedRecord {
            revision: Revision {
                main,
                sub: place.sub.into(),
            },
            version: place.version.signed(),
            create_revision: match place.has(TOMBSTONE) {
                true => 0,
                false => main.saturating_sub(place.since_creation.into()),
            },
            mod_revision: main,
            tombstone: place.has(TOMBSTONE),
            value_bytes: place.value_bytes.get(),
            record: Stored::At(self.reader, place),
        })
    }

    /// Whether the record at an index was added as one that continues the generation of the record before it.
    pub(super) fn continues(&self, index: usize) -> bool {
        let place = self.places.get(index);
        place.is_some_and(|place| place.has(CONTINUES))
    }

    fn other(&self, place: Place) -> Option<&Record<'a>> {
        self.others.get(usize::try_from(place.page).ok()?)
    }
}

/// A record by its place. Its page is only read if the whole record is asked for: the versions of a key are far apart in
/// the file.
#[derive(Debug, Clone, Copy)]
pub struct PlacedRecord<'a> {
    /// When it was written.
    pub revision: Revision,
    /// Its version.
    pub version: i64,
    /// The revision at which its key was created; 0 for a tombstone.
    pub create_revision: i64,
    /// The revision that it states.
    pub mod_revision: i64,
    /// Whether it deletes its key.
    pub tombstone: bool,
    /// Length of its value, in bytes.
    pub value_bytes: u64,
    record: Stored<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Stored<'a> {
    Here(Record<'a>),
    At(RecordReader<'a>, Place),
}

impl<'a> PlacedRecord<'a> {
    /// The generation of its key after it; none if it deletes the key.
    pub fn generation(&self) -> Option<Generation> {
        (!self.tombstone).then_some(Generation {
            create_revision: self.create_revision,
        })
    }

    /// The lease that its key is attached to; 0 for none.
    pub fn lease(&self) -> i64 {
        match self.record {
            Stored::At(_, place) if !place.has(LEASE) => 0,
            _ => self.record().map_or(0, |record| record.lease),
        }
    }

    /// Where it was found.
    pub fn origin(&self) -> Origin {
        match self.record {
            Stored::Here(record) => record.origin,
            Stored::At(..) => Origin::Live,
        }
    }

    /// The page of its record, for reading in the order of the file.
    pub fn page(&self) -> u64 {
        match self.record {
            Stored::Here(record) => record.pgid.unwrap_or_default(),
            Stored::At(_, place) => place.page.into(),
        }
    }

    /// Its record. None if another program has changed the file since.
    pub fn record(&self) -> Option<Record<'a>> {
        match self.record {
            Stored::Here(record) => Some(record),
            Stored::At(reader, place) => reader.read(place),
        }
    }

    /// As [`Self::record`], copied to a buffer: see [`Source::copy`].
    pub fn copy<'b>(&self, source: &Source, buffer: &'b mut Vec<u8>) -> Option<Record<'b>>
    where
        'a: 'b,
    {
        match self.record {
            Stored::At(reader, place) => {
                let copied = reader.copy(place, source, buffer);
                copied.or_else(|| reader.read(place))
            }
            Stored::Here(record) => Some(record),
        }
    }
}

impl<'a> From<Record<'a>> for PlacedRecord<'a> {
    fn from(record: Record<'a>) -> Self {
        Self {
            revision: record.revision,
            version: record.version,
            create_revision: record.create_revision,
            mod_revision: record.mod_revision,
            tombstone: record.tombstone,
            value_bytes: record.value.len() as u64,
            record: Stored::Here(record),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bbolt::{Db, Direction};
    use crate::diag::Diagnostics;
    use crate::etcd::record::Grade;

    fn image(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    }

    /// The number of records, and how many of them have a place.
    fn listed(image: &[u8]) -> (usize, usize) {
        let diagnostics = Diagnostics::new();
        let store = Store::from_db(Db::from_image(image, None, &diagnostics).unwrap());
        let reader = RecordReader::new(&store);
        let mut list = RecordList::new(reader);
        let mut records: Vec<Record<'_>> = store.records(Direction::Forward).collect();
        let carved = records.first().map(|record| Record {
            origin: Origin::Carved(Grade::A),
            ..*record
        });
        records.extend(carved);
        for record in &records {
            let place = reader.place_of(&PassedRecord::from(record));
            list.push(record, place, false);
        }
        for (index, record) in records.iter().enumerate() {
            let again = list.get(index).unwrap();
            assert_eq!(format!("{again:?}"), format!("{record:?}"));
            let placed = list.placed(index).unwrap();
            let expected = (record.revision, record.version);
            assert_eq!((placed.revision, placed.version), expected);
            assert_eq!(placed.value_bytes, record.value.len() as u64);
            assert_eq!(placed.create_revision, record.create_revision);
            assert_eq!(placed.lease(), record.lease);
            assert_eq!(placed.origin(), record.origin);
            assert_eq!(placed.tombstone, record.tombstone);
            assert!(record.tombstone || placed.mod_revision == record.mod_revision);
            assert_eq!(
                format!("{:?}", placed.record().unwrap()),
                format!("{record:?}")
            );
        }
        assert!(list.get(records.len()).is_none() && list.revision(records.len()).is_none());
        (records.len(), records.len() - list.others.len())
    }

    #[test]
    fn a_number_fits_its_bytes_or_is_refused() {
        assert_eq!(size_of::<Place>(), 24);
        for number in [0, 1, 255, 256, 0x00ff_ffff] {
            assert_eq!(Bytes::<3>::new(number).unwrap().get(), number);
        }
        for number in [0x0100_0000, u64::MAX] {
            assert!(Bytes::<3>::new(number).is_none());
        }
        assert_eq!(Bytes::<5>::new(1 << 39).unwrap().signed(), 1 << 39);
        assert!(Bytes::<5>::new(1 << 40).is_none());
    }

    #[test]
    fn a_list_returns_the_records_that_were_added() {
        let (records, with_place) = listed(&image(&format!("healthy/k8s/{}.db", "after")));
        assert!(records > 100 && with_place == records - 1, "{with_place}");
    }

    #[test]
    fn a_record_of_a_damaged_store_is_kept_as_it_is() {
        let (records, with_place) = listed(&image("damaged/both-metas-zeroed.db"));
        assert!(records > 0 && with_place < records, "{with_place}");
    }
}
