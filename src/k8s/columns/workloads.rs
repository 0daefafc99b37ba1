//! Tables of workloads: the groups apps and batch, and replication controllers.

use serde_json::Value;

use super::fields::{
    digits, given, given_int, given_text, has_condition, int, is_deleted, list, map, name,
    object_age, text,
};
use super::labels::{format_labels, format_selector, none_if_empty, selector};
use super::times::{Instant, age, human_duration};
use super::{Builtin, Clock, Column};

/// The core group's tables.
pub(super) fn core(kind: &str) -> Option<&'static Builtin> {
    (kind == "ReplicationController").then_some(&REPLICATION_CONTROLLER)
}

/// The tables of the group apps, and of extensions, where its kinds were before.
pub(super) fn apps(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "ControllerRevision" => Some(&CONTROLLER_REVISION),
        "DaemonSet" => Some(&DAEMON_SET),
        "Deployment" => Some(&DEPLOYMENT),
        "ReplicaSet" => Some(&REPLICA_SET),
        "StatefulSet" => Some(&STATEFUL_SET),
        _ => None,
    }
}

/// The tables of the group batch.
pub(super) fn batch(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "CronJob" => Some(&CRON_JOB),
        "Job" => Some(&JOB),
        _ => None,
    }
}

/// The names of a pod spec's containers, joined with commas.
pub(super) fn containers(object: &Value, spec: &str) -> String {
    joined_field(object, spec, "name")
}

/// The images of a pod spec's containers, joined with commas.
pub(super) fn images(object: &Value, spec: &str) -> String {
    joined_field(object, spec, "image")
}

/// One field of all containers of a pod spec, joined with commas.
fn joined_field(object: &Value, spec: &str, field: &str) -> String {
    let containers = list(super::fields::at(object, spec), "containers");
    let texts: Vec<&str> = containers.iter().map(|c| text(c, field)).collect();
    texts.join(",")
}

const POD_SPEC: &str = "spec.template.spec";

/// The cell `READY` of a scalable workload: ready and desired replicas.
fn ready_of_desired(object: &Value) -> String {
    format!(
        "{}/{}",
        int(object, "status.readyReplicas"),
        desired(object)
    )
}

/// `spec.replicas`, which defaults to 1.
fn desired(object: &Value) -> i64 {
    given_int(object, "spec.replicas").unwrap_or(1)
}

/// The selector as text. Old versions default it to the labels of the template.
fn selector_of(object: &Value) -> Option<String> {
    let old = ["extensions/v1beta1", "apps/v1beta1"].contains(&text(object, "apiVersion"));
    let labels = map(object, "spec.template.metadata.labels");
    if old && given(object, "spec.selector").is_none() && labels.is_some() {
        let as_selector = serde_json::json!({"selector": {"matchLabels": labels}});
        return selector(&as_selector, "selector");
    }
    selector(object, "spec.selector")
}

fn selector_or_none(object: &Value) -> String {
    selector_of(object).map_or_else(|| "<error>".to_owned(), none_if_empty)
}

static REPLICATION_CONTROLLER: Builtin = Builtin {
    columns: REPLICAS,
    cells: |object, clock| {
        // The server uses the template's labels if there is no selector.
        let selector = match map(object, "spec.selector") {
            Some(selector) if !selector.is_empty() => Some(selector),
            _ => map(object, "spec.template.metadata.labels"),
        };
        replicas(object, clock, format_labels(selector))
    },
};

static REPLICA_SET: Builtin = Builtin {
    columns: REPLICAS,
    cells: |object, clock| replicas(object, clock, selector_or_none(object)),
};

static REPLICAS: &[Column] = &[
    Column::new("Name"),
    Column::new("Desired"),
    Column::new("Current"),
    Column::new("Ready"),
    Column::new("Age"),
    Column::wide("Containers"),
    Column::wide("Images"),
    Column::wide("Selector"),
];

fn replicas(object: &Value, clock: Clock, selector: String) -> Vec<String> {
    vec![
        name(object),
        desired(object).to_string(),
        digits(object, "status.replicas"),
        digits(object, "status.readyReplicas"),
        object_age(object, clock),
        containers(object, POD_SPEC),
        images(object, POD_SPEC),
        selector,
    ]
}

static DAEMON_SET: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Desired"),
        Column::new("Current"),
        Column::new("Ready"),
        Column::new("Up-to-date"),
        Column::new("Available"),
        Column::new("Node Selector"),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
        Column::wide("Selector"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            digits(object, "status.desiredNumberScheduled"),
            digits(object, "status.currentNumberScheduled"),
            digits(object, "status.numberReady"),
            digits(object, "status.updatedNumberScheduled"),
            digits(object, "status.numberAvailable"),
            format_labels(map(object, "spec.template.spec.nodeSelector")),
            object_age(object, clock),
            containers(object, POD_SPEC),
            images(object, POD_SPEC),
            selector_or_none(object),
        ]
    },
};

static DEPLOYMENT: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Ready"),
        Column::new("Up-to-date"),
        Column::new("Available"),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
        Column::wide("Selector"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            ready_of_desired(object),
            digits(object, "status.updatedReplicas"),
            digits(object, "status.availableReplicas"),
            object_age(object, clock),
            containers(object, POD_SPEC),
            images(object, POD_SPEC),
            selector_of(object).unwrap_or_else(|| "<invalid>".to_owned()),
        ]
    },
};

static STATEFUL_SET: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Ready"),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            ready_of_desired(object),
            object_age(object, clock),
            containers(object, POD_SPEC),
            images(object, POD_SPEC),
        ]
    },
};

static CONTROLLER_REVISION: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Controller"),
        Column::new("Revision"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            controller(object),
            digits(object, "revision"),
            object_age(object, clock),
        ]
    },
};

/// The controlling owner as `kind.group/name`.
fn controller(object: &Value) -> String {
    let owners = list(object, "metadata.ownerReferences");
    let Some(owner) = owners
        .iter()
        .find(|owner| super::fields::flag(owner, "controller"))
    else {
        return "<none>".to_owned();
    };
    let group = text(owner, "apiVersion")
        .split_once('/')
        .map_or("", |v| v.0);
    let kind = match group {
        "" => text(owner, "kind").to_owned(),
        group => format!("{}.{group}", text(owner, "kind")),
    };
    match kind.as_str() {
        "" => text(owner, "name").to_owned(),
        kind => format!("{}/{}", kind.to_lowercase(), text(owner, "name")),
    }
}

static JOB: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Status"),
        Column::new("Completions"),
        Column::new("Duration"),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
        Column::wide("Selector"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            job_status(object).to_owned(),
            completions(object),
            job_duration(object, clock),
            object_age(object, clock),
            containers(object, POD_SPEC),
            images(object, POD_SPEC),
            format_selector(object, "spec.selector"),
        ]
    },
};

fn job_status(job: &Value) -> &'static str {
    let conditions = list(job, "status.conditions");
    let has = |kind| has_condition(conditions, kind);
    match () {
        () if has("Complete") => "Complete",
        () if has("Failed") => "Failed",
        () if is_deleted(job) => "Terminating",
        () if has("Suspended") => "Suspended",
        () if has("FailureTarget") => "FailureTarget",
        () if has("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    }
}

/// Succeeded and wanted completions. If no number of completions is set, one success is enough.
fn completions(job: &Value) -> String {
    let done = int(job, "status.succeeded");
    let wanted = given_int(job, "spec.completions");
    match (wanted, given_int(job, "spec.parallelism")) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, Some(workers @ 2..)) => format!("{done}/1 of {workers}"),
        _ => format!("{done}/1"),
    }
}

/// The time from the start to the end, or to now; empty if the job has not started.
fn job_duration(job: &Value, clock: Clock) -> String {
    let Some(started) = given(job, "status.startTime") else {
        return String::new();
    };
    let started = started.as_str();
    match given_text(job, "status.completionTime") {
        None => age(started, clock),
        Some(ended) => match (Instant::parse(ended), started.and_then(Instant::parse)) {
            (Some(ended), Some(started)) => human_duration(ended.seconds_since(started)),
            _ => "<unknown>".to_owned(),
        },
    }
}

static CRON_JOB: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Schedule"),
        Column::new("Timezone"),
        Column::new("Suspend"),
        Column::new("Active"),
        Column::new("Last Schedule"),
        Column::new("Age"),
        Column::wide("Containers"),
        Column::wide("Images"),
        Column::wide("Selector"),
    ],
    cells: |object, clock| {
        let pod_spec = "spec.jobTemplate.spec.template.spec";
        let suspended = super::fields::flag(object, "spec.suspend");
        let last = given(object, "status.lastScheduleTime");
        vec![
            name(object),
            text(object, "spec.schedule").to_owned(),
            given_text(object, "spec.timeZone")
                .unwrap_or("<none>")
                .to_owned(),
            if suspended { "True" } else { "False" }.to_owned(),
            list(object, "status.active").len().to_string(),
            last.map_or_else(|| "<none>".to_owned(), |last| age(last.as_str(), clock)),
            object_age(object, clock),
            containers(object, pod_spec),
            images(object, pod_spec),
            format_selector(object, "spec.jobTemplate.spec.selector"),
        ]
    },
};
