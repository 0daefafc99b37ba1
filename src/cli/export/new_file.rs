//! One new file that appears under its name only when it is complete.
//!
//! It is written under a temporary name in the same folder, and gets its own name by a hard link, which fails if the
//! name exists. If the run is stopped in between, no file has the final name. What is left has a name that ends in
//! `.partial`.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::Run;
use crate::cli::failure::Failure;
use crate::cli::opened::Opened;
use crate::view::human;

/// A file that is being written.
#[derive(Debug)]
pub struct NewFile {
    /// The final path.
    path: PathBuf,
    /// The path until it is committed.
    temporary: PathBuf,
    file: File,
    /// Whether it has its final name. If not, it is removed at the end.
    is_committed: bool,
}

/// A place for a new file, which was checked.
#[derive(Debug)]
pub struct NewPlace {
    path: PathBuf,
}

impl NewPlace {
    /// Checks that a new file can be written here: the name is free, its folder exists, and it is not in the evidence.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check(path: &Path, run: &Run<'_>) -> Result<Self, Failure> {
        let shown = path.display();
        Opened::by(run).refuse(path)?;
        if fs::symlink_metadata(path).is_ok() {
            return Err(
                Failure::cannot(format!("{shown} exists, and nothing is overwritten"))
                    .hint("--out never overwrites a file: name a new one"),
            );
        }
        check_folder(path)?;
        Ok(Self {
            path: path.to_path_buf(),
        })
    }

    /// Checks that the file system has room for so many bytes.
    ///
    /// # Errors
    /// If it has less.
    pub fn check_room(&self, bytes: u64) -> Result<(), Failure> {
        check_room(&self.path, bytes, "the file needs", "--out")
    }

    /// Creates the file under its temporary name.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(&self) -> Result<NewFile, Failure> {
        let temporary = temporary_name(&self.path);
        let file = open_new(&temporary, 0o600).map_err(|error| {
            Failure::cannot(format!(
                "{}: cannot be written: {error}; nothing was written",
                self.path.display()
            ))
        })?;
        Ok(NewFile {
            path: self.path.clone(),
            temporary,
            file,
            is_committed: false,
        })
    }
}

impl NewFile {
    /// The open file.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Where the file is until it is committed.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Writes everything to the disk.
    ///
    /// # Errors
    /// If that fails.
    pub fn sync(&self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| self.failure(&error))
    }

    /// Writes everything to the disk, and gives the file its final name. If that fails, no file has the name.
    ///
    /// # Errors
    /// If the name exists meanwhile, or the system fails.
    pub fn commit(mut self) -> Result<CommittedFile, Failure> {
        self.sync()?;
        name_it(&self.temporary, &self.path).map_err(|error| self.failure(&error))?;
        let committed = CommittedFile(self.path.clone());
        self.is_committed = true;
        // A file name is part of its folder: after a power failure it remains only if the folder was written to the
        // disk.
        if let Err(error) = sync_folder(&folder_of(&self.path)) {
            committed.withdraw();
            return Err(self.failure(&error));
        }
        Ok(committed)
    }

    /// Why the file could not be written.
    pub fn failure(&self, error: &io::Error) -> Failure {
        let path = self.path.display();
        match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::cannot(format!(
                "{path} exists, and nothing is overwritten; nothing was written"
            )),
            _ => Failure::cannot(format!(
                "{path}: cannot be written: {error}; nothing was written"
            )),
        }
    }
}

/// A file that has its final name.
#[derive(Debug)]
#[must_use]
pub struct CommittedFile(PathBuf);

impl CommittedFile {
    /// Removes the file again, because what it belongs to could not be written.
    pub fn withdraw(self) {
        drop(fs::remove_file(&self.0));
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_committed {
            // If it cannot be removed, its name ends in `.partial`.
            drop(fs::remove_file(&self.temporary));
        }
    }
}

/// Renames a file, unless the new name exists. If it fails, the file does not have the new name.
fn name_it(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Ok(()) => fs::remove_file(temporary).inspect_err(|_| drop(fs::remove_file(path))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Some file systems have no hard links. `rename` would replace a file, so the name must still be free.
        Err(_) if fs::symlink_metadata(path).is_err() => fs::rename(temporary, path),
        Err(error) => Err(error),
    }
}

/// Checks that the file system of a new path has room for so many bytes. `what` and `flag` are words of the message:
/// what needs the room, and the flag that names the path.
pub(super) fn check_room(path: &Path, bytes: u64, what: &str, flag: &str) -> Result<(), Failure> {
    let Some(free) = free_bytes(&folder_of(path)).filter(|free| *free < bytes) else {
        return Ok(());
    };
    Err(Failure::cannot(format!(
        "{}: {what} {}, and its file system has {} free; nothing was written",
        path.display(),
        human::bytes(bytes),
        human::bytes(free)
    ))
    .hint(format!(
        "{flag} names another place, for example on another disk"
    )))
}

/// The folder that contains a path; `.` for a name alone.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Checks that a path has a name, and that the folder that contains it exists.
pub(super) fn check_folder(path: &Path) -> Result<(), Failure> {
    let folder = folder_of(path);
    if path.file_name().is_none() {
        let problem = "the path has no file name at its end";
        return Err(Failure::cannot(format!("{}: {problem}", path.display())));
    }
    if folder.is_dir() {
        return Ok(());
    }
    // A file, or a link to nothing, in place of a folder: `mkdir -p` would fail.
    let mut existing = folder
        .ancestors()
        .filter(|part| part.symlink_metadata().is_ok());
    if let Some(part) = existing.next().filter(|part| !part.is_dir()) {
        return Err(Failure::cannot(format!(
            "{}: {} is not a folder",
            path.display(),
            part.display()
        )));
    }
    Err(Failure::cannot(format!(
        "{}: no folder {} to write into",
        path.display(),
        folder.display()
    ))
    .hint(format!(
        "`mkdir -p {}` makes it",
        crate::view::command::quoted(&folder.to_string_lossy())
    )))
}

/// The name of a new file or folder until it is complete, in the same folder.
pub(super) fn temporary_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.partial", std::process::id()));
    folder_of(path).join(name)
}

/// Creates a file with a mode. It must not exist. A database has mode 0600, because it may contain secrets.
#[cfg_attr(not(unix), allow(unused_variables))]
pub(super) fn open_new(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    options.open(path)
}

/// Writes the names in a folder to the disk. Only Unix systems can open a folder for that.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path).and_then(|folder| folder.sync_all()) {
        Err(error) if cfg!(unix) => Err(error),
        _ => Ok(()),
    }
}

/// How many bytes the file system of a folder has free for this user; none if that is not known.
#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}
