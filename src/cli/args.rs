//! Arguments that several verbs share.

use std::path::PathBuf;

/// The database to read.
#[derive(Debug, clap::Args)]
pub struct Database {
    /// A db file, a snapshot file, or a data directory
    #[arg(value_name = "DB")]
    pub db: PathBuf,
}

/// The revision to answer for.
#[derive(Debug, clap::Args)]
pub struct At {
    /// Answer as of this main revision instead of the newest
    #[arg(long, aliases = ["rev", "revision"], value_name = "REV", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(1..))]
    pub at: Option<i64>,
}
