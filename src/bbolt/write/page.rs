//! Builds single pages, counts them, and writes them one after another.
//!
//! Layouts: see [`crate::bbolt::page`] and [`crate::bbolt::meta`].

use std::io::{self, Write};

use sha2::Digest;

use crate::bbolt::meta::{MAGIC, NO_FREELIST, VERSION, fnv1a};
use crate::bbolt::page::{ELEMENT_BYTES, HEADER_BYTES, MAX_KEY_BYTES, Pgid};
use crate::bytes::ByteOrder;

use super::hashing::Hashing;

/// bbolt counts elements in 16 bits, and 0xFFFF has another meaning in a freelist page.
const MAX_ELEMENTS: usize = 0xFFFE;

/// The longest value that bbolt writes, in bytes (`MaxValueSize`).
const MAX_VALUE_BYTES: usize = (1 << 31) - 2;

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The system's reason.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The keys of a bucket are not in strictly ascending order.
    #[error("the keys of a bucket are not in ascending order")]
    Order,
    /// A key that is empty or too long, or a value that is too long. bbolt refuses these.
    #[error("a key of {key} bytes with a value of {value} bytes, which bbolt refuses")]
    Length {
        /// Length of the key in bytes.
        key: usize,
        /// Length of the value in bytes.
        value: usize,
    },
    /// The second walk over the pairs gave other pairs than the first one.
    #[error("the source changed while it was copied")]
    Changed,
    /// A number does not fit its field.
    #[error("the file would be larger than bbolt supports")]
    TooLarge,
}

/// The kind of a page in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Leaf,
    Branch,
}

/// One element of a page. Its key and its value are in the body of the page.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// In a leaf: the flags of the element. In a branch: 0.
    flags: u32,
    key_bytes: usize,
    value_bytes: usize,
    /// In a branch: the child page. In a leaf: 0.
    child: u64,
}

/// A page that is being filled.
#[derive(Debug)]
pub(super) struct OpenPage {
    kind: Kind,
    entries: Vec<Entry>,
    /// The keys and values, in the order of the elements. While pages are only counted, the body of a leaf stays empty.
    body: Vec<u8>,
    /// The key of the first element: the branch page above names the page by it.
    first_key: Vec<u8>,
    /// Length of header, elements, keys and values.
    len_bytes: usize,
}

/// The length of an element with its key and its value, in bytes.
///
/// # Errors
/// [`WriteError::Length`], if bbolt refuses such a key or value.
fn entry_bytes(key: usize, value: usize) -> Result<usize, WriteError> {
    let is_key_accepted =
        key > 0 && u64::try_from(key).is_ok_and(|key| key <= u64::from(MAX_KEY_BYTES));
    if !is_key_accepted || value > MAX_VALUE_BYTES {
        return Err(WriteError::Length { key, value });
    }
    let sum = ELEMENT_BYTES
        .checked_add(key)
        .and_then(|sum| sum.checked_add(value));
    sum.ok_or(WriteError::TooLarge)
}

impl OpenPage {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            entries: Vec::new(),
            body: Vec::new(),
            first_key: Vec::new(),
            len_bytes: HEADER_BYTES,
        }
    }

    /// Number of elements.
    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn first_key(&self) -> &[u8] {
        &self.first_key
    }

    pub(super) fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// Whether one more element, with a key and a value of these lengths, fits into a page of this size.
    pub(super) fn has_room(
        &self,
        key: usize,
        value: usize,
        page_size: usize,
    ) -> Result<bool, WriteError> {
        let len = self.len_bytes.checked_add(entry_bytes(key, value)?);
        let len = len.ok_or(WriteError::TooLarge)?;
        Ok(len <= page_size && self.entries.len() < MAX_ELEMENTS)
    }

    /// Adds a pair to a leaf. If `keeps` is false, only the lengths of key and value are kept: the page is counted, not
    /// written.
    pub(super) fn add(
        &mut self,
        flags: u32,
        key: &[u8],
        value: &[u8],
        keeps: bool,
    ) -> Result<(), WriteError> {
        self.push(Entry {
            flags,
            key_bytes: key.len(),
            value_bytes: value.len(),
            child: 0,
        })?;
        if self.entries.len() == 1 {
            self.first_key.clear();
            self.first_key.extend_from_slice(key);
        }
        if keeps {
            self.body.extend_from_slice(key);
            self.body.extend_from_slice(value);
        }
        Ok(())
    }

    /// Adds a child page to a branch, with the first key of the child.
    pub(super) fn add_child(&mut self, key: &[u8], child: u64) -> Result<(), WriteError> {
        self.push(Entry {
            flags: 0,
            key_bytes: key.len(),
            value_bytes: 0,
            child,
        })?;
        if self.entries.len() == 1 {
            self.first_key.clear();
            self.first_key.extend_from_slice(key);
        }
        self.body.extend_from_slice(key);
        Ok(())
    }

    /// Adds an element, and its length to that of the page. The caller adds its key and value to the body.
    fn push(&mut self, entry: Entry) -> Result<(), WriteError> {
        let bytes = entry_bytes(entry.key_bytes, entry.value_bytes)?;
        let len = self.len_bytes.checked_add(bytes);
        self.len_bytes = len.ok_or(WriteError::TooLarge)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Removes the last child of a branch, and returns its key and its page. The body of a branch always has the
    /// keys, also while pages are only counted.
    pub(super) fn take_last_child(&mut self) -> Option<(Vec<u8>, u64)> {
        let entry = self.entries.pop()?;
        let at = self.body.len().saturating_sub(entry.key_bytes);
        let key = self.body.split_off(at);
        let bytes = ELEMENT_BYTES.saturating_add(entry.key_bytes);
        self.len_bytes = self.len_bytes.saturating_sub(bytes);
        Some((key, entry.child))
    }

    /// Empties the page, but keeps its memory for the next one.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.body.clear();
        self.first_key.clear();
        self.len_bytes = HEADER_BYTES;
    }

    /// The page as bytes, without the zeros after its last element. `pgid` is 0 in an inline page.
    pub(super) fn image(
        &self,
        pgid: u64,
        overflow: u32,
        order: ByteOrder,
    ) -> Result<Vec<u8>, WriteError> {
        let mut image = Vec::with_capacity(self.len_bytes);
        let mut fields = Fields {
            to: &mut image,
            order,
        };
        fields.u64(pgid);
        fields.u16(match self.kind {
            Kind::Branch => 0x01,
            Kind::Leaf => 0x02,
        });
        fields.u16(u16::try_from(self.entries.len()).map_err(|_| WriteError::TooLarge)?);
        fields.u32(overflow);
        let narrow = |number: usize| u32::try_from(number).map_err(|_| WriteError::TooLarge);
        let table = self.entries.len().saturating_mul(ELEMENT_BYTES);
        let (mut before, mut body) = (0_usize, 0_usize);
        for entry in &self.entries {
            // The position of a key counts from the first byte of its own element, not from that of the page.
            let position = narrow(table.saturating_sub(before).saturating_add(body))?;
            match self.kind {
                Kind::Leaf => {
                    fields.u32(entry.flags);
                    fields.u32(position);
                    fields.u32(narrow(entry.key_bytes)?);
                    fields.u32(narrow(entry.value_bytes)?);
                }
                Kind::Branch => {
                    fields.u32(position);
                    fields.u32(narrow(entry.key_bytes)?);
                    fields.u64(entry.child);
                }
            }
            before = before.saturating_add(ELEMENT_BYTES);
            body = body
                .saturating_add(entry.key_bytes)
                .saturating_add(entry.value_bytes);
        }
        image.extend_from_slice(&self.body);
        Ok(image)
    }
}

/// Appends integers in the byte order of a file.
struct Fields<'f> {
    to: &'f mut Vec<u8>,
    order: ByteOrder,
}

impl Fields<'_> {
    /// Appends the bytes of an integer, given in big endian order.
    fn put(&mut self, big_endian: &[u8]) {
        match self.order {
            ByteOrder::Big => self.to.extend_from_slice(big_endian),
            ByteOrder::Little => self.to.extend(big_endian.iter().rev()),
        }
    }

    fn u16(&mut self, number: u16) {
        self.put(&number.to_be_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.put(&number.to_be_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.put(&number.to_be_bytes());
    }
}

/// The image of a meta page, without the zeros after it. Its checksum covers the fields of the meta, not the page
/// header.
fn meta_page(slot: u64, meta: &NewMeta, order: ByteOrder) -> Vec<u8> {
    let mut body = Vec::new();
    let mut fields = Fields {
        to: &mut body,
        order,
    };
    fields.u32(MAGIC);
    fields.u32(VERSION);
    fields.u32(meta.page_size);
    // Flags, which are always 0.
    fields.u32(0);
    fields.u64(meta.root.0);
    // The sequence of the root bucket.
    fields.u64(0);
    fields.u64(NO_FREELIST);
    fields.u64(meta.high_water_mark);
    // A transaction writes meta page txid % 2, so the other meta page has the txid before it.
    let is_newest = meta.txid % 2 == slot;
    fields.u64(meta.txid.saturating_sub(u64::from(!is_newest)));
    let checksum = fnv1a(&body);
    let mut page = Vec::new();
    let mut fields = Fields {
        to: &mut page,
        order,
    };
    // The page header: id, kind (a meta page), number of elements, overflow.
    fields.u64(slot);
    fields.u16(0x04);
    fields.u16(0);
    fields.u32(0);
    page.extend_from_slice(&body);
    let mut fields = Fields {
        to: &mut page,
        order,
    };
    fields.u64(checksum);
    page
}

/// What both meta pages state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewMeta {
    pub(super) page_size: u32,
    pub(super) root: Pgid,
    /// The first page id that is not used.
    pub(super) high_water_mark: u64,
    pub(super) txid: u64,
}

/// How many bytes are written and hashed at once.
const CHUNK_BYTES: usize = 1 << 18;

/// The file that is written to, its length so far, and the SHA-256 of what was written.
pub(super) struct File<'w> {
    to: &'w mut dyn Write,
    hash: Hashing,
    /// The bytes that are not written yet.
    chunk: Vec<u8>,
    written_bytes: u64,
}

impl<'w> File<'w> {
    pub(super) fn new(to: &'w mut dyn Write) -> Self {
        Self {
            to,
            hash: Hashing::new(),
            chunk: Vec::new(),
            written_bytes: 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        // A long value has many pages: it is not copied as a whole.
        for part in bytes.chunks(CHUNK_BYTES) {
            self.chunk.extend_from_slice(part);
            if self.chunk.len() >= CHUNK_BYTES {
                self.write_chunk()?;
            }
        }
        self.written_bytes = self.written_bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Fills a page up with zeros: `len` bytes of it were written, and it has `whole` bytes.
    fn pad(&mut self, len: usize, whole: usize) -> Result<(), WriteError> {
        const ZEROS: [u8; 4096] = [0; 4096];
        let mut left = whole.saturating_sub(len);
        while let Some(zeros) = ZEROS.get(..left.min(ZEROS.len())).filter(|z| !z.is_empty()) {
            self.write(zeros)?;
            left = left.saturating_sub(zeros.len());
        }
        Ok(())
    }

    /// Writes what is not written yet, and passes it on to the hash.
    fn write_chunk(&mut self) -> Result<(), WriteError> {
        self.to.write_all(&self.chunk)?;
        let chunk = std::mem::take(&mut self.chunk);
        self.chunk = self.hash.add(chunk);
        Ok(())
    }

    /// Ends the file, optionally with a trailer: the SHA-256 of everything before it. Returns the length and the
    /// SHA-256 of the file, both with the trailer.
    pub(super) fn finish(mut self, has_trailer: bool) -> Result<(u64, [u8; 32]), WriteError> {
        self.write_chunk()?;
        let stopped = || io::Error::other("the thread that computes the SHA-256 stopped");
        let mut hash = self.hash.finish().ok_or_else(stopped)?;
        if has_trailer {
            let trailer: [u8; 32] = hash.clone().finalize().into();
            self.to.write_all(&trailer)?;
            hash.update(trailer);
            self.written_bytes = self.written_bytes.saturating_add(trailer.len() as u64);
        }
        self.to.flush()?;
        Ok((self.written_bytes, hash.finalize().into()))
    }
}

/// Gives each finished page the next id. Then it writes the page, or only counts it.
pub(super) struct PageWriter<'w> {
    /// The id of the next page.
    next: u64,
    page_size: usize,
    order: ByteOrder,
    /// The file; none if pages are only counted.
    file: Option<File<'w>>,
}

impl<'w> PageWriter<'w> {
    /// A writer that only counts pages. Its first id is 2, after the two meta pages.
    pub(super) fn counting(page_size: usize, order: ByteOrder) -> Self {
        Self {
            next: 2,
            page_size,
            order,
            file: None,
        }
    }

    /// A writer to a file. It writes the two meta pages at once.
    pub(super) fn writing(
        mut file: File<'w>,
        page_size: usize,
        order: ByteOrder,
        meta: &NewMeta,
    ) -> Result<Self, WriteError> {
        for slot in 0..2 {
            let page = meta_page(slot, meta, order);
            file.write(&page)?;
            file.pad(page.len(), page_size)?;
        }
        Ok(Self {
            file: Some(file),
            ..Self::counting(page_size, order)
        })
    }

    pub(super) fn page_size(&self) -> usize {
        self.page_size
    }

    pub(super) fn order(&self) -> ByteOrder {
        self.order
    }

    /// Whether pages are written, not only counted. Only then the bytes of keys and values are needed.
    pub(super) fn writes(&self) -> bool {
        self.file.is_some()
    }

    /// The id of the next page.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Writes or counts a page, with as many overflow pages as it needs. Returns its id.
    pub(super) fn write(&mut self, page: &OpenPage) -> Result<u64, WriteError> {
        let pages = page.len_bytes().div_ceil(self.page_size).max(1);
        let overflow = u32::try_from(pages.saturating_sub(1)).map_err(|_| WriteError::TooLarge)?;
        let pgid = self.next;
        if let Some(file) = &mut self.file {
            let image = page.image(pgid, overflow, self.order)?;
            file.write(&image)?;
            file.pad(image.len(), pages.saturating_mul(self.page_size))?;
        }
        let next = pgid.checked_add(pages as u64);
        self.next = next.ok_or(WriteError::TooLarge)?;
        Ok(pgid)
    }

    /// The file, after its last page; none if pages were only counted.
    pub(super) fn into_file(self) -> Option<File<'w>> {
        self.file
    }
}
