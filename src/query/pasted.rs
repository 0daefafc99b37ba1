//! What is pasted where a stored value is wanted: the value in whatever form a program printed it.
//!
//! Forms are taken off one by one, the outermost first, until the bytes begin as an object does. Each form is
//! recognised by what only it has (the offsets of a dump, the names of etcdctl's fields), so none is tried twice.
//! Digits and base64, which a plain text may be as well, count only if what they mean is recognised in turn. Each
//! recogniser reads its input once, and what it returns is shorter, apart from the repeated lines that a dump leaves
//! out, whose number has a limit.

mod dump;
mod encoded;
mod etcdctl;
mod form;

use std::borrow::Cow;

use crate::k8s::Stored;
use crate::k8s::envelope::{PROTOBUF_MAGIC, Unknown};
use crate::sniff;
use crate::wire::{Content, Reader};

pub use form::{Fault, Form, PastedValue};

/// Nobody pastes base64 of a dump of etcdctl's JSON; a hostile input may go on.
const MOST_FORMS: usize = 6;

/// The stored values in what was pasted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pasted {
    /// The forms around them, the outermost first; none if the bytes are one value as it is stored.
    pub forms: Vec<Form>,
    /// The values; at least one.
    pub values: Vec<PastedValue>,
}

/// No stored value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRecognised {
    /// The forms that were recognised, the outermost first.
    pub forms: Vec<Form>,
    /// Why there is no value in them.
    pub fault: Fault,
}

/// What one step finds.
enum Found {
    Values(Option<Form>, Vec<PastedValue>),
    Within(Form, Vec<u8>),
}

impl Pasted {
    /// Recognises the forms around the values.
    ///
    /// # Errors
    /// If no value is recognised.
    pub fn read(input: &[u8]) -> Result<Self, NotRecognised> {
        let mut forms = Vec::new();
        let mut bytes = Cow::Borrowed(input);
        // The forms that cannot be by chance, and what is in them.
        let (mut sure, mut content) = (0, kind(input));
        while forms.len() < MOST_FORMS {
            match step(&bytes) {
                Ok(Found::Values(form, values)) => {
                    forms.extend(form);
                    if values.is_empty() {
                        let fault = Fault::NoValues;
                        return Err(NotRecognised { forms, fault });
                    }
                    return Ok(Self { forms, values });
                }
                Ok(Found::Within(form, inner)) => {
                    forms.push(form);
                    if !form.may_be_chance() {
                        (sure, content) = (forms.len(), kind(&inner));
                    }
                    bytes = Cow::Owned(inner);
                }
                Err(Some(fault)) => return Err(NotRecognised { forms, fault }),
                Err(None) => {
                    forms.truncate(sure);
                    let fault = Fault::Unknown { kind: content };
                    return Err(NotRecognised { forms, fault });
                }
            }
        }
        let fault = Fault::TooManyForms;
        Err(NotRecognised { forms, fault })
    }
}

/// The outermost form, or the values. Without a fault, nothing is recognised.
fn step(bytes: &[u8]) -> Result<Found, Option<Fault>> {
    if begins_as_value(bytes) {
        let json = etcdctl::json(bytes).map_err(Some)?;
        return Ok(match json.or_else(|| etcdctl::values_alone(bytes)) {
            Some((form, values)) => Found::Values(Some(form), values),
            None => Found::Values(None, vec![PastedValue::without_key(bytes)]),
        });
    }
    if let Some(text) = utf16(bytes) {
        return Ok(Found::Within(Form::Utf16, text));
    }
    if let Some(text) = printable_text(bytes) {
        if let Some((form, inner)) = dump::read(text).map_err(|line| Some(Fault::DumpLine(line)))? {
            return Ok(Found::Within(form, inner));
        }
        if let Some(values) = etcdctl::fields(text).map_err(Some)? {
            return Ok(Found::Values(Some(Form::EtcdctlFields), values));
        }
        if let Some(values) = etcdctl::keys_and_values(bytes) {
            return Ok(Found::Values(Some(Form::EtcdctlSimple), values));
        }
        let encoded = encoded::read(text).ok_or(None)?;
        return Ok(Found::Within(encoded.0, encoded.1));
    }
    if let Some(values) = etcdctl::keys_and_values(bytes) {
        return Ok(Found::Values(Some(Form::EtcdctlSimple), values));
    }
    let value = with_mark(bytes).ok_or(None)?;
    Ok(Found::Within(Form::Unmarked, value))
}

/// What bytes are that are no value, with an article.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    sniff::sniff(bytes, bytes.len() as u64)
}

/// Whether bytes begin as a stored object does. A plain text is not recognised by its first bytes.
fn begins_as_value(bytes: &[u8]) -> bool {
    !matches!(
        Stored::detect(bytes),
        Stored::Empty | Stored::Text(_) | Stored::Binary(_)
    )
}

/// The text of UTF-16 that begins with its byte order mark.
fn utf16(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mark, rest) = bytes.split_first_chunk::<2>()?;
    let unit: fn([u8; 2]) -> u16 = match mark {
        b"\xff\xfe" => u16::from_le_bytes,
        b"\xfe\xff" => u16::from_be_bytes,
        _ => return None,
    };
    let (units, half) = rest.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(units.iter().copied().map(unit)).collect();
    text.ok()
        .filter(|_| half.is_empty())
        .map(String::into_bytes)
}

/// The bytes as a text that a program prints: without control characters. A byte order mark is left out.
fn printable_text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_printed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.chars().all(is_printed).then_some(text)
}

/// The value with the mark, if bytes are the envelope of a protobuf value without it: apiVersion and kind, an object,
/// and nothing else but a newline at the end.
fn with_mark(bytes: &[u8]) -> Option<Vec<u8>> {
    let len = envelope_len(bytes)?;
    let (body, rest) = bytes.split_at_checked(len)?;
    let unknown = Unknown::parse(body).ok()?;
    let is_name = |text: &str| {
        let is_name_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'/');
        !text.is_empty() && text.bytes().all(is_name_byte)
    };
    let is_envelope = is_name(&unknown.api_version)
        && is_name(&unknown.kind)
        && unknown.raw.is_some()
        && matches!(rest, b"" | b"\n");
    is_envelope.then(|| [PROTOBUF_MAGIC, body].concat())
}

/// The length of a `runtime.Unknown` that begins the bytes. Its fields are texts and messages in ascending order, as
/// every API server writes them, so a newline after it, which reads as its first field, is no part of it.
fn envelope_len(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(bytes);
    let (mut last, mut len) = (0, 0);
    while let Ok(Some(field)) = reader.field() {
        if field.number <= last || field.number > 4 || !matches!(field.content, Content::Bytes(_)) {
            break;
        }
        last = field.number;
        len = reader.position();
    }
    (len > 0).then_some(len)
}

#[cfg(test)]
mod tests;
