//! What a stored value must hold, as bytes, if a pattern is to match in its object.
//!
//! It is a condition that is necessary, never one that suffices, and it is derived like this. Every literal part
//! of the pattern is cut into words of letters, digits, `_`, `-` and what is not ASCII. A word of a match lies
//! within one name or one value of the object. There it is also a piece of the stored bytes, unless
//! - it is a piece of a name that is not stored: of a field of the schema, or of the decoder's own;
//! - it is a piece of a value that is not stored as it is printed: of a number, a time, a duration, `true`;
//! - JSON writes it with `\u`, CBOR in parts, or the bytes are base64 in the JSON of a Secret or ConfigMap;
//! - it is a piece of base64 of bytes: that is searched only for a literal, of which some whole groups of four
//!   characters tell three bytes each, in one of four ways.
//!
//! Words of the first two sorts are not used, values of the third are always looked at, and the four ways are
//! alternatives.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::bytes::Regex;
use regex_syntax::hir::{Hir, HirKind};

use super::super::decode::{MALFORMED, UNKNOWN_FIELDS};
use super::super::envelope::Stored;
use super::super::schema;
use super::expression::{base64_literal, compiled};

/// Names which the decoders give by themselves.
const OWN_NAMES: [&str; 11] = [
    "apiVersion",
    "kind",
    "metadata",
    "field",
    "wire",
    "int",
    "string",
    "message",
    "base64",
    MALFORMED,
    UNKNOWN_FIELDS,
];

/// Values of no writer's own words.
const OWN_VALUES: [&str; 6] = ["true", "false", "null", "nan", "infinity", "inf"];

/// Whatever the pattern, these are looked at: a `\u` of JSON, the start of CBOR.
static ALWAYS: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(r"(?-u)\\u|\xd9\xd9\xf7").ok());

/// What tells the JSON of a Secret or a ConfigMap, whose bytes are base64 there.
static BASE64_IN_JSON: LazyLock<Option<Regex>> =
    LazyLock::new(|| compiled(r#""Secret"|"binaryData""#).ok());

/// Alternatives of words, all of which a value must hold.
#[derive(Debug)]
pub(super) struct Filter(Vec<Vec<Regex>>);

impl Filter {
    /// The filter of a pattern; none where nothing can be said.
    pub(super) fn new(alternatives: &[Hir], ignore_case: bool) -> Option<Self> {
        let mut of_pattern = Vec::new();
        let mut rest: Vec<&Hir> = alternatives.iter().collect();
        while let Some(hir) = rest.pop() {
            match hir.kind() {
                HirKind::Alternation(inner) => rest.extend(inner),
                HirKind::Capture(capture) => rest.push(&capture.sub),
                _ => {
                    let words = words_of(hir, ignore_case);
                    if words.is_empty() {
                        return None;
                    }
                    of_pattern.push(words);
                }
            }
        }
        if let Some(literal) = base64_literal(alternatives).filter(|_| !ignore_case) {
            for way in 0..4_usize {
                of_pattern.push(vec![bytes_behind(literal, way)?]);
            }
        }
        Some(Self(of_pattern))
    }

    pub(super) fn may_match(&self, stored: &[u8]) -> bool {
        let is_in = |regex: &Regex| regex.is_match(stored);
        let says = |regex: &LazyLock<Option<Regex>>| regex.as_ref().is_none_or(is_in);
        self.0.iter().any(|words| words.iter().all(is_in))
            || match Stored::detect(stored) {
                Stored::Cbor(_) | Stored::Encrypted(_) => true,
                // Protobuf may have JSON in it.
                Stored::Json(_) | Stored::Protobuf(_) => says(&ALWAYS) || says(&BASE64_IN_JSON),
                Stored::Empty | Stored::Text(_) | Stored::Binary(_) => false,
            }
    }
}

/// The bytes that a literal within base64 tells for sure when `way` of its characters end a group.
fn bytes_behind(literal: &str, way: usize) -> Option<Regex> {
    let groups = literal.trim_end_matches('=').get(way..)?;
    let whole = groups.len().saturating_sub(groups.len() % 4);
    let bytes = STANDARD_NO_PAD.decode(groups.get(..whole)?).ok()?;
    let hex: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    compiled(&format!("(?-u){hex}")).ok()
}

/// The words that every match holds, and that are stored as they are searched.
fn words_of(hir: &Hir, ignore_case: bool) -> Vec<Regex> {
    let mut words = Vec::new();
    let mut rest = vec![hir];
    while let Some(hir) = rest.pop() {
        match hir.kind() {
            HirKind::Literal(literal) => {
                if let Ok(text) = std::str::from_utf8(&literal.0) {
                    words.extend(text.split(|c| !is_of_word(c)).map(str::to_owned));
                }
            }
            HirKind::Concat(parts) => rest.extend(parts),
            HirKind::Capture(capture) => rest.push(&capture.sub),
            HirKind::Repetition(repeated) if repeated.min > 0 => rest.push(&repeated.sub),
            _ => {}
        }
    }
    // The longest is in the fewest values.
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words
        .iter()
        .filter_map(|word| stored_word(word, ignore_case))
        .collect()
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || (!c.is_ascii() && c != '\u{fffd}')
}

/// How a word is looked for in stored bytes, if it is stored wherever it is searched.
fn stored_word(word: &str, ignore_case: bool) -> Option<Regex> {
    let is_of_number = |c: char| {
        c.is_ascii_digit() || matches!(c.to_ascii_lowercase(), '-' | 'e' | 't' | 'z' | 'h' | 'm' | 's' | 'u' | 'n')
            // The two micro signs of a duration.
            || matches!(c, '\u{b5}' | '\u{3bc}' | '\u{39c}')
    };
    let lower = word.to_lowercase();
    let is_own_value = OWN_VALUES.iter().any(|value| value.contains(&lower));
    if word.is_empty() || word.chars().all(is_of_number) || is_own_value {
        return None;
    }
    let case = if ignore_case { "(?i)" } else { "" };
    let regex = compiled(&format!("{case}{}", regex::escape(word))).ok()?;
    let is_in_name = schema_names().any(|name| regex.is_match(name.as_bytes()));
    (!is_in_name).then_some(regex)
}

/// All names that a field can have without being stored.
fn schema_names() -> impl Iterator<Item = &'static str> {
    let messages = (0..=u16::MAX).map_while(schema::message);
    let of_messages = messages.flat_map(|message| message.slots().iter().map(schema::Slot::name));
    of_messages.chain(OWN_NAMES)
}
