//! Removes the fields of a pod that the scheduler and admission set: the node, the priority, and the volume with the
//! service account's token. Admission adds the last two again.

use serde_json::{Map, Value};

use super::{is_token_name, strip_field, text};

/// The path where admission mounts the service account's token (`plugin/pkg/admission/serviceaccount`).
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The prefix of the name of a projected volume with the token (since 1.21).
const PROJECTED_PREFIX: &str = "kube-api-access-";

/// The lists of containers.
const CONTAINERS: [&str; 2] = ["initContainers", "containers"];

/// Removes these fields from the spec of a pod.
pub(super) fn strip(spec: &mut Map<String, Value>) {
    for name in [
        "nodeName",
        "priority",
        "preemptionPolicy",
        "ephemeralContainers",
    ] {
        spec.shift_remove(name);
    }
    let tokens: Vec<String> = items(spec.get("volumes"))
        .filter(|volume| is_token(volume, spec))
        .map(|volume| text(volume, &["name"]).to_owned())
        .collect();
    remove(spec, "volumes", &tokens);
    for containers in CONTAINERS {
        let list = spec.get_mut(containers).and_then(Value::as_array_mut);
        for container in list.into_iter().flatten().filter_map(Value::as_object_mut) {
            remove(container, "volumeMounts", &tokens);
        }
    }
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

/// Removes the items with these names from a list.
fn remove(parent: &mut Map<String, Value>, list: &str, names: &[String]) {
    strip_field(parent, list, |values| {
        let is_kept = |value: &Value| !names.iter().any(|name| name == text(value, &["name"]));
        let _ = values.as_array_mut().map(|values| values.retain(is_kept));
    });
}

/// Whether admission added a volume: it has the token, a generated name, and is mounted only where admission mounts it. A
/// user's volume may have such a name too.
fn is_token(volume: &Value, spec: &Map<String, Value>) -> bool {
    let name = text(volume, &["name"]);
    let sources = volume.pointer("/projected/sources");
    let is_projected = name.starts_with(PROJECTED_PREFIX)
        && items(sources).any(|source| source.get("serviceAccountToken").is_some());
    let account = spec.get("serviceAccountName").and_then(Value::as_str);
    let secret = text(volume, &["secret", "secretName"]);
    let is_secret = name == secret && is_token_name(secret, account.unwrap_or("default"));
    let containers = CONTAINERS.iter().flat_map(|list| items(spec.get(*list)));
    let mut mounts = containers
        .flat_map(|container| items(container.get("volumeMounts")))
        .filter(|mount| text(mount, &["name"]) == name);
    (is_projected || is_secret) && mounts.all(|mount| text(mount, &["mountPath"]) == TOKEN_PATH)
}
