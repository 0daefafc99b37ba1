//! Fields that have another name or place in another version: what Kubernetes' own conversion does with them.

use serde_json::{Map, Value, json};

use super::super::manifest::crd;
use super::super::object::text;
use super::super::release::Release;

type Fields = Map<String, Value>;

/// The first release in which a pod's resource claims have no `source`.
const CLAIMS_WITHOUT_SOURCE: &str = "1.31";

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

fn at<'f>(fields: &'f mut Fields, path: &[&str]) -> Option<&'f mut Fields> {
    let mut fields = fields;
    for name in path {
        fields = fields.get_mut(*name)?.as_object_mut()?;
    }
    Some(fields)
}

fn each(list: Option<&mut Value>, change: fn(&mut Fields)) {
    let list = list.and_then(Value::as_array_mut);
    let items = list.into_iter().flatten();
    items.filter_map(Value::as_object_mut).for_each(change);
}

fn rename(fields: &mut Fields, from: &str, to: &str) {
    if let Some(value) = fields.shift_remove(from) {
        fields.insert(to.to_owned(), value);
    }
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

/// `spec.backend` is `defaultBackend`, and each backend names a service with a port, or a resource.
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
            // The server's default of the beta version.
            path.entry("pathType")
                .or_insert("ImplementationSpecific".into());
            let own = path.get_mut("backend").and_then(Value::as_object_mut);
            let _ = own.map(backend);
        });
    });
}

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

/// The topology of an endpoint is its zone and its node; other labels stay as deprecated ones.
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

/// What a request asks for is below `exactly`, unless it has alternatives.
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
