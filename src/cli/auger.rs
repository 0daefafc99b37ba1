//! The arguments that the verbs with the syntax of auger share.

use std::path::PathBuf;

/// The database, as the first argument or as `--file`, which auger has.
#[derive(Debug, clap::Args)]
pub struct DatabaseOrFile {
    /// A db file, snapshot, data directory or archive; - is stdin
    ///
    /// A copied member/snap/db, a file of `etcdctl snapshot save`, a data directory, or a folder of backups of
    /// etcd-backup-restore. Each may be compressed or in an archive; ARCHIVE::path names one of several in it.
    #[arg(value_name = "DB", required_unless_present = "file")]
    db: Option<PathBuf>,
    /// The database, as auger names it
    #[arg(short, long, value_name = "DB", conflicts_with = "db")]
    file: Option<PathBuf>,
}

impl DatabaseOrFile {
    /// Whether it was given by `--file`.
    pub fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// The database that was given, in whichever way.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.db.iter().chain(&self.file).cloned().collect()
    }
}
