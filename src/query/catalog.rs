//! The resources of a store: built in, defined by a CustomResourceDefinition in any retained revision, or known only by
//! their objects.

use std::collections::BTreeMap;

use crate::bbolt::Direction;
use crate::etcd::{AtRevision, Record, Store};
use crate::k8s::encrypt::Keyring;

pub use crate::k8s::catalog::{Catalog, Survey};

/// Adds the resources that no definition names: those of the folders in which objects are stored. It takes another
/// pass.
pub fn learn(catalog: &mut Catalog, stores: &[(&Store<'_>, AtRevision)], keyring: &Keyring) {
    for (store, _) in stores {
        for record in store.records(Direction::Forward) {
            // Most keys have the usual layout: their values need not be decrypted.
            if record.tombstone || !catalog.may_learn(record.key) {
                continue;
            }
            if let Ok(value) = keyring.decrypt(record.key, record.value) {
                catalog.learn(record.key, &value);
            }
        }
    }
    if catalog.has_clusters() && has_several_clusters(catalog, stores) {
        catalog.set_several_clusters();
    }
}

/// The resources of a store whose values a survey has seen, with one put of each of its keys. The keys are given
/// separately: those of the puts are in pages all over the file. A definition that has no put among them is not known.
pub fn from_puts(survey: Survey, puts: &[(&[u8], &Record<'_>)], keyring: &Keyring) -> Catalog {
    let mut catalog = survey.into_catalog();
    for (key, put) in puts {
        if Survey::is_definition(key) {
            define(&mut catalog, key, put.value, keyring);
        }
    }
    catalog.complete();
    for (key, put) in puts {
        if catalog.may_learn(key)
            && let Ok(value) = keyring.decrypt(key, put.value)
        {
            catalog.learn(key, &value);
        }
    }
    if catalog.has_clusters() {
        let clusters = puts
            .iter()
            .filter_map(|(key, _)| catalog.locate(key)?.cluster);
        if are_several(clusters) {
            catalog.set_several_clusters();
        }
    }
    catalog
}

/// Adds the resource that a stored definition defines.
fn define(catalog: &mut Catalog, key: &[u8], value: &[u8], keyring: &Keyring) {
    if let Ok(value) = keyring.decrypt(key, value)
        && let Ok((definition, _)) = crate::k8s::object::tree_of(&value)
    {
        catalog.define_by(key, definition);
    }
}

fn are_several<'k>(mut clusters: impl Iterator<Item = &'k [u8]>) -> bool {
    let first = clusters.next();
    clusters.any(|cluster| Some(cluster) != first)
}

/// Whether stores have keys of more than one logical cluster.
fn has_several_clusters(catalog: &Catalog, stores: &[(&Store<'_>, AtRevision)]) -> bool {
    let records = stores
        .iter()
        .flat_map(|(store, _)| store.records(Direction::Forward));
    are_several(records.filter_map(|record| catalog.locate(record.key)?.cluster))
}

/// The resources of the stores, with those that are known only from their objects.
pub fn read_full(stores: &[(&Store<'_>, AtRevision)], keyring: &Keyring) -> Catalog {
    let mut catalog = read(stores, keyring);
    learn(&mut catalog, stores, keyring);
    catalog
}

/// The resources that stores hold, as of the revisions asked for.
pub fn read(stores: &[(&Store<'_>, AtRevision)], keyring: &Keyring) -> Catalog {
    let mut catalog = Catalog::default();
    for (store, at) in stores {
        catalog.merge(survey(store, *at, keyring));
    }
    catalog.complete();
    catalog
}

fn survey(store: &Store<'_>, at: AtRevision, keyring: &Keyring) -> Catalog {
    let mut survey = Survey::default();
    let mut definitions = BTreeMap::new();
    for record in store.records(Direction::Forward) {
        if record.is_bump_mark() {
            continue;
        }
        // A definition that was deleted, or is newer than the revision, still defines a word. The newest one up to the
        // revision counts; without one, the first after it.
        if Survey::is_definition(record.key) && !record.tombstone {
            let is_later = record.revision.main > at.0;
            if !(is_later && definitions.contains_key(record.key)) {
                definitions.insert(record.key, record);
            }
        }
        if !record.tombstone {
            survey.look(record.key, record.value);
        }
    }
    let mut catalog = survey.into_catalog();
    for (key, record) in definitions {
        define(&mut catalog, key, record.value, keyring);
    }
    catalog
}
