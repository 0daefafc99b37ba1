//! The fields of Kubernetes' built-in types: a generated table, and lookups in it.
//!
//! The table is the union of many releases, generated from the Go types (see `gen/README.md`). For each field it has
//! what [`mod@super::decode`] needs to turn protobuf into the JSON that Go would print: number, JSON name, shape,
//! `omitempty` and `omitzero`, and the location of fields of inlined structs. The table is static data; nothing is
//! parsed or built at start. `pack` explains its memory layout.

mod pack;
mod rows;
mod table;

pub use pack::{Block, MAX_SLOTS, Message, Slot, Target};
pub use rows::{Card, Kind};
pub use table::Type;

use pack::{KINDS, MESSAGES, PackedRoot};

/// A kind in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownKind {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version in the group.
    pub version: &'static str,
    /// The kind; lists (`PodList`) are kinds too.
    pub kind: &'static str,
    /// Minor release of the oldest module in the table that has the kind (17 is Kubernetes 1.17).
    pub first_minor: u8,
    /// Minor release of the newest module in the table that has the kind.
    pub last_minor: u8,
}

/// The message type of `kind` in `api_version` (`v1`, `apps/v1`), or None if it is not in the table.
#[must_use]
pub fn root(api_version: &str, kind: &str) -> Option<&'static Message> {
    LastRoot::default().find(api_version, kind)
}

/// The kind that was found last. In a store, objects of the same kind follow each other, so it is tried first.
#[derive(Debug, Default)]
pub struct LastRoot {
    /// Its index in the table.
    at: usize,
}

impl LastRoot {
    /// The message type of `kind` in `api_version`, as [`root()`] finds it.
    pub fn find(&mut self, api_version: &str, kind: &str) -> Option<&'static Message> {
        let is_same = |k: &&PackedRoot| k.kind() == kind && k.api_version() == api_version;
        let root = match KINDS.get(self.at).filter(is_same) {
            Some(root) => root,
            None => {
                self.at = KINDS
                    .binary_search_by(|k| {
                        k.api_version()
                            .cmp(api_version)
                            .then_with(|| k.kind().cmp(kind))
                    })
                    .ok()?;
                KINDS.get(self.at)?
            }
        };
        message(root.message_type)
    }
}

/// Whether the table has `kind` in `api_version`.
#[must_use]
pub fn is_known(api_version: &str, kind: &str) -> bool {
    root(api_version, kind).is_some()
}

/// All kinds, sorted by apiVersion and kind.
pub fn kinds() -> impl ExactSizeIterator<Item = KnownKind> {
    KINDS.iter().map(known_kind)
}

/// The message type with this index ([`Slot::message_type`], [`Block::message_type`]).
#[must_use]
#[inline]
pub fn message(index: u16) -> Option<&'static Message> {
    MESSAGES.get(usize::from(index))
}

/// The type of `metadata`, which is field 1 of every object, whether its kind is in the table or not.
#[must_use]
pub fn object_meta() -> Option<&'static Message> {
    message(Type::MetaV1ObjectMeta as u16)
}

/// Unpacks a kind.
fn known_kind(k: &PackedRoot) -> KnownKind {
    let (group, version) = k
        .api_version()
        .rsplit_once('/')
        .unwrap_or(("", k.api_version()));
    KnownKind {
        group,
        version,
        kind: k.kind(),
        first_minor: k.first,
        last_minor: k.last,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::k8s::order::natural_cmp;

    #[test]
    fn kinds_are_found_by_api_version_and_kind() {
        assert!(is_known("v1", "Pod"));
        assert!(is_known("apps/v1", "Deployment"));
        assert!(is_known("scheduling.k8s.io/v1alpha1", "Workload"));
        assert!(is_known(
            "internal.apiserver.k8s.io/v1alpha1",
            "StorageVersion"
        ));
        assert!(!is_known("v1", "Deployment"));
        assert!(!is_known("", ""));
        let mut last = LastRoot::default();
        for k in kinds() {
            let api = if k.group.is_empty() {
                k.version.to_owned()
            } else {
                format!("{}/{}", k.group, k.version)
            };
            assert!(is_known(&api, k.kind), "{k:?}");
            // The first time it is searched, the second time it is the last one.
            for _ in 0..2 {
                let found = last.find(&api, k.kind);
                let wanted = root(&api, k.kind);
                assert!(found.is_some_and(|found| wanted.is_some_and(|w| std::ptr::eq(w, found))));
            }
            assert!(last.find(&api, "NoSuchKind").is_none());
            assert!(k.first_minor <= k.last_minor);
        }
    }

    #[test]
    fn every_slot_is_found_by_its_number_and_every_reference_leads_to_a_type() {
        for m in &MESSAGES {
            let mut reached = 0;
            for number in 0..=1000 {
                match m.find(number) {
                    Some(Target::Slot(i)) => {
                        assert_eq!(u32::from(m.slots()[i].number), number);
                        reached += 1;
                    }
                    Some(Target::Block(b)) => {
                        let inner = message(b.message_type).unwrap().slots();
                        for (i, s) in inner.iter().enumerate() {
                            assert_eq!(m.slots()[usize::from(b.base) + i].name(), s.name());
                        }
                        reached += inner.len();
                    }
                    None => {}
                }
            }
            assert_eq!(reached, m.slots().len());
            assert!(
                m.slots()
                    .iter()
                    .all(|s| message(s.message_type).is_some() && !s.name().is_empty())
            );
        }
    }

    #[test]
    fn a_key_is_the_json_name_and_needs_no_quotes() {
        for slot in MESSAGES.iter().flat_map(|m| m.slots()) {
            assert_eq!(slot.key().as_str(), slot.name());
            assert_eq!(slot.key().json(), format!(",\"{}\":", slot.name()));
            let mut bytes = slot.name().bytes();
            assert!(bytes.all(|b| b.is_ascii_alphanumeric() || b"$-.".contains(&b)));
        }
    }

    #[test]
    fn places_are_the_inverse_of_the_orders() {
        for m in &MESSAGES {
            for (order, places) in [
                (m.sorted(), m.sorted_places()),
                (m.natural(), m.natural_places()),
            ] {
                let place = |index: &u8| usize::from(places[usize::from(*index)]);
                assert!(order.iter().map(place).eq(0..m.slots().len()));
            }
        }
    }

    #[test]
    fn the_generated_orders_are_those_of_the_decoder() {
        for m in &MESSAGES {
            let names = |order: &[u8]| {
                order
                    .iter()
                    .map(|i| m.slots()[usize::from(*i)].name())
                    .collect::<Vec<_>>()
            };
            assert!(names(m.sorted()).is_sorted());
            for pair in names(m.natural()).windows(2) {
                assert!(natural_cmp(pair[0], pair[1]).is_lt(), "{pair:?}");
            }
        }
    }
}
