//! Finds records by their bytes, in pages whose element table was overwritten.
//!
//! In a leaf page each key is followed by its value, so a record is its revision key and then its KeyValue:
//! 17 bytes (18 for a tombstone) with `_` at 8, and the fields of `api/mvccpb/kv.proto` in their order.

use crate::bbolt::{Pages, Pgid};
use crate::etcd::key_value::KeyValue;
use crate::etcd::record::{Grade, Origin, Record};
use crate::etcd::revision::BucketKey;
use crate::source::Source;

/// Position of the `_` in a revision key.
const UNDERSCORE_AT: usize = 8;
/// Lengths of the key of a tombstone and of a put, in bytes.
const KEY_BYTES: [usize; 2] = [18, 17];
/// After this many bytes, holes of a sparse file are skipped and pages are released from memory.
const STRIDE_BYTES: usize = 8 << 20;

/// Iterator over the records in a run of pages without a header, in the order of their offsets.
pub(super) struct Fragments<'a> {
    run: &'a [u8],
    /// Offset of the run in the file, in bytes.
    start: u64,
    page_size: usize,
    source: Option<&'a Source>,
    at: usize,
    next_stride: usize,
}

impl<'a> Fragments<'a> {
    /// Searches the pages from `first` to `last`.
    pub(super) fn new(
        pages: &Pages<'a>,
        source: Option<&'a Source>,
        (first, last): (Pgid, Pgid),
    ) -> Self {
        let start = pages.offset_of(first);
        let end = pages.offset_of(Pgid(last.0.saturating_add(1)));
        let place = |offset: u64| {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            offset.min(pages.image().len())
        };
        let run = pages.image().get(place(start)..place(end));
        Self {
            run: run.unwrap_or_default(),
            start,
            page_size: pages.page_size().max(1),
            source,
            at: 0,
            next_stride: 0,
        }
    }

    /// Skips holes of a sparse file, which may be a terabyte of zeros. False at the end.
    fn stride(&mut self) -> bool {
        if self.at >= self.next_stride {
            if let Some(source) = self.source {
                source.forget_resident();
                let data = source.next_data(self.start.saturating_add(self.at as u64));
                let data =
                    data.and_then(|data| usize::try_from(data.checked_sub(self.start)?).ok());
                self.at = data.map_or(self.run.len(), |data| data.max(self.at));
            }
            self.next_stride = self.at.saturating_add(STRIDE_BYTES);
        }
        self.at < self.run.len()
    }

    /// The record whose key has its `_` at this position, and the record's length in bytes.
    fn record_around(&self, underscore: usize) -> Option<(Record<'a>, usize)> {
        let start = underscore.checked_sub(UNDERSCORE_AT)?;
        let bytes = self.run.get(start..)?;
        KEY_BYTES.into_iter().find_map(|key_bytes| {
            let key = BucketKey::parse(bytes.get(..key_bytes)?).ok()?;
            let (content, length) = KeyValue::parse_front(bytes.get(key_bytes..)?)?;
            let length = length.saturating_add(key_bytes);
            let offset = self.start.saturating_add(start as u64);
            let page_size = self.page_size as u64;
            let last = offset.saturating_add(length as u64).saturating_sub(1);
            let pgid = offset / page_size;
            let grade = if last / page_size == pgid {
                Grade::B
            } else {
                Grade::C
            };
            let record = Record {
                revision: key.revision,
                tombstone: key.tombstone,
                key: content.key,
                create_revision: content.create_revision,
                mod_revision: content.mod_revision,
                version: content.version,
                value: content.value,
                lease: content.lease,
                origin: Origin::Carved(grade),
                pgid: Some(pgid),
                element: None,
                offset: offset.saturating_add(key_bytes as u64),
            };
            let is_one = key.revision.main > 0 && record.contradiction().is_none();
            is_one.then_some((record, length))
        })
    }
}

impl<'a> Iterator for Fragments<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        while self.stride() {
            let end = self.next_stride.min(self.run.len());
            let Some(next) = memchr::memchr(b'_', self.run.get(self.at..end)?) else {
                self.at = end;
                continue;
            };
            let underscore = self.at.saturating_add(next);
            self.at = underscore.saturating_add(1);
            if let Some((record, length)) = self.record_around(underscore) {
                // Continue after the record: its value may contain bytes that look like a record.
                let start = underscore.saturating_sub(UNDERSCORE_AT);
                self.at = start.saturating_add(length);
                return Some(record);
            }
        }
        None
    }
}
