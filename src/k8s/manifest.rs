//! From a stored object to a manifest that an API server takes: without what the server, its controllers and the
//! scheduler own, and without what ties it to objects that have another uid by now.
//!
//! Each rule is in a list, with the reason. A note says what to know before the manifest is used.

mod authored;
pub(super) mod crd;
mod pod;
mod service;

use serde_json::{Map, Value};

use super::controlled::{LAST_APPLIED, TOKEN_TYPE, is_token_name};
use super::object::group;
pub use super::object::text;
use authored::Authored;

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
    /// A claim keeps the volume that it was bound to.
    pub keeps_volume: bool,
    /// A service keeps the addresses and ports that the server gave it.
    pub keeps_addresses: bool,
    /// A Job does not run before somebody says so.
    pub suspends: bool,
}

/// What somebody has to know before the manifest is applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// References to owners were left out.
    Owners,
    /// It is a claim that was bound to a volume.
    Volume {
        /// The name of the volume.
        name: String,
        /// Whether the manifest names it.
        is_kept: bool,
    },
    /// The addresses of a service in the cluster were left out: the server gave them.
    ClusterAddresses(Vec<String>),
    /// The port for health checks was left out: the server gave it.
    HealthCheckPort(i64),
    /// The addresses that a load balancer had; no manifest has them.
    LoadBalancer(Vec<String>),
    /// It comes back suspended.
    Suspended,
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

/// Annotations that controllers and clients keep about an object as it was. With the last one, `kubectl apply` of the
/// author's manifest would reset what others have set since: a number of replicas.
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
    // With the group: others have kinds of the same names, with other fields.
    let what = (group.as_str(), kind.as_str());
    let authored = Authored::of(&object);
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

/// A claim is bound anew, unless its author chose the volume.
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

/// Removes what the server wrote into a Secret that a user created for the token of a service account.
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
