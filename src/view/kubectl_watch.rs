//! The events of objects as `kubectl get --watch --output-watch-events -o json` prints them: one per line
//! (`k8s.io/cli-runtime/pkg/printers/json.go`).

use std::io::{self, Write};

use serde_json::Value;

use crate::k8s::{Order, Sink as _};

use super::json::{JsonStyle, JsonWriter, write_value};

/// Writes events.
pub struct ObjectEventWriter<W: Write> {
    writer: JsonWriter<W>,
}

impl<W: Write> ObjectEventWriter<W> {
    /// A writer to a destination.
    pub fn new(out: W) -> Self {
        Self {
            writer: JsonWriter::new(out, JsonStyle::Compact),
        }
    }

    /// Writes one event.
    ///
    /// # Errors
    /// Those of the destination.
    pub fn event(&mut self, event_type: &str, object: &Value) -> io::Result<()> {
        let writer = &mut self.writer;
        writer.begin_map();
        writer.key("type");
        writer.string(event_type);
        writer.key("object");
        write_value(object, Order::Sorted, writer);
        writer.end_map();
        match writer.error() {
            Some(error) => Err(error.kind().into()),
            None => Ok(()),
        }
    }

    /// Writes out what is left.
    ///
    /// # Errors
    /// Those of the destination.
    pub fn finish(self) -> io::Result<()> {
        self.writer.finish().map(drop)
    }
}
