//! A text of YAML as a tree, as large as the text explains and no larger.
//!
//! An alias (`*a`) stands for all that its anchor holds: a few kilobytes of them can mean more values
//! than any memory has, and the parser bounds only how deep they go.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The deepest that brackets may be nested: the parser's own limit, which it looks at too late. A
/// configuration has six levels.
const DEEPEST_BRACKETS: usize = 128;

/// The most work that brackets may make, in tokens of the text times brackets opened before them: a quarter
/// of a second. Three thousand keys in brackets take half of it.
const MOST_BRACKET_WORK: usize = 1 << 26;

/// The most directives (`%TAG`). A configuration has none.
const MOST_DIRECTIVES: usize = 16;

/// Whether the parser reads a text in time that follows its length.
///
/// For each token the parser goes through all lists and maps in brackets that are open, and for each
/// directive through those before it. A bracket in quotes looks like any other here, so brackets that are closed
/// do not count for the work.
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

/// What a tree may take: a configuration of thousands of keys takes a hundredth of it.
const MOST_BYTES: usize = 16 << 20;

/// What a value takes beside its text, about.
const VALUE_BYTES: usize = 64;

/// How much the trees of one text may still take, in bytes.
#[derive(Debug)]
pub(super) struct Allowance(Cell<usize>);

impl Default for Allowance {
    fn default() -> Self {
        Self(Cell::new(MOST_BYTES))
    }
}

impl Allowance {
    /// Reads one document.
    ///
    /// # Errors
    /// The parser's; and where the tree would be too large.
    pub(super) fn read<'de, D: Deserializer<'de>>(&self, document: D) -> Result<Value, D::Error> {
        Tree(self).deserialize(document)
    }

    fn take<E: Error>(&self, text_bytes: usize) -> Result<(), E> {
        let wanted = text_bytes.saturating_add(VALUE_BYTES);
        let left = self.0.get().checked_sub(wanted);
        self.0
            .set(left.ok_or_else(|| E::custom("the aliases stand for too much"))?);
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Tree<'a>(&'a Allowance);

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
