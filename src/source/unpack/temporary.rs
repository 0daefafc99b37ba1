//! A temporary file without a name: the system deletes it when the process ends, even if it crashes.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use super::Unpacking;
use super::error::UnpackError;

/// Bytes that are copied at once, and the unit of holes.
const CHUNK: usize = 1 << 16;

/// The limit was reached.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes")]
struct LimitReached(u64);

/// The limit in bytes, if the error is that of a [`Limited`] reader that reached it.
pub(super) fn limit_of(error: &io::Error) -> Option<u64> {
    let inner = error.get_ref()?;
    inner.downcast_ref().map(|LimitReached(up_to)| *up_to)
}

/// A reader that fails if there are more bytes than a limit.
pub(super) struct Limited<R> {
    inner: R,
    left: u64,
    up_to_bytes: u64,
}

impl<R> Limited<R> {
    pub(super) fn new(inner: R, up_to_bytes: u64) -> Self {
        Self {
            inner,
            left: up_to_bytes,
            up_to_bytes,
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        match self.left.checked_sub(len as u64) {
            Some(left) => {
                self.left = left;
                Ok(len)
            }
            None => Err(io::Error::other(LimitReached(self.up_to_bytes))),
        }
    }
}

/// A file that is being filled.
pub(super) struct Temporary {
    file: File,
    folder: PathBuf,
    up_to_bytes: u64,
}

impl Temporary {
    /// Makes a file in the temporary folder, which must have room for `needed` bytes.
    pub(super) fn create(unpacking: &Unpacking, needed: u64) -> Result<Self, UnpackError> {
        let folder = unpacking.temporary_folder.clone();
        let file = tempfile::tempfile_in(&folder).map_err(|error| UnpackError::Temporary {
            folder: folder.clone(),
            error,
        })?;
        let free = free_bytes(&file);
        if free.is_some_and(|free| free < needed) {
            return Err(UnpackError::NoSpace {
                folder,
                needed: Some(needed),
                free,
            });
        }
        Ok(Self {
            file,
            folder,
            up_to_bytes: unpacking.up_to_bytes,
        })
    }

    /// Copies a reader to its end. Returns why it ended before that, if it did.
    pub(super) fn fill(&mut self, mut reader: impl Read) -> Result<Option<String>, UnpackError> {
        let mut buffer = vec![0; CHUNK];
        let mut len = 0_u64;
        let damage = loop {
            let (filled, failed) = fill_buffer(&mut reader, &mut buffer);
            let chunk = buffer.get(..filled).unwrap_or_default();
            if let Some(up_to_bytes) = failed.as_ref().and_then(limit_of) {
                return Err(UnpackError::TooLong { up_to_bytes });
            }
            len = len.saturating_add(filled as u64);
            if len > self.up_to_bytes {
                return Err(UnpackError::TooLong {
                    up_to_bytes: self.up_to_bytes,
                });
            }
            self.write(chunk)?;
            if failed.is_some() || filled < CHUNK {
                break failed;
            }
        };
        // A hole at the end has no bytes that were written, so the file may still be too short.
        self.file.set_len(len).map_err(|error| self.failed(error))?;
        Ok(damage.map(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("it ends too early, after {len} bytes"),
            _ => format!("{error}, after {len} bytes"),
        }))
    }

    /// Writes a chunk. Zeros are skipped with a seek, so that they become a hole.
    fn write(&mut self, chunk: &[u8]) -> Result<(), UnpackError> {
        let is_zero = chunk.iter().all(|byte| *byte == 0);
        let done = if is_zero {
            let hole = i64::try_from(chunk.len()).unwrap_or_default();
            self.file.seek(SeekFrom::Current(hole)).map(drop)
        } else {
            self.file.write_all(chunk)
        };
        done.map_err(|error| self.failed(error))
    }

    /// The error for a temporary file that cannot be written.
    fn failed(&self, error: io::Error) -> UnpackError {
        let folder = self.folder.clone();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => UnpackError::NoSpace {
                folder,
                needed: None,
                free: None,
            },
            _ => UnpackError::Temporary { folder, error },
        }
    }

    /// The filled file.
    pub(super) fn into_file(self) -> File {
        self.file
    }
}

/// Reads until the buffer is full or the reader is at its end. Returns how many bytes were read, and the error that
/// ended the reading, if there was one.
fn fill_buffer(reader: &mut impl Read, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(len) => filled = filled.saturating_add(len),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

/// How many bytes an ordinary user may still write to the file system of a file; none if that is not known.
#[cfg(unix)]
fn free_bytes(file: &File) -> Option<u64> {
    let found = rustix::fs::fstatvfs(file).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// Not known on this system.
#[cfg(not(unix))]
fn free_bytes(_file: &File) -> Option<u64> {
    None
}
