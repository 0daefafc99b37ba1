//! Whether an object is one that a controller makes, and makes anew when what it is made from is there.

use serde_json::Value;

use super::object::text;
pub use super::object::{group, owners};

/// Why an object need not be brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A controller makes it from the object that owns it.
    Owned,
    /// A controller makes it from the service of its name.
    OfService,
    /// A controller makes it in each namespace.
    OfNamespace,
    /// A token of a service account: the server makes another.
    Token,
    /// A report of what happened, which expires.
    Event,
    /// A sign of life, which is written over and over.
    Lease,
    /// The server makes it at its start.
    Bootstrap,
    /// The server's own record, which nobody can apply.
    Internal,
}

impl Reason {
    /// The reason as part of a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owned => "made by their owners' controllers",
            Self::OfService => "made for their services",
            Self::OfNamespace => "made in every namespace",
            Self::Token => "tokens of service accounts",
            Self::Event => "events",
            Self::Lease => "signs of life",
            Self::Bootstrap => "made by the API server itself",
            Self::Internal => "the API server's own records",
        }
    }

    /// The word for it in output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::OfService => "of-service",
            Self::OfNamespace => "of-namespace",
            Self::Token => "token",
            Self::Event => "event",
            Self::Lease => "lease",
            Self::Bootstrap => "bootstrap",
            Self::Internal => "internal",
        }
    }
}

/// What is known of other objects.
pub struct Others<'o> {
    /// Whether an object of this uid was ever seen.
    pub is_known: &'o dyn Fn(&str) -> bool,
    /// Whether there is, or will be, a service of this namespace and name with a selector.
    pub has_service: &'o dyn Fn(&str, &str) -> bool,
}

/// Why an object need not be brought back; none where it must be.
pub fn reason(object: &Value, others: &Others<'_>) -> Option<Reason> {
    let (group, kind) = (group(object), text(object, &["kind"]));
    let name = text(object, &["metadata", "name"]);
    let namespace = text(object, &["metadata", "namespace"]);
    let has_service = |name: &str| (others.has_service)(namespace, name);
    if name.is_empty() || group == "internal.apiserver.k8s.io" {
        return Some(Reason::Internal);
    }
    if is_made_at_start(object) {
        return Some(Reason::Bootstrap);
    }
    match (group, kind) {
        ("" | "events.k8s.io", "Event") => return Some(Reason::Event),
        ("", "ServiceAccount") if name == "default" => return Some(Reason::OfNamespace),
        ("", "ConfigMap") if name == "kube-root-ca.crt" => return Some(Reason::OfNamespace),
        ("", "Endpoints") if has_service(name) => return Some(Reason::OfService),
        ("", "RangeAllocation") => return Some(Reason::Internal),
        ("discovery.k8s.io", "EndpointSlice")
            if is_of_control_plane(label(object, "endpointslice.kubernetes.io/managed-by")) =>
        {
            return Some(Reason::OfService);
        }
        ("", "Secret") if text(object, &["type"]) == "kubernetes.io/service-account-token" => {
            return Some(Reason::Token);
        }
        ("networking.k8s.io", "IPAddress")
            if label(object, "ipaddress.kubernetes.io/managed-by") == "ipallocator.k8s.io" =>
        {
            return Some(Reason::OfService);
        }
        ("coordination.k8s.io", "Lease" | "LeaseCandidate") => return Some(Reason::Lease),
        _ => {}
    }
    let mut controllers =
        owners(object).filter(|owner| owner.get("controller") == Some(&Value::Bool(true)));
    // A controller may not make the same data again: a password, a volume. The claim of a pod's own volume comes with
    // the pod.
    let is_data = matches!(
        (group, kind),
        ("", "Secret" | "ConfigMap" | "PersistentVolumeClaim")
    );
    let makes_anew = |owner: &Value| !is_data || text(owner, &["kind"]) == "Pod";
    controllers
        .any(|owner| makes_anew(owner) && (others.is_known)(text(owner, &["uid"])))
        .then_some(Reason::Owned)
}

/// Whether an API server makes the object itself when it starts on an empty store.
fn is_made_at_start(object: &Value) -> bool {
    let name = text(object, &["metadata", "name"]);
    match (group(object), text(object, &["kind"])) {
        ("", "Namespace") => {
            ["default", "kube-system", "kube-public", "kube-node-lease"].contains(&name)
        }
        ("", "Service") => {
            name == "kubernetes" && text(object, &["metadata", "namespace"]) == "default"
        }
        ("networking.k8s.io", "ServiceCIDR") => name == "kubernetes",
        ("scheduling.k8s.io", "PriorityClass") => name.starts_with("system-"),
        ("apiregistration.k8s.io", _) => {
            !label(object, "kube-aggregator.kubernetes.io/automanaged").is_empty()
        }
        ("flowcontrol.apiserver.k8s.io", _) => {
            annotation(object, "apf.kubernetes.io/autoupdate-spec") == "true"
        }
        _ => !label(object, "kubernetes.io/bootstrapping").is_empty(),
    }
}

fn is_of_control_plane(manager: &str) -> bool {
    manager.ends_with("controller.k8s.io")
}

fn label<'v>(object: &'v Value, name: &str) -> &'v str {
    text(object, &["metadata", "labels", name])
}

fn annotation<'v>(object: &'v Value, name: &str) -> &'v str {
    text(object, &["metadata", "annotations", name])
}
