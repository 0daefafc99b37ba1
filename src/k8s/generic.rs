//! Protobuf without a schema: each field as `{field, wire, string|base64|int}`, or with `message` if its bytes can only
//! be a nested message.
//!
//! Protobuf has the same wire type for texts, bytes and messages, so the content decides. A text without control
//! characters is a text. Otherwise, bytes that parse completely as a message are a message. What remains is a text
//! with line breaks if it is UTF-8, else bytes in base64.

use super::sink::{Order, Sink};
use crate::wire::{Content, Field, Reader};

/// The depth to which messages may be nested, with or without a schema. Kubernetes' own types stay below 20, except
/// for OpenAPI schemas, which contain schemas.
pub const MAX_DEPTH: u16 = 256;

/// Bytes with a field number from here on are not read as a message. Kubernetes' own field numbers stay below 100.
const MAX_GUESSED_NUMBER: u32 = 4096;

/// Writes one field to the sink as a map.
pub(super) fn field(field: &Field<'_>, order: Order, sink: &mut impl Sink, depth: u16) {
    sink.begin_map();
    // The keys sort as base64, field, int|message|string, wire.
    let guess = match field.content {
        Content::Bytes(bytes) => guess(bytes, depth),
        _ => Guess::Int,
    };
    if guess == Guess::Base64 && order != Order::Declared {
        content(field.content, guess, order, sink, depth);
    }
    sink.key("field");
    sink.int(i64::from(field.number));
    if guess != Guess::Base64 && order != Order::Declared {
        content(field.content, guess, order, sink, depth);
    }
    sink.key("wire");
    sink.int(i64::from(field.content.wire_type()));
    if order == Order::Declared {
        content(field.content, guess, order, sink, depth);
    }
    sink.end_map();
}

/// Writes all fields of a message to the sink as a list.
pub(super) fn fields(message: &[u8], order: Order, sink: &mut impl Sink, depth: u16) {
    sink.begin_list();
    let mut reader = Reader::new(message);
    while let Ok(Some(f)) = reader.field() {
        field(&f, order, sink, depth);
    }
    sink.end_list();
}

/// Whether all the bytes parse as protobuf fields.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    loop {
        match reader.field() {
            Ok(None) => return true,
            Ok(Some(f)) if f.number < MAX_GUESSED_NUMBER => {}
            _ => return false,
        }
    }
}

/// What the content of a field is shown as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guess {
    Int,
    Text,
    Message,
    Base64,
}

/// Chooses how bytes are shown, by the rules at the top of this file.
fn guess(bytes: &[u8], depth: u16) -> Guess {
    let text = std::str::from_utf8(bytes).ok();
    if text.is_some_and(|t| !t.chars().any(char::is_control)) {
        return Guess::Text;
    }
    if depth < MAX_DEPTH && is_message(bytes) {
        return Guess::Message;
    }
    let is_text_with_lines = |t: &str| {
        !t.chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    };
    if text.is_some_and(is_text_with_lines) {
        Guess::Text
    } else {
        Guess::Base64
    }
}

/// Writes the key and value for the content of a field.
fn content(content: Content<'_>, guess: Guess, order: Order, sink: &mut impl Sink, depth: u16) {
    match content {
        Content::Varint(v) => {
            sink.key("int");
            sink.int(v.cast_signed());
        }
        Content::Fixed64(v) => {
            sink.key("int");
            match i64::try_from(v) {
                Ok(v) => sink.int(v),
                Err(_) => sink.uint(v),
            }
        }
        Content::Fixed32(v) => {
            sink.key("int");
            sink.int(i64::from(v));
        }
        Content::Bytes(bytes) => match (guess, std::str::from_utf8(bytes)) {
            (Guess::Text, Ok(text)) => {
                sink.key("string");
                sink.string(text);
            }
            (Guess::Message, _) => {
                sink.key("message");
                fields(bytes, order, sink, depth.saturating_add(1));
            }
            _ => {
                sink.key("base64");
                sink.base64(bytes);
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::TreeSink;

    fn decoded(message: &[u8], order: Order) -> String {
        let mut sink = TreeSink::new();
        fields(message, order, &mut sink, 0);
        sink.into_value().to_string()
    }

    #[test]
    fn texts_messages_bytes_and_numbers_are_distinguished() {
        let message = b"\x0a\x02hi\x12\x03\x0a\x01x\x1a\x02\xff\xfe\x20\x07\x2a\x03a\nb";
        let want = r#"[{"field":1,"wire":2,"string":"hi"},{"field":2,"wire":2,"message":[{"field":1,"wire":2,"string":"x"}]},{"field":3,"wire":2,"base64":"//4="},{"field":4,"wire":0,"int":7},{"field":5,"wire":2,"string":"a\nb"}]"#;
        assert_eq!(decoded(message, Order::Declared), want);
        assert!(
            decoded(message, Order::Sorted).contains(r#"{"base64":"//4=","field":3,"wire":2}"#)
        );
        assert!(decoded(message, Order::Natural).contains(r#"{"field":4,"int":7,"wire":0}"#));
    }

    #[test]
    fn nesting_beyond_the_limit_is_shown_as_bytes() {
        let mut message = b"\x08\x01".to_vec();
        for _ in 0..10_000 {
            let mut outer = Vec::new();
            crate::wire::put_bytes(&mut outer, 1, &message);
            message = outer;
        }
        let text = decoded(&message, Order::Declared);
        assert_eq!(text.matches("message").count(), usize::from(MAX_DEPTH));
        assert!(text.contains("base64"));
    }
}
