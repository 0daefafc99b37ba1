//! Whether a file is a usable backup: the verdict of `fsck`, how far the records reach, and what was required of it.

use crate::diag::Code;
use crate::etcd::record_pass::RecordCounts;
use crate::etcd::status::{StoreStatus, Unreachable};
use crate::etcd::{AtRevision, Keyspace, Store};
use crate::k8s::audit::{Encryption, Protection};
use crate::k8s::encrypt::Keyring;
use crate::source::{PackedAs, TrailerCheck};

use super::deltas::Deltas;
use super::evidence::Evidence;
use super::file_status::{FileStatus, Finding, deltas_status};
use super::log_beside::LogBeside;
use super::no_answer::NoAnswer;
use super::timeline::Timeline;
use super::verdict::{Health, Verdict};

/// How far two clocks may differ, in seconds. A newest write further in the future has no age.
pub const CLOCK_SKEW_SECONDS: i64 = 5 * 60;

/// What is required of a file besides being intact.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requirements {
    /// Whether it must end with a SHA-256.
    pub sha: bool,
    /// The newest write may be this old, in seconds.
    pub max_age: Option<i64>,
    /// It must reach this revision.
    pub min_revision: Option<i64>,
    /// The time from which ages are counted, in seconds since 1970.
    pub now: i64,
}

/// A requirement that a file does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet {
    /// It has no key.
    Empty,
    /// It is delta snapshots without the full snapshot that they continue.
    NoFullSnapshot,
    /// It has no SHA-256 that was verified.
    NoSha {
        /// Whether it has one, which is wrong or is not at its end.
        has_other: bool,
    },
    /// Its newest write is too old.
    TooOld {
        /// Its age, in seconds.
        age: i64,
        /// The age that is allowed, in seconds.
        most: i64,
    },
    /// No value in it has a time.
    NoTimes {
        /// Whether that is because values are encrypted.
        is_encrypted: bool,
    },
    /// Its newest write is later than the time from which ages are counted, by so many seconds.
    InFuture(i64),
    /// Its records are not complete up to a revision.
    RevisionBelow {
        /// The revision up to which they are complete; none if it is not known.
        revision: Option<i64>,
        /// The revision that it should reach.
        least: i64,
    },
}

/// What `etcdutl snapshot restore` does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restore {
    /// It restores the file.
    Accepts,
    /// It restores the file with `--skip-hash-check` only, because the file has no SHA-256.
    NeedsSkipHashCheck,
    /// It refuses the file, because its SHA-256 is wrong or is not at its end.
    Refuses,
    /// It may refuse the file, although every record could be read.
    Unknown,
    /// Its own checks may not find the damage. What it restores is not what was saved.
    Unsafe,
}

/// How far the records of a store reach, the events of its delta snapshots included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// The newest revision.
    pub revision: i64,
    /// The newest revision up to which every record could be read. Later records are in the file, but not all of them.
    pub complete: i64,
    /// How many later revisions are known to be missing or incomplete.
    pub missing_revisions: u64,
    /// How many records there are.
    pub records: u64,
    /// How many keys are live at the newest revision that is complete.
    pub live_keys: u64,
    /// Whether a key is live at the newest revision.
    pub has_keys: bool,
    /// About when that revision was written, in seconds since 1970.
    pub complete_time: Option<i64>,
    /// The newest time in the store, in seconds since 1970.
    pub newest_time: Option<i64>,
}

/// A file that could be read.
#[derive(Debug)]
pub struct VerifiedFile {
    /// Its length in bytes.
    pub size_bytes: u64,
    /// The result for the SHA-256 at its end; none if it was not checked.
    pub trailer: Option<TrailerCheck>,
    /// Whether it was unpacked.
    pub is_packed: bool,
    /// How many files of a write-ahead log, and how many delta snapshots, are next to it in its archive. They are not read.
    pub beside_in_archive: (usize, usize),
    /// The verdict of `fsck`.
    pub verdict: Verdict,
    /// The findings of `fsck`.
    pub findings: Vec<Finding>,
    /// The store; none of delta snapshots alone.
    pub store: Option<StoreStatus>,
    /// How far its records reach; none of delta snapshots alone.
    pub reach: Option<Reach>,
    /// How its live values are encrypted at rest, each provider and key once.
    pub encrypted_by: Vec<Protection>,
    /// Whether keys were given, and every encrypted value was decrypted.
    pub is_decrypted: bool,
    /// The revision of the full snapshot, if delta snapshots continue it. etcdutl restores the full snapshot alone.
    pub full_revision: Option<i64>,
    /// The write-ahead log next to the database, if that has requests which the database lacks.
    pub log: Option<LogBeside>,
    /// What `etcdutl snapshot restore` does with it.
    pub restore: Restore,
    /// Which requirements it does not meet.
    pub unmet: Vec<Unmet>,
}

/// The result for one file. A larger value is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is intact, and meets every requirement.
    Ok,
    /// Every record could be read, but something is wrong or a requirement is not met.
    Failed,
    /// It could not be read as a database of etcd.
    Unreadable,
    /// It is damaged: records may be missing.
    Damaged,
}

impl Outcome {
    /// The outcome for a file that could not be read.
    #[must_use]
    pub fn without_answer(no: &NoAnswer) -> Self {
        match no.is_refusal_of_damage() {
            true => Self::Damaged,
            false => Self::Unreadable,
        }
    }
}

impl VerifiedFile {
    /// Checks a file.
    ///
    /// # Errors
    /// If no state of etcd can be read from it.
    pub fn read(
        evidence: &Evidence,
        keyring: &Keyring,
        required: &Requirements,
    ) -> Result<Self, NoAnswer> {
        let mut file = match evidence.deltas_alone() {
            Some(deltas) => Self::from_deltas(evidence, deltas)?,
            None => Self::from_store(evidence, keyring)?,
        };
        file.unmet = file.unmet_of(required);
        Ok(file)
    }

    /// Checks a database, with the delta snapshots next to it. No requirement is checked yet.
    fn from_store(evidence: &Evidence, keyring: &Keyring) -> Result<Self, NoAnswer> {
        let store = evidence.store().map_err(NoAnswer::into_verdict)?;
        if store.is_foreign() {
            return Err(evidence.foreign(&store));
        }
        let status = FileStatus::read_all_layers(evidence, &store, keyring);
        if let Err(why @ (Unreachable::NoBucket | Unreachable::NoRootPage)) = status.store.records {
            return Err(NoAnswer::Unreachable(why));
        }
        let encrypted_by = protections(&status.encryption);
        let is_decrypted =
            !keyring.is_empty() && evidence.diagnostics().count(Code::ValueNotDecrypted) == 0;
        let whole = match evidence.deltas() {
            Some(deltas) => deltas.add_to(store),
            None => store,
        };
        let complete = evidence
            .deltas()
            .and_then(|deltas| deltas.complete(Some(&whole)));
        let trailer = evidence.trailer().copied();
        let reach = reach_of(&whole, complete, &status.store, keyring);
        let full_revision = whole.state().revision();
        Ok(Self {
            size_bytes: evidence.source().len_bytes(),
            trailer,
            is_packed: evidence.source().unpacked().is_some_and(|unpacked| {
                // Standard input alone is no package.
                let mut layers = unpacked.layers.iter();
                layers.any(|layer| *layer != PackedAs::StandardInput)
            }),
            beside_in_archive: evidence
                .source()
                .unpacked()
                .map_or((0, 0), |unpacked| (unpacked.log_files, unpacked.deltas)),
            verdict: status.verdict,
            restore: restore_of(evidence, &status.verdict),
            findings: status.findings,
            reach: Some(reach),
            full_revision: Some(full_revision).filter(|full| *full < reach.revision),
            store: Some(status.store),
            encrypted_by,
            is_decrypted,
            log: status.log,
            unmet: Vec::new(),
        })
    }

    /// Checks delta snapshots without a full snapshot. No requirement is checked yet.
    fn from_deltas(evidence: &Evidence, deltas: &Deltas) -> Result<Self, NoAnswer> {
        let checked = deltas_status(evidence)?;
        let sizes = deltas.files().iter().map(|file| file.len_bytes);
        Ok(Self {
            size_bytes: sizes.fold(0, u64::saturating_add),
            trailer: None,
            is_packed: false,
            beside_in_archive: (0, 0),
            verdict: checked.verdict,
            findings: checked.findings,
            store: None,
            reach: None,
            encrypted_by: Vec::new(),
            is_decrypted: false,
            full_revision: None,
            log: None,
            restore: Restore::Refuses,
            unmet: Vec::new(),
        })
    }

    /// The result for the file.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.verdict.health {
            Health::Damaged => Outcome::Damaged,
            Health::Intact if self.unmet.is_empty() => Outcome::Ok,
            _ => Outcome::Failed,
        }
    }

    /// Which requirements the file does not meet. That it has keys is always required.
    fn unmet_of(&self, required: &Requirements) -> Vec<Unmet> {
        let mut unmet = Vec::new();
        if self.store.is_none() {
            unmet.push(Unmet::NoFullSnapshot);
        } else if self.reach.is_some_and(|reach| !reach.has_keys) {
            unmet.push(Unmet::Empty);
        }
        match self.trailer {
            Some(TrailerCheck::Good) => {}
            _ if !required.sha => {}
            trailer => unmet.push(Unmet::NoSha {
                has_other: !matches!(trailer, None | Some(TrailerCheck::Absent)),
            }),
        }
        unmet.extend(
            required
                .max_age
                .and_then(|most| self.age(most, required.now)),
        );
        let revision = self.reach.map(|reach| reach.complete);
        if let Some(least) = required.min_revision
            && revision.is_none_or(|revision| revision < least)
        {
            unmet.push(Unmet::RevisionBelow { revision, least });
        }
        unmet
    }

    /// Why the newest write does not meet the greatest allowed age; none if it does.
    fn age(&self, most: i64, now: i64) -> Option<Unmet> {
        let Some(newest) = self.reach.and_then(|reach| reach.newest_time) else {
            return Some(Unmet::NoTimes {
                is_encrypted: !self.encrypted_by.is_empty(),
            });
        };
        let age = now.saturating_sub(newest);
        if age < -CLOCK_SKEW_SECONDS {
            return Some(Unmet::InFuture(age.saturating_neg()));
        }
        (age > most).then_some(Unmet::TooOld { age, most })
    }
}

/// How far the records of a store reach. `whole` is the store with its delta snapshots, if it has some, and
/// `with_deltas` the newest revision up to which these are complete; `status` is that of the database alone.
fn reach_of(
    whole: &Store<'_>,
    with_deltas: Option<i64>,
    status: &StoreStatus,
    keyring: &Keyring,
) -> Reach {
    let timeline = Timeline::read(whole, keyring);
    let revision = whole.current_revision();
    let counts = match (&status.records, with_deltas) {
        (Ok(records), None) => records.counts.clone(),
        _ => RecordCounts::read(whole),
    };
    let complete = match counts.missing_revisions {
        0 => revision,
        _ => counts.complete,
    };
    let complete = complete.min(with_deltas.unwrap_or(i64::MAX));
    let live_keys = match complete < revision {
        true => {
            let keyspace = Keyspace::at(whole, AtRevision(complete), |_| true);
            keyspace.live.len() as u64
        }
        false => counts.live_keys,
    };
    Reach {
        revision,
        complete,
        missing_revisions: counts.missing_revisions,
        records: counts.records,
        live_keys,
        has_keys: counts.live_keys > 0,
        complete_time: timeline.clock().estimate(complete),
        newest_time: timeline.clock().newest(),
    }
}

/// What `etcdutl snapshot restore` does with a file. It checks the SHA-256 before anything else.
fn restore_of(evidence: &Evidence, verdict: &Verdict) -> Restore {
    let is_sha_wrong = evidence.diagnostics().count(Code::TrailerMismatch) > 0;
    match evidence.trailer() {
        _ if is_sha_wrong => Restore::Refuses,
        Some(TrailerCheck::Followed { .. }) => Restore::Refuses,
        _ if verdict.health == Health::Damaged => Restore::Unsafe,
        _ if verdict.health == Health::Harmless => Restore::Unknown,
        Some(TrailerCheck::Good) => Restore::Accepts,
        _ => Restore::NeedsSkipHashCheck,
    }
}

/// The ways in which live values are encrypted, each one once.
fn protections(encryption: &Encryption) -> Vec<Protection> {
    let rows = encryption.rows.iter().map(|row| &row.protection);
    let mut protections: Vec<Protection> = rows
        .filter(|way| **way != Protection::Clear)
        .cloned()
        .collect();
    protections.sort_unstable();
    protections.dedup();
    protections
}
