//! A new data directory, or one for each member of a cluster, that appears under its name only when it is complete.
//!
//! Everything is written into a temporary folder next to it, which gets the final name at the end. If the directory
//! exists and is empty, for example the root of a new disk, the temporary folder is in it. If the run is stopped in
//! between, what is left has a name that ends in `.partial`. Modes are those of etcd: folders 0700, the database and the
//! log 0600, the raft snapshot 0644.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::cli::Run;
use crate::cli::failure::Failure;
use crate::cli::opened::{Opened, resolved};
use crate::query::membership::{FIRST_SEGMENT, SEGMENT_LEN_BYTES};

use super::new_file::{check_folder, check_room, folder_of, open_new, sync_folder, temporary_name};

/// The size of the buffer before a database file, in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// A place for a new data directory, which was checked.
#[derive(Debug)]
pub struct DirectoryPlace {
    /// The path as typed.
    given: PathBuf,
    /// The same, or where it leads if it is a link.
    path: PathBuf,
    wal_dir: Option<PathBuf>,
}

/// What a member has besides its database.
#[derive(Debug)]
pub struct MemberFiles {
    /// The folder of the member in the new directory; none if it is the directory itself.
    pub folder: Option<String>,
    /// The name of the raft snapshot.
    pub snap_name: String,
    /// The raft snapshot.
    pub snap: Vec<u8>,
    /// The records of the log.
    pub log: Vec<u8>,
}

impl DirectoryPlace {
    /// Checks that a new directory can be written here: it does not exist or is empty, the folder around it exists,
    /// and it is not in the evidence. A link to such a folder is followed. A separate folder for the log must not exist,
    /// and is outside of the directory.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check(given: &Path, wal_dir: Option<&Path>, run: &Run<'_>) -> Result<Self, Failure> {
        let opened = Opened::by(run);
        for path in [Some(given), wal_dir].into_iter().flatten() {
            opened.refuse(path)?;
        }
        let path = target_of(given)?;
        check_folder(&path)?;
        if path.is_file() {
            return Err(Failure::cannot(format!(
                "{} is a file, and nothing is overwritten",
                given.display()
            ))
            .hint("--data-dir names a new folder: name another one"));
        }
        let is_free = match fs::read_dir(&path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(_) => fs::symlink_metadata(&path).is_err(),
        };
        if !is_free {
            return Err(Failure::cannot(format!(
                "{} is not empty, and nothing is overwritten",
                given.display()
            ))
            .hint("--data-dir names a new folder: name another one"));
        }
        if let Some(wal_dir) = wal_dir {
            check_wal_dir(wal_dir, given, &path)?;
        }
        Ok(Self {
            given: given.to_path_buf(),
            path,
            wal_dir: wal_dir.map(Path::to_path_buf),
        })
    }

    /// Checks that the file system has room for so many bytes.
    ///
    /// # Errors
    /// If it has less.
    pub fn check_room(&self, bytes: u64) -> Result<(), Failure> {
        check_room(&self.path, bytes, "the data directory needs", "--data-dir")
    }

    /// Creates the folders and the empty databases of the members under a temporary name.
    ///
    /// # Errors
    /// If they cannot be created.
    pub fn create(&self, members: Vec<MemberFiles>) -> Result<NewDirectory, Failure> {
        let temporary = temporary_name(&self.path);
        let mut new = NewDirectory {
            temporary: match (self.path.is_dir(), temporary.file_name()) {
                (true, Some(name)) => self.path.join(name),
                _ => temporary,
            },
            given: self.given.clone(),
            path: self.path.clone(),
            wal_dir: self
                .wal_dir
                .clone()
                .map(|path| (temporary_name(&path), path)),
            members,
            databases: Vec::new(),
            has_folders: false,
            is_committed: false,
        };
        let made = new.make();
        made.map_err(|error| new.failure(&error))?;
        Ok(new)
    }
}

/// A data directory that is being written.
#[derive(Debug)]
pub struct NewDirectory {
    /// The final path as typed.
    given: PathBuf,
    /// The final path, through no link.
    path: PathBuf,
    /// The path until it is committed.
    temporary: PathBuf,
    /// A separate folder for the log: its temporary and its final name.
    wal_dir: Option<(PathBuf, PathBuf)>,
    members: Vec<MemberFiles>,
    /// The open databases, in the order of the members.
    databases: Vec<BufWriter<File>>,
    /// Whether this run created the temporary folder, so that it may remove it.
    has_folders: bool,
    is_committed: bool,
}

impl NewDirectory {
    /// Creates the folders and the empty databases.
    fn make(&mut self) -> io::Result<()> {
        folder(&self.temporary)?;
        self.has_folders = true;
        if let Some((temporary, _)) = &self.wal_dir {
            folder(temporary)?;
        }
        for member in &self.members {
            let root = self.root(member);
            if member.folder.is_some() {
                folder(&root)?;
            }
            let inner = root.join("member");
            folder(&inner)?;
            folder(&inner.join("snap"))?;
            if self.wal_dir.is_none() {
                folder(&inner.join("wal"))?;
            }
            let file = open_new(&inner.join("snap").join("db"), 0o600)?;
            self.databases
                .push(BufWriter::with_capacity(BUFFER_BYTES, file));
        }
        Ok(())
    }

    /// The temporary path of the data directory of a member.
    fn root(&self, member: &MemberFiles) -> PathBuf {
        match &member.folder {
            Some(name) => self.temporary.join(name),
            None => self.temporary.clone(),
        }
    }

    /// The temporary paths of the databases of the members.
    pub fn databases(&self) -> Vec<PathBuf> {
        let roots = self.members.iter().map(|member| self.root(member));
        roots.map(|root| root.join("member/snap/db")).collect()
    }

    /// Writes the logs and the raft snapshots, and syncs everything to the disk. The databases were written before.
    ///
    /// # Errors
    /// If that fails.
    pub fn finish(&mut self) -> Result<(), Failure> {
        let finished = self.write_members();
        finished.map_err(|error| self.failure(&error))
    }

    /// Does the work of [`Self::finish`].
    fn write_members(&mut self) -> io::Result<()> {
        for database in &mut self.databases {
            database.flush()?;
            database.get_ref().sync_all()?;
        }
        for member in &self.members {
            let inner = self.root(member).join("member");
            let mut snap = open_new(&inner.join("snap").join(&member.snap_name), 0o644)?;
            snap.write_all(&member.snap)?;
            snap.sync_all()?;
            let wal = match &self.wal_dir {
                Some((temporary, _)) => temporary.clone(),
                None => inner.join("wal"),
            };
            let mut log = open_new(&wal.join(FIRST_SEGMENT), 0o600)?;
            log.write_all(&member.log)?;
            log.set_len(SEGMENT_LEN_BYTES)?;
            log.sync_all()?;
            for path in [&wal, &inner.join("snap"), &inner, &self.root(member)] {
                sync_folder(path)?;
            }
        }
        sync_folder(&self.temporary)
    }

    /// Gives the directory, and a separate folder for the log, their final names. The log comes first. If anything
    /// fails, no new name remains.
    ///
    /// # Errors
    /// If a name exists meanwhile, or the system fails.
    pub fn commit(mut self) -> Result<(), Failure> {
        let named = self
            .name_log()
            .and_then(|()| self.name_directory().inspect_err(|_| self.withdraw_log()));
        named.map_err(|error| self.failure(&error))?;
        self.is_committed = true;
        Ok(())
    }

    /// Gives a separate folder for the log its final name.
    fn name_log(&self) -> io::Result<()> {
        let Some((temporary, path)) = &self.wal_dir else {
            return Ok(());
        };
        if fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(temporary, path)?;
        sync_folder(&folder_of(path)).inspect_err(|_| self.withdraw_log())
    }

    /// Gives a separate folder for the log its temporary name back.
    fn withdraw_log(&self) {
        if let Some((temporary, path)) = &self.wal_dir {
            drop(fs::rename(path, temporary));
        }
    }

    /// Gives the directory its final name. An empty folder keeps its place, because it may be the current one, or the
    /// root of a disk: then everything is moved into it.
    fn name_directory(&self) -> io::Result<()> {
        if self.temporary.parent() == Some(&self.path) {
            return self.move_up();
        }
        if fs::symlink_metadata(&self.path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.temporary, &self.path)?;
        sync_folder(&folder_of(&self.path))
            .inspect_err(|_| drop(fs::rename(&self.path, &self.temporary)))
    }

    /// Moves everything from the temporary folder to the folder around it, which has nothing else.
    fn move_up(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            if entry?.path() != self.temporary {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
        }
        let entries = fs::read_dir(&self.temporary)?.collect::<io::Result<Vec<_>>>()?;
        let mut moved = Vec::new();
        let all_moved = entries.iter().try_for_each(|entry| {
            let name = entry.file_name();
            fs::rename(self.temporary.join(&name), self.path.join(&name))?;
            moved.push(name);
            Ok(())
        });
        let finished = all_moved.and_then(|()| {
            #[cfg(unix)]
            fs::set_permissions(
                &self.path,
                std::os::unix::fs::PermissionsExt::from_mode(0o700),
            )?;
            sync_folder(&self.path)
        });
        if let Err(error) = finished {
            for name in &moved {
                drop(fs::rename(self.path.join(name), self.temporary.join(name)));
            }
            return Err(error);
        }
        // Everything is in its place. An empty folder that remains does no harm to etcd.
        drop(fs::remove_dir(&self.temporary));
        Ok(())
    }

    /// Why the directory could not be written.
    pub fn failure(&self, error: &io::Error) -> Failure {
        Failure::cannot(format!(
            "{}: cannot be written: {error}; nothing was written",
            self.given.display()
        ))
    }
}

/// Writes the same bytes to the databases of all members, so that the source is read only once.
impl Write for NewDirectory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for database in &mut self.databases {
            database.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.databases.iter_mut().try_for_each(Write::flush)
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        if self.is_committed || !self.has_folders {
            return;
        }
        // If they cannot be removed, their names end in `.partial`.
        drop(fs::remove_dir_all(&self.temporary));
        if let Some((temporary, _)) = &self.wal_dir {
            drop(fs::remove_dir_all(temporary));
        }
    }
}

/// A path that ends with the name of its folder: `new/` is `new`, and `.` has the name of the current folder.
pub fn named_folder(path: &Path) -> PathBuf {
    let plain: PathBuf = path.components().collect();
    match plain.file_name() {
        Some(_) => plain,
        None => fs::canonicalize(&plain).unwrap_or(plain),
    }
}

/// The path itself, or the folder that it links to. The temporary folder is made next to that one, because the link may
/// be on another disk.
fn target_of(path: &Path) -> Result<PathBuf, Failure> {
    if !path.is_symlink() {
        return Ok(path.to_path_buf());
    }
    fs::canonicalize(path).map_err(|_| {
        Failure::cannot(format!(
            "{} is a link to something that does not exist",
            path.display()
        ))
        .hint("--data-dir names a new folder: name another one")
    })
}

/// Checks the folder for the log: it must not exist, the folder around it must, and it must not be in the directory,
/// which is `path` and was typed as `given`.
fn check_wal_dir(wal_dir: &Path, given: &Path, path: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(wal_dir).is_ok() {
        return Err(Failure::cannot(format!(
            "{} exists, and nothing is overwritten",
            wal_dir.display()
        ))
        .hint("--wal-dir names a new folder: name another one"));
    }
    let inside = resolved(wal_dir).zip(resolved(path));
    if inside.is_some_and(|(wal_dir, path)| wal_dir.starts_with(path)) {
        return Err(Failure::cannot(format!(
            "--wal-dir {} is in the data directory {}, which must be empty",
            wal_dir.display(),
            given.display()
        ))
        .hint("without --wal-dir the log is in the data directory: leave the flag out"));
    }
    check_folder(wal_dir)
}

/// Creates a folder that only its owner may open, as etcd does. It must not exist.
fn folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
