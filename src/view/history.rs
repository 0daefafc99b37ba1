//! Events as lines of a table that is written line by line: its columns are as wide as the events need.

use std::fmt::Write as _;

use crate::etcd::record::Origin;
use crate::etcd::{Event, EventType};

use super::pad::{self, ColumnWidth};
use super::record::key_text;
use super::table::cell;

/// One event with what is known of its writing.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// The event.
    pub event: Event<'a>,
    /// Who wrote it.
    pub managers: Vec<String>,
    /// When it was written, as a cell; `-` where nothing tells it.
    pub time: String,
}

/// The columns before the last, in their order.
const HEADS: [&str; 8] = [
    "REVISION", "TYPE", "VERSION", "SIZE", "CHANGE", "TIME", "ORIGIN", "KEY",
];
/// The columns of numbers, which are set to the right.
const NUMBERS: [usize; 4] = [0, 2, 3, 4];
const ORIGIN: usize = 6;
const KEY: usize = 7;
/// Between two columns.
const GAP: &str = "  ";

/// How wide the columns are.
#[derive(Debug, Clone)]
pub struct Layout {
    widths: [ColumnWidth; HEADS.len()],
    with_key: bool,
    /// Where the tree leads to all of them, it says nothing.
    with_origin: bool,
}

impl Layout {
    /// The layout for events, each with the cell of its time; `with_key` where they are of several keys.
    pub fn of<'a>(events: impl Iterator<Item = (Event<'a>, String)>, with_key: bool) -> Self {
        let mut widths = HEADS.map(|head| ColumnWidth::of([head]));
        let mut with_origin = false;
        for (event, time) in events {
            with_origin |= event.record.origin != Origin::Live;
            let cells = cells(&event, &time, with_key);
            for (width, cell) in widths.iter_mut().zip(&cells) {
                width.fit(pad::width_of(cell));
            }
        }
        Self {
            widths,
            with_key,
            with_origin,
        }
    }

    /// The line of names.
    pub fn head(&self) -> String {
        self.join(&HEADS.map(str::to_owned), "FIELD MANAGERS")
    }

    /// The line of an event. Nothing is cut: who wrote it stands last and is the answer.
    pub fn row(&self, line: &Line<'_>) -> String {
        let managers = match line.managers.as_slice() {
            [] => "-".to_owned(),
            managers => cell(&managers.join(", ")),
        };
        self.join(&cells(&line.event, &line.time, self.with_key), &managers)
    }

    fn join(&self, cells: &[String; HEADS.len()], last: &str) -> String {
        let mut text = String::new();
        for (index, (cell, width)) in cells.iter().zip(self.widths).enumerate() {
            if (index == KEY && !self.with_key) || (index == ORIGIN && !self.with_origin) {
                continue;
            }
            let padded = if NUMBERS.contains(&index) {
                pad::right(cell, width)
            } else {
                pad::left(cell, width)
            };
            // Writing to a string does not fail.
            let _ = write!(text, "{padded}{GAP}");
        }
        text.push_str(last);
        text
    }
}

/// The event on one line: revision, what it did, the key, and who wrote it.
pub fn oneline(line: &Line<'_>) -> String {
    let managers = match line.managers.as_slice() {
        [] => String::new(),
        managers => format!("  ({})", cell(&managers.join(", "))),
    };
    let event = &line.event;
    let origin = match event.record.origin {
        Origin::Live => String::new(),
        origin => format!("  [{}]", origin.as_str()),
    };
    format!(
        "{} {} {}{managers}{origin}",
        event.record.revision,
        event.event_type.as_str(),
        key_text(event.record.key)
    )
}

fn cells(event: &Event<'_>, time: &str, with_key: bool) -> [String; HEADS.len()] {
    let record = &event.record;
    let size = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    let deleted = event.event_type == EventType::Delete;
    let or_dash = |shown: bool, text: String| if shown { text } else { "-".to_owned() };
    let change = event.previous.filter(|_| !deleted).map(|old| {
        let change = size(record.value.len()).saturating_sub(size(old.value.len()));
        format!("{change:+}")
    });
    let key = if with_key {
        key_text(record.key).into_owned()
    } else {
        String::new()
    };
    [
        record.revision.to_string(),
        event.event_type.as_str().to_owned(),
        or_dash(!deleted, record.version.to_string()),
        or_dash(!deleted, record.value.len().to_string()),
        change.unwrap_or_else(|| "-".to_owned()),
        time.to_owned(),
        record.origin.as_str().to_owned(),
        key,
    ]
}
