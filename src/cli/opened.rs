//! The files and folders that a run reads. An output path that leads into one of them is refused, also if it does so
//! through a link or a mount.
//!
//! etcd keeps a database at `member/snap/db` of a data directory, and the write-ahead log of the same member at
//! `member/wal`. All of the member's folder is evidence, even if only one file in it was named.

use std::fs;
use std::path::{Path, PathBuf};

use crate::source::path_id;

use super::Run;
use super::failure::Failure;
use crate::query::Evidence;
use crate::query::logs::Logs;

/// The files and folders that a run has opened.
#[derive(Debug)]
pub struct Opened {
    places: Vec<Place>,
}

/// A file or a folder, under the path that the user gave for it.
#[derive(Debug)]
struct Place {
    /// As the user typed it, for messages.
    given: PathBuf,
    /// Absolute, without links.
    path: PathBuf,
    /// Device and inode number: a bind mount is another path to the same folder.
    id: Option<(u64, u64)>,
}

impl Opened {
    /// Everything that a run has opened: databases, logs and the files of keys.
    pub fn by(run: &Run<'_>) -> Self {
        let mut opened = Self { places: Vec::new() };
        for evidence in run.evidence {
            opened.add(evidence.given_path(), evidence.given_path());
            opened.add(evidence.given_path(), evidence.source().path());
        }
        for deltas in run.evidence.iter().filter_map(Evidence::deltas) {
            if let Some(folder) = deltas.folder() {
                opened.add(folder, folder);
            }
        }
        let logs = run.evidence.iter().filter_map(Evidence::logs);
        for logs in logs.chain(run.logs) {
            opened.add_logs(logs);
        }
        for file in run.key_files {
            opened.add(file, file);
        }
        opened
    }

    /// Adds all files and folders of a write-ahead log.
    fn add_logs(&mut self, logs: &Logs) {
        for path in logs.places() {
            self.add(logs.given(), path);
        }
    }

    /// Adds `path`, and the folder of the member that it belongs to. A path that does not exist is ignored: standard
    /// input has none.
    fn add(&mut self, given: &Path, path: &Path) {
        let Ok(path) = fs::canonicalize(path) else {
            return;
        };
        let member = member_folder(&path).map(Path::to_path_buf);
        for path in [Some(path), member].into_iter().flatten() {
            if self.places.iter().all(|known| known.path != path) {
                self.places.push(Place {
                    given: given.to_path_buf(),
                    id: path_id(&path),
                    path,
                });
            }
        }
    }

    /// Refuses a path at which something is to be written, if it is evidence or inside of it.
    ///
    /// # Errors
    /// When it is, or when its folder cannot be determined.
    pub fn refuse(&self, out: &Path) -> Result<(), Failure> {
        let Some(resolved) = resolved(out) else {
            return Err(Failure::cannot(format!(
                "{}: `..` after a folder that does not exist",
                out.display()
            )));
        };
        let ids: Vec<_> = resolved.ancestors().filter_map(path_id).collect();
        let is_inside = |place: &&Place| {
            resolved.starts_with(&place.path) || place.id.is_some_and(|id| ids.contains(&id))
        };
        let Some(place) = self.places.iter().find(is_inside) else {
            return Ok(());
        };
        let (out, given) = (out.display(), place.given.display());
        Err(Failure::cannot(format!(
            "{out} is, or is in, the evidence {given}, which is never written to"
        )))
    }
}

/// The `member` folder of a file that is where etcd keeps it: `snap/db`, a `.wal` or `.snap` file in `snap`, or one in
/// `wal`. None for any other file, such as a backup.
fn member_folder(file: &Path) -> Option<&Path> {
    let folder = file.parent()?;
    let is_snap = folder.ends_with("snap");
    let is_log = file
        .extension()
        .is_some_and(|extension| extension == "wal" || extension == "snap");
    let is_members =
        (is_snap && file.ends_with("db")) || ((is_snap || folder.ends_with("wal")) && is_log);
    folder.parent().filter(|_| is_members)
}

/// An absolute path without links and `..`. Its last parts need not exist yet. None if one of the missing parts is
/// `..`: where that leads is known only after the folder before it is created.
pub(super) fn resolved(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    // The parts that do not exist, the last one first. They are put back after the longest part that exists.
    let mut missing = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        if let Ok(mut found) = fs::canonicalize(existing) {
            found.extend(missing.iter().rev());
            return Some(found);
        }
        missing.push(existing.file_name()?);
        existing = existing.parent()?;
    }
}
