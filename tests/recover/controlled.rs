//! Which objects the server or a controller makes, and which somebody wrote.

use etcdive::k8s::controlled::{OtherObjects, Reason, reason};
use serde_json::{Value, json};

/// The reason of an object, in a store with the uid `known` and the service `n/web`.
fn reason_of(object: &Value) -> Option<Reason> {
    let others = OtherObjects {
        is_known: &|uid| uid == "known",
        has_service: &|namespace, name| (namespace, name) == ("n", "web"),
    };
    reason(object, &others)
}

fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "n"}})
}

/// With more fields, those of the metadata merged.
fn with(mut object: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        match (name.as_str(), value.as_object()) {
            ("metadata", Some(fields)) => object["metadata"]
                .as_object_mut()
                .unwrap()
                .extend(fields.clone()),
            _ => object[name] = value.clone(),
        }
    }
    object
}

fn owned_by(made: (&str, &str), owner: (&str, &str), is_controller: bool, uid: &str) -> Value {
    let owner =
        json!({"apiVersion": owner.0, "kind": owner.1, "uid": uid, "controller": is_controller});
    let owners = json!({"metadata": {"ownerReferences": [owner]}});
    with(object(made.0, made.1, "a"), owners)
}

#[test]
fn each_controller_makes_only_its_own_kinds() {
    let made = [
        (("apps/v1", "ReplicaSet"), ("apps/v1", "Deployment")),
        (
            ("apps/v1", "ReplicaSet"),
            ("extensions/v1beta1", "Deployment"),
        ),
        (("v1", "Pod"), ("apps/v1", "ReplicaSet")),
        (("v1", "Pod"), ("v1", "ReplicationController")),
        (("v1", "Pod"), ("apps/v1", "StatefulSet")),
        (("v1", "Pod"), ("apps/v1", "DaemonSet")),
        (("v1", "Pod"), ("batch/v1", "Job")),
        (("batch/v1", "Job"), ("batch/v1", "CronJob")),
        (
            ("apps/v1", "ControllerRevision"),
            ("apps/v1", "StatefulSet"),
        ),
        (("apps/v1", "ControllerRevision"), ("apps/v1", "DaemonSet")),
        (("v1", "PersistentVolumeClaim"), ("v1", "Pod")),
        (("resource.k8s.io/v1", "ResourceClaim"), ("v1", "Pod")),
    ];
    for (made, owner) in made {
        let object = owned_by(made, owner, true, "known");
        assert_eq!(
            reason_of(&object),
            Some(Reason::Owned),
            "{made:?} {owner:?}"
        );
        // Its owner was never seen, or does not control it.
        assert_eq!(reason_of(&owned_by(made, owner, true, "unknown")), None);
        assert_eq!(reason_of(&owned_by(made, owner, false, "known")), None);
    }
    let written = [
        (("v1", "Service"), ("apps/v1", "Deployment")),
        (("acme.io/v1", "App"), ("apps/v1", "Deployment")),
        (("v1", "Pod"), ("apps/v1", "Deployment")),
        (("v1", "Pod"), ("acme.io/v1", "ReplicaSet")),
        (("acme.io/v1", "Pod"), ("apps/v1", "ReplicaSet")),
        (("v1", "Secret"), ("acme.io/v1", "App")),
        (("apps/v1", "Deployment"), ("acme.io/v1", "App")),
        (("v1", "PersistentVolumeClaim"), ("apps/v1", "StatefulSet")),
        (("batch/v1", "Job"), ("acme.io/v1", "App")),
    ];
    for (made, owner) in written {
        let object = owned_by(made, owner, true, "known");
        assert_eq!(reason_of(&object), None, "{made:?} {owner:?}");
    }
}

#[test]
fn what_exists_for_a_node_is_left_out() {
    let node = ("v1", "Node");
    for made in [
        ("coordination.k8s.io/v1", "Lease"),
        ("resource.k8s.io/v1", "ResourceSlice"),
        ("v1", "Pod"),
    ] {
        let object = owned_by(made, node, false, "known");
        assert_eq!(reason_of(&object), Some(Reason::Node), "{made:?}");
    }
    for (api_version, kind) in [
        ("v1", "Node"),
        ("storage.k8s.io/v1", "CSINode"),
        ("storage.k8s.io/v1", "VolumeAttachment"),
        ("certificates.k8s.io/v1", "CertificateSigningRequest"),
    ] {
        let object = object(api_version, kind, "x");
        assert_eq!(reason_of(&object), Some(Reason::Node), "{kind}");
    }
    let mirror = json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}});
    let mirror = with(object("v1", "Pod", "etcd"), mirror);
    assert_eq!(reason_of(&mirror), Some(Reason::Node));
}

#[test]
fn what_is_made_for_a_service_or_a_namespace_is_left_out() {
    let slice = |by: &str| {
        let labels = json!({"endpointslice.kubernetes.io/managed-by": by});
        let slice = object("discovery.k8s.io/v1", "EndpointSlice", "a");
        with(slice, json!({"metadata": {"labels": labels}}))
    };
    let label = json!({"endpoints.kubernetes.io/managed-by": "endpoint-controller"});
    let endpoints = object("v1", "Endpoints", "of-a-lost-service");
    let endpoints = with(endpoints, json!({"metadata": {"labels": label}}));
    let of_controller = slice("endpointslice-controller.k8s.io");
    let cases = [
        (object("v1", "Endpoints", "web"), Some(Reason::ForService)),
        (object("v1", "Endpoints", "by-hand"), None),
        (endpoints, Some(Reason::ForService)),
        (of_controller, Some(Reason::ForService)),
        (slice("me"), None),
        (
            object("v1", "ConfigMap", "kube-root-ca.crt"),
            Some(Reason::PerNamespace),
        ),
        (object("v1", "ConfigMap", "mine"), None),
        (object("v1", "ServiceAccount", "robot"), None),
    ];
    for (object, expected) in cases {
        assert_eq!(reason_of(&object), expected, "{object}");
    }
}

#[test]
fn the_default_account_is_left_out_only_if_it_is_bare() {
    let account = |more: Value| reason_of(&with(object("v1", "ServiceAccount", "default"), more));
    let last_applied = "kubectl.kubernetes.io/last-applied-configuration";
    let bare = [
        json!({}),
        json!({"secrets": [{"name": "default-token-x7k2p"}]}),
        json!({"imagePullSecrets": []}),
        json!({"metadata": {"annotations": {last_applied: "{}"}}}),
    ];
    for more in bare {
        assert_eq!(account(more.clone()), Some(Reason::PerNamespace), "{more}");
    }
    let changed = [
        json!({"imagePullSecrets": [{"name": "regcred"}]}),
        json!({"automountServiceAccountToken": false}),
        json!({"secrets": [{"name": "mine"}]}),
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn"}}}),
    ];
    for more in changed {
        assert_eq!(account(more.clone()), None, "{more}");
    }
}

#[test]
fn only_a_token_that_a_server_named_is_left_out() {
    let token = |name: &str, account: &str| {
        let annotations = json!({"kubernetes.io/service-account.name": account});
        let more = json!({"type": "kubernetes.io/service-account-token", "metadata": {"annotations": annotations}});
        reason_of(&with(object("v1", "Secret", name), more))
    };
    assert_eq!(token("robot-token-x7k2p", "robot"), Some(Reason::Token));
    assert_eq!(token("robot-token", "robot"), None);
    assert_eq!(token("ci", "robot"), None);
    assert_eq!(token("robot-token-x7k2p", "other"), None);
    let opaque = with(
        object("v1", "Secret", "robot-token-x7k2p"),
        json!({"type": "Opaque"}),
    );
    assert_eq!(reason_of(&opaque), None);
}

#[test]
fn a_lease_is_left_out_if_a_program_renews_it() {
    let lease = |spec: Value| {
        let lease = object("coordination.k8s.io/v1", "Lease", "n1");
        reason_of(&with(lease, json!({ "spec": spec })))
    };
    let held = json!({"holderIdentity": "a", "renewTime": "2026-01-01T00:00:00.000000Z"});
    assert_eq!(lease(held), Some(Reason::Lease));
    assert_eq!(lease(json!({"leaseDurationSeconds": 15})), None);
}

#[test]
fn what_a_server_makes_at_its_start_is_known_by_name() {
    let label = |name: &str| json!({"metadata": {"labels": {name: "x"}}});
    let role = |kind: &str, namespace: &str, name: &str| {
        let role = object("rbac.authorization.k8s.io/v1", kind, name);
        let role = with(role, label("kubernetes.io/bootstrapping"));
        with(role, json!({"metadata": {"namespace": namespace}}))
    };
    let in_namespace = |object: Value, namespace: &str| {
        with(object, json!({"metadata": {"namespace": namespace}}))
    };
    let schema =
        json!({"metadata": {"annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}});
    let made = [
        role("ClusterRole", "", "admin"),
        role("ClusterRole", "", "system:controller:job-controller"),
        role("ClusterRoleBinding", "", "cluster-admin"),
        role("ClusterRoleBinding", "", "system:discovery"),
        role(
            "Role",
            "kube-system",
            "extension-apiserver-authentication-reader",
        ),
        role("Role", "kube-public", "system:controller:bootstrap-signer"),
        with(
            object("apiregistration.k8s.io/v1", "APIService", "v1."),
            label("kube-aggregator.kubernetes.io/automanaged"),
        ),
        object("v1", "Namespace", "kube-system"),
        object(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            "system-node-critical",
        ),
        with(
            object("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "x"),
            schema,
        ),
        in_namespace(
            object("v1", "ServiceAccount", "job-controller"),
            "kube-system",
        ),
        in_namespace(object("v1", "Endpoints", "kubernetes"), "default"),
        in_namespace(object("v1", "Service", "kubernetes"), "default"),
        in_namespace(
            object("discovery.k8s.io/v1", "EndpointSlice", "kubernetes"),
            "default",
        ),
        in_namespace(
            object("v1", "ConfigMap", "extension-apiserver-authentication"),
            "kube-system",
        ),
        in_namespace(
            object(
                "v1",
                "ConfigMap",
                "kube-apiserver-legacy-service-account-token-tracking",
            ),
            "kube-system",
        ),
    ];
    for object in made {
        assert_eq!(reason_of(&object), Some(Reason::Bootstrap), "{object}");
    }
    let written = [
        // Copies keep the label.
        role("ClusterRole", "", "admin-copy"),
        role("ClusterRole", "", "system:mine"),
        role("ClusterRoleBinding", "", "view"),
        role("Role", "shop", "extension-apiserver-authentication-reader"),
        role("Role", "kube-system", "mine"),
        object("rbac.authorization.k8s.io/v1", "ClusterRole", "admin"),
        object("v1", "Namespace", "shop"),
        object("v1", "ServiceAccount", "job-controller"),
        with(
            in_namespace(
                object("v1", "ServiceAccount", "job-controller"),
                "kube-system",
            ),
            json!({"imagePullSecrets": [{"name": "mine"}]}),
        ),
        object("scheduling.k8s.io/v1", "PriorityClass", "system-mine"),
        object("v1", "Endpoints", "kubernetes"),
        object("v1", "ConfigMap", "extension-apiserver-authentication"),
    ];
    for object in written {
        assert_eq!(reason_of(&object), None, "{object}");
    }
}

#[test]
fn records_of_the_server_and_events_are_left_out() {
    let cases = [
        (object("v1", "Endpoints", ""), Reason::Internal),
        (object("v1", "RangeAllocation", "x"), Reason::Internal),
        (
            object("internal.apiserver.k8s.io/v1alpha1", "StorageVersion", "x"),
            Reason::Internal,
        ),
        (object("v1", "Event", "e"), Reason::Event),
        (object("events.k8s.io/v1", "Event", "e"), Reason::Event),
    ];
    for (object, expected) in cases {
        assert_eq!(reason_of(&object), Some(expected), "{object}");
    }
}
