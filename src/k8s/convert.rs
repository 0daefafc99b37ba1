//! Converts a built-in object to a version that a release serves.
//!
//! An object is converted if each of its fields exists in the other version with the same shape, or with a rename that is
//! listed in `renames`. All other objects stay as they are stored, and are reported: a guess could change their meaning.
//! `tests/convert.rs` compares the conversions with those of Kubernetes.

mod autoscaler;
mod fields;
mod renames;

use crate::arrange::Arrange as _;

use serde_json::Value;

use super::object::{group, text};
use super::release::{Release, api_version_of};
use super::schema;
use super::served::{VersionChange, fits};

/// Puts a built-in object into a version that the release serves. None if it is in one, or is no built-in object.
pub fn convert(object: &mut Value, release: Release) -> Option<VersionChange> {
    let kind = text(object, &["kind"]).to_owned();
    let stored = text(object, &["apiVersion"]).to_owned();
    if !schema::is_known(&stored, &kind) {
        return None;
    }
    let claims = renames::claims_with_source(object, release);
    let is_served = release.serves(&stored, &kind) && !is_refused(object, &stored, release);
    if is_served && claims.is_none() {
        return None;
    }
    let versions = if is_served {
        vec![stored.clone()]
    } else {
        served_versions(object, &stored, release)
    };
    for api_version in &versions {
        let rename = renames::between(&kind, &stored, api_version);
        // Only what may get other fields is copied: the attempt may fail.
        let has_rules = claims.is_some() || rename.is_some();
        let renamed = has_rules.then(|| renames::renamed(object, claims, rename));
        let renamed = renamed.filter(|renamed| renamed != object);
        let candidate = renamed.as_ref().unwrap_or(object);
        if !fits_version(candidate, api_version) || !means_the_same(candidate, &stored) {
            continue;
        }
        let version = api_version.clone();
        let change = match renamed {
            Some(renamed) => {
                *object = renamed;
                VersionChange::Fields(version)
            }
            None => VersionChange::To(version),
        };
        set_version(object, api_version);
        return Some(change);
    }
    if is_served {
        return None;
    }
    let first = versions.into_iter().next();
    Some(first.map_or(VersionChange::Removed, VersionChange::ByHand))
}

/// Whether servers of a release refuse an object in its version although they serve it, and serve one that they accept.
fn is_refused(object: &Value, stored: &str, release: Release) -> bool {
    let kind = text(object, &["kind"]);
    (stored, kind) == ("autoscaling/v1", "HorizontalPodAutoscaler")
        && release.serves("autoscaling/v2", kind)
        && autoscaler::is_refused_in_v1(object)
}

/// Sets the version of an object.
pub fn set_version(object: &mut Value, api_version: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".to_owned(), api_version.into());
    }
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

/// The versions of an object's kind that a release serves, other than the stored one: stable ones first, then newer ones
/// first.
fn served_versions(object: &Value, stored: &str, release: Release) -> Vec<String> {
    let (kind, group) = (text(object, &["kind"]), group(object));
    let is_family = |other: &str| other == group || groups_of(group).contains(&other);
    let mut served: Vec<(bool, &str, String)> = schema::kinds()
        .filter(|known| known.kind == kind && is_family(known.group))
        .map(|known| {
            let api_version = api_version_of(known.group, known.version);
            (known.version.contains("beta"), known.version, api_version)
        })
        .filter(|(_, _, api_version)| api_version != stored && release.serves(api_version, kind))
        .collect();
    served.arrange_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1)));
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
