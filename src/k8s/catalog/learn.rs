//! Infers resources from stored objects: those of an aggregated API server, of Calico, and of kcp's logical clusters.
//!
//! The metadata of an object has its namespace, name and kind. So the end of its key, `[NAMESPACE/]NAME`, is known, and the
//! part before it is the folder. Example: the key `/registry/routes/shop/web` of a Route `web` in the namespace `shop` has
//! the folder `routes`.
//!
//! In kcp a logical cluster follows the folder: `/registry/apps/deployments/root/shop/web`. This is assumed if the last
//! segment (`root`) is not a plural of the kind, but the one before it (`deployments`) is and follows the group (`apps`).

use std::str;

use super::layout::{CUSTOM, DEEPEST};
use super::{Catalog, kind_key};
use crate::k8s::meta::Meta;
use crate::k8s::resource::{Resource, openshift};
use crate::k8s::secret_key::is_secret_key;
use crate::named::NameField;

/// The name of the core group in kcp's keys.
const CORE: &str = "core";

/// The folder of an object, from its metadata and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ObjectFolder<'k> {
    folder: &'k str,
    plural: &'k str,
    has_clusters: bool,
    /// Whether the last segment of the folder is a plural of the kind, or follows its group.
    is_certain: bool,
}

impl Catalog {
    /// Adds what an object shows about the folder of its key: a resource without a definition, another folder of a known
    /// resource, or that the folder's keys have logical clusters.
    pub fn learn(&mut self, key: &[u8], value: &[u8]) {
        let Some(rest) = self.after_prefix(key).filter(|_| self.may_learn(key)) else {
            return;
        };
        // A damaged object must not define a resource.
        let is_named = |meta: &Meta<'_>| {
            NameField::Kind.allows(&meta.kind) && NameField::ApiVersion.allows(&meta.api_version)
        };
        let Some(meta) = Meta::read(value).filter(is_named) else {
            return;
        };
        if is_secret_key(key) && meta.kind != "Secret" {
            return;
        }
        let Some(folder) = self.folder_of(rest, &meta) else {
            return;
        };
        // In a known folder, the name may contain slashes, unless the object certainly belongs to another folder.
        if self.locate(key).is_some() && !folder.is_certain {
            return;
        }
        self.add_object_folder(&folder, &meta);
    }

    /// Whether the object of a key may show something new. That is so if the key is under a prefix, but in no known
    /// folder, or if its name contains a slash there, which no name in Kubernetes does.
    pub fn may_learn(&self, key: &[u8]) -> bool {
        !self.locates_usual_name(key) && self.after_prefix(key).is_some()
    }

    /// Whether a key is in a known folder, and its name contains no slash.
    pub(super) fn locates_usual_name(&self, key: &[u8]) -> bool {
        let location = self.locate(key);
        location.is_some_and(|location| !location.name.contains(&b'/'))
    }

    /// The folder of an object. None if the key does not end in the namespace of its metadata and a name.
    fn folder_of<'k>(&self, rest: &'k [u8], meta: &Meta<'_>) -> Option<ObjectFolder<'k>> {
        let rest = str::from_utf8(rest).ok()?;
        let (before, _) = rest.rsplit_once('/')?;
        let path = match &*meta.namespace {
            "" => before,
            namespace => before.strip_suffix(namespace)?.strip_suffix('/')?,
        };
        let segments: Vec<&str> = path.split('/').take(DEEPEST.saturating_add(3)).collect();
        if segments.len() > DEEPEST.saturating_add(2) || segments.iter().any(|s| s.is_empty()) {
            return None;
        }
        let (group, _) = group_and_version(meta);
        let known = self.by_kind.get(&kind_key(group, &meta.kind));
        let known = known.and_then(|place| self.resources.get(*place));
        let is_plural = |segment: &str| {
            is_like_plural(segment, &meta.kind)
                || known.is_some_and(|resource| resource.plural == segment)
        };
        let is_group = |segment: &str| segment == group || (group.is_empty() && segment == CORE);
        let last = |back: usize| {
            let index = segments.len().checked_sub(back)?;
            segments.get(index).copied()
        };
        let follows_group = |back: usize| {
            last(back).is_some_and(is_plural) && last(back.saturating_add(1)).is_some_and(is_group)
        };
        // The number of segments between the resource and the namespace or name.
        let between: usize = if last(3).is_some() && last(2).map(str::as_bytes) == Some(CUSTOM) {
            2
        } else if last(1).is_some_and(is_plural) {
            0
        } else if follows_group(2) {
            1
        } else if follows_group(3) {
            2
        } else {
            0
        };
        let plural = last(between.saturating_add(1))?;
        let after: usize = segments
            .iter()
            .rev()
            .take(between)
            .map(|s| s.len() + 1)
            .sum();
        let folder = path.get(..path.len().checked_sub(after)?)?;
        let is_deep = folder.split('/').count() > DEEPEST;
        (!is_deep).then_some(ObjectFolder {
            folder,
            plural,
            has_clusters: between > 0,
            is_certain: between > 0
                || last(1).is_some_and(is_plural)
                || last(2).is_some_and(is_group),
        })
    }

    /// Adds a folder: to its known resource, or with a new resource for the kind of the object.
    fn add_object_folder(&mut self, place: &ObjectFolder<'_>, meta: &Meta<'_>) {
        let folder = place.folder.as_bytes().to_vec();
        if let Some(known) = self.by_folder.get_mut(&folder) {
            known.has_clusters |= place.has_clusters;
            return;
        }
        let (group, version) = group_and_version(meta);
        let namespaced = !meta.namespace.is_empty();
        let fits = |resource: &Resource| {
            let is_of_group = resource.groups.iter().any(|known| known == group);
            is_of_group && resource.kind == meta.kind && resource.namespaced == namespaced
        };
        let known = self.by_kind.get(&kind_key(group, &meta.kind)).copied();
        let is_same = |resource: &Resource| fits(resource) && resource.plural == place.plural;
        let known = known.filter(|known| self.resources.get(*known).is_some_and(is_same));
        if let Some(known) = known {
            self.add_folder(folder, known, place.has_clusters);
            return;
        }
        let resource = match openshift().find(fits) {
            Some(resource) => Resource {
                folder: place.folder.to_owned().into(),
                ..resource
            },
            None => Resource {
                groups: vec![group.to_owned().into()],
                kind: meta.kind.clone().into_owned().into(),
                plural: place.plural.to_owned().into(),
                singular: meta.kind.to_lowercase().into(),
                short_names: Vec::new(),
                namespaced,
                folder: place.folder.to_owned().into(),
                in_all: false,
                versions: vec![version.to_owned()],
            },
        };
        if let Some(added) = self.add(resource) {
            self.add_folder(folder, added, place.has_clusters);
        }
    }
}

/// Splits `apps/v1` into `apps` and `v1`.
fn group_and_version<'m>(meta: &'m Meta<'_>) -> (&'m str, &'m str) {
    meta.api_version
        .rsplit_once('/')
        .unwrap_or(("", &meta.api_version))
}

/// Whether a word may be the plural of a kind: `networkpolicies` of `NetworkPolicy`, but not `policies`.
fn is_like_plural(word: &str, kind: &str) -> bool {
    let singular = kind.to_lowercase();
    let stem = singular.strip_suffix('y').unwrap_or(&singular);
    let ending = word.strip_prefix(stem);
    ending.is_some_and(|ending| matches!(ending, "" | "s" | "es" | "ies" | "y" | "ys"))
}
