//! Collects, in one pass over the records, what a catalog starts with: key prefixes and special key layouts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::{Catalog, OPENSHIFT_PREFIX};
use crate::fast_map::FastMap;
use crate::k8s::envelope::Stored;
use crate::k8s::meta::Meta;

/// The number of first key segments that are examined.
const MOST_ROOTS: usize = 64;
/// The number of values under a first segment that are examined. If none is an object, the segment is not a prefix.
const MOST_TRIES: u8 = 8;

/// The state of the pass.
#[derive(Debug, Default)]
pub struct Survey {
    /// First key segments with the slash before them: whether one has objects, and the number of values examined.
    roots: FastMap<Vec<u8>, (bool, u8)>,
    /// The parts before `/namespaces/NAME` in the keys of Namespaces.
    prefixes: Vec<Vec<u8>>,
    /// Whether keys have logical clusters, and the number of values examined.
    clusters: (bool, u8),
    /// Whether objects are in Calico's folders.
    has_calico: bool,
    settled: Arc<Settled>,
}

/// What the pass has settled so far. Most records show nothing about what is not settled, and need not be examined. One
/// core examines values, the others read this at the same time.
#[derive(Debug, Default)]
pub struct Settled {
    /// The first key segments whose values need not be examined. The unused places are at the end.
    roots: [OnceLock<Box<[u8]>>; 8],
    /// Whether the search for logical clusters has ended.
    are_clusters_settled: AtomicBool,
    has_calico: AtomicBool,
}

impl Settled {
    /// Whether [`Survey::look`] may do something with the value of a key. False remains false in the rest of the pass.
    pub fn may_need(&self, key: &[u8]) -> bool {
        let is_new = |(root, rest): (&[u8], &[u8])| {
            let mut roots = self.roots.iter().map_while(OnceLock::get);
            let is_calico = || !self.has_calico.load(Ordering::Relaxed) && rest.starts_with(CALICO);
            !roots.any(|known| **known == *root) || is_calico()
        };
        split_root(key).is_some_and(is_new)
            || before_namespace(key).is_some()
            || (!self.are_clusters_settled.load(Ordering::Relaxed) && may_have_cluster(key))
    }

    fn add_root(&self, root: &[u8]) {
        // If all places are used, the values of the root are examined to the end.
        let mut places = self.roots.iter();
        let _is_added = places.any(|place| place.set(root.into()).is_ok());
    }
}

/// The last segment of the folder of CustomResourceDefinitions.
const DEFINITIONS: &[u8] = b"customresourcedefinitions";
/// The folder of Calico's own objects, if Calico uses etcd without an API server.
const CALICO: &[u8] = b"resources/v3/projectcalico.org/";

impl Survey {
    /// Whether a key is that of a CustomResourceDefinition.
    pub fn is_definition(key: &[u8]) -> bool {
        // kcp has a logical cluster before the name.
        let mut before_name = key.rsplit(|byte| *byte == b'/').skip(1).take(2);
        before_name.any(|segment| segment == DEFINITIONS)
    }

    /// The logical cluster of the key of a CustomResourceDefinition; none outside of kcp.
    pub fn cluster_of_definition(key: &[u8]) -> Option<&[u8]> {
        let mut before_name = key.rsplit(|byte| *byte == b'/').skip(1);
        let cluster = before_name.next()?;
        let is_cluster = cluster != DEFINITIONS && before_name.next() == Some(DEFINITIONS);
        is_cluster.then_some(cluster)
    }

    /// What the pass has settled so far.
    pub fn settled(&self) -> Arc<Settled> {
        Arc::clone(&self.settled)
    }

    /// Examines the value of a key.
    pub fn look(&mut self, key: &[u8], value: &[u8]) {
        self.look_at_root(key, value);
        self.look_for_clusters(key, value);
        if let Some(prefix) = before_namespace(key)
            && !self.prefixes.iter().any(|known| known == prefix)
            && self.prefixes.len() < MOST_ROOTS
            && Meta::read(value).is_some_and(|meta| meta.kind == "Namespace")
        {
            self.prefixes.push(prefix.to_vec());
        }
    }

    /// Examines a value to find out whether the first segment of its key is a prefix of objects.
    fn look_at_root(&mut self, key: &[u8], value: &[u8]) {
        let Some((root, rest)) = split_root(key) else {
            return;
        };
        if !self.roots.contains_key(root) && self.roots.len() < MOST_ROOTS {
            self.roots.insert(root.to_vec(), (false, 0));
        }
        let Some((is_ours, tries)) = self.roots.get_mut(root) else {
            return;
        };
        if rest.starts_with(CALICO) && !self.has_calico {
            // The values of Calico's address management are stored first, and are not objects.
            self.has_calico = is_kubernetes(value);
            *is_ours |= self.has_calico;
            let has_calico = &self.settled.has_calico;
            has_calico.store(self.has_calico, Ordering::Relaxed);
        } else if !*is_ours && *tries < MOST_TRIES {
            *tries = tries.saturating_add(1);
            *is_ours = is_kubernetes(value);
            if *is_ours || *tries == MOST_TRIES {
                self.settled.add_root(root);
            }
        }
    }

    /// Examines the two layouts that every kcp server has: `PREFIX/core/RESOURCE/CLUSTER/...` and
    /// `PREFIX/GROUP/RESOURCE/customresources/CLUSTER/...`.
    fn look_for_clusters(&mut self, key: &[u8], value: &[u8]) {
        let (found, tries) = &mut self.clusters;
        if *found || *tries == MOST_TRIES || !may_have_cluster(key) {
            return;
        }
        *tries = tries.saturating_add(1);
        *found = is_kubernetes(value);
        let is_settled = *found || *tries == MOST_TRIES;
        let settled = &self.settled.are_clusters_settled;
        settled.store(is_settled, Ordering::Relaxed);
    }

    /// The catalog with what was found. The definitions are not included.
    pub fn into_catalog(self) -> Catalog {
        let ours = self.roots.values().filter(|(is_ours, _)| *is_ours).count();
        let mut catalog = Catalog {
            holds_objects: !self.prefixes.is_empty() || ours > 0,
            has_other_layout: self.clusters.0 || self.has_calico,
            lacks_builtin: self.has_calico && ours == 1 && self.prefixes.is_empty(),
            ..Catalog::default()
        };
        let roots = self.roots.into_iter().filter(|(_, (is_ours, _))| *is_ours);
        for (root, _) in roots {
            // `/a` is not a prefix if `/a/registry` is one.
            let longer = |known: &Vec<u8>| known.len() > root.len() && known.starts_with(&root);
            if !self.prefixes.iter().any(longer) {
                catalog.add_prefix(root);
            }
        }
        for prefix in self.prefixes {
            catalog.add_prefix(prefix);
        }
        if catalog.prefixes().any(|prefix| prefix == OPENSHIFT_PREFIX) {
            catalog.add_openshift();
        }
        catalog
    }
}

/// The first segment of a key with the slash before it, and what follows it and its slash.
fn split_root(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let path = key.strip_prefix(b"/")?;
    let end = memchr::memchr(b'/', path)?.saturating_add(1);
    let (root, rest) = key.split_at_checked(end)?;
    Some((root, rest.get(1..)?))
}

/// The part before `/namespaces/NAME`, if a key ends in that.
fn before_namespace(key: &[u8]) -> Option<&[u8]> {
    let (folder, _) = key.split_at_checked(memchr::memrchr(b'/', key)?)?;
    let prefix = folder.strip_suffix(b"/namespaces")?;
    (!prefix.is_empty()).then_some(prefix)
}

/// Whether a key has one of the two layouts that every kcp server has.
fn may_have_cluster(key: &[u8]) -> bool {
    let mut segments = key.split(|byte| *byte == b'/').skip(2);
    let (group, _, next) = (segments.next(), segments.next(), segments.next());
    let is_like = group == Some(b"core") || next == Some(b"customresources");
    is_like && segments.next().is_some()
}

/// Whether a value is an API server's object or is encrypted.
fn is_kubernetes(value: &[u8]) -> bool {
    match Stored::detect(value) {
        Stored::Protobuf(_) | Stored::Encrypted(_) => true,
        Stored::Json(_) | Stored::Cbor(_) => Meta::read(value)
            .is_some_and(|meta| !meta.kind.is_empty() && !meta.api_version.is_empty()),
        _ => false,
    }
}
