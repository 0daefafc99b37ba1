//! A write-ahead log under examination: its files, those of raft's snapshots, and what was found wrong with them.

use std::iter;
use std::path::{Path, PathBuf};

use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::source::{LogDir, Source, SourceError};

use super::no_answer::NoAnswer;

/// The log that the files give, and its parts.
pub use crate::etcd::wal::messages::{RaftEntry, RaftHardState, WalMetadata, WalSnapshot};
pub use crate::etcd::wal::replay::AppliedEntries;
pub use crate::etcd::wal::segment::{Fault, Record, Segment};
pub use crate::etcd::wal::snap::{Snap, SnapError};
pub use crate::etcd::wal::wire::Message;
pub use crate::etcd::wal::{
    Checksum, Entry, File, HardState, Metadata, RecordType, Request, SegmentFile, SnapshotMark,
    State, Wal, wire, writes,
};

/// The open files of a log.
#[derive(Debug)]
pub struct Logs {
    given: PathBuf,
    dir: LogDir,
    wal: Vec<Opened>,
    snaps: Vec<Opened>,
    diagnostics: Diagnostics,
}

/// A file of a log with its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedFile {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// The SHA-256 of all its bytes; none of an empty file.
    pub sha256: Option<[u8; 32]>,
}

/// A file; one without a byte has nothing to open.
#[derive(Debug)]
struct Opened {
    name: String,
    source: Option<Source>,
}

impl Opened {
    fn open(path: &Path) -> Result<Self, NoAnswer> {
        let name = path.file_name().unwrap_or_default();
        let source = match Source::open(path) {
            Ok(source) => Some(source),
            Err(SourceError::Empty(_)) => None,
            Err(error) => return Err(NoAnswer::from(error)),
        };
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            source,
        })
    }

    fn bytes(&self) -> &[u8] {
        self.source.as_ref().map_or(&[], Source::bytes)
    }

    /// The two numbers of a name such as `0000000000000001-0000000000000002.wal`.
    fn numbers(&self) -> Option<(u64, u64)> {
        let (numbers, _) = self.name.split_once('.')?;
        let (first, second) = numbers.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some((number(first)?, number(second)?))
    }
}

impl Logs {
    /// Opens the log in a data directory, in its `member` or `wal` folder, or one file of it.
    ///
    /// # Errors
    /// When there is neither a log nor a snapshot of raft, or a file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, NoAnswer> {
        let dir = LogDir::find(path)?;
        if dir.wal.is_empty() && dir.snaps.is_empty() {
            return Err(NoAnswer::NoLogFiles(path.to_path_buf()));
        }
        let open = |paths: &[PathBuf]| {
            let opened = paths.iter().map(|path| Opened::open(path));
            opened.collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            wal: open(&dir.wal)?,
            snaps: open(&dir.snaps)?,
            given: path.to_path_buf(),
            dir,
            diagnostics: Diagnostics::new(),
        })
    }

    /// A file that changed since it was opened, or a file that is new or missing in the folder. None if all are the same.
    pub fn change(&self) -> Option<PathBuf> {
        let files = self.wal.iter().chain(&self.snaps);
        let sources = files.filter_map(|opened| opened.source.as_ref());
        let mut changed = sources.filter(|source| !matches!(source.change(), Ok(None)));
        if let Some(source) = changed.next() {
            return Some(source.path().to_path_buf());
        }
        let now = LogDir::find(&self.given).unwrap_or_default();
        let is_same = now.wal == self.dir.wal && now.snaps == self.dir.snaps;
        (!is_same).then(|| self.given.clone())
    }

    /// Name, length in bytes and SHA-256 of each file of the log and each raft snapshot. Reads all of them.
    pub fn hashes(&self) -> Vec<HashedFile> {
        let files = self.wal.iter().chain(&self.snaps);
        let hashed = files.map(|opened| HashedFile {
            name: opened.name.clone(),
            len_bytes: opened.bytes().len() as u64,
            sha256: opened.source.as_ref().map(|source| {
                let sha256 = source.sha256();
                source.forget_resident();
                sha256
            }),
        });
        hashed.collect()
    }

    /// What was found wrong with the files.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// The path as it was given.
    pub fn given(&self) -> &Path {
        &self.given
    }

    /// What was opened: the path as it was given, the folders that were listed, and the files.
    pub fn places(&self) -> impl Iterator<Item = &Path> {
        let LogDir {
            wal,
            snaps,
            others,
            folders,
            ..
        } = &self.dir;
        let files = wal.iter().chain(snaps).chain(others).chain(folders);
        iter::once(self.given.as_path()).chain(files.map(PathBuf::as_path))
    }

    /// The database beside the log.
    pub fn db(&self) -> Option<&Path> {
        self.dir.db.as_deref()
    }

    /// Other databases beside the log, the newest first.
    pub(super) fn databases(&self) -> impl Iterator<Item = &Path> {
        self.dir.databases.iter().map(PathBuf::as_path)
    }

    /// Whether there is a file of the log itself.
    pub(super) fn has_log(&self) -> bool {
        !self.wal.is_empty()
    }

    /// Names of the files in the folder of the log that do not belong to it.
    pub fn others(&self) -> impl Iterator<Item = String> {
        self.dir.others.iter().map(|path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        })
    }

    /// The files of the log, by name.
    pub fn files(&self) -> Vec<File<'_>> {
        let files = self.wal.iter().map(|opened| {
            let numbers = opened.numbers();
            File {
                name: opened.name.clone(),
                sequence: numbers.map(|numbers| numbers.0),
                first_index: numbers.map(|numbers| numbers.1),
                bytes: opened.bytes(),
                source: opened.source.as_ref(),
            }
        });
        files.collect()
    }

    /// The log.
    pub fn wal(&self) -> Wal<'_> {
        Wal::read(self.files(), &self.diagnostics)
    }

    /// The log, read once more: what is wrong with it is no further finding.
    pub(super) fn wal_again(&self) -> Wal<'_> {
        Wal::read(self.files(), &Diagnostics::new())
    }

    /// Raft's snapshots, by name; what is wrong with them is a finding.
    pub fn snaps(&self) -> Vec<(String, Result<Snap, SnapError>)> {
        let snaps = self.snaps.iter().map(|opened| {
            let read = Snap::read(opened.bytes());
            let wrong = match &read {
                Ok((snap, wrong)) => {
                    let wrong = wrong.as_ref().map(ToString::to_string);
                    wrong.or_else(|| snap.store.as_ref().err().cloned())
                }
                Err(error) => Some(error.to_string()),
            };
            let is_broken = opened.name.ends_with(".broken");
            if let Some(wrong) = wrong.filter(|_| !is_broken) {
                let locus = Locus {
                    file: Some(opened.name.clone()),
                    ..Locus::at(0)
                };
                self.diagnostics.report(
                    Diagnostic::new(Code::SnapInvalid, locus)
                        .found(wrong)
                        .effect("etcd would take the snapshot before it"),
                );
            }
            (opened.name.clone(), read.map(|(snap, _)| snap))
        });
        snaps.collect()
    }

    /// The newest raft snapshot that etcd would take, with the name of its file.
    pub fn newest_snap(&self) -> Option<(String, Snap)> {
        let valid = self
            .snaps
            .iter()
            .rev()
            .filter(|opened| opened.name.ends_with(".snap"));
        let mut valid = valid.filter_map(|opened| match Snap::read(opened.bytes()) {
            Ok((snap, None)) => Some((opened.name.clone(), snap)),
            _ => None,
        });
        valid.next()
    }
}
