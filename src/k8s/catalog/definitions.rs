//! The definitions of custom resources: in kcp each logical cluster may define a type in its own way.
//!
//! A type that is bound to an export is defined by a CustomResourceDefinition in the logical cluster
//! `system:bound-crds`, those of kcp itself in `system:system-crds`. Upstream: kcp's `pkg/server/apiextensions.go`.

use std::collections::HashMap;

use serde_json::Value;

use super::Location;

/// Where kcp has the definitions of types that are bound to exports. Their names are uids.
const BOUND: &[u8] = b"system:bound-crds";
/// Where kcp has the definitions of its own types.
const OWN: &[u8] = b"system:system-crds";

/// The definitions of custom resources, by the place of the resource.
#[derive(Debug, Clone, Default)]
pub(super) struct Definitions(HashMap<usize, Vec<Definition>>);

/// The definition of a resource in one logical cluster.
#[derive(Debug, Clone)]
struct Definition {
    /// The logical cluster; none outside of kcp.
    cluster: Option<Box<[u8]>>,
    /// None if the logical cluster has two that differ: which of them an object is of is not known.
    value: Option<Value>,
}

impl Definitions {
    /// Adds the definition of a resource.
    pub(super) fn add(&mut self, place: usize, cluster: Option<&[u8]>, value: Value) {
        let known = self.0.entry(place).or_default();
        match known.iter_mut().find(|one| one.is_of(cluster)) {
            None => known.push(Definition {
                cluster: cluster.map(Into::into),
                value: Some(value),
            }),
            // Without logical clusters the first counts: a store may have it under two prefixes.
            Some(one) if cluster.is_some() && one.value.as_ref() != Some(&value) => {
                one.value = None;
            }
            Some(_) => {}
        }
    }

    /// Adds those of another catalog for a resource.
    pub(super) fn extend(&mut self, place: usize, other: &mut Self, other_place: usize) {
        for one in other.0.remove(&other_place).into_iter().flatten() {
            let known = self.0.entry(place).or_default();
            if !known.iter().any(|known| known.cluster == one.cluster) {
                known.push(one);
            }
        }
    }

    /// Whether a resource has definitions.
    pub(super) fn has(&self, place: usize) -> bool {
        self.0.contains_key(&place)
    }

    /// The first definition of a resource.
    pub(super) fn first(&self, place: usize) -> Option<&Value> {
        self.0.get(&place)?.first()?.value.as_ref()
    }

    /// The definition of the object at a location.
    pub(super) fn of(&self, place: usize, location: &Location<'_, '_>) -> Option<&Value> {
        let known = self.0.get(&place)?;
        let mut clusters = location.defining_clusters().into_iter();
        let definition =
            clusters.find_map(|cluster| known.iter().find(|one| one.is_of(cluster)))?;
        definition.value.as_ref()
    }
}

impl<'k> Location<'_, 'k> {
    /// The logical clusters in which the type of the object may be defined, the first that defines it counts; none
    /// outside of kcp.
    pub fn defining_clusters(&self) -> [Option<&'k [u8]>; 2] {
        match (self.cluster, self.identity) {
            (Some(_), Some(_)) => [Some(BOUND); 2],
            (Some(own), None) => [Some(own), Some(OWN)],
            (None, _) => [None; 2],
        }
    }
}

impl Definition {
    fn is_of(&self, cluster: Option<&[u8]>) -> bool {
        self.cluster.as_deref() == cluster
    }
}
