//! Key material that must not be printed.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Length of a data-encryption key or seed of KMS, in bytes.
const DATA_KEY_BYTES: usize = 32;

/// Go's `base64.StdEncoding`: padding is required, and the unused bits of the last digit are ignored.
const GO_STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// A key. It has no `Debug` and no `Display`, and is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Wraps the bytes of a key.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Decodes base64 as Go does, which ignores line breaks. None if it is not base64.
    pub(super) fn from_base64(text: &[u8]) -> Option<Self> {
        let digits = text.iter().filter(|byte| !b"\r\n".contains(byte)).copied();
        let digits: Zeroizing<Vec<u8>> = Zeroizing::new(digits.collect());
        GO_STANDARD.decode(&*digits).ok().map(Self::new)
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A data-encryption key or a seed of a KMS, in unwrapped form.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey(pub(super) Secret);

/// Why the content of a file is not a [`DataKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataKeyError {
    /// It has another length.
    #[error("it has {0} bytes, but a data key has 32")]
    Length(usize),
    /// It is a text, but not of a key.
    #[error("it is neither 32 bytes nor hex or base64 of 32 bytes")]
    NoKey,
}

impl DataKey {
    /// Parses the content of a file: 32 raw bytes, or 32 bytes in hex or base64, which may be surrounded by white space
    /// and contain line breaks.
    ///
    /// # Errors
    /// The content is neither.
    pub fn parse(content: &[u8]) -> Result<Self, DataKeyError> {
        if content.len() == DATA_KEY_BYTES {
            return Ok(Self(Secret::new(content.to_vec())));
        }
        let text = content.trim_ascii();
        if text.len() == 2 * DATA_KEY_BYTES
            && let Some(key) = from_hex(text)
        {
            return Ok(Self(key));
        }
        match Secret::from_base64(text) {
            Some(key) if key.bytes().len() == DATA_KEY_BYTES => Ok(Self(key)),
            Some(key) => Err(DataKeyError::Length(key.bytes().len())),
            None if text.is_ascii() => Err(DataKeyError::NoKey),
            None => Err(DataKeyError::Length(content.len())),
        }
    }
}

fn from_hex(text: &[u8]) -> Option<Secret> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut bytes = Vec::with_capacity(DATA_KEY_BYTES);
    for pair in text.chunks_exact(2) {
        let [high, low] = pair else { return None };
        bytes.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
    }
    Some(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_data_key_is_read_as_bytes_as_hex_and_as_base64() {
        let key: Vec<u8> = (0..32).map(|n| n * 7).collect();
        let hex: String = key.iter().map(|byte| format!("{byte:02X}")).collect();
        let mut folded = base64::engine::general_purpose::STANDARD.encode(&key);
        folded.insert(20, '\n');
        folded.push('\n');
        for content in [&key[..], format!("{hex}\n").as_bytes(), folded.as_bytes()] {
            assert_eq!(DataKey::parse(content).ok().unwrap().0.bytes(), key);
        }
    }

    #[test]
    fn other_contents_are_refused_with_their_length() {
        let error = |content: &[u8]| DataKey::parse(content).err().unwrap();
        assert_eq!(error(b""), DataKeyError::Length(0));
        assert_eq!(error(b"aGVsbG8="), DataKeyError::Length(5));
        assert_eq!(error(&[0xff; 31]), DataKeyError::Length(31));
        assert_eq!(error(&[b'g'; 64]), DataKeyError::Length(48));
        assert_eq!(error(b"not base64!"), DataKeyError::NoKey);
    }

    #[test]
    fn base64_is_read_as_go_reads_it() {
        let read = |text: &str| Secret::from_base64(text.as_bytes()).map(|s| s.bytes().to_vec());
        assert_eq!(read("aGVs\r\nbG8="), Some(b"hello".to_vec()));
        // The last digit has two bits that belong to no byte.
        assert_eq!(read("aGVsbG9="), Some(b"hello".to_vec()));
        assert_eq!(read("aGVsbG8"), None);
        assert_eq!(read("aGVs bG8="), None);
    }
}
