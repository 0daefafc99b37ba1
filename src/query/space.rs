//! Where the space of a file goes: by its parts, and by resource, namespace, API group, prefix, key, field manager or
//! bucket.
//!
//! The sizes of all rows together are the four parts of records, whatever the rows are grouped by. Objects are decoded
//! only if rows are grouped by manager, or if the share of metadata is asked for.

mod groups;

use std::collections::HashMap;

use crate::arrange::Arrange as _;
use crate::etcd::Record;
use crate::etcd::cluster::alarms;
use crate::etcd::key_space::{KeySpace, KeySpaces, RecordBytes};
use crate::etcd::schema;
use crate::etcd::space::FileSpace;
use crate::k8s::catalog::Catalog;
use crate::k8s::encrypt::Keyring;
use crate::k8s::metadata_bytes::MetadataBytes;

use super::catalog::{Survey, from_puts};
use super::deletions::is_release_key;
use super::no_answer::NoAnswer;
use super::notice::Notice;
pub use super::notice::SpaceAdvice;
use super::question::Question;

pub use crate::etcd::space::{BucketSpace, Part, Parts};
pub use groups::{Group, Grouping, SpaceBy};

use groups::manager_of;

/// How rows are ordered: the largest first, and by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceOrder {
    /// By live and history bytes together.
    Total,
    /// By the bytes of live records.
    Live,
    /// By the bytes of history.
    History,
    /// By the number of records.
    Revisions,
    /// By the number of tombstones.
    Tombstones,
    /// By the number of live keys.
    Keys,
    /// By name.
    Name,
}

/// What is asked about the space of a file.
#[derive(Debug, Clone, Copy)]
pub struct SpaceRequest {
    /// What rows are grouped by; none for the resource, or the bucket of a file that is not etcd's.
    pub by: Option<SpaceBy>,
    /// How many parts of a key a prefix has.
    pub depth: usize,
    /// The order of the rows.
    pub order: SpaceOrder,
    /// At most so many rows. The others are added up in one more row at the end.
    pub limit: usize,
    /// Whether the metadata of live objects is measured.
    pub with_metadata: bool,
}

/// The records of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceRow {
    /// What they have in common.
    pub group: Group,
    /// How many live keys.
    pub keys: u64,
    /// Bytes of the current records of live keys.
    pub live_bytes: u64,
    /// Bytes of all other records.
    pub history_bytes: u64,
    /// How many records, tombstones included.
    pub revisions: u64,
    /// How many tombstones.
    pub tombstones: u64,
}

impl SpaceRow {
    /// A row without records so far.
    pub(super) fn new(group: Group) -> Self {
        Self {
            group,
            keys: 0,
            live_bytes: 0,
            history_bytes: 0,
            revisions: 0,
            tombstones: 0,
        }
    }

    /// Live and history bytes together.
    pub fn total_bytes(&self) -> u64 {
        self.live_bytes.saturating_add(self.history_bytes)
    }

    /// Adds the records of a key.
    fn add_key(&mut self, key: &KeySpace<'_, '_>) {
        self.add(&Self {
            group: Group::Rest(0),
            keys: key.is_live().into(),
            live_bytes: key.live().total(),
            history_bytes: key.old().total(),
            revisions: key.revisions(),
            tombstones: key.tombstones(),
        });
    }

    /// Adds the numbers of another row. The group stays.
    fn add(&mut self, other: &Self) {
        let sum = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        sum(&mut self.keys, other.keys);
        sum(&mut self.live_bytes, other.live_bytes);
        sum(&mut self.history_bytes, other.history_bytes);
        sum(&mut self.revisions, other.revisions);
        sum(&mut self.tombstones, other.tombstones);
    }
}

/// The metadata of live objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetadataShare {
    /// How many objects were measured.
    pub objects: u64,
    /// The bytes of their values.
    pub value_bytes: u64,
    /// The bytes of their metadata.
    pub metadata: MetadataBytes,
    /// How many live values are not measured: they are encrypted, in CBOR, or not objects.
    pub not_measured: u64,
}

/// The sums of the buckets that a limit left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OtherBuckets {
    /// How many buckets.
    pub count: usize,
    /// Bytes of their pages.
    pub page_bytes: u64,
    /// How many elements they have.
    pub elements: u64,
    /// Bytes of their keys.
    pub key_bytes: u64,
    /// Bytes of their values.
    pub value_bytes: u64,
}

impl OtherBuckets {
    fn add(&mut self, other: &BucketSpace<'_>) {
        let sum = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        self.count = self.count.saturating_add(1);
        sum(&mut self.page_bytes, other.page_bytes);
        sum(&mut self.elements, other.bucket.elements);
        sum(&mut self.key_bytes, other.bucket.key_bytes);
        sum(&mut self.value_bytes, other.bucket.value_bytes);
    }
}

/// Where the space of a file goes.
#[derive(Debug)]
pub struct Space<'a> {
    /// Length of the file in bytes.
    pub file_bytes: u64,
    /// The bytes of each part. Together they are the length of the file.
    pub parts: Parts,
    /// What the rows are grouped by.
    pub by: SpaceBy,
    /// The rows of records.
    pub rows: Vec<SpaceRow>,
    /// The sum of all rows.
    pub total: SpaceRow,
    /// Records that often fill a store: Events, Leases, Helm releases.
    pub usual: Vec<SpaceRow>,
    /// The buckets, those with the most pages first, at most as many as were asked for.
    pub buckets: Vec<BucketSpace<'a>>,
    /// The buckets that were left out; none if there are none.
    pub other_buckets: Option<OtherBuckets>,
    /// The metadata of live objects, if it was asked for.
    pub metadata: Option<MetadataShare>,
    /// What would free space; none for a file of another program, or with damage.
    pub advice: Option<SpaceAdvice>,
}

impl<'a> Space<'a> {
    /// Measures the file of a question.
    ///
    /// # Errors
    /// If the file is not etcd's, and rows by something else than the bucket are asked for.
    pub fn read(question: &Question<'a>, request: &SpaceRequest) -> Result<Self, NoAnswer> {
        let store = question.store();
        let by = what_rows_are_by(question, request)?;
        let mut by_manager = ByManager::new(question.keyring());
        question.evidence().note_deltas_left_out(question.notices());
        let source = question.evidence().source();
        let file_bytes = source.bytes().len() as u64;
        let after_trailer = source.after_trailer().unwrap_or_default().len() as u64;
        let trailer = file_bytes
            .saturating_sub(source.image().len() as u64)
            .saturating_sub(after_trailer);
        let mut survey = Survey::default();
        let after_image = (trailer, after_trailer);
        let file = FileSpace::read(store.state(), after_image, &mut |record, key, bytes| {
            if !record.tombstone {
                survey.look(key, record.value);
            }
            if by == SpaceBy::Manager {
                by_manager.add(record, bytes);
            }
        });
        let puts = file.keys.iter();
        let puts = puts.filter_map(|space| Some((space.key(), space.newest_put()?)));
        let catalog = from_puts(survey, puts.clone(), question.keyring());
        let mut rows = match by {
            SpaceBy::Bucket => Vec::new(),
            SpaceBy::Manager => by_manager.rows(&file.keys),
            _ => rows(
                &file.keys,
                &Grouping::new(by, request.depth, &catalog, puts.map(|(key, _)| key)),
            ),
        };
        let mut total = SpaceRow::new(Group::Total);
        file.keys.iter().for_each(|key| total.add_key(&key));
        sort(&mut rows, request.order);
        limit(&mut rows, request.limit);
        // The numbers of a damaged file are not those of the cluster that the advice is for.
        let is_damaged = store.db().diagnostics().may_hide_records();
        let advice =
            (!store.is_foreign() && !is_damaged).then(|| advice(question, &file, file_bytes));
        let (buckets, other_buckets) = first_buckets(file.buckets, request);
        let space = Self {
            file_bytes,
            by,
            rows,
            total,
            usual: usual(&file.keys, &catalog),
            metadata: request
                .with_metadata
                .then(|| metadata(&file.keys, question.keyring())),
            advice,
            parts: file.parts,
            buckets,
            other_buckets,
        };
        if let Some(advice) = space.advice {
            question.notices().add(Notice::Space(advice));
        }
        Ok(space)
    }
}

/// What rows are grouped by. A file of another program has no records.
fn what_rows_are_by(question: &Question<'_>, request: &SpaceRequest) -> Result<SpaceBy, NoAnswer> {
    let store = question.store();
    match (request.by, store.is_foreign()) {
        (None | Some(SpaceBy::Bucket), true) => Ok(SpaceBy::Bucket),
        (Some(_), true) => Err(question.evidence().foreign(store)),
        (by, false) => Ok(by.unwrap_or(SpaceBy::Resource)),
    }
}

/// The rows of keys, grouped by something that the key alone shows.
fn rows(keys: &KeySpaces<'_>, grouping: &Grouping<'_>) -> Vec<SpaceRow> {
    let mut rows: HashMap<Group, SpaceRow> = HashMap::new();
    for space in keys.iter() {
        let group = grouping.group_of(space.key());
        match rows.get_mut(&group) {
            Some(row) => row.add_key(&space),
            None => {
                let mut row = SpaceRow::new(group.clone());
                row.add_key(&space);
                rows.insert(group, row);
            }
        }
    }
    rows.into_values().collect()
}

/// The sizes of records by the manager that wrote them last.
struct ByManager<'q> {
    keyring: &'q Keyring,
    rows: HashMap<Group, SpaceRow>,
}

impl<'q> ByManager<'q> {
    fn new(keyring: &'q Keyring) -> Self {
        Self {
            keyring,
            rows: HashMap::new(),
        }
    }

    /// The row of the manager that wrote a record.
    fn row(&mut self, record: &Record<'_>) -> &mut SpaceRow {
        let group = manager_of(record, self.keyring);
        let row = self.rows.entry(group.clone());
        row.or_insert_with(|| SpaceRow::new(group))
    }

    /// Adds a record as history: which records are current is known at the end.
    fn add(&mut self, record: &Record<'_>, bytes: RecordBytes) {
        let row = self.row(record);
        row.revisions = row.revisions.saturating_add(1);
        row.tombstones = row.tombstones.saturating_add(record.tombstone.into());
        row.history_bytes = row.history_bytes.saturating_add(bytes.total());
    }

    /// The rows. The current record of each live key is moved from history to live.
    fn rows(mut self, keys: &KeySpaces<'_>) -> Vec<SpaceRow> {
        for key in keys.iter().filter(KeySpace::is_live) {
            let Some(newest) = key.newest() else { continue };
            let live = key.live().total();
            let row = self.row(&newest);
            row.keys = row.keys.saturating_add(1);
            row.live_bytes = row.live_bytes.saturating_add(live);
            row.history_bytes = row.history_bytes.saturating_sub(live);
        }
        self.rows.into_values().collect()
    }
}

/// Sorts rows by name, then by the size that the order names, the largest first.
fn sort(rows: &mut [SpaceRow], order: SpaceOrder) {
    rows.arrange_by(|a, b| a.group.cmp(&b.group));
    let size = |row: &SpaceRow| match order {
        SpaceOrder::Total => row.total_bytes(),
        SpaceOrder::Live => row.live_bytes,
        SpaceOrder::History => row.history_bytes,
        SpaceOrder::Revisions => row.revisions,
        SpaceOrder::Tombstones => row.tombstones,
        SpaceOrder::Keys => row.keys,
        SpaceOrder::Name => 0,
    };
    // Stable: rows of one size stay in the order of their names.
    rows.arrange_by_key(|row| std::cmp::Reverse(size(row)));
}

/// Keeps at most so many rows, and adds the others up in one more row.
fn limit(rows: &mut Vec<SpaceRow>, most: usize) {
    if most >= rows.len() {
        return;
    }
    let others = rows.split_off(most);
    let mut rest = SpaceRow::new(Group::Rest(others.len()));
    others.iter().for_each(|row| rest.add(row));
    rows.push(rest);
}

/// The first buckets in the order that was asked for, and the sums of the others. The order is by the bytes of pages, by
/// keys or by name. Buckets of one size stay in key order.
fn first_buckets<'a>(
    mut buckets: Vec<BucketSpace<'a>>,
    request: &SpaceRequest,
) -> (Vec<BucketSpace<'a>>, Option<OtherBuckets>) {
    let size = |bucket: &BucketSpace<'_>| match request.order {
        SpaceOrder::Name => 0,
        SpaceOrder::Keys => bucket.bucket.elements,
        _ => bucket.page_bytes,
    };
    buckets.arrange_by_key(|bucket| std::cmp::Reverse(size(bucket)));
    if request.limit >= buckets.len() {
        return (buckets, None);
    }
    let mut others = OtherBuckets::default();
    for bucket in buckets.split_off(request.limit) {
        others.add(&bucket);
    }
    (buckets, Some(others))
}

/// The rows of records that often fill a store. A row without records is left out.
fn usual(keys: &KeySpaces<'_>, catalog: &Catalog) -> Vec<SpaceRow> {
    let [mut events, mut leases, mut releases] =
        ["Events", "Leases", "Helm releases"].map(|name| SpaceRow::new(Group::Usual(name)));
    for space in keys.iter() {
        let key = space.key();
        let Some(location) = catalog.locate(key) else {
            continue;
        };
        let resource = location.resource;
        match (&*resource.plural, resource.group()) {
            ("events", _) => events.add_key(&space),
            ("leases", "coordination.k8s.io") => leases.add_key(&space),
            ("secrets" | "configmaps", "") if is_release_key(key) => releases.add_key(&space),
            _ => {}
        }
    }
    let mut rows = vec![events, leases, releases];
    rows.retain(|row| row.revisions > 0);
    rows
}

/// Measures the metadata of live objects.
fn metadata(keys: &KeySpaces<'_>, keyring: &Keyring) -> MetadataShare {
    let mut share = MetadataShare::default();
    for space in keys.iter().filter(KeySpace::is_live) {
        let newest = space.newest();
        let value = newest.and_then(|newest| keyring.decrypt(space.key(), newest.value).ok());
        match value.and_then(|value| Some((MetadataBytes::read(&value)?, value.len() as u64))) {
            Some((metadata, bytes)) => {
                share.objects = share.objects.saturating_add(1);
                share.value_bytes = share.value_bytes.saturating_add(bytes);
                share.metadata.add(metadata);
            }
            None => share.not_measured = share.not_measured.saturating_add(1),
        }
    }
    share
}

/// What would free space in this file.
fn advice(question: &Question<'_>, file: &FileSpace<'_>, file_bytes: u64) -> SpaceAdvice {
    let store = question.store();
    let of = |part| file.parts.get(part);
    let live_bytes = of(Part::LiveValues).saturating_add(of(Part::LiveHeads));
    let raised = store
        .bucket(schema::ALARM)
        .map(|bucket| alarms(bucket, store.db().diagnostics()));
    SpaceAdvice {
        revision: store.current_revision(),
        is_mostly_live: live_bytes > file_bytes / 2,
        history_bytes: of(Part::OldValues).saturating_add(of(Part::OldHeads)),
        defragmentation: file.defragmentation,
        has_alarm: raised
            .into_iter()
            .flatten()
            .any(|alarm| alarm.alarm_name() == "NOSPACE"),
    }
}
