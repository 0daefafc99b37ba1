//! A pod as its writer made it: the node is the scheduler's; the priority and the volume of the service account's
//! token are what admission puts in, and puts in anew.

use serde_json::{Map, Value};

use super::{is_token_name, strip_field, text};

/// Where admission mounts the token of the service account (`plugin/pkg/admission/serviceaccount`).
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What the name of a projected volume with the token begins with, since 1.21.
const PROJECTED_PREFIX: &str = "kube-api-access-";

/// The lists of containers.
const CONTAINERS: [&str; 2] = ["initContainers", "containers"];

/// Removes it from the spec of a pod.
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

/// Removes the items of these names from a list.
fn remove(of: &mut Map<String, Value>, list: &str, names: &[String]) {
    strip_field(of, list, |values| {
        let is_kept = |value: &Value| !names.iter().any(|name| name == text(value, &["name"]));
        let _ = values.as_array_mut().map(|values| values.retain(is_kept));
    });
}

/// Whether admission put in a volume: it has the token, the name that admission makes up, and is mounted nowhere but
/// where admission mounts it. A volume that somebody wrote may have such a name too.
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
