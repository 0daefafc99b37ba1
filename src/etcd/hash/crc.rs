//! The CRC-32C of two texts in a row, from the CRCs of the texts: their bytes are not needed.
//!
//! A CRC is a remainder of polynomials over bits. With `a` and `b` as the CRCs of two texts, the CRC of both texts
//! together is `a * x^(8 * length of the second) + b`. So a text is represented by its CRC and by `x^(8 * its length)`.
//! Joining two texts takes two multiplications.

use std::sync::LazyLock;

/// The polynomial of CRC-32C, by which every product is divided. As everywhere here, the highest bit is the factor of
/// the lowest power.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The polynomial 1.
const ONE: u32 = 1 << 31;

/// The polynomial x^8: the power of x for a text of one byte.
const ONE_BYTE: u32 = 1 << 23;

/// The product of two polynomials, as a remainder of [`POLYNOMIAL`].
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    // In each step `b` is multiplied by x, and is added if `a` has this power of x.
    let mut bit = ONE;
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        bit >>= 1;
        b = (b >> 1) ^ if b & 1 == 1 { POLYNOMIAL } else { 0 };
    }
    product
}

/// How many digits of 10 bits a length of 64 bits has.
const DIGITS: usize = 7;

/// How many values a digit has.
const VALUES: usize = 1 << 10;

/// The powers of x for each value of each digit of a length, the lowest digit first. So the power for any length is the
/// product of few of them; for the lengths of records, of two.
static POWERS: LazyLock<[Box<[u32]>; DIGITS]> = LazyLock::new(|| {
    let mut one = ONE_BYTE;
    std::array::from_fn(|_| {
        let mut powers = Vec::with_capacity(VALUES);
        let mut power = ONE;
        for _ in 0..VALUES {
            powers.push(power);
            power = multiply(power, one);
        }
        one = power;
        powers.into_boxed_slice()
    })
});

/// The power of x for a text of this many bytes: x^(8 * bytes).
fn power(bytes: u64) -> u32 {
    let mut left = bytes;
    let mut product = ONE;
    for powers in &*POWERS {
        if left == 0 {
            break;
        }
        let digit = usize::try_from(left % VALUES as u64).unwrap_or_default();
        let power = powers.get(digit).copied().unwrap_or(ONE);
        product = if product == ONE {
            power
        } else {
            multiply(product, power)
        };
        left /= VALUES as u64;
    }
    product
}

/// The CRC of a text that is continued by a key and its value.
pub fn append(crc: u32, key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc, key), value)
}

/// A text by its CRC-32C and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrcPart {
    crc: u32,
    /// x^(8 * length).
    power: u32,
}

impl CrcPart {
    /// The empty text.
    pub const EMPTY: Self = Self { crc: 0, power: ONE };

    /// A text with this CRC and this many bytes.
    pub fn new(crc: u32, bytes: u64) -> Self {
        Self {
            crc,
            power: power(bytes),
        }
    }

    /// A key followed by its value.
    pub fn of_element(key: &[u8], value: &[u8]) -> Self {
        let bytes = (key.len() as u64).saturating_add(value.len() as u64);
        Self::new(append(0, key, value), bytes)
    }

    /// The text that is this one followed by the next one.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            crc: multiply(self.crc, next.power) ^ next.crc,
            power: multiply(self.power, next.power),
        }
    }

    /// The CRC of a text with this CRC that is followed by this part. It takes half the steps of [`Self::then`].
    pub fn after(self, crc: u32) -> u32 {
        multiply(crc, self.power) ^ self.crc
    }

    /// The CRC.
    pub fn crc(self) -> u32 {
        self.crc
    }
}

/// A text in parts, which can be removed one by one. After each removal the CRC of what is left is known. A removal
/// takes a logarithmic number of steps.
#[derive(Debug, Default)]
pub struct CrcTree {
    /// A binary tree. Nodes 2n and 2n + 1 are the children of node n, node 1 is the root, and node 0 is not used. The
    /// parts are the second half; a removed part is empty. Every other node is its two children in a row.
    nodes: Vec<CrcPart>,
    /// Index of the first part in `nodes`.
    first_part: usize,
}

impl CrcTree {
    /// The text of these parts.
    pub fn new(parts: impl ExactSizeIterator<Item = CrcPart>) -> Self {
        let first_part = parts.len().next_power_of_two();
        let mut nodes = vec![CrcPart::EMPTY; first_part];
        nodes.extend(parts);
        nodes.resize(first_part.saturating_mul(2), CrcPart::EMPTY);
        let mut tree = Self { nodes, first_part };
        for node in (1..first_part).rev() {
            tree.join(node);
        }
        tree
    }

    /// Computes a node from its children.
    fn join(&mut self, node: usize) {
        let left = node.saturating_mul(2);
        let child = |at: usize| self.nodes.get(at).copied().unwrap_or(CrcPart::EMPTY);
        let joined = child(left).then(child(left.saturating_add(1)));
        if let Some(place) = self.nodes.get_mut(node) {
            *place = joined;
        }
    }

    /// Removes a part by its index, and computes all nodes above it again.
    pub fn remove(&mut self, part: usize) {
        let mut node = self.first_part.saturating_add(part);
        if let Some(place) = self.nodes.get_mut(node) {
            *place = CrcPart::EMPTY;
        }
        while node > 1 {
            node /= 2;
            self.join(node);
        }
    }

    /// The parts that are left, as one text.
    pub fn whole(&self) -> CrcPart {
        self.nodes.get(1).copied().unwrap_or(CrcPart::EMPTY)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn part(text: &[u8]) -> CrcPart {
        CrcPart::new(crc32c::crc32c(text), text.len() as u64)
    }

    #[test]
    fn joined_parts_have_the_crc_of_the_joined_text() {
        let text: Vec<u8> = (0..2000_u32).map(|n| (n * n % 251) as u8).collect();
        for cut in [0, 1, 2, 17, 1000, 1999, 2000] {
            let (left, right) = text.split_at(cut);
            let joined = part(left).then(part(right));
            assert_eq!(joined, part(&text), "cut at {cut}");
            assert_eq!(joined.crc(), crc32c::crc32c(&text), "cut at {cut}");
        }
    }

    #[test]
    fn the_power_of_a_length_is_that_of_its_halves() {
        let lengths = [
            0,
            1,
            2,
            1023,
            1024,
            1025,
            5000,
            1 << 20,
            (1 << 40) + 12_345,
            u64::MAX,
        ];
        let mut compared = 0;
        for bytes in lengths {
            let half = bytes / 2;
            let product = multiply(power(half), power(bytes - half));
            assert_eq!(power(bytes), product, "{bytes}");
            compared += 1;
        }
        assert_eq!(compared, lengths.len());
        assert_eq!(power(3), multiply(ONE_BYTE, multiply(ONE_BYTE, ONE_BYTE)));
    }

    #[test]
    fn a_part_continues_the_crc_of_the_text_before_it() {
        let before = crc32c::crc32c(b"before");
        assert_eq!(
            part(b" and after").after(before),
            crc32c::crc32c(b"before and after")
        );
    }

    #[test]
    fn a_tree_has_the_crc_of_the_parts_that_are_left() {
        for count in [0_usize, 1, 2, 3, 7, 8, 9, 100] {
            let texts: Vec<Vec<u8>> = (0..count)
                .map(|n| vec![u8::try_from(n % 251).unwrap(); n % 5])
                .collect();
            let mut tree = CrcTree::new(texts.iter().map(|text| part(text)));
            let mut left: Vec<Option<&Vec<u8>>> = texts.iter().map(Some).collect();
            for step in 0..=count {
                let text: Vec<u8> = left.iter().flatten().copied().flatten().copied().collect();
                assert_eq!(tree.whole().crc(), crc32c::crc32c(&text), "{count}, {step}");
                if step < count {
                    let removed = step * 7 % count;
                    tree.remove(removed);
                    left[removed] = None;
                }
            }
        }
    }
}
