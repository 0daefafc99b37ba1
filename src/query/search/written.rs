//! Which versions a field manager wrote, for `--manager`.

use std::collections::{HashMap, HashSet};

use crate::etcd::Events;
use crate::query::question::Question;
use crate::query::writers::ByManager;

/// The main revisions at which a manager wrote, by key.
#[derive(Debug)]
pub struct Written(HashMap<Box<[u8]>, HashSet<i64>>);

impl Written {
    /// Looks at all events of the keys; none if no manager is named.
    pub fn read(
        by_manager: &ByManager,
        question: &Question<'_>,
        covers: impl Fn(&[u8]) -> bool + Sync,
    ) -> Option<Self> {
        by_manager.name()?;
        let mut written: HashMap<Box<[u8]>, HashSet<i64>> = HashMap::new();
        for event in Events::read(question.store(), covers).iter() {
            if by_manager.wrote(&event, question.objects()) {
                let revisions = written.entry(event.record.key.into()).or_default();
                revisions.insert(event.record.revision.main);
            }
        }
        Some(Self(written))
    }

    /// Whether the manager wrote a key at a main revision.
    pub fn has(&self, key: &[u8], main: i64) -> bool {
        let revisions = self.0.get(key);
        revisions.is_some_and(|revisions| revisions.contains(&main))
    }
}
