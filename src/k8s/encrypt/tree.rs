//! Parses YAML into a tree whose size is limited.
//!
//! An alias (`*a`) stands for everything that its anchor contains, so a few kilobytes of aliases can expand to more values
//! than fit in memory. The parser limits only their nesting.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The maximal nesting of brackets. The parser has the same limit but checks it too late. A configuration has six levels.
const DEEPEST_BRACKETS: usize = 128;

/// The maximal work for brackets: for each token of the text, the number of brackets opened before it. This limit takes a
/// quarter of a second. Three thousand keys in brackets take half of it.
const MOST_BRACKET_WORK: usize = 1 << 26;

/// The maximal number of directives (`%TAG`). A configuration has none.
const MOST_DIRECTIVES: usize = 16;

/// Whether the parser's time for a text is acceptable.
///
/// For each token the parser visits all open lists and maps in brackets, and for each directive all directives before it,
/// so its time may grow with the square of the text's length. This estimate cannot see quotes: a `]` may be within a text
/// and close nothing. Therefore the work counts all brackets that were opened, even if they seem to be closed.
pub(super) fn is_affordable(text: &[u8]) -> bool {
    let (mut depth, mut opened, mut work) = (0_usize, 0_usize, 0_usize);
    let mut before = b' ';
    for byte in text {
        match byte {
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                opened = opened.saturating_add(1);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let begins_word = !byte.is_ascii_whitespace() && before.is_ascii_whitespace();
        if byte.is_ascii_punctuation() || begins_word || before.is_ascii_punctuation() {
            work = work.saturating_add(opened);
        }
        if depth > DEEPEST_BRACKETS || work > MOST_BRACKET_WORK {
            return false;
        }
        before = *byte;
    }
    let directives = text.windows(4).filter(|part| part == b"%TAG");
    directives.count() <= MOST_DIRECTIVES
}

/// The memory that the trees of one text may take. A configuration with thousands of keys takes a hundredth of it.
const MOST_BYTES: usize = 16 << 20;

/// The approximate memory of a value, without its text.
const VALUE_BYTES: usize = 64;

/// The memory that the trees of one text may still take, in bytes.
#[derive(Debug)]
pub(super) struct TreeAllowance(Cell<usize>);

impl Default for TreeAllowance {
    fn default() -> Self {
        Self(Cell::new(MOST_BYTES))
    }
}

impl TreeAllowance {
    /// Parses one document.
    ///
    /// # Errors
    /// Errors of the parser, or the tree is too large.
    pub(super) fn read<'de, D: Deserializer<'de>>(&self, document: D) -> Result<Value, D::Error> {
        Tree(self).deserialize(document)
    }

    /// Takes the memory of a value with a text of this length.
    fn take<E: Error>(&self, text_bytes: usize) -> Result<(), E> {
        let wanted = text_bytes.saturating_add(VALUE_BYTES);
        let left = self.0.get().checked_sub(wanted);
        self.0
            .set(left.ok_or_else(|| E::custom("the aliases expand to too many values"))?);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Tree<'a>(&'a TreeAllowance);

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.0.take(value.len())?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.0.take(value.len())?;
        Ok(Value::String(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.0.take(0)?;
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        self.deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.0.take(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.0.take(0)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.0.take(key.len())?;
            let value = entries.next_value_seed(self)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
