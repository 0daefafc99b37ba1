//! What the write-ahead log of an unusable database gives, as data.

use std::path::PathBuf;

/// What the log of an unusable database gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogReach {
    /// It begins with the first entry of its cluster.
    All {
        /// The last entry whose effect is certain.
        until: u64,
        /// The revision after it.
        revision: i64,
        /// Why not the later ones; none if there are none.
        stopped: Option<&'static str>,
    },
    /// It continues another database of the folder, which can be used.
    Continues(PathBuf),
    /// It begins with this entry. The records before it were in the database alone.
    BeginsAt(u64),
    /// It continues a restored snapshot, whose records were in the database alone.
    Restored,
    /// It has no entry.
    NoEntries,
}
