//! The CRC-32C of two texts in a row, from the CRCs of the texts: their bytes are not needed.
//!
//! A CRC is a remainder of polynomials over bits. With `a` and `b` as the CRCs of two texts, the CRC of both texts
//! together is `a * x^(8 * length of the second) + b`. So a text is represented by its CRC and by `x^(8 * its length)`.
//! Joining two texts takes two multiplications.

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

/// The power of x for a text of this many bytes: x^(8 * bytes).
fn power(mut bytes: u64) -> u32 {
    // Binary exponentiation: `square` is x^8, x^16, x^32 and so on, one for each bit of the length.
    let (mut power, mut square) = (ONE, ONE_BYTE);
    while bytes > 0 {
        if bytes & 1 == 1 {
            power = multiply(power, square);
        }
        square = multiply(square, square);
        bytes >>= 1;
    }
    power
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

    /// The text that is this one followed by the next one.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            crc: multiply(self.crc, next.power) ^ next.crc,
            power: multiply(self.power, next.power),
        }
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
