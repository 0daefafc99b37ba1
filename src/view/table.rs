//! Tables for people: no lines, two spaces between columns, nothing wrapped. These are facts to copy.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Between two columns.
const GAP: u16 = 2;

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

/// A text from the file as a cell: a line break in it would look like a row of its own.
pub fn cell(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// The table as text, with the columns of numbers set to the right.
pub fn text(mut table: Table, numbers: &[usize]) -> String {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        if numbers.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}
