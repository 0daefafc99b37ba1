//! What a restored store has from the write-ahead log, as text.

use serde_json::{Map, Value, json};

use crate::named::key_text;
use crate::query::log_beside::LogBeside;
use crate::query::logs::HashedFile;
use crate::query::replayed::{Replayed, Unacknowledged, WhyLogAlone};
use crate::view::evidence::hex;
use crate::view::human::plural;
use crate::view::record::insert_text;

use super::LISTED;

/// What was applied, one fact per line. `at` is the restored revision.
pub(super) fn facts(log: &Replayed, at: i64) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    // Of a revision before the last one, only the entries up to it count.
    let (until, revision) = match at < log.revision {
        true => (log.position.0, at),
        false => (log.until, log.revision),
    };
    let source = match &log.alone {
        None if at < log.revision && until <= log.from => {
            format!("not needed: the database has revision {at}")
        }
        None if log.until == log.from => {
            format!(
                "has nothing after the database: both end with entry {}",
                log.from
            )
        }
        None => format!(
            "entries {} to {} applied, up to revision {}",
            log.from.saturating_add(1),
            until,
            revision
        ),
        Some(why) => format!(
            "entries 1 to {} applied, up to revision {}; the database is not used: {}",
            until,
            revision,
            alone_text(why)
        ),
    };
    facts.push(("log", source));
    if log.left_out > 0 {
        facts.push((
            "log",
            format!(
                "{} after the last committed one left out",
                plural(log.left_out, "entry", "entries")
            ),
        ));
    }
    let named: Vec<&Unacknowledged> = log.unacknowledged_up_to(at).collect();
    for request in named.iter().take(LISTED) {
        facts.push((
            "unsure",
            format!("{}: may not have been acknowledged", request_text(request)),
        ));
    }
    if let Some(more) = named.len().checked_sub(LISTED).filter(|more| *more > 0) {
        facts.push(("unsure", format!("and {more} more, see the report")));
    }
    if !named.is_empty() {
        facts.push((
            "unsure",
            format!(
                "the cluster had {} members: if others can be read too, restore the one whose log ends last. --committed-only leaves these requests out",
                log.voters
            ),
        ));
    }
    facts
}

/// Why the database is not used.
fn alone_text(why: &WhyLogAlone) -> String {
    match why {
        WhyLogAlone::Unusable(_) => "it cannot be read".to_owned(),
        WhyLogAlone::Damaged => "it is damaged".to_owned(),
        WhyLogAlone::NoPosition => "etcd was stopped before it wrote anything to it".to_owned(),
        WhyLogAlone::BelowCompaction(compacted) => format!("it is compacted up to {compacted}"),
    }
}

/// A request: its revision, and up to three of its keys. Only requests with a revision are shown.
fn request_text(request: &Unacknowledged) -> String {
    let keys: Vec<String> = request
        .keys
        .iter()
        .take(3)
        .map(|key| key_text(key).into_owned())
        .collect();
    let more = match request.keys.len().checked_sub(3) {
        Some(more) if more > 0 => format!(" and {more} more"),
        _ => String::new(),
    };
    let revision = request.revision.unwrap_or_default();
    format!("revision {revision}, {}{more}", keys.join(", "))
}

/// The entries of a log that was not read.
pub(super) fn beside_text(beside: &LogBeside) -> String {
    format!(
        "{} of the write-ahead log in {} not in this database: --wal applies them",
        plural(beside.entries, "entry", "entries"),
        match beside.entries {
            1 => format!("{} is", beside.place.display()),
            _ => format!("{} are", beside.place.display()),
        }
    )
}

/// The result of the replay for the report.
pub(super) fn json(log: &Replayed, at: i64, files: &[HashedFile]) -> Value {
    let unsure = log.unacknowledged_up_to(at).map(|request| {
        let mut row = Map::new();
        row.insert("index".to_owned(), request.index.into());
        row.insert("revision".to_owned(), request.revision.into());
        if let Some(first) = request.keys.first() {
            insert_text(&mut row, "key", first);
        }
        row.insert("keys".to_owned(), request.keys.len().into());
        Value::Object(row)
    });
    let unsure: Vec<Value> = unsure.collect();
    json!({
        "database_used": log.alone.is_none(),
        "database_index": log.from,
        "entries_applied": log.until.saturating_sub(log.from),
        "last_index": log.until,
        "last_revision": log.revision,
        "commit": log.commit,
        "voters": log.voters,
        "entries_left_out": log.left_out,
        "may_not_be_acknowledged": unsure,
        "leases_exact": log.leases_are_exact,
        "files": files.iter().map(file).collect::<Vec<_>>(),
    })
}

/// A file of the log.
fn file(file: &HashedFile) -> Value {
    json!({
        "name": file.name,
        "size": file.len_bytes,
        "sha256": file.sha256.map(|sha256| hex(&sha256)),
    })
}
