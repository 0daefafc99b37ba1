//! What the plumbing verbs share: the pages of a file, with a state where one can be chosen.

use crate::query::page_layout::PageLayout;
use crate::query::{Evidence, Notice};

use crate::view::command::Invocation;

use super::failure::Failure;
use super::report;

/// The pages of a database; that their size is guessed is reported.
///
/// # Errors
/// When there is no page in the file.
pub fn layout(evidence: &Evidence) -> Result<PageLayout<'_>, Failure> {
    let layout = PageLayout::read(evidence)?;
    if let Some(page_size) = layout.guessed_page_size() {
        report::notices(
            &[Notice::PageSizeGuessed(page_size)],
            &Invocation::default(),
        );
    }
    Ok(layout)
}

/// A number as it is typed: decimal, or hexadecimal after `0x`.
///
/// # Errors
/// A sentence for who typed it.
pub fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "a number is 4096 or 0x1000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_decimal_or_hexadecimal() {
        assert_eq!(number("4096"), Ok(4096));
        assert_eq!(number("0x1000"), Ok(4096));
        assert!(number("-1").is_err() && number("1k").is_err() && number("0x").is_err());
    }
}
