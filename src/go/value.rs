//! Values as Go prints them: `fmt.Sprint`, and `encoding/json` with sorted keys and escaped `<`,
//! `>` and `&`. Without recursion: an object of a hostile file may be nested deeply.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::float;

/// How a tree is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `json.Marshal`.
    Json,
    /// `json.MarshalIndent` with four spaces, this many levels in.
    Indented(usize),
    /// `fmt.Sprint`: `map[a:1 b:[x y]]`.
    Sprint,
    /// The same with numbers as JSON writes them: `fmt.Sprint` makes `1e+06` of 1000000, which is a
    /// float to a Go program that read it from JSON.
    SprintPlainNumbers,
}

/// A level of [`Layout::Indented`].
const INDENT: &[u8] = b"    ";

impl Layout {
    fn is_sprint(self) -> bool {
        matches!(self, Self::Sprint | Self::SprintPlainNumbers)
    }

    fn opening(self, is_map: bool) -> &'static str {
        match (self.is_sprint(), is_map) {
            (true, true) => "map[",
            (_, false) => "[",
            (false, true) => "{",
        }
    }

    fn closing(self, is_map: bool) -> &'static str {
        if self.is_sprint() || !is_map {
            "]"
        } else {
            "}"
        }
    }

    /// Writes what is before an element.
    fn separate(self, is_first: bool, depth: usize, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Json if !is_first => out.write_all(b","),
            Self::Sprint | Self::SprintPlainNumbers if !is_first => out.write_all(b" "),
            Self::Json | Self::Sprint | Self::SprintPlainNumbers => Ok(()),
            Self::Indented(_) => {
                out.write_all(if is_first { b"\n" } else { b",\n" })?;
                self.indent(depth, out)
            }
        }
    }

    fn indent(self, depth: usize, out: &mut impl Write) -> io::Result<()> {
        if let Self::Indented(levels) = self {
            for _ in 0..levels.saturating_add(depth) {
                out.write_all(INDENT)?;
            }
        }
        Ok(())
    }

    fn key(self, key: &str, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Sprint | Self::SprintPlainNumbers => write!(out, "{key}:"),
            Self::Json => {
                quote(key.as_bytes(), out)?;
                out.write_all(b":")
            }
            Self::Indented(_) => {
                quote(key.as_bytes(), out)?;
                out.write_all(b": ")
            }
        }
    }

    fn scalar(self, value: &Value, out: &mut impl Write) -> io::Result<()> {
        match value {
            Value::Bool(truth) => write!(out, "{truth}"),
            Value::Number(number) if self == Self::SprintPlainNumbers => write!(out, "{number}"),
            Value::Number(number) => {
                let text = match number.as_i64() {
                    Some(integer) => integer.to_string(),
                    None => self.float(number.as_f64().unwrap_or(f64::NAN)),
                };
                out.write_all(text.as_bytes())
            }
            Value::String(text) => self.text(text.as_bytes(), out),
            _ => out.write_all(if self.is_sprint() { b"<nil>" } else { b"null" }),
        }
    }

    /// The text of a float.
    pub(crate) fn float(self, value: f64) -> String {
        if self.is_sprint() {
            return float::sprint(value).as_str().to_owned();
        }
        match float::json(value) {
            Some(text) => text.as_str().to_owned(),
            None => "null".to_owned(),
        }
    }

    /// Writes a text, which may be no UTF-8.
    pub(crate) fn text(self, text: &[u8], out: &mut impl Write) -> io::Result<()> {
        if self.is_sprint() {
            out.write_all(text)
        } else {
            quote(text, out)
        }
    }
}

/// A map or list whose elements are being written.
struct Open<'a> {
    is_map: bool,
    is_first: bool,
    elements: std::vec::IntoIter<(&'a str, &'a Value)>,
}

impl<'a> Open<'a> {
    /// None for a scalar.
    fn new(value: &'a Value) -> Option<Self> {
        let (is_map, elements) = match value {
            Value::Object(map) => (true, sorted(map)),
            Value::Array(list) => (false, list.iter().map(|value| ("", value)).collect()),
            _ => return None,
        };
        Some(Self {
            is_map,
            is_first: true,
            elements: elements.into_iter(),
        })
    }
}

fn sorted(map: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut entries: Vec<_> = map
        .iter()
        .map(|(key, value)| (key.as_str(), value))
        .collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

/// Writes a value in one layout throughout.
///
/// # Errors
/// Writing fails.
pub(crate) fn write(value: &Value, layout: Layout, out: &mut impl Write) -> io::Result<()> {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut next = Some(value);
    loop {
        if let Some(value) = next.take() {
            match Open::new(value) {
                None => layout.scalar(value, out)?,
                Some(container) => {
                    out.write_all(layout.opening(container.is_map).as_bytes())?;
                    open.push(container);
                }
            }
        }
        let depth = open.len();
        let Some(container) = open.last_mut() else {
            return Ok(());
        };
        if let Some((key, value)) = container.elements.next() {
            layout.separate(container.is_first, depth, out)?;
            container.is_first = false;
            if container.is_map {
                layout.key(key, out)?;
            }
            next = Some(value);
        } else {
            if !container.is_first && matches!(layout, Layout::Indented(_)) {
                out.write_all(b"\n")?;
                layout.indent(depth.saturating_sub(1), out)?;
            }
            out.write_all(layout.closing(container.is_map).as_bytes())?;
            open.pop();
        }
    }
}

/// Writes a JSON string with Go's escapes; what is not UTF-8 becomes U+FFFD, a byte each.
fn quote(text: &[u8], out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\"")?;
    for chunk in text.utf8_chunks() {
        quote_valid(chunk.valid(), out)?;
        for _ in chunk.invalid() {
            out.write_all(b"\\ufffd")?;
        }
    }
    out.write_all(b"\"")
}

fn quote_valid(text: &str, out: &mut impl Write) -> io::Result<()> {
    let mut rest = text;
    let is_special = |c: char| {
        matches!(
            c,
            '\0'..='\u{1f}' | '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}'
        )
    };
    while let Some((plain, tail)) = rest
        .find(is_special)
        .and_then(|at| rest.split_at_checked(at))
    {
        out.write_all(plain.as_bytes())?;
        let mut chars = tail.chars();
        if let Some(c) = chars.next() {
            match c {
                '"' | '\\' => write!(out, "\\{c}")?,
                '\n' => out.write_all(b"\\n")?,
                '\r' => out.write_all(b"\\r")?,
                '\t' => out.write_all(b"\\t")?,
                '\u{8}' => out.write_all(b"\\b")?,
                '\u{c}' => out.write_all(b"\\f")?,
                _ => write!(out, "\\u{:04x}", u32::from(c))?,
            }
        }
        rest = chars.as_str();
    }
    out.write_all(rest.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tree_is_printed_as_go_prints_it_in_each_layout() {
        let value = json!({"b": [1, 2.5, null, "<x>"], "a": {"n": 1e6, "e": [], "t": true}});
        let cases = [
            (
                Layout::Sprint,
                "map[a:map[e:[] n:1e+06 t:true] b:[1 2.5 <nil> <x>]]",
            ),
            (
                Layout::SprintPlainNumbers,
                "map[a:map[e:[] n:1000000.0 t:true] b:[1 2.5 <nil> <x>]]",
            ),
            (
                Layout::Json,
                r#"{"a":{"e":[],"n":1000000,"t":true},"b":[1,2.5,null,"\u003cx\u003e"]}"#,
            ),
        ];
        for (layout, text) in cases {
            let mut out = Vec::new();
            write(&value, layout, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
