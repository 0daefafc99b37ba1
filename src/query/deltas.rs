//! The incremental backups of etcd-backup-restore: a folder of full and delta snapshots, or delta snapshots alone.
//!
//! The newest full snapshot is the database, or the one that is named as `FOLDER::Full-...`. The events of all delta
//! snapshots are added to it: they continue its state, and contain events that were compacted in it. Without a full
//! snapshot the answer has the events alone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::arrange::Arrange as _;
use crate::bbolt::Direction;
use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::etcd::delta::Delta;
use crate::etcd::{Record, Store, empty};
use crate::source::{
    BackupFile, BackupKind, BackupName, Source, SourceError, UNPACKED_UP_TO_BYTES, Unpacking,
    backup_files, is_delta_snapshot,
};

use super::no_answer::NoAnswer;
use super::notice::{DeltasFound, Notice, Notices};

/// How long a delta snapshot is at most when it is unpacked, unless the caller allows more than
/// [`UNPACKED_UP_TO_BYTES`]: etcd-backup-restore writes one when its events take 10 MiB, or what it is configured to.
pub const DELTA_UP_TO_BYTES: u64 = 256 << 20;

/// How long all delta snapshots of a folder are at most together, in the same way: their events are kept in memory.
pub const DELTAS_UP_TO_BYTES: u64 = 2 << 30;

/// How many missing runs of revisions are reported.
const GAPS_REPORTED: usize = 1000;

/// A delta snapshot that was read.
#[derive(Debug)]
pub struct DeltaFile {
    /// Its file name.
    pub name: String,
    /// What the name states.
    pub stated: Option<BackupName>,
    /// Its length in bytes, unpacked.
    pub len_bytes: u64,
    /// Its events.
    pub delta: Delta,
}

/// Incremental backups.
#[derive(Debug, Default)]
pub struct Deltas {
    /// The folder. None for a single file.
    folder: Option<PathBuf>,
    /// By last revision.
    files: Vec<DeltaFile>,
    /// The full snapshot that is the database.
    base: Option<BackupFile>,
    /// The other full snapshots, by last revision.
    others: Vec<BackupFile>,
    /// Newer full snapshots that cannot be used, and why not.
    skipped: Vec<(String, Arc<NoAnswer>)>,
}

/// A folder of backups before its files are opened.
#[derive(Debug)]
pub(super) struct BackupFolder {
    folder: PathBuf,
    /// By last revision.
    fulls: Vec<BackupFile>,
    deltas: Vec<BackupFile>,
    /// The full snapshot that is asked for.
    asked: Option<String>,
}

impl BackupFolder {
    /// The backups at a path as typed: a folder, or `FOLDER::Full-...`. None if there is no such folder, or it has no
    /// backup.
    pub(super) fn find(given: &Path) -> Result<Option<Self>, SourceError> {
        let text = given.to_string_lossy();
        let (folder, asked) = match text.split_once("::") {
            Some((folder, name)) if !given.exists() => {
                (PathBuf::from(folder), Some(name.to_owned()))
            }
            _ => (given.to_path_buf(), None),
        };
        if !folder.is_dir() {
            return Ok(None);
        }
        let files = backup_files(&folder)?;
        let (fulls, deltas): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| file.name.kind == BackupKind::Full);
        let is_empty = fulls.is_empty() && deltas.is_empty();
        Ok((!is_empty).then_some(Self {
            folder,
            fulls,
            deltas,
            asked,
        }))
    }

    /// The full snapshots that may be the database, the best first.
    pub(super) fn candidates(&self) -> Result<Vec<BackupFile>, NoAnswer> {
        let mut candidates: Vec<BackupFile> = self.fulls.iter().rev().cloned().collect();
        if let Some(asked) = &self.asked {
            candidates.retain(|full| full.file_name() == *asked);
            if candidates.is_empty() {
                return Err(NoAnswer::NoFullSnapshot {
                    folder: self.folder.clone(),
                    asked: asked.clone(),
                    known: self.fulls.iter().map(BackupFile::file_name).collect(),
                });
            }
        }
        Ok(candidates)
    }

    /// Reads the delta snapshots. A damaged one becomes a finding, and the others are still read.
    pub(super) fn read(
        self,
        base: Option<BackupFile>,
        skipped: Vec<(String, Arc<NoAnswer>)>,
        unpacking: &Unpacking,
        diagnostics: &Diagnostics,
    ) -> Deltas {
        let mut left = limit(unpacking, DELTAS_UP_TO_BYTES);
        let mut files = Vec::new();
        for file in &self.deltas {
            let one = Unpacking {
                up_to_bytes: limit(unpacking, DELTA_UP_TO_BYTES).min(left),
                ..unpacking.clone()
            };
            match read_file(&file.path, &one, diagnostics) {
                Ok(read) => {
                    left = left.saturating_sub(read.len_bytes);
                    files.push(read);
                }
                Err(why) => report_unreadable(diagnostics, &file.file_name(), why),
            }
        }
        let is_other = |full: &BackupFile| base.as_ref().is_none_or(|base| base.path != full.path);
        Deltas {
            others: self.fulls.into_iter().filter(is_other).collect(),
            folder: Some(self.folder),
            files,
            base,
            skipped,
        }
    }
}

/// A limit that the caller raised above the default is the limit.
fn limit(unpacking: &Unpacking, own: u64) -> u64 {
    match unpacking.up_to_bytes {
        raised if raised > UNPACKED_UP_TO_BYTES => raised,
        up_to => up_to.min(own),
    }
}

fn report_unreadable(diagnostics: &Diagnostics, name: &str, why: String) {
    let locus = Locus {
        file: Some(name.to_owned()),
        ..Locus::at(0)
    };
    diagnostics.report(
        Diagnostic::new(Code::DeltaEvent, locus)
            .found(why)
            .effect("its events are missing"),
    );
}

/// Reads one file of a folder. The error is what was found instead of a delta snapshot.
fn read_file(
    path: &Path,
    unpacking: &Unpacking,
    diagnostics: &Diagnostics,
) -> Result<DeltaFile, String> {
    let source = Source::open_unpacking(path, unpacking).map_err(|error| match error {
        SourceError::Packed { error, .. } => format!("a file that {error}"),
        error => error.to_string(),
    })?;
    if source.len_bytes() > unpacking.up_to_bytes && source.unpacked().is_some() {
        return Err(format!("more than {} bytes", unpacking.up_to_bytes));
    }
    if !is_delta_snapshot(source.bytes()) && !is_empty_delta(source.bytes()) {
        return Err("no delta snapshot: no JSON array of events".to_owned());
    }
    Ok(read_source(&source, diagnostics))
}

/// An array without an event.
fn is_empty_delta(bytes: &[u8]) -> bool {
    bytes.starts_with(b"[]")
}

fn read_source(source: &Source, diagnostics: &Diagnostics) -> DeltaFile {
    let name = source.path().file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    if let Some(damage) = source
        .unpacked()
        .and_then(|unpacked| unpacked.damage.as_ref())
    {
        let locus = Locus {
            file: Some(name.clone()),
            ..Locus::at(source.len_bytes())
        };
        diagnostics.report(
            Diagnostic::new(Code::ArchiveDamaged, locus)
                .found(damage.clone())
                .effect("its later events are missing"),
        );
    }
    DeltaFile {
        stated: BackupName::parse(&name),
        delta: Delta::read(source.bytes(), &name, diagnostics),
        len_bytes: source.len_bytes(),
        name,
    }
}

impl Deltas {
    /// The events of a single file.
    pub(super) fn single(source: &Source, diagnostics: &Diagnostics) -> Self {
        Self {
            files: vec![read_source(source, diagnostics)],
            ..Self::default()
        }
    }

    /// Whether there is no full snapshot.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.base.is_none()
    }

    /// The folder. None for a single file.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The delta snapshots, by last revision.
    #[must_use]
    pub fn files(&self) -> &[DeltaFile] {
        &self.files
    }

    /// The full snapshot that is the database.
    #[must_use]
    pub fn base(&self) -> Option<&BackupFile> {
        self.base.as_ref()
    }

    /// The other full snapshots, by last revision.
    #[must_use]
    pub fn others(&self) -> &[BackupFile] {
        &self.others
    }

    /// Newer full snapshots that cannot be used.
    #[must_use]
    pub fn skipped(&self) -> &[(String, Arc<NoAnswer>)] {
        &self.skipped
    }

    /// The main revisions with events, ascending, with the times at which they were received and the files.
    fn revisions(&self) -> Vec<(i64, Option<i64>, &str)> {
        let mut revisions: Vec<(i64, Option<i64>, &str)> = Vec::new();
        for file in &self.files {
            let of_file = file.delta.times();
            revisions.extend(of_file.map(|(main, time)| (main, time, file.name.as_str())));
        }
        // If two files have the same revision, the first one counts, as for records.
        revisions.arrange_by_key(|(main, ..)| *main);
        revisions.dedup_by_key(|(main, ..)| *main);
        revisions
    }

    /// The newest revision up to which every write is known: the last one before a gap, and before an event that could
    /// not be read. `store` is that of the full snapshot. None if there is no full snapshot and no event.
    pub(super) fn complete(&self, store: Option<&Store<'_>>) -> Option<i64> {
        let state = store.map(state_revision);
        let before_gap = self.report_gaps(state, &Diagnostics::new());
        let files = self.files.iter();
        let incomplete = files.filter_map(|file| file.delta.incomplete_from());
        // Up to the full snapshot nothing is missing, whatever the files have.
        let before_loss = incomplete.filter(|from| state.is_none_or(|state| *from > state));
        let before_loss = before_loss.map(|from| from.saturating_sub(1)).min();
        before_gap.map(|before_gap| before_gap.min(before_loss.unwrap_or(i64::MAX)))
    }

    /// Reports gaps: revisions after the full snapshot that no file has although a file has later ones. Returns the
    /// last revision before the first gap.
    fn report_gaps(&self, state: Option<i64>, diagnostics: &Diagnostics) -> Option<i64> {
        let mut complete = None;
        let mut last = state;
        let mut before: Option<&str> = self.base.as_ref().map(|_| "the full snapshot");
        let mut gaps = 0_usize;
        for (main, _, file) in self.revisions() {
            if state.is_some_and(|state| main <= state) {
                continue;
            }
            if let Some(last) = last.filter(|last| main > last.saturating_add(1)) {
                complete = complete.or(Some(last));
                gaps = gaps.saturating_add(1);
                if gaps <= GAPS_REPORTED {
                    let before = before.unwrap_or_default();
                    report_gap((last, main), (before, file), diagnostics);
                }
            }
            last = Some(main);
            before = Some(file);
        }
        complete.or(last)
    }

    /// The store of the events alone.
    ///
    /// # Errors
    /// If there is no event.
    pub(super) fn alone<'a>(
        &'a self,
        given: &Path,
        diagnostics: &'a Diagnostics,
    ) -> Result<Store<'a>, NoAnswer> {
        let store = empty::store(diagnostics).map_err(|error| NoAnswer::NoState {
            path: given.to_path_buf(),
            error: Box::new(error),
            is_verdict: false,
        })?;
        let revisions = self.revisions();
        let Some((first, ..)) = revisions.first() else {
            return Err(NoAnswer::NoDeltaEvents(given.to_path_buf()));
        };
        self.report_gaps(None, diagnostics);
        Ok(self.added(store).beginning_at(*first))
    }

    /// A store with the events in addition.
    pub(super) fn add_to<'a>(&'a self, store: Store<'a>) -> Store<'a> {
        self.check(Some(&store), store.db().diagnostics());
        self.added(store)
    }

    fn added<'a>(&'a self, store: Store<'a>) -> Store<'a> {
        let records = self.files.iter().flat_map(|file| file.delta.records());
        let records: Vec<Record<'a>> = records.collect();
        let revisions = self.revisions().into_iter();
        let times = revisions.filter_map(|(main, time, _)| Some((main, time?)));
        store.with(records).with_times(times.collect())
    }

    /// The notice about them. `state` is the last revision of the full snapshot.
    pub(super) fn notices(&self, store: &Store<'_>, notices: &Notices) {
        for (name, why) in &self.skipped {
            notices.add(Notice::FullSnapshotSkipped(name.clone(), Arc::clone(why)));
        }
        let state = self.base.as_ref().map(|_| state_revision(store));
        let revisions = self.revisions();
        let received = self.files.iter().filter_map(|file| file.delta.received());
        let ends = revisions.first().zip(revisions.last());
        notices.add(Notice::Deltas(DeltasFound {
            base: self.base.as_ref().map(BackupFile::file_name),
            is_folder: self.folder.is_some(),
            files: self.files.len(),
            state,
            revisions: ends.map(|((first, ..), (last, ..))| (*first, *last)),
            until: received.map(|(_, last)| last).max(),
            complete: self.complete(self.base.as_ref().map(|_| store)),
        }));
    }

    /// The newest other full snapshot that is not after a revision.
    pub(super) fn older_full(&self, at: i64) -> Option<(PathBuf, String)> {
        let mut older = self.others.iter().rev();
        let full = older.find(|full| full.name.last <= at)?;
        Some((self.folder.clone()?, full.file_name()))
    }

    /// How many events and keys there are.
    pub(super) fn counts(&self) -> (u64, u64) {
        let records = self.files.iter().flat_map(|file| file.delta.records());
        let mut count = 0_u64;
        let mut keys = HashSet::new();
        for record in records {
            count = count.saturating_add(1);
            keys.insert(record.key);
        }
        (count, keys.len() as u64)
    }

    /// Reports revisions that are missing after a full snapshot, or between events alone.
    pub(super) fn check(&self, store: Option<&Store<'_>>, diagnostics: &Diagnostics) {
        self.report_gaps(store.map(state_revision), diagnostics);
    }
}

/// The last revision of the state, without what was added to it.
fn state_revision(store: &Store<'_>) -> i64 {
    let last = store.state().records(Direction::Backward).next();
    last.map_or(1, |record| record.revision.main)
        .max(store.state().revision())
}

fn report_gap((last, main): (i64, i64), (before, file): (&str, &str), diagnostics: &Diagnostics) {
    let (from, to) = (last.saturating_add(1), main.saturating_sub(1));
    let runs = match from == to {
        true => format!("no delta snapshot with revision {from}"),
        false => format!("no delta snapshot with revisions {from} to {to}"),
    };
    let between = match before == file {
        true => format!("in {file}"),
        false => format!("between {before} and {file}"),
    };
    let locus = Locus {
        file: Some(file.to_owned()),
        ..Locus::default()
    };
    diagnostics.report(
        Diagnostic::new(Code::DeltaGap, locus.revision(main, 0))
            .found(format!("{runs}, {between}"))
            .effect("answers are complete up to the revision before it; keys written in it may be older or missing in later ones"),
    );
}
