//! A key's history as a table.

use crate::etcd::{Event, EventType};

use super::table;

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

/// The events in the order given. Nothing is cut: who wrote it stands last and is the answer.
pub fn table(lines: &[Line<'_>]) -> String {
    let mut table = table::plain(&[
        "REVISION", "TYPE", "VERSION", "SIZE", "CHANGE", "TIME", "MANAGERS",
    ]);
    for line in lines {
        table.add_row(row(line));
    }
    table::text(table, &[0, 2, 3, 4])
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
        or_dash(
            !line.managers.is_empty(),
            table::cell(&line.managers.join(", ")),
        ),
    ]
}
