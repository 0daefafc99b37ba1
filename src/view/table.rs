//! Small tables for people, made by comfy-table: no borders, two blanks between columns. Nothing wraps unless [`fit`]
//! is called, so that cells can be copied.
//!
//! comfy-table keeps each line with all its blanks in memory, so these are for a few rows of our own. Rows that come
//! from the file use [`super::rows`].

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Between two columns.
pub(super) const GAP: &str = "  ";

/// A table without rows. If `heads` is empty, it has no head.
pub fn plain(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if !heads.is_empty() {
        table.set_header(heads);
    }
    table
}

/// Limits the width of a table: a cell that is too wide continues on the lines below.
pub fn fit(table: &mut Table, width: usize) {
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
}

/// A text from the file as a cell, with control characters escaped: a line break would look like a new row.
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

/// The table as text. The columns at `numbers` are aligned to the right.
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
