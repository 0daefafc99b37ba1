//! Renames and moves fields that have another name or place in another version, as Kubernetes' own conversion does.

use serde_json::{Map, Value, json};

use super::super::manifest::crd;
use super::super::object::text;
use super::super::release::Release;
use super::autoscaler;
use super::fields::{at, each, rename};

type Fields = Map<String, Value>;

/// The first release in which a pod's resource claims have no `source`.
const CLAIMS_WITHOUT_SOURCE: &str = "1.31";

/// In `v1beta3` a level without this annotation has no zero; `v1` refuses the annotation.
const PRESERVED_ZERO: &str = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";

const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

const EMPTY_SELECTOR: &str = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match";

/// Renames the fields of an object.
pub type Rename = fn(&mut Fields);

/// Where the resource claims of an object's pods are, if one has a `source` and a release knows none.
pub fn claims_with_source(object: &Value, release: Release) -> Option<&'static str> {
    let first: Release = CLAIMS_WITHOUT_SOURCE.parse().ok()?;
    let place = match text(object, &["kind"]) {
        _ if release < first => return None,
        "Pod" => "/spec/resourceClaims",
        "PodTemplate" => "/template/spec/resourceClaims",
        "CronJob" => "/spec/jobTemplate/spec/template/spec/resourceClaims",
        _ => "/spec/template/spec/resourceClaims",
    };
    let mut claims = object.pointer(place)?.as_array()?.iter();
    let has_source = claims.any(|claim| claim.get("source").is_some_and(Value::is_object));
    has_source.then_some(place)
}

/// A copy of an object with other names: those of the resource claims at a place, and those of a rule.
pub fn renamed(object: &Value, claims: Option<&str>, rename: Option<Rename>) -> Value {
    let mut object = object.clone();
    each(
        claims.and_then(|place| object.pointer_mut(place)),
        |claim| {
            if let Some(Value::Object(source)) = claim.shift_remove("source") {
                claim.extend(source);
            }
        },
    );
    if let (Some(rename), Some(fields)) = (rename, object.as_object_mut()) {
        rename(fields);
    }
    object
}

/// The rule by which fields are renamed between two versions of a kind.
pub fn between(kind: &str, from: &str, to: &str) -> Option<Rename> {
    Some(match (kind, from, to) {
        ("Ingress", "extensions/v1beta1" | "networking.k8s.io/v1beta1", "networking.k8s.io/v1") => {
            ingress
        }
        ("EndpointSlice", "discovery.k8s.io/v1beta1", "discovery.k8s.io/v1") => {
            |slice| each(slice.get_mut("endpoints"), endpoint)
        }
        (
            "PriorityLevelConfiguration",
            "flowcontrol.apiserver.k8s.io/v1beta1" | "flowcontrol.apiserver.k8s.io/v1beta2",
            "flowcontrol.apiserver.k8s.io/v1beta3" | "flowcontrol.apiserver.k8s.io/v1",
        ) => priority_level,
        (
            "PriorityLevelConfiguration",
            "flowcontrol.apiserver.k8s.io/v1beta3",
            "flowcontrol.apiserver.k8s.io/v1",
        ) => |level| unannotate(level, PRESERVED_ZERO),
        (
            "HorizontalPodAutoscaler",
            "autoscaling/v2beta1",
            "autoscaling/v2" | "autoscaling/v2beta2",
        ) => autoscaler::from_v2beta1,
        ("HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2") => autoscaler::from_v1,
        ("DaemonSet", "extensions/v1beta1", "apps/v1") => template_generation,
        ("PodDisruptionBudget", "policy/v1beta1", "policy/v1") => {
            |old| budget(old, "Exists", "DoesNotExist")
        }
        ("PodDisruptionBudget", "policy/v1", "policy/v1beta1") => {
            |new| budget(new, "DoesNotExist", "Exists")
        }
        ("RoleBinding" | "ClusterRoleBinding", "rbac.authorization.k8s.io/v1alpha1", _) => {
            |binding| each(binding.get_mut("subjects"), subject)
        }
        ("RuntimeClass", "node.k8s.io/v1alpha1", _) => runtime_class,
        ("ResourceClaim", "resource.k8s.io/v1beta1", _) => {
            |claim| device_requests(at(claim, &["spec", "devices"]))
        }
        ("ResourceClaimTemplate", "resource.k8s.io/v1beta1", _) => {
            |template| device_requests(at(template, &["spec", "spec", "devices"]))
        }
        ("CustomResourceDefinition", _, _) => crd::convert,
        _ => return None,
    })
}

fn priority_level(fields: &mut Fields) {
    if let Some(limited) = at(fields, &["spec", "limited"]) {
        let (old, new) = ("assuredConcurrencyShares", "nominalConcurrencyShares");
        rename(limited, old, new);
    }
}

/// What v1alpha1 has below `spec` is beside it.
fn runtime_class(fields: &mut Fields) {
    if let Some(Value::Object(mut spec)) = fields.shift_remove("spec") {
        rename(&mut spec, "runtimeHandler", "handler");
        fields.extend(spec);
    }
}

/// Renames `spec.backend` to `defaultBackend`, and changes each backend to a service with a port.
fn ingress(fields: &mut Fields) {
    let Some(spec) = at(fields, &["spec"]) else {
        return;
    };
    rename(spec, "backend", "defaultBackend");
    let default = spec
        .get_mut("defaultBackend")
        .and_then(Value::as_object_mut);
    let _ = default.map(backend);
    each(spec.get_mut("rules"), |rule| {
        let paths = at(rule, &["http"]).and_then(|http| http.get_mut("paths"));
        each(paths, |path| {
            // The server's default in the beta version.
            path.entry("pathType")
                .or_insert("ImplementationSpecific".into());
            let own = path.get_mut("backend").and_then(Value::as_object_mut);
            let _ = own.map(backend);
        });
    });
}

/// Changes `serviceName` and `servicePort` to `service.name` and `service.port`.
fn backend(backend: &mut Fields) {
    let name = backend.shift_remove("serviceName");
    let port = backend.shift_remove("servicePort");
    let is_set = |value: &Option<Value>| {
        let empty = [json!(""), json!(0), Value::Null];
        value.as_ref().is_some_and(|value| !empty.contains(value))
    };
    if !is_set(&name) && !is_set(&port) {
        return;
    }
    let mut service = Fields::new();
    service.insert("name".to_owned(), name.unwrap_or_else(|| "".into()));
    let port = match port {
        Some(Value::String(name)) => json!({ "name": name }),
        Some(Value::Number(number)) => json!({ "number": number }),
        _ => json!({}),
    };
    service.insert("port".to_owned(), port);
    backend.insert("service".to_owned(), Value::Object(service));
}

/// Moves the zone of an endpoint's topology to its own field. Its node is in `nodeName`; other labels are deprecated.
fn endpoint(endpoint: &mut Fields) {
    let Some(Value::Object(mut topology)) = endpoint.shift_remove("topology") else {
        return;
    };
    if let Some(zone) = topology.shift_remove("topology.kubernetes.io/zone") {
        endpoint.insert("zone".to_owned(), zone);
    }
    if endpoint.contains_key("nodeName") {
        topology.shift_remove("kubernetes.io/hostname");
    }
    if !topology.is_empty() {
        endpoint.insert("deprecatedTopology".to_owned(), Value::Object(topology));
    }
}

/// Takes an annotation away.
fn unannotate(fields: &mut Fields, name: &str) {
    let Some(metadata) = at(fields, &["metadata"]) else {
        return;
    };
    let annotations = at(metadata, &["annotations"]);
    let is_empty = annotations.is_some_and(|annotations| {
        annotations.shift_remove(name);
        annotations.is_empty()
    });
    if is_empty {
        metadata.shift_remove("annotations");
    }
}

/// The generation of the template is an annotation.
fn template_generation(set: &mut Fields) {
    let spec = at(set, &["spec"]);
    let generation = spec.and_then(|spec| spec.shift_remove("templateGeneration"));
    let generation = generation.unwrap_or_else(|| 0.into()).to_string();
    if let Some(metadata) = at(set, &["metadata"]) {
        let annotations = metadata
            .entry("annotations")
            .or_insert_with(|| Value::Object(Fields::new()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.insert(TEMPLATE_GENERATION.to_owned(), generation.into());
        }
    }
}

/// An empty selector selects no pod in `v1beta1` and every pod in `v1`. Each version writes what the other's empty one
/// means as a requirement on a label that no pod has.
fn budget(budget: &mut Fields, old_empty: &str, new_empty: &str) {
    let Some(selector) = at(budget, &["spec", "selector"]) else {
        return;
    };
    let requires = |operator: &str| {
        let requirement = json!({"key": EMPTY_SELECTOR, "operator": operator});
        Fields::from_iter([("matchExpressions".to_owned(), json!([requirement]))])
    };
    if selector.is_empty() {
        *selector = requires(old_empty);
    } else if *selector == requires(new_empty) {
        selector.clear();
    }
}

/// A subject names its group instead of its version. The user `*` was everybody who is known.
fn subject(subject: &mut Fields) {
    let version = subject.shift_remove("apiVersion");
    let field = |name: &str| subject.get(name).and_then(Value::as_str);
    let own = "rbac.authorization.k8s.io";
    let is_everybody = (field("kind"), field("name")) == (Some("User"), Some("*"));
    let group = match field("kind") {
        Some("ServiceAccount") => "",
        Some("User" | "Group") => own,
        _ => {
            let version = version.as_ref().and_then(Value::as_str);
            let parts = version.and_then(|version| version.split_once('/'));
            parts.map_or("", |(group, _)| group)
        }
    };
    if !group.is_empty() {
        subject.insert("apiGroup".to_owned(), group.into());
    }
    if is_everybody {
        subject.insert("kind".to_owned(), "Group".into());
        subject.insert("name".to_owned(), "system:authenticated".into());
    }
}

/// Moves the fields of a device request under `exactly`.
fn device_requests(devices: Option<&mut Fields>) {
    let requests = devices.and_then(|devices| devices.get_mut("requests"));
    each(requests, |request| {
        let mut exactly = Fields::new();
        for name in [
            "deviceClassName",
            "selectors",
            "allocationMode",
            "count",
            "adminAccess",
            "tolerations",
            "capacity",
        ] {
            if let Some(value) = request.shift_remove(name) {
                exactly.insert(name.to_owned(), value);
            }
        }
        if !exactly.is_empty() {
            request.insert("exactly".to_owned(), Value::Object(exactly));
        }
    });
}
