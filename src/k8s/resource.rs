//! The resources of an API server: their names, and the folders of their keys.
//!
//! A key is `PREFIX/FOLDER/[NAMESPACE/]NAME`. The folder is the plural of the resource, except for some resources that are
//! older than this rule. For custom resources and the API server's own extensions, the group precedes the plural.
//! Upstream: pkg/kubeapiserver/default_storage_factory_builder.go (the exceptions), each resource's `ShortNames()`,
//! apiextensions' customresource_handler.go.

mod openshift;

use std::borrow::Cow;

pub use openshift::{openshift, openshift_defined};

/// A resource: objects of one kind in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The groups in which it is or was served, the current one first; the core group is empty.
    pub groups: Vec<Cow<'static, str>>,
    /// `Deployment`.
    pub kind: Cow<'static, str>,
    /// `deployments`.
    pub plural: Cow<'static, str>,
    /// `deployment`.
    pub singular: Cow<'static, str>,
    /// `deploy`.
    pub short_names: Vec<Cow<'static, str>>,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// The segments between the prefix and the namespace or name: `deployments`,
    /// `library.example.com/books`.
    pub folder: Cow<'static, str>,
    /// Whether kubectl's `all` includes it.
    pub in_all: bool,
    /// The versions in its CustomResourceDefinition. For built-in resources it is empty; the schema has their versions.
    pub versions: Vec<String>,
}

impl Resource {
    /// The current group; empty for the core group.
    pub fn group(&self) -> &str {
        self.groups.first().map_or("", |group| group)
    }

    /// Its name as kubectl prints it before a slash: `pod`, `deployment.apps`.
    pub fn singular_with_group(&self) -> String {
        let singular = self.kind.to_lowercase();
        match self.group() {
            "" => singular,
            group => format!("{singular}.{group}"),
        }
    }

    /// Its unambiguous name in an address: `pods`, `deployments.apps`.
    pub fn plural_with_group(&self) -> String {
        match self.group() {
            "" => self.plural.clone().into_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// Whether a word is one of its names; case does not matter.
    pub fn is_called(&self, word: &str) -> bool {
        // The kind of a masterlease is Endpoints, but the word `endpoints` means another resource.
        let kind = Some(&self.kind)
            .filter(|kind| !self.versions.is_empty() || kind.eq_ignore_ascii_case(&self.singular));
        let mut names = [&self.plural, &self.singular]
            .into_iter()
            .chain(kind)
            .chain(&self.short_names);
        names.any(|name| name.eq_ignore_ascii_case(word))
    }

    /// Whether it is, or was, served in this version of a group.
    pub fn has_version(&self, version: &str, group: &str) -> bool {
        if !self.versions.is_empty() {
            return self.versions.iter().any(|known| known == version);
        }
        let api_version = if group.is_empty() {
            Cow::Borrowed(version)
        } else {
            Cow::Owned(format!("{group}/{version}"))
        };
        super::schema::is_known(&api_version, &self.kind)
    }
}

/// A row of the table.
struct Row {
    groups: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    namespaced: bool,
    /// The singular, if it is not the kind in lower case.
    singular: Option<&'static str>,
    /// The folder; usually the plural.
    folder: &'static str,
}

const fn row(
    groups: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
    short_names: &'static [&'static str],
    namespaced: bool,
) -> Row {
    Row {
        groups,
        kind,
        plural,
        short_names,
        namespaced,
        singular: None,
        folder: plural,
    }
}

/// Objects are in namespaces.
const NAMESPACED: bool = true;
/// Objects are cluster-scoped.
const CLUSTER: bool = false;

const CORE: &[&str] = &[""];
const ADMISSION: &[&str] = &["admissionregistration.k8s.io"];
const APPS: &[&str] = &["apps"];
const APPS_EXTENSIONS: &[&str] = &["apps", "extensions"];
const CERTIFICATES: &[&str] = &["certificates.k8s.io"];
const COORDINATION: &[&str] = &["coordination.k8s.io"];
const FLOWCONTROL: &[&str] = &["flowcontrol.apiserver.k8s.io"];
const LIFECYCLE: &[&str] = &["lifecycle.k8s.io"];
const NETWORKING: &[&str] = &["networking.k8s.io"];
const NETWORKING_EXTENSIONS: &[&str] = &["networking.k8s.io", "extensions"];
const RBAC: &[&str] = &["rbac.authorization.k8s.io"];
const DEVICES: &[&str] = &["resource.k8s.io"];
const SCHEDULING: &[&str] = &["scheduling.k8s.io"];
const STORAGE: &[&str] = &["storage.k8s.io"];

/// The resources in kubectl's `all`.
const ALL: &[&str] = &[
    "pods",
    "replicationcontrollers",
    "services",
    "daemonsets",
    "deployments",
    "replicasets",
    "statefulsets",
    "horizontalpodautoscalers",
    "cronjobs",
    "jobs",
];

/// All resources that an API server of 1.16 to 1.37 stores without a definition.
const ROWS: &[Row] = &[
    row(CORE, "ConfigMap", "configmaps", &["cm"], NAMESPACED),
    Row {
        folder: "services/endpoints",
        ..row(CORE, "Endpoints", "endpoints", &["ep"], NAMESPACED)
    },
    row(
        &["", "events.k8s.io"],
        "Event",
        "events",
        &["ev"],
        NAMESPACED,
    ),
    row(CORE, "LimitRange", "limitranges", &["limits"], NAMESPACED),
    row(CORE, "Namespace", "namespaces", &["ns"], CLUSTER),
    Row {
        folder: "minions",
        ..row(CORE, "Node", "nodes", &["no"], CLUSTER)
    },
    row(
        CORE,
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        &["pvc"],
        NAMESPACED,
    ),
    row(
        CORE,
        "PersistentVolume",
        "persistentvolumes",
        &["pv"],
        CLUSTER,
    ),
    row(CORE, "Pod", "pods", &["po"], NAMESPACED),
    row(CORE, "PodTemplate", "podtemplates", &[], NAMESPACED),
    Row {
        folder: "controllers",
        ..row(
            CORE,
            "ReplicationController",
            "replicationcontrollers",
            &["rc"],
            NAMESPACED,
        )
    },
    row(
        CORE,
        "ResourceQuota",
        "resourcequotas",
        &["quota"],
        NAMESPACED,
    ),
    row(CORE, "Secret", "secrets", &[], NAMESPACED),
    row(
        CORE,
        "ServiceAccount",
        "serviceaccounts",
        &["sa"],
        NAMESPACED,
    ),
    Row {
        folder: "services/specs",
        ..row(CORE, "Service", "services", &["svc"], NAMESPACED)
    },
    // The API server's own records: the addresses and ports in use, and the running servers.
    Row {
        folder: "ranges",
        ..row(
            CORE,
            "RangeAllocation",
            "rangeallocations",
            &["ranges"],
            CLUSTER,
        )
    },
    Row {
        folder: "masterleases",
        singular: Some("masterlease"),
        ..row(CORE, "Endpoints", "masterleases", &[], CLUSTER)
    },
    Row {
        folder: "peerserverleases",
        singular: Some("peerserverlease"),
        ..row(CORE, "Endpoints", "peerserverleases", &[], CLUSTER)
    },
    row(
        ADMISSION,
        "MutatingAdmissionPolicy",
        "mutatingadmissionpolicies",
        &[],
        CLUSTER,
    ),
    row(
        ADMISSION,
        "MutatingAdmissionPolicyBinding",
        "mutatingadmissionpolicybindings",
        &[],
        CLUSTER,
    ),
    row(
        ADMISSION,
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        &[],
        CLUSTER,
    ),
    row(
        ADMISSION,
        "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies",
        &[],
        CLUSTER,
    ),
    row(
        ADMISSION,
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        &[],
        CLUSTER,
    ),
    row(
        ADMISSION,
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        &[],
        CLUSTER,
    ),
    Row {
        folder: "apiextensions.k8s.io/customresourcedefinitions",
        ..row(
            &["apiextensions.k8s.io"],
            "CustomResourceDefinition",
            "customresourcedefinitions",
            &["crd", "crds"],
            CLUSTER,
        )
    },
    Row {
        folder: "apiregistration.k8s.io/apiservices",
        ..row(
            &["apiregistration.k8s.io"],
            "APIService",
            "apiservices",
            &[],
            CLUSTER,
        )
    },
    row(
        APPS,
        "ControllerRevision",
        "controllerrevisions",
        &[],
        NAMESPACED,
    ),
    row(
        APPS_EXTENSIONS,
        "DaemonSet",
        "daemonsets",
        &["ds"],
        NAMESPACED,
    ),
    row(
        APPS_EXTENSIONS,
        "Deployment",
        "deployments",
        &["deploy"],
        NAMESPACED,
    ),
    row(
        APPS_EXTENSIONS,
        "ReplicaSet",
        "replicasets",
        &["rs"],
        NAMESPACED,
    ),
    row(APPS, "StatefulSet", "statefulsets", &["sts"], NAMESPACED),
    row(
        &["auditregistration.k8s.io"],
        "AuditSink",
        "auditsinks",
        &[],
        CLUSTER,
    ),
    row(
        &["autoscaling"],
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        &["hpa"],
        NAMESPACED,
    ),
    row(&["batch"], "CronJob", "cronjobs", &["cj"], NAMESPACED),
    row(&["batch"], "Job", "jobs", &[], NAMESPACED),
    row(
        CERTIFICATES,
        "CertificateSigningRequest",
        "certificatesigningrequests",
        &["csr"],
        CLUSTER,
    ),
    row(
        CERTIFICATES,
        "ClusterTrustBundle",
        "clustertrustbundles",
        &[],
        CLUSTER,
    ),
    row(
        CERTIFICATES,
        "PodCertificateRequest",
        "podcertificaterequests",
        &[],
        NAMESPACED,
    ),
    row(COORDINATION, "Lease", "leases", &[], NAMESPACED),
    row(
        COORDINATION,
        "LeaseCandidate",
        "leasecandidates",
        &[],
        NAMESPACED,
    ),
    row(
        &["discovery.k8s.io"],
        "EndpointSlice",
        "endpointslices",
        &[],
        NAMESPACED,
    ),
    row(FLOWCONTROL, "FlowSchema", "flowschemas", &[], CLUSTER),
    row(
        FLOWCONTROL,
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
        &[],
        CLUSTER,
    ),
    row(
        &["internal.apiserver.k8s.io"],
        "StorageVersion",
        "storageversions",
        &[],
        CLUSTER,
    ),
    row(
        LIFECYCLE,
        "EvictionRequest",
        "evictionrequests",
        &[],
        NAMESPACED,
    ),
    row(LIFECYCLE, "Eviction", "evictions", &[], NAMESPACED),
    row(NETWORKING, "ClusterCIDR", "clustercidrs", &["cc"], CLUSTER),
    row(NETWORKING, "IngressClass", "ingressclasses", &[], CLUSTER),
    Row {
        folder: "ingress",
        ..row(
            NETWORKING_EXTENSIONS,
            "Ingress",
            "ingresses",
            &["ing"],
            NAMESPACED,
        )
    },
    row(NETWORKING, "IPAddress", "ipaddresses", &["ip"], CLUSTER),
    row(
        NETWORKING_EXTENSIONS,
        "NetworkPolicy",
        "networkpolicies",
        &["netpol"],
        NAMESPACED,
    ),
    row(NETWORKING, "ServiceCIDR", "servicecidrs", &[], CLUSTER),
    row(
        &["node.k8s.io"],
        "RuntimeClass",
        "runtimeclasses",
        &[],
        CLUSTER,
    ),
    row(
        &["policy"],
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        &["pdb"],
        NAMESPACED,
    ),
    Row {
        folder: "podsecuritypolicy",
        ..row(
            &["policy", "extensions"],
            "PodSecurityPolicy",
            "podsecuritypolicies",
            &["psp"],
            CLUSTER,
        )
    },
    row(
        RBAC,
        "ClusterRoleBinding",
        "clusterrolebindings",
        &[],
        CLUSTER,
    ),
    row(RBAC, "ClusterRole", "clusterroles", &[], CLUSTER),
    row(RBAC, "RoleBinding", "rolebindings", &[], NAMESPACED),
    row(RBAC, "Role", "roles", &[], NAMESPACED),
    row(DEVICES, "DeviceClass", "deviceclasses", &[], CLUSTER),
    row(DEVICES, "DeviceTaintRule", "devicetaintrules", &[], CLUSTER),
    row(DEVICES, "PodScheduling", "podschedulings", &[], NAMESPACED),
    row(
        DEVICES,
        "PodSchedulingContext",
        "podschedulingcontexts",
        &[],
        NAMESPACED,
    ),
    row(DEVICES, "ResourceClaim", "resourceclaims", &[], NAMESPACED),
    row(
        DEVICES,
        "ResourceClaimParameters",
        "resourceclaimparameters",
        &[],
        NAMESPACED,
    ),
    row(
        DEVICES,
        "ResourceClaimTemplate",
        "resourceclaimtemplates",
        &[],
        NAMESPACED,
    ),
    row(DEVICES, "ResourceClass", "resourceclasses", &[], CLUSTER),
    row(
        DEVICES,
        "ResourceClassParameters",
        "resourceclassparameters",
        &[],
        NAMESPACED,
    ),
    row(
        DEVICES,
        "ResourcePoolStatusRequest",
        "resourcepoolstatusrequests",
        &[],
        CLUSTER,
    ),
    row(DEVICES, "ResourceSlice", "resourceslices", &[], CLUSTER),
    row(
        SCHEDULING,
        "CompositePodGroup",
        "compositepodgroups",
        &[],
        NAMESPACED,
    ),
    row(SCHEDULING, "PodGroup", "podgroups", &[], NAMESPACED),
    row(
        SCHEDULING,
        "PriorityClass",
        "priorityclasses",
        &["pc"],
        CLUSTER,
    ),
    row(SCHEDULING, "Workload", "workloads", &[], NAMESPACED),
    row(
        &["settings.k8s.io"],
        "PodPreset",
        "podpresets",
        &[],
        NAMESPACED,
    ),
    row(STORAGE, "CSIDriver", "csidrivers", &[], CLUSTER),
    row(STORAGE, "CSINode", "csinodes", &[], CLUSTER),
    row(
        STORAGE,
        "CSIStorageCapacity",
        "csistoragecapacities",
        &[],
        NAMESPACED,
    ),
    row(STORAGE, "StorageClass", "storageclasses", &["sc"], CLUSTER),
    row(
        STORAGE,
        "VolumeAttachment",
        "volumeattachments",
        &[],
        CLUSTER,
    ),
    row(
        STORAGE,
        "VolumeAttributesClass",
        "volumeattributesclasses",
        &["vac"],
        CLUSTER,
    ),
    row(
        &["storagemigration.k8s.io"],
        "StorageVersionMigration",
        "storageversionmigrations",
        &[],
        CLUSTER,
    ),
];

/// The built-in resources.
pub fn builtin() -> impl Iterator<Item = Resource> {
    ROWS.iter().map(resource_of)
}

fn resource_of(row: &Row) -> Resource {
    Resource {
        groups: row.groups.iter().map(|group| (*group).into()).collect(),
        kind: row.kind.into(),
        plural: row.plural.into(),
        singular: row
            .singular
            .map_or_else(|| row.kind.to_lowercase().into(), Cow::Borrowed),
        short_names: row.short_names.iter().map(|name| (*name).into()).collect(),
        namespaced: row.namespaced,
        folder: row.folder.into(),
        in_all: ALL.contains(&row.plural),
        versions: Vec::new(),
    }
}
