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
//! The first column says what happened to an object, the third what happened to a field; colour repeats it.
//! Values are JSON. The machine format is the JSON line; this text is for people and may change.

mod cut;
mod fields;
mod lines;
mod stat;

use std::io::{self, Write};

use serde_json::Value;

use crate::k8s::catalog::Catalog;

use super::json_rows::with_object;
use super::record::{insert_text, key_text};

pub use super::style::{Paint, Style};

pub use crate::query::compare::{Change, ObjectChange, Side};

pub use fields::write_fields;
pub use lines::{TextSide, write_unified};
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

/// Writes the line which says what happened to an object.
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
    write!(
        out,
        "{}{}{} ",
        mark.before,
        object.change.marker(),
        mark.after
    )?;
    write!(out, "{}{key}{}", bold.before, bold.after)?;
    match (object.change, object.old, object.new) {
        (Change::Created, _, new) => {
            write!(out, "  created")?;
            if let Some(new) = new {
                write!(out, " at {}", new.create_revision)?;
                if new.mod_revision != new.create_revision {
                    write!(
                        out,
                        "  (now mod {}, version {})",
                        new.mod_revision, new.version
                    )?;
                }
            }
        }
        (Change::Deleted, old, _) => {
            write!(out, "  deleted")?;
            if let Some(revision) = object.deleted_at {
                write!(out, " at {revision}")?;
            }
            if let Some(old) = old {
                write!(
                    out,
                    "  (was mod {}, version {})",
                    old.mod_revision, old.version
                )?;
            }
        }
        (change, old, new) => {
            if change == Change::Recreated {
                write!(out, "  re-created")?;
                if let Some(new) = new {
                    write!(out, " at {}", new.create_revision)?;
                }
            }
            if let (Some(old), Some(new)) = (old, new) {
                write!(
                    out,
                    "  (mod {} -> {}, version {} -> {})",
                    old.mod_revision, new.mod_revision, old.version, new.version
                )?;
            }
        }
    }
    writeln!(out)
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
