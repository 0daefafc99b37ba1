//! The SHA-256 after the image in a snapshot file, and the hash of the whole evidence.

use sha2::{Digest, Sha256};

use super::Source;

/// Length of a snapshot's trailer in bytes: a SHA-256.
const TRAILER_LEN: usize = 32;

/// etcd recognises a trailer by `length % 512 == 32`: every page size is a multiple of 512.
const TRAILER_MODULUS: usize = 512;

/// Bytes hashed between two calls that give resident pages back to the system.
const HASH_CHUNK: usize = 1 << 20;

/// The 32 bytes which `etcdctl snapshot save` appends to the image of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// The SHA-256 of all bytes before it, as stored.
    pub stored: [u8; TRAILER_LEN],
}

/// What hashing says of the trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailerCheck {
    /// The file has none: not a snapshot, but a copied database.
    Absent,
    /// The image is what was sent.
    Good,
    /// The image, or the trailer, was changed or cut.
    Bad {
        /// SHA-256 of the bytes before the trailer.
        computed: [u8; TRAILER_LEN],
        /// What the trailer says.
        stored: [u8; TRAILER_LEN],
    },
}

impl Source {
    /// The database without the trailer of a snapshot.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        let bytes = self.bytes();
        bytes.get(..image_len(bytes.len())).unwrap_or(bytes)
    }

    /// The trailer, if the length says that there is one.
    #[must_use]
    pub fn trailer(&self) -> Option<Trailer> {
        let bytes = self.bytes();
        let stored = bytes.get(image_len(bytes.len())..)?.try_into().ok()?;
        Some(Trailer { stored })
    }

    /// Hashes the image, if there is a trailer, and compares.
    #[must_use]
    pub fn verify_trailer(&self) -> TrailerCheck {
        match self.trailer() {
            None => TrailerCheck::Absent,
            Some(trailer) => trailer.check(self.hash_image().finalize().into()),
        }
    }

    /// SHA-256 of the whole file, trailer included: what `sha256sum` prints.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.verify_trailer_and_sha256().1
    }

    /// [`Source::verify_trailer`] and [`Source::sha256`] by reading the file once.
    #[must_use]
    pub fn verify_trailer_and_sha256(&self) -> (TrailerCheck, [u8; 32]) {
        let mut hash = self.hash_image();
        let Some(trailer) = self.trailer() else {
            return (TrailerCheck::Absent, hash.finalize().into());
        };
        let check = trailer.check(hash.clone().finalize().into());
        hash.update(trailer.stored);
        (check, hash.finalize().into())
    }

    /// The state of SHA-256 after the image.
    fn hash_image(&self) -> Sha256 {
        let mut hash = Sha256::new();
        let mut offset = 0;
        for chunk in self.image().chunks(HASH_CHUNK) {
            self.map.prefetch(offset, chunk.len());
            hash.update(chunk);
            self.map.forget(offset, chunk.len());
            offset += chunk.len();
        }
        hash
    }
}

impl Trailer {
    fn check(self, computed: [u8; TRAILER_LEN]) -> TrailerCheck {
        let stored = self.stored;
        if computed == stored {
            TrailerCheck::Good
        } else {
            TrailerCheck::Bad { computed, stored }
        }
    }
}

/// The length of the image in a file of `len` bytes. A file that is all trailer has no image, and
/// is taken as a file without trailer.
const fn image_len(len: usize) -> usize {
    if len > TRAILER_LEN && len % TRAILER_MODULUS == TRAILER_LEN {
        len - TRAILER_LEN
    } else {
        len
    }
}
