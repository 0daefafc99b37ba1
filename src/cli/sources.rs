//! `--carve` and `--wal`: where records are looked for in addition to the state of the database.

use std::path::PathBuf;

use crate::query::Origins;

/// Where records are looked for in addition to the state of the database.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Sources {
    /// Also read what freed pages still contain
    ///
    /// Versions that were removed by a compaction, and commits that were lost, as long as etcd has not overwritten
    /// their pages.
    #[arg(long, help_heading = "More sources")]
    pub carve: bool,
    /// Also read the write-ahead log
    ///
    /// Adds writes that were acknowledged but are not in the database yet, and versions that were removed by a
    /// compaction, if their revisions are certain. The log is the one in the data directory, or the one in DIR.
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, help_heading = "More sources")]
    pub wal: Option<Option<PathBuf>>,
}

impl Sources {
    /// The origins that were asked for.
    pub fn origins(&self) -> Origins {
        Origins::new(self.carve, self.wal.clone())
    }
}
