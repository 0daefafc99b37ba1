//! A [`Sink`] that builds a [`serde_json::Value`], for code that needs a whole object in memory.

use base64::Engine as _;
use serde_json::{Map, Number, Value};

use super::sink::Sink;
use super::spare::{self, Spare};

/// Builds a tree. The keys of a map keep the order in which they were passed.
///
/// The elements of open maps and lists are collected on two stacks. When a container ends, its size is known, and it is
/// allocated once.
#[derive(Debug, Default)]
pub struct TreeSink {
    stacks: Stacks,
    done: Option<Value>,
    /// The key of the values that are left out, if there is one.
    left_out: Option<&'static str>,
    dropped: Dropped,
}

/// The stacks of a sink.
#[derive(Debug, Default)]
struct Stacks {
    open: Vec<Open>,
    /// The elements of all open maps.
    entries: Vec<(String, Value)>,
    /// The elements of all open lists.
    items: Vec<Value>,
}

thread_local! {
    /// The stacks of sinks that have ended on this thread, empty, so that they do not grow again for the next value.
    static SPARE: Spare<Stacks> = const { Spare::new() };
}

/// Larger stacks are not kept.
const MOST_SPARE_ELEMENTS: usize = 1 << 12;

impl Stacks {
    /// Keeps the stacks for the next sink of this thread.
    fn keep(mut self) {
        self.open.clear();
        self.entries.clear();
        self.items.clear();
        let elements = self.entries.capacity().max(self.items.capacity());
        if elements <= MOST_SPARE_ELEMENTS {
            spare::keep(&SPARE, self);
        }
    }
}

/// Whether a value is dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Dropped {
    /// None is.
    #[default]
    None,
    /// The next one is.
    Next,
    /// The one that has begun is. This many of its containers are open.
    Open(usize),
}

/// A container that has not ended.
#[derive(Debug)]
enum Open {
    /// A map: the index of its first entry, and the key whose value comes next.
    Map(usize, String),
    /// A list: the index of its first item.
    List(usize),
}

impl TreeSink {
    /// An empty sink.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stacks: spare::take(&SPARE),
            ..Self::default()
        }
    }

    /// An empty sink that replaces the value of each such key by `null`.
    #[must_use]
    pub fn without(key: &'static str) -> Self {
        Self {
            left_out: Some(key),
            ..Self::new()
        }
    }

    /// The value, or `null` if none was completed.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.stacks.keep();
        self.done.unwrap_or(Value::Null)
    }

    /// Adds a value to the innermost open container, unless it is dropped.
    fn put(&mut self, value: Value) {
        let value = match self.dropped {
            Dropped::None => value,
            Dropped::Next => {
                self.dropped = Dropped::None;
                Value::Null
            }
            Dropped::Open(_) => return,
        };
        match self.stacks.open.last_mut() {
            Some(Open::Map(_, key)) => self.stacks.entries.push((std::mem::take(key), value)),
            Some(Open::List(_)) => self.stacks.items.push(value),
            None => self.done = Some(value),
        }
    }
}

impl Sink for TreeSink {
    fn null(&mut self) {
        self.put(Value::Null);
    }
    fn bool(&mut self, value: bool) {
        self.put(Value::Bool(value));
    }
    fn int(&mut self, value: i64) {
        self.put(Value::Number(value.into()));
    }
    fn uint(&mut self, value: u64) {
        self.put(Value::Number(value.into()));
    }
    /// JSON has no infinities and no NaN, so they become strings.
    fn float(&mut self, value: f64) {
        self.put(
            Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number),
        );
    }
    fn string(&mut self, value: &str) {
        self.put(Value::String(value.to_owned()));
    }
    fn base64(&mut self, value: &[u8]) {
        self.put(Value::String(
            base64::engine::general_purpose::STANDARD.encode(value),
        ));
    }
    fn drops_value(&self) -> bool {
        self.dropped != Dropped::None
    }
    fn begin_map(&mut self) {
        if !self.open_dropped() {
            self.stacks
                .open
                .push(Open::Map(self.stacks.entries.len(), String::new()));
        }
    }
    fn key(&mut self, key: &str) {
        if self.dropped != Dropped::None {
            return;
        }
        if self.left_out == Some(key) {
            self.dropped = Dropped::Next;
        }
        if let Some(Open::Map(_, next_key)) = self.stacks.open.last_mut() {
            *next_key = key.to_owned();
        }
    }
    fn end_map(&mut self) {
        self.close();
    }
    fn begin_list(&mut self) {
        if !self.open_dropped() {
            self.stacks.open.push(Open::List(self.stacks.items.len()));
        }
    }
    fn end_list(&mut self) {
        self.close();
    }
}

impl TreeSink {
    /// Opens a container, if it is dropped or is part of one that is. Returns whether it is.
    fn open_dropped(&mut self) -> bool {
        self.dropped = match self.dropped {
            Dropped::None => return false,
            Dropped::Next => Dropped::Open(1),
            Dropped::Open(containers) => Dropped::Open(containers.saturating_add(1)),
        };
        true
    }

    /// Closes the innermost container.
    fn close(&mut self) {
        if let Dropped::Open(containers) = self.dropped {
            if containers > 1 {
                self.dropped = Dropped::Open(containers.saturating_sub(1));
            } else {
                self.dropped = Dropped::Next;
                self.put(Value::Null);
            }
            return;
        }
        let value = match self.stacks.open.pop() {
            Some(Open::Map(first, _)) => {
                Value::Object(self.stacks.entries.drain(first..).collect::<Map<_, _>>())
            }
            Some(Open::List(first)) => Value::Array(self.stacks.items.drain(first..).collect()),
            None => return,
        };
        self.put(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_the_order_of_keys_and_nests() {
        let mut sink = TreeSink::new();
        sink.begin_map();
        sink.key("b");
        sink.begin_list();
        sink.int(-1);
        sink.base64(b"x");
        sink.begin_map();
        sink.end_map();
        sink.end_list();
        sink.key("a");
        sink.number("1.50");
        sink.end_map();
        assert_eq!(
            sink.into_value().to_string(),
            r#"{"b":[-1,"eA==",{}],"a":1.5}"#
        );
    }

    #[test]
    fn a_value_that_is_left_out_is_null_whatever_it_is() {
        let mut sink = TreeSink::without("x");
        sink.begin_map();
        for depth in 0..3 {
            sink.key("x");
            assert!(sink.drops_value());
            for _ in 0..depth {
                sink.begin_map();
                sink.key("x");
                sink.begin_list();
                sink.int(1);
            }
            for _ in 0..depth {
                sink.end_list();
                sink.end_map();
            }
            if depth == 0 {
                sink.string("text");
            }
            assert!(!sink.drops_value());
            sink.key("y");
            sink.int(depth);
        }
        sink.end_map();
        let expected = r#"{"x":null,"y":2}"#;
        assert_eq!(sink.into_value().to_string(), expected);
    }
}
