//! The SHA-256 after the image in a snapshot file, and the hash of the whole evidence.

use sha2::{Digest, Sha256};

use super::{Source, Work};

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

/// What follows a trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Following {
    /// Line ends alone.
    LineEnds,
    /// Zeros alone.
    Zeros,
    /// Another database file.
    Database,
    /// Anything else.
    Other,
}

impl Following {
    /// What bytes are. A database is not recognised here: its layout is that of another layer.
    #[must_use]
    pub fn recognise(bytes: &[u8]) -> Self {
        if bytes.iter().all(|byte| matches!(byte, b'\n' | b'\r')) {
            Self::LineEnds
        } else if bytes.iter().all(|byte| *byte == 0) {
            Self::Zeros
        } else {
            Self::Other
        }
    }
}

/// The result of checking the trailer by hashing the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailerCheck {
    /// The file has none: not a snapshot, but a copied database.
    Absent,
    /// The image is what was sent.
    Good,
    /// The image is what was sent, and bytes were added after the trailer.
    Followed {
        /// The offset of the first of them.
        at: u64,
        /// How many they are.
        bytes: u64,
        /// What they are.
        by: Following,
    },
    /// The image, or the trailer, was changed or cut.
    Bad {
        /// SHA-256 of the bytes before the trailer.
        computed: [u8; TRAILER_LEN],
        /// The hash in the trailer.
        stored: [u8; TRAILER_LEN],
    },
}

impl Source {
    /// The database without the trailer of a snapshot.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        let bytes = self.bytes();
        bytes.get(..self.image_len()).unwrap_or(bytes)
    }

    /// The trailer, if the length shows that the file has one, or [`Source::find_trailer`] found it.
    #[must_use]
    pub fn trailer(&self) -> Option<Trailer> {
        let rest = self.bytes().get(self.image_len()..)?;
        let (stored, after) = rest.split_first_chunk::<TRAILER_LEN>()?;
        let is_trailer = after.is_empty() || self.found_image_len.is_some();
        is_trailer.then_some(Trailer { stored: *stored })
    }

    /// The bytes after a trailer that was found; none without one.
    #[must_use]
    pub fn after_trailer(&self) -> Option<&[u8]> {
        let end = self.found_image_len?.checked_add(TRAILER_LEN)?;
        self.bytes().get(end..)
    }

    fn image_len(&self) -> usize {
        let by_length = || image_len(self.bytes().len());
        self.found_image_len.unwrap_or_else(by_length)
    }

    /// Searches a trailer that is right and is not the last of the file: at `from`, or a multiple of `step` bytes after
    /// it. From then on it is the trailer, and the image is what is before it. Returns whether there is one.
    ///
    /// The file is hashed once, up to the last place whose 32 bytes are not all zero. Without such a place it is not hashed.
    /// Holes are passed over.
    pub fn find_trailer(&mut self, from: usize, step: usize) -> bool {
        let mut hash = Sha256::new();
        let mut hashed = 0;
        let mut candidate = self.next_candidate(from, from, step);
        while let Some(at) = candidate {
            self.hash_range(&mut hash, (hashed, at), self.work());
            hashed = at;
            let stored = self.bytes().get(at..at.saturating_add(TRAILER_LEN));
            let computed: [u8; TRAILER_LEN] = hash.clone().finalize().into();
            if stored == Some(&computed[..]) {
                self.found_image_len = Some(at);
                return true;
            }
            candidate = self.next_candidate(at.saturating_add(step), from, step);
        }
        false
    }

    /// The first place from `at` on, a multiple of `step` after `from`, that has 32 bytes which are not all zero.
    fn next_candidate(&self, mut at: usize, from: usize, step: usize) -> Option<usize> {
        loop {
            let data = usize::try_from(self.next_data(at as u64)?).ok()?;
            // The place before the data may end in it.
            let places = data.max(at).saturating_sub(from).checked_div(step)?;
            at = at.max(from.saturating_add(places.saturating_mul(step)));
            let bytes = self.bytes().get(at..at.checked_add(TRAILER_LEN)?)?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Some(at);
            }
            at = at.checked_add(step)?;
        }
    }

    /// Hashes the image, if there is a trailer, and compares.
    #[must_use]
    pub fn verify_trailer(&self) -> TrailerCheck {
        match self.trailer() {
            None => TrailerCheck::Absent,
            Some(trailer) => trailer.check(self.hash_image(self.work()).finalize().into()),
        }
    }

    /// SHA-256 of the whole file, trailer included: what `sha256sum` prints.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.verify_trailer_and_sha256().1
    }

    /// [`Source::sha256`] for a thread beside the one that answers the question: it does not count as progress.
    #[must_use]
    pub fn sha256_beside(&self) -> [u8; 32] {
        self.check_and_hash(&Work::default()).1
    }

    /// [`Source::verify_trailer`] and [`Source::sha256`] by reading the file once.
    #[must_use]
    pub fn verify_trailer_and_sha256(&self) -> (TrailerCheck, [u8; 32]) {
        self.check_and_hash(self.work())
    }

    fn check_and_hash(&self, work: &Work) -> (TrailerCheck, [u8; 32]) {
        let mut hash = self.hash_image(work);
        let Some(trailer) = self.trailer() else {
            return (TrailerCheck::Absent, hash.finalize().into());
        };
        let check = trailer.check(hash.clone().finalize().into());
        hash.update(trailer.stored);
        let end = self.image_len().saturating_add(TRAILER_LEN);
        self.hash_range(&mut hash, (end, self.bytes().len()), work);
        (check, hash.finalize().into())
    }

    /// [`Source::verify_trailer`]; and if there is a trailer, so that the file is hashed anyway, [`Source::sha256`] too.
    #[must_use]
    pub fn verify_trailer_keeping_sha256(&self) -> (TrailerCheck, Option<[u8; 32]>) {
        match self.trailer() {
            None => (TrailerCheck::Absent, None),
            Some(_) => {
                let (check, sha256) = self.verify_trailer_and_sha256();
                (check, Some(sha256))
            }
        }
    }

    /// The state of SHA-256 after the image.
    fn hash_image(&self, work: &Work) -> Sha256 {
        let mut hash = Sha256::new();
        self.hash_range(&mut hash, (0, self.image_len()), work);
        hash
    }

    /// Adds the bytes from an offset up to another.
    fn hash_range(&self, hash: &mut Sha256, (start, end): (usize, usize), work: &Work) {
        let mut offset = start;
        let bytes = self.bytes().get(start..end).unwrap_or_default();
        if start == 0 {
            work.begin(self.len_bytes);
        }
        for chunk in bytes.chunks(HASH_CHUNK) {
            let map = self.opened.as_ref().map(|opened| &opened.map);
            if let Some(map) = map {
                map.prefetch(offset, chunk.len());
            }
            hash.update(chunk);
            if let Some(map) = map {
                map.forget(offset, chunk.len());
            }
            offset += chunk.len();
            work.add(chunk.len() as u64);
        }
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
