//! The names of the roles and bindings that an API server creates at its start (Kubernetes 1.16 to 1.35), and of the
//! controllers' service accounts.
//!
//! The label `kubernetes.io/bootstrapping` does not identify these roles: a copy that a user created under another name
//! has it too. Upstream: the objects in `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/testdata`.

/// Names of ClusterRoles and ClusterRoleBindings, without the prefix `system:`.
const SYSTEM: [&str; 30] = [
    "aggregate-to-admin",
    "aggregate-to-edit",
    "aggregate-to-view",
    "auth-delegator",
    "basic-user",
    "certificates.k8s.io:certificatesigningrequests:nodeclient",
    "certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    "certificates.k8s.io:kube-apiserver-client-approver",
    "certificates.k8s.io:kube-apiserver-client-kubelet-approver",
    "certificates.k8s.io:kubelet-serving-approver",
    "certificates.k8s.io:legacy-unknown-approver",
    "cluster-trust-bundle-discovery",
    "csi-external-attacher",
    "csi-external-provisioner",
    "discovery",
    "heapster",
    "kube-aggregator",
    "kube-controller-manager",
    "kube-dns",
    "kube-scheduler",
    "kubelet-api-admin",
    "monitoring",
    "node",
    "node-bootstrapper",
    "node-problem-detector",
    "node-proxier",
    "persistent-volume-provisioner",
    "public-info-viewer",
    "service-account-issuer-discovery",
    "volume-scheduler",
];

/// Names of controllers' ClusterRoles and ClusterRoleBindings, without the prefix `system:controller:`.
const CONTROLLERS: [&str; 37] = [
    "attachdetach-controller",
    "certificate-controller",
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "job-controller",
    "legacy-service-account-token-cleaner",
    "namespace-controller",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "pv-protection-controller",
    "pvc-protection-controller",
    "replicaset-controller",
    "replication-controller",
    "resource-claim-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "route-controller",
    "selinux-warning-controller",
    "service-account-controller",
    "service-cidrs-controller",
    "service-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
    "ttl-controller",
    "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
];

/// ClusterRoles for users. They have no prefix and no default binding (`cluster-admin` has one).
const FOR_USERS: [&str; 3] = ["admin", "edit", "view"];

/// Namespaced Roles and RoleBindings.
const NAMESPACED: [(&str, &str); 8] = [
    ("kube-public", "system:controller:bootstrap-signer"),
    ("kube-system", "extension-apiserver-authentication-reader"),
    (
        "kube-system",
        "system::extension-apiserver-authentication-reader",
    ),
    (
        "kube-system",
        "system::leader-locking-kube-controller-manager",
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"),
    ("kube-system", "system:controller:bootstrap-signer"),
    ("kube-system", "system:controller:cloud-provider"),
    ("kube-system", "system:controller:token-cleaner"),
];

/// Whether the controller manager creates a service account of this name in `kube-system` for one of its controllers.
pub fn is_controller_account(name: &str) -> bool {
    CONTROLLERS.contains(&name)
}

/// Whether an API server creates a role or binding of this kind, namespace and name.
pub fn is_default_role(kind: &str, namespace: &str, name: &str) -> bool {
    match kind {
        "ClusterRole" | "ClusterRoleBinding" => {
            let controller = name.strip_prefix("system:controller:");
            let system = name.strip_prefix("system:");
            controller.is_some_and(|name| CONTROLLERS.contains(&name))
                || system.is_some_and(|name| SYSTEM.contains(&name))
                || name == "cluster-admin"
                || (kind == "ClusterRole" && FOR_USERS.contains(&name))
        }
        "Role" | "RoleBinding" => NAMESPACED.contains(&(namespace, name)),
        _ => false,
    }
}
