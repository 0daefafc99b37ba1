//! The files of etcd-backup-restore: full and delta snapshots, by their names.
//!
//! A name is `Full-START-LAST-UNIX[SUFFIX]` or `Incr-...` (`pkg/types/snapstore.go`, `GenerateSnapshotName`): both
//! revisions in 8 digits or more, the time of the snapshot in seconds since 1970, the suffix of the compressor (`.gz`,
//! `.zlib`, `.Z`), and `.final` of the last full snapshot. They are in the folder `v2` of a store, formerly in
//! `v1/Backup-UNIX`.

use crate::arrange::Arrange as _;

use std::path::{Path, PathBuf};

use super::error::SourceError;
use super::open_file::list_folder;

/// What a backup file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BackupKind {
    /// A snapshot of etcd.
    Full,
    /// The events since the snapshot before.
    Delta,
}

/// What the name of a backup file states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupName {
    /// The last revision. Of a full snapshot the file may have later ones.
    pub last: i64,
    /// What it is.
    pub kind: BackupKind,
    /// The first revision; 0 of a full snapshot.
    pub first: i64,
    /// When it was taken, in seconds since 1970.
    pub taken: i64,
}

impl BackupName {
    /// Reads the name of a file.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let kind = match parts.next()? {
            "Full" => BackupKind::Full,
            "Incr" => BackupKind::Delta,
            _ => return None,
        };
        let number = |text: Option<&str>| -> Option<i64> {
            let text = text?;
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_number)
        };
        let first = number(parts.next())?;
        let last = number(parts.next())?;
        let taken = parts.next()?;
        let (taken, suffix) = taken.split_once('.').unwrap_or((taken, ""));
        let taken = number(Some(taken))?;
        let is_known = matches!(
            suffix,
            "" | "gz" | "zlib" | "Z" | "final" | "gz.final" | "zlib.final" | "Z.final"
        );
        (is_known && parts.next().is_none() && first <= last).then_some(Self {
            last,
            kind,
            first,
            taken,
        })
    }
}

/// A backup file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFile {
    /// Its path.
    pub path: PathBuf,
    /// What its name states.
    pub name: BackupName,
}

impl BackupFile {
    /// The name of the file.
    #[must_use]
    pub fn file_name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// The backup files in a folder, in its `v2`, and in the folders `Backup-UNIX` of it and of its `v1`, by last revision.
/// No file if the path is no folder.
///
/// # Errors
/// If a folder cannot be listed.
pub fn backup_files(folder: &Path) -> Result<Vec<BackupFile>, SourceError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.join("v2")];
    for place in [folder.to_path_buf(), folder.join("v1")] {
        for path in listed(&place)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("Backup-") {
                folders.push(path.clone());
            }
        }
        folders.push(place);
    }
    for place in folders {
        for path in listed(&place)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = BackupName::parse(&name).filter(|_| path.is_file());
            files.extend(name.map(|name| BackupFile { path, name }));
        }
    }
    files.arrange_by(|one, other| (one.name, &one.path).cmp(&(other.name, &other.path)));
    Ok(files)
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    list_folder(folder).map_err(|error| SourceError::from_io(folder, "list", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_states_kind_revisions_and_time() {
        let incr = BackupName::parse("Incr-00001001-00001002-1772359210.gz");
        let expected = BackupName {
            kind: BackupKind::Delta,
            first: 1001,
            last: 1002,
            taken: 1_772_359_210,
        };
        assert_eq!(incr, Some(expected));
        for suffix in ["", ".Z", ".zlib", ".gz.final", ".final"] {
            let name = format!("Full-00000000-00000042-1518427675{suffix}");
            let full = BackupName::parse(&name);
            assert_eq!(
                full.map(|full| (full.kind, full.last)),
                Some((BackupKind::Full, 42))
            );
        }
    }

    #[test]
    fn other_names_are_no_backup_files() {
        for name in [
            "",
            "Full",
            "Full-1-2",
            "Incr-1-2-3-4",
            "Incr-2-1-3",
            "Incr-1-2-3.tmp",
            "Incr-a-2-3",
            "Incr-+1-2-3",
            "Incr--2-3",
            "Chunk-1-2-3",
            "Incr-1-99999999999999999999-3",
        ] {
            assert_eq!(BackupName::parse(name), None, "{name}");
        }
    }
}
