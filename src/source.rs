//! The evidence: one file, opened read-only, mapped, never locked, never written.
//!
//! The length is fixed at open. A page of the map that cannot be read (another program cut the
//! file, the disk has a bad sector) would end the process by SIGBUS; a handler puts a page of zeros
//! there instead and notes it, and [`Source::read_errors`] lists which bytes are not the file's. So
//! reading the map never fails, and what failed is known afterwards.
//!
//! **Never hand a part of [`Source::bytes`] directly to a system call** (`write` of a file or a
//! pipe): the kernel does not raise SIGBUS for its own access, the call fails with EFAULT. Copy to a
//! buffer first; a `BufWriter` does that only for slices shorter than its buffer.
//!
//! Behaviour of a map on a file that shrinks: mmap(2). The snapshot trailer: etcd's
//! `server/etcdserver/api/v3rpc/maintenance.go` (written), `etcdutl/snapshot/v3_snapshot.go` (read).

mod backups;
mod error;
mod guard;
mod locate;
mod log_dir;
mod map_speed;
mod open_file;
#[cfg(test)]
pub(crate) mod testdata;
mod trailer;
mod unpack;
pub mod work;

pub use backups::{BackupFile, BackupKind, BackupName, backup_files};
pub use error::{PIPE, SourceError};
pub(crate) use locate::is_database_path;
pub use log_dir::{LogDir, log_place};
pub(crate) use map_speed::Way;
pub use open_file::open_untouched;
pub use trailer::{Following, Trailer, TrailerCheck};
pub use unpack::{
    Member, MemberKind, NESTED_UP_TO, PackedAs, UNPACKED_UP_TO_BYTES, UnpackError, Unpacked,
    Unpacking, archive_of, is_delta_snapshot,
};
use work::Work;

use guard::GuardedMap;
use locate::{database_path, locate, require_regular};
use map_speed::MapSpeed;
use open_file::open_read_only;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::bytes::room;

/// How many page offsets [`Source::read_errors`] lists: a sparse file of a terabyte that was cut
/// has 268 million pages, and nobody reads so many lines. The count is exact all the same.
const READ_ERRORS_LISTED: usize = 65_536;

/// The longest part that [`Source::copy`] copies: for a longer one the map takes less time.
const COPIED_BYTES: usize = 64 << 10;

/// How the file differs from what it was at open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has fewer bytes: the missing ones read as zeros.
    Shorter,
    /// It has more bytes: these are not looked at.
    Longer,
    /// As long as before, but its modification time differs.
    Written,
    /// The path names another file now; what is read is the old one.
    Replaced,
}

/// A file that is open, and its map.
#[derive(Debug)]
struct OpenFile {
    map: GuardedMap,
    file: File,
}

/// A file under examination. See the [module](self).
#[derive(Debug)]
pub struct Source {
    given_path: PathBuf,
    path: PathBuf,
    modified: Option<SystemTime>,
    len_bytes: u64,
    atime_untouched: bool,
    /// The open file; none of one that cannot be opened, see [`Source::missing`].
    opened: Option<OpenFile>,
    /// Length of the image before a trailer that is not the last of the file, if one was found.
    found_image_len: Option<usize>,
    /// How far a pass over the file is.
    work: Work,
    /// See [`Self::next_way`].
    map_speed: MapSpeed,
    /// Where it comes from, if it was unpacked.
    unpacked: Option<Box<Unpacked>>,
}

impl Source {
    /// Opens and maps a database file, a snapshot file, or the database of a data directory (or of
    /// its `member` or `snap` folder).
    ///
    /// Installs the SIGBUS handler of the process at the first call. The access time of the file stays as it
    /// is where the system allows that ([`Source::atime_untouched`]). The access time of a symbolic link in
    /// the path may change.
    ///
    /// # Errors
    /// [`SourceError`], if it is not a regular file of at least one byte that we may read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        let given_path = path.as_ref().to_path_buf();
        if given_path.as_os_str() == "-" {
            return Err(SourceError::StandardInput);
        }
        let path = locate(&given_path)?;
        let (file, atime_untouched) =
            open_read_only(&path).map_err(|error| SourceError::from_io(&path, "open", error))?;
        let metadata = file
            .metadata()
            .map_err(|error| SourceError::from_io(&path, "examine", error))?;
        // Once more: what was a file at the first look may have been replaced by a pipe since.
        require_regular(&path, &metadata)?;
        let len_bytes = metadata.len();
        let len = map_len(&path, len_bytes)?;
        let map = GuardedMap::new(&file, len)
            .map_err(|error| SourceError::from_io(&path, "map", error))?;
        Ok(Self {
            given_path,
            path,
            modified: metadata.modified().ok(),
            len_bytes,
            atime_untouched,
            opened: Some(OpenFile { map, file }),
            found_image_len: None,
            work: Work::default(),
            map_speed: MapSpeed::default(),
            unpacked: None,
        })
    }

    /// As [`Self::open`], and also opens a packed database: a compressed file, an archive, standard input (`-`), a
    /// member of an archive (`ARCHIVE::path/in/archive`). A file that is not packed is opened as it is.
    ///
    /// # Errors
    /// As [`Self::open`], and if it cannot be unpacked.
    pub fn open_unpacking(given: &Path, unpacking: &Unpacking) -> Result<Self, SourceError> {
        let packed = |error| SourceError::Packed {
            path: given.to_path_buf(),
            error: Box::new(error),
        };
        let (archive, members) = unpack::split_member(given);
        let mut atime_untouched = true;
        let (path, file, layers) = if archive.as_os_str() == "-" {
            let file = unpack::read_standard_input(unpacking).map_err(packed)?;
            (archive, file, vec![PackedAs::StandardInput])
        } else {
            let source = Self::open(&archive)?;
            atime_untouched = source.atime_untouched;
            if members.is_empty() && !unpack::is_packed(source.bytes()) {
                return Ok(source);
            }
            // `open` always sets the file.
            let Some(OpenFile { file, .. }) = source.opened else {
                return Err(SourceError::NotFound(archive));
            };
            (source.path, file, Vec::new())
        };
        let (file, unpacked) = unpack::unpack(file, members, layers, unpacking).map_err(packed)?;
        let metadata = file
            .metadata()
            .map_err(|error| SourceError::from_io(&path, "examine", error))?;
        let len_bytes = metadata.len();
        if len_bytes == 0 {
            return Err(packed(UnpackError::Empty));
        }
        let len = map_len(&path, len_bytes)?;
        let map = GuardedMap::new(&file, len)
            .map_err(|error| SourceError::from_io(&path, "map", error))?;
        Ok(Self {
            given_path: given.to_path_buf(),
            path,
            modified: unpacked.archive_modified,
            len_bytes,
            atime_untouched,
            opened: Some(OpenFile { map, file }),
            found_image_len: None,
            work: Work::default(),
            map_speed: MapSpeed::default(),
            unpacked: Some(Box::new(unpacked)),
        })
    }

    /// The same file, with `given` as the path that the user gave.
    #[must_use]
    pub(crate) fn given_as(mut self, given: &Path) -> Self {
        self.given_path = given.to_path_buf();
        self
    }

    /// Where it comes from, if it was unpacked or read from standard input.
    #[must_use]
    pub fn unpacked(&self) -> Option<&Unpacked> {
        self.unpacked.as_deref()
    }

    /// An empty file in place of a database that cannot be opened. The records of such a store come from its
    /// write-ahead log.
    pub(crate) fn missing(given: &Path) -> Self {
        Self {
            given_path: given.to_path_buf(),
            path: database_path(given),
            modified: None,
            len_bytes: 0,
            atime_untouched: true,
            opened: None,
            found_image_len: None,
            work: Work::default(),
            map_speed: MapSpeed::default(),
            unpacked: None,
        }
    }

    /// The same file, whose passes are counted in `work`.
    #[must_use]
    pub fn counted(mut self, work: &Work) -> Self {
        self.work = work.clone();
        self
    }

    /// How far a pass over the file is.
    #[must_use]
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// All bytes of the file, up to its length at open; zeros where reading failed. Not for direct use
    /// in system calls, see the [module](self).
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.opened
            .as_ref()
            .map_or(&[], |opened| opened.map.bytes())
    }

    /// The path of the file that was opened: in a data directory, that of the database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path as the user gave it.
    #[must_use]
    pub fn given_path(&self) -> &Path {
        &self.given_path
    }

    /// Length in bytes at open, with the trailer.
    #[must_use]
    pub const fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// Modification time at open, if the file system has one.
    #[must_use]
    pub const fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// Whether the system promised to leave the access time alone (Linux: `O_NOATIME`, given to the
    /// owner of the file and to root). If not, reading may have set it.
    #[must_use]
    pub const fn atime_untouched(&self) -> bool {
        self.atime_untouched
    }

    /// Device and inode number, which show whether two paths are one file. None on systems without them.
    #[must_use]
    pub fn file_id(&self) -> Option<(u64, u64)> {
        let found = self.given_file()?.metadata().ok()?;
        file_id(&found)
    }

    /// The open file that the user named: the archive, if the database was unpacked from one.
    fn given_file(&self) -> Option<&File> {
        match &self.unpacked {
            Some(unpacked) => Some(unpacked.archive()),
            None => self.opened.as_ref().map(|opened| &opened.file),
        }
    }

    /// How the file differs now from what it was at open. None if its length, its modification time and the
    /// file at its path are the same. An unpacked database is compared by its archive. Standard input has no change.
    ///
    /// # Errors
    /// The system's, if the open file can no longer be examined.
    pub fn change(&self) -> io::Result<Option<Change>> {
        let unpacked = self.unpacked.as_deref();
        let Some(file) = self.given_file() else {
            return Ok(None);
        };
        if unpacked.is_some_and(Unpacked::is_standard_input) {
            return Ok(None);
        }
        let len_bytes = unpacked.map_or(self.len_bytes, |unpacked| unpacked.archive_len_bytes);
        let now = file.metadata()?;
        let named = fs::metadata(&self.path).ok();
        let replaced = named.is_none_or(|named| file_id(&named) != file_id(&now));
        Ok(match now.len().cmp(&len_bytes) {
            std::cmp::Ordering::Less => Some(Change::Shorter),
            std::cmp::Ordering::Greater => Some(Change::Longer),
            std::cmp::Ordering::Equal if replaced => Some(Change::Replaced),
            std::cmp::Ordering::Equal if now.modified().ok() != self.modified => {
                Some(Change::Written)
            }
            std::cmp::Ordering::Equal => None,
        })
    }

    /// The first byte from `offset` on that is in no hole of the file: bytes before it read as zeros without
    /// being stored. None if only a hole follows, or nothing.
    ///
    /// Where the system or the file system does not know of holes, `offset` itself (lseek(2), `SEEK_DATA`).
    #[must_use]
    pub fn next_data(&self, offset: u64) -> Option<u64> {
        if offset >= self.len_bytes {
            return None;
        }
        guard::next_data(&self.opened.as_ref()?.file, offset)
    }

    /// The file offsets, ascending, of the pages (of [`os_page_len`] bytes) which could not be read
    /// and were replaced by zeros up to now; at most 65,536 of them.
    #[must_use]
    pub fn read_errors(&self) -> Vec<u64> {
        let opened = self.opened.as_ref();
        let zeroed = opened.map(|opened| opened.map.zeroed().take(READ_ERRORS_LISTED).collect());
        zeroed.unwrap_or_default()
    }

    /// How many pages (of [`os_page_len`] bytes) were replaced by zeros up to now.
    #[must_use]
    pub fn read_error_count(&self) -> usize {
        self.opened
            .as_ref()
            .map_or(0, |opened| opened.map.zeroed_count())
    }

    /// Whether one of the `len` bytes from `offset` on could not be read, and was replaced by zero. Call this after
    /// the bytes were read.
    #[must_use]
    pub fn has_read_error(&self, offset: u64, len: u64) -> bool {
        let opened = self.opened.as_ref();
        opened.is_some_and(|opened| opened.map.is_any_zeroed(offset, len))
    }

    /// Gives the resident pages of the map back to the system, which reads them again when they are
    /// asked for: a walk over a large file calls this now and then, and its memory stays flat.
    ///
    /// Pages that were replaced by zeros stay zeros. Nothing happens on systems without madvise.
    pub fn forget_resident(&self) {
        if let Some(OpenFile { map, .. }) = &self.opened {
            map.forget(0, map.bytes().len());
        }
    }

    /// The bytes of a part of [`Self::bytes`], read into a buffer by a system call. For parts all over a large file this
    /// takes less time than the map: at the first look at a page the system maps the pages around it too, and unmaps
    /// them later. A part that cannot be read in this way, or is long, is returned as it is in the map.
    pub fn copy<'b>(&self, part: &'b [u8], buffer: &'b mut Vec<u8>) -> &'b [u8] {
        if part.len() > COPIED_BYTES {
            return part;
        }
        let copy = room(buffer, part.len());
        match self.copy_to(part, copy) {
            Some(()) => copy,
            None => part,
        }
    }

    /// As [`Self::copy`], to a copy of the same length. None if the map has to be read instead: the part is long or not of
    /// this map, a page of it was replaced by zeros, or the system call fails.
    pub fn copy_to(&self, part: &[u8], copy: &mut [u8]) -> Option<()> {
        (part.len() <= COPIED_BYTES).then_some(())?;
        self.read_again(part, copy)
    }

    /// Reads a part of [`Self::bytes`] by a system call, to `copy` of the same length. None as in [`Self::copy_to`], but
    /// the part may be long.
    #[cfg(unix)]
    pub(crate) fn read_again(&self, part: &[u8], copy: &mut [u8]) -> Option<()> {
        use std::os::unix::fs::FileExt as _;
        let opened = self.opened.as_ref()?;
        let map = opened.map.bytes();
        let offset = part.as_ptr().addr().checked_sub(map.as_ptr().addr())?;
        let is_inside = offset.checked_add(part.len())? <= map.len();
        let (offset, len) = (offset as u64, part.len() as u64);
        (is_inside && !self.has_read_error(offset, len)).then_some(())?;
        opened.file.read_exact_at(copy, offset).ok()
    }

    /// There is no such system call on this system.
    #[cfg(not(unix))]
    pub(crate) fn read_again(&self, _part: &[u8], _copy: &mut [u8]) -> Option<()> {
        None
    }

    /// The way in which the next part of the file should be read. If the part is a sample, its time is to be added by
    /// [`Self::add_time`].
    pub(crate) fn next_way(&self, is_sample: bool) -> Way {
        self.map_speed.next_way(is_sample)
    }

    /// Adds the time in which so many bytes were read.
    pub(crate) fn add_time(&self, way: Way, bytes: u64, time: Duration) {
        self.map_speed.add(way, bytes, time);
    }

    /// The same file, which is read in one way only.
    #[cfg(test)]
    pub(crate) fn with_way(mut self, way: Way) -> Self {
        self.map_speed = MapSpeed::only(way);
        self
    }

    /// Tells the system that the file will be read from front to back.
    pub fn advise_sequential(&self) {
        if let Some(opened) = &self.opened {
            opened.map.advise_sequential();
        }
    }
}

/// The length of a file as the length of its map. An empty or too long file cannot be mapped.
fn map_len(path: &Path, len_bytes: u64) -> Result<usize, SourceError> {
    let len = usize::try_from(len_bytes).ok();
    match len.filter(|&len| isize::try_from(len).is_ok()) {
        Some(0) => Err(SourceError::Empty(path.to_path_buf())),
        Some(len) => Ok(len),
        None => Err(SourceError::TooLong {
            path: path.to_path_buf(),
            len_bytes,
        }),
    }
}

/// Device and inode number of the file or folder that a path names now. They show whether two paths are the same.
/// None if the path names nothing, and on systems without these numbers.
#[must_use]
pub fn path_id(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().and_then(|found| file_id(&found))
}

/// The length in bytes of a page of this system: the unit in which reading a map fails.
#[must_use]
pub fn os_page_len() -> usize {
    guard::page_len()
}

/// Device and inode number.
#[cfg(unix)]
fn file_id(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

/// This system has no such numbers.
#[cfg(not(unix))]
fn file_id(_metadata: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::process::Command;

    #[test]
    fn opening_does_not_wait_for_the_writer_of_a_pipe() {
        let path = std::env::temp_dir().join(format!("etcdive-{}-pipe", std::process::id()));
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let opened = open_read_only(&path);
        fs::remove_file(&path).unwrap();
        let metadata = opened.unwrap().0.metadata().unwrap();
        let refused = require_regular(&path, &metadata).unwrap_err();
        assert!(refused.to_string().contains("named pipe"), "{refused}");
    }
}
