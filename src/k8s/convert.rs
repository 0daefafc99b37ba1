//! Converts a built-in object to a version that a release serves.
//!
//! An object is converted if each of its fields exists in the other version with the same shape, or with a rename that is
//! listed in `renames`. All other objects stay as they are stored, and are reported: a guess could change their meaning.
//! `tests/convert.rs` compares the conversions with those of Kubernetes.

mod autoscaler;
mod fields;
mod renames;

use serde_json::Value;

use super::object::{group, text};
use super::release::{Release, api_version_of};
use super::schema;
use super::served::fits;

/// What became of the version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Converted {
    /// It stays: the release serves it, or it is no built-in kind.
    AsStored,
    /// Only `apiVersion` differs.
    Version,
    /// Fields were renamed or moved as Kubernetes does.
    Fields,
    /// It stays, and the release serves this version, which has other fields or another meaning.
    ByHand(String),
    /// It stays, and the release does not have the kind.
    Removed,
}

/// The object in a version that the release serves.
pub fn convert(object: Value, release: Release) -> (Value, Converted) {
    let kind = text(&object, &["kind"]).to_owned();
    let stored = text(&object, &["apiVersion"]).to_owned();
    if !schema::is_known(&stored, &kind) {
        return (object, Converted::AsStored);
    }
    let mut renamed = object.clone();
    let has_new_fields = renames::of_release(&mut renamed, release);
    let is_refused = (stored.as_str(), kind.as_str())
        == ("autoscaling/v1", "HorizontalPodAutoscaler")
        && release.serves("autoscaling/v2", &kind)
        && autoscaler::is_refused_in_v1(&object);
    if release.serves(&stored, &kind) && !is_refused {
        let fits = has_new_fields && fits_version(&renamed, &stored);
        return if fits {
            (renamed, Converted::Fields)
        } else {
            (object, Converted::AsStored)
        };
    }
    let served = served_versions(&object, release);
    for api_version in &served {
        let mut converted = renamed.clone();
        let is_renamed = renames::between(&mut converted, &stored, api_version);
        if let Some(fields) = converted.as_object_mut() {
            fields.insert("apiVersion".to_owned(), api_version.clone().into());
        }
        if fits_version(&converted, api_version) && means_the_same(&converted, &stored) {
            let what = if is_renamed || has_new_fields {
                Converted::Fields
            } else {
                Converted::Version
            };
            return (converted, what);
        }
    }
    let what = served.into_iter().next();
    (object, what.map_or(Converted::Removed, Converted::ByHand))
}

fn fits_version(object: &Value, api_version: &str) -> bool {
    let message = schema::root(api_version, text(object, &["kind"]));
    message.is_some_and(|message| fits(object, message))
}

/// The groups to which a kind of a group may have moved.
fn groups_of(group: &str) -> &[&str] {
    match group {
        "extensions" => &["apps", "networking.k8s.io", "policy", "extensions"],
        "apps" => &["apps", "extensions"],
        "networking.k8s.io" => &["networking.k8s.io", "extensions"],
        "policy" => &["policy", "extensions"],
        _ => &[],
    }
}

/// The versions of an object's kind that a release serves: stable ones first, then newer ones first.
fn served_versions(object: &Value, release: Release) -> Vec<String> {
    let (kind, group) = (text(object, &["kind"]), group(object));
    let is_family = |other: &str| other == group || groups_of(group).contains(&other);
    let mut served: Vec<(bool, &str, String)> = schema::kinds()
        .filter(|known| known.kind == kind && is_family(known.group))
        .map(|known| {
            let api_version = api_version_of(known.group, known.version);
            (known.version.contains("beta"), known.version, api_version)
        })
        .filter(|(_, _, api_version)| release.serves(api_version, kind))
        .collect();
    served.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)));
    served
        .into_iter()
        .map(|(.., api_version)| api_version)
        .collect()
}

/// Whether the fields have the same meaning in the served version as in the stored beta version.
fn means_the_same(object: &Value, stored: &str) -> bool {
    match (stored, text(object, &["kind"])) {
        // The stable version refuses webhooks with side effects.
        (
            "admissionregistration.k8s.io/v1beta1",
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
        ) => {
            let webhooks = object.get("webhooks").and_then(Value::as_array);
            webhooks
                .into_iter()
                .flatten()
                .all(|webhook| matches!(text(webhook, &["sideEffects"]), "None" | "NoneOnDryRun"))
        }
        _ => true,
    }
}
