//! Tables whose rows come from the file: as many as it likes, with cells as long as it likes.
//!
//! They look like [`super::table`]. The cells are kept as one text, so that memory follows their bytes;
//! the widths are those of [`super::pad`]; and one line at a time is written.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::pad::{self, ColumnWidth};
use super::table::{GAP, cell};

/// A table that is being filled.
#[derive(Debug)]
pub struct Rows {
    columns: Vec<Column>,
    /// All cells, one after the other.
    text: String,
    /// Where each cell ends in the text; as many for each row as there are columns.
    ends: Vec<usize>,
    has_head: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Column {
    width: ColumnWidth,
    is_number: bool,
}

impl Rows {
    /// A table with these column names. The columns at `numbers` are aligned to the right.
    #[must_use]
    pub fn new(heads: &[&str], numbers: &[usize]) -> Self {
        let mut rows = Self::without_head(heads.len(), numbers);
        rows.add(heads);
        rows.has_head = true;
        rows
    }

    /// A table of so many columns without names.
    #[must_use]
    pub fn without_head(columns: usize, numbers: &[usize]) -> Self {
        let column = |index| Column {
            width: ColumnWidth::default(),
            is_number: numbers.contains(&index),
        };
        Self {
            columns: (0..columns).map(column).collect(),
            text: String::new(),
            ends: Vec::new(),
            has_head: false,
        }
    }

    /// Adds a row. A control character is escaped: a line break would look like a row of its own. Cells
    /// beyond the columns are dropped, missing ones are empty.
    pub fn add(&mut self, cells: &[impl AsRef<str>]) {
        let mut cells = cells.iter().map(AsRef::as_ref);
        for column in &mut self.columns {
            let start = self.text.len();
            self.text.push_str(&cell(cells.next().unwrap_or_default()));
            let text = self.text.get(start..).unwrap_or_default();
            column.width.fit(pad::width_of(text));
            self.ends.push(self.text.len());
        }
    }

    /// Whether it has no row but the names of the columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let head = if self.has_head { self.columns.len() } else { 0 };
        self.ends.len() <= head
    }

    /// Writes the table, line by line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut start = 0;
        let mut line = String::new();
        for ends in self.ends.chunks(self.columns.len().max(1)) {
            line.clear();
            for (column, end) in self.columns.iter().zip(ends) {
                let text = self.text.get(start..*end).unwrap_or_default();
                let padded = if column.is_number {
                    pad::right(text, column.width)
                } else {
                    pad::left(text, column.width)
                };
                // Writing to a string does not fail.
                let _ = write!(line, "{padded}{GAP}");
                start = *end;
            }
            out.write_all(line.trim_end().as_bytes())?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// The table as a text, for a part of a short answer.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Writing into memory does not fail.
        let _ = self.write(&mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pad::WIDEST_COLUMN;
    use super::super::table;
    use super::*;

    #[test]
    fn rows_look_like_a_table_of_comfy_table() {
        let heads = ["NAME", "COUNT", "WHAT"];
        let cells = ["", "a", "12", "\u{540d}\u{524d}", "some words", "x\ty"];
        let mut compared = 0;
        for first in cells {
            for second in cells {
                let mut ours = Rows::new(&heads, &[1]);
                let mut theirs = table::plain(&heads);
                for row in [[first, second, "-"], ["b", second, first], ["c", "7", ""]] {
                    ours.add(&row);
                    theirs.add_row(row.map(cell));
                }
                assert_eq!(ours.text(), table::text(theirs, &[1]));
                compared += 1;
            }
        }
        assert_eq!(compared, 36);
    }

    #[test]
    fn a_table_takes_no_more_than_its_cells_and_a_bounded_column_for_each() {
        for wide in [1, WIDEST_COLUMN, WIDEST_COLUMN + 1, 100_000] {
            let mut rows = Rows::new(&["KEY", "BY"], &[]);
            let (wide, count) = ("x".repeat(wide), 1000);
            rows.add(&[&wide, &wide]);
            for _ in 0..count {
                rows.add(&["a", "b"]);
            }
            let text = rows.text();
            let most = 2 * wide.len() + 2 * (count + 2) * (WIDEST_COLUMN + GAP.len() + 1);
            assert!(text.len() <= most, "{} bytes", text.len());
            let first = text.lines().nth(1).unwrap_or_default();
            assert_eq!(first.split_whitespace().collect::<Vec<_>>(), [&wide, &wide]);
            assert_eq!(text.lines().count(), count + 2);
        }
    }

    #[test]
    fn only_a_table_with_a_row_is_not_empty() {
        let mut rows = Rows::new(&["KEY"], &[]);
        assert!(rows.is_empty());
        rows.add(&["a"]);
        assert!(!rows.is_empty());
        assert!(Rows::without_head(2, &[]).is_empty());
        assert_eq!(Rows::without_head(2, &[]).text(), "");
    }

    #[test]
    fn a_row_is_one_line_whatever_its_cells_hold() {
        let mut rows = Rows::new(&["KEY", "BY"], &[]);
        rows.add(&["a\nb", "c\r\u{1b}[31m"]);
        assert_eq!(rows.text().lines().count(), 2);
    }
}
