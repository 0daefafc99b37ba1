//! Values of other programs that start like JSON or CBOR but are texts or bytes.
//!
//! An INI text, a Go template, JSON lines and many protobuf messages start as JSON does. For example, `0a 7b` is "\n{"
//! and also the tag and length of a protobuf field 1 with 123 bytes. If such a value does not parse, the part before
//! the error decides: if it has an apiVersion and a kind, the value is a damaged Kubernetes object, and decoding fails.
//! If it has not, the value belongs to another program and is shown as a text or as bytes.

use super::super::cbor;
use super::super::envelope::Stored;
use super::super::json;
use super::{DecodeError, Decoder, Options, Outcome, Sink, raw};

impl Decoder {
    /// Like [`Decoder::decode`], but a value that starts like JSON or CBOR without being a Kubernetes object is written
    /// as a text or as bytes if it does not parse. JSON of another program that is not UTF-8 is written as bytes too:
    /// with replacement characters different values would look equal.
    ///
    /// # Errors
    /// The value is a Kubernetes object that is damaged, or it is encrypted. Nothing was written to the sink.
    pub fn decode_any<'a, S: Sink>(
        &mut self,
        value: &'a [u8],
        options: impl Into<Options>,
        sink: &mut S,
    ) -> Result<Outcome<'a>, DecodeError> {
        if self.has_other_bytes(value) {
            return Ok(write_raw(value, sink));
        }
        match self.decode(value, options, sink) {
            Err(error) if self.is_from_other_program(value, &error) => Ok(write_raw(value, sink)),
            decoded => decoded,
        }
    }

    /// Whether the value that this decoder has just refused with `error` belongs to another program: it starts like
    /// JSON or CBOR, and has no apiVersion and kind before the error.
    #[must_use]
    pub fn is_from_other_program(&self, value: &[u8], error: &DecodeError) -> bool {
        matches!(error, DecodeError::Json(_) | DecodeError::Cbor(_)) && !self.is_object(value)
    }

    /// Whether the value parsed last is a map with apiVersion and kind, in the part before an error.
    fn is_object(&self, value: &[u8]) -> bool {
        let has = |key| self.work.tape.has_text(value, key);
        match Stored::detect(value) {
            // CBOR sorts shorter keys first, so apiVersion is last and may follow the damage.
            Stored::Cbor(_) => has("kind") && contains(value, b"apiVersion"),
            _ => has("kind") && has("apiVersion"),
        }
    }

    /// Whether a value is JSON of another program that is not UTF-8.
    fn has_other_bytes(&mut self, value: &[u8]) -> bool {
        let is_parsable = u32::try_from(value.len()).is_ok();
        let Stored::Json(bytes) = Stored::detect(value) else {
            return false;
        };
        if !is_parsable || std::str::from_utf8(bytes).is_ok() {
            return false;
        }
        // The result does not matter: the tape has the part before an error.
        let _ = json::parse(bytes, &mut self.work.tape);
        !self.is_object(value)
    }
}

/// [`Decoder::decode_any`] for a single value.
///
/// # Errors
/// The value is a Kubernetes object that is damaged, or it is encrypted. Nothing was written to the sink.
pub fn decode_any<'a, S: Sink>(
    value: &'a [u8],
    options: impl Into<Options>,
    sink: &mut S,
) -> Result<Outcome<'a>, DecodeError> {
    Decoder::with_spare(|decoder| decoder.decode_any(value, options, sink))
}

/// Whether a value starts like JSON or CBOR, does not parse, and is not a damaged Kubernetes object.
#[must_use]
pub fn is_only_json_like(value: &[u8]) -> bool {
    if u32::try_from(value.len()).is_err() {
        return false;
    }
    let mut decoder = Decoder::default();
    let tape = &mut decoder.work.tape;
    let is_whole = match Stored::detect(value) {
        Stored::Json(text) => json::parse(text, tape).is_ok(),
        Stored::Cbor(bytes) => cbor::parse(bytes, tape).is_ok(),
        _ => true,
    };
    !is_whole && !decoder.is_object(value)
}

/// Writes a value undecoded.
fn write_raw<'a>(value: &'a [u8], sink: &mut impl Sink) -> Outcome<'a> {
    raw(value, sink);
    let stored = match std::str::from_utf8(value) {
        Ok(text) => Stored::Text(text),
        Err(_) => Stored::Binary(value),
    };
    Outcome {
        stored,
        type_meta: None,
        notes: Vec::new(),
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::k8s::{Order, TreeSink};

    fn read(value: &[u8]) -> Result<serde_json::Value, DecodeError> {
        let mut sink = TreeSink::new();
        decode_any(value, Order::Declared, &mut sink)?;
        Ok(sink.into_value())
    }

    #[test]
    fn a_text_that_only_starts_like_json_is_decoded_as_text() {
        for text in [
            "[db]\nhost=a\n",
            "{{range gets \"/app/*\"}}{{.Value}}{{end}}",
            "{\"a\":1}\n{\"a\":2}\n",
            "{\"a\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\"",
            "[\"apiVersion\",\"v1\",\"kind\",\"Pod\"",
            "{\"apiVersion\":\"v1\",\"kind\":7,",
            "{\"kind\":\"Pod\",\"items\":[{\"apiVersion\":\"v1\"",
            "{\"kind",
            "{",
        ] {
            assert_eq!(read(text.as_bytes()).unwrap(), text);
            assert!(is_only_json_like(text.as_bytes()), "{text}");
        }
        let deep = "[".repeat(10_000);
        assert_eq!(read(deep.as_bytes()).unwrap(), deep.as_str());
    }

    #[test]
    fn bytes_that_only_start_like_json_or_cbor_are_decoded_as_bytes() {
        for bytes in [
            &b"\n{\x08\x01\xff"[..],
            b"\n[\n\x05by-dev\xfe",
            b"{\"a\":\"\xff\"}",
            b"\xd9\xd9\xf7\x9f",
            b"\xd9\xd9\xf7\xa1\x44kind\x43Pod\x01",
        ] {
            let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
            assert_eq!(
                read(bytes).unwrap(),
                text.as_str(),
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn an_object_that_breaks_after_apiversion_and_kind_is_damaged() {
        for value in [
            &b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{\"a\":"[..],
            b"{\"kind\":\"Pod\",\"metadata\":{\"a\":[1]},\"apiVersion\":\"v1\"",
            b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}x",
            b"\xd9\xd9\xf7\xa2\x44kind\x43Pod\x01\x4aapiVersion\x42v1",
            b"k8s\0\x0a\xff",
        ] {
            assert!(read(value).is_err(), "{}", value.escape_ascii());
            assert!(!is_only_json_like(value), "{}", value.escape_ascii());
        }
        assert!(
            read(b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"a\":\"\xff\"}")
                .unwrap()
                .is_object()
        );
    }
}
