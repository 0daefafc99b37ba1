//! The order in which objects are created, so that each object finds what it depends on: namespaces, definitions,
//! cluster-scoped objects, what pods mount and run as, services, workloads, other namespaced objects, custom resources.
//! Last come objects that could make the API server refuse or change the others.

/// The rank of a kind in this order. Objects of equal rank are created in the order of their keys.
pub fn rank(group: &str, kind: &str, namespaced: bool, is_custom: bool) -> u32 {
    if is_custom {
        return 50;
    }
    match (group, kind) {
        ("", "Namespace") => 0,
        ("apiextensions.k8s.io", _) => 1,
        ("scheduling.k8s.io" | "storage.k8s.io" | "node.k8s.io", _) if !namespaced => 2,
        ("", "PersistentVolume") => 3,
        ("rbac.authorization.k8s.io", "ClusterRole") => 4,
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => 5,
        // The API server consults these before it stores other objects, and they could refuse or change them.
        ("admissionregistration.k8s.io", _) => 70,
        ("apiregistration.k8s.io", _) => 71,
        ("", "LimitRange") => 60,
        ("", "ResourceQuota") => 61,
        _ if !namespaced => 6,
        ("", "ServiceAccount") => 10,
        ("", "Secret") => 11,
        ("", "ConfigMap") => 12,
        ("", "PersistentVolumeClaim") => 13,
        ("rbac.authorization.k8s.io", "Role") => 14,
        ("rbac.authorization.k8s.io", "RoleBinding") => 15,
        ("networking.k8s.io", "NetworkPolicy") => 17,
        ("", "Service") => 18,
        ("", "Endpoints") | ("discovery.k8s.io", _) => 19,
        ("apps" | "batch", _) | ("", "ReplicationController" | "PodTemplate") => 30,
        ("", "Pod") => 31,
        _ => 40,
    }
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn dependencies_come_first_and_objects_that_can_refuse_others_come_last() {
        let order = [
            rank("", "Namespace", false, false),
            rank(
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                false,
                false,
            ),
            rank("storage.k8s.io", "StorageClass", false, false),
            rank("", "PersistentVolume", false, false),
            rank("rbac.authorization.k8s.io", "ClusterRole", false, false),
            rank("", "Node", false, false),
            rank("", "ServiceAccount", true, false),
            rank("", "Secret", true, false),
            rank("", "PersistentVolumeClaim", true, false),
            rank("rbac.authorization.k8s.io", "Role", true, false),
            rank("rbac.authorization.k8s.io", "RoleBinding", true, false),
            rank("", "Service", true, false),
            rank("apps", "Deployment", true, false),
            rank("", "Pod", true, false),
            rank("policy", "PodDisruptionBudget", true, false),
            rank("library.example.com", "Book", true, true),
            rank("", "LimitRange", true, false),
            rank("", "ResourceQuota", true, false),
            rank(
                "admissionregistration.k8s.io",
                "ValidatingWebhookConfiguration",
                false,
                false,
            ),
            rank("apiregistration.k8s.io", "APIService", false, false),
        ];
        assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
    }
}
