//! What Helm keeps of its releases: a Secret (or ConfigMap) for each version, with the state in a label.
//!
//! `helm uninstall` writes the state `uninstalling` before it deletes anything. So the deletion of a release begins
//! there, and what comes back is the version before: `deployed`.

use serde_json::Value;

use crate::k8s::object::{text, tree_of};

/// What a release says of itself.
#[derive(Debug)]
pub struct Release {
    /// The namespace.
    pub namespace: String,
    /// The name, which is not that of the Secret.
    pub name: String,
    /// `deployed`, `superseded`, `uninstalling`, ...
    pub status: String,
}

impl Release {
    /// Reads it from the value of a record; none if it is no release.
    pub fn read(value: &[u8]) -> Option<Self> {
        let (tree, _) = tree_of(value).ok()?;
        let label = |name| text(&tree, &["metadata", "labels", name]).to_owned();
        let is_release = label("owner") == "helm" && !label("status").is_empty();
        is_release.then(|| Self {
            namespace: text(&tree, &["metadata", "namespace"]).to_owned(),
            name: label("name"),
            status: label("status"),
        })
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

/// The release that an object belongs to, as namespace and name; none if no release made it.
pub fn release_of(object: &Value) -> Option<(String, String)> {
    let annotation = |name| text(object, &["metadata", "annotations", name]).to_owned();
    let name = annotation("meta.helm.sh/release-name");
    (!name.is_empty()).then(|| (annotation("meta.helm.sh/release-namespace"), name))
}
