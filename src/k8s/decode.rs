//! Decodes a stored value into a [`Sink`], field by field.
//!
//! Protobuf is decoded in place. Each message is scanned once to check it and to find the position of each field; then
//! the fields are written in the requested order. The output follows the rules by which Go's encoding/json prints the
//! Go types, with one exception: a field that the writer did not store is left out ("as written"), because an older
//! server did not know it. [`Options::as_served`] fills in such fields.
//!
//! **Invariant:** if an error is returned, nothing was written to the sink. Damage inside nested messages is not an
//! error: it is written in place as `{"$malformed": "base64"}` and noted in the [`Outcome`].

use std::borrow::Cow;

use super::cbor::{self, CborError, SELF_DESCRIBED};
use super::envelope::{PROTOBUF_MAGIC, Stored, Unknown};
pub use super::generic::MAX_DEPTH;
use super::json::{self, JsonError};
use super::schema::{self, Message};
use super::secret_key::is_secret_key;
use super::sink::{Name, Order, Sink};
use super::spare::{self, Spare};
use super::tape::Tape;
use crate::named::{NameField, not_a_name};
use crate::wire::{Reader, WireError};

mod plain;
mod walk;

pub use plain::{decode_any, is_only_json_like};
pub(in crate::k8s) use walk::{Lists, differing};

/// The number of malformed places in one value that get a note each; the rest is only counted.
const MAX_MALFORMED: usize = 20;

/// The key under which fields that are not in the schema table are written.
pub const UNKNOWN_FIELDS: &str = "$unknownFields";

/// The key under which bytes are written that cannot be decoded as the message of their field.
pub const MALFORMED: &str = "$malformed";

/// How a value is decoded.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The order of fields and keys.
    pub order: Order,
    /// Whether fields that the writer did not store get their zero value, where a current API server always prints one
    /// (`status: {}`). If false, they are left out.
    pub as_served: bool,
}

impl From<Order> for Options {
    fn from(order: Order) -> Self {
        Self {
            order,
            as_served: false,
        }
    }
}

/// The encoding and type of a decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome<'a> {
    /// The encoding.
    pub stored: Stored<'a>,
    /// apiVersion and kind of a protobuf object. Other encodings have them among the fields.
    pub type_meta: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// Remarks for the reader of the output; empty for nearly every value.
    pub notes: Vec<Note>,
}

/// A remark about a decoded value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// The schema table does not have the kind: only metadata is written with field names.
    #[error(
        "no schema for {} {}: fields are shown by number",
        NameField::ApiVersion.shown(api_version),
        NameField::Kind.shown(kind)
    )]
    UnknownKind {
        /// As stored.
        api_version: String,
        /// As stored.
        kind: String,
    },
    /// Fields were written under [`UNKNOWN_FIELDS`]: the writer is newer than the schema table.
    #[error("fields not in the schema, shown by number: {count}")]
    UnknownFields {
        /// The number of such fields in all messages of the value.
        count: usize,
    },
    /// Bytes were written under [`MALFORMED`].
    #[error("{field}: {reason}, shown as base64")]
    Malformed {
        /// The JSON name of the innermost field.
        field: String,
        /// Why the bytes could not be decoded.
        reason: WireError,
    },
    /// More such bytes, which are only counted.
    #[error("{count} more places shown as base64")]
    MoreMalformed {
        /// How many there are in addition to those with a note each.
        count: usize,
    },
}

/// Why a value could not be decoded in the encoding that its first bytes indicate. Nothing was written to the sink;
/// [`raw`] can write the bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// `k8s\0` is not followed by a `runtime.Unknown`.
    #[error("the envelope is not readable: {0}")]
    Envelope(WireError),
    /// The envelope after `k8s\0` has neither a kind nor an object.
    #[error("the envelope holds no object")]
    NoObject,
    /// `contentEncoding` is set, which no API server does.
    #[error("unknown content encoding {}", shown_name(.0))]
    ContentEncoding(String),
    /// The object is not a protobuf message.
    #[error(
        "{} {} is not readable: {reason}",
        NameField::ApiVersion.shown(api_version),
        NameField::Kind.shown(kind)
    )]
    Object {
        /// As stored.
        api_version: String,
        /// As stored.
        kind: String,
        /// Offsets are from the start of the object.
        reason: WireError,
    },
    /// It starts like JSON but is not valid JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It starts like CBOR but is not valid CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Encrypted at rest.
    #[error(
        "encrypted at rest by {} {}, {} {}",
        unquoted_name(provider),
        unquoted_name(version),
        if provider == "kms" { "KMS plugin" } else { "key" },
        shown_name(key_name)
    )]
    Encrypted {
        /// `aescbc`, `aesgcm`, `secretbox` or `kms`.
        provider: String,
        /// `v1` or `v2`.
        version: String,
        /// The key's name in the EncryptionConfiguration; with `kms` the plugin's name.
        key_name: String,
    },
    /// More than 4 GiB. etcd's default limit is 1.5 MiB, and no setting allows more than 2 GiB.
    #[error("the value is too large: {0} bytes")]
    TooBig(usize),
}

/// The longest name that a message quotes, in bytes: the maximal length of a DNS name. Most names in Kubernetes are one.
const MAX_NAME_BYTES: usize = 253;

/// Whether a text looks like a name: 1 to 253 letters, digits and `./_-`.
pub(super) fn is_name(text: &str) -> bool {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"./_-".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(is_name_byte)
}

/// A name from a stored value, quoted for a message. A text that cannot be a name is replaced with its size: a damaged
/// length field can move bytes of a secret into any field.
#[must_use]
pub fn shown_name(name: &str) -> String {
    if is_name(name) {
        format!("\"{name}\"")
    } else {
        unquoted_name(name).into_owned()
    }
}

/// The same as [`shown_name`], without quotes.
pub(super) fn unquoted_name(name: &str) -> Cow<'_, str> {
    if is_name(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(not_a_name(name.len()))
    }
}

impl Note {
    /// The note about the value of `key`. For a Secret it quotes nothing from the value.
    #[must_use]
    pub fn text_of(&self, key: &[u8]) -> String {
        match self {
            Self::UnknownKind { .. } if is_secret_key(key) => {
                "no schema for its kind, which is not Secret: fields are shown by number".to_owned()
            }
            note => note.to_string(),
        }
    }
}

impl DecodeError {
    /// Why the value of `key` cannot be decoded. For a Secret it quotes nothing from the value.
    #[must_use]
    pub fn text_of(&self, key: &[u8]) -> String {
        match self {
            Self::Object { reason, .. } if is_secret_key(key) => {
                format!("the Secret is not readable: {reason}")
            }
            Self::ContentEncoding(_) if is_secret_key(key) => "unknown content encoding".to_owned(),
            error => error.to_string(),
        }
    }
}

/// Decodes a value into the sink: an object as a map, a text as a string, an empty value as an empty string, other
/// bytes as base64. A [`Decoder`] is faster for many values.
///
/// # Errors
/// The value does not parse in the encoding that its first bytes indicate, or it is encrypted. Nothing was written.
pub fn decode<'a, S: Sink>(
    value: &'a [u8],
    options: impl Into<Options>,
    sink: &mut S,
) -> Result<Outcome<'a>, DecodeError> {
    Decoder::with_spare(|decoder| decoder.decode(value, options, sink))
}

/// [`decode()`] with buffers that are reused from one value to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    work: Work,
}

impl Decoder {
    /// Calls `decode` with a decoder whose buffers are kept for the next call on this thread.
    fn with_spare<T>(decode: impl FnOnce(&mut Self) -> T) -> T {
        let work = Work::spare();
        let mut decoder = Self { work };
        let decoded = decode(&mut decoder);
        decoder.work.keep();
        decoded
    }

    /// A decoder with empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Like [`decode()`].
    ///
    /// # Errors
    /// The value does not parse in the encoding that its first bytes indicate, or it is encrypted. Nothing was written.
    pub fn decode<'a, S: Sink>(
        &mut self,
        value: &'a [u8],
        options: impl Into<Options>,
        sink: &mut S,
    ) -> Result<Outcome<'a>, DecodeError> {
        let options = options.into();
        if u32::try_from(value.len()).is_err() {
            return Err(DecodeError::TooBig(value.len()));
        }
        let stored = Stored::detect(value);
        let mut outcome = Outcome {
            stored,
            type_meta: None,
            notes: Vec::new(),
        };
        let tape = &mut self.work.tape;
        match stored {
            Stored::Empty => sink.string(""),
            Stored::Text(text) => sink.string(text),
            Stored::Binary(bytes) => sink.base64(bytes),
            Stored::Json(text) => {
                json::parse(text, tape)?;
                tape.replay(text, options.order, false, sink);
            }
            Stored::Cbor(bytes) => {
                cbor::parse(bytes, tape)?;
                tape.replay(bytes, options.order, false, sink);
            }
            Stored::Encrypted(e) => {
                return Err(DecodeError::Encrypted {
                    provider: e.provider.to_owned(),
                    version: e.version.to_owned(),
                    key_name: e.key_name.to_owned(),
                });
            }
            Stored::Protobuf(body) => {
                let unknown = Unknown::parse(body).map_err(DecodeError::Envelope)?;
                self.work.top = 0;
                let mut walker = Walker::new(sink, &mut self.work, options);
                walker.object(&unknown, 0)?;
                outcome.notes = walker.into_notes();
                outcome.type_meta = Some((unknown.api_version, unknown.kind));
            }
        }
        Ok(outcome)
    }
}

/// Writes a value without decoding it: UTF-8 as a string, anything else as base64. For values that [`decode`] refuses.
pub fn raw(value: &[u8], sink: &mut impl Sink) {
    match std::str::from_utf8(value) {
        Ok(text) => sink.string(text),
        Err(_) => sink.base64(value),
    }
}

/// apiVersion and kind. In protobuf they are in the envelope, not in the object.
#[derive(Clone, Copy)]
struct TypeMeta<'a> {
    api_version: &'a str,
    kind: &'a str,
}

/// The position of a field in its message. Of lists and maps it reaches from the tag of the first occurrence to the end
/// of the last one. Of single values it is the last occurrence: with its tag for numbers, without it for all else.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

const ABSENT: Span = Span {
    start: u32::MAX,
    end: 0,
};

/// The buffers of a walk.
#[derive(Debug, Default)]
struct Work {
    /// Positions of fields: a stack shared by all nesting levels, in use up to `top`.
    spans: Vec<Span>,
    top: usize,
    tape: Tape,
    text: String,
    last_root: schema::LastRoot,
}

thread_local! {
    /// The buffers of walks that have ended on this thread.
    static SPARE: Spare<Work> = const { Spare::new() };
}

/// Larger buffers are not kept.
const MOST_SPARE_SPANS: usize = 1 << 14;
const MOST_SPARE_BYTES: usize = 1 << 18;

impl Work {
    /// Buffers to use, which are empty.
    fn spare() -> Self {
        spare::take(&SPARE)
    }

    /// Keeps the buffers for the next walk on this thread.
    fn keep(mut self) {
        self.top = 0;
        let is_small = self.spans.capacity() <= MOST_SPARE_SPANS
            && self.text.capacity() <= MOST_SPARE_BYTES
            && self.tape.is_small(MOST_SPARE_BYTES);
        if is_small {
            spare::keep(&SPARE, self);
        }
    }
}

/// The number of spans for which room is made at once: enough for most objects.
const USUAL_SPANS: usize = 256;

impl Work {
    /// Reserves spans for the fields of one more message. Their content is undefined until a scan sets them.
    fn open(&mut self, slots: usize) -> usize {
        let base = self.top;
        self.top = base.saturating_add(slots);
        if self.spans.len() < self.top {
            self.spans.resize(self.top.max(USUAL_SPANS), ABSENT);
        }
        base
    }

    fn close(&mut self, base: usize) {
        self.top = base;
    }

    #[inline]
    fn span(&mut self, base: usize, place: u32) -> Option<&mut Span> {
        self.spans.get_mut(base.saturating_add(place as usize))
    }
}

/// The name before the first field.
const NO_NAME: Name = Name::from_json_key(",\"\":");
const METADATA: Name = Name::from_json_key(",\"metadata\":");

/// The state of one walk.
struct Walker<'s, S: Sink> {
    sink: &'s mut S,
    work: &'s mut Work,
    options: Options,
    notes: Vec<Note>,
    unknown_fields: usize,
    malformed: usize,
    /// Name of the field that is being written.
    field: Name,
    /// How many messages around the current one were split into several fields, and joined in a copy.
    joined: usize,
}

impl<'s, S: Sink> Walker<'s, S> {
    fn new(sink: &'s mut S, work: &'s mut Work, options: Options) -> Self {
        Self {
            sink,
            work,
            options,
            notes: Vec::new(),
            unknown_fields: 0,
            malformed: 0,
            field: NO_NAME,
            joined: 0,
        }
    }

    fn note_malformed(&mut self, reason: WireError) {
        self.malformed = self.malformed.saturating_add(1);
        if self.malformed <= MAX_MALFORMED {
            let field = self.field.as_str().to_owned();
            self.notes.push(Note::Malformed { field, reason });
        }
    }

    fn into_notes(mut self) -> Vec<Note> {
        if let Some(count @ 1..) = self.malformed.checked_sub(MAX_MALFORMED) {
            self.notes.push(Note::MoreMalformed { count });
        }
        if self.unknown_fields > 0 {
            self.notes.push(Note::UnknownFields {
                count: self.unknown_fields,
            });
        }
        self.notes
    }

    /// Writes an object with its apiVersion and kind.
    fn object(&mut self, unknown: &Unknown<'_>, depth: u16) -> Result<(), DecodeError> {
        let (api_version, kind) = (&*unknown.api_version, &*unknown.kind);
        if !unknown.content_encoding.is_empty() {
            return Err(DecodeError::ContentEncoding(
                unknown.content_encoding.to_string(),
            ));
        }
        if unknown.raw.is_none() && kind.is_empty() {
            return Err(DecodeError::NoObject);
        }
        let raw = unknown.raw.unwrap_or_default();
        let meta = TypeMeta { api_version, kind };
        let result = match self.work.last_root.find(api_version, kind) {
            Some(message) => self.try_message(message, raw, Some(meta), depth),
            None => self.unknown_object(raw, meta, depth),
        };
        result.map_err(|reason| DecodeError::Object {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            reason,
        })
    }

    /// Writes an object of a kind that is not in the schema table: metadata with names, all else by field number.
    fn unknown_object(
        &mut self,
        raw: &[u8],
        meta: TypeMeta<'_>,
        depth: u16,
    ) -> Result<(), WireError> {
        let metadata = find_metadata(raw, meta.kind)?;
        let note = Note::UnknownKind {
            api_version: meta.api_version.to_owned(),
            kind: meta.kind.to_owned(),
        };
        // A nested object is the value of a map key, where the sink accepts no comment.
        if depth == 0 {
            self.sink.comment(&note.to_string());
        }
        self.notes.push(note);
        let order = self.options.order;
        self.sink.begin_map();
        if order != Order::Declared {
            self.numbered_fields(raw, metadata.is_some(), depth);
        }
        let mut names = [("kind", meta.kind), ("apiVersion", meta.api_version)];
        if order != Order::Declared {
            names.reverse();
        }
        for (key, text) in names.into_iter().filter(|n| !n.1.is_empty()) {
            self.sink.key(key);
            self.sink.string(text);
        }
        if let Some((message, bytes)) = metadata {
            self.field = METADATA;
            self.sink.name(METADATA);
            self.message(message, bytes, depth);
        }
        if order == Order::Declared {
            self.numbered_fields(raw, metadata.is_some(), depth);
        }
        self.sink.end_map();
        Ok(())
    }

    /// Writes bytes that contain a document: JSON, CBOR or another object in its envelope.
    fn embedded(&mut self, raw: &[u8], depth: u16) {
        if raw.is_empty() {
            return self.sink.null();
        }
        if let Some(body) = raw.strip_prefix(PROTOBUF_MAGIC) {
            let unknown = Unknown::parse(body).unwrap_or_default();
            if depth >= MAX_DEPTH || self.object(&unknown, depth.saturating_add(1)).is_err() {
                self.sink.base64(raw);
            }
            return;
        }
        if self.sink.drops_value() {
            return self.sink.null();
        }
        if self.options.order == Order::Declared
            && self.sink.accepts_json()
            && json::is_written_by_go(raw)
        {
            return self.sink.json(raw);
        }
        let is_cbor = raw.starts_with(SELF_DESCRIBED);
        let tape = &mut self.work.tape;
        let parsed = if is_cbor {
            cbor::parse(raw, tape).is_ok()
        } else {
            json::parse(raw, tape).is_ok()
        };
        if parsed {
            tape.replay(raw, self.options.order, !is_cbor, self.sink);
        } else {
            self.sink.base64(raw);
        }
    }
}

/// Field 1 of an object, if it is its ObjectMeta. An error if any field of the object is malformed.
fn find_metadata<'r>(
    raw: &'r [u8],
    kind: &str,
) -> Result<Option<(&'static Message, &'r [u8])>, WireError> {
    let mut reader = Reader::new(raw);
    let mut found = Vec::new();
    while let Some(field) = reader.field()? {
        if field.number == 1 {
            found.push(field.content);
        }
    }
    // The metadata of a list is a ListMeta, not an ObjectMeta.
    let meta = schema::object_meta().filter(|_| !kind.ends_with("List"));
    Ok(match (meta, found.as_slice()) {
        (Some(message), [content]) => content
            .bytes()
            .filter(|b| super::generic::is_message(b))
            .map(|b| (message, b)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_quotes_only_possible_names_and_gives_the_size_of_other_texts() {
        let longest = "a".repeat(253);
        for name in ["key1", "apps/v1", "vault.example_com-2", &longest] {
            assert_eq!(shown_name(name), format!("\"{name}\""));
            assert_eq!(unquoted_name(name), name);
        }
        let longer = "a".repeat(254);
        for (text, shown) in [
            ("", "<0 bytes, not a name>"),
            (" ", "<1 byte, not a name>"),
            ("pass word", "<9 bytes, not a name>"),
            ("a\n", "<2 bytes, not a name>"),
            ("aHVudGVyMg==", "<12 bytes, not a name>"),
            ("\u{e9}", "<2 bytes, not a name>"),
            (&longer, "<254 bytes, not a name>"),
        ] {
            assert_eq!(shown_name(text), shown);
            assert_eq!(unquoted_name(text), shown);
        }
    }

    #[test]
    fn no_message_quotes_a_field_that_cannot_be_a_name() {
        let text = || "\n\u{8}password\u{12}\u{7}hunter2".to_owned();
        let reason = WireError::Depth;
        let messages = [
            DecodeError::ContentEncoding(text()).to_string(),
            DecodeError::Object {
                api_version: text(),
                kind: text(),
                reason,
            }
            .to_string(),
            DecodeError::Encrypted {
                provider: text(),
                version: text(),
                key_name: text(),
            }
            .to_string(),
            Note::UnknownKind {
                api_version: text(),
                kind: text(),
            }
            .to_string(),
        ];
        for message in messages {
            assert!(!message.contains("hunter2"), "{message}");
            assert!(message.contains("<19 bytes, not a name>"), "{message}");
        }
        let encrypted = DecodeError::Encrypted {
            provider: "aescbc".to_owned(),
            version: "v1".to_owned(),
            key_name: "key1".to_owned(),
        };
        assert_eq!(
            encrypted.to_string(),
            "encrypted at rest by aescbc v1, key \"key1\""
        );
    }
}
