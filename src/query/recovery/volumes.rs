//! What the file contains about the volumes that claims were bound to, and about the provisioners of new ones.
//!
//! A volume with the policy Retain outlives its claim: it is Released, and keeps the uid of the claim in
//! `spec.claimRef`. Without that uid it binds to the claim of this namespace and name again, in whatever order claims
//! are created. Storage that a provisioner made with the policy Delete was deleted with the claim.

use std::collections::HashMap;

use serde_json::Value;

use crate::etcd::Record;
use crate::k8s::catalog::ClusterName;
use crate::k8s::object::text;

use super::super::deletions::{EarlierLives, Item, LiveKeys, ObjectHistory, Request, plan};
use super::super::question::Question;
use super::events::{RecoveryEvents, is_storage};

/// What is known of a volume.
#[derive(Debug, Clone, Default)]
struct Volume {
    /// Whether it exists now.
    exists: bool,
    /// `spec.persistentVolumeReclaimPolicy`.
    policy: String,
    /// Whether a provisioner made it.
    is_provisioned: bool,
    /// Namespace and name of its claim; empty if it has no claim.
    claim: (String, String),
    /// The uid of its claim.
    claim_uid: String,
}

/// What happens to the volume of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumeFate {
    /// It exists and waits for this claim; the uid is the one to remove from its `claimRef`, if there is one.
    There {
        /// That uid.
        uid: Option<String>,
    },
    /// It exists, and belongs to another claim: namespace and name.
    Taken(String, String),
    /// It comes back with the claim.
    ComesBack,
    /// It was deleted, with its storage.
    Deleted,
    /// It was deleted, and comes back only if it is asked for.
    NotAsked,
    /// The file contains nothing about it.
    Unknown,
}

/// Who makes a new volume for a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewVolume {
    /// The provisioner of this class.
    ByClass(String),
    /// Nobody: the class has no provisioner.
    NoProvisioner(String),
    /// The file has no class of this name.
    UnknownClass(String),
    /// Nobody, unless there is a default class: the claim names none.
    NoClass,
}

/// What a user has to know about the volume of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimVolume {
    /// Its name.
    pub name: String,
    /// Whether the manifest of the claim names it.
    pub is_named: bool,
    /// The uid that the claim had.
    pub claim_uid: String,
    /// What happens to it.
    pub fate: VolumeFate,
    /// Who makes another one.
    pub new: NewVolume,
}

/// A logical cluster (only kcp has them), and the name or uid of an object in it.
pub type InCluster = (ClusterName, String);

/// A claim.
#[derive(Debug, Default)]
pub struct Claim<'c> {
    /// Its logical cluster.
    pub cluster: Option<&'c [u8]>,
    /// As it was stored.
    pub object: Value,
}

impl Claim<'_> {
    /// A name or uid in its logical cluster.
    fn beside(&self, name: &str) -> InCluster {
        (self.cluster.map(Into::into), name.to_owned())
    }
}

/// The volumes and storage classes of a store.
#[derive(Debug, Default)]
pub struct Volumes {
    by_name: HashMap<InCluster, Volume>,
    /// By the uid of a claim, the volume that is reserved for it.
    by_claim: HashMap<InCluster, String>,
    /// By class, its provisioner.
    classes: HashMap<InCluster, String>,
}

impl Volumes {
    /// Reads them, if there is a claim or a volume among the items.
    pub fn read<'a>(
        question: &Question<'a>,
        history: &ObjectHistory,
        events: &RecoveryEvents<'a>,
        items: &[Item],
    ) -> Self {
        let is_bound = |item: &Item| {
            let facts = item.facts.as_ref();
            facts.is_some_and(|facts| facts.common.kind.starts_with("PersistentVolume"))
        };
        let mut volumes = Self::default();
        if !items.iter().any(is_bound) {
            return volumes;
        }
        let catalog = question.catalog();
        let is_of = |key: &[u8]| is_storage(catalog, key);
        let store = question.store();
        let request = Request {
            wanted: &is_of,
            last: false,
            at: None,
            earlier: EarlierLives::None,
        };
        let plan = plan(
            store,
            &request,
            catalog,
            question.objects(),
            history,
            (events.all(), LiveKeys::default()),
        );
        for item in plan.items {
            if let Some(event) = plan.versions.get(item.version) {
                volumes.add(question, &event.record, false);
            }
        }
        for entry in events.live(question, &is_of) {
            volumes.add(question, &entry.record, true);
        }
        volumes
    }

    fn add(&mut self, question: &Question<'_>, record: &Record<'_>, exists: bool) {
        let Some(object) = question.objects().object(record) else {
            return;
        };
        let location = question.catalog().locate(record.key);
        let cluster = location.and_then(|location| location.cluster);
        let in_cluster = |name: String| (cluster.map(Into::into), name);
        let name = text(&object, &["metadata", "name"]).to_owned();
        match text(&object, &["kind"]) {
            "StorageClass" => {
                let provisioner = text(&object, &["provisioner"]).to_owned();
                self.classes.insert(in_cluster(name), provisioner);
            }
            "PersistentVolume" => {
                let volume = Volume::new(&object, exists);
                if !volume.claim_uid.is_empty() {
                    let claim = in_cluster(volume.claim_uid.clone());
                    self.by_claim.insert(claim, name.clone());
                }
                self.by_name.insert(in_cluster(name), volume);
            }
            _ => {}
        }
    }

    /// Whether the storage of a volume was deleted: a provisioner created it, and its claim was deleted.
    pub fn is_storage_gone(&self, name: &InCluster, history: &ObjectHistory) -> bool {
        self.by_name.get(name).is_some_and(|volume| {
            let has_claim = !volume.claim_uid.is_empty();
            !volume.exists
                && volume.is_provisioned
                && volume.policy == "Delete"
                && has_claim
                && !history.lives(name.0.as_deref(), &volume.claim_uid)
        })
    }

    /// The name of the volume that is reserved for a claim, by its uid. A claim may have been bound after its last
    /// version that comes back.
    pub fn reserved_for(&self, claim: &Claim<'_>) -> Option<&str> {
        let uid = text(&claim.object, &["metadata", "uid"]);
        self.by_claim.get(&claim.beside(uid)).map(String::as_str)
    }

    /// What a user has to know about the volume of a claim. `comes_back` returns whether a volume comes back.
    pub fn of_claim(
        &self,
        claim: &Claim<'_>,
        (name, is_named): (&str, bool),
        history: &ObjectHistory,
        comes_back: &dyn Fn(&InCluster) -> bool,
    ) -> ClaimVolume {
        ClaimVolume {
            name: name.to_owned(),
            is_named,
            claim_uid: text(&claim.object, &["metadata", "uid"]).to_owned(),
            fate: self.fate(claim, name, history, comes_back),
            new: self.new_volume(claim),
        }
    }

    fn fate(
        &self,
        claim: &Claim<'_>,
        name: &str,
        history: &ObjectHistory,
        comes_back: &dyn Fn(&InCluster) -> bool,
    ) -> VolumeFate {
        let metadata = |field| text(&claim.object, &["metadata", field]).to_owned();
        let own = (metadata("namespace"), metadata("name"));
        let name = claim.beside(name);
        match self.by_name.get(&name) {
            None => VolumeFate::Unknown,
            Some(volume) if !volume.claim.1.is_empty() && volume.claim != own => {
                VolumeFate::Taken(volume.claim.0.clone(), volume.claim.1.clone())
            }
            Some(volume) if volume.exists => {
                let uid = Some(volume.claim_uid.clone());
                VolumeFate::There {
                    uid: uid.filter(|uid| !uid.is_empty()),
                }
            }
            Some(_) if comes_back(&name) => VolumeFate::ComesBack,
            Some(_) if self.is_storage_gone(&name, history) => VolumeFate::Deleted,
            Some(_) => VolumeFate::NotAsked,
        }
    }

    fn new_volume(&self, claim: &Claim<'_>) -> NewVolume {
        let class = text(&claim.object, &["spec", "storageClassName"]).to_owned();
        match self.classes.get(&claim.beside(&class)) {
            _ if class.is_empty() => NewVolume::NoClass,
            None => NewVolume::UnknownClass(class),
            Some(provisioner) if provisioner == "kubernetes.io/no-provisioner" => {
                NewVolume::NoProvisioner(class)
            }
            Some(_) => NewVolume::ByClass(class),
        }
    }
}

impl Volume {
    fn new(object: &Value, exists: bool) -> Self {
        let spec = |path: &[&str]| text(object, &[&["spec"], path].concat()).to_owned();
        let by = "pv.kubernetes.io/provisioned-by";
        let provisioner = text(object, &["metadata", "annotations", by]);
        Self {
            exists,
            policy: spec(&["persistentVolumeReclaimPolicy"]),
            is_provisioned: !provisioner.is_empty(),
            claim: (
                spec(&["claimRef", "namespace"]),
                spec(&["claimRef", "name"]),
            ),
            claim_uid: spec(&["claimRef", "uid"]),
        }
    }
}
