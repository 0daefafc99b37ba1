//! Maps addresses to keys, and keys to resources, for the resources of one store.
//!
//! A catalog has three sources. Built-in resources are in a table. Custom resources are defined by the
//! CustomResourceDefinitions in the store. All other resources (of an aggregated API server, or of Calico) are inferred
//! from stored objects, see [`Catalog::learn`].
//!
//! The prefix of keys is `/registry`, unless the API server has another one (`--etcd-prefix`). OpenShift uses
//! `/kubernetes.io` and `/openshift.io`; Calico without an API server uses `/calico`.

mod definitions;
mod key_folders;
mod layout;
mod learn;
mod survey;

use std::borrow::Cow;

use serde_json::Value;

use super::resource::{Resource, builtin, openshift, openshift_defined};
use crate::arrange::Arrange as _;
use crate::fast_map::FastMap;
use crate::near;
use definitions::Definitions;
use layout::{DEEPEST, cuts};

pub use key_folders::KeyFolders;
pub use layout::Layout;
pub use survey::{Settled, Survey};

/// The default prefix of an API server.
const DEFAULT_PREFIX: &[u8] = b"/registry";
/// The prefix under which OpenShift's API server stores its own types.
const OPENSHIFT_PREFIX: &[u8] = b"/openshift.io";
/// The maximal number of segments in the folder of a resource, unless objects in a deeper folder are found.
const USUAL_DEPTH: usize = 2;

/// The resources of a store.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The prefixes without the slash after them; longer ones first.
    prefixes: Vec<Vec<u8>>,
    resources: Vec<Resource>,
    by_folder: FastMap<Vec<u8>, Folder>,
    /// The first resource of each `GROUP/KIND`.
    by_kind: FastMap<String, usize>,
    /// Further folders of resources that have more than one.
    more_folders: FastMap<usize, Vec<Vec<u8>>>,
    /// The number of segments in the deepest folder.
    deepest: usize,
    /// The definitions of custom resources, by their place in `resources`.
    definitions: Definitions,
    holds_objects: bool,
    /// Whether objects are in folders that were inferred from the objects.
    has_other_layout: bool,
    /// Whether the objects were written without an API server, so that built-in resources have no precedence.
    lacks_builtin: bool,
    /// Whether keys were seen of more than one logical cluster.
    has_several_clusters: bool,
}

/// A folder of objects.
#[derive(Debug, Clone, Copy)]
struct Folder {
    /// The index of its resource.
    resource: usize,
    /// Whether a logical cluster follows the folder in keys.
    has_clusters: bool,
}

impl Default for Catalog {
    fn default() -> Self {
        let mut catalog = Self {
            prefixes: vec![DEFAULT_PREFIX.to_vec()],
            resources: Vec::new(),
            by_folder: FastMap::default(),
            by_kind: FastMap::default(),
            more_folders: FastMap::default(),
            deepest: USUAL_DEPTH,
            definitions: Definitions::default(),
            holds_objects: false,
            has_other_layout: false,
            lacks_builtin: false,
            has_several_clusters: false,
        };
        for resource in builtin() {
            catalog.add(resource);
        }
        catalog
    }
}

/// The parts of the key of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'c, 'k> {
    /// Its resource.
    pub resource: &'c Resource,
    /// The identity of the export to which the type is bound; only in kcp.
    pub identity: Option<&'k [u8]>,
    /// The logical cluster; only in kcp.
    pub cluster: Option<&'k [u8]>,
    /// The namespace; None if the resource is cluster-scoped.
    pub namespace: Option<&'k [u8]>,
    /// The name; it may contain slashes.
    pub name: &'k [u8],
}

/// The name of a logical cluster of kcp; none outside of kcp.
pub type ClusterName = Option<Box<[u8]>>;

/// A namespace, with its logical cluster: in kcp another cluster may have one of the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace {
    /// Its logical cluster; only kcp has them.
    pub cluster: ClusterName,
    /// Its name.
    pub name: Box<[u8]>,
}

impl Location<'_, '_> {
    /// The namespace that the object is in; none if its resource has none.
    pub fn namespace_of(&self) -> Option<Namespace> {
        self.in_cluster(self.namespace?)
    }

    /// The namespace that the object is; none of any other kind.
    pub fn as_namespace(&self) -> Option<Namespace> {
        if self.is_namespace() {
            self.in_cluster(self.name)
        } else {
            None
        }
    }

    /// Whether the object is a namespace.
    pub fn is_namespace(&self) -> bool {
        self.resource.plural == "namespaces" && self.resource.group().is_empty()
    }

    fn in_cluster(&self, name: &[u8]) -> Option<Namespace> {
        Some(Namespace {
            cluster: self.cluster.map(Into::into),
            name: name.into(),
        })
    }
}

impl Catalog {
    /// The prefixes of objects' keys, without the slash after them.
    pub fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.prefixes.iter().map(Vec::as_slice)
    }

    /// Whether any value in the store looks like a value of an API server.
    pub fn holds_objects(&self) -> bool {
        self.holds_objects
    }

    /// All resources, the built-in ones first.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The definition of a custom resource, without the schemas of its versions; the first if logical clusters have
    /// several.
    pub fn definition(&self, resource: &Resource) -> Option<&Value> {
        self.definitions.first(self.place_in_list(resource)?)
    }

    /// The definition of the custom resource of an object, as its logical cluster has it.
    pub fn definition_of(&self, location: &Location<'_, '_>) -> Option<&Value> {
        let place = self.place_in_list(location.resource)?;
        self.definitions.of(place, location)
    }

    /// The place of a resource in the list of all.
    fn place_in_list(&self, resource: &Resource) -> Option<usize> {
        let folder = self.by_folder.get(resource.folder.as_bytes())?;
        Some(folder.resource)
    }

    /// Adds the resource that a stored CustomResourceDefinition defines.
    pub fn define(&mut self, definition: Value) {
        self.define_in(None, definition);
    }

    /// Adds the resource that the definition under a key defines, for the logical cluster of the key.
    pub fn define_by(&mut self, key: &[u8], definition: Value) {
        self.define_in(Survey::cluster_of_definition(key), definition);
    }

    fn define_in(&mut self, cluster: Option<&[u8]>, definition: Value) {
        let Some(resource) = defined_by(&definition) else {
            return;
        };
        // A folder that is not a defined resource's keeps its own.
        let folder = resource.folder.as_bytes();
        let known = self.by_folder.get(folder).map(|known| known.resource);
        let known = known.filter(|known| self.definitions.has(*known));
        let place = match known {
            Some(known) => Some(known),
            None => self.add(resource),
        };
        if let Some(place) = place {
            let definition = without_schemas(definition);
            self.definitions.add(place, cluster, definition);
        }
    }

    /// Whether keys of more than one logical cluster were seen.
    pub fn has_several_clusters(&self) -> bool {
        self.has_several_clusters
    }

    /// Whether keys have logical clusters.
    pub fn has_clusters(&self) -> bool {
        self.by_folder.values().any(|folder| folder.has_clusters)
    }

    /// Notes that keys of more than one logical cluster were seen.
    pub fn set_several_clusters(&mut self) {
        self.has_several_clusters = true;
    }

    /// Adds the resources and prefixes of another catalog, for a question about two stores.
    pub fn merge(&mut self, other: Self) {
        self.holds_objects |= other.holds_objects;
        self.has_other_layout |= other.has_other_layout;
        self.lacks_builtin |= other.lacks_builtin;
        self.has_several_clusters |= other.has_several_clusters;
        for prefix in other.prefixes {
            if prefix == OPENSHIFT_PREFIX && !self.prefixes.contains(&prefix) {
                self.add_openshift();
            }
            self.add_prefix(prefix);
        }
        let mut definitions = other.definitions;
        let mut own_folders = Vec::new();
        for (place, resource) in other.resources.into_iter().enumerate() {
            let folder = resource.folder.clone();
            let added = self.add(resource);
            let known = self.by_folder.get(folder.as_bytes());
            let known = known.map(|known| known.resource);
            let known = known.filter(|known| self.definitions.has(*known));
            if let Some(here) = added.or(known) {
                self.definitions.extend(here, &mut definitions, place);
            }
            own_folders.push(folder);
        }
        for (name, folder) in other.by_folder {
            let own = own_folders.get(folder.resource);
            let here = own.and_then(|own| self.by_folder.get(own.as_bytes()));
            if let Some(here) = here.map(|here| here.resource) {
                self.add_folder(name, here, folder.has_clusters);
            }
        }
    }

    /// Adds a resource and returns its index; None if its folder has a resource already.
    fn add(&mut self, resource: Resource) -> Option<usize> {
        let folder = resource.folder.as_bytes().to_vec();
        if self.by_folder.contains_key(&folder) {
            return None;
        }
        let place = self.resources.len();
        for group in &resource.groups {
            let kind = kind_key(group, &resource.kind);
            self.by_kind.entry(kind).or_insert(place);
        }
        self.resources.push(resource);
        self.add_folder(folder, place, false);
        Some(place)
    }

    /// Adds a folder of a resource, or the fact that its keys have logical clusters.
    fn add_folder(&mut self, name: Vec<u8>, resource: usize, has_clusters: bool) {
        if let Some(known) = self.by_folder.get_mut(&name) {
            known.has_clusters |= has_clusters;
            return;
        }
        let depth = name.split(|byte| *byte == b'/').count();
        self.deepest = self.deepest.max(depth.min(DEEPEST));
        let own = self.resources.get(resource);
        if own.is_some_and(|own| own.folder.as_bytes() != name) {
            self.more_folders
                .entry(resource)
                .or_default()
                .push(name.clone());
        }
        let folder = Folder {
            resource,
            has_clusters,
        };
        self.by_folder.insert(name, folder);
    }

    /// Adds the resources of OpenShift.
    fn add_openshift(&mut self) {
        for resource in openshift() {
            self.add(resource);
        }
        // OpenShift's API server presents each namespace as a project.
        let is_namespaces = |resource: &&mut Resource| resource.folder == "namespaces";
        if let Some(namespaces) = self.resources.iter_mut().find(is_namespaces) {
            let names = ["projects", "project"].map(Cow::Borrowed);
            namespaces.short_names.extend(names);
        }
    }

    /// Adds the types that OpenShift defines by CustomResourceDefinitions, as far as they have short names, if the store
    /// is OpenShift's and has no such definition.
    pub fn complete(&mut self) {
        if self
            .prefixes
            .iter()
            .any(|prefix| prefix == OPENSHIFT_PREFIX)
        {
            for resource in openshift_defined() {
                self.add(resource);
            }
        }
    }

    fn add_prefix(&mut self, prefix: Vec<u8>) {
        if !self.prefixes.contains(&prefix) {
            self.prefixes.push(prefix);
            self.prefixes
                .arrange_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        }
    }

    /// The part of a key after the prefix and its slash.
    fn after_prefix<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        self.prefixes
            .iter()
            .find_map(|prefix| key.strip_prefix(prefix.as_slice())?.strip_prefix(b"/"))
    }

    /// The resource and the parts of a key; None if it is in no known folder.
    pub fn locate<'k>(&self, key: &'k [u8]) -> Option<Location<'_, 'k>> {
        let rest = self.after_prefix(key)?;
        cuts(rest, self.deepest).find_map(|(folder, inside)| {
            let folder = self.by_folder.get(folder)?;
            let resource = self.resources.get(folder.resource)?;
            let parts = layout_of(resource, *folder).parts(inside)?;
            Some(Location {
                resource,
                identity: parts.identity,
                cluster: parts.cluster,
                namespace: parts.namespace,
                name: parts.name,
            })
        })
    }

    /// The folders of a resource with prefix and final slash, each with the layout of the rest of its keys.
    pub fn folders(&self, resource: &Resource) -> Vec<(Vec<u8>, Layout)> {
        let own = resource.folder.as_bytes();
        let place = self.by_folder.get(own).map(|folder| folder.resource);
        let more = place.and_then(|place| self.more_folders.get(&place));
        let mut names: Vec<&[u8]> = more.into_iter().flatten().map(Vec::as_slice).collect();
        names.sort_unstable();
        names.insert(0, own);
        let mut folders = Vec::new();
        for prefix in &self.prefixes {
            for name in &names {
                let Some(folder) = self.by_folder.get(*name) else {
                    continue;
                };
                let path = [prefix.as_slice(), b"/", *name, b"/"].concat();
                folders.push((path, layout_of(resource, *folder)));
            }
        }
        folders
    }

    /// Whether objects are in folders that were inferred from the objects. Then a name of a built-in resource may also
    /// refer to these objects.
    pub fn has_other_layout(&self) -> bool {
        self.has_other_layout
    }

    /// The resources that a word refers to: a plural, a singular, a kind or a short name, optionally followed by `.GROUP` or
    /// `.VERSION.GROUP`; or `all`. Without a group, a built-in resource takes precedence over a custom one with the same
    /// name. Empty if there is none.
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
            return match first.filter(|first| is_builtin(first) && !self.lacks_builtin) {
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

    /// The names most similar to a word that no resource has, the most similar first.
    pub fn near(&self, word: &str) -> Vec<String> {
        /// A name that is less similar than this is not suggested.
        const ALIKE: f64 = 0.7;
        /// Shorter names are similar to too many words.
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
}

/// The layout of the keys in a folder.
fn layout_of(resource: &Resource, folder: Folder) -> Layout {
    Layout {
        namespaced: resource.namespaced,
        has_clusters: folder.has_clusters,
    }
}

/// The key of a kind in [`Catalog::by_kind`].
fn kind_key(group: &str, kind: &str) -> String {
    format!("{group}/{kind}")
}

/// The resource that a CustomResourceDefinition defines, with all its versions.
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

/// A definition without the parts that a catalog does not need. The schemas are most of a definition, and a cluster may
/// have thousands of definitions.
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
    fn a_stored_definition_makes_its_names_known() {
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
    fn a_built_in_resource_takes_precedence_over_a_custom_one_with_the_same_name() {
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
    fn a_key_gives_its_resource_namespace_and_name() {
        let catalog = Catalog::default();
        let located = |key: &'static str| {
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
            located("/registry/pods/shop/web-1"),
            owned("pods", "shop", "web-1")
        );
        assert_eq!(located("/registry/minions/n1"), owned("nodes", "", "n1"));
        assert_eq!(
            located("/registry/services/specs/a/b"),
            owned("services", "a", "b")
        );
        assert_eq!(
            located("/registry/services/endpoints/a/b"),
            owned("endpoints", "a", "b")
        );
        assert_eq!(
            located("/registry/apiregistration.k8s.io/apiservices/v1."),
            owned("apiservices", "", "v1.")
        );
        assert_eq!(
            located("/registry/ranges/serviceips"),
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
            assert_eq!(located(key), None, "{key}");
        }
    }

    #[test]
    fn other_prefixes_are_found_from_keys_and_values() {
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
            catalog.folders(catalog.resolve("po")[0])[0].0,
            b"/clusters/a/registry/pods/"
        );
    }

    #[test]
    fn an_undefined_folder_is_learnt_from_an_object_in_it() {
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
