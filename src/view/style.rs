//! How text for people looks: the one palette, the width, and what is done to text from the file.
//!
//! The palette uses the basic colours that can be read on a light and on a dark background: green, red, magenta,
//! cyan, bold and faint. Yellow and white vanish on light terminals, blue on dark ones. Meaning is never carried by
//! colour alone: a word or a sign beside it says the same.

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
    /// What is new: added lines, creations.
    pub added: Paint,
    /// What no longer exists: removed lines, deletions.
    pub removed: Paint,
    /// What is another than before, was moved or created again.
    pub changed: Paint,
    /// Keys of objects, headers of files, the names of columns.
    pub header: Paint,
    /// Headers of hunks, and notes of our own.
    pub note: Paint,
    /// What is beside the point: ages and free pages. Times are not: some terminals show faint text with little contrast.
    pub dim: Paint,
    /// Findings that may hide data.
    pub error: Paint,
    /// Findings that hide nothing.
    pub warning: Paint,
    /// What differs within a changed text is marked.
    pub words: bool,
    /// The columns of the terminal. `None` (a pipe): nothing is cut.
    pub width: Option<usize>,
    /// Makes text from the file harmless for where it is printed.
    pub clean: fn(&str) -> Cow<'_, str>,
}

/// Which paint a cell of a table gets, by its text.
pub type CellPaint = fn(&Style, &str) -> Paint;

/// Which paint a word of our own gets.
pub type WordPaint = fn(&Style) -> Paint;

impl Default for Style {
    fn default() -> Style {
        let plain = Paint::default();
        Style {
            added: plain,
            removed: plain,
            changed: plain,
            header: plain,
            note: plain,
            dim: plain,
            error: plain,
            warning: plain,
            words: false,
            width: None,
            clean: |text| Cow::Borrowed(text),
        }
    }
}

impl Style {
    /// The palette, of the sixteen colours every terminal has.
    #[must_use]
    pub fn coloured() -> Style {
        let paint = |before| Paint {
            before,
            after: "\u{1b}[0m",
        };
        Style {
            added: paint("\u{1b}[32m"),
            removed: paint("\u{1b}[31m"),
            changed: paint("\u{1b}[35m"),
            header: paint("\u{1b}[1m"),
            note: paint("\u{1b}[36m"),
            dim: paint("\u{1b}[2m"),
            error: paint("\u{1b}[1;31m"),
            warning: paint("\u{1b}[1;35m"),
            ..Style::default()
        }
    }

    /// Text from the file, made harmless for where it is printed.
    pub fn cleaned<'a>(&self, text: &'a str) -> Cow<'a, str> {
        (self.clean)(text)
    }

    /// The same without a limit of width: for what was asked for whole.
    #[must_use]
    pub fn uncut(&self) -> Style {
        Style {
            width: None,
            ..*self
        }
    }

    /// The paint of a type of event: `create`, `update`, `delete`.
    #[must_use]
    pub fn event(&self, word: &str) -> Paint {
        match word {
            "create" | "created" => self.added,
            "delete" | "deleted" => self.removed,
            "update" | "changed" => self.changed,
            _ => Paint::default(),
        }
    }

    /// The paint of a severity: `error`, `warning`, `info`.
    #[must_use]
    pub fn severity(&self, word: &str) -> Paint {
        match word {
            "error" => self.error,
            "warning" => self.warning,
            "info" => self.note,
            _ => Paint::default(),
        }
    }

    /// The paint of ages.
    #[must_use]
    pub fn age(&self, _: &str) -> Paint {
        self.dim
    }
}
