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
    #[inline]
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

    #[cold]
    fn flush(&mut self) {
        if self.error.is_none() {
            self.error = self.destination.write_all(&self.buffer).err();
        }
        self.buffer.clear();
    }
}

impl Output<Vec<u8>> {
    /// All of the text. It is copied only if a part of it was flushed.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        if self.destination.is_empty() {
            return self.buffer;
        }
        self.destination.append(&mut self.buffer);
        self.destination
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_the_text_is_given_back_whether_it_was_flushed_or_not() {
        for count in [0, 10, FLUSH_BYTES, FLUSH_BYTES * 3] {
            let mut output = Output::new(Vec::new());
            for _ in 0..count {
                output.buffer.push(b'a');
                output.flush_if_full();
            }
            output.buffer.push(b'b');
            let wanted = [vec![b'a'; count], vec![b'b']].concat();
            assert!(output.into_bytes() == wanted, "{count}");
        }
    }
}
