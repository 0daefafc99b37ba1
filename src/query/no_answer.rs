//! Why a question has no answer, as data. `view::no_answer` has the sentences.

use std::path::PathBuf;
use std::sync::Arc;

use crate::Error;
use crate::etcd::Revision;
use crate::etcd::status::Unreachable;
use crate::k8s::jsonpath::JsonPathError;
use crate::k8s::search::PatternError;
use crate::k8s::selector::FieldSelectorError;
use crate::source::SourceError;

use super::address::{Address, BadEscape};
use super::filters::LeftNothing;
use super::log_reach::LogReach;
use super::not_found::Missing;
use super::refusal::{NothingInRange, Refusal};
use super::revision::RevisionExpr;
use super::unreadable::Unreadable;

pub use crate::etcd::store::RevisionUnavailable;

/// A database that cannot be used, and what the folder has beside it.
#[derive(Debug)]
pub struct Unusable {
    /// The path as typed.
    pub given: PathBuf,
    /// The data directory, or the folder or file of its log.
    pub log: PathBuf,
    /// What the log gives.
    pub reach: LogReach,
    /// The newest raft snapshot, and how many keys its v2 store has; none without keys.
    pub v2: Option<(PathBuf, usize)>,
    /// Why the database cannot be used.
    pub why: Arc<NoAnswer>,
}

/// Why a question has no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// A file or folder cannot be opened as evidence.
    Source {
        /// Why not.
        error: SourceError,
        /// Whether the word looks like one that belongs after the database.
        is_word: bool,
    },
    /// The file is not a bbolt database.
    NotBbolt {
        /// The path as given.
        path: PathBuf,
        /// What the file is instead, with its article.
        kind: Option<&'static str>,
    },
    /// No state can be read from the file.
    NoState {
        /// The path as given.
        path: PathBuf,
        /// Why not.
        error: Box<Error>,
        /// Whether the question was if the file is intact: then this is the answer, and not the lack of one.
        is_verdict: bool,
    },
    /// A bbolt database without a bucket of etcd.
    ForeignBuckets {
        /// The path as given.
        path: PathBuf,
        /// The names of its buckets, fit to be shown.
        buckets: Vec<String>,
    },
    /// A database that cannot be used, in a data directory with a write-ahead log.
    Unusable(Box<Unusable>),
    /// A folder of backups has no full snapshot of this name.
    NoFullSnapshot {
        /// The folder.
        folder: PathBuf,
        /// The name, as typed.
        asked: String,
        /// The names of those that it has, by last revision.
        known: Vec<String>,
    },
    /// Delta snapshots without an event that can be read.
    NoDeltaEvents(PathBuf),
    /// A raft snapshot, which is no database.
    RaftSnapshot {
        /// The path.
        path: PathBuf,
        /// How many keys its v2 store has; or why that cannot be read.
        keys: Result<usize, String>,
    },
    /// The v2 store has no key at this path or below it.
    NoV2Key(String),
    /// A bbolt file that nothing was written to yet.
    NeverWritten(PathBuf),
    /// An etcd database whose bucket `key` cannot be reached.
    NoKeyBucket(PathBuf),
    /// The verb reads this many databases, and another number was given.
    DatabasesNeeded(usize),
    /// No file of a write-ahead log is there.
    NoLogFiles(PathBuf),
    /// A database file alone has no write-ahead log next to it.
    NoLogNextTo(PathBuf),
    /// An escape in `key:TEXT` that does not exist; the word as typed.
    BadEscape(Vec<u8>),
    /// The revision is compacted, or was never written.
    Unavailable(RevisionUnavailable),
    /// `v3` and the like need one object.
    RevisionOfObject,
    /// The object has no such event.
    EventNotRetained {
        /// What was asked for.
        asked: RevisionExpr,
        /// The object, as typed.
        name: String,
        /// How many of its events are retained, and the main revisions of the first and the last.
        retained: Option<(usize, i64, i64)>,
    },
    /// An address and a flag name two revisions.
    TwoRevisions {
        /// That of the address.
        own: RevisionExpr,
        /// That of the flag.
        given: RevisionExpr,
        /// The flag.
        flag: &'static str,
    },
    /// A range and a revision after an address.
    RangeAndRevision(RevisionExpr),
    /// Several ranges.
    SeveralRanges,
    /// The text is not a range; why not.
    NotARange(String),
    /// Two addresses name two revisions.
    TwoAddressRevisions(RevisionExpr, RevisionExpr),
    /// Namespaces or logical clusters were named with a key or a prefix.
    ScopeWithKey {
        /// The flag that named them.
        flag: &'static str,
        /// They, as typed.
        names: String,
        /// The key or prefix.
        address: Box<Address>,
    },
    /// One object or key is needed, and none or several were named.
    OneNeeded,
    /// One key is needed, and an address names several.
    SeveralKeys {
        /// The address.
        address: Box<Address>,
        /// How many keys it names.
        count: usize,
        /// The first of them.
        keys: Vec<Box<[u8]>>,
    },
    /// The range ends before it begins.
    RangeUpsideDown {
        /// Where it begins.
        from: i64,
        /// Where it ends.
        to: i64,
    },
    /// The first of two times is after the second.
    TimesUpsideDown,
    /// Two databases, or two revisions of one, are needed.
    TwoStatesNeeded,
    /// No object in the store has a time.
    NoTimes {
        /// How many values are encrypted.
        encrypted: u64,
    },
    /// All retained revisions are younger.
    OlderThanAll {
        /// What was asked for, in seconds since 1970.
        asked: i64,
        /// The oldest revision, and about when it was written.
        oldest: (i64, Option<i64>),
    },
    /// The text is not a time.
    NotATime(String),
    /// Months and years have no fixed length.
    NoFixedLength(String),
    /// A length of time, and the store has no time to count back from.
    NothingToCountFrom,
    /// What was asked for is not in the answer.
    Missing(Box<Missing>),
    /// The same for a comparison, whose exit code 1 means that something differs.
    InNeither(Box<Missing>),
    /// A filter left nothing.
    Emptied(LeftNothing),
    /// etcd's client or its server refuses the request.
    Refused(Refusal),
    /// A range of keys has no key to show.
    NothingInRange(NothingInRange),
    /// An address has a revision, and a flag names a time.
    RevisionAndTime {
        /// The revision.
        own: RevisionExpr,
        /// The time, as typed.
        time: String,
        /// The flag.
        flag: &'static str,
    },
    /// The last revision of a watch is before the first.
    ToBeforeFirst {
        /// The last revision.
        to: i64,
        /// The first revision.
        first: i64,
    },
    /// A watch has no event.
    NoEvent {
        /// The first revision of the watch.
        from: i64,
        /// The store's newest revision, if that is why.
        current: Option<i64>,
    },
    /// The former state seems to be newer than the newest: transaction and revision of both.
    FormerIsNewer([(u64, i64); 2]),
    /// etcdutl refuses the file because of this many findings of its check.
    FailsCheck(u64),
    /// Nothing was found, and nothing more is known.
    NothingFound,
    /// One object is needed, and several are selected.
    SeveralObjects {
        /// How many.
        count: usize,
        /// The keys of the first of them.
        keys: Vec<Box<[u8]>>,
    },
    /// The value of the one record that is needed cannot be shown as an object.
    Unreadable {
        /// The key.
        key: Box<[u8]>,
        /// The revision of the record.
        revision: Revision,
        /// Why not.
        why: Box<Unreadable>,
    },
    /// No record of a revision is retained.
    TransactionNotRetained {
        /// The main revision.
        main: i64,
        /// The sub revision, if one was asked for.
        sub: Option<i64>,
    },
    /// Filters left out every change of a revision.
    TransactionLeftOut(i64),
    /// The field manager did not write this revision of an object.
    NotWrittenBy {
        /// The object, as it is shown.
        name: String,
        /// The main revision.
        main: i64,
        /// The manager, as typed.
        manager: String,
    },
    /// The pattern of a flag is not valid.
    BadPattern {
        /// The flag.
        flag: &'static str,
        /// Why not.
        error: Box<PatternError>,
    },
    /// A field selector has no meaning for an object.
    BadFieldSelector(Box<FieldSelectorError>),
    /// Objects cannot be sorted by a path.
    CannotSort(Box<JsonPathError>),
    /// The file ends before these pages.
    NoPages {
        /// Their ids.
        ids: Vec<u64>,
        /// How many pages the file has.
        count: u64,
    },
    /// The file ends before this offset.
    NoBytesAt {
        /// The offset in bytes.
        offset: u64,
        /// The length of the file in bytes.
        length: usize,
    },
    /// The records cannot be reached by the tree.
    Unreachable(Unreachable),
    /// No events are retained.
    NoEvents,
    /// Deleted keys cannot be sorted by a field that a deletion does not have.
    OrderOfDeletions,
    /// No deletion of an address is retained: it exists.
    NotDeleted(Box<Address>),
    /// No deletions are retained.
    NoDeletions,
    /// No key is in a namespace.
    NotInNamespaces,
    /// Version 0 of a key is a deletion.
    VersionOfDeletion,
    /// The record of this key is a deletion, and has no value.
    RecordOfDeletion(Box<[u8]>),
    /// The key has no such version.
    VersionNotRetained {
        /// The key.
        key: Box<[u8]>,
        /// The version.
        version: i64,
        /// The versions that are retained, oldest first; 0 is a deletion.
        retained: Vec<i64>,
    },
    /// The bytes are not an element of bucket `key`.
    NotAnItem,
    /// The file has no such bucket.
    NoBucket {
        /// The path, as typed.
        name: String,
        /// The last bucket on the way, as it can be typed.
        inside: Option<String>,
        /// The first names of the buckets in it, or in the file, fit to be shown.
        buckets: Vec<String>,
    },
    /// The path names several buckets, because their names have slashes.
    SeveralBuckets {
        /// The path, as typed.
        path: String,
        /// The paths, as they can be typed.
        buckets: Vec<String>,
    },
    /// A bucket has no key with any of the prefixes, or none at all.
    NoKeyInBucket(String),
    /// No live key meets the constraints of auger's filter.
    FilterHoldsOfNoKey,
    /// A flag about deletions, and an address with a revision.
    RevisionWithFlag {
        /// The revision of the address.
        own: RevisionExpr,
        /// The flag.
        flag: &'static str,
    },
    /// No objects match at the revision whose objects come back.
    NoObjectsAtRevision,
    /// No deleted objects match.
    NoDeletedObjects,
}

impl NoAnswer {
    /// Whether the file is refused because of damage, as another program does.
    pub fn is_refusal_of_damage(&self) -> bool {
        match self {
            Self::FailsCheck(_) | Self::Unreachable(_) => true,
            Self::NoState { is_verdict, .. } => *is_verdict,
            Self::Unusable(unusable) => unusable.why.is_refusal_of_damage(),
            _ => false,
        }
    }

    /// The same reason for a verb that checks the file: that no state can be read is then a result of the check. It is
    /// no result if `--meta` names a meta page without a state.
    #[must_use]
    pub(super) fn into_verdict(mut self) -> Self {
        if let Self::NoState {
            error, is_verdict, ..
        } = &mut self
        {
            *is_verdict = matches!(**error, Error::NoMeta { .. } | Error::NoRoot { .. });
        }
        self
    }

    /// Whether the question was understood, and the answer is no.
    pub fn is_no(&self) -> bool {
        match self {
            Self::EventNotRetained { .. }
            | Self::Emptied(_)
            | Self::NoPages { .. }
            | Self::NoBytesAt { .. }
            | Self::NoEvents
            | Self::NothingInRange(_)
            | Self::NoEvent { .. }
            | Self::NothingFound
            | Self::TransactionNotRetained { .. }
            | Self::TransactionLeftOut(_)
            | Self::NotWrittenBy { .. }
            | Self::NotDeleted(_)
            | Self::NoDeletions
            | Self::NotInNamespaces
            | Self::VersionNotRetained { .. }
            | Self::NoBucket { .. }
            | Self::NoKeyInBucket(_)
            | Self::FilterHoldsOfNoKey
            | Self::NoObjectsAtRevision
            | Self::NoDeletedObjects
            | Self::NoV2Key(_) => true,
            Self::Missing(missing) => !missing.is_unknown(),
            _ => false,
        }
    }
}

impl From<Refusal> for NoAnswer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BadEscape> for NoAnswer {
    fn from(BadEscape(word): BadEscape) -> Self {
        Self::BadEscape(word)
    }
}

impl From<SourceError> for NoAnswer {
    fn from(error: SourceError) -> Self {
        Self::Source {
            error,
            is_word: false,
        }
    }
}

impl From<RevisionUnavailable> for NoAnswer {
    fn from(error: RevisionUnavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl From<Missing> for NoAnswer {
    fn from(missing: Missing) -> Self {
        Self::Missing(Box::new(missing))
    }
}
