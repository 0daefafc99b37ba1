//! Single pages of a bbolt file, written byte by byte in either byte order.
//!
//! Formats: bbolt `internal/common/page.go`, `meta.go`, `inode.go`. Nothing
//! here is shared with the reader under test.

/// `flags` of a branch page.
pub const BRANCH: u16 = 0x01;
/// `flags` of a leaf page.
pub const LEAF: u16 = 0x02;
/// `flags` of a meta page.
pub const META: u16 = 0x04;
/// `flags` of a freelist page.
pub const FREELIST: u16 = 0x10;
/// `flags` of a leaf element which is a nested bucket.
pub const BUCKET_ELEMENT: u32 = 0x01;
/// Size of the page header, and of a branch or leaf element, in bytes.
pub const HEADER_LEN: usize = 16;
/// The freelist pgid of a file whose freelist is not persisted.
pub const NO_FREELIST: u64 = u64::MAX;
/// First field of a meta page.
pub const MAGIC: u32 = 0xED0C_DAED;

/// Byte order of the machine that wrote the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// amd64, arm64, ppc64le, riscv64.
    Little,
    /// s390x.
    Big,
}

impl Endian {
    /// Writes `value` at `at`.
    pub fn put_u16(self, bytes: &mut [u8], at: usize, value: u16) {
        let raw = match self {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        bytes[at..at + 2].copy_from_slice(&raw);
    }

    /// Writes `value` at `at`.
    pub fn put_u32(self, bytes: &mut [u8], at: usize, value: u32) {
        let raw = match self {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        bytes[at..at + 4].copy_from_slice(&raw);
    }

    /// Writes `value` at `at`.
    pub fn put_u64(self, bytes: &mut [u8], at: usize, value: u64) {
        let raw = match self {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        };
        bytes[at..at + 8].copy_from_slice(&raw);
    }

    /// Reads the number at `at`; `None` where it is not wholly inside.
    pub fn get_u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(match self {
            Endian::Little => u16::from_le_bytes(raw),
            Endian::Big => u16::from_be_bytes(raw),
        })
    }

    /// Reads the number at `at`; `None` where it is not wholly inside.
    pub fn get_u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self {
            Endian::Little => u32::from_le_bytes(raw),
            Endian::Big => u32::from_be_bytes(raw),
        })
    }

    /// Reads the number at `at`; `None` where it is not wholly inside.
    pub fn get_u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let raw = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(match self {
            Endian::Little => u64::from_le_bytes(raw),
            Endian::Big => u64::from_be_bytes(raw),
        })
    }
}

/// FNV-1a, 64 bits: the checksum of a meta page.
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Writes a page header at the beginning of `page`.
pub fn put_header(order: Endian, page: &mut [u8], id: u64, flags: u16, count: u16, overflow: u32) {
    order.put_u64(page, 0, id);
    order.put_u16(page, 8, flags);
    order.put_u16(page, 10, count);
    order.put_u32(page, 12, overflow);
}

/// The fields of a meta page; the checksum is computed when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// 0xED0CDAED in a good file.
    pub magic: u32,
    /// 2 in a good file.
    pub version: u32,
    /// Page size in bytes.
    pub page_size: u32,
    /// 0 in a good file.
    pub flags: u32,
    /// Page of the root bucket.
    pub root: u64,
    /// Sequence of the root bucket.
    pub sequence: u64,
    /// Page of the freelist, or [`NO_FREELIST`].
    pub freelist: u64,
    /// First page never allocated (the field named pgid upstream).
    pub high_water_mark: u64,
    /// Transaction that wrote it.
    pub txid: u64,
}

impl Meta {
    /// Writes header, struct and checksum into `page`, the page `id`.
    pub fn put(&self, order: Endian, page: &mut [u8], id: u64) {
        put_header(order, page, id, META, 0, 0);
        order.put_u32(page, 16, self.magic);
        order.put_u32(page, 20, self.version);
        order.put_u32(page, 24, self.page_size);
        order.put_u32(page, 28, self.flags);
        order.put_u64(page, 32, self.root);
        order.put_u64(page, 40, self.sequence);
        order.put_u64(page, 48, self.freelist);
        order.put_u64(page, 56, self.high_water_mark);
        order.put_u64(page, 64, self.txid);
        seal_meta(order, page);
    }
}

/// Redoes the checksum of the meta page whose bytes begin at `page[0]`.
pub fn seal_meta(order: Endian, page: &mut [u8]) {
    let sum = fnv1a64(&page[16..72]);
    order.put_u64(page, 72, sum);
}

/// One element of a leaf page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafElement {
    /// [`BUCKET_ELEMENT`] or 0; other values are hostile.
    pub flags: u32,
    /// Key bytes.
    pub key: Vec<u8>,
    /// Value bytes.
    pub value: Vec<u8>,
}

impl LeafElement {
    /// Bytes it takes in a page: element header, key and value.
    pub fn len(&self) -> usize {
        HEADER_LEN + self.key.len() + self.value.len()
    }
}

/// Bytes of a leaf page with these elements, header included, unpadded.
pub fn leaf_len(elements: &[LeafElement]) -> usize {
    HEADER_LEN + elements.iter().map(LeafElement::len).sum::<usize>()
}

/// Writes a leaf page image without padding: what an inline bucket holds.
pub fn leaf_image(order: Endian, id: u64, overflow: u32, elements: &[LeafElement]) -> Vec<u8> {
    let mut out = vec![0; HEADER_LEN * (1 + elements.len())];
    let count = u16::try_from(elements.len()).expect("at most 65535 elements in a page");
    put_header(order, &mut out, id, LEAF, count, overflow);
    for (i, element) in elements.iter().enumerate() {
        let at = HEADER_LEN * (1 + i);
        let pos = out.len() - at;
        order.put_u32(&mut out, at, element.flags);
        order.put_u32(&mut out, at + 4, pos as u32);
        order.put_u32(&mut out, at + 8, element.key.len() as u32);
        order.put_u32(&mut out, at + 12, element.value.len() as u32);
        out.extend_from_slice(&element.key);
        out.extend_from_slice(&element.value);
    }
    out
}

/// Bytes of a branch page with these elements, header included, unpadded.
pub fn branch_len(keys: &[Vec<u8>]) -> usize {
    HEADER_LEN + keys.iter().map(|key| HEADER_LEN + key.len()).sum::<usize>()
}

/// Writes a branch page image without padding.
pub fn branch_image(order: Endian, id: u64, overflow: u32, elements: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let mut out = vec![0; HEADER_LEN * (1 + elements.len())];
    let count = u16::try_from(elements.len()).expect("at most 65535 elements in a page");
    put_header(order, &mut out, id, BRANCH, count, overflow);
    for (i, (key, child)) in elements.iter().enumerate() {
        let at = HEADER_LEN * (1 + i);
        let pos = out.len() - at;
        order.put_u32(&mut out, at, pos as u32);
        order.put_u32(&mut out, at + 4, key.len() as u32);
        order.put_u64(&mut out, at + 8, *child);
        out.extend_from_slice(key);
    }
    out
}

/// Bytes of a freelist page with `n` ids, header included, unpadded.
pub fn freelist_len(n: usize) -> usize {
    HEADER_LEN + 8 * n + if n >= 0xFFFF { 8 } else { 0 }
}

/// Writes a freelist page image without padding; from 65535 ids on the count
/// is in the first eight bytes of the body.
pub fn freelist_image(order: Endian, id: u64, overflow: u32, ids: &[u64]) -> Vec<u8> {
    let mut out = vec![0; freelist_len(ids.len())];
    let mut at = HEADER_LEN;
    let count = if ids.len() >= 0xFFFF {
        order.put_u64(&mut out, at, ids.len() as u64);
        at += 8;
        0xFFFF
    } else {
        ids.len() as u16
    };
    put_header(order, &mut out, id, FREELIST, count, overflow);
    for free in ids {
        order.put_u64(&mut out, at, *free);
        at += 8;
    }
    out
}

/// Bytes of a bucket's value in its parent's leaf: root and sequence.
pub fn bucket_header(order: Endian, root: u64, sequence: u64) -> Vec<u8> {
    let mut out = vec![0; 16];
    order.put_u64(&mut out, 0, root);
    order.put_u64(&mut out, 8, sequence);
    out
}
