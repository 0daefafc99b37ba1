//! The table of horizontal pod autoscalers.
//!
//! Version 1 has one field for a CPU target and stores all other metrics in annotations. v2beta1 has flat fields where
//! later versions have `target` and `current`.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::fields::{
    annotation, digits, given, given_int, list, name, object_age, quantity_of, text,
};
use super::{Builtin, Column};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";

/// The target in percent of an autoscaler without metrics.
const DEFAULT_CPU_UTILIZATION: i64 = 80;

/// The number of metrics that are shown.
const SHOWN: usize = 2;

const UNKNOWN: &str = "<unknown>";

/// The tables of this file's kinds.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    (kind == "HorizontalPodAutoscaler").then_some(&HORIZONTAL_POD_AUTOSCALER)
}

static HORIZONTAL_POD_AUTOSCALER: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Reference"),
        Column::new("Targets"),
        Column::new("MinPods"),
        Column::new("MaxPods"),
        Column::new("Replicas"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let target = |field| text(object, field);
        vec![
            name(object),
            format!(
                "{}/{}",
                target("spec.scaleTargetRef.kind"),
                target("spec.scaleTargetRef.name")
            ),
            targets(&metrics(object), &current_metrics(object)),
            given_int(object, "spec.minReplicas")
                .unwrap_or(1)
                .to_string(),
            digits(object, "spec.maxReplicas"),
            digits(object, "status.currentReplicas"),
            object_age(object, clock),
        ]
    },
};

/// Whether the object has a version that stores metrics in annotations.
fn is_v1(object: &Value) -> bool {
    text(object, "apiVersion") == "autoscaling/v1"
}

/// A CPU utilization in the form of a v2 metric. `side` is `target` or `current`.
fn cpu(side: &str, field: &str, percent: i64) -> Value {
    json!({"type": "Resource", "resource": {"name": "cpu", side: {field: percent}}})
}

/// The list of metrics in an annotation.
fn annotated(object: &Value, key: &str) -> Option<Vec<Value>> {
    serde_json::from_str(annotation(object, key)?).ok()
}

/// The metrics with their targets.
fn metrics(object: &Value) -> Cow<'_, [Value]> {
    let mut metrics = Cow::Borrowed(list(object, "spec.metrics"));
    if is_v1(object) {
        let mut own = annotated(object, METRICS).unwrap_or_default();
        let percent = given_int(object, "spec.targetCPUUtilizationPercentage");
        own.extend(percent.map(|percent| cpu("target", "averageUtilization", percent)));
        metrics = Cow::Owned(own);
    }
    if metrics.is_empty() {
        let percent = DEFAULT_CPU_UTILIZATION;
        metrics = Cow::Owned(vec![cpu("target", "averageUtilization", percent)]);
    }
    metrics
}

/// The measured metrics.
fn current_metrics(object: &Value) -> Cow<'_, [Value]> {
    if !is_v1(object) {
        return Cow::Borrowed(list(object, "status.currentMetrics"));
    }
    Cow::Owned(annotated(object, CURRENT_METRICS).unwrap_or_else(|| {
        given_int(object, "status.currentCPUUtilizationPercentage")
            .map(|percent| cpu("current", "averageUtilization", percent))
            .into_iter()
            .collect()
    }))
}

/// `current/target` for the first metrics, and the number of others.
fn targets(metrics: &[Value], current: &[Value]) -> String {
    let texts: Vec<String> = metrics
        .iter()
        .take(SHOWN)
        .enumerate()
        .map(|(index, metric)| metric_text(metric, current.get(index).unwrap_or(&Value::Null)))
        .collect();
    let mut out = texts.join(", ");
    if metrics.len() > SHOWN {
        let more = metrics.len().saturating_sub(SHOWN);
        out.push_str(&format!(" + {more} more..."));
    }
    out
}

/// One metric as `current/target`. `current` is the measured metric with the same index.
fn metric_text(metric: &Value, current: &Value) -> String {
    let section = match text(metric, "type") {
        "External" => "external",
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let wanted = super::fields::at(metric, section);
    let measured = given(current, section);
    match section {
        "pods" => {
            let now = measured.map(|now| average(now, "current", "currentAverageValue"));
            let target = average(wanted, "target", "targetAverageValue");
            format!("{}/{target}", or_unknown(now))
        }
        "external" | "object" => value_text(section, wanted, measured),
        _ => resource_text(wanted, measured),
    }
}

fn or_unknown(text: Option<String>) -> String {
    text.unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The quantity in the nested field of new versions, else in the flat field of old versions.
fn either(value: &Value, nested: &str, flat: &str) -> Option<String> {
    given(value, nested)
        .or_else(|| given(value, flat))
        .map(quantity_of)
}

/// The quantity `averageValue` in the map `side`, else in the flat field, else Go's text for nil.
fn average(value: &Value, side: &str, flat: &str) -> String {
    either(value, &format!("{side}.averageValue"), flat).unwrap_or_else(|| "<nil>".to_owned())
}

/// A metric with an average or a total value.
fn value_text(section: &str, wanted: &Value, measured: Option<&Value>) -> String {
    // The flat names of old versions. The Object metric uses `averageValue` for both sides.
    let (flat_target, flat_current) = if section == "object" {
        ("averageValue", "averageValue")
    } else {
        ("targetAverageValue", "currentAverageValue")
    };
    match either(wanted, "target.averageValue", flat_target) {
        Some(target) => {
            let now = measured.and_then(|now| either(now, "current.averageValue", flat_current));
            format!("{}/{target} (avg)", or_unknown(now))
        }
        None => {
            let total = |value, nested, flat| {
                either(value, nested, flat).unwrap_or_else(|| "<nil>".to_owned())
            };
            let now = measured.map(|now| total(now, "current.value", "currentValue"));
            let target = total(wanted, "target.value", "targetValue");
            format!("{}/{target}", or_unknown(now))
        }
    }
}

/// A metric for a resource of the pods or of one container.
fn resource_text(wanted: &Value, measured: Option<&Value>) -> String {
    let percent = |value: &Value, nested: &str, flat: &str| {
        given_int(value, nested)
            .or_else(|| given_int(value, flat))
            .map(|percent| format!("{percent}%"))
    };
    let resource = text(wanted, "name");
    match either(wanted, "target.averageValue", "targetAverageValue") {
        Some(target) => {
            let now = measured.map(|now| average(now, "current", "currentAverageValue"));
            format!("{resource}: {}/{target}", or_unknown(now))
        }
        None => {
            let now = measured.and_then(|now| {
                percent(
                    now,
                    "current.averageUtilization",
                    "currentAverageUtilization",
                )
            });
            let target = percent(
                wanted,
                "target.averageUtilization",
                "targetAverageUtilization",
            )
            .unwrap_or_else(|| "<auto>".to_owned());
            format!("{resource}: {}/{target}", or_unknown(now))
        }
    }
}
