//! Bytes written as text: escapes with or without quotes, hexadecimal digits, base64.
//!
//! A text may be digits or base64 by chance: the caller looks whether what they mean is a value.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::go::unquote::unescape;

use super::form::Form;

/// Fewer bytes than these are no value.
const LEAST_BYTES: usize = 4;

/// The bytes that a text means. Each form has characters that those before it do not have; digits are no base64 of a
/// value, as the first characters of that are not all digits.
pub(super) fn read(text: &str) -> Option<(Form, Vec<u8>)> {
    let text = text.trim();
    let marked = text.strip_prefix("\\x").and_then(hex);
    let found = if let Some((quote, inside)) = quoted(text) {
        unescape(inside, Some(quote)).map(|bytes| (Form::Quoted, bytes))
    } else if let Some(bytes) = marked {
        Some((Form::Hex, bytes))
    } else if text.contains('\\') {
        unescape(text, None).map(|bytes| (Form::Escapes, bytes))
    } else {
        let hex = hex(text).map(|bytes| (Form::Hex, bytes));
        hex.or_else(|| base64(text).map(|bytes| (Form::Base64, bytes)))
    };
    found.filter(|(_, bytes)| bytes.len() >= LEAST_BYTES)
}

/// The inside of quotes, which may have the `b` of Python or Go's byte strings, or the `$` of a shell, before them.
fn quoted(text: &str) -> Option<(char, &str)> {
    let text = text
        .strip_prefix('b')
        .or_else(|| text.strip_prefix('$'))
        .unwrap_or(text);
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inside = text.strip_prefix(quote)?.strip_suffix(quote)?;
    Some((quote, inside))
}

/// The bytes of hexadecimal digits in pairs, which spaces, commas or colons may separate, each with `0x` before it or not;
/// or of the list in braces that `xxd -i` prints.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let list = text
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'));
    let text = list.map_or(text, |(list, _)| list);
    let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | ':');
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for digits in text.split(is_separator).filter(|word| !word.is_empty()) {
        let marked = digits
            .strip_prefix("0x")
            .or_else(|| digits.strip_prefix("0X"));
        let (pairs, rest) = marked.unwrap_or(digits).as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return None;
        }
        for [high, low] in pairs {
            bytes.push(nibble(*high)? << 4 | nibble(*low)?);
        }
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    let digit = char::from(digit).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// What people copy lacks its padding, or has bits that are not used.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The bytes of base64 in lines. Lines of one length continue each other; others are encoded each for itself, as `jq`
/// prints a key and its value: between their bytes is a newline then.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    let lines: Vec<&str> = text.split_whitespace().collect();
    let (last, others) = lines.split_last()?;
    let width = others.first().map_or(usize::MAX, |line| line.len());
    let is_wrapped = others
        .iter()
        .all(|line| line.len() == width && !line.ends_with('='))
        && last.len() <= width;
    if is_wrapped {
        return engine.decode(lines.concat()).ok();
    }
    let bytes: Result<Vec<_>, _> = lines.iter().map(|line| engine.decode(line)).collect();
    Some(bytes.ok()?.join(&b'\n'))
}
