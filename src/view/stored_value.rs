//! One stored value as text: YAML, JSON, or its protobuf message.

use crate::k8s::decode::{is_only_json_like, raw};
use crate::k8s::object::tree_with;
use crate::k8s::{Note, Order, decode};
use crate::query::stored_value::{begins_as_object, protobuf_message, type_meta};
use crate::query::unreadable::{StoredAs, Unreadable};

use super::encryption::encryption_hint;
use super::json::{JsonStyle, JsonWriter};
use super::manifest::{NotLoadable, WrittenObject, write_checked};
use super::recovery_comment::INCOMPLETE;
use super::yaml::{YamlWriter, comment};

/// How one value is printed as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML, as auger and kubectl print it.
    Yaml,
    /// JSON on one line, in the order of the Go types, as auger prints it.
    Json,
    /// The stored protobuf message, without the envelope around it.
    Proto,
}

/// Why a value is not printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPrinted {
    /// It cannot be read.
    Unreadable(Unreadable),
    /// It has no YAML that loads back to it.
    NotLoadable(NotLoadable),
}

impl From<Unreadable> for NotPrinted {
    fn from(why: Unreadable) -> Self {
        Self::Unreadable(why)
    }
}

impl std::fmt::Display for NotPrinted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(Unreadable::Undecodable(error)) => {
                write!(f, "cannot be decoded: {error}")
            }
            Self::Unreadable(Unreadable::Encrypted(error)) => {
                write!(f, "cannot be decoded: {error}")
            }
            Self::Unreadable(Unreadable::NotProtobuf(stored_as)) => {
                let stored_as = match stored_as {
                    StoredAs::Json => "JSON",
                    StoredAs::Cbor => "CBOR",
                    StoredAs::Text => "a text",
                };
                write!(
                    f,
                    "is stored as {stored_as}: -o proto prints stored protobuf, and nothing is encoded anew"
                )
            }
            Self::Unreadable(Unreadable::NotAnObject) => f.write_str("is no Kubernetes object"),
            Self::NotLoadable(error) => write!(f, "cannot be printed: {error}"),
        }
    }
}

impl NotPrinted {
    /// What can be done; `instead` if nothing better is known.
    #[must_use]
    pub fn hint<'h>(&self, instead: &'h str) -> &'h str {
        match self {
            Self::Unreadable(Unreadable::Encrypted(error)) => {
                encryption_hint(error).unwrap_or(instead)
            }
            Self::NotLoadable(_) => "`-o json` prints the object",
            Self::Unreadable(Unreadable::NotProtobuf(_)) => {
                "`-o json` prints the object, without `-o` it is YAML"
            }
            Self::Unreadable(_) => instead,
        }
    }
}

/// A stored value as text. What the schema table lacks is in comments before YAML, and is marked in the object
/// itself.
///
/// # Errors
/// The value is not what it begins like, is encrypted, or is not stored in the form that was asked for.
pub fn text(value: &[u8], format: Format) -> Result<Vec<u8>, NotPrinted> {
    // Writing to a vector does not fail.
    match format {
        Format::Yaml => yaml(value),
        Format::Json => {
            let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
            decode(value, Order::Declared, &mut writer).map_err(Unreadable::Undecodable)?;
            Ok(writer.finish().unwrap_or_default())
        }
        Format::Proto => match protobuf_message(value)? {
            Some(message) => Ok(message.to_vec()),
            None => Err(why_not_decoded(value)),
        },
    }
}

/// The same, but a value that only begins like JSON or CBOR is printed as the text or the bytes that it is.
///
/// # Errors
/// As [`text`].
pub fn text_or_plain(value: &[u8], format: Format) -> Result<Vec<u8>, NotPrinted> {
    if format == Format::Proto || !is_only_json_like(value) {
        return text(value, format);
    }
    Ok(match format {
        Format::Json => {
            let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
            raw(value, &mut writer);
            writer.finish().unwrap_or_default()
        }
        _ => {
            let mut writer = YamlWriter::new(Vec::new());
            raw(value, &mut writer);
            writer.finish().unwrap_or_default()
        }
    })
}

fn yaml(value: &[u8]) -> Result<Vec<u8>, NotPrinted> {
    let mut writer = YamlWriter::new(Vec::new());
    let mut outcome = None;
    let write = |writer: &mut YamlWriter<_>| {
        let decoded = decode(value, Order::Natural, writer);
        WrittenObject {
            any: outcome.insert(decoded).is_ok(),
            comments: Vec::new(),
        }
    };
    let tree = || {
        let tree = tree_with(value, Order::Declared);
        tree.ok().map(|(tree, _)| tree)
    };
    let written = write_checked(&mut writer, write, tree);
    let notes = match outcome {
        Some(decoded) => decoded.map_err(Unreadable::Undecodable)?.notes,
        None => Vec::new(),
    };
    written.map_err(NotPrinted::NotLoadable)?;
    let mut text: Vec<u8> = Vec::new();
    if !notes.is_empty() {
        text.extend_from_slice(comment(INCOMPLETE).as_bytes());
        text.push(b'\n');
    }
    // The writer has the remark on an unknown kind already.
    let rest = |note: &&Note| !matches!(note, Note::UnknownKind { .. });
    for note in notes.iter().filter(rest) {
        text.extend_from_slice(comment(&note.to_string()).as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(&writer.finish().unwrap_or_default());
    Ok(text)
}

/// apiVersion and kind, as auger prints them.
///
/// # Errors
/// The value has neither.
pub fn type_meta_text(value: &[u8]) -> Result<Vec<u8>, NotPrinted> {
    let (api_version, kind) = type_meta(value).ok_or_else(|| why_not_decoded(value))?;
    let text = format!("TypeMeta.APIVersion: {api_version}\nTypeMeta.Kind: {kind}\n");
    Ok(text.into_bytes())
}

/// Why a value is not an object.
fn why_not_decoded(value: &[u8]) -> NotPrinted {
    let decoded = text(value, Format::Json);
    let why = decoded.err();
    why.unwrap_or(NotPrinted::Unreadable(Unreadable::NotAnObject))
}

/// The object as JSON with sorted keys, without a newline; null if the value is not an object.
#[must_use]
pub fn json_or_null(value: &[u8]) -> Vec<u8> {
    let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
    match decode(value, Order::Sorted, &mut writer) {
        Ok(_) if begins_as_object(value) => {
            let text = writer.finish().unwrap_or_default();
            text.trim_ascii_end().to_vec()
        }
        _ => b"null".to_vec(),
    }
}
