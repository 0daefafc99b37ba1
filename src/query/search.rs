//! A search of all values: the lines that match now, or the revisions in which they matched.
//!
//! Values are read in parallel, a batch at a time; what needs an order (masks are numbered as they are shown, a value
//! that is still encrypted is reported once) is done after that, record by record.

mod history;
mod look;
mod written;

use std::iter;

use rayon::prelude::*;

use crate::bbolt::Direction;
use crate::etcd::{AtRevision, KeyEntry, KeyPlaces, PlacedKeyspace, Record};
use crate::parallel::read_all;

use super::filters::Filter;
use super::question::Question;
use history::History;
use look::Reader;

pub use history::Row;
pub use look::Looker;
pub use written::Written;

/// What is searched for, and what is found.
pub use crate::k8s::search::{MatchedLine, Matcher, Pattern};

/// The revisions in which a line existed, in one life of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The life: main revision of its first put.
    pub create_revision: i64,
    /// The first main revision that has it.
    pub first: i64,
    /// Whether earlier versions, which may have had it, are compacted.
    pub first_may_be_earlier: bool,
    /// The last main revision that has it.
    pub last: i64,
    /// The main revision that removed it. None if it still exists.
    pub gone_at: Option<i64>,
    /// Whether it may have been removed before that, because no page has the change that removed it.
    pub gone_may_be_earlier: bool,
    /// How often it was added.
    pub times: u64,
}

/// Values are read in batches of this size: enough work for all cores, and little memory.
const BATCH_BYTES: usize = 4 << 20;

/// The most values in a batch, if they are small. Reading each of them makes some pages around it resident.
const BATCH_VALUES: usize = 1024;

/// The most values in a batch if they are in no order of the file.
const SCATTERED_VALUES: usize = 256;

/// A search of the values of one store.
pub struct Search<'s, 'a> {
    /// The question that it belongs to.
    pub question: &'s Question<'a>,
    /// Up to which revision.
    pub at: AtRevision,
    /// Lines that ended before this main revision are left out of a history.
    pub since: i64,
    /// What the field manager wrote whose changes are asked for.
    pub written: Option<&'s Written>,
    /// Which keys.
    pub covers: &'s (dyn Fn(&[u8]) -> bool + Sync),
    /// What is looked for.
    pub looker: Looker<'s>,
}

/// A live key, and what matches in it.
pub struct LiveMatch<'a> {
    /// The key with its record.
    pub entry: KeyEntry<'a>,
    /// Whether the key matches.
    pub in_key: bool,
    /// The lines of its value that match.
    pub found: Vec<MatchedLine>,
}

impl<'a> Search<'_, 'a> {
    /// Whether no version that was searched has the labels that were asked for.
    #[must_use]
    pub fn labels_left_nothing(&self) -> bool {
        let Some(labels) = self.looker.labels else {
            return false;
        };
        let question = self.question;
        let is_searched = |record: &Record<'_>| {
            !record.tombstone && record.revision.main <= self.at.0 && (self.covers)(record.key)
        };
        let mut records = question.store().records(Direction::Forward);
        !records.any(|record| {
            is_searched(&record)
                && question
                    .filters()
                    .test(Filter("-l"), question.objects().has_labels(&record, labels))
        })
    }

    /// Searches the live values, in key order; `see` gets what was found batch by batch. Returns what was searched.
    ///
    /// # Errors
    /// Those of `see`.
    pub fn live<E>(
        &self,
        see: &mut dyn FnMut(&[LiveMatch<'a>]) -> Result<(), E>,
    ) -> Result<KeyPlaces<'a>, E> {
        let question = self.question;
        let keyspace = PlacedKeyspace::at(question.store(), self.at, |key| (self.covers)(key));
        let live = keyspace.live;
        let mut reader = Reader::new(&self.looker, question.objects());
        let mut candidates = self.candidates(&live).into_iter().peekable();
        while candidates.peek().is_some() {
            let batch = next_batch(&mut candidates, SCATTERED_VALUES, |index| {
                value_bytes(&live, *index)
            });
            let looker = &self.looker;
            let seen = read_all(&batch, |index| {
                let entry = live.entry(*index)?;
                let seen = looker.look(&entry.record);
                Some((entry, seen))
            });
            let seen = seen.into_iter().flatten();
            let matches: Vec<LiveMatch<'a>> = seen
                .map(|(entry, seen)| LiveMatch {
                    in_key: seen.in_key,
                    found: reader.lines(&entry.record, seen.value),
                    entry,
                })
                .collect();
            see(&matches)?;
            question.evidence().source().forget_resident();
        }
        question.note_unproved_of(self.at, &live);
        Ok(live)
    }

    /// Searches all retained values; the lines of each key with their revisions, in key order.
    pub fn history(&self) -> impl Iterator<Item = (Box<[u8]>, Vec<Row>)> {
        let mut history = History::new(self.question.store().compact_revision());
        let mut reader = Reader::new(&self.looker, self.question.objects());
        history.fold(self, &mut reader);
        self.question
            .note_compacted(&|key| (self.covers)(key), None);
        history.into_rows().map(|(key, mut rows)| {
            rows.retain(|row| {
                let filters = self.question.filters();
                let is_recent = row.span.gone_at.is_none_or(|gone| gone >= self.since);
                filters.test(Filter("--since"), is_recent) && self.is_written(&key, row.span.first)
            });
            (key, rows)
        })
    }

    /// Whether a revision of a key is one of the manager whose changes are asked for.
    fn is_written(&self, key: &[u8], main: i64) -> bool {
        self.written.is_none_or(|written| {
            let filters = self.question.filters();
            filters.test(Filter("--manager"), written.has(key, main))
        })
    }

    /// The indexes of the live values that may match, in key order. They are read in the order of the file: in key order
    /// most of the time would go into reading pages again.
    fn candidates(&self, live: &KeyPlaces<'_>) -> Vec<usize> {
        let is_written = |index: &usize| {
            let newest = live.version(*index);
            newest.is_some_and(|newest| self.is_written(live.key(*index), newest.revision.main))
        };
        if !self.looker.matcher.has_filter() {
            return (0..live.len()).filter(is_written).collect();
        }
        let mut by_page = live.in_file_order();
        by_page.retain(is_written);
        let mut candidates = Vec::new();
        let mut indexes = by_page.into_iter().peekable();
        while indexes.peek().is_some() {
            let batch = next_batch(&mut indexes, BATCH_VALUES, |index| {
                value_bytes(live, *index)
            });
            let looker = &self.looker;
            let may_match = |index: &usize| {
                let record = live.record(*index);
                record.is_some_and(|record| looker.may_match(&record))
            };
            let kept: Vec<usize> = batch.into_par_iter().filter(may_match).collect();
            candidates.extend(kept);
            self.question.evidence().source().forget_resident();
        }
        candidates.sort_unstable();
        candidates
    }
}

/// The length of the value of a key, in bytes.
fn value_bytes(keys: &KeyPlaces<'_>, index: usize) -> usize {
    let newest = keys.version(index);
    let bytes = newest.map_or(0, |newest| newest.value_bytes);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The next items, as many as are looked at together.
fn next_batch<T>(
    items: &mut iter::Peekable<impl Iterator<Item = T>>,
    most: usize,
    size: impl Fn(&T) -> usize,
) -> Vec<T> {
    let mut batch = Vec::new();
    let mut bytes = 0_usize;
    while batch.len() < most
        && let Some(item) = items.next_if(|_| bytes < BATCH_BYTES)
    {
        bytes = bytes.saturating_add(size(&item));
        batch.push(item);
    }
    batch
}
