//! Protobuf without a schema: fields by number, each as `{field, wire, string|base64|int}`, or
//! `message` where the bytes can only be one.
//!
//! The wire does not tell a text from a message. What holds no control character is a text; what
//! does and can be read as a message to its last byte is a message; the rest is a text of several
//! lines, or bytes.

use super::sink::{Order, Sink};
use crate::wire::{Content, Field, Reader};

/// How deep messages may be nested, guessed ones and those of the schema. Kubernetes' own stay below 20, except for
/// schemas in schemas.
pub const MAX_DEPTH: u16 = 256;

/// Field numbers of a guessed message stay below this; Kubernetes' own below 100.
const MAX_GUESSED_NUMBER: u32 = 4096;

/// Tells one field.
pub(super) fn field(field: &Field<'_>, order: Order, sink: &mut impl Sink, depth: u16) {
    sink.begin_map();
    // In sorted orders "base64" comes first, and all other names of a value between the two.
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

/// Tells all fields of a message as a list.
pub(super) fn fields(message: &[u8], order: Order, sink: &mut impl Sink, depth: u16) {
    sink.begin_list();
    let mut reader = Reader::new(message);
    while let Ok(Some(f)) = reader.field() {
        field(&f, order, sink, depth);
    }
    sink.end_list();
}

/// Can the bytes be read as fields to their end?
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Guess {
    Int,
    Text,
    Message,
    Base64,
}

fn guess(bytes: &[u8], depth: u16) -> Guess {
    let text = std::str::from_utf8(bytes).ok();
    if text.is_some_and(|t| !t.chars().any(char::is_control)) {
        return Guess::Text;
    }
    if depth < MAX_DEPTH && is_message(bytes) {
        return Guess::Message;
    }
    let lines = |t: &str| {
        !t.chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    };
    if text.is_some_and(lines) {
        Guess::Text
    } else {
        Guess::Base64
    }
}

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

    fn told(message: &[u8], order: Order) -> String {
        let mut sink = TreeSink::new();
        fields(message, order, &mut sink, 0);
        sink.into_value().to_string()
    }

    #[test]
    fn texts_messages_bytes_and_numbers_are_told_apart() {
        let message = b"\x0a\x02hi\x12\x03\x0a\x01x\x1a\x02\xff\xfe\x20\x07\x2a\x03a\nb";
        let want = r#"[{"field":1,"wire":2,"string":"hi"},{"field":2,"wire":2,"message":[{"field":1,"wire":2,"string":"x"}]},{"field":3,"wire":2,"base64":"//4="},{"field":4,"wire":0,"int":7},{"field":5,"wire":2,"string":"a\nb"}]"#;
        assert_eq!(told(message, Order::Declared), want);
        assert!(told(message, Order::Sorted).contains(r#"{"base64":"//4=","field":3,"wire":2}"#));
        assert!(told(message, Order::Natural).contains(r#"{"field":4,"int":7,"wire":0}"#));
    }

    #[test]
    fn deep_nesting_ends_in_bytes() {
        let mut message = b"\x08\x01".to_vec();
        for _ in 0..10_000 {
            let mut outer = Vec::new();
            crate::wire::put_bytes(&mut outer, 1, &message);
            message = outer;
        }
        let text = told(&message, Order::Declared);
        assert_eq!(text.matches("message").count(), usize::from(MAX_DEPTH));
        assert!(text.contains("base64"));
    }
}
