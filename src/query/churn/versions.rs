//! The versions of keys, each decoded once: an update is compared with the version before it, which was the last one of the
//! same key. So events have to come key by key.

use serde_json::Value;

use crate::etcd::{Record, Revision};
use crate::k8s::diff::FieldChange;
use crate::k8s::managed_fields::{ObjectMeta, object_meta};
use crate::k8s::object::{is_object, is_secret_key};
use crate::query::compare::{Changed, Comparison};
use crate::query::event_log::{Event, EventType};
use crate::query::objects::Objects;
use crate::query::writers::managers_between;

/// A version of a key as it was decoded.
#[derive(Debug)]
struct Version {
    revision: Revision,
    /// Its tree; none if it cannot be read.
    tree: Option<Value>,
    /// Its metadata, if it is an object.
    meta: Option<ObjectMeta>,
}

/// What an event did.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The managers that wrote it; empty if the file does not show them.
    pub(super) managers: Vec<String>,
    /// What an update changed; none for other events, and if the version before is not retained.
    pub(super) fields: Option<Vec<FieldChange>>,
}

/// Reads the versions of events.
#[derive(Debug)]
pub(super) struct Versions<'q> {
    objects: &'q Objects<'q>,
    comparison: Comparison<'q>,
    /// The last version that was read.
    last: Option<Version>,
}

impl<'q> Versions<'q> {
    /// No version yet.
    pub(super) fn new(objects: &'q Objects<'q>, comparison: Comparison<'q>) -> Self {
        Self {
            objects,
            comparison,
            last: None,
        }
    }

    /// What an event did. The managers are those that `log` shows.
    pub(super) fn read(&mut self, event: &Event<'_>) -> Written {
        let last = self.last.take();
        if event.event_type == EventType::Delete {
            return Written::default();
        }
        let new = self.version(&event.record);
        let mut written = Written::default();
        if event.event_type == EventType::Create {
            let meta = new.meta.as_ref();
            written.managers = meta.map_or_else(Vec::new, |meta| {
                managers_between(event.record.key, None, meta)
            });
        } else if let Some(previous) = &event.previous {
            let known = last.filter(|last| last.revision == previous.revision);
            let old = known.unwrap_or_else(|| self.version(previous));
            if let (Some(old), Some(new)) = (&old.meta, &new.meta) {
                written.managers = managers_between(event.record.key, Some(old), new);
            }
            written.fields = Some(self.fields(event, &old, &new));
        }
        self.last = Some(new);
        written
    }

    /// What an update changed.
    fn fields(&mut self, event: &Event<'_>, old: &Version, new: &Version) -> Vec<FieldChange> {
        let changed = Changed::from_event(event);
        match (&old.tree, &new.tree) {
            (Some(old), Some(new)) => self.comparison.fields_between(&changed, old, new),
            _ => self.comparison.fields(&changed),
        }
    }

    /// Decodes a version.
    fn version(&self, record: &Record<'_>) -> Version {
        let tree = self.comparison.tree(record);
        let meta = match &tree {
            // In the tree of a Secret, what may be a part of a secret is already moved.
            _ if is_secret_key(record.key) => {
                let object = self.objects.object(record);
                object.as_ref().and_then(object_meta)
            }
            Some(tree) if is_object(tree) => object_meta(tree),
            _ => None,
        };
        Version {
            revision: record.revision,
            tree,
            meta,
        }
    }
}
