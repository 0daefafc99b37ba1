//! Why nothing is restored, as data. `view::restore` has the sentences.

use crate::diag::Code;
use crate::etcd::survey::LostRange;
use crate::query::NoAnswer;
use crate::query::replayed::LogFault;

/// A reason not to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Records up to the revision may be missing.
    Lost {
        /// The revision asked for.
        at: i64,
        /// Where they may be missing.
        ranges: Vec<LostRange>,
        /// How many records are in pages that the tree does not reach; some of them may be the missing ones.
        elsewhere: u64,
    },
    /// Records at or below the compaction may be missing: any key may be affected.
    LostBelowCompaction {
        /// The compacted revision.
        compacted: i64,
        /// How many records are in pages that the tree does not reach.
        elsewhere: u64,
    },
    /// The tree leads to no record that would be written, and so many records are in pages that it does not reach.
    Unreached(u64),
    /// The revision is below the compaction.
    Compacted {
        /// The revision asked for.
        asked: i64,
        /// The compacted revision.
        compacted: i64,
    },
    /// The revision is above the newest one.
    Future {
        /// The revision asked for.
        asked: i64,
        /// The newest revision.
        current: i64,
    },
    /// The revision does not exist: an earlier restore raised the revision past it.
    InJump {
        /// The revision asked for.
        asked: i64,
        /// The first and the last revision that do not exist.
        jump: (i64, i64),
    },
    /// A bucket of authentication is damaged, and authentication is on, or it is not known whether it is.
    Auth {
        /// Whether it is known to be on.
        is_on: bool,
    },
    /// Bucket `meta` is damaged, so the compacted revision is not known.
    Meta,
    /// The newest meta page is lost: the state may be one commit old.
    OlderMeta {
        /// The meta page that is used; none if the root was searched.
        index: Option<usize>,
    },
    /// The SHA-256 of the snapshot is wrong.
    Trailer,
    /// The copy was taken while etcd was writing.
    Torn,
    /// Other damage, which may have altered records.
    Damage(Code),
    /// The write-ahead log cannot be applied, or not up to its end.
    Log {
        /// Why.
        fault: LogFault,
        /// The last entry that was applied.
        until: u64,
        /// The revision after it.
        revision: i64,
    },
    /// The cluster found that its members differ.
    CorruptAlarm,
    /// Several revisions fit a time, and they have different keys.
    SeveralRevisions {
        /// The oldest and the newest of them.
        revisions: (i64, i64),
        /// Some keys that were created or deleted between them.
        keys: Vec<Vec<u8>>,
        /// How many.
        count: usize,
    },
    /// `--history all` for a store that has only some keys.
    HistoryOfSomeKeys,
    /// No key matches the prefixes.
    NoKeys,
    /// The file has no database, for example because it is a delta snapshot alone.
    NoDatabase,
}

impl Refusal {
    /// Whether `--allow-loss` overrules this reason.
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::Lost { .. }
                | Self::LostBelowCompaction { .. }
                | Self::Meta
                | Self::OlderMeta { .. }
                | Self::Trailer
                | Self::Torn
                | Self::Damage(_)
                | Self::Log { .. }
        )
    }
}

/// Why nothing is restored.
#[derive(Debug)]
pub enum RestoreError {
    /// The store cannot be read, or the revision cannot be resolved.
    NoAnswer(Box<NoAnswer>),
    /// It is refused, because the new store would not be what was asked for.
    Refused(Box<Refused>),
}

/// What is known after the newest revision that is complete. A restore of that revision leaves it out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordsAfter {
    /// Number of main revisions, up to the newest one that is known.
    pub revisions: i64,
    /// How many of their records can be read. Those that cannot are not counted.
    pub readable: u64,
}

/// What could be restored of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefusalDetails {
    /// The newest revision whose state is complete, if there is one and it can be restored.
    pub complete: Option<i64>,
    /// What is known after that revision.
    pub after: RecordsAfter,
    /// The newest revision that is known.
    pub newest: i64,
    /// The compacted revision.
    pub compacted: i64,
}

/// A refusal, and what could be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why. The first one is the most important.
    pub reasons: Vec<Refusal>,
    /// What could be restored.
    pub details: RefusalDetails,
}

impl From<NoAnswer> for RestoreError {
    fn from(no: NoAnswer) -> Self {
        Self::NoAnswer(Box::new(no))
    }
}

impl From<Refusal> for RestoreError {
    fn from(reason: Refusal) -> Self {
        Self::Refused(Box::new(Refused {
            reasons: vec![reason],
            details: RefusalDetails::default(),
        }))
    }
}
