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

mod fields;
mod lines;
mod stat;

use std::io::{self, Write};

use serde_json::Value;

use crate::k8s::diff::FieldChange;

use super::record::{insert_text, key_text};

pub use super::style::{Paint, Style};

pub use fields::write_fields;
pub use lines::{TextSide, write_unified};
pub use stat::{StatRow, write_stat};

/// What happened to an object between two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Created,
    /// It is not there any more.
    Deleted,
    /// It was deleted and created again: another create_revision.
    Recreated,
    /// It was written again.
    Changed,
}

impl Change {
    /// The word in the machine formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Created => "created",
            Change::Deleted => "deleted",
            Change::Recreated => "recreated",
            Change::Changed => "changed",
        }
    }

    /// The first column of the text views.
    #[must_use]
    pub fn marker(self) -> char {
        match self {
            Change::Created => '+',
            Change::Deleted => '-',
            Change::Recreated => '*',
            Change::Changed => '~',
        }
    }

    fn paint(self, style: &Style) -> Paint {
        match self {
            Change::Created => style.added,
            Change::Deleted => style.removed,
            Change::Recreated | Change::Changed => style.changed,
        }
    }
}

/// etcd's counters of a key in one of the two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// The revision which created it.
    pub create_revision: i64,
    /// The revision which wrote it last.
    pub mod_revision: i64,
    /// How often it was written since it was created.
    pub version: i64,
}

/// One object that is not the same in both states.
#[derive(Debug, Clone, Copy)]
pub struct ObjectChange<'a> {
    /// What happened.
    pub change: Change,
    /// The key.
    pub key: &'a [u8],
    /// The counters before; `None`: it was not there.
    pub old: Option<Side>,
    /// The counters after; `None`: it is not there.
    pub new: Option<Side>,
    /// The revision of the deletion, where it is known.
    pub deleted_at: Option<i64>,
    /// What changed in it, secrets masked already.
    pub fields: &'a [FieldChange],
}

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
        writeln!(out, "    {before}(written again; no field differs){after}")?;
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
    let (mark, bold) = (object.change.paint(style), style.header);
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
    let Paint { before, after } = change.paint(style);
    writeln!(
        out,
        "{before}{marker}{after} {}",
        style.cleaned(&key_text(key))
    )
}

/// Writes one line of `-o jsonl`:
/// `{"change":..,"key":..,"old_mod_revision":..,"new_mod_revision":..,"fields":[..]}`, each field as
/// [`FieldChange::write_json`]. A revision that does not exist is left out. `-o json` has the same objects
/// in one array.
///
/// # Errors
/// Those of the writer.
pub fn write_json_line(out: &mut dyn Write, object: &ObjectChange<'_>) -> io::Result<()> {
    let mut head = serde_json::Map::new();
    head.insert("change".to_owned(), object.change.as_str().into());
    insert_text(&mut head, "key", object.key);
    let head = Value::Object(head).to_string();
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
        field.write_json(out)?;
    }
    writeln!(out, "]}}")
}
