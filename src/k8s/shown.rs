//! A [`Sink`] adapter that changes an object to the form that kubectl shows: it adds `metadata.resourceVersion` (etcd's
//! mod_revision, which is not in the stored value) and leaves out managedFields unless they are requested.
//!
//! It is the streaming form of [`super::object::as_kubectl_shows`]: it builds no tree.

use super::order::before;
use super::sink::{Name, Order, Sink};
use super::special::go_text;

const METADATA: &str = "metadata";
const RESOURCE_VERSION: &str = "resourceVersion";
const MANAGED_FIELDS: &str = "managedFields";

/// What the next value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// A value that is passed on.
    Other,
    /// The value of the object's `metadata`.
    Metadata,
    /// A value that is left out.
    LeftOut,
}

/// Passes one object on to another sink. Only for decoding in [`Order::Sorted`] or [`Order::Natural`], because the
/// added fields are inserted at their sorted position.
#[derive(Debug)]
pub struct ShownSink<'s, S: Sink> {
    sink: &'s mut S,
    order: Order,
    mod_revision: i64,
    managed_fields: bool,
    depth: u32,
    next: Next,
    /// The nesting level inside a value that is left out.
    left_out: u32,
    in_metadata: bool,
    has_metadata: bool,
    has_version: bool,
}

impl<'s, S: Sink> ShownSink<'s, S> {
    /// A sink for one object that was written at `mod_revision`.
    pub fn new(sink: &'s mut S, order: Order, mod_revision: i64, managed_fields: bool) -> Self {
        Self {
            sink,
            order,
            mod_revision,
            managed_fields,
            depth: 0,
            next: Next::Other,
            left_out: 0,
            in_metadata: false,
            has_metadata: false,
            has_version: false,
        }
    }

    fn write_version(&mut self) {
        self.has_version = true;
        self.sink.key(RESOURCE_VERSION);
        self.sink.string(&self.mod_revision.to_string());
    }

    /// Writes metadata for an object that has none.
    fn write_metadata(&mut self) {
        self.has_metadata = true;
        self.sink.key(METADATA);
        self.sink.begin_map();
        self.write_version();
        self.sink.end_map();
    }

    /// Whether a scalar is passed on.
    fn is_passed_on(&mut self) -> bool {
        match std::mem::replace(&mut self.next, Next::Other) {
            Next::LeftOut => false,
            _ if self.left_out > 0 => false,
            Next::Metadata => {
                // `metadata` is not a map: it is replaced with a map that has only the version.
                self.sink.begin_map();
                self.write_version();
                self.sink.end_map();
                false
            }
            Next::Other => true,
        }
    }

    /// Whether the start of a map or list is passed on.
    fn open(&mut self, is_map: bool) -> bool {
        let next = std::mem::replace(&mut self.next, Next::Other);
        if next == Next::LeftOut || self.left_out > 0 {
            self.left_out = self.left_out.saturating_add(1);
            return false;
        }
        if next == Next::Metadata && !is_map {
            self.left_out = 1;
            self.sink.begin_map();
            self.write_version();
            self.sink.end_map();
            return false;
        }
        self.in_metadata |= next == Next::Metadata;
        self.depth = self.depth.saturating_add(1);
        true
    }

    /// Whether the end of a map or list is passed on.
    fn close(&mut self) -> bool {
        if self.left_out > 0 {
            self.left_out = self.left_out.saturating_sub(1);
            return false;
        }
        if self.in_metadata && self.depth == 2 {
            if !self.has_version {
                self.write_version();
            }
            self.in_metadata = false;
        }
        if self.depth == 1 && !self.has_metadata {
            self.write_metadata();
        }
        self.depth = self.depth.saturating_sub(1);
        true
    }
}

impl<S: Sink> Sink for ShownSink<'_, S> {
    fn null(&mut self) {
        if self.is_passed_on() {
            self.sink.null();
        }
    }
    fn bool(&mut self, value: bool) {
        if self.is_passed_on() {
            self.sink.bool(value);
        }
    }
    fn int(&mut self, value: i64) {
        if self.is_passed_on() {
            self.sink.int(value);
        }
    }
    fn uint(&mut self, value: u64) {
        if self.is_passed_on() {
            self.sink.uint(value);
        }
    }
    fn float(&mut self, value: f64) {
        if self.is_passed_on() {
            self.sink.float(value);
        }
    }
    fn number(&mut self, text: &str) {
        if self.is_passed_on() {
            self.sink.number(text);
        }
    }
    fn string(&mut self, value: &str) {
        if self.is_passed_on() {
            self.sink.string(value);
        }
    }
    fn text(&mut self, value: &[u8]) {
        if self.is_passed_on() {
            self.sink.text(value);
        }
    }
    fn time(&mut self, value: &str) {
        if self.is_passed_on() {
            self.sink.time(value);
        }
    }
    fn accepts_json(&self) -> bool {
        self.sink.accepts_json()
    }
    fn json(&mut self, document: &[u8]) {
        if self.is_passed_on() {
            self.sink.json(document);
        }
    }
    fn drops_value(&self) -> bool {
        self.left_out > 0 || self.next == Next::LeftOut
    }
    fn comment(&mut self, text: &str) {
        self.sink.comment(text);
    }
    fn text_key(&mut self, key: &[u8]) {
        if self.left_out > 0 {
            return;
        }
        // Only keys on the first two levels are changed.
        if self.depth <= 2 {
            self.key(&go_text(key));
        } else {
            self.sink.text_key(key);
        }
    }
    fn name(&mut self, name: Name) {
        // Only keys on the first two levels are changed.
        if self.left_out > 0 {
            return;
        }
        if self.depth <= 2 {
            self.key(name.as_str());
        } else {
            self.sink.name(name);
        }
    }
    fn base64(&mut self, value: &[u8]) {
        if self.is_passed_on() {
            self.sink.base64(value);
        }
    }
    fn begin_map(&mut self) {
        if self.open(true) {
            self.sink.begin_map();
        }
    }
    fn key(&mut self, key: &str) {
        if self.left_out > 0 {
            return;
        }
        if self.depth == 1 {
            if key == METADATA {
                self.has_metadata = true;
                self.next = Next::Metadata;
            } else if !self.has_metadata && before(self.order, METADATA, key) {
                self.write_metadata();
            }
        }
        if self.in_metadata && self.depth == 2 {
            if key == RESOURCE_VERSION {
                self.write_version();
                self.next = Next::LeftOut;
                return;
            }
            if key == MANAGED_FIELDS && !self.managed_fields {
                self.next = Next::LeftOut;
                return;
            }
            if !self.has_version && before(self.order, RESOURCE_VERSION, key) {
                self.write_version();
            }
        }
        self.sink.key(key);
    }
    fn end_map(&mut self) {
        if self.close() {
            self.sink.end_map();
        }
    }
    fn begin_list(&mut self) {
        if self.open(false) {
            self.sink.begin_list();
        }
    }
    fn end_list(&mut self) {
        if self.close() {
            self.sink.end_list();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use serde_json::{Value, json};

    use super::super::TreeSink;
    use super::super::object::as_kubectl_shows;
    use super::*;

    /// Writes a tree to the sink with its keys sorted. A TreeSink keeps the order, so its text shows it.
    fn write_tree(value: &Value, order: Order, sink: &mut impl Sink) {
        match value {
            Value::Object(map) => {
                let mut keys: Vec<&String> = map.keys().collect();
                super::super::order::sort_by(&mut keys, &mut |a, b| before(order, a, b));
                sink.begin_map();
                for key in keys {
                    sink.key(key);
                    write_tree(&map[key], order, sink);
                }
                sink.end_map();
            }
            Value::Array(items) => {
                sink.begin_list();
                items.iter().for_each(|item| write_tree(item, order, sink));
                sink.end_list();
            }
            Value::String(text) => sink.string(text),
            Value::Bool(value) => sink.bool(*value),
            Value::Number(number) => sink.number(&number.to_string()),
            Value::Null => sink.null(),
        }
    }

    fn text(with: impl FnOnce(&mut TreeSink)) -> String {
        let mut sink = TreeSink::new();
        with(&mut sink);
        sink.into_value().to_string()
    }

    #[test]
    fn streaming_gives_the_same_object_as_changing_a_tree() {
        let objects = [
            json!({"kind": "Pod", "metadata": {"name": "a", "managedFields": [{"a": [1, {"metadata": {}}]}], "uid": "u"}, "spec": {"metadata": {"managedFields": 1}}}),
            json!({"apiVersion": "v1", "kind": "Pod", "spec": {}}),
            json!({"apiVersion": "v1", "kind": "Pod"}),
            json!({"metadata": {"resourceVersion": {"old": [1]}, "zz": 1}, "items": [{"metadata": {"a": 1}}]}),
            json!({"metadata": {}}),
            json!({"metadata": {"managedFields": null, "x": 1.5, "y": true}}),
        ];
        for object in objects {
            for managed_fields in [false, true] {
                for order in [Order::Sorted, Order::Natural] {
                    let streamed = text(|sink| {
                        let mut shown = ShownSink::new(sink, order, 7, managed_fields);
                        write_tree(&object, order, &mut shown);
                    });
                    let mut tree = object.clone();
                    as_kubectl_shows(&mut tree, 7, managed_fields);
                    let built = text(|sink| write_tree(&tree, order, sink));
                    assert_eq!(streamed, built, "{object}");
                }
            }
        }
    }

    #[test]
    fn metadata_that_is_not_a_map_becomes_one() {
        for metadata in [Value::Null, json!([{"a": [1]}, 2]), json!("x")] {
            let object = json!({"kind": "Pod", "metadata": metadata, "spec": 1});
            let streamed = text(|sink| {
                let mut shown = ShownSink::new(sink, Order::Sorted, 7, false);
                write_tree(&object, Order::Sorted, &mut shown);
            });
            assert_eq!(
                streamed,
                r#"{"kind":"Pod","metadata":{"resourceVersion":"7"},"spec":1}"#
            );
        }
    }

    #[test]
    fn a_value_that_is_dropped_may_be_null() {
        let managed = json!([{"a": [1, {"b": {}}]}, "x"]);
        let streamed = |managed: &Value, managed_fields| {
            let mut dropped = 0;
            let text = text(|sink| {
                let mut shown = ShownSink::new(sink, Order::Sorted, 7, managed_fields);
                shown.begin_map();
                shown.key("metadata");
                shown.begin_map();
                shown.key("managedFields");
                dropped += usize::from(shown.drops_value());
                write_tree(managed, Order::Sorted, &mut shown);
                shown.key("name");
                dropped += usize::from(shown.drops_value());
                shown.string("a");
                shown.end_map();
                shown.end_map();
            });
            (text, dropped)
        };
        assert_eq!(streamed(&managed, false).1, 1);
        assert_eq!(streamed(&managed, true).1, 0);
        assert_eq!(streamed(&managed, false), streamed(&Value::Null, false));
    }
}
