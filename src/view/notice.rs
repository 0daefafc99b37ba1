//! The notices about an answer, as sentences for standard error.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::etcd::AtRevision;
use crate::k8s::meta::time_text;
use crate::k8s::wall_clock::{AtTime, TimeCertainty};
use crate::named::key_text;
use crate::query::Notice;
use crate::query::filters::{Filter, LeftNothing};
use crate::query::notice::{
    Carving, Compacted, Encrypted, EventsLeftOut, LogAlone, LogFound, Unproved,
};

use super::backup;
use super::command::{Invocation, quoted};
use super::encryption::encryption_hint;
use super::human::{counted, plural};
use super::line::Line;
use super::no_answer;
use super::recovery_notice;
use super::space_advice;

/// The lines of all notices, each line once.
#[must_use]
pub fn lines(notices: &[Notice], invocation: &Invocation) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let all = notices
        .iter()
        .flat_map(|notice| of_notice(notice, invocation));
    for line in all {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn note(text: impl Into<String>) -> Vec<Line> {
    vec![Line::Note(text.into())]
}

fn of_notice(notice: &Notice, invocation: &Invocation) -> Vec<Line> {
    match notice {
        Notice::TimeInferred { time, at } => note(inferred(at, *time)),
        Notice::PeriodInferred { from, to } => note(period(*from, *to)),
        Notice::Carved(carving) => note(carved(carving)),
        Notice::LogOfAnotherCluster(member) => note(format!(
            "the write-ahead log belongs to another cluster (member {member:x}): it is not used"
        )),
        Notice::Log(found) => log(found),
        Notice::LogContradicts { count, index, main } => note(contradicts(*count, *index, *main)),
        Notice::LogAlone(_) | Notice::V2Keys(..) | Notice::OtherDatabase { .. } => {
            without_database(notice, invocation)
        }
        Notice::Deltas(_)
        | Notice::FullSnapshotSkipped(..)
        | Notice::OlderFullSnapshot(..)
        | Notice::DeltasLeftOut(..)
        | Notice::BesideInArchive { .. } => of_backups(notice, invocation),
        Notice::Compacted(history) => note(compacted(history)),
        Notice::Unproved(objects) => note(unproved(objects)),
        Notice::StillEncrypted(reasons, more) => encrypted(reasons, *more),
        Notice::Emptied(LeftNothing {
            filter: Filter(flag),
            of,
        }) => note(format!(
            "{} left out: no change matches {flag}",
            plural(*of, "change is", "changes are")
        )),
        Notice::WhoIsNotRecorded => note(
            "etcd does not record who made a change. Field managers are programs; the audit log of the API server has the users",
        ),
        Notice::OlderIsNewer(_)
        | Notice::AnotherCluster
        | Notice::LastCommit(_)
        | Notice::HistoriesDiffer(_) => note(of_comparison(notice)),
        Notice::EventsLeftOut(left_out) => events_left_out(*left_out),
        Notice::Boundaries { unread: 0 } => {
            note("^ is this revision or an earlier one: the version before is not retained")
        }
        Notice::Boundaries { unread } => note(format!(
            "^ is this revision or an earlier one: {} cannot be read",
            plural(*unread, "version", "versions")
        )),
        Notice::FieldsOfNone(_)
        | Notice::SeveralOfOneName { .. }
        | Notice::SeveralPrefixes(_)
        | Notice::AgesAsOf(_) => note(of_objects(notice)),
        Notice::PageSizeGuessed(bytes) => note(format!(
            "the page size, {bytes} bytes, was inferred from the page ids"
        )),
        Notice::Recovery(notice) => recovery_notice::lines(notice, invocation),
        Notice::Space(advice) => space_advice::lines(advice),
        Notice::Untested(_)
        | Notice::WithoutPut(_)
        | Notice::PagesWithoutHeader(_)
        | Notice::OtherLayers(_)
        | Notice::SalvagedHashed(_)
        | Notice::RequestsLeftOut(_) => note(of_count(notice)),
    }
}

/// The notices that are about a number of something.
fn of_count(notice: &Notice) -> String {
    match notice {
        Notice::Untested(count) => format!(
            "{} could not be read; whether they match the selector is unknown",
            plural(*count, "object", "objects")
        ),
        Notice::WithoutPut(count) => format!(
            "no put of {} is retained; whether they had these labels is unknown",
            plural(*count, "deleted key", "deleted keys")
        ),
        Notice::PagesWithoutHeader(count) => format!(
            "{} passed over: left from longer pages, or destroyed",
            counted(
                *count,
                "page without a header of its own was",
                "pages without a header of their own were"
            )
        ),
        Notice::OtherLayers(findings) => format!(
            "{} in the layers that were not asked for",
            counted(*findings, "finding", "findings")
        ),
        Notice::SalvagedHashed(records) => format!(
            "{} outside of the damaged tree: etcd and etcdutl do not read {}, and compute another hash",
            counted(*records, "hashed record is", "hashed records are"),
            if *records == 1 { "it" } else { "them" }
        ),
        Notice::RequestsLeftOut(requests) => format!(
            "{} left out: a request is not an event, and a filter asks for what events changed",
            plural(
                *requests,
                "request of the write-ahead log is",
                "requests of the write-ahead log are"
            )
        ),
        _ => String::new(),
    }
}

/// The notices about a folder of backups or an archive.
fn of_backups(notice: &Notice, invocation: &Invocation) -> Vec<Line> {
    match notice {
        Notice::Deltas(found) => backup::notice(found, invocation.verb),
        Notice::FullSnapshotSkipped(name, why) => note(format!(
            "the full snapshot {name} is not used: {}",
            no_answer::text(why, invocation).0
        )),
        Notice::OlderFullSnapshot(folder, name, at) => {
            let db = quoted(&format!("{}::{name}", folder.display()));
            vec![Line::Hint(format!(
                "`etcdive get {db} --at {at}` begins with an older full snapshot, which has this state"
            ))]
        }
        Notice::DeltasLeftOut(name, files) => note(format!(
            "this is the full snapshot {name} alone, without {} of the folder",
            plural(*files, "delta snapshot", "delta snapshots")
        )),
        Notice::BesideInArchive { log_files, deltas } => beside(*log_files, *deltas),
        _ => Vec::new(),
    }
}

/// What an archive has beside its database.
fn beside(log_files: usize, deltas: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    if log_files > 0 {
        lines.push(Line::Hint(format!(
            "the archive also has {} of the write-ahead log: unpack it and give the data directory with `--wal` to read them",
            plural(log_files, "file", "files")
        )));
    }
    if deltas > 0 {
        lines.push(Line::Hint(format!(
            "the archive also has {}: unpack it and give the folder to read them",
            plural(deltas, "delta snapshot", "delta snapshots")
        )));
    }
    lines
}

/// The notices about a comparison of two states.
fn of_comparison(notice: &Notice) -> String {
    match notice {
        Notice::HistoriesDiffer(differ) => format!(
            "the live states are equal, but the histories differ: {}, the oldest at revision {}",
            plural(differ.records, "record", "records"),
            differ.first
        ),
        Notice::OlderIsNewer([(old, older), (new, newer)]) => format!(
            "{} is at revision {older}, {} at {newer}: is the older one first?",
            old.display(),
            new.display()
        ),
        Notice::AnotherCluster => {
            "these look like two different clusters: no member in common".to_owned()
        }
        Notice::LastCommit([from, to]) => {
            let state =
                |(txid, revision): &(u64, i64)| format!("txid {txid} (revision {revision})");
            format!("from {} to {}", state(from), state(to))
        }
        _ => String::new(),
    }
}

fn events_left_out(left_out: EventsLeftOut) -> Vec<Line> {
    let mut lines = Vec::new();
    if left_out.no_object > 0 {
        lines.extend(note(format!(
            "events left out because their values are no objects that could be read: {}",
            left_out.no_object
        )));
    }
    if left_out.without_object > 0 {
        lines.extend(note(format!(
            "deletions left out because what they deleted is compacted away: {}",
            left_out.without_object
        )));
    }
    lines
}

/// What objects do not show by themselves.
fn of_objects(notice: &Notice) -> String {
    match notice {
        Notice::FieldsOfNone(fields) => format!(
            "--field-selector: none of the objects has {}",
            fields.join(", ")
        ),
        Notice::SeveralOfOneName {
            count,
            has_clusters,
        } => {
            let flag = if *has_clusters {
                "--cluster CLUSTER and -n NS pick"
            } else {
                "-n NS picks"
            };
            format!("{count} objects have this name; {flag} one")
        }
        Notice::SeveralPrefixes(prefixes) => several_prefixes(prefixes),
        Notice::AgesAsOf(Some(now)) => format!(
            "ages are as of {}, the newest time in the store",
            time_text(*now)
        ),
        _ => "the store has no times: ages are unknown".to_owned(),
    }
}

fn several_prefixes(prefixes: &[Vec<u8>]) -> String {
    let prefixes: Vec<_> = prefixes.iter().map(|prefix| key_text(prefix)).collect();
    format!(
        "the objects are of {} prefixes, {}: a prefix such as {}/pods/ picks one",
        prefixes.len(),
        prefixes.join(", "),
        prefixes.first().map_or("", |prefix| prefix)
    )
}

fn inferred(at: &AtTime, time: i64) -> String {
    let AtTime {
        revision, possible, ..
    } = at;
    let head = format!(
        "{} is revision {revision}, inferred from the times in objects",
        time_text(time)
    );
    match (at.certainty, at.certain) {
        (TimeCertainty::Certain, _) => head,
        (TimeCertainty::Probable, Some(certain)) => {
            format!("{head}: surely not before {certain}, and not after {possible}")
        }
        (TimeCertainty::Probable, None) => format!("{head}: surely not after {possible}"),
    }
}

/// That the database does not have writes of its log.
fn contradicts(count: usize, index: u64, main: i64) -> String {
    let (writes, first) = match count {
        1 => ("a write", String::new()),
        _ => ("writes", format!("the first of {count} is ")),
    };
    format!(
        "the database contradicts {writes} of its log ({first}entry {index}, revision {main}): this member skipped entries, or the log is of another member"
    )
}

/// Which two states are compared.
fn period(from: AtRevision, to: AtRevision) -> String {
    let to = match to {
        AtRevision::HEAD => "the newest revision".to_owned(),
        AtRevision(to) => format!("revision {to}"),
    };
    format!(
        "compares revision {} with {to}, inferred from the times in objects",
        from.0
    )
}

fn carved(carving: &Carving) -> String {
    let Some((first, last)) = carving.revisions else {
        return format!(
            "freed pages contain no additional records: {}",
            why_nothing_carved(carving)
        );
    };
    let (compacted, current) = carving.store;
    let mut parts = Vec::new();
    let counts = [
        (
            carving.compacted,
            format!("compacted (up to revision {compacted})"),
        ),
        (
            carving.lost,
            "of the state, not reachable by the tree".to_owned(),
        ),
        (
            carving.beyond,
            format!("newer than the state (above revision {current})"),
        ),
    ];
    for (count, what) in counts {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    let mut text = format!(
        "freed pages contain {} in addition: {}, revisions {first} to {last}",
        plural(
            carving
                .compacted
                .saturating_add(carving.lost)
                .saturating_add(carving.beyond),
            "record",
            "records"
        ),
        parts.join(", ")
    );
    if carving.unproved > 0 {
        let _ = write!(
            text,
            "; {} supported only by their own bytes (carved-b, carved-c)",
            carving.unproved
        );
    }
    text
}

fn why_nothing_carved(carving: &Carving) -> String {
    if carving.is_fresh_file {
        return "the file was just defragmented, which writes a new file without the old pages"
            .to_owned();
    }
    if carving.store.0 == 0 {
        return "nothing was ever compacted".to_owned();
    }
    format!(
        "{} of its {} pages are leaf pages not in use, with {} copies of records that the state has; the file was defragmented since the compaction, or the freed pages were overwritten",
        carving.free_leaves, carving.search.pages, carving.search.copies
    )
}

/// What a data directory has beside its database.
fn without_database(notice: &Notice, invocation: &Invocation) -> Vec<Line> {
    match notice {
        Notice::LogAlone(LogAlone {
            why,
            until,
            revision,
        }) => note(format!(
            "the database is not used ({}): this answer is from its write-ahead log alone, which has every write up to entry {until}, revision {revision}",
            no_answer::text(why, invocation).0
        )),
        Notice::V2Keys(path, count) => {
            let word = quoted(&path.to_string_lossy());
            vec![
                Line::Note(format!(
                    "the v2 store of this member has {} as well, in the raft snapshot {}",
                    plural(*count, "key", "keys"),
                    path.display()
                )),
                Line::Hint(format!("`etcdive ls {word}` lists them")),
            ]
        }
        Notice::OtherDatabase { why, used } => note(format!(
            "the database is not used ({}): this answer is from {} and the write-ahead log",
            no_answer::text(why, invocation).0,
            used.display()
        )),
        _ => Vec::new(),
    }
}

fn log(found: &LogFound) -> Vec<Line> {
    let mut parts = Vec::new();
    let (state, newest) = found.newest;
    if found.after > 0 {
        parts.push(format!(
            "{} after the database, up to revision {newest} (the database ends at {state})",
            plural(found.after, "record", "records")
        ));
    }
    if found.compacted > 0 {
        parts.push(format!(
            "{} compacted",
            plural(found.compacted, "record that was", "records that were")
        ));
    }
    let what = if parts.is_empty() {
        "no additional record whose revision is certain".to_owned()
    } else {
        parts.join(", ")
    };
    let mut lines = note(format!("the write-ahead log has {what}"));
    if let Some((until, why)) = found.stopped {
        lines.extend(note(format!(
            "revisions of the log are certain up to entry {until}; after it {why}"
        )));
    }
    if found.is_all {
        let path = quoted(&found.path.to_string_lossy());
        lines.push(Line::Hint(format!(
            "`etcdive wal {path}` lists every request in it"
        )));
    }
    lines
}

fn compacted(history: &Compacted) -> String {
    let mut text = format!("history is retained from revision {} on", history.compacted);
    if let Some(missing) = history.missing_versions {
        let _ = write!(
            text,
            "; {} compacted",
            if missing == 1 {
                "1 earlier version was".to_owned()
            } else {
                format!("{missing} earlier versions were")
            }
        );
    } else {
        text.push_str("; older changes were compacted");
    }
    let records = |count: usize| match count {
        0 => "nothing older".to_owned(),
        count => plural(count, "more record", "more records"),
    };
    match (history.further.carve, history.further.wal) {
        (Some(carve), Some(wal)) => {
            let _ = write!(
                text,
                "; --carve finds {}, --wal {}",
                records(carve),
                records(wal)
            );
        }
        (Some(carve), None) => {
            let _ = write!(text, "; --carve finds {}", records(carve));
        }
        (None, Some(wal)) => {
            let _ = write!(text, "; --wal finds {}", records(wal));
        }
        (None, None) => {}
    }
    text
}

fn unproved(objects: &Unproved) -> String {
    let Unproved {
        count,
        of,
        at,
        keys,
    } = objects;
    let mut names: Vec<_> = keys.iter().map(|key| key_text(key)).collect();
    if *count > names.len() {
        names.push("...".into());
    }
    if *of == 1 {
        return format!(
            "this object may have been changed or deleted by revision {at}: its next version is in no page ({})",
            names.join(", ")
        );
    }
    format!(
        "{count} of these {} may have been changed or deleted by revision {at}: their next versions are in no page ({})",
        plural(*of, "object", "objects"),
        names.join(", ")
    )
}

fn encrypted(reasons: &[Encrypted], more: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for Encrypted {
        count,
        first,
        error,
    } in reasons
    {
        let first = key_text(first);
        let what = match count {
            1 => first.into_owned(),
            more => format!("{more} values, {first} the first"),
        };
        lines.extend(note(format!("{what}: {error}")));
    }
    if more > 0 {
        lines.extend(note(format!(
            "{} why values are still encrypted",
            plural(more, "more reason", "more reasons")
        )));
    }
    let hints: BTreeSet<&str> = reasons
        .iter()
        .filter_map(|reason| encryption_hint(&reason.error))
        .collect();
    lines.extend(hints.into_iter().map(|hint| Line::Hint(hint.to_owned())));
    lines
}
