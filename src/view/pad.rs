//! Blanks between columns: the only place where a width is known at run time only.
//!
//! A width that comes from a file has no bound. Rust's own `{:width$}` panics above 65,535, and one cell
//! of a megabyte would pad a thousand rows to a gigabyte. Here a column has a bound: a cell
//! that is wider is printed in full, and does not make its column wider.

use std::fmt;

use unicode_width::UnicodeWidthStr;

/// The widest that a column is made, in columns of a terminal. The longest key that an API server writes
/// has about 650 bytes.
pub const WIDEST_COLUMN: usize = 1024;

/// The widest column, and what separates it from the next.
const MOST_BLANKS: usize = WIDEST_COLUMN + 16;

/// Written piece by piece.
const BLANKS: &str = "                                                                ";

/// How many columns of a terminal a text takes.
#[must_use]
pub fn width_of(text: &str) -> usize {
    text.width()
}

/// The width of a column, as far as its cells are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ColumnWidth(usize);

impl ColumnWidth {
    /// Makes room for a cell of this width. One that is wider than [`WIDEST_COLUMN`] overflows its column.
    pub fn fit(&mut self, cell: usize) {
        if cell <= WIDEST_COLUMN {
            self.0 = self.0.max(cell);
        }
    }

    /// A column of this width.
    #[must_use]
    pub fn exactly(width: usize) -> Self {
        Self(width)
    }

    /// The column with room for these texts.
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut width = Self::default();
        for text in texts {
            width.fit(width_of(text));
        }
        width
    }

    /// Takes the column back to this width.
    pub fn shrink(&mut self, most: usize) {
        self.0 = self.0.min(most);
    }

    /// In columns of a terminal.
    #[must_use]
    pub fn get(self) -> usize {
        self.0
    }

    /// The blanks that fill a cell up to the column's width.
    #[must_use]
    pub fn fill(self, cell: usize) -> Blanks {
        blanks(self.0.saturating_sub(cell))
    }
}

/// This many blanks.
#[derive(Debug, Clone, Copy)]
pub struct Blanks(usize);

/// This many blanks, `MOST_BLANKS` at most.
#[must_use]
pub fn blanks(count: usize) -> Blanks {
    Blanks(count.min(MOST_BLANKS))
}

impl fmt::Display for Blanks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        while left > 0 {
            let some = left.min(BLANKS.len());
            f.write_str(BLANKS.get(..some).unwrap_or_default())?;
            left = left.saturating_sub(some);
        }
        Ok(())
    }
}

/// A number with zeros before it, so that names sort as their numbers do.
#[must_use]
pub fn zeros(number: usize, digits: usize) -> String {
    /// No number has more digits.
    const MOST_DIGITS: usize = 20;
    let digits = digits.min(MOST_DIGITS);
    format!("{number:0digits$}")
}

/// A text with blanks to the width of its column.
#[derive(Debug, Clone, Copy)]
pub struct Padded<'t> {
    text: &'t str,
    before: Blanks,
    after: Blanks,
}

/// The text at the left of its column.
#[must_use]
pub fn left(text: &str, column: ColumnWidth) -> Padded<'_> {
    let (before, after) = (blanks(0), column.fill(width_of(text)));
    Padded {
        text,
        before,
        after,
    }
}

/// The text at the right of its column, as numbers are.
#[must_use]
pub fn right(text: &str, column: ColumnWidth) -> Padded<'_> {
    let (before, after) = (column.fill(width_of(text)), blanks(0));
    Padded {
        text,
        before,
        after,
    }
}

/// The text in the middle of its column. If the number of blanks is odd, one more is after it.
#[must_use]
pub fn center(text: &str, column: ColumnWidth) -> Padded<'_> {
    let Blanks(all) = column.fill(width_of(text));
    Padded {
        text,
        before: blanks(all / 2),
        after: blanks(all.div_ceil(2)),
    }
}

impl fmt::Display for Padded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.before, self.text, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_padded_as_the_standard_library_pads_it() {
        for text in ["", "a", "ab", "abc", "abcdefgh"] {
            for width in 0..10 {
                let mut column = ColumnWidth::default();
                column.fit(width);
                assert_eq!(left(text, column).to_string(), format!("{text:<width$}"));
                assert_eq!(right(text, column).to_string(), format!("{text:>width$}"));
                assert_eq!(center(text, column).to_string(), format!("{text:^width$}"));
            }
        }
    }

    #[test]
    fn a_cell_wider_than_any_column_overflows_and_widens_nothing() {
        let wide = "x".repeat(WIDEST_COLUMN + 1);
        let column = ColumnWidth::of([wide.as_str(), "abc"]);
        assert_eq!(column.get(), 3);
        assert_eq!(left(&wide, column).to_string(), wide);
        assert_eq!(left("a", column).to_string(), "a  ");
        let widest = "x".repeat(WIDEST_COLUMN);
        assert_eq!(ColumnWidth::of([widest.as_str()]).get(), WIDEST_COLUMN);
        assert_eq!(blanks(usize::MAX).to_string().len(), MOST_BLANKS);
    }

    #[test]
    fn a_wide_character_takes_two_columns() {
        let column = ColumnWidth::of(["\u{540d}\u{524d}", "abc"]);
        assert_eq!(column.get(), 4);
        assert_eq!(left("\u{540d}", column).to_string(), "\u{540d}  ");
    }
}
