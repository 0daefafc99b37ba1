//! Tables for people: no lines, two spaces between columns, nothing wrapped. These are facts to copy.
//!
//! They hold each cell with all its blanks: they are for a few rows of our own. Rows that come from the file
//! are [`super::rows`].

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Between two columns.
pub(super) const GAP: &str = "  ";

/// An empty table; `heads` may be empty.
pub fn plain(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if !heads.is_empty() {
        table.set_header(heads);
    }
    table
}

/// Makes a table at most so wide: cells go on in lines below.
pub fn fit(table: &mut Table, width: usize) {
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
}

/// A text from the file as a cell: a line break in it would look like a row of its own.
pub fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// The table as text, with the columns of numbers set to the right.
pub fn text(mut table: Table, numbers: &[usize]) -> String {
    let gap = u16::try_from(GAP.len()).unwrap_or(u16::MAX);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, gap));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}
