//! The API version in which a server accepts an object.
//!
//! An object may be stored in a version that the server does not serve. A CustomResourceDefinition may keep a version
//! that it no longer serves. A Kubernetes API server stores some built-in kinds in a beta version for one more release
//! after it starts to serve `v1`.

use serde_json::Value;

use super::object::{group, text, version};
use super::release::api_version_of;
use super::schema::{self, Card, Kind, Message};

/// How the version in which an object comes back differs from the stored one, or why it does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum VersionChange {
    /// It is this version now. Nothing else differs.
    To(String),
    /// It is this version now. Fields were renamed or moved as Kubernetes does.
    Fields(String),
    /// It is as stored. The release serves this version, which has other fields or another meaning.
    ByHand(String),
    /// It is as stored. The release does not have the kind.
    Removed,
    /// It is as stored. A program converts it to one of these.
    ByProgram(Vec<String>),
    /// It is as stored. Its definition serves no version.
    NotServed,
}

/// The version that the definition of a custom resource serves; none if the stored one is served.
pub fn by_definition(definition: &Value, object: &Value) -> Option<VersionChange> {
    // Before v1 a definition could have one version, which is served.
    let versions = definition.pointer("/spec/versions")?.as_array()?;
    let is = |version: &Value, field: &str| version.get(field) == Some(&Value::Bool(true));
    let served = || versions.iter().filter(|version| is(version, "served"));
    let names = || served().map(|version| text(version, &["name"]));
    if names().any(|name| name == version(object)) {
        return None;
    }
    let is_converted = text(definition, &["spec", "conversion", "strategy"]) == "Webhook";
    let best = served()
        .find(|version| is(version, "storage"))
        .or_else(|| served().next());
    Some(match best {
        None => VersionChange::NotServed,
        Some(_) if is_converted => VersionChange::ByProgram(names().map(str::to_owned).collect()),
        Some(best) => VersionChange::To(api_version_of(group(object), text(best, &["name"]))),
    })
}

/// The `apiVersion` in which the server that wrote a built-in object served it, if it differs from the stored one: a
/// stable version instead of a beta. A client used it (it is in managedFields), and it has each field of the object with
/// the same shape.
pub fn by_clients(object: &Value) -> Option<String> {
    let (stored, kind) = (text(object, &["apiVersion"]), text(object, &["kind"]));
    if !is_prerelease(stored) || !schema::is_known(stored, kind) {
        return None;
    }
    let entries = object.pointer("/metadata/managedFields");
    let entries = entries.and_then(Value::as_array).into_iter().flatten();
    let versions = entries.map(|entry| text(entry, &["apiVersion"]));
    let mut stable = versions.filter(|version| {
        let same_group = version.rsplit_once('/').map(|(group, _)| group);
        same_group == Some(group(object)) && !is_prerelease(version)
    });
    let used = stable.next()?;
    let fits = schema::root(used, kind).is_some_and(|message| fits(object, message));
    fits.then(|| used.to_owned())
}

/// Whether a version is an alpha or beta version.
fn is_prerelease(api_version: &str) -> bool {
    api_version.contains("alpha") || api_version.contains("beta")
}

/// Whether the message type has each field of an object, with the same shape.
pub fn fits(object: &Value, message: &Message) -> bool {
    fits_type(object, message, true)
}

/// Whether a message type has each field of a map. `apiVersion` and `kind` are allowed at the root.
fn fits_type(object: &Value, message: &Message, is_root: bool) -> bool {
    let Some(fields) = object.as_object() else {
        return false;
    };
    fields.iter().all(|(name, value)| {
        // The schema table does not list these two, because every object has them.
        if is_root && (name == "apiVersion" || name == "kind") {
            return true;
        }
        let slot = message.slots().iter().find(|slot| slot.name() == name);
        let Some(slot) = slot.filter(|slot| !slot.is_removed()) else {
            return false;
        };
        let one = |value: &Value| fits_kind(value, slot.kind, slot.message_type);
        match (slot.card, value) {
            (_, Value::Null) => true,
            (Card::One | Card::Pointer, value) => one(value),
            (Card::List, Value::Array(list)) => list.iter().all(one),
            (Card::Map, Value::Object(map)) => map.values().all(one),
            _ => false,
        }
    })
}

/// Whether a value has the JSON shape of a kind.
fn fits_kind(value: &Value, kind: Kind, message_type: u16) -> bool {
    match kind {
        Kind::Message => {
            schema::message(message_type).is_some_and(|message| fits_type(value, message, false))
        }
        Kind::Bool => value.is_boolean(),
        Kind::Int | Kind::Uint | Kind::Float => value.is_number(),
        Kind::Str | Kind::Bytes | Kind::Time | Kind::MicroTime | Kind::Duration => {
            value.is_string() || value.is_null()
        }
        Kind::Quantity | Kind::IntOrString => value.is_string() || value.is_number(),
        Kind::Embedded
        | Kind::SchemaOrBool
        | Kind::SchemaOrArray
        | Kind::SchemaOrStrings
        | Kind::Strings => true,
        Kind::TextMap => value.is_object() || value.is_null(),
        Kind::Messages => {
            let one = |value: &Value| fits_kind(value, Kind::Message, message_type);
            value.as_array().is_none_or(|list| list.iter().all(one))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_determines_the_served_version() {
        let version = |name: &str, served: bool, storage: bool| json!({"name": name, "served": served, "storage": storage});
        let definition = |strategy: &str, versions: Value| json!({"spec": {"conversion": {"strategy": strategy}, "versions": versions}});
        let versions = json!([
            version("v1alpha1", false, false),
            version("v1beta1", true, false),
            version("v1", true, true),
        ]);
        let plain = definition("None", versions.clone());
        let ask = |definition: &Value, version: &str| {
            let api_version = format!("example.com/{version}");
            by_definition(definition, &json!({ "apiVersion": api_version }))
        };
        assert_eq!(ask(&plain, "v1beta1"), None);
        let to = VersionChange::To("example.com/v1".to_owned());
        assert_eq!(ask(&plain, "v1alpha1"), Some(to));
        let converted = definition("Webhook", versions);
        let served = vec!["v1beta1".to_owned(), "v1".to_owned()];
        let by_program = VersionChange::ByProgram(served);
        assert_eq!(ask(&converted, "v1alpha1"), Some(by_program));
        let none = definition("None", json!([version("v1", false, true)]));
        assert_eq!(ask(&none, "v1"), Some(VersionChange::NotServed));
        assert_eq!(ask(&json!({"spec": {"version": "v1"}}), "v1"), None);
    }

    #[test]
    fn a_beta_that_clients_wrote_as_v1_becomes_v1_if_all_its_fields_fit() {
        let object = |stored: &str, used: &str, more: Value| {
            let mut object = json!({
                "apiVersion": stored,
                "kind": "VolumeAttributesClass",
                "metadata": {"name": "fast", "managedFields": [{"apiVersion": used}]},
                "driverName": "d.csi",
                "parameters": {"iops": "3"},
            });
            if let (Some(object), Some(more)) = (object.as_object_mut(), more.as_object()) {
                object.extend(more.clone());
            }
            object
        };
        let (beta, v1) = ("storage.k8s.io/v1beta1", "storage.k8s.io/v1");
        assert_eq!(
            by_clients(&object(beta, v1, json!({}))).as_deref(),
            Some(v1)
        );
        assert_eq!(by_clients(&object(beta, beta, json!({}))), None);
        assert_eq!(by_clients(&object(v1, v1, json!({}))), None);
        assert_eq!(by_clients(&object(beta, "apps/v1", json!({}))), None);
        assert_eq!(by_clients(&object(beta, v1, json!({"unknown": 1}))), None);
        assert_eq!(
            by_clients(&object(beta, v1, json!({"parameters": [1]}))),
            None
        );
    }
}
