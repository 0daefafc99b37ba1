//! Go's `compress/lzw` as etcd-backup-restore uses it: least significant bits first, literals of 8 bits.

use std::io::{self, BufRead, Read};

use weezl::decode::Decoder;
use weezl::{BitOrder, LzwStatus};

/// The unpacked bytes of LZW data.
pub(super) struct LzwReader<R> {
    input: R,
    decoder: Decoder,
    is_done: bool,
}

impl<R: BufRead> LzwReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            decoder: Decoder::new(BitOrder::Lsb, 8),
            is_done: false,
        }
    }
}

impl<R: BufRead> Read for LzwReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_done && !buffer.is_empty() {
            let packed = self.input.fill_buf()?;
            let is_end = packed.is_empty();
            let step = self.decoder.decode_bytes(packed, buffer);
            self.input.consume(step.consumed_in);
            let status = step
                .status
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.is_done = matches!(status, LzwStatus::Done);
            if step.consumed_out > 0 {
                return Ok(step.consumed_out);
            }
            if is_end && !self.is_done {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}
