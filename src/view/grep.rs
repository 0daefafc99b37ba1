//! Matches as lines, and as JSON.

use std::io::{self, Write};
use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::k8s::diff::Path;
use crate::query::search::Span;

use super::fit::cut_middle;
use super::pad::width_of;
use super::record::{insert_text, key_text};
use super::sanitize::visible;
use super::style::{Paint, Style};

/// A cut value keeps at least this many characters.
const LEAST_CHARACTERS: usize = 24;

/// Stands where a value was cut.
const CUT: &str = "...";

/// What matches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place<'a> {
    /// The key itself.
    Key,
    /// A field of an object; the root is the whole value.
    Field(&'a Path),
}

/// A line that matches.
#[derive(Debug, Clone, Copy)]
pub struct Match<'a> {
    /// The key.
    pub key: &'a [u8],
    /// What of it.
    pub place: Place<'a>,
    /// Number of the line, in a text of several.
    pub line: Option<usize>,
    /// The line.
    pub text: &'a [u8],
    /// Where it matches, in bytes.
    pub ranges: &'a [Range<usize>],
    /// Whether `text` was base64.
    pub decoded: bool,
    /// Whether `text` is a mask.
    pub masked: bool,
}

impl Match<'_> {
    /// Whether it shows more than that the value matches.
    fn has_place(&self) -> bool {
        let is_root = matches!(self.place, Place::Field(path) if path.is_root());
        !is_root || self.decoded || self.line.is_some()
    }
}

/// Writes `KEY@REVISION:path: value`.
///
/// # Errors
/// Those of the writer.
pub fn write_match(
    out: &mut dyn Write,
    found: &Match<'_>,
    mod_revision: i64,
    style: &Style,
) -> io::Result<()> {
    let revision = format!("@{mod_revision}");
    write_key(out, found.key, style)?;
    write!(out, "{revision}:")?;
    let used = shown_key(found.key, style).map_or(0, |key| width_of(&key));
    let used = used.saturating_add(revision.len()).saturating_add(1);
    let used = write_place(out, found, style, used)?;
    write_text(out, found, style, used)?;
    out.write_all(b"\n")
}

/// Writes `KEY  path: value  first REV .. last REV (still there)`.
///
/// # Errors
/// Those of the writer.
pub fn write_span(
    out: &mut dyn Write,
    found: &Match<'_>,
    span: &Span,
    style: &Style,
) -> io::Result<()> {
    write_key(out, found.key, style)?;
    out.write_all(if found.has_place() { b"  " } else { b" " })?;
    let what = span_text(span);
    let used = shown_key(found.key, style).map_or(0, |key| width_of(&key));
    let used = used.saturating_add(what.len()).saturating_add(4);
    let used = write_place(out, found, style, used)?;
    write_text(out, found, style, used)?;
    let Paint { before, after } = style.note;
    writeln!(out, "  {before}{what}{after}")
}

fn span_text(span: &Span) -> String {
    let or_before = if span.first_may_be_earlier {
        " or before"
    } else {
        ""
    };
    let times = match span.times {
        0 | 1 => String::new(),
        times => format!(", {times} times"),
    };
    let end = match span.gone_at {
        None => "still there".to_owned(),
        Some(revision) if span.gone_may_be_earlier => format!("gone at {revision} or before"),
        Some(revision) => format!("gone at {revision}"),
    };
    format!(
        "first {}{or_before} .. last {}{times} ({end})",
        span.first, span.last
    )
}

/// Writes the key alone, or with a number after it. In a pipe a key is exact, whatever its bytes.
///
/// # Errors
/// Those of the writer.
pub fn write_count(
    out: &mut dyn Write,
    key: &[u8],
    count: Option<usize>,
    style: &Style,
) -> io::Result<()> {
    write_key(out, key, style)?;
    match count {
        Some(count) => writeln!(out, ":{count}"),
        None => out.write_all(b"\n"),
    }
}

fn write_key(out: &mut dyn Write, key: &[u8], style: &Style) -> io::Result<()> {
    let Paint { before, after } = style.header;
    out.write_all(before.as_bytes())?;
    match shown_key(key, style) {
        Some(key) => out.write_all(key.as_bytes())?,
        None => out.write_all(key)?,
    }
    out.write_all(after.as_bytes())
}

/// A key on a terminal, where it leaves room for what was found; none in a pipe, where it is exact.
fn shown_key(key: &[u8], style: &Style) -> Option<String> {
    let width = style.width?;
    let key = key_text(key);
    let key = style.cleaned(&key);
    Some(cut_middle(&key, (width / 2).max(LEAST_CHARACTERS)).into_owned())
}

/// Writes path and line number. Returns how many columns they use.
fn write_place(
    out: &mut dyn Write,
    found: &Match<'_>,
    style: &Style,
    used: usize,
) -> io::Result<usize> {
    let mut place = match found.place {
        Place::Key => "(key)".to_owned(),
        Place::Field(path) => path.short(),
    };
    if found.decoded {
        place.push_str("|base64d");
    }
    if let Some(line) = found.line {
        if !place.is_empty() {
            place.push(':');
        }
        place.push_str(&line.to_string());
    }
    if !place.is_empty() {
        place.push(':');
    }
    let mut place = style.cleaned(&place);
    if let Some(width) = style.width {
        place = cut_middle(&place, (width / 4).max(LEAST_CHARACTERS))
            .into_owned()
            .into();
    }
    let Paint { before, after } = style.note;
    write!(out, "{before}{place}{after}")?;
    Ok(used.saturating_add(width_of(&place)).saturating_add(1))
}

/// Writes the line, what matches in it painted; in a pipe its bytes, on a terminal what fits.
fn write_text(
    out: &mut dyn Write,
    found: &Match<'_>,
    style: &Style,
    used: usize,
) -> io::Result<()> {
    if found.text.is_empty() {
        return Ok(());
    }
    out.write_all(b" ")?;
    let Paint { before, after } = style.changed;
    let pieces = pieces(found.text, found.ranges);
    let Some(width) = style.width else {
        for (piece, matches) in pieces {
            let (before, after) = if matches { (before, after) } else { ("", "") };
            out.write_all(before.as_bytes())?;
            out.write_all(piece)?;
            out.write_all(after.as_bytes())?;
        }
        return Ok(());
    };
    let mut characters: Vec<(char, bool)> = Vec::new();
    for (piece, matches) in pieces {
        let text = harmless(piece);
        characters.extend(text.chars().map(|c| (c, matches)));
    }
    let room = width.saturating_sub(used).max(LEAST_CHARACTERS);
    let (kept, cut_before, cut_behind) = window(&characters, room);
    let mut text = String::from(if cut_before { CUT } else { "" });
    let mut painted = false;
    for (c, matches) in kept {
        if *matches != painted {
            text.push_str(if *matches { before } else { after });
            painted = *matches;
        }
        text.push(*c);
    }
    text.push_str(if painted { after } else { "" });
    text.push_str(if cut_behind { CUT } else { "" });
    out.write_all(text.as_bytes())
}

/// The part of a line around its first match that fits, and on which sides it was cut.
fn window(characters: &[(char, bool)], room: usize) -> (&[(char, bool)], bool, bool) {
    if characters.len() <= room {
        return (characters, false, false);
    }
    let matching = characters.iter().position(|(_, matches)| *matches);
    // A third of the room is in front of the match, unless nothing follows it.
    let from = matching.unwrap_or(0).saturating_sub(room / 3);
    let from = from.min(characters.len().saturating_sub(room));
    let to = from.saturating_add(room).min(characters.len());
    let (cut_before, cut_behind) = (from > 0, to < characters.len());
    let from = from.saturating_add(if cut_before { CUT.len() } else { 0 });
    let to = to.saturating_sub(if cut_behind { CUT.len() } else { 0 });
    let kept = characters.get(from..to).unwrap_or_default();
    (kept, cut_before, cut_behind)
}

/// A line in pieces that match and pieces that do not.
fn pieces<'a>(text: &'a [u8], ranges: &[Range<usize>]) -> Vec<(&'a [u8], bool)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for range in ranges {
        let start = range.start.max(at);
        pieces.push((text.get(at..start).unwrap_or_default(), false));
        pieces.push((text.get(start..range.end).unwrap_or_default(), true));
        at = range.end.max(at);
    }
    pieces.push((text.get(at..).unwrap_or_default(), false));
    pieces.retain(|(piece, _)| !piece.is_empty());
    pieces
}

/// Bytes for a terminal.
fn harmless(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&visible(chunk.valid()));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// A match with the revision it is in.
pub fn match_json(found: &Match<'_>, mod_revision: i64) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "key", found.key);
    fields.insert("mod_revision".to_owned(), mod_revision.into());
    insert_match(&mut fields, found);
    Value::Object(fields)
}

/// A match with the revisions it was in.
pub fn span_json(found: &Match<'_>, span: &Span) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "key", found.key);
    fields.insert("create_revision".to_owned(), span.create_revision.into());
    insert_match(&mut fields, found);
    fields.insert("first_revision".to_owned(), span.first.into());
    if span.first_may_be_earlier {
        fields.insert("first_may_be_earlier".to_owned(), true.into());
    }
    fields.insert("last_revision".to_owned(), span.last.into());
    if let Some(revision) = span.gone_at {
        fields.insert("gone_at_revision".to_owned(), revision.into());
    }
    if span.gone_may_be_earlier {
        fields.insert("gone_may_be_earlier".to_owned(), true.into());
    }
    fields.insert("still_there".to_owned(), span.gone_at.is_none().into());
    fields.insert("times".to_owned(), span.times.into());
    Value::Object(fields)
}

/// A key, and how many lines of it match.
pub fn count_json(key: &[u8], count: Option<usize>) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "key", key);
    if let Some(count) = count {
        fields.insert("count".to_owned(), count.into());
    }
    Value::Object(fields)
}

fn insert_match(fields: &mut Map<String, Value>, found: &Match<'_>) {
    match found.place {
        Place::Key => drop(fields.insert("in_key".to_owned(), true.into())),
        Place::Field(path) => {
            let text = path.short();
            let is_cut = text.len() < path.text_len();
            fields.insert("path".to_owned(), text.into());
            if is_cut {
                fields.insert("path_bytes".to_owned(), path.text_len().into());
            }
        }
    }
    if let Some(line) = found.line {
        fields.insert("line".to_owned(), line.into());
    }
    if matches!(found.place, Place::Field(_)) {
        insert_text(fields, "value", found.text);
    }
    for (name, is_so) in [("decoded", found.decoded), ("masked", found.masked)] {
        if is_so {
            fields.insert(name.to_owned(), true.into());
        }
    }
    if !found.ranges.is_empty() {
        let ranges = found.ranges.iter();
        let ranges: Vec<Value> = ranges
            .map(|range| json!([range.start, range.end]))
            .collect();
        fields.insert("matches".to_owned(), ranges.into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn terminal(text: &str, range: Range<usize>, width: usize) -> String {
        let path = Path::parse("data.x").unwrap();
        let found = Match {
            key: b"/k",
            place: Place::Field(&path),
            line: None,
            text: text.as_bytes(),
            ranges: &[range],
            decoded: false,
            masked: false,
        };
        let style = Style {
            width: Some(width),
            clean: visible,
            ..Style::coloured()
        };
        let mut out = Vec::new();
        write_match(&mut out, &found, 7, &style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_long_line_is_cut_around_the_match_on_a_terminal() {
        let text = format!("{}NEEDLE{}", "a".repeat(500), "b".repeat(500));
        let shown = terminal(&text, 500..506, 60);
        let plain = shown.replace("\u{1b}[35m", "<").replace("\u{1b}[0m", ">");
        assert!(
            plain.contains("...aaa") && plain.contains("a<NEEDLE>b"),
            "{plain}"
        );
        assert!(plain.ends_with("bbb...\n"), "{plain}");
        let columns = plain
            .replace(['<', '>'], "")
            .replace("\u{1b}[1m", "")
            .replace("\u{1b}[36m", "");
        assert!(columns.trim_end().chars().count() <= 60, "{columns}");
        assert!(!terminal("short", 0..1, 60).contains("..."));
    }

    #[test]
    fn a_terminal_is_given_no_control_characters() {
        let shown = terminal("\u{1b}]52;evil\u{7}", 0..1, 60);
        assert!(
            shown.contains("\\x1b") && !shown.contains('\u{7}'),
            "{shown:?}"
        );
    }
}
