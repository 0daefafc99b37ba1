//! The word after `--sort-by`.

use clap::ValueEnum;

use crate::cli::etcdctl;
use crate::query::live_objects::{JsonPath, JsonPathError};

/// The value of `--sort-by`.
#[derive(Debug, Clone)]
pub enum SortBy {
    /// kubectl's: a path into the object.
    Path(JsonPath),
    /// etcdctl's: a counter of the record.
    Field(etcdctl::SortBy),
}

impl SortBy {
    /// Reads a path or the name of a field.
    ///
    /// # Errors
    /// When the path has no meaning.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        match etcdctl::SortBy::from_str(text, true) {
            Ok(field) => Ok(Self::Field(field)),
            Err(_) => JsonPath::parse_relaxed(text).map(Self::Path),
        }
    }
}
