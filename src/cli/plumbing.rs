//! What the plumbing verbs share: the pages of a file, with a state where one can be chosen.

use crate::bbolt::{Db, MetaChoice, Pages};

use super::failure::Failure;
use super::report;
use crate::query::Evidence;

/// The pages of a file.
#[derive(Debug)]
pub struct Layout<'e> {
    /// The pages.
    pub pages: Pages<'e>,
    /// The chosen state; none where neither meta page is valid.
    pub db: Option<Db<'e>>,
}

impl<'e> Layout<'e> {
    /// The pages of a database. Without a valid meta page their size is guessed from the pages, which is a
    /// finding and no failure.
    ///
    /// # Errors
    /// When there is no page in the file.
    pub fn of(evidence: &'e Evidence) -> Result<Self, Failure> {
        let db = evidence.db()?;
        let pages = db.pages();
        if db.choice().1 != MetaChoice::Neither {
            return Ok(Self {
                pages,
                db: Some(db),
            });
        }
        report::note(&format!(
            "the page size, {} bytes, was told by the positions that pages state",
            pages.page_size()
        ));
        Ok(Self { pages, db: None })
    }
}

/// A number as it is typed: decimal, or hexadecimal behind `0x`.
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
