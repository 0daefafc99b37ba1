//! What `restore` could write of a damaged file, as a hint of the verbs that only report damage.

use crate::k8s::encrypt::Keyring;
use crate::query::directory::log_of;
use crate::query::evidence::{Evidence, Verify};
use crate::query::notice::Notices;
use crate::query::origins::{Origins, ReplayRequest};
use crate::query::question::Question;
use crate::query::replayed::LogFault;

use super::refusal::{Refusal, RestoreError};
use super::request::RestoreRequest;
use super::{RecordsAfter, Restore};

/// What `restore` could write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// What it could write.
    pub writes: Writes,
    /// Whether it needs the write-ahead log of the data directory for that.
    pub uses_log: bool,
}

/// What a restore could write, by how much of the source it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// The newest state, complete.
    Complete {
        /// Its revision.
        newest: i64,
    },
    /// The state at an earlier revision.
    Earlier {
        /// The newest revision whose state is complete.
        complete: i64,
        /// What is known after it.
        after: RecordsAfter,
        /// Whether the later revisions are wrong, because the member skipped entries of its log.
        is_skipped: bool,
    },
    /// Only a part of the records; no revision is complete.
    Part,
    /// Nothing: the state cannot be read, or `restore` refuses even with `--allow-loss`.
    Nothing,
}

impl Writes {
    /// The newest revision that could be written complete.
    fn complete(&self) -> Option<i64> {
        match self {
            Self::Complete { newest } => Some(*newest),
            Self::Earlier { complete, .. } => Some(*complete),
            Self::Part | Self::Nothing => None,
        }
    }
}

impl Outlook {
    /// Decides a restore of a file with the default flags. Nothing is written. If the file is in a data directory, the
    /// same restore with `--wal` is decided too, and is the result if it gives a later complete revision.
    pub fn read(evidence: &Evidence) -> Self {
        let alone = writes(evidence);
        if matches!(alone, Writes::Complete { .. }) || evidence.logs().is_some() {
            return Self {
                writes: alone,
                uses_log: false,
            };
        }
        match with_log(evidence).filter(|with_log| with_log.complete() > alone.complete()) {
            Some(writes) => Self {
                writes,
                uses_log: true,
            },
            None => Self {
                writes: alone,
                uses_log: false,
            },
        }
    }
}

/// What a restore with `--wal` could write; none if the file is not in a data directory with a log.
fn with_log(evidence: &Evidence) -> Option<Writes> {
    log_of(evidence)?;
    let origins = Origins::new(false, Some(None)).for_restore(ReplayRequest::default());
    // The file is opened again, because the origins of an open one do not change.
    let again = Evidence::open(evidence.given_path(), Verify::Always).ok()?;
    let again = again.by_meta(evidence.meta_by()).with_origins(origins);
    Some(writes(&again.ok()?))
}

/// Decides a restore with the default flags.
fn writes(evidence: &Evidence) -> Writes {
    let (keyring, notices) = (Keyring::default(), Notices::default());
    let Ok(question) = Question::open(evidence, &keyring, &notices) else {
        return Writes::Nothing;
    };
    let request = RestoreRequest {
        // Any valid value: leases have no influence on the decision.
        lease_ttl: 1,
        meta_is_chosen: evidence.meta_is_chosen(),
        ..RestoreRequest::default()
    };
    let refused = match Restore::read(&question, request) {
        Ok(restore) => {
            return Writes::Complete {
                newest: restore.newest,
            };
        }
        Err(RestoreError::NoAnswer(_)) => return Writes::Nothing,
        Err(RestoreError::Refused(refused)) => refused,
    };
    let is_skip = |reason: &Refusal| {
        matches!(
            reason,
            Refusal::Log {
                fault: LogFault::Skipped { .. },
                ..
            }
        )
    };
    match refused.details.complete {
        Some(complete) => Writes::Earlier {
            complete,
            after: refused.details.after,
            is_skipped: refused.reasons.iter().any(is_skip),
        },
        None if refused.reasons.iter().all(Refusal::is_loss) => Writes::Part,
        None => Writes::Nothing,
    }
}
