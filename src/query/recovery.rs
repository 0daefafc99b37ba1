//! The recovery of deleted objects: which of them come back, as what, and what that leaves out.

mod decide;
mod events;
mod existing;
mod notices;

mod remarked;
mod volumes;

use std::collections::HashSet;

use serde_json::Value;

use crate::bbolt::Direction;
use crate::etcd::{Event, Events, PlacedRecord};
use crate::k8s::Order;
use crate::k8s::catalog::Catalog;
use crate::k8s::manifest::{self, Options, manifest};

use super::address::Address;
use super::deletions::{
    EarlierLives, Facts, Item, ObjectHistory, Plan, Request, plan, sort_for_apply,
};
use super::filters::Filter;
use super::left_out::{Kept, LeftOut};
use super::no_answer::NoAnswer;
use super::objects::ReadValue;
use super::question::Question;
use super::resolve::{only_one, resolve, resolve_events};
use super::revision::{RangeExpr, RevisionExpr};
use super::scope::Scope;
use super::select::{Selection, Which};
use super::served_version::{StoredVersion, put_into_served};
use super::updates::managers_of_indexes;
use decide::Decision;
use events::{RecoveryEvents, Wanted};
use volumes::{Claim, InCluster, Volumes};

pub use super::served_version::Release;
pub use crate::etcd::AtRevision;
pub use crate::k8s::decode::Note;
pub use remarked::Remarked;
pub use volumes::{ClaimVolume, NewVolume, VolumeFate};

/// Which deleted objects are asked for.
#[derive(Debug, Clone, Default)]
pub struct RecoveryFilters {
    /// Which objects or keys, with a range of revisions among the words.
    pub which: Which,
    /// All objects that existed at this revision, instead of the deleted ones.
    pub at: Option<RevisionExpr>,
    /// All objects that existed at this time, as typed.
    pub at_time: Option<String>,
    /// Only what was deleted at this time, as typed, or later.
    pub since: Option<String>,
    /// Only what was deleted at this time, as typed, or earlier.
    pub until: Option<String>,
    /// The last version of all, instead of the last before the deletion began.
    pub last: bool,
    /// What comes back although there is a reason to leave it out.
    pub kept: Kept,
    /// Whether freed pages were searched.
    pub is_carved: bool,
}

impl RecoveryFilters {
    /// The revision whose objects come back, by revision or by time. None if deleted objects come back. `own` is the
    /// revision that was typed after an address.
    fn resolve_at(
        &self,
        own: Option<RevisionExpr>,
        question: &Question<'_>,
        which: &Which,
    ) -> Result<Option<AtRevision>, NoAnswer> {
        match (only_one(own, self.at, "--at")?, &self.at_time) {
            (Some(at), _) => resolve(at, question, which).map(Some),
            (None, Some(time)) => question.revision_at(time).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The deletions that are asked for: those after the first revision, up to the second. None if all are.
    fn resolve_range(
        &self,
        range: Option<RangeExpr>,
        question: &Question<'_>,
        which: &Which,
    ) -> Result<Option<(i64, i64)>, NoAnswer> {
        let (after, to) = resolve_events(range, None, question, which)?;
        let has_times = self.since.is_some() || self.until.is_some();
        let has_range = after.0 > 0 || to.0 != i64::MAX || has_times;
        Ok(has_range.then_some((after.0, to.0)))
    }

    /// Refuses `ADDRESS@REV` together with a flag that selects deletions or another time. `own` is that revision.
    fn check(&self, own: Option<RevisionExpr>) -> Result<(), NoAnswer> {
        let flags = [
            ("--at-time", self.at_time.is_some()),
            ("--since", self.since.is_some()),
            ("--until", self.until.is_some()),
            ("--last", self.last),
        ];
        match (own, flags.iter().find(|(_, is_given)| *is_given)) {
            (Some(own), Some((flag, _))) => Err(NoAnswer::RevisionWithFlag { own, flag }),
            _ => Ok(()),
        }
    }
}

/// How manifests are made of objects.
#[derive(Debug, Clone, Copy, Default)]
pub struct ManifestOptions {
    /// Objects stay as they were stored.
    pub exact: bool,
    /// Leave out finalizers.
    pub strip_finalizers: bool,
    /// Keep the references to owners that exist.
    pub keep_owners: bool,
    /// Claims keep the volumes that they were bound to.
    pub keep_volumes: bool,
    /// Services keep the addresses that the server gave them.
    pub keep_addresses: bool,
    /// Objects are written in versions that this release serves.
    pub release: Option<Release>,
}

/// What a user has to know before applying a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Fields have no name, or bytes are no message: an API server rejects the object as it is.
    Incomplete {
        /// What could not be decoded.
        notes: Vec<Note>,
        /// The key. A note about a Secret must not quote its bytes.
        key: Vec<u8>,
    },
    /// References to owners were left out.
    Owners,
    /// It is a claim that was bound to a volume.
    Volume(ClaimVolume),
    /// The addresses in the cluster were left out.
    ClusterAddresses(Vec<String>),
    /// The port for health checks was left out.
    HealthCheckPort(i64),
    /// A load balancer had these addresses.
    LoadBalancer(Vec<String>),
    /// It is a Job, which comes back suspended.
    Suspended,
    /// It is the ServiceAccount `default`, which a controller creates in each namespace.
    DefaultAccount,
    /// The version in which it was stored is not served.
    Version(StoredVersion),
}

/// What an item comes back as.
#[derive(Debug)]
pub enum Content {
    /// An object, and the remarks on its manifest.
    Object(Value, Vec<Remark>),
    /// Anything else, as it was stored.
    Plain(Vec<u8>),
}

/// The deleted objects that were asked for.
#[derive(Debug)]
pub struct Recovery<'q, 'a> {
    question: &'q Question<'a>,
    filters: &'q RecoveryFilters,
    history: ObjectHistory,
    volumes: Volumes,
    events: RecoveryEvents<'a>,
    /// The volumes that come back, by logical cluster and name.
    volumes_back: HashSet<InCluster>,
    selection: Selection,
    at: Option<AtRevision>,
    items: Vec<Item>,
    /// The versions of the items.
    versions: Events<'a>,
}

impl<'q, 'a> Recovery<'q, 'a> {
    /// Finds the objects, in the order in which they are created again.
    ///
    /// # Errors
    /// If a revision, a time or an address cannot be understood, or no object matches: why.
    pub fn read(
        question: &'q Question<'a>,
        filters: &'q RecoveryFilters,
    ) -> Result<Self, NoAnswer> {
        let (store, (which, range)) = (question.store(), filters.which.split_range()?);
        let (which, own) = which.split_revision(store)?;
        filters.check(own)?;
        let at = filters.resolve_at(own, question, &which)?;
        let head = store.at(None)?;
        let selection = which.select(&[(store, head)], question.keyring())?;
        let scope = which.scope();
        let has_no_address = which.words().is_empty();
        let is_part = !has_no_address || !scope.is_all();
        let known = is_part.then(|| question.catalog());
        let covers = |key: &[u8]| {
            let is_namespace = |catalog| has_no_address && is_namespace_of(key, &scope, catalog);
            selection.covers(key) || known.is_some_and(is_namespace)
        };
        let wanted = at.is_none().then_some(&covers as Wanted<'_>);
        let read = RecoveryEvents::read(question, known, wanted);
        let (catalog, history, events) = (question.catalog(), read.history, read.events);
        let range = filters.resolve_range(range, question, &which)?;
        let has_range = range.is_some();
        let request = Request {
            wanted: &covers,
            last: filters.last,
            at,
            earlier: EarlierLives::if_range(has_range),
        };
        let all = (events.all(), read.live);
        let Plan {
            mut items,
            versions,
            live,
        } = plan(store, &request, catalog, question.objects(), &history, all);
        // Without a range, only keys that do not exist now are recovered, each from its last deletion. The earlier
        // deletions of a key that was written again become notices.
        let is_earlier = |item: &mut Item| item.is_made_again && !has_range;
        let earlier: Vec<Item> = items.extract_if(.., is_earlier).collect();
        // If no object comes back in the end, the reason may be that the namespace does not exist. `why_none`
        // checks that.
        let is_unknown = items.is_empty() || (has_no_address && is_part);
        if range.map_or(0, |(after, _)| after) < store.compact_revision() {
            question.note_compacted(&covers, None);
        }
        // If all objects at a revision were asked for, it does not matter which of them were deleted.
        if at.is_none() {
            existing::note(question, &history, &live, &selection, (&earlier, &versions));
        }
        drop(live);
        let volumes = Volumes::read(question, &history, &events, &items);
        let mut recovery = Self {
            question,
            filters,
            history,
            volumes,
            events,
            volumes_back: HashSet::new(),
            selection,
            at,
            items,
            versions,
        };
        recovery.choose(range)?;
        if recovery.items.is_empty() {
            return Err(recovery.why_none(head, is_unknown));
        }
        recovery.report_incomplete();
        Ok(recovery)
    }

    /// Leaves the items that pass the filters, decides which of them come back, and sorts them. `range` is given if only some
    /// deletions were asked for: those after its first revision, up to its last.
    fn choose(&mut self, range: Option<(i64, i64)>) -> Result<(), NoAnswer> {
        if let Some(range) = range.filter(|_| self.at.is_none()) {
            self.narrow_to(range)?;
        }
        self.narrow_to_labels();
        self.decide(range.is_some());
        sort_for_apply(&mut self.items);
        Ok(())
    }

    /// Reports each object that comes back and has fields without a name as a finding.
    fn report_incomplete(&self) {
        let back = self.items.iter().filter(|item| self.comes_back(item));
        for item in back.filter(|item| !item.nameless.is_empty()) {
            if let Some(event) = self.restored(item) {
                let objects = self.question.objects();
                objects.report_incomplete(&event.record, &item.nameless);
            }
        }
    }

    /// Decides for each item whether it comes back or why it is left out. Then collects the PersistentVolumes among
    /// what comes back, because a claim may keep its volume only if that exists.
    fn decide(&mut self, has_range: bool) {
        let names_objects = self.selection.addresses().iter().any(|one| one.names_one());
        let decision = Decision {
            history: &self.history,
            volumes: &self.volumes,
            catalog: self.question.catalog(),
            compacted: self.question.store().compact_revision(),
            kept: &self.filters.kept,
            leaves_out_before: self.at.is_none()
                && !has_range
                && !names_objects
                && !self.filters.last,
        };
        decision.decide(&mut self.items);
        let back = self.items.iter().filter(|item| item.left_out.is_none());
        let volumes = back
            .filter_map(|item| item.facts.as_deref())
            .filter(|facts| facts.common.kind == "PersistentVolume");
        let cluster_and_name =
            |facts: &Facts| (facts.common.cluster.clone(), facts.name.to_string());
        self.volumes_back = volumes.map(cluster_and_name).collect();
    }

    /// Keeps the items that were deleted after one revision up to another, and between `--since` and `--until`. Each
    /// filter counts what it removed, so that an empty answer can name the filter.
    fn narrow_to(&mut self, (after, to): (i64, i64)) -> Result<(), NoAnswer> {
        let (question, asked) = (self.question, self.filters);
        let filters = question.filters();
        let times = (asked.since.as_ref(), asked.until.as_ref());
        let (since, until) = question.timeline().range(times.0, times.1)?;
        self.items.retain(|item| {
            let is_deleted_at = |test: &dyn Fn(i64) -> bool| item.deleted_at.is_some_and(test);
            filters.test(
                Filter("A..B"),
                is_deleted_at(&|main| main > after && main <= to),
            ) && filters.test(Filter("--since"), is_deleted_at(&|main| main >= since))
                && filters.test(Filter("--until"), is_deleted_at(&|main| main <= until))
        });
        Ok(())
    }

    /// Keeps the items whose newest version has the labels of `-l`.
    fn narrow_to_labels(&mut self) {
        let (question, filters) = (self.question, self.question.filters());
        if let Some(labels) = self.selection.labels() {
            let versions = &self.versions;
            self.items.retain(|item| {
                let event = versions.get(item.version);
                let has_labels =
                    event.is_some_and(|event| question.objects().has_labels(&event.record, labels));
                filters.test(Filter("-l"), has_labels)
            });
        }
    }

    /// Why no object comes back: an unknown name, a filter that removed everything, or no deletion at all.
    /// `is_unknown`: the namespaces that were asked for may not exist.
    fn why_none(&self, head: AtRevision, is_unknown: bool) -> NoAnswer {
        // An address with records is not the reason: its objects were just not deleted.
        let is_known = |address: &Address| {
            let mut records = self.question.store().records(Direction::Forward);
            records.any(|record| address.covers(record.key))
        };
        let why = self
            .selection
            .why_empty(self.question, head, is_known, is_unknown);
        why.or_else(|| self.question.emptied())
            .unwrap_or(if self.at.is_some() {
                NoAnswer::NoObjectsAtRevision
            } else {
                NoAnswer::NoDeletedObjects
            })
    }

    /// The question.
    pub fn question(&self) -> &'q Question<'a> {
        self.question
    }

    /// The objects, in the order in which they are created again.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// The version of an item that comes back. None if no version was written before the deletion began, or if another
    /// program has changed the file since.
    pub fn restored(&self, item: &Item) -> Option<Event<'a>> {
        let version = item.is_restored.then_some(item.version)?;
        self.versions.get(version)
    }

    /// The same by its place. No page is read for it.
    pub fn restored_place(&self, item: &Item) -> Option<PlacedRecord<'a>> {
        let version = item.is_restored.then_some(item.version)?;
        self.versions.placed(version)
    }

    /// The managers of the last write of each item before its deletion began.
    pub fn managers_of_each(&self, items: &[&Item]) -> Vec<Vec<String>> {
        let versions = items
            .iter()
            .map(|item| item.is_restored.then_some(item.version));
        let versions: Vec<Option<usize>> = versions.collect();
        managers_of_indexes(&self.versions, &versions, self.question.objects())
    }

    /// The revision whose objects come back, instead of the deleted ones.
    pub fn at(&self) -> Option<AtRevision> {
        self.at
    }

    /// The logical cluster of an item, if the store has several.
    pub fn cluster_of<'i>(&self, item: &'i Item) -> Option<&'i [u8]> {
        let catalog = self.question.catalog();
        let cluster = catalog.locate(&item.key)?.cluster;
        cluster.filter(|_| catalog.has_several_clusters())
    }

    /// Whether an item is brought back. An item that cannot be read is not.
    pub fn comes_back(&self, item: &Item) -> bool {
        item.left_out.is_none()
    }

    /// Whether an item would be brought back if it could be read.
    pub fn is_wanted(&self, item: &Item) -> bool {
        matches!(item.left_out, None | Some(LeftOut::Unreadable))
    }

    /// What an item comes back as. None if its value is still encrypted or cannot be decoded.
    pub fn content(&self, item: &Item, options: ManifestOptions) -> Option<Content> {
        let record = self.restored(item)?.record;
        let objects = self.question.objects();
        match objects.read(&record, Order::Declared.into()) {
            ReadValue::Object(tree, notes) => {
                let (tree, remarks) = if options.exact {
                    (tree, Vec::new())
                } else {
                    self.manifest(item, tree, options)
                };
                let incomplete = (!notes.is_empty()).then(|| Remark::Incomplete {
                    notes,
                    key: item.key.to_vec(),
                });
                // It comes first, because an API server rejects the object.
                let remarks = incomplete.into_iter().chain(remarks).collect();
                Some(Content::Object(tree, remarks))
            }
            ReadValue::Plain => Some(Content::Plain(self.stored(item)?)),
            ReadValue::Encrypted(error) => {
                objects.report_encrypted(&record, &error);
                None
            }
            ReadValue::Undecodable(_) => None,
        }
    }

    /// Turns a stored object into a manifest for `kubectl create`. Fields that belong to the server are removed, and
    /// the version is changed to one that is served. Returns the remarks on what was changed.
    fn manifest(&self, item: &Item, tree: Value, options: ManifestOptions) -> (Value, Vec<Remark>) {
        let facts = item.facts.as_deref();
        let stored = manifest::text(&tree, &["apiVersion"]).to_owned();
        let claim = facts.filter(|facts| facts.common.kind == "PersistentVolumeClaim");
        let claim = claim.map(|facts| Claim {
            cluster: facts.common.cluster.as_deref(),
            object: tree.clone(),
        });
        let may_keep = claim
            .as_ref()
            .is_some_and(|claim| self.volume_may_exist(claim));
        let cluster = facts.and_then(|facts| facts.common.cluster.as_deref());
        let (mut tree, notes) = manifest(
            tree,
            Options {
                strip_finalizers: options.strip_finalizers,
                keeps_status: facts.is_some_and(|facts| facts.keeps_status),
                keeps_owner: &|uid| options.keep_owners && self.history.lives(cluster, uid),
                keeps_volume: options.keep_volumes && may_keep,
                keeps_addresses: options.keep_addresses,
                suspends: facts.is_some_and(|facts| facts.is_finished),
            },
        );
        let mut remarks: Vec<Remark> = notes
            .into_iter()
            .map(|note| self.remark(note, claim.as_ref()))
            .collect();
        remarks.extend(claim.as_ref().and_then(|claim| self.bound_later(claim)));
        let is_custom = facts.is_some_and(|facts| facts.is_custom);
        let known = facts.and_then(|facts| facts.version.as_deref());
        let change = put_into_served(&mut tree, is_custom, known, options.release);
        remarks.extend(change.map(|change| Remark::Version(StoredVersion { stored, change })));
        if facts.is_some_and(is_default_account) {
            remarks.push(Remark::DefaultAccount);
        }
        (tree, remarks)
    }

    /// The remark for a note of `manifest::manifest`. A note on a volume gets what the file has about that volume.
    fn remark(&self, note: manifest::Note, claim: Option<&Claim<'_>>) -> Remark {
        match note {
            manifest::Note::Owners => Remark::Owners,
            manifest::Note::ClusterAddresses(addresses) => Remark::ClusterAddresses(addresses),
            manifest::Note::HealthCheckPort(port) => Remark::HealthCheckPort(port),
            manifest::Note::LoadBalancer(addresses) => Remark::LoadBalancer(addresses),
            manifest::Note::Suspended => Remark::Suspended,
            manifest::Note::Volume { name, is_kept } => {
                // Only claims have this note. Any other object is read as a claim without names.
                let none = Claim::default();
                let claim = claim.unwrap_or(&none);
                Remark::Volume(self.claim_volume(claim, &name, is_kept))
            }
        }
    }

    /// What is known about the volume of a claim. `is_named`: the manifest still names the volume.
    fn claim_volume(&self, claim: &Claim<'_>, name: &str, is_named: bool) -> ClaimVolume {
        let comes_back = |volume: &InCluster| self.volumes_back.contains(volume);
        let named = (name, is_named);
        self.volumes
            .of_claim(claim, named, &self.history, &comes_back)
    }

    /// The remark on a claim that was bound only after the version that comes back: that version names no volume, but a
    /// PersistentVolume refers to the claim's uid.
    fn bound_later(&self, claim: &Claim<'_>) -> Option<Remark> {
        let is_bound = !manifest::text(&claim.object, &["spec", "volumeName"]).is_empty();
        let name = self.volumes.reserved_for(claim).filter(|_| !is_bound)?;
        Some(Remark::Volume(self.claim_volume(claim, name, false)))
    }

    /// Whether the volume of a claim exists or comes back, or the file does not show it. Kubernetes sets a claim to the
    /// phase `Lost` if it names a volume that does not exist, so such a name is removed.
    fn volume_may_exist(&self, claim: &Claim<'_>) -> bool {
        let name = manifest::text(&claim.object, &["spec", "volumeName"]);
        let volume = self.claim_volume(claim, name, true);
        matches!(
            volume.fate,
            VolumeFate::There { .. } | VolumeFate::ComesBack | VolumeFate::Unknown
        )
    }

    /// Reports an item whose YAML cannot be read back as the same object. Returns its decrypted value to write instead.
    pub fn not_loadable(&self, item: &Item, error: &impl ToString) -> Option<Vec<u8>> {
        let record = self.restored(item)?.record;
        self.question.objects().report_unreadable(&record, error);
        self.stored(item)
    }

    /// The stored value of an item, decrypted. None if it is still encrypted, or no version is retained.
    fn stored(&self, item: &Item) -> Option<Vec<u8>> {
        let record = self.restored(item)?.record;
        let value = self.question.objects().open(&record).ok()?;
        Some(value.into_owned())
    }
}

/// Whether a key is the Namespace object of a namespace in the scope. With `-n shop` and no address, the Namespace
/// `shop` is recovered too, although it is cluster-scoped.
fn is_namespace_of(key: &[u8], scope: &Scope, catalog: &Catalog) -> bool {
    let location = catalog.locate(key);
    let location = location.filter(|location| location.is_namespace());
    scope.namespaces.is_some()
        && location.is_some_and(|location| scope.covers(location.cluster, Some(location.name)))
}

/// Whether it is the ServiceAccount `default`, which a controller creates in each namespace.
fn is_default_account(facts: &Facts) -> bool {
    (facts.common.kind.as_str(), &*facts.name) == ("ServiceAccount", "default")
}
