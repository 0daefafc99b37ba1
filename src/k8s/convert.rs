//! A built-in object in a version that a release serves.
//!
//! An object is converted if each of its fields exists in the other version with the same shape, or by the renames that
//! are listed here. Everything else stays as it was stored, and is named: a guess could change what the object means.
//! `tests/convert.rs` compares the conversions with those of Kubernetes.

mod renames;

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
    let is_served = release.serves(&stored, &kind);
    if is_served && claims.is_none() {
        return None;
    }
    let versions = if is_served {
        vec![stored.clone()]
    } else {
        served_versions(object, release)
    };
    for api_version in &versions {
        let rename = renames::between(&kind, &stored, api_version);
        // Only what gets other fields is copied: the attempt may fail.
        let has_renames = claims.is_some() || rename.is_some();
        let renamed = has_renames.then(|| renames::renamed(object, claims, rename));
        let candidate = renamed.as_ref().unwrap_or(object);
        if !fits_version(candidate, api_version) || !means_the_same(candidate, &stored) {
            continue;
        }
        if let Some(renamed) = renamed {
            *object = renamed;
        }
        set_version(object, api_version);
        return Some(if has_renames {
            VersionChange::Fields(api_version.clone())
        } else {
            VersionChange::To(api_version.clone())
        });
    }
    if is_served {
        return None;
    }
    let first = versions.into_iter().next();
    Some(first.map_or(VersionChange::Removed, VersionChange::ByHand))
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

/// The groups in which kinds of a group may be today.
fn groups_of(group: &str) -> &[&str] {
    match group {
        "extensions" => &["apps", "networking.k8s.io", "policy", "extensions"],
        "apps" => &["apps", "extensions"],
        "networking.k8s.io" => &["networking.k8s.io", "extensions"],
        "policy" => &["policy", "extensions"],
        _ => &[],
    }
}

/// The versions of the kind of an object that a release serves: finished ones first, newer ones first.
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

/// Whether equal fields mean the same in a finished version as in the beta version that was stored.
fn means_the_same(object: &Value, stored: &str) -> bool {
    match (stored, text(object, &["kind"])) {
        // An empty selector selects no pod in v1beta1 and every pod in v1.
        ("policy/v1beta1", "PodDisruptionBudget") => {
            let selector = object.pointer("/spec/selector").and_then(Value::as_object);
            selector.is_some_and(|selector| !selector.is_empty())
        }
        // The finished version refuses webhooks with side effects.
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
