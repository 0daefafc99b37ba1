//! What a file is by its first bytes, and the decoders of compressed ones.

use std::io::{self, BufRead, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use lzma_rust2::XzReader;

use super::lzw::LzwReader;
use super::zstd::ZstdReader;
use crate::sniff::sniff;

/// How many bytes of a file decide what it is: the second meta page of a database is at most 64 KiB after its start.
pub(super) const HEAD_LEN: usize = (1 << 16) + 4096;

/// The same.
pub(super) const HEAD_BYTES: u64 = HEAD_LEN as u64;

/// The dictionary of xz that is allocated at most, in KiB: `xz -9` uses 64 MiB, and a header may claim 4 GiB.
const XZ_MEMORY_KIB: u32 = 256 << 10;

/// The first bytes of bbolt's magic number in a meta page, in both byte orders, after the page header.
const BBOLT_MAGIC: [&[u8]; 2] = [b"\xed\xda\x0c\xed", b"\xed\x0c\xda\xed"];

/// Length of the header of a page of bbolt.
const PAGE_HEADER: usize = 16;

/// A method of compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zlib,
    Lzw,
    Zstd,
    Xz,
    Bzip2,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A database, by the magic number of a meta page.
    Database,
    /// A delta snapshot of etcd-backup-restore.
    Delta,
    /// Compressed, and whether it is known that a database is in it.
    Compressed(Packing, bool),
    Tar,
    Zip,
    /// A segment of etcd's write-ahead log.
    Log,
    Other,
}

impl Content {
    /// The content that begins with these bytes.
    pub(super) fn read(head: &[u8]) -> Self {
        // The database that is the first member of an archive begins where a second meta page of 512 bytes would.
        if is_tar(head) {
            return Self::Tar;
        }
        if is_database(head) {
            return Self::Database;
        }
        if is_delta(head) {
            return Self::Delta;
        }
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return Self::Zip;
        }
        if let Some(packing) = Packing::strong(head) {
            let inside = packing.inside(head);
            return Self::Compressed(packing, matches!(inside, Self::Database));
        }
        // These two have no magic number: what they unpack to has to be known.
        for packing in [Packing::Zlib, Packing::Lzw] {
            if packing.may_be(head) {
                match packing.inside(head) {
                    Self::Database => return Self::Compressed(packing, true),
                    Self::Delta => return Self::Compressed(packing, false),
                    _ => {}
                }
            }
        }
        let is_log = sniff(head, head.len() as u64).is_some_and(|name| name.contains("(WAL)"));
        if is_log { Self::Log } else { Self::Other }
    }
}

impl Packing {
    /// The method whose magic number these bytes begin with.
    fn strong(head: &[u8]) -> Option<Self> {
        let starts = |magic: &[u8]| head.starts_with(magic);
        if starts(b"\x1f\x8b\x08") {
            return Some(Self::Gzip);
        }
        if starts(b"\x28\xb5\x2f\xfd") {
            return Some(Self::Zstd);
        }
        if starts(b"\xfd7zXZ\0") {
            return Some(Self::Xz);
        }
        let is_bzip2 = starts(b"BZh") && head.get(4..10).is_some_and(|magic| magic == b"1AY&SY");
        is_bzip2.then_some(Self::Bzip2)
    }

    /// Whether a method without a magic number is possible.
    fn may_be(self, head: &[u8]) -> bool {
        let Some([first, second]) = head.first_chunk::<2>() else {
            return false;
        };
        let [first, second] = [*first, *second];
        match self {
            // RFC 1950: deflate, a window of at most 32 KiB, no dictionary, and the check of both bytes.
            Self::Zlib => {
                let both = u16::from_be_bytes([first, second]);
                first & 0x0f == 8 && first >> 4 <= 7 && both % 31 == 0 && second & 0x20 == 0
            }
            // Go's writer begins with the code that clears the table: 256 in 9 bits, the lowest first.
            Self::Lzw => first == 0 && second & 1 == 1,
            _ => false,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Lzw => "lzw",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    /// What is in a compressed file that begins with these bytes, as far as they show it.
    fn inside(self, head: &[u8]) -> Content {
        let (inside, _) = peek(&mut self.reader(head));
        if is_tar(&inside) {
            Content::Tar
        } else if is_database(&inside) {
            Content::Database
        } else if is_delta(&inside) {
            Content::Delta
        } else {
            Content::Other
        }
    }

    /// The unpacked bytes.
    pub(super) fn reader<'r>(self, input: impl BufRead + 'r) -> Box<dyn Read + 'r> {
        match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(input)),
            Self::Zlib => Box::new(ZlibDecoder::new(input)),
            Self::Lzw => Box::new(LzwReader::new(input)),
            Self::Zstd => Box::new(ZstdReader::new(input)),
            Self::Xz => Box::new(XzReader::new_mem_limit(input, true, XZ_MEMORY_KIB)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(input)),
        }
    }
}

/// The first bytes of a reader, and why there are no more, if that is an error.
pub(super) fn peek(reader: &mut dyn Read) -> (Vec<u8>, Option<io::Error>) {
    let mut head = Vec::new();
    let failed = reader.take(HEAD_BYTES).read_to_end(&mut head).err();
    (head, failed)
}

fn is_database(head: &[u8]) -> bool {
    let sizes = (9..=16).map(|bits| 1_usize << bits);
    let mut metas = std::iter::once(0).chain(sizes);
    metas.any(|page| {
        let magic = head
            .get(page.saturating_add(PAGE_HEADER)..)
            .unwrap_or_default();
        // The version follows the magic number.
        let version = magic.get(4..8);
        let is_version = version == Some(&[2, 0, 0, 0]) || version == Some(&[0, 0, 0, 2]);
        is_version && BBOLT_MAGIC.iter().any(|bytes| magic.starts_with(bytes))
    })
}

/// Whether bytes begin as a delta snapshot of etcd-backup-restore: a JSON array of events.
pub(super) fn is_delta(head: &[u8]) -> bool {
    let head = head
        .strip_prefix(b"[")
        .unwrap_or_default()
        .trim_ascii_start();
    let head = head
        .strip_prefix(b"{")
        .unwrap_or_default()
        .trim_ascii_start();
    head.starts_with(b"\"etcdEvent\"")
}

/// Whether bytes begin with the header of a member of a tar archive: by its checksum, which every form of tar has. The
/// member of a pax header may have no name.
pub(super) fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<512>() else {
        return false;
    };
    let stored = header.get(148..156).unwrap_or_default();
    let digits = stored.trim_ascii_start();
    let digits: Vec<u8> = digits
        .iter()
        .copied()
        .take_while(|b| (b'0'..=b'7').contains(b))
        .collect();
    let stored = str::from_utf8(&digits)
        .ok()
        .and_then(|digits| u32::from_str_radix(digits, 8).ok());
    let bytes = header.iter().enumerate();
    let counted = bytes.map(|(at, byte)| match (148..156).contains(&at) {
        true => u32::from(b' '),
        false => u32::from(*byte),
    });
    stored == Some(counted.sum())
}
