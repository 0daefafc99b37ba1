//! Compiles regular expressions within a memory limit, and recognises patterns that are a base64 literal.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

/// The length in characters from which a literal is also searched in base64. Shorter ones occur there by chance.
pub const BASE64_CHARS: usize = 8;

/// The maximal size of a compiled pattern in bytes. Typical patterns take some kilobytes.
const SIZE_LIMIT_BYTES: usize = 10 << 20;

/// Why a pattern is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not a regular expression; the text has the position.
    #[error("{0}")]
    Syntax(String),
    /// The compiled pattern takes too much memory.
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

/// The pattern's single literal, if it could be base64.
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
