//! Damage to whole files that gets past the first check: a meta page's checksum is redone after every
//! change, and every other change is aimed at a field.

use crate::synth::Endian;
use crate::synth::mutate;
use crate::synth::page;

/// Changes the first `size` bytes of `data` in place, which has room for `max_size`; gives the new size.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let aimed = seed % 4 != 0;
    if aimed && let Some(new_size) = aim(data, size, max_size, u64::from(seed)) {
        return new_size;
    }
    let size = libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    if let Some(image) = data.get_mut(..size) {
        seal(image);
    }
    size
}

/// One to four changes of the kinds that the tests know.
fn aim(data: &mut [u8], size: usize, max_size: usize, seed: u64) -> Option<usize> {
    let mut image = data.get(..size)?.to_vec();
    for step in 0..=seed / 4 % 4 {
        let kinds = mutate::KINDS;
        let kind = kinds[(seed / 16 + step * 7) as usize % kinds.len()];
        // A kind that finds nothing to change in what is left of the file is no reason to stop.
        if let Some((changed, _)) = mutate::mutate_kind(&image, kind, seed.wrapping_add(step << 32))
        {
            image = changed;
        }
    }
    let size = image.len().min(max_size);
    data.get_mut(..size)?.copy_from_slice(image.get(..size)?);
    Some(size)
}

/// Redoes the checksum of each meta page, at whatever page size: magic bytes tell where one stands.
fn seal(image: &mut [u8]) {
    let places = std::iter::once(0).chain((9..=16).map(|shift| 1_usize << shift));
    for at in places {
        let Some(meta) = image.get_mut(at..) else {
            return;
        };
        for order in [Endian::Little, Endian::Big] {
            if meta.len() >= 80 && order.get_u32(meta, 16) == Some(page::MAGIC) {
                page::seal_meta(order, meta);
            }
        }
    }
}
