//! Why something that was deleted does not come back.

use std::collections::BTreeSet;

use crate::k8s::controlled::Reason;

/// Why something does not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// The server or a controller makes it.
    Controlled(Reason),
    /// A Job or a pod that had finished. It would run again.
    Finished,
    /// It was deleted before the deletion of its namespace began, or before its Helm release was uninstalled, or by an
    /// upgrade of the release.
    Before,
    /// A PersistentVolume whose storage the provisioner deleted when its claim was deleted.
    StorageGone,
    /// It was created while its namespace or its owner was being deleted.
    CreatedLate,
    /// The key was written again later.
    MadeAgain,
    /// Its value is still encrypted, or damaged.
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

    /// Whether a list of deleted objects has a row for it. An object that a controller creates, or that was created
    /// during the deletion, has none.
    pub fn is_listed(self) -> bool {
        !matches!(self, Self::Controlled(_) | Self::CreatedLate)
    }
}

/// What comes back although there is a reason to leave it out: the flags of `recover`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The words given to `--controlled`: reasons, or `all` for each reason that has this flag.
    pub controlled: BTreeSet<String>,
    /// Finished Jobs and pods.
    pub finished: bool,
    /// Objects that were deleted before their namespace or Helm release.
    pub before: bool,
}

/// The word that `--controlled` accepts for all reasons.
pub const ALL: &str = "all";

impl Kept {
    /// The words that `--controlled` accepts.
    pub fn words() -> impl Iterator<Item = &'static str> {
        let controlled = Reason::ALL.map(LeftOut::Controlled);
        let controlled = controlled.into_iter().chain([LeftOut::StorageGone]);
        controlled.map(LeftOut::word).chain([ALL])
    }

    /// Whether an object with this reason comes back, because the user asked for it. No flag brings back what was
    /// created late, written again or cannot be read.
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
