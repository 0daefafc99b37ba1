//! An independent writer of write-ahead logs: frames and checksums as etcd's encoder makes them
//! (`server/storage/wal/encoder.go`).

use super::wire::Message;

/// One file of a log in the making.
#[derive(Clone, Debug, Default)]
pub struct WalFile {
    /// What was written.
    pub bytes: Vec<u8>,
    /// Where each frame begins.
    pub frames: Vec<usize>,
    crc: u32,
}

/// CRC-32C by the plainest means.
pub fn crc32c(running: u32, bytes: &[u8]) -> u32 {
    let mut crc = !running;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= 0x82f6_3b78;
            }
        }
    }
    !crc
}

impl WalFile {
    /// A file that goes on after another, or the first.
    pub fn after(before: Option<&Self>) -> Self {
        let mut file = Self {
            crc: before.map_or(0, |before| before.crc),
            ..Self::default()
        };
        let crc = file.crc;
        file.frame(4, crc, &[]);
        file
    }

    /// A record of a type, its checksum after those before it.
    pub fn record(&mut self, record_type: i64, data: &[u8]) {
        self.crc = crc32c(self.crc, data);
        let crc = self.crc;
        self.frame(record_type, crc, data);
    }

    /// The same, with this checksum.
    pub fn frame(&mut self, record_type: i64, crc: u32, data: &[u8]) {
        let mut record = Message::new()
            .set_int(1, record_type)
            .set_int(2, i64::from(crc));
        if !data.is_empty() {
            record = record.put(3, data);
        }
        let record = record.finish();
        let padding = (8 - record.len() % 8) % 8;
        let mut length = record.len() as u64;
        if padding > 0 {
            length |= (0x80 | padding as u64) << 56;
        }
        self.frames.push(self.bytes.len());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(record);
        self.bytes.extend(std::iter::repeat_n(0, padding));
    }

    /// Member and cluster.
    pub fn metadata(&mut self, node: u64, cluster: u64) {
        let metadata = Message::new()
            .set_int(1, node as i64)
            .set_int(2, cluster as i64);
        self.record(1, &metadata.finish());
    }

    /// Term, vote and commit.
    pub fn state(&mut self, term: i64, commit: i64) {
        let state = Message::new()
            .set_int(1, term)
            .set_int(2, 1)
            .set_int(3, commit);
        self.record(3, &state.finish());
    }

    /// The mark of a raft snapshot.
    pub fn snapshot(&mut self, index: i64, term: i64) {
        self.record(
            5,
            &Message::new().set_int(1, index).set_int(2, term).finish(),
        );
    }

    /// An entry with a request.
    pub fn entry(&mut self, term: i64, index: i64, request: &[u8]) {
        let entry = Message::new()
            .set_int(1, 0)
            .set_int(2, term)
            .set_int(3, index);
        let entry = if request.is_empty() {
            entry
        } else {
            entry.put(4, request)
        };
        self.record(2, &entry.finish());
    }
}

/// A put as a request.
pub fn put(key: &str, value: &[u8]) -> Vec<u8> {
    let put = Message::new().put(1, key).put(2, value);
    Message::new().nest(4, put).finish()
}
