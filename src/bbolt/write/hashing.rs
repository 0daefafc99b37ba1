//! The SHA-256 of what is written, computed by a second thread while the first one writes.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};

use sha2::{Digest, Sha256};

/// How many chunks may wait for the second thread. Then the first one waits too, so that memory stays small.
const WAITING: usize = 4;

/// A running SHA-256.
pub(super) struct Hashing {
    /// Where the chunks go; none if no second thread could be started, or after the last chunk.
    chunks: Option<SyncSender<Vec<u8>>>,
    /// Chunks that were hashed come back, so that their memory is used again.
    used: Option<Receiver<Vec<u8>>>,
    thread: Option<JoinHandle<Sha256>>,
    /// The hash, if no second thread could be started.
    own: Sha256,
}

impl Hashing {
    /// The hash of no bytes.
    pub(super) fn new() -> Self {
        let (chunks, received) = sync_channel::<Vec<u8>>(WAITING);
        let (give_back, used) = channel();
        let thread = Builder::new().name("sha256".to_owned()).spawn(move || {
            let mut hash = Sha256::new();
            for chunk in received {
                hash.update(&chunk);
                // Nobody waits for the memory of the last chunks.
                drop(give_back.send(chunk));
            }
            hash
        });
        let thread = thread.ok();
        Self {
            chunks: thread.is_some().then_some(chunks),
            used: Some(used),
            thread,
            own: Sha256::new(),
        }
    }

    /// Adds a chunk. Returns an empty buffer for the next one.
    pub(super) fn add(&mut self, chunk: Vec<u8>) -> Vec<u8> {
        let rejected = match &self.chunks {
            Some(chunks) => chunks.send(chunk).err().map(|error| error.0),
            None => Some(chunk),
        };
        // The thread only ends when the sender is dropped, so nothing is rejected while it runs.
        let mut buffer = match rejected {
            Some(chunk) => {
                self.own.update(&chunk);
                chunk
            }
            None => {
                let used = self.used.as_ref();
                used.and_then(|used| used.try_recv().ok())
                    .unwrap_or_default()
            }
        };
        buffer.clear();
        buffer
    }

    /// The hash of all chunks.
    pub(super) fn finish(mut self) -> Option<Sha256> {
        drop(self.chunks.take());
        match self.thread.take() {
            Some(thread) => thread.join().ok(),
            None => Some(self.own),
        }
    }
}
