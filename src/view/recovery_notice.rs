//! What the recovery of deleted objects has to admit, as sentences.

use crate::named::key_text;
use crate::query::recovery_notice::{Keys, Kinds, RecoveryNotice};

use super::table::cell;
use super::time;

/// How many kinds are named in a sentence.
const NAMED: usize = 6;

/// What can be done, if that is what the notice is about.
#[must_use]
pub fn hint(notice: &RecoveryNotice) -> Option<&'static str> {
    match notice {
        RecoveryNotice::TwoRuns => Some(
            "run `kubectl apply` twice: custom resources are refused until their definitions are there",
        ),
        _ => None,
    }
}

/// The sentence of a notice that is no hint.
#[must_use]
pub fn text(notice: &RecoveryNotice) -> String {
    match notice {
        RecoveryNotice::NamespaceDeleted { .. } => namespace_deleted(notice),
        RecoveryNotice::LeftOut(by_reason) => {
            let count: usize = by_reason.iter().map(|(_, kinds)| kinds.count()).sum();
            let parts: Vec<String> = by_reason
                .iter()
                .map(|(reason, kinds)| {
                    let (count, kinds) = (kinds.count(), kinds_text(kinds));
                    format!("{count} {} ({kinds})", reason.as_str())
                })
                .collect();
            format!(
                "{count} are left out: {}; --controlled brings them back too",
                parts.join("; ")
            )
        }
        RecoveryNotice::TwoRuns => String::new(),
        RecoveryNotice::CreatedLate(kinds) => format!(
            "{} were made while the deletion went on, and are left out: {}; --last brings them back",
            kinds.count(),
            kinds_text(kinds)
        ),
        RecoveryNotice::Unreadable(keys) => format!(
            "{} cannot be read, and do not come back ({})",
            keys.count,
            first_of(keys)
        ),
        RecoveryNotice::FromFreedPages { count, of } => format!(
            "{count} of {of} come from freed pages: a later version of them may be in no page any more"
        ),
        RecoveryNotice::AfterDeletionBegan { keys, is_carved } => format!(
            "{} of them are as they were after their deletion began: what was before is not retained ({}){}",
            keys.count,
            first_of(keys),
            if *is_carved {
                ""
            } else {
                "; --carve may have it"
            }
        ),
        RecoveryNotice::Older(keys) => format!(
            "{} of them are older than they were: versions behind them are in no page ({})",
            keys.count,
            first_of(keys)
        ),
        RecoveryNotice::NoObjects(keys) => format!(
            "{} are no objects ({}): --out writes their values",
            keys.count,
            first_of(keys)
        ),
        RecoveryNotice::WithoutOwners { keys, keeps_owners } => {
            let why = if *keeps_owners {
                "that are not there"
            } else {
                "(--keep-owners keeps those to owners that are there)"
            };
            format!(
                "{} are without references to owners {why}: a garbage collector deletes what refers to an owner it does not know ({})",
                keys.count,
                first_of(keys)
            )
        }
        RecoveryNotice::WithoutVolumes(keys) => format!(
            "{} were bound to volumes, which are left out: the first lines of each manifest say which, and how to take the old one ({})",
            keys.count,
            first_of(keys)
        ),
    }
}

fn namespace_deleted(notice: &RecoveryNotice) -> String {
    let RecoveryNotice::NamespaceDeleted {
        name,
        began,
        time,
        objects,
        deleted_at,
        is_before,
    } = notice
    else {
        return String::new();
    };
    let when = time::text(time);
    let mut text = format!("namespace {name} turned Terminating at revision {began} ({when})");
    if let Some((count, first, last)) = objects {
        text.push_str(&format!(
            "; {count} of its objects went from revision {first} to {last}"
        ));
    }
    if let Some(deleted_at) = deleted_at {
        text.push_str(&format!(", it itself at {deleted_at}"));
    }
    if *is_before {
        text.push_str("; the values are those from before it did");
    }
    text
}

/// The first of some keys, and that there are more.
fn first_of(keys: &Keys) -> String {
    let more = if keys.count > 1 { ", ..." } else { "" };
    format!("{}{more}", key_text(&keys.first))
}

/// `12 Pod, 3 ReplicaSet`: the most frequent kinds.
fn kinds_text(Kinds(counts): &Kinds) -> String {
    let named: Vec<String> = counts
        .iter()
        .take(NAMED)
        .map(|(kind, count)| format!("{count} {}", cell(kind)))
        .collect();
    let more = if counts.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", named.join(", "))
}
