//! Errors: the file cannot be opened as a bbolt file at all. Everything about content is a [`crate::diag::Diagnostic`].

use crate::source::SourceError;

use super::meta::{Meta, MetaError};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened as evidence.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no bbolt page in the file.
    #[error("no bbolt page found")]
    NotBbolt,
    /// There are bbolt pages, but neither meta page is valid.
    #[error("neither meta page is valid (page size {page_size}): meta 0: {}, meta 1: {}", reason(.first), reason(.second))]
    NoMeta {
        /// Page size in bytes, found from the pages.
        page_size: usize,
        /// What is wrong with meta 0.
        first: Result<Meta, MetaError>,
        /// What is wrong with meta 1.
        second: Result<Meta, MetaError>,
    },
    /// There is a valid meta page, but its root page and all pages of records are missing.
    #[error("no state can be read: the root page {root} is missing, and no page has records")]
    NoRoot {
        /// The root page.
        root: u64,
    },
    /// The older meta page was requested, and it names no former state.
    #[error("there is no former state: {why}")]
    NoFormerState {
        /// Why not.
        why: String,
    },
    /// The requested meta page names no state.
    #[error("meta {index} cannot be used: {why}")]
    MetaByHand {
        /// Which one, 0 or 1.
        index: usize,
        /// What is wrong with it.
        why: String,
    },
}

fn reason(meta: &Result<Meta, MetaError>) -> String {
    meta.as_ref()
        .err()
        .map_or_else(|| "valid".to_owned(), ToString::to_string)
}
