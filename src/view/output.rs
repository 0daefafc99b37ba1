//! The buffer between a text writer and its destination.

use std::io::{self, Write};

/// From how many bytes on the buffer is handed to the destination.
const FLUSH_BYTES: usize = 64 * 1024;

/// Collects text in [`Output::buffer`] and remembers the first error of the destination, after
/// which it drops what comes: the writers' callers ask once, at the end.
pub(super) struct Output<W: Write> {
    destination: W,
    error: Option<io::Error>,
    /// Text not yet written; append to it, then call [`Output::flush_if_full`].
    pub(super) buffer: Vec<u8>,
    /// From where on the buffer is kept, because it may be taken back.
    held: Option<usize>,
}

impl<W: Write> Output<W> {
    pub(super) fn new(destination: W) -> Self {
        let buffer = Vec::new();
        Self {
            destination,
            error: None,
            buffer,
            held: None,
        }
    }

    /// Keeps what comes in the buffer.
    pub(super) fn hold(&mut self) {
        self.held = Some(self.buffer.len());
    }

    /// What came since [`Output::hold`].
    pub(super) fn held(&self) -> &[u8] {
        let held = self.held.and_then(|start| self.buffer.get(start..));
        held.unwrap_or_default()
    }

    /// Removes what came since [`Output::hold`].
    pub(super) fn take_back(&mut self) {
        if let Some(start) = self.held {
            self.buffer.truncate(start);
        }
    }

    /// What is in the buffer may go.
    pub(super) fn release(&mut self) {
        self.held = None;
        self.flush_if_full();
    }

    /// Writes the buffer out when enough has come together.
    pub(super) fn flush_if_full(&mut self) {
        if self.buffer.len() >= FLUSH_BYTES && self.held.is_none() {
            self.flush();
        }
    }

    /// The first error so far: when there is one, the caller may stop early.
    pub(super) fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Writes everything out and gives back the destination.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush();
        if let Some(error) = self.error {
            return Err(error);
        }
        self.destination.flush()?;
        Ok(self.destination)
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            self.error = self.destination.write_all(&self.buffer).err();
        }
        self.buffer.clear();
    }
}
