//! Named corruptions: the single hostile files, the exhaustive ones, and torn
//! mixes of two copies. See `mutate` for the random ones.

use super::mutate::Outline;
use super::page::{self, HEADER_LEN};

/// A corrupted image and what is wrong with it.
pub type Fault = (String, Vec<u8>);

/// Sets one field of a meta page and redoes its checksum. `field` is the
/// offset in the page (24 pageSize, 32 root, 48 freelist, 56 high-water mark,
/// 64 txid), `width` 4 or 8 bytes.
pub fn with_meta(image: &[u8], meta: u64, field: usize, width: usize, value: u64) -> Vec<u8> {
    let outline = Outline::of(image).expect("not a bbolt file");
    let mut bytes = image.to_vec();
    let start = meta as usize * outline.page_size;
    if width == 4 {
        outline
            .endian
            .put_u32(&mut bytes, start + field, value as u32);
    } else {
        outline.endian.put_u64(&mut bytes, start + field, value);
    }
    page::seal_meta(outline.endian, &mut bytes[start..]);
    bytes
}

/// Every field of the current meta (or of both) with every hostile value, the
/// checksum right.
pub fn hostile_metas(image: &[u8], both: bool) -> Vec<Fault> {
    let outline = Outline::of(image).expect("not a bbolt file");
    let pages = [
        0,
        1,
        outline.high_water_mark,
        outline.meta,
        1 << 40,
        u64::MAX,
    ];
    let mut cases: Vec<(&str, usize, usize, u64)> = Vec::new();
    let size = outline.page_size as u64;
    for size in [
        0,
        1,
        3,
        511,
        size / 2,
        size * 2,
        1 << 24,
        1 << 25,
        1 << 31,
        u64::from(u32::MAX),
    ] {
        cases.push(("pageSize", 24, 4, size));
    }
    for version in [0, 1, 3] {
        cases.push(("version", 20, 4, version));
    }
    cases.push(("magic", 16, 4, 0));
    for page in pages {
        cases.push(("root", 32, 8, page));
        cases.push(("freelist", 48, 8, page));
    }
    cases.push(("root", 32, 8, outline.freelist));
    for mark in [0, 1, 2, outline.root, 1 << 40, u64::MAX] {
        cases.push(("high-water mark", 56, 8, mark));
    }
    for txid in [0, u64::MAX] {
        cases.push(("txid", 64, 8, txid));
    }
    let mut faults = Vec::new();
    for (name, field, width, value) in cases {
        let mut bytes = with_meta(image, outline.meta, field, width, value);
        if both {
            // The outline is missing if pageSize or magic went first.
            let order = outline.endian;
            let start = (1 - outline.meta) as usize * outline.page_size;
            match width {
                4 => order.put_u32(&mut bytes, start + field, value as u32),
                _ => order.put_u64(&mut bytes, start + field, value),
            }
            page::seal_meta(order, &mut bytes[start..]);
        }
        let which = if both {
            "both metas"
        } else {
            "the current meta"
        };
        faults.push((format!("{name} {value:#x} in {which}"), bytes));
    }
    faults
}

/// Nine single hostile files: those on which other checkers hang or crash.
/// The ones about branches are left out where the file has none.
pub fn singles(image: &[u8]) -> Vec<Fault> {
    let outline = Outline::of(image).expect("not a bbolt file");
    let size = outline.page_size;
    let order = outline.endian;
    let named = |name: &str, bytes: Vec<u8>| (name.to_string(), bytes);
    let mut faults = vec![
        named(
            "high-water mark 2^40 in the current meta",
            with_meta(image, outline.meta, 56, 8, 1 << 40),
        ),
        named("cut to 60 percent", image[..image.len() * 6 / 10].to_vec()),
        named("cut after the metas", image[..2 * size].to_vec()),
    ];
    let mut zeroed = image.to_vec();
    zeroed[..2 * size].fill(0);
    faults.push(named("both metas zeroed", zeroed));
    let mut rootless = image.to_vec();
    let root = outline.root as usize * size;
    rootless[root..root + size].fill(0);
    faults.push(named("root page zeroed", rootless));
    let mut huge = image.to_vec();
    order.put_u32(&mut huge, root + 12, u32::MAX);
    faults.push(named("overflow of the root page 2^32-1", huge));
    let mut crowded = image.to_vec();
    order.put_u16(&mut crowded, root + 10, 0xFFFF);
    faults.push(named("count of the root page 65535", crowded));
    let branch = outline
        .reached
        .iter()
        .find(|p| p.flags == page::BRANCH && p.count > 1);
    if let Some(branch) = branch {
        let at = branch.id as usize * size;
        let mut cycle = image.to_vec();
        order.put_u64(&mut cycle, at + HEADER_LEN + 8, branch.id);
        faults.push(named("a branch is its own child", cycle));
        let mut doubled = image.to_vec();
        let first = order.get_u64(image, at + HEADER_LEN + 8).unwrap_or(0);
        order.put_u64(&mut doubled, at + 2 * HEADER_LEN + 8, first);
        faults.push(named("a child with two references", doubled));
    }
    faults
}

/// The image cut at every page boundary (0 first).
pub fn cuts_at_pages(image: &[u8]) -> impl Iterator<Item = &[u8]> {
    let outline = Outline::of(image).expect("not a bbolt file");
    let size = outline.page_size;
    (0..image.len().div_ceil(size)).map(move |pages| &image[..pages * size])
}

/// The bytes to try in the place of `old`: 00, FF, +1 and each bit flipped,
/// without `old` itself.
pub fn byte_changes(old: u8) -> Vec<u8> {
    let mut values = vec![0x00, 0xFF, old.wrapping_add(1)];
    values.extend((0..8).map(|bit| old ^ (1 << bit)));
    values.sort_unstable();
    values.dedup();
    values.retain(|value| *value != old);
    values
}

/// A torn copy: page `i` is from `newer` where `take_newer(i)`, else from
/// `older`; beyond the end of one it is from the other.
pub fn mix_pages(older: &[u8], newer: &[u8], take_newer: impl Fn(u64) -> bool) -> Vec<u8> {
    let size = Outline::of(newer).expect("not a bbolt file").page_size;
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < older.len().max(newer.len()) {
        let page = |file: &[u8]| {
            let end = (at + size).min(file.len());
            file.get(at..end).unwrap_or_default().to_vec()
        };
        let (first, second) = if take_newer((at / size) as u64) {
            (page(newer), page(older))
        } else {
            (page(older), page(newer))
        };
        bytes.extend(if first.is_empty() { second } else { first });
        at += size;
    }
    bytes
}
