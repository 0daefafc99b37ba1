//! Which resources a store holds and where: from an address to keys, and from a key to its resource.
//!
//! Built-in resources are known; custom ones are told by the CustomResourceDefinitions in the store;
//! what neither knows (an aggregated API server's) is told by the folders of the keys themselves.
//! The prefix is `/registry` unless the API server was given another (`--etcd-prefix`): OpenShift has
//! `/kubernetes.io` and `/openshift.io`.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;

use super::envelope::Stored;
use super::meta::Meta;
use super::resource::{Resource, builtin};
use super::secret_key::is_secret_key;
use crate::named::NameField;
use crate::near;

/// Where an API server keeps its objects unless told otherwise.
const DEFAULT_PREFIX: &[u8] = b"/registry";

/// The resources of a store.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Without the slash behind; longer ones first.
    prefixes: Vec<Vec<u8>>,
    resources: Vec<Resource>,
    by_folder: HashMap<Vec<u8>, usize>,
    /// The definitions of custom resources, by their place in `resources`.
    definitions: HashMap<usize, Value>,
    holds_objects: bool,
}

impl Default for Catalog {
    fn default() -> Self {
        let mut catalog = Self {
            prefixes: vec![DEFAULT_PREFIX.to_vec()],
            resources: Vec::new(),
            by_folder: HashMap::new(),
            definitions: HashMap::new(),
            holds_objects: false,
        };
        for resource in builtin() {
            catalog.add(resource);
        }
        catalog
    }
}

/// What a key tells by itself of the object under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'c, 'k> {
    /// Its resource.
    pub resource: &'c Resource,
    /// The namespace; absent where the resource has none.
    pub namespace: Option<&'k [u8]>,
    /// The name; it may hold slashes.
    pub name: &'k [u8],
}

impl Catalog {
    /// The prefixes under which objects lie, without the slash behind.
    pub fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.prefixes.iter().map(Vec::as_slice)
    }

    /// Whether anything in the store looked like an API server's.
    pub fn holds_objects(&self) -> bool {
        self.holds_objects
    }

    /// All resources, the built-in ones first.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The definition of a custom resource, without the schemas of its versions.
    pub fn definition(&self, resource: &Resource) -> Option<&Value> {
        let place = self.by_folder.get(resource.folder.as_bytes())?;
        self.definitions.get(place)
    }

    /// Adds the resource that a stored CustomResourceDefinition defines.
    pub fn define(&mut self, definition: Value) {
        if let Some(resource) = defined_by(&definition)
            && let Some(place) = self.add(resource)
        {
            self.definitions.insert(place, without_schemas(definition));
        }
    }

    /// Adds what another catalog knows besides, for a question about two stores.
    pub fn merge(&mut self, other: Self) {
        self.holds_objects |= other.holds_objects;
        for prefix in other.prefixes {
            self.add_prefix(prefix);
        }
        let mut definitions = other.definitions;
        for (place, resource) in other.resources.into_iter().enumerate() {
            if let Some(here) = self.add(resource)
                && let Some(definition) = definitions.remove(&place)
            {
                self.definitions.insert(here, definition);
            }
        }
    }

    /// Adds a resource, unless its folder has one.
    fn add(&mut self, resource: Resource) -> Option<usize> {
        let folder = resource.folder.as_bytes().to_vec();
        if self.by_folder.contains_key(&folder) {
            return None;
        }
        let place = self.resources.len();
        self.by_folder.insert(folder, place);
        self.resources.push(resource);
        Some(place)
    }

    fn add_prefix(&mut self, prefix: Vec<u8>) {
        if !self.prefixes.contains(&prefix) {
            self.prefixes.push(prefix);
            self.prefixes
                .sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        }
    }

    /// The prefix of a key, and what stands behind it and its slash.
    fn behind_prefix<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        self.prefixes
            .iter()
            .find_map(|prefix| key.strip_prefix(prefix.as_slice())?.strip_prefix(b"/"))
    }

    /// What a key tells of the object under it; none where it lies in no known folder.
    pub fn locate<'k>(&self, key: &'k [u8]) -> Option<Location<'_, 'k>> {
        let rest = self.behind_prefix(key)?;
        let (folder, inside) = folders_of(rest)
            .find_map(|(folder, inside)| Some((*self.by_folder.get(folder)?, inside)))?;
        let resource = self.resources.get(folder)?;
        if !resource.namespaced {
            return Some(Location {
                resource,
                namespace: None,
                name: inside,
            });
        }
        let slash = inside.iter().position(|byte| *byte == b'/')?;
        let (namespace, name) = inside.split_at_checked(slash)?;
        Some(Location {
            resource,
            namespace: Some(namespace),
            name: name.get(1..)?,
        })
    }

    /// The folders in which the objects of a resource lie, with the slash behind.
    pub fn folders(&self, resource: &Resource) -> Vec<Vec<u8>> {
        let folder = resource.folder.as_bytes();
        self.prefixes
            .iter()
            .map(|prefix| [prefix.as_slice(), b"/", folder, b"/"].concat())
            .collect()
    }

    /// The resources that a word names: a plural, a singular, a kind or a short name, with
    /// `.GROUP` or `.VERSION.GROUP` behind it; or `all`. Without a group a built-in resource comes
    /// before a custom one of the same name. Empty where there is none.
    pub fn resolve(&self, word: &str) -> Vec<&Resource> {
        if word.eq_ignore_ascii_case("all") {
            let in_all = self.resources.iter().filter(|resource| resource.in_all);
            return in_all.collect();
        }
        let (name, rest) = word.split_once('.').unwrap_or((word, ""));
        let called = || {
            self.resources
                .iter()
                .filter(|resource| resource.is_called(name))
        };
        if !word.contains('.') {
            let first = called().next();
            let is_builtin = |resource: &&Resource| resource.versions.is_empty();
            return match first.filter(is_builtin) {
                Some(resource) => vec![resource],
                None => called().collect(),
            };
        }
        let of_group = |group: &str| -> Vec<&Resource> {
            let has = |resource: &&Resource| resource.groups.iter().any(|known| known == group);
            called().filter(has).collect()
        };
        let found = of_group(rest);
        if !found.is_empty() {
            return found;
        }
        let (version, group) = rest.split_once('.').unwrap_or((rest, ""));
        let mut found = of_group(group);
        found.retain(|resource| resource.has_version(version, group));
        found
    }

    /// The names most like a word that names no resource, the most alike first.
    pub fn near(&self, word: &str) -> Vec<String> {
        /// Less alike than this is another word.
        const ALIKE: f64 = 0.7;
        /// Two letters are like too many names.
        const SHORTEST_BYTES: usize = 3;
        let bare = word.split('.').next().unwrap_or(word).to_lowercase();
        let rated = self.resources.iter().map(|resource| {
            let names = [&resource.plural, &resource.singular]
                .into_iter()
                .chain(&resource.short_names);
            let likeness = names
                .filter(|name| name.len() >= SHORTEST_BYTES)
                .map(|name| near::likeness(&bare, name))
                .fold(0.0, f64::max);
            (likeness, resource.plural_with_group())
        });
        near::nearest(rated, ALIKE)
    }

    /// Adds a resource for the folder of a key which lies in none that is known, as its object
    /// describes it.
    pub fn learn(&mut self, key: &[u8], value: &[u8]) {
        if self.locate(key).is_some() {
            return;
        }
        let Some((folder, _)) = self.behind_prefix(key).and_then(unknown_folder) else {
            return;
        };
        if self.by_folder.contains_key(folder) {
            return;
        }
        let Ok(folder) = std::str::from_utf8(folder) else {
            return;
        };
        // A damaged object describes nothing.
        let is_named = |meta: &Meta<'_>| {
            NameField::Kind.allows(&meta.kind) && NameField::ApiVersion.allows(&meta.api_version)
        };
        let Some(meta) = Meta::read(value).filter(is_named) else {
            return;
        };
        if is_secret_key(key) && meta.kind != "Secret" {
            return;
        }
        let plural = folder.rsplit('/').next().unwrap_or(folder);
        let (group, version) = meta
            .api_version
            .rsplit_once('/')
            .unwrap_or(("", &meta.api_version));
        let folder = folder.to_owned();
        self.add(Resource {
            groups: vec![group.to_owned().into()],
            kind: meta.kind.clone().into_owned().into(),
            plural: plural.to_owned().into(),
            singular: meta.kind.to_lowercase().into(),
            short_names: Vec::new(),
            namespaced: !meta.namespace.is_empty(),
            folder: folder.into(),
            in_all: false,
            versions: vec![version.to_owned()],
        });
    }
}

/// The ways to cut what stands behind the prefix into a folder (of one segment or two) and the rest.
fn folders_of(rest: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let slashes = rest
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .map(|(place, _)| place)
        .take(2);
    slashes.filter_map(|slash| {
        let (folder, inside) = rest.split_at_checked(slash)?;
        let inside = inside.get(1..).filter(|inside| !inside.is_empty())?;
        Some((folder, inside))
    })
}

/// The folder of a key of an unknown resource: with its group, where that looks like one.
fn unknown_folder(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut ways = folders_of(rest);
    let first = ways.next()?;
    if first.0.contains(&b'.') {
        ways.next()
    } else {
        Some(first)
    }
}

/// The resource that a CustomResourceDefinition defines, in any of its versions.
fn defined_by(definition: &Value) -> Option<Resource> {
    let spec = definition.get("spec")?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let group = text(spec.get("group"))?;
    let names = spec.get("names")?;
    let list = |name: &str| {
        let list = names.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|item| item.as_str().map(str::to_owned))
    };
    let plural = text(names.get("plural"))?;
    let kind = text(names.get("kind"))?;
    let singular = text(names.get("singular")).filter(|name| !name.is_empty());
    let mut versions: Vec<String> = spec
        .get("versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|version| text(version.get("name")))
        .collect();
    versions.extend(text(spec.get("version")).filter(|version| !versions.contains(version)));
    Some(Resource {
        folder: format!("{group}/{plural}").into(),
        groups: vec![Cow::Owned(group)],
        singular: singular.unwrap_or_else(|| kind.to_lowercase()).into(),
        kind: kind.into(),
        plural: plural.into(),
        short_names: list("shortNames").map(Cow::Owned).collect(),
        namespaced: spec.get("scope").and_then(Value::as_str) != Some("Cluster"),
        in_all: list("categories").any(|category| category == "all"),
        versions,
    })
}

/// A definition without what nobody asks a catalog for: the schemas are nearly all of it, and a cluster
/// may have thousands of definitions.
fn without_schemas(mut definition: Value) -> Value {
    let Some(spec) = definition.get_mut("spec").map(Value::take) else {
        return Value::Null;
    };
    let Value::Object(mut spec) = spec else {
        return Value::Null;
    };
    spec.remove("validation");
    let versions = spec.get_mut("versions").and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten() {
        if let Some(version) = version.as_object_mut() {
            version.remove("schema");
        }
    }
    serde_json::json!({"spec": spec})
}

/// How many first segments of keys may turn out to be prefixes.
const MOST_ROOTS: usize = 64;
/// How many values under a first segment are looked at before it is no prefix.
const MOST_TRIES: u8 = 8;

/// Finds the prefixes and the definitions of custom resources in one pass over the records.
#[derive(Debug, Default)]
pub struct Survey {
    /// First segments, with the slash before: Kubernetes' or not, and how many values were tried.
    roots: HashMap<Vec<u8>, (bool, u8)>,
    /// What stands before `/namespaces/NAME` where a Namespace is.
    prefixes: Vec<Vec<u8>>,
}

/// The folder of the definitions, the last before the name.
const DEFINITIONS: &[u8] = b"customresourcedefinitions";

impl Survey {
    /// Whether a key is that of a CustomResourceDefinition.
    pub fn is_definition(key: &[u8]) -> bool {
        key.rsplit(|byte| *byte == b'/').nth(1) == Some(DEFINITIONS)
    }

    /// Looks at the value of a key.
    pub fn look(&mut self, key: &[u8], value: &[u8]) {
        self.look_at_root(key, value);
        let mut segments = key.rsplitn(3, |byte| *byte == b'/');
        let (_, folder, before) = (segments.next(), segments.next(), segments.next());
        if folder == Some(b"namespaces")
            && let Some(prefix) = before.filter(|prefix| !prefix.is_empty())
            && !self.prefixes.iter().any(|known| known == prefix)
            && self.prefixes.len() < MOST_ROOTS
            && Meta::read(value).is_some_and(|meta| meta.kind == "Namespace")
        {
            self.prefixes.push(prefix.to_vec());
        }
    }

    fn look_at_root(&mut self, key: &[u8], value: &[u8]) {
        let Some(path) = key.strip_prefix(b"/") else {
            return;
        };
        let Some(end) = path.iter().position(|byte| *byte == b'/') else {
            return;
        };
        let Some(root) = key.get(..=end) else {
            return;
        };
        if !self.roots.contains_key(root) && self.roots.len() < MOST_ROOTS {
            self.roots.insert(root.to_vec(), (false, 0));
        }
        let Some((is_ours, tries)) = self.roots.get_mut(root) else {
            return;
        };
        if !*is_ours && *tries < MOST_TRIES {
            *tries = tries.saturating_add(1);
            *is_ours = is_kubernetes(value);
        }
    }

    /// The catalog of what was seen, without the definitions.
    pub fn into_catalog(self) -> Catalog {
        let mut catalog = Catalog {
            holds_objects: !self.prefixes.is_empty()
                || self.roots.values().any(|(is_ours, _)| *is_ours),
            ..Catalog::default()
        };
        let roots = self.roots.into_iter().filter(|(_, (is_ours, _))| *is_ours);
        for (root, _) in roots {
            // `/a` is no prefix where `/a/registry` is one.
            let longer = |known: &Vec<u8>| known.len() > root.len() && known.starts_with(&root);
            if !self.prefixes.iter().any(longer) {
                catalog.add_prefix(root);
            }
        }
        for prefix in self.prefixes {
            catalog.add_prefix(prefix);
        }
        catalog
    }
}

/// Whether a value is an object of an API server, readable or encrypted.
fn is_kubernetes(value: &[u8]) -> bool {
    match Stored::detect(value) {
        Stored::Protobuf(_) | Stored::Encrypted(_) => true,
        Stored::Json(_) | Stored::Cbor(_) => Meta::read(value)
            .is_some_and(|meta| !meta.kind.is_empty() && !meta.api_version.is_empty()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::json;

    fn shelves() -> Value {
        json!({"spec": {"group": "library.example.com", "scope": "Namespaced",
            "names": {"plural": "shelves", "singular": "shelf", "kind": "Shelf", "shortNames": ["sh"], "categories": ["all"]},
            "versions": [{"name": "v1"}, {"name": "v1alpha1"}]}})
    }

    #[test]
    fn a_definition_is_kept_without_its_schemas() {
        let mut catalog = Catalog::default();
        let mut definition = shelves();
        let schema = json!({"openAPIV3Schema": {"type": "object"}});
        definition["metadata"] = json!({"name": "shelves", "managedFields": [{"manager": "a"}]});
        definition["spec"]["validation"] = schema.clone();
        definition["spec"]["versions"][1]["schema"] = schema;
        catalog.define(definition);
        let resource = catalog.resolve("sh")[0];
        assert_eq!(catalog.definition(resource), Some(&shelves()));
    }

    fn folders(catalog: &Catalog, word: &str) -> Vec<String> {
        let found = catalog.resolve(word).into_iter();
        found.map(|resource| resource.folder.to_string()).collect()
    }

    #[test]
    fn a_word_names_a_resource_by_plural_singular_kind_or_short_name() {
        let catalog = Catalog::default();
        for word in ["pods", "pod", "po", "Pod", "PODS", "pods.v1", "pods.v1."] {
            assert_eq!(folders(&catalog, word), ["pods"], "{word}");
        }
        for word in [
            "deploy",
            "deployments.apps",
            "deploy.v1.apps",
            "deployment.v1beta2.apps",
            "deploy.extensions",
            "deploy.v1beta1.extensions",
        ] {
            assert_eq!(folders(&catalog, word), ["deployments"], "{word}");
        }
        for word in [
            "deploy.v9.apps",
            "deploy.v1.extensions",
            "pods.apps",
            "podz",
            "",
            ".",
        ] {
            assert!(folders(&catalog, word).is_empty(), "{word}");
        }
        assert_eq!(folders(&catalog, "no"), ["minions"]);
        assert_eq!(folders(&catalog, "ep"), ["services/endpoints"]);
        assert_eq!(folders(&catalog, "endpoints"), ["services/endpoints"]);
        assert_eq!(folders(&catalog, "masterleases"), ["masterleases"]);
        assert_eq!(folders(&catalog, "events.v1.events.k8s.io"), ["events"]);
        assert!(folders(&catalog, "all").contains(&"controllers".to_owned()));
    }

    #[test]
    fn a_definition_in_the_store_makes_its_names_known() {
        let mut catalog = Catalog::default();
        assert!(folders(&catalog, "shelves").is_empty());
        catalog.define(shelves());
        for word in [
            "shelves",
            "shelf",
            "sh",
            "shelves.library.example.com",
            "sh.v1alpha1.library.example.com",
        ] {
            assert_eq!(
                folders(&catalog, word),
                ["library.example.com/shelves"],
                "{word}"
            );
        }
        assert!(folders(&catalog, "sh.v2.library.example.com").is_empty());
        assert!(folders(&catalog, "all").contains(&"library.example.com/shelves".to_owned()));
        let resource = catalog.resolve("sh")[0];
        assert_eq!(catalog.definition(resource), Some(&shelves()));
        let key = b"/registry/library.example.com/shelves/prod/top";
        let location = catalog.locate(key).unwrap();
        assert_eq!(
            (location.namespace, location.name),
            (Some(&b"prod"[..]), &b"top"[..])
        );
    }

    #[test]
    fn a_built_in_resource_comes_before_a_custom_one_of_the_same_name() {
        let mut catalog = Catalog::default();
        catalog.define(
            json!({"spec": {"group": "serving.knative.dev", "scope": "Namespaced",
            "names": {"plural": "services", "kind": "Service"}, "versions": [{"name": "v1"}]}}),
        );
        assert_eq!(folders(&catalog, "services"), ["services/specs"]);
        assert_eq!(folders(&catalog, "svc"), ["services/specs"]);
        assert_eq!(
            folders(&catalog, "services.serving.knative.dev"),
            ["serving.knative.dev/services"]
        );
    }

    #[test]
    fn a_key_tells_its_resource_namespace_and_name() {
        let catalog = Catalog::default();
        let told = |key: &'static str| {
            catalog.locate(key.as_bytes()).map(|location| {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let namespace = location.namespace.map(text).unwrap_or_default();
                (
                    location.resource.plural.to_string(),
                    namespace,
                    text(location.name),
                )
            })
        };
        let owned = |a: &str, b: &str, c: &str| Some((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(
            told("/registry/pods/shop/web-1"),
            owned("pods", "shop", "web-1")
        );
        assert_eq!(told("/registry/minions/n1"), owned("nodes", "", "n1"));
        assert_eq!(
            told("/registry/services/specs/a/b"),
            owned("services", "a", "b")
        );
        assert_eq!(
            told("/registry/services/endpoints/a/b"),
            owned("endpoints", "a", "b")
        );
        assert_eq!(
            told("/registry/apiregistration.k8s.io/apiservices/v1."),
            owned("apiservices", "", "v1.")
        );
        assert_eq!(
            told("/registry/ranges/serviceips"),
            owned("rangeallocations", "", "serviceips")
        );
        for key in [
            "/registry/pods",
            "/registry/pods/",
            "/registry/pods/shop",
            "/other/pods/shop/a",
            "pods/a/b",
            "/registry/what/a",
        ] {
            assert_eq!(told(key), None, "{key}");
        }
    }

    #[test]
    fn other_prefixes_are_found_in_the_keys_and_values() {
        let object = |kind: &str| {
            format!(r#"{{"apiVersion":"v1","kind":"{kind}","metadata":{{"name":"a"}}}}"#)
        };
        let mut survey = Survey::default();
        assert!(!Survey::default().into_catalog().holds_objects());
        survey.look(b"/clusters/a/registry/pods/x/y", object("Pod").as_bytes());
        survey.look(
            b"/clusters/a/registry/namespaces/x",
            object("Namespace").as_bytes(),
        );
        survey.look(b"/openshift.io/oauth/users/x", object("User").as_bytes());
        survey.look(b"/plain/namespaces/x", b"1");
        let catalog = survey.into_catalog();
        assert!(catalog.holds_objects());
        let prefixes: Vec<_> = catalog
            .prefixes()
            .map(|p| String::from_utf8(p.to_vec()).unwrap())
            .collect();
        assert_eq!(
            prefixes,
            ["/clusters/a/registry", "/openshift.io", "/registry"]
        );
        assert!(catalog.locate(b"/clusters/a/registry/pods/x/y").is_some());
        assert_eq!(
            catalog.folders(catalog.resolve("po")[0])[0],
            b"/clusters/a/registry/pods/"
        );
    }

    #[test]
    fn a_folder_that_nobody_defines_is_learnt_from_an_object_in_it() {
        let mut catalog = Catalog::default();
        let route = br#"{"apiVersion":"route.openshift.io/v1","kind":"Route","metadata":{"name":"a","namespace":"shop"}}"#;
        catalog.learn(b"/registry/routes/shop/a", route);
        assert_eq!(folders(&catalog, "route"), ["routes"]);
        assert_eq!(folders(&catalog, "routes.route.openshift.io"), ["routes"]);
        assert_eq!(
            catalog
                .locate(b"/registry/routes/shop/b")
                .unwrap()
                .namespace,
            Some(&b"shop"[..])
        );
        catalog.learn(
            b"/registry/x.example.com/things/shop/a",
            &route.replace_kind(),
        );
        assert_eq!(folders(&catalog, "things"), ["x.example.com/things"]);
        catalog.learn(b"/registry/numbers/1", b"1");
        assert!(folders(&catalog, "numbers").is_empty());
    }

    trait ReplaceKind {
        fn replace_kind(&self) -> Vec<u8>;
    }
    impl ReplaceKind for [u8] {
        fn replace_kind(&self) -> Vec<u8> {
            String::from_utf8(self.to_vec())
                .unwrap()
                .replace("Route\"", "Thing\"")
                .into_bytes()
        }
    }

    #[test]
    fn a_misspelt_resource_has_near_ones() {
        let catalog = Catalog::default();
        assert_eq!(
            catalog.near("podz").first().map(String::as_str),
            Some("pods")
        );
        assert_eq!(
            catalog.near("deploymnets").first().map(String::as_str),
            Some("deployments.apps")
        );
        assert!(catalog.near("qqqqqq").is_empty());
        let mut catalog = Catalog::default();
        let mut long = shelves();
        long["spec"]["names"]["plural"] = "q".repeat(257).into();
        catalog.define(long);
        assert!(catalog.near(&"q".repeat(256)).is_empty());
    }
}
