//! The notices about the recovery of deleted objects, as data. `view::recovery_notice` puts them into words.

use std::path::PathBuf;

use crate::k8s::wall_clock::Bounds;

use super::left_out::LeftOut;
use super::served_version::StoredVersion;

/// One limit of a recovery, or one fact that its user needs.
#[derive(Debug, Clone)]
pub enum RecoveryNotice {
    /// A namespace was deleted.
    NamespaceDeleted {
        /// Its logical cluster, in a store with more than one.
        cluster: Option<String>,
        /// Its name.
        name: String,
        /// The main revision at which its deletion began.
        began: i64,
        /// When that was.
        time: Bounds,
        /// How many objects were deleted with it, and the first and the last main revision of these deletions.
        objects: Option<(usize, i64, i64)>,
        /// The main revision of its own deletion.
        deleted_at: Option<i64>,
        /// Whether values are those from before the deletion began.
        is_before: bool,
    },
    /// A namespace exists and has a deletion timestamp.
    NamespaceTerminating {
        /// Its logical cluster, in a store with more than one.
        cluster: Option<String>,
        /// Its name.
        name: String,
        /// The main revision from which it has it.
        began: i64,
        /// When that was.
        time: Bounds,
        /// How many objects are still in it.
        still_there: usize,
        /// The newest revision before, if it is retained.
        before: Option<i64>,
    },
    /// Objects exist and have a deletion timestamp: their finalizers have to be removed first.
    ObjectsTerminating(Vec<Terminating>, usize),
    /// A key was deleted, and was written again since: an earlier life of an object that exists now.
    EarlierLives(Vec<EarlierLife>, usize),
    /// So many keys exist that were deleted and written again; nobody asked for one of them.
    MadeAgain(Keys),
    /// Custom resources and their definitions come back: kubectl has to run twice.
    TwoRuns,
    /// Manifests of several logical clusters are in one stream: how many clusters, and the first of them.
    SeveralClusters(usize, String),
    /// How to create the objects of folders, and what `kubectl apply` would do instead.
    Create {
        /// The folders: one for each logical cluster, if there are several.
        folders: Vec<PathBuf>,
        /// How many manifests are too long for the annotation that `kubectl apply` writes.
        too_long: usize,
    },
    /// Custom resources come back. Their definition was deleted and was not asked for.
    WithoutDefinition(Vec<String>, Keys),
    /// Configurations of webhooks come back that refuse what they cannot be asked about.
    StrictWebhooks(Keys),
    /// Configurations of webhooks exist that ask a service which comes back without a running pod.
    AskedServices(Keys),
    /// Limits come back that may refuse claims which are not bound yet.
    Limits(Keys),
    /// The controller of service accounts makes accounts of these names, too.
    DefaultAccounts(Keys),
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
    Older {
        /// The keys.
        keys: Keys,
        /// Whether freed pages were searched.
        is_carved: bool,
    },
    /// Manifests lack the names of fields.
    Incomplete(Keys),
    /// Values that are no objects are not in a stream of manifests.
    NoObjects {
        /// The keys.
        keys: Keys,
        /// Whether the store contains Kubernetes objects.
        is_kubernetes: bool,
    },
    /// How a value that is no object is put back.
    PutBack {
        /// The first key; none if no shell can have it as a word.
        key: Option<String>,
        /// The file with its value.
        file: PathBuf,
    },
    /// Manifests lack references to owners.
    WithoutOwners {
        /// The keys.
        keys: Keys,
        /// Whether references to owners that exist are kept.
        keeps_owners: bool,
    },
    /// The first lines of the manifests of claims have comments about their volumes.
    Volumes(Keys),
    /// The first lines of the manifests of services have comments with their former addresses.
    Addresses(Keys),
    /// No version of the object's kind is served in which it is stored.
    NotServed(Keys),
    /// Objects stay in a version that the release or their definition does not serve.
    NotConverted {
        /// The release.
        release: String,
        /// The objects of each version, and what to do with them.
        versions: Vec<(StoredVersion, Keys)>,
    },
    /// Objects are in a version that the newest release does not serve, and its name.
    Outdated(Keys, String),
    /// The script that frees the volumes of claims.
    VolumeScript(PathBuf),
    /// What comes back and what does not, by reason.
    Summary(Summary),
}

impl RecoveryNotice {
    /// How the value of a key, which is in a file, is put back.
    pub fn put_back(key: &[u8], file: PathBuf) -> Self {
        let is_word = |key: &&str| !key.is_empty() && !key.contains(char::is_control);
        let key = std::str::from_utf8(key).ok().filter(is_word);
        Self::PutBack {
            key: key.map(str::to_owned),
            file,
        }
    }
}

/// An object that has a deletion timestamp, and still exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminating {
    /// Its key.
    pub key: Vec<u8>,
    /// The main revision from which it has it.
    pub began: i64,
    /// The finalizers that have to be removed before it is deleted.
    pub finalizers: Vec<String>,
    /// The newest revision before, if it is retained.
    pub before: Option<i64>,
}

/// An earlier life of a key that was written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierLife {
    /// The key.
    pub key: Vec<u8>,
    /// The main revision that ended it; none if its deletion is not retained.
    pub deleted_at: Option<i64>,
    /// The main revision of its last version before the deletion began.
    pub last: i64,
}

/// What comes back and what does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// What comes back.
    pub back: Kinds,
    /// How many of these lack the names of fields.
    pub incomplete: usize,
    /// What does not, by reason.
    pub left_out: Vec<(LeftOut, Kinds)>,
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
