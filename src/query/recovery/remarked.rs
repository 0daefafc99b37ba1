//! What a user has to know about all manifests that were made.

use serde_json::Value;

use crate::k8s::object::text;
use crate::k8s::release::{NEWEST, Release};
use crate::k8s::schema::is_known;

use super::super::not_converted::NotConverted;
use super::super::recovery_notice::{Keys, RecoveryNotice};
use super::super::served_version::VersionChange;
use super::{Remark, VolumeFate};

/// The most bytes that `kubectl apply` can put into the annotation with the manifest
/// (`k8s.io/apimachinery/pkg/api/validation`: TotalAnnotationSizeLimitB).
const APPLY_BYTES: usize = 262_144;

/// What the manifests have in common.
#[derive(Debug, Default)]
pub struct Remarked<'a> {
    owners: Vec<&'a [u8]>,
    volumes: Vec<&'a [u8]>,
    addresses: Vec<&'a [u8]>,
    /// What stays in a version that the release which was asked for does not serve.
    by_hand: NotConverted,
    /// What is in a version that the newest release does not serve.
    outdated: Vec<&'a [u8]>,
    /// Names of volumes that are reserved for a claim, or may be, and the uid of that claim.
    pub reserved: Vec<(String, String)>,
    /// How many manifests are too long for `kubectl apply`.
    pub too_long: usize,
}

impl<'a> Remarked<'a> {
    /// Adds the manifest of a key.
    pub fn add(&mut self, key: &'a [u8], manifest: &Value, remarks: &[Remark]) {
        let more = usize::from(is_too_long_to_apply(manifest));
        self.too_long = self.too_long.saturating_add(more);
        for remark in remarks {
            self.add_remark(key, remark);
        }
        let (api_version, kind) = (text(manifest, &["apiVersion"]), text(manifest, &["kind"]));
        if is_known(api_version, kind) && !NEWEST.serves(api_version, kind) {
            self.outdated.push(key);
        }
    }

    fn add_remark(&mut self, key: &'a [u8], remark: &Remark) {
        let to = match remark {
            Remark::Owners => &mut self.owners,
            Remark::Volume(volume) => {
                let uid = match &volume.fate {
                    VolumeFate::There { uid } => uid.clone(),
                    VolumeFate::Unknown => Some(volume.claim_uid.clone()),
                    _ => None,
                };
                let reserved = uid.map(|uid| (volume.name.clone(), uid));
                self.reserved.extend(reserved);
                &mut self.volumes
            }
            Remark::ClusterAddresses(_) | Remark::HealthCheckPort(_) | Remark::LoadBalancer(_) => {
                &mut self.addresses
            }
            Remark::Version(version) => {
                // A change by a definition is in a notice about all items.
                if let VersionChange::ByHand(_) | VersionChange::Removed = version.change {
                    self.by_hand.add(key, version);
                }
                return;
            }
            _ => return,
        };
        if to.last() != Some(&key) {
            to.push(key);
        }
    }

    /// The notices about all of them.
    pub fn notices(&self, keeps_owners: bool, release: Option<Release>) -> Vec<RecoveryNotice> {
        let keys = |keys: &[&[u8]]| (!keys.is_empty()).then(|| Keys::new(keys));
        let owners = keys(&self.owners);
        let owners = owners.map(|keys| RecoveryNotice::WithoutOwners { keys, keeps_owners });
        let volumes = keys(&self.volumes).map(RecoveryNotice::Volumes);
        let addresses = keys(&self.addresses).map(RecoveryNotice::Addresses);
        let versions = match release {
            Some(release) => self.by_hand.notice(release),
            None => {
                keys(&self.outdated).map(|keys| RecoveryNotice::Outdated(keys, NEWEST.to_string()))
            }
        };
        let notices = [owners, volumes, addresses, versions];
        notices.into_iter().flatten().collect()
    }
}

/// Whether the annotations would be too long with the manifest that `kubectl apply` adds to them.
fn is_too_long_to_apply(object: &Value) -> bool {
    let annotations = object.pointer("/metadata/annotations");
    let annotations = annotations.map_or(0, |all| all.to_string().len());
    annotations.saturating_add(object.to_string().len()) > APPLY_BYTES
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn annotations_and_the_manifest_together_are_what_apply_can_hold() {
        let object = |annotation: usize, data: usize| json!({"metadata": {"annotations": {"a": "x".repeat(annotation)}}, "data": {"k": "x".repeat(data)}});
        assert!(!is_too_long_to_apply(&object(0, 200_000)));
        assert!(is_too_long_to_apply(&object(0, 262_144)));
        assert!(is_too_long_to_apply(&object(131_072, 0)));
        assert!(!is_too_long_to_apply(&object(100_000, 10_000)));
    }
}
