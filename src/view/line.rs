//! A line for standard error, or a table below one.

use super::rows::Rows;

/// A line for standard error.
#[derive(Debug)]
pub enum Line {
    /// A fact.
    Note(String),
    /// What can be done.
    Hint(String),
    /// What a fact before it is about.
    Table(Rows),
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Note(a), Self::Note(b)) | (Self::Hint(a), Self::Hint(b)) => a == b,
            (Self::Table(a), Self::Table(b)) => a.text() == b.text(),
            _ => false,
        }
    }
}
