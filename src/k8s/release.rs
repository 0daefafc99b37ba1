//! Which versions of the built-in kinds an API server of a release serves by default.
//!
//! A stable version is served from the release that introduced it. A beta version is served from its introduction to its
//! removal; since release 1.24 new beta versions are disabled by default. Alpha versions are always disabled by default.
//! The data is from `APILifecycleIntroduced` and `APILifecycleRemoved` in k8s.io/api v0.35.4
//! (`zz_generated.prerelease-lifecycle.go` of each version), and for the definitions of custom resources and of aggregated
//! APIs from the deprecated API migration guide (kubernetes.io/docs/reference/using-api/deprecation-guide).

use std::fmt;
use std::str::FromStr;

use super::schema;

/// A minor release: 35 is Kubernetes 1.35.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(u8);

/// The newest release in the table.
pub const NEWEST: Release = Release(35);

/// The oldest release in the table.
pub const OLDEST: Release = Release(16);

/// The first release in which new beta versions are disabled by default.
const BETAS_OFF: u8 = 24;

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix('v').unwrap_or(text);
        let minor = number
            .strip_prefix("1.")
            .and_then(|rest| rest.split('.').next());
        let minor = minor.and_then(|minor| minor.parse().ok());
        let release = minor.map(Self);
        release
            .filter(|release| (OLDEST..=NEWEST).contains(release))
            .ok_or_else(|| format!("a release is one from {OLDEST} to {NEWEST}"))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "1.{}", self.0)
    }
}

impl Release {
    /// Whether an API server of this release serves a kind in this version by default.
    pub fn serves(self, api_version: &str, kind: &str) -> bool {
        if api_version.contains("alpha") {
            return false;
        }
        let is_beta = api_version.contains("beta");
        if let Some(row) = ROWS
            .iter()
            .find(|row| (row.api_version, row.kind) == (api_version, kind))
        {
            let is_on = !is_beta || row.introduced < BETAS_OFF;
            return is_on && row.introduced <= self.0 && self.0 < row.removed;
        }
        let mut kinds = schema::kinds();
        let known = kinds.find(|known| {
            known.kind == kind && api_version_of(known.group, known.version) == api_version
        });
        // A stable version stays. A beta version without a row was removed together with its type. Types that were added
        // after the newest release in the table are not served.
        known.is_some_and(|known| {
            known.first_minor <= NEWEST.0 && (!is_beta || self.0 <= known.last_minor)
        })
    }
}

/// The `apiVersion` of a group and version: `apps/v1`, or `v1` for the core group.
pub fn api_version_of(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// The releases that introduced and removed a kind in a version.
struct Row {
    api_version: &'static str,
    kind: &'static str,
    introduced: u8,
    removed: u8,
}

const NEVER: u8 = u8::MAX;

const fn row(api_version: &'static str, kind: &'static str, introduced: u8, removed: u8) -> Row {
    Row {
        api_version,
        kind,
        introduced,
        removed,
    }
}

/// The beta versions, and the stable versions that are newer than the oldest release.
#[rustfmt::skip]
const ROWS: [Row; 88] = [
    row("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", 30, NEVER),
    row("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", 30, NEVER),
    row("admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicy", 34, 40),
    row("admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicyBinding", 34, 40),
    row("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration", 9, 22),
    row("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy", 28, 34),
    row("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicyBinding", 28, 34),
    row("admissionregistration.k8s.io/v1beta1", "ValidatingWebhookConfiguration", 9, 22),
    row("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", 7, 22),
    row("apiregistration.k8s.io/v1beta1", "APIService", 7, 22),
    row("apps/v1beta1", "ControllerRevision", 7, 16),
    row("apps/v1beta1", "Deployment", 6, 16),
    row("apps/v1beta1", "StatefulSet", 5, 16),
    row("apps/v1beta2", "ControllerRevision", 8, 16),
    row("apps/v1beta2", "DaemonSet", 8, 16),
    row("apps/v1beta2", "Deployment", 8, 16),
    row("apps/v1beta2", "ReplicaSet", 8, 16),
    row("apps/v1beta2", "StatefulSet", 8, 16),
    row("autoscaling/v2", "HorizontalPodAutoscaler", 23, NEVER),
    row("autoscaling/v2beta1", "HorizontalPodAutoscaler", 8, 25),
    row("autoscaling/v2beta2", "HorizontalPodAutoscaler", 12, 26),
    row("batch/v1", "CronJob", 21, NEVER),
    row("batch/v1beta1", "CronJob", 8, 25),
    row("certificates.k8s.io/v1", "CertificateSigningRequest", 19, NEVER),
    row("certificates.k8s.io/v1beta1", "CertificateSigningRequest", 12, 22),
    row("certificates.k8s.io/v1beta1", "ClusterTrustBundle", 33, 39),
    row("certificates.k8s.io/v1beta1", "PodCertificateRequest", 35, 41),
    row("coordination.k8s.io/v1beta1", "Lease", 12, 22),
    row("coordination.k8s.io/v1beta1", "LeaseCandidate", 33, 39),
    row("discovery.k8s.io/v1", "EndpointSlice", 21, NEVER),
    row("discovery.k8s.io/v1beta1", "EndpointSlice", 16, 25),
    row("events.k8s.io/v1", "Event", 19, NEVER),
    row("events.k8s.io/v1beta1", "Event", 8, 25),
    row("extensions/v1beta1", "DaemonSet", 1, 16),
    row("extensions/v1beta1", "Deployment", 1, 16),
    row("extensions/v1beta1", "Ingress", 1, 22),
    row("extensions/v1beta1", "NetworkPolicy", 3, 16),
    row("extensions/v1beta1", "ReplicaSet", 2, 16),
    row("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", 29, NEVER),
    row("flowcontrol.apiserver.k8s.io/v1", "PriorityLevelConfiguration", 29, NEVER),
    row("flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema", 20, 26),
    row("flowcontrol.apiserver.k8s.io/v1beta1", "PriorityLevelConfiguration", 20, 26),
    row("flowcontrol.apiserver.k8s.io/v1beta2", "FlowSchema", 23, 29),
    row("flowcontrol.apiserver.k8s.io/v1beta2", "PriorityLevelConfiguration", 23, 29),
    row("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", 26, 32),
    row("flowcontrol.apiserver.k8s.io/v1beta3", "PriorityLevelConfiguration", 26, 32),
    row("networking.k8s.io/v1", "IPAddress", 33, NEVER),
    row("networking.k8s.io/v1", "Ingress", 19, NEVER),
    row("networking.k8s.io/v1", "IngressClass", 19, NEVER),
    row("networking.k8s.io/v1", "ServiceCIDR", 33, NEVER),
    row("networking.k8s.io/v1beta1", "IPAddress", 31, 37),
    row("networking.k8s.io/v1beta1", "Ingress", 14, 22),
    row("networking.k8s.io/v1beta1", "IngressClass", 18, 22),
    row("networking.k8s.io/v1beta1", "ServiceCIDR", 31, 37),
    row("node.k8s.io/v1", "RuntimeClass", 20, NEVER),
    row("node.k8s.io/v1beta1", "RuntimeClass", 13, 25),
    row("policy/v1", "PodDisruptionBudget", 21, NEVER),
    row("policy/v1beta1", "PodDisruptionBudget", 5, 25),
    row("policy/v1beta1", "PodSecurityPolicy", 10, 25),
    row("extensions/v1beta1", "PodSecurityPolicy", 3, 16),
    row("rbac.authorization.k8s.io/v1beta1", "ClusterRole", 6, 22),
    row("rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding", 6, 22),
    row("rbac.authorization.k8s.io/v1beta1", "Role", 6, 22),
    row("rbac.authorization.k8s.io/v1beta1", "RoleBinding", 6, 22),
    row("resource.k8s.io/v1", "DeviceClass", 34, NEVER),
    row("resource.k8s.io/v1", "ResourceClaim", 34, NEVER),
    row("resource.k8s.io/v1", "ResourceClaimTemplate", 34, NEVER),
    row("resource.k8s.io/v1", "ResourceSlice", 34, NEVER),
    row("resource.k8s.io/v1beta1", "DeviceClass", 32, 38),
    row("resource.k8s.io/v1beta1", "ResourceClaim", 32, 38),
    row("resource.k8s.io/v1beta1", "ResourceClaimTemplate", 32, 38),
    row("resource.k8s.io/v1beta1", "ResourceSlice", 32, 38),
    row("resource.k8s.io/v1beta2", "DeviceClass", 33, 39),
    row("resource.k8s.io/v1beta2", "ResourceClaim", 33, 39),
    row("resource.k8s.io/v1beta2", "ResourceClaimTemplate", 33, 39),
    row("resource.k8s.io/v1beta2", "ResourceSlice", 33, 39),
    row("scheduling.k8s.io/v1beta1", "PriorityClass", 11, 22),
    row("storage.k8s.io/v1", "CSIDriver", 18, NEVER),
    row("storage.k8s.io/v1", "CSINode", 17, NEVER),
    row("storage.k8s.io/v1", "CSIStorageCapacity", 24, NEVER),
    row("storage.k8s.io/v1", "VolumeAttributesClass", 34, NEVER),
    row("storage.k8s.io/v1beta1", "CSIDriver", 14, 22),
    row("storage.k8s.io/v1beta1", "CSINode", 14, 22),
    row("storage.k8s.io/v1beta1", "CSIStorageCapacity", 21, 27),
    row("storage.k8s.io/v1beta1", "StorageClass", 4, 22),
    row("storage.k8s.io/v1beta1", "VolumeAttachment", 10, 22),
    row("storage.k8s.io/v1beta1", "VolumeAttributesClass", 31, 37),
    row("storagemigration.k8s.io/v1beta1", "StorageVersionMigration", 35, 41),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_release_is_parsed_in_the_usual_forms() {
        for text in ["1.35", "v1.35", "1.35.4", "v1.35.0-rc.1"] {
            assert_eq!(text.parse(), Ok(Release(35)), "{text}");
        }
        for text in ["", "35", "1", "1.x", "2.1", "1.15", "1.36", "1.999"] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_server_serves_stable_versions_and_old_betas_up_to_their_removal() {
        let serves =
            |release: u8, api_version: &str, kind: &str| Release(release).serves(api_version, kind);
        assert!(serves(20, "batch/v1beta1", "CronJob") && serves(24, "batch/v1beta1", "CronJob"));
        assert!(!serves(25, "batch/v1beta1", "CronJob"));
        assert!(!serves(20, "batch/v1", "CronJob") && serves(21, "batch/v1", "CronJob"));
        assert!(
            serves(21, "extensions/v1beta1", "Ingress")
                && !serves(22, "extensions/v1beta1", "Ingress")
        );
        // A beta that is disabled by default.
        assert!(!serves(
            34,
            "storage.k8s.io/v1beta1",
            "VolumeAttributesClass"
        ));
        assert!(serves(34, "storage.k8s.io/v1", "VolumeAttributesClass"));
        assert!(!serves(30, "networking.k8s.io/v1alpha1", "IPAddress"));
        assert!(serves(16, "v1", "Pod") && serves(35, "apps/v1", "Deployment"));
        assert!(
            serves(24, "policy/v1beta1", "PodSecurityPolicy")
                && !serves(25, "policy/v1beta1", "PodSecurityPolicy")
        );
        let crd = "CustomResourceDefinition";
        assert!(serves(21, "apiextensions.k8s.io/v1beta1", crd));
        assert!(!serves(22, "apiextensions.k8s.io/v1beta1", crd));
        assert!(serves(16, "apiextensions.k8s.io/v1", crd));
        assert!(!serves(35, "example.com/v1", "Book"));
        // Newer than the newest release.
        assert!(!serves(35, "certificates.k8s.io/v1", "ClusterTrustBundle"));
    }
}
