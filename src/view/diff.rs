//! Differences as text: field by field, as a unified diff, as a table of counts, as names, as JSON lines.
//!
//! ```text
//! ~ /registry/deployments/shop/web  (mod 1204 -> 2101, version 3 -> 5)
//!     spec.replicas: 2 -> 5
//!   + metadata.annotations["team"]: "a"
//!   - spec.paused: true
//!   > spec.template.spec.containers[name=log]: moved to [0]
//! + /registry/pods/shop/web-2  created at 2101
//! - /registry/pods/shop/web-1  deleted  (was mod 12, version 3)
//! * /registry/pods/shop/db-0  re-created at 2050  (mod 12 -> 2101, version 3 -> 2)
//! ```
//!
//! The first column shows what happened to an object, the third what happened to a field; colour repeats it.
//! Values are JSON. The machine format is the JSON line; this text is for people and may change.

mod cut;
mod fields;
mod lines;
mod sides;
mod stat;
mod words;

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use crate::k8s::catalog::Catalog;

use super::fit::cut_middle;
use super::json_rows::with_object;
use super::pad::width_of;
use super::record::{insert_text, key_text};

pub use super::style::{Paint, Style};

pub use crate::query::compare::{Change, ObjectChange, Side};

pub use fields::write_fields;
pub use lines::{TextSide, write_unified};
pub use sides::write_side_by_side;
pub use stat::{StatRow, write_stat};

fn paint(change: Change, style: &Style) -> Paint {
    match change {
        Change::Created => style.added,
        Change::Deleted => style.removed,
        Change::Recreated | Change::Changed => style.changed,
    }
}

/// What a change is whose version before is not retained.
pub const PREVIOUS_UNKNOWN: &str = "previous version is compacted; what changed is unknown";

/// Writes an object's header line and, below it, its fields.
///
/// # Errors
/// Those of the writer.
pub fn write_object(
    out: &mut dyn Write,
    object: &ObjectChange<'_>,
    style: &Style,
) -> io::Result<()> {
    write_header(out, object, style)?;
    if object.fields.is_empty() && object.change == Change::Changed {
        let Paint { before, after } = style.note;
        let why = if object.old.is_none() {
            PREVIOUS_UNKNOWN
        } else {
            "written again; no field differs"
        };
        writeln!(out, "    {before}({why}){after}")?;
    }
    write_fields(out, object.fields, style)
}

/// Writes the line that shows what happened to an object.
///
/// # Errors
/// Those of the writer.
pub fn write_header(
    out: &mut dyn Write,
    object: &ObjectChange<'_>,
    style: &Style,
) -> io::Result<()> {
    let (mark, bold) = (paint(object.change, style), style.header);
    let key = key_text(object.key);
    let key = style.cleaned(&key);
    let rest = header_text(object);
    let key = match style.width {
        // The marker and a blank are before it.
        Some(width) => {
            let room = width.saturating_sub(width_of(&rest)).saturating_sub(2);
            cut_middle(&key, room.max(LEAST_KEY))
        }
        None => key,
    };
    let marker = object.change.marker();
    write!(out, "{}{marker}{} ", mark.before, mark.after)?;
    write!(out, "{}{key}{}", bold.before, bold.after)?;
    writeln!(out, "{rest}")
}

/// The width down to which a key is cut on a narrow terminal.
const LEAST_KEY: usize = 24;

/// What happened to an object, after its key.
fn header_text(object: &ObjectChange<'_>) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    match (object.change, object.old, object.new) {
        (Change::Created, _, new) => {
            text.push_str("  created");
            if let Some(new) = new {
                let _ = write!(text, " at {}", new.create_revision);
                if new.mod_revision != new.create_revision {
                    let (main, version) = (new.mod_revision, new.version);
                    let _ = write!(text, "  (now mod {main}, version {version})");
                }
            }
        }
        (Change::Deleted, old, _) => {
            text.push_str("  deleted");
            if let Some(revision) = object.deleted_at {
                let _ = write!(text, " at {revision}");
            }
            if let Some(old) = old {
                let (main, version) = (old.mod_revision, old.version);
                let _ = write!(text, "  (was mod {main}, version {version})");
            }
        }
        (change, old, new) => {
            if change == Change::Recreated {
                text.push_str("  re-created");
                if let Some(new) = new {
                    let _ = write!(text, " at {}", new.create_revision);
                }
            }
            if let (Some(old), Some(new)) = (old, new) {
                let _ = write!(
                    text,
                    "  (mod {} -> {}, version {} -> {})",
                    old.mod_revision, new.mod_revision, old.version, new.version
                );
            }
        }
    }
    text
}

/// Writes the line of `--name-only`: `+ KEY`, `- KEY`, or `~ KEY` (changed or re-created).
///
/// # Errors
/// Those of the writer.
pub fn write_name(
    out: &mut dyn Write,
    change: Change,
    key: &[u8],
    style: &Style,
) -> io::Result<()> {
    let marker = match change {
        Change::Recreated => Change::Changed.marker(),
        other => other.marker(),
    };
    let Paint { before, after } = paint(change, style);
    writeln!(
        out,
        "{before}{marker}{after} {}",
        style.cleaned(&key_text(key))
    )
}

/// One row of the machine formats:
/// `{"change":..,"key":..,"old_mod_revision":..,"new_mod_revision":..,"fields":[..]}`, each field as
/// [`FieldChange::write_json`](crate::k8s::diff::FieldChange::write_json). A revision that does not exist is left out.
///
/// # Errors
/// Those of the writer.
pub fn json(object: &ObjectChange<'_>, catalog: &Catalog) -> io::Result<Vec<u8>> {
    let mut head = serde_json::Map::new();
    head.insert("change".to_owned(), object.change.as_str().into());
    insert_text(&mut head, "key", object.key);
    let head = with_object(Value::Object(head), object.key, catalog).to_string();
    let mut out = Vec::new();
    write!(out, "{}", head.trim_end_matches('}'))?;
    if let Some(old) = object.old {
        write!(out, r#","old_mod_revision":{}"#, old.mod_revision)?;
    }
    if let Some(new) = object.new {
        write!(out, r#","new_mod_revision":{}"#, new.mod_revision)?;
    }
    write!(out, r#","fields":["#)?;
    for (i, field) in object.fields.iter().enumerate() {
        out.write_all(if i == 0 { b"" } else { b"," })?;
        field.write_json(&mut out)?;
    }
    out.write_all(b"]}")?;
    Ok(out)
}
