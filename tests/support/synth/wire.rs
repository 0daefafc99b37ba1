//! Protobuf's wire format, written by hand.

/// A message being written. Scalars of value 0 and empty texts are left out
/// by the `put_` methods, as proto3 does; the `set_` ones always write.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Message {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Writes a varint field, even if 0.
    pub fn set_int(mut self, field: u32, value: i64) -> Self {
        put_varint(&mut self.0, u64::from(field) << 3);
        put_varint(&mut self.0, value as u64);
        self
    }

    /// Writes a varint field unless it is 0.
    pub fn put_int(self, field: u32, value: i64) -> Self {
        if value == 0 {
            self
        } else {
            self.set_int(field, value)
        }
    }

    /// Writes a bytes, text or message field, even if empty.
    pub fn set(mut self, field: u32, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        put_varint(&mut self.0, u64::from(field) << 3 | 2);
        put_varint(&mut self.0, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Writes a bytes, text or message field unless it is empty.
    pub fn put(self, field: u32, bytes: impl AsRef<[u8]>) -> Self {
        if bytes.as_ref().is_empty() {
            self
        } else {
            self.set(field, bytes)
        }
    }

    /// Writes a nested message.
    pub fn nest(self, field: u32, message: Message) -> Self {
        self.set(field, message.0)
    }

    /// Writes map entries from text to text or bytes.
    pub fn map<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        mut self,
        field: u32,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        for (key, value) in pairs {
            self = self.nest(field, Message::new().set(1, key).set(2, value));
        }
        self
    }

    /// Appends raw bytes, for what is not a message at all.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}
