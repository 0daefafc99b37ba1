//! Manifests: an object as YAML that loads back to the object.
//!
//! A manifest is kept only after an independent reader (libyaml, by `serde_norway`) has read it: one document, equal to
//! the object. If the usual text fails, a text with every key and string in double quotes and in ASCII is tried. If that
//! fails too there is no manifest, and the caller reports it.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::json::write_value;
use super::yaml::{Held, Quoting, YamlWriter, comment};
use crate::k8s::{Order, Sink as _};

/// No text for the object loads back to it: it is nested deeper than the reader follows (128 levels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no YAML for it loads back to the same object (nested too deeply?)")]
pub struct NotLoadable;

/// The manifest of an object: comments, one line each, then the object for any reader of YAML.
///
/// # Errors
/// No text loads back to the object.
pub fn manifest(comments: &[String], object: &Value) -> Result<Vec<u8>, NotLoadable> {
    for quoting in [Quoting::Portable, Quoting::Everything] {
        let mut text = Vec::new();
        for line in comments {
            text.extend_from_slice(comment(line).as_bytes());
            text.push(b'\n');
        }
        let mut writer = YamlWriter::with_quoting(text, quoting);
        write_value(object, Order::Natural, &mut writer);
        let text = writer.finish().unwrap_or_default();
        if loads_to(&text, object) {
            return Ok(text);
        }
    }
    Err(NotLoadable)
}

/// The text if it needs no comments and loads back to the object, or else a manifest that does.
///
/// # Errors
/// No text loads back to the object.
pub fn loadable(
    text: Vec<u8>,
    comments: &[String],
    object: &Value,
) -> Result<Vec<u8>, NotLoadable> {
    if comments.is_empty() && loads_to(&text, object) {
        Ok(text)
    } else {
        manifest(comments, object)
    }
}

/// Whether an object was written, and the comments that have to be before it, one line each.
#[derive(Debug, Default)]
pub struct WrittenObject {
    /// Whether an object was written.
    pub any: bool,
    /// The comments.
    pub comments: Vec<String>,
}

/// Writes an object into a stream of YAML as kubectl would. An object that has anything unusual is read back first.
///
/// `write` writes the object. It is called a second time if the object has comments, because they are known only after
/// the first time and have to be before the object. `object` returns the same object as a tree.
///
/// # Errors
/// No text loads back to the object; nothing was written.
pub fn write_checked<W: std::io::Write>(
    writer: &mut YamlWriter<W>,
    mut write: impl FnMut(&mut YamlWriter<W>) -> WrittenObject,
    object: impl FnOnce() -> Option<Value>,
) -> Result<bool, NotLoadable> {
    let held = writer.hold();
    let WrittenObject { any, comments } = write(writer);
    if any && !comments.is_empty() {
        writer.take_back(&held, Quoting::Kubectl);
        write_comments(writer, &comments);
        write(writer);
    }
    let mut written = Ok(any);
    if any && writer.is_unusual() {
        let make = |object: Value| make_loadable(writer, &held, &comments, &object);
        let is_written = object().is_some_and(make);
        if !is_written {
            writer.take_back(&held, Quoting::Kubectl);
            written = Err(NotLoadable);
        }
    }
    writer.release(Quoting::Kubectl);
    written
}

fn write_comments<W: std::io::Write>(writer: &mut YamlWriter<W>, comments: &[String]) {
    for line in comments {
        writer.comment(line);
    }
}

/// Reads the held text back. If it does not load back to the object, the object is written again with all texts in
/// quotes. Returns whether one of the two texts loads back.
fn make_loadable<W: std::io::Write>(
    writer: &mut YamlWriter<W>,
    held: &Held,
    comments: &[String],
    object: &Value,
) -> bool {
    let loads = |text: &[u8]| {
        if held.is_item() {
            loads_to(&without_dash(text), object)
        } else {
            loads_to(text, object)
        }
    };
    if loads(writer.held()) {
        return true;
    }
    writer.take_back(held, Quoting::Everything);
    write_comments(writer, comments);
    write_value(object, Order::Natural, writer);
    loads(writer.held())
}

/// The text of a list's item as a separate document: the first dash becomes a space, so that the columns stay.
fn without_dash(text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    let mut line_start = 0_usize;
    for line in text.split(|byte| *byte == b'\n') {
        let content = line.trim_ascii_start();
        if content.is_empty() || content.starts_with(b"#") {
            line_start = line_start.saturating_add(line.len()).saturating_add(1);
            continue;
        }
        let indent = line.len().saturating_sub(content.len());
        line_start = line_start.saturating_add(indent);
        break;
    }
    if let Some(dash @ b'-') = text.get_mut(line_start) {
        *dash = b' ';
    }
    text
}

/// Is this text one YAML document, and does it load to this value?
pub fn loads_to(text: &[u8], value: &Value) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let mut documents = serde_norway::Deserializer::from_str(text);
    let first = documents.next();
    first.is_some_and(|document| Expected(value).deserialize(document).is_ok())
        && documents.next().is_none()
        // kubectl finds its documents by these lines, wherever they are.
        && !text.contains("\n---")
        && !text.contains("\n...")
}

/// What a document must hold. It is compared while it is read, without a tree.
#[derive(Debug, Clone, Copy)]
struct Expected<'v>(&'v Value);

impl Expected<'_> {
    fn if_equal<E: Error>(is_equal: bool) -> Result<(), E> {
        if is_equal {
            Ok(())
        } else {
            Err(E::custom("another value"))
        }
    }

    fn number<E: Error>(self, read: &Number) -> Result<(), E> {
        let is_equal = |number: &Number| {
            // `1e+20` and 100000000000000000000 are the same number.
            let has_float = number.is_f64() || read.is_f64();
            number == read || (has_float && number.as_f64() == read.as_f64())
        };
        Self::if_equal(self.0.as_number().is_some_and(is_equal))
    }
}

impl<'de> DeserializeSeed<'de> for Expected<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Expected<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Self::if_equal(self.0.is_null())
    }

    fn visit_bool<E: Error>(self, read: bool) -> Result<(), E> {
        Self::if_equal(self.0.as_bool() == Some(read))
    }

    fn visit_i64<E: Error>(self, read: i64) -> Result<(), E> {
        self.number(&read.into())
    }

    fn visit_u64<E: Error>(self, read: u64) -> Result<(), E> {
        self.number(&read.into())
    }

    fn visit_f64<E: Error>(self, read: f64) -> Result<(), E> {
        match Number::from_f64(read) {
            Some(read) => self.number(&read),
            None => Self::if_equal(false),
        }
    }

    fn visit_str<E: Error>(self, read: &str) -> Result<(), E> {
        Self::if_equal(self.0.as_str() == Some(read))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Value::Array(expected) = self.0 else {
            return Self::if_equal(false);
        };
        for item in expected {
            Self::if_equal(items.next_element_seed(Self(item))?.is_some())?;
        }
        Self::if_equal(items.next_element::<serde::de::IgnoredAny>()?.is_none())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Value::Object(expected) = self.0 else {
            return Self::if_equal(false);
        };
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            let Some((key, value)) = expected.get_key_value(&key) else {
                return Self::if_equal(false);
            };
            Self::if_equal(seen.insert(key))?;
            entries.next_value_seed(Self(value))?;
        }
        Self::if_equal(seen.len() == expected.len())
    }
}

/// A key, which must be a text.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: serde::Deserializer<'de>>(self, key: D) -> Result<String, D::Error> {
        key.deserialize_any(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        Ok(key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_loads_to_its_value_and_to_no_other() {
        let value = json!({"a": [1, -1, 1.5, null, true, "x"], "b": {}, "c": []});
        let text = "a: [1, -1, 1.5, null, true, x]\nb: {}\nc: []\n";
        assert!(loads_to(text.as_bytes(), &value));
        let others = [
            "",
            "a: [1, -1, 1.5, null, true, x]\nb: {}\n",
            "a: [1, -1, 1.5, null, true, x]\nb: {}\nc: []\nd: 1\n",
            "a: [1, -1, 1.5, null, true, x]\nb: {}\nc: {}\n",
            "a: [1, -1, 1.5, null, true]\nb: {}\nc: []\n",
            "a: [1, -1, 1.5, null, true, x, x]\nb: {}\nc: []\n",
            "a: ['1', -1, 1.5, null, true, x]\nb: {}\nc: []\n",
            "a: [1, -1, 1.5, null, 'true', x]\nb: {}\nc: []\n",
            "a: [1, -1, 1.5, '', true, x]\nb: {}\nc: []\n",
            "a: [1, -1, 1.5, null, true, x]\nb: {}\nb: {}\nc: []\n",
            "a: [1, -1, 1.5, null, true, x]\nb: {}\nc: []\n---\n",
            "a: [1, -1, 1.5, null, true, x]\nb: {}\nc: []\n---\na: 1\n",
            "a: [1, -1, 1.5, null, true, x]\nb: {}\nc: []\n...\n",
            "a: !!str [1, -1, 1.5, null, true, x]\nb: {}\nc: []\n- x",
        ];
        for other in others {
            assert!(!loads_to(other.as_bytes(), &value), "{other}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let numbers = [
            (json!(1e20), "1e+20"),
            (json!(-0.0), "0"),
            (json!(1e6), "1000000"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(i64::MIN), "-9223372036854775808"),
        ];
        for (number, text) in numbers {
            assert!(loads_to(text.as_bytes(), &number), "{text}");
        }
        assert!(!loads_to(b"18446744073709551615", &json!(u64::MAX - 1)));
        assert!(!loads_to(
            b"9007199254740993",
            &json!(9_007_199_254_740_992_u64)
        ));
        assert!(!loads_to(b"1.5", &json!("1.5")));
    }

    #[test]
    fn a_manifest_has_its_comments_and_one_object() {
        let object = json!({"kind": "ConfigMap", "<<": {"=": "\u{2028}---\nkind: Secret"}});
        let comments = ["bound to a\u{2028}---\nkind: Secret".to_owned()];
        let text = manifest(&comments, &object).unwrap();
        assert!(loads_to(&text, &object));
        let text = String::from_utf8(text).unwrap();
        let first = text.lines().next().unwrap();
        assert_eq!(first, r"# bound to a\u{2028}---\u{a}kind: Secret");
        assert!(text.is_ascii(), "{text}");
    }

    #[test]
    fn what_the_reader_does_not_follow_is_no_manifest() {
        let nested = |levels: usize| {
            let nest = |inner: Value| json!({ "a": inner });
            (1..levels).fold(json!({}), |inner, _| nest(inner))
        };
        assert!(manifest(&[], &nested(128)).is_ok());
        assert_eq!(manifest(&[], &nested(129)), Err(NotLoadable));
    }

    /// Writes an object without comments.
    fn without_comments<W: std::io::Write>(
        write: impl Fn(&mut YamlWriter<W>),
    ) -> impl FnMut(&mut YamlWriter<W>) -> WrittenObject {
        move |writer| {
            write(writer);
            WrittenObject {
                any: true,
                comments: Vec::new(),
            }
        }
    }

    fn checked(object: &Value, write: impl Fn(&mut YamlWriter<Vec<u8>>)) -> (bool, String) {
        let mut writer = YamlWriter::new(Vec::new());
        let written = write_checked(&mut writer, without_comments(write), || {
            Some(object.clone())
        });
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        (written.is_ok(), text)
    }

    #[test]
    fn in_a_stream_a_text_that_does_not_load_back_is_quoted_or_left_out() {
        let object = json!({"a": "\u{85}", "b": "c"});
        // A writer with a fault: it writes another value.
        let wrong = |writer: &mut YamlWriter<Vec<u8>>| {
            writer.begin_map();
            writer.key("a");
            writer.string("\u{86}");
            writer.end_map();
        };
        let (written, text) = checked(&object, wrong);
        assert!(written);
        assert_eq!(text, "\"a\": \"\\N\"\n\"b\": \"c\"\n");
        let deep = (0..130).fold(json!({}), |inner, _| json!({ "a": inner }));
        let write = |writer: &mut YamlWriter<Vec<u8>>| {
            write_value(&deep, Order::Natural, writer);
        };
        assert_eq!(checked(&deep, write), (false, String::new()));
    }

    #[test]
    fn an_item_of_a_list_is_read_back_by_itself() {
        // As deep as the reader follows: with the list around it would be one level more.
        let object = (1..128).fold(json!({}), |inner, _| json!({ "a": inner }));
        let mut writer = YamlWriter::new(Vec::new());
        writer.begin_list();
        for _ in 0..2 {
            writer.comment("- next");
            let write = |writer: &mut YamlWriter<_>| {
                write_value(&object, Order::Natural, writer);
            };
            let written = write_checked(&mut writer, without_comments(write), || {
                Some(object.clone())
            });
            assert_eq!(written, Ok(true));
        }
        writer.end_list();
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        assert_eq!(text.matches("\n- a:\n    a:\n").count(), 2, "{text}");
    }

    #[test]
    fn in_a_stream_usual_text_is_kubectls() {
        let object = json!({"a": "1e999", "b": "\u{1f600}\t", "c": "\u{7f}", "d": "a\nb"});
        let write = |writer: &mut YamlWriter<Vec<u8>>| {
            write_value(&object, Order::Natural, writer);
        };
        let usual = "a: 1e999\nb: \"\\U0001F600\\t\"\nc: \"\\x7F\"\nd: |-\n  a\n  b\n";
        assert_eq!(checked(&object, write), (true, usual.to_owned()));
    }
}
