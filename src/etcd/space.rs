//! What the bytes of a database file are: live values, old values, structure, free pages.
//!
//! **Invariant:** each byte of the file is in exactly one [`Part`], so the parts are together the length of the file, for a
//! damaged file too. The sizes of the records are what [`Claims`] granted.
//!
//! Only keys and record heads are read. A value is counted by its length.

use crate::bbolt::page_use::BucketUse;
use crate::bbolt::space::{Claims, PageClass, PageRest};
use crate::bbolt::{Direction, Element, Leaf, MetaChoice, PageUse, ReadLeaf};

use super::defragmentation::{Defragmentation, DefragmentedSize};
use super::key_ids::{KeyId, KeyIds};
use super::key_space::{KeySpaces, RecordBytes};
use super::passed_record::PassedRecord;
use super::record::{Origin, Record};
use super::record_list::{Place, RecordReader};
use super::records::{SpareLists, passed_records};
use super::schema;
use super::state::State;

/// What a byte of the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The value of a live key.
    LiveValues,
    /// Key, revision and other fields of the current record of a live key.
    LiveHeads,
    /// A value that was replaced or deleted.
    OldValues,
    /// Key, revision and other fields of an older record or a tombstone.
    OldHeads,
    /// A page header or element table of bucket `key`, or the mark of `etcdutl snapshot restore --bump-revision`.
    Tables,
    /// A branch page of bucket `key`.
    Branches,
    /// Unused bytes in pages of bucket `key`.
    Slack,
    /// The pages of the root and of other buckets.
    OtherBuckets,
    /// The two meta pages.
    Metas,
    /// The freelist.
    Freelist,
    /// Free pages.
    Free,
    /// Pages to which no tree leads, and that are not known to be free.
    Unreached,
    /// Bytes of pages in use that could not be read.
    Damaged,
    /// Bytes after the last page that was ever in use.
    BeyondMark,
    /// The SHA-256 of a snapshot file.
    Trailer,
    /// Bytes after the SHA-256 of a snapshot file.
    AfterTrailer,
}

impl Part {
    /// All parts, in the order in which they are shown.
    pub const ALL: [Self; 16] = [
        Self::LiveValues,
        Self::LiveHeads,
        Self::OldValues,
        Self::OldHeads,
        Self::Tables,
        Self::Branches,
        Self::Slack,
        Self::OtherBuckets,
        Self::Metas,
        Self::Freelist,
        Self::Free,
        Self::Unreached,
        Self::Damaged,
        Self::BeyondMark,
        Self::Trailer,
        Self::AfterTrailer,
    ];
}

/// The number of bytes in each part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts([u64; Part::ALL.len()]);

impl Parts {
    /// The bytes of a part.
    pub fn get(&self, part: Part) -> u64 {
        self.0.get(part as usize).copied().unwrap_or_default()
    }

    /// The bytes of all parts.
    pub fn total(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |total, bytes| total.saturating_add(*bytes))
    }

    fn add(&mut self, part: Part, bytes: u64) {
        if let Some(known) = self.0.get_mut(part as usize) {
            *known = known.saturating_add(bytes);
        }
    }
}

/// The space of a file, by parts and by keys.
#[derive(Debug)]
pub struct FileSpace<'a> {
    /// The bytes of each part.
    pub parts: Parts,
    /// The keys with a retained record. Their sizes are together the first four parts.
    pub keys: KeySpaces<'a>,
    /// The buckets, the root first.
    pub buckets: Vec<BucketSpace<'a>>,
    /// The size before and after a defragmentation.
    pub defragmentation: DefragmentedSize,
}

/// The pages of one bucket.
#[derive(Debug, Clone)]
pub struct BucketSpace<'a> {
    /// Its path, the names joined by slashes; empty for the root.
    pub path: Vec<u8>,
    /// The bucket.
    pub bucket: BucketUse<'a>,
    /// The bytes of its pages; zero for a bucket that is stored in a page of another one.
    pub page_bytes: u64,
}

impl<'a> FileSpace<'a> {
    /// Measures the file of a state. `after_image` is what follows its pages: the length of the SHA-256, and of the bytes
    /// after that. `see` is given each record, its key and its size.
    pub fn read(
        state: &State<'a>,
        after_image: (u64, u64),
        see: &mut (dyn FnMut(&Record<'a>, &[u8], RecordBytes) + Send),
    ) -> Self {
        let db = state.db();
        let reader = RecordReader::of_pages(db.pages());
        let mut fold = Fold {
            claims: Claims::new(db),
            parts: Parts::default(),
            keys: KeySpaces::new(reader),
            reader,
            ids: KeyIds::default(),
            defragmentation: Defragmentation::new(db),
            see,
        };
        let (page_use, ()) = rayon::join(|| PageUse::read(db), || fold.buckets(state));
        let Fold {
            claims,
            mut parts,
            mut keys,
            defragmentation,
            ..
        } = fold;
        let page_bytes = add_rests(&claims, state, &page_use, &mut parts);
        parts.add(Part::Trailer, after_image.0);
        parts.add(Part::AfterTrailer, after_image.1);
        keys.finish();
        for key in keys.iter() {
            let (live, old) = (key.live(), key.old());
            parts.add(Part::LiveValues, live.values);
            parts.add(Part::LiveHeads, live.heads);
            parts.add(Part::OldValues, old.values);
            parts.add(Part::OldHeads, old.heads);
        }
        Self {
            parts,
            keys,
            buckets: buckets(&page_use, &page_bytes),
            defragmentation: defragmentation.finish(),
        }
    }
}

/// A record with what the list of keys needs of it.
struct FoundRecord<'a> {
    record: Record<'a>,
    place: Option<Place>,
    id: KeyId,
    stored: StoredAt,
}

/// Where an element is, and how long it is.
#[derive(Clone, Copy)]
struct StoredAt {
    value_offset: u64,
    key_bytes: u64,
    value_bytes: u64,
}

impl From<&Element<'_>> for StoredAt {
    fn from(element: &Element<'_>) -> Self {
        Self {
            value_offset: element.value_offset,
            key_bytes: element.key.len() as u64,
            value_bytes: element.value.len() as u64,
        }
    }
}

impl<'a> FoundRecord<'a> {
    /// None of a record that is in no element.
    fn new(record: &PassedRecord<'_, 'a>, ids: &KeyIds, reader: RecordReader<'a>) -> Option<Self> {
        Some(Self {
            stored: record.element()?.into(),
            record: record.in_map(),
            place: reader.place_of(record),
            id: ids.of(record.key),
        })
    }
}

/// What was measured up to a leaf: the bytes that records claimed, and their sums by part and by key.
struct Fold<'a, 's> {
    claims: Claims,
    parts: Parts,
    keys: KeySpaces<'a>,
    reader: RecordReader<'a>,
    ids: KeyIds,
    defragmentation: Defragmentation,
    see: &'s mut (dyn FnMut(&Record<'a>, &[u8], RecordBytes) + Send),
}

impl<'a> Fold<'a, '_> {
    /// Reads all buckets in their order: the records of bucket `key`, and of every other bucket the lengths of its elements
    /// only.
    fn buckets(&mut self, state: &State<'a>) {
        for bucket in state.buckets() {
            self.defragmentation.begin_bucket();
            if bucket.name == schema::KEY {
                self.records(state);
            } else {
                let elements = bucket.elements(state.db().diagnostics(), Direction::Forward);
                elements.for_each(|(_, element)| self.defragmentation.add(&element));
            }
        }
    }

    /// Reads the leaves of bucket `key`. The records of intact ones are parsed ahead.
    fn records(&mut self, state: &State<'a>) {
        let (ids, reader) = (self.ids.clone(), self.reader);
        let find = |record: &PassedRecord<'_, 'a>| FoundRecord::new(record, &ids, reader);
        let spare = SpareLists::new();
        state.visit_leaves(
            |leaf| passed_records(leaf, spare.take(), find),
            |leaf, records| match records {
                Some(mut records) => {
                    // All elements of this leaf are records.
                    self.claim_table(leaf);
                    records.drain(|found, key| self.record(&found, key));
                    spare.keep(records);
                }
                None => self.leaf(state, leaf),
            },
        );
    }

    /// Claims the header and the element table of a leaf.
    fn claim_table(&mut self, leaf: &Leaf<'a>) {
        let table = self.claims.claim_table(&leaf.page);
        self.parts.add(Part::Tables, table);
    }

    /// Claims the bytes of a leaf: its header, its element table and its records. Invalid elements are reported, and
    /// their page is noted as damaged.
    fn leaf(&mut self, state: &State<'a>, leaf: &Leaf<'a>) {
        self.claim_table(leaf);
        let mut is_damaged = !leaf.is_whole();
        let origin = Origin::from_leaf(leaf);
        let read = ReadLeaf::from(leaf);
        for element in leaf.elements(Direction::Forward) {
            match Record::parse(&leaf.page, &element) {
                Ok((record, contradiction)) => {
                    if let Some(finding) = contradiction {
                        state.db().diagnostics().report(finding);
                    }
                    let record = Record { origin, ..record };
                    let passed = PassedRecord::of_leaf(&record, &element, &read);
                    if let Some(found) = FoundRecord::new(&passed, &self.ids, self.reader) {
                        self.record(&found, record.key);
                    }
                }
                Err(finding) => {
                    is_damaged = true;
                    self.defragmentation.add(&element);
                    state.db().diagnostics().report(finding);
                }
            }
        }
        if is_damaged {
            self.claims.set_damaged(&leaf.page);
        }
    }

    /// Claims the bytes of a record, and adds them to its key. Bytes that another record has already claimed count as
    /// no bytes: that happens in a damaged file only.
    fn record(&mut self, found: &FoundRecord<'a>, key: &[u8]) {
        let FoundRecord { record, stored, .. } = found;
        let (key_bytes, value_bytes) = (stored.key_bytes, stored.value_bytes);
        self.defragmentation.add_lengths(key_bytes, value_bytes);
        let stored_bytes = key_bytes.saturating_add(value_bytes);
        let offset = stored.value_offset.saturating_sub(key_bytes);
        let granted = self.claims.claim(offset, stored_bytes);
        if record.is_bump_mark() {
            return self.parts.add(Part::Tables, granted);
        }
        let values = granted.min(record.value.len() as u64);
        let bytes = RecordBytes {
            values,
            heads: granted.saturating_sub(values),
        };
        (self.see)(record, key, bytes);
        self.keys.add(record, (key, found.id), found.place, bytes);
    }
}

/// The buckets with the bytes of their pages.
fn buckets<'a>(page_use: &PageUse<'a>, page_bytes: &[u64]) -> Vec<BucketSpace<'a>> {
    let all = page_use.buckets().iter().zip(page_bytes).enumerate();
    all.map(|(index, (bucket, page_bytes))| BucketSpace {
        path: page_use.path_of(index),
        bucket: bucket.clone(),
        page_bytes: *page_bytes,
    })
    .collect()
}

/// Adds the bytes that no record claimed: those of each page by the use of the page, and those after the last page.
/// Returns how many bytes the pages of each bucket have.
fn add_rests(
    claims: &Claims,
    state: &State<'_>,
    page_use: &PageUse<'_>,
    parts: &mut Parts,
) -> Vec<u64> {
    let db = state.db();
    // The index of bucket `key`.
    let records = page_use
        .buckets()
        .iter()
        .position(|bucket| bucket.parent == Some(0) && bucket.name == schema::KEY);
    let records = records.filter(|_| state.bucket(schema::KEY).is_some());
    // Pages of a lost subtree look like free pages.
    let is_certain = db.choice().1 != MetaChoice::Neither
        && db.root_is_named()
        && !db.diagnostics().may_hide_records();
    // Whether the last leaf page was read. Pages come in the order of the file, so the overflow pages that follow are
    // its own.
    let mut is_read = false;
    let mut of_buckets = vec![0_u64; page_use.buckets().len()];
    let beyond = claims.rest(page_use, |page| {
        if let PageClass::Branch { bucket } | PageClass::Leaf { bucket, .. } = page.class
            && let Some(bytes) = of_buckets.get_mut(bucket)
        {
            *bytes = bytes.saturating_add(page.page_bytes);
        }
        if let PageClass::Leaf { inside: false, .. } = page.class {
            is_read = page.is_claimed;
        }
        let part = match page.class {
            PageClass::Meta => Part::Metas,
            PageClass::Freelist => Part::Freelist,
            PageClass::Branch { bucket } if Some(bucket) == records => Part::Branches,
            PageClass::Leaf { bucket, inside } if Some(bucket) == records => {
                part_of_leaf(page, inside && is_read)
            }
            PageClass::Branch { .. } | PageClass::Leaf { .. } => Part::OtherBuckets,
            // Records were found in it without the tree.
            _ if page.is_claimed => part_of_leaf(page, true),
            PageClass::Broken => Part::Damaged,
            PageClass::Free if is_certain => Part::Free,
            PageClass::Free | PageClass::Unreached => Part::Unreached,
        };
        parts.add(part, page.bytes);
    });
    parts.add(Part::BeyondMark, beyond);
    of_buckets
}

/// The part that the unclaimed bytes of a leaf page belong to. `is_read` is whether its records were read, although
/// none of their bytes may be in this page.
fn part_of_leaf(page: PageRest, is_read: bool) -> Part {
    if page.is_damaged || !(page.is_claimed || is_read) {
        Part::Damaged
    } else {
        Part::Slack
    }
}
