//! Keys of Kubernetes objects as short addresses: `secret/shop/a` for `/registry/secrets/shop/a`.
//!
//! A short address is used only where it can be typed again and names the same key, so a table of short addresses
//! loses nothing: its type names one resource, and nothing in it needs an escape. Any other key is left whole.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::k8s::catalog::Catalog;
use crate::k8s::resource::Resource;

/// The short addresses of one store's keys.
#[derive(Debug)]
pub struct ShortAddresses<'c> {
    catalog: &'c Catalog,
    /// Objects under two prefixes share their short addresses.
    has_one_prefix: bool,
    /// The word for each resource, by its folder; none if no word names it alone.
    words: RefCell<HashMap<&'c str, Option<String>>>,
}

impl<'c> ShortAddresses<'c> {
    /// Those of the keys that this catalog covers.
    #[must_use]
    pub fn new(catalog: &'c Catalog) -> Self {
        Self {
            catalog,
            has_one_prefix: catalog.prefixes().count() == 1,
            words: RefCell::default(),
        }
    }

    /// `TYPE/NAMESPACE/NAME` or `TYPE/NAME`; none for a key that has no short address.
    #[must_use]
    pub fn of_key(&self, key: &[u8]) -> Option<String> {
        if !self.has_one_prefix {
            return None;
        }
        let location = self.catalog.locate(key)?;
        let is_usual = location.identity.is_none()
            && location.cluster.is_none()
            && location.namespace.is_some() == location.resource.namespaced;
        if !is_usual {
            return None;
        }
        let mut words = self.words.borrow_mut();
        let word = words
            .entry(&location.resource.folder)
            .or_insert_with(|| word(location.resource, self.catalog))
            .as_ref()?;
        let name = plain(location.name)?;
        match location.namespace {
            Some(namespace) => Some(format!("{word}/{}/{name}", plain(namespace)?)),
            None => Some(format!("{word}/{name}")),
        }
    }
}

/// The shortest word that names this resource and its folder alone.
fn word(resource: &Resource, catalog: &Catalog) -> Option<String> {
    let names = [
        resource.singular.to_lowercase(),
        format!("{}.{}", resource.singular.to_lowercase(), resource.group()),
        resource.plural_with_group(),
    ];
    let is_alone = |name: &String| matches!(catalog.resolve(name).as_slice(), [only] if only.folder == resource.folder);
    let has_one_folder = catalog.folders(resource).len() == 1;
    names.into_iter().find(is_alone).filter(|_| has_one_folder)
}

/// A name as text, if it can be typed as it is: without escapes and quotes.
fn plain(name: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:".contains(byte);
    let text = std::str::from_utf8(name).ok()?;
    (!name.is_empty() && name.iter().all(is_plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(catalog: &Catalog, key: &str) -> Option<String> {
        ShortAddresses::new(catalog).of_key(key.as_bytes())
    }

    #[test]
    fn a_key_is_its_type_namespace_and_name() {
        let catalog = Catalog::default();
        for (key, expected) in [
            ("/registry/secrets/shop/a", Some("secret/shop/a")),
            ("/registry/pods/shop/web-1", Some("pod/shop/web-1")),
            ("/registry/minions/n1", Some("node/n1")),
            (
                "/registry/services/specs/shop/web",
                Some("service/shop/web"),
            ),
            (
                "/registry/deployments/shop/web",
                Some("deployment/shop/web"),
            ),
            (
                "/registry/clusterroles/system:node",
                Some("clusterrole/system:node"),
            ),
            ("/registry/pods/shop/a/b", None),
            ("/registry/pods/shop/a b", None),
            ("/registry/pods/shop/a@3", None),
            ("/registry/pods/web-1", None),
            ("/other/pods/shop/a", None),
            ("compact_rev_key", None),
        ] {
            assert_eq!(short(&catalog, key).as_deref(), expected, "{key}");
        }
    }

    #[test]
    fn two_resources_of_one_name_have_their_groups() {
        let mut catalog = Catalog::default();
        for group in ["a.io", "b.io"] {
            catalog.define(serde_json::json!({"spec": {"group": group, "scope": "Namespaced",
                "names": {"plural": "things", "singular": "thing", "kind": "Thing"}, "versions": [{"name": "v1"}]}}));
        }
        assert_eq!(
            short(&catalog, "/registry/b.io/things/shop/x").as_deref(),
            Some("thing.b.io/shop/x")
        );
    }
}
