//! The verdict on a file: `status`, `fsck` and the exit code all use the same one.

use crate::diag::{Code, Damage, Severity};
use crate::source::Change;

use super::evidence::Evidence;

/// How intact a file is. A larger value is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Nothing above info was found.
    Intact,
    /// Other bytes follow a correct SHA-256, and nothing else is wrong. etcdutl does not restore the file as it is.
    Followed,
    /// The parts of the data directory do not belong together, and nothing else is wrong.
    PartsDisagree,
    /// Something is wrong, yet every record could be read.
    Harmless,
    /// Records may be missing.
    Damaged,
}

/// How certain it is that a copy is torn, by its findings. A copy is torn if it was taken while etcd was writing: its
/// pages belong to several states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Torn {
    /// The file is another program's. It may be torn or damaged.
    Foreign,
    /// Other damage was found too, so the file may be damaged instead of torn.
    OrDamaged,
    /// At most one certain sign of a torn copy, and no other damage. A single altered page would explain it too.
    OrAltered,
    /// Several signs of a torn copy, and no other damage.
    TwoStates,
    /// The only sign is that the states of the two meta pages contradict each other.
    OutOfOrder,
}

/// What the checks of a file add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How intact it is.
    pub health: Health,
    /// Whether the copy is torn.
    pub torn: Option<Torn>,
    /// Whether the file is another program's.
    pub is_foreign: bool,
    /// Whether the file changed while it was read.
    pub has_changed: bool,
    /// Whether all that is wrong is that the member skipped entries of its write-ahead log: every record can be read, but
    /// the keys and revisions are not those of the cluster.
    pub has_skipped_entries: bool,
}

/// Findings by their codes, with their counts and those that were kept.
pub type Findings = [(Code, u64, Vec<Damage>)];

impl Verdict {
    /// The verdict by these findings. A file that changed while it was read, or whose copy is torn, counts as damaged
    /// whatever its findings are. A file that only became longer has not changed: the bytes that were read are the
    /// same.
    pub fn new(evidence: &Evidence, findings: &Findings) -> Self {
        let change = evidence.change();
        let has_changed = change.is_some_and(|change| change != Change::Longer);
        let torn = torn(evidence);
        let codes = || findings.iter().map(|(code, ..)| *code);
        let health = match codes().map(Code::severity).max() {
            _ if has_changed || torn.is_some() => Health::Damaged,
            None | Some(Severity::Info) => Health::Intact,
            Some(Severity::Warning) => {
                let above_info = || codes().filter(|code| code.severity() > Severity::Info);
                if above_info().all(|code| code == Code::TrailerFollowed) {
                    Health::Followed
                } else if above_info().all(Code::is_about_directory) {
                    Health::PartsDisagree
                } else {
                    Health::Harmless
                }
            }
            Some(Severity::Error) => Health::Damaged,
        };
        Self {
            health,
            torn,
            is_foreign: evidence.is_foreign(),
            has_changed,
            has_skipped_entries: has_skipped_entries(findings) && !has_changed && torn.is_none(),
        }
    }

    /// Whether nothing above info was found, and the copy is not torn.
    pub fn is_intact(&self) -> bool {
        self.health == Health::Intact
    }
}

/// Whether skipped entries of the log are the only error.
fn has_skipped_entries(findings: &Findings) -> bool {
    let errors = || {
        let codes = findings.iter().map(|(code, ..)| *code);
        codes.filter(|code| code.severity() == Severity::Error)
    };
    errors().count() > 0 && errors().all(|code| code == Code::DirectoryWrites)
}

/// Whether the copy was taken while etcd was writing, and how certain that is. None if no finding suggests it.
pub fn torn(evidence: &Evidence) -> Option<Torn> {
    let diagnostics = evidence.diagnostics();
    // The missing part of a truncated or unreadable file causes the same findings.
    let is_incomplete =
        diagnostics.count(Code::FileTruncated) + diagnostics.count(Code::ReadError) > 0;
    let found = diagnostics.by_code();
    let may_be_torn = found.iter().any(|(code, ..)| code.may_be_torn_copy());
    if is_incomplete || !(diagnostics.shows_torn_copy() || may_be_torn) {
        return None;
    }
    if evidence.is_foreign() {
        return Some(Torn::Foreign);
    }
    let has_only_signs = found.iter().all(|(code, ..)| {
        code.shows_torn_copy() || code.follows_from_missing() || code.severity() == Severity::Info
    });
    // How many signs the findings of a code are: one damaged page may cause several findings.
    let signs = |code: Code, count: u64| match code {
        // Both buckets that every etcd file has are named in the same root page.
        Code::BucketMissing => count.min(1),
        // After the first gap the pages are scanned for records. Each later gap is then reported as lost records.
        Code::RevisionGap => count.max(diagnostics.count(Code::RecordsLost)),
        _ => count,
    };
    let certain = found.iter().filter(|(code, ..)| code.shows_torn_copy());
    let count = certain.fold(0_u64, |sum, (code, count, _)| {
        sum.saturating_add(signs(*code, *count))
    });
    let is_out_of_order = diagnostics.count(Code::FormerNewer) == count;
    Some(match count {
        _ if !has_only_signs => Torn::OrDamaged,
        1.. if is_out_of_order => Torn::OutOfOrder,
        0 | 1 => Torn::OrAltered,
        _ => Torn::TwoStates,
    })
}
