//! The default view: the changes of an object, one per line if that is readable.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;

use super::super::pad::width_of;
use super::cut::cut;
use super::lines::Hunks;
use super::words::{self, Piece};
use super::{Paint, Style};
use crate::k8s::diff::path::is_plain;
use crate::k8s::diff::{FieldChange, Op, Scope, diff, tree};
use crate::k8s::redact::is_mask;

/// Before the path of a changed field, in the place of the marker `+ ` or `- ` of the others.
const FIELD_INDENT: &str = "    ";

/// Before each line of a value that is not on the line of its path.
const BLOCK_INDENT: &str = "        ";

/// A map or list up to this many bytes of JSON stays on the line of its path.
const SHORT_JSON_BYTES: usize = 60;

/// How many lines of one value or line diff a terminal shows.
const TERMINAL_LINES: usize = 40;

/// How many levels of a value are shown as a block. Deeper levels are JSON on one line.
const BLOCK_DEPTH: usize = 16;

/// A text that is JSON in a string (an applied configuration) may hold another one, once.
const EMBEDDED_LEVELS: usize = 2;

/// Writes the changes of an object: `    path: old -> new`, `  + path: value`, `  - path: value`,
/// `  > path: moved to [n]`.
///
/// A changed text of several lines is written as the hunks of a line diff, a large map or list as indented lines. In a
/// pipe every value is complete (in a line diff: every changed line). On a terminal (`style.width`) values are cut and
/// show their size, and if a string is a JSON object, its fields are compared.
///
/// # Errors
/// Those of the writer.
pub fn write_fields(out: &mut dyn Write, fields: &[FieldChange], style: &Style) -> io::Result<()> {
    let mut view = View {
        out,
        style,
        margin: String::new(),
        levels: EMBEDDED_LEVELS,
    };
    fields.iter().try_for_each(|field| view.field(field))
}

/// Writes fields at one level: those of the object, or those of JSON in one of its strings.
struct View<'a> {
    out: &'a mut dyn Write,
    style: &'a Style,
    /// Before each line.
    margin: String,
    /// How many more levels of JSON in strings are compared by field.
    levels: usize,
}

impl View<'_> {
    fn field(&mut self, field: &FieldChange) -> io::Result<()> {
        let path = field.path.to_string();
        let path = if path.is_empty() {
            "(the whole object)".into()
        } else {
            self.style.cleaned(&path)
        };
        match (field.op, &field.old, &field.new) {
            (Op::Replace, Some(old), Some(new)) => self.replaced(&path, old, new),
            (Op::Add, _, Some(new)) => self.one_sided('+', &path, new),
            (Op::Remove, Some(old), _) => self.one_sided('-', &path, old),
            (op, _, _) => {
                let to = field
                    .index
                    .map_or(String::new(), |index| format!(" to [{index}]"));
                let what = if op == Op::Move { "moved" } else { op.as_str() };
                let Paint { before, after } = self.style.changed;
                writeln!(
                    self.out,
                    "{}  {before}>{after} {path}: {what}{to}",
                    self.margin
                )
            }
        }
    }

    /// Writes a value that replaces another one, in the first of these forms that fits: a line diff, the fields of JSON in
    /// a string, marked words, one line, or both values as blocks.
    fn replaced(&mut self, path: &str, old: &Value, new: &Value) -> io::Result<()> {
        let (margin, style) = (self.margin.clone(), self.style);
        if let (Value::String(a), Value::String(b)) = (old, new) {
            if has_lines(a) || has_lines(b) {
                let hunks = Hunks::new(a, b);
                let (before, after, added, removed) = hunks.counts();
                let counts = format!("{before} -> {after} lines (+{added} -{removed})");
                writeln!(self.out, "{margin}{FIELD_INDENT}{path}: {counts}")?;
                let limit = style.width.map(|_| TERMINAL_LINES);
                return hunks.write(self.out, &format!("{margin}{BLOCK_INDENT}"), style, limit);
            }
            if style.width.is_some() && self.embedded(path, a, b)? {
                return Ok(());
            }
        }
        if let (Value::String(_), Value::String(_), true) = (old, new, style.words)
            && let Some(pieces) = words::pieces(&tree::to_json(old), &tree::to_json(new))
        {
            return self.marked(path, pieces);
        }
        if let (Some(old), Some(new)) = (inline(old), inline(new)) {
            let arrow = " -> ";
            let used = [&margin, FIELD_INDENT, path, ": ", arrow, &old, &new];
            let used = used
                .iter()
                .map(|part| width_of(part))
                .fold(0, usize::saturating_add);
            if style.width.is_none_or(|width| used <= width) {
                let (old, new) = (self.painted('-', &old, None), self.painted('+', &new, None));
                return writeln!(self.out, "{margin}{FIELD_INDENT}{path}: {old}{arrow}{new}");
            }
        }
        writeln!(self.out, "{margin}{FIELD_INDENT}{path}:")?;
        self.block('-', &format!("{margin}      - "), old)?;
        self.block('+', &format!("{margin}      + "), new)
    }

    /// A changed text with the differing words marked. On a terminal it continues on further lines if it is too long.
    fn marked(&mut self, path: &str, pieces: Vec<Piece>) -> io::Result<()> {
        let margin = &self.margin;
        let Some(width) = self.style.width else {
            let texts = words::marked(&pieces, None, self.style);
            let lines = words::fold(&texts, usize::MAX);
            let text: String = lines.into_iter().map(|(line, _)| line).collect();
            return writeln!(self.out, "{margin}{FIELD_INDENT}{path}: {text}");
        };
        let texts = words::marked(&words::shortened(pieces), None, self.style);
        writeln!(self.out, "{margin}{FIELD_INDENT}{path}:")?;
        let indent = format!("{margin}{BLOCK_INDENT}");
        for (line, _) in words::fold(&texts, width.saturating_sub(indent.len())) {
            writeln!(self.out, "{indent}{line}")?;
        }
        Ok(())
    }

    /// Writes the differences of two texts that are JSON objects. False, and nothing is written, if they are not, or if
    /// the objects are equal.
    fn embedded(&mut self, path: &str, old: &str, new: &str) -> io::Result<bool> {
        let parse = |text: &str| -> Option<Value> {
            // A short text is easier to read as it is.
            if self.levels == 0 || text.len() <= SHORT_JSON_BYTES {
                return None;
            }
            serde_json::from_str(text).ok().filter(Value::is_object)
        };
        let (Some(a), Some(b)) = (parse(old), parse(new)) else {
            return Ok(false);
        };
        let fields = diff(&a, &b, Scope::ALL);
        if fields.is_empty() {
            return Ok(false);
        }
        let (from, to) = (old.len(), new.len());
        writeln!(
            self.out,
            "{}{FIELD_INDENT}{path}: JSON in a string, {from} -> {to} bytes",
            self.margin
        )?;
        let margin = format!("{}{FIELD_INDENT}", self.margin);
        let mut view = View {
            out: &mut *self.out,
            style: self.style,
            margin,
            levels: self.levels.saturating_sub(1),
        };
        fields.iter().try_for_each(|field| view.field(field))?;
        Ok(true)
    }

    /// Writes a value that was added (`+`) or removed (`-`).
    fn one_sided(&mut self, sign: char, path: &str, value: &Value) -> io::Result<()> {
        let margin = self.margin.clone();
        let Paint { before, after } = self.paint(sign);
        write!(self.out, "{margin}  {before}{sign}{after} {path}:")?;
        if let Some(text) = inline(value) {
            let used = width_of(&margin)
                .saturating_add(width_of(path))
                .saturating_add(6);
            let text = self.painted(sign, &text, Some(used));
            return writeln!(self.out, " {text}");
        }
        match value {
            Value::String(text) => writeln!(self.out, " {}", block_mark(text))?,
            _ => writeln!(self.out)?,
        }
        self.block(sign, &format!("{margin}{BLOCK_INDENT}"), value)
    }

    /// Writes a value on lines of its own.
    fn block(&mut self, sign: char, indent: &str, value: &Value) -> io::Result<()> {
        let lines = match (inline(value), value) {
            (Some(text), _) => vec![text],
            (None, value) => block_lines(value, 0),
        };
        let limit = self.style.width.map_or(usize::MAX, |_| TERMINAL_LINES);
        for line in lines.iter().take(limit) {
            let line = self.painted(sign, line, Some(indent.len()));
            writeln!(self.out, "{indent}{line}")?;
        }
        let hidden = lines.len().saturating_sub(limit);
        if hidden > 0 {
            let Paint { before, after } = self.style.note;
            let unit = if hidden == 1 { "line" } else { "lines" };
            let bytes = tree::json_len(value);
            writeln!(
                self.out,
                "{indent}{before}... {hidden} more {unit} ({bytes} bytes as JSON){after}"
            )?;
        }
        Ok(())
    }

    fn paint(&self, sign: char) -> Paint {
        if sign == '+' {
            self.style.added
        } else {
            self.style.removed
        }
    }

    /// A part of a value with control characters escaped, in the colour of the sign. On a terminal it is cut to fit the
    /// line if `used` says how many columns of it are used already.
    fn painted(&self, sign: char, text: &str, used: Option<usize>) -> String {
        let mut text = self.style.cleaned(text);
        if let Some(used) = used {
            text = cut(text, self.style.width, used);
        }
        let Paint { before, after } = self.paint(sign);
        format!("{before}{text}{after}")
    }
}

/// Whether a text has several lines, and is shown line by line, not as a JSON string.
fn has_lines(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
}

/// A value as JSON if it fits on the line of its path; None if it needs a block.
fn inline(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if has_lines(text) => None,
        Value::Array(_) | Value::Object(_) => {
            let text = tree::to_json(value);
            (text.len() <= SHORT_JSON_BYTES).then_some(text)
        }
        Value::String(text) if is_mask(text) => Some(text.clone()),
        scalar => Some(tree::to_json(scalar)),
    }
}

/// The sign with which YAML begins a text block; it depends on the line ends at the end of the text.
fn block_mark(text: &str) -> &'static str {
    match (text.ends_with("\n\n"), text.ends_with('\n')) {
        (true, _) => "|+",
        (_, true) => "|",
        _ => "|-",
    }
}

/// A map, list or text of several lines as indented lines: the layout of YAML, with scalars as JSON.
fn block_lines(value: &Value, depth: usize) -> Vec<String> {
    if depth >= BLOCK_DEPTH {
        return vec![tree::to_json(value)];
    }
    let mut lines = Vec::new();
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let key = if is_plain(key) {
                    Cow::Borrowed(key.as_str())
                } else {
                    tree::to_json(&key.as_str().into()).into()
                };
                let below = block_lines(value, depth.saturating_add(1));
                match value {
                    Value::Array(_) if !is_one_line(value, depth) => {
                        lines.push(format!("{key}:"));
                        lines.extend(below);
                    }
                    Value::Object(_) if !is_one_line(value, depth) => {
                        lines.push(format!("{key}:"));
                        lines.extend(below.iter().map(|line| format!("  {line}")));
                    }
                    Value::String(text) if has_lines(text) => {
                        lines.push(format!("{key}: {}", block_mark(text)));
                        lines.extend(below.iter().map(|line| format!("  {line}")));
                    }
                    _ => lines.extend(below.iter().map(|line| format!("{key}: {line}"))),
                }
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let below = block_lines(item, depth.saturating_add(1));
                let text = matches!(item, Value::String(text) if has_lines(text));
                if let Value::String(text) = item
                    && has_lines(text)
                {
                    lines.push(format!("- {}", block_mark(text)));
                }
                for (i, line) in below.iter().enumerate() {
                    let lead = if i == 0 && !text { "- " } else { "  " };
                    lines.push(format!("{lead}{line}"));
                }
            }
        }
        Value::String(text) if has_lines(text) => {
            lines.extend(
                text.strip_suffix('\n')
                    .unwrap_or(text)
                    .split('\n')
                    .map(str::to_owned),
            );
        }
        Value::String(text) if is_mask(text) => lines.push(text.clone()),
        other => lines.push(tree::to_json(other)),
    }
    lines
}

/// Whether [`block_lines`] gives one line of JSON for a member of a map at this depth.
fn is_one_line(value: &Value, depth: usize) -> bool {
    let empty = match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => true,
    };
    empty || depth.saturating_add(1) >= BLOCK_DEPTH
}
