//! `--carve` and `--wal`: where records are looked for in addition to the state of the database.

use std::path::PathBuf;

use crate::query::Origins;

/// Where records are looked for in addition to the state of the database.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Sources {
    /// Take in what freed pages still hold: versions that were compacted away, and lost commits
    #[arg(long)]
    pub carve: bool,
    /// Take in what the write-ahead log has: writes that were acknowledged and are not in the database yet, and versions
    /// that were compacted away, where their revisions are certain. The log is that in the data directory, or in DIR
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    pub wal: Option<Option<PathBuf>>,
}

impl Sources {
    /// The origins that were asked for.
    pub fn origins(&self) -> Origins {
        Origins::new(self.carve, self.wal.clone())
    }
}
