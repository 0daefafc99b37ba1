//! The limits of an answer, and other facts that its reader needs, as data. `view::notice` puts them into words.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use crate::etcd::AtRevision;
use crate::etcd::carve::Search;
use crate::etcd::status::DefragmentedSize;
use crate::k8s::encrypt::DecryptError;
use crate::k8s::wall_clock::AtTime;

use super::filters::LeftNothing;
use super::no_answer::NoAnswer;
use super::recovery_notice::RecoveryNotice;

/// One limit of an answer, or one fact that its reader needs.
#[derive(Debug, Clone)]
pub enum Notice {
    /// The revision of a time was inferred.
    TimeInferred {
        /// The time, in seconds since 1970.
        time: i64,
        /// The revision.
        at: AtTime,
    },
    /// The two states that `diff` compares were inferred from the times of a period.
    PeriodInferred {
        /// The state before the period.
        from: AtRevision,
        /// The state after it.
        to: AtRevision,
    },
    /// What carving found.
    Carved(Carving),
    /// The write-ahead log belongs to another cluster; the id of its member.
    LogOfAnotherCluster(u64),
    /// What the write-ahead log added.
    Log(LogFound),
    /// Writes of the log that the database beside it does not have, although it claims to have applied their entries.
    LogContradicts {
        /// How many entries.
        count: usize,
        /// The index of the first of them.
        index: u64,
        /// The main revision that the log gives the first of them.
        main: i64,
    },
    /// The database cannot be used, and the answer is that of the log alone.
    LogAlone(LogAlone),
    /// Delta snapshots of etcd-backup-restore give records.
    Deltas(DeltasFound),
    /// An older full snapshot of the folder of backups, by path and name, is a better start for this revision.
    OlderFullSnapshot(PathBuf, String, i64),
    /// A newer full snapshot of the folder cannot be used: its name, and why not.
    FullSnapshotSkipped(String, Arc<NoAnswer>),
    /// The answer is that of this full snapshot alone; how many delta snapshots of its folder are not part of it.
    DeltasLeftOut(String, usize),
    /// How many files of a write-ahead log, and how many delta snapshots, are in the archive beside the database.
    BesideInArchive {
        /// Files of a log.
        log_files: usize,
        /// Delta snapshots.
        deltas: usize,
    },
    /// The data directory has a v2 store: the raft snapshot, and how many keys it has.
    V2Keys(PathBuf, usize),
    /// The database cannot be used, and another one of the folder was.
    OtherDatabase {
        /// Why it cannot be used.
        why: Arc<NoAnswer>,
        /// The other one.
        used: PathBuf,
    },
    /// The answer needs revisions that are compacted.
    Compacted(Compacted),
    /// Objects below the compaction whose state at that revision is not proved.
    Unproved(Unproved),
    /// Values that are still encrypted, by reason; and how many more reasons there are.
    StillEncrypted(Vec<Encrypted>, usize),
    /// How many objects could not be read, so that a selector could not be tried on them.
    Untested(usize),
    /// How many deleted keys have no retained put, so that a selector could not be tried on them.
    WithoutPut(usize),
    /// The live states are equal, and the histories differ.
    HistoriesDiffer(HistoriesDiffer),
    /// Two states differ, and this filter removed every difference.
    Emptied(LeftNothing),
    /// The answer shows field managers beside changes.
    WhoIsNotRecorded,
    /// The databases are at these revisions, and the first is the newer one.
    OlderIsNewer([(PathBuf, i64); 2]),
    /// Two databases have no member in common.
    AnotherCluster,
    /// What a comparison of the two meta pages compares: transaction id and revision, before and after.
    LastCommit([(u64, i64); 2]),
    /// Events that kubectl's format cannot show.
    EventsLeftOut(EventsLeftOut),
    /// How many pages without a header a scan passed over.
    PagesWithoutHeader(u64),
    /// Parts of an object may be older than the revision shown for them.
    Boundaries {
        /// How many versions cannot be read; if none, the version before is not retained.
        unread: usize,
    },
    /// How many requests of the write-ahead log are left out because a filter asks what events changed.
    RequestsLeftOut(usize),
    /// Fields of the field selector that no object has.
    FieldsOfNone(Vec<String>),
    /// How many objects have the one name that was asked for.
    SeveralOfOneName {
        /// How many.
        count: usize,
        /// Whether they are in several logical clusters.
        has_clusters: bool,
    },
    /// The prefixes of the objects: more than one.
    SeveralPrefixes(Vec<Vec<u8>>),
    /// The time that ages are counted from, in seconds since 1970; none if the store has no time.
    AgesAsOf(Option<i64>),
    /// How many findings the layers have that were not asked for.
    OtherLayers(u64),
    /// The page size in bytes is guessed from the positions of pages.
    PageSizeGuessed(usize),
    /// A notice about the recovery of deleted objects.
    Recovery(RecoveryNotice),
    /// What compaction and defragmentation would free.
    Space(SpaceAdvice),
    /// How many records in a hash were salvaged.
    SalvagedHashed(u64),
}

/// What compaction and defragmentation would free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceAdvice {
    /// The newest revision.
    pub revision: i64,
    /// Whether more than half of the file is live records.
    pub is_mostly_live: bool,
    /// Bytes of records that a compaction to this revision removes.
    pub history_bytes: u64,
    /// The size before and after a defragmentation without a compaction.
    pub defragmentation: DefragmentedSize,
    /// Whether a member has raised the alarm NOSPACE.
    pub has_alarm: bool,
}

/// What a search of freed pages found.
#[derive(Debug, Clone)]
pub struct Carving {
    /// How many records were compacted.
    pub compacted: usize,
    /// How many belong to the state although the tree does not lead to them.
    pub lost: usize,
    /// How many are newer than the state.
    pub beyond: usize,
    /// How many are supported by their own bytes alone.
    pub unproved: usize,
    /// Main revisions of the first and the last; none if there is no record.
    pub revisions: Option<(i64, i64)>,
    /// The compacted revision, and the newest revision of the state.
    pub store: (i64, i64),
    /// How it was searched.
    pub search: Search,
    /// How many leaf pages are not in use.
    pub free_leaves: u64,
    /// Whether the file was written anew by a defragmentation, or is new.
    pub is_fresh_file: bool,
}

/// What delta snapshots give.
#[derive(Debug, Clone)]
pub struct DeltasFound {
    /// The file name of the full snapshot that is the database; none without one.
    pub base: Option<String>,
    /// Whether they are in a folder; false for a single file.
    pub is_folder: bool,
    /// How many delta snapshots were read.
    pub files: usize,
    /// The last revision of the full snapshot.
    pub state: Option<i64>,
    /// The first and the last revision of the delta snapshots.
    pub revisions: Option<(i64, i64)>,
    /// When the last event was received, in seconds since 1970.
    pub until: Option<i64>,
    /// The last revision that every write is known up to.
    pub complete: Option<i64>,
}

/// What a write-ahead log has without its database.
#[derive(Debug, Clone)]
pub struct LogAlone {
    /// Why the database cannot be used.
    pub why: Arc<NoAnswer>,
    /// The last entry that the answer has.
    pub until: u64,
    /// The revision after it.
    pub revision: i64,
}

/// What a write-ahead log added.
#[derive(Debug, Clone)]
pub struct LogFound {
    /// The log, as `wal` takes it.
    pub path: PathBuf,
    /// Records after the newest revision of the database.
    pub after: usize,
    /// The newest revision of the database, and with the log.
    pub newest: (i64, i64),
    /// Records that were compacted.
    pub compacted: usize,
    /// The entry up to which revisions are certain, and why not after it.
    pub stopped: Option<(u64, &'static str)>,
    /// Whether `wal` would show more: nothing was added, by carving neither.
    pub is_all: bool,
}

/// History that an answer needs, and that is compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// The compacted revision: history is retained from here on.
    pub compacted: i64,
    /// How many versions are known to be missing, of the one key that was asked about.
    pub missing_versions: Option<i64>,
    /// What other origins would add to the keys that were asked about; none if these were asked for already.
    pub further: Further,
}

/// What `--carve` and `--wal` would add, in records of the keys that were asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Further {
    /// By carving; none if it was asked for already.
    pub carve: Option<usize>,
    /// By the write-ahead log. None if `--wal` was given, or if no log is next to the database.
    pub wal: Option<usize>,
}

/// Objects whose state is not proved.
#[derive(Debug, Clone)]
pub struct Unproved {
    /// How many.
    pub count: usize,
    /// Of how many objects in the answer.
    pub of: usize,
    /// The revision.
    pub at: i64,
    /// The first of them.
    pub keys: Vec<Box<[u8]>>,
}

/// Values that are still encrypted for one reason.
#[derive(Debug, Clone)]
pub struct Encrypted {
    /// How many.
    pub count: usize,
    /// The key of the first.
    pub first: Box<[u8]>,
    /// The reason.
    pub error: DecryptError,
}

/// Two databases with equal live states and different histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoriesDiffer {
    /// The oldest main revision that differs.
    pub first: i64,
    /// How many records differ.
    pub records: usize,
}

/// How many events of a watch kubectl's format cannot show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventsLeftOut {
    /// Events whose values are not objects.
    pub no_object: usize,
    /// Deletions of objects that are not retained.
    pub without_object: usize,
}

/// Collects the notices of one run. Equal notices are kept once.
#[derive(Debug, Default)]
pub struct Notices {
    all: RefCell<Vec<Notice>>,
}

impl Notices {
    /// Adds one.
    pub fn add(&self, notice: Notice) {
        self.all.borrow_mut().push(notice);
    }

    /// Adds that the database does not record who made a change; once.
    pub fn add_who(&self) {
        let is_said = |notice: &Notice| matches!(notice, Notice::WhoIsNotRecorded);
        if !self.all.borrow().iter().any(is_said) {
            self.add(Notice::WhoIsNotRecorded);
        }
    }

    /// All of them, in the order in which they were made.
    pub fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut self.all.borrow_mut())
    }
}
