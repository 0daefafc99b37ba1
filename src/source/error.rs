//! Why a path cannot be evidence.

use super::unpack::UnpackError;
use std::io;
use std::path::{Path, PathBuf};

/// How [`SourceError::NotRegular`] calls a named pipe.
pub const PIPE: &str = "a named pipe (FIFO)";

/// Why a path could not be opened as evidence. Every text is one line and names the path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The path is `-`.
    #[error("'-' (standard input) cannot be read here: save it to a file first")]
    StandardInput,
    /// There is nothing at the path.
    #[error("{}: no such file or directory", .0.display())]
    NotFound(PathBuf),
    /// The path is a symbolic link whose target does not exist.
    #[error("{}: a symbolic link to a file that does not exist", .0.display())]
    DanglingLink(PathBuf),
    /// Symbolic links that lead to each other.
    #[error("{}: symbolic links lead round in a circle", .0.display())]
    LinkLoop(PathBuf),
    /// A directory without a database at any of the known paths.
    #[error(
        "{}: a directory without an etcd database (looked for member/snap/db, snap/db and db in it)",
        .0.display()
    )]
    NoDatabaseInside(PathBuf),
    /// Something that is not a regular file.
    #[error("{}: {kind}, not a regular file", .path.display())]
    NotRegular {
        /// The path as resolved.
        path: PathBuf,
        /// What it is, with its article: "a named pipe (FIFO)".
        kind: &'static str,
    },
    /// The system does not let us read it, or look into a folder on the way.
    #[error("{}: permission denied", .0.display())]
    PermissionDenied(PathBuf),
    /// A file of 0 bytes.
    #[error("{}: an empty file (0 bytes), not an etcd database", .0.display())]
    Empty(PathBuf),
    /// More bytes than this system can map at once (a 32-bit one).
    #[error("{}: {len_bytes} bytes are more than this system can map", .path.display())]
    TooLong {
        /// The path as resolved.
        path: PathBuf,
        /// Its length in bytes.
        len_bytes: u64,
    },
    /// It is packed, and cannot be unpacked.
    #[error("{}: {error}", .path.display())]
    Packed {
        /// The path as given.
        path: PathBuf,
        /// Why not.
        #[source]
        error: Box<UnpackError>,
    },
    /// Any other failure of the system.
    #[error("{}: cannot {action}: {error}", .path.display())]
    Io {
        /// The path as resolved.
        path: PathBuf,
        /// What was tried: "open", "map".
        action: &'static str,
        /// What the system answered.
        #[source]
        error: io::Error,
    },
}

impl SourceError {
    /// The error for a path, by what the system answered.
    pub(super) fn from_io(path: &Path, action: &'static str, error: io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::NotFound if path.symlink_metadata().is_ok() => Self::DanglingLink(path),
            // A file in the middle of the path ("db/member/snap/db") is no folder to look into.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound(path),
            io::ErrorKind::PermissionDenied => Self::PermissionDenied(path),
            _ if is_link_loop(&error) => Self::LinkLoop(path),
            _ => Self::Io {
                path,
                action,
                error,
            },
        }
    }
}

#[cfg(unix)]
fn is_link_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}

#[cfg(not(unix))]
fn is_link_loop(_error: &io::Error) -> bool {
    false
}
