//! What the recovery of deleted objects has to admit, as data. `view::recovery_notice` has the sentences.

use crate::k8s::controlled::Reason;
use crate::k8s::wall_clock::Bounds;

/// One thing that a recovery has to admit.
#[derive(Debug, Clone)]
pub enum RecoveryNotice {
    /// A namespace was deleted.
    NamespaceDeleted {
        /// Its name.
        name: String,
        /// The main revision at which its deletion began.
        began: i64,
        /// When that was.
        time: Bounds,
        /// How many objects in it were deleted, at which first and last main revision.
        objects: Option<(usize, i64, i64)>,
        /// The main revision of its own deletion.
        deleted_at: Option<i64>,
        /// Whether values are those from before the deletion began.
        is_before: bool,
    },
    /// What controllers create again is left out, by reason.
    LeftOut(Vec<(Reason, Kinds)>),
    /// Custom resources and their definitions come back: `kubectl apply` has to run twice.
    TwoRuns,
    /// Objects that were created while the deletion was in progress are left out.
    CreatedLate(Kinds),
    /// Values cannot be read, and do not come back.
    Unreadable(Keys),
    /// So many of all come from freed pages: a later version may be in no page.
    FromFreedPages {
        /// How many.
        count: usize,
        /// Of how many that come back.
        of: usize,
    },
    /// Objects are as they were after their deletion began.
    AfterDeletionBegan {
        /// The keys.
        keys: Keys,
        /// Whether freed pages were searched.
        is_carved: bool,
    },
    /// Versions after the one that comes back are in no page.
    Older(Keys),
    /// Values that are no objects are not in a stream of manifests.
    NoObjects(Keys),
    /// Manifests lack references to owners.
    WithoutOwners {
        /// The keys.
        keys: Keys,
        /// Whether references to owners that exist are kept.
        keeps_owners: bool,
    },
    /// Claims lack the volumes that they were bound to.
    WithoutVolumes(Keys),
}

/// Some keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// How many.
    pub count: usize,
    /// The first of them, or empty.
    pub first: Vec<u8>,
}

impl Keys {
    /// Some keys, in their order.
    pub fn new(keys: &[&[u8]]) -> Self {
        Self {
            count: keys.len(),
            first: keys.first().map(|key| key.to_vec()).unwrap_or_default(),
        }
    }
}

/// How many objects there are of each kind, the most frequent first; the kind of what is no object is `keys`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds(pub Vec<(String, usize)>);

impl Kinds {
    /// How many objects.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }
}
