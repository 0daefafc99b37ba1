//! The metrics of an autoscaler, which have another shape in `autoscaling/v2` than in the versions before it.

use serde_json::{Map, Value, json};

use super::fields::{at, each, rename};

type Fields = Map<String, Value>;

/// The start of the names of annotations that carry what an older version has no field for.
const ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/";

/// Metrics get the shape of `autoscaling/v2`, and the behaviour moves from its annotation to its field.
pub fn from_v2beta1(autoscaler: &mut Fields) {
    if let Some(behavior) = carried_behavior(autoscaler)
        && let Some(spec) = at(autoscaler, &["spec"])
    {
        spec.insert("behavior".to_owned(), behavior);
    }
    if let Some(spec) = at(autoscaler, &["spec"]) {
        each(spec.get_mut("metrics"), |metric| {
            each_source(metric, target)
        });
    }
    if let Some(status) = at(autoscaler, &["status"]) {
        each(status.get_mut("currentMetrics"), |metric| {
            each_source(metric, current);
        });
    }
}

/// Whether servers refuse an autoscaler in `autoscaling/v1`. Its annotation has the metrics that this version has no
/// fields for. There the average of a metric of an object always has a value beside it, zero, which is no valid value.
pub fn is_refused_in_v1(autoscaler: &Value) -> bool {
    let metrics = carried_metrics(autoscaler).unwrap_or_default();
    let has_average = |metric: &Value| metric.pointer("/object/averageValue").is_some();
    metrics.iter().any(has_average)
}

/// The metrics and the behaviour move from annotations to their fields.
pub fn from_v1(autoscaler: &mut Fields) {
    let metadata = autoscaler.get("metadata").cloned();
    let metrics = carried_metrics(&json!({ "metadata": metadata }));
    let mut metrics = metrics.unwrap_or_default();
    if let Some(spec) = at(autoscaler, &["spec"]) {
        let processor = spec.shift_remove("targetCPUUtilizationPercentage");
        metrics.extend(processor.map(|percentage| {
            json!({"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": percentage}})
        }));
        spec.insert("metrics".to_owned(), metrics.into());
    }
    if let Some(status) = at(autoscaler, &["status"]) {
        status.shift_remove("currentCPUUtilizationPercentage");
    }
    from_v2beta1(autoscaler);
}

/// The metrics in the annotation of `autoscaling/v1`. They have the shape of `autoscaling/v2beta1`.
fn carried_metrics(autoscaler: &Value) -> Option<Vec<Value>> {
    let annotations = autoscaler.get("metadata")?.get("annotations")?;
    let metrics = annotations.get(format!("{ANNOTATION}metrics"))?.as_str()?;
    serde_json::from_str(metrics).ok()
}

/// The behaviour that an annotation carries. As Kubernetes does, what cannot be read is dropped with the annotations.
fn carried_behavior(autoscaler: &mut Fields) -> Option<Value> {
    let metadata = at(autoscaler, &["metadata"])?;
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let behavior = annotations.shift_remove(&format!("{ANNOTATION}behavior"));
    for name in ["metrics", "current-metrics", "conditions"] {
        annotations.shift_remove(&format!("{ANNOTATION}{name}"));
    }
    if annotations.is_empty() {
        metadata.shift_remove("annotations");
    }
    let behavior = serde_json::from_str(behavior?.as_str()?).ok()?;
    let mut behavior = of_go_names(behavior)?;
    // A rule without policies has the server's defaults.
    behavior
        .as_object_mut()?
        .retain(|_, rules| !rules.is_null());
    behavior
        .as_object()
        .is_some_and(|behavior| !behavior.is_empty())
        .then_some(behavior)
}

/// The annotation has the names that Go's fields have: `ScaleUp` is `scaleUp`. Fields that are null are not set.
fn of_go_names(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) => Some(items.into_iter().filter_map(of_go_names).collect()),
        Value::Object(fields) => {
            let fields = fields.into_iter().filter_map(|(name, value)| {
                let mut letters = name.chars();
                let first = letters.next()?.to_ascii_lowercase();
                let name = std::iter::once(first).chain(letters).collect();
                Some((name, of_go_names(value)?))
            });
            Some(Value::Object(fields.collect()))
        }
        other => Some(other),
    }
}

/// The sources that a metric may have.
fn each_source(metric: &mut Fields, change: fn(&str, &mut Fields)) {
    for name in [
        "object",
        "pods",
        "resource",
        "containerResource",
        "external",
    ] {
        if let Some(source) = at(metric, &[name]) {
            change(name, source);
        }
    }
}

fn target(name: &str, source: &mut Fields) {
    let (mut target, is_average) = (Fields::new(), source.contains_key("averageValue"));
    let has = |field: &str| source.contains_key(field);
    let kind = match name {
        "object" if is_average => "AverageValue",
        "object" => "Value",
        "external" if has("targetValue") => "Value",
        _ if has("targetAverageUtilization") => "Utilization",
        _ => "AverageValue",
    };
    target.insert("type".to_owned(), kind.into());
    identify(name, source);
    // The field is not optional in the older version. Beside an average a zero means that it is not set, and the
    // finished version refuses it.
    if is_average && source.get("targetValue").is_some_and(|value| value == "0") {
        source.shift_remove("targetValue");
    }
    take(source, "targetValue", &mut target, "value");
    take(source, "targetAverageValue", &mut target, "averageValue");
    take(source, "averageValue", &mut target, "averageValue");
    let utilization = "targetAverageUtilization";
    take(source, utilization, &mut target, "averageUtilization");
    source.insert("target".to_owned(), Value::Object(target));
}

fn current(name: &str, status: &mut Fields) {
    let mut current = Fields::new();
    identify(name, status);
    take(status, "currentValue", &mut current, "value");
    take(status, "currentAverageValue", &mut current, "averageValue");
    take(status, "averageValue", &mut current, "averageValue");
    let utilization = "currentAverageUtilization";
    take(status, utilization, &mut current, "averageUtilization");
    status.insert("current".to_owned(), Value::Object(current));
}

/// A metric that is no resource has its name and its selector together; one of an object says which.
fn identify(name: &str, source: &mut Fields) {
    if name == "object" {
        rename(source, "target", "describedObject");
    }
    if matches!(name, "object" | "pods" | "external") {
        let mut metric = Fields::new();
        take(source, "metricName", &mut metric, "name");
        take(source, "selector", &mut metric, "selector");
        take(source, "metricSelector", &mut metric, "selector");
        source.insert("metric".to_owned(), Value::Object(metric));
    }
}

fn take(source: &mut Fields, from: &str, into: &mut Fields, to: &str) {
    if let Some(value) = source.shift_remove(from) {
        into.insert(to.to_owned(), value);
    }
}
