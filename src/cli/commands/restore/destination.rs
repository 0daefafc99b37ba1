//! Where a restore is written to: a snapshot file, or the data directories of members.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::Run;
use crate::cli::export::member_dir::{DirectoryPlace, NewDirectory, named_folder};
use crate::cli::export::new_file::{NewFile, NewPlace};
use crate::cli::failure::Failure;
use crate::query::membership::{SEGMENT_LEN_BYTES, member_state};
use crate::query::restore::{Mismatch, Prepared, Restore, Target, Verified, WriteError};
use crate::view::human::counted;
use crate::view::restore::directory::Directory;

use super::Args;
use super::member::Members;

/// A place that was checked.
pub(super) struct Destination {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    File(NewPlace),
    /// The place, the members to write, and the same members as the answer shows them.
    Directory(DirectoryPlace, Box<Members>, Directory),
}

/// What was written, under its temporary name.
pub(super) struct NewStore {
    verified: Verified,
    kind: NewKind,
}

enum NewKind {
    File(NewFile),
    Directory(NewDirectory),
}

impl NewStore {
    /// What was read back from the new database.
    pub(super) fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Gives the file or the directory its final name.
    ///
    /// # Errors
    /// If the name exists meanwhile, or the system fails.
    pub(super) fn commit(self) -> Result<(), Failure> {
        match self.kind {
            NewKind::File(new) => new.commit().map(drop),
            NewKind::Directory(new) => new.commit(),
        }
    }
}

impl Destination {
    /// Checks the place and the members.
    ///
    /// # Errors
    /// Why nothing can be written there.
    pub(super) fn check(args: &Args, run: &Run<'_>) -> Result<Self, Failure> {
        if let Some(path) = &args.out {
            let kind = Kind::File(NewPlace::check(path, run)?);
            let path = path.clone();
            return Ok(Self { path, kind });
        }
        let path = args.member.data_dir.as_deref().unwrap_or(Path::new(""));
        let path = named_folder(path);
        let members = args.member.members()?;
        let wal_dir = args.member.wal_dir.as_deref().map(named_folder);
        let wal_dir = wal_dir.as_deref();
        let place = DirectoryPlace::check(&path, wal_dir, run)?;
        let shown = members.shown(wal_dir, args.member.bump_revision);
        let kind = Kind::Directory(place, Box::new(members), shown);
        Ok(Self { path, kind })
    }

    /// The path, with the name of the folder if it was typed as `.`.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The members, if directories are written.
    pub(super) fn directory(&self) -> Option<&Directory> {
        match &self.kind {
            Kind::File(_) => None,
            Kind::Directory(_, _, shown) => Some(shown),
        }
    }

    /// Determines the layout of the new store, and checks that there is room for it.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub(super) fn prepare(
        &self,
        args: &Args,
        restore: &Restore<'_, '_>,
    ) -> Result<Prepared, Failure> {
        let prepare = |target| restore.prepare(target).map_err(|error| self.failed(&error));
        match &self.kind {
            Kind::File(place) => {
                let prepared = prepare(Target::default())?;
                place.check_room(prepared.len_bytes())?;
                Ok(prepared)
            }
            Kind::Directory(place, members, _) => {
                let prepared = prepare(Target {
                    members: Some(member_state(&members.cluster)),
                    bump: bumped(args, restore)?,
                })?;
                place.check_room(room(&prepared, members.files().len()))?;
                Ok(prepared)
            }
        }
    }

    /// Writes the new store under a temporary name, and reads it back.
    ///
    /// # Errors
    /// If it cannot be written, or if what is read back is not what was meant to be written.
    pub(super) fn write(
        &self,
        restore: &Restore<'_, '_>,
        prepared: &Prepared,
    ) -> Result<NewStore, Failure> {
        let failed = |error| self.failed(&error);
        match &self.kind {
            Kind::File(place) => {
                let mut new = place.create()?;
                let tally = restore.write(prepared, new.file()).map_err(failed)?;
                new.sync()?;
                let verified = restore
                    .verify(prepared, new.temporary(), &tally)
                    .map_err(|error| self.mismatch(&error))?;
                Ok(NewStore {
                    verified,
                    kind: NewKind::File(new),
                })
            }
            Kind::Directory(place, members, _) => {
                let mut new = place.create(members.files())?;
                let tally = restore.write(prepared, &mut new).map_err(failed)?;
                new.flush().map_err(|error| new.failure(&error))?;
                new.finish()?;
                let mut verified = None;
                for database in new.databases() {
                    let read = restore.verify(prepared, &database, &tally);
                    verified = Some(read.map_err(|error| self.mismatch(&error))?);
                }
                let verified = verified.ok_or_else(|| self.mismatch(&Mismatch::Bytes))?;
                Ok(NewStore {
                    verified,
                    kind: NewKind::Directory(new),
                })
            }
        }
    }

    /// The failure for a new store that cannot be written.
    fn failed(&self, error: &WriteError) -> Failure {
        Failure::cannot(format!(
            "{}: cannot be written: {error}; nothing was written",
            self.path.display()
        ))
    }

    /// The failure for a new file that is not what was meant to be written.
    fn mismatch(&self, error: &Mismatch) -> Failure {
        let why = match error {
            Mismatch::Unreadable(_) => "it cannot be read back".to_owned(),
            Mismatch::Bytes => "the disk has other bytes than were written".to_owned(),
            Mismatch::Records => "its records are not those of the source".to_owned(),
            Mismatch::Bucket(bucket) => format!("its bucket {bucket} is not that of the source"),
            Mismatch::Finding(code) => format!("its check finds {code}"),
        };
        Failure::cannot(format!(
            "{}: the new file is wrong, and was removed: {why}",
            self.path.display()
        ))
    }
}

/// The revision that `--bump-revision` raises the store to; none without that flag.
fn bumped(args: &Args, restore: &Restore<'_, '_>) -> Result<Option<i64>, Failure> {
    let Some(by) = args.member.bump_revision else {
        return Ok(None);
    };
    // Clients have seen these revisions: a smaller bump gives some of them a second time. A client that has seen all of
    // them watches from the revision after the last one. etcd ends a watch only if it begins before the compacted
    // revision, so the raised revision must be after that one too. Otherwise such a client never learns that its state is
    // wrong.
    let left_out = restore.newest.saturating_sub(restore.at).max(0);
    let least = match left_out {
        0 => 1,
        left_out => left_out.saturating_add(2),
    };
    if by < least {
        return Err(Failure::cannot(format!(
            "--bump-revision {by} is too small: {} written after revision {}, and clients may watch from the one after them; nothing was written",
            counted(left_out.unsigned_abs(), "revision was", "revisions were"),
            restore.at
        ))
        .hint(format!(
            "`--bump-revision {least}` is the smallest that is right for what the source has; add more for revisions that it lacks"
        )));
    }
    let bumped = restore.at.checked_add(by);
    bumped.map(Some).ok_or_else(|| {
        Failure::cannot(format!(
            "revision {} raised by {by} is too large for etcd",
            restore.at
        ))
        .hint("`--bump-revision 1000000` is enough for most stores")
    })
}

/// How much space the directories need, in bytes. Each log counts with its full length: it is written with holes, but
/// etcd fills these later.
fn room(prepared: &Prepared, members: usize) -> u64 {
    let members = u64::try_from(members).unwrap_or(u64::MAX);
    let one = prepared.len_bytes().saturating_add(SEGMENT_LEN_BYTES);
    one.saturating_mul(members)
}
