//! A fast test on stored bytes that excludes values in which a pattern cannot match, without decoding them.
//!
//! The test is necessary but not sufficient. It is derived from the pattern: each literal part is split into words of
//! letters, digits, `_`, `-` and characters beyond ASCII. A word of a match lies within one name or one value of the
//! object, and so it is also in the stored bytes. Example: for `image: nginx` the words are `image` and `nginx`. `image`
//! is a field name of the schema and not in the stored bytes of protobuf, so only `nginx` is tested.
//!
//! There are exceptions, in which the word is not in the stored bytes:
//! 1. It is a part of a name that is not stored: a field name of the schema, or a name that the decoder adds.
//! 2. It is a part of a value that is not stored as it is printed: a number, a time, a duration, `true`.
//! 3. JSON has it with a `\u` escape, CBOR has it in chunks, or it is in the base64 of a Secret or ConfigMap in JSON.
//! 4. It is a part of the base64 of bytes. That is searched only for a literal pattern. The literal may start at any of
//!    the four positions of a base64 group; its complete groups of four characters give three stored bytes each.
//!
//! Words of the cases 1 and 2 are not used. Values of case 3 are always decoded. For case 4, the four start positions are
//! further alternatives.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memmem::Finder;
use regex::bytes::Regex;
use regex_syntax::hir::{Hir, HirKind};

use super::super::decode::{MALFORMED, UNKNOWN_FIELDS};
use super::super::envelope::Stored;
use super::super::schema;
use super::expression::{base64_literal, compiled};

/// Names that the decoders add.
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

/// Values that are printed as words but stored in another form.
const OWN_VALUES: [&str; 6] = ["true", "false", "null", "nan", "infinity", "inf"];

/// Values with one of these texts are always decoded: a `\u` escape in JSON, CBOR, or what is in the JSON of a Secret or
/// ConfigMap, which may contain base64.
static ALWAYS_DECODED: LazyLock<[Finder<'static>; 4]> = LazyLock::new(|| {
    let texts: [&[u8]; 4] = [br"\u", b"\xd9\xd9\xf7", br#""Secret""#, br#""binaryData""#];
    // One expression for all of them would stop at each quotation mark, and most values have many.
    texts.map(Finder::new)
});

/// The alternatives: a value must have all words of at least one of them.
#[derive(Debug)]
pub(super) struct Filter(Vec<Vec<Regex>>);

impl Filter {
    /// The filter for a pattern; None if it cannot exclude any value.
    pub(super) fn new(alternatives: &[Hir], ignore_case: bool) -> Option<Self> {
        let mut alternatives_words = Vec::new();
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
                    alternatives_words.push(words);
                }
            }
        }
        if let Some(literal) = base64_literal(alternatives).filter(|_| !ignore_case) {
            for start in 0..4_usize {
                alternatives_words.push(vec![decoded_bytes(literal, start)?]);
            }
        }
        Some(Self(alternatives_words))
    }

    /// Whether a value may contain a match.
    pub(super) fn may_match(&self, stored: &[u8]) -> bool {
        let is_in = |regex: &Regex| regex.is_match(stored);
        self.0.iter().any(|words| words.iter().all(is_in))
            || match Stored::detect(stored) {
                Stored::Cbor(_) | Stored::Encrypted(_) => true,
                // A protobuf value may contain JSON.
                Stored::Json(_) | Stored::Protobuf(_) => {
                    let mut texts = ALWAYS_DECODED.iter();
                    texts.any(|text| text.find(stored).is_some())
                }
                Stored::Empty | Stored::Text(_) | Stored::Binary(_) => false,
            }
    }
}

/// The bytes that a literal within base64 certainly stands for, if its first complete group starts at `start`.
fn decoded_bytes(literal: &str, start: usize) -> Option<Regex> {
    let groups = literal.trim_end_matches('=').get(start..)?;
    let whole = groups.len().saturating_sub(groups.len() % 4);
    let bytes = STANDARD_NO_PAD.decode(groups.get(..whole)?).ok()?;
    let hex: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    compiled(&format!("(?-u){hex}")).ok()
}

/// The words that every match contains, and that are stored as they are searched.
fn words_of(hir: &Hir, ignore_case: bool) -> Vec<Regex> {
    let mut words = Vec::new();
    let mut rest = vec![hir];
    while let Some(hir) = rest.pop() {
        match hir.kind() {
            HirKind::Literal(literal) => {
                if let Ok(text) = std::str::from_utf8(&literal.0) {
                    words.extend(text.split(|c| !is_word_char(c)).map(str::to_owned));
                }
            }
            HirKind::Concat(parts) => rest.extend(parts),
            HirKind::Capture(capture) => rest.push(&capture.sub),
            HirKind::Repetition(repeated) if repeated.min > 0 => rest.push(&repeated.sub),
            _ => {}
        }
    }
    // The longest word first: it is in the fewest values.
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words
        .iter()
        .filter_map(|word| stored_word(word, ignore_case))
        .collect()
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-') || (!c.is_ascii() && c != '\u{fffd}')
}

/// The regular expression for a word in stored bytes; None for the words of cases 1 and 2.
fn stored_word(word: &str, ignore_case: bool) -> Option<Regex> {
    let may_be_in_number = |c: char| {
        c.is_ascii_digit() || matches!(c.to_ascii_lowercase(), '-' | 'e' | 't' | 'z' | 'h' | 'm' | 's' | 'u' | 'n')
            // The two micro signs that a duration may have.
            || matches!(c, '\u{b5}' | '\u{3bc}' | '\u{39c}')
    };
    let lower = word.to_lowercase();
    let is_own_value = OWN_VALUES.iter().any(|value| value.contains(&lower));
    if word.is_empty() || word.chars().all(may_be_in_number) || is_own_value {
        return None;
    }
    let case = if ignore_case { "(?i)" } else { "" };
    let regex = compiled(&format!("{case}{}", regex::escape(word))).ok()?;
    let is_in_name = schema_names().any(|name| regex.is_match(name.as_bytes()));
    (!is_in_name).then_some(regex)
}

/// All names that a decoded value can have although they are not stored.
fn schema_names() -> impl Iterator<Item = &'static str> {
    let messages = (0..=u16::MAX).map_while(schema::message);
    let names = messages.flat_map(|message| message.slots().iter().map(schema::Slot::name));
    names.chain(OWN_NAMES)
}
