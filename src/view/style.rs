//! How text for people looks: colour, width, and what is done to text from the file. Meaning is never
//! carried by colour alone.

use std::borrow::Cow;

/// What surrounds a piece of text: two escape sequences, or nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paint {
    /// Written before.
    pub before: &'static str,
    /// Written after.
    pub after: &'static str,
}

/// How text for people looks. The default: no colour, nothing cut, nothing cleaned.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Lines of what is new.
    pub added: Paint,
    /// Lines of what is gone.
    pub removed: Paint,
    /// Markers of what is another, moved or re-created.
    pub changed: Paint,
    /// Keys of objects and headers of files.
    pub header: Paint,
    /// Headers of hunks, and notes of our own.
    pub note: Paint,
    /// The columns of the terminal: values and bars are cut to it, keys and paths never.
    /// `None` (a pipe): nothing is cut.
    pub width: Option<usize>,
    /// Makes text from the file harmless for where it is printed.
    pub clean: fn(&str) -> Cow<'_, str>,
}

impl Default for Style {
    fn default() -> Style {
        let plain = Paint::default();
        Style {
            added: plain,
            removed: plain,
            changed: plain,
            header: plain,
            note: plain,
            width: None,
            clean: |text| Cow::Borrowed(text),
        }
    }
}

impl Style {
    /// The sixteen colours every terminal has: green, red, yellow, bold, cyan.
    #[must_use]
    pub fn coloured() -> Style {
        let paint = |before| Paint {
            before,
            after: "\u{1b}[0m",
        };
        Style {
            added: paint("\u{1b}[32m"),
            removed: paint("\u{1b}[31m"),
            changed: paint("\u{1b}[33m"),
            header: paint("\u{1b}[1m"),
            note: paint("\u{1b}[36m"),
            ..Style::default()
        }
    }

    /// Text from the file, made harmless for where it is printed.
    pub fn cleaned<'a>(&self, text: &'a str) -> Cow<'a, str> {
        (self.clean)(text)
    }
}
