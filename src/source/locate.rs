//! From the path which the user gave to an open file, without waiting and without traces.
#![deny(unsafe_code)]

use super::SourceError;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
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

/// Follows links. Before opening, because opening some devices already does something.
fn examine(path: &Path) -> Result<Metadata, SourceError> {
    fs::metadata(path).map_err(|error| SourceError::of(path, "examine", error))
}

pub(super) fn require_regular(path: &Path, metadata: &Metadata) -> Result<(), SourceError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(SourceError::NotRegular {
        path: path.to_path_buf(),
        kind: kind_of(metadata),
    })
}

#[cfg(unix)]
fn kind_of(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    let file_type = metadata.file_type();
    if file_type.is_dir() {
        "a directory"
    } else if file_type.is_fifo() {
        "a named pipe (FIFO)"
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

#[cfg(not(unix))]
fn kind_of(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() {
        "a directory"
    } else {
        "something else"
    }
}

/// Opens for reading (the standard library adds `O_CLOEXEC`), without waiting for the other end of
/// a pipe. Says also whether the access time stays.
#[cfg(unix)]
pub(super) fn open_read_only(path: &Path) -> io::Result<(File, bool)> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let open = |flags| {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | flags)
            .open(path)
    };
    #[cfg(target_os = "linux")]
    match open(libc::O_NOATIME) {
        // Only the owner may ask for it.
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
        other => return other.map(|file| (file, true)),
    }
    open(0).map(|file| (file, false))
}

#[cfg(not(unix))]
pub(super) fn open_read_only(path: &Path) -> io::Result<(File, bool)> {
    OpenOptions::new()
        .read(true)
        .open(path)
        .map(|file| (file, false))
}
