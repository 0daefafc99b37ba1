//! From a stored object to a manifest that an API server takes: without what the server, its controllers and the
//! scheduler own, and without what ties it to objects that have another uid by now.
//!
//! Each rule stands in a list, with the reason; what somebody has to know before the manifest is applied comes back
//! as a note.

mod crd;
mod pod;

use serde_json::{Map, Value};

use super::object::group;
pub use super::object::text;

/// Rules that depend on what is asked for, and on what is known of other objects.
#[derive(Clone, Copy)]
pub struct Options<'o> {
    /// Leave out finalizers too: the objects can then be deleted although what would have finalized them is gone.
    pub strip_finalizers: bool,
    /// The status is a field like any other: that of a custom resource whose definition does not say otherwise.
    pub keeps_status: bool,
    /// Whether the reference to an owner of this uid stays. Of an owner that is not there the garbage collector
    /// would delete the object again.
    pub keeps_owner: &'o dyn Fn(&str) -> bool,
}

/// What somebody has to know before the manifest is applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// References to owners were left out.
    Owners,
    /// It was bound to the volume of this name, which was left out.
    Bound(String),
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

/// The manifest of an object, and what there is to know about it.
pub fn manifest(mut object: Value, options: Options<'_>) -> (Value, Vec<Note>) {
    let mut notes = Vec::new();
    let (group, kind) = (
        group(&object).to_owned(),
        text(&object, &["kind"]).to_owned(),
    );
    let Some(fields) = object.as_object_mut() else {
        return (object, notes);
    };
    if !options.keeps_status {
        fields.shift_remove("status");
    }
    if let Some(metadata) = map(fields, "metadata") {
        strip_metadata(metadata, options, &mut notes);
    }
    // With the group: others have kinds of the same names, with other fields.
    let what = (group.as_str(), kind.as_str());
    if what == ("", "ServiceAccount") {
        strip_tokens(fields);
    }
    let had_spec = fields.get("spec").is_some_and(|spec| !is_empty(spec));
    if let Some(spec) = map(fields, "spec") {
        match what {
            ("", "Pod") => pod::strip(spec),
            ("", "Service") => strip_service(spec),
            ("", "PersistentVolumeClaim") => strip_claim(spec, &mut notes),
            ("", "PersistentVolume") => strip_volume(spec),
            ("", "Namespace") => drop(spec.shift_remove("finalizers")),
            ("batch", "Job") => strip_job(fields),
            ("apiextensions.k8s.io", "CustomResourceDefinition") => crd::convert(fields),
            _ => {}
        }
    }
    if had_spec && fields.get("spec").is_some_and(is_empty) {
        fields.shift_remove("spec");
    }
    (object, notes)
}

/// Strips a field. The field is removed if that leaves nothing in it; one that was empty before was written so, and
/// stays.
fn strip_field(fields: &mut Map<String, Value>, name: &str, strip: impl FnOnce(&mut Value)) {
    let Some(field) = fields.get_mut(name) else {
        return;
    };
    let was_empty = is_empty(field);
    strip(field);
    if !was_empty && is_empty(field) {
        fields.shift_remove(name);
    }
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

fn strip_metadata(metadata: &mut Map<String, Value>, options: Options<'_>, notes: &mut Vec<Note>) {
    for name in SERVERS_METADATA {
        metadata.shift_remove(name);
    }
    strip_field(metadata, "annotations", |annotations| {
        for name in CONTROLLERS_ANNOTATIONS {
            annotations
                .as_object_mut()
                .map(|annotations| annotations.shift_remove(name));
        }
    });
    strip_field(metadata, "ownerReferences", |owners| {
        let Some(owners) = owners.as_array_mut() else {
            return;
        };
        let before = owners.len();
        owners.retain(|owner| (options.keeps_owner)(text(owner, &["uid"])));
        if owners.len() < before {
            notes.push(Note::Owners);
        }
    });
    strip_field(metadata, "finalizers", |finalizers| {
        let finalizers = finalizers.as_array_mut();
        let _ = finalizers.map(|finalizers| {
            finalizers.retain(|finalizer| {
                let name = finalizer.as_str().unwrap_or_default();
                !options.strip_finalizers && !DELETIONS_FINALIZERS.contains(&name)
            });
        });
    });
}

/// Addresses of the cluster are given out anew; a headless service stays one. Node ports stay: clients know them.
fn strip_service(spec: &mut Map<String, Value>) {
    if spec.get("clusterIP").and_then(Value::as_str) != Some("None") {
        spec.shift_remove("clusterIP");
        spec.shift_remove("clusterIPs");
    }
    spec.shift_remove("healthCheckNodePort");
}

/// A claim is bound anew.
fn strip_claim(spec: &mut Map<String, Value>, notes: &mut Vec<Note>) {
    if let Some(volume) = spec.shift_remove("volumeName") {
        notes.push(Note::Bound(volume.as_str().unwrap_or_default().to_owned()));
    }
}

/// The tokens that servers before 1.24 made for every account, which the account names; they make them anew.
fn strip_tokens(account: &mut Map<String, Value>) {
    let name = account
        .get("metadata")
        .map(|metadata| text(metadata, &["name"]).to_owned());
    let name = name.unwrap_or_default();
    strip_field(account, "secrets", |secrets| {
        let secrets = secrets.as_array_mut();
        let is_kept = |secret: &Value| !is_token_name(text(secret, &["name"]), &name);
        let _ = secrets.map(|secrets| secrets.retain(is_kept));
    });
}

/// Whether a Secret has the name of a token that a server made for a service account: `robot-token-x7k2p`.
fn is_token_name(secret: &str, account: &str) -> bool {
    /// How many characters are made up behind a name (`k8s.io/apiserver/pkg/storage/names`).
    const MADE_UP: usize = 5;
    let rest = secret.strip_prefix(account);
    let rest = rest.and_then(|rest| rest.strip_prefix("-token-"));
    rest.is_some_and(|rest| rest.len() == MADE_UP)
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
    let strip = |metadata: &mut Map<String, Value>| {
        strip_field(metadata, "labels", |labels| {
            for name in JOB_LABELS {
                labels
                    .as_object_mut()
                    .map(|labels| labels.shift_remove(name));
            }
        });
    };
    let _ = map(fields, "metadata").map(strip);
    if let Some(spec) = map(fields, "spec") {
        spec.shift_remove("selector");
        if let Some(template) = map(spec, "template") {
            strip_field(template, "metadata", |metadata| {
                let _ = metadata.as_object_mut().map(strip);
            });
        }
    }
}
