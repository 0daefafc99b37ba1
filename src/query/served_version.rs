//! In which version of its kind an object is written: for `recover`, and for `get --for`.

use serde_json::Value;

use crate::k8s::catalog::Catalog;
use crate::k8s::convert::{convert, set_version};
use crate::k8s::object::{group, text};
use crate::k8s::schema::is_known;
use crate::k8s::served;

pub use crate::k8s::release::Release;
pub use crate::k8s::served::VersionChange;

/// An object was stored in a version that is not served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredVersion {
    /// This version.
    pub stored: String,
    /// How it is written.
    pub change: VersionChange,
}

/// Whether an object of this group is of a kind that Kubernetes does not build in.
pub(super) fn is_custom(group: &str, object: &Value) -> bool {
    let is_extension = matches!(group, "apiextensions.k8s.io" | "apiregistration.k8s.io");
    !is_extension && !is_known(text(object, &["apiVersion"]), text(object, &["kind"]))
}

/// The change of version that an object needs: for a custom resource by its definition, for a built-in object by the
/// clients that wrote it.
pub(super) fn known_change(definition: Option<&Value>, object: &Value) -> Option<VersionChange> {
    match definition {
        Some(definition) => served::by_definition(definition, object),
        None => served::by_clients(object).map(VersionChange::To),
    }
}

/// Puts an object into a version that is served: a built-in one into one of the release, if there is one, and any other
/// into the one that is known.
pub(super) fn put_into_served(
    object: &mut Value,
    is_custom: bool,
    known: Option<&VersionChange>,
    release: Option<Release>,
) -> Option<VersionChange> {
    if let Some(release) = release.filter(|_| !is_custom) {
        return convert(object, release);
    }
    if let Some(VersionChange::To(version)) = known {
        set_version(object, version);
    }
    known.cloned()
}

/// Puts a live object into a version that a release serves, or that its definition serves.
pub(super) fn put_into_release(
    object: &mut Value,
    key: &[u8],
    catalog: &Catalog,
    release: Release,
) -> Option<StoredVersion> {
    let stored = text(object, &["apiVersion"]).to_owned();
    let is_custom = is_custom(group(object), object);
    let location = catalog.locate(key).filter(|_| is_custom);
    let definition = location.and_then(|location| catalog.definition_of(&location));
    let known = definition.and_then(|definition| served::by_definition(definition, object));
    let change = put_into_served(object, is_custom, known.as_ref(), Some(release))?;
    Some(StoredVersion { stored, change })
}
