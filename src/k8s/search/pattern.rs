//! Patterns, and the matcher that is compiled from them.

use std::ops::Range;

use regex::bytes::Regex;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use super::expression::{PatternError, base64_literal, compiled};
use super::filter::Filter;

/// A pattern as the user wrote it.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    /// Regular expressions (of the crate `regex`) or literal texts; one of them must match.
    pub alternatives: Vec<String>,
    /// Whether the alternatives are literal texts.
    pub fixed: bool,
    /// Whether upper and lower case match each other.
    pub ignore_case: bool,
    /// Whether a match must start and end at word boundaries.
    pub word: bool,
}

/// Searches for a pattern in objects and texts; [`super`] defines what a match is.
#[derive(Debug)]
pub struct Matcher {
    regex: Regex,
    filter: Option<Filter>,
    /// Whether the pattern is also searched in base64 texts.
    pub(super) in_base64: bool,
    /// Whether `metadata.managedFields` is searched.
    pub managed_fields: bool,
    /// Whether a match may be in the parent path of a field alone.
    pub(super) whole_paths: bool,
    /// Whether a match depends on what is around it: `^`, `$` or a word boundary. If not, each match in a line is also
    /// one in the line with its path before it.
    pub(super) looks_around: bool,
}

impl Matcher {
    /// A matcher for a literal text, for `log -S`.
    ///
    /// # Errors
    /// The text is too long.
    pub fn text(text: &str) -> Result<Self, PatternError> {
        Self::new(&Pattern {
            alternatives: vec![text.to_owned()],
            fixed: true,
            ..Pattern::default()
        })
    }

    /// A matcher for a regular expression, for `log -G`.
    ///
    /// # Errors
    /// It is not a regular expression, or it is too big.
    pub fn regex(regex: &str) -> Result<Self, PatternError> {
        Self::new(&Pattern {
            alternatives: vec![regex.to_owned()],
            ..Pattern::default()
        })
    }

    /// A matcher for a pattern.
    ///
    /// # Errors
    /// An alternative is not a regular expression, or the pattern is too big.
    pub fn new(pattern: &Pattern) -> Result<Self, PatternError> {
        let written = |text: &String| {
            if pattern.fixed {
                regex::escape(text)
            } else {
                text.clone()
            }
        };
        let written: Vec<String> = pattern.alternatives.iter().map(written).collect();
        let parse = |ignore_case: bool| -> Result<Vec<Hir>, PatternError> {
            let mut builder = ParserBuilder::new();
            builder.utf8(false).case_insensitive(ignore_case);
            let parse = |text: &String| {
                let parsed = builder.build().parse(text);
                parsed.map_err(|error| PatternError::Syntax(error.to_string()))
            };
            written.iter().map(parse).collect()
        };
        // Each alternative is parsed alone, so that a parenthesis or flag in one does not affect another.
        let parsed = parse(pattern.ignore_case)?;
        let as_written = parse(false)?;
        let looks_around = |hir: &Hir| !hir.properties().look_set().is_empty();
        let looks_around = pattern.word || parsed.iter().any(looks_around);
        let mut regex = Hir::alternation(parsed).to_string();
        if pattern.word {
            regex = format!(r"\b{{start-half}}(?:{regex})\b{{end-half}}");
        }
        Ok(Self {
            regex: compiled(&regex)?,
            in_base64: !pattern.ignore_case && base64_literal(&as_written).is_some(),
            filter: Filter::new(&as_written, pattern.ignore_case),
            managed_fields: false,
            whole_paths: false,
            looks_around,
        })
    }

    /// The same matcher that also searches `metadata.managedFields` if `searched` is true. The default is false.
    #[must_use]
    pub fn with_managed_fields(mut self, searched: bool) -> Self {
        self.managed_fields = searched;
        self
    }

    /// The same matcher that also accepts matches in the parent path alone, anywhere in `path: value`. `log -G` needs it
    /// for the lines that changed.
    #[must_use]
    pub fn with_whole_paths(mut self) -> Self {
        self.whole_paths = true;
        self
    }

    /// The same matcher without the filter, so that every value is decoded. Tests compare with it.
    #[must_use]
    pub fn without_filter(mut self) -> Self {
        self.filter = None;
        self
    }

    /// Whether [`Self::may_match`] can ever return false.
    #[must_use]
    pub fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// Whether a decrypted value may contain a match. False is certain, true is not. The check is much faster than
    /// decoding the value.
    #[must_use]
    pub fn may_match(&self, stored: &[u8]) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.may_match(stored))
    }

    /// Whether there is a match in a text.
    pub(super) fn is_in_text(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// The matches in a text.
    pub(super) fn in_text(&self, text: &[u8]) -> Vec<Range<usize>> {
        self.regex
            .find_iter(text)
            .map(|found| found.range())
            .collect()
    }

    /// The matches in a text that end after the offset `min_end`. The search continues one byte after the start of an
    /// excluded match, because a later match may overlap it.
    pub(super) fn matches_ending_after(&self, text: &[u8], min_end: usize) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(next) = self.regex.find_at(text, from) {
            let range = next.range();
            if range.end > min_end {
                // An empty match would be found again at the same offset.
                from = range.end.max(range.start.saturating_add(1));
                found.push(range);
            } else {
                from = range.start.saturating_add(1);
            }
            if from > text.len() {
                break;
            }
        }
        found
    }
}
