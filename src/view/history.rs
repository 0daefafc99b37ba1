//! A key's history as a table.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::etcd::{Event, EventType};

/// One event with what is known of its writing.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// The event.
    pub event: Event<'a>,
    /// Who wrote it.
    pub managers: Vec<String>,
    /// When it was written, RFC 3339.
    pub time: Option<String>,
}

/// The events in the order given. With a width the last column is cut to it; nothing is cut without.
pub fn table(lines: &[Line<'_>], width: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "REVISION", "TYPE", "VERSION", "SIZE", "CHANGE", "TIME", "MANAGERS",
    ]);
    for line in lines {
        table.add_row(row(line));
    }
    for column in [0, 2, 3, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let cut = |text: &str| -> String {
        let text = text.trim_end();
        match width {
            Some(width) if text.chars().count() > width => text
                .chars()
                .take(width.saturating_sub(3))
                .chain("...".chars())
                .collect(),
            _ => text.to_owned(),
        }
    };
    table
        .to_string()
        .lines()
        .map(|text| cut(text) + "\n")
        .collect()
}

fn row(line: &Line<'_>) -> [String; 7] {
    let Event {
        record,
        event_type,
        previous,
    } = &line.event;
    let size = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    let deleted = *event_type == EventType::Delete;
    let or_dash = |shown: bool, text: String| if shown { text } else { "-".to_owned() };
    [
        record.revision.to_string(),
        event_type.as_str().to_owned(),
        or_dash(!deleted, record.version.to_string()),
        or_dash(!deleted, record.value.len().to_string()),
        previous.filter(|_| !deleted).map_or_else(
            || "-".to_owned(),
            |old| {
                format!(
                    "{:+}",
                    size(record.value.len()).saturating_sub(size(old.value.len()))
                )
            },
        ),
        or_dash(line.time.is_some(), line.time.clone().unwrap_or_default()),
        or_dash(!line.managers.is_empty(), line.managers.join(", ")),
    ]
}
