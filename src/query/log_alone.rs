//! A database that cannot be used, and the records that its write-ahead log still has.
//!
//! A log that begins with the first entry of its cluster has every write. Any other log follows records that only a
//! database has: then another database of the folder is the state that it continues.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Error;
use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::etcd::state::State;
use crate::etcd::wal::replay::{self, Replay};
use crate::etcd::{Store, empty, schema};
use crate::sniff::sniff;
use crate::source::{Source, SourceError, log_place};

use super::log_reach::LogReach;
use super::logs::{Logs, Wal};
use super::no_answer::{NoAnswer, Unusable};
use super::notice::{LogAlone, Notice, Notices};
use super::origins::stranger;
use super::raft_snapshot;

/// What a log gives without its database.
fn reach(logs: &Logs) -> LogReach {
    let wal = logs.wal_again();
    if let Some(whole) = replay::whole_log(&wal) {
        return LogReach::All {
            until: whole.until,
            revision: whole.revision,
            stopped: whole.stopped,
        };
    }
    if let Some(database) = substitute(logs, &wal) {
        return LogReach::Continues(database.path().to_path_buf());
    }
    match wal.effective().next() {
        None => LogReach::NoEntries,
        Some(first) if first.index == 1 && replay::restored_at(&wal).is_some() => {
            LogReach::Restored
        }
        Some(first) => LogReach::BeginsAt(first.index),
    }
}

/// The reason why a database has no answer, with what the log next to it gives; the same reason without a log.
///
/// `typed` are the databases of the run, as typed.
pub fn with_reach(no: NoAnswer, typed: &[PathBuf]) -> NoAnswer {
    let Some(db) = database_of(&no) else {
        return no;
    };
    let Some(given) = typed.iter().find(|typed| db.starts_with(typed)) else {
        return no;
    };
    let Some(place) = log_place(&db, given) else {
        return no;
    };
    let logs = Logs::open(&place).ok().filter(Logs::has_log);
    let v2 = raft_snapshot::newest(&place);
    if logs.is_none() && v2.is_none() {
        return no;
    }
    NoAnswer::Unusable(Box::new(Unusable {
        given: given.clone(),
        log: place,
        reach: logs.as_ref().map_or(LogReach::NoEntries, reach),
        v2,
        why: Arc::new(no),
    }))
}

/// The database that cannot be used, if that is the reason.
fn database_of(no: &NoAnswer) -> Option<PathBuf> {
    match no {
        NoAnswer::Source {
            error:
                SourceError::NoDatabaseInside(path)
                | SourceError::NotFound(path)
                | SourceError::DanglingLink(path)
                | SourceError::LinkLoop(path)
                | SourceError::PermissionDenied(path)
                | SourceError::Empty(path)
                | SourceError::NotRegular { path, .. }
                | SourceError::Io { path, .. },
            ..
        }
        | NoAnswer::NotBbolt { path, .. }
        | NoAnswer::NoState { path, .. }
        | NoAnswer::NeverWritten(path)
        | NoAnswer::NoKeyBucket(path) => Some(path.clone()),
        _ => None,
    }
}

/// Why the state of a file cannot be used. None if it can be used, or if the file is that of another program.
pub(super) fn why_unusable(source: &Source) -> Option<NoAnswer> {
    let path = source.path().to_path_buf();
    let diagnostics = Diagnostics::new();
    match State::open_by_meta(source, None, &diagnostics) {
        Err(error) => Some(not_a_database(source, error)),
        Ok(state) if state.is_foreign() && state.db().is_never_written() => {
            Some(NoAnswer::NeverWritten(path))
        }
        Ok(state) if !state.is_foreign() && state.bucket(schema::KEY).is_none() => {
            Some(NoAnswer::NoKeyBucket(path))
        }
        Ok(_) => None,
    }
}

/// Why a file is not a database, or cannot be read as one.
pub(super) fn not_a_database(source: &Source, error: Error) -> NoAnswer {
    let path = source.path().to_path_buf();
    match error {
        Error::NotBbolt => {
            raft_snapshot::not_a_database(source).unwrap_or_else(|| NoAnswer::NotBbolt {
                path,
                kind: sniff(source.bytes(), source.len_bytes()),
            })
        }
        error => NoAnswer::NoState {
            path,
            error: Box::new(error),
            is_verdict: false,
        },
    }
}

/// The newest other database of the folder that the log continues.
pub(super) fn substitute(logs: &Logs, wal: &Wal<'_>) -> Option<Source> {
    let continues = |source: &Source| {
        let diagnostics = Diagnostics::new();
        let state = State::open_by_meta(source, None, &diagnostics).ok()?;
        state.bucket(schema::KEY)?;
        let store = Store::new(state);
        let last = store.meta().consistent_index?;
        let after = replay::after_database(&store, wal)?;
        let is_continued = after.until > last || wal.effective().all(|entry| entry.index <= last);
        let is_intact = !diagnostics.found_damage() && stranger(&store, wal).is_none();
        (is_continued && is_intact).then_some(())
    };
    let mut sources = logs.databases().filter_map(|path| Source::open(path).ok());
    sources.find(|source| continues(source).is_some())
}

/// The records of the log alone.
///
/// # Errors
/// If it does not have all of them.
pub(super) fn store<'a>(
    logs: &'a Logs,
    (given, why): (&Path, &Arc<NoAnswer>),
    diagnostics: &'a Diagnostics,
    notices: &Notices,
) -> Result<Store<'a>, NoAnswer> {
    let wal = logs.wal();
    let Some(whole) = replay::whole_log(&wal) else {
        return Err(not_whole(logs, given, why));
    };
    if let Some(why) = why_incomplete(logs, &whole) {
        diagnostics.report(
            Diagnostic::new(Code::HistoryIncomplete, Locus::default())
                .found(why)
                .effect("later writes are missing from this answer: `etcdive wal` lists what the log has of them"),
        );
    }
    notices.add(Notice::LogAlone(LogAlone {
        why: Arc::clone(why),
        until: whole.until,
        revision: whole.revision,
    }));
    let store = empty::store(diagnostics).map_err(|error| NoAnswer::NoState {
        path: given.to_path_buf(),
        error: Box::new(error),
        is_verdict: false,
    })?;
    Ok(store.with(whole.records))
}

/// The answer if a database cannot be used, and its log does not have all records.
pub(super) fn not_whole(logs: &Logs, given: &Path, why: &Arc<NoAnswer>) -> NoAnswer {
    NoAnswer::Unusable(Box::new(Unusable {
        given: given.to_path_buf(),
        log: logs.given().to_path_buf(),
        reach: reach(logs),
        v2: raft_snapshot::newest(logs.given()),
        why: Arc::clone(why),
    }))
}

/// Why a log may not have all writes. None if it has all.
fn why_incomplete(logs: &Logs, whole: &Replay<'_>) -> Option<String> {
    let until = whole.until;
    if let Some(why) = whole.stopped {
        return Some(format!(
            "revisions are certain up to entry {until}: after it {why}"
        ));
    }
    let newest = logs.newest_snap().map_or(0, |(_, snap)| snap.index);
    (newest > until).then(|| {
        format!(
            "the log ends with entry {until}, and the newest raft snapshot follows entry {newest}"
        )
    })
}
