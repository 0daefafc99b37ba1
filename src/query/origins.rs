//! Where records come from in addition to the state of the database: freed pages and the write-ahead log.

use std::path::{Path, PathBuf};

use crate::bbolt::Direction;
use crate::etcd::carve::proof::unproved;
use crate::etcd::carve::{Carved, Class, Search, leaves_out_of_use};
use crate::etcd::cluster::known_members;
use crate::etcd::record::{Grade, Origin};
use crate::etcd::wal::Wal;
use crate::etcd::wal::replay::{self, Replay};
use crate::etcd::wal::revision_inference::infer_records;
use crate::etcd::{AtRevision, KeyEntry, Record, State, Store};
use crate::source::log_place;

use super::logs::Logs;
use super::no_answer::NoAnswer;
use super::notice::{Carving, LogFound, Notice, Notices, Unproved};
use super::revision::RevisionExpr;

/// What a restore asks of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayRequest {
    /// Whether entries after the last commit are left out.
    pub committed_only: bool,
    /// The revision asked for. None means the newest.
    pub at: Option<RevisionExpr>,
    /// The time whose revision is asked for, as typed. Used instead of `at`.
    pub at_time: Option<String>,
    /// Whether entries that change users and roles are skipped, because authentication is switched off.
    pub skips_authentication: bool,
}

/// Where records are looked for in addition to the state of the database.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    carve: bool,
    wal: Option<Option<PathBuf>>,
    /// Whether a missing log is acceptable.
    log_is_optional: bool,
    /// What a restore asks of the log; none for other verbs.
    replay: Option<ReplayRequest>,
}

impl Origins {
    /// Freed pages, if `carve` is set; and the write-ahead log next to the database, or in a folder.
    #[must_use]
    pub fn new(carve: bool, wal: Option<Option<PathBuf>>) -> Self {
        Self {
            carve,
            wal,
            log_is_optional: false,
            replay: None,
        }
    }

    /// The same for a restore, which applies every entry of the log or refuses.
    #[must_use]
    pub fn for_restore(self, replay: ReplayRequest) -> Self {
        Self {
            replay: Some(replay),
            ..self
        }
    }

    /// What a restore asks of the log.
    pub(super) fn replay(&self) -> Option<ReplayRequest> {
        self.replay.clone()
    }

    /// Adds what freed pages have.
    fn add_carved<'a>(&self, store: Store<'a>, notices: &Notices) -> Store<'a> {
        if !self.carve {
            return store;
        }
        let carved = Carved::from_state(store.state());
        let store = store.with_carved(carved.records);
        notices.add(Notice::Carved(carving(&store, carved.search)));
        store
    }

    /// All of them, if they exist.
    #[must_use]
    pub fn all(self) -> Self {
        Self {
            carve: true,
            log_is_optional: self.wal.is_none(),
            wal: self.wal.or(Some(None)),
            replay: self.replay,
        }
    }

    /// The number of records in freed pages for whose key `covers` is true.
    pub fn carved_records(state: &State<'_>, covers: impl Fn(&[u8]) -> bool) -> usize {
        let carved = Carved::from_state(state).records;
        carved.iter().filter(|record| covers(record.key)).count()
    }

    /// Whether freed pages are searched.
    pub fn has_carve(&self) -> bool {
        self.carve
    }

    /// Whether a write-ahead log is read.
    pub fn has_wal(&self) -> bool {
        self.wal.is_some()
    }

    /// Adds the records of these origins to a store.
    pub fn add_to<'a>(
        &self,
        store: Store<'a>,
        logs: Option<&'a Logs>,
        notices: &Notices,
    ) -> Store<'a> {
        let store = self.add_carved(store, notices);
        match logs {
            Some(logs) => with_log(store, logs, notices),
            None => store,
        }
    }

    /// The log that is asked for, of a database at a path.
    ///
    /// # Errors
    /// If no log is found.
    pub fn logs(&self, db: &Path, given: &Path) -> Result<Option<Logs>, NoAnswer> {
        let Some(wal) = &self.wal else {
            return Ok(None);
        };
        let next_to = || log_place(db, given);
        let dir = match wal {
            Some(dir) => dir.clone(),
            None if self.log_is_optional && next_to().is_none() => return Ok(None),
            None => next_to().ok_or_else(|| NoAnswer::NoLogNextTo(given.to_path_buf()))?,
        };
        match Logs::open(&dir) {
            Err(_) if self.log_is_optional => Ok(None),
            opened => opened.map(Some),
        }
    }
}

/// Adds what a write-ahead log has and the state lacks.
fn with_log<'a>(store: Store<'a>, logs: &'a Logs, notices: &Notices) -> Store<'a> {
    let wal = logs.wal();
    if let Some(member) = stranger(&store, &wal) {
        notices.add(Notice::LogOfAnotherCluster(member));
        return store;
    }
    let state = store.current_revision();
    let whole = replay::whole_log(&wal).filter(|whole| agrees(&store, whole));
    let reaches = whole
        .as_ref()
        .is_some_and(|whole| whole.stopped.is_none() && whole.revision >= state);
    let mut records = whole.map_or_else(Vec::new, |whole| whole.records);
    let damaged = store.db().diagnostics().found_damage();
    let mut stopped = None;
    if !reaches
        && !damaged
        && let Some(beyond) = replay::after_database(&store, &wal)
    {
        stopped = beyond.stopped.map(|why| (beyond.until, why));
        records.extend(beyond.records);
    }
    if !reaches && !damaged {
        records.extend(infer_records(&store, &wal, state));
        records.sort_by_key(|record| record.revision);
    }
    let before = store.additional().len();
    let store = store.with(records);
    let of_log = || {
        store
            .additional()
            .iter()
            .filter(|record| record.origin == Origin::Wal)
    };
    let after = of_log()
        .filter(|record| record.revision.main > state)
        .count();
    let compacted = of_log().count().saturating_sub(after);
    notices.add(Notice::Log(LogFound {
        path: logs.given().to_path_buf(),
        after,
        newest: (state, store.current_revision()),
        compacted,
        stopped,
        is_all: before == 0 && after == 0 && compacted == 0,
    }));
    store
}

/// The member that wrote the log, if the database lists its members and this one is not in the list.
pub(super) fn stranger(store: &Store<'_>, wal: &Wal<'_>) -> Option<u64> {
    let id = wal.metadata?.node_id;
    let known = known_members(store);
    (!known.is_empty() && !known.contains(&id)).then_some(id)
}

/// Whether the replay of a whole log and the database have the same record at each revision that both have.
pub(super) fn agrees(store: &Store<'_>, whole: &Replay<'_>) -> bool {
    let mut replayed = whole.records.iter().peekable();
    store.state().records(Direction::Forward).all(|known| {
        while replayed
            .next_if(|record| record.revision < known.revision)
            .is_some()
        {}
        match replayed.peek() {
            Some(record) if record.revision == known.revision => record.has_same_content(&known),
            // The replay lacks a revision between two that it has.
            Some(_) => known.is_bump_mark(),
            None => true,
        }
    })
}

/// How many objects a notice names.
const NAMED: usize = 3;

/// Reports which objects of a keyspace below the compaction may not be as they were then.
pub fn note_unproved(
    store: &Store<'_>,
    at: AtRevision,
    entries: &[KeyEntry<'_>],
    notices: &Notices,
) {
    let unproved = unproved(store, at, entries);
    if unproved.is_empty() {
        return;
    }
    let keys = unproved.iter().filter_map(|index| entries.get(*index));
    notices.add(Notice::Unproved(Unproved {
        count: unproved.len(),
        of: entries.len(),
        at: at.0,
        keys: keys.take(NAMED).map(|entry| entry.key.clone()).collect(),
    }));
}

/// What a search of freed pages found.
fn carving(store: &Store<'_>, search: Search) -> Carving {
    let records = store.additional();
    let (compacted, current) = (store.compact_revision(), store.current_revision());
    let of = |class| {
        let is_of = |record: &&Record<'_>| {
            Carved::class_of(record.revision.main, compacted, current) == class
        };
        records.iter().filter(is_of).count()
    };
    let unproved = records
        .iter()
        .filter(|record| record.grade() > Some(Grade::A));
    let ends = records.first().zip(records.last());
    let metas = store.db().metas();
    Carving {
        compacted: of(Class::Compacted),
        lost: of(Class::Lost),
        beyond: of(Class::NewerThanState),
        unproved: unproved.count(),
        revisions: ends.map(|(first, last)| (first.revision.main, last.revision.main)),
        store: (compacted, current),
        search,
        // A further pass over the pages, and only of interest if nothing was found.
        free_leaves: match ends {
            None => leaves_out_of_use(store.state()),
            Some(_) => 0,
        },
        is_fresh_file: metas.iter().flatten().any(|meta| meta.is_initial()),
    }
}
