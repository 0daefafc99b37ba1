//! Tables of eviction requests, which exist since release 1.37.

use serde_json::Value;

use super::fields::{condition, given, holds, int, list, name, object_age, text};
use super::times::{Instant, age, human_duration};
use super::{Builtin, Clock, Column};

const UNSET: &str = "<unset>";

/// The tables of lifecycle.k8s.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "Eviction" => Some(&EVICTION),
        "EvictionRequest" => Some(&EVICTION_REQUEST),
        _ => None,
    }
}

static EVICTION_REQUEST: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Target"),
        Column::new("Target Type"),
        Column::new("Status"),
        Column::new("Requester"),
        Column::new("Intent"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let (target, kind) = target(object);
        vec![
            name(object),
            target,
            kind,
            status(object),
            text(object, "spec.requester").to_owned(),
            text(object, "spec.intent").to_owned(),
            object_age(object, clock),
        ]
    },
};

static EVICTION: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Target"),
        Column::new("Target Type"),
        Column::new("Status"),
        Column::new("Active Responder"),
        Column::new("Responder Status"),
        Column::new("Responder Expected Finish"),
        Column::new("Requesters"),
        Column::new("Age"),
        Column::wide("Responder Heartbeat"),
        Column::wide("Responder Status Message"),
    ],
    cells: eviction,
};

fn eviction(object: &Value, clock: Clock) -> Vec<String> {
    let (target, kind) = target(object);
    let targets = list(object, "status.targetResponders");
    let has_ended = |state: &str| ["Canceled", "Interrupted", "Completed"].contains(&state);
    let begun = targets
        .iter()
        .filter(|t| has_ended(state_of(t)) || state_of(t) == "Active")
        .count();
    let active = targets
        .iter()
        .rfind(|t| state_of(t) == "Active")
        .or_else(|| targets.iter().rfind(|t| has_ended(state_of(t))));
    let active_name = active.map_or(UNSET, |active| text(active, "name"));
    let details = active.and_then(|active| {
        list(object, "status.responders")
            .iter()
            .find(|responder| text(responder, "name") == text(active, "name"))
            .map(|responder| Details::from_responder(text(active, "state"), responder, clock))
    });
    let details = details.unwrap_or_else(Details::unset);
    vec![
        name(object),
        target,
        kind,
        status(object),
        format!("{active_name} ({begun}/{})", targets.len()),
        details.status,
        details.finish,
        requesters(object),
        object_age(object, clock),
        details.heartbeat,
        details.message,
    ]
}

/// The state of a responder.
fn state_of(responder: &Value) -> &str {
    text(responder, "state")
}

/// The cells from the status of the active responder.
struct Details {
    status: String,
    finish: String,
    heartbeat: String,
    message: String,
}

impl Details {
    fn unset() -> Self {
        Self {
            status: UNSET.to_owned(),
            finish: "<unknown>".to_owned(),
            heartbeat: UNSET.to_owned(),
            message: UNSET.to_owned(),
        }
    }

    fn from_responder(state: &str, responder: &Value, clock: Clock) -> Self {
        let since = |field| given(responder, field).map(|time| age(time.as_str(), clock));
        let mut details = Self::unset();
        state.clone_into(&mut details.status);
        match state {
            "Active" => {
                if let Some(since) = since("startTime") {
                    details.status = format!("Started ({since} ago)");
                    if let Some(time) = given(responder, "expectedCompletionTime") {
                        details.finish = finish(time.as_str().unwrap_or_default(), clock);
                    }
                }
            }
            "Completed" => {
                if let Some(since) = since("completionTime") {
                    details.status = format!("{state} ({since} ago)");
                }
                "-".clone_into(&mut details.finish);
            }
            _ => "-".clone_into(&mut details.finish),
        }
        if let Some(since) = since("heartbeatTime") {
            details.heartbeat = format!("{since} ago");
        }
        let message = text(responder, "message").trim();
        if !message.is_empty() {
            message.clone_into(&mut details.message);
        }
        details
    }
}

/// The time at which the responder expects to finish, relative to now.
fn finish(time: &str, clock: Clock) -> String {
    match (Instant::parse(time), Instant::now(clock)) {
        (Some(time), Some(now)) if time > now => {
            format!("in {}", human_duration(time.seconds_since(now)))
        }
        _ => format!("{} ago", age(Some(time), clock)),
    }
}

/// The target of the eviction and its kind.
fn target(object: &Value) -> (String, String) {
    match given(object, "spec.target.pod") {
        Some(pod) => (text(pod, "name").to_owned(), "Pod".to_owned()),
        None => (UNSET.to_owned(), UNSET.to_owned()),
    }
}

fn status(object: &Value) -> String {
    let conditions = list(object, "status.conditions");
    for kind in ["TargetEvicted", "Failed"] {
        if let Some(found) = condition(conditions, kind).filter(|c| holds(c)) {
            return format!("{kind} ({})", text(found, "reason"));
        }
    }
    if int(object, "status.observedGeneration") > 0 {
        "Progressing".to_owned()
    } else {
        "Pending".to_owned()
    }
}

/// The first requester by name that has not withdrawn, and the number of others.
fn requesters(object: &Value) -> String {
    let all = list(object, "status.requesters");
    let mut names: Vec<&str> = all
        .iter()
        .filter(|requester| text(requester, "intent") != "Withdrawn")
        .map(|requester| text(requester, "name"))
        .collect();
    names.sort_unstable();
    match (names.as_slice(), all.is_empty()) {
        ([], true) => "<none>".to_owned(),
        ([], false) => "<withdrawn>".to_owned(),
        ([""], _) => UNSET.to_owned(),
        ([name], _) => (*name).to_owned(),
        ([first, more @ ..], _) => format!("{first} + {} more...", more.len()),
    }
}
