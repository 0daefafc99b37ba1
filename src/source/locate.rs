//! Finds the database file that the user's path means. No file is opened here: opening could wait (a named pipe) or
//! leave traces.

use super::backups::backup_files;
use super::error::{PIPE, SourceError};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

/// Where a data directory, its `member` or its `snap` folder keeps the database.
const INSIDE: [&str; 3] = ["member/snap/db", "snap/db", "db"];

/// The file meant by a path: itself, or the database in a directory.
pub(super) fn locate(given: &Path) -> Result<PathBuf, SourceError> {
    let metadata = examine(given)?;
    if !metadata.is_dir() {
        require_regular(given, &metadata)?;
        return Ok(given.to_path_buf());
    }
    for inside in INSIDE {
        let path = given.join(inside);
        match examine(&path) {
            Ok(found) => {
                require_regular(&path, &found)?;
                return Ok(path);
            }
            Err(SourceError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(SourceError::NoDatabaseInside(given.to_path_buf()))
}

/// Where the database of a path is, or where it would be if it is missing. The path may also be a `wal` folder, which
/// is next to `snap`.
pub(super) fn database_path(given: &Path) -> PathBuf {
    if !given.is_dir() {
        return given.to_path_buf();
    }
    if given.ends_with("wal") {
        return given.with_file_name("snap").join("db");
    }
    let exists = |inside: &&&str| given.join(inside).symlink_metadata().is_ok();
    let is_member = || given.join("snap").is_dir() || given.join("wal").is_dir();
    let inside = INSIDE.iter().find(exists).copied();
    given.join(inside.unwrap_or_else(|| match given {
        _ if given.ends_with("snap") => "db",
        _ if is_member() => "snap/db",
        _ => "member/snap/db",
    }))
}

/// Whether a path is a file, a member of an archive, standard input, or a folder with a database in it.
pub(crate) fn is_database_path(given: &Path) -> bool {
    if given.is_dir() {
        let has_backup = || backup_files(given).is_ok_and(|files| !files.is_empty());
        return INSIDE.iter().any(|inside| given.join(inside).exists()) || has_backup();
    }
    given.exists() || given.as_os_str() == "-" || is_member_path(given)
}

/// Whether a path names a member of an archive that exists: `ARCHIVE::path/in/archive`.
fn is_member_path(given: &Path) -> bool {
    let text = given.to_string_lossy();
    let mut places = text.match_indices("::");
    places.any(|(at, _)| {
        let archive = text.get(..at).unwrap_or_default();
        matches!(archive, "-" | "./-") || Path::new(archive).exists()
    })
}

/// The metadata of the file that a path names; symbolic links are followed. The file is examined before it is opened,
/// because opening a device may already have an effect.
fn examine(path: &Path) -> Result<Metadata, SourceError> {
    fs::metadata(path).map_err(|error| SourceError::from_io(path, "examine", error))
}

/// Refuses a path that is not a regular file.
pub(super) fn require_regular(path: &Path, metadata: &Metadata) -> Result<(), SourceError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(SourceError::NotRegular {
        path: path.to_path_buf(),
        kind: kind_of(metadata),
    })
}

/// The kind of a file that is not regular, for the error.
#[cfg(unix)]
fn kind_of(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let file_type = metadata.file_type();
    if file_type.is_dir() {
        "a directory"
    } else if file_type.is_fifo() {
        PIPE
    } else if file_type.is_socket() {
        "a socket"
    } else if file_type.is_block_device() {
        "a block device"
    } else if file_type.is_char_device() {
        "a character device"
    } else {
        "something else"
    }
}

/// The kind of a file that is not regular, for the error.
#[cfg(not(unix))]
fn kind_of(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() {
        "a directory"
    } else {
        "something else"
    }
}
