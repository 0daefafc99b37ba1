//! Helm's records of its releases: a Secret (or ConfigMap) for each version, with the state in a label.
//!
//! `helm uninstall` writes the state `uninstalling` before it deletes anything. So the deletion of a release begins
//! there, and the version before comes back: `deployed`. `helm upgrade` writes `pending-upgrade` before it changes
//! anything and `deployed` at its end. An object that was deleted in between was removed by the upgrade.

use std::collections::HashMap;

use serde_json::Value;

use crate::k8s::catalog::ClusterName;
use crate::k8s::object::{text, tree_of};

/// The namespace of a release and its name, which is not that of its Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReleaseName {
    /// The logical cluster. Only kcp has logical clusters.
    cluster: ClusterName,
    namespace: String,
    name: String,
}

/// What is known of the history of one release.
#[derive(Debug, Default)]
struct ReleaseHistory {
    /// The revision at which it began to be uninstalled, if it was not installed again.
    uninstalled: Option<i64>,
    /// The main revision at which the upgrade began that has not ended.
    upgrade: Option<i64>,
    /// The first and the last revision of each upgrade that ended.
    upgrades: Vec<(i64, i64)>,
}

/// The releases of a store.
#[derive(Debug, Default)]
pub struct Releases(HashMap<ReleaseName, ReleaseHistory>);

impl Releases {
    /// Adds a version of a release, in the order of revisions.
    pub fn see(&mut self, main: i64, release: Release) {
        let history = self.0.entry(release.name).or_default();
        match release.status.as_str() {
            "pending-upgrade" | "pending-rollback" => drop(history.upgrade.get_or_insert(main)),
            _ => {
                let upgrade = history.upgrade.take();
                history.upgrades.extend(upgrade.map(|from| (from, main)));
            }
        }
        match release.status.as_str() {
            status if is_uninstall(status) => drop(history.uninstalled.get_or_insert(main)),
            // An older version of the release.
            "superseded" => {}
            _ => history.uninstalled = None,
        }
    }

    /// The revision at which a release began to be uninstalled, if it was not installed again.
    pub fn uninstalled(&self, release: &ReleaseName) -> Option<i64> {
        self.0.get(release)?.uninstalled
    }

    /// Whether a release was being upgraded at a revision.
    pub fn is_upgrade(&self, release: &ReleaseName, main: i64) -> bool {
        let history = self.0.get(release);
        let mut upgrades = history.into_iter().flat_map(|history| &history.upgrades);
        upgrades.any(|(from, to)| *from < main && main <= *to)
    }
}

/// One version of a release, as its Secret describes it.
#[derive(Debug)]
pub struct Release {
    name: ReleaseName,
    /// `deployed`, `superseded`, `uninstalling`, ...
    pub status: String,
}

impl Release {
    /// Reads it from the value of a record in a logical cluster; none if it is no release.
    pub fn read(value: &[u8], cluster: Option<&[u8]>) -> Option<Self> {
        let (tree, _) = tree_of(value).ok()?;
        let label = |name| text(&tree, &["metadata", "labels", name]).to_owned();
        let is_release = label("owner") == "helm" && !label("status").is_empty();
        let name = ReleaseName {
            cluster: cluster.map(Into::into),
            namespace: text(&tree, &["metadata", "namespace"]).to_owned(),
            name: label("name"),
        };
        let status = label("status");
        is_release.then_some(Self { name, status })
    }
}

/// Whether a key has the name of a release's Secret: `sh.helm.release.v1.NAME.v2`.
pub fn is_release_key(key: &[u8]) -> bool {
    let name = key.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.starts_with(b"sh.helm.release.v1.")
}

/// Whether a release of this state is being uninstalled, or was.
pub fn is_uninstall(status: &str) -> bool {
    matches!(status, "uninstalling" | "uninstalled")
}

/// The release that an object of a logical cluster belongs to; none if no release made it.
pub fn release_of(object: &Value, cluster: Option<&[u8]>) -> Option<ReleaseName> {
    let annotation = |name| text(object, &["metadata", "annotations", name]).to_owned();
    let name = annotation("meta.helm.sh/release-name");
    let namespace = annotation("meta.helm.sh/release-namespace");
    (!name.is_empty()).then(|| ReleaseName {
        cluster: cluster.map(Into::into),
        namespace,
        name,
    })
}
