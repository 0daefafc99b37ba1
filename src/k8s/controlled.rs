//! Which objects need not be recovered, because the API server or a controller creates them again.
//!
//! An object that another object controls is left out only if the pair is listed in `owner_reason`. A Deployment creates
//! ReplicaSets and nothing else, so a Service that a Deployment owns must be recovered.

use serde_json::Value;

use super::default_roles;
use super::object::text;
pub use super::object::{group, owners};

/// Why an object need not be recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A controller creates it from the object that owns it.
    Owned,
    /// A controller creates it from the service with the same name.
    ForService,
    /// A controller creates it in each namespace.
    PerNamespace,
    /// A token of a service account: the server creates another one.
    Token,
    /// An Event, which expires.
    Event,
    /// A Lease that a running program renews.
    Lease,
    /// It describes a node: the kubelet, the attach controller or the certificate controllers create it.
    Node,
    /// The server creates it at its start.
    Bootstrap,
    /// An internal record of the API server, which clients cannot apply.
    Internal,
}

impl Reason {
    /// All reasons, in the order of a summary.
    pub const ALL: [Self; 9] = [
        Self::Owned,
        Self::ForService,
        Self::PerNamespace,
        Self::Token,
        Self::Event,
        Self::Lease,
        Self::Node,
        Self::Bootstrap,
        Self::Internal,
    ];

    /// The reason in words, for a summary.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owned => "made by the controllers of their owners",
            Self::ForService => "made for their services",
            Self::PerNamespace => "made in every namespace",
            Self::Token => "tokens of service accounts",
            Self::Event => "events",
            Self::Lease => "leases that a running program renews",
            Self::Node => "nodes, and what exists for a node",
            Self::Bootstrap => "made by the API server or the controller manager at its start",
            Self::Internal => "internal records of the API server, which cannot be applied",
        }
    }

    /// The reason as one word, for machine formats.
    pub fn word(self) -> &'static str {
        match self {
            Self::Owned => "owned",
            Self::ForService => "of-service",
            Self::PerNamespace => "of-namespace",
            Self::Token => "token",
            Self::Event => "event",
            Self::Lease => "lease",
            Self::Node => "node",
            Self::Bootstrap => "bootstrap",
            Self::Internal => "internal",
        }
    }
}

/// What is known about other objects.
pub struct OtherObjects<'o> {
    /// Whether an object with this uid was ever seen.
    pub is_known: &'o dyn Fn(&str) -> bool,
    /// Whether a service with this namespace and name and with a selector exists or will be recovered.
    pub has_service: &'o dyn Fn(&str, &str) -> bool,
}

/// Why an object need not be recovered; None if it must be.
pub fn reason(object: &Value, others: &OtherObjects<'_>) -> Option<Reason> {
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
        ("", "ServiceAccount") if name == "default" && is_bare_account(object) => {
            return Some(Reason::PerNamespace);
        }
        ("", "ConfigMap") if name == "kube-root-ca.crt" => return Some(Reason::PerNamespace),
        ("", "Endpoints")
            if has_service(name)
                || label(object, "endpoints.kubernetes.io/managed-by") == "endpoint-controller" =>
        {
            return Some(Reason::ForService);
        }
        ("", "RangeAllocation") => return Some(Reason::Internal),
        ("discovery.k8s.io", "EndpointSlice")
            if is_made_by_controller(label(object, "endpointslice.kubernetes.io/managed-by")) =>
        {
            return Some(Reason::ForService);
        }
        ("", "Secret") if is_servers_token(object) => return Some(Reason::Token),
        ("networking.k8s.io", "IPAddress")
            if label(object, "ipaddress.kubernetes.io/managed-by") == "ipallocator.k8s.io" =>
        {
            return Some(Reason::ForService);
        }
        ("coordination.k8s.io", "Lease" | "LeaseCandidate") if is_renewed(object) => {
            return Some(Reason::Lease);
        }
        ("", "Node")
        | ("storage.k8s.io", "CSINode" | "VolumeAttachment")
        | ("certificates.k8s.io", "CertificateSigningRequest") => return Some(Reason::Node),
        ("", "Pod") if !annotation(object, "kubernetes.io/config.mirror").is_empty() => {
            return Some(Reason::Node);
        }
        _ => {}
    }
    owners(object)
        .filter(|owner| (others.is_known)(text(owner, &["uid"])))
        .find_map(|owner| owner_reason(owner, (group, kind)))
}

/// The reason if the controller of an owner creates objects of this group and kind.
fn owner_reason(owner: &Value, made: (&str, &str)) -> Option<Reason> {
    let is_controller = owner.get("controller") == Some(&Value::Bool(true));
    let owner_kind = text(owner, &["kind"]);
    // Workloads were in the group `extensions` first.
    let owner_group = match group(owner) {
        "extensions" => "apps",
        group => group,
    };
    let made_group = if made.0 == "extensions" {
        "apps"
    } else {
        made.0
    };
    match (owner_group, owner_kind, made_group, made.1) {
        ("apps", "Deployment", "apps", "ReplicaSet")
        | ("apps", "ReplicaSet" | "StatefulSet" | "DaemonSet", "", "Pod")
        | ("", "ReplicationController", "", "Pod")
        | ("batch", "Job", "", "Pod")
        | ("batch", "CronJob", "batch", "Job")
        | ("apps", "StatefulSet" | "DaemonSet", "apps", "ControllerRevision")
        // Claims of a pod's ephemeral volumes: a pod refuses claims that were not created for it.
        | ("", "Pod", "", "PersistentVolumeClaim")
        | ("", "Pod", "resource.k8s.io", "ResourceClaim") => {
            is_controller.then_some(Reason::Owned)
        }
        ("", "Node", "coordination.k8s.io", "Lease")
        | ("", "Node", "storage.k8s.io", "CSINode")
        | ("", "Node", "resource.k8s.io", "ResourceSlice")
        | ("", "Node", "", "Pod") => Some(Reason::Node),
        _ => None,
    }
}

/// Whether a ServiceAccount has nothing except what the controller creates.
fn is_bare_account(account: &Value) -> bool {
    let is_empty = |value: Option<&Value>| match value {
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Null) | None => true,
        Some(_) => false,
    };
    let annotations = account.pointer("/metadata/annotations");
    let annotations = annotations.and_then(Value::as_object);
    let mut names = annotations.into_iter().flat_map(serde_json::Map::keys);
    let secrets = account.get("secrets").and_then(Value::as_array);
    let mut secrets = secrets.into_iter().flatten();
    let name = text(account, &["metadata", "name"]);
    is_empty(account.get("imagePullSecrets"))
        && is_empty(account.get("automountServiceAccountToken"))
        && is_empty(account.pointer("/metadata/labels"))
        && names.all(|name| name == LAST_APPLIED)
        && secrets.all(|secret| is_token_name(text(secret, &["name"]), name))
}

/// The annotation in which `kubectl apply` stores the manifest that it applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The type of a Secret with the token of a service account.
pub const TOKEN_TYPE: &str = "kubernetes.io/service-account-token";

/// Whether a server before 1.24 created the token Secret for its account. A Secret that a user created has another name.
fn is_servers_token(secret: &Value) -> bool {
    let account = annotation(secret, "kubernetes.io/service-account.name");
    text(secret, &["type"]) == TOKEN_TYPE
        && is_token_name(text(secret, &["metadata", "name"]), account)
}

/// Whether a Secret's name is that of a token that a server created for a service account: `robot-token-x7k2p`.
pub fn is_token_name(secret: &str, account: &str) -> bool {
    /// The number of random characters after a name (`k8s.io/apiserver/pkg/storage/names`).
    const RANDOM_CHARS: usize = 5;
    let rest = secret.strip_prefix(account);
    let rest = rest.and_then(|rest| rest.strip_prefix("-token-"));
    rest.is_some_and(|rest| rest.len() == RANDOM_CHARS)
}

/// Whether a program renews a Lease. A Lease without a holder was created by a user.
fn is_renewed(lease: &Value) -> bool {
    let spec = |name| lease.pointer("/spec").and_then(|spec| spec.get(name));
    spec("renewTime").is_some() || spec("holderIdentity").is_some() || spec("leaseName").is_some()
}

/// Whether an API server creates the object when it starts on an empty store.
fn is_made_at_start(object: &Value) -> bool {
    let name = text(object, &["metadata", "name"]);
    let namespace = text(object, &["metadata", "namespace"]);
    match (group(object), text(object, &["kind"])) {
        ("", "Namespace") => {
            ["default", "kube-system", "kube-public", "kube-node-lease"].contains(&name)
        }
        ("", "Service" | "Endpoints") | ("discovery.k8s.io", "EndpointSlice") => {
            (namespace, name) == ("default", "kubernetes")
        }
        ("", "ConfigMap") => {
            namespace == "kube-system"
                && [
                    "extension-apiserver-authentication",
                    "kube-apiserver-legacy-service-account-token-tracking",
                ]
                .contains(&name)
        }
        ("", "ServiceAccount") => {
            namespace == "kube-system"
                && default_roles::is_controller_account(name)
                && is_bare_account(object)
        }
        ("networking.k8s.io", "ServiceCIDR") => name == "kubernetes",
        ("scheduling.k8s.io", "PriorityClass") => {
            ["system-cluster-critical", "system-node-critical"].contains(&name)
        }
        ("apiregistration.k8s.io", _) => {
            !label(object, "kube-aggregator.kubernetes.io/automanaged").is_empty()
        }
        ("flowcontrol.apiserver.k8s.io", _) => {
            annotation(object, "apf.kubernetes.io/autoupdate-spec") == "true"
        }
        ("rbac.authorization.k8s.io", kind) => {
            !label(object, "kubernetes.io/bootstrapping").is_empty()
                && default_roles::is_default_role(kind, namespace, name)
        }
        _ => false,
    }
}

/// Whether a `managed-by` label names one of Kubernetes' own controllers.
fn is_made_by_controller(manager: &str) -> bool {
    manager.ends_with("controller.k8s.io")
}

fn label<'v>(object: &'v Value, name: &str) -> &'v str {
    text(object, &["metadata", "labels", name])
}

fn annotation<'v>(object: &'v Value, name: &str) -> &'v str {
    text(object, &["metadata", "annotations", name])
}
