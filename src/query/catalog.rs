//! The resources of a store: built in, defined by a CustomResourceDefinition in any retained revision, or known only by
//! their objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bbolt::Direction;
use crate::etcd::{Also, AtRevision, PlacedRecord, Record, Store};
use crate::k8s::catalog::Settled;
use crate::k8s::encrypt::Keyring;

pub use crate::k8s::catalog::{Catalog, KeyFolders, Survey};

/// Adds the resources that no definition names: those of the folders in which objects are stored. `folders` are those of
/// each store. It takes another pass over a store if one of its folders may have such a resource.
pub fn learn(
    catalog: &mut Catalog,
    folders: &[Arc<KeyFolders>],
    stores: &[(&Store<'_>, AtRevision)],
    keyring: &Keyring,
) {
    for ((store, _), folders) in stores.iter().zip(folders) {
        if !folders.may_show_more(catalog) {
            continue;
        }
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
    store.visit_chosen(
        &|record| !record.tombstone && may_learn(record.key),
        &mut |record| {
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
pub fn from_puts<'k, 'a: 'k>(
    survey: Survey,
    puts: impl Iterator<Item = (&'k [u8], PlacedRecord<'a>)> + Clone,
    keyring: &Keyring,
) -> Catalog {
    let mut catalog = survey.into_catalog();
    for (key, put) in puts.clone() {
        if Survey::is_definition(key)
            && let Some(put) = put.record()
        {
            define(&mut catalog, key, put.value, keyring);
        }
    }
    catalog.complete();
    for (key, put) in puts.clone() {
        if catalog.may_learn(key)
            && let Some(put) = put.record()
            && let Ok(value) = keyring.decrypt(key, put.value)
        {
            catalog.learn(key, &value);
        }
    }
    if catalog.has_clusters() {
        let clusters = puts.filter_map(|(key, _)| catalog.locate(key)?.cluster);
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
    let (mut catalog, folders) = read(stores, keyring);
    learn(&mut catalog, &folders, stores, keyring);
    catalog
}

/// The resources that stores define, as of the revisions asked for, and the folders of the keys of each store.
pub fn read(
    stores: &[(&Store<'_>, AtRevision)],
    keyring: &Keyring,
) -> (Catalog, Vec<Arc<KeyFolders>>) {
    let mut catalog = Catalog::default();
    let mut folders = Vec::new();
    for (store, at) in stores {
        let (of_store, in_folders) = survey(store, *at, keyring);
        catalog.merge(of_store);
        folders.push(in_folders);
    }
    catalog.complete();
    (catalog, folders)
}

/// Collects the resources that a store defines, in a pass over all its records.
struct SurveyFold<'a> {
    at: AtRevision,
    survey: Survey,
    chooser: SurveyChooser,
    /// The newest definitions.
    definitions: BTreeMap<Box<[u8]>, Record<'a>>,
}

/// Chooses the records that a [`SurveyFold`] needs, on all cores.
#[derive(Clone)]
struct SurveyChooser {
    settled: Arc<Settled>,
    folders: Arc<KeyFolders>,
}

impl SurveyChooser {
    /// Whether the record is needed.
    pub fn needs(&self, record: &Record<'_>) -> bool {
        if record.tombstone || record.is_bump_mark() {
            return false;
        }
        self.folders.add(record.key);
        Survey::is_definition(record.key) || self.settled.may_need(record.key)
    }
}

impl<'a> SurveyFold<'a> {
    /// For the resources as of a revision.
    pub fn new(at: AtRevision) -> Self {
        let survey = Survey::default();
        Self {
            at,
            chooser: SurveyChooser {
                settled: survey.settled(),
                folders: Arc::default(),
            },
            survey,
            definitions: BTreeMap::new(),
        }
    }

    /// Chooses the records.
    pub fn chooser(&self) -> SurveyChooser {
        self.chooser.clone()
    }

    /// Adds the next record that is needed. A definition that was deleted, or is newer than the revision, still defines a
    /// word. The newest one up to the revision counts; without one, the first after it.
    pub fn add(&mut self, record: Record<'a>) {
        if Survey::is_definition(record.key) {
            let is_later = record.revision.main > self.at.0;
            if !(is_later && self.definitions.contains_key(record.key)) {
                self.definitions.insert(record.key.into(), record);
            }
        }
        self.survey.look(record.key, record.value);
    }

    /// The resources after the last record, and the folders of the keys.
    fn finish(self, keyring: &Keyring) -> (Catalog, Arc<KeyFolders>) {
        let mut catalog = self.survey.into_catalog();
        for (key, record) in self.definitions {
            define(&mut catalog, &key, record.value, keyring);
        }
        (catalog, self.chooser.folders)
    }

    /// The resources of the store of the pass, with those that are known only from their objects.
    pub fn into_full(self, store: &Store<'a>, keyring: &Keyring) -> Catalog {
        let at = self.at;
        let (found, folders) = self.finish(keyring);
        let mut catalog = Catalog::default();
        catalog.merge(found);
        catalog.complete();
        learn(&mut catalog, &[folders], &[(store, at)], keyring);
        catalog
    }
}

/// What another pass over all records of a store makes, and the resources of the store as of a revision, which are found in
/// the same pass.
pub fn read_beside<'a, T>(
    store: &Store<'a>,
    at: AtRevision,
    keyring: &Keyring,
    read: impl FnOnce(Also<'_, 'a>) -> T,
) -> (T, Catalog) {
    let mut survey = SurveyFold::new(at);
    let chooser = survey.chooser();
    let made = read(Also {
        needs: &|record| chooser.needs(record),
        add: &mut |record| survey.add(record),
    });
    (made, survey.into_full(store, keyring))
}

/// The resources that a store defines, and the folders of its keys.
fn survey(store: &Store<'_>, at: AtRevision, keyring: &Keyring) -> (Catalog, Arc<KeyFolders>) {
    let mut fold = SurveyFold::new(at);
    let chooser = fold.chooser();
    store.visit_chosen(&|record| chooser.needs(record), &mut |record| {
        fold.add(record);
    });
    fold.finish(keyring)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::bbolt::Direction;
    use crate::diag::Diagnostics;
    use crate::etcd::Revision;
    use crate::etcd::record::Origin;
    use crate::source::testdata::databases;
    use crate::source::{Source, Unpacking};

    /// The catalog of two full passes over each store, in which no record is left out.
    fn of_two_passes(stores: &[(&Store<'_>, AtRevision)], keyring: &Keyring) -> Catalog {
        let mut catalog = Catalog::default();
        let mut folders = Vec::new();
        for (store, at) in stores {
            let mut survey = Survey::default();
            let mut definitions = BTreeMap::new();
            let records = store.records(Direction::Forward);
            for record in records.filter(|record| !record.tombstone && !record.is_bump_mark()) {
                survey.look(record.key, record.value);
                let is_known = definitions.contains_key(record.key);
                let counts = record.revision.main <= at.0 || !is_known;
                if Survey::is_definition(record.key) && counts {
                    definitions.insert(record.key, record);
                }
            }
            let mut of_store = survey.into_catalog();
            for (key, record) in definitions {
                define(&mut of_store, key, record.value, keyring);
            }
            catalog.merge(of_store);
            let unknown = Arc::new(KeyFolders::default());
            unknown.add(b"/a/");
            folders.push(unknown);
        }
        catalog.complete();
        learn(&mut catalog, &folders, stores, keyring);
        catalog
    }

    /// What a catalog answers.
    fn shown(catalog: &Catalog) -> Vec<String> {
        let prefixes: Vec<_> = catalog.prefixes().map(<[u8]>::to_vec).collect();
        let flags = [
            catalog.holds_objects(),
            catalog.has_other_layout(),
            catalog.has_clusters(),
            catalog.has_several_clusters(),
        ];
        let mut shown = vec![format!("{prefixes:?} {flags:?}")];
        for resource in catalog.resources() {
            let folders = catalog.folders(resource);
            let definition = catalog.definition(resource);
            let found = catalog.resolve(&resource.plural).len();
            shown.push(format!("{resource:?} {folders:?} {definition:?} {found}"));
        }
        shown
    }

    /// Checks that the catalog is the same as that of two passes, and returns the number of resources that are not built in.
    fn check(name: &str, stores: &[(&Store<'_>, AtRevision)]) -> usize {
        let keyring = Keyring::default();
        let catalog = read_full(stores, &keyring);
        let expected = of_two_passes(stores, &keyring);
        assert_eq!(shown(&catalog), shown(&expected), "{name}");
        let builtin = Catalog::default().resources().len();
        catalog.resources().len() - builtin
    }

    fn open(path: &Path) -> Option<Source> {
        let unpacking = Unpacking {
            temporary_folder: std::env::temp_dir(),
            up_to_bytes: 1 << 28,
            work: crate::source::work::Work::default(),
        };
        Source::open_unpacking(path, &unpacking).ok()
    }

    #[test]
    fn the_catalog_of_a_database_is_that_of_two_passes() {
        let paths = databases(&[".db", ".db.gz"]);
        let diagnostics = Diagnostics::new();
        let sources: Vec<_> = paths.iter().filter_map(|path| open(path)).collect();
        let stores = sources
            .iter()
            .filter_map(|source| Store::open(source, &diagnostics).ok());
        let stores: Vec<_> = stores.collect();
        let (mut added, mut before) = (0, None::<&Store<'_>>);
        for store in &stores {
            let name = store.db().source().unwrap().given_path().to_string_lossy();
            added += check(&name, &[(store, AtRevision::HEAD)]);
            let middle = AtRevision(store.current_revision() / 2);
            check(&name, &[(store, middle)]);
            if let Some(before) = before {
                check(&name, &[(before, middle), (store, AtRevision::HEAD)]);
                check(&name, &[(store, AtRevision::HEAD), (before, middle)]);
            }
            before = Some(store);
        }
        assert!(stores.len() > 50 && added > 40, "{} {added}", stores.len());
    }

    /// An object of a kind.
    fn object(api: &str, kind: &str, namespace: &str, name: &str) -> String {
        format!(
            r#"{{"apiVersion":"{api}","kind":"{kind}","metadata":{{"name":"{name}","namespace":"{namespace}"}}}}"#
        )
    }

    fn definition(group: &str, plural: &str, kind: &str) -> (String, String) {
        let name = format!("{plural}.{group}");
        let key = format!("/registry/apiextensions.k8s.io/customresourcedefinitions/{name}");
        let value = format!(
            r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{{"name":"{name}"}},
            "spec":{{"group":"{group}","scope":"Cluster","names":{{"plural":"{plural}","kind":"{kind}"}},"versions":[{{"name":"v1"}}]}}}}"#
        );
        (key, value)
    }

    /// Keys and values, each group with the number of resources that it adds.
    fn planted() -> Vec<(usize, Vec<(String, String)>)> {
        let put = |key: &str, value: String| (key.to_owned(), value);
        let pod = |name: &str| object("v1", "Pod", "shop", name);
        let pods = (0..9).map(|number| put(&format!("/registry/pods/shop/{number}"), pod("a")));
        let numbers = (0..9).map(|number| put(&format!("/calico/ipam/{number}"), "1".to_owned()));
        let policy = object("projectcalico.org/v3", "IPPool", "", "a");
        let policy = put("/calico/resources/v3/projectcalico.org/ippools/a", policy);
        let cart = object("shop.example.com/v1", "Cart", "", "a");
        let cart = put("/registry/shop.example.com/carts/a", cart);
        let map = |key: &str| put(key, object("v1", "ConfigMap", "shop", "a"));
        let shop = put(
            "/registry/pods/namespaces/shop",
            object("v1", "Namespace", "", "shop"),
        );
        let in_pods = definition("pods", "shop", "Thing");
        vec![
            (0, pods.clone().collect()),
            (1, pods.clone().chain([cart.clone()]).collect()),
            (
                1,
                vec![
                    cart.clone(),
                    definition("shop.example.com", "carts", "Cart"),
                ],
            ),
            (1, numbers.chain([policy]).collect()),
            (
                1,
                pods.clone()
                    .chain([in_pods, put("/registry/pods/shop/a/b", pod("b"))])
                    .collect(),
            ),
            (1, pods.chain([shop, cart]).collect()),
            (
                0,
                vec![
                    map("/registry/core/configmaps/root/shop/a"),
                    map("/registry/core/configmaps/other/shop/a"),
                ],
            ),
        ]
    }

    #[test]
    fn the_catalog_of_planted_objects_is_that_of_two_passes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/compare");
        let planted = planted();
        for database in ["base-m1.db", "empty.db"] {
            let source = open(&folder.join(database)).unwrap();
            let diagnostics = Diagnostics::new();
            let store = || Store::open(&source, &diagnostics).unwrap();
            let alone = check(database, &[(&store(), AtRevision::HEAD)]);
            let mut stores = Vec::new();
            for (place, (added, pairs)) in planted.iter().enumerate() {
                let first = store().current_revision() + 1;
                let records = (first..).zip(pairs).map(|(main, (key, value))| Record {
                    revision: Revision { main, sub: 0 },
                    tombstone: false,
                    key: key.as_bytes(),
                    create_revision: main,
                    mod_revision: main,
                    version: 1,
                    value: value.as_bytes(),
                    lease: 0,
                    origin: Origin::Wal,
                    pgid: None,
                    element: None,
                    offset: 0,
                });
                let store = store().with(records.collect());
                let name = format!("{database}, group {place}");
                let found = check(&name, &[(&store, AtRevision::HEAD)]);
                assert_eq!(found - alone, *added, "{name}");
                check(&name, &[(&store, AtRevision(first))]);
                stores.push(store);
            }
            for (place, one) in stores.iter().enumerate() {
                for other in &stores {
                    let name = format!("{database}, group {place} and another");
                    check(&name, &[(one, AtRevision::HEAD), (other, AtRevision::HEAD)]);
                }
            }
        }
    }
}
