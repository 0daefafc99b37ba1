//! Values that only begin like JSON or CBOR: texts and bytes of other programs.
//!
//! An INI text, a Go template, JSON lines and many protobuf messages begin as JSON does (`0a 7b` is "\n{", and also the
//! field 1 of 123 bytes). Kubernetes' own mark in them would be an object with apiVersion and kind. Without it such a
//! value is a text or bytes. With it the value is an object of Kubernetes that is damaged after the mark.

use super::super::cbor;
use super::super::envelope::Stored;
use super::super::json;
use super::{DecodeError, Decoder, Options, Outcome, Sink, raw};

impl Decoder {
    /// As [`Decoder::decode`], but of a value that only begins like JSON or CBOR the sink gets the text or the bytes.
    /// So it does of JSON that is not UTF-8 and not an object of Kubernetes: replaced characters would make different
    /// values equal.
    ///
    /// # Errors
    /// The value carries Kubernetes' mark and breaks after it, or is encrypted; the sink got nothing.
    pub fn decode_any<'a, S: Sink>(
        &mut self,
        value: &'a [u8],
        options: impl Into<Options>,
        sink: &mut S,
    ) -> Result<Outcome<'a>, DecodeError> {
        if self.has_other_bytes(value) {
            return Ok(as_it_is(value, sink));
        }
        match self.decode(value, options, sink) {
            Err(error) if self.is_of_other_program(value, &error) => Ok(as_it_is(value, sink)),
            decoded => decoded,
        }
    }

    /// Whether a value that could not be decoded, which is what the decoder read last, is no object of Kubernetes: it
    /// begins like JSON or CBOR, and does not have apiVersion and kind before it breaks.
    #[must_use]
    pub fn is_of_other_program(&self, value: &[u8], error: &DecodeError) -> bool {
        matches!(error, DecodeError::Json(_) | DecodeError::Cbor(_)) && !self.has_mark(value)
    }

    /// Whether what was parsed last is an object with apiVersion and kind, as far as it was parsed.
    fn has_mark(&self, value: &[u8]) -> bool {
        let has = |key| self.work.tape.has_text(value, key);
        match Stored::detect(value) {
            // CBOR has the shorter key first, and apiVersion last: it may follow the damage.
            Stored::Cbor(_) => has("kind") && contains(value, b"apiVersion"),
            _ => has("kind") && has("apiVersion"),
        }
    }

    /// Whether a value is JSON, not UTF-8, and not an object of Kubernetes.
    fn has_other_bytes(&mut self, value: &[u8]) -> bool {
        let is_parsable = u32::try_from(value.len()).is_ok();
        let Stored::Json(bytes) = Stored::detect(value) else {
            return false;
        };
        if !is_parsable || std::str::from_utf8(bytes).is_ok() {
            return false;
        }
        // What was parsed counts, whole or not.
        let _ = json::parse(bytes, &mut self.work.tape);
        !self.has_mark(value)
    }
}

/// [`Decoder::decode_any`] of one value.
///
/// # Errors
/// The value carries Kubernetes' mark and breaks after it, or is encrypted; the sink got nothing.
pub fn decode_any<'a, S: Sink>(
    value: &'a [u8],
    options: impl Into<Options>,
    sink: &mut S,
) -> Result<Outcome<'a>, DecodeError> {
    Decoder::default().decode_any(value, options, sink)
}

/// Whether a value only begins like JSON or CBOR.
#[must_use]
pub fn is_only_begun(value: &[u8]) -> bool {
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
    !is_whole && !decoder.has_mark(value)
}

fn as_it_is<'a>(value: &'a [u8], sink: &mut impl Sink) -> Outcome<'a> {
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
    fn a_value_that_only_begins_like_json_is_its_text() {
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
            assert!(is_only_begun(text.as_bytes()), "{text}");
        }
        let deep = "[".repeat(10_000);
        assert_eq!(read(deep.as_bytes()).unwrap(), deep.as_str());
    }

    #[test]
    fn bytes_that_only_begin_like_json_or_cbor_are_bytes() {
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
    fn an_object_that_breaks_after_its_mark_is_damaged() {
        for value in [
            &b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{\"a\":"[..],
            b"{\"kind\":\"Pod\",\"metadata\":{\"a\":[1]},\"apiVersion\":\"v1\"",
            b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}x",
            b"\xd9\xd9\xf7\xa2\x44kind\x43Pod\x01\x4aapiVersion\x42v1",
            b"k8s\0\x0a\xff",
        ] {
            assert!(read(value).is_err(), "{}", value.escape_ascii());
            assert!(!is_only_begun(value), "{}", value.escape_ascii());
        }
        assert!(
            read(b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"a\":\"\xff\"}")
                .unwrap()
                .is_object()
        );
    }
}
