//! One object in short, as text: what `kubectl describe` shows first, with the history that only etcd has.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::etcd::EventType;
use crate::query::description::{
    Description, Owner, OwnerState, SHOWN_CHANGES, SHOWN_EVENTS, SeenEvent,
};

use super::record::key_text;
use super::rows::Rows;
use super::style::Style;
use super::table::cell;

/// The head of an object and its owners. `deleted` is the time of its deletion.
#[must_use]
pub fn head(about: &Description<'_>, deleted: Option<&str>) -> String {
    let mut text = String::new();
    let of = |pointer: &str| {
        let field = about.object.pointer(pointer);
        cell(field.and_then(Value::as_str).unwrap_or_default())
    };
    line(&mut text, "Name", &of("/metadata/name"));
    line(&mut text, "Namespace", &of("/metadata/namespace"));
    let kind = format!("{} ({})", of("/kind"), of("/apiVersion"));
    line(&mut text, "Kind", &kind);
    line(&mut text, "Key", &cell(&key_text(&about.key)));
    line(&mut text, "UID", &of("/metadata/uid"));
    line(&mut text, "Created", &of("/metadata/creationTimestamp"));
    line(&mut text, "Deleting", &of("/metadata/deletionTimestamp"));
    line(&mut text, "Labels", &pairs(about, "labels"));
    line(&mut text, "Annotations", &names(about, "annotations"));
    let finalizers = about.object.pointer("/metadata/finalizers");
    line(&mut text, "Finalizers", &list(finalizers));
    for (column, shown) in &about.columns {
        line(&mut text, column, &cell(shown));
    }
    let owners: Vec<String> = about.owners.iter().map(owner).collect();
    line(&mut text, "Owned by", &owners.join(" <- "));
    let last = about.history.events.last();
    if let Some(last) = last.filter(|last| last.event_type == EventType::Delete) {
        let at = last.record.revision.main;
        let when = deleted.unwrap_or("-");
        line(&mut text, "DELETED", &format!("at revision {at}, {when}"));
    }
    text
}

/// A field on its line; none if it is empty.
fn line(text: &mut String, name: &str, shown: &str) {
    if !shown.is_empty() {
        let _ = writeln!(text, "{:<13} {shown}", format!("{name}:"));
    }
}

fn metadata<'v>(about: &'v Description<'_>, field: &str) -> Option<&'v Map<String, Value>> {
    about.object.get("metadata")?.get(field)?.as_object()
}

fn pairs(about: &Description<'_>, field: &str) -> String {
    let pairs = metadata(about, field).into_iter().flatten();
    let shown = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
    cell(&shown.collect::<Vec<_>>().join(", "))
}

fn names(about: &Description<'_>, field: &str) -> String {
    let names = metadata(about, field).into_iter().flatten();
    let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    cell(&names.join(", "))
}

fn list(values: Option<&Value>) -> String {
    let values = values.and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<&str> = values.filter_map(Value::as_str).collect();
    cell(&texts.join(", "))
}

/// An owner, with what became of it.
fn owner(owner: &Owner) -> String {
    let name = cell(&format!("{}/{}", owner.kind, owner.name));
    match owner.state {
        OwnerState::Live => name,
        OwnerState::Deleted(at) => format!("{name} (deleted at revision {at})"),
        OwnerState::OtherUid => format!("{name} (another object has this name now)"),
        OwnerState::Unknown => format!("{name} (not in this file)"),
    }
}

/// The line above the changes.
#[must_use]
pub fn changes_heading(about: &Description<'_>) -> String {
    match about.history.events.len() {
        1 => "1 retained change:".to_owned(),
        all if all > SHOWN_CHANGES => format!("Newest {SHOWN_CHANGES} of {all} retained changes:"),
        all => format!("{all} retained changes:"),
    }
}

/// The Events, with the line above them.
#[must_use]
pub fn events(about: &Description<'_>) -> (String, Rows) {
    let heading = match about.event_count {
        0 => "No Kubernetes events.".to_owned(),
        all if all > SHOWN_EVENTS => format!("Newest {SHOWN_EVENTS} of {all} Kubernetes events:"),
        _ => "Kubernetes events:".to_owned(),
    };
    let mut rows = Rows::new(&["LAST SEEN", "TYPE", "REASON", "COUNT", "MESSAGE"], &[3])
        .wrapped()
        .drop_first(&[3, 1, 0])
        .painted(0, Style::age);
    for SeenEvent {
        age,
        event_type,
        reason,
        message,
        count,
    } in &about.events
    {
        rows.add(&[
            age.clone().unwrap_or_else(|| "-".to_owned()),
            event_type.clone(),
            reason.clone(),
            count.to_string(),
            message.clone(),
        ]);
    }
    (heading, rows)
}
