//! Collects, in one pass over the records, what a catalog starts with: key prefixes and special key layouts.

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

    /// Examines the value of a key.
    pub fn look(&mut self, key: &[u8], value: &[u8]) {
        self.look_at_root(key, value);
        self.look_for_clusters(key, value);
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

    /// Examines a value to find out whether the first segment of its key is a prefix of objects.
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
        let is_calico = key.get(root.len().saturating_add(1)..);
        let is_calico = is_calico.is_some_and(|rest| rest.starts_with(CALICO));
        if is_calico && !self.has_calico {
            // The values of Calico's address management are stored first, and are not objects.
            self.has_calico = is_kubernetes(value);
            *is_ours |= self.has_calico;
        } else if !*is_ours && *tries < MOST_TRIES {
            *tries = tries.saturating_add(1);
            *is_ours = is_kubernetes(value);
        }
    }

    /// Examines the two layouts that every kcp server has: `PREFIX/core/RESOURCE/CLUSTER/...` and
    /// `PREFIX/GROUP/RESOURCE/customresources/CLUSTER/...`.
    fn look_for_clusters(&mut self, key: &[u8], value: &[u8]) {
        let (found, tries) = &mut self.clusters;
        if *found || *tries == MOST_TRIES {
            return;
        }
        let mut segments = key.split(|byte| *byte == b'/').skip(2);
        let (group, _, next) = (segments.next(), segments.next(), segments.next());
        let is_like = group == Some(b"core") || next == Some(b"customresources");
        if is_like && segments.next().is_some() {
            *tries = tries.saturating_add(1);
            *found = is_kubernetes(value);
        }
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

/// Whether a value is an API server's object or is encrypted.
fn is_kubernetes(value: &[u8]) -> bool {
    match Stored::detect(value) {
        Stored::Protobuf(_) | Stored::Encrypted(_) => true,
        Stored::Json(_) | Stored::Cbor(_) => Meta::read(value)
            .is_some_and(|meta| !meta.kind.is_empty() && !meta.api_version.is_empty()),
        _ => false,
    }
}
