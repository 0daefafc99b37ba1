//! Incremental backups: the notices about them, and a table of their files.

use serde_json::{Map, Value, json};

use crate::k8s::meta::time_text;
use crate::named::key_text;
use crate::query::deltas::{DeltaFile, Deltas};
use crate::query::notice::DeltasFound;
use crate::query::verdict::{Findings, Verdict};

use super::answer_part::AnswerPart;
use super::human::{self, plural};
use super::line::Line;
use super::record::insert_text;
use super::rows::Rows;
use super::stored_value::NotPrinted;
use super::verdict;

/// What delta snapshots give, and what they cannot.
#[must_use]
pub fn notice(found: &DeltasFound, verb: &str) -> Vec<Line> {
    let files = plural(found.files, "delta snapshot", "delta snapshots");
    let received = found.until.map_or_else(String::new, |until| {
        format!(", received until {}", time_text(until))
    });
    let Some((first, last)) = found.revisions else {
        let base = found.base.as_deref().unwrap_or_default();
        return vec![Line::Note(format!(
            "the database is {base}; the folder has no event of a delta snapshot"
        ))];
    };
    let (Some(base), Some(state)) = (&found.base, found.state) else {
        let what = match found.is_folder {
            true => format!("{files} and no full one"),
            false => "a delta snapshot alone".to_owned(),
        };
        let mut lines = vec![Line::Note(format!(
            "{what}: the events of revisions {first} to {last}{received}; keys that were not written in them, and history before, are not known"
        ))];
        if !found.is_folder {
            lines.push(Line::Hint(
                "the folder with its full snapshot, given as DB, has the whole state".to_owned(),
            ));
        }
        return lines;
    };
    let adds = match last > state {
        true => format!("{files} continue it to revision {last}{received}"),
        false => format!("{files} end before it, at revision {last}"),
    };
    let mut lines = vec![Line::Note(format!(
        "the database is {base}, revision {state}; {adds}"
    ))];
    if let Some(complete) = found
        .complete
        .filter(|complete| *complete < last && last > state)
    {
        let which = match verb {
            // It has no flag for the revision.
            "compare" => "the newest complete state".to_owned(),
            _ => format!("--at {complete} is the newest complete state"),
        };
        lines.push(Line::Note(format!(
            "every write is known up to revision {complete} only: {which}"
        )));
    }
    lines
}

/// What one file is, as a row.
fn row(file: &DeltaFile) -> [String; 5] {
    let dash = || "-".to_owned();
    let (from, to) = file.delta.received().unzip();
    let revisions = file.delta.revisions();
    [
        file.name.clone(),
        revisions.map_or_else(dash, |(first, last)| format!("{first} to {last}")),
        file.delta.len().to_string(),
        match (from, to) {
            (Some(from), Some(to)) => format!("{} to {}", time_text(from), time_text(to)),
            _ => dash(),
        },
        file.delta.checksum.as_str().to_owned(),
    ]
}

/// The files as a table, after a blank line.
#[must_use]
pub fn parts(deltas: &Deltas) -> Vec<AnswerPart> {
    let heads = ["BACKUP", "REVISIONS", "EVENTS", "RECEIVED", "SHA-256"];
    let mut rows = Rows::new(&heads, &[2]);
    let fulls = deltas.others().iter().map(|full| (full, "full, not used"));
    let base = deltas.base().map(|full| (full, "full, the database"));
    for (full, what) in fulls.chain(base) {
        rows.add(&[
            full.file_name(),
            format!("to {}", full.name.last),
            what.to_owned(),
            format!("taken {}", time_text(full.name.taken)),
            "-".to_owned(),
        ]);
    }
    for file in deltas.files() {
        rows.add(&row(file));
    }
    vec![AnswerPart::line(""), AnswerPart::Table(rows)]
}

/// An event of a delta snapshot with its decoded value.
pub struct EventRow<'e> {
    /// Main and sub revision.
    pub revision: (i64, i64),
    /// The key.
    pub key: &'e [u8],
    /// When it was received, in seconds since 1970.
    pub time: Option<i64>,
    /// The value as text in the format that is asked for, or why there is none; none of a deletion.
    pub value: Option<Result<Vec<u8>, NotPrinted>>,
}

impl EventRow<'_> {
    fn kind(&self) -> &'static str {
        match self.value {
            None => "DELETE",
            Some(_) => "PUT",
        }
    }
}

/// An event as a YAML document with a comment above it.
#[must_use]
pub fn event_yaml(event: &EventRow<'_>, is_next: bool) -> Vec<u8> {
    let (main, sub) = event.revision;
    let time = event
        .time
        .map_or_else(|| "time unknown".to_owned(), time_text);
    let separator = if is_next { "---\n" } else { "" };
    let mut text = format!(
        "{separator}# {} {} at revision {main}.{sub}, {time}\n",
        event.kind(),
        key_text(event.key)
    )
    .into_bytes();
    match &event.value {
        None => {}
        Some(Ok(value)) => text.extend(value),
        Some(Err(why)) => text.extend(format!("# the value {why}\n").into_bytes()),
    }
    text
}

/// An event as a JSON object on a line.
#[must_use]
pub fn event_json(event: &EventRow<'_>) -> Vec<u8> {
    let mut fields = Map::new();
    fields.insert("revision".to_owned(), event.revision.0.into());
    fields.insert("sub".to_owned(), event.revision.1.into());
    fields.insert("type".to_owned(), event.kind().into());
    insert_text(&mut fields, "key", event.key);
    if let Some(time) = event.time {
        fields.insert("time".to_owned(), time_text(time).into());
    }
    match &event.value {
        None => {}
        Some(Ok(value)) => match serde_json::from_slice::<Value>(value) {
            Ok(value) => drop(fields.insert("value".to_owned(), value)),
            Err(_) => insert_text(&mut fields, "value", value),
        },
        Some(Err(why)) => drop(fields.insert("error".to_owned(), why.to_string().into())),
    }
    format!("{}\n", Value::Object(fields)).into_bytes()
}

/// The kind, as a phrase.
#[must_use]
pub fn kind(deltas: &Deltas) -> String {
    let files = plural(deltas.files().len(), "delta snapshot", "delta snapshots");
    match (deltas.folder(), deltas.is_alone()) {
        (None, _) => "a delta snapshot of etcd-backup-restore".to_owned(),
        (Some(_), true) => format!("backups of etcd-backup-restore: {files}, no full snapshot"),
        (Some(_), false) => format!("backups of etcd-backup-restore: a full snapshot, {files}"),
    }
}

/// What is known of delta snapshots without a database.
pub struct File<'f> {
    /// The path as typed.
    pub path: &'f str,
    /// The files.
    pub deltas: &'f Deltas,
    /// The verdict about them.
    pub verdict: Verdict,
    /// The findings.
    pub findings: &'f Findings,
}

/// Their state for people.
#[must_use]
pub fn status_parts(file: &File<'_>) -> Vec<AnswerPart> {
    let mut facts = Rows::facts();
    let sentence = verdict::sentence(&file.verdict);
    let verdict = match file.verdict.is_intact() {
        true => format!("OK: {sentence}"),
        false => format!("DAMAGED: {sentence}"),
    };
    let size = file.deltas.files().iter().map(|file| file.len_bytes);
    for (name, fact) in [
        ("file", file.path.to_owned()),
        ("size", human::bytes(size.fold(0, u64::saturating_add))),
        ("kind", kind(file.deltas)),
        ("verdict", verdict),
    ] {
        facts.add(&[name, &fact]);
    }
    let mut parts = vec![AnswerPart::Table(facts)];
    parts.extend(self::parts(file.deltas));
    parts
}

/// Their state as JSON.
#[must_use]
pub fn status_json(file: &File<'_>) -> Value {
    json!({
        "path": file.path,
        "kind": "delta",
        "backup": json(file.deltas),
        "sound": file.verdict.is_intact(),
        "verdict": verdict::sentence(&file.verdict),
        "findings": verdict::findings_json(file.findings),
    })
}

/// The files as JSON.
#[must_use]
pub fn json(deltas: &Deltas) -> Value {
    let full = |full: &crate::source::BackupFile| {
        json!({
            "name": full.file_name(),
            "last_revision": full.name.last,
            "taken": time_text(full.name.taken),
        })
    };
    let deltas_json = deltas.files().iter().map(|file| {
        let revisions = file.delta.revisions();
        let received = file.delta.received();
        let fields = json!({
            "name": file.name,
            "first_revision": revisions.map(|(first, _)| first),
            "last_revision": revisions.map(|(_, last)| last),
            "events": file.delta.len(),
            "received_from": received.map(|(from, _)| time_text(from)),
            "received_until": received.map(|(_, until)| time_text(until)),
            "checksum": file.delta.checksum.as_str().to_lowercase(),
        });
        known(fields)
    });
    known(json!({
        "kind": kind(deltas),
        "full": deltas.base().map(full),
        "other_fulls": deltas.others().iter().map(full).collect::<Vec<_>>(),
        "deltas": deltas_json.collect::<Vec<_>>(),
    }))
}

fn known(fields: Value) -> Value {
    match fields {
        Value::Object(fields) => {
            let known = fields.into_iter().filter(|(_, field)| !field.is_null());
            Value::Object(known.collect::<Map<_, _>>())
        }
        other => other,
    }
}
