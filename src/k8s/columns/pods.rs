//! Tables of pods and pod templates.

use std::collections::HashMap;

use serde_json::Value;

use super::fields::{
    flag, given, has_condition, holds, int, is_deleted, list, name, object_age, text, text_or,
};
use super::labels::format_labels;
use super::times::{Instant, human_duration};
use super::workloads::{containers, images};
use super::{Builtin, Clock, Column};

/// The tables of this file's kinds.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "Pod" => Some(&POD),
        "PodTemplate" => Some(&POD_TEMPLATE),
        _ => None,
    }
}

static POD: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Ready"),
        Column::new("Status"),
        Column::new("Restarts"),
        Column::new("Age"),
        Column::wide("IP"),
        Column::wide("Node"),
        Column::wide("Nominated Node"),
        Column::wide("Readiness Gates"),
    ],
    cells: pod,
};

fn pod(pod: &Value, clock: Clock) -> Vec<String> {
    let summary = Summary::from_pod(pod);
    vec![
        name(pod),
        format!("{}/{}", summary.ready, summary.total),
        summary.status,
        summary.restarts.text(clock),
        object_age(pod, clock),
        pod_ip(pod).to_owned(),
        text_or(pod, "spec.nodeName", "<none>").to_owned(),
        text_or(pod, "status.nominatedNodeName", "<none>").to_owned(),
        readiness_gates(pod),
    ]
}

/// The number of container restarts, and the end of the last terminated run.
#[derive(Debug, Clone, Copy, Default)]
struct Restarts {
    count: i64,
    last: Option<Instant>,
}

impl Restarts {
    /// Adds the restarts of one container.
    fn add(&mut self, container: &Value) {
        self.count = self.count.saturating_add(int(container, "restartCount"));
        let ended = Instant::parse(text(container, "lastState.terminated.finishedAt"));
        // None is less than any time.
        self.last = self.last.max(ended);
    }

    /// `3 (5m ago)`.
    fn text(self, clock: Clock) -> String {
        match (self.count, self.last) {
            (0, _) | (_, None) => self.count.to_string(),
            (count, Some(last)) => {
                let ago = Instant::now(clock).map_or_else(
                    || "<unknown>".to_owned(),
                    |now| human_duration(now.seconds_since(last)),
                );
                format!("{count} ({ago} ago)")
            }
        }
    }
}

/// The cells of a pod that are computed from its containers.
struct Summary {
    status: String,
    ready: usize,
    total: usize,
    restarts: Restarts,
}

impl Summary {
    fn from_pod(pod: &Value) -> Self {
        let conditions = list(pod, "status.conditions");
        let init_containers = list(pod, "spec.initContainers");
        let sidecars = init_containers.iter().filter(|c| is_sidecar(c)).count();
        let gated = conditions
            .iter()
            .any(|c| text(c, "type") == "PodScheduled" && text(c, "reason") == "SchedulingGated");
        let status = if gated {
            "SchedulingGated"
        } else {
            text_or(pod, "status.reason", text(pod, "status.phase"))
        };
        let mut summary = Self {
            status: status.to_owned(),
            ready: 0,
            total: list(pod, "spec.containers").len().saturating_add(sidecars),
            restarts: Restarts::default(),
        };
        let (is_initializing, sidecar_restarts) = summary.init_containers(pod);
        if !is_initializing || has_condition(conditions, "Initialized") {
            summary.restarts = sidecar_restarts;
            summary.containers(pod);
        }
        if is_deleted(pod) {
            if text(pod, "status.reason") == "NodeLost" {
                summary.status = "Unknown".to_owned();
            } else if !["Succeeded", "Failed"].contains(&text(pod, "status.phase")) {
                summary.status = "Terminating".to_owned();
            }
        }
        summary
    }

    /// Visits the init containers up to the first that is not done. Returns whether there is such a one, and the restarts of
    /// the sidecars.
    fn init_containers(&mut self, pod: &Value) -> (bool, Restarts) {
        let specs = list(pod, "spec.initContainers");
        let mut sidecar_restarts = Restarts::default();
        let statuses = list(pod, "status.initContainerStatuses");
        // Of two specs with the same name the last counts.
        let by_name: HashMap<&str, &Value> = specs
            .iter()
            .map(|spec| (text(spec, "name"), spec))
            .collect();
        for (index, container) in statuses.iter().enumerate() {
            let spec = by_name.get(text(container, "name"));
            let is_sidecar = spec.is_some_and(|spec| is_sidecar(spec));
            self.restarts.add(container);
            if is_sidecar {
                sidecar_restarts.add(container);
            }
            let ended = given(container, "state.terminated");
            let waiting = text(container, "state.waiting.reason");
            if ended.is_some_and(|ended| int(ended, "exitCode") == 0) {
                continue;
            }
            if is_sidecar && flag(container, "started") {
                self.ready = self.ready.saturating_add(flag(container, "ready").into());
                continue;
            }
            self.status = match ended {
                Some(ended) => format!("Init:{}", end_of(ended)),
                None if !["", "PodInitializing"].contains(&waiting) => format!("Init:{waiting}"),
                None => format!("Init:{index}/{}", specs.len()),
            };
            return (true, sidecar_restarts);
        }
        (false, sidecar_restarts)
    }

    /// Visits the containers from last to first, so that the status of the first one takes precedence.
    fn containers(&mut self, pod: &Value) {
        let mut running = false;
        let mut error = None;
        for container in list(pod, "status.containerStatuses").iter().rev() {
            self.restarts.add(container);
            let waiting = text(container, "state.waiting.reason");
            if !waiting.is_empty() {
                waiting.clone_into(&mut self.status);
            } else if let Some(ended) = given(container, "state.terminated") {
                self.status = end_of(ended);
                if int(ended, "exitCode") != 0 {
                    error = Some(self.status.clone());
                }
            } else if flag(container, "ready") && given(container, "state.running").is_some() {
                running = true;
                self.ready = self.ready.saturating_add(1);
            }
        }
        if self.status == "Completed" {
            let conditions = list(pod, "status.conditions");
            let is_ready = |c: &Value| text(c, "type") == "Ready" && holds(c);
            if running && conditions.iter().any(is_ready) {
                "Running".clone_into(&mut self.status);
            } else if let Some(error) = error {
                self.status = error;
            } else if running {
                "NotReady".clone_into(&mut self.status);
            }
        }
    }
}

/// Whether an init container is a sidecar, which runs as long as the pod.
fn is_sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// How a container ended: the reason, else the signal, else the exit code.
fn end_of(terminated: &Value) -> String {
    match (text(terminated, "reason"), int(terminated, "signal")) {
        ("", 0) => format!("ExitCode:{}", int(terminated, "exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// The address of the pod. If `podIP` and the first of `podIPs` differ, `podIP` counts.
fn pod_ip(pod: &Value) -> &str {
    let first = list(pod, "status.podIPs").first();
    let first = first.map_or("", |first| text(first, "ip"));
    match text_or(pod, "status.podIP", first) {
        "" => "<none>",
        address => address,
    }
}

/// The number of readiness gates whose condition holds, and their total.
fn readiness_gates(pod: &Value) -> String {
    let gates = list(pod, "spec.readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    // Of two conditions with the same type the first counts.
    let conditions = list(pod, "status.conditions").iter().rev();
    let conditions: HashMap<&str, &Value> = conditions
        .map(|condition| (text(condition, "type"), condition))
        .collect();
    let open = gates.iter().filter(|gate| {
        let condition = conditions.get(text(gate, "conditionType"));
        condition.is_some_and(|condition| holds(condition))
    });
    format!("{}/{}", open.count(), gates.len())
}

static POD_TEMPLATE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Containers"),
        Column::new("Images"),
        Column::new("Pod Labels"),
    ],
    cells: |object, _| {
        vec![
            name(object),
            containers(object, "template.spec"),
            images(object, "template.spec"),
            format_labels(super::fields::map(object, "template.metadata.labels")),
        ]
    },
};
