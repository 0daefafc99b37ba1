//! The table of events, of the core group and of events.k8s.io, in which the same fields have other names.

use serde_json::Value;

use super::fields::{given, given_int, given_text, name, text, text_or};
use super::times::{Instant, age};
use super::{Builtin, Clock, Column};

/// The tables of this file's kinds.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    (kind == "Event").then_some(&EVENT)
}

static EVENT: Builtin = Builtin {
    columns: &[
        Column::new("Last Seen"),
        Column::new("Type"),
        Column::new("Reason"),
        Column::new("Object"),
        Column::wide("Subobject"),
        Column::wide("Source"),
        Column::new("Message"),
        Column::wide("First Seen"),
        Column::wide("Count"),
        Column::wide("Name"),
    ],
    cells: event,
};

/// The fields that the two groups name differently.
#[derive(Debug)]
struct Names {
    object: &'static str,
    message: &'static str,
    source: &'static str,
    first: &'static str,
    last: &'static str,
    count: &'static str,
    controller: &'static str,
}

const CORE: Names = Names {
    object: "involvedObject",
    message: "message",
    source: "source",
    first: "firstTimestamp",
    last: "lastTimestamp",
    count: "count",
    controller: "reportingComponent",
};

const EVENTS_GROUP: Names = Names {
    object: "regarding",
    message: "note",
    source: "deprecatedSource",
    first: "deprecatedFirstTimestamp",
    last: "deprecatedLastTimestamp",
    count: "deprecatedCount",
    controller: "reportingController",
};

/// What an Event says, of either group.
#[derive(Debug, Clone)]
pub struct EventFacts<'v> {
    /// When it was seen last.
    pub last_seen: Option<&'v str>,
    /// When it was seen first.
    pub first_seen: Option<&'v str>,
    /// `Normal` or `Warning`.
    pub event_type: &'v str,
    /// Why, as one word.
    pub reason: &'v str,
    /// The object that it is about: a reference.
    pub object: &'v Value,
    /// What happened, without blanks around it.
    pub message: &'v str,
    /// How often it was seen.
    pub count: i64,
    names: &'static Names,
}

impl<'v> EventFacts<'v> {
    /// Reads an Event.
    #[must_use]
    pub fn read(event: &'v Value) -> Self {
        let names = if text(event, "apiVersion").starts_with("events.k8s.io/") {
            &EVENTS_GROUP
        } else {
            &CORE
        };
        let first = first_that_is_set(event, &[names.first, "eventTime"]);
        let (last, count) = match given(event, "series") {
            Some(series) => (
                given_text(series, "lastObservedTime"),
                given_int(series, "count").unwrap_or(0),
            ),
            None => (
                first_that_is_set(event, &[names.last]).or(first),
                // A single event need not count itself.
                given_int(event, names.count)
                    .filter(|n| *n != 0)
                    .unwrap_or(1),
            ),
        };
        Self {
            last_seen: last,
            first_seen: first,
            event_type: text(event, "type"),
            reason: text(event, "reason"),
            object: super::fields::at(event, names.object),
            message: text(event, names.message).trim(),
            count,
            names,
        }
    }

    /// When it was seen last: seconds since 1970, and nanoseconds.
    #[must_use]
    pub fn last_seen_at(&self) -> Option<(i64, i64)> {
        let instant = self.last_seen.and_then(Instant::parse)?;
        Some((instant.seconds, instant.nanos))
    }

    /// `kind/name` of the object that it is about.
    #[must_use]
    pub fn subject(&self) -> String {
        subject(self.object)
    }

    /// A text field of the reference to the object: `kind`, `name`, `namespace`, `uid`; empty if there is none.
    #[must_use]
    pub fn of_object(&self, field: &str) -> &'v str {
        text(self.object, field)
    }
}

fn event(event: &Value, clock: Clock) -> Vec<String> {
    let facts = EventFacts::read(event);
    vec![
        age(facts.last_seen, clock),
        facts.event_type.to_owned(),
        facts.reason.to_owned(),
        facts.subject(),
        facts.of_object("fieldPath").to_owned(),
        source(event, facts.names),
        facts.message.to_owned(),
        age(facts.first_seen, clock),
        facts.count.to_string(),
        name(event),
    ]
}

/// The first of several time fields that is not Go's zero time.
fn first_that_is_set<'v>(event: &'v Value, fields: &[&str]) -> Option<&'v str> {
    fields
        .iter()
        .filter_map(|field| given_text(event, field))
        .find(|time| Instant::parse(time).is_some())
}

/// `kind/name` of the object that the event is about.
fn subject(object: &Value) -> String {
    let kind = text(object, "kind").to_lowercase();
    match text(object, "name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

/// The component that reported the event, and its host.
fn source(event: &Value, names: &Names) -> String {
    let source = super::fields::at(event, names.source);
    let component = text_or(source, "component", text(event, names.controller));
    match text_or(source, "host", text(event, "reportingInstance")) {
        "" => component.to_owned(),
        host => format!("{component}, {host}"),
    }
}
