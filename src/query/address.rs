//! One address: a key, a prefix, or objects of resources.

use std::ffi::OsStr;

use crate::arrange::Arrange as _;
use crate::k8s::catalog::{Catalog, Layout};
use crate::k8s::resource::Resource;
use crate::named::key_text;

use super::glob::{Glob, Globs};
use super::scope::Scope;

/// The keys that a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// This key.
    Key(Vec<u8>),
    /// Every key that starts with these bytes.
    Prefix(Vec<u8>),
    /// Objects of Kubernetes.
    Objects(ObjectSet),
}

/// An escape in `key:TEXT` that does not exist; the word as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEscape(pub Vec<u8>);

/// Objects of one or several resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSet {
    /// As it can be typed: `pods`, `pods,services`, `deploy.apps`.
    pub types: String,
    /// The folders that have these objects, sorted by their bytes so that a binary search finds one. There may be as
    /// many folders as keys, because each CRD in the file defines one.
    places: Vec<Place>,
    /// Length of the longest folder, in bytes.
    longest_folder: usize,
    /// The name of one object, or a pattern of names, as typed.
    pub name: Option<String>,
    /// The namespaces as typed, if any were named.
    pub namespace: Option<String>,
    /// The logical clusters as typed, if any were named.
    pub cluster: Option<String>,
    /// `name` as a pattern. None: every name.
    names: Option<Glob>,
    /// The namespaces and logical clusters that they have to be in.
    scope: Box<Scope>,
}

/// A folder of objects: the part of a key up to the namespace or the name, such as `/registry/pods/`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// The bytes, with the slash at the end.
    folder: Vec<u8>,
    /// Which parts follow it in a key: cluster, namespace, name.
    layout: Layout,
    /// The index in the order in which the types were named, from 0. Answers are sorted by it.
    order: usize,
}

impl ObjectSet {
    /// The objects of some resources.
    pub fn new(types: &str, resources: &[&Resource], catalog: &Catalog, scope: &Scope) -> Self {
        let mut places: Vec<Place> = resources
            .iter()
            .flat_map(|resource| catalog.folders(resource))
            .enumerate()
            .map(|(order, (folder, layout))| Place {
                folder,
                layout,
                order,
            })
            .collect();
        // The sort is stable: if a type is named twice (`pods,po`), the first index is kept.
        places.arrange_by(|a, b| a.folder.cmp(&b.folder));
        places.dedup_by(|next, kept| next.folder == kept.folder);
        let lengths = places.iter().map(|place| place.folder.len());
        Self {
            types: types.to_owned(),
            longest_folder: lengths.max().unwrap_or_default(),
            places,
            name: None,
            namespace: scope.namespaces.as_ref().map(Globs::text),
            cluster: scope.clusters.as_ref().map(Globs::text),
            names: None,
            scope: Box::new(scope.clone()),
        }
    }

    /// The same objects, narrowed to one name or to a pattern of names.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            names: Some(Glob::parse(name)),
            ..self.clone()
        }
    }

    /// Whether all of these resources are namespaced.
    pub fn is_namespaced(&self) -> bool {
        self.places.iter().all(|place| place.layout.namespaced)
    }

    /// The same objects, narrowed to one namespace or to a pattern of namespaces.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        let namespaces = Globs::parse(&[namespace.to_owned()]);
        Self {
            namespace: namespaces.as_ref().map(Globs::text),
            scope: Box::new(Scope {
                namespaces,
                clusters: self.scope.clusters.clone(),
            }),
            ..self.clone()
        }
    }

    /// The index of the named type that covers a key. None if the key is not one of these objects.
    ///
    /// A folder ends at a slash of the key, so the start of the key up to each slash is looked up. If folders are
    /// nested, the type that was named first counts.
    pub fn place_of(&self, key: &[u8]) -> Option<usize> {
        let key_start = key.get(..self.longest_folder).unwrap_or(key);
        let slashes = key_start.iter().enumerate().filter(|(_, b)| **b == b'/');
        slashes
            .filter_map(|(slash, _)| {
                let (folder, inside) = key.split_at_checked(slash.checked_add(1)?)?;
                let by_folder = |place: &Place| place.folder.as_slice().cmp(folder);
                let index = self.places.binary_search_by(by_folder).ok()?;
                let place = self.places.get(index)?;
                self.is_inside(place, inside).then_some(place.order)
            })
            .min()
    }

    /// Whether `inside`, the part of a key after the folder, has a name, namespace and cluster that are asked for.
    fn is_inside(&self, place: &Place, inside: &[u8]) -> bool {
        let Some(parts) = place.layout.parts(inside) else {
            return false;
        };
        let is_name = match &self.names {
            Some(names) => names.matches(parts.name),
            None => !parts.name.is_empty(),
        };
        // A cluster-scoped object has no namespace, so a filter for namespaces does not exclude it.
        is_name
            && self.scope.has_cluster(parts.cluster)
            && parts
                .namespace
                .is_none_or(|namespace| self.scope.has_namespace(namespace))
    }

    /// All objects of the same types, without the name, the namespaces and the clusters: a message about an object that
    /// does not exist looks among them for a similar name.
    #[must_use]
    pub fn widened(&self) -> Self {
        Self {
            name: None,
            namespace: None,
            cluster: None,
            names: None,
            scope: Box::default(),
            ..self.clone()
        }
    }

    /// The namespaces and logical clusters that they have to be in.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// As it can be typed: `pods/web-1 -n shop`.
    fn text(&self) -> String {
        let mut text = self.types.clone();
        if let Some(name) = &self.name {
            text.push('/');
            text.push_str(name);
        }
        if let Some(namespace) = &self.namespace {
            text.push_str(" -n ");
            text.push_str(namespace);
        }
        if let Some(cluster) = &self.cluster {
            text.push_str(" --cluster ");
            text.push_str(cluster);
        }
        text
    }
}

/// How much of a key a message shows.
const SHOWN_CHARACTERS: usize = 300;

/// The mark before a raw key: one that would otherwise be read as a resource, or that has bytes written as escapes.
pub(super) const KEY_MARK: &str = "key:";

impl Address {
    /// A raw key; a prefix ends in `/`.
    pub fn raw(bytes: Vec<u8>) -> Self {
        if bytes.ends_with(b"/") {
            Self::Prefix(bytes)
        } else {
            Self::Key(bytes)
        }
    }

    /// The raw key or prefix of a word that starts with `/`, or with `key:`. After `key:` it may contain escapes. None
    /// if the word starts with neither: it may be a resource.
    ///
    /// # Errors
    /// When an escape does not exist.
    pub fn surely_raw(word: &OsStr) -> Result<Option<Self>, BadEscape> {
        let bytes = word.as_encoded_bytes();
        if bytes.starts_with(b"/") {
            return Ok(Some(Self::raw(bytes.to_vec())));
        }
        let Some(escaped) = bytes.strip_prefix(KEY_MARK.as_bytes()) else {
            return Ok(None);
        };
        let key = unescape(escaped).ok_or_else(|| BadEscape(bytes.to_vec()))?;
        Ok(Some(Self::raw(key)))
    }

    /// Whether a key is the named one, starts with the prefix, or is one of the objects.
    pub fn covers(&self, key: &[u8]) -> bool {
        match self {
            Self::Key(name) => name == key,
            Self::Prefix(prefix) => key.starts_with(prefix),
            Self::Objects(objects) => objects.place_of(key).is_some(),
        }
    }

    /// The index of the named type that covers a key. For a raw key or prefix it is 0. None if the address does not
    /// cover the key.
    pub fn place_of(&self, key: &[u8]) -> Option<usize> {
        match self {
            Self::Objects(objects) => objects.place_of(key),
            _ => self.covers(key).then_some(0),
        }
    }

    /// Whether it names exactly one key, or one object name that is no pattern.
    pub fn names_one(&self) -> bool {
        match self {
            Self::Key(_) => true,
            Self::Prefix(_) => false,
            Self::Objects(objects) => objects.names.as_ref().is_some_and(Glob::is_one),
        }
    }

    /// As it can be typed, for a message. It is quoted if it is empty or has blanks at an end, and cut if it is long.
    pub fn text(&self) -> String {
        let text = match self {
            Self::Key(bytes) | Self::Prefix(bytes) => key_text(bytes).into_owned(),
            Self::Objects(objects) => objects.text(),
        };
        if text.chars().count() > SHOWN_CHARACTERS {
            return text
                .chars()
                .take(SHOWN_CHARACTERS)
                .chain("...".chars())
                .collect();
        }
        if text.is_empty() || text.trim() != text {
            format!("\"{text}\"")
        } else {
            text
        }
    }
}

/// The bytes of a text with escapes (`\n`, `\x1f`). None if an escape does not exist or is cut off.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'\\' => b'\\',
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b's' => b' ',
            b'0' => 0,
            b'"' => b'"',
            b'\'' => b'\'',
            b'/' => b'/',
            b'x' => {
                let digits = [*rest.next()?, *rest.next()?];
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_a_prefix() {
        let raw = |text: &str| Address::surely_raw(OsStr::new(text)).unwrap().unwrap();
        assert_eq!(
            raw("/registry/pods/"),
            Address::Prefix(b"/registry/pods/".to_vec())
        );
        assert!(raw("/a/").covers(b"/a/b"));
        assert!(!raw("/a").covers(b"/a/b"));
    }

    #[test]
    fn any_byte_can_be_typed_behind_the_mark() {
        let raw = |text: &str| Address::surely_raw(OsStr::new(text)).ok().flatten();
        assert_eq!(
            raw(r"key:\xff\x00a\\\n"),
            Some(Address::Key(b"\xff\0a\\\n".to_vec()))
        );
        assert_eq!(raw("key:pods"), Some(Address::Key(b"pods".to_vec())));
        assert_eq!(raw("key:pods/"), Some(Address::Prefix(b"pods/".to_vec())));
        assert_eq!(raw("pods"), None);
        for bad in [r"key:\", r"key:\x1", r"key:\xg0", r"key:\q", r"key:\x+1"] {
            assert!(Address::surely_raw(OsStr::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_type_named_first_comes_first_and_one_of_many_folders_is_found() {
        let mut catalog = Catalog::default();
        for n in 0..300 {
            catalog.define(serde_json::json!({"spec": {"group": format!("g{n}.example.com"), "scope": "Namespaced",
                "names": {"plural": "things", "kind": "Thing"}, "versions": [{"name": "v1"}]}}));
        }
        let key = |text: &str| format!("/registry/{text}").into_bytes();
        let things = ObjectSet::new(
            "things",
            &catalog.resolve("things"),
            &catalog,
            &Scope::default(),
        );
        for n in [0, 7, 299] {
            let place = things.place_of(&key(&format!("g{n}.example.com/things/shop/a")));
            assert_eq!(place, Some(n), "{n}");
        }
        assert_eq!(
            things.place_of(&key("g300.example.com/things/shop/a")),
            None
        );
        assert_eq!(things.place_of(&key("g1.example.com/things/a")), None);
        let two = [
            catalog.resolve("pods"),
            catalog.resolve("nodes"),
            catalog.resolve("po"),
        ]
        .concat();
        let two = ObjectSet::new("pods,nodes,po", &two, &catalog, &Scope::default());
        assert_eq!(two.place_of(&key("pods/shop/a")), Some(0));
        assert_eq!(two.place_of(&key("minions/a")), Some(1));
    }

    #[test]
    fn objects_are_covered_by_folder_namespace_and_name() {
        let catalog = Catalog::default();
        let of = |word: &str, namespace: Option<&str>| {
            let namespace = namespace.map(str::to_owned);
            let scope = Scope {
                namespaces: Globs::parse(namespace.as_slice()),
                ..Scope::default()
            };
            ObjectSet::new(word, &catalog.resolve(word), &catalog, &scope)
        };
        let key: &[u8] = b"/registry/pods/shop/web-1";
        assert!(Address::Objects(of("pods", None)).covers(key));
        assert!(Address::Objects(of("pods", Some("shop"))).covers(key));
        assert!(!Address::Objects(of("pods", Some("sho"))).covers(key));
        assert!(Address::Objects(of("pods", None).named("web-1")).covers(key));
        assert!(!Address::Objects(of("pods", None).named("web")).covers(key));
        assert!(!Address::Objects(of("services", None)).covers(key));
        // The cluster's objects are in no namespace, whatever is asked for.
        let node: &[u8] = b"/registry/minions/n1";
        assert!(Address::Objects(of("no", Some("shop")).named("n1")).covers(node));
        assert!(!Address::Objects(of("no", None)).covers(b"/registry/minions/"));
        let text = Address::Objects(of("po", Some("shop")).named("web-1")).text();
        assert_eq!(text, "po/web-1 -n shop");
    }
}
