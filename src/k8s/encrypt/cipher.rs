//! The ciphers: each decrypts the bytes after a value's prefix with one key.

use aes::cipher::{Block, BlockCipherEncrypt, BlockModeDecrypt, KeyInit, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, Payload};
use cbc::cipher::block_padding::Pkcs7;
use hkdf::Hkdf;
use poly1305::Poly1305;
use salsa20::XSalsa20;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::k8s::cbor::SELF_DESCRIBED;
use crate::k8s::envelope::{ENCRYPTED_PREFIX, PROTOBUF_MAGIC};

const AES_BLOCK_BYTES: usize = 16;
const GCM_NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const SECRETBOX_NONCE_BYTES: usize = 24;
/// The length of the random input for the derivation of a key, which precedes the nonce.
const INFO_BYTES: usize = 32;

/// A cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// AES-CBC with PKCS7.
    Cbc,
    /// AES-GCM with the etcd key as associated data.
    Gcm,
    /// XSalsa20 and Poly1305.
    Secretbox,
    /// AES-GCM with a key that HKDF-SHA256 (expand only) derives from a seed and the first 32 bytes of the data.
    DerivedGcm,
}

/// Why a key does not decrypt a value. A greater one is more informative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DecryptFault {
    /// The result does not look like a stored value.
    WrongKey,
    /// The data is shorter than any value, or has no whole number of blocks.
    Cut {
        /// The number of bytes after the prefix.
        bytes: usize,
    },
    /// The first decrypted bytes look like a stored value, so the key fits, but authentication or padding fails.
    KeyFits,
}

impl Scheme {
    /// Whether the cipher binds a value to the etcd key under which it was stored.
    pub(super) fn binds_etcd_key(self) -> bool {
        matches!(self, Self::Gcm | Self::DerivedGcm)
    }

    /// Decrypts the data of a value. `etcd_key` is the whole key under which the value was stored.
    ///
    /// # Errors
    /// The key does not decrypt it.
    pub(super) fn decrypt(
        self,
        key: &[u8],
        etcd_key: &[u8],
        body: &[u8],
    ) -> Result<Vec<u8>, DecryptFault> {
        match self {
            Self::Cbc => decrypt_body_cbc(key, body),
            Self::Gcm => decrypt_body_gcm(key, etcd_key, body),
            Self::Secretbox => decrypt_body_secretbox(key, body),
            Self::DerivedGcm => {
                let cut = DecryptFault::Cut { bytes: body.len() };
                let (info, body) = body.split_at_checked(INFO_BYTES).ok_or(cut)?;
                let mut derived = Zeroizing::new([0_u8; 32]);
                let kdf = Hkdf::<Sha256>::from_prk(key).map_err(|_| DecryptFault::WrongKey)?;
                kdf.expand(info, &mut *derived)
                    .map_err(|_| DecryptFault::WrongKey)?;
                decrypt_body_gcm(&*derived, etcd_key, body)
            }
        }
    }
}

/// Whether bytes start like a value that an API server stores.
fn starts_like_stored(bytes: &[u8]) -> bool {
    [PROTOBUF_MAGIC, ENCRYPTED_PREFIX, b"{\"", SELF_DESCRIBED]
        .iter()
        .any(|start| bytes.starts_with(start))
}

/// Splits the data into IV and blocks, and decrypts it with the AES variant for the length of the key.
fn decrypt_body_cbc(key: &[u8], body: &[u8]) -> Result<Vec<u8>, DecryptFault> {
    let cut = DecryptFault::Cut { bytes: body.len() };
    let (iv, body) = body.split_at_checked(AES_BLOCK_BYTES).ok_or(cut)?;
    if body.is_empty() || !body.len().is_multiple_of(AES_BLOCK_BYTES) {
        return Err(cut);
    }
    match key.len() {
        16 => decrypt_cbc::<cbc::Decryptor<Aes128>>(key, iv, body),
        24 => decrypt_cbc::<cbc::Decryptor<Aes192>>(key, iv, body),
        _ => decrypt_cbc::<cbc::Decryptor<Aes256>>(key, iv, body),
    }
}

/// CBC does not authenticate. With a wrong key, one of about 256 values has a valid padding by chance, so the result must
/// also look like a stored value or a text.
fn decrypt_cbc<D: KeyIvInit + BlockModeDecrypt>(
    key: &[u8],
    iv: &[u8],
    body: &[u8],
) -> Result<Vec<u8>, DecryptFault> {
    let cipher = || D::new_from_slices(key, iv).map_err(|_| DecryptFault::WrongKey);
    if let Ok(plain) = cipher()?.decrypt_padded_vec::<Pkcs7>(body)
        && (starts_like_stored(&plain) || is_text(&plain))
    {
        return Ok(plain);
    }
    let mut first = Block::<D>::default();
    let start = body.get(..first.len()).unwrap_or_default();
    first
        .iter_mut()
        .zip(start)
        .for_each(|(to, from)| *to = *from);
    cipher()?.decrypt_block(&mut first);
    Err(if starts_like_stored(&first) {
        DecryptFault::KeyFits
    } else {
        DecryptFault::WrongKey
    })
}

fn is_text(bytes: &[u8]) -> bool {
    let is_unexpected = |c: char| c.is_control() && !c.is_ascii_whitespace();
    std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(is_unexpected))
}

/// Decrypts with the AES variant for the length of the key.
fn decrypt_body_gcm(key: &[u8], etcd_key: &[u8], body: &[u8]) -> Result<Vec<u8>, DecryptFault> {
    match key.len() {
        16 => decrypt_gcm::<AesGcm<Aes128, U12>, Aes128>(key, etcd_key, body),
        24 => decrypt_gcm::<AesGcm<Aes192, U12>, Aes192>(key, etcd_key, body),
        _ => decrypt_gcm::<AesGcm<Aes256, U12>, Aes256>(key, etcd_key, body),
    }
}

/// Decrypts the data (nonce, ciphertext, tag). If that fails, the first block shows whether the key is wrong.
fn decrypt_gcm<A, C>(key: &[u8], etcd_key: &[u8], body: &[u8]) -> Result<Vec<u8>, DecryptFault>
where
    A: KeyInit + Aead<NonceSize = U12>,
    C: KeyInit + BlockCipherEncrypt,
{
    let cut = DecryptFault::Cut { bytes: body.len() };
    let (nonce, ciphertext) = body.split_at_checked(GCM_NONCE_BYTES).ok_or(cut)?;
    if ciphertext.len() < TAG_BYTES {
        return Err(cut);
    }
    let aead = A::new_from_slice(key).map_err(|_| DecryptFault::WrongKey)?;
    let payload = Payload {
        msg: ciphertext,
        aad: etcd_key,
    };
    let nonce_array = nonce.try_into().map_err(|_| cut)?;
    aead.decrypt(nonce_array, payload).or_else(|_| {
        // GCM encrypts the first block of a value with the counter 2.
        let mut stream = Block::<C>::default();
        let counter = nonce.iter().chain(&[0, 0, 0, 2]);
        stream
            .iter_mut()
            .zip(counter)
            .for_each(|(to, from)| *to = *from);
        let cipher = C::new_from_slice(key).map_err(|_| DecryptFault::WrongKey)?;
        cipher.encrypt_block(&mut stream);
        let text = ciphertext.get(..ciphertext.len().saturating_sub(TAG_BYTES));
        Err(fault_by_start(&stream, text.unwrap_or_default()))
    })
}

/// Whether the key is wrong, or something else: with the right key, a stream cipher gives the first bytes of a value even
/// if the rest is damaged.
fn fault_by_start(stream: &[u8], ciphertext: &[u8]) -> DecryptFault {
    let start: Vec<u8> = stream.iter().zip(ciphertext).map(|(a, b)| a ^ b).collect();
    if starts_like_stored(&start) {
        DecryptFault::KeyFits
    } else {
        DecryptFault::WrongKey
    }
}

/// NaCl's secretbox: the first 32 bytes of the stream are the key of Poly1305, the rest decrypts the text.
fn decrypt_body_secretbox(key: &[u8], body: &[u8]) -> Result<Vec<u8>, DecryptFault> {
    let cut = DecryptFault::Cut { bytes: body.len() };
    let (nonce, body) = body.split_at_checked(SECRETBOX_NONCE_BYTES).ok_or(cut)?;
    let (tag, ciphertext) = body.split_at_checked(TAG_BYTES).ok_or(cut)?;
    let mut stream = XSalsa20::new_from_slices(key, nonce).map_err(|_| DecryptFault::WrongKey)?;
    let mut mac_key = Zeroizing::new([0_u8; 32]);
    stream.apply_keystream(&mut *mac_key);
    let mac = Poly1305::new_from_slice(&*mac_key).map_err(|_| DecryptFault::WrongKey)?;
    let is_authentic = mac.compute_unpadded(ciphertext).as_slice() == tag;
    if is_authentic {
        let mut plain = ciphertext.to_vec();
        stream.apply_keystream(&mut plain);
        return Ok(plain);
    }
    let mut start = [0_u8; AES_BLOCK_BYTES];
    stream.apply_keystream(&mut start);
    Err(fault_by_start(&start, ciphertext))
}
