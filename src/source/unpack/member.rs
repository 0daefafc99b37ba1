//! A member of an archive, and what it is.

use super::packing::Content;

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its path in the archive.
    pub path: String,
    /// Its length in bytes, as the archive states it.
    pub len_bytes: u64,
    /// What it is.
    pub kind: MemberKind,
}

/// What a member of an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKind {
    /// A database.
    Database,
    /// A compressed database; the name of the method.
    CompressedDatabase(&'static str),
    /// A delta snapshot of etcd-backup-restore.
    Delta,
    /// A compressed file or an archive of something else, or it is not known of what; the name of the method.
    Packed(&'static str),
    /// A segment of a write-ahead log.
    Log,
    /// It is protected by a password.
    Encrypted,
    /// Something else.
    Other,
    /// It was not looked at, because another member was asked for.
    Unknown,
}

impl MemberKind {
    /// The kind of a member whose content is known.
    pub(super) fn from_content(content: Content) -> Self {
        match content {
            Content::Database => Self::Database,
            Content::Delta => Self::Delta,
            Content::Compressed(packing, true) => Self::CompressedDatabase(packing.name()),
            Content::Compressed(packing, false) => Self::Packed(packing.name()),
            Content::Tar => Self::Packed("tar"),
            Content::Zip => Self::Packed("zip"),
            Content::Log => Self::Log,
            Content::Other => Self::Other,
        }
    }

    /// Whether it is a database, compressed or not.
    pub(super) fn is_database(self) -> bool {
        matches!(self, Self::Database | Self::CompressedDatabase(_))
    }
}
