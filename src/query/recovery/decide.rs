//! Whether each deleted object comes back, or why not.

use crate::k8s::catalog::Catalog;

use super::super::deletions::{Item, ObjectHistory};
use super::super::left_out::{Kept, LeftOut};
use super::volumes::Volumes;

/// The data that the decision depends on.
pub struct Decision<'d> {
    /// All objects of the store.
    pub history: &'d ObjectHistory,
    /// The volumes.
    pub volumes: &'d Volumes,
    /// The resources.
    pub catalog: &'d Catalog,
    /// The compacted revision.
    pub compacted: i64,
    /// The reasons that flags of the command line switch off.
    pub kept: &'d Kept,
    /// Whether an object is left out that was deleted before its namespace or its release. Not if the user asked for a
    /// revision, a range or the object itself.
    pub leaves_out_before: bool,
}

impl Decision<'_> {
    /// Decides about each item.
    pub fn decide(&self, items: &mut [Item]) {
        for item in items {
            item.left_out = self.left_out(item);
        }
    }

    fn left_out(&self, item: &Item) -> Option<LeftOut> {
        if item.is_made_again {
            return Some(LeftOut::MadeAgain);
        }
        if !item.is_restored {
            return Some(LeftOut::CreatedLate);
        }
        let facts = item.facts.as_deref();
        let reason = facts.and_then(|facts| facts.reason);
        let is_volume = facts.is_some_and(|facts| facts.common.kind == "PersistentVolume");
        let reasons = [
            reason.map(LeftOut::Controlled),
            self.is_before(item).then_some(LeftOut::Before),
            facts
                .is_some_and(|facts| facts.is_finished)
                .then_some(LeftOut::Finished),
            facts
                .filter(|_| is_volume)
                .map(|facts| (facts.common.cluster.clone(), facts.name.to_string()))
                .filter(|volume| self.volumes.is_storage_gone(volume, self.history))
                .map(|_| LeftOut::StorageGone),
        ];
        let mut reasons = reasons.into_iter().flatten();
        let left_out = reasons.find(|reason| !self.kept.keeps(*reason));
        left_out.or_else(|| item.unreadable.map(|_| LeftOut::Unreadable))
    }

    /// Whether an object was deleted by itself, before the deletion of its namespace or its release began, or by an
    /// upgrade of its release.
    fn is_before(&self, item: &Item) -> bool {
        if !self.leaves_out_before {
            return false;
        }
        // If no page has the deletion, it happened at the compacted revision at the latest.
        let deleted_at = item.deleted_at.unwrap_or(self.compacted);
        let location = self.catalog.locate(&item.key);
        let namespace = location.and_then(|location| location.namespace_of());
        let namespace = namespace.and_then(|namespace| self.history.final_deletion(&namespace));
        let release = item
            .facts
            .as_ref()
            .and_then(|facts| facts.release.as_deref());
        let is_upgrade = |release| {
            let deleted_at = item.deleted_at;
            deleted_at.is_some_and(|main| self.history.releases.is_upgrade(release, main))
        };
        if release.is_some_and(is_upgrade) {
            return true;
        }
        let release = release.and_then(|release| self.history.releases.uninstalled(release));
        let began = namespace.into_iter().chain(release);
        began.into_iter().any(|from| deleted_at < from)
    }
}
