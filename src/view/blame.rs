//! An object's YAML, each line with the revision that last changed it.
//!
//! The lines are exactly those of [`YamlWriter`]. A line belongs to the last part that begins on it: `spec:` to
//! the map, `replicas: 3` to the number, `- name: web` to the name, the item's first member. Further
//! lines of a text (a block, a folded line) belong to it as a whole.

use std::cell::Cell;
use std::io::{self, Write};

use serde_json::{Map, Value};

use super::fit::{Need, cut_end, cut_middle, fit};
use super::pad::{self, ColumnWidth, width_of};
use super::style::{Paint, Style};
use super::table::cell;
use super::yaml::YamlWriter;
use crate::k8s::Sink;
use crate::k8s::blame::{Attribution, Blamed, Children, Node, segments};
use crate::k8s::diff::{Path, Segment};
use crate::k8s::order::sort_naturally;
use crate::k8s::sink::Order;

use super::json::write_value;

/// The lines of an object.
#[derive(Debug)]
pub struct Lines<'b> {
    text: String,
    /// What it is, for the head of its column.
    what: &'static str,
    parts: Vec<Part<'b>>,
    /// For each line the part that it belongs to, and whether that begins on it.
    owners: Vec<(usize, bool)>,
}

/// A part of the object that begins on a line.
#[derive(Debug)]
struct Part<'b> {
    /// Before it is written: offset in the text, in bytes.
    at: usize,
    /// Its attribution.
    attribution: Option<&'b Attribution>,
    /// Where in the object it is.
    path: Path,
}

/// One line of the YAML.
#[derive(Debug, Clone, Copy)]
pub struct Line<'l> {
    /// From 1.
    pub number: usize,
    /// Without its end.
    pub text: &'l str,
    /// Where it comes from.
    pub attribution: Option<&'l Attribution>,
    /// Whether it is a further line of the text that begins above it.
    pub is_continued: bool,
    part: usize,
}

/// The lines of an object. `tree` is what is shown: the tree of `blamed` itself, or with its secrets
/// masked.
pub fn lines<'b>(tree: &Value, blamed: &'b Blamed) -> Lines<'b> {
    // A text without masked values.
    if let (true, Value::Array(lines)) = (blamed.is_text(), tree) {
        return lines_of_text(lines, blamed);
    }
    let written = Cell::new(0);
    let mut teller = Teller {
        writer: YamlWriter::new(Text {
            text: Vec::new(),
            written: &written,
        }),
        written: &written,
        blamed,
        parts: Vec::new(),
    };
    teller.tell(tree, blamed.root(), "", None);
    let Teller { writer, parts, .. } = teller;
    let text = writer.finish().map(|text| text.text).unwrap_or_default();
    let text = String::from_utf8(text).unwrap_or_default();
    Lines {
        owners: owners(&text, &parts),
        text,
        what: if blamed.is_text() { "TEXT" } else { "YAML" },
        parts,
    }
}

/// The lines of a text as they are stored.
fn lines_of_text<'b>(lines: &[Value], blamed: &'b Blamed) -> Lines<'b> {
    let nodes = match blamed.root().children() {
        Children::List(nodes) => nodes.as_slice(),
        _ => &[],
    };
    let text: String = lines.iter().filter_map(Value::as_str).collect();
    let mut at = 0_usize;
    let mut parts = Vec::new();
    for (line, node) in lines.iter().filter_map(Value::as_str).zip(nodes) {
        parts.push(Part {
            at,
            attribution: blamed.attribution(node),
            path: Path::default(),
        });
        at = at.saturating_add(line.len());
    }
    Lines {
        owners: (0..parts.len()).map(|part| (part, true)).collect(),
        text,
        what: "TEXT",
        parts,
    }
}

/// For each line the last part that begins on it, or else the one before.
fn owners(text: &str, parts: &[Part<'_>]) -> Vec<(usize, bool)> {
    let mut starts = Vec::new(); // the part that begins on the line
    let mut line = 0_usize;
    let mut counted = 0_usize;
    for (index, part) in parts.iter().enumerate() {
        let bytes = text.as_bytes();
        // The end of the line before is written together with what follows it.
        let at = match bytes.get(part.at) {
            Some(b'\n') => part.at.saturating_add(1),
            _ => part.at,
        };
        let passed = bytes.get(counted..at).unwrap_or_default();
        line = line.saturating_add(passed.iter().filter(|byte| **byte == b'\n').count());
        counted = counted.max(at);
        starts.push((line, index));
    }
    let mut starts = starts.into_iter().peekable();
    let mut owner = 0;
    let lines = text.split_terminator('\n').enumerate();
    lines
        .map(|(line, _)| {
            let mut begins = false;
            while let Some((_, index)) = starts.next_if(|(start, _)| *start <= line) {
                (owner, begins) = (index, true);
            }
            (owner, begins)
        })
        .collect()
}

/// The text, and how much of it came from the writer's buffer.
struct Text<'w> {
    text: Vec<u8>,
    written: &'w Cell<usize>,
}

impl Write for Text<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        self.written.set(self.text.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells the object to the writer, and notes where each part begins.
struct Teller<'w, 'b> {
    writer: YamlWriter<Text<'w>>,
    written: &'w Cell<usize>,
    blamed: &'b Blamed,
    parts: Vec<Part<'b>>,
}

impl<'b> Teller<'_, 'b> {
    /// Notes that a part begins here; its number.
    fn begin(
        &mut self,
        value: &Value,
        node: &'b Node,
        above: Option<usize>,
        segment: Segment,
    ) -> usize {
        let attribution = match (value, node.children()) {
            (Value::Object(_), Children::Map(_)) | (Value::Array(_), Children::List(_)) => {
                self.blamed.attribution(node)
            }
            // Shown as one value, by a mask.
            _ => self.blamed.newest(node),
        };
        let above = above.and_then(|above| self.parts.get(above));
        let path = above.map_or_else(Path::default, |above| above.path.clone());
        let path = path.child(segment);
        let buffered = self.writer.output.buffer.len();
        self.parts.push(Part {
            at: self.written.get().saturating_add(buffered),
            attribution,
            path,
        });
        self.parts.len().saturating_sub(1)
    }

    /// Tells a part that has begun. `field` is the name of the field that it is the value of.
    fn tell(&mut self, value: &Value, node: &'b Node, field: &str, part: Option<usize>) {
        match (value, node.children()) {
            // A mask leaves the members of a map in their order, whatever it makes of their names.
            (Value::Object(map), Children::Map(nodes)) => {
                let members = map.iter().zip(nodes);
                let mut members: Vec<_> = members
                    .map(|((key, value), node)| (key, value, node))
                    .collect();
                sort_naturally(&mut members, |(key, ..)| key);
                self.writer.begin_map();
                for (key, value, node) in members {
                    let part = self.begin(value, node, part, Segment::Key(key.clone()));
                    self.writer.key(key);
                    self.tell(value, node, key, Some(part));
                }
                self.writer.end_map();
            }
            (Value::Array(items), Children::List(nodes)) => {
                self.writer.begin_list();
                let segments = segments(field, items);
                for ((value, node), segment) in items.iter().zip(nodes).zip(segments) {
                    let part = self.begin(value, node, part, segment);
                    self.tell(value, node, "", Some(part));
                }
                self.writer.end_list();
            }
            _ => write_value(value, Order::Natural, &mut self.writer),
        }
    }
}

impl Lines<'_> {
    /// All lines, from the first.
    pub fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        let lines = self.text.split_terminator('\n').zip(&self.owners);
        lines
            .enumerate()
            .map(|(index, (text, (part, begins)))| Line {
                number: index.saturating_add(1),
                text,
                attribution: self.parts.get(*part).and_then(|part| part.attribution),
                is_continued: !begins,
                part: *part,
            })
    }

    /// The path of what a line belongs to.
    #[must_use]
    pub fn path(&self, line: &Line<'_>) -> Path {
        let part = self.parts.get(line.part);
        part.map(|part| part.path.clone()).unwrap_or_default()
    }

    /// Whether a line may come from a revision that is not there any more.
    #[must_use]
    pub fn has_boundaries(&self) -> bool {
        let mut parts = self.parts.iter().filter_map(|part| part.attribution);
        parts.any(|attribution| attribution.boundary)
    }
}

/// A line as JSON, by the output contract: what is not known is left out. `name` makes a manager's name
/// fit to be shown.
pub fn line_json(
    lines: &Lines<'_>,
    line: &Line<'_>,
    name: &mut impl FnMut(&str) -> String,
) -> Value {
    let mut fields = Map::new();
    fields.insert("line".to_owned(), line.number.into());
    fields.insert("path".to_owned(), lines.path(line).short().into());
    if let Some(attribution) = line.attribution {
        fields.insert("revision".to_owned(), attribution.revision.into());
        fields.insert("boundary".to_owned(), attribution.boundary.into());
        if let Some(manager) = &attribution.manager {
            fields.insert("manager".to_owned(), name(manager).into());
        }
        if let Some(subresource) = &attribution.subresource {
            fields.insert("subresource".to_owned(), name(subresource).into());
        }
        if let Some(time) = &attribution.time {
            fields.insert("time".to_owned(), time.clone().into());
        }
    }
    fields.insert("text".to_owned(), line.text.into());
    Value::Object(fields)
}

/// Between two columns.
const GAP: &str = "  ";

/// The least that a terminal leaves of the managers and of the YAML, in columns.
const LEAST_MANAGER: usize = 12;
const LEAST_TEXT: usize = 20;

/// What a narrow terminal does without: times, then managers.
const DROP_FIRST: [usize; 2] = [2, 1];

/// Writes the lines as a table: `REV`, with `^` before a boundary, `MANAGER`, `TIME`, and the YAML. On a terminal
/// managers and values are cut. Gives the names of the columns that a narrow terminal leaves out.
///
/// # Errors
/// Those of the writer.
pub fn write_table(
    out: &mut dyn Write,
    lines: &Lines<'_>,
    style: &Style,
    name: &mut impl FnMut(&str) -> String,
) -> io::Result<Vec<&'static str>> {
    let heads = ["REV", "MANAGER", "TIME"];
    let mut naturals = heads.map(|head| ColumnWidth::of([head]));
    // The cells are made twice: all of them at once would hold a manager's name once for each line.
    for line in lines.iter() {
        let cells = columns(&line, style, name);
        for (width, text) in naturals.iter_mut().zip(&cells) {
            width.fit(width_of(text));
        }
    }
    let widths = widths(naturals, lines, style);
    let mut write = |cells: [&str; 4], is_head: bool| {
        let plain = Paint::default();
        let paints = match is_head {
            true => [style.header; 4],
            false => [style.note, plain, plain, plain],
        };
        let mut gap = "";
        for (index, ((cell, width), Paint { before, after })) in
            cells.into_iter().zip(&widths).zip(paints).enumerate()
        {
            let Some(width) = width else { continue };
            let cell = match style.width {
                Some(_) if index == MANAGER => cut_middle(cell, width.get()),
                Some(_) => cut_end(cell, width.get()),
                None => cell.into(),
            };
            match index {
                REVISION => write!(out, "{before}{}{after}", pad::right(&cell, *width))?,
                TEXT => write!(out, "{gap}{before}{cell}{after}")?,
                _ => write!(out, "{gap}{before}{}{after}", pad::left(&cell, *width))?,
            }
            gap = GAP;
        }
        writeln!(out)
    };
    let [revision, manager, time] = heads;
    write([revision, manager, time, lines.what], true)?;
    for line in lines.iter() {
        let [a, b, c] = columns(&line, style, name);
        write([&a, &b, &c, &style.cleaned(line.text)], false)?;
    }
    let left_out = heads.into_iter().zip(&widths);
    let left_out = left_out.filter(|(_, width)| width.is_none());
    Ok(left_out.map(|(head, _)| head).collect())
}

/// The columns of the table.
const REVISION: usize = 0;
const MANAGER: usize = 1;
const TEXT: usize = 3;

/// How wide the columns are here; none is left out.
fn widths(
    naturals: [ColumnWidth; 3],
    lines: &Lines<'_>,
    style: &Style,
) -> Vec<Option<ColumnWidth>> {
    let Some(width) = style.width else {
        let text = [ColumnWidth::default()];
        return naturals.into_iter().chain(text).map(Some).collect();
    };
    let texts = lines.iter();
    let texts = texts.map(|line| width_of(&style.cleaned(line.text)));
    let text = texts.max().unwrap_or_default();
    let [revision, manager, time] = naturals.map(ColumnWidth::get);
    let needs = [
        (revision, revision),
        (manager, LEAST_MANAGER),
        (time, time),
        (text, LEAST_TEXT),
    ];
    let needs = needs.map(|(natural, least)| Need { natural, least });
    fit(&needs, &DROP_FIRST, GAP.len(), width)
        .into_iter()
        .map(|width| width.map(ColumnWidth::exactly))
        .collect()
}

fn columns(line: &Line<'_>, style: &Style, name: &mut impl FnMut(&str) -> String) -> [String; 3] {
    let unknown = || "-".to_owned();
    let Some(attribution) = line.attribution else {
        return [unknown(), unknown(), unknown()];
    };
    let mark = if attribution.boundary { "^" } else { "" };
    let manager = attribution.manager.as_ref().map(|manager| {
        let manager = name(manager);
        match &attribution.subresource {
            Some(subresource) => format!("{manager} ({})", name(subresource)),
            None => manager,
        }
    });
    [
        format!("{mark}{}", attribution.revision),
        manager.map_or_else(unknown, |text| style.cleaned(&cell(&text)).into_owned()),
        attribution.time.clone().unwrap_or_else(unknown),
    ]
}
