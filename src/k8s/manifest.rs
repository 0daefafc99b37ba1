//! Turns a stored object into a manifest that an API server accepts: without the fields that the server, the controllers
//! and the scheduler set, and without references to objects whose uid has changed.
//!
//! Each rule is a list with a comment that gives its reason. A [`Note`] describes what the user should know before applying
//! the manifest.

mod authored;
pub(super) mod crd;
mod pod;
mod service;

use serde_json::{Map, Value};

use super::controlled::{LAST_APPLIED, TOKEN_TYPE, is_token_name};
use super::object::group;
pub use super::object::text;
use authored::AuthoredFields;

/// Rules that depend on the user's choices, and on what is known about other objects.
#[derive(Clone, Copy)]
pub struct Options<'o> {
    /// Remove finalizers too, so that the objects can be deleted even if their finalizing controller does not exist.
    pub strip_finalizers: bool,
    /// Keep the status: it is an ordinary field of a custom resource whose definition has no status subresource.
    pub keeps_status: bool,
    /// Whether the reference to an owner with this uid is kept. If the owner does not exist, the garbage collector would
    /// delete the object.
    pub keeps_owner: &'o dyn Fn(&str) -> bool,
    /// Keep the name of the volume to which a claim was bound.
    pub keeps_volume: bool,
    /// Keep the addresses and ports that the server assigned to a service.
    pub keeps_addresses: bool,
    /// Suspend Jobs, so that they do not run until the user resumes them.
    pub suspends: bool,
}

/// What the user should know before the manifest is applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// References to owners were removed.
    Owners,
    /// It is a claim that was bound to a volume.
    Volume {
        /// The name of the volume.
        name: String,
        /// Whether the manifest has the name.
        is_kept: bool,
    },
    /// The cluster addresses of a service were removed, because the server assigned them.
    ClusterAddresses(Vec<String>),
    /// The health check port of a service was removed, because the server assigned it.
    HealthCheckPort(i64),
    /// The addresses of a service's load balancer; a manifest cannot set them.
    LoadBalancer(Vec<String>),
    /// The Job is suspended.
    Suspended,
}

/// Fields of `metadata` that the server sets, whatever the manifest has.
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

/// Annotations that describe the former state of an object. The last one is removed because a later `kubectl apply` of the
/// author's manifest would reset fields that others have set since, for example a number of replicas.
const FORMER_ANNOTATIONS: [&str; 9] = [
    "deployment.kubernetes.io/revision",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "kubernetes.io/service-account.uid",
    "endpoints.kubernetes.io/last-change-trigger-time",
    LAST_APPLIED,
];

/// Finalizers that a deletion adds.
const DELETIONS_FINALIZERS: [&str; 2] = ["foregroundDeletion", "orphan"];

/// Labels by which a Job finds its pods. The server sets them from the new uid.
const JOB_LABELS: [&str; 4] = [
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
];

/// The manifest of an object, and notes about it.
pub fn manifest(mut object: Value, options: Options<'_>) -> (Value, Vec<Note>) {
    let mut notes = Vec::new();
    let (group, kind) = (
        group(&object).to_owned(),
        text(&object, &["kind"]).to_owned(),
    );
    // The group is compared too, because other groups have kinds with the same names.
    let what = (group.as_str(), kind.as_str());
    let authored = AuthoredFields::from_object(&object);
    if what == ("", "Service") {
        service::note_addresses(&object, &mut notes);
    }
    let is_bound_by_controller = !text(
        &object,
        &[
            "metadata",
            "annotations",
            "pv.kubernetes.io/bound-by-controller",
        ],
    )
    .is_empty();
    let Some(fields) = object.as_object_mut() else {
        return (object, notes);
    };
    if !options.keeps_status {
        fields.shift_remove("status");
    }
    if let Some(metadata) = map(fields, "metadata") {
        strip_metadata(metadata, options, &mut notes);
    }
    match what {
        ("", "ServiceAccount") => strip_tokens(fields),
        ("", "Secret") => strip_token(fields),
        _ => {}
    }
    let had_spec = fields.get("spec").is_some_and(|spec| !is_empty(spec));
    if let Some(spec) = map(fields, "spec") {
        match what {
            ("", "Pod") => pod::strip(spec),
            ("", "Service") if options.keeps_addresses => {}
            ("", "Service") => service::strip(spec, &authored, &mut notes),
            ("", "PersistentVolumeClaim") => {
                let is_kept = options.keeps_volume || !is_bound_by_controller;
                strip_claim(spec, is_kept, &mut notes);
            }
            ("", "PersistentVolume") => strip_volume(spec),
            ("", "Namespace") => drop(spec.shift_remove("finalizers")),
            ("batch", "Job") => {
                if options.suspends {
                    spec.insert("suspend".to_owned(), true.into());
                    notes.push(Note::Suspended);
                }
                strip_job(fields);
            }
            ("apiextensions.k8s.io", "CustomResourceDefinition") => crd::convert(fields),
            _ => {}
        }
    }
    if had_spec && fields.get("spec").is_some_and(is_empty) {
        fields.shift_remove("spec");
    }
    (object, notes)
}

/// Strips a field, and removes it if it is empty afterwards. A field that was empty before is kept, because its author
/// wrote it so.
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

/// Removes what the server and controllers wrote into the metadata, and owners that are not kept.
fn strip_metadata(metadata: &mut Map<String, Value>, options: Options<'_>, notes: &mut Vec<Note>) {
    for name in SERVERS_METADATA {
        metadata.shift_remove(name);
    }
    strip_field(metadata, "annotations", |annotations| {
        for name in FORMER_ANNOTATIONS {
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

/// Removes the volume name of a claim, so that it is bound again, unless its author chose the volume.
fn strip_claim(spec: &mut Map<String, Value>, is_kept: bool, notes: &mut Vec<Note>) {
    let name = spec.get("volumeName").and_then(Value::as_str);
    let Some(name) = name.map(str::to_owned) else {
        return;
    };
    if !is_kept {
        spec.shift_remove("volumeName");
    }
    notes.push(Note::Volume { name, is_kept });
}

/// Removes the data that the server wrote into a Secret that a user created for a service account token.
fn strip_token(secret: &mut Map<String, Value>) {
    const SERVERS_DATA: [&str; 3] = ["token", "ca.crt", "namespace"];
    if secret.get("type").and_then(Value::as_str) != Some(TOKEN_TYPE) {
        return;
    }
    strip_field(secret, "data", |data| {
        for name in SERVERS_DATA {
            data.as_object_mut().map(|data| data.shift_remove(name));
        }
    });
}

/// Removes the references to token Secrets that servers before 1.24 created for each account and create again.
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

/// Removes the uid of a volume's claim, so that the volume is bound to the new claim with the same name.
fn strip_volume(spec: &mut Map<String, Value>) {
    if let Some(claim) = map(spec, "claimRef") {
        claim.shift_remove("uid");
        claim.shift_remove("resourceVersion");
    }
}

/// Removes the selector of a Job and the labels it matches, which contain its uid, unless the author wrote the selector.
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
