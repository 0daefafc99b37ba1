//! Why something that was deleted does not come back.

use std::collections::BTreeSet;

use crate::k8s::controlled::Reason;

/// Why something does not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// The server or a controller makes it.
    Controlled(Reason),
    /// A Job or a pod that ended, and would run again.
    Finished,
    /// It was deleted before the deletion of its namespace began, or before its Helm release was uninstalled, or by an
    /// upgrade of the release.
    Before,
    /// A volume whose storage its provisioner deleted with its claim.
    StorageGone,
    /// It was made while the deletion of its namespace or its owner went on.
    CreatedLate,
    /// The key was written again later.
    MadeAgain,
    /// It is encrypted, or damaged.
    Unreadable,
}

impl LeftOut {
    /// The word for it in output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Controlled(reason) => reason.word(),
            Self::Finished => "finished",
            Self::Before => "before",
            Self::StorageGone => "volume",
            Self::CreatedLate => "late",
            Self::MadeAgain => "made-again",
            Self::Unreadable => "unreadable",
        }
    }

    /// The flag that brings it back; none if no flag does.
    pub fn flag(self) -> Option<&'static str> {
        match self {
            Self::Controlled(_) | Self::StorageGone => Some("--controlled"),
            Self::Finished => Some("--finished"),
            Self::Before => Some("--before"),
            Self::CreatedLate => Some("--last"),
            Self::MadeAgain | Self::Unreadable => None,
        }
    }

    /// Whether a list of what was deleted has a row for it: somebody deleted it, no controller.
    pub fn is_listed(self) -> bool {
        !matches!(self, Self::Controlled(_) | Self::CreatedLate)
    }
}

/// What comes back although there is a reason to leave it out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Reasons by their words; all of those that have this flag if it is `all`.
    pub controlled: BTreeSet<String>,
    /// What ended.
    pub finished: bool,
    /// What was deleted before its namespace or its release.
    pub before: bool,
}

/// The word for all reasons that `--controlled` takes.
pub const ALL: &str = "all";

impl Kept {
    /// The words that name a reason on the command line.
    pub fn words() -> impl Iterator<Item = &'static str> {
        let controlled = Reason::ALL.map(LeftOut::Controlled);
        let controlled = controlled.into_iter().chain([LeftOut::StorageGone]);
        controlled.map(LeftOut::word).chain([ALL])
    }

    /// Whether what has this reason comes back all the same.
    pub fn keeps(&self, reason: LeftOut) -> bool {
        match reason {
            LeftOut::Controlled(_) | LeftOut::StorageGone => {
                self.controlled.contains(reason.word()) || self.controlled.contains(ALL)
            }
            LeftOut::Finished => self.finished,
            LeftOut::Before => self.before,
            LeftOut::CreatedLate | LeftOut::MadeAgain | LeftOut::Unreadable => false,
        }
    }
}
