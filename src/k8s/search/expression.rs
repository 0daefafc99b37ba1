//! Regular expressions: compiling one within a limit of memory, and the literal that one may be.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

/// From how many characters on a literal is looked for in base64 too: shorter ones are found there by
/// chance.
pub const BASE64_CHARS: usize = 8;

/// The largest a compiled pattern may be, in bytes. Patterns of people take some kilobytes.
const SIZE_LIMIT_BYTES: usize = 10 << 20;

/// Why a pattern is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is no regular expression; the text has the place.
    #[error("{0}")]
    Syntax(String),
    /// It is one that would take too much memory.
    #[error("the regular expression is too big: compiled it takes more than {0} bytes")]
    TooBig(usize),
}

/// Compiles a regular expression.
pub(super) fn compiled(regex: &str) -> Result<Regex, PatternError> {
    let mut builder = RegexBuilder::new(regex);
    builder.size_limit(SIZE_LIMIT_BYTES);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => PatternError::TooBig(limit),
        error => PatternError::Syntax(error.to_string()),
    })
}

/// The one literal that is looked for, if it could be base64.
pub(super) fn base64_literal(alternatives: &[Hir]) -> Option<&str> {
    let [only] = alternatives else { return None };
    let HirKind::Literal(literal) = only.kind() else {
        return None;
    };
    let text = std::str::from_utf8(&literal.0).ok()?;
    let digits = text.trim_end_matches('=');
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let padding = text.len().saturating_sub(digits.len());
    (text.len() >= BASE64_CHARS && padding <= 2 && digits.bytes().all(is_base64)).then_some(text)
}
