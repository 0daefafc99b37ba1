//! Which release of etcd wrote a database. No field names it: each release added keys to bucket `meta`
//! (`server/storage/schema/schema.go`).

use super::schema::MetaBucket;

/// The release by the newest key of bucket `meta` that a release added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// 3.6 or later: bucket `meta` has the storage version. The text is that version without its patch number: `3.6`.
    Storage(String),
    /// 3.5, which added the raft term and the voters to bucket `meta`. A member of release 3.6 looks the same until the
    /// whole cluster is upgraded.
    Term,
    /// 3.4 or earlier: bucket `meta` has a consistent index, and nothing that later releases added.
    Index,
}

impl Release {
    /// The release by bucket `meta`; `None` if the bucket has nothing that shows it.
    #[must_use]
    pub fn infer(meta: &MetaBucket) -> Option<Self> {
        if let Some(version) = &meta.storage_version {
            let mut parts = version.splitn(3, '.');
            let minor = [parts.next(), parts.next()].map(Option::unwrap_or_default);
            return Some(Self::Storage(minor.join(".")));
        }
        if meta.term.is_some() || meta.conf_state.is_some() {
            return Some(Self::Term);
        }
        meta.consistent_index.map(|_| Self::Index)
    }
}
