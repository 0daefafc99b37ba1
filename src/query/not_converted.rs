//! The objects that stay in a version which is not served, by version.

use std::collections::BTreeMap;

use super::recovery_notice::{Keys, RecoveryNotice};
use super::served_version::{Release, StoredVersion, VersionChange};

/// The objects that stay in a version which is not served.
#[derive(Debug, Default)]
pub(super) struct NotConverted(BTreeMap<StoredVersion, Keys>);

impl NotConverted {
    /// Adds the object of a key, unless it was converted.
    pub(super) fn add(&mut self, key: &[u8], version: &StoredVersion) {
        if matches!(
            version.change,
            VersionChange::To(_) | VersionChange::Fields(_)
        ) {
            return;
        }
        match self.0.get_mut(version) {
            Some(keys) => keys.count = keys.count.saturating_add(1),
            None => drop(self.0.insert(version.clone(), Keys::new(&[key]))),
        }
    }

    /// The notice about them; none if there are none.
    pub(super) fn notice(&self, release: Release) -> Option<RecoveryNotice> {
        let versions: Vec<_> = self
            .0
            .iter()
            .map(|(version, keys)| (version.clone(), keys.clone()))
            .collect();
        let release = release.to_string();
        (!versions.is_empty()).then_some(RecoveryNotice::NotConverted { release, versions })
    }
}
