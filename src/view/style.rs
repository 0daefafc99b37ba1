//! What text means, as colour. Meaning is never carried by colour alone.

/// The meaning of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Ordinary text.
    Plain,
    /// What was added, or is well.
    Added,
    /// What was removed, or is wrong.
    Removed,
    /// What was changed, or wants attention.
    Changed,
    /// A heading: a key, a revision.
    Heading,
    /// Less important.
    Faint,
}

impl Style {
    /// The terminal's sequence which starts it. Each starts with a reset, so styles do not add up.
    pub fn escape(self) -> &'static str {
        match self {
            Self::Plain => "\x1b[0m",
            Self::Added => "\x1b[0;32m",
            Self::Removed => "\x1b[0;31m",
            Self::Changed => "\x1b[0;33m",
            Self::Heading => "\x1b[0;1m",
            Self::Faint => "\x1b[0;2m",
        }
    }
}
