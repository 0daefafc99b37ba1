//! The verdict on a file: one for `status`, for `fsck` and for the exit code.

use crate::diag::{Code, Damage, Severity};
use crate::source::Change;

use super::evidence::Evidence;

/// How sound a file is; the larger, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Soundness {
    /// Nothing above info was found.
    Sound,
    /// Bytes follow a right SHA-256, and nothing else is wrong: etcdutl does not restore the file as it is.
    Followed,
    /// The parts of the data directory do not belong together, and nothing else is wrong.
    PartsDisagree,
    /// Something is wrong, yet every record could be read.
    Harmless,
    /// Records may be missing.
    Damaged,
}

/// How a copy that was taken while etcd was writing is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Torn {
    /// The file is another program's.
    Foreign,
    /// Other damage was found too.
    OrDamaged,
    /// One finding, which one altered page would explain as well.
    OrAltered,
    /// Several findings, and nothing else.
    TwoStates,
    /// The states of the two meta pages contradict each other, and nothing else.
    OutOfOrder,
}

/// What the checks of a file add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How sound it is.
    pub soundness: Soundness,
    /// Whether the copy is torn.
    pub torn: Option<Torn>,
    /// Whether the file is another program's.
    pub is_foreign: bool,
    /// Whether the file changed while it was read.
    pub has_changed: bool,
}

/// Findings by their codes, with their counts and those that were kept.
pub type Findings = [(Code, u64, Vec<Damage>)];

impl Verdict {
    /// The verdict by these findings. A change of the file while it was read counts too.
    pub fn new(evidence: &Evidence, findings: &Findings) -> Self {
        let change = evidence.change();
        let has_changed = change.is_some_and(|change| change != Change::Longer);
        let torn = torn(evidence);
        let codes = || findings.iter().map(|(code, ..)| *code);
        let soundness = match codes().map(Code::severity).max() {
            _ if has_changed || torn.is_some() => Soundness::Damaged,
            None | Some(Severity::Info) => Soundness::Sound,
            Some(Severity::Warning) => {
                let wrong = || codes().filter(|code| code.severity() > Severity::Info);
                if wrong().all(|code| code == Code::TrailerFollowed) {
                    Soundness::Followed
                } else if wrong().all(Code::is_about_directory) {
                    Soundness::PartsDisagree
                } else {
                    Soundness::Harmless
                }
            }
            Some(Severity::Error) => Soundness::Damaged,
        };
        Self {
            soundness,
            torn,
            is_foreign: evidence.is_foreign(),
            has_changed,
        }
    }

    /// Whether nothing above info was found, and the copy is not torn.
    pub fn is_sound(&self) -> bool {
        self.soundness == Soundness::Sound
    }
}

/// Whether one of the checks failed that show a torn copy.
pub fn torn(evidence: &Evidence) -> Option<Torn> {
    let diagnostics = evidence.diagnostics();
    // A file that is cut, or cannot be read, has gaps for that reason.
    let cut = diagnostics.count(Code::FileTruncated) + diagnostics.count(Code::ReadError) > 0;
    let found = diagnostics.by_code();
    let may_be_torn = found.iter().any(|(code, ..)| code.may_be_torn_copy());
    if cut || !(diagnostics.shows_torn_copy() || may_be_torn) {
        return None;
    }
    if evidence.is_foreign() {
        return Some(Torn::Foreign);
    }
    let only_torn = found.iter().all(|(code, ..)| {
        code.shows_torn_copy() || code.follows_from_missing() || code.severity() == Severity::Info
    });
    // Both buckets that every etcd has may be missing from one root page.
    let counted = |code: Code, count: u64| match code {
        Code::BucketMissing => count.min(1),
        // After the first gap the records come by a scan, and what is still missing is lost.
        Code::RevisionGap => count.max(diagnostics.count(Code::RecordsLost)),
        _ => count,
    };
    let tells = found.iter().filter(|(code, ..)| code.shows_torn_copy());
    let count = tells.fold(0_u64, |sum, (code, count, _)| {
        sum.saturating_add(counted(*code, *count))
    });
    let is_out_of_order = diagnostics.count(Code::FormerNewer) == count;
    Some(match count {
        _ if !only_torn => Torn::OrDamaged,
        1.. if is_out_of_order => Torn::OutOfOrder,
        0 | 1 => Torn::OrAltered,
        _ => Torn::TwoStates,
    })
}
