//! From a stored object to a manifest that an API server takes: without what the server, its controllers and the
//! scheduler own, and without what ties it to objects that have another uid by now.
//!
//! Each rule stands in a list, with the reason; what somebody has to know before the manifest is applied comes back
//! as a note.

mod crd;

use serde_json::{Map, Value};

/// Rules that depend on what is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Leave out finalizers too: the objects can then be deleted although what would have finalized them is gone.
    pub strip_finalizers: bool,
}

/// What the server fills in of `metadata`, whatever the manifest says.
const SERVERS_METADATA: [&str; 8] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Annotations that controllers keep about an object as it was.
const CONTROLLERS_ANNOTATIONS: [&str; 8] = [
    "deployment.kubernetes.io/revision",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "kubernetes.io/service-account.uid",
    "endpoints.kubernetes.io/last-change-trigger-time",
];

/// Finalizers that a deletion itself sets.
const DELETIONS_FINALIZERS: [&str; 2] = ["foregroundDeletion", "orphan"];

/// Labels by which a Job finds its pods; the server makes them from the new uid.
const JOB_LABELS: [&str; 4] = [
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
];

/// The manifest of an object, and what there is to know about it. `lives` tells whether an owner, by its uid, is
/// there and not to be made anew: of any other the reference would have the garbage collector delete the object.
pub fn manifest(
    mut object: Value,
    options: Options,
    lives: &dyn Fn(&str) -> bool,
) -> (Value, Vec<String>) {
    let mut notes = Vec::new();
    let kind = text(&object, &["kind"]).to_owned();
    let Some(fields) = object.as_object_mut() else {
        return (object, notes);
    };
    fields.shift_remove("status");
    if let Some(metadata) = map(fields, "metadata") {
        strip_metadata(metadata, options, lives, &mut notes);
    }
    let spec = map(fields, "spec");
    match (kind.as_str(), spec) {
        ("Pod", Some(spec)) => strip_pod(spec),
        ("Service", Some(spec)) => strip_service(spec),
        ("PersistentVolumeClaim", Some(spec)) => strip_claim(spec, &mut notes),
        ("PersistentVolume", Some(spec)) => strip_volume(spec),
        ("Namespace", Some(spec)) => drop(spec.shift_remove("finalizers")),
        ("Job", Some(_)) => strip_job(fields),
        ("CustomResourceDefinition", Some(_)) => crd::convert(fields),
        _ => {}
    }
    if fields.get("spec").is_some_and(is_empty) {
        fields.shift_remove("spec");
    }
    (object, notes)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn map<'m>(fields: &'m mut Map<String, Value>, name: &str) -> Option<&'m mut Map<String, Value>> {
    fields.get_mut(name)?.as_object_mut()
}

/// The text at a path; empty where there is none.
pub fn text<'v>(object: &'v Value, path: &[&str]) -> &'v str {
    let found = path.iter().try_fold(object, |value, name| value.get(name));
    found.and_then(Value::as_str).unwrap_or_default()
}

fn strip_metadata(
    metadata: &mut Map<String, Value>,
    options: Options,
    lives: &dyn Fn(&str) -> bool,
    notes: &mut Vec<String>,
) {
    for name in SERVERS_METADATA {
        metadata.shift_remove(name);
    }
    if let Some(annotations) = map(metadata, "annotations") {
        for name in CONTROLLERS_ANNOTATIONS {
            annotations.shift_remove(name);
        }
    }
    if let Some(owners) = metadata
        .get_mut("ownerReferences")
        .and_then(Value::as_array_mut)
    {
        let before = owners.len();
        owners.retain(|owner| lives(text(owner, &["uid"])));
        if owners.len() < before {
            notes.push(
                "without the references to owners that are not there by their uids any more"
                    .to_owned(),
            );
        }
    }
    if let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        finalizers.retain(|finalizer| {
            let name = finalizer.as_str().unwrap_or_default();
            !options.strip_finalizers && !DELETIONS_FINALIZERS.contains(&name)
        });
    }
    for name in ["annotations", "labels", "ownerReferences", "finalizers"] {
        if metadata.get(name).is_some_and(is_empty) {
            metadata.shift_remove(name);
        }
    }
}

/// A pod as its writer made it: the scheduler's node, the priority that admission computes, and the volume of the
/// service account's token are the server's.
fn strip_pod(spec: &mut Map<String, Value>) {
    for name in [
        "nodeName",
        "priority",
        "preemptionPolicy",
        "ephemeralContainers",
    ] {
        spec.shift_remove(name);
    }
    let is_token = |volume: &Value| text(volume, &["name"]).starts_with("kube-api-access-");
    let strip = |list: &mut Map<String, Value>, name: &str| {
        if let Some(values) = list.get_mut(name).and_then(Value::as_array_mut) {
            values.retain(|value| !is_token(value));
            if values.is_empty() {
                list.shift_remove(name);
            }
        }
    };
    strip(spec, "volumes");
    for containers in ["initContainers", "containers"] {
        let list = spec.get_mut(containers).and_then(Value::as_array_mut);
        for container in list.into_iter().flatten().filter_map(Value::as_object_mut) {
            strip(container, "volumeMounts");
        }
    }
}

/// Addresses of the cluster are given out anew; a headless service stays one. Node ports stay: clients know them.
fn strip_service(spec: &mut Map<String, Value>) {
    if spec.get("clusterIP").and_then(Value::as_str) != Some("None") {
        spec.shift_remove("clusterIP");
        spec.shift_remove("clusterIPs");
    }
    spec.shift_remove("healthCheckNodePort");
}

fn strip_claim(spec: &mut Map<String, Value>, notes: &mut Vec<String>) {
    if let Some(volume) = spec.shift_remove("volumeName") {
        notes.push(format!(
            "it was bound to volume {}, which is left out: if that volume is still there (reclaim policy Retain), remove its spec.claimRef and set spec.volumeName here, else a new empty volume is made",
            volume.as_str().unwrap_or_default()
        ));
    }
}

/// The volume keeps the name of its claim, and takes the new one of that name.
fn strip_volume(spec: &mut Map<String, Value>) {
    if let Some(claim) = map(spec, "claimRef") {
        claim.shift_remove("uid");
        claim.shift_remove("resourceVersion");
    }
}

/// The selector of a Job holds its uid, unless it was written by hand.
fn strip_job(fields: &mut Map<String, Value>) {
    let manual = fields
        .get("spec")
        .and_then(|spec| spec.get("manualSelector"))
        .and_then(Value::as_bool);
    if manual == Some(true) {
        return;
    }
    let strip = |metadata: Option<&mut Map<String, Value>>| {
        let Some(metadata) = metadata else { return };
        if let Some(labels) = map(metadata, "labels") {
            for name in JOB_LABELS {
                labels.shift_remove(name);
            }
        }
        if metadata.get("labels").is_some_and(is_empty) {
            metadata.shift_remove("labels");
        }
    };
    strip(map(fields, "metadata"));
    if let Some(spec) = map(fields, "spec") {
        spec.shift_remove("selector");
        if let Some(template) = map(spec, "template") {
            strip(map(template, "metadata"));
            if template.get("metadata").is_some_and(is_empty) {
                template.shift_remove("metadata");
            }
        }
    }
}
