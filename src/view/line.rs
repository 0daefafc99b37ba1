//! A line for standard error.

/// A line for standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A fact.
    Note(String),
    /// What can be done.
    Hint(String),
}
