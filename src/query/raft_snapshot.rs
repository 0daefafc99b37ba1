//! A raft snapshot (`TERM-INDEX.snap`) as a file: whether it is one, and how many keys its v2 store has.

use std::path::{Path, PathBuf};

use crate::etcd::wal::snap::Snap;
use crate::sniff::is_raft_snapshot;
use crate::source::{LogDir, Source};

use super::no_answer::NoAnswer;

/// The raft snapshot in a file, and what is wrong with its checksum.
pub(super) fn snap_of(source: &Source) -> Option<(Snap, Option<String>)> {
    if !is_raft_snapshot(source.bytes(), source.len_bytes()) {
        return None;
    }
    let (snap, wrong) = Snap::read(source.bytes()).ok()?;
    Some((snap, wrong.map(|wrong| wrong.to_string())))
}

/// Why a raft snapshot is no database, with what it contains instead. None if the file is no raft snapshot.
pub(super) fn not_a_database(source: &Source) -> Option<NoAnswer> {
    let (snap, _) = snap_of(source)?;
    let keys = snap.store.map(|store| store.keys.len());
    Some(raft_snapshot(source.path().to_path_buf(), keys))
}

/// Why it is no database.
pub(super) fn raft_snapshot(path: PathBuf, keys: Result<usize, String>) -> NoAnswer {
    NoAnswer::RaftSnapshot { path, keys }
}

/// The newest raft snapshot of a data directory, and how many keys its v2 store has; none without keys.
pub(super) fn newest(place: &Path) -> Option<(PathBuf, usize)> {
    let dir = LogDir::find(place).ok()?;
    let is_snap = |path: &&PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "snap")
    };
    let path = dir.snaps.iter().rev().find(is_snap)?;
    let (snap, _) = snap_of(&Source::open(path).ok()?)?;
    let keys = snap.store.ok()?.keys.len();
    (keys > 0).then(|| (path.clone(), keys))
}
