//! A range request as etcd answers it: the live keys of a range within bounds of revisions, sorted and limited
//! (`server/etcdserver/txn/txn.go`).

use crate::etcd::{AtRevision, KeyEntry, Keyspace};

use super::key_range::KeyRange;
use super::no_answer::NoAnswer;
use super::question::Question;
use super::refusal::{NothingInRange, Refusal};

/// What etcd sorts its answer by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    /// The revision of creation.
    Create,
    /// The key.
    Key,
    /// The revision of the last put.
    Modify,
    /// The value.
    Value,
    /// The number of puts since the creation.
    Version,
}

/// The direction of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortOrder {
    /// The smallest first.
    Ascend,
    /// The largest first.
    Descend,
}

/// Bounds of revisions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// The lowest. None: no lower bound.
    pub min: Option<i64>,
    /// The highest. None: no upper bound.
    pub max: Option<i64>,
}

impl Bounds {
    /// Bounds as a request has them: 0 and less mean no bound.
    pub fn new(min: Option<i64>, max: Option<i64>) -> Self {
        let bound = |number: Option<i64>| number.filter(|revision| *revision > 0);
        Self {
            min: bound(min),
            max: bound(max),
        }
    }

    fn is_given(self) -> bool {
        self.min.is_some() || self.max.is_some()
    }

    fn contains(self, revision: i64) -> bool {
        self.min.is_none_or(|min| min <= revision) && self.max.is_none_or(|max| revision <= max)
    }
}

/// A range request.
#[derive(Debug, Clone)]
pub struct RangeRequest {
    /// The keys.
    pub range: KeyRange,
    /// Whether an empty first key means every key, because of a flag of etcdctl.
    pub is_flagged: bool,
    /// The most keys in the answer; None and 0 mean all.
    pub limit: Option<i64>,
    /// What the answer is sorted by.
    pub sort_by: Option<SortBy>,
    /// In which direction.
    pub order: Option<SortOrder>,
    /// Whether only the number of keys is asked for.
    pub count_only: bool,
    /// Bounds of the revision of creation.
    pub created: Bounds,
    /// Bounds of the revision of the last put.
    pub modified: Bounds,
}

/// The answer to a range request.
#[derive(Debug)]
pub struct RangeAnswer<'a> {
    /// The keys, in the order asked for.
    pub entries: Vec<KeyEntry<'a>>,
    /// Whether a limit left out keys.
    pub more: bool,
    /// How many keys are in the range, whatever was left out.
    pub count: usize,
}

impl RangeRequest {
    /// The main revision of the answer; 0 and less are the newest.
    ///
    /// # Errors
    /// If the key is missing, or the revision is compacted or in the future.
    pub fn at(&self, question: &Question<'_>, asked: Option<i64>) -> Result<AtRevision, NoAnswer> {
        if self.range.start.is_empty() && !self.is_flagged {
            return Err(Refusal::EmptyKey.into());
        }
        let at = question.store().at(asked.filter(|at| *at > 0));
        at.map_err(|error| Refusal::Unavailable(error).into())
    }

    /// Answers it.
    pub fn answer<'a>(&self, question: &Question<'a>, at: AtRevision) -> RangeAnswer<'a> {
        let keyspace = Keyspace::at(question.store(), at, |key| self.range.covers(key));
        let count = keyspace.live.len();
        let (entries, more) = self.chosen(keyspace.live);
        RangeAnswer {
            entries,
            more,
            count,
        }
    }

    /// Why an answer has no key. None if it has one.
    pub fn why_nothing(
        &self,
        answer: &RangeAnswer<'_>,
        question: &Question<'_>,
        at: AtRevision,
    ) -> Option<NoAnswer> {
        let count = answer.count;
        if !answer.entries.is_empty() || (self.count_only && count > 0) {
            return None;
        }
        let why = match self.range.address() {
            _ if self.range.is_upside_down() => NothingInRange::UpsideDown,
            _ if count > 0 => NothingInRange::NoneSelected(count),
            Some(address) => return Some(question.missing(&address, None, at)),
            None => NothingInRange::NoKey,
        };
        Some(NoAnswer::NothingInRange(why))
    }

    /// The keys of an answer, from those in the range, which are in key order; and whether the limit left out some.
    fn chosen<'a>(&self, mut entries: Vec<KeyEntry<'a>>) -> (Vec<KeyEntry<'a>>, bool) {
        if self.count_only {
            return (Vec::new(), false);
        }
        entries.retain(|KeyEntry { record, .. }| {
            self.created.contains(record.create_revision)
                && self.modified.contains(record.mod_revision)
        });
        let limit = self
            .limit
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit > 0);
        let Some(limit) = limit else {
            self.sort(&mut entries);
            return (entries, false);
        };
        // Keys are in ascending order already: etcdctl's client asks for no order then.
        let is_by_key = self.sort_by.is_none_or(|by| by == SortBy::Key);
        let is_unordered = self
            .order
            .is_none_or(|order| is_by_key && order == SortOrder::Ascend);
        if is_unordered && !self.created.is_given() && !self.modified.is_given() {
            // Then the server reads only as many keys as it needs, and sorts these.
            entries.truncate(limit.saturating_add(1));
        }
        self.sort(&mut entries);
        let more = entries.len() > limit;
        entries.truncate(limit);
        (entries, more)
    }

    fn sort(&self, entries: &mut [KeyEntry<'_>]) {
        let by = self.sort_by.unwrap_or(SortBy::Key);
        let is_descending = self.order == Some(SortOrder::Descend);
        entries.sort_by(|this, other| {
            let (a, b) = (&this.record, &other.record);
            let order = match by {
                SortBy::Create => a.create_revision.cmp(&b.create_revision),
                SortBy::Key => this.key.cmp(&other.key),
                SortBy::Modify => a.mod_revision.cmp(&b.mod_revision),
                SortBy::Value => a.value.cmp(b.value),
                SortBy::Version => a.version.cmp(&b.version),
            };
            if is_descending {
                order.reverse()
            } else {
                order
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::record::Origin;
    use crate::etcd::{Record, Revision};

    fn entry(key: &'static [u8], create_revision: i64, mod_revision: i64) -> KeyEntry<'static> {
        let revision = Revision {
            main: mod_revision,
            sub: 0,
        };
        let record = Record {
            create_revision,
            mod_revision,
            version: 1,
            ..Record::empty(revision, key, Origin::Live)
        };
        KeyEntry {
            key: key.into(),
            record,
        }
    }

    fn request() -> RangeRequest {
        RangeRequest {
            range: KeyRange {
                start: Vec::new(),
                end: crate::query::key_range::RangeEnd::Prefix,
            },
            is_flagged: true,
            limit: None,
            sort_by: None,
            order: None,
            count_only: false,
            created: Bounds::default(),
            modified: Bounds::default(),
        }
    }

    /// The keys of the answer, and whether the limit left out some.
    fn chosen(request: &RangeRequest) -> (String, bool) {
        let entries = vec![entry(b"a", 9, 9), entry(b"b", 2, 8), entry(b"c", 3, 3)];
        let (entries, more) = request.chosen(entries);
        let keys: Vec<_> = entries
            .iter()
            .map(|entry| String::from_utf8_lossy(&entry.key).into_owned())
            .collect();
        (keys.concat(), more)
    }

    #[test]
    fn keys_are_sorted_and_bounded() {
        assert_eq!(chosen(&request()), ("abc".to_owned(), false));
        let by_creation = RangeRequest {
            sort_by: Some(SortBy::Create),
            order: Some(SortOrder::Descend),
            ..request()
        };
        assert_eq!(chosen(&by_creation), ("acb".to_owned(), false));
        let bounded = RangeRequest {
            modified: Bounds::new(Some(4), Some(8)),
            ..request()
        };
        assert_eq!(chosen(&bounded), ("b".to_owned(), false));
    }

    /// The server reads one key more than the limit, and sorts those.
    #[test]
    fn a_limit_without_an_order_sorts_only_the_first_keys() {
        let limited = RangeRequest {
            limit: Some(1),
            sort_by: Some(SortBy::Create),
            ..request()
        };
        assert_eq!(chosen(&limited), ("b".to_owned(), true));
        let ordered = RangeRequest {
            order: Some(SortOrder::Ascend),
            ..limited.clone()
        };
        assert_eq!(chosen(&ordered), ("b".to_owned(), true));
        let by_key_descending = RangeRequest {
            sort_by: None,
            order: Some(SortOrder::Descend),
            ..limited
        };
        assert_eq!(chosen(&by_key_descending), ("c".to_owned(), true));
    }

    #[test]
    fn bounds_of_zero_are_none() {
        assert_eq!(Bounds::new(Some(0), Some(-1)), Bounds::default());
        assert!(Bounds::default().contains(i64::MAX));
    }
}
