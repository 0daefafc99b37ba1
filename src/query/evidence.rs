//! A database file under examination: the open file and what was found wrong with it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::Error;
use crate::bbolt::meta::find_metas;
use crate::bbolt::{Db, Meta, older_meta};
use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Locus, shown};
use crate::etcd::check::report_out_of_order;
use crate::etcd::former::out_of_order;
use crate::etcd::state::State;
use crate::etcd::wal::replay;
use crate::etcd::{Store, schema};
pub use crate::source::work::{Progress, Work};
use crate::source::{
    Change, Following, Source, SourceError, TrailerCheck, Unpacking, is_delta_snapshot, log_place,
};

use super::deltas::{BackupFolder, Deltas};
use super::log_alone;
use super::logs::Logs;
use super::no_answer::NoAnswer;
use super::notice::{Further, Notice, Notices};
use super::origins::{Origins, ReplayRequest};
use super::replayed::{Chosen, Parts, Replayed};

/// A snapshot file up to this size has its SHA-256 verified by every verb: it costs less than 0.1 s.
const VERIFIED_UP_TO_BYTES: u64 = 64 << 20;

/// When the SHA-256 at the end of a snapshot file is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// At any size.
    Always,
    /// If the file is small, so that it takes less than 0.1 s.
    IfSmall,
    /// At any size, and the SHA-256 of the whole file is kept.
    AndHash,
    /// At any size, and the SHA-256 of the whole file is kept if there was one to verify.
    KeepingHash,
}

/// The meta page whose state is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaBy {
    /// Meta page 0 or 1.
    Index(usize),
    /// The meta page of the commit before the newest.
    Older,
}

impl MetaBy {
    /// Reads `0`, `1` or `older`.
    ///
    /// # Errors
    /// The sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "0" => Ok(Self::Index(0)),
            "1" => Ok(Self::Index(1)),
            "older" => Ok(Self::Older),
            _ => Err(
                "a file has meta pages 0 and 1; older is the one of the commit before".to_owned(),
            ),
        }
    }
}

/// The open file, or why it could not be opened.
fn opened(path: &Path, source: Result<Source, SourceError>) -> Result<Source, NoAnswer> {
    source.map_err(|error| NoAnswer::Source {
        is_word: !path.exists() && !path.to_string_lossy().contains(['/', '.']),
        error,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Looks for a correct SHA-256 that is not at the end of the file, because bytes were added after it. Does so only if the
/// check of the last bytes found no correct one, or if the length of the file shows that bytes were added.
fn look_for_trailer(
    check: Option<TrailerCheck>,
    mut source: Source,
) -> (Option<TrailerCheck>, Source) {
    let (geometry, metas) = find_metas(source.image(), Some(&source));
    let used = metas.iter().flatten().map(Meta::used_bytes).max();
    let used = used.and_then(|used| usize::try_from(used).ok());
    let (Some(geometry), Some(used)) = (geometry, used) else {
        return (check, source);
    };
    // A file that is too long to be hashed by every verb is hashed if its length shows that bytes were added.
    let has_added_bytes = !source.image().len().is_multiple_of(geometry.page_size);
    let is_searched = match check {
        None => has_added_bytes,
        Some(TrailerCheck::Absent | TrailerCheck::Bad { .. }) => true,
        Some(TrailerCheck::Good | TrailerCheck::Followed { .. }) => false,
    };
    if !is_searched || !source.find_trailer(used, geometry.page_size) {
        return (check, source);
    }
    let after = source.after_trailer().unwrap_or_default();
    let by = match Following::recognise(after) {
        Following::Other if Meta::parse(after, 0).is_ok() => Following::Database,
        by => by,
    };
    let bytes = after.len() as u64;
    let at = source.len_bytes().saturating_sub(bytes);
    let check = TrailerCheck::Followed { at, bytes, by };
    (Some(check), source)
}

fn trailer_followed(at: u64, bytes: u64, by: Following) -> Damage {
    let what = match by {
        Following::LineEnds => "line ends",
        Following::Zeros => "zeros",
        Following::Database => "another database",
        Following::Other => "something else",
    };
    let count = match bytes {
        1 => "1 byte".to_owned(),
        bytes => format!("{bytes} bytes"),
    };
    Diagnostic::new(Code::TrailerFollowed, Locus::at(at))
        .expected(
            "the file to end after the SHA-256, which is right",
            format!("{count} more: {what}"),
        )
        .effect("every record is as etcd saved it; `etcdutl snapshot restore` refuses the file until these bytes are cut from a copy")
}

/// The size in bytes of the pages of a database.
fn page_size(source: &Source) -> Option<u64> {
    let (geometry, _) = find_metas(source.image(), Some(source));
    geometry.map(|geometry| geometry.page_size as u64)
}

/// An open database file with its findings.
#[derive(Debug)]
pub struct Evidence {
    source: Source,
    diagnostics: Diagnostics,
    trailer: Option<TrailerCheck>,
    /// The meta page that the user chose.
    meta: Option<MetaBy>,
    /// Where records are looked for in addition to the database.
    origins: Origins,
    /// The write-ahead log whose records are added.
    logs: Option<Logs>,
    /// SHA-256 of the whole file, if it was asked for.
    sha256: Option<[u8; 32]>,
    /// Page size of the database in bytes. It is read at open, because a file that is cut later loses its meta pages.
    page_size: Option<u64>,
    /// Offsets of the read errors that were already reported as findings.
    collected: Mutex<HashSet<u64>>,
    /// See [`Self::read_by_tree`].
    read_by_tree: AtomicBool,
    /// See [`Self::is_foreign`].
    is_foreign: AtomicBool,
    /// Why the database of the folder cannot be used, if records are read from its log or another database instead.
    unusable: Option<Arc<NoAnswer>>,
    /// Whether another database of the folder is read instead.
    is_substitute: bool,
    /// The folder of incremental backups that the file belongs to.
    deltas: Option<Deltas>,
    /// What a restore read from the log.
    replayed: OnceLock<Replayed>,
    /// The findings of a store whose records are from a log alone.
    log_diagnostics: Diagnostics,
}

impl Evidence {
    /// Opens a database file, a snapshot file or a data directory.
    ///
    /// # Errors
    /// If it cannot be opened, or is no database. The message names what it is instead.
    pub fn open(path: &Path, verify: Verify) -> Result<Self, NoAnswer> {
        Ok(Self::from_source(opened(path, Source::open(path))?, verify))
    }

    /// The same for a file that is already open.
    fn from_source(source: Source, verify: Verify) -> Self {
        let diagnostics = Diagnostics::new();
        if let Some(damage) = source
            .unpacked()
            .and_then(|unpacked| unpacked.damage.clone())
        {
            diagnostics.report(
                Diagnostic::new(Code::ArchiveDamaged, Locus::at(source.len_bytes()))
                    .found(damage)
                    .effect("what was unpacked before it is read; the rest is missing"),
            );
        }
        let verified = verify == Verify::Always || source.len_bytes() <= VERIFIED_UP_TO_BYTES;
        let (trailer, sha256) = match verify {
            Verify::AndHash => {
                let (trailer, sha256) = source.verify_trailer_and_sha256();
                (Some(trailer), Some(sha256))
            }
            Verify::KeepingHash => {
                let (trailer, sha256) = source.verify_trailer_keeping_sha256();
                (Some(trailer), sha256)
            }
            _ => (verified.then(|| source.verify_trailer()), None),
        };
        let (trailer, source) = look_for_trailer(trailer, source);
        if let Some(TrailerCheck::Followed { at, bytes, by }) = &trailer {
            diagnostics.report(trailer_followed(*at, *bytes, *by));
        }
        if let Some(TrailerCheck::Bad { computed, stored }) = &trailer {
            diagnostics.report(
                Diagnostic::new(
                    Code::TrailerMismatch,
                    Locus::at(source.image().len() as u64),
                )
                .found(format!(
                    "the snapshot's SHA-256 says {}, the file has {}",
                    hex(stored),
                    hex(computed)
                ))
                .effect("the file is not what etcd saved: any part of it may have changed"),
            );
        }
        Self {
            trailer,
            sha256,
            ..Self::new(source, diagnostics)
        }
    }

    fn new(source: Source, diagnostics: Diagnostics) -> Self {
        Self {
            page_size: page_size(&source),
            source,
            diagnostics,
            trailer: None,
            meta: None,
            origins: Origins::default(),
            logs: None,
            sha256: None,
            collected: Mutex::default(),
            read_by_tree: AtomicBool::new(false),
            is_foreign: AtomicBool::new(false),
            unusable: None,
            is_substitute: false,
            deltas: None,
            replayed: OnceLock::new(),
            log_diagnostics: Diagnostics::new(),
        }
    }

    /// The same for records of these origins: if the log was asked for, the database itself may be missing or damaged.
    /// Also opens packed files and incremental backups. Passes over the file are counted in `work`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_for(
        path: &Path,
        verify: Verify,
        origins: &Origins,
        unpacking: &Unpacking,
        work: &Work,
    ) -> Result<Self, NoAnswer> {
        let source = opened(path, Source::open_unpacking(path, unpacking));
        if let Err(NoAnswer::Source { .. }) = &source
            && let Some(folder) = BackupFolder::find(path)?
        {
            return Self::open_backups(path, verify, folder, unpacking, work);
        }
        match source.map(|source| Self::from_source(source.counted(work), verify)) {
            Ok(mut evidence) if is_delta_snapshot(evidence.source.bytes()) => {
                let deltas = Deltas::single(&evidence.source, &evidence.diagnostics);
                evidence.deltas = Some(deltas);
                Ok(evidence)
            }
            Err(why @ NoAnswer::Source { .. }) if origins.has_wal() => {
                let source = Source::missing(path);
                if log_place(source.path(), path).is_none() {
                    return Err(why);
                }
                let mut evidence = Self::new(source, Diagnostics::new());
                evidence.unusable = Some(Arc::new(why));
                Ok(evidence)
            }
            opened => opened,
        }
    }

    /// Opens a folder of incremental backups: its newest full snapshot that can be used, and the delta snapshots.
    fn open_backups(
        given: &Path,
        verify: Verify,
        folder: BackupFolder,
        unpacking: &Unpacking,
        work: &Work,
    ) -> Result<Self, NoAnswer> {
        let mut skipped = Vec::new();
        let mut base = None;
        for full in folder.candidates()? {
            let source = opened(&full.path, Source::open_unpacking(&full.path, unpacking));
            let usable = source.and_then(|source| match log_alone::why_unusable(&source) {
                None => Ok(source),
                Some(why) => Err(why),
            });
            match usable {
                Ok(source) => {
                    base = Some((full, source));
                    break;
                }
                Err(why) => skipped.push((full.file_name(), Arc::new(why))),
            }
        }
        let (full, mut evidence) = match base {
            Some((full, source)) => {
                let evidence = Self::from_source(source.given_as(given).counted(work), verify);
                (Some(full), evidence)
            }
            None => {
                let nothing = Self::new(Source::missing(given), Diagnostics::new());
                (None, nothing)
            }
        };
        let deltas = folder.read(full, skipped, unpacking, &evidence.diagnostics);
        if deltas.is_alone() && deltas.files().is_empty() {
            let why = deltas.skipped().first().map(|(_, why)| Arc::clone(why));
            drop(deltas);
            let why = why.and_then(Arc::into_inner);
            return Err(why.unwrap_or_else(|| NoAnswer::NoDeltaEvents(given.to_path_buf())));
        }
        evidence.deltas = Some(deltas);
        Ok(evidence)
    }

    /// The incremental backups that the file belongs to.
    pub fn deltas(&self) -> Option<&Deltas> {
        self.deltas.as_ref()
    }

    /// The delta snapshots, if no database is next to them.
    pub fn deltas_alone(&self) -> Option<&Deltas> {
        self.deltas.as_ref().filter(|deltas| deltas.is_alone())
    }

    /// The same file in the state of this meta page, if one was chosen.
    #[must_use]
    pub fn by_meta(mut self, meta: Option<MetaBy>) -> Self {
        self.meta = meta;
        self
    }

    /// The meta page that the user chose.
    pub(super) fn meta_by(&self) -> Option<MetaBy> {
        self.meta
    }

    /// Whether the user chose the meta page.
    pub fn meta_is_chosen(&self) -> bool {
        self.meta.is_some()
    }

    /// The same file, with the records of these origins in addition.
    ///
    /// # Errors
    /// If a write-ahead log was asked for and does not exist.
    pub fn with_origins(mut self, origins: Origins) -> Result<Self, NoAnswer> {
        let logs = origins.logs(self.source.path(), self.source.given_path());
        self.origins = origins;
        // A folder without database and log is no data directory.
        if let (Some(why), Err(_) | Ok(None)) = (
            self.unusable.take_if(|_| !matches!(logs, Ok(Some(_)))),
            &logs,
        ) {
            return Err(Arc::into_inner(why).unwrap_or(NoAnswer::NothingFound));
        }
        self.logs = logs?;
        if self.logs.is_some() && self.meta.is_none() && self.unusable.is_none() {
            self.unusable = log_alone::why_unusable(&self.source).map(Arc::new);
        }
        self.substitute();
        Ok(self)
    }

    /// Reads another database of the folder, if the one that was asked for cannot be used and the log does not have all
    /// writes.
    fn substitute(&mut self) {
        let Some(logs) = self.logs.as_ref().filter(|_| self.unusable.is_some()) else {
            return;
        };
        let wal = logs.wal_again();
        if replay::whole_log(&wal).is_none()
            && let Some(source) = log_alone::substitute(logs, &wal)
        {
            self.page_size = page_size(&source);
            self.trailer = None;
            self.is_substitute = true;
            self.source = source;
        }
    }

    /// What a restore read from the log; none before, and without a log.
    pub fn replayed(&self) -> Option<&Replayed> {
        self.replayed.get()
    }

    /// The store of a restore that reads a log.
    fn replay<'a>(&'a self, logs: &'a Logs, request: ReplayRequest) -> Result<Store<'a>, NoAnswer> {
        let meta = self.meta_index(self.meta);
        let mut parts = Parts {
            source: &self.source,
            meta: meta.map_err(|error| self.not_a_database(error))?,
            given: self.given_path(),
            unusable: self.unusable.as_ref().filter(|_| !self.is_substitute),
            is_suspect: self.diagnostics.found_damage(),
            diagnostics: &self.log_diagnostics,
            logs,
            wal: logs.wal(),
            request,
            asked: None,
        };
        parts.resolve()?;
        let (store, replayed) = match parts.choose()? {
            Chosen::Log(log) => *log,
            Chosen::Database(fault) => parts.continued(self.store()?, fault),
        };
        // A second call gives the same.
        let _ = self.replayed.set(replayed);
        Ok(store)
    }

    /// Where its records come from in addition to the state of the database.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The write-ahead log whose records are added.
    pub fn logs(&self) -> Option<&Logs> {
        self.logs.as_ref()
    }

    /// The database of a verb that reads one.
    ///
    /// # Errors
    /// If the user did not give exactly one.
    pub fn only(evidence: &[Self]) -> Result<&Self, NoAnswer> {
        match evidence {
            [one] => Ok(one),
            _ => Err(NoAnswer::DatabasesNeeded(1)),
        }
    }

    /// The open file.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What was found wrong with it.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// The path as it was given.
    pub fn given_path(&self) -> &Path {
        self.source.given_path()
    }

    /// The result of checking the trailer of a snapshot file. None if it was not checked.
    pub fn trailer(&self) -> Option<&TrailerCheck> {
        self.trailer.as_ref()
    }

    /// The pages of the file, and its state if a meta page names one.
    ///
    /// # Errors
    /// If the file has no page. The message names what it is instead.
    pub fn db(&self) -> Result<Db<'_>, NoAnswer> {
        if self.deltas_alone().is_some() {
            return Err(self.no_database());
        }
        let meta = self.meta_index(self.meta);
        let db = meta.and_then(|meta| Db::open_by_meta(&self.source, meta, &self.diagnostics));
        db.map_err(|error| self.not_a_database(error))
    }

    /// Why delta snapshots alone have no pages and no buckets.
    fn no_database(&self) -> NoAnswer {
        let is_folder = self
            .deltas()
            .is_some_and(|deltas| deltas.folder().is_some());
        NoAnswer::NotBbolt {
            path: self.given_path().to_path_buf(),
            kind: Some(match is_folder {
                true => "a folder of delta snapshots of etcd-backup-restore without a full one",
                false => "a delta snapshot of etcd-backup-restore",
            }),
        }
    }

    /// SHA-256 of the whole file as it was opened, if it was asked for.
    pub fn sha256(&self) -> Option<[u8; 32]> {
        self.sha256
    }

    /// The etcd backend in the file.
    ///
    /// # Errors
    /// If the file is no bbolt database. The message names what it is instead.
    pub fn store(&self) -> Result<Store<'_>, NoAnswer> {
        self.store_by(self.meta)
    }

    /// Whether [`Self::store`] is the state of the newest meta page.
    pub fn is_of_newest_meta(&self) -> bool {
        self.meta.is_none()
    }

    fn store_by(&self, meta: Option<MetaBy>) -> Result<Store<'_>, NoAnswer> {
        if self.deltas_alone().is_some() {
            return Err(self.no_database());
        }
        self.read_by_tree.store(true, Ordering::Relaxed);
        let index = self.meta_index(meta);
        let store =
            index.and_then(|index| State::open_by_meta(&self.source, index, &self.diagnostics));
        let store = store
            .map(Store::new)
            .map_err(|error| self.not_a_database(error))?;
        self.is_foreign.store(store.is_foreign(), Ordering::Relaxed);
        match meta {
            // The newest state is compared with the former one by `fsck` and `status`.
            None => {}
            Some(MetaBy::Index(_)) => {
                report_out_of_order(store.db());
            }
            Some(MetaBy::Older) => self.refuse_out_of_order(&store)?,
        }
        Ok(store)
    }

    /// Refuses a former state whose pages are of another commit than the one before the newest.
    fn refuse_out_of_order(&self, store: &Store<'_>) -> Result<(), NoAnswer> {
        let Some(order) = out_of_order(store.db()) else {
            return Ok(());
        };
        let why = format!(
            "the older meta page leads to pages of another commit ({order}): this copy was taken while etcd was writing"
        );
        Err(self.not_a_database(Error::NoFormerState { why }))
    }

    fn meta_index(&self, meta: Option<MetaBy>) -> Result<Option<usize>, Error> {
        match meta {
            None => Ok(None),
            Some(MetaBy::Index(index)) => Ok(Some(index)),
            Some(MetaBy::Older) => older_meta(&self.source).map(Some),
        }
    }

    /// The etcd backend in the state one commit before the newest.
    ///
    /// # Errors
    /// As [`Self::store`]; and if there is no such state.
    pub fn former_store(&self) -> Result<Store<'_>, NoAnswer> {
        self.store_by(Some(MetaBy::Older))
    }

    /// The etcd backend in the file, for a question about its records, with the records of the other origins.
    ///
    /// # Errors
    /// As [`Self::store`]; and if the records cannot be reached.
    pub fn records(&self, notices: &Notices) -> Result<Store<'_>, NoAnswer> {
        if let (Some(request), Some(logs)) = (self.origins.replay(), &self.logs) {
            return self.replay(logs, request);
        }
        match (&self.unusable, &self.logs) {
            (Some(why), Some(logs)) if !self.is_substitute => {
                let why = (self.given_path(), why);
                return log_alone::store(logs, why, &self.diagnostics, notices);
            }
            (Some(why), _) => notices.add(Notice::OtherDatabase {
                why: Arc::clone(why),
                used: self.source.path().to_path_buf(),
            }),
            _ => {}
        }
        if let Some(deltas) = self.deltas_alone() {
            let store = deltas.alone(self.given_path(), &self.diagnostics)?;
            deltas.notices(&store, notices);
            return Ok(store);
        }
        let store = self.store()?;
        if store.bucket(schema::KEY).is_some() {
            self.note_archive(notices);
            let store = self.origins.add_to(store, self.logs.as_ref(), notices);
            let Some(deltas) = &self.deltas else {
                return Ok(store);
            };
            let store = deltas.add_to(store);
            deltas.notices(&store, notices);
            return Ok(store);
        }
        if store.is_foreign() {
            return Err(self.foreign(&store));
        }
        Err(NoAnswer::NoKeyBucket(self.source.path().to_path_buf()))
    }

    /// Reports what the archive of the database has in addition, and is not read.
    pub fn note_archive(&self, notices: &Notices) {
        if let Some(unpacked) = self.source.unpacked() {
            let (log_files, deltas) = (unpacked.log_files, unpacked.deltas);
            if log_files > 0 || deltas > 0 {
                notices.add(Notice::BesideInArchive { log_files, deltas });
            }
        }
    }

    /// Reports that an answer about the file itself does not include the delta snapshots of its folder.
    pub(super) fn note_deltas_left_out(&self, notices: &Notices) {
        if let Some(deltas) = self.deltas()
            && let Some(base) = deltas.base()
            && !deltas.files().is_empty()
        {
            let files = deltas.files().len();
            notices.add(Notice::DeltasLeftOut(base.file_name(), files));
        }
    }

    /// Why another program's file has no answer.
    pub(super) fn foreign(&self, store: &Store<'_>) -> NoAnswer {
        let names = store.buckets().iter().map(|bucket| shown(bucket.name));
        NoAnswer::ForeignBuckets {
            path: self.given_path().to_path_buf(),
            buckets: names.collect(),
        }
    }

    /// How many records of these keys freed pages and the log have, if they were not asked for. They are read to count
    /// them only. Damage in them is no finding of this run.
    pub(super) fn further(&self, covers: &dyn Fn(&[u8]) -> bool) -> Further {
        let diagnostics = Diagnostics::new();
        let notices = Notices::default();
        let state = || {
            let meta = self.meta_index(self.meta).ok()?;
            State::open_by_meta(&self.source, meta, &diagnostics).ok()
        };
        let all = Origins::new(false, None).all();
        let logs = all.logs(self.source.path(), self.source.given_path());
        let logs = logs.ok().flatten().filter(|_| !self.origins.has_wal());
        Further {
            carve: (!self.origins.has_carve())
                .then(|| Some(Origins::carved_records(&state()?, covers)))
                .flatten(),
            wal: logs.as_ref().and_then(|logs| {
                let store = Store::new(state()?);
                let store = Origins::default().add_to(store, Some(logs), &notices);
                let added = store.additional().iter();
                Some(added.filter(|record| covers(record.key)).count())
            }),
        }
    }

    /// Why a file is not a database, or cannot be read as one.
    pub fn not_a_database(&self, error: Error) -> NoAnswer {
        log_alone::not_a_database(&self.source, error)
    }

    /// Whether the records were read through the tree. Then a scan of the pages may find more.
    pub fn read_by_tree(&self) -> bool {
        self.read_by_tree.load(Ordering::Relaxed)
    }

    /// Whether the store that was read is another program's.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign.load(Ordering::Relaxed)
    }

    /// How the file differs from what it was at open; none if it does not, or if that cannot be known.
    pub fn change(&self) -> Option<Change> {
        self.source.change().ok().flatten()
    }

    /// Reports the pages that could not be read so far as findings. Each page is reported once, however often this is
    /// called.
    pub fn collect_read_errors(&self) {
        let mut collected = self
            .collected
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for offset in self.source.read_errors() {
            if collected.insert(offset) {
                self.diagnostics.report(
                    Diagnostic::new(Code::ReadError, self.locus_of(offset))
                        .found(
                            "the file could not be read here, or became shorter while it was read",
                        )
                        .effect("it is read as zeros"),
                );
            }
        }
    }

    /// The page of the database that contains an offset. The trailer of a snapshot is in no page.
    fn locus_of(&self, offset: u64) -> Locus {
        let in_image = offset < self.source.image().len() as u64;
        let pgid = self
            .page_size
            .filter(|_| in_image)
            .and_then(|page_size| offset.checked_div(page_size));
        Locus {
            pgid,
            ..Locus::at(offset)
        }
    }
}
