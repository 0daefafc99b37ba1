//! `log --timeline`: a row, which is an event, a request of the write-ahead log or both, as cells and as JSON.

use serde_json::{Map, Value};

use crate::etcd::Event;
use crate::etcd::record::{Grade, Origin};
use crate::etcd::wal::writes;
use crate::k8s::wall_clock::Bounds;
use crate::query::all_evidence::{Certainty, EvidenceRow};

use super::key_names::KeyNames;
use super::record::{event_json, insert_text};
use super::rows::Rows;
use super::style::Paint;
use super::{time, wal};

/// The headings of the table.
const HEADS: [&str; 8] = [
    "REVISION",
    "TIME",
    "WHAT",
    "VERSION",
    "SIZE",
    "SOURCE",
    "CERTAINTY",
    "BY",
];

/// The table, without rows.
#[must_use]
pub fn table() -> Rows {
    Rows::new(&HEADS, &[0, 3, 4])
        .whole(&[1])
        .names(&[2])
        .sentences(&[5, 6, 7])
        .drop_first(&[7, 4, 3, 5, 1])
        .painted(2, |style, what| {
            style.event(what.split(' ').next().unwrap_or_default())
        })
        .painted(6, |style, certainty| {
            if certainty.starts_with("certain") {
                Paint::default()
            } else {
                style.warning
            }
        })
}

/// Who wrote the event of a row, and when. The row itself does not have them.
#[derive(Debug)]
pub struct Written {
    /// The field managers.
    pub managers: Vec<String>,
    /// When it was written.
    pub time: Bounds,
}

/// Where the evidence of a row was found: `live`, `carved-a page 17`, `wal entry 120`.
fn source(row: &EvidenceRow<'_, '_>) -> String {
    let mut parts = Vec::new();
    if let Some(event) = &row.event {
        let record = &event.record;
        let origin = record.origin.as_str();
        // A record of the write-ahead log or a delta snapshot is in no page of the database. If the row has a request,
        // the entry below is its source.
        match record.pgid.filter(|_| !record.origin.continues_state()) {
            Some(pgid) => parts.push(format!("{origin} page {pgid}")),
            None if row.request.is_none() => parts.push(origin.to_owned()),
            None => {}
        }
    }
    if let Some((entry, _)) = &row.request {
        parts.push(format!("wal entry {}", entry.index));
    }
    parts.join(", ")
}

/// The text of the column CERTAINTY.
fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Record(Origin::Live) => "certain",
        Certainty::Record(Origin::Salvaged) => "certain, found by a scan",
        Certainty::Record(Origin::Carved(Grade::A)) => "certain, of a freed page",
        Certainty::Record(Origin::Carved(Grade::B)) => "by its own bytes",
        Certainty::Record(Origin::Carved(Grade::C)) => "unproven, over two pages",
        Certainty::Record(Origin::Delta) => "certain, as the backup received it",
        Certainty::Record(Origin::Wal) => "certain, by replaying the log",
        Certainty::Damaged => "damaged",
        Certainty::Replaced => "never applied: replaced",
        Certainty::Uncommitted => "not known to be committed",
        Certainty::ChangedNothing => "applied, changed nothing",
        Certainty::ChangedOthers => "applied, not to this key",
        Certainty::Contradicted => "the database contradicts it",
        Certainty::UnknownRevision => "applied, revision not known",
    }
}

/// The cells of a row. `written` and `time` are those of its event. `names` has the texts of keys; it is None if all
/// rows are about one key, which is then left out.
pub fn cells(
    row: &EvidenceRow<'_, '_>,
    written: Option<&Written>,
    time: Option<String>,
    names: Option<&KeyNames<'_>>,
) -> Vec<String> {
    let what = match (&row.event, &row.request) {
        (Some(event), _) => event_text(event, names),
        (None, Some((_, request))) => {
            let text = wal::sentence(request, &mut |_| Some("<masked>".to_owned()));
            format!("request: {text}")
        }
        (None, None) => String::new(),
    };
    let managers = written.map_or(&[][..], |written| &written.managers);
    let user = row.request.as_ref();
    let user = user.and_then(|(_, request)| wal::user(request));
    let by: Vec<String> = managers.iter().cloned().chain(user).collect();
    let record = row.event.map(|event| event.record);
    let put = record.filter(|record| !record.tombstone);
    let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    vec![
        or_dash(record.map(|record| record.revision.to_string())),
        or_dash(time),
        what,
        or_dash(put.map(|put| put.version.to_string())),
        or_dash(put.map(|put| put.value.len().to_string())),
        source(row),
        certainty(row.certainty()).to_owned(),
        by.join(", "),
    ]
}

/// An event in words: `update`, or `update /a` if there are `names`.
fn event_text(event: &Event<'_>, names: Option<&KeyNames<'_>>) -> String {
    let kind = event.event_type.as_str();
    match names {
        Some(names) => format!("{kind} {}", names.text(event.record.key)),
        None => kind.to_owned(),
    }
}

/// A row as a JSON object: the fields of its event, then those of its request. `written` is that of the event.
pub fn json(row: &EvidenceRow<'_, '_>, written: Option<&Written>) -> Value {
    let mut fields = Map::new();
    if let (Some(event), Some(written)) = (&row.event, written) {
        if let Value::Object(of_event) = event_json(event, &written.managers) {
            fields = of_event;
        }
        time::insert(&mut fields, &written.time);
    }
    if let Some((entry, request)) = &row.request {
        fields.insert("entry".to_owned(), entry.index.into());
        fields.insert("state".to_owned(), entry.state.as_str().into());
        fields.insert("request".to_owned(), wal::kind(request).into());
        if let Some(user) = wal::user(request) {
            fields.insert("user".to_owned(), user.into());
        }
        if row.event.is_none() {
            let changes = writes::changes(request);
            if let Some((_, change)) = changes.first() {
                insert_text(&mut fields, "key", change.key());
            }
        }
    }
    fields.insert("source".to_owned(), source(row).into());
    fields.insert("certainty".to_owned(), certainty(row.certainty()).into());
    Value::Object(fields)
}
