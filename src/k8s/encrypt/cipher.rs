//! The four ciphers, each by one key: the bytes behind a value's head become those that were stored.

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
/// Length of what goes into the derivation of a key, before the nonce.
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
    /// AES-GCM by a key which HKDF-SHA256 (expand only) makes of a seed and the first 32 bytes.
    DerivedGcm,
}

/// Why a key does not open a value; the later, the more is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Nothing that the key gives looks like a stored value.
    WrongKey,
    /// There are fewer bytes than any value has, or no whole number of blocks.
    Cut {
        /// How many there are behind the head.
        bytes: usize,
    },
    /// The first bytes look like a stored value: the key fits, and something else does not.
    KeyFits,
}

impl Scheme {
    /// Whether the cipher binds a value to the etcd key under which it was stored.
    pub(super) fn binds_place(self) -> bool {
        matches!(self, Self::Gcm | Self::DerivedGcm)
    }

    /// Decrypts. `etcd_key` is the whole key under which the value was stored.
    ///
    /// # Errors
    /// The key does not open it.
    pub(super) fn open(self, key: &[u8], etcd_key: &[u8], body: &[u8]) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Cbc => open_cbc(key, body),
            Self::Gcm => open_gcm(key, etcd_key, body),
            Self::Secretbox => open_secretbox(key, body),
            Self::DerivedGcm => {
                let cut = Fault::Cut { bytes: body.len() };
                let (info, body) = body.split_at_checked(INFO_BYTES).ok_or(cut)?;
                let mut derived = Zeroizing::new([0_u8; 32]);
                let kdf = Hkdf::<Sha256>::from_prk(key).map_err(|_| Fault::WrongKey)?;
                kdf.expand(info, &mut *derived)
                    .map_err(|_| Fault::WrongKey)?;
                open_gcm(&*derived, etcd_key, body)
            }
        }
    }
}

/// Whether bytes begin like a value that an API server stores.
fn begins_stored(bytes: &[u8]) -> bool {
    [PROTOBUF_MAGIC, ENCRYPTED_PREFIX, b"{\"", SELF_DESCRIBED]
        .iter()
        .any(|start| bytes.starts_with(start))
}

fn open_cbc(key: &[u8], body: &[u8]) -> Result<Vec<u8>, Fault> {
    let cut = Fault::Cut { bytes: body.len() };
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

/// CBC does not authenticate: every 256th wrong key gives a good padding, so the result must look like
/// something as well.
fn decrypt_cbc<D: KeyIvInit + BlockModeDecrypt>(
    key: &[u8],
    iv: &[u8],
    body: &[u8],
) -> Result<Vec<u8>, Fault> {
    let cipher = || D::new_from_slices(key, iv).map_err(|_| Fault::WrongKey);
    if let Ok(plain) = cipher()?.decrypt_padded_vec::<Pkcs7>(body)
        && (begins_stored(&plain) || is_text(&plain))
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
    Err(if begins_stored(&first) {
        Fault::KeyFits
    } else {
        Fault::WrongKey
    })
}

fn is_text(bytes: &[u8]) -> bool {
    let is_odd = |c: char| c.is_control() && !c.is_ascii_whitespace();
    std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(is_odd))
}

fn open_gcm(key: &[u8], etcd_key: &[u8], body: &[u8]) -> Result<Vec<u8>, Fault> {
    match key.len() {
        16 => decrypt_gcm::<AesGcm<Aes128, U12>, Aes128>(key, etcd_key, body),
        24 => decrypt_gcm::<AesGcm<Aes192, U12>, Aes192>(key, etcd_key, body),
        _ => decrypt_gcm::<AesGcm<Aes256, U12>, Aes256>(key, etcd_key, body),
    }
}

fn decrypt_gcm<A, C>(key: &[u8], etcd_key: &[u8], body: &[u8]) -> Result<Vec<u8>, Fault>
where
    A: KeyInit + Aead<NonceSize = U12>,
    C: KeyInit + BlockCipherEncrypt,
{
    let cut = Fault::Cut { bytes: body.len() };
    let (nonce, sealed) = body.split_at_checked(GCM_NONCE_BYTES).ok_or(cut)?;
    if sealed.len() < TAG_BYTES {
        return Err(cut);
    }
    let aead = A::new_from_slice(key).map_err(|_| Fault::WrongKey)?;
    let payload = Payload {
        msg: sealed,
        aad: etcd_key,
    };
    let nonce_array = nonce.try_into().map_err(|_| cut)?;
    aead.decrypt(nonce_array, payload).or_else(|_| {
        // GCM encrypts the first block of a value under counter 2.
        let mut stream = Block::<C>::default();
        let counter = nonce.iter().chain(&[0, 0, 0, 2]);
        stream
            .iter_mut()
            .zip(counter)
            .for_each(|(to, from)| *to = *from);
        let cipher = C::new_from_slice(key).map_err(|_| Fault::WrongKey)?;
        cipher.encrypt_block(&mut stream);
        let text = sealed.get(..sealed.len().saturating_sub(TAG_BYTES));
        Err(fault_by_start(&stream, text.unwrap_or_default()))
    })
}

/// Whether it is the key: a stream cipher gives the first bytes of a value whatever else is wrong with it.
fn fault_by_start(stream: &[u8], sealed: &[u8]) -> Fault {
    let start: Vec<u8> = stream.iter().zip(sealed).map(|(a, b)| a ^ b).collect();
    if begins_stored(&start) {
        Fault::KeyFits
    } else {
        Fault::WrongKey
    }
}

/// NaCl's secretbox: the first 32 bytes of the stream are Poly1305's key, the rest is for the text.
fn open_secretbox(key: &[u8], body: &[u8]) -> Result<Vec<u8>, Fault> {
    let cut = Fault::Cut { bytes: body.len() };
    let (nonce, body) = body.split_at_checked(SECRETBOX_NONCE_BYTES).ok_or(cut)?;
    let (tag, sealed) = body.split_at_checked(TAG_BYTES).ok_or(cut)?;
    let mut stream = XSalsa20::new_from_slices(key, nonce).map_err(|_| Fault::WrongKey)?;
    let mut mac_key = Zeroizing::new([0_u8; 32]);
    stream.apply_keystream(&mut *mac_key);
    let mac = Poly1305::new_from_slice(&*mac_key).map_err(|_| Fault::WrongKey)?;
    let is_whole = mac.compute_unpadded(sealed).as_slice() == tag;
    if is_whole {
        let mut plain = sealed.to_vec();
        stream.apply_keystream(&mut plain);
        return Ok(plain);
    }
    let mut start = [0_u8; AES_BLOCK_BYTES];
    stream.apply_keystream(&mut start);
    Err(fault_by_start(&start, sealed))
}
