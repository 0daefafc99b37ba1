//! What `restore` could write of a damaged file, as a hint of the verbs that only report damage.

use crate::k8s::encrypt::Keyring;
use crate::query::evidence::Evidence;
use crate::query::notice::Notices;
use crate::query::question::Question;

use super::Restore;
use super::refusal::RestoreError;
use super::request::RestoreRequest;

/// What `restore` could write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// The newest state, complete.
    Complete {
        /// Its revision.
        newest: i64,
    },
    /// The state at an earlier revision.
    Earlier {
        /// The newest revision whose state is complete.
        complete: i64,
        /// The newest revision that is known.
        newest: i64,
    },
    /// Only a part of the records; no revision is complete.
    Part,
    /// Nothing: the state cannot be read, or `restore` refuses even with `--allow-loss`.
    Nothing,
}

impl Outlook {
    /// Decides a restore of a file with the default flags. Nothing is written.
    pub fn read(evidence: &Evidence) -> Self {
        let (keyring, notices) = (Keyring::default(), Notices::default());
        let Ok(question) = Question::open(evidence, &keyring, &notices) else {
            return Self::Nothing;
        };
        let request = RestoreRequest {
            // Any valid value: leases have no influence on the decision.
            lease_ttl: 1,
            meta_is_chosen: evidence.meta_is_chosen(),
            ..RestoreRequest::default()
        };
        match Restore::read(&question, request) {
            Ok(restore) => Self::Complete {
                newest: restore.newest,
            },
            Err(RestoreError::NoAnswer(_)) => Self::Nothing,
            Err(RestoreError::Refused(refused)) => match refused.details.complete {
                Some(complete) => Self::Earlier {
                    complete,
                    newest: refused.details.newest,
                },
                None if refused.reasons.iter().all(super::Refusal::is_loss) => Self::Part,
                None => Self::Nothing,
            },
        }
    }
}
