//! One pass over a store for the times in its values.
//!
//! Reading the times of a value needs no other value, and is done on all cores; comparing them with the key's version
//! before is done in the order of writing. Of each key there is kept what the next version is compared with: hashes,
//! not the value and not the key. A pass that reads all values for something else can collect the times as well.

use crate::compact_map::CompactMap;
use crate::etcd::{Record, Revision, Store};
use crate::fast_map::hash_in_this_run;
use crate::k8s::anchors::{Anchor, Digest, Previous, Times};
use crate::k8s::encrypt::Keyring;
use crate::k8s::wall_clock::{Point, Points};
use crate::parallel::read_all;

/// Collects the times of a store, record by record.
#[derive(Debug, Default)]
pub(in crate::query) struct TimesFold {
    pub(super) points: Points,
    pub(super) closed: u64,
    pub(super) oldest: Option<i64>,
    pub(super) newest: Option<i64>,
    /// What the next version of each key is compared with.
    keys: CompactMap<u64, Digest>,
}

/// The parts of a record from which times are read.
#[derive(Debug)]
pub(in crate::query) struct Seen {
    revision: Revision,
    /// The hash of the key. If those of two keys are equal, some times are lost and none is wrong: the versions of one key
    /// do not continue those of the other.
    key: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Deletion,
    /// A value that is still encrypted.
    Closed,
    Put {
        create_revision: i64,
        version: i64,
        times: Option<Times>,
    },
}

pub(super) fn fold(store: &Store<'_>, keyring: &Keyring) -> TimesFold {
    let mut fold = TimesFold::default();
    let beside = read_all(store.additional(), |record| Seen::read(record, keyring));
    let mut beside = beside.into_iter().peekable();
    store.visit_state_records(
        |record| (!record.is_bump_mark()).then(|| Seen::read(record, keyring)),
        |seen, _| {
            while let Some(before) = beside.next_if(|before| before.revision < seen.revision) {
                fold.add(before);
            }
            fold.add(seen);
        },
    );
    for seen in beside {
        fold.add(seen);
    }
    fold
}

impl Seen {
    /// Reads the times of a record.
    pub(in crate::query) fn read(record: &Record<'_>, keyring: &Keyring) -> Self {
        if record.tombstone {
            return Self::new(record, Ok(None));
        }
        let value = keyring.decrypt(record.key, record.value);
        let times = value.map(|value| Times::read(&value));
        Self::new(record, times.map_err(|_| StillEncrypted))
    }

    /// The same with the times of a value that was read already. None are those of a value that is no object.
    pub(in crate::query) fn new(
        record: &Record<'_>,
        times: Result<Option<Times>, StillEncrypted>,
    ) -> Self {
        let content = match times {
            _ if record.tombstone => Content::Deletion,
            Err(StillEncrypted) => Content::Closed,
            Ok(times) => Content::Put {
                create_revision: record.create_revision,
                version: record.version,
                times,
            },
        };
        Self {
            revision: record.revision,
            key: hash_in_this_run(record.key),
            content,
        }
    }
}

/// A value is still encrypted.
#[derive(Debug, Clone, Copy)]
pub(in crate::query) struct StillEncrypted;

impl TimesFold {
    /// Frees what only further records need.
    pub(super) fn without_keys(self) -> Self {
        Self {
            keys: CompactMap::default(),
            ..self
        }
    }

    /// Adds the next record.
    pub(in crate::query) fn add(&mut self, seen: Seen) {
        let main = seen.revision.main;
        // In a damaged file records may come in another order than that of revisions.
        self.oldest = Some(self.oldest.map_or(main, |oldest| oldest.min(main)));
        self.newest = self.newest.max(Some(main));
        let (create_revision, version, times) = match seen.content {
            Content::Put {
                create_revision,
                version,
                times,
            } => (create_revision, version, times.unwrap_or_default()),
            Content::Deletion | Content::Closed => {
                self.keys.remove(&seen.key);
                let is_closed = matches!(seen.content, Content::Closed);
                self.closed = self.closed.saturating_add(u64::from(is_closed));
                return;
            }
        };
        let source = (main, seen.revision.sub);
        let points = &mut self.points;
        self.keys.update(seen.key, |last| {
            let follows = |last: &&Digest| {
                last.is_for(create_revision, version.saturating_sub(1)) && version > 1
            };
            let before = match last.filter(follows) {
                _ if version == 1 => Previous::Absent,
                Some(last) => Previous::Version(last),
                None => Previous::Unknown,
            };
            if let Some(anchor) = Anchor::from_times(&times, before) {
                points.add(Point::new(main, anchor, source));
            }
            // The oldest retained version of a key has the creation time, which is the time of its first version.
            if let (Previous::Unknown, Some(anchor)) = (before, times.created())
                && (1..main).contains(&create_revision)
            {
                points.add(Point::new(create_revision, anchor, source));
            }
            times.digest(create_revision, version)
        });
    }
}
