//! Bytes that must not be seen.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// Length of a data-encryption key or seed of KMS, in bytes.
const DATA_KEY_BYTES: usize = 32;

/// As Go's `base64.StdEncoding`: padded, and the bits that are left over are not looked at.
const GO_STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// A key. It has no `Debug` and no `Display`, and is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes bytes.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads base64 as Go does, which passes over line breaks. None if it is not base64.
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

/// A data-encryption key or a seed of KMS, as the KMS unwraps it.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey(pub(super) Secret);

/// Why the content of a file is no [`DataKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataKeyError {
    /// It has another length.
    #[error("it holds {0} bytes, and a data key has 32")]
    Length(usize),
    /// It is as long as a text of a key would be, and is none.
    #[error("it is neither 32 bytes nor hex or base64 of 32 bytes")]
    NoKey,
}

impl DataKey {
    /// Reads the content of a file: 32 bytes as they are, or as hex or base64 with white space around
    /// it and line breaks in it.
    ///
    /// # Errors
    /// It is something else.
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
    fn what_is_no_data_key_is_refused_with_its_length() {
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
        // The last digit has bits of no byte.
        assert_eq!(read("aGVsbG9="), Some(b"hello".to_vec()));
        assert_eq!(read("aGVsbG8"), None);
        assert_eq!(read("aGVs bG8="), None);
    }
}
