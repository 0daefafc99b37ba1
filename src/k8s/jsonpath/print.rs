//! Prints the values that a template found.

use std::io::{self, Write};

use serde_json::Value;

use super::found::Found;
use crate::go::value::{self, Layout};

/// Writes a value with one layout for all its parts.
pub(super) fn write(value: Found<'_>, layout: Layout, out: &mut impl Write) -> io::Result<()> {
    match value {
        Found::Tree(value) => value::write(value, layout, out),
        Found::Text(text) => layout.text(text, out),
        Found::Int(number) => write!(out, "{number}"),
        Found::Float(number) => out.write_all(layout.float(number).as_bytes()),
        Found::Bool(truth) => write!(out, "{truth}"),
        Found::Byte(byte) => write!(out, "{byte}"),
        Found::Nothing if layout == Layout::Sprint => out.write_all(b"<no value>"),
        Found::Nothing => out.write_all(b"null"),
    }
}

/// Writes a value as `-o jsonpath` does: maps, lists and null as JSON, all else as plain text.
pub(super) fn write_plain(value: Found<'_>, out: &mut impl Write) -> io::Result<()> {
    let layout = match value {
        Found::Tree(Value::Object(_) | Value::Array(_) | Value::Null) => Layout::Json,
        _ => Layout::Sprint,
    };
    write(value, layout, out)
}
