//! Events as lines of a table that is written line by line: its columns are as wide as the events need, and on a
//! terminal as its width allows.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::etcd::record::Origin;
use crate::etcd::{Event, EventType};

use super::fit::{ELLIPSIS, Need, cut_end, cut_middle, fit};
use super::key_names::KeyNames;
use super::pad::{ColumnWidth, width_of};
use super::style::{Paint, Style};
use super::table::cell;

/// One event with what is known of its writing.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// The event.
    pub event: Event<'a>,
    /// Who wrote it.
    pub managers: Vec<String>,
    /// When it was written, as a cell; `-` if that is not known.
    pub time: String,
    /// How long before the newest time of the store it was written. None if no age was asked for.
    pub age: Option<String>,
    /// Its place in its transaction.
    pub place: Place,
}

/// Where an event is among the events of one transaction that follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// The only one.
    #[default]
    Alone,
    /// The first of several.
    First,
    /// Neither the first nor the last.
    Middle,
    /// The last of several.
    Last,
}

impl Place {
    /// The places of events, by their main revisions.
    #[must_use]
    pub fn of_mains(mains: &[i64]) -> Vec<Self> {
        let main = |index: Option<usize>| index.and_then(|index| mains.get(index));
        let place = |index: usize| {
            let this = main(Some(index));
            let (before, after) = (main(index.checked_sub(1)), main(index.checked_add(1)));
            match (this == before, this == after) {
                (false, false) => Self::Alone,
                (false, true) => Self::First,
                (true, true) => Self::Middle,
                (true, false) => Self::Last,
            }
        };
        (0..mains.len()).map(place).collect()
    }

    /// The part of a bracket around the transaction.
    fn bracket(self) -> &'static str {
        match self {
            Self::Alone => " ",
            Self::First => "\u{250c}",
            Self::Middle => "\u{2502}",
            Self::Last => "\u{2514}",
        }
    }
}

/// The columns, in their order.
const HEADS: [&str; 11] = [
    "",
    "REVISION",
    "TYPE",
    "VERSION",
    "SIZE",
    "CHANGE",
    "TIME",
    "AGO",
    "ORIGIN",
    "KEY",
    "FIELD MANAGERS",
];
const BRACKET: usize = 0;
const TYPE: usize = 2;
const TIME: usize = 6;
const AGO: usize = 7;
const ORIGIN: usize = 8;
const KEY: usize = 9;
const MANAGERS: usize = 10;
/// The columns of numbers, which are set to the right.
const NUMBERS: [usize; 5] = [1, 3, 4, 5, 7];
/// The columns that are left out on a narrow terminal, in this order: sizes, versions, then who and when.
const DROP_FIRST: [usize; 7] = [4, 5, 3, ORIGIN, MANAGERS, TIME, AGO];
/// The least width of keys and of managers before a column is left out.
const LEAST_KEY: usize = 20;
const LEAST_MANAGERS: usize = 14;
/// Between two columns.
const GAP: &str = "  ";

/// The width of each column. None for a column that is left out or is empty in all rows.
#[derive(Debug)]
pub struct Layout<'n> {
    widths: [Option<ColumnWidth>; HEADS.len()],
    left_out: Vec<&'static str>,
    style: Style,
    names: KeyNames<'n>,
}

/// Which columns are not empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown {
    /// The events are of several keys.
    pub key: bool,
    /// Ages are asked for.
    pub ago: bool,
    /// Transactions of several events are bracketed.
    pub brackets: bool,
}

impl<'n> Layout<'n> {
    /// The layout for these lines. The lines with managers determine the width of that column on a terminal.
    pub fn new<'a>(
        lines: impl Iterator<Item = Line<'a>>,
        shown: Shown,
        names: KeyNames<'n>,
        style: Style,
    ) -> Self {
        let mut widths = HEADS.map(|head| ColumnWidth::of([head]));
        let mut with_origin = false;
        let mut least_time = 0;
        for line in lines {
            least_time = least_time.max(width_of(&first_time(&line.time)));
            with_origin |= line.event.record.origin != Origin::Live;
            let cells = cells(&line, &names, &style);
            for (width, cell) in widths.iter_mut().zip(&cells) {
                width.fit(width_of(cell));
            }
        }
        let mut is_shown = [true; HEADS.len()];
        for (index, says) in [
            (BRACKET, shown.brackets),
            (AGO, shown.ago),
            (ORIGIN, with_origin),
            (KEY, shown.key),
        ] {
            if let Some(place) = is_shown.get_mut(index) {
                *place = says;
            }
        }
        let mut layout = Self {
            widths: [None; HEADS.len()],
            left_out: Vec::new(),
            style,
            names,
        };
        layout.fit(widths, is_shown, least_time);
        layout
    }

    fn fit(
        &mut self,
        widths: [ColumnWidth; HEADS.len()],
        says: [bool; HEADS.len()],
        least_time: usize,
    ) {
        let natural = widths.iter().zip(says);
        for (place, (width, says)) in self.widths.iter_mut().zip(natural.clone()) {
            *place = says.then_some(*width);
        }
        let Some(width) = self.style.width else {
            return;
        };
        let indices: Vec<usize> = (0..HEADS.len())
            .zip(says)
            .filter_map(|(index, says)| says.then_some(index))
            .collect();
        let needs: Vec<Need> = (0..HEADS.len())
            .zip(natural)
            .filter(|(_, (_, says))| *says)
            .map(|(index, (width, _))| {
                let natural = width.get();
                let least = match index {
                    KEY => natural.min(LEAST_KEY),
                    MANAGERS => natural.min(LEAST_MANAGERS),
                    TIME => natural.min(least_time.max(width_of("TIME"))),
                    _ => natural,
                };
                Need { natural, least }
            })
            .collect();
        let drop_first: Vec<usize> = DROP_FIRST
            .iter()
            .filter_map(|column| indices.iter().position(|index| index == column))
            .collect();
        let fitted = fit(&needs, &drop_first, GAP.len(), width);
        for (index, width) in indices.into_iter().zip(fitted) {
            if let Some(place) = self.widths.get_mut(index) {
                *place = width.map(ColumnWidth::exactly);
            }
            if width.is_none() {
                self.left_out.extend(HEADS.get(index));
            }
        }
    }

    /// The columns that do not fit the terminal.
    pub fn left_out(&self) -> &[&'static str] {
        &self.left_out
    }

    /// How its lines look.
    pub fn style(&self) -> &Style {
        &self.style
    }

    /// The line of names.
    pub fn head(&self) -> String {
        self.join(&HEADS.map(str::to_owned), |style, _| style.header)
    }

    /// The line of an event. In a pipe nothing is cut.
    pub fn row(&self, line: &Line<'_>) -> String {
        self.join(
            &cells(line, &self.names, &self.style),
            |style, index| match index {
                BRACKET => style.note,
                TYPE => style.event(line.event.event_type.as_str()),
                AGO => style.dim,
                _ => Paint::default(),
            },
        )
    }

    fn join(
        &self,
        cells: &[String; HEADS.len()],
        paint: impl Fn(&Style, usize) -> Paint,
    ) -> String {
        let mut text = String::new();
        let mut blanks = String::new();
        for (index, (cell, width)) in cells.iter().zip(self.widths).enumerate() {
            let Some(width) = width else { continue };
            let cell = match (self.style.width, index) {
                (None, _) => cell.as_str().into(),
                (_, TIME) if width_of(cell) > width.get() => first_time(cell),
                (_, MANAGERS) => cut_end(cell, width.get()),
                _ => cut_middle(cell, width.get()),
            };
            let Paint { before, after } = paint(&self.style, index);
            let fill = width.fill(width_of(&cell));
            // Writing to a string does not fail.
            let _ = if NUMBERS.contains(&index) {
                write!(text, "{blanks}{fill}{before}{cell}{after}")
            } else {
                write!(text, "{blanks}{before}{cell}{after}")
            };
            blanks.clear();
            if !NUMBERS.contains(&index) {
                let _ = write!(blanks, "{fill}");
            }
            // A bracket is close to what it brackets.
            blanks.push_str(if index == BRACKET { " " } else { GAP });
        }
        text
    }

    /// The event on one line: revision, what it did, the key, and who wrote it.
    pub fn oneline(&self, line: &Line<'_>, indent: &str) -> String {
        let style = &self.style;
        let managers = match line.managers.as_slice() {
            [] => String::new(),
            managers => format!("  ({})", cell(&managers.join(", "))),
        };
        let event = &line.event;
        let origin = match event.record.origin {
            Origin::Live => String::new(),
            origin => format!("  [{}]", origin.as_str()),
        };
        let age = line.age.as_ref();
        let age = age.map_or_else(String::new, |age| format!("  {age} ago"));
        let bracket = match self.widths.first() {
            Some(Some(_)) => format!("{} ", line.place.bracket()),
            _ => String::new(),
        };
        let (revision, word) = (event.record.revision, event.event_type.as_str());
        let head = format!("{indent}{bracket}{revision} ");
        let key = self.names.text(event.record.key);
        let key = style.cleaned(&key);
        let tail = format!("{managers}{origin}");
        let tail = style.cleaned(&tail);
        let (key, tail) = match style.width {
            None => (key, tail),
            Some(width) => {
                let used = width_of(&head)
                    .saturating_add(word.len())
                    .saturating_add(1)
                    .saturating_add(width_of(&age));
                let room = width.saturating_sub(used);
                let for_key = room
                    .saturating_sub(width_of(&tail))
                    .max(room.min(LEAST_KEY));
                let key = cut_middle(&key, for_key).into_owned();
                let left = room.saturating_sub(width_of(&key));
                let tail = cut_end(&tail, left).into_owned();
                (key.into(), tail.into())
            }
        };
        let (mark, dim) = (style.event(word), style.dim);
        let text = format!(
            "{head}{}{word}{} {key}{tail}{}{age}{}",
            mark.before, mark.after, dim.before, dim.after
        );
        match style.width {
            Some(width) => super::clip::clipped(&text, width),
            None => text,
        }
    }
}

/// The beginning of an interval that does not fit: `2026-11-20T21:16:36Z..` and an ellipsis. No time is cut in its middle.
fn first_time(cell: &str) -> Cow<'_, str> {
    match cell.split_once("..") {
        Some((from, _)) => format!("{from}..{ELLIPSIS}").into(),
        None => cell.into(),
    }
}

fn cells(line: &Line<'_>, names: &KeyNames<'_>, style: &Style) -> [String; HEADS.len()] {
    let event = &line.event;
    let record = &event.record;
    let size = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    let deleted = event.event_type == EventType::Delete;
    let or_dash = |shown: bool, text: String| if shown { text } else { "-".to_owned() };
    let change = event.previous.filter(|_| !deleted).map(|old| {
        let change = size(record.value.len())
            .saturating_sub(i64::try_from(old.value_bytes).unwrap_or(i64::MAX));
        format!("{change:+}")
    });
    let managers = match line.managers.as_slice() {
        [] => "-".to_owned(),
        managers => cell(&managers.join(", ")),
    };
    [
        line.place.bracket().to_owned(),
        record.revision.to_string(),
        event.event_type.as_str().to_owned(),
        or_dash(!deleted, record.version.to_string()),
        or_dash(!deleted, record.value.len().to_string()),
        change.unwrap_or_else(|| "-".to_owned()),
        line.time.clone(),
        line.age.clone().unwrap_or_default(),
        record.origin.as_str().to_owned(),
        style.cleaned(&names.text(record.key)).into_owned(),
        style.cleaned(&managers).into_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_is_around_events_of_one_transaction() {
        use Place::{Alone, First, Last, Middle};
        assert_eq!(
            Place::of_mains(&[9, 8, 8, 8, 7, 6, 6]),
            [Alone, First, Middle, Last, Alone, First, Last]
        );
        assert!(Place::of_mains(&[]).is_empty());
    }
}
