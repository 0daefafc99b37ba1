//! An object on its way to a writer, made into what kubectl shows: with `metadata.resourceVersion`,
//! which is etcd's mod_revision and not in the stored value, and without managedFields unless asked for.
//!
//! It is the streaming form of [`super::object::as_kubectl_shows`]: no tree is built.

use super::order::before;
use super::sink::{Name, Order, Sink};

const METADATA: &str = "metadata";
const RESOURCE_VERSION: &str = "resourceVersion";
const MANAGED_FIELDS: &str = "managedFields";

/// What the value that comes next is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Anything.
    Other,
    /// That of `metadata` of the object.
    Metadata,
    /// One that is left out.
    LeftOut,
}

/// Passes one object on to another sink. Only for values told in [`Order::Sorted`] or
/// [`Order::Natural`]: the field is put in its place.
#[derive(Debug)]
pub struct AsShown<'s, S: Sink> {
    sink: &'s mut S,
    order: Order,
    mod_revision: i64,
    managed_fields: bool,
    depth: u32,
    next: Next,
    /// Levels inside of what is left out.
    left_out: u32,
    in_metadata: bool,
    had_metadata: bool,
    had_version: bool,
}

impl<'s, S: Sink> AsShown<'s, S> {
    /// A sink for one object which was written at `mod_revision`.
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
            had_metadata: false,
            had_version: false,
        }
    }

    fn tell_version(&mut self) {
        self.had_version = true;
        self.sink.key(RESOURCE_VERSION);
        self.sink.string(&self.mod_revision.to_string());
    }

    /// An object without metadata has some when it is shown.
    fn tell_metadata(&mut self) {
        self.had_metadata = true;
        self.sink.key(METADATA);
        self.sink.begin_map();
        self.tell_version();
        self.sink.end_map();
    }

    /// Whether a value without levels is passed on.
    fn passes(&mut self) -> bool {
        match std::mem::replace(&mut self.next, Next::Other) {
            Next::LeftOut => false,
            _ if self.left_out > 0 => false,
            Next::Metadata => {
                // No map: it is replaced, as in a tree an empty one would be.
                self.sink.begin_map();
                self.tell_version();
                self.sink.end_map();
                false
            }
            Next::Other => true,
        }
    }

    /// Whether a value with levels is passed on.
    fn opens(&mut self, is_map: bool) -> bool {
        let next = std::mem::replace(&mut self.next, Next::Other);
        if next == Next::LeftOut || self.left_out > 0 {
            self.left_out = self.left_out.saturating_add(1);
            return false;
        }
        if next == Next::Metadata && !is_map {
            self.left_out = 1;
            self.sink.begin_map();
            self.tell_version();
            self.sink.end_map();
            return false;
        }
        self.in_metadata |= next == Next::Metadata;
        self.depth = self.depth.saturating_add(1);
        true
    }

    /// Whether the end of a value with levels is passed on.
    fn closes(&mut self) -> bool {
        if self.left_out > 0 {
            self.left_out = self.left_out.saturating_sub(1);
            return false;
        }
        if self.in_metadata && self.depth == 2 {
            if !self.had_version {
                self.tell_version();
            }
            self.in_metadata = false;
        }
        if self.depth == 1 && !self.had_metadata {
            self.tell_metadata();
        }
        self.depth = self.depth.saturating_sub(1);
        true
    }
}

impl<S: Sink> Sink for AsShown<'_, S> {
    fn null(&mut self) {
        if self.passes() {
            self.sink.null();
        }
    }
    fn bool(&mut self, value: bool) {
        if self.passes() {
            self.sink.bool(value);
        }
    }
    fn int(&mut self, value: i64) {
        if self.passes() {
            self.sink.int(value);
        }
    }
    fn uint(&mut self, value: u64) {
        if self.passes() {
            self.sink.uint(value);
        }
    }
    fn float(&mut self, value: f64) {
        if self.passes() {
            self.sink.float(value);
        }
    }
    fn number(&mut self, text: &str) {
        if self.passes() {
            self.sink.number(text);
        }
    }
    fn string(&mut self, value: &str) {
        if self.passes() {
            self.sink.string(value);
        }
    }
    fn text(&mut self, value: &[u8]) {
        if self.passes() {
            self.sink.text(value);
        }
    }
    fn time(&mut self, value: &str) {
        if self.passes() {
            self.sink.time(value);
        }
    }
    fn takes_json(&self) -> bool {
        self.sink.takes_json()
    }
    fn json(&mut self, document: &[u8]) {
        if self.passes() {
            self.sink.json(document);
        }
    }
    fn comment(&mut self, text: &str) {
        self.sink.comment(text);
    }
    fn name(&mut self, name: Name) {
        // Only on the first two levels a key may make a difference.
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
        if self.passes() {
            self.sink.base64(value);
        }
    }
    fn begin_map(&mut self) {
        if self.opens(true) {
            self.sink.begin_map();
        }
    }
    fn key(&mut self, key: &str) {
        if self.left_out > 0 {
            return;
        }
        if self.depth == 1 {
            if key == METADATA {
                self.had_metadata = true;
                self.next = Next::Metadata;
            } else if !self.had_metadata && before(self.order, METADATA, key) {
                self.tell_metadata();
            }
        }
        if self.in_metadata && self.depth == 2 {
            if key == RESOURCE_VERSION {
                self.tell_version();
                self.next = Next::LeftOut;
                return;
            }
            if key == MANAGED_FIELDS && !self.managed_fields {
                self.next = Next::LeftOut;
                return;
            }
            if !self.had_version && before(self.order, RESOURCE_VERSION, key) {
                self.tell_version();
            }
        }
        self.sink.key(key);
    }
    fn end_map(&mut self) {
        if self.closes() {
            self.sink.end_map();
        }
    }
    fn begin_list(&mut self) {
        if self.opens(false) {
            self.sink.begin_list();
        }
    }
    fn end_list(&mut self) {
        if self.closes() {
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

    /// Tells a value with its keys in order; the order of the tree that comes out is told by its text.
    fn tell(value: &Value, order: Order, sink: &mut impl Sink) {
        match value {
            Value::Object(map) => {
                let mut keys: Vec<&String> = map.keys().collect();
                super::super::order::sort_by(&mut keys, &mut |a, b| before(order, a, b));
                sink.begin_map();
                for key in keys {
                    sink.key(key);
                    tell(&map[key], order, sink);
                }
                sink.end_map();
            }
            Value::Array(items) => {
                sink.begin_list();
                items.iter().for_each(|item| tell(item, order, sink));
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
    fn it_is_what_the_tree_becomes() {
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
                        let mut shown = AsShown::new(sink, order, 7, managed_fields);
                        tell(&object, order, &mut shown);
                    });
                    let mut tree = object.clone();
                    as_kubectl_shows(&mut tree, 7, managed_fields);
                    let built = text(|sink| tell(&tree, order, sink));
                    assert_eq!(streamed, built, "{object}");
                }
            }
        }
    }

    #[test]
    fn metadata_that_is_no_map_becomes_one() {
        for metadata in [Value::Null, json!([{"a": [1]}, 2]), json!("x")] {
            let object = json!({"kind": "Pod", "metadata": metadata, "spec": 1});
            let streamed = text(|sink| {
                let mut shown = AsShown::new(sink, Order::Sorted, 7, false);
                tell(&object, Order::Sorted, &mut shown);
            });
            assert_eq!(
                streamed,
                r#"{"kind":"Pod","metadata":{"resourceVersion":"7"},"spec":1}"#
            );
        }
    }
}
