//! A known cause of a difference as a sentence.

use crate::query::divergence::{EndsEarlier, Shape};

use super::Shown;
use crate::view::human::{counted, plural};

/// The word for a cause in JSON.
pub(super) fn word(cause: &Shape<'_>) -> &'static str {
    match cause {
        Shape::SameFile(..) => "same-file",
        Shape::Empty(_) => "empty",
        Shape::OtherMembers {
            shares_records: true,
            ..
        } => "other-members",
        Shape::OtherMembers { .. } => "another-cluster",
        Shape::NothingShared(..) => "nothing-shared",
        Shape::Ends {
            why: EndsEarlier::LostOrRestored,
            ..
        } => "lost-or-restored",
        Shape::Ends { .. } => "ends-earlier",
        Shape::SkippedWrites {
            is_restored: true, ..
        } => "restored-from-different-snapshots",
        Shape::SkippedWrites { .. } => "skipped-writes",
        Shape::AlteredValue { .. } => "altered-value",
        Shape::LacksRecords { .. } => "lacks-records",
    }
}

/// The sentence for a cause.
pub(super) fn sentence(cause: &Shape<'_>, shown: &Shown<'_, '_>) -> String {
    let name = |database: &usize| shown.name(*database);
    match cause {
        Shape::SameFile(one, other) => {
            format!("{} and {} are the same file", name(one), name(other))
        }
        Shape::Empty(database) => format!("{} is empty: no key was written to it", name(database)),
        Shape::OtherMembers {
            one,
            other,
            shares_records: true,
        } => format!(
            "{} and {} have no member in common, but the same records: one of the clusters was restored from a snapshot",
            name(one),
            name(other)
        ),
        Shape::OtherMembers { one, other, .. } => format!(
            "{} and {} are of two clusters: they have no member in common, and different histories",
            name(one),
            name(other)
        ),
        Shape::NothingShared(one, other) => format!(
            "{} and {} have different histories: they were restored from different snapshots, or are of two clusters",
            name(one),
            name(other)
        ),
        Shape::Ends { .. } => ends(cause, shown),
        Shape::SkippedWrites { .. } => skipped(cause, shown),
        Shape::AlteredValue { .. } => altered(cause, shown),
        Shape::LacksRecords { databases, lacks } => lacking(*databases, *lacks, shown),
    }
}

/// That databases lack records of each other.
fn lacking(databases: [usize; 2], lacks: [u64; 2], shown: &Shown<'_, '_>) -> String {
    let [one, other] = databases;
    let members = &shown.divergence.members;
    let lacking = [(one, other), (other, one)].into_iter().zip(lacks);
    let lacking = lacking.filter(|(_, records)| *records > 0);
    let parts: Vec<String> = lacking
        .map(|((lacks, has), records)| {
            let is_damaged = members.get(lacks).is_some_and(|member| member.is_damaged);
            let records = counted(records, "record", "records");
            let (lacks, has) = (shown.name(lacks), shown.name(has));
            match is_damaged {
                true => {
                    format!("{lacks} is damaged, and {records} that {has} has cannot be read in it")
                }
                false => format!("{lacks} lacks {records} that {has} has"),
            }
        })
        .collect();
    format!(
        "{}; the other records of these two are the same",
        parts.join(", and ")
    )
}

/// That a database ends earlier than another one.
fn ends(cause: &Shape<'_>, shown: &Shown<'_, '_>) -> String {
    let Shape::Ends {
        database,
        other,
        revisions,
        why,
    } = cause
    else {
        return String::new();
    };
    let (own, other) = (shown.name(*database), shown.name(*other));
    let revisions = counted(revisions.unsigned_abs(), "revision", "revisions");
    match why {
        EndsEarlier::OlderCopy => format!(
            "{own} ends {revisions} before {other}, and applied fewer entries of the raft log: it is an older copy, or a slow member"
        ),
        EndsEarlier::LostOrRestored => format!(
            "{own} ends {revisions} before {other}, although its consistent index is not lower: the end of its data was lost, or it was restored as of that revision"
        ),
        EndsEarlier::Unclear => format!("{own} ends {revisions} before {other}"),
    }
}

/// That a database skipped writes.
fn skipped(cause: &Shape<'_>, shown: &Shown<'_, '_>) -> String {
    let Shape::SkippedWrites {
        database,
        other,
        skipped: (first, last),
        is_restored,
        has_applied_all,
    } = cause
    else {
        return String::new();
    };
    let (own, other) = (shown.name(*database), shown.name(*other));
    let range = if first == last {
        format!("revision {first}")
    } else {
        format!("revisions {first} to {last}")
    };
    let why = match (is_restored, has_applied_all) {
        (true, _) => {
            ". Its raft log has fewer entries than it has revisions, so it was restored: the members were restored from different snapshots"
        }
        (false, true) => {
            ", although it applied as many entries of the raft log. etcd 3.5.0 to 3.5.2 had a defect with this effect (etcd-io/etcd issue 13766)"
        }
        (false, false) => "",
    };
    format!(
        "{own} lacks the writes of {range} of {other}, and has later ones at lower revisions{why}"
    )
}

/// That one value was altered.
fn altered(cause: &Shape<'_>, shown: &Shown<'_, '_>) -> String {
    let Shape::AlteredValue {
        databases: [one, other],
        key,
        revision,
        bytes,
        bits,
        lengths: [first, second],
    } = cause
    else {
        return String::new();
    };
    let what = match (bytes, bits) {
        (Some(1), 1) => format!("in one bit of {}", plural(*first, "byte", "bytes")),
        (Some(bytes), _) => format!("in {bytes} of {}", plural(*first, "byte", "bytes")),
        (None, _) => format!("in length, {first} and {second} bytes"),
    };
    format!(
        "{} and {} differ only in the value of {} at revision {revision}, {what}: it was altered after it was written",
        shown.name(*one),
        shown.name(*other),
        shown.keys.text(key)
    )
}
