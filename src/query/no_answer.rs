//! Why a question has no answer, as data. `view::no_answer` has the sentences.

use std::path::PathBuf;

use crate::Error;
use crate::etcd::status::Unreachable;
use crate::etcd::store::RevisionUnavailable;
use crate::k8s::jsonpath::JsonPathError;
use crate::k8s::search::PatternError;
use crate::k8s::selector::FieldSelectorError;
use crate::source::SourceError;

use super::address::{Address, BadEscape};
use super::filters::LeftNothing;
use super::not_found::Missing;
use super::revision::RevisionExpr;

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
        error: Error,
    },
    /// A bbolt database without a bucket of etcd.
    ForeignBuckets {
        /// The path as given.
        path: PathBuf,
        /// The names of its buckets, fit to be shown.
        buckets: Vec<String>,
    },
    /// An etcd database whose bucket `key` cannot be reached.
    NoKeyBucket(PathBuf),
    /// The verb reads so many databases, and another number was given.
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
    /// Namespaces were named with a key or a prefix, as typed.
    NamespaceWithKey {
        /// The namespaces.
        namespaces: String,
        /// The key or prefix.
        address: Address,
    },
    /// One object or key is needed, and none or several were named.
    OneNeeded,
    /// One key is needed, and an address names several.
    SeveralKeys {
        /// The address.
        address: Address,
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
    Missing(Missing),
    /// The same, of a comparison, where the exit code 1 says that something differs.
    InNeither(Missing),
    /// A filter left nothing.
    Emptied(LeftNothing),
    /// The pattern of a flag is none.
    BadPattern {
        /// The flag.
        flag: &'static str,
        /// Why not.
        error: PatternError,
    },
    /// A field selector has no meaning for an object.
    BadFieldSelector(FieldSelectorError),
    /// Objects cannot be sorted by a path.
    CannotSort(JsonPathError),
    /// Nothing was found.
    NothingFound,
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
    /// Deleted keys cannot be sorted by what a deletion does not have.
    OrderOfDeletions,
    /// No deletion of an address is retained: it exists.
    NotDeleted(Address),
    /// No deletions are retained.
    NoDeletions,
    /// No key is in a namespace.
    NotInNamespaces,
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
    /// Whether the question was understood, and the answer is no.
    pub fn is_no(&self) -> bool {
        match self {
            Self::EventNotRetained { .. }
            | Self::Emptied(_)
            | Self::NoPages { .. }
            | Self::NoBytesAt { .. }
            | Self::NoEvents
            | Self::NothingFound
            | Self::NotDeleted(_)
            | Self::NoDeletions
            | Self::NotInNamespaces
            | Self::NoObjectsAtRevision
            | Self::NoDeletedObjects => true,
            Self::Missing(missing) => !missing.is_unknown(),
            _ => false,
        }
    }
}

impl NoAnswer {
    /// Whether its hint is enough for a damaged file: no other check has to be suggested.
    pub fn has_enough_hint(&self) -> bool {
        matches!(
            self,
            Self::NoPages { .. }
                | Self::NoBytesAt { .. }
                | Self::Unreachable(_)
                | Self::TwoStatesNeeded
        )
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
        Self::Missing(missing)
    }
}
