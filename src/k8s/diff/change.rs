//! One change of one field, its JSON form, and the parts of an object that are compared.

use std::fmt;
use std::io::{self, Write};

use serde_json::Value;

use super::path::{Path, PathError, Segment};
use super::tree;

/// What happened at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The value was absent and exists now.
    Add,
    /// The value existed and is absent now.
    Remove,
    /// The value changed.
    Replace,
    /// A list item has another index and the same value.
    Move,
}

impl Op {
    /// The word in the machine formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Add => "add",
            Op::Remove => "remove",
            Op::Replace => "replace",
            Op::Move => "move",
        }
    }
}

/// One change of one field. The [module](super) explains the members.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// The path of the value.
    pub path: Path,
    /// The operation.
    pub op: Op,
    /// The value before; `None` with [`Op::Add`] and [`Op::Move`].
    pub old: Option<Value>,
    /// The value after; `None` with [`Op::Remove`] and [`Op::Move`].
    pub new: Option<Value>,
    /// The index of a list item right after this change, for [`Op::Add`] and [`Op::Move`].
    pub index: Option<usize>,
}

/// Why a JSON value is not the JSON form of a [`FieldChange`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatError {
    /// The member is missing or has a wrong type.
    Member(&'static str),
    /// The path cannot be parsed.
    Path(PathError),
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::Member(name) => write!(f, "not a field change: bad or missing `{name}`"),
            FormatError::Path(error) => write!(f, "not a field change: {error}"),
        }
    }
}

impl std::error::Error for FormatError {}

impl FieldChange {
    /// The change of a whole object, for example one that exists on one side only.
    #[must_use]
    pub fn whole(old: Option<Value>, new: Option<Value>) -> FieldChange {
        let op = match (&old, &new) {
            (None, _) => Op::Add,
            (Some(_), None) => Op::Remove,
            (Some(_), Some(_)) => Op::Replace,
        };
        FieldChange {
            path: Path::default(),
            op,
            old,
            new,
            index: None,
        }
    }

    pub(super) fn remove(path: Path, old: &Value) -> FieldChange {
        FieldChange {
            path,
            op: Op::Remove,
            old: Some(tree::copy(old)),
            new: None,
            index: None,
        }
    }

    pub(super) fn add(path: Path, new: &Value, index: Option<usize>) -> FieldChange {
        FieldChange {
            path,
            op: Op::Add,
            old: None,
            new: Some(tree::copy(new)),
            index,
        }
    }

    pub(super) fn replace(path: Path, old: &Value, new: &Value) -> FieldChange {
        FieldChange {
            path,
            op: Op::Replace,
            old: Some(tree::copy(old)),
            new: Some(tree::copy(new)),
            index: None,
        }
    }

    pub(super) fn moved(path: Path, index: usize) -> FieldChange {
        FieldChange {
            path,
            op: Op::Move,
            old: None,
            new: None,
            index: Some(index),
        }
    }

    /// Writes the JSON form on one line, with the members in this order: `{"path":..,"op":..,"index":..,"old":..,"new":..}`.
    /// Members that are `None` are left out.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let path = Value::from(self.path.to_string());
        write!(out, r#"{{"path":{path},"op":"{}""#, self.op.as_str())?;
        if let Some(index) = self.index {
            write!(out, r#","index":{index}"#)?;
        }
        for (name, value) in [("old", &self.old), ("new", &self.new)] {
            if let Some(value) = value {
                write!(out, r#","{name}":"#)?;
                tree::write_json(out, value, tree::Keys::AsIs)?;
            }
        }
        write!(out, "}}")
    }

    /// The JSON form as text, see [`FieldChange::write_json`].
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut bytes = Vec::new();
        // Writing to a `Vec` cannot fail, and JSON is UTF-8.
        let _ = self.write_json(&mut bytes);
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// Parses the JSON form.
    ///
    /// # Errors
    /// The first member that is missing or invalid.
    pub fn from_value(row: &Value) -> Result<FieldChange, FormatError> {
        let text = |name| row.get(name).and_then(Value::as_str);
        let path = text("path").ok_or(FormatError::Member("path"))?;
        let op = match text("op") {
            Some("add") => Op::Add,
            Some("remove") => Op::Remove,
            Some("replace") => Op::Replace,
            Some("move") => Op::Move,
            _ => return Err(FormatError::Member("op")),
        };
        let index = match row.get("index") {
            None => None,
            Some(index) => Some(
                index
                    .as_u64()
                    .and_then(|index| usize::try_from(index).ok())
                    .ok_or(FormatError::Member("index"))?,
            ),
        };
        let (old, new) = (row.get("old"), row.get("new"));
        if old.is_some() != matches!(op, Op::Remove | Op::Replace) {
            return Err(FormatError::Member("old"));
        }
        if new.is_some() != matches!(op, Op::Add | Op::Replace) {
            return Err(FormatError::Member("new"));
        }
        if op == Op::Move && index.is_none() {
            return Err(FormatError::Member("index"));
        }
        Ok(FieldChange {
            path: Path::parse(path).map_err(FormatError::Path)?,
            op,
            old: old.map(tree::copy),
            new: new.map(tree::copy),
            index,
        })
    }
}

/// Which parts of an object are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Compare `status` of the root.
    pub status: bool,
    /// Compare `metadata.managedFields`.
    pub managed_fields: bool,
}

impl Scope {
    /// Everything. Only in this scope, applying the changes to the old object gives the new one.
    pub const ALL: Scope = Scope {
        status: true,
        managed_fields: true,
    };

    /// An object without the parts that this scope excludes.
    #[must_use]
    pub fn narrowed(self, mut object: Value) -> Value {
        if let Some(members) = object.as_object_mut() {
            if !self.status {
                members.shift_remove("status");
            }
            if let Some(Value::Object(metadata)) = members.get_mut("metadata")
                && !self.managed_fields
            {
                metadata.shift_remove("managedFields");
            }
        }
        object
    }

    /// Whether the scope excludes the member `key` of the value at a path.
    pub(super) fn excludes(self, at: &[Segment], key: &str) -> bool {
        match at {
            [] => !self.status && key == "status",
            [Segment::Key(parent)] => {
                !self.managed_fields && parent == "metadata" && key == "managedFields"
            }
            _ => false,
        }
    }
}

impl Default for Scope {
    fn default() -> Scope {
        Scope::ALL
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_with_wrong_members_is_refused() {
        for (row, error) in [
            (json!({"op":"add","new":1}), "path"),
            (json!({"path":"a","op":"set","new":1}), "op"),
            (json!({"path":"a","op":"add"}), "new"),
            (json!({"path":"a","op":"add","old":1,"new":1}), "old"),
            (json!({"path":"a","op":"replace","new":1}), "old"),
            (json!({"path":"a","op":"move"}), "index"),
            (json!({"path":"a","op":"move","index":-1}), "index"),
        ] {
            assert_eq!(
                FieldChange::from_value(&row),
                Err(FormatError::Member(error)),
                "{row}"
            );
        }
        let bad_path = json!({"path":"a[","op":"remove","old":null});
        assert!(matches!(
            FieldChange::from_value(&bad_path),
            Err(FormatError::Path(_))
        ));
    }
}
