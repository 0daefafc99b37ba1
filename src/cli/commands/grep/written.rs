//! Which versions a field manager wrote, for `--manager`.

use std::collections::{HashMap, HashSet};

use crate::cli::objects::Objects;
use crate::cli::select::Selection;
use crate::cli::writers::ByManager;
use crate::etcd::{Events, Store};

/// The main revisions at which a manager wrote, by key.
#[derive(Debug)]
pub(super) struct Written(HashMap<Box<[u8]>, HashSet<i64>>);

impl Written {
    /// Looks at all events of the selected keys; none if no manager is named.
    pub(super) fn new(
        by_manager: &ByManager,
        store: &Store<'_>,
        selection: &Selection,
        objects: &Objects<'_>,
    ) -> Option<Self> {
        by_manager.name()?;
        let mut written: HashMap<Box<[u8]>, HashSet<i64>> = HashMap::new();
        for event in Events::of(store, |key| selection.covers(key)).iter() {
            if by_manager.wrote(&event, objects) {
                let revisions = written.entry(event.record.key.into()).or_default();
                revisions.insert(event.record.revision.main);
            }
        }
        Some(Self(written))
    }

    /// Whether the manager wrote a key at a main revision.
    pub(super) fn has(&self, key: &[u8], main: i64) -> bool {
        let revisions = self.0.get(key);
        revisions.is_some_and(|revisions| revisions.contains(&main))
    }
}
