//! `--stat`: how much changed in which object.

use std::borrow::Cow;
use std::io::{self, Write};

use super::super::fit::{cut_middle, wrap};
use super::super::pad::{self, ColumnWidth};
use super::{Change, Paint, Style};
use crate::k8s::diff::{FieldChange, Op};

/// The longest bar, as in `git diff --stat` on a terminal of 80 columns or so.
const BAR: usize = 40;

/// The shortest bar that a narrow terminal leaves room for.
const SHORTEST_BAR: usize = 10;

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatRow {
    /// What happened to the object.
    pub change: Change,
    /// Its key, as it is to be printed.
    pub key: String,
    /// Fields that were absent before.
    pub added: usize,
    /// Fields that are absent now.
    pub removed: usize,
    /// Fields with another value or place.
    pub changed: usize,
}

impl StatRow {
    /// Counts the changes of one object.
    #[must_use]
    pub fn new(change: Change, key: &str, fields: &[FieldChange]) -> StatRow {
        let count = |ops: &[Op]| fields.iter().filter(|f| ops.contains(&f.op)).count();
        StatRow {
            change,
            key: key.to_owned(),
            added: count(&[Op::Add]),
            removed: count(&[Op::Remove]),
            changed: count(&[Op::Replace, Op::Move]),
        }
    }

    fn total(&self) -> usize {
        self.added
            .saturating_add(self.removed)
            .saturating_add(self.changed)
    }
}

/// Writes the table, one line a key with the number of its changed fields and a bar (`+` added, `~` changed,
/// `-` removed), and a line of totals.
///
/// # Errors
/// Those of the writer.
pub fn write_stat(out: &mut dyn Write, rows: &[StatRow], style: &Style) -> io::Result<()> {
    let most = rows.iter().map(StatRow::total).max().unwrap_or(0);
    let digits = ColumnWidth::of([most.to_string().as_str()]);
    let room = style.width.map(|width| {
        let beside = digits.get().saturating_add(SHORTEST_BAR).saturating_add(7);
        width.saturating_sub(beside).max(SHORTEST_BAR)
    });
    let keys = rows.iter().map(|row| {
        let key = style.cleaned(&row.key);
        match room {
            Some(room) => cut_middle(&key, room).into_owned().into(),
            None => key,
        }
    });
    let keys: Vec<Cow<'_, str>> = keys.collect();
    let key_width = ColumnWidth::of(keys.iter().map(|key| &**key));
    let used = key_width
        .get()
        .saturating_add(digits.get())
        .saturating_add(7);
    let bar = match style.width {
        Some(width) => width.saturating_sub(used).clamp(SHORTEST_BAR, BAR),
        None => BAR,
    };
    for (row, key) in rows.iter().zip(&keys) {
        let mark = super::paint(row.change, style);
        let marker = row.change.marker();
        write!(out, "{}{marker}{} ", mark.before, mark.after)?;
        write!(out, "{}{key}{}", style.header.before, style.header.after)?;
        write!(out, "{} |", key_width.fill(pad::width_of(key)))?;
        match row.change {
            Change::Created | Change::Deleted => write!(out, " {}", row.change.as_str())?,
            change => {
                write!(out, " {} ", pad::right(&row.total().to_string(), digits))?;
                write_bar(out, row, scale(most, bar), style)?;
                if change == Change::Recreated {
                    write!(out, " re-created")?;
                }
            }
        }
        writeln!(out)?;
    }
    let totals = totals(rows);
    match style.width {
        Some(width) => wrap(&totals, width)
            .iter()
            .try_for_each(|line| writeln!(out, "{line}")),
        None => writeln!(out, "{totals}"),
    }
}

/// From a count to signs: at least one where there is any.
fn scale(most: usize, bar: usize) -> impl Fn(usize) -> usize {
    move |count| {
        if most <= bar {
            return count;
        }
        let signs = count.saturating_mul(bar).checked_div(most).unwrap_or(0);
        signs.max(usize::from(count > 0))
    }
}

fn write_bar(
    out: &mut dyn Write,
    row: &StatRow,
    scale: impl Fn(usize) -> usize,
    style: &Style,
) -> io::Result<()> {
    for (sign, count, paint) in [
        ("+", row.added, style.added),
        ("~", row.changed, style.changed),
        ("-", row.removed, style.removed),
    ] {
        if count > 0 {
            let Paint { before, after } = paint;
            write!(out, "{before}{}{after}", sign.repeat(scale(count)))?;
        }
    }
    Ok(())
}

fn totals(rows: &[StatRow]) -> String {
    let objects = |change| rows.iter().filter(|row| row.change == change).count();
    let sum = |count: fn(&StatRow) -> usize| rows.iter().map(count).fold(0, usize::saturating_add);
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let (added, changed) = (sum(|row| row.added), sum(|row| row.changed));
    let removed = sum(|row| row.removed);
    format!(
        " {} object{}: {} created, {} deleted, {} re-created, {} changed; fields: {added} added, {changed} changed, \
         {removed} removed",
        rows.len(),
        s(rows.len()),
        objects(Change::Created),
        objects(Change::Deleted),
        objects(Change::Recreated),
        objects(Change::Changed),
    )
}
