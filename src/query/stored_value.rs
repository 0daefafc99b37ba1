//! One stored value, from whatever printed it: what of the bytes is the value, and what it is.

use std::borrow::Cow;

use crate::k8s::decode::is_only_json_like;
use crate::k8s::encrypt::Keyring;
use crate::k8s::envelope::{PROTOBUF_MAGIC, Unknown};
use crate::k8s::meta::Meta;
use crate::k8s::{DecodeError, Stored};

use super::unreadable::{StoredAs, Unreadable};

pub use crate::etcd::KeyValue;

/// How many braces of a raft entry are tried as the start of JSON: each try may read all of it.
const TRIED_STARTS: usize = 64;

/// Whether the bytes are a database file.
pub fn is_database(bytes: &[u8]) -> bool {
    crate::bbolt::Meta::parse(bytes, 0).is_ok()
}

/// The bytes that hexadecimal digits mean; none if there is anything else.
pub fn hex_bytes(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let nibble = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let byte = |[high, low]: &[u8; 2]| Some(nibble(*high)? << 4 | nibble(*low)?);
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(byte).collect()
}

/// The value under its key, decrypted if that is necessary.
///
/// # Errors
/// If it is still encrypted.
pub fn decrypted<'v>(
    keyring: &Keyring,
    key: &[u8],
    value: &'v [u8],
) -> Result<Cow<'v, [u8]>, Unreadable> {
    keyring.decrypt(key, value).map_err(Unreadable::Encrypted)
}

/// The object that begins somewhere within a raft entry; `read` reads one that begins at the given bytes.
///
/// # Errors
/// Those of `read`; and if no object begins anywhere.
pub fn object_within<T, E: From<Unreadable>>(
    entry: &[u8],
    read: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<T, E> {
    let starts = [PROTOBUF_MAGIC, b"k8s:enc:", b"\xd9\xd9\xf7"];
    if let Some(at) = starts.iter().find_map(|start| position(entry, start)) {
        return read(entry.get(at..).unwrap_or_default());
    }
    let braces = entry.iter().enumerate().filter(|(_, byte)| **byte == b'{');
    braces
        .take(TRIED_STARTS)
        .filter_map(|(at, _)| read(entry.get(at..)?).ok())
        .next()
        .ok_or_else(|| Unreadable::NotAnObject.into())
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// The message within the envelope of a value that is stored as protobuf. None of an encrypted value: decoding it has
/// the reason.
///
/// # Errors
/// If it is stored as anything else, or the envelope is damaged.
pub fn protobuf_message(value: &[u8]) -> Result<Option<&[u8]>, Unreadable> {
    let other = |stored_as| Err(Unreadable::NotProtobuf(stored_as));
    match Stored::detect(value) {
        Stored::Protobuf(body) => {
            let unknown = Unknown::parse(body).map_err(DecodeError::Envelope)?;
            Ok(Some(unknown.raw.ok_or(DecodeError::NoObject)?))
        }
        Stored::Json(text) if is_only_json_like(text) => match std::str::from_utf8(text) {
            Ok(_) => other(StoredAs::Text),
            Err(_) => Err(Unreadable::NotAnObject),
        },
        Stored::Cbor(bytes) if is_only_json_like(bytes) => Err(Unreadable::NotAnObject),
        Stored::Json(_) => other(StoredAs::Json),
        Stored::Cbor(_) => other(StoredAs::Cbor),
        Stored::Text(_) => other(StoredAs::Text),
        Stored::Encrypted(_) => Ok(None),
        Stored::Empty | Stored::Binary(_) => Err(Unreadable::NotAnObject),
    }
}

/// apiVersion and kind; both are empty if JSON does not have them. None of a value that has no metadata.
pub fn type_meta(value: &[u8]) -> Option<(String, String)> {
    let meta = Meta::read(value)?;
    Some((meta.api_version.into_owned(), meta.kind.into_owned()))
}

/// Whether a value may be an object of Kubernetes by its first bytes.
pub fn begins_as_object(value: &[u8]) -> bool {
    match Stored::detect(value) {
        Stored::Protobuf(_) | Stored::Cbor(_) => true,
        Stored::Json(json) => json.trim_ascii_start().starts_with(b"{"),
        _ => false,
    }
}

/// An element of bucket `key` as a program printed it: its bytes, maybe with a newline at the end, or hexadecimal
/// digits, whose bytes are `hex`.
pub fn printed_item<'i>(input: &'i [u8], hex: &'i [u8]) -> Option<KeyValue<'i>> {
    let candidates = [input, input.strip_suffix(b"\n").unwrap_or(input), hex];
    candidates
        .into_iter()
        .filter_map(|bytes| KeyValue::parse(bytes).ok())
        .find(|item| !item.key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_bytes_and_anything_else_is_not() {
        assert_eq!(hex_bytes(b"00fFa1"), Some(vec![0, 0xff, 0xa1]));
        assert_eq!(hex_bytes(b""), Some(Vec::new()));
        for not_hex in ["0", "0g", "00 11"] {
            assert_eq!(hex_bytes(not_hex.as_bytes()), None, "{not_hex}");
        }
    }

    #[test]
    fn the_first_brace_that_begins_an_object_counts() {
        let read = |bytes: &[u8]| {
            let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
            value.ok_or(Unreadable::NotAnObject)
        };
        let entry = br#"x{{"a":1}"#;
        assert_eq!(object_within(entry, read), Ok(serde_json::json!({"a": 1})));
        assert_eq!(object_within(b"x{", read), Err(Unreadable::NotAnObject));
    }
}
