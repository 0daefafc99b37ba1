//! Converts a CustomResourceDefinition from `apiextensions.k8s.io/v1beta1` to `v1`. API servers may store v1beta1, but have
//! not accepted it since 1.22. In v1 each version has the fields that v1beta1 may have once for all versions.

use serde_json::{Map, Value, json};

const OLD: &str = "apiextensions.k8s.io/v1beta1";
const NEW: &str = "apiextensions.k8s.io/v1";

/// Fields that v1beta1 may have once for all versions, with their names in a version.
const SHARED_FIELDS: [(&str, &str); 3] = [
    ("validation", "schema"),
    ("subresources", "subresources"),
    ("additionalPrinterColumns", "additionalPrinterColumns"),
];

/// Converts the definition to v1.
pub(in crate::k8s) fn convert(fields: &mut Map<String, Value>) {
    if fields.get("apiVersion").and_then(Value::as_str) != Some(OLD) {
        return;
    }
    fields.insert("apiVersion".to_owned(), NEW.into());
    let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let version = spec.shift_remove("version");
    // The default of v1beta1 is true.
    let preserves = spec.shift_remove("preserveUnknownFields") != Some(Value::Bool(false));
    let shared: Vec<_> = SHARED_FIELDS
        .iter()
        .filter_map(|(old, new)| Some((*new, spec.shift_remove(*old)?)))
        .collect();
    // Old definitions have a single `version` instead of the list `versions`.
    let versions = spec.entry("versions").or_insert_with(
        || json!([{"name": version.unwrap_or_default(), "served": true, "storage": true}]),
    );
    let versions = versions.as_array_mut().into_iter().flatten();
    for version in versions.filter_map(Value::as_object_mut) {
        for (name, value) in &shared {
            if !version.contains_key(*name) {
                version.insert((*name).to_owned(), value.clone());
            }
        }
        complete(version, preserves);
    }
    if let Some(conversion) = spec.get_mut("conversion").and_then(Value::as_object_mut) {
        convert_conversion(conversion);
    }
}

/// Adds the fields that v1 requires in a version, and renames `JSONPath`.
fn complete(version: &mut Map<String, Value>, preserves: bool) {
    let own = version.get("schema");
    let had_none = own.is_none_or(|schema| schema.get("openAPIV3Schema").is_none());
    let schema = version.entry("schema").or_insert_with(|| json!({}));
    if let Some(schema) = schema.as_object_mut() {
        let root = schema
            .entry("openAPIV3Schema")
            .or_insert_with(|| json!({"type": "object"}));
        if let Some(root) = root.as_object_mut() {
            // v1 requires a type, and has here what v1beta1 had in `spec.preserveUnknownFields`.
            root.entry("type").or_insert_with(|| "object".into());
            if preserves || had_none {
                root.insert(
                    "x-kubernetes-preserve-unknown-fields".to_owned(),
                    true.into(),
                );
            }
        }
    }
    let columns = version
        .get_mut("additionalPrinterColumns")
        .and_then(Value::as_array_mut);
    for column in columns
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        if let Some(path) = column.shift_remove("JSONPath") {
            column.insert("jsonPath".to_owned(), path);
        }
    }
}

/// Moves the webhook settings of the conversion into `webhook`.
fn convert_conversion(conversion: &mut Map<String, Value>) {
    let client = conversion.shift_remove("webhookClientConfig");
    let versions = conversion.shift_remove("conversionReviewVersions");
    let Some(client) = client else { return };
    let versions = versions.unwrap_or_else(|| json!(["v1beta1"]));
    conversion.insert(
        "webhook".to_owned(),
        json!({"clientConfig": client, "conversionReviewVersions": versions}),
    );
}
