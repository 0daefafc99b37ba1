//! A value to be searched: its tree, and which of its texts are base64 of bytes.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::decode::{DecodeError, decode_any};
use super::super::sink::{Order, Sink};
use super::super::tree::TreeSink;

/// A value to be searched.
#[derive(Debug, Clone)]
pub struct Document<'v> {
    /// The decoded value.
    pub tree: Cow<'v, Value>,
    /// The texts in the tree that are base64 of bytes.
    pub bytes: Arc<HashSet<String>>,
}

impl<'v> From<&'v Value> for Document<'v> {
    /// A document from a tree alone. Its bytes are known only for Secrets and ConfigMaps.
    fn from(tree: &'v Value) -> Self {
        Self {
            tree: Cow::Borrowed(tree),
            bytes: Arc::default(),
        }
    }
}

impl Document<'_> {
    /// Decodes a stored value.
    ///
    /// # Errors
    /// The same as for [`decode_any()`].
    pub fn read(stored: &[u8]) -> Result<Document<'static>, DecodeError> {
        let mut sink = DocumentSink::default();
        decode_any(stored, Order::Declared, &mut sink)?;
        Ok(Document {
            tree: Cow::Owned(sink.tree.into_value()),
            bytes: Arc::new(sink.bytes),
        })
    }
}

/// Builds a tree and collects the texts in it that are base64 of bytes.
#[derive(Default)]
struct DocumentSink {
    tree: TreeSink,
    bytes: HashSet<String>,
}

impl Sink for DocumentSink {
    fn null(&mut self) {
        self.tree.null();
    }
    fn bool(&mut self, value: bool) {
        self.tree.bool(value);
    }
    fn int(&mut self, value: i64) {
        self.tree.int(value);
    }
    fn uint(&mut self, value: u64) {
        self.tree.uint(value);
    }
    fn float(&mut self, value: f64) {
        self.tree.float(value);
    }
    fn string(&mut self, value: &str) {
        self.tree.string(value);
    }
    fn base64(&mut self, value: &[u8]) {
        let text = STANDARD.encode(value);
        self.tree.string(&text);
        if !text.is_empty() {
            self.bytes.insert(text);
        }
    }
    fn begin_map(&mut self) {
        self.tree.begin_map();
    }
    fn key(&mut self, key: &str) {
        self.tree.key(key);
    }
    fn end_map(&mut self) {
        self.tree.end_map();
    }
    fn begin_list(&mut self) {
        self.tree.begin_list();
    }
    fn end_list(&mut self) {
        self.tree.end_list();
    }
}
