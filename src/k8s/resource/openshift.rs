//! The resources that OpenShift's API server stores in protobuf under `/openshift.io`.
//!
//! Upstream: github.com/openshift/api for kinds and groups, the storage path tests of github.com/openshift/origin for
//! folders. The API server of OpenShift 3 served some of them in the core group.

use super::{CLUSTER, NAMESPACED, Resource, Row, resource_of, row};

const APPS: &[&str] = &["apps.openshift.io", ""];
const AUTHORIZATION: &[&str] = &["authorization.openshift.io", ""];
const BUILD: &[&str] = &["build.openshift.io", ""];
const IMAGE: &[&str] = &["image.openshift.io", ""];
const NETWORK: &[&str] = &["network.openshift.io", ""];
const OAUTH: &[&str] = &["oauth.openshift.io", ""];
const QUOTA: &[&str] = &["quota.openshift.io", ""];
const ROUTE: &[&str] = &["route.openshift.io", ""];
const SECURITY: &[&str] = &["security.openshift.io"];
const SECURITY_CORE: &[&str] = &["security.openshift.io", ""];
const TEMPLATE: &[&str] = &["template.openshift.io"];
const TEMPLATE_CORE: &[&str] = &["template.openshift.io", ""];
const USER: &[&str] = &["user.openshift.io", ""];

/// The resources in `all`, by the categories of OpenShift's resources.
const ALL: &[&str] = &[
    "buildconfigs",
    "builds",
    "deploymentconfigs",
    "imagestreams",
    "routes",
];

/// All resources that an API server of OpenShift 3.9 to 4.21 stores without a definition.
const ROWS: &[Row] = &[
    row(
        APPS,
        "DeploymentConfig",
        "deploymentconfigs",
        &["dc"],
        NAMESPACED,
    ),
    row(AUTHORIZATION, "ClusterRole", "clusterroles", &[], CLUSTER),
    row(
        AUTHORIZATION,
        "ClusterRoleBinding",
        "clusterrolebindings",
        &[],
        CLUSTER,
    ),
    row(AUTHORIZATION, "Role", "roles", &[], NAMESPACED),
    row(
        AUTHORIZATION,
        "RoleBinding",
        "rolebindings",
        &[],
        NAMESPACED,
    ),
    row(
        AUTHORIZATION,
        "RoleBindingRestriction",
        "rolebindingrestrictions",
        &[],
        NAMESPACED,
    ),
    row(BUILD, "Build", "builds", &[], NAMESPACED),
    row(BUILD, "BuildConfig", "buildconfigs", &["bc"], NAMESPACED),
    row(IMAGE, "Image", "images", &[], CLUSTER),
    row(IMAGE, "ImageStream", "imagestreams", &["is"], NAMESPACED),
    Row {
        folder: "registry/sdnnetworks",
        ..row(NETWORK, "ClusterNetwork", "clusternetworks", &[], CLUSTER)
    },
    Row {
        folder: "registry/egressnetworkpolicy",
        ..row(
            NETWORK,
            "EgressNetworkPolicy",
            "egressnetworkpolicies",
            &[],
            NAMESPACED,
        )
    },
    Row {
        folder: "registry/sdnsubnets",
        ..row(NETWORK, "HostSubnet", "hostsubnets", &[], CLUSTER)
    },
    Row {
        folder: "registry/sdnnetnamespaces",
        ..row(NETWORK, "NetNamespace", "netnamespaces", &[], CLUSTER)
    },
    Row {
        folder: "oauth/accesstokens",
        ..row(OAUTH, "OAuthAccessToken", "oauthaccesstokens", &[], CLUSTER)
    },
    Row {
        folder: "oauth/authorizetokens",
        ..row(
            OAUTH,
            "OAuthAuthorizeToken",
            "oauthauthorizetokens",
            &[],
            CLUSTER,
        )
    },
    Row {
        folder: "oauth/clients",
        ..row(OAUTH, "OAuthClient", "oauthclients", &[], CLUSTER)
    },
    Row {
        folder: "oauth/clientauthorizations",
        ..row(
            OAUTH,
            "OAuthClientAuthorization",
            "oauthclientauthorizations",
            &[],
            CLUSTER,
        )
    },
    row(
        QUOTA,
        "ClusterResourceQuota",
        "clusterresourcequotas",
        &["clusterquota"],
        CLUSTER,
    ),
    row(ROUTE, "Route", "routes", &[], NAMESPACED),
    row(
        SECURITY,
        "RangeAllocation",
        "rangeallocations",
        &[],
        CLUSTER,
    ),
    row(
        SECURITY_CORE,
        "SecurityContextConstraints",
        "securitycontextconstraints",
        &["scc"],
        CLUSTER,
    ),
    row(
        TEMPLATE,
        "BrokerTemplateInstance",
        "brokertemplateinstances",
        &[],
        CLUSTER,
    ),
    row(TEMPLATE_CORE, "Template", "templates", &[], NAMESPACED),
    row(
        TEMPLATE,
        "TemplateInstance",
        "templateinstances",
        &[],
        NAMESPACED,
    ),
    row(USER, "Group", "groups", &[], CLUSTER),
    Row {
        folder: "useridentities",
        ..row(USER, "Identity", "identities", &[], CLUSTER)
    },
    row(USER, "User", "users", &[], CLUSTER),
];

/// The resources that OpenShift's API server stores without a definition.
pub fn openshift() -> impl Iterator<Item = Resource> {
    ROWS.iter().map(|row| Resource {
        in_all: ALL.contains(&row.plural),
        ..resource_of(row)
    })
}

/// Types with short names that OpenShift 4 defines by CustomResourceDefinitions: group, kind, plural, short names.
/// Upstream: the manifests of github.com/openshift/api.
const DEFINED: &[(&str, &str, &str, &[&str])] = &[
    (
        "config.openshift.io",
        "ClusterOperator",
        "clusteroperators",
        &["co"],
    ),
    (
        "config.openshift.io",
        "ClusterVersion",
        "clusterversions",
        &[],
    ),
    (
        "config.openshift.io",
        "ImageDigestMirrorSet",
        "imagedigestmirrorsets",
        &["idms"],
    ),
    (
        "config.openshift.io",
        "ImageTagMirrorSet",
        "imagetagmirrorsets",
        &["itms"],
    ),
    (
        "machineconfiguration.openshift.io",
        "ContainerRuntimeConfig",
        "containerruntimeconfigs",
        &["ctrcfg"],
    ),
    (
        "machineconfiguration.openshift.io",
        "MachineConfig",
        "machineconfigs",
        &["mc"],
    ),
    (
        "machineconfiguration.openshift.io",
        "MachineConfigPool",
        "machineconfigpools",
        &["mcp"],
    ),
];

/// The resources that OpenShift 4 defines in its store and that have short names, for a store without the definition.
pub fn openshift_defined() -> impl Iterator<Item = Resource> {
    DEFINED
        .iter()
        .map(|(group, kind, plural, short_names)| Resource {
            groups: vec![(*group).into()],
            kind: (*kind).into(),
            plural: (*plural).into(),
            singular: kind.to_lowercase().into(),
            short_names: short_names.iter().map(|name| (*name).into()).collect(),
            namespaced: CLUSTER,
            folder: format!("{group}/{plural}").into(),
            in_all: false,
            versions: vec!["v1".to_owned()],
        })
}
