//! The files of a write-ahead log and of raft's snapshots, in a data directory or one of its folders.

use super::error::SourceError;
use super::open_file::list_folder;
use std::fs;
use std::path::{Path, PathBuf};

/// The files in the folders of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogDir {
    /// The files of the log, by name.
    pub wal: Vec<PathBuf>,
    /// Raft's snapshots, and what is left of broken ones, by name.
    pub snaps: Vec<PathBuf>,
    /// Other files in the folder of the log, by name: made in advance, or not etcd's.
    pub others: Vec<PathBuf>,
    /// The folders that were listed.
    pub folders: Vec<PathBuf>,
    /// The database beside them.
    pub db: Option<PathBuf>,
    /// Other databases beside them, the newest first: received from a leader (`INDEX.snap.db`), or left by a
    /// defragmentation that was interrupted (`db.tmp.*`).
    pub databases: Vec<PathBuf>,
}

/// Where a data directory or its `member` folder keeps the log, snapshots and database.
const MEMBER: [&str; 2] = ["member", ""];

impl LogDir {
    /// Lists the files in a data directory, its `member` folder, or a folder of log files. The path of a file is listed
    /// alone.
    ///
    /// # Errors
    /// If the path does not exist, or a folder cannot be read. A folder without a log is not an error.
    pub fn find(given: &Path) -> Result<Self, SourceError> {
        let metadata =
            fs::metadata(given).map_err(|error| SourceError::from_io(given, "examine", error))?;
        let mut found = Self::default();
        if !metadata.is_dir() {
            found.take(given.to_path_buf(), true);
            return Ok(found);
        }
        for inside in MEMBER {
            let member = given.join(inside);
            let (wal, snap) = (member.join("wal"), member.join("snap"));
            if wal.is_dir() || snap.is_dir() {
                found.list(&wal, true)?;
                found.list(&snap, false)?;
                let db = snap.join("db");
                found.db = db.is_file().then_some(db);
                // The name of a received database begins with its raft index in hex, so the newest was listed last.
                found.databases.reverse();
                return Ok(found);
            }
        }
        found.list(given, true)?;
        Ok(found)
    }

    /// Adds the files in a folder; a folder that does not exist has none. `is_log`: whether it is the folder of the
    /// log.
    fn list(&mut self, folder: &Path, is_log: bool) -> Result<(), SourceError> {
        if !folder.is_dir() {
            return Ok(());
        }
        let paths =
            list_folder(folder).map_err(|error| SourceError::from_io(folder, "list", error))?;
        self.folders.push(folder.to_path_buf());
        for path in paths {
            if path.is_file() {
                self.take(path, is_log);
            }
        }
        Ok(())
    }

    /// Adds a file by its name. Other names are only kept if it is in the folder of the log (`is_log`).
    fn take(&mut self, path: PathBuf, is_log: bool) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".snap") || name.ends_with(".snap.broken") {
            self.snaps.push(path);
        } else if name.ends_with(".wal") {
            self.wal.push(path);
        } else if is_log {
            self.others.push(path);
        } else if name.ends_with(".snap.db") || name.starts_with("db.tmp") {
            self.databases.push(path);
        }
    }
}

/// The path for [`LogDir::find`] at which the log of a database is. `given` is the user's path: a data directory, its
/// `member`, `snap` or `wal` folder, the database in it, or a file of the log itself. `db` is the path of the database.
/// None if the database is a file outside of a data directory.
#[must_use]
pub fn log_place(db: &Path, given: &Path) -> Option<PathBuf> {
    if given.is_dir() {
        let is_snap = given.ends_with("snap") && !given.join("wal").is_dir();
        let member = given.parent().filter(|_| is_snap);
        return Some(match member {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_path_buf(),
            None => given.to_path_buf(),
        });
    }
    if given
        .extension()
        .is_some_and(|extension| extension == "wal")
    {
        return Some(given.to_path_buf());
    }
    // `db` is MEMBER/snap/db.
    let member = db.ancestors().nth(2).filter(|_| db.ends_with("snap/db"))?;
    Some(match member {
        member if member.as_os_str().is_empty() => PathBuf::from("."),
        member => member.to_path_buf(),
    })
}
