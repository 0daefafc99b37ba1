//! Patterns, and the matcher that is made of them.

use std::ops::Range;

use regex::bytes::Regex;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use super::expression::{PatternError, base64_literal, compiled};
use super::filter::Filter;

/// What is looked for, as it was written.
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    /// Regular expressions (of the crate `regex`), or texts; one of them has to match.
    pub alternatives: Vec<String>,
    /// They are texts.
    pub fixed: bool,
    /// Letters match whatever their case.
    pub ignore_case: bool,
    /// A match begins and ends where a word does.
    pub word: bool,
}

/// Finds a pattern in objects and texts; see [`super`] for what a match is.
#[derive(Debug)]
pub struct Matcher {
    regex: Regex,
    filter: Option<Filter>,
    /// Whether the pattern may stand in base64.
    pub(super) in_base64: bool,
    /// Whether `metadata.managedFields` is searched.
    pub managed_fields: bool,
    /// Whether a match may lie in the path above a field alone.
    pub(super) whole_paths: bool,
}

impl Matcher {
    /// A matcher for a text, as `log -S` has it.
    ///
    /// # Errors
    /// When the text is too long to be looked for.
    pub fn text(text: &str) -> Result<Self, PatternError> {
        Self::new(&Pattern {
            alternatives: vec![text.to_owned()],
            fixed: true,
            ..Pattern::default()
        })
    }

    /// A matcher for a regular expression, as `log -G` has it.
    ///
    /// # Errors
    /// When it is none.
    pub fn regex(regex: &str) -> Result<Self, PatternError> {
        Self::new(&Pattern {
            alternatives: vec![regex.to_owned()],
            ..Pattern::default()
        })
    }

    /// A matcher for any pattern.
    ///
    /// # Errors
    /// When it is none.
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
        // Each is parsed by itself: a parenthesis or a flag of one is no other's.
        let parsed = parse(pattern.ignore_case)?;
        let as_written = parse(false)?;
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
        })
    }

    /// The same, searching `metadata.managedFields` or not, which it is not unless said.
    #[must_use]
    pub fn with_managed_fields(mut self, searched: bool) -> Self {
        self.managed_fields = searched;
        self
    }

    /// The same, whose matches may lie anywhere in `path: value`, in the path above the field too: what `log -G` looks
    /// for in the lines that changed.
    #[must_use]
    pub fn with_whole_paths(mut self) -> Self {
        self.whole_paths = true;
        self
    }

    /// The same, that looks at every value: what a test compares with.
    #[must_use]
    pub fn without_filter(mut self) -> Self {
        self.filter = None;
        self
    }

    /// Whether [`Self::may_match`] can ever tell that a value does not match.
    #[must_use]
    pub fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// Whether a value, decrypted but not decoded, may hold a match; `false` is sure. It is far quicker
    /// than decoding the value.
    #[must_use]
    pub fn may_match(&self, stored: &[u8]) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.may_match(stored))
    }

    /// The matches in a text.
    pub(super) fn in_text(&self, text: &[u8]) -> Vec<Range<usize>> {
        self.regex
            .find_iter(text)
            .map(|found| found.range())
            .collect()
    }

    /// The matches in a text that reach behind `own`. One that does not hides none that begins in it and does.
    pub(super) fn reaching(&self, text: &[u8], own: usize) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(next) = self.regex.find_at(text, from) {
            let range = next.range();
            if range.end > own {
                // An empty match makes no progress by itself.
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
