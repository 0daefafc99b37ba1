//! What an object is: the facts that its recovery depends on.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::etcd::key_ids::KeyId;
use crate::k8s::apply_order::rank;
use crate::k8s::catalog::{Catalog, ClusterName, Location};
use crate::k8s::controlled::{self, Reason};
use crate::k8s::object::{is_secret_key, text, version};
use crate::named::NameField;

use super::super::served_version::{VersionChange, is_custom, known_change};
use super::helm::{self, ReleaseName};
use super::history::ObjectHistory;

/// What an object is.
#[derive(Debug)]
pub struct Facts {
    /// What it has in common with other objects.
    pub common: Arc<Common>,
    /// Its name.
    pub name: Box<str>,
    /// Whether group, kind, namespace and name are each a valid value of its field. Only then are they part of a file name.
    pub is_named: bool,
    /// The id of its uid.
    pub(super) uid: KeyId,
    /// The ids of the uids of its owners.
    pub(super) owners: Box<[KeyId]>,
    /// Why it need not be brought back.
    pub reason: Option<Reason>,
    /// Whether it is a custom resource.
    pub is_custom: bool,
    /// Whether a manifest sets its status like any other field.
    pub keeps_status: bool,
    /// Whether it is a Job that is complete or failed, or a pod that ended.
    pub is_finished: bool,
    /// The Helm release that made it.
    pub release: Option<Box<ReleaseName>>,
    /// The version in which a server accepts it, if that is known to be another one than the stored version.
    pub version: Option<Box<VersionChange>>,
    /// Whether it configures webhooks that refuse every request while their service does not run.
    pub is_strict_webhook: bool,
    /// Its place in the order of creation.
    pub(super) rank: u32,
    /// The length of the chain of its owners that come back as well.
    pub(super) depth: u32,
}

/// What several objects have in common. Kind, group, namespace and name can be shown as they are here, even if the object is
/// damaged.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Common {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The logical cluster, from the key. Only kcp has logical clusters.
    pub cluster: ClusterName,
    /// The namespace; empty for an object without one.
    pub namespace: String,
}

impl Facts {
    /// Keeps what is the same once.
    pub(super) fn share(&mut self, known: &mut HashSet<Arc<Common>>) {
        match known.get(&self.common) {
            Some(known) => self.common = Arc::clone(known),
            None => drop(known.insert(Arc::clone(&self.common))),
        }
    }
}

/// What an object is called.
struct Names {
    group: String,
    kind: String,
    namespace: String,
    name: String,
    is_named: bool,
}

impl Names {
    /// Reads the names from the object, and checks that each is a valid value of its field. For a Secret they come from
    /// its key, because in a damaged Secret a name may be a part of the secret.
    fn new(key: &[u8], tree: &Value, location: Option<&Location<'_, '_>>) -> Self {
        let bytes = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let [group, kind, namespace, name] = if !is_secret_key(key) {
            [
                controlled::group(tree).to_owned(),
                text(tree, &["kind"]).to_owned(),
                text(tree, &["metadata", "namespace"]).to_owned(),
                text(tree, &["metadata", "name"]).to_owned(),
            ]
        } else if let Some(location) = location {
            [
                location.resource.group().to_owned(),
                location.resource.kind.clone().into_owned(),
                bytes(location.namespace.unwrap_or_default()),
                bytes(location.name),
            ]
        } else {
            let name = key.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let kind = "Secret".to_owned();
            [String::new(), kind, String::new(), bytes(name)]
        };
        let fields = [
            (NameField::Group, &group),
            (NameField::Kind, &kind),
            (NameField::Namespace, &namespace),
            (NameField::Name, &name),
        ];
        // An object may have no namespace, and one that is not from Kubernetes may lack the others.
        let is_fit = |(field, text): &(NameField, &String)| text.is_empty() || field.allows(text);
        let is_named = fields.iter().all(is_fit);
        let shown = |field: NameField, text: &str| match text {
            "" => String::new(),
            text => field.shown(text).into_owned(),
        };
        Self {
            group: shown(NameField::Group, &group),
            kind: shown(NameField::Kind, &kind),
            namespace: shown(NameField::Namespace, &namespace),
            name: shown(NameField::Name, &name),
            is_named,
        }
    }
}

/// Reads what an object is, and its place in the order of creation.
pub(super) fn facts(key: &[u8], tree: &Value, catalog: &Catalog, history: &ObjectHistory) -> Facts {
    let location = catalog.locate(key);
    let cluster = location.and_then(|location| location.cluster);
    let definition = location.and_then(|location| catalog.definition_of(&location));
    let Names {
        group,
        kind,
        namespace,
        name,
        is_named,
    } = Names::new(key, tree, location.as_ref());
    let is_custom = is_custom(&group, tree);
    let namespaced = !namespace.is_empty();
    Facts {
        rank: rank(&group, &kind, namespaced, is_custom),
        keeps_status: is_custom
            && !definition.is_some_and(|definition| has_status_subresource(definition, tree)),
        is_finished: is_finished(&group, &kind, tree),
        release: helm::release_of(tree, cluster).map(Box::new),
        version: known_change(definition.filter(|_| is_custom), tree).map(Box::new),
        is_strict_webhook: asked_services(tree).next().is_some(),
        is_custom,
        common: Arc::new(Common {
            group,
            kind,
            cluster: cluster.map(Into::into),
            namespace,
        }),
        name: name.into(),
        is_named,
        uid: history.id_of(cluster, text(tree, &["metadata", "uid"])),
        owners: controlled::owners(tree)
            .map(|owner| history.id_of(cluster, text(owner, &["uid"])))
            .collect(),
        reason: history
            .reason(tree, cluster)
            .or_else(|| location.is_none().then_some(Reason::Internal)),
        depth: 0,
    }
}

/// Whether a definition has the status subresource in the version of an object. Then a manifest cannot set the status.
fn has_status_subresource(definition: &Value, object: &Value) -> bool {
    let has = |of: &Value| {
        let status = of.pointer("/subresources/status");
        status.is_some_and(|status| !status.is_null())
    };
    let own = version(object);
    let versions = definition.pointer("/spec/versions");
    let mut versions = versions.and_then(Value::as_array).into_iter().flatten();
    definition.get("spec").is_some_and(has)
        || versions.any(|of| text(of, &["name"]) == own && has(of))
}

/// Whether a Job or a pod has ended. If it came back, it would run again.
fn is_finished(group: &str, kind: &str, tree: &Value) -> bool {
    match (group, kind) {
        ("batch", "Job") => {
            let conditions = tree.pointer("/status/conditions");
            let mut conditions = conditions.and_then(Value::as_array).into_iter().flatten();
            conditions.any(|condition| {
                matches!(text(condition, &["type"]), "Complete" | "Failed")
                    && text(condition, &["status"]) == "True"
            })
        }
        ("", "Pod") => matches!(text(tree, &["status", "phase"]), "Succeeded" | "Failed"),
        _ => false,
    }
}

/// The services, by namespace and name, of the webhooks that refuse every request while they do not answer.
pub fn asked_services(configuration: &Value) -> impl Iterator<Item = (&str, &str)> {
    let is_one = text(configuration, &["kind"]).ends_with("WebhookConfiguration");
    let webhooks = configuration.get("webhooks").filter(|_| is_one);
    let webhooks = webhooks.and_then(Value::as_array).into_iter().flatten();
    let strict = webhooks.filter(|webhook| text(webhook, &["failurePolicy"]) != "Ignore");
    strict.filter_map(|webhook| {
        let service = webhook.pointer("/clientConfig/service")?;
        Some((text(service, &["namespace"]), text(service, &["name"])))
    })
}
