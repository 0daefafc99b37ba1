//! Packed evidence: compressed files, archives, standard input. Each is recognised by its content.
//!
//! The database is unpacked once, into a temporary file that has no name, and mapped from there like any other. Layers
//! are unpacked one after another, up to [`NESTED_UP_TO`]: `backup.zip` with `snapshot.db.gz` in it is three layers
//! deep with the database. If an archive has one database, it is taken. If it has several, the caller has to name one,
//! as `ARCHIVE::path/in/archive`.
//!
//! **Invariant:** what is unpacked is never longer than the caller's limit, whatever the archive claims. Memory does
//! not grow with it: data goes through a buffer of fixed size. Runs of zeros become holes of the file.

mod error;
mod lzw;
mod member;
mod members;
mod packing;
mod temporary;
mod zstd;

pub use error::UnpackError;
pub use member::{Member, MemberKind};

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::work::Work;
use members::{Archive, Choice};
use packing::{Content, HEAD_BYTES, Packing, peek};
use temporary::Temporary;

/// How many layers are unpacked at most. A database in a compressed file in an archive has two.
pub const NESTED_UP_TO: usize = 4;

/// The longest database that is unpacked unless the caller allows more: the quota that etcd advises at most. A file of
/// a few megabytes can unpack to terabytes.
pub const UNPACKED_UP_TO_BYTES: u64 = 8 << 30;

/// How packed evidence is unpacked.
#[derive(Debug, Clone)]
pub struct Unpacking {
    /// The folder for temporary files.
    pub temporary_folder: PathBuf,
    /// The length that is unpacked at most, in bytes.
    pub up_to_bytes: u64,
    /// Counts the bytes of the packed files that were read. A pass over a packed file is one of its passes.
    pub work: Work,
}

impl Unpacking {
    /// A packed file from its start, whose bytes are counted.
    fn counted(&self, file: &File) -> io::Result<Counted> {
        self.work.begin(file.metadata()?.len());
        Ok(Counted {
            file: from_start(file)?,
            work: self.work.clone(),
        })
    }
}

/// A packed file that adds the bytes that are read from it to a counter.
struct Counted {
    file: File,
    work: Work,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read(buffer)?;
        self.work.add(len as u64);
        Ok(len)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// One layer that was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackedAs {
    /// It was read from standard input.
    StandardInput,
    /// Compressed; the name of the method.
    Compressed(&'static str),
    /// A member of an archive.
    Member {
        /// The name of the archive's format.
        archive: &'static str,
        /// The member's path in it.
        path: String,
    },
}

/// Where an unpacked database comes from.
#[derive(Debug)]
pub struct Unpacked {
    archive: File,
    /// Length of the archive in bytes.
    pub archive_len_bytes: u64,
    /// Modification time of the archive. None for standard input.
    pub archive_modified: Option<SystemTime>,
    /// The layers that were unpacked, the outermost first.
    pub layers: Vec<PackedAs>,
    /// Why not all of it could be unpacked, if so.
    pub damage: Option<String>,
    /// How many files of a write-ahead log are in the archive beside the database.
    pub log_files: usize,
    /// How many delta snapshots are in the archive beside the database.
    pub deltas: usize,
}

impl Unpacked {
    /// The archive itself, as it was opened.
    pub(super) fn archive(&self) -> &File {
        &self.archive
    }

    /// Whether it was read from standard input.
    #[must_use]
    pub fn is_standard_input(&self) -> bool {
        self.layers.first() == Some(&PackedAs::StandardInput)
    }

    /// SHA-256 of the archive, or of all of standard input.
    ///
    /// # Errors
    /// If it can no longer be read.
    pub fn archive_sha256(&self) -> io::Result<[u8; 32]> {
        let mut file = from_start(&self.archive)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hash.finalize().into()),
                len => hash.update(buffer.get(..len).unwrap_or_default()),
            }
        }
    }
}

/// The same open file, at its start.
fn from_start(file: &File) -> io::Result<File> {
    let mut file = file.try_clone()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// The first bytes of a file.
fn head_of(file: &File) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    from_start(file)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// Whether a file with these first bytes is a compressed file or an archive.
pub(super) fn is_packed(head: &[u8]) -> bool {
    let head = head.get(..packing::HEAD_LEN).unwrap_or(head);
    matches!(
        Content::read(head),
        Content::Compressed(..) | Content::Tar | Content::Zip
    )
}

/// Whether a file with these first bytes is a delta snapshot of etcd-backup-restore.
#[must_use]
pub fn is_delta_snapshot(head: &[u8]) -> bool {
    packing::is_delta(head)
}

/// The archive and the paths in it of `ARCHIVE::path/in/archive`; no paths if the whole is the path of a file.
pub(super) fn split_member(given: &Path) -> (PathBuf, Vec<String>) {
    let text = given.to_string_lossy();
    if given.exists() {
        return (given.to_path_buf(), Vec::new());
    }
    let mut places = text.match_indices("::");
    let archive = places.find_map(|(at, _)| {
        let (archive, members) = text.split_at_checked(at)?;
        let exists = Path::new(archive).exists();
        // `-::path` cannot be a word of a command line, and comes as `./-::path`.
        let archive = match archive {
            "./-" if !exists => "-",
            archive => archive,
        };
        let is_archive = exists || archive == "-";
        is_archive.then(|| (archive, members.trim_start_matches("::")))
    });
    match archive {
        Some((archive, members)) => (
            PathBuf::from(archive),
            members
                .split("::")
                .map(|path| path.strip_prefix("./").unwrap_or(path).to_owned())
                .collect(),
        ),
        None => (given.to_path_buf(), Vec::new()),
    }
}

/// The archive of `ARCHIVE::path/in/archive`; any other path is the archive itself.
#[must_use]
pub fn archive_of(given: &Path) -> PathBuf {
    split_member(given).0
}

/// Copies standard input to a temporary file.
pub(super) fn read_standard_input(unpacking: &Unpacking) -> Result<File, UnpackError> {
    let mut copy = Temporary::create(unpacking, 0)?;
    let damage = copy.fill(io::stdin().lock())?;
    match damage {
        None => Ok(copy.into_file()),
        Some(why) => Err(UnpackError::Unreadable(why)),
    }
}

/// What unpacking gave: the file of the database, and where it comes from.
pub(super) type Taken = (File, Unpacked);

/// Unpacks a file until the content is neither compressed nor an archive. `wanted` are the paths of the members to
/// unpack, one per archive, the outermost first. `layers` are those that were unpacked before: standard input.
pub(super) fn unpack(
    archive: File,
    mut wanted: Vec<String>,
    mut layers: Vec<PackedAs>,
    unpacking: &Unpacking,
) -> Result<Taken, UnpackError> {
    let metadata = archive.metadata().map_err(UnpackError::Archive)?;
    let mut unpacked = Unpacked {
        archive_len_bytes: metadata.len(),
        // The copy of standard input has no modification time of its own.
        archive_modified: metadata.modified().ok().filter(|_| layers.is_empty()),
        archive: archive.try_clone().map_err(UnpackError::Archive)?,
        layers: Vec::new(),
        damage: None,
        log_files: 0,
        deltas: 0,
    };
    // The outermost member is popped first.
    wanted.reverse();
    let mut file = archive;
    for _ in 0..NESTED_UP_TO {
        let head = head_of(&file).map_err(UnpackError::Archive)?;
        let archive = match Content::read(&head) {
            Content::Compressed(packing, _) => {
                layers.push(PackedAs::Compressed(packing.name()));
                match decompress(&file, packing, &mut unpacked, unpacking)? {
                    Some(copy) => {
                        file = copy;
                        continue;
                    }
                    // The members of a compressed tar archive are read directly; the archive itself is not copied.
                    None => Archive::Tar(Some(packing)),
                }
            }
            Content::Tar => Archive::Tar(None),
            Content::Zip => Archive::Zip,
            _ => {
                unpacked.layers = layers;
                return finish(file, unpacked, wanted.pop());
            }
        };
        let choice = Choice {
            file: &file,
            archive,
            wanted: wanted.pop(),
            unpacking,
        };
        let chosen = choice.take().map_err(|error| error.inside(&layers))?;
        layers.push(PackedAs::Member {
            archive: archive.name(),
            path: chosen.path,
        });
        unpacked.damage = unpacked.damage.take().or(chosen.damage);
        unpacked.log_files = chosen.log_files;
        unpacked.deltas = chosen.deltas;
        file = chosen.file;
    }
    let head = head_of(&file).map_err(UnpackError::Archive)?;
    if is_packed(&head) {
        return Err(UnpackError::TooDeep);
    }
    unpacked.layers = layers;
    finish(file, unpacked, wanted.pop())
}

/// The result. If the caller asked for a further member, that is an error, because the file is not an archive.
fn finish(file: File, unpacked: Unpacked, wanted: Option<String>) -> Result<Taken, UnpackError> {
    match wanted {
        None => Ok((file, unpacked)),
        Some(path) => Err(UnpackError::NoMember {
            path,
            members: Vec::new(),
            inside: Vec::new(),
        }),
    }
}

/// Unpacks a compressed file into a temporary file; none if a tar archive is in it. Damage after the start is noted in
/// `unpacked`, and the bytes before it are kept.
fn decompress(
    file: &File,
    packing: Packing,
    unpacked: &mut Unpacked,
    unpacking: &Unpacking,
) -> Result<Option<File>, UnpackError> {
    let input = unpacking.counted(file).map_err(UnpackError::Archive)?;
    let mut reader = packing.reader(BufReader::new(input));
    let (head, failed) = peek(&mut reader);
    if packing::is_tar(&head) {
        return Ok(None);
    }
    let name = packing.name();
    if let (true, Some(error)) = (head.is_empty(), &failed) {
        return Err(UnpackError::Damaged {
            packing: name,
            why: error.to_string(),
        });
    }
    let mut copy = Temporary::create(unpacking, unpacked.archive_len_bytes)?;
    let damage = copy.fill(members::rest_of(head, failed, reader))?;
    if let Some(why) = damage {
        unpacked.damage = Some(format!("{name} data: {why}"));
    }
    Ok(Some(copy.into_file()))
}
