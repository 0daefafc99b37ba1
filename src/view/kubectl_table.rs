//! A table as `kubectl get` prints it, byte by byte.
//!
//! Upstream: cli-runtime's pkg/printers/tableprinter.go and terminal.go, and
//! github.com/liggitt/tabwriter with kubectl's settings. A column is as wide as its longest cell
//! (counted in characters, not in places of a terminal) and three blanks, at least six; the last
//! cell of a line is not padded, even if that leaves blanks after an earlier one.
//!
//! Unlike kubectl's, a column has a bound ([`super::pad`]): a cell that is wider overflows its column.
//!
//! A cell ends at a line break, with `...` in its place; only ESC and CR are escaped, so a text that
//! goes to a terminal still has to go through [`super::sanitize`]. A tab in a cell begins a new
//! cell, as it does in kubectl.
//!
//! That is for pipes. A terminal gets the same cells as [`super::rows`], which fit its width.

use std::io::{self, Write};
use std::ops::Range;

use serde_json::{Map, Value};

use super::pad::{ColumnWidth, blanks};
use super::rows::Rows;
use super::style::Style;
use crate::k8s::columns::{Column, format_labels};

/// The narrowest column, in characters.
const MIN_WIDTH: usize = 6;

/// Between two columns, in characters.
const PADDING: usize = 3;

/// The same on a terminal.
const GAP: &str = "   ";

/// What to print beside the cells, as kubectl's flags of the same names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// `--no-headers`.
    pub no_headers: bool,
    /// `-o wide`.
    pub wide: bool,
    /// The logical cluster is the first column; [`KubectlTable::in_cluster`] sets it.
    pub cluster: bool,
    /// `-A`: the namespace is the first column after it.
    pub namespace: bool,
    /// `--show-labels`: all labels are the last column.
    pub show_labels: bool,
    /// `-L`: labels with a column of their own.
    pub label_columns: &'a [String],
    /// Printed before the name and a slash where several resources were asked for: the kind and
    /// its group in lower case, `pod`, `deployment.apps`.
    pub kind: Option<&'a str>,
}

/// A table that is being filled.
#[derive(Debug)]
pub struct KubectlTable<'a> {
    columns: &'a [Column],
    options: Options<'a>,
    /// The column that holds the name.
    name: Option<usize>,
    rows: usize,
    /// The logical cluster of the next row.
    cluster: String,
    tabs: Tabs,
}

impl<'a> KubectlTable<'a> {
    /// An empty table.
    pub fn new(columns: &'a [Column], options: Options<'a>) -> Self {
        Self {
            columns,
            options,
            name: columns.iter().position(|column| column.name == "Name"),
            rows: 0,
            cluster: String::new(),
            tabs: Tabs::default(),
        }
    }

    /// Names the logical cluster of the rows that follow.
    pub fn in_cluster(&mut self, cluster: &str) {
        cluster.clone_into(&mut self.cluster);
    }

    /// Adds the row of one object; its namespace and labels are read from it. Cells beyond the
    /// columns are left out.
    pub fn push(&mut self, object: &Value, cells: &[String]) {
        if self.rows == 0 && !self.options.no_headers {
            self.head();
        }
        self.rows = self.rows.saturating_add(1);
        let metadata = object.get("metadata");
        let labels = metadata
            .and_then(|metadata| metadata.get("labels"))
            .and_then(Value::as_object);
        let mut first = true;
        if self.options.cluster {
            let cluster = std::mem::take(&mut self.cluster);
            self.cell(&mut first, &cluster);
            self.cluster = cluster;
        }
        if self.options.namespace {
            let namespace = metadata.and_then(|metadata| metadata.get("namespace"));
            self.cell(
                &mut first,
                namespace.and_then(Value::as_str).unwrap_or_default(),
            );
        }
        for (index, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
            if column.wide && !self.options.wide {
                continue;
            }
            match self.options.kind.filter(|_| self.name == Some(index)) {
                Some(kind) => self.cell(&mut first, &format!("{kind}/{cell}")),
                None => self.cell(&mut first, cell),
            }
        }
        self.labels(&mut first, labels);
        self.tabs.end_line();
    }

    /// The cells of labels.
    fn labels(&mut self, first: &mut bool, labels: Option<&Map<String, Value>>) {
        for key in self.options.label_columns {
            let label = labels.and_then(|labels| labels.get(key));
            self.cell(first, label.and_then(Value::as_str).unwrap_or_default());
        }
        if self.options.show_labels {
            self.cell(first, &format_labels(labels));
        }
    }

    /// The line of names.
    fn head(&mut self) {
        let mut first = true;
        for head in self.heads() {
            self.cell(&mut first, &head);
        }
        self.tabs.end_line();
    }

    /// Writes one cell, up to a line break and with escapes visible.
    fn cell(&mut self, first: &mut bool, text: &str) {
        if !std::mem::take(first) {
            self.tabs.write('\t');
        }
        let (shown, rest) = match text.find(['\n', '\r', '\u{c}']) {
            Some(end) => (text.get(..end).unwrap_or_default(), "..."),
            None => (text, ""),
        };
        for character in shown.chars() {
            match character {
                '\u{1b}' => self.tabs.write_str("^["),
                other => self.tabs.write(other),
            }
        }
        self.tabs.write_str(rest);
    }

    /// Whether there is no row yet: then kubectl prints no header either.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Writes the table; nothing without rows.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.tabs.write_to(out)
    }

    /// The same as rows for a terminal, whose columns are as wide as they look, and fit it.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let heads = self.heads();
        let indices = |wanted: &[&str]| -> Vec<usize> {
            let found = heads.iter().enumerate();
            let found = found.filter(|(_, head)| wanted.contains(&head.as_str()));
            found.map(|(index, _)| index).collect()
        };
        let (labels, ages) = (indices(&["LABELS", "MESSAGE"]), indices(&AGES));
        let mut rows = self
            .tabs
            .rows(heads.len(), !self.options.no_headers)
            .names(&indices(&NAMES))
            .whole(&ages)
            .sentences(&labels)
            .drop_first(&drop_first(&heads));
        for age in ages {
            rows = rows.painted(age, Style::age);
        }
        rows
    }

    /// The names of the columns.
    fn heads(&self) -> Vec<String> {
        let cluster = self.options.cluster.then(|| "CLUSTER".to_owned());
        let namespace = self.options.namespace.then(|| "NAMESPACE".to_owned());
        let columns = self.columns.iter();
        let columns = columns.filter(|column| !column.wide || self.options.wide);
        let columns = columns.map(|column| upper(&column.name));
        let labels = self.options.label_columns.iter();
        let labels = labels.map(|key| upper(key.rsplit('/').next().unwrap_or_default()));
        let all = self.options.show_labels.then(|| "LABELS".to_owned());
        cluster
            .into_iter()
            .chain(namespace)
            .chain(columns)
            .chain(labels)
            .chain(all)
            .collect()
    }

    /// The table as a text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Writing into memory does not fail.
        let _ = self.write(&mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

/// Lines of cells that are printed as they are, aligned the same way: kubectl's custom columns. A line
/// break in a cell ends the line.
#[derive(Debug, Default)]
pub struct VerbatimTable {
    tabs: Tabs,
}

impl VerbatimTable {
    /// Adds a line.
    pub fn push(&mut self, cells: &[impl AsRef<str>]) {
        let mut first = true;
        for cell in cells {
            if !std::mem::take(&mut first) {
                self.tabs.write('\t');
            }
            for character in cell.as_ref().chars() {
                match character {
                    '\n' => self.tabs.end_line(),
                    other => self.tabs.write(other),
                }
            }
        }
        self.tabs.end_line();
    }

    /// Writes the lines.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.tabs.write_to(out)
    }

    /// The same as rows for a terminal. All columns were asked for: each is cut, none is left out.
    #[must_use]
    pub fn rows(&self, columns: usize, has_head: bool) -> Rows {
        self.tabs.rows(columns, has_head)
    }
}

/// Columns that name an object.
const NAMES: [&str; 2] = ["NAMESPACE", "NAME"];

/// Columns of ages.
const AGES: [&str; 2] = ["AGE", "LAST SEEN"];

/// What a narrow terminal keeps longest, the least important one first.
const KEPT: [&str; 7] = [
    "READY",
    "AGE",
    "LAST SEEN",
    "STATUS",
    "REASON",
    "OBJECT",
    "MESSAGE",
];

/// The columns that are left out on a narrow terminal, from the right. Columns with the state of an object are left out
/// last. Columns of labels stay, because the user asked for them.
fn drop_first(heads: &[String]) -> Vec<usize> {
    let place = |head: &str| heads.iter().position(|known| known == head);
    let is_kept = |head: &String| {
        let head = head.as_str();
        NAMES.contains(&head) || KEPT.contains(&head) || head == "LABELS"
    };
    let others = (0..heads.len()).rev();
    let others = others.filter(|index| heads.get(*index).is_some_and(|head| !is_kept(head)));
    others.chain(KEPT.into_iter().filter_map(place)).collect()
}

/// Upper case, one character for one as in Go.
fn upper(text: &str) -> String {
    text.chars()
        .map(|c| {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        })
        .collect()
}

/// Lines of cells that end with a tab but for the last of the line.
#[derive(Debug, Default)]
struct Tabs {
    /// All cells' texts, without the tabs.
    text: String,
    cells: Vec<Cell>,
    /// Where the cells of a line end in `cells`.
    lines: Vec<usize>,
    /// Of the cell that is being written.
    open: Cell,
}

/// The end of a cell's text, and how many characters it has.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    end: usize,
    width: usize,
}

impl Tabs {
    fn write(&mut self, character: char) {
        // Go's tabwriter reads a vertical tab as a tab, too.
        if character == '\t' || character == '\u{b}' {
            self.end_cell();
        } else {
            self.text.push(character);
            self.open.width = self.open.width.saturating_add(1);
        }
    }

    fn write_str(&mut self, text: &str) {
        text.chars().for_each(|character| self.write(character));
    }

    fn end_cell(&mut self) {
        self.open.end = self.text.len();
        self.cells.push(std::mem::take(&mut self.open));
    }

    fn end_line(&mut self) {
        self.end_cell();
        self.lines.push(self.cells.len());
    }

    /// The lines as ranges of cells.
    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.lines.iter().copied());
        starts.zip(&self.lines).map(|(start, end)| start..*end)
    }

    /// The lines as rows of so many cells; what is beyond them is in the last one.
    fn rows(&self, columns: usize, has_head: bool) -> Rows {
        let mut rows: Option<Rows> = None;
        let mut start = 0;
        for line in self.ranges() {
            let mut cells: Vec<String> = Vec::with_capacity(columns);
            for cell in self.cells.get(line).unwrap_or_default() {
                let text = self.text.get(start..cell.end).unwrap_or_default();
                start = cell.end;
                let is_full = cells.len() >= columns;
                match cells.last_mut().filter(|_| is_full) {
                    Some(last) => {
                        last.push(' ');
                        last.push_str(text);
                    }
                    None => cells.push(text.to_owned()),
                }
            }
            match &mut rows {
                Some(rows) => rows.add(&cells),
                None if has_head => {
                    let heads: Vec<&str> = cells.iter().map(String::as_str).collect();
                    rows = Some(Rows::new(&heads, &[]));
                }
                None => {
                    let mut first = Rows::without_head(columns, &[]);
                    first.add(&cells);
                    rows = Some(first);
                }
            }
        }
        rows.unwrap_or_else(|| Rows::without_head(columns, &[]))
            .with_gap(GAP)
    }

    fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let padded = self.padded();
        let mut start = 0;
        let mut lines = self.lines.iter().peekable();
        for (index, (cell, width)) in self.cells.iter().zip(padded).enumerate() {
            let text = self.text.get(start..cell.end).unwrap_or_default();
            start = cell.end;
            write!(out, "{text}{}", blanks(width.saturating_sub(cell.width)))?;
            if lines
                .next_if(|end| **end == index.saturating_add(1))
                .is_some()
            {
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    /// How wide each cell is printed. The lines in a row that have a cell of a column before their
    /// last cell are one block of that column and share a width; what a column was once, it stays.
    fn padded(&self) -> Vec<usize> {
        let mut padded = vec![0; self.cells.len()];
        let mut columns: Vec<Block> = Vec::new();
        for line in self.ranges() {
            let last = line.end.saturating_sub(1);
            let ended = last.saturating_sub(line.start);
            for block in columns.iter_mut().skip(ended) {
                block.close(&mut padded);
            }
            for (column, index) in (line.start..last).enumerate() {
                if columns.len() <= column {
                    columns.push(Block::default());
                }
                if let (Some(block), Some(cell)) = (columns.get_mut(column), self.cells.get(index))
                {
                    block.widest.fit(cell.width);
                    block.members.push(index);
                }
            }
        }
        for block in &mut columns {
            block.close(&mut padded);
        }
        padded
    }
}

/// The cells of one column in lines that follow each other.
#[derive(Debug, Default)]
struct Block {
    widest: ColumnWidth,
    members: Vec<usize>,
    /// How wide the column's earlier blocks were.
    remembered: usize,
}

impl Block {
    fn close(&mut self, padded: &mut [usize]) {
        if self.members.is_empty() {
            return;
        }
        let width = self.widest.get().saturating_add(PADDING).max(MIN_WIDTH);
        self.remembered = self.remembered.max(width);
        self.widest = ColumnWidth::default();
        for index in self.members.drain(..) {
            if let Some(place) = padded.get_mut(index) {
                *place = self.remembered;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::borrow::Cow;

    fn columns() -> Vec<Column> {
        [("Name", false), ("Odd", false), ("Node", true)]
            .map(|(name, wide)| Column {
                name: Cow::Borrowed(name),
                wide,
            })
            .to_vec()
    }

    fn printed(options: Options<'_>, rows: &[[&str; 3]]) -> String {
        let columns = columns();
        let mut table = KubectlTable::new(&columns, options);
        let object = json!({"metadata": {
            "namespace": "shop", "labels": {"b.c/app": "web", "a": ""}}});
        for row in rows {
            table.push(&object, &row.map(str::to_owned));
        }
        table.text()
    }

    #[test]
    fn the_last_cell_of_a_line_is_not_padded() {
        let rows = [["a", "x", "n"], ["longer-name", "", "n"]];
        assert_eq!(
            printed(Options::default(), &rows),
            "NAME          ODD\na             x\nlonger-name   \n"
        );
        let wide = Options {
            wide: true,
            no_headers: true,
            ..Options::default()
        };
        // A column is six characters wide at least.
        assert_eq!(
            printed(wide, &[["a", "x", "n"], ["b", "y", ""]]),
            "a     x     n\nb     y     \n"
        );
    }

    #[test]
    fn a_terminal_gets_the_same_cells() {
        let columns = columns();
        let mut table = KubectlTable::new(&columns, Options::default());
        for row in [["a", "x\ty", "n"], ["longer-name", "z", "n"]] {
            table.push(&json!({}), &row.map(str::to_owned));
        }
        assert_eq!(
            table.rows().text(),
            "NAME          ODD\na             x y\nlonger-name   z\n"
        );
    }

    #[test]
    fn a_narrow_terminal_keeps_name_and_status() {
        let heads = ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"].map(str::to_owned);
        assert_eq!(drop_first(&heads), [5, 3, 1, 4, 2]);
    }

    #[test]
    fn without_rows_there_is_no_header() {
        assert_eq!(printed(Options::default(), &[]), "");
    }

    #[test]
    fn namespace_kind_and_labels_stand_around_the_cells() {
        let labels = ["b.c/app".to_owned(), "none".to_owned()];
        let options = Options {
            namespace: true,
            show_labels: true,
            label_columns: &labels,
            kind: Some("deployment.apps"),
            ..Options::default()
        };
        assert_eq!(
            printed(options, &[["a", "x", "n"]]),
            "NAMESPACE   NAME                ODD   APP   NONE   LABELS\n\
             shop        deployment.apps/a   x     web          a=,b.c/app=web\n"
        );
    }

    #[test]
    fn a_cell_ends_at_a_line_break_and_escapes_are_visible() {
        let rows = [["a\u{1b}[31m", "two\nlines", ""], ["b", "\rx", ""]];
        let options = Options {
            no_headers: true,
            ..Options::default()
        };
        assert_eq!(printed(options, &rows), "a^[[31m   two...\nb         ...\n");
    }

    #[test]
    fn widths_are_counted_in_characters() {
        let rows = [["\u{540d}\u{524d}", "x", ""], ["abcd", "y", ""]];
        let options = Options {
            no_headers: true,
            ..Options::default()
        };
        assert_eq!(
            printed(options, &rows),
            "\u{540d}\u{524d}     x\nabcd   y\n"
        );
    }

    #[test]
    fn a_tab_in_a_cell_begins_another_and_a_column_remembers_its_width() {
        let options = Options {
            no_headers: true,
            ..Options::default()
        };
        // The second column has two blocks: lines 1 and 3. The later one is not narrower.
        let rows = [
            ["a", "1234567890\tx", ""],
            ["b", "y", ""],
            ["c", "z\u{b}x", ""],
        ];
        assert_eq!(
            printed(options, &rows),
            "a     1234567890   x\nb     y\nc     z            x\n"
        );
    }
}
