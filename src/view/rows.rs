//! Tables whose rows come from the file. Neither the number of rows nor the length of a cell is bounded.
//!
//! They look like [`super::table`]. All cells are in one text, so that the memory is about the bytes of the cells. The
//! widths are those of [`super::pad`]. The table is written line by line. In a pipe nothing is cut. On a terminal
//! [`super::fit`] makes the table fit the width.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::fit::{Need, cut_end, cut_middle, fit, wrap};
use super::pad::{ColumnWidth, blanks, width_of};
use super::style::{CellPaint, Paint, Style};
use super::table::{GAP, cell};

/// A text is cut down to this width. If that is not enough, a column is left out.
const LEAST_TEXT: usize = 14;

/// The same for a name. It is larger, because the name identifies the row.
const LEAST_NAME: usize = 24;

/// A table that is being filled.
#[derive(Debug)]
pub struct Rows {
    columns: Vec<Column>,
    /// All cells, one after the other.
    text: String,
    /// Where each cell ends in the text; as many for each row as there are columns.
    ends: Vec<usize>,
    has_head: bool,
    /// The columns that may be left out on a narrow terminal, the least important one first.
    drop_first: Vec<usize>,
    /// Between two columns.
    gap: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Column {
    /// Wide enough for its widest cell, up to a bound.
    width: ColumnWidth,
    is_number: bool,
    cut: Cut,
    paint: CellPaint,
    /// Whether a row has more than a dash in it.
    has_content: bool,
}

/// Where a cell that does not fit is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// In the middle: the start and the end of a text stay.
    Middle,
    /// In the middle, for the name of the row: it keeps more of its width.
    Name,
    /// At the end: sentences and lists.
    End,
    /// Nowhere. A cut number or time would be read as another one.
    Never,
    /// Nowhere, but the cell continues on the next line. Only for the last column.
    Wrap,
}

impl Rows {
    /// A table with these column names. The columns at `numbers` are aligned to the right.
    #[must_use]
    pub fn new(heads: &[&str], numbers: &[usize]) -> Self {
        let mut rows = Self::without_head(heads.len(), numbers);
        rows.add(heads);
        rows.has_head = true;
        for column in &mut rows.columns {
            column.has_content = false;
        }
        rows
    }

    /// A table of this many columns, without their names.
    #[must_use]
    pub fn without_head(columns: usize, numbers: &[usize]) -> Self {
        let column = |index| {
            let is_number = numbers.contains(&index);
            Column {
                width: ColumnWidth::default(),
                is_number,
                cut: if is_number { Cut::Never } else { Cut::Middle },
                paint: |_, _| Paint::default(),
                has_content: false,
            }
        };
        Self {
            columns: (0..columns).map(column).collect(),
            text: String::new(),
            ends: Vec::new(),
            has_head: false,
            drop_first: Vec::new(),
            gap: GAP,
        }
    }

    /// The columns that may be left out on a narrow terminal, the least important one first.
    #[must_use]
    pub fn drop_first(mut self, columns: &[usize]) -> Self {
        self.drop_first = columns.to_vec();
        self
    }

    /// Columns whose cells are never cut.
    #[must_use]
    pub fn whole(self, columns: &[usize]) -> Self {
        self.cut(columns, Cut::Never)
    }

    /// Columns of sentences and lists, whose end is cut.
    #[must_use]
    pub fn sentences(self, columns: &[usize]) -> Self {
        self.cut(columns, Cut::End)
    }

    /// Columns of what the rows are about: keys and names. They keep more of their width than others.
    #[must_use]
    pub fn names(self, columns: &[usize]) -> Self {
        self.cut(columns, Cut::Name)
    }

    /// With other blanks between columns.
    #[must_use]
    pub fn with_gap(mut self, gap: &'static str) -> Self {
        self.gap = gap;
        self
    }

    /// The sentences of the last column continue on the lines below, instead of being cut.
    #[must_use]
    pub fn wrapped(self) -> Self {
        let last = self.columns.len().saturating_sub(1);
        self.cut(&[last], Cut::Wrap)
    }

    /// A table of facts without a head: a name and its value in each row.
    #[must_use]
    pub fn facts() -> Self {
        Self::without_head(2, &[])
            .wrapped()
            .painted(0, |style, _| style.header)
    }

    /// Sets where the cells of these columns are cut.
    fn cut(mut self, columns: &[usize], cut: Cut) -> Self {
        for index in columns {
            if let Some(column) = self.columns.get_mut(*index) {
                column.cut = cut;
            }
        }
        self
    }

    /// How the cells of a column are painted.
    #[must_use]
    pub fn painted(mut self, column: usize, paint: CellPaint) -> Self {
        if let Some(column) = self.columns.get_mut(column) {
            column.paint = paint;
        }
        self
    }

    /// Adds a row. Control characters are escaped, because a line break would look like a new row. Surplus cells are
    /// dropped, missing ones are empty.
    pub fn add(&mut self, cells: &[impl AsRef<str>]) {
        let mut cells = cells.iter().map(AsRef::as_ref);
        for column in &mut self.columns {
            let start = self.text.len();
            self.text.push_str(&cell(cells.next().unwrap_or_default()));
            let text = self.text.get(start..).unwrap_or_default();
            column.width.fit(width_of(text));
            column.has_content |= !matches!(text, "" | "-");
            self.ends.push(self.text.len());
        }
    }

    /// Whether it has no row but the names of the columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let head = if self.has_head { self.columns.len() } else { 0 };
        self.ends.len() <= head
    }

    /// The cells, row by row. The names of the columns are the first row if the table has a head.
    fn lines(&self) -> impl Iterator<Item = Vec<&str>> {
        let mut start = 0;
        self.ends
            .chunks(self.columns.len().max(1))
            .map(move |ends| {
                let cell = |end: &usize| {
                    let text = self.text.get(start..*end).unwrap_or_default();
                    start = *end;
                    text
                };
                ends.iter().map(cell).collect()
            })
    }

    /// The width of each column in this output. None for a column that is left out. On a terminal the widths are
    /// computed from the cells as they are shown there, where control characters are escaped.
    fn widths(&self, style: &Style) -> Vec<Option<ColumnWidth>> {
        let Some(width) = style.width else {
            return self.columns.iter().map(|c| Some(c.width)).collect();
        };
        let mut naturals = vec![0_usize; self.columns.len()];
        for line in self.lines() {
            for (natural, cell) in naturals.iter_mut().zip(line) {
                *natural = (*natural).max(width_of(&style.cleaned(cell)));
            }
        }
        let heads = self.heads();
        let needs: Vec<Need> = self
            .columns
            .iter()
            .zip(naturals)
            .enumerate()
            .map(|(index, (column, natural))| {
                let head = heads.get(index).map_or(0, |head| width_of(head));
                let least = match column.cut {
                    Cut::Never => natural,
                    Cut::Name => natural.min(head.max(LEAST_NAME)),
                    _ => natural.min(head.max(LEAST_TEXT)),
                };
                Need { natural, least }
            })
            .collect();
        // A column without content is the first one to leave out.
        let (mut drop_first, with_content): (Vec<usize>, Vec<usize>) = self
            .drop_first
            .iter()
            .partition(|index| !self.has_content(**index));
        drop_first.extend(with_content);
        fit(&needs, &drop_first, self.gap.len(), width)
            .into_iter()
            .map(|width| width.map(ColumnWidth::exactly))
            .collect()
    }

    /// Whether a row has more than a dash in this column.
    fn has_content(&self, index: usize) -> bool {
        let column = self.columns.get(index);
        column.is_some_and(|column| column.has_content)
    }

    /// The names of the columns. Empty if the table has no head.
    fn heads(&self) -> Vec<&str> {
        let first = self.lines().next().filter(|_| self.has_head);
        first.unwrap_or_default()
    }

    /// Writes the table, line by line. Returns the names of the columns with content that are left out because the
    /// terminal is too narrow.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write, style: &Style) -> io::Result<Vec<&str>> {
        let widths = self.widths(style);
        for (index, cells) in self.lines().enumerate() {
            let is_head = self.has_head && index == 0;
            let mut line = Line::default();
            for ((column, width), text) in self.columns.iter().zip(&widths).zip(cells) {
                let Some(width) = width else { continue };
                let paint = if is_head {
                    style.header
                } else {
                    (column.paint)(style, text)
                };
                let text = style.cleaned(text);
                let text = match (style.width, column.cut) {
                    (Some(_), Cut::Wrap) => line.wrap(&text, width.get()),
                    (Some(_), Cut::End) => cut_end(&text, width.get()),
                    (Some(_), _) => cut_middle(&text, width.get()),
                    (None, _) => text.as_ref().into(),
                };
                line.push(&text, *width, column.is_number, paint, self.gap);
            }
            line.write(out)?;
        }
        let columns = self.columns.iter().zip(&widths);
        let heads = self.heads().into_iter().zip(columns);
        let left_out = heads.filter(|(_, (column, width))| width.is_none() && column.has_content);
        Ok(left_out.map(|(head, _)| head).collect())
    }

    /// The table as a text, for a part of a short answer.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Writing into memory does not fail.
        let _ = self.write(&mut text, &Style::default());
        String::from_utf8(text).unwrap_or_default()
    }
}

/// One row that is being written.
#[derive(Debug, Default)]
struct Line {
    text: String,
    /// The blanks since the last text. They are written only when another text follows, so no line ends with blanks.
    blanks: String,
    /// The width of the cells so far, in columns of the terminal.
    used: usize,
    /// For a cell that wraps: the column where it begins, and its lines after the first.
    below: (usize, Vec<String>),
}

impl Line {
    /// Breaks a cell into lines. Returns the first and keeps the others, which [`Self::write`] puts below it.
    fn wrap(&mut self, text: &str, width: usize) -> Cow<'static, str> {
        let mut lines = wrap(text, width).into_iter();
        let first = lines.next().unwrap_or_default();
        self.below = (self.used, lines.collect());
        Cow::Owned(first)
    }

    /// Adds a cell: a number is aligned to the right, any other text to the left. Only the text itself is painted, not
    /// the blanks around it.
    fn push(
        &mut self,
        text: &str,
        width: ColumnWidth,
        is_number: bool,
        paint: Paint,
        gap: &'static str,
    ) {
        let fill = width.fill(width_of(text));
        let trimmed = text.trim_end();
        // Writing to a string does not fail.
        if is_number {
            let _ = write!(self.blanks, "{fill}");
        }
        if !trimmed.is_empty() {
            self.text.push_str(&self.blanks);
            self.blanks.clear();
            self.text.push_str(paint.before);
            self.text.push_str(trimmed);
            self.text.push_str(paint.after);
        }
        let after = text.get(trimmed.len()..).unwrap_or_default();
        self.blanks.push_str(after);
        if !is_number {
            let _ = write!(self.blanks, "{fill}");
        }
        self.blanks.push_str(gap);
        let width = width.get().max(width_of(text));
        self.used = self.used.saturating_add(width).saturating_add(gap.len());
    }

    /// Writes the line, and the further lines of its last cell below that cell.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.text)?;
        let (start, below) = &self.below;
        for line in below {
            writeln!(out, "{}{line}", blanks(*start))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
    fn a_table_fits_the_terminal_and_says_what_it_leaves_out() {
        let mut rows = Rows::new(&["KEY", "SIZE", "MANAGERS"], &[1])
            .drop_first(&[1])
            .sentences(&[2]);
        rows.add(&[
            "/registry/pods/shop/web-5f9d8-abcde",
            "1204",
            "kubelet, kube-controller-manager",
        ]);
        let at = |width| {
            let style = Style {
                width: Some(width),
                ..Style::default()
            };
            let mut text = Vec::new();
            let left_out = rows.write(&mut text, &style).unwrap().join(",");
            (String::from_utf8(text).unwrap(), left_out)
        };
        assert_eq!(at(100), (rows.text(), String::new()));
        let (text, left_out) = at(40);
        assert_eq!(left_out, "");
        let row = text.lines().nth(1).unwrap();
        assert_eq!(
            row,
            "/registr\u{2026}8-abcde  1204  kubelet, kube-c\u{2026}"
        );
        let (text, left_out) = at(34);
        assert_eq!(left_out, "SIZE");
        assert_eq!(text.lines().next().unwrap(), "KEY               MANAGERS");
        for width in 1..100 {
            let (text, _) = at(width);
            let widest = text.lines().map(width_of).max();
            assert!(widest <= Some(width), "{width}: {text}");
        }
    }

    #[test]
    fn a_column_without_content_is_left_out_first_and_not_named() {
        let mut rows = Rows::new(&["KEY", "SIZE", "BY"], &[1]).drop_first(&[1, 2]);
        rows.add(&["/registry/pods/shop/web-5f9d8-abcde", "1204", "-"]);
        rows.add(&["/registry/pods/shop/web-5f9d8-fghij", "1204", ""]);
        let at = |width| {
            let style = Style {
                width: Some(width),
                ..Style::default()
            };
            let mut text = Vec::new();
            let left_out = rows.write(&mut text, &style).unwrap().join(",");
            let head = String::from_utf8(text).unwrap();
            let head = head.lines().next().unwrap_or_default();
            let head = head.split_whitespace().collect::<Vec<_>>().join(" ");
            (head, left_out)
        };
        assert_eq!(at(80), ("KEY SIZE BY".to_owned(), String::new()));
        assert_eq!(at(22), ("KEY SIZE".to_owned(), String::new()));
        assert_eq!(at(19), ("KEY".to_owned(), "SIZE".to_owned()));
    }

    #[test]
    fn a_fact_goes_on_below_itself() {
        let mut rows = Rows::facts();
        rows.add(&["file", "a snapshot file, its SHA-256 is right"]);
        rows.add(&["size", "5 kB"]);
        let mut text = Vec::new();
        let style = Style {
            width: Some(30),
            ..Style::default()
        };
        rows.write(&mut text, &style).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "file  a snapshot file, its\n      SHA-256 is right\nsize  5 kB\n"
        );
    }

    #[test]
    fn a_cell_is_painted_and_its_blanks_are_not() {
        let mut rows = Rows::new(&["TYPE", "KEY"], &[]).painted(0, Style::event);
        rows.add(&["delete", "a\u{202e}"]);
        let mut text = Vec::new();
        let style = Style {
            clean: super::super::sanitize::visible,
            ..Style::coloured()
        };
        rows.write(&mut text, &style).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text,
            "\u{1b}[1mTYPE\u{1b}[0m    \u{1b}[1mKEY\u{1b}[0m\n\u{1b}[31mdelete\u{1b}[0m  a\\u202e\n"
        );
    }

    #[test]
    fn a_row_is_one_line_whatever_its_cells_hold() {
        let mut rows = Rows::new(&["KEY", "BY"], &[]);
        rows.add(&["a\nb", "c\r\u{1b}[31m"]);
        assert_eq!(rows.text().lines().count(), 2);
    }
}
