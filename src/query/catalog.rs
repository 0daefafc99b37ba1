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
        let before = catalog.clone();
        if !before.has_clusters() {
            learn_from(catalog, store, keyring, |key| before.may_learn(key));
        }
        // If a folder has clusters, its keys are divided in another way: a key that showed nothing new may do so now.
        if catalog.has_clusters() {
            *catalog = before;
            learn_from(catalog, store, keyring, |_| true);
        }
    }
    if catalog.has_clusters() && has_several_clusters(catalog, stores) {
        catalog.set_several_clusters();
    }
}

/// Adds the resources of one store. `may_learn` is called on all cores, and returns false for a key that shows nothing new.
fn learn_from(
    catalog: &mut Catalog,
    store: &Store<'_>,
    keyring: &Keyring,
    may_learn: impl Fn(&[u8]) -> bool + Sync,
) {
    let choose = |record: &Record<'_>| !record.tombstone && may_learn(record.key);
    store.visit_records(
        |record| choose(record).then_some(*record),
        |record| {
            // Most keys have the usual layout: their values need not be decrypted.
            if catalog.may_learn(record.key)
                && let Ok(value) = keyring.decrypt(record.key, record.value)
            {
                catalog.learn(record.key, &value);
            }
        },
    );
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

fn survey<'a>(store: &Store<'a>, at: AtRevision, keyring: &Keyring) -> Catalog {
    let mut survey = Survey::default();
    let mut definitions = BTreeMap::new();
    let put = |record: &Record<'a>| {
        let is_put = !record.is_bump_mark() && !record.tombstone;
        is_put.then(|| (*record, Survey::is_definition(record.key)))
    };
    // A definition that was deleted, or is newer than the revision, still defines a word. The newest one up to the
    // revision counts; without one, the first after it.
    store.visit_records(put, |(record, is_definition)| {
        if is_definition {
            let is_later = record.revision.main > at.0;
            if !(is_later && definitions.contains_key(record.key)) {
                definitions.insert(record.key, record);
            }
        }
        survey.look(record.key, record.value);
    });
    let mut catalog = survey.into_catalog();
    for (key, record) in definitions {
        define(&mut catalog, key, record.value, keyring);
    }
    catalog
}
