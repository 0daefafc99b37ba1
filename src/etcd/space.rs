//! What the bytes of a database file are: live values, old values, structure, free pages.
//!
//! **Invariant:** each byte of the file is in exactly one [`Part`], so the parts are together the length of the file, for a
//! damaged file too. The sizes of the records are what [`Claims`] granted.
//!
//! Only keys and record heads are read. A value is counted by its length.

use crate::bbolt::page_use::BucketUse;
use crate::bbolt::space::{Claims, PageClass, PageRest};
use crate::bbolt::{Direction, Element, Leaf, MetaChoice, PageUse};

use super::defragmentation::{Defragmentation, DefragmentedSize};
use super::key_ids::{KeyId, KeyIds, KeyTable};
use super::record::{Origin, Record};
use super::records::{SpareLists, intact_records};
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

/// The retained records of one key.
#[derive(Debug, Clone, Copy)]
pub struct KeySpace<'a> {
    /// Its newest record.
    pub newest: Record<'a>,
    /// Its newest put, if one is retained.
    pub newest_put: Option<Record<'a>>,
    /// Bytes of its current record; zero if the key is deleted.
    pub live: RecordBytes,
    /// Bytes of all other records.
    pub old: RecordBytes,
    /// How many records it has, tombstones included.
    pub revisions: u64,
    /// How many of them are tombstones.
    pub tombstones: u64,
}

impl<'a> KeySpace<'a> {
    fn new(record: Record<'a>, bytes: RecordBytes) -> Self {
        Self {
            newest: record,
            newest_put: (!record.tombstone).then_some(record),
            live: bytes,
            old: RecordBytes::default(),
            revisions: 1,
            tombstones: u64::from(record.tombstone),
        }
    }

    /// Whether the key exists in the newest state.
    pub fn is_live(&self) -> bool {
        !self.newest.tombstone
    }

    /// Adds a record. Until [`Self::finish`], `live` is the size of the newest record.
    fn add(&mut self, record: Record<'a>, bytes: RecordBytes) {
        self.revisions = self.revisions.saturating_add(1);
        self.tombstones = self.tombstones.saturating_add(record.tombstone.into());
        // In a damaged file the walk need not go by revision.
        let is_newer = |known: &Record<'_>| known.revision < record.revision;
        if !record.tombstone && self.newest_put.as_ref().is_none_or(is_newer) {
            self.newest_put = Some(record);
        }
        if is_newer(&self.newest) {
            self.old.add(self.live);
            self.newest = record;
            self.live = bytes;
        } else {
            self.old.add(bytes);
        }
    }

    /// Counts the newest record as history if it is a tombstone. Called after the last record was added.
    fn finish(&mut self) {
        if self.newest.tombstone {
            self.old.add(self.live);
            self.live = RecordBytes::default();
        }
    }
}

/// The space of a file, by parts and by keys.
#[derive(Debug)]
pub struct FileSpace<'a> {
    /// The bytes of each part.
    pub parts: Parts,
    /// The keys with a retained record, in the order of their first records. Their sizes are together the first four parts.
    pub keys: Vec<(Box<[u8]>, KeySpace<'a>)>,
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
    /// after that. `see` is given each record and its size.
    pub fn read(
        state: &State<'a>,
        after_image: (u64, u64),
        see: &mut (dyn FnMut(&Record<'a>, RecordBytes) + Send),
    ) -> Self {
        let db = state.db();
        let mut fold = Fold {
            claims: Claims::new(db),
            parts: Parts::default(),
            keys: Vec::new(),
            places: KeyTable::default(),
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
        for (_, key) in &mut keys {
            key.finish();
            parts.add(Part::LiveValues, key.live.values);
            parts.add(Part::LiveHeads, key.live.heads);
            parts.add(Part::OldValues, key.old.values);
            parts.add(Part::OldHeads, key.old.heads);
        }
        Self {
            parts,
            keys,
            buckets: buckets(&page_use, &page_bytes),
            defragmentation: defragmentation.finish(),
        }
    }
}

/// What was measured up to a leaf: the bytes that records claimed, and their sums by part and by key.
struct Fold<'a, 's> {
    claims: Claims,
    parts: Parts,
    keys: Vec<(Box<[u8]>, KeySpace<'a>)>,
    /// The index in `keys` of each key.
    places: KeyTable<usize>,
    ids: KeyIds,
    defragmentation: Defragmentation,
    see: &'s mut (dyn FnMut(&Record<'a>, RecordBytes) + Send),
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
        let ids = self.ids.clone();
        let copy = |record: &Record<'a>, element: &Element<'a>| {
            Some((*record, ids.of(record.key), *element))
        };
        let spare = SpareLists::new();
        state.visit_leaves(
            |leaf| intact_records(leaf, Direction::Forward, spare.take(), copy),
            |leaf, records| match records {
                Some(mut records) => {
                    self.intact_leaf(leaf, records.drain(..));
                    spare.keep(records);
                }
                None => self.leaf(state, leaf),
            },
        );
    }

    /// The same as [`Self::leaf`] for a leaf whose elements are all records.
    fn intact_leaf(
        &mut self,
        leaf: &Leaf<'a>,
        records: impl Iterator<Item = (Record<'a>, KeyId, Element<'a>)>,
    ) {
        let table = self.claims.claim_table(&leaf.page);
        self.parts.add(Part::Tables, table);
        for (record, id, element) in records {
            self.defragmentation.add(&element);
            self.record(&element, record, id);
        }
    }

    /// Claims the bytes of a leaf: its header, its element table and its records. Invalid elements are reported, and
    /// their page is noted as damaged.
    fn leaf(&mut self, state: &State<'a>, leaf: &Leaf<'a>) {
        let table = self.claims.claim_table(&leaf.page);
        self.parts.add(Part::Tables, table);
        let mut is_damaged = !leaf.is_whole();
        let origin = Origin::from_leaf(leaf);
        for element in leaf.elements(Direction::Forward) {
            self.defragmentation.add(&element);
            match Record::parse(&leaf.page, &element) {
                Ok((record, contradiction)) => {
                    if let Some(finding) = contradiction {
                        state.db().diagnostics().report(finding);
                    }
                    let id = self.ids.of(record.key);
                    self.record(&element, Record { origin, ..record }, id);
                }
                Err(finding) => {
                    is_damaged = true;
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
    fn record(&mut self, element: &Element<'a>, record: Record<'a>, id: KeyId) {
        let key_bytes = element.key.len() as u64;
        let stored = key_bytes.saturating_add(element.value.len() as u64);
        let offset = element.value_offset.saturating_sub(key_bytes);
        let granted = self.claims.claim(offset, stored);
        if record.is_bump_mark() {
            return self.parts.add(Part::Tables, granted);
        }
        let values = granted.min(record.value.len() as u64);
        let bytes = RecordBytes {
            values,
            heads: granted.saturating_sub(values),
        };
        (self.see)(&record, bytes);
        let next = self.keys.len();
        let place = *self.places.entry(id).or_insert(next);
        match self.keys.get_mut(place) {
            Some((_, key)) => key.add(record, bytes),
            None => {
                let key = KeySpace::new(record, bytes);
                self.keys.push((record.key.into(), key));
            }
        }
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
