//! Differences of texts by line: the hunks of a changed multi-line string, and `-o unified`.

use std::io::{self, Write};

use similar::{DiffOp, DiffTag, group_diff_ops};

use super::cut::cut;
use super::words::{self, Painted};
use super::{Paint, Style};
use crate::k8s::diff::steps::steps;

/// Unchanged lines around a change, as in `diff -u`.
const CONTEXT_LINES: usize = 3;

/// One side of a unified diff.
#[derive(Debug, Clone, Copy)]
pub struct TextSide<'a> {
    /// The revision that wrote the object.
    pub mod_revision: i64,
    /// The object's YAML.
    pub text: &'a str,
}

/// Writes a unified diff of two texts, headed `--- a/KEY (mod N)` and `+++ b/KEY (mod M)`; `/dev/null` for a
/// side that does not exist. Nothing where the texts are equal. Nothing is cut.
///
/// # Errors
/// Those of the writer.
pub fn write_unified(
    out: &mut dyn Write,
    key: &str,
    old: Option<TextSide<'_>>,
    new: Option<TextSide<'_>>,
    style: &Style,
) -> io::Result<()> {
    let hunks = Hunks::new(
        old.map_or("", |side| side.text),
        new.map_or("", |side| side.text),
    );
    if hunks.groups.is_empty() {
        return Ok(());
    }
    let key = style.cleaned(key);
    let key = key.strip_prefix('/').unwrap_or(&key);
    let Paint { before, after } = style.header;
    for (sign, letter, side) in [("---", 'a', old), ("+++", 'b', new)] {
        match side {
            None => writeln!(out, "{before}{sign} /dev/null{after}")?,
            Some(side) => {
                let revision = side.mod_revision;
                writeln!(out, "{before}{sign} {letter}/{key} (mod {revision}){after}")?;
            }
        }
    }
    let uncut = Style {
        width: None,
        ..*style
    };
    hunks.write(out, "", &uncut, None)
}

/// The lines of two texts and where they differ.
pub(super) struct Hunks<'a> {
    pub(super) old: Vec<&'a str>,
    pub(super) new: Vec<&'a str>,
    pub(super) groups: Vec<Vec<DiffOp>>,
}

impl<'a> Hunks<'a> {
    /// Compares by line; a last line without its newline differs from one with it.
    pub(super) fn new(old: &'a str, new: &'a str) -> Hunks<'a> {
        let old: Vec<&str> = old.split_inclusive('\n').collect();
        let new: Vec<&str> = new.split_inclusive('\n').collect();
        let groups = group_diff_ops(steps(&old, &new), CONTEXT_LINES)
            .into_iter()
            .filter(|group| group.iter().any(|op| op.tag() != DiffTag::Equal))
            .collect();
        Hunks { old, new, groups }
    }

    /// Lines (old, new, added, removed).
    pub(super) fn counts(&self) -> (usize, usize, usize, usize) {
        let changed = self
            .groups
            .iter()
            .flatten()
            .filter(|op| op.tag() != DiffTag::Equal);
        let (mut added, mut removed) = (0_usize, 0_usize);
        for op in changed {
            added = added.saturating_add(op.new_range().len());
            removed = removed.saturating_add(op.old_range().len());
        }
        (self.old.len(), self.new.len(), added, removed)
    }

    /// Writes the hunks, each line after `indent`; at most `limit` lines, then how many more there are.
    pub(super) fn write(
        &self,
        out: &mut dyn Write,
        indent: &str,
        style: &Style,
        limit: Option<usize>,
    ) -> io::Result<()> {
        let mut left = limit.unwrap_or(usize::MAX);
        let mut hidden = 0_usize;
        for group in &self.groups {
            if left == 0 {
                hidden = group
                    .iter()
                    .map(op_lines)
                    .fold(hidden, usize::saturating_add);
                continue;
            }
            let Paint { before, after } = style.note;
            let old = span(group.iter().map(DiffOp::old_range));
            let new = span(group.iter().map(DiffOp::new_range));
            writeln!(out, "{indent}{before}@@ -{old} +{new} @@{after}")?;
            for op in group {
                if let Some(lines) = self.marked(op, style) {
                    let shown = lines.len().min(left);
                    for line in lines.iter().take(shown) {
                        writeln!(out, "{indent}~{line}")?;
                    }
                    left = left.saturating_sub(shown);
                    hidden = hidden.saturating_add(lines.len().saturating_sub(shown));
                    continue;
                }
                for (sign, line) in self.op_text(op) {
                    if left == 0 {
                        hidden = hidden.saturating_add(1);
                        continue;
                    }
                    left = left.saturating_sub(1);
                    write_line(out, indent, sign, line, style)?;
                }
            }
        }
        if hidden > 0 {
            let Paint { before, after } = style.note;
            let unit = if hidden == 1 { "line" } else { "lines" };
            writeln!(out, "{indent}{before}... {hidden} more {unit}{after}")?;
        }
        Ok(())
    }

    /// The lines of a replacement as one text with what differs in it marked, if that is asked for.
    fn marked(&self, op: &DiffOp, style: &Style) -> Option<Vec<String>> {
        if !style.words || op.tag() != DiffTag::Replace {
            return None;
        }
        let old = self.old.get(op.old_range()).unwrap_or_default().concat();
        let new = self.new.get(op.new_range()).unwrap_or_default().concat();
        let mut pieces = words::pieces(&old, &new)?;
        if let Some(last) = pieces.last_mut()
            && last.text.ends_with('\n')
        {
            last.text.pop();
        }
        let mut lines = vec![String::new()];
        for Painted { paint, text } in words::marked(&pieces, None, style) {
            for (index, part) in text.split('\n').enumerate() {
                if index > 0 {
                    lines.push(String::new());
                }
                if let Some(line) = lines.last_mut()
                    && !part.is_empty()
                {
                    line.push_str(paint.before);
                    line.push_str(part);
                    line.push_str(paint.after);
                }
            }
        }
        Some(lines)
    }

    fn op_text(&self, op: &DiffOp) -> Vec<(char, &'a str)> {
        let part = |sign, lines: &[&'a str], range: std::ops::Range<usize>| {
            let lines = lines.get(range).unwrap_or_default();
            lines
                .iter()
                .map(move |line| (sign, *line))
                .collect::<Vec<_>>()
        };
        if op.tag() == DiffTag::Equal {
            return part(' ', &self.new, op.new_range());
        }
        let mut lines = part('-', &self.old, op.old_range());
        lines.extend(part('+', &self.new, op.new_range()));
        lines
    }
}

fn op_lines(op: &DiffOp) -> usize {
    match op.tag() {
        DiffTag::Equal => op.new_range().len(),
        _ => op.old_range().len().saturating_add(op.new_range().len()),
    }
}

/// The `start,count` of a hunk header: lines count from 1; of no lines, the line before; a count of 1 is
/// not written.
pub(super) fn span(ranges: impl Iterator<Item = std::ops::Range<usize>>) -> String {
    let (mut start, mut end) = (None, 0);
    for range in ranges {
        start = start.or(Some(range.start));
        end = range.end;
    }
    let start = start.unwrap_or(0);
    match end.saturating_sub(start) {
        0 => format!("{start},0"),
        1 => format!("{}", start.saturating_add(1)),
        count => format!("{},{count}", start.saturating_add(1)),
    }
}

fn write_line(
    out: &mut dyn Write,
    indent: &str,
    sign: char,
    line: &str,
    style: &Style,
) -> io::Result<()> {
    let Paint { before, after } = match sign {
        '+' => style.added,
        '-' => style.removed,
        _ => Paint::default(),
    };
    let (text, ends) = match line.strip_suffix('\n') {
        Some(text) => (text, true),
        None => (line, false),
    };
    let used = indent.len().saturating_add(1);
    let text = cut(style.cleaned(text), style.width, used);
    writeln!(out, "{indent}{before}{sign}{text}{after}")?;
    if !ends {
        let Paint { before, after } = style.note;
        writeln!(out, "{indent}{before}\\ No newline at end of file{after}")?;
    }
    Ok(())
}
