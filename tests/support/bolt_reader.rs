//! An independent reader of bbolt files for tests: it shares no code with `src`, and reads what is written only if it is
//! exactly as bbolt writes it. Anything else panics.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

/// The buckets of a file, each with its pairs in order.
pub type Buckets = BTreeMap<String, Vec<(Vec<u8>, Vec<u8>)>>;

/// A file that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    pub page_size: usize,
    pub high_water_mark: u64,
    pub buckets: Buckets,
    /// The names of the buckets that are inline.
    pub inline: BTreeSet<String>,
    /// The largest number of levels of a tree.
    pub depth: usize,
}

struct Reader<'r> {
    bytes: &'r [u8],
    page_size: usize,
    used: BTreeSet<u64>,
    depth: usize,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Reads a file, with its trailer if it has one.
pub fn read(bytes: &[u8], has_trailer: bool) -> File {
    let bytes = match has_trailer {
        true => {
            let (image, trailer) = bytes.split_at(bytes.len() - 32);
            assert_eq!(Sha256::digest(image).as_slice(), trailer, "the trailer");
            image
        }
        false => bytes,
    };
    let page_size = u32_at(bytes, 24) as usize;
    let metas: Vec<_> = [0, page_size].iter().map(|at| meta(bytes, *at)).collect();
    assert_eq!((metas[0].0, metas[0].1), (metas[1].0, metas[1].1));
    assert_eq!(metas[0].2.abs_diff(metas[1].2), 1, "the transactions");
    for (slot, meta) in metas.iter().enumerate() {
        assert_eq!(meta.2 % 2, slot as u64, "a transaction in its own slot");
    }
    let (root, high_water_mark, _) = metas[0];
    assert_eq!(bytes.len() as u64, high_water_mark * page_size as u64);
    let mut reader = Reader {
        bytes,
        page_size,
        used: BTreeSet::from([0, 1]),
        depth: 0,
    };
    let mut root_elements = Vec::new();
    reader.tree(root, None, 1, &mut root_elements);
    let mut buckets = Buckets::new();
    let mut inline = BTreeSet::new();
    for (flags, name, value) in root_elements {
        assert_eq!(flags, 1, "the root has buckets only");
        assert_eq!(u64_at(&value, 8), 0, "the sequence");
        let name = String::from_utf8_lossy(&name).into_owned();
        let mut elements = Vec::new();
        match u64_at(&value, 0) {
            0 => {
                assert!(value.len() - 16 <= page_size / 4, "too long to be inline");
                assert_eq!(u64_at(&value, 16), 0, "the id of an inline page");
                leaf(&value[16..], value.len() - 16, &mut elements);
                inline.insert(name.clone());
            }
            pgid => reader.tree(pgid, None, 1, &mut elements),
        }
        assert!(elements.is_sorted_by(|a, b| a.1 < b.1), "{name}: the order");
        let pairs = elements.into_iter().map(|(flags, key, value)| {
            assert_eq!(flags, 0);
            (key, value)
        });
        buckets.insert(name, pairs.collect());
    }
    assert_eq!(reader.used.len() as u64, high_water_mark, "unused pages");
    File {
        page_size,
        high_water_mark,
        buckets,
        inline,
        depth: reader.depth,
    }
}

/// Root, high-water mark and transaction of a meta page.
fn meta(bytes: &[u8], at: usize) -> (u64, u64, u64) {
    let page = &bytes[at..];
    assert_eq!(u16_at(page, 8), 4, "a meta page");
    assert_eq!(u32_at(page, 16), 0xED0C_DAED);
    assert_eq!(u32_at(page, 20), 2);
    assert_eq!((u32_at(page, 28), u64_at(page, 40)), (0, 0));
    assert_eq!(u64_at(page, 48), u64::MAX, "no freelist");
    let sum = page[16..72]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    assert_eq!(u64_at(page, 72), sum, "the checksum of a meta page");
    (u64_at(page, 32), u64_at(page, 56), u64_at(page, 64))
}

type Elements = Vec<(u32, Vec<u8>, Vec<u8>)>;

impl Reader<'_> {
    fn tree(&mut self, pgid: u64, first: Option<&[u8]>, depth: usize, to: &mut Elements) {
        self.depth = self.depth.max(depth);
        let start = pgid as usize * self.page_size;
        let page = &self.bytes[start..];
        assert_eq!(u64_at(page, 0), pgid, "the id of a page");
        let overflow = u64::from(u32_at(page, 12));
        for used in pgid..=pgid + overflow {
            assert!(self.used.insert(used), "page {used} is used twice");
        }
        let length = (overflow as usize + 1) * self.page_size;
        match u16_at(page, 8) {
            2 => {
                let before = to.len();
                let end = leaf(page, length, to);
                assert!(end > length - self.page_size, "too many overflow pages");
                let key = to.get(before).map(|element| element.1.as_slice());
                assert!(first.is_none() || key == first, "the separator");
            }
            1 => {
                let count = usize::from(u16_at(page, 10));
                assert!(count >= 2, "a branch of {count} children");
                let mut end = 16 + 16 * count;
                for index in 0..count {
                    let at = 16 + 16 * index;
                    let key_at = at + u32_at(page, at) as usize;
                    let key_len = u32_at(page, at + 4) as usize;
                    assert_eq!(key_at, end, "a gap before a key");
                    end += key_len;
                    let key = page[key_at..end].to_vec();
                    if index == 0 {
                        assert!(first.is_none() || first == Some(&key), "the separator");
                    }
                    self.tree(u64_at(page, at + 8), Some(&key), depth + 1, to);
                }
                assert!(page[end..length].iter().all(|byte| *byte == 0));
            }
            flags => panic!("page {pgid} has flags {flags}"),
        }
    }
}

/// Reads a leaf page of this length; gives the end of its last value.
fn leaf(page: &[u8], length: usize, to: &mut Elements) -> usize {
    assert_eq!(u16_at(page, 8), 2, "a leaf");
    let count = usize::from(u16_at(page, 10));
    let mut end = 16 + 16 * count;
    for index in 0..count {
        let at = 16 + 16 * index;
        let key_at = at + u32_at(page, at + 4) as usize;
        assert_eq!(key_at, end, "a gap before a key");
        let value_at = key_at + u32_at(page, at + 8) as usize;
        end = value_at + u32_at(page, at + 12) as usize;
        to.push((
            u32_at(page, at),
            page[key_at..value_at].to_vec(),
            page[value_at..end].to_vec(),
        ));
    }
    assert!(page[end..length].iter().all(|byte| *byte == 0), "the slack");
    end
}
